//! A caller made of two bare sockets: it says what its test wants, true or not, and does nothing by itself.
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hotline::media::{Codec, Tone, amplitude};

use crate::house::{House, SOON};

/// A call that was answered.
pub(crate) struct BareCall {
    sip: UdpSocket,
    server: SocketAddr,
    id: String,
    to: String,
    /// Where the server takes sound.
    pub(crate) sound: SocketAddr,
}

/// A socket at a host of its own.
pub(crate) fn socket_at(host: &str) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::new(host.parse().unwrap(), 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    socket
}

/// Packets that came within this time.
pub(crate) fn came_within(socket: &UdpSocket, time: Duration) -> Vec<Vec<u8>> {
    let (end, mut all) = (Instant::now() + time, Vec::new());
    while Instant::now() < end {
        let mut bytes = [0; 2_048];
        if let Ok((n, _)) = socket.recv_from(&mut bytes) {
            all.push(bytes[..n].to_vec());
        }
    }
    all
}

/// Whether PCMA packets hold a tone.
pub(crate) fn is_heard(packets: &[Vec<u8>], hz: f64) -> bool {
    let sound: Vec<i16> = packets
        .iter()
        .filter(|p| p.len() > 100)
        .flat_map(|p| {
            let mut samples = vec![0; p.len() - 12];
            Codec::Pcma.decode(&p[12..], &mut samples);
            samples
        })
        .collect();
    sound.len() > 800 && sound.chunks(800).any(|part| amplitude(part, hz) > 2_000.0)
}

/// One party's packets of sound: 20 ms of PCMA each, with a tone.
pub(crate) struct Stream {
    socket: UdpSocket,
    ssrc: u32,
    sequence: u16,
    tone: Tone,
}

impl Stream {
    pub(crate) fn new(socket: UdpSocket, ssrc: u32, hz: f64) -> Self {
        Self { socket, ssrc, sequence: 1, tone: Tone::new(hz, 8_000.0) }
    }
    /// The same stream through another socket: what a NAT does when it binds anew.
    pub(crate) fn through(self, socket: UdpSocket) -> (UdpSocket, Self) {
        (self.socket, Self { socket, ..self })
    }
    /// Speaks to a port for a while, every `every` a packet; hands back what came meanwhile.
    pub(crate) fn speaks(&mut self, to: SocketAddr, time: Duration, every: Duration) -> Vec<Vec<u8>> {
        let (end, mut came) = (Instant::now() + time, Vec::new());
        while Instant::now() < end {
            let mut samples = [0; 160];
            self.tone.fill(&mut samples);
            let mut packet = vec![0x80, 8];
            packet.extend(self.sequence.to_be_bytes());
            packet.extend((u32::from(self.sequence) * 160).to_be_bytes());
            packet.extend(self.ssrc.to_be_bytes());
            let mut payload = [0; 160];
            Codec::Pcma.encode(&samples, &mut payload);
            packet.extend(payload);
            self.socket.send_to(&packet, to).unwrap();
            self.sequence = self.sequence.wrapping_add(1);
            came.extend(came_within(&self.socket, every));
        }
        came
    }
}

impl BareCall {
    /// Calls 95188 from `127.0.0.1` or `::1` with this place in its SDP; the answer is not acknowledged. An error is
    /// the status of the refusal.
    #[expect(clippy::unwrap_in_result, reason = "a broken socket is no refusal")]
    pub(crate) fn place(house: &House, sound_at: SocketAddr) -> Result<Self, u16> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let id = format!("bare-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let here: IpAddr = if house.sip.is_ipv4() { [127, 0, 0, 1].into() } else { "::1".parse().unwrap() };
        let sip = UdpSocket::bind(SocketAddr::new(here, 0)).unwrap();
        sip.set_read_timeout(Some(SOON)).unwrap();
        let family = if sound_at.is_ipv4() { "IP4" } else { "IP6" };
        let ip = sound_at.ip();
        let sdp = format!(
            "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
             m=audio {} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n",
            sound_at.port()
        );
        let mut call = Self { sip, server: house.sip, id, to: String::new(), sound: house.sip };
        call.send("INVITE", "z9hG4bK-invite", &sdp);
        loop {
            let mut bytes = [0; 4_096];
            let (n, _) = call.sip.recv_from(&mut bytes).expect("an answer to the INVITE");
            let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
            let status: u16 = text.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
            if status >= 300 {
                return Err(status);
            }
            if status >= 200 {
                call.learn(&text);
                return Ok(call);
            }
        }
    }

    /// Sends the ACK.
    pub(crate) fn acknowledge(&self) {
        self.send("ACK", "z9hG4bK-ack", "");
    }

    fn learn(&mut self, answer: &str) {
        let line =
            |start: &str| answer.lines().find_map(|l| l.strip_prefix(start)).unwrap().trim().to_owned();
        self.to = line("To:");
        let port = line("m=audio ").split(' ').next().unwrap().parse().unwrap();
        self.sound = SocketAddr::new(self.server.ip(), port);
    }

    fn send(&self, method: &str, branch: &str, body: &str) {
        let (server, here) = (self.server, self.sip.local_addr().unwrap());
        let to = if self.to.is_empty() { format!("<sip:95188@{server}>") } else { self.to.clone() };
        let text = format!(
            "{method} sip:95188@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch={branch}-{id}\r\nMax-Forwards: 70\r\n\
             From: <sip:13800138000@{here}>;tag=bare\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:13800138000@{here}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len(),
            id = self.id
        );
        self.sip.send_to(text.as_bytes(), server).unwrap();
    }
}
