//! TOML as a tree in which every key and value knows its place. The only file that names `toml`.
//!
//! Invariant: reading never stops at the first mistake; what can be read of a broken file is read.
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Findings, NOT_TOML, Place};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A string.
    Text(String),
    /// An integer within 64 bits.
    Number(i64),
    /// `true` or `false`.
    Flag(bool),
    /// An array.
    List(Vec<Node>),
    /// A table.
    Table(Table),
    /// What our files never need, by name: a date, a fraction, an integer beyond 64 bits.
    Other(&'static str),
}

impl Value {
    /// What it is, for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// A value at its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// Where the key is.
    pub(crate) key: Place,
    pub(crate) node: Node,
}

/// Keys in ascending order.
pub(crate) type Table = BTreeMap<String, Field>;

/// What mends a key that stands twice.
const TWICE: &str = "a key may stand once in its table: take one away";
/// What mends most other mistakes of syntax.
const SYNTAX: &str = "texts stand in quotes; keys other than letters, digits, - and _ too: \"*\" = \"main\"";

/// Reads a file. Syntax mistakes go to `findings`; the rest is read as far as it can be.
pub(crate) fn parse(file: &Arc<str>, text: &str, findings: &mut Findings<'_>) -> Table {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let help = if error.message().contains("duplicate key") { TWICE } else { SYNTAX };
        let message = format!("this is not TOML: {}", error.message());
        findings.error(NOT_TOML, &place(file, &span), message).help(help);
    }
    table(file, document.get_ref())
}

fn place(file: &Arc<str>, span: &Range<usize>) -> Place {
    Place { file: Arc::clone(file), span: span.clone() }
}

fn table(file: &Arc<str>, read: &DeTable<'_>) -> Table {
    read.iter()
        .map(|(key, value)| {
            let node = node(file, value.get_ref(), &value.span());
            (key.get_ref().to_string(), Field { key: place(file, &key.span()), node })
        })
        .collect()
}

fn node(file: &Arc<str>, value: &DeValue<'_>, span: &Range<usize>) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix())
            .map_or(Value::Other("a number beyond all reason"), Value::Number),
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(_) => Value::Other("a date without quotes"),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|i| node(file, i.get_ref(), &i.span())).collect())
        }
        DeValue::Table(read) => Value::Table(table(file, read)),
    };
    Node { value, place: place(file, span) }
}
