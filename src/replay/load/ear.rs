//! What one phone of the load hears: numbers, spacing, tones, delays. Everything is taken from what arrived.
use hdrhistogram::Histogram;

use crate::media::{Codec, FRAME_SAMPLES, amplitude};
use crate::rtp::Packet;

/// One frame, in nanoseconds.
pub(super) const FRAME_NS: u64 = 20_000_000;
/// Of so many packets one is listened to.
const LISTENED: u64 = 16;
/// A tone is heard from this peak amplitude on; silence and noise are far below.
const AUDIBLE: f64 = 900.0;
/// A sample above this begins a burst.
const ONSET: i16 = 500;

/// The tones of callers, agents and merchants, in Hz: whole periods fit a frame, so each frame is like the last.
pub(super) const TONES: [f64; 3] = [500.0, 800.0, 1_250.0];

/// What all ears of one kind measured.
#[derive(Debug)]
pub(super) struct Ears {
    /// How far two packets' distance is from 20 ms, in microseconds.
    pub(super) spacing_us: Histogram<u64>,
    /// From a mouth to an ear, less the packet's own 20 ms, in microseconds.
    pub(super) delay_us: Histogram<u64>,
    /// Packets heard while it counted.
    pub(super) packets: u64,
    /// Numbers that never came while it counted.
    pub(super) lost: u64,
    /// Whether it counts.
    pub(super) counting: bool,
}

impl Ears {
    pub(super) fn new() -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            spacing_us: Histogram::new_with_max(10_000_000, 3)?,
            delay_us: Histogram::new_with_max(10_000_000, 3)?,
            packets: 0,
            lost: 0,
            counting: false,
        })
    }
}

/// One phone's ear.
#[derive(Debug, Default)]
pub(super) struct Ear {
    last: Option<(u16, u64)>,
    /// Packets of the whole call.
    pub(super) packets: u64,
    /// Which of [`TONES`] it heard while it counted, a bit each.
    pub(super) tones: u8,
    /// Packets listened to that were not silent.
    pub(super) loud: u64,
    /// It hears a partner's bursts with a watch in its hand.
    timed: bool,
    /// When the partner's last burst was said, until it is heard.
    burst_at: Option<u64>,
    /// Frames without a sound before this one.
    quiet: u32,
}

impl Ear {
    /// Has heard nothing yet; `timed`: it takes the time of its partner's bursts.
    pub(super) fn new(timed: bool) -> Self {
        Self { timed, ..Self::default() }
    }

    /// The partner began a burst now.
    pub(super) fn expect_burst(&mut self, at_ns: u64) {
        self.burst_at = Some(at_ns);
    }

    /// A packet came.
    pub(super) fn hear(&mut self, all: &mut Ears, at_ns: u64, packet: &Packet<'_>) {
        let sequence = packet.header.sequence;
        if all.counting {
            all.packets += 1;
        }
        if let Some((last, last_ns)) = self.last {
            let step = sequence.wrapping_sub(last);
            if step == 0 || step > 0x8000 {
                return;
            }
            if all.counting {
                all.lost += u64::from(step - 1);
                if step == 1 {
                    let off = at_ns.saturating_sub(last_ns).abs_diff(FRAME_NS) / 1_000;
                    all.spacing_us.saturating_record(off);
                }
            }
        }
        self.last = Some((sequence, at_ns));
        self.packets += 1;
        if all.counting && self.packets.is_multiple_of(LISTENED) {
            self.listen(packet.payload);
        }
        if self.timed {
            self.time(all, at_ns, packet.payload);
        }
    }

    /// Another window begins: what was heard before it does not count.
    pub(super) fn begin(&mut self) {
        self.tones = 0;
        self.loud = 0;
    }

    fn listen(&mut self, payload: &[u8]) {
        let samples = decode(payload);
        for (bit, hz) in TONES.iter().enumerate() {
            if amplitude(&samples, *hz) > AUDIBLE {
                self.tones |= 1 << bit;
            }
        }
        if samples.iter().any(|s| s.unsigned_abs() > 64) {
            self.loud += 1;
        }
    }

    /// The first sample of a burst after silence tells how long the sound was on its way.
    fn time(&mut self, all: &mut Ears, at_ns: u64, payload: &[u8]) {
        let samples = decode(payload);
        let onset = samples.iter().position(|s| s.unsigned_abs() > ONSET.unsigned_abs());
        let Some(onset) = onset else {
            self.quiet += 1;
            return;
        };
        let after_quiet = std::mem::take(&mut self.quiet) > 0;
        if let Some(said) = self.burst_at.take().filter(|said| after_quiet && all.counting && at_ns > *said) {
            let into = onset as u64 * 125_000;
            all.delay_us.saturating_record((at_ns - said + into) / 1_000);
        }
    }
}

fn decode(payload: &[u8]) -> [i16; FRAME_SAMPLES] {
    let mut samples = [0; FRAME_SAMPLES];
    if payload.len() <= FRAME_SAMPLES {
        Codec::Pcma.decode(payload, &mut samples);
    }
    samples
}
