//! Whether agents' phones are still there: each is asked by OPTIONS (RFC 3261 section 11) from time to time, often while
//! it rings, and at once when there is reason to doubt. A phone that was heard and is not any more is silent: its agent
//! is not rung until it answers or registers again.
//!
//! | told | heard | silent |
//! |---|---|---|
//! | any answer but 408 and 503, a registration | heard | heard |
//! | no answer in time | silent, if it ever answered a question | silent |
//! | the network says that nobody is there | silent | silent |
//!
//! Invariant: every phone that is known has one moment in `by_time`; one question a phone is under way at most.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::trunks::is_sign_of_life;
use crate::base::{AgentId, Deadline, Instant, Rng};
use crate::sip::{RequestId, Status, UserAgent};

/// A question without an answer for this long is unanswered: four datagrams of it may be lost.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_millis(4_500);
/// While it rings, the first question comes this long after the INVITE, which is one itself ...
const RINGS_FIRST: Duration = Duration::from_secs(3);
/// ... and the next ones this long after an answer.
const RINGS_AGAIN: Duration = Duration::from_secs(5);

/// What became of a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing new.
    None,
    /// It is silent now.
    Silent(AgentId),
    /// It is back.
    Back(AgentId),
}

#[derive(Clone, Debug)]
struct Known {
    /// The next question, or the end of the time for an answer.
    due: Instant,
    asked: Option<RequestId>,
    /// The last sign of life.
    heard: Instant,
    /// It is one that answers questions: its silence says something.
    answers: bool,
    silent: bool,
    rings: bool,
}

/// All registered phones of agents.
#[derive(Debug)]
pub(super) struct Phones {
    /// Between two questions; zero: none is ever asked.
    every: Duration,
    known: BTreeMap<AgentId, Known>,
    by_time: BTreeSet<(Instant, AgentId)>,
    /// Until their end is told.
    questions: BTreeMap<RequestId, AgentId>,
    rng: Rng,
}

impl Phones {
    pub(super) fn new(every: Duration, rng: &Rng) -> Self {
        Self {
            every,
            known: BTreeMap::new(),
            by_time: BTreeSet::new(),
            questions: BTreeMap::new(),
            rng: rng.fork("phones"),
        }
    }

    /// It registered, or did so again.
    pub(super) fn bound(&mut self, now: Instant, agent: &AgentId) -> Turn {
        if self.every.is_zero() {
            return Turn::None;
        }
        if !self.known.contains_key(agent) {
            // After a restart all are known at one moment: they are not asked at one.
            let whole = u64::try_from(self.every.as_millis()).unwrap_or(u64::MAX);
            let first = now + Duration::from_millis(self.rng.below(whole.max(1)));
            let fresh =
                Known { due: first, asked: None, heard: now, answers: false, silent: false, rings: false };
            self.known.insert(agent.clone(), fresh);
            self.by_time.insert((first, agent.clone()));
        }
        self.is_heard(now, agent)
    }

    /// It is not registered any more.
    pub(super) fn unbound(&mut self, agent: &AgentId) {
        if let Some(known) = self.known.remove(agent) {
            self.by_time.remove(&(known.due, agent.clone()));
        }
    }

    /// How many answer when they are asked.
    pub(super) fn answering(&self) -> usize {
        self.known.values().filter(|known| known.answers && !known.silent).count()
    }

    /// Questions whose end was not told yet.
    pub(super) fn questions(&self) -> usize {
        self.questions.len()
    }

    /// How many do not any more.
    pub(super) fn silent(&self) -> usize {
        self.known.values().filter(|known| known.silent).count()
    }

    /// Whether its silence would say something.
    pub(super) fn answers(&self, agent: &AgentId) -> bool {
        self.known.get(agent).is_some_and(|known| known.answers)
    }

    /// Whether it gave a sign of life after `moment`.
    pub(super) fn heard_after(&self, agent: &AgentId, moment: Instant) -> bool {
        self.known.get(agent).is_some_and(|known| !known.silent && known.heard > moment)
    }

    /// There is reason to doubt: it is asked at once, if it is not already.
    pub(super) fn doubt(&mut self, now: Instant, agent: &AgentId) {
        if self.known.get(agent).is_some_and(|known| known.asked.is_none()) {
            self.set_due(agent, now);
        }
    }

    /// It rings, or no longer.
    pub(super) fn rings(&mut self, now: Instant, agent: &AgentId, rings: bool) {
        let Some(known) = self.known.get_mut(agent) else { return };
        known.rings = rings;
        let soon = now + RINGS_FIRST;
        if rings && known.asked.is_none() && known.due > soon {
            self.set_due(agent, soon);
        }
    }

    /// Somebody else found it gone.
    pub(super) fn is_gone(&mut self, now: Instant, agent: &AgentId) -> Turn {
        let Some(known) = self.known.get_mut(agent) else { return Turn::None };
        let (under_way, was) = (known.asked.is_some(), std::mem::replace(&mut known.silent, true));
        if !under_way {
            self.set_due(agent, now + self.every);
        }
        if was { Turn::None } else { Turn::Silent(agent.clone()) }
    }

    /// What became of a question; `None`: no answer came, or none can come.
    pub(super) fn answered(&mut self, now: Instant, request: RequestId, status: Option<Status>) -> Turn {
        let Some(agent) = self.questions.remove(&request) else { return Turn::None };
        let Some(known) = self.known.get_mut(&agent) else { return Turn::None };
        let current = known.asked.take_if(|asked| *asked == request).is_some();
        if status.is_some_and(is_sign_of_life) {
            known.answers = true;
            return self.is_heard(now, &agent);
        }
        match status {
            _ if !current => Turn::None,
            // Its own time is not over yet: the network itself says so.
            None => self.is_gone(now, &agent),
            Some(_) => self.is_unanswered(now, &agent),
        }
    }

    /// The moment of [`Phones::next_deadline`] has come for one of them; `None`: for none.
    pub(super) fn pop_due(&mut self, now: Instant, sip: &mut UserAgent) -> Option<Turn> {
        let (_, agent) = self.by_time.first().filter(|(at, _)| *at <= now).cloned()?;
        let asked = self.known.get_mut(&agent).and_then(|known| known.asked.take());
        if asked.is_some() {
            return Some(self.is_unanswered(now, &agent));
        }
        self.set_due(&agent, now + ANSWER_WITHIN);
        if let Some(contact) = sip.contact(agent.as_str()) {
            let request = sip.options(now, &contact.uri, contact.to);
            self.questions.insert(request, agent.clone());
            if let Some(known) = self.known.get_mut(&agent) {
                known.asked = Some(request);
            }
        }
        Some(Turn::None)
    }

    pub(super) fn next_deadline(&self) -> Option<Deadline> {
        self.by_time.first().map(|(at, _)| Deadline::new(*at, "a phone is asked"))
    }

    fn is_heard(&mut self, now: Instant, agent: &AgentId) -> Turn {
        let Some(known) = self.known.get_mut(agent) else { return Turn::None };
        let (was_silent, under_way) = (std::mem::take(&mut known.silent), known.asked.is_some());
        known.heard = now;
        let next = now + if known.rings { RINGS_AGAIN.min(self.every) } else { self.every };
        if !under_way && known.due < next {
            self.set_due(agent, next);
        }
        if was_silent { Turn::Back(agent.clone()) } else { Turn::None }
    }

    fn is_unanswered(&mut self, now: Instant, agent: &AgentId) -> Turn {
        if self.answers(agent) {
            return self.is_gone(now, agent);
        }
        self.set_due(agent, now + self.every);
        Turn::None
    }

    fn set_due(&mut self, agent: &AgentId, at: Instant) {
        if let Some(known) = self.known.get_mut(agent) {
            self.by_time.remove(&(known.due, agent.clone()));
            known.due = at;
            self.by_time.insert((at, agent.clone()));
        }
    }
}
