//! Where a peer's media may be: what its SDP says, checked.
//!
//! Invariant: nothing that is accepted here is a port below 1024, multicast, broadcast, or a door of our own.
use std::net::{IpAddr, SocketAddr};

use crate::sdp::negotiate::{Local, Refusal};
use crate::sdp::session::{Address, Media};

/// The ports below are no place for media.
const LOWEST_PORT: u16 = 1_024;

/// Where a media line wants its RTP.
pub(crate) fn usable_address(media: &Media, local: &Local) -> Result<SocketAddr, Refusal> {
    let ip = match &media.address {
        Address::Ip(ip) => *ip,
        Address::Name(_) => local.peer.ok_or(Refusal::UnusableAddress)?.to_canonical(),
        Address::Missing => return Err(Refusal::UnusableAddress),
    };
    if ip.is_multicast() || is_reserved(ip) || media.port < LOWEST_PORT || is_own_door(local, ip, media.port)
    {
        return Err(Refusal::HostileAddress);
    }
    if ip.is_ipv4() != local.rtp.ip().to_canonical().is_ipv4() && !ip.is_unspecified() {
        return Err(Refusal::UnusableAddress);
    }
    Ok(SocketAddr::new(ip, media.port))
}

/// `0.0.0.0`: the old form of hold.
pub(crate) fn is_hold_address(address: &Address) -> bool {
    matches!(address, Address::Ip(ip) if ip.is_unspecified())
}

/// The port of `a=rtcp` (RFC 3605), else the next one up; always at the host of the media, so that nobody can point our
/// reports at another. Port 0, to which nothing is sent, where that is a door of ours.
pub(crate) fn rtcp_of(media: &Media, rtp: SocketAddr, local: &Local) -> SocketAddr {
    let next = rtp.port().checked_add(1).unwrap_or(rtp.port());
    let port = media.rtcp_port.filter(|p| *p >= LOWEST_PORT).unwrap_or(next);
    SocketAddr::new(rtp.ip(), if is_own_door(local, rtp.ip(), port) { 0 } else { port })
}

/// Broadcast and what nobody has: 0.0.0.0/8 but for hold, 240.0.0.0/4.
fn is_reserved(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.octets()[0] >= 240 || (v4.octets()[0] == 0 && !v4.is_unspecified()))
}

fn is_own_door(local: &Local, ip: IpAddr, port: u16) -> bool {
    let here =
        |ours: IpAddr| ours == ip || (ours.is_unspecified() && (ip == local.rtp.ip() || ip.is_loopback()));
    local.not_for_sound.iter().any(|a| a.port() == port && here(a.ip().to_canonical()))
}
