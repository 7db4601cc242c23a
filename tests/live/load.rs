//! The load tool against a real server: it counts every packet and hears who speaks to whom, so that what it says of
//! thousands can be believed.
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hotline::replay::load::{LoadReport, LoadSettings, Scenario, play};

use crate::house::House;

const CALLS: usize = 12;
const MERCHANTS: u16 = 5_094;

/// A number straight into a queue with music, and agents who answer only there.
fn crowd(menus: &Path) {
    let add = |name: &str, text: &str| {
        let path = menus.join(name);
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, before + text).unwrap();
    };
    add("numbers.toml", "\n[1000]\nmenu = \"crowd\"\n");
    add("crowd.toml", "say = \"account-short\"\nthen = \"queue crowd\"\n");
    add("queues.toml", "\n[crowd]\nname = \"queue-general\"\ncode = \"99\"\nskills = [\"crowd\"]\n");
    for n in 0..CALLS {
        let skills = "skills = { crowd = 5 }\nlanguages = [\"zh\", \"en\"]\n";
        add("agents.toml", &format!("\n[agent.9{n:04}]\nalias = \"Crowd {n}\"\n{skills}"));
    }
}

fn played(scenario: Scenario) -> LoadReport {
    let more = format!("[trunks.merchants]\naddress = \"127.0.0.2:{MERCHANTS}\"\n");
    let house = House::open_with(&more, crowd);
    let SocketAddr::V4(server) = house.sip else { panic!("{}", house.sip) };
    let agents = (0..CALLS).map(|n| format!("9{n:04}"));
    let agents = agents.map(|name| (name.clone(), house.password(&name))).collect();
    let talks = matches!(scenario, Scenario::Bridges | Scenario::Conferences);
    let settings = LoadSettings {
        server,
        at: [127, 0, 0, 2].into(),
        // Only where merchants are called must the phones be where the trunk says; two tests at once cannot share a port.
        port: if scenario == Scenario::Conferences { MERCHANTS } else { 0 },
        scenario,
        number: "1000".to_owned(),
        size: CALLS,
        rate: 20.0,
        hold: Duration::from_secs(3),
        agents: if talks { agents } else { Vec::new() },
        sign_in: "*81".to_owned(),
        invite_keys: "*21#".to_owned(),
        join_keys: "*3".to_owned(),
        pid: None,
        server_ports: (16_384, 32_767),
        timed: 2,
        seed: 1,
    };
    play(settings, |_| {}).unwrap_or_else(|e| panic!("{e}"))
}

fn assert_sound(report: &LoadReport, legs: usize) {
    assert_eq!(report.good, CALLS, "{report}");
    assert_eq!((report.refused, report.failed), (0, 0), "{report}");
    // Where the machine stands still for long, the kernel's buffers are full: what it dropped is not lost by the server.
    let dropped = report.dropped_at_tool + report.dropped_at_server;
    assert!(report.lost <= dropped, "{report}");
    assert_eq!((report.ears_right, report.ears_wrong), (legs * (CALLS - 2), 0), "{report}");
}

#[test]
fn the_load_s_callers_hear_music_each_and_lose_no_packet() {
    let report = played(Scenario::Callers);
    assert_sound(&report, 1);
}

#[test]
fn the_load_s_bridges_hear_their_partner_alone() {
    let report = played(Scenario::Bridges);
    assert_sound(&report, 2);
    assert!(report.delay.count > 0, "{report}");
}

#[test]
fn the_load_s_conferences_hear_both_others_and_not_themselves() {
    let report = played(Scenario::Conferences);
    assert_sound(&report, 3);
}

#[test]
fn the_load_s_brief_calls_hear_their_second_and_end() {
    let report = played(Scenario::Calls);
    assert_eq!((report.good, report.refused, report.failed), (CALLS, 0, 0), "{report}");
}
