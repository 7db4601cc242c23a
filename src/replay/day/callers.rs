//! What callers do: come, dial, press, wait, talk, hang up, try again.
//!
//! Invariant: each thing a caller does follows the one before it by the draws alone: the key after the answer, the next
//! after the key; lateness of ours is measured and not passed on.
#![expect(clippy::cast_precision_loss, reason = "figures for people: no count comes near 2^52")]
use std::time::Duration;

use super::leg::{Between, Leg, Mouth, Part, Seat};
use super::places::Places;
use super::town::{Phase, Town, Wish};
use crate::base::{Instant, Now};
use crate::media::Codec;
use crate::node::LegSound;
use crate::replay::engine::UDP;
use crate::replay::measure::Attempt;
use crate::sim::{Caller, Callers};
use crate::sip::{Credentials, Destination, EndReason, Identity, InviteId, OutgoingInvite};

/// The codecs of all phones, best first.
const CODECS: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];
/// How long a key is held, where it goes by INFO, in milliseconds.
const HELD_MS: u32 = 100;
/// Whoever stood for so long should have heard something.
const HEARS: Duration = Duration::from_secs(1);
/// A bound on rounds through the scenario's callers, where they come at a rate.
const ROUNDS: u64 = 1_000;

impl Town {
    /// Draws the next caller and plans his coming.
    pub(super) fn plan_next_caller(&mut self) {
        loop {
            let Some(caller) = self.callers.next() else {
                // At a rate there are always more: the same scenario under other draws.
                if self.settings.rate.is_some() && self.arrived > 0 && self.rounds < ROUNDS {
                    self.rounds += 1;
                    let seed = self.settings.seed.wrapping_add(self.rounds);
                    self.callers = Callers::new(&self.settings.scenario, seed);
                    continue;
                }
                self.phase = Phase::Evening;
                return;
            };
            let after = match self.settings.rate {
                Some(rate) => Duration::from_secs_f64(self.arrived as f64 / rate.max(1e-3)),
                None if caller.arrives < self.settings.from => continue,
                None => caller.arrives.saturating_sub(self.settings.from),
            };
            self.wish(self.began + after, Wish::Arrive(Box::new(caller)));
            return;
        }
    }

    pub(super) fn next_caller(&mut self, now: Now, at: Instant, caller: Box<Caller>) {
        self.arrived += 1;
        self.gauges.counts.callers += 1;
        self.call(now, at, caller, 0);
        if self.phase == Phase::Day {
            self.plan_next_caller();
        }
    }

    /// A caller calls, for the first time or again.
    pub(super) fn call(&mut self, now: Now, at: Instant, caller: Box<Caller>, tries: usize) {
        if usize::try_from(self.gauges.counts.begun).is_ok_and(|n| n >= self.settings.max_calls) {
            self.bounded_by = Some(format!("--max-calls {}", self.settings.max_calls));
            self.phase = Phase::Evening;
            return;
        }
        self.gauges.acted(now.mono.since(at));
        self.gauges.counts.begun += 1;
        self.gauges.counts.redials += u64::from(tries > 0);
        self.gauges.this.begun += 1;
        let class = self.settings.scenario.callers.get(caller.class);
        let number =
            self.settings.user.clone().or_else(|| class.map(|c| c.number.clone())).unwrap_or_default();
        let (phone, patience) = (caller.phone.clone(), self.patience(&caller));
        let part = Part::Caller { caller, tries, pressed: 0 };
        let Some(seat) = self.dial((now, at), part, (&phone, &number), None) else { return };
        self.calling += 1;
        self.of_phone.insert(phone, seat);
        // Whoever is not even answered waits no longer than that; where calls are held for a time, the server has its own
        // time to answer, and takes too long only by the rules of SIP.
        if self.settings.hold.is_none() {
            self.wish(at + patience, Wish::Enough(seat));
        }
    }

    fn patience(&self, caller: &Caller) -> Duration {
        self.settings.hold.unwrap_or(caller.patience)
    }

    /// Sends an INVITE; `None` when this machine has no socket for its sound.
    pub(super) fn dial(
        &mut self,
        (now, intended): (Now, Instant),
        part: Part,
        (user, number): (&str, &str),
        credentials: Option<Credentials>,
    ) -> Option<Seat> {
        let (seat, mut sound) = self.sound(now.mono)?;
        let offer = sound.offer();
        let to = Destination::Datagram { listener: UDP, to: self.settings.target.into() };
        let invite = self.engine.sip.invite(
            now.mono,
            OutgoingInvite {
                request_uri: format!("sip:{number}@{}", self.settings.host),
                to,
                route: Vec::new(),
                from: Identity { user: user.to_owned(), ..Identity::default() },
                extra_headers: Vec::new(),
                offer: Some(offer),
                credentials,
            },
        );
        self.seat(seat, intended, part, (invite, sound));
        self.engine.transmit(now.mono);
        Some(seat)
    }

    /// A place, and sound expected there.
    pub(super) fn sound(&mut self, now: Instant) -> Option<(Seat, LegSound)> {
        let seat = self.places.take(now);
        match self.engine.seat(seat.place) {
            Ok(port) => {
                let number = self.rng.next_u64() >> 2;
                Some((seat, LegSound::new(self.settings.at.into(), port, &CODECS, number)))
            }
            Err(e) => {
                tracing::warn!(error = %e, "no socket for another phone");
                self.gauges.counts.without_socket += 1;
                self.places.give_back(now, seat);
                None
            }
        }
    }

    pub(super) fn seat(
        &mut self,
        seat: Seat,
        intended: Instant,
        part: Part,
        (invite, sound): (InviteId, LegSound),
    ) {
        let sip_call_id = self.engine.sip.sip_call_id(invite).unwrap_or_default().as_bytes().to_vec();
        let leg = Leg {
            serial: seat.serial,
            part,
            invite,
            sip_call_id,
            sound,
            ear: super::ear::Ear::default(),
            intended,
            answered: None,
            is_counted: false,
            waits_since: None,
            talks_to: None,
            talk: None,
            turn: 0,
            partner: None,
            partner_heard: None,
            mouth: Mouth::new(self.rng.next_u32()),
        };
        self.places.seat(seat, leg);
        self.of_invite.insert(invite, seat);
    }

    /// A caller's call stands: he listens, thinks, and presses.
    pub(super) fn caller_answered(&mut self, now: Instant, seat: Seat) {
        let Some(leg) = self.places.get_mut(seat) else { return };
        let Part::Caller { caller, .. } = &leg.part else { return };
        let first = caller.presses.first().map(|p| p.after);
        let patience = self.settings.hold.unwrap_or(caller.patience);
        if let Some(after) = first {
            self.wish(now + after, Wish::Key(seat));
        } else {
            leg.waits_since = Some(now);
            self.wish(now + patience, Wish::Enough(seat));
        }
    }

    /// A caller presses his next key.
    pub(super) fn key(&mut self, now: Now, at: Instant, seat: Seat) {
        let Some(leg) = self.places.get_mut(seat) else { return };
        let Part::Caller { caller, pressed, .. } = &mut leg.part else { return };
        let Some(press) = caller.presses.get(*pressed).copied() else { return };
        // Whoever talks, or has talked, presses no more.
        if leg.turn > 0 || leg.answered.is_none() {
            return;
        }
        *pressed += 1;
        let next = caller.presses.get(*pressed).map(|p| p.after);
        let patience = self.settings.hold.unwrap_or(caller.patience);
        self.gauges.counts.keys += 1;
        if leg.mouth.takes_keys() {
            leg.mouth.press(press.key);
        } else {
            self.gauges.counts.keys_by_info += 1;
            self.engine.sip.press(now.mono, leg.invite, press.key, HELD_MS);
        }
        if next.is_none() {
            leg.waits_since = Some(at);
        }
        self.gauges.acted(now.mono.since(at));
        match next {
            Some(after) => self.wish(at + after, Wish::Key(seat)),
            None => self.wish(at + patience, Wish::Enough(seat)),
        }
    }

    /// A caller has waited long enough: unless he talks, he goes.
    pub(super) fn enough(&mut self, now: Now, at: Instant, seat: Seat) {
        let Some(leg) = self.places.get(seat) else { return };
        let Part::Caller { caller, .. } = &leg.part else { return };
        let patience = self.patience(caller);
        let over = leg.answered.is_none() || leg.waits_since.is_some_and(|since| since + patience <= at);
        if leg.talks_to.is_none() && over {
            self.gauges.acted(now.mono.since(at));
            self.hang_up(now.mono, seat);
        }
    }

    pub(super) fn hang_up(&mut self, now: Instant, seat: Seat) {
        if let Some(leg) = self.places.get(seat) {
            self.engine.sip.end(now, leg.invite);
        }
    }

    /// A partner's voice is heard for the first time: when both are, it is said how long that took.
    pub(super) fn partner_heard(&mut self, seat: Seat, at: Instant) {
        let Some(leg) = self.places.get_mut(seat) else { return };
        leg.partner_heard = Some(at);
        let Some(partner) = leg.partner else { return };
        if partner.between == Between::Next {
            // Each ear for itself.
            return self.gauges.successor.record(at.since(partner.since));
        }
        if let Some(other) = self.places.get(partner.seat).and_then(|other| other.partner_heard) {
            let after = at.max(other).since(partner.since);
            match partner.between {
                Between::Two => self.gauges.two_way.record(after),
                Between::Private => self.gauges.private.record(after),
                Between::Three => self.gauges.three_way.record(after),
                Between::Next => {}
            }
        }
    }

    /// A caller's call is over.
    pub(super) fn caller_left(&mut self, now: Instant, leg: Leg, why: EndReason) {
        let Part::Caller { caller, tries, .. } = leg.part else { return };
        self.calling = self.calling.saturating_sub(1);
        if self.of_phone.get(&caller.phone).is_some_and(|seat| seat.serial == leg.serial) {
            self.of_phone.remove(&caller.phone);
        }
        let c = &mut self.gauges.counts;
        c.keys_without_prompt += u64::from(leg.ear.awaits());
        let served = leg.turn > 0;
        let by_us = why == EndReason::EndedByUs;
        let night = matches!(self.phase, Phase::Night(_));
        if let Some((since, _)) = leg.answered {
            let in_order = matches!(why, EndReason::EndedByUs | EndReason::ByeReceived);
            self.gauges.ratios.ended(now.since(since), in_order);
            match (served, why) {
                (true, EndReason::EndedByUs | EndReason::ByeReceived) => c.served += 1,
                (false, EndReason::EndedByUs) if !night => c.abandoned += 1,
                (false, EndReason::EndedByUs) => {}
                (false, EndReason::ByeReceived) => c.ended_by_server += 1,
                _ => {
                    c.broken += 1;
                    self.gauges.this.failed += 1;
                }
            }
            // Whom the end of the day cut short at once had no time to hear anything.
            let had_time = !night || now.since(since) >= HEARS;
            c.silent += u64::from(had_time && leg.ear.stream.is_none());
        } else if !leg.is_counted {
            let first = self.first_response(&leg.sip_call_id, leg.intended);
            self.gauges.counts.given_up += u64::from(by_us);
            let outcome = if by_us { Attempt::GivenUp } else { Attempt::Refused(408) };
            self.gauges.ratios.attempt(outcome, first);
        }
        if !served
            && !night
            && self.settings.rate.is_none()
            && let Some(after) = caller.redials.get(tries).copied()
        {
            self.wish(now + after, Wish::Redial(caller, tries + 1));
        }
    }

    /// How long after the wish the first response but 100 came.
    pub(super) fn first_response(&self, sip_call_id: &[u8], intended: Instant) -> Option<Duration> {
        let first = self.engine.tap.as_ref()?.first_at(sip_call_id)?;
        Some(first.since(intended))
    }
}

impl Places {
    /// The caller in this seat, if one is there.
    pub(super) fn caller(&self, seat: Seat) -> Option<&Caller> {
        match &self.get(seat)?.part {
            Part::Caller { caller, .. } => Some(caller),
            Part::Agent { .. } | Part::Service { .. } | Part::Party { .. } => None,
        }
    }
}
