//! `hotline check [DIR]`: reads a folder of menus as the server would, listens to its sounds, walks all ways through
//! it, and says everything that is wrong.
#![expect(clippy::print_stderr, reason = "a command's output")]
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Args;
use hotline::exchange::menu::{Diagnostic, MenuSet, Severity, render};
use hotline::io::menu_files::MenuFilesError;
use hotline::io::menus::lengths;

use super::menus::{MenuFolder, Read};

/// What to check, and how to say it.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    menus: MenuFolder,
    /// One JSON array on standard output, for editors.
    #[arg(long)]
    json: bool,
}

/// What was found.
struct Found {
    read: Read,
    diagnostics: Vec<Diagnostic>,
    /// What the set holds, and what is certain; empty when it would not be installed.
    summary: String,
}

impl Check {
    /// Exit status 0: nothing is wrong (warnings may be printed). 1: mistakes. 2: the files could not be read.
    pub(crate) fn run(self) -> ExitCode {
        match self.found() {
            Ok(found) => self.print(&found),
            Err(error) => {
                let why = std::error::Error::source(&error).map(|e| format!(": {e}")).unwrap_or_default();
                eprintln!("hotline check: {error}{why}");
                ExitCode::from(2)
            }
        }
    }

    fn found(&self) -> Result<Found, MenuFilesError> {
        let mut read = self.menus.read()?;
        let mut diagnostics = std::mem::take(&mut read.diagnostics);
        let recordings = read.recordings();
        diagnostics.extend(read.judge_sounds(&recordings));
        let mut summary = String::new();
        if let Some(reading) = &read.reading {
            let proof = read.prove(reading, &lengths(&recordings, &read.texts));
            summary = format!("{}\n{}\n", holds(&reading.set, &read.revision()), proof.told());
            diagnostics.extend(proof.diagnostics);
        }
        Ok(Found { read, diagnostics, summary })
    }

    /// Says it; a closed pipe is no mistake of ours.
    fn print(&self, found: &Found) -> ExitCode {
        let Found { diagnostics, read, summary } = found;
        let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        let warnings = diagnostics.len() - errors;
        let said = if self.json {
            let json = serde_json::to_string_pretty(diagnostics).unwrap_or_default();
            writeln!(std::io::stdout(), "{json}")
        } else {
            let colour = std::io::stdout().is_terminal();
            let last = match (errors, warnings) {
                (0, 0) => format!("{summary}no mistakes"),
                (0, n) => format!("{summary}{}", counted(n, "warning")),
                (n, w) => format!(
                    "{}, {}. `hotline explain CODE` tells more about each.",
                    counted(n, "error"),
                    counted(w, "warning")
                ),
            };
            writeln!(std::io::stdout(), "{}{last}", render(diagnostics, &read.files, colour))
        };
        if errors == 0 && said.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) }
    }
}

/// `1 error`, `2 errors`.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn holds(set: &MenuSet, revision: &str) -> String {
    format!(
        "{} menus, {} numbers, {} queues, {} agents, {} third parties (revision {revision})",
        set.menus.len(),
        set.numbers.len(),
        set.queues.len(),
        set.acd.agents.len(),
        set.directory.len(),
    )
}
