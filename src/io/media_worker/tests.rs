//! The media thread over loopback sockets. Every wait has a deadline and says what for.
use std::net::{SocketAddr, UdpSocket};

use super::*;
use crate::base::{Key, Language, PlayId, PromptId};
use crate::media::{Codec, RemoteMedia};
use crate::rtp::{EventSender, EventType, Header, Packet, PayloadTypes};

const WAIT: Duration = Duration::from_secs(5);

/// A phone at the other end of a leg.
struct Phone {
    socket: UdpSocket,
    to: SocketAddr,
    sequence: u16,
}

impl Phone {
    fn new(port: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(WAIT)).unwrap();
        Self { socket, to: SocketAddr::from(([127, 0, 0, 1], port)), sequence: 0 }
    }
    fn send(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) {
        let header = Header { payload_type, marker: false, sequence: self.sequence, timestamp, ssrc: 5 };
        self.sequence += 1;
        let mut buffer = [0; 300];
        let n = header.write(payload, &mut buffer).unwrap();
        self.socket.send_to(&buffer[..n], self.to).unwrap();
    }
    fn hear(&self) -> (Header, Vec<u8>) {
        let mut buffer = [0; 600];
        let (n, _) = self.socket.recv_from(&mut buffer).expect("sound within five seconds");
        let packet = Packet::read(&buffer[..n]).unwrap();
        (packet.header, packet.payload.to_vec())
    }
    fn remote(&self) -> RemoteMedia {
        let rtp = self.socket.local_addr().unwrap();
        RemoteMedia {
            events_in: PayloadTypes::NONE.with(101),
            event_out: Some(EventType { payload_type: 101, clock_hz: 8_000 }),
            ..RemoteMedia::plain(rtp, Codec::Pcmu, 0)
        }
    }
}

struct Server {
    media: MediaWorker,
    events: to_control::Receiver<FromMedia>,
    runtime: tokio::runtime::Runtime,
    ports: Vec<u16>,
}

impl Server {
    fn new(first_port: u16) -> Self {
        let mut prompts = PromptLibrary::new(Duration::ZERO);
        prompts.add_samples(Language::English, PromptId::new("hello"), &[1_000; 8_000]);
        let (media, events) =
            MediaWorker::start(settings(first_port, prompts), Clock::start(), &Rng::from_number(7)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Self { media, events, runtime, ports: Vec::new() }
    }
    fn port(&mut self) -> u16 {
        while self.ports.is_empty() {
            self.next("a port");
        }
        self.ports.remove(0)
    }
    fn next(&mut self, what: &str) -> Option<MediaEvent> {
        let next = async { tokio::time::timeout(WAIT, self.events.recv()).await };
        let next = self.runtime.block_on(next).unwrap_or_else(|_| panic!("{what} within five seconds"));
        assert!(next.is_some(), "the thread has ended");
        match next? {
            FromMedia::Event(event) => Some(event),
            FromMedia::PortReady(port) => {
                self.ports.push(port);
                None
            }
        }
    }
    fn call(&mut self, leg: u64) -> Phone {
        let (leg, port) = (LegId(leg), self.port());
        let phone = Phone::new(port);
        self.media.send(MediaCommand::Open { leg, port }).unwrap();
        self.media.send(MediaCommand::Remote { leg, remote: Box::new(phone.remote()) }).unwrap();
        self.settle();
        phone
    }
    /// Waits until the thread obeyed all that was sent: a leg that never was is told last.
    fn settle(&mut self) {
        let leg = LegId(u64::MAX);
        self.media.send(MediaCommand::Open { leg, port: 1 }).unwrap();
        self.media.send(MediaCommand::Close { leg }).unwrap();
        let is_it =
            |e: &MediaEvent| matches!(e, MediaEvent::Closed { leg: l, .. } if *l == leg).then_some(());
        self.event("obedience", is_it);
    }
    /// The next event of the wanted kind.
    fn event<T>(&mut self, what: &str, wanted: impl Fn(&MediaEvent) -> Option<T>) -> T {
        loop {
            if let Some(found) = self.next(what).as_ref().and_then(&wanted) {
                return found;
            }
        }
    }
}

fn settings(first_port: u16, prompts: PromptLibrary) -> MediaSettings {
    let bind = BindTo::One([127, 0, 0, 1].into());
    MediaSettings {
        bind,
        ports: (first_port, first_port + 19),
        prompts: Arc::new(prompts),
        service_class: 46,
        rules: SoundRules::default(),
    }
}

#[test]
fn a_caller_hears_a_prompt_and_his_key_stops_it() {
    let mut server = Server::new(46_000);
    let mut phone = server.call(1);
    server
        .media
        .send(MediaCommand::Play {
            leg: LegId(1),
            play: PlayId(3),
            language: Language::English,
            prompts: vec![PromptId::new("hello")],
            barge_in: true,
            repeat: true,
        })
        .unwrap();
    let (first, sound) = phone.hear();
    assert_eq!((first.marker, first.payload_type, sound.len()), (true, 0, 160));
    let (second, _) = phone.hear();
    assert_eq!(second.sequence, first.sequence.wrapping_add(1));
    assert_eq!(second.timestamp, first.timestamp.wrapping_add(160));
    let key = Key::from_char('5').unwrap();
    let mut sender = EventSender::new(key, Duration::from_millis(60), Duration::from_millis(20), 8_000);
    while let Some(packet) = sender.next_packet() {
        phone.send(101, 8_000, &packet.payload.bytes());
    }
    let heard = server.event("the key", |e| match e {
        MediaEvent::Key { key, play, .. } => Some((*key, *play)),
        _ => None,
    });
    assert_eq!(heard, (key, Some(PlayId(3))));
}

#[test]
fn two_parties_hear_each_other_packet_by_packet() {
    let mut server = Server::new(46_100);
    let (mut a, mut b) = (server.call(1), server.call(2));
    for (leg, source) in [(1, 2), (2, 1)] {
        server.media.send(MediaCommand::Hear { leg: LegId(leg), sources: vec![LegId(source)] }).unwrap();
    }
    server.settle();
    // The first packets of each tell the length of his packets; from then on sound is relayed as it comes.
    for n in 0..50u8 {
        a.send(0, u32::from(n) * 160, &[n; 160]);
        b.send(0, u32::from(n) * 160, &[n | 0x80; 160]);
    }
    let hears = |phone: &Phone, tag: u8| (0..100).any(|_| phone.hear().1 == [tag; 160]);
    assert!(hears(&b, 49));
    assert!(hears(&a, 49 + 0x80));
    assert_eq!(server.media.counters().send_failures.load(Ordering::Relaxed), 0);
}

#[test]
fn the_end_of_a_leg_is_told_with_its_figures_and_its_port_rests() {
    let mut server = Server::new(46_200);
    let mut phone = server.call(1);
    phone.send(0, 0, &[0xFF; 160]);
    server.event("the first sound", |e| matches!(e, MediaEvent::SoundStarted { .. }).then_some(()));
    server.media.send(MediaCommand::Close { leg: LegId(1) }).unwrap();
    let (port, received) = server.event("the end", |e| match e {
        MediaEvent::Closed { port, figures, .. } => Some((*port, figures.received)),
        _ => None,
    });
    assert_eq!((port, received), (phone.to.port(), 1));
    let again = UdpSocket::bind(phone.to).map(drop);
    assert!(again.is_err(), "the port is held while it rests");
}

#[test]
fn ports_are_told_of_once_each_and_free_after_the_end() {
    let mut server = Server::new(46_300);
    let told: std::collections::BTreeSet<u16> = (0..10).map(|_| server.port()).collect();
    assert_eq!(told.len(), 10);
    drop(server);
    assert!(told.iter().all(|port| UdpSocket::bind(("127.0.0.1", *port)).is_ok()));
}

#[test]
fn a_flood_on_one_port_leaves_the_others_their_sound() {
    let mut server = Server::new(46_400);
    let (mut a, mut flooded) = (server.call(1), server.call(2));
    server.media.send(MediaCommand::Hear { leg: LegId(1), sources: vec![LegId(1)] }).unwrap();
    for _ in 0..2_000 {
        flooded.send(99, 0, &[0; 160]);
    }
    a.send(0, 0, &[0xFF; 160]);
    let of_a = |e: &MediaEvent| matches!(e, MediaEvent::SoundStarted { leg: LegId(1) }).then_some(());
    server.event("the other's first sound", of_a);
}

#[test]
fn an_unknown_port_is_counted_and_hurts_nobody() {
    let mut server = Server::new(46_500);
    server.media.send(MediaCommand::Open { leg: LegId(1), port: 1 }).unwrap();
    server.media.send(MediaCommand::Close { leg: LegId(1) }).unwrap();
    server.event("the end", |e| matches!(e, MediaEvent::Closed { .. }).then_some(()));
    assert_eq!(server.media.counters().unknown_ports.load(Ordering::Relaxed), 1);
}

#[test]
fn what_control_is_too_late_for_waits_in_order_and_is_counted() {
    let counters = MediaCounters::default();
    let (way, mut control) = to_control::channel(1);
    let mut events = EventsOut { way, late: VecDeque::new() };
    for port in 1..4 {
        events.tell(FromMedia::PortReady(port), &counters);
    }
    let heard = std::iter::from_fn(|| {
        let heard = control.try_recv().ok();
        events.flush();
        heard
    });
    let ports: Vec<u16> = heard
        .filter_map(|what| match what {
            FromMedia::PortReady(port) => Some(port),
            FromMedia::Event(_) => None,
        })
        .collect();
    assert_eq!(ports, [1, 2, 3]);
    assert_eq!(counters.events_late.load(Ordering::Relaxed), 2);
}
