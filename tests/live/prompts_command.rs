//! `hotline prompts` as an operator runs it: what is missing is told, and spoken by any command.
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hotline::replay::Voice;

use crate::house::{House, MUSIC_HZ, hears, runtime};

fn prompts(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotline"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["prompts", "--audio"])
        .arg(folder)
        .args(more)
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A folder of sounds with one prompt, which is recorded in Mandarin and in English.
fn folder(name: &str) -> PathBuf {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("audio");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::remove_dir_all(&folder).ok();
    for language in ["zh", "en"] {
        std::fs::create_dir_all(folder.join(language)).unwrap();
        std::fs::copy(
            shipped.join(language).join("welcome.flac"),
            folder.join(language).join("welcome.flac"),
        )
        .unwrap();
    }
    let words = |id: &str| format!("[prompt.{id}]\nzh = \"您好\"\nen = \"Hello\"\n");
    std::fs::write(folder.join("manifest.toml"), words("welcome")).unwrap();
    folder
}

#[test]
fn what_is_there_is_right() {
    let output = prompts(&folder("prompts-right"), &[]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(told(&output).contains("2 prompts with words"), "{}", told(&output));
}

#[test]
fn a_missing_prompt_is_told_and_then_spoken_by_the_command_that_is_named() {
    let folder = folder("prompts-missing");
    let manifest = folder.join("manifest.toml");
    let text =
        std::fs::read_to_string(&manifest).unwrap() + "[prompt.new]\nzh = \"新的\"\nen = \"It's new\"\n";
    std::fs::write(&manifest, text).unwrap();
    let output = prompts(&folder, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("HL0403 the prompt `new` in"), "{}", told(&output));
    // Whatever speaks: here it copies a recording, and notes what it was asked to say.
    let speaker =
        r#"cp audio/$LANGUAGE/welcome.flac "$FILE" && echo "$TEXT" >> "$(dirname "$FILE")/../said""#;
    let output = prompts(&folder, &["--speak", "--with", speaker]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(told(&output).contains("2 spoken now"), "{}", told(&output));
    let said = std::fs::read_to_string(folder.join("said")).unwrap();
    assert!(said.contains("新的\n") && said.contains("It's new\n"), "{said}");
}

#[test]
fn a_recording_of_other_words_is_spoken_anew_once() {
    let folder = folder("prompts-changed");
    let lock = "[zh]\nwelcome = { ms = 1, file = \"zh/welcome.flac\", text = \"再见\" }\n[en]\n";
    std::fs::write(folder.join("manifest.lock.toml"), lock).unwrap();
    assert!(told(&prompts(&folder, &[])).contains("HL0409"), "the words have changed");
    let speak = ["--speak", "--with", r#"cp audio/zh/goodbye.flac "$FILE""#];
    assert!(told(&prompts(&folder, &speak)).contains("1 spoken now"));
    assert!(told(&prompts(&folder, &speak)).contains("0 spoken now"));
}

#[test]
fn a_recording_that_is_dropped_in_is_heard_in_place_of_the_shipped_one() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/audio");
    for own in ["vorbis_44k.ogg", "mp3_32k.mp3", "stereo_22k.flac", "a_law_8k.wav"] {
        let house = House::open_with("", |menus| {
            let extension = Path::new(own).extension().unwrap();
            let dropped = menus.with_file_name("audio").join("music/music").with_extension(extension);
            std::fs::copy(data.join(own), &dropped).unwrap();
            let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
            std::fs::File::options().append(true).open(&dropped).unwrap().set_modified(later).unwrap();
        });
        runtime().block_on(async {
            let caller = house.caller("13800138000", "95188", Voice::Silence).await;
            caller.press("21").await.unwrap();
            // The files hold 700 Hz.
            hears(own, &caller, &[700.0], &[MUSIC_HZ]).await;
        });
    }
}

#[test]
fn a_command_that_fails_is_told() {
    let folder = folder("prompts-mute");
    std::fs::remove_file(folder.join("zh/welcome.flac")).unwrap();
    let output = prompts(&folder, &["--speak", "--with", "false"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("`false` failed"), "{}", told(&output));
}

#[test]
fn a_command_that_writes_nothing_is_told_though_an_old_recording_is_there() {
    let folder = folder("prompts-untouched");
    for language in ["zh", "en"] {
        std::fs::remove_file(folder.join(language).join("welcome.flac")).unwrap();
        std::fs::write(folder.join(language).join("welcome.wav"), "old").unwrap();
    }
    let lock = "[zh]\nwelcome = { ms = 1, file = \"zh/welcome.wav\", text = \"再见\" }\n[en]\n";
    std::fs::write(folder.join("manifest.lock.toml"), lock).unwrap();
    let output = prompts(&folder, &["--speak", "--with", "true"]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("wrote no"), "{}", told(&output));
    // What was there is as it was, and nothing else lies beside it.
    assert_eq!(std::fs::read(folder.join("zh/welcome.wav")).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(folder.join("zh")).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(folder.join("manifest.lock.toml")).unwrap(), lock);
}

#[test]
fn espeak_ng_speaks_where_nothing_else_is_said() {
    let folder = folder("prompts-espeak");
    for language in ["zh", "en"] {
        std::fs::remove_file(folder.join(language).join("welcome.flac")).unwrap();
    }
    let output = prompts(&folder, &["--speak"]);
    assert!(told(&output).contains("2 spoken now"), "{}", told(&output));
    for language in ["zh", "en"] {
        // A second of 16 bits at 22,050 Hz would be 44,100 bytes; two syllables are some 0.5 s.
        let sound = std::fs::read(folder.join(language).join("welcome.wav")).unwrap();
        assert!(sound.starts_with(b"RIFF") && sound.len() > 10_000, "{language}: {} bytes", sound.len());
        assert!(
            sound[44..].chunks_exact(2).any(|s| i16::from_le_bytes([s[0], s[1]]).unsigned_abs() > 3_000),
            "{language} is silent"
        );
    }
}
