//! `cargo xtask backtest FILE`: judges the estimates of the wait on a call log against the acceptance; release build.
use crate::run::{Result, cargo, run};

/// `words`: the log.
pub fn backtest(words: &[String]) -> Result {
    let [file] = words else { return Err("which call log? cargo xtask backtest FILE".into()) };
    let file = std::path::absolute(file).map_err(|e| format!("{file}: {e}"))?;
    let what = "backtest::the_acceptance_holds_on_the_log_that_is_named";
    let mut command =
        cargo(&["test", "--release", "--no-default-features", "--test", "rooms", what, "--", "--nocapture"]);
    command.env("HOTLINE_CALL_LOG", file);
    run(command)
}
