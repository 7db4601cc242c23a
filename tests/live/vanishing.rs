//! Phones that fall off the network, over real sockets: an agent's while it rings, in talk, in wrap-up; and connections of
//! which one half is left. The caller is where he was, hears music, and is the next agent's; the void is not rung.
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hotline::replay::{Phone, PhoneEvent, PhoneSettings, Voice};
use serde_json::Value;
use socket2::{SockFilter, SockRef};

use crate::cast::{AGENT_HZ, CALLER_HZ, OTHER_AGENT_HZ, answer, edit, no_wrap_up, only, over, rings};
use crate::house::{House, MUSIC_HZ, SOON, runtime};
use crate::tls::told;

/// Phones are asked every second, so that it is soon known that they answer.
const ASKED: &str = "ask_phones = \"1s\"\n";
/// Between the notice that a phone is gone and the caller's being back.
const BACK: i64 = 2_000_000;
/// The queue behind the keys 1 and 3.
const QUEUE: &str = "account";

/// How an agent's phone is connected, and so how it is found to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    /// Its socket is closed: the network says so (ICMP).
    Udp,
    /// Its connection is closed.
    Tcp,
}

async fn agent_over(house: &House, wire: Wire) -> Phone {
    let mut settings = PhoneSettings::new("8001", house.sip);
    settings.password = Some(house.password("8001"));
    settings.voice = Voice::Tone(AGENT_HZ);
    settings.tcp = wire == Wire::Tcp;
    let phone = house.agent_with(settings).await;
    told(house, "hotline_phones_answering", |n| n >= 1.0).await;
    phone
}

async fn waiting(house: &House) -> Vec<Value> {
    let status = house.status().await;
    let queues = status["board"]["acd"]["queues"].as_array().unwrap();
    queues.iter().find(|q| q["queue"] == QUEUE).unwrap()["waiting"].as_array().unwrap().clone()
}

async fn state(house: &House, agent: &str) -> Value {
    let status = house.status().await;
    let agents = status["board"]["acd"]["agents"].as_array().unwrap();
    agents.iter().find(|a| a["agent"] == agent).unwrap()["state"].clone()
}

/// Waits until somebody is in line and nobody's phone rings for him.
async fn back_in_line(house: &House, callers: usize) -> Vec<Value> {
    let end = Instant::now() + SOON;
    loop {
        let line = waiting(house).await;
        if line.len() == callers && line.iter().all(|t| t["ringing"].is_null()) {
            return line;
        }
        assert!(Instant::now() < end, "{line:?}, 8001 is {}", state(house, "8001").await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn moments(story: &Value, kind: &str) -> Vec<i64> {
    let facts = story["facts"].as_array().unwrap().iter();
    facts.filter(|f| f["kind"] == kind).map(|f| f["at_us"].as_i64().unwrap()).collect()
}

/// The next agent takes the caller, and they hear each other.
async fn given_to_the_next(house: &House, caller: &Phone) -> Phone {
    let mut settings = PhoneSettings::new("8006", house.sip);
    settings.password = Some(house.password("8006"));
    settings.voice = Voice::Tone(OTHER_AGENT_HZ);
    let mut next = house.agent_with(settings).await;
    rings(&mut next).await;
    answer(&mut next).await;
    tokio::join!(only("the caller", caller, &[OTHER_AGENT_HZ]), only("the next agent", &next, &[CALLER_HZ]));
    next
}

/// An agent whose phone rings, and the caller it rings for.
async fn rung(house: &House, wire: Wire) -> (Phone, Phone) {
    let mut agent = agent_over(house, wire).await;
    let caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
    caller.press("13").await.unwrap();
    rings(&mut agent).await;
    (agent, caller)
}

fn vanishes_while_it_rings(wire: Wire) {
    let mut house = House::open_with(ASKED, no_wrap_up);
    runtime().block_on(async {
        let (agent, mut caller) = rung(&house, wire).await;
        let second = house.caller("13900139000", "95188", Voice::Silence).await;
        second.press("13").await.unwrap();
        let before = loop {
            let line = waiting(&house).await;
            if line.len() == 2 {
                break line;
            }
        };
        agent.vanish().await.unwrap();
        let after = back_in_line(&house, 2).await;
        for (was, is) in before.iter().zip(&after) {
            for what in ["ticket", "call", "since", "priority"] {
                assert_eq!(was[what], is[what], "{wire:?}: {what}");
            }
        }
        only("the caller who waits on", &caller, &[MUSIC_HZ]).await;
        assert_eq!(state(&house, "8001").await, "unreachable");
        given_to_the_next(&house, &caller).await;
        caller.hang_up().await.unwrap();
        over(&mut caller).await;
    });
    // After the second caller's call and the next agent's sign-in.
    let story = house.story(2);
    assert_eq!(story["offers"].as_array().unwrap().len(), 2, "the void was rung: {}", story["offers"]);
    assert_eq!(story["offers"][1]["outcome"], "connected", "{}", story["offers"]);
}

#[test]
fn a_phone_that_vanishes_while_it_rings_gives_the_caller_back_over_udp() {
    vanishes_while_it_rings(Wire::Udp);
}

#[test]
fn a_phone_that_vanishes_while_it_rings_gives_the_caller_back_over_tcp() {
    vanishes_while_it_rings(Wire::Tcp);
}

fn vanishes_in_talk(wire: Wire) {
    let mut house = House::open_with(ASKED, no_wrap_up);
    runtime().block_on(async {
        let (mut agent, mut caller) = rung(&house, wire).await;
        let clock = waiting(&house).await[0].clone();
        answer(&mut agent).await;
        only("the caller", &caller, &[AGENT_HZ]).await;
        let second = house.caller("13900139000", "95188", Voice::Silence).await;
        second.press("13").await.unwrap();
        back_in_line(&house, 1).await;
        agent.vanish().await.unwrap();
        let line = back_in_line(&house, 2).await;
        for what in ["call", "since", "priority"] {
            assert_eq!(line[0][what], clock[what], "{wire:?}: he is first, by his clock: {what}");
        }
        only("the caller who waits again", &caller, &[MUSIC_HZ]).await;
        given_to_the_next(&house, &caller).await;
        assert_eq!(state(&house, "8001").await, "unreachable");
        caller.hang_up().await.unwrap();
        over(&mut caller).await;
    });
    let story = house.story(2);
    let (left, queued) = (moments(&story, "agent_left"), moments(&story, "queued"));
    assert!(left.len() == 2 && queued.len() == 2, "{story}");
    assert!(queued[1] - left[0] <= BACK, "back after {} us", queued[1] - left[0]);
    let lost = story["facts"].as_array().unwrap().iter().find(|f| f["kind"] == "agent_left").unwrap();
    assert!(lost["body"].to_string().contains("peer_lost"), "{lost}");
}

#[test]
fn a_phone_that_vanishes_in_talk_gives_the_caller_back_over_udp() {
    vanishes_in_talk(Wire::Udp);
}

#[test]
fn a_phone_that_vanishes_in_talk_gives_the_caller_back_over_tcp() {
    vanishes_in_talk(Wire::Tcp);
}

#[test]
fn a_phone_that_vanishes_in_wrap_up_is_not_rung_until_it_is_back() {
    let house = House::open_with(ASKED, |menus| {
        edit(menus, "queues.toml", "skills = [\"account\"]", "skills = [\"account\"]\nwrap_up = \"3s\"");
    });
    runtime().block_on(async {
        let (mut agent, mut caller) = rung(&house, Wire::Udp).await;
        answer(&mut agent).await;
        caller.hang_up().await.unwrap();
        over(&mut caller).await;
        over(&mut agent).await;
        assert_eq!(state(&house, "8001").await, "wrap_up");
        agent.vanish().await.unwrap();
        told(&house, "hotline_phones_silent", |n| n > 0.5).await;
        let next = house.caller("13900139000", "95188", Voice::Tone(CALLER_HZ)).await;
        next.press("13").await.unwrap();
        // Until the wrap-up is over: then he is not ready, and nobody is rung.
        let end = Instant::now() + SOON;
        while state(&house, "8001").await == "wrap_up" {
            assert!(Instant::now() < end);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(state(&house, "8001").await, "unreachable");
        only("the caller meanwhile", &next, &[MUSIC_HZ]).await;
        assert!(waiting(&house).await[0]["ringing"].is_null());
        // He starts his phone again.
        let mut settings = PhoneSettings::new("8001", house.sip);
        settings.password = Some(house.password("8001"));
        settings.voice = Voice::Tone(AGENT_HZ);
        let mut again = Phone::start(settings).await.unwrap();
        again.register(Duration::from_mins(5)).await.unwrap();
        rings(&mut again).await;
        answer(&mut again).await;
        only("the caller", &next, &[AGENT_HZ]).await;
    });
}

/// A wire between a phone and the server that can be cut, so that neither end hears of it.
struct Cable {
    at: SocketAddr,
    ends: mpsc::Receiver<TcpStream>,
}

impl Cable {
    fn lay(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (tell, ends) = mpsc::channel();
        std::thread::spawn(move || {
            for phone in listener.incoming().flatten() {
                let server = TcpStream::connect(to).unwrap();
                for (from, into) in [(&phone, &server), (&server, &phone)] {
                    let (mut from, mut into) = (from.try_clone().unwrap(), into.try_clone().unwrap());
                    std::thread::spawn(move || {
                        let mut buffer = [0; 4_096];
                        while let Ok(n) = from.read(&mut buffer) {
                            // The end of one side is not told to the other.
                            if n == 0 || into.write_all(&buffer[..n]).is_err() {
                                return;
                            }
                        }
                    });
                }
                if tell.send(server).is_err() {
                    return;
                }
            }
        });
        Self { at, ends }
    }

    /// From now on nothing passes: what the server sends is not even acknowledged.
    fn cut(&self) -> Vec<TcpStream> {
        const RETURN: u16 = 0x06;
        let ends: Vec<TcpStream> = self.ends.try_iter().collect();
        assert!(!ends.is_empty(), "nobody connected");
        for end in &ends {
            SockRef::from(end).attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)]).unwrap();
        }
        ends
    }
}

#[test]
fn half_a_connection_of_an_agent_ends_his_leg_and_gives_the_caller_back() {
    let mut house = House::open_with(&format!("{ASKED}vanished_after = \"4s\"\n"), no_wrap_up);
    runtime().block_on(async {
        let cable = Cable::lay(house.sip);
        let mut settings = PhoneSettings::new("8001", cable.at);
        settings.password = Some(house.password("8001"));
        settings.voice = Voice::Tone(AGENT_HZ);
        settings.tcp = true;
        let mut agent = house.agent_with(settings).await;
        told(&house, "hotline_phones_answering", |n| n >= 1.0).await;
        let mut caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
        caller.press("13").await.unwrap();
        rings(&mut agent).await;
        answer(&mut agent).await;
        only("the caller", &caller, &[AGENT_HZ]).await;
        let ends = cable.cut();
        agent.vanish().await.unwrap();
        back_in_line(&house, 1).await;
        only("the caller who waits again", &caller, &[MUSIC_HZ]).await;
        told(&house, "hotline_sip_total{what=\"connections_vanished\"}", |n| n >= 1.0).await;
        assert_eq!(state(&house, "8001").await, "unreachable");
        caller.hang_up().await.unwrap();
        over(&mut caller).await;
        drop(ends);
    });
    let story = house.story(0);
    let lost = story["facts"].as_array().unwrap().iter().find(|f| f["kind"] == "agent_left").unwrap();
    assert!(lost["body"].to_string().contains("peer_lost"), "{lost}");
}

#[test]
fn half_a_connection_of_a_caller_ends_his_call_and_frees_the_agent() {
    let mut house = House::open_with(&format!("{ASKED}vanished_after = \"4s\"\n"), no_wrap_up);
    runtime().block_on(async {
        let mut agent = agent_over(&house, Wire::Udp).await;
        let cable = Cable::lay(house.sip);
        let mut settings = PhoneSettings::new("13800138000", cable.at);
        settings.voice = Voice::Tone(CALLER_HZ);
        settings.tcp = true;
        let mut caller = Phone::start(settings).await.unwrap();
        caller.dial("95188").await.unwrap();
        caller.wait("the answer", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        caller.press("13").await.unwrap();
        rings(&mut agent).await;
        answer(&mut agent).await;
        only("the agent", &agent, &[CALLER_HZ]).await;
        let ends = cable.cut();
        caller.vanish().await.unwrap();
        // Ten seconds of silence after the connection was found gone; a busy machine has more time.
        let within = Duration::from_secs(50);
        agent.wait("the end of the call", within, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        drop(ends);
    });
    let story = house.story(0);
    // Long before a silence is too long by itself (a minute).
    assert_eq!(story["call"]["cause"], "peer_lost", "{}", story["call"]);
}
