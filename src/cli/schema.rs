//! `hotline schema`: writes the JSON Schemas of a folder of menus or of scenarios, and what Taplo needs to find them.
#![expect(clippy::print_stderr, reason = "a command's output")]
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hotline::exchange::menu::{schemas, taplo};
use hotline::sim::{scenario_schema, scenario_taplo};

/// Where to write.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The folder of menus: `schema/*.json` and `.taplo.toml` are written there. Without it, the schema of each file is
    /// printed as one JSON object.
    folder: Option<PathBuf>,
    /// The folder is one of scenarios: `schema/scenario.json` and `.taplo.toml` are written there.
    #[arg(long, requires = "folder")]
    scenarios: bool,
}

impl Schema {
    /// Exit status 2: a file cannot be written.
    pub(crate) fn run(self) -> ExitCode {
        let done = if let Some(folder) = &self.folder {
            if self.scenarios { write_scenarios(folder) } else { write(folder) }
        } else {
            let all: serde_json::Map<_, _> = schemas()
                .into_iter()
                .chain([("scenario", scenario_schema())])
                .map(|(n, s)| (n.to_owned(), s))
                .collect();
            writeln!(std::io::stdout(), "{:#}", serde_json::Value::Object(all))
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("hotline schema: {why}");
                ExitCode::from(2)
            }
        }
    }
}

fn write(folder: &Path) -> std::io::Result<()> {
    let schema = folder.join("schema");
    std::fs::create_dir_all(&schema)?;
    for (name, text) in schemas() {
        std::fs::write(schema.join(format!("{name}.json")), format!("{text:#}\n"))?;
    }
    std::fs::write(folder.join(".taplo.toml"), taplo(""))
}

fn write_scenarios(folder: &Path) -> std::io::Result<()> {
    let schema = folder.join("schema");
    std::fs::create_dir_all(&schema)?;
    std::fs::write(schema.join("scenario.json"), format!("{:#}\n", scenario_schema()))?;
    std::fs::write(folder.join(".taplo.toml"), scenario_taplo(""))
}
