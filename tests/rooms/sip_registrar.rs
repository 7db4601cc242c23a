//! The registrar as a phone sees it, RFC 3261 section 10.3: proofs, bindings, refusals.
use std::time::Duration;

use hotline::sip::{Account, Destination, SipEvent, StoredBinding};

use crate::support::sip_peer::{Peer, Sent};
use crate::support::sip_world::{REALM, UDP, account};

/// A registrar with an account for amy, and what a phone computes.
struct Phone {
    p: Peer,
    cseq: u32,
    call_id: &'static str,
}

impl Phone {
    fn new() -> Self {
        let p = Peer::new(|s| {
            s.accounts.extend([account("amy", "secret"), account("ben", "secret")]);
        });
        Self { p, cseq: 0, call_id: "r1" }
    }

    fn send(&mut self, user: &str, more: &str) -> Sent {
        self.cseq += 1;
        let head = format!(
            "From: <sip:{user}@hotline>;tag=t\nTo: <sip:{user}@hotline>\nCall-ID: {}\nCSeq: {} REGISTER\n{more}",
            self.call_id, self.cseq
        );
        self.p.request("REGISTER", "sip:hotline", &head, "").pop().unwrap()
    }

    /// A proved REGISTER.
    fn register(&mut self, user: &str, more: &str) -> Sent {
        let challenge = self.send(user, more);
        assert_eq!(challenge.status(), "401");
        let nonce = challenge.field("WWW-Authenticate").split("nonce=\"").nth(1).unwrap();
        let nonce = nonce.split('"').next().unwrap().to_owned();
        let authorization = digest(user, "secret", &nonce);
        self.send(user, format!("{more}\nAuthorization: {authorization}").trim_start())
    }
}

/// RFC 7616 by hand, from the account's H(A1).
fn digest(user: &str, password: &str, nonce: &str) -> String {
    use hotline::sip::DigestAlgorithm::Md5;
    let ha1 = Account::from_password(user, REALM, password);
    let ha1 = ha1.ha1(Md5).unwrap();
    // H(a:b:c) is what an account stores, so it hashes for us.
    let hash3 = |a: &str, b: &str, c: &str| Account::from_password(a, b, c).ha1(Md5).unwrap().to_owned();
    let ha2 = hash3("REGISTER", "sip", "hotline");
    let response = hash3(ha1, nonce, &format!("00000001:cn:auth:{ha2}"));
    format!(
        "Digest username=\"{user}\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"sip:hotline\", response=\"{response}\", \
         algorithm=MD5, cnonce=\"cn\", qop=auth, nc=00000001"
    )
}

const CONTACT: &str = "Contact: <sip:amy@10.0.0.5:5060>";

#[test]
fn a_binding_is_made_listed_and_reached_by_the_flow_it_came_over() {
    let mut phone = Phone::new();
    phone.p.at = "203.0.113.7:31000".parse().unwrap();
    let ok = phone.register("amy", CONTACT);
    assert_eq!((ok.status(), ok.field("Contact")), ("200", "<sip:amy@10.0.0.5:5060>;expires=3600"));
    let registered = SipEvent::Registered { user: "amy".into(), contact: "sip:amy@10.0.0.5:5060".into() };
    assert_eq!(phone.p.events(), [registered]);
    let to = Destination::Datagram { listener: UDP, to: phone.p.at };
    assert_eq!(phone.p.ua.contact("amy").unwrap().to, to);
    // A refresh changes nothing, but it is a sign of life.
    assert_eq!(phone.register("amy", CONTACT).status(), "200");
    assert_eq!(phone.p.events(), [SipEvent::Renewed { user: "amy".into() }]);
    // Without Contact it is a question.
    assert_eq!(phone.register("amy", "").fields("Contact").len(), 1);
}

#[test]
fn nobody_registers_for_somebody_else() {
    let mut phone = Phone::new();
    let challenge = phone.send("amy", CONTACT);
    let nonce =
        challenge.field("WWW-Authenticate").split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
    let as_ben = digest("ben", "secret", nonce);
    assert_eq!(phone.send("amy", &format!("{CONTACT}\nAuthorization: {as_ben}")).status(), "403");
    assert_eq!((phone.p.events(), phone.p.ua.contact("amy")), (vec![], None));
}

#[test]
fn known_and_unknown_users_hear_the_same() {
    let mut phone = Phone::new();
    let mut answers = Vec::new();
    for user in ["amy", "nobody"] {
        let challenge = phone.send(user, CONTACT);
        let nonce =
            challenge.field("WWW-Authenticate").split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
        let wrong = digest(user, "guess", nonce);
        let refused = phone.send(user, &format!("{CONTACT}\nAuthorization: {wrong}"));
        let shape = |sent: &Sent| {
            let names: Vec<_> = sent.text.lines().map(|l| l.split(':').next().unwrap().to_owned()).collect();
            (
                sent.first_line().to_owned(),
                names,
                sent.field("WWW-Authenticate").split("nonce").next().unwrap().to_owned(),
            )
        };
        answers.push((shape(&challenge), shape(&refused)));
    }
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn times_are_bounded_below_by_423_and_above_by_shortening() {
    let mut phone = Phone::new();
    let brief = phone.register("amy", &format!("{CONTACT};expires=59"));
    assert_eq!((brief.status(), brief.field("Min-Expires")), ("423", "60"));
    let long = phone.register("amy", &format!("{CONTACT}\nExpires: 999999999999"));
    assert_eq!(long.field("Contact"), "<sip:amy@10.0.0.5:5060>;expires=3600");
    let own = phone.register("amy", &format!("{CONTACT};expires=60\nExpires: 600"));
    assert_eq!(own.field("Contact"), "<sip:amy@10.0.0.5:5060>;expires=60");
    phone.p.events();
    phone.p.pass(Duration::from_secs(61));
    assert_eq!(phone.p.events(), [SipEvent::Unregistered { user: "amy".into() }]);
}

#[test]
fn a_star_removes_all_and_nothing_else_may_stand_beside_it() {
    let mut phone = Phone::new();
    phone.register("amy", CONTACT);
    assert_eq!(phone.register("amy", "Contact: *").status(), "400");
    assert_eq!(phone.register("amy", "Contact: *\nExpires: 60").status(), "400");
    assert_eq!(phone.p.ua.contacts("amy").len(), 1);
    assert_eq!(phone.register("amy", "Contact: *\nExpires: 0").status(), "200");
    assert_eq!(phone.p.ua.contacts("amy").len(), 0);
    assert_eq!(phone.p.events().len(), 2);
}

#[test]
fn a_fifth_phone_displaces_the_one_refreshed_longest_ago() {
    let mut phone = Phone::new();
    for n in [1, 2, 3, 4, 1, 5] {
        phone.register("amy", &format!("Contact: <sip:amy@10.0.0.{n}>"));
    }
    let kept: Vec<_> = phone.p.ua.contacts("amy").into_iter().map(|b| b.uri).collect();
    assert_eq!(kept, ["sip:amy@10.0.0.5", "sip:amy@10.0.0.1", "sip:amy@10.0.0.4", "sip:amy@10.0.0.3"]);
    assert_eq!(phone.p.ua.counts().bindings_displaced, 1);
}

#[test]
fn an_older_number_of_the_same_call_id_changes_nothing() {
    let mut phone = Phone::new();
    phone.register("amy", CONTACT);
    // Not so soon that it would be the same request over another path (482).
    phone.p.pass(Duration::from_secs(40));
    phone.cseq = 0;
    assert_eq!(phone.register("amy", &format!("{CONTACT};expires=0")).status(), "500");
    assert_eq!(phone.p.ua.contacts("amy").len(), 1);
    // A phone that began anew has another Call-ID.
    phone.call_id = "r2";
    assert_eq!(phone.register("amy", &format!("{CONTACT};expires=0")).status(), "200");
    assert_eq!(phone.p.ua.contacts("amy").len(), 0);
}

#[test]
fn only_so_many_users_are_held() {
    let mut phone = Phone::new();
    phone.p = Peer::new(|s| {
        s.accounts.extend([account("amy", "secret"), account("ben", "secret")]);
        s.limits.bound_users = 1;
    });
    assert_eq!(phone.register("amy", CONTACT).status(), "200");
    assert_eq!(phone.register("ben", "Contact: <sip:ben@10.0.0.6>").status(), "503");
    assert_eq!(phone.p.ua.counts().users_refused, 1);
}

#[test]
fn an_account_that_is_gone_takes_its_phone_along() {
    let mut phone = Phone::new();
    phone.register("amy", CONTACT);
    phone.p.events();
    phone.p.ua.set_accounts([account("ben", "secret")].into());
    assert_eq!(phone.p.events(), [SipEvent::Unregistered { user: "amy".into() }]);
}

#[test]
fn stored_bindings_of_strangers_and_broken_ones_are_left_out() {
    let mut phone = Phone::new();
    let stored = |user: &str, uri: &str, seconds| StoredBinding {
        user: user.into(),
        uri: uri.into(),
        to: Destination::Datagram { listener: UDP, to: "10.0.0.5:5060".parse().unwrap() },
        remaining: Duration::from_secs(seconds),
        sip_call_id: "old".into(),
        cseq: 7,
    };
    let all = vec![
        stored("amy", "sip:amy@10.0.0.5", 100),
        stored("eve", "sip:eve@10.0.0.5", 100),
        stored("ben", "", 100),
        stored("ben", "sip:ben@10.0.0.5", 0),
    ];
    phone.p.ua.import_bindings(phone.p.now, all);
    assert_eq!((phone.p.ua.held().bindings, phone.p.events().len()), (1, 1));
    assert_eq!(phone.p.ua.export_bindings(phone.p.now).len(), 1);
}
