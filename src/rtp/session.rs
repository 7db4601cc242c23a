//! `RtpSession`: the door of the room. One party's RTP and RTCP in both directions, RFC 3550, without sockets.
//!
//! Invariant: a datagram never fails; what is sent goes to the locked source, or to the signalled address until then.
use std::net::SocketAddr;

use crate::base::{Deadline, Instant, Now, Rng};
use crate::rtp::inbound::{DropCause, Drops, Inbound, Incoming, PayloadKind};
use crate::rtp::out_stream::OutStream;
use crate::rtp::packet::{Header, Packet, is_rtcp};
use crate::rtp::reporting::Reporting;
use crate::rtp::source::{Judgement, SourceLock};
use crate::rtp::telephone_event::EventPacket;

/// Comfort noise, RFC 3389: its static payload type. Phones send it unasked.
const COMFORT_NOISE: u8 = 13;

/// What offer and answer said, as far as RTP needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Where the party expects RTP.
    pub rtp: SocketAddr,
    /// Where it expects RTCP.
    pub rtcp: SocketAddr,
    /// Payload type of the sound it sends.
    pub sound_in: u8,
    /// Payload type of the sound we send.
    pub sound_out: u8,
    /// Payload type of the telephone-events it sends, if agreed.
    pub event_in: Option<u8>,
    /// Payload type of the telephone-events we may send, if agreed.
    pub event_out: Option<u8>,
}

/// What was counted, RFC 3550 section 6.4.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RtpFigures {
    /// Packets sent.
    pub sent: u64,
    /// Packets received from the party, each once.
    pub received: u64,
    /// Packets of the party that never came.
    pub lost: u64,
    /// Datagrams dropped, by cause.
    pub drops: Drops,
    /// Interarrival jitter, in milliseconds.
    pub jitter_ms: f64,
    /// Round trip, in milliseconds, if ever measured.
    pub round_trip_ms: Option<f64>,
    /// Packets of ours that the party says it lost.
    pub peer_lost: u64,
}

/// Where to send what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The address.
    pub to: SocketAddr,
    /// How many bytes of the buffer.
    pub length: usize,
}

/// One party's RTP session.
#[derive(Debug)]
pub struct RtpSession {
    remote: Option<Remote>,
    lock: Option<SourceLock>,
    inbound: Inbound,
    out: OutStream,
    reporting: Reporting,
}

impl RtpSession {
    /// A session that knows no party yet. `clock_hz` is the timestamps' clock: 8,000 for G.711.
    pub fn new(now: Now, clock_hz: u32, mut rng: Rng) -> Self {
        let out = OutStream::new(&mut rng, clock_hz);
        Self {
            remote: None,
            lock: None,
            inbound: Inbound::new(clock_hz),
            out,
            reporting: Reporting::new(now, rng),
        }
    }

    /// What was agreed, first or anew. The lock on the source opens when the address is a new one; the outgoing
    /// stream goes on as it is.
    pub fn set_remote(&mut self, now: Instant, remote: Remote) {
        match &mut self.lock {
            Some(_) if remote.rtp.ip().is_unspecified() => {}
            Some(lock) => lock.signal(remote.rtp),
            None => self.lock = Some(SourceLock::new(remote.rtp)),
        }
        self.remote = Some(remote);
        self.reporting.signal(now, remote.rtcp);
    }

    /// Takes a datagram of the RTP socket.
    pub fn handle_rtp<'a>(&mut self, now: Instant, from: SocketAddr, datagram: &'a [u8]) -> Incoming<'a> {
        match self.admit(from, datagram) {
            Ok((packet, kind)) => self.inbound.take(now, packet, kind),
            Err(cause) => {
                self.inbound.drops.count(cause);
                Incoming::Dropped(cause)
            }
        }
    }

    fn admit<'a>(
        &mut self,
        from: SocketAddr,
        datagram: &'a [u8],
    ) -> Result<(Packet<'a>, PayloadKind), DropCause> {
        if is_rtcp(datagram) {
            return Err(DropCause::RtcpOnRtpPort);
        }
        let packet = Packet::read(datagram).map_err(|_| DropCause::Malformed)?;
        let (Some(remote), Some(lock)) = (self.remote, &mut self.lock) else {
            return Err(DropCause::NotAgreed);
        };
        let kind = remote.kind(packet.header.payload_type).ok_or(DropCause::PayloadType)?;
        match lock.judge(from, packet.header) {
            Judgement::Ours => Ok((packet, kind)),
            Judgement::Stranger => Err(DropCause::Stranger),
        }
    }

    /// Takes a datagram of the RTCP socket.
    pub fn handle_rtcp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        if !self.lock.as_ref().is_some_and(|lock| lock.is_host(from)) {
            self.inbound.drops.count(DropCause::Stranger);
        } else if self.reporting.handle(now, from, datagram, self.out.ssrc()).is_err() {
            self.inbound.drops.count(DropCause::Malformed);
        }
    }

    /// Sends a frame of our own sound, `samples` long: a prompt, music, a mix. `None` when there is nowhere to send
    /// to yet; nothing is counted then.
    pub fn send_frame(
        &mut self,
        now: Instant,
        samples: u32,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        let (to, remote) = self.destination()?;
        let header = self.out.frame(now, remote.sound_out, samples);
        self.write(to, header, payload, buffer)
    }

    /// Sends on a packet of party `source`, `samples` long, in the same codec.
    pub fn send_relayed(&mut self, now: Instant, from: Relayed<'_>, buffer: &mut [u8]) -> Option<Outgoing> {
        let (to, remote) = self.destination()?;
        let header = Header { payload_type: remote.sound_out, ..from.header };
        let header = self.out.relay(now, from.source, header, from.samples)?;
        self.write(to, header, from.payload, buffer)
    }

    /// A packet of party `source` was a key and is not sent on: its number leaves no gap.
    pub fn consume_relayed(&mut self, source: u64, header: Header) {
        self.out.consumed(source, header);
    }

    /// The next frame begins a new source (another prompt): it carries the marker.
    pub fn switch_source(&mut self) {
        self.out.switch();
    }

    /// Begins a key of `samples` length (RFC 4733); returns the timestamp of its packets.
    pub fn begin_event(&mut self, now: Instant, samples: u32) -> u32 {
        self.out.begin_event(now, samples)
    }

    /// Sends a packet of the key that began at `timestamp`. `None` also when the party takes no events.
    pub fn send_event(&mut self, timestamp: u32, packet: EventPacket, buffer: &mut [u8]) -> Option<Outgoing> {
        let (to, remote) = self.destination()?;
        let timestamp = timestamp.wrapping_add(packet.timestamp_offset);
        let header = self.out.event(remote.event_out?, packet.marker, timestamp);
        self.write(to, header, &packet.payload.bytes(), buffer)
    }

    fn destination(&self) -> Option<(SocketAddr, Remote)> {
        Some((self.lock.as_ref()?.destination()?, self.remote?))
    }

    fn write(
        &mut self,
        to: SocketAddr,
        header: Header,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        let length = header.write(payload, buffer)?;
        self.out.count(payload.len());
        Some(Outgoing { to, length })
    }

    /// The report that is due at `now`, if any, to be sent from the RTCP socket. Ask until `None`.
    pub fn poll_rtcp(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Outgoing> {
        self.reporting.poll(now, &mut self.inbound, &self.out, buffer)
    }

    /// The last report, with a BYE (RFC 3550 section 6.6): the session is over.
    pub fn close(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Outgoing> {
        self.reporting.close(now, &mut self.inbound, &self.out, buffer)
    }

    /// When the next report is due.
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.reporting.due().map(|at| Deadline::new(at, "rtcp report"))
    }

    /// Our synchronisation source: one for the whole life of the session.
    pub fn ssrc(&self) -> u32 {
        self.out.ssrc()
    }

    /// The address that the party's packets are locked to, if they are.
    pub fn locked_to(&self) -> Option<SocketAddr> {
        self.lock.as_ref().and_then(SourceLock::locked)
    }

    /// Whether the party said goodbye by RTCP.
    pub fn peer_left(&self) -> bool {
        self.reporting.peer_left()
    }

    /// What was counted so far.
    pub fn figures(&self) -> RtpFigures {
        RtpFigures {
            sent: self.out.sent().0,
            received: self.inbound.received(),
            lost: self.inbound.lost(),
            drops: self.inbound.drops,
            jitter_ms: self.inbound.jitter_ms(),
            round_trip_ms: self.reporting.round_trip_ms(),
            peer_lost: self.reporting.peer_lost(),
        }
    }
}

/// A packet of another party on its way to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relayed<'a> {
    /// The other party's number: any that tells the parties of a call apart.
    pub source: u64,
    /// Its packet's header.
    pub header: Header,
    /// How many samples it carries.
    pub samples: u32,
    /// The codec's bytes.
    pub payload: &'a [u8],
}

impl Remote {
    fn kind(&self, payload_type: u8) -> Option<PayloadKind> {
        match payload_type {
            p if p == self.sound_in => Some(PayloadKind::Sound),
            p if Some(p) == self.event_in => Some(PayloadKind::Event),
            COMFORT_NOISE => Some(PayloadKind::Silence),
            _ => None,
        }
    }
}
