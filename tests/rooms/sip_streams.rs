//! Streams, plain and TLS, as a user agent sees them: `sips` (RFC 3261 26.2), and peers that keep us waiting.
use std::net::SocketAddr;
use std::time::Duration;

use hotline::base::{Instant, Rng};
use hotline::sip::{
    ConnId, Destination, Identity, Listener, ListenerId, ListenerTransport, OutgoingInvite, Registration,
    SipEvent, Transmit, UserAgent, UserAgentSettings,
};

const UDP: ListenerId = ListenerId(0);
const TCP: ListenerId = ListenerId(1);
const TLS: ListenerId = ListenerId(2);
const LIMIT: Duration = Duration::from_secs(30);

struct Server {
    ua: UserAgent,
    now: Instant,
    last: u64,
}

fn peer() -> SocketAddr {
    "198.51.100.7:40000".parse().unwrap()
}

impl Server {
    fn new() -> Self {
        let listener = |id, transport, port| {
            let at = SocketAddr::from(([192, 0, 2, 1], port));
            Listener { id, transport, local: at, advertised: at }
        };
        let listeners = vec![
            listener(UDP, ListenerTransport::Udp, 5060),
            listener(TCP, ListenerTransport::Tcp, 5060),
            listener(TLS, ListenerTransport::Tls, 5061),
        ];
        let ua = UserAgent::new(UserAgentSettings::new(listeners, "hotline"), &Rng::from_number(1));
        Self { ua, now: Instant::from_secs(1), last: 0 }
    }

    fn open(&mut self, listener: ListenerId) -> ConnId {
        self.last += 1;
        let conn = ConnId::of(listener, self.last);
        self.ua.stream_opened(self.now, conn, listener, peer());
        conn
    }

    fn says(&mut self, conn: ConnId, bytes: &[u8]) -> Vec<Transmit> {
        self.ua.handle_stream(self.now, conn, bytes);
        self.sent()
    }

    fn sent(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.ua.poll_transmit()).collect()
    }

    fn closed(&mut self) -> Vec<ConnId> {
        std::iter::from_fn(|| self.ua.poll_close()).collect()
    }

    /// Time goes on, with every deadline served at its moment.
    fn wait(&mut self, d: Duration) {
        let end = self.now + d;
        while let Some(due) = self.ua.next_deadline().filter(|due| due.at <= end) {
            self.now = self.now.max(due.at);
            self.ua.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn incoming(&mut self) -> hotline::sip::InviteId {
        loop {
            if let SipEvent::Incoming(incoming) = self.ua.poll_event().expect("an incoming call") {
                return incoming.invite;
            }
        }
    }
}

fn request(method: &str, uri: &str, transport: &str, more: &str) -> Vec<u8> {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} 198.51.100.7:40000;rport;branch=z9hG4bK{method}1\r\n\
         From: <sip:a@198.51.100.7>;tag=a\r\nTo: <{uri}>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n{more}\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

fn text(sent: &Transmit) -> String {
    String::from_utf8_lossy(&sent.bytes).into_owned()
}

fn field(sent: &Transmit, name: &str) -> String {
    let text = text(sent);
    let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

fn last(sent: &[Transmit]) -> &Transmit {
    sent.last().expect("a message")
}

#[test]
fn sips_is_served_over_tls_and_nowhere_else() {
    let mut s = Server::new();
    for (listener, transport, status) in [(TLS, "TLS", "200"), (TCP, "TCP", "416")] {
        let conn = s.open(listener);
        let answer = s.says(conn, &request("OPTIONS", "sips:95188@192.0.2.1", transport, ""));
        assert!(text(last(&answer)).starts_with(&format!("SIP/2.0 {status}")), "{}", text(last(&answer)));
    }
    s.ua.handle_datagram(s.now, UDP, peer(), &request("OPTIONS", "sips:x@192.0.2.1", "UDP", ""));
    assert!(text(last(&s.sent())).starts_with("SIP/2.0 416"));
}

#[test]
fn a_secured_dialog_gets_a_secured_contact_and_a_plain_one_over_tls_says_its_transport() {
    for (uri, contact) in [
        ("sips:95188@192.0.2.1", "<sips:95188@192.0.2.1:5061>"),
        ("sip:95188@192.0.2.1", "<sip:95188@192.0.2.1:5061;transport=tls>"),
    ] {
        let mut s = Server::new();
        let conn = s.open(TLS);
        let scheme = uri.split(':').next().unwrap();
        let more = format!("Contact: <{scheme}:a@198.51.100.7:40000>\r\n");
        s.says(conn, &request("INVITE", uri, "TLS", &more));
        let invite = s.incoming();
        s.ua.answer(s.now, invite, b"v=0".to_vec());
        let answer = s.sent();
        assert_eq!(field(last(&answer), "Contact"), contact);
        assert_eq!(last(&answer).to, Destination::Stream { conn });
        // Ours within it.
        s.says(conn, &ack(&answer, uri));
        s.ua.end(s.now, invite);
        let bye = s.sent();
        assert!(field(last(&bye), "Via").starts_with("SIP/2.0/TLS 192.0.2.1:5061"));
        assert!(text(last(&bye)).starts_with(&format!("BYE {scheme}:a@198.51.100.7:40000 ")));
    }
}

fn ack(answer: &[Transmit], uri: &str) -> Vec<u8> {
    let to = field(last(answer), "To");
    format!(
        "ACK {uri} SIP/2.0\r\nVia: SIP/2.0/TLS 198.51.100.7:40000;branch=z9hG4bKack\r\nFrom: <sip:a@198.51.100.7>;tag=a\r\n\
         To: {to}\r\nCall-ID: c\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

#[test]
fn what_went_by_tls_never_goes_on_in_the_clear() {
    let mut s = Server::new();
    let conn = s.open(TLS);
    let uri = "sips:95188@192.0.2.1";
    s.says(conn, &request("INVITE", uri, "TLS", "Contact: <sips:a@198.51.100.7>\r\n"));
    let invite = s.incoming();
    s.ua.answer(s.now, invite, b"v=0".to_vec());
    let answer = s.sent();
    s.says(conn, &ack(&answer, uri));
    s.ua.stream_closed(s.now, conn);
    s.sent();
    s.ua.end(s.now, invite);
    let bye = s.sent();
    let to = "198.51.100.7:5061".parse().unwrap();
    assert_eq!(last(&bye).to, Destination::Connect { listener: TLS, to });
}

#[test]
fn requests_of_ours_to_sips_name_a_secured_contact() {
    let mut s = Server::new();
    let to = Destination::Connect { listener: TLS, to: peer() };
    let from = || Identity { user: "95188".into(), host: String::new(), display: String::new() };
    s.ua.invite(
        s.now,
        OutgoingInvite {
            request_uri: "sips:b@198.51.100.7:40000".into(),
            to,
            route: Vec::new(),
            from: from(),
            extra_headers: Vec::new(),
            offer: Some(b"v=0".to_vec()),
            credentials: None,
        },
    );
    let sent = s.sent();
    assert_eq!(field(last(&sent), "Contact"), "<sips:95188@192.0.2.1:5061>");
    assert!(field(last(&sent), "Via").starts_with("SIP/2.0/TLS 192.0.2.1:5061;"));
    s.ua.register(
        s.now,
        Registration {
            registrar_uri: "sips:198.51.100.7".into(),
            to,
            identity: from(),
            contact_user: None,
            credentials: None,
            expires: Duration::from_mins(5),
        },
    );
    assert_eq!(field(last(&s.sent()), "Contact"), "<sips:95188@192.0.2.1:5061>");
}

#[test]
fn a_connection_without_a_whole_request_is_closed_in_time_whatever_trickles_in() {
    let mut s = Server::new();
    let (idle, slow, pinging, good) = (s.open(TCP), s.open(TCP), s.open(TLS), s.open(TCP));
    let long = request("OPTIONS", "sip:x@192.0.2.1", "TCP", "");
    let answer = s.says(good, &long);
    assert!(text(last(&answer)).starts_with("SIP/2.0 200"));
    for byte in long.iter().take(29) {
        s.wait(Duration::from_secs(1));
        s.says(slow, &[*byte]);
        s.says(pinging, b"\r\n\r\n");
    }
    assert!(s.closed().is_empty());
    s.wait(Duration::from_secs(1));
    assert_eq!(s.closed(), [idle, slow, pinging]);
    assert_eq!(s.ua.counts().connections_slow, 3);
    s.wait(Duration::from_hours(1));
    assert!(s.closed().is_empty(), "one that said something whole may rest");
}

#[test]
fn a_length_that_lies_ends_its_own_connection_alone_and_in_time() {
    let mut s = Server::new();
    let (liar, other) = (s.open(TCP), s.open(TCP));
    let honest = request("OPTIONS", "sip:x@192.0.2.1", "TCP", "");
    assert_eq!(s.says(liar, &honest).len(), 1);
    let lie =
        String::from_utf8(honest.clone()).unwrap().replace("Content-Length: 0", "Content-Length: 200000");
    s.says(liar, lie.as_bytes());
    s.wait(LIMIT.checked_sub(Duration::from_secs(1)).unwrap());
    assert_eq!(s.says(other, &honest.clone()).len(), 1);
    // More of the promised body does not win time.
    s.says(liar, &[b'x'; 1_000]);
    s.wait(Duration::from_secs(1));
    assert_eq!(s.closed(), [liar]);
}

#[test]
fn tls_and_noise_on_a_plain_port_are_closed_at_once() {
    let mut s = Server::new();
    let hello: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for noise in [hello, b"\0\0\0\0", b"\x16\xfe\xff\0\0", b"\xff\xfe"] {
        let conn = s.open(TCP);
        assert!(s.says(conn, noise).is_empty());
        assert_eq!(s.closed(), [conn], "{noise:?}");
    }
    // A datagram of DTLS disturbs nobody either.
    s.ua.handle_datagram(s.now, UDP, peer(), b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x2a");
    assert!(s.sent().is_empty());
    // Half a keep-alive is no noise.
    let conn = s.open(TCP);
    s.says(conn, b"\r");
    let more = [b"\n".as_slice(), &request("OPTIONS", "sip:x@192.0.2.1", "TCP", "")].concat();
    assert_eq!(s.says(conn, &more).len(), 1);
    assert!(s.closed().is_empty());
    assert_eq!(s.ua.counts().connections_garbled, 4);
}

#[test]
fn header_bombs_are_refused_and_cost_in_proportion_to_their_size() {
    let bomb = |kind: &str, bytes: usize| -> Vec<u8> {
        let one = match kind {
            "fields" => "Via: SIP/2.0/UDP a;branch=z9hG4bKx\r\n",
            "list" => "SIP/2.0/UDP a;branch=z9hG4bKx, ",
            "folds" => "\r\n ,SIP/2.0/UDP a",
            "unknown" => "X: y\r\n",
            _ => "Contact: <sip:a@b>,<sip:c@d>\r\n",
        };
        let many = one.repeat(bytes / one.len());
        let via = "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKtop";
        let head = match kind {
            "list" => format!("{via}, {many}SIP/2.0/UDP z\r\n"),
            "folds" => format!("{via}{many}\r\n"),
            _ => format!("{via}\r\n{many}"),
        };
        format!(
            "OPTIONS sip:a@192.0.2.1 SIP/2.0\r\n{head}From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\n\
             CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes()
    };
    for kind in ["fields", "list", "folds", "unknown", "contacts"] {
        let mut work = [0, 0];
        for (bytes, work) in [10 * 1_024, 100 * 1_024].into_iter().zip(&mut work) {
            let mut s = Server::new();
            s.ua.handle_datagram(s.now, UDP, peer(), &bomb(kind, bytes));
            let answer = s.sent();
            assert!(
                answer
                    .iter()
                    .all(|a| text(a).starts_with("SIP/2.0 400") || text(a).starts_with("SIP/2.0 513")),
                "{kind}: {}",
                text(last(&answer)).lines().next().unwrap()
            );
            assert_eq!(answer.len(), 1, "{kind}");
            let counts = s.ua.wire_counts();
            *work = counts.lines + counts.members;
        }
        assert!(work[0] > 0 && work[1] <= 12 * work[0], "{kind}: {work:?}");
    }
    // What is real still passes.
    let mut s = Server::new();
    let vias = "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\r\n".repeat(60);
    let request = format!(
        "OPTIONS sip:a@192.0.2.1 SIP/2.0\r\n{vias}From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
    );
    s.ua.handle_datagram(s.now, UDP, peer(), request.as_bytes());
    assert!(text(last(&s.sent())).starts_with("SIP/2.0 200"));
}
