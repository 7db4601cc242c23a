//! `Change`: `agents.loans.count=40` takes the place of what a scenario's file says. It is TOML, read and judged like the
//! file.
use std::sync::Arc;

use crate::exchange::menu::{Findings, Place, Table, Value, parse};

/// One change to a scenario: a dotted key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    number: usize,
    text: String,
}

impl Change {
    /// The `number`-th change of a command line, as written there.
    pub fn new(number: usize, text: impl Into<String>) -> Self {
        Self { number, text: text.into() }
    }
    /// What it is called in diagnostics.
    pub fn file(&self) -> String {
        format!("--set {}", self.number)
    }
    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Puts the change in its place. Tables that the file does not have are not made: that would be a slip of the pen.
pub(super) fn apply(table: &mut Table, change: &Change, findings: &mut Findings<'_>) {
    let file: Arc<str> = Arc::from(change.file());
    let read = parse(&file, change.text(), findings);
    if read.is_empty() && !findings.has_errors_in(&file) {
        let place = Place { file: Arc::clone(&file), span: 0..change.text().len() };
        findings
            .error("HL0804", &place, "nothing is changed")
            .help("write key=value, as agents.loans.count=40");
    }
    merge(table, read, findings, "the scenario");
}

fn merge(into: &mut Table, from: Table, findings: &mut Findings<'_>, what: &str) {
    for (name, field) in from {
        let (key, place) = (name.clone(), field.key.clone());
        match (into.get_mut(&name).map(|f| &mut f.node.value), field.node.value) {
            (Some(Value::Table(old)), Value::Table(new)) => {
                merge(old, new, findings, &format!("`{key}` of {what}"));
            }
            // The queues' rules are the menus' own until somebody changes them.
            (None, Value::Table(_)) if what != "`queues` of the scenario" && name != "queues" => {
                let known: Vec<&str> = into.keys().map(String::as_str).collect();
                findings
                    .error("HL0804", &place, format!("{what} has no `{key}` to change"))
                    .help(format!("it has: {}", known.join(", ")));
            }
            (_, value) => {
                let node = crate::exchange::menu::Node { value, place: field.node.place };
                into.insert(name, crate::exchange::menu::Field { key: place, node });
            }
        }
    }
}
