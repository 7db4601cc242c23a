//! Menus that change while calls run: what holds for whom, what is refused, what is kept, who may, and that nobody hears
//! anything of it.
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hotline::io::{Right, SecretPlace, TokenPlace, TokenSettings};
use hotline::replay::load::{LoadSettings, Scenario, play};
use hotline::replay::{PhoneEvent, Voice};
use serde_json::{Value, json};

use crate::binary::Home;
use crate::house::{House, SOON, runtime, scratch, wav};
use crate::web::{Reply, get, post, send, until};

/// Checking a set takes a while on a busy machine and without optimisation.
const CHECKED: Duration = Duration::from_mins(3);
const TOKEN: &str = "correct-horse-battery";

/// A house whose folders are looked at often, and where Lele may change menus and a guest may read.
fn house() -> House {
    house_with(|_| {})
}

fn house_with(edit: impl FnOnce(&Path)) -> House {
    let place = scratch().join("token");
    fs::write(&place, TOKEN).unwrap();
    let guest = scratch().join("token");
    fs::write(&guest, "the-guest-s-own-token").unwrap();
    let token = |name: &str, place, may: &[Right]| TokenSettings {
        name: name.to_owned(),
        place: TokenPlace::Secret(SecretPlace::File(place)),
        may: may.iter().copied().collect(),
    };
    House::open_edited("", edit, |s| {
        s.look_every = Duration::from_millis(100);
        s.http.tokens =
            vec![token("lele", place, &[Right::Read, Right::Menus]), token("guest", guest, &[Right::Read])];
    })
}

fn headers(at: SocketAddr, token: &str) -> [String; 2] {
    [format!("Host: {at}"), format!("Authorization: Bearer {token}")]
}

fn ask(house: &House, path: &str) -> Value {
    let [host, token] = headers(house.http, TOKEN);
    send(house.http, "GET", path, &[&host, &token]).json()
}

fn tell(house: &House, token: &str, path: &str, body: &str) -> Reply {
    let [host, token] = headers(house.http, token);
    post(house.http, path, &[&host, &token, "Content-Type: application/json"], body)
}

/// A metric that counts whole things.
fn assert_counted(house: &House, name: &str, wanted: f64) {
    let is = metric(house, name);
    assert!((is - wanted).abs() < 0.5, "{name} is {is}, not {wanted}");
}

fn metric(house: &House, name: &str) -> f64 {
    let [host, token] = headers(house.http, TOKEN);
    let text = send(house.http, "GET", "/metrics", &[&host, &token]).body;
    let line =
        text.lines().find(|l| l.starts_with(&format!("{name} "))).unwrap_or_else(|| panic!("{name}: {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Waits until the status is as wanted.
fn until_status<T>(house: &House, what: &str, wanted: impl Fn(&Value) -> Option<T>) -> T {
    let end = Instant::now() + CHECKED;
    loop {
        let status = ask(house, "/api/v1/status");
        if let Some(found) = wanted(&status) {
            return found;
        }
        assert!(Instant::now() < end, "waited {CHECKED:?} for {what}: {}", status["menus_told"]);
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The same while phones of this thread go on.
async fn eventually<T>(house: &House, what: &str, wanted: impl Fn(&Value) -> Option<T>) -> T {
    let end = Instant::now() + CHECKED;
    loop {
        let status = ask(house, "/api/v1/status");
        if let Some(found) = wanted(&status) {
            return found;
        }
        assert!(Instant::now() < end, "waited {CHECKED:?} for {what}: {}", status["board"]["calls"]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the set with this number holds; its revision.
fn holds(house: &House, number: u64) -> String {
    until_status(house, "a set", |s| {
        (s["menus_told"]["number"] == number).then(|| s["menus"].as_str().unwrap().to_owned())
    })
}

/// Waits until a set was refused for a reason with these words, and says that the one before holds.
fn refused(house: &House, words: &str) {
    until_status(house, words, |s| {
        let why =
            s["menus_told"]["refused"]["why"].as_array()?.iter().any(|w| w.as_str().unwrap().contains(words));
        (why && s["alarms"].as_array()?.iter().any(|a| a == "menus_refused")).then_some(())
    });
}

fn mended(house: &House) {
    until_status(house, "the end of the alarm", |s| s["menus_told"]["refused"].is_null().then_some(()));
}

/// The same while phones of this thread go on.
async fn holds_soon(house: &House, number: u64) -> String {
    let told =
        |s: &Value| (s["menus_told"]["number"] == number).then(|| s["menus"].as_str().unwrap().to_owned());
    eventually(house, "a set", told).await
}

/// Key 1 of those who wait leads to another menu, which says the same.
fn move_the_key(menus: &Path) {
    fs::copy(menus.join("waiting-order.toml"), menus.join("waiting-two.toml")).unwrap();
    let queues = fs::read_to_string(menus.join("queues.toml")).unwrap();
    let moved =
        queues.replacen("keys     = { 1 = \"waiting-order\" }", "keys     = { 1 = \"waiting-two\" }", 1);
    assert_ne!(moved, queues);
    fs::write(menus.join("queues.toml"), moved).unwrap();
}

fn texts(menus: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(menus).unwrap().map(|e| e.unwrap().path());
    files
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&p).unwrap()))
        .collect()
}

#[test]
fn a_saved_file_holds_for_calls_that_begin_now_and_those_inside_keep_what_they_entered() {
    let mut house = house();
    let first = holds(&house, 1);
    runtime().block_on(async {
        let mut inside = house.caller("13800138000", "95188", Voice::Silence).await;
        inside.press("0").await.unwrap();
        eventually(&house, "the caller in line", |s| {
            (s["board"]["calls"][0]["queue"] == "general").then_some(())
        })
        .await;
        let decoded = metric(&house, "hotline_menus_parts_total{what=\"sounds_decoded\"}");
        move_the_key(&house.folder.join("menus"));
        let second = holds_soon(&house, 2).await;
        assert_ne!(first, second);
        // One file changed and one is new: no sound is decoded again, and all other menus are the same in memory.
        assert_counted(&house, "hotline_menus_parts_total{what=\"sounds_decoded\"}", decoded);
        assert_counted(&house, "hotline_menus_parts_total{what=\"menus_new\"}", 1.0);
        assert!(metric(&house, "hotline_menus_parts_total{what=\"menus_shared\"}") > 10.0);
        assert!(metric(&house, "hotline_menus_held") >= 2.0);
        let took = metric(&house, "hotline_install_seconds{quantile=\"1\"}");
        println!("installing took {took} s of the control thread");
        assert!(took > 0.0 && took < 0.5, "{took}");
        let mut outside = house.caller("13900139000", "95188", Voice::Silence).await;
        outside.press("0").await.unwrap();
        eventually(&house, "both in line", |s| {
            let calls = s["board"]["calls"].as_array().unwrap();
            (calls.len() == 2 && calls.iter().all(|c| c["queue"] == "general")).then_some(())
        })
        .await;
        for phone in [&inside, &outside] {
            phone.press("1").await.unwrap();
        }
        for (caller, revision, menu) in
            [("13800138000", &first, "waiting-order"), ("13900139000", &second, "waiting-two")]
        {
            eventually(&house, menu, |s| {
                let calls = s["board"]["calls"].as_array().unwrap();
                calls.iter().any(|c| c["caller"] == caller && c["menu"] == menu).then_some(())
            })
            .await;
            let rows = ask(&house, &format!("/api/v1/calls?caller={caller}"));
            assert_eq!(rows[0]["menus"].as_str().unwrap(), revision, "{rows}");
        }
        for phone in [&mut inside, &mut outside] {
            phone.hang_up().await.unwrap();
            phone.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        }
        // Nobody keeps the first set any more.
        let end = Instant::now() + SOON;
        while metric(&house, "hotline_menus_held") > 1.0 {
            assert!(Instant::now() < end);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    house.close();
}

#[test]
fn a_set_with_mistakes_is_refused_and_told_and_mended_by_the_next_save() {
    let house = house();
    let first = holds(&house, 1);
    let main = house.folder.join("menus/main.toml");
    let good = fs::read_to_string(&main).unwrap();
    fs::write(&main, good.replace("\"loans\"", "\"laons\"")).unwrap();
    refused(&house, "main.toml:");
    let status = ask(&house, "/api/v1/status");
    assert_eq!(status["menus"].as_str().unwrap(), first);
    assert_counted(&house, "hotline_alarm{what=\"menus_refused\"}", 1.0);
    assert!(get(house.http, "/page.js").body.contains("menus_refused"));
    // A start begins with the set that held last, and says so.
    let mut house = house;
    house.restart();
    assert_eq!(house.server.as_ref().unwrap().menus.revision, first);
    assert!(house.server.as_ref().unwrap().warnings.contains("which held last, holds"));
    fs::write(&main, good).unwrap();
    house.restart();
    assert_eq!(house.server.as_ref().unwrap().menus.revision, first);
    assert!(!house.server.as_ref().unwrap().warnings.contains("holds"));
}

#[test]
fn the_api_checks_installs_and_rolls_back_and_says_who_did_it() {
    let mut house = house();
    let first = holds(&house, 1);
    let menus = house.folder.join("menus");
    let mut files = texts(&menus);
    let body = |files: &BTreeMap<String, String>| json!({ "menus": files }).to_string();
    // Only who may.
    assert_eq!(tell(&house, "the-guest-s-own-token", "/api/v1/menus", &body(&files)).status, 403);
    assert_eq!(tell(&house, "nobody-s-own-token", "/api/v1/menus", &body(&files)).status, 401);
    // Only what is a set.
    for (path, sent, status) in [
        ("/api/v1/menus", "{", 400),
        ("/api/v1/menus", "{\"menus\": 3}", 400),
        ("/api/v1/menus", "{\"menus\": {\"../main.toml\": \"\"}}", 400),
        ("/api/v1/menus", "{\"menus\": {}}", 400),
        ("/api/v1/menus/rollback", "{\"to\": \"nothing\"}", 404),
        ("/api/v1/menus/rollback", "{}", 409),
    ] {
        let reply = tell(&house, TOKEN, path, sent);
        assert_eq!(reply.status, status, "{path} {sent}: {reply:?}");
        assert!(!reply.json()["error"].as_str().unwrap().is_empty());
    }
    // One byte too many: all of it is read, and nothing is left to reset the connection for.
    let huge = "x".repeat((8 << 20) + 1);
    assert_eq!(tell(&house, TOKEN, "/api/v1/menus", &huge).status, 413);
    // Mistakes are those of `hotline check --json`.
    let good = files["main.toml"].clone();
    files.insert("main.toml".to_owned(), good.replace("\"loans\"", "\"laons\""));
    for path in ["/api/v1/menus/validate", "/api/v1/menus"] {
        let reply = tell(&house, TOKEN, path, &body(&files));
        assert_eq!(reply.status, 400, "{reply:?}");
        let found = &reply.json()["diagnostics"][0];
        assert_eq!((&found["code"], &found["file"]), (&"HL0201".into(), &"main.toml".into()), "{found}");
    }
    // A good set is checked, then installed.
    files.insert("main.toml".to_owned(), format!("{good}\n# another word\n"));
    assert_eq!(tell(&house, TOKEN, "/api/v1/menus/validate", &body(&files)).status, 200);
    assert_eq!(ask(&house, "/api/v1/status")["menus"].as_str().unwrap(), first);
    let reply = tell(&house, TOKEN, "/api/v1/menus", &body(&files));
    assert_eq!((reply.status, &reply.json()["changed"][0]), (200, &"main.toml changed".into()), "{reply:?}");
    let second = reply.json()["revision"].as_str().unwrap().to_owned();
    assert_eq!(ask(&house, "/api/v1/status")["menus"].as_str().unwrap(), second);
    assert_eq!(tell(&house, TOKEN, "/api/v1/menus", &body(&files)).json()["unchanged"], true);
    let stale = json!({ "menus": files, "base": first }).to_string();
    assert_eq!(tell(&house, TOKEN, "/api/v1/menus", &stale).status, 409);
    // What was sent holds after a restart too: the files are what they were. One command takes it back.
    house.restart();
    assert_eq!(house.server.as_ref().unwrap().menus.revision, second);
    assert!(house.server.as_ref().unwrap().warnings.contains("the files hold another one"));
    house.close();
    // The record of it all, as it is on disk.
    let path = house.folder.join("store/hotline.db");
    let rows = runtime()
        .block_on(async { hotline::io::Store::open(&path).await.unwrap().audit(None, 100).await.unwrap() });
    let said: Vec<String> =
        rows.iter().rev().map(|r| format!("{} {} {}: {}", r.who, r.from, r.what, r.outcome)).collect();
    for wanted in [
        "guest 127.0.0.1 POST /api/v1/menus: forbidden",
        "lele 127.0.0.1 menus roll back: refused: no set \"nothing\" is kept",
        "lele 127.0.0.1 menus install: done",
        "lele 127.0.0.1 menus install: it held already",
    ] {
        assert!(said.iter().any(|line| line == wanted), "{wanted}: {said:#?}");
    }
    assert!(said.iter().all(|line| !line.contains(TOKEN)));
}

#[test]
fn what_was_rolled_back_holds_until_the_files_change() {
    let house = house();
    let first = holds(&house, 1);
    let main = house.folder.join("menus/main.toml");
    let text = fs::read_to_string(&main).unwrap();
    fs::write(&main, format!("{text}\n# second\n")).unwrap();
    let second = holds(&house, 2);
    let reply = tell(&house, TOKEN, "/api/v1/menus/rollback", "{}");
    assert_eq!((reply.status, &reply.json()["revision"]), (200, &first.as_str().into()), "{reply:?}");
    let status = ask(&house, "/api/v1/status");
    assert_eq!((&status["menus"], &status["menus_told"]["apart"]), (&first.as_str().into(), &true.into()));
    // Saved again without another word: it stays.
    fs::write(&main, format!("{text}\n# second\n")).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(holds(&house, 1), first);
    let rows = ask(&house, "/api/v1/menus/revisions");
    let told = |n: usize| (rows[n]["number"].as_u64().unwrap(), rows[n]["holds"].as_bool().unwrap());
    assert_eq!((told(0), told(1)), ((2, false), (1, true)), "{rows}");
    assert_eq!(rows[0]["changed"], json!(["main.toml changed"]));
    // Forward again by name, then the files change.
    assert_eq!(
        tell(&house, TOKEN, "/api/v1/menus/rollback", &json!({ "to": second }).to_string()).status,
        200
    );
    assert_eq!(ask(&house, "/api/v1/status")["menus_told"]["apart"], false);
    assert_eq!(tell(&house, TOKEN, "/api/v1/menus/rollback", "{\"to\": \"1\"}").status, 200);
    fs::write(&main, format!("{text}\n# third\n")).unwrap();
    holds(&house, 3);
    assert_eq!(ask(&house, "/api/v1/status")["menus_told"]["apart"], false);
}

#[test]
fn whatever_is_done_to_the_folder_the_set_that_holds_stays() {
    let house = house();
    let first = holds(&house, 1);
    let menus = house.folder.join("menus");
    let store = house.folder.join("store/menus");
    let odd = menus.join("odd.toml");
    // What cannot be read: a symlink to nothing, a pipe, far too much, bytes that are no text.
    std::os::unix::fs::symlink("/nowhere/at/all", &odd).unwrap();
    refused(&house, "cannot read");
    fs::remove_file(&odd).unwrap();
    mended(&house);
    assert!(std::process::Command::new("mkfifo").arg(&odd).status().unwrap().success());
    refused(&house, "it is not a file");
    fs::remove_file(&odd).unwrap();
    mended(&house);
    fs::write(&odd, "#".repeat(10 << 20)).unwrap();
    refused(&house, "is larger than");
    fs::write(&odd, [0xff, 0xfe]).unwrap();
    refused(&house, "is not UTF-8");
    fs::remove_file(&odd).unwrap();
    mended(&house);
    // The folder goes and comes.
    fs::rename(&menus, house.folder.join("away")).unwrap();
    refused(&house, "cannot read");
    fs::rename(house.folder.join("away"), &menus).unwrap();
    mended(&house);
    // A file of it goes.
    let queues = fs::read(menus.join("queues.toml")).unwrap();
    fs::remove_file(menus.join("queues.toml")).unwrap();
    refused(&house, "there is no queues.toml");
    fs::write(menus.join("queues.toml"), queues).unwrap();
    mended(&house);
    assert_eq!(holds(&house, 1), first);
    // The store does not take it: then it is not installed.
    fs::rename(&store, house.folder.join("kept")).unwrap();
    fs::write(&store, "no folder").unwrap();
    let main = menus.join("main.toml");
    let text = fs::read_to_string(&main).unwrap();
    fs::write(&main, format!("{text}\n# not kept\n")).unwrap();
    refused(&house, "cannot be kept in the store");
    assert_eq!(ask(&house, "/api/v1/status")["menus"].as_str().unwrap(), first);
    fs::remove_file(&store).unwrap();
    fs::rename(house.folder.join("kept"), &store).unwrap();
    // Fifty saves in a second are one change, or a few; the last one holds.
    let before = metric(&house, "hotline_menus_total{what=\"installed\"}");
    for n in 0..50 {
        fs::write(&main, format!("{text}\n# save {n}\n")).unwrap();
        std::thread::sleep(Duration::from_millis(15));
    }
    let wanted = format!("{text}\n# save 49\n");
    until_status(&house, "the last save", |_| {
        let current: Value = serde_json::from_slice(&fs::read(store.join("current.json")).ok()?).ok()?;
        let set: Value =
            serde_json::from_slice(&fs::read(store.join(format!("{}.json", current["number"]))).ok()?)
                .ok()?;
        (set["menus"]["main.toml"] == wanted).then_some(())
    });
    let installs = metric(&house, "hotline_menus_total{what=\"installed\"}") - before;
    assert!((1.0..=10.0).contains(&installs), "{installs}");
}

#[test]
fn a_recording_that_is_replaced_is_heard_by_calls_that_begin_now() {
    let house = house();
    holds(&house, 1);
    let decoded = metric(&house, "hotline_menus_parts_total{what=\"sounds_decoded\"}");
    runtime().block_on(async {
        let inside = house.caller("13800138000", "95188", Voice::Silence).await;
        inside.press("0").await.unwrap();
        crate::house::hears("who waits", &inside, &[crate::house::MUSIC_HZ], &[900.0]).await;
        fs::write(house.folder.join("audio/music/music.wav"), wav(900.0, 16_000)).unwrap();
        holds_soon(&house, 2).await;
        assert_counted(&house, "hotline_menus_parts_total{what=\"sounds_decoded\"}", decoded + 1.0);
        let outside = house.caller("13900139000", "95188", Voice::Silence).await;
        outside.press("0").await.unwrap();
        crate::house::hears("who came later", &outside, &[900.0], &[crate::house::MUSIC_HZ]).await;
        crate::house::hears("who waits", &inside, &[crate::house::MUSIC_HZ], &[900.0]).await;
    });
    // The old music is kept with its set.
    assert_eq!(tell(&house, TOKEN, "/api/v1/menus/rollback", "{}").status, 200);
    runtime().block_on(async {
        let back = house.caller("13700137000", "95188", Voice::Silence).await;
        back.press("0").await.unwrap();
        crate::house::hears("who came last", &back, &[crate::house::MUSIC_HZ], &[900.0]).await;
    });
}

/// A number straight into a queue with music.
fn crowd(menus: &Path) {
    let add = |name: &str, text: &str| {
        let path = menus.join(name);
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, before + text).unwrap();
    };
    add("numbers.toml", "\n[1000]\nmenu = \"crowd\"\n");
    add("crowd.toml", "say = \"account-short\"\nthen = \"queue general\"\n");
}

#[test]
fn forty_callers_hear_nothing_of_ten_reloads() {
    const CALLS: usize = 40;
    const RELOADS: u64 = 10;
    let house = house_with(crowd);
    holds(&house, 1);
    let main = house.folder.join("menus/main.toml");
    let text = fs::read_to_string(&main).unwrap();
    fs::write(&main, format!("{text}\n# second\n")).unwrap();
    holds(&house, 2);
    let SocketAddr::V4(server) = house.sip else { panic!("{}", house.sip) };
    let settings = LoadSettings {
        server,
        at: [127, 0, 0, 2].into(),
        port: 0,
        scenario: Scenario::Callers,
        number: "1000".to_owned(),
        size: CALLS,
        rate: 20.0,
        hold: Duration::from_secs(15),
        agents: Vec::new(),
        sign_in: "*81".to_owned(),
        invite_keys: "*21#".to_owned(),
        join_keys: "*3".to_owned(),
        pid: None,
        server_ports: (16_384, 32_767),
        timed: 0,
        seed: 1,
    };
    let over = AtomicBool::new(false);
    let (report, done) = std::thread::scope(|scope| {
        let reloads = scope.spawn(|| {
            let mut done = 0;
            while !over.load(Ordering::Relaxed) {
                let to = json!({ "to": (1 + done % 2).to_string() }).to_string();
                assert_eq!(tell(&house, TOKEN, "/api/v1/menus/rollback", &to).status, 200);
                done += 1;
                std::thread::sleep(Duration::from_millis(300));
            }
            done
        });
        let report = play(settings, |_| {}).unwrap_or_else(|e| panic!("{e}"));
        over.store(true, Ordering::Relaxed);
        (report, reloads.join().unwrap())
    });
    println!("{done} reloads\n{report}");
    assert!(done >= RELOADS, "{done}");
    assert_eq!((report.good, report.refused, report.failed), (CALLS, 0, 0), "{report}");
    let dropped = report.dropped_at_tool + report.dropped_at_server;
    assert!(report.lost <= dropped, "{report}");
    assert_eq!((report.ears_right, report.ears_wrong), (CALLS, 0), "{report}");
    let took = metric(&house, "hotline_install_seconds{quantile=\"1\"}");
    println!("the longest install took {took} s of the control thread");
}

#[test]
fn a_kill_at_any_moment_leaves_what_was_installed_and_the_commands_show_it() {
    let home = Home::new();
    let (server, _) = home.serve();
    // Killed between the first set and the note that it holds: it stays the only one.
    let current = home.folder.join("var/menus/current.json");
    runtime().block_on(until("the first set", || current.exists().then_some(())));
    server.kill();
    fs::remove_file(&current).unwrap();
    let (server, _) = home.serve();
    runtime().block_on(until("the first set again", || current.exists().then_some(())));
    let menus = home.folder.join("next");
    fs::create_dir_all(&menus).unwrap();
    for entry in fs::read_dir("menus").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            fs::copy(&path, menus.join(path.file_name().unwrap())).unwrap();
        }
    }
    let main = menus.join("main.toml");
    let text = fs::read_to_string(&main).unwrap();
    fs::write(&main, format!("{text}\n# another word\n")).unwrap();
    let said = home.says(&["install", "next"]);
    assert!(said.contains("set 2 (") && said.contains("main.toml changed"), "{said}");
    let second = get(home.http, "/api/v1/status").json()["menus"].as_str().unwrap().to_owned();
    // Without a token nobody changes anything over HTTP.
    let reply = post(home.http, "/api/v1/menus/rollback", &[&format!("Host: {}", home.http)], "");
    assert_eq!(reply.status, 403, "{reply:?}");
    server.kill();
    let (server, _) = home.serve();
    assert_eq!(get(home.http, "/api/v1/status").json()["menus"].as_str().unwrap(), second);
    assert!(home.errors().contains("the files hold another one"), "{}", home.errors());
    fs::write(&main, format!("{text}\nnonsense = \"main\"\n")).unwrap();
    let refused = home.run(&["install", "next"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(said.contains("main.toml:") && said.contains("HL0309"), "{said}");
    let said = home.says(&["revisions"]);
    assert!(said.contains("holds; the files hold another one") && said.contains("refused"), "{said}");
    let said = home.says(&["rollback"]);
    assert!(said.contains("set 1 ("), "{said}");
    server.kill();
    let (_server, _) = home.serve();
    assert_ne!(get(home.http, "/api/v1/status").json()["menus"].as_str().unwrap(), second);
    let audit = home.says(&["audit"]);
    for wanted in ["menus install", "menus roll back", "refused: main.toml", "here", "done", "forbidden"] {
        assert!(audit.contains(wanted), "{wanted}: {audit}");
    }
}

/// The audit about menus, the oldest first: who, what, outcome.
fn audit(home: &Home) -> Vec<String> {
    let rows: Value = serde_json::from_str(&home.says(&["audit", "--json"])).unwrap();
    let row = |r: &Value| format!("{} {}: {}", field(r, "who"), field(r, "what"), field(r, "outcome"));
    rows.as_array().unwrap().iter().rev().map(row).filter(|line| line.contains(" menus ")).collect()
}

fn field(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_default().to_owned()
}

/// A program whose menus are in a folder that nobody looks at: by hand alone anything is installed.
fn by_hand() -> Home {
    let home = Home::new();
    let menus = home.folder.join("menus");
    fs::create_dir_all(&menus).unwrap();
    for (name, text) in texts(Path::new("menus")) {
        fs::write(menus.join(name), text).unwrap();
    }
    let path = home.folder.join("hotline.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{text}[files]\nmenus = \"menus\"\nlook = \"0s\"\n")).unwrap();
    home
}

/// Waits for so many rows of the audit.
fn audited(home: &Home, rows: usize) -> Vec<String> {
    let end = Instant::now() + CHECKED;
    loop {
        let lines = audit(home);
        if lines.len() >= rows {
            return lines;
        }
        assert!(Instant::now() < end, "waited {CHECKED:?} for {rows} rows: {lines:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn sighup_installs_what_the_files_hold_and_each_leaves_one_row_in_the_audit() {
    let home = by_hand();
    let (server, _) = home.serve();
    let holds = || get(home.http, "/api/v1/status").json()["menus"].as_str().unwrap().to_owned();
    let hang_up = || {
        let pid = nix::unistd::Pid::from_raw(server.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).unwrap();
    };
    let first = holds();
    let main = home.folder.join("menus/main.toml");
    let good = fs::read_to_string(&main).unwrap();
    hang_up();
    assert_eq!(audited(&home, 1), ["SIGHUP menus install: it held already"]);
    fs::write(&main, format!("{good}\n# another word\n")).unwrap();
    hang_up();
    assert_eq!(audited(&home, 2)[1], "SIGHUP menus install: done");
    let second = holds();
    assert_ne!(first, second);
    fs::write(&main, good.replace("\"loans\"", "\"laons\"")).unwrap();
    hang_up();
    let refused = audited(&home, 3)[2].clone();
    assert!(
        refused.starts_with("SIGHUP menus install: refused: ") && refused.contains("main.toml:"),
        "{refused}"
    );
    assert_eq!(holds(), second);
    fs::remove_file(&main).unwrap();
    std::os::unix::fs::symlink("/no/such/file.toml", &main).unwrap();
    hang_up();
    let refused = audited(&home, 4)[3].clone();
    assert!(refused.contains("refused: cannot read"), "{refused}");
    assert_eq!((holds(), audit(&home).len()), (second, 4));
}

#[test]
fn every_order_by_command_leaves_one_row_in_the_audit_also_when_it_fails() {
    let home = by_hand();
    let (_server, _) = home.serve();
    let main = home.folder.join("menus/main.toml");
    let good = fs::read_to_string(&main).unwrap();
    let me = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let orders: [(&str, &[&str], &str); 6] = [
        ("", &["rollback"], "menus roll back: refused: no set before this one is kept"),
        ("", &["rollback", "77"], "menus roll back: refused: no set \"77\" is kept"),
        ("", &["install"], "menus install: it held already"),
        ("second", &["install"], "menus install: done"),
        ("", &["rollback"], "menus roll back: done"),
        ("", &["rollback", "1"], "menus roll back: it held already"),
    ];
    for (n, (word, arguments, wanted)) in orders.iter().enumerate() {
        if !word.is_empty() {
            fs::write(&main, format!("{good}\n# {word}\n")).unwrap();
        }
        home.run(arguments);
        let rows = audited(&home, n + 1);
        assert_eq!(rows.len(), n + 1, "{rows:#?}");
        assert_eq!(rows[n], format!("{} {wanted}", me.trim()), "{rows:#?}");
    }
    // A kept set whose file was lost, and files that are being written while they are read.
    fs::remove_file(home.folder.join("var/menus/2.json")).unwrap();
    home.run(&["rollback", "2"]);
    let rows = audited(&home, 7);
    assert!(rows[6].contains("menus roll back: refused: set 2 cannot be read"), "{rows:#?}");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut n = 0;
            while !over.load(Ordering::Relaxed) {
                n += 1;
                fs::write(&main, format!("{good}\n# {n}\n")).unwrap();
            }
        });
        home.run(&["install"]);
        over.store(true, Ordering::Relaxed);
        writing.join().unwrap();
    });
    let rows = audited(&home, 8);
    assert!(rows.len() == 8 && rows[7].contains("menus install: "), "one, whatever was read: {rows:#?}");
}

#[test]
fn an_order_that_finds_the_workshop_busy_or_cannot_be_read_is_in_the_audit_too() {
    const ORDERS: usize = 14;
    let house = house();
    holds(&house, 1);
    let files = texts(&house.folder.join("menus"));
    let set = json!({ "menus": files }).to_string();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        // Checking takes a while; so many orders do not find room behind it.
        let checking = scope.spawn(|| tell(&house, TOKEN, "/api/v1/menus/validate", &set).status);
        std::thread::sleep(Duration::from_millis(100));
        let order = || tell(&house, TOKEN, "/api/v1/menus/rollback", "{\"to\": \"nothing\"}");
        let orders: Vec<_> = (0..ORDERS).map(|_| scope.spawn(order)).collect();
        let statuses = orders.into_iter().map(|o| o.join().unwrap().status).collect();
        assert_eq!(checking.join().unwrap(), 200);
        statuses
    });
    let busy = statuses.iter().filter(|s| **s == 503).count();
    println!("{busy} of {ORDERS} found no room: {statuses:?}");
    assert!(busy > 0 && statuses.iter().all(|s| [404, 503].contains(s)), "{statuses:?}");
    assert_eq!(tell(&house, TOKEN, "/api/v1/menus/rollback", "{\"two\": 1}").status, 400);
    let wanted = ORDERS + 1;
    let rows = until_status(&house, "the audit", |_| {
        let rows = ask(&house, "/api/v1/audit");
        let about = |r: &&Value| r["what"] == "menus roll back";
        let rows: Vec<String> = rows.as_array()?.iter().filter(about).map(|r| field(r, "outcome")).collect();
        (rows.len() >= wanted).then_some(rows)
    });
    let like = |words: &str| rows.iter().filter(|r| r.contains(words)).count();
    assert_eq!((rows.len(), like("refused: the server is busy")), (wanted, busy), "{rows:#?}");
    assert_eq!(like("no set \"nothing\" is kept"), ORDERS - busy, "{rows:#?}");
}
