//! What the record promises: each fact once or not at all, whatever stops, crashes or stands in its way.
use std::path::PathBuf;
use std::time::Duration;

use hotline::base::{CallId, Instant, Key, LegId, Now, Seq, UtcTime};
use hotline::exchange::{Arrival, Cause, Fact, NumberedFact, Peer, Vouched};
use hotline::io::{CallFilter, Store, Writer};
use hotline::replay::{PhoneEvent, Voice};
use sqlx::{Connection as _, Row as _};

use crate::binary::{Home, sql};
use crate::house::{House, SOON, hears, runtime, scratch};
use crate::web::{get, until};

struct Scratch(PathBuf);

impl Scratch {
    fn database(&self) -> PathBuf {
        self.0.join("hotline.db")
    }
    async fn store(&self) -> Store {
        Store::open(&self.database()).await.unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn fact(seq: u64, index: u32, fact: Fact) -> NumberedFact {
    let at = Now {
        mono: Instant::from_nanos(seq),
        utc: UtcTime::from_micros(1_000 * i64::try_from(seq).unwrap()),
    };
    NumberedFact { seq: Seq(seq), index, at, fact }
}

fn started(seq: u64, call: u64) -> NumberedFact {
    let arrival = Arrival {
        dialled: "95188".to_owned(),
        caller: "13800138000".to_owned(),
        caller_name: String::new(),
        peer: Peer::Stranger,
        vouched: Vouched::default(),
    };
    let (call, leg) = (CallId(call), LegId(2));
    fact(seq, 0, Fact::CallStarted { call, leg, arrival, menus: "r".to_owned() })
}

fn key(seq: u64, index: u32, call: u64) -> NumberedFact {
    fact(seq, index, Fact::KeyPressed { call: CallId(call), menu: None, key: Key::from_char('7').unwrap() })
}

async fn keys_of(store: &Store, call: u64) -> String {
    store.call(CallId(call)).await.unwrap().unwrap().call.keys
}

#[test]
fn a_batch_handed_over_twice_is_written_once() {
    let scratch = Scratch(scratch());
    runtime().block_on(async {
        let store = scratch.store().await;
        let mut writer = Writer::open(&store).await.unwrap();
        let batch = [started(1, 5), key(2, 0, 5), key(2, 1, 5)];
        writer.write(&batch[..2]).await.unwrap();
        writer.write(&batch).await.unwrap();
        writer.write(&batch).await.unwrap();
        // The cursor is in the file, not in the writer: another process goes on where this one stopped.
        let mut other = Writer::open(&store).await.unwrap();
        other.write(&batch).await.unwrap();
        assert_eq!(keys_of(&store, 5).await, "77");
        assert_eq!(store.call(CallId(5)).await.unwrap().unwrap().facts.len(), 3);
    });
}

#[test]
fn a_batch_is_all_or_nothing() {
    let scratch = Scratch(scratch());
    runtime().block_on(async {
        let store = scratch.store().await;
        let mut writer = Writer::open(&store).await.unwrap();
        let refused = writer.write(&[started(1, 5), key(2, 0, 5), key(2, 0, 5)]).await.unwrap_err();
        assert!(refused.is_permanent(), "{refused}");
        assert!(store.calls(&CallFilter::default()).await.unwrap().is_empty());
        assert_eq!(store.resume(&std::collections::BTreeSet::new()).await.unwrap().last_seq, 0);
        writer.write(&[started(1, 5), key(2, 0, 5)]).await.unwrap();
        assert_eq!(keys_of(&store, 5).await, "7");
        assert_eq!(store.resume(&std::collections::BTreeSet::new()).await.unwrap().last_seq, 2);
    });
}

#[test]
fn a_fact_that_fits_no_row_is_kept_and_stops_nothing() {
    let scratch = Scratch(scratch());
    runtime().block_on(async {
        let store = scratch.store().await;
        let mut writer = Writer::open(&store).await.unwrap();
        writer.write(&[started(1, 5), started(2, 5), key(3, 0, 5)]).await.unwrap();
        let story = store.call(CallId(5)).await.unwrap().unwrap();
        assert_eq!((story.facts.len(), story.call.keys.as_str(), story.call.started_us), (3, "7", 1_000));
    });
}

#[test]
fn a_store_opened_twice_is_one_record() {
    let scratch = Scratch(scratch());
    runtime().block_on(async {
        let (one, other) = (scratch.store().await, scratch.store().await);
        Writer::open(&one).await.unwrap().write(&[started(1, 5)]).await.unwrap();
        Writer::open(&other).await.unwrap().write(&[key(2, 0, 5)]).await.unwrap();
        assert_eq!(keys_of(&one, 5).await, "7");
        assert_eq!(keys_of(&other, 5).await, "7");
    });
}

#[test]
fn a_store_of_a_newer_hotline_is_refused_and_left_alone() {
    let scratch = Scratch(scratch());
    runtime().block_on(async {
        drop(scratch.store().await);
        sql(&scratch.database(), "PRAGMA user_version = 99").await;
        let refused = Store::open(&scratch.database()).await.unwrap_err().to_string();
        assert!(refused.contains("has schema 99, this hotline knows up to 2; use a newer one"), "{refused}");
        let mut conn = connection(&scratch.database()).await;
        let row = sqlx::query("PRAGMA user_version").fetch_one(&mut conn).await.unwrap();
        assert_eq!(row.get::<i64, _>(0), 99);
    });
}

#[test]
fn calls_that_a_stop_cut_off_are_closed_and_numbers_go_on() {
    let scratch = Scratch(scratch());
    runtime().block_on(async {
        let store = scratch.store().await;
        let ended = Fact::CallEnded { call: CallId(7), cause: Cause::HungUp, lasted: Duration::from_secs(1) };
        let batch = [started(1, 7), fact(2, 0, ended), started(3, 9), key(4, 0, 9)];
        Writer::open(&store).await.unwrap().write(&batch).await.unwrap();
        let resume = store.resume(&std::collections::BTreeSet::new()).await.unwrap();
        assert_eq!((resume.last_seq, resume.last_call, resume.closed), (4, 9, 1));
        let cut = store.call(CallId(9)).await.unwrap().unwrap().call;
        assert_eq!((cut.cause.as_deref(), cut.ended_us), (Some("server_restart"), Some(4_000)));
        let whole = store.call(CallId(7)).await.unwrap().unwrap().call;
        assert_eq!(whole.cause.as_deref(), Some("hung_up"));
        assert_eq!(store.resume(&std::collections::BTreeSet::new()).await.unwrap().closed, 0);
    });
}

async fn connection(database: &std::path::Path) -> sqlx::SqliteConnection {
    use sqlx::ConnectOptions as _;
    sqlx::sqlite::SqliteConnectOptions::new().filename(database).connect().await.unwrap()
}

#[test]
fn a_locked_record_stalls_no_call_and_loses_nothing() {
    let mut house = House::open("");
    let database = house.folder.join("store/hotline.db");
    runtime().block_on(async {
        let mut agent = house.agent("8001", Voice::Tone(700.0)).await;
        let mut lock = connection(&database).await;
        let held = lock.begin_with("BEGIN EXCLUSIVE").await.unwrap();
        let since = tokio::time::Instant::now();
        let caller = house.caller("13800138000", "95188", Voice::Tone(400.0)).await;
        caller.press("0").await.unwrap();
        agent.wait("a ring", SOON, |e| matches!(e, PhoneEvent::Rings(_))).await.unwrap();
        agent.answer().await.unwrap();
        hears("the caller", &caller, &[700.0], &[400.0]).await;
        hears("the agent", &agent, &[400.0], &[700.0]).await;
        caller.hang_up().await.unwrap();
        agent.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        tokio::time::sleep_until(since + Duration::from_secs(3)).await;
        let rows = get(house.http, "/api/v1/calls?caller=13800138000").json();
        assert!(rows.as_array().unwrap().is_empty(), "written through a lock: {rows}");
        held.rollback().await.unwrap();
        until("the call in the record", || {
            let rows = get(house.http, "/api/v1/calls?caller=13800138000").json();
            (rows[0]["cause"] == "hung_up").then_some(())
        })
        .await;
    });
    let story = house.story(0);
    let kinds: Vec<&str> =
        story["facts"].as_array().unwrap().iter().filter_map(|f| f["kind"].as_str()).collect();
    for kind in ["call_started", "key_pressed", "queued", "offered", "connected", "agent_left", "call_ended"]
    {
        assert_eq!(kinds.iter().filter(|k| **k == kind).count(), 1, "{kind} in {kinds:?}");
    }
}

#[test]
fn after_a_power_cut_calls_are_closed_numbers_rise_and_phones_are_still_known() {
    let home = Home::new();
    runtime().block_on(async {
        let (server, _) = home.serve();
        let mut agent = hotline::replay::Phone::start(home.phone_of("8001", Voice::Silence)).await.unwrap();
        agent.register(Duration::from_hours(1)).await.unwrap();
        agent.wait("registration", SOON, |e| matches!(e, PhoneEvent::Registered(true, _))).await.unwrap();
        agent.dial("*81").await.unwrap();
        agent.wait("the end of the sign-in", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        let caller = home.caller("13800138000").await;
        let first = until("the row", || get(home.http, "/api/v1/calls").json()[0]["id"].as_u64()).await;
        caller.vanish().await.unwrap();
        server.kill();

        let (_server, _) = home.serve();
        let cut = until("its end", || {
            let cut = get(home.http, &format!("/api/v1/calls/{first}")).json();
            (cut["call"]["cause"] == "server_restart").then_some(cut)
        })
        .await;
        assert!(cut["call"]["ended_us"].as_i64() >= cut["call"]["started_us"].as_i64());

        // He neither registers nor signs in again, and is rung where he was.
        let again = home.caller("13800138001").await;
        again.press("0").await.unwrap();
        agent.wait("a ring", SOON, |e| matches!(e, PhoneEvent::Rings(_))).await.unwrap();
        let row = || get(home.http, "/api/v1/calls?caller=13800138001").json()[0]["id"].as_u64();
        let second = until("the second row", row).await;
        assert!(second > first, "{second} after {first}");
        again.hang_up().await.unwrap();
    });
}
