//! The verdict as one page with pictures, with nothing from outside.
use std::fmt::Write as _;

use super::judge::Verdict;
use crate::base::picture::escape;

const WIDE: f64 = 720.0;
const HIGH: f64 = 240.0;
const STYLE: &str = "body{font:15px system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}\
table{border-collapse:collapse;width:100%}td,th{padding:.25em .6em;text-align:right;border-bottom:1px solid #ddd}\
td:first-child,th:first-child{text-align:left}tr.ours{font-weight:600;background:#eef6ee}svg{width:100%;height:auto}";

/// The page.
pub fn page(verdict: &Verdict, title: &str) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>hotline backtest</title><style>{STYLE}</style>\
         <h1>Waits told and true</h1><p>{}: {} calls, judged from day {}, each predicted from what came before.</p>",
        escape(title),
        verdict.calls,
        verdict.judged_from_days.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    );
    table(&mut out, verdict);
    out.push_str("<h2>Error (root mean square, seconds)</h2>");
    bars(&mut out, verdict);
    out.push_str("<h2>Estimate against wait, in ten bins (seconds)</h2>");
    curve(&mut out, verdict);
    out.push_str("<h2>Share of waits within the words said, by half-hour (line: 80 %)</h2>");
    coverage(&mut out, verdict);
    out.push_str("</html>\n");
    out
}

/// Writing to a string cannot fail.
macro_rules! put {
    ($out:expr, $($part:tt)*) => { write!($out, $($part)*).unwrap_or_default() };
}

fn table(out: &mut String, verdict: &Verdict) {
    out.push_str("<table><tr><th>estimator<th>n<th>RMSE<th>MAE<th>bias<th>RRMSE<th>pinball<th>80 % range holds<th>width\
                  <th>over 2x + 30 s<th>told later");
    for (name, figures) in &verdict.estimators {
        let s = &figures.overall;
        let class = if *name == "hotline" { " class=\"ours\"" } else { "" };
        put!(
            out,
            "<tr{class}><td>{name}<td>{}<td>{:.1}<td>{:.1}<td>{:+.1}<td>{:.2}<td>{:.1}<td>{:.1} %<td>{:.0}<td>{:.1} %<td>{:.1} %",
            s.n,
            s.rmse_s,
            s.mae_s,
            s.bias_s,
            s.rrmse,
            s.pinball_s,
            100.0 * s.coverage_80,
            s.width_s,
            100.0 * s.over_twice_30,
            100.0 * s.upward_share
        );
    }
    out.push_str("</table>");
}

fn bars(out: &mut String, verdict: &Verdict) {
    let most = verdict.estimators.values().map(|f| f.overall.rmse_s).fold(1.0, f64::max);
    put!(out, "<svg viewBox=\"0 0 {WIDE} {}\">", 24 * verdict.estimators.len());
    let mut y = 0.0;
    for (name, figures) in &verdict.estimators {
        let (rmse, colour) = (figures.overall.rmse_s, if *name == "hotline" { "#2a7" } else { "#9ab" });
        put!(
            out,
            "<text x=\"0\" y=\"{}\" font-size=\"13\">{name}</text>\
             <rect x=\"160\" y=\"{}\" width=\"{:.1}\" height=\"16\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\" font-size=\"13\">{rmse:.0}</text>",
            y + 16.0,
            y + 4.0,
            rmse / most * (WIDE - 220.0),
            170.0 + rmse / most * (WIDE - 220.0),
            y + 16.0
        );
        y += 24.0;
    }
    out.push_str("</svg>");
}

fn curve(out: &mut String, verdict: &Verdict) {
    let shown = ["hotline", "ridge", "qlr_ahead", "asterisk"];
    let all = || verdict.estimators.iter().filter(|(name, _)| shown.contains(name));
    let most = all().flat_map(|(_, f)| f.bins.iter()).map(|(a, b)| a.max(*b)).fold(1.0, f64::max);
    let (x, y) = (|s: f64| 40.0 + s / most * (WIDE - 200.0), |s: f64| HIGH - 20.0 - s / most * (HIGH - 40.0));
    put!(
        out,
        "<svg viewBox=\"0 0 {WIDE} {HIGH}\"><path d=\"M{} {}L{} {}\" stroke=\"#bbb\" stroke-dasharray=\"4\"/>",
        x(0.0),
        y(0.0),
        x(most),
        y(most)
    );
    for (i, (name, figures)) in all().enumerate() {
        let colour = ["#d73", "#2a7", "#36c", "#a3a"][i % 4];
        let points: Vec<String> =
            figures.bins.iter().map(|(e, w)| format!("{:.1},{:.1}", x(*e), y(*w))).collect();
        put!(
            out,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            points.join(" ")
        );
        put!(
            out,
            "<text x=\"{}\" y=\"{}\" fill=\"{colour}\" font-size=\"13\">{name}</text>",
            WIDE - 130.0,
            20 + 18 * i
        );
    }
    put!(
        out,
        "<text x=\"{}\" y=\"{}\" font-size=\"12\">estimate, up to {most:.0} s; upwards the wait</text></svg>",
        45.0,
        HIGH - 4.0
    );
}

fn coverage(out: &mut String, verdict: &Verdict) {
    let Some(ours) = verdict.estimators.get("hotline") else { return };
    let halves = ours.by_half_hour.len().max(1);
    let step = WIDE / super::walk::count(halves);
    let y = |share: f64| HIGH - 20.0 - share * (HIGH - 30.0);
    put!(out, "<svg viewBox=\"0 0 {WIDE} {HIGH}\">");
    let mut x = 0.0;
    for (name, score) in &ours.by_half_hour {
        put!(
            out,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#9c9\"><title>{name}: {:.0} % of {}</title></rect>",
            y(score.coverage_80),
            step * 0.8,
            HIGH - 20.0 - y(score.coverage_80),
            100.0 * score.coverage_80,
            score.n
        );
        if name.ends_with(":00") {
            put!(out, "<text x=\"{x:.1}\" y=\"{}\" font-size=\"11\">{}</text>", HIGH - 5.0, &name[..2]);
        }
        x += step;
    }
    put!(out, "<path d=\"M0 {0:.1}H{WIDE}\" stroke=\"#c33\"/></svg>", y(0.8));
}
