//! The search for the highest rate without a failure, played: each trial is a day of calls at one rate.
use std::time::Duration;

use super::{DayError, DayReport, DaySettings, Progress, play};
use crate::replay::capacity::{Capacity, Lasted, Next, Phase, Search, SearchSettings, Verdict};

/// A confirmation lasts so many times as long as a trial.
const CONFIRM: u32 = 3;
/// How long a trial's last calls may take after the last one was begun.
const TAIL: Duration = Duration::from_secs(45);
/// A server that failed is called at the last good rate, for so long, without judging, until it fails no more, so many times
/// at most: what it still sheds of one trial is no failure of the next, and who protects himself lets more in only when he
/// sees that he can.
const RECOVERS: Duration = Duration::from_secs(2);
const RECOVERIES: usize = 5;

/// How a trial is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrialSettings {
    /// How the rates are searched.
    pub search: SearchSettings,
    /// How long calls come in a trial.
    pub lasts: Duration,
    /// How long after his last key a caller hangs up.
    pub hold: Duration,
}

impl Default for TrialSettings {
    fn default() -> Self {
        let (lasts, hold) = (Duration::from_secs(10), Duration::from_secs(3));
        Self { search: SearchSettings::default(), lasts, hold }
    }
}

/// Searches; a trial ends with its first failure. `watch` is told of each trial that begins and how it stands.
///
/// # Errors
/// When a socket fails.
pub fn find_capacity(
    day: &DaySettings,
    trial: TrialSettings,
    mut watch: impl FnMut(f64, Phase, &Progress),
) -> Result<Capacity, DayError> {
    let mut search = Search::new(trial.search);
    loop {
        let (rate, phase) = match search.next() {
            Next::Over(capacity) => return Ok(capacity),
            Next::Try(rate, phase) => (rate, phase),
        };
        let lasts = if phase == Phase::Confirm { trial.lasts * CONFIRM } else { trial.lasts };
        let report = play(one(day, rate, lasts, trial.hold), |progress| watch(rate, phase, progress))?;
        let (verdict, why) = judge(&report);
        let lasted = Lasted { calls: report.outcomes.calls, seconds: report.seconds };
        search.tell((rate, phase), lasted, verdict, why);
        if verdict == Verdict::Failed && matches!(search.next(), Next::Try(..)) {
            recover(day, search.good().unwrap_or(rate / 2.0), trial, |progress| {
                watch(rate, phase, progress);
            })?;
        }
    }
}

/// Lets a server that failed come to itself.
fn recover(
    day: &DaySettings,
    rate: f64,
    trial: TrialSettings,
    mut watch: impl FnMut(&Progress),
) -> Result<(), DayError> {
    for _ in 0..RECOVERIES {
        let calm =
            DaySettings { until_failure: false, ..one(day, rate, RECOVERS.min(trial.lasts), trial.hold) };
        if play(calm, &mut watch)?.failures().is_empty() {
            break;
        }
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of calls, not negative"
)]
fn one(day: &DaySettings, rate: f64, lasts: Duration, hold: Duration) -> DaySettings {
    let calls = (rate * lasts.as_secs_f64()).ceil().max(1.0) as usize;
    DaySettings {
        rate: Some(rate),
        hold: Some(hold),
        max_calls: calls.min(day.max_calls),
        max_time: lasts + hold + TAIL,
        until_failure: true,
        ..day.clone()
    }
}

/// One failure is a failure; where the phones were late nothing is said of the server.
fn judge(report: &DayReport) -> (Verdict, Vec<String>) {
    if report.punctuality.late {
        return (Verdict::ToolLate, report.punctuality.why.clone());
    }
    let mut failures = report.failures();
    // Those whom the end of the trial found inside are no failures of their own.
    if failures.is_empty() && report.outcomes.cut_short > 0 {
        failures.push(format!("{} calls never ended", report.outcomes.cut_short));
    }
    let verdict = if failures.is_empty() { Verdict::Passed } else { Verdict::Failed };
    (verdict, failures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::day::Outcomes;

    #[test]
    fn one_refusal_fails_a_trial_and_late_phones_void_it() {
        let good = DayReport::default();
        assert_eq!(judge(&good).0, Verdict::Passed);
        let outcomes = Outcomes { refused: 1, ..Outcomes::default() };
        let mut bad = DayReport { outcomes, ..DayReport::default() };
        assert_eq!(judge(&bad).0, Verdict::Failed);
        bad.punctuality.late = true;
        assert_eq!(judge(&bad).0, Verdict::ToolLate);
    }
}
