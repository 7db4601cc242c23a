//! What our own code adds to the system calls that a packet of sound costs anyway, over real loopback sockets.
//!
//! Why: the kernel is most of the cost of media; what we add must stay small beside it. Both sides of a ratio are
//! measured in turns in the same run, so that a busy machine slows both.
//!
//! | figure | what | budget |
//! |---|---|---|
//! | `relay_to_calls` | a packet read, relayed by the plane, sent / the same reads and sends alone | 1.5 |
//! | `prompt_to_calls` | a prompt's frame made by the plane, sent / the same send alone | 1.5 |
//! | `relay_calls`, `prompt_calls` | the system calls alone, in us: for the record | none that can fail |
//!
//! 100 legs in 50 bridges, PCMU, 20 ms, each leg on a socket of its own, each socket read until it is empty.
//!
//! Machine: a busy 2-core virtual machine. Last figures: relay 1.16-1.19 of 1.23 us, prompt 1.18-1.26 of 0.82 us.
mod support;

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{Instant, Language, LegId, Now, PlayId, PromptId, Rng};
use hotline::io::Clock;
use hotline::media::{Codec, MediaCommand, MediaPlane, PromptLibrary, RemoteMedia};
use hotline::rtp::{Header, PayloadTypes};

/// Legs, each with a socket and a phone.
const LEGS: usize = 100;
/// Packets of one turn.
const PACKETS: f64 = 100.0;
/// Turns of which the fastest counts, on either side.
const TURNS: usize = 25 * 8;
/// No figure of this kind reaches it.
const NO_BUDGET: f64 = 1_000.0;

fn main() {
    support::pin();
    let (relay, relay_calls) = relay();
    support::report("relay_to_calls", relay / relay_calls, "times", 1.5);
    support::report("relay_calls", relay_calls / 1_000.0, "us", NO_BUDGET);
    let (prompt, prompt_calls) = prompt();
    support::report("prompt_to_calls", prompt / prompt_calls, "times", 1.5);
    support::report("prompt_calls", prompt_calls / 1_000.0, "us", NO_BUDGET);
}

/// The sockets of all legs and of their phones.
struct Sockets {
    legs: Vec<UdpSocket>,
    phones: Vec<UdpSocket>,
    leg_at: Vec<SocketAddr>,
    phone_at: Vec<SocketAddr>,
    by_leg: BTreeMap<LegId, usize>,
}

impl Sockets {
    fn new() -> Self {
        let bind = || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback port");
            socket.set_nonblocking(true).expect("a socket that does not wait");
            socket
        };
        let (legs, phones): (Vec<_>, Vec<_>) = (0..LEGS).map(|_| (bind(), bind())).unzip();
        let at = |s: &UdpSocket| s.local_addr().expect("a bound socket");
        let (leg_at, phone_at) = (legs.iter().map(at).collect(), phones.iter().map(at).collect());
        let by_leg = (0..LEGS).map(|n| (leg(n), n)).collect();
        Self { legs, phones, leg_at, phone_at, by_leg }
    }

    /// Every phone says a packet.
    fn speak(&self, sequence: u16) {
        let header = Header {
            payload_type: 0,
            marker: false,
            sequence,
            timestamp: u32::from(sequence) * 160,
            ssrc: 1,
        };
        let mut buffer = [0; 200];
        let n = header.write(&[0xD5; 160], &mut buffer).expect("a packet");
        for (phone, to) in self.phones.iter().zip(&self.leg_at) {
            phone.send_to(&buffer[..n], to).expect("sent");
        }
    }

    /// Every phone hears what came; how many packets.
    fn hear(&self) -> usize {
        let mut buffer = [0; 200];
        self.phones.iter().map(|phone| std::iter::from_fn(|| phone.recv_from(&mut buffer).ok()).count()).sum()
    }

    /// Hands out every packet that waits at a leg.
    fn read(&self, mut each: impl FnMut(usize, SocketAddr, &[u8])) {
        let mut buffer = [0; 2_048];
        for (n, socket) in self.legs.iter().enumerate() {
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                each(n, from, &buffer[..length]);
            }
        }
    }

    fn transmit(&self, plane: &mut MediaPlane) {
        while let Some(packet) = plane.poll_transmit() {
            let socket = if packet.rtcp { None } else { self.by_leg.get(&packet.leg) };
            if let Some(n) = socket {
                self.legs[*n].send_to(packet.bytes, packet.to).expect("sent");
            }
        }
    }
}

fn leg(n: usize) -> LegId {
    LegId(n as u64 + 1)
}

fn partner(n: usize) -> usize {
    n ^ 1
}

/// A plane with all legs open and agreed.
fn plane(sockets: &Sockets, now: Now) -> MediaPlane {
    let mut prompts = PromptLibrary::new(Duration::ZERO);
    prompts.add_samples(Language::English, PromptId::new("music"), &vec![1_000; 8_000 * 60]);
    let mut plane = MediaPlane::new(Arc::new(prompts), Rng::from_number(1));
    for (n, at) in sockets.phone_at.iter().enumerate() {
        plane.handle(now, MediaCommand::Open { leg: leg(n), port: 0 });
        let remote = RemoteMedia {
            events_in: PayloadTypes::NONE.with(101),
            ..RemoteMedia::plain(*at, Codec::Pcmu, 0)
        };
        plane.handle(now, MediaCommand::Remote { leg: leg(n), remote: Box::new(remote) });
    }
    plane
}

/// CPU nanoseconds for each packet of a turn, one a leg.
fn each_ns(run: impl FnOnce()) -> f64 {
    let begun = support::cpu_ns();
    run();
    Duration::from_nanos(support::cpu_ns() - begun).as_secs_f64() * 1e9 / PACKETS
}

/// A relayed packet with the plane, and its system calls alone.
fn relay() -> (f64, f64) {
    let (sockets, clock) = (Sockets::new(), Clock::start());
    let mut plane = plane(&sockets, clock.now());
    for n in 0..LEGS {
        plane.handle(clock.now(), MediaCommand::Hear { leg: leg(n), sources: vec![leg(partner(n))] });
    }
    let mut through_plane = |sequence| {
        sockets.speak(sequence);
        let ns = each_ns(|| {
            sockets.read(|n, from, datagram| {
                plane.handle_rtp(clock.mono(), leg(n), from, datagram);
                sockets.transmit(&mut plane);
            });
        });
        (ns, sockets.hear())
    };
    // The first packets tell the plane how long they are; from then on it relays.
    (0..10).for_each(|n| {
        through_plane(n);
    });
    let (mut with, mut without) = (f64::INFINITY, f64::INFINITY);
    for n in 10..u16::try_from(TURNS + 10).expect("few turns") {
        let (ns, heard) = through_plane(n);
        assert_eq!(heard, LEGS, "every packet is relayed");
        with = with.min(ns);
        sockets.speak(n);
        without = without.min(each_ns(|| {
            sockets.read(|n, _, datagram| {
                let to = partner(n);
                sockets.legs[to].send_to(datagram, sockets.phone_at[to]).expect("sent");
            });
        }));
        assert_eq!(sockets.hear(), LEGS);
    }
    (with, without)
}

/// A prompt's frame with the plane, and its system call alone.
fn prompt() -> (f64, f64) {
    let sockets = Sockets::new();
    let mut now = Now { mono: Instant::from_secs(1), ..Now::default() };
    let mut plane = plane(&sockets, now);
    for n in 0..LEGS {
        let music = MediaCommand::Play {
            leg: leg(n),
            play: PlayId(1),
            language: Language::English,
            prompts: vec![PromptId::new("music")],
            barge_in: true,
            repeat: true,
        };
        plane.handle(now, music);
    }
    let frame = [0xD5; 172];
    let (mut with, mut without) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..TURNS {
        now = now.after(Duration::from_millis(20));
        let ns = each_ns(|| {
            while plane.next_deadline().is_some_and(|due| due.at <= now.mono) {
                plane.handle_timeout(now.mono);
            }
            sockets.transmit(&mut plane);
        });
        // A turn with reports costs more and is never the fastest.
        assert_eq!(sockets.hear(), LEGS, "every caller hears his frame");
        with = with.min(ns);
        without = without.min(each_ns(|| {
            for (socket, to) in sockets.legs.iter().zip(&sockets.phone_at) {
                socket.send_to(&frame, to).expect("sent");
            }
        }));
        sockets.hear();
    }
    (with, without)
}
