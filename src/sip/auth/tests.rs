//! Digest, both sides: the examples of RFC 7616 section 3.9.1, replays, stale nonces, forged answers.
use std::time::Duration;

use super::client::Challenge;
use super::server::{CountsUsed, uri_covers};
use super::*;
use crate::base::{Instant, Rng};

const REALM: &str = "hotline";

fn server(bound: usize) -> DigestServer {
    let algorithms = vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5];
    DigestServer::new(REALM.into(), algorithms, Duration::from_mins(5), bound, Rng::from_number(1))
}

fn accounts() -> BTreeMap<String, Account> {
    [("amy".to_owned(), Account::from_password("amy", REALM, "secret"))].into()
}

fn client(password: &str) -> DigestClient {
    DigestClient::new(Credentials { user: "amy".into(), password: password.into(), realm: None })
}

fn refs(values: &[String]) -> Vec<&str> {
    values.iter().map(String::as_str).collect()
}

fn verify(server: &mut DigestServer, at_s: u64, value: &str) -> Proof {
    let claim = Claim { method: "REGISTER", uri: "sip:hotline", values: &[value] };
    server.verify(Instant::from_secs(at_s), &accounts(), claim)
}

fn rfc_7616(algorithm: DigestAlgorithm) -> String {
    let challenge = Challenge {
        algorithm,
        realm: "http-auth@example.org".into(),
        nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v".into(),
        opaque: Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS".into()),
        counted: true,
        count: 1,
    };
    let who = Credentials { user: "Mufasa".into(), password: "Circle of Life".into(), realm: None };
    let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    parameters(&challenge.answer(&who, "GET", "/dir/index.html", cnonce)).unwrap()["response"].clone()
}

#[test]
fn the_examples_of_rfc_7616_section_3_9_1_come_out() {
    assert_eq!(rfc_7616(DigestAlgorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
    assert_eq!(
        rfc_7616(DigestAlgorithm::Sha256),
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    );
}

#[test]
fn the_first_algorithm_that_we_know_is_answered() {
    let (mut server, mut client) = (server(10), client("secret"));
    let values = server.challenge(Instant::ZERO, false);
    assert!(values[0].contains("algorithm=SHA-256") && values[1].contains("algorithm=MD5"), "{values:?}");
    assert!(client.challenged(&refs(&values)));
    let answer = client.answer("REGISTER", "sip:hotline", &mut Rng::from_number(2)).unwrap();
    assert!(answer.contains("algorithm=SHA-256"), "{answer}");
    assert_eq!(verify(&mut server, 1, &answer), Proof::Proved("amy".into()));
}

#[test]
fn an_answer_is_accepted_once_and_the_next_count_again() {
    let (mut server, mut client, mut rng) = (server(10), client("secret"), Rng::from_number(2));
    assert!(client.challenged(&refs(&server.challenge(Instant::ZERO, false))));
    let first = client.answer("REGISTER", "sip:hotline", &mut rng).unwrap();
    let second = client.answer("REGISTER", "sip:hotline", &mut rng).unwrap();
    let third = client.answer("REGISTER", "sip:hotline", &mut rng).unwrap();
    assert_eq!(verify(&mut server, 1, &first), Proof::Proved("amy".into()));
    assert_eq!(verify(&mut server, 1, &first), Proof::Stale);
    assert_eq!(verify(&mut server, 1, &third), Proof::Proved("amy".into()));
    assert_eq!(verify(&mut server, 1, &second), Proof::Proved("amy".into()), "late, but not used");
    assert_eq!(verify(&mut server, 1, &second), Proof::Stale);
}

#[test]
fn an_old_nonce_is_stale_and_a_stale_one_is_answered_anew() {
    let (mut server, mut client, mut rng) = (server(10), client("secret"), Rng::from_number(2));
    assert!(client.challenged(&refs(&server.challenge(Instant::ZERO, false))));
    let late = client.answer("REGISTER", "sip:hotline", &mut rng).unwrap();
    assert_eq!(verify(&mut server, 301, &late), Proof::Stale);
    let again = server.challenge(Instant::from_secs(301), true);
    assert!(again[0].ends_with("stale=true"));
    assert!(client.challenged(&refs(&again)));
    let answer = client.answer("REGISTER", "sip:hotline", &mut rng).unwrap();
    assert_eq!(verify(&mut server, 302, &answer), Proof::Proved("amy".into()));
}

#[test]
fn a_wrong_password_is_refused_and_not_tried_again() {
    let (mut server, mut client, mut rng) = (server(10), client("guess"), Rng::from_number(2));
    assert!(client.challenged(&refs(&server.challenge(Instant::ZERO, false))));
    let answer = client.answer("REGISTER", "sip:hotline", &mut rng).unwrap();
    assert_eq!(verify(&mut server, 1, &answer), Proof::Refused);
    assert_eq!(server.refused(), 1);
    assert!(!client.challenged(&refs(&server.challenge(Instant::ZERO, false))));
}

#[test]
fn known_and_unknown_users_get_the_same_answer() {
    let mut server = server(10);
    for user in ["amy", "nobody"] {
        let mut client =
            DigestClient::new(Credentials { user: user.into(), password: "x".into(), realm: None });
        assert!(client.challenged(&refs(&server.challenge(Instant::ZERO, false))));
        let answer = client.answer("REGISTER", "sip:hotline", &mut Rng::from_number(2)).unwrap();
        assert_eq!(verify(&mut server, 1, &answer), Proof::Refused, "{user}");
    }
}

#[test]
fn a_forged_or_altered_answer_is_refused() {
    let (mut server, mut client, mut rng) = (server(10), client("secret"), Rng::from_number(2));
    assert!(client.challenged(&refs(&server.challenge(Instant::ZERO, false))));
    let right = client.answer("REGISTER", "sip:hotline", &mut rng).unwrap();
    for (from, to) in [
        ("username=\"amy\"", "username=\"eve\""),
        ("qop=auth", "qop=auth-int"),
        ("nc=00000001", "nc=00000002"),
        ("nc=00000001", "nc=1"),
        ("uri=\"sip:hotline\"", "uri=\"sip:elsewhere\""),
        ("algorithm=SHA-256", "algorithm=MD5"),
        ("algorithm=SHA-256", "algorithm=SHA-512-256"),
    ] {
        let wrong = right.replace(from, to);
        assert_ne!(wrong, right);
        assert_eq!(verify(&mut server, 1, &wrong), Proof::Refused, "{wrong}");
    }
    for garbage in ["", "Digest", "Basic YTpi", "Digest realm=\"hotl", "Digest ,,,=", "Digest a=b=c"] {
        assert_eq!(verify(&mut server, 1, garbage), Proof::Missing, "{garbage}");
    }
    assert_eq!(verify(&mut server, 1, &right), Proof::Proved("amy".into()));
}

#[test]
fn the_table_of_nonces_is_bounded_and_what_it_forgot_cannot_be_replayed() {
    let (mut server, mut rng) = (server(3), Rng::from_number(2));
    let mut answers = Vec::new();
    for ms in 1..=6 {
        let mut client = client("secret");
        let at = Instant::from_millis(ms);
        assert!(client.challenged(&refs(&server.challenge(at, false))));
        let answer = client.answer("REGISTER", "sip:hotline", &mut rng).unwrap();
        assert_eq!(verify(&mut server, 1, &answer), Proof::Proved("amy".into()));
        answers.push(answer);
    }
    assert_eq!((server.remembered(), server.displaced()), (3, 3));
    for answer in answers {
        assert_eq!(verify(&mut server, 2, &answer), Proof::Stale);
    }
}

#[test]
fn the_address_alone_may_be_hashed_but_no_other_user() {
    assert!(uri_covers("sip:127.0.0.1:5060", "sip:1000@127.0.0.1"));
    assert!(uri_covers("sip:1000@h;transport=tcp", "sip:1000@H"));
    assert!(!uri_covers("sip:1001@127.0.0.1", "sip:1000@127.0.0.1"));
    assert!(!uri_covers("sip:127.0.0.2", "sip:1000@127.0.0.1"));
}

#[test]
fn only_the_realm_named_by_the_credentials_is_answered() {
    let mut client = DigestClient::new(Credentials {
        user: "amy".into(),
        password: "secret".into(),
        realm: Some("trunk".into()),
    });
    assert!(!client.challenged(&["Digest realm=\"other\", nonce=\"n\", qop=\"auth\""]));
    assert!(client.challenged(&["Digest realm=\"trunk\", nonce=\"n\""]));
    let answer = client.answer("INVITE", "sip:a@b", &mut Rng::from_number(2)).unwrap();
    assert!(!answer.contains("nc="), "RFC 2069 has no count: {answer}");
}

#[test]
fn an_old_count_beyond_the_window_is_refused() {
    let mut counts = CountsUsed { highest: 1, before: 0 };
    assert!(counts.take(100));
    assert!(!counts.take(1) && !counts.take(35) && counts.take(36) && !counts.take(36) && counts.take(99));
}
