//! Pictures of a report in SVG: lines over seconds, and distributions over nines.
//!
//! Invariant: text from outside is escaped; a picture of nothing says so and has no axis.
use std::fmt::Write as _;

const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 32.0;
/// Quantiles under the axis of a distribution.
const NINES: [(f64, &str); 5] =
    [(0.0, "0 %"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %")];

/// One line: a name, a colour, points.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) colour: &'a str,
    pub(super) points: Vec<(f64, f64)>,
}

/// Text in a page.
pub(super) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
        out
    })
}

/// Lines over seconds.
pub(super) fn over_time(lines: &[Line<'_>], unit: &str) -> String {
    let end = lines.iter().flat_map(|l| &l.points).map(|p| p.0).fold(1.0, f64::max);
    let marks = (0..=5).map(|n| {
        let at = end * f64::from(n) / 5.0;
        (at / end, format!("{at:.0} s"))
    });
    draw(lines, unit, |x| x / end, marks)
}

/// Distributions: quantile to value, spread out towards the rare ones.
pub(super) fn quantiles(lines: &[Line<'_>], unit: &str) -> String {
    let nines = |q: f64| -libm::log10(1.0 - q.clamp(0.0, 0.9995)) / 3.301;
    draw(lines, unit, nines, NINES.iter().map(|(q, name)| (nines(*q), (*name).to_owned())))
}

/// The next round number above.
fn round_up(most: f64) -> f64 {
    let mut step = 1e-3;
    while most > step * 10.0 {
        step *= 10.0;
    }
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * step).find(|n| *n >= most).unwrap_or(most)
}

fn draw(
    lines: &[Line<'_>],
    unit: &str,
    place: impl Fn(f64) -> f64,
    marks: impl Iterator<Item = (f64, String)>,
) -> String {
    if lines.iter().all(|l| l.points.is_empty()) {
        return "<p class=\"none\">not measured</p>".to_owned();
    }
    let most = round_up(lines.iter().flat_map(|l| &l.points).map(|p| p.1).fold(1e-3, f64::max));
    let x = |v: f64| LEFT + (WIDTH - LEFT - 20.0) * place(v).clamp(0.0, 1.0);
    let y = |v: f64| HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (v / most).clamp(0.0, 1.0);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
    for n in 0..=4 {
        let value = most * f64::from(n) / 4.0;
        let at = y(value);
        // Writing to a string cannot fail, here and below.
        write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#dfe5ec\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{} {unit}</text>",
            LEFT - 6.0,
            at + 4.0,
            short(value)
        )
        .ok();
    }
    for (part, name) in marks {
        let at = LEFT + (WIDTH - LEFT - 20.0) * part;
        write!(svg, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>", HEIGHT - 12.0)
            .ok();
    }
    let mut key = LEFT;
    for line in lines.iter().filter(|l| !l.points.is_empty()) {
        let path: Vec<String> =
            line.points.iter().map(|(px, py)| format!("{:.1},{:.1}", x(*px), y(*py))).collect();
        write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\
             <rect x=\"{key:.0}\" y=\"4\" width=\"12\" height=\"12\" fill=\"{1}\"/><text x=\"{:.0}\" y=\"14\">{}</text>",
            path.join(" "),
            line.colour,
            key + 17.0,
            escape(line.name)
        )
        .ok();
        key += 40.0 + 7.0 * f64::from(u32::try_from(line.name.len()).unwrap_or(0));
    }
    svg + "</svg>"
}

fn short(value: f64) -> String {
    let digits = if value >= 10.0 || value == 0.0 {
        0
    } else if value >= 1.0 {
        1
    } else {
        3
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_outside_is_never_markup() {
        let line = Line { name: "<script>", colour: "#000", points: vec![(0.0, 1.0), (1.0, 2.0)] };
        let svg = over_time(&[line], "ms");
        assert!(!svg.contains("<script>") && svg.contains("&lt;script&gt;"));
    }

    #[test]
    fn a_picture_of_nothing_says_so() {
        assert!(over_time(&[], "ms").contains("not measured"));
    }

    #[test]
    fn rare_quantiles_have_room() {
        let line =
            Line { name: "a", colour: "#000", points: vec![(0.0, 1.0), (0.5, 1.0), (0.9, 1.0), (0.99, 1.0)] };
        let svg = quantiles(&[line], "ms");
        let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let xs: Vec<f64> = points.split(' ').map(|p| p.split(',').next().unwrap().parse().unwrap()).collect();
        assert!(xs[3] - xs[2] > 250.0, "{xs:?}");
    }

    #[test]
    fn an_axis_ends_at_a_round_number() {
        for (most, end) in [(0.7, 1.0), (3.0, 5.0), (12.0, 20.0), (990.0, 1_000.0)] {
            assert!((round_up(most) - end).abs() < 1e-9, "{most}");
        }
    }
}
