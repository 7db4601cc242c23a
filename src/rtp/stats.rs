//! Loss per report (RFC 3550 appendix A.3) and interarrival jitter (appendix A.8).
//!
//! Invariant: jitter is kept in sixteenths of a sample, as the RFC's integer arithmetic does, and needs no float.
use crate::base::Instant;
use crate::rtp::sequence::Sequence;

/// Loss since the last report.
#[derive(Clone, Debug, Default)]
pub struct LossMeter {
    expected: u64,
    received: u64,
}

impl LossMeter {
    /// The share of packets lost since the last call, in 1/256; it then begins the next interval.
    pub fn fraction(&mut self, sequence: &Sequence) -> u8 {
        let expected = sequence.expected().saturating_sub(self.expected);
        let received = sequence.received().saturating_sub(self.received);
        *self = Self { expected: sequence.expected(), received: sequence.received() };
        let lost = expected.saturating_sub(received);
        let fraction = lost.saturating_mul(256).checked_div(expected).unwrap_or(0);
        u8::try_from(fraction).unwrap_or(u8::MAX)
    }
}

/// Interarrival jitter of one source.
#[derive(Clone, Debug)]
pub struct Jitter {
    clock_hz: u32,
    transit: Option<u32>,
    sixteenths: u32,
}

impl Jitter {
    /// For timestamps that count `clock_hz` samples a second.
    pub fn new(clock_hz: u32) -> Self {
        Self { clock_hz, transit: None, sixteenths: 0 }
    }

    /// A packet with this timestamp arrived.
    pub fn arrived(&mut self, now: Instant, timestamp: u32) {
        let transit = samples(now, self.clock_hz).wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let difference = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            let decay = self.sixteenths.saturating_add(8) >> 4;
            self.sixteenths = self.sixteenths.saturating_add(difference).saturating_sub(decay);
        }
    }

    /// The source's timestamps jumped: the next packet is a first one.
    pub fn forget_transit(&mut self) {
        self.transit = None;
    }

    /// In samples, as reports carry it.
    pub fn in_samples(&self) -> u32 {
        self.sixteenths >> 4
    }

    /// In milliseconds.
    pub fn in_ms(&self) -> f64 {
        f64::from(self.sixteenths) / 16.0 * 1_000.0 / f64::from(self.clock_hz.max(1))
    }
}

/// The clock read in samples, modulo 2^32.
pub(crate) fn samples(now: Instant, clock_hz: u32) -> u32 {
    let wide = u128::from(now.as_nanos()).saturating_mul(u128::from(clock_hz)) / 1_000_000_000;
    (wide & u128::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_stream_has_no_jitter_and_an_uneven_one_its_mean_deviation() {
        let mut even = Jitter::new(8_000);
        let mut uneven = Jitter::new(8_000);
        for n in 0..500u32 {
            let at = u64::from(n) * 20;
            even.arrived(Instant::from_millis(at), n.wrapping_mul(160).wrapping_sub(1_000));
            uneven.arrived(Instant::from_millis(at + u64::from(n % 2) * 10), n * 160);
        }
        assert_eq!(even.in_samples(), 0);
        assert!((uneven.in_ms() - 10.0).abs() < 0.2, "{}", uneven.in_ms());
    }

    #[test]
    fn the_fraction_is_of_the_interval_alone() {
        let mut sequence = Sequence::trusted(0);
        let mut meter = LossMeter::default();
        (1..4).for_each(|n| {
            sequence.update(n);
        });
        assert_eq!(meter.fraction(&sequence), 0);
        sequence.update(7);
        assert_eq!(meter.fraction(&sequence), 192);
        assert_eq!(meter.fraction(&sequence), 0);
    }

    #[test]
    fn a_packet_later_than_its_interval_does_not_make_loss_negative() {
        let mut sequence = Sequence::trusted(0);
        let mut meter = LossMeter::default();
        sequence.update(2);
        meter.fraction(&sequence);
        sequence.update(1);
        assert_eq!(meter.fraction(&sequence), 0);
    }
}
