//! `hotline backtest CALLS.csv`: judges estimates of the wait on a call log.
#![expect(clippy::print_stderr, reason = "a command's output")]
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hotline::backtest::{CallLog, Options, Verdict, judge, page};

/// What to judge, and how to say it.
#[derive(Debug, Args)]
pub(crate) struct Backtest {
    /// The log: one call a row, columns by name (docs/estimating.md).
    calls: PathBuf,
    /// The first day judged, counted from 0; several (`8,10,12`) are judged apart and pooled. By default the second half.
    #[arg(long, value_delimiter = ',')]
    judge_from_day: Vec<u32>,
    /// Services that have agents and a line of their own: not judged, their talks only keep agents busy.
    #[arg(long, value_delimiter = ',', default_value = "IN")]
    without: Vec<String>,
    /// One JSON object on standard output, for programs.
    #[arg(long)]
    json: bool,
    /// Also write a page with pictures.
    #[arg(long)]
    html: Option<PathBuf>,
}

impl Backtest {
    /// Exit status 0: judged. 2: the log could not be read.
    pub(crate) fn run(self) -> ExitCode {
        match self.judge() {
            Ok(text) if std::io::stdout().write_all(text.as_bytes()).is_ok() => ExitCode::SUCCESS,
            Ok(_) => ExitCode::from(1),
            Err(why) => {
                eprintln!("hotline backtest: {}: {why}", self.calls.display());
                ExitCode::from(2)
            }
        }
    }

    fn judge(&self) -> Result<String, String> {
        let bytes = std::fs::read(&self.calls).map_err(|e| e.to_string())?;
        let log =
            CallLog::read(&String::from_utf8_lossy(&bytes), &self.without).map_err(|e| e.to_string())?;
        for bad in &log.described {
            eprintln!("hotline backtest: {}: {bad}", self.calls.display());
        }
        if log.bad > 0 {
            eprintln!("hotline backtest: {} bad rows left out", log.bad);
        }
        let verdict = judge(&log, &Options { from_days: self.judge_from_day.clone() });
        if let Some(file) = &self.html {
            let page = page(&verdict, &self.calls.display().to_string());
            std::fs::write(file, page).map_err(|e| format!("{}: {e}", file.display()))?;
        }
        if self.json {
            return serde_json::to_string_pretty(&verdict).map(|t| t + "\n").map_err(|e| e.to_string());
        }
        Ok(table(&verdict))
    }
}

/// The verdict in columns.
fn table(verdict: &Verdict) -> String {
    let days: Vec<String> = verdict.judged_from_days.iter().map(ToString::to_string).collect();
    let mut out = format!("{} calls, judged from day {}\n", verdict.calls, days.join(", "));
    let head =
        ["n", "RMSE s", "MAE s", "bias s", "RRMSE", "pinball", "in range", "width s", "> 2x+30", "later"];
    write!(out, "{:20}", "").unwrap_or_default();
    for name in head {
        write!(out, "{name:>9}").unwrap_or_default();
    }
    out.push('\n');
    for (name, figures) in &verdict.estimators {
        let s = &figures.overall;
        let (held, twice, later) = (100.0 * s.coverage_80, 100.0 * s.over_twice_30, 100.0 * s.upward_share);
        writeln!(
            out,
            "{name:20}{:>9}{:>9.1}{:>9.1}{:>+9.1}{:>9.2}{:>9.2}{held:>8.1}%{:>9.0}{twice:>8.1}%{later:>8.1}%",
            s.n, s.rmse_s, s.mae_s, s.bias_s, s.rrmse, s.pinball_s, s.width_s
        )
        .unwrap_or_default();
    }
    out
}
