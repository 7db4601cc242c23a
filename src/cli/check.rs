//! `hotline check [DIR]`: reads a folder of menus as the server would, and says everything that is wrong with it.
#![expect(clippy::print_stderr, reason = "a command's output")]
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hotline::exchange::menu::{Diagnostic, MenuSet, PromptTexts, Severity, render};
use hotline::io::menu_files::{self, MenuFilesError};

/// What to check, and how to say it.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The folder of menus.
    #[arg(default_value = "menus")]
    folder: PathBuf,
    /// The audio manifest; by default `audio/manifest.toml` beside the folder.
    #[arg(long)]
    manifest: Option<PathBuf>,
    /// One JSON array on standard output, for editors.
    #[arg(long)]
    json: bool,
}

/// What was found.
struct Found {
    diagnostics: Vec<Diagnostic>,
    /// The texts, by the names that the diagnostics use.
    files: BTreeMap<String, String>,
    /// What the set holds; empty when it would not be installed.
    summary: String,
}

impl Check {
    /// Exit status 0: nothing is wrong (warnings may be printed). 1: mistakes. 2: the files could not be read.
    pub(crate) fn run(self) -> ExitCode {
        match self.diagnostics() {
            Ok(found) => self.print(&found),
            Err(error) => {
                let why = std::error::Error::source(&error).map(|e| format!(": {e}")).unwrap_or_default();
                eprintln!("hotline check: {error}{why}");
                ExitCode::from(2)
            }
        }
    }

    fn diagnostics(&self) -> Result<Found, MenuFilesError> {
        let beside = self.folder.join("..").join("audio").join("manifest.toml");
        let manifest = self.manifest.clone().unwrap_or(beside);
        let manifest_text = menu_files::read_text(&manifest)?;
        let manifest_name = manifest.display().to_string();
        let (texts, mut diagnostics) = PromptTexts::read(&manifest_name, &manifest_text);
        let files = menu_files::read_folder(&self.folder)?;
        let (found, summary) = match MenuSet::load(&files, &texts.known()) {
            Ok((set, warnings)) => (warnings, summary(&set)),
            Err(found) => (found, String::new()),
        };
        let shown = |name: &str| self.folder.join(name).display().to_string();
        diagnostics.extend(found.into_iter().map(|d| Diagnostic { file: shown(&d.file), ..d }));
        let mut shown_files: BTreeMap<_, _> = files.into_iter().map(|(n, t)| (shown(&n), t)).collect();
        shown_files.insert(manifest_name, manifest_text);
        Ok(Found { diagnostics, files: shown_files, summary })
    }

    /// Says it; a closed pipe is no mistake of ours.
    fn print(&self, found: &Found) -> ExitCode {
        let Found { diagnostics, files, summary } = found;
        let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        let warnings = diagnostics.len() - errors;
        let said = if self.json {
            let json = serde_json::to_string_pretty(diagnostics).unwrap_or_default();
            writeln!(std::io::stdout(), "{json}")
        } else {
            let colour = std::io::stdout().is_terminal();
            let last = match (errors, warnings) {
                (0, 0) => format!("{summary}: no mistakes"),
                (0, n) => format!("{summary}: {n} warnings"),
                (n, w) => format!("{n} errors, {w} warnings: nothing would be installed"),
            };
            writeln!(std::io::stdout(), "{}{last}", render(diagnostics, files, colour))
        };
        if errors == 0 && said.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) }
    }
}

fn summary(set: &MenuSet) -> String {
    format!(
        "{} menus, {} numbers, {} queues, {} agents, {} third parties (revision {})",
        set.menus.len(),
        set.numbers.len(),
        set.queues.len(),
        set.acd.agents.len(),
        set.directory.len(),
        set.revision
    )
}
