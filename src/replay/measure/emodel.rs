//! The E-model, ITU-T G.107 (06/2015): how people would judge a line, from its delay, its loss and its codec. Narrow
//! band, every other parameter at its default, so that R is 93.2 for a line without any fault.
//!
//! Invariant: R falls or stays when delay or loss grow.
use libm::{exp, log10, pow, sqrt};

/// Sending and receiving loudness, in dB; section 7.7, table 2, as all defaults here.
const SLR: f64 = 8.0;
const RLR: f64 = 2.0;
const STMR: f64 = 15.0;
/// Circuit noise in dBm0p, noise floor at the receiver in dBmp, room noise in dB(A).
const NC: f64 = -70.0;
const NFOR: f64 = -64.0;
const PS: f64 = 35.0;
const PR: f64 = 35.0;
/// Talker's echo loudness, in dB; the echo's path of the listener, in dB.
const TELR: f64 = 65.0;
const WEPL: f64 = 110.0;
/// The D-values of the phones.
const DS: f64 = 3.0;
const DR: f64 = 3.0;
/// From here on delay disturbs by itself, in milliseconds: mT and sT of everyday conversation.
const NOTICED_MS: f64 = 100.0;

/// What a codec spoils, G.113 appendix I.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CodecImpairment {
    /// Equipment impairment factor without loss.
    pub ie: f64,
    /// How well it bears random loss of packets.
    pub bpl: f64,
}

impl CodecImpairment {
    /// G.711 whose losses are concealed (G.113 table I.3, G.711 with its appendix I).
    pub const G711: Self = Self { ie: 0.0, bpl: 25.1 };
    /// G.711 whose losses are silence.
    pub const G711_BARE: Self = Self { ie: 0.0, bpl: 4.3 };
}

/// The rating R, 0 to about 93: one-way delay from mouth to ear in milliseconds, the share of packets that were not
/// heard, 0 to 1, and how they bunch: 1 at random, above it in bursts (`BurstR`).
pub fn r_factor(codec: CodecImpairment, delay_ms: f64, loss: f64, burst_ratio: f64) -> f64 {
    let no = noise();
    let ro = 15.0 - 1.5 * (SLR + no);
    let delay_ms = delay_ms.max(0.0);
    let ppl = 100.0 * loss.clamp(0.0, 1.0);
    let lost =
        if ppl > 0.0 { (95.0 - codec.ie) * ppl / (ppl / burst_ratio.max(1.0) + codec.bpl) } else { 0.0 };
    (ro - simultaneous(no, ro) - delayed(no, ro, delay_ms) - (codec.ie + lost)).max(0.0)
}

/// The mean opinion score, 1 to 4.5, of a rating (annex B).
pub fn mos_of(r: f64) -> f64 {
    if r <= 0.0 {
        return 1.0;
    }
    if r >= 100.0 {
        return 4.5;
    }
    1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6
}

/// All noise, in dBm0p: equations 7-2 to 7-7.
fn noise() -> f64 {
    let olr = SLR + RLR;
    let nos = PS - SLR - DS - 100.0 + 0.004 * pow(PS - olr - DS - 14.0, 2.0);
    let lstr = STMR + DR;
    let pre = PR + 10.0 * log10(1.0 + pow(10.0, (10.0 - lstr) / 10.0));
    let nor = RLR - 121.0 + pre + 0.008 * pow(pre - 35.0, 2.0);
    let nfo = NFOR + RLR;
    10.0 * log10([NC, nos, nor, nfo].into_iter().map(|n| pow(10.0, n / 10.0)).sum::<f64>())
}

/// What disturbs together with the voice, Is: equations 7-8 to 7-17.
fn simultaneous(no: f64, ro: f64) -> f64 {
    let xolr = SLR + RLR + 0.2 * (64.0 + no - RLR);
    let iolr = 20.0 * (pow(1.0 + pow(xolr / 8.0, 8.0), 0.125) - xolr / 8.0);
    // One-way delay of the echo's path is that of the line; without echo of weight its part vanishes.
    let stmro = -10.0 * log10(pow(10.0, -STMR / 10.0) + pow(10.0, -TELR / 10.0));
    let ist = 12.0 * pow(1.0 + pow((stmro - 13.0) / 6.0, 8.0), 0.125)
        - 28.0 * pow(1.0 + pow((stmro + 1.0) / 19.4, 35.0), 1.0 / 35.0)
        - 13.0 * pow(1.0 + pow((stmro - 3.0) / 33.0, 13.0), 1.0 / 13.0)
        + 29.0;
    let q = 37.0;
    let g = 1.07 + 0.258 * q + 0.0602 * q * q;
    let y = (ro - 100.0) / 15.0 + 46.0 / 8.4 - g / 9.0;
    let z = 46.0 / 30.0 - g / 40.0;
    let iq = 15.0 * log10(1.0 + pow(10.0, y) + pow(10.0, z));
    iolr + ist + iq
}

/// What delay spoils, Id: echo to the talker, echo to the listener, and delay by itself; equations 7-18 to 7-27.
fn delayed(no: f64, ro: f64, t: f64) -> f64 {
    let terv = TELR - 40.0 * log10((1.0 + t / 10.0) / (1.0 + t / 150.0)) + 6.0 * exp(-0.3 * t * t);
    let roe = -1.5 * (no - RLR);
    let re = 80.0 + 2.5 * (terv - 14.0);
    let idte = ((roe - re) / 2.0 + sqrt((roe - re) * (roe - re) / 4.0 + 100.0) - 1.0) * (1.0 - exp(-t));
    let rle = 10.5 * (WEPL + 7.0) * pow(2.0 * t + 1.0, -0.25);
    let idle = (ro - rle) / 2.0 + sqrt((ro - rle) * (ro - rle) / 4.0 + 169.0);
    let idd = if t <= NOTICED_MS {
        0.0
    } else {
        let x = log10(t / NOTICED_MS) / log10(2.0);
        let sixth = |v: f64| pow(1.0 + pow(v, 6.0), 1.0 / 6.0);
        25.0 * (sixth(x) - 3.0 * sixth(x / 3.0) + 2.0)
    };
    idte + idle + idd
}

#[cfg(test)]
mod tests {
    use super::*;

    fn r(delay_ms: f64, loss: f64) -> f64 {
        r_factor(CodecImpairment::G711, delay_ms, loss, 1.0)
    }

    #[test]
    fn a_line_without_fault_is_rated_as_the_recommendation_says() {
        // G.107 section 7.7: R = 93.2 with all defaults; annex B: a mean opinion score of 4.41.
        assert!((r(0.0, 0.0) - 93.2).abs() < 0.1, "{}", r(0.0, 0.0));
        assert!((mos_of(93.2) - 4.41).abs() < 0.005, "{}", mos_of(93.2));
    }

    #[test]
    fn scores_are_those_of_annex_b() {
        for (rating, score) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            assert!((mos_of(rating) - score).abs() < 0.01, "{rating}: {}", mos_of(rating));
        }
        assert!((mos_of(-3.0) - 1.0).abs() < 1e-9 && (mos_of(120.0) - 4.5).abs() < 1e-9);
    }

    #[test]
    fn two_of_a_hundred_packets_lost_at_random_cost_seven_points_when_concealed() {
        // Ie-eff = 95 * 2 / (2 + 25.1) = 7.01, and 30.2 without concealment.
        assert!((r(0.0, 0.0) - r(0.0, 0.02) - 7.011).abs() < 0.01);
        let bare = r_factor(CodecImpairment::G711_BARE, 0.0, 0.02, 1.0);
        assert!((r(0.0, 0.0) - bare - 30.159).abs() < 0.01);
    }

    #[test]
    fn loss_in_bursts_is_worse_than_at_random() {
        let at_random = r_factor(CodecImpairment::G711, 50.0, 0.03, 1.0);
        assert!(r_factor(CodecImpairment::G711, 50.0, 0.03, 4.0) < at_random);
    }

    #[test]
    fn delay_is_hardly_noticed_at_150_ms_and_spoils_the_talk_at_400() {
        // G.114, figure 1: about 90 at 150 ms, about 70 at 400 ms.
        assert!((86.0..92.0).contains(&r(150.0, 0.0)), "{}", r(150.0, 0.0));
        assert!((60.0..72.0).contains(&r(400.0, 0.0)), "{}", r(400.0, 0.0));
    }

    #[test]
    fn more_delay_or_more_loss_is_never_better() {
        let mut last = 100.0;
        for n in 0..400 {
            let now = r(f64::from(n) * 2.0, f64::from(n) / 1_000.0);
            assert!(now <= last + 1e-9, "{n}: {now} after {last}");
            last = now;
        }
    }
}
