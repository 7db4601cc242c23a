//! Session descriptions as phones, PBXes and carriers really write them: each is read, for what it is.
use std::time::Duration;

use hotline::sdp::{
    Address, Agreed, Capabilities, CodecName, Description, Direction, Local, Refusal, SdpError, answer,
};
use proptest::prelude::*;

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n";

fn ours() -> (Capabilities, Local) {
    let capabilities = Capabilities {
        codecs: vec![CodecName::Pcma, CodecName::Pcmu],
        telephone_event: true,
        comfort_noise: true,
        rtcp_mux: true,
        crypto: None,
        ptime: Duration::from_millis(20),
    };
    let rtp = "198.51.100.1:16384".parse().unwrap();
    (
        capabilities,
        Local {
            rtp,
            rtcp_port: 16_385,
            session_id: 77,
            before: None,
            peer: None,
            not_for_sound: std::sync::Arc::default(),
        },
    )
}

/// The number under which we send events.
fn event(agreed: &Agreed) -> Option<u8> {
    agreed.event_out.map(|e| e.payload_type)
}

fn agreed(body: &str) -> Result<Agreed, Refusal> {
    let (capabilities, local) = ours();
    answer(body.as_bytes(), &capabilities, &local, Direction::SendRecv).map(|(_, agreed)| agreed)
}

fn agreed_with_media(media: &str) -> Result<Agreed, Refusal> {
    agreed(&format!("{HEAD}{media}"))
}

#[test]
fn missing_session_name_time_and_origin() {
    let a = agreed("v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 0\r\n").unwrap();
    assert_eq!(a.remote_rtp, "192.0.2.9:4000".parse().unwrap());
    assert!(agreed("m=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.9").is_ok());
}

#[test]
fn bare_line_feeds_bare_returns_and_blank_lines() {
    let lines = [
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.9",
        "",
        "s= ",
        "c=IN IP4 192.0.2.9",
        "t=0 0",
        "m=audio 4000 RTP/AVP 8",
    ];
    for end in ["\n", "\r", "\r\n", "\n\n"] {
        assert_eq!(agreed(&lines.join(end)).unwrap().codec, CodecName::Pcma);
    }
}

#[test]
fn small_and_capital_letters_in_the_wrong_places() {
    let a = agreed(
        "V=0\r\nc=in ip4 192.0.2.9\r\nM=Audio 4000 rtp/avp 96 97\r\nA=RTPMAP:96 pcmu/8000\r\na=Rtpmap:97 Telephone-Event/8000\r\n",
    )
    .unwrap();
    assert_eq!((a.codec, a.payload_out, event(&a)), (CodecName::Pcmu, 96, Some(97)));
}

#[test]
fn spaces_at_ends_and_doubled_in_the_middle() {
    let a = agreed(
        "v=0 \r\no=-  1  1 IN IP4 192.0.2.9 \r\ns=-\r\nc=IN  IP4 192.0.2.9 \t\r\nt=0 0 \r\nm=audio  4000  RTP/AVP 0  101 \r\na=rtpmap: 101 telephone-event/8000 \r\na=ptime: 30 \r\n",
    )
    .unwrap();
    assert_eq!((event(&a), a.ptime), (Some(101), Duration::from_millis(30)));
}

#[test]
fn control_characters_hide_no_space_at_an_end() {
    let a = agreed_with_media("m=\0\u{b}\0 audio 4000 RTP/AVP 0 \u{7}\r\n").unwrap();
    assert_eq!(a.remote_rtp.port(), 4_000);
}

#[test]
fn ip6_to_ip6_is_reached_and_to_ip4_is_not() {
    let body = "v=0\r\no=- 1 1 IN IP6 2001:db8::9\r\ns=-\r\nc=IN IP6 2001:db8::9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    assert_eq!(agreed(body), Err(Refusal::UnusableAddress));
    let (capabilities, local) = ours();
    let local = Local { rtp: "[2001:db8::1]:16384".parse().unwrap(), ..local };
    let (answer, agreed) = answer(body.as_bytes(), &capabilities, &local, Direction::SendRecv).unwrap();
    assert_eq!(agreed.remote_rtp, "[2001:db8::9]:4000".parse().unwrap());
    assert!(answer.text().contains("c=IN IP6 2001:db8::1\r\n"), "{}", answer.text());
}

#[test]
fn a_host_name_stands_for_the_host_that_the_signalling_comes_from() {
    let body = "v=0\r\nc=IN IP4 phone.example.com\r\nm=audio 4000 RTP/AVP 0\r\n";
    let read = Description::read(body.as_bytes()).unwrap();
    assert_eq!(read.media[0].address, Address::Name("phone.example.com".into()));
    assert_eq!(agreed(body), Err(Refusal::UnusableAddress), "nobody knows where it is");
    let (capabilities, local) = ours();
    let local = Local { peer: Some("203.0.113.8".parse().unwrap()), ..local };
    let (_, agreed) = answer(body.as_bytes(), &capabilities, &local, Direction::SendRecv).unwrap();
    assert_eq!(agreed.remote_rtp, "203.0.113.8:4000".parse().unwrap());
}

#[test]
fn no_connection_line_at_all() {
    assert_eq!(agreed("v=0\r\nm=audio 4000 RTP/AVP 0\r\n"), Err(Refusal::UnusableAddress));
}

#[test]
fn an_address_in_the_media_goes_before_the_sessions_and_may_carry_a_ttl() {
    let a = agreed_with_media("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.77/127\r\n").unwrap();
    assert_eq!(a.remote_rtp, "192.0.2.77:4000".parse().unwrap());
}

#[test]
fn video_and_fax_beside_audio_are_refused_in_their_places() {
    let (capabilities, local) = ours();
    let body = format!(
        "{HEAD}m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=audio 4000 RTP/AVP 0\r\nm=image 4004 udptl t38\r\na=T38FaxVersion:0\r\nm=application 9 UDP/BFCP *\r\n"
    );
    let (answer, _) = answer(body.as_bytes(), &capabilities, &local, Direction::SendRecv).unwrap();
    let text = answer.text();
    let lines: Vec<_> = text.lines().filter(|l| l.starts_with("m=")).collect();
    assert_eq!(
        lines,
        [
            "m=video 0 RTP/AVP 96",
            "m=audio 16384 RTP/AVP 0",
            "m=image 0 udptl t38",
            "m=application 0 UDP/BFCP *"
        ]
    );
}

#[test]
fn fax_alone_is_no_audio() {
    assert_eq!(agreed_with_media("m=image 4004 udptl t38\r\n"), Err(Refusal::NoAudio));
}

#[test]
fn inactive_and_its_inheritance_from_the_session() {
    let a = agreed_with_media("m=audio 4000 RTP/AVP 0\r\na=inactive\r\n").unwrap();
    assert_eq!((a.we_send, a.we_receive, a.peer_holds_us), (false, false, true));
    let a = agreed_with_media("a=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n").unwrap();
    assert_eq!((a.we_send, a.we_receive, a.peer_holds_us), (false, true, true));
    let a = agreed_with_media("a=inactive\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n").unwrap();
    assert!(a.we_send && a.we_receive && !a.peer_holds_us);
}

#[test]
fn packet_times() {
    let ptime = |attributes: &str| {
        agreed_with_media(&format!("m=audio 4000 RTP/AVP 0\r\n{attributes}")).unwrap().ptime.as_millis()
    };
    assert_eq!(ptime(""), 20);
    assert_eq!(ptime("a=ptime:30\r\n"), 30);
    assert_eq!(ptime("a=ptime:30\r\na=maxptime:20\r\n"), 20);
    assert_eq!(ptime("a=maxptime:10\r\n"), 10);
    assert_eq!(ptime("a=ptime:240\r\n"), 60);
    assert_eq!(ptime("a=ptime:20.5\r\n"), 20);
    assert_eq!(ptime("a=ptime:0\r\na=maxptime:0\r\n"), 20);
    assert_eq!(ptime("a=ptime:5\r\n"), 10);
    assert_eq!(ptime("a=ptime:twenty\r\n"), 20);
    assert_eq!(ptime("a=ptime:25\r\n"), 20);
    assert_eq!(ptime("a=ptime:-20\r\n"), 20);
    assert_eq!(ptime("a=ptime:4294967296\r\n"), 20);
    assert_eq!(ptime("a=ptime:99999\r\na=maxptime:99999\r\n"), 60);
}

#[test]
fn a_long_list_of_codecs_in_which_ours_come_late() {
    let numbers: Vec<String> = (96..127).map(|n| n.to_string()).collect();
    let maps: Vec<String> = (96..127).map(|n| format!("a=rtpmap:{n} opus/48000/2\r\n")).collect();
    let body = format!(
        "m=audio 4000 RTP/AVP {} 9 18 3 4 0 13\r\n{maps}a=rtpmap:9 G722/8000\r\na=rtpmap:18 G729/8000\r\n",
        numbers.join(" "),
        maps = maps.concat()
    );
    let a = agreed_with_media(&body).unwrap();
    assert_eq!((a.codec, a.payload_out, event(&a)), (CodecName::Pcmu, 0, None));
}

#[test]
fn static_payload_types_need_no_map_but_obey_one() {
    assert_eq!(agreed_with_media("m=audio 4000 RTP/AVP 8 0\r\n").unwrap().codec, CodecName::Pcma);
    let odd = "m=audio 4000 RTP/AVP 8 0\r\na=rtpmap:8 G726-32/8000\r\n";
    assert_eq!(agreed_with_media(odd).unwrap().codec, CodecName::Pcmu);
    let stereo = "m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/8000/2\r\n";
    assert_eq!(agreed_with_media(stereo), Err(Refusal::NoCommonCodec));
    let mono = "m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/8000/1\r\n";
    assert_eq!(agreed_with_media(mono).unwrap().payload_out, 97);
}

#[test]
fn of_several_telephone_events_the_one_in_the_clock_of_the_sound_is_sent_and_all_are_taken() {
    let a = agreed_with_media(
        "m=audio 4000 RTP/AVP 0 100 101\r\na=rtpmap:100 telephone-event/48000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n",
    )
    .unwrap();
    assert_eq!(event(&a), Some(101));
    assert_eq!(a.events_in.iter().map(|e| e.payload_type).collect::<Vec<_>>(), [100, 101]);
}

#[test]
fn rtcp_on_a_port_of_its_own_but_never_at_another_host() {
    let a = agreed_with_media("m=audio 4000 RTP/AVP 0\r\na=rtcp:4711 IN IP4 203.0.113.5\r\n").unwrap();
    assert_eq!(a.remote_rtcp, "192.0.2.9:4711".parse().unwrap());
    let a = agreed_with_media("m=audio 65534 RTP/AVP 0\r\na=rtcp:22\r\n").unwrap();
    assert_eq!(a.remote_rtcp, "192.0.2.9:65535".parse().unwrap());
}

#[test]
fn encrypted_lines_are_left_for_the_plain_one() {
    let a = agreed_with_media(
        "m=audio 4002 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\nm=audio 4000 RTP/AVP 0\r\n",
    )
    .unwrap();
    assert_eq!(a.remote_rtp.port(), 4_000);
    assert_eq!(agreed_with_media("m=audio 4002 RTP/SAVP 0\r\n"), Err(Refusal::NoSecurity));
    let read = Description::read(b"m=audio 4002 RTP/SAVP 0\r\na=crypto:1 X inline:abc\r\n").unwrap();
    assert_eq!(read.media[0].crypto, ["1 X inline:abc".into()]);
}

#[test]
fn an_origin_with_a_huge_or_worded_version_or_too_few_fields() {
    for origin in ["- 1 18446744073709551616 IN IP4 x", "user 1 one IN IP4 x", "-", "a b c d e f g h"] {
        let body = format!("v=0\r\no={origin}\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 0\r\n");
        assert!(agreed(&body).is_ok(), "{origin}");
    }
}

#[test]
fn lines_twice_and_lines_nobody_knows() {
    let body = format!(
        "{HEAD}c=IN IP4 192.0.2.50\r\ns=again\r\nb=AS:x\r\nk=odd\r\nz=?\r\nr=7d\r\ny=1\r\nnonsense\r\nm=audio 4000 RTP/AVP 0\r\nb=TIAS:\r\ni=one\r\ni=two\r\n"
    );
    assert_eq!(agreed(&body).unwrap().remote_rtp, "192.0.2.9:4000".parse().unwrap());
}

#[test]
fn a_latin_1_session_name_and_a_nul_at_the_end() {
    let mut body = b"v=0\r\no=J\xFCrgen 1 1 IN IP4 192.0.2.9\r\ns=M\xFCller\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 0\r\n".to_vec();
    body.push(0);
    let (capabilities, local) = ours();
    assert!(answer(&body, &capabilities, &local, Direction::SendRecv).is_ok());
}

#[test]
fn a_refused_line_without_formats_and_a_port_with_a_count() {
    let read = Description::read(b"v=0\r\nm=video 0 RTP/AVP\r\nm=audio 4000/2 RTP/AVP 0\r\n").unwrap();
    assert_eq!((read.media[0].port, read.media[1].port), (0, 4_000));
}

#[test]
fn hostile_places_are_refused() {
    for place in ["224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255", "0.1.2.3"] {
        let body = format!("v=0\r\nc=IN IP4 {place}\r\nm=audio 4000 RTP/AVP 0\r\n");
        assert_eq!(agreed(&body), Err(Refusal::HostileAddress), "{place}");
    }
    for port in [1, 22, 53, 1_023] {
        let body = format!("m=audio {port} RTP/AVP 0\r\n");
        assert_eq!(agreed_with_media(&body), Err(Refusal::HostileAddress), "{port}");
    }
    assert_eq!(agreed_with_media("m=audio 0 RTP/AVP 0\r\n"), Err(Refusal::NoAudio));
}

#[test]
fn what_is_no_sdp_and_what_is_too_much_of_it() {
    let read = |body: &str| Description::read(body.as_bytes()).err();
    assert_eq!(read("hello"), Some(SdpError::Malformed));
    assert_eq!(read("v=1\r\nm=audio 4000 RTP/AVP 0\r\n"), Some(SdpError::Malformed));
    assert_eq!(read("v=0\r\nm=audio 70000 RTP/AVP 0\r\n"), Some(SdpError::Malformed));
    assert_eq!(read("v=0\r\nm=audio\r\n"), Some(SdpError::Malformed));
    assert_eq!(read(&"a=x\r\n".repeat(10_000)), Some(SdpError::TooLong));
    assert_eq!(read(&"m=audio 4000 RTP/AVP 0\r\n".repeat(33)), Some(SdpError::TooLong));
}

proptest! {
    #[test]
    fn no_body_can_hurt_and_what_we_write_we_read(
        lines in proptest::collection::vec("([vosctma]=[ -~]{0,30}|m=audio [0-9]{1,5} RTP/AVP [0-9 ]{1,9}|a=rtpmap:[0-9]{1,3} (PCMU|x)/[0-9]{1,5})", 0..12)
    ) {
        let body = lines.join("\r\n");
        if let Ok(read) = Description::read(body.as_bytes()) {
            let again = Description::read(read.text().as_bytes());
            prop_assert!(again.is_ok(), "{} {:?}", read.text(), again);
            prop_assert_eq!(again.unwrap().media.len(), read.media.len());
        }
        prop_assert!(agreed(&body).is_ok_and(|a| a.remote_rtp.port() >= 1_024) || agreed(&body).is_err());
    }
}

#[test]
fn our_own_doors_are_no_place_for_sound() {
    let (can, local) = ours();
    let ours = |own: &str| Local { not_for_sound: [own.parse().unwrap()].into(), ..local.clone() };
    let to = |address: &str, port: u16| {
        format!("v=0\r\nc=IN IP4 {address}\r\nm=audio {port} RTP/AVP 8\r\n").into_bytes()
    };
    let here = local.rtp.ip().to_string();
    for (own, address, port, refused) in [
        ("198.51.100.1:5060", "198.51.100.1", 5_060, true),
        ("0.0.0.0:5060", here.as_str(), 5_060, true),
        ("0.0.0.0:8080", "127.0.0.1", 8_080, true),
        ("[::]:8080", here.as_str(), 8_080, true),
        ("0.0.0.0:5060", "192.0.2.9", 5_060, false),
        ("198.51.100.1:5060", here.as_str(), 5_062, false),
    ] {
        let answered = answer(&to(address, port), &can, &ours(own), Direction::SendRecv);
        let refusal = answered.err();
        assert_eq!(refusal, refused.then_some(Refusal::HostileAddress), "{own} {address}:{port}");
    }
    // Nor for reports: the port above the sound's, or the one that `a=rtcp` names.
    for body in [to(&here, 5_059), [&to(&here, 4_000)[..], b"a=rtcp:5060\r\n"].concat()] {
        let (_, agreed) = answer(&body, &can, &ours("0.0.0.0:5060"), Direction::SendRecv).unwrap();
        assert_eq!(agreed.remote_rtcp.port(), 0);
    }
}

#[test]
fn bundles_and_candidates_are_left_out_of_the_answer() {
    let body = format!(
        "{HEAD}a=group:BUNDLE 0 1\r\na=ice-lite\r\nm=audio 4000 RTP/AVPF 0\r\na=mid:0\r\na=ice-ufrag:abcd\r\n\
         a=candidate:1 1 UDP 2130706431 192.0.2.77 5000 typ host\r\na=rtcp-fb:* nack\r\na=ssrc:5 cname:x\r\n\
         m=video 4002 RTP/AVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n"
    );
    let (capabilities, local) = ours();
    let (reply, agreed) = answer(body.as_bytes(), &capabilities, &local, Direction::SendRecv).unwrap();
    assert_eq!(agreed.remote_rtp, "192.0.2.9:4000".parse().unwrap());
    let text = reply.text();
    assert!(text.contains("m=audio 16384 RTP/AVPF 0\r\n") && text.contains("m=video 0 RTP/AVPF"), "{text}");
    for foreign in ["BUNDLE", "ice", "candidate", "nack", "a=mid", "ssrc"] {
        assert!(!text.contains(foreign), "{foreign}: {text}");
    }
}

#[test]
fn clocks_and_channels_that_no_codec_of_ours_has_are_no_codec_of_ours() {
    for map in [
        "8 PCMA/16000",
        "8 PCMA/0",
        "8 PCMA/4294967295",
        "8 PCMA",
        "8 PCMA/8000/2",
        "8 /8000",
        "8 PCMA/8000/255",
    ] {
        let media = format!("m=audio 4000 RTP/AVP 8\r\na=rtpmap:{map}\r\n");
        assert_eq!(agreed_with_media(&media), Err(Refusal::NoCommonCodec), "{map}");
        let beside = format!("m=audio 4000 RTP/AVP 8 0\r\na=rtpmap:{map}\r\n");
        assert_eq!(agreed_with_media(&beside).unwrap().codec, CodecName::Pcmu, "{map}");
    }
    for clock in ["0", "1", "4294967295", "99999999999"] {
        let media = format!("m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/{clock}\r\n");
        let agreed = agreed_with_media(&media).unwrap();
        assert!(agreed.event_out.is_none_or(|e| e.clock_hz > 0), "{clock}");
    }
}

#[test]
fn a_later_offer_that_numbers_everything_anew_is_obeyed() {
    let (capabilities, mut local) = ours();
    let mut before = Vec::new();
    for (codec, event) in [(8, 101), (97, 96), (96, 97)] {
        let body = format!(
            "{HEAD}m=audio 4000 RTP/AVP {codec} {event}\r\na=rtpmap:{codec} PCMA/8000\r\na=rtpmap:{event} telephone-event/8000\r\n"
        );
        let (reply, agreed) = answer(body.as_bytes(), &capabilities, &local, Direction::SendRecv).unwrap();
        assert_eq!((agreed.payload_out, self::event(&agreed)), (codec, Some(event)));
        assert_eq!(agreed.sound_in, [(codec, CodecName::Pcma)]);
        assert!(reply.text().contains(&format!("RTP/AVP {codec} {event}\r\n")), "{}", reply.text());
        assert!(!before.contains(&reply.0.version), "each answer differs, so each has a version of its own");
        before.push(reply.0.version);
        local.before = Some(reply.0);
    }
    // An offer of ours keeps the numbers that the peer gave last, and takes none of them for something else.
    let ours = hotline::sdp::offer(&local, &capabilities, Direction::SendRecv).text();
    assert!(
        ours.contains("a=rtpmap:96 PCMA/8000") && ours.contains("a=rtpmap:97 telephone-event/8000"),
        "{ours}"
    );
}
