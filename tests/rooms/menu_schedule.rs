//! Scheduled changes: what is otherwise from one moment to another, for whom, and why that is so.
use std::collections::BTreeMap;
use std::sync::Arc;

use hotline::base::UtcTime;
use hotline::exchange::menu::{
    Act, Bounds, MenuSet, PromptLengths, PromptTexts, Reading, Rehearsal, Scene, Stage, prove, when,
};

use crate::menu_run::{shipped_files, texts};

const SCHEDULE: &str = r#"[festival]
from     = "2026-03-02T00:00"
to       = "2026-03-03T00:00"
numbers  = ["95188"]
greeting = "welcome-merchant"
menu     = "overseas"

[loans-move]
from   = "2026-03-04T09:00"
to     = "2026-03-04T17:00"
queues = ["loans"]
closed = "night"

[fault]
from   = "2026-03-05T12:00"
to     = "2026-03-05T12:30"
banner = "banner-fault"

[slow]
from   = "2026-03-06T12:00"
to     = "2026-03-06T12:30"
queues = ["disputes"]
banner = "banner-busy"
"#;

fn files() -> BTreeMap<String, String> {
    let mut files = shipped_files();
    files.insert("schedule.toml".to_owned(), SCHEDULE.to_owned());
    files
}

/// With lengths by the words alone.
fn read() -> (Reading, PromptTexts, Arc<PromptLengths>) {
    let texts = texts();
    let reading = MenuSet::read(&files(), &texts.known()).unwrap();
    let lengths = Arc::new(PromptLengths::estimated(&texts));
    (reading, texts, lengths)
}

fn stage(at: &str) -> Stage {
    let (reading, texts, lengths) = read();
    let sources = reading.sources(&files());
    let set = Arc::new(reading.set);
    let at = set.zone.parse(at).unwrap();
    Stage { set, lengths, texts, at, sources }
}

/// What the caller of `number` meets, each scene as its menu, its line or its prompts.
fn meets(stage: &Stage, number: &str, keys: &str) -> Vec<String> {
    let mut caller = Rehearsal::dial(&stage.set, &stage.lengths, number, stage.at).unwrap();
    for key in keys.chars() {
        caller.act(Act::from_char(key).unwrap());
    }
    let told = |scene: Scene| match scene {
        Scene::Says { say, .. } => format!("{say:?}"),
        Scene::Menu(menu) => format!("menu {menu}"),
        Scene::Line { queue, .. } => format!("line {queue}"),
        other => format!("{other:?}"),
    };
    caller.take_scenes().into_iter().map(told).collect()
}

fn has(met: &[String], what: &str) -> bool {
    met.iter().any(|scene| scene.contains(what))
}

#[test]
fn another_greeting_and_another_menu_hold_from_the_first_moment_to_the_last() {
    for (at, changed) in [
        ("2026-03-01T23:59:59", false),
        ("2026-03-02T00:00", true),
        ("2026-03-02T23:59:59", true),
        ("2026-03-03T00:00", false),
    ] {
        let met = meets(&stage(at), "95188", "");
        assert_eq!(has(&met, "menu overseas"), changed, "{at}: {met:?}");
        assert_eq!(has(&met, "welcome-merchant"), changed, "{at}: {met:?}");
        assert!(has(&meets(&stage(at), "hotline", ""), "menu main"), "another number is as it was");
    }
}

#[test]
fn a_queue_is_closed_for_a_while_and_opens_again() {
    for (at, to) in [
        ("2026-03-04T08:59", "line loans"),
        ("2026-03-04T09:00", "menu night"),
        ("2026-03-04T17:00", "line loans"),
    ] {
        let met = meets(&stage(at), "95188", "21");
        assert!(has(&met, to), "{at}: {met:?}");
    }
}

#[test]
fn a_banner_is_said_after_the_greeting_of_all_numbers_or_after_the_name_of_its_queue() {
    let all = stage("2026-03-05T12:10");
    for number in ["95188", "hotline", "+8657195188"] {
        let met = meets(&all, number, "");
        let said = met.iter().find(|scene| scene.contains("banner-fault")).unwrap();
        let (greeting, banner) = (said.find("welcome").unwrap(), said.find("banner-fault").unwrap());
        assert!(greeting < banner, "{said}");
    }
    let line = stage("2026-03-06T12:10");
    assert!(!has(&meets(&line, "95188", ""), "banner"), "only in the queue");
    let met = meets(&line, "95188", "30");
    assert!(met.last().unwrap().contains("queue-disputes") && has(&met, "banner-busy"), "{met:?}");
    assert!(!has(&meets(&line, "95188", "40"), "banner"), "not in another queue");
}

#[test]
fn a_call_keeps_what_it_entered_with() {
    let before = stage("2026-03-04T08:59:59");
    let mut caller = Rehearsal::dial(&before.set, &before.lengths, "95188", before.at).unwrap();
    caller.act(Act::Wait);
    assert!(before.set.is_open("loans-desk", caller.now().utc));
    assert!(caller.now().utc > before.set.zone.parse("2026-03-04T09:00").unwrap(), "the change has begun");
    for key in ['2', '1'] {
        caller.act(Act::from_char(key).unwrap());
    }
    assert_eq!(caller.line().map(hotline::base::QueueId::as_str), Some("loans"));
}

#[test]
fn when_says_what_holds_until_when_and_in_which_line_that_stands() {
    let told = when(&stage("2026-03-02T10:00"), "95188").unwrap();
    assert!(told.starts_with("95188 (numbers.toml:3) at 2026-03-02T10:00"), "{told}");
    let changed = "changed by festival (schedule.toml:1) until 2026-03-03T00:00: another greeting; the first menu is overseas";
    assert!(told.contains(changed), "{told}");
    assert!(told.contains("menu overseas (overseas.toml:2)"), "{told}");
    let told = when(&stage("2026-03-02T10:00"), "hotline").unwrap();
    assert!(
        told.contains("festival (schedule.toml:1) until 2026-03-03T00:00: nothing for this number"),
        "{told}"
    );
    let told = when(&stage("2026-03-05T12:10"), "95188").unwrap();
    assert!(told.contains("the banner banner-fault"), "{told}");
    let told = when(&stage("2026-03-04T10:00"), "95188").unwrap();
    assert!(told.contains("closed: loans"), "{told}");
    assert!(told.contains("loans-desk is open (calendar.toml:"), "{told}");
}

#[test]
fn the_proof_walks_hours_and_changes_together() {
    let (reading, _, lengths) = read();
    let plain = MenuSet::read(&shipped_files(), &texts().known()).unwrap();
    let hours = |reading: &Reading| prove(reading, &files(), &lengths, Bounds::default());
    let (before, after) = (hours(&plain), hours(&reading));
    assert!(after.diagnostics.is_empty(), "{:?}", after.diagnostics);
    // The festival's Monday has all hours of a day; each of the others at least its own.
    assert!(after.hours >= before.hours + 6, "{} and {}", before.hours, after.hours);
}

#[test]
fn what_only_holds_for_a_while_is_proved_too() {
    let mut files = files();
    let sermon = SCHEDULE.replacen("menu     = \"overseas\"", "menu     = \"terms\"", 1);
    files.insert("schedule.toml".to_owned(), sermon);
    files.insert("terms.toml".to_owned(), "say = \"urgent\"\nthen = \"main\"\n".to_owned());
    let texts = texts();
    let reading = MenuSet::read(&files, &texts.known()).unwrap();
    let mut lengths = PromptLengths::estimated(&texts);
    for (slot, lasts) in &mut lengths.lengths {
        if slot.1.as_str() == "urgent" {
            *lasts = std::time::Duration::from_mins(4);
        }
    }
    let found = prove(&reading, &files, &lengths, Bounds::default()).diagnostics;
    let sermon = found.iter().find(|d| d.code == "HL0907" && d.file == "terms.toml").unwrap();
    let at = sermon.shown_by.as_ref().unwrap().at.clone();
    assert!(at.starts_with("2026-03-02"), "shown while it holds: {at}");
}

#[test]
fn a_set_without_changes_is_its_own() {
    let set = Arc::new(MenuSet::read(&shipped_files(), &texts().known()).unwrap().set);
    assert!(Arc::ptr_eq(&set, &set.at(UtcTime::from_micros(0))));
    let changed = Arc::new(read().0.set);
    let at = changed.zone.parse("2026-03-02T10:00").unwrap();
    let held = changed.at(at);
    assert_eq!(held.at(at), held, "applied once, and not again");
    assert_eq!(held.revision, changed.revision);
}

#[test]
fn holidays_by_the_moon_and_worked_weekends_are_data() {
    let set = MenuSet::read(&shipped_files(), &texts().known()).unwrap().set;
    let open = |hours: &str, at: &str| set.is_open(hours, set.zone.parse(at).unwrap());
    // Lunar New Year's Eve, Dragon Boat and Mid-Autumn of both years.
    for day in ["2026-02-16", "2026-06-19", "2026-09-25", "2027-02-05", "2027-06-09", "2027-09-15"] {
        assert!(!open("office", &format!("{day}T10:00")), "{day}");
    }
    // Weekends that are worked for them.
    for day in ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"] {
        assert!(open("office", &format!("{day}T10:00")), "{day}");
    }
    for day in ["2026-02-07", "2026-02-24", "2026-05-10"] {
        let worked = day == "2026-02-24";
        assert_eq!(open("office", &format!("{day}T10:00")), worked, "{day}");
    }
}

#[test]
fn the_proof_holds_with_each_banner_before_the_menu_and_says_which_is_to_blame() {
    let reading = MenuSet::read(&shipped_files(), &texts().known()).unwrap();
    let mut lengths = PromptLengths::estimated(&texts());
    let prove = |lengths: &PromptLengths| prove(&reading, &shipped_files(), lengths, Bounds::default());
    let plain = prove(&lengths);
    assert!(plain.diagnostics.is_empty(), "{:?}", plain.diagnostics);
    // A banner without a sound.
    for (slot, lasts) in &mut lengths.lengths {
        if slot.1.as_str() == "banner-fraud" {
            *lasts = std::time::Duration::from_mins(10);
        }
    }
    let found = prove(&lengths).diagnostics;
    let blamed = found.iter().find_map(|d| d.shown_by.as_ref()?.banner.clone());
    assert_eq!(blamed.as_deref(), Some("banner-fraud"), "{found:?}");
    let command = found.iter().find_map(|d| Some(d.shown_by.as_ref()?.command())).unwrap();
    assert!(command.contains("--banner banner-fraud"), "{command}");
}
