//! Simulated days: the same seed gives the same facts, what a scenario says happens, and a change shows.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use hotline::base::Language;
use hotline::exchange::menu::{KnownPrompts, MenuSet, PromptTexts};
use hotline::sim::{Change, Comparison, Day, DayReport, Decisions, Plan, PromptLengths, Scenario, page};

use crate::scenarios::shipped;

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn menus() -> MenuSet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("menus");
    let files: BTreeMap<String, String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&p).unwrap()))
        .collect();
    let (texts, _) = PromptTexts::read("manifest.toml", &text("audio/manifest.toml"));
    let known: KnownPrompts = texts.known();
    assert!(known.values().any(|l| *l == BTreeSet::from(Language::ALL)));
    MenuSet::load(&files, &known).unwrap().0
}

pub(crate) fn plan_of(files: &BTreeMap<String, String>, name: &str, changes: &[&str]) -> Plan {
    let changes: Vec<Change> = changes.iter().enumerate().map(|(n, text)| Change::new(n, *text)).collect();
    let scenario = Arc::new(Scenario::read(files, name, &changes).unwrap().0);
    let lengths = Arc::new(PromptLengths::read(&text("audio/manifest.lock.toml")));
    Plan::new(scenario, &menus(), lengths, files).unwrap()
}

fn plan(name: &str, changes: &[&str]) -> Plan {
    plan_of(&shipped(), &format!("{name}.toml"), changes)
}

fn run(plan: &Plan, seed: u64) -> DayReport {
    let report = Day::new(plan.clone(), seed).run(|_| {}, |_| {});
    assert_eq!(report.machine.broken, 0, "broken invariants");
    assert_eq!(report.queued, report.answered + report.abandoned + report.turned_away, "{report}");
    report
}

/// So calm that nobody waits, and so nobody is told of a wait: the hash does not hang on how waits are estimated.
const CALM: &str = r#"
title  = "calm"
begins = "2026-11-10T10:00+08:00"
lasts  = "1h"
[arrivals]
per_half_hour = [20]
[callers.account]
number   = "95188"
keys     = ["1", "2", "dddddd#"]
mistakes = 10
[callers.disputes]
number   = "95188"
keys     = ["3", "1", "dddddddddd#", "1"]
[agents.all]
count    = 30
skills   = { account = 7, disputes = 5 }
consults = { chance = 30, party = "lighthouse-service" }
[parties.lighthouse-service]
"#;

/// Golden: any machine, any build. It changes with the menus, the engine and the draws, and with nothing else.
#[test]
fn the_same_seed_makes_the_same_facts_on_any_machine() {
    let calm = plan_of(&BTreeMap::from([("calm.toml".to_owned(), CALM.to_owned())]), "calm.toml", &[]);
    let (one, two) = (run(&calm, 1), run(&calm, 1));
    assert_eq!(one, two);
    assert_ne!(one.machine.hash, run(&calm, 2).machine.hash);
    assert_eq!(one.told.told, 0, "{one}");
    insta::assert_snapshot!(format!("{} facts, {}", one.machine.facts, one.machine.hash), @"690 facts, 02ff8341b840f400564d084285c77b59");
}

#[test]
fn a_quiet_night_serves_nearly_everybody_at_once() {
    let report = run(&plan("quiet-night", &[]), 1);
    println!("{report}");
    assert!(report.visits > 80 && report.service_level.unwrap() > 0.75, "{report}");
    assert!(
        report.keys.iter().any(|k| k.menu == "main" && k.key == "1" && k.count > 10),
        "{:?}",
        report.keys
    );
}

#[test]
fn agents_who_vanish_are_lost_in_mid_sentence_and_callers_wait_until_they_are_back() {
    let report = run(&plan("staff-drop", &[]), 1);
    println!("{report}");
    let at = |clock: &str| report.half_hours.iter().find(|h| h.clock == clock).unwrap();
    assert!(report.lost_agents >= 5, "{} lost", report.lost_agents);
    assert!(at("14:00").agents > 30.0 && at("15:30").agents < 22.0, "{:?}", at("15:30"));
    assert!(at("15:30").waits.mean_s > 5.0 * at("14:00").waits.mean_s, "{:?} {:?}", at("14:00"), at("15:30"));
    assert!(report.conferences > 10, "third parties come in: {}", report.conferences);
    assert!(report.transfers > 0, "phones transfer by themselves: {}", report.transfers);
}

#[test]
fn more_agents_are_seen_to_help_the_same_callers() {
    let (few, more) = (plan("staff-drop", &[]), plan("staff-drop", &["agents.account.count=60"]));
    let mut comparison = Comparison::new(vec!["agents.account.count=60".to_owned()]);
    let mut last = None;
    for seed in 1..=3 {
        let (before, after) = (run(&few, seed), run(&more, seed));
        comparison.add(&before, &after);
        last = Some(after);
    }
    println!("{comparison}");
    let lines = comparison.lines();
    let line = |name: &str| lines.iter().find(|l| l.name == name).unwrap();
    assert!(line("mean wait").difference.mean < 0.0 && line("mean wait").difference.is_certain());
    assert!(line("service level").difference.mean > 0.0);
    assert!(line("agents busy").difference.mean < 0.0);
    let html = page(&last.unwrap(), Some(&comparison));
    assert!(html.contains("agents.account.count=60") && !html.contains("<script") && !html.contains("http"));
}

#[test]
fn what_was_decided_of_each_caller_can_be_compared() {
    let mut decisions = Decisions::default();
    Day::new(plan("quiet-night", &[]), 1).run(|_| {}, |fact| decisions.add(&fact.fact));
    let all = decisions.of_callers();
    assert!(all.len() > 50);
    for visits in all.values() {
        for visit in visits {
            assert!(visit[0].starts_with("dialled 95188") && visit.last().unwrap() == "over", "{visit:?}");
        }
    }
    let stolen: Vec<_> =
        all.values().flatten().filter(|v| v.iter().any(|w| w == "pressed 1 in account")).collect();
    assert!(stolen.len() > 10, "{}", stolen.len());
    assert!(stolen.iter().any(|v| v.contains(&"queue urgent in class 0".to_owned())), "{stolen:?}");
}

#[test]
fn a_scenario_that_names_what_the_menus_do_not_have_is_told_so() {
    let text = shipped()["quiet-night.toml"].replace("\"95188\"", "\"95187\"");
    let files = BTreeMap::from([("a.toml".to_owned(), text)]);
    let scenario = Arc::new(Scenario::read(&files, "a.toml", &[]).unwrap().0);
    let found = Plan::new(scenario, &menus(), Arc::default(), &files).unwrap_err();
    let lines: Vec<String> = found.iter().map(hotline::exchange::menu::Diagnostic::line).collect();
    assert_eq!(lines[0], "a.toml:11:12: error HL0806: the menus have no number `95187`");
    assert_eq!(lines.len(), 4);
}
