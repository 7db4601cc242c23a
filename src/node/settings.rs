//! What the node is told before it begins. Plain values, read by `io` from `hotline.toml`.
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::guard::GuardSettings;
use super::permit::Permit;
use crate::base::TrunkId;
use crate::exchange::ExchangeSettings;
use crate::media::Codec;
use crate::sdp::SrtpPolicy;
use crate::sip::{Credentials, HostWanted, ListenerId, UserAgentSettings};

/// All that one server's node is told.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// Limits of calls.
    pub exchange: ExchangeSettings,
    /// Listeners, accounts, digest.
    pub sip: UserAgentSettings,
    /// The address told in SDP for legs of a listener.
    pub media_addresses: BTreeMap<ListenerId, IpAddr>,
    /// What is done about SRTP on each TLS listener; elsewhere it is off.
    pub srtp: BTreeMap<ListenerId, SrtpPolicy>,
    /// Codecs offered, best first.
    pub codecs: Vec<Codec>,
    /// Where the server listens for anything but sound: no place for anybody's sound.
    pub own_addresses: Arc<[SocketAddr]>,
    /// Ways to third parties.
    pub trunks: BTreeMap<TrunkId, Trunk>,
    /// Names by which peers know us, beside the realm and the listeners' addresses.
    pub domains: Vec<String>,
    /// A held leg is told by re-INVITE (`sendonly`); else it only hears the music.
    pub signal_hold: bool,
    /// Between two questions to an agent's phone whether it is there; zero: none is asked.
    pub ask_phones: Duration,
    /// Who is shut out, and when.
    pub guard: GuardSettings,
    /// What a refused caller is told in `Retry-After`, in seconds.
    pub retry_after_s: u32,
}

/// A configured way to the outside: its addresses prove it, and only the directory's numbers are dialled over it.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// The far end: an address, or a name to be looked up. Requests go there; what comes from there is the trunk's.
    pub address: HostWanted,
    /// The listeners it is reached from; none: the first that fits transport and family.
    pub listeners: Vec<ListenerId>,
    /// The host part of the request URI; mostly the address.
    pub host: String,
    /// What a challenge from it is answered with.
    pub credentials: Option<Credentials>,
    /// What it says of callers is believed and passed on to it: P-Asserted-Identity (RFC 3325), User-to-User (RFC 7433).
    pub trusted: bool,
    /// Numbers outside the directory to which transfers may lead over it.
    pub permit: Permit,
    /// We register with it.
    pub registration: Option<TrunkRegistration>,
    /// It is asked whether it lives.
    pub health: Option<TrunkHealth>,
    /// How much goes over it.
    pub limits: TrunkLimits,
    /// How long an INVITE may wait for the first sign of life before the next target is tried.
    pub patience: Duration,
}

/// How we register with a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkRegistration {
    /// The name behind which our number is.
    pub user: String,
    /// The number that calls to us are then for: the user part of our Contact.
    pub number: Option<String>,
    /// How long each registration should hold.
    pub expires: Duration,
}

/// How a trunk's life is watched: by OPTIONS to each of its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrunkHealth {
    /// Between two questions.
    pub every: Duration,
    /// So many failures in a row, and the target is down. One answer, and it is up.
    pub down_after: u32,
}

/// How much goes over a trunk; `None`: as much as comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrunkLimits {
    /// Calls from it at one time; beyond: 503 with Retry-After.
    pub calls_in: Option<usize>,
    /// Calls to it at one time; beyond: the next trunk.
    pub calls_out: Option<usize>,
    /// Calls to it begun in a second; beyond: the next trunk.
    pub starts_per_second: Option<u32>,
}

impl Trunk {
    /// To `address`, without anything else: no registration, no watch, no limit, no trust.
    pub fn new(address: HostWanted, host: String) -> Self {
        Self {
            address,
            listeners: Vec::new(),
            host,
            credentials: None,
            trusted: false,
            permit: Permit::default(),
            registration: None,
            health: None,
            limits: TrunkLimits::default(),
            patience: Duration::from_secs(4),
        }
    }
}
