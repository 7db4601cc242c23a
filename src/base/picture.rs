//! What the pictures of all reports share: text that cannot be markup, axes that end at round numbers, the ground that
//! lines and bars are drawn on, and what their colours mean.
use std::fmt::Write as _;

/// Text that cannot be markup, in an element or an attribute.
pub fn escape(text: &str) -> String {
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

/// The next round number (1, 2, 5, 10 ...) at or above `most`, in steps that begin at `least`: the end of an axis.
pub fn round_up(most: f64, least: f64) -> f64 {
    let mut step = least;
    while most > step * 10.0 {
        step *= 10.0;
    }
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * step).find(|n| *n >= most).unwrap_or(most)
}

/// A picture's size and the room around what is drawn, in its own units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ground {
    /// From the left edge to the right one.
    pub width: f64,
    /// From the upper edge to the lower one.
    pub height: f64,
    /// Room for what the lines across are called.
    pub left: f64,
    /// Room for what the colours mean.
    pub top: f64,
    /// Room for what lies below the axis.
    pub bottom: f64,
}

impl Ground {
    /// The height of a value where the upward axis ends at `end`.
    pub fn y(&self, value: f64, end: f64) -> f64 {
        self.height - self.bottom - (self.height - self.bottom - self.top) * (value / end).clamp(0.0, 1.0)
    }
    /// Begins the picture with five lines across, up to `end`, each with its name.
    pub fn begin(&self, end: f64, name: impl Fn(f64) -> String) -> String {
        let mut svg = format!("<svg viewBox=\"0 0 {} {}\" role=\"img\">", self.width, self.height);
        for n in 0..=4 {
            let value = end * f64::from(n) / 4.0;
            let at = self.y(value, end);
            // Writing to a string cannot fail, here and below.
            write!(
                svg,
                "<line x1=\"{}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#e4e9ef\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                self.left,
                self.width,
                self.left - 6.0,
                at + 4.0,
                escape(&name(value))
            )
            .ok();
        }
        svg
    }
    /// What the colours mean, above the picture: names and colours.
    pub fn legend<'a>(&self, svg: &mut String, names: impl Iterator<Item = (&'a str, &'a str)>) {
        let mut x = self.left;
        for (name, colour) in names {
            write!(
                svg,
                "<rect x=\"{x:.0}\" y=\"4\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"14\">{}</text>",
                x + 17.0,
                escape(name)
            )
            .ok();
            x += 40.0 + 7.0 * f64::from(u32::try_from(name.len()).unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number() {
        let ends = [0.7, 1.0, 3.0, 12.0, 51.0, 990.0].map(|top| round_up(top, 1.0).to_string());
        assert_eq!(ends, ["1", "1", "5", "20", "100", "1000"]);
        for (most, end) in [(0.7, 1.0), (3.0, 5.0), (12.0, 20.0), (990.0, 1_000.0)] {
            assert!((round_up(most, 1e-3) - end).abs() < 1e-9, "{most}");
        }
    }

    #[test]
    fn a_name_from_outside_is_never_markup() {
        let ground = Ground { width: 100.0, height: 50.0, left: 10.0, top: 10.0, bottom: 10.0 };
        let mut svg = ground.begin(1.0, |_| "<b>".to_owned());
        ground.legend(&mut svg, std::iter::once(("<script>\"'&", "#000")));
        assert!(!svg.contains("<script>") && !svg.contains("<b>"));
        assert!(svg.contains("&lt;script&gt;&quot;&#39;&amp;") && svg.contains("&lt;b&gt;"));
    }
}
