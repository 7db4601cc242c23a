//! An incoming INVITE until it is answered or refused, RFC 3261 sections 8.2, 9.2, 13.3; and requests of the peer within
//! its dialog, section 12.2.2.
//!
//! Invariant: exactly one final response is sent to the INVITE.
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::acknowledge::AnswerSent;
use super::reliable::Agreement;
use super::table::{Happening, State};
use super::{Cargo, Invite, Invites, Opening};
use crate::base::Instant;
use crate::sip::dialog::{Dialog, Order, Path};
use crate::sip::event::{EndReason, InviteId};
use crate::sip::message::{Method, Request, Response, Status};
use crate::sip::name::HeaderName;
use crate::sip::station::{ALLOW, InviteTimer, Owner, Role, SUPPORTED, Station};
use crate::sip::transaction::TransactionId;
use crate::sip::transport::Source;

/// A proxy gives up after three minutes of silence; section 13.3.1.1 wants a sign of life every minute.
const PROVISIONAL_AGAIN: Duration = Duration::from_mins(1);

/// A request together with where it came from and the transaction to answer it in.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) tx: TransactionId,
    pub(crate) request: Request,
    pub(crate) source: Source,
}

/// The way back to whoever sent a request.
fn path_back(request: &Request, source: &Source) -> Path {
    let via = request.headers.via();
    Path {
        known: source.response_to(via),
        address: Some(source.remote),
        own_host: via.map(|v| v.host.clone()),
    }
}

impl Invites {
    /// Takes in an INVITE outside a dialog. `None`: it is answered already (400 for want of a Contact).
    pub(crate) fn take_in(
        &mut self,
        station: &mut Station,
        now: Instant,
        arrived: Arrived,
    ) -> Option<InviteId> {
        let Arrived { tx, request, source } = arrived;
        let local_tag = station.tag();
        let Some(dialog) = Dialog::of_request(&request, &local_tag, path_back(&request, &source)) else {
            station.refuse(now, tx, &request, Status::BAD_REQUEST);
            return None;
        };
        let id = self.new_id();
        station.own(tx, Owner::Invite(id, Role::InviteServer));
        let request = Arc::new(request);
        let opening = Opening::Incoming { tx, request: Arc::clone(&request), source };
        let mut invite = Invite::new(id, State::Proceeding, opening, local_tag);
        invite.dialog = Some(dialog);
        self.insert(request.call_id(), invite);
        Some(id)
    }
}

impl Invite {
    /// 180, or 183 with early media.
    pub(crate) fn provide(
        &mut self,
        station: &mut Station,
        now: Instant,
        status: Status,
        sdp: Option<Vec<u8>>,
    ) {
        if self.state == State::Proceeding && self.wants_reliable(sdp.is_some()) {
            return self.provide_reliably(station, now, (status, sdp));
        }
        self.happen(station, Happening::Provide, Cargo { status, sdp, ..Cargo::new(now) });
    }

    /// 200 with our answer, or with our offer when the INVITE had none.
    pub(crate) fn answer(&mut self, station: &mut Station, now: Instant, sdp: Vec<u8>) {
        if let Some(sdp) = self.hold_answer(sdp) {
            self.happen(station, Happening::Answer, Cargo { sdp: Some(sdp), ..Cargo::new(now) });
        }
    }

    /// A final refusal.
    pub(crate) fn refuse(
        &mut self,
        station: &mut Station,
        now: Instant,
        status: Status,
        retry_after_s: Option<u32>,
    ) {
        let cargo = Cargo { status, retry_after_s, why: EndReason::Rejected, ..Cargo::new(now) };
        self.happen(station, Happening::Refuse, cargo);
    }

    /// A 401 with these challenges.
    pub(crate) fn challenge(&mut self, station: &mut Station, now: Instant, challenges: Vec<String>) {
        let Opening::Incoming { tx, request, .. } = &self.opening else { return };
        if self.state != State::Proceeding {
            return;
        }
        let mut response = station.response(request, Status::UNAUTHORIZED);
        for challenge in challenges {
            response.headers.push(HeaderName::WwwAuthenticate, challenge);
        }
        response.set_to_tag(&self.local_tag);
        station.transactions.respond(now, *tx, response);
        self.state = State::Over;
        self.release_opening(station);
        self.stop_providing(station);
        station.report_ended(self.id, EndReason::Challenged);
    }

    /// The peer's CANCEL reached the INVITE, section 9.2.
    pub(crate) fn handle_cancel(&mut self, station: &mut Station, now: Instant, role: Role) {
        if role == Role::ReofferServer {
            self.refuse_reoffer(station, now, Status::REQUEST_TERMINATED);
            return;
        }
        let cargo =
            Cargo { status: Status::REQUEST_TERMINATED, why: EndReason::Cancelled, ..Cargo::new(now) };
        self.happen(station, Happening::Cancel, cargo);
    }

    /// A response to the opening INVITE that makes or confirms the dialog.
    pub(super) fn dialog_response(&self, station: &Station, request: &Request, status: Status) -> Response {
        let mut response = station.response(request, status);
        response.set_to_tag(&self.local_tag);
        for route in request.headers.all(HeaderName::RecordRoute) {
            response.headers.push(HeaderName::RecordRoute, route);
        }
        response.headers.push(HeaderName::Contact, self.contact(station));
        response.headers.push(HeaderName::Allow, ALLOW);
        response.headers.push(HeaderName::Supported, SUPPORTED);
        response
    }

    pub(super) fn send_provisional(&mut self, station: &mut Station, cargo: &mut Cargo<'_>) {
        let Opening::Incoming { tx, request, .. } = &self.opening else { return };
        let mut response = self.dialog_response(station, request, cargo.status);
        if let Some(sdp) = cargo.sdp.take() {
            response = response.with_body("application/sdp", sdp);
        }
        station.transactions.respond(cargo.now, *tx, response);
        self.show_again_later(station, cargo.now);
    }

    /// A sign of life in a minute.
    pub(super) fn show_again_later(&self, station: &mut Station, now: Instant) {
        station.timers.set(self.timer(InviteTimer::ProvisionalAgain), now + PROVISIONAL_AGAIN);
    }

    pub(super) fn send_refusal(&mut self, station: &mut Station, cargo: &mut Cargo<'_>) {
        let Opening::Incoming { tx, request, .. } = &self.opening else { return };
        let mut response = station.response(request, cargo.status);
        response.set_to_tag(&self.local_tag);
        if let Some(seconds) = cargo.retry_after_s {
            response.headers.push(HeaderName::RetryAfter, seconds.to_string());
        }
        station.transactions.respond(cargo.now, *tx, response);
    }

    pub(super) fn send_answer(&mut self, station: &mut Station, cargo: &mut Cargo<'_>) {
        let Opening::Incoming { tx, request, .. } = &self.opening else { return };
        let (tx, request) = (*tx, Arc::clone(request));
        let number = request.cseq().map_or(0, |c| c.number);
        let mut response = self.dialog_response(station, &request, Status::OK);
        self.agree_on_session(station, cargo.now, &request, &mut response);
        let is_open = self.agreement() == Agreement::Open;
        if is_open {
            let sdp = cargo.sdp.take().unwrap_or_default();
            self.remember(&sdp);
            response = response.with_body("application/sdp", sdp);
        }
        let late = request.body.is_empty() && is_open;
        self.await_ack(station, cargo.now, AnswerSent::new(tx, number, late, response));
    }

    // Requests of the peer within the dialog.

    /// Whether `from_tag` is the peer's: otherwise 481.
    pub(crate) fn is_with(&self, from_tag: Option<&str>) -> bool {
        self.dialog.as_ref().is_some_and(|d| d.is_with(from_tag))
    }

    /// Whether a request in one of our dialogs can come from this address; of a dialog that is none of ours it does not
    /// matter.
    pub(crate) fn may_come_from(&mut self, from_tag: Option<&str>, source: IpAddr) -> bool {
        self.dialog_with(from_tag).is_none_or(|dialog| dialog.may_come_from(source))
    }

    /// A request other than ACK and CANCEL in one of our dialogs. An error: its tag, `from_tag`, is not of one.
    #[expect(clippy::result_large_err, reason = "the request is handed back whole, and seldom")]
    pub(crate) fn handle_request(
        &mut self,
        station: &mut Station,
        now: Instant,
        arrived: Arrived,
        from_tag: Option<&str>,
    ) -> Result<(), Arrived> {
        let Arrived { tx, request, .. } = &arrived;
        let number = request.cseq().map_or(0, |c| c.number);
        let Some(dialog) = self.dialog_with(from_tag) else { return Err(arrived) };
        if dialog.receive(number) == Order::OutOfOrder {
            station.refuse(now, *tx, request, Status::SERVER_ERROR);
        } else {
            self.handle_in_order(station, now, arrived, from_tag);
        }
        Ok(())
    }

    fn handle_in_order(
        &mut self,
        station: &mut Station,
        now: Instant,
        arrived: Arrived,
        from_tag: Option<&str>,
    ) {
        let Arrived { tx, request, .. } = &arrived;
        match request.method {
            // Who was called leaves an early dialog by a final response.
            Method::Bye if !self.is_with(from_tag) => {
                station.refuse(now, *tx, request, Status::NO_SUCH_TRANSACTION);
            }
            Method::Bye => {
                station.refuse(now, *tx, request, Status::OK);
                self.handle_bye(station, now);
            }
            Method::Invite => self.handle_reinvite(station, now, arrived),
            Method::Info => self.handle_key(station, now, &arrived),
            Method::PRack => self.handle_prack(station, now, arrived),
            Method::Update => self.handle_update(station, now, arrived, from_tag),
            Method::Options => {
                let response = capabilities(station, request);
                station.respond_tagged(now, *tx, response);
            }
            Method::Refer => self.handle_refer(station, now, &arrived),
            Method::Subscribe => self.handle_subscribe(station, now, &arrived),
            // We subscribe to nothing.
            Method::Notify => station.refuse(now, *tx, request, Status::NO_SUCH_TRANSACTION),
            Method::Ack | Method::Cancel | Method::Register | Method::Message | Method::Publish => {
                let response = not_allowed(station, request);
                station.respond_tagged(now, *tx, response);
            }
        }
    }

    pub(super) fn path_of(request: &Request, source: &Source) -> Path {
        path_back(request, source)
    }
}

/// The 200 to an OPTIONS, section 11.2.
pub(crate) fn capabilities(station: &Station, request: &Request) -> Response {
    let mut response = station.response(request, Status::OK);
    response.headers.push(HeaderName::Allow, ALLOW);
    response.headers.push(HeaderName::Accept, "application/sdp, application/dtmf-relay, application/dtmf");
    response.headers.push(HeaderName::AcceptEncoding, "identity");
    response.headers.push(HeaderName::AcceptLanguage, "en");
    response.headers.push(HeaderName::Supported, SUPPORTED);
    response
}

/// The 405 to a method that we know and do not serve, section 8.2.1.
pub(crate) fn not_allowed(station: &Station, request: &Request) -> Response {
    let mut response = station.response(request, Status::METHOD_NOT_ALLOWED);
    response.headers.push(HeaderName::Allow, ALLOW);
    response
}
