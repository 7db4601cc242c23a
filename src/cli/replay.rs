//! `hotline replay`: a scenario's people over real SIP and RTP against any server; what they met is measured.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hotline::base::{Key, Language, PartyId, PromptId};
use hotline::exchange::menu::{FeatureCode, MenuSet, Party, PromptTexts, render};
use hotline::io::embedded::{self, Place};
use hotline::media::{Codec, PromptLibrary};
use hotline::replay::day::{
    DayReport, DaySettings, DeskCodes, PartyLine, Progress, Say, TrialSettings, find_capacity, page, play,
};
use hotline::replay::{Capacity, LimitedBy, SearchSettings, Target};
use hotline::sim::{Change, Scenario};

use super::simulate::files;

/// Who calls whom, how far, and what is written down.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The scenario: a file, or the name of a shipped one (ordinary-day, quiet-night, double-eleven ...).
    scenario: String,
    /// The server: sip:host, sip:host:port, or sip:user@host to call that user whatever the scenario dials.
    #[arg(long)]
    target: String,
    /// The server is not this machine, and I may call it as often as I say here.
    #[arg(long)]
    i_own_this_target: bool,
    /// The moment of the scenario at which to begin, such as 9h30m or 90s after its beginning.
    #[arg(long, default_value = "0s", value_parser = duration)]
    from: Duration,
    /// Calls at most, redials too.
    #[arg(long, default_value_t = 10_000)]
    max_calls: usize,
    /// How long at most.
    #[arg(long, default_value = "10m", value_parser = duration)]
    max_time: Duration,
    /// So many callers each second, evenly, in place of the scenario's arrivals.
    #[arg(long)]
    rate: Option<f64>,
    /// Callers hang up so long after their last key, in place of their patience.
    #[arg(long, value_parser = duration)]
    hold: Option<Duration>,
    /// Search the highest rate without a failure (RFC 7502).
    #[arg(long)]
    find_capacity: bool,
    /// The search: first rate, in calls each second.
    #[arg(long, default_value_t = 20.0)]
    start_rate: f64,
    /// The search: highest rate tried.
    #[arg(long, default_value_t = 5_000.0)]
    most_rate: f64,
    /// The search: margin of error, in calls each second.
    #[arg(long, default_value_t = 5.0)]
    resolution: f64,
    /// The search: how long a trial lasts; the confirmation is three times as long.
    #[arg(long, default_value = "10s", value_parser = duration)]
    trial: Duration,
    /// The agents' passwords: `secrets.json` in the server's store, or a JSON object of names and passwords. Agents of the
    /// scenario whom the server does not know are played by those of the file whom the scenario does not name.
    #[arg(long)]
    secrets: Option<PathBuf>,
    /// The server's menus, where they are not the shipped ones: keys and numbers of third parties, codes of agents.
    #[arg(long, value_name = "DIR")]
    menus: Option<PathBuf>,
    /// What is said: tones, silence, or a recording (WAV, FLAC, Ogg Vorbis, MP3).
    #[arg(long, default_value = "tones")]
    say: String,
    /// The seed of all draws: as in `hotline simulate`.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A change to the scenario, such as callers.account.patience.mean="1m". May be repeated.
    #[arg(long = "set")]
    set: Vec<String>,
    /// The phones' own address; by default one from which the target can be reached.
    #[arg(long)]
    at: Option<Ipv4Addr>,
    /// The phones' SIP port; 0: any.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Phones share sockets: cheaper, and right only for a server that sends each call from a port of its own.
    #[arg(long)]
    shared_sockets: bool,
    /// The server's process: its CPU time is reported.
    #[arg(long)]
    pid: Option<u32>,
    /// Write the report as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write the report as a page.
    #[arg(long)]
    html: Option<PathBuf>,
}

impl Replay {
    /// Exit status 0: no call failed. 1: some did. 2: it could not be played. 3: the phones themselves were late.
    pub(crate) fn run(self) -> ExitCode {
        match self.try_run() {
            Ok(code) => code,
            Err(e) => {
                eprintln!("hotline replay: {e}");
                ExitCode::from(2)
            }
        }
    }

    fn try_run(self) -> anyhow::Result<ExitCode> {
        let settings = self.settings()?;
        if self.find_capacity {
            return self.search(&settings);
        }
        let mut shown = Shown::new();
        let report = play(settings, |progress| shown.draw("", progress))?;
        shown.clear();
        println!("{report}");
        self.write(&report, None)?;
        let code = if report.punctuality.late { 3 } else { u8::from(!report.failures().is_empty()) };
        Ok(ExitCode::from(code))
    }

    fn search(&self, settings: &DaySettings) -> anyhow::Result<ExitCode> {
        let search = SearchSettings {
            start: self.start_rate,
            most: self.most_rate,
            resolution: self.resolution.max(0.1),
            ..SearchSettings::default()
        };
        let hold = self.hold.unwrap_or(TrialSettings::default().hold);
        let mut shown = Shown::new();
        let trial = TrialSettings { search, lasts: self.trial, hold };
        let mut last = None;
        let found = find_capacity(settings, trial, |rate, phase, progress| {
            if last != Some((rate, phase)) {
                last = Some((rate, phase));
                shown.clear();
                eprintln!("{phase:?}: {rate:.1} calls/s");
            }
            shown.draw(&format!("{phase:?} {rate:.1}/s "), progress);
        })?;
        shown.clear();
        for (n, trial) in found.trials.iter().enumerate() {
            let why = trial.why.join("; ");
            println!(
                "{:>3}  {:>8.1} calls/s  {:>6} calls in {:>5.1} s  {:?}  {:?}  {why}",
                n + 1,
                trial.rate,
                trial.lasted.calls,
                trial.lasted.seconds,
                trial.phase,
                trial.verdict
            );
        }
        match found.rate {
            Some(rate) => println!("{rate:.1} calls/s: {}", found.ended),
            None => println!("none: {}", found.ended),
        }
        println!("limited by {}", limit(&found));
        let report = DayReport {
            title: settings.scenario.title.clone(),
            target: settings.target.to_string(),
            seed: settings.seed,
            ..DayReport::default()
        };
        self.write(&report, Some(&found))?;
        // As everywhere: 1 is the server's failure, 3 the phones'.
        Ok(ExitCode::from(match (found.limited_by, found.rate) {
            (LimitedBy::Phones, _) => 3,
            (_, None) => 1,
            (LimitedBy::Server | LimitedBy::Asked | LimitedBy::Trials, Some(_)) => 0,
        }))
    }

    fn write(&self, report: &DayReport, found: Option<&Capacity>) -> anyhow::Result<()> {
        let failed =
            |path: &PathBuf, e: std::io::Error| anyhow::anyhow!("cannot write {}: {e}", path.display());
        if let Some(path) = &self.json {
            let text = match found {
                Some(found) => serde_json::to_string_pretty(found)?,
                None => serde_json::to_string_pretty(report)?,
            };
            std::fs::write(path, text).map_err(|e| failed(path, e))?;
        }
        if let Some(path) = &self.html {
            std::fs::write(path, page(report, found)).map_err(|e| failed(path, e))?;
        }
        Ok(())
    }

    fn settings(&self) -> anyhow::Result<DaySettings> {
        let target = Target::read(&self.target)?;
        let address = target.address(self.i_own_this_target)?;
        let scenario = Arc::new(self.scenario()?);
        let port = if target.port == hotline::sip::DEFAULT_PORT {
            String::new()
        } else {
            format!(":{}", target.port)
        };
        let passwords = match &self.secrets {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|e| anyhow::anyhow!("cannot read {}: {e}", path.display()))?;
                serde_json::from_str::<BTreeMap<String, String>>(&text)?
            }
            None => BTreeMap::new(),
        };
        let menus = self.menus()?;
        Ok(DaySettings {
            host: format!("{}{port}", target.host),
            user: target.user,
            at: self.own_address(address)?,
            port: self.port,
            seed: self.seed,
            from: self.from,
            rate: self.rate.map(|rate| rate.max(0.01)),
            hold: self.hold,
            max_calls: self.max_calls,
            max_time: self.max_time,
            passwords,
            codes: codes(&menus),
            parties: parties(&menus),
            say: self.voice()?,
            shared_sockets: self.shared_sockets,
            pid: self.pid,
            ..DaySettings::new(address, scenario)
        })
    }

    fn scenario(&self) -> anyhow::Result<Scenario> {
        let (name, texts) = files(&self.scenario)?;
        let changes: Vec<Change> = self.set.iter().enumerate().map(|(n, t)| Change::new(n + 1, t)).collect();
        let mut shown = texts.clone();
        shown.extend(changes.iter().map(|c| (c.file(), c.text().to_owned())));
        let colour = std::io::stderr().is_terminal();
        match Scenario::read(&texts, &name, &changes) {
            Ok((scenario, warnings)) => {
                eprint!("{}", render(&warnings, &shown, colour));
                Ok(scenario)
            }
            Err(found) => Err(anyhow::anyhow!("{}", render(&found, &shown, colour))),
        }
    }

    fn menus(&self) -> anyhow::Result<MenuSet> {
        let (texts, _) = PromptTexts::read("manifest.toml", &embedded::manifest(&Place::BuiltIn)?);
        let files = embedded::menus(&Place::of(self.menus.as_deref()))?;
        let loaded = MenuSet::load(&files, &texts.known());
        let (menus, _) = loaded.map_err(|found| {
            anyhow::anyhow!("the menus have {} mistakes; see `hotline check`", found.len())
        })?;
        Ok(menus)
    }

    /// An address of ours from which the target is reached; on loopback one beside the server's.
    fn own_address(&self, target: SocketAddrV4) -> anyhow::Result<Ipv4Addr> {
        if let Some(at) = self.at {
            return Ok(at);
        }
        if target.ip().is_loopback() {
            let beside = if target.ip().octets() == [127, 0, 0, 2] { 3 } else { 2 };
            return Ok(Ipv4Addr::new(127, 0, 0, beside));
        }
        // Nothing is sent: the kernel only says from where it would be.
        let socket = UdpSocket::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect(target)?;
        match socket.local_addr()? {
            SocketAddr::V4(own) => Ok(*own.ip()),
            SocketAddr::V6(own) => Err(anyhow::anyhow!("{} is no address of IPv4", IpAddr::V6(*own.ip()))),
        }
    }

    fn voice(&self) -> anyhow::Result<Say> {
        Ok(match self.say.as_str() {
            "tones" => Say::Tones,
            "silence" => Say::Silence,
            path => {
                let bytes = std::fs::read(path).map_err(|e| anyhow::anyhow!("cannot read {path}: {e}"))?;
                let (id, language) = (PromptId::from("speech"), Language::default());
                let mut library = PromptLibrary::new(Duration::ZERO);
                library.add(language, id.clone(), &bytes)?;
                let prompt = library.get(language, &id).ok_or_else(|| anyhow::anyhow!("{path}: no sound"))?;
                let mut samples = vec![0; prompt.samples()];
                Codec::Pcma.decode(prompt.payload(Codec::Pcma), &mut samples);
                Say::Speech(samples.into())
            }
        })
    }
}

/// What kept the rate from being higher, in words.
fn limit(found: &Capacity) -> String {
    let at = found.failed_at.map(|rate| format!(" at {rate:.1} calls/s")).unwrap_or_default();
    match found.limited_by {
        LimitedBy::Server => format!("the server, which failed{at}: {}", found.why.join("; ")),
        LimitedBy::Phones => "these phones, not the server: they could not keep their own time".to_owned(),
        LimitedBy::Asked => "--most-rate: the server did not fail".to_owned(),
        LimitedBy::Trials => format!("the number of trials; it failed{at}"),
    }
}

fn text(keys: &[Key]) -> String {
    keys.iter().map(|key| key.as_char()).collect()
}

/// What agents dial and press at this server.
fn codes(menus: &MenuSet) -> DeskCodes {
    let mut codes = DeskCodes { pauses: BTreeMap::new(), ..DeskCodes::default() };
    for (code, what) in &menus.codes {
        let code = code.clone();
        match what {
            FeatureCode::SignIn => codes.sign_in = code,
            FeatureCode::SignOut => codes.sign_out = code,
            FeatureCode::Ready => codes.ready = code,
            FeatureCode::Pause(reason) => {
                codes.pauses.insert(reason.clone(), code);
            }
        }
    }
    (codes.join, codes.drop) = (text(&menus.keys.join), text(&menus.keys.drop));
    codes
}

/// How the third parties of its directory are rung.
fn parties(menus: &MenuSet) -> BTreeMap<PartyId, PartyLine> {
    let line = |party: &Party| PartyLine {
        invite: format!("{}{}#", text(&menus.keys.invite), party.code),
        number: party.number.clone(),
    };
    menus.directory.iter().map(|(id, party)| (id.clone(), line(party))).collect()
}

/// `90s`, `10m`, `9h30m`, `1h30m5s`, `250ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no length of time: write 90s, 10m, 9h30m, 250ms");
    let (mut rest, mut sum) = (text.trim(), Duration::ZERO);
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let part = match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60).ok_or_else(wrong)?),
            "h" => Duration::from_secs(number.checked_mul(3_600).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        };
        sum = sum.checked_add(part).ok_or_else(wrong)?;
        rest = after;
    }
    Ok(sum)
}

/// What is seen of a day in the terminal while it runs; in a file, a line each ten seconds.
struct Shown {
    terminal: bool,
    lines: usize,
    last: u64,
}

impl Shown {
    fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), lines: 0, last: 0 }
    }

    fn draw(&mut self, what: &str, p: &Progress) {
        let head = format!(
            "{what}{} {:>4} s: {} calls ({}/s), {} standing, {} answered, {} failed, {} talked",
            p.what,
            p.at.as_secs(),
            p.begun,
            p.begun_per_s,
            p.standing,
            p.answered,
            p.failed,
            p.conversations
        );
        if !self.terminal {
            if p.at.as_secs() >= self.last + 10 {
                self.last = p.at.as_secs();
                eprintln!("{head}; post-dial {}", p.post_dial);
            }
            return;
        }
        self.clear();
        let late = if p.late_ms > 10.0 {
            format!("  THESE PHONES ARE LATE: {:.0} ms", p.late_ms)
        } else {
            String::new()
        };
        let lines = [
            format!("{head}{late}"),
            format!("  post-dial        {}", p.post_dial),
            format!("  answer           {}", p.answer),
            format!("  key to prompt    {}", p.key_to_prompt),
            format!("  free to ringing  {}", p.free_to_ringing),
            format!("  both hear        {}", p.two_way),
        ];
        self.lines = lines.len();
        eprintln!("{}", lines.join("\n"));
    }

    fn clear(&mut self) {
        if self.terminal && self.lines > 0 {
            eprint!("\x1b[{}A\x1b[J", self.lines);
            self.lines = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        for (text, ms) in [("90s", 90_000), ("10m", 600_000), ("9h30m", 34_200_000), ("1m250ms", 60_250)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "9", "m", "5d", "-3s", "1.5s", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
