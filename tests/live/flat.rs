//! Some hundred calls against a server in a process of its own leave no file open and nothing of theirs in memory; the
//! long version is `cargo xtask soak`.
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hotline::replay::load::{LoadSettings, Scenario, play};
use serde_json::Value;

use crate::binary::Home;
use crate::web::get;

const CALLS: usize = 400;
/// 64 * T1 after the last call, and more on a busy machine.
const GONE_WITHIN: Duration = Duration::from_secs(100);
/// Files more or less that say nothing: a question of ours is one.
const FILES: usize = 5;

fn files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn held(home: &Home) -> Value {
    get(home.http, "/api/v1/status").json()["held"].clone()
}

#[test]
fn hundreds_of_calls_leave_no_file_and_nothing_in_memory() {
    let home = Home::new();
    let (server, _) = home.serve();
    let (before, open) = (held(&home), files(server.id()));
    let SocketAddr::V4(address) = home.sip else { panic!("{}", home.sip) };
    let settings = LoadSettings {
        server: address,
        at: [127, 0, 0, 2].into(),
        port: 0,
        scenario: Scenario::Calls,
        number: "95188".to_owned(),
        size: CALLS,
        rate: 40.0,
        hold: Duration::from_mins(1),
        agents: Vec::new(),
        sign_in: String::new(),
        invite_keys: String::new(),
        join_keys: String::new(),
        pid: Some(server.id()),
        server_ports: (16_384, 32_767),
        timed: 0,
        seed: 1,
    };
    let report = play(settings, |_| {}).unwrap();
    assert!(report.good > CALLS / 2, "{report}");
    let end = Instant::now() + GONE_WITHIN;
    loop {
        let (now, files) = (held(&home), files(server.id()));
        let gone = now.as_object().unwrap().iter().all(|(what, n)| n.as_u64() <= before[what].as_u64());
        if gone && files <= open + FILES {
            break;
        }
        assert!(Instant::now() < end, "{files} files, {open} before; {now}, before {before}");
        std::thread::sleep(Duration::from_millis(500));
    }
}
