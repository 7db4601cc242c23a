//! What is said in one breath: short sentences together, and fragments as items of a list.
//!
//! Invariant: each sentence is in one breath, once; none is so long that the model cannot say it. A word by itself is said badly
//! by any model of speech: its voice, like a person's, needs something before and after.

/// A part of a breath.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part<'s> {
    /// What is said.
    pub(super) text: &'s str,
    /// Whether it is wanted, or only said for the sake of the others.
    pub(super) kept: bool,
}

/// The longest breath, in characters: about twelve seconds.
fn longest(language: &str) -> usize {
    if language == "zh" { 56 } else { 190 }
}

/// What is shorter than this has company.
fn shortest(language: &str) -> usize {
    longest(language) / 3
}

/// What is said before and after the items of a list, so that none of them is its first or its last; and before a sentence
/// that would be alone.
fn company(language: &str) -> [&'static str; 3] {
    if language == "zh" {
        ["一,", "九。", "您好,欢迎致电客户服务热线。"]
    } else {
        ["one,", "nine.", "Welcome to the customer service hotline."]
    }
}

/// A fragment that is not the end of a phrase is spoken with a comma behind it.
fn is_item(sentence: &str) -> bool {
    sentence.ends_with(',')
}

/// Parts these sentences of one language among breaths.
pub(super) fn breaths<'s>(language: &str, sentences: &[&'s str]) -> Vec<Vec<Part<'s>>> {
    let (items, whole): (Vec<&str>, Vec<&str>) = sentences.iter().partition(|s| is_item(s));
    let [first, last, before] = company(language).map(|text| Part { text, kept: false });
    let mut all = Vec::new();
    for group in groups(language, &items) {
        let items = group.into_iter().map(|text| Part { text, kept: true });
        all.push([first.clone()].into_iter().chain(items).chain([last.clone()]).collect());
    }
    for group in groups(language, &whole) {
        let length: usize = group.iter().map(|s| s.chars().count()).sum();
        let alone = length < shortest(language);
        let parts = group.into_iter().map(|text| Part { text, kept: true });
        all.push(alone.then(|| before.clone()).into_iter().chain(parts).collect());
    }
    all
}

/// In their order, as many together as fit.
fn groups<'s>(language: &str, sentences: &[&'s str]) -> Vec<Vec<&'s str>> {
    let mut groups: Vec<Vec<&str>> = Vec::new();
    let mut room = 0;
    for sentence in sentences {
        let length = sentence.chars().count();
        match groups.last_mut() {
            Some(group) if length <= room => {
                group.push(sentence);
                room -= length;
            }
            _ => {
                groups.push(vec![sentence]);
                room = longest(language).saturating_sub(length);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(language: &str, sentences: &[&str]) -> Vec<String> {
        let shown = |p: &Part| if p.kept { p.text.to_owned() } else { format!("({})", p.text) };
        breaths(language, sentences).iter().map(|b| b.iter().map(shown).collect()).collect()
    }

    #[test]
    fn items_of_a_list_are_neither_its_first_nor_its_last() {
        assert_eq!(shown("zh", &["三,", "四,"]), ["(一,)三,四,(九。)"]);
    }

    #[test]
    fn a_short_sentence_has_company_and_a_long_one_needs_none() {
        assert_eq!(shown("en", &["Hello."]), ["(Welcome to the customer service hotline.)Hello."]);
        let long = "x".repeat(100) + ".";
        assert_eq!(shown("en", &[&long, &long]), [long.clone(), long.clone()]);
        assert_eq!(shown("en", &[&long, "Hello.", "a,"]), ["(one,)a,(nine.)".to_owned(), long + "Hello."]);
    }
}
