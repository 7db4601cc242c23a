//! What comes from one party: classified, its numbers checked, counted. RFC 3550 section 6.4 and appendix A.
//!
//! Invariant: every datagram ends as sound, silence, an event, or one count in [`Drops`].
use crate::base::{Instant, Key};
use crate::rtp::packet::{Header, Packet};
use crate::rtp::rtcp::ReportBlock;
use crate::rtp::sequence::{Sequence, Verdict};
use crate::rtp::stats::{Jitter, LossMeter};
use crate::rtp::telephone_event::{EventPayload, EventReceiver};

/// What a datagram was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// Sound, in order or late, never doubled.
    Sound {
        /// The packet's header.
        header: Header,
        /// The codec's bytes.
        payload: &'a [u8],
        /// The first sound of the session.
        first: bool,
    },
    /// Silence that the party describes by a comfort noise packet.
    Silence {
        /// The packet's header.
        header: Header,
        /// What the silence sounds like, RFC 3389.
        payload: &'a [u8],
    },
    /// A packet of a telephone-event; `key` at the first one of each key.
    Event {
        /// The packet's header.
        header: Header,
        /// The key, once.
        key: Option<Key>,
    },
    /// A report: RTCP over the RTP port.
    Report,
    /// Counted and forgotten.
    Dropped(DropCause),
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropCause {
    /// Nothing was agreed yet.
    NotAgreed,
    /// No RTP, lengths that lie, or an event too short.
    Malformed,
    /// RTCP on the RTP port, which was not agreed.
    RtcpOnRtpPort,
    /// A payload type that was not agreed.
    PayloadType,
    /// From an address that is not the party's.
    Stranger,
    /// A new synchronisation source, not proven yet.
    Probation,
    /// Seen before, or too old.
    Duplicate,
    /// A sequence number far off, not confirmed yet.
    Jump,
    /// SRTP was agreed, and its tag is not the party's.
    Unauthentic,
    /// An SRTP packet that was taken already, or is too old to know.
    Replayed,
    /// A packet of ours that could not be protected, and was not sent.
    NotProtected,
}

/// How many datagrams were dropped, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// Before anything was agreed.
    pub not_agreed: u64,
    /// Malformed, RTP or RTCP.
    pub malformed: u64,
    /// RTCP on the RTP port.
    pub rtcp_on_rtp_port: u64,
    /// Payload types that were not agreed.
    pub payload_type: u64,
    /// From other addresses, RTP or RTCP.
    pub strangers: u64,
    /// Synchronisation sources on probation.
    pub probation: u64,
    /// Doubled or too old.
    pub duplicates: u64,
    /// Sequence numbers far off.
    pub jumps: u64,
    /// Without the tag of SRTP that was agreed, RTP or RTCP.
    pub unauthentic: u64,
    /// Taken already under SRTP, or too old.
    pub replayed: u64,
    /// Ours, not protected and so not sent.
    pub not_protected: u64,
}

impl Drops {
    pub(crate) fn count(&mut self, cause: DropCause) {
        let counter = match cause {
            DropCause::NotAgreed => &mut self.not_agreed,
            DropCause::Malformed => &mut self.malformed,
            DropCause::RtcpOnRtpPort => &mut self.rtcp_on_rtp_port,
            DropCause::PayloadType => &mut self.payload_type,
            DropCause::Stranger => &mut self.strangers,
            DropCause::Probation => &mut self.probation,
            DropCause::Duplicate => &mut self.duplicates,
            DropCause::Jump => &mut self.jumps,
            DropCause::Unauthentic => &mut self.unauthentic,
            DropCause::Replayed => &mut self.replayed,
            DropCause::NotProtected => &mut self.not_protected,
        };
        *counter = counter.saturating_add(1);
    }

    /// All causes together.
    pub fn total(&self) -> u64 {
        [
            self.not_agreed,
            self.malformed,
            self.rtcp_on_rtp_port,
            self.payload_type,
            self.strangers,
            self.probation,
            self.duplicates,
            self.jumps,
            self.unauthentic,
            self.replayed,
            self.not_protected,
        ]
        .iter()
        .fold(0, |sum, n| sum.saturating_add(*n))
    }
}

/// What a payload type means in this RTP session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadKind {
    /// The agreed codec.
    Sound,
    /// Comfort noise, RFC 3389.
    Silence,
    /// Telephone-events.
    Event,
}

/// The synchronisation source that we listen to.
#[derive(Clone, Debug)]
struct Listened {
    ssrc: u32,
    sequence: Sequence,
    loss: LossMeter,
    jitter: Jitter,
}

/// The incoming half of a session.
#[derive(Clone, Debug)]
pub(crate) struct Inbound {
    clock_hz: u32,
    listened: Option<Listened>,
    probing: Option<(u32, Sequence)>,
    events: EventReceiver,
    sounded: bool,
    received_before: u64,
    lost_before: u64,
    pub(crate) drops: Drops,
}

impl Inbound {
    pub(crate) fn new(clock_hz: u32) -> Self {
        Self {
            clock_hz,
            listened: None,
            probing: None,
            events: EventReceiver::default(),
            sounded: false,
            received_before: 0,
            lost_before: 0,
            drops: Drops::default(),
        }
    }

    /// Takes a packet of the party's own address.
    pub(crate) fn take<'a>(&mut self, now: Instant, packet: Packet<'a>, kind: PayloadKind) -> Incoming<'a> {
        let header = packet.header;
        let result = match kind {
            PayloadKind::Event => self.take_event(header, packet.payload),
            PayloadKind::Sound => self.check(now, header).map(|()| {
                let first = !std::mem::replace(&mut self.sounded, true);
                Incoming::Sound { header, payload: packet.payload, first }
            }),
            PayloadKind::Silence => {
                self.check(now, header).map(|()| Incoming::Silence { header, payload: packet.payload })
            }
        };
        result.unwrap_or_else(|cause| {
            self.drops.count(cause);
            Incoming::Dropped(cause)
        })
    }

    /// An event counts whatever its sequence number says: its timestamp alone decides whether it is new. Its
    /// timestamp stands still, so that it says nothing of jitter.
    fn take_event<'a>(&mut self, header: Header, payload: &[u8]) -> Result<Incoming<'a>, DropCause> {
        let event = EventPayload::read(payload).ok_or(DropCause::Malformed)?;
        if let Some(listened) = self.listened.as_mut().filter(|l| l.ssrc == header.ssrc) {
            listened.sequence.update(header.sequence);
        }
        let key = self.events.packet(header.ssrc, header.timestamp, event);
        Ok(Incoming::Event { header, key })
    }

    fn check(&mut self, now: Instant, header: Header) -> Result<(), DropCause> {
        let clock_hz = self.clock_hz;
        let sequence = match &mut self.listened {
            Some(listened) if listened.ssrc == header.ssrc => {
                self.probing = None;
                return listened.check(now, header);
            }
            Some(_) => self.probe(header)?,
            None => Sequence::trusted(header.sequence),
        };
        self.keep_totals();
        let jitter = Jitter::new(clock_hz);
        let mut listened = Listened { ssrc: header.ssrc, sequence, loss: LossMeter::default(), jitter };
        listened.jitter.arrived(now, header.timestamp);
        self.listened = Some(listened);
        Ok(())
    }

    /// Another synchronisation source at the party's address: believed after two packets in a row.
    fn probe(&mut self, header: Header) -> Result<Sequence, DropCause> {
        let (ssrc, mut sequence) = self
            .probing
            .take()
            .filter(|(ssrc, _)| *ssrc == header.ssrc)
            .unwrap_or_else(|| (header.ssrc, Sequence::new(header.sequence)));
        match sequence.update(header.sequence) {
            Verdict::Next { .. } => Ok(sequence),
            Verdict::Probation | Verdict::Late | Verdict::Duplicate | Verdict::Jump | Verdict::Restarted => {
                self.probing = Some((ssrc, sequence));
                Err(DropCause::Probation)
            }
        }
    }

    fn keep_totals(&mut self) {
        (self.received_before, self.lost_before) = (self.received(), self.lost());
        self.listened = None;
    }

    /// Packets received, each once, over all sources.
    pub(crate) fn received(&self) -> u64 {
        self.received_before.saturating_add(self.listened.as_ref().map_or(0, |l| l.sequence.received()))
    }

    /// Packets that never came, over all sources.
    pub(crate) fn lost(&self) -> u64 {
        self.lost_before.saturating_add(self.listened.as_ref().map_or(0, |l| l.sequence.lost()))
    }

    /// Interarrival jitter of the source listened to, in milliseconds.
    pub(crate) fn jitter_ms(&self) -> f64 {
        self.listened.as_ref().map_or(0.0, |l| l.jitter.in_ms())
    }

    /// The source that we listen to.
    pub(crate) fn ssrc(&self) -> Option<u32> {
        self.listened.as_ref().map(|l| l.ssrc)
    }

    /// What we report of it; begins the next interval of the loss.
    pub(crate) fn report(&mut self) -> Option<ReportBlock> {
        let listened = self.listened.as_mut()?;
        Some(ReportBlock {
            ssrc: listened.ssrc,
            fraction_lost: listened.loss.fraction(&listened.sequence),
            lost: i32::try_from(listened.sequence.lost()).unwrap_or(i32::MAX),
            highest: listened.sequence.extended_highest(),
            jitter: listened.jitter.in_samples(),
            last_sender_report: 0,
            delay: 0,
        })
    }
}

impl Listened {
    fn check(&mut self, now: Instant, header: Header) -> Result<(), DropCause> {
        match self.sequence.update(header.sequence) {
            Verdict::Next { .. } => self.jitter.arrived(now, header.timestamp),
            Verdict::Late => {}
            Verdict::Restarted => {
                self.jitter.forget_transit();
                self.jitter.arrived(now, header.timestamp);
            }
            Verdict::Duplicate => return Err(DropCause::Duplicate),
            Verdict::Jump => return Err(DropCause::Jump),
            Verdict::Probation => return Err(DropCause::Probation),
        }
        Ok(())
    }
}
