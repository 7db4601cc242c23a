//! The commands of `hotline` as a person types them, against the real program.
use std::fs::File;
use std::process::{Child, Stdio};

use hotline::replay::{Phone, PhoneEvent, PhoneSettings, Voice};

use crate::binary::{Home, sql};
use crate::house::{MUSIC_HZ, SOON, hears, make_audio, runtime, wav};
use crate::web::{get, until};

#[test]
fn the_server_says_what_to_dial_who_answers_and_where_the_page_is() {
    let home = Home::new();
    let (_server, said) = home.serve();
    assert!(said.contains(&format!("Status page        http://{}/", home.http)), "{said}");
    assert!(said.contains(&format!("sip:95188@{}   -> menu main (zh)", home.sip)), "{said}");
    assert!(said.contains("*81 sign in") && said.contains("*841 pause (lunch)"), "{said}");
    let password = home.phone_of("8001", Voice::Silence).password.unwrap();
    let line = said.lines().find(|l| l.trim_start().starts_with("8001")).unwrap();
    assert!(password.len() >= 12 && line.contains(&password), "{line}");
    assert_eq!(get(home.http, "/healthz").status, 200);
}

#[test]
fn passwords_are_shown_at_the_first_start_only() {
    let home = Home::new();
    let (server, first) = home.serve();
    let password = home.phone_of("8001", Voice::Silence).password.unwrap();
    assert!(first.contains(&password));
    server.kill();
    let (_server, second) = home.serve();
    assert!(!second.contains(&password) && second.contains("made at an earlier start"), "{second}");
    assert_eq!(home.phone_of("8001", Voice::Silence).password.unwrap(), password);
}

#[test]
fn a_second_server_on_the_same_store_says_so_and_touches_nothing() {
    let home = Home::new();
    let (_server, _) = home.serve();
    runtime().block_on(async {
        let caller = home.caller("13800138000").await;
        until("the row", || get(home.http, "/api/v1/calls").json()[0]["id"].as_u64()).await;
        // Ports of its own: only the store is the same.
        std::fs::write(
            home.folder.join("second.toml"),
            "[sip]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n",
        )
        .unwrap();
        let second = home.run(&["serve", "--config", "second.toml"]);
        assert_eq!(second.status.code(), Some(1));
        // The log beside it depends on the machine: a low limit of open files is warned of.
        let errors = String::from_utf8_lossy(&second.stderr).into_owned();
        let said: Vec<&str> = errors.lines().filter(|line| line.starts_with("hotline:")).collect();
        insta::assert_snapshot!(
            said.join("\n"),
            @r#"hotline: another hotline runs on the store var; end it first, or give this one its own with `[store]` and `dir = "FOLDER"`"#
        );
        let row = get(home.http, "/api/v1/calls").json()[0].clone();
        assert!(row["cause"].is_null(), "the first one's call was closed: {row}");
        caller.hang_up().await.unwrap();
    });
    assert!(home.says(&["calls"]).contains("13800138000"), "the first one still answers");
}

#[test]
fn calls_a_story_and_a_ladder_are_printed_and_obey_nobody() {
    let home = Home::new();
    let (_server, _) = home.serve();
    assert_eq!(home.says(&["calls"]), "no call yet\n");
    runtime().block_on(async {
        let mut caller = home.caller("13800138000").await;
        caller.press("9").await.unwrap();
        until("the key", || (get(home.http, "/api/v1/calls").json()[0]["keys"] == "9").then_some(())).await;
        caller.hang_up().await.unwrap();
        caller.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        until("the end", || (get(home.http, "/api/v1/calls").json()[0]["cause"] == "hung_up").then_some(()))
            .await;
        // What a caller could never send, the record shows without harm all the same.
        sql(
            &home.database(),
            "UPDATE calls SET caller_name = char(27) || '[2J王' || char(10) || char(8238) || 'x'",
        )
        .await;
    });
    let id = get(home.http, "/api/v1/calls").json()[0]["id"].to_string();
    let table = home.says(&["calls"]);
    assert!(table.contains(r"13800138000 \u{1b}[2J王\u{a}"), "{table}");
    assert_eq!(table.lines().count(), 2, "{table}");
    let row = table.lines().nth(1).unwrap();
    assert!(row.contains("95188") && row.contains("hung_up"), "{row}");
    assert_eq!(home.says(&["calls", "--caller", "nobody"]), "no call yet\n");

    let story = home.says(&["calls", &id]);
    for kind in ["call_started", "menu_entered", "key_pressed", "language_chosen", "call_ended"] {
        assert!(story.contains(kind), "{kind} is not in\n{story}");
    }
    let ladder = home.says(&["ladder", &id]);
    assert!(ladder.contains("INVITE 1 (SDP)") && ladder.contains("BYE"), "{ladder}");
    for text in [table, story, ladder] {
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    }
    let json: serde_json::Value = serde_json::from_str(&home.says(&["calls", "--json"])).unwrap();
    assert_eq!(json[0]["keys"], "9");

    for (arguments, why) in [
        (["calls", "99999"], "hotline: no call 99999 in the record"),
        (["ladder", "99999"], "hotline: no SIP of call 99999 is kept"),
    ] {
        let output = home.run(&arguments);
        assert_eq!(output.status.code(), Some(1));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(errors.starts_with(why), "{errors}");
    }
}

#[test]
fn commands_without_a_server_say_what_is_missing() {
    let home = Home::new();
    for arguments in [&["calls"][..], &["ladder", "1"]] {
        let output = home.run(arguments);
        assert_eq!(output.status.code(), Some(1));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            errors.contains("no hotline answers at var/hotline.sock") && errors.contains("is it running?"),
            "{errors}"
        );
    }
    let robots = home.run(&["robots"]);
    assert!(String::from_utf8_lossy(&robots.stderr).contains("start `hotline` first"));
    assert!(!home.folder.join("var").exists(), "the robots made a password");
}

#[test]
fn a_wrong_settings_file_is_told_whole_with_its_lines_and_nothing_starts() {
    let home = Home::new();
    let text = "[sip]\nlisten = \"everywhere\"\ndigst = \"MD5\"\n\n[http]\nlisten = \"0.0.0.0:80\"\n\n\
                [trunks.merchants]\naddress = \"192.0.2.1:5060\"\nuser = \"hotline\"\npassword = \"hush\"\n";
    std::fs::write(home.folder.join("hotline.toml"), text).unwrap();
    let output = home.run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @r#"
    [HL0105] Error: `everywhere` is not an address with a port
       ╭─[ hotline.toml:2:10 ]
       │
     2 │ listen = "everywhere"
       │          ──────┬─────
       │                ╰─────── here
       │
       │ Help: write "0.0.0.0:5060" or "[::]:5060"
    ───╯

    [HL0102] Error: [sip] of the settings has no `digst`
       ╭─[ hotline.toml:3:1 ]
       │
     3 │ digst = "MD5"
       │ ──┬──
       │   ╰──── did you mean `digest`?
    ───╯

    [HL0104] Error: HTTP stays on loopback until it has a token
       ╭─[ hotline.toml:6:10 ]
       │
     6 │ listen = "0.0.0.0:80"
       │          ──────┬─────
       │                ╰─────── here
       │
       │ Help: write token_file = "PATH" or token_env = "NAME" beside `listen`; a token has 12 characters or more
    ───╯

    [HL0104] Error: the trunk merchants needs both a user and a password, or neither
       ╭─[ hotline.toml:8:9 ]
       │
     8 │ [trunks.merchants]
       │         ────┬────
       │             ╰────── here
    ───╯

    [HL0102] Error: the trunk merchants has no `password`
        ╭─[ hotline.toml:11:1 ]
        │
     11 │ password = "hush"
        │ ────┬───
        │     ╰───── here
        │
        │ Help: it may have: address, calls_in, calls_out, calls_per_second, down_after, expires, health, host, listener, number, password_env, password_file, patience, permit, permit_per_hour, register, transport, trusted, user
    ────╯

    nothing is started
    "#);
    assert!(!home.folder.join("var").exists());
}

/// A process that plays until it is dropped.
struct Robots(Child);

impl Drop for Robots {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

const AGENT_HZ: f64 = 700.0;
const MERCHANT_HZ: f64 = 1_000.0;

#[test]
fn with_the_robots_one_phone_hears_a_whole_call() {
    let home = Home::new();
    let audio = home.folder.join("audio");
    make_audio(&audio);
    for (robot, hz) in [("robot-agent", AGENT_HZ), ("robot-merchant", MERCHANT_HZ)] {
        std::fs::write(audio.join("zh").join(robot).with_extension("wav"), wav(hz, 40_000)).unwrap();
    }
    let settings = home.folder.join("hotline.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(settings, format!("{text}[files]\naudio = \"audio\"\n")).unwrap();
    let (_server, _) = home.serve();
    let diary = home.folder.join("diary");
    let mut robots = home.command(&["robots", "--step", "4"]);
    robots.stdout(File::create(&diary).unwrap()).stderr(Stdio::null());
    let _robots = Robots(robots.spawn().unwrap());
    let said = || std::fs::read_to_string(&diary).unwrap();
    runtime().block_on(async {
        until("the agent's sign-in", || said().contains("signed in, ready").then_some(())).await;
        let mut settings = PhoneSettings::new("13800138000", home.sip);
        settings.voice = Voice::Tone(400.0);
        settings.display = "\u{85}王\\".to_owned();
        let mut caller = Phone::start(settings).await.unwrap();
        caller.dial("95188").await.unwrap();
        caller.wait("the answer", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        caller.press("0").await.unwrap();
        hears("the caller, in talk", &caller, &[AGENT_HZ], &[MUSIC_HZ, MERCHANT_HZ]).await;
        hears("the caller, while they talk in private", &caller, &[MUSIC_HZ], &[AGENT_HZ, MERCHANT_HZ]).await;
        hears("the caller, in conference", &caller, &[AGENT_HZ, MERCHANT_HZ], &[MUSIC_HZ]).await;
        hears("the caller, with the agent again", &caller, &[AGENT_HZ], &[MUSIC_HZ, MERCHANT_HZ]).await;
        until("the merchant's end", || said().contains("merchant: hung up").then_some(())).await;
        caller.hang_up().await.unwrap();
        until("the call's end", || said().contains("the call is over").then_some(())).await;
        let row = get(home.http, "/api/v1/calls?caller=13800138000").json()[0].clone();
        assert!(row["conference_ms"].as_i64() > Some(0), "{row}");
    });
    assert!(!said().chars().any(|c| c.is_control() && c != '\n'), "{:?}", said());
}
