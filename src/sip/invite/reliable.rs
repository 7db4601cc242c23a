//! Reliable provisional responses, RFC 3262, at the side that sends them: sent again until their PRACK comes, one after
//! the other; offers and answers in them and in the PRACK.
//!
//! ```text
//! none --180/183 with RSeq--> sent again after T1, 2 T1, 4 T1 ... --PRACK--> none
//!                                                                 --64*T1--> 504 to the INVITE
//! ```
//!
//! Invariant: no 2xx is sent while a reliable provisional with SDP, or an offer in a PRACK, waits for its answer.
use std::time::Duration;

use super::server::Arrived;
use super::table::{Happening, State};
use super::{Cargo, Invite, Opening, offer_in};
use crate::base::Instant;
use crate::sip::event::{EndReason, SipEvent};
use crate::sip::lex;
use crate::sip::message::{Method, Request, Response, Status, method_text};
use crate::sip::name::HeaderName;
use crate::sip::station::{InviteTimer, Station};

/// How far offer and answer of the opening INVITE are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// Nothing was said reliably: the 2xx will say it.
    Open,
    /// Our answer is in a reliable provisional without PRACK yet.
    Answered,
    /// Our offer is in one; its answer comes in the PRACK.
    Offered,
    /// Both sides know; the 2xx says nothing.
    Done,
}

/// A provisional of ours without PRACK.
#[derive(Clone, Debug)]
struct Pending {
    response: Response,
    interval: Duration,
    has_sdp: bool,
}

/// Reliable provisionals of one INVITE.
#[derive(Clone, Debug)]
pub(super) struct Reliable {
    /// The `RSeq` of the latest.
    number: u32,
    pending: Option<Pending>,
    /// What is to be said after its PRACK; the last wish wins, SDP is kept.
    waiting: Option<(Status, Option<Vec<u8>>)>,
    /// Our 200, which must wait.
    answer: Option<Vec<u8>>,
    agreement: Agreement,
}

/// `RAck`, RFC 3262 section 7.2: the `RSeq` and the `CSeq` of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RAck {
    number: u32,
    /// `None`: the response was not to an INVITE.
    invite: Option<u32>,
}

impl RAck {
    fn of(prack: &Request) -> Option<Self> {
        let mut parts = prack.headers.get(HeaderName::RAck)?.split(lex::is_lws).filter(|p| !p.is_empty());
        let (number, cseq): (_, u32) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let invite = (parts.next()? == method_text(Method::Invite)).then_some(cseq);
        parts.next().is_none().then_some(Self { number, invite })
    }
}

impl Reliable {
    fn is_awaited(&self, rack: RAck, invite: &Request) -> bool {
        self.pending.is_some()
            && self.number == rack.number
            && invite.cseq().is_some_and(|cseq| Some(cseq.number) == rack.invite)
    }
    /// A provisional with SDP waits for its PRACK.
    fn holds_answer(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.has_sdp)
    }
}

impl Invite {
    /// How far offer and answer of the INVITE are.
    pub(super) fn agreement(&self) -> Agreement {
        self.reliable.as_ref().map_or(Agreement::Open, |reliable| reliable.agreement)
    }

    /// Whether a provisional must or should be reliable: the peer requires it, or it matters and the peer can.
    pub(super) fn wants_reliable(&self, has_sdp: bool) -> bool {
        let Opening::Incoming { request, .. } = &self.opening else { return false };
        request.headers.lists(HeaderName::Require, "100rel")
            || (has_sdp && request.headers.lists(HeaderName::Supported, "100rel"))
    }

    /// 180 or 183 that the peer acknowledges.
    pub(super) fn provide_reliably(
        &mut self,
        station: &mut Station,
        now: Instant,
        (status, sdp): (Status, Option<Vec<u8>>),
    ) {
        let Opening::Incoming { tx, request, .. } = &self.opening else { return };
        let (tx, request) = (*tx, std::sync::Arc::clone(request));
        let first = 1 + u32::try_from(station.rng.below(1 << 30)).unwrap_or(0);
        let reliable = self.reliable.get_or_insert_with(|| {
            let agreement = Agreement::Open;
            Box::new(Reliable { number: first, pending: None, waiting: None, answer: None, agreement })
        });
        if reliable.pending.is_some() {
            let kept = reliable.waiting.take().and_then(|(_, sdp)| sdp);
            reliable.waiting = Some((status, sdp.or(kept)));
            return;
        }
        let sdp = sdp.filter(|_| reliable.agreement == Agreement::Open);
        let late = request.body.is_empty();
        if late && sdp.is_none() && reliable.agreement == Agreement::Open {
            // The first reliable response to an INVITE without offer must hold ours (section 5): the 100 says enough.
            return;
        }
        reliable.number = reliable.number.saturating_add(1);
        if sdp.is_some() {
            reliable.agreement = if late { Agreement::Offered } else { Agreement::Answered };
        }
        let (number, has_sdp) = (reliable.number, sdp.is_some());
        let mut response = self.dialog_response(station, &request, status);
        response.headers.push(HeaderName::Require, "100rel");
        response.headers.push(HeaderName::RSeq, number.to_string());
        if let Some(sdp) = sdp {
            self.remember(&sdp);
            response = response.with_body("application/sdp", sdp);
        }
        station.transactions.respond(now, tx, response.clone());
        self.await_prack(station, now, Pending { response, interval: station.timing.t1, has_sdp });
    }

    fn await_prack(&mut self, station: &mut Station, now: Instant, pending: Pending) {
        station.timers.set(self.timer(InviteTimer::ReliableAgain), now + pending.interval);
        station.timers.set(self.timer(InviteTimer::PrackMissing), now + station.timing.timeout());
        self.show_again_later(station, now);
        if let Some(reliable) = self.reliable.as_mut() {
            reliable.pending = Some(pending);
        }
    }

    /// No PRACK came yet: the same response again, after twice the time, section 3.
    pub(super) fn provide_again(&mut self, station: &mut Station, now: Instant) {
        let timer = self.timer(InviteTimer::ReliableAgain);
        let Opening::Incoming { tx, .. } = &self.opening else { return };
        let Some(pending) = self.reliable.as_mut().and_then(|r| r.pending.as_mut()) else { return };
        station.transactions.respond(now, *tx, pending.response.clone());
        pending.interval = pending.interval.saturating_mul(2);
        station.timers.set(timer, now + pending.interval);
    }

    /// None came at all: section 3 ends the INVITE.
    pub(super) fn miss_prack(&mut self, station: &mut Station, now: Instant) {
        station.counts.pracks_missing += 1;
        let cargo = Cargo { status: Status::SERVER_TIMEOUT, why: EndReason::PrackTimeout, ..Cargo::new(now) };
        self.happen(station, Happening::Refuse, cargo);
    }

    /// The INVITE has its final response: nothing is sent again; a PRACK that is under way is still welcome.
    pub(super) fn stop_providing(&mut self, station: &mut Station) {
        station.timers.clear(&self.timer(InviteTimer::ProvisionalAgain));
        if let Some(reliable) = self.reliable.as_mut() {
            (reliable.waiting, reliable.answer) = (None, None);
            station.timers.clear(&self.timer(InviteTimer::ReliableAgain));
            station.timers.clear(&self.timer(InviteTimer::PrackMissing));
        }
    }

    /// Keeps our 200 back while it must wait; hands back what need not.
    pub(super) fn hold_answer(&mut self, sdp: Vec<u8>) -> Option<Vec<u8>> {
        let is_asked = self.reoffer.is_asked();
        match self.reliable.as_mut() {
            Some(reliable) if self.state == State::Proceeding && (is_asked || reliable.holds_answer()) => {
                reliable.answer = Some(sdp);
                None
            }
            Some(_) | None => Some(sdp),
        }
    }

    /// Sends the 200 that waited, if it may go now.
    pub(super) fn resume_answer(&mut self, station: &mut Station, now: Instant) {
        if let Some(sdp) = self.reliable.as_mut().and_then(|reliable| reliable.answer.take()) {
            self.answer(station, now, sdp);
        }
    }

    /// A PRACK within the dialog, section 3: 481 unless it names the response that waits for it.
    pub(super) fn handle_prack(&mut self, station: &mut Station, now: Instant, arrived: Arrived) {
        let Arrived { tx, request, .. } = &arrived;
        let Some(rack) = RAck::of(request) else {
            return station.refuse(now, *tx, request, Status::BAD_REQUEST);
        };
        let invite = self.opening_request();
        let awaited = self.reliable.as_ref().is_some_and(|reliable| reliable.is_awaited(rack, invite));
        if !awaited {
            return station.refuse(now, *tx, request, Status::NO_SUCH_TRANSACTION);
        }
        let sdp = match offer_in(station, request) {
            Ok(sdp) => sdp,
            Err(response) => return station.respond_tagged(now, *tx, *response),
        };
        match (self.agreement(), sdp) {
            // It owes us an answer.
            (Agreement::Offered, None) => station.refuse(now, *tx, request, Status::BAD_REQUEST),
            (Agreement::Offered, Some(answer)) => {
                station.refuse(now, *tx, request, Status::OK);
                self.settle_provisional(station);
                station.report(SipEvent::EarlyAnswer { invite: self.id, sdp: answer });
                self.resume_providing(station, now);
            }
            // We owe it one: its offer comes too early.
            (Agreement::Open, Some(_)) => self.ask_to_retry(station, now, *tx, request),
            (Agreement::Answered | Agreement::Done, Some(offer)) => {
                if self.reoffer.is_busy() {
                    return self.ask_to_retry(station, now, *tx, request);
                }
                self.settle_provisional(station);
                self.take_offer(station, arrived, offer);
                self.resume_providing(station, now);
            }
            (Agreement::Open | Agreement::Answered | Agreement::Done, None) => {
                station.refuse(now, *tx, request, Status::OK);
                self.settle_provisional(station);
                self.resume_providing(station, now);
            }
        }
    }

    /// The provisional has its PRACK.
    fn settle_provisional(&mut self, station: &mut Station) {
        station.timers.clear(&self.timer(InviteTimer::ReliableAgain));
        station.timers.clear(&self.timer(InviteTimer::PrackMissing));
        let Some(reliable) = self.reliable.as_mut() else { return };
        let had_sdp = reliable.pending.take().is_some_and(|pending| pending.has_sdp);
        if had_sdp {
            reliable.agreement = Agreement::Done;
        }
    }

    /// What waited for the PRACK.
    fn resume_providing(&mut self, station: &mut Station, now: Instant) {
        self.resume_answer(station, now);
        let waiting = self.reliable.as_mut().and_then(|reliable| reliable.waiting.take());
        if let Some(waiting) = waiting.filter(|_| self.state == State::Proceeding) {
            self.provide_reliably(station, now, waiting);
        }
        self.resume_reoffer(station, now);
    }
}
