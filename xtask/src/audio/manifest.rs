//! `audio/manifest.toml`: what is to be said, in each language; what is mere sound.
use std::collections::BTreeMap;

use super::toml::{self, Table, Value};
use crate::run::Result;

/// Languages, as folders of `audio/`.
const LANGUAGES: [&str; 2] = ["zh", "en"];

/// One prompt.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    /// Language -> what is said.
    pub(super) words: BTreeMap<String, String>,
    /// What it sounds like, when it is not words.
    pub(super) sound: Option<String>,
    /// In place of the manifest's.
    pub(super) licence: Option<String>,
}

/// All prompts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The licence of all that name none.
    pub(super) licence: String,
    /// By name.
    pub(super) prompts: BTreeMap<String, Prompt>,
}

impl Manifest {
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut root = toml::read(text).map_err(|e| format!("audio/manifest.toml, {e}"))?;
        let Some(Value::Text(licence)) = root.remove("licence") else {
            return Err("audio/manifest.toml names no licence at its top".into());
        };
        let Some(Value::Table(prompts)) = root.remove("prompt") else {
            return Err("audio/manifest.toml holds no [prompt.NAME]".into());
        };
        let prompts = prompts.into_iter().map(|(id, value)| match value {
            Value::Table(table) => Ok((id.clone(), prompt(&id, table)?)),
            Value::Text(_) => Err(format!("the prompt {id} is not a table")),
        });
        Ok(Self { licence, prompts: prompts.collect::<Result<_>>()? })
    }
}

fn prompt(id: &str, table: Table) -> Result<Prompt> {
    let mut prompt = Prompt::default();
    for (key, value) in table {
        let Value::Text(text) = value else { return Err(format!("the prompt {id}: {key} is not a text")) };
        match key.as_str() {
            "sound" => prompt.sound = Some(text),
            "licence" => prompt.licence = Some(text),
            language if LANGUAGES.contains(&language) => _ = prompt.words.insert(key, text),
            _ => return Err(format!("the prompt {id} has no `{key}`: it has zh, en, sound, licence")),
        }
    }
    if prompt.words.is_empty() == prompt.sound.is_none() {
        return Err(format!("the prompt {id} is words (zh, en) or a sound, one of the two"));
    }
    Ok(prompt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_words_or_a_sound() {
        let read = |prompt: &str| Manifest::read(&format!("licence = \"CC0-1.0\"\n[prompt.x]\n{prompt}"));
        assert_eq!(read("zh = \"一\"").unwrap().prompts["x"].words["zh"], "一");
        assert_eq!(read("sound = \"music\"").unwrap().prompts["x"].sound.as_deref(), Some("music"));
        assert!(read("").is_err());
        assert!(read("sound = \"music\"\nen = \"one\"").is_err());
        assert!(read("de = \"eins\"").unwrap_err().contains("has no `de`"));
    }
}
