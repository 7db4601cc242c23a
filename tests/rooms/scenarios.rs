//! Scenarios: those that are shipped are clean, a wrong one is told of all its mistakes at once, and people drawn from
//! one are the same for everybody.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hotline::exchange::menu::{CODES, Diagnostic};
use hotline::sim::{Agent, Caller, Callers, Change, FarEnd, Scenario};

/// The files of `scenarios/`.
pub(crate) fn shipped() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    files
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&p).unwrap()))
        .collect()
}

fn lines(found: &[Diagnostic]) -> Vec<String> {
    let help = |d: &Diagnostic| d.help.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
    found.iter().map(|d| d.line() + &help(d)).collect()
}

fn one(text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("a.toml".to_owned(), text.to_owned())])
}

const SMALL: &str = r#"
title  = "small"
begins = "2026-11-10T09:00+08:00"
lasts  = "2h"
[arrivals]
per_half_hour = [30]
[callers.all]
number = "95188"
keys   = ["1", "dd"]
[agents.all]
count  = 3
"#;

const WRONG: &str = r#"
begins = "yesterday"
lasts  = "2h"
tilte  = "wrong"
[arrivals]
per_half_hour = [30, "x", -1]
[[arrivals.peaks]]
when = "9-10"
times = 20
[callers.all]
keys   = ["1", "hello"]
patience = { mean = "5m", from = "1m" }
think = 5
language = "de"
[agents.all]
count  = 3
ids    = ["8001"]
shifts = ["09:00-09:00"]
consults = { party = "nobody" }
[[faults]]
kind = "agents-vanish"
group = "al"
[[faults]]
kind = "earthquake"
"#;

#[test]
fn the_shipped_scenarios_are_clean() {
    let files = shipped();
    assert_eq!(
        files.keys().map(|n| n.trim_end_matches(".toml")).collect::<Vec<_>>(),
        ["double-eleven", "ordinary-day", "overseas-evening", "quiet-night", "staff-drop"]
    );
    for name in files.keys() {
        let (scenario, warnings) =
            Scenario::read(&files, name, &[]).unwrap_or_else(|f| panic!("{:#?}", lines(&f)));
        assert_eq!(lines(&warnings), Vec::<String>::new());
        let (expected, came) =
            (Callers::expected(&scenario), Callers::new(&Arc::new(scenario), 1).count() as u64);
        assert!(came.abs_diff(expected) * 10 < expected.max(400), "{name}: {came} of {expected}");
    }
}

#[test]
fn every_mistake_of_a_scenario_is_told_at_once_with_file_line_and_key() {
    let found = Scenario::read(&one(WRONG), "a.toml", &[]).unwrap_err();
    insta::assert_snapshot!(lines(&found).join("\n"), @r#"
        a.toml:2:10: error HL0803: `yesterday` is not a moment (write it as 2026-11-11T00:00+08:00: date, time, and how far its clocks are ahead of UTC)
        a.toml:4:1: error HL0102: the scenario has no `tilte` (did you mean `title`?)
        a.toml:6:22: error HL0103: this should be a number, but it is a text
        a.toml:6:27: error HL0105: -1 is not allowed here: from 0 to 1000000
        a.toml:8:8: error HL0803: `9-10` is not from one time to another (write it as 09:00-18:00)
        a.toml:10:10: error HL0104: the callers all needs `number`
        a.toml:11:16: error HL0105: `hello` are not keys (keys are 0-9, * and #; d stands for any digit; a step has up to 40)
        a.toml:12:1: error HL0805: `patience` of the callers all is no spread of times (write mean (and spread, in percent of it), or from and to)
        a.toml:13:9: error HL0103: this should be a length of time as "20s", or a table with its mean, but it is a number
        a.toml:14:12: error HL0105: `de` is not a language that hotline speaks (write "zh" or "en")
        a.toml:15:9: error HL0105: the agents all have `ids` and `count` (take one away)
        a.toml:18:11: error HL0803: `09:00-09:00` is not from one time to another (write it as 09:00-18:00)
        a.toml:19:22: error HL0801: the scenario has no third party `nobody`
        a.toml:22:9: error HL0801: the scenario has no group of agents `al`
        a.toml:24:8: error HL0105: `earthquake` is nothing that goes wrong here (it may be: loss, agents-vanish, slow-look-up, transfers-itself)
        "#);
}

#[test]
fn who_transfers_by_itself_is_an_agent_or_a_third_party_and_no_queue_takes_a_third_party_s_place() {
    const PARTIES: &str =
        "[parties.lighthouse-store]\npick_up = \"1s\"\nprivate = \"2s\"\ntogether = \"4s\"\n";
    let read = |who: &str, to: &str| {
        let fault = format!("[[faults]]\nkind = \"transfers-itself\"\n{who}to = \"{to}\"\n");
        let files = one(&format!("{SMALL}\n{PARTIES}{fault}"));
        Scenario::read(&files, "a.toml", &[])
            .map(|(scenario, _)| scenario)
            .map_err(|found| lines(&found).join("\n"))
    };
    let to = |scenario: &Scenario, far_end| {
        scenario.transfers_itself(Duration::ZERO, far_end, |percent| percent == 5).is_some()
    };
    let agents = read("", "queue loans").unwrap();
    assert_eq!((to(&agents, FarEnd::Agent), to(&agents, FarEnd::Party)), (true, false));
    let party = read("who = \"third-party\"\n", "lighthouse-store").unwrap();
    assert_eq!((to(&party, FarEnd::Agent), to(&party, FarEnd::Party)), (false, true));
    let queue = read("who = \"third-party\"\n", "queue loans").unwrap_err();
    assert!(queue.contains("a third party cannot have a queue take its place"), "{queue}");
    let nobody = read("who = \"caller\"\n", "lighthouse-store").unwrap_err();
    assert!(nobody.contains("`caller` is no far end that transfers"), "{nobody}");
}

#[test]
fn a_change_takes_the_place_of_what_the_file_says_and_is_judged_like_it() {
    let read = |text: &str| Scenario::read(&one(SMALL), "a.toml", &[Change::new(1, text)]).map(|(s, _)| s);
    assert_eq!(read("agents.all.count = 40").unwrap().agents[0].ids.len(), 40);
    assert_eq!(read("queues.loans.wait_max = \"10m\"").unwrap().queues.len(), 1);
    let told = |text: &str| lines(&read(text).unwrap_err()).join("\n");
    insta::assert_snapshot!(told("agents.al.count=40"), @r#"--set 1:1:8: error HL0804: `agents` of the scenario has no `al` to change (it has: all)"#);
    insta::assert_snapshot!(told("agents.all.cuont=40"), @r#"--set 1:1:12: error HL0102: the agents all has no `cuont` (did you mean `count`?)"#);
    insta::assert_snapshot!(told("agents.all.count=forty"), @r#"--set 1:1:18: error HL0101: this is not TOML: invalid boolean, expected `false` (texts stand in quotes; keys other than letters, digits, - and _ too: "*" = "main")"#);
}

#[test]
fn a_recorded_log_brings_its_own_callers() {
    let text = SMALL.replace(
        "[callers.all]",
        "[arrivals.log]\nfile = \"c.csv\"\nclasses = { other = \"all\" }\n[callers.all]",
    );
    let mut files = one(&text);
    let missing = Scenario::read(&files, "a.toml", &[]).unwrap_err();
    insta::assert_snapshot!(lines(&missing).join("\n"), @r#"a.toml:8:8: error HL0802: the call log `c.csv` cannot be read (the path is from the scenario's folder)"#);
    assert_eq!(Scenario::logs_of("a.toml", &text), ["c.csv"]);
    let head = "call_id,service,menu_entered_s,queue_joined_s,queue_wait_s,outcome,talk_s\n";
    files.insert(
        "c.csv".into(),
        format!("{head}1,PS,600,620,33,HANG,\n2,NE,700,710,5,AGENT,77\n3,PS,many,,,HANG,\n"),
    );
    let wrong = Scenario::read(&files, "a.toml", &[]).unwrap_err();
    insta::assert_snapshot!(lines(&wrong).join("\n"), @r#"c.csv:4:6: error HL0802: `many` is not a number of seconds"#);
    files.insert("c.csv".into(), format!("{head}1,PS,600,620,33,HANG,\n2,NE,700,710,5,AGENT,77\n"));
    let scenario = Arc::new(Scenario::read(&files, "a.toml", &[]).unwrap().0);
    let of_log: Vec<Caller> = Callers::new(&scenario, 1)
        .filter(|c| c.arrives == Duration::from_mins(10) || c.talk == Some(Duration::from_secs(77)))
        .collect();
    assert_eq!(of_log.len(), 2);
    assert_eq!(of_log[0].patience, Duration::from_secs(33));
}

#[test]
fn every_code_of_scenarios_has_a_case() {
    let no_log = SMALL.replace("[callers.all]", "[arrivals.log]\nfile = \"c.csv\"\n[callers.all]");
    let found = [(WRONG, vec![]), (SMALL, vec![Change::new(1, "x.y=1")]), (no_log.as_str(), vec![])]
        .into_iter()
        .flat_map(|(text, changes)| Scenario::read(&one(text), "a.toml", &changes).unwrap_err());
    let seen: BTreeSet<&str> = found.map(|d| d.code).collect();
    // HL0806 needs menus beside the scenario: its case is where the two meet.
    let of_scenarios =
        CODES.iter().map(|(code, _)| *code).filter(|c| c.starts_with("HL08") && *c != "HL0806");
    assert_eq!(of_scenarios.filter(|c| !seen.contains(c)).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn the_same_seed_draws_the_same_people_and_more_agents_change_nobody_else() {
    let small = Arc::new(Scenario::read(&one(SMALL), "a.toml", &[]).unwrap().0);
    let all = |seed| Callers::new(&small, seed).collect::<Vec<_>>();
    assert_eq!(all(1), all(1));
    assert_ne!(all(1), all(2));
    let changed = Scenario::read(&one(SMALL), "a.toml", &[Change::new(1, "agents.all.count=9")]).unwrap().0;
    assert_eq!(Callers::new(&Arc::new(changed.clone()), 1).collect::<Vec<_>>(), all(1));
    let shifts = |s: &Scenario| Agent::all(s, 1).into_iter().take(3).map(|a| a.shifts).collect::<Vec<_>>();
    assert_eq!(shifts(&changed), shifts(&small));
}

/// Golden: any machine, any build. If this changes, every stored simulation changes with it.
#[test]
fn a_drawn_caller_is_the_same_on_any_machine() {
    let small = Arc::new(Scenario::read(&one(SMALL), "a.toml", &[]).unwrap().0);
    let third = Callers::new(&small, 7).nth(2).unwrap();
    let presses = third.presses.iter().map(|p| format!("{}@{} ", p.key, p.after.as_millis()));
    let keys = presses.collect::<Vec<_>>().concat();
    insta::assert_snapshot!(
        format!("{} {} {keys}{} {:?}", third.arrives.as_millis(), third.phone, third.patience.as_millis(), third.luck),
        @r#"83910 13945198491 1@5667 6@2651 2@400 35967 [0.3759915721561654, 0.28202852135543555]"#
    );
}

/// The reference's own example.
#[test]
fn the_example_of_the_documentation_is_a_scenario() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/simulating.md");
    let text = std::fs::read_to_string(path).unwrap();
    let example = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let mut files = one(example);
    assert_eq!(Scenario::logs_of("a.toml", example), ["calls.csv"]);
    let row = "1,0,PS,90000,90010,90010,90050,40,HANG,,,,";
    let head = "call_id,priority,service,menu_entered_s,menu_left_s,queue_joined_s,queue_left_s,queue_wait_s,outcome,service_started_s,service_ended_s,talk_s,agent";
    files.insert("calls.csv".into(), format!("{head}\n{row}\n"));
    let (scenario, warnings) =
        Scenario::read(&files, "a.toml", &[]).unwrap_or_else(|f| panic!("{:#?}", lines(&f)));
    assert_eq!((lines(&warnings), scenario.arrivals.log.len()), (Vec::new(), 1));
}
