//! Whose callers come back once they were talked to: passed on to another line, or to the same, by an agent or his phone.
//!
//! Futures need it: such callers come as fast as conversations end, with their old clocks, and stop when those do. Invariant:
//! shares are of the last conversations, and sum to less than one.
use std::time::Duration;

use super::Joining;
use super::measured::Flow;
use super::waiting::LineId;
use crate::base::Instant;

/// About so many of the last conversations count, or as many as there are at a time: few, for this begins and ends at once.
const LAST: usize = 30;
/// So many more are taken to have ended as they should.
const PRIOR: f64 = 1.0;
/// A share that is less is forgotten.
const LEAST: f64 = 0.01;
/// So is how often they came, in callers per second.
const LEAST_PER_S: f64 = 1e-5;

/// How the conversations of one queue ended lately.
#[derive(Clone, Debug, Default)]
pub(super) struct Passed {
    talks: f64,
    on: Vec<PassedOn>,
}

/// Those who went to one line as callers of one class.
#[derive(Clone, Debug)]
pub(super) struct PassedOn {
    pub(super) line: LineId,
    pub(super) class: u8,
    /// How often, in the line's own measure.
    pub(super) flow: Flow,
    weight: f64,
    /// What share of the conversations.
    pub(super) share: f64,
    /// The last of them, and how old his clock was.
    pub(super) last: (Joining, Duration),
}

impl Passed {
    /// A conversation is over; so many are going on.
    pub(super) fn over(&mut self, now: Instant, talking: usize) {
        let keep = 1.0 - 1.0 / super::estimate::float(talking.max(LAST));
        self.talks = self.talks * keep + 1.0;
        for on in &mut self.on {
            on.weight *= keep;
            on.share = on.weight / (self.talks + PRIOR);
        }
        self.on.retain(|on| on.share > LEAST || on.flow.per_s(now) > LEAST_PER_S);
    }

    /// Its caller came to this line, in which those of his class come so often.
    pub(super) fn on(
        &mut self,
        now: Instant,
        (line, flow): (LineId, &Flow),
        (joining, class): (&Joining, u8),
    ) {
        let last = (joining.clone(), now.since(joining.since));
        let known = self.on.iter().position(|on| (on.line, on.class) == (line, class));
        let at = known.unwrap_or(self.on.len());
        if known.is_none() {
            let flow = flow.part(now);
            self.on.push(PassedOn { line, class, flow, weight: 0.0, share: 0.0, last: last.clone() });
        }
        if let Some(on) = self.on.get_mut(at) {
            on.flow.note(now);
            on.weight += 1.0;
            on.share = on.weight / (self.talks + PRIOR);
            on.last = last;
        }
    }

    /// Where its callers go.
    pub(super) fn to(&self) -> &[PassedOn] {
        &self.on
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, Language, TicketId};

    #[test]
    fn shares_are_of_the_last_conversations_and_go_when_nobody_is_passed_on_any_more() {
        let joining = Joining {
            ticket: TicketId(1),
            call: CallId(1),
            queue: "help".into(),
            priority: 5,
            since: Instant::from_secs(100),
            language: Language::Mandarin,
            skills: Vec::new(),
            prefer: None,
            kept: false,
        };
        let (mut passed, line) = (Passed::default(), Flow::new(Instant::ZERO));
        for s in 0..200 {
            let now = Instant::from_secs(1000 + 10 * s);
            passed.over(now, 4);
            if s % 2 == 0 {
                passed.on(now, (7, &line), (&joining, 0));
            }
        }
        let share = passed.to()[0].share;
        assert!((0.4..0.6).contains(&share), "{share}");
        assert_eq!(passed.to()[0].last.1, Duration::from_mins(48), "he has his old clock");
        for s in 0..60 {
            passed.over(Instant::from_secs(3000 + s), 4);
        }
        assert!(passed.to()[0].share < share / 5.0);
        passed.over(Instant::from_secs(20_000), 4);
        for _ in 0..100 {
            passed.over(Instant::from_secs(20_000), 4);
        }
        assert!(passed.to().is_empty());
    }
}
