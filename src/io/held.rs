//! What waits for the disk, and nothing else does: the 200 to a BYE, "your place is kept", the answer to a command that
//! changed something. Each waits for the number of the last input that it depends on.
//!
//! Invariant: nothing stays longer than [`PATIENCE`]. With a dead disk the answers then go out all the same (the alarm
//! says so), so that no call hangs on it; a promise that was not kept is not made.
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::{CallId, Instant, Seq, TicketId};
use crate::sip::{Destination, Transmit};

/// The longest that anything waits.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Things that may wait: two seconds of 20,000 ends of calls each second. Beyond, nothing waits.
const HELD: usize = 40_000;

/// What waits.
#[derive(Debug)]
pub(super) enum Held {
    /// A message to a peer.
    Message(Transmit),
    /// "Your place is kept."
    Place(CallId, TicketId),
    /// The answer to a command, and what it says.
    Answer(oneshot::Sender<bool>, bool),
    /// The answer to whoever wants to know whether it is on disk.
    Recorded(oneshot::Sender<bool>),
    /// The same for a set of menus, and for a banner.
    Installed(oneshot::Sender<Option<bool>>),
}

/// What is due now, and whether the disk has what it depends on.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) what: Held,
    pub(super) recorded: bool,
}

#[derive(Debug)]
struct Waiting {
    seq: Seq,
    until: Instant,
    what: Held,
}

/// All that waits, in the order of what it waits for.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom {
    waiting: VecDeque<Waiting>,
    /// Messages that wait: the same one again (the peer repeated its BYE) does not wait twice.
    messages: BTreeSet<(Destination, u32)>,
}

fn name(transmit: &Transmit) -> (Destination, u32) {
    (transmit.to, crc32fast::hash(&transmit.bytes))
}

impl WaitingRoom {
    /// Lets `what` wait until the disk has everything up to `seq`. Handed back when there is no room.
    pub(super) fn hold(&mut self, now: Instant, seq: Seq, what: Held) -> Option<Held> {
        if self.waiting.len() >= HELD {
            return Some(what);
        }
        if let Held::Message(transmit) = &what
            && !self.messages.insert(name(transmit))
        {
            return None;
        }
        self.waiting.push_back(Waiting { seq, until: now + PATIENCE, what });
        None
    }

    /// The next that need not wait any longer.
    pub(super) fn take(&mut self, now: Instant, durable: Seq) -> Option<Due> {
        let first = self.waiting.front()?;
        let recorded = first.seq <= durable;
        if !recorded && now < first.until {
            return None;
        }
        let Waiting { what, .. } = self.waiting.pop_front()?;
        if let Held::Message(transmit) = &what {
            self.messages.remove(&name(transmit));
        }
        Some(Due { what, recorded })
    }

    /// When something has waited long enough.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.front().map(|w| w.until)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::ListenerId;

    const NOW: Instant = Instant::from_secs(9);

    fn message(text: &str) -> Held {
        let to = Destination::Datagram { listener: ListenerId(0), to: "127.0.0.1:5060".parse().unwrap() };
        Held::Message(Transmit { to, bytes: text.as_bytes().to_vec(), ends_call: true })
    }

    #[test]
    fn what_waits_goes_out_in_order_as_the_disk_moves_on() {
        let mut room = WaitingRoom::default();
        assert!(room.hold(NOW, Seq(3), message("a")).is_none());
        assert!(room.hold(NOW, Seq(5), Held::Place(CallId(1), TicketId(1))).is_none());
        assert!(room.take(NOW, Seq(2)).is_none());
        assert!(matches!(room.take(NOW, Seq(4)), Some(Due { what: Held::Message(_), recorded: true })));
        assert!(room.take(NOW, Seq(4)).is_none());
        assert!(matches!(room.take(NOW, Seq(5)), Some(Due { what: Held::Place(..), recorded: true })));
        assert_eq!((room.len(), room.next_deadline()), (0, None));
    }

    #[test]
    fn with_a_dead_disk_nothing_waits_for_ever_and_nothing_is_called_recorded() {
        let mut room = WaitingRoom::default();
        room.hold(NOW, Seq(3), message("a"));
        assert_eq!(room.next_deadline(), Some(NOW + PATIENCE));
        assert!(room.take(NOW + PATIENCE - Duration::from_millis(1), Seq(0)).is_none());
        assert!(matches!(room.take(NOW + PATIENCE, Seq(0)), Some(Due { recorded: false, .. })));
    }

    #[test]
    fn a_repeated_bye_is_answered_once_while_its_answer_waits_and_again_after() {
        let mut room = WaitingRoom::default();
        room.hold(NOW, Seq(3), message("a"));
        room.hold(NOW, Seq(4), message("a"));
        room.hold(NOW, Seq(4), message("b"));
        assert_eq!(room.len(), 2);
        while room.take(NOW, Seq(9)).is_some() {}
        room.hold(NOW, Seq(10), message("a"));
        assert_eq!(room.len(), 1);
    }

    #[test]
    fn a_full_room_holds_nothing_back() {
        let mut room = WaitingRoom::default();
        for n in 0..HELD {
            room.hold(NOW, Seq(3), message(&n.to_string()));
        }
        assert!(room.hold(NOW, Seq(3), message("one more")).is_some());
    }
}
