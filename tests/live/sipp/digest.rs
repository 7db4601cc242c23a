//! Digest with SHA-256 offered first, and an answer that is used a second time.
use std::time::Duration;

use hotline::replay::{Phone, PhoneEvent, PhoneSettings};
use sha2::{Digest as _, Sha256};

use super::hand::{Fields, Hand, header, status};
use crate::house::{House, SOON, runtime};

const SHA_256_FIRST: &str = "digest = [\"SHA-256\", \"MD5\"]";

#[test]
fn a_phone_registers_where_sha_256_is_offered_first() {
    let house = House::open(SHA_256_FIRST);
    runtime().block_on(async {
        for (tcp, agent) in [(false, "8001"), (true, "8002")] {
            let mut settings = PhoneSettings::new(agent, house.sip);
            settings.password = Some(house.password(agent));
            settings.tcp = tcp;
            let mut phone = Phone::start(settings).await.unwrap();
            phone.register(Duration::from_mins(5)).await.unwrap();
            phone.wait("registration", SOON, |e| matches!(e, PhoneEvent::Registered(true, _))).await.unwrap();
        }
    });
}

#[test]
fn a_digest_answer_counts_once() {
    let house = House::open(SHA_256_FIRST);
    let hand = Hand::open(house.sip);
    let register = |cseq, branch, headers: &[String]| {
        hand.request(
            "REGISTER",
            "",
            cseq,
            &Fields { from: "8001", branch: Some(branch), headers, ..Fields::default() },
        )
    };
    hand.send(&register(1, "first", &[]));
    let challenge = hand.answer("REGISTER");
    assert_eq!(status(&challenge), 401);
    let offered: Vec<&str> = challenge.lines().filter(|l| l.starts_with("WWW-Authenticate: ")).collect();
    assert!(
        offered.len() == 2 && offered[0].contains("SHA-256") && offered[1].contains("MD5"),
        "{offered:?}"
    );

    let nonce =
        header(&challenge, "WWW-Authenticate").split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
    let proof = [proof(&house.password("8001"), nonce, &format!("sip:{}", house.sip))];
    let proved = register(2, "second", &proof);
    hand.send(&proved);
    let taken = hand.answer("REGISTER");
    assert_eq!(status(&taken), 200, "{taken}");
    // The same datagram again is a retransmission: the same answer.
    hand.send(&proved);
    assert_eq!(hand.answer("REGISTER"), taken);
    // A new request with the same answer is not: somebody listened.
    hand.send(&register(3, "third", &proof));
    let refused = hand.answer("REGISTER");
    assert_eq!(status(&refused), 401);
    assert!(refused.contains("stale=true"), "{refused}");
}

/// RFC 7616 section 3.4.1, by hand.
fn proof(password: &str, nonce: &str, uri: &str) -> String {
    let hash = |text: String| {
        Sha256::digest(text).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    };
    let ha1 = hash(format!("8001:hotline:{password}"));
    let ha2 = hash(format!("REGISTER:{uri}"));
    let response = hash(format!("{ha1}:{nonce}:00000001:abc:auth:{ha2}"));
    format!(
        "Authorization: Digest username=\"8001\", realm=\"hotline\", nonce=\"{nonce}\", uri=\"{uri}\", algorithm=SHA-256, \
         qop=auth, nc=00000001, cnonce=\"abc\", response=\"{response}\""
    )
}
