//! The 61 messages of RFC 4475 and RFC 5118 against a running server, each over UDP and over TCP from an address of its
//! own: what is answered, compared with what the RFCs ask, as a table. After each message the server answers OPTIONS, so
//! nothing is waited for by the clock: answers come in the order of the questions.
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};

use crate::house::{House, SOON};

/// Ports named in the messages' Vias: answers to a message over UDP go there (RFC 3261 18.2.2).
const VIA_PORTS: [u16; 5] = [5_060, 5_050, 5_070, 6_050, 19_823];

/// Promises more than it brings. On a stream the server waits for the rest, which never comes; "wait, then close after a
/// reasonable time", says its section (3.1.2.2): here the stream ends at once.
const SHORT: &str = "clerr";

#[derive(Default)]
struct Case {
    name: String,
    bytes: Vec<u8>,
    tcp: bool,
    expect: Vec<String>,
    also: Vec<String>,
    forbid: Vec<String>,
}

fn cases() -> Vec<Case> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sip-torture");
    let index = std::fs::read(format!("{folder}/index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let list = |v: &serde_json::Value| -> Vec<String> {
        let all = v.as_array().into_iter().flatten();
        all.map(|s| s.as_str().map_or_else(|| s.to_string(), str::to_owned)).collect()
    };
    let case = |m: &serde_json::Value| Case {
        name: m["name"].as_str().unwrap().to_owned(),
        bytes: std::fs::read(format!("{folder}/{}", m["file"].as_str().unwrap())).unwrap(),
        tcp: m["tcp"].as_bool().unwrap(),
        expect: list(&m["expect"]),
        also: list(&m["also"]),
        forbid: list(&m["forbid"]),
    };
    index["messages"].as_array().unwrap().iter().map(case).collect()
}

/// What came back: the final status, else a provisional one; nothing; or the end of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Got {
    Status(u16),
    Nothing,
    Closed,
}

impl Got {
    fn is(self, wanted: &str) -> bool {
        match self {
            Self::Nothing => wanted == "none",
            Self::Closed => wanted == "close",
            Self::Status(code) => match wanted {
                "wellformed" => ![400, 500, 505, 513].contains(&code),
                class if class.ends_with("xx") => class.starts_with(&(code / 100).to_string()),
                exact => exact == code.to_string(),
            },
        }
    }

    fn better(self, code: u16) -> Self {
        match self {
            Self::Status(before) if before >= 200 => self,
            _ => Self::Status(code),
        }
    }
}

impl std::fmt::Display for Got {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(code) => write!(f, "{code}"),
            Self::Nothing => f.write_str("none"),
            Self::Closed => f.write_str("close"),
        }
    }
}

fn verdict(case: &Case, got: Got) -> &'static str {
    let among = |list: &[String]| list.iter().any(|wanted| got.is(wanted));
    if among(&case.forbid) {
        "wrong"
    } else if among(&case.expect) {
        "ok"
    } else if among(&case.also) {
        "ok~"
    } else {
        "wrong"
    }
}

/// The question after each message: its own Call-ID tells its answer from the others.
fn options(transport: &str, at: SocketAddr, n: usize) -> String {
    format!(
        "OPTIONS sip:ping@hotline SIP/2.0\r\nVia: SIP/2.0/{transport} {at};branch=z9hG4bK-ping-{n};rport\r\n\
         Max-Forwards: 70\r\nTo: <sip:ping@hotline>\r\nFrom: <sip:torture@example.com>;tag=t{n}\r\n\
         Call-ID: ping-{n}@torture\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The same message where only the end of the stream is right.
fn closes(case: &Case) -> Case {
    Case { name: case.name.clone(), expect: vec!["close".to_owned()], ..Case::default() }
}

fn code_of(message: &str) -> Option<u16> {
    message.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

fn over_udp(server: SocketAddr, case: &Case, n: usize) -> Got {
    let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 1, u8::try_from(n + 1).unwrap()));
    let sockets = VIA_PORTS.map(|port| UdpSocket::bind((ip, port)).unwrap());
    for socket in &sockets {
        socket.set_read_timeout(Some(SOON)).unwrap();
    }
    sockets[0].send_to(&case.bytes, server).unwrap();
    // One question from each socket: what was answered before it has come before its answer.
    let mut got = Got::Nothing;
    for (k, socket) in sockets.iter().enumerate() {
        let at = socket.local_addr().unwrap();
        socket.send_to(options("UDP", at, n * 10 + k).as_bytes(), server).unwrap();
        let mut buffer = vec![0; 65_535];
        loop {
            let length = socket.recv(&mut buffer).unwrap_or_else(|e| panic!("dead after {}: {e}", case.name));
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let Some(code) = code_of(&text) else { continue };
            if text.contains(&format!("Call-ID: ping-{}@torture", n * 10 + k)) {
                assert_eq!(code, 200, "OPTIONS after {}", case.name);
                break;
            }
            if !text.contains("@torture") {
                got = got.better(code);
            }
        }
    }
    got
}

fn over_tcp(server: SocketAddr, case: &Case, n: usize) -> Got {
    let ping = |stream: &mut TcpStream, n: usize| {
        let at = stream.local_addr().unwrap();
        stream.write_all(options("TCP", at, n).as_bytes())
    };
    let connect = || {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
    };
    let mut stream = connect();
    let whole = stream.write_all(&case.bytes).and_then(|()| {
        if case.name == SHORT { stream.shutdown(Shutdown::Write) } else { ping(&mut stream, 9_000 + n) }
    });
    let (mut got, mut closed) = (Got::Nothing, whole.is_err());
    let (mut text, mut buffer) = (String::new(), vec![0; 65_535]);
    let (mut alive, mut asked_again) = (false, false);
    while !closed && !alive {
        match stream.read(&mut buffer) {
            Ok(0) => closed = true,
            Ok(length) => text.push_str(&String::from_utf8_lossy(&buffer[..length])),
            Err(e) => panic!("neither answered nor closed after {}: {e}", case.name),
        }
        // Answers to one read of the server's may leave it in another order: what was before the second question is here.
        let answered = |k: usize| text.contains(&format!("Call-ID: ping-{}@torture", k + n));
        if answered(9_000) && !asked_again {
            asked_again = true;
            closed = ping(&mut stream, 9_200 + n).is_err();
        }
        alive = answered(9_200);
    }
    for message in text.split("SIP/2.0 ").skip(1).filter(|m| !m.contains("@torture")) {
        if let Some(code) = code_of(&format!("SIP/2.0 {message}")) {
            got = got.better(code);
        }
    }
    if closed && got == Got::Nothing {
        got = Got::Closed;
    }
    if !alive {
        let mut fresh = connect();
        ping(&mut fresh, 9_500 + n).unwrap();
        let length = fresh.read(&mut buffer).unwrap_or_else(|e| panic!("dead after {}: {e}", case.name));
        assert_eq!(code_of(&String::from_utf8_lossy(&buffer[..length])), Some(200), "after {}", case.name);
    }
    got
}

/// Some messages share their Via with an earlier one, and are its retransmissions then: they get a server of their own.
#[derive(Default)]
struct Houses {
    all: Vec<House>,
    seen: BTreeSet<String>,
}

impl Drop for Houses {
    fn drop(&mut self) {
        // Each takes a moment to say goodbye.
        std::thread::scope(|scope| {
            for house in self.all.drain(..) {
                scope.spawn(move || drop(house));
            }
        });
    }
}

impl Houses {
    fn fresh_for(&mut self, case: &Case) -> SocketAddr {
        let text = String::from_utf8_lossy(&case.bytes);
        let via = text.split("\r\nVia:").nth(1).map_or("", |rest| rest.split('\r').next().unwrap());
        if self.all.is_empty() || !self.seen.insert(via.to_owned()) {
            self.seen = BTreeSet::from([via.to_owned()]);
            self.all.push(House::open(""));
        }
        self.all.last().unwrap().sip
    }
}

#[test]
fn all_torture_messages_are_answered_as_the_rfcs_ask_over_udp_and_tcp() {
    let mut houses = [Houses::default(), Houses::default()];
    let mut table = format!("{:<32} {:<18} {:<10} {:<10}\n", "message", "asked", "UDP", "TCP");
    let mut wrong = Vec::new();
    let all = cases();
    for (n, case) in all.iter().enumerate() {
        let udp = over_udp(houses[0].fresh_for(case), case, n);
        let tcp = case.tcp.then(|| over_tcp(houses[1].fresh_for(case), case, n));
        let on_stream = if case.name == SHORT { &closes(case) } else { case };
        let tcp_said = tcp.map_or_else(String::new, |got| format!("{got} {}", verdict(on_stream, got)));
        let line = format!(
            "{:<32} {:<18} {:<10} {tcp_said}",
            case.name,
            case.expect.join(" "),
            format!("{udp} {}", verdict(case, udp))
        );
        if verdict(case, udp) == "wrong" || tcp.is_some_and(|got| verdict(on_stream, got) == "wrong") {
            wrong.push(line.clone());
        }
        table += &line;
        table.push('\n');
    }
    println!("{table}");
    assert_eq!(all.len(), 61);
    assert!(wrong.is_empty(), "wrong:\n{}", wrong.join("\n"));
}
