//! What the node is told before it begins. Plain values, read by `io` from `hotline.toml`.
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::permit::Permit;
use crate::base::TrunkId;
use crate::exchange::ExchangeSettings;
use crate::media::Codec;
use crate::sdp::SrtpPolicy;
use crate::sip::{Credentials, ListenerId, UserAgentSettings};

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
    /// What a refused caller is told in `Retry-After`, in seconds.
    pub retry_after_s: u32,
}

/// A configured way to the outside: its address proves it, and only the directory's numbers are dialled over it.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// The far end. Requests go there; what comes from there is the trunk's.
    pub address: SocketAddr,
    /// The listener used for it, which decides the transport.
    pub listener: ListenerId,
    /// Over a stream.
    pub stream: bool,
    /// The host part of the request URI; mostly the address.
    pub host: String,
    /// What a challenge from it is answered with.
    pub credentials: Option<Credentials>,
    /// What it says of callers is believed and passed on to it: P-Asserted-Identity (RFC 3325), User-to-User (RFC 7433).
    pub trusted: bool,
    /// Numbers outside the directory to which transfers may lead over it.
    pub permit: Permit,
}

impl Trunk {
    /// Whether a request from `source` is this trunk's. Loopback is shared by everybody on the machine, so there
    /// the port must be right too.
    pub fn owns(&self, source: SocketAddr) -> bool {
        source == self.address || (!source.ip().is_loopback() && source.ip() == self.address.ip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_loopback_a_trunk_is_known_by_its_port_too() {
        let trunk = |address: &str| Trunk {
            address: address.parse().unwrap(),
            listener: ListenerId(0),
            stream: false,
            host: String::new(),
            credentials: None,
            trusted: false,
            permit: Permit::default(),
        };
        assert!(trunk("127.0.0.1:5090").owns("127.0.0.1:5090".parse().unwrap()));
        assert!(!trunk("127.0.0.1:5090").owns("127.0.0.1:5091".parse().unwrap()));
        assert!(trunk("192.0.2.1:5060").owns("192.0.2.1:40000".parse().unwrap()));
        assert!(!trunk("192.0.2.1:5060").owns("192.0.2.2:5060".parse().unwrap()));
    }
}
