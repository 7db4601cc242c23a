//! Who among the ready agents is rung first: one pure function of the agents' figures, and a walk in that order.
//!
//! Ties go to the longest idle, then to the name: the order is total, so the choice can be repeated.
use std::cmp::Reverse;
use std::collections::{BinaryHeap, btree_set};

use super::Strategy;
use super::roster::{Profile, ProfileId, Roster};
use super::waiting::Need;
use crate::base::{AgentId, Instant};

impl Strategy {
    /// The name used in records: snake case, as serialised.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LongestIdle => "longest_idle",
            Self::FewestCalls => "fewest_calls",
            Self::MostSkilled => "most_skilled",
            Self::LeastVersatile => "least_versatile",
            Self::ByName => "by_name",
        }
    }
}

/// A ready agent as a strategy sees him; the smaller is rung first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate<'r> {
    cost: i64,
    idle_since: Instant,
    /// Who.
    pub(crate) agent: &'r AgentId,
}

impl Candidate<'_> {
    /// The strategy's own figure, larger is better.
    pub(crate) fn score(&self, strategy: Strategy, now: Instant) -> i64 {
        match strategy {
            Strategy::LongestIdle => {
                i64::try_from(now.since(self.idle_since).as_millis()).unwrap_or(i64::MAX)
            }
            Strategy::FewestCalls | Strategy::MostSkilled | Strategy::LeastVersatile | Strategy::ByName => {
                -self.cost
            }
        }
    }
}

/// Ready agents who can serve a line, best first, lazily.
pub(crate) struct Candidates<'r> {
    heads: BinaryHeap<Reverse<(Candidate<'r>, usize)>>,
    walks: Vec<Walk<'r>>,
}

impl<'r> Candidates<'r> {
    /// Begins the walk over these profiles.
    pub(crate) fn new(roster: &'r Roster, profiles: &[ProfileId], strategy: Strategy, need: &Need) -> Self {
        let ready = profiles.iter().filter_map(|id| roster.profile(*id));
        let mut walks: Vec<_> =
            ready.filter(|p| !p.ready().by_name.is_empty()).map(|p| Walk::new(p, strategy, need)).collect();
        let firsts = walks.iter_mut().enumerate().filter_map(|(i, walk)| Some(Reverse((walk.next()?, i))));
        Self { heads: firsts.collect(), walks }
    }
}

impl<'r> Iterator for Candidates<'r> {
    type Item = Candidate<'r>;
    fn next(&mut self) -> Option<Candidate<'r>> {
        let Reverse((best, i)) = self.heads.pop()?;
        if let Some(next) = self.walks.get_mut(i).and_then(Iterator::next) {
            self.heads.push(Reverse((next, i)));
        }
        Some(best)
    }
}

/// The ready agents of one profile in a strategy's order.
enum Walk<'r> {
    Idle(i64, btree_set::Iter<'r, (Instant, AgentId)>),
    Calls(btree_set::Iter<'r, (u64, Instant, AgentId)>),
    Name(btree_set::Iter<'r, AgentId>),
}

impl<'r> Walk<'r> {
    fn new(profile: &'r Profile, strategy: Strategy, need: &Need) -> Self {
        let ready = profile.ready();
        match strategy {
            Strategy::LongestIdle => Self::Idle(0, ready.by_idle.iter()),
            Strategy::FewestCalls => Self::Calls(ready.by_calls.iter()),
            Strategy::ByName => Self::Name(ready.by_name.iter()),
            Strategy::MostSkilled => {
                let levels = need.skills.iter().filter_map(|s| profile.skills().get(s));
                Self::Idle(-levels.map(|l| i64::from(*l)).sum::<i64>(), ready.by_idle.iter())
            }
            Strategy::LeastVersatile => {
                let skills = i64::try_from(profile.skills().len()).unwrap_or(i64::MAX);
                Self::Idle(skills, ready.by_idle.iter())
            }
        }
    }
}

impl<'r> Iterator for Walk<'r> {
    type Item = Candidate<'r>;
    fn next(&mut self) -> Option<Candidate<'r>> {
        Some(match self {
            Self::Idle(cost, walk) => {
                let (idle_since, agent) = walk.next()?;
                Candidate { cost: *cost, idle_since: *idle_since, agent }
            }
            Self::Calls(walk) => {
                let (calls, idle_since, agent) = walk.next()?;
                let cost = i64::try_from(*calls).unwrap_or(i64::MAX);
                Candidate { cost, idle_since: *idle_since, agent }
            }
            Self::Name(walk) => Candidate { cost: 0, idle_since: Instant::ZERO, agent: walk.next()? },
        })
    }
}
