//! Menus: TOML files that ops write, read into a set that is installed whole, and run for each caller.
//!
//! `raw` reads TOML into a tree with a place for every key; `fields` takes typed values out of it; `resolve` makes a
//! [`MenuSet`] of the whole folder; `lint` judges the set as a whole; every mistake is a [`Diagnostic`], and any error
//! means that nothing is installed. [`MenuRun`] is the machine for one caller.
mod diagnostic;
mod difference;
pub(crate) mod drawing;
mod explain;
mod fields;
mod hours;
mod lint;
mod manifest;
mod offers;
mod picture;
mod proof;
mod raw;
mod rehearsal;
mod resolve;
mod run;
mod schedule;
mod schema;
mod set;
mod sounds;
mod sources;
mod story;
mod trails;
mod walk;
mod when;

pub(crate) use diagnostic::Findings;
pub use diagnostic::{CODES, Diagnostic, Place, Severity, Trial, render};
pub use difference::{Affected, Became, ChangedThing, Difference, LongerWay, MovedKey, Side, difference};
pub use explain::{Explained, explain, explained};
pub(crate) use fields::{Fields, Word, inner, number, seconds_of, word, words, wrong_kind};
pub use hours::{Day, Ground, Hours, Span, Zone};
pub use manifest::PromptTexts;
pub use offers::judge_words;
pub use picture::{picture, picture_of_change};
pub use proof::{Bounds, Proof, prove};
pub(crate) use raw::{Field, Node, Table, Value, parse};
pub use rehearsal::{Act, PromptLengths, Rehearsal, Scene};
pub use resolve::{KnownPrompts, Reading};
pub use run::{Made, MenuEffect, MenuRun, Visit};
pub use schedule::Change;
pub(crate) use schedule::Today;
pub use schema::{schemas, taplo};
pub use set::{
    AgentKeys, Entrance, Entry, FeatureCode, HOUSE_PROMPTS, Menu, MenuSet, Opening, Party, Queue, Step,
    Target,
};
pub use sounds::{Heard, QUIET_DB, Recording, Recordings, SILENCE_MAX, judge_recordings};
pub use sources::Sources;
pub use story::{Played, ScriptFault, Stage, clock, lines, words as words_of};
pub use trails::{Footfall, Station, Trails};
pub use when::when;
