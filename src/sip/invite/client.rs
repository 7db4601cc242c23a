//! An outgoing INVITE until it is answered, refused or cancelled: RFC 3261 sections 9.1, 13.1, 13.2, 22.2.
//!
//! Invariant: `Answered` or `Failed` is reported at most once, and neither after `end`.
use std::sync::Arc;

use super::table::{Happening, State};
use super::{Cargo, Invite, Invites, Opening, is_dialog_lost, sdp_in, session};
use crate::base::Instant;
use crate::sip::auth::DigestClient;
use crate::sip::dialog::Dialog;
use crate::sip::event::{EndReason, Identity, InviteId, OutgoingInvite, SipEvent};
use crate::sip::lex;
use crate::sip::message::{Method, Request, Response, Status};
use crate::sip::name::HeaderName;
use crate::sip::station::{ALLOW, InviteTimer, Owner, Role, SUPPORTED, Station, contact_for};
use crate::sip::transaction::TransactionId;
use crate::sip::transport::Destination;
use crate::sip::uri::{AddrSpec, SipUri};
use crate::sip::value::{CSeq, NameAddr};

/// Text for a header: line breaks and other controls become spaces.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// An address for From: what `identity` says, at our own address if it names no host.
pub(crate) fn address_of_identity(identity: &Identity, own_host: &str) -> NameAddr {
    let host = if identity.host.is_empty() { own_host } else { &identity.host };
    let user = (!identity.user.is_empty()).then_some(identity.user.as_str());
    let (host, port) = split_port(host);
    let mut address = NameAddr::new(AddrSpec::sip(user, host, port));
    let display = one_line(&identity.display);
    address.display = (!display.is_empty()).then_some(display);
    address
}

fn split_port(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
            port.parse().map_or((host, None), |port| (name, Some(port)))
        }
        _ => (host, None),
    }
}

/// An INVITE as section 8.1.1 and 13.2.1 want it, without Via.
fn compose(station: &mut Station, wanted: OutgoingInvite, local_tag: &str) -> Option<Request> {
    let uri = AddrSpec::parse(&wanted.request_uri)?;
    let own_host = station.advertised(&wanted.to).map(|a| a.ip().to_string()).unwrap_or_default();
    let from = address_of_identity(&wanted.from, &own_host);
    let mut request = Request::new(Method::Invite, uri.clone());
    for route in &wanted.route {
        request.headers.push(HeaderName::Route, NameAddr::parse(route)?.to_string());
    }
    let call_id = station.call_id();
    let is_sips = uri.as_sip().is_some_and(SipUri::is_sips);
    let contact = contact_for(is_sips, station.contact(&wanted.to, &wanted.from.user));
    let mut request = request
        .with(HeaderName::MaxForwards, "70")
        .with(HeaderName::From, from.with_tag(local_tag).to_string())
        .with(HeaderName::To, NameAddr::new(uri).to_string())
        .with(HeaderName::CallId, call_id)
        .with(HeaderName::CSeq, CSeq { number: 1, method: Method::Invite }.to_string())
        .with(HeaderName::Contact, contact)
        .with(HeaderName::Allow, ALLOW)
        .with(HeaderName::Supported, SUPPORTED);
    session::ask(&mut request.headers, station.session);
    for (name, value) in &wanted.extra_headers {
        if lex::is_token(name.as_bytes()) {
            request.headers.push_named(name, one_line(value));
        }
    }
    Some(match wanted.offer {
        Some(sdp) => request.with_body("application/sdp", sdp),
        None => request,
    })
}

impl Invites {
    /// A number for an INVITE that is not sent: reported as failed at once.
    pub(crate) fn fail_at_once(&mut self, station: &mut Station, status: Status) -> InviteId {
        let id = self.new_id();
        station.report(SipEvent::Failed { invite: id, status, contacts: Vec::new(), retry_after: None });
        station.report_ended(id, EndReason::Refused);
        id
    }

    /// Sends an INVITE.
    pub(crate) fn send(
        &mut self,
        station: &mut Station,
        now: Instant,
        mut wanted: OutgoingInvite,
    ) -> InviteId {
        let local_tag = station.tag();
        let (to, digest) = (wanted.to, wanted.credentials.take().map(DigestClient::new));
        let Some(request) = compose(station, wanted, &local_tag) else {
            return self.fail_at_once(station, Status::ADDRESS_INCOMPLETE);
        };
        let id = self.new_id();
        let (tx, request) = station.start(now, request, to, Owner::Invite(id, Role::InviteClient));
        let request = Arc::new(request);
        let opening = Opening::Outgoing { tx, request: Arc::clone(&request), to };
        let mut invite = Invite::new(id, State::Calling, opening, local_tag);
        invite.digest = digest;
        self.insert(request.call_id(), invite);
        id
    }
}

impl Invite {
    /// A response to our opening INVITE.
    pub(super) fn handle_invite_response(
        &mut self,
        station: &mut Station,
        now: Instant,
        response: &Response,
    ) {
        let status = response.status;
        if status.is_success() {
            return self.handle_accepted(station, now, response);
        }
        if status.is_provisional() {
            let Some(sdp) = self.take_provisional(station, now, response) else { return };
            let cargo = Cargo { status, sdp, ..Cargo::new(now) };
            let what = if status == Status::TRYING { Happening::Trying } else { Happening::Provisional };
            return self.happen(station, what, cargo);
        }
        if matches!(self.state, State::Calling | State::Ringing) && self.invite_again(station, now, response)
        {
            return;
        }
        let cargo = Cargo { status, response: Some(response), why: EndReason::Refused, ..Cargo::new(now) };
        self.happen(station, Happening::Failure, cargo);
    }

    /// The same INVITE with credentials, or for a longer session; `false`: there is nothing more to say.
    fn invite_again(&mut self, station: &mut Station, now: Instant, response: &Response) -> bool {
        let request = Arc::clone(self.opening_request());
        let Some(again) = self
            .with_longer_interval(&request, response)
            .or_else(|| self.answer_challenge(station, &request, response))
        else {
            return false;
        };
        let Opening::Outgoing { to, .. } = &self.opening else { return false };
        let to = station.live(*to, None);
        let (tx, request) = station.start(now, again, to, Owner::Invite(self.id, Role::InviteClient));
        self.open += 1;
        self.opening = Opening::Outgoing { tx, request: Arc::new(request), to };
        // Early dialogs and the count of their provisionals belong to the INVITE before.
        self.forks.clear();
        self.state = State::Calling;
        true
    }

    fn handle_accepted(&mut self, station: &mut Station, now: Instant, response: &Response) {
        if self.ack_again(station, response) {
            return;
        }
        match self.state {
            State::Calling | State::Ringing | State::CancelHeld | State::Cancelling => {
                self.take_answer(station, now, response);
            }
            // A copy of the 2xx whose ACK waits for `ack_with`.
            State::AckWanted | State::Confirmed | State::Over
                if self.is_with(response.to_tag().as_deref()) => {}
            State::AckWanted | State::Confirmed | State::Over => self.end_fork(station, now, response),
            State::Proceeding | State::Answered | State::Leaving => {}
        }
    }

    /// The first 2xx: its dialog is the one that stands. What its early dialog agreed on holds on.
    fn take_answer(&mut self, station: &mut Station, now: Instant, response: &Response) {
        let Some(path) = self.path_out(station) else { return };
        let early = self.take_fork(response.to_tag().as_deref());
        let request = self.opening_request();
        let agreed = early.as_ref().is_some_and(|fork| fork.agreed);
        let late_offer = request.body.is_empty() && !agreed;
        self.dialog = Dialog::of_response(request, response, path);
        if let (Some(dialog), Some(early)) = (self.dialog.as_mut(), &early) {
            dialog.go_on_from(&early.dialog);
        }
        if let Some(digest) = self.digest.as_mut() {
            digest.accepted();
        }
        self.learn_methods(&response.headers);
        // A 2xx may repeat an answer that is known; after an UPDATE it would be an old one.
        let sdp = if agreed { early.and_then(|fork| fork.answer) } else { sdp_in(response) };
        let what = if late_offer { Happening::AcceptedWithOffer } else { Happening::Accepted };
        self.happen(station, what, Cargo { sdp, response: Some(response), ..Cargo::new(now) });
        if self.state.is_live() {
            self.take_session(station, now, response);
        }
    }

    /// `ack_with`.
    pub(crate) fn ack_with(&mut self, station: &mut Station, now: Instant, sdp: Vec<u8>) {
        self.happen(station, Happening::AckGiven, Cargo { sdp: Some(sdp), ..Cargo::new(now) });
    }

    pub(super) fn send_cancel(&mut self, station: &mut Station, now: Instant) {
        let Opening::Outgoing { tx, .. } = self.opening else { return };
        if station.cancel(now, tx, Owner::Invite(self.id, Role::Background)) {
            self.open += 1;
        }
        self.forsake(station, now, tx);
    }

    /// Waits 64*T1 for the final response to an INVITE that nobody wants any more, section 9.1.
    pub(super) fn forsake(&mut self, station: &mut Station, now: Instant, tx: TransactionId) {
        self.forsaken = Some(tx);
        station.timers.set(self.timer(InviteTimer::Forsaken), now + station.timing.timeout());
    }

    /// The final response came.
    pub(super) fn settle_forsaken(&mut self, station: &mut Station, tx: TransactionId) {
        if self.forsaken.take_if(|forsaken| *forsaken == tx).is_some() {
            station.timers.clear(&self.timer(InviteTimer::Forsaken));
        }
    }

    /// It did not come.
    pub(super) fn give_up(&mut self, station: &mut Station, now: Instant) {
        if let Some(tx) = self.forsaken.take() {
            station.transactions.abandon(now, tx);
        }
        self.happen(station, Happening::CancelUnanswered, Cargo::new(now));
    }

    /// A request of ours within the dialog was refused so that the dialog is lost.
    pub(super) fn is_lost(status: Status) -> bool {
        is_dialog_lost(status)
    }

    /// Where the opening INVITE went.
    pub(super) const fn sent_to(&self) -> Option<Destination> {
        match &self.opening {
            Opening::Outgoing { to, .. } => Some(*to),
            Opening::Incoming { .. } => None,
        }
    }
}
