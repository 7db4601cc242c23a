//! Registrations of ours with somebody else's registrar, RFC 3261 section 10.2: kept up until they are taken back.
//! What was granted last holds until its end even when a refresh fails; after failures the waits grow, each with chance
//! in it (RFC 5626 section 4.5), and a refusal is repeated far more seldom than a silence. The route that the registrar
//! asks for (RFC 3608) is kept for whoever calls by it.
//!
//! Invariant: a registration has at most one REGISTER in progress, and a timer while it has none.
use std::collections::BTreeMap;
use std::time::Duration;

use super::auth::DigestClient;
use super::event::{Registration, RegistrationId, SipEvent};
use super::invite::address_of_identity;
use super::message::{Method, Request, Response, Status};
use super::name::HeaderName;
use super::station::{
    Owner, Station, TimerName, challenges, contact_for, is_challenge, method_of, with_credentials,
};
use super::transaction::TransactionId;
use super::transport::Destination;
use super::uri::{AddrSpec, SipUri};
use super::value::{CSeq, Contacts, NameAddr};
use crate::base::Instant;

/// Wait after the first failure, and the longest after many: doubled after each. Nobody answered, or the registrar is in
/// trouble: it may be back soon.
const RETRY_FAILED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(5));
/// The same after a refusal: the next one will most likely be the same, and many in a row look like an attack.
const RETRY_REFUSED: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(30));
/// The longest `Retry-After` that is obeyed.
const RETRY_AFTER_LONGEST: Duration = Duration::from_hours(1);
/// Routes taken from one registrar.
const ROUTES: usize = 4;

/// One registration.
#[derive(Debug)]
struct Kept {
    wanted: Registration,
    uri: AddrSpec,
    address: String,
    call_id: String,
    contact: String,
    number: u32,
    expires: Duration,
    digest: Option<DigestClient>,
    /// The REGISTER in progress.
    sent: Option<(TransactionId, Request)>,
    registered: bool,
    /// When the registrar forgets us, unless it hears from us.
    held_until: Option<Instant>,
    /// The routes that it wants requests of ours to take.
    service_route: Vec<String>,
    failures: u32,
    /// To be taken back.
    leaving: bool,
}

/// All registrations of ours.
#[derive(Debug, Default)]
pub(crate) struct Registrations {
    kept: BTreeMap<RegistrationId, Kept>,
    last: u64,
}

impl Registrations {
    /// How many are kept up.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Begins to keep one up. A registrar URI that cannot be read fails at once.
    pub(crate) fn begin(
        &mut self,
        station: &mut Station,
        now: Instant,
        mut wanted: Registration,
    ) -> RegistrationId {
        self.last += 1;
        let id = RegistrationId(self.last);
        let Some(uri) = AddrSpec::parse(&wanted.registrar_uri) else {
            let status = Some(Status::ADDRESS_INCOMPLETE);
            station.report(SipEvent::RegistrationChanged { id, registered: false, status });
            return id;
        };
        let host = uri.host().unwrap_or_default();
        let host = uri.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let digest = wanted.credentials.take().map(DigestClient::new);
        let kept = Kept {
            address: address_of_identity(&wanted.identity, &host).to_string(),
            call_id: station.call_id(),
            contact: contact_for(is_sips(&uri), station.contact(&wanted.to, wanted.contact_user())),
            number: 0,
            expires: wanted.expires,
            wanted,
            uri,
            digest,
            sent: None,
            registered: false,
            held_until: None,
            service_route: Vec::new(),
            failures: 0,
            leaving: false,
        };
        self.kept.insert(id, kept);
        self.refresh(station, now, id);
        id
    }

    /// Takes one back: expires 0, then it is forgotten.
    pub(crate) fn end(&mut self, station: &mut Station, now: Instant, id: RegistrationId) {
        let Some(kept) = self.kept.get_mut(&id) else { return };
        kept.leaving = true;
        if kept.sent.is_none() {
            self.refresh(station, now, id);
        }
    }

    /// Its time has come.
    pub(crate) fn refresh(&mut self, station: &mut Station, now: Instant, id: RegistrationId) {
        station.counts.touched += 1;
        let Some(kept) = self.kept.get_mut(&id) else { return };
        station.timers.clear(&TimerName::Registration(id));
        let mut request = kept.request(station);
        // Once challenged, the next count of the same nonce saves a round trip.
        if let Some(digest) = kept.digest.as_mut() {
            digest.accepted();
            let uri = request.uri.to_string();
            if let Some(answer) = digest.answer(method_of(&request), &uri, &mut station.rng) {
                request.headers.set(HeaderName::Authorization, answer);
            }
        }
        kept.send(station, now, id, request);
    }

    /// A response to a REGISTER of ours; `None`: none came.
    pub(crate) fn handle_outcome(
        &mut self,
        station: &mut Station,
        now: Instant,
        (id, tx): (RegistrationId, TransactionId),
        response: Option<&Response>,
    ) {
        station.counts.touched += 1;
        if response.is_some_and(|r| r.status.is_provisional()) {
            return;
        }
        let Some(kept) = self.kept.get_mut(&id) else { return };
        let Some((_, request)) = kept.sent.take_if(|(sent, _)| *sent == tx) else { return };
        if response.is_some_and(|response| kept.try_again(station, now, (id, &request), response)) {
            return;
        }
        let withdrawn = request.headers.number(HeaderName::Expires) == Some(0);
        let changed = kept.settle(now, response, withdrawn);
        if changed {
            let status = response.map(|r| r.status);
            station.report(SipEvent::RegistrationChanged { id, registered: kept.registered, status });
        }
        if kept.leaving && (!kept.registered || withdrawn) {
            station.timers.clear(&TimerName::Registration(id));
            self.kept.remove(&id);
        } else if kept.leaving {
            self.refresh(station, now, id);
        } else {
            let wait = kept.wait(station, now, response);
            station.timers.set(TimerName::Registration(id), now + wait.max(Duration::from_secs(1)));
        }
    }

    /// From now on it is sent elsewhere: the next refresh goes there.
    pub(crate) fn redirect(&mut self, id: RegistrationId, to: Destination) {
        if let Some(kept) = self.kept.get_mut(&id) {
            kept.wanted.to = to;
        }
    }

    /// The route that the registrar wants requests of ours to take, RFC 3608.
    pub(crate) fn service_route(&self, id: RegistrationId) -> &[String] {
        self.kept.get(&id).map(|k| k.service_route.as_slice()).unwrap_or_default()
    }
}

fn is_sips(uri: &AddrSpec) -> bool {
    uri.as_sip().is_some_and(SipUri::is_sips)
}

impl Kept {
    fn request(&mut self, station: &Station) -> Request {
        self.number = self.number.saturating_add(1);
        let seconds = if self.leaving { 0 } else { self.expires.as_secs() };
        self.contact =
            contact_for(is_sips(&self.uri), station.contact(&self.wanted.to, self.wanted.contact_user()));
        let tag = self.call_id.get(..8).unwrap_or("t").to_owned();
        Request::new(Method::Register, self.uri.clone())
            .with(HeaderName::MaxForwards, "70")
            .with(HeaderName::From, format!("{};tag={tag}", self.address))
            .with(HeaderName::To, self.address.clone())
            .with(HeaderName::CallId, self.call_id.clone())
            .with(HeaderName::CSeq, CSeq { number: self.number, method: Method::Register }.to_string())
            .with(HeaderName::Contact, self.contact.clone())
            .with(HeaderName::Expires, seconds.to_string())
            .with(HeaderName::Supported, "path")
    }

    /// Takes an outcome in. `true`: there is something to tell.
    fn settle(&mut self, now: Instant, response: Option<&Response>, withdrawn: bool) -> bool {
        let before = (self.registered, self.failures);
        if let Some(accepted) = response.filter(|r| r.status.is_success()) {
            self.registered = !withdrawn;
            self.failures = 0;
            self.held_until = Some(now + self.granted(accepted));
            let routes = accepted.headers.list(HeaderName::ServiceRoute);
            self.service_route = routes.take(ROUTES).map(str::to_owned).collect();
            return before != (self.registered, 0);
        }
        self.failures = self.failures.saturating_add(1);
        if let Some(digest) = self.digest.as_mut() {
            digest.forget();
        }
        // A silent registrar still knows us; one that refuses does not.
        let refused = response.is_some_and(|r| is_refusal(r.status));
        self.registered &= !withdrawn && !refused && self.held_until.is_some_and(|end| end > now);
        true
    }

    /// How long until the next REGISTER.
    fn wait(&self, station: &mut Station, now: Instant, response: Option<&Response>) -> Duration {
        let left = self.held_until.map_or(Duration::ZERO, |end| end.since(now));
        if self.failures == 0 {
            // Four fifths of what was granted: time for a lost round.
            return left.mul_f64(0.8);
        }
        let asked = response.and_then(|r| r.headers.number(HeaderName::RetryAfter));
        if let Some(seconds) = asked {
            return Duration::from_secs(u64::from(seconds)).min(RETRY_AFTER_LONGEST);
        }
        let (first, longest) =
            if response.is_some_and(|r| is_refusal(r.status)) { RETRY_REFUSED } else { RETRY_FAILED };
        let doubled = 1u32.checked_shl(self.failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let upper = first.saturating_mul(doubled).min(longest);
        // Between half of it and the whole, so that those who failed together do not come back together.
        let wait = upper.mul_f64(0.5 + station.rng.unit() / 2.0);
        // Once more before the end of what still holds, and at it, so that its end is told.
        if self.registered { wait.min(left) } else { wait }
    }

    fn send(&mut self, station: &mut Station, now: Instant, id: RegistrationId, request: Request) {
        let to: Destination = station.live(self.wanted.to, super::dialog::address_of(&self.uri));
        self.sent = Some(station.start(now, request, to, Owner::Registration(id)));
    }

    /// After a challenge or 423: the same once more. `false`: there is nothing more to try.
    fn try_again(
        &mut self,
        station: &mut Station,
        now: Instant,
        (id, request): (RegistrationId, &Request),
        response: &Response,
    ) -> bool {
        if response.status == Status::INTERVAL_TOO_BRIEF && !self.leaving {
            let least = response.headers.number(HeaderName::MinExpires).unwrap_or(0);
            let least = Duration::from_secs(u64::from(least));
            if least > self.expires {
                self.expires = least;
                let again = self.request(station);
                self.send(station, now, id, again);
                return true;
            }
            return false;
        }
        let Some(digest) = self.digest.as_mut().filter(|_| is_challenge(response.status)) else {
            return false;
        };
        if !digest.challenged(&challenges(response)) {
            return false;
        }
        let Some(answer) = digest.answer(method_of(request), &request.uri.to_string(), &mut station.rng)
        else {
            return false;
        };
        let again = with_credentials(request, response.status, answer);
        self.number = again.cseq().map_or(self.number, |c| c.number);
        self.send(station, now, id, again);
        true
    }

    /// How long the registrar keeps our contact: its parameter, or the header, or what we asked.
    fn granted(&self, response: &Response) -> Duration {
        let ours = NameAddr::parse(&self.contact).map(|c| c.uri);
        let of_contact = match response.headers.contacts() {
            Some(Contacts::List(list)) => list
                .iter()
                .find(|c| ours.as_ref().is_some_and(|ours| ours.is_same_as(&c.uri)))
                .and_then(|c| c.params.get("expires").and_then(|e| e.parse().ok())),
            Some(Contacts::Star) | None => None,
        };
        let seconds = of_contact.or_else(|| response.headers.number(HeaderName::Expires));
        seconds.map_or(self.expires, |s| Duration::from_secs(u64::from(s)))
    }
}

impl Registration {
    fn contact_user(&self) -> &str {
        self.contact_user.as_deref().unwrap_or(&self.identity.user)
    }
}

/// The registrar understood us and does not want us; as opposed to one in trouble.
fn is_refusal(status: Status) -> bool {
    let code = status.code();
    (300..700).contains(&code) && !matches!(code, 408 | 430 | 480 | 500..=599)
}
