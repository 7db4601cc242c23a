//! `cargo xtask test`: the real peers, then every test.
use crate::run::{Result, cargo, run};
use crate::tools::{Tool, provide};

/// The phones that the tests of `tests/live` call and are called by, the browser that opens the status page, the reader of captures.
const PEERS: &[Tool] = &[
    Tool { program: "openssl", package: "openssl" },
    Tool { program: "sipp", package: "sip-tester" },
    Tool { program: "baresip", package: "baresip" },
    Tool { program: "chromium", package: "chromium" },
    // Reads what a deep simulation captured.
    Tool { program: "tshark", package: "tshark" },
];

/// Tests that run at a time: those of `tests/live` mostly wait for phones.
const AT_ONCE: &str = "4";

/// Installs what is missing where it may; then the pure behaviours behind the feature wall, then everything else.
pub fn test() -> Result {
    provide(PEERS)?;
    run(cargo(&["test", "--quiet", "--no-default-features", "--test", "rooms"]))?;
    let mut rest = cargo(&["test", "--workspace", "--lib", "--bins", "--test", "tidy", "--test", "live"]);
    rest.env("RUST_TEST_THREADS", AT_ONCE);
    run(rest)
}
