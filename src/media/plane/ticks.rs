//! What happens when time has come: a packet is made, a report is sent, a silence is noticed.
//!
//! Invariant: every wake moves its own entry of the index forward or removes it.
use crate::base::{Instant, LegId};
use crate::media::MediaEvent;
use crate::media::frame::{PACKET_SAMPLES_MAX, SAMPLE_RATE};
use crate::media::hearing::Hearing;
use crate::media::leg::MediaLeg;
use crate::media::mixer::Mixer;
use crate::media::outbox::Socket;
use crate::media::plane::MediaPlane;
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
        let payload = payload.get(..n).unwrap_or_default();
        if ear.sends() {
            self.outbox.put(leg, Socket::Rtp, |b| ear.rtp.send_frame(at, n as u32, payload, b));
        }
        ear.made_until = at + period;
        self.wakes.set(leg, &mut ear.wakes, Wake::Tick, Some(at + period));
    }
    /// Sends the next packet of a key; after the last one the leg hears again what it should.
    fn key_packet(&mut self, at: Instant, leg: LegId) {
        let Some(ear) = self.legs.get_mut(&leg) else { return };
        let period = ear.period();
        ear.made_until = at + period;
        self.wakes.set(leg, &mut ear.wakes, Wake::Tick, Some(at + period));
        let MediaLeg { pressing, rtp, .. } = ear;
        let Some(pressing) = pressing else { return };
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
            if playing.read(takes.codec, payload) {
                return payload.len();
            }
            if let Some(play) = ear.stop_playing() {
                self.tell(MediaEvent::PromptEnded { leg, play });
            }
            self.decide(at, leg);
        }
        let Some(ear) = self.legs.get(&leg) else { return 0 };
        let mut mixer = Mixer::new(payload.len());
        let mut heard = false;
        for source in ear.sources.iter().filter_map(|s| self.legs.get(s)) {
            heard |= source.mouth.heard(at, payload.len(), &mut mixer);
        }
        let Some(ear) = self.legs.get_mut(&leg) else { return 0 };
        if heard {
            let mut samples = [0; PACKET_SAMPLES_MAX];
            let n = mixer.finish(&mut samples);
            ear.encoder.encode(takes.codec, samples.get(..n).unwrap_or_default(), payload);
        } else {
            ear.encoder.reset();
            payload.fill(takes.codec.silence());
        }
        payload.len()
    }
}
