//! `hotline explain CODE`: what a mistake means, with an example, wrong and mended.
#![expect(clippy::print_stderr, reason = "a command's output")]
use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use hotline::exchange::menu::{explain, explained};

/// Which mistake.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Its code, e.g. HL0201; without one all codes are listed.
    code: Option<String>,
}

impl Explain {
    /// Exit status 2: no such code.
    pub(crate) fn run(self) -> ExitCode {
        let mut out = std::io::stdout();
        let said = match &self.code {
            None => explained().try_for_each(|each| writeln!(out, "{}  {}", each.code, each.title)),
            Some(code) => {
                let Some(found) = explain(code) else {
                    eprintln!("hotline explain: there is no code {code}; `hotline explain` lists all");
                    return ExitCode::from(2);
                };
                writeln!(out, "{}: {}\n\n{}", found.code, found.title, found.text)
            }
        };
        if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
