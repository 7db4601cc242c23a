//! `Exchange`: all calls as one machine. It finds the call that an input belongs to, and nothing more.
//!
//! Invariant: one input touches one call; an attended transfer, which joins two, touches both, and a banner that goes on
//! all that wait.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::banner::{Banner, Board};
use super::call::{Beginning, Call};
use super::feature_code::{Door, door, visit_of};
use super::joining::Reached;
use super::menu::{MenuRun, MenuSet, Today};
use super::recall::{LostPlace, Recall, Recalls};
use super::stage::Event;
use super::step::{Numbers, Registry, Step};
use super::timers::DeadlineIndex;
use super::transfer::Transfer;
use super::{
    AcdInput, AcdOutput, Arrival, Cause, Command, ExchangeSettings, Fact, Input, Ops, TransferStep,
    TransferTarget, invariants, view,
};
use super::{AgentState, CallView, LostPlaceView};
use crate::base::{AgentId, CallId, Deadline, Instant, LegId, Now, TransferId, earliest};

/// The telephone exchange: what calls may do.
#[derive(Debug)]
pub struct Exchange {
    settings: ExchangeSettings,
    menus: Arc<MenuSet>,
    /// What of them holds now.
    today: Today,
    calls: BTreeMap<CallId, Call>,
    /// Legs that were refused; their ends are expected.
    refused: BTreeSet<LegId>,
    deadlines: DeadlineIndex,
    numbers: Numbers,
    registry: Registry,
    recalls: Recalls,
    board: Board,
    out: VecDeque<Command>,
    draining: bool,
    latest: Instant,
    inputs: u64,
    broken: u64,
}

impl Exchange {
    /// An exchange without calls.
    pub fn new(settings: ExchangeSettings, menus: Arc<MenuSet>) -> Self {
        Self {
            numbers: Numbers::above(settings.first_number),
            settings,
            menus,
            today: Today::default(),
            calls: BTreeMap::new(),
            refused: BTreeSet::new(),
            deadlines: DeadlineIndex::default(),
            registry: Registry::default(),
            recalls: Recalls::default(),
            board: Board::default(),
            out: VecDeque::new(),
            draining: false,
            latest: Instant::ZERO,
            inputs: 0,
            broken: 0,
        }
    }

    /// How many things of calls are held: none but kept places once all calls are over.
    pub(crate) fn held(&self) -> [(&'static str, usize); 7] {
        [
            ("calls", self.calls.len()),
            ("refused_legs", self.refused.len()),
            ("call_timers", self.deadlines.len()),
            ("call_legs", self.registry.legs.len()),
            ("assignments", self.registry.assignments.len()),
            ("engaged_agents", self.registry.engaged.len()),
            ("places_kept", self.recalls.len()),
        ]
    }

    /// Whether this call is going on.
    pub fn knows(&self, call: CallId) -> bool {
        self.calls.contains_key(&call)
    }

    /// Goes on after a restart: whom it remembers as cut off, and who is at work.
    pub(super) fn restore(&mut self, recalls: Recalls, at_work: BTreeSet<AgentId>) {
        self.recalls = recalls;
        self.registry.at_work = at_work;
    }

    /// The banner that was on hangs again; nobody is told of it anew.
    pub(super) fn restore_banner(&mut self, now: Now, banner: Banner) {
        self.board.post(now, banner);
    }

    /// The banner that is on.
    pub fn banner(&self, now: Now) -> Option<&Banner> {
        self.board.at(now).map(|posted| &posted.banner)
    }

    /// Places in line that are kept for callers who were cut off, the longest wait first.
    pub(super) fn lost_places(&self, now: Now) -> Vec<LostPlaceView> {
        view::lost_places(&self.recalls, self.settings.recall_within, now.mono)
    }

    /// New calls take this set; calls inside keep the one they began with.
    pub fn install(&mut self, now: Now, menus: Arc<MenuSet>) {
        self.lift(now);
        self.out.push_back(Command::Note(Fact::MenusInstalled { revision: menus.revision.clone() }));
        self.registry.human = Some(menus.human.clone());
        self.menus = menus;
    }

    /// Something happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        let now = self.lift(now);
        self.inputs += 1;
        match input {
            Input::LegArrived { leg, arrival } => self.arrived(now, leg, arrival),
            Input::LegRinging { leg, early_sound } => {
                self.leg(now, leg, "ringing", |call, step| call.leg_ringing(leg, early_sound, step));
            }
            Input::LegAnswered { leg } => {
                self.leg(now, leg, "answer", |call, step| call.leg_answered(leg, step));
            }
            Input::LegRouted { leg, trunk, to, after } => {
                self.leg(now, leg, "route", |call, step| call.leg_routed(leg, (trunk, to), after, step));
            }
            Input::LegHeld { leg, held } => {
                self.leg(now, leg, "hold", |call, step| call.leg_held(leg, held, step));
            }
            Input::LegEnded { leg, cause } => self.leg_ended(now, leg, cause),
            Input::Key { leg, key, play } => {
                self.leg(now, leg, "key", |call, step| call.key(leg, key, play, step));
            }
            Input::SecretDigit { leg, token, length } => {
                self.leg(now, leg, "secret digit", |call, step| call.secret_digit(leg, token, length, step));
            }
            Input::PromptEnded { leg, play } => {
                self.leg(now, leg, "prompt end", |call, step| call.prompt_ended(leg, play, step));
            }
            Input::SoundLost { leg } => {
                self.leg(now, leg, "silence", |call, step| call.sound_lost(leg, step));
            }
            Input::TransferAsked { leg, transfer, to } => self.transfer_asked(now, (leg, transfer), to),
            Input::LegReplaced { old, new, arrival } => self.replaced(now, old, new, arrival),
            Input::AgentReachable { agent, reachable } => {
                self.out.push_back(Command::Acd(AcdInput::Reachable { agent, reachable }));
            }
            // He may have left the line, or the hotline, since it was asked for.
            Input::Recorded { call, ticket } => {
                self.call(now, call, |call, step| call.place_kept(ticket, step));
            }
            Input::RanAhead(ran) => self.out.push_back(Command::Acd(AcdInput::RanAhead(ran))),
            Input::Acd(output) => self.acd(now, output),
            Input::Ops(ops) => self.ops(now, ops),
        }
    }

    /// The moment of [`Exchange::next_deadline`] has come.
    pub fn handle_timeout(&mut self, now: Now) {
        let now = self.lift(now);
        self.inputs += 1;
        if self.board.expire(now) {
            self.out.push_back(Command::Note(Fact::BannerOff { expired: true }));
        }
        while let Some(call) = self.deadlines.due(now.mono) {
            self.call(now, call, |call, step| {
                if let Some(timer) = call.case.timers.take_due(step.at()) {
                    call.on_timer(timer, step);
                }
            });
        }
    }

    /// One thing to do; call until `None` after each input.
    pub fn poll(&mut self) -> Option<Command> {
        self.out.pop_front()
    }

    /// When it wants to be woken, and why.
    pub fn next_deadline(&self) -> Option<Deadline> {
        earliest(self.deadlines.next(), self.board.next_deadline())
    }

    /// One line for logs and console.
    pub fn describe(&self) -> String {
        format!("{} calls, {} inputs, {} ignored", self.calls.len(), self.inputs, self.registry.ignored)
    }

    /// Calls inside, those that only wait for the ends of their legs included.
    pub fn calls_len(&self) -> usize {
        self.calls.len()
    }

    /// Each call, in the order in which they came.
    pub fn calls_view(&self, now: Now) -> Vec<CallView> {
        view::calls(self, now.mono)
    }

    /// Whether nothing is left of any call: no leg, no deadline, no assignment, nobody engaged.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
            && self.refused.is_empty()
            && self.registry.legs.is_empty()
            && self.registry.assignments.is_empty()
            && self.registry.engaged.is_empty()
            && self.deadlines.next().is_none()
    }

    /// Inputs that made no sense so far.
    pub const fn ignored(&self) -> u64 {
        self.registry.ignored
    }

    /// Calls that were ended because an invariant was broken. Must stay 0.
    pub const fn broken(&self) -> u64 {
        self.broken
    }

    /// Whether new calls are refused.
    pub const fn is_draining(&self) -> bool {
        self.draining
    }

    /// The set of menus that a call keeps.
    pub fn menus_of(&self, call: CallId) -> Option<&Arc<MenuSet>> {
        self.calls.get(&call).map(|call| &call.case.menus)
    }

    /// The set of menus that new calls take.
    pub const fn menus(&self) -> &Arc<MenuSet> {
        &self.menus
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.values()
    }

    pub(super) const fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(super) fn deadlines_len(&self) -> usize {
        self.deadlines.len()
    }

    /// Everything that must hold now and does not: for tests and simulation. Empty when all is well.
    pub fn check(&self) -> Vec<String> {
        invariants::check(self)
    }

    /// Time never goes back: an older moment is lifted to the last one.
    fn lift(&mut self, now: Now) -> Now {
        self.latest = self.latest.max(now.mono);
        Now { mono: self.latest, utc: now.utc }
    }

    fn step(&mut self, now: Now) -> Step<'_> {
        Step {
            now,
            settings: &self.settings,
            numbers: &mut self.numbers,
            registry: &mut self.registry,
            recalls: &mut self.recalls,
            banner: self.board.at(now),
            out: &mut self.out,
        }
    }

    fn ignore(&mut self, now: Now, what: impl Into<String>) {
        self.step(now).ignore(what);
    }

    fn arrived(&mut self, now: Now, leg: LegId, arrival: Arrival) {
        if self.registry.legs.contains_key(&leg) || self.refused.contains(&leg) {
            return self.ignore(now, format!("arrival of {leg}, which is there already"));
        }
        if leg.0 % 2 == 1 {
            self.ignore(now, format!("arrival of {leg}: arriving legs have even numbers"));
            return self.refuse(leg, arrival, Cause::InternalError);
        }
        if self.draining {
            return self.refuse(leg, arrival, Cause::ShuttingDown);
        }
        if self.calls.len() >= self.settings.calls_max {
            return self.refuse(leg, arrival, Cause::Overload);
        }
        let menus = self.today.of(&self.menus, now.utc);
        match door((&menus, self.banner(now)), &arrival, now) {
            Door::Shut(cause) => self.refuse(leg, arrival, cause),
            Door::Menus(run) => {
                let (place, visit) = (self.old_place(now, &arrival), run.visit().clone());
                let beginning = Beginning { leg, arrival, menus, visit };
                match place {
                    Some(place) => self.take_back(now, beginning, place),
                    None => self.begin(now, beginning, run),
                }
            }
            Door::Wish(agent, wish) => {
                let beginning = Beginning { leg, visit: visit_of(&menus, &agent), arrival, menus };
                let call = Call::of_feature_code(beginning, agent, wish, &mut self.step(now));
                self.admit(now, call);
            }
        }
    }

    fn begin(&mut self, now: Now, beginning: Beginning, run: MenuRun) {
        let call = Call::into_menus(beginning, run, &mut self.step(now));
        self.admit(now, call);
    }

    /// The place in line of a caller who was cut off there, dials the same number again in time, and finds the queue
    /// still there. Whoever dials another number wants something else: his clock is his in any queue.
    fn old_place(&mut self, now: Now, arrival: &Arrival) -> Option<(Recall, LostPlace)> {
        let (menus, within) = (&self.menus, self.settings.recall_within);
        let there = |r: &Recall| {
            let place = r.place.as_ref().filter(|p| menus.queues.contains_key(&p.queue));
            place.is_some() && r.dialled == arrival.dialled
        };
        let recall = self.recalls.take_if(now.mono, arrival, within, there)?;
        let place = recall.place.clone()?;
        Some((recall, place))
    }

    fn take_back(&mut self, now: Now, beginning: Beginning, place: (Recall, LostPlace)) {
        let call = Call::into_old_place(beginning, place, &mut self.step(now));
        self.admit(now, call);
    }

    fn admit(&mut self, now: Now, call: Call) {
        let id = call.id();
        self.calls.insert(id, call);
        self.call(now, id, |_, _| {});
    }

    fn refuse(&mut self, leg: LegId, arrival: Arrival, cause: Cause) {
        self.refused.insert(leg);
        self.out.push_back(Command::Reject { leg, cause });
        self.out.push_back(Command::Note(Fact::CallRefused { leg, arrival, cause }));
    }

    /// Somebody rings to take a leg's place.
    fn replaced(&mut self, now: Now, old: LegId, new: LegId, arrival: Arrival) {
        if self.registry.legs.contains_key(&new) || self.refused.contains(&new) {
            return self.ignore(now, format!("arrival of {new}, which is there already"));
        }
        let call = self.registry.legs.get(&old).copied();
        match call.and_then(|call| self.calls.get(&call)) {
            _ if new.0 % 2 == 1 => {
                self.ignore(now, format!("arrival of {new}: arriving legs have even numbers"));
                self.refuse(new, arrival, Cause::InternalError);
            }
            None => self.refuse(new, arrival, Cause::NotFound),
            Some(call) if !call.may_be_replaced(old, &arrival.peer) => {
                self.refuse(new, arrival, Cause::Forbidden);
            }
            Some(call) => {
                let id = call.id();
                self.call(now, id, |call, step| call.leg_replaced(old, new, &arrival.peer, step));
            }
        }
    }

    /// The far end of a leg asks that somebody else take its place.
    fn transfer_asked(&mut self, now: Now, (leg, id): (LegId, TransferId), to: TransferTarget) {
        let Some(call) = self.registry.legs.get(&leg).copied() else {
            let step = TransferStep::Refused(Cause::NotFound);
            self.out.push_back(Command::Transfer { leg, transfer: id, step });
            return self.ignore(now, format!("transfer of {leg}, which is not there"));
        };
        let transfer = Transfer::new(call, leg, id);
        match to {
            TransferTarget::Leg(other) => self.join(now, transfer, (leg, other)),
            to => self.call(now, call, |call, step| call.transfer_asked(leg, (transfer, to), step)),
        }
    }

    /// An agent's phone joins two legs that it has with us; whichever of them asks, the caller's call stays.
    fn join(&mut self, now: Now, transfer: Transfer, (leg, other): (LegId, LegId)) {
        let found = [(leg, other), (other, leg)].into_iter().find_map(|(with, own)| {
            let of = |leg: LegId| self.registry.legs.get(&leg).and_then(|call| self.calls.get(call));
            let (stays, goes) = (of(with)?, of(own)?);
            let same = stays.agent_on(with).is_some_and(|agent| goes.owner_on(own) == Some(agent));
            let reached = goes.reached().filter(|_| same && stays.id() != goes.id())?;
            Some((stays.id(), with, goes.id(), reached))
        });
        let Some((stays, with, goes, reached)) = found else {
            return transfer.refuse(Cause::Declined, &mut self.step(now));
        };
        match reached {
            Reached::Agent => {
                let mut given = None;
                self.call(now, goes, |call, step| given = call.give_agent(step));
                let Some(given) = given else {
                    return transfer.refuse(Cause::Declined, &mut self.step(now));
                };
                let to = TransferTarget::Leg(other);
                self.call(now, stays, |call, step| call.take_agent(given, (transfer, to), step));
            }
            Reached::Queue(queue) => {
                self.call(now, goes, |call, step| call.over(Cause::Completed, step));
                let to = TransferTarget::Queue(queue);
                self.call(now, stays, |call, step| call.transfer_asked(with, (transfer, to), step));
            }
        }
    }

    fn leg_ended(&mut self, now: Now, leg: LegId, cause: Cause) {
        if !self.refused.remove(&leg) {
            self.leg(now, leg, "end", |call, step| call.leg_ended(leg, cause, step));
        }
    }

    fn acd(&mut self, now: Now, output: AcdOutput) {
        match output {
            AcdOutput::Offer(offer) => self.offer(now, offer),
            AcdOutput::Revoke { assignment, cause } => {
                match self.registry.assignments.get(&assignment).copied() {
                    Some(call) => {
                        self.call(now, call, |call, step| call.on(Event::Revoked(assignment, cause), step));
                    }
                    None => self.ignore(now, format!("revoke of {assignment}, which is over")),
                }
            }
            AcdOutput::Tell { ticket, call, told } => {
                self.call_or_ignore(now, call, Event::Tell(ticket, told));
            }
            AcdOutput::Overflow { ticket, call, why } => {
                self.call_or_ignore(now, call, Event::Overflow(ticket, why));
            }
            AcdOutput::RunAhead { batch } => self.out.push_back(Command::RunAhead { batch }),
            AcdOutput::AgentChanged { agent, state } => {
                if state == AgentState::SignedOut {
                    self.registry.at_work.remove(&agent);
                } else {
                    self.registry.at_work.insert(agent.clone());
                }
                self.out.push_back(Command::Note(Fact::AgentChanged { agent, state }));
            }
        }
    }

    fn offer(&mut self, now: Now, offer: super::Offer) {
        let (assignment, call) = (offer.assignment, offer.call);
        if !self.calls.contains_key(&call) {
            self.ignore(now, format!("offer of {call}, which is over"));
            return self.out.push_back(Command::Acd(AcdInput::CallerGone { assignment }));
        }
        if self.registry.assignments.insert(assignment, call).is_some() {
            return self.ignore(now, format!("{assignment}, which is there already"));
        }
        self.call(now, call, |call, step| call.on(Event::Offer(Box::new(offer)), step));
    }

    fn call_or_ignore(&mut self, now: Now, call: CallId, event: Event) {
        if self.calls.contains_key(&call) {
            self.call(now, call, |call, step| call.on(event, step));
        } else {
            self.ignore(now, format!("{} for {call}, which is over", event.name()));
        }
    }

    fn ops(&mut self, now: Now, ops: Ops) {
        match ops {
            Ops::EndCall(call) if self.calls.contains_key(&call) => {
                // Whoever is still inside when a drain is over is cut off, and has his place when he rings again.
                let cause = if self.draining { Cause::ShuttingDown } else { Cause::OpsEnded };
                self.call(now, call, |call, step| call.over(cause, step));
            }
            Ops::EndCall(call) => self.ignore(now, format!("end of {call}, which is over")),
            Ops::Drain => self.draining = true,
            Ops::Agent { agent, wish } => {
                self.out.push_back(Command::Acd(AcdInput::Agent { agent, wish }));
            }
            Ops::Banner(Some(banner)) => self.banner_on(now, *banner),
            Ops::Banner(None) if self.board.clear() => {
                self.out.push_back(Command::Note(Fact::BannerOff { expired: false }));
            }
            Ops::Banner(None) => self.ignore(now, "the banner's end: there is none"),
            Ops::Note(deed) => self.out.push_back(Command::Note(Fact::Done(deed))),
        }
    }

    /// A banner goes on: who waits hears it as soon as what he hears is said.
    fn banner_on(&mut self, now: Now, banner: Banner) {
        self.out.push_back(Command::Note(Fact::BannerOn { banner: Box::new(banner.clone()) }));
        self.board.post(now, banner);
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        for call in calls {
            self.call(now, call, Call::hear_banner);
        }
    }

    /// One event of a leg, for the call that it belongs to.
    fn leg(&mut self, now: Now, leg: LegId, what: &str, event: impl FnOnce(&mut Call, &mut Step<'_>)) {
        match self.registry.legs.get(&leg).copied() {
            Some(call) => self.call(now, call, event),
            None => self.ignore(now, format!("{what} of {leg}, which is not there")),
        }
    }

    /// One event of a call: everything that every event has in common.
    fn call(&mut self, now: Now, id: CallId, event: impl FnOnce(&mut Call, &mut Step<'_>)) {
        let every = u64::from(self.settings.check_every);
        let check = every > 0 && self.inputs.is_multiple_of(every);
        let Self { calls, settings, numbers, registry, recalls, board, out, deadlines, broken, .. } = self;
        let Some(call) = calls.get_mut(&id) else { return };
        let banner = board.at(now);
        let mut step = Step { now, settings, numbers, registry, recalls, banner, out };
        event(call, &mut step);
        call.settle(&mut step);
        if check && let Err(what) = invariants::check_call(call, step.registry) {
            tracing::error!(call = %id, what, "broken invariant: the call is ended");
            *broken += 1;
            call.over(Cause::InternalError, &mut step);
        }
        deadlines.set(id, call.case.timers.earliest());
        if call.is_done() {
            deadlines.set(id, None);
            calls.remove(&id);
        }
    }
}
