//! The third part of the handshake, both sides: our 200 sent again until its ACK comes (RFC 3261 section 13.3.1.4), our
//! ACK sent again for each copy of a 2xx (13.2.2.4), forks beyond the first answer ended.
//!
//! Invariant: a 2xx to an INVITE of ours is always acknowledged, even when nobody wants the call any more.
use std::time::Duration;

use super::table::Happening;
use super::{Cargo, Invite, Opening};
use crate::base::Instant;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Method, Request, Response, Status};
use crate::sip::name::HeaderName;
use crate::sip::station::{InviteTimer, Owner, Role, Station, TimerName};
use crate::sip::transaction::TransactionId;
use crate::sip::transport::Destination;

/// More forks than this are not acknowledged again; they give up by themselves.
const ACKS_KEPT: usize = 8;

/// A 200 of ours that waits for its ACK.
#[derive(Clone, Debug)]
pub(super) struct AnswerSent {
    tx: TransactionId,
    number: u32,
    /// The offer is in the 200, its answer in the ACK.
    late_offer: bool,
    response: Response,
    interval: Duration,
}

impl AnswerSent {
    pub(super) const fn new(tx: TransactionId, number: u32, late_offer: bool, response: Response) -> Self {
        Self { tx, number, late_offer, response, interval: Duration::ZERO }
    }
}

/// An ACK of ours.
#[derive(Clone, Debug)]
pub(super) struct SentAck {
    number: u32,
    tag: Option<String>,
    ack: Request,
    to: Destination,
}

impl Invite {
    // Our 200.

    /// Sends a 200 and keeps sending it.
    pub(super) fn await_ack(&mut self, station: &mut Station, now: Instant, mut answer: AnswerSent) {
        answer.interval = station.timing.t1;
        station.transactions.respond(now, answer.tx, answer.response.clone());
        station.timers.set(self.timer(InviteTimer::AnswerAgain), now + answer.interval);
        station.timers.set(self.timer(InviteTimer::AckMissing), now + station.timing.timeout());
        self.unacked = Some(answer);
    }

    pub(super) fn timer(&self, timer: InviteTimer) -> TimerName {
        TimerName::Invite(self.id, timer)
    }

    pub(super) fn stop_answering(&mut self, station: &mut Station) {
        if self.unacked.take().is_some() {
            station.timers.clear(&self.timer(InviteTimer::AnswerAgain));
            station.timers.clear(&self.timer(InviteTimer::AckMissing));
        }
    }

    /// A timer of this invite fired.
    pub(crate) fn handle_timer(&mut self, station: &mut Station, now: Instant, timer: InviteTimer) {
        match timer {
            InviteTimer::ProvisionalAgain => self.provide(station, now, Status::RINGING, None),
            InviteTimer::AnswerAgain => self.answer_again(station, now),
            InviteTimer::AckMissing => {
                let cargo = Cargo { why: super::EndReason::AckTimeout, ..Cargo::new(now) };
                self.happen(station, Happening::AckMissing, cargo);
            }
            InviteTimer::Forsaken => self.give_up(station, now),
            InviteTimer::Glare => self.resume_after_glare(station, now),
            InviteTimer::Referral => self.end_unfinished_referral(station, now),
            InviteTimer::ReliableAgain => self.provide_again(station, now),
            InviteTimer::PrackMissing => self.miss_prack(station, now),
            InviteTimer::Refresh => self.refresh_session(station, now),
            InviteTimer::SessionOver => self.expire_session(station, now),
        }
    }

    fn answer_again(&mut self, station: &mut Station, now: Instant) {
        let timer = self.timer(InviteTimer::AnswerAgain);
        let Some(answer) = self.unacked.as_mut() else { return };
        station.transactions.respond(now, answer.tx, answer.response.clone());
        answer.interval = answer.interval.saturating_mul(2).min(station.timing.t2);
        station.timers.set(timer, now + answer.interval);
    }

    /// The ACK to a 2xx of ours. Copies and ACKs to something else are ignored.
    pub(crate) fn handle_ack(&mut self, station: &mut Station, now: Instant, ack: &Request) {
        let number = ack.cseq().map(|c| c.number);
        let Some(answer) = self.unacked.as_ref().filter(|a| Some(a.number) == number) else {
            station.counts.strays += 1;
            return;
        };
        let is_sdp = ack.headers.content_type().is_some_and(|t| t.is("application", "sdp"));
        let sdp = (answer.late_offer && is_sdp).then(|| ack.body.clone());
        self.happen(station, Happening::Ack, Cargo { sdp, ..Cargo::new(now) });
        // A name in its Contact is asked for now, so that it is known when we have something to say.
        if let Some(dialog) = &self.dialog {
            station.toward(dialog);
        }
    }

    /// A later request of the peer shows that it has our 200: the ACK is lost or late. `false`: the ACK is needed, for
    /// it holds the peer's answer.
    pub(super) fn presume_acknowledged(&mut self, station: &mut Station, now: Instant) -> bool {
        match &self.unacked {
            Some(answer) if answer.late_offer => false,
            Some(_) => {
                self.happen(station, Happening::Ack, Cargo::new(now));
                true
            }
            None => true,
        }
    }

    /// Our offer is in a 200, and its answer comes in the ACK.
    pub(super) fn awaits_answer_in_ack(&self) -> bool {
        self.unacked.as_ref().is_some_and(|answer| answer.late_offer)
    }

    // Our ACK.

    /// Acknowledges the 2xx at hand, or the one that waited for `ack_with`.
    pub(super) fn ack_response(&mut self, station: &mut Station, cargo: &mut Cargo<'_>) {
        let Opening::Outgoing { request, .. } = &self.opening else { return };
        let number = request.cseq().map_or(0, |c| c.number);
        // In `AckWanted` the cargo's SDP is our answer; else it is the peer's and stays for the report.
        let sdp = if cargo.response.is_none() { cargo.sdp.take() } else { None };
        if let Some(sdp) = &sdp {
            self.remember(sdp);
        }
        self.acknowledge(station, Role::InviteClient, number, sdp);
    }

    /// Sends the ACK to the 2xx of our INVITE with this number, and keeps it.
    pub(super) fn acknowledge(
        &mut self,
        station: &mut Station,
        role: Role,
        number: u32,
        sdp: Option<Vec<u8>>,
    ) {
        let Some(dialog) = &self.dialog else { return };
        let invite = if role == Role::ReofferClient { self.reoffer.sent() } else { None };
        let ack = complete_ack(invite.unwrap_or(self.opening_request()), dialog.ack(number), sdp);
        let to = station.toward(dialog);
        let tag = dialog.remote_tag().map(str::to_owned);
        let ack = station.send_ack(ack, to);
        let sent = SentAck { number, tag, ack, to };
        if role == Role::ReofferClient {
            self.last_reack = Some(sent);
        } else if self.acks.len() < ACKS_KEPT {
            self.acks.push(sent);
        }
    }

    /// A copy of a 2xx that we acknowledged: the same ACK again. `false`: it is none.
    pub(super) fn ack_again(&self, station: &mut Station, response: &Response) -> bool {
        let (tag, number) = (response.to_tag(), response.cseq().map(|c| c.number));
        let sent =
            self.acks.iter().chain(&self.last_reack).find(|a| a.tag == tag && Some(a.number) == number);
        if let Some(sent) = sent {
            station.transactions.send(&sent.ack, sent.to);
        }
        sent.is_some()
    }

    /// A second phone answered our INVITE: ACK and BYE, section 13.2.2.4.
    pub(super) fn end_fork(&mut self, station: &mut Station, now: Instant, response: &Response) {
        if self.acks.len() >= ACKS_KEPT {
            return;
        }
        let Some(path) = self.path_out(station) else { return };
        let early = self.take_fork(response.to_tag().as_deref());
        let Opening::Outgoing { request, .. } = &self.opening else { return };
        let number = request.cseq().map_or(0, |c| c.number);
        let Some(mut fork) = Dialog::of_response(request, response, path) else { return };
        if let Some(early) = early {
            fork.go_on_from(&early.dialog);
        }
        station.counts.forks_ended += 1;
        let destination = station.toward(&fork);
        let ack = station.send_ack(complete_ack(request, fork.ack(number), None), destination);
        self.acks.push(SentAck { number, tag: fork.remote_tag().map(str::to_owned), ack, to: destination });
        let bye = fork.request(Method::Bye);
        station.start(now, bye, destination, Owner::Invite(self.id, Role::Background));
        self.open += 1;
    }
}

/// The ACK carries the credentials of its INVITE (section 22.1) and the answer, if it is due.
fn complete_ack(invite: &Request, mut ack: Request, sdp: Option<Vec<u8>>) -> Request {
    for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
        for value in invite.headers.all(name) {
            ack.headers.push(name, value);
        }
    }
    match sdp {
        Some(sdp) => ack.with_body("application/sdp", sdp),
        None => ack,
    }
}
