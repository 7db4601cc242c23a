//! A tape: everything that a running switchboard was told and what it said to that, from its beginning, so that the same
//! can be done again elsewhere. A line of JSON each; `io` keeps them, [`crate::exchange::Switchboard`] runs them again.
//!
//! It begins with all that the machines hung on: settings, menus, and the ledger of the run before. Invariant: there is no
//! secret on it, since there is none in any input, command or fact.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Command, Entry, ExchangeSettings, Ledger};
use crate::base::Now;

/// The layout written now.
pub const TAPE_VERSION: u32 = 1;

/// A line of a tape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TapeLine {
    /// How it began. The first line of the first file, and of no other.
    Opening(Box<TapeOpening>),
    /// An input, or what one machine told the other, with the facts that it made.
    Entry(Entry),
    /// What was to be done.
    Command(Command),
    /// A set of menus that is installed next.
    Menus(Box<TapeMenus>),
    /// Nothing follows, though the server went on: the tape was full, or the disk too slow.
    CutOff(String),
    /// Nothing follows, for the server ended. A tape without either was cut by a kill.
    Over,
}

/// All that a switchboard hangs on but its inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TapeOpening {
    /// [`TAPE_VERSION`].
    pub version: u32,
    /// The program that wrote it: another one may decide otherwise.
    pub program: String,
    /// Limits of calls.
    pub settings: ExchangeSettings,
    /// The revision of the menus, as calls are told to have entered with; without it that of the files.
    #[serde(default)]
    pub revision: Option<String>,
    /// The files of the menus.
    pub menus: BTreeMap<String, String>,
    /// The audio manifest: which prompts there are.
    pub manifest: String,
    /// The moment at which it went on from the ledger.
    pub restored_at: Now,
    /// What was known of the run before.
    pub ledger: Ledger,
    /// What queues had learned, by [`super::acd::Lessons::encode`], two digits a byte; empty: nothing.
    #[serde(default)]
    pub lessons: String,
}

/// A set of menus on a tape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapeMenus {
    /// Its revision.
    pub revision: String,
    /// Its files.
    pub menus: BTreeMap<String, String>,
    /// Its audio manifest.
    pub manifest: String,
}
