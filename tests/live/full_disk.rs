//! A disk that is full, a record that is locked: calls go on, somebody is told within a second, nothing is lost and
//! nothing is written twice. The limit is a real one: the process may make no file longer than so many blocks.
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hotline::replay::{PhoneEvent, Voice};
use sqlx::Connection as _;

use crate::binary::{Home, connection};
use crate::house::{House, SOON, runtime};
use crate::web::{get, until};

fn alarms(http: std::net::SocketAddr) -> Vec<String> {
    let status = get(http, "/api/v1/status").json();
    let alarms = status["alarms"].as_array().cloned().unwrap_or_default();
    alarms.iter().filter_map(|a| a.as_str().map(str::to_owned)).collect()
}

#[test]
fn a_record_locked_for_five_seconds_is_an_alarm_within_one_and_stalls_nobody() {
    let house = House::open("");
    let database = house.folder.join("store/hotline.db");
    runtime().block_on(async {
        let first = house.caller("138000", "95188", Voice::Silence).await;
        until("the first row", || get(house.http, "/api/v1/calls").json()[0]["id"].as_u64()).await;
        let mut conn = connection(&database).await;
        let lock = conn.begin_with("BEGIN EXCLUSIVE").await.unwrap();
        let mut callers = vec![house.caller("139000", "95188", Voice::Silence).await];
        // From here on there is something that cannot be written.
        let since = Instant::now();
        until("an alarm", || alarms(house.http).contains(&"store".to_owned()).then_some(())).await;
        let alarmed = since.elapsed();
        println!("the alarm came {alarmed:?} after the first call that could not be written");
        assert!(alarmed < Duration::from_secs(5), "a second, on a machine that does nothing else");
        for n in 1..5 {
            callers.push(house.caller(&format!("13900{n}"), "95188", Voice::Silence).await);
        }
        let text = get(house.http, "/metrics").body;
        assert!(text.contains("hotline_alarm{what=\"store\"} 1"), "{text}");
        // Their ends are answered although the record is locked: it is the journal that has them.
        for caller in &mut callers {
            caller.hang_up().await.unwrap();
            caller.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(5).saturating_sub(since.elapsed())).await;
        lock.rollback().await.unwrap();
        for n in 0..5 {
            let path = format!("/api/v1/calls?caller=13900{n}");
            let rows = until("the row", || {
                let rows = get(house.http, &path).json();
                (rows[0]["cause"] == "hung_up").then_some(rows)
            })
            .await;
            let mine = rows.as_array().unwrap().iter().filter(|r| r["cause"] == "hung_up").count();
            assert_eq!(mine, 1, "{rows}");
        }
        until("the end of the alarm", || alarms(house.http).is_empty().then_some(())).await;
        drop(first);
    });
}

/// The server under a limit on the length of its files, which can be lifted.
struct Limited(Child);

impl Limited {
    /// `blocks` of 512 or 1,024 bytes, as the shell counts; the signal for it is ignored, so that writing fails.
    fn serve(home: &Home, blocks: u32) -> Self {
        let program = env!("CARGO_BIN_EXE_hotline");
        let printed = std::fs::File::create(home.folder.join("printed")).unwrap();
        let errors = std::fs::File::create(home.folder.join("errors")).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("trap '' XFSZ; ulimit -S -f {blocks}; exec {program}")]);
        shell.current_dir(&home.folder).stdin(Stdio::null()).stdout(printed).stderr(errors).process_group(0);
        let limited = Self(shell.spawn().unwrap());
        let end = Instant::now() + 3 * SOON;
        loop {
            let text = std::fs::read_to_string(home.folder.join("printed")).unwrap();
            if text.contains("\nCtrl-C ") {
                return limited;
            }
            let errors = std::fs::read_to_string(home.folder.join("errors")).unwrap();
            assert!(Instant::now() < end, "not ready: {text} {errors}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn lift(&self) {
        let pid = self.0.id().to_string();
        let done = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_full_disk_ends_no_call_and_all_is_written_when_there_is_room() {
    let home = Home::new();
    // The files that a first start makes are longer than the limit may be.
    drop(home.serve());
    let server = Limited::serve(&home, 128);
    runtime().block_on(async {
        let mut names = Vec::new();
        let mut told = false;
        for n in 0..150 {
            let name = format!("139{n:04}");
            let mut caller = home.caller(&name).await;
            caller.press("1").await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            caller.hang_up().await.unwrap();
            caller.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
            names.push(name);
            told = !alarms(home.http).is_empty();
            if told && n >= 10 {
                break;
            }
        }
        assert!(told, "150 calls on a full disk, and no alarm");
        let on = alarms(home.http);
        println!("{} calls on a full disk; alarms {on:?}", names.len());
        server.lift();
        for name in &names {
            let rows = until(&format!("the row of {name}: {}", home.errors()), || {
                let rows = get(home.http, &format!("/api/v1/calls?caller={name}")).json();
                (rows[0]["cause"] == "hung_up").then_some(rows)
            })
            .await;
            assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
        }
        until("the end of the alarms", || alarms(home.http).is_empty().then_some(())).await;
    });
}

/// All files of a folder, with their lengths.
fn files(folder: &std::path::Path) -> Vec<(String, u64)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap());
    let mut all: Vec<_> = entries
        .map(|e| (e.file_name().to_string_lossy().into_owned(), e.metadata().unwrap().len()))
        .collect();
    all.sort();
    all
}

#[test]
fn on_a_full_disk_no_set_and_no_spoken_banner_is_taken_and_nothing_half_stays() {
    let home = Home::new();
    let long = home.folder.join("long.wav");
    std::fs::write(&long, crate::house::wav(900.0, 80_000)).unwrap();
    let text = std::fs::read_to_string(home.folder.join("hotline.toml")).unwrap();
    // 8 kHz in 16 bits: 160 kB, more than the limit. The command itself is under none.
    let speak = format!("ulimit -S -f unlimited; cp {} \"$FILE\" # \"$TEXT\"", long.display());
    std::fs::write(home.folder.join("hotline.toml"), format!("{text}[voice]\nspeak = '{speak}'\n")).unwrap();
    drop(home.serve());
    let next = home.folder.join("next");
    std::fs::create_dir_all(&next).unwrap();
    for entry in std::fs::read_dir("menus").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            std::fs::copy(&path, next.join(path.file_name().unwrap())).unwrap();
        }
    }
    let main = std::fs::read_to_string(next.join("main.toml")).unwrap();
    // A set of more than the limit, whatever the shipped one is.
    std::fs::write(next.join("main.toml"), format!("{main}\n# {}\n", "x".repeat(150_000))).unwrap();
    let server = Limited::serve(&home, 128);
    let holds = || get(home.http, "/api/v1/status").json()["menus"].as_str().unwrap().to_owned();
    let there = || home.folder.join("var/menus/current.json").exists().then_some(());
    runtime().block_on(until("the first set", there));
    let before =
        (holds(), files(&home.folder.join("var/menus")), files(&home.folder.join("var/menus/sounds")));
    let refused = home.run(&["install", "next"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be kept in the store, so it is not installed"), "{said}");
    let after =
        (holds(), files(&home.folder.join("var/menus")), files(&home.folder.join("var/menus/sounds")));
    assert_eq!(before, after);
    assert!(alarms(home.http).contains(&"menus_refused".to_owned()), "{:?}", alarms(home.http));

    let words = ["banner", "on", "--text", "Payments are down.", "--for", "2h"];
    let refused = home.run(&words);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be kept beside the store") && said.contains("nothing is put on"), "{said}");
    assert!(get(home.http, "/api/v1/status").json()["board"]["banner"].is_null());
    assert_eq!(files(&home.folder.join("var/banner")), []);
    // What has a recording needs no room.
    let said = home.says(&["banner", "on", "--prompt", "banner-fault", "--for", "2h"]);
    assert!(said.contains("banner-fault for all callers"), "{said}");

    server.lift();
    assert!(home.says(&words).contains("spoken for all callers"));
    let said = home.says(&["install", "next"]);
    assert!(said.contains("set 2 ("), "{said}");
    assert_ne!(holds(), before.0);
    let audit = home.says(&["audit"]);
    for (wanted, times) in [
        ("refused: the set cannot be kept", 1),
        ("cannot be kept beside the store", 1),
        ("menus install", 2),
        ("banner on", 3),
    ] {
        assert_eq!(audit.matches(wanted).count(), times, "{wanted}: {audit}");
    }
}

#[test]
fn a_set_that_holds_but_is_not_known_to_a_restart_is_an_alarm_until_it_is() {
    let house = House::open_set("", |s| s.look_every = Duration::from_millis(100));
    let current = house.folder.join("store/menus/current.new");
    let main = house.folder.join("menus/main.toml");
    runtime().block_on(async {
        until("the first set", || house.folder.join("store/menus/current.json").exists().then_some(())).await;
        // Nothing can be written where a folder is.
        std::fs::create_dir(&current).unwrap();
        let text = std::fs::read_to_string(&main).unwrap();
        std::fs::write(&main, format!("{text}\n# second\n")).unwrap();
        let end = Instant::now() + 9 * SOON;
        while !alarms(house.http).contains(&"menus_not_kept".to_owned()) {
            assert!(Instant::now() < end, "{:?}", alarms(house.http));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(
            get(house.http, "/api/v1/status").json()["menus_told"]["number"],
            2,
            "it holds all the same"
        );
        std::fs::remove_dir(&current).unwrap();
        until("the end of the alarm", || alarms(house.http).is_empty().then_some(())).await;
        let current = std::fs::read_to_string(house.folder.join("store/menus/current.json")).unwrap();
        assert!(current.contains("\"number\":2"), "{current}");
    });
}
