//! `cargo xtask kills`: two hundred times kill -9 under load, with the release build; what callers saw against the record.
use crate::run::{Result, cargo, run};

/// Points at which the plug is pulled, unless another number is asked for.
const KILLS: &str = "200";
/// Each within this time of its round's beginning, in milliseconds, or within 4 s after a caller was promised something:
/// two hundred rounds end in half an hour.
const WITHIN_MS: &str = "4000";

/// `words`: `--kills N`, `--seed N`, `--within MS`, `--after-word PERCENT` (of the kills that follow a spoken promise),
/// `--debug` or `--release`.
pub fn kills(words: &[String]) -> Result {
    let mut asked =
        vec![("HOTLINE_KILLS", KILLS.to_owned()), ("HOTLINE_KILL_WITHIN_MS", WITHIN_MS.to_owned())];
    let (mut words, mut release) = (words.iter(), true);
    while let Some(word) = words.next() {
        let name = match word.as_str() {
            "--kills" => "HOTLINE_KILLS",
            "--seed" => "HOTLINE_SEED",
            "--within" => "HOTLINE_KILL_WITHIN_MS",
            "--after-word" => "HOTLINE_KILLS_AFTER_WORD",
            "--debug" | "--release" => {
                release = word == "--release";
                continue;
            }
            other => {
                return Err(format!(
                    "what is {other:?}? --kills N, --seed N, --within MS, --after-word PERCENT, --debug"
                ));
            }
        };
        let number = words.next().filter(|n| n.parse::<u64>().is_ok());
        asked.push((name, number.ok_or_else(|| format!("{word} wants a number"))?.clone()));
    }
    let build: &[&str] = if release { &["--release"] } else { &[] };
    let what = ["--test", "live", "kills::", "--", "--nocapture"];
    let mut command = cargo(&[&["test"], build, &what].concat());
    command.envs(asked);
    run(command)
}
