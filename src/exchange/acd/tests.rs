//! One behaviour a test, on the whole Acd.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::base::{AgentId, AssignmentId, CallId, Instant, Language, Now, QueueId, SkillId, TicketId};
use crate::exchange::{Cause, Told};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn queue(skills: &[&str]) -> QueuePlan {
    QueuePlan {
        skills: skills.iter().map(|s| SkillId::from(*s)).collect(),
        strategy: Strategy::LongestIdle,
        ring_for: s(20),
        wrap_up: s(30),
        ageing: s(60),
        wait_max: None,
        size_max: 100,
        nobody: NobodyRule::Wait,
        tell_every: s(60),
        expected_talk: s(180),
        same_agent_wait: s(45),
        service_target: s(20),
    }
}

fn agent(skills: &[(&str, u8)], languages: &[Language]) -> AgentPlan {
    AgentPlan {
        alias: "Agent of the front desk".into(),
        skills: skills.iter().map(|(s, level)| (SkillId::from(*s), *level)).collect(),
        languages: languages.to_vec(),
        unanswered_max: 2,
        ..AgentPlan::default()
    }
}

fn plan() -> AcdPlan {
    let zh = &[Language::Mandarin];
    let both = &[Language::Mandarin, Language::English];
    AcdPlan {
        queues: BTreeMap::from([("loans".into(), queue(&["loans"])), ("any".into(), queue(&[]))]),
        agents: BTreeMap::from([
            ("bo".into(), agent(&[("loans", 3)], zh)),
            ("mei".into(), agent(&[("loans", 7), ("cards", 5)], both)),
            ("tao".into(), agent(&[("cards", 5)], zh)),
        ]),
    }
}

/// The Acd with a clock, checked after each input.
struct Desk {
    acd: Acd,
    now: Now,
    out: Vec<AcdOutput>,
}

impl Desk {
    fn new(plan: AcdPlan) -> Self {
        let mut desk = Self { acd: Acd::new(Arc::new(plan)), now: Now::default(), out: Vec::new() };
        desk.wait(s(1000));
        desk
    }
    fn drain(&mut self) {
        while let Some(output) = self.acd.poll_output() {
            self.out.push(output);
        }
        self.acd.check().unwrap();
    }
    fn tell(&mut self, input: AcdInput) -> &mut Self {
        self.acd.handle(self.now, input);
        self.drain();
        self
    }
    fn wait(&mut self, d: Duration) -> &mut Self {
        let end = self.now.after(d);
        while let Some(at) = self.acd.next_deadline().map(|d| d.at).filter(|at| *at <= end.mono) {
            self.now = self.now.after(at.since(self.now.mono));
            self.acd.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
        self
    }
    fn wish(&mut self, agent: &str, wish: AgentWish) -> &mut Self {
        self.tell(AcdInput::Agent { agent: agent.into(), wish })
    }
    fn ready(&mut self, agent: &str) -> &mut Self {
        self.tell(AcdInput::Reachable { agent: agent.into(), reachable: true });
        self.wish(agent, AgentWish::SignIn)
    }
    fn joining(&self, ticket: u64, queue: &str) -> Joining {
        Joining {
            ticket: TicketId(ticket),
            call: CallId(ticket),
            queue: queue.into(),
            priority: 5,
            since: self.now.mono,
            language: Language::Mandarin,
            skills: Vec::new(),
            prefer: None,
            kept: false,
        }
    }
    fn enter(&mut self, ticket: u64, queue: &str) -> &mut Self {
        let joining = self.joining(ticket, queue);
        self.tell(AcdInput::Enter(joining))
    }
    /// The offers made since last asked: who for whom, under which number.
    fn offers(&mut self) -> Vec<(String, u64, AssignmentId)> {
        let out = std::mem::take(&mut self.out);
        let offers = out.into_iter().filter_map(|o| match o {
            AcdOutput::Offer(o) => Some((o.agent.to_string(), o.ticket.0, o.assignment)),
            _ => None,
        });
        offers.collect()
    }
    fn one_offer(&mut self) -> (String, u64, AssignmentId) {
        let mut offers = self.offers();
        assert_eq!(offers.len(), 1, "{offers:?}");
        offers.remove(0)
    }
    fn told(&mut self) -> Vec<(u64, Told)> {
        let out = std::mem::take(&mut self.out);
        let told = out.into_iter().filter_map(|o| match o {
            AcdOutput::Tell { ticket, told, .. } => Some((ticket.0, told)),
            _ => None,
        });
        told.collect()
    }
    fn overflows(&mut self) -> Vec<(u64, OverflowCause)> {
        let out = std::mem::take(&mut self.out);
        let over = out.into_iter().filter_map(|o| match o {
            AcdOutput::Overflow { ticket, why, .. } => Some((ticket.0, why)),
            _ => None,
        });
        over.collect()
    }
    fn agent(&self, name: &str) -> AgentSnapshot {
        let agents = self.acd.snapshot(self.now).agents;
        agents.into_iter().find(|a| a.agent.as_str() == name).unwrap()
    }
    fn state(&self, name: &str) -> AgentState {
        self.agent(name).state
    }
    /// `agent` answers his only offer and talks for `talk`.
    fn serve(&mut self, talk: Duration) -> &mut Self {
        let (_, _, assignment) = self.one_offer();
        self.tell(AcdInput::Accepted { assignment }).wait(talk);
        self.tell(AcdInput::TalkEnded { assignment, talked: talk })
    }
}

#[test]
fn a_caller_gets_the_agent_who_is_idle_the_longest() {
    let mut desk = Desk::new(plan());
    desk.ready("mei").wait(s(1)).ready("bo").enter(1, "loans");
    assert_eq!(desk.one_offer().0, "mei");
    desk.enter(2, "loans");
    assert_eq!(desk.one_offer().0, "bo");
    desk.enter(3, "loans");
    assert_eq!(desk.offers(), []);
}

#[test]
fn each_strategy_picks_its_agent_and_says_why() {
    for (strategy, who, score) in [
        (Strategy::MostSkilled, "mei", 7),
        (Strategy::LeastVersatile, "bo", -1),
        (Strategy::ByName, "bo", 0),
        (Strategy::LongestIdle, "mei", 10_000),
        (Strategy::FewestCalls, "mei", 0),
    ] {
        let mut plan = plan();
        plan.queues.get_mut(&QueueId::from("loans")).unwrap().strategy = strategy;
        let mut desk = Desk::new(plan);
        desk.ready("mei").wait(s(5)).ready("bo").wait(s(5)).enter(1, "loans");
        let Some(AcdOutput::Offer(offer)) = desk.out.last() else { panic!("{:?}", desk.out) };
        assert_eq!(offer.agent.as_str(), who, "{strategy:?}");
        assert_eq!(offer.why.strategy, strategy.as_str());
        assert_eq!(offer.why.candidates[0], (who.into(), score), "{strategy:?}");
        assert_eq!(offer.why.candidates.len(), 2);
    }
}

#[test]
fn an_agent_without_the_skill_or_the_language_is_never_offered_the_caller() {
    let mut desk = Desk::new(plan());
    desk.ready("tao").ready("bo").enter(1, "loans");
    assert_eq!(desk.one_offer().0, "bo");
    let english = Joining { language: Language::English, ..desk.joining(2, "any") };
    desk.tell(AcdInput::Enter(english));
    assert_eq!(desk.offers(), [], "tao speaks Mandarin alone");
    let cards = Joining { skills: vec!["cards".into()], ..desk.joining(3, "any") };
    desk.tell(AcdInput::Enter(cards));
    assert_eq!(desk.one_offer().0, "tao");
}

#[test]
fn ring_out_goes_to_the_next_agent_at_the_old_place_and_twice_in_a_row_is_a_pause() {
    let mut desk = Desk::new(plan());
    desk.ready("bo").ready("mei").enter(1, "loans");
    let (first, _, assignment) = desk.one_offer();
    assert_eq!(first, "bo");
    desk.wait(s(20)).tell(AcdInput::NoAnswer { assignment });
    let (second, _, assignment) = desk.one_offer();
    assert_eq!(second, "mei", "not straight back to the same agent");
    desk.wait(s(20)).tell(AcdInput::NoAnswer { assignment });
    let (third, ticket, assignment) = desk.one_offer();
    assert_eq!((third.as_str(), ticket), ("bo", 1), "back to who passed first when nobody else is there");
    desk.wait(s(20)).tell(AcdInput::NoAnswer { assignment });
    assert_eq!(desk.state("bo"), AgentState::Paused("no_answer".into()));
    assert_eq!(desk.one_offer().0, "mei");
}

#[test]
fn refusals_pause_with_their_own_reason_and_an_answer_starts_the_count_again() {
    let mut desk = Desk::new(plan());
    desk.ready("bo").enter(1, "loans");
    let (_, _, assignment) = desk.one_offer();
    desk.tell(AcdInput::Refused { assignment, cause: Cause::Busy });
    desk.serve(s(60)).wait(s(30)).enter(2, "loans");
    let (_, _, assignment) = desk.one_offer();
    desk.tell(AcdInput::Refused { assignment, cause: Cause::Busy });
    assert_eq!(desk.agent("bo").unanswered, 1);
    let (_, _, assignment) = desk.one_offer();
    desk.tell(AcdInput::Refused { assignment, cause: Cause::Declined });
    assert_eq!(desk.state("bo"), AgentState::Paused("refused".into()));
}

#[test]
fn an_answer_that_crosses_a_hang_up_leaves_the_agent_ready_without_wrap_up() {
    let mut desk = Desk::new(plan());
    desk.ready("bo").enter(1, "loans");
    let (_, _, assignment) = desk.one_offer();
    desk.tell(AcdInput::Leave { ticket: TicketId(1), cause: Cause::HungUp });
    assert!(desk.out.contains(&AcdOutput::Revoke { assignment, cause: Cause::Withdrawn }));
    desk.tell(AcdInput::Accepted { assignment });
    desk.tell(AcdInput::CallerGone { assignment }).tell(AcdInput::TalkEnded { assignment, talked: s(1) });
    assert_eq!(desk.state("bo"), AgentState::Ready);
    assert_eq!(desk.acd.snapshot(desk.now).counters.late_assignments, 3);
}

#[test]
fn an_offer_nobody_speaks_of_again_is_void_after_its_lease() {
    let mut desk = Desk::new(plan());
    desk.ready("bo").enter(1, "loans");
    let (_, _, assignment) = desk.one_offer();
    desk.ready("mei").wait(s(24));
    assert_eq!(desk.state("bo"), AgentState::Ringing(assignment));
    desk.wait(s(1));
    assert!(desk.out.contains(&AcdOutput::Revoke { assignment, cause: Cause::LimitReached }));
    let (next, _, assignment) = desk.one_offer();
    assert_eq!(next, "mei");
    assert_eq!(desk.state("bo"), AgentState::Ready);
    desk.tell(AcdInput::Accepted { assignment });
    assert_eq!(desk.state("mei"), AgentState::Talking(assignment));
}

#[test]
fn wrap_up_ends_by_itself_or_by_ready_and_the_next_caller_comes_at_once() {
    let mut desk = Desk::new(plan());
    desk.ready("bo").enter(1, "loans").serve(s(100));
    assert_eq!(desk.state("bo"), AgentState::WrapUp);
    desk.enter(2, "loans").wait(s(29));
    assert_eq!(desk.offers(), []);
    desk.wait(s(1)).serve(s(50)).enter(3, "loans").wish("bo", AgentWish::Ready);
    assert_eq!(desk.one_offer().1, 3);
}

#[test]
fn signing_out_takes_effect_after_the_conversation_and_a_pause_after_the_wrap_up() {
    let mut desk = Desk::new(plan());
    desk.ready("bo").enter(1, "loans");
    let (_, _, assignment) = desk.one_offer();
    desk.tell(AcdInput::Accepted { assignment }).wish("bo", AgentWish::SignOut).enter(2, "loans");
    assert_eq!(desk.state("bo"), AgentState::Talking(assignment));
    desk.tell(AcdInput::TalkEnded { assignment, talked: s(9) });
    assert_eq!(desk.state("bo"), AgentState::SignedOut);
    desk.wish("bo", AgentWish::SignIn);
    let (_, _, assignment) = desk.one_offer();
    desk.tell(AcdInput::Accepted { assignment }).wish("bo", AgentWish::Pause("lunch".into()));
    desk.tell(AcdInput::TalkEnded { assignment, talked: s(9) });
    assert_eq!(desk.state("bo"), AgentState::WrapUp);
    desk.wait(s(30));
    assert_eq!(desk.state("bo"), AgentState::Paused("lunch".into()));
}

#[test]
fn an_agent_in_a_call_of_his_own_or_without_a_phone_is_not_offered_one() {
    let mut desk = Desk::new(plan());
    desk.ready("bo").tell(AcdInput::Engaged { agent: "bo".into(), engaged: true }).enter(1, "loans");
    assert_eq!((desk.state("bo"), desk.offers()), (AgentState::Engaged, vec![]));
    desk.tell(AcdInput::Engaged { agent: "bo".into(), engaged: false });
    let (_, _, assignment) = desk.one_offer();
    desk.tell(AcdInput::Reachable { agent: "bo".into(), reachable: false });
    assert!(desk.out.contains(&AcdOutput::Revoke { assignment, cause: Cause::Withdrawn }));
    assert_eq!((desk.state("bo"), desk.offers()), (AgentState::Unreachable, vec![]));
    desk.tell(AcdInput::Reachable { agent: "bo".into(), reachable: true });
    assert_eq!(desk.one_offer().1, 1, "he comes back with his phone");
}

#[test]
fn a_caller_who_was_cut_off_waits_for_his_agent_but_not_for_ever() {
    let mut desk = Desk::new(plan());
    desk.ready("bo").enter(1, "loans");
    let (_, _, talk) = desk.one_offer();
    desk.tell(AcdInput::Accepted { assignment: talk }).ready("mei");
    let back = |desk: &Desk, id| Joining { prefer: Some("bo".into()), ..desk.joining(id, "loans") };
    let cut_off = back(&desk, 2);
    desk.tell(AcdInput::Enter(cut_off)).wait(s(44));
    assert_eq!(desk.offers(), [], "mei is free, but he waits for bo");
    desk.wait(s(1));
    assert_eq!(desk.one_offer().0, "mei");
    let cut_off = back(&desk, 3);
    desk.tell(AcdInput::Enter(cut_off)).tell(AcdInput::TalkEnded { assignment: talk, talked: s(45) });
    desk.wish("bo", AgentWish::Ready);
    let Some(AcdOutput::Offer(offer)) = desk.out.last() else { panic!("{:?}", desk.out) };
    assert_eq!((offer.agent.as_str(), offer.ticket.0, offer.why.strategy.as_str()), ("bo", 3, "same_agent"));
}

#[test]
fn nobody_is_kept_for_an_agent_who_went_home() {
    let mut desk = Desk::new(plan());
    desk.ready("bo").tell(AcdInput::Engaged { agent: "bo".into(), engaged: true }).ready("mei");
    let cut_off = Joining { prefer: Some("bo".into()), ..desk.joining(1, "loans") };
    desk.tell(AcdInput::Enter(cut_off));
    assert_eq!(desk.offers(), []);
    desk.wish("bo", AgentWish::SignOut);
    assert_eq!(desk.one_offer().0, "mei");
}

#[test]
fn the_more_urgent_come_first_until_the_others_have_waited_long_enough() {
    let mut desk = Desk::new(plan());
    desk.ready("bo").enter(1, "loans");
    let (_, _, assignment) = desk.one_offer();
    desk.tell(AcdInput::Accepted { assignment });
    let at = |desk: &Desk, id, priority| Joining { priority, ..desk.joining(id, "loans") };
    let slow = at(&desk, 2, 3);
    desk.tell(AcdInput::Enter(slow)).wait(s(179));
    let urgent = at(&desk, 3, 0);
    desk.tell(AcdInput::Enter(urgent));
    let waiting = |desk: &Desk| -> Vec<u64> {
        desk.acd.snapshot(desk.now).queues[1].waiting.iter().map(|t| t.ticket.0).collect()
    };
    assert_eq!(waiting(&desk), [3, 2]);
    desk.wait(s(1));
    assert_eq!(waiting(&desk), [2, 3], "180 s are three classes");
}

#[test]
fn rules_of_the_queue_send_callers_elsewhere() {
    let mut plan = plan();
    let loans = plan.queues.get_mut(&QueueId::from("loans")).unwrap();
    (loans.size_max, loans.wait_max, loans.nobody) = (1, Some(s(120)), NobodyRule::Overflow);
    let mut desk = Desk::new(plan);
    desk.enter(1, "loans").enter(2, "nowhere").ready("bo").enter(3, "loans").enter(4, "loans");
    assert_eq!(
        desk.overflows(),
        [(1, OverflowCause::NobodySignedIn), (2, OverflowCause::NoSuchQueue), (4, OverflowCause::Full)]
    );
    desk.tell(AcdInput::NoAnswer { assignment: AssignmentId(1) }).wait(s(119));
    desk.tell(AcdInput::NoAnswer { assignment: AssignmentId(2) });
    assert_eq!(desk.state("bo"), AgentState::Paused("no_answer".into()));
    assert_eq!(desk.overflows(), []);
    desk.wait(s(1));
    assert_eq!(desk.overflows(), [(3, OverflowCause::WaitLimit)]);
    desk.enter(5, "loans").wish("bo", AgentWish::SignOut);
    assert_eq!(desk.overflows(), [(5, OverflowCause::NobodySignedIn)]);
}

#[test]
fn a_phone_that_rings_when_the_longest_wait_is_over_may_ring_on() {
    let mut plan = plan();
    plan.queues.get_mut(&QueueId::from("loans")).unwrap().wait_max = Some(s(30));
    let mut desk = Desk::new(plan);
    desk.enter(1, "loans").wait(s(25)).ready("bo").wait(s(10));
    let (_, _, assignment) = desk.one_offer();
    assert_eq!(desk.state("bo"), AgentState::Ringing(assignment));
    desk.tell(AcdInput::NoAnswer { assignment });
    assert_eq!(desk.overflows(), [(1, OverflowCause::WaitLimit)]);
}

#[test]
fn what_is_told_begins_at_entry_and_is_never_said_while_a_phone_rings() {
    let mut desk = Desk::new(plan());
    desk.enter(1, "loans");
    assert_eq!(desk.told(), [(1, Told::NobodyYet)]);
    desk.ready("bo");
    let (_, _, assignment) = desk.one_offer();
    desk.wait(s(20));
    assert_eq!(desk.told(), []);
    desk.tell(AcdInput::Accepted { assignment }).enter(2, "loans").enter(3, "loans");
    let told = desk.told();
    assert!(
        matches!(told[..], [(2, Told::Wait { rose: None, .. }), (3, Told::Wait { rose: None, .. })]),
        "{told:?}"
    );
}

#[test]
fn a_wait_that_rises_because_agents_left_says_so() {
    let mut desk = Desk::new(plan());
    desk.ready("bo").ready("mei").enter(1, "loans").enter(2, "loans");
    for (_, _, assignment) in desk.offers() {
        desk.tell(AcdInput::Accepted { assignment });
    }
    for ticket in 3..=8 {
        desk.enter(ticket, "loans");
    }
    desk.out.clear();
    desk.wish("mei", AgentWish::SignOut)
        .tell(AcdInput::TalkEnded { assignment: AssignmentId(2), talked: s(5) });
    desk.wait(s(61));
    let told = desk.told();
    let rose = |t: &Told| matches!(t, Told::Wait { rose: Some(crate::exchange::RiseCause::FewerAgents), .. });
    assert!(told.iter().any(|(_, t)| rose(t)), "{told:?}");
}

/// Bo works alone and callers wait; where Mei is. The range of the last of them, now and after three hours.
fn without_mei(goes: AcdInput) -> [Estimate; 2] {
    let mut desk = Desk::new(plan());
    desk.ready("bo").ready("mei").tell(goes);
    [s(0), s(3 * 3600)].map(|later| {
        desk.wait(later);
        let first = desk.now.mono.as_millis();
        (0..8).for_each(|n| {
            desk.enter(first + n, "loans");
        });
        for (_, _, assignment) in desk.offers() {
            desk.tell(AcdInput::Accepted { assignment });
        }
        let queues = desk.acd.snapshot(desk.now).queues;
        let all = queues.iter().flat_map(|q| &q.waiting);
        all.filter(|t| t.ticket.0 >= first).filter_map(|t| t.estimate).next_back().unwrap()
    })
}

#[test]
fn who_lost_her_phone_may_be_back_at_any_moment_until_she_has_been_gone_for_hours() {
    let [signed_out, still] = without_mei(AcdInput::Agent { agent: "mei".into(), wish: AgentWish::SignOut });
    let [lost, for_good] = without_mei(AcdInput::Reachable { agent: "mei".into(), reachable: false });
    assert_eq!((lost.typical, lost.high), (signed_out.typical, signed_out.high));
    assert!(lost.low.abs_diff(signed_out.low / 2) < s(1), "{lost:?} {signed_out:?}");
    assert_eq!(for_good, still);
}

/// Bo talks twenty times; each time the caller of this call comes to his queue again, by his old clock or his kept place.
fn comes_again(call: impl Fn(u64) -> u64, kept: bool) -> Desk {
    let mut desk = Desk::new(plan());
    desk.ready("bo").enter(1, "loans");
    for n in 2..22 {
        let (_, _, assignment) = desk.one_offer();
        desk.out.clear();
        desk.tell(AcdInput::Accepted { assignment }).wait(s(100));
        desk.tell(AcdInput::TalkEnded { assignment, talked: s(100) });
        let again = Joining {
            call: CallId(call(n)),
            since: Instant::from_secs(1000),
            kept,
            ..desk.joining(n, "loans")
        };
        desk.tell(AcdInput::Enter(again)).wish("bo", AgentWish::Ready);
    }
    desk
}

/// What share of Bo's callers were passed on, and what share they are of all who came.
fn passed_on(desk: &Desk) -> (f64, f64) {
    let now = desk.now.mono;
    let passed = desk.acd.desks[&"loans".into()].passed.to();
    let came: f64 = desk.acd.room.lines().flat_map(|(_, l)| l.flows()).map(|flow| flow.per_s(now)).sum();
    let sent: f64 = passed.iter().map(|on| on.flow.per_s(now)).sum();
    (passed.iter().map(|on| on.share).sum(), sent / came)
}

#[test]
fn who_is_passed_on_is_told_from_newcomers_and_from_those_who_were_cut_off() {
    let (share, of_all) = passed_on(&comes_again(|_| 1, false));
    assert!(share > 0.85 && share < 1.0 && of_all > 0.95 && of_all < 1.0, "{share} {of_all}");
    assert_eq!(passed_on(&comes_again(|n| n, false)), (0.0, 0.0), "others have come");
    assert_eq!(passed_on(&comes_again(|_| 1, true)), (0.0, 0.0), "his agent was lost");
}

/// How long the last of five who now come waits by futures.
fn waits_behind(mut desk: Desk) -> Duration {
    let asked = |o: &AcdOutput| if let AcdOutput::RunAhead { batch } = o { Some(*batch) } else { None };
    desk.enter(101, "loans").enter(102, "loans").enter(103, "loans").enter(104, "loans").enter(105, "loans");
    let ran = desk.out.iter().filter_map(asked).find_map(|batch| desk.acd.futures(batch)).unwrap().run();
    desk.tell(AcdInput::RanAhead(ran));
    let queues = desk.acd.snapshot(desk.now).queues;
    let last = queues.iter().flat_map(|q| &q.waiting).find(|t| t.ticket.0 == 105);
    last.and_then(|t| t.estimate).unwrap().typical
}

#[test]
fn whoever_is_passed_on_after_each_talk_keeps_his_agent_for_himself_and_futures_know_it() {
    let (again, others) = (waits_behind(comes_again(|_| 1, false)), waits_behind(comes_again(|n| n, false)));
    println!("{again:?} behind the same one again and again, {others:?} behind others who come as often");
    assert!(again > others + others / 4, "{again:?} {others:?}");
}

#[test]
fn time_in_each_state_sums_to_the_shift_exactly() {
    let mut desk = Desk::new(plan());
    desk.ready("bo").wait(Duration::from_nanos(123_456_789)).enter(1, "loans").wait(s(3)).serve(s(77));
    desk.wait(s(7)).wish("bo", AgentWish::Pause("tea".into())).wait(s(11)).wish("bo", AgentWish::SignOut);
    let times = desk.wait(s(5)).agent("bo").times;
    assert_eq!(times.sum(), desk.now.mono.since(Instant::ZERO));
    assert_eq!((times.talking, times.wrap_up, times.paused, times.ringing), (s(77), s(7), s(11), s(3)));
}

#[test]
fn a_new_plan_keeps_what_it_does_not_change() {
    let mut desk = Desk::new(plan());
    desk.ready("bo").ready("tao").enter(1, "loans");
    let (_, _, assignment) = desk.one_offer();
    desk.tell(AcdInput::Accepted { assignment }).enter(2, "loans").enter(3, "loans");
    let before = desk.acd.snapshot(desk.now);
    desk.acd.install(desk.now, Arc::new(plan()));
    desk.drain();
    assert_eq!(desk.acd.snapshot(desk.now), before);

    let mut changed = plan();
    changed.agents.remove(&AgentId::from("bo"));
    changed.agents.insert("tao".into(), agent(&[("loans", 1)], &[Language::Mandarin]));
    changed.queues.remove(&QueueId::from("any"));
    desk.acd.install(desk.now, Arc::new(changed.clone()));
    desk.drain();
    assert_eq!(desk.one_offer().0, "tao", "he can do loans from now on");
    assert_eq!(desk.state("bo"), AgentState::Talking(assignment), "his conversation goes on");
    desk.tell(AcdInput::TalkEnded { assignment, talked: s(60) });
    assert_eq!(desk.acd.snapshot(desk.now).agents.len(), 2);
    changed.queues.clear();
    desk.acd.install(desk.now, Arc::new(changed));
    desk.drain();
    assert_eq!(desk.overflows(), [(3, OverflowCause::NoSuchQueue)]);
}

#[test]
fn an_offer_names_those_it_passes_over() {
    let mut desk = Desk::new(plan());
    let english = Joining { language: Language::English, ..desk.joining(1, "loans") };
    desk.tell(AcdInput::Enter(english)).enter(2, "loans").wait(s(1)).ready("bo");
    let Some(AcdOutput::Offer(offer)) = desk.out.iter().find(|o| matches!(o, AcdOutput::Offer(_))) else {
        panic!("{:?}", desk.out)
    };
    assert_eq!(offer.why.passed_over, [(TicketId(1), "language".to_owned())]);
    assert_eq!(offer.why.waited, s(1));
    assert_eq!(offer.why.told, Some(Told::NobodyYet));
}
