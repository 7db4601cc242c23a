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

/// Installs what is missing where it may; then the pure behaviours behind the feature wall, then everything.
pub fn test() -> Result {
    provide(PEERS)?;
    run(cargo(&["test", "--quiet", "--no-default-features", "--test", "rooms"]))?;
    run(cargo(&["test", "--workspace"]))
}
