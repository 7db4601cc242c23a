//! The report of a simulated day as one HTML file: figures, and pictures in SVG. No script, nothing from outside.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::chart::{Bars, Line, Scatter};
use super::compare::Comparison;
use super::figures::{DayReport, percent, time};
use crate::base::picture::escape;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#1d2733;background:#fff;max-width:1080px;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2.2rem}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{padding:.25rem .8rem;text-align:right;border-bottom:1px solid #d8dee6}th:first-child,td:first-child{text-align:left}\
svg{width:100%;height:auto;display:block}svg text{font:11px system-ui,sans-serif;fill:#4a5866}\
.cards{display:flex;flex-wrap:wrap;gap:1rem}.card{border:1px solid #d8dee6;border-radius:8px;padding:.6rem 1rem;min-width:9rem}\
.card b{display:block;font-size:1.35rem}figcaption{color:#4a5866}figure{margin:0}footer{color:#4a5866;margin-top:3rem;font-size:.85rem}";

/// The whole page.
pub fn page(report: &DayReport, comparison: Option<&Comparison>) -> String {
    let title = escape(&report.title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
    );
    if let Some(comparison) = comparison {
        compared(&mut out, comparison);
    }
    cards(&mut out, report);
    pictures(&mut out, report);
    queues(&mut out, report);
    keys(&mut out, report);
    let m = &report.machine;
    // Writing to a string cannot fail, here and below.
    write!(
        out,
        "<footer>Scenario {}; {} inputs, {} facts, hash <code id=\"hash\">{}</code>. Simulated by hotline {}.</footer>\n\
         </body></html>\n",
        escape(&report.scenario),
        m.inputs,
        m.facts,
        m.hash,
        env!("CARGO_PKG_VERSION")
    )
    .ok();
    out
}

fn compared(out: &mut String, comparison: &Comparison) {
    let changes = escape(&comparison.changes().join(", "));
    write!(
        out,
        "<h2>What the change would do</h2><p>{changes}</p><table><thead><tr><th></th><th>as it is</th><th>changed</th>\
         <th>difference</th></tr></thead><tbody id=\"compared\">"
    )
    .ok();
    for line in comparison.lines() {
        let sure = if line.difference.is_certain() { "" } else { " (may be chance)" };
        write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}{sure}</td></tr>",
            line.name,
            line.show(line.before, false),
            line.show(line.after, false),
            line.show(line.difference, true)
        )
        .ok();
    }
    out.push_str(
        "</tbody></table><p>The pictures below are of the changed plan, under the first seed.</p>\n",
    );
}

fn cards(out: &mut String, r: &DayReport) {
    let inside = super::tally::share(r.told.inside, r.told.told);
    let all = [
        ("calls", r.visits.to_string()),
        ("answered by a person", r.answered.to_string()),
        ("service level", percent(r.service_level)),
        ("mean wait", time(r.waits.mean_s)),
        ("nine of ten waited less than", time(r.waits.p90_s)),
        ("not answered", percent(r.abandonment)),
        ("agents busy", percent(Some(r.occupancy))),
        ("waited within what they were told", percent(inside)),
    ];
    out.push_str("<div class=\"cards\" id=\"cards\">");
    for (name, value) in all {
        write!(out, "<div class=\"card\"><b>{value}</b>{name}</div>").ok();
    }
    out.push_str("</div>\n");
}

fn figure(out: &mut String, id: &str, title: &str, svg: &str, caption: &str) {
    writeln!(out, "<h2>{title}</h2><figure id=\"{id}\">{svg}<figcaption>{caption}</figcaption></figure>")
        .ok();
}

#[expect(clippy::cast_precision_loss, reason = "numbers of callers are far below 2^52")]
fn pictures(out: &mut String, r: &DayReport) {
    let clocks: Vec<&str> = r.half_hours.iter().map(|h| h.clock.as_str()).collect();
    let line = |name, colour, of: &dyn Fn(&super::HalfHour) -> Option<f64>| Line {
        name,
        colour,
        values: r.half_hours.iter().map(of).collect(),
    };
    let known = |h: &super::HalfHour, v: f64| (h.answered > 0).then_some(v);
    let waits = [
        line("mean", "#2f6fde", &|h| known(h, h.waits.mean_s)),
        line("half", "#3aa66b", &|h| known(h, h.waits.p50_s)),
        line("nine of ten", "#d9822b", &|h| known(h, h.waits.p90_s)),
    ];
    let svg = super::chart::lines(&clocks, &waits, "s");
    figure(
        out,
        "waits",
        "Waits by half hour",
        &svg,
        "Seconds from joining a queue to a person, by when they joined.",
    );
    let level = [line("answered in time", "#2f6fde", &|h| h.service_level.map(|s| s * 100.0))];
    let svg = super::chart::lines(&clocks, &level, "%");
    figure(
        out,
        "service-level",
        "Service level",
        &svg,
        "Share answered within the queue's target, of all who were decided.",
    );
    let staff =
        [line("agents at work", "#2f6fde", &|h| Some(h.agents)), line("busy", "#d9822b", &|h| Some(h.busy))];
    let svg = super::chart::lines(&clocks, &staff, "");
    figure(
        out,
        "staffing",
        "Staffing",
        &svg,
        "Agents at work and not paused, and how many of them were busy.",
    );
    let lost = Bars {
        names: &clocks,
        parts: &[
            ("answered", "#3aa66b", r.half_hours.iter().map(|h| h.answered as f64).collect()),
            ("hung up", "#d9822b", r.half_hours.iter().map(|h| h.abandoned as f64).collect()),
            ("turned away", "#c23b3b", r.half_hours.iter().map(|h| h.turned_away as f64).collect()),
        ],
    };
    figure(
        out,
        "abandonment",
        "Who gave up",
        &lost.draw(),
        "Callers who joined a queue in each half hour, by how it ended.",
    );
    let told = Scatter { points: r.told.points.iter().map(|p| (p.low_s, p.high_s, p.true_s)).collect() };
    let caption = "Each line is a caller: its length is the range he was told, its height what he then waited. Lines that cross \
                   the diagonal were true.";
    figure(out, "told-true", "Told against true", &told.draw(), caption);
    promises(out, r);
}

/// What became of what was told: kept, late, broken.
#[expect(clippy::cast_precision_loss, reason = "numbers of callers are far below 2^52")]
fn promises(out: &mut String, r: &DayReport) {
    let mut halves: BTreeMap<u8, (String, [f64; 3])> = BTreeMap::new();
    for p in &r.promises {
        let (_, sums) = halves.entry(p.half_hour).or_insert_with(|| (p.clock(), [0.0; 3]));
        for (sum, n) in sums.iter_mut().zip([p.kept, p.late, p.broken]) {
            *sum += n as f64;
        }
    }
    let clocks: Vec<&str> = halves.values().map(|(clock, _)| clock.as_str()).collect();
    let of = |k: usize| halves.values().map(|(_, sums)| sums[k]).collect::<Vec<f64>>();
    let colours = [("kept", "#3aa66b"), ("late", "#c23b3b"), ("broken", "#d9822b")];
    let parts: Vec<_> = (0..).zip(colours).map(|(k, (name, colour))| (name, colour, of(k))).collect();
    let bars = Bars { names: &clocks, parts: &parts };
    let caption = "Every range that was told, by the half hour in which it was: served by its upper end (kept), still waiting then \
                   (late), or gone before (broken).";
    figure(out, "promises", "Promises", &bars.draw(), caption);
    out.push_str(
        "<table><thead><tr><th>queue</th><th>clock</th><th>kept</th><th>late</th><th>broken</th></tr></thead>\
         <tbody id=\"promises-of-queues\">",
    );
    for p in &r.promises {
        let (queue, clock) = (escape(p.queue.as_str()), p.clock());
        write!(
            out,
            "<tr><td>{queue}</td><td>{clock}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            p.kept, p.late, p.broken
        )
        .ok();
    }
    out.push_str("</tbody></table>\n");
}

fn queues(out: &mut String, r: &DayReport) {
    out.push_str(
        "<h2>Queues</h2><table><thead><tr><th>queue</th><th>waited</th><th>answered</th><th>hung up</th><th>turned away</th>\
         <th>in time</th><th>mean wait</th><th>nine of ten</th></tr></thead><tbody id=\"queues\">",
    );
    for q in &r.queues {
        write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&q.queue),
            q.queued,
            q.answered,
            q.abandoned,
            q.turned_away,
            percent(q.service_level),
            time(q.waits.mean_s),
            time(q.waits.p90_s)
        )
        .ok();
    }
    out.push_str("</tbody></table>\n");
}

#[expect(clippy::cast_precision_loss, reason = "numbers of keys are far below 2^52")]
fn keys(out: &mut String, r: &DayReport) {
    let names: Vec<String> = r.keys.iter().map(|k| format!("{} {}", k.menu, k.key)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let bars = Bars {
        names: &names,
        parts: &[("pressed", "#2f6fde", r.keys.iter().map(|k| k.count as f64).collect())],
    };
    figure(out, "keys", "Keys pressed, by menu", &bars.draw(), "Digits of entries are not counted.");
}
