//! Taplo, the TOML tool of editors, finds the shipped menus good by the shipped schemas, and a damaged one not. `cargo xtask
//! test` installs it below `target/taplo`.
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `taplo lint` of files below a folder with a `.taplo.toml`.
fn lint(folder: &Path, files: &[&str]) -> Output {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/taplo/bin/taplo");
    let program = if own.is_file() { own } else { PathBuf::from("taplo") };
    let lint =
        Command::new(program).current_dir(folder).args(["lint", "--colors", "never"]).args(files).output();
    lint.unwrap_or_else(|e| panic!("taplo: {e}; `cargo xtask test` installs it"))
}

/// The shipped menus, scenarios, schemas and rules, with one file otherwise.
fn copy(name: &str, file: &str, text: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    for part in ["menus", "menus/schema", "scenarios", "scenarios/schema"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
        for entry in std::fs::read_dir(root.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, folder.join(part).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    std::fs::copy(root.join(".taplo.toml"), folder.join(".taplo.toml")).unwrap();
    std::fs::write(folder.join(file), text).unwrap();
    folder
}

#[test]
fn shipped_menus_and_scenarios_are_good() {
    let output = lint(Path::new(env!("CARGO_MANIFEST_DIR")), &["menus/*.toml", "scenarios/*.toml"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("found files total="), "it looked at something: {said}");
}

#[test]
fn a_damaged_file_of_each_kind_is_not() {
    let cases = [
        ("main.toml", "sya = \"main\"\nthen = \"account\"\n", "sya"),
        (
            "schedule.toml",
            "[x]\nfrom = \"tomorrow\"\nto = \"2026-01-01T00:00\"\nbanner = \"b\"\n",
            "tomorrow",
        ),
        ("numbers.toml", "[95188]\nmenu = \"main\"\npriority = 10\n", "10"),
        ("calendar.toml", "[hours.desk]\nmoon = \"09:00-18:00\"\nholiday = \"closed\"\n", "moon"),
        ("queues.toml", "[general]\nname = \"queue-general\"\n", "human"),
        ("agents.toml", "[agent.8001]\nskills = { account = 11 }\n", "11"),
        ("directory.toml", "[a]\ncode = \"x\"\nname = \"a\"\nnumber = \"1\"\n", "code"),
        (
            "scenarios/calm.toml",
            "title = \"x\"\nbegins = \"today\"\narrivals = {}\ncallers = {}\nagents = {}\n",
            "today",
        ),
        (
            "scenarios/calm.toml",
            "title = \"x\"\nbegins = \"2026-11-11T00:00Z\"\narrivals = {}\n[callers.a]\nnumber = \"1\"\nkyes = \"1\"\n[agents]\n",
            "kyes",
        ),
    ];
    for (file, text, why) in cases {
        let file = &if file.contains('/') { file.to_owned() } else { format!("menus/{file}") };
        let folder = copy(&format!("taplo-{}", file.replace('/', "-")), file, text);
        let output = lint(&folder, &[file]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{file}: {said}");
    }
}
