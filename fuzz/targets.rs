//! What is fuzzed: everything that reads bytes from outside. Each target takes any bytes and must come to an end without
//! a panic, and holds a few invariants. Shared by cargo-fuzz (`cargo xtask fuzz`) and by the mutation loop of the tests.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{Instant, LegId, Now, Rng};
use hotline::exchange::menu::{KnownPrompts, MenuSet, render};
use hotline::media::{Codec, MediaCommand, MediaPlane, PromptLibrary, RemoteMedia, decode_audio};
use hotline::node::LegSound;
use hotline::rtp::{EventPayload, EventReceiver, EventSender, EventType, Header, PayloadTypes};
use hotline::sip::{
    Account, DigestAlgorithm, Framer, Listener, ListenerId, ListenerTransport, Method, Source, UserAgent,
    UserAgentSettings, Verdict, Wire, write_request, write_response,
};

/// One thing that reads bytes from outside.
pub(crate) type Target = fn(&[u8]);

/// All of them, by name.
pub(crate) const TARGETS: [(&str, Target); 9] = [
    ("sip", sip),
    ("user_agent", user_agent),
    ("sdp", sdp),
    ("rtp", rtp),
    ("rtcp", rtcp),
    ("event", event),
    ("digest", digest),
    ("toml", toml),
    ("audio", audio),
];

const LISTENER: ListenerId = ListenerId(0);

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn source() -> Source {
    Source { listener: LISTENER, remote: at("203.0.113.9:4444"), local: at("192.0.2.1:5060"), conn: None }
}

/// The wire layer: a datagram, and the same bytes as a stream in two pieces. What was read can be written and read again.
pub(crate) fn sip(bytes: &[u8]) {
    let mut wire = Wire::new(vec![Method::Invite, Method::Ack, Method::Bye, Method::Cancel, Method::Options]);
    let mut written = Vec::new();
    match wire.read(&source(), bytes) {
        Verdict::Request(request) => write_request(&request, &mut written),
        Verdict::Response(response) => write_response(&response, &mut written),
        Verdict::Answer(answer) => assert!(answer.bytes.starts_with(b"SIP/2.0 ")),
        Verdict::Dropped(_) => {}
    }
    if !written.is_empty() {
        let again = wire.read(&source(), &written);
        assert!(matches!(again, Verdict::Request(_) | Verdict::Response(_)), "{again:?}");
    }
    let mut framer = Framer::new();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for piece in [first, second] {
        framer.push(piece);
        for _ in 0..=bytes.len() {
            if framer.poll().is_none() {
                break;
            }
        }
    }
}

fn agent() -> UserAgent {
    let at = at("192.0.2.1:5060");
    let listener = Listener { id: LISTENER, transport: ListenerTransport::Udp, local: at, advertised: at };
    let mut settings = UserAgentSettings::new(vec![listener], "hotline");
    settings.digest = vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5];
    settings.accounts =
        BTreeMap::from([("8001".to_owned(), Account::from_password("8001", "hotline", "secret"))]);
    UserAgent::new(settings, &Rng::from_number(1))
}

/// The whole SIP core: a datagram, then all the time in which anything could still follow from it.
pub(crate) fn user_agent(bytes: &[u8]) {
    let mut agent = agent();
    let mut now = Instant::from_secs(1);
    agent.handle_datagram(now, LISTENER, at("203.0.113.9:4444"), bytes);
    for _ in 0..100 {
        while let Some(event) = agent.poll_event() {
            if let hotline::sip::SipEvent::Incoming(incoming) = event {
                agent.answer(now, incoming.invite, b"v=0\r\n".to_vec());
            }
        }
        while agent.poll_transmit().is_some() {}
        let Some(deadline) = agent.next_deadline().filter(|d| d.at <= Instant::from_secs(120)) else { break };
        now = now.max(deadline.at);
        agent.handle_timeout(now);
    }
}

/// An offer, answered; and the same bytes as an answer to ours. Our answer is one that we can read ourselves.
pub(crate) fn sdp(bytes: &[u8]) {
    let codecs = [Codec::G722, Codec::Pcma, Codec::Pcmu];
    let leg = |port| LegSound::new([192, 0, 2, 1].into(), port, &codecs, 7);
    let mut answering = leg(20_000);
    if answering.answer(bytes).is_ok() {
        let ours = answering.take_answer();
        let mut other = leg(20_002);
        other.offer();
        // What we answer may be silent for them, but it is well formed.
        if let Err(refusal) = other.accept(&ours) {
            assert!(!format!("{refusal:?}").contains("Malformed"), "{refusal:?}");
        }
    }
    let mut offering = leg(20_004);
    offering.offer();
    offering.accept(bytes).ok();
}

fn plane() -> (MediaPlane, SocketAddr) {
    let now = Now { mono: Instant::from_secs(1), ..Now::default() };
    let mut plane = MediaPlane::new(Arc::new(PromptLibrary::new(Duration::ZERO)), Rng::from_number(1));
    let peer = at("203.0.113.9:4444");
    for (leg, codec) in [(LegId(2), Codec::Pcma), (LegId(4), Codec::Pcmu), (LegId(6), Codec::Pcma)] {
        plane.handle(now, MediaCommand::Open { leg, port: 20_000 });
        let remote = RemoteMedia {
            events_in: PayloadTypes::NONE.with(101),
            event_out: Some(EventType { payload_type: 101, clock_hz: 8_000 }),
            rtcp_mux: true,
            ..RemoteMedia::plain(peer, codec, if codec == Codec::Pcma { 8 } else { 0 })
        };
        plane.handle(now, MediaCommand::Remote { leg, remote: remote.into() });
    }
    for (leg, sources) in [(2, vec![4, 6]), (4, vec![2]), (6, vec![2, 4])] {
        let sources = sources.into_iter().map(LegId).collect();
        plane.handle(now, MediaCommand::Hear { leg: LegId(leg), sources });
    }
    (plane, peer)
}

/// Datagrams of a few bytes each, cut from the input, on a leg that is mixed and one that is transcoded; a second of ticks.
pub(crate) fn rtp(bytes: &[u8]) {
    let (mut plane, peer) = plane();
    let mut now = Instant::from_secs(1);
    let mut rest = bytes;
    while let Some((length, tail)) = rest.split_first() {
        let (packet, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        plane.handle_rtp(now, LegId(2), peer, packet);
        plane.handle_rtp(now, LegId(4), peer, packet);
        now += Duration::from_millis(20);
        settle(&mut plane, now);
        rest = tail;
    }
    for _ in 0..50 {
        now += Duration::from_millis(20);
        settle(&mut plane, now);
    }
}

fn settle(plane: &mut MediaPlane, now: Instant) {
    plane.handle_timeout(now);
    while plane.poll_transmit().is_some() {}
    while plane.poll_event().is_some() {}
}

/// Reports on their own socket and on RTP's.
pub(crate) fn rtcp(bytes: &[u8]) {
    let (mut plane, peer) = plane();
    let now = Instant::from_secs(1);
    plane.handle_rtcp(now, LegId(2), peer, bytes);
    plane.handle_rtp(now, LegId(2), peer, bytes);
    settle(&mut plane, Instant::from_secs(20));
}

/// Telephone-events: no timestamp counts twice.
pub(crate) fn event(bytes: &[u8]) {
    let mut receiver = EventReceiver::default();
    let (mut keys, mut stamps) = (0, std::collections::BTreeSet::new());
    for chunk in bytes.chunks(9) {
        let Some(payload) = EventPayload::read(chunk.get(5..).unwrap_or_default()) else { continue };
        let timestamp = u32::from_be_bytes([0, chunk[1], chunk[2], chunk[3]]);
        stamps.insert(timestamp);
        keys += usize::from(receiver.packet(1, timestamp, payload).is_some());
    }
    assert!(keys <= bytes.len() / 9 + 1, "{keys} keys of {} stamps", stamps.len());
}

/// The Authorization header of a registration.
pub(crate) fn digest(bytes: &[u8]) {
    let mut agent = agent();
    let text: String = String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect();
    let register = format!(
        "REGISTER sip:hotline SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9:4444;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         To: <sip:8001@hotline>\r\nFrom: <sip:8001@hotline>;tag=1\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
         Contact: <sip:8001@203.0.113.9:4444>\r\nAuthorization: {text}\r\nContent-Length: 0\r\n\r\n"
    );
    agent.handle_datagram(Instant::from_secs(1), LISTENER, at("203.0.113.9:4444"), register.as_bytes());
    let answer = agent.poll_transmit().map(|t| t.bytes).unwrap_or_default();
    assert!(!answer.starts_with(b"SIP/2.0 200"), "nobody guesses the password: {text}");
}

/// A menu file among good ones: mistakes are drawn, never a panic.
pub(crate) fn toml(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut files = files_of("menus", "toml");
    let names: Vec<String> = files.keys().cloned().collect();
    // The first byte chooses the file that is replaced.
    let name = names[usize::from(bytes.first().copied().unwrap_or(0)) % names.len()].clone();
    files.insert(name, text);
    match MenuSet::load(&files, &KnownPrompts::default()) {
        Ok((_, found)) | Err(found) => drop(render(&found, &files, false)),
    }
}

/// A sound file: whatever it is, it decodes to at most what was allowed, or not at all.
pub(crate) fn audio(bytes: &[u8]) {
    if let Ok(sound) = decode_audio(bytes, Duration::from_secs(2)) {
        assert!(sound.duration() <= Duration::from_secs(3), "{:?}", sound.duration());
    }
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if here.ends_with("fuzz") { here.join("..") } else { here.to_owned() }
}

fn files_of(folder: &str, ending: &str) -> BTreeMap<String, String> {
    read_all(folder, ending)
        .into_iter()
        .filter_map(|(name, bytes)| String::from_utf8(bytes).ok().map(|text| (name, text)))
        .collect()
}

fn read_all(folder: &str, ending: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(root().join(folder)).into_iter().flatten().flatten();
    let files = entries.filter(|e| e.path().is_file() && e.file_name().to_string_lossy().ends_with(ending));
    files
        .map(|e| (e.file_name().to_string_lossy().into_owned(), std::fs::read(e.path()).unwrap_or_default()))
        .collect()
}

/// Where the loop begins: real messages, files and packets, and inputs that once failed (`fuzz/regressions`).
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let torture =
        || ["rfc4475", "rfc5118"].map(|rfc| read_all(&format!("tests/data/sip-torture/{rfc}"), "dat"));
    let messages = || torture().into_iter().flat_map(BTreeMap::into_values);
    let mut seeds: Vec<Vec<u8>> = match target {
        "sip" | "user_agent" => messages().collect(),
        "sdp" => {
            let body = |m: Vec<u8>| {
                let at = m.windows(4).position(|w| w == b"\r\n\r\n")?;
                Some(m.get(at + 4..)?.to_vec()).filter(|body| body.starts_with(b"v="))
            };
            let mut all: Vec<Vec<u8>> = messages().filter_map(body).collect();
            let mut ours = LegSound::new([192, 0, 2, 1].into(), 20_000, &[Codec::G722, Codec::Pcma], 7);
            all.push(ours.offer());
            all
        }
        "rtp" => vec![packets()],
        "rtcp" => vec![
            [&[0x80, 200, 0, 6][..], &[0; 24]].concat(),
            [&[0x81, 201, 0, 7][..], &[0; 28]].concat(),
            [&[0x81, 202, 0, 3][..], b"\0\0\0\x05\x01\x02hi\0\0\0\0"].concat(),
            [&[0x81, 203, 0, 1][..], &[0, 0, 0, 5]].concat(),
        ],
        "event" => vec![[0, 0, 0, 1, 0, 5, 0x0A, 0, 160].repeat(8), [0, 0, 2, 1, 0, 11, 0x8A, 3, 32].repeat(8)],
        "digest" => vec![
            br#"Digest username="8001", realm="hotline", nonce="x", uri="sip:hotline", response="0123456789abcdef0123456789abcdef", algorithm=MD5, cnonce="c", nc=00000001, qop=auth"#.to_vec(),
            br#"Digest username=8001,realm="a\"b",nonce=,response="#.to_vec(),
            b"Basic ODAwMTpzZWNyZXQ=".to_vec(),
        ],
        "toml" => read_all("menus", "toml").into_values().collect(),
        "audio" => read_all("tests/data/audio", "").into_values().filter(|b| b.len() < 60_000).collect(),
        _ => Vec::new(),
    };
    seeds.extend(read_all(&format!("fuzz/regressions/{target}"), "").into_values());
    seeds
}

/// A second of sound with a key in it, each packet behind its length.
fn packets() -> Vec<u8> {
    let mut all = Vec::new();
    let mut add = |payload_type, sequence: u16, payload: &[u8]| {
        let header = Header {
            payload_type,
            marker: sequence == 0,
            sequence,
            timestamp: u32::from(sequence) * 160,
            ssrc: 5,
        };
        let mut buffer = [0; 256];
        if let Some(length) = header.write(payload, &mut buffer) {
            all.push(u8::try_from(length).unwrap_or(u8::MAX));
            all.extend_from_slice(&buffer[..length]);
        }
    };
    for n in 0..20 {
        add(8, n, &[0x55; 160]);
    }
    let key = hotline::base::Key::from_char('5').expect("a key");
    let mut sender = EventSender::new(key, Duration::from_millis(100), Duration::from_millis(20), 8_000);
    for n in 20..30 {
        if let Some(packet) = sender.next_packet() {
            add(101, n, &packet.payload.bytes());
        }
    }
    all
}
