//! Connections that say nothing, too little, too much or nonsense, and peers that vanish: each costs its own connection
//! and nobody else anything.
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hotline::replay::Voice;
use socket2::{Domain, SockAddr, SockFilter, SockRef, Socket, Type};

use crate::binary::Home;
use crate::cast::{CALLER_HZ, no_wrap_up};
use crate::certificates::Certificates;
use crate::house::{House, PROMPT_HZ, SOON, hears, runtime};
use crate::tls::{scrape, told};

const SLOW: &str = "hotline_user_agent_total{what=\"connections_slow\"}";

/// The `n`th address of this machine that is not the server's.
fn neighbour(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(n).unwrap())
}

/// A connection from an address of our choice.
fn connect(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::from(SocketAddr::new(IpAddr::V4(from), 0))).unwrap();
    socket.connect_timeout(&SockAddr::from(to), SOON).unwrap();
    let stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream
}

fn options(transport: &str, branch: usize) -> String {
    format!(
        "OPTIONS sip:95188@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;rport;branch=z9hG4bK{branch}\r\n\
         From: <sip:a@127.0.0.1>;tag=a\r\nTo: <sip:95188@127.0.0.1>\r\nCall-ID: o{branch}\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// The status of the answer on a connection; `None`: it was closed instead.
fn ask(stream: &mut TcpStream, branch: usize) -> Option<u16> {
    stream.write_all(options("TCP", branch).as_bytes()).ok()?;
    status(stream)
}

fn status(stream: &mut TcpStream) -> Option<u16> {
    let mut bytes = [0; 4_096];
    let n = stream.read(&mut bytes).ok().filter(|n| *n > 0)?;
    let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
    text.split(' ').nth(1).and_then(|code| code.parse().ok())
}

/// Whether the far end closed it, within `SOON`; what it said before does not matter.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut bytes = [0; 4_096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return false,
            Err(_) => return true,
        }
    }
}

/// How long OPTIONS over UDP took, `n` times; each is answered.
fn pulse(at: SocketAddr, n: usize) -> Vec<Duration> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut took: Vec<Duration> = (0..n)
        .map(|i| {
            let began = Instant::now();
            let branch = usize::from(port) * 1_000 + i;
            socket.send_to(options("UDP", branch).as_bytes(), at).unwrap();
            let mut bytes = [0; 4_096];
            let (n, _) = socket.recv_from(&mut bytes).unwrap();
            assert!(bytes[..n].starts_with(b"SIP/2.0 200"));
            began.elapsed()
        })
        .collect();
    took.sort();
    took
}

#[test]
fn a_thousand_idle_and_fifty_slow_connections_disturb_nobody_and_are_closed_in_time() {
    let house = House::open("request_within = \"5s\"\n");
    runtime().block_on(async {
        let caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
        let mut all: Vec<TcpStream> = (0..1_050).map(|n| connect(neighbour(n / 50), house.sip)).collect();
        let opened = Instant::now();
        let mut trickle = options("TCP", 1).into_bytes().into_iter();
        let mut took = Vec::new();
        while opened.elapsed() < Duration::from_secs(3) {
            let byte = [trickle.next().unwrap()];
            for slow in &mut all[..50] {
                slow.write_all(&byte).unwrap();
            }
            took.extend(pulse(house.sip, 20));
            hears("the caller", &caller, &[PROMPT_HZ], &[]).await;
        }
        took.sort();
        let median = took[took.len() / 2];
        assert!(median <= Duration::from_millis(100), "OPTIONS took {median:?} in the middle");
        told(&house, SLOW, |n| n >= 1_050.0).await;
        assert!(all.iter_mut().all(is_closed));
        hears("the caller", &caller, &[PROMPT_HZ], &[]).await;
    });
}

#[test]
fn one_address_and_all_together_have_their_share() {
    let house = House::open("connections = 100\n");
    let mut of_one: Vec<TcpStream> = (0..70).map(|_| connect(neighbour(0), house.sip)).collect();
    let served = |all: &mut Vec<TcpStream>| {
        all.iter_mut().enumerate().filter_map(|(n, s)| ask(s, n)).filter(|s| *s == 200).count()
    };
    assert_eq!(served(&mut of_one), 64, "one address has 64");
    let mut others: Vec<TcpStream> = (0..60).map(|n| connect(neighbour(1 + n / 20), house.sip)).collect();
    assert_eq!(served(&mut others), 100 - 64, "all together have 100");
    // Neither datagrams nor HTTP come through that door.
    pulse(house.sip, 1);
    runtime().block_on(async {
        let refused = scrape(&house, "hotline_sip_total{what=\"connections_of_one_refused\"}").await;
        assert!((refused - 6.0).abs() < 0.5, "{refused}");
        drop(of_one);
        // Places given back are there for others.
        let end = Instant::now() + SOON;
        while ask(&mut connect(neighbour(9), house.sip), 1) != Some(200) {
            assert!(Instant::now() < end, "no place is given back");
        }
    });
}

#[test]
fn too_much_is_refused_before_a_mebibyte_was_taken() {
    let house = House::open("");
    // A header part without end.
    let mut stream = connect(neighbour(0), house.sip);
    SockRef::from(&stream).set_send_buffer_size(16 * 1_024).unwrap();
    stream.write_all(b"OPTIONS sip:a@b SIP/2.0\r\n").unwrap();
    let line = "X: y\r\n".repeat(1_024);
    let mut taken = 0;
    while stream.write_all(line.as_bytes()).is_ok() {
        taken += line.len();
        assert!(taken < 1_024 * 1_024, "{taken} bytes were taken");
    }
    // A start line without end.
    let mut stream = connect(neighbour(0), house.sip);
    SockRef::from(&stream).set_send_buffer_size(16 * 1_024).unwrap();
    let mut taken = 0;
    while stream.write_all(&[b'A'; 4_096]).is_ok() {
        taken += 4_096;
        assert!(taken < 1_024 * 1_024, "{taken} bytes were taken");
    }
    // A body that says beforehand that it is too long: 513, and the end.
    let mut stream = connect(neighbour(0), house.sip);
    let long = options("TCP", 2).replace("Content-Length: 0", "Content-Length: 300000");
    stream.write_all(long.as_bytes()).unwrap();
    assert_eq!(status(&mut stream), Some(513));
    assert!(is_closed(&mut stream));
    // The largest datagram there is.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let head = options("UDP", 3).replace("Content-Length: 0\r\n\r\n", "");
    for (filler, body) in [("", 64_000), ("X: y\r\n", 0)] {
        let head = format!("{head}{}Content-Length: {body}\r\n\r\n", filler.repeat(10_600));
        let datagram = [head.as_bytes(), &vec![b'x'; body]].concat();
        socket.send_to(&datagram, house.sip).unwrap();
        let mut answer = vec![0; 65_536];
        let (n, _) = socket.recv_from(&mut answer).unwrap();
        let said = String::from_utf8_lossy(&answer[..n.min(40)]).into_owned();
        assert!(said.starts_with("SIP/2.0 200") || said.starts_with("SIP/2.0 400"), "{said}");
    }
    pulse(house.sip, 5);
}

#[test]
fn a_length_that_lies_blocks_nobody() {
    let house = House::open("request_within = \"2s\"\n");
    let mut liar = connect(neighbour(0), house.sip);
    liar.write_all(options("TCP", 1).replace("Content-Length: 0", "Content-Length: 200000").as_bytes())
        .unwrap();
    let mut honest = connect(neighbour(0), house.sip);
    for n in 0..20 {
        assert_eq!(ask(&mut honest, 100 + n), Some(200));
    }
    assert!(is_closed(&mut liar));
    assert_eq!(ask(&mut honest, 200), Some(200), "the other stays");
}

#[test]
fn half_handshakes_noise_and_strange_hellos_end_soon_and_end_no_call() {
    let certificates = Certificates::new();
    let more = format!("{}handshake_within = \"1s\"\n", certificates.settings("offer"));
    let house = House::open_with(&more, no_wrap_up);
    let tls = house.server.as_ref().unwrap().addresses.tls[0];
    runtime().block_on(async {
        let caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
        hears("the caller", &caller, &[PROMPT_HZ], &[]).await;
        // The beginning of a ClientHello, nothing at all, SIP in the clear, and noise.
        let beginnings: [&[u8]; 4] = [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"",
            b"OPTIONS sip:a@b SIP/2.0\r\n\r\n",
            &[0xff; 600],
        ];
        let mut half: Vec<TcpStream> = (0..40)
            .map(|n| {
                let mut stream = connect(neighbour(n / 20), tls);
                stream.write_all(beginnings[n % 4]).unwrap();
                stream
            })
            .collect();
        told(&house, "hotline_sip_total{what=\"handshake_failures\"}", |n| n >= 40.0).await;
        assert!(half.iter_mut().all(is_closed));
        // TLS at the plain door.
        let mut hello = connect(neighbour(0), house.sip);
        hello.write_all(beginnings[0]).unwrap();
        assert!(is_closed(&mut hello));
        // DTLS, at the door of SIP and at that of the caller's sound.
        let dtls = b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x36\x01\0\0\x2a\0\0\0\0\0\0\0\x2a\xfe\xfd";
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sound = caller.ear.heard_from().unwrap();
        for to in [house.sip, sound] {
            for _ in 0..100 {
                socket.send_to(dtls, to).unwrap();
            }
        }
        pulse(house.sip, 3);
        hears("the caller", &caller, &[PROMPT_HZ], &[]).await;
    });
}

/// From now on nothing that comes reaches this socket: its kernel answers no question and acknowledges nothing, as
/// behind a cut cable.
fn cut(stream: &TcpStream) {
    const RETURN: u16 = 0x06;
    SockRef::from(stream).attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)]).unwrap();
}

#[test]
fn a_peer_that_vanished_without_a_word_is_noticed() {
    let house = House::open("vanished_after = \"4s\"\n");
    runtime().block_on(async {
        let mut stream = connect(neighbour(0), house.sip);
        assert_eq!(ask(&mut stream, 1), Some(200));
        let mut other = connect(neighbour(1), house.sip);
        assert_eq!(ask(&mut other, 2), Some(200));
        cut(&stream);
        let began = Instant::now();
        told(&house, "hotline_sip_total{what=\"connections_vanished\"}", |n| n >= 1.0).await;
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        assert_eq!(ask(&mut other, 3), Some(200), "who is there stays");
    });
}

#[test]
fn http_closes_what_rests_or_trickles_and_serves_the_others() {
    let house = House::open_set("", |s| s.http.patience = Duration::from_secs(1));
    runtime().block_on(async {
        let mut resting = connect(neighbour(0), house.http);
        let mut slow: Vec<TcpStream> = (0..20).map(|_| connect(neighbour(1), house.http)).collect();
        let host = house.http;
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nX: {}\r\n\r\n", "y".repeat(10_000));
        let began = Instant::now();
        let mut bytes = request.bytes();
        while slow
            .iter_mut()
            .any(|s| s.write_all(b"GET /healthz HTTP/1.1\r\nX: y").is_ok() && bytes.next().is_some())
        {
            assert!(began.elapsed() < SOON, "a question may trickle in for ever");
            assert!(!house.get("/healthz").await.is_empty());
        }
        assert!(is_closed(&mut resting));
    });
}

#[test]
fn connections_leave_files_for_pages_and_calls() {
    let home = Home::new();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 900; exec \"$0\"", env!("CARGO_BIN_EXE_hotline")]);
    command.current_dir(&home.folder).stdin(Stdio::null());
    let running = home.serve_by(command);
    // Each address asks for its share and more; the system's own limit is far behind.
    let all: Vec<TcpStream> = (0..1_000).map(|n| connect(neighbour(n / 50), home.sip)).collect();
    pulse(home.sip, 3);
    runtime().block_on(async {
        let mut settings = hotline::replay::PhoneSettings::new("13800138000", home.sip);
        settings.voice = Voice::Tone(CALLER_HZ);
        let mut phone = hotline::replay::Phone::start(settings).await.unwrap();
        phone.dial("95188").await.unwrap();
        phone.wait("the answer", SOON, |e| *e == hotline::replay::PhoneEvent::Up).await.unwrap();
    });
    let mut page = TcpStream::connect(home.http).unwrap();
    page.write_all(format!("GET /healthz HTTP/1.0\r\nHost: {}\r\n\r\n", home.http).as_bytes()).unwrap();
    let mut text = String::new();
    page.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.0 200"), "{text}");
    // The record is written beside the calls, a moment later.
    let end = Instant::now() + SOON;
    while !home.says(&["calls"]).contains("13800138000") {
        assert!(Instant::now() < end, "{}", home.says(&["calls"]));
    }
    drop((all, running));
}
