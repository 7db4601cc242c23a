//! The registrar for agents' phones, RFC 3261 section 10.3: who can be reached where, and until when.
//!
//! Requests for a contact go over the flow that it registered by: the connection, or the address that the datagram came
//! from, whatever the contact URI says; so phones behind a NAT are reached.
//!
//! Invariant: a user in `users` has at least one binding, and every binding is in `by_expiry` once.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::dialog::address_of;
use super::event::{Binding, SipEvent, StoredBinding};
use super::message::{Request, Status};
use super::name::HeaderName;
use super::settings::UserAgentLimits;
use super::station::Station;
use super::transport::{ConnId, Destination, ListenerId, Source};
use super::uri::AddrSpec;
use super::value::{Contacts, NameAddr};
use crate::base::Instant;

/// One contact of one user.
#[derive(Clone, Debug)]
struct Bound {
    number: u64,
    uri: AddrSpec,
    to: Destination,
    expires: Instant,
    call_id: String,
    cseq: u32,
}

/// How a REGISTER is answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 200: these contacts, with the seconds they still hold.
    Bindings(Vec<(String, u64)>),
    /// A refusal.
    Refused(Status),
    /// 423: at least this many seconds.
    TooBrief(u64),
}

/// A REGISTER.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// Whose, proved by digest.
    pub(crate) user: &'a str,
    pub(crate) request: &'a Request,
    pub(crate) source: &'a Source,
}

/// What a Contact asks for.
struct Wish {
    uri: AddrSpec,
    expires: Duration,
}

/// All bindings.
#[derive(Debug)]
pub(crate) struct Registrar {
    limits: UserAgentLimits,
    /// Freshest last.
    users: BTreeMap<String, Vec<Bound>>,
    by_expiry: BTreeSet<(Instant, u64, String)>,
    /// Whose bindings hang on a connection.
    by_conn: BTreeSet<(ConnId, String)>,
    last_number: u64,
    /// Users whose bindings are not as they were last handed out by `poll_changed`.
    changed: BTreeSet<String>,
}

impl Registrar {
    pub(crate) const fn new(limits: UserAgentLimits) -> Self {
        Self {
            limits,
            users: BTreeMap::new(),
            by_expiry: BTreeSet::new(),
            by_conn: BTreeSet::new(),
            last_number: 0,
            changed: BTreeSet::new(),
        }
    }
    /// How many bindings there are.
    pub(crate) fn len(&self) -> usize {
        self.by_expiry.len()
    }
    /// When the next binding expires.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.by_expiry.first().map(|(at, _, _)| *at)
    }
    /// The freshest contact of a user.
    pub(crate) fn contact(&self, user: &str) -> Option<Binding> {
        self.users.get(user).and_then(|all| all.last()).map(Bound::shown)
    }
    /// All contacts of a user, the freshest first.
    pub(crate) fn contacts(&self, user: &str) -> Vec<Binding> {
        self.users.get(user).into_iter().flatten().rev().map(Bound::shown).collect()
    }

    /// A REGISTER.
    pub(crate) fn handle_register(
        &mut self,
        station: &mut Station,
        now: Instant,
        asked: &Asked<'_>,
    ) -> Outcome {
        let user = asked.user;
        let before = self.contact(user).map(|b| (b.uri, b.to));
        let outcome = self.apply(station, now, asked);
        let after = self.contact(user).map(|b| (b.uri, b.to));
        if outcome.is_ok() && after.is_some() && before == after {
            station.report(SipEvent::Renewed { user: user.to_owned() });
        }
        self.report_change(station, user, before);
        match outcome {
            Err(refusal) => refusal,
            Ok(()) => Outcome::Bindings(self.listing(now, user)),
        }
    }

    fn apply(&mut self, station: &mut Station, now: Instant, asked: &Asked<'_>) -> Result<(), Outcome> {
        let Asked { user, request, .. } = *asked;
        let bad = || Outcome::Refused(Status::BAD_REQUEST);
        let expires = request.headers.number(HeaderName::Expires);
        match request.headers.contacts().ok_or_else(bad)? {
            Contacts::Star if expires == Some(0) => {
                self.check_order(user, None, request)?;
                self.remove_all(user);
            }
            Contacts::Star => return Err(bad()),
            Contacts::List(list) if list.len() > self.limits.contacts_per_user => {
                return Err(Outcome::Refused(Status::FORBIDDEN));
            }
            Contacts::List(list) => {
                let wishes = list.iter().map(|c| self.wish(c, expires)).collect::<Result<Vec<_>, _>>()?;
                for wish in &wishes {
                    self.check_order(user, Some(&wish.uri), request)?;
                }
                if !self.users.contains_key(user) && self.users.len() >= self.limits.bound_users {
                    station.counts.users_refused += 1;
                    return Err(Outcome::Refused(Status::SERVICE_UNAVAILABLE));
                }
                for wish in wishes {
                    self.bind(station, now, asked, wish);
                }
            }
        }
        Ok(())
    }

    /// How long a contact should hold: its own `expires`, the header's, or the longest.
    fn wish(&self, contact: &NameAddr, header: Option<u32>) -> Result<Wish, Outcome> {
        let own = contact.params.get("expires").map(|text| text.parse::<u32>().unwrap_or(u32::MAX));
        let asked = own.or(header).map_or(self.limits.expires_max, |s| Duration::from_secs(u64::from(s)));
        if !asked.is_zero() && asked < self.limits.expires_min {
            return Err(Outcome::TooBrief(self.limits.expires_min.as_secs()));
        }
        Ok(Wish { uri: contact.uri.clone(), expires: asked.min(self.limits.expires_max) })
    }

    /// Section 10.3, step 7: within one Call-ID the numbers must rise, or the whole request is refused.
    fn check_order(&self, user: &str, uri: Option<&AddrSpec>, request: &Request) -> Result<(), Outcome> {
        let (call_id, number) = (request.call_id(), request.cseq().map_or(0, |c| c.number));
        let late = self.users.get(user).into_iter().flatten().any(|bound| {
            uri.is_none_or(|uri| uri.is_same_as(&bound.uri))
                && bound.call_id == call_id
                && number <= bound.cseq
        });
        if late { Err(Outcome::Refused(Status::SERVER_ERROR)) } else { Ok(()) }
    }

    fn bind(&mut self, station: &mut Station, now: Instant, asked: &Asked<'_>, wish: Wish) {
        let Asked { user, request, source } = *asked;
        self.remove(user, |bound| bound.uri.is_same_as(&wish.uri));
        if wish.expires.is_zero() {
            return;
        }
        let to = match source.conn {
            Some(conn) => Destination::Stream { conn },
            None => Destination::Datagram { listener: source.listener, to: source.remote },
        };
        let cseq = request.cseq().map_or(0, |c| c.number);
        let call_id = request.call_id().to_owned();
        self.add(user, Bound { number: 0, uri: wish.uri, to, expires: now + wish.expires, call_id, cseq });
        let over = self.users.get(user).filter(|all| all.len() > self.limits.contacts_per_user);
        if let Some(oldest) = over.and_then(|all| all.first()).map(|b| b.number) {
            station.counts.bindings_displaced += 1;
            self.remove(user, |bound| bound.number == oldest);
        }
    }

    fn add(&mut self, user: &str, mut bound: Bound) {
        self.changed.insert(user.to_owned());
        self.last_number += 1;
        bound.number = self.last_number;
        self.by_expiry.insert((bound.expires, bound.number, user.to_owned()));
        if let Destination::Stream { conn } = bound.to {
            self.by_conn.insert((conn, user.to_owned()));
        }
        self.users.entry(user.to_owned()).or_default().push(bound);
    }

    fn remove(&mut self, user: &str, goes: impl Fn(&Bound) -> bool) {
        let Some(all) = self.users.get_mut(user) else { return };
        for bound in all.extract_if(.., |bound| goes(bound)) {
            self.by_expiry.remove(&(bound.expires, bound.number, user.to_owned()));
            self.changed.insert(user.to_owned());
        }
        if all.is_empty() {
            self.users.remove(user);
        }
    }
    fn remove_all(&mut self, user: &str) {
        self.remove(user, |_| true);
    }

    fn listing(&self, now: Instant, user: &str) -> Vec<(String, u64)> {
        let all = self.users.get(user).into_iter().flatten();
        all.map(|bound| (bound.uri.to_string(), bound.expires.since(now).as_secs())).collect()
    }

    fn report_change(&self, station: &mut Station, user: &str, before: Option<(String, Destination)>) {
        let after = self.contact(user).map(|b| (b.uri, b.to));
        let user = user.to_owned();
        match (before, after) {
            (before, Some(after)) if before.as_ref() != Some(&after) => {
                station.report(SipEvent::Registered { user, contact: after.0 });
            }
            (Some(_), None) => station.report(SipEvent::Unregistered { user }),
            (Some(_) | None, Some(_)) | (None, None) => {}
        }
    }

    /// Removes what has expired.
    pub(crate) fn handle_timeout(&mut self, station: &mut Station, now: Instant) {
        while let Some((at, number, user)) = self.by_expiry.first().cloned() {
            if at > now {
                return;
            }
            station.counts.touched += 1;
            let before = self.contact(&user).map(|b| (b.uri, b.to));
            self.remove(&user, |bound| bound.number == number);
            self.by_expiry.remove(&(at, number, user.clone()));
            self.report_change(station, &user, before);
        }
    }

    /// A connection is gone: its contacts are reached by a new one to their own address, if they name one.
    pub(crate) fn connection_lost(&mut self, station: &mut Station, conn: ConnId, listener: ListenerId) {
        let first = (conn, String::new());
        let users: Vec<_> = self.by_conn.range(first..).take_while(|(c, _)| *c == conn).cloned().collect();
        for key in users {
            for bound in self.users.get_mut(&key.1).into_iter().flatten() {
                if bound.to == (Destination::Stream { conn })
                    && let Some(to) = address_of(&bound.uri)
                {
                    bound.to = Destination::Connect { listener, to };
                }
            }
            self.by_conn.remove(&key);
            station.report(SipEvent::FlowLost { user: key.1 });
        }
    }

    /// Drops the bindings of users who have no account any more.
    pub(crate) fn retain(&mut self, station: &mut Station, stays: impl Fn(&str) -> bool) {
        let gone: Vec<_> = self.users.keys().filter(|user| !stays(user)).cloned().collect();
        for user in gone {
            self.remove_all(&user);
            station.report(SipEvent::Unregistered { user });
        }
    }

    /// A user whose bindings were made, renewed or ended since the last call for him, with those he has now.
    pub(crate) fn poll_changed(
        &mut self,
        now: Instant,
        station: &Station,
    ) -> Option<(String, Vec<StoredBinding>)> {
        let user = self.changed.pop_first()?;
        let all = self.users.get(&user).into_iter().flatten();
        let stored = all.map(|bound| bound.stored(&user, now, station)).collect();
        Some((user, stored))
    }

    /// All bindings, to be kept over a restart.
    pub(crate) fn export(&self, now: Instant, station: &Station) -> Vec<StoredBinding> {
        let each = |(user, all): (&String, &Vec<Bound>)| -> Vec<StoredBinding> {
            all.iter().map(|bound| bound.stored(user, now, station)).collect()
        };
        self.users.iter().flat_map(each).collect()
    }

    /// Takes bindings back after a restart; what cannot be read is left out.
    pub(crate) fn import(&mut self, station: &mut Station, now: Instant, stored: Vec<StoredBinding>) {
        for one in stored {
            let Some(uri) = AddrSpec::parse(&one.uri).filter(|_| !one.remaining.is_zero()) else { continue };
            let before = self.contact(&one.user).map(|b| (b.uri, b.to));
            self.remove(&one.user, |bound| bound.uri.is_same_as(&uri));
            let expires = now + one.remaining.min(self.limits.expires_max);
            let bound =
                Bound { number: 0, uri, to: one.to, expires, call_id: one.sip_call_id, cseq: one.cseq };
            self.add(&one.user, bound);
            self.report_change(station, &one.user, before);
        }
    }
}

impl Bound {
    fn shown(&self) -> Binding {
        Binding { uri: self.uri.to_string(), to: self.to, expires: self.expires }
    }

    fn stored(&self, user: &str, now: Instant, station: &Station) -> StoredBinding {
        StoredBinding {
            user: user.to_owned(),
            uri: self.uri.to_string(),
            to: station.without_connection(self.to, address_of(&self.uri)),
            remaining: self.expires.since(now),
            sip_call_id: self.call_id.clone(),
            cseq: self.cseq,
        }
    }
}
