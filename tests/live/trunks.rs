//! Trunks over real sockets: found by name, registered, watched, tried one after the other, limited.
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hotline::replay::{Phone, PhoneEvent, PhoneSettings, Voice};
use serde_json::Value;

use crate::house::{House, PROMPT_HZ, SOON, hears, runtime, scratch};
use crate::name_server::NameServer;
use crate::sipp::run::{Orders, Sipp, free_port};

/// The first party of the directory over these trunks.
fn over(trunks: &'static str) -> impl FnOnce(&Path) {
    move |menus| {
        let path = menus.join("directory.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let changed = text.replacen("trunk  = \"merchants\"", &format!("trunks = {trunks}"), 1);
        assert_ne!(text, changed);
        std::fs::write(path, changed).unwrap();
    }
}

/// A third party who answers at once.
async fn merchant(house: &House, port: u16) -> Phone {
    let mut settings = PhoneSettings::new("7001", house.sip);
    settings.port = port;
    settings.voice = Voice::Tone(900.0);
    settings.answer_after = Some(Duration::from_millis(100));
    Phone::start(settings).await.unwrap()
}

/// A socket that hears everything and says nothing.
fn deaf() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// Caller and agent talk; the agent calls the first party of the directory.
async fn asks_the_party(house: &House) -> (Phone, Phone) {
    let mut agent = house.agent("8002", Voice::Tone(700.0)).await;
    let caller = house.caller("13800138000", "95188", Voice::Tone(400.0)).await;
    caller.press("0").await.unwrap();
    agent.wait("a ring", SOON, |e| matches!(e, PhoneEvent::Rings(_))).await.unwrap();
    agent.answer().await.unwrap();
    hears("the agent", &agent, &[400.0], &[]).await;
    agent.press("*21#").await.unwrap();
    (agent, caller)
}

async fn hangs_up(caller: Phone, mut agent: Phone) {
    caller.hang_up().await.unwrap();
    agent.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
}

/// The facts of a kind: when, in milliseconds, and their fields.
fn facts(story: &Value, kind: &str) -> Vec<(i64, Value)> {
    let all = story["facts"].as_array().unwrap().iter().filter(|f| f["kind"] == kind);
    all.map(|f| (f["at_us"].as_i64().unwrap() / 1_000, f["body"][kind].clone())).collect()
}

async fn until<T>(house: &House, what: &str, mut found: impl FnMut(&Value) -> Option<T>) -> T {
    let before = Instant::now();
    loop {
        let status = house.status().await;
        if let Some(found) = found(&status["trunks"]) {
            return found;
        }
        assert!(before.elapsed() < SOON, "{what}: {}", status["trunks"]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn password() -> (PathBuf, String) {
    let folder = scratch();
    let file = folder.join("password");
    std::fs::write(&file, "a long word for a trunk\n").unwrap();
    (folder, file.display().to_string())
}

#[test]
fn a_trunk_by_name_is_found_by_naptr_and_srv_and_the_second_server_takes_over() {
    let ((_deaf, dead), port) = (deaf(), free_port());
    let names = NameServer::start(&format!(
        "carrier.test 30 NAPTR 10 10 s SIP+D2U _sip._udp.carrier.test
         _sip._udp.carrier.test 30 SRV 10 0 {dead} a.carrier.test
         _sip._udp.carrier.test 30 SRV 20 0 {port} b.carrier.test
         a.carrier.test 30 A 127.0.0.1
         b.carrier.test 30 A 127.0.0.1"
    ));
    let mut house = House::open(&format!(
        "[dns]\nservers = \"{}\"\n[trunks.merchants]\naddress = \"carrier.test\"\npatience = \"1s\"\n",
        names.at
    ));
    runtime().block_on(async {
        let _merchant = merchant(&house, port).await;
        until(&house, "the name", |t| (t[0]["targets"].as_array()?.len() == 2).then_some(())).await;
        let (agent, caller) = asks_the_party(&house).await;
        hears("the agent, from the second server,", &agent, &[900.0], &[400.0]).await;
        let doubted = until(&house, "doubt", |t| t[0]["targets"][0]["doubted"].as_bool()).await;
        assert!(doubted, "the silent one is tried after the other for a while");
        hangs_up(caller, agent).await;
    });
    let story = house.story(0);
    let routed = facts(&story, "leg_routed");
    let to: Vec<_> = routed.iter().map(|(_, f)| (f["to"].as_str().unwrap(), f["after"].as_str())).collect();
    let (first, second) = (format!("udp 127.0.0.1:{dead}"), format!("udp 127.0.0.1:{port}"));
    assert_eq!(to, [(first.as_str(), None), (second.as_str(), Some("peer_lost"))]);
    let waited = routed[1].0 - routed[0].0;
    assert!((900..3_000).contains(&waited), "{waited} ms");
    assert_eq!(facts(&story, "party_answered").len(), 1);
}

#[test]
fn a_dead_name_server_delays_no_call_and_raises_an_alarm() {
    let names = NameServer::start("");
    names.hush(true);
    let mut house = House::open(&format!(
        "[dns]\nservers = \"{}\"\n[trunks.merchants]\naddress = \"carrier.test\"\n",
        names.at
    ));
    runtime().block_on(async {
        let before = Instant::now();
        let other = house.caller("13800138001", "95188", Voice::Tone(400.0)).await;
        hears("a caller", &other, &[PROMPT_HZ], &[]).await;
        assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
        let (agent, caller) = asks_the_party(&house).await;
        hears("the agent again", &agent, &[400.0], &[]).await;
        let alarm = until(&house, "an alarm", |t| t[0]["alarm"].as_str().map(str::to_owned)).await;
        assert_eq!(alarm, "its name leads nowhere");
        hangs_up(caller, agent).await;
        assert!(!names.asked().is_empty());
    });
    let story = house.story(0);
    let (asked, left) = (&facts(&story, "party_invited")[0], &facts(&story, "party_left")[0]);
    assert_eq!(left.1["cause"], "unreachable");
    assert!(left.0 - asked.0 < 500, "the agent is told at once, not after {} ms", left.0 - asked.0);
}

#[test]
fn a_name_that_moves_is_followed_when_its_time_is_over() {
    let (first, second) = (free_port(), free_port());
    let zone = |port: u16| {
        format!("_sip._udp.carrier.test 5 SRV 0 0 {port} a.carrier.test\na.carrier.test 5 A 127.0.0.1")
    };
    let names = NameServer::start(&zone(first));
    let house = House::open(&format!(
        "[dns]\nservers = \"{}\"\n[trunks.merchants]\naddress = \"carrier.test\"\ntransport = \"udp\"\n",
        names.at
    ));
    runtime().block_on(async {
        let at = |port: u16| format!("udp 127.0.0.1:{port}");
        until(&house, "the first place", |t| (t[0]["targets"][0]["at"] == at(first)).then_some(())).await;
        names.say(&zone(second));
        until(&house, "the second place", |t| (t[0]["targets"][0]["at"] == at(second)).then_some(())).await;
        // And what was found last still serves when nobody answers any more.
        names.hush(true);
        let alarm = until(&house, "an alarm", |t| t[0]["alarm"].as_str().map(str::to_owned)).await;
        assert_eq!(alarm, "its name cannot be looked up; what was found last is used");
        assert_eq!(house.status().await["trunks"][0]["targets"][0]["at"], at(second));
    });
}

#[test]
fn a_registered_trunk_answers_its_challenge_refreshes_and_takes_itself_back_at_the_end() {
    let (port, (folder, file)) = (free_port(), password());
    let carrier = House::open("");
    let runtime = runtime();
    let orders = Orders::new("registrar").port(port).key("expires", "3");
    let registrar = runtime.block_on(Sipp::answering(&carrier, orders));
    let mut house = House::open(&format!(
        "[trunks.merchants]\naddress = \"127.0.0.1:{port}\"\nuser = \"house\"\npassword_file = \"{file}\"\n\
         register = true\nnumber = \"95188\"\nexpires = \"60s\"\n"
    ));
    runtime.block_on(async {
        until(&house, "the registration", |t| t[0]["registered"].as_bool().filter(|r| *r)).await;
        let asked = |times: usize| registrar.messages().matches("REGISTER sip:").count() >= times;
        let before = Instant::now();
        while !asked(3) {
            assert!(before.elapsed() < Duration::from_secs(6), "no refresh of what was granted for 3 s");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(before.elapsed() < Duration::from_secs(3), "{:?}: too late", before.elapsed());
        assert!(registrar.messages().contains("Contact: <sip:95188@127.0.0.1:"), "{}", registrar.messages());
        assert!(house.status().await["trunks"][0]["alarm"].is_null());
    });
    house.close();
    runtime.block_on(registrar.finish());
    std::fs::remove_dir_all(folder).ok();
}

#[test]
fn a_registrar_that_refuses_us_is_not_asked_again_at_once_and_somebody_is_told() {
    let (port, (folder, file)) = (free_port(), password());
    let carrier = House::open("");
    runtime().block_on(async {
        let registrar = Sipp::answering(&carrier, Orders::new("registrar_refuses").port(port)).await;
        let house = House::open(&format!(
            "[trunks.merchants]\naddress = \"127.0.0.1:{port}\"\nuser = \"house\"\npassword_file = \"{file}\"\nregister = true\n"
        ));
        let alarm = until(&house, "an alarm", |t| {
            t[0]["register_status"].as_u64().filter(|s| *s == 403)?;
            t[0]["alarm"].as_str().map(str::to_owned)
        })
        .await;
        assert_eq!(alarm, "its registrar refuses us");
        // It hears nothing more in its four seconds: sipp would count that as a failure.
        registrar.finish().await;
        assert_eq!(house.status().await["trunks"][0]["registered"], false);
    });
    std::fs::remove_dir_all(folder).ok();
}

#[test]
fn a_trunk_that_stops_answering_options_is_down_and_one_answer_brings_it_back() {
    let port = free_port();
    let carrier = House::open("");
    let house = House::open(&format!(
        "[trunks.merchants]\naddress = \"127.0.0.1:{port}\"\nhealth = \"1s\"\ndown_after = 2\n"
    ));
    runtime().block_on(async {
        let lives = || Sipp::answering(&carrier, Orders::new("lives").port(port).calls(1_000, 10));
        let down = |t: &Value, wanted: bool| (t[0]["targets"][0]["down"] == wanted).then_some(());
        let alarmed = |t: &Value| t[0]["alarm"].as_str() == Some("does not answer");
        until(&house, "down at first", |t| down(t, true).filter(|()| alarmed(t))).await;
        let first = lives().await;
        until(&house, "up", |t| down(t, false)).await;
        drop(first);
        let before = Instant::now();
        until(&house, "down", |t| down(t, true)).await;
        assert!(before.elapsed() > Duration::from_millis(900), "one failure is not enough");
        let _again = lives().await;
        until(&house, "up again", |t| down(t, false).filter(|()| !alarmed(t))).await;
    });
}

#[test]
fn a_call_over_a_dead_trunk_goes_to_the_second_in_time() {
    let ((_deaf, dead), port) = (deaf(), free_port());
    let more = format!(
        "[trunks.dead]\naddress = \"127.0.0.1:{dead}\"\npatience = \"1s\"\n\
         [trunks.merchants]\naddress = \"127.0.0.1:{port}\"\n"
    );
    let mut house = House::open_with(&more, over("[\"dead\", \"merchants\"]"));
    runtime().block_on(async {
        let _merchant = merchant(&house, port).await;
        let (agent, caller) = asks_the_party(&house).await;
        hears("the agent, from the merchant,", &agent, &[900.0], &[400.0]).await;
        hangs_up(caller, agent).await;
    });
    let story = house.story(0);
    let (asked, answered) = (facts(&story, "party_invited")[0].0, facts(&story, "party_answered")[0].0);
    assert!((1_000..4_000).contains(&(answered - asked)), "{} ms", answered - asked);
    let trunks: Vec<_> = facts(&story, "leg_routed").into_iter().map(|(_, f)| f["trunk"].clone()).collect();
    assert_eq!(trunks, ["dead", "merchants"]);
}

#[test]
fn a_server_in_trouble_sends_the_call_on_and_a_busy_callee_does_not() {
    for (scenario, trunks) in [("in_trouble", vec!["first", "merchants"]), ("busy", vec!["first"])] {
        let (refuses, port) = (free_port(), free_port());
        let more = format!(
            "[trunks.first]\naddress = \"127.0.0.1:{refuses}\"\n[trunks.merchants]\naddress = \"127.0.0.1:{port}\"\n"
        );
        let mut house = House::open_with(&more, over("[\"first\", \"merchants\"]"));
        runtime().block_on(async {
            let first = Sipp::answering(&house, Orders::new(scenario).port(refuses)).await;
            let _merchant = merchant(&house, port).await;
            let (agent, caller) = asks_the_party(&house).await;
            first.finish().await;
            let wanted = if scenario == "in_trouble" { 900.0 } else { 400.0 };
            hears("the agent", &agent, &[wanted], &[]).await;
            hangs_up(caller, agent).await;
        });
        let story = house.story(0);
        let tried: Vec<_> =
            facts(&story, "leg_routed").into_iter().map(|(_, f)| f["trunk"].clone()).collect();
        assert_eq!(tried, trunks, "{scenario}");
        if scenario == "busy" {
            assert_eq!(facts(&story, "party_left")[0].1["cause"], "busy");
        }
    }
}

#[test]
fn callers_beyond_a_trunks_limit_hear_503_with_retry_after() {
    let port = free_port();
    let house = House::open(&format!("[trunks.merchants]\naddress = \"127.0.0.1:{port}\"\ncalls_in = 2\n"));
    runtime().block_on(async {
        let orders = Orders::new("limited").port(port).key("caller", "c").calls(5, 50).with("-d", "1500");
        let callers = Sipp::start(&house, &orders);
        until(&house, "the limit", |t| (t[0]["figures"]["limited_in"] == 3).then_some(())).await;
        assert_eq!(house.status().await["trunks"][0]["calls_in"], 2);
        callers.finish().await;
        until(&house, "room again", |t| (t[0]["calls_in"] == 0).then_some(())).await;
    });
}
