//! What SIP tells the town.
use std::net::SocketAddr;
use std::time::Duration;

use super::leg::{Part, Seat};
use super::sound::arrival_clock;
use super::town::Town;
use crate::base::Now;
use crate::replay::measure::Attempt;
use crate::sip::{EndReason, InviteId, SipEvent, Status};

impl Town {
    /// Everything that SIP wants done.
    pub(super) fn settle(&mut self, now: Now) {
        while let Some(event) = self.engine.poll_event() {
            self.on_sip(now, event);
        }
        self.engine.transmit(now.mono);
    }

    fn on_sip(&mut self, now: Now, event: SipEvent) {
        match event {
            SipEvent::Incoming(incoming) => self.on_incoming(now, &incoming),
            SipEvent::Progress { invite, sdp: Some(sdp), .. } => self.on_early(invite, &sdp),
            SipEvent::Answered { invite, sdp } => self.on_answered(now, invite, sdp.as_deref()),
            SipEvent::Acknowledged { invite, sdp: Some(sdp) }
            | SipEvent::ReofferAnswered { invite, sdp: Some(sdp) } => {
                if let Some((seat, leg)) = self.leg(invite)
                    && leg.sound.accept(&sdp).is_ok()
                {
                    self.agree(seat);
                }
            }
            SipEvent::Failed { invite, status, .. } => self.on_failed(invite, status),
            SipEvent::Reoffer { invite, offer } => self.on_reoffer(now, invite, offer.as_deref()),
            SipEvent::OfferWanted { invite } => {
                if let Some((_, leg)) = self.leg(invite) {
                    let offer = leg.sound.offer();
                    self.engine.sip.reoffer(now.mono, invite, offer);
                }
            }
            SipEvent::Referred { invite, .. } => {
                self.engine.sip.refuse_referral(now.mono, invite, Status::DECLINE);
            }
            SipEvent::RegistrationChanged { id, registered, .. } => self.registered(now, id, registered),
            SipEvent::Ended { invite, why } => self.on_ended(now, invite, why),
            _ => {}
        }
    }

    fn leg(&mut self, invite: InviteId) -> Option<(Seat, &mut super::leg::Leg)> {
        let seat = *self.of_invite.get(&invite)?;
        Some((seat, self.places.get_mut(seat)?))
    }

    fn on_early(&mut self, invite: InviteId, sdp: &[u8]) {
        if let Some((seat, leg)) = self.leg(invite)
            && leg.sound.accept_early(sdp).is_ok()
        {
            self.agree(seat);
        }
    }

    fn on_answered(&mut self, now: Now, invite: InviteId, sdp: Option<&[u8]>) {
        let Some((seat, leg)) = self.leg(invite) else { return };
        // Without SDP, what an early answer said holds.
        let usable = match sdp {
            Some(sdp) => leg.sound.accept(sdp).is_ok(),
            None => leg.sound.remote().is_some(),
        };
        let (intended, call, is_caller) =
            (leg.intended, leg.sip_call_id.clone(), matches!(leg.part, Part::Caller { .. }));
        self.up(now, seat);
        if is_caller {
            let (first, answer) = (self.first_response(&call, intended), now.mono.since(intended));
            let g = &mut self.gauges;
            g.counts.answered += 1;
            g.this.answered += 1;
            g.this.answer_max_ms = g.this.answer_max_ms.max(answer.as_secs_f64() * 1e3);
            g.answer.record(answer);
            if let Some(first) = first {
                g.post_dial.record(first);
            }
            g.ratios.attempt(Attempt::Answered, first);
            self.caller_answered(now.mono, seat);
        }
        if !usable {
            tracing::debug!("an answer that cannot be used");
            self.gauges.counts.broken += u64::from(is_caller);
            self.hang_up(now.mono, seat);
        }
    }

    fn on_failed(&mut self, invite: InviteId, status: Status) {
        let Some((_, leg)) = self.leg(invite) else { return };
        if !matches!(leg.part, Part::Caller { .. }) {
            return;
        }
        leg.is_counted = true;
        let (intended, call) = (leg.intended, leg.sip_call_id.clone());
        let first = self.first_response(&call, intended);
        let g = &mut self.gauges;
        g.counts.refused += 1;
        g.this.failed += 1;
        g.ratios.attempt(Attempt::Refused(status.code()), first);
    }

    fn on_reoffer(&mut self, now: Now, invite: InviteId, offer: Option<&[u8]>) {
        let Some((seat, leg)) = self.leg(invite) else { return };
        let answer = match offer {
            None => leg.sound.offer(),
            Some(offer) if leg.sound.answer(offer).is_ok() => leg.sound.take_answer(),
            Some(_) => {
                self.engine.sip.refuse_reoffer(now.mono, invite, Status::NOT_ACCEPTABLE_HERE);
                return;
            }
        };
        self.engine.sip.answer_reoffer(now.mono, invite, answer);
        self.agree(seat);
    }

    /// A call stands.
    pub(super) fn up(&mut self, now: Now, seat: Seat) {
        if let Some(leg) = self.places.get_mut(seat) {
            leg.answered = Some((now.mono, arrival_clock(now)));
            // Its sound was heard before its answer was read.
            if matches!(leg.part, Part::Caller { .. }) && leg.ear.stream.is_some() {
                self.gauges.first_sound.record(Duration::ZERO);
            }
        }
        self.agree(seat);
    }

    /// Sound goes where it was agreed, as it was agreed.
    fn agree(&mut self, seat: Seat) {
        let Some(leg) = self.places.get_mut(seat) else { return };
        let Some(remote) = leg.sound.remote() else { return };
        let SocketAddr::V4(to) = remote.rtp else { return };
        let event = remote.event_out.map(|e| (e.payload_type, e.clock_hz));
        let before = leg.mouth.to;
        leg.mouth.agree(Some(to).filter(|_| remote.send), (remote.codec, remote.payload_type), event);
        self.engine.leave(seat.place, before);
        self.engine.agree(seat.place, to);
    }

    fn on_ended(&mut self, now: Now, invite: InviteId, why: EndReason) {
        let Some(seat) = self.of_invite.remove(&invite) else { return };
        // What came before the end is heard; what cannot be read now cannot be read by the loop either, which says so.
        self.hear(Some(seat.place)).ok();
        let Some(leg) = self.places.leave(now.mono, seat) else { return };
        self.engine.leave(seat.place, leg.mouth.to);
        let way = self.way();
        if let Some(stream) = &leg.ear.stream {
            self.gauges.sound.add(stream, way);
        }
        match leg.part {
            Part::Caller { .. } => {
                let call = leg.sip_call_id.clone();
                self.caller_left(now.mono, leg, why);
                // What a BYE still waits for is kept under its own name.
                if let Some(tap) = &mut self.engine.tap {
                    tap.forget(&call);
                }
            }
            Part::Agent { .. } | Part::Service { .. } | Part::Party { .. } => {
                match leg.part {
                    Part::Party { agent, .. } => self.party_left(now, seat, agent),
                    _ => self.agent_left(now, &leg, why),
                }
                if let Some(tap) = &mut self.engine.tap {
                    tap.forget(&leg.sip_call_id);
                }
            }
        }
    }
}
