//! SIP's and sound's events become inputs of the exchange.
use std::net::SocketAddr;
use std::sync::Arc;

use super::keys::{KeyWay, Press};
use super::legs::{NodeLeg, Progress, Reoffer};
use super::machine::Node;
use super::output::NodeOutput;
use super::sound::LegSound;
use super::status;
use super::trunks::Way;
use crate::base::{AgentId, Key, LegId, PlayId};
use crate::exchange::{Arrival, Cause, Input, Peer};
use crate::media::{KeySource, MediaCommand, MediaEvent};
use crate::sip::{
    ConnId, EndReason, ForkId, Incoming, InviteId, Located, LookupId, SipEvent, Source, Status,
};

impl Node {
    pub(super) fn on_sip_event(&mut self, event: SipEvent) {
        match event {
            SipEvent::Incoming(incoming) => self.on_incoming(&incoming),
            SipEvent::Acknowledged { invite, sdp } => {
                self.guard.is_settled(invite);
                self.on_acknowledged(invite, sdp.as_deref());
            }
            SipEvent::Progress { invite, status, sdp } => self.on_progress(invite, status, sdp.as_deref()),
            SipEvent::Answered { invite, sdp } => self.on_answered(invite, sdp.as_deref()),
            SipEvent::Failed { invite, status, contacts, retry_after } => {
                self.put_off(invite, status, retry_after);
                self.on_failed(invite, status, &contacts);
            }
            SipEvent::EarlyAnswer { invite, sdp } => self.on_early_answer(invite, &sdp),
            SipEvent::EarlyOffer { invite, fork, offer } => self.on_early_offer((invite, fork), &offer),
            SipEvent::Refreshed { invite, sdp } => self.on_refreshed(invite, &sdp),
            SipEvent::OfferWanted { invite } => {
                if let Some((leg, _)) = self.legs.of_invite(invite) {
                    self.reoffer(leg);
                }
            }
            SipEvent::Reoffer { invite, offer } => self.on_reoffer(invite, offer.as_deref()),
            SipEvent::ReofferAnswered { invite, sdp } => self.on_reoffer_answered(invite, sdp.as_deref()),
            SipEvent::ReofferRefused { invite, .. } => {
                self.figures.reoffers_refused += 1;
                self.reoffer_over(invite);
            }
            SipEvent::Key { invite, key, .. } => match self.legs.of_invite(invite).map(|(leg, _)| leg) {
                Some(leg) => self.on_key(leg, KeyWay::Info, key, None),
                None => self.figures.stray_events += 1,
            },
            SipEvent::Ended { invite, why } => {
                self.guard.is_settled(invite);
                self.on_ended(invite, why);
            }
            SipEvent::DigestRefused { from, conn } => self.on_wrong_password(from, conn),
            SipEvent::Registered { user, .. } => {
                self.phone_bound(&user);
                self.reachable(&user, true);
            }
            SipEvent::Renewed { user } => {
                let turn = self.phone_bound(&user);
                self.on_phone(turn);
            }
            SipEvent::FlowLost { user } => self.phones.doubt(self.now().mono, &AgentId::new(user)),
            SipEvent::Unregistered { user } => {
                self.phones.unbound(&AgentId::new(user.as_str()));
                self.reachable(&user, false);
            }
            SipEvent::Referred { invite, referral } => self.on_referred(invite, referral),
            SipEvent::OptionsAnswered { request, status } => {
                let now = self.now().mono;
                self.trunks.handle_options(now, request, status);
                let turn = self.phones.answered(now, request, status);
                self.on_phone(turn);
            }
            SipEvent::Probed { invite, answered } => self.on_probed(invite, answered),
            SipEvent::RegistrationChanged { id, registered, status } => {
                self.trunks.handle_registration(&mut self.sip, (id, registered), status);
            }
            SipEvent::Located { lookup, found } => self.on_located(lookup, &found),
        }
    }

    pub(super) fn on_media_event(&mut self, event: &MediaEvent) {
        match *event {
            MediaEvent::Key { leg, key, source: KeySource::Event, play } => {
                self.on_key(leg, KeyWay::Event, key, play);
            }
            MediaEvent::Key { leg, key, source: KeySource::Inband, play } => {
                self.figures.keys_inband += 1;
                self.on_key(leg, KeyWay::Inband, key, play);
            }
            MediaEvent::PromptEnded { leg, play } => self.input(Input::PromptEnded { leg, play }),
            MediaEvent::SoundLost { leg } => self.on_quiet(leg),
            MediaEvent::SoundBack { leg } => self.on_sound_back(leg),
            MediaEvent::Reported { leg } => self.on_reported(leg),
            MediaEvent::SoundStarted { leg } => tracing::debug!(%leg, "sound comes in"),
            MediaEvent::Closed { leg, figures, .. } => {
                let call = self.ended_calls.remove(&leg);
                self.outputs.push_back(NodeOutput::LegSound { leg, call, figures });
            }
        }
    }

    /// Who guesses on is not heard any more.
    fn on_wrong_password(&mut self, from: SocketAddr, conn: Option<ConnId>) {
        let now = self.now();
        let is_trunk = self.trunks.owner_of(now.mono, from).is_some();
        if is_trunk || !self.guard.wrong_password(now, from.ip()) {
            return;
        }
        tracing::warn!(address = %from.ip(), "shut out: too many wrong passwords");
        self.figures.shut_out += 1;
        self.closes.extend(conn);
        let bans = self.guard.bans(now);
        self.outputs.push_back(NodeOutput::Bans(bans));
    }

    fn on_incoming(&mut self, incoming: &Incoming) {
        let (invite, now) = (incoming.invite, self.now().mono);
        // Whoever says he is an agent must prove it, whatever he dials.
        if incoming.claims_account && incoming.authenticated.is_none() {
            self.sip.challenge(now, invite);
            return;
        }
        self.figures.arrived += 1;
        let peer = self.peer(incoming);
        let replaced = match self.leg_to_replace(incoming, &peer) {
            Ok(replaced) => replaced,
            Err(status) => return self.sip.reject(now, invite, status, None),
        };
        if peer == Peer::Stranger && !self.guard.admits(incoming.source.remote.ip()) {
            self.figures.half_open += 1;
            self.sip.reject(now, invite, status::refusal(Cause::Overload), Some(self.settings.retry_after_s));
            return;
        }
        if let Peer::Trunk(trunk) = &peer
            && !self.trunks.admit(now, trunk, Way::In)
        {
            self.sip.reject(now, invite, status::refusal(Cause::Overload), Some(self.settings.retry_after_s));
            return;
        }
        let taken = self.take_in(incoming, peer.clone(), replaced);
        if let (Peer::Trunk(trunk), None) = (&peer, taken) {
            self.trunks.release(trunk, Way::In);
        }
    }

    /// The leg of an INVITE; `None`: it was refused.
    fn take_in(&mut self, incoming: &Incoming, peer: Peer, replaced: Option<LegId>) -> Option<LegId> {
        let (invite, now) = (incoming.invite, self.now().mono);
        let Some(port) = self.ports.take() else {
            self.figures.no_port += 1;
            self.sip.reject(now, invite, status::refusal(Cause::Overload), Some(self.settings.retry_after_s));
            return None;
        };
        let mut sound = self.sound_for(incoming.source.listener, port);
        sound.signalled_from(incoming.source.remote.ip());
        if let Some(offer) = &incoming.offer
            && let Err(refusal) = sound.answer(offer)
        {
            tracing::debug!(%refusal, "an offer was refused");
            self.figures.sdp_refused += 1;
            self.ports.offer(port);
            self.sip.reject(now, invite, status::refusal(Cause::NoCommonCodec), None);
            return None;
        }
        self.guard.begins(invite, incoming.source.remote.ip());
        let leg = self.new_leg();
        self.outputs.push_back(NodeOutput::Media(MediaCommand::Open { leg, port }));
        let mut node_leg = NodeLeg::new(invite, incoming.sip_call_id.clone(), Progress::Arrived, sound);
        let Source { listener, remote, conn, .. } = incoming.source;
        node_leg.flow = conn.map(|_| (listener, remote));
        if let Peer::Trunk(trunk) = &peer {
            node_leg.trunk = Some((trunk.clone(), Way::In));
        }
        self.legs.insert(leg, node_leg);
        let arrival = Arrival {
            dialled: incoming.request_user.clone(),
            caller: incoming.from.user.clone(),
            caller_name: incoming.from.display.clone(),
            vouched: self.vouched(incoming, &peer),
            peer,
        };
        self.input(match replaced {
            Some(old) => Input::LegReplaced { old, new: leg, arrival },
            None => Input::LegArrived { leg, arrival },
        });
        Some(leg)
    }

    fn peer(&self, incoming: &Incoming) -> Peer {
        if let Some(user) = &incoming.authenticated {
            return Peer::Agent(AgentId::new(user.as_str()));
        }
        let trunk = self.trunks.owner_of(self.now().mono, incoming.source.remote);
        trunk.map_or(Peer::Stranger, |id| Peer::Trunk(id.clone()))
    }

    /// A look-up is over.
    fn on_located(&mut self, lookup: LookupId, found: &Located) {
        let now = self.now().mono;
        self.trunks.handle_located(now, &mut self.sip, (lookup, found));
        while let Some((to, name)) = self.trunks.poll_tls_name() {
            self.outputs.push_back(NodeOutput::TlsName { to, name });
        }
    }

    /// The ACK to our 200: brings the answer when the offer was ours.
    fn on_acknowledged(&mut self, invite: InviteId, sdp: Option<&[u8]>) {
        let now = self.now().mono;
        let Some((leg, node_leg)) = self.legs.of_invite(invite) else { return };
        let is_news = node_leg.sound.acknowledge();
        if !std::mem::take(&mut node_leg.late_offer) {
            if is_news {
                self.tell_remote(leg);
            }
            return;
        }
        let Some(sdp) = sdp else { return self.end_leg(leg, Cause::ProtocolError) };
        match node_leg.sound.accept(sdp) {
            Ok(()) => {
                // An offer of ours that waits meanwhile is older than this agreement: say it anew.
                if node_leg.reoffer != Reoffer::No {
                    let again = node_leg.sound.offer();
                    self.sip.reoffer(now, invite, again);
                }
                self.sound_agreed(leg);
            }
            Err(refusal) => self.no_sound(leg, &refusal),
        }
    }

    fn on_progress(&mut self, invite: InviteId, status: Status, sdp: Option<&[u8]>) {
        let Some((leg, node_leg)) = self.legs.of_invite(invite) else { return };
        if node_leg.ending.is_some() {
            return;
        }
        // Early media that we cannot use is no reason to give up: the answer may be better.
        let early_sound = sdp.is_some_and(|sdp| node_leg.sound.accept_early(sdp).is_ok());
        if early_sound {
            self.tell_remote(leg);
        }
        if status.code() >= 180 {
            self.route_rings(leg);
            self.input(Input::LegRinging { leg, early_sound });
        }
    }

    fn on_answered(&mut self, invite: InviteId, sdp: Option<&[u8]>) {
        let Some((leg, _)) = self.legs.of_invite(invite) else { return };
        self.legs.stop_ring_timer(leg);
        self.route_answered(leg);
        let Some((leg, node_leg)) = self.legs.of_invite(invite) else { return };
        let accepted = match sdp {
            // Agreed before the answer, by a reliable provisional or an UPDATE after it.
            None if node_leg.sound.remote().is_some() => {
                node_leg.sound.forget_offer();
                Ok(())
            }
            sdp => node_leg.sound.accept(sdp.unwrap_or_default()),
        };
        match accepted {
            Ok(()) => {
                node_leg.progress = Progress::Up;
                node_leg.calling = None;
                if let Some(agent) = node_leg.agent.clone() {
                    self.phone_rings(&agent, false);
                }
                self.tell_remote(leg);
                self.watch(leg);
                self.input(Input::LegAnswered { leg });
                self.tell_hold(leg);
            }
            Err(refusal) => self.no_sound(leg, &refusal),
        }
    }

    /// The answer to the offer in our 183, before we answer.
    fn on_early_answer(&mut self, invite: InviteId, sdp: &[u8]) {
        let Some((leg, node_leg)) = self.legs.of_invite(invite) else { return };
        match node_leg.sound.accept(sdp) {
            Ok(()) => {
                (node_leg.agreed_early, node_leg.late_offer) = (true, false);
                self.tell_remote(leg);
            }
            Err(refusal) => self.no_sound(leg, &refusal),
        }
    }

    /// A phone that rings offers; ours was not asked for.
    fn on_early_offer(&mut self, (invite, fork): (InviteId, ForkId), offer: &[u8]) {
        let now = self.now().mono;
        let Some((leg, node_leg)) = self.legs.of_invite(invite) else { return };
        match node_leg.sound.answer(offer) {
            Ok(()) => {
                let ours = node_leg.sound.take_answer();
                self.sip.answer_early(now, invite, fork, ours);
                self.tell_remote(leg);
            }
            Err(refusal) => self.no_sound(leg, &refusal),
        }
    }

    /// We repeated what we said last, and the peer answered: mostly what it said last, too. What we cannot use changes
    /// nothing, and where an offer of ours waits, its answer counts.
    fn on_refreshed(&mut self, invite: InviteId, sdp: &[u8]) {
        let Some((leg, node_leg)) = self.legs.of_invite(invite) else { return };
        if node_leg.reoffer == Reoffer::No && node_leg.sound.accept_again(sdp).is_ok() {
            self.sound_agreed(leg);
        }
    }

    fn on_reoffer(&mut self, invite: InviteId, offer: Option<&[u8]>) {
        let now = self.now().mono;
        let Some((leg, node_leg)) = self.legs.of_invite(invite) else { return };
        match offer.map(|offer| node_leg.sound.answer(offer)) {
            // A re-INVITE without an offer wants ours; its answer comes in the ACK.
            None => {
                node_leg.late_offer = true;
                let ours = node_leg.sound.offer();
                self.sip.answer_reoffer(now, invite, ours);
            }
            Some(Ok(())) => {
                let ours = node_leg.sound.take_answer();
                node_leg.agreed_early |= node_leg.progress == Progress::Arrived;
                self.sip.answer_reoffer(now, invite, ours);
                // An offer of ours that waits out a glare would be older than this answer: say it anew.
                if node_leg.reoffer != Reoffer::No {
                    let again = node_leg.sound.offer();
                    self.sip.reoffer(now, invite, again);
                }
                self.sound_agreed(leg);
                self.signalling_heard(leg);
            }
            Some(Err(refusal)) => {
                tracing::debug!(%leg, %refusal, "a new offer was refused; what was agreed holds");
                self.figures.sdp_refused += 1;
                self.sip.refuse_reoffer(now, invite, status::refusal(Cause::NoCommonCodec));
            }
        }
    }

    fn on_reoffer_answered(&mut self, invite: InviteId, sdp: Option<&[u8]>) {
        let Some((leg, node_leg)) = self.legs.of_invite(invite) else { return };
        match node_leg.sound.accept(sdp.unwrap_or_default()) {
            Ok(()) => {
                self.sound_agreed(leg);
                self.reoffer_over(invite);
            }
            Err(refusal) => self.no_sound(leg, &refusal),
        }
    }

    /// A re-INVITE of ours is over; send the next one if something changed meanwhile.
    fn reoffer_over(&mut self, invite: InviteId) {
        let Some((leg, node_leg)) = self.legs.of_invite(invite) else { return };
        node_leg.sound.forget_offer();
        if std::mem::replace(&mut node_leg.reoffer, Reoffer::No) == Reoffer::Again {
            self.reoffer(leg);
        }
    }

    /// Both sides agreed, first or anew.
    fn sound_agreed(&mut self, leg: LegId) {
        self.tell_remote(leg);
        self.tell_hold(leg);
        self.look_at_hold(leg);
    }

    /// Tells the exchange when the far end holds us now, or no longer.
    fn tell_hold(&mut self, leg: LegId) {
        let Some(node_leg) = self.legs.get_mut(leg) else { return };
        let held = node_leg.sound.held_by_peer();
        if held != node_leg.held_by_peer && node_leg.progress == Progress::Up {
            node_leg.held_by_peer = held;
            self.input(Input::LegHeld { leg, held });
        }
    }

    pub(super) fn tell_remote(&mut self, leg: LegId) {
        if let Some(remote) = self.legs.get(leg).and_then(|l| l.sound.remote()) {
            self.outputs.push_back(NodeOutput::Media(MediaCommand::Remote { leg, remote: Box::new(remote) }));
        }
    }

    fn no_sound(&mut self, leg: LegId, refusal: &dyn std::fmt::Display) {
        tracing::debug!(%leg, %refusal, "an answer was refused");
        self.figures.sdp_refused += 1;
        self.end_leg(leg, Cause::NoCommonCodec);
    }

    fn on_ended(&mut self, invite: InviteId, why: EndReason) {
        let Some((leg, _)) = self.legs.of_invite(invite) else {
            // A challenged INVITE, or one refused before it became a leg.
            return;
        };
        let unanswered =
            matches!(why, EndReason::Refused | EndReason::RequestTimeout | EndReason::TransportLost);
        if unanswered && self.ring_next(leg) {
            return;
        }
        let Some(gone) = self.legs.remove(leg) else { return };
        self.outputs.push_back(NodeOutput::Media(MediaCommand::Close { leg }));
        if let Some((token, _)) = gone.secret {
            self.outputs.push_back(NodeOutput::SecretOver { token });
        }
        if let Some((trunk, way)) = &gone.trunk {
            self.trunks.release(trunk, *way);
        }
        if let Some(call) = gone.call {
            self.ended_calls.insert(leg, call);
        }
        if let Some(agent) = &gone.agent {
            self.phone_over(agent, gone.progress, why);
        }
        let cause = gone.ending.unwrap_or_else(|| status::ended(why));
        self.input(Input::LegEnded { leg, cause });
    }

    fn on_key(&mut self, leg: LegId, way: KeyWay, key: Key, play: Option<PlayId>) {
        let now = self.now().mono;
        let Some(node_leg) = self.legs.get_mut(leg) else {
            self.figures.stray_events += 1;
            return;
        };
        match node_leg.keys.take(now, way, key) {
            Press::New => {}
            Press::Twin => {
                self.figures.keys_twice += 1;
                return;
            }
            Press::Flood => {
                self.figures.keys_flooded += 1;
                return;
            }
        }
        match (&mut node_leg.secret, key.digit()) {
            (Some((token, length)), Some(_)) => {
                *length = length.saturating_add(1);
                let (token, length) = (*token, *length);
                self.outputs.push_back(NodeOutput::SecretDigit { token, key });
                self.input(Input::SecretDigit { leg, token, length });
            }
            (Some(_), None) | (None, _) => self.input(Input::Key { leg, key, play }),
        }
    }

    /// A leg of an agent's phone is over. Before the caller looks for another agent, it is known whether this one can be
    /// rung; after a talk it is asked, before the next caller is given to it.
    fn phone_over(&mut self, agent: &AgentId, progress: Progress, why: EndReason) {
        let now = self.now().mono;
        self.phones.rings(now, agent, false);
        match why {
            EndReason::TransportLost | EndReason::RequestTimeout if progress == Progress::Ringing => {
                let turn = self.phones.is_gone(now, agent);
                self.on_phone(turn);
            }
            EndReason::ByeReceived => {}
            EndReason::Cancelled
            | EndReason::Rejected
            | EndReason::Challenged
            | EndReason::EndedByUs
            | EndReason::Refused
            | EndReason::AckTimeout
            | EndReason::RequestTimeout
            | EndReason::TransportLost
            | EndReason::ProtocolError
            | EndReason::PrackTimeout
            | EndReason::SessionExpired => self.phones.doubt(now, agent),
        }
    }

    /// An agent's phone registered.
    fn phone_bound(&mut self, user: &str) -> super::phones::Turn {
        let agent = AgentId::new(user);
        if !self.menus.acd.agents.contains_key(&agent) {
            return super::phones::Turn::None;
        }
        self.phones.bound(self.now().mono, &agent)
    }

    fn reachable(&mut self, user: &str, reachable: bool) {
        let agent = AgentId::new(user);
        if self.menus.acd.agents.contains_key(&agent) {
            self.input(Input::AgentReachable { agent, reachable });
        }
    }

    /// A leg's sound on `port`, told to peers of `listener` under the address they can reach.
    pub(super) fn sound_for(&mut self, listener: crate::sip::ListenerId, port: u16) -> LegSound {
        let loopback = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        let address = self.settings.media_addresses.get(&listener).copied().unwrap_or(loopback);
        let number = self.rng.next_u64() >> 2;
        let mut sound = LegSound::new(address, port, &self.settings.codecs, number)
            .keep_from(Arc::clone(&self.settings.own_addresses));
        if let Some(policy) = self.settings.srtp.get(&listener) {
            sound.secure(*policy, &mut self.rng.fork("srtp").fork(&number.to_string()));
        }
        sound
    }
}
