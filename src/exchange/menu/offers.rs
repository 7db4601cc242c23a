//! Keys in words: what callers are told to press against what the menu takes. Read by a machine that knows a few turns
//! of phrase (请按 1, 按星号键, 按 1 到 4; press 1, press star, press 1 to 4, or 0), so what it finds is a warning.
//!
//! Invariant: judges only choices of which the words offer any key at all.
use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::{Diagnostic, Findings, Place};
use super::manifest::PromptTexts;
use super::resolve::{Door, Reading};
use super::set::{Menu, Step};
use crate::base::{Key, Language};
use crate::exchange::say::Phrase;

/// Judges the words of every choice.
pub fn judge_words(
    reading: &Reading,
    files: &BTreeMap<String, String>,
    texts: &PromptTexts,
) -> Vec<Diagnostic> {
    let mut findings = Findings::new(files);
    for menu in reading.set.menus.values() {
        let Step::Choice(choices) = &menu.step else { continue };
        let place = reading.atlas.places.get(&Door::Menu(menu.id.clone()));
        let place = place.cloned().unwrap_or_else(|| Place::file(format!("{}.toml", menu.id)));
        let offered = Language::ALL.map(|language| (language, offered(menu, texts, language)));
        let mut vain: BTreeMap<Key, Vec<Language>> = BTreeMap::new();
        for (language, keys) in &offered {
            for key in keys.iter().filter(|k| k.digit() != Some(0) && !choices.contains_key(k)) {
                vain.entry(*key).or_default().push(*language);
            }
        }
        for (key, languages) in vain {
            let languages: Vec<&str> = languages.into_iter().map(Language::code).collect();
            let message = format!(
                "the words of {} offer key {key}, which means nothing here ({})",
                menu.id,
                languages.join(", ")
            );
            findings.warning("HL0410", &place, message).help("give the key a meaning, or change the words");
        }
        let all: BTreeSet<Key> = offered.iter().flat_map(|(_, keys)| keys).copied().collect();
        for key in choices.keys().filter(|key| !all.is_empty() && !all.contains(key)) {
            let message = format!("no words of {} offer key {key}", menu.id);
            findings.warning("HL0411", &place, message).help("say what it is for: \"for loans, press 2\"");
        }
    }
    findings.finish()
}

/// The keys that a menu's words offer in a language.
fn offered(menu: &Menu, texts: &PromptTexts, language: Language) -> BTreeSet<Key> {
    let phrases = menu.say.iter().chain(menu.silence.iter().flatten()).chain(menu.wrong.iter().flatten());
    let mut keys = BTreeSet::new();
    for phrase in phrases {
        let Phrase::Prompt(id) = phrase else { continue };
        if let Some(words) = texts.0.get(id).and_then(|words| words.get(&language)) {
            keys_in(words, &mut keys);
        }
    }
    keys
}

/// Every key that is offered in these words, of either language.
fn keys_in(words: &str, keys: &mut BTreeSet<Key>) {
    for marker in ["按", "press ", "Press "] {
        for (at, _) in words.match_indices(marker) {
            let after = words.get(at + marker.len()..).unwrap_or("");
            keys_at(after, keys);
        }
    }
}

/// `1`, `1 到 4`, `1 to 4, or 0`, `star`.
fn keys_at(text: &str, keys: &mut BTreeSet<Key>) {
    let mut rest = text;
    let mut first: Option<Key> = None;
    loop {
        let Some((key, after)) = key_at(rest) else { return later(rest, keys) };
        if let Some(from) = first.take() {
            let digits = from.digit().unwrap_or(9)..=key.digit().unwrap_or(0);
            keys.extend(digits.filter_map(Key::from_event));
        }
        keys.insert(key);
        let after = after.trim_start_matches([' ', ',']);
        let range = ["到", "至", "to ", "through "].iter().find_map(|word| after.strip_prefix(word));
        let more = ["or ", "and "].iter().find_map(|word| after.strip_prefix(word));
        match (range, more) {
            (Some(next), _) => (first, rest) = (Some(key), next),
            (None, Some(next)) => rest = next,
            (None, None) => return later(after, keys),
        }
    }
}

/// `to choose, or 0 for a person`: later in the same sentence.
fn later(text: &str, keys: &mut BTreeSet<Key>) {
    let sentence = text.split(['.', '。']).next().unwrap_or(text);
    for (at, word) in sentence.match_indices(" or ") {
        keys.extend(sentence.get(at + word.len()..).and_then(key_at).map(|(key, _)| key));
    }
}

/// A key at the very beginning, and what follows it.
fn key_at(text: &str) -> Option<(Key, &str)> {
    let text = text.trim_start();
    let named = [("star", '*'), ("星号", '*'), ("pound", '#'), ("hash", '#'), ("井号", '#')];
    if let Some((word, key)) = named.iter().find(|(word, _)| text.starts_with(word)) {
        return Some((Key::from_char(*key)?, text.get(word.len()..)?));
    }
    let key = text.chars().next().filter(char::is_ascii_digit).and_then(Key::from_char)?;
    let after = text.get(1..)?;
    (!after.starts_with(|c: char| c.is_ascii_digit())).then_some((key, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(words: &str) -> String {
        let mut keys = BTreeSet::new();
        keys_in(words, &mut keys);
        keys.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_are_found_in_both_languages() {
        assert_eq!(keys("账户问题,请按 1。重听,请按星号键。人工服务,请按 0。"), "01*");
        assert_eq!(keys("请按 1 到 4 选择服务,或按 0 转人工。"), "01234");
        assert_eq!(keys("For loans, press 2. To hear this again, press star."), "2*");
        assert_eq!(keys("Press 1 to 4 to choose, or 0 for a person."), "01234");
        assert_eq!(keys("按时还款。 In the press 24 papers."), "");
    }
}
