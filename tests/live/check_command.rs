//! `hotline check` as an operator runs it: what it prints, and its exit status.
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hotline"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("check")
        .args(arguments)
        .output()
        .unwrap()
}

/// The shipped folder, with `from` in `main.toml` replaced by `to`.
fn damaged(name: &str, from: &str, to: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("menus")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let main = folder.join("main.toml");
    let text = std::fs::read_to_string(&main).unwrap();
    assert!(text.contains(from));
    std::fs::write(main, text.replace(from, to)).unwrap();
    folder
}

#[test]
fn shipped_menus_pass() {
    let output = check(&[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("no mistakes"));
}

#[test]
fn a_mistake_is_printed_with_its_place_and_fails() {
    let folder = damaged("check-mistake", "\"loans\"", "\"laons\"");
    let output = check(&[folder.to_str().unwrap(), "--audio", "audio"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("main.toml:7:5") && told.contains("did you mean `loans`?"), "{told}");
    assert!(!told.contains('\u{1b}'), "no colours into a pipe");
}

#[test]
fn json_is_an_array_for_editors() {
    let folder = damaged("check-json", "\"loans\"", "\"laons\"");
    let output = check(&[folder.to_str().unwrap(), "--json", "--audio", "audio"]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json[0]["code"], "HL0201");
    assert_eq!((&json[0]["line"], &json[0]["column"]), (&7.into(), &5.into()));
}

#[test]
fn a_folder_that_is_not_there_is_another_failure() {
    let output = check(&["no-such-folder"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-folder"));
}
