//! Nobody ever hears a stranger: a socket that belongs to no party floods every sound port of a call.
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hotline::media::{Codec, Tone};
use hotline::replay::{Ear, Phone};

use crate::bare_call::{BareCall, Stream, came_within, is_heard, socket_at};
use crate::cast::{CALLER_HZ, Phase, STRANGER_HZ, play};
use crate::house::{House, PROMPT_HZ};

/// A thread that sends well-formed RTP with a tone of its own to every port that it is told.
struct Stranger {
    ports: Option<Sender<SocketAddr>>,
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stranger {
    fn start() -> Self {
        let (ports, told) = channel();
        let (sent, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, ends) = (Arc::clone(&sent), Arc::clone(&stop));
        let thread = std::thread::spawn(move || flood(&told, &count, &ends));
        Self { ports: Some(ports), sent, stop, thread: Some(thread) }
    }

    /// Floods the port from which this phone hears the hotline, too.
    fn annoy(&self, phone: &Phone) {
        let port = phone.ear.heard_from().expect("a phone that has heard something");
        self.ports.as_ref().unwrap().send(port).unwrap();
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Five times as many packets as a phone sends, from two ports of its own in turn, PCMA and PCMU.
fn flood(told: &Receiver<SocketAddr>, sent: &AtomicU64, stop: &AtomicBool) {
    let sockets = [UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap()];
    let mut ports: Vec<SocketAddr> = Vec::new();
    let mut tone = Tone::new(STRANGER_HZ, 16_000.0);
    let mut samples = [0; 160];
    for n in 0_u16.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        ports.extend(told.try_iter());
        tone.fill(&mut samples);
        for (codec, number) in [(Codec::Pcma, 8), (Codec::Pcmu, 0)] {
            let mut payload = [0; 160];
            codec.encode(&samples, &mut payload);
            let packet = rtp(number, n, &payload);
            for port in &ports {
                sockets[usize::from(n % 20 / 10)].send_to(&packet, port).unwrap();
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
        std::thread::sleep(Duration::from_millis(8));
    }
}

fn rtp(payload_type: u8, n: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(n.to_be_bytes());
    packet.extend((u32::from(n) * 160).to_be_bytes());
    packet.extend(0xBAD_CA11_u32.to_be_bytes());
    packet.extend(payload);
    packet
}

#[test]
fn nobody_hears_a_stranger_who_floods_every_port() {
    play("", async |cast| {
        let stranger = Stranger::start();
        cast.caller.ear.until(crate::house::SOON, Ear::heard_from).await.unwrap();
        stranger.annoy(&cast.caller);
        cast.reach(Phase::Bridge).await;
        stranger.annoy(&cast.agent);
        let before = stranger.sent();
        for _ in 0..3 {
            cast.heard_in(Phase::Bridge).await;
        }
        cast.bring_merchant().await;
        cast.heard_in(Phase::Private).await;
        stranger.annoy(&cast.merchant);
        cast.heard_in(Phase::Private).await;
        cast.agent.press("*3").await.unwrap();
        for _ in 0..3 {
            cast.heard_in(Phase::Conference).await;
        }
        assert!(stranger.sent() > before + 500, "only {} packets", stranger.sent() - before);
        cast.steady();
    });
}

const PACKET: Duration = Duration::from_millis(20);

#[test]
fn who_never_acknowledges_is_sent_two_seconds_of_sound() {
    let house = House::open("");
    let ear = socket_at("127.0.0.1");
    let call = BareCall::place(&house, ear.local_addr().unwrap()).unwrap();
    let came = came_within(&ear, Duration::from_secs(4));
    assert!((60..=101).contains(&came.len()) && is_heard(&came, PROMPT_HZ), "{} packets", came.len());
    call.acknowledge();
    assert!(came_within(&ear, Duration::from_secs(1)).len() > 25, "acknowledged");
}

#[test]
fn another_host_than_the_signallings_is_sent_nothing_before_the_call_is_acknowledged() {
    let house = House::open("");
    let victim = socket_at("127.0.0.77");
    let call = BareCall::place(&house, victim.local_addr().unwrap()).unwrap();
    assert_eq!(came_within(&victim, Duration::from_secs(2)).len(), 0);
    call.acknowledge();
    assert!(came_within(&victim, Duration::from_secs(1)).len() > 25);
}

#[test]
fn a_stranger_who_floods_the_port_before_a_phone_behind_a_nat_speaks_hears_nothing_and_the_phone_does() {
    let house = House::open("");
    // The phone's own address means nothing out here; its signalling comes from 127.0.0.1.
    let call = BareCall::place(&house, "10.255.255.1:4000".parse().unwrap()).unwrap();
    call.acknowledge();
    let mut stranger = Stream::new(socket_at("127.0.0.66"), 0xBAD, STRANGER_HZ);
    let bled = stranger.speaks(call.sound, Duration::from_millis(1_500), Duration::from_millis(3));
    assert_eq!(bled.len(), 0, "nothing is answered to a stranger");
    let mut phone = Stream::new(socket_at("127.0.0.1"), 7, CALLER_HZ);
    let came = phone.speaks(call.sound, Duration::from_secs(2), PACKET);
    assert!(came.len() > 50, "{} packets", came.len());
    assert_eq!(stranger.speaks(call.sound, Duration::from_millis(300), PACKET).len(), 0);
}

#[test]
fn a_nat_that_binds_anew_is_followed_after_silence_and_another_host_only_with_the_same_stream() {
    let house = House::open("[rtp]\nrebind_after_ms = 800");
    let first = socket_at("127.0.0.1");
    let call = BareCall::place(&house, first.local_addr().unwrap()).unwrap();
    call.acknowledge();
    let mut phone = Stream::new(first, 7, CALLER_HZ);
    assert!(phone.speaks(call.sound, Duration::from_millis(500), PACKET).len() > 10);

    let mut thief = Stream::new(socket_at("127.0.0.66"), 0xBAD, STRANGER_HZ);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(thief.speaks(call.sound, Duration::from_millis(500), PACKET).len(), 0, "another stream");

    // The phone went to another network: another host, the same stream.
    let (left, mut moved) = phone.through(socket_at("127.0.0.5"));
    let came = moved.speaks(call.sound, Duration::from_secs(1), PACKET);
    assert!(came.len() > 25, "{} packets", came.len());
    came_within(&left, Duration::from_millis(50));
    assert!(moved.speaks(call.sound, Duration::from_millis(300), PACKET).len() > 5);
    assert_eq!(came_within(&left, Duration::from_millis(50)).len(), 0, "nothing goes to the old address");

    // While it spoke just now nobody takes its place, not even with its numbers.
    let (speaking, mut copy) = moved.through(socket_at("127.0.0.66"));
    assert_eq!(copy.speaks(call.sound, Duration::from_millis(300), PACKET).len(), 0);
    assert!(came_within(&speaking, Duration::from_millis(300)).len() > 5);
}

#[test]
fn our_own_doors_are_no_place_for_sound() {
    let house = House::open("");
    for door in [house.sip, house.http] {
        assert_eq!(BareCall::place(&house, door).err(), Some(488), "{door}");
    }
    for hostile in ["127.0.0.1:53", "224.0.0.1:4000", "255.255.255.255:4000"] {
        assert_eq!(BareCall::place(&house, hostile.parse().unwrap()).err(), Some(488), "{hostile}");
    }
}
