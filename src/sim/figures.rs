//! What a simulated day is summed up to: figures for people and programs.
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::exchange::{PromiseFigures, promise_lines};

/// Waits of those who were answered, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Waits {
    /// The mean.
    pub mean_s: f64,
    /// The median.
    pub p50_s: f64,
    /// Nine of ten waited less.
    pub p90_s: f64,
    /// 99 of a hundred.
    pub p99_s: f64,
    /// The longest.
    pub max_s: f64,
}

impl Waits {
    /// Of waits in milliseconds, which are sorted here, and their sum.
    pub(super) fn of(waits_ms: &mut [u32], sum: Duration) -> Self {
        waits_ms.sort_unstable();
        let Some(last) = waits_ms.len().checked_sub(1) else { return Self::default() };
        let at =
            |percent: usize| f64::from(waits_ms.get(last * percent / 100).copied().unwrap_or(0)) / 1_000.0;
        let n = u32::try_from(waits_ms.len()).unwrap_or(u32::MAX);
        Self {
            mean_s: sum.as_secs_f64() / f64::from(n),
            p50_s: at(50),
            p90_s: at(90),
            p99_s: at(99),
            max_s: at(100),
        }
    }
}

/// What waiting callers were first told, against the truth.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ToldTrue {
    /// Callers who were told a range and then answered.
    pub told: u64,
    /// Whose wait lay within it.
    pub inside: u64,
    /// Whose wait was longer than its upper end.
    pub longer: u64,
    /// Some of them, one by one, over the whole day.
    pub points: Vec<ToldPoint>,
}

/// One telling and its outcome, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "told from, told to, true")]
pub struct ToldPoint {
    pub low_s: f64,
    pub high_s: f64,
    pub true_s: f64,
}

/// One half hour, by when callers came or joined a queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HalfHour {
    /// What clocks show at its beginning.
    pub clock: String,
    /// Calls that came.
    pub arrived: u64,
    /// Callers who joined a queue.
    pub queued: u64,
    /// Of those: answered by an agent.
    pub answered: u64,
    /// Of those: hung up before.
    pub abandoned: u64,
    /// Of those: sent away by a queue's rules.
    pub turned_away: u64,
    /// Share answered within the queue's target.
    pub service_level: Option<f64>,
    /// Waits of those answered.
    pub waits: Waits,
    /// Agents at work, on average.
    pub agents: f64,
    /// Of those busy, on average.
    pub busy: f64,
}

/// One queue, by where callers first waited.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "as in HalfHour")]
pub struct QueueDay {
    pub queue: String,
    pub queued: u64,
    pub answered: u64,
    pub abandoned: u64,
    pub turned_away: u64,
    pub service_level: Option<f64>,
    pub waits: Waits,
}

/// How often a key was pressed in a menu.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named by themselves")]
pub struct KeyCount {
    pub menu: String,
    pub key: String,
    pub count: u64,
}

/// What the machines did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MachineFigures {
    /// Inputs from outside.
    pub inputs: u64,
    /// Facts that they made.
    pub facts: u64,
    /// The hash over all of them.
    pub hash: String,
    /// Inputs that met a state in which they made no sense.
    pub ignored: u64,
    /// Broken invariants: must be 0.
    pub broken: u64,
    /// Batches of futures that the distributor asked for.
    pub batches: u64,
}

/// A simulated day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DayReport {
    /// The scenario's name.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Calls that were taken in, those of callers who rang again included.
    pub visits: u64,
    /// Times that somebody rang again.
    pub redials: u64,
    /// Calls that were refused at the door.
    pub refused: u64,
    /// Callers who joined a queue.
    pub queued: u64,
    /// Of those: answered by an agent.
    pub answered: u64,
    /// Of those: hung up before.
    pub abandoned: u64,
    /// Of those: sent away by a queue's rules.
    pub turned_away: u64,
    /// Calls that ended in the menus.
    pub in_menus: u64,
    /// Share answered within the queue's target.
    pub service_level: Option<f64>,
    /// Share not answered.
    pub abandonment: Option<f64>,
    /// Share of the agents' time at work in which they were busy.
    pub occupancy: f64,
    /// Waits of those answered.
    pub waits: Waits,
    /// What they were told.
    pub told: ToldTrue,
    /// What became of all that they were told, by queue and half hour of the line's clock.
    pub promises: Vec<PromiseFigures>,
    /// Tellings that rose.
    pub rises: u64,
    /// Agents whose phones fell silent in a conversation.
    pub lost_agents: u64,
    /// Conferences of three.
    pub conferences: u64,
    /// Transfers asked for by phones that succeeded.
    pub transfers: u64,
    /// By half hour.
    pub half_hours: Vec<HalfHour>,
    /// By queue.
    pub queues: Vec<QueueDay>,
    /// By menu and key.
    pub keys: Vec<KeyCount>,
    /// What the machines did.
    pub machine: MachineFigures,
}

/// A share as text.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |s| format!("{:.1} %", s * 100.0))
}

/// Seconds as text: `45 s`, `3 min 20 s`.
pub(super) fn time(seconds: f64) -> String {
    if seconds < 120.0 {
        return format!("{seconds:.1} s");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, below a day")]
    let whole = seconds as u64;
    format!("{} min {:02} s", whole / 60, whole % 60)
}

impl fmt::Display for DayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { visits, redials, refused, queued, answered, abandoned, turned_away, waits, told, .. } =
            self;
        writeln!(f, "{}", self.title)?;
        writeln!(
            f,
            "  calls          {visits} ({redials} rang again, {refused} refused, {} ended in the menus)",
            self.in_menus
        )?;
        writeln!(
            f,
            "  waited         {queued}: {answered} answered, {abandoned} hung up, {turned_away} turned away"
        )?;
        writeln!(f, "  service level  {}", percent(self.service_level))?;
        writeln!(
            f,
            "  wait           mean {}, half {}, nine of ten {}, longest {}",
            time(waits.mean_s),
            time(waits.p50_s),
            time(waits.p90_s),
            time(waits.max_s)
        )?;
        writeln!(f, "  agents busy    {}", percent(Some(self.occupancy)))?;
        let inside = super::tally::share(told.inside, told.told);
        let longer = super::tally::share(told.longer, told.told);
        writeln!(
            f,
            "  told           {} callers; {} waited within what they were told, {} longer",
            told.told,
            percent(inside),
            percent(longer)
        )?;
        writeln!(
            f,
            "\n  queue           waited  answered   hung up    away   in time   mean wait   nine of ten"
        )?;
        for q in &self.queues {
            writeln!(
                f,
                "  {:<14}{:>8}{:>10}{:>10}{:>8}{:>10}{:>12}{:>14}",
                q.queue,
                q.queued,
                q.answered,
                q.abandoned,
                q.turned_away,
                percent(q.service_level),
                time(q.waits.mean_s),
                time(q.waits.p90_s)
            )?;
        }
        writeln!(f, "\n  promises")?;
        for line in promise_lines(&self.promises, true).lines() {
            writeln!(f, "  {line}")?;
        }
        let m = &self.machine;
        write!(f, "\n  {} inputs, {} facts, hash {}", m.inputs, m.facts, m.hash)?;
        if m.broken > 0 {
            write!(f, "\n  {} broken invariants: please report this", m.broken)?;
        }
        Ok(())
    }
}
