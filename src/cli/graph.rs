//! `hotline graph`: the menus as a picture that a manager can read, drawn by Graphviz.
#![expect(clippy::print_stderr, reason = "a command's output")]
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use clap::Args;
use hotline::base::{Language, UtcTime};
use hotline::exchange::Fact;
use hotline::exchange::menu::{Footfall, Stage, Trails, Zone, picture};
use hotline::io::Store;

use super::menus::MenuFolder;

/// What to draw.
#[derive(Debug, Args)]
pub(crate) struct Graph {
    #[command(flatten)]
    menus: MenuFolder,
    /// Where to write the picture; by default it goes to standard output. A name that ends with `.dot` gets the text
    /// for Graphviz.
    #[arg(long, short)]
    out: Option<PathBuf>,
    /// The language of what is said in the picture: zh or en.
    #[arg(long, default_value = "zh")]
    language: String,
    /// The record (`hotline.db` of the store): each way is as thick as it was trodden.
    #[arg(long)]
    records: Option<PathBuf>,
    /// The day of the records, on the calendar's wall: 2026-03-02. By default yesterday.
    #[arg(long, requires = "records")]
    day: Option<String>,
}

impl Graph {
    /// Exit status 2: menus, records or Graphviz cannot be had.
    pub(crate) fn run(self) -> ExitCode {
        match self.draw() {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("hotline graph: {why}");
                ExitCode::from(2)
            }
        }
    }

    fn draw(&self) -> Result<(), String> {
        let language = Language::from_code(&self.language);
        let language = language.ok_or_else(|| format!("`{}` is neither zh nor en", self.language))?;
        let stage = super::menus::stage(&self.menus, None)?;
        let footfall = self.records.as_ref().map(|records| self.footfall(records, &stage)).transpose()?;
        let dot = picture(&stage, language, footfall.as_ref());
        let wants_text = self.out.as_ref().is_some_and(|out| out.extension().is_some_and(|e| e == "dot"));
        let drawn = if wants_text { dot.into_bytes() } else { svg(&dot)? };
        match &self.out {
            Some(out) => std::fs::write(out, drawn).map_err(|e| format!("{}: {e}", out.display())),
            None => std::io::stdout().write_all(&drawn).map_err(|e| e.to_string()),
        }
    }

    fn footfall(&self, records: &std::path::Path, stage: &Stage) -> Result<Footfall, String> {
        let mut trails = Trails::default();
        for fact in facts_of_day(records, self.day.as_deref(), (&stage.set.zone, stage.at))? {
            trails.read(&fact);
        }
        Ok(trails.footfall())
    }
}

/// The facts of calls that began on a day (by default the one before `now`) of a wall, in their order.
pub(super) fn facts_of_day(
    records: &std::path::Path,
    day: Option<&str>,
    (zone, now): (&Zone, UtcTime),
) -> Result<Vec<Fact>, String> {
    let (from, to) = bounds_of(day, (zone, now))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let facts = runtime.map_err(|e| e.to_string())?.block_on(async {
        let store = Store::look(records).await?;
        store.facts_of_calls_begun(from, to).await
    });
    facts.map_err(|e| e.to_string())
}

/// From midnight to midnight on the calendar's wall.
fn bounds_of(text: Option<&str>, (zone, now): (&Zone, UtcTime)) -> Result<(UtcTime, UtcTime), String> {
    let day = match text {
        Some(text) => hotline::exchange::menu::Day::parse(text)
            .ok_or_else(|| format!("`{text}` is no day; write 2026-03-02"))?,
        None => zone.wall(now).0.previous(),
    };
    Ok((zone.moment(day, 0), zone.moment(day.next(), 0)))
}

/// Draws by `dot`.
pub(super) fn svg(dot: &str) -> Result<Vec<u8>, String> {
    let absent = |e: std::io::Error| {
        match e.kind() {
        std::io::ErrorKind::NotFound => {
            "`dot` is not there: install Graphviz (Debian: apt-get install graphviz), or write the text with --out menus.dot"
                .to_owned()
        }
        _ => format!("dot: {e}"),
    }
    };
    let mut child = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(absent)?;
    let text = dot.to_owned();
    let stdin = child.stdin.take();
    let writer = std::thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(text.as_bytes())));
    let output = child.wait_with_output().map_err(|e| format!("dot: {e}"))?;
    drop(writer.join());
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("dot: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}
