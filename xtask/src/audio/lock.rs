//! `audio/manifest.lock.toml`: what each file says, how long it lasts, under which licence it may be used.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::toml::{self, Table, Value};
use crate::run::Result;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recording {
    /// What is said, as in the manifest.
    pub(super) text: String,
    /// What the synthesiser was given.
    pub(super) spoken: String,
    /// The file, from `audio/`.
    pub(super) file: String,
    /// Who speaks, and how fast; empty for a mere sound.
    pub(super) voice: String,
    /// Its length, in milliseconds.
    pub(super) ms: u64,
    /// Its licence, by its SPDX name.
    pub(super) licence: String,
}

impl Recording {
    /// Whether the other would sound the same.
    pub(super) fn same_words(&self, other: &Self) -> bool {
        self.text == other.text
            && self.spoken == other.spoken
            && self.file == other.file
            && self.voice == other.voice
    }
}

/// All files, by folder and prompt.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lock(pub(super) BTreeMap<(String, String), Recording>);

impl Lock {
    pub(super) fn read(text: &str) -> Result<Self> {
        let wrong = |what: String| {
            format!("audio/manifest.lock.toml: {what}; delete it, and everything is made anew")
        };
        let mut all = BTreeMap::new();
        for (folder, value) in toml::read(text).map_err(wrong)? {
            let Value::Table(prompts) = value else { return Err(wrong(format!("{folder} is not a table"))) };
            for (id, value) in prompts {
                let Value::Table(table) = value else { return Err(wrong(format!("{id} is not a table"))) };
                let recording =
                    recording(&table).ok_or_else(|| wrong(format!("{folder}/{id} is not complete")))?;
                all.insert((folder.clone(), id), recording);
            }
        }
        Ok(Self(all))
    }

    pub(super) fn write(&self) -> String {
        let mut out = String::from(
            "# Made by `cargo xtask voice`: what each file says, who speaks, its length, its licence.\n",
        );
        let mut before = None;
        for ((folder, id), r) in &self.0 {
            if before != Some(folder) {
                let _ = writeln!(out, "\n[{folder}]");
                before = Some(folder);
            }
            let _ =
                write!(out, "{id} = {{ ms = {}, licence = \"{}\", file = \"{}\", ", r.ms, r.licence, r.file);
            if !r.voice.is_empty() {
                let _ = write!(out, "voice = \"{}\", ", r.voice);
            }
            let _ = write!(out, "text = \"{}\"", r.text);
            if r.spoken != r.text {
                let _ = write!(out, ", spoken = \"{}\"", r.spoken);
            }
            out.push_str(" }\n");
        }
        out
    }
}

fn recording(table: &Table) -> Option<Recording> {
    let text = |key: &str| match table.get(key) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    Some(Recording {
        text: text("text")?,
        spoken: text("spoken").or_else(|| text("text"))?,
        file: text("file")?,
        voice: text("voice").unwrap_or_default(),
        ms: text("ms")?.parse().ok()?,
        licence: text("licence")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let recording = |spoken: &str| Recording {
            text: "还款".into(),
            spoken: spoken.into(),
            file: "zh/pay.flac".into(),
            voice: if spoken == "还款" { String::new() } else { "zf_xiaobei x1.0".into() },
            ms: 812,
            licence: "CC0-1.0".into(),
        };
        let place = |id: &str| ("zh".to_owned(), id.to_owned());
        let lock = Lock([(place("a"), recording("还款")), (place("b"), recording("huan2kuan3"))].into());
        assert_eq!(Lock::read(&lock.write()), Ok(lock));
    }
}
