//! One step of a call: the moment, the limits, where numbers come from and where commands go. Handed down to whatever
//! part acts, so that no part holds a reference to another.
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::banner::Posted;
use super::recall::Recalls;
use super::{AcdInput, Command, ExchangeSettings, Fact};
use crate::base::{
    AgentId, AssignmentId, CallId, Instant, LegId, Now, PlayId, QueueId, SecretToken, TicketId,
};

/// What a call may use while it handles one event.
pub(super) struct Step<'a> {
    pub(super) now: Now,
    pub(super) settings: &'a ExchangeSettings,
    pub(super) numbers: &'a mut Numbers,
    pub(super) registry: &'a mut Registry,
    pub(super) recalls: &'a mut Recalls,
    /// The banner that is on.
    pub(super) banner: Option<&'a Posted>,
    pub(super) out: &'a mut VecDeque<Command>,
}

impl Step<'_> {
    pub(super) const fn at(&self) -> Instant {
        self.now.mono
    }

    pub(super) fn command(&mut self, command: Command) {
        self.out.push_back(command);
    }

    pub(super) fn note(&mut self, fact: Fact) {
        self.command(Command::Note(fact));
    }

    pub(super) fn acd(&mut self, input: AcdInput) {
        self.command(Command::Acd(input));
    }

    /// An agent began a call of his own.
    pub(super) fn engage(&mut self, agent: AgentId) {
        let calls = self.registry.engaged.entry(agent.clone()).or_default();
        *calls += 1;
        if *calls == 1 {
            self.acd(AcdInput::Engaged { agent, engaged: true });
        }
    }

    /// A call of his own ended.
    pub(super) fn disengage(&mut self, agent: AgentId) {
        let Some(calls) = self.registry.engaged.get_mut(&agent) else { return };
        *calls = calls.saturating_sub(1);
        if *calls == 0 {
            self.registry.engaged.remove(&agent);
            self.acd(AcdInput::Engaged { agent, engaged: false });
        }
    }

    /// An input that makes no sense where it came: counted, noted, without effect.
    pub(super) fn ignore(&mut self, what: impl Into<String>) {
        self.registry.ignored += 1;
        self.note(Fact::Ignored { what: what.into() });
    }
}

/// The numbers that the exchange gives out. Each is used once.
#[derive(Debug)]
pub(super) struct Numbers {
    call: CallId,
    leg: LegId,
    play: PlayId,
    ticket: TicketId,
    token: SecretToken,
}

impl Numbers {
    /// All begin above `first`. Legs of ours are odd; those that arrive are even.
    pub(super) const fn above(first: u64) -> Self {
        Self {
            call: CallId(first),
            leg: LegId(first | 1),
            play: PlayId(first),
            ticket: TicketId(first),
            token: SecretToken(first),
        }
    }

    pub(super) const fn call(&mut self) -> CallId {
        self.call = self.call.next();
        self.call
    }

    pub(super) const fn leg(&mut self) -> LegId {
        self.leg = self.leg.next().next();
        self.leg
    }

    pub(super) const fn play(&mut self) -> PlayId {
        self.play = self.play.next();
        self.play
    }

    pub(super) const fn ticket(&mut self) -> TicketId {
        self.ticket = self.ticket.next();
        self.ticket
    }

    pub(super) const fn token(&mut self) -> SecretToken {
        self.token = self.token.next();
        self.token
    }
}

/// Which call owns what, so that an input finds its call.
#[derive(Debug, Default)]
pub(super) struct Registry {
    pub(super) legs: BTreeMap<LegId, CallId>,
    pub(super) assignments: BTreeMap<AssignmentId, CallId>,
    /// Agents in calls of their own, with how many.
    pub(super) engaged: BTreeMap<AgentId, u32>,
    /// Agents at work, as the Acd last said.
    pub(super) at_work: BTreeSet<AgentId>,
    /// The queue behind key 0 of the set that new calls take.
    pub(super) human: Option<QueueId>,
    /// Inputs that made no sense.
    pub(super) ignored: u64,
}
