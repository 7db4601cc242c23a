//! Routes (RFC 3261 sections 12 and 16): proxies that stay in the path, in both roles, loose and strict, one and two of
//! them, and in early dialogs.
use std::time::Duration;

use hotline::sip::{Destination, Identity, InviteId, OutgoingInvite};

use crate::support::sip_peer::{Peer, Sent};
use crate::support::sip_world::UDP;

const SDP: &str = "Content-Type: application/sdp";

fn udp(address: &str) -> Destination {
    Destination::Datagram { listener: UDP, to: address.parse().unwrap() }
}

fn called(p: &mut Peer, route: &[&str]) -> (InviteId, Sent) {
    let wanted = OutgoingInvite {
        request_uri: "sip:bob@192.0.2.9:5060".into(),
        to: udp("192.0.2.20:5060"),
        route: route.iter().map(|r| (*r).to_owned()).collect(),
        from: Identity { user: "hotline".into(), host: String::new(), display: String::new() },
        extra_headers: Vec::new(),
        offer: Some(b"v=0\r\n".to_vec()),
        credentials: None,
    };
    let id = p.ua.invite(p.now, wanted);
    (id, p.sent().pop().unwrap())
}

/// What a request within the dialog looks like: its target, its routes and where it is sent.
fn path(sent: &Sent) -> (String, Vec<&str>, Destination) {
    let uri = sent.first_line().split(' ').nth(1).unwrap().to_owned();
    (uri, sent.fields("Route"), sent.to)
}

/// As caller: the Record-Route of a 2xx, first to last; what our BYE does with it.
fn bye_after(record_route: &[&str]) -> Sent {
    let mut p = Peer::new(|_| ());
    let (id, invite) = called(&mut p, &[]);
    let routes = record_route.iter().fold(String::new(), |all, r| all + "Record-Route: " + r + "\n");
    let ack =
        p.respond(&invite, "200 OK", "t", &format!("{routes}Contact: <sip:bob@192.0.2.33:5070>\n{SDP}"));
    p.ua.end(p.now, id);
    let bye = p.sent().pop().unwrap();
    assert_eq!(path(&ack[0]), path(&bye), "the ACK takes the same way");
    bye
}

#[test]
fn the_caller_follows_record_routes_in_reverse() {
    let bye = bye_after(&["<sip:192.0.2.21:5080;lr>", "<sip:192.0.2.20;lr>"]);
    let routes = vec!["<sip:192.0.2.20;lr>", "<sip:192.0.2.21:5080;lr>"];
    assert_eq!(path(&bye), ("sip:bob@192.0.2.33:5070".into(), routes, udp("192.0.2.20:5060")));
}

#[test]
fn several_in_one_field_are_the_same_as_several_fields() {
    let bye = bye_after(&["<sip:192.0.2.21:5080;lr>, <sip:192.0.2.20;lr;x=y>"]);
    assert_eq!(bye.fields("Route"), ["<sip:192.0.2.20;lr;x=y>", "<sip:192.0.2.21:5080;lr>"]);
}

#[test]
fn a_proxy_with_two_faces_stands_twice() {
    // RFC 5658: one proxy between two networks records both of its addresses.
    let bye = bye_after(&["<sip:198.51.100.1;lr>", "<sip:192.0.2.20;lr>"]);
    assert_eq!((bye.fields("Route").len(), bye.to), (2, udp("192.0.2.20:5060")));
}

#[test]
fn the_caller_puts_a_strict_router_into_the_request_uri() {
    let bye = bye_after(&["<sip:192.0.2.21;lr>", "<sip:192.0.2.20:5090>"]);
    let routes = vec!["<sip:192.0.2.21;lr>", "<sip:bob@192.0.2.33:5070>"];
    assert_eq!(path(&bye), ("sip:192.0.2.20:5090".into(), routes, udp("192.0.2.20:5090")));
}

#[test]
fn a_strict_router_behind_a_loose_one_is_that_ones_business() {
    let bye = bye_after(&["<sip:192.0.2.21>", "<sip:192.0.2.20;lr>"]);
    let routes = vec!["<sip:192.0.2.20;lr>", "<sip:192.0.2.21>"];
    assert_eq!(path(&bye), ("sip:bob@192.0.2.33:5070".into(), routes, udp("192.0.2.20:5060")));
}

#[test]
fn the_callee_follows_record_routes_in_their_order_and_repeats_them() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("Require: 100rel\nRecord-Route: <sip:192.0.2.20;lr>, <sip:192.0.2.21:5080;lr>");
    p.ua.ring(p.now, id);
    let ringing = p.sent().pop().unwrap();
    assert_eq!(ringing.fields("Record-Route"), ["<sip:192.0.2.20;lr>, <sip:192.0.2.21:5080;lr>"]);
    p.ua.answer(p.now, id, b"v=0\r\n".to_vec());
    let ok = p.sent().pop().unwrap();
    assert_eq!(ok.fields("Record-Route"), ringing.fields("Record-Route"));
    let tag = ok.tag_of("To");
    p.within("ACK", (&tag, "pt", 1), "", "");
    p.ua.end(p.now, id);
    let bye = p.sent().pop().unwrap();
    let routes = vec!["<sip:192.0.2.20;lr>", "<sip:192.0.2.21:5080;lr>"];
    assert_eq!(path(&bye), ("sip:peer@192.0.2.9:5060".into(), routes, udp("192.0.2.20:5060")));
}

#[test]
fn a_route_set_does_not_change_while_the_dialog_lives() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking("Record-Route: <sip:192.0.2.20;lr>");
    p.within("UPDATE", (&tag, "pt", 2), "Record-Route: <sip:192.0.2.66;lr>", "");
    p.ua.end(p.now, id);
    let bye = p.sent().pop().unwrap();
    assert_eq!((bye.fields("Route"), bye.to), (vec!["<sip:192.0.2.20;lr>"], udp("192.0.2.20:5060")));
}

#[test]
fn an_early_dialog_has_the_routes_of_its_own_response_and_the_answer_sets_them_anew() {
    let mut p = Peer::new(|_| ());
    let (id, invite) = called(&mut p, &["<sip:192.0.2.20;lr>"]);
    assert_eq!(invite.fields("Route"), ["<sip:192.0.2.20;lr>"]);
    let early = |who: u8| {
        format!(
            "Record-Route: <sip:192.0.2.{who};lr>\nContact: <sip:f@192.0.2.1{who}:5060>\nRequire: 100rel\nRSeq: 1"
        )
    };
    for (tag, who) in [("f1", 41), ("f2", 42)] {
        let prack = p.respond(&invite, "180 Ringing", tag, &early(who)).pop().unwrap();
        let target = format!("sip:f@192.0.2.1{who}:5060");
        let route = format!("<sip:192.0.2.{who};lr>");
        assert_eq!(path(&prack), (target, vec![route.as_str()], udp(&format!("192.0.2.{who}:5060"))));
    }
    let ok = format!("Record-Route: <sip:192.0.2.50;lr>\nContact: <sip:f@192.0.2.51:5060>\n{SDP}");
    let ack = p.respond(&invite, "200 OK", "f1", &ok).pop().unwrap();
    let routes = vec!["<sip:192.0.2.50;lr>"];
    assert_eq!(path(&ack), ("sip:f@192.0.2.51:5060".into(), routes, udp("192.0.2.50:5060")));
    p.ua.end(p.now, id);
    assert_eq!(p.sent().pop().unwrap().field("CSeq"), "3 BYE");
    p.pass(Duration::from_secs(70));
    assert_eq!(p.ua.held().invites, 0);
}
