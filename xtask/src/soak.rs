//! `cargo xtask soak`: two hundred thousand calls against a release server in a process of its own. Memory may grow by a
//! tenth and 20 MiB at most, open files go back to what they were, and nothing of any call is held when all are over.
#![expect(
    clippy::disallowed_types,
    reason = "a developers' command reads the clock of the machine it runs on"
)]
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::run::{Result, cargo, root, run};

const SIP: &str = "127.0.0.1:25060";
const HTTP: &str = "127.0.0.1:28080";
/// Calls before the first measure: whatever is kept for people, up to a bound, is full then (ladders of 4,000 dialogs).
const WARM_UP: u64 = 6_000;
/// The longest that anything of a call stays after its end: 90 s, for ends of legs that nobody reports.
const LINGERS: Duration = Duration::from_secs(150);
/// Files more or less that say nothing.
const FILES: u64 = 5;
const MIB: u64 = 1_024;
/// What is held of callers who were cut off, on purpose, for `[limits] same_agent_within`, and bounded.
const ON_PURPOSE: &str = "places_kept";

/// A server that goes with the run, and its folder.
struct Server {
    child: Child,
    folder: PathBuf,
}

/// What a quiet server has.
#[derive(Clone, Debug)]
struct Measure {
    resident_kib: u64,
    files: u64,
    held: BTreeMap<String, u64>,
}

/// `words`: `--calls N`, `--rate N`, `--built` for the release build that is there.
pub fn soak(words: &[String]) -> Result {
    let (mut calls, mut rate, mut build) = (200_000, 800, true);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--built" {
            build = false;
            continue;
        }
        let number =
            words.next().and_then(|n| n.parse::<u64>().ok()).ok_or(format!("{word} wants a number"))?;
        match word.as_str() {
            "--calls" => calls = number,
            "--rate" => rate = number,
            other => return Err(format!("what is {other:?}? --calls N, --rate N, --built")),
        }
    }
    if build {
        run(cargo(&["build", "--release", "--bin", "hotline"]))?;
    }
    let server = Server::start()?;
    let fresh = server.measure()?;
    tell("fresh", &fresh);
    server.play(WARM_UP.min(calls), rate)?;
    let before = server.quiet(&fresh)?;
    tell(&format!("after {} calls", WARM_UP.min(calls)), &before);
    server.play(calls, rate)?;
    let after = server.quiet(&before)?;
    tell(&format!("after {calls} more"), &after);
    let room = before.resident_kib / 10 + 20 * MIB;
    let grown = after.resident_kib.saturating_sub(before.resident_kib);
    println!(
        "memory grew by {} KiB, {room} KiB are allowed; {} bytes a call",
        grown,
        grown * 1_024 / calls.max(1)
    );
    if grown > room {
        return Err(format!("memory grew by {grown} KiB over {calls} calls"));
    }
    if after.files > fresh.files + FILES {
        return Err(format!("{} files are open, {} were", after.files, fresh.files));
    }
    let left: Vec<_> = after.held.iter().filter(|(what, n)| before.held.get(*what) < Some(n)).collect();
    if left.is_empty() { Ok(()) } else { Err(format!("of calls that are over there are left: {left:?}")) }
}

fn tell(when: &str, m: &Measure) {
    let held: Vec<String> =
        m.held.iter().filter(|(_, n)| **n > 0).map(|(what, n)| format!("{what} {n}")).collect();
    println!("{when}: {} KiB resident, {} files, held: [{}]", m.resident_kib, m.files, held.join(", "));
}

impl Server {
    fn start() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("hotline-soak-{}", std::process::id()));
        let fail = |e: std::io::Error| format!("{}: {e}", folder.display());
        std::fs::create_dir_all(&folder).map_err(fail)?;
        let settings = format!(
            "[sip]\nlisten = [\"{SIP}\"]\n[http]\nlisten = \"{HTTP}\"\n[store]\ndir = \"store\"\n[limits]\ncalls = 10000\n"
        );
        std::fs::write(folder.join("hotline.toml"), settings).map_err(fail)?;
        let printed = folder.join("printed");
        let out = std::fs::File::create(&printed).map_err(fail)?;
        let log = std::fs::File::create(folder.join("log")).map_err(fail)?;
        let child = Command::new(program())
            .args(["serve", "--log", "error"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(log)
            .spawn()
            .map_err(fail)?;
        let server = Self { child, folder: folder.clone() };
        let end = Instant::now() + Duration::from_mins(1);
        while !std::fs::read_to_string(&printed).map_err(fail)?.contains("is ready") {
            if Instant::now() > end {
                return Err("the server is not ready after a minute".into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    fn play(&self, calls: u64, rate: u64) -> Result {
        let mut load = Command::new(program());
        load.args(["load", "calls", "--server", SIP, "--number", "95188", "--hold", "3600", "--json"])
            .args(["--calls", &calls.to_string(), "--rate", &rate.to_string()])
            .args(["--pid", &self.child.id().to_string()]);
        run(load)
    }

    /// Once nothing is held any more that was not held `before`, or nothing else will go.
    fn quiet(&self, before: &Measure) -> Result<Measure> {
        let end = Instant::now() + LINGERS;
        loop {
            let now = self.measure()?;
            let quiet = now.held.iter().all(|(what, n)| before.held.get(what) >= Some(n));
            if (quiet && now.files <= before.files + FILES) || Instant::now() > end {
                return Ok(now);
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    fn measure(&self) -> Result<Measure> {
        let process = Path::new("/proc").join(self.child.id().to_string());
        let status =
            std::fs::read_to_string(process.join("status")).map_err(|e| format!("the server: {e}"))?;
        let resident = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let resident_kib = resident.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        let files = std::fs::read_dir(process.join("fd")).map_err(|e| format!("the server: {e}"))?.count();
        Ok(Measure { resident_kib, files: files as u64, held: held()? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
        // What a killed server noted is not in the folder.
        if let Ok(notes) = std::fs::read_link(self.folder.join("store/journal/notes")) {
            std::fs::remove_dir_all(notes).ok();
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn program() -> PathBuf {
    root().join("target/release/hotline")
}

/// What the server says it holds: `hotline_held{what="..."} N` of its metrics.
fn held() -> Result<BTreeMap<String, u64>> {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(HTTP)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(format!("GET /metrics HTTP/1.0\r\nHost: {HTTP}\r\n\r\n").as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = asked().map_err(|e| format!("metrics: {e}"))?;
    let found: BTreeMap<String, u64> =
        text.lines().filter_map(line).filter(|(what, _)| what != ON_PURPOSE).collect();
    if found.is_empty() { Err("the metrics say nothing of what is held".into()) } else { Ok(found) }
}

fn line(text: &str) -> Option<(String, u64)> {
    let (what, n) = text.strip_prefix("hotline_held{what=\"")?.split_once("\"} ")?;
    Some((what.to_owned(), n.trim_end_matches(".0").parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_read_from_its_line() {
        assert_eq!(line("hotline_held{what=\"legs\"} 12.0"), Some(("legs".into(), 12)));
        assert_eq!(line("hotline_legs 12"), None);
    }
}
