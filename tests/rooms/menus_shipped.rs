//! The files of `menus/` are clean, and every way through them ends; so do the examples of their reference.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::time::Duration;

use hotline::base::{Instant, Key, Language, MenuId, Now, UtcTime};
use hotline::exchange::menu::{MenuEffect, MenuRun, MenuSet, Step, render};
use proptest::prelude::*;

use crate::menu_run::{noon, shipped, shipped_files, texts};

/// Most keys from any shipped menu to a human: one.
const KEYS: usize = 1;

#[test]
fn every_shipped_file_is_clean() {
    let files = shipped_files();
    match MenuSet::load(&files, &texts().known()) {
        Ok((_, warnings)) => assert!(warnings.is_empty(), "{}", render(&warnings, &files, false)),
        Err(found) => panic!("{}", render(&found, &files, false)),
    }
}

/// Noon, deep night, a holiday's noon, and a Saturday that is worked: in Shanghai.
fn moments() -> [Now; 4] {
    [1_772_424_000, 1_772_391_600, 1_771_300_800, 1_771_041_600]
        .map(|seconds| Now { mono: Instant::ZERO, utc: UtcTime::from_secs(seconds) })
}

fn exit(run: &mut MenuRun) -> Option<MenuEffect> {
    let mut exit = None;
    while let Some(effect) = run.poll_effect() {
        if matches!(effect, MenuEffect::ToQueue { .. } | MenuEffect::HangUp { .. }) {
            exit = Some(effect);
        }
    }
    exit
}

/// Every menu that a caller can come to at some moment, with a run that stands in it.
fn everywhere() -> BTreeMap<(u64, MenuId, Language), MenuRun> {
    let set = shipped();
    let mut found = BTreeMap::new();
    for (moment, now) in (0..).zip(moments()) {
        let mut open: VecDeque<MenuRun> =
            set.numbers.keys().map(|number| MenuRun::start(&set, number, now).unwrap()).collect();
        while let Some(mut run) = open.pop_front() {
            if exit(&mut run).is_some() {
                continue;
            }
            let place = (moment, run.menu().clone(), run.visit().language);
            if found.contains_key(&place) {
                continue;
            }
            found.insert(place, run.clone());
            for key in "123456789*#".chars().filter_map(Key::from_char) {
                let mut next = run.clone();
                next.handle_key(now, key);
                open.push_back(next);
            }
            let mut next = run;
            next.handle_prompt_ended(now);
            open.push_back(next);
        }
    }
    found
}

#[test]
fn from_everywhere_one_key_leads_to_a_human() {
    let set = shipped();
    let mut reached = BTreeSet::new();
    for ((moment, menu, _), run) in everywhere() {
        reached.insert(menu.clone());
        let now = moments()[usize::try_from(moment).unwrap()];
        let entry = matches!(set.menus[&menu].step, Step::Entry(_));
        let mut run = run;
        let key = Key::from_char(if entry { '*' } else { '0' }).unwrap();
        for _ in 0..KEYS {
            run.handle_key(now, key);
        }
        // What must be heard is heard first.
        run.handle_prompt_ended(now);
        match exit(&mut run) {
            Some(MenuEffect::ToQueue { .. }) => {}
            other => panic!("{menu} at {moment}: {key} led to {other:?}"),
        }
    }
    let line_only = BTreeSet::from(["all-busy", "waiting-order"].map(MenuId::from));
    let unreached: BTreeSet<MenuId> = set.menus.keys().filter(|m| !reached.contains(m)).cloned().collect();
    assert_eq!(unreached, line_only, "menus that only waiting callers meet");
}

#[test]
fn from_everywhere_silence_leads_out_within_a_minute_of_thinking() {
    for ((moment, menu, _), mut run) in everywhere() {
        let mut now = moments()[usize::try_from(moment).unwrap()];
        let mut thinking = Duration::ZERO;
        let mut out = None;
        for _ in 0..40 {
            run.handle_prompt_ended(now);
            out = exit(&mut run);
            let Some(deadline) = run.next_deadline().filter(|_| out.is_none()) else { break };
            if deadline.why == "menu silence" {
                thinking += deadline.at.since(now.mono);
                now = now.after(deadline.at.since(now.mono));
                run.handle_timeout(now);
                out = exit(&mut run);
            }
            if out.is_some() {
                break;
            }
        }
        assert!(out.is_some(), "{menu}: silence led nowhere");
        assert!(thinking <= Duration::from_mins(1), "{menu}: {thinking:?}");
    }
}

#[test]
fn the_description_comes_before_the_key() {
    for (id, words) in texts().0 {
        let english = words.get(&Language::English).map_or("", String::as_str);
        for clause in english.split(['.', ',']).map(str::trim).filter(|c| c.starts_with("press ")) {
            assert!(clause.len() <= "press star for a person".len(), "{id}: {clause}");
            assert!(!clause.contains(" for your ") && !clause.contains(" to hear "), "{id}: {clause}");
        }
        let mandarin = words.get(&Language::Mandarin).map_or("", String::as_str);
        for clause in
            mandarin.split(['。', ',', ';']).filter(|c| ["按 ", "按星", "按井"].iter().any(|k| c.contains(k)))
        {
            let after: Vec<char> = clause.chars().skip_while(|c| *c != '按').skip(1).collect();
            let key: String = after.into_iter().collect::<String>().trim().to_owned();
            let known = ["星号键", "井号键", "0 转人工", "星号键转人工", "1 到 4 选择服务"];
            let plain = key.chars().all(|c| c.is_ascii_digit());
            assert!(plain || known.contains(&key.as_str()), "{id}: {clause}");
        }
    }
}

#[test]
fn the_welcome_is_short() {
    for (id, words) in texts().0 {
        if id.as_str().starts_with("welcome") {
            // About four syllables a second: eight seconds of Mandarin are some thirty characters.
            assert!(words[&Language::Mandarin].chars().count() < 30, "{id}");
            assert!(words[&Language::English].split(' ').count() < 20, "{id}");
        }
    }
}

/// The examples of the reference: fenced TOML that begins with `# FILE`; those of one file belong together.
fn examples() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("menus/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for block in text.split("```toml\n").skip(1) {
        let block = block.split("```").next().unwrap();
        let name = block.lines().next().unwrap().trim_start_matches('#').trim().to_owned();
        assert!(
            Path::new(&name).extension().is_some_and(|e| e == "toml"),
            "an example must begin with its file's name, not {name:?}"
        );
        files.entry(name).or_default().push_str(block);
    }
    files
}

#[test]
fn the_examples_of_the_reference_make_one_set() {
    let files = examples();
    assert!(files.len() >= 10, "{:?}", files.keys());
    match MenuSet::load(&files, &texts().known()) {
        Ok((set, warnings)) => {
            assert!(warnings.is_empty(), "{}", render(&warnings, &files, false));
            assert!(!set.menus.is_empty());
        }
        Err(found) => panic!("{}", render(&found, &files, false)),
    }
}

#[test]
fn the_reference_names_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("menus/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let keys = [
        "say",
        "silence",
        "wrong",
        "wait",
        "language",
        "hours",
        "closed",
        "then",
        "name",
        "digits",
        "gap",
        "confirm",
        "secret",
        "menu",
        "greeting",
        "priority",
        "music",
        "code",
        "skills",
        "strategy",
        "ring_for",
        "wrap_up",
        "ageing",
        "wait_max",
        "size_max",
        "nobody",
        "tell_every",
        "expected_talk",
        "same_agent_wait",
        "name_agent",
        "service_target",
        "overflow",
        "alias",
        "languages",
        "unanswered_max",
        "number",
        "trunk",
        "notes",
        "timezone",
        "holiday",
        "dates",
        "sign_in",
        "sign_out",
        "ready",
        "hold",
        "invite",
        "join",
        "drop",
        "leave",
        "pass_on",
        "from",
        "to",
        "numbers",
        "queues",
        "banner",
    ];
    let missing: Vec<&str> = keys.into_iter().filter(|key| !text.contains(&format!("`{key}`"))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Files with a line lost, doubled, moved to another file or damaged: never a panic; and whatever is still
    /// installed has no hole that a caller could fall into.
    #[test]
    fn a_damaged_set_is_refused_or_whole(
        file in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
        line in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        how in 0u8..6,
        c in prop::char::any(),
    ) {
        let mut files = shipped_files();
        let names: Vec<String> = files.keys().cloned().collect();
        let name = file.get(&names).clone();
        let mut lines: Vec<String> = files[&name].lines().map(str::to_owned).collect();
        let i = line.index(lines.len());
        let position = lines[i].char_indices().map(|(p, _)| p).collect::<Vec<_>>();
        match how {
            0 => drop(lines.remove(i)),
            1 => { let l = lines[i].clone(); lines.insert(i, l); }
            2 if !position.is_empty() => { lines[i].remove(*at.get(&position)); }
            3 if !position.is_empty() => lines[i].insert(*at.get(&position), c),
            4 => { files.remove(&name); }
            _ => {
                let moved = lines.remove(i);
                let to = files.get_mut(other.get(&names)).unwrap();
                to.push_str(&moved);
                to.push('\n');
            }
        }
        if how != 4 {
            files.insert(name, lines.join("\n"));
        }
        match MenuSet::load(&files, &texts().known()) {
            Err(found) => {
                prop_assert!(!found.is_empty());
                prop_assert!(!render(&found, &files, false).is_empty());
            }
            Ok((set, _)) => {
                prop_assert!(set.queues.contains_key(&set.human));
                prop_assert_eq!(set.queues.keys().collect::<Vec<_>>(), set.acd.queues.keys().collect::<Vec<_>>());
                let set = std::sync::Arc::new(set);
                for number in set.numbers.keys() {
                    let mut run = MenuRun::start(&set, number, noon()).unwrap();
                    run.handle_key(noon(), Key::from_char('0').unwrap());
                    run.handle_prompt_ended(noon());
                    let _ = exit(&mut run);
                }
            }
        }
    }
}
