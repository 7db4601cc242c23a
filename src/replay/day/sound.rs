//! The sound of a day: what phones hear, and what those say whose slot has come.
//!
//! Invariant: a phone speaks in its own slot of the 20 ms and in no other; how late it was is measured there.
use std::io;

use super::DayError;
use super::ear::TONES;
use super::leg::{Part, Said, Seat};
use super::town::{Phase, Town};
use super::{Payload, Say};
use crate::base::{Instant, Now, Rng};
use crate::media::{Codec, FRAME_SAMPLES, Tone};
use crate::replay::engine::{Heard, SLOTS};
use crate::rtp::Packet;

/// What phones say, encoded once.
pub(super) struct Voices {
    /// By law (A, then mu), by voice, as [`TONES`].
    tones: [[Payload; 4]; 2],
    /// The recording's frames, by law; none for tones.
    speech: [Vec<Payload>; 2],
}

impl Voices {
    pub(super) fn new(say: &Say) -> Self {
        Self { tones: tones(), speech: speech(say) }
    }

    /// A phone's frame; of a recording the one of this number.
    fn frame(&self, codec: Codec, part: &Part, number: usize) -> Option<&Payload> {
        let law = usize::from(codec == Codec::Pcmu);
        let speech = self.speech.get(law)?;
        let voice = match part {
            Part::Caller { .. } => 0,
            Part::Agent { .. } | Part::Service { .. } => 1,
            Part::Party { follows: false, .. } => 2,
            Part::Party { follows: true, .. } => 3,
        };
        if speech.is_empty() {
            self.tones.get(law).and_then(|tones| tones.get(voice))
        } else {
            number.checked_rem(speech.len()).and_then(|n| speech.get(n))
        }
    }
}

impl Town {
    /// Hears what has come: to the phone in this place, or to all whose turn it is.
    pub(super) fn hear(&mut self, only: Option<usize>) -> io::Result<()> {
        let (places, gauges) = (&mut self.places, &mut self.gauges);
        let (percent, chance) = (self.faults.loss, &mut self.loss);
        let tones = matches!(self.settings.say, Say::Tones);
        let mut partners = Vec::new();
        let take = |place: usize, heard: Heard<'_>, packet: &Packet<'_>| {
            let Some(leg) = places.at(place) else {
                gauges.counts.strays += 1;
                return;
            };
            if matches!(leg.part, Part::Caller { .. }) && lost(percent, chance) {
                gauges.counts.lost_in += 1;
                return;
            }
            let at = Instant::from_nanos(heard.at_ns);
            let noticed = leg.ear.hear(at, packet, leg.mouth.codec, tones);
            if noticed.first
                && let (Part::Caller { .. }, Some((_, answered))) = (&leg.part, leg.answered)
            {
                gauges.first_sound.record(at.since(answered));
            }
            if let Some(after) = noticed.prompt {
                gauges.key_to_prompt.record(after);
            }
            if noticed.partner {
                partners.push((Seat { place, serial: leg.serial }, at));
            }
        };
        match only {
            Some(place) => self.engine.read_sound_of(place, take)?,
            None => self.engine.read_sound(take)?,
        }
        for (seat, at) in partners {
            self.partner_heard(seat, at);
        }
        Ok(())
    }

    /// Every phone whose slot has come says its next frame.
    pub(super) fn speak(&mut self, now: Now) -> Result<(), DayError> {
        let due = self.engine.due(now.mono);
        // Before the doors open and while everybody hangs up at once nobody's sound is measured.
        let counts = matches!(self.phase, Phase::Day | Phase::Evening);
        if due.skipped > 0 {
            if counts {
                self.gauges.lateness.skipped(due.skipped);
            }
            for place in 0..self.places.len() {
                if let Some(leg) = self.places.at(place).filter(|leg| leg.mouth.to.is_some()) {
                    leg.mouth.pass_over(due.skipped_of(place));
                }
            }
        }
        for ms in due.first..due.first + due.count {
            let mut place = usize::try_from(ms % SLOTS as u64).unwrap_or(0);
            while place < self.places.len() {
                self.say(place);
                place += SLOTS;
            }
            let late = self.engine.clock.mono().since(Instant::from_millis(ms));
            if counts {
                self.gauges.lateness.spoke(late);
            }
            if ms + 1 < due.first + due.count {
                self.tend()?;
            }
        }
        self.engine.flush();
        Ok(())
    }

    fn say(&mut self, place: usize) {
        let Some(leg) = self.places.at(place) else { return };
        let Some(to) = leg.mouth.to else { return };
        let said = leg.mouth.next_packet();
        let is_caller = matches!(leg.part, Part::Caller { .. });
        let lost = is_caller && lost(self.faults.loss, &mut self.loss);
        self.gauges.counts.lost_out += u64::from(lost);
        let mut head = [0; 12];
        match said {
            Said::Sound(header) => {
                // Each phone at another place of the recording.
                let frame = place * 37 + usize::from(header.sequence);
                let payload = self.voices.frame(leg.mouth.codec, &leg.part, frame);
                if let (Some(payload), Some(_), false) = (payload, header.write(&[], &mut head), lost) {
                    self.engine.say(place, to, &head, payload);
                }
            }
            Said::Key(header, payload, first) => {
                if first && is_caller {
                    let sent = arrival_clock(self.engine.now());
                    let without = leg.ear.await_prompt(sent);
                    self.gauges.counts.keys_without_prompt += u64::from(without);
                }
                if header.write(&[], &mut head).is_some() && !lost {
                    self.engine.say(place, to, &head, &payload);
                }
            }
        }
    }
}

/// Whether a packet is lost where so many in a hundred are.
fn lost(percent: u8, chance: &mut Rng) -> bool {
    percent > 0 && chance.below(100) < u64::from(percent)
}

/// The moment by the clock by which the kernel stamps arrivals.
pub(super) fn arrival_clock(now: Now) -> Instant {
    Instant::from_nanos(u64::try_from(now.utc.as_micros()).unwrap_or(0).saturating_mul(1_000))
}

fn tones() -> [[Payload; 4]; 2] {
    [Codec::Pcma, Codec::Pcmu].map(|codec| {
        TONES.map(|hz| {
            let (mut samples, mut payload) = ([0; FRAME_SAMPLES], [0; FRAME_SAMPLES]);
            Tone::new(hz, 8_000.0).fill(&mut samples);
            codec.encode(&samples, &mut payload);
            payload
        })
    })
}

fn speech(say: &Say) -> [Vec<Payload>; 2] {
    let samples: &[i16] = match say {
        Say::Tones => &[],
        Say::Silence => &[0; FRAME_SAMPLES],
        Say::Speech(samples) => samples,
    };
    [Codec::Pcma, Codec::Pcmu].map(|codec| {
        let frames = samples.chunks_exact(FRAME_SAMPLES).map(|frame| {
            let mut payload = [0; FRAME_SAMPLES];
            codec.encode(frame, &mut payload);
            payload
        });
        frames.collect()
    })
}
