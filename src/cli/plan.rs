//! `hotline plan NEW_DIR`: what a change of menus means, before it is installed.
#![expect(clippy::print_stderr, reason = "a command's output")]
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use hotline::base::Language;
use hotline::exchange::menu::{
    Affected, Became, Diagnostic, Difference, LongerWay, MenuSet, PromptLengths, PromptTexts, Severity, Side,
    Sources, Stage, difference, picture_of_change, render,
};
use hotline::io::menus::lengths;
use hotline::sim::Comparison;
use serde::Serialize;

use super::graph::{facts_of_day, svg};

use super::menus::{MenuFolder, Read};
use super::simulate::compare_menus;

/// What to compare, and by what.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The folder of the new menus.
    new: PathBuf,
    /// The folder of the present ones; without it `menus`, and where there is none, the menus that are built in.
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// The folder of sounds of both; by default `audio` beside each.
    #[arg(long)]
    audio: Option<PathBuf>,
    /// The record (`hotline.db` of the store): how many callers of a day it would have met.
    #[arg(long)]
    records: Option<PathBuf>,
    /// The day of the records, on the calendar's wall: 2026-03-02. By default yesterday.
    #[arg(long, requires = "records")]
    day: Option<String>,
    /// A scenario (a file, or a shipped one's name): both menus meet the same simulated callers.
    #[arg(long)]
    simulate: Option<String>,
    /// Days that are simulated of each.
    #[arg(long, default_value_t = 10, requires = "simulate", value_parser = clap::value_parser!(u64).range(2..=1_000))]
    seeds: u64,
    /// Write a picture of the new menus (SVG, by Graphviz; a name that ends with `.dot` gets the text), the keys marked that
    /// led elsewhere.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// All that is told.
#[derive(Serialize)]
struct Told {
    /// The revision now, and the new one.
    revisions: (String, String),
    difference: Difference,
    #[serde(skip_serializing_if = "Option::is_none")]
    affected: Option<Affected>,
    #[serde(skip_serializing_if = "Option::is_none")]
    simulated: Option<Vec<hotline::sim::ComparedFigure>>,
    diagnostics: Vec<Diagnostic>,
    #[serde(skip)]
    comparison: Option<Comparison>,
}

/// One of the two, ready to be compared.
struct Ready {
    set: Arc<MenuSet>,
    texts: PromptTexts,
    lengths: Arc<PromptLengths>,
}

impl Ready {
    fn side(&self) -> Side<'_> {
        Side { set: &self.set, texts: &self.texts, lengths: &self.lengths }
    }
}

impl Plan {
    /// Exit status 0: nothing is otherwise. 1: the new menus have mistakes, or something cannot be read. 2: there are changes.
    pub(crate) fn run(self) -> ExitCode {
        match self.told() {
            Ok(told) if self.json => {
                let json = serde_json::to_string_pretty(&told).unwrap_or_default();
                writeln!(std::io::stdout(), "{json}").ok();
                status(&told)
            }
            Ok(told) => {
                write!(std::io::stdout(), "{}", in_words(&told)).ok();
                status(&told)
            }
            Err(why) => {
                eprintln!("hotline plan: {}", why.trim_end());
                ExitCode::from(1)
            }
        }
    }

    fn told(&self) -> Result<Told, String> {
        let read = |folder: Option<PathBuf>| {
            MenuFolder::of(folder, self.audio.clone()).read().map_err(|e| e.to_string())
        };
        let (old, _) = ready(read(self.against.clone())?)?;
        let (new, diagnostics) = ready(read(Some(self.new.clone()))?)?;
        let difference = difference(old.side(), new.side());
        if let Some(file) = &self.svg {
            draw(file, &new, &difference)?;
        }
        let affected = self.records.as_ref().map(|records| {
            let now = hotline::io::Clock::start().now().utc;
            let facts = facts_of_day(records, self.day.as_deref(), (&old.set.zone, now))?;
            let mut affected = Affected::default();
            for fact in &facts {
                affected.read(&difference, fact);
            }
            Ok::<_, String>(affected)
        });
        let comparison = self
            .simulate
            .as_ref()
            .map(|scenario| compare_menus(scenario, self.audio.as_deref(), [&old.set, &new.set], self.seeds));
        let comparison = comparison.transpose()?;
        Ok(Told {
            revisions: (old.set.revision.clone(), new.set.revision.clone()),
            difference,
            affected: affected.transpose()?,
            simulated: comparison.as_ref().map(Comparison::lines),
            diagnostics,
            comparison,
        })
    }
}

/// Reads, listens and proves; mistakes are rendered as the error.
fn ready(mut read: Read) -> Result<(Ready, Vec<Diagnostic>), String> {
    let mut diagnostics = std::mem::take(&mut read.diagnostics);
    let recordings = read.recordings();
    let lengths = lengths(&recordings, &read.texts);
    if let Some(reading) = &read.reading {
        diagnostics.extend(read.prove(reading, &lengths).diagnostics);
    }
    let wrong = diagnostics.iter().any(|d| d.severity == Severity::Error);
    match &read.reading {
        Some(reading) if !wrong => {
            let set = Arc::new(reading.set.clone());
            let lengths = Arc::new(lengths);
            Ok((Ready { set, texts: read.texts.clone(), lengths }, diagnostics))
        }
        _ => {
            let colour = std::io::stderr().is_terminal();
            Err(format!("mistakes; nothing is compared\n{}", render(&diagnostics, &read.files, colour)))
        }
    }
}

/// The new menus as a picture, at an hour of today.
fn draw(file: &std::path::Path, new: &Ready, difference: &Difference) -> Result<(), String> {
    let stage = Stage {
        set: Arc::clone(&new.set),
        lengths: Arc::clone(&new.lengths),
        texts: new.texts.clone(),
        at: hotline::io::Clock::start().now().utc,
        sources: Sources::default(),
    };
    let dot = picture_of_change(&stage, Language::Mandarin, &difference.keys);
    let drawn = if file.extension().is_some_and(|e| e == "dot") { dot.into_bytes() } else { svg(&dot)? };
    std::fs::write(file, drawn).map_err(|e| format!("{}: {e}", file.display()))
}

fn status(told: &Told) -> ExitCode {
    ExitCode::from(if told.difference.is_empty() { 0 } else { 2 })
}

/// For people.
fn in_words(told: &Told) -> String {
    let mut text = format!("revision {} -> {}\n", told.revisions.0, told.revisions.1);
    let difference = &told.difference;
    if difference.is_empty() {
        text.push_str("nothing is otherwise for callers and agents\n");
    }
    title(&mut text, "keys that lead elsewhere", difference.keys.is_empty());
    for moved in &difference.keys {
        let or = |to: &Option<String>| to.clone().unwrap_or_else(|| "nothing".to_owned());
        writeln!(text, "  {}, key {}: {} -> {}", moved.place, moved.key, or(&moved.from), or(&moved.to)).ok();
    }
    title(&mut text, "what came, went, or is otherwise", difference.things.is_empty());
    for thing in &difference.things {
        let mark = match thing.became {
            Became::Added => '+',
            Became::Removed => '-',
            Became::Changed => '~',
        };
        let all = thing.parts.iter().all(|part| part == "all");
        let parts = if all { String::new() } else { format!(": {}", thing.parts.join(", ")) };
        writeln!(text, "  {mark} {} {}{parts}", thing.kind, thing.name).ok();
    }
    title(&mut text, "ways to a human that got longer", difference.longer.is_empty());
    for way in &difference.longer {
        writeln!(text, "  {}", way_in_words(way)).ok();
    }
    if let Some(affected) = &told.affected {
        writeln!(
            text,
            "\ncallers of the day who would have met it: {} of {}",
            affected.affected, affected.calls
        )
        .ok();
        for (what, count) in &affected.by {
            writeln!(text, "  {count:>6}  {what}").ok();
        }
    }
    if let Some(comparison) = &told.comparison {
        write!(text, "\nsimulated, the same callers with both\n{comparison}").ok();
    }
    if !told.diagnostics.is_empty() {
        text.push('\n');
        for diagnostic in &told.diagnostics {
            writeln!(text, "{}", diagnostic.line()).ok();
        }
    }
    text
}

fn title(text: &mut String, what: &str, nothing: bool) {
    if !nothing {
        writeln!(text, "\n{what}").ok();
    }
}

fn way_in_words(way: &LongerWay) -> String {
    let LongerWay { number, queue, at, keys, seconds } = way;
    let whom =
        queue.as_ref().map_or_else(|| "who does nothing".to_owned(), |queue| format!("to the queue {queue}"));
    match (keys.1, seconds.1) {
        (Some(now), Some(later)) => {
            format!("{number} at {at}, {whom}: {} -> {now} keys, {} -> {later} s", keys.0, seconds.0)
        }
        _ => format!("{number} at {at}, {whom}: {} keys, {} s -> no way any more", keys.0, seconds.0),
    }
}
