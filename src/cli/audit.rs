//! `hotline audit`: who changed what from outside, as the record has it.
use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use hotline::base::UtcTime;
use hotline::exchange::menu::Zone;
use hotline::io::socket::{Answer, Question};
use serde_json::Value;

use super::ask::{Running, cell, fail};
use super::terminal::fit;

/// Who changed what, and who was not let: the newest first.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    running: Running,
    /// At most this many.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// A moment in UTC, to the minute.
pub(crate) fn moment(row: &Value, column: &str) -> String {
    let at = row.get(column).and_then(Value::as_i64).map(UtcTime::from_micros);
    at.map(|at| Zone::utc().show(at)).unwrap_or_default()
}

impl Audit {
    pub(crate) fn run(self) -> ExitCode {
        let rows = match self.running.ask(&Question::Audit { limit: self.limit }) {
            Ok(Answer::Json(rows)) => rows,
            Ok(Answer::NotFound(why) | Answer::Refused(why)) | Err(why) => return fail(&why),
            Ok(_) => return fail("the server answered something else"),
        };
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&rows).unwrap_or_default()).ok();
            return ExitCode::SUCCESS;
        }
        let line = |when: &str, [who, from, what, about, outcome]: [String; 5]| {
            let (who, from, what) = (fit(&who, 16), fit(&from, 16), fit(&what, 18));
            format!("{} {who} {from} {what} {} {outcome}", fit(when, 17), fit(&about, 24))
        };
        let heads = ["who", "from", "what", "about", "outcome"].map(str::to_owned);
        writeln!(out, "{}", line("UTC", heads)).ok();
        for row in rows.as_array().map(Vec::as_slice).unwrap_or_default() {
            let cells = ["who", "from", "what", "about", "outcome"].map(|column| cell(row, column));
            writeln!(out, "{}", line(&moment(row, "at_us"), cells)).ok();
        }
        ExitCode::SUCCESS
    }
}
