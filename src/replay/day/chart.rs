//! Pictures of a report in SVG: lines over seconds, and distributions over nines.
//!
//! Invariant: text from outside is escaped; a picture of nothing says so and has no axis.
use std::fmt::Write as _;

use crate::base::picture::{Ground, round_up};

const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 64.0;
const GROUND: Ground = Ground { width: WIDTH, height: HEIGHT, left: LEFT, top: 26.0, bottom: 32.0 };
/// Between two marks under an axis of seconds.
const STEPS_S: [f64; 13] =
    [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0];
/// The lowest foot of a distribution's axis, which goes up by decades: what is shorter lies on it.
const LOWEST_MS: f64 = 0.1;
/// As many as the ground has lines above its foot.
const DECADES: f64 = 4.0;
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
    let step = STEPS_S.into_iter().find(|step| end / step <= 7.0).unwrap_or(end);
    let marks = (0..=7).map(|n| f64::from(n) * step).take_while(|at| *at <= end);
    let marks = marks.map(|at| {
        (at / end, if step < 60.0 { format!("{at:.0} s") } else { format!("{:.0} min", at / 60.0) })
    });
    let most = round_up(lines.iter().flat_map(|l| &l.points).map(|p| p.1).fold(LEAST, f64::max), LEAST);
    draw(lines, unit, |x| x / end, (&Scale::Even(most), marks))
}

/// Distributions: quantile to value, spread out towards the rare ones.
pub(super) fn quantiles(lines: &[Line<'_>], unit: &str) -> String {
    let nines = |q: f64| -libm::log10(1.0 - q.clamp(0.0, 0.9995)) / 3.301;
    // A decade for each line of the ground: what takes a millisecond is seen beside what takes a second.
    let most = lines.iter().flat_map(|l| &l.points).map(|p| p.1).fold(LEAST, f64::max);
    let foot = libm::pow(10.0, libm::ceil(libm::log10(most)) - DECADES).max(LOWEST_MS);
    draw(
        lines,
        unit,
        nines,
        (&Scale::Decades(foot), NINES.iter().map(|(q, name)| (nines(*q), (*name).to_owned()))),
    )
}

/// The upward axis.
enum Scale {
    /// From nothing to this.
    Even(f64),
    /// From this upwards, each line of the ground ten times the one below.
    Decades(f64),
}

impl Scale {
    /// The height of its end.
    const fn end(&self) -> f64 {
        match self {
            Self::Even(end) => *end,
            Self::Decades(_) => DECADES,
        }
    }
    /// How high a value is.
    fn height(&self, value: f64) -> f64 {
        match self {
            Self::Even(_) => value,
            Self::Decades(foot) => libm::log10((value / foot).max(1.0)),
        }
    }
    /// Which value is so high.
    fn value(&self, height: f64) -> f64 {
        match self {
            Self::Even(_) => height,
            Self::Decades(foot) => foot * libm::pow(10.0, height),
        }
    }
}

fn draw(
    lines: &[Line<'_>],
    unit: &str,
    place: impl Fn(f64) -> f64,
    (scale, marks): (&Scale, impl Iterator<Item = (f64, String)>),
) -> String {
    if lines.iter().all(|l| l.points.is_empty()) {
        return "<p class=\"none\">not measured</p>".to_owned();
    }
    let end = scale.end();
    let x = |v: f64| LEFT + (WIDTH - LEFT - 20.0) * place(v).clamp(0.0, 1.0);
    let mut svg = GROUND.begin(end, |height| format!("{} {unit}", short(scale.value(height))));
    for (part, name) in marks {
        let at = LEFT + (WIDTH - LEFT - 20.0) * part;
        // Writing to a string cannot fail, here and below.
        write!(svg, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>", HEIGHT - 12.0)
            .ok();
    }
    let measured = || lines.iter().filter(|l| !l.points.is_empty());
    for line in measured() {
        let path: Vec<String> = line
            .points
            .iter()
            .map(|(px, py)| format!("{:.1},{:.1}", x(*px), GROUND.y(scale.height(*py), end)))
            .collect();
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
    let digits = if value >= 1_000.0 || (libm::rint(value) - value).abs() < 1e-9 {
        0
    } else if value >= 0.1 {
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
    fn a_millisecond_is_seen_beside_seconds() {
        let name = |ms: &'static str| format!(">{ms} ms</text>");
        let of = |most: f64| {
            quantiles(&[Line { name: "a", colour: "#000", points: vec![(0.0, 1.0), (0.9, most)] }], "ms")
        };
        let slow = of(1_384.0);
        for ms in ["1", "10", "100", "1000", "10000"] {
            assert!(slow.contains(&name(ms)), "{ms}: {slow}");
        }
        assert!(of(7.0).contains(&name("0.1")) && of(7.0).contains(&name("1000")));
        let seconds =
            over_time(&[Line { name: "a", colour: "#000", points: vec![(0.0, 1.0), (73.0, 45.0)] }], "");
        for mark in [">0 s<", ">15 s<", ">60 s<", ">12.5 <", ">50 <"] {
            assert!(seconds.contains(mark), "{mark}: {seconds}");
        }
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
