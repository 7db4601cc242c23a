//! Phones that register with us, and our registrations elsewhere.
//!
//! Invariant: nothing is bound, listed or removed before the user was proved by digest.
use std::collections::BTreeMap;
use std::time::Duration;

use super::UserAgent;
use crate::base::Instant;
use crate::sip::auth::{Account, Proof};
use crate::sip::event::{Binding, Registration, RegistrationId, StoredBinding};
use crate::sip::invite::Arrived;
use crate::sip::message::Status;
use crate::sip::name::HeaderName;
use crate::sip::registrar::{Asked, Outcome};
use crate::sip::transport::Destination;
use crate::sip::uri::SipUri;

impl UserAgent {
    /// A REGISTER, section 10.3.
    pub(super) fn handle_register(&mut self, now: Instant, arrived: &Arrived) {
        let request = &arrived.request;
        let user = match self.prove(now, request, &arrived.source) {
            Proof::Proved(user) => user,
            Proof::Missing | Proof::Refused => return self.ask_for_digest(now, arrived, false),
            Proof::Stale => return self.ask_for_digest(now, arrived, true),
        };
        let station = &mut self.station;
        let wants_tls =
            request.headers.contact().is_some_and(|c| c.uri.as_sip().is_some_and(SipUri::is_sips));
        if wants_tls && !station.is_tls(arrived.source.listener) {
            return station.refuse(now, arrived.tx, request, Status::FORBIDDEN);
        }
        if request.to().and_then(|to| to.uri.user()).as_deref() != Some(user.as_str()) {
            return station.refuse(now, arrived.tx, request, Status::FORBIDDEN);
        }
        let asked = Asked { user: &user, request, source: &arrived.source };
        let mut response = station.response(request, Status::OK);
        match self.registrar.handle_register(station, now, &asked) {
            Outcome::Bindings(list) => {
                for (uri, seconds) in list {
                    response.headers.push(HeaderName::Contact, format!("<{uri}>;expires={seconds}"));
                }
            }
            Outcome::Refused(status) => response = station.response(request, status),
            Outcome::TooBrief(seconds) => {
                response = station.response(request, Status::INTERVAL_TOO_BRIEF);
                response.headers.push(HeaderName::MinExpires, seconds.to_string());
            }
        }
        station.respond_tagged(now, arrived.tx, response);
    }

    /// From now on these may register and prove who they are. Bindings of users who are not among them end.
    pub fn set_accounts(&mut self, accounts: BTreeMap<String, Account>) {
        self.settings.accounts = accounts;
        let accounts = &self.settings.accounts;
        self.registrar.retain(&mut self.station, |user| accounts.contains_key(user));
    }
    /// Where a user is reached: his freshest contact.
    pub fn contact(&self, user: &str) -> Option<Binding> {
        self.registrar.contact(user)
    }
    /// All contacts of a user, the freshest first.
    pub fn contacts(&self, user: &str) -> Vec<Binding> {
        self.registrar.contacts(user)
    }
    /// A user whose bindings were made, renewed or ended, with those he has now: to be kept over a restart.
    pub fn poll_bindings(&mut self, now: Instant) -> Option<(String, Vec<StoredBinding>)> {
        self.registrar.poll_changed(now, &self.station)
    }
    /// All bindings, to be kept over a restart.
    pub fn export_bindings(&self, now: Instant) -> Vec<StoredBinding> {
        self.registrar.export(now, &self.station)
    }
    /// Takes bindings back after a restart; `Registered` follows for each user with an account.
    pub fn import_bindings(&mut self, now: Instant, mut stored: Vec<StoredBinding>) {
        let now = self.lift(now);
        stored.retain(|one| self.settings.accounts.contains_key(&one.user));
        self.registrar.import(&mut self.station, now, stored);
    }

    /// Registers with somebody else's registrar and keeps it up: `RegistrationChanged` follows, and again at each change.
    pub fn register(&mut self, now: Instant, wanted: Registration) -> RegistrationId {
        let now = self.lift(now);
        let wanted = Registration { expires: wanted.expires.max(Duration::from_secs(1)), ..wanted };
        let id = self.registrations.begin(&mut self.station, now, wanted);
        self.settle(now);
        id
    }
    /// The next refresh of a registration goes there.
    pub fn redirect_registration(&mut self, id: RegistrationId, to: Destination) {
        self.registrations.redirect(id, to);
    }
    /// The route that a registrar wants requests of ours to take (RFC 3608); none before it said so.
    pub fn service_route(&self, id: RegistrationId) -> &[String] {
        self.registrations.service_route(id)
    }
    /// Takes a registration of ours back: `RegistrationChanged` with `registered: false` follows.
    pub fn unregister(&mut self, now: Instant, id: RegistrationId) {
        let now = self.lift(now);
        self.registrations.end(&mut self.station, now, id);
        self.settle(now);
    }
}
