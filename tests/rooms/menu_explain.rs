//! The book of mistakes: each code is explained, and its examples are what they say they are.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hotline::base::{Language, PromptId};
use hotline::exchange::EXCHANGE_PROMPTS;
use hotline::exchange::menu::{
    Bounds, CODES, HOUSE_PROMPTS, MenuSet, PromptLengths, PromptTexts, explain, explained, judge_words, prove,
};

use crate::support::small_menus::good;

type Files = BTreeMap<String, String>;

fn prompts() -> PromptTexts {
    let names =
        ["main", "account", "loans", "order", "all-busy", "queue-general", "music", "a-minute-of-terms"];
    let mut texts: BTreeMap<PromptId, BTreeMap<Language, String>> = BTreeMap::new();
    for id in names.into_iter().chain(HOUSE_PROMPTS).chain(EXCHANGE_PROMPTS) {
        texts.insert(id.into(), Language::ALL.map(|l| (l, "words".to_owned())).into());
    }
    texts.insert("only-zh".into(), [(Language::Mandarin, "字".to_owned())].into());
    let offers = [
        (Language::Mandarin, "请按 1,请按 5。".to_owned()),
        (Language::English, "press 1, press 5".to_owned()),
    ];
    texts.insert("offers-1-and-5".into(), offers.into());
    PromptTexts(texts)
}

fn found(files: &Files) -> BTreeSet<String> {
    let texts = prompts();
    let told = |d: &hotline::exchange::menu::Diagnostic| format!("{} {}", d.code, d.message);
    match MenuSet::read(files, &texts.known()) {
        Err(found) => found.iter().map(told).collect(),
        Ok(reading) => {
            let mut lengths = PromptLengths::estimated(&texts);
            for language in Language::ALL {
                lengths.lengths.insert((language, "a-minute-of-terms".into()), Duration::from_mins(1));
            }
            let mut all = reading.warnings.clone();
            all.extend(judge_words(&reading, files, &texts));
            all.extend(prove(&reading, files, &lengths, Bounds::default()).diagnostics);
            all.iter().map(told).collect()
        }
    }
}

/// The files of an example: each fenced block begins with `# NAME.toml`, or says that the file is not there.
fn example(part: &str) -> Files {
    let mut files = good();
    for block in part.split("```toml\n# ").skip(1) {
        let (name, text) = block.split_once('\n').unwrap();
        let text = text.split("```").next().unwrap();
        match name.strip_suffix(" is not there") {
            Some(gone) => drop(files.remove(gone)),
            None => drop(files.insert(name.to_owned(), text.to_owned())),
        }
    }
    files
}

#[test]
fn every_code_is_explained_under_its_title() {
    let book: Vec<(&str, &str)> = explained().map(|each| (each.code, each.title)).collect();
    assert_eq!(book, CODES.to_vec());
    assert_eq!(explain("hl0201").map(|each| each.code), Some("HL0201"));
    assert_eq!(explain("0201").map(|each| each.code), Some("HL0201"));
    assert_eq!(explain("HL9999"), None);
    for each in explained() {
        assert!(each.text.len() > 40, "{} says too little", each.code);
    }
}

#[test]
fn every_example_is_wrong_as_it_says_and_mended_as_it_says() {
    let mut examples = 0;
    for each in explained() {
        let Some((_, rest)) = each.text.split_once("Wrong:") else { continue };
        let (wrong, mended) = rest.split_once("Mended:").unwrap();
        examples += 1;
        let shown = found(&example(wrong));
        assert!(shown.iter().any(|told| told.starts_with(each.code)), "{}: {shown:?}", each.code);
        let left = found(&example(mended));
        assert!(left.is_empty(), "{}, mended: {left:?}", each.code);
    }
    assert!(examples >= 38, "{examples}");
}

#[test]
fn what_no_file_can_show_has_no_example_and_all_else_has_one() {
    let without: Vec<&str> =
        explained().filter(|each| !each.text.contains("Wrong:")).map(|each| each.code).collect();
    let of_recordings = ["HL0403", "HL0404", "HL0405", "HL0406", "HL0407", "HL0408", "HL0409"];
    let of_scenarios = ["HL0801", "HL0802", "HL0803", "HL0804", "HL0805", "HL0806"];
    let of_the_machine = ["HL0901", "HL0902", "HL0903", "HL0904", "HL0909", "HL0910", "HL0911"];
    assert_eq!(without, [&of_recordings[..], &of_scenarios, &of_the_machine].concat());
}
