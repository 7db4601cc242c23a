//! Pictures of a report, in SVG: lines over half hours, stacked bars, ranges against the truth.
use std::fmt::Write as _;

use crate::base::picture::{Ground, escape, round_up};

const WIDTH: f64 = 1_040.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 76.0;
const GROUND: Ground = Ground { width: WIDTH, height: HEIGHT, left: LEFT, top: 24.0, bottom: BOTTOM };
/// Names under the axis at most.
const NAMES: usize = 26;

/// A line of a chart.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) colour: &'static str,
    /// `None`: nothing is known there, and the line is broken.
    pub(super) values: Vec<Option<f64>>,
}

/// Bars, each of several parts upon each other.
pub(super) struct Bars<'a> {
    pub(super) names: &'a [&'a str],
    pub(super) parts: &'a [(&'static str, &'static str, Vec<f64>)],
}

/// Ranges against the truth.
pub(super) struct Scatter {
    /// From, to, true.
    pub(super) points: Vec<(f64, f64, f64)>,
}

fn float(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// A frame with an axis up to `most`, and the function from values to heights.
fn frame(most: f64, unit: &str) -> (String, impl Fn(f64) -> f64 + use<>) {
    let end = axis(most);
    (GROUND.begin(end, |value| format!("{value} {unit}")), move |v| GROUND.y(v, end))
}

/// Where an axis that holds `most` ends.
fn axis(most: f64) -> f64 {
    round_up(most.max(1.0), 1.0)
}

fn names_below(svg: &mut String, names: &[&str], x: impl Fn(usize) -> f64) {
    let every = names.len().div_ceil(NAMES).max(1);
    for (n, name) in names.iter().enumerate().filter(|(n, _)| n.is_multiple_of(every)) {
        let (x, y) = (x(n), HEIGHT - BOTTOM + 12.0);
        write!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\" transform=\"rotate(-45 {x:.1} {y:.1})\">{}</text>", escape(name)).ok();
    }
}

/// Lines over the same names.
pub(super) fn lines(names: &[&str], lines: &[Line], unit: &str) -> String {
    let most = lines.iter().flat_map(|l| l.values.iter().flatten()).copied().fold(0.0, f64::max);
    let (mut svg, y) = frame(most, unit);
    let step = (WIDTH - LEFT) / float(names.len().max(1));
    let x = |n: usize| LEFT + step * (float(n) + 0.5);
    for line in lines {
        let mut path = String::new();
        let mut drawing = false;
        for (n, value) in line.values.iter().enumerate() {
            if let Some(value) = value {
                let verb = if drawing { 'L' } else { 'M' };
                write!(path, "{verb}{:.1} {:.1}", x(n), y(*value)).ok();
            }
            drawing = value.is_some();
        }
        write!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>", line.colour).ok();
    }
    GROUND.legend(&mut svg, lines.iter().map(|l| (l.name, l.colour)));
    names_below(&mut svg, names, x);
    svg + "</svg>"
}

impl Bars<'_> {
    /// The picture.
    pub(super) fn draw(&self) -> String {
        let total = |n: usize| self.parts.iter().filter_map(|(_, _, v)| v.get(n)).sum::<f64>();
        let most = (0..self.names.len()).map(total).fold(0.0, f64::max);
        let (mut svg, y) = frame(most, "");
        let step = (WIDTH - LEFT) / float(self.names.len().max(1));
        for n in 0..self.names.len() {
            let mut below = 0.0;
            for (_, colour, values) in self.parts {
                let value = values.get(n).copied().unwrap_or(0.0);
                let (top, bottom) = (y(below + value), y(below));
                below += value;
                if value > 0.0 {
                    write!(
                        svg,
                        "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
                        LEFT + step * (float(n) + 0.1),
                        step * 0.8,
                        bottom - top
                    )
                    .ok();
                }
            }
        }
        GROUND.legend(&mut svg, self.parts.iter().map(|(name, colour, _)| (*name, *colour)));
        names_below(&mut svg, self.names, |n| LEFT + step * (float(n) + 0.5));
        svg + "</svg>"
    }
}

impl Scatter {
    /// The picture.
    pub(super) fn draw(&self) -> String {
        let most = self.points.iter().map(|(_, high, truth)| high.max(*truth)).fold(0.0, f64::max);
        let (mut svg, y) = frame(most, "s");
        let most = axis(most);
        let x = |v: f64| LEFT + (WIDTH - LEFT) * (v / most).clamp(0.0, 1.0);
        write!(
            svg,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#9aa7b4\" stroke-dasharray=\"4 4\"/>",
            x(0.0),
            y(0.0),
            x(most),
            y(most)
        )
        .ok();
        for (low, high, truth) in &self.points {
            let inside = low <= truth && truth <= high;
            let colour = if inside { "#3aa66b" } else { "#c23b3b" };
            write!(
                svg,
                "<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{2:.1}\" stroke=\"{colour}\" stroke-opacity=\".5\"/>",
                x(*low),
                x(*high),
                y(*truth)
            )
            .ok();
        }
        for n in 0..=4 {
            let value = most * f64::from(n) / 4.0;
            write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value} s</text>",
                x(value).min(WIDTH - 24.0),
                HEIGHT - BOTTOM + 18.0
            )
            .ok();
        }
        svg + "</svg>"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_file_is_never_markup() {
        let bars = Bars { names: &["<script>"], parts: &[("a", "#000", vec![1.0])] };
        assert!(!bars.draw().contains("<script>") && bars.draw().contains("&lt;script&gt;"));
    }
}
