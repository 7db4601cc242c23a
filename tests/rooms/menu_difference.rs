//! What a change of menus means: seen from the callers, not from the files.
use std::collections::BTreeMap;
use std::sync::Arc;

use hotline::base::{CallId, Key, LegId, MenuId};
use hotline::exchange::menu::{
    Affected, Became, Difference, MenuSet, PromptLengths, PromptTexts, Side, difference,
};
use hotline::exchange::{Arrival, Fact, Peer, Vouched};

use crate::menu_run::{shipped_files, texts};

type Files = BTreeMap<String, String>;

/// The shipped menus against the same with changes: file, what is replaced, by what.
fn changed(changes: &[(&str, &str, &str)]) -> Difference {
    let mut files = shipped_files();
    for (file, from, to) in changes {
        let text = files.remove(*file).unwrap_or_default();
        assert!(text.contains(from), "{file} has no {from:?}");
        files.insert(
            (*file).to_owned(),
            if from.is_empty() { (*to).to_owned() } else { text.replacen(from, to, 1) },
        );
    }
    between(&shipped_files(), &files, &texts(), &texts())
}

fn between(old: &Files, new: &Files, old_texts: &PromptTexts, new_texts: &PromptTexts) -> Difference {
    let set = |files: &Files, texts: &PromptTexts| {
        let read = MenuSet::read(files, &texts.known());
        Arc::new(read.unwrap_or_else(|found| panic!("{found:?}")).set)
    };
    let (old_set, new_set) = (set(old, old_texts), set(new, new_texts));
    let (old_lengths, new_lengths) =
        (Arc::new(PromptLengths::estimated(old_texts)), Arc::new(PromptLengths::estimated(new_texts)));
    difference(
        Side { set: &old_set, texts: old_texts, lengths: &old_lengths },
        Side { set: &new_set, texts: new_texts, lengths: &new_lengths },
    )
}

/// `menu main, 2: menu loans -> menu account`.
fn moved(difference: &Difference) -> Vec<String> {
    let or = |to: &Option<String>| to.clone().unwrap_or_else(|| "nothing".to_owned());
    let keys = difference.keys.iter();
    keys.map(|k| format!("{}, {}: {} -> {}", k.place, k.key, or(&k.from), or(&k.to))).collect()
}

fn things(difference: &Difference) -> Vec<(String, Became)> {
    difference.things.iter().map(|t| (format!("{} {}", t.kind, t.name), t.became)).collect()
}

#[test]
fn files_that_say_the_same_have_no_difference() {
    let spaced: Files = shipped_files()
        .into_iter()
        .map(|(n, t)| (n, format!("# a word\n{}", t.replace('\n', "\n\n"))))
        .collect();
    let none = between(&shipped_files(), &spaced, &texts(), &texts());
    assert!(none.is_empty(), "{none:?}");
}

#[test]
fn keys_that_lead_elsewhere_are_named_with_both_ends() {
    let d = changed(&[
        ("main.toml", "2 = \"loans\"", "2 = \"account\"\n5 = \"loans\""),
        ("loans.toml", "0 = \"queue loans\"", "0 = \"queue general\""),
        ("queues.toml", "[account]\n", "[account]\nkeys = { 1 = \"waiting-order\" }\n"),
    ]);
    assert_eq!(
        moved(&d),
        [
            "menu loans, 0: queue loans -> queue general",
            "menu main, 2: menu loans -> menu account",
            "menu main, 5: nothing -> menu loans",
            "queue account, 1: nothing -> menu waiting-order",
        ]
    );
    assert!(d.things.is_empty(), "only keys: {:?}", d.things);
}

#[test]
fn what_came_went_and_is_otherwise_is_told_with_its_parts() {
    let d = changed(&[
        ("main.toml", "4 = \"complaint\"\n", "4 = \"queue complaints\"\n7 = \"news\"\n"),
        ("news.toml", "", "say = \"queue-general\"\nthen = \"main\"\n"),
        ("order.toml", "wait    = \"8s\"", "wait    = \"9s\""),
        ("queues.toml", "size_max = 200", "size_max = 100"),
        ("agents.toml", "security = 5 }", "security = 6 }"),
        ("calendar.toml", "sat-sun = \"09:00-21:00\"", "sat-sun = \"09:00-20:00\""),
        ("numbers.toml", "priority = 4", "priority = 3"),
        (
            "schedule.toml",
            "",
            "[x]\nfrom = \"2026-03-02T00:00\"\nto = \"2026-03-03T00:00\"\nbanner = \"banner-busy\"\n",
        ),
    ]);
    let all = things(&d);
    for (what, became) in [
        ("menu news", Became::Added),
        ("menu order", Became::Changed),
        ("queue general", Became::Changed),
        ("agent 8001", Became::Changed),
        ("hours loans-desk", Became::Changed),
        ("number +8657195188", Became::Changed),
        ("scheduled change x", Became::Added),
    ] {
        assert!(all.contains(&(what.to_owned(), became)), "{what}: {all:?}");
    }
    assert_eq!(all.len(), 7, "and nothing else: {all:?}");
    let order = d.things.iter().find(|t| t.name == "order").unwrap();
    assert_eq!(order.parts, ["wait"]);
}

#[test]
fn other_words_of_a_prompt_are_a_change() {
    let mut words = texts();
    for text in words.0.get_mut(&"loans".into()).unwrap().values_mut() {
        text.push('!');
    }
    let d = between(&shipped_files(), &shipped_files(), &texts(), &words);
    assert_eq!(things(&d), [("prompt loans".to_owned(), Became::Changed)]);
}

#[test]
fn a_way_that_got_longer_is_told_in_keys_and_seconds() {
    // Loans moves behind another menu: one key more, and what that menu says.
    let d = changed(&[
        ("main.toml", "2 = \"loans\"", "2 = \"more\""),
        ("more.toml", "", "say = \"dispute\"\n[keys]\n1 = \"loans\"\n2 = \"order\"\n\"*\" = \"main\"\n"),
    ]);
    let way = d.longer.iter().find(|w| w.number == "95188" && w.queue == Some("loans".into())).unwrap();
    assert_eq!(way.keys, (2, Some(3)));
    let (before, now) = (way.seconds.0, way.seconds.1.unwrap());
    assert!(now > before + 3, "{before} s -> {now} s");
    assert!(!d.longer.iter().any(|w| w.queue == Some("account".into())), "{:?}", d.longer);
    let back = difference_back();
    assert!(back.longer.iter().all(|w| w.queue != Some("loans".into())), "shorter is not longer");
}

fn difference_back() -> Difference {
    let mut files = shipped_files();
    let main = files["main.toml"].replacen("2 = \"loans\"", "2 = \"more\"", 1);
    files.insert("main.toml".to_owned(), main);
    let more = "say = \"dispute\"\n[keys]\n1 = \"loans\"\n2 = \"order\"\n\"*\" = \"main\"\n";
    files.insert("more.toml".to_owned(), more.to_owned());
    between(&files, &shipped_files(), &texts(), &texts())
}

#[test]
fn a_way_that_is_no_more_and_a_longer_silence_are_told() {
    let d = changed(&[("main.toml", "4 = \"complaint\"\n", "")]);
    let gone = d.longer.iter().find(|w| w.number == "95188" && w.queue == Some("complaints".into())).unwrap();
    assert_eq!((gone.keys.1, gone.seconds.1), (None, None));
    let slow = changed(&[("main.toml", "[keys]", "wait = \"20s\"\n[keys]")]);
    let silent = slow.longer.iter().find(|w| w.number == "95188" && w.queue.is_none()).unwrap();
    assert!(silent.seconds.1.unwrap() >= silent.seconds.0 + 40, "{silent:?}");
}

fn calls(number: &str, call: u64) -> Fact {
    let arrival = Arrival {
        dialled: number.to_owned(),
        caller: "1".to_owned(),
        caller_name: String::new(),
        vouched: Vouched::default(),
        peer: Peer::Stranger,
    };
    Fact::CallStarted { call: CallId(call), leg: LegId(call * 2), arrival, menus: "x".to_owned() }
}

#[test]
fn callers_of_the_day_are_counted_once_each_by_what_they_met() {
    let d = changed(&[
        ("main.toml", "2 = \"loans\"", "2 = \"account\"\n5 = \"loans\""),
        ("order.toml", "wait    = \"8s\"", "wait    = \"9s\""),
    ]);
    let enters = |call, menu: &str| Fact::MenuEntered { call: CallId(call), menu: MenuId::from(menu) };
    let presses = |call, menu: &str, key| Fact::KeyPressed {
        call: CallId(call),
        menu: Some(MenuId::from(menu)),
        key: Key::from_char(key).unwrap(),
    };
    let facts = [
        calls("95188", 1),
        presses(1, "main", '2'),
        presses(1, "main", '2'),
        calls("95188", 2),
        presses(2, "main", '3'),
        enters(2, "order"),
        calls("95188", 3),
        presses(3, "main", '1'),
        calls("95188", 4),
        presses(4, "main", '2'),
        enters(4, "order"),
    ];
    let mut affected = Affected::default();
    for fact in &facts {
        affected.read(&d, fact);
    }
    assert_eq!((affected.calls, affected.affected), (4, 3));
    let by: Vec<(&str, u64)> = affected.by.iter().map(|(what, n)| (what.as_str(), *n)).collect();
    assert_eq!(by, [("menu main, key 2", 2), ("menu order", 2)]);
}
