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

use crate::support::skilled_day::{Day, Figures, House, Ways};
use crate::support::waiting_day::queue;

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
