//! What a leg that we ring may still try when it is refused by a 3xx (RFC 3261 section 8.1.3.4).
//!
//! A peer does not choose where a call goes: a trunk may name another number of its own, an agent's phone another
//! address that the same agent registered. Nothing else is followed.
//!
//! Invariant: no target is tried twice for one leg, and no more than [`TARGETS_MAX`] in all; a 6xx ends it.
use std::collections::{BTreeSet, VecDeque};

use super::machine::Node;
use super::status;
use crate::base::{AgentId, LegId};
use crate::sip::{AddrSpec, Destination, InviteId, OutgoingInvite, ReferTarget, Status};

/// Most targets of one leg, the first one not counted.
const TARGETS_MAX: usize = 5;

/// Who is rung, which decides whom it may name in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    Agent(AgentId),
    /// Behind a trunk: other numbers of the same host, by the same way.
    Trunk,
}

/// The rest of a leg's tries.
#[derive(Debug)]
pub(super) struct Calling {
    whom: Whom,
    wanted: OutgoingInvite,
    next: VecDeque<(String, Destination)>,
    tried: BTreeSet<String>,
    /// The best refusal so far, in the sense of section 16.7, step 6.
    best: Option<Status>,
}

impl Calling {
    pub(super) fn new(whom: Whom, wanted: OutgoingInvite) -> Self {
        let tried = BTreeSet::from([wanted.request_uri.clone()]);
        Self { whom, wanted, next: VecDeque::new(), tried, best: None }
    }

    fn add(&mut self, uri: String, to: Destination) -> bool {
        let room = self.tried.len() <= TARGETS_MAX;
        let fresh = room && self.tried.insert(uri.clone());
        if fresh {
            self.next.push_back((uri, to));
        }
        fresh
    }

    /// A target refused.
    fn refused(&mut self, status: Status) {
        if self.best.is_none_or(|best| rank(status) < rank(best)) {
            self.best = Some(status);
        }
        if status.code() >= 600 {
            self.next.clear();
        }
    }
}

/// Section 16.7, step 6: a 6xx first, then the lowest class, a 3xx that led nowhere last; within 4xx those that say more.
const fn rank(status: Status) -> (u8, u16) {
    match status.code() {
        600.. => (0, 0),
        401 | 407 | 415 | 420 | 484 => (1, 0),
        code @ 400..=499 => (1, code),
        code @ 500..=599 => (2, code),
        code => (3, code),
    }
}

impl Node {
    /// A leg that we ring was refused by `status`; `contacts`: where its far end would send us.
    pub(super) fn on_failed(&mut self, invite: InviteId, status: Status, contacts: &[ReferTarget]) {
        let Some((leg, _)) = self.legs.of_invite(invite) else { return };
        let mut followed = Vec::new();
        if let Some(calling) = self.legs.get(leg).and_then(|l| l.calling.as_deref()) {
            followed = contacts.iter().map(|c| self.allowed_target(calling, c)).collect();
        }
        let figures = &mut self.figures;
        let Some(node_leg) = self.legs.get_mut(leg) else { return };
        let Some(calling) = &mut node_leg.calling else {
            node_leg.ending.get_or_insert(status::failed(status));
            return;
        };
        calling.refused(status);
        for target in followed {
            if !target.is_some_and(|(uri, to)| calling.add(uri, to)) {
                figures.redirects_refused += 1;
            }
        }
        if !calling.next.is_empty() {
            return;
        }
        let cause = status::failed(calling.best.unwrap_or(status));
        if !self.goes_on_elsewhere(leg, status)
            && let Some(node_leg) = self.legs.get_mut(leg)
        {
            node_leg.ending.get_or_insert(cause);
        }
    }

    /// An INVITE of a ringing leg is over: the next target is rung, if there is one. `true`: the leg goes on.
    pub(super) fn ring_next(&mut self, leg: LegId) -> bool {
        let now = self.now().mono;
        let Some(node_leg) = self.legs.get_mut(leg).filter(|l| l.ending.is_none()) else { return false };
        let Some(calling) = &mut node_leg.calling else { return false };
        let Some((uri, to)) = calling.next.pop_front() else { return false };
        self.figures.redirects_followed += 1;
        let wanted = OutgoingInvite { request_uri: uri, to, ..calling.wanted.clone() };
        let invite = self.sip.invite(now, wanted);
        let sip_call_id = self.sip.sip_call_id(invite).unwrap_or_default().to_owned();
        if let Some(call) = self.legs.rebind(leg, invite, sip_call_id.clone()) {
            self.traces.belongs(&sip_call_id, call);
        }
        true
    }

    /// Where a Contact of a 3xx leads, if it may lead anywhere.
    fn allowed_target(&self, calling: &Calling, contact: &ReferTarget) -> Option<(String, Destination)> {
        match &calling.whom {
            Whom::Agent(agent) => {
                let is_it = |uri: &str| ReferTarget::parse(uri).is_some_and(|bound| bound == *contact);
                let mut bindings = self.sip.contacts(agent.as_str()).into_iter();
                bindings.find(|b| is_it(&b.uri)).map(|b| (b.uri, b.to))
            }
            Whom::Trunk => {
                let called = AddrSpec::parse(&calling.wanted.request_uri)?;
                let host = called.host()?;
                let same = contact.scheme == "tel"
                    || (contact.host.eq_ignore_ascii_case(&host) && contact.scheme == called.scheme());
                if !same || contact.user.is_empty() {
                    return None;
                }
                let uri = AddrSpec::sip(Some(&contact.user), &host, called.port());
                Some((uri.to_string(), calling.wanted.to))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_that_says_most_is_kept() {
        let status = |code| Status::new(code).unwrap();
        let better = |a, b| rank(status(a)) < rank(status(b));
        assert!(
            better(603, 404) && better(484, 404) && better(404, 486) && better(486, 503) && better(503, 302)
        );
    }
}
