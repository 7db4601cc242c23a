//! Offer and answer between two of us and with peers that differ, RFC 3264.
use std::time::Duration;

use hotline::sdp::{
    Agreed, Capabilities, CodecName, Description, Direction, EventFormat, Local, Refusal, SdpOffer,
    accept_answer, answer, offer,
};

const PTIME: Duration = Duration::from_millis(20);

fn capabilities(codecs: &[CodecName]) -> Capabilities {
    Capabilities {
        codecs: codecs.to_vec(),
        telephone_event: true,
        comfort_noise: true,
        rtcp_mux: true,
        ptime: PTIME,
    }
}

fn both() -> Capabilities {
    capabilities(&[CodecName::Pcma, CodecName::Pcmu])
}

/// The numbers under which events may come, and the one under which we send them.
fn events(agreed: &Agreed) -> (Vec<u8>, Option<u8>) {
    let payload_type = |e: &EventFormat| e.payload_type;
    (agreed.events_in.iter().map(payload_type).collect(), agreed.event_out.as_ref().map(payload_type))
}

fn local(port: u16) -> Local {
    let rtp = std::net::SocketAddr::from(([198, 51, 100, 1], port));
    Local { rtp, rtcp_port: port + 1, session_id: u64::from(port), before: None }
}

fn peer_answer(media: &str) -> String {
    format!("v=0\r\no=- 5 5 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{media}")
}

fn accept(offer: &SdpOffer, media: &str) -> Result<Agreed, Refusal> {
    accept_answer(offer, peer_answer(media).as_bytes(), PTIME)
}

#[test]
fn the_offer_as_it_is_written() {
    let text = offer(&local(16_384), &both(), Direction::SendRecv).text();
    assert_eq!(
        text,
        "v=0\r\no=- 16384 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
         m=audio 16384 RTP/AVP 8 0 13 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:13 CN/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n\
         a=maxptime:60\r\na=rtcp-mux\r\na=sendrecv\r\n"
    );
}

#[test]
fn rtcp_elsewhere_is_said() {
    let local = Local { rtcp_port: 20_001, ..local(16_384) };
    assert!(offer(&local, &both(), Direction::SendRecv).text().contains("\r\na=rtcp:20001\r\n"));
}

#[test]
fn both_sides_come_to_the_same_agreement() {
    let made = offer(&local(16_384), &both(), Direction::SendRecv);
    let (reply, theirs) = answer(
        made.text().as_bytes(),
        &capabilities(&[CodecName::Pcmu]),
        &local(20_000),
        Direction::SendRecv,
    )
    .unwrap();
    let ours = accept_answer(&made, reply.text().as_bytes(), PTIME).unwrap();
    assert_eq!((ours.codec, theirs.codec), (CodecName::Pcmu, CodecName::Pcmu));
    assert_eq!((events(&ours), events(&theirs)), ((vec![101], Some(101)), (vec![101], Some(101))));
    assert!(ours.rtcp_mux && theirs.rtcp_mux && ours.remote_rtcp == ours.remote_rtp);
    assert_eq!((ours.remote_rtp.port(), theirs.remote_rtp.port()), (20_000, 16_384));
    assert!(ours.we_send && ours.we_receive && theirs.we_send && theirs.we_receive);
}

#[test]
fn every_pair_of_directions_agrees_on_both_sides() {
    let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    for offered in all {
        for wish in all {
            let made = offer(&local(16_384), &both(), offered);
            let (reply, theirs) = answer(made.text().as_bytes(), &both(), &local(20_000), wish).unwrap();
            let ours = accept_answer(&made, reply.text().as_bytes(), PTIME).unwrap();
            assert_eq!(ours.we_send, theirs.we_receive, "{offered:?} {wish:?}");
            assert_eq!(ours.we_receive, theirs.we_send, "{offered:?} {wish:?}");
            assert_eq!(theirs.we_send, offered.receives() && wish.sends());
            assert_eq!(theirs.peer_holds_us, !offered.receives());
        }
    }
}

#[test]
fn hold_by_the_old_address_is_hold() {
    let body =
        "v=0\r\no=- 5 6 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let (reply, agreed) = answer(body.as_bytes(), &both(), &local(16_384), Direction::SendRecv).unwrap();
    assert!(agreed.peer_holds_us && !agreed.we_send && agreed.we_receive);
    assert!(reply.text().contains("a=recvonly"), "{}", reply.text());
}

#[test]
fn holding_the_peer_is_not_being_held() {
    let made = offer(&local(16_384), &both(), Direction::SendOnly);
    let agreed = accept(&made, "m=audio 4000 RTP/AVP 0\r\na=recvonly\r\n").unwrap();
    assert!(agreed.we_send && !agreed.we_receive && !agreed.peer_holds_us);
    let made = offer(&local(16_384), &both(), Direction::Inactive);
    assert!(!accept(&made, "m=audio 4000 RTP/AVP 0\r\na=inactive\r\n").unwrap().peer_holds_us);
}

#[test]
fn each_side_sends_under_the_number_that_the_other_named() {
    let made = offer(&local(16_384), &both(), Direction::SendRecv);
    let agreed = accept(
        &made,
        "m=audio 4000 RTP/AVP 97 96\r\na=rtpmap:97 PCMU/8000\r\na=rtpmap:96 telephone-event/8000\r\n",
    )
    .unwrap();
    // Some phones send under their own number where they should use ours: taken where it is free.
    assert_eq!(agreed.sound_in, [(0, CodecName::Pcmu), (97, CodecName::Pcmu)]);
    assert_eq!(agreed.payload_out, 97);
    assert_eq!(events(&agreed), (vec![101, 96], Some(96)));
}

#[test]
fn an_answer_takes_the_peers_event_number() {
    let body =
        peer_answer("m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n");
    let (reply, agreed) = answer(body.as_bytes(), &both(), &local(16_384), Direction::SendRecv).unwrap();
    assert_eq!(events(&agreed), (vec![96], Some(96)));
    assert!(reply.text().contains("m=audio 16384 RTP/AVP 0 96\r\n"), "{}", reply.text());
}

#[test]
fn a_later_offer_keeps_lines_numbers_and_session_and_raises_the_version() {
    let body = peer_answer(
        "m=video 5000 RTP/AVP 99\r\nm=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n",
    );
    let mut ours = local(16_384);
    let (first, _) = answer(body.as_bytes(), &both(), &ours, Direction::SendRecv).unwrap();
    ours.before = Some(first.0.clone());
    let hold = offer(&ours, &both(), Direction::SendOnly);
    assert_eq!((hold.0.session_id.as_str(), hold.0.version), ("16384", 2));
    let lines: Vec<_> = hold.0.media.iter().map(|m| (m.kind.as_str(), m.port)).collect();
    assert_eq!(lines, [("video", 0), ("audio", 16_384)]);
    assert_eq!(hold.0.media[1].format_text, "8 0 13 96");
    ours.before = Some(hold.0.clone());
    assert_eq!(offer(&ours, &both(), Direction::SendOnly).0.version, 2, "unchanged, so not counted");
    let agreed = accept(
        &hold,
        "m=video 0 RTP/AVP 99\r\nm=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n",
    );
    assert_eq!(events(&agreed.unwrap()).1, Some(96));
}

#[test]
fn a_repeated_offer_gets_the_same_answer_again() {
    let body = peer_answer("m=audio 4000 RTP/AVP 0\r\n");
    let mut ours = local(16_384);
    let (first, _) = answer(body.as_bytes(), &both(), &ours, Direction::SendRecv).unwrap();
    ours.before = Some(first.0.clone());
    let (second, _) = answer(body.as_bytes(), &both(), &ours, Direction::SendRecv).unwrap();
    assert_eq!(first.text(), second.text());
}

#[test]
fn answers_that_are_none() {
    let made = offer(&local(16_384), &both(), Direction::SendRecv);
    assert_eq!(accept(&made, ""), Err(Refusal::NotAnAnswer));
    assert_eq!(accept(&made, "m=video 5000 RTP/AVP 99\r\n"), Err(Refusal::NotAnAnswer));
    assert_eq!(accept(&made, "m=audio 0 RTP/AVP 0\r\n"), Err(Refusal::NoAudio));
    assert_eq!(accept(&made, "m=audio 4000 RTP/AVP 18\r\n"), Err(Refusal::NoCommonCodec));
    assert_eq!(accept(&made, "m=audio 80 RTP/AVP 0\r\n"), Err(Refusal::HostileAddress));
    let only_a = offer(&local(16_384), &capabilities(&[CodecName::Pcma]), Direction::SendRecv);
    assert_eq!(accept(&only_a, "m=audio 4000 RTP/AVP 0\r\n"), Err(Refusal::NoCommonCodec));
}

#[test]
fn what_we_write_is_what_we_read() {
    let made = offer(&local(16_384), &both(), Direction::RecvOnly);
    assert_eq!(Description::read(made.text().as_bytes()).unwrap(), made.0);
}
