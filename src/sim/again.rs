//! A tape played again: the same inputs to the same machines must give the same entries, facts and commands, bit for bit. A
//! bug report is a file.
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::exchange::acd::{Lessons, LessonsError};
use crate::exchange::menu::{Diagnostic, MenuSet, PromptTexts};
use crate::exchange::{Entry, Happening, Switchboard, TAPE_VERSION, TapeLine, TapeMenus, TapeOpening};

/// Why a tape cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TapeError {
    /// A line is not of a tape: it was cut, or written by something else.
    #[error("line {line} cannot be read: {why}")]
    Line {
        /// From 1.
        line: u64,
        /// Why.
        why: String,
    },
    /// It does not begin at the beginning: give the first file of a run.
    #[error(
        "the tape has no opening: only the first part of a run says how the machines stood, and the others go on from there; give the \
         folder, or any part with those before it beside it"
    )]
    NoOpening,
    /// Written by a version that this program does not know.
    #[error("the tape has version {0}, this program plays {TAPE_VERSION}")]
    Version(u32),
    /// What queues had learned before cannot be read.
    #[error("what was learned before the tape: {0}")]
    Lessons(LessonsError),
    /// Its menus have mistakes for this program.
    #[error("the menus on the tape cannot be loaded: {0}")]
    Menus(String),
    /// Menus were installed on the way that are not on it.
    #[error("line {line}: the menus {revision} are not on the tape")]
    UnknownMenus {
        /// From 1.
        line: u64,
        /// Which.
        revision: String,
    },
}

/// Where a playing differs from the tape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The tape's line; `None`: the tape has nothing there.
    pub line: Option<u64>,
    /// What the tape has.
    pub taped: String,
    /// What was made now.
    pub made: String,
}

/// What became of a tape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Playing {
    /// The program that wrote it.
    pub program: String,
    /// Inputs fed.
    pub inputs: u64,
    /// Entries made again, with their facts.
    pub entries: u64,
    /// Commands made again.
    pub commands: u64,
    /// The first difference, if there is one.
    pub difference: Option<Difference>,
    /// Why the tape ends before the server did.
    pub cut_off: Option<String>,
    /// It ends where the server ended, in order: then nothing may be missing at its end.
    pub whole: bool,
}

impl fmt::Display for Playing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, inputs, entries, commands, .. } = self;
        writeln!(
            f,
            "taped by {program}: {inputs} inputs, {entries} entries and {commands} commands compared"
        )?;
        if let Some(why) = &self.cut_off {
            writeln!(f, "the tape ends before the server did: {why}")?;
        } else if !self.whole {
            writeln!(f, "the tape has no end: the server was killed, or still runs")?;
        }
        match &self.difference {
            None => write!(f, "the same, to the last bit"),
            Some(d) => {
                let line = d.line.map_or_else(|| "behind the end".to_owned(), |n| format!("line {n}"));
                write!(f, "different at {line}\n  taped: {}\n  made:  {}", d.taped, d.made)
            }
        }
    }
}

/// One kind of what was said: on the tape, and now.
#[derive(Debug, Default)]
struct Pair {
    taped: VecDeque<(u64, String)>,
    made: VecDeque<String>,
    same: u64,
}

impl Pair {
    /// Compares as far as both have come.
    fn compare(&mut self) -> Option<Difference> {
        while !self.taped.is_empty() && !self.made.is_empty() {
            let ((line, taped), made) = (self.taped.pop_front()?, self.made.pop_front()?);
            if taped != made {
                return Some(Difference { line: Some(line), taped, made });
            }
            self.same += 1;
        }
        None
    }
    /// At the end nothing may be left on either side. What the server had no time to write before it was killed may be.
    fn left(&mut self, killed: bool) -> Option<Difference> {
        if let Some((line, taped)) = self.taped.pop_front() {
            return Some(Difference { line: Some(line), taped, made: "nothing".into() });
        }
        let made = self.made.pop_front().filter(|_| !killed)?;
        Some(Difference { line: None, taped: "nothing".into(), made })
    }
}

/// Plays the lines of a tape. Stops at the first difference.
pub fn play_tape(lines: impl Iterator<Item = String>) -> Result<Playing, TapeError> {
    let mut lines = (1..).zip(lines).filter(|(_, text)| !text.trim().is_empty());
    let (_, first) = lines.next().ok_or(TapeError::NoOpening)?;
    let TapeLine::Opening(opening) = read(1, &first)? else { return Err(TapeError::NoOpening) };
    let mut deck = Deck::new(*opening)?;
    let mut last: Option<TapeError> = None;
    for (line, text) in lines {
        // A torn line is the last that a killed server wrote; one in the middle is a broken tape.
        if let Some(e) = last.take() {
            return Err(e);
        }
        match read(line, &text) {
            Ok(what) => {
                if !deck.take(line, what)? {
                    break;
                }
            }
            Err(e) => last = Some(e),
        }
    }
    Ok(deck.end(last.is_some()))
}

fn read(line: u64, text: &str) -> Result<TapeLine, TapeError> {
    serde_json::from_str(text).map_err(|e| TapeError::Line { line, why: e.to_string() })
}

/// Two digits a byte.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    text.as_bytes().chunks(2).map(pair).collect()
}

fn json(what: &impl Serialize) -> String {
    serde_json::to_string(what).unwrap_or_default()
}

struct Deck {
    board: Switchboard,
    /// Every set so far, by its revision.
    menus: BTreeMap<String, Arc<MenuSet>>,
    entries: Pair,
    commands: Pair,
    playing: Playing,
}

fn read_menus(
    (files, manifest): (&BTreeMap<String, String>, &str),
    revision: Option<&str>,
) -> Result<Arc<MenuSet>, TapeError> {
    let (texts, _) = PromptTexts::read("manifest.toml", manifest);
    let (mut menus, _) = MenuSet::load(files, &texts.known())
        .map_err(|found| TapeError::Menus(found.first().map(Diagnostic::line).unwrap_or_default()))?;
    if let Some(revision) = revision {
        revision.clone_into(&mut menus.revision);
    }
    Ok(Arc::new(menus))
}

impl Deck {
    fn new(opening: TapeOpening) -> Result<Self, TapeError> {
        if opening.version != TAPE_VERSION {
            return Err(TapeError::Version(opening.version));
        }
        let menus = read_menus((&opening.menus, &opening.manifest), opening.revision.as_deref())?;
        let mut board = Switchboard::new(opening.settings, Arc::clone(&menus));
        if !opening.lessons.is_empty() {
            let lessons =
                bytes(&opening.lessons).ok_or(LessonsError::Damaged).and_then(|b| Lessons::decode(&b));
            board.relearn(opening.restored_at, &lessons.map_err(TapeError::Lessons)?);
        }
        board.restore(opening.restored_at, &opening.ledger);
        let playing = Playing { program: opening.program, ..Playing::default() };
        let menus = BTreeMap::from([(menus.revision.clone(), menus)]);
        let mut deck = Self { board, menus, entries: Pair::default(), commands: Pair::default(), playing };
        deck.drain();
        Ok(deck)
    }

    /// A set that is installed later.
    fn learn(&mut self, taped: &TapeMenus) -> Result<(), TapeError> {
        let set = read_menus((&taped.menus, &taped.manifest), Some(&taped.revision))?;
        self.menus.insert(taped.revision.clone(), set);
        Ok(())
    }

    /// One line. `false`: the rest need not be looked at.
    fn take(&mut self, line: u64, what: TapeLine) -> Result<bool, TapeError> {
        match what {
            TapeLine::Opening(_) => return Ok(false),
            TapeLine::CutOff(why) => self.playing.cut_off = Some(why),
            TapeLine::Over => self.playing.whole = true,
            TapeLine::Menus(taped) => self.learn(&taped)?,
            TapeLine::Command(command) => self.commands.taped.push_back((line, json(&command))),
            TapeLine::Entry(entry) => {
                self.entries.taped.push_back((line, json(&entry)));
                self.feed(line, &entry)?;
            }
        }
        self.playing.difference = self.entries.compare().or_else(|| self.commands.compare());
        Ok(self.playing.difference.is_none())
    }

    fn feed(&mut self, line: u64, entry: &Entry) -> Result<(), TapeError> {
        if entry.what.is_derived() || entry.what == Happening::Restarted {
            return Ok(());
        }
        self.playing.inputs += 1;
        let menus = &self.menus;
        let fed = self.board.replay(entry, |revision| menus.get(revision).map(Arc::clone));
        fed.ok_or_else(|| {
            let revision = match &entry.what {
                Happening::Installed { revision } => revision.clone(),
                _ => String::new(),
            };
            TapeError::UnknownMenus { line, revision }
        })?;
        self.drain();
        Ok(())
    }

    fn drain(&mut self) {
        while let Some(entry) = self.board.poll_entry() {
            self.entries.made.push_back(json(&entry));
        }
        while let Some(command) = self.board.poll() {
            self.commands.made.push_back(json(&command));
        }
    }

    fn end(mut self, torn: bool) -> Playing {
        let killed = torn || !self.playing.whole;
        let left = |pair: &mut Pair| pair.compare().or_else(|| pair.left(killed));
        if self.playing.difference.is_none() {
            self.playing.difference = left(&mut self.entries).or_else(|| left(&mut self.commands));
        }
        self.playing.entries = self.entries.same;
        self.playing.commands = self.commands.same;
        self.playing
    }
}
