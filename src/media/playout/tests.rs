//! The jitter buffer's behaviour, in simulated time: what an ear hears of packets that come whenever they like.
use std::time::Duration;

use super::*;
use crate::base::Rng;
use crate::media::mixer::Mixer;
use crate::media::{Tone, amplitude};

/// The slack that a first packet is given: 33.75 ms.
const FIRST: u32 = 270;

/// Sample `n` of the source carries a value that tells which it is.
fn value(n: u32) -> i16 {
    (n % 30_000) as i16 + 1
}

fn sound(from: u32, to: u32) -> Vec<i16> {
    (from..to).map(value).collect()
}

struct World {
    playout: Playout,
    first: u32,
}

impl World {
    fn new(first: u32) -> Self {
        Self { playout: Playout::new(&SoundRules::default()), first }
    }
    /// Packet `n` of `len` samples comes at `ms`.
    fn packet(&mut self, ms: u64, n: u32, len: u32) {
        let sound: Vec<i16> = (n * len..(n + 1) * len).map(value).collect();
        self.write(Instant::from_millis(ms), n * len, &sound);
    }
    fn write(&mut self, at: Instant, n: u32, sound: &[i16]) {
        self.playout.write(at, (7, self.first.wrapping_add(n)), false, sound);
    }
    fn hear(&mut self, ms: u64, samples: usize) -> Vec<i16> {
        self.hear_at(Instant::from_millis(ms), samples).1
    }
    fn hear_at(&mut self, at: Instant, samples: usize) -> (Heard, Vec<i16>) {
        let (mut mixer, mut out) = (Mixer::new(samples), vec![0; samples]);
        let heard = self.playout.read(at, samples, &mut mixer);
        mixer.finish(&mut out);
        (heard, out)
    }
}

/// A voice that goes on in its phase: which sample is wanted, a gap or a silence in it.
struct Voice {
    tone: Tone,
    at: u32,
}

impl Voice {
    fn new(hz: f64) -> Self {
        Self { tone: Tone::new(hz, 8_000.0), at: 0 }
    }
    fn packet(&mut self) -> [i16; 160] {
        let mut sound = [0; 160];
        self.tone.fill(&mut sound);
        self.at += 160;
        sound
    }
}

fn steepest(sound: &[i16]) -> i32 {
    sound.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0)
}

#[test]
fn sound_is_played_34_ms_after_it_came_across_the_wrap_of_the_timestamp() {
    for first in [0, 5_000, u32::MAX - 200] {
        let mut w = World::new(first);
        for n in 0..10 {
            w.packet(1_000 + 20 * u64::from(n), n, 160);
        }
        assert_eq!(w.hear(1_000, 160), vec![0; 160], "not yet");
        // 40 ms after the first packet 50 samples of it were played.
        let played = 320 - FIRST;
        assert_eq!(w.hear(1_040, 160), sound(played, played + 160));
        assert_eq!(w.hear(1_047, 160), sound(played + 56, played + 216), "an ear with another phase");
        assert_eq!(w.hear(1_100, 480), sound(played + 160, played + 640), "a 60 ms ear looks back 40 ms");
    }
}

#[test]
fn every_packet_size_has_come_in_time_for_every_ear() {
    for len in [80u32, 160, 240, 480] {
        for (ear, period) in [(80usize, 10u64), (160, 20), (240, 30), (480, 60)] {
            let mut w = World::new(77);
            let mut heard = Vec::new();
            for ms in 0..2_000 {
                if ms % u64::from(len / 8) == 0 {
                    w.packet(1_000 + ms, (ms / u64::from(len / 8)) as u32, len);
                }
                if ms % period == 7 % period {
                    let sound = w.hear(1_000 + ms, ear);
                    heard.extend(sound.into_iter().filter(|_| ms > 120));
                }
            }
            assert!(heard.len() > 14_000, "{len} {ear}");
            assert!(heard.windows(2).all(|w| w[1] == w[0] + 1), "source {len} ear {ear}");
        }
    }
}

#[test]
fn two_ears_with_different_phases_hear_the_same() {
    let mut w = World::new(9);
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for ms in 0..1_000 {
        if ms % 20 == 0 && ms % 140 != 0 {
            w.packet(1_000 + ms, (ms / 20) as u32, 160);
        }
        if ms % 20 == 3 {
            one.extend(w.hear(1_000 + ms, 160));
        }
        if ms % 30 == 11 {
            two.extend(w.hear(1_000 + ms, 240));
        }
    }
    // The second ear looks back 10 ms: its first packet begins 2 ms before the other's.
    assert_eq!(one[..7_000], two[16..7_016]);
}

#[test]
fn a_network_that_swaps_and_doubles_packets_is_waited_for() {
    let mut w = World::new(9);
    let mut heard = Vec::new();
    let mut settled = PlayoutFigures::default();
    for n in 0..500u32 {
        let ms = 1_000 + 20 * u64::from(n);
        // Of every four the second and the third come in each other's place, and the fourth twice.
        let came = [n, n + 1, n - n.min(1), n][n as usize % 4];
        w.packet(ms, came, 160);
        if n % 4 == 3 {
            w.packet(ms + 2, came, 160);
        }
        let sound = w.hear(ms + 3, 160);
        if n == 300 {
            settled = w.playout.figures();
        } else if n > 300 {
            heard.extend(sound);
        }
    }
    assert!(heard.windows(2).all(|w| w[1] == w[0] % 30_000 + 1), "each sample once, in its place");
    assert_eq!(w.playout.figures(), settled);
}

#[test]
fn a_lost_packet_of_a_tone_is_made_up_and_counted() {
    let (mut w, mut voice) = (World::new(9), Voice::new(400.0));
    let mut heard = Vec::new();
    for n in 0..200u64 {
        let (at, sound) = (voice.at, voice.packet());
        if n % 20 != 10 {
            w.write(Instant::from_millis(1_000 + 20 * n), at, &sound);
        }
        heard.extend(w.hear(1_007 + 20 * n, 160));
    }
    let heard = &heard[1_000..];
    assert!(steepest(heard) < 3_000, "a click of {}", steepest(heard));
    for window in heard.chunks_exact(160) {
        let level = amplitude(window, 400.0);
        assert!(level > 6_000.0, "{level}");
    }
    let figures = w.playout.figures();
    assert_eq!((figures.concealed, figures.late), (10 * 160, 0));
}

#[test]
fn a_packet_that_comes_after_its_time_is_counted_and_concealed() {
    let (mut w, mut voice) = (World::new(9), Voice::new(400.0));
    for n in 0..100u64 {
        let (at, sound) = (voice.at, voice.packet());
        let late = if n % 30 == 20 { 90 } else { 0 };
        // Late ones are written in their turn: three ticks later.
        for tick in 0..5 {
            if tick == late / 20 {
                w.write(Instant::from_millis(1_000 + 20 * n + late), at, &sound);
            }
        }
        w.hear(1_007 + 20 * n, 160);
    }
    let figures = w.playout.figures();
    assert!(figures.late <= 3, "{figures:?}");
}

#[test]
fn a_path_that_became_slower_is_followed_after_three_late_packets() {
    let mut w = World::new(9);
    let mut ms = 1_000;
    for n in 0..30u32 {
        ms = 1_000 + 20 * u64::from(n) + if n < 10 { 0 } else { 100 };
        w.packet(ms, n, 160);
        w.hear(ms + 7, 160);
    }
    assert_eq!(w.playout.figures().late, 3);
    let last = w.hear(ms + 27, 160);
    assert!(last.contains(&value(29 * 160)), "the newest packet is played within 34 ms");
}

#[test]
fn a_burst_that_waited_somewhere_adds_no_delay() {
    let (mut w, mut voice) = (World::new(9), Voice::new(400.0));
    for n in 0..200u64 {
        let (at, sound) = (voice.at, voice.packet());
        let ms = if (50..65).contains(&n) { 1_000 + 20 * 65 } else { 1_000 + 20 * n };
        if n == 50 {
            (0..15).for_each(|n| drop(w.hear(2_007 + 20 * n, 160)));
        }
        w.write(Instant::from_millis(ms), at, &sound);
        if !(50..65).contains(&n) {
            w.hear(1_007 + 20 * n, 160);
        }
    }
    let map = w.playout.map.unwrap();
    let delay =
        distance(w.first.wrapping_add(199 * 160), map.at(clock(Instant::from_millis(1_000 + 199 * 20))));
    assert!((190..=290).contains(&delay), "{delay}");
}

#[test]
fn a_new_source_and_a_jump_of_the_clock_begin_anew() {
    let mut w = World::new(9);
    (0..3).for_each(|n| w.packet(1_000 + u64::from(n) * 20, n, 160));
    w.first = 1_000_000;
    w.packet(1_060, 3, 160);
    assert_eq!(w.hear(1_100, 80), sound(480 + 320 - FIRST, 560 + 320 - FIRST));
    w.playout.write(Instant::from_millis(1_080), (8, 3), true, &[5; 160]);
    assert_eq!(w.hear(1_125, 80)[40..], vec![5; 40]);
}

#[test]
fn jitter_deepens_the_buffer_until_one_in_a_hundred_is_late_and_its_end_makes_it_shallow() {
    let (mut w, mut rng) = (World::new(9), Rng::from_number(3));
    let mut voice = Voice::new(200.0);
    let mut waiting: Vec<(u64, u32, [i16; 160])> = Vec::new();
    let mut late = [0; 3];
    let mut delay = [0; 3];
    let mut heard = Vec::new();
    for n in 0..6_000u64 {
        let part = (n / 2_000) as usize;
        let (at, sound) = (voice.at, voice.packet());
        let jitter = if part == 1 { rng.below(51) } else { 0 };
        waiting.push((1_000 + 20 * n + jitter, at, sound));
        for ms in 1_000 + 20 * n..1_020 + 20 * n {
            while let Some(i) = waiting.iter().position(|p| p.0 <= ms) {
                let (at, n, sound) = waiting.remove(i);
                w.write(Instant::from_millis(at), n, &sound);
            }
            if ms % 20 == 13 {
                heard.extend(w.hear(ms, 160));
            }
        }
        // After 10 s of each part.
        if n % 2_000 == 500 {
            late[part] = w.playout.figures().late;
        }
        if n % 2_000 == 1_999 {
            late[part] = w.playout.figures().late - late[part];
            let played = w.playout.map.unwrap().at(clock(Instant::from_millis(1_000 + 20 * n)));
            delay[part] = distance(w.first.wrapping_add(at), played) / 8;
        }
    }
    assert_eq!((late[0], late[2]), (0, 0), "without jitter nothing is late");
    assert!(late[1] <= 15, "{late:?} of 1,500");
    assert!(delay[0] <= 38 && delay[2] <= 38, "without jitter the delay is small: {delay:?} ms");
    assert!((60..=95).contains(&delay[1]), "50 ms of jitter: {delay:?} ms");
    // Stretching and cutting are not heard: no step beyond what the tone itself has.
    assert!(steepest(&heard[1_000..]) < 2_200, "a click of {}", steepest(&heard[1_000..]));
    let figures = w.playout.figures();
    assert!(figures.stretched > 200 && figures.cut > 200, "{figures:?}");
}

/// An hour of a voice whose clock is off by `ppm`; `talks` says which seconds it talks in. Hands back the largest and the
/// smallest delay in samples after the first ten seconds, the silent frames while it talked, and the steepest step.
fn hour(ppm: i64, talks: impl Fn(u64) -> bool) -> (i32, i32, usize, i32) {
    let period = Duration::from_nanos(u64::try_from(20_000_000 + 20 * ppm).unwrap());
    let (mut w, mut voice) = (World::new(9), Voice::new(400.0));
    let mut delays = (i32::MIN, i32::MAX);
    let (mut silent, mut steep, mut last) = (0, 0, 0);
    let begin = Instant::from_millis(1_000);
    let mut next = 0u32;
    for tick in 0..180_000u64 {
        let ear = begin + Duration::from_millis(20 * tick + 7);
        while begin + period * next <= ear {
            let came = begin + period * next;
            let (at, sound) = (next * 160, voice.packet());
            if talks(came.since(begin).as_secs()) {
                w.write(came, at, &sound);
                let slack = distance(w.first.wrapping_add(at), w.playout.map.unwrap().at(clock(came)));
                if tick > 500 {
                    delays = (delays.0.max(slack), delays.1.min(slack));
                }
            }
            next += 1;
        }
        let heard = w.hear_at(ear, 160).1;
        let into = ear.since(begin).as_millis() % 1_000;
        let seconds = ear.since(begin).as_secs();
        // In the middle of talk: not within 100 ms of a change.
        let steady = talks(seconds) && (100..900).contains(&into);
        silent += usize::from(steady && heard.iter().all(|s| s.abs() < 2_000));
        steep = steep.max((i32::from(heard[0]) - last).abs()).max(steepest(&heard));
        last = i32::from(heard[159]);
    }
    (delays.0, delays.1, silent, steep)
}

#[test]
fn an_hour_with_a_clock_that_is_off_neither_runs_dry_nor_adds_delay_nor_clicks() {
    for ppm in [-200, 200] {
        let (most, least, silent, steep) = hour(ppm, |_| true);
        assert!(most <= 310 && least >= 180, "{ppm} ppm: {least}..{most} samples");
        assert_eq!(silent, 0, "{ppm} ppm");
        assert!(steep < 2_800, "{ppm} ppm: a click of {steep}");
    }
}

#[test]
fn an_hour_of_talk_with_pauses_and_a_clock_that_is_off_keeps_its_delay() {
    for ppm in [-200, 200] {
        // Talk for a few seconds, then nothing for up to minutes.
        let (most, least, silent, _) = hour(ppm, |s| s % 97 < 7 || s % 31 == 3);
        assert!(most <= 330 && least >= 150, "{ppm} ppm: {least}..{most} samples");
        assert_eq!(silent, 0, "{ppm} ppm");
    }
}

#[test]
fn silence_that_is_described_is_noise_of_its_level_and_then_sound_again() {
    let (mut w, mut voice) = (World::new(9), Voice::new(400.0));
    let shape = NoiseShape::read(&[50]).unwrap();
    let mut heard = Vec::new();
    let mut kinds = Vec::new();
    for n in 0..150u64 {
        let (at, sound) = (voice.at, voice.packet());
        let now = Instant::from_millis(1_000 + 20 * n);
        match n {
            50..100 if n % 10 == 0 => w.playout.noise(now, (7, w.first.wrapping_add(at)), shape),
            50..100 => {}
            _ => w.write(now, at, &sound),
        }
        let (kind, sound) = w.hear_at(Instant::from_millis(1_007 + 20 * n), 160);
        kinds.push(kind);
        heard.extend(sound);
    }
    assert_eq!(kinds[60..95], vec![Heard::Noise(50); 35]);
    assert!(kinds[2..50].iter().chain(&kinds[103..]).all(|k| *k == Heard::Sound));
    let rest = &heard[60 * 160..95 * 160];
    let power = rest.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / rest.len() as f64;
    let level = 10.0 * (power / 32_124.0_f64.powi(2)).log10();
    assert!((level + 50.0).abs() < 1.0, "{level}");
    assert!(steepest(&heard[1_000..]) < 2_800, "{}", steepest(&heard[1_000..]));
    assert_eq!(w.playout.figures().concealed, 0, "a silence that was told is no loss");
}

#[test]
fn what_is_hushed_is_not_heard_and_not_made_up_from_what_came_before() {
    let (mut w, mut voice) = (World::new(9), Voice::new(700.0));
    let mut heard = Vec::new();
    for n in 0..100u64 {
        let (at, sound) = (voice.at, voice.packet());
        let now = Instant::from_millis(1_000 + 20 * n);
        if (50..60).contains(&n) {
            w.playout.hush(now, 7, Some(w.first.wrapping_add(at)));
        } else {
            w.write(now, at, &sound);
        }
        heard.extend(w.hear(1_007 + 20 * n, 160));
    }
    // It was hushed 7 ms before the tick: what came before it is played to its end, then all is still.
    let still = &heard[50 * 160 + 400..60 * 160 - 100];
    assert!(still.iter().all(|s| *s == 0));
    assert!(amplitude(&heard[90 * 160..95 * 160], 700.0) > 7_000.0);
    assert!(steepest(&heard[1_000..]) < 5_000);
}

#[test]
fn an_ear_that_comes_back_after_a_while_hears_what_is_said_then() {
    let mut w = World::new(9);
    for n in 0..200u32 {
        w.packet(1_000 + 20 * u64::from(n), n, 160);
        if !(20..150).contains(&n) {
            w.hear(1_007 + 20 * u64::from(n), 160);
        }
    }
    let heard = w.hear(1_007 + 20 * 200, 160);
    assert!(heard.windows(2).all(|w| w[1] == w[0] + 1));
    assert_eq!(w.playout.figures(), PlayoutFigures::default());
}

#[test]
fn no_numbers_can_hurt() {
    let (mut w, mut rng) = (World::new(9), Rng::from_number(4));
    let mut now = Instant::from_secs(1);
    for _ in 0..20_000 {
        now += Duration::from_millis(rng.below(60));
        let timestamp = if rng.below(3) == 0 { rng.next_u32() } else { clock(now) as u32 };
        let ssrc = rng.below(2) as u32;
        match rng.below(5) {
            0 => w.playout.noise(now, (ssrc, timestamp), NoiseShape::read(&[40, 200, 3]).unwrap()),
            1 => w.playout.hush(now, ssrc, (rng.below(2) == 0).then_some(timestamp)),
            2 => {
                w.hear_at(now, [80, 160, 480][rng.below(3) as usize]);
            }
            _ => {
                let length = rng.below(481) as usize;
                let sound = vec![i16::MIN; length];
                w.playout.write(now, (ssrc, timestamp), rng.below(9) == 0, &sound);
            }
        }
    }
}
