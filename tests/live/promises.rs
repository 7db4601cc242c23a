//! Every wait that was told, with what became of it: in the record, over kills, for people and programs.
use hotline::replay::{Phone, PhoneEvent, Voice};

use crate::binary::Home;
use crate::house::{SOON, runtime};
use crate::web::{get, until};

/// A caller who was told a range and waits.
async fn waits(home: &Home, from: &str) -> Phone {
    let caller = home.caller(from).await;
    caller.press("0").await.unwrap();
    until("a telling", || {
        let calls = get(home.http, "/api/v1/status").json()["board"]["calls"].clone();
        let call = calls.as_array()?.iter().find(|c| c["caller"] == from)?.clone();
        call["told"]["wait"].is_object().then_some(())
    })
    .await;
    caller
}

/// Kept, late and broken promises of the general queue, by the running server.
fn of_general(home: &Home) -> [u64; 3] {
    let report: serde_json::Value = serde_json::from_str(&home.says(&["promises", "--json"])).unwrap();
    let mut sums = [0; 3];
    for row in report["figures"].as_array().unwrap().iter().filter(|row| row["queue"] == "general") {
        for (sum, what) in sums.iter_mut().zip(["kept", "late", "broken"]) {
            *sum += row[what].as_u64().unwrap();
        }
    }
    sums
}

#[test]
fn each_promise_has_one_outcome_over_two_kills_and_is_shown_by_the_lines_clock() {
    let home = Home::new();
    let (server, _) = home.serve();
    runtime().block_on(async {
        let mut agent = Phone::start(home.phone_of("8001", Voice::Silence)).await.unwrap();
        agent.register(std::time::Duration::from_mins(10)).await.unwrap();
        agent.wait("the registration", SOON, |e| matches!(e, PhoneEvent::Registered(true, _))).await.unwrap();
        agent.dial("*81").await.unwrap();
        agent.wait("the end of the sign-in", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        let talks = home.caller("13800138001").await;
        talks.press("0").await.unwrap();
        agent.wait("a ring", SOON, |e| matches!(e, PhoneEvent::Rings(_))).await.unwrap();
        agent.answer().await.unwrap();
        agent.wait("the call", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        // One hangs up while he waits: the promise is broken, and counted.
        let gone = waits(&home, "13800138002").await;
        gone.hang_up().await.unwrap();
        until("the broken promise", || (of_general(&home) == [0, 0, 1]).then_some(())).await;
        let metrics = get(home.http, "/metrics").body;
        let line = metrics.lines().find(|l| l.starts_with("hotline_promises_total") && l.contains("broken"));
        assert!(line.unwrap().ends_with(" 1.0"), "{line:?}");
        // One waits when the plug is pulled.
        let cut_off = waits(&home, "13800138003").await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        server.kill();
        drop((cut_off, talks, agent));
    });
    let (server, _) = home.serve();
    runtime().block_on(async {
        until("the outcome of the one who was cut off", || (of_general(&home) == [0, 0, 2]).then_some(()))
            .await;
        server.kill();
    });
    // The second start finds nothing that it must end, and the first one's words stand.
    let (_server, _) = home.serve();
    assert_eq!(of_general(&home), [0, 0, 2]);
    let by_file = home.says(&["promises", "--records", "var/hotline.db", "--by", "queue"]);
    assert!(by_file.contains("general") && by_file.contains("░"), "{by_file}");
    assert_eq!(by_file.lines().count(), 4, "days, heads, one queue, the sum: {by_file}");
    // Today by the line's clock is what the API and the page show.
    let today = get(home.http, "/api/v1/promises").json();
    let day = get(home.http, "/api/v1/status").json()["board"]["day"].as_str().unwrap().to_owned();
    assert_eq!(today["days"], serde_json::json!([day, day]));
    assert_eq!(
        today["figures"].as_array().unwrap().iter().map(|p| p["broken"].as_u64().unwrap()).sum::<u64>(),
        2
    );
    assert_eq!(get(home.http, "/api/v1/promises?from=yesterday").status, 400);
    let none = home.says(&["promises", "--from", "2030-01-01"]);
    assert!(none.starts_with("nothing was promised"), "{none}");
}
