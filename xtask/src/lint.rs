//! `cargo xtask lint`: whatever can be said of the code without running it.
use crate::run::{Result, cargo, run};

/// Format, clippy, docs, and the feature wall: the rooms that decide compile without anything that touches the world.
pub fn lint() -> Result {
    run(cargo(&["fmt", "--all", "--check"]))?;
    run(cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let mut docs = cargo(&["doc", "--quiet", "--no-deps", "--lib"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    run(docs)?;
    run(cargo(&["check", "--quiet", "--lib", "--no-default-features"]))
}
