//! A packet of one leg, on its way to those who hear it.
//!
//! Invariant: telephone-events are consumed here and reach nobody; what is not passed on leaves no gap in a relay.
use crate::base::{Instant, Key, LegId};
use crate::media::frame::PACKET_SAMPLES_MAX;
use crate::media::hearing::{Format, Hearing};
use crate::media::listening::Overheard;
use crate::media::outbox::Socket;
use crate::media::plane::MediaPlane;
use crate::media::playing::Playing;
use crate::media::{KeySource, MediaEvent};
use crate::rtp::{Header, Relayed};

/// Longest comfort noise that is passed on, in bytes: a level and 12 coefficients.
const NOISE_BYTES: usize = 13;

impl MediaPlane {
    /// A valid packet of any kind came.
    pub(super) fn alive(&mut self, now: Instant, leg: LegId) {
        let Some(known) = self.legs.get_mut(&leg) else { return };
        let (is_first, ends_silence) = (known.mouth.start(), known.watch.packet(now));
        if is_first {
            self.tell(MediaEvent::SoundStarted { leg });
        }
        if ends_silence {
            self.rewatch(leg);
            self.tell(MediaEvent::SoundBack { leg });
        }
    }
    /// A report of the far end came.
    pub(super) fn reported(&mut self, leg: LegId) {
        if self.legs.get(&leg).is_some_and(|known| known.watch.is_lost()) {
            self.tell(MediaEvent::Reported { leg });
        }
    }
    pub(super) fn sound(&mut self, now: Instant, leg: LegId, header: Header, payload: &[u8]) {
        let Some(mouth) = self.legs.get_mut(&leg) else { return };
        let expected = mouth.receives();
        if !mouth.mouth.admits(now, expected, payload) {
            if expected {
                mouth.mouth.hush(now, header.ssrc, Some(header.timestamp));
            }
            return self.withhold(leg, header);
        }
        let Some(codec) = mouth.agreed.as_ref().and_then(|a| a.sound_in.codec(header.payload_type)) else {
            return;
        };
        let mut samples = [0; PACKET_SAMPLES_MAX];
        let mut decoded = None;
        if mouth.listens(&self.rules, codec) {
            let n = mouth.mouth.decode(codec, payload, &mut samples);
            decoded = Some(n);
            if self.overhear(now, leg, header, samples.get(..n).unwrap_or_default()) {
                return;
            }
        }
        let Some(mouth) = self.legs.get_mut(&leg) else { return };
        if mouth.mouth.note_format(Format { codec, samples: payload.len() }) {
            self.decide_ears(now, leg);
        }
        let mut is_mixed = false;
        for ear in self.ears.get(&leg).map(Vec::as_slice).unwrap_or_default() {
            let Some(ear) = self.legs.get_mut(ear) else { continue };
            match ear.hearing {
                // A packet in another codec, before it is known whether more will follow.
                Hearing::Relay(_) if ear.takes().is_none_or(|t| t.codec != codec) => {
                    ear.rtp.consume_relayed(leg.0, header);
                }
                Hearing::Relay(_) => {
                    let packet = Relayed { source: leg.0, header, samples: payload.len() as u32, payload };
                    self.outbox.put(ear.id, Socket::Rtp, |b| ear.rtp.send_relayed(now, packet, b));
                }
                Hearing::Mix => is_mixed = true,
                Hearing::Keys | Hearing::Play | Hearing::Nothing => {}
            }
        }
        let Some(mouth) = self.legs.get_mut(&leg).filter(|_| is_mixed) else { return };
        let n = decoded.unwrap_or_else(|| mouth.mouth.decode(codec, payload, &mut samples));
        mouth.mouth.say(now, &self.rules, header, samples.get(..n).unwrap_or_default());
    }
    /// Listens for keys in a packet's sound; `true` when there is one in it, so that nobody is to hear it. What of the
    /// key came before it was known is taken back where it was not played yet; in a relay it has gone.
    fn overhear(&mut self, now: Instant, leg: LegId, header: Header, sound: &[i16]) -> bool {
        let Some(mouth) = self.legs.get_mut(&leg) else { return false };
        let Overheard { key, tone } = mouth.listening.packet(now, (header.ssrc, header.timestamp), sound);
        let Some(began) = tone else { return false };
        let end = header.timestamp.wrapping_add(sound.len() as u32);
        mouth.mouth.hush(now, header.ssrc, Some(end.wrapping_sub(began)));
        mouth.mouth.withhold();
        self.withhold(leg, header);
        if let Some(key) = key {
            self.key(now, leg, key, KeySource::Inband);
        }
        true
    }
    /// The party rests, and told us what that sounds like: passed on to those who can make it themselves, made here for
    /// those who hear a mix.
    pub(super) fn silence(&mut self, now: Instant, leg: LegId, header: Header, payload: &[u8]) {
        let Some(mouth) = self.legs.get_mut(&leg) else { return };
        let expected = mouth.receives();
        if !mouth.mouth.admits(now, expected, payload) {
            return self.withhold(leg, header);
        }
        let payload = payload.get(..NOISE_BYTES).unwrap_or(payload);
        let mut is_mixed = false;
        for ear in self.ears.get(&leg).map(Vec::as_slice).unwrap_or_default() {
            let Some(ear) = self.legs.get_mut(ear) else { continue };
            let noise = ear.agreed.as_ref().and_then(|a| a.comfort_noise_out);
            match (ear.hearing, noise) {
                (Hearing::Relay(_), Some(payload_type)) => {
                    let header = Header { payload_type, ..header };
                    let packet = Relayed { source: leg.0, header, samples: 0, payload };
                    self.outbox.put(ear.id, Socket::Rtp, |b| ear.rtp.send_relayed_noise(now, packet, b));
                }
                (Hearing::Relay(_), None) => ear.rtp.consume_relayed(leg.0, header),
                (Hearing::Mix, _) => is_mixed = true,
                (Hearing::Keys | Hearing::Play | Hearing::Nothing, _) => {}
            }
        }
        if let Some(mouth) = self.legs.get_mut(&leg).filter(|_| is_mixed) {
            mouth.mouth.rest(now, &self.rules, header, payload);
        }
    }
    /// A packet that is not passed on leaves no gap where the leg is relayed.
    pub(super) fn withhold(&mut self, leg: LegId, header: Header) {
        for ear in self.ears.get(&leg).map(Vec::as_slice).unwrap_or_default() {
            if let Some(ear) = self.legs.get_mut(ear) {
                ear.rtp.consume_relayed(leg.0, header);
            }
        }
    }
    pub(super) fn key(&mut self, now: Instant, leg: LegId, key: Key, source: KeySource) {
        // Who hears the leg may have heard the tone's beginning, and send it back.
        let heard = self.ears.get(&leg).filter(|_| source == KeySource::Inband);
        for ear in heard.map(Vec::as_slice).unwrap_or_default() {
            if let Some(ear) = self.legs.get_mut(ear) {
                ear.listening.sounded(now, key);
            }
        }
        let Some(known) = self.legs.get_mut(&leg) else { return };
        let stops = known.playing.as_ref().is_some_and(Playing::barge_in);
        let play = if stops { known.stop_playing() } else { None };
        self.tell(MediaEvent::Key { leg, key, source, play });
        if stops {
            self.decide(now, leg);
        }
    }
}
