//! Requests with the name of a dialog that is not quite right: ten forms, each with a wrong tag of ours, a wrong tag of the
//! peer, a wrong Call-ID, and all right but from somewhere else. Nothing changes, nobody hears of it.
use hotline::sip::{NamedDialog, Replaces, SipEvent};

use crate::support::sip_peer::Peer;

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    ToTag,
    FromTag,
    CallId,
    Source,
}

const ALL: [Wrong; 4] = [Wrong::ToTag, Wrong::FromTag, Wrong::CallId, Wrong::Source];
const SDP: &str = "v=0\no=x 1 1 IN IP4 192.0.2.66\ns=-\nc=IN IP4 192.0.2.66\nt=0 0\nm=audio 4000 RTP/AVP 8\n";

/// Sends the request of the call with `tag`, spoilt; hands back the statuses of what comes.
fn forge(p: &mut Peer, (method, tag, number): (&str, &str, u32), wrong: Wrong, more: &str) -> Vec<String> {
    let right = p.at;
    let to = if wrong == Wrong::ToTag { "0123456789" } else { tag };
    let from = if wrong == Wrong::FromTag { "px" } else { "pt" };
    let call = if wrong == Wrong::CallId { "c2" } else { "c1" };
    if wrong == Wrong::Source {
        p.at = "192.0.2.66:5060".parse().unwrap();
    }
    let (kind, body) = if matches!(method, "INVITE" | "UPDATE") {
        ("Content-Type: application/sdp\n", SDP)
    } else if method == "INFO" {
        ("Content-Type: application/dtmf-relay\n", "Signal=5\n")
    } else {
        ("", "")
    };
    let head = format!(
        "From: <sip:peer@192.0.2.9>;tag={from}\nTo: <sip:1000@192.0.2.1>;tag={to}\nCall-ID: {call}\nCSeq: {number} \
         {method}\nContact: <sip:x@192.0.2.66:5060>\n{kind}{more}"
    );
    let sent = p.request(method, "sip:1000@192.0.2.1", &head, body);
    p.at = right;
    sent.iter().map(|s| s.status().to_owned()).filter(|s| s != "100").collect()
}

fn assert_unchanged(p: &mut Peer, id: hotline::sip::InviteId, what: &str) {
    assert_eq!(p.events(), [], "{what}");
    assert_eq!(p.ua.describe(id), Some("confirmed"), "{what}");
}

#[test]
fn a_request_with_a_wrong_name_of_a_dialog_is_refused_and_changes_nothing() {
    let forms = [
        ("BYE", ""),
        ("INVITE", ""),
        ("UPDATE", ""),
        ("INFO", ""),
        ("REFER", "Refer-To: <sip:900@192.0.2.1>\n"),
        ("PRACK", "RAck: 1 1 INVITE\n"),
        ("NOTIFY", "Event: refer\nSubscription-State: active\n"),
    ];
    for wrong in ALL {
        let mut p = Peer::new(|_| ());
        let (id, tag, _) = p.talking("");
        let expected = if wrong == Wrong::Source { "401" } else { "481" };
        for (number, (method, more)) in (1_000..).zip(forms) {
            let got = forge(&mut p, (method, &tag, number), wrong, more);
            assert_eq!(got, [expected], "{method} with a wrong {wrong:?}");
            assert_unchanged(&mut p, id, method);
        }
        assert!(forge(&mut p, ("ACK", &tag, 1), wrong, "").is_empty());
        assert_unchanged(&mut p, id, "ACK");
        // The peer's own next number is still free: nothing of the above counted.
        let sent = p.within("INFO", (&tag, "pt", 2), "Content-Type: application/dtmf-relay", "Signal=7\n");
        assert_eq!(sent[0].status(), "200", "{wrong:?}");
        assert!(matches!(p.events().as_slice(), [SipEvent::Key { .. }]));
        // And it still ends the call.
        assert_eq!(p.within("BYE", (&tag, "pt", 3), "", "")[0].status(), "200");
    }
}

#[test]
fn an_ack_of_somebody_else_acknowledges_nothing() {
    for wrong in ALL {
        let mut p = Peer::new(|_| ());
        let id = p.invited("");
        p.ua.answer(p.now, id, b"v=0\r\n".to_vec());
        let tag = p.sent().pop().unwrap().tag_of("To");
        assert!(forge(&mut p, ("ACK", &tag, 1), wrong, "").is_empty());
        assert_eq!((p.events(), p.ua.describe(id)), (vec![], Some("answered")), "{wrong:?}");
        p.within("ACK", (&tag, "pt", 1), "", "");
        assert_eq!(p.ua.describe(id), Some("confirmed"));
    }
}

#[test]
fn a_cancel_of_somebody_else_cancels_nothing() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("");
    // Another branch, and the same branch by another sender: neither names the INVITE's transaction.
    let cancel = |via: &str| {
        format!(
            "CANCEL sip:1000@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP {via}\nMax-Forwards: 70\nFrom: \
             <sip:peer@192.0.2.9>;tag=pt\nTo: <sip:1000@192.0.2.1>\nCall-ID: c1\nCSeq: 1 CANCEL\nContent-Length: 0\n\n"
        )
    };
    for via in ["192.0.2.9:5060;branch=z9hG4bKother;rport", "192.0.2.66:5060;branch=z9hG4bKp1;rport"] {
        let sent = p.raw(&cancel(via));
        assert_eq!(sent[0].status(), "481", "{via}");
        assert_eq!((p.events(), p.ua.describe(id)), (vec![], Some("proceeding")), "{via}");
    }
    p.raw(&cancel("192.0.2.9:5060;branch=z9hG4bKp1;rport"));
    assert!(matches!(p.events().as_slice(), [SipEvent::Ended { .. }]));
}

#[test]
fn a_replaces_with_a_wrong_name_names_nothing() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking("");
    let right = Replaces { call_id: "c1".into(), to_tag: tag, from_tag: "pt".into(), early_only: false };
    assert_eq!(p.ua.named_dialog(&right), NamedDialog::Confirmed(id));
    for wrong in [
        Replaces { to_tag: "x".into(), ..right.clone() },
        Replaces { from_tag: "x".into(), ..right.clone() },
        Replaces { call_id: "x".into(), ..right.clone() },
        // The peer's own view of it: tags the wrong way round.
        Replaces { to_tag: right.from_tag.clone(), from_tag: right.to_tag.clone(), ..right.clone() },
    ] {
        assert_eq!(p.ua.named_dialog(&wrong), NamedDialog::Missing, "{wrong}");
    }
}

#[test]
fn a_phone_that_has_moved_proves_who_it_is() {
    use crate::support::sip_peer::proof;
    let mut p = Peer::new(|s| {
        let account = hotline::sip::Account::from_password("8001", &s.realm, "secret word");
        s.accounts.insert("8001".into(), account);
    });
    let (id, tag, _) = p.talking("");
    p.at = "192.0.2.66:5060".parse().unwrap();
    let sent = p.within("BYE", (&tag, "pt", 2), "", "");
    assert_eq!(sent[0].status(), "401");
    assert_eq!(p.ua.describe(id), Some("confirmed"));
    let authorization =
        proof("8001", "secret word", sent[0].field("WWW-Authenticate"), "BYE", "sip:1000@192.0.2.1");
    let sent = p.within("BYE", (&tag, "pt", 3), &format!("Authorization: {authorization}"), "");
    assert_eq!(sent[0].status(), "200", "{}", sent[0].text);
    assert_eq!((p.ua.counts().dialogs_foreign, p.ua.describe(id)), (1, None));
}
