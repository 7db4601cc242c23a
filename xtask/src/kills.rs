//! `cargo xtask kills`: two hundred times kill -9 under load, with the release build; what callers saw against the record.
use crate::run::{Result, cargo, run};

/// Points at which the plug is pulled, unless another number is asked for.
const KILLS: &str = "200";

/// `words`: how many, and the seed.
pub fn kills(words: &[String]) -> Result {
    let mut command = cargo(&["test", "--release", "--test", "live", "kills::", "--", "--nocapture"]);
    command.env("HOTLINE_KILLS", words.first().map_or(KILLS, String::as_str));
    if let Some(seed) = words.get(1) {
        command.env("HOTLINE_SEED", seed);
    }
    run(command)
}
