//! The wire layer as a whole: framing however the bytes are cut, no panic on any bytes, writing what was read, and the
//! answers that need no memory.
use std::fs;
use std::net::SocketAddr;

use hotline::base::{Rng, limits};
use hotline::sip::{
    AddrSpec, CloseCause, Destination, DropCause, Frame, Framer, HeaderName, ListenerId, Message, Method,
    Request, Response, Source, Status, Verdict, Wire, method_text, write_message, write_request,
    write_response,
};
use proptest::prelude::*;

const ALL_METHODS: [Method; 14] = [
    Method::Invite,
    Method::Ack,
    Method::Bye,
    Method::Cancel,
    Method::Register,
    Method::Options,
    Method::Info,
    Method::Message,
    Method::Notify,
    Method::PRack,
    Method::Publish,
    Method::Refer,
    Method::Subscribe,
    Method::Update,
];

fn source(remote: &str) -> Source {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    Source { listener: ListenerId(1), remote: address(remote), local: address("127.0.0.1:5060"), conn: None }
}

fn read(bytes: &[u8]) -> Verdict {
    Wire::new(ALL_METHODS.to_vec()).read(&source("192.0.2.1:5060"), bytes)
}

fn message(bytes: &[u8]) -> Option<Message> {
    match read(bytes) {
        Verdict::Request(request) => Some(Message::Request(request)),
        Verdict::Response(response) => Some(Message::Response(response)),
        Verdict::Answer(_) | Verdict::Dropped(_) => None,
    }
}

fn written(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_message(message, &mut bytes);
    bytes
}

fn invite(extra: &str) -> Vec<u8> {
    format!(
        "INVITE sip:9000@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1\r\n{extra}\
         From: <sip:alice@example.com>;tag=f1\r\nTo: <sip:9000@192.0.2.9>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    .into_bytes()
}

fn status_of(verdict: &Verdict) -> Option<u16> {
    match verdict {
        Verdict::Answer(answer) => String::from_utf8_lossy(&answer.bytes).split(' ').nth(1)?.parse().ok(),
        Verdict::Request(_) | Verdict::Response(_) | Verdict::Dropped(_) => None,
    }
}

#[test]
fn a_binary_body_and_its_length_are_written_as_they_are() {
    let body: Vec<u8> = (0..=255).collect();
    let mut request = Request::new(Method::Info, AddrSpec::sip(Some("a"), "b", None));
    request.headers.push_named("Content-Length", "7");
    let request = request.with_body("application/octet-stream", body.clone());
    let mut out = b"before".to_vec();
    write_request(&request, &mut out);
    assert!(out.starts_with(b"beforeINFO sip:a@b SIP/2.0\r\nContent-Type: application/octet-stream\r\nContent-Length: 256\r\n\r\n"));
    assert!(out.ends_with(&body));
}

#[test]
fn no_value_can_end_its_line() {
    let mut request =
        Request::new(Method::Info, AddrSpec::Other { scheme: "tel".into(), rest: "1\r\nEvil: 1".into() });
    request.headers.push(HeaderName::Subject, "hello\r\nEvil: 2\r\n\r\nbody");
    request.headers.push_named("X-Evil\r\nEvil", "3");
    let mut out = Vec::new();
    write_request(&request, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(!text.lines().any(|line| line.starts_with("Evil")), "{text}");
}

#[test]
fn a_latin_1_byte_in_a_field_loses_nothing() {
    let mut bytes = invite("");
    let at = bytes.windows(7).position(|w| w == b"<sip:al").unwrap();
    bytes.splice(at..at, b"\"Jos\xe9\" ".iter().copied());
    let Some(Message::Request(request)) = message(&bytes) else { panic!("a request") };
    assert_eq!(request.from().unwrap().display.as_deref(), Some("José"));
    assert_eq!(request.headers.iter().count(), 5);
}

#[test]
fn refusals_name_their_reason() {
    let with = |from: &str, to: &str| String::from_utf8(invite("")).unwrap().replace(from, to).into_bytes();
    for (bytes, status) in [
        (with("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), 505),
        (with("INVITE", "DANCE"), 501),
        (with("CSeq: 1 INVITE", "CSeq: 1 BYE"), 400),
        (with("CSeq: 1", "CSeq: 4294967296"), 400),
        (with("Call-ID: c1\r\n", ""), 400),
        (with("Call-ID: c1\r\n", "Call-ID: c1\r\nCall-ID: c1\r\n"), 400),
        (invite("Content-Length: -1\r\n"), 400),
        (invite("Content-Length: 1\r\n"), 400),
        (invite("Content-Length: 0\r\nl: 1\r\n"), 400),
        (invite("Content-Length: 300000\r\n"), 513),
        (invite("Max-Forwards: many\r\n"), 400),
        (invite("no field at all\r\n"), 400),
        (invite("Contact: <sip:a@b>, junk\r\n"), 400),
        (invite("Record-Route: <sip:a@b;lr>, <sip:>\r\n"), 400),
        (invite(&"X: 1\r\n".repeat(limits::SIP_HEADER_FIELDS)), 400),
        (invite("Content-Length: 0\r\nl: 0\r\n"), 0),
        (invite("Max-Forwards: 300\r\nExpires: 99999999999999\r\n"), 0),
    ] {
        assert_eq!(status_of(&read(&bytes)).unwrap_or(0), status, "{}", String::from_utf8_lossy(&bytes));
    }
    let verdict = Wire::new(vec![Method::Bye]).read(&source("192.0.2.1:5060"), &invite(""));
    assert_eq!(status_of(&verdict), Some(405));
}

#[test]
fn nobody_answers_an_ack_a_response_or_what_is_not_sip() {
    let mut wire = Wire::new(ALL_METHODS.to_vec());
    let ack = String::from_utf8(invite("Content-Length: -1\r\n")).unwrap().replace("INVITE", "ACK");
    for (bytes, cause) in [
        (ack.as_bytes(), DropCause::BrokenAck),
        (b"SIP/2.0 200 OK\r\n\r\n", DropCause::BrokenResponse),
        (b"SIP/3.0 200 OK\r\n\r\n", DropCause::BrokenStart),
        (b"GET / HTTP/1.1\r\n\r\n", DropCause::BrokenStart),
        (b"\r\n\r\n", DropCause::KeepAlive),
        (b"\0\0\0\0", DropCause::KeepAlive),
        (b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", DropCause::NoVia),
    ] {
        assert_eq!(wire.read(&source("192.0.2.1:5060"), bytes), Verdict::Dropped(cause));
    }
    assert_eq!(wire.counters().dropped.values().sum::<u64>(), 7);
    assert_eq!(wire.counters().dropped.get(&DropCause::BrokenStart), Some(&2));
}

#[test]
fn the_same_broken_request_gets_the_same_answer() {
    let bytes = invite("Content-Length: -1\r\n");
    assert_eq!(read(&bytes), read(&bytes));
    assert!(matches!(read(&bytes), Verdict::Answer(_)));
}

#[test]
fn a_response_goes_back_to_where_the_request_came_from() {
    let mut wire = Wire::new(ALL_METHODS.to_vec());
    let bytes = |sent_by: &str, params: &str| {
        let via =
            format!("OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP {sent_by};branch=z9hG4bK1{params}\r\n");
        format!("{via}From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n")
            .into_bytes()
    };
    let mut answered_to = |sent_by: &str, params: &str, remote: &str| {
        let source = source(remote);
        let Verdict::Request(request) = wire.read(&source, &bytes(sent_by, params)) else {
            panic!("a request")
        };
        let via = request.top_via().unwrap();
        let Destination::Datagram { to, .. } = source.response_to(Some(&via)) else { panic!("a datagram") };
        (
            to.to_string(),
            via.params.get("received").map(str::to_owned),
            via.params.get("rport").map(str::to_owned),
        )
    };
    // Behind a NAT, without and with rport (RFC 3261 18.2.2, RFC 3581 4).
    assert_eq!(
        answered_to("10.0.0.1:5062", "", "203.0.113.9:4444"),
        ("203.0.113.9:5062".into(), Some("203.0.113.9".into()), None)
    );
    assert_eq!(
        answered_to("10.0.0.1:5062", ";rport", "203.0.113.9:4444"),
        ("203.0.113.9:4444".into(), Some("203.0.113.9".into()), Some("4444".into()))
    );
    assert_eq!(answered_to("203.0.113.9", "", "203.0.113.9:4444"), ("203.0.113.9:5060".into(), None, None));
    // Nobody may send our answer elsewhere.
    assert_eq!(
        answered_to("203.0.113.9", ";maddr=198.51.100.1;received=198.51.100.2", "203.0.113.9:5060"),
        ("203.0.113.9:5060".into(), None, None)
    );
    assert_eq!(
        answered_to("[2001:db8::1]:5060", ";rport", "[2001:db8::1]:5060").1.as_deref(),
        Some("2001:db8::1")
    );
}

/// Everything that comes out of a stream cut as `cuts` say.
fn frames(stream: &[u8], cuts: &[usize]) -> Vec<Frame> {
    let mut framer = Framer::new();
    let mut all = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([stream.len()]) {
        framer.push(&stream[from..cut]);
        from = cut;
        while let Some(frame) = framer.poll() {
            all.push(frame);
        }
    }
    all
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => Just(invite("")),
        4 => Just(b"SIP/2.0 180 Ringing\r\nv: x\r\nl: 0\r\n\r\n".to_vec()),
        4 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(|body| {
            let mut bytes = format!("MESSAGE sip:a@b SIP/2.0\r\nContent-Length :\r\n {}\r\n\r\n", body.len()).into_bytes();
            bytes.extend(body);
            bytes
        }),
        2 => Just(b"\r\n\r\n".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        1 => Just(b"OPTIONS sip:a@b SIP/2.0\nl: 2\n\nab".to_vec()),
        1 => Just(invite("Content-Length: x\r\n")),
        1 => Just(b"what is this\r\n".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #[test]
    fn every_cut_of_a_stream_gives_the_same_frames(
        pieces in proptest::collection::vec(piece(), 0..8),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let stream = pieces.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let each_byte: Vec<usize> = (0..stream.len()).collect();
        let whole = frames(&stream, &[]);
        prop_assert_eq!(&whole, &frames(&stream, &cuts));
        prop_assert_eq!(&whole, &frames(&stream, &each_byte));
    }
}

#[test]
fn keep_alives_are_seen_between_messages_only() {
    let response = b"SIP/2.0 180 Ringing\r\nv: x\r\nl: 4\r\n\r\n\r\n\r\n";
    let stream = [b"\r\n\r\n".as_slice(), response, b"\r\n", response, b"\r\n\r\n\r\n"].concat();
    let message = Frame::Message(response.to_vec());
    assert_eq!(frames(&stream, &[]), [Frame::Ping, message.clone(), message, Frame::Ping]);
}

#[test]
fn a_stream_without_bounds_is_closed() {
    let no_end =
        [b"OPTIONS sip:a@b SIP/2.0\r\n".to_vec(), b"X: 1\r\n".repeat(limits::SIP_HEADER_BYTES / 6)].concat();
    assert_eq!(frames(&no_end, &[]), [Frame::Close(CloseCause::HeaderTooLong)]);
    assert_eq!(
        frames(&vec![b'A'; limits::SIP_HEADER_BYTES + 1], &[]),
        [Frame::Close(CloseCause::HeaderTooLong)]
    );
    assert_eq!(frames(b"\x16\x03\x01 hello\n", &[]), [Frame::Close(CloseCause::NotSip)]);
    let large = invite("Content-Length: 300000\r\n");
    let all = frames(&large, &[]);
    let [Frame::Message(head), Frame::Close(CloseCause::BodyTooLong)] = all.as_slice() else {
        panic!("{all:?}")
    };
    assert_eq!(status_of(&read(head)), Some(513));
}

#[test]
fn a_slow_stream_costs_linear_time() {
    // Each byte by itself: were the buffer searched anew each time, this would be 2,000,000,000 steps.
    let long = [b"OPTIONS sip:a@b SIP/2.0\r\nX: ".to_vec(), vec![b'a'; 60_000], b"\r\nl: 0\r\n\r\n".to_vec()]
        .concat();
    let each_byte: Vec<usize> = (0..long.len()).collect();
    assert_eq!(frames(&long, &each_byte), [Frame::Message(long)]);
}

fn seeds() -> Vec<Vec<u8>> {
    let root = format!("{}/tests/data/sip-torture", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = ["rfc4475", "rfc5118"]
        .iter()
        .flat_map(|folder| fs::read_dir(format!("{root}/{folder}")).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Those that are read, without their length: a mutation then changes what it changes and nothing else.
fn without_length(seeds: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let cut = |bytes: Vec<u8>| {
        let from = bytes.windows(16).position(|w| w == b"Content-Length: ").unwrap();
        let to = from + bytes[from..].iter().position(|b| *b == b'\n').unwrap() + 1;
        [&bytes[..from], &bytes[to..]].concat()
    };
    seeds.iter().filter_map(|seed| message(seed)).map(|m| cut(written(&m))).collect()
}

fn mutate(rng: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    const SPICE: [&[u8]; 24] = [
        b"\r\n",
        b"\r",
        b"\n",
        b"\0",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b"=",
        b"\"",
        b"\\",
        b"<",
        b">",
        b"@",
        b"%",
        b"?",
        b"[",
        b"]",
        b"/",
        b"\xe9",
        b"\xf0\x9f",
        b"sip:",
        b"\r\n ",
    ];
    let below = |rng: &mut Rng, n: usize| usize::try_from(rng.below(n as u64)).unwrap();
    let mut bytes = seeds[below(rng, seeds.len())].clone();
    for _ in 0..=below(rng, 4) {
        let at = below(rng, bytes.len() + 1);
        match rng.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, SPICE[below(rng, SPICE.len())].iter().copied())),
            2 if at < bytes.len() => bytes[at] = u8::try_from(rng.below(256)).unwrap(),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 => {
                let to = (at + below(rng, 40)).min(bytes.len());
                let copy = bytes[at..to].to_vec();
                let into = below(rng, bytes.len() + 1);
                bytes.splice(into..into, copy);
            }
            _ => {
                let other = &seeds[below(rng, seeds.len())];
                let from = below(rng, other.len());
                let to = (from + below(rng, 60)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
        }
    }
    bytes
}

#[test]
fn mutated_messages_never_panic_and_what_is_read_is_written_the_same() {
    let mut seeds = seeds();
    assert_eq!(seeds.len(), 61);
    seeds.extend(without_length(&seeds));
    let mut rng = Rng::from_number(4475);
    let mut accepted = 0;
    for round in 0..20_000 {
        let bytes = mutate(&mut rng, &seeds);
        frames(&bytes, &[bytes.len() / 2]);
        let Some(first) = message(&bytes) else { continue };
        accepted += 1;
        let out = written(&first);
        let second = message(&out).unwrap_or_else(|| {
            panic!(
                "round {round}: written, it is refused:\n{}\n{:?}",
                String::from_utf8_lossy(&out),
                read(&out)
            )
        });
        assert_eq!(first, second, "round {round}");
        assert_eq!(out, written(&second), "round {round}");
    }
    assert!(accepted > 2_000, "enough are read to say something: {accepted}");
}

#[test]
fn every_method_is_written_and_read_again() {
    for method in ALL_METHODS {
        let text = String::from_utf8(invite("")).unwrap().replace("INVITE", method_text(method));
        let Some(Message::Request(request)) = message(text.as_bytes()) else { panic!("{text}") };
        assert_eq!(request.method, method);
    }
}

#[test]
fn a_response_is_made_from_its_request() {
    let Some(Message::Request(request)) = message(&invite("Record-Route: <sip:p;lr>\r\nTimestamp: 54\r\n"))
    else {
        panic!("a request")
    };
    let mut response = Response::to_request(&request, Status::BUSY_HERE);
    response.set_to_tag("t1");
    response.set_to_tag("t2");
    let mut out = Vec::new();
    write_response(&response, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1\r\n\
         From: <sip:alice@example.com>;tag=f1\r\nTo: <sip:9000@192.0.2.9>;tag=t1\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\
         Content-Length: 0\r\n\r\n"
    );
    assert!(Response::to_request(&request, Status::TRYING).headers.get(HeaderName::Timestamp).is_some());
}
