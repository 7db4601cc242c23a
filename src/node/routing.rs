//! Calls over trunks: the ways are tried one after the other until one leads to the callee (RFC 3263 section 4.3).
//!
//! What is another way's business: 5xx, 408 before the callee rang, a lost transport, no sign of life within the trunk's
//! patience. What the callee says, 4xx and 6xx, is final. The leg is one for everybody else: it rings, is answered or ends.
//!
//! Invariant: a leg over a trunk counts for exactly one trunk at a time, and the time it may ring is never begun anew.
use std::collections::VecDeque;
use std::time::Duration;

use super::machine::Node;
use super::on_command::{Called, Way};
use super::redirect::{Calling, Whom};
use super::status;
use super::trunks::{self, Candidate, told};
use crate::base::{LegId, PartyId, TrunkId};
use crate::exchange::{Cause, Input};
use crate::sip::{Identity, InviteId, Status};

/// What is left to try for a leg, and how.
#[derive(Debug)]
pub(super) struct Route {
    called: Called,
    number: String,
    port: u16,
    current: Candidate,
    left: VecDeque<Candidate>,
    /// The callee rang.
    rang: bool,
}

impl Node {
    /// Third parties are called over the trunks that the directory names: the one of the call's own revision first.
    pub(super) fn ring_party(&mut self, party: &PartyId, called: Called) {
        let own = self.board.exchange().menus_of(called.call);
        let found = own.and_then(|menus| menus.directory.get(party));
        let entry =
            found.or_else(|| self.menus.directory.get(party)).map(|p| (p.trunks.clone(), p.number.clone()));
        match entry {
            Some((trunks, number)) => self.ring_over((&trunks, &number), called),
            None => self.later.push_back(Input::LegEnded { leg: called.leg, cause: Cause::NotFound }),
        }
    }

    /// Rings a number over the first of these trunks that will take it.
    pub(super) fn ring_over(&mut self, (trunks, number): (&[TrunkId], &str), called: Called) {
        let now = self.now().mono;
        let mut left: VecDeque<Candidate> = self.trunks.candidates(now, &mut self.sip, trunks).into();
        if left.is_empty() && self.trunks.are_off(now, trunks) {
            return self.later.push_back(Input::LegEnded { leg: called.leg, cause: Cause::Overload });
        }
        let (current, way) = match self.next_way(&mut left, number, &called) {
            Ok(found) => found,
            Err(cause) => return self.later.push_back(Input::LegEnded { leg: called.leg, cause }),
        };
        let Some(port) = self.ring(&called, way, Whom::Trunk) else {
            return self.trunks.release(&current.trunk, trunks::Way::Out);
        };
        let route = Route { called, number: number.to_owned(), port, current, left, rang: false };
        self.on_its_way(route, None);
    }

    /// The next candidate that has room, and how it is called: from the hotline's own number, never from the caller's.
    fn next_way(
        &mut self,
        left: &mut VecDeque<Candidate>,
        number: &str,
        called: &Called,
    ) -> Result<(Candidate, Way), Cause> {
        let now = self.now().mono;
        let mut cause = Cause::Unreachable;
        while let Some(next) = left.pop_front() {
            // It may have asked for rest since this call began.
            if self.trunks.is_off(now, &next) {
                cause = Cause::Overload;
                continue;
            }
            let Some(trunk) = self.trunks.settings(&next.trunk) else { continue };
            let Some(to) = self.sip.destination(next.target, &trunk.listeners) else { continue };
            // A registrar knows us under its own name.
            let host = trunk.registration.as_ref().map(|_| trunk.host.clone()).unwrap_or_default();
            let way = Way {
                uri: format!("sip:{number}@{}", trunk.host),
                listener: to.listener(),
                to,
                from: Identity { user: called.card.dialled.clone(), host, display: String::new() },
                credentials: trunk.credentials.clone(),
                route: self.trunks.route(&self.sip, &next.trunk).to_vec(),
                headers: self.headers_for(called, Some(&next.trunk)),
            };
            if self.trunks.admit(now, &next.trunk, trunks::Way::Out) {
                return Ok((next, way));
            }
            cause = Cause::Overload;
            left.retain(|other| other.trunk != next.trunk);
        }
        Err(cause)
    }

    /// The INVITE of a leg is sent.
    fn on_its_way(&mut self, route: Route, after: Option<Cause>) {
        let (now, leg) = (self.now().mono, route.called.leg);
        let Candidate { trunk, target } = route.current.clone();
        let patience = self.trunks.settings(&trunk).map_or(Duration::ZERO, |t| t.patience);
        if let Some(node_leg) = self.legs.get_mut(leg) {
            node_leg.trunk = Some((trunk.clone(), trunks::Way::Out));
            node_leg.route = Some(Box::new(route));
            self.legs.want_sign(leg, now + patience);
        }
        self.later.push_back(Input::LegRouted { leg, trunk, to: told(target), after });
    }

    /// The same leg by the next way. `false`: there is none.
    fn try_elsewhere(&mut self, leg: LegId, after: Cause) -> bool {
        let now = self.now().mono;
        let Some(node_leg) = self.legs.get_mut(leg).filter(|l| l.ending.is_none()) else { return false };
        let Some(mut route) = node_leg.route.take() else { return false };
        let before = node_leg.invite;
        let Ok((next, way)) = self.next_way(&mut route.left, &route.number, &route.called) else {
            if let Some(node_leg) = self.legs.get_mut(leg) {
                node_leg.route = Some(route);
            }
            return false;
        };
        self.trunks.release(&route.current.trunk, trunks::Way::Out);
        self.trunks.failed_over(&route.current.trunk);
        self.figures.failed_over += 1;
        let mut sound = self.sound_toward(&way, route.port, route.called.call);
        let wanted = way.invite(sound.offer());
        let invite = self.sip.invite(now, wanted.clone());
        let sip_call_id = self.sip.sip_call_id(invite).unwrap_or_default().to_owned();
        self.traces.belongs(&sip_call_id, route.called.call);
        self.legs.rebind(leg, invite, sip_call_id);
        // What becomes of the one before concerns nobody any more.
        self.sip.end(now, before);
        if let Some(node_leg) = self.legs.get_mut(leg) {
            node_leg.sound = sound;
            node_leg.calling = Some(Box::new(Calling::new(Whom::Trunk, wanted)));
        }
        self.on_its_way(Route { current: next, rang: false, ..*route }, Some(after));
        true
    }

    /// A server on the way is not available, and said for how long: nothing more is sent to it until then (RFC 3261
    /// section 21.5.4).
    pub(super) fn put_off(&mut self, invite: InviteId, status: Status, wait: Option<Duration>) {
        let now = self.now().mono;
        let route = self.legs.of_invite(invite).and_then(|(_, leg)| leg.route.as_ref());
        if let (Some(route), Some(wait), Status::SERVICE_UNAVAILABLE) = (route, wait, status) {
            self.trunks.put_off(now, &route.current, wait);
        }
    }

    /// The INVITE of a leg was refused, timed out, or could not be sent. `true`: it goes on by another way.
    pub(super) fn goes_on_elsewhere(&mut self, leg: LegId, status: Status) -> bool {
        let now = self.now().mono;
        let Some(route) = self.legs.get(leg).and_then(|l| l.route.as_ref()) else { return false };
        let lives = !matches!(status.code(), 408 | 503) || route.rang;
        let elsewhere = status::is_fault_of_the_way(status, route.rang);
        self.trunks.note_call(now, &route.current, lives);
        elsewhere && self.try_elsewhere(leg, status::failed(status))
    }

    /// The far end of a leg should have given a sign of life by now.
    pub(super) fn sign_due(&mut self, leg: LegId) {
        let now = self.now().mono;
        let Some(node_leg) = self.legs.get(leg) else { return };
        let Some(route) = node_leg.route.as_ref().filter(|_| self.sip.is_unheard(node_leg.invite)) else {
            return;
        };
        self.trunks.note_call(now, &route.current, false);
        // With nowhere else to go, a slow answer is better than none.
        self.try_elsewhere(leg, Cause::PeerLost);
    }

    /// The callee rings, or sound comes from there.
    pub(super) fn route_rings(&mut self, leg: LegId) {
        let now = self.now().mono;
        if let Some(route) = self.legs.get_mut(leg).and_then(|l| l.route.as_mut()) {
            route.rang = true;
            self.trunks.note_call(now, &route.current, true);
        }
    }

    /// The callee answered: no other way is of interest.
    pub(super) fn route_answered(&mut self, leg: LegId) {
        let now = self.now().mono;
        if let Some(route) = self.legs.get_mut(leg).and_then(|l| l.route.take()) {
            self.trunks.note_call(now, &route.current, true);
        }
    }
}
