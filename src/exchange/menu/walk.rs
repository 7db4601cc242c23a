//! Where a way leads at a moment: opening hours are looked at here and nowhere else.
//!
//! Invariant: every walk ends. Closed doors are followed at most as often as there are doors; then the human queue,
//! which never closes, takes the caller.
use std::sync::Arc;

use super::set::{Menu, MenuSet, Opening, Step, Target};
use crate::base::{QueueId, UtcTime};

/// Where a way leads.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Landing {
    /// Into a menu.
    Menu(Arc<Menu>),
    /// Into a queue.
    Queue(QueueId),
    /// Out.
    HangUp,
}

/// Follows `target` at the time `at`; `human` is whom [`Target::Human`] means.
pub(super) fn land(set: &MenuSet, target: &Target, human: &QueueId, at: UtcTime) -> Landing {
    let mut target = target;
    for _ in 0..=set.menus.len() + set.queues.len() {
        let opening = match target {
            Target::HangUp => return Landing::HangUp,
            Target::Human => return Landing::Queue(human_queue(set, human, at)),
            Target::Menu(id) => match set.menus.get(id) {
                Some(menu) if is_open(set, menu.open.as_ref(), at) => return Landing::Menu(Arc::clone(menu)),
                Some(menu) => menu.open.as_ref(),
                None => None,
            },
            Target::Queue(id) => match set.queues.get(id) {
                Some(queue) if is_open(set, queue.open.as_ref(), at) => return Landing::Queue(id.clone()),
                Some(queue) => queue.open.as_ref(),
                None => None,
            },
        };
        let Some(opening) = opening else { break };
        target = &opening.closed;
    }
    Landing::Queue(set.human.clone())
}

/// `wanted` if it is open, else the set's own human queue.
pub(super) fn human_queue(set: &MenuSet, wanted: &QueueId, at: UtcTime) -> QueueId {
    match set.queues.get(wanted) {
        Some(queue) if is_open(set, queue.open.as_ref(), at) => wanted.clone(),
        _ => set.human.clone(),
    }
}

/// Whether this door is open.
pub(super) fn is_open(set: &MenuSet, opening: Option<&Opening>, at: UtcTime) -> bool {
    opening.is_none_or(|o| set.is_open(&o.hours, at))
}

/// Whether `menu`, with no key pressed that chooses, leads to a secret entry: then digits must be hidden from now on.
pub(super) fn leads_to_secret(set: &MenuSet, menu: &Arc<Menu>, at: UtcTime) -> bool {
    let mut menu = Arc::clone(menu);
    for _ in 0..=set.menus.len() {
        let next = match &menu.step {
            Step::Entry(entry) => return entry.secret,
            Step::Choice(_) => return false,
            Step::Announcement(then) => land(set, then, &menu.human, at),
        };
        match next {
            Landing::Menu(next) => menu = next,
            Landing::Queue(_) | Landing::HangUp => return false,
        }
    }
    false
}
