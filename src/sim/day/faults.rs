//! What goes wrong in a simulated day, and how it ends.
use std::time::Duration;

use super::{Day, Event, LAPSES};
use crate::exchange::ExchangeSettings;
use crate::sim::FaultKind;

impl Day {
    pub(super) fn fault_begins(&mut self, n: usize) {
        let Some(fault) = self.plan.scenario.faults.get(n).cloned() else { return };
        match fault.kind {
            FaultKind::AgentsVanish { group, count } => {
                let silence = ExchangeSettings::default().silence;
                for agent in self.of_group(&group, count) {
                    let leg = self.agents.get_mut(agent).and_then(|a| {
                        a.gone = true;
                        a.leg
                    });
                    // Nobody tells us: his sound stops, and nobody renews his registration.
                    if let Some(leg) = leg {
                        self.after(silence, Event::Silent(leg));
                    }
                    self.after(LAPSES, Event::Lapses(agent));
                }
            }
            FaultKind::SlowLookUp { delay } => self.slow = delay,
            // The first needs packets, the second is looked at when a talk begins.
            FaultKind::Loss { .. } | FaultKind::TransfersItself { .. } => {}
        }
    }

    pub(super) fn fault_ends(&mut self, n: usize) {
        let Some(fault) = self.plan.scenario.faults.get(n).cloned() else { return };
        match fault.kind {
            FaultKind::AgentsVanish { group, count } => {
                for agent in self.of_group(&group, count) {
                    if let Some(a) = self.agents.get_mut(agent) {
                        a.gone = false;
                    }
                    self.reachable(agent, true);
                }
            }
            FaultKind::SlowLookUp { .. } => self.slow = Duration::ZERO,
            FaultKind::Loss { .. } | FaultKind::TransfersItself { .. } => {}
        }
    }

    fn of_group(&self, group: &str, count: usize) -> Vec<usize> {
        let groups = &self.plan.scenario.agents;
        let of = |n: usize| groups.get(n).is_some_and(|g| g.name == group);
        let agents = self.agents.iter().enumerate();
        agents.filter(|(_, a)| of(a.person.group)).map(|(n, _)| n).take(count).collect()
    }
}
