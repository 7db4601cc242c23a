//! A command that is fed through its standard input.
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::run::Result;

/// Runs a command with `input`, hands back its output.
pub(super) fn piped(mut command: Command, input: &[u8]) -> Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |e: &dyn std::fmt::Display| format!("{program}: {e}");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|e| failed(&e))?;
    let mut stdin = child.stdin.take().ok_or_else(|| failed(&"no input"))?;
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let done = child.wait_with_output().map_err(|e| failed(&e))?;
    writer.join().map_err(|_| failed(&"its input broke"))?.map_err(|e| failed(&e))?;
    if done.status.success() { Ok(done.stdout) } else { Err(failed(&done.status)) }
}
