//! The part of TOML in which the audio manifest is written: tables, keys with texts or numbers, tables in a line. Whatever
//! is beyond that is refused with its line, never passed over.
use std::collections::BTreeMap;

use crate::run::Result;

/// A value; numbers stay as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Table(Table),
}

/// Keys in ascending order.
pub(super) type Table = BTreeMap<String, Value>;

/// Reads a file.
pub(super) fn read(text: &str) -> Result<Table> {
    let mut root = Table::new();
    let mut path: Vec<String> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = |what: &str| format!("line {number}: {what}: {line}");
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            let header = header.strip_suffix(']').ok_or_else(|| wrong("a table's name ends with ]"))?;
            path = header.split('.').map(|key| key.trim().to_owned()).collect();
            inside(&mut root, &path).ok_or_else(|| wrong("this is a value already"))?;
            continue;
        }
        let (key, value, rest) = pair(line).ok_or_else(|| wrong("this is not read here"))?;
        if !(rest.is_empty() || rest.starts_with('#')) {
            return Err(wrong("there is something after the value"));
        }
        let table = inside(&mut root, &path).ok_or_else(|| wrong("this is a value already"))?;
        if table.insert(key, value).is_some() {
            return Err(wrong("this key is here twice"));
        }
    }
    Ok(root)
}

fn inside<'t>(table: &'t mut Table, path: &[String]) -> Option<&'t mut Table> {
    path.iter().try_fold(table, |table, key| {
        match table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(inner) => Some(inner),
            Value::Text(_) => None,
        }
    })
}

/// `key = value`, and what follows.
fn pair(text: &str) -> Option<(String, Value, &str)> {
    let (key, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => text.split_at(text.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'))?),
    };
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let (value, rest) = value(rest)?;
    (!key.is_empty()).then(|| (key.to_owned(), value, rest.trim_start()))
}

fn value(text: &str) -> Option<(Value, &str)> {
    if let Some(mut rest) = text.strip_prefix('{') {
        let mut table = Table::new();
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return Some((Value::Table(table), after));
            }
            let (key, value, after) = pair(rest)?;
            table.insert(key, value);
            rest = after.strip_prefix(',').unwrap_or(after);
        }
    }
    if let Some(quoted) = text.strip_prefix('"') {
        let (word, rest) = quoted.split_once('"')?;
        return (!word.contains('\\')).then(|| (Value::Text(word.into()), rest));
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    (!number.is_empty()).then(|| (Value::Text(number.into()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_keys_and_tables_in_a_line_are_read() {
        let table = read(
            "a = \"x\" # y\n[p.q]\nzh = \"零\"\n[p]\nn-0 = { ms = 12, en = \"zero\" }\n\"键\" = \"k\"\n",
        );
        let text = |s: &str| Value::Text(s.into());
        let q = Table::from([("zh".into(), text("零"))]);
        let n = Table::from([("ms".into(), text("12")), ("en".into(), text("zero"))]);
        let p = [("q".into(), Value::Table(q)), ("n-0".into(), Value::Table(n)), ("键".into(), text("k"))];
        assert_eq!(table, Ok(Table::from([("a".into(), text("x")), ("p".into(), Value::Table(p.into()))])));
    }

    #[test]
    fn what_is_not_read_is_refused_with_its_line() {
        for wrong in
            ["a = [1]", "a = \"x", "[a", "a", "a = 1 b = 2", "a = 1\na = 2", "a = \"\\n\"", "a = 1.5"]
        {
            let error = read(&format!("\n{wrong}")).unwrap_err();
            assert!(error.starts_with("line 2") || error.starts_with("line 3"), "{wrong}: {error}");
        }
    }
}
