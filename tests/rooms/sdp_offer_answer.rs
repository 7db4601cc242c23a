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
        crypto: None,
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
    Local {
        rtp,
        rtcp_port: port + 1,
        session_id: u64::from(port),
        before: None,
        peer: None,
        not_for_sound: std::sync::Arc::default(),
    }
}

fn peer_answer(media: &str) -> String {
    format!("v=0\r\no=- 5 5 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{media}")
}

fn accept(offer: &SdpOffer, media: &str) -> Result<Agreed, Refusal> {
    accept_answer(offer, peer_answer(media).as_bytes(), &local(16_384), PTIME)
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
    let ours = accept_answer(&made, reply.text().as_bytes(), &local(16_384), PTIME).unwrap();
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
            let ours = accept_answer(&made, reply.text().as_bytes(), &local(16_384), PTIME).unwrap();
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

fn wide() -> Capabilities {
    capabilities(&[CodecName::G722, CodecName::Pcma, CodecName::Pcmu])
}

#[test]
fn wide_band_is_offered_and_taken_in_the_order_of_the_setting() {
    let made = offer(&local(16_384), &wide(), Direction::SendRecv);
    assert!(made.text().contains("m=audio 16384 RTP/AVP 9 8 0 13 101\r\na=rtpmap:9 G722/8000\r\n"));
    let agreed =
        accept(&made, "m=audio 4000 RTP/AVP 9 0 101\r\na=rtpmap:101 telephone-event/8000\r\n").unwrap();
    assert_eq!((agreed.codec, agreed.payload_out), (CodecName::G722, 9));
    assert_eq!(
        agreed.sound_in,
        [(9, CodecName::G722), (0, CodecName::Pcmu)],
        "it may change to what it named"
    );
    assert_eq!(events(&agreed), (vec![101], Some(101)));

    let theirs = peer_answer("m=audio 4000 RTP/AVP 0 8 9\r\na=rtpmap:9 G722/8000\r\n");
    let answered = |ours: &Capabilities| {
        answer(theirs.as_bytes(), ours, &local(16_384), Direction::SendRecv).unwrap().1.codec
    };
    assert_eq!((answered(&wide()), answered(&both())), (CodecName::G722, CodecName::Pcma));
    let last = capabilities(&[CodecName::Pcmu, CodecName::G722]);
    assert_eq!(answered(&last), CodecName::Pcmu);
}

#[test]
fn g722_is_known_without_a_map_under_another_number_and_with_its_true_rate() {
    for (media, number) in [
        ("m=audio 4000 RTP/AVP 9\r\n", 9),
        ("m=audio 4000 RTP/AVP 109\r\na=rtpmap:109 G722/8000\r\n", 109),
        ("m=audio 4000 RTP/AVP 9\r\na=rtpmap:9 G722/16000\r\n", 9),
    ] {
        let (reply, agreed) =
            answer(peer_answer(media).as_bytes(), &wide(), &local(16_384), Direction::SendRecv).unwrap();
        assert_eq!((agreed.codec, agreed.payload_out), (CodecName::G722, number));
        assert!(reply.text().contains(&format!("a=rtpmap:{number} G722/8000\r\n")));
    }
}

#[test]
fn events_are_sent_in_the_clock_of_the_sound_and_taken_in_every_clock_offered() {
    let body = |first: u32, second: u32| {
        peer_answer(&format!(
            "m=audio 4000 RTP/AVP 8 100 101\r\na=rtpmap:100 telephone-event/{first}\r\n\
             a=rtpmap:101 telephone-event/{second}\r\n"
        ))
    };
    for (first, second, number, clock) in
        [(16_000, 8_000, 101, 8_000), (8_000, 16_000, 100, 8_000), (48_000, 16_000, 100, 48_000)]
    {
        let body = body(first, second);
        let (reply, agreed) = answer(body.as_bytes(), &both(), &local(16_384), Direction::SendRecv).unwrap();
        assert_eq!(events(&agreed), (vec![100, 101], Some(number)));
        assert_eq!(agreed.event_out.map(|e| e.clock_hz), Some(clock));
        assert!(reply.text().contains(&format!("a=rtpmap:{number} telephone-event/{clock}\r\n")));
        assert_eq!(reply.text().matches("telephone-event").count(), 1);
    }
}

#[test]
fn comfort_noise_is_agreed_when_both_know_it_under_each_ones_number() {
    let body = peer_answer("m=audio 4000 RTP/AVP 8 96 13\r\na=rtpmap:96 CN/16000\r\n");
    let (reply, agreed) = answer(body.as_bytes(), &both(), &local(16_384), Direction::SendRecv).unwrap();
    assert_eq!((agreed.comfort_noise_in, agreed.comfort_noise_out), (Some(13), Some(13)));
    assert!(reply.text().contains("RTP/AVP 8 13\r\n"), "{}", reply.text());
    let made = offer(&local(16_384), &both(), Direction::SendRecv);
    let agreed = accept(&made, "m=audio 4000 RTP/AVP 8 97\r\na=rtpmap:97 CN/8000\r\n").unwrap();
    assert_eq!((agreed.comfort_noise_in, agreed.comfort_noise_out), (Some(13), Some(97)));
    let agreed = accept(&made, "m=audio 4000 RTP/AVP 8\r\n").unwrap();
    assert_eq!((agreed.comfort_noise_in, agreed.comfort_noise_out), (None, None));
}

#[test]
fn reports_share_the_port_when_both_want_it_and_go_where_they_are_sent_otherwise() {
    let at = |port: u16| std::net::SocketAddr::from(([192, 0, 2, 9], port));
    let made = offer(&local(16_384), &both(), Direction::SendRecv);
    for (lines, muxed, rtcp) in [
        ("a=rtcp-mux\r\n", true, 4_000),
        ("a=rtcp-mux\r\na=rtcp:5000\r\n", true, 4_000),
        ("", false, 4_001),
        ("a=rtcp:5000 IN IP4 203.0.113.7\r\n", false, 5_000),
        ("a=rtcp:99\r\n", false, 4_001),
    ] {
        let media = format!("m=audio 4000 RTP/AVP 8\r\n{lines}");
        let agreed = accept(&made, &media).unwrap();
        assert_eq!((agreed.rtcp_mux, agreed.remote_rtcp), (muxed, at(rtcp)), "{lines}");
        let (reply, agreed) =
            answer(peer_answer(&media).as_bytes(), &both(), &local(16_384), Direction::SendRecv).unwrap();
        assert_eq!((agreed.rtcp_mux, agreed.remote_rtcp), (muxed, at(rtcp)), "{lines}");
        assert_eq!(reply.text().contains("a=rtcp-mux"), muxed, "an answer names it only when it was offered");
    }
    let clash = "m=audio 4000 RTP/AVP 72\r\na=rtpmap:72 PCMA/8000\r\na=rtcp-mux\r\n";
    let (_, agreed) =
        answer(peer_answer(clash).as_bytes(), &both(), &local(16_384), Direction::SendRecv).unwrap();
    assert!(!agreed.rtcp_mux, "a packet of type 72 with the marker looks like RTCP");
}
