//! Requests written by hand over one UDP socket, for what sipp hides or will not send: the same datagram twice, the
//! same digest answer again.
use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// A socket, and the texts of requests from it.
pub(crate) struct Hand {
    socket: UdpSocket,
    at: SocketAddr,
    server: SocketAddr,
}

impl Hand {
    /// A socket of its own that speaks to `server`.
    pub(crate) fn open(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.connect(server).unwrap();
        let at = socket.local_addr().unwrap();
        Self { socket, at, server }
    }

    /// A request of `user` to `number`, with more headers; `to_tag` is `;tag=...` or nothing.
    pub(crate) fn request(&self, method: &str, number: &str, cseq: u32, more: &Fields<'_>) -> String {
        let (at, server) = (self.at, self.server);
        let branch = more.branch.map_or_else(|| format!("{method}-{cseq}"), str::to_owned);
        let user = if number.is_empty() { String::new() } else { format!("{number}@") };
        let mut text = format!(
            "{method} sip:{user}{server} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK-{branch}\r\nMax-Forwards: 70\r\n\
             From: <sip:{0}@{at}>;tag=hand\r\nTo: <sip:{1}@{server}>{2}\r\nCall-ID: {0}-{at}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:{0}@{at}>\r\n",
            more.from,
            if number.is_empty() { more.from } else { number },
            more.to_tag
        );
        for line in more.headers {
            write!(text, "{line}\r\n").unwrap();
        }
        let kind = if more.body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        write!(text, "{kind}Content-Length: {}\r\n\r\n{}", more.body.len(), more.body).unwrap();
        text
    }

    /// Our side of a call's sound: a port where nobody listens.
    pub(crate) fn sdp() -> String {
        "v=0\r\no=hand 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n".to_owned()
    }

    /// Sends it as it is.
    pub(crate) fn send(&self, text: &str) {
        // A server that was killed leaves a refusal behind: the next message tries anew.
        if self.socket.send(text.as_bytes()).is_err() {
            self.socket.send(text.as_bytes()).ok();
        }
    }

    /// The next message, whatever it is.
    pub(crate) fn next(&self) -> String {
        let mut buffer = [0; 4_096];
        let n = self.socket.recv(&mut buffer).unwrap_or_else(|e| panic!("no answer: {e}"));
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    }

    /// Waits no longer than this for a message.
    pub(crate) fn patience(&self, time: Duration) {
        self.socket.set_read_timeout(Some(time)).unwrap();
    }

    /// The next final response to that method; `None` when nothing comes in time, or nobody is there.
    pub(crate) fn answer_if_any(&self, method: &str) -> Option<String> {
        let mut buffer = [0; 4_096];
        loop {
            let n = self.socket.recv(&mut buffer).ok()?;
            let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
            let is_final = text.starts_with("SIP/2.0 ") && !text.starts_with("SIP/2.0 1");
            if is_final && header(&text, "CSeq").ends_with(method) {
                return Some(text);
            }
        }
    }

    /// The next final response to that method.
    pub(crate) fn answer(&self, method: &str) -> String {
        loop {
            let text = self.next();
            if text.starts_with("SIP/2.0 ")
                && !text.starts_with("SIP/2.0 1")
                && header(&text, "CSeq").ends_with(method)
            {
                return text;
            }
        }
    }
}

/// What a request has beside the usual.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    pub(crate) from: &'a str,
    pub(crate) to_tag: &'a str,
    pub(crate) branch: Option<&'a str>,
    pub(crate) headers: &'a [String],
    pub(crate) body: &'a str,
}

/// The first header of that name.
pub(crate) fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)));
    found.map_or("", |(_, value)| value)
}

/// The number of a response.
pub(crate) fn status(text: &str) -> u16 {
    text.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("no response: {text}"))
}

/// `;tag=...` of a To header.
pub(crate) fn to_tag(text: &str) -> String {
    let to = header(text, "To");
    to.split_once(";tag=").map_or_else(String::new, |(_, tag)| format!(";tag={tag}"))
}
