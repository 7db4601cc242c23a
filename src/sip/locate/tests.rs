//! The examples of RFC 3263 and what zones do beyond them.
use super::*;
use crate::sip::settings::ListenerTransport;
use crate::sip::transport::ListenerId;

fn at(s: u64) -> Instant {
    Instant::from_secs(s)
}

fn listener(n: u8, transport: ListenerTransport, address: &str) -> Listener {
    let local: SocketAddr = address.parse().unwrap();
    Listener { id: ListenerId(n), transport, local, advertised: local }
}

/// UDP and TCP on IPv4.
fn v4() -> Locator {
    let listeners = [
        listener(0, ListenerTransport::Udp, "192.0.2.100:5060"),
        listener(1, ListenerTransport::Tcp, "192.0.2.100:5060"),
    ];
    Locator::new(&listeners, &Rng::from_number(3_263))
}

/// The same on both families.
fn dual() -> Locator {
    let listeners = [
        listener(0, ListenerTransport::Udp, "192.0.2.100:5060"),
        listener(1, ListenerTransport::Tcp, "192.0.2.100:5060"),
        listener(2, ListenerTransport::Udp, "[2001:db8::100]:5060"),
        listener(3, ListenerTransport::Tcp, "[2001:db8::100]:5060"),
    ];
    Locator::new(&listeners, &Rng::from_number(3_263))
}

/// A locator that speaks TLS alone as well: no listener has it in these tests, so the ways are set by hand.
fn with_tls() -> Locator {
    let mut locator = v4();
    locator.ways.0.insert((Transport::Tls, true));
    locator
}

fn wanted(uri: &str) -> HostWanted {
    HostWanted::of_uri(&AddrSpec::parse(uri).unwrap()).unwrap()
}

/// Zone lines: `name NAPTR order preference flags service replacement`, `name SRV priority weight port target`,
/// `name A address`; `name FAIL KIND` for what no server answers.
struct Zone(&'static str);

impl Zone {
    fn reply(&self, question: &DnsQuestion) -> DnsReply {
        let kind = match question.kind {
            RecordKind::Naptr => "NAPTR",
            RecordKind::Srv => "SRV",
            RecordKind::A => "A",
            RecordKind::Aaaa => "AAAA",
        };
        let lines: Vec<Vec<&str>> = self.0.lines().map(|l| l.split_whitespace().collect()).collect();
        let of = |kind: &str| -> Vec<Vec<&str>> {
            let mine = lines.iter().filter(|l| l.len() > 2 && l[0] == question.name && l[1] == kind);
            mine.map(|l| l[2..].to_vec()).collect()
        };
        if of("FAIL").iter().any(|l| l[0] == kind) {
            return DnsReply::Failed;
        }
        let rows = of(kind);
        if rows.is_empty() {
            return DnsReply::Nothing { ttl: None };
        }
        let n = |text: &str| text.parse::<u16>().unwrap();
        let name = |text: &str| text.trim_end_matches('.').to_owned();
        let records = match question.kind {
            RecordKind::Naptr => DnsRecords::Naptr(
                rows.iter()
                    .map(|r| Naptr {
                        order: n(r[0]),
                        preference: n(r[1]),
                        flags: r[2].to_owned(),
                        service: r[3].to_owned(),
                        replacement: name(r[4]),
                    })
                    .collect(),
            ),
            RecordKind::Srv => DnsRecords::Srv(
                rows.iter()
                    .map(|r| Srv { priority: n(r[0]), weight: n(r[1]), port: n(r[2]), target: name(r[3]) })
                    .collect(),
            ),
            RecordKind::A | RecordKind::Aaaa => {
                DnsRecords::Addresses(rows.iter().map(|r| r[0].parse().unwrap()).collect())
            }
        };
        DnsReply::Records { records, ttl: Duration::from_mins(1) }
    }

    /// Answers until nothing more is asked; the questions in their order.
    fn serve(&self, locator: &mut Locator, now: Instant) -> Vec<String> {
        let mut asked = Vec::new();
        while let Some(question) = locator.poll_question() {
            asked.push(format!("{} {:?}", question.name, question.kind));
            let reply = self.reply(&question);
            locator.handle_reply(now, &question, reply);
        }
        asked
    }

    fn find(&self, mut locator: Locator, uri: &str) -> (Vec<String>, Vec<String>) {
        let id = locator.locate(at(1), wanted(uri));
        let asked = self.serve(&mut locator, at(1));
        let (found, located) = locator.poll_found().unwrap();
        assert_eq!(found, id);
        assert_eq!(locator.held().1, 0, "nothing waits any more");
        (asked, located.targets.iter().map(|t| format!("{} {}", t.transport.name(), t.address)).collect())
    }
}

/// RFC 3263 section 4.1 and 4.2.
const EXAMPLE: Zone = Zone(
    "example.com NAPTR 50 50 s SIPS+D2T _sips._tcp.example.com.
     example.com NAPTR 90 50 s SIP+D2T _sip._tcp.example.com.
     example.com NAPTR 100 50 s SIP+D2U _sip._udp.example.com.
     _sip._tcp.example.com SRV 0 1 5060 server1.example.com.
     _sip._tcp.example.com SRV 1 2 5060 server2.example.com.
     _sips._tcp.example.com SRV 0 0 5061 server1.example.com.
     _sip._udp.example.com SRV 0 0 5060 server1.example.com.
     server1.example.com A 192.0.2.1
     server2.example.com A 192.0.2.2
     server1.example.com AAAA 2001:db8::1",
);

#[test]
fn the_example_of_the_rfc_goes_to_tcp_and_then_to_the_second_server() {
    let (asked, found) = EXAMPLE.find(v4(), "sip:user@example.com");
    assert_eq!(found, ["tcp 192.0.2.1:5060", "tcp 192.0.2.2:5060"]);
    assert_eq!(
        asked,
        ["example.com Naptr", "_sip._tcp.example.com Srv", "server1.example.com A", "server2.example.com A"]
    );
}

#[test]
fn a_client_with_tls_takes_the_domains_first_choice() {
    let (_, found) = EXAMPLE.find(with_tls(), "sip:user@example.com");
    assert_eq!(found, ["tls 192.0.2.1:5061"]);
}

#[test]
fn sips_is_never_weakened() {
    let (_, found) = EXAMPLE.find(with_tls(), "sips:user@example.com");
    assert_eq!(found, ["tls 192.0.2.1:5061"]);
    let (_, found) = EXAMPLE.find(v4(), "sips:user@example.com");
    assert_eq!(found, [""; 0]);
    let plain = Zone("plain.example A 192.0.2.7");
    assert_eq!(plain.find(with_tls(), "sips:plain.example").1, ["tls 192.0.2.7:5061"]);
    assert_eq!(plain.find(with_tls(), "sips:plain.example;transport=tcp").1, ["tls 192.0.2.7:5061"]);
}

#[test]
fn an_address_is_used_as_it_stands() {
    for (uri, target) in [
        ("sip:u@192.0.2.4", "udp 192.0.2.4:5060"),
        ("sip:u@192.0.2.4:5070", "udp 192.0.2.4:5070"),
        ("sip:u@192.0.2.4;transport=tcp", "tcp 192.0.2.4:5060"),
        ("sip:u@[2001:db8::4]:5071", "udp [2001:db8::4]:5071"),
    ] {
        let (asked, found) = EXAMPLE.find(dual(), uri);
        assert_eq!((asked.len(), found), (0, vec![target.to_owned()]), "{uri}");
    }
    let (_, found) = EXAMPLE.find(with_tls(), "sips:u@192.0.2.4");
    assert_eq!(found, ["tls 192.0.2.4:5061"]);
    assert_eq!(EXAMPLE.find(v4(), "sip:u@[2001:db8::4]").1, [""; 0], "no listener of that family");
}

#[test]
fn a_port_means_that_only_addresses_are_asked_for() {
    let (asked, found) = EXAMPLE.find(v4(), "sip:u@server1.example.com:5080");
    assert_eq!(asked, ["server1.example.com A"]);
    assert_eq!(found, ["udp 192.0.2.1:5080"]);
    let (_, found) = EXAMPLE.find(v4(), "sip:u@server1.example.com:5080;transport=tcp");
    assert_eq!(found, ["tcp 192.0.2.1:5080"]);
}

#[test]
fn a_transport_means_that_no_naptr_is_asked_for() {
    let (asked, found) = EXAMPLE.find(v4(), "sip:u@example.com;transport=udp");
    assert_eq!(asked, ["_sip._udp.example.com Srv", "server1.example.com A"]);
    assert_eq!(found, ["udp 192.0.2.1:5060"]);
}

#[test]
fn without_naptr_the_transports_with_srv_records_are_taken() {
    let zone = Zone(
        "_sip._tcp.x.example SRV 0 0 5068 h.x.example.
         h.x.example A 192.0.2.9",
    );
    let (asked, found) = zone.find(v4(), "sip:x.example");
    assert_eq!(found, ["tcp 192.0.2.9:5068"]);
    assert!(asked.contains(&"_sip._udp.x.example Srv".to_owned()), "{asked:?}");
}

#[test]
fn without_any_of_them_the_addresses_and_the_default_port_remain() {
    let zone = Zone("x.example A 192.0.2.9\nx.example A 192.0.2.10");
    assert_eq!(zone.find(v4(), "sip:x.example").1, ["udp 192.0.2.9:5060", "udp 192.0.2.10:5060"]);
    // A name server that cannot answer NAPTR or SRV costs nothing else.
    let lame = Zone(
        "x.example A 192.0.2.9
         x.example FAIL NAPTR
         _sip._udp.x.example FAIL SRV",
    );
    assert_eq!(lame.find(v4(), "sip:x.example").1, ["udp 192.0.2.9:5060"]);
}

#[test]
fn version_6_comes_first_where_we_speak_both() {
    let (_, found) = EXAMPLE.find(dual(), "sip:server1.example.com:5060");
    assert_eq!(found, ["udp [2001:db8::1]:5060", "udp 192.0.2.1:5060"]);
}

#[test]
fn a_service_that_is_decidedly_absent_is_not_sought_elsewhere() {
    let zone = Zone(
        "_sip._udp.x.example SRV 0 0 5060 .
         x.example A 192.0.2.9",
    );
    assert_eq!(zone.find(v4(), "sip:x.example;transport=udp").1, [""; 0]);
}

#[test]
fn records_that_nobody_should_publish_do_no_harm() {
    let zone = Zone(
        "x.example NAPTR 10 10 u SIP+D2U x
         x.example NAPTR 10 10 s SIP+D2S _sip._sctp.x.example.
         x.example NAPTR 10 20 s sip+d2u _sip._udp.x.example.
         x.example NAPTR 20 10 s SIP+D2T _sip._tcp.x.example.
         _sip._udp.x.example SRV 0 0 0 h.x.example.
         _sip._udp.x.example SRV 1 0 5060 h.x.example.
         _sip._udp.x.example SRV 2 0 5060 0.0.0.0
         _sip._udp.x.example SRV 3 0 5060 h.x.example.
         _sip._tcp.x.example SRV 0 0 5060 t.x.example.
         h.x.example A 192.0.2.9
         h.x.example A 224.0.0.1
         t.x.example A 192.0.2.10",
    );
    assert_eq!(zone.find(v4(), "sip:x.example").1, ["udp 192.0.2.9:5060"]);
}

#[test]
fn the_second_look_up_asks_nobody_until_the_time_is_over() {
    let mut locator = v4();
    locator.locate(at(1), wanted("sip:example.com"));
    EXAMPLE.serve(&mut locator, at(1));
    let (_, first) = locator.poll_found().unwrap();
    assert_eq!(first.until, at(61));
    locator.locate(at(60), wanted("sip:example.com"));
    assert_eq!(EXAMPLE.serve(&mut locator, at(60)), [""; 0]);
    assert_eq!(locator.poll_found().unwrap().1.targets, first.targets);
    // After it the old answer still serves at once, and is renewed behind it.
    locator.locate(at(62), wanted("sip:example.com"));
    assert_eq!(locator.poll_found().unwrap().1.targets, first.targets);
    assert_eq!(EXAMPLE.serve(&mut locator, at(62)).len(), 4);
    locator.locate(at(63), wanted("sip:example.com"));
    assert_eq!(locator.poll_found().unwrap().1.until, at(122));
}

#[test]
fn a_dead_name_server_leaves_what_was_known_and_ends_every_look_up() {
    let mut locator = v4();
    locator.locate(at(1), wanted("sip:example.com"));
    EXAMPLE.serve(&mut locator, at(1));
    locator.poll_found().unwrap();
    let known = locator.known(at(1_000), &wanted("sip:example.com"));
    assert_eq!(known.len(), 2, "at once, though its time is over");
    let id = locator.locate(at(1_000), wanted("sip:other.example"));
    assert!(locator.known(at(1_000), &wanted("sip:other.example")).is_empty());
    // Nobody ever answers: each step of the way ends by itself.
    let mut now = at(1_000);
    while let Some(deadline) = locator.next_deadline() {
        now = deadline.at;
        locator.handle_timeout(now);
        while locator.poll_question().is_some() {}
    }
    let (found, located) = locator.poll_found().unwrap();
    assert!(found == id && located.targets.is_empty(), "{located:?}");
    assert!(now <= at(1_031), "NAPTR, SRV and A, ten seconds each: {now:?}");
    assert!(located.until > now);
    locator.locate(now, wanted("sip:example.com"));
    let (_, old) = locator.poll_found().unwrap();
    assert!(old.targets.len() == 2 && old.failed, "said to be old: {old:?}");
    assert_eq!(locator.held().1, locator.asked.len());
}

#[test]
fn a_look_up_of_thousands_of_names_stays_within_bounds() {
    let mut locator = v4();
    for n in 0..5_000 {
        locator.locate(at(1), wanted(&format!("sip:n{n}.example:5060")));
    }
    assert!(locator.held().1 <= 3 * LOOKUPS, "{:?}", locator.held());
    assert!(locator.counts().refused > 0);
    let nothing = Zone("");
    nothing.serve(&mut locator, at(2));
    let mut ended = 0;
    while locator.poll_found().is_some() {
        ended += 1;
    }
    assert_eq!(ended, 5_000, "each look-up ends");
    assert_eq!(locator.held().1, 0);
}

#[test]
fn the_weights_decide_anew_for_each_call() {
    let zone = Zone(
        "_sip._udp.x.example SRV 0 70 5060 a.x.example.
         _sip._udp.x.example SRV 0 30 5060 b.x.example.
         a.x.example A 192.0.2.1
         b.x.example A 192.0.2.2",
    );
    let mut locator = v4();
    locator.locate(at(1), wanted("sip:x.example;transport=udp"));
    zone.serve(&mut locator, at(1));
    let mut first = 0;
    for _ in 0..10_000 {
        let targets = locator.known(at(2), &wanted("sip:x.example;transport=udp"));
        assert_eq!(targets.len(), 2);
        first += u32::from(targets[0].address.ip().to_string() == "192.0.2.1");
    }
    assert!((6_700..7_200).contains(&first), "{first} of 10,000 for a weight of 70 in 100");
}
