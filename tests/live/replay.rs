//! Scenarios played over real SIP and RTP: against our own server, whose decisions must be those of the simulation;
//! against sipp, which is anybody's server; and what the phones say of themselves when they are late.
use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotline::base::{CallId, QueueId};
use hotline::exchange::menu::{MenuSet, PromptTexts};
use hotline::exchange::{Fact, Told};
use hotline::io::{CallFilter, Store};
use hotline::replay::day::{DayReport, DaySettings, TrialSettings, find_capacity, page, play};
use hotline::replay::{LimitedBy, SearchSettings, Verdict};
use hotline::sim::{Day, Decisions, Plan, PromptLengths, Scenario};

use crate::house::{House, SOON, runtime};

/// Callers come in the second minute: by then every agent has settled. Complaints have nobody: who waits there goes.
const MINUTE: &str = r#"
title  = "A minute of calls"
begins = "2026-11-10T10:00+08:00"
lasts  = "2m"

[arrivals]
per_half_hour = [1050]
peaks = [{ when = "10:00-10:01", times = 0 }]

[callers.human]
share    = 4
number   = "95188"
keys     = ["0"]
think    = "1s"
patience = "3m"

[callers.account]
share    = 4
number   = "95188"
keys     = ["1", "3"]
think    = { from = "1s", to = "2s" }
patience = "3m"

[callers.lost]
share    = 2
number   = "95188"
keys     = []
patience = "2s"

[callers.complains]
share    = 2
number   = "95188"
keys     = ["4", "1"]
think    = "1s"
patience = "3s"

[agents.desk]
ids     = ["8001", "8002", "8003"]
pick_up = "1s"
talk    = { from = "3s", to = "5s" }
wrap_up = "1s"
"#;

/// Who only listens, for whoever answers.
const BRIEF: &str = r#"
title  = "Brief calls"
begins = "2026-11-10T10:00+08:00"
lasts  = "5m"

[arrivals]
per_half_hour = [3000]

[callers.anybody]
share    = 1
number   = "95188"
keys     = []
patience = "2s"

[agents.nobody]
count = 0
"#;

fn scenario(name: &str, text: &str) -> Arc<Scenario> {
    scenario_with(name, text, &[])
}

/// A scenario with files beside it.
pub(crate) fn scenario_with(name: &str, text: &str, more: &[(&str, &str)]) -> Arc<Scenario> {
    let mut files: BTreeMap<String, String> = [(format!("{name}.toml"), text.to_owned())].into();
    files.extend(more.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    let read = Scenario::read(&files, &format!("{name}.toml"), &[]);
    Arc::new(read.unwrap_or_else(|found| panic!("{found:#?}")).0)
}

pub(crate) fn v4(address: SocketAddr) -> SocketAddrV4 {
    match address {
        SocketAddr::V4(v4) => v4,
        SocketAddr::V6(v6) => panic!("{v6}"),
    }
}

/// A fact of a call: when, and what.
pub(crate) type At = (f64, Fact);

/// What the server wrote down, in its order.
pub(crate) fn recorded(house: &mut House) -> Vec<At> {
    house.close();
    let path = house.folder.join("store").join("hotline.db");
    runtime().block_on(async {
        let store = Store::open(&path).await.unwrap();
        let rows = store.calls(&CallFilter { limit: 1_000, ..CallFilter::default() }).await.unwrap();
        let mut lines = Vec::new();
        for row in rows {
            let id = CallId(u64::try_from(row.id).unwrap());
            lines.extend(store.call(id).await.unwrap().unwrap().facts);
        }
        lines.sort_by_key(|l| l.seq);
        lines.into_iter().map(|l| (seconds(l.at_us), serde_json::from_value(l.body).unwrap())).collect()
    })
}

/// The same people in simulated time, with the same menus, whose every prompt lasts as long as in the test's house.
pub(crate) fn simulated(scenario: &Arc<Scenario>, text: &str, seed: u64) -> Vec<At> {
    simulated_day(scenario, text, seed).0
}

/// The same, and how many batches of futures were asked for.
fn simulated_day(scenario: &Arc<Scenario>, text: &str, seed: u64) -> (Vec<At>, u64) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: BTreeMap<String, String> = std::fs::read_dir(root.join("menus"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&p).unwrap()))
        .collect();
    let manifest = std::fs::read_to_string(root.join("audio/manifest.toml")).unwrap();
    let (texts, _) = PromptTexts::read("manifest.toml", &manifest);
    let menus = MenuSet::load(&files, &texts.known()).unwrap().0;
    let lengths = std::fs::read_to_string(root.join("audio/manifest.lock.toml")).unwrap();
    let brief: Vec<String> = lengths
        .lines()
        .map(|line| match (line.find("ms = "), line.find(", licence")) {
            (Some(from), Some(to)) => format!("{}ms = 200{}", &line[..from], &line[to..]),
            _ => line.to_owned(),
        })
        .collect();
    let lengths = Arc::new(PromptLengths::read(&brief.join("\n")));
    let files = [("minute.toml".to_owned(), text.to_owned())].into();
    let plan = Plan::new(Arc::clone(scenario), &menus, lengths, &files).unwrap();
    let mut facts = Vec::new();
    let day = Day::new(plan, seed).run(
        |_| {},
        |n| facts.push((n.at.mono.since(hotline::base::Instant::ZERO).as_secs_f64(), n.fact.clone())),
    );
    assert_eq!(day.machine.broken, 0);
    (facts, day.machine.batches)
}

/// What was decided about each caller of the scenario, by his number.
pub(crate) fn decided(facts: &[At]) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut decisions = Decisions::default();
    for (_, fact) in facts {
        decisions.add(fact);
    }
    let all = decisions.of_callers().iter().filter(|(number, _)| number.starts_with("139"));
    all.map(|(number, visits)| (number.clone(), visits.clone())).collect()
}

/// When things happened to a caller, in seconds since the first of all began.
#[derive(Debug)]
pub(crate) struct Milestones {
    begun: f64,
    /// The first queue he joined.
    joined: Option<(QueueId, f64)>,
    connected: Option<f64>,
    /// The upper end of the first range of a wait that he was told, in seconds from then.
    told: Option<f64>,
}

/// By caller's number.
pub(crate) fn milestones(facts: &[At]) -> BTreeMap<String, Milestones> {
    let mut of_call = BTreeMap::new();
    let mut all: BTreeMap<String, Milestones> = BTreeMap::new();
    let first = facts
        .iter()
        .find_map(|(at, f)| {
            matches!(f, Fact::CallStarted { arrival, .. } if arrival.caller.starts_with("139")).then_some(*at)
        })
        .unwrap();
    for (at, fact) in facts {
        match fact {
            Fact::CallStarted { call, arrival, .. } => {
                of_call.insert(*call, arrival.caller.clone());
                let begun = Milestones { begun: at - first, joined: None, connected: None, told: None };
                all.insert(arrival.caller.clone(), begun);
            }
            Fact::Queued { call, queue, .. } => {
                if let Some(milestones) = of_call.get(call).and_then(|c| all.get_mut(c)) {
                    milestones.joined.get_or_insert_with(|| (queue.clone(), at - first));
                }
            }
            Fact::Connected { call, .. } => {
                if let Some(milestones) = of_call.get(call).and_then(|c| all.get_mut(c)) {
                    milestones.connected.get_or_insert(at - first);
                }
            }
            Fact::WaitTold { call, told: Told::Wait { high, .. }, .. } => {
                if let Some(milestones) = of_call.get(call).and_then(|c| all.get_mut(c)) {
                    milestones.told.get_or_insert(high.as_secs_f64());
                }
            }
            _ => {}
        }
    }
    all
}

/// The one of a thousand parts of a sorted row.
fn quantile(sorted: &[f64], thousandths: usize) -> f64 {
    sorted[(sorted.len() - 1) * thousandths / 1_000]
}

fn seconds(us: i64) -> f64 {
    Duration::from_micros(us.unsigned_abs()).as_secs_f64()
}

#[test]
fn the_same_people_simulated_and_replayed_meet_the_same_decisions() {
    agree(MINUTE);
}

/// More come than three agents can talk to, for two queues that share them: what callers are told comes from futures, run by a
/// thread of the server's, and modelled in the simulation.
#[test]
fn with_futures_run_ahead_for_a_crowd_the_decisions_are_the_same() {
    let crowd = MINUTE.replace("\"2m\"", "\"90s\"").replace("[1050]", "[2400]");
    let (asked, batches) = agree(&crowd);
    println!(
        "batches of futures: {asked} asked for in the simulation; {batches:?} asked for and run by the server"
    );
    assert!(asked > 0 && batches.0 > 0.0 && batches.1 > 0.0, "{asked}, {batches:?}");
}

/// Plays these people both ways; batches of futures asked for in the simulation, and asked for and run by the server.
fn agree(text: &str) -> (u64, (f64, f64)) {
    const SEED: u64 = 7;
    let scenario = scenario("minute", text);
    let mut house = House::open("");
    let mut settings = DaySettings::new(v4(house.sip), Arc::clone(&scenario));
    settings.seed = SEED;
    settings.from = Duration::from_mins(1);
    settings.max_time = Duration::from_secs(150);
    let names = ["8001", "8002", "8003"];
    settings.passwords = names.iter().map(|n| ((*n).to_owned(), house.password(n))).collect();
    let report = play(settings, |_| {}).unwrap();
    println!("{report}");
    let batches = batches_of(&house);
    let real = recorded(&mut house);
    let (model, asked) = simulated_day(&scenario, text, SEED);

    let (real_decisions, model_decisions) = (decided(&real), decided(&model));
    let (real_at, model_at) = (milestones(&real), milestones(&model));
    say_how_far_apart(&real_at, &model_at);
    assert!(model_decisions.len() >= 20, "{} callers", model_decisions.len());
    for caller in differing(&model_decisions, &real_decisions) {
        assert_eq!(real_decisions.get(caller), model_decisions.get(caller), "caller {caller}");
    }
    assert_same_order(&real_at, &model_at, !report.punctuality.late);
    assert_measured(&report, model_decisions.len());
    (asked, batches)
}

/// Batches of futures that a server asked for, and that its thread ran.
fn batches_of(house: &House) -> (f64, f64) {
    let metrics = runtime().block_on(house.get("/metrics"));
    let of = |what: &str| {
        let name = format!("hotline_futures_total{{what=\"{what}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("no {name}")).parse::<f64>().unwrap()
    };
    (of("asked"), of("run"))
}

/// What differs between two decided days, if anything does.
fn differing<'d>(
    one: &'d BTreeMap<String, Vec<Vec<String>>>,
    other: &'d BTreeMap<String, Vec<Vec<String>>>,
) -> Vec<&'d String> {
    let callers = one.keys().chain(other.keys().filter(|caller| !one.contains_key(*caller)));
    callers.filter(|caller| one.get(*caller) != other.get(*caller)).collect()
}

/// The comparison can fail: one key pressed otherwise, one caller less, and it says whose.
#[test]
fn two_days_with_one_decision_that_differs_do_not_agree() {
    let scenario = scenario("minute", MINUTE);
    let same = decided(&simulated(&scenario, MINUTE, 7));
    assert!(differing(&same, &decided(&simulated(&scenario, MINUTE, 7))).is_empty());
    let (caller, mut other) = (same.keys().nth(3).unwrap().clone(), same.clone());
    let word =
        other.get_mut(&caller).unwrap()[0].iter_mut().find(|word| !word.starts_with("dialled")).unwrap();
    word.push('x');
    assert_eq!(differing(&same, &other), [&caller]);
    other.remove(&caller);
    assert_eq!(differing(&same, &other), [&caller]);
    assert_eq!(differing(&other, &same), [&caller]);
    let others = MINUTE.replace("keys     = [\"0\"]", "keys     = [\"4\", \"1\"]");
    let others = decided(&simulated(&self::scenario("minute", &others), &others, 7));
    assert!(differing(&same, &others).len() > 3, "a third of the callers want something else");
}

/// Prints how far the running hotline's times are from the model's.
pub(crate) fn say_how_far_apart(real: &BTreeMap<String, Milestones>, model: &BTreeMap<String, Milestones>) {
    let mut begun = Vec::new();
    let mut waited = Vec::new();
    let mut told = Vec::new();
    for (caller, m) in model {
        let Some(r) = real.get(caller) else { continue };
        if let (Some(m_told), Some(r_told)) = (m.told, r.told) {
            println!("  first wait told, upper end: simulated {m_told} s, replayed {r_told} s");
            told.push((r_told - m_told).abs());
        }
        begun.push((r.begun - m.begun).abs());
        if let (Some(m_connected), Some(r_connected)) = (m.connected, r.connected) {
            waited.push(((r_connected - r.begun) - (m_connected - m.begun)).abs());
        }
    }
    for (what, mut all) in [("arrivals", begun), ("arrival to agent", waited), ("first wait told", told)] {
        all.sort_by(f64::total_cmp);
        if all.is_empty() {
            continue;
        }
        let ms = |q| 1e3 * quantile(&all, q);
        println!(
            "{what}: simulated and replayed differ by {:.0} ms (median), {:.0} ms (9 of 10), {:.0} ms (worst) of {}",
            ms(500),
            ms(900),
            ms(1_000),
            all.len()
        );
    }
}

/// Whoever joined a queue clearly before somebody else is served before him, simulated and replayed: however late a busy
/// machine is, it may not turn the line around. Where the phones kept their time, the order over all queues is the same, too.
fn assert_same_order(
    real: &BTreeMap<String, Milestones>,
    model: &BTreeMap<String, Milestones>,
    punctual: bool,
) {
    const APART_S: f64 = 1.0;
    const CLEAR_S: f64 = 2.5;
    let served = |m: &Milestones| Some((m.joined.clone()?, m.connected?));
    let all: Vec<_> = model.iter().filter_map(|(n, m)| Some((n, served(m)?))).collect();
    let mut compared = 0;
    for (one, ((queue, joined), at)) in &all {
        let one_real = real[*one].connected;
        for (other, ((other_queue, other_joined), other_at)) in &all {
            let other_real = real[*other].connected;
            if queue == other_queue && *other_joined > joined + APART_S {
                compared += 1;
                assert!(at < other_at, "simulated: {one} before {other} in {queue}");
                assert!(one_real < other_real, "replayed: {one} before {other} in {queue}");
            }
            if punctual && *other_at > at + CLEAR_S {
                assert!(one_real < other_real, "{one} at {at} before {other} at {other_at}");
            }
        }
    }
    assert!(compared > 10, "{compared} pairs in line");
}

fn assert_measured(report: &DayReport, callers: usize) {
    let o = &report.outcomes;
    assert_eq!(usize::try_from(o.callers).unwrap(), callers, "{report}");
    assert_eq!((o.refused, o.broken, o.silent, o.cut_short), (0, 0, 0, 0), "{report}");
    assert_eq!(report.rfc6076.ser_percent, Some(100.0), "{report}");
    assert!(o.served > 0 && o.abandoned > 0, "{report}");
    assert_eq!(o.conversations, o.served, "{report}");
    assert_eq!(report.post_dial.count, o.calls, "{report}");
    for (what, count) in [
        ("key to prompt", report.key_to_prompt.count),
        ("both hear", report.answer_to_two_way.count),
        ("answer to sound", report.answer_to_sound.count),
        ("jitter", report.sound.jitter.count),
        ("SDD", report.rfc6076.sdd.count),
    ] {
        assert!(count > 0, "{what} was never measured: {report}");
    }
    // Phones that speak late are late at each other's ears.
    assert!(report.punctuality.late || report.sound.mos_median.unwrap() > 3.0, "{report}");
}

/// sipp's own answering scenario, with its echo of sound: all calls on one port of media.
struct Anybody(Child);

impl Drop for Anybody {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn anybody(port: u16) -> Anybody {
    let child = Command::new("sipp")
        .args(["-sn", "uas", "-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin"])
        .args(["-rtp_echo", "-mi", "127.0.0.1", "-mp", &(port + 2).to_string()])
        .current_dir(crate::house::scratch())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|e| panic!("sipp is missing ({e}); cargo xtask test installs it"));
    let (wanted, end) = (format!(":{port:04X} "), Instant::now() + SOON);
    while !std::fs::read_to_string("/proc/net/udp").unwrap().contains(&wanted) {
        assert!(Instant::now() < end, "sipp does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Anybody(child)
}

fn brief(port: u16, calls: usize) -> DaySettings {
    let target = SocketAddrV4::new([127, 0, 0, 1].into(), port);
    let mut settings = DaySettings::new(target, scenario("brief", BRIEF));
    settings.user = Some("service".to_owned());
    settings.rate = Some(10.0);
    settings.max_calls = calls;
    settings.max_time = Duration::from_mins(1);
    settings
}

#[test]
fn anybody_s_server_is_called_and_measured() {
    const CALLS: usize = 20;
    let _server = anybody(15_290);
    let report = play(brief(15_290, CALLS), |_| {}).unwrap();
    let o = &report.outcomes;
    assert_eq!((o.calls, o.answered, o.refused, o.broken, o.silent), (20, 20, 0, 0, 0), "{report}");
    assert_eq!(report.rfc6076.scr_percent, Some(100.0), "{report}");
    assert_eq!(report.rfc6076.sdd.count, 20, "{report}");
    // Two seconds of each call come back as they were sent, though sipp has one port for all.
    assert_eq!(report.sound.streams, 20, "{report}");
    assert!(report.sound.packets > 20 * 60, "{report}");
    assert!(report.bounded_by.as_deref().is_some_and(|b| b.contains("--max-calls 20")), "{report}");
}

#[test]
fn phones_that_are_late_say_so_and_count_from_the_time_that_was_wanted() {
    let _server = anybody(15_310);
    // Whoever watches keeps the phones' one thread: each half second they stand still for nearly as long.
    let report = play(brief(15_310, 30), |_| std::thread::sleep(Duration::from_millis(400))).unwrap();
    assert!(report.punctuality.late, "{report}");
    assert!(report.to_string().contains("THE PHONES THEMSELVES WERE LATE"), "{report}");
    // A call wanted while they stood still is as late for its caller as it would be for anybody.
    assert!(report.post_dial.max_us > 200_000, "{report}");
    assert!(report.punctuality.actions.max_us > 200_000, "{report}");
}

#[test]
fn nobody_there_is_a_failure_of_every_call_and_the_time_ends_it() {
    let mut settings = brief(15_330, 5);
    settings.max_time = Duration::from_secs(4);
    // Nobody listens at that port, and nobody hangs up before the bound.
    settings.hold = Some(Duration::from_secs(100));
    let began = Instant::now();
    let report = play(settings, |_| {}).unwrap();
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    assert_eq!((report.outcomes.answered, report.outcomes.cut_short), (0, 5), "{report}");
    assert!(report.bounded_by.as_deref().is_some_and(|b| b.contains("--max-time")), "{report}");
    assert!(report.sip_repeated > 0, "{report}");
}

#[test]
fn the_highest_rate_is_searched_in_steps_and_never_above_what_is_asked() {
    let house = House::open("");
    let day = DaySettings::new(v4(house.sip), scenario("brief", BRIEF));
    let search = SearchSettings { start: 4.0, most: 8.0, resolution: 2.0, ..SearchSettings::default() };
    let trial = TrialSettings { search, lasts: Duration::from_secs(2), hold: Duration::from_millis(500) };
    let found = find_capacity(&day, trial, |_, _, _| {}).unwrap();
    assert!(!found.trials.is_empty() && found.trials.iter().all(|t| t.rate <= 8.0), "{found:?}");
    // On a machine that is busy with other work the phones may be late, or the server: then it says so, and no limit.
    let told = found.trials.iter().all(|t| t.verdict == Verdict::Passed || !t.why.is_empty());
    let none = found.ended.contains("late") || found.trials.iter().all(|t| t.verdict != Verdict::Passed);
    assert!(told && (found.rate.is_some() || none), "{found:?}");
}

/// The server takes twelve calls at once, each of a second: twelve a second, whatever the machine.
#[test]
fn a_limit_of_the_server_s_own_is_found_and_the_search_says_what_it_was() {
    const CALLS: f64 = 12.0;
    let house = House::open(&format!("[limits]\ncalls = {CALLS}\n"));
    let mut day = DaySettings::new(v4(house.sip), scenario("brief", BRIEF));
    // Of a machine busy with other work only what matters to this limit is asked: a tenth of a call's length.
    day.late_after = Duration::from_millis(100);
    let search = SearchSettings { start: 4.0, resolution: 1.0, ..SearchSettings::default() };
    let trial = TrialSettings { search, lasts: Duration::from_millis(2_500), hold: Duration::from_secs(1) };
    let found = find_capacity(&day, trial, |_, _, _| {}).unwrap();
    for trial in &found.trials {
        println!("{:>5.1} {:?} {:?} {:?}", trial.rate, trial.phase, trial.verdict, trial.why);
    }
    assert_eq!(found.limited_by, LimitedBy::Server, "{found:?}");
    let rate = found.rate.unwrap();
    assert!((CALLS - 3.0..=CALLS + 1.0).contains(&rate), "{found:?}");
    let failed = found.trials.iter().filter(|t| t.verdict == Verdict::Failed);
    let refused = failed.clone().filter(|t| t.why.iter().any(|why| why.ends_with("x 503")));
    assert!(
        refused.count() == failed.count() && found.why.iter().any(|why| why.ends_with("x 503")),
        "{found:?}"
    );
    assert!(found.failed_at.is_some_and(|bad| bad > rate && bad <= CALLS + 2.0), "{found:?}");
}

#[test]
fn a_search_by_late_phones_ends_with_their_limit_and_not_the_server_s() {
    let house = House::open("");
    let mut day = DaySettings::new(v4(house.sip), scenario("brief", BRIEF));
    // Nobody is as punctual as that.
    day.late_after = Duration::from_nanos(1);
    let search = SearchSettings { start: 4.0, late_again: 1, ..SearchSettings::default() };
    let trial = TrialSettings { search, lasts: Duration::from_secs(1), hold: Duration::from_millis(300) };
    let found = find_capacity(&day, trial, |_, _, _| {}).unwrap();
    assert_eq!((found.rate, found.limited_by, found.trials.len()), (None, LimitedBy::Phones, 2), "{found:?}");
    assert!(found.failed_at.is_none() && found.why.is_empty(), "{found:?}");
    let html = page(&DayReport::default(), Some(&found));
    assert!(html.contains("Limited by the phones, not by the server."), "{html}");
}

#[test]
fn a_trial_of_the_search_ends_with_its_first_failure() {
    let house = House::open("");
    let mut day = DaySettings::new(v4(house.sip), scenario("brief", BRIEF));
    day.user = Some("nobody-has-this-number".to_owned());
    let search = SearchSettings { start: 2.0, ..SearchSettings::default() };
    let trial = TrialSettings { search, lasts: Duration::from_mins(2), hold: Duration::from_mins(1) };
    let began = Instant::now();
    let found = find_capacity(&day, trial, |_, _, _| {}).unwrap();
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    // On a machine that is busy with other work the phones may be late: that ends it at once.
    let told = found.trials.iter().all(|t| t.why[0].contains("refused") || t.verdict == Verdict::ToolLate);
    assert!(told && found.rate.is_none() && !found.trials.is_empty(), "{found:?}");
}

#[test]
fn a_stranger_is_not_called() {
    let out = Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(["replay", "quiet-night", "--target", "sip:192.0.2.1", "--max-calls", "1"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{told}");
    assert!(told.contains("192.0.2.1") && told.contains("--i-own-this-target"), "{told}");
}
