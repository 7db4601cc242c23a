// The status page. Everything that came from outside is set as text, never as markup.
"use strict";

const el = (tag, text, cls) => {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (cls) e.className = cls;
  return e;
};
const seconds = (d) => (d ? d.secs + d.nanos / 1e9 : 0);
const span = (s) => {
  if (s === null || s === undefined) return "";
  s = Math.round(s);
  const h = Math.floor(s / 3600), m = Math.floor((s % 3600) / 60), r = s % 60;
  return h ? `${h}:${String(m).padStart(2, "0")}:${String(r).padStart(2, "0")}` : `${m}:${String(r).padStart(2, "0")}`;
};
const clock = (us) => new Date(us / 1000).toLocaleTimeString();
const percent = (x) => (x === null || x === undefined ? "" : `${Math.round(x * 100)} %`);
const cause = { fewer_agents: "fewer agents", longer_talks: "longer talks", urgent_callers: "urgent callers" };
const told = (t) => {
  if (!t) return "";
  if (typeof t === "string") return { unknown: "cannot say", nobody_yet: "nobody there yet", next: "you are next" }[t] || t;
  if (!t.wait) return "";
  const low = seconds(t.wait.low) / 60, high = seconds(t.wait.high) / 60;
  const words = low > 0 ? `${low}–${high} min` : `under ${high} min`;
  return t.wait.rose ? `${words} (rose: ${cause[t.wait.rose] || t.wait.rose})` : words;
};
const stateWords = (s) => (typeof s === "string" ? s.replaceAll("_", " ") : s.paused !== undefined ? `paused: ${s.paused}` : Object.keys(s)[0]);
const stateClass = (w) => (w === "ready" ? "good" : w === "talking" || w === "ringing" ? "busy" : w.startsWith("paused") || w === "unreachable" ? "warn" : "");

const fill = (id, rows, columns, nothing) => {
  const body = document.getElementById(id);
  const made = rows.map((cells) => {
    const tr = el("tr");
    for (const c of cells) tr.append(c instanceof Node ? c : el("td", c));
    return tr;
  });
  if (!made.length) {
    const tr = el("tr"), td = el("td", nothing, "empty");
    td.colSpan = columns;
    tr.append(td);
    made.push(tr);
  }
  body.replaceChildren(...made);
};
const n = (text) => el("td", text, "n");

const show = (v) => {
  const b = v.board, acd = b.acd;
  const figures = [["calls", b.calls.length], ["waiting", acd.queues.reduce((s, q) => s + q.waiting.length, 0)],
    ["ready", acd.agents.filter((a) => a.state === "ready").length], ["menus", v.menus], ["up", span((v.now_us - v.started_us) / 1e6)]];
  document.getElementById("figures").replaceChildren(...figures.map(([k, x]) => {
    const d = el("div");
    d.append(el("dt", k), el("dd", String(x)));
    return d;
  }));
  fill("queues", acd.queues.map((q) => {
    const longest = Math.max(0, ...q.waiting.map((t) => seconds(t.waited)));
    const s = q.service || {};
    const last = q.waiting.length ? told(q.waiting[q.waiting.length - 1].told && q.waiting[q.waiting.length - 1].told[0]) : "";
    return [q.queue, n(String(q.waiting.length)), n(q.waiting.length ? span(longest) : ""), n(String(q.agents_ready)), n(String(q.agents_signed_in)), last,
      n(percent(s.service_level)), n(s.answered ? span(seconds(s.wait.mean)) : "")];
  }), 8, "no queue");
  fill("waiting", acd.queues.flatMap((q) => q.waiting.map((t) => [String(t.call), q.queue, n(String(t.class)), n(span(seconds(t.waited))), told(t.told && t.told[0]),
    t.estimate ? `${span(seconds(t.estimate.low))}–${span(seconds(t.estimate.high))}` : "unknown", t.ringing || ""])), 7, "nobody waits");
  fill("agents", acd.agents.map((a) => {
    const words = stateWords(a.state);
    return [a.agent, a.alias, el("td", words, stateClass(words)), n(span(seconds(a.in_state))), el("td", a.reachable ? "registered" : "not registered", a.reachable ? "" : "warn"), n(String(a.answered))];
  }), 6, "no agent");
  fill("calls", b.calls.map((c) => [String(c.call), [c.caller_name, c.caller].filter(Boolean).join(" · "), c.dialled, c.stage.replaceAll("_", " "), n(span(seconds(c.lasted))),
    [c.menu && `menu ${c.menu}`, c.queue && `queue ${c.queue}`, c.agent && `agent ${c.agent}`, c.party && `with ${c.party}`].filter(Boolean).join(", ")]), 6, "no call");
};

const record = (rows) => fill("record", rows.map((c) => [String(c.id), clock(c.started_us), [c.caller_name, c.caller].filter(Boolean).join(" · "), c.keys, c.queue || "", c.agent || "",
  c.told_high_s === null ? "" : c.told_low_s ? `${c.told_low_s / 60}–${c.told_high_s / 60} min` : `under ${c.told_high_s / 60} min`,
  n(c.waited_ms === null ? "" : span(c.waited_ms / 1000)), n(c.talk_ms ? span(c.talk_ms / 1000) : ""), c.cause ? c.cause.replaceAll("_", " ") : "…"]), 10, "no call yet");

let token = sessionStorage.getItem("token");
const read = async (path) => {
  const answer = await fetch(path, token ? { headers: { Authorization: `Bearer ${token}` } } : {});
  if (answer.status === 401) {
    token = window.prompt("Token") || "";
    sessionStorage.setItem("token", token);
  }
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
};
const pulse = document.getElementById("pulse");
const beat = async () => {
  try {
    show(await read("/api/v1/status"));
    record(await read("/api/v1/calls?limit=20"));
    pulse.textContent = "live";
    pulse.className = "pulse live";
  } catch (e) {
    pulse.textContent = `no answer (${e.message})`;
    pulse.className = "pulse lost";
  }
  window.setTimeout(beat, 1000);
};
beat();
