//! User agents joined by a simulated network: delay, loss, duplication and reordering from a seed; streams that keep
//! their order and lose nothing. One heap of what is under way, one clock, no sleep.
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use hotline::base::{Instant, Rng};
use hotline::sip::{
    Account, ConnId, Credentials, Destination, Held, Identity, InviteId, Ladder, Listener, ListenerId,
    ListenerTransport, OutgoingInvite, SipEvent, Status, Trace, Transmit, UserAgent, UserAgentSettings,
};

pub(crate) const UDP: ListenerId = ListenerId(0);
pub(crate) const TCP: ListenerId = ListenerId(1);
pub(crate) const REALM: &str = "hotline";

/// How the network treats datagrams; chances in percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) delay: Duration,
    /// Up to this much more, so that datagrams overtake each other.
    pub(crate) jitter: Duration,
    pub(crate) loss: u64,
    pub(crate) duplication: u64,
}

impl Weather {
    pub(crate) const FINE: Self =
        Self { delay: Duration::from_millis(10), jitter: Duration::ZERO, loss: 0, duplication: 0 };
    pub(crate) const STORM: Self = Self {
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(60),
        loss: 10,
        duplication: 10,
    };
}

enum Flight {
    Datagram { to: usize, from: SocketAddr, bytes: Vec<u8> },
    Opened { to: usize, conn: ConnId, remote: SocketAddr },
    Bytes { to: usize, conn: ConnId, bytes: Vec<u8> },
    Closed { to: usize, conn: ConnId },
    Refused { to: usize, remote: SocketAddr },
}

pub(crate) struct Party {
    pub(crate) name: &'static str,
    pub(crate) ua: UserAgent,
    pub(crate) at: SocketAddr,
    pub(crate) events: VecDeque<SipEvent>,
    pub(crate) traces: Vec<Trace>,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) parties: Vec<Party>,
    pub(crate) weather: Weather,
    pub(crate) ladder: Ladder,
    /// Messages to lose on purpose: a beginning, and how many of them still.
    pub(crate) drop_next: Vec<(&'static str, usize)>,
    /// Nobody is told of UPDATE: all offers go by re-INVITE.
    pub(crate) hides_update: bool,
    /// Nobody takes connections.
    pub(crate) refuses_streams: bool,
    rng: Rng,
    flights: BTreeMap<(Instant, u64), Flight>,
    last: u64,
    /// Both ends of each stream: (party, its number) to (party, its number).
    streams: BTreeMap<(usize, ConnId), (usize, ConnId)>,
    connected: BTreeMap<(usize, SocketAddr), ConnId>,
    last_conn: u64,
}

pub(crate) fn settings(at: SocketAddr) -> UserAgentSettings {
    let listener = |id, transport| Listener { id, transport, local: at, advertised: at };
    let listeners = vec![listener(UDP, ListenerTransport::Udp), listener(TCP, ListenerTransport::Tcp)];
    UserAgentSettings { trace: true, ..UserAgentSettings::new(listeners, REALM) }
}

pub(crate) fn account(user: &str, password: &str) -> (String, Account) {
    (user.to_owned(), Account::from_password(user, REALM, password))
}

pub(crate) fn credentials(user: &str, password: &str) -> Credentials {
    Credentials { user: user.to_owned(), password: password.to_owned(), realm: None }
}

impl World {
    pub(crate) fn new(seed: u64, weather: Weather) -> Self {
        Self {
            now: Instant::from_secs(1),
            parties: Vec::new(),
            weather,
            ladder: Ladder::default(),
            drop_next: Vec::new(),
            hides_update: false,
            refuses_streams: false,
            rng: Rng::from_number(seed),
            flights: BTreeMap::new(),
            last: 0,
            streams: BTreeMap::new(),
            connected: BTreeMap::new(),
            last_conn: 0,
        }
    }

    /// Two of them: 0 is alice, 1 is bob.
    pub(crate) fn two(seed: u64, weather: Weather) -> Self {
        let mut world = Self::new(seed, weather);
        world.add("alice", |s| s);
        world.add("bob", |s| s);
        world
    }

    pub(crate) fn add(
        &mut self,
        name: &'static str,
        set: impl FnOnce(UserAgentSettings) -> UserAgentSettings,
    ) -> usize {
        let index = self.parties.len();
        let at: SocketAddr = format!("192.0.2.{}:5060", index + 1).parse().unwrap();
        let ua = UserAgent::new(set(settings(at)), &self.rng.fork(name));
        self.parties.push(Party { name, ua, at, events: VecDeque::new(), traces: Vec::new() });
        self.ladder = Ladder::new(&self.parties.iter().map(|p| p.name).collect::<Vec<_>>());
        index
    }

    pub(crate) fn ua(&mut self, party: usize) -> &mut UserAgent {
        &mut self.parties[party].ua
    }

    pub(crate) fn outgoing(&self, from: usize, to: usize) -> OutgoingInvite {
        let (me, you) = (&self.parties[from], &self.parties[to]);
        OutgoingInvite {
            request_uri: format!("sip:{}@{}", you.name, you.at),
            to: Destination::Datagram { listener: UDP, to: you.at },
            route: Vec::new(),
            from: Identity { user: me.name.to_owned(), host: String::new(), display: String::new() },
            extra_headers: Vec::new(),
            offer: Some(format!("offer of {}", me.name).into_bytes()),
            credentials: None,
        }
    }

    pub(crate) fn invite(&mut self, from: usize, to: usize) -> InviteId {
        let wanted = self.outgoing(from, to);
        self.invite_as(from, wanted)
    }

    pub(crate) fn invite_as(&mut self, from: usize, wanted: OutgoingInvite) -> InviteId {
        let now = self.now;
        let id = self.ua(from).invite(now, wanted);
        self.drain();
        id
    }

    /// Lets a party do something now.
    pub(crate) fn with<T>(&mut self, party: usize, act: impl FnOnce(&mut UserAgent, Instant) -> T) -> T {
        let now = self.now;
        let result = act(self.ua(party), now);
        self.drain();
        result
    }

    /// Takes all that the user agents want to send and say.
    pub(crate) fn drain(&mut self) {
        for party in 0..self.parties.len() {
            while let Some(transmit) = self.ua(party).poll_transmit() {
                self.send(party, transmit);
            }
            while let Some(event) = self.ua(party).poll_event() {
                self.parties[party].events.push_back(event);
            }
            while let Some(trace) = self.ua(party).poll_trace() {
                self.parties[party].traces.push(trace);
            }
        }
    }

    fn fly(&mut self, after: Duration, flight: Flight) {
        self.last += 1;
        self.flights.insert((self.now + after, self.last), flight);
    }

    fn party_at(&self, at: SocketAddr) -> Option<usize> {
        self.parties.iter().position(|p| p.at == at)
    }

    fn send(&mut self, from: usize, transmit: Transmit) {
        let Transmit { to, mut bytes, .. } = transmit;
        if self.hides_update {
            let text = String::from_utf8_lossy(&bytes).replace(", UPDATE", "");
            bytes = text.into_bytes();
        }
        match to {
            Destination::Datagram { to, .. } => self.send_datagram(from, to, &bytes),
            Destination::Stream { conn } => self.send_bytes(from, conn, bytes),
            Destination::Connect { to, .. } if self.refuses_streams => {
                self.fly(self.weather.delay, Flight::Refused { to: from, remote: to });
            }
            Destination::Connect { to, .. } => {
                let conn = self.connect(from, to);
                self.send_bytes(from, conn, bytes);
            }
        }
    }

    fn is_dropped_on_purpose(&mut self, bytes: &[u8]) -> bool {
        let found =
            self.drop_next.iter_mut().find(|(start, n)| *n > 0 && bytes.starts_with(start.as_bytes()));
        found.is_some_and(|(_, n)| {
            *n -= 1;
            true
        })
    }

    fn send_datagram(&mut self, from: usize, to: SocketAddr, bytes: &[u8]) {
        let (me, at) = (self.parties[from].name, self.parties[from].at);
        let Some(to) = self.party_at(to) else { return };
        let lost = self.is_dropped_on_purpose(bytes) || self.rng.below(100) < self.weather.loss;
        let you = self.parties[to].name;
        if lost {
            return self.ladder.lost(self.now, me, you, bytes);
        }
        self.ladder.message(self.now, me, you, bytes);
        let copies = if self.rng.below(100) < self.weather.duplication { 2 } else { 1 };
        for _ in 0..copies {
            let jitter_ms = u64::try_from(self.weather.jitter.as_millis()).unwrap();
            let delay = self.weather.delay + Duration::from_millis(self.rng.below(jitter_ms + 1));
            self.fly(delay, Flight::Datagram { to, from: at, bytes: bytes.to_vec() });
        }
    }

    fn connect(&mut self, from: usize, to: SocketAddr) -> ConnId {
        if let Some(conn) = self.connected.get(&(from, to)) {
            return *conn;
        }
        let at = self.parties[from].at;
        let (mine, theirs) = (ConnId(self.last_conn + 1), ConnId(self.last_conn + 2));
        self.last_conn += 2;
        let now = self.now;
        self.connected.insert((from, to), mine);
        self.ua(from).stream_opened(now, mine, TCP, to);
        if let Some(peer) = self.party_at(to) {
            self.streams.insert((from, mine), (peer, theirs));
            self.streams.insert((peer, theirs), (from, mine));
            // A client's port is not the one it listens on.
            let remote = SocketAddr::new(at.ip(), 40_000 + u16::try_from(self.last_conn).unwrap());
            self.fly(self.weather.delay, Flight::Opened { to: peer, conn: theirs, remote });
        }
        mine
    }

    fn send_bytes(&mut self, from: usize, conn: ConnId, bytes: Vec<u8>) {
        let Some((to, conn)) = self.streams.get(&(from, conn)).copied() else { return };
        self.ladder.message(self.now, self.parties[from].name, self.parties[to].name, &bytes);
        self.fly(self.weather.delay, Flight::Bytes { to, conn, bytes });
    }

    /// Cuts every stream of a party.
    pub(crate) fn cut_streams(&mut self, party: usize) {
        let ends: Vec<_> =
            self.streams.iter().filter(|((p, _), _)| *p == party).map(|(a, b)| (*a, *b)).collect();
        for (mine, theirs) in ends {
            for (to, conn) in [mine, theirs] {
                self.streams.remove(&(to, conn));
                self.connected.retain(|_, c| *c != conn);
                self.fly(Duration::ZERO, Flight::Closed { to, conn });
            }
        }
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        let flight = self.flights.first_key_value().map(|((at, _), _)| *at);
        let timers = self.parties.iter().filter_map(|p| p.ua.next_deadline().map(|d| d.at)).min();
        flight.into_iter().chain(timers).min()
    }

    /// The next thing under way, or the next timer. `false`: nothing will ever happen again.
    pub(crate) fn step(&mut self) -> bool {
        let Some(at) = self.next_at() else { return false };
        self.now = self.now.max(at);
        let now = self.now;
        if self.flights.first_key_value().is_some_and(|((at, _), _)| *at <= now) {
            let (_, flight) = self.flights.pop_first().unwrap();
            match flight {
                Flight::Datagram { to, from, bytes } => self.ua(to).handle_datagram(now, UDP, from, &bytes),
                Flight::Opened { to, conn, remote } => self.ua(to).stream_opened(now, conn, TCP, remote),
                Flight::Bytes { to, conn, bytes } => self.ua(to).handle_stream(now, conn, &bytes),
                Flight::Closed { to, conn } => self.ua(to).stream_closed(now, conn),
                Flight::Refused { to, remote } => self.ua(to).connect_failed(now, TCP, remote),
            }
        } else {
            for party in 0..self.parties.len() {
                if self.parties[party].ua.next_deadline().is_some_and(|d| d.at <= now) {
                    self.ua(party).handle_timeout(now);
                }
            }
        }
        self.drain();
        true
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.next_at().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Runs until a party is told what `want` accepts; everything it is told before is dropped.
    pub(crate) fn expect<T>(&mut self, party: usize, want: impl Fn(&SipEvent) -> Option<T>) -> T {
        let mut seen = Vec::new();
        for _ in 0..10_000 {
            while let Some(event) = self.parties[party].events.pop_front() {
                if let Some(found) = want(&event) {
                    return found;
                }
                seen.push(event);
            }
            if !self.step() {
                break;
            }
        }
        panic!("{} was never told; it heard {seen:#?}\n{}", self.parties[party].name, self.ladder.draw());
    }

    pub(crate) fn expect_incoming(&mut self, party: usize) -> InviteId {
        self.expect(party, |e| match e {
            SipEvent::Incoming(incoming) => Some(incoming.invite),
            _ => None,
        })
    }

    pub(crate) fn expect_answered(&mut self, party: usize) -> Option<Vec<u8>> {
        self.expect(party, |e| match e {
            SipEvent::Answered { sdp, .. } => Some(sdp.clone()),
            _ => None,
        })
    }

    pub(crate) fn expect_ended(&mut self, party: usize) -> hotline::sip::EndReason {
        self.expect(party, |e| match e {
            SipEvent::Ended { why, .. } => Some(*why),
            _ => None,
        })
    }

    /// The status with which a party's call failed.
    pub(crate) fn expect_failed(&mut self, party: usize) -> Status {
        self.expect(party, |e| match e {
            SipEvent::Failed { status, .. } => Some(*status),
            _ => None,
        })
    }

    /// The offer that a party gets in a call that stands.
    pub(crate) fn expect_reoffer(&mut self, party: usize) -> Option<Vec<u8>> {
        self.expect(party, |e| match e {
            SipEvent::Reoffer { offer, .. } => Some(offer.clone()),
            _ => None,
        })
    }

    pub(crate) fn expect_reoffer_answered(&mut self, party: usize) -> Option<Vec<u8>> {
        self.expect(party, |e| match e {
            SipEvent::ReofferAnswered { sdp, .. } => Some(sdp.clone()),
            _ => None,
        })
    }

    pub(crate) fn reoffer(&mut self, party: usize, invite: InviteId, offer: &str) {
        self.with(party, |ua, now| ua.reoffer(now, invite, offer.as_bytes().to_vec()));
    }

    pub(crate) fn answer_reoffer(&mut self, party: usize, invite: InviteId, answer: &str) {
        self.with(party, |ua, now| ua.answer_reoffer(now, invite, answer.as_bytes().to_vec()));
    }

    /// A call from 0 that has come to 1: the two ends.
    pub(crate) fn call(&mut self) -> (InviteId, InviteId) {
        let out = self.invite(0, 1);
        (out, self.expect_incoming(1))
    }

    pub(crate) fn answer(&mut self, party: usize, invite: InviteId, answer: &str) {
        self.with(party, |ua, now| ua.answer(now, invite, answer.as_bytes().to_vec()));
    }

    pub(crate) fn early_sound(&mut self, party: usize, invite: InviteId) {
        self.with(party, |ua, now| ua.progress(now, invite, b"early".to_vec()));
    }

    /// Says BYE, CANCEL or no, as it is due.
    pub(crate) fn end(&mut self, party: usize, invite: InviteId) {
        self.with(party, |ua, now| ua.end(now, invite));
    }

    /// A call from 0 to 1 that stands: the two ends.
    pub(crate) fn talk(&mut self) -> (InviteId, InviteId) {
        let (out, incoming) = self.call();
        self.answer(1, incoming, "answer of bob");
        self.expect_answered(0);
        self.expect(1, |e| matches!(e, SipEvent::Acknowledged { .. }).then_some(()));
        (out, incoming)
    }

    /// Long enough for every timer of RFC 3261 to have run out; then nothing may be held.
    pub(crate) fn assert_nothing_leaks(&mut self) {
        self.run_for(Duration::from_secs(100));
        for party in &self.parties {
            let held = Held { connections: 0, nonces: 0, bindings: 0, registrations: 0, ..party.ua.held() };
            assert_eq!(held, Held::default(), "{} holds something\n{}", party.name, self.ladder.draw());
        }
    }
}
