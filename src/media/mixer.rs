//! Adds the sounds of several sources for one ear.
//!
//! Invariant: sums are kept wide (32 bits hold 65,000 full-scale sources) and are brought back to 16 bits once, by
//! saturation, so that the order of the sources cannot matter.
use crate::media::frame::PACKET_SAMPLES_MAX;

/// The sum for one packet of one ear: at most 60 ms.
#[derive(Clone, Debug)]
pub struct Mixer {
    sum: [i32; PACKET_SAMPLES_MAX],
    used: usize,
}

impl Mixer {
    /// Silence of `samples` length (at most [`PACKET_SAMPLES_MAX`]).
    pub const fn new(samples: usize) -> Self {
        let used = if samples < PACKET_SAMPLES_MAX { samples } else { PACKET_SAMPLES_MAX };
        Self { sum: [0; PACKET_SAMPLES_MAX], used }
    }
    /// Adds a source, aligned at the beginning. What is longer than the packet is not heard.
    pub fn add(&mut self, source: &[i16]) {
        self.add_at(0, source);
    }
    /// Adds a source that begins `offset` samples into the packet.
    pub fn add_at(&mut self, offset: usize, source: &[i16]) {
        let room = self.sum.get_mut(offset..self.used).unwrap_or_default();
        for (sum, sample) in room.iter_mut().zip(source) {
            *sum += i32::from(*sample);
        }
    }
    /// Writes the sum, saturated, into `out`; hands back how many samples were written.
    pub fn finish(&self, out: &mut [i16]) -> usize {
        for (out, sum) in out.iter_mut().zip(&self.sum[..self.used]) {
            *out = (*sum).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        }
        self.used.min(out.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loud_sources_saturate_and_do_not_wrap() {
        let mut mixer = Mixer::new(2);
        for _ in 0..3 {
            mixer.add(&[30_000, -30_000]);
        }
        let mut out = [0; 2];
        assert_eq!(mixer.finish(&mut out), 2);
        assert_eq!(out, [i16::MAX, i16::MIN]);
    }

    #[test]
    fn opposite_sources_cancel_even_when_each_alone_would_saturate_with_a_third() {
        let mut mixer = Mixer::new(1);
        for s in [30_000, 30_000, -30_000, -29_000] {
            mixer.add(&[s]);
        }
        let mut out = [0; 1];
        mixer.finish(&mut out);
        assert_eq!(out, [1_000]);
    }

    #[test]
    fn what_is_outside_the_packet_is_not_heard() {
        let mut mixer = Mixer::new(3);
        mixer.add_at(2, &[5, 6, 7]);
        mixer.add_at(9, &[5]);
        let mut out = [0; 3];
        mixer.finish(&mut out);
        assert_eq!(out, [0, 0, 5]);
    }
}
