//! The formats that we speak: codecs, telephone-events (RFC 4733), comfort noise (RFC 3389); what each is called in SDP.
//!
//! Invariant: a format is known by its name and clock; its number is whatever offer and answer say, except where
//! RFC 3551 fixes it and no `rtpmap` contradicts.
use crate::sdp::session::{Format, Media};

/// The payload type under which we offer telephone-events first; other clocks have the numbers after it.
const EVENT_PAYLOAD_TYPE: u8 = 101;
/// The events that we take: the keys, and flash, which peers expect to see here and which we ignore.
const EVENTS: &str = "0-16";
const EVENT_NAME: &str = "TELEPHONE-EVENT";
/// Comfort noise beside 8,000 Hz codecs.
const NOISE_PAYLOAD_TYPE: u8 = 13;
const NOISE_NAME: &str = "CN";
const NOISE_CLOCK_HZ: u32 = 8_000;

/// The codecs that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodecName {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722, 16 kHz under a clock of 8 kHz (RFC 3551 section 4.5.2).
    G722,
}

impl CodecName {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Pcmu, Self::Pcma, Self::G722];

    const fn encoding(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
        }
    }
    const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
        }
    }
    /// The clock of its RTP timestamps, in Hz.
    pub(crate) const fn clock_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
        }
    }
    pub(crate) fn names(self, format: &Format) -> bool {
        // Some write G.722's true rate, and count its clock as everybody does.
        let by_mistake = self == Self::G722 && format.clock_hz == 16_000;
        let clock = format.clock_hz == self.clock_hz() || by_mistake;
        format.encoding == self.encoding() && clock && format.channels == 1
    }
    /// The codec of a format, if it is one of ours.
    pub(crate) fn of(format: &Format) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.names(format))
    }
    /// The format under a number.
    pub(crate) fn format(self, payload_type: u8) -> Format {
        let encoding = self.encoding().to_owned();
        Format { payload_type, encoding, clock_hz: self.clock_hz(), channels: 1, parameters: None }
    }
}

/// A telephone-event format, RFC 4733.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventFormat {
    /// The payload type.
    pub payload_type: u8,
    /// Its clock, in Hz.
    pub clock_hz: u32,
}

impl EventFormat {
    fn of(format: &Format) -> Option<Self> {
        let is_event = format.encoding == EVENT_NAME && format.clock_hz > 0;
        is_event.then_some(Self { payload_type: format.payload_type, clock_hz: format.clock_hz })
    }
    pub(crate) fn format(self) -> Format {
        let encoding = EVENT_NAME.to_owned();
        let parameters = Some(EVENTS.into());
        Format { payload_type: self.payload_type, encoding, clock_hz: self.clock_hz, channels: 1, parameters }
    }
    /// All telephone-events of a media line.
    pub(crate) fn all_of(media: &Media) -> Vec<Self> {
        media.formats.iter().filter_map(Self::of).collect()
    }
    /// Of several, the one to send beside a codec: events are told in the clock of the sound (RFC 4733 section 2.1).
    /// A peer that names none of that clock means what it names.
    pub(crate) fn beside(events: &[Self], codec: CodecName) -> Option<Self> {
        events.iter().find(|e| e.clock_hz == codec.clock_hz()).or(events.first()).copied()
    }
}

/// The payload type of comfort noise in a media line.
pub(crate) fn noise_of(media: &Media) -> Option<u8> {
    media.formats.iter().find(|f| is_noise(f)).map(|f| f.payload_type)
}

pub(crate) fn noise_format(payload_type: u8) -> Format {
    let encoding = NOISE_NAME.to_owned();
    Format { payload_type, encoding, clock_hz: NOISE_CLOCK_HZ, channels: 1, parameters: None }
}

fn is_noise(format: &Format) -> bool {
    format.encoding == NOISE_NAME && format.clock_hz == NOISE_CLOCK_HZ
}

/// The formats of an offer of ours. What was agreed `before` under a number keeps it; a number that means something
/// else there is not used again (RFC 3264 section 8.3.2).
pub(crate) fn offered(
    codecs: &[CodecName],
    events: bool,
    noise: bool,
    before: Option<&Media>,
) -> Vec<Format> {
    let known: &[Format] = before.map_or(&[], |m| &m.formats);
    let mut formats: Vec<Format> = Vec::new();
    let mut add = |mut format: Format, same: &dyn Fn(&Format) -> bool| {
        let kept = known.iter().find(|f| same(f)).map(|f| f.payload_type);
        let means_another = |p: u8| {
            formats.iter().any(|f| f.payload_type == p)
                || known.iter().any(|f| f.payload_type == p && !same(f))
        };
        let free = || (96..=127).chain(35..=63).find(|p| !means_another(*p));
        let wanted = Some(format.payload_type).filter(|p| !means_another(*p));
        if let Some(payload_type) = kept.or(wanted).or_else(free) {
            format.payload_type = payload_type;
            formats.push(format);
        }
    };
    for codec in codecs {
        add(codec.format(codec.payload_type()), &|f| codec.names(f));
    }
    if noise {
        add(noise_format(NOISE_PAYLOAD_TYPE), &is_noise);
    }
    let mut clocks: Vec<u32> = Vec::new();
    for clock_hz in codecs.iter().map(|c| c.clock_hz()).filter(|_| events) {
        if !clocks.contains(&clock_hz) {
            clocks.push(clock_hz);
            let event = EventFormat { payload_type: EVENT_PAYLOAD_TYPE, clock_hz };
            add(event.format(), &|f| EventFormat::of(f).is_some_and(|e| e.clock_hz == clock_hz));
        }
    }
    formats
}
