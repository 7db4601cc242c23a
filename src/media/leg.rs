//! One party's sound: its RTP session, what it says, what it is to hear.
//!
//! Invariant: what the leg hears is [`hearing`](crate::media::hearing) of its desired state and of nothing else.
//! Memory: under 2.3 KiB, 14 KiB more once it was mixed, and the names of what is played and was played last.
use std::sync::Arc;

use crate::base::{Instant, LegId};
use crate::media::frame::{FRAME, SAMPLES_PER_MS, duration_of, packet_duration, samples_in};
use crate::media::hearing::{Desire, Format, Hearing, hearing};
use crate::media::listening::Listening;
use crate::media::mouth::Mouth;
use crate::media::playing::{Bookmark, Playing};
use crate::media::pressing::Pressing;
use crate::media::quiet::Quiet;
use crate::media::wakes::Wakes;
use crate::media::watch::Watch;
use crate::media::{Codec, Encoder, LegFigures, PromptLibrary, RemoteMedia, SoundRules};
use crate::rtp::RtpSession;

/// Ticks of neighbouring legs lie this far apart, in nanoseconds: the golden part of 20 ms spreads any run of numbers.
const PHASE_STEP_NS: u64 = 12_360_680;

/// One party's sound.
#[derive(Debug)]
pub(super) struct MediaLeg {
    pub(super) id: LegId,
    pub(super) port: u16,
    pub(super) rtp: RtpSession,
    /// What can be played to it: what held when it was opened, whatever is installed later.
    pub(super) prompts: Arc<PromptLibrary>,
    pub(super) agreed: Option<RemoteMedia>,
    pub(super) mouth: Mouth,
    /// For keys in its sound.
    pub(super) listening: Listening,
    /// What is mixed for it goes through here.
    pub(super) encoder: Encoder,
    pub(super) watch: Watch,
    pub(super) wakes: Wakes,
    /// Whom it is to hear: at most [`crate::base::limits::HEARD_AT_ONCE`], never itself, none twice.
    pub(super) sources: Vec<LegId>,
    pub(super) playing: Option<Playing>,
    pub(super) bookmark: Option<Bookmark>,
    /// Made when the first key is pressed at its far end.
    pub(super) pressing: Option<Box<Pressing>>,
    pub(super) hearing: Hearing,
    pub(super) quiet: Quiet,
    /// The end of the last packet made here: the next one does not begin before.
    pub(super) made_until: Instant,
    pub(super) skipped: u64,
}

impl MediaLeg {
    /// A leg on a local port, of which nothing is agreed yet.
    pub(super) fn new(id: LegId, port: u16, rtp: RtpSession, prompts: Arc<PromptLibrary>) -> Self {
        Self {
            id,
            port,
            rtp,
            prompts,
            agreed: None,
            mouth: Mouth::default(),
            listening: Listening::default(),
            encoder: Encoder::default(),
            watch: Watch::default(),
            wakes: Wakes::default(),
            sources: Vec::new(),
            playing: None,
            bookmark: None,
            pressing: None,
            hearing: Hearing::default(),
            quiet: Quiet::default(),
            made_until: Instant::ZERO,
            skipped: 0,
        }
    }
    /// Takes an agreement, first or anew.
    pub(super) fn agree(&mut self, now: Instant, agreed: RemoteMedia) {
        self.rtp.set_remote(now, agreed.for_rtp());
        self.rtp.set_keys(agreed.srtp);
        self.watch.set_receiving(now, agreed.receive);
        if !agreed.send || agreed.event_out.is_none() {
            // A key that waited out a hold would mean something else by then.
            self.pressing = None;
        }
        self.agreed = Some(agreed);
    }
    /// What the far end takes.
    pub(super) fn takes(&self) -> Option<Format> {
        let agreed = self.agreed.as_ref()?;
        let samples = samples_in(packet_duration(agreed.ptime)) as usize;
        Some(Format { codec: agreed.codec, samples })
    }
    /// What it sends that others may hear.
    pub(super) fn gives(&self) -> Option<Format> {
        self.mouth.format().filter(|_| self.receives())
    }
    /// Whether keys are listened for in sound of this codec.
    pub(super) fn listens(&self, rules: &SoundRules, codec: Codec) -> bool {
        let agreed = self.agreed.as_ref().is_some_and(|a| !a.events_in.is_empty());
        self.listening.wants(rules, codec, (agreed, !self.sources.is_empty()))
    }
    /// Whether sound is expected from it.
    pub(super) fn receives(&self) -> bool {
        self.agreed.as_ref().is_some_and(|a| a.receive)
    }
    /// Whether it may be sent sound.
    pub(super) fn sends(&self) -> bool {
        self.agreed.as_ref().is_some_and(|a| a.send)
    }
    /// What it is to hear, when its only source gives `only_gives`.
    pub(super) fn desires(&self, only_gives: Option<Format>) -> Hearing {
        hearing(Desire {
            takes: self.takes(),
            send: self.sends(),
            pressing: self.pressing.as_ref().is_some_and(|p| p.is_busy()),
            playing: self.playing.is_some(),
            sources: &self.sources,
            only_gives,
        })
    }
    /// Ends what is played; music leaves a bookmark.
    pub(super) fn stop_playing(&mut self) -> Option<crate::base::PlayId> {
        let playing = self.playing.take()?;
        let id = playing.id;
        self.bookmark = playing.into_bookmark().or(self.bookmark.take());
        Some(id)
    }
    /// Its first tick from `now` on: legs tick in slots of their own, spread over the 20 ms.
    pub(super) fn first_tick(&self, now: Instant) -> Instant {
        let frame = FRAME.as_nanos() as u64;
        let phase = self.id.0.wrapping_mul(PHASE_STEP_NS) % frame;
        let from = now.max(self.made_until).as_nanos();
        let past = (from + frame - phase) % frame;
        Instant::from_nanos(if past == 0 { from } else { from + frame - past })
    }
    /// How long its packets last.
    pub(super) fn period(&self) -> std::time::Duration {
        self.takes().map_or(FRAME, |t| duration_of(t.samples as u64))
    }
    /// What was counted.
    pub(super) fn figures(&self) -> LegFigures {
        let (rtp, mixed) = (self.rtp.figures(), self.mouth.mixed());
        let in_ms = |samples: u64| samples / SAMPLES_PER_MS as u64;
        LegFigures {
            sent: rtp.sent,
            received: rtp.received,
            lost: rtp.lost,
            dropped: rtp.drops.total() + self.mouth.unusable(),
            jitter_ms: rtp.jitter_ms,
            round_trip_ms: rtp.round_trip_ms,
            peer_lost: rtp.peer_lost,
            late: mixed.late,
            concealed_ms: in_ms(mixed.concealed),
            stretched_ms: in_ms(mixed.stretched),
            cut_ms: in_ms(mixed.cut),
            withheld: self.mouth.withheld(),
            key_echoes: self.listening.echoes(),
            skipped: self.skipped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Now, Rng};

    fn leg(id: u64) -> MediaLeg {
        MediaLeg::new(
            LegId(id),
            0,
            RtpSession::new(Now::default(), 8_000, Rng::from_number(id)),
            Arc::default(),
        )
    }

    #[test]
    fn the_legs_of_a_busy_server_tick_in_slots_spread_over_the_20_ms() {
        let mut in_ms = [0; 20];
        for id in 5_000..6_000 {
            let at = leg(id).first_tick(Instant::from_secs(1)).since(Instant::from_secs(1));
            in_ms[usize::try_from(at.as_millis()).unwrap()] += 1;
        }
        assert!(in_ms.iter().all(|n| (40..=60).contains(n)), "{in_ms:?}");
    }

    #[test]
    fn a_slot_never_comes_before_its_time() {
        for ns in [1_000_000_000u64, 1_000_000_001, 1_019_999_999] {
            let now = Instant::from_nanos(ns);
            let first = leg(7).first_tick(now);
            assert!(first >= now && first.since(now) < FRAME);
            assert_eq!(leg(7).first_tick(first), first);
            let until = now + FRAME * 2 + FRAME / 4;
            let after_a_long_packet = MediaLeg { made_until: until, ..leg(7) }.first_tick(now);
            assert!(after_a_long_packet >= until && after_a_long_packet.since(until) < FRAME);
        }
    }

    #[test]
    fn a_leg_that_was_never_mixed_is_small() {
        assert!(size_of::<MediaLeg>() < 2_304, "{}", size_of::<MediaLeg>());
    }
}
