//! Deep runs: the whole node with real SIP and RTP bytes, through a network that loses, doubles and overtakes.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use hotline::base::UtcTime;
use hotline::exchange::Fact;
use hotline::sim::{DeepDay, DeepReport, Plan, Weather, pcap_datagram, pcap_head, silent_prompts};

use crate::simulated_day::plan_of;

const SMALL: &str = r#"
title  = "deep"
begins = "2026-11-10T10:00+08:00"
lasts  = "2m"
[arrivals]
per_half_hour = [120]
[callers.account]
number   = "95188"
keys     = ["1", "2", "123456#"]
think    = "3s"
patience = "2m"
talk     = "8s"
[agents.account]
count   = 3
skills  = { account = 7 }
pick_up = "1s"
wrap_up = "2s"
"#;

fn plan() -> Plan {
    plan_of(&BTreeMap::from([("deep.toml".to_owned(), SMALL.to_owned())]), "deep.toml", &[])
}

/// Takes a capture, piece by piece.
type Taker<'a> = &'a mut dyn FnMut(&[u8]);

fn run(seed: u64, weather: Weather, pcap: Option<Taker<'_>>) -> (DeepReport, Vec<Fact>) {
    let plan = plan();
    let prompts = Arc::new(silent_prompts(&plan));
    let mut facts = Vec::new();
    let report =
        DeepDay::new(plan, (seed, 12), weather, prompts, pcap).run(|_, _| {}, |f| facts.push(f.fact.clone()));
    (report, facts)
}

fn rain() -> Weather {
    Weather { loss: 5.0, doubled: 2.0, overtaken: 2.0, ..Weather::ORDINARY }
}

#[test]
fn in_the_rain_every_key_counts_once_and_every_talk_has_sound_both_ways() {
    let (report, facts) = run(3, rain(), None);
    println!("{report}");
    assert!(report.network.lost > 100 && report.network.doubled > 20, "{report}");
    assert!(report.calls >= 5 && report.talks >= 5, "{report}");
    assert_eq!((report.broken, report.left), (0, 0), "{report}");
    assert_eq!(report.talks, report.two_way, "{report}");
    // The end of an entry, `#`, is a key of the entry and not a digit.
    let entries = facts.iter().filter(|f| matches!(f, Fact::SecretEntered { .. })).count() as u64;
    assert_eq!(report.keys_noted + entries, report.keys_pressed, "{report}");
    for fact in &facts {
        if let Fact::SecretEntered { length, .. } = fact {
            assert_eq!(*length, 6, "a digit was lost or doubled");
        }
    }
    assert!(report.lost > 50 && report.concealed_ms == 0 || report.concealed_ms > 0, "{report}");
}

#[test]
fn the_same_seed_is_the_same_run_down_to_the_bytes() {
    let mut taken = [Vec::new(), Vec::new()];
    for bytes in &mut taken {
        let mut write = |b: &[u8]| bytes.extend_from_slice(b);
        run(4, Weather::ORDINARY, Some(&mut write));
    }
    assert!(taken[0].len() > 100_000 && taken[0] == taken[1]);
    let (datagrams, sip) = read_pcap(&taken[0]);
    assert!(datagrams > 1_000 && sip > 50, "{datagrams} {sip}");
}

/// Reads a capture by its format's words alone: datagrams, and those of SIP. Panics at what is out of place.
fn read_pcap(bytes: &[u8]) -> (usize, usize) {
    assert_eq!(&bytes[..24], &pcap_head()[..]);
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut datagrams, mut sip, mut last) = (24, 0, 0, 0);
    while at < bytes.len() {
        let (time, length) =
            (u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4)), word(at + 8) as usize);
        assert!(time >= last && word(at + 12) as usize == length);
        last = time;
        let ip = &bytes[at + 16..at + 16 + length];
        assert_eq!((ip[0], ip[9]), (0x45, 17));
        assert_eq!(usize::from(u16::from_be_bytes([ip[2], ip[3]])), length);
        let ports = (u16::from_be_bytes([ip[20], ip[21]]), u16::from_be_bytes([ip[22], ip[23]]));
        sip += usize::from(ports == (5060, 5060));
        datagrams += 1;
        at += 16 + length;
    }
    (datagrams, sip)
}

#[test]
fn what_does_not_fit_a_capture_is_left_out() {
    let mut file = Vec::new();
    let six: SocketAddr = "[2001:db8::1]:5060".parse().unwrap();
    pcap_datagram(UtcTime::from_secs(1), six, six, b"x", &mut file);
    let four: SocketAddr = "192.0.2.1:5060".parse().unwrap();
    pcap_datagram(UtcTime::from_secs(1), four, four, &vec![0; 70_000], &mut file);
    assert!(file.is_empty());
}
