//! What an answered call costs the SIP core: INVITE in, 100 and 200 out, ACK in, BYE in, 200 out, and all that is left
//! behind expired. Budget: 30 us of CPU a call; a few more with
//! 10,000 other calls standing, since one input must not touch them.
//!
//! The caller is bytes made beforehand: only its `ACK` and `BYE` get our tag put in while the clock runs.
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use hotline::base::{Instant, Rng};
use hotline::sip::{Listener, ListenerId, ListenerTransport, SipEvent, UserAgent, UserAgentSettings};

const UDP: ListenerId = ListenerId(0);
/// Calls of a batch; their leftovers expire within it.
const CALLS: u64 = 1_000;

fn message(start: &str, (call, branch): (u64, &str), (to_tag, cseq): (&str, &str), body: &str) -> String {
    format!(
        "{start} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.17:5060;branch=z9hG4bK-524287-{call}-{branch};rport\r\n\
         Max-Forwards: 70\r\nContact: <sip:alice@192.0.2.17:5060;transport=UDP>\r\n\
         To: <sip:+88621234567@hotline.example.com;user=phone>{to_tag}\r\n\
         From: \"Alice Example\" <sip:alice@example.com>;tag=5d7b9a31\r\n\
         Call-ID: 84271NzE0ZmY4ZDA3MTdjYjI1ZGM4OWVkZjg{call}@192.0.2.17\r\nCSeq: {cseq}\r\n\
         Allow: INVITE, ACK, CANCEL, BYE, REFER, INFO, NOTIFY, OPTIONS, UPDATE\r\n\
         Supported: replaces, timer, path\r\nUser-Agent: Softphone 5.6.9 (rv 12345)\r\n{body}"
    )
}

/// SDP as a softphone sends it.
fn sdp() -> String {
    "v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.17\r\ns=-\r\nc=IN IP4 192.0.2.17\r\nt=0 0\r\n\
     m=audio 49170 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
     a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
        .to_owned()
}

struct Bench {
    ua: UserAgent,
    now: Instant,
    from: SocketAddr,
    next: u64,
    answer: Vec<u8>,
    body: String,
}

impl Bench {
    fn new() -> Self {
        let at: SocketAddr = "192.0.2.1:5060".parse().expect("an address");
        let listener = Listener { id: UDP, transport: ListenerTransport::Udp, local: at, advertised: at };
        let mut settings = UserAgentSettings::new(vec![listener], "hotline");
        // The clock of this bench runs far ahead of the calls that stand: none is to be refreshed.
        settings.session.interval = Duration::from_hours(24);
        let sdp = sdp();
        let body = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
        Self {
            ua: UserAgent::new(settings, &Rng::from_number(1)),
            now: Instant::from_secs(1),
            from: "192.0.2.17:5060".parse().expect("an address"),
            next: 0,
            answer: sdp.into_bytes(),
            body,
        }
    }

    fn receive(&mut self, text: &str) -> Vec<Vec<u8>> {
        self.ua.handle_datagram(self.now, UDP, self.from, text.as_bytes());
        self.sent()
    }
    fn sent(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.ua.poll_transmit()).map(|t| t.bytes).collect()
    }

    /// INVITE, 200, ACK: the dialog's tag as it goes into To.
    fn open(&mut self, call: u64) -> String {
        let uri = "sip:+88621234567@hotline.example.com;user=phone";
        let body = self.body.clone();
        self.receive(&message(&format!("INVITE {uri}"), (call, "a"), ("", "1 INVITE"), &body));
        let Some(SipEvent::Incoming(incoming)) = self.ua.poll_event() else { panic!("no call") };
        self.ua.answer(self.now, incoming.invite, self.answer.clone());
        let ok = self.sent().pop().expect("a 200");
        let text = std::str::from_utf8(&ok).expect("text");
        let to = text.split("\r\nTo: ").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("a To");
        let tag = to.rsplit_once(";tag=").expect("a tag").1;
        let to_tag = format!(";tag={tag}");
        let end = "Content-Length: 0\r\n\r\n";
        self.receive(&message("ACK sip:hotline@192.0.2.1", (call, "b"), (&to_tag, "1 ACK"), end));
        assert!(matches!(self.ua.poll_event(), Some(SipEvent::Acknowledged { .. })));
        to_tag
    }

    fn close(&mut self, call: u64, to_tag: &str) {
        let end = "Content-Length: 0\r\n\r\n";
        let sent = self.receive(&message("BYE sip:hotline@192.0.2.1", (call, "c"), (to_tag, "2 BYE"), end));
        assert!(sent.first().is_some_and(|bytes| bytes.starts_with(b"SIP/2.0 200")));
        assert!(matches!(self.ua.poll_event(), Some(SipEvent::Ended { .. })));
    }

    /// A batch: calls, and the time in which all that they leave behind expires.
    fn batch(&mut self) {
        for _ in 0..CALLS {
            self.next += 1;
            let call = self.next;
            let tag = self.open(call);
            self.close(call, &tag);
            self.now += Duration::from_micros(100);
        }
        self.now += Duration::from_secs(40);
        self.ua.handle_timeout(self.now);
    }
}

fn main() {
    support::pin();
    let mut bench = Bench::new();
    let each = |bench: &mut Bench| support::ns_each(1, || bench.batch()) / 1e6;
    let alone = each(&mut bench);
    println!("{:.0} answered calls/s on one core", 1e6 / alone);
    support::report("sip_answered_call", alone, "us", 30.0);

    for n in 0..10_000 {
        bench.open(1_000_000_000 + n);
    }
    let among = each(&mut bench);
    support::report("sip_answered_call_among_10000", among, "us", 60.0);
    assert_eq!(bench.ua.held().live, 10_000);
}
