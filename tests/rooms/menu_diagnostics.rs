//! A wrong set each -> the exact text that an operator reads. Each file of `menu_diagnostics/` names, by lines
//! `#### FILE`, the files that it puts in place of those of a small good set (`#### -FILE` takes one away).
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hotline::base::{Language, PromptId};
use hotline::exchange::EXCHANGE_PROMPTS;
use hotline::exchange::menu::{CODES, Diagnostic, HOUSE_PROMPTS, KnownPrompts, MenuSet, render};

use crate::support::small_menus::good;

fn prompts() -> KnownPrompts {
    let all: BTreeSet<Language> = Language::ALL.into();
    let ids = ["main", "account", "all-busy", "queue-general"].into_iter();
    let ids = ids.chain(HOUSE_PROMPTS).chain(EXCHANGE_PROMPTS);
    let mut known: KnownPrompts = ids.map(|id| (PromptId::from(id), all.clone())).collect();
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
    // Those of scenarios have their cases in `scenarios`. What only a recording or a walk shows has its cases in `menu_seeded`.
    let elsewhere = |code: &str| code > "HL0402" && code < "HL0501" || code == "HL0507" || code >= "HL0800";
    let codes = CODES.iter().map(|(code, _)| *code);
    let unseen: Vec<&str> = codes.filter(|code| !seen.contains(code) && !elsewhere(code)).collect();
    assert_eq!(unseen, Vec::<&str>::new(), "codes without a case");
}

#[test]
fn the_engines_own_prompts_are_asked_for_in_every_language_spoken() {
    let mut known = prompts();
    known.insert(PromptId::from("wrong-key"), [Language::English].into());
    known.remove(&PromptId::from("goodbye"));
    let found = MenuSet::load(&good(), &known).unwrap_err();
    let told: Vec<&str> = found.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        told,
        [
            "the engine's own prompt `goodbye` is missing in Mandarin",
            "the engine's own prompt `wrong-key` is missing in Mandarin",
        ]
    );
}

#[test]
fn a_thousand_doors_that_may_be_closed_are_judged_at_once() {
    let mut files = good();
    files.insert("main.toml".into(), "say = \"main\"\nthen = \"m0\"\n".into());
    for n in 0..1_000 {
        let next = if n == 999 { "all-busy".into() } else { format!("m{}", n + 1) };
        let text = format!("hours = \"office\"\nclosed = \"{next}\"\nsay = \"main\"\nthen = \"{next}\"\n");
        files.insert(format!("m{n}.toml"), text);
    }
    let office =
        "timezone = \"Asia/Shanghai\"\n[hours.office]\nholiday = \"closed\"\nmon = \"09:00-18:00\"\n";
    files.insert("calendar.toml".into(), office.into());
    assert_eq!(
        judge(&files).1.iter().map(|d| d.code).collect::<Vec<_>>(),
        ["HL0301"],
        "only account is cut off"
    );
}

#[test]
fn a_file_of_brackets_is_refused() {
    let files = with_case(&format!("#### main.toml\nsay = {}\n", "[".repeat(100_000)));
    let (installed, found) = judge(&files);
    assert!(!installed && found.iter().any(|d| d.code == "HL0101"));
    assert!(!render(&found, &files, false).is_empty());
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
