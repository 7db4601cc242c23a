//! Nobody ever hears a stranger: a socket that belongs to no party floods every sound port of a call.
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hotline::media::{Codec, Tone};
use hotline::replay::{Ear, Phone};

use crate::cast::{Phase, STRANGER_HZ, play};

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
