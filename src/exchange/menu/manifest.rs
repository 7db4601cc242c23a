//! The words of the audio manifest: which prompts exist, and what each says in which language.
//!
//! Invariant: a prompt with `sound` in place of words is there in every language.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Findings, Place};
use super::fields::{self, Fields};
use super::raw;
use super::resolve::KnownPrompts;
use crate::base::{Language, PromptId};

/// What each prompt says. A prompt of mere sound has no words in any language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptTexts(pub BTreeMap<PromptId, BTreeMap<Language, String>>);

impl PromptTexts {
    /// Reads the manifest `text` of the file `file`: `[prompt.NAME]` with `zh` and `en`, or `sound`. What else stands
    /// there is for those who make the sound.
    pub fn read(file: &str, text: &str) -> (Self, Vec<Diagnostic>) {
        let files = BTreeMap::from([(file.to_owned(), text.to_owned())]);
        let mut findings = Findings::new(&files);
        let name: Arc<str> = Arc::from(file);
        let tree = raw::parse(&name, text, &mut findings);
        let mut manifest = Fields::new("the manifest", Place::file(name), &tree);
        let mut texts = BTreeMap::new();
        if let Some(prompts) = manifest.table(&mut findings, "prompt") {
            for (id, field) in prompts.rest() {
                if let Some(mut prompt) = fields::inner(&mut findings, format!("the prompt {id}"), field) {
                    texts.insert(PromptId::from(id), words(&mut prompt, &mut findings));
                }
            }
        }
        (Self(texts), findings.finish())
    }

    /// Which prompts exist, and in which languages.
    pub fn known(&self) -> KnownPrompts {
        let languages = |words: &BTreeMap<Language, String>| -> BTreeSet<Language> {
            if words.is_empty() { Language::ALL.into() } else { words.keys().copied().collect() }
        };
        self.0.iter().map(|(id, words)| (id.clone(), languages(words))).collect()
    }
}

fn words(prompt: &mut Fields<'_>, findings: &mut Findings<'_>) -> BTreeMap<Language, String> {
    let mut words = BTreeMap::new();
    for (language, key) in [(Language::Mandarin, "zh"), (Language::English, "en")] {
        if let Some(word) = prompt.word(findings, key) {
            words.insert(language, word.text.to_owned());
        }
    }
    let sound = prompt.word(findings, "sound").is_some();
    if words.is_empty() && !sound {
        findings
            .error("HL0104", &prompt.place, format!("{} says nothing", prompt.what))
            .help("write what it says: zh = \"...\" and en = \"...\"; or sound = \"...\"");
    }
    words
}
