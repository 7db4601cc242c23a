//! What transactions report goes to the part that it is for, RFC 3261 sections 8.2 and 12.2.2.
//!
//! Invariant: a request that reaches no part is answered here; an event of a transaction that nobody owns is ignored.
use super::UserAgent;
use crate::base::Instant;
use crate::sip::auth::Proof;
use crate::sip::event::{InviteId, SipEvent};
use crate::sip::invite::{Arrived, capabilities, not_allowed, refused_outside};
use crate::sip::message::{Method, Request, Response, Status};
use crate::sip::name::HeaderName;
use crate::sip::station::{EXTENSIONS, Owner};
use crate::sip::transaction::{TransactionEvent, TransactionId};
use crate::sip::transport::Source;
use crate::sip::uri::SipUri;

impl UserAgent {
    /// Handles all that transactions have to report.
    pub(super) fn settle(&mut self, now: Instant) {
        while let Some(event) = self.station.transactions.poll_event() {
            match event {
                TransactionEvent::Request { tx, request, source } => {
                    self.handle_request(now, Arrived { tx, request, source });
                }
                TransactionEvent::Ack { request, source } => self.handle_ack(now, &request, &source),
                TransactionEvent::Cancelled { tx } => {
                    if let Some(Owner::Invite(id, role)) = self.station.owner(tx) {
                        self.invites.with(&mut self.station, id, |invite, station| {
                            invite.handle_cancel(station, now, role);
                        });
                    }
                }
                TransactionEvent::Response { tx, response } => self.handle_response(now, tx, &response),
                TransactionEvent::TimedOut { tx } => self.handle_silence(now, tx, Status::REQUEST_TIMEOUT),
                TransactionEvent::TransportFailed { tx } => {
                    self.handle_silence(now, tx, Status::SERVICE_UNAVAILABLE);
                }
                TransactionEvent::Finished { tx } => {
                    if let Some(Owner::Invite(id, _)) = self.station.disown(tx) {
                        self.invites.finished(&mut self.station, id);
                    }
                }
            }
        }
    }

    /// A response to a request of ours.
    fn handle_response(&mut self, now: Instant, tx: TransactionId, response: &Response) {
        match self.station.owner(tx) {
            Some(Owner::Invite(id, role)) => {
                self.invites.with(&mut self.station, id, |invite, station| {
                    invite.handle_response(station, now, (tx, role), response);
                });
            }
            Some(Owner::Registration(id)) => {
                self.registrations.handle_outcome(&mut self.station, now, (id, tx), Some(response));
            }
            Some(Owner::Options(request)) if response.status.is_final() => {
                let status = Some(response.status);
                self.station.report(SipEvent::OptionsAnswered { request, status });
            }
            Some(Owner::Options(_)) | None => {}
        }
    }

    /// No response came, or none can come.
    fn handle_silence(&mut self, now: Instant, tx: TransactionId, status: Status) {
        match self.station.owner(tx) {
            Some(Owner::Invite(id, role)) => {
                self.invites.with(&mut self.station, id, |invite, station| {
                    invite.handle_silence(station, now, (tx, role), status);
                });
            }
            Some(Owner::Registration(id)) => {
                self.registrations.handle_outcome(&mut self.station, now, (id, tx), None);
            }
            Some(Owner::Options(request)) => {
                self.station.report(SipEvent::OptionsAnswered { request, status: None });
            }
            None => {}
        }
    }

    fn handle_ack(&mut self, now: Instant, ack: &Request, source: &Source) {
        let id = ack.to_tag().and_then(|tag| self.invites.of_dialog(ack.call_id(), &tag));
        let Some(id) = id else {
            self.station.counts.strays += 1;
            return;
        };
        let from_tag = ack.from_tag();
        if self.is_foreign(id, from_tag.as_deref(), source) {
            self.station.counts.dialogs_foreign += 1;
            return;
        }
        self.invites.with(&mut self.station, id, |invite, station| {
            if invite.is_with(from_tag.as_deref()) {
                invite.handle_ack(station, now, ack);
            }
        });
    }

    fn handle_request(&mut self, now: Instant, arrived: Arrived) {
        let Arrived { tx, request, source } = &arrived;
        let tx = *tx;
        if request.uri.as_sip().is_some_and(SipUri::is_sips) && !self.station.is_tls(source.listener) {
            // `sips` in the clear is no `sips`, section 26.2.2.
            return self.station.refuse(now, tx, request, Status::UNSUPPORTED_URI_SCHEME);
        }
        if !matches!(request.uri.scheme().as_str(), "sip" | "sips" | "tel") {
            return self.station.refuse(now, tx, request, Status::UNSUPPORTED_URI_SCHEME);
        }
        if let Some(response) = self.bad_extension(request) {
            return self.station.respond_tagged(now, tx, response);
        }
        if let Some(tag) = request.to_tag() {
            return self.handle_within(now, arrived, &tag);
        }
        match request.method {
            Method::Invite => self.handle_invite(now, arrived),
            Method::Register => self.handle_register(now, &arrived),
            Method::Options => {
                let response = capabilities(&self.station, request);
                self.station.respond_tagged(now, tx, response);
            }
            Method::Bye | Method::Info | Method::Notify | Method::PRack | Method::Update => {
                self.refuse_missed(now, &arrived);
            }
            Method::Refer | Method::Subscribe => {
                let response = refused_outside(&self.station, request);
                self.station.respond_tagged(now, tx, response);
            }
            Method::Ack | Method::Cancel => {}
            Method::Message | Method::Publish => {
                let response = not_allowed(&self.station, request);
                self.station.respond_tagged(now, tx, response);
            }
        }
    }

    /// Section 8.2.2.3: what is required and is none of our extensions is refused.
    fn bad_extension(&self, request: &Request) -> Option<Response> {
        let is_ours = |tag: &&str| EXTENSIONS.iter().any(|ours| ours.eq_ignore_ascii_case(tag));
        let required: Vec<_> =
            request.headers.list(HeaderName::Require).filter(|tag| !is_ours(tag)).collect();
        if required.is_empty() {
            return None;
        }
        let mut response = self.station.response(request, Status::BAD_EXTENSION);
        response.headers.push(HeaderName::Unsupported, required.join(", "));
        Some(response)
    }

    /// A request within a dialog: 481 unless all three parts of its name fit.
    fn handle_within(&mut self, now: Instant, arrived: Arrived, to_tag: &str) {
        let request = &arrived.request;
        let Some(id) = self.invites.of_dialog(request.call_id(), to_tag) else {
            return self.refuse_missed(now, &arrived);
        };
        let from_tag = request.from_tag();
        if self.is_foreign(id, from_tag.as_deref(), &arrived.source) {
            // A phone that has moved proves who it is; nobody else can.
            match self.prove(now, request, &arrived.source) {
                Proof::Proved(_) => {}
                Proof::Stale => return self.ask_for_digest(now, &arrived, true),
                Proof::Missing | Proof::Refused => {
                    self.station.counts.dialogs_foreign += 1;
                    return self.ask_for_digest(now, &arrived, false);
                }
            }
        }
        let missed = self.invites.with(&mut self.station, id, |invite, station| {
            invite.handle_request(station, now, arrived, from_tag.as_deref()).err()
        });
        if let Some(Some(arrived)) = missed {
            self.refuse_missed(now, &arrived);
        }
    }

    /// Whether a request with the tags of a dialog comes from an address that is not its peer's.
    fn is_foreign(&mut self, id: InviteId, from_tag: Option<&str>, source: &Source) -> bool {
        let ip = source.remote.ip();
        let known = self.invites.with(&mut self.station, id, |invite, _| invite.may_come_from(from_tag, ip));
        known == Some(false)
    }

    fn refuse_missed(&mut self, now: Instant, arrived: &Arrived) {
        self.station.counts.dialogs_missed += 1;
        self.station.refuse(now, arrived.tx, &arrived.request, Status::NO_SUCH_TRANSACTION);
    }
}
