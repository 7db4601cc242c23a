//! Pictures of a report, in SVG: lines over half hours, stacked bars, ranges against the truth.
use std::fmt::Write as _;

use super::report::escape;

const WIDTH: f64 = 1_040.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 76.0;
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

/// The next round number above, for the end of an axis.
fn round_up(most: f64) -> f64 {
    let mut step = 1.0;
    while most > step * 10.0 {
        step *= 10.0;
    }
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * step).find(|n| *n >= most).unwrap_or(most)
}

fn float(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// A frame with an axis up to `most`, and the function from values to heights.
fn frame(most: f64, unit: &str) -> (String, impl Fn(f64) -> f64 + use<>) {
    let most = round_up(most.max(1.0));
    let y = move |v: f64| HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (v / most).clamp(0.0, 1.0);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
    for n in 0..=4 {
        let value = most * f64::from(n) / 4.0;
        let at = y(value);
        // Writing to a string cannot fail, here and below.
        write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#e4e9ef\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value} {unit}</text>",
            LEFT - 6.0,
            at + 4.0
        )
        .ok();
    }
    (svg, y)
}

fn legend(svg: &mut String, names: impl Iterator<Item = (&'static str, &'static str)>) {
    let mut x = LEFT;
    for (name, colour) in names {
        write!(
            svg,
            "<rect x=\"{x}\" y=\"4\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"14\">{}</text>",
            x + 17.0,
            escape(name)
        )
        .ok();
        x += 40.0 + 7.0 * float(name.len());
    }
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
    legend(&mut svg, lines.iter().map(|l| (l.name, l.colour)));
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
        legend(&mut svg, self.parts.iter().map(|(name, colour, _)| (*name, *colour)));
        names_below(&mut svg, self.names, |n| LEFT + step * (float(n) + 0.5));
        svg + "</svg>"
    }
}

impl Scatter {
    /// The picture.
    pub(super) fn draw(&self) -> String {
        let most = self.points.iter().map(|(_, high, truth)| high.max(*truth)).fold(0.0, f64::max);
        let (mut svg, y) = frame(most, "s");
        let most = round_up(most.max(1.0));
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
    fn an_axis_ends_at_a_round_number() {
        let ends = [0.7, 1.0, 3.0, 12.0, 51.0, 990.0].map(|top| round_up(top).to_string());
        assert_eq!(ends, ["1", "1", "5", "20", "100", "1000"]);
    }

    #[test]
    fn a_name_from_a_file_is_never_markup() {
        let bars = Bars { names: &["<script>"], parts: &[("a", "#000", vec![1.0])] };
        assert!(!bars.draw().contains("<script>") && bars.draw().contains("&lt;script&gt;"));
    }
}
