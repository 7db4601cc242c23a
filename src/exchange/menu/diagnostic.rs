//! `Diagnostic`: one mistake, or doubt, in the files that ops write: where, what is wrong, how to mend it. Rendered
//! for a terminal with the characters pointed at, or as JSON for editors.
//!
//! Invariant: a list of them is in the order of files and places, each once.
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use ariadne::{Config, IndexType, Label, Report, ReportKind, sources};
use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is installed.
    Error,
    /// It is installed, but probably not what was meant.
    Warning,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name within its folder.
    pub file: Arc<str>,
    /// From the first byte, up to and without the last.
    pub span: Range<usize>,
}

impl Place {
    /// The file as a whole.
    pub fn file(file: impl Into<Arc<str>>) -> Self {
        Self { file: file.into(), span: 0..0 }
    }
}

/// One mistake or doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Its name, e.g. `HL0102`; see [`CODES`].
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The file's name within its folder.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The character within the line, from 1.
    pub column: usize,
    /// The bytes pointed at.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What shows it, where a caller can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown_by: Option<Trial>,
}

/// A call that shows a mistake: `hotline try` plays it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// The number to dial.
    pub dial: String,
    /// The banner that is on, if that matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub banner: Option<String>,
    /// When, on the wall of the calendar's time zone.
    pub at: String,
    /// What to do, by the letters of [`super::Act`].
    pub keys: String,
}

impl Trial {
    /// What to type.
    pub fn command(&self) -> String {
        let Self { dial, banner, at, keys } = self;
        let banner = banner.as_ref().map(|banner| format!(" --banner {banner}")).unwrap_or_default();
        let keys = if keys.is_empty() { String::new() } else { format!(" --keys '{keys}'") };
        format!("hotline try --number '{dial}' --at {at}{banner}{keys}")
    }
}

/// The code of a syntax mistake.
pub(crate) const NOT_TOML: &str = "HL0101";

/// Every code with its one-line meaning, in ascending order.
pub const CODES: [(&str, &str); 65] = [
    ("HL0101", "the file is not TOML"),
    ("HL0102", "a key that means nothing here"),
    ("HL0103", "a value of the wrong kind"),
    ("HL0104", "something that is needed is missing"),
    ("HL0105", "a value that is not allowed"),
    ("HL0106", "a file with a name that is not a menu's"),
    ("HL0107", "a file that every set needs is missing"),
    ("HL0201", "no such menu"),
    ("HL0202", "no such queue"),
    ("HL0203", "no such opening hours"),
    ("HL0204", "no such number"),
    ("HL0301", "a menu that no caller can reach"),
    ("HL0302", "callers would go round in a circle without pressing a key"),
    ("HL0303", "a queue that nothing leads to"),
    ("HL0304", "a menu must be one thing: a choice, an entry, or an announcement"),
    ("HL0305", "key 0 leads to a human and nowhere else"),
    ("HL0306", "the end of a call must be announced"),
    ("HL0307", "opening hours and what holds outside them belong together"),
    ("HL0308", "an entry that cannot work"),
    ("HL0309", "something that is not a key"),
    ("HL0401", "no such prompt"),
    ("HL0402", "a prompt is missing in a language that callers hear it in"),
    ("HL0403", "a prompt has no recording"),
    ("HL0404", "a recording cannot be played"),
    ("HL0405", "a recording is silent"),
    ("HL0406", "a recording is too quiet"),
    ("HL0407", "a recording is clipped"),
    ("HL0408", "a recording is silent for more than two seconds"),
    ("HL0409", "a recording says other words than the manifest"),
    ("HL0410", "the words offer a key that means nothing here"),
    ("HL0411", "a key that no words offer"),
    ("HL0501", "nobody has the skills that a queue asks for"),
    ("HL0502", "nobody in a queue speaks a language of its callers"),
    ("HL0503", "the queue behind key 0 must never close"),
    ("HL0504", "the overflow of the queue behind key 0 must end in an announced end"),
    ("HL0505", "two things with the same number or code"),
    ("HL0506", "one key sequence is the beginning of another"),
    ("HL0507", "a queue is open while nobody who could answer is at work"),
    ("HL0508", "an agent who cannot be named to callers"),
    ("HL0601", "no such time zone"),
    ("HL0602", "opening hours that make no sense"),
    ("HL0603", "a date that makes no sense"),
    ("HL0604", "a date that is a holiday and a working day"),
    ("HL0605", "opening hours that nothing uses"),
    ("HL0606", "a moment that makes no sense"),
    ("HL0607", "a change that never holds, or ends before it begins"),
    ("HL0608", "two changes of the same thing at the same time"),
    ("HL0609", "a change that changes nothing"),
    ("HL0701", "text that is too long for its place"),
    ("HL0801", "a scenario names something that it does not have"),
    ("HL0802", "a call log that cannot be read"),
    ("HL0803", "a time that makes no sense"),
    ("HL0804", "a change to something that the scenario does not have"),
    ("HL0805", "a spread of times that cannot be"),
    ("HL0806", "a scenario names something that the menus do not have"),
    ("HL0901", "0 (or * in an entry) does not lead to a human"),
    ("HL0902", "the same key twice does not lead to a human"),
    ("HL0903", "three mistakes do not lead to a human"),
    ("HL0904", "callers can come to a place from which nothing leads on"),
    ("HL0905", "callers go round in a circle while lines are full"),
    ("HL0907", "who does nothing waits too long for a human or an end"),
    ("HL0908", "a key that never leads where it says"),
    ("HL0909", "a call ends without a word"),
    ("HL0910", "callers hear nothing"),
    ("HL0911", "the menus have more states than can be looked at"),
];

impl Diagnostic {
    /// Adds how to mend it.
    pub(crate) fn help(&mut self, help: impl Into<String>) {
        self.help = Some(help.into());
    }
    /// Adds what shows it.
    pub(crate) fn shown_by(&mut self, trial: Trial) {
        self.shown_by = Some(trial);
    }
    /// Whether it keeps everything from being installed.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
    /// One line: `menus/main.toml:3:5: error HL0102: ...`.
    pub fn line(&self) -> String {
        let Self { file, line, column, code, message, .. } = self;
        format!("{file}:{line}:{column}: {} {code}: {message}", self.kind())
    }
    const fn kind(&self) -> &'static str {
        match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// Collects diagnostics; knows the texts, so that it can turn bytes into lines and columns.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    files: &'a BTreeMap<String, String>,
    list: Vec<Diagnostic>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(files: &'a BTreeMap<String, String>) -> Self {
        Self { files, list: Vec::new() }
    }
    /// Something that keeps the set from being installed.
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Error, code, place, message.into())
    }
    /// Something that is probably not meant.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Warning, code, place, message.into())
    }
    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        place: &Place,
        message: String,
    ) -> &mut Diagnostic {
        debug_assert!(CODES.iter().any(|(known, _)| *known == code), "{code} is not in CODES");
        let text = self.files.get(&*place.file).map_or("", String::as_str);
        let span = whole_characters(text, &place.span);
        let before = text.get(..span.start).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let diagnostic = Diagnostic {
            code,
            severity,
            file: place.file.to_string(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
            span,
            message,
            help: None,
            shown_by: None,
        };
        self.list.push(diagnostic);
        let last = self.list.len() - 1;
        &mut self.list[last]
    }
    /// Whether anything keeps the set from being installed.
    pub(crate) fn has_errors(&self) -> bool {
        self.list.iter().any(|d| d.severity == Severity::Error)
    }
    /// Whether anything of this file does.
    pub(crate) fn has_errors_in(&self, file: &str) -> bool {
        self.list.iter().any(|d| d.severity == Severity::Error && d.file == file)
    }
    /// All, in the order of files and places, each once; at one place errors come first.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        // What follows on the line of a syntax mistake was guessed, not read.
        let broken: BTreeSet<(String, usize)> =
            self.list.iter().filter(|d| d.code == NOT_TOML).map(|d| (d.file.clone(), d.line)).collect();
        self.list.retain(|d| d.code == NOT_TOML || !broken.contains(&(d.file.clone(), d.line)));
        self.list.sort_by(|a, b| {
            let key = |d: &Diagnostic| (d.file.clone(), d.span.start, d.severity, d.code);
            key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
        });
        self.list.dedup();
        self.list
    }
}

/// The span within the text, moved out to whole characters.
fn whole_characters(text: &str, span: &Range<usize>) -> Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// The text an operator reads: each diagnostic with its lines of the file.
pub fn render(diagnostics: &[Diagnostic], files: &BTreeMap<String, String>, color: bool) -> String {
    diagnostics
        .iter()
        .map(|d| drawn(d, files.get(&d.file).map_or("", String::as_str), color) + "\n")
        .collect()
}

fn drawn(d: &Diagnostic, text: &str, color: bool) -> String {
    let kind = match d.severity {
        Severity::Error => ReportKind::Error,
        Severity::Warning => ReportKind::Warning,
    };
    // A short hint stands at the place itself.
    let hint = d.help.as_deref().filter(|help| help.starts_with("did you mean"));
    let at = (d.file.clone(), d.span.clone());
    let mut report = Report::build(kind, at.clone())
        .with_config(Config::default().with_color(color).with_index_type(IndexType::Byte))
        .with_code(d.code)
        .with_message(&d.message)
        .with_label(Label::new(at).with_message(hint.unwrap_or("here")));
    if let Some(help) = d.help.as_ref().filter(|_| hint.is_none()) {
        report = report.with_help(help);
    }
    if let Some(trial) = &d.shown_by {
        report = report.with_note(trial.command());
    }
    let mut out = Vec::new();
    match report.finish().write(sources([(d.file.clone(), text)]), &mut out) {
        Ok(()) => {
            String::from_utf8_lossy(&out).lines().map(|line| line.trim_end().to_owned() + "\n").collect()
        }
        // Writing to memory cannot fail; should the renderer refuse, the plain line is there.
        Err(_) => d.line() + "\n",
    }
}
