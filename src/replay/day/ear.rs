//! What one phone hears: its stream, the first sound after the answer, the prompt that follows a key, the partner's tone.
//!
//! Invariant: a key is followed by at most one prompt, and a partner is heard for the first time once.
use std::time::Duration;

use crate::base::Instant;
use crate::media::{Codec, FRAME_SAMPLES, amplitude};
use crate::replay::measure::Stream;
use crate::rtp::Packet;

/// A tone is heard from this peak amplitude on.
const AUDIBLE: f64 = 900.0;
/// A sample above this is sound; comfort noise is below.
const ONSET: u16 = 300;
/// So many frames without sound, or none at all for so long, and the next sound begins something new.
const QUIET_FRAMES: u32 = 2;
const QUIET: Duration = Duration::from_millis(60);
/// Comfort noise, RFC 3389.
const COMFORT_NOISE: u8 = 13;
/// A prompt that comes later than this after a key was not its answer.
const ANSWER_TO_KEY: Duration = Duration::from_secs(5);

/// The tones of callers, agents, third parties and those who take a third party's place, in Hz: whole periods fit a frame.
pub(super) const TONES: [f64; 4] = [500.0, 800.0, 1_100.0, 1_400.0];

/// What a packet meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Noticed {
    /// The first packet of the call.
    pub(super) first: bool,
    /// A prompt began, so long after the key.
    pub(super) prompt: Option<Duration>,
    /// The partner is heard for the first time.
    pub(super) partner: bool,
}

/// One phone's ear.
#[derive(Clone, Debug, Default)]
pub(super) struct Ear {
    pub(super) stream: Option<Stream>,
    last: Option<Instant>,
    quiet: u32,
    /// When the key was sent whose prompt is awaited.
    key: Option<Instant>,
    /// The partner's tone, if he is listened for.
    listens: Option<usize>,
}

impl Ear {
    /// A key was sent: the prompt that follows is timed. Whether the one before it had none.
    pub(super) fn await_prompt(&mut self, sent: Instant) -> bool {
        self.key.replace(sent).is_some()
    }

    /// Listens for the partner: for his tone, or for any sound.
    pub(super) fn listen(&mut self, tone: usize) {
        self.listens = Some(tone);
    }

    /// Whether a key still waits for its prompt.
    pub(super) fn awaits(&self) -> bool {
        self.key.is_some()
    }

    /// A packet came.
    pub(super) fn hear(&mut self, at: Instant, packet: &Packet<'_>, codec: Codec, tones: bool) -> Noticed {
        let mut noticed = Noticed::default();
        match &mut self.stream {
            None => {
                self.stream = Some(Stream::new(at, &packet.header));
                noticed.first = true;
            }
            Some(stream) => {
                if !stream.arrived(at, &packet.header) {
                    return noticed;
                }
            }
        }
        if self.key.is_some() || self.listens.is_some() || packet.header.payload_type == COMFORT_NOISE {
            self.attend(at, packet, (codec, tones), &mut noticed);
        } else {
            self.quiet = 0;
        }
        self.last = Some(at);
        noticed
    }

    fn attend(
        &mut self,
        at: Instant,
        packet: &Packet<'_>,
        (codec, tones): (Codec, bool),
        noticed: &mut Noticed,
    ) {
        let mut samples = [0_i16; FRAME_SAMPLES];
        let sound = packet.header.payload_type != COMFORT_NOISE && packet.payload.len() <= FRAME_SAMPLES;
        let n = if sound { codec.decode(packet.payload, &mut samples) } else { 0 };
        let heard = samples.get(..n).unwrap_or_default();
        let audible = heard.iter().any(|s| s.unsigned_abs() > ONSET);
        let paused = self.quiet >= QUIET_FRAMES || self.last.is_some_and(|last| at.since(last) > QUIET);
        self.quiet = if audible { 0 } else { self.quiet.saturating_add(1) };
        // The marker begins a talk spurt (RFC 3551 section 4.1): another prompt, whatever sounded before it.
        let begins = sound && (packet.header.marker || audible && paused);
        if let Some(key) = self.key.filter(|key| begins && at > *key) {
            self.key = None;
            noticed.prompt = Some(at.since(key)).filter(|d| *d <= ANSWER_TO_KEY);
        }
        if let Some(tone) = self.listens {
            let wanted = TONES.get(tone).copied().unwrap_or(0.0);
            if if tones { amplitude(heard, wanted) > AUDIBLE } else { audible } {
                self.listens = None;
                noticed.partner = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Tone;
    use crate::rtp::Header;

    fn payload(hz: Option<f64>) -> [u8; FRAME_SAMPLES] {
        let (mut samples, mut payload) = ([0; FRAME_SAMPLES], [0; FRAME_SAMPLES]);
        if let Some(hz) = hz {
            Tone::new(hz, 8_000.0).fill(&mut samples);
        }
        Codec::Pcma.encode(&samples, &mut payload);
        payload
    }

    /// Feeds 20 ms frames; hands back what the n-th meant.
    fn feed(ear: &mut Ear, from: u16, frames: &[(bool, Option<f64>)]) -> Vec<Noticed> {
        let mut out = Vec::new();
        for (n, (marker, hz)) in frames.iter().enumerate() {
            let n = from + u16::try_from(n).unwrap();
            let header = Header {
                payload_type: 8,
                marker: *marker,
                sequence: n,
                timestamp: u32::from(n) * 160,
                ssrc: 1,
            };
            let payload = payload(*hz);
            let packet = Packet { header, payload: &payload };
            out.push(ear.hear(ms(20 * u64::from(n)), &packet, Codec::Pcma, true));
        }
        out
    }

    fn ms(n: u64) -> Instant {
        Instant::from_millis(5_000 + n)
    }

    #[test]
    fn a_prompt_after_silence_is_the_answer_to_the_key_before() {
        let mut ear = Ear::default();
        assert!(feed(&mut ear, 0, &[(false, None); 5])[0].first);
        assert!(!ear.await_prompt(ms(95)));
        let then =
            feed(&mut ear, 5, &[(false, None), (false, None), (false, Some(440.0)), (false, Some(440.0))]);
        assert_eq!(then[2].prompt, Some(Duration::from_millis(45)));
        assert_eq!((then[0].prompt, then[3].prompt, ear.awaits()), (None, None, false));
    }

    #[test]
    fn a_marker_begins_a_prompt_in_the_middle_of_another_and_mere_sound_does_not() {
        let mut ear = Ear::default();
        feed(&mut ear, 0, &[(false, Some(440.0)); 5]);
        ear.await_prompt(ms(90));
        let then = feed(&mut ear, 5, &[(false, Some(440.0)), (true, Some(440.0))]);
        assert_eq!((then[0].prompt, then[1].prompt), (None, Some(Duration::from_millis(30))));
    }

    #[test]
    fn a_prompt_long_after_a_key_is_not_its_answer() {
        let mut ear = Ear::default();
        feed(&mut ear, 0, &[(false, None); 2]);
        ear.await_prompt(ms(40));
        let then = feed(&mut ear, 400, &[(true, Some(440.0))]);
        assert_eq!((then[0].prompt, ear.awaits()), (None, false));
    }

    #[test]
    fn a_partner_is_known_by_his_tone_among_others() {
        let mut ear = Ear::default();
        ear.listen(1);
        let heard = feed(&mut ear, 0, &[(false, Some(500.0)), (false, Some(800.0)), (false, Some(800.0))]);
        assert_eq!(heard.iter().map(|n| n.partner).collect::<Vec<_>>(), [false, true, false]);
    }
}
