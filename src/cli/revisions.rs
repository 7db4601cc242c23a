//! `hotline install`, `hotline rollback`, `hotline revisions`: the menus of the running server, through its socket.
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hotline::io::menu_files::{read_folder, read_text};
use hotline::io::menus::Files;
use hotline::io::socket::{Answer, Question};
use serde_json::Value;

use super::ask::{Running, cell, fail};
use super::audit::moment;
use super::terminal::{fit, printable};

/// Have the menus of a folder hold for calls that begin now.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// The folder; without it the folders of the settings, now, whatever was rolled back.
    folder: Option<PathBuf>,
    /// Its audio manifest, if it has new prompts; by default that of the set that holds.
    #[arg(long, requires = "folder")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    running: Running,
}

/// Take the menus back to a set that held before.
#[derive(Debug, Args)]
pub(crate) struct RollBack {
    /// Its number or revision, as `hotline revisions` shows them; without it the one before.
    revision: Option<String>,
    #[command(flatten)]
    running: Running,
}

/// Show the last sets of menus: who installed them, when, and what they changed.
#[derive(Debug, Args)]
pub(crate) struct Revisions {
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    running: Running,
}

/// One word and what belongs to it: `{"installed": {...}}`.
fn outcome(running: &Running, question: &Question) -> Result<(String, Value), String> {
    match running.ask(question)? {
        Answer::Json(Value::Object(all)) => {
            all.into_iter().next().ok_or_else(|| "an empty answer".to_owned())
        }
        Answer::Refused(why) | Answer::NotFound(why) => Err(why),
        _ => Err("the server answered something else".to_owned()),
    }
}

/// Says what became of an order. Exit status 0: it holds. 1: it does not.
fn tell(done: Result<(String, Value), String>) -> ExitCode {
    let (word, value) = match done {
        Ok(done) => done,
        Err(why) => return fail(&why),
    };
    let mut out = std::io::stdout().lock();
    match word.as_str() {
        "installed" => {
            let said = format!(
                "set {} ({}) holds for calls that begin now",
                cell(&value, "number"),
                cell(&value, "revision")
            );
            writeln!(out, "{said}").ok();
            for line in list(&value, "changed") {
                writeln!(out, "  {}", printable(line.as_str().unwrap_or_default())).ok();
            }
            for d in list(&value, "warnings") {
                mistake(&mut out, d);
            }
            ExitCode::SUCCESS
        }
        "unchanged" => {
            writeln!(out, "{} holds already", cell(&value, "revision")).ok();
            ExitCode::SUCCESS
        }
        "mistakes" => {
            value.as_array().into_iter().flatten().for_each(|d| mistake(&mut out, d));
            fail("the set has mistakes; nothing was installed (`hotline check` shows them with their lines)")
        }
        _ => fail(value.as_str().unwrap_or("the server answered something else")),
    }
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn mistake(out: &mut impl std::io::Write, d: &Value) {
    let [file, line, column, severity, code, message] =
        ["file", "line", "column", "severity", "code", "message"].map(|name| cell(d, name));
    writeln!(out, "{file}:{line}:{column}: {severity} {code}: {message}").ok();
}

impl Install {
    pub(crate) fn run(self) -> ExitCode {
        let files = match self.files() {
            Ok(files) => files,
            Err(why) => return fail(&why),
        };
        tell(outcome(&self.running, &Question::Install { files }))
    }

    fn files(&self) -> Result<Option<Files>, String> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let menus = read_folder(folder).map_err(|e| e.to_string())?;
        let manifest = self.manifest.as_deref().map(read_text).transpose().map_err(|e| e.to_string())?;
        Ok(Some(Files { menus, manifest, base: None }))
    }
}

impl RollBack {
    pub(crate) fn run(self) -> ExitCode {
        tell(outcome(&self.running, &Question::RollBack { to: self.revision.clone() }))
    }
}

impl Revisions {
    pub(crate) fn run(self) -> ExitCode {
        let rows = match outcome(&self.running, &Question::Revisions) {
            Ok((_, rows)) => rows,
            Err(why) => return fail(&why),
        };
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&rows).unwrap_or_default()).ok();
            return ExitCode::SUCCESS;
        }
        for row in rows.as_array().map(Vec::as_slice).unwrap_or_default() {
            let is = |what: &str| row.get(what).and_then(Value::as_bool).unwrap_or(false);
            let state = match (is("holds"), is("apart")) {
                (true, true) => "holds; the files hold another one",
                (true, false) => "holds",
                (false, _) => "",
            };
            let (number, revision) = (fit(&cell(row, "number"), 5), fit(&cell(row, "revision"), 13));
            let (at, who, from) =
                (fit(&moment(row, "at_us"), 17), fit(&cell(row, "who"), 16), cell(row, "from"));
            writeln!(
                out,
                "{}",
                format!("{number} {revision} {at} {who} {} {state}", fit(&from, 24)).trim_end()
            )
            .ok();
            for line in list(row, "changed") {
                writeln!(out, "      {}", printable(line.as_str().unwrap_or_default())).ok();
            }
        }
        for line in self.refused() {
            writeln!(out, "{line}").ok();
        }
        ExitCode::SUCCESS
    }

    /// The set that was not taken last, if none was after it.
    fn refused(&self) -> Vec<String> {
        let Ok(Answer::Json(told)) = self.running.ask(&Question::Menus) else { return Vec::new() };
        let Some(refused) = told.get("refused").filter(|r| r.is_object()) else { return Vec::new() };
        let mut lines = vec![format!("refused {} of {}:", moment(refused, "at_us"), cell(refused, "who"))];
        lines.extend(
            list(refused, "why").iter().map(|line| format!("  {}", printable(line.as_str().unwrap_or("")))),
        );
        lines
    }
}
