//! Datagrams as a pcap file that Wireshark's tools read: the classic format with microseconds, link type 101 (raw IP), as
//! tcpdump.org describes it. IPv4 (RFC 791) and UDP (RFC 768) headers are made here.
use std::net::{SocketAddr, SocketAddrV4};

use crate::base::UtcTime;

/// Raw IP: no link layer.
const RAW_IP: u32 = 101;
const UDP: u8 = 17;

/// The head of a file.
pub fn pcap_head() -> Vec<u8> {
    let mut head = Vec::with_capacity(24);
    head.extend(0xa1b2_c3d4_u32.to_le_bytes());
    head.extend(2_u16.to_le_bytes());
    head.extend(4_u16.to_le_bytes());
    head.extend([0; 8]);
    head.extend(65_535_u32.to_le_bytes());
    head.extend(RAW_IP.to_le_bytes());
    head
}

/// One UDP datagram, appended to `file`. What is not IPv4, or does not fit a datagram, is left out.
pub fn pcap_datagram(at: UtcTime, from: SocketAddr, to: SocketAddr, payload: &[u8], file: &mut Vec<u8>) {
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (from, to) else { return };
    let Some(total) = u16::try_from(payload.len() + 28).ok() else { return };
    let seconds = u32::try_from(at.as_secs()).unwrap_or(0);
    let micros = u32::try_from(at.as_micros().rem_euclid(1_000_000)).unwrap_or(0);
    for word in [seconds, micros, u32::from(total), u32::from(total)] {
        file.extend(word.to_le_bytes());
    }
    let ip = ip_head(from, to, total);
    file.extend(ip);
    file.extend(udp_head(from, to, total - 20, payload));
    file.extend(payload);
}

fn ip_head(from: SocketAddrV4, to: SocketAddrV4, total: u16) -> [u8; 20] {
    let mut head = [0_u8; 20];
    let [high, low] = total.to_be_bytes();
    let start = [0x45, 0, high, low, 0, 0, 0x40, 0, 64, UDP, 0, 0];
    let bytes = start.into_iter().chain(from.ip().octets()).chain(to.ip().octets());
    head.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
    let [a, b] = checksum(head.iter().copied()).to_be_bytes();
    head.iter_mut().skip(10).zip([a, b]).for_each(|(to, byte)| *to = byte);
    head
}

fn udp_head(from: SocketAddrV4, to: SocketAddrV4, length: u16, payload: &[u8]) -> [u8; 8] {
    let [s1, s2] = from.port().to_be_bytes();
    let [d1, d2] = to.port().to_be_bytes();
    let [l1, l2] = length.to_be_bytes();
    let pseudo = from.ip().octets().into_iter().chain(to.ip().octets()).chain([0, UDP, l1, l2]);
    let all = pseudo.chain([s1, s2, d1, d2, l1, l2, 0, 0]).chain(payload.iter().copied());
    // Zero would say that there is none.
    let sum = match checksum(all) {
        0 => 0xffff,
        sum => sum,
    };
    let [c1, c2] = sum.to_be_bytes();
    [s1, s2, d1, d2, l1, l2, c1, c2]
}

/// The Internet checksum, RFC 1071.
fn checksum(bytes: impl Iterator<Item = u8>) -> u16 {
    let mut sum = 0_u32;
    for (n, byte) in bytes.enumerate() {
        let shift = if n.is_multiple_of(2) { 8 } else { 0 };
        sum = sum.wrapping_add(u32::from(byte) << shift);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum & 0xffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_has_the_checksums_that_others_compute() {
        let mut file = Vec::new();
        let at = |last, port| SocketAddr::from(([192, 0, 2, last], port));
        pcap_datagram(UtcTime::from_micros(1_500_000), at(1, 5060), at(2, 5062), b"hello", &mut file);
        assert_eq!(file.len(), 16 + 20 + 8 + 5);
        assert_eq!(&file[..8], [1, 0, 0, 0, 0x20, 0xa1, 7, 0]);
        // A head with its own checksum sums to nothing.
        assert_eq!(checksum(file[16..36].iter().copied()), 0);
        let pseudo = [192, 0, 2, 1, 192, 0, 2, 2, 0, 17, 0, 13];
        assert_eq!(checksum(pseudo.into_iter().chain(file[36..].iter().copied())), 0);
    }
}
