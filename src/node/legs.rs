//! The one table of legs: exchange leg, SIP invite, sound. Invariant: both ways of looking a leg up agree, and a leg
//! is in it from its arrival (or ring) until SIP says it has ended.
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::keys::KeyMerge;
use super::redirect::Calling;
use super::routing::Route;
use super::signs::Signs;
use super::sound::LegSound;
use super::trunks::Way;
use crate::base::{AgentId, CallId, Deadline, Instant, LegId, SecretToken, TrunkId, earliest};
use crate::exchange::Cause;
use crate::sip::{InviteId, ListenerId};

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
    /// The trunk that it counts for, and which way.
    pub(super) trunk: Option<(TrunkId, Way)>,
    /// How it is tried over trunks, while it is not answered.
    pub(super) route: Option<Box<Route>>,
    /// Why we are ending it, once we are.
    pub(super) ending: Option<Cause>,
    /// Our 200 carried an offer: its answer comes with the ACK.
    pub(super) late_offer: bool,
    pub(super) reoffer: Reoffer,
    /// Offer and answer are settled before the 200, which says nothing about sound.
    pub(super) agreed_early: bool,
    /// The far end put us on hold.
    pub(super) held_by_peer: bool,
    /// While we ring it: whom else it may name in its place.
    pub(super) calling: Option<Box<Calling>>,
    /// The agent whose phone we rang.
    pub(super) agent: Option<AgentId>,
    /// The connection that its signalling began over.
    pub(super) flow: Option<(ListenerId, SocketAddr)>,
    /// Signs of life.
    pub(super) signs: Signs,
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
            trunk: None,
            route: None,
            ending: None,
            late_offer: false,
            reoffer: Reoffer::No,
            agreed_early: false,
            held_by_peer: false,
            calling: None,
            agent: None,
            flow: None,
            signs: Signs::default(),
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
    rings: LegTimers,
    /// Until when an INVITE over a trunk may wait for its first sign of life.
    signs: LegTimers,
    /// When a silence has lasted as long as any may.
    silences: LegTimers,
    /// When the far end of a quiet leg is asked, or has had its time for an answer.
    probes: LegTimers,
    by_flow: BTreeSet<((ListenerId, SocketAddr), LegId)>,
}

/// One timer a leg.
#[derive(Debug, Default)]
struct LegTimers {
    by_time: BTreeSet<(Instant, LegId)>,
    of: BTreeMap<LegId, Instant>,
}

impl LegTimers {
    fn start(&mut self, leg: LegId, at: Instant) {
        self.stop(leg);
        self.of.insert(leg, at);
        self.by_time.insert((at, leg));
    }
    fn stop(&mut self, leg: LegId) {
        if let Some(at) = self.of.remove(&leg) {
            self.by_time.remove(&(at, leg));
        }
    }
    fn pop_due(&mut self, now: Instant) -> Option<LegId> {
        let (at, leg) = self.by_time.first().copied()?;
        if at > now {
            return None;
        }
        self.stop(leg);
        Some(leg)
    }
    fn next(&self, why: &'static str) -> Option<Deadline> {
        self.by_time.first().map(|(at, _)| Deadline::new(*at, why))
    }
}

impl Legs {
    pub(super) fn insert(&mut self, leg: LegId, node_leg: NodeLeg) {
        self.by_invite.insert(node_leg.invite, leg);
        if let Some(flow) = node_leg.flow {
            self.by_flow.insert((flow, leg));
        }
        self.by_leg.insert(leg, node_leg);
    }

    /// Legs whose signalling began over this connection.
    pub(super) fn on_flow(&self, flow: (ListenerId, SocketAddr)) -> Vec<LegId> {
        let all = (flow, LegId(0))..=(flow, LegId(u64::MAX));
        self.by_flow.range(all).map(|(_, leg)| *leg).collect()
    }

    pub(super) fn remove(&mut self, leg: LegId) -> Option<NodeLeg> {
        self.stop_ring_timer(leg);
        self.signs.stop(leg);
        self.silences.stop(leg);
        self.probes.stop(leg);
        let gone = self.by_leg.remove(&leg)?;
        if let Some(flow) = gone.flow {
            self.by_flow.remove(&(flow, leg));
        }
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

    /// How many of their timers run.
    pub(super) fn timers(&self) -> usize {
        [&self.rings, &self.signs, &self.silences, &self.probes].iter().map(|t| t.of.len()).sum()
    }

    /// Gives up ringing at `at`.
    pub(super) fn start_ring_timer(&mut self, leg: LegId, at: Instant) {
        self.rings.start(leg, at);
    }

    pub(super) fn stop_ring_timer(&mut self, leg: LegId) {
        self.rings.stop(leg);
    }

    /// A leg that has rung long enough.
    pub(super) fn pop_rung_out(&mut self, now: Instant) -> Option<LegId> {
        self.rings.pop_due(now)
    }

    /// Wants a sign of life from the far end of `leg` until `at`.
    pub(super) fn want_sign(&mut self, leg: LegId, at: Instant) {
        self.signs.start(leg, at);
    }

    /// A leg whose far end should have given a sign of life by now.
    pub(super) fn pop_sign_due(&mut self, now: Instant) -> Option<LegId> {
        self.signs.pop_due(now)
    }

    /// A silence of `leg` ends the leg at `at`.
    pub(super) fn start_silence(&mut self, leg: LegId, at: Instant) {
        self.silences.start(leg, at);
    }

    pub(super) fn stop_silence(&mut self, leg: LegId) {
        self.silences.stop(leg);
    }

    /// A leg that was silent for as long as any may be.
    pub(super) fn pop_silent(&mut self, now: Instant) -> Option<LegId> {
        self.silences.pop_due(now)
    }

    /// The far end of `leg` is looked after at `at`.
    pub(super) fn start_probe(&mut self, leg: LegId, at: Instant) {
        self.probes.start(leg, at);
    }

    pub(super) fn stop_probe(&mut self, leg: LegId) {
        self.probes.stop(leg);
    }

    /// A leg whose far end is to be asked, or should have answered.
    pub(super) fn pop_probe_due(&mut self, now: Instant) -> Option<LegId> {
        self.probes.pop_due(now)
    }

    pub(super) fn next_deadline(&self) -> Option<Deadline> {
        let rings = earliest(self.rings.next("ring time-out"), self.signs.next("trunk silent"));
        let quiet = earliest(self.silences.next("silent for too long"), self.probes.next("quiet leg"));
        earliest(rings, quiet)
    }
}
