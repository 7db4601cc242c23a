//! What the control side wants of sound, and what sound reports back. Control and media speak only in these.
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{Key, Language, LegId, PlayId, PromptId};
use crate::rtp::{EventType, PayloadTypes, Remote, SrtpKeys};

/// A codec on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 mu-law, RFC 3551, static payload type 0.
    Pcmu,
    /// G.711 A-law, RFC 3551, static payload type 8.
    Pcma,
    /// G.722 at 64 kbit/s, RFC 3551, static payload type 9: 16 kHz sound under an RTP clock of 8 kHz.
    G722,
}

/// What offer and answer agreed for one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is agreed by itself")]
pub struct RemoteMedia {
    /// Where to send RTP, as signalled; symmetric RTP may replace it by the source of the first valid packets.
    pub rtp: SocketAddr,
    /// Where to send RTCP; the same as `rtp` with `rtcp_mux`.
    pub rtcp: SocketAddr,
    /// The host that the peer's signalling comes from, where it is known; see [`Remote::host`].
    pub host: Option<IpAddr>,
    /// The peer has shown that it is there; see [`Remote::acknowledged`].
    pub acknowledged: bool,
    /// RTCP goes over the RTP port, both ways (RFC 5761): the RTCP socket is of no use to this leg any more.
    pub rtcp_mux: bool,
    /// The codec that we send.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// What the peer may send: it may change among these at any packet.
    pub sound_in: SoundTypes,
    /// The payload types of telephone-event that the peer may send, of whatever clock rate.
    pub events_in: PayloadTypes,
    /// The telephone-events that we may send to the peer, if agreed.
    pub event_out: Option<EventType>,
    /// The payload type of the comfort noise (RFC 3389, 8,000 Hz) that the peer may send, if agreed. Static type 13
    /// is taken always.
    pub comfort_noise_in: Option<u8>,
    /// The payload type of the comfort noise that we may send, if agreed.
    pub comfort_noise_out: Option<u8>,
    /// The keys of SRTP; `None` is plain RTP.
    pub srtp: Option<SrtpKeys>,
    /// How much sound a packet of ours carries: the peer's `ptime` within its `maxptime`, 10-60 ms.
    pub ptime: Duration,
    /// We may send sound (direction `sendrecv` or `sendonly`, seen from us).
    pub send: bool,
    /// We expect sound (direction `sendrecv` or `recvonly`, seen from us).
    pub receive: bool,
}

impl RemoteMedia {
    /// The simplest agreement: one codec both ways, 20 ms, RTCP on the next port up, neither keys nor SRTP.
    pub fn plain(rtp: SocketAddr, codec: Codec, payload_type: u8) -> Self {
        Self {
            rtp,
            rtcp: SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1)),
            host: None,
            acknowledged: true,
            rtcp_mux: false,
            codec,
            payload_type,
            sound_in: SoundTypes::default().with(payload_type, codec),
            events_in: PayloadTypes::NONE,
            event_out: None,
            comfort_noise_in: None,
            comfort_noise_out: None,
            srtp: None,
            ptime: crate::media::FRAME,
            send: true,
            receive: true,
        }
    }
    /// The same, as the RTP session wants it.
    pub fn for_rtp(&self) -> Remote {
        Remote {
            rtp: self.rtp,
            rtcp: self.rtcp,
            host: self.host,
            acknowledged: self.acknowledged,
            rtcp_mux: self.rtcp_mux,
            sound_in: self.sound_in.all(),
            sound_out: self.payload_type,
            events_in: self.events_in,
            event_out: self.event_out,
            comfort_noise_in: self.comfort_noise_in,
        }
    }
}

/// Which payload types stand for which codec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoundTypes([PayloadTypes; Codec::ALL.len()]);

impl SoundTypes {
    /// The same with one more.
    #[must_use]
    pub fn with(mut self, payload_type: u8, codec: Codec) -> Self {
        for (types, c) in self.0.iter_mut().zip(Codec::ALL) {
            if c == codec {
                *types = types.with(payload_type);
            }
        }
        self
    }
    /// The codec of a payload type.
    pub fn codec(&self, payload_type: u8) -> Option<Codec> {
        self.0.iter().zip(Codec::ALL).find(|(types, _)| types.contains(payload_type)).map(|(_, codec)| codec)
    }
    /// All payload types of any codec.
    pub fn all(&self) -> PayloadTypes {
        self.0.iter().fold(PayloadTypes::NONE, |all, types| all.and(*types))
    }
}

impl FromIterator<(u8, Codec)> for SoundTypes {
    fn from_iter<I: IntoIterator<Item = (u8, Codec)>>(all: I) -> Self {
        all.into_iter().fold(Self::default(), |types, (payload_type, codec)| types.with(payload_type, codec))
    }
}

/// What control wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaCommand {
    /// A leg begins on this local port, whose socket the worker already holds (RTCP on the next port up).
    Open {
        /// The leg.
        leg: LegId,
        /// The local RTP port.
        port: u16,
    },
    /// What was agreed, first or anew. Sound is sent and keys are heard from now on.
    Remote {
        /// The leg.
        leg: LegId,
        /// The agreement.
        remote: Box<RemoteMedia>,
    },
    /// Play prompts, see [`crate::exchange::Command::Play`].
    Play {
        /// The leg.
        leg: LegId,
        /// The playing's number.
        play: PlayId,
        /// The prompts' language.
        language: Language,
        /// In order.
        prompts: Vec<PromptId>,
        /// A key stops it at once, here, before control hears of it.
        barge_in: bool,
        /// For ever; the same prompts to the same leg resume where they stopped.
        repeat: bool,
    },
    /// Stop playing.
    Stop {
        /// The leg.
        leg: LegId,
    },
    /// Whom the leg hears, see [`crate::exchange::Command::Hear`]. A source that is not open yet, or no longer, is
    /// silence.
    Hear {
        /// The ear.
        leg: LegId,
        /// The mouths.
        sources: Vec<LegId>,
    },
    /// Press a key at the far end by RFC 4733, 100 ms long, in place of what the leg hears; several go one after the
    /// other. Counted as refused when telephone-events were not agreed, or too many wait.
    SendKey {
        /// The leg.
        leg: LegId,
        /// Which.
        key: Key,
    },
    /// Complain with `SoundLost` when nothing comes for this long (`None`: never). Runs only while the agreement
    /// lets us receive.
    Watch {
        /// The leg.
        leg: LegId,
        /// The limit.
        silence: Option<Duration>,
    },
    /// The leg is over: RTCP BYE, final figures, socket free.
    Close {
        /// The leg.
        leg: LegId,
    },
}

/// How a key came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// As a telephone-event, RFC 4733.
    Event,
    /// As two tones in the sound, ITU-T Q.23.
    Inband,
}

/// What sound reports.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaEvent {
    /// A key: by RFC 4733 at the first packet of its event, in the sound after 35 ms; once.
    Key {
        /// Whose.
        leg: LegId,
        /// Which.
        key: Key,
        /// How it came.
        source: KeySource,
        /// The playing it stopped, if any.
        play: Option<PlayId>,
    },
    /// A playing came to its end by itself.
    PromptEnded {
        /// Whose.
        leg: LegId,
        /// Which.
        play: PlayId,
    },
    /// Nothing came for the watched time. Sent once per silence.
    SoundLost {
        /// The leg.
        leg: LegId,
    },
    /// A packet ended the silence that was told of.
    SoundBack {
        /// The leg.
        leg: LegId,
    },
    /// A report (RTCP) came during the silence that was told of: the far end is there, though it says nothing.
    Reported {
        /// The leg.
        leg: LegId,
    },
    /// The first valid packet of a leg arrived.
    SoundStarted {
        /// The leg.
        leg: LegId,
    },
    /// The leg's final figures: after `Close`.
    Closed {
        /// The leg.
        leg: LegId,
        /// Its local port, free again.
        port: u16,
        /// What was counted.
        figures: LegFigures,
    },
}

/// What was counted on a leg, RFC 3550 section 6.4 and A.3.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LegFigures {
    /// RTP packets sent.
    pub sent: u64,
    /// RTP packets received from the locked source.
    pub received: u64,
    /// Packets of the peer that never came.
    pub lost: u64,
    /// Packets from strangers, malformed ones, wrong payload types: dropped.
    pub dropped: u64,
    /// Interarrival jitter, in milliseconds.
    pub jitter_ms: f64,
    /// Round trip from RTCP, in milliseconds, if ever measured.
    pub round_trip_ms: Option<f64>,
    /// What the peer says it lost of our packets.
    pub peer_lost: u64,
    /// Packets that came too late to be mixed in their place, in whole or in part.
    pub late: u64,
    /// Sound made up in place of what was lost or late, for those who hear the leg mixed, in milliseconds.
    pub concealed_ms: u64,
    /// Sound added because packets came later or the far clock is slow, in milliseconds.
    pub stretched_ms: u64,
    /// Sound left out because packets came earlier or the far clock is fast, in milliseconds.
    pub cut_ms: u64,
    /// Packets of sound that nobody was to hear: while a key was pressed, or while we did not expect sound.
    pub withheld: u64,
    /// Keys in the leg's sound that were the echo of what we played or passed on: no keys.
    pub key_echoes: u64,
    /// Packets that we did not send because the machine was more than three packets behind.
    pub skipped: u64,
}
