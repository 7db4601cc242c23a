//! Runs a command in the repository's root, shows what is run, and says what failed.
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What went wrong, as a sentence.
pub type Result<T = ()> = std::result::Result<T, String>;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| ".".into(), Path::to_path_buf)
}

/// A command in the root.
pub fn command(program: &str, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words).current_dir(root());
    command
}

/// A `cargo` command in the root.
pub fn cargo(words: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    command(&cargo, words)
}

/// Runs it, its output shown; an error names it.
pub fn run(mut command: Command) -> Result {
    let words = shown(&command);
    eprintln!("+ {words}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{words}` failed: {status}")),
        Err(e) => Err(format!("`{words}` could not be started: {e}")),
    }
}

/// Runs it and hands its standard output back; its errors are shown.
pub fn output(mut command: Command) -> Result<Vec<u8>> {
    let words = shown(&command);
    let done = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("`{words}` could not be started: {e}"))?;
    if done.status.success() { Ok(done.stdout) } else { Err(format!("`{words}` failed: {}", done.status)) }
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let program =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let words = command.get_args().map(|w| w.to_string_lossy().into_owned());
    std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
}
