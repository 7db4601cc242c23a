//! The emergency banner: who hears it, once; off by itself; over a restart; never between a caller and a human.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{Language, Now, PromptId};
use hotline::exchange::menu::{MenuSet, PromptTexts, Rehearsal};
use hotline::exchange::{
    Banner, BannerWish, Command, Entry, ExchangeSettings, Fact, Input, Ledger, Ops, Peer, Switchboard,
};

use crate::menu_run::{shipped_files, texts};
use crate::small_hotline::{keys, menus};
use crate::world::World;

const PROMPT: &str = "banner-fault";

fn world() -> World {
    World::new(menus(), ExchangeSettings::default())
}

fn banner(world: &World, lasts: Duration) -> Banner {
    Banner {
        prompt: PromptId::from(PROMPT),
        text: BTreeMap::new(),
        sounds: BTreeMap::new(),
        numbers: [].into(),
        queues: [].into(),
        until: world.now.utc + lasts,
    }
}

fn post(world: &mut World, banner: Banner) {
    world.feed(Input::Ops(Ops::Banner(Some(Box::new(banner)))));
}

fn on(world: &mut World) {
    let banner = banner(world, Duration::from_hours(2));
    post(world, banner);
}

fn dial(world: &mut World, name: &str, number: &str) {
    world.dial(name, number, name, Peer::Stranger);
}

/// Rings and asks for a person.
fn waits(world: &mut World, name: &str) {
    dial(world, name, "95188");
    let leg = world.leg(name);
    world.press(leg, keys("0")[0]);
}

/// The playings that said the banner to this phone.
fn said(world: &World, name: &str) -> Vec<(Vec<String>, bool)> {
    let to = world.leg(name);
    let play = |c: &Command| match c {
        Command::Play { leg, prompts, barge_in, .. } if *leg == to => {
            Some((prompts.iter().map(ToString::to_string).collect::<Vec<_>>(), *barge_in))
        }
        _ => None,
    };
    world.commands.iter().filter_map(play).filter(|(all, _)| all.iter().any(|p| p == PROMPT)).collect()
}

fn hear_all(world: &mut World, name: &str) {
    let leg = world.leg(name);
    while world.hear(leg) {}
}

fn facts(world: &World) -> Vec<&'static str> {
    world.facts.iter().map(|f| f.fact.kind()).filter(|kind| kind.starts_with("banner")).collect()
}

#[test]
fn who_rings_hears_it_after_the_greeting_and_a_key_stops_it() {
    let mut world = world();
    dial(&mut world, "before", "95188");
    on(&mut world);
    dial(&mut world, "after", "95188");
    assert!(said(&world, "before").is_empty(), "who is in the menus goes on undisturbed");
    let heard = said(&world, "after");
    assert_eq!(heard.len(), 1);
    let (prompts, interruptible) = &heard[0];
    let at = |name: &str| prompts.iter().position(|p| p == name).unwrap();
    assert!(at(PROMPT) < at("menu-main") && *interruptible, "{prompts:?}");
    let leg = world.leg("after");
    world.press(leg, keys("0")[0]);
    assert!(facts(&world).contains(&"banner_on"));
    let queued = world.facts.iter().filter(|f| matches!(f.fact, Fact::Queued { .. })).count();
    assert_eq!(queued, 1, "0 led to a human at once");
    hear_all(&mut world, "after");
    assert_eq!(said(&world, "after").len(), 1, "once, and not again in the queue");
}

#[test]
fn who_waits_hears_it_at_once_after_what_is_being_said_and_only_once() {
    let mut world = world();
    waits(&mut world, "busy");
    waits(&mut world, "quiet");
    hear_all(&mut world, "quiet");
    on(&mut world);
    assert_eq!(said(&world, "quiet").len(), 1, "nothing was being said: at once");
    assert!(said(&world, "quiet")[0].1, "a key stops it");
    assert!(said(&world, "busy").is_empty(), "no word is cut");
    hear_all(&mut world, "busy");
    assert_eq!(said(&world, "busy").len(), 1);
    world.wait(Duration::from_mins(2));
    hear_all(&mut world, "quiet");
    world.wait(Duration::from_mins(2));
    assert_eq!(said(&world, "quiet").len(), 1);
}

#[test]
fn another_banner_is_another_word() {
    let mut world = world();
    waits(&mut world, "one");
    hear_all(&mut world, "one");
    on(&mut world);
    hear_all(&mut world, "one");
    on(&mut world);
    hear_all(&mut world, "one");
    assert_eq!(said(&world, "one").len(), 2);
}

#[test]
fn with_sounds_of_its_own_it_is_said_by_a_name_that_only_these_sounds_have() {
    let mut world = world();
    let mut one = banner(&world, Duration::from_hours(1));
    one.sounds = [(Language::Mandarin, "0123456789abcdef".repeat(4))].into();
    let mut two = one.clone();
    two.sounds.insert(Language::English, "f".repeat(64));
    assert_ne!(one.said(), two.said());
    post(&mut world, two.clone());
    dial(&mut world, "rings", "95188");
    let leg = world.leg("rings");
    world.press(leg, keys("0")[0]);
    waits(&mut world, "waits");
    hear_all(&mut world, "waits");
    post(&mut world, one.clone());
    let played = |banner: &Banner| {
        let has =
            |c: &&Command| matches!(c, Command::Play { prompts, .. } if prompts.contains(&banner.said()));
        world.commands.iter().filter(has).count()
    };
    assert_eq!((played(&two), played(&one)), (2, 1));
    assert!(said(&world, "rings").is_empty(), "the prompt's own name is that of the menus");
}

#[test]
fn it_is_for_the_numbers_and_queues_that_it_names() {
    let mut world = world();
    waits(&mut world, "waits");
    hear_all(&mut world, "waits");
    let mut only = banner(&world, Duration::from_hours(1));
    only.numbers = ["057195188".to_owned()].into();
    post(&mut world, only.clone());
    dial(&mut world, "domestic", "95188");
    dial(&mut world, "overseas", "057195188");
    assert!(said(&world, "waits").is_empty() && said(&world, "domestic").is_empty());
    assert_eq!(said(&world, "overseas").len(), 1);
    only.numbers = [].into();
    only.queues = ["general".into()].into();
    post(&mut world, only);
    assert_eq!(said(&world, "waits").len(), 1);
    dial(&mut world, "new", "95188");
    assert!(said(&world, "new").is_empty(), "not before the menu");
    let leg = world.leg("new");
    world.press(leg, keys("0")[0]);
    hear_all(&mut world, "new");
    assert_eq!(said(&world, "new").len(), 1, "in the queue");
}

#[test]
fn it_is_off_by_itself_and_by_hand() {
    let mut world = world();
    let short = banner(&world, Duration::from_mins(90));
    post(&mut world, short);
    assert!(world.board.view(world.now).banner.is_some());
    world.wait(Duration::from_mins(89));
    dial(&mut world, "in time", "95188");
    assert_eq!(said(&world, "in time").len(), 1);
    world.wait(Duration::from_mins(2));
    assert!(world.board.view(world.now).banner.is_none());
    assert_eq!(facts(&world), ["banner_on", "banner_off"]);
    dial(&mut world, "late", "95188");
    assert!(said(&world, "late").is_empty());
    on(&mut world);
    world.feed(Input::Ops(Ops::Banner(None)));
    dial(&mut world, "later", "95188");
    assert!(said(&world, "later").is_empty());
    assert_eq!(facts(&world), ["banner_on", "banner_off", "banner_on", "banner_off"]);
}

#[test]
fn no_clock_that_is_set_lets_it_outlive_its_end() {
    let mut world = world();
    on(&mut world);
    // The civil clock jumps over its end while the other goes on.
    world.now = Now { utc: world.now.utc + Duration::from_hours(3), ..world.now };
    dial(&mut world, "after", "95188");
    assert!(said(&world, "after").is_empty());
}

fn ledger_of(entries: &[Entry], now: Now) -> Ledger {
    let mut ledger = Ledger::default();
    for entry in entries {
        ledger.apply(entry);
    }
    ledger.mark(now);
    serde_json::from_str(&serde_json::to_string(&ledger).unwrap()).unwrap()
}

#[test]
fn it_survives_a_restart_and_ends_in_time_all_the_same() {
    let mut world = world();
    on(&mut world);
    let ledger = ledger_of(&world.entries, world.now);
    for (down, there) in [(Duration::from_mins(5), true), (Duration::from_hours(3), false)] {
        let settings = ExchangeSettings { first_number: ledger.last_number(), ..ExchangeSettings::default() };
        let mut board = Switchboard::new(settings, menus());
        let now = Now { mono: ledger.at().mono + down, utc: ledger.at().utc + down };
        board.restore(now, &ledger);
        board.handle_timeout(now);
        assert_eq!(board.view(now).banner.is_some(), there, "down for {down:?}");
    }
    world.feed(Input::Ops(Ops::Banner(None)));
    let mut board = Switchboard::new(ExchangeSettings::default(), menus());
    board.restore(world.now, &ledger_of(&world.entries, world.now));
    assert!(board.view(world.now).banner.is_none(), "what was taken off stays off");
}

#[test]
fn a_tape_of_it_gives_the_same_again() {
    let mut world = world();
    waits(&mut world, "one");
    on(&mut world);
    dial(&mut world, "two", "95188");
    world.wait(Duration::from_hours(3));
    let mut again = Switchboard::new(ExchangeSettings::default(), menus());
    let mut made: Vec<Entry> = Vec::new();
    for entry in &world.entries {
        let read: Entry = serde_json::from_str(&serde_json::to_string(entry).unwrap()).unwrap();
        again.replay(&read, |_| None).unwrap();
        made.extend(std::iter::from_fn(|| again.poll_entry()));
    }
    assert_eq!(made, world.entries);
}

fn shipped() -> (Arc<MenuSet>, PromptTexts) {
    let texts = texts();
    (Arc::new(MenuSet::read(&shipped_files(), &texts.known()).unwrap().set), texts)
}

#[test]
fn a_wish_is_judged_by_the_menus_that_are_installed() {
    let (set, texts) = shipped();
    let now = set.zone.parse("2026-03-02T10:00").unwrap();
    let good =
        BannerWish { prompt: Some(PROMPT.to_owned()), lasts: Some("2h".to_owned()), ..BannerWish::default() };
    let made = good.banner(&set, &texts, now).unwrap();
    assert_eq!(made.until, now + Duration::from_hours(2));
    assert_eq!(made.text[&Language::English], texts.0[&made.prompt][&Language::English]);
    let by_words = BannerWish { prompt: None, text: made.text.clone(), ..good.clone() };
    assert_eq!(by_words.banner(&set, &texts, now).unwrap().prompt, made.prompt);
    let until = BannerWish { until: Some("2026-03-02T11:30".to_owned()), lasts: None, ..good.clone() };
    assert_eq!(until.banner(&set, &texts, now).unwrap().until, now + Duration::from_mins(90));
    let words = |text: &str| BannerWish {
        prompt: None,
        text: [(Language::English, text.to_owned())].into(),
        ..good.clone()
    };
    let spoken = words(" Payments\n are\u{7} down. ").banner(&set, &texts, now).unwrap();
    assert!(spoken.is_spoken() && !made.is_spoken());
    assert_eq!(spoken.text[&Language::English], "Payments are down.");
    let wrong = [
        (BannerWish { prompt: Some("main".into()), ..good.clone() }, "is no banner"),
        (BannerWish { prompt: None, ..good.clone() }, "or name a prompt"),
        (words(" \n "), "no word to say"),
        (words(&"long ".repeat(41)), "nobody listens to more than 200"),
        (BannerWish { numbers: ["1".to_owned()].into(), ..good.clone() }, "cannot dial 1"),
        (BannerWish { queues: ["lones".to_owned()].into(), ..good.clone() }, "no queue `lones`"),
        (BannerWish { lasts: None, ..good.clone() }, "until when?"),
        (BannerWish { lasts: Some("a while".into()), ..good.clone() }, "no time"),
        (BannerWish { lasts: Some("1000h".into()), ..good.clone() }, "31 days"),
        (BannerWish { until: Some("2026-03-02T11:30".into()), ..good.clone() }, "not both"),
        (BannerWish { until: Some("2026-03-02T09:00".into()), lasts: None, ..good.clone() }, "over already"),
        (BannerWish { until: Some("noon".into()), lasts: None, ..good }, "is no moment"),
    ];
    for (wish, why) in wrong {
        let refused = wish.banner(&set, &texts, now).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn a_rehearsal_hears_it_too() {
    let (set, texts) = shipped();
    let lengths = Arc::new(hotline::exchange::menu::PromptLengths::estimated(&texts));
    let at = set.zone.parse("2026-03-02T10:00").unwrap();
    let prompt = PromptId::from(PROMPT);
    let mut caller = Rehearsal::dial_with(&set, &lengths, ("95188", Some(&prompt)), at).unwrap();
    let scenes = format!("{:?}", caller.take_scenes());
    assert!(scenes.contains(PROMPT), "{scenes}");
}
