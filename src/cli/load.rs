//! `hotline load`: many phones at once against a running server; what they hear is measured and printed.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hotline::replay::load::{LoadReport, LoadSettings, Progress, Scenario, play};

/// What is played, and against whom.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// callers (they hear prompts or music, and speak), bridges (callers and agents), conferences (with merchants), or
    /// calls (new ones at a rate: each hears a second of a prompt and hangs up).
    scenario: String,
    /// Calls at once; for `calls`, in all.
    #[arg(long, default_value_t = 100)]
    calls: usize,
    /// New calls each second.
    #[arg(long, default_value_t = 50.0)]
    rate: f64,
    /// Seconds for which everything stands and is measured.
    #[arg(long, default_value_t = 10)]
    hold: u64,
    /// Where the hotline is.
    #[arg(long, default_value = "127.0.0.1:5060")]
    server: SocketAddrV4,
    /// The phones' address.
    #[arg(long, default_value = "127.0.0.2")]
    at: Ipv4Addr,
    /// The phones' SIP port; for conferences that of the merchants' trunk. 0: any.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The number that callers dial.
    #[arg(long, default_value = "95188")]
    number: String,
    /// The agents' passwords: `secrets.json` in the server's store.
    #[arg(long)]
    secrets: Option<PathBuf>,
    /// Only agents whose names begin so.
    #[arg(long, default_value = "")]
    agents: String,
    /// What an agent dials to sign in.
    #[arg(long, default_value = "*81")]
    sign_in: String,
    /// What an agent presses to call the merchant.
    #[arg(long, default_value = "*21#")]
    invite: String,
    /// What an agent presses to join all three.
    #[arg(long, default_value = "*3")]
    join: String,
    /// The server's process: its CPU time and memory are reported.
    #[arg(long)]
    pid: Option<u32>,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
    /// The seed of tags and numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Load {
    pub(crate) fn run(self) -> ExitCode {
        let json = self.json;
        match self.try_run() {
            Ok(report) if json => match serde_json::to_string(&report) {
                Ok(line) => {
                    println!("{line}");
                    ExitCode::SUCCESS
                }
                Err(e) => {
                    eprintln!("hotline load: {e}");
                    ExitCode::from(1)
                }
            },
            Ok(report) => {
                println!("{report}");
                ExitCode::from(u8::from(report.good < report.wanted))
            }
            Err(e) => {
                eprintln!("hotline load: {e}");
                ExitCode::from(2)
            }
        }
    }

    fn try_run(self) -> anyhow::Result<LoadReport> {
        let scenario = Scenario::from_name(&self.scenario).ok_or_else(|| {
            anyhow::anyhow!("`{}` is not callers, bridges, conferences or calls", self.scenario)
        })?;
        let agents = match (&self.secrets, scenario) {
            (Some(path), Scenario::Bridges | Scenario::Conferences) => {
                let text = std::fs::read_to_string(path)?;
                let all: std::collections::BTreeMap<String, String> = serde_json::from_str(&text)?;
                all.into_iter().filter(|(name, _)| name.starts_with(&self.agents)).take(self.calls).collect()
            }
            (_, Scenario::Bridges | Scenario::Conferences | Scenario::Callers | Scenario::Calls) => {
                Vec::new()
            }
        };
        let settings = LoadSettings {
            server: self.server,
            at: self.at,
            port: self.port,
            scenario,
            number: self.number,
            size: self.calls,
            rate: self.rate.max(0.1),
            hold: Duration::from_secs(self.hold),
            agents,
            sign_in: self.sign_in,
            invite_keys: self.invite,
            join_keys: self.join,
            pid: self.pid,
            server_ports: (16_384, 32_767),
            timed: 16,
            seed: self.seed,
        };
        let shown = std::io::stderr().is_terminal();
        let report = play(settings, |progress| {
            if shown {
                draw(progress);
            }
        })?;
        if shown {
            eprint!("\r\x1b[K");
        }
        Ok(report)
    }
}

/// A bar of 30 places.
fn draw(progress: Progress) {
    let full = (progress.done * 30).checked_div(progress.of).unwrap_or(30).min(30);
    let (done, left) = ("#".repeat(full), ".".repeat(30 - full));
    eprint!("\r\x1b[K{:<12} [{done}{left}] {}/{}", progress.what, progress.done, progress.of);
}
