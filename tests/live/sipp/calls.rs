//! One call each, seen in the record and heard at the sockets.
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use hotline::media::{Codec, Tone};
use hotline::replay::{PhoneEvent, Voice};
use serde_json::Value;

use super::run::{Orders, Sipp, UNASKED, free_port, sign_in};
use crate::house::{House, SOON, hears, runtime};

/// The keys that were pressed and the queue that was reached, newest call first.
fn keys_and_queue(story: &Value) -> (&str, Option<&str>) {
    (story["call"]["keys"].as_str().unwrap(), story["call"]["queue"].as_str())
}

fn facts<'a>(story: &'a Value, kind: &str) -> Vec<&'a Value> {
    story["facts"].as_array().unwrap().iter().filter(|f| f["kind"] == kind).collect()
}

fn caller(name: &str, stays_ms: u32) -> Orders {
    Orders::new("waits").key("caller", name).with("-d", &stays_ms.to_string())
}

#[test]
fn a_key_by_rfc_4733_leads_to_the_queue() {
    let mut house = House::open("");
    runtime().block_on(Sipp::run(&house, Orders::new("key_by_event")));
    let story = house.story(0);
    assert_eq!(keys_and_queue(&story), ("0", Some("general")), "does sipp run as root, to play RTP?");
    assert_eq!(story["call"]["cause"], "hung_up");
}

#[test]
fn a_key_by_info_leads_to_the_queue_over_udp_and_over_tcp() {
    for tcp in [false, true] {
        let mut house = House::open("");
        let orders = caller("by-info", 500);
        runtime().block_on(Sipp::run(&house, if tcp { orders.tcp() } else { orders }));
        let story = house.story(0);
        assert_eq!(keys_and_queue(&story), ("0", Some("general")), "tcp: {tcp}");
        assert_eq!(story["call"]["cause"], "hung_up");
    }
}

#[test]
fn a_key_by_both_ways_counts_once() {
    let mut house = House::open("");
    runtime().block_on(Sipp::run(&house, Orders::new("key_by_both")));
    let story = house.story(0);
    assert_eq!(keys_and_queue(&story), ("4", None));
    let menus: Vec<_> = facts(&story, "menu_entered").iter().map(|f| f["body"].to_string()).collect();
    assert_eq!(menus.len(), 2, "{menus:?}");
}

#[test]
fn an_agent_who_rings_is_cancelled_when_the_caller_hangs_up() {
    let mut house = House::open("");
    runtime().block_on(async {
        let port = free_port();
        sign_in(&house, &["8002".to_owned()], port, false).await;
        let agent = Sipp::answering(&house, Orders::new("agent_cancelled").port(port)).await;
        Sipp::run(&house, caller("gives-up", 1_500)).await;
        agent.finish().await;
    });
    let story = house.story(0);
    assert_eq!(story["call"]["cause"], "hung_up");
    assert_eq!(story["offers"][0]["outcome"], "withdrawn", "{}", story["offers"]);
}

#[test]
fn a_cancel_that_crosses_the_answer_changes_nothing() {
    let mut house = House::open("");
    runtime().block_on(Sipp::run(&house, Orders::new("cancel_crosses")));
    let story = house.story(0);
    assert_eq!(story["call"]["cause"], "hung_up");
    assert_eq!(facts(&story, "call_answered").len(), 1);
}

#[test]
fn hold_codec_and_address_change_by_re_invite() {
    let mut house = House::open("");
    let [first, second] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    runtime().block_on(async {
        let port = |s: &UdpSocket| s.local_addr().unwrap().port().to_string();
        let orders =
            Orders::new("changes").key("first_port", &port(&first)).key("second_port", &port(&second));
        Sipp::run(&house, orders).await;
    });
    let story = house.story(0);
    let held: Vec<_> = facts(&story, "peer_held").iter().map(|f| f["body"].to_string()).collect();
    assert_eq!(
        held.iter().map(|b| b.contains("true")).collect::<Vec<_>>(),
        [true, false, true, false],
        "{held:?}"
    );
    // Sound went to the first port as PCMA, and after the change to the second as PCMU.
    for (socket, payload_type) in [(first, 8), (second, 0)] {
        let mut buffer = [0; 512];
        socket.set_nonblocking(true).unwrap();
        let mut seen = Vec::new();
        while let Ok(n) = socket.recv(&mut buffer) {
            assert_eq!(n, 172, "20 ms of G.711");
            seen.push(buffer[1] & 0x7F);
        }
        assert!(seen.len() > 10 && seen.iter().all(|p| *p == payload_type), "{payload_type}: {seen:?}");
    }
}

#[test]
fn early_sound_of_a_third_party_is_heard_before_it_answers() {
    const EARLY_HZ: f64 = 900.0;
    let port = free_port();
    let mut house = House::open(&format!("[trunks.merchants]\naddress = \"127.0.0.1:{port}\"\n"));
    std::fs::write(house.folder.join("tone.pcap"), pcap(EARLY_HZ, 90)).unwrap();
    runtime().block_on(async {
        let party = Sipp::answering(&house, Orders::new("early_sound").port(port)).await;
        let mut agent = house.agent("8002", Voice::Tone(700.0)).await;
        let caller = house.caller("13800138000", "95188", Voice::Tone(400.0)).await;
        caller.press("0").await.unwrap();
        agent.wait("a ring", SOON, |e| matches!(e, PhoneEvent::Rings(_))).await.unwrap();
        agent.answer().await.unwrap();
        hears("the agent", &agent, &[400.0], &[]).await;
        agent.press("*21#").await.unwrap();
        hears("the agent, from the merchant's network,", &agent, &[EARLY_HZ], &[400.0]).await;
        let before = Instant::now();
        while !party.messages().contains("ACK sip:") {
            assert!(before.elapsed() < SOON, "the third party was not acknowledged");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        caller.hang_up().await.unwrap();
        agent.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        party.finish().await;
    });
    let story = house.story(0);
    assert_eq!(facts(&story, "party_answered").len(), 1);
}

#[test]
fn an_agent_registered_over_tcp_is_called_by_a_connection_of_ours() {
    let mut house = House::open(UNASKED);
    runtime().block_on(async {
        let port = free_port();
        sign_in(&house, &["8002".to_owned()], port, true).await;
        let agent = Sipp::answering(&house, Orders::new("agent_listens").port(port).tcp()).await;
        Sipp::run(&house, caller("over-udp", 1_500)).await;
        agent.finish().await;
    });
    let story = house.story(0);
    assert_eq!(story["call"]["agent"], "8002");
    assert_eq!(story["offers"][0]["outcome"], "connected");
}

/// A capture of `packets` packets of 20 ms of PCMA: Ethernet, IPv4, UDP, RTP.
fn pcap(hz: f64, packets: u16) -> Vec<u8> {
    let mut tone = Tone::new(hz, 8_000.0);
    let mut file = Vec::new();
    for word in [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for n in 0..packets {
        let (mut samples, mut payload) = ([0_i16; 160], [0_u8; 160]);
        tone.fill(&mut samples);
        Codec::Pcma.encode(&samples, &mut payload);
        let mut packet = vec![0; 12];
        packet.extend([8, 0]);
        packet.extend([0x45, 0, 0, 200, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        packet.extend([0x27, 0x10, 0x27, 0x12, 0, 180, 0, 0, 0x80, 8]);
        packet.extend(n.to_be_bytes());
        packet.extend((u32::from(n) * 160).to_be_bytes());
        packet.extend(0x5E11_0F7E_u32.to_be_bytes());
        packet.extend(payload);
        let length = u32::try_from(packet.len()).unwrap();
        for word in [u32::from(n) / 50, u32::from(n) % 50 * 20_000, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}
