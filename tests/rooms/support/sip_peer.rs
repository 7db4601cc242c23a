//! One user agent and a peer who writes messages by hand.
use std::net::SocketAddr;
use std::time::Duration;

use hotline::base::{Instant, Rng};
use hotline::sip::{Destination, InviteId, SipEvent, UserAgent, UserAgentSettings};

use super::sip_world::{UDP, settings};

pub(crate) struct Peer {
    pub(crate) ua: UserAgent,
    pub(crate) now: Instant,
    /// Where the peer's datagrams come from.
    pub(crate) at: SocketAddr,
    branch: u32,
}

/// A message that the user agent sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) to: Destination,
    pub(crate) text: String,
}

impl Sent {
    pub(crate) fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or("")
    }
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields(name).into_iter().next().unwrap_or_else(|| panic!("no {name} in {}", self.text))
    }
    pub(crate) fn fields(&self, name: &str) -> Vec<&str> {
        let mut found = Vec::new();
        for line in self.text.lines() {
            if let Some((n, value)) = line.split_once(": ").or_else(|| line.split_once(':'))
                && n == name
            {
                found.push(value.trim());
            }
        }
        found
    }
    pub(crate) fn status(&self) -> &str {
        self.first_line().strip_prefix("SIP/2.0 ").and_then(|l| l.get(..3)).unwrap_or("")
    }
    pub(crate) fn tag_of(&self, name: &str) -> String {
        self.field(name).split_once(";tag=").unwrap().1.to_owned()
    }
}

impl Peer {
    pub(crate) fn new(set: impl FnOnce(&mut UserAgentSettings)) -> Self {
        let mut settings = settings("192.0.2.1:5060".parse().unwrap());
        set(&mut settings);
        Self {
            ua: UserAgent::new(settings, &Rng::from_number(1)),
            now: Instant::from_secs(1),
            at: "192.0.2.9:5060".parse().unwrap(),
            branch: 0,
        }
    }

    /// What the user agent wants sent.
    pub(crate) fn sent(&mut self) -> Vec<Sent> {
        std::iter::from_fn(|| self.ua.poll_transmit())
            .map(|t| Sent { to: t.to, text: String::from_utf8(t.bytes).unwrap() })
            .collect()
    }
    pub(crate) fn events(&mut self) -> Vec<SipEvent> {
        std::iter::from_fn(|| self.ua.poll_event()).collect()
    }

    /// Sends a message as written; line ends become CRLF.
    pub(crate) fn raw(&mut self, text: &str) -> Vec<Sent> {
        let bytes = text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes();
        self.ua.handle_datagram(self.now, UDP, self.at, &bytes);
        self.sent()
    }

    /// Sends a request with a fresh branch. `head` is the rest of the header, a field a line; `body` follows it.
    pub(crate) fn request(&mut self, method: &str, uri: &str, head: &str, body: &str) -> Vec<Sent> {
        self.branch += 1;
        let branch = self.branch;
        let head = head.trim();
        self.raw(&format!(
            "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKp{branch};rport\nMax-Forwards: 70\n\
             {head}\nContent-Length: {}\n\n{body}",
            body.replace('\n', "\r\n").len()
        ))
    }

    /// A request from outside in a dialog: its tags and number.
    pub(crate) fn within(
        &mut self,
        method: &str,
        (to_tag, from_tag, cseq): (&str, &str, u32),
        more: &str,
        body: &str,
    ) -> Vec<Sent> {
        let to_tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        let head = format!(
            "From: <sip:peer@192.0.2.9>;tag={from_tag}\nTo: <sip:1000@192.0.2.1>{to_tag}\nCall-ID: c1\nCSeq: {cseq} \
             {method}\nContact: <sip:peer@192.0.2.9:5060>\n{more}"
        );
        self.request(method, "sip:1000@192.0.2.1", &head, body)
    }

    /// An INVITE that arrived: its number.
    pub(crate) fn invited(&mut self, more: &str) -> InviteId {
        self.within("INVITE", ("", "pt", 1), &format!("Content-Type: application/sdp\n{more}"), "v=0\n");
        match self.events().as_slice() {
            [SipEvent::Incoming(incoming)] => incoming.invite,
            other => panic!("{other:?}"),
        }
    }

    /// A call that stands: its number, our tag and the 200.
    pub(crate) fn talking(&mut self, more: &str) -> (InviteId, String, Sent) {
        let id = self.invited(more);
        self.ua.answer(self.now, id, b"v=0\r\n".to_vec());
        let ok = self.sent().pop().unwrap();
        let tag = ok.tag_of("To");
        self.within("ACK", (&tag, "pt", 1), "", "");
        assert!(matches!(self.events().as_slice(), [SipEvent::Acknowledged { .. }]));
        (id, tag, ok)
    }

    /// A response of the peer to a request of ours.
    pub(crate) fn respond(&mut self, request: &Sent, status: &str, to_tag: &str, more: &str) -> Vec<Sent> {
        let body = if more.contains("application/sdp") { "v=0\n" } else { "" };
        let more = if more.is_empty() { String::new() } else { format!("{}\n", more.trim()) };
        self.raw(&format!(
            "SIP/2.0 {status}\nVia: {}\nFrom: {}\nTo: {};tag={to_tag}\nCall-ID: {}\nCSeq: {}\n{more}Content-Length: \
             {}\n\n{body}",
            request.field("Via"),
            request.field("From"),
            request.field("To").split(";tag").next().unwrap(),
            request.field("Call-ID"),
            request.field("CSeq"),
            body.replace('\n', "\r\n").len(),
        ))
    }

    /// Lets time pass, timer by timer.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<Sent> {
        let end = self.now + time;
        let mut sent = Vec::new();
        while let Some(deadline) = self.ua.next_deadline().filter(|d| d.at <= end) {
            self.now = self.now.max(deadline.at);
            self.ua.handle_timeout(self.now);
            sent.extend(self.sent());
        }
        self.now = end;
        sent
    }
}

/// The Authorization value that answers a challenge (RFC 7616, MD5), by hand. `uri` has one colon.
pub(crate) fn proof(user: &str, password: &str, challenge: &str, method: &str, uri: &str) -> String {
    let text = |name: &str| {
        let rest = challenge.split(&format!("{name}=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let (realm, nonce) = (text("realm"), text("nonce"));
    // H(a:b:c) is what an account stores, so it hashes for us.
    let hash3 = |a: &str, b: &str, c: &str| {
        let account = hotline::sip::Account::from_password(a, b, c);
        account.ha1(hotline::sip::DigestAlgorithm::Md5).unwrap().to_owned()
    };
    let (scheme, rest) = uri.split_once(':').unwrap();
    let ha2 = hash3(method, scheme, rest);
    let response = hash3(&hash3(user, &realm, password), &nonce, &format!("00000001:cn:auth:{ha2}"));
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
         algorithm=MD5, cnonce=\"cn\", qop=auth, nc=00000001"
    )
}
