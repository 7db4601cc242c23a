//! `hotline calls`, `hotline ladder`, `hotline status`: ask the running server through its socket.
#![expect(clippy::print_stderr, reason = "a command's output")]
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hotline::base::CallId;
use hotline::io::socket::{Answer, Question, ask};
use serde_json::Value;

use super::terminal::{fit, printable, printable_lines};

/// Prints a line; a closed pipe (`hotline calls | head`) is no mistake of ours.
macro_rules! say {
    ($($text:tt)*) => {
        writeln!(std::io::stdout(), $($text)*).ok()
    };
}

/// Where the running server is.
#[derive(Debug, Args)]
pub(crate) struct Running {
    /// The server's settings, which name its store.
    #[arg(long, default_value = "hotline.toml")]
    config: PathBuf,
    /// The store's folder, if not the settings'.
    #[arg(long)]
    store: Option<PathBuf>,
}

/// The last calls, or one call's story.
#[derive(Debug, Args)]
pub(crate) struct Calls {
    #[command(flatten)]
    running: Running,
    /// One call, whole.
    call: Option<u64>,
    /// Only calls from this number.
    #[arg(long)]
    caller: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// The SIP of a call as a ladder.
#[derive(Debug, Args)]
pub(crate) struct LadderOf {
    #[command(flatten)]
    running: Running,
    /// The call's number, as `hotline calls` shows it.
    call: u64,
}

/// The trunks of the running server.
#[derive(Debug, Args)]
pub(crate) struct Trunks {
    #[command(flatten)]
    running: Running,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Running {
    /// What the server answers.
    pub(crate) fn ask(&self, question: &Question) -> Result<Answer, String> {
        let store = match &self.store {
            Some(store) => store.clone(),
            None => super::serve::settings(&self.config)?.store,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| e.to_string())?;
        runtime.block_on(ask(&store, question)).map_err(|e| e.to_string())
    }

    /// Everything at one moment.
    fn status(&self) -> Result<Value, String> {
        match self.ask(&Question::Status)? {
            Answer::Status(view) => Ok(view),
            Answer::NotFound(why) | Answer::Refused(why) => Err(why),
            _ => Err("the server answered something else".to_owned()),
        }
    }
}

pub(crate) fn fail(text: &str) -> ExitCode {
    eprintln!("hotline: {}", printable_lines(text));
    ExitCode::from(1)
}

impl Calls {
    pub(crate) fn run(self) -> ExitCode {
        let question = match self.call {
            Some(call) => Question::Call(CallId(call)),
            None => Question::Calls { caller: self.caller.clone(), limit: self.limit },
        };
        match self.running.ask(&question) {
            Ok(Answer::Calls(rows)) if !self.json => table(&rows),
            Ok(Answer::Call(story)) if !self.json => tell(&story),
            Ok(Answer::Calls(value) | Answer::Call(value) | Answer::Status(value)) => {
                say!("{}", serde_json::to_string_pretty(&value).unwrap_or_default());
            }
            Ok(Answer::NotFound(why) | Answer::Refused(why)) => return fail(&why),
            Ok(Answer::Ladder(_) | Answer::Promises(_) | Answer::Ended | Answer::Json(_)) => {
                return fail("the server answered something else");
            }
            Err(e) => return fail(&e),
        }
        ExitCode::SUCCESS
    }
}

impl LadderOf {
    pub(crate) fn run(self) -> ExitCode {
        match self.running.ask(&Question::Ladder(CallId(self.call))) {
            Ok(Answer::Ladder(text)) => {
                say!("{}", printable_lines(&text));
                ExitCode::SUCCESS
            }
            Ok(Answer::NotFound(why) | Answer::Refused(why)) => fail(&why),
            Ok(_) => fail("the server answered something else"),
            Err(e) => fail(&e),
        }
    }
}

impl Trunks {
    pub(crate) fn run(self) -> ExitCode {
        let view = match self.running.status() {
            Ok(view) => view,
            Err(why) => return fail(&why),
        };
        let trunks = view.get("trunks").cloned().unwrap_or_default();
        if self.json {
            say!("{}", serde_json::to_string_pretty(&trunks).unwrap_or_default());
            return ExitCode::SUCCESS;
        }
        for trunk in trunks.as_array().map(Vec::as_slice).unwrap_or_default() {
            trunk_lines(trunk);
        }
        ExitCode::SUCCESS
    }
}

fn trunk_lines(trunk: &Value) {
    let state = match (trunk.get("alarm").and_then(Value::as_str), trunk.get("registered")) {
        (Some(alarm), _) => format!("ALARM: {alarm}"),
        (None, Some(Value::Bool(true))) => "registered".to_owned(),
        (None, Some(_) | None) => "good".to_owned(),
    };
    let calls = format!("{} in, {} out", cell(trunk, "calls_in"), cell(trunk, "calls_out"));
    say!("{} {} {state}; calls {calls}", fit(&cell(trunk, "trunk"), 16), fit(&cell(trunk, "address"), 32));
    for target in trunk.get("targets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
        let is = |what| target.get(what).and_then(Value::as_bool).unwrap_or(false);
        let states =
            [("off", "wants no calls for a while"), ("down", "down"), ("doubted", "was silent for a call")];
        let state = states.iter().find(|(what, _)| is(what)).map_or("", |(_, state)| *state);
        say!("    {} {state}", cell(target, "at"));
    }
}

/// A value for a terminal.
pub(crate) fn cell(row: &Value, column: &str) -> String {
    match row.get(column) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => printable(text),
        Some(other) => printable(&other.to_string()),
    }
}

fn seconds(row: &Value, column: &str) -> String {
    row.get(column)
        .and_then(Value::as_i64)
        .map(|ms| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100))
        .unwrap_or_default()
}

/// The first range that the caller was told, as he heard it.
fn told(row: &Value) -> String {
    let bound = |column| row.get(column).and_then(Value::as_i64);
    match (bound("told_low_s"), bound("told_high_s")) {
        (Some(0), Some(high)) => format!("<{}", minutes(high)),
        (Some(low), Some(high)) => format!("{}-{}", low / 60, minutes(high)),
        (Some(_) | None, _) => String::new(),
    }
}

fn minutes(seconds: i64) -> String {
    if seconds % 60 == 30 { format!("{}.5 min", seconds / 60) } else { format!("{} min", seconds / 60) }
}

/// Number and name.
fn who(row: &Value) -> String {
    let both = [cell(row, "caller"), cell(row, "caller_name")];
    both.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What a call is: a column's head, its width, its text.
type Column = (&'static str, usize, fn(&Value) -> String);

const COLUMNS: [Column; 10] = [
    ("call", 6, |r| cell(r, "id")),
    ("caller", 32, who),
    ("dialled", 12, |r| cell(r, "dialled")),
    ("keys", 8, |r| cell(r, "keys")),
    ("queue", 10, |r| cell(r, "queue")),
    ("agent", 6, |r| cell(r, "agent")),
    ("told", 9, told),
    ("waited", 9, |r| seconds(r, "waited_ms")),
    ("talk", 9, |r| seconds(r, "talk_ms")),
    ("ended", 15, |r| cell(r, "cause")),
];

fn line(text: impl Fn(&Column) -> String) -> String {
    let cells: Vec<String> = COLUMNS.iter().map(|column| fit(&text(column), column.1)).collect();
    cells.join(" ").trim_end().to_owned()
}

fn table(rows: &Value) {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        say!("no call yet");
        return;
    }
    say!("{}", line(|column| column.0.to_owned()));
    for row in rows {
        say!("{}", line(|column| (column.2)(row)));
    }
}

fn tell(story: &Value) {
    if let Some(call) = story.get("call") {
        table(&Value::Array(vec![call.clone()]));
    }
    say!();
    let facts = story.get("facts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let began = facts.first().and_then(|f| f.get("at_us")).and_then(Value::as_i64).unwrap_or(0);
    for fact in facts {
        let at = fact.get("at_us").and_then(Value::as_i64).unwrap_or(0) - began;
        let body = fact.get("body").and_then(Value::as_object).and_then(|b| b.values().next());
        let mut body = body.cloned().unwrap_or_default();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("call");
        }
        say!(
            "{:>6}.{:03} s  {:<20} {}",
            at / 1_000_000,
            at / 1_000 % 1_000,
            cell(fact, "kind"),
            printable(&body.to_string())
        );
    }
}
