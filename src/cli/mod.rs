//! The commands of `hotline`: each parses its arguments, builds, runs, prints. No rules live here.
mod ask;
mod audit;
mod backtest;
mod banner;
mod check;
mod explain;
mod graph;
mod load;
mod menus;
mod plan;
mod promises;
mod prompts;
mod replay;
mod revisions;
mod robots;
mod schema;
mod serve;
mod simulate;
mod terminal;
mod try_call;
mod when;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An IVR and call-routing engine for a customer-service hotline that never closes.
#[derive(Debug, Parser)]
#[command(name = "hotline", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server (also without any command).
    Serve(serve::Serve),
    /// Check menus, queues, agents, calendar and prompts, and report every mistake.
    Check(check::Check),
    /// Tell what a mistake means, with an example, wrong and mended.
    Explain(explain::Explain),
    /// Call the menus without a server: a phone in the terminal, with a clock of its own.
    Try(try_call::Try),
    /// Write the JSON Schemas of the menus' files, for editors.
    Schema(schema::Schema),
    /// Draw the menus as a picture (SVG), with yesterday's callers on each way.
    Graph(graph::Graph),
    /// Tell what a change of menus means: keys moved, ways to a human that got longer, callers whom it meets.
    Plan(plan::Plan),
    /// Tell what plays for callers of a number at an hour, and why.
    When(when::When),
    /// Tell which prompts are missing, wrong or off-level, and speak what is missing.
    Prompts(prompts::Prompts),
    /// Run an agent and a merchant who answer by themselves.
    Robots(robots::Robots),
    /// Run a scenario's day through menus, queues and agents in seconds; compare plans.
    Simulate(simulate::Simulate),
    /// Play a scenario's people against any server over real SIP and RTP, and measure what they meet.
    Replay(Box<replay::Replay>),
    /// Judge estimates of the wait on a call log: ours against the published rules.
    Backtest(backtest::Backtest),
    /// Play many phones against a running server and measure what they hear.
    Load(load::Load),
    /// Show the last calls of the running server, or one call's story.
    Calls(ask::Calls),
    /// Draw the SIP of a call as a ladder.
    Ladder(ask::LadderOf),
    /// Show what became of the waits that were promised, by queue and half-hour.
    Promises(promises::Promises),
    /// Install a set of menus into the running server; calls inside keep theirs.
    Install(revisions::Install),
    /// Take the menus of the running server back to a set that held before.
    #[command(name = "rollback")]
    RollBack(revisions::RollBack),
    /// Show the last sets of menus.
    Revisions(revisions::Revisions),
    /// Show who changed what, and who was not let.
    Audit(audit::Audit),
    /// Show, put on or take off what callers are told while something is wrong.
    Banner(banner::Banner),
    /// Show the ways to the outside: registered or not, where they lead, who answers.
    Trunks(ask::Trunks),
}

/// Runs the command line.
pub(crate) fn run() -> ExitCode {
    match Arguments::parse().command {
        None => serve::Serve::default().run(),
        Some(Command::Serve(serve)) => serve.run(),
        Some(Command::Check(check)) => check.run(),
        Some(Command::Explain(explain)) => explain.run(),
        Some(Command::Try(call)) => call.run(),
        Some(Command::Schema(schema)) => schema.run(),
        Some(Command::Graph(graph)) => graph.run(),
        Some(Command::When(when)) => when.run(),
        Some(Command::Plan(plan)) => plan.run(),
        Some(Command::Prompts(prompts)) => prompts.run(),
        Some(Command::Robots(robots)) => robots.run(),
        Some(Command::Backtest(backtest)) => backtest.run(),
        Some(Command::Load(load)) => load.run(),
        Some(Command::Simulate(simulate)) => simulate.run(),
        Some(Command::Replay(replay)) => replay.run(),
        Some(Command::Calls(calls)) => calls.run(),
        Some(Command::Ladder(ladder)) => ladder.run(),
        Some(Command::Promises(promises)) => promises.run(),
        Some(Command::Install(install)) => install.run(),
        Some(Command::RollBack(back)) => back.run(),
        Some(Command::Revisions(revisions)) => revisions.run(),
        Some(Command::Audit(audit)) => audit.run(),
        Some(Command::Trunks(trunks)) => trunks.run(),
        Some(Command::Banner(banner)) => banner.run(),
    }
}
