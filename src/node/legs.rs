//! The one table of legs: exchange leg, SIP invite, sound. Invariant: both ways of looking a leg up agree, and a leg
//! is in it from its arrival (or ring) until SIP says it has ended.
use std::collections::{BTreeMap, BTreeSet};

use super::keys::KeyMerge;
use super::redirect::Calling;
use super::sound::LegSound;
use crate::base::{CallId, Deadline, Instant, LegId, SecretToken};
use crate::exchange::Cause;
use crate::sip::InviteId;

/// How far a leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It rang us, and we have not answered.
    Arrived,
    /// We ring it.
    Ringing,
    /// Sound flows both ways.
    Up,
}

/// A re-INVITE of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reoffer {
    No,
    /// Sent, not answered.
    UnderWay,
    /// The same, and another one is wanted after it.
    Again,
}

/// One leg as the node sees it.
#[derive(Debug)]
pub(super) struct NodeLeg {
    pub(super) invite: InviteId,
    pub(super) sip_call_id: String,
    pub(super) call: Option<CallId>,
    pub(super) progress: Progress,
    pub(super) sound: LegSound,
    pub(super) keys: KeyMerge,
    /// The entry that takes its digits, and how many it took.
    pub(super) secret: Option<(SecretToken, u8)>,
    /// Why we are ending it, once we are.
    pub(super) ending: Option<Cause>,
    /// Our 200 carried an offer: its answer comes with the ACK.
    pub(super) late_offer: bool,
    pub(super) reoffer: Reoffer,
    /// Offer and answer are settled before the 200, which says nothing about sound.
    pub(super) agreed_early: bool,
    /// Made no offer and wants reliable ringing, which must hold ours (RFC 3262 section 5).
    pub(super) rings_by_offer: bool,
    /// The far end put us on hold.
    pub(super) held_by_peer: bool,
    /// While we ring it: whom else it may name in its place.
    pub(super) calling: Option<Box<Calling>>,
}

impl NodeLeg {
    pub(super) fn new(invite: InviteId, sip_call_id: String, progress: Progress, sound: LegSound) -> Self {
        Self {
            invite,
            sip_call_id,
            call: None,
            progress,
            sound,
            keys: KeyMerge::default(),
            secret: None,
            ending: None,
            late_offer: false,
            reoffer: Reoffer::No,
            agreed_early: false,
            rings_by_offer: false,
            held_by_peer: false,
            calling: None,
        }
    }
}

/// All legs.
#[derive(Debug, Default)]
pub(super) struct Legs {
    by_leg: BTreeMap<LegId, NodeLeg>,
    by_invite: BTreeMap<InviteId, LegId>,
    /// The caller's leg of each call.
    callers: BTreeMap<CallId, LegId>,
    ring_ends: BTreeSet<(Instant, LegId)>,
    ring_end_of: BTreeMap<LegId, Instant>,
}

impl Legs {
    pub(super) fn insert(&mut self, leg: LegId, node_leg: NodeLeg) {
        self.by_invite.insert(node_leg.invite, leg);
        self.by_leg.insert(leg, node_leg);
    }

    pub(super) fn remove(&mut self, leg: LegId) -> Option<NodeLeg> {
        self.stop_ring_timer(leg);
        let gone = self.by_leg.remove(&leg)?;
        self.by_invite.remove(&gone.invite);
        if let Some(call) = gone.call.filter(|call| self.callers.get(call) == Some(&leg)) {
            self.callers.remove(&call);
        }
        Some(gone)
    }

    /// `leg` is of `call` now. Its SIP Call-ID.
    pub(super) fn belongs(&mut self, leg: LegId, call: CallId) -> Option<String> {
        let node_leg = self.by_leg.get_mut(&leg)?;
        node_leg.call = Some(call);
        Some(node_leg.sip_call_id.clone())
    }

    /// A ringing leg goes on with another INVITE: its call, if it has one.
    pub(super) fn rebind(&mut self, leg: LegId, invite: InviteId, sip_call_id: String) -> Option<CallId> {
        let node_leg = self.by_leg.get_mut(&leg)?;
        self.by_invite.remove(&node_leg.invite);
        node_leg.invite = invite;
        node_leg.sip_call_id = sip_call_id;
        self.by_invite.insert(invite, leg);
        node_leg.call
    }

    /// `leg` is the caller's of `call`.
    pub(super) fn is_caller(&mut self, leg: LegId, call: CallId) {
        self.callers.insert(call, leg);
    }

    /// The caller's leg of a call.
    pub(super) fn caller_of(&self, call: CallId) -> Option<&NodeLeg> {
        self.by_leg.get(self.callers.get(&call)?)
    }

    pub(super) fn get(&self, leg: LegId) -> Option<&NodeLeg> {
        self.by_leg.get(&leg)
    }

    pub(super) fn get_mut(&mut self, leg: LegId) -> Option<&mut NodeLeg> {
        self.by_leg.get_mut(&leg)
    }

    pub(super) fn of_invite(&mut self, invite: InviteId) -> Option<(LegId, &mut NodeLeg)> {
        let leg = *self.by_invite.get(&invite)?;
        self.by_leg.get_mut(&leg).map(|l| (leg, l))
    }

    pub(super) fn len(&self) -> usize {
        self.by_leg.len()
    }

    /// Gives up ringing at `at`.
    pub(super) fn start_ring_timer(&mut self, leg: LegId, at: Instant) {
        self.stop_ring_timer(leg);
        self.ring_end_of.insert(leg, at);
        self.ring_ends.insert((at, leg));
    }

    pub(super) fn stop_ring_timer(&mut self, leg: LegId) {
        if let Some(at) = self.ring_end_of.remove(&leg) {
            self.ring_ends.remove(&(at, leg));
        }
    }

    /// A leg that has rung long enough.
    pub(super) fn pop_rung_out(&mut self, now: Instant) -> Option<LegId> {
        let (at, leg) = self.ring_ends.first().copied()?;
        if at > now {
            return None;
        }
        self.stop_ring_timer(leg);
        Some(leg)
    }

    pub(super) fn next_deadline(&self) -> Option<Deadline> {
        self.ring_ends.first().map(|(at, _)| Deadline::new(*at, "ring time-out"))
    }
}
