//! The report as one page of HTML: its pictures are in it, and it asks nobody for anything.
use std::fmt::Write as _;

use super::chart::{Line, over_time, quantiles};
use super::report::DayReport;
use crate::base::picture::escape;
use crate::replay::capacity::{Capacity, LimitedBy};
use crate::replay::measure::Quantiles;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#1d2733;max-width:1060px;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse}\
td,th{padding:.2rem .9rem .2rem 0;text-align:right;border-bottom:1px solid #e4e9ef}td:first-child,th:first-child{text-align:left}\
figure{margin:0}svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#52606d}.late{background:#fbe9e7;border-left:4px solid #c23b3b;padding:.6rem 1rem}\
.none,.small{color:#52606d}";

/// The page. Of a search there may be the last trial's report alone.
pub fn page(report: &DayReport, capacity: Option<&Capacity>) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title><style>{STYLE}</style></head><body>\
         <h1>{0}</h1><p class=\"small\">against {1}, seed {2}, {3:.1} s; {4} calls, most at once {5}</p>",
        escape(&report.title),
        escape(&report.target),
        report.seed,
        report.seconds,
        report.outcomes.calls,
        report.standing_max
    );
    let add = |html: &mut String, text: &str| html.push_str(text);
    if report.punctuality.late {
        add(
            &mut html,
            "<div class=\"late\"><b>The phones themselves were late.</b> What follows says as much of them as of the server:<ul>",
        );
        for why in &report.punctuality.why {
            // Writing to a string cannot fail, here and below.
            write!(html, "<li>{}</li>", escape(why)).ok();
        }
        add(&mut html, "</ul></div>");
    }
    if let Some(bound) = &report.bounded_by {
        write!(html, "<p>Ended early by {}.</p>", escape(bound)).ok();
    }
    if let Some(capacity) = capacity {
        search(&mut html, capacity);
    }
    // A search alone has no one day to show.
    if report.outcomes.calls == 0 && capacity.is_some() {
        html.push_str("</body></html>");
        return html;
    }
    add(&mut html, "<h2>Over time</h2>");
    add(&mut html, &figure("over-time", &over_time(&timeline(report), "")));
    add(&mut html, "<h2>Slowest answer of each second, and how late the phones were themselves</h2>");
    add(&mut html, &figure("slowest", &over_time(&slowest(report), "ms")));
    add(&mut html, "<h2>Times</h2>");
    add(&mut html, &figure("quantiles", &quantiles(&curves(report), "ms")));
    times(&mut html, report);
    faults(&mut html, report);
    ratios(&mut html, report);
    sound(&mut html, report);
    add(
        &mut html,
        "<p class=\"small\">Every time is counted from the moment that the scenario wanted. Definitions: docs/replaying.md.</p></body></html>",
    );
    html
}

fn figure(id: &str, picture: &str) -> String {
    format!("<figure id=\"{id}\">{picture}</figure>")
}

fn float(n: u64) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

fn timeline(report: &DayReport) -> Vec<Line<'static>> {
    let of = |value: fn(&super::Second) -> u64| {
        report.timeline.iter().map(|s| (float(s.at), float(value(s)))).collect()
    };
    vec![
        Line { name: "calls standing", colour: "#2563a8", points: of(|s| s.standing) },
        Line { name: "begun each second", colour: "#3aa66b", points: of(|s| s.begun) },
        Line { name: "failed each second", colour: "#c23b3b", points: of(|s| s.failed) },
    ]
}

fn slowest(report: &DayReport) -> Vec<Line<'static>> {
    let answers = report.timeline.iter().map(|s| (float(s.at), s.answer_max_ms)).collect();
    let late = report.timeline.iter().map(|s| (float(s.at), s.late_max_ms)).collect();
    vec![
        Line { name: "slowest answer", colour: "#2563a8", points: answers },
        Line { name: "phones late", colour: "#c9822b", points: late },
    ]
}

fn all(report: &DayReport) -> [(&'static str, &'static str, &Quantiles); 9] {
    [
        ("post-dial delay", "#2563a8", &report.post_dial),
        ("answer", "#3aa66b", &report.answer),
        ("answer to sound", "#8a5bb8", &report.answer_to_sound),
        ("key to prompt", "#c9822b", &report.key_to_prompt),
        ("agent free to ringing", "#c23b3b", &report.free_to_ringing),
        ("agent's answer to both hearing", "#52606d", &report.answer_to_two_way),
        ("third party's answer to both hearing", "#8a6d3b", &report.third_party_private),
        ("join to all three hearing", "#1d2733", &report.join_to_three_way),
        ("third party's successor heard", "#b0569a", &report.successor_heard),
    ]
}

fn curves(report: &DayReport) -> Vec<Line<'static>> {
    // Short enough to stand side by side.
    const NAMES: [&str; 9] = [
        "post-dial",
        "answer",
        "first sound",
        "key to prompt",
        "free to ringing",
        "both hear",
        "in private",
        "all three",
        "successor",
    ];
    let line = |(name, (_, colour, of)): (&'static str, (&'static str, &'static str, &Quantiles))| Line {
        name,
        colour,
        points: of.curve.iter().map(|(q, us)| (*q, us / 1e3)).collect(),
    };
    NAMES.into_iter().zip(all(report)).map(line).collect()
}

fn row(html: &mut String, name: &str, of: &Quantiles) {
    let ms = |us: u64| float(us) / 1e3;
    if of.count == 0 {
        write!(html, "<tr><td>{name}</td><td>0</td><td colspan=5>not measured</td></tr>").ok();
        return;
    }
    write!(
        html,
        "<tr><td>{name}</td><td>{}</td><td>{:.1}</td><td>{:.1}</td><td>{:.1}</td><td>{:.1}</td><td>{:.1}</td></tr>",
        of.count,
        ms(of.p50_us),
        ms(of.p90_us),
        ms(of.p99_us),
        ms(of.p999_us),
        ms(of.max_us)
    )
    .ok();
}

fn times(html: &mut String, report: &DayReport) {
    html.push_str("<table><tr><th>in milliseconds</th><th>measured</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th></tr><tbody id=\"times\">");
    for (name, _, of) in all(report) {
        row(html, name, of);
    }
    row(html, "REGISTER to the registrar's word", &report.registration);
    row(html, "SRD", &report.rfc6076.srd);
    row(html, "SRD of failures", &report.rfc6076.failed_srd);
    row(html, "SDD", &report.rfc6076.sdd);
    row(html, "SDT", &report.rfc6076.sdt);
    row(html, "jitter of each ear", &report.sound.jitter);
    row(html, "these phones late", &report.punctuality.actions);
    html.push_str("</table>");
}

fn ratios(html: &mut String, report: &DayReport) {
    let r = &report.rfc6076;
    html.push_str("<h2>RFC 6076</h2><table>");
    for (name, value) in [
        ("SER, session establishment", r.ser_percent),
        ("SEER, its effectiveness", r.seer_percent),
        ("ISA, ineffective attempts", r.isa_percent),
        ("SCR, completed sessions", r.scr_percent),
    ] {
        let value = value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2} %"));
        write!(html, "<tr><td>{name}</td><td>{value}</td></tr>").ok();
    }
    for (status, count) in &r.statuses {
        write!(html, "<tr><td>status {status}</td><td>{count}</td></tr>").ok();
    }
    let o = &report.outcomes;
    html.push_str("</table><h2>Callers</h2><table>");
    for (name, count) in [
        ("callers", o.callers),
        ("calls", o.calls),
        ("redials among them", o.redials),
        ("answered", o.answered),
        ("refused", o.refused),
        ("taken back before the answer", o.given_up),
        ("served by an agent", o.served),
        ("hung up waiting", o.abandoned),
        ("ended by the server", o.ended_by_server),
        ("broken", o.broken),
        ("answered and silent", o.silent),
        ("cut short by the bound", o.cut_short),
        ("keys pressed", o.keys),
        ("agents", o.agents),
        ("of these, played by agents whom the server knows", o.stand_ins),
        ("agents without password, who did not work", o.agents_without_password),
        ("offers to agents", o.offers),
        ("offers missed", o.offers_missed),
        ("conversations", o.conversations),
        ("third parties asked for", o.parties_asked),
        ("third parties without known keys", o.parties_without_code),
        ("third parties rung", o.party_calls),
        ("third parties who answered", o.party_talks),
        ("talks of all three", o.three_ways),
        ("of these, held by the third party", o.holds),
        ("third parties who had another take their place", o.party_transfers),
        ("of these, followed", o.successions),
        ("callers passed on by a phone", o.transfers),
        ("callers left alone", o.left_alone),
    ] {
        write!(html, "<tr><td>{name}</td><td>{count}</td></tr>").ok();
    }
    html.push_str("</table>");
}

/// What of the scenario went wrong on purpose, and what could not be played.
fn faults(html: &mut String, report: &DayReport) {
    if report.faults.is_empty() {
        return;
    }
    html.push_str("<h2>Faults of the scenario</h2><table><tr><th>fault</th><th>from, s</th><th>to, s</th><th></th></tr><tbody id=\"faults\">");
    for fault in &report.faults {
        let (kind, what) = (escape(&fault.kind), escape(&fault.what));
        write!(
            html,
            "<tr><td>{kind}</td><td>{}</td><td>{}</td><td>{what}</td></tr>",
            fault.from_s, fault.to_s
        )
        .ok();
    }
    write!(
        html,
        "</tbody></table><p class=\"small\">Lost on purpose: {} packets of sound there, {} back, {} datagrams of SIP; {} datagrams of \
         phones that were gone.</p>",
        report.outcomes.lost_out, report.outcomes.lost_in, report.sip_lost_on_purpose, report.sip_of_the_vanished
    )
    .ok();
}

fn sound(html: &mut String, report: &DayReport) {
    let s = &report.sound;
    let score = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"));
    let percent = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.3} %"));
    write!(
        html,
        "<h2>Sound</h2><table><tr><td>ears</td><td>{}</td></tr><tr><td>packets heard</td><td>{}</td></tr>\
         <tr><td>lost</td><td>{} ({})</td></tr><tr><td>too late for a buffer of 60 ms</td><td>{} ({})</td></tr>\
         <tr><td>gaps over 40 ms</td><td>{}, longest {:.0} ms</td></tr><tr><td>doubled</td><td>{}</td></tr>\
         <tr><td>MOS (E-model): median, 1 of 100, worst</td><td>{}, {}, {}</td></tr></table>",
        s.streams,
        s.packets,
        s.lost,
        percent(s.lost_percent),
        s.late,
        percent(s.late_percent),
        s.gaps,
        s.longest_gap_ms,
        s.doubled,
        score(s.mos_median),
        score(s.mos_p1),
        score(s.mos_worst)
    )
    .ok();
}

fn search(html: &mut String, capacity: &Capacity) {
    let found = capacity.rate.map_or_else(|| "none".to_owned(), |r| format!("{r:.1} calls/s"));
    let by = match capacity.limited_by {
        LimitedBy::Server => format!(
            "Limited by the server, which failed at {:.1} calls/s: {}",
            capacity.failed_at.unwrap_or(0.0),
            escape(&capacity.why.join("; "))
        ),
        LimitedBy::Phones => "Limited by the phones, not by the server.".to_owned(),
        LimitedBy::Asked => "Limited by what was asked for, not by the server.".to_owned(),
        LimitedBy::Trials => "Limited by the number of trials.".to_owned(),
    };
    write!(
        html,
        "<h2>Highest rate without a failure: {found}</h2><p>{}</p><p>{by}</p><table id=\"trials\">",
        escape(&capacity.ended)
    )
    .ok();
    html.push_str(
        "<tr><th>trial</th><th>calls/s</th><th>calls</th><th>what for</th><th>showed</th><th></th></tr>",
    );
    for (n, trial) in capacity.trials.iter().enumerate() {
        write!(
            html,
            "<tr><td>{}</td><td>{:.1}</td><td>{}</td><td>{:?}</td><td>{:?}</td><td>{}</td></tr>",
            n + 1,
            trial.rate,
            trial.lasted.calls,
            trial.phase,
            trial.verdict,
            escape(&trial.why.join("; "))
        )
        .ok();
    }
    html.push_str("</table>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::day::{DayReport, Second};

    #[test]
    fn the_page_is_whole_and_asks_nobody() {
        let mut report = DayReport { title: "A <b>day</b>".to_owned(), ..DayReport::default() };
        report.timeline =
            (0..5).map(|at| Second { at, begun: at, standing: 2 * at, ..Second::default() }).collect();
        report.punctuality.late = true;
        report.punctuality.why = vec!["slow & tired".to_owned()];
        let html = page(&report, None);
        assert!(html.contains("A &lt;b&gt;day&lt;/b&gt;") && !html.contains("<b>day"));
        assert!(html.contains("slow &amp; tired") && html.contains("<svg") && html.ends_with("</html>"));
        for outside in ["http://", "https://", "src=", "href=", "@import", "<script"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
