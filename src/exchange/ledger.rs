//! `Ledger`: what must survive a stop at any moment, as a fold over the journal: which calls stand, who waits where since
//! when, which agent is in which state since when, whose place in line is kept, what queues were measured by. Far smaller
//! than the machines whose journal it reads; a copy of it opens each segment of the journal, so that no more than a
//! segment is read at a start.
//!
//! Invariant: the same entries give the same ledger, whether they are folded one by one or from any copy on.
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::acd::{AcdInput, AcdOutput, Attendances, Measures};
use super::case::is_cut_off;
use super::menu::Zone;
use super::promise::Promises;
use super::recall::{LostPlace, Recall, Recalls};
use super::{Arrival, Banner, Cause, Entry, Fact, Happening, Input};
use crate::base::{AgentId, AssignmentId, CallId, Instant, Language, Now, PartyId, QueueId, Seq, TicketId};

/// Most callers remembered as cut off; the exchange has a setting of its own, and forgets earlier.
const RECALLS: usize = 10_000;

/// What must survive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The last entry.
    seq: Seq,
    /// The last moment at which the server is known to have lived.
    at: Now,
    /// The last entry with facts: what the record must have before older segments may go.
    last_fact: Seq,
    last_call: CallId,
    last_assignment: AssignmentId,
    calls: BTreeMap<CallId, Standing>,
    agents: Attendances,
    #[serde(default)]
    measures: Measures,
    recalls: Recalls,
    /// The emergency banner.
    #[serde(default)]
    banner: Option<Banner>,
}

/// A call that is going on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Standing {
    started: Instant,
    arrival: Arrival,
    language: Language,
    clock: Option<Instant>,
    place: Option<Waiter>,
    /// The place from which he was answered, in case that is taken back.
    #[serde(default)]
    answered_at: Option<Waiter>,
    lost_place: Option<LostPlace>,
    offer: Option<(AssignmentId, AgentId)>,
    talk: Option<(AssignmentId, AgentId, Instant)>,
    agent: Option<AgentId>,
    party: Option<Guest>,
    /// The caller is gone already, for this cause; the others finish what they were saying.
    caller_left: Option<Cause>,
}

/// A place in line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Waiter {
    ticket: TicketId,
    queue: QueueId,
    priority: u8,
    entered: Instant,
    promises: Promises,
}

/// A third party in a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Guest {
    party: PartyId,
    answered: Option<Instant>,
    conference: Option<Instant>,
}

impl Ledger {
    /// The last entry folded.
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// The last moment at which the server is known to have lived.
    pub const fn at(&self) -> Now {
        self.at
    }

    /// The last entry that had facts.
    pub const fn last_fact(&self) -> Seq {
        self.last_fact
    }

    /// Calls that stand.
    pub fn calls(&self) -> impl ExactSizeIterator<Item = CallId> {
        self.calls.keys().copied()
    }

    /// Above this no number of an input, call or offer was ever used.
    pub fn last_number(&self) -> u64 {
        self.seq.0.max(self.last_call.0).max(self.last_assignment.0)
    }

    /// Agents as they were.
    pub(super) const fn agents(&self) -> &Attendances {
        &self.agents
    }

    /// What queues were measured by.
    pub(super) const fn measures(&self) -> &Measures {
        &self.measures
    }

    /// Callers who were cut off.
    pub(super) const fn recalls(&self) -> &Recalls {
        &self.recalls
    }

    /// The emergency banner that was on.
    pub const fn banner(&self) -> Option<&Banner> {
        self.banner.as_ref()
    }

    /// The server lived at `now`, although nothing happened.
    pub fn mark(&mut self, now: Now) {
        if now.mono >= self.at.mono {
            self.at = now;
        }
    }

    /// Folds one entry. One that is folded already changes nothing.
    pub fn apply(&mut self, entry: &Entry) {
        if entry.seq <= self.seq {
            return;
        }
        self.seq = entry.seq;
        self.mark(entry.now);
        if !entry.facts.is_empty() {
            self.last_fact = entry.seq;
        }
        let (now, at) = (self.at, self.at.mono);
        match &entry.what {
            Happening::ToAcd(AcdInput::Enter(joining)) => {
                if let Some(call) = self.calls.get_mut(&joining.call)
                    && call.clock.is_none()
                {
                    call.clock = Some(joining.since);
                    // He has the clock of the visit that was cut off: it is given out once.
                    self.recalls.take_if(at, &call.arrival, Duration::MAX, |r| r.since == joining.since);
                }
            }
            Happening::ToAcd(AcdInput::Agent { agent, wish }) => self.agents.wish(at, agent, wish),
            Happening::Input(Input::AgentReachable { agent, reachable }) => {
                self.agents.reachable(at, agent, *reachable);
            }
            Happening::Installed { .. }
            | Happening::Restarted
            | Happening::Input(_)
            | Happening::ExchangeTimeout
            | Happening::AcdTimeout
            | Happening::ToAcd(_)
            | Happening::FromAcd(_) => {}
        }
        let taken_back = match &entry.what {
            Happening::FromAcd(AcdOutput::Revoke { assignment, .. }) => Some(*assignment),
            _ => None,
        };
        for fact in &entry.facts {
            self.fact(now, fact);
            if let Fact::AgentLeft { call, assignment, .. } = fact
                && taken_back == Some(*assignment)
                && let Some(call) = self.calls.get_mut(call)
            {
                call.place = call.answered_at.take();
            }
        }
    }

    fn fact(&mut self, now: Now, fact: &Fact) {
        let at = now.mono;
        self.measures.fact(at, fact);
        match fact {
            Fact::CallStarted { call, arrival, .. } => {
                self.last_call = self.last_call.max(*call);
                self.calls.insert(*call, Standing::new(at, arrival.clone()));
            }
            Fact::CallEnded { call, cause, .. } => self.ended(at, *call, *cause),
            Fact::BannerOn { banner } => self.banner = Some(Banner::clone(banner)),
            Fact::BannerOff { .. } => self.banner = None,
            Fact::AgentChanged { agent, state } => self.agents.changed(at, agent, state),
            Fact::Offered { assignment, agent, queue, .. } => {
                self.last_assignment = self.last_assignment.max(*assignment);
                self.agents.offered(at, agent, queue);
                self.standing(now, fact);
            }
            Fact::Connected { call, assignment, agent, .. } => {
                // Who took a call that rang at a colleague's was not given it by the Acd.
                let offer = self.calls.get(call).and_then(|call| call.offer.as_ref());
                if offer.is_some_and(|(offered, to)| (offered, to) == (assignment, agent)) {
                    self.agents.answered(at, agent);
                }
                self.standing(now, fact);
            }
            _ => self.standing(now, fact),
        }
    }

    fn standing(&mut self, now: Now, fact: &Fact) {
        if let Some(call) = fact.call().and_then(|call| self.calls.get_mut(&call)) {
            call.fact(now, fact);
        }
    }

    fn ended(&mut self, at: Instant, call: CallId, cause: Cause) {
        let Some(call) = self.calls.remove(&call) else { return };
        if let Some(since) = call.clock.filter(|_| is_cut_off(cause)) {
            let Standing { agent, arrival, language, lost_place: place, .. } = call;
            let recall = Recall { agent, since, dialled: arrival.dialled.clone(), language, place };
            self.recalls.remember(at, &arrival, recall, RECALLS);
        }
    }

    /// What became true when the server stopped without a goodbye: every call that stood is over. `zone` is the line's.
    pub(super) fn cut_off(&self, zone: &Zone) -> Vec<Fact> {
        let at = self.at.mono;
        self.calls.iter().flat_map(|(id, call)| call.cut_off(*id, at, zone)).collect()
    }
}

impl Standing {
    fn new(started: Instant, arrival: Arrival) -> Self {
        Self {
            started,
            arrival,
            language: Language::default(),
            clock: None,
            place: None,
            answered_at: None,
            lost_place: None,
            offer: None,
            talk: None,
            agent: None,
            party: None,
            caller_left: None,
        }
    }

    fn fact(&mut self, now: Now, fact: &Fact) {
        let at = now.mono;
        match fact {
            Fact::LanguageChosen { language, .. } => self.language = *language,
            Fact::Queued { ticket, queue, priority, .. } => {
                let (ticket, queue, priority) = (*ticket, queue.clone(), *priority);
                let promises = Promises::default();
                self.place = Some(Waiter { ticket, queue, priority, entered: at, promises });
            }
            Fact::WaitTold { told, .. } => {
                if let Some(place) = &mut self.place {
                    place.promises.told(now, place.entered, told);
                }
            }
            Fact::LeftQueue { cause, .. } => {
                let place = self.place.take().filter(|_| is_cut_off(*cause));
                self.lost_place = place.map(|p| LostPlace { queue: p.queue, priority: p.priority });
            }
            Fact::Overflowed { .. } => self.place = None,
            Fact::ClearingUp { cause, .. } => self.caller_left = Some(*cause),
            Fact::Offered { assignment, agent, .. } => self.offer = Some((*assignment, agent.clone())),
            Fact::OfferEnded { .. } => self.offer = None,
            Fact::Connected { assignment, agent, .. } => {
                // What he was promised has its outcome now.
                self.answered_at = self.place.take().map(|p| Waiter { promises: Promises::default(), ..p });
                self.offer = None;
                self.talk = Some((*assignment, agent.clone(), at));
                self.agent = Some(agent.clone());
            }
            Fact::AgentReplaced { agent, .. } => {
                if let Some((_, talks, _)) = &mut self.talk {
                    *talks = agent.clone();
                }
                self.agent = Some(agent.clone());
            }
            Fact::AgentLeft { .. } => self.talk = None,
            Fact::PartyInvited { party, .. } => {
                self.party = Some(Guest { party: party.clone(), answered: None, conference: None });
            }
            Fact::PartyAnswered { .. } => self.guest(|guest| guest.answered = Some(at)),
            Fact::ConferenceStarted { .. } => self.guest(|guest| guest.conference = Some(at)),
            Fact::ConferenceEnded { .. } => self.guest(|guest| guest.conference = None),
            Fact::PartyLeft { .. } => self.party = None,
            // The rest says nothing that a restart must give back.
            _ => {}
        }
    }

    fn guest(&mut self, change: impl FnOnce(&mut Guest)) {
        if let Some(guest) = &mut self.party {
            change(guest);
        }
    }

    /// Its end, in the order in which a call's parts end.
    fn cut_off(&self, call: CallId, at: Instant, zone: &Zone) -> Vec<Fact> {
        const CAUSE: Cause = Cause::ServerRestart;
        let mut facts = Vec::new();
        if let Some(Guest { party, answered, conference }) = self.party.clone() {
            if let Some(since) = conference {
                facts.push(Fact::ConferenceEnded { call, party: party.clone(), lasted: at.since(since) });
            }
            let talked = answered.map(|since| at.since(since)).unwrap_or_default();
            facts.push(Fact::PartyLeft { call, party, cause: CAUSE, talked });
        }
        if let Some((assignment, agent, since)) = self.talk.clone() {
            let talked = at.since(since);
            let on_with_party = false;
            facts.push(Fact::AgentLeft { call, assignment, agent, cause: CAUSE, talked, on_with_party });
        }
        if let Some((assignment, agent)) = self.offer.clone() {
            facts.push(Fact::OfferEnded { call, assignment, agent, cause: CAUSE });
        }
        if let Some(Waiter { ticket, queue, promises, .. }) = &self.place {
            let (ticket, waited) = (*ticket, self.clock.map(|since| at.since(since)).unwrap_or_default());
            facts.push(Fact::LeftQueue { call, ticket, cause: CAUSE, waited });
            let over = promises.over(queue, (at, Some(CAUSE)), zone);
            facts.extend(over.map(|promised| Fact::PromiseOver { call, ticket, promised }));
        }
        // What the caller's end was answered with stays true.
        let cause = self.caller_left.unwrap_or(CAUSE);
        facts.push(Fact::CallEnded { call, cause, lasted: at.since(self.started) });
        facts
    }
}
