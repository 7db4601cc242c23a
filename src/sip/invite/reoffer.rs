//! Re-INVITE in both directions, RFC 3261 section 14: hold, change of codec or address, glare.
//!
//! ```text
//! ours:    Idle --INVITE--> Sent --2xx, ACK--> Idle          Sent --491--> Glare --2.1-4 s or 0-2 s--> Sent
//! theirs:  Idle --INVITE--> Asked --200--> Idle, with our 200 unacknowledged
//! ```
//!
//! Invariant: at most one INVITE is in progress in a dialog, in either direction; a wish of ours that comes meanwhile
//! waits, and the last one wins.
use super::acknowledge::AnswerSent;
use super::server::Arrived;
use super::table::State;
use super::{Invite, offer_in, sdp_in};
use crate::base::Instant;
use crate::sip::event::SipEvent;
use crate::sip::message::{Method, Request, Response, Status};
use crate::sip::name::HeaderName;
use crate::sip::station::{ALLOW, InviteTimer, Owner, Role, SUPPORTED, Station};
use crate::sip::transaction::TransactionId;

/// The re-INVITE in progress, if any.
#[derive(Clone, Debug, Default)]
enum Progress {
    /// None.
    #[default]
    Idle,
    /// Ours waits for its answer.
    Sent { tx: TransactionId, request: Box<Request> },
    /// Ours met one of the peer's and waits to be sent again.
    Glare { sdp: Vec<u8> },
    /// The peer's waits for our answer.
    Asked { tx: TransactionId, request: Box<Request> },
}

/// Re-INVITEs of one dialog.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reoffer {
    progress: Progress,
    /// Our next wish, waiting for its turn.
    wanted: Option<Vec<u8>>,
}

impl Reoffer {
    /// Ours that waits for its answer.
    pub(super) fn sent(&self) -> Option<&Request> {
        match &self.progress {
            Progress::Sent { request, .. } => Some(request),
            Progress::Idle | Progress::Glare { .. } | Progress::Asked { .. } => None,
        }
    }
}

impl Invite {
    // Ours.

    /// We want to offer `sdp`.
    pub(crate) fn reoffer(&mut self, station: &mut Station, now: Instant, sdp: Vec<u8>) {
        match &mut self.reoffer.progress {
            Progress::Glare { sdp: waiting } => *waiting = sdp,
            Progress::Idle | Progress::Sent { .. } | Progress::Asked { .. } => {
                self.reoffer.wanted = Some(sdp);
                self.resume_reoffer(station, now);
            }
        }
    }

    /// Sends the re-INVITE that waits, if its turn has come.
    pub(super) fn resume_reoffer(&mut self, station: &mut Station, now: Instant) {
        let free = matches!(self.reoffer.progress, Progress::Idle) && self.unacked.is_none();
        if self.state != State::Confirmed || !free {
            return;
        }
        if let Some(sdp) = self.reoffer.wanted.take() {
            self.send_reoffer(station, now, sdp);
        }
    }

    fn send_reoffer(&mut self, station: &mut Station, now: Instant, sdp: Vec<u8>) {
        let contact = self.contact(station);
        let Some(dialog) = self.dialog.as_mut() else { return };
        let request = dialog
            .request(Method::Invite)
            .with(HeaderName::Contact, contact)
            .with(HeaderName::Allow, ALLOW)
            .with(HeaderName::Supported, SUPPORTED)
            .with_body("application/sdp", sdp);
        self.start_reoffer(station, now, request);
    }

    fn start_reoffer(&mut self, station: &mut Station, now: Instant, request: Request) {
        if let Some((tx, sent)) = self.start(station, now, request, Role::ReofferClient) {
            self.reoffer.progress = Progress::Sent { tx, request: Box::new(sent) };
        }
    }

    /// A response to a re-INVITE of ours.
    pub(super) fn handle_reoffer_response(
        &mut self,
        station: &mut Station,
        now: Instant,
        response: &Response,
    ) {
        if response.status.is_provisional()
            || (response.status.is_success() && self.ack_again(station, response))
        {
            return;
        }
        if response.status.is_success() {
            return self.reoffer_accepted(station, now, response);
        }
        let Progress::Sent { request, .. } = std::mem::take(&mut self.reoffer.progress) else { return };
        if self.state != State::Confirmed {
            return;
        }
        if response.status == Status::REQUEST_PENDING {
            let wait = station.glare_wait(self.sent_to().is_some());
            station.timers.set(self.timer(InviteTimer::Glare), now + wait);
            let sdp = self.reoffer.wanted.take().unwrap_or(request.body);
            self.reoffer.progress = Progress::Glare { sdp };
        } else if Self::is_lost(response.status) {
            self.lose_peer(station, now);
        } else if let Some(again) = self.answer_challenge(station, &request, response) {
            self.start_reoffer(station, now, again);
        } else {
            station.report(SipEvent::ReofferRefused { invite: self.id, status: response.status });
            self.resume_reoffer(station, now);
        }
    }

    fn reoffer_accepted(&mut self, station: &mut Station, now: Instant, response: &Response) {
        let number = response.cseq().map_or(0, |c| c.number);
        self.acknowledge(station, Role::ReofferClient, number, None);
        let awaited = matches!(self.reoffer.progress, Progress::Sent { .. });
        if !awaited || self.state != State::Confirmed {
            return;
        }
        self.reoffer.progress = Progress::Idle;
        if let Some(dialog) = self.dialog.as_mut() {
            dialog.refresh_target(response.headers.contact());
        }
        if let Some(digest) = self.digest.as_mut() {
            digest.accepted();
        }
        station.report(SipEvent::ReofferAnswered { invite: self.id, sdp: sdp_in(response) });
        self.resume_reoffer(station, now);
    }

    /// The wait after a glare is over, section 14.1.
    pub(super) fn resume_after_glare(&mut self, station: &mut Station, now: Instant) {
        if let Progress::Glare { sdp } = &mut self.reoffer.progress {
            self.reoffer.wanted = Some(std::mem::take(sdp));
            self.reoffer.progress = Progress::Idle;
            self.resume_reoffer(station, now);
        }
    }

    /// Ours had no answer; `false`: that transaction is an older one.
    pub(super) fn forget_reoffer(&mut self, silent: TransactionId) -> bool {
        let ours = matches!(self.reoffer.progress, Progress::Sent { tx, .. } if tx == silent);
        if ours {
            self.reoffer.progress = Progress::Idle;
        }
        ours
    }

    // Theirs.

    /// A re-INVITE of the peer, section 14.2.
    pub(super) fn handle_reinvite(&mut self, station: &mut Station, now: Instant, arrived: Arrived) {
        // An answer of ours that waits for an ACK with SDP, or a re-INVITE of ours: 491.
        let acknowledged = self.presume_acknowledged(station, now);
        let Arrived { tx, request, source } = arrived;
        match (&self.reoffer.progress, self.state) {
            (Progress::Asked { .. }, _) | (_, State::Proceeding) => {
                let mut response = station.response(&request, Status::SERVER_ERROR);
                let seconds = station.rng.below(11).to_string();
                response.headers.push(HeaderName::RetryAfter, seconds);
                return station.respond_tagged(now, tx, response);
            }
            (Progress::Sent { .. }, _) => return station.refuse(now, tx, &request, Status::REQUEST_PENDING),
            (Progress::Idle | Progress::Glare { .. }, State::Confirmed) if acknowledged => {}
            (
                Progress::Idle | Progress::Glare { .. },
                State::Answered | State::Confirmed | State::AckWanted,
            ) => {
                return station.refuse(now, tx, &request, Status::REQUEST_PENDING);
            }
            (
                Progress::Idle | Progress::Glare { .. },
                State::Leaving
                | State::Calling
                | State::Ringing
                | State::CancelHeld
                | State::Cancelling
                | State::Over,
            ) => return station.refuse(now, tx, &request, Status::NO_SUCH_TRANSACTION),
        }
        let offer = match offer_in(station, &request) {
            Ok(offer) => offer,
            Err(response) => return station.respond_tagged(now, tx, *response),
        };
        if let Some(dialog) = self.dialog.as_mut() {
            dialog.refresh_path(Self::path_of(&request, &source));
        }
        station.own(tx, Owner::Invite(self.id, Role::ReofferServer));
        self.open += 1;
        let glare =
            std::mem::replace(&mut self.reoffer.progress, Progress::Asked { tx, request: Box::new(request) });
        if let Progress::Glare { sdp } = glare {
            // Ours goes out after the peer's is acknowledged.
            station.timers.clear(&self.timer(InviteTimer::Glare));
            self.reoffer.wanted.get_or_insert(sdp);
        }
        station.report(SipEvent::Reoffer { invite: self.id, offer });
    }

    /// 200 with our answer, or with our offer when the re-INVITE had none.
    pub(crate) fn answer_reoffer(&mut self, station: &mut Station, now: Instant, sdp: Vec<u8>) {
        let Progress::Asked { tx, request } = &self.reoffer.progress else { return };
        let (tx, late) = (*tx, request.body.is_empty());
        let number = request.cseq().map_or(0, |c| c.number);
        if let Some(dialog) = self.dialog.as_mut() {
            dialog.refresh_target(request.headers.contact());
        }
        let mut response = station.response(request, Status::OK);
        response.headers.push(HeaderName::Contact, self.contact(station));
        response.headers.push(HeaderName::Allow, ALLOW);
        response.headers.push(HeaderName::Supported, SUPPORTED);
        let response = response.with_body("application/sdp", sdp);
        self.reoffer.progress = Progress::Idle;
        self.await_ack(station, now, AnswerSent::new(tx, number, late, response));
    }

    /// A final refusal: what was agreed before still holds.
    pub(crate) fn refuse_reoffer(&mut self, station: &mut Station, now: Instant, status: Status) {
        let Progress::Asked { tx, request } = std::mem::take(&mut self.reoffer.progress) else { return };
        station.refuse(now, tx, &request, status);
        self.resume_reoffer(station, now);
    }

    /// The transaction of the peer's is gone.
    pub(super) fn forget_reoffer_of_peer(&mut self) {
        if matches!(self.reoffer.progress, Progress::Asked { .. }) {
            self.reoffer.progress = Progress::Idle;
        }
    }

    /// The dialog ends: the peer's open re-INVITE is refused, ours is not repeated.
    pub(super) fn leave_reoffer(&mut self, station: &mut Station, now: Instant) {
        station.timers.clear(&self.timer(InviteTimer::Glare));
        self.reoffer.wanted = None;
        match std::mem::take(&mut self.reoffer.progress) {
            Progress::Asked { tx, request } => station.refuse(now, tx, &request, Status::REQUEST_TERMINATED),
            // The peer may forget its answer when the BYE comes.
            Progress::Sent { tx, .. } => self.forsake(station, now, tx),
            Progress::Idle | Progress::Glare { .. } => {}
        }
    }
}
