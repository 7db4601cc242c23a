//! The developer's commands of hotline: `cargo xtask lint | test | bench | kills | soak | fuzz | voice |
//! listen`. CI runs the same, all but the last two.
//!
//! Invariant: the standard library alone, so that it builds in a second on a fresh machine.
mod audio;
mod backtest;
mod bench;
mod fuzz;
mod kills;
mod lint;
mod run;
mod soak;
mod test;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask lint            format, clippy and docs with warnings denied, feature wall
cargo xtask test            install the real peers that are missing, then run every test
cargo xtask bench [NAME]... run the benches (or those named); fails where a budget is exceeded
cargo xtask kills [--kills N] [--seed N] [--within MS] [--debug]
                            kill -9 at N moments (200), each within MS (4000) of the round's beginning, under load, release
                            build: nothing acknowledged may be lost
cargo xtask soak [--calls N] [--rate N] [--built]
                            N calls (200000), so many a second (800), against a release server: memory and files stay flat
cargo xtask fuzz [S] [NAME]... fuzz all that reads bytes from outside (or the targets named), S seconds each (60)
cargo xtask voice [--all]   speak the prompts of audio/manifest.toml that are new or have changed, by a neural voice
cargo xtask listen [WORD]...
                            have the prompts (or those whose names begin with a WORD: zh/, en/d-) understood by a
                            recogniser as a telephone carries them, and write what it got wrong into target/voice/heard.md
cargo xtask backtest FILE   judge the estimates of the wait on a call log: fails where they miss the acceptance
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = words.split_first().map_or(("help", &[][..]), |(c, rest)| (c.as_str(), rest));
    let result = match command {
        "lint" => lint::lint(),
        "test" => test::test(),
        "bench" => bench::bench(rest),
        "kills" => kills::kills(rest),
        "soak" => soak::soak(rest),
        "fuzz" => fuzz::fuzz(rest),
        "voice" => audio::voice(rest),
        "listen" => audio::listen(rest),
        "backtest" => backtest::backtest(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        unknown => Err(format!("there is no command {unknown:?}\n{HELP}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask {command}: {why}");
            ExitCode::FAILURE
        }
    }
}
