//! The door of the room: [`UserAgent`], the SIP of one server. Bytes in, bytes out, and between them calls, phones and
//! keys. RFC 3261; what is served: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REGISTER, REFER.
//!
//! It only routes: transactions match, `invite` keeps calls, `registrar` phones, `registration` our own registrations,
//! `auth` proves. Invariant: one input touches the part that it is for, never all of them.
mod calls;
mod dispatch;
mod door;
mod names;
mod phones;
mod referrals;

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::auth::DigestServer;
use super::event::{RequestId, SipEvent, Trace, UserAgentCounts};
use super::invite::Invites;
use super::message::Method;
use super::registrar::Registrar;
use super::registration::Registrations;
use super::settings::UserAgentSettings;
use super::station::{Station, TimerName};
use super::trace::TraceLog;
use super::transaction::TransactionCounters;
use super::transport::{ConnId, Destination, ListenerId, Source, Transmit};
use super::wire::{Frame, Framer, PONG, Verdict, Wire, WireCounters};
use crate::base::{Deadline, Instant, Lookup, Rng, earliest};

/// The methods that we serve; the wire layer answers the others.
const SERVED: [Method; 12] = [
    Method::Invite,
    Method::Ack,
    Method::Cancel,
    Method::Bye,
    Method::Options,
    Method::Info,
    Method::PRack,
    Method::Update,
    Method::Register,
    Method::Refer,
    Method::Subscribe,
    Method::Notify,
];

/// SIP without sockets: one value for one server. See the room.
pub struct UserAgent {
    settings: UserAgentSettings,
    station: Station,
    digest: DigestServer,
    invites: Invites,
    registrar: Registrar,
    registrations: Registrations,
    wire: Wire,
    framers: Lookup<ConnId, Framer>,
    /// Connections that `io` should close.
    closing: VecDeque<ConnId>,
    trace: TraceLog,
    door: door::Door,
    last_request: u64,
    now: Instant,
}

impl UserAgent {
    /// Without calls. `rng` gives tags, branches, Call-IDs and nonces.
    pub fn new(settings: UserAgentSettings, rng: &Rng) -> Self {
        let limits = settings.limits;
        let digest = DigestServer::new(
            settings.realm.clone(),
            settings.digest.clone(),
            limits.nonce_lifetime,
            limits.nonces,
            rng.fork("nonces"),
        );
        let mut station = Station::new(settings.listeners.clone(), settings.server_name.clone(), rng);
        station.session = settings.session;
        Self {
            station,
            digest,
            invites: Invites::default(),
            registrar: Registrar::new(limits),
            registrations: Registrations::default(),
            wire: Wire::new(SERVED.to_vec()),
            framers: Lookup::new(),
            closing: VecDeque::new(),
            trace: TraceLog::new(if settings.trace { limits.trace } else { 0 }),
            door: door::Door::new(rng),
            last_request: 0,
            now: Instant::ZERO,
            settings,
        }
    }

    fn lift(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.station.now = self.now;
        self.now
    }

    // The world.

    /// A datagram came in at `listener` from `from`.
    pub fn handle_datagram(&mut self, now: Instant, listener: ListenerId, from: SocketAddr, bytes: &[u8]) {
        let now = self.lift(now);
        let Some(local) = self.station.listener(listener).map(|l| l.local) else { return };
        let source = Source { listener, remote: from, local, conn: None };
        self.handle_message(now, source, bytes);
    }

    /// A connection stands: accepted, or opened for a [`Destination::Connect`].
    pub fn stream_opened(&mut self, now: Instant, conn: ConnId, listener: ListenerId, remote: SocketAddr) {
        let now = self.lift(now);
        if self.station.connections() >= self.settings.limits.connections {
            self.station.counts.connections_refused += 1;
            self.closing.push_back(conn);
            return;
        }
        self.station.open(conn, listener, remote);
        self.framers.insert(conn, Framer::default());
        self.station.timers.set(TimerName::Stream(conn), now + self.settings.limits.request);
    }

    /// Bytes came in on a connection.
    pub fn handle_stream(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        let now = self.lift(now);
        let (Some(source), Some(mut framer)) = (self.station.stream_source(conn), self.framers.remove(&conn))
        else {
            return;
        };
        framer.push(bytes);
        let mut whole = false;
        while let Some(frame) = framer.poll() {
            match frame {
                Frame::Message(message) => {
                    whole = true;
                    self.handle_message(now, source, &message);
                }
                Frame::Ping => {
                    let pong = Transmit::new(Destination::Stream { conn }, PONG.to_vec());
                    self.station.send_raw(pong);
                }
                Frame::Close(_) => {
                    self.station.counts.connections_garbled += 1;
                    self.closing.push_back(conn);
                }
            }
        }
        self.watch_stream(now, conn, whole, framer.is_amid_message());
        self.framers.insert(conn, framer);
    }

    /// A message must be whole within its time; what came in between does not count, however often it comes.
    fn watch_stream(&mut self, now: Instant, conn: ConnId, whole: bool, amid: bool) {
        let timer = TimerName::Stream(conn);
        if amid && (whole || !self.station.timers.has(&timer)) {
            self.station.timers.set(timer, now + self.settings.limits.request);
        } else if whole {
            self.station.timers.clear(&timer);
        }
    }

    /// A connection is gone, whoever closed it.
    pub fn stream_closed(&mut self, now: Instant, conn: ConnId) {
        let now = self.lift(now);
        self.framers.remove(&conn);
        self.station.timers.clear(&TimerName::Stream(conn));
        if let Some(source) = self.station.stream_source(conn) {
            self.station.close(conn);
            self.registrar.connection_lost(&mut self.station, conn, source.listener);
            self.station.transactions.connection_lost(now, source.listener, conn, source.remote);
        }
        self.settle(now);
    }

    /// A connection for a [`Destination::Connect`] could not be opened.
    pub fn connect_failed(&mut self, now: Instant, listener: ListenerId, to: SocketAddr) {
        let now = self.lift(now);
        self.station.transactions.transport_failed(now, Destination::Connect { listener, to });
        self.settle(now);
    }

    /// The network says that a datagram of ours found nobody (ICMP, RFC 3261 section 18.4): requests of ours to that
    /// address that nothing came to have failed.
    pub fn unreachable(&mut self, now: Instant, listener: ListenerId, to: SocketAddr) {
        let now = self.lift(now);
        self.station.transactions.unreachable(now, Destination::Datagram { listener, to });
        self.settle(now);
    }

    fn handle_message(&mut self, now: Instant, source: Source, bytes: &[u8]) {
        if self.wire.is_ack_to(bytes, door::MARK) {
            return;
        }
        let verdict = self.wire.read(&source, bytes);
        if let Verdict::Request(request) = &verdict
            && self.turns_away(&source, request)
        {
            return;
        }
        self.trace.take(now, false, Some(source.remote), bytes);
        match verdict {
            Verdict::Request(request) => self.station.transactions.handle_request(now, source, request),
            Verdict::Response(response) => self.station.transactions.handle_response(now, source, response),
            Verdict::Answer(transmit) => self.station.send_raw(transmit),
            Verdict::Dropped(_) => {}
        }
        self.settle(now);
    }

    /// The moment of [`UserAgent::next_deadline`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.lift(now);
        self.station.transactions.handle_timeout(now);
        self.settle(now);
        while let Some(timer) = self.station.timers.pop_due(now) {
            match timer {
                TimerName::Invite(id, timer) => {
                    self.invites.with(&mut self.station, id, |invite, station| {
                        invite.handle_timer(station, now, timer);
                    });
                }
                TimerName::Registration(id) => self.registrations.refresh(&mut self.station, now, id),
                TimerName::Stream(conn) => {
                    self.station.counts.connections_slow += 1;
                    self.closing.push_back(conn);
                }
            }
            self.settle(now);
        }
        self.registrar.handle_timeout(&mut self.station, now);
        self.locate_timeout(now);
    }

    /// When it wants to be woken, and why.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let timer = self.station.timers.next().map(|(at, name)| Deadline::new(at, name.why()));
        let expiry = self.registrar.next_expiry().map(|at| Deadline::new(at, "sip binding expires"));
        let names = self.station.locator.next_deadline();
        earliest(self.station.transactions.next_deadline(), earliest(timer, earliest(expiry, names)))
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.station.poll_transmit()?;
        let peer = self.station.peer(&transmit.to);
        self.trace.take(self.now, true, peer, &transmit.bytes);
        Some(transmit)
    }

    /// The address that a destination stands for; `None` when its connection is gone.
    pub fn address_of(&self, to: &Destination) -> Option<SocketAddr> {
        self.station.peer(to)
    }

    /// The next connection to be closed once all that waits for it is sent: what came on it was no SIP, or there are
    /// too many.
    pub fn poll_close(&mut self) -> Option<ConnId> {
        self.closing.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<SipEvent> {
        self.station.poll_event()
    }

    /// The next message in or out, if settings ask for them.
    pub fn poll_trace(&mut self) -> Option<Trace> {
        self.trace.poll()
    }

    /// What the wire layer counted.
    pub const fn wire_counts(&self) -> &WireCounters {
        self.wire.counters()
    }
    /// What the transactions counted.
    pub const fn transaction_counts(&self) -> &TransactionCounters {
        self.station.transactions.counters()
    }
    /// What was counted.
    pub fn counts(&self) -> UserAgentCounts {
        UserAgentCounts {
            nonces_displaced: self.digest.displaced(),
            digests_refused: self.digest.refused(),
            traces_dropped: self.trace.dropped(),
            large_as_datagrams: self.station.transactions.counters().fell_back,
            ..self.station.counts
        }
    }

    /// How much it holds at the moment.
    pub fn held(&self) -> Held {
        Held {
            invites: self.invites.len(),
            live: self.invites.live(),
            transactions: self.station.transactions.len(),
            owners: self.station.owned(),
            timers: self.station.timers.len(),
            bindings: self.registrar.len(),
            registrations: self.registrations.len(),
            nonces: self.digest.remembered(),
            connections: self.station.connections(),
        }
    }

    fn next_request(&mut self) -> RequestId {
        self.last_request += 1;
        RequestId(self.last_request)
    }
}

/// The sizes of a user agent's tables: for metrics, and for tests that nothing leaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Invites, answered or not, finished ones that linger too.
    pub invites: usize,
    /// Those of them that are not over.
    pub live: usize,
    /// Transactions.
    pub transactions: usize,
    /// Transactions that somebody waits for.
    pub owners: usize,
    /// Timers beside those of transactions.
    pub timers: usize,
    /// Contacts of phones.
    pub bindings: usize,
    /// Registrations of ours.
    pub registrations: usize,
    /// Nonces whose counts are remembered.
    pub nonces: usize,
    /// Connections.
    pub connections: usize,
}
