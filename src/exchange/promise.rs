//! Promises: every range of a wait that was told, and what became of it.
//!
//! A promise is kept when he is served by its upper end, late when he still waits then, whether he is served later or
//! not, and broken when he left before, for whatever cause: a stop of the server breaks it too.
//!
//! Invariant: each range that was said, of the first [`REMEMBERED`] of a place, has exactly one [`Promised`], when its place
//! in line is over.
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::menu::Zone;
use super::{Cause, Told};
use crate::base::{Instant, Now, QueueId, UtcTime};

/// Promises remembered of one place; he is told about once a minute.
const REMEMBERED: usize = 240;
/// Seconds of a half-hour.
const HALF_HOUR_S: i64 = 1_800;

/// A range that was said.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Given {
    at: Now,
    low: Duration,
    high: Duration,
    at_entry: bool,
}

/// What one who waits was promised.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Promises(Vec<Given>);

/// What became of a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromiseOutcome {
    /// He was served by the time said.
    Kept,
    /// He still waited at the time said.
    Late,
    /// He left before the time said.
    Broken,
}

impl PromiseOutcome {
    /// Its name in records and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Late => "late",
            Self::Broken => "broken",
        }
    }
}

/// A promise that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promised {
    /// Where he waited.
    pub queue: QueueId,
    /// When it was said.
    pub told: UtcTime,
    /// By how many seconds the line's clock was ahead of UTC then.
    pub ahead_s: i32,
    /// The range said, as a wait from then on.
    pub low: Duration,
    /// See `low`.
    pub high: Duration,
    /// It was said as he joined, and not later.
    pub at_entry: bool,
    /// What became of it.
    pub outcome: PromiseOutcome,
    /// Why he left the line without an agent; `None`: he was served.
    pub cause: Option<Cause>,
    /// From the telling until he was served or left.
    pub waited: Duration,
}

impl Promised {
    /// When it was said, by the line's clock, in seconds since its 1970.
    pub const fn wall_s(&self) -> i64 {
        self.told.as_secs() + self.ahead_s as i64
    }

    /// The half-hour of the day by the line's clock, 0 to 47.
    pub fn half_hour(&self) -> u8 {
        u8::try_from(self.wall_s().rem_euclid(86_400) / HALF_HOUR_S).unwrap_or(0)
    }

    /// He was served before the least that was said.
    pub fn is_sooner(&self) -> bool {
        self.outcome == PromiseOutcome::Kept && self.waited < self.low
    }
}

impl Promises {
    /// Something was told to one who joined this line at `entered`.
    pub(super) fn told(&mut self, now: Now, entered: Instant, told: &Told) {
        let Told::Wait { low, high, .. } = *told else { return };
        if self.0.len() < REMEMBERED {
            self.0.push(Given { at: now, low, high, at_entry: now.mono == entered });
        }
    }

    /// His place is over now: he was served, or left for a cause.
    pub(super) fn over<'a>(
        &'a self,
        queue: &'a QueueId,
        (now, cause): (Instant, Option<Cause>),
        zone: &'a Zone,
    ) -> impl Iterator<Item = Promised> + 'a {
        self.0.iter().map(move |given| {
            let waited = now.since(given.at.mono);
            let outcome = match (waited <= given.high, cause) {
                (true, None) => PromiseOutcome::Kept,
                (true, Some(_)) => PromiseOutcome::Broken,
                (false, _) => PromiseOutcome::Late,
            };
            Promised {
                queue: queue.clone(),
                told: given.at.utc,
                ahead_s: zone.ahead_s(given.at.utc),
                low: given.low,
                high: given.high,
                at_entry: given.at_entry,
                outcome,
                cause,
                waited,
            }
        })
    }
}

/// Promises of one queue made in one half-hour of the day, by what became of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseFigures {
    /// The queue.
    pub queue: QueueId,
    /// Half-hour of the day by the line's clock, 0 to 47.
    pub half_hour: u8,
    /// Served by the time said.
    pub kept: u64,
    /// Of those kept: served before the least that was said.
    pub sooner: u64,
    /// Still waiting at the time said.
    pub late: u64,
    /// Left before the time said.
    pub broken: u64,
}

impl PromiseFigures {
    /// None yet.
    pub const fn new(queue: QueueId, half_hour: u8) -> Self {
        Self { queue, half_hour, kept: 0, sooner: 0, late: 0, broken: 0 }
    }

    /// All of them.
    pub const fn all(&self) -> u64 {
        self.kept + self.late + self.broken
    }

    /// What a clock shows as the half-hour begins.
    pub fn clock(&self) -> String {
        format!("{:02}:{:02}", self.half_hour / 2, self.half_hour % 2 * 30)
    }

    /// As many promises more as these are.
    pub const fn add(&mut self, other: &Self) {
        self.kept += other.kept;
        self.sooner += other.sooner;
        self.late += other.late;
        self.broken += other.broken;
    }

    /// One more.
    pub fn count(&mut self, promised: &Promised) {
        match promised.outcome {
            PromiseOutcome::Kept => self.kept += 1,
            PromiseOutcome::Late => self.late += 1,
            PromiseOutcome::Broken => self.broken += 1,
        }
        self.sooner += u64::from(promised.is_sooner());
    }
}

/// Promises by queue and half-hour.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromiseTally(BTreeMap<(QueueId, u8), PromiseFigures>);

impl PromiseTally {
    /// One more is over.
    pub fn count(&mut self, promised: &Promised) {
        let half_hour = promised.half_hour();
        let queue = &promised.queue;
        let of_now = self.0.entry((queue.clone(), half_hour));
        of_now.or_insert_with(|| PromiseFigures::new(queue.clone(), half_hour)).count(promised);
    }

    /// All figures, by queue and half-hour.
    pub fn figures(&self) -> Vec<PromiseFigures> {
        self.0.values().cloned().collect()
    }
}

/// Letters of the longest bar.
const BAR: u64 = 32;

/// Figures for a terminal: a line each with a bar, which is as long as there were promises; `by_queue`: a line for each
/// queue over the whole day. The sum stands last.
pub fn promise_lines(figures: &[PromiseFigures], by_queue: bool) -> String {
    let mut rows: Vec<(String, PromiseFigures)> = Vec::new();
    for row in figures {
        match rows.last_mut() {
            Some((_, last)) if by_queue && last.queue == row.queue => last.add(row),
            Some(_) | None if by_queue => rows.push((String::new(), row.clone())),
            Some(_) | None => rows.push((row.clock(), row.clone())),
        }
    }
    let most = rows.iter().map(|(_, row)| row.all()).max().unwrap_or(0).max(1);
    let mut text = format!(
        "{:<16} {:>5} {:>8} {:>8} {:>8} {:>7}  █ kept ▒ late ░ broken\n",
        "queue", "clock", "kept", "late", "broken", "of all"
    );
    let mut sum = PromiseFigures::new(QueueId::from("all"), 0);
    for (clock, row) in &rows {
        sum.add(row);
        text.push_str(&line(&row.queue, clock, row, most));
    }
    text + &line(&sum.queue, "", &sum, u64::MAX)
}

fn line(queue: &QueueId, clock: &str, row: &PromiseFigures, most: u64) -> String {
    let PromiseFigures { kept, late, broken, .. } = *row;
    let share = (kept * 100).checked_div(row.all()).map_or_else(|| "-".to_owned(), |s| format!("{s} %"));
    // What there was is seen: a letter at least.
    let part = |n: u64, letter: &str| letter.repeat(usize::try_from((n * BAR).div_ceil(most)).unwrap_or(0));
    let bar = if most == u64::MAX {
        String::new()
    } else {
        part(kept, "█") + &part(late, "▒") + &part(broken, "░")
    };
    let text = format!("{queue:<16} {clock:>5} {kept:>8} {late:>8} {broken:>8} {share:>7}  {bar}");
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(s: u64) -> Now {
        // 2026-11-10T16:10 UTC is ten past midnight in Shanghai.
        Now { mono: Instant::from_secs(s), utc: UtcTime::from_secs(1_794_327_000 + s.cast_signed()) }
    }

    fn wait(low: u64, high: u64) -> Told {
        Told::Wait { low: Duration::from_secs(low), high: Duration::from_secs(high), rose: None }
    }

    #[test]
    fn a_promise_is_kept_late_or_broken_by_the_lines_clock() {
        use PromiseOutcome::{Broken, Kept, Late};
        let mut promises = Promises::default();
        promises.told(now(0), Instant::from_secs(0), &wait(60, 120));
        promises.told(now(10), Instant::from_secs(0), &Told::Next);
        promises.told(now(50), Instant::from_secs(0), &wait(0, 240));
        let zone = Zone::named("Asia/Shanghai").unwrap();
        let queue = QueueId::from("general");
        let outcomes = |at: u64, cause| {
            let over = promises.over(&queue, (Instant::from_secs(at), cause), &zone);
            over.map(|p| (p.outcome, p.at_entry, p.half_hour())).collect::<Vec<_>>()
        };
        assert_eq!(outcomes(120, None), [(Kept, true, 0), (Kept, false, 0)]);
        assert_eq!(outcomes(121, None), [(Late, true, 0), (Kept, false, 0)]);
        assert_eq!(outcomes(200, Some(Cause::HungUp)), [(Late, true, 0), (Broken, false, 0)]);
        assert_eq!(outcomes(30, Some(Cause::ServerRestart)), [(Broken, true, 0), (Broken, false, 0)]);
    }

    #[test]
    fn figures_are_by_queue_and_half_hour() {
        let mut promises = Promises::default();
        promises.told(now(0), Instant::from_secs(0), &wait(60, 120));
        promises.told(now(1_300), Instant::from_secs(0), &wait(60, 120));
        let zone = Zone::named("Asia/Shanghai").unwrap();
        let mut tally = PromiseTally::default();
        let queue = QueueId::from("general");
        for promised in promises.over(&queue, (Instant::from_secs(1_310), None), &zone) {
            tally.count(&promised);
        }
        let of = |half_hour, kept, sooner, late| PromiseFigures {
            kept,
            sooner,
            late,
            ..PromiseFigures::new(queue.clone(), half_hour)
        };
        assert_eq!(tally.figures(), [of(0, 0, 0, 1), of(1, 1, 1, 0)]);
    }
}
