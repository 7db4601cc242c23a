//! A crowd: the real server on one core and `hotline load` on the other, over loopback, with sound both ways. Each
//! scenario prints what the phones measured beside its budget: packets lost by the server, spacing of its packets
//! beside a bare sender's, delay mouth to ear, CPU time of the server's process, memory of a call.
//!
//! `keys`: 500 callers of `hotline replay` walk through menus; from the first packet of a key's event to the first frame of
//! the next prompt, the way there and back included. The same at a terminal: see docs/replaying.md.
//!
//! `reloads`: 500 callers hear music while a menu is saved fifty times; what they hear, and how long control was busy.
//!
//! It takes some minutes and wants a quiet machine. `cargo bench --bench live -- callers bridges` runs some scenarios;
//! `HOTLINE_LIVE_SCALE=0.1` a tenth of the sizes.
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

mod support;

/// A server that is not ready by then will never be.
const READY: Duration = Duration::from_mins(1);
const SIP: &str = "127.0.0.1:15060";
const HTTP: &str = "127.0.0.1:18080";
const TRUNK_PORT: u16 = 15_070;

/// What is played, and what must hold.
struct Play {
    name: &'static str,
    scenario: &'static str,
    number: &'static str,
    calls: f64,
    rate: f64,
    hold_s: u64,
    delay_ms: Option<f64>,
    kb_a_call: Option<f64>,
}

const PLAYS: [Play; 6] = [
    Play {
        name: "callers",
        scenario: "callers",
        number: "1000",
        calls: 2_500.0,
        rate: 200.0,
        hold_s: 20,
        delay_ms: None,
        kb_a_call: Some(40.0),
    },
    Play {
        name: "bridges",
        scenario: "bridges",
        number: "1000",
        calls: 1_500.0,
        rate: 100.0,
        hold_s: 20,
        delay_ms: Some(40.0),
        kb_a_call: Some(80.0),
    },
    Play {
        name: "conferences",
        scenario: "conferences",
        number: "1000",
        calls: 400.0,
        rate: 40.0,
        hold_s: 20,
        delay_ms: Some(60.0),
        kb_a_call: None,
    },
    Play {
        name: "calls",
        scenario: "calls",
        number: "1001",
        calls: 40_000.0,
        rate: 2_000.0,
        hold_s: 60,
        delay_ms: None,
        kb_a_call: None,
    },
    // Fifty new sets of menus meanwhile.
    Play {
        name: "reloads",
        scenario: "callers",
        number: "1000",
        calls: 500.0,
        rate: 100.0,
        hold_s: 50,
        delay_ms: None,
        kb_a_call: None,
    },
    Play {
        name: "overload",
        scenario: "calls",
        number: "1001",
        calls: 120_000.0,
        rate: 6_000.0,
        hold_s: 60,
        delay_ms: None,
        kb_a_call: None,
    },
];

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let scale: f64 = std::env::var("HOTLINE_LIVE_SCALE").ok().and_then(|s| s.parse().ok()).unwrap_or(1.0);
    for play in &PLAYS {
        if wanted.is_empty() || wanted.iter().any(|w| w == play.name) {
            run(play, scale);
        }
    }
    if wanted.is_empty() || wanted.iter().any(|w| w == "keys") {
        keys(scale);
    }
}

/// The phones go before all else on their core, where the system allows it: what they measure is the server, not what a
/// machine in use does beside. The server sees to its own order.
fn first_on_core_1() -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", "-10", "taskset", "-c", "1"]).stderr(Stdio::inherit());
    nice
}

/// Key to prompt, at 500 callers.
fn keys(scale: f64) {
    let folder = std::env::temp_dir().join(format!("hotline-bench-keys-{}", std::process::id()));
    prepare(&folder, 1);
    let server = start(&folder);
    let (scenario, json) =
        (Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/keys.toml"), folder.join("json"));
    let mut replay = first_on_core_1();
    replay
        .args([env!("CARGO_BIN_EXE_hotline"), "replay"])
        .arg(scenario)
        .args(["--target", &format!("sip:{SIP}"), "--hold", "1s", "--max-time", "2m", "--shared-sockets"])
        .args(["--rate", &format!("{:.1}", 25.0 * scale), "--max-calls", &format!("{:.0}", 1_250.0 * scale)])
        .args(["--pid", &server.0.id().to_string(), "--json"])
        .arg(&json);
    let status = replay.stdout(Stdio::null()).status().unwrap();
    assert!(status.code().is_some_and(|code| code != 2), "the scenario could not be played");
    let text = std::fs::read_to_string(&json).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let number = |path: &str| report.pointer(path).and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN);
    println!("keys {}", serde_json::to_string(&report["key_to_prompt"]).unwrap());
    support::report("live_keys_p99", number("/key_to_prompt/p99_us") / 1e3, "ms", 60.0);
    let at_once = number("/standing_max");
    support::report("live_keys_at_once_missing", (500.0 * scale - at_once).max(0.0), "calls", 0.0);
    // Seven keys of each caller have a prompt each.
    let heard = number("/key_to_prompt/count") / number("/outcomes/keys");
    support::report("live_keys_without_prompt", 100.0 * (1.0 - heard), "%", 1.0);
    let failed = number("/outcomes/calls") - number("/outcomes/answered");
    support::report("live_keys_calls_failed", failed, "calls", 0.0);
    let late = f64::from(u8::from(report["punctuality"]["late"] == true));
    support::report("live_keys_phones_late", late, "times", 0.0);
    support::report("live_keys_server_cpu", 100.0 * number("/server_cpu"), "%", 100.0);
    drop(server);
    std::fs::remove_dir_all(&folder).ok();
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of calls, at least 20")]
fn run(play: &Play, scale: f64) {
    let calls = (play.calls * scale).max(20.0);
    let folder = std::env::temp_dir().join(format!("hotline-bench-{}-{}", play.name, std::process::id()));
    let agents = if matches!(play.scenario, "bridges" | "conferences") { calls as usize } else { 1 };
    prepare(&folder, agents);
    let server = start(&folder);
    let mut load = first_on_core_1();
    load.args([env!("CARGO_BIN_EXE_hotline"), "load", play.scenario, "--json"])
        .args(["--server", SIP, "--number", play.number, "--agents", "9"])
        .args(["--calls", &format!("{calls:.0}"), "--rate", &format!("{}", play.rate * scale)])
        .args(["--hold", &play.hold_s.to_string(), "--port", &TRUNK_PORT.to_string()])
        .args(["--pid", &server.0.id().to_string()])
        .arg("--secrets")
        .arg(folder.join("store/secrets.json"));
    let reloads = (play.name == "reloads").then(|| {
        let (folder, pid) = (folder.clone(), server.0.id());
        std::thread::spawn(move || reload(&folder, pid))
    });
    let out = load.output().unwrap();
    if let Some(reloads) = reloads {
        reloads.join().unwrap();
    }
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    drop(server);
    tell(play, calls, &report);
    if play.scenario == "calls" {
        rows(play, &folder, &report);
    }
    // What a killed server noted is not in the folder.
    if let Ok(notes) = std::fs::read_link(folder.join("store/journal/notes")) {
        std::fs::remove_dir_all(notes).ok();
    }
    std::fs::remove_dir_all(&folder).ok();
}

/// Saves a menu fifty times, each when the set before holds, and says how long control was busy with it.
fn reload(folder: &Path, pid: u32) {
    const RELOADS: u32 = 50;
    let main = folder.join("menus/main.toml");
    let text = std::fs::read_to_string(&main).unwrap();
    let begun = Instant::now();
    for n in 1..=RELOADS {
        std::fs::write(&main, format!("{text}\n# {n}\n")).unwrap();
        Command::new("kill").args(["-HUP", &pid.to_string()]).status().unwrap();
        let wanted = f64::from(n + 1);
        while (metric("hotline_menus_number") - wanted).abs() > 0.5 {
            assert!(begun.elapsed() < 4 * READY, "set {wanted} does not hold");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("reloads: {RELOADS} in {seconds:.1} s");
    support::report("live_reloads_each", seconds / f64::from(RELOADS), "s", 3.0);
    let took = |quantile: &str| 1e3 * metric(&format!("hotline_install_seconds{{quantile=\"{quantile}\"}}"));
    support::report("live_reloads_control_p50", took("0.5"), "ms", 5.0);
    support::report("live_reloads_control_max", took("1"), "ms", 20.0);
    let decoded = metric("hotline_menus_parts_total{what=\"sounds_decoded\"}");
    println!("reloads: {decoded} sounds decoded since the start");
}

/// One value of the server's metrics.
fn metric(name: &str) -> f64 {
    use std::io::Read as _;
    let mut stream = std::net::TcpStream::connect(HTTP).unwrap();
    stream.write_all(format!("GET /metrics HTTP/1.0\r\nHost: {HTTP}\r\n\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.and_then(|line| line.rsplit(' ').next()).and_then(|n| n.parse().ok()).unwrap_or(f64::NAN)
}

fn tell(play: &Play, calls: f64, report: &serde_json::Value) {
    let number = |path: &str| report.pointer(path).and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN);
    let name = |what: &str| format!("live_{}_{what}", play.name);
    println!("{} {}", play.name, serde_json::to_string(report).unwrap());
    let due = number("/packets_due");
    let heard = number("/packets");
    if play.name == "overload" {
        // Three times what it sustains: at least 80 % of the throughput remains.
        let each_s = number("/good") / (number("/wanted") / play.rate);
        support::report(&name("calls_per_s_missing_of_1600"), (1_600.0 - each_s).max(0.0), "calls/s", 0.0);
        // Whoever was let in loses nothing: every packet of his second, and his goodbye.
        support::report(&name("let_in_and_failed"), number("/failed"), "calls", 0.0);
        support::report(
            &name("lost_by_server"),
            (number("/lost") - number("/dropped_at_tool")).max(0.0),
            "packets",
            0.0,
        );
    } else {
        support::report(&name("calls_missing"), calls.round() - number("/good"), "calls", 0.0);
        support::report(
            &name("lost_by_server"),
            number("/lost") - number("/dropped_at_tool"),
            "packets",
            0.0,
        );
        support::report(&name("dropped_at_server"), number("/dropped_at_server"), "packets", 0.0);
    }
    if play.scenario != "calls" {
        support::report(&name("ears_wrong"), number("/ears_wrong"), "ears", 0.0);
        // A packet more or less at each ear at both ends of the window.
        support::report(&name("packets_missing"), (100.0 * (due - heard) / due).max(0.0), "%", 0.2);
    }
    let spacing = (number("/spacing/p99_us") - number("/bare_spacing/p99_us")).max(0.0) / 1e3;
    support::report(&name("spacing_p99_beside_bare"), spacing, "ms", 5.0);
    if let Some(budget) = play.delay_ms {
        support::report(&name("delay_p99"), number("/delay/p99_us") / 1e3, "ms", budget);
    }
    if let Some(budget) = play.kb_a_call {
        support::report(&name("memory"), number("/server_kb_a_call"), "kB/call", budget);
    }
    // Calls that are begun in bursts are another load than the one that is meant.
    support::report(&name("tool_late_p99"), number("/late/p99_us") / 1e3, "ms", 20.0);
    support::report(&name("server_cpu"), 100.0 * number("/server_cpu"), "%", 100.0);
}

/// Each call has its row in the store.
fn rows(play: &Play, folder: &Path, report: &serde_json::Value) {
    let out = Command::new("sqlite3")
        .arg(folder.join("store/hotline.db"))
        .arg("SELECT count(*) FROM calls WHERE ended_us IS NOT NULL")
        .output();
    let rows: f64 = match out {
        Ok(out) => String::from_utf8_lossy(&out.stdout).trim().parse().unwrap_or(f64::NAN),
        Err(e) => {
            eprintln!("sqlite3 counts the rows and is not here: {e}");
            return;
        }
    };
    let calls = report["good"].as_f64().unwrap_or(0.0) + report["failed"].as_f64().unwrap_or(0.0);
    support::report(&format!("live_{}_rows_missing", play.name), (calls - rows).max(0.0), "rows", 0.0);
}

fn start(folder: &Path) -> Running {
    let printed = folder.join("printed");
    let mut hotline = Command::new("taskset");
    hotline
        .args(["-c", "0", env!("CARGO_BIN_EXE_hotline"), "serve", "--log", "error"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&printed).unwrap())
        .stderr(std::fs::File::create(folder.join("log")).unwrap());
    let running = Running(hotline.spawn().unwrap());
    let end = Instant::now() + READY;
    while !std::fs::read_to_string(&printed).unwrap().contains("is ready") {
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(Instant::now() < end, "the server is not ready after {READY:?}: {}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(1));
    running
}

/// The shipped menus, a number straight into a queue of music, one that says a long sentence, and a crowd of agents.
fn prepare(folder: &Path, agents: usize) {
    let menus = folder.join("menus");
    std::fs::create_dir_all(&menus).unwrap();
    let shipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("menus");
    for file in std::fs::read_dir(shipped).unwrap() {
        let file = file.unwrap();
        // Beside the menus there is a folder of schemas, for editors.
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), menus.join(file.file_name())).unwrap();
        }
    }
    let add = |name: &str, text: &str| {
        let mut file = std::fs::File::options().append(true).create(true).open(menus.join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    add("numbers.toml", "\n[1000]\nmenu = \"crowd\"\n\n[1001]\nmenu = \"main\"\ngreeting = \"welcome\"\n");
    add("crowd.toml", "say = \"account-short\"\nthen = \"queue crowd\"\n");
    add(
        "queues.toml",
        "\n[crowd]\nname = \"queue-general\"\ncode = \"99\"\nskills = [\"crowd\"]\nsize_max = 5000\nwait_max = \"2h\"\nnobody = \"wait\"\n",
    );
    for n in 0..agents {
        let agent = format!(
            "\n[agent.9{n:04}]\nalias = \"Crowd {n}\"\nskills = {{ crowd = 5 }}\nlanguages = [\"zh\", \"en\"]\n"
        );
        add("agents.toml", &agent);
    }
    let settings = format!(
        "[sip]\nlisten = [\"{SIP}\"]\n[http]\nlisten = \"{HTTP}\"\n[store]\ndir = \"store\"\n[files]\nmenus = \"menus\"\n[limits]\ncalls = 10000\n[trunks.merchants]\naddress = \"127.0.0.2:{TRUNK_PORT}\"\n"
    );
    std::fs::write(folder.join("hotline.toml"), settings).unwrap();
}
