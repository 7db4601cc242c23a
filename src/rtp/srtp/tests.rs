//! RFC 3711's own vectors, a packet that other implementations agree on, the crate's own framing as a second opinion,
//! and everything that must not be taken.
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;

use super::*;
use crate::base::Rng;

const MASTER: &str = "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn master() -> SrtpKey {
    SrtpKey(hex(MASTER).try_into().unwrap())
}

fn keys(suite: SrtpSuite) -> SrtpKeys {
    SrtpKeys { suite, ours: master(), theirs: master() }
}

/// One end that hears itself: both keys are the same.
fn ends(suite: SrtpSuite) -> (Srtp, Srtp) {
    (Srtp::new(keys(suite)).unwrap(), Srtp::new(keys(suite)).unwrap())
}

const SUITES: [SrtpSuite; 2] = [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AesCm128HmacSha1_32];

fn rtp(ssrc: u32, number: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend(number.to_be_bytes());
    packet.extend(u32::from(number).wrapping_mul(160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

fn report(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x81, 200, 0, 12];
    packet.extend(ssrc.to_be_bytes());
    packet.extend([7; 44]);
    packet
}

fn protected(srtp: &mut Srtp, packet: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + SRTP_OVERHEAD, 0xEE);
    let length = srtp.protect(&mut buffer, packet.len())?;
    buffer.truncate(length);
    Some(buffer)
}

fn opened(srtp: &mut Srtp, packet: &[u8]) -> Result<Vec<u8>, SrtpFault> {
    let mut packet = packet.to_vec();
    let length = srtp.open(&mut packet)?;
    packet.truncate(length);
    Ok(packet)
}

#[test]
fn session_keys_are_those_of_rfc_3711_b_3() {
    assert_eq!(derive::<16>(&master(), 0).unwrap().to_vec(), hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(derive::<14>(&master(), 2).unwrap().to_vec(), hex("30CBBC08863D8C85D49DB34A9AE1"));
    let auth = derive::<20>(&master(), 1).unwrap();
    assert_eq!(auth.to_vec(), hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
}

#[test]
fn the_key_stream_is_that_of_rfc_3711_b_2() {
    let mut session = Stream::new(&master(), 0).unwrap();
    let key = hex("2B7E151628AED2A6ABF7158809CF4F3C");
    session.cipher = RingCrypto.new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, &key).unwrap();
    session.salt = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
    let mut stream = [0; 48];
    session.apply(0, 0, &mut stream).unwrap();
    let wanted =
        "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0";
    assert_eq!(stream.to_vec(), hex(wanted));
}

#[test]
fn packets_are_those_that_other_implementations_make() {
    let (mut out, mut inbound) = ends(SrtpSuite::AesCm128HmacSha1_80);
    let plain = hex("800f1234decafbadcafebabeabababababababababababababababab");
    let wanted = hex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb");
    assert_eq!(protected(&mut out, &plain).unwrap(), wanted);
    assert_eq!(opened(&mut inbound, &wanted).unwrap(), plain);
    let plain = hex("81c8000bcafebabeabababababababababababababababab");
    let wanted = hex("81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798");
    protected(&mut out, &plain).unwrap();
    assert_eq!(protected(&mut out, &plain).unwrap(), wanted);
    assert_eq!(opened(&mut inbound, &wanted).unwrap(), plain);
}

#[test]
fn the_crates_own_framing_says_the_same_over_two_wraps() {
    for (suite, profile) in SUITES
        .into_iter()
        .zip([ProtectionProfile::Aes128CmHmacSha1_80, ProtectionProfile::Aes128CmHmacSha1_32])
    {
        let bytes = hex(MASTER);
        let context = || Context::new(&bytes[..16], &bytes[16..], profile, None, None, &RingCrypto).unwrap();
        let (mut theirs_out, mut theirs_in) = (context(), context());
        let (mut ours_out, mut ours_in) = ends(suite);
        let mut number = 65_500u16;
        for _ in 0..70_000 {
            let packet = rtp(7, number, &[5; 20]);
            let ours = protected(&mut ours_out, &packet).unwrap();
            let theirs = theirs_out.encrypt_rtp(&packet).unwrap();
            assert_eq!(ours, theirs[..]);
            assert_eq!(theirs_in.decrypt_rtp(&ours).unwrap()[..], packet[..]);
            assert_eq!(opened(&mut ours_in, &theirs).unwrap(), packet);
            number = number.wrapping_add(1);
        }
        assert_eq!(ours_in.inbound.rtp.newest(7).unwrap() >> 16, 2);
        let ours = protected(&mut ours_out, &report(7)).unwrap();
        assert_eq!(theirs_in.decrypt_rtcp(&ours).unwrap()[..], report(7)[..]);
        let theirs = theirs_out.encrypt_rtcp(&report(7)).unwrap();
        assert_eq!(opened(&mut ours_in, &theirs).unwrap(), report(7));
    }
}

#[test]
fn a_wrong_tag_is_refused_for_every_bit_and_leaves_no_trace() {
    for suite in SUITES {
        let (mut out, mut inbound) = ends(suite);
        for packet in [rtp(7, 1, &[5; 20]), report(7)] {
            let good = protected(&mut out, &packet).unwrap();
            for bit in 0..8 * good.len() {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(opened(&mut inbound, &bad).is_err(), "bit {bit}");
            }
            for cut in 0..good.len() {
                assert!(opened(&mut inbound, &good[..cut]).is_err());
            }
            assert_eq!(opened(&mut inbound, &good).unwrap(), packet);
        }
        assert_eq!(inbound.inbound.rtp.seen.len(), 1);
    }
}

#[test]
fn strangers_cost_no_memory_and_change_nothing() {
    let (mut out, mut inbound) = ends(SrtpSuite::AesCm128HmacSha1_32);
    let mut rng = Rng::from_number(1);
    for _ in 0..20_000 {
        let mut noise: Vec<u8> = (0..rng.below(80)).map(|_| rng.next_u32() as u8).collect();
        if let Some(first) = noise.first_mut() {
            *first = 0x80 | *first & 0x3F;
        }
        assert!(opened(&mut inbound, &noise).is_err());
    }
    assert!(inbound.inbound.rtp.seen.is_empty() && inbound.inbound.rtcp.seen.is_empty());
    let good = protected(&mut out, &rtp(7, 1, &[5; 20])).unwrap();
    assert!(opened(&mut inbound, &good).is_ok());
}

#[test]
fn nothing_is_taken_twice_and_late_ones_within_the_window_are() {
    let (mut out, mut inbound) = ends(SrtpSuite::AesCm128HmacSha1_80);
    let all: Vec<Vec<u8>> =
        (0..300).map(|n| protected(&mut out, &rtp(7, n + 65_400, &[5; 20])).unwrap()).take(130).collect();
    assert!(opened(&mut inbound, &all[129]).is_ok());
    assert_eq!(opened(&mut inbound, &all[0]), Err(SrtpFault::Replayed), "too old");
    for late in &all[2..129] {
        assert!(opened(&mut inbound, late).is_ok());
    }
    for again in &all {
        assert_eq!(opened(&mut inbound, again), Err(SrtpFault::Replayed));
    }
    let reports: Vec<Vec<u8>> = (0..3).map(|_| protected(&mut out, &report(7)).unwrap()).collect();
    for fresh in &reports {
        assert!(opened(&mut inbound, fresh).is_ok());
    }
    assert_eq!(opened(&mut inbound, &reports[1]), Err(SrtpFault::Replayed));
}

#[test]
fn no_key_stream_is_used_twice_whatever_is_relayed() {
    let (mut out, _) = ends(SrtpSuite::AesCm128HmacSha1_80);
    assert!(protected(&mut out, &rtp(7, 1, b"one")).is_some());
    assert!(protected(&mut out, &rtp(7, 1, b"two")).is_none());
    // Agreed anew with the same key: the count goes on.
    out.rekey(keys(SrtpSuite::AesCm128HmacSha1_80)).unwrap();
    assert!(protected(&mut out, &rtp(7, 1, b"two")).is_none());
    assert!(protected(&mut out, &rtp(7, 2, b"two")).is_some());
}

#[test]
fn a_report_that_is_not_encrypted_is_refused_even_with_a_good_tag() {
    let (_, mut inbound) = ends(SrtpSuite::AesCm128HmacSha1_80);
    let mut packet = report(7);
    packet.extend([0, 0, 0, 1]);
    let tag = inbound.inbound.rtcp.sign(&[&packet]).unwrap();
    packet.extend(&tag[..RTCP_TAG]);
    assert_eq!(opened(&mut inbound, &packet), Err(SrtpFault::Unauthentic));
}

#[test]
fn the_former_key_serves_until_the_new_one_is_heard() {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let other = SrtpKeys { ours: SrtpKey([3; 30]), theirs: SrtpKey([3; 30]), suite };
    let (mut old, mut inbound) = ends(suite);
    let mut new = Srtp::new(other).unwrap();
    assert!(opened(&mut inbound, &protected(&mut old, &rtp(7, 1, b"x")).unwrap()).is_ok());
    inbound.rekey(SrtpKeys { theirs: other.theirs, ..keys(suite) }).unwrap();
    assert!(opened(&mut inbound, &protected(&mut old, &rtp(7, 2, b"x")).unwrap()).is_ok());
    assert!(opened(&mut inbound, &protected(&mut new, &rtp(7, 3, b"x")).unwrap()).is_ok());
    let late = protected(&mut old, &rtp(7, 4, b"x")).unwrap();
    assert_eq!(opened(&mut inbound, &late), Err(SrtpFault::Unauthentic));
}

#[test]
fn a_stream_first_heard_just_behind_a_wrap_is_understood() {
    let (mut out, mut inbound) = ends(SrtpSuite::AesCm128HmacSha1_80);
    let all: Vec<Vec<u8>> =
        (0u16..10).map(|n| protected(&mut out, &rtp(7, 65_530u16.wrapping_add(n), b"x")).unwrap()).collect();
    for packet in &all[8..] {
        assert!(opened(&mut inbound, packet).is_ok());
    }
}

#[test]
fn header_extensions_and_contributing_sources_stay_readable() {
    let (mut out, mut inbound) = ends(SrtpSuite::AesCm128HmacSha1_80);
    let mut packet = vec![0x92, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7];
    packet.extend([1; 8]);
    packet.extend([0xBE, 0xDE, 0, 1, 0x10, 9, 0, 0]);
    packet.extend([5; 20]);
    let hidden = protected(&mut out, &packet).unwrap();
    assert_eq!(hidden[..28], packet[..28]);
    assert_ne!(hidden[28..48], packet[28..]);
    assert_eq!(opened(&mut inbound, &hidden).unwrap(), packet);
}

/// Two packets of each source.
fn packets_of(suite: SrtpSuite, sources: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    let of = |ssrc| {
        let mut out = Srtp::new(keys(suite)).unwrap();
        [1, 2].map(|n| protected(&mut out, &rtp(ssrc, n, &[5; 20])).unwrap())
    };
    sources.flat_map(of).collect()
}

#[test]
fn a_phone_that_changes_its_source_a_thousand_times_is_heard_and_nothing_of_it_twice() {
    let (_, mut inbound) = ends(SrtpSuite::AesCm128HmacSha1_80);
    let all = packets_of(SrtpSuite::AesCm128HmacSha1_80, 0..1_000);
    for packet in &all {
        assert!(opened(&mut inbound, packet).is_ok());
    }
    let stream = &inbound.inbound.rtp;
    assert_eq!((stream.seen.len(), stream.former.len()), (SOURCES, 1_000 - SOURCES));
    for again in &all {
        assert_eq!(opened(&mut inbound, again), Err(SrtpFault::Replayed));
    }
    let stream = &inbound.inbound.rtp;
    assert_eq!((stream.seen.len(), stream.former.len()), (SOURCES, 1_000 - SOURCES), "copies move nobody");
}

#[test]
fn a_source_that_comes_back_goes_on_by_its_count_of_wraps() {
    let (mut out, mut inbound) = ends(SrtpSuite::AesCm128HmacSha1_32);
    // Two wraps in long steps.
    let mut last = 0u32;
    for _ in 0..5 {
        last += 30_000;
        let packet = protected(&mut out, &rtp(9, last as u16, &[5; 20])).unwrap();
        assert!(opened(&mut inbound, &packet).is_ok());
    }
    let old = protected(&mut out, &rtp(9, (last - 1) as u16, &[5; 20])).unwrap();
    for packet in packets_of(SrtpSuite::AesCm128HmacSha1_32, 100..300) {
        assert!(opened(&mut inbound, &packet).is_ok());
    }
    assert!(inbound.inbound.rtp.window(9).is_none(), "it is remembered in short");
    assert_eq!(opened(&mut inbound, &old), Err(SrtpFault::Replayed), "it may have been taken");
    let next = protected(&mut out, &rtp(9, (last + 1) as u16, &[6; 20])).unwrap();
    assert_eq!(opened(&mut inbound, &next), Ok(rtp(9, (last + 1) as u16, &[6; 20])));
    assert_eq!(opened(&mut inbound, &next), Err(SrtpFault::Replayed));
}

#[test]
fn who_has_not_the_key_makes_no_source_forgotten() {
    let (mut out, mut inbound) = ends(SrtpSuite::AesCm128HmacSha1_80);
    assert!(opened(&mut inbound, &protected(&mut out, &rtp(7, 1, &[5; 20])).unwrap()).is_ok());
    let others = packets_of(SrtpSuite::AesCm128HmacSha1_80, 1_000..1_100);
    for packet in &others {
        // As many sources as one likes, each with a packet that another key made or that was changed on its way.
        let mut forged = packet.clone();
        forged[15] ^= 1;
        assert_eq!(opened(&mut inbound, &forged), Err(SrtpFault::Unauthentic));
    }
    assert_eq!((inbound.inbound.rtp.seen.len(), inbound.inbound.rtp.former.len()), (1, 0));
    assert!(opened(&mut inbound, &protected(&mut out, &rtp(7, 2, &[5; 20])).unwrap()).is_ok());
}

#[test]
fn sources_without_end_have_an_end_and_those_before_are_heard_on() {
    let (mut out, mut inbound) = ends(SrtpSuite::AesCm128HmacSha1_80);
    assert!(opened(&mut inbound, &protected(&mut out, &rtp(7, 1, &[5; 20])).unwrap()).is_ok());
    let most = u32::try_from(SOURCES + FORMER_SOURCES).unwrap();
    let all = packets_of(SrtpSuite::AesCm128HmacSha1_80, 1_000..1_000 + most + 50);
    let taken = all.iter().step_by(2).filter(|packet| opened(&mut inbound, packet).is_ok()).count();
    assert_eq!(u32::try_from(taken).unwrap(), most - 1);
    assert!(opened(&mut inbound, &protected(&mut out, &rtp(7, 2, &[5; 20])).unwrap()).is_ok());
}
