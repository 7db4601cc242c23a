//! What a [`UserAgent`](crate::sip::UserAgent) is told before it begins: where it listens, who may prove who they
//! are, how much it holds. Plain values; a change of accounts is `UserAgent::set_accounts`.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::auth::{Account, DigestAlgorithm};
use super::transport::ListenerId;

/// The transport of a listener, RFC 3261 section 18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenerTransport {
    /// Datagrams.
    Udp,
    /// Streams.
    Tcp,
    /// Streams within TLS, RFC 3261 section 26.2.
    Tls,
}

impl ListenerTransport {
    /// As written in a Via header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
    /// As written in a `transport` parameter or in a settings file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
    /// The one of that name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls].into_iter().find(|t| t.name().eq_ignore_ascii_case(name))
    }
    /// Whether it is a stream.
    pub const fn is_stream(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls => true,
        }
    }
    /// The port where none is written, section 19.1.2.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }
}

/// A place where messages come in and go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its number, chosen by whoever opened the socket.
    pub id: ListenerId,
    /// Datagrams or streams.
    pub transport: ListenerTransport,
    /// The address it is bound to.
    pub local: SocketAddr,
    /// The address that peers are told in Via and Contact: differs from `local` behind a NAT.
    pub advertised: SocketAddr,
}

/// Session timers, RFC 4028. Both are at least 90 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// How long a session lasts unless refreshed: what we ask for, and the most that we grant.
    pub interval: Duration,
    /// The shortest interval that we take. Below: 422.
    pub least: Duration,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self { interval: Duration::from_mins(30), least: Duration::from_secs(90) }
    }
}

/// How much a user agent holds before it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserAgentLimits {
    /// INVITEs and their dialogs that are not over, answered or not, in both directions. Beyond: 503 with
    /// Retry-After, or `invite` fails at once.
    pub invites: usize,
    /// Users that may have bindings at a time. Beyond: 503.
    pub bound_users: usize,
    /// Contacts of one user. Beyond, the one refreshed longest ago makes room.
    pub contacts_per_user: usize,
    /// Nonces whose counts are remembered. Beyond, the oldest become stale.
    pub nonces: usize,
    /// Connections. Beyond, a new one is closed.
    pub connections: usize,
    /// The first message of a connection, and the rest of any that has begun, must be here within this time.
    pub request: Duration,
    /// Messages that wait in `poll_trace`. Beyond, new ones are dropped.
    pub trace: usize,
    /// Shortest registration, RFC 3261 section 10.2.8. Below: 423.
    pub expires_min: Duration,
    /// Longest registration; a longer wish is shortened.
    pub expires_max: Duration,
    /// How long a nonce is accepted.
    pub nonce_lifetime: Duration,
}

impl Default for UserAgentLimits {
    fn default() -> Self {
        Self {
            invites: 20_000,
            bound_users: 10_000,
            contacts_per_user: 4,
            nonces: 20_000,
            connections: 10_000,
            request: Duration::from_secs(30),
            trace: 100_000,
            expires_min: Duration::from_mins(1),
            expires_max: Duration::from_hours(1),
            nonce_lifetime: Duration::from_mins(5),
        }
    }
}

/// All that a user agent is told.
#[derive(Clone, Debug)]
pub struct UserAgentSettings {
    /// Where it listens. The first one of a transport is used for requests to an address alone.
    pub listeners: Vec<Listener>,
    /// The realm of digest challenges, also the realm of `accounts`.
    pub realm: String,
    /// `Server` in responses and `User-Agent` in requests; empty: neither is sent.
    pub server_name: String,
    /// Algorithms offered in a challenge, in this order, the same for known and unknown users.
    pub digest: Vec<DigestAlgorithm>,
    /// Who may register and prove who he is, by user name.
    pub accounts: BTreeMap<String, Account>,
    /// Hand every message in and out to `poll_trace`.
    pub trace: bool,
    /// How long a call lives unless it is refreshed.
    pub session: SessionSettings,
    /// How much it holds.
    pub limits: UserAgentLimits,
}

impl UserAgentSettings {
    /// Listeners, no account, MD5 alone, no trace, the default limits.
    pub fn new(listeners: Vec<Listener>, realm: impl Into<String>) -> Self {
        Self {
            listeners,
            realm: realm.into(),
            server_name: String::new(),
            digest: vec![DigestAlgorithm::Md5],
            accounts: BTreeMap::new(),
            trace: false,
            session: SessionSettings::default(),
            limits: UserAgentLimits::default(),
        }
    }
}
