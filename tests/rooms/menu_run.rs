//! `MenuRun` as stories: each `menu_run/*.call` dials, hears, presses and waits; the transcript is a snapshot. The
//! menus are the shipped ones, so this is also what callers of the shipped hotline meet.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hotline::base::{Instant, Key, Language, Now, QueueId, UtcTime};
use hotline::exchange::Phrase;
use hotline::exchange::menu::{Made, MenuEffect, MenuRun, MenuSet, PromptTexts, Target, Visit};
use proptest::prelude::*;

pub(crate) fn shipped_files() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("menus");
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    files
}

pub(crate) fn texts() -> PromptTexts {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("audio/manifest.toml");
    let (texts, mistakes) = PromptTexts::read("audio/manifest.toml", &std::fs::read_to_string(path).unwrap());
    assert_eq!(mistakes, Vec::new());
    texts
}

pub(crate) fn shipped() -> Arc<MenuSet> {
    static SET: OnceLock<Arc<MenuSet>> = OnceLock::new();
    let set = SET.get_or_init(|| Arc::new(MenuSet::load(&shipped_files(), &texts().known()).unwrap().0));
    Arc::clone(set)
}

/// A noon on a working day in Shanghai: Monday, 2 March 2026.
pub(crate) fn noon() -> Now {
    Now { mono: Instant::ZERO, utc: UtcTime::from_secs(1_772_424_000) }
}

fn phrase(phrase: &Phrase) -> String {
    match phrase {
        Phrase::Prompt(id) => id.to_string(),
        other => format!("{other:?}"),
    }
}

pub(crate) fn told(effect: &MenuEffect) -> String {
    match effect {
        MenuEffect::Play { say } => {
            let said: Vec<String> = say.iter().map(phrase).collect();
            format!("plays {}", said.join(" + "))
        }
        MenuEffect::StopPlaying => "stops playing".into(),
        MenuEffect::Language(language) => format!("speaks {language}"),
        MenuEffect::SecretEntry(true) => "hides digits, afresh".into(),
        MenuEffect::SecretEntry(false) => "shows digits again".into(),
        MenuEffect::Entered(menu) => format!("menu {menu}"),
        MenuEffect::KeyTaken { menu, key } => format!("notes key {key} in {menu}"),
        MenuEffect::EntryMade { entry, made: Made::Digits(digits) } => format!("{entry} is {digits}"),
        MenuEffect::EntryMade { entry, made: Made::Secret { length } } => {
            format!("{entry} has {length} secret digits")
        }
        MenuEffect::ToQueue { queue, priority, human } => {
            let asked = if *human { ", asked for a human" } else { "" };
            format!("EXIT to queue {queue}, priority {priority}{asked}")
        }
        MenuEffect::HangUp { cause } => format!("EXIT hang up: {}", cause.as_str()),
    }
}

/// Plays a script; counts secret digits as the vault would.
struct Caller {
    set: Arc<MenuSet>,
    now: Now,
    run: Option<MenuRun>,
    vault: Option<u8>,
    story: String,
}

impl Caller {
    fn drain(&mut self) {
        while let Some(effect) = self.run.as_mut().and_then(MenuRun::poll_effect) {
            if let MenuEffect::SecretEntry(on) = effect {
                self.vault = on.then_some(0);
            }
            writeln!(self.story, "    {}", told(&effect)).unwrap();
        }
    }

    fn press(&mut self, key: char) {
        let key = Key::from_char(key).unwrap();
        let run = self.run.as_mut().unwrap();
        match (&mut self.vault, key.digit()) {
            (Some(length), Some(_)) => {
                *length += 1;
                run.handle_secret_digit(self.now, *length);
            }
            _ => run.handle_key(self.now, key),
        }
        self.drain();
    }

    /// Time passes; what was asked for on the way happens.
    fn wait(&mut self, for_how_long: Duration) {
        let end = self.now.after(for_how_long);
        while let Some(deadline) = self.run.as_ref().and_then(MenuRun::next_deadline) {
            if deadline.at > end.mono {
                break;
            }
            self.now = self.now.after(deadline.at.since(self.now.mono));
            writeln!(self.story, "  ({} at {} ms)", deadline.why, self.now.mono.as_millis()).unwrap();
            self.run.as_mut().unwrap().handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn step(&mut self, line: &str) {
        writeln!(self.story, "{line}").unwrap();
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            // Seconds since 1970, with the hour in Shanghai behind it for the reader.
            "at" => {
                let seconds = rest.split_whitespace().next().unwrap();
                self.now.utc = UtcTime::from_secs(seconds.parse().unwrap());
            }
            "dial" => self.run = MenuRun::start(&self.set, rest, self.now),
            "waiting-in" => {
                let (queue, key) = rest.split_once(' ').unwrap();
                let queue = QueueId::from(queue);
                let key = Key::from_char(key.chars().next().unwrap()).unwrap();
                let menu = self.set.queues[&queue].keys[&key].clone();
                let visit = Visit { language: Language::default(), priority: None, line: Some(queue) };
                self.run = Some(MenuRun::resume(&self.set, &Target::Menu(menu), visit, self.now));
            }
            "press" => rest.chars().filter(|c| *c != ' ').for_each(|key| self.press(key)),
            "heard" => self.run.as_mut().unwrap().handle_prompt_ended(self.now),
            "wait" => self.wait(Duration::from_millis(rest.parse().unwrap())),
            other => panic!("no such step: {other}"),
        }
        self.drain();
        if verb == "dial" && self.run.is_none() {
            self.story.push_str("    no such number\n");
        }
    }
}

#[test]
fn a_caller_hears_what_the_files_say() {
    let set = shipped();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rooms/menu_run");
    let mut scripts = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "call") {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            scripts.insert(stem, std::fs::read_to_string(&path).unwrap());
        }
    }
    assert!(scripts.len() > 10);
    for (name, script) in scripts {
        let mut caller =
            Caller { set: Arc::clone(&set), now: noon(), run: None, vault: None, story: String::new() };
        for line in script.lines().map(str::trim).filter(|l| !l.is_empty()) {
            if line.starts_with('#') {
                writeln!(caller.story, "{line}").unwrap();
            } else {
                caller.step(line);
            }
        }
        insta::with_settings!({
            snapshot_path => "menu_run/snapshots",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!(name.as_str(), caller.story) });
    }
}

/// What may happen to a caller in the menus.
#[derive(Clone, Debug)]
enum Happening {
    Key(char),
    /// A digit that slips through as a key while digits are hidden.
    Slip(char),
    Heard,
    Wait(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let key = prop::sample::select("0123456789*#A".chars().collect::<Vec<_>>());
    prop_oneof![
        6 => key.clone().prop_map(Happening::Key),
        1 => key.prop_map(Happening::Slip),
        3 => Just(Happening::Heard),
        3 => (0u64..20_000).prop_map(Happening::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a caller does, he leaves by one exit within bounded steps, and no secret digit is ever told.
    #[test]
    fn every_run_ends_and_tells_no_secret(
        number in prop::sample::select(vec!["95188", "+8657195188", "95189", "hotline"]),
        hour in 0i64..24 * 365,
        happenings in prop::collection::vec(happening(), 0..120),
    ) {
        let set = shipped();
        let start = Now { mono: Instant::ZERO, utc: UtcTime::from_secs(1_767_196_800 + hour * 3_600) };
        let mut now = start;
        let mut run = MenuRun::start(&set, number, now).unwrap();
        let mut judge = Judge::default();
        judge.drain(&mut run);
        for happening in &happenings {
            match happening {
                Happening::Key(c) => judge.press(&mut run, now, *c),
                Happening::Slip(c) => {
                    let before = judge.vault;
                    run.handle_key(now, Key::from_char(*c).unwrap());
                    judge.slipped = before.is_some() && c.is_ascii_digit();
                }
                Happening::Heard => run.handle_prompt_ended(now),
                Happening::Wait(ms) => now = now.after(Duration::from_millis(*ms)),
            }
            run.handle_timeout(now);
            judge.drain(&mut run);
            judge.slipped = false;
        }
        // Left alone, he gets out: at most three mistakes a menu, each after one playing and one silence.
        let mut alone = 0;
        while let Some(deadline) = run.next_deadline() {
            now = now.after(deadline.at.since(now.mono));
            run.handle_timeout(now);
            judge.drain(&mut run);
            alone += 1;
            prop_assert!(alone <= 20, "{}", run.describe());
        }
        prop_assert!(run.is_over());
        prop_assert_eq!(judge.exits, 1);
        prop_assert!(judge.menus <= 61);
        run.handle_key(now, Key::STAR);
        run.handle_prompt_ended(now);
        prop_assert!(run.poll_effect().is_none());
    }
}

#[derive(Default)]
struct Judge {
    vault: Option<u8>,
    slipped: bool,
    exits: u32,
    menus: u32,
}

impl Judge {
    fn press(&mut self, run: &mut MenuRun, now: Now, key: char) {
        let key = Key::from_char(key).unwrap();
        match (&mut self.vault, key.digit()) {
            (Some(length), Some(_)) => {
                *length = length.saturating_add(1);
                run.handle_secret_digit(now, *length);
            }
            _ => run.handle_key(now, key),
        }
    }

    fn drain(&mut self, run: &mut MenuRun) {
        while let Some(effect) = run.poll_effect() {
            assert_eq!(self.exits, 0, "after the exit came {}", told(&effect));
            match &effect {
                MenuEffect::SecretEntry(on) => self.vault = on.then_some(0),
                MenuEffect::Entered(_) => self.menus += 1,
                MenuEffect::ToQueue { .. } | MenuEffect::HangUp { .. } => self.exits += 1,
                MenuEffect::KeyTaken { key, .. } => {
                    assert!(!(self.slipped && key.digit().is_some()), "a hidden digit was told");
                    assert!(
                        self.vault.is_none() || key.digit().is_none(),
                        "a digit was told where digits hide"
                    );
                }
                MenuEffect::EntryMade { entry, made } => {
                    let secret = entry.as_str() == "pin";
                    assert_eq!(secret, matches!(made, Made::Secret { .. }));
                }
                MenuEffect::Play { .. } | MenuEffect::StopPlaying | MenuEffect::Language(_) => {}
            }
        }
    }
}
