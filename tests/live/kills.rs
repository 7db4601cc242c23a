//! kill -9 at any moment, under callers in menus, queues and talks: what the callers themselves saw is held against the
//! record. Points in time come from a seed, which is printed; `cargo xtask kills` does it two hundred times. A share of
//! them lies within 4 s after a caller heard that his place is kept, or how long he will wait.
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hotline::base::Rng;
use hotline::replay::{Phone, PhoneEvent, PhoneSettings, Voice};
use sqlx::{ConnectOptions as _, Row as _};

use crate::binary::{Home, Running, free_port};
use crate::house::{SOON, make_audio, runtime, wav};
use crate::sipp::hand::{Fields, Hand, header, status, to_tag};
use crate::web::{get, until};

/// What "your place is kept" sounds like here, in Hz.
const KEPT_HZ: f64 = 2_500.0;
/// What "you are at your old place" sounds like here, in Hz.
const BACK_HZ: f64 = 2_800.0;
/// What the beginning of "the wait is ..." sounds like here, in Hz.
const TOLD_HZ: f64 = 2_200.0;
/// A kill that follows a spoken word follows it within this time, in milliseconds.
const AFTER_WORD_MS: u64 = 4_000;
/// How many of a hundred kills do so, unless `HOTLINE_KILLS_AFTER_WORD` says otherwise.
const AFTER_WORD_PERCENT: u64 = 50;
/// Callers who wait in each round.
const WAITING: usize = 4;
/// Callers who ring, stay a moment and hang up, over and over.
const PASSING: usize = 3;

/// How often, and when.
struct Plan {
    kills: u32,
    /// Within which time of its round's beginning.
    within_ms: u64,
    /// How many of a hundred rather follow a spoken word.
    after_word: u64,
    seed: u64,
}

impl Plan {
    fn of_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
        Self {
            kills: number("HOTLINE_KILLS").and_then(|n| u32::try_from(n).ok()).unwrap_or(12),
            within_ms: number("HOTLINE_KILL_WITHIN_MS").unwrap_or(4_000),
            after_word: number("HOTLINE_KILLS_AFTER_WORD").unwrap_or(AFTER_WORD_PERCENT),
            seed: number("HOTLINE_SEED").unwrap_or(20_261_111),
        }
    }
}

/// When the plug is pulled.
#[derive(Clone, Copy)]
enum KillAt {
    /// So long after the round's beginning.
    Begun(Duration),
    /// So long after the first caller heard this tone begin, in Hz.
    Heard(f64, Duration),
}

/// A home whose promises can be told from all else by ear.
fn home() -> Home {
    let home = Home::new();
    let audio = home.folder.join("audio");
    make_audio(&audio);
    for (name, hz) in [("if-we-lose-you", KEPT_HZ), ("place-restored", BACK_HZ), ("wait-is", TOLD_HZ)] {
        for language in ["zh", "en"] {
            std::fs::write(audio.join(language).join(name).with_extension("wav"), wav(hz, 2_400)).unwrap();
        }
    }
    let settings = home.folder.join("hotline.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(settings, format!("{text}[files]\naudio = \"audio\"\n")).unwrap();
    home
}

/// What callers saw.
#[derive(Default)]
struct Seen {
    /// Callers whose call was answered: exactly one record each, even if the plug was pulled the moment after.
    answered: Vec<String>,
    /// Callers whose BYE was answered: the record says that they hung up.
    acknowledged: Vec<String>,
}

/// Calls one after the other, without sound, until told to stop or nobody answers.
fn pass(home: &Home, name: &str, stop: &AtomicBool, seen: &Mutex<Seen>) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (hand, from) = (Hand::open(home.sip), format!("{name}n{n}"));
        hand.patience(Duration::from_millis(400));
        let body = Hand::sdp();
        let more = Fields { from: &from, body: &body, ..Fields::default() };
        hand.send(&hand.request("INVITE", "95188", 1, &more));
        let Some(answer) = hand.answer_if_any("INVITE") else { continue };
        assert_eq!(status(&answer), 200, "{answer}");
        seen.lock().unwrap().answered.push(from.clone());
        let tag = to_tag(&answer);
        let within = Fields { from: &from, to_tag: &tag, ..Fields::default() };
        hand.send(&hand.request("ACK", "95188", 1, &within));
        std::thread::sleep(Duration::from_millis(30));
        let bye = hand.request("BYE", "95188", 2, &within);
        // The answer may wait for the disk: we ask again, as any phone does, and take the first.
        for _ in 0..8 {
            hand.send(&bye);
            if let Some(over) = hand.answer_if_any("BYE") {
                assert_eq!(header(&over, "CSeq"), "2 BYE");
                if status(&over) == 200 {
                    seen.lock().unwrap().acknowledged.push(from.clone());
                }
                break;
            }
            if stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

fn heard(phone: &Phone, hz: f64) -> bool {
    let window = Duration::from_millis(100);
    let samples = phone.ear.all();
    let step = usize::try_from(hotline::media::samples_in(window)).unwrap();
    samples.chunks_exact(step).any(|chunk| hotline::media::amplitude(chunk, hz) > 2_000.0)
}

async fn caller(home: &Home, name: &str) -> Phone {
    let mut settings = PhoneSettings::new(name, home.sip);
    settings.voice = Voice::Silence;
    Phone::start(settings).await.unwrap()
}

/// One line for each call of the record that a caller made: cause, and how many.
async fn record(database: &Path) -> (BTreeMap<String, Vec<String>>, String) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let mut conn = options.connect().await.unwrap();
    let check = sqlx::query("PRAGMA integrity_check").fetch_one(&mut conn).await.unwrap();
    let rows = sqlx::query("SELECT caller, coalesce(cause, 'open') FROM calls").fetch_all(&mut conn).await;
    let mut calls: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows.unwrap() {
        calls.entry(row.get(0)).or_default().push(row.get(1));
    }
    (calls, check.get(0))
}

/// Promises of calls that are over: how many have no outcome, and how many have more than one.
async fn without_outcome(database: &Path) -> (i64, i64) {
    let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(database).connect().await.unwrap();
    let sql = "SELECT coalesce(sum(n = 0), 0), coalesce(sum(n > 1), 0) FROM (SELECT (SELECT count(*) FROM promises p
               WHERE p.ticket = t.ticket AND p.told_us = t.at_us) AS n FROM tellings t WHERE t.kind = 'wait')";
    let row = sqlx::query(sql).fetch_one(&mut conn).await.unwrap();
    (row.get(0), row.get(1))
}

/// How many tellings of the wait the record has of the calls of each caller.
async fn tellings(database: &Path) -> BTreeMap<String, i64> {
    let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(database).connect().await.unwrap();
    let sql = "SELECT c.caller, count(*) FROM tellings t JOIN calls c ON c.id = t.call WHERE t.kind = 'wait' GROUP BY c.caller";
    let rows = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// What is counted over all rounds.
#[derive(Debug, Default)]
struct Sum {
    kills: u32,
    /// Kills that followed "your place is kept", and those that followed "the wait is".
    after_kept: usize,
    after_told: usize,
    told: usize,
    answered: usize,
    acknowledged: usize,
    promised: usize,
    returned: usize,
    ready: Vec<Duration>,
    /// Calls with exactly one record.
    recorded: usize,
}

impl Sum {
    /// When the next plug is pulled.
    fn next_kill(&mut self, plan: &Plan, rng: &mut Rng) -> KillAt {
        let after = Duration::from_millis(rng.below(AFTER_WORD_MS));
        match (rng.below(100) < plan.after_word, rng.below(2)) {
            (false, _) => KillAt::Begun(Duration::from_millis(rng.below(plan.within_ms))),
            (true, 0) => {
                self.after_kept += 1;
                KillAt::Heard(KEPT_HZ, after)
            }
            (true, _) => {
                self.after_told += 1;
                KillAt::Heard(TOLD_HZ, after)
            }
        }
    }
}

/// Somebody who waited when the plug was pulled: whether he was promised his place, and told how long he will wait.
struct Lost {
    name: String,
    promised: bool,
    told: bool,
}

/// A caller in line.
struct Waiter {
    phone: Phone,
    lost: Lost,
}

impl Waiter {
    /// Takes note of what he heard so far.
    fn listen(&mut self) {
        let Self { phone, lost } = self;
        lost.promised = lost.promised || heard(phone, KEPT_HZ);
        lost.told = lost.told || heard(phone, TOLD_HZ);
    }
}

struct Round<'h> {
    home: &'h Home,
    number: u32,
    kill_at: KillAt,
    /// The agent's phone keeps its address, as real ones do: it registers and signs in once, before the first kill.
    agent_port: u16,
}

impl Round<'_> {
    /// One caller talks to the agent, others wait, others pass, and the plug is pulled. Who waited, in their order.
    fn until_killed(&self, server: Running, seen: &Arc<Mutex<Seen>>) -> Vec<Lost> {
        let (stop, number, home) = (AtomicBool::new(false), self.number, self.home);
        let runtime = runtime();
        let (_agent, _talker) = runtime.block_on(self.talk(seen));
        std::thread::scope(|scope| {
            for n in 0..PASSING {
                let (stop, seen) = (&stop, Arc::clone(seen));
                scope.spawn(move || pass(home, &format!("p{number}x{n}"), stop, &seen));
            }
            let (now, at) = std::sync::mpsc::channel::<Duration>();
            let killer = scope.spawn(move || {
                std::thread::sleep(at.recv().unwrap_or_default());
                server.kill();
            });
            if let KillAt::Begun(after) = self.kill_at {
                now.send(after).unwrap();
            }
            let lost = runtime.block_on(self.wait_in_line(now, seen));
            killer.join().unwrap();
            stop.store(true, Ordering::Relaxed);
            lost
        })
    }

    async fn talk(&self, seen: &Mutex<Seen>) -> (Phone, Phone) {
        let mut settings = self.home.phone_of("8001", Voice::Silence);
        settings.port = self.agent_port;
        let mut agent = Phone::start(settings).await.unwrap();
        let code = if self.number == 0 {
            agent.register(Duration::from_hours(1)).await.unwrap();
            agent.wait("registration", SOON, |e| matches!(e, PhoneEvent::Registered(true, _))).await.unwrap();
            "*81"
        } else {
            // Ready again after the conversation that the kill cut off. He is signed in, or this would be refused.
            "*83"
        };
        agent.dial(code).await.unwrap();
        agent.wait("the end of the code", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        let name = format!("t{}", self.number);
        let mut talker = caller(self.home, &name).await;
        talker.dial("95188").await.unwrap();
        talker.wait("the answer", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        seen.lock().unwrap().answered.push(name);
        talker.press("0").await.unwrap();
        agent.wait("a ring", SOON, |e| matches!(e, PhoneEvent::Rings(_))).await.unwrap();
        agent.answer().await.unwrap();
        agent.wait("the talk", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        (agent, talker)
    }

    async fn wait_in_line(&self, kill: Sender<Duration>, seen: &Mutex<Seen>) -> Vec<Lost> {
        const AND_A_MOMENT: Duration = Duration::from_millis(300);
        let mut end = Instant::now()
            + match self.kill_at {
                KillAt::Begun(after) => after + AND_A_MOMENT,
                KillAt::Heard(..) => SOON,
            };
        let mut waiting: Vec<Waiter> = Vec::new();
        let mut awaited = match self.kill_at {
            KillAt::Begun(_) => None,
            KillAt::Heard(hz, after) => Some((hz, after)),
        };
        while Instant::now() < end {
            if waiting.len() < WAITING {
                match self.joins(waiting.len(), end, seen).await {
                    Some(waiter) => waiting.push(waiter),
                    None => break,
                }
            }
            for waiter in &mut waiting {
                waiter.listen();
            }
            if let Some((_, after)) = awaited.filter(|(hz, _)| waiting.iter().any(|w| heard(&w.phone, *hz))) {
                awaited = None;
                kill.send(after).unwrap();
                end = Instant::now() + after + AND_A_MOMENT;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(awaited.is_none(), "nobody was told anything");
        tokio::time::sleep(end.saturating_duration_since(Instant::now())).await;
        let last = |mut waiter: Waiter| {
            waiter.listen();
            waiter.lost
        };
        waiting.into_iter().map(last).collect()
    }

    /// One more caller rings and asks for a person; `None` when he is not answered any more.
    async fn joins(&self, n: usize, end: Instant, seen: &Mutex<Seen>) -> Option<Waiter> {
        let name = format!("w{}x{n}", self.number);
        let mut phone = caller(self.home, &name).await;
        phone.dial("95188").await.unwrap();
        let left = end.saturating_duration_since(Instant::now());
        phone.wait("the answer", left, |e| *e == PhoneEvent::Up).await.ok()?;
        seen.lock().unwrap().answered.push(name.clone());
        phone.press("0").await.unwrap();
        Some(Waiter { phone, lost: Lost { name, promised: false, told: false } })
    }
}

/// The record agrees with what callers saw.
async fn check_record(home: &Home, seen: &Seen, sum: &mut Sum) {
    let (calls, integrity) = until_closed(home).await;
    assert_eq!(integrity, "ok");
    for caller in &seen.answered {
        let causes = calls.get(caller).cloned().unwrap_or_default();
        assert_eq!(causes.len(), 1, "{caller} has the records {causes:?}");
        sum.recorded += 1;
        assert!(["hung_up", "server_restart"].contains(&causes[0].as_str()), "{caller}: {causes:?}");
    }
    for caller in &seen.acknowledged {
        assert_eq!(calls.get(caller), Some(&vec!["hung_up".to_owned()]), "{caller}'s BYE was answered");
    }
}

async fn until_closed(home: &Home) -> (BTreeMap<String, Vec<String>>, String) {
    let end = Instant::now() + SOON;
    loop {
        let found = record(&home.database()).await;
        if !found.0.values().flatten().any(|cause| cause == "open") {
            assert_eq!(
                without_outcome(&home.database()).await,
                (0, 0),
                "promises without an outcome, or with two"
            );
            return found;
        }
        assert!(Instant::now() < end, "calls stay open: {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn strings(value: &serde_json::Value, name: &str) -> Vec<String> {
    value.as_array().unwrap().iter().map(|v| v[name].as_str().unwrap_or_default().to_owned()).collect()
}

/// Everybody who was promised his place is listed, in order; he rings again, is told, and stands where he stood.
async fn come_back(home: &Home, lost: &[Lost], rng: &mut Rng, sum: &mut Sum) {
    let view = get(home.http, "/api/v1/status").json();
    let listed = strings(&view["board"]["lost_places"], "caller");
    let order: Vec<String> = lost.iter().map(|lost| lost.name.clone()).collect();
    let recorded = tellings(&home.database()).await;
    for Lost { name, promised, told } in lost {
        assert!(!promised || listed.contains(name), "{name} was promised his place; kept are {listed:?}");
        assert!(
            !told || recorded.contains_key(name),
            "{name} was told his wait, and the record knows nothing of it"
        );
        sum.promised += usize::from(*promised);
        sum.told += usize::from(*told);
    }
    let wanted: Vec<String> = order.iter().filter(|name| listed.contains(*name)).cloned().collect();
    let stands: Vec<&String> = listed.iter().filter(|name| order.contains(*name)).collect();
    assert_eq!(stands, wanted.iter().collect::<Vec<_>>(), "the order is lost");
    let (mut left, mut phones) = (wanted.clone(), Vec::new());
    while !left.is_empty() {
        let at = usize::try_from(rng.below(left.len() as u64)).unwrap();
        let name = left.swap_remove(at);
        let mut phone = caller(home, &name).await;
        phone.dial("95188").await.unwrap();
        phone.wait("the answer", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        let told = phone.ear.until(SOON, |_| heard(&phone, BACK_HZ).then_some(())).await;
        assert!(told.is_some(), "{name} was not told that he has his place back");
        phones.push(phone);
        sum.returned += 1;
    }
    let view = get(home.http, "/api/v1/status").json();
    let callers: BTreeMap<u64, String> = view["board"]["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["call"].as_u64().unwrap(), c["caller"].as_str().unwrap().to_owned()))
        .collect();
    let queues = view["board"]["acd"]["queues"].as_array().unwrap();
    let line: Vec<&String> = queues
        .iter()
        .flat_map(|q| q["waiting"].as_array().unwrap())
        .map(|t| &callers[&t["call"].as_u64().unwrap()])
        .collect();
    assert_eq!(line, wanted.iter().collect::<Vec<_>>(), "inversions in the line");
    for mut phone in phones {
        phone.hang_up().await.unwrap();
        phone.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
    }
    until("an empty house", || {
        let view = get(home.http, "/api/v1/status").json();
        view["board"]["acd"]["queues"]
            .as_array()?
            .iter()
            .all(|q| q["waiting"] == serde_json::json!([]))
            .then_some(())
    })
    .await;
}

#[test]
fn killed_at_any_moment_it_is_ready_again_and_nothing_acknowledged_is_lost() {
    let plan = Plan::of_environment();
    let Plan { kills, within_ms, after_word, seed } = plan;
    println!(
        "HOTLINE_SEED={seed} HOTLINE_KILLS={kills} HOTLINE_KILL_WITHIN_MS={within_ms} HOTLINE_KILLS_AFTER_WORD={after_word}"
    );
    let home = home();
    let (seen, mut sum) = (Arc::new(Mutex::new(Seen::default())), Sum::default());
    let mut rng = Rng::from_number(seed);
    let agent_port = free_port().port();
    let (mut server, _) = home.serve();
    for number in 0..kills {
        let kill_at = sum.next_kill(&plan, &mut rng.fork(&format!("round {number}")));
        let lost = Round { home: &home, number, kill_at, agent_port }.until_killed(server, &seen);
        sum.kills += 1;
        let begun = Instant::now();
        server = home.serve().0;
        sum.ready.push(begun.elapsed());
        let saw = std::mem::take(&mut *seen.lock().unwrap());
        sum.answered += saw.answered.len();
        sum.acknowledged += saw.acknowledged.len();
        runtime().block_on(async {
            check_record(&home, &saw, &mut sum).await;
            come_back(&home, &lost, &mut rng, &mut sum).await;
        });
    }
    sum.ready.sort_unstable();
    let worst = sum.ready.last().copied().unwrap_or_default();
    println!(
        "{} kills: {} calls answered, {} with exactly one record, none with two or none; {} ends acknowledged, 0 lost; {} kills \
         within 4 s after the first \"your place is kept\" and {} after the first word on the wait; {} callers had heard that their place \
         is kept and {} how long they wait, each with one outcome; {} places given back in order, all of them told; ready again after \
         {:?} at worst, {:?} at the median",
        sum.kills,
        sum.answered,
        sum.recorded,
        sum.acknowledged,
        sum.after_kept,
        sum.after_told,
        sum.promised,
        sum.told,
        sum.returned,
        worst,
        sum.ready[sum.ready.len() / 2]
    );
    assert!(worst < Duration::from_secs(15), "ready again after {worst:?}");
    assert!(sum.promised >= sum.after_kept && sum.told >= sum.after_told, "{sum:?}");
    assert!(kills < 12 || after_word < 30 || (sum.after_kept > 0 && sum.after_told > 0), "{sum:?}");
    drop(server);
}
