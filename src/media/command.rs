//! What the control side wants of sound, and what sound reports back. Control and media speak only in these.
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Key, Language, LegId, PlayId, PromptId};

/// A codec on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 mu-law, RFC 3551, static payload type 0.
    Pcmu,
    /// G.711 A-law, RFC 3551, static payload type 8.
    Pcma,
}

/// What offer and answer agreed for one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteMedia {
    /// Where to send RTP, as signalled; symmetric RTP may replace it by the source of the first valid packets.
    pub rtp: SocketAddr,
    /// Where to send RTCP.
    pub rtcp: SocketAddr,
    /// The codec.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// The payload type of telephone-event that the peer sends to us, if agreed.
    pub event_in: Option<u8>,
    /// The payload type of telephone-event that we may send to the peer, if agreed.
    pub event_out: Option<u8>,
    /// How much sound a packet of ours carries: the peer's `ptime` within its `maxptime`, 10-60 ms.
    pub ptime: Duration,
    /// We may send sound (direction `sendrecv` or `sendonly`, seen from us).
    pub send: bool,
    /// We expect sound (direction `sendrecv` or `recvonly`, seen from us).
    pub receive: bool,
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
        remote: RemoteMedia,
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

/// What sound reports.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaEvent {
    /// A key by RFC 4733, at the first packet of its event, once.
    Key {
        /// Whose.
        leg: LegId,
        /// Which.
        key: Key,
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
    /// Packets that came too late to be mixed in their place.
    pub late: u64,
    /// Packets of sound that nobody was to hear: while a key was pressed, or while we did not expect sound.
    pub withheld: u64,
    /// Packets that we did not send because the machine was more than three packets behind.
    pub skipped: u64,
}
