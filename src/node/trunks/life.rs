//! Whether one target of a trunk lives, as far as we know: by OPTIONS of ours (RFC 3261 section 11) where the trunk is
//! watched, and by what became of calls.
//!
//! | told | up | down |
//! |---|---|---|
//! | any answer but 408 and 503 | failures 0 | up |
//! | 408, 503, silence, transport lost | one failure more; at `down_after` of them: down | stays down |
//!
//! Invariant: a question is counted once, however late its answer; a target without a watch is never down, only doubted
//! for a while.
use std::time::Duration;

use crate::base::Instant;
use crate::sip::{RequestId, Status};

/// How long a target that failed a call is tried after the others.
const DOUBT: Duration = Duration::from_secs(30);

/// What happened to a target's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    None,
    /// It is down now.
    Down,
    /// It is up again.
    Up,
}

/// One target.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    failures: u32,
    down: bool,
    doubted_until: Option<Instant>,
    /// It wants no request before then.
    off_until: Option<Instant>,
    /// The OPTIONS under way.
    asked: Option<RequestId>,
}

impl Life {
    pub(super) const fn is_down(&self) -> bool {
        self.down
    }
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }
    pub(super) fn is_doubted(&self, now: Instant) -> bool {
        self.doubted_until.is_some_and(|end| end > now)
    }

    pub(super) fn is_off(&self, now: Instant) -> bool {
        self.off_until.is_some_and(|end| end > now)
    }

    /// It said that it wants no request until then (503 with Retry-After). What it says later of something else does not
    /// take that back.
    pub(super) fn put_off(&mut self, until: Instant) {
        self.off_until = self.off_until.max(Some(until));
    }

    /// An OPTIONS was sent. One before it that was not answered counts as a failure.
    pub(super) fn ask(&mut self, request: RequestId, down_after: u32) -> Turn {
        let turn = self.unanswered(down_after);
        self.asked = Some(request);
        turn
    }

    /// The one under way had its time.
    pub(super) fn unanswered(&mut self, down_after: u32) -> Turn {
        match self.asked.take() {
            Some(_) => self.fail(down_after),
            None => Turn::None,
        }
    }

    /// An OPTIONS was answered, or its transaction ended without an answer.
    pub(super) fn answered(&mut self, request: RequestId, status: Option<Status>, down_after: u32) -> Turn {
        let current = self.asked.take_if(|asked| *asked == request).is_some();
        if status.is_some_and(is_sign_of_life) {
            self.lives()
        } else if current {
            self.fail(down_after)
        } else {
            Turn::None
        }
    }

    /// A sign of life, from a call or an OPTIONS.
    pub(super) fn lives(&mut self) -> Turn {
        self.failures = 0;
        self.doubted_until = None;
        if std::mem::take(&mut self.down) { Turn::Up } else { Turn::None }
    }

    /// A call found it silent, or its transport failed. `down_after`: where it is watched.
    pub(super) fn call_failed(&mut self, now: Instant, down_after: Option<u32>) -> Turn {
        self.doubted_until = Some(now + DOUBT);
        down_after.map_or(Turn::None, |n| self.fail(n))
    }

    fn fail(&mut self, down_after: u32) -> Turn {
        self.failures = self.failures.saturating_add(1);
        let fell = !self.down && self.failures >= down_after;
        self.down |= fell;
        if fell { Turn::Down } else { Turn::None }
    }
}

/// Any answer shows a SIP server at work, whatever it says about the question; but one that is not available says so
/// itself, and 408 is what a proxy says of a server behind it that is silent.
pub(in crate::node) const fn is_sign_of_life(status: Status) -> bool {
    !matches!(status.code(), 408 | 503)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> Option<Status> {
        Status::new(code)
    }

    /// Requests have numbers of the user agent; a user agent gives them.
    fn requests(n: usize) -> Vec<RequestId> {
        use crate::base::Rng;
        use crate::sip::{Destination, ListenerId, UserAgent, UserAgentSettings};
        let mut ua = UserAgent::new(UserAgentSettings::new(Vec::new(), "r"), &Rng::from_number(1));
        let to = Destination::Datagram { listener: ListenerId(0), to: ([192, 0, 2, 1], 5060).into() };
        (0..n).map(|_| ua.options(Instant::ZERO, "sip:192.0.2.1", to)).collect()
    }

    #[test]
    fn three_failures_in_a_row_are_down_and_one_answer_is_up() {
        let (mut life, r) = (Life::default(), requests(8));
        assert_eq!(life.ask(r[0], 3), Turn::None);
        assert_eq!(life.ask(r[1], 3), Turn::None, "the first was not answered");
        assert_eq!(life.answered(r[1], status(503), 3), Turn::None);
        assert_eq!(life.ask(r[2], 3), Turn::None);
        assert_eq!(life.unanswered(3), Turn::Down);
        assert!(life.is_down());
        life.ask(r[3], 3);
        assert_eq!(life.answered(r[3], status(405), 3), Turn::Up);
        assert_eq!((life.failures(), life.is_down()), (0, false));
    }

    #[test]
    fn an_answer_between_failures_starts_the_count_anew() {
        let (mut life, r) = (Life::default(), requests(8));
        for (n, request) in r.into_iter().enumerate().take(6) {
            life.ask(request, 2);
            let told = if n % 2 == 0 { None } else { status(404) };
            assert_eq!(life.answered(request, told, 2), Turn::None);
        }
        assert!(!life.is_down());
    }

    #[test]
    fn the_late_end_of_a_question_is_not_counted_twice() {
        let (mut life, r) = (Life::default(), requests(2));
        life.ask(r[0], 2);
        life.unanswered(2);
        assert_eq!(life.answered(r[0], None, 2), Turn::None);
        assert_eq!(life.failures(), 1);
        // But a late sign of life is one.
        life.ask(r[1], 2);
        life.unanswered(2);
        assert!(life.is_down());
        assert_eq!(life.answered(r[1], status(200), 2), Turn::Up);
    }

    #[test]
    fn without_a_watch_a_silent_target_is_only_doubted() {
        let mut life = Life::default();
        for _ in 0..10 {
            assert_eq!(life.call_failed(Instant::from_secs(1), None), Turn::None);
        }
        assert!(!life.is_down() && life.is_doubted(Instant::from_secs(30)));
        assert!(!life.is_doubted(Instant::from_secs(31)));
    }
}
