//! The messages of RFC 4475 and RFC 5118: what the wire layer makes of each of the 61. What passes here is answered by
//! the user agent; that answer is another test's.
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use hotline::sip::{
    Contacts, DropCause, Frame, Framer, HeaderName, ListenerId, Method, NameAddr, Request, Source, Verdict,
    Wire,
};

/// What the wire layer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Request(Method),
    Response(u16),
    Answer(u16),
    Dropped(DropCause),
}
use DropCause::{BrokenResponse, StrayResponse};
use Method::{Bye, Invite, Options, Register};
use Says::{Answer, Dropped, Request as Passes, Response as Status};

/// Message, verdict, and why it is not what the RFC likes best, where it is not.
const TABLE: [(&str, Says, &str); 61] = [
    // RFC 4475 3.1.1: valid.
    ("wsinv", Passes(Invite), ""),
    ("intmeth", Answer(501), ""),
    ("esc01", Passes(Invite), ""),
    ("escnull", Passes(Register), ""),
    ("esc02", Answer(501), ""),
    ("lwsdisp", Passes(Options), ""),
    ("longreq", Passes(Invite), ""),
    ("dblreq", Passes(Register), ""),
    ("semiuri", Passes(Options), ""),
    ("transports", Passes(Options), ""),
    ("mpart01", Answer(405), ""),
    ("unreason", Status(200), ""),
    ("noreason", Status(100), ""),
    // 3.1.2: invalid.
    ("badinv01", Answer(400), ""),
    ("clerr", Answer(400), ""),
    ("ncl", Answer(400), ""),
    ("scalar02", Answer(400), ""),
    ("scalarlg", Dropped(BrokenResponse), ""),
    ("quotbal", Answer(400), ""),
    ("ltgtruri", Answer(400), ""),
    ("lwsruri", Answer(400), ""),
    ("lwsstart", Answer(400), ""),
    ("trws", Answer(400), ""),
    ("escruri", Answer(400), ""),
    (
        "baddate",
        Passes(Invite),
        "the Date is nobody's concern here: ignoring it is called better than refusing",
    ),
    ("regbadct", Answer(400), ""),
    ("badaspec", Answer(400), ""),
    ("baddn", Answer(400), ""),
    ("badvers", Answer(505), ""),
    ("mismatch01", Answer(400), ""),
    ("mismatch02", Answer(501), ""),
    ("bigcode", Dropped(BrokenResponse), ""),
    // 3.2 to 3.4: the meaning is odd.
    ("badbranch", Passes(Options), "an empty branch is matched by the rule of RFC 2543"),
    ("insuf", Answer(400), ""),
    ("unkscm", Passes(Options), ""),
    ("novelsc", Passes(Options), ""),
    ("unksm2", Passes(Register), ""),
    ("bext01", Passes(Options), ""),
    ("invut", Passes(Invite), ""),
    ("regaut01", Passes(Register), ""),
    ("multi01", Answer(400), ""),
    ("mcl01", Answer(400), ""),
    ("bcast", Dropped(StrayResponse), ""),
    ("zeromf", Passes(Options), ""),
    ("cparam01", Passes(Register), ""),
    ("cparam02", Passes(Register), ""),
    ("regescrt", Passes(Register), ""),
    ("sdp01", Passes(Invite), ""),
    ("inv2543", Passes(Invite), ""),
    // RFC 5118.
    ("ipv6-good", Passes(Register), ""),
    ("ipv6-bad", Answer(400), ""),
    ("port-ambiguous", Passes(Register), ""),
    ("port-unambiguous", Passes(Register), ""),
    ("via-received-param-with-delim", Passes(Bye), ""),
    ("via-received-param-no-delim", Passes(Options), ""),
    ("ipv6-in-sdp", Passes(Invite), ""),
    ("mult-ip-in-header", Passes(Bye), ""),
    ("mult-ip-in-sdp", Passes(Invite), ""),
    ("ipv4-mapped-ipv6", Passes(Invite), ""),
    ("ipv6-bug-abnf-3-colons", Passes(Options), ""),
    ("ipv6-correct-abnf-2-colons", Passes(Options), ""),
];

fn index() -> BTreeMap<String, serde_json::Value> {
    let index: serde_json::Value = serde_json::from_slice(&file("index.json")).unwrap();
    let messages = index["messages"].as_array().unwrap().clone();
    messages.into_iter().map(|m| (m["name"].as_str().unwrap().to_owned(), m)).collect()
}

fn file(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/data/sip-torture/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn bytes_of(name: &str) -> Vec<u8> {
    file(index()[name]["file"].as_str().unwrap())
}

fn source() -> Source {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    Source {
        listener: ListenerId(0),
        remote: address("203.0.113.9:4444"),
        local: address("127.0.0.1:5060"),
        conn: None,
    }
}

fn wire() -> Wire {
    Wire::new(vec![Invite, Method::Ack, Bye, Method::Cancel, Options, Register, Method::Info])
}

fn says(verdict: &Verdict) -> Says {
    match verdict {
        Verdict::Request(request) => Passes(request.method),
        Verdict::Response(response) => Status(response.status.code()),
        Verdict::Answer(answer) => {
            let text = String::from_utf8_lossy(&answer.bytes);
            Answer(text.split(' ').nth(1).unwrap().parse().unwrap())
        }
        Verdict::Dropped(cause) => Dropped(*cause),
    }
}

fn request(name: &str) -> Request {
    match wire().read(&source(), &bytes_of(name)) {
        Verdict::Request(request) => request,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn each_of_the_61_messages_gets_its_verdict() {
    let index = index();
    let mut wire = wire();
    let mut wrong = Vec::new();
    for (name, expected, _) in TABLE {
        let said = says(&wire.read(&source(), &file(index[name]["file"].as_str().unwrap())));
        if said != expected {
            wrong.push(format!("{name}: {said:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(index.len(), TABLE.len(), "every message of the index has its row");
}

#[test]
fn answers_of_the_wire_layer_are_those_the_rfcs_ask_for_or_tolerate() {
    let index = index();
    for (name, expected, _) in TABLE {
        let of = |key: &str| -> Vec<String> {
            let list = index[name][key].as_array().cloned().unwrap_or_default();
            list.iter().map(|v| v.as_str().unwrap().to_owned()).collect()
        };
        let allowed = [of("expect"), of("also")].concat();
        let fits = match expected {
            Answer(code @ (400 | 505)) => allowed.contains(&code.to_string()),
            Answer(code) => allowed.iter().any(|a| *a == code.to_string() || a == "wellformed"),
            Dropped(_) => allowed.iter().any(|a| a == "none"),
            Passes(_) => !allowed.iter().all(|a| a == "400" || a == "none") || name == "unksm2",
            Status(_) => true,
        };
        assert!(fits, "{name}: {expected:?} is none of {allowed:?}");
    }
}

#[test]
fn a_tortuous_invite_is_read_as_it_is_meant() {
    let wsinv = request("wsinv");
    let h = &wsinv.headers;
    assert_eq!(wsinv.uri.to_string(), "sip:vivekg@chair-dnrc.example.com;unknownparam");
    assert_eq!(wsinv.to_tag().as_deref(), Some("1918181833n"));
    assert_eq!(wsinv.from().unwrap().display.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(wsinv.from_tag().as_deref(), Some("98asjd8"));
    assert_eq!(h.number(HeaderName::MaxForwards), Some(68));
    assert_eq!(wsinv.cseq().unwrap().number, 9);
    assert_eq!(h.via_count(), 3);
    assert_eq!(h.via().unwrap().branch(), Some("390skdjuw"));
    assert_eq!(h.get(HeaderName::Subject), Some(""));
    assert_eq!(h.get_named("newfangledheader"), Some("newfangled value continued newfangled value"));
    assert!(h.content_type().unwrap().is("application", "sdp"));
    assert_eq!(h.routes()[0].uri.param("lr"), Some(""));
    let contact = h.contact().unwrap();
    assert_eq!(contact.display.as_deref(), Some("Quoted string \"\""));
    assert_eq!((contact.params.get("newparam"), contact.params.get("q")), (Some("newvalue"), Some("0.33")));
    assert_eq!(wsinv.body.len(), 150);
}

#[test]
fn the_wide_range_of_characters_is_grammar_not_noise() {
    let bytes = bytes_of("intmeth");
    let text = String::from_utf8(bytes).unwrap();
    let field = |name: &str| text.lines().find_map(|l| l.strip_prefix(name)).unwrap().to_owned();
    let from = NameAddr::parse(&field("From: ")).unwrap();
    assert_eq!(from.display.as_deref(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));
    let to = NameAddr::parse(&field("To: ")).unwrap();
    assert_eq!(to.display.as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
}

#[test]
fn escapes_mean_what_they_encode() {
    assert_eq!(request("esc01").uri.user().as_deref(), Some("sips:user@example.com"));
    assert_eq!(request("esc01").to().unwrap().uri.user().as_deref(), Some("user"));
    assert_eq!(request("semiuri").uri.user().as_deref(), Some("user;par=u@example.net"));
    let Some(Contacts::List(list)) = request("escnull").headers.contacts() else { panic!("a list") };
    let users: Vec<_> = list.iter().filter_map(|c| c.uri.user()).collect();
    assert_eq!(users, ["\0", "\0\0"]);
    assert!(!list[0].uri.is_same_as(&list[1].uri));
}

#[test]
fn contact_parameters_belong_where_the_brackets_put_them() {
    let contact = |name: &str| request(name).headers.contact().unwrap();
    assert!(contact("cparam01").params.contains("unknownparam"));
    assert_eq!(contact("cparam02").uri.param("unknownparam"), Some(""));
    assert_eq!(contact("regescrt").uri.to_string(), "sip:user@example.com?Route=%3Csip:sip.example.com%3E");
}

#[test]
fn addresses_of_ipv6_are_told_from_ports() {
    assert_eq!(request("port-ambiguous").uri.port(), None);
    assert_eq!(request("port-unambiguous").uri.port(), Some(5070));
    let via = request("mult-ip-in-header").top_via().unwrap();
    assert_eq!((via.host.as_str(), via.port), ("[2001:db8::9:1]", Some(6050)));
    assert_eq!(via.params.get("received"), Some("203.0.113.9"), "what we saw, not what was written");
}

#[test]
fn a_binary_body_comes_through_whole() {
    let all = bytes_of("mpart01");
    let Verdict::Request(message) = Wire::new(vec![Method::Message]).read(&source(), &all) else {
        panic!("a MESSAGE")
    };
    assert_eq!(message.body.len(), 553);
    assert_eq!(message.body, all[all.len() - 553..]);
    assert!(std::str::from_utf8(&message.body).is_err());
}

#[test]
fn unusual_reasons_are_kept() {
    let Verdict::Response(odd) = wire().read(&source(), &bytes_of("unreason")) else { panic!("a response") };
    assert!(odd.reason.starts_with("= 2**3 * 5**2 но сто"));
    let Verdict::Response(none) = wire().read(&source(), &bytes_of("noreason")) else { panic!("a response") };
    assert_eq!(none.reason, "");
}

#[test]
fn answers_carry_what_the_request_carried_and_the_methods_we_know() {
    let Verdict::Answer(answer) = wire().read(&source(), &bytes_of("esc02")) else { panic!("an answer") };
    let text = String::from_utf8(answer.bytes).unwrap();
    for line in [
        "SIP/2.0 501 Not Implemented",
        "Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234;received=203.0.113.9",
        "From: \"%Z%45\" <sip:resource@example.com>;tag=f232jadfj23",
        "Call-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf",
        "CSeq: 29344 RE%47IST%45R",
        "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER, INFO",
        "Content-Length: 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    let to = text.lines().find_map(|l| l.strip_prefix("To: ")).unwrap();
    assert!(NameAddr::parse(to).unwrap().tag().is_some(), "{to}");
}

#[test]
fn on_a_stream_the_second_of_two_requests_is_read_too() {
    let mut framer = Framer::new();
    framer.push(&bytes_of("dblreq"));
    let mut methods = Vec::new();
    // The second one's body is longer than it declares, so what follows begins no message.
    while let Some(Frame::Message(bytes)) = framer.poll() {
        methods.push(says(&wire().read(&source(), &bytes)));
    }
    assert_eq!(methods, [Passes(Register), Passes(Invite)]);
}

#[test]
fn on_a_stream_a_lost_length_ends_it_after_the_answer() {
    for name in ["ncl", "mcl01"] {
        let mut framer = Framer::new();
        framer.push(&bytes_of(name));
        let Some(Frame::Message(bytes)) = framer.poll() else { panic!("{name}: a message first") };
        assert_eq!(says(&wire().read(&source(), &bytes)), Answer(400), "{name}");
        assert!(matches!(framer.poll(), Some(Frame::Close(_))), "{name}");
        assert_eq!(framer.poll(), None);
    }
    let mut framer = Framer::new();
    framer.push(&bytes_of("clerr"));
    assert_eq!(framer.poll(), None, "the body may still come");
    assert!(framer.is_amid_message());
}
