// The status page. Everything that came from outside is set as text, never as markup.
"use strict";

const byId = (id) => document.getElementById(id);
const el = (tag, text, cls) => {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (cls) e.className = cls;
  return e;
};
// A cell; what is cut for want of room is whole in its title.
const cell = (text, cls) => {
  const td = el("td", text, cls);
  if (text && text.length > 24) td.title = text;
  return td;
};
const n = (text, cls) => cell(text, cls ? `n ${cls}` : "n");

const seconds = (d) => (d ? d.secs + d.nanos / 1e9 : 0);
const span = (s) => {
  if (s === null || s === undefined) return "";
  s = Math.round(s);
  const h = Math.floor(s / 3600), m = Math.floor((s % 3600) / 60), r = s % 60;
  return h ? `${h}:${String(m).padStart(2, "0")}:${String(r).padStart(2, "0")}` : `${m}:${String(r).padStart(2, "0")}`;
};
const clock = (us) => new Date(us / 1000).toLocaleTimeString([], { hour12: false });
const percent = (x) => (x === null || x === undefined ? "" : `${Math.round(x * 100)} %`);
const some = (x) => (x ? String(x) : "");
const words = (x) => (x ? x.replaceAll("_", " ") : "");
const who = (c) => [c.caller, c.caller_name].filter(Boolean).join(" · ");

const cause = { fewer_agents: "fewer agents", longer_talks: "longer talks", urgent_callers: "urgent callers" };
const range = (low, high) => (low > 0 ? `${low / 60}–${high / 60} min` : `under ${high / 60} min`);
const told = (t) => {
  if (!t) return "";
  if (typeof t === "string") return { unknown: "cannot say", nobody_yet: "nobody there yet", next: "you are next" }[t] || t;
  if (!t.wait) return "";
  const said = range(seconds(t.wait.low), seconds(t.wait.high));
  return t.wait.rose ? `${said} (rose: ${cause[t.wait.rose] || t.wait.rose})` : said;
};
const state = (s) => (typeof s === "string" ? words(s) : s.paused !== undefined ? `paused: ${s.paused}` : words(Object.keys(s)[0]));
const tone = (s) => {
  if (["ready", "talking", "conference"].includes(s)) return "good";
  if (["ringing", "consulting", "held", "wrap up", "engaged"].includes(s)) return "busy";
  if (s.startsWith("paused") || ["waiting", "unreachable"].includes(s)) return "warn";
  return s === "signed out" ? "quiet" : "";
};

const fill = (id, rows, nothing) => {
  const body = byId(id);
  const made = rows.map((cells) => {
    const tr = el("tr");
    for (const c of cells) tr.append(c instanceof Node ? c : cell(c));
    return tr;
  });
  if (!made.length) {
    const tr = el("tr"), td = el("td", nothing, "empty");
    td.colSpan = body.parentElement.tHead.rows[0].cells.length;
    tr.append(td);
    made.push(tr);
  }
  body.replaceChildren(...made);
};

const alarm = {
  journal: "the journal cannot be written: after a crash the last calls would be missing",
  journal_entries_lost: "entries of the journal were lost",
  store: "the record cannot be written: it waits in memory",
  facts_lost: "facts were lost: the record was away for too long",
  menus_not_kept: "the disk could not take which set of menus holds: a restart would begin with another one",
  banner_mute: "the banner that is on has lost its sound: put it on again",
  menus_refused: "the menus' files were changed and are not installed; those before hold (hotline revisions)",
};
const alarms = (v) => {
  const m = v.menus_told, lines = (v.alarms || []).map((a) => el("p", alarm[a] || words(a), "alarm"));
  for (const line of (m.refused ? m.refused.why.slice(0, 5) : [])) lines.push(el("p", line, "alarm"));
  if (m.apart) lines.push(el("p", `menus: set ${m.number} (${v.menus}) holds, which was rolled back to or sent; the files hold another one until they change`, "alarm"));
  byId("alarms").replaceChildren(...lines);
};

const banner = (b) => {
  byId("banner").hidden = !b;
  if (!b) return;
  const whom = [...b.numbers, ...b.queues].join(", ") || "all callers";
  const text = Object.values(b.text).join(" · ") || b.prompt;
  byId("banner").textContent = `Callers hear (${whom}, until ${new Date(b.until / 1000).toLocaleString()}): ${text}`;
};

const figures = (v) => {
  const b = v.board, acd = b.acd;
  const all = [["calls", b.calls.length], ["waiting", acd.queues.reduce((s, q) => s + q.waiting.length, 0)],
    ["agents ready", acd.agents.filter((a) => a.state === "ready").length], ["menus", v.menus], ["up", span((v.now_us - v.started_us) / 1e6)]];
  byId("figures").replaceChildren(...all.map(([k, x]) => {
    const d = el("div");
    d.append(el("dt", k), el("dd", String(x)));
    return d;
  }));
};

const show = (v) => {
  const b = v.board, acd = b.acd;
  figures(v);
  alarms(v);
  banner(b.banner);
  fill("queues", acd.queues.map((q) => {
    const w = q.waiting, s = q.service, last = w[w.length - 1];
    return [q.queue, n(String(w.length), w.length ? "warn" : "quiet"), n(w.length ? span(Math.max(...w.map((t) => seconds(t.waited)))) : ""),
      last && last.told ? told(last.told[0]) : "", n(String(q.agents_ready), q.agents_ready ? "good" : "quiet"), n(String(q.agents_signed_in), q.agents_signed_in ? "" : "quiet"),
      n(some(s.answered)), n(some(s.left)), n(percent(s.service_level)), n(s.answered ? span(seconds(s.wait.mean)) : ""), n(seconds(s.talk.max) ? span(seconds(s.talk.mean)) : "")];
  }), "no queue");
  fill("waiting", acd.queues.flatMap((q) => q.waiting.map((t) => [String(t.call), q.queue, n(String(t.class)), n(span(seconds(t.waited))), t.told ? told(t.told[0]) : "",
    t.estimate ? `${span(seconds(t.estimate.low))}–${span(seconds(t.estimate.high))}` : "unknown", t.ringing || ""])), "nobody waits");
  fill("kept", b.lost_places.map((p) => [p.caller, p.queue, n(String(p.priority)), n(span(seconds(p.waited))), n(span(seconds(p.kept_for)))]), "nobody was cut off");
  fill("agents", acd.agents.map((a) => {
    const s = state(a.state);
    return [a.agent, a.alias, cell(s, tone(s)), n(span(seconds(a.in_state))), cell(a.reachable ? "registered" : "not registered", a.reachable ? "" : "quiet"), n(some(a.answered))];
  }), "no agent");
  fill("trunks", v.trunks.map((t) => {
    const s = t.alarm || (t.registered ? "registered" : "");
    const targets = t.targets.map((x) => x.at + (x.down ? " (down)" : x.doubted ? " (silent)" : "")).join(", ");
    return [t.trunk, t.address, cell(s, t.alarm ? "warn" : "good"), targets, n(some(t.calls_in)), n(some(t.calls_out)), n(some(t.figures.tried)),
      n(some(t.figures.failed_over)), n(some(t.figures.limited_in + t.figures.limited_out))];
  }), "no trunk");
  fill("calls", b.calls.map((c) => {
    const s = words(c.stage);
    return [String(c.call), who(c), c.dialled, cell(s, tone(s)), n(span(seconds(c.lasted))), some(c.menu), some(c.queue), told(c.told), some(c.agent), some(c.party)];
  }), "no call");
};

const record = (rows) => fill("record", rows.map((c) => [String(c.id), clock(c.started_us), who(c), c.dialled, c.keys, some(c.queue), some(c.agent),
  c.told_high_s === null ? "" : range(c.told_low_s, c.told_high_s), n(c.waited_ms === null ? "" : span(c.waited_ms / 1000)), n(c.talk_ms ? span(c.talk_ms / 1000) : ""),
  c.ended_us === null ? cell("going on", "quiet") : words(c.cause)]), "no call yet");

// A bar as long as there were promises, of what became of them.
const bar = (parts, most) => {
  const ns = "http://www.w3.org/2000/svg", svg = document.createElementNS(ns, "svg"), td = el("td");
  svg.setAttribute("width", "240");
  svg.setAttribute("height", "12");
  let x = 0;
  for (const [count, cls] of parts) {
    const width = (240 * count) / Math.max(most, 1), rect = document.createElementNS(ns, "rect");
    for (const [key, value] of [["x", x], ["y", 0], ["width", width], ["height", 12], ["class", cls]]) rect.setAttribute(key, String(value));
    svg.append(rect);
    x += width;
  }
  td.append(svg);
  return td;
};
const promises = (r) => {
  const all = (p) => p.kept + p.late + p.broken, most = Math.max(0, ...r.figures.map(all));
  fill("promises", r.figures.map((p) => [p.queue, `${String(Math.floor(p.half_hour / 2)).padStart(2, "0")}:${p.half_hour % 2 ? "30" : "00"}`, n(some(p.kept)), n(some(p.late)), n(some(p.broken)),
    bar([[p.kept, "kept"], [p.late, "late"], [p.broken, "broken"]], most)]), "nothing was promised today");
};

const pulse = (text, cls) => {
  byId("pulse").textContent = text;
  byId("pulse").className = `pulse ${cls}`;
};
let token = sessionStorage.getItem("token");
const read = async (path) => {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(path, { headers, signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw Object.assign(new Error(String(answer.status)), { status: answer.status });
  return answer.json();
};
let beats = 0;
const beat = async () => {
  try {
    show(await read("/api/v1/status"));
    record(await read("/api/v1/calls?limit=20"));
    if (beats++ % 10 === 0) promises(await read("/api/v1/promises"));
    pulse("live", "live");
  } catch (e) {
    if (e.status === 401) {
      // Nothing is asked again until somebody enters a token.
      pulse(token ? "not this token" : "asks for a token", "lost");
      byId("door").hidden = false;
      byId("token").focus();
      return;
    }
    pulse(`no answer (${e.message})`, "lost");
  }
  window.setTimeout(beat, 1000);
};
const enter = () => {
  token = byId("token").value;
  byId("token").value = "";
  sessionStorage.setItem("token", token);
  byId("door").hidden = true;
  beat();
};
byId("enter").addEventListener("click", enter);
byId("token").addEventListener("keydown", (e) => e.key === "Enter" && enter());
beat();
