//! SRTP at the plane's edge: a protected leg beside a plain one, foreign packets, both keys of one leg changed.
use std::net::SocketAddr;
use std::sync::Arc;

use hotline::base::{Instant, LegId, Now, Rng, UtcTime};
use hotline::media::{Codec, MediaCommand, MediaEvent, MediaPlane, PromptLibrary, RemoteMedia};
use hotline::rtp::{
    DropCause, Incoming, PACKET_BYTES, Packet, RtpSession, SrtpKey, SrtpKeys, SrtpSuite, is_rtcp,
};

const SECRET: LegId = LegId(2);
const PLAIN: LegId = LegId(4);

fn keys(ours: u8, theirs: u8) -> SrtpKeys {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    SrtpKeys { suite, ours: SrtpKey([ours; 30]), theirs: SrtpKey([theirs; 30]) }
}

fn address(leg: LegId) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, u8::try_from(leg.0).unwrap()], 4_000))
}

fn now(ms: u64) -> Now {
    Now { mono: Instant::from_millis(ms), utc: UtcTime::from_secs(1_800_000_000) }
}

fn agreement(to: LegId, srtp: Option<SrtpKeys>) -> RemoteMedia {
    RemoteMedia { srtp, ..RemoteMedia::plain(address(to), Codec::Pcma, 8) }
}

/// Two phones, one of which speaks SRTP, and the plane between them.
struct Pair {
    plane: MediaPlane,
    secret: RtpSession,
    plain: RtpSession,
    ms: u64,
}

impl Pair {
    fn new() -> Self {
        let mut plane = MediaPlane::new(Arc::new(PromptLibrary::default()), Rng::from_number(1));
        for (leg, srtp) in [(SECRET, Some(keys(1, 2))), (PLAIN, None)] {
            plane.handle(now(0), MediaCommand::Open { leg, port: 20_000 });
            plane.handle(now(0), MediaCommand::Remote { leg, remote: Box::new(agreement(leg, srtp)) });
        }
        plane.handle(now(0), MediaCommand::Hear { leg: SECRET, sources: vec![PLAIN] });
        plane.handle(now(0), MediaCommand::Hear { leg: PLAIN, sources: vec![SECRET] });
        let phone = |leg: LegId, srtp| {
            let mut phone = RtpSession::new(now(0), 8_000, Rng::from_number(leg.0));
            let remote = agreement(LegId(99), srtp);
            phone.set_keys(remote.srtp);
            phone.set_remote(Instant::ZERO, remote.for_rtp());
            phone
        };
        Self { plane, secret: phone(SECRET, Some(keys(2, 1))), plain: phone(PLAIN, None), ms: 0 }
    }

    /// Each phone says 20 ms of its byte; what the plane sends, by leg.
    fn speak(&mut self, secret: u8, plain: u8) -> Vec<(LegId, Vec<u8>)> {
        self.ms += 20;
        let at = now(self.ms).mono;
        for (phone, leg, byte) in [(&mut self.secret, SECRET, secret), (&mut self.plain, PLAIN, plain)] {
            let mut buffer = [0; PACKET_BYTES];
            let out = phone.send_frame(at, 160, &[byte; 160], &mut buffer).unwrap();
            self.plane.handle_rtp(at, leg, address(leg), &buffer[..out.length]);
        }
        self.sent()
    }

    fn sent(&mut self) -> Vec<(LegId, Vec<u8>)> {
        let mut all = Vec::new();
        while let Some(packet) = self.plane.poll_transmit() {
            if !is_rtcp(packet.bytes) {
                all.push((packet.leg, packet.bytes.to_vec()));
            }
        }
        all
    }

    /// What the protected phone makes of a packet.
    fn opened(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let mut room = [0; 2_048];
        let from = address(LegId(99));
        match self.secret.handle_datagram(now(self.ms).mono, from, packet, &mut room) {
            Incoming::Sound { payload, .. } => Some(payload.to_vec()),
            _ => None,
        }
    }
}

fn to(leg: LegId, sent: &[(LegId, Vec<u8>)]) -> Vec<Vec<u8>> {
    sent.iter().filter(|(l, _)| *l == leg).map(|(_, bytes)| bytes.clone()).collect()
}

#[test]
fn a_protected_leg_and_a_plain_one_hear_each_other_packet_by_packet() {
    let mut pair = Pair::new();
    for n in 0..200 {
        let sent = pair.speak(0x55, 0x66);
        if n == 0 {
            continue;
        }
        let plain = to(PLAIN, &sent);
        assert_eq!(plain.len(), 1, "packet {n}");
        assert_eq!(Packet::read(&plain[0]).unwrap().payload, [0x55; 160]);
        let secret = to(SECRET, &sent);
        assert_eq!(secret.len(), 1);
        assert_eq!(secret[0].len(), 12 + 160 + 10);
        assert!(!secret[0].windows(8).any(|w| w == [0x66; 8]), "not readable on the wire");
        assert_eq!(pair.opened(&secret[0]).unwrap(), [0x66; 160]);
    }
}

#[test]
fn packets_without_the_tag_are_counted_never_heard_and_never_end_the_call() {
    let mut pair = Pair::new();
    let watch = MediaCommand::Watch { leg: SECRET, silence: Some(std::time::Duration::from_secs(10)) };
    pair.plane.handle(now(0), watch);
    for _ in 0..5 {
        pair.speak(0x55, 0x66);
    }
    // From the right address: in the clear, replayed, damaged, of another key.
    let at = now(pair.ms).mono;
    let mut buffer = [0; PACKET_BYTES];
    let out = pair.secret.send_frame(at, 160, &[0x55; 160], &mut buffer).unwrap();
    let good = buffer[..out.length].to_vec();
    pair.plane.handle_rtp(at, SECRET, address(SECRET), &good);
    assert_eq!(to(PLAIN, &pair.sent()).len(), 1);
    let before = pair.plane.leg_figures(SECRET).unwrap();
    let mut damaged = good.clone();
    damaged[20] ^= 1;
    let clear = [&good[..12], &[0x77; 160]].concat();
    for _ in 0..10_000 {
        for foreign in [&good, &damaged, &clear] {
            pair.plane.handle_rtp(at, SECRET, address(SECRET), foreign);
            pair.plane.handle_rtp(at, SECRET, address(LegId(7)), foreign);
        }
    }
    assert!(pair.sent().is_empty(), "nothing is forwarded");
    let after = pair.plane.leg_figures(SECRET).unwrap();
    assert_eq!(after.dropped - before.dropped, 60_000);
    assert_eq!(after.received, before.received);
    assert!(pair.plane.poll_event().is_none_or(|e| matches!(e, MediaEvent::SoundStarted { .. })));
    // The call goes on, to the right phone.
    assert_eq!(to(PLAIN, &pair.speak(0x55, 0x66)).len(), 1);
    assert_eq!(pair.plane.legs(), 2);
}

#[test]
fn reports_go_protected_and_come_back_so() {
    let mut pair = Pair::new();
    let mut seen = 0;
    for _ in 0..500 {
        pair.speak(0x55, 0x66);
        pair.plane.handle_timeout(now(pair.ms).mono);
        while let Some(packet) = pair.plane.poll_transmit() {
            if packet.leg == SECRET && is_rtcp(packet.bytes) {
                seen += 1;
                let bytes = packet.bytes.to_vec();
                pair.secret.handle_rtcp(now(pair.ms).mono, address(LegId(99)), &bytes);
            }
        }
        let mut buffer = [0; 300];
        while let Some(out) = pair.secret.poll_rtcp(now(pair.ms).mono, &mut buffer) {
            pair.plane.handle_rtcp(now(pair.ms).mono, SECRET, address(SECRET), &buffer[..out.length]);
        }
    }
    assert!(seen > 0);
    assert_eq!(pair.secret.figures().drops.unauthentic, 0);
    assert_eq!(pair.plane.leg_figures(SECRET).unwrap().dropped, 0);
}

#[test]
fn keys_agreed_anew_are_used_at_once_and_the_old_ones_until_then() {
    let mut pair = Pair::new();
    for _ in 0..5 {
        pair.speak(0x55, 0x66);
    }
    let again = MediaCommand::Remote { leg: SECRET, remote: Box::new(agreement(SECRET, Some(keys(3, 4)))) };
    pair.plane.handle(now(pair.ms), again);
    // The phone has not heard of it yet.
    assert_eq!(to(PLAIN, &pair.speak(0x55, 0x66)).len(), 1);
    pair.secret.set_keys(Some(keys(4, 3)));
    for _ in 0..5 {
        let sent = pair.speak(0x55, 0x66);
        assert_eq!(to(PLAIN, &sent).len(), 1);
        assert_eq!(pair.opened(&to(SECRET, &sent)[0]).unwrap(), [0x66; 160]);
    }
    pair.secret.set_keys(Some(keys(2, 1)));
    assert!(to(PLAIN, &pair.speak(0x55, 0x66)).is_empty(), "the old key is over");
}

#[test]
fn a_session_with_keys_takes_nothing_in_the_clear() {
    let mut phone = RtpSession::new(now(0), 8_000, Rng::from_number(1));
    phone.set_remote(Instant::ZERO, agreement(LegId(99), None).for_rtp());
    phone.set_keys(Some(keys(1, 2)));
    let clear = [&[0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9][..], &[0x55; 160]].concat();
    let heard = phone.handle_rtp(Instant::ZERO, address(LegId(99)), &clear);
    assert!(matches!(heard, Incoming::Dropped(DropCause::Unauthentic)));
    phone.handle_rtcp(Instant::ZERO, address(LegId(99)), &[0x80, 200, 0, 6, 0, 0, 0, 9]);
    assert_eq!(phone.figures().drops.unauthentic, 2);
}
