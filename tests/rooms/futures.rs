//! Futures as callers hear them, against every closed formula, on days with several skills, agents who have more than one,
//! priorities, a peak, agents who go home and agents who drop out: asked for and brought back as messages, told in words.
//! `cargo bench --bench futures` has the figures of many such days; here is one of each kind, so that it takes seconds.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{AgentId, CallId, Language, Now, TicketId, UtcTime};
use hotline::exchange::acd::{
    Acd, AcdInput, AcdOutput, AcdPlan, AgentPlan, AgentWish, Joining, RanAhead, Shifts,
};
use hotline::exchange::{Command, Entry, ExchangeSettings, Input, Ledger, Peer, Switchboard};

use crate::small_hotline::{keys, menus};
use crate::support::skilled_day::{Day, Figures, House, Ways};
use crate::support::waiting_day::queue;
use crate::world::World;

#[test]
fn running_ahead_beats_every_closed_formula_and_the_words_hold() {
    let mut figures = Figures::default();
    for house in [House::Shop, House::Bank] {
        let mut day = Day::new(house, 1, Ways { hours: 4, ..Ways::default() });
        day.run();
        assert!(day.batches.0 > 50 && day.batches.1 < 2_000_000, "{:?}", day.batches);
        figures.add(&day);
    }
    println!("{figures}");
    assert!(figures.n > 400.0, "{figures}");
    for rule in figures.rules().filter(|rule| *rule != "hotline") {
        assert!(figures.rmse("hotline") < figures.rmse(rule), "{rule}: {figures}");
    }
    assert!((0.7..=0.9).contains(&figures.held()) && figures.later() < 0.1, "{figures}");
}

#[test]
fn while_no_batch_comes_the_formula_speaks_and_it_is_asked_for_again() {
    let mut day = Day::new(House::Shop, 2, Ways { futures: false, hours: 2, ..Ways::default() });
    day.run();
    let counters = day.acd.snapshot(Now::default()).counters;
    assert!(counters.batches > 20 && counters.tellings > 100, "{counters:?}");
}

/// Four agents of one skill, three of whom go home after so long, if that is known; twelve callers, three of them urgent.
fn crowd(home_after: Option<Duration>) -> (Acd, Now, Vec<AcdOutput>) {
    let leaves = |i: usize| match home_after.filter(|_| i > 0) {
        Some(after) => Shifts::Stretches(vec![(UtcTime::default(), UtcTime::default() + after)]),
        None => Shifts::Unknown,
    };
    let agent =
        |i| AgentPlan { languages: vec![Language::Mandarin], shifts: leaves(i), ..AgentPlan::default() };
    let agents: BTreeMap<AgentId, AgentPlan> =
        (0..4).map(|i| (AgentId::from(format!("agent-{i}").as_str()), agent(i))).collect();
    let queues = BTreeMap::from([("help".into(), queue())]);
    let mut acd = Acd::new(Arc::new(AcdPlan { queues, agents: agents.clone() }));
    let mut now = Now::default();
    for agent in agents.keys() {
        acd.handle(now, AcdInput::Reachable { agent: agent.clone(), reachable: true });
        acd.handle(now, AcdInput::Agent { agent: agent.clone(), wish: AgentWish::SignIn });
    }
    let mut said = Vec::new();
    for i in 0..16 {
        now = now.after(Duration::from_secs(1));
        let joining = Joining {
            ticket: TicketId(i),
            call: CallId(i),
            queue: "help".into(),
            priority: if i % 4 == 3 { 0 } else { 5 },
            since: now.mono,
            language: Language::Mandarin,
            skills: Vec::new(),
            prefer: None,
            kept: false,
        };
        acd.handle(now, AcdInput::Enter(joining));
        while let Some(output) = acd.poll_output() {
            if let AcdOutput::Offer(offer) = &output {
                acd.handle(now, AcdInput::Accepted { assignment: offer.assignment });
            }
            said.push(output);
        }
    }
    (acd, now, said)
}

#[test]
fn a_shift_about_to_end_is_in_the_wait_before_it_ends() {
    let last = |home_after| {
        let (acd, now, _) = crowd(home_after);
        let queue = acd.snapshot(now).queues.remove(0);
        queue.waiting.last().and_then(|t| t.estimate).expect("he is told").typical
    };
    let (unknown, known) = (last(None), last(Some(Duration::from_mins(5))));
    println!("{unknown:?} without, {known:?} with the end of the shift");
    assert!(known > unknown.mul_f64(1.3), "{unknown:?} {known:?}");
    assert_eq!(
        last(Some(Duration::from_hours(5))),
        unknown,
        "a late end of a shift matters to nobody who waits"
    );
}

#[test]
fn one_batch_is_one_answer_and_what_nobody_waits_for_changes_nothing() {
    let (mut acd, now, said) = crowd(None);
    let asked =
        said.iter().filter_map(|o| if let AcdOutput::RunAhead { batch } = o { Some(*batch) } else { None });
    let batches: Vec<_> = asked.collect();
    assert_eq!(batches.len(), 1, "one batch serves all who wait: {said:?}");
    let futures = acd.futures(batches[0]).expect("it is waited for");
    let ran = futures.run();
    assert_eq!(ran, futures.run(), "one seed, one future");
    let text = serde_json::to_string(&ran).unwrap();
    assert_eq!(serde_json::from_str::<RanAhead>(&text).unwrap(), ran, "a tape holds it to the last bit");
    assert!(!ran.lines.is_empty() && ran.steps > 100, "{ran:?}");
    acd.handle(now, AcdInput::RanAhead(ran.clone()));
    let told = acd.snapshot(now);
    acd.handle(now, AcdInput::RanAhead(ran));
    assert_eq!(acd.snapshot(now).queues, told.queues);
    assert_eq!(acd.snapshot(now).counters.batches_late, 1);
    assert!(acd.futures(batches[0]).is_none(), "nobody waits for it any more");
}

/// How long the last of the crowd is expected to wait.
fn last_waits(acd: &Acd, now: Now) -> Duration {
    let queue = acd.snapshot(now).queues.remove(0);
    queue.waiting.last().and_then(|t| t.estimate).expect("he is told").typical
}

/// The plan of [`crowd`], and one agent more with a skill that nobody has: profiles are others.
fn another_profile() -> Arc<AcdPlan> {
    let agent = |skills: &[&str]| AgentPlan {
        languages: vec![Language::Mandarin],
        skills: skills.iter().map(|s| ((*s).into(), 5)).collect(),
        ..AgentPlan::default()
    };
    let mut agents: BTreeMap<AgentId, AgentPlan> =
        (0..4).map(|i| (AgentId::from(format!("agent-{i}").as_str()), agent(&[]))).collect();
    agents.insert("new".into(), agent(&["loans"]));
    Arc::new(AcdPlan { queues: BTreeMap::from([("help".into(), queue())]), agents })
}

fn batches(said: &[AcdOutput]) -> Vec<hotline::base::BatchId> {
    let asked = |o: &AcdOutput| if let AcdOutput::RunAhead { batch } = o { Some(*batch) } else { None };
    said.iter().filter_map(asked).collect()
}

#[test]
fn when_groups_change_what_is_known_speaks_on_and_what_is_asked_for_still_comes() {
    let (mut acd, now, said) = crowd(None);
    let by_formula = last_waits(&acd, now);
    let batch = batches(&said)[0];
    acd.install(now, another_profile());
    let ran = acd.futures(batch).expect("it is waited for, whoever serves whom now").run();
    acd.handle(now, AcdInput::RanAhead(ran));
    assert_eq!(acd.snapshot(now).counters.batches_late, 0);
    let by_futures = last_waits(&acd, now);
    assert_ne!(by_futures, by_formula, "futures have something to say here");
    let (mut acd, now, said) = crowd(None);
    let ran = acd.futures(batches(&said)[0]).expect("it is waited for").run();
    acd.handle(now, AcdInput::RanAhead(ran));
    let known = last_waits(&acd, now);
    acd.install(now, another_profile());
    assert_eq!(last_waits(&acd, now), known, "no jump because somebody was hired");
}

#[test]
fn the_same_seed_tells_the_same_with_batches_on_their_way() {
    let told = || {
        let mut day = Day::new(House::Shop, 5, Ways { hours: 2, ..Ways::default() });
        day.run();
        assert!(day.batches.0 > 20, "{:?}", day.batches);
        day.visits.values().map(|v| format!("{:?} {:?}", v.answered, v.told)).collect::<Vec<_>>()
    };
    assert_eq!(told(), told());
}

/// A small hotline with more callers than its agents can take, some of whom came with a clock of before: until a batch is asked
/// for.
fn asked() -> (World, hotline::base::BatchId) {
    let mut world = World::new(menus(), ExchangeSettings::default());
    world.sign_in("8001");
    for n in 0..40 {
        let (name, number) = (format!("c{n}"), if n % 3 == 0 { "057195188" } else { "95188" });
        world.dial(&name, number, &format!("7{n:05}"), Peer::Stranger);
        for key in keys("0") {
            let leg = world.leg(&name);
            world.press(leg, key);
        }
        world.wait(Duration::from_secs(20));
        let asked = world
            .commands
            .iter()
            .find_map(|c| if let Command::RunAhead { batch } = c { Some(*batch) } else { None });
        if let Some(batch) = asked {
            return (world, batch);
        }
    }
    panic!("no batch was asked for");
}

/// What a board makes of these entries: its own entries and commands, as text.
fn played(entries: &[Entry]) -> (Vec<String>, Vec<String>) {
    let mut board = Switchboard::new(ExchangeSettings::default(), menus());
    let (mut made, mut commands) = (Vec::new(), Vec::new());
    for entry in entries.iter().filter(|e| !e.what.is_derived()) {
        board.replay(entry, |_| Some(menus())).expect("it can be fed");
        while let Some(entry) = board.poll_entry() {
            made.push(serde_json::to_string(&entry).expect("text"));
        }
        while let Some(command) = board.poll() {
            commands.push(serde_json::to_string(&command).expect("text"));
        }
    }
    (made, commands)
}

#[test]
fn a_tape_with_futures_on_it_plays_again_bit_for_bit_without_running_any() {
    let (mut world, batch) = asked();
    let ran = world.board.futures(batch).expect("it is waited for").run();
    world.wait(Duration::from_millis(50));
    world.feed(Input::RanAhead(ran));
    world.wait(Duration::from_mins(3));
    assert_eq!(world.board.view(world.now).acd.counters.batches_late, 0);
    let text: Vec<String> = world.entries.iter().map(|e| serde_json::to_string(e).expect("text")).collect();
    let read: Vec<Entry> = text.iter().map(|t| serde_json::from_str(t).expect("an entry")).collect();
    let (entries, commands) = played(&read);
    assert_eq!(entries, text);
    let said: Vec<String> = world.commands.iter().map(|c| serde_json::to_string(c).expect("text")).collect();
    assert_eq!(commands, said);
    assert!(text.iter().any(|t| t.contains("ran_ahead")), "the batch is on the tape");
}

#[test]
fn a_batch_on_its_way_is_forgotten_by_a_restart_and_what_comes_then_changes_nothing() {
    let (world, batch) = asked();
    let ran = world.board.futures(batch).expect("it is waited for").run();
    let mut ledger = Ledger::default();
    world.entries.iter().for_each(|entry| ledger.apply(entry));
    let settings = ExchangeSettings { first_number: ledger.last_number(), ..ExchangeSettings::default() };
    let mut next = World::new(menus(), settings);
    next.now = world.now.after(Duration::from_secs(5));
    let now = next.now;
    next.board.restore(now, &ledger);
    next.catch_up();
    assert!(next.board.futures(batch).is_none(), "nobody waits for it any more");
    next.feed(Input::RanAhead(ran));
    assert_eq!(next.board.view(next.now).acd.counters.batches_late, 1);
    assert!(next.board.exchange().is_idle());
}
