//! What a 1 KB INVITE costs. Budgets: the scan to spans under 1 us, without allocation; the whole way to a checked
//! `Request` under 8 us; writing it again under 2 us.
//!
//! That the scan does not allocate is not counted but seen: `Spans::scan` fills an array of fixed size that the caller
//! keeps, and `Scanned` borrows it and the bytes. Neither type owns anything on the heap.
//!
//! Last figures, on a busy 2-core virtual machine: scan 285 ns, read 4.4 us, write 0.4 us.
mod support;

use std::hint::black_box;

use hotline::sip::{ListenerId, Method, Source, Spans, Verdict, Wire, write_request};

const INVITE: &str = "INVITE sip:+88621234567@hotline.example.com;user=phone SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.17:5060;branch=z9hG4bK-524287-1---8f2d1c7a9b3e4d5f;rport\r\n\
Max-Forwards: 70\r\n\
Contact: <sip:alice@192.0.2.17:5060;transport=UDP>\r\n\
To: <sip:+88621234567@hotline.example.com;user=phone>\r\n\
From: \"Alice Example\" <sip:alice@example.com>;tag=5d7b9a31\r\n\
Call-ID: 84271NzE0ZmY4ZDA3MTdjYjI1ZGM4OWVkZjg@192.0.2.17\r\n\
CSeq: 1 INVITE\r\n\
Allow: INVITE, ACK, CANCEL, BYE, REFER, INFO, NOTIFY, OPTIONS, UPDATE\r\n\
Content-Type: application/sdp\r\n\
Supported: replaces, timer, path\r\n\
User-Agent: Softphone 5.6.9 (rv 12345)\r\n\
Allow-Events: presence, kpml, talk\r\n\
Session-Expires: 1800;refresher=uac\r\n\
Min-SE: 90\r\n\
Content-Length: 338\r\n\
\r\n\
v=0\r\n\
o=alice 2890844526 2890844526 IN IP4 192.0.2.17\r\n\
s=-\r\n\
c=IN IP4 192.0.2.17\r\n\
t=0 0\r\n\
m=audio 49170 RTP/AVP 9 0 8 18 101\r\n\
a=rtpmap:9 G722/8000\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:18 G729/8000\r\n\
a=fmtp:18 annexb=no\r\n\
a=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-16\r\n\
a=ptime:20\r\n\
a=maxptime:60\r\n\
a=sendrecv\r\n\
a=rtcp:49171\r\n";

fn main() {
    let bytes = INVITE.as_bytes();
    support::pin();
    println!("an INVITE of {} bytes", bytes.len());

    let mut spans = Spans::new();
    let scan = support::ns_each(20_000, || {
        let scanned = black_box(spans.scan(black_box(bytes)));
        assert!(scanned.fault.is_none());
    });
    support::report("sip_scan_1k_invite", scan, "ns", 1_000.0);

    let address = "192.0.2.17:5060".parse().expect("an address");
    let source = Source { listener: ListenerId(0), remote: address, local: address, conn: None };
    let mut wire = Wire::new(vec![Method::Invite]);
    let read = support::ns_each(5_000, || {
        assert!(matches!(black_box(wire.read(&source, black_box(bytes))), Verdict::Request(_)));
    });
    support::report("sip_read_1k_invite", read, "ns", 8_000.0);

    let Verdict::Request(request) = wire.read(&source, bytes) else { panic!("the INVITE is well-formed") };
    let mut out = Vec::new();
    let write = support::ns_each(5_000, || {
        out.clear();
        write_request(black_box(&request), &mut out);
    });
    support::report("sip_write_1k_invite", write, "ns", 2_000.0);
}
