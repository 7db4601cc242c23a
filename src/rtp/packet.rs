//! An RTP packet on the wire, RFC 3550 section 5.1. The only file that names `rtp_rs`.
//!
//! Invariant: reading borrows the datagram and copies nothing; what is handed on was checked against the length of
//! the datagram (contributing sources, header extension, padding).
use rtp_rs::{RtpPacketBuilder, RtpReader, Seq};

/// The longest RTP packet that we make: 60 ms of G.711 and the header, with room for SRTP. In bytes.
pub const PACKET_BYTES: usize = 12 + 960 + crate::rtp::SRTP_OVERHEAD;

/// The fixed header's fields that change from packet to packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Payload type, 0-127.
    pub payload_type: u8,
    /// Marker: with speech, the first packet after a silence.
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in samples of the payload's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

impl Header {
    /// Writes the packet into `buffer` and returns its length in bytes; `None` when it does not fit or the payload
    /// type is above 127.
    pub fn write(&self, payload: &[u8], buffer: &mut [u8]) -> Option<usize> {
        RtpPacketBuilder::new()
            .payload_type(self.payload_type)
            .marked(self.marker)
            .sequence(Seq::from(self.sequence))
            .timestamp(self.timestamp)
            .ssrc(self.ssrc)
            .payload(payload)
            .build_into(buffer)
            .ok()
    }
}

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A packet, seen in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The header.
    pub header: Header,
    /// What it carries, without padding.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    pub fn read(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let reader = RtpReader::new(datagram).map_err(|_| Malformed)?;
        let header = Header {
            payload_type: reader.payload_type(),
            marker: reader.mark(),
            sequence: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
        };
        Ok(Self { header, payload: reader.payload() })
    }
}

/// Whether a datagram on an RTP port is RTCP (RFC 5761 section 4: packet types 192-223).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if first >> 6 == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header =
        Header { payload_type: 8, marker: true, sequence: 65_535, timestamp: 0xFFFF_FF60, ssrc: 0xDEAD_BEEF };

    fn written(payload: &[u8]) -> Vec<u8> {
        let mut buffer = [0; PACKET_BYTES];
        let n = HEADER.write(payload, &mut buffer).unwrap();
        buffer[..n].to_vec()
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = written(&[1, 2, 3]);
        assert_eq!(Packet::read(&bytes), Ok(Packet { header: HEADER, payload: &[1, 2, 3] }));
    }

    #[test]
    fn extension_contributing_sources_and_padding_are_not_payload() {
        let mut bytes = written(&[]);
        bytes[0] |= 0b0011_0001;
        bytes.extend([0, 0, 0, 9]);
        bytes.extend([0xBE, 0xDE, 0, 1, 1, 2, 3, 4]);
        bytes.extend([7, 7, 7, 0, 0, 3]);
        assert_eq!(Packet::read(&bytes).map(|p| p.payload), Ok(&[7u8, 7, 7][..]));
    }

    #[test]
    fn lying_lengths_are_refused() {
        let good = written(&[5; 4]);
        for (first, last) in
            [(0b1011_0000, 4), (0b1010_0000, 200), (0b1010_0000, 0), (0b1000_1111, 4), (0b0100_0000, 4)]
        {
            let mut bytes = good.clone();
            bytes[0] = first;
            *bytes.last_mut().unwrap() = last;
            assert_eq!(Packet::read(&bytes), Err(Malformed), "{first:08b} {last}");
        }
        assert_eq!(Packet::read(&good[..11]), Err(Malformed));
        assert_eq!(Packet::read(&[]), Err(Malformed));
    }

    #[test]
    fn rtcp_on_the_rtp_port_is_told_apart() {
        assert!(is_rtcp(&[0x80, 200, 0, 6]));
        assert!(!is_rtcp(&written(&[1])));
        assert!(!is_rtcp(&[0x80]));
    }

    #[test]
    fn a_short_buffer_and_a_wide_payload_type_write_nothing() {
        assert_eq!(HEADER.write(&[0; 160], &mut [0; 171]), None);
        assert_eq!(Header { payload_type: 128, ..HEADER }.write(&[], &mut [0; 40]), None);
    }
}
