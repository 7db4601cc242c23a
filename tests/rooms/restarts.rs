//! A stop at any moment: what the journal's fold gives back. Every call has exactly one end, with its cause and its true
//! times; agents are where they were; callers who waited have their places back in their order.
use std::collections::BTreeMap;
use std::time::Duration;

use hotline::base::{AgentId, AssignmentId, CallId, Instant, Key, LegId, Now, Rng, Seq, TicketId, UtcTime};
use hotline::exchange::acd::{
    AcdInput, AcdOutput, AgentSnapshot, AgentState, AgentWish, Estimate, Lessons, LessonsError, Offer,
    OfferWhy,
};
use hotline::exchange::{
    Arrival, Cause, Command, Entry, Exchange, ExchangeSettings, Fact, Happening, Input, Ledger, Ops, Peer,
    PromiseOutcome, Record, RingTarget, Switchboard, Told, Vouched, decode, encode,
};

use crate::small_hotline::{keys, menus};
use crate::world::World;

/// What is on disk when the process is killed now.
fn ledger(world: &World) -> Ledger {
    let mut bytes = Vec::new();
    for entry in &world.entries {
        encode(entry, &mut bytes).unwrap();
    }
    let mut ledger = Ledger::default();
    for record in decode(&bytes) {
        if let Record::Entry(entry) = record.unwrap() {
            ledger.apply(&entry);
        }
    }
    // The last sign of life.
    ledger.mark(world.now);
    ledger
}

/// Killed now, started again after `down`.
fn restarted(world: &World, down: Duration) -> World {
    let ledger = ledger(world);
    // As a disk would hold it.
    let ledger: Ledger = serde_json::from_str(&serde_json::to_string(&ledger).unwrap()).unwrap();
    let first_number = ledger.last_number();
    let mut next = World::new(menus(), ExchangeSettings { first_number, ..ExchangeSettings::default() });
    next.now = Now { mono: ledger.at().mono + down, utc: ledger.at().utc + down };
    next.legs_above(first_number);
    next.entries.clone_from(&world.entries);
    next.facts.clone_from(&world.facts);
    let now = next.now;
    // As a disk would hold it.
    let lessons = Lessons::decode(&world.board.lessons().encode()).unwrap();
    next.board.relearn(now, &lessons);
    next.board.restore(now, &ledger);
    next.catch_up();
    next
}

fn ends(world: &World) -> BTreeMap<CallId, Vec<(Cause, Duration)>> {
    let mut ends: BTreeMap<CallId, Vec<_>> = BTreeMap::new();
    for fact in &world.facts {
        match &fact.fact {
            Fact::CallStarted { call, .. } => drop(ends.entry(*call).or_default()),
            Fact::CallEnded { call, cause, lasted } => ends.get_mut(call).unwrap().push((*cause, *lasted)),
            _ => {}
        }
    }
    ends
}

fn agent(world: &World, name: &str) -> AgentSnapshot {
    let agents = world.board.view(world.now).acd.agents;
    agents.into_iter().find(|a| a.agent == AgentId::from(name)).unwrap()
}

fn press(world: &mut World, name: &str, text: &str) {
    for key in keys(text) {
        let leg = world.leg(name);
        world.press(leg, key);
    }
}

#[test]
fn each_call_that_stood_ends_once_at_the_last_moment_known() {
    let mut world = World::new(menus(), ExchangeSettings::default());
    world.sign_in("8001");
    world.dial("menu", "95188", "1", Peer::Stranger);
    world.wait(Duration::from_secs(1));
    world.dial("talks", "95188", "2", Peer::Stranger);
    press(&mut world, "talks", "0");
    let phone = world.leg("8001");
    world.answer(phone);
    world.dial("waits", "95188", "3", Peer::Stranger);
    press(&mut world, "waits", "0");
    world.dial("over", "95188", "4", Peer::Stranger);
    let leg = world.leg("over");
    world.end(leg, Cause::HungUp);
    world.wait(Duration::from_secs(2));
    let leg = world.leg("menu");
    world.press(leg, Key::STAR);
    let next = restarted(&world, Duration::from_secs(30));
    let ends = ends(&next);
    assert_eq!(ends.len(), 4);
    assert!(ends.values().all(|e| e.len() == 1), "{ends:?}");
    let by_cause = |c| ends.values().filter(|e| e[0].0 == c).count();
    assert_eq!((by_cause(Cause::ServerRestart), by_cause(Cause::HungUp)), (3, 1));
    // The half minute in which nobody was there counts for nobody.
    assert!(ends.values().all(|e| e[0].1 <= Duration::from_secs(3)), "{ends:?}");
    let left = next.facts.iter().find_map(|f| match &f.fact {
        Fact::AgentLeft { cause: Cause::ServerRestart, talked, .. } => Some(*talked),
        _ => None,
    });
    assert_eq!(left, Some(Duration::from_secs(2)));
    assert!(next.board.exchange().is_idle());
    // And once more, at once: nothing is closed twice.
    let again = restarted(&next, Duration::ZERO);
    assert_eq!(self::ends(&again), ends);
}

/// Outcome, cause, said at entry, and how long he waited from then on, in seconds: of every promise, in order.
fn promises(world: &World) -> Vec<(PromiseOutcome, Option<Cause>, bool, u64)> {
    let over = world.facts.iter().filter_map(|f| match &f.fact {
        Fact::PromiseOver { promised: p, .. } => Some((p.outcome, p.cause, p.at_entry, p.waited.as_secs())),
        _ => None,
    });
    over.collect()
}

#[test]
fn every_wait_that_was_told_has_one_outcome_over_restarts() {
    use PromiseOutcome::{Broken, Kept};
    let mut world = World::new(menus(), ExchangeSettings::default());
    world.sign_in("8001");
    world.dial("talks", "95188", "1", Peer::Stranger);
    press(&mut world, "talks", "0");
    let phone = world.leg("8001");
    world.answer(phone);
    for name in ["served", "gives up", "cut off"] {
        world.dial(name, "95188", name, Peer::Stranger);
        press(&mut world, name, "0");
    }
    world.wait(Duration::from_mins(1));
    let leg = world.leg("gives up");
    world.end(leg, Cause::HungUp);
    let leg = world.leg("talks");
    world.end(leg, Cause::HungUp);
    world.wait(Duration::from_secs(40));
    let phone = world.leg("8001");
    world.answer(phone);
    world.wait(Duration::from_secs(1));
    let so_far = promises(&world);
    let gone = |at_entry, s| (Broken, Some(Cause::HungUp), at_entry, s);
    assert_eq!(
        so_far.iter().filter(|p| p.1 == Some(Cause::HungUp)).copied().collect::<Vec<_>>()[0],
        gone(true, 60)
    );
    assert!(
        so_far.contains(&(Kept, None, true, 100)) || so_far.iter().any(|p| p.1.is_none() && p.2),
        "{so_far:?}"
    );
    let figures = world.board.view(world.now).promises;
    assert_eq!(figures.iter().map(|f| usize::try_from(f.all()).unwrap()).sum::<usize>(), so_far.len());

    let next = restarted(&world, Duration::from_secs(30));
    let after = promises(&next);
    let lost = &after[so_far.len()..];
    assert!(!lost.is_empty() && lost.iter().all(|p| p.1 == Some(Cause::ServerRestart)), "{lost:?}");
    assert_eq!(lost[0].3, 101, "the half minute in which nobody was there counts for nobody");
    assert!(next.board.view(next.now).promises.is_empty(), "of this run none is over");
    let again = restarted(&next, Duration::from_secs(5));
    assert_eq!(promises(&again), after, "a second restart finds none to end");
}

/// Somebody waits behind one who talks: what is expected of his wait.
fn expected(world: &mut World) -> Estimate {
    world.dial("talks on", "95188", "30", Peer::Stranger);
    press(world, "talks on", "0");
    let phone = world.leg("8001");
    world.answer(phone);
    world.dial("asks", "95188", "31", Peer::Stranger);
    press(world, "asks", "0");
    let acd = world.board.view(world.now).acd;
    let waiting = acd.queues.iter().flat_map(|q| &q.waiting).next_back().unwrap().clone();
    waiting.estimate.unwrap()
}

#[test]
fn after_a_restart_the_estimate_is_the_one_before_to_the_last_bit() {
    let (mut world, mut rng) = (World::new(menus(), ExchangeSettings::default()), Rng::from_number(4));
    world.sign_in("8001");
    // One talks while the next ones wait, some hundred times: enough for the regression and its quantiles.
    let (mut waiting, mut talks) = (std::collections::VecDeque::new(), false);
    for n in 0..600 {
        let name = format!("c{n}");
        world.dial(&name, "95188", &format!("7{n:05}"), Peer::Stranger);
        press(&mut world, &name, "0");
        waiting.push_back(name);
        world.wait(Duration::from_secs(1 + rng.below(9)));
        if talks && waiting.len() > usize::try_from(1 + rng.below(4)).unwrap() {
            let leg = world.leg(&waiting.pop_front().unwrap());
            world.end(leg, Cause::HungUp);
            // His wrap-up, and then the next one rings.
            world.wait(Duration::from_secs(40));
            talks = false;
        }
        if !talks {
            let phone = world.leg("8001");
            world.answer(phone);
            talks = true;
        }
    }
    for name in waiting {
        let leg = world.leg(&name);
        world.end(leg, Cause::HungUp);
    }
    world.wait(Duration::from_mins(1));
    let mut next = restarted(&world, Duration::from_secs(30));
    let mut again = restarted(&next, Duration::ZERO);
    // Who knows only what was measured expects another wait.
    let mut unlearned = restarted(&world, Duration::from_secs(30));
    let nothing = Lessons::default();
    assert!(Lessons::decode(&nothing.encode()).is_ok());
    unlearned = {
        let ledger = ledger(&unlearned);
        let first_number = ledger.last_number();
        let mut fresh = World::new(menus(), ExchangeSettings { first_number, ..ExchangeSettings::default() });
        fresh.now = unlearned.now;
        fresh.legs_above(first_number);
        fresh.board.restore(fresh.now, &ledger);
        fresh.catch_up();
        fresh
    };
    world.wait(Duration::from_secs(30));
    let before = expected(&mut world);
    assert_eq!(expected(&mut next), before);
    assert_eq!(expected(&mut again), before);
    assert_ne!(expected(&mut unlearned), before, "nothing was learned");
    // Bytes that were changed are told, and so are those of another version.
    let mut bytes = world.board.lessons().encode();
    assert!(bytes.len() > 100_000 && bytes.len() < 4 << 20, "{}", bytes.len());
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert_eq!(Lessons::decode(&bytes).unwrap_err(), LessonsError::Damaged);
    bytes[0] = 9;
    assert_eq!(Lessons::decode(&bytes).unwrap_err(), LessonsError::Version(9));
}

#[test]
fn what_was_measured_of_queues_is_known_after_a_restart() {
    let mut world = World::new(menus(), ExchangeSettings::default());
    world.sign_in("8001");
    // Four are served, each in his own time, wrap-ups among them; one gives up.
    for (n, talked) in [5_u64, 12, 3, 9].into_iter().enumerate() {
        let name = format!("talks{n}");
        world.dial(&name, "95188", &format!("1{n}"), Peer::Stranger);
        press(&mut world, &name, "0");
        world.wait(Duration::from_secs(4));
        let phone = world.leg("8001");
        world.answer(phone);
        world.wait(Duration::from_secs(talked));
        let leg = world.leg(&name);
        world.end(leg, Cause::HungUp);
        world.wait(Duration::from_mins(1));
    }
    world.dial("gives up", "95188", "20", Peer::Stranger);
    press(&mut world, "gives up", "0");
    world.wait(Duration::from_secs(2));
    let leg = world.leg("gives up");
    world.end(leg, Cause::HungUp);
    world.wait(Duration::from_secs(1));
    // Who waits now is told the same before a stop and after it.
    let told = |world: &mut World| format!("{:?}", expected(world).basis);
    let mut next = restarted(&world, Duration::from_secs(30));
    let mut fresh = World::new(menus(), ExchangeSettings::default());
    fresh.sign_in("8001");
    let before = told(&mut world);
    assert_eq!(told(&mut next), before);
    assert_ne!(told(&mut fresh), before, "measured, not expected by the plan");
}

#[test]
fn agents_are_where_they_were_and_sign_in_no_second_time() {
    let mut world = World::new(menus(), ExchangeSettings::default());
    for name in ["8001", "8002", "8003"] {
        world.sign_in(name);
    }
    let wish = |agent: &str, wish| Input::Ops(Ops::Agent { agent: agent.into(), wish });
    world.wait(Duration::from_secs(10));
    world.feed(wish("8002", AgentWish::Pause("lunch".into())));
    world.wait(Duration::from_secs(20));
    world.dial("talks", "95188", "2", Peer::Stranger);
    press(&mut world, "talks", "0");
    let rung = world.board.view(world.now).acd.agents;
    let rung = rung.iter().find(|a| matches!(a.state, AgentState::Ringing(_))).unwrap().agent.clone();
    let free = if rung == "8001".into() { "8003" } else { "8001" };
    let phone = world.leg(rung.as_str());
    world.answer(phone);
    world.feed(wish(rung.as_str(), AgentWish::Pause("tea".into())));
    world.wait(Duration::from_secs(5));

    let mut next = restarted(&world, Duration::from_secs(7));
    let paused = agent(&next, "8002");
    assert_eq!(paused.state, AgentState::Paused("lunch".into()));
    assert_eq!(paused.in_state, Duration::from_secs(32), "since when is forgotten");
    assert_eq!(paused.times.ready, Duration::from_secs(10));
    assert_eq!(paused.times.sum(), Duration::from_secs(42));
    assert_eq!(agent(&next, free).state, AgentState::Ready);
    assert_eq!(agent(&next, free).in_state, Duration::from_secs(42));
    // What he talked about is over: he works on, then has the pause that he asked for.
    assert_eq!(agent(&next, rung.as_str()).state, AgentState::WrapUp);
    assert_eq!(agent(&next, rung.as_str()).answered, 1);
    let again = restarted(&next, Duration::from_secs(1));
    assert_eq!(agent(&again, rung.as_str()).state, AgentState::WrapUp);
    next.wait(Duration::from_mins(5));
    assert_eq!(agent(&next, rung.as_str()).state, AgentState::Paused("tea".into()));
    // The free one is rung without another word.
    next.dial("new", "95188", "9", Peer::Stranger);
    press(&mut next, "new", "0");
    assert!(matches!(agent(&next, free).state, AgentState::Ringing(_)));
    assert!(restarted(&next, Duration::ZERO).board.check(next.now).is_empty());
}

#[test]
fn an_agent_whose_phone_rang_is_ready_again_and_keeps_his_turn() {
    let mut world = World::new(menus(), ExchangeSettings::default());
    world.sign_in("8001");
    world.wait(Duration::from_secs(10));
    world.dial("rings", "95188", "2", Peer::Stranger);
    press(&mut world, "rings", "0");
    assert!(matches!(agent(&world, "8001").state, AgentState::Ringing(_)));
    let next = restarted(&world, Duration::from_secs(1));
    assert_eq!(agent(&next, "8001").state, AgentState::Ready);
    let kinds: Vec<_> = next.facts.iter().map(|f| f.fact.kind()).collect();
    assert_eq!(kinds.iter().filter(|k| **k == "offer_ended").count(), 1, "{kinds:?}");
}

/// The line as callers and clocks.
fn line(world: &World) -> Vec<(String, u8, Instant)> {
    let view = world.board.view(world.now);
    let caller = |call| view.calls.iter().find(|c| c.call == call).unwrap().caller.clone();
    let all = view.acd.queues.iter().flat_map(|q| &q.waiting);
    all.map(|t| (caller(t.call), t.priority, t.since)).collect()
}

#[test]
fn fifty_who_waited_are_listed_and_stand_in_their_old_order_however_they_come_back() {
    for seed in 0..3 {
        let mut rng = Rng::from_number(seed);
        let mut world = World::new(menus(), ExchangeSettings::default());
        let number = |n: u64| if n.is_multiple_of(7) { "057195188" } else { "95188" };
        for n in 0..50 {
            let name = format!("139{n:02}");
            world.dial(&name, number(n), &name, Peer::Stranger);
            press(&mut world, &name, "0");
            world.wait(Duration::from_millis(rng.below(1_500)));
        }
        let before = line(&world);
        assert_eq!(before.len(), 50);
        let mut next = restarted(&world, Duration::from_secs(rng.below(60)));
        let listed = next.board.view(next.now).lost_places;
        assert_eq!(listed.len(), 50);
        assert!(listed.windows(2).all(|w| w[0].waited >= w[1].waited), "{listed:?}");
        let (mut names, mut again): (Vec<u64>, bool) = ((0..50).collect(), false);
        while !names.is_empty() {
            let at = usize::try_from(rng.below(names.len() as u64)).unwrap();
            let n = names.swap_remove(at);
            let name = format!("139{n:02}");
            next.wait(Duration::from_millis(rng.below(500)));
            next.dial(&name, number(n), &name, Peer::Stranger);
            // Killed again half-way: who is back keeps his place, who is not yet can still come.
            if names.len() == 25 && !again {
                again = true;
                next = restarted(&next, Duration::from_secs(2));
                names = (0..50).collect();
            }
        }
        assert_eq!(line(&next), before, "seed {seed}");
        assert!(next.board.view(next.now).lost_places.is_empty());
    }
}

#[test]
fn numbers_go_on_above_all_that_were_used() {
    let mut world = World::new(menus(), ExchangeSettings::default());
    world.sign_in("8001");
    world.dial("one", "95188", "1", Peer::Stranger);
    press(&mut world, "one", "0");
    let mut next = restarted(&world, Duration::from_secs(1));
    next.dial("two", "95188", "2", Peer::Stranger);
    let seqs: Vec<u64> = next.entries.iter().map(|e| e.seq.0).collect();
    assert!(seqs.windows(2).all(|w| w[1] == w[0] + 1), "{seqs:?}");
    let calls = ends(&next);
    assert_eq!(calls.len(), 2);
}

#[test]
fn a_restart_at_any_entry_leaves_each_call_one_end() {
    let mut world = World::new(menus(), ExchangeSettings::default());
    world.sign_in("8001");
    for n in 0..4 {
        let name = format!("139{n}");
        world.dial(&name, "95188", &name, Peer::Stranger);
        press(&mut world, &name, "0");
        world.wait(Duration::from_secs(1));
    }
    let phone = world.leg("8001");
    world.answer(phone);
    press(&mut world, "8001", "*1");
    world.wait(Duration::from_secs(50));
    world.end(phone, Cause::PeerLost);
    let all = world.entries.clone();
    assert!(
        all.iter()
            .flat_map(|e| &e.facts)
            .any(|f| matches!(f, Fact::WaitTold { told: Told::Wait { .. }, .. }))
    );
    for cut in 0..=all.len() {
        let mut ledger = Ledger::default();
        all[..cut].iter().for_each(|entry| ledger.apply(entry));
        let settings = ExchangeSettings { first_number: ledger.last_number(), ..ExchangeSettings::default() };
        let mut board = Switchboard::new(settings, menus());
        let now = Now { mono: ledger.at().mono + Duration::from_secs(1), utc: ledger.at().utc };
        board.restore(now, &ledger);
        assert_eq!(board.check(now), Vec::<String>::new(), "cut after {cut}");
        let mut facts: Vec<_> = all[..cut].iter().flat_map(|e| e.facts.clone()).collect();
        while let Some(entry) = board.poll_entry() {
            ledger.apply(&entry);
            facts.extend(entry.facts);
        }
        let count = |kind: &str| facts.iter().filter(|f| f.kind() == kind).count();
        assert_eq!(count("call_started"), count("call_ended"), "cut after {cut}");
        assert_eq!(count("connected"), count("agent_left"), "cut after {cut}");
        let ranges = facts.iter().filter(|f| matches!(f, Fact::WaitTold { told: Told::Wait { .. }, .. }));
        assert_eq!(ranges.count(), count("promise_over"), "cut after {cut}: each promise has one outcome");
        assert_eq!(count("offered"), count("offer_ended") + count("connected"), "cut after {cut}");
        assert_eq!(ledger.calls().len(), 0);
    }
}

/// An exchange and what it makes of what the Acd says, written down as the journal has it.
struct Scripted {
    exchange: Exchange,
    now: Now,
    entries: Vec<Entry>,
    ticket: TicketId,
    agent: Option<LegId>,
}

impl Scripted {
    fn entry(&mut self, what: Happening, facts: Vec<Fact>) {
        let seq = Seq(u64::try_from(self.entries.len()).unwrap() + 1);
        self.entries.push(Entry { seq, now: self.now, what, facts });
    }

    fn feed(&mut self, input: Input) {
        self.now = self.now.after(Duration::from_secs(1));
        self.exchange.handle(self.now, input.clone());
        let (mut facts, mut to_acd) = (Vec::new(), Vec::new());
        while let Some(command) = self.exchange.poll() {
            match command {
                Command::Note(fact) => facts.push(fact),
                Command::Acd(input) => {
                    if let AcdInput::Enter(joining) = &input {
                        self.ticket = joining.ticket;
                    }
                    to_acd.push(input);
                }
                Command::Ring { leg, target: RingTarget::Agent(_), .. } => self.agent = Some(leg),
                _ => {}
            }
        }
        let what = match input {
            Input::Acd(output) => Happening::FromAcd(output),
            other => Happening::Input(other),
        };
        self.entry(what, facts);
        for input in to_acd {
            self.entry(Happening::ToAcd(input), Vec::new());
        }
    }

    fn tell(&mut self, minutes: u64) {
        let told = Told::Wait { low: Duration::from_mins(1), high: Duration::from_mins(minutes), rose: None };
        self.feed(Input::Acd(AcdOutput::Tell { ticket: self.ticket, call: CallId(1), told }));
    }
}

#[test]
fn an_answer_taken_back_leaves_each_promise_one_outcome_wherever_the_server_is_killed() {
    let now = Now { mono: Instant::from_secs(100), utc: UtcTime::from_secs(1_767_225_600) };
    let exchange = Exchange::new(ExchangeSettings::default(), menus());
    let mut script = Scripted { exchange, now, entries: Vec::new(), ticket: TicketId(0), agent: None };
    let caller = LegId(2);
    let arrival = Arrival {
        dialled: "95188".into(),
        caller: "139".into(),
        caller_name: String::new(),
        peer: Peer::Stranger,
        vouched: Vouched::default(),
    };
    script.feed(Input::LegArrived { leg: caller, arrival });
    script.feed(Input::Key { leg: caller, key: keys("0")[0], play: None });
    script.tell(3);
    script.tell(2);
    let (assignment, call, ticket) = (AssignmentId(1), CallId(1), script.ticket);
    let why = OfferWhy {
        strategy: "longest_idle".into(),
        candidates: Vec::new(),
        passed_over: Vec::new(),
        waited: Duration::ZERO,
        told: None,
    };
    let (queue, agent, ring_for) = ("general".into(), AgentId::from("8001"), Duration::from_secs(20));
    script.feed(Input::Acd(AcdOutput::Offer(Offer {
        assignment,
        ticket,
        call,
        queue,
        agent,
        ring_for,
        why,
    })));
    script.feed(Input::LegAnswered { leg: script.agent.unwrap() });
    // The lease was over when his answer came: the Acd knows nothing of it, and the place in line is still the caller's.
    script.feed(Input::Acd(AcdOutput::Revoke { assignment, cause: Cause::PeerLost }));
    let taken_back = script.entries.len();
    script.tell(5);
    script.tell(4);
    for cut in 1..=script.entries.len() {
        let mut ledger = Ledger::default();
        script.entries[..cut].iter().for_each(|entry| ledger.apply(entry));
        // As a segment of the journal begins.
        let mut ledger: Ledger = serde_json::from_str(&serde_json::to_string(&ledger).unwrap()).unwrap();
        let settings = ExchangeSettings { first_number: ledger.last_number(), ..ExchangeSettings::default() };
        let mut board = Switchboard::new(settings, menus());
        let now = Now { mono: ledger.at().mono + Duration::from_secs(1), utc: ledger.at().utc };
        board.restore(now, &ledger);
        let mut facts: Vec<_> = script.entries[..cut].iter().flat_map(|e| e.facts.clone()).collect();
        while let Some(entry) = board.poll_entry() {
            ledger.apply(&entry);
            facts.extend(entry.facts);
        }
        let count = |kind: &str| facts.iter().filter(|f| f.kind() == kind).count();
        assert_eq!(count("wait_told"), count("promise_over"), "cut after {cut}: each has one outcome");
        if cut >= taken_back {
            assert_eq!(count("left_queue"), 1, "cut after {cut}: he was in line again");
        }
        assert_eq!((count("call_ended"), ledger.calls().len()), (1, 0));
    }
}
