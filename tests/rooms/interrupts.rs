//! Every prompt can be interrupted: each stage in which something is said is reached with the machine that serves
//! callers and the shipped menus, and a key stops it. What is said nowhere here is found by the last assertion.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{AgentId, CallId, PlayId, PromptId, TicketId, UtcTime};
use hotline::exchange::acd::AcdOutput;
use hotline::exchange::menu::{HOUSE_PROMPTS, MenuSet};
use hotline::exchange::{
    Banner, Cause, Command, EXCHANGE_PROMPTS, ExchangeSettings, Fact, Input, Ops, Peer, Phrase, RiseCause,
    Told,
};

use crate::menu_run::{shipped, shipped_files, texts};
use crate::small_hotline::{keys, menus};
use crate::world::{PhoneState, World};

/// 10:00 and 3:00 on a working day in Shanghai.
const MORNING: i64 = 1_772_416_800;
const NIGHT: i64 = 1_772_478_000;

struct Stage {
    world: World,
    /// What was interrupted so far, for the count at the end.
    said: BTreeSet<String>,
}

impl Stage {
    fn of(menus: Arc<MenuSet>) -> Self {
        let settings = ExchangeSettings { check_every: 1, ..ExchangeSettings::default() };
        let mut world = World::new(menus, settings);
        world.now.utc = UtcTime::from_secs(MORNING);
        Self { world, said: BTreeSet::new() }
    }

    fn dials(&mut self, who: &str, number: &str) -> &mut Self {
        let peer = if who.starts_with("800") { Peer::Agent(AgentId::from(who)) } else { Peer::Stranger };
        self.world.dial(who, number, who, peer);
        self
    }

    fn presses(&mut self, who: &str, text: &str) -> &mut Self {
        for key in keys(text) {
            let leg = self.world.leg(who);
            self.world.press(leg, key);
        }
        self
    }

    fn hears(&mut self, who: &str) -> &mut Self {
        let leg = self.world.leg(who);
        assert!(self.world.hear(leg), "nothing is said to {who}\n{}", self.world.transcript());
        self
    }

    fn hears_all(&mut self, who: &str) -> &mut Self {
        let leg = self.world.leg(who);
        while self.world.hear(leg) {}
        self
    }

    fn answers(&mut self, who: &str) -> &mut Self {
        let leg = self.world.leg(who);
        self.world.phones.get_mut(&leg).unwrap().state = PhoneState::Up;
        self.world.answer(leg);
        self
    }

    fn ends(&mut self, who: &str, cause: Cause) -> &mut Self {
        let leg = self.world.leg(who);
        self.world.end(leg, cause);
        self
    }

    fn waits(&mut self, seconds: u64) -> &mut Self {
        self.world.wait(Duration::from_secs(seconds));
        self
    }

    /// Caller and agent talk: `one` of the queue behind 0, with 8001.
    fn talk() -> Self {
        let mut stage = Self::of(shipped());
        stage.world.sign_in("8001");
        stage.dials("one", "95188").presses("one", "0").answers("8001");
        stage
    }

    /// What plays to `who`: its number and its prompts.
    fn playing(&self, who: &str) -> (PlayId, Vec<String>) {
        let leg = self.world.leg(who);
        let playing = self.world.phones[&leg].playing.filter(|(_, _, repeats)| !repeats);
        let (play, stops, _) =
            playing.unwrap_or_else(|| panic!("nothing is said to {who}\n{}", self.world.transcript()));
        assert!(stops, "no key stops what {who} hears\n{}", self.world.transcript());
        let said = self.world.commands.iter().rev().find_map(|command| match command {
            Command::Play { play: number, prompts, .. } if *number == play => Some(prompts),
            _ => None,
        });
        (play, said.unwrap().iter().map(ToString::to_string).collect())
    }

    /// `who` hears this now, and a key stops it.
    fn interrupts(&mut self, who: &str, prompt: &str, key: &str) -> &mut Self {
        let (play, said) = self.playing(who);
        assert!(said.iter().any(|p| p == prompt), "{prompt} is not in {said:?}\n{}", self.world.transcript());
        self.said.extend(said);
        let leg = self.world.leg(who);
        self.presses(who, key);
        let still = self.world.phones.get(&leg).and_then(|phone| phone.playing);
        assert_ne!(still.map(|(now, ..)| now), Some(play), "{prompt} plays on\n{}", self.world.transcript());
        self
    }

    fn tell(&mut self, told: Told) -> &mut Self {
        let tell = AcdOutput::Tell { ticket: TicketId(1), call: CallId(1), told };
        self.world.feed(Input::Acd(tell));
        self
    }

    fn entered(&self) -> BTreeSet<String> {
        let menu = |fact: &Fact| match fact {
            Fact::MenuEntered { menu, .. } => Some(menu.to_string()),
            _ => None,
        };
        self.world.facts.iter().filter_map(|f| menu(&f.fact)).collect()
    }

    fn queued(&self) -> Vec<String> {
        let queue = |fact: &Fact| match fact {
            Fact::Queued { queue, .. } => Some(queue.to_string()),
            _ => None,
        };
        self.world.facts.iter().filter_map(|f| queue(&f.fact)).collect()
    }

    fn is_over(&self) -> bool {
        self.world.facts.iter().any(|f| matches!(f.fact, Fact::CallEnded { .. }))
    }
}

/// What was seen on the way.
#[derive(Default)]
struct Seen {
    said: BTreeSet<String>,
    menus: BTreeSet<String>,
}

impl Seen {
    fn take(&mut self, stage: &mut Stage) {
        self.said.append(&mut stage.said);
        self.menus.extend(stage.entered());
    }
}

/// Each shipped menu: the number, the hour if not noon, the keys that lead there, what is said first, and a key that is
/// a mistake in it.
const MENUS: [(&str, i64, &str, &str, &str); 17] = [
    ("95188", 0, "", "welcome", "7"),
    ("hotline", 0, "", "other-language", "7"),
    ("+8657195188", 0, "", "overseas", "7"),
    ("+8657195188", 0, "", "welcome-overseas", "7"),
    ("95189", 0, "", "welcome-merchant", "#"),
    ("95188", 0, "1", "account", "7"),
    ("95188", 0, "11", "urgent", ""),
    ("95188", 0, "12", "identity", "#"),
    ("95188", 0, "2", "loans", "7"),
    ("95188", NIGHT, "2", "night", "7"),
    ("95188", 0, "3", "dispute", "7"),
    ("95188", 0, "31", "order", "#"),
    ("95188", 0, "32", "merchant", "#"),
    ("95188", 0, "4", "complaint", "7"),
    ("95188", 0, "42", "complaint-number", "#"),
    ("95188", 0, "9", "english", ""),
    ("95188", 0, "98", "mandarin", ""),
];

fn menus_and_their_mistakes(seen: &mut Seen) {
    for (number, at, way, prompt, mistake) in MENUS {
        let come = || {
            let mut stage = Stage::of(shipped());
            if at > 0 {
                stage.world.now.utc = UtcTime::from_secs(at);
            }
            stage.dials("one", number).presses("one", way);
            stage
        };
        let mut stage = come();
        stage.interrupts("one", prompt, "#");
        seen.take(&mut stage);
        if mistake.is_empty() {
            continue;
        }
        // What is said after the first and the second silence, and after the first and the second wrong key.
        for silences in [1, 2] {
            let mut stage = come();
            for _ in 0..silences {
                stage.hears("one").waits(9);
            }
            let said = stage.playing("one").1;
            stage.interrupts("one", &said[0], "#");
            seen.take(&mut stage);
        }
        let others = if mistake == "#" { "##" } else { "75" };
        for wrong in 1..=2 {
            let mut stage = come();
            stage.presses("one", &others[..wrong]);
            let said = stage.playing("one").1;
            stage.interrupts("one", &said[0], "#");
            seen.take(&mut stage);
        }
    }
    let mut stage = Stage::of(shipped());
    stage.dials("one", "95188").presses("one", "3112345678#").interrupts("one", "confirm-keys", "2");
    stage.interrupts("one", "order", "*");
    seen.take(&mut stage);
}

fn queues_and_what_is_told_in_them(seen: &mut Seen) {
    let wait = |rose| Told::Wait { low: Duration::from_mins(2), high: Duration::from_mins(5), rose };
    for (way, queue) in [
        ("0", "queue-general"),
        ("11#", "queue-urgent"),
        ("10", "queue-account"),
        ("20", "queue-loans"),
        ("32123456", "queue-merchant"),
        ("30", "queue-disputes"),
        ("40", "queue-complaints"),
    ] {
        let mut stage = Stage::of(shipped());
        stage.dials("one", "95188").presses("one", way).interrupts("one", queue, "5");
        seen.take(&mut stage);
    }
    let rises =
        [RiseCause::FewerAgents, RiseCause::LongerTalks, RiseCause::UrgentCallers].map(|r| wait(Some(r)));
    for (told, prompt) in [
        (wait(None), "wait-is"),
        (Told::Unknown, "wait-unknown"),
        (Told::NobodyYet, "nobody-yet"),
        (Told::Next, "you-are-next"),
    ]
    .into_iter()
    .chain(rises.into_iter().zip(["rise-fewer-agents", "rise-longer-talks", "rise-urgent-callers"]))
    {
        let mut stage = Stage::of(shipped());
        stage
            .dials("one", "95188")
            .presses("one", "0")
            .hears_all("one")
            .tell(told)
            .interrupts("one", prompt, "5");
        // The key stopped the words, and the music goes on.
        let leg = stage.world.leg("one");
        assert!(stage.world.phones[&leg].playing.is_some_and(|(_, _, repeats)| repeats));
        seen.take(&mut stage);
    }
    let mut stage = Stage::of(shipped());
    stage.dials("one", "95188").presses("one", "0").hears_all("one").presses("one", "1");
    stage.interrupts("one", "order", "*");
    stage.hears_all("one").world.disk_has_all();
    stage.interrupts("one", "if-we-lose-you", "5").hears_all("one").ends("one", Cause::PeerLost);
    stage.dials("one", "95188").interrupts("one", "place-restored", "5");
    seen.take(&mut stage);
}

fn banners(seen: &mut Seen) {
    for in_line in [true, false] {
        let mut stage = Stage::of(shipped());
        if in_line {
            stage.dials("one", "95188").presses("one", "0").hears_all("one");
        }
        let prompt = PromptId::from("banner-fault");
        let until = stage.world.now.utc + Duration::from_hours(1);
        let banner = Banner {
            prompt,
            text: [].into(),
            sounds: [].into(),
            numbers: [].into(),
            queues: [].into(),
            until,
        };
        stage.world.feed(Input::Ops(Ops::Banner(Some(Box::new(banner)))));
        if !in_line {
            stage.dials("one", "95188");
        }
        stage.interrupts("one", "banner-fault", "5");
        seen.take(&mut stage);
    }
}

/// Everybody's last words, by what they are; how they come about.
fn farewell(prompt: &str) -> Stage {
    let mut stage = match prompt {
        "no-way-left" => Stage::of(menus()),
        _ => Stage::of(shipped()),
    };
    match prompt {
        "merchant-closed" => {
            stage.world.now.utc = UtcTime::from_secs(NIGHT);
            stage.dials("one", "95189");
        }
        "all-busy" => {
            stage.world.unchecked = true;
            for n in 0..200 {
                let name = format!("before {n}");
                stage.dials(&name, "95188").presses(&name, "0");
            }
            stage.dials("one", "95188").presses("one", "0");
        }
        "no-way-left" => {
            stage.dials("one", "95188").presses("one", "7");
            stage.hears("one");
        }
        "goodbye" => {
            stage = Stage::talk();
            stage.ends("8001", Cause::HungUp);
        }
        other => panic!("no such farewell: {other}"),
    }
    stage
}

const FAREWELLS: [&str; 4] = ["merchant-closed", "all-busy", "no-way-left", "goodbye"];

fn conversations(seen: &mut Seen) {
    let mut stage = Stage::talk();
    stage.ends("8001", Cause::PeerLost).interrupts("one", "agent-lost", "5");
    seen.take(&mut stage);
    // What the agent hears of third parties, and of keys that mean nothing.
    let party = "lighthouse-store";
    for (cause, prompt) in [
        (Cause::Busy, "party-busy"),
        (Cause::NoAnswer, "party-no-answer"),
        (Cause::Unreachable, "party-unreachable"),
    ] {
        let mut stage = Stage::talk();
        stage.presses("8001", "*21#").ends(party, cause).interrupts("8001", prompt, "5");
        seen.take(&mut stage);
    }
    let mut stage = Stage::talk();
    stage.presses("8001", "*299#").interrupts("8001", "not-possible", "5");
    stage.presses("8001", "*21#").answers(party).presses("8001", "*3");
    for prompt in ["listen-only", "heard-again"] {
        stage.presses("8001", "*7");
        stage.interrupts("one", prompt, "5").interrupts("8001", prompt, "5");
    }
    stage.presses("8001", "*1").ends(party, Cause::HungUp).interrupts("8001", "party-left", "5");
    seen.take(&mut stage);
    // Who serves, for both.
    for who in ["one", "8005"] {
        let mut stage = Stage::of(shipped());
        stage.world.sign_in("8005");
        stage.dials("one", "95188").presses("one", "40").answers("8005");
        stage.interrupts(who, "at-your-service", "5");
        let (one, agent) = (stage.world.leg("one"), stage.world.leg("8005"));
        assert_eq!(stage.world.phones[&one].hears, [agent], "{}", stage.world.transcript());
        assert_eq!(stage.world.phones[&agent].hears, [one]);
        assert!(stage.world.phones[&one].playing.is_none() && stage.world.phones[&agent].playing.is_none());
        seen.take(&mut stage);
    }
}

fn feature_codes(seen: &mut Seen) {
    for (code, prompt) in [
        ("*83", "not-possible"),
        ("*81", "signed-in"),
        ("*841", "paused"),
        ("*83", "ready"),
        ("*82", "signed-out"),
    ] {
        for key in ["5", "0"] {
            let mut stage = Stage::of(shipped());
            if prompt != "not-possible" {
                stage.world.sign_in("8001");
            }
            stage.dials("8001", code).interrupts("8001", prompt, key);
            assert!(stage.is_over() && stage.queued().is_empty(), "{}", stage.world.transcript());
            seen.take(&mut stage);
        }
    }
}

#[test]
fn every_prompt_can_be_interrupted() {
    let mut seen = Seen::default();
    menus_and_their_mistakes(&mut seen);
    queues_and_what_is_told_in_them(&mut seen);
    banners(&mut seen);
    conversations(&mut seen);
    feature_codes(&mut seen);
    for prompt in FAREWELLS {
        let mut stage = farewell(prompt);
        stage.interrupts("one", prompt, "5");
        seen.take(&mut stage);
    }
    // Nothing that is said was forgotten here: all menus, and all that menus and exchange say.
    let set = shipped();
    let menus: BTreeSet<String> = set.menus.keys().map(ToString::to_string).collect();
    assert_eq!(seen.menus.intersection(&menus).cloned().collect::<BTreeSet<_>>(), menus);
    let of_menus = set.menus.values().flat_map(|menu| {
        let all = [&menu.say].into_iter().chain(&menu.silence).chain(&menu.wrong).flatten();
        all.filter_map(|p| if let Phrase::Prompt(id) = p { Some(id.to_string()) } else { None })
    });
    let of_house = HOUSE_PROMPTS.into_iter().chain(EXCHANGE_PROMPTS).map(str::to_owned);
    // A tone in place of a person, as music is.
    let sayings = of_menus.chain(of_house).filter(|id| id != "ringback");
    let missing: BTreeSet<String> = sayings.filter(|id| !seen.said.contains(id)).collect();
    assert!(missing.is_empty(), "nobody interrupted {missing:?}");
}

#[test]
fn in_a_goodbye_zero_leads_to_a_human_and_any_other_key_to_the_end() {
    for prompt in FAREWELLS {
        let mut stage = farewell(prompt);
        let before = stage.queued().len();
        stage.interrupts("one", prompt, "0");
        assert_eq!(stage.queued().get(before).map(String::as_str), Some("general"), "{prompt}");
        for key in ["1", "*", "#"] {
            let mut stage = farewell(prompt);
            let before = stage.queued().len();
            stage.interrupts("one", prompt, key);
            assert!(stage.is_over() && stage.queued().len() == before, "{prompt} and {key}");
        }
    }
}

#[test]
fn a_key_pressed_before_a_goodbye_does_not_skip_it() {
    let sorry = ("sorry.toml".to_owned(), "say = \"loans\"\nthen = \"all-busy\"\n".to_owned());
    let mut files: BTreeMap<String, String> = shipped_files().into_iter().chain([sorry]).collect();
    let main = files["main.toml"].replacen("1 = \"account\"", "1 = \"sorry\"", 1);
    files.insert("main.toml".to_owned(), main);
    let set = MenuSet::load(&files, &texts().known()).unwrap().0;
    let mut stage = Stage::of(Arc::new(set));
    stage.dials("one", "95188").presses("one", "1").interrupts("one", "loans", "5");
    assert!(!stage.is_over(), "he hears why");
    stage.interrupts("one", "all-busy", "5");
    assert!(stage.is_over());
}
