//! What the wait of a caller depends on, read from the Acd's live state.
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use super::formula::{LEAVING, Leaving, Outlook};
use crate::base::{AgentId, Instant};
use crate::exchange::acd::Acd;
use crate::exchange::acd::agent::Duty;
use crate::exchange::acd::measured::Handling;
use crate::exchange::acd::order::CLASS_LAST;
use crate::exchange::acd::roster::{Member, Profile, ProfileId};
use crate::exchange::acd::timers::Timer;
use crate::exchange::acd::waiting::{Line, LineId, Place, Ticket};

/// Teams up to this size are looked at agent by agent: what each does now says when the first will be free.
const SMALL_TEAM: u32 = 16;
/// Shifts that end later than this do not matter to anybody who waits.
const LOOKED_AT: Duration = Duration::from_hours(3);

#[expect(clippy::cast_precision_loss, reason = "numbers of callers are far below 2^52")]
pub(in crate::exchange::acd) fn float(n: usize) -> f64 {
    n as f64
}

impl Acd {
    /// What the wait of this caller depends on; `None` while a phone rings for him.
    pub(in crate::exchange::acd) fn outlook(&self, ticket: &Ticket) -> Option<Outlook> {
        let (Place::InLine(id) | Place::Held(id, _)) = *ticket.place() else { return None };
        let line = self.room.line(id)?;
        let plan = self.plan.queues.get(line.queue())?;
        let measured = &self.desks.get(line.queue())?.measured;
        let handling = measured.handling(plan);
        let agents = self.at_work(line.profiles());
        let (ahead, rivals, urgent) = self.rivals(ticket, (id, line));
        Some(Outlook {
            ahead,
            rivals,
            agents,
            handle_s: if handling.talk_s > 0.0 { handling.total_s() } else { 0.0 },
            spread: handling.spread,
            measured: handling.measured,
            theta: measured.theta(),
            first_per_s: (agents <= SMALL_TEAM).then(|| self.first_per_s(line, &handling)),
            urgent,
            leaving: self.leaving(line.profiles()),
        })
    }

    /// The next ends of shifts among agents of these profiles: in how many seconds, and for how many.
    fn leaving(&self, profiles: &[ProfileId]) -> Leaving {
        let mut all: BTreeMap<Instant, u32> = BTreeMap::new();
        let (now, far) = (self.now.mono, self.now.mono + LOOKED_AT);
        for profile in profiles.iter().filter_map(|id| self.roster.profile(*id)) {
            for (at, n) in profile.leaving().range((Bound::Excluded(now), Bound::Excluded(far))).take(LEAVING)
            {
                *all.entry(*at).or_default() += n;
            }
        }
        let mut leaving = Leaving::default();
        for (slot, (at, n)) in leaving.iter_mut().zip(all) {
            *slot = (at.since(now).as_secs_f64(), n);
        }
        leaving
    }

    /// Agents of these profiles who will take callers sooner or later.
    fn at_work(&self, profiles: &[ProfileId]) -> u32 {
        profiles.iter().filter_map(|id| self.roster.profile(*id)).map(Profile::at_work).sum()
    }

    /// Agents of these profiles whose phones were lost, and who may be back.
    pub(in crate::exchange::acd) fn cut_off(&self, profiles: &[ProfileId]) -> u32 {
        let profiles = profiles.iter().filter_map(|id| self.roster.profile(*id));
        profiles.map(|profile| profile.cut_off(self.now.mono)).sum()
    }

    /// Callers ahead under the real order, in all lines: weighted by the share of their agents that could serve this
    /// caller too, and counted; and the more urgent who are still to come, by class, weighted alike.
    fn rivals(
        &self,
        ticket: &Ticket,
        (own, line): (LineId, &Line),
    ) -> (f64, usize, [(f64, f64); CLASS_LAST as usize]) {
        let (mut weighted, mut rivals) = (0.0, 0);
        let (now, class) = (self.now.mono, ticket.rank().class);
        let mut urgent = [(0.0, 0.0); CLASS_LAST as usize];
        for (id, other) in self.room.lines() {
            let ahead = other.ahead(ticket.rank());
            if ahead == 0 && class == 0 {
                continue;
            }
            let share = if id == own { 1.0 } else { self.share(other, line) };
            if share > 0.0 {
                weighted += share * float(ahead);
                rivals += ahead;
                for ((per_s, _), flow) in urgent.iter_mut().zip(other.flows()).take(usize::from(class)) {
                    *per_s += share * flow.per_s(now);
                }
            }
        }
        for ((_, until), class) in urgent.iter_mut().zip(0..class) {
            *until = ticket.yields_for(class, now).as_secs_f64();
        }
        (weighted, rivals, urgent)
    }

    /// Of the agents who can serve `other`, the share that can serve `line` too.
    fn share(&self, other: &Line, line: &Line) -> f64 {
        let all = self.at_work(other.profiles());
        let both: u32 = other
            .profiles()
            .iter()
            .filter(|id| line.profiles().binary_search(id).is_ok())
            .filter_map(|id| self.roster.profile(*id))
            .map(Profile::at_work)
            .sum();
        if all == 0 { 0.0 } else { f64::from(both) / f64::from(all) }
    }

    /// How often per second the first agent of a small team becomes free, from what each of them does now.
    fn first_per_s(&self, line: &Line, handling: &Handling) -> f64 {
        let profiles = line.profiles().iter().filter_map(|id| self.roster.profile(*id));
        let members = profiles.flat_map(Profile::members).filter_map(|a| Some((a, self.roster.get(a)?)));
        let working = members.filter(|(_, m)| m.agent().at_work());
        working.map(|(agent, m)| 1.0 / self.busy_s(agent, m, handling).max(1.0)).sum()
    }

    /// For how many more seconds an agent is expected to be busy.
    fn busy_s(&self, id: &AgentId, member: &Member, handling: &Handling) -> f64 {
        let now = self.now.mono;
        match member.agent().duty() {
            Duty::Free if member.agent().offerable() => 0.0,
            Duty::Free | Duty::SignedOut | Duty::Paused(_) | Duty::Ringing(_) => handling.total_s(),
            Duty::Talking(a) => {
                let since = self.offers.get(*a).and_then(|a| a.answered).unwrap_or(now);
                handling.talk_left_s(now.since(since).as_secs_f64()) + handling.wrap_up_s
            }
            Duty::WrapUp => {
                let until = self.timers.at(&Timer::WrapUp(id.clone())).unwrap_or(now);
                until.since(now).as_secs_f64()
            }
        }
    }

    /// How many callers ever came who were before this class by right, in all lines that compete with this one.
    pub(in crate::exchange::acd) fn came_before(&self, ticket: &Ticket, class: u8) -> u64 {
        let (Place::InLine(id) | Place::Held(id, _)) = *ticket.place() else { return 0 };
        let Some(line) = self.room.line(id) else { return 0 };
        let rivals = self.room.lines().filter(|(other, l)| *other == id || self.share(l, line) > 0.0);
        rivals.map(|(_, l)| l.came_before(class)).sum()
    }
}
