//! The commands of `hotline`: each parses its arguments, builds, runs, prints. No rules live here.
mod check;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An IVR and call-routing engine for a customer-service hotline that never closes.
#[derive(Debug, Parser)]
#[command(name = "hotline", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check menus, queues, agents, calendar and prompts, and report every mistake.
    Check(check::Check),
}

/// Runs the command line.
pub(crate) fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Check(check) => check.run(),
    }
}
