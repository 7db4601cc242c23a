//! What queues have learned of their waits, as a whole: taken at any moment, written as bytes, given to the distributor that
//! comes after. An estimate is then the same to the last bit as if nobody had stopped.
//!
//! Invariant: taking it copies no more than the last half-hour's moments; what is large is shared until the next outcome.
use std::sync::Arc;

use super::estimate::{Estimator, Flat, Recent, flat};
use super::waiting::LineLesson;
use super::{Acd, Joining};
use crate::base::{CallId, Now, QueueId, TicketId};

/// The layout of the bytes, and of what they stand for: another one is not read.
const VERSION: u32 = 1;
/// Queues and lines believed.
const MOST: usize = 4_096;

/// What was learned.
#[derive(Clone, Debug, Default)]
pub struct Lessons {
    queues: Vec<QueueLesson>,
    lines: Vec<LineLesson>,
}

flat!(Lessons { queues, lines });

#[derive(Clone, Debug)]
struct QueueLesson {
    queue: QueueId,
    estimator: Arc<Estimator>,
    recent: Recent,
}

flat!(QueueLesson { queue, estimator, recent });

/// Why bytes are not what was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LessonsError {
    /// Another program wrote them.
    #[error("version {0} is not {VERSION}")]
    Version(u32),
    /// They are cut, changed, or beyond every bound.
    #[error("it is damaged")]
    Damaged,
}

impl Lessons {
    /// As bytes: the version, a checksum, what was learned.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        self.put(&mut body);
        let mut bytes = Vec::with_capacity(body.len() + 8);
        VERSION.put(&mut bytes);
        crate::exchange::journal::checksum_of(&body).put(&mut bytes);
        bytes.append(&mut body);
        bytes
    }

    /// From bytes, to the last bit.
    ///
    /// # Errors
    /// When they are not whole, or of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, LessonsError> {
        let mut from = bytes;
        let version = u32::take(&mut from).ok_or(LessonsError::Damaged)?;
        if version != VERSION {
            return Err(LessonsError::Version(version));
        }
        let sum = u32::take(&mut from).filter(|sum| *sum == crate::exchange::journal::checksum_of(from));
        let lessons = sum.and_then(|_| Self::take(&mut from)).filter(|l| from.is_empty() && l.is_whole());
        lessons.ok_or(LessonsError::Damaged)
    }

    fn is_whole(&self) -> bool {
        let whole = |q: &QueueLesson| q.estimator.is_whole() && q.recent.is_bounded();
        self.queues.len() <= MOST && self.lines.len() <= MOST && self.queues.iter().all(whole)
    }
}

impl Acd {
    /// What was learned so far.
    pub fn lessons(&self) -> Lessons {
        let queues = self.desks.iter().take(MOST).map(|(queue, desk)| QueueLesson {
            queue: queue.clone(),
            estimator: Arc::clone(&desk.estimator),
            recent: desk.recent.clone(),
        });
        let lines = self.room.lines().map(|(_, line)| line.lesson()).take(MOST);
        Lessons { queues: queues.collect(), lines: lines.collect() }
    }

    /// Goes on from what was learned before, at the start and before anything else. Queues that are gone are passed over.
    pub(crate) fn relearn(&mut self, now: Now, lessons: &Lessons) {
        self.advance(now);
        for lesson in &lessons.queues {
            if let Some(desk) = self.desks.get_mut(&lesson.queue) {
                (desk.estimator, desk.recent) = (Arc::clone(&lesson.estimator), lesson.recent.clone());
                let now_s = now.mono.since(crate::base::Instant::ZERO).as_secs_f64();
                Arc::make_mut(&mut desk.estimator).not_after(now_s);
                desk.recent.not_after(now.mono);
            }
        }
        let plan = Arc::clone(&self.plan);
        for lesson in &lessons.lines {
            let Some(queue) = plan.queues.get(&lesson.queue) else { continue };
            let joining = Joining {
                ticket: TicketId(0),
                call: CallId(0),
                queue: lesson.queue.clone(),
                priority: 0,
                since: now.mono,
                language: lesson.language,
                skills: lesson.extra.clone(),
                prefer: None,
                kept: false,
            };
            let line = self.line_for(&joining, queue);
            if let Some(line) = self.room.line_mut(line) {
                line.relearn(now.mono, lesson);
            }
        }
    }
}
