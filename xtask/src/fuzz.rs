//! `cargo xtask fuzz`: coverage-guided fuzzing of everything that reads bytes from outside, with cargo-fuzz. Inputs that
//! fail are kept in `fuzz/artifacts`; mended, they go to `fuzz/regressions/TARGET`, which the tests read.
use crate::run::{Result, cargo, root, run};

/// Seconds for each target, unless another number is asked for.
const SECONDS: u32 = 60;
/// One input may take no longer, in seconds, and no more memory, in megabytes.
const LIMITS: [&str; 3] = ["-timeout=5", "-rss_limit_mb=2048", "-print_final_stats=1"];

/// `words`: seconds, or names of targets, or both.
pub fn fuzz(words: &[String]) -> Result {
    let seconds = words.iter().find_map(|w| w.parse::<u32>().ok()).unwrap_or(SECONDS);
    let named: Vec<&String> = words.iter().filter(|w| w.parse::<u32>().is_err()).collect();
    let all = targets()?;
    if let Some(unknown) = named.iter().find(|n| !all.contains(n)) {
        return Err(format!("there is no target {unknown}; there are {}", all.join(", ")));
    }
    if cargo(&["fuzz", "--version"]).output().is_ok_and(|o| !o.status.success()) {
        run(cargo(&["install", "--locked", "cargo-fuzz"]))?;
    }
    run(cargo(&["run", "--quiet", "--manifest-path", "fuzz/Cargo.toml", "--example", "seeds"]))?;
    let time = format!("-max_total_time={seconds}");
    for target in all.iter().filter(|t| named.is_empty() || named.contains(t)) {
        // The coverage counters are a compiler flag that the stable compiler wants to be asked for twice. Without
        // `unsafe` in what is fuzzed, the address sanitizer finds nothing: panics and overflows are what counts.
        let mut command = cargo(&["fuzz", "run", "--sanitizer", "none", target, "--", &time]);
        command.args(LIMITS).env("RUSTC_BOOTSTRAP", "1");
        run(command)?;
    }
    Ok(())
}

/// The targets, by the names of their files.
fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut all: Vec<String> = files
        .flatten()
        .filter_map(|f| f.file_name().to_string_lossy().strip_suffix(".rs").map(str::to_owned))
        .collect();
    all.sort();
    Ok(all)
}
