//! What a conference costs: the work of one 20 ms tick, in CPU time.
//!
//! Why: mixing is the only sound that is decoded and encoded on the call path; a core must carry thousands of legs.
//!
//! | figure | what | budget |
//! |---|---|---|
//! | `mix_3` | decode 3, sum the two others for each of 3 ears, saturate, encode 3 | 2 us (issue: "a three-party mix") |
//! | `mix_10` | the same with 10 parties, each ear hearing 8 | 10 us |
//! | `plane_conference_3` | the same as `mix_3` through the plane: 3 packets in, 3 ticks, 3 packets out, RTP and all | 8 us |
//! | `plane_relay` | a packet in, rewritten, out | 1 us |
//! | `plane_prompt` | a ready frame of a prompt: tick and packet | 1 us |
//! | `listen_speech` | listening for keys in 20 ms of loud voice: what a packet costs more than without | 1 us |
//! | `listen_key` | the same of a key that is held | 3 us |
//! | `listen_silence` | the same of a quiet line | 0.3 us |
//!
//! Machine: a busy 2-core virtual machine. Last figures, in us: 0.49, 2.81, 1.54, 0.15, 0.13; 0.54, 0.54, 0.22.
mod support;

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{Instant, Language, LegId, Now, PlayId, Rng};
use hotline::media::{
    Chord, Codec, FRAME_SAMPLES, Frame, InbandKeys, MediaCommand, MediaPlane, Mixer, PromptLibrary,
    RemoteMedia, SoundRules, Tone,
};
use hotline::rtp::{Header, PayloadTypes};

fn main() {
    support::pin();
    support::report("mix_3", mix(3, 2) / 1_000.0, "us", 2.0);
    support::report("mix_10", mix(10, 8) / 1_000.0, "us", 10.0);
    support::report("plane_conference_3", plane(3, Hearing::All) / 1_000.0, "us", 8.0);
    support::report("plane_relay", plane(2, Hearing::All) / 2_000.0, "us", 1.0);
    support::report("plane_prompt", plane(1, Hearing::Prompt) / 1_000.0, "us", 1.0);
    let listens = |hz: &[f64], loud: f64| {
        let sound = chord(hz, loud);
        let cost = |rule| listening(rule, &sound) / 1_000.0;
        (cost(InbandKeys::On) - cost(InbandKeys::Off)).max(0.0)
    };
    // A vowel: a fundamental of 120 Hz, strong where the rows are.
    let voice = [120.0, 240.0, 360.0, 480.0, 600.0, 720.0, 840.0, 1_320.0];
    support::report("listen_speech", listens(&voice, 2_000.0), "us", 1.0);
    support::report("listen_key", listens(&[770.0, 1_336.0], 6_000.0), "us", 3.0);
    support::report("listen_silence", listens(&[300.0], 60.0), "us", 0.3);
}

/// A second of these tones.
fn chord(hz: &[f64], amplitude: f64) -> Vec<[u8; FRAME_SAMPLES]> {
    let mut chord = Chord::new(hz.iter().map(|f| Tone::new(*f, amplitude)).collect());
    let next = || {
        let (mut frame, mut payload) = ([0; FRAME_SAMPLES], [0; FRAME_SAMPLES]);
        chord.fill(&mut frame);
        Codec::Pcmu.encode(&frame, &mut payload);
        payload
    };
    std::iter::repeat_with(next).take(50).collect()
}

/// A packet that one leg sends and nobody hears: nanoseconds.
fn listening(inband_keys: InbandKeys, sound: &[[u8; FRAME_SAMPLES]]) -> f64 {
    let rules = SoundRules { inband_keys, ..SoundRules::default() };
    let plane = MediaPlane::new(Arc::new(PromptLibrary::default()), Rng::from_number(1));
    let mut plane = plane.with_rules(rules);
    let mut now = Instant::from_secs(1);
    let leg = LegId(1);
    plane.handle(Now { mono: now, ..Now::default() }, MediaCommand::Open { leg, port: 0 });
    let remote = Box::new(RemoteMedia { send: false, ..agreement(leg) });
    plane.handle(Now { mono: now, ..Now::default() }, MediaCommand::Remote { leg, remote });
    let mut header = Header { payload_type: 0, marker: false, sequence: 0, timestamp: 0, ssrc: 7 };
    let mut datagram = [0; 172];
    let mut sound = sound.iter().cycle();
    support::ns_each(1_000, || {
        now += Duration::from_millis(20);
        header.sequence = header.sequence.wrapping_add(1);
        header.timestamp = header.timestamp.wrapping_add(160);
        if let Some(payload) = sound.next() {
            header.write(payload, &mut datagram);
        }
        plane.handle_rtp(now, leg, address(leg), &datagram);
        drain(&mut plane);
    })
}

/// A tick of `parties`, each hearing `heard` others, without RTP: nanoseconds.
fn mix(parties: usize, heard: usize) -> f64 {
    let payloads: Vec<[u8; FRAME_SAMPLES]> =
        (0u32..).map(|n| speech(300.0 * f64::from(n + 1))).take(parties).collect();
    let mut frames: Vec<Frame> = vec![[0; FRAME_SAMPLES]; parties];
    let mut out = [0; FRAME_SAMPLES];
    support::ns_each(2_000, || {
        for (frame, payload) in frames.iter_mut().zip(&payloads) {
            Codec::Pcmu.decode(black_box(payload), frame);
        }
        for ear in 0..parties {
            let mut mixer = Mixer::new(FRAME_SAMPLES);
            let others = frames.iter().enumerate().filter(|(n, _)| *n != ear).take(heard);
            others.for_each(|(_, frame)| mixer.add(frame));
            let mut sum = [0; FRAME_SAMPLES];
            mixer.finish(&mut sum);
            Codec::Pcmu.encode(&sum, &mut out);
            black_box(&out);
        }
    })
}

fn speech(frequency: f64) -> [u8; FRAME_SAMPLES] {
    let (mut frame, mut payload) = ([0; FRAME_SAMPLES], [0; FRAME_SAMPLES]);
    Tone::new(frequency, 6_000.0).fill(&mut frame);
    Codec::Pcmu.encode(&frame, &mut payload);
    payload
}

#[derive(Clone, Copy, PartialEq)]
enum Hearing {
    All,
    Prompt,
}

/// 20 ms of a plane with `legs` that each send a packet and hear all others, or a prompt: nanoseconds.
fn plane(legs: u64, hearing: Hearing) -> f64 {
    let mut prompts = PromptLibrary::default();
    prompts.add_samples(Language::English, "music".into(), &vec![1_000; 16_000]);
    let mut plane = MediaPlane::new(Arc::new(prompts), Rng::from_number(1));
    let mut now = Instant::from_secs(1);
    for leg in (0..legs).map(LegId) {
        let at = Now { mono: now, ..Now::default() };
        plane.handle(at, MediaCommand::Open { leg, port: 0 });
        plane.handle(at, MediaCommand::Remote { leg, remote: Box::new(agreement(leg)) });
        let sources = (0..legs).map(LegId).filter(|l| *l != leg).collect();
        plane.handle(at, MediaCommand::Hear { leg, sources });
        if hearing == Hearing::Prompt {
            let prompts = vec!["music".into()];
            let (play, language) = (PlayId(1), Language::English);
            let play = MediaCommand::Play { leg, play, language, prompts, barge_in: true, repeat: true };
            plane.handle(at, play);
        }
    }
    let payload = speech(500.0);
    let mut header = Header { payload_type: 0, marker: false, sequence: 0, timestamp: 0, ssrc: 7 };
    let mut datagram = [0; 172];
    support::ns_each(1_000, || {
        now += Duration::from_millis(20);
        if hearing == Hearing::All {
            header.sequence = header.sequence.wrapping_add(1);
            header.timestamp = header.timestamp.wrapping_add(160);
            header.write(&payload, &mut datagram);
            for leg in (0..legs).map(LegId) {
                plane.handle_rtp(now, leg, address(leg), &datagram);
                drain(&mut plane);
            }
        }
        while plane.next_deadline().is_some_and(|d| d.at <= now) {
            plane.handle_timeout(now);
            drain(&mut plane);
        }
    })
}

fn drain(plane: &mut MediaPlane) {
    while let Some(transmit) = plane.poll_transmit() {
        black_box(transmit.bytes);
    }
    while let Some(event) = plane.poll_event() {
        black_box(event);
    }
}

fn address(leg: LegId) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, u8::try_from(leg.0).unwrap()], 4_000))
}

fn agreement(leg: LegId) -> RemoteMedia {
    RemoteMedia {
        events_in: PayloadTypes::NONE.with(101),
        ..RemoteMedia::plain(address(leg), Codec::Pcmu, 0)
    }
}
