//! An agent's phone that vanishes, in simulated time: found out within 10 s, the caller at his old place within 2 s of
//! that, and nobody rung into the void.
use std::sync::Arc;
use std::time::Duration;

use hotline::base::Instant;
use hotline::exchange::acd::{AgentState, TicketSnapshot};
use hotline::exchange::{Cause, Fact};

use crate::support::switchboard_world::{AGENT, CALLER, MERCHANT, OTHER, World};

/// Within this time it is noticed that a phone is not there any more.
const NOTICED: Duration = Duration::from_secs(10);
/// Within this time of the notice the caller is where he was.
const BACK: Duration = Duration::from_secs(2);

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// An agent whose phone has shown that it answers questions.
fn world() -> World {
    let mut w = World::tuned(|_| (), |settings| settings.ask_phones = seconds(10));
    w.sign_in(AGENT);
    w.wait(seconds(11));
    w
}

fn waiting(w: &World) -> Vec<TicketSnapshot> {
    w.queue("general").waiting
}

fn is_unreachable(fact: &Fact) -> bool {
    matches!(fact, Fact::AgentChanged { agent, state: AgentState::Unreachable } if agent.as_str() == "8002")
}

fn noticed(w: &World, vanished: Instant, what: impl Fn(&Fact) -> bool) -> Instant {
    let at = w.fact_at(vanished, what).unwrap_or_else(|| panic!("not noticed: {:#?}", w.facts));
    assert!(at.since(vanished) <= NOTICED, "noticed after {:?}", at.since(vanished));
    at
}

fn offered(w: &World, from: Instant) -> Vec<(String, Instant)> {
    let offers = w.facts.iter().filter(|(at, _)| *at >= from).filter_map(|(at, fact)| match fact {
        Fact::Offered { agent, .. } => Some((agent.to_string(), *at)),
        _ => None,
    });
    offers.collect()
}

/// Two callers wait; the phone rings for the first of them and vanishes.
fn vanishes_while_it_rings(network_tells: bool) {
    let mut w = world();
    w.answers.insert("8002".into(), "180 Ringing".into());
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.wait(seconds(1));
    w.dial(MERCHANT, "95188");
    w.press(MERCHANT, "0");
    let before = waiting(&w);
    assert_eq!(before.iter().map(|t| t.ringing.is_some()).collect::<Vec<_>>(), [true, false]);
    w.network_tells = network_tells;
    let vanished = w.vanish(AGENT);
    w.wait(seconds(15));
    let known = noticed(&w, vanished, is_unreachable);
    let back = w.fact_at(vanished, |f| matches!(f, Fact::OfferEnded { .. })).unwrap();
    assert!(back.since(known) <= BACK, "{:?}", back.since(known));
    let after = waiting(&w);
    let places = |line: &[TicketSnapshot]| -> Vec<_> {
        line.iter().map(|t| (t.ticket, t.call, t.since, t.priority)).collect()
    };
    assert_eq!(places(&after), places(&before), "place, clock and class");
    assert!(after.iter().all(|t| t.ringing.is_none()));
    assert_eq!(offered(&w, vanished), [], "the void was rung");
    // The next agent gets the one who was first.
    w.sign_in(OTHER);
    let given = w.facts.iter().rev().find_map(|(_, f)| match f {
        Fact::Connected { call, agent, .. } => Some((*call, agent.to_string())),
        _ => None,
    });
    assert_eq!(given, Some((before[0].call, "8001".into())));
}

#[test]
fn a_phone_that_vanishes_while_it_rings_gives_the_caller_his_place_back() {
    vanishes_while_it_rings(false);
}

#[test]
fn the_network_says_so_sooner() {
    vanishes_while_it_rings(true);
}

#[test]
fn a_phone_of_which_the_network_says_that_it_is_gone_is_rung_once() {
    let mut w = world();
    w.network_tells = true;
    let vanished = w.vanish(AGENT);
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.wait(seconds(1));
    assert_eq!(offered(&w, vanished).len(), 1);
    assert_eq!(waiting(&w).len(), 1);
    let agents = w.node.view(w.now).board.acd.agents;
    let state = &agents.iter().find(|a| a.agent.as_str() == "8002").unwrap().state;
    assert_eq!(*state, AgentState::Unreachable, "neither ready nor paused: he did nothing wrong");
    // He is back: the caller who waits is his.
    w.gone.clear();
    w.network_tells = false;
    w.sign_in(AGENT);
    w.assert_two_way(CALLER, AGENT);
}

#[test]
fn a_phone_that_vanishes_in_talk_gives_the_caller_his_place_back() {
    let mut w = world();
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.assert_two_way(CALLER, AGENT);
    let first = w.facts.iter().find_map(|(at, f)| match f {
        Fact::Queued { call, .. } => Some((*call, *at)),
        _ => None,
    });
    let (call, clock) = first.unwrap();
    // Somebody came meanwhile, and waits: he who talked was first.
    w.wait(seconds(60));
    w.dial(MERCHANT, "95188");
    w.press(MERCHANT, "0");
    w.wait(seconds(20));
    let vanished = w.vanish(AGENT);
    w.wait(seconds(20));
    let known = noticed(&w, vanished, |f| matches!(f, Fact::AgentLeft { cause: Cause::PeerLost, .. }));
    let back = w.fact_at(vanished, |f| matches!(f, Fact::Queued { call: c, .. } if *c == call)).unwrap();
    assert!(back.since(known) <= BACK);
    let line = waiting(&w);
    assert_eq!((line[0].call, line[0].since, line.len()), (call, clock, 2), "he is first, by his clock");
    assert_eq!(offered(&w, vanished), [], "the void was rung");
    assert_eq!(w.figures().legs_vanished, 1);
    // His phone comes back and registers: after the work of that talk the caller is his again.
    w.gone.clear();
    w.hushed.clear();
    w.sign_in(AGENT);
    w.wait(seconds(90));
    w.assert_two_way(CALLER, AGENT);
}

#[test]
fn a_phone_that_vanishes_in_wrap_up_is_not_rung() {
    let mut w = world();
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.wait(seconds(5));
    w.hang_up(CALLER);
    let vanished = w.vanish(AGENT);
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.wait(seconds(120));
    assert_eq!(offered(&w, vanished), [], "the void was rung");
    assert_eq!(waiting(&w).len(), 1);
    noticed(&w, vanished, |_| true);
    assert_eq!(w.figures().phones_silent, 1);
    // It answers again, without registering: that will do.
    w.gone.clear();
    w.hushed.clear();
    w.wait(seconds(11));
    assert_eq!(w.figures().phones_back, 1);
    w.assert_two_way(CALLER, AGENT);
}

#[test]
fn a_phone_that_sends_no_sound_but_answers_is_there() {
    let mut w = world();
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.hush(AGENT);
    w.wait(seconds(50));
    assert!(w.figures().legs_asked >= 4, "{:?}", w.figures());
    w.unhush(AGENT);
    w.wait(seconds(30));
    w.assert_two_way(CALLER, AGENT);
    // He is muted for an hour: he answers, and is there.
    w.hush(AGENT);
    w.wait(seconds(3_600));
    w.assert_two_way(CALLER, AGENT);
    assert_eq!((w.figures().legs_vanished, w.live_calls_of(AGENT)), (0, 1));
    // And when his phone is gone then, that is noticed.
    let vanished = w.vanish(AGENT);
    w.wait(seconds(30));
    let left = w.fact_at(vanished, |f| matches!(f, Fact::AgentLeft { cause: Cause::PeerLost, .. })).unwrap();
    assert!(left.since(vanished) <= seconds(25), "{:?}", left.since(vanished));
}

#[test]
fn a_caller_who_is_muted_over_udp_is_never_ended_while_his_phone_answers() {
    let mut w = world();
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.assert_two_way(CALLER, AGENT);
    w.hush(CALLER);
    w.wait(seconds(3_600));
    w.assert_two_way(CALLER, AGENT);
    let asked = w.figures().legs_asked;
    assert!((170..=190).contains(&asked), "each 20 s: {asked}");
    let vanished = w.vanish(CALLER);
    w.wait(seconds(60));
    let over = w.fact_at(vanished, |f| matches!(f, Fact::CallEnded { .. })).expect("it is noticed");
    assert!(over.since(vanished) <= seconds(35), "{:?}", over.since(vanished));
}

#[test]
fn a_caller_who_vanishes_without_a_word_over_udp_is_lost_within_a_minute() {
    let mut w = world();
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.assert_two_way(CALLER, AGENT);
    let vanished = w.vanish(CALLER);
    w.wait(seconds(70));
    let over = w.fact_at(vanished, |f| matches!(f, Fact::CallEnded { cause: Cause::SoundLost, .. }));
    let over = over.expect("it is noticed").since(vanished);
    assert!(over >= seconds(59) && over <= seconds(61), "{over:?}");
    assert_eq!(w.live_calls_of(AGENT), 0, "his agent is free");
}

#[test]
fn a_caller_whose_phone_answers_no_question_is_there_while_it_sends_reports() {
    for reports in [true, false] {
        let mut w = world();
        w.deaf.insert(CALLER);
        w.dial(CALLER, "95188");
        w.press(CALLER, "0");
        w.assert_two_way(CALLER, AGENT);
        w.hush(CALLER);
        let since = w.now.mono;
        for _ in 0..60 {
            w.wait(seconds(5));
            if reports {
                w.report(CALLER);
            }
        }
        let over = w.fact_at(since, |f| matches!(f, Fact::CallEnded { .. }));
        assert_eq!(over.is_none(), reports, "{over:?}");
        if !reports {
            continue;
        }
        let stopped = w.now.mono;
        w.wait(seconds(120));
        let over = w.fact_at(stopped, |f| matches!(f, Fact::CallEnded { .. })).expect("it is noticed");
        assert!(over.since(stopped) <= seconds(60), "{:?}", over.since(stopped));
    }
}

#[test]
fn a_phone_that_never_answered_a_question_is_not_thought_gone_by_its_silence() {
    let mut w = World::tuned(|_| (), |settings| settings.ask_phones = seconds(10));
    w.sign_in(AGENT);
    w.deaf.insert(AGENT);
    w.wait(seconds(60));
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.assert_two_way(CALLER, AGENT);
    w.hush(AGENT);
    w.wait(seconds(50));
    w.assert_two_way(CALLER, AGENT);
    assert_eq!((w.figures().phones_silent, w.figures().legs_vanished), (0, 0));
}

#[test]
fn a_full_queue_takes_back_whom_it_gave_away() {
    let mut w = World::tuned(|_| (), |settings| settings.ask_phones = seconds(10));
    let mut menus = (*World::menus()).clone();
    let general = Arc::make_mut(&mut menus.acd).queues.get_mut(&"general".into()).unwrap();
    general.size_max = 1;
    w.node.install_menus(w.now, Arc::new(menus));
    w.sign_in(AGENT);
    w.wait(seconds(11));
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.assert_two_way(CALLER, AGENT);
    w.dial(MERCHANT, "95188");
    w.press(MERCHANT, "0");
    assert_eq!(waiting(&w).len(), 1, "the queue is full");
    w.vanish(AGENT);
    w.wait(seconds(15));
    assert_eq!(waiting(&w).len(), 2);
    assert!(w.fact_at(Instant::ZERO, |f| matches!(f, Fact::Overflowed { .. })).is_none());
}

#[test]
fn an_agents_phone_that_vanishes_while_it_holds_the_caller_is_found_and_the_caller_waits_again() {
    for direction in ["inactive", "sendonly"] {
        let mut w = world();
        w.dial(CALLER, "95188");
        w.press(CALLER, "0");
        w.assert_two_way(CALLER, AGENT);
        w.reoffer(AGENT, direction);
        w.hush(AGENT);
        // Held for longer than any silence may last: that is no reason to end anything.
        w.wait(seconds(150));
        assert_eq!(w.live_calls_of(AGENT), 1, "{direction}: {:#?}", w.facts);
        assert!(w.figures().legs_asked >= 10, "{direction}: asked {}", w.figures().legs_asked);
        let vanished = w.vanish(AGENT);
        w.wait(seconds(30));
        let left = w.fact_at(vanished, |f| matches!(f, Fact::AgentLeft { cause: Cause::PeerLost, .. }));
        let left = left.unwrap_or_else(|| panic!("{direction}: not noticed"));
        assert!(left.since(vanished) <= seconds(20), "{direction}: {:?}", left.since(vanished));
        assert_eq!(waiting(&w).len(), 1, "{direction}: he waits again");
    }
}

#[test]
fn a_call_that_is_taken_back_from_hold_is_watched_as_before() {
    let mut w = world();
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.reoffer(AGENT, "inactive");
    w.wait(seconds(100));
    w.reoffer(AGENT, "sendrecv");
    w.assert_two_way(CALLER, AGENT);
    let asked = w.figures().legs_asked;
    w.wait(seconds(100));
    assert_eq!(w.figures().legs_asked, asked, "he speaks: nobody asks");
    let hushed = w.now.mono;
    w.hush(AGENT);
    w.wait(seconds(70));
    assert!(w.figures().legs_asked > asked + 5, "now he is");
    assert!(w.fact_at(hushed, |f| matches!(f, Fact::AgentLeft { .. })).is_none(), "he answers");
    let vanished = w.vanish(AGENT);
    w.wait(seconds(30));
    assert!(w.fact_at(vanished, |f| matches!(f, Fact::AgentLeft { cause: Cause::PeerLost, .. })).is_some());
}

#[test]
fn a_caller_who_holds_us_may_be_quiet_for_as_long_as_he_answers() {
    let mut w = world();
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.assert_two_way(CALLER, AGENT);
    w.reoffer(CALLER, "inactive");
    w.wait(seconds(300));
    assert_eq!(w.live_calls_of(CALLER), 1);
    assert!((3..=5).contains(&w.figures().legs_asked), "each minute: {}", w.figures().legs_asked);
    let vanished = w.vanish(CALLER);
    w.wait(seconds(75));
    let left = w.fact_at(vanished, |f| matches!(f, Fact::CallEnded { .. }));
    assert!(left.is_some(), "{:#?}", w.facts.last());
}

#[test]
fn a_phone_that_holds_and_answers_no_question_is_not_thought_gone() {
    let mut w = World::tuned(|_| (), |settings| settings.ask_phones = seconds(10));
    w.sign_in(AGENT);
    w.deaf.insert(AGENT);
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.reoffer(AGENT, "inactive");
    w.wait(seconds(200));
    assert_eq!((w.live_calls_of(AGENT), w.figures().legs_vanished), (1, 0));
}
