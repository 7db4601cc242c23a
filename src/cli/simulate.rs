//! `hotline simulate SCENARIO`: a day in seconds, and what a change would do to the callers.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use hotline::exchange::menu::{Diagnostic, MenuSet, PromptTexts, render};
use hotline::io::embedded::{self, Place};
use hotline::io::{menu_files, tape_files};
use hotline::sim::{
    Capture, Change, Comparison, Day, DayReport, DeepDay, Plan, Progress, PromptLengths, Scenario, Weather,
    page, play_tape,
};

/// What is simulated, and what is shown of it.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// A scenario: a file, or the name of a shipped one (quiet-night, ordinary-day, double-eleven, staff-drop,
    /// overseas-evening).
    #[arg(required_unless_present = "inputs", conflicts_with = "inputs")]
    scenario: Option<String>,
    /// Play a tape of `hotline serve --record DIR` again, its first file or the folder, and compare every command.
    #[arg(long, value_name = "FILE")]
    inputs: Option<PathBuf>,
    /// A folder of menus in place of the shipped ones.
    #[arg(long)]
    menus: Option<PathBuf>,
    /// A folder of sounds in place of the shipped ones: how long prompts are.
    #[arg(long)]
    audio: Option<PathBuf>,
    /// The same seed, the same day, on any machine.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A change to the scenario, as agents.loans.count=40; may be given again. Both plans are simulated and compared.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Days simulated of each plan when two are compared.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=1_000))]
    seeds: u64,
    /// Write a report with pictures: one file, for any browser.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Real SIP and RTP bytes through a lossy network, for hundreds of calls.
    #[arg(long)]
    deep: bool,
    /// Callers of a deep run at most.
    #[arg(long, default_value_t = 200, requires = "deep")]
    calls: u64,
    /// Datagrams lost between callers and us in a deep run, in percent, beside what the scenario loses.
    #[arg(long, default_value_t = 0.5, requires = "deep")]
    loss: f64,
    /// Write the deep run's packets at the hotline, for Wireshark.
    #[arg(long, value_name = "FILE", requires = "deep")]
    pcap: Option<PathBuf>,
    /// Print JSON in place of the summary.
    #[arg(long)]
    json: bool,
}

/// What is wrong with what the user wrote.
enum Wrong {
    Found(Vec<Diagnostic>, BTreeMap<String, String>),
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Wrong {
    fn from(e: E) -> Self {
        Self::Other(e.into())
    }
}

impl Simulate {
    /// Exit status 0: simulated, or the same again. 1: the machines broke an invariant, or did otherwise than taped. 2: mistakes in what was asked for.
    pub(crate) fn run(self) -> ExitCode {
        match self.try_run() {
            Ok(broken) => ExitCode::from(u8::from(broken > 0)),
            Err(Wrong::Found(found, files)) => {
                eprint!("{}", render(&found, &files, std::io::stderr().is_terminal()));
                eprintln!("hotline simulate: {} mistakes; nothing was simulated", found.len());
                ExitCode::from(2)
            }
            Err(Wrong::Other(e)) => {
                eprintln!("hotline simulate: {e:#}");
                ExitCode::from(2)
            }
        }
    }

    fn try_run(&self) -> Result<u64, Wrong> {
        if let Some(path) = &self.inputs {
            return Ok(u64::from(self.play(path)?));
        }
        let (name, files) = files(self.scenario.as_deref().unwrap_or_default())?;
        let base = self.plan(&name, &files, &[])?;
        if self.deep {
            return Ok(self.dive(base)?);
        }
        if self.set.is_empty() {
            let report = simulate(&base, self.seed, "simulating");
            self.show(&report, None)?;
            return Ok(report.machine.broken);
        }
        let changes: Vec<Change> =
            self.set.iter().enumerate().map(|(n, text)| Change::new(n + 1, text)).collect();
        let changed = self.plan(&name, &files, &changes)?;
        let mut comparison = Comparison::new(self.set.clone());
        let (mut broken, mut last) = (0, None);
        for seed in self.seed..self.seed + self.seeds {
            let what = format!("seed {seed}, as it is");
            let one = simulate(&base, seed, &what);
            let other = simulate(&changed, seed, &format!("seed {seed}, changed"));
            broken += one.machine.broken + other.machine.broken;
            comparison.add(&one, &other);
            last.get_or_insert(other);
        }
        if let Some(report) = last {
            self.show(&report, Some(&comparison))?;
        }
        Ok(broken)
    }

    /// Plays a tape; whether anything was different.
    fn play(&self, path: &Path) -> anyhow::Result<bool> {
        let files = tape_files(path).map_err(|e| anyhow::anyhow!("cannot read {}: {e}", path.display()))?;
        let mut lines = Vec::new();
        for file in &files {
            let open = std::fs::File::open(file)
                .map_err(|e| anyhow::anyhow!("cannot read {}: {e}", file.display()))?;
            lines.push(std::io::BufReader::new(open));
        }
        let mut broken = None;
        let lines = lines
            .into_iter()
            .flat_map(BufRead::lines)
            .map_while(|line| line.map_err(|e| broken = Some(e)).ok());
        let playing = play_tape(lines)?;
        if let Some(e) = broken {
            return Err(e.into());
        }
        if self.json {
            println!("{}", serde_json::to_string(&playing)?);
        } else {
            println!("{playing}");
        }
        Ok(playing.difference.is_some())
    }

    /// A deep run; how many invariants it broke.
    fn dive(&self, plan: Plan) -> anyhow::Result<u64> {
        let (prompts, _) = embedded::sounds(&Place::of(self.audio.as_deref()), &[]);
        let weather = Weather { loss: self.loss.clamp(0.0, 100.0), ..Weather::ORDINARY };
        let mut failed = None;
        let mut file = match &self.pcap {
            Some(path) => Some(std::io::BufWriter::new(
                std::fs::File::create(path)
                    .map_err(|e| anyhow::anyhow!("cannot write {}: {e}", path.display()))?,
            )),
            None => None,
        };
        let mut write = |bytes: &[u8]| {
            if let Some(file) = &mut file
                && let Err(e) = file.write_all(bytes)
            {
                failed.get_or_insert(e);
            }
        };
        let shown = std::io::stderr().is_terminal();
        let pcap: Option<Capture<'_>> = if self.pcap.is_some() { Some(&mut write) } else { None };
        let day = DeepDay::new(plan, (self.seed, self.calls), weather, Arc::new(prompts), pcap);
        let report = day.run(
            |calls, at| {
                if shown {
                    draw("deep", Progress { came: calls, expected: self.calls, at });
                }
            },
            |_| {},
        );
        if shown {
            eprint!("\r\x1b[K");
        }
        if let Some(file) = &mut file {
            file.flush()?;
        }
        if let Some(e) = failed {
            anyhow::bail!("the capture could not be written: {e}");
        }
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{report}");
        }
        Ok(report.broken)
    }

    fn show(&self, report: &DayReport, comparison: Option<&Comparison>) -> anyhow::Result<()> {
        match (self.json, comparison) {
            (true, None) => println!("{}", serde_json::to_string(report)?),
            (true, Some(comparison)) => println!("{}", serde_json::to_string(&comparison.lines())?),
            (false, None) => println!("{report}"),
            (false, Some(comparison)) => println!("{}\n{comparison}", report.title),
        }
        if let Some(path) = &self.html {
            std::fs::write(path, page(report, comparison))
                .map_err(|e| anyhow::anyhow!("cannot write {}: {e}", path.display()))?;
        }
        Ok(())
    }

    fn plan(&self, name: &str, files: &BTreeMap<String, String>, changes: &[Change]) -> Result<Plan, Wrong> {
        let mut texts = files.clone();
        texts.extend(changes.iter().map(|c| (c.file(), c.text().to_owned())));
        let wrong = |found| Wrong::Found(found, texts.clone());
        let (scenario, warnings) = Scenario::read(files, name, changes).map_err(wrong)?;
        eprint!("{}", render(&warnings, &texts, std::io::stderr().is_terminal()));
        let audio = Place::of(self.audio.as_deref());
        let (words, _) = PromptTexts::read("manifest.toml", &embedded::manifest(&audio)?);
        let menu_files = embedded::menus(&Place::of(self.menus.as_deref()))?;
        let (menus, _) = MenuSet::load(&menu_files, &words.known())
            .map_err(|found| Wrong::Found(found, menu_files.clone()))?;
        let lengths = Arc::new(PromptLengths::read(&embedded::manifest_lock(&audio)));
        Plan::new(Arc::new(scenario), &menus, lengths, &texts).map_err(wrong)
    }
}

/// The scenario's text, and the logs that it names: a file, or a shipped one.
pub(crate) fn files(scenario: &str) -> anyhow::Result<(String, BTreeMap<String, String>)> {
    let path = Path::new(scenario);
    let shipped = format!("{}.toml", scenario.trim_end_matches(".toml"));
    let mut all = embedded::scenarios();
    if !path.exists() && all.contains_key(&shipped) {
        all.retain(|name, _| *name == shipped);
        return Ok((shipped, all));
    }
    let text = menu_files::read_text(path).map_err(|e| {
        let known: Vec<&str> = all.keys().map(|n| n.trim_end_matches(".toml")).collect();
        anyhow::anyhow!("{e}; shipped are: {}", known.join(", "))
    })?;
    let name = path.display().to_string();
    let mut files = BTreeMap::new();
    for log in Scenario::logs_of(&name, &text) {
        let file = path.parent().unwrap_or(Path::new("")).join(&log);
        // What cannot be read is told as a mistake of the scenario, at its place.
        if let Ok(text) = std::fs::read_to_string(&file) {
            files.insert(log, text);
        }
    }
    files.insert(name.clone(), text);
    Ok((name, files))
}

/// Both sets of menus meet the same callers of a scenario.
pub(super) fn compare_menus(
    scenario: &str,
    audio: Option<&Path>,
    [before, after]: [&MenuSet; 2],
    seeds: u64,
) -> Result<Comparison, String> {
    let (name, files) = files(scenario).map_err(|e| format!("{e:#}"))?;
    let shown = |found: Vec<Diagnostic>| render(&found, &files, std::io::stderr().is_terminal());
    let (scenario, _) = Scenario::read(&files, &name, &[]).map_err(shown)?;
    let lengths = Arc::new(PromptLengths::read(&embedded::manifest_lock(&Place::of(audio))));
    let scenario = Arc::new(scenario);
    let plan = |menus| Plan::new(Arc::clone(&scenario), menus, Arc::clone(&lengths), &files).map_err(shown);
    let (base, changed) = (plan(before)?, plan(after)?);
    let mut comparison = Comparison::new(vec![format!("the menus {}", after.revision)]);
    for seed in 1..=seeds {
        let one = simulate(&base, seed, &format!("seed {seed}, as it is"));
        comparison.add(&one, &simulate(&changed, seed, &format!("seed {seed}, changed")));
    }
    Ok(comparison)
}

fn simulate(plan: &Plan, seed: u64, what: &str) -> DayReport {
    let shown = std::io::stderr().is_terminal();
    let mut drawn = None;
    let report = Day::new(plan.clone(), seed).run(
        |progress| {
            let percent = progress.came * 100 / progress.expected.max(1);
            if shown && drawn != Some(percent) {
                drawn = Some(percent);
                draw(what, progress);
            }
        },
        |_| {},
    );
    if shown {
        eprint!("\r\x1b[K");
    }
    report
}

/// A bar of 30 places.
fn draw(what: &str, progress: Progress) {
    let full = usize::try_from(progress.came * 30 / progress.expected.max(1)).unwrap_or(30).min(30);
    let (done, left) = ("#".repeat(full), ".".repeat(30 - full));
    let minutes = progress.at.as_secs() / 60;
    eprint!("\r\x1b[K{what} [{done}{left}] {} calls, {:02}:{:02}", progress.came, minutes / 60, minutes % 60);
}
