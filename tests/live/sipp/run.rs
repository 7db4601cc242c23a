//! Runs the real sipp: one process a scenario, each on a free port of loopback, ended with the test. A process that
//! fails shows its errors and its messages.
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::house::House;

/// Agents whom sipp plays know their scenario and nothing else: they are not asked whether they are there.
pub(crate) const UNASKED: &str = "ask_phones = \"0s\"\n";
/// Longest life of any process started here, whatever happens to the test.
const LIFE: &str = "60s";

/// What a process is told.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    scenario: &'static str,
    port: u16,
    calls: u32,
    rate: u32,
    arguments: Vec<String>,
    users: Option<String>,
    /// Whom it talks to, if not the house.
    toward: Option<SocketAddr>,
}

impl Orders {
    /// The scenario of that name runs once.
    pub(crate) fn new(scenario: &'static str) -> Self {
        Self {
            scenario,
            port: free_port(),
            calls: 1,
            rate: 10,
            arguments: Vec::new(),
            users: None,
            toward: None,
        }
    }
    /// On this port.
    pub(crate) fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }
    /// To somebody else than the house.
    pub(crate) fn toward(self, address: SocketAddr) -> Self {
        Self { toward: Some(address), ..self }
    }
    /// So many times, so many a second.
    pub(crate) fn calls(self, calls: u32, rate: u32) -> Self {
        Self { calls, rate, ..self }
    }
    /// Over TCP with one connection.
    pub(crate) fn tcp(self) -> Self {
        self.with("-t", "t1")
    }
    /// The text of `[name]` in the scenario.
    pub(crate) fn key(mut self, name: &str, text: &str) -> Self {
        self.arguments.extend(["-key".to_owned(), name.to_owned(), text.to_owned()]);
        self
    }
    /// One more option with its value.
    pub(crate) fn with(mut self, option: &str, value: &str) -> Self {
        self.arguments.extend([option.to_owned(), value.to_owned()]);
        self
    }
    /// A line for each call: `[field0]` and so on, parted by `;`.
    pub(crate) fn users(mut self, lines: &[String]) -> Self {
        self.calls = u32::try_from(lines.len()).unwrap();
        self.rate = 30;
        self.users = Some(format!("SEQUENTIAL\n{}\n", lines.join("\n")));
        self
    }
}

/// A running sipp.
pub(crate) struct Sipp {
    child: Child,
    name: &'static str,
    calls: u32,
    folder: PathBuf,
    /// Its SIP port.
    pub(crate) port: u16,
}

impl Sipp {
    /// Starts it against the house.
    pub(crate) fn start(house: &House, orders: &Orders) -> Self {
        let folder = house.folder.join(format!("sipp-{}-{}", orders.scenario, orders.port));
        std::fs::create_dir_all(&folder).unwrap();
        let scenario = Path::new("tests/live/sipp/scenarios").join(orders.scenario).with_extension("xml");
        // A name of a file cannot be given from outside: sipp reads it with the scenario.
        let text =
            std::fs::read_to_string(&scenario).unwrap_or_else(|e| panic!("{}: {e}", scenario.display()));
        let scenario = folder.join("scenario.xml");
        std::fs::write(
            &scenario,
            text.replace("[tone]", &house.folder.join("tone.pcap").display().to_string()),
        )
        .unwrap();
        let mut command = Command::new("sipp");
        command.arg(orders.toward.unwrap_or(house.sip).to_string()).arg("-sf").arg(scenario);
        command.args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-p"]).arg(orders.port.to_string());
        command.arg("-mp").arg(free_port().to_string());
        command.arg("-m").arg(orders.calls.to_string()).arg("-r").arg(orders.rate.to_string());
        command.args(["-nostdin", "-timeout", LIFE, "-timeout_error", "-recv_timeout", "20000"]);
        command.args(["-trace_err", "-trace_msg", "-trace_stat", "-fd", "1"]);
        for (option, file) in
            [("-error_file", "errors"), ("-message_file", "messages"), ("-stf", "statistics")]
        {
            command.arg(option).arg(folder.join(file));
        }
        if let Some(users) = &orders.users {
            std::fs::write(folder.join("users"), users).unwrap();
            command.arg("-inf").arg(folder.join("users"));
        }
        command.args(&orders.arguments);
        let screen = std::fs::File::create(folder.join("screen")).unwrap();
        command.stdin(Stdio::null()).stdout(screen.try_clone().unwrap()).stderr(screen);
        let child = command.spawn().unwrap_or_else(|e| {
            panic!("sipp is missing ({e}); install it: apt-get install sip-tester (cargo xtask test does)")
        });
        Self { child, name: orders.scenario, calls: orders.calls, folder, port: orders.port }
    }

    /// Starts one that waits for calls, and waits until it does.
    pub(crate) async fn answering(house: &House, orders: Orders) -> Self {
        let table =
            if orders.arguments.iter().any(|a| a == "t1") { "/proc/net/tcp" } else { "/proc/net/udp" };
        let mut sipp = Self::start(house, &orders);
        let wanted = format!(":{:04X} ", sipp.port);
        let end = Instant::now() + Duration::from_secs(10);
        let bound = |table: &str| {
            let text = std::fs::read_to_string(table).unwrap();
            text.lines()
                .any(|l| l.split_whitespace().nth(1).is_some_and(|a| format!("{a} ").ends_with(&wanted)))
        };
        while !bound(table) {
            let ended = sipp.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < end,
                "{} does not listen: {ended:?}\n{}",
                sipp.name,
                sipp.told()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        sipp
    }

    /// Runs it to its end.
    pub(crate) async fn run(house: &House, orders: Orders) {
        Self::start(house, &orders).finish().await;
    }

    /// Waits until all its calls are over: each must have succeeded. Gives the messages.
    pub(crate) async fn finish(mut self) -> String {
        let end = Instant::now() + Duration::from_secs(62);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "{} does not end\n{}", self.name, self.told());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let statistics = self.statistics();
        let wanted = (self.calls.to_string(), "0".to_owned());
        assert!(
            status.success() && statistics == wanted,
            "{}: {status}, (good, failed) {statistics:?}\n{}",
            self.name,
            self.told()
        );
        self.messages()
    }

    /// Waits until its messages hold `text`.
    pub(crate) async fn until(&self, text: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        while !self.messages().contains(text) {
            assert!(Instant::now() < end, "{} never saw {text}\n{}", self.name, self.told());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Calls that succeeded and that failed, by sipp's own word.
    pub(crate) fn statistics(&self) -> (String, String) {
        let text = std::fs::read_to_string(self.folder.join("statistics")).unwrap_or_default();
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap_or_default().split(';').collect();
        let values: Vec<&str> = lines.last().unwrap_or_default().split(';').collect();
        let of = |name: &str| {
            let at = names.iter().position(|n| *n == name);
            at.and_then(|i| values.get(i)).map_or("?", |v| *v).to_owned()
        };
        (of("SuccessfulCall(C)"), of("FailedCall(C)"))
    }

    /// Its messages so far.
    pub(crate) fn messages(&self) -> String {
        std::fs::read_to_string(self.folder.join("messages")).unwrap_or_default()
    }

    /// What it says went wrong.
    fn told(&self) -> String {
        let mut all = String::new();
        for file in ["errors", "users", "messages", "screen"] {
            let text = std::fs::read_to_string(self.folder.join(file)).unwrap_or_default();
            let end = text.chars().take(12_000).collect::<String>();
            writeln!(all, "-- {file}\n{end}").unwrap();
        }
        all
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A port that is free for UDP and TCP at this moment, and the three next ones up for UDP. It lies below the server's
/// RTP ports and below those that the system hands out, and each call here gets another: nobody takes it before sipp.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let n =
            (std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))) % 1_500;
        let first = u16::try_from(10_000 + 4 * n).unwrap();
        let tcp = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, first));
        let mut udp = (first..first + 4).map(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)));
        if tcp.is_ok() && udp.all(|socket| socket.is_ok()) {
            return first;
        }
    }
}

/// Registers these agents by digest at one contact on `port` and signs each in by `*81`; then the port is free for a
/// sipp that answers.
pub(crate) async fn sign_in(house: &House, names: &[String], port: u16, tcp: bool) {
    let lines: Vec<String> = names
        .iter()
        .map(|name| {
            // In hexadecimal, because sipp would take a password that begins with 0x for that.
            let password = house.password(name).bytes().fold(String::new(), |hex, b| format!("{hex}{b:02x}"));
            format!("{name};[authentication username={name} password=0x{password}]")
        })
        .collect();
    for scenario in ["register", "sign_in"] {
        let orders = Orders::new(scenario).port(port).users(&lines);
        let orders = if tcp { orders.tcp().key("by", ";transport=tcp") } else { orders.key("by", "") };
        Sipp::run(house, orders).await;
    }
}
