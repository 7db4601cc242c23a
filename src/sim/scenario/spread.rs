//! `Spread`: a distribution of lengths of time, by its mean and its relative spread. Drawn by its quantile, so that two
//! plans can meet the same luck.
use std::time::Duration;

/// A distribution of lengths of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spread {
    /// Always the same.
    Fixed(Duration),
    /// Memoryless, with this mean.
    Exponential(Duration),
    /// Log-normal: what talks look like.
    LogNormal {
        /// The mean.
        mean: Duration,
        /// Standard deviation over mean, in percent.
        spread: u32,
    },
    /// Everything between the two alike.
    Uniform(Duration, Duration),
}

/// Nothing drawn is longer: a day.
const LONGEST_S: f64 = 86_400.0;

impl Spread {
    /// The length below which the share `u` of all lies; `u` within (0, 1).
    pub fn at(&self, u: f64) -> Duration {
        let u = u.clamp(1e-12, 1.0 - 1e-12);
        let seconds = match *self {
            Self::Fixed(d) => return d,
            Self::Exponential(mean) => -mean.as_secs_f64() * libm::log(1.0 - u),
            Self::LogNormal { mean, spread } => {
                let cv = f64::from(spread) / 100.0;
                let variance = libm::log(1.0 + cv * cv);
                let middle = libm::log(mean.as_secs_f64().max(1e-3)) - variance / 2.0;
                libm::exp(middle + libm::sqrt(variance) * normal(u))
            }
            Self::Uniform(from, to) => from.as_secs_f64() + (to.saturating_sub(from)).as_secs_f64() * u,
        };
        // Whole milliseconds: what a scenario says must not hang on the last bit of a float.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded and not negative"
        )]
        let millis = (seconds.clamp(0.0, LONGEST_S) * 1_000.0) as u64;
        Duration::from_millis(millis)
    }

    /// The mean.
    pub fn mean(&self) -> Duration {
        match *self {
            Self::Fixed(d) | Self::Exponential(d) | Self::LogNormal { mean: d, .. } => d,
            Self::Uniform(from, to) => (from + to) / 2,
        }
    }
}

/// The quantile of the standard normal distribution (P. J. Acklam's rational approximation, relative error below 1.2e-9).
pub(crate) fn normal(u: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    let sum = |terms: &[f64], x: f64| terms.iter().fold(0.0, |sum, term| sum * x + term);
    let tail = |p: f64| {
        let q = libm::sqrt(-2.0 * libm::log(p));
        sum(&C, q) / sum(&D, q)
    };
    if u < 0.02425 {
        tail(u)
    } else if u > 1.0 - 0.02425 {
        -tail(1.0 - u)
    } else {
        let q = u - 0.5;
        sum(&A, q * q) * q / sum(&B, q * q)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_quantile_is_the_tables() {
        for (u, z) in
            [(0.5, 0.0), (0.9, 1.281_551_565_5), (0.975, 1.959_963_984_5), (0.001, -3.090_232_306_2)]
        {
            assert!((normal(u) - z).abs() < 1e-7, "{u}: {}", normal(u));
        }
    }

    #[test]
    fn a_spread_has_the_mean_that_it_names() {
        let talks = Spread::LogNormal { mean: Duration::from_mins(4), spread: 80 };
        let waits = Spread::Exponential(Duration::from_mins(5));
        for spread in [talks, waits] {
            let n = 20_000;
            let sum: f64 = (0..n).map(|i| spread.at((f64::from(i) + 0.5) / f64::from(n)).as_secs_f64()).sum();
            let (mean, wanted) = (sum / f64::from(n), spread.mean().as_secs_f64());
            assert!((mean / wanted - 1.0).abs() < 0.01, "{spread:?}: {mean}");
        }
    }
}
