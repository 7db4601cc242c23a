//! Transactions in simulated time (RFC 3261 17, RFC 6026): every timer, lost and repeated messages, CANCEL, merged
//! requests, peers of RFC 2543, over datagrams and streams.
use std::net::SocketAddr;
use std::time::Duration;

use hotline::base::{Instant, Rng};
use hotline::sip::{
    AddrSpec, ConnId, Destination, HeaderName, ListenerId, Message, Method, Request, Response, Source,
    Status, TransactionEvent as Event, TransactionId, TransactionSettings, Transactions, Verdict, Via, Wire,
};

const LISTENER: ListenerId = ListenerId(0);
const ALL: [Method; 7] = [
    Method::Invite,
    Method::Ack,
    Method::Bye,
    Method::Cancel,
    Method::Register,
    Method::Options,
    Method::Info,
];

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
fn peer() -> SocketAddr {
    address("192.0.2.1:5060")
}
fn datagram() -> Source {
    Source { listener: LISTENER, remote: peer(), local: address("192.0.2.9:5060"), conn: None }
}
fn stream() -> Source {
    Source { remote: address("192.0.2.1:40000"), conn: Some(ConnId(7)), ..datagram() }
}
fn over_udp() -> Destination {
    Destination::Datagram { listener: LISTENER, to: peer() }
}
fn over_tcp() -> Destination {
    Destination::Stream { conn: ConnId(7) }
}
fn ms(n: u64) -> Instant {
    Instant::from_millis(n)
}

/// A request as it comes from the wire.
fn request(method: &str, branch: &str, cseq: &str) -> Request {
    let text = format!(
        "{method} sip:9000@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch}\r\n\
         From: <sip:alice@example.com>;tag=f1\r\nTo: <sip:9000@192.0.2.9>\r\nCall-ID: c1\r\nCSeq: {cseq}\r\n\r\n"
    );
    parsed(&text)
}
fn parsed(text: &str) -> Request {
    match Wire::new(ALL.to_vec()).read(&datagram(), text.as_bytes()) {
        Verdict::Request(request) => request,
        other => panic!("{other:?}"),
    }
}
fn invite() -> Request {
    request("INVITE", "z9hG4bKi1", "1 INVITE")
}
fn options() -> Request {
    request("OPTIONS", "z9hG4bKo1", "1 OPTIONS")
}
fn status(code: u16) -> Status {
    Status::new(code).unwrap()
}
fn response(to: &Request, code: u16) -> Response {
    let mut response = Response::to_request(to, status(code));
    response.set_to_tag("t1");
    response
}

/// A request of our own.
fn ours(method: Method) -> Request {
    let mut request = Request::new(method, AddrSpec::sip(Some("bob"), "192.0.2.1", None));
    let name = hotline::sip::method_text(method);
    request.headers.push(
        HeaderName::Via,
        Via::new("UDP", "192.0.2.9", Some(5060), &format!("z9hG4bK{name}")).to_string(),
    );
    request.headers.push(HeaderName::From, "<sip:us@192.0.2.9>;tag=us1");
    request.headers.push(HeaderName::To, "<sip:bob@192.0.2.1>");
    request.headers.push(HeaderName::CallId, "ours1");
    request.headers.push(HeaderName::CSeq, format!("1 {name}"));
    request
}

/// Transactions and a simulated clock; what comes out is named in short.
struct Bench {
    transactions: Transactions,
    now: Instant,
    log: Vec<(u64, String)>,
    events: Vec<Event>,
}

impl Bench {
    fn new() -> Self {
        Self::with(TransactionSettings::default())
    }
    fn with(settings: TransactionSettings) -> Self {
        let transactions = Transactions::new(settings, Rng::from_number(1));
        Self { transactions, now: Instant::ZERO, log: Vec::new(), events: Vec::new() }
    }
    fn receive(&mut self, request: &Request) {
        self.receive_from(datagram(), request);
    }
    fn receive_from(&mut self, source: Source, request: &Request) {
        self.transactions.handle_request(self.now, source, request.clone());
        self.drain();
    }
    fn receive_response(&mut self, response: Response) {
        self.transactions.handle_response(self.now, datagram(), response);
        self.drain();
    }
    fn respond(&mut self, tx: TransactionId, response: Response) {
        self.transactions.respond(self.now, tx, response);
        self.drain();
    }
    fn start(&mut self, request: &Request, to: Destination) -> TransactionId {
        let tx = self.transactions.start_client(self.now, request.clone(), to);
        self.drain();
        tx
    }
    /// Lets the time pass, each timer at its moment.
    fn run_until(&mut self, until: Instant) {
        while let Some(deadline) = self.transactions.next_deadline().filter(|d| d.at <= until) {
            assert!(deadline.at >= self.now, "time stands still: {deadline:?}");
            self.now = deadline.at;
            self.transactions.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }
    fn drain(&mut self) {
        let at = self.now.as_millis();
        while let Some(transmit) = self.transactions.poll_transmit() {
            let text = String::from_utf8(transmit.bytes).unwrap();
            let words: Vec<_> = text.lines().next().unwrap().split(' ').collect();
            let what = if words[0] == "SIP/2.0" { words[1] } else { words[0] };
            let how = match transmit.to {
                Destination::Datagram { .. } => "",
                Destination::Stream { .. } => " on stream",
                Destination::Connect { .. } => " on new stream",
            };
            self.log.push((at, format!("> {what}{how}")));
        }
        while let Some(event) = self.transactions.poll_event() {
            let what = match &event {
                Event::Request { request, .. } => format!("{:?}", request.method).to_uppercase(),
                Event::Ack { .. } => "ACK".to_owned(),
                Event::Cancelled { .. } => "cancelled".to_owned(),
                Event::Response { response, .. } => response.status.code().to_string(),
                Event::TimedOut { .. } => "timed out".to_owned(),
                Event::TransportFailed { .. } => "transport failed".to_owned(),
                Event::Finished { .. } => "finished".to_owned(),
            };
            self.log.push((at, what));
            self.events.push(event);
        }
    }
    /// What came out since the last look: "at what".
    fn seen(&mut self) -> Vec<String> {
        self.log.drain(..).map(|(at, what)| format!("{at} {what}")).collect()
    }
    /// What came out since the last look, without the times.
    fn said(&mut self) -> Vec<String> {
        self.log.drain(..).map(|(_, what)| what).collect()
    }
    fn tx(&self) -> TransactionId {
        self.events
            .iter()
            .rev()
            .find_map(|event| if let Event::Request { tx, .. } = event { Some(*tx) } else { None })
            .unwrap()
    }
    /// Nothing lives, nothing waits.
    fn is_idle(&self) -> bool {
        self.transactions.is_empty() && self.transactions.next_deadline().is_none()
    }
}

// The INVITE server transaction.

#[test]
fn an_invite_is_handed_up_once_and_100_is_sent_at_once() {
    let mut bench = Bench::new();
    bench.receive(&invite());
    assert_eq!(bench.said(), ["> 100", "INVITE"]);
    bench.receive(&invite());
    assert_eq!(bench.said(), ["> 100"]);
    bench.respond(bench.tx(), response(&invite(), 180));
    bench.receive(&invite());
    assert_eq!(bench.said(), ["> 180", "> 180"]);
    assert_eq!(bench.transactions.counters().repeated_requests, 2);
}

#[test]
fn a_refusal_is_repeated_until_its_ack() {
    let mut bench = Bench::new();
    bench.receive(&invite());
    bench.respond(bench.tx(), response(&invite(), 486));
    bench.seen();
    bench.run_until(ms(8_000));
    assert_eq!(bench.seen(), ["500 > 486", "1500 > 486", "3500 > 486", "7500 > 486"]);
    bench.receive(&invite());
    assert_eq!(bench.said(), ["> 486"]);
    bench.receive(&request("ACK", "z9hG4bKi1", "1 ACK"));
    bench.receive(&request("ACK", "z9hG4bKi1", "1 ACK"));
    bench.receive(&invite());
    assert_eq!(bench.said(), [] as [&str; 0], "a late copy of INVITE or ACK is absorbed");
    bench.run_until(ms(60_000));
    assert_eq!(bench.seen(), ["13000 finished"], "timer I: T4");
    assert!(bench.is_idle());
}

#[test]
fn a_refusal_that_nobody_acknowledges_ends_with_timer_h() {
    let mut bench = Bench::new();
    bench.receive(&invite());
    bench.respond(bench.tx(), response(&invite(), 486));
    bench.run_until(ms(60_000));
    let seen = bench.seen();
    assert_eq!(seen.iter().filter(|s| s.ends_with("> 486")).count(), 11);
    assert_eq!(seen[seen.len() - 3..], ["31500 > 486", "32000 timed out", "32000 finished"]);
    assert!(bench.is_idle());
}

#[test]
fn an_accepted_invite_absorbs_copies_and_lets_the_user_repeat_the_2xx() {
    let mut bench = Bench::new();
    bench.receive(&invite());
    let tx = bench.tx();
    bench.respond(tx, response(&invite(), 200));
    bench.seen();
    bench.receive(&invite());
    assert_eq!(bench.said(), [] as [&str; 0]);
    bench.run_until(ms(500));
    bench.respond(tx, response(&invite(), 200));
    assert_eq!(bench.said(), ["> 200"]);
    bench.receive(&request("ACK", "z9hG4bKother", "1 ACK"));
    bench.receive(&request("ACK", "z9hG4bKi1", "1 ACK"));
    assert_eq!(bench.said(), ["ACK", "ACK"], "with its own branch, as it must, or with the INVITE's");
    bench.respond(tx, response(&invite(), 486));
    assert_eq!(bench.said(), [] as [&str; 0], "no second verdict");
    bench.run_until(ms(60_000));
    assert_eq!(bench.seen(), ["32000 finished"], "timer L");
    assert!(bench.is_idle());
}

#[test]
fn over_a_stream_a_refusal_is_sent_once_and_forgotten_with_its_ack() {
    let mut bench = Bench::new();
    bench.receive_from(stream(), &invite());
    bench.respond(bench.tx(), response(&invite(), 486));
    bench.run_until(ms(1_000));
    bench.receive_from(stream(), &request("ACK", "z9hG4bKi1", "1 ACK"));
    assert_eq!(
        bench.seen(),
        ["0 > 100 on stream", "0 INVITE", "0 > 486 on stream", "1000 finished"],
        "G and I are zero"
    );
    assert!(bench.is_idle());
}

#[test]
fn a_response_whose_connection_is_gone_goes_over_a_new_one() {
    let mut bench = Bench::new();
    bench.receive_from(stream(), &invite());
    let tx = bench.tx();
    bench.seen();
    bench.transactions.connection_lost(bench.now, LISTENER, ConnId(7), stream().remote);
    bench.respond(tx, response(&invite(), 180));
    assert_eq!(bench.said(), ["> 180 on new stream"]);
    bench.transactions.transport_failed(bench.now, Destination::Connect { listener: LISTENER, to: peer() });
    bench.drain();
    assert_eq!(bench.said(), ["transport failed"], "nor could that be opened");
}

// The other server transaction.

#[test]
fn a_request_that_comes_again_is_answered_from_memory() {
    let mut bench = Bench::new();
    bench.receive(&options());
    bench.receive(&options());
    assert_eq!(bench.said(), ["OPTIONS"], "before there is an answer, a copy is dropped");
    bench.respond(bench.tx(), response(&options(), 200));
    bench.receive(&options());
    assert_eq!(bench.said(), ["> 200", "> 200"]);
    bench.run_until(ms(40_000));
    assert_eq!(bench.seen(), ["32000 finished"], "timer J");
    assert!(bench.is_idle());
    bench.receive_from(stream(), &options());
    bench.respond(bench.tx(), response(&options(), 200));
    assert_eq!(bench.said(), ["OPTIONS", "> 200 on stream", "finished"], "over a stream J is zero");
    assert!(bench.is_idle());
}

#[test]
fn a_request_that_our_own_side_never_answers_is_forgotten() {
    let mut bench = Bench::new();
    bench.receive(&options());
    let tx = bench.tx();
    bench.run_until(ms(40_000));
    bench.respond(tx, response(&options(), 200));
    assert_eq!(bench.seen(), ["0 OPTIONS", "32000 finished"]);
    assert_eq!(bench.transactions.counters().late_responses, 1);
    assert!(bench.is_idle());
}

// CANCEL.

#[test]
fn a_cancel_is_answered_and_the_invite_is_told() {
    let mut bench = Bench::new();
    bench.receive(&invite());
    let tx = bench.tx();
    bench.respond(tx, response(&invite(), 180));
    bench.seen();
    let cancel = request("CANCEL", "z9hG4bKi1", "1 CANCEL");
    bench.receive(&cancel);
    bench.receive(&cancel);
    assert_eq!(bench.said(), ["> 200", "cancelled", "> 200"], "told once");
    assert!(bench.events.contains(&Event::Cancelled { tx }));
    bench.respond(tx, response(&invite(), 487));
    bench.receive(&request("ACK", "z9hG4bKi1", "1 ACK"));
    assert_eq!(bench.said(), ["> 487"]);
    bench.run_until(ms(40_000));
    assert_eq!(bench.said(), ["finished"], "nobody hears of the CANCEL's own transaction");
    assert!(bench.is_idle());
}

#[test]
fn a_cancel_after_the_answer_changes_nothing() {
    for code in [200, 486] {
        let mut bench = Bench::new();
        bench.receive(&invite());
        bench.respond(bench.tx(), response(&invite(), code));
        bench.seen();
        bench.receive(&request("CANCEL", "z9hG4bKi1", "1 CANCEL"));
        assert_eq!(bench.said(), ["> 200"]);
    }
}

#[test]
fn a_cancel_of_nothing_is_481() {
    let mut bench = Bench::new();
    bench.receive(&request("CANCEL", "z9hG4bKi1", "1 CANCEL"));
    assert_eq!(bench.said(), ["> 481"]);
    assert_eq!(bench.transactions.counters().stray_cancels, 1);
}

// Matching.

#[test]
fn the_same_request_over_another_path_is_482() {
    let mut bench = Bench::new();
    bench.receive(&invite());
    bench.seen();
    bench.receive(&request("INVITE", "z9hG4bKpath2", "1 INVITE"));
    assert_eq!(bench.said(), ["> 482"]);
    bench.respond(bench.tx(), response(&invite(), 401));
    bench.seen();
    bench.receive(&request("INVITE", "z9hG4bKpath3", "1 INVITE"));
    assert_eq!(
        bench.said(),
        ["> 100", "INVITE"],
        "a refused request may be tried again, even with its number"
    );
}

#[test]
fn peers_of_rfc_2543_are_matched_by_the_request_itself() {
    let old = |method: &str, to_tag: &str| {
        parsed(&format!(
            "{method} sip:9000@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nFrom: <sip:a@b>;tag=f1\r\n\
             To: <sip:9000@192.0.2.9>{to_tag}\r\nCall-ID: c1\r\nCSeq: 1 {method}\r\n\r\n"
        ))
    };
    let mut bench = Bench::new();
    bench.receive(&old("INVITE", ""));
    bench.receive(&old("INVITE", ""));
    assert_eq!(bench.said(), ["> 100", "INVITE", "> 100"]);
    bench.receive(&old("CANCEL", ""));
    assert_eq!(bench.said(), ["> 200", "cancelled"]);
    bench.respond(bench.tx(), response(&old("INVITE", ""), 487));
    bench.receive(&old("ACK", ";tag=t1"));
    bench.receive(&old("INVITE", ""));
    assert_eq!(bench.said(), ["> 487"]);
    bench.receive(&old("BYE", ";tag=t1"));
    bench.receive(&old("BYE", ";tag=t1"));
    assert_eq!(bench.said(), ["BYE"]);
}

#[test]
fn branches_are_told_apart_by_sent_by_and_method() {
    let mut bench = Bench::new();
    bench.receive(&request("OPTIONS", "z9hG4bKsame", "1 OPTIONS"));
    bench.receive(&request("INFO", "z9hG4bKsame", "2 INFO"));
    let mut elsewhere = request("OPTIONS", "z9hG4bKsame", "3 OPTIONS");
    elsewhere.headers.set(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKsame");
    bench.receive(&elsewhere);
    assert_eq!(bench.said(), ["OPTIONS", "INFO", "OPTIONS"]);
}

#[test]
fn beyond_the_bound_a_request_is_503_and_nothing_is_remembered() {
    let mut bench = Bench::with(TransactionSettings { most: 1, ..TransactionSettings::default() });
    bench.receive(&options());
    bench.receive(&request("OPTIONS", "z9hG4bKo2", "2 OPTIONS"));
    bench.receive(&request("ACK", "z9hG4bKo3", "3 ACK"));
    assert_eq!(bench.said(), ["OPTIONS", "> 503", "ACK"]);
    assert_eq!((bench.transactions.len(), bench.transactions.counters().refused), (1, 1));
}

// The INVITE client transaction.

#[test]
fn an_invite_is_repeated_until_timer_b() {
    let mut bench = Bench::new();
    bench.start(&ours(Method::Invite), over_udp());
    bench.run_until(ms(60_000));
    assert_eq!(
        bench.seen(),
        [
            "0 > INVITE",
            "500 > INVITE",
            "1500 > INVITE",
            "3500 > INVITE",
            "7500 > INVITE",
            "15500 > INVITE",
            "31500 > INVITE",
            "32000 timed out",
            "32000 finished",
        ]
    );
    assert!(bench.is_idle());
    assert_eq!(bench.transactions.counters().timed_out, 1);
}

#[test]
fn a_ringing_invite_waits_without_end() {
    let mut bench = Bench::new();
    bench.start(&ours(Method::Invite), over_udp());
    bench.receive_response(response(&ours(Method::Invite), 180));
    bench.seen();
    bench.run_until(ms(600_000));
    assert_eq!(bench.seen(), [] as [&str; 0]);
    bench.receive_response(response(&ours(Method::Invite), 183));
    assert_eq!(bench.said(), ["183"]);
}

#[test]
fn every_2xx_reaches_the_user_and_is_not_acknowledged_here() {
    let mut bench = Bench::new();
    bench.start(&ours(Method::Invite), over_udp());
    bench.receive_response(response(&ours(Method::Invite), 200));
    bench.receive_response(response(&ours(Method::Invite), 200));
    bench.receive_response(response(&ours(Method::Invite), 180));
    bench.receive_response(response(&ours(Method::Invite), 486));
    assert_eq!(bench.said(), ["> INVITE", "200", "200"]);
    bench.run_until(ms(60_000));
    assert_eq!(bench.seen(), ["32000 finished"], "timer M");
    bench.receive_response(response(&ours(Method::Invite), 200));
    assert_eq!(bench.said(), [] as [&str; 0]);
    assert_eq!(bench.transactions.counters().stray_responses, 1);
}

#[test]
fn a_refusal_is_acknowledged_as_often_as_it_comes() {
    let mut bench = Bench::new();
    let mut invite = ours(Method::Invite);
    invite.headers.push(HeaderName::Route, "<sip:proxy.example.com;lr>");
    bench.transactions.start_client(bench.now, invite.clone(), over_udp());
    bench.transactions.poll_transmit();
    bench.transactions.handle_response(bench.now, datagram(), response(&invite, 486));
    let ack = String::from_utf8(bench.transactions.poll_transmit().unwrap().bytes).unwrap();
    assert_eq!(
        ack,
        "ACK sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKINVITE;rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:us@192.0.2.9>;tag=us1\r\nTo: <sip:bob@192.0.2.1>;tag=t1\r\nCall-ID: ours1\r\n\
         Route: <sip:proxy.example.com;lr>\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
    );
    bench.drain();
    bench.receive_response(response(&invite, 486));
    assert_eq!(bench.said(), ["486", "> ACK"], "told once, acknowledged twice");
    bench.run_until(ms(60_000));
    assert_eq!(bench.seen(), ["32000 finished"], "timer D");
    assert!(bench.is_idle());
}

#[test]
fn over_a_stream_an_invite_is_sent_once() {
    let mut bench = Bench::new();
    bench.start(&ours(Method::Invite), over_tcp());
    bench.run_until(ms(60_000));
    assert_eq!(bench.seen(), ["0 > INVITE on stream", "32000 timed out", "32000 finished"]);
    bench.start(&ours(Method::Invite), over_tcp());
    bench.receive_response(response(&ours(Method::Invite), 486));
    assert_eq!(bench.said(), ["> INVITE on stream", "> ACK on stream", "486", "finished"], "D is zero");
    assert!(bench.is_idle());
}

#[test]
fn a_cancel_and_the_answer_may_cross() {
    let mut bench = Bench::new();
    let invite = ours(Method::Invite);
    let call = bench.start(&invite, over_udp());
    bench.receive_response(response(&invite, 180));
    let cancel = invite.cancel();
    assert_eq!((cancel.top_via(), cancel.cseq().unwrap().number), (invite.top_via(), 1));
    bench.start(&cancel, over_udp());
    bench.receive_response(response(&invite, 200));
    bench.receive_response(response(&cancel, 481));
    assert_eq!(bench.said(), ["> INVITE", "180", "> CANCEL", "200", "481"]);
    let answered = bench.events.iter().any(
        |e| matches!(e, Event::Response { tx, response } if *tx == call && response.status == Status::OK),
    );
    assert!(answered, "the 200 belongs to the INVITE, whatever became of the CANCEL");
}

#[test]
fn a_call_that_rings_over_a_broken_connection_fails_once() {
    let mut bench = Bench::new();
    let to = Destination::Connect { listener: LISTENER, to: peer() };
    bench.start(&ours(Method::Invite), to);
    bench.receive_response(response(&ours(Method::Invite), 180));
    bench.seen();
    for _ in 0..2 {
        bench.transactions.connection_lost(bench.now, LISTENER, ConnId(9), peer());
        bench.drain();
    }
    assert_eq!(bench.said(), ["transport failed", "finished"]);
    assert!(bench.is_idle());
}

// The other client transaction.

#[test]
fn a_request_is_repeated_until_timer_f() {
    let mut bench = Bench::new();
    bench.start(&ours(Method::Options), over_udp());
    bench.run_until(ms(60_000));
    let times: Vec<_> = bench.seen();
    assert_eq!(
        times,
        [
            "0 > OPTIONS",
            "500 > OPTIONS",
            "1500 > OPTIONS",
            "3500 > OPTIONS",
            "7500 > OPTIONS",
            "11500 > OPTIONS",
            "15500 > OPTIONS",
            "19500 > OPTIONS",
            "23500 > OPTIONS",
            "27500 > OPTIONS",
            "31500 > OPTIONS",
            "32000 timed out",
            "32000 finished",
        ]
    );
}

#[test]
fn after_1xx_a_request_is_repeated_every_t2() {
    let mut bench = Bench::new();
    bench.start(&ours(Method::Bye), over_udp());
    bench.receive_response(response(&ours(Method::Bye), 100));
    bench.run_until(ms(10_000));
    assert_eq!(bench.seen(), ["0 > BYE", "0 100", "500 > BYE", "4500 > BYE", "8500 > BYE"]);
    bench.receive_response(response(&ours(Method::Bye), 200));
    bench.receive_response(response(&ours(Method::Bye), 200));
    bench.run_until(ms(60_000));
    assert_eq!(bench.seen(), ["10000 200", "15000 finished"], "the copy is absorbed until timer K");
    assert!(bench.is_idle());
}

#[test]
fn over_a_stream_a_request_is_sent_once_and_done_with_its_answer() {
    let mut bench = Bench::new();
    bench.start(&ours(Method::Bye), over_tcp());
    bench.run_until(ms(10_000));
    bench.receive_response(response(&ours(Method::Bye), 200));
    assert_eq!(bench.seen(), ["0 > BYE on stream", "10000 200", "10000 finished"]);
    assert!(bench.is_idle());
}

#[test]
fn a_request_without_branch_fails_at_once() {
    let mut bench = Bench::new();
    bench.start(&Request::new(Method::Bye, AddrSpec::sip(None, "b", None)), over_udp());
    assert_eq!(bench.said(), ["transport failed", "finished"]);
}

/// Messages under way, and when they arrive.
type Network = Vec<(Instant, Vec<u8>)>;

/// Two sides over a network that loses, doubles and delays: whatever it does, both end, and each request is seen once.
#[test]
fn over_any_network_everything_ends_and_nothing_is_seen_twice() {
    let (mut all_requests, mut all_finals) = (0, 0);
    for seed in 0..200 {
        let mut rng = Rng::from_number(seed);
        let mut us = Transactions::new(TransactionSettings::default(), Rng::from_number(1));
        let mut them = Transactions::new(TransactionSettings::default(), Rng::from_number(2));
        let (mut to_them, mut to_us) = (Network::new(), Network::new());
        let loss = rng.below(70);
        let (mut requests, mut finals, mut ended) = (0, 0, 0);
        us.start_client(Instant::ZERO, ours(Method::Invite), over_udp());
        us.start_client(Instant::ZERO, ours(Method::Options), over_udp());
        let mut now = Instant::ZERO;
        for _ in 0..10_000 {
            for (side, network) in [(&mut us, &mut to_them), (&mut them, &mut to_us)] {
                while let Some(transmit) = side.poll_transmit() {
                    for _ in 0..=rng.below(2) {
                        let delay = Duration::from_millis(rng.below(3_000));
                        if rng.below(100) >= loss {
                            network.push((now + delay, transmit.bytes.clone()));
                        }
                    }
                }
            }
            while let Some(event) = them.poll_event() {
                if let Event::Request { tx, request, .. } = event {
                    requests += 1;
                    them.respond(now, tx, response(&request, 486));
                }
            }
            while let Some(event) = us.poll_event() {
                match event {
                    Event::Response { response, .. } => finals += u32::from(response.status.is_final()),
                    Event::Finished { .. } => ended += 1,
                    Event::TimedOut { .. } => {}
                    other => panic!("seed {seed}: {other:?}"),
                }
            }
            let arrivals = to_them.iter().chain(&to_us).map(|(at, _)| *at).min();
            let timers = [us.next_deadline(), them.next_deadline()].into_iter().flatten().map(|d| d.at).min();
            let Some(next) = arrivals.into_iter().chain(timers).min() else { break };
            now = now.max(next);
            us.handle_timeout(now);
            them.handle_timeout(now);
            for (side, network) in [(&mut them, &mut to_them), (&mut us, &mut to_us)] {
                let due: Vec<_> = network.extract_if(.., |(at, _)| *at <= now).collect();
                for (_, bytes) in due {
                    match Wire::new(ALL.to_vec()).read(&datagram(), &bytes) {
                        Verdict::Request(request) => side.handle_request(now, datagram(), request),
                        Verdict::Response(response) => side.handle_response(now, datagram(), response),
                        other => panic!("seed {seed}: {other:?}"),
                    }
                }
            }
        }
        assert!(us.is_empty() && them.is_empty(), "seed {seed}");
        assert_eq!(ended, 2, "seed {seed}");
        assert!(finals <= 2, "seed {seed}");
        // A copy may come after all timers have ended; until then a request is one.
        assert!(requests <= 2, "seed {seed}: {requests}");
        all_requests += requests;
        all_finals += finals;
    }
    assert!(all_requests > 390 && all_finals > 390, "few are lost for good: {all_requests}, {all_finals}");
}

#[test]
fn an_ack_for_a_refusal_is_not_a_message_of_its_own() {
    let ack = ours(Method::Invite).ack_to_failure(&response(&ours(Method::Invite), 404));
    let mut bytes = Vec::new();
    hotline::sip::write_message(&Message::Request(ack.clone()), &mut bytes);
    assert_eq!(parsed(&String::from_utf8(bytes).unwrap()).to_tag().as_deref(), Some("t1"));
    assert!(ack.body.is_empty());
}
