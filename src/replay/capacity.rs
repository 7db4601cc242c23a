//! The search for the highest rate without a failure, after RFC 7502 (section 4): upwards until a rate fails, between
//! the last good and the first bad one until they are close, then once more for long; backwards a little if that fails.
//!
//! ```text
//! phase      next rate                              ends
//! climb      twice the last good one                at the first failure, or at the most that is asked for
//! close in   the middle of good and bad             when they are at most the resolution apart
//! fall       half of the last bad one               at the first success, or below the least
//! confirm    the good one, for so much longer       good: found. Bad: 5 % less, again
//! ```
//!
//! Invariant: `good` passed, `bad` failed, good < bad; a trial in which the phones themselves were late tells nothing of
//! the server: it is done again, and after so many times the search ends without blaming anybody.
use serde::Serialize;

/// How is searched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchSettings {
    /// The first rate tried, in new calls each second.
    pub start: f64,
    /// The least worth trying.
    pub least: f64,
    /// The most that is tried.
    pub most: f64,
    /// How close good and bad must be: the margin of error of the answer.
    pub resolution: f64,
    /// How much a confirmation that failed takes back, as a share.
    pub back_off: f64,
    /// Trials at most.
    pub trials: usize,
    /// How often a trial in which the phones themselves were late is done again: a machine may be disturbed for a moment.
    pub late_again: usize,
}

impl Default for SearchSettings {
    fn default() -> Self {
        Self {
            start: 20.0,
            least: 0.5,
            most: 5_000.0,
            resolution: 5.0,
            back_off: 0.05,
            trials: 30,
            late_again: 2,
        }
    }
}

/// What a trial is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Twice the rate each time.
    Climb,
    /// Half of it each time.
    Fall,
    /// The middle.
    CloseIn,
    /// The good one for longer.
    Confirm,
}

/// What a trial showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not one failure.
    Passed,
    /// At least one.
    Failed,
    /// The phones themselves were late.
    ToolLate,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// New calls each second.
    pub rate: f64,
    /// What for.
    pub phase: Phase,
    /// How far it went.
    pub lasted: Lasted,
    /// What it showed.
    pub verdict: Verdict,
    /// Why it failed, for people.
    pub why: Vec<String>,
}

/// How far a trial went: one that fails ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Lasted {
    /// Calls begun.
    pub calls: u64,
    /// How long it took, its end included.
    pub seconds: f64,
}

/// What kept the rate from being higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitedBy {
    /// The server: above the rate it refused, broke or lost something.
    Server,
    /// The phones: above the rate they were late, and what the server bears is not known.
    Phones,
    /// Whoever asked: no higher rate was to be tried, and this one did not fail.
    Asked,
    /// Nothing that was found within the trials allowed.
    Trials,
}

/// What the search came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Capacity {
    /// The highest rate without a failure; `None`: none was found. Confirmed, unless the phones were the limit.
    pub rate: Option<f64>,
    /// The lowest rate that failed.
    pub failed_at: Option<f64>,
    /// What kept it from being higher.
    pub limited_by: LimitedBy,
    /// How far it failed there, for people; empty where the server was not the limit.
    pub why: Vec<String>,
    /// How the search ended, for people.
    pub ended: String,
    /// Every trial, in order.
    pub trials: Vec<Trial>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Try this rate.
    Try(f64, Phase),
    /// It is over.
    Over(Capacity),
}

/// The search.
#[derive(Clone, Debug)]
pub struct Search {
    settings: SearchSettings,
    good: Option<f64>,
    bad: Option<f64>,
    confirming: Option<f64>,
    ended: Option<(Option<f64>, LimitedBy, String)>,
    late: usize,
    trials: Vec<Trial>,
}

impl Search {
    /// Has tried nothing.
    pub fn new(settings: SearchSettings) -> Self {
        Self { settings, good: None, bad: None, confirming: None, ended: None, late: 0, trials: Vec::new() }
    }

    /// What is to be tried next.
    pub fn next(&self) -> Next {
        let failed = |ended: &str| Next::Over(self.over(None, LimitedBy::Server, ended));
        if let Some((rate, by, why)) = &self.ended {
            return Next::Over(self.over(*rate, *by, why));
        }
        if self.trials.len() >= self.settings.trials {
            let ended = "no rate was confirmed within the trials allowed";
            return Next::Over(self.over(None, LimitedBy::Trials, ended));
        }
        let s = &self.settings;
        if let Some(rate) = self.confirming {
            return if rate < s.least {
                failed("every rate fails for long")
            } else {
                Next::Try(rate, Phase::Confirm)
            };
        }
        match (self.good, self.bad) {
            (None, None) => Next::Try(s.start.clamp(s.least, s.most), Phase::Climb),
            (Some(good), None) if good >= s.most => Next::Try(good, Phase::Confirm),
            (Some(good), None) => Next::Try((good * 2.0).min(s.most), Phase::Climb),
            (None, Some(bad)) if bad / 2.0 < s.least => failed("every rate tried fails"),
            (None, Some(bad)) => Next::Try(bad / 2.0, Phase::Fall),
            (Some(good), Some(bad)) if bad - good <= s.resolution => Next::Try(good, Phase::Confirm),
            (Some(good), Some(bad)) => Next::Try(f64::midpoint(good, bad), Phase::CloseIn),
        }
    }

    fn over(&self, rate: Option<f64>, limited_by: LimitedBy, ended: &str) -> Capacity {
        let failed = self.trials.iter().filter(|t| t.verdict == Verdict::Failed);
        let lowest = failed.min_by(|a, b| a.rate.total_cmp(&b.rate));
        let why = lowest.filter(|_| limited_by == LimitedBy::Server).map(|t| t.why.clone());
        Capacity {
            rate,
            failed_at: lowest.map(|t| t.rate),
            limited_by,
            why: why.unwrap_or_default(),
            ended: ended.to_owned(),
            trials: self.trials.clone(),
        }
    }

    /// The highest rate that did not fail so far.
    pub const fn good(&self) -> Option<f64> {
        self.good
    }

    /// What the trial showed.
    pub fn tell(&mut self, (rate, phase): (f64, Phase), lasted: Lasted, verdict: Verdict, why: Vec<String>) {
        self.trials.push(Trial { rate, phase, lasted, verdict, why });
        self.late = if verdict == Verdict::ToolLate { self.late + 1 } else { 0 };
        match (verdict, phase) {
            (Verdict::ToolLate, _) if self.late <= self.settings.late_again => {}
            (Verdict::ToolLate, _) => {
                let what = format!(
                    "at {rate:.1} calls/s the phones themselves were late, {} times: what the server bears is not known beyond this",
                    self.late
                );
                self.ended = Some((self.good.filter(|_| phase != Phase::Confirm), LimitedBy::Phones, what));
            }
            (Verdict::Passed, Phase::Confirm) => {
                let (by, what) =
                    if self.bad.is_some() || self.trials.iter().any(|t| t.verdict == Verdict::Failed) {
                        (LimitedBy::Server, "the highest rate without a failure, confirmed")
                    } else {
                        (
                            LimitedBy::Asked,
                            "the highest rate asked for: it did not fail, and the limit is above it",
                        )
                    };
                self.ended = Some((Some(rate), by, what.to_owned()));
            }
            (Verdict::Failed, Phase::Confirm) => {
                self.confirming = Some(rate * (1.0 - self.settings.back_off.clamp(0.01, 0.5)));
            }
            (Verdict::Passed, Phase::Climb | Phase::Fall | Phase::CloseIn) => self.good = Some(rate),
            (Verdict::Failed, Phase::Climb | Phase::Fall | Phase::CloseIn) => self.bad = Some(rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a server that bears `limit` for a while, and `long` for long.
    fn search(settings: SearchSettings, limit: f64, long: f64) -> Capacity {
        let mut search = Search::new(settings);
        loop {
            match search.next() {
                Next::Over(capacity) => return capacity,
                Next::Try(rate, phase) => {
                    let bears = if phase == Phase::Confirm { long } else { limit };
                    let verdict = if rate <= bears { Verdict::Passed } else { Verdict::Failed };
                    search.tell((rate, phase), Lasted::default(), verdict, Vec::new());
                }
            }
        }
    }

    fn rates(capacity: &Capacity) -> Vec<(f64, Phase)> {
        capacity.trials.iter().map(|t| (t.rate, t.phase)).collect()
    }

    #[test]
    fn it_climbs_by_twos_closes_in_by_halves_and_confirms() {
        let found = search(SearchSettings::default(), 101.0, 101.0);
        let expected = [
            (20.0, Phase::Climb),
            (40.0, Phase::Climb),
            (80.0, Phase::Climb),
            (160.0, Phase::Climb),
            (120.0, Phase::CloseIn),
            (100.0, Phase::CloseIn),
            (110.0, Phase::CloseIn),
            (105.0, Phase::CloseIn),
            (100.0, Phase::Confirm),
        ];
        assert_eq!(rates(&found), expected);
        assert_eq!(
            (found.rate, found.failed_at, found.limited_by),
            (Some(100.0), Some(105.0), LimitedBy::Server)
        );
    }

    #[test]
    fn what_is_found_is_never_above_the_limit_and_within_the_resolution_of_it() {
        let settings = SearchSettings { resolution: 2.0, ..SearchSettings::default() };
        for limit in [1.0, 3.7, 19.9, 20.0, 21.0, 77.7, 640.0, 4_999.0] {
            let found = search(settings, limit, limit).rate.unwrap();
            assert!(found <= limit && limit - found <= settings.resolution, "{limit}: {found}");
        }
    }

    #[test]
    fn a_rate_that_does_not_last_is_taken_back_by_steps_of_five_percent() {
        let found = search(SearchSettings::default(), 101.0, 91.0);
        let long: Vec<f64> =
            found.trials.iter().filter(|t| t.phase == Phase::Confirm).map(|t| t.rate).collect();
        assert_eq!(long, [100.0, 95.0, 90.25]);
        assert_eq!(found.rate, Some(90.25));
    }

    #[test]
    fn the_most_that_is_asked_for_is_confirmed_and_not_passed() {
        let settings = SearchSettings { most: 70.0, ..SearchSettings::default() };
        let found = search(settings, 1e9, 1e9);
        assert_eq!((found.rate, found.failed_at, found.limited_by), (Some(70.0), None, LimitedBy::Asked));
        assert!(found.trials.iter().all(|t| t.rate <= 70.0));
    }

    #[test]
    fn a_server_that_bears_nothing_ends_the_search() {
        let found = search(SearchSettings::default(), 0.0, 0.0);
        assert_eq!(found.rate, None);
        assert!(found.trials.iter().skip(1).all(|t| t.phase == Phase::Fall));
    }

    #[test]
    fn a_trial_of_late_phones_is_done_again_and_is_not_the_server_s_failure() {
        let mut search = Search::new(SearchSettings::default());
        search.tell((20.0, Phase::Climb), Lasted::default(), Verdict::Passed, Vec::new());
        for _ in 0..3 {
            assert_eq!(search.next(), Next::Try(40.0, Phase::Climb));
            search.tell((40.0, Phase::Climb), Lasted::default(), Verdict::ToolLate, vec!["slow".to_owned()]);
        }
        let Next::Over(found) = search.next() else { panic!("{:?}", search.next()) };
        assert_eq!((found.rate, found.failed_at, found.limited_by), (Some(20.0), None, LimitedBy::Phones));
        assert!(found.ended.contains("themselves were late") && found.why.is_empty(), "{}", found.ended);
    }

    #[test]
    fn phones_that_were_disturbed_for_a_moment_cost_one_trial() {
        let mut search = Search::new(SearchSettings { resolution: 1.0, ..SearchSettings::default() });
        let mut n = 0;
        let found = loop {
            match search.next() {
                Next::Over(found) => break found,
                Next::Try(rate, phase) => {
                    n += 1;
                    let bears = if rate <= 33.0 { Verdict::Passed } else { Verdict::Failed };
                    let verdict = if n % 3 == 0 { Verdict::ToolLate } else { bears };
                    search.tell((rate, phase), Lasted::default(), verdict, vec!["7 x 503".to_owned()]);
                }
            }
        };
        assert_eq!((found.rate, found.limited_by), (Some(32.5), LimitedBy::Server));
        assert_eq!(found.why, ["7 x 503"]);
    }

    #[test]
    fn it_ends_after_the_trials_allowed() {
        let settings = SearchSettings { trials: 3, ..SearchSettings::default() };
        assert_eq!(search(settings, 1e9, 1e9).trials.len(), 3);
    }
}
