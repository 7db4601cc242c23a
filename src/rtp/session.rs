//! `RtpSession`: the door of the room. One party's RTP and RTCP in both directions, RFC 3550, without sockets.
//!
//! Invariant: a datagram never fails; what is sent goes to the locked source, or to the signalled address until then.
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{Deadline, Instant, Now, Rng};
use crate::rtp::formats::{EventType, PayloadTypes, SrtpKeys};
use crate::rtp::inbound::{DropCause, Drops, Inbound, Incoming, PayloadKind};
use crate::rtp::out_stream::OutStream;
use crate::rtp::packet::{Header, Packet, is_rtcp};
use crate::rtp::reporting::Reporting;
use crate::rtp::source::{Judgement, SourceLock, SourceRules};
use crate::rtp::srtp::{Srtp, SrtpFault};
use crate::rtp::telephone_event::EventPacket;

/// The longest protected RTCP packet that is opened, in bytes: one datagram of an Ethernet.
const RTCP_IN_BYTES: usize = 1_500;

/// Comfort noise, RFC 3389: its static payload type. Phones send it unasked.
const COMFORT_NOISE: u8 = 13;

/// The most sound that is sent to an address of which nothing has come yet, neither an ACK nor sound.
const UNPROVEN_MAX: Duration = Duration::from_secs(2);

/// What offer and answer said, as far as RTP needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Where the party expects RTP.
    pub rtp: SocketAddr,
    /// Where it expects RTCP.
    pub rtcp: SocketAddr,
    /// The host that the party's signalling comes from, where it is known: behind a NAT, its sound does too.
    pub host: Option<IpAddr>,
    /// The party has answered what we sent to it by signalling, so that it is really there. Until then, and until it
    /// sends sound, it is sent 2 s of ours at most, and only at the host that it signals from.
    pub acknowledged: bool,
    /// RTCP goes over the RTP port, both ways (RFC 5761).
    pub rtcp_mux: bool,
    /// Payload types of the sound that it may send: it may change among them at any packet.
    pub sound_in: PayloadTypes,
    /// Payload type of the sound we send.
    pub sound_out: u8,
    /// Payload types of the telephone-events it may send.
    pub events_in: PayloadTypes,
    /// The telephone-events that we may send, if agreed.
    pub event_out: Option<EventType>,
    /// The payload type of the comfort noise that it may send, beside 13, which phones send unasked.
    pub comfort_noise_in: Option<u8>,
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
    rules: SourceRules,
    /// When sound was first sent to an address that was not proven.
    unproven_since: Option<Instant>,
    inbound: Inbound,
    out: OutStream,
    reporting: Reporting,
    protection: Protection,
}

/// Whether packets are protected.
#[derive(Debug)]
enum Protection {
    Plain,
    Srtp(Box<Srtp>),
    /// Agreed, and not to be had: nothing goes out or in.
    Broken,
}

impl RtpSession {
    /// A session that knows no party yet. `clock_hz` is the timestamps' clock: 8,000 for G.711.
    pub fn new(now: Now, clock_hz: u32, mut rng: Rng) -> Self {
        let out = OutStream::new(&mut rng, clock_hz);
        Self {
            remote: None,
            lock: None,
            rules: SourceRules::default(),
            unproven_since: None,
            inbound: Inbound::new(clock_hz),
            out,
            reporting: Reporting::new(now, rng),
            protection: Protection::Plain,
        }
    }

    /// The same with other rules of how its source may change.
    #[must_use]
    pub fn with_rules(mut self, rules: SourceRules) -> Self {
        self.rules = rules;
        self
    }

    /// The keys that were agreed, first or anew; `None`: plain RTP. From now on every packet is protected, and one that
    /// is not is no packet of the party's.
    pub fn set_keys(&mut self, keys: Option<SrtpKeys>) {
        self.protection = match (keys, std::mem::replace(&mut self.protection, Protection::Broken)) {
            (None, _) => Protection::Plain,
            (Some(keys), Protection::Srtp(mut srtp)) => {
                if srtp.rekey(keys).is_some() {
                    Protection::Srtp(srtp)
                } else {
                    Protection::Broken
                }
            }
            (Some(keys), Protection::Plain | Protection::Broken) => {
                Srtp::new(keys).map_or(Protection::Broken, |srtp| Protection::Srtp(Box::new(srtp)))
            }
        };
    }

    /// Takes a datagram of the RTP socket, protected or not. What it protects stands in `room` afterwards.
    pub fn handle_datagram<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'a [u8],
        room: &'a mut [u8],
    ) -> Incoming<'a> {
        if matches!(self.protection, Protection::Plain) {
            return self.handle_rtp(now, from, datagram);
        }
        match self.open(datagram, room) {
            Ok(clear) => self.take_rtp(now, from, clear),
            Err(cause) => self.drop_for(cause),
        }
    }

    fn drop_for<'a>(&mut self, cause: DropCause) -> Incoming<'a> {
        self.inbound.drops.count(cause);
        Incoming::Dropped(cause)
    }

    /// What a protected packet holds.
    fn open<'a>(&mut self, datagram: &[u8], room: &'a mut [u8]) -> Result<&'a [u8], DropCause> {
        let Protection::Srtp(srtp) = &mut self.protection else { return Err(DropCause::Unauthentic) };
        let packet = room.get_mut(..datagram.len()).ok_or(DropCause::Malformed)?;
        packet.copy_from_slice(datagram);
        let length = srtp.open(packet).map_err(|fault| match fault {
            SrtpFault::Unauthentic => DropCause::Unauthentic,
            SrtpFault::Replayed => DropCause::Replayed,
        })?;
        packet.get(..length).ok_or(DropCause::Malformed)
    }

    /// Protects what was written, last of all; `None`: it cannot go out.
    fn protect(&mut self, out: Outgoing, buffer: &mut [u8]) -> Option<Outgoing> {
        let length = match &mut self.protection {
            Protection::Plain => Some(out.length),
            Protection::Srtp(srtp) => srtp.protect(buffer, out.length),
            Protection::Broken => None,
        };
        if length.is_none() {
            self.inbound.drops.count(DropCause::NotProtected);
        }
        length.map(|length| Outgoing { length, ..out })
    }

    /// What was agreed, first or anew. The lock on the source opens when the address is a new one; the outgoing
    /// stream goes on as it is.
    pub fn set_remote(&mut self, now: Instant, remote: Remote) {
        match &mut self.lock {
            Some(_) if remote.rtp.ip().is_unspecified() => {}
            Some(lock) => lock.signal(remote.rtp, remote.host),
            None => self.lock = Some(SourceLock::new(remote.rtp, remote.host, self.rules)),
        }
        self.remote = Some(remote);
        self.reporting.signal(now, remote.rtcp);
    }

    /// Takes a datagram of the RTP socket of a party that does not protect its packets.
    pub fn handle_rtp<'a>(&mut self, now: Instant, from: SocketAddr, datagram: &'a [u8]) -> Incoming<'a> {
        match self.protection {
            Protection::Plain => self.take_rtp(now, from, datagram),
            Protection::Srtp(_) | Protection::Broken => self.drop_for(DropCause::Unauthentic),
        }
    }

    fn take_rtp<'a>(&mut self, now: Instant, from: SocketAddr, datagram: &'a [u8]) -> Incoming<'a> {
        if self.rtcp_mux() && is_rtcp(datagram) {
            return match self.take_rtcp(now, from, datagram) {
                Ok(()) => Incoming::Report,
                Err(cause) => {
                    self.inbound.drops.count(cause);
                    Incoming::Dropped(cause)
                }
            };
        }
        match self.admit(now, from, datagram) {
            Ok((packet, kind)) => self.inbound.take(now, packet, kind),
            Err(cause) => {
                self.inbound.drops.count(cause);
                Incoming::Dropped(cause)
            }
        }
    }

    fn admit<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'a [u8],
    ) -> Result<(Packet<'a>, PayloadKind), DropCause> {
        if is_rtcp(datagram) {
            return Err(DropCause::RtcpOnRtpPort);
        }
        let packet = Packet::read(datagram).map_err(|_| DropCause::Malformed)?;
        let authentic = matches!(self.protection, Protection::Srtp(_));
        let (Some(remote), Some(lock)) = (self.remote, &mut self.lock) else {
            return Err(DropCause::NotAgreed);
        };
        let kind = remote.kind(packet.header.payload_type).ok_or(DropCause::PayloadType)?;
        match lock.judge(now, from, packet.header, authentic) {
            Judgement::Ours => Ok((packet, kind)),
            Judgement::Stranger => Err(DropCause::Stranger),
        }
    }

    /// Whether RTCP goes over the RTP port (RFC 5761), and so over its socket.
    pub fn rtcp_mux(&self) -> bool {
        self.remote.is_some_and(|r| r.rtcp_mux)
    }

    /// Takes a datagram of the RTCP socket, protected or not; whether it was a report of the peer's.
    pub fn handle_rtcp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> bool {
        let mut room = [0; RTCP_IN_BYTES];
        let clear = if matches!(self.protection, Protection::Plain) {
            Ok(datagram)
        } else {
            self.open(datagram, &mut room)
        };
        match clear.and_then(|clear| self.take_rtcp(now, from, clear)) {
            Ok(()) => true,
            Err(cause) => {
                self.inbound.drops.count(cause);
                false
            }
        }
    }

    fn take_rtcp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Result<(), DropCause> {
        let rtcp_mux = self.rtcp_mux();
        if !self.lock.as_ref().is_some_and(|lock| lock.may_report(from, rtcp_mux)) {
            return Err(DropCause::Stranger);
        }
        self.reporting.handle(now, from, datagram, self.out.ssrc()).map_err(|_| DropCause::Malformed)
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
        let (to, remote) = self.destination(now)?;
        let header = self.out.frame(now, remote.sound_out, samples);
        self.write(to, header, payload, buffer)
    }

    /// Sends comfort noise of this level below 0 dBov, in dB (RFC 3389), in place of frames of silence.
    pub fn send_noise(
        &mut self,
        now: Instant,
        payload_type: u8,
        level: u8,
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        let (to, _) = self.destination(now)?;
        // Never the first of a talk spurt: the marker is the sound's (RFC 3551, section 4.1).
        let header = Header { marker: false, ..self.out.frame(now, payload_type, 0) };
        self.write(to, header, &[level.min(127)], buffer)
    }

    /// Sends on a packet of party `source`, `samples` long, in the same codec.
    pub fn send_relayed(&mut self, now: Instant, from: Relayed<'_>, buffer: &mut [u8]) -> Option<Outgoing> {
        let (to, remote) = self.destination(now)?;
        let header = Header { payload_type: remote.sound_out, ..from.header };
        let header = self.out.relay(now, from.source, header, from.samples)?;
        self.write(to, header, from.payload, buffer)
    }

    /// The same for a comfort noise packet, whose payload type is the one that this party takes it under.
    pub fn send_relayed_noise(
        &mut self,
        now: Instant,
        from: Relayed<'_>,
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        let (to, _) = self.destination(now)?;
        let header = self.out.relay(now, from.source, from.header, from.samples)?;
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

    /// The clock in which the party wants keys told, in Hz: that of the sound where nothing else was agreed.
    pub fn event_clock_hz(&self) -> u32 {
        self.remote.and_then(|r| r.event_out).map_or(self.out.clock_hz(), |e| e.clock_hz.max(1))
    }

    /// Begins a key of `samples` length in the clock of the sound (RFC 4733); returns the timestamp of its packets.
    pub fn begin_event(&mut self, now: Instant, samples: u32) -> u32 {
        self.out.begin_event(now, samples)
    }

    /// Sends a packet of the key that began at `timestamp`. `None` also when the party takes no events.
    pub fn send_event(&mut self, timestamp: u32, packet: EventPacket, buffer: &mut [u8]) -> Option<Outgoing> {
        let (to, remote) = self.proven()?;
        let timestamp = timestamp.wrapping_add(packet.timestamp_offset);
        let header = self.out.event(remote.event_out?.payload_type, packet.marker, timestamp);
        self.write(to, header, &packet.payload.bytes(), buffer)
    }

    /// Where to send sound now. Nobody can be made to receive what he did not ask for: see [`Remote::acknowledged`].
    fn destination(&mut self, now: Instant) -> Option<(SocketAddr, Remote)> {
        if let Some(proven) = self.proven() {
            return Some(proven);
        }
        let (lock, remote) = (self.lock.as_ref()?, self.remote?);
        let to = lock.destination().filter(|to| lock.is_signalling_host(*to))?;
        let since = *self.unproven_since.get_or_insert(now);
        (now.since(since) < UNPROVEN_MAX).then_some((to, remote))
    }

    /// Where the party is, when it has shown that it is there.
    fn proven(&self) -> Option<(SocketAddr, Remote)> {
        let (lock, remote) = (self.lock.as_ref()?, self.remote?);
        let is_proven = remote.acknowledged || lock.locked().is_some();
        Some((lock.destination().filter(|_| is_proven)?, remote))
    }

    fn write(
        &mut self,
        to: SocketAddr,
        header: Header,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        let length = header.write(payload, buffer)?;
        let out = self.protect(Outgoing { to, length }, buffer)?;
        self.out.count(payload.len());
        Some(out)
    }

    /// A report goes to whom sound may be sent too, and where it shares the port of the sound, to the same address.
    fn with_sound(&self, report: Outgoing) -> Option<Outgoing> {
        let (sound, remote) = self.proven()?;
        Some(Outgoing { to: if remote.rtcp_mux { sound } else { report.to }, ..report })
    }

    /// The report that is due at `now`, if any, to be sent from the RTCP socket, or the RTP socket with
    /// [`Self::rtcp_mux`]. Ask until `None`.
    pub fn poll_rtcp(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Outgoing> {
        let out = self.reporting.poll(now, &mut self.inbound, &self.out, buffer)?;
        self.with_sound(out).and_then(|out| self.protect(out, buffer))
    }

    /// The last report, with a BYE (RFC 3550 section 6.6): the session is over.
    pub fn close(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Outgoing> {
        let out = self.reporting.close(now, &mut self.inbound, &self.out, buffer)?;
        self.with_sound(out).and_then(|out| self.protect(out, buffer))
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
            p if self.sound_in.contains(p) => Some(PayloadKind::Sound),
            p if self.events_in.contains(p) => Some(PayloadKind::Event),
            p if p == COMFORT_NOISE || Some(p) == self.comfort_noise_in => Some(PayloadKind::Silence),
            _ => None,
        }
    }
}
