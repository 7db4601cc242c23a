//! The rules find what they are for: in files, and in ways that a broken machine would have.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::judge::Judge;
use super::walk::{self, To, Ways};
use super::*;
use crate::base::{Language, PromptId};
use crate::exchange::EXCHANGE_PROMPTS;
use crate::exchange::menu::resolve::KnownPrompts;
use crate::exchange::menu::run::{Does, Stands};
use crate::exchange::menu::{CODES, HOUSE_PROMPTS};

fn small() -> BTreeMap<String, String> {
    let files = [
        (
            "main.toml",
            "say = \"main\"\n[keys]\n1 = \"account\"\n2 = \"order\"\n3 = \"warn\"\n9 = \"english\"\n\"*\" = \"repeat\"\n",
        ),
        ("account.toml", "say = \"account\"\n[keys]\n1 = \"queue loans\"\n\"*\" = \"main\"\n"),
        ("english.toml", "language = \"en\"\nsay = \"main\"\nthen = \"main\"\n"),
        (
            "order.toml",
            "say = \"main\"\n[entry]\nname = \"order\"\ndigits = [2, 4]\nconfirm = true\nthen = \"queue loans\"\n",
        ),
        ("warn.toml", "say = \"main\"\nthen = \"pin\"\n"),
        (
            "pin.toml",
            "say = \"main\"\n[entry]\nname = \"pin\"\ndigits = 3\nsecret = true\nthen = \"queue loans\"\n",
        ),
        ("late.toml", "say = \"main\"\n[keys]\n1 = \"human\"\n\"*\" = \"main\"\n"),
        ("all-busy.toml", "say = \"all-busy\"\nthen = \"hang up\"\n"),
        ("numbers.toml", "[95188]\nmenu = \"main\"\n"),
        (
            "queues.toml",
            "human = \"general\"\n[general]\nname = \"q\"\noverflow = \"all-busy\"\nkeys = { 1 = \"order\" }\n\
             [loans]\nname = \"q\"\nhours = \"desk\"\nclosed = \"late\"\n",
        ),
        (
            "calendar.toml",
            "timezone = \"Asia/Shanghai\"\n[hours.desk]\nmon-fri = \"09:00-18:00\"\nholiday = \"closed\"\n",
        ),
        ("agents.toml", "[agent.8001]\nalias = \"Lele\"\nlanguages = [\"zh\", \"en\"]\n"),
    ];
    files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

fn known() -> KnownPrompts {
    let ids =
        ["main", "account", "all-busy", "q", "long"].into_iter().chain(HOUSE_PROMPTS).chain(EXCHANGE_PROMPTS);
    ids.chain(["music"]).map(|id| (PromptId::from(id), Language::ALL.into())).collect()
}

/// Every prompt lasts two seconds, `long` a minute.
fn lengths() -> PromptLengths {
    let known = known();
    let all = known.keys().flat_map(|id| Language::ALL.map(|language| (language, id.clone())));
    let lasts = |id: &PromptId| Duration::from_secs(if id.as_str() == "long" { 60 } else { 2 });
    PromptLengths { lengths: all.map(|slot| (slot.clone(), lasts(&slot.1))).collect(), gap: Duration::ZERO }
}

fn proof(files: &BTreeMap<String, String>) -> Proof {
    let reading = MenuSet::read(files, &known()).unwrap_or_else(|found| panic!("{found:?}"));
    prove(&reading, files, &lengths(), Bounds::default())
}

fn with(file: &str, text: &str) -> BTreeMap<String, String> {
    let mut files = small();
    files.insert(file.to_owned(), text.to_owned());
    files
}

fn codes(files: &BTreeMap<String, String>) -> Vec<&'static str> {
    proof(files).diagnostics.iter().map(|d| d.code).collect()
}

#[test]
fn a_good_set_is_proved_at_every_hour() {
    let proof = proof(&small());
    assert_eq!(proof.diagnostics, Vec::new());
    assert_eq!(proof.hours, 2, "the desk is open, or it is closed");
    assert!(proof.states > 300, "{}", proof.states);
    assert!(proof.alone < Duration::from_mins(1), "{}", proof.told());
}

#[test]
fn what_is_found_is_shown_by_keys_that_a_rehearsal_plays() {
    let files = with("warn.toml", "say = [\"long\", \"long\", \"long\", \"long\"]\nthen = \"pin\"\n");
    let found = proof(&files).diagnostics;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].code, found[0].file.as_str()), ("HL0907", "warn.toml"));
    let trial = found[0].shown_by.clone().unwrap();
    let reading = MenuSet::read(&files, &known()).unwrap();
    let set = Arc::new(reading.set);
    let at = set.zone.parse(&trial.at).unwrap();
    let mut caller =
        crate::exchange::menu::Rehearsal::dial(&set, &Arc::new(lengths()), &trial.dial, at).unwrap();
    for act in trial.keys.chars().map(|c| Act::from_char(c).unwrap()) {
        caller.act(act);
    }
    assert_eq!(caller.line().map(ToString::to_string).as_deref(), Some("general"), "{}", trial.command());
    assert!(caller.now().mono.as_millis() > 240_000, "{}", caller.now().mono.as_millis());
}

#[test]
fn files_that_keep_callers_are_found() {
    let full = "human = \"general\"\n[general]\nname = \"q\"\noverflow = \"all-busy\"\n\
                [loans]\nname = \"q\"\noverflow = \"late\"\n";
    let around = "say = \"main\"\n[keys]\n0 = \"queue loans\"\n";
    let cases = [
        ("HL0905", vec![("queues.toml", full), ("late.toml", around), ("calendar.toml", "")]),
        (
            "HL0907",
            vec![(
                "main.toml",
                "say = [\"long\", \"long\"]\n[keys]\n1 = \"account\"\n2 = \"order\"\n3 = \"warn\"\n9 = \"english\"\n",
            )],
        ),
        ("HL0908", vec![("late.toml", "say = \"main\"\n[keys]\n1 = \"queue loans\"\n\"*\" = \"main\"\n")]),
    ];
    for (code, changed) in cases {
        let mut files = small();
        for (file, text) in changed {
            files.insert(file.to_owned(), text.to_owned());
        }
        let found = codes(&files);
        assert!(found.contains(&code), "{code}: {found:?}");
    }
}

#[test]
fn an_hour_without_anybody_is_found() {
    let mut files = with(
        "agents.toml",
        "[agent.8001]\nalias = \"Lele\"\nlanguages = [\"zh\", \"en\"]\nhours = \"early\"\n",
    );
    let calendar = "timezone = \"Asia/Shanghai\"\n[hours.desk]\nmon-fri = \"09:00-18:00\"\nholiday = \"closed\"\n\
                    [hours.early]\nmon-sun = \"08:00-17:00\"\nholiday = \"08:00-17:00\"\n";
    files.insert("calendar.toml".into(), calendar.into());
    let found = proof(&files).diagnostics;
    assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), ["HL0507", "HL0507"], "{found:?}");
    let loans = found.iter().find(|d| d.message.contains("queue loans")).unwrap();
    assert!(loans.message.contains("T17:00 until"), "{}", loans.message);
    let always = calendar.replace("08:00-17:00", "00:00-24:00");
    files.insert("calendar.toml".into(), always);
    assert_eq!(codes(&files), Vec::<&str>::new());
}

/// The ways of the small set, changed as a broken machine would have them.
fn broken(change: impl Fn(&mut Ways)) -> Vec<&'static str> {
    let files = small();
    let set = Arc::new(MenuSet::read(&files, &known()).unwrap().set);
    let lengths = Arc::new(lengths());
    let at = set.zone.parse("2026-03-02T12:00").unwrap();
    let mut ways = walk::walk(&set, &lengths, at);
    change(&mut ways);
    let bounds = Bounds::default();
    let mut judge =
        Judge { set: &set, ways: &ways, bounds, faults: Vec::new(), measured: Measured::default() };
    judge.judge();
    let mut codes: Vec<&str> = judge.faults.iter().map(|fault| fault.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The first state that stands and does so.
fn state(ways: &Ways, menu: &str, stands: Stands, does: Does) -> usize {
    let is = |mark: &crate::exchange::menu::run::Mark| {
        mark.menu.as_str() == menu && mark.stands == stands && mark.does == does
    };
    ways.states.iter().position(|s| s.place.mark().is_some_and(is)).unwrap()
}

fn lead(ways: &mut Ways, from: usize, key: char, to: To) {
    let act = Act::from_char(key).unwrap();
    let edge = ways.states[from].edges.iter_mut().find(|edge| edge.act == act);
    edge.unwrap_or_else(|| panic!("no {key} there")).to = to;
}

#[test]
fn whole_ways_have_no_fault() {
    assert_eq!(broken(|_| {}), Vec::<&str>::new());
}

#[test]
fn a_machine_that_is_deaf_to_zero_is_found() {
    for (menu, stands, does, key) in [
        ("main", Stands::Choosing, Does::Thinks, '0'),
        ("account", Stands::Choosing, Does::Listens, '0'),
        ("order", Stands::Entering, Does::Types, '*'),
        ("order", Stands::Confirming, Does::Listens, '0'),
        ("english", Stands::Announcing, Does::Listens, '0'),
        ("warn", Stands::Announcing, Does::Listens, '*'),
    ] {
        let found = broken(|ways| {
            let at = state(ways, menu, stands, does);
            lead(ways, at, key, To::State(at));
        });
        assert!(found.contains(&"HL0901"), "{menu} {stands:?} {does:?}: {found:?}");
    }
}

#[test]
fn a_machine_that_forgets_a_key_pressed_twice_is_found() {
    let found = broken(|ways| {
        let at = state(ways, "main", Stands::Choosing, Does::Thinks);
        let To::State(wrong) = ways.edge(at, Act::from_char('5').unwrap()).unwrap().to else { panic!() };
        lead(ways, wrong, '5', To::State(wrong));
    });
    assert!(found.contains(&"HL0902"), "{found:?}");
}

#[test]
fn a_machine_that_does_not_count_mistakes_is_found() {
    let found = broken(|ways| {
        let at = state(ways, "account", Stands::Choosing, Does::Thinks);
        lead(ways, at, '~', To::State(at));
    });
    assert_eq!(found, ["HL0903", "HL0904"]);
}

#[test]
fn a_machine_that_hangs_up_or_lets_nobody_out_is_found() {
    let hung_up = broken(|ways| {
        let at = state(ways, "account", Stands::Choosing, Does::Thinks);
        lead(ways, at, '1', To::End);
    });
    assert_eq!(hung_up, ["HL0909"]);
    let caught = broken(|ways| {
        let at = state(ways, "account", Stands::Choosing, Does::Thinks);
        for edge in &mut ways.states[at].edges {
            edge.to = To::State(at);
        }
    });
    assert!(caught.contains(&"HL0904") && caught.contains(&"HL0901"), "{caught:?}");
}

#[test]
fn a_menu_without_sound_is_found() {
    let files = small();
    let reading = MenuSet::read(&files, &known()).unwrap();
    let mut silent = lengths();
    silent.lengths.remove(&(Language::English, PromptId::from("account")));
    let found = prove(&reading, &files, &silent, Bounds::default()).diagnostics;
    assert_eq!(
        found.iter().map(|d| (d.code, d.file.as_str())).collect::<Vec<_>>(),
        [("HL0910", "account.toml")]
    );
    assert!(found[0].shown_by.as_ref().unwrap().keys.contains('9'), "it shows in English alone");
}

#[test]
fn every_rule_is_a_known_code() {
    for (code, _) in HELP {
        assert!(CODES.iter().any(|(known, _)| *known == code), "{code}");
    }
}
