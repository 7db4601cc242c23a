//! Whether at each hour at which a queue is open somebody is at work who can answer in it.
use super::moments;
use crate::base::{QueueId, UtcTime};
use crate::exchange::menu::set::MenuSet;
use crate::exchange::menu::walk::is_open;

/// A queue that is open while nobody can answer in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unstaffed {
    pub(super) queue: QueueId,
    /// From then on.
    pub(super) from: UtcTime,
    /// Until then, if the days looked at show it.
    pub(super) to: Option<UtcTime>,
}

/// Each such queue, with the first time.
pub(super) fn unstaffed(set: &MenuSet) -> Vec<Unstaffed> {
    if set.shifts.is_empty() {
        return Vec::new();
    }
    let moments: Vec<UtcTime> = moments::candidates(set).into_iter().collect();
    let first = |(id, queue): (&QueueId, &crate::exchange::menu::set::Queue)| {
        let skills = set.acd.queues.get(id).map_or(&[][..], |plan| &plan.skills);
        let alone = |at: UtcTime| {
            let works = |agent| set.shifts.get(agent).is_none_or(|hours| set.is_open(hours, at));
            is_open(set, queue.open.as_ref(), at)
                && !set.is_shut(id, at)
                && !set.agents_with(skills).any(works)
        };
        let begin = moments.iter().position(|at| alone(*at))?;
        let after = moments.get(begin..).unwrap_or(&[]);
        let to = after.iter().find(|at| !alone(**at)).copied();
        Some(Unstaffed { queue: id.clone(), from: *after.first()?, to })
    };
    set.queues.iter().filter_map(first).collect()
}
