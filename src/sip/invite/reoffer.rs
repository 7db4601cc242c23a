//! Offers within a dialog in both directions: re-INVITE (RFC 3261 section 14) and UPDATE (RFC 3311), for hold, change of
//! codec or address, and to refresh a session (RFC 4028); glare. What only UPDATE needs is in `update.rs`.
//!
//! ```text
//! ours:    Idle --UPDATE or INVITE--> Sent --2xx (ACK)--> Idle     Sent --491--> Glare --2.1-4 s or 0-2 s--> Sent
//! theirs:  Idle --INVITE, or UPDATE or PRACK with an offer--> Asked --200--> Idle, a 200 to an INVITE unacknowledged
//! ```
//!
//! Invariant: at most one offer is in progress in a dialog, in either direction; a wish of ours that comes meanwhile
//! waits, and the last one wins, but that no refresh displaces an offer.
use std::time::Duration;

use super::acknowledge::AnswerSent;
use super::server::Arrived;
use super::table::State;
use super::{Invite, offer_in, sdp_in, too_brief};
use crate::base::Instant;
use crate::sip::event::SipEvent;
use crate::sip::header::Headers;
use crate::sip::message::{Method, Request, Response, Status};
use crate::sip::name::HeaderName;
use crate::sip::station::{ALLOW, InviteTimer, Owner, Role, SUPPORTED, Station};
use crate::sip::transaction::TransactionId;

/// Longest that a peer may tell us to wait before we offer again, in seconds.
const RETRY_AFTER_MAX_S: u32 = 10;

/// What we want of the peer within the dialog.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// A new agreement.
    Offer(Vec<u8>),
    /// The session to go on as it is.
    Refresh,
}

/// A re-INVITE or UPDATE of ours.
#[derive(Clone, Debug)]
struct Sent {
    tx: TransactionId,
    request: Request,
    is_refresh: bool,
}

/// The offer in progress, if any.
#[derive(Clone, Debug, Default)]
enum Progress {
    /// None.
    #[default]
    Idle,
    /// Ours waits for its answer.
    Sent(Box<Sent>),
    /// Ours met one of the peer's and waits to be sent again.
    Glare(Wish),
    /// The peer's waits for our answer.
    Asked { tx: TransactionId, request: Box<Request> },
}

/// Offers within one dialog.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reoffer {
    progress: Progress,
    /// Our next wish, waiting for its turn.
    wanted: Option<Wish>,
}

impl Sent {
    fn into_wish(self) -> Wish {
        if self.is_refresh { Wish::Refresh } else { Wish::Offer(self.request.body) }
    }
}

impl Reoffer {
    /// Ours that waits for its answer.
    pub(super) fn sent(&self) -> Option<&Request> {
        match &self.progress {
            Progress::Sent(sent) => Some(&sent.request),
            Progress::Idle | Progress::Glare(_) | Progress::Asked { .. } => None,
        }
    }
    /// The peer's waits for our answer.
    pub(super) const fn is_asked(&self) -> bool {
        matches!(self.progress, Progress::Asked { .. })
    }
    /// Nothing of the peer's can begin.
    pub(super) const fn is_busy(&self) -> bool {
        matches!(self.progress, Progress::Asked { .. } | Progress::Sent(_))
    }
}

impl Invite {
    // Ours.

    /// We want to offer `sdp`.
    pub(crate) fn reoffer(&mut self, station: &mut Station, now: Instant, sdp: Vec<u8>) {
        self.want(station, now, Wish::Offer(sdp));
    }

    pub(super) fn want(&mut self, station: &mut Station, now: Instant, wish: Wish) {
        let waiting = match &mut self.reoffer.progress {
            Progress::Glare(waiting) => Some(waiting),
            Progress::Idle | Progress::Sent(_) | Progress::Asked { .. } => self.reoffer.wanted.as_mut(),
        };
        match (waiting, wish) {
            (Some(_), Wish::Refresh) => {}
            (Some(waiting), offer @ Wish::Offer(_)) => *waiting = offer,
            (None, wish) => self.reoffer.wanted = Some(wish),
        }
        self.resume_reoffer(station, now);
    }

    /// Sends what waits, if its turn has come.
    pub(super) fn resume_reoffer(&mut self, station: &mut Station, now: Instant) {
        if self.reoffer.wanted.is_none() || self.unacked.is_some() {
            return;
        }
        let Some(method) = self.way_to_offer().filter(|_| matches!(self.reoffer.progress, Progress::Idle))
        else {
            return;
        };
        match self.reoffer.wanted.take() {
            Some(Wish::Refresh) if method == Method::Invite && self.last_said().is_empty() => {
                station.report(SipEvent::OfferWanted { invite: self.id });
            }
            Some(wish) => self.send_wish(station, now, method, wish),
            None => {}
        }
    }

    fn send_wish(&mut self, station: &mut Station, now: Instant, method: Method, wish: Wish) {
        let contact = self.contact(station);
        let Some(dialog) = self.dialog_to_offer() else { return };
        let mut request = dialog
            .request(method)
            .with(HeaderName::Contact, contact)
            .with(HeaderName::Allow, ALLOW)
            .with(HeaderName::Supported, SUPPORTED);
        if self.state == State::Confirmed {
            self.ask_to_go_on(station, &mut request.headers);
        }
        let is_refresh = matches!(wish, Wish::Refresh);
        match (wish, method) {
            (Wish::Offer(sdp), _) => request = request.with_body("application/sdp", sdp),
            (Wish::Refresh, Method::Invite) => {
                request = request.with_body("application/sdp", self.last_said());
            }
            (Wish::Refresh, _) => {}
        }
        self.start_reoffer(station, now, request, is_refresh);
    }

    fn start_reoffer(&mut self, station: &mut Station, now: Instant, request: Request, is_refresh: bool) {
        let Some(dialog) = self.dialog_to_offer() else { return };
        let to = station.toward(dialog);
        let (tx, request) = self.start_toward(station, now, (to, Role::ReofferClient), request);
        self.reoffer.progress = Progress::Sent(Box::new(Sent { tx, request, is_refresh }));
    }

    /// A response to a re-INVITE or UPDATE of ours.
    pub(super) fn handle_reoffer_response(
        &mut self,
        station: &mut Station,
        now: Instant,
        response: &Response,
    ) {
        let is_invite = response.cseq().is_some_and(|cseq| cseq.method == Method::Invite);
        if response.status.is_provisional()
            || (response.status.is_success() && is_invite && self.ack_again(station, response))
        {
            return;
        }
        if response.status.is_success() {
            return self.reoffer_accepted(station, now, response, is_invite);
        }
        let Progress::Sent(sent) = std::mem::take(&mut self.reoffer.progress) else { return };
        if self.state.is_live() {
            self.reoffer_refused(station, now, *sent, response);
        }
    }

    fn reoffer_refused(&mut self, station: &mut Station, now: Instant, sent: Sent, response: &Response) {
        let is_update = sent.request.method == Method::Update;
        let status = response.status;
        if status == Status::REQUEST_PENDING {
            let wait = station.glare_wait(self.sent_to().is_some());
            self.wait_out(station, now + wait, sent);
        } else if is_update && status == Status::SERVER_ERROR && retry_after(response).is_some() {
            // The peer has an offer of ours or its own to settle first, RFC 3311 section 5.2.
            let wait = Duration::from_secs(retry_after(response).unwrap_or(0).into());
            let at = now + wait + station.glare_wait(false);
            self.wait_out(station, at, sent);
        } else if is_update && is_not_for_update(status) {
            self.takes_update = Some(false);
            if let Some(fork) = self.forks.first_mut() {
                fork.takes_update = false;
            }
            self.want(station, now, sent.into_wish());
        } else if Self::is_lost(status) {
            self.lose_peer_of(station, now, (&sent, status));
        } else if let Some(again) = self
            .with_longer_interval(&sent.request, response)
            .or_else(|| self.answer_challenge(station, &sent.request, response))
        {
            self.start_reoffer(station, now, again, sent.is_refresh);
        } else if sent.is_refresh {
            self.refresh_later(station, now);
            self.resume_reoffer(station, now);
        } else {
            station.report(SipEvent::ReofferRefused { invite: self.id, status });
            self.resume_reoffer(station, now);
        }
    }

    /// The dialog is lost; before the answer only the offer is, for the INVITE lives on.
    fn lose_peer_of(&mut self, station: &mut Station, now: Instant, (sent, status): (&Sent, Status)) {
        self.lose_peer(station, now);
        if self.state.is_live() && !sent.is_refresh {
            station.report(SipEvent::ReofferRefused { invite: self.id, status });
        }
    }

    /// Ours is sent again at `at`, or a newer wish in its place.
    fn wait_out(&mut self, station: &mut Station, at: Instant, sent: Sent) {
        station.timers.set(self.timer(InviteTimer::Glare), at);
        let wish = match self.reoffer.wanted.take() {
            Some(Wish::Offer(sdp)) => Wish::Offer(sdp),
            Some(Wish::Refresh) | None => sent.into_wish(),
        };
        self.reoffer.progress = Progress::Glare(wish);
    }

    fn reoffer_accepted(
        &mut self,
        station: &mut Station,
        now: Instant,
        response: &Response,
        is_invite: bool,
    ) {
        if is_invite {
            let number = response.cseq().map_or(0, |c| c.number);
            self.acknowledge(station, Role::ReofferClient, number, None);
        }
        if !matches!(self.reoffer.progress, Progress::Sent(_)) || !self.state.is_live() {
            return;
        }
        let Progress::Sent(sent) = std::mem::take(&mut self.reoffer.progress) else { return };
        if let Some(dialog) = self.dialog_to_offer() {
            dialog.refresh_target(response.headers.contact());
        }
        if let Some(digest) = self.digest.as_mut() {
            digest.accepted();
        }
        if self.state == State::Confirmed {
            self.learn_methods(&response.headers);
            // What was asked before the dialog was confirmed says nothing of sessions, and so need not its answer: what
            // the 2xx to the INVITE agreed on since goes on.
            let is_about_it = [&sent.request.headers, &response.headers]
                .iter()
                .any(|headers| headers.get(HeaderName::SessionExpires).is_some());
            if is_about_it {
                self.take_session(station, now, response);
            }
        }
        if !sent.is_refresh {
            // Not before: an offer that is refused was never agreed on.
            self.remember(&sent.request.body);
            self.outdate_answer(response.to_tag().as_deref());
        }
        match (sent.is_refresh, sdp_in(response)) {
            (true, None) => {}
            (true, Some(sdp)) => station.report(SipEvent::Refreshed { invite: self.id, sdp }),
            (false, sdp) => station.report(SipEvent::ReofferAnswered { invite: self.id, sdp }),
        }
        self.resume_reoffer(station, now);
    }

    /// The wait after a glare is over, section 14.1.
    pub(super) fn resume_after_glare(&mut self, station: &mut Station, now: Instant) {
        match std::mem::take(&mut self.reoffer.progress) {
            Progress::Glare(wish) => {
                self.reoffer.wanted = Some(wish);
                self.resume_reoffer(station, now);
            }
            other @ (Progress::Idle | Progress::Sent(_) | Progress::Asked { .. }) => {
                self.reoffer.progress = other;
            }
        }
    }

    /// Ours had no answer, unless that transaction is an older one.
    pub(super) fn miss_answer(&mut self, station: &mut Station, now: Instant, silent: TransactionId) {
        match std::mem::take(&mut self.reoffer.progress) {
            Progress::Sent(sent) if sent.tx == silent => {
                self.lose_peer_of(station, now, (&sent, Status::REQUEST_TIMEOUT));
            }
            other @ (Progress::Idle | Progress::Sent(_) | Progress::Glare(_) | Progress::Asked { .. }) => {
                self.reoffer.progress = other;
            }
        }
    }

    // Theirs.

    /// A re-INVITE of the peer, section 14.2.
    pub(super) fn handle_reinvite(&mut self, station: &mut Station, now: Instant, arrived: Arrived) {
        // An answer of ours that waits for an ACK with SDP, or a re-INVITE of ours: 491.
        let acknowledged = self.presume_acknowledged(station, now);
        let Arrived { tx, request, .. } = &arrived;
        match (&self.reoffer.progress, self.state) {
            (Progress::Asked { .. }, _) | (_, State::Proceeding) => {
                return self.ask_to_retry(station, now, *tx, request);
            }
            (Progress::Sent(_), _) => return station.refuse(now, *tx, request, Status::REQUEST_PENDING),
            (Progress::Idle | Progress::Glare(_), State::Confirmed) if acknowledged => {}
            (Progress::Idle | Progress::Glare(_), State::Answered | State::Confirmed | State::AckWanted) => {
                return station.refuse(now, *tx, request, Status::REQUEST_PENDING);
            }
            (
                Progress::Idle | Progress::Glare(_),
                State::Leaving
                | State::Calling
                | State::Ringing
                | State::CancelHeld
                | State::Cancelling
                | State::Over,
            ) => return station.refuse(now, *tx, request, Status::NO_SUCH_TRANSACTION),
        }
        if let Some(response) = too_brief(station, request) {
            return station.respond_tagged(now, *tx, response);
        }
        let offer = match offer_in(station, request) {
            Ok(offer) => offer,
            Err(response) => return station.respond_tagged(now, *tx, *response),
        };
        if let Some(dialog) = self.dialog.as_mut() {
            dialog.refresh_path(Self::path_of(request, &arrived.source));
        }
        self.learn_methods(&request.headers);
        self.take_request(station, arrived);
        station.report(SipEvent::Reoffer { invite: self.id, offer });
    }

    /// The peer's offer, in an UPDATE or a PRACK, waits for our answer from now on.
    pub(super) fn take_offer(&mut self, station: &mut Station, arrived: Arrived, offer: Vec<u8>) {
        self.take_request(station, arrived);
        station.report(SipEvent::Reoffer { invite: self.id, offer: Some(offer) });
    }

    fn take_request(&mut self, station: &mut Station, arrived: Arrived) {
        let Arrived { tx, request, .. } = arrived;
        station.own(tx, Owner::Invite(self.id, Role::ReofferServer));
        self.open += 1;
        let asked = Progress::Asked { tx, request: Box::new(request) };
        if let Progress::Glare(wish) = std::mem::replace(&mut self.reoffer.progress, asked) {
            // Ours goes out after the peer's is settled.
            station.timers.clear(&self.timer(InviteTimer::Glare));
            self.reoffer.wanted.get_or_insert(wish);
        }
    }

    /// 500 with Retry-After: something of the peer's own must be settled first.
    #[expect(clippy::unused_self, reason = "an answer of this INVITE, as its other ones are")]
    pub(super) fn ask_to_retry(
        &self,
        station: &mut Station,
        now: Instant,
        tx: TransactionId,
        request: &Request,
    ) {
        let mut response = station.response(request, Status::SERVER_ERROR);
        let seconds = station.rng.below(11).to_string();
        response.headers.push(HeaderName::RetryAfter, seconds);
        station.respond_tagged(now, tx, response);
    }

    /// 200 with our answer, or with our offer when the re-INVITE had none.
    pub(crate) fn answer_reoffer(&mut self, station: &mut Station, now: Instant, sdp: Vec<u8>) {
        let Progress::Asked { tx, request } = std::mem::take(&mut self.reoffer.progress) else { return };
        let late = request.body.is_empty();
        let number = request.cseq().map_or(0, |c| c.number);
        self.remember(&sdp);
        let response = self.response_within(station, now, &request).with_body("application/sdp", sdp);
        if request.method == Method::Invite {
            if let Some(dialog) = self.dialog.as_mut() {
                dialog.refresh_target(request.headers.contact());
            }
            return self.await_ack(station, now, AnswerSent::new(tx, number, late, response));
        }
        self.outdate_answer(request.from_tag().as_deref());
        station.transactions.respond(now, tx, response);
        self.resume_answer(station, now);
        self.resume_reoffer(station, now);
    }

    /// A final refusal: what was agreed before still holds.
    pub(crate) fn refuse_reoffer(&mut self, station: &mut Station, now: Instant, status: Status) {
        let Progress::Asked { tx, request } = std::mem::take(&mut self.reoffer.progress) else { return };
        station.refuse(now, tx, &request, status);
        self.resume_answer(station, now);
        self.resume_reoffer(station, now);
    }

    /// The transaction of the peer's is gone.
    pub(super) fn forget_reoffer_of_peer(&mut self, station: &mut Station, now: Instant) {
        if self.reoffer.is_asked() {
            self.reoffer.progress = Progress::Idle;
            self.resume_answer(station, now);
            self.resume_reoffer(station, now);
        }
    }

    /// The dialog ends: the peer's open re-INVITE is refused, ours is not repeated.
    pub(super) fn leave_reoffer(&mut self, station: &mut Station, now: Instant) {
        self.reoffer.wanted = None;
        match std::mem::take(&mut self.reoffer.progress) {
            Progress::Asked { tx, request } => station.refuse(now, tx, &request, Status::REQUEST_TERMINATED),
            // The peer may forget its answer when the BYE comes.
            Progress::Sent(sent) if sent.request.method == Method::Invite => {
                self.forsake(station, now, sent.tx);
            }
            Progress::Glare(_) => station.timers.clear(&self.timer(InviteTimer::Glare)),
            Progress::Idle | Progress::Sent(_) => {}
        }
    }

    // What the peer can, and what we said last.

    /// Which methods the peer takes, as far as it says.
    pub(super) fn learn_methods(&mut self, headers: &Headers) {
        if headers.get(HeaderName::Allow).is_some() {
            self.takes_update = Some(headers.lists(HeaderName::Allow, "UPDATE"));
        }
    }

    /// Keeps what we said while a session wants refreshing, or may do so after the answer.
    pub(super) fn remember(&mut self, sdp: &[u8]) {
        let is_early = matches!(self.state, State::Proceeding | State::Calling | State::Ringing);
        if is_early || self.session.is_some() {
            self.said.clear();
            self.said.extend_from_slice(sdp);
        }
    }

    /// Our latest SDP; the offer of our INVITE if there was none after it.
    fn last_said(&self) -> Vec<u8> {
        if !self.said.is_empty() || self.sent_to().is_none() {
            return self.said.clone();
        }
        self.opening_request().body.clone()
    }
}

/// How long the peer tells us to wait, in seconds.
fn retry_after(response: &Response) -> Option<u32> {
    response.headers.number(HeaderName::RetryAfter).map(|seconds| seconds.min(RETRY_AFTER_MAX_S))
}

/// The peer wants a re-INVITE instead: it knows no UPDATE, or must ask its user (RFC 3311 section 5.2).
fn is_not_for_update(status: Status) -> bool {
    matches!(status, Status::METHOD_NOT_ALLOWED | Status::NOT_IMPLEMENTED | Status::SERVER_TIMEOUT)
}
