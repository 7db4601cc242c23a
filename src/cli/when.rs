//! `hotline when NUMBER --at T`: what plays then, and why.
#![expect(clippy::print_stderr, reason = "a command's output")]
use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use hotline::exchange::menu::when;

use super::menus::MenuFolder;
use super::terminal::printable_lines;

/// Which number, and when.
#[derive(Debug, Args)]
pub(crate) struct When {
    /// The number that callers dial.
    number: String,
    #[command(flatten)]
    menus: MenuFolder,
    /// The hour, on the wall of the calendar's time zone: 2026-02-17T03:00. By default now.
    #[arg(long)]
    at: Option<String>,
}

impl When {
    /// Exit status 2: menus, number or time cannot be read.
    pub(crate) fn run(self) -> ExitCode {
        let told = super::menus::stage(&self.menus, self.at.as_deref()).and_then(|stage| {
            when(&stage, &self.number).ok_or_else(|| {
                let known: Vec<&str> = stage.set.numbers.keys().map(String::as_str).collect();
                format!("callers cannot dial {}; they can dial {}", self.number, known.join(", "))
            })
        });
        match told {
            Ok(told) => match writeln!(std::io::stdout(), "{}", printable_lines(&told)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            },
            Err(why) => {
                eprintln!("hotline when: {why}");
                ExitCode::from(2)
            }
        }
    }
}
