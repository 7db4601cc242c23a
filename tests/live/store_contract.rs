//! What the record promises: each fact once or not at all, whatever stops, crashes or stands in its way.
use std::path::PathBuf;
use std::time::Duration;

use hotline::base::{
    AgentId, AssignmentId, CallId, Instant, Key, LegId, Now, PartyId, QueueId, Rng, Seq, TicketId, UtcTime,
};
use hotline::exchange::acd::OfferWhy;
use hotline::exchange::menu::Day;
use hotline::exchange::{
    Arrival, Cause, Fact, NumberedFact, Peer, PromiseFigures, PromiseOutcome, Promised, Told, Vouched,
};
use hotline::io::{CallFilter, PromiseFilter, PromiseReport, Store, Writer};
use hotline::replay::{PhoneEvent, Voice};
use sqlx::{Connection as _, Row as _};

use crate::binary::{Home, connection, sql};
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

/// A promise that is over, told in the morning in Shanghai.
fn promised(seq: u64, waited: Duration) -> Promised {
    let late = waited > Duration::from_secs(3);
    Promised {
        queue: QueueId::from("general"),
        told: UtcTime::from_secs(1_794_272_400 + 600 * seq.cast_signed()),
        ahead_s: 8 * 3_600,
        low: Duration::from_secs(1),
        high: Duration::from_secs(3),
        at_entry: seq.is_multiple_of(2),
        outcome: if late { PromiseOutcome::Late } else { PromiseOutcome::Kept },
        cause: None,
        waited,
    }
}

#[test]
fn promises_are_asked_for_by_the_lines_clock() {
    let scratch = Scratch(scratch());
    runtime().block_on(async {
        let store = scratch.store().await;
        let mut writer = Writer::open(&store).await.unwrap();
        let over = |seq, s| {
            let promised = promised(seq, Duration::from_secs(s));
            fact(seq, 0, Fact::PromiseOver { call: CallId(seq), ticket: TicketId(seq), promised })
        };
        // Told at 09:00 + 10 minutes times the number: two in the half-hour, one sooner than said, one late in the next.
        let batch = [over(1, 2), over(2, 0), over(4, 5), over(150, 2)];
        writer.write(&batch).await.unwrap();
        writer.write(&batch).await.unwrap();
        let at = |day: &str, h: i64| Some(Day::parse(day).unwrap().wall_s() + 3_600 * h);
        let day = PromiseFilter { from_s: at("2026-11-10", 0), to_s: at("2026-11-11", 0) };
        let report = store.promises(&day).await.unwrap();
        let of = |half_hour, kept, sooner, late| PromiseFigures {
            kept,
            sooner,
            late,
            ..PromiseFigures::new("general".into(), half_hour)
        };
        assert_eq!(report.days, Some(("2026-11-10".to_owned(), "2026-11-10".to_owned())));
        assert_eq!(report.figures, [of(18, 2, 1, 0), of(19, 0, 0, 1)]);
        // Without a question: the last day. 25 hours after nine it is ten.
        let last = store.promises(&PromiseFilter::default()).await.unwrap();
        assert_eq!(last.days, Some(("2026-11-11".to_owned(), "2026-11-11".to_owned())));
        assert_eq!(last.figures, [of(20, 1, 0, 0)]);
        let hour = PromiseFilter { from_s: at("2026-11-10", 9), to_s: None };
        assert_eq!(store.promises(&hour).await.unwrap().figures.len(), 3);
        let none = PromiseFilter { from_s: at("2026-11-12", 0), to_s: None };
        assert_eq!(store.promises(&none).await.unwrap(), PromiseReport { days: None, figures: Vec::new() });
    });
}

#[test]
fn a_record_of_before_promises_gets_those_that_can_be_known() {
    let scratch = Scratch(scratch());
    runtime().block_on(async {
        drop(scratch.store().await);
        // As the schema before had it.
        for statement in [
            "DROP TABLE promises",
            "INSERT INTO calls (id, started_us, ended_us, dialled, caller, caller_name, peer, menus, queue, cause) VALUES
             (1, 0, 900000000, '', '', '', '', '', 'general', 'hung_up'), (2, 0, 50000000, '', '', '', '', '', 'general', 'hung_up')",
            "INSERT INTO tellings VALUES (1, 0, 1, 'wait', 60, 180, NULL, 0, 100000), (1, 60000000, 1, 'wait', 0, 30, NULL, 60000, 100000),
             (1, 61000000, 1, 'next', NULL, NULL, NULL, 61000, 100000), (2, 10000000, 2, 'wait', 60, 180, NULL, 10000, NULL)",
            "PRAGMA user_version = 3",
        ] {
            sql(&scratch.database(), statement).await;
        }
        drop(scratch.store().await);
        let mut conn = connection(&scratch.database()).await;
        let rows = sqlx::query("SELECT json_array(call, at_entry, outcome, cause, waited_ms) FROM promises ORDER BY told_us")
            .fetch_all(&mut conn)
            .await
            .unwrap();
        let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(
            rows,
            [r#"[1,1,"kept",null,100000]"#, r#"[2,1,"broken","hung_up",40000]"#, r#"[1,0,"late",null,40000]"#]
        );
    });
}

/// A day of some calls, each with a bit of everything.
fn a_day(seed: u64) -> Vec<NumberedFact> {
    let mut rng = Rng::from_number(seed);
    // Six calls begin; the rest happens in any order.
    let mut facts: Vec<NumberedFact> = (1..=6).map(|n| started(n, n)).collect();
    let (mut seq, mut offered) = (6, std::collections::BTreeSet::new());
    let agent = || AgentId::from("8001");
    let why = || OfferWhy {
        strategy: "longest_idle".into(),
        candidates: Vec::new(),
        passed_over: Vec::new(),
        waited: Duration::ZERO,
        told: None,
    };
    for _ in 0..400 {
        seq += 1;
        let call = CallId(1 + rng.below(6));
        let (assignment, ticket) = (AssignmentId(1 + rng.below(12)), TicketId(call.0));
        let time = Duration::from_millis(rng.below(5_000));
        let party = || PartyId::from("merchant");
        let told = || Told::Wait { low: time, high: 2 * time, rose: None };
        let fact = match rng.below(15) {
            0 | 1 => Fact::CallAnswered { call },
            2 | 3 => key(seq, 0, call.0).fact,
            4 => Fact::Queued { call, ticket, queue: QueueId::from("general"), priority: 5 },
            5 | 6 => Fact::WaitTold { call, ticket, told: told(), waited: time },
            7 if offered.insert(assignment) => {
                Fact::Offered { call, assignment, agent: agent(), queue: "general".into(), why: why() }
            }
            8 if offered.contains(&assignment) => {
                Fact::OfferEnded { call, assignment, agent: agent(), cause: Cause::NoAnswer }
            }
            9 if offered.contains(&assignment) => {
                Fact::Connected { call, assignment, agent: agent(), waited: time }
            }
            10 => Fact::ConferenceEnded { call, party: party(), lasted: time },
            11 => Fact::DigitsEntered { call, entry: "order".into(), digits: "12".into() },
            13 => Fact::PromiseOver { call, ticket, promised: promised(seq, time) },
            12 => Fact::SecretEntered { call, entry: "pin".into(), length: 6 },
            _ => Fact::CallEnded { call, cause: Cause::HungUp, lasted: time },
        };
        facts.push(self::fact(seq, 0, fact));
    }
    facts
}

/// Everything in the record, as text.
async fn all_of(database: &std::path::Path) -> Vec<String> {
    let mut conn = connection(database).await;
    let mut all = Vec::new();
    for sql in [
        "SELECT json_array(id, started_us, answered_us, ended_us, dialled, caller, keys, queue, priority, agent, waited_ms,
                talk_ms, conference_ms, party, cause) FROM calls ORDER BY id",
        "SELECT json_array(call, seq, idx, at_us, kind, body) FROM facts ORDER BY seq, idx",
        "SELECT json_array(call, at_us, kind, low_s, high_s, waited_ms, true_ms) FROM tellings ORDER BY at_us",
        "SELECT json_array(assignment, call, agent, queue, at_us, ended_us, outcome) FROM offers ORDER BY assignment",
        "SELECT json_array(call, entry, digits, length) FROM entries ORDER BY rowid",
        "SELECT json_array(call, ticket, kind, queue, told_us, wall_us, low_s, high_s, at_entry, outcome, cause, waited_ms)
         FROM promises ORDER BY rowid",
    ] {
        let rows = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
        all.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    all
}

#[test]
fn a_batch_cut_anywhere_gives_the_same_rows() {
    runtime().block_on(async {
        for seed in 0..6 {
            let day = a_day(seed);
            let mut rng = Rng::from_number(100 + seed);
            let mut found = Vec::new();
            for most in [1, 7, 90, day.len()] {
                let scratch = Scratch(scratch());
                let mut writer = Writer::open(&scratch.store().await).await.unwrap();
                let mut rest = &day[..];
                while !rest.is_empty() {
                    let n = 1 + usize::try_from(rng.below(most as u64)).unwrap();
                    let (batch, after) = rest.split_at(n.min(rest.len()));
                    writer.write(batch).await.unwrap();
                    rest = after;
                }
                found.push(all_of(&scratch.database()).await);
            }
            assert!(found[0].len() > day.len());
            for other in &found[1..] {
                let differs = found[0].iter().zip(other).find(|(a, b)| a != b);
                assert!(*other == found[0], "seed {seed}: {differs:?}");
            }
        }
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
        assert!(refused.contains("has schema 99, this hotline knows up to 4; use a newer one"), "{refused}");
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
        let mine = || get(home.http, "/api/v1/calls?caller=13800138000").json()[0]["id"].as_u64();
        let first = until("the row", mine).await;
        caller.vanish().await.unwrap();
        server.kill();

        let (_server, _) = home.serve();
        let cut = until(&format!("its end: {}", home.errors()), || {
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
