//! What the record costs: a call that hears a prompt and hangs up becomes its facts in the journal's form, its facts and
//! its row in SQLite. Budget: 60 us of CPU a call, all threads of the process, so that 2,000 calls a second take a
//! tenth of a core.
mod support;

use std::time::Duration;

use hotline::base::{CallId, Instant, Language, LegId, MenuId, Now, PromptId, Seq, UtcTime};
use hotline::exchange::{
    Arrival, Cause, Entry, Fact, Happening, Input, Ledger, NumberedFact, Peer, Record, Vouched, decode,
    encode,
};
use hotline::io::{Store, Writer};
use nix::time::{ClockId, clock_gettime};

/// Calls written in all.
const CALLS: u64 = 20_000;
/// Calls that end in each 200 ms at 2,000 a second.
const BATCH: u64 = 400;

/// CPU time of all threads, in microseconds.
fn process_us() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the process has a CPU clock");
    Duration::new(time.tv_sec().unsigned_abs(), u32::try_from(time.tv_nsec()).unwrap_or(0)).as_secs_f64()
        * 1e6
}

/// A call's entries: eight facts in five inputs, as the load tool makes them.
fn entries(call: u64) -> Vec<Entry> {
    let (id, leg) = (CallId(call), LegId(2 * call));
    let arrival = Arrival {
        dialled: "95188".into(),
        caller: format!("138{call:08}"),
        caller_name: String::new(),
        peer: Peer::Stranger,
        vouched: Vouched::default(),
    };
    let heard = |prompt: &str| Fact::Heard { call: id, prompts: vec![PromptId::from(prompt)] };
    let inputs = [
        (
            Input::LegArrived { leg, arrival: arrival.clone() },
            vec![
                Fact::CallStarted { call: id, leg, arrival, menus: "3f2a91c0".into() },
                Fact::CallAnswered { call: id },
                Fact::LanguageChosen { call: id, language: Language::Mandarin },
                Fact::MenuEntered { call: id, menu: MenuId::from("main") },
            ],
        ),
        (Input::PromptEnded { leg, play: hotline::base::PlayId(call) }, vec![heard("welcome")]),
        (Input::PromptEnded { leg, play: hotline::base::PlayId(call) }, vec![heard("main")]),
        (
            Input::LegEnded { leg, cause: Cause::HungUp },
            vec![
                heard("main-short"),
                Fact::CallEnded { call: id, cause: Cause::HungUp, lasted: Duration::from_secs(1) },
            ],
        ),
    ];
    let at = Now { mono: Instant::from_millis(call), utc: UtcTime::from_micros(1_800_000_000_000_000) };
    let entry =
        |(n, (input, facts))| Entry { seq: Seq(4 * call + n), now: at, what: Happening::Input(input), facts };
    (0..).zip(inputs).map(entry).collect()
}

async fn write(folder: &std::path::Path) -> (f64, f64) {
    let store = Store::open(&folder.join("bench.db")).await.expect("a store");
    let mut writer = Writer::open(&store).await.expect("its writer");
    let (mut journal_us, mut store_us) = (0.0, 0.0);
    for batch in 0..CALLS / BATCH {
        let all: Vec<Entry> = (1..=BATCH).flat_map(|n| entries(batch * BATCH + n)).collect();
        let begun = process_us();
        let mut bytes = Vec::new();
        for entry in &all {
            encode(entry, &mut bytes).expect("an entry");
        }
        journal_us += process_us() - begun;
        let facts: Vec<NumberedFact> = all.into_iter().flat_map(Entry::into_facts).collect();
        let begun = process_us();
        writer.write(&facts).await.expect("a batch");
        store_us += process_us() - begun;
    }
    (journal_us, store_us)
}

/// A segment as long as they get, read and folded as at a start. In milliseconds of CPU.
fn replay_ms() -> f64 {
    const SEGMENT: usize = 16 << 20;
    let mut bytes = Vec::new();
    let mut call = 0;
    while bytes.len() < SEGMENT {
        call += 1;
        for entry in entries(call) {
            encode(&entry, &mut bytes).expect("an entry");
        }
    }
    let begun = process_us();
    let mut ledger = Ledger::default();
    for record in decode(&bytes) {
        if let Record::Entry(entry) = record.expect("a sound record") {
            ledger.apply(&entry);
        }
    }
    assert_eq!(ledger.calls().len(), 0, "every call ended");
    (process_us() - begun) / 1e3
}

fn main() {
    let folder = std::env::temp_dir().join(format!("hotline-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (journal, store) = runtime.block_on(write(&folder));
    std::fs::remove_dir_all(&folder).expect("the folder goes");
    support::report("journal_replay_16_mib", replay_ms(), "ms", 1_000.0);
    let calls = f64::from(u32::try_from(CALLS).expect("few enough"));
    support::report("journal_per_call", journal / calls, "us", 12.0);
    support::report("store_per_call", store / calls, "us", 60.0);
    println!(
        "{CALLS} calls in batches of {BATCH}: {:.0} calls/s on one core",
        calls * 1e6 / (journal + store)
    );
}
