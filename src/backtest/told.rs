//! Our estimator on a log: what each caller would have been predicted and told, learning from those served before.
use std::time::Duration;

use super::log::Call;
use super::moment::Moment;
use crate::exchange::acd::{Entry, Estimator, Forecast, Sight, spread_by_steps, under_promise};

/// What a caller was predicted and told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Told {
    /// At entry.
    pub(super) forecast: Forecast,
    /// The range said at entry, in seconds.
    pub(super) said_s: (f64, f64),
    /// Whether a later end was told than before.
    pub(super) upward: bool,
}

/// A rise that is counted, in seconds.
pub(super) const RISE_S: f64 = 30.0;

/// The formula's forecast for this state.
fn formula(sight: &Sight) -> Forecast {
    let rate = sight.able.max(1.0) / sight.handle_s.max(1.0);
    let (mut mean, mut ahead) = (0.0, 0.0);
    while ahead <= sight.rivals {
        mean += 1.0 / (rate + ahead * sight.theta);
        ahead += 1.0;
    }
    spread_by_steps(sight.rivals, mean)
}

/// Goes through the log; the result is by call.
pub(super) fn tell(moments: &[Moment], calls: &[Call]) -> Vec<Option<Told>> {
    let mut ours = Ours {
        estimator: Estimator::default(),
        told: vec![None; calls.len()],
        promised: vec![f64::INFINITY; calls.len()],
        entries: vec![None; calls.len()],
    };
    let mut leaving = leaving(calls).into_iter().peekable();
    for moment in moments {
        while let Some((at, call)) = leaving.next_if(|(at, _)| *at < moment.at_s) {
            ours.served(at, call, &calls[call]);
        }
        if moment.telling == 0 { ours.enter(moment) } else { ours.again(moment) }
    }
    ours.told
}

/// When those who were served left the line, in the order of time.
fn leaving(calls: &[Call]) -> Vec<(f64, usize)> {
    let served = calls.iter().enumerate().filter(|(_, c)| c.served && !c.aside);
    let mut all: Vec<(f64, usize)> = served.filter_map(|(i, c)| Some((c.waited?.1, i))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all
}

struct Ours {
    estimator: Estimator,
    told: Vec<Option<Told>>,
    /// Until when each was promised to be served.
    promised: Vec<f64>,
    entries: Vec<Option<Entry>>,
}

impl Ours {
    fn served(&mut self, at: f64, i: usize, call: &Call) {
        let Some(entry) = self.entries[i].take() else { return };
        let waited = call.waited.map_or(0.0, |(joined, left)| left - joined);
        self.estimator.served(at, &entry, Duration::from_secs_f64(waited));
    }

    fn enter(&mut self, moment: &Moment) {
        let entry = self.estimator.enter(&moment.sight, &formula(&moment.sight));
        let said_s = (entry.said.0.as_secs_f64(), entry.said.1.as_secs_f64());
        self.promised[moment.call] = moment.at_s + said_s.1;
        self.told[moment.call] = Some(Told { forecast: entry.forecast, said_s, upward: false });
        self.entries[moment.call] = Some(entry);
    }

    /// A log does not say why capacity fell, so there is never a cause to tell a later end.
    fn again(&mut self, moment: &Moment) {
        let range = self.estimator.range(&moment.sight, &formula(&moment.sight));
        let promised = self.promised[moment.call];
        let left = Duration::from_secs_f64((promised - moment.at_s).max(0.0));
        let Some(end) = under_promise(Duration::from_secs_f64(range.high_s), left) else { return };
        let end = moment.at_s + end.as_secs_f64();
        if let Some(told) = &mut self.told[moment.call] {
            told.upward |= end > promised + RISE_S;
        }
        self.promised[moment.call] = end;
    }
}
