//! Whether keys are listened for in a leg's sound, and which of them count.
//!
//! Invariant: a key that we ourselves sounded to the leg in the last second is its echo and no key; where
//! telephone-events come, sound is not listened to. Memory: 1.3 KiB where it listens, 128 bytes where a key was sounded.
use std::time::Duration;

use crate::base::{Instant, Key};
use crate::media::inband::InbandDetector;
use crate::media::{Codec, InbandKeys, SoundRules};

/// How long after a key was sounded to a leg its echo may come back: the longest way of satellites and loudspeakers.
const ECHO: Duration = Duration::from_secs(1);

/// What listening made of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Overheard {
    /// The key that began in it.
    pub(super) key: Option<Key>,
    /// A key is in it, new or held: nobody is to hear it. So many samples before the packet's end the key may have begun.
    pub(super) tone: Option<u32>,
}

/// One leg's.
#[derive(Debug, Default)]
pub(super) struct Listening {
    events: bool,
    detector: Option<Box<InbandDetector>>,
    sounded: Option<Box<[Option<Instant>; 16]>>,
    /// Keys that were echoes.
    echoes: u64,
}

impl Listening {
    /// Whether a leg of this codec is listened to, whether telephone-events were `agreed` or not. Where they were, one
    /// that never sent any is listened to while it hears nobody (a menu waits for its keys), and unless that means
    /// decoding G.722: in talk such legs are most, and cost nothing.
    pub(super) fn wants(&self, rules: &SoundRules, codec: Codec, (agreed, talks): (bool, bool)) -> bool {
        match rules.inband_keys {
            InbandKeys::Off => false,
            InbandKeys::On => true,
            InbandKeys::Auto if self.events => false,
            InbandKeys::Auto => !agreed || (!talks && codec != Codec::G722),
        }
    }
    /// A telephone-event came: from now on keys come by that.
    pub(super) fn event(&mut self, rules: &SoundRules) {
        self.events = true;
        if rules.inband_keys == InbandKeys::Auto {
            self.detector = None;
        }
    }
    /// A key was sounded to the leg, by a prompt or by somebody it hears.
    pub(super) fn sounded(&mut self, now: Instant, key: Key) {
        let all = self.sounded.get_or_insert_default();
        if let Some(at) = all.get_mut(usize::from(key.event())) {
            *at = Some(now);
        }
    }
    /// Takes a packet's sound.
    pub(super) fn packet(&mut self, now: Instant, at: (u32, u32), sound: &[i16]) -> Overheard {
        let detector = self.detector.get_or_insert_with(|| Box::new(InbandDetector::new()));
        let key = detector.packet(at, sound);
        let tone = detector.held().or(key).map(|_| detector.began());
        let sounded = |key: &Key| {
            let at = self.sounded.as_ref().and_then(|s| s.get(usize::from(key.event())).copied().flatten());
            at.is_some_and(|at| now.since(at) <= ECHO)
        };
        let echo = key.is_some_and(|k| sounded(&k));
        self.echoes += u64::from(echo);
        Overheard { key: key.filter(|_| !echo), tone }
    }
    /// Keys that were echoes of our own.
    pub(super) const fn echoes(&self) -> u64 {
        self.echoes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Chord;

    fn press(listening: &mut Listening, at_ms: u64, key: char) -> Vec<Overheard> {
        let mut chord = Chord::of_key(Key::from_char(key).unwrap(), 4_000.0);
        let mut heard = Vec::new();
        for n in 0..8u64 {
            let mut sound = [0; 160];
            if n < 4 {
                chord.fill(&mut sound);
            }
            let ms = at_ms + 20 * n;
            heard.push(listening.packet(Instant::from_millis(ms), (1, (8 * ms) as u32), &sound));
        }
        heard
    }

    #[test]
    fn a_key_is_told_once_and_its_packets_are_not_to_be_heard() {
        let mut listening = Listening::default();
        let heard = press(&mut listening, 1_000, '5');
        assert_eq!(heard.iter().filter_map(|h| h.key).map(Key::as_char).collect::<String>(), "5");
        let tones: Vec<bool> = heard.iter().map(|h| h.tone.is_some()).collect();
        assert_eq!(tones, [false, true, true, true, false, false, false, false]);
    }

    #[test]
    fn what_we_sounded_ourselves_is_an_echo_for_a_second() {
        let mut listening = Listening::default();
        listening.sounded(Instant::from_millis(1_000), Key::from_char('5').unwrap());
        assert!(press(&mut listening, 1_300, '5').iter().all(|h| h.key.is_none()));
        assert!(press(&mut listening, 1_600, '6').iter().any(|h| h.key.is_some()), "another key is no echo");
        assert!(
            press(&mut listening, 2_100, '5').iter().any(|h| h.key.is_some()),
            "a second later it is one"
        );
        assert_eq!(listening.echoes(), 1);
    }

    #[test]
    fn events_end_the_listening_unless_told_otherwise() {
        let rules = |inband_keys| SoundRules { inband_keys, ..SoundRules::default() };
        let (auto, on, off) = (rules(InbandKeys::Auto), rules(InbandKeys::On), rules(InbandKeys::Off));
        let mut listening = Listening::default();
        let (menu, talk, bare) = ((true, false), (true, true), (false, true));
        assert!(listening.wants(&auto, Codec::Pcma, menu) && !listening.wants(&auto, Codec::Pcma, talk));
        assert!(listening.wants(&auto, Codec::Pcma, bare) && !listening.wants(&off, Codec::Pcma, bare));
        assert!(listening.wants(&auto, Codec::G722, bare) && !listening.wants(&auto, Codec::G722, menu));
        listening.event(&auto);
        assert!(!listening.wants(&auto, Codec::Pcma, menu) && listening.wants(&on, Codec::G722, talk));
    }
}
