//! Typed reading of a table: each value that is not what it should be becomes a diagnostic at its place, and reading
//! goes on. A key that nobody asked for is unknown, and the nearest known one is offered.
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::diagnostic::{Findings, Place};
use super::raw::{Field, Node, Table, Value};

/// A text at its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    pub(crate) place: &'a Place,
}

/// A table being read.
pub(crate) struct Fields<'a> {
    /// What it is, for messages: `the menu main`.
    pub(crate) what: String,
    /// Where it begins.
    pub(crate) place: Place,
    table: &'a Table,
    asked: BTreeSet<&'static str>,
    missing: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(what: impl Into<String>, place: Place, table: &'a Table) -> Self {
        Self { what: what.into(), place, table, asked: BTreeSet::new(), missing: Vec::new() }
    }

    /// The key with its value, as it stands.
    pub(crate) fn get(&mut self, name: &'static str) -> Option<&'a Field> {
        self.asked.insert(name);
        self.table.get(name)
    }

    /// Whether the key is there.
    pub(crate) fn has(&mut self, name: &'static str) -> bool {
        self.get(name).is_some()
    }

    /// A text.
    pub(crate) fn word(&mut self, findings: &mut Findings<'_>, name: &'static str) -> Option<Word<'a>> {
        word(findings, &self.get(name)?.node)
    }

    /// A text that must be there.
    pub(crate) fn needed(&mut self, findings: &mut Findings<'_>, name: &'static str) -> Option<Word<'a>> {
        if !self.has(name) {
            self.missing(name);
        }
        self.word(findings, name)
    }

    /// `name` must be there and is not: `finish` says so.
    pub(crate) fn missing(&mut self, name: &'static str) {
        self.missing.push(name);
    }

    /// `true` or `false`; `false` when absent.
    pub(crate) fn flag(&mut self, findings: &mut Findings<'_>, name: &'static str) -> bool {
        match self.get(name).map(|f| &f.node) {
            None => false,
            Some(Node { value: Value::Flag(flag), .. }) => *flag,
            Some(node) => {
                wrong_kind(findings, node, "true or false");
                false
            }
        }
    }

    /// A number within `range`.
    pub(crate) fn number(
        &mut self,
        findings: &mut Findings<'_>,
        name: &'static str,
        range: &RangeInclusive<i64>,
    ) -> Option<i64> {
        number(findings, &self.get(name)?.node, range)
    }

    /// A length of time within `seconds`; `default` when absent or wrong.
    pub(crate) fn duration(
        &mut self,
        findings: &mut Findings<'_>,
        name: &'static str,
        seconds: &RangeInclusive<u64>,
        default: u64,
    ) -> Duration {
        self.duration_if_any(findings, name, seconds).unwrap_or(Duration::from_secs(default))
    }

    /// A length of time within `seconds`, if it is there.
    pub(crate) fn duration_if_any(
        &mut self,
        findings: &mut Findings<'_>,
        name: &'static str,
        seconds: &RangeInclusive<u64>,
    ) -> Option<Duration> {
        let node = &self.get(name)?.node;
        let Value::Text(text) = &node.value else {
            wrong_kind(findings, node, "a length of time in quotes, as \"20s\"");
            return None;
        };
        let word = Word { text, place: &node.place };
        let read = seconds_of(word.text);
        if let Some(s) = read.filter(|s| seconds.contains(s)) {
            return Some(Duration::from_secs(s));
        }
        let bad = match read {
            Some(_) => {
                format!("`{name}` must be from {} to {}", show(*seconds.start()), show(*seconds.end()))
            }
            None => format!("`{}` is not a length of time", word.text),
        };
        findings.error("HL0105", word.place, bad).help("write it as 20s, 5m, 1h or 1m30s");
        None
    }

    /// A table within this one.
    pub(crate) fn table(&mut self, findings: &mut Findings<'_>, name: &'static str) -> Option<Fields<'a>> {
        let field = self.get(name)?;
        let what = format!("[{name}] of {}", self.what);
        inner(findings, what, field)
    }

    /// Keys that nobody asked for, as ops' own names, in the order of the file.
    pub(crate) fn rest(&self) -> impl Iterator<Item = (&'a str, &'a Field)> + use<'a> {
        let all = self.table.iter().map(|(name, field)| (name.as_str(), field));
        let mut rest: Vec<_> = all.filter(|(name, _)| !self.asked.contains(name)).collect();
        rest.sort_by_key(|(_, field)| field.key.span.start);
        rest.into_iter()
    }

    /// Keys that nobody asked for are mistakes, and so is what is missing, unless such a key was meant for it.
    pub(crate) fn finish(mut self, findings: &mut Findings<'_>) {
        self.report_missing(findings);
        for (name, field) in self.rest() {
            let known: Vec<&str> = self.asked.iter().copied().collect();
            let found = findings.error("HL0102", &field.key, format!("{} has no `{name}`", self.what));
            match (gone(name), nearest(name, known.iter().copied())) {
                (Some(why), _) => found.help(why),
                (None, Some(near)) => found.help(format!("did you mean `{near}`?")),
                (None, None) => found.help(format!("it may have: {}", known.join(", "))),
            }
        }
    }
}

/// Why a key is gone that there was once.
fn gone(name: &str) -> Option<&'static str> {
    (name == "must_hear").then_some(
        "take the line away: a caller may interrupt every prompt, so no menu makes him listen to its end",
    )
}

impl Fields<'_> {
    /// Says what is missing; for tables whose other keys are ops' own names.
    pub(crate) fn report_missing(&mut self, findings: &mut Findings<'_>) {
        for name in std::mem::take(&mut self.missing) {
            let meant = self.rest().any(|(key, _)| nearest(key, [name]).is_some());
            if !meant {
                findings.error("HL0104", &self.place, format!("{} needs `{name}`", self.what));
            }
        }
    }
}

/// A table of a table.
pub(crate) fn inner<'a>(
    findings: &mut Findings<'_>,
    what: impl Into<String>,
    field: &'a Field,
) -> Option<Fields<'a>> {
    let Value::Table(table) = &field.node.value else {
        wrong_kind(findings, &field.node, "a table");
        return None;
    };
    Some(Fields::new(what, field.key.clone(), table))
}

/// A text.
pub(crate) fn word<'a>(findings: &mut Findings<'_>, node: &'a Node) -> Option<Word<'a>> {
    let Value::Text(text) = &node.value else {
        wrong_kind(findings, node, "a text");
        return None;
    };
    Some(Word { text, place: &node.place })
}

/// A text or a list of texts.
pub(crate) fn words<'a>(findings: &mut Findings<'_>, node: &'a Node) -> Vec<Word<'a>> {
    match &node.value {
        Value::List(items) => items.iter().filter_map(|i| word(findings, i)).collect(),
        _ => word(findings, node).into_iter().collect(),
    }
}

/// A number within `range`.
pub(crate) fn number(findings: &mut Findings<'_>, node: &Node, range: &RangeInclusive<i64>) -> Option<i64> {
    match node.value {
        Value::Number(n) if range.contains(&n) => Some(n),
        Value::Number(n) => {
            let message = format!("{n} is not allowed here: from {} to {}", range.start(), range.end());
            findings.error("HL0105", &node.place, message);
            None
        }
        _ => {
            wrong_kind(findings, node, "a number");
            None
        }
    }
}

/// Says that a value is of the wrong kind.
pub(crate) fn wrong_kind(findings: &mut Findings<'_>, node: &Node, wanted: &str) {
    let message = format!("this should be {wanted}, but it is {}", node.value.kind());
    findings.error("HL0103", &node.place, message);
}

/// Seconds of `90s`, `5m`, `1h30m`.
pub(crate) fn seconds_of(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0u64;
    let mut last_unit = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let count: u64 = rest.get(..digits)?.parse().ok()?;
        let after = rest.get(digits..)?.trim_start();
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let unit = match after.get(..letters)? {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            _ => return None,
        };
        if unit >= last_unit {
            return None;
        }
        last_unit = unit;
        total = total.checked_add(count.checked_mul(unit)?)?;
        rest = after.get(letters..)?.trim_start();
    }
    (last_unit != u64::MAX).then_some(total)
}

fn show(seconds: u64) -> String {
    match seconds {
        s if s > 0 && s.is_multiple_of(3600) => format!("{}h", s / 3600),
        s if s > 0 && s.is_multiple_of(60) => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// The known name that was probably meant.
pub(crate) fn nearest<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let tolerance = (wrong.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|name| (distance(wrong, name), name))
        .filter(|(d, _)| *d <= tolerance)
        .min()
        .map(|(_, name)| name)
}

/// Letters to change, add, drop, or swap with their neighbour, to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&row, j) + usize::from(x != y)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            if i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x) {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_nonsense_is_not() {
        let read: Vec<_> =
            ["20s", "5m", "1m30s", "2 h", "90 min", "", "5", "s", "5x", "1s1m", "99999999999999999999s"]
                .map(seconds_of)
                .to_vec();
        let wanted =
            [Some(20), Some(300), Some(90), Some(7200), Some(5400), None, None, None, None, None, None];
        assert_eq!(read, wanted);
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["say", "silence", "account", "loans"];
        assert_eq!(nearest("acount", names), Some("account"));
        assert_eq!(nearest("silnece", names), Some("silence"));
        assert_eq!(nearest("sya", names), Some("say"));
        assert_eq!(nearest("weather", names), None);
    }
}
