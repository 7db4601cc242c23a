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
