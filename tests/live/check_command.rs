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
        if path.is_dir() {
            continue;
        }
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

fn hotline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hotline"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments)
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_counter_example_is_printed_as_keys_that_try_plays() {
    let folder = damaged("check-shown", "0 = \"queue general\"\n", "");
    let queues = folder.join("queues.toml");
    let text = std::fs::read_to_string(&queues).unwrap();
    std::fs::write(&queues, text.replace("[complaints]", "[complaints]\noverflow = \"complaint\"")).unwrap();
    let output = check(&[folder.to_str().unwrap(), "--json", "--audio", "audio"]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = json.as_array().unwrap().iter().find(|d| d["code"] == "HL0905").unwrap();
    let word = |name: &str| found["shown_by"][name].as_str().unwrap().to_owned();
    let played = hotline(&[
        "try",
        folder.to_str().unwrap(),
        "--audio",
        "audio",
        "--number",
        &word("dial"),
        "--at",
        &word("at"),
        "--keys",
        &word("keys"),
    ]);
    assert!(played.status.success(), "{played:?}");
    assert!(told(&played).matches("in the queue complaints").count() >= 2, "{}", told(&played));
}

#[test]
fn the_spring_festival_night_is_tried_and_asked_for() {
    let night = hotline(&["try", "--number", "95188", "--at", "2026-02-17T03:00", "--keys", "2~~~"]);
    let story = told(&night);
    assert!(
        story.contains("menu night") && story.contains("waits for a human, in the queue general"),
        "{story}"
    );
    assert!(story.contains("> zh") && story.contains("en  "), "both languages: {story}");
    let when = told(&hotline(&["when", "95188", "--at", "2026-02-17T03:00"]));
    assert!(when.contains("holiday: Spring Festival") && when.contains("opens 2026-02-17T10:00"), "{when}");
    let worked = told(&hotline(&["when", "95189", "--at", "2026-02-14T10:00"]));
    assert!(worked.contains("worked for Spring Festival"), "{worked}");
}

#[test]
fn a_script_is_held_to_what_it_expects() {
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join("night.try");
    let good = "# The loans desk is closed.\ndial 95188 at 2026-02-17T03:00\nexpect menu main\nkeys 2\nexpect menu night\n\
                keys 0\nexpect human general\n";
    std::fs::write(&script, good).unwrap();
    assert!(hotline(&["try", "--script", script.to_str().unwrap()]).status.success());
    std::fs::write(&script, good.replace("menu night", "menu loans")).unwrap();
    let output = hotline(&["try", "--script", script.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(why.contains("night.try:5: expected menu loans, but: menu night"), "{why}");
}

#[test]
fn mistakes_are_explained_and_the_menus_drawn() {
    assert!(told(&hotline(&["explain", "hl0305"])).contains("Mended:"));
    assert_eq!(hotline(&["explain", "HL9999"]).status.code(), Some(2));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("menus.dot");
    assert!(hotline(&["graph", "--out", out.to_str().unwrap()]).status.success());
    let dot = std::fs::read_to_string(out).unwrap();
    assert!(dot.contains("\"menu main\" -> \"queue general\"") && dot.contains("a human"), "{dot}");
}

#[test]
fn a_change_is_planned_and_its_exit_status_says_whether_there_is_any() {
    let plan = |arguments: &[&str]| hotline(&[&["plan"], arguments].concat());
    let same = plan(&["menus"]);
    assert_eq!(same.status.code(), Some(0), "{}", told(&same));
    let folder = damaged("plan-moved", "2 = \"loans\"", "2 = \"account\"\n5 = \"loans\"");
    let folder = folder.to_str().unwrap();
    let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plan.dot");
    let moved = plan(&[folder, "--audio", "audio", "--svg", picture.to_str().unwrap()]);
    assert_eq!(moved.status.code(), Some(2), "{}", told(&moved));
    assert!(told(&moved).contains("menu main, key 2: menu loans -> menu account"), "{}", told(&moved));
    assert!(told(&moved).contains("main.toml:") && told(&moved).contains("HL0411"), "{}", told(&moved));
    assert!(!told(&moved).contains('\u{1b}'), "no colours into a pipe");
    let drawn = std::fs::read_to_string(picture).unwrap();
    assert!(drawn.contains("(was menu loans)") && drawn.contains("(new)"), "{drawn}");
    let json = plan(&[folder, "--audio", "audio", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["difference"]["keys"][0]["place"], "menu main");
    let wrong = damaged("plan-wrong", "\"loans\"", "\"laons\"");
    let wrong = plan(&[wrong.to_str().unwrap(), "--audio", "audio"]);
    let why = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(wrong.status.code() == Some(1) && why.contains("HL0201"), "{why}");
}

#[test]
fn a_change_is_simulated_with_the_same_callers() {
    let folder = damaged("plan-simulated", "2 = \"loans\"", "2 = \"queue general\"\n5 = \"loans\"");
    let output = hotline(&[
        "plan",
        folder.to_str().unwrap(),
        "--audio",
        "audio",
        "--simulate",
        "quiet-night",
        "--seeds",
        "2",
    ]);
    let said = told(&output);
    assert!(output.status.code() == Some(2) && said.contains("mean wait") && said.contains('±'), "{said}");
}
