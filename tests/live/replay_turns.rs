//! What happens in the middle of played conversations: third parties who are brought in, phones that pass callers on or are
//! gone, packets that are lost; and that the simulation decides the same about each caller. The report, in a real browser.
use std::sync::Arc;
use std::time::Duration;

use hotline::base::PartyId;
use hotline::exchange::{Cause, Fact};
use hotline::replay::day::{DayReport, DaySettings, PartyLine, page, play};
use hotline::sim::Scenario;

use crate::house::{House, scratch};
use crate::page::{drawn, figure, rows};
use crate::replay::{decided, milestones, recorded, say_how_far_apart, scenario_with, simulated, v4};

const SEED: u64 = 3;
/// All callers of these scenarios: what they want does not change, when they come does.
const LOG: &str = "service,menu_entered_s,queue_joined_s,queue_wait_s,outcome,talk_s\n";

/// A scene of callers from a log who ask about their accounts: its title, how long it lasts, and who else is in it.
macro_rules! about_accounts {
    ($title:literal, $lasts:literal, $others:expr) => {
        concat!(
            "title = \"",
            $title,
            "\"\nlasts = \"",
            $lasts,
            r#""
begins = "2026-11-10T10:00+08:00"

[arrivals.log]
file    = "calls.csv"
classes = { A = "account" }

[callers.account]
share    = 1
number   = "95188"
keys     = ["1", "3"]
think    = "1s"
patience = "3m"
"#,
            $others
        )
    };
}

/// One agent, who asks a store about each caller.
macro_rules! asks_the_store {
    ($others:literal) => {
        concat!(
            r#"
[agents.desk]
ids      = ["8001"]
pick_up  = "1s"
wrap_up  = "1s"
consults = { chance = 100, party = "lighthouse-store" }

[parties.lighthouse-store]
pick_up  = "1s"
private  = "2s""#,
            $others
        )
    };
}

/// Four callers for one agent, who asks a third party about each.
const CONSULTS: &str = about_accounts!(
    "A third party in each talk",
    "2m",
    asks_the_store!(
        r#"
together = "2s"
holds    = { chance = 100, lasts = "1s" }
"#
    )
);

/// A phone that passes its callers on, a look-up that is slow.
const PASSES: &str = about_accounts!(
    "Passed on",
    "2m",
    r#"
[agents.desk]
ids     = ["8001", "8003"]
pick_up = "1s"
wrap_up = "1s"

[agents.complaints]
ids     = ["8005"]
pick_up = "3s"
wrap_up = "1s"

[[faults]]
when    = "10:01-10:02"
kind    = "transfers-itself"
percent = 100
to      = "queue complaints"

[[faults]]
when  = "10:01-10:02"
kind  = "slow-look-up"
delay = "8s"
"#
);

/// The third party has another one take its place, in the middle of the talk of all three.
const FOLLOWS: &str = about_accounts!(
    "A third party that transfers itself",
    "2m",
    asks_the_store!(
        r#"
together = "4s"

[parties.lighthouse-service]
pick_up  = "1s"
private  = "2s"
together = "4s"

[[faults]]
when    = "10:00-10:02"
kind    = "transfers-itself"
who     = "third-party"
percent = 100
to      = "lighthouse-service"
"#
    )
);

/// A phone that is gone in mid-sentence.
const VANISHES: &str = about_accounts!(
    "Gone in mid-sentence",
    "3m",
    r#"
[agents.gone]
ids     = ["8001"]
pick_up = "1s"
wrap_up = "1s"

[agents.stays]
ids     = ["8006"]
pick_up = "1s"
wrap_up = "1s"

[[faults]]
when  = "10:01-10:02"
kind  = "agents-vanish"
group = "gone"
count = 1
"#
);

/// A tenth of everything is lost.
const LOSES: &str = r#"
title  = "A bad line"
begins = "2026-11-10T10:00+08:00"
lasts  = "2m"

[arrivals.log]
file    = "calls.csv"
classes = { A = "all" }

[callers.all]
share    = 1
number   = "95188"
patience = "4s"

[agents.nobody]
count = 0

[[faults]]
when    = "10:00-10:02"
kind    = "loss"
percent = 10
"#;

/// Callers who come at these seconds and talk so long.
fn calls(at: &[u64], talk_s: u64) -> String {
    at.iter().fold(LOG.to_owned(), |log, at| log + &format!("A,{at},{at},0,AGENT,{talk_s}\n"))
}

fn scene(text: &str, log: &str) -> Arc<Scenario> {
    scenario_with("scene", text, &[("calls.csv", log)])
}

fn settings(house: &House, scenario: &Arc<Scenario>, agents: &[&str], from_s: u64) -> DaySettings {
    let mut settings = DaySettings::new(v4(house.sip), Arc::clone(scenario));
    settings.seed = SEED;
    settings.from = Duration::from_secs(from_s);
    settings.max_time = Duration::from_mins(3);
    settings.passwords = agents.iter().map(|n| ((*n).to_owned(), house.password(n))).collect();
    settings
}

/// Nothing failed, and everybody's call ended by somebody's word.
fn assert_whole(report: &DayReport) {
    let o = &report.outcomes;
    assert_eq!((o.refused, o.broken, o.silent, o.cut_short), (0, 0, 0, 0), "{report}");
    assert_eq!(o.served, o.callers, "{report}");
}

#[test]
fn third_parties_are_rung_and_joined_and_the_report_is_drawn_by_a_browser() {
    const CALLERS: u64 = 4;
    const TRUNK: u16 = 5_096;
    let scenario = scene(CONSULTS, &calls(&[60, 61, 62, 63], 4));
    let mut house = House::open(&format!("[trunks.merchants]\naddress = \"127.0.0.2:{TRUNK}\"\n"));
    let mut settings = settings(&house, &scenario, &["8001"], 60);
    settings.port = TRUNK;
    let line = PartyLine { invite: "*21#".to_owned(), number: "7001".to_owned() };
    settings.parties = [(PartyId::from("lighthouse-store"), line)].into();
    let report = play(settings, |_| {}).unwrap();
    println!("{report}");
    let (real, model) = (recorded(&mut house), simulated(&scenario, CONSULTS, SEED));
    say_how_far_apart(&milestones(&real), &milestones(&model));
    let (real, model) = (decided(&real), decided(&model));
    let talked = model
        .values()
        .flatten()
        .filter(|words| words.contains(&"all three with lighthouse-store".to_owned()));
    assert_eq!(talked.count() as u64, CALLERS, "{model:#?}");
    let held = model.values().flatten().filter(|words| words.contains(&"a far end holds no more".to_owned()));
    assert_eq!(held.count() as u64, CALLERS, "{model:#?}");
    assert_eq!(real, model);

    assert_whole(&report);
    let o = &report.outcomes;
    assert_eq!(o.holds, CALLERS, "{report}");
    let party = (o.parties_asked, o.party_calls, o.party_talks, o.three_ways);
    assert_eq!(party, (CALLERS, CALLERS, CALLERS, CALLERS), "{report}");
    // Sound went both ways between the agent and the third party, and between the third party and the caller.
    assert_eq!(report.third_party_private.count, CALLERS, "{report}");
    assert_eq!(report.join_to_three_way.count, CALLERS, "{report}");
    // Three of the four stood in line for long when the only agent came free.
    assert!(report.free_to_ringing.count >= 2, "{report}");
    assert!(report.free_to_ringing.p50_us < 1_000_000, "{report}");
    in_a_browser(&report);
    as_json(&report);
}

#[test]
fn a_third_party_that_transfers_itself_is_followed_by_another_whom_everybody_hears() {
    const CALLERS: u64 = 2;
    const TRUNK: u16 = 5_098;
    let scenario = scene(FOLLOWS, &calls(&[60, 61], 4));
    let mut house = House::open(&format!("[trunks.merchants]\naddress = \"127.0.0.2:{TRUNK}\"\n"));
    let mut settings = settings(&house, &scenario, &["8001"], 60);
    settings.port = TRUNK;
    let line =
        |invite: &str, number: &str| PartyLine { invite: invite.to_owned(), number: number.to_owned() };
    settings.parties = [
        (PartyId::from("lighthouse-store"), line("*21#", "7001")),
        (PartyId::from("lighthouse-service"), line("*22#", "7002")),
    ]
    .into();
    let report = play(settings, |_| {}).unwrap();
    println!("{report}");
    let (real, model) = (recorded(&mut house), simulated(&scenario, FOLLOWS, SEED));
    say_how_far_apart(&milestones(&real), &milestones(&model));
    let (real, model) = (decided(&real), decided(&model));
    let talk = ["all three with lighthouse-store", "transferred to Party(", "lighthouse-service answers"];
    for words in model.values().flatten() {
        let mut rest = words.iter();
        let all = talk.iter().all(|wanted| rest.any(|word| word.starts_with(wanted)));
        assert!(all, "{words:?}");
    }
    assert_eq!(model.len() as u64, CALLERS);
    assert_eq!(real, model);

    assert_whole(&report);
    let o = &report.outcomes;
    assert_eq!((o.three_ways, o.party_transfers, o.successions), (CALLERS, CALLERS, CALLERS), "{report}");
    assert_eq!((o.party_calls, o.party_talks), (2 * CALLERS, 2 * CALLERS), "{report}");
    // Caller and agent hear the new one, whose tone is its own, and it hears the caller.
    assert_eq!(report.successor_heard.count, 3 * CALLERS, "{report}");
    assert!(report.faults[0].played && report.to_string().contains("2 were followed"), "{report}");
    assert!(page(&report, None).contains("third party's successor heard"));
}

/// Every figure is in the JSON, under its name, with its count.
fn as_json(report: &DayReport) {
    let json: serde_json::Value = serde_json::to_value(report).unwrap();
    for times in [
        "post_dial",
        "answer",
        "answer_to_sound",
        "key_to_prompt",
        "free_to_ringing",
        "answer_to_two_way",
        "third_party_private",
        "join_to_three_way",
        "registration",
    ] {
        let of = &json[times];
        assert!(of["count"].as_u64() > Some(0), "{times}: {of}");
        assert!(of["p99_us"].as_u64() >= of["p50_us"].as_u64(), "{times}: {of}");
    }
    for path in ["/outcomes/three_ways", "/rfc6076/ser_percent", "/sound/mos_median", "/sound/jitter/count"] {
        assert!(json.pointer(path).is_some_and(|v| v.as_f64() > Some(0.0)), "{path}");
    }
    assert!(json["punctuality"]["late"].is_boolean());
    assert!(json["timeline"].as_array().is_some_and(|seconds| seconds.len() > 10));
}

fn in_a_browser(report: &DayReport) {
    let folder = scratch();
    let html = folder.join("replay.html");
    std::fs::write(&html, page(report, None)).unwrap();
    let dom = drawn(&html, 2_400);
    let times = rows(&dom, "times");
    let count = |name: &str| {
        let row = times.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no {name} in {times:?}"));
        row[1].parse::<u64>().unwrap()
    };
    assert_eq!(count("agent free to ringing"), report.free_to_ringing.count);
    assert_eq!(count("join to all three hearing"), report.join_to_three_way.count);
    for picture in ["over-time", "slowest", "quantiles"] {
        let figure = figure(&dom, picture);
        let drawn = figure.matches("<path").count() + figure.matches("<polyline").count();
        assert!(drawn >= 2, "{picture}: {drawn} lines");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_phone_that_passes_its_callers_on_leads_where_the_simulation_says_and_what_cannot_be_played_is_said() {
    // Passed on after ten seconds; who takes them then talks past the end of the fault before his own middle.
    let scenario = scene(PASSES, &calls(&[98, 99], 20));
    let mut house = House::open("");
    let report = play(settings(&house, &scenario, &["8001", "8003", "8005"], 96), |_| {}).unwrap();
    println!("{report}");
    let (real, model) = (decided(&recorded(&mut house)), decided(&simulated(&scenario, PASSES, SEED)));
    let passed =
        model.values().flatten().filter(|words| words.iter().any(|w| w.starts_with("transferred to")));
    assert_eq!(passed.count(), 2, "{model:#?}");
    assert_eq!(real, model);
    assert_whole(&report);
    let o = &report.outcomes;
    assert_eq!((o.transfers, o.left_alone, o.conversations), (2, 2, 4), "{report}");
    let [transfers, slow] = &report.faults[..] else { panic!("{:?}", report.faults) };
    assert!(transfers.played && !slow.played && slow.what.starts_with("not played"), "{report}");
    assert!(report.to_string().contains("slow-look-up"), "{report}");
    assert!(page(&report, None).contains("what a server asks of its disk"));
}

#[test]
fn a_phone_that_is_gone_in_mid_sentence_leaves_its_caller_to_somebody_else() {
    // Both are taken before the fault, and talk on for long.
    let scenario = scene(VANISHES, &calls(&[50, 51], 24));
    let mut house = House::open("");
    let report = play(settings(&house, &scenario, &["8001", "8006"], 48), |_| {}).unwrap();
    println!("{report}");
    let facts = recorded(&mut house);
    let lost = facts.iter().filter_map(|(_, fact)| match fact {
        Fact::AgentLeft { agent, cause: Cause::SoundLost | Cause::PeerLost, .. } => Some(agent.to_string()),
        _ => None,
    });
    assert_eq!(lost.collect::<Vec<_>>(), ["8001"], "{report}");
    assert_whole(&report);
    let o = &report.outcomes;
    assert_eq!((o.left_alone, o.conversations), (1, 3), "{report}");
    assert!(report.faults[0].played && report.sip_of_the_vanished > 0, "{report}");
}

#[test]
fn what_the_scenario_loses_is_lost_both_ways_and_counted_apart() {
    let scenario = scene(LOSES, &calls(&[1, 1, 2, 2, 3, 3], 1));
    let house = House::open("");
    let report = play(settings(&house, &scenario, &[], 0), |_| {}).unwrap();
    println!("{report}");
    let o = &report.outcomes;
    assert_eq!((o.callers, o.answered, o.refused, o.broken), (6, 6, 0, 0), "{report}");
    assert!(report.faults[0].played && o.lost_in > 20 && o.lost_out > 20, "{report}");
    assert!(report.sip_lost_on_purpose > 0 && report.sip_repeated > 0, "{report}");
    let heard = report.sound.lost_percent.unwrap();
    assert!((4.0..25.0).contains(&heard), "{report}");
    assert!(report.sound.mos_median.unwrap() < 4.2, "{report}");
}
