//! What goes wrong in a scenario, as far as phones can do it to a server that is not theirs: packets are lost, phones are
//! gone in mid-sentence, phones pass callers on. What they cannot do is said, and not left out in silence.
use serde::Serialize;

use super::town::{Town, Wish};
use crate::base::{Instant, Now};
use crate::sim::{FarEnd, FaultKind};

/// A fault of the scenario, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FaultPlayed {
    /// As the scenario names it.
    pub kind: String,
    /// When, in seconds of the scenario.
    pub from_s: u64,
    /// Until when.
    pub to_s: u64,
    /// It was played.
    pub played: bool,
    /// What was done, or why it was not.
    pub what: String,
}

/// The faults of the day.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) played: Vec<FaultPlayed>,
    /// Packets of callers' sound lost on purpose, in percent, now.
    pub(super) loss: u8,
}

impl Town {
    /// What will go wrong from `from` on.
    pub(super) fn plan_faults(&mut self) {
        let (from, began) = (self.settings.from, self.began);
        let mut plans = Vec::new();
        for (n, fault) in self.settings.scenario.faults.iter().enumerate() {
            let mut told = FaultPlayed {
                kind: name(&fault.kind).to_owned(),
                from_s: fault.stretch.from.as_secs(),
                to_s: fault.stretch.to.as_secs(),
                ..FaultPlayed::default()
            };
            if matches!(fault.kind, FaultKind::SlowLookUp { .. }) {
                "not played: what a server asks of its disk and of others is its own"
                    .clone_into(&mut told.what);
            } else if fault.stretch.to <= from {
                "not played: over before the beginning".clone_into(&mut told.what);
            } else {
                "not played: not reached".clone_into(&mut told.what);
                plans.push((began + fault.stretch.from.saturating_sub(from), n, true));
                plans.push((began + fault.stretch.to.saturating_sub(from), n, false));
            }
            self.faults.played.push(told);
        }
        for (at, n, begins) in plans {
            self.wish(at, Wish::Fault(n, begins));
        }
    }

    pub(super) fn fault(&mut self, now: Now, at: Instant, n: usize, begins: bool) {
        let Some(fault) = self.settings.scenario.faults.get(n).map(|fault| fault.kind.clone()) else {
            return;
        };
        let what = match fault {
            FaultKind::Loss { percent } => {
                self.weather(at);
                format!("{percent} % of callers' sound, both ways, and of all SIP")
            }
            FaultKind::AgentsVanish { group, count } if begins => {
                let vanished = self.vanish(now.mono, &group, count);
                format!("{vanished} phones of {group} were gone")
            }
            FaultKind::AgentsVanish { group, count } => {
                self.come_back(now, &group, count);
                return;
            }
            FaultKind::TransfersItself { who: FarEnd::Agent, percent, .. } => {
                format!("{percent} % of conversations, by agents' phones")
            }
            FaultKind::TransfersItself { who: FarEnd::Party, percent, .. } => {
                format!("{percent} % of those with a third party, by its phone")
            }
            FaultKind::SlowLookUp { .. } => return,
        };
        if let Some(told) = self.faults.played.get_mut(n).filter(|_| begins) {
            (told.played, told.what) = (true, what);
        }
    }

    /// What is lost now: the worst of what the scenario says.
    fn weather(&mut self, at: Instant) {
        let lost = self.settings.scenario.faults_at(self.scenario_time(at)).filter_map(|fault| match fault {
            FaultKind::Loss { percent } => Some(*percent),
            FaultKind::AgentsVanish { .. }
            | FaultKind::SlowLookUp { .. }
            | FaultKind::TransfersItself { .. } => None,
        });
        self.faults.loss = lost.max().unwrap_or(0);
        self.engine.gate.lose(self.faults.loss);
    }
}

fn name(fault: &FaultKind) -> &'static str {
    match fault {
        FaultKind::Loss { .. } => "loss",
        FaultKind::AgentsVanish { .. } => "agents-vanish",
        FaultKind::SlowLookUp { .. } => "slow-look-up",
        FaultKind::TransfersItself { .. } => "transfers-itself",
    }
}
