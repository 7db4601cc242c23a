//! What every procedure of a user agent needs: its place in the network (listeners, connections), chance, the
//! transactions and who waits for them, the timers, and the queues of what it hands out.
//!
//! Invariant: an open transaction of ours is in `owners` exactly while `transactions` may still report about it.
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::dialog::Dialog;
use super::event::{EndReason, InviteId, RegistrationId, RequestId, SipEvent, UserAgentCounts};
use super::locate::{self, Locator, Target};
use super::message::{Request, Response, Status};
use super::name::HeaderName;
use super::schedule::Schedule;
use super::settings::{Listener, ListenerTransport, SessionSettings};
use super::timers::TimerSettings;
use super::transaction::{Fallback, TransactionId, TransactionSettings, Transactions};
use super::transport::{ConnId, Destination, ListenerId, Source, Transmit};
use super::uri::{AddrSpec, SipUri};
use super::value::{BRANCH_COOKIE, Via};
use crate::base::{ById, Instant, Lookup, Rng};

/// Octets that a refused INVITE over UDP is answered with, at most, for each of its own.
const AMPLIFIED: usize = 4;
/// What we support, in 405 and 200. SUBSCRIBE and NOTIFY are within a dialog alone, for what a REFER began.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REGISTER, REFER, SUBSCRIBE, NOTIFY";
/// Extensions that a peer may require of us, section 8.2.2.3; [`SUPPORTED`] says the same on the wire.
pub(crate) const EXTENSIONS: [&str; 4] = ["100rel", "timer", "replaces", "norefersub"];
/// The extensions in a Supported header.
pub(crate) const SUPPORTED: &str = "100rel, timer, replaces, norefersub";

/// A request longer than this may not fit into one packet of an unknown path, section 18.1.1; in bytes.
const DATAGRAM_MAX: usize = 1_300;

/// What a transaction of an invite is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The INVITE that came in.
    InviteServer,
    /// The INVITE that we sent.
    InviteClient,
    /// A re-INVITE of the peer, or an UPDATE or PRACK with an offer.
    ReofferServer,
    /// A re-INVITE or UPDATE of ours.
    ReofferClient,
    /// Our PRACK.
    Prack,
    /// Our BYE.
    Bye,
    /// Our INFO.
    Key,
    /// Our NOTIFY about a REFER of the peer.
    Notify,
    /// Our OPTIONS within the dialog.
    Probe,
    /// A CANCEL, or the BYE to a fork: nothing follows from its answer.
    Background,
}

/// Who waits for a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// An invite.
    Invite(InviteId, Role),
    /// An OPTIONS of ours.
    Options(RequestId),
    /// A REGISTER of ours.
    Registration(RegistrationId),
}

/// A timer of an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum InviteTimer {
    /// Send the 180 again, so that no proxy gives up (section 13.3.1.1).
    ProvisionalAgain,
    /// Send the 200 again.
    AnswerAgain,
    /// No ACK came.
    AckMissing,
    /// No final response came to an INVITE that nobody wants any more.
    Forsaken,
    /// Both sides sent a re-INVITE: try ours again.
    Glare,
    /// What a REFER asked for takes too long: its subscription ends.
    Referral,
    /// Send the reliable provisional again.
    ReliableAgain,
    /// No PRACK came.
    PrackMissing,
    /// Half of the session is over: refresh it.
    Refresh,
    /// Nobody refreshed the session.
    SessionOver,
}

/// Whose timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerName {
    /// An invite's.
    Invite(InviteId, InviteTimer),
    /// A registration of ours wants to be refreshed.
    Registration(RegistrationId),
    /// A connection owes us its first message, or the rest of one.
    Stream(ConnId),
}

impl TimerName {
    pub(crate) const fn why(self) -> &'static str {
        match self {
            Self::Invite(_, InviteTimer::ProvisionalAgain) => "sip 180 again",
            Self::Invite(_, InviteTimer::AnswerAgain) => "sip 200 again",
            Self::Invite(_, InviteTimer::AckMissing) => "sip 200: no ACK",
            Self::Invite(_, InviteTimer::Forsaken) => "sip forsaken INVITE unanswered",
            Self::Invite(_, InviteTimer::Glare) => "sip re-INVITE after glare",
            Self::Invite(_, InviteTimer::Referral) => "sip REFER unfinished",
            Self::Invite(_, InviteTimer::ReliableAgain) => "sip reliable 1xx again",
            Self::Invite(_, InviteTimer::PrackMissing) => "sip reliable 1xx: no PRACK",
            Self::Invite(_, InviteTimer::Refresh) => "sip session refresh",
            Self::Invite(_, InviteTimer::SessionOver) => "sip session over",
            Self::Registration(_) => "sip registration refresh",
            Self::Stream(_) => "sip message of a stream overdue",
        }
    }
}

/// See the module.
pub(crate) struct Station {
    listeners: Vec<Listener>,
    server_name: String,
    conns: Lookup<ConnId, (ListenerId, SocketAddr)>,
    owners: ById<TransactionId, Owner>,
    events: VecDeque<SipEvent>,
    /// What the wire layer answers by itself.
    direct: VecDeque<Transmit>,
    pub(crate) rng: Rng,
    /// The moment of the input being handled.
    pub(crate) now: Instant,
    pub(crate) locator: Locator,
    pub(crate) transactions: Transactions,
    pub(crate) timers: Schedule<TimerName>,
    pub(crate) timing: TimerSettings,
    pub(crate) session: SessionSettings,
    pub(crate) counts: UserAgentCounts,
}

impl Station {
    pub(crate) fn new(listeners: Vec<Listener>, server_name: String, rng: &Rng) -> Self {
        let timing = TimerSettings::default();
        Self {
            now: Instant::ZERO,
            locator: Locator::new(&listeners, rng),
            listeners,
            server_name,
            conns: Lookup::new(),
            owners: ById::new(),
            events: VecDeque::new(),
            direct: VecDeque::new(),
            rng: rng.fork("user agent"),
            transactions: Transactions::new(
                TransactionSettings {
                    timers: timing,
                    amplified: Some(AMPLIFIED),
                    ..TransactionSettings::default()
                },
                rng.fork("transactions"),
            ),
            timers: Schedule::new(),
            timing,
            session: SessionSettings::default(),
            counts: UserAgentCounts::default(),
        }
    }

    // Connections.

    pub(crate) fn open(&mut self, conn: ConnId, listener: ListenerId, remote: SocketAddr) {
        self.conns.insert(conn, (listener, remote));
    }
    pub(crate) fn close(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
    }
    pub(crate) fn connections(&self) -> usize {
        self.conns.len()
    }
    pub(crate) fn listener(&self, id: ListenerId) -> Option<&Listener> {
        self.listeners.iter().find(|l| l.id == id)
    }
    pub(crate) fn stream_source(&self, conn: ConnId) -> Option<Source> {
        let (listener, remote) = *self.conns.get(&conn)?;
        let local = self.listener(listener)?.local;
        Some(Source { listener, remote, local, conn: Some(conn) })
    }
    /// The address at the other end.
    pub(crate) fn peer(&self, to: &Destination) -> Option<SocketAddr> {
        match to {
            Destination::Datagram { to, .. } | Destination::Connect { to, .. } => Some(*to),
            Destination::Stream { conn } => self.conns.get(conn).map(|(_, remote)| *remote),
        }
    }
    /// The same, unless its connection is gone: then a new one to `address`.
    pub(crate) fn live(&self, to: Destination, address: Option<SocketAddr>) -> Destination {
        let Destination::Stream { conn } = to else { return to };
        if self.conns.contains_key(&conn) {
            return to;
        }
        // In the name of the same listener: what went by TLS never goes on in the clear.
        let own = self.listener(conn.listener()).filter(|l| l.transport.is_stream());
        let plain = |l: &&Listener, to: SocketAddr| {
            l.transport == ListenerTransport::Tcp && l.local.is_ipv4() == to.is_ipv4()
        };
        let stream = own.or_else(|| address.and_then(|at| self.listeners.iter().find(|l| plain(l, at))));
        match (stream, address) {
            (Some(listener), Some(address)) => Destination::Connect { listener: listener.id, to: address },
            _ => to,
        }
    }
    /// Where the next request of a dialog goes: see `dialog`. A name that is not known yet is asked for, and the way that
    /// worked so far serves meanwhile.
    pub(crate) fn toward(&mut self, dialog: &Dialog) -> Destination {
        let known = self.live(dialog.destination(), dialog.reconnect_to());
        let Some(wanted) = dialog.name_of_next_hop() else { return known };
        let mut targets = self.locator.known(self.now, &wanted);
        // What went by TLS never goes on in the clear.
        let secure = self.is_tls(known.listener());
        targets.retain(|t| !secure || t.transport == ListenerTransport::Tls);
        let peer = self.peer(&known);
        if targets.iter().any(|t| Some(t.address) == peer) {
            return known;
        }
        let listener = known.listener();
        let found = targets.first().and_then(|t| self.destination(*t, |l| l.id == listener));
        found.unwrap_or(known)
    }
    /// Where a request to `target` goes: from a listener that `prefer` takes, or from the first that fits.
    pub(crate) fn destination(
        &self,
        target: Target,
        prefer: impl Fn(&Listener) -> bool,
    ) -> Option<Destination> {
        locate::destination(&self.listeners, target, prefer)
    }
    /// The same, with a connection to `address` in place of one that a restart will cut.
    pub(crate) fn without_connection(&self, to: Destination, address: Option<SocketAddr>) -> Destination {
        let Destination::Stream { conn } = to else { return to };
        let listener = self.conns.get(&conn).map(|(listener, _)| *listener);
        match (listener, address) {
            (Some(listener), Some(to)) => Destination::Connect { listener, to },
            _ => to,
        }
    }
    fn listener_toward(&self, to: &Destination) -> Option<&Listener> {
        self.listener(to.listener()).or_else(|| self.listeners.first())
    }
    /// The address that peers behind `to` know us by.
    pub(crate) fn advertised(&self, to: &Destination) -> Option<SocketAddr> {
        self.listener_toward(to).map(|l| l.advertised)
    }
    /// Our Contact for peers behind `to`.
    pub(crate) fn contact(&self, to: &Destination, user: &str) -> String {
        let Some(listener) = self.listener_toward(to) else { return String::new() };
        let at = if user.is_empty() { "" } else { "@" };
        let transport = match listener.transport {
            ListenerTransport::Udp => "",
            ListenerTransport::Tcp => ";transport=tcp",
            ListenerTransport::Tls => ";transport=tls",
        };
        format!("<sip:{}{at}{}{transport}>", super::uri::escaped_user(user), listener.advertised)
    }

    /// Whether a listener speaks TLS.
    pub(crate) fn is_tls(&self, id: ListenerId) -> bool {
        self.listener(id).is_some_and(|l| l.transport == ListenerTransport::Tls)
    }

    // Sending.

    fn via(&mut self, to: &Destination) -> String {
        let branch = format!("{BRANCH_COOKIE}{}", self.rng.token(16));
        let Some(listener) = self.listener_toward(to) else { return String::new() };
        let at = listener.advertised;
        Via::new(listener.transport.as_str(), &host_of(at), Some(at.port()), &branch).to_string()
    }

    fn address(&mut self, request: &mut Request, to: &Destination) {
        let via = self.via(to);
        request.headers.remove(HeaderName::Via);
        request.headers.push_front(HeaderName::Via, via);
        if !self.server_name.is_empty() {
            request.headers.set(HeaderName::UserAgent, self.server_name.clone());
        }
    }

    /// Sends a request in a transaction of its own, with a fresh branch; hands back what was sent.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        mut request: Request,
        to: Destination,
        owner: Owner,
    ) -> (TransactionId, Request) {
        self.address(&mut request, &to);
        let tx = match self.stream_for(&request, &to) {
            Some(stream) => {
                let instead = Fallback { request: request.clone(), to };
                self.rewrite_via(&mut request, &stream);
                self.counts.large_requests += 1;
                self.transactions.start_large(now, request.clone(), stream, instead)
            }
            None => self.transactions.start_client(now, request.clone(), to),
        };
        self.owners.insert(tx, owner);
        (tx, request)
    }

    /// RFC 3261 section 18.1.1: a request that may not fit into a datagram whole goes over a connection.
    fn stream_for(&self, request: &Request, to: &Destination) -> Option<Destination> {
        let Destination::Datagram { to, .. } = *to else { return None };
        if !request.is_longer_than(DATAGRAM_MAX) {
            return None;
        }
        let is_way =
            |l: &&Listener| l.transport == ListenerTransport::Tcp && l.local.is_ipv4() == to.is_ipv4();
        let listener = self.listeners.iter().find(is_way)?.id;
        Some(Destination::Connect { listener, to })
    }

    /// The same branch for another transport.
    fn rewrite_via(&self, request: &mut Request, to: &Destination) {
        let (Some(listener), Some(mut via)) = (self.listener_toward(to), request.top_via()) else { return };
        listener.transport.as_str().clone_into(&mut via.transport);
        via.host = host_of(listener.advertised);
        via.port = Some(listener.advertised.port());
        request.headers.replace_top_via(via);
    }

    /// Sends an ACK to a 2xx: outside of transactions. Hands back what was sent, to be sent again.
    pub(crate) fn send_ack(&mut self, mut ack: Request, to: Destination) -> Request {
        self.address(&mut ack, &to);
        self.transactions.send(&ack, to);
        ack
    }
    /// Sends the CANCEL of an INVITE; `false`: that is over.
    pub(crate) fn cancel(&mut self, now: Instant, invite: TransactionId, owner: Owner) -> bool {
        let cancel = self.transactions.cancel(now, invite);
        if let Some(tx) = cancel {
            self.owners.insert(tx, owner);
        }
        cancel.is_some()
    }
    /// Sends what is written already.
    pub(crate) fn send_raw(&mut self, transmit: Transmit) {
        self.direct.push_back(transmit);
    }

    /// A response of ours, with our name.
    pub(crate) fn response(&self, request: &Request, status: Status) -> Response {
        let mut response = Response::to_request(request, status);
        if !self.server_name.is_empty() {
            response.headers.set(HeaderName::Server, self.server_name.clone());
        }
        response
    }
    /// Answers a request that needs nothing more than a status.
    pub(crate) fn refuse(&mut self, now: Instant, tx: TransactionId, request: &Request, status: Status) {
        let response = self.response(request, status);
        self.respond_tagged(now, tx, response);
    }
    /// Answers with a To tag of its own if there is none.
    pub(crate) fn respond_tagged(&mut self, now: Instant, tx: TransactionId, mut response: Response) {
        let tag = self.tag();
        response.set_to_tag(&tag);
        self.transactions.respond(now, tx, response);
    }

    // Who waits.

    pub(crate) fn own(&mut self, tx: TransactionId, owner: Owner) {
        self.owners.insert(tx, owner);
    }
    pub(crate) fn owner(&self, tx: TransactionId) -> Option<Owner> {
        self.owners.get(&tx).copied()
    }
    pub(crate) fn disown(&mut self, tx: TransactionId) -> Option<Owner> {
        self.owners.remove(&tx)
    }
    pub(crate) fn owned(&self) -> usize {
        self.owners.len()
    }

    // Chance.

    pub(crate) fn tag(&mut self) -> String {
        self.rng.token(10)
    }
    pub(crate) fn call_id(&mut self) -> String {
        self.rng.token(24)
    }
    /// RFC 3261 section 14.1: 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other, in steps of 10 ms.
    pub(crate) fn glare_wait(&mut self, owns_call_id: bool) -> Duration {
        let steps = if owns_call_id { 210 + self.rng.below(191) } else { self.rng.below(201) };
        Duration::from_millis(steps * 10)
    }

    // Handing out.

    pub(crate) fn report(&mut self, event: SipEvent) {
        self.events.push_back(event);
    }
    pub(crate) fn report_ended(&mut self, invite: InviteId, why: EndReason) {
        self.events.push_back(SipEvent::Ended { invite, why });
    }
    pub(crate) fn poll_event(&mut self) -> Option<SipEvent> {
        self.events.pop_front()
    }
    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transactions.poll_transmit().or_else(|| self.direct.pop_front())
    }
}

/// Whether a request of a peer makes a secured dialog, section 12.1.1.
pub(crate) fn is_secured(request: &Request) -> bool {
    let is_sips = |uri: &AddrSpec| uri.as_sip().is_some_and(SipUri::is_sips);
    let first = request.headers.record_routes().into_iter().next().or_else(|| request.headers.contact());
    is_sips(&request.uri) || first.is_some_and(|route| is_sips(&route.uri))
}

/// Our Contact where `uri` is called, or in a secured dialog (sections 8.1.1.8 and 12.1.1): `sips` where that is, or we
/// would ask to be reached in the clear.
pub(crate) fn contact_for(is_secured: bool, contact: String) -> String {
    if is_secured {
        contact.replacen("<sip:", "<sips:", 1).replacen(";transport=tls>", ">", 1)
    } else {
        contact
    }
}

/// An address as the host of a Via.
fn host_of(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

/// The same request to be sent once more with credentials: the next number, a new Via, RFC 3261 section 22.2.
pub(crate) fn with_credentials(request: &Request, status: Status, answer: String) -> Request {
    let mut again = request.clone();
    let name = if status == Status::PROXY_AUTHENTICATION_REQUIRED {
        HeaderName::ProxyAuthorization
    } else {
        HeaderName::Authorization
    };
    again.headers.set(name, answer);
    if let Some(mut cseq) = request.cseq() {
        cseq.number = cseq.number.saturating_add(1);
        again.headers.set(HeaderName::CSeq, cseq.to_string());
    }
    again
}

/// The challenges of a 401 or 407.
pub(crate) fn challenges(response: &Response) -> Vec<&str> {
    let name = if response.status == Status::PROXY_AUTHENTICATION_REQUIRED {
        HeaderName::ProxyAuthenticate
    } else {
        HeaderName::WwwAuthenticate
    };
    response.headers.all(name).collect()
}

/// Whether a response asks for credentials.
pub(crate) fn is_challenge(status: Status) -> bool {
    status == Status::UNAUTHORIZED || status == Status::PROXY_AUTHENTICATION_REQUIRED
}

/// The method's text, for digests.
pub(crate) fn method_of(request: &Request) -> &'static str {
    super::message::method_text(request.method)
}
