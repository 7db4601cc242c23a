//! Comfort noise, RFC 3389: what a party who stopped sending sounds like. A level and the shape of a spectrum come in
//! place of sound; noise of that level and shape is made of them.
//!
//! Invariant: reading never fails but for an empty payload; the filter is stable, since every coefficient is below 1.
//! The noise is the same for the same seed: it is no secret, so that a plain generator is enough.

/// Most coefficients that are used, RFC 3389 section 3.2: a spectrum needs no more.
const ORDER_MAX: usize = 12;
/// The root mean square of 0 dBov: the loudest square wave of G.711 (RFC 3389, section 3.1).
const OVERLOAD: f64 = 32_124.0;
/// Steps in which the level follows what came last: 10 ms, so that it does not jump.
const GLIDE: f32 = 80.0;

/// What a comfort noise packet says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct NoiseShape {
    /// The level below 0 dBov, in dB: 0-127.
    level: u8,
    order: usize,
    reflections: [f32; ORDER_MAX],
}

impl NoiseShape {
    /// Reads a payload; `None` when it is empty.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let (level, rest) = payload.split_first()?;
        let mut shape = Self { level: level & 0x7F, ..Self::default() };
        for (to, from) in shape.reflections.iter_mut().zip(rest) {
            // RFC 3389, section 3.2: an 8-bit index, 127 in the middle. 255 is none; it is read as 254.
            *to = 258.0 * (f32::from((*from).min(254)) - 127.0) / 32_768.0;
            shape.order += 1;
        }
        Some(shape)
    }
    /// The level below 0 dBov, in dB.
    pub(super) const fn level(&self) -> u8 {
        self.level
    }
    /// The root mean square of the noise, in sample units.
    fn strength(&self) -> f64 {
        if self.level >= 127 { 0.0 } else { OVERLOAD * libm::pow(10.0, -f64::from(self.level) / 20.0) }
    }
    /// How strong the white noise is that the filter turns into this: uniform in plus or minus this much.
    fn drive(&self) -> f32 {
        let lost: f64 = self.reflections.iter().map(|k| 1.0 - f64::from(*k) * f64::from(*k)).product();
        (self.strength() * (3.0 * lost).sqrt()) as f32
    }
}

/// Makes noise.
#[derive(Debug)]
pub(super) struct NoiseMaker {
    shape: NoiseShape,
    drive: f32,
    wanted: f32,
    /// The lattice filter's memory.
    memory: [f32; ORDER_MAX],
    seed: u32,
}

impl NoiseMaker {
    /// Of this shape, at once as loud as it says.
    pub(super) fn new(shape: NoiseShape, seed: u32) -> Self {
        let drive = shape.drive();
        Self { shape, drive, wanted: drive, memory: [0.0; ORDER_MAX], seed: seed | 1 }
    }
    /// Takes a new shape; the level glides there.
    pub(super) fn set(&mut self, shape: NoiseShape) {
        self.wanted = shape.drive();
        self.shape = shape;
    }
    /// The level below 0 dBov, in dB.
    pub(super) const fn level(&self) -> u8 {
        self.shape.level()
    }
    /// The next samples.
    pub(super) fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            self.drive += (self.wanted - self.drive) / GLIDE;
            let mut forward = self.white() * self.drive;
            for i in (0..self.shape.order).rev() {
                let (k, behind) = (self.shape.reflections[i], self.memory[i]);
                forward -= k * behind;
                if i + 1 < ORDER_MAX {
                    self.memory[i + 1] = behind + k * forward;
                }
            }
            self.memory[0] = forward;
            *sample = forward.clamp(-32_000.0, 32_000.0) as i16;
        }
    }
    /// Uniform in -1..1 (xorshift, 32 bits).
    fn white(&mut self) -> f32 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        self.seed.cast_signed() as f32 / 2_147_483_648.0
    }
}

/// Several noises together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NoiseSum(f64);

impl NoiseSum {
    /// One more, of this level below 0 dBov, in dB.
    pub(super) fn add(&mut self, level: u8) {
        self.0 += libm::pow(10.0, -f64::from(level) / 10.0);
    }
    /// Whether there is any.
    pub(super) fn is_some(self) -> bool {
        self.0 > 0.0
    }
    /// The level below 0 dBov, in dB; 127 when there is none.
    #[expect(clippy::cast_sign_loss, reason = "clamped to 0..127")]
    pub(super) fn level(self) -> u8 {
        if self.is_some() { (-10.0 * libm::log10(self.0)).round().clamp(0.0, 127.0) as u8 } else { 127 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(payload: &[u8], samples: usize) -> Vec<i16> {
        let mut out = vec![0; samples];
        NoiseMaker::new(NoiseShape::read(payload).unwrap(), 7).fill(&mut out);
        out
    }

    fn db(sound: &[i16]) -> f64 {
        let power = sound.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / sound.len() as f64;
        10.0 * (power / OVERLOAD.powi(2)).log10()
    }

    #[test]
    fn noise_is_as_loud_as_the_packet_says_whatever_its_spectrum() {
        for level in [20u8, 40, 55, 70] {
            for spectrum in [&[][..], &[60], &[30, 160, 100, 140], &[127; 12]] {
                let payload = [&[level], spectrum].concat();
                let found = db(&noise(&payload, 40_000));
                let allowed = if level == 70 { 1.5 } else { 0.5 };
                assert!((found + f64::from(level)).abs() < allowed, "{payload:?}: {found}");
            }
        }
        assert!(noise(&[127], 100).iter().all(|s| *s == 0));
    }

    #[test]
    fn the_spectrum_is_the_packets() {
        // The first coefficient alone: below 127 it is negative, which is low-pass noise.
        let steps = |payload: &[u8]| {
            let sound = noise(payload, 20_000);
            let rough: f64 = sound.windows(2).map(|w| (f64::from(w[1]) - f64::from(w[0])).powi(2)).sum();
            rough / sound.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>()
        };
        let (low, white, high) = (steps(&[30, 40]), steps(&[30]), steps(&[30, 214]));
        // 2 (1 - r1): r1 = -k1 = 0.685 for 40.
        assert!((low - 0.63).abs() < 0.05 && (white - 2.0).abs() < 0.05 && (high - 3.37).abs() < 0.05);
    }

    #[test]
    fn garbage_is_stable() {
        for byte in [0, 1, 128, 254, 255] {
            let payload = [&[10], &[byte; 40][..]].concat();
            noise(&payload, 20_000);
        }
        assert_eq!(NoiseShape::read(&[]), None);
        let sum = |levels: &[u8]| {
            let mut sum = NoiseSum::default();
            for level in levels {
                sum.add(*level);
            }
            sum.level()
        };
        assert_eq!((sum(&[40, 40]), sum(&[127]), sum(&[])), (37, 127, 127));
    }

    #[test]
    fn a_new_level_glides() {
        let mut maker = NoiseMaker::new(NoiseShape::read(&[60]).unwrap(), 7);
        let mut out = [0; 800];
        maker.fill(&mut out);
        maker.set(NoiseShape::read(&[30]).unwrap());
        maker.fill(&mut out);
        assert!(db(&out[..40]) < -33.0 && (db(&out[400..]) + 30.0).abs() < 1.5);
    }
}
