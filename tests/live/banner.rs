//! The emergency banner as ops put it on: by command and over HTTP, shown, audited, kept over a restart; and callers hear it.
use std::time::Instant;

use hotline::io::Settings;

use crate::binary::Home;
use crate::house::{House, SOON, scratch};
use crate::web::{get, send};

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn it_is_put_on_shown_kept_over_a_restart_and_taken_off_by_command() {
    let home = Home::new();
    let (server, _) = home.serve();
    let none = home.run(&["banner"]);
    assert!(none.status.success() && said(&none).contains("no banner is on"), "{}", said(&none));
    let wrong = home.run(&["banner", "on", "--prompt", "main", "--for", "2h"]);
    assert!(wrong.status.code() == Some(1) && said(&wrong).contains("is no banner"), "{}", said(&wrong));
    let began = Instant::now();
    let on =
        home.run(&["banner", "on", "--prompt", "banner-fault", "--queues", "loans,general", "--for", "2h"]);
    assert!(on.status.success(), "{}", said(&on));
    assert!(said(&on).contains("banner-fault for callers in general, loans, until 20"), "{}", said(&on));
    let status = get(home.http, "/api/v1/status").json();
    assert_eq!(status["board"]["banner"]["prompt"], "banner-fault");
    assert!(began.elapsed() < SOON, "it takes {:?}", began.elapsed());
    server.kill();
    let (_server, _) = home.serve();
    let kept = home.run(&["banner", "--json"]);
    let banner: serde_json::Value = serde_json::from_slice(&kept.stdout).unwrap();
    assert_eq!(banner["banner"]["queues"], serde_json::json!(["general", "loans"]));
    let audit = get(home.http, "/api/v1/audit").json().to_string();
    assert!(audit.contains("banner on") && audit.contains("is no banner"), "what was refused too: {audit}");
    assert!(said(&home.run(&["banner", "off"])).contains("no banner is on"));
    assert!(get(home.http, "/api/v1/status").json()["board"]["banner"].is_null());
}

#[test]
fn http_takes_it_from_who_may_and_from_nobody_else() {
    let place = |token: &str| {
        let place = scratch().join("token");
        std::fs::write(&place, token).unwrap();
        place
    };
    let (reads, bans) = (place("correct-horse-battery"), place("stapled-paper-clip"));
    let house = House::open_set("", |s| {
        let text = format!(
            "[[http.tokens]]\nname = \"lele\"\ntoken_file = \"{}\"\nmay = \"read\"\n\
             [[http.tokens]]\nname = \"desk\"\ntoken_file = \"{}\"\nmay = [\"read\", \"banner\"]\n",
            reads.display(),
            bans.display()
        );
        s.http.tokens = Settings::read("hotline.toml", &text).unwrap().0.http.tokens;
    });
    let ask = |method: &str, token: &str| {
        let (host, token) = (format!("Host: {}", house.http), format!("Authorization: Bearer {token}"));
        send(house.http, method, "/api/v1/banner", &[&host, &token])
    };
    let (reader, desk) = ("correct-horse-battery", "stapled-paper-clip");
    assert_eq!(
        (ask("GET", reader).status, ask("GET", reader).body.trim().to_owned()),
        (200, "null".to_owned())
    );
    assert_eq!((ask("POST", reader).status, ask("DELETE", reader).status), (403, 403));
    let post = |body: &str| {
        let (host, token) = (format!("Host: {}", house.http), format!("Authorization: Bearer {desk}"));
        let rest = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        send(house.http, "POST", "/api/v1/banner", &[&host, &token, &rest])
    };
    let on = post(r#"{"prompt": "banner-busy", "numbers": ["95188"], "for": "90m"}"#);
    assert_eq!(on.status, 200, "{on:?}");
    assert_eq!(on.json()["numbers"], serde_json::json!(["95188"]));
    let shown = ask("GET", reader).json();
    assert_eq!((&shown["prompt"], &shown["until"]), (&on.json()["prompt"], &on.json()["until"]));
    let wrong = post(r#"{"prompt": "banner-busy", "queues": ["lones"], "for": "90m"}"#);
    assert!(wrong.status == 422 && wrong.body.contains("no queue `lones`"), "{wrong:?}");
    assert_eq!(post(r#"{"promt": "x"}"#).status, 400, "a word that means nothing");
    // Nothing was sent along.
    assert_eq!(ask("POST", desk).status, 415);
    assert_eq!(ask("DELETE", desk).status, 204, "off, and again");
    assert_eq!(ask("GET", reader).body.trim(), "null");
    assert_eq!(ask("DELETE", desk).status, 204, "none on is no mistake");
    assert_eq!(send(house.http, "POST", "/api/v1/banner", &[&format!("Host: {}", house.http)]).status, 401);
}
