//! What one ear received: loss, doubled and late packets, jitter, gaps, and what a listener would have heard through a
//! buffer of fixed depth. Times are the kernel's, of arrival.
//!
//! Invariant: a number counts once: as heard, as too late for the buffer, or as lost.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people: no count comes near 2^52"
)]
use std::time::Duration;

use serde::Serialize;

use super::emodel::{CodecImpairment, mos_of, r_factor};
use super::quantiles::{Meter, Quantiles};
use crate::base::Instant;
use crate::rtp::{Header, Jitter, Sequence, Verdict};

/// Samples a second of the timestamps of G.711 and of telephone-events.
const CLOCK_HZ: u32 = 8_000;
/// Depth of the listener's buffer: what comes later than the fastest packet by more is not heard.
pub(super) const PLAYOUT: Duration = Duration::from_millis(60);
/// Arrivals further apart than their timestamps by this much are a gap.
const GAP: Duration = Duration::from_millis(40);
/// Encoding and sending of a frame of 20 ms takes as long as it is.
const FRAME_MS: f64 = 20.0;
/// Fewer packets than this say nothing of a line: half a second.
const ENOUGH: u64 = 25;

/// One ear in one call.
#[derive(Clone, Debug)]
pub struct Stream {
    ssrc: u32,
    sequence: Sequence,
    jitter: Jitter,
    last: (Instant, u32),
    /// The fastest packet's way, as arrival less timestamp, in microseconds; only its differences mean anything.
    fastest_us: i64,
    began: (Instant, u32),
    packets: u64,
    doubled: u64,
    disordered: u64,
    late: u64,
    gaps: u64,
    longest_gap: Duration,
    bursts: u64,
    expected_before: u64,
    received_before: u64,
    sources: u64,
}

impl Stream {
    /// Begins with its first packet.
    pub fn new(at: Instant, header: &Header) -> Self {
        let mut jitter = Jitter::new(CLOCK_HZ);
        jitter.arrived(at, header.timestamp);
        Self {
            ssrc: header.ssrc,
            sequence: Sequence::trusted(header.sequence),
            jitter,
            last: (at, header.timestamp),
            fastest_us: 0,
            began: (at, header.timestamp),
            packets: 1,
            doubled: 0,
            disordered: 0,
            late: 0,
            gaps: 0,
            longest_gap: Duration::ZERO,
            bursts: 0,
            expected_before: 0,
            received_before: 0,
            sources: 1,
        }
    }

    /// One more packet; whether it is new, in order or not.
    pub fn arrived(&mut self, at: Instant, header: &Header) -> bool {
        self.packets += 1;
        if header.ssrc != self.ssrc {
            self.begin_source(at, header);
            return true;
        }
        match self.sequence.update(header.sequence) {
            Verdict::Next { lost } => {
                self.bursts += u64::from(lost > 0);
                self.in_order(at, header, lost == 0);
                true
            }
            Verdict::Late => {
                self.disordered += 1;
                self.time(at, header.timestamp);
                true
            }
            Verdict::Restarted => {
                self.rebase(at, header.timestamp);
                true
            }
            Verdict::Duplicate | Verdict::Probation | Verdict::Jump => {
                self.doubled += 1;
                false
            }
        }
    }

    fn in_order(&mut self, at: Instant, header: &Header, next: bool) {
        // A talk spurt begins: its distance from the last one is the sender's pause (RFC 3551 section 4.1).
        if header.marker {
            self.jitter.forget_transit();
            self.jitter.arrived(at, header.timestamp);
            self.rebase(at, header.timestamp);
            return;
        }
        self.jitter.arrived(at, header.timestamp);
        let (last_at, last_timestamp) = self.last;
        let spoken = samples(header.timestamp.wrapping_sub(last_timestamp));
        let gap = at.since(last_at).saturating_sub(spoken);
        if gap > GAP {
            self.gaps += 1;
            self.longest_gap = self.longest_gap.max(gap);
        } else if !next && at.since(last_at) > GAP {
            // Nothing was heard meanwhile, for it was lost.
            self.gaps += 1;
            self.longest_gap = self.longest_gap.max(at.since(last_at));
        }
        self.last = (at, header.timestamp);
        self.time(at, header.timestamp);
    }

    /// Whether the packet came in time for a listener whose buffer is [`PLAYOUT`] deep.
    fn time(&mut self, at: Instant, timestamp: u32) {
        let (began_at, began_timestamp) = self.began;
        let passed = i64::try_from(at.since(began_at).as_micros()).unwrap_or(i64::MAX);
        let spoken = i64::from(timestamp.wrapping_sub(began_timestamp).cast_signed()) * 125;
        let way = passed.saturating_sub(spoken);
        self.fastest_us = self.fastest_us.min(way);
        let slower = way.saturating_sub(self.fastest_us);
        self.late += u64::from(slower > i64::try_from(PLAYOUT.as_micros()).unwrap_or(i64::MAX));
    }

    fn rebase(&mut self, at: Instant, timestamp: u32) {
        self.began = (at, timestamp);
        self.last = (at, timestamp);
        self.fastest_us = 0;
    }

    fn begin_source(&mut self, at: Instant, header: &Header) {
        self.expected_before += self.sequence.expected();
        self.received_before += self.sequence.received();
        self.ssrc = header.ssrc;
        self.sequence = Sequence::trusted(header.sequence);
        self.sources += 1;
        self.jitter.forget_transit();
        self.jitter.arrived(at, header.timestamp);
        self.rebase(at, header.timestamp);
    }

    fn expected(&self) -> u64 {
        self.expected_before + self.sequence.expected()
    }

    fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received_before + self.sequence.received())
    }

    /// How losses bunch: the mean length of a burst beside that of random loss at the same rate (G.107 section 3.5).
    fn burst_ratio(&self) -> f64 {
        let (lost, expected) = (self.lost() as f64, self.expected() as f64);
        if self.bursts == 0 || expected <= lost {
            return 1.0;
        }
        (lost / self.bursts as f64 * (1.0 - lost / expected)).max(1.0)
    }

    /// The rating of the call as heard here. `way_ms` is from the far mouth to this ear, without buffers.
    fn rating(&self, way_ms: f64) -> f64 {
        let unheard = (self.lost() + self.late) as f64 / self.expected().max(1) as f64;
        let delay = FRAME_MS + way_ms + PLAYOUT.as_secs_f64() * 1e3;
        r_factor(CodecImpairment::G711, delay, unheard, self.burst_ratio())
    }
}

/// What all ears received.
#[derive(Clone, Debug)]
pub struct Reception {
    streams: u64,
    brief: u64,
    packets: u64,
    expected: u64,
    lost: u64,
    doubled: u64,
    disordered: u64,
    late: u64,
    gaps: u64,
    longest_gap: Duration,
    jitter: Meter,
    /// Mean opinion scores, in thousandths.
    scores: Vec<u16>,
}

impl Reception {
    /// Nothing was heard yet.
    ///
    /// # Errors
    /// When a histogram's bounds are refused.
    pub fn new() -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            streams: 0,
            brief: 0,
            packets: 0,
            expected: 0,
            lost: 0,
            doubled: 0,
            disordered: 0,
            late: 0,
            gaps: 0,
            longest_gap: Duration::ZERO,
            jitter: Meter::new()?,
            scores: Vec::new(),
        })
    }

    /// An ear's call is over; `way` is the one-way delay of the network as far as it is known.
    pub fn add(&mut self, stream: &Stream, way: Duration) {
        self.streams += 1;
        self.packets += stream.packets;
        self.expected += stream.expected();
        self.lost += stream.lost();
        self.doubled += stream.doubled;
        self.disordered += stream.disordered;
        self.late += stream.late;
        self.gaps += stream.gaps;
        self.longest_gap = self.longest_gap.max(stream.longest_gap);
        if stream.expected() < ENOUGH {
            self.brief += 1;
            return;
        }
        self.jitter.record(Duration::from_secs_f64(stream.jitter.in_ms().max(0.0) / 1e3));
        let score = mos_of(stream.rating(way.as_secs_f64() * 1e3));
        self.scores.push((score * 1_000.0) as u16);
    }

    /// Packets heard so far.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// What it comes to.
    pub fn told(&self) -> Sound {
        let mut scores = self.scores.clone();
        scores.sort_unstable();
        let at = |q: f64| {
            let place = (q * scores.len().saturating_sub(1) as f64) as usize;
            scores.get(place).map(|s| f64::from(*s) / 1_000.0)
        };
        let percent = |part: u64| (self.expected > 0).then(|| 100.0 * part as f64 / self.expected as f64);
        Sound {
            streams: self.streams,
            brief: self.brief,
            packets: self.packets,
            expected: self.expected,
            lost: self.lost,
            lost_percent: percent(self.lost),
            late: self.late,
            late_percent: percent(self.late),
            doubled: self.doubled,
            disordered: self.disordered,
            gaps: self.gaps,
            longest_gap_ms: self.longest_gap.as_secs_f64() * 1e3,
            jitter: self.jitter.quantiles(),
            mos_worst: at(0.0),
            mos_p1: at(0.01),
            mos_p10: at(0.1),
            mos_median: at(0.5),
            mos_best: at(1.0),
        }
    }
}

/// What all ears received, told.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sound {
    /// Ears, each in one call.
    pub streams: u64,
    /// Of these, those that heard less than half a second: in no jitter and no score.
    pub brief: u64,
    /// Packets that came, doubled ones too.
    pub packets: u64,
    /// Packets that were sent, by their numbers.
    pub expected: u64,
    /// Of these, those that never came.
    pub lost: u64,
    /// The same as a share.
    pub lost_percent: Option<f64>,
    /// Those that came too late for a buffer of 60 ms.
    pub late: u64,
    /// The same as a share.
    pub late_percent: Option<f64>,
    /// Those that came again.
    pub doubled: u64,
    /// Those that came behind a later one.
    pub disordered: u64,
    /// Pauses of over 40 ms that the sender did not make.
    pub gaps: u64,
    /// The longest of them, in milliseconds.
    pub longest_gap_ms: f64,
    /// Interarrival jitter (RFC 3550), one figure for each ear: its last.
    pub jitter: Quantiles,
    /// The worst line's score.
    pub mos_worst: Option<f64>,
    /// 1 of 100 lines is worse.
    pub mos_p1: Option<f64>,
    /// 10 of 100.
    pub mos_p10: Option<f64>,
    /// The median.
    pub mos_median: Option<f64>,
    /// The best.
    pub mos_best: Option<f64>,
}

fn samples(count: u32) -> Duration {
    Duration::from_micros(u64::from(count) * 125)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(n: u16) -> Header {
        Header { payload_type: 8, marker: false, sequence: n, timestamp: u32::from(n) * 160, ssrc: 7 }
    }

    fn ms(n: u64) -> Instant {
        Instant::from_millis(10_000 + n)
    }

    /// 200 packets of 20 ms; `arrives` says when the n-th comes, if at all.
    fn heard(arrives: impl Fn(u64) -> Option<u64>) -> Sound {
        let mut stream = Stream::new(ms(0), &header(0));
        let mut coming: Vec<(u64, u16)> =
            (1..200).filter_map(|n| Some((arrives(n)?, u16::try_from(n).unwrap()))).collect();
        coming.sort_unstable();
        for (at, n) in coming {
            stream.arrived(ms(at), &header(n));
        }
        let mut all = Reception::new().unwrap();
        all.add(&stream, Duration::from_millis(5));
        all.told()
    }

    #[test]
    fn an_even_stream_loses_nothing_and_is_rated_high() {
        let told = heard(|n| Some(20 * n));
        assert_eq!((told.packets, told.expected, told.lost, told.late, told.gaps), (200, 200, 0, 0, 0));
        assert_eq!(told.jitter.max_us, 0);
        assert!(told.mos_median.unwrap() > 4.3, "{told:?}");
    }

    #[test]
    fn what_never_comes_is_lost_and_lowers_the_score() {
        let told = heard(|n| (n % 20 != 10).then_some(20 * n));
        assert_eq!((told.expected, told.lost, told.late), (200, 10, 0));
        // 5 % of G.711 with concealment: Ie-eff = 95 * 5 / 30.1 = 15.8.
        let score = told.mos_median.unwrap();
        assert!((3.7..4.1).contains(&score), "{score}");
    }

    #[test]
    fn loss_in_bursts_is_a_gap_and_scores_worse_than_the_same_loss_spread() {
        let spread = heard(|n| (n % 20 != 10).then_some(20 * n));
        let burst = heard(|n| (!(100..110).contains(&n)).then_some(20 * n));
        assert_eq!((burst.lost, burst.gaps), (10, 1));
        assert!(burst.longest_gap_ms > 200.0);
        assert!(burst.mos_median < spread.mos_median);
    }

    #[test]
    fn what_comes_too_late_for_the_buffer_is_heard_by_nobody() {
        let told = heard(|n| Some(20 * n + if n % 10 == 5 { 90 } else { 0 }));
        assert_eq!((told.lost, told.late), (0, 20));
        assert!(told.disordered >= 19, "{told:?}");
        assert!(told.mos_median.unwrap() < 3.9);
    }

    #[test]
    fn jitter_is_the_rfc_s_and_a_doubled_packet_is_no_news() {
        let told = heard(|n| Some(20 * n + (n % 2) * 10));
        assert!(told.jitter.p50_us.abs_diff(10_000) < 400, "{told:?}");
        let mut stream = Stream::new(ms(0), &header(0));
        assert!(stream.arrived(ms(20), &header(1)));
        assert!(!stream.arrived(ms(21), &header(1)));
        assert_eq!((stream.doubled, stream.lost()), (1, 0));
    }

    #[test]
    fn a_sender_s_pause_is_no_gap_but_the_network_s_is() {
        let mut stream = Stream::new(ms(0), &header(0));
        stream.arrived(ms(20), &header(1));
        let after = Header { marker: true, timestamp: 80_000, ..header(2) };
        stream.arrived(ms(5_000), &after);
        assert_eq!((stream.gaps, stream.late), (0, 0));
        stream.arrived(ms(5_150), &Header { marker: false, timestamp: 80_160, ..header(3) });
        assert_eq!(stream.gaps, 1);
        assert_eq!(stream.longest_gap, Duration::from_millis(130));
    }

    #[test]
    fn another_source_begins_anew_and_nothing_between_them_is_lost() {
        let mut stream = Stream::new(ms(0), &header(0));
        stream.arrived(ms(20), &header(1));
        stream.arrived(ms(40), &Header { ssrc: 9, sequence: 40_000, timestamp: 5, ..header(0) });
        stream.arrived(ms(60), &Header { ssrc: 9, sequence: 40_001, timestamp: 165, ..header(0) });
        assert_eq!((stream.expected(), stream.lost(), stream.sources), (4, 0, 2));
    }
}
