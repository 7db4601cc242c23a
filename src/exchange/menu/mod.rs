//! Menus: TOML files that ops write, read into a set that is installed whole, and run for each caller.
//!
//! `raw` reads TOML into a tree with a place for every key; `fields` takes typed values out of it; `resolve` makes a
//! [`MenuSet`] of the whole folder; `lint` judges the set as a whole; every mistake is a [`Diagnostic`], and any error
//! means that nothing is installed. [`MenuRun`] is the machine for one caller.
mod diagnostic;
mod fields;
mod hours;
mod lint;
mod manifest;
mod raw;
mod resolve;
mod run;
mod set;
mod walk;

pub(crate) use diagnostic::Findings;
pub use diagnostic::{CODES, Diagnostic, Place, Severity, render};
pub(crate) use fields::{Fields, Word, inner, number, word, words, wrong_kind};
pub use hours::{Day, Hours, Span, Zone};
pub use manifest::PromptTexts;
pub(crate) use raw::{Field, Node, Table, Value, parse};
pub use resolve::KnownPrompts;
pub use run::{Made, MenuEffect, MenuRun, Visit};
pub use set::{
    AgentKeys, Entrance, Entry, FeatureCode, HOUSE_PROMPTS, Menu, MenuSet, Opening, Party, Queue, Step,
    Target,
};
