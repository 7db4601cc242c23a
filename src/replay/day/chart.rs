//! Pictures of a report in SVG: lines over seconds, and distributions over nines.
//!
//! Invariant: text from outside is escaped; a picture of nothing says so and has no axis.
use std::fmt::Write as _;

use crate::base::picture::{Ground, round_up};

const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 64.0;
const GROUND: Ground = Ground { width: WIDTH, height: HEIGHT, left: LEFT, top: 26.0, bottom: 32.0 };
/// The least end of an upward axis.
const LEAST: f64 = 1e-3;
/// Quantiles under the axis of a distribution.
const NINES: [(f64, &str); 5] =
    [(0.0, "0 %"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %")];

/// One line: a name, a colour, points.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) colour: &'a str,
    pub(super) points: Vec<(f64, f64)>,
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

fn draw(
    lines: &[Line<'_>],
    unit: &str,
    place: impl Fn(f64) -> f64,
    marks: impl Iterator<Item = (f64, String)>,
) -> String {
    if lines.iter().all(|l| l.points.is_empty()) {
        return "<p class=\"none\">not measured</p>".to_owned();
    }
    let most = lines.iter().flat_map(|l| &l.points).map(|p| p.1).fold(LEAST, f64::max);
    let end = round_up(most, LEAST);
    let x = |v: f64| LEFT + (WIDTH - LEFT - 20.0) * place(v).clamp(0.0, 1.0);
    let mut svg = GROUND.begin(end, |value| format!("{} {unit}", short(value)));
    for (part, name) in marks {
        let at = LEFT + (WIDTH - LEFT - 20.0) * part;
        // Writing to a string cannot fail, here and below.
        write!(svg, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>", HEIGHT - 12.0)
            .ok();
    }
    let measured = || lines.iter().filter(|l| !l.points.is_empty());
    for line in measured() {
        let path: Vec<String> =
            line.points.iter().map(|(px, py)| format!("{:.1},{:.1}", x(*px), GROUND.y(*py, end))).collect();
        write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>",
            path.join(" "),
            line.colour
        )
        .ok();
    }
    GROUND.legend(&mut svg, measured().map(|l| (l.name, l.colour)));
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
}
