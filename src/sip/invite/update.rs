//! UPDATE, RFC 3311, in early dialogs and those that stand: a new offer, a new target, or only a sign that the session
//! goes on. Which of our wishes go by UPDATE, and by which dialog.
//!
//! Invariant: an UPDATE with an offer is taken only where offer and answer before it are settled: 491 where ours is
//! open, 500 with Retry-After where the peer's is.
use super::reliable::Agreement;
use super::server::Arrived;
use super::table::State;
use super::{Invite, offer_in, too_brief};
use crate::base::Instant;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Method, Request, Response, Status};
use crate::sip::name::HeaderName;
use crate::sip::station::{ALLOW, SUPPORTED, Station};

/// Whether an offer of the peer may be taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It may.
    Free,
    /// An offer of ours is open: 491.
    Ours,
    /// One of the peer's own is: 500.
    Theirs,
    /// There is no such dialog any more: 481.
    Gone,
}

impl Invite {
    // Ours.

    /// By which method an offer or a refresh can go now. Before the answer only by UPDATE, once the first offer is
    /// settled, and to one phone alone.
    pub(super) fn way_to_offer(&self) -> Option<Method> {
        let update = |can: bool| can.then_some(Method::Update);
        match self.state {
            State::Confirmed if self.peer_takes_update() => Some(Method::Update),
            State::Confirmed => Some(Method::Invite),
            State::Proceeding => update(self.agreement() == Agreement::Done && self.peer_takes_update()),
            State::Ringing => match self.forks.as_slice() {
                [fork] => update(fork.is_free()),
                _ => None,
            },
            State::Answered
            | State::Leaving
            | State::Calling
            | State::CancelHeld
            | State::Cancelling
            | State::AckWanted
            | State::Over => None,
        }
    }

    /// The dialog in which it goes.
    pub(super) fn dialog_to_offer(&mut self) -> Option<&mut Dialog> {
        match self.dialog {
            Some(_) => self.dialog.as_mut(),
            None => self.forks.first_mut().map(|fork| &mut fork.dialog),
        }
    }

    fn peer_takes_update(&self) -> bool {
        let by_its_invite =
            || self.sent_to().is_none() && self.opening_request().headers.lists(HeaderName::Allow, "UPDATE");
        self.takes_update.unwrap_or_else(by_its_invite)
    }

    // Theirs.

    /// An UPDATE within the dialog, or an early one, section 5.2.
    pub(super) fn handle_update(
        &mut self,
        station: &mut Station,
        now: Instant,
        arrived: Arrived,
        from_tag: Option<&str>,
    ) {
        let Arrived { tx, request, source } = &arrived;
        if let Some(response) = too_brief(station, request) {
            return station.respond_tagged(now, *tx, response);
        }
        let offer = match offer_in(station, request) {
            Ok(offer) => offer,
            Err(response) => return station.respond_tagged(now, *tx, *response),
        };
        match self.turn(from_tag, offer.is_some()) {
            Turn::Free => {}
            Turn::Ours => return station.refuse(now, *tx, request, Status::REQUEST_PENDING),
            Turn::Theirs => return self.ask_to_retry(station, now, *tx, request),
            Turn::Gone => return station.refuse(now, *tx, request, Status::NO_SUCH_TRANSACTION),
        }
        let path = Self::path_of(request, source);
        if let Some(dialog) = self.dialog_with(from_tag) {
            dialog.refresh_path(path);
            dialog.refresh_target(request.headers.contact());
        }
        if self.is_with(from_tag) {
            self.learn_methods(&request.headers);
        }
        if let Some(offer) = offer {
            self.presume_acknowledged(station, now);
            self.take_offer(station, arrived, offer);
        } else {
            let response = self.response_within(station, now, request);
            station.transactions.respond(now, *tx, response);
        }
    }

    fn turn(&mut self, from_tag: Option<&str>, has_offer: bool) -> Turn {
        if !self.state.is_live() {
            return Turn::Gone;
        }
        if self.reoffer.is_asked() {
            return Turn::Theirs;
        }
        if !has_offer {
            return Turn::Free;
        }
        if self.reoffer.is_busy() {
            return Turn::Ours;
        }
        match self.state {
            State::Proceeding => match self.agreement() {
                Agreement::Open if self.opening_request().body.is_empty() => Turn::Ours,
                Agreement::Open => Turn::Theirs,
                Agreement::Offered => Turn::Ours,
                Agreement::Answered | Agreement::Done => Turn::Free,
            },
            State::Calling | State::Ringing => self.turn_of_fork(from_tag),
            State::AckWanted => Turn::Theirs,
            State::Answered | State::Confirmed if self.awaits_answer_in_ack() => Turn::Ours,
            State::Answered | State::Confirmed => Turn::Free,
            State::Leaving | State::CancelHeld | State::Cancelling | State::Over => Turn::Gone,
        }
    }

    fn turn_of_fork(&mut self, from_tag: Option<&str>) -> Turn {
        let we_offered = !self.opening_request().body.is_empty();
        match self.fork_with(from_tag) {
            Some(fork) if !fork.is_undecided() => Turn::Free,
            Some(_) if we_offered => Turn::Ours,
            Some(_) => Turn::Theirs,
            None => Turn::Gone,
        }
    }

    /// A 200 to a request within the dialog that refreshes target and session.
    pub(super) fn response_within(
        &mut self,
        station: &mut Station,
        now: Instant,
        request: &Request,
    ) -> Response {
        let mut response = station.response(request, Status::OK);
        response.headers.push(HeaderName::Contact, self.contact(station));
        response.headers.push(HeaderName::Allow, ALLOW);
        response.headers.push(HeaderName::Supported, SUPPORTED);
        let is_before_the_answer = matches!(self.state, State::Proceeding | State::Calling | State::Ringing);
        if !is_before_the_answer && request.method != Method::PRack {
            self.agree_on_session(station, now, request, &mut response);
        }
        response
    }

    /// What a phone answered before this UPDATE holds no longer.
    pub(super) fn outdate_answer(&mut self, tag: Option<&str>) {
        if let Some(fork) = self.fork_with(tag) {
            fork.answer = None;
        }
    }
}
