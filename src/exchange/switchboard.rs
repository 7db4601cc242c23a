//! `Switchboard`: Exchange and Acd in one loop. Every input of either gets the next number and is handed out as a
//! journal entry together with the facts that it made.
//!
//! Invariant: what one machine says to the other is handled before the next input from outside, so that no message
//! between them is ever on its way when something else happens.
use std::collections::VecDeque;
use std::sync::Arc;

use super::acd::{Acd, Futures, Lessons};
use super::invariants::{assignment, ticket};
use super::menu::MenuSet;
use super::{
    AgentState, Command, Entry, Exchange, ExchangeSettings, Fact, Happening, Input, Ledger, PromiseTally,
    View,
};
use crate::base::{AssignmentId, BatchId, Deadline, Now, Seq, earliest};

/// Exchange and Acd together: the product, but for sockets.
#[derive(Debug)]
pub struct Switchboard {
    exchange: Exchange,
    acd: Acd,
    seq: Seq,
    latest: Now,
    commands: VecDeque<Command>,
    entries: VecDeque<Entry>,
    /// Inputs to be handled before the next from outside.
    pending: VecDeque<Happening>,
    /// What became of waits that were told, since the start.
    promises: PromiseTally,
}

impl Switchboard {
    /// A switchboard without calls; everybody is signed out.
    pub fn new(settings: ExchangeSettings, menus: Arc<MenuSet>) -> Self {
        let plan = Arc::clone(&menus.acd);
        Self {
            seq: Seq(settings.first_number),
            acd: Acd::new(plan).numbered_above(AssignmentId(settings.first_number)),
            exchange: Exchange::new(settings, menus),
            latest: Now::default(),
            commands: VecDeque::new(),
            entries: VecDeque::new(),
            pending: VecDeque::new(),
            promises: PromiseTally::default(),
        }
    }

    /// Goes on after a stop at any moment, before the first input: calls that stood are over, noted at the last moment
    /// known; agents are where they were; whoever was cut off may have his place back. An empty ledger is a first start. Time and numbers must go on above
    /// the ledger's.
    pub fn restore(&mut self, now: Now, ledger: &Ledger) {
        if ledger.seq() == Seq(0) {
            return;
        }
        self.seq = self.seq.max(ledger.seq());
        self.enter(ledger.at(), Happening::Restarted);
        let mut after = ledger.clone();
        if let Some(entry) = self.entries.back_mut() {
            entry.facts = ledger.cut_off(&self.exchange.menus().zone);
            after.apply(entry);
        }
        let now = self.lift(now);
        self.acd.restore(now, after.agents());
        self.acd.remember(after.measures());
        self.exchange.restore(after.recalls().clone(), self.acd.signed_in().cloned().collect());
        if let Some(banner) = after.banner() {
            self.exchange.restore_banner(now, banner.clone());
        }
        self.drain();
        self.run(now);
    }

    /// What queues have learned of their waits.
    pub fn lessons(&self) -> Lessons {
        self.acd.lessons()
    }

    /// Goes on from what was learned before: at the start, before [`Switchboard::restore`].
    pub fn relearn(&mut self, now: Now, lessons: &Lessons) {
        let now = self.lift(now);
        self.acd.relearn(now, lessons);
    }

    /// Installs menus, queues and agents between two inputs. Calls inside keep the menus they began with.
    pub fn install(&mut self, now: Now, menus: Arc<MenuSet>) {
        let now = self.lift(now);
        self.enter(now, Happening::Installed { revision: menus.revision.clone() });
        self.acd.install(now, Arc::clone(&menus.acd));
        self.exchange.install(now, menus);
        self.drain();
        self.run(now);
    }

    /// Something happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.feed(now, Happening::Input(input));
    }

    /// The moment of [`Switchboard::next_deadline`] has come.
    pub fn handle_timeout(&mut self, now: Now) {
        let due = |deadline: Option<Deadline>| deadline.is_some_and(|d| d.at <= now.mono);
        if due(self.exchange.next_deadline()) {
            self.feed(now, Happening::ExchangeTimeout);
        }
        if due(self.acd.next_deadline()) {
            self.feed(now, Happening::AcdTimeout);
        }
    }

    /// One thing to do; never `Command::Acd` nor `Command::Note`. Call until `None`.
    pub fn poll(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// One journal entry with the facts that it made, in order. Call until `None`.
    pub fn poll_entry(&mut self) -> Option<Entry> {
        self.entries.pop_front()
    }

    /// When it wants to be woken, and why.
    pub fn next_deadline(&self) -> Option<Deadline> {
        earliest(self.exchange.next_deadline(), self.acd.next_deadline())
    }

    /// Feeds an entry of a journal. Derived entries are passed over: they follow by themselves.
    ///
    /// An [`Happening::Installed`] cannot be fed from the journal alone: `menus` looks its set up by the revision;
    /// `None` when it is not known.
    #[must_use]
    pub fn replay(&mut self, entry: &Entry, menus: impl FnOnce(&str) -> Option<Arc<MenuSet>>) -> Option<()> {
        match &entry.what {
            Happening::Installed { revision } => self.install(entry.now, menus(revision)?),
            happening @ (Happening::Input(_) | Happening::ExchangeTimeout | Happening::AcdTimeout) => {
                self.feed(entry.now, happening.clone());
            }
            Happening::Restarted | Happening::ToAcd(_) | Happening::FromAcd(_) => {}
        }
        Some(())
    }

    /// See [`Acd::tell_nobody`].
    pub const fn tell_nobody(&mut self) {
        self.acd.tell_nobody();
    }

    /// The futures that [`Command::RunAhead`] asked for, to be run on any thread. `None`: nobody waits for them any more.
    pub fn futures(&self, batch: BatchId) -> Option<Futures> {
        self.acd.futures(batch)
    }

    /// Everything at one moment, for the status page and the API.
    pub fn view(&self, now: Now) -> View {
        View {
            at: now,
            seq: self.seq,
            menus: self.exchange.menus().revision.clone(),
            banner: self.exchange.banner(now).cloned(),
            draining: self.exchange.is_draining(),
            ignored: self.exchange.ignored(),
            broken: self.exchange.broken(),
            calls: self.exchange.calls_view(now),
            lost_places: self.exchange.lost_places(now),
            acd: self.acd.snapshot(now),
            promises: self.promises.figures(),
            day: self.exchange.menus().zone.wall(now.utc).0.to_string(),
        }
    }

    /// The calls.
    pub const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// The queues and agents.
    pub const fn acd(&self) -> &Acd {
        &self.acd
    }

    /// The number of the last input.
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// One line for logs and console.
    pub fn describe(&self) -> String {
        format!("{}, {}", self.seq, self.exchange.describe())
    }

    /// Everything that must hold now and does not, between the two machines too: for tests and simulation.
    pub fn check(&self, now: Now) -> Vec<String> {
        let mut broken = self.exchange.check();
        let snapshot = self.acd.snapshot(now);
        let mut waiting: Vec<_> =
            self.exchange.calls().filter_map(|c| ticket(c.stage()).map(|t| (t, c.id()))).collect();
        let mut tickets: Vec<_> =
            snapshot.queues.iter().flat_map(|q| q.waiting.iter().map(|t| (t.ticket, t.call))).collect();
        waiting.sort_unstable();
        tickets.sort_unstable();
        if waiting != tickets {
            broken.push(format!("callers wait as {waiting:?}, the Acd has {tickets:?}"));
        }
        let mut held: Vec<_> = self.exchange.calls().filter_map(|c| assignment(c.stage())).collect();
        let mut given: Vec<_> = snapshot
            .agents
            .iter()
            .filter_map(|a| match &a.state {
                AgentState::Ringing(id) | AgentState::Talking(id) => Some((*id, &a.agent)),
                AgentState::SignedOut
                | AgentState::Unreachable
                | AgentState::Ready
                | AgentState::WrapUp
                | AgentState::Engaged
                | AgentState::Paused(_) => None,
            })
            .collect();
        held.sort_unstable();
        given.sort_unstable();
        if held != given {
            broken.push(format!("assignments are held as {held:?}, the Acd has {given:?}"));
        }
        broken
    }

    fn lift(&mut self, now: Now) -> Now {
        self.latest = Now { mono: self.latest.mono.max(now.mono), utc: now.utc };
        self.latest
    }

    fn feed(&mut self, now: Now, happening: Happening) {
        let now = self.lift(now);
        self.pending.push_back(happening);
        self.run(now);
    }

    fn run(&mut self, now: Now) {
        while let Some(happening) = self.pending.pop_front() {
            self.enter(now, happening.clone());
            match happening {
                Happening::Input(input) => self.exchange.handle(now, input),
                Happening::FromAcd(output) => self.exchange.handle(now, Input::Acd(output)),
                Happening::ToAcd(input) => self.acd.handle(now, input),
                Happening::ExchangeTimeout => self.exchange.handle_timeout(now),
                Happening::AcdTimeout => self.acd.handle_timeout(now),
                Happening::Installed { .. } | Happening::Restarted => {}
            }
            self.drain();
        }
    }

    fn enter(&mut self, now: Now, what: Happening) {
        self.seq = self.seq.next();
        self.entries.push_back(Entry { seq: self.seq, now, what, facts: Vec::new() });
    }

    /// Sorts what the two machines said: to each other, to `node`, to the record.
    fn drain(&mut self) {
        while let Some(command) = self.exchange.poll() {
            match command {
                Command::Acd(input) => self.pending.push_back(Happening::ToAcd(input)),
                // The entry of the input that is being handled is there until somebody polls.
                Command::Note(fact) => {
                    if let Fact::PromiseOver { promised, .. } = &fact {
                        self.promises.count(promised);
                    }
                    if let Some(entry) = self.entries.back_mut() {
                        entry.facts.push(fact);
                    }
                }
                Command::Answer { .. }
                | Command::Reject { .. }
                | Command::Ring { .. }
                | Command::Hangup { .. }
                | Command::Play { .. }
                | Command::Stop { .. }
                | Command::Hear { .. }
                | Command::SignalHold { .. }
                | Command::Transfer { .. }
                | Command::SendKey { .. }
                | Command::LegMoved { .. }
                | Command::SecretEntry { .. }
                | Command::AwaitRecord { .. }
                | Command::RunAhead { .. } => self.commands.push_back(command),
            }
        }
        while let Some(output) = self.acd.poll_output() {
            self.pending.push_back(Happening::FromAcd(output));
        }
    }
}
