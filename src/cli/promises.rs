//! `hotline promises`: what became of the waits that were promised, from the record; the running server's, or any file's.
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use hotline::exchange::menu::Day;
use hotline::exchange::promise_lines;
use hotline::io::socket::{Answer, Question};
use hotline::io::{PromiseFilter, PromiseReport, Store};

use super::ask::{Running, fail};
use super::terminal::printable_lines;

/// What became of the waits that were promised. Days and hours are those of the line's clock.
#[derive(Debug, Args)]
pub(crate) struct Promises {
    #[command(flatten)]
    running: Running,
    /// A record (hotline.db) in place of the running server's.
    #[arg(long)]
    records: Option<PathBuf>,
    /// One day: 2026-11-11. By default the last on which anything was promised.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    day: Option<String>,
    /// From this day or moment on: 2026-11-11, 2026-11-11T20:00.
    #[arg(long)]
    from: Option<String>,
    /// Up to this day, which is included, or up to this moment, which is not.
    #[arg(long)]
    to: Option<String>,
    /// A line for each half-hour, or for each queue.
    #[arg(long, value_enum, default_value_t = By::HalfHour)]
    by: By,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// What a line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// A queue's half-hour.
    HalfHour,
    /// A queue.
    Queue,
}

impl Promises {
    pub(crate) fn run(self) -> ExitCode {
        let report = match self.filter().and_then(|filter| self.report(filter)) {
            Ok(report) => report,
            Err(why) => return fail(&why),
        };
        let text = if self.json {
            serde_json::to_string_pretty(&report).unwrap_or_default()
        } else {
            let days = match &report.days {
                None => "nothing was promised".to_owned(),
                Some((first, last)) if first == last => format!("promises of {first}"),
                Some((first, last)) => format!("promises from {first} to {last}"),
            };
            format!("{days}\n{}", promise_lines(&report.figures, self.by == By::Queue))
        };
        // A closed pipe is no mistake of ours.
        writeln!(std::io::stdout(), "{}", printable_lines(text.trim_end())).ok();
        ExitCode::SUCCESS
    }

    fn filter(&self) -> Result<PromiseFilter, String> {
        let from = self.day.as_ref().or(self.from.as_ref());
        let to = self.day.as_ref().or(self.to.as_ref());
        let at = |text: Option<&String>, last| text.map(|text| moment(text, last)).transpose();
        Ok(PromiseFilter { from_s: at(from, false)?, to_s: at(to, true)? })
    }

    fn report(&self, filter: PromiseFilter) -> Result<PromiseReport, String> {
        let Some(records) = &self.records else {
            return match self.running.ask(&Question::Promises(filter))? {
                Answer::Promises(report) => Ok(report),
                Answer::NotFound(why) | Answer::Refused(why) => Err(why),
                _ => Err("the server answered something else".to_owned()),
            };
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| e.to_string())?;
        runtime.block_on(async {
            let store = Store::look(records).await.map_err(|e| e.to_string())?;
            store.promises(&filter).await.map_err(|e| e.to_string())
        })
    }
}

/// A day or a moment by the line's clock, in seconds since its 1970; a day that is the `last` ends at its midnight.
fn moment(text: &str, last: bool) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no day or moment; write 2026-11-11 or 2026-11-11T20:00");
    if let Some(day) = Day::parse(text) {
        return Ok(if last { day.next() } else { day }.wall_s());
    }
    let (day, clock) = text.split_once(['T', ' ']).ok_or_else(wrong)?;
    let (hours, minutes) = clock.split_once(':').ok_or_else(wrong)?;
    let part = |text: &str, below: i64| {
        let fits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|n: &i64| fits && *n < below).ok_or_else(wrong)
    };
    let day = Day::parse(day).ok_or_else(wrong)?;
    Ok(day.wall_s() + part(hours, 24)? * 3_600 + part(minutes, 60)? * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_read_by_the_lines_clock() {
        assert_eq!(moment("1970-01-02", false), Ok(86_400));
        assert_eq!(moment("1970-01-02", true), Ok(2 * 86_400));
        assert_eq!(moment("1970-01-02T20:30", true), Ok(86_400 + 20 * 3_600 + 1_800));
        for wrong in ["", "1970-13-01", "1970-01-02T24:00", "1970-01-02T1:5", "yesterday"] {
            assert!(moment(wrong, false).is_err(), "{wrong}");
        }
    }
}
