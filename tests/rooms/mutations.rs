//! A stable mutation loop over the corpora of the fuzz targets, ten seconds each: the same inputs in the same order on
//! every machine, as far as it gets in that time. Coverage-guided fuzzing is `cargo xtask fuzz`.
#[path = "../../fuzz/targets.rs"]
mod targets;

use std::time::{Duration, Instant};

use hotline::base::Rng;

/// How long each target is fed.
const FED: Duration = Duration::from_secs(10);
/// One input may take no longer than this: far more than a busy machine needs for the longest.
const HANG: Duration = Duration::from_secs(5);
/// Pieces that parsers stumble over.
const WORDS: [&[u8]; 14] = [
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b"\xff\xff\xff\xff",
    b"%00",
    b"\"",
    b"<",
    b">",
    b";",
    b",",
    b"=",
    b"-1",
    b"4294967296",
    b"99999999999999999999",
];

fn below(rng: &mut Rng, n: usize) -> usize {
    usize::try_from(rng.below(n.max(1) as u64)).unwrap()
}

/// One to four small changes.
fn mutate(rng: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[below(rng, seeds.len())].clone();
    for _ in 0..=below(rng, 4) {
        let at = below(rng, bytes.len() + 1);
        let end = (at + 1 + below(rng, 16)).min(bytes.len());
        match below(rng, 8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << below(rng, 8),
            1 if at < bytes.len() => bytes[at] = u8::try_from(below(rng, 256)).unwrap(),
            2 if at < end => drop(bytes.drain(at..end)),
            3 if at < end => {
                let piece = bytes[at..end].to_vec();
                let times = 1 + below(rng, 64);
                bytes.splice(at..at, piece.repeat(times));
            }
            4 => drop(bytes.splice(at..at, WORDS[below(rng, WORDS.len())].iter().copied())),
            5 => bytes.truncate(at),
            6 => {
                let other = &seeds[below(rng, seeds.len())];
                let from = below(rng, other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => bytes.push(0),
        }
    }
    bytes.truncate(70_000);
    bytes
}

fn feed(name: &str) {
    let (_, target) = targets::TARGETS.into_iter().find(|(n, _)| *n == name).unwrap();
    let seeds = targets::seeds(name);
    assert!(!seeds.is_empty(), "{name} has no corpus");
    for seed in &seeds {
        target(seed);
    }
    let mut rng = Rng::from_number(1).fork(name);
    let (begun, mut fed) = (Instant::now(), 0_u64);
    while begun.elapsed() < FED {
        let input = mutate(&mut rng, &seeds);
        let one = Instant::now();
        target(&input);
        assert!(one.elapsed() < HANG, "{name} hangs on {:?}", String::from_utf8_lossy(&input));
        fed += 1;
    }
    println!("{name}: {fed} inputs");
    assert!(fed > 0);
}

macro_rules! loops {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            feed(stringify!($name));
        }
    )*};
}

loops! { sip user_agent sdp rtp rtcp event digest toml audio }
