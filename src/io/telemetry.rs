//! Logs: one line an event, as text or JSON, with the call's number in its fields. Never more than debug for a packet.
use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Logs to standard error. `filter` is a tracing filter such as `hotline=debug`; a bad one falls back to `info`.
/// Returns whether the filter was understood.
pub fn log_to_stderr(filter: &str, json: bool) -> bool {
    let (chosen, understood) = match EnvFilter::try_new(filter) {
        Ok(chosen) => (chosen, true),
        Err(_) => (EnvFilter::new("info"), false),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(chosen)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second call in one process keeps the first subscriber.
    if json {
        builder.json().try_init().ok()
    } else {
        builder.try_init().ok()
    };
    understood
}
