//! A name server on loopback for one test: answers from a zone that the test writes, late or not at all if it says so.
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Lines of `name TTL TYPE ...`: `NAPTR order preference flags service replacement`, `SRV priority weight port target`,
/// `A address`.
pub(crate) struct NameServer {
    pub(crate) at: SocketAddr,
    zone: Arc<Mutex<String>>,
    asked: Arc<Mutex<Vec<String>>>,
    silent: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    pub(crate) fn start(zone: &str) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let at = socket.local_addr().unwrap();
        let zone = Arc::new(Mutex::new(zone.to_owned()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (silent, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let served = (Arc::clone(&zone), Arc::clone(&asked), Arc::clone(&silent), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let (zone, asked, silent, over) = served;
            let mut buffer = [0; 2_048];
            while !over.load(Ordering::Relaxed) {
                let Ok((n, from)) = socket.recv_from(&mut buffer) else { continue };
                let (name, kind, question) = question(&buffer[..n]);
                asked.lock().unwrap().push(format!("{name} {kind}"));
                if !silent.load(Ordering::Relaxed) {
                    let reply = reply(&buffer[..2], &question, &zone.lock().unwrap(), (&name, kind));
                    socket.send_to(&reply, from).unwrap();
                }
            }
        });
        Self { at, zone, asked, silent, over, thread: Some(thread) }
    }

    /// From now on it says this.
    pub(crate) fn say(&self, zone: &str) {
        zone.clone_into(&mut self.zone.lock().unwrap());
    }

    /// From now on it is silent, or no longer.
    pub(crate) fn hush(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// What it was asked: `name type`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

const KINDS: [(&str, u16); 5] = [("A", 1), ("SOA", 6), ("AAAA", 28), ("SRV", 33), ("NAPTR", 35)];

/// The name in lower case, the type, and the question as it stands.
fn question(message: &[u8]) -> (String, &'static str, Vec<u8>) {
    let (mut at, mut labels) = (12, Vec::new());
    while message[at] != 0 {
        let n = usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..at + 1 + n]).to_lowercase());
        at += n + 1;
    }
    let kind = u16::from_be_bytes([message[at + 1], message[at + 2]]);
    let kind = KINDS.iter().find(|(_, n)| *n == kind).map_or("?", |(name, _)| name);
    (labels.join("."), kind, message[12..at + 5].to_vec())
}

fn name(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in text.split('.').filter(|l| !l.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend(label.bytes());
    }
    out.push(0);
    out
}

fn record(owner: &str, kind: &str, ttl: u32, data: &[u8]) -> Vec<u8> {
    let number = KINDS.iter().find(|(name, _)| *name == kind).unwrap().1;
    let mut out = name(owner);
    out.extend(number.to_be_bytes());
    out.extend(1_u16.to_be_bytes());
    out.extend(ttl.to_be_bytes());
    out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    out.extend(data);
    out
}

fn data(kind: &str, words: &[&str]) -> Vec<u8> {
    let n = |i: usize| words[i].parse::<u16>().unwrap().to_be_bytes();
    let text = |i: usize| {
        let bytes = words[i].bytes();
        std::iter::once(u8::try_from(bytes.len()).unwrap()).chain(bytes).collect::<Vec<u8>>()
    };
    match kind {
        "A" => words[0].parse::<Ipv4Addr>().unwrap().octets().to_vec(),
        "SRV" => [&n(0)[..], &n(1), &n(2), &name(words[3])].concat(),
        "NAPTR" => [&n(0)[..], &n(1), &text(2), &text(3), &[0], &name(words[4])].concat(),
        other => panic!("{other}"),
    }
}

fn reply(id: &[u8], question: &[u8], zone: &str, (owner, kind): (&str, &str)) -> Vec<u8> {
    let rows: Vec<Vec<&str>> = zone.lines().map(|l| l.split_whitespace().collect()).collect();
    let mine = |row: &&Vec<&str>| row.len() > 3 && row[0] == owner && row[2] == kind;
    let answers: Vec<Vec<u8>> = rows
        .iter()
        .filter(mine)
        .map(|r| record(owner, kind, r[1].parse().unwrap(), &data(kind, &r[3..])))
        .collect();
    let known = rows.iter().any(|r| r.first() == Some(&owner));
    let code: u8 = if known { 0 } else { 3 };
    // What is not there is not there for ten seconds (RFC 2308).
    let soa = [&name("ns.test")[..], &name("ops.test"), &[0; 16], &10_u32.to_be_bytes()].concat();
    let authority = if answers.is_empty() { record("test", "SOA", 10, &soa) } else { Vec::new() };
    let mut out = id.to_vec();
    out.extend([0x85, 0x80 | code]);
    let counts = [1, u16::try_from(answers.len()).unwrap(), u16::from(answers.is_empty()), 0];
    out.extend(counts.iter().flat_map(|n: &u16| n.to_be_bytes()));
    out.extend(question);
    out.extend(answers.concat());
    out.extend(authority);
    out
}
