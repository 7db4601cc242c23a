//! What happens when time has come: a packet is made, a report is sent, a silence is noticed.
//!
//! Invariant: every wake moves its own entry of the index forward or removes it.
use crate::base::{Instant, LegId};
use crate::media::MediaEvent;
use crate::media::frame::{PACKET_SAMPLES_MAX, SAMPLE_RATE};
use crate::media::hearing::{Format, Hearing};
use crate::media::leg::MediaLeg;
use crate::media::mixer::Mixer;
use crate::media::noise::NoiseSum;
use crate::media::outbox::Socket;
use crate::media::plane::MediaPlane;
use crate::media::playout::Heard;
use crate::media::quiet::Says;
use crate::media::wakes::Wake;

/// A tick that is later than this many packets does not catch up: what it missed is skipped and counted.
const PACKETS_BEHIND_MAX: u64 = 3;

impl MediaPlane {
    pub(super) fn report(&mut self, now: Instant, leg: LegId) {
        let Some(known) = self.legs.get_mut(&leg) else { return };
        let socket = Socket::for_reports(known.rtp.rtcp_mux());
        self.outbox.put(leg, socket, |buffer| known.rtp.poll_rtcp(now, buffer));
        self.schedule_report(leg);
    }
    pub(super) fn schedule_report(&mut self, leg: LegId) {
        let Some(known) = self.legs.get_mut(&leg) else { return };
        let due = known.rtp.next_deadline().map(|d| d.at);
        self.wakes.set(leg, &mut known.wakes, Wake::Rtcp, due);
    }
    pub(super) fn look(&mut self, now: Instant, leg: LegId) {
        let Some(known) = self.legs.get_mut(&leg) else { return };
        if known.watch.complains(now) {
            self.tell(MediaEvent::SoundLost { leg });
        }
        self.rewatch(leg);
    }
    pub(super) fn rewatch(&mut self, leg: LegId) {
        let Some(known) = self.legs.get_mut(&leg) else { return };
        let due = known.watch.due();
        self.wakes.set(leg, &mut known.wakes, Wake::Watch, due);
    }

    /// Makes and sends a leg's next packet, due at `at`. What is late catches up, as far as that is no burst.
    pub(super) fn tick(&mut self, at: Instant, leg: LegId, now: Instant) {
        let Some(ear) = self.legs.get_mut(&leg) else { return };
        let period = ear.period();
        let behind = (now.since(at).as_nanos() / period.as_nanos()) as u64;
        let skipped = if behind > PACKETS_BEHIND_MAX { behind } else { 0 };
        ear.skipped += skipped;
        let at = at + period * u32::try_from(skipped).unwrap_or(u32::MAX);
        if ear.hearing == Hearing::Keys {
            return self.key_packet(at, leg);
        }
        let mut payload = [0; PACKET_SAMPLES_MAX];
        let n = self.make(at, leg, &mut payload);
        let Some(ear) = self.legs.get_mut(&leg) else { return };
        if !ear.hearing.ticks() {
            return self.wakes.set(leg, &mut ear.wakes, Wake::Tick, None);
        }
        ear.made_until = at + period;
        self.wakes.set(leg, &mut ear.wakes, Wake::Tick, Some(at + period));
        self.send_made(at, leg, payload.get(..n).unwrap_or_default());
    }
    /// Sends the next packet of a key; after the last one the leg hears again what it should.
    fn key_packet(&mut self, at: Instant, leg: LegId) {
        let Some(ear) = self.legs.get_mut(&leg) else { return };
        let period = ear.period();
        ear.made_until = at + period;
        self.wakes.set(leg, &mut ear.wakes, Wake::Tick, Some(at + period));
        let MediaLeg { pressing, rtp, listening, .. } = &mut **ear;
        let Some(pressing) = pressing else { return };
        // A gateway makes a tone of it, and somebody's loudspeaker an echo of that.
        if let Some(key) = pressing.next() {
            listening.sounded(at, key);
        }
        self.outbox.put(leg, Socket::Rtp, |b| pressing.packet(at, (period, SAMPLE_RATE), rtp, b));
        if !pressing.is_busy() {
            self.decide(at, leg);
        }
    }
    /// Writes what a leg hears at `at`; hands back how many samples. An ended playing makes way for the sources at once.
    fn make(&mut self, at: Instant, leg: LegId, payload: &mut [u8]) -> usize {
        let Some(ear) = self.legs.get_mut(&leg) else { return 0 };
        let Some(takes) = ear.takes() else { return 0 };
        let payload = payload.get_mut(..takes.samples).unwrap_or_default();
        if let Some(playing) = &mut ear.playing {
            let goes_on = playing.read(takes.codec, payload);
            if let Some(key) = playing.take_sounded() {
                ear.listening.sounded(at, key);
            }
            if goes_on {
                return payload.len();
            }
            if let Some(play) = ear.stop_playing() {
                self.tell(MediaEvent::PromptEnded { leg, play });
            }
            self.decide(at, leg);
        }
        self.mix(at, leg, takes, payload)
    }
    /// Writes the sum of a leg's sources at `at`; hands back how many samples.
    fn mix(&mut self, at: Instant, leg: LegId, takes: Format, payload: &mut [u8]) -> usize {
        let Some(ear) = self.legs.get_mut(&leg) else { return 0 };
        // Lent for the while: sources are changed by being heard.
        let sources = std::mem::take(&mut ear.sources);
        let mut mixer = Mixer::new(payload.len());
        let (mut sound, mut noise) = (false, NoiseSum::default());
        for source in &sources {
            let Some(source) = self.legs.get_mut(source) else { continue };
            match source.mouth.heard(at, payload.len(), &mut mixer) {
                Heard::Sound => sound = true,
                Heard::Noise(level) => noise.add(level),
                Heard::Nothing => {}
            }
        }
        let Some(ear) = self.legs.get_mut(&leg) else { return 0 };
        ear.sources = sources;
        ear.quiet.note(at, sound, noise.level());
        if sound || noise.is_some() {
            let mut samples = [0; PACKET_SAMPLES_MAX];
            let n = mixer.finish(&mut samples);
            ear.encoder.encode(takes.codec, samples.get(..n).unwrap_or_default(), payload);
        } else {
            ear.encoder.reset();
            payload.fill(takes.codec.silence());
        }
        payload.len()
    }
    /// Sends what was made; where that is silence or noise and the far end can make that itself, it is told so.
    fn send_made(&mut self, at: Instant, leg: LegId, payload: &[u8]) {
        let Some(ear) = self.legs.get_mut(&leg).filter(|ear| ear.sends()) else { return };
        let is_mix = ear.hearing == Hearing::Mix;
        let noise = ear.agreed.as_ref().and_then(|a| a.comfort_noise_out).filter(|_| is_mix);
        match ear.quiet.says(at, noise) {
            Says::Noise { payload_type, level } => {
                self.outbox.put(leg, Socket::Rtp, |b| ear.rtp.send_noise(at, payload_type, level, b));
            }
            Says::Nothing => {}
            Says::Sound { again } => {
                if again {
                    ear.rtp.switch_source();
                }
                let samples = payload.len() as u32;
                self.outbox.put(leg, Socket::Rtp, |b| ear.rtp.send_frame(at, samples, payload, b));
            }
        }
    }
}
