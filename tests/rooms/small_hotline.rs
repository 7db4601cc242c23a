//! A small hotline for tests: one number a language, three queues, three agents, two third parties. Each prompt is
//! called what it says.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{AgentId, EntryId, Key, Language, MenuId, PartyId, PromptId, QueueId, SkillId, TrunkId};
use hotline::exchange::Phrase;
use hotline::exchange::acd::{AcdPlan, AgentPlan, NobodyRule, QueuePlan, Strategy};
use hotline::exchange::menu::{
    AgentKeys, Entrance, Entry, FeatureCode, Menu, MenuSet, Party, Queue, Step, Target, Zone,
};

/// Keys from the text printed on them.
pub(crate) fn keys(text: &str) -> Vec<Key> {
    text.chars().map(|c| Key::from_char(c).unwrap()).collect()
}

/// The whole set.
pub(crate) fn menus() -> Arc<MenuSet> {
    Arc::new(MenuSet {
        revision: "small".into(),
        numbers: BTreeMap::from([
            ("95188".into(), entrance(Language::Mandarin, None)),
            ("057195188".into(), entrance(Language::English, Some(2))),
        ]),
        menus: all_menus(),
        human: QueueId::from("general"),
        queues: queues(),
        acd: Arc::new(plan()),
        codes: BTreeMap::from([
            ("*81".into(), FeatureCode::SignIn),
            ("*82".into(), FeatureCode::SignOut),
            ("*83".into(), FeatureCode::Ready),
            ("*84".into(), FeatureCode::Pause("lunch".into())),
        ]),
        keys: AgentKeys {
            hold: keys("*1"),
            invite: keys("*2"),
            join: keys("*3"),
            drop: keys("*4"),
            leave: keys("*5"),
            pass_on: keys("*6"),
            listen_only: keys("*7"),
        },
        directory: BTreeMap::from([
            (PartyId::from("merchant"), party("01")),
            (PartyId::from("courier"), party("02")),
        ]),
        schedule: Vec::new(),
        names: [AgentId::from("8002")].into(),
        banners: [PromptId::from("banner-fault")].into(),
        hours: BTreeMap::new(),
        shifts: BTreeMap::new(),
        zone: Zone::utc(),
    })
}

fn say(prompt: &str) -> Vec<Phrase> {
    vec![Phrase::Prompt(PromptId::from(prompt))]
}

fn entrance(language: Language, priority: Option<u8>) -> Entrance {
    Entrance { menu: MenuId::from("main"), language, greeting: say("welcome"), priority, open: None }
}

fn menu(id: &str, step: Step) -> (MenuId, Arc<Menu>) {
    let id = MenuId::from(id);
    let menu = Menu {
        language: None,
        open: None,
        say: say(&format!("menu-{id}")),
        silence: [say("are-you-there"), say("still-there")],
        wrong: [say("wrong-once"), say("wrong-twice")],
        wait: Duration::from_secs(5),
        human: QueueId::from("general"),
        step,
        id: id.clone(),
    };
    (id, Arc::new(menu))
}

fn all_menus() -> BTreeMap<MenuId, Arc<Menu>> {
    let to_menu = |name: &str| Target::Menu(MenuId::from(name));
    let to_queue = |name: &str| Target::Queue(QueueId::from(name));
    let choice = Step::Choice(
        [("1", to_menu("order")), ("2", to_queue("loans")), ("3", to_menu("pin")), ("7", to_menu("tiny"))]
            .into_iter()
            .chain([("9", to_menu("bye")), ("6", to_queue("named")), ("0", Target::Human)])
            .map(|(key, target)| (keys(key)[0], target))
            .collect(),
    );
    let entry = |name: &str, secret| {
        Step::Entry(Entry {
            name: EntryId::from(name),
            min: 2,
            max: 6,
            gap: Duration::from_secs(3),
            confirm: false,
            secret,
            then: to_queue("account"),
        })
    };
    BTreeMap::from([
        menu("main", choice),
        menu("order", entry("order", false)),
        menu("pin", entry("pin", true)),
        menu("tiny", Step::Announcement(to_queue("tiny"))),
        menu("bye", Step::Announcement(Target::HangUp)),
    ])
}

fn queues() -> BTreeMap<QueueId, Queue> {
    let queue = |name: &str, code: Option<&str>, priority, overflow| {
        let queue = Queue {
            name: PromptId::from(format!("queue-{name}").as_str()),
            notice: None,
            music: PromptId::from(format!("music-{name}").as_str()),
            priority,
            overflow,
            keys: BTreeMap::from([(keys("9")[0], MenuId::from("main"))]),
            code: code.map(str::to_owned),
            open: None,
            names_agent: false,
        };
        (QueueId::from(name), queue)
    };
    BTreeMap::from([
        queue("general", None, 5, Target::Menu(MenuId::from("bye"))),
        queue("account", Some("11"), 5, Target::Human),
        queue("loans", Some("12"), 4, Target::Queue(QueueId::from("tiny"))),
        // These two send on to each other: a circle that only the exchange can break.
        named(queue("named", None, 5, Target::Human)),
        queue("tiny", Some("13"), 5, Target::Queue(QueueId::from("full"))),
        queue("full", Some("14"), 5, Target::Queue(QueueId::from("tiny"))),
    ])
}

/// There, who serves is said.
fn named((id, queue): (QueueId, Queue)) -> (QueueId, Queue) {
    (id, Queue { names_agent: true, ..queue })
}

fn queue_plan(skills: &[&str]) -> QueuePlan {
    QueuePlan {
        skills: skills.iter().map(|s| SkillId::from(*s)).collect(),
        strategy: Strategy::LongestIdle,
        ring_for: Duration::from_secs(20),
        wrap_up: Duration::from_secs(30),
        ageing: Duration::from_mins(2),
        wait_max: Some(Duration::from_mins(5)),
        size_max: 50,
        nobody: NobodyRule::Wait,
        tell_every: Duration::from_secs(45),
        expected_talk: Duration::from_mins(3),
        same_agent_wait: Duration::from_mins(1),
        service_target: Duration::from_secs(30),
    }
}

fn plan() -> AcdPlan {
    let agent = |alias: &str, skills: &[&str]| AgentPlan {
        alias: alias.into(),
        skills: skills.iter().map(|s| (SkillId::from(*s), 5)).collect(),
        languages: Language::ALL.to_vec(),
        unanswered_max: 3,
        ..AgentPlan::default()
    };
    let shut = QueuePlan { nobody: NobodyRule::Overflow, ..queue_plan(&["nobody-has-this"]) };
    AcdPlan {
        queues: BTreeMap::from([
            (QueueId::from("general"), queue_plan(&[])),
            (QueueId::from("account"), queue_plan(&["account"])),
            (QueueId::from("loans"), queue_plan(&["loans"])),
            (QueueId::from("named"), queue_plan(&[])),
            (QueueId::from("tiny"), shut.clone()),
            (QueueId::from("full"), shut),
        ]),
        agents: BTreeMap::from([
            (AgentId::from("8001"), agent("Lele", &["account"])),
            (AgentId::from("8002"), agent("Mimi", &["account"])),
            (AgentId::from("8003"), agent("Nana", &["loans"])),
        ]),
    }
}

fn party(code: &str) -> Party {
    Party {
        code: code.into(),
        name: format!("party {code}"),
        number: format!("02155500{code}"),
        trunks: vec![TrunkId::from("carrier")],
        ring_for: Duration::from_secs(25),
        notes: String::new(),
    }
}
