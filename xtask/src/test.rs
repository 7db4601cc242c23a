//! `cargo xtask test`: the real peers, then every test.
use crate::run::{Result, cargo, command, root, run};
use crate::tools::{Tool, provide};

/// The phones that the tests of `tests/live` call and are called by, the browser that opens the status page, the reader of captures.
const PEERS: &[Tool] = &[
    Tool { program: "openssl", package: "openssl" },
    Tool { program: "sipp", package: "sip-tester" },
    Tool { program: "baresip", package: "baresip" },
    Tool { program: "chromium", package: "chromium" },
    // Speaks banners.
    Tool { program: "espeak-ng", package: "espeak-ng" },
    // Brings Taplo.
    Tool { program: "python3", package: "python3-venv" },
    // Reads what a deep simulation captured.
    Tool { program: "tshark", package: "tshark" },
];

/// Tests that run at a time: those of `tests/live` mostly wait for phones.
const AT_ONCE: &str = "4";

/// Taplo, the TOML tool of editors, as its maintainers publish it for Python's package manager.
const TAPLO: &str = "taplo==0.9.3";

/// Installs Taplo below `target/taplo`, if it is not there.
fn provide_taplo() -> Result {
    let folder = root().join("target/taplo");
    if folder.join("bin/taplo").is_file() {
        return Ok(());
    }
    let to = folder.display().to_string();
    run(command("python3", &["-m", "venv", &to]))?;
    run(command(&format!("{to}/bin/pip"), &["install", "--quiet", TAPLO]))
}

/// Installs what is missing where it may; then the pure behaviours behind the feature wall, then everything else.
pub fn test() -> Result {
    provide(PEERS)?;
    provide_taplo()?;
    run(cargo(&["test", "--quiet", "--no-default-features", "--test", "rooms"]))?;
    let mut rest = cargo(&["test", "--workspace", "--lib", "--bins", "--test", "tidy", "--test", "live"]);
    rest.env("RUST_TEST_THREADS", AT_ONCE);
    run(rest)
}
