//! HTTP as a browser, a scraper and an attacker meet it: each route and each status once, and names full of markup.
use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;

use hotline::exchange::menu::Diagnostic;
use hotline::io::{SecretPlace, Server, Settings};
use hotline::replay::{Phone, PhoneEvent, PhoneSettings, Voice};

use crate::house::{House, SOON, runtime, scratch, settings};
use crate::web::{Reply, get, send, until};

/// What a caller may call himself.
const HOSTILE_NAME: &str =
    r#""><script>alert('x')</script><img src=x onerror=alert(1)>'; DROP TABLE calls; --"#;
/// The same as a number.
const HOSTILE_NUMBER: &str = r#"<b>1</b>'";--%s"#;

fn error_of(reply: &Reply) -> String {
    assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
    reply.json()["error"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned()
}

#[test]
fn each_route_and_each_status_once() {
    let house = House::open("");
    let at = house.http;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/healthz", "text/plain; charset=utf-8"),
        ("/metrics", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ("/api/v1/status", "application/json"),
        ("/api/v1/calls", "application/json"),
        ("/api/v1/calls?limit=5&queue=general&caller=1&before=9", "application/json"),
    ] {
        let reply = get(at, path);
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(kind)), "{path}: {reply:?}");
    }
    for (method, path, status, why) in [
        ("GET", "/nowhere", 404, "nothing is at /nowhere"),
        ("GET", "/api/v1/calls/1", 404, "no call 1"),
        ("GET", "/api/v1/calls/1/ladder", 404, "no SIP of call 1"),
        ("GET", "/api/v1/calls/one", 400, "a call has a number"),
        ("GET", "/api/v1/calls/-1/ladder", 400, "a call has a number"),
        ("GET", "/api/v1/calls?limit=many", 400, "limit"),
        ("GET", "/api/v1/calls?color=red", 400, "color"),
        ("POST", "/api/v1/calls", 405, "POST does nothing at /api/v1/calls"),
        ("DELETE", "/", 405, "DELETE does nothing at /"),
    ] {
        let reply = send(at, method, path, &[&format!("Host: {at}")]);
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
        assert!(error_of(&reply).contains(why), "{method} {path}: {reply:?}");
    }
}

#[test]
fn a_page_of_another_site_cannot_read_loopback() {
    let house = House::open("");
    let port = house.http.port();
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), "[::1]".to_owned()] {
        assert_eq!(
            send(house.http, "GET", "/api/v1/status", &[&format!("Host: {host}")]).status,
            200,
            "{host}"
        );
    }
    for path in ["/", "/api/v1/calls", "/metrics", "/healthz", "/nowhere"] {
        for host in ["evil.example", "127.0.0.1.evil.example", ""] {
            let reply = send(house.http, "GET", path, &[&format!("Host: {host}:{port}")]);
            assert_eq!(reply.status, 421, "{host}{path}: {reply:?}");
            assert!(error_of(&reply).contains("loopback"));
        }
    }
}

#[test]
fn every_answer_forbids_scripts_sniffing_and_keeping() {
    let house = House::open("");
    for path in ["/", "/page.js", "/api/v1/calls", "/healthz", "/nowhere", "/api/v1/calls/x"] {
        let reply = get(house.http, path);
        let policy = reply.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{path}");
    }
}

#[test]
fn a_token_guards_the_record_but_not_the_page_and_health() {
    const TOKEN: &str = "correct-horse-battery";
    let place = scratch().join("token");
    std::fs::write(&place, format!("{TOKEN}\n")).unwrap();
    let house = House::open_set("", |s| s.http.token = Some(SecretPlace::File(place)));
    let ask = |path: &str, more: &[&str]| {
        let host = format!("Host: {}", house.http);
        send(house.http, "GET", path, &[&[host.as_str()], more].concat())
    };
    for path in ["/api/v1/status", "/api/v1/calls", "/api/v1/calls/1", "/api/v1/calls/1/ladder", "/metrics"] {
        for wrong in
            [vec![], vec!["Authorization: Bearer correct-horse-batterz"], vec!["Authorization: Basic eDp5"]]
        {
            let reply = ask(path, &wrong);
            assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer")), "{path}");
            assert!(error_of(&reply).contains("Authorization"), "{reply:?}");
            assert!(!reply.body.contains(TOKEN));
        }
        let reply = ask(path, &[&format!("Authorization: Bearer {TOKEN}")]);
        assert!(matches!(reply.status, 200 | 404), "{path}: {reply:?}");
    }
    for path in ["/", "/page.css", "/page.js", "/healthz"] {
        assert_eq!(ask(path, &[]).status, 200, "{path}");
    }
}

#[test]
fn each_token_may_do_what_it_may_and_no_more() {
    let (reader, desk) = ("correct-horse-battery", "stapled-paper-clip");
    let hash = "sha256:1b7f3ed5b5ad2ed3d5f6ed6ddc1e9f3ed95e6d6b7ac2f2ea8a1cbb0f9b5f0a11";
    let place = scratch().join("token");
    std::fs::write(&place, format!("{reader}\n")).unwrap();
    let desk_place = scratch().join("token");
    std::fs::write(&desk_place, desk).unwrap();
    let house = House::open_set("", |s| {
        let text = format!(
            "[[http.tokens]]\nname = \"lele\"\ntoken_file = \"{}\"\nmay = \"read\"\n\
             [[http.tokens]]\nname = \"desk\"\ntoken_file = \"{}\"\nmay = [\"banner\"]\n\
             [[http.tokens]]\nname = \"gone\"\ntoken_hash = \"{hash}\"\nmay = [\"read\"]\n",
            place.display(),
            desk_place.display(),
        );
        s.http.tokens = Settings::read("hotline.toml", &text).unwrap().0.http.tokens;
    });
    let ask = |path: &str, token: &str| {
        let (host, token) = (format!("Host: {}", house.http), format!("Authorization: Bearer {token}"));
        send(house.http, "GET", path, &[&host, &token])
    };
    for path in ["/api/v1/status", "/api/v1/audit", "/metrics"] {
        assert_eq!(ask(path, reader).status, 200, "{path}");
        let reply = ask(path, desk);
        assert_eq!(reply.status, 403, "{path}: {reply:?}");
        assert!(error_of(&reply).contains("the token of desk has no may = [\"read\"]"), "{reply:?}");
        assert_eq!(ask(path, "nobody-s-token-at-all").status, 401, "{path}");
    }
    let counted = metrics(&ask("/metrics", reader).body);
    assert_eq!(counted["hotline_http_refused_total{why=\"forbidden\"}"], "3.0");
    assert_eq!(counted["hotline_http_refused_total{why=\"unauthorized\"}"], "3.0");
}

#[test]
fn an_open_door_without_a_token_is_refused_with_its_line_and_a_weak_token_too() {
    let found = Settings::read("hotline.toml", "[http]\n\nlisten = \"0.0.0.0:8080\"\n").unwrap_err();
    let lines: Vec<String> = found.iter().map(Diagnostic::line).collect();
    insta::assert_snapshot!(lines.join("\n"), @"hotline.toml:3:10: error HL0104: HTTP stays on loopback until it has a token");

    let folder = scratch();
    for weak in ["short", "password", "aaaaaaaaaaaaaaaaaaaa", ""] {
        let place = folder.join("token");
        std::fs::write(&place, weak).unwrap();
        let mut s = settings(&folder, "");
        (s.menus, s.audio) = (None, None);
        s.http.token = Some(SecretPlace::File(place));
        let refused = Server::start(s).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("secret of HTTP is a well-known one or too short"), "{weak}: {refused}");
        assert!(weak.is_empty() || !refused.contains(&format!("`{weak}`")), "{refused}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_call_is_in_the_metrics_the_list_the_story_and_the_ladder() {
    let house = House::open("");
    let at = house.http;
    runtime().block_on(async {
        let mut agent = house.agent("8001", Voice::Silence).await;
        let caller = house.caller("13800138000", "95188", Voice::Silence).await;
        caller.press("0").await.unwrap();
        agent.wait("a ring", SOON, |e| matches!(e, PhoneEvent::Rings(_))).await.unwrap();
        let status = get(at, "/api/v1/status").json();
        assert_eq!(status["board"]["calls"][0]["caller"], "13800138000");
        assert_eq!(status["board"]["calls"][0]["queue"], "general");
        agent.answer().await.unwrap();
        agent.wait("the call", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        let live = metrics(&get(at, "/metrics").body);
        assert_eq!(live["hotline_calls{stage=\"talking\"}"], "1.0");
        assert_eq!(live["hotline_agents{state=\"talking\"}"], "1.0");
        assert_eq!(live["hotline_queue_waiting{queue=\"general\"}"], "0.0");
        caller.hang_up().await.unwrap();
        agent.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        let row = until("the call's end in the record", || {
            let row = get(at, "/api/v1/calls?caller=13800138000").json()[0].clone();
            (row["cause"] == "hung_up").then_some(row)
        })
        .await;
        assert_eq!(
            (&row["keys"], &row["queue"], &row["agent"]),
            (&"0".into(), &"general".into(), &"8001".into())
        );
        assert!(row["waited_ms"].as_i64().unwrap() > 0 && row["talk_ms"].as_i64().unwrap() > 0, "{row}");
        let id = row["id"].as_u64().unwrap();

        let story = get(at, &format!("/api/v1/calls/{id}")).json();
        assert_eq!(story["call"], row);
        assert_eq!(story["offers"][0]["outcome"], "connected");
        assert_eq!(story["offers"][0]["why"]["candidates"][0][0], "8001", "{}", story["offers"]);
        let ladder = get(at, &format!("/api/v1/calls/{id}/ladder"));
        assert_eq!(ladder.header("content-type"), Some("text/plain; charset=utf-8"));
        for message in ["INVITE", "200 OK INVITE", "ACK", "BYE", "180 Ringing"] {
            assert!(ladder.body.contains(message), "{message} is not in\n{}", ladder.body);
        }
        let older = get(at, &format!("/api/v1/calls?before={id}")).json();
        assert!(older.as_array().unwrap().iter().all(|row| row["id"].as_u64() < Some(id)), "{older}");

        let after = metrics(&get(at, "/metrics").body);
        assert_eq!(after["hotline_queue_answered_total{queue=\"general\"}"], "1.0");
        assert_ne!(after["hotline_store_total{what=\"facts_written\"}"], "0.0");
        assert_eq!(after["hotline_store_total{what=\"facts_dropped\"}"], "0.0");
        assert_eq!(after["hotline_facts_waiting"], "0.0");
        assert_eq!(after["hotline_calls_broken_total"], "0.0");
    });
}

/// Reads `OpenMetrics` text as strictly as a scraper: every sample belongs to a family with type and help, counters end
/// in `_total`, no sample comes twice, the text ends with `# EOF`.
fn metrics(text: &str) -> BTreeMap<String, String> {
    let (mut families, mut helped) = (Vec::<(String, String)>::new(), BTreeSet::new());
    let mut samples = BTreeMap::new();
    assert!(text.ends_with("# EOF\n"), "{text}");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(!families.iter().any(|(n, _)| n == name), "{name} comes twice");
            families.push((name.to_owned(), kind.to_owned()));
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            helped.insert(rest.split(' ').next().unwrap().to_owned());
        } else if line != "# EOF" {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("not a sample: {line}"));
            let name = series.split('{').next().unwrap();
            let (family, kind) = families.last().unwrap_or_else(|| panic!("{line} has no family"));
            let wanted = if kind == "counter" { format!("{family}_total") } else { family.clone() };
            assert_eq!(name, wanted, "{line}");
            assert!(helped.contains(family), "{family} has no help");
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "not a number: {line}");
            assert!(samples.insert(series.to_owned(), value.to_owned()).is_none(), "{series} comes twice");
        }
    }
    samples
}

#[test]
fn a_hostile_name_is_text_in_the_record_and_in_the_api() {
    let house = House::open("");
    let at = house.http;
    runtime().block_on(async {
        let mut hostile = PhoneSettings::new(HOSTILE_NUMBER, house.sip);
        hostile.display = HOSTILE_NAME.to_owned();
        let mut caller = Phone::start(hostile).await.unwrap();
        caller.dial("95188").await.unwrap();
        caller.wait("the answer", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        let live = get(at, "/api/v1/status").json()["board"]["calls"][0].clone();
        assert_eq!((&live["caller_name"], &live["caller"]), (&HOSTILE_NAME.into(), &HOSTILE_NUMBER.into()));
        caller.hang_up().await.unwrap();
        caller.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        let row = until("the row", || get(at, "/api/v1/calls").json().get(0).cloned()).await;
        assert_eq!((&row["caller_name"], &row["caller"]), (&HOSTILE_NAME.into(), &HOSTILE_NUMBER.into()));
        let asked = "%3Cb%3E1%3C%2Fb%3E%27%22%3B--%25s";
        let rows = get(at, &format!("/api/v1/calls?caller={asked}")).json();
        assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
        let none = get(at, "/api/v1/calls?caller=x%27%20OR%201%3D1--").json();
        assert!(none.as_array().unwrap().is_empty(), "{none}");
    });
}

/// Our own phone is too polite to send control characters, so this caller is written by hand.
#[test]
fn control_characters_of_a_name_never_come_in() {
    let house = House::open("");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(house.sip).unwrap();
    let me = socket.local_addr().unwrap();
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n";
    let invite = format!(
        "INVITE sip:95188@{} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bKhostile\r\nMax-Forwards: 70\r\n\
         From: \"\\\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}evil\" <sip:%1b%5B31m%00%0A007@{me}>;tag=1\r\n\
         To: <sip:95188@{}>\r\nCall-ID: hostile\r\nCSeq: 1 INVITE\r\nContact: <sip:x@{me}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        house.sip,
        house.sip,
        sdp.len()
    );
    socket.send(invite.as_bytes()).unwrap();
    let row =
        runtime().block_on(until("the row", || get(house.http, "/api/v1/calls").json().get(0).cloned()));
    assert_eq!(row["caller"], "[31m007");
    assert_eq!(row["caller_name"], "[2J]0;ownedevil");
    let mut buffer = [0; 4_096];
    let to = loop {
        let n = socket.recv(&mut buffer).unwrap();
        let reply = String::from_utf8_lossy(&buffer[..n]).into_owned();
        if reply.starts_with("SIP/2.0 200") {
            break reply.lines().find(|l| l.starts_with("To:")).unwrap().to_owned();
        }
    };
    for (method, cseq) in [("ACK", 1), ("BYE", 2)] {
        let request = format!(
            "{method} sip:{} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK{method}\r\nMax-Forwards: 70\r\n\
             From: <sip:x@{me}>;tag=1\r\n{to}\r\nCall-ID: hostile\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n",
            house.sip
        );
        socket.send(request.as_bytes()).unwrap();
    }
}
