//! A wrong set each -> the exact text that an operator reads. Each file of `menu_diagnostics/` names, by lines
//! `#### FILE`, the files that it puts in place of those of a small good set (`#### -FILE` takes one away).
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hotline::base::{Language, PromptId};
use hotline::exchange::menu::{CODES, Diagnostic, KnownPrompts, MenuSet, render};

fn good() -> BTreeMap<String, String> {
    let files = [
        ("main.toml", "say = \"main\"\n[keys]\n1 = \"account\"\n"),
        ("account.toml", "say = \"account\"\n[keys]\n\"*\" = \"main\"\n"),
        ("all-busy.toml", "say = \"all-busy\"\nthen = \"hang up\"\n"),
        ("numbers.toml", "[95188]\nmenu = \"main\"\n"),
        (
            "queues.toml",
            "human = \"general\"\n[general]\nname = \"queue-general\"\noverflow = \"all-busy\"\n",
        ),
        ("agents.toml", "[agent.8001]\nalias = \"Lele\"\nlanguages = [\"zh\", \"en\"]\n"),
    ];
    files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

fn prompts() -> KnownPrompts {
    let all: BTreeSet<Language> = Language::ALL.into();
    let ids = ["main", "account", "all-busy", "queue-general", "wrong-key", "you-entered", "confirm-keys"];
    let mut known: KnownPrompts = ids.into_iter().map(|id| (PromptId::from(id), all.clone())).collect();
    known.insert(PromptId::from("only-zh"), [Language::Mandarin].into());
    known
}

fn with_case(text: &str) -> BTreeMap<String, String> {
    let mut files = good();
    for part in text.split("#### ").skip(1) {
        let (name, body) = part.split_once('\n').unwrap_or((part, ""));
        match name.strip_prefix('-') {
            Some(gone) => drop(files.remove(gone)),
            None => drop(files.insert(name.to_owned(), body.to_owned())),
        }
    }
    files
}

fn judge(files: &BTreeMap<String, String>) -> (bool, Vec<Diagnostic>) {
    match MenuSet::load(files, &prompts()) {
        Ok((_, warnings)) => (true, warnings),
        Err(found) => (false, found),
    }
}

fn cases() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rooms/menu_diagnostics");
    let mut cases = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            cases.insert(stem, std::fs::read_to_string(&path).unwrap());
        }
    }
    cases
}

#[test]
fn the_good_set_is_good() {
    assert_eq!(judge(&good()), (true, Vec::new()));
}

#[test]
fn a_wrong_set_is_told_in_these_words() {
    let cases = cases();
    assert!(cases.len() >= 25);
    for (name, text) in cases {
        let files = with_case(&text);
        let (installed, found) = judge(&files);
        assert!(!found.is_empty(), "{name}: nothing was found");
        let last = if installed { "It is installed, with warnings." } else { "Nothing is installed." };
        let told = format!("{}{last}\n", render(&found, &files, false));
        insta::with_settings!({
            snapshot_path => "menu_diagnostics/snapshots",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!(name.as_str(), told) });
    }
}

#[test]
fn every_code_but_the_catalogues_own_has_a_case() {
    let seen: BTreeSet<&str> =
        cases().values().flat_map(|text| judge(&with_case(text)).1).map(|d| d.code).collect();
    let unseen: Vec<&str> = CODES.iter().map(|(code, _)| *code).filter(|code| !seen.contains(code)).collect();
    assert_eq!(unseen, Vec::<&str>::new(), "codes without a case");
}

#[test]
fn json_names_file_line_and_column() {
    let files = with_case("#### main.toml\nsay = \"main\"\n[keys]\n1 = \"账户\"; \n");
    let (_, found) = judge(&files);
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json[0]["file"], "main.toml");
    assert_eq!(json[0]["line"], 3);
    assert_eq!(json[0]["column"], 9);
    assert_eq!(json[0]["severity"], "error");
}
