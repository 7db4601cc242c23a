//! A running server's inputs on a tape, played again: the same entries, facts and commands, and no secret on it.
use std::path::Path;
use std::process::Command;

use hotline::exchange::BannerWish;
use hotline::io::socket::{Answer, Question, ask};
use hotline::io::{Server, TapeSettings, tape_files};
use hotline::replay::{PhoneEvent, Voice};
use hotline::sim::{Playing, play_tape};

use crate::house::{House, SOON, runtime, scratch, settings};

fn text(folder: &Path) -> String {
    let files = tape_files(folder).unwrap();
    files.iter().map(|f| std::fs::read_to_string(f).unwrap()).collect()
}

fn play(text: &str) -> Playing {
    play_tape(text.lines().map(str::to_owned)).unwrap()
}

/// A call with a PIN and one to an agent.
async fn calls(house: &House) {
    let mut agent = house.agent("8002", Voice::Tone(700.0)).await;
    let first = house.caller("13800138000", "95188", Voice::Tone(400.0)).await;
    first.press("12739155#").await.unwrap();
    let second = house.caller("13800138001", "95188", Voice::Tone(410.0)).await;
    second.press("21").await.unwrap();
    agent.wait("a ring", SOON, |e| matches!(e, PhoneEvent::Rings(_))).await.unwrap();
    agent.answer().await.unwrap();
    agent.wait("the call", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    first.hang_up().await.unwrap();
    second.hang_up().await.unwrap();
    agent.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
}

/// Of a run in several parts any part leads to the whole; when the first is gone the rest is no tape, and it is said why. A run
/// that is longer than its room is cut off, raises an alarm, and can be played as far as it goes.
#[test]
fn a_tape_in_parts_is_played_from_any_and_one_without_its_beginning_says_why_it_cannot_be() {
    let tapes = scratch().join("tapes");
    let small = TapeSettings { folder: tapes.clone(), file_max: 3_000, total_max: 1 << 30 };
    let mut house = House::open_set("", |s| s.tape = Some(small));
    runtime().block_on(calls(&house));
    house.close();
    let files = tape_files(&tapes).unwrap();
    assert!(files.len() > 2, "{files:?}");
    let whole = text(&tapes);
    let simulate = |path: &Path| {
        let hotline = env!("CARGO_BIN_EXE_hotline");
        let done = Command::new(hotline).args(["simulate", "--inputs"]).arg(path).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    };
    let (code, said) = simulate(files.last().unwrap());
    assert!(code == Some(0) && said.contains("the same, to the last bit"), "{said}");
    let room: u64 = files.iter().map(|f| f.metadata().unwrap().len()).sum();
    std::fs::remove_file(&files[0]).unwrap();
    let (code, said) = simulate(files.last().unwrap());
    assert!(code == Some(2) && said.contains("-0001.jsonl is gone"), "{said}");

    // Twice the calls do not fit where these had fitted.
    let tapes = scratch().join("tapes");
    let full = TapeSettings { folder: tapes.clone(), file_max: 3_000, total_max: room };
    let mut house = House::open_set("", |s| s.tape = Some(full));
    runtime().block_on(async {
        calls(&house).await;
        calls(&house).await;
        let metrics = house.get("/metrics").await;
        assert!(metrics.contains("hotline_alarm{what=\"tape\"} 1"), "{metrics}");
        assert_eq!(house.status().await["alarms"], serde_json::json!(["tape"]));
    });
    house.close();
    let (code, said) = simulate(&tapes);
    assert!(code == Some(0) && said.contains("ends before the server did"), "{said}");

    // Wherever a kill cuts a tape, the rest of it is the same; where the server ended in order, nothing may be missing.
    let lines: Vec<&str> = whole.lines().collect();
    for end in (2..lines.len()).step_by(7).chain([lines.len() - 1]) {
        let playing = play(&lines[..end].join("\n"));
        assert_eq!((playing.difference, playing.whole), (None, false), "cut after line {end}");
    }
    assert!(play(&whole).whole);
    let last = lines.iter().rposition(|line| line.contains("\"hangup\"")).unwrap();
    let shorter: Vec<&str> = (0..).zip(&lines).filter(|(n, _)| *n != last).map(|(_, line)| *line).collect();
    assert!(play(&shorter.join("\n")).difference.is_some(), "a command is missing, and nobody was killed");
}

#[test]
fn a_taped_server_does_the_same_again_bit_for_bit_also_after_a_restart() {
    let tapes = scratch().join("tapes");
    let mut house = House::open_set("", |s| s.tape = Some(TapeSettings::into_folder(tapes.clone())));
    runtime().block_on(async {
        calls(&house).await;
        let metrics = house.get("/metrics").await;
        let lines = metrics.lines().find_map(|l| l.strip_prefix("hotline_tape_lines_total ")).unwrap();
        assert!(lines.parse::<f64>().unwrap() > 20.0, "{metrics}");
    });
    house.close();
    let first = text(&tapes);
    let playing = play(&first);
    println!("{playing}");
    assert_eq!(playing.difference, None, "{playing}");
    assert!(playing.inputs > 15 && playing.commands > 12, "{playing}");
    assert!(!first.contains("739155") && first.contains("secret_digit"), "a secret is on the tape");

    // The next run goes on from the ledger of the first.
    std::fs::remove_dir_all(&tapes).unwrap();
    let mut again = settings(&house.folder, "");
    again.tape = Some(TapeSettings::into_folder(tapes.clone()));
    let server = Server::start(again).unwrap();
    (house.sip, house.http) = (server.addresses.sip[0], server.addresses.http);
    house.server = Some(server);
    runtime().block_on(calls(&house));
    house.close();
    let second = text(&tapes);
    let playing = play(&second);
    assert_eq!(playing.difference, None, "{playing}");
    assert!(second.contains("restarted"));

    // One other answer, and the playing says where.
    let forged = second.replacen("\"hung_up\"", "\"peer_lost\"", 1);
    assert!(play(&forged).difference.is_some());

    // The same by the command line, on the folder.
    let hotline = env!("CARGO_BIN_EXE_hotline");
    let done = Command::new(hotline).args(["simulate", "--inputs"]).arg(&tapes).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && said.contains("the same, to the last bit"), "{said}");
}

#[test]
fn a_tape_that_runs_across_an_install_of_menus_and_a_banner_does_the_same_again() {
    let tapes = scratch().join("tapes");
    let house = House::open_set("", |s| {
        s.tape = Some(TapeSettings::into_folder(tapes.clone()));
        s.look_every = std::time::Duration::from_millis(100);
    });
    let mut house = house;
    runtime().block_on(async {
        calls(&house).await;
        let inside = house.caller("13800138002", "95188", Voice::Tone(420.0)).await;
        // Who waits is asked for another key from now on.
        let queues = house.folder.join("menus/queues.toml");
        let text = std::fs::read_to_string(&queues).unwrap();
        let menus = house.folder.join("menus");
        std::fs::copy(menus.join("waiting-order.toml"), menus.join("waiting-two.toml")).unwrap();
        let moved = text.replacen("1 = \"waiting-order\"", "1 = \"waiting-two\"", 1);
        assert_ne!(moved, text);
        std::fs::write(&queues, moved).unwrap();
        let end = tokio::time::Instant::now() + 9 * SOON;
        while house.status().await["menus_told"]["number"] != 2 {
            assert!(tokio::time::Instant::now() < end, "{}", house.status().await["menus_told"]);
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let wish = BannerWish {
            prompt: Some("banner-fault".to_owned()),
            lasts: Some("2h".to_owned()),
            ..BannerWish::default()
        };
        let on = ask(&house.folder.join("store"), &Question::BannerOn(wish)).await.unwrap();
        assert!(matches!(on, Answer::Json(_)), "{on:?}");
        inside.press("01").await.unwrap();
        let outside = house.caller("13800138003", "95188", Voice::Tone(430.0)).await;
        outside.press("01").await.unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        for phone in [inside, outside] {
            phone.hang_up().await.unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    });
    house.close();
    let text = text(&tapes);
    for wanted in ["{\"menus\":", "installed", "banner_on", "waiting-two"] {
        assert!(text.contains(wanted), "{wanted}");
    }
    let playing = play(&text);
    println!("{playing}");
    assert_eq!(playing.difference, None, "{playing}");
    let done = Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(["simulate", "--inputs"])
        .arg(&tapes)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && said.contains("the same, to the last bit"), "{said}");
    // Without the set that was installed nobody can tell what happened then.
    let lost = text.lines().filter(|l| !l.starts_with("{\"menus\":")).map(str::to_owned);
    assert!(play_tape(lost).unwrap_err().to_string().contains("are not on the tape"));
}
