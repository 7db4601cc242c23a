//! What the phones of `hotline replay` bear: 3,000 calls at once with sound both ways from one core, against far ends that
//! do nothing but answer and speak, on the other core. The phones must not be late, and hear every packet.
use std::net::SocketAddrV4;
use std::process::{Command, Stdio};

use hotline::replay::Mirror;

mod support;

const CALLS: u32 = 3_000;
/// New calls each second: all stand after 20 s, and 20 s more.
const RATE: &str = "150";
const HOLD: &str = "20s";

const SCENARIO: &str = r#"
title  = "The generator"
begins = "2026-11-10T10:00+08:00"
lasts  = "30m"

[arrivals]
per_half_hour = [20000]

[callers.anybody]
share    = 1
number   = "1"
keys     = []
patience = "20s"

[agents.nobody]
count = 0
"#;

fn main() {
    // The far ends here, the phones on the other core.
    support::pin_to(0);
    let folder = std::env::temp_dir().join(format!("hotline-generator-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (scenario, json) = (folder.join("generator.toml"), folder.join("report.json"));
    std::fs::write(&scenario, SCENARIO).unwrap();
    let mirror = Mirror::start(SocketAddrV4::new([127, 0, 0, 1].into(), 0)).unwrap();
    let mut replay = Command::new("taskset");
    replay
        .args(["-c", "1", env!("CARGO_BIN_EXE_hotline"), "replay"])
        .arg(&scenario)
        .args(["--target", &format!("sip:{}", mirror.address), "--rate", RATE, "--hold", HOLD])
        .args(["--max-calls", "6000", "--max-time", "90s", "--json"])
        .arg(&json)
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit());
    replay.status().unwrap();
    let text = std::fs::read_to_string(&json).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let number = |path: &str| report.pointer(path).and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN);
    let most = f64::from(u32::try_from(mirror.standing_max()).unwrap());
    support::report(
        "generator_calls_at_once_missing",
        (f64::from(CALLS) - 60.0 - most).max(0.0),
        "calls",
        0.0,
    );
    support::report(
        "generator_calls_failed",
        number("/outcomes/calls") - number("/outcomes/answered"),
        "calls",
        0.0,
    );
    support::report("generator_packets_lost", number("/sound/lost"), "packets", 0.0);
    support::report("generator_late_p99", number("/punctuality/actions/p99_us") / 1e3, "ms", 5.0);
    support::report("generator_late", f64::from(u8::from(report["punctuality"]["late"] == true)), "", 0.0);
    support::report("generator_core", 100.0 * number("/tool_cpu"), "%", 100.0);
    drop(mirror);
    std::fs::remove_dir_all(&folder).ok();
}
