//! Who agrees on SRTP with whom: policies of both ends, RFC 4568 and RFC 8643.
use hotline::base::Rng;
use hotline::media::Codec;
use hotline::node::LegSound;
use hotline::sdp::SrtpPolicy;

fn leg(port: u16, policy: Option<SrtpPolicy>) -> LegSound {
    let mut leg = LegSound::new([127, 0, 0, 1].into(), port, &[Codec::Pcma], u64::from(port));
    if let Some(policy) = policy {
        leg.secure(policy, &mut Rng::from_number(u64::from(port)));
    }
    leg
}

/// `None`: no call. Else whether it is protected, seen from both ends alike.
#[expect(clippy::unwrap_in_result, reason = "who agreed has a far end")]
fn agree(caller: Option<SrtpPolicy>, callee: Option<SrtpPolicy>) -> Option<bool> {
    let (mut a, mut b) = (leg(20_000, caller), leg(20_002, callee));
    let offer = a.offer();
    b.answer(&offer).ok()?;
    a.accept(&b.take_answer()).ok()?;
    let (at_a, at_b) = (a.remote().unwrap().srtp, b.remote().unwrap().srtp);
    if let (Some(x), Some(y)) = (at_a, at_b) {
        assert!(x.ours == y.theirs && x.theirs == y.ours && x.ours != x.theirs && x.suite == y.suite);
    }
    assert_eq!(at_a.is_some(), at_b.is_some());
    Some(at_a.is_some())
}

#[test]
fn what_two_policies_come_to() {
    use SrtpPolicy::{Off, Offer, Require};
    let all = [None, Some(Off), Some(Offer), Some(Require)];
    let outcomes: Vec<String> = all
        .iter()
        .map(|caller| {
            let row = all.iter().map(|callee| match agree(*caller, *callee) {
                None => "no call",
                Some(true) => "srtp",
                Some(false) => "rtp",
            });
            row.collect::<Vec<_>>().join(", ")
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            "rtp, rtp, rtp, no call",
            "rtp, rtp, rtp, no call",
            "rtp, rtp, srtp, srtp",
            "no call, no call, srtp, srtp",
        ]
    );
}

fn body(protocol: &str, crypto: &[&str]) -> String {
    let lines = crypto.iter().fold(String::new(), |all, c| all + "a=crypto:" + c + "\r\n");
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 30000 {protocol} 8\r\n{lines}"
    )
}

const KEY: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

#[test]
fn the_first_line_that_we_speak_is_taken_with_its_tag() {
    let mut b = leg(20_002, Some(SrtpPolicy::Offer));
    let lines = [
        format!("7 AEAD_AES_256_GCM {KEY}"),
        format!("8 AES_CM_128_HMAC_SHA1_32 {KEY}|2^31"),
        format!("9 AES_CM_128_HMAC_SHA1_80 {KEY}"),
    ];
    b.answer(body("RTP/SAVP", &lines.each_ref().map(String::as_str)).as_bytes()).unwrap();
    let answer = String::from_utf8(b.take_answer()).unwrap();
    assert!(answer.contains("RTP/SAVP"), "{answer}");
    assert_eq!(answer.matches("a=crypto:").count(), 1);
    assert!(answer.contains("a=crypto:8 AES_CM_128_HMAC_SHA1_32 inline:"), "{answer}");
    assert!(!answer.contains(KEY), "our key is our own");
}

#[test]
fn savp_without_keys_that_we_can_use_is_refused_and_changes_nothing() {
    let mut b = leg(20_002, Some(SrtpPolicy::Offer));
    let line = format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}");
    b.answer(body("RTP/SAVP", &[&line]).as_bytes()).unwrap();
    b.take_answer();
    let before = b.remote();
    for bad in ["", "1 AES_CM_128_HMAC_SHA1_80 inline:short", "1 F8_128_HMAC_SHA1_80 inline:x"] {
        assert!(b.answer(body("RTP/SAVP", &[bad]).as_bytes()).is_err(), "{bad}");
    }
    assert_eq!(b.remote(), before);
    // In the clear no key is taken, whatever is offered.
    assert!(leg(20_002, None).answer(body("RTP/SAVP", &[&line]).as_bytes()).is_err());
    assert!(leg(20_002, Some(SrtpPolicy::Off)).answer(body("RTP/SAVP", &[&line]).as_bytes()).is_err());
}

#[test]
fn a_new_offer_brings_a_new_key_of_theirs_and_keeps_ours() {
    let mut b = leg(20_002, Some(SrtpPolicy::Offer));
    let line = format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}");
    b.answer(body("RTP/SAVP", &[&line]).as_bytes()).unwrap();
    let first = (String::from_utf8(b.take_answer()).unwrap(), b.remote().unwrap().srtp.unwrap());
    let line = line.replace("WVNf", "AAAA");
    b.answer(body("RTP/SAVP", &[&line]).as_bytes()).unwrap();
    let second = b.remote().unwrap().srtp.unwrap();
    assert!(first.1.theirs != second.theirs && first.1.ours == second.ours);
    // An offer of ours stays protected.
    let offer = String::from_utf8(b.offer()).unwrap();
    assert!(offer.contains("RTP/SAVP") && offer.matches("a=crypto:").count() == 2, "{offer}");
}

#[test]
fn an_answer_with_another_tag_or_suite_than_ours_is_none() {
    for bad in [
        format!("3 AES_CM_128_HMAC_SHA1_80 {KEY}"),
        format!("1 AES_CM_128_HMAC_SHA1_32 {KEY}"),
        String::new(),
    ] {
        let mut a = leg(20_000, Some(SrtpPolicy::Require));
        a.offer();
        assert!(a.accept(body("RTP/SAVP", &[&bad]).as_bytes()).is_err(), "{bad}");
    }
    let mut a = leg(20_000, Some(SrtpPolicy::Require));
    a.offer();
    a.accept(body("RTP/SAVP", &[&format!("2 AES_CM_128_HMAC_SHA1_32 {KEY}")]).as_bytes()).unwrap();
}
