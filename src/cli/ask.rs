//! `hotline calls`, `hotline ladder`, `hotline status`: ask the running server through its socket.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hotline::base::CallId;
use hotline::io::socket::{Answer, Question, ask};
use serde_json::Value;

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

impl Running {
    fn ask(&self, question: &Question) -> Result<Answer, String> {
        let store = match &self.store {
            Some(store) => store.clone(),
            None => super::serve::settings(&self.config)?.store,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| e.to_string())?;
        runtime.block_on(ask(&store, question)).map_err(|e| e.to_string())
    }
}

fn fail(text: &str) -> ExitCode {
    eprintln!("hotline: {text}");
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
                println!("{}", serde_json::to_string_pretty(&value).unwrap_or_default());
            }
            Ok(Answer::NotFound(why) | Answer::Refused(why)) => return fail(&why),
            Ok(Answer::Ladder(_) | Answer::Ended) => return fail("the server answered something else"),
            Err(e) => return fail(&e),
        }
        ExitCode::SUCCESS
    }
}

impl LadderOf {
    pub(crate) fn run(self) -> ExitCode {
        match self.running.ask(&Question::Ladder(CallId(self.call))) {
            Ok(Answer::Ladder(text)) => {
                println!("{text}");
                ExitCode::SUCCESS
            }
            Ok(Answer::NotFound(why) | Answer::Refused(why)) => fail(&why),
            Ok(_) => fail("the server answered something else"),
            Err(e) => fail(&e),
        }
    }
}

/// A value for a terminal: what came from outside may hold control characters, which are shown, not obeyed.
fn cell(row: &Value, column: &str) -> String {
    let text = match row.get(column) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

fn seconds(row: &Value, column: &str) -> String {
    row.get(column)
        .and_then(Value::as_i64)
        .map(|ms| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100))
        .unwrap_or_default()
}

fn table(rows: &Value) {
    println!(
        "{:>6} {:<20} {:<10} {:<8} {:<12} {:<8} {:>12} {:>9} {:>9} {:<14}",
        "call", "caller", "dialled", "keys", "queue", "agent", "told", "waited", "talk", "ended"
    );
    for row in rows.as_array().into_iter().flatten() {
        let told = match (
            row.get("told_low_s").and_then(Value::as_i64),
            row.get("told_high_s").and_then(Value::as_i64),
        ) {
            (Some(low), Some(high)) => format!("{}-{} min", low / 60, high / 60),
            (Some(_) | None, _) => String::new(),
        };
        println!(
            "{:>6} {:<20} {:<10} {:<8} {:<12} {:<8} {:>12} {:>9} {:>9} {:<14}",
            cell(row, "id"),
            cell(row, "caller"),
            cell(row, "dialled"),
            cell(row, "keys"),
            cell(row, "queue"),
            cell(row, "agent"),
            told,
            seconds(row, "waited_ms"),
            seconds(row, "talk_ms"),
            cell(row, "cause"),
        );
    }
}

fn tell(story: &Value) {
    if let Some(call) = story.get("call") {
        table(&Value::Array(vec![call.clone()]));
    }
    println!();
    let facts = story.get("facts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let began = facts.first().and_then(|f| f.get("at_us")).and_then(Value::as_i64).unwrap_or(0);
    for fact in facts {
        let at = fact.get("at_us").and_then(Value::as_i64).unwrap_or(0) - began;
        let body = fact.get("body").and_then(Value::as_object).and_then(|b| b.values().next());
        let mut body = body.cloned().unwrap_or_default();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("call");
        }
        let shown =
            Value::Object([("body".to_owned(), Value::String(body.to_string()))].into_iter().collect());
        println!(
            "{:>9}.{:03} s  {:<20} {}",
            at / 1_000_000,
            at / 1_000 % 1_000,
            cell(fact, "kind"),
            cell(&shown, "body")
        );
    }
}
