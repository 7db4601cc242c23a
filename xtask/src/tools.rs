//! Programs of the system that a command needs: found, installed where that is allowed, or named.
use std::path::Path;

use crate::run::{Result, command, output, run};

/// A program and the Debian package that holds it.
#[derive(Clone, Copy)]
pub struct Tool {
    pub program: &'static str,
    pub package: &'static str,
}

/// Installs the missing ones when we are root on a system with `apt-get`; an error names what is still missing.
pub fn provide(tools: &[Tool]) -> Result {
    let mut missing = absent(tools);
    if !missing.is_empty() && may_install() {
        let packages: Vec<&str> = missing.iter().map(|t| t.package).collect();
        if install(&packages).is_err() {
            run(command("apt-get", &["update", "-qq"]))?;
            install(&packages)?;
        }
        missing = absent(tools);
    }
    if missing.is_empty() { Ok(()) } else { Err(how_to_install(&missing)) }
}

fn install(packages: &[&str]) -> Result {
    let words = [&["install", "-qq", "-y", "--no-install-recommends"], packages].concat();
    let mut apt = command("apt-get", &words);
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    run(apt)
}

/// Those that are in no folder of `PATH`.
fn absent(tools: &[Tool]) -> Vec<Tool> {
    tools.iter().copied().filter(|t| !on_path(t.program)).collect()
}

fn on_path(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| Path::new(&folder).join(program).is_file())
}

fn may_install() -> bool {
    let root = output(command("id", &["-u"])).is_ok_and(|user| user.trim_ascii() == b"0");
    root && on_path("apt-get")
}

fn how_to_install(missing: &[Tool]) -> String {
    let programs: Vec<&str> = missing.iter().map(|t| t.program).collect();
    let packages: Vec<&str> = missing.iter().map(|t| t.package).collect();
    let (programs, packages) = (programs.join(", "), packages.join(" "));
    format!(
        "missing: {programs}. Install with `sudo apt-get install {packages}` or your system's package manager"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: Tool = Tool { program: "no-such-program-anywhere", package: "some-package" };

    #[test]
    fn an_absent_program_is_found_out_and_named_with_its_package() {
        let missing = absent(&[Tool { program: "sh", package: "dash" }, NOWHERE]);
        assert_eq!(missing.len(), 1);
        let words = how_to_install(&missing);
        assert!(words.contains("missing: no-such-program-anywhere."), "{words}");
        assert!(words.contains("apt-get install some-package"), "{words}");
    }
}
