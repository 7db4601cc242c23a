//! What SIP said on the wire, heard beside the user agent: when each INVITE and BYE of ours went out first, when its first
//! answers came, how often anything was said again. RFC 6076 measures messages, not what a phone makes of them.
//!
//! Invariant: a request is timed from its first copy on the wire; a repeated one is counted and changes no time.
use std::time::Duration;

use crate::base::{Instant, Lookup};
use crate::sip::{HeaderName, Spans};

/// Requests remembered that nobody ever answered, at most.
const REMEMBERED: usize = 200_000;

/// An INVITE of ours, by its Call-ID.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    cseq: u32,
    first: Option<Instant>,
}

/// Listens on the wire.
#[derive(Debug, Default)]
pub(in crate::replay) struct Tap {
    spans: Box<Spans>,
    invites: Lookup<Vec<u8>, Asked>,
    byes: Lookup<Vec<u8>, Instant>,
    /// BYEs of ours that were answered, how long after; to be drained.
    disconnected: Vec<Duration>,
    /// The shortest time in which anything of ours was answered at all: as fast as the way there and back can be.
    shortest: Option<Duration>,
    /// INVITEs and BYEs of ours said again.
    repeated: u64,
    /// BYEs of ours that had no answer by the time they were forgotten.
    forgotten: u64,
}

impl Tap {
    /// A message of ours goes out.
    pub(in crate::replay) fn sent(&mut self, now: Instant, bytes: &[u8]) {
        let invite = bytes.starts_with(b"INVITE ");
        if !invite && !bytes.starts_with(b"BYE ") {
            return;
        }
        let Some((call, cseq, _)) = named(&mut self.spans, bytes) else { return };
        if invite {
            if let Some(asked) = self.invites.get_mut(&call) {
                // With a password, or within the dialog: another one, but the same request to RFC 6076.
                self.repeated += u64::from(asked.cseq == cseq);
                asked.cseq = cseq;
            } else if self.invites.len() < REMEMBERED {
                self.invites.insert(call, Asked { at: now, cseq, first: None });
            }
        } else if self.byes.contains_key(&call) {
            self.repeated += 1;
        } else if self.byes.len() < REMEMBERED {
            self.byes.insert(call, now);
        } else {
            self.forgotten += 1;
        }
    }

    /// A message came in.
    pub(in crate::replay) fn came(&mut self, now: Instant, bytes: &[u8]) {
        let Some(status) = bytes.strip_prefix(b"SIP/2.0 ").and_then(|rest| rest.get(..3)) else { return };
        let Some((call, _, of_bye)) = named(&mut self.spans, bytes) else { return };
        if of_bye {
            if status.first().is_some_and(|c| *c >= b'2')
                && let Some(at) = self.byes.remove(&call)
            {
                self.disconnected.push(now.since(at));
                self.note(now.since(at));
                self.invites.remove(&call);
            }
            return;
        }
        let Some(asked) = self.invites.get_mut(&call) else { return };
        let after = now.since(asked.at);
        if status != b"100" && asked.first.is_none() {
            asked.first = Some(now);
        }
        self.note(after);
    }

    fn note(&mut self, after: Duration) {
        self.shortest = Some(self.shortest.map_or(after, |s| s.min(after)));
    }

    /// When an INVITE had its first response but 100. `call` is its Call-ID.
    pub(in crate::replay) fn first_at(&self, call: &[u8]) -> Option<Instant> {
        self.invites.get(call).and_then(|asked| asked.first)
    }

    /// An INVITE's call is over.
    pub(in crate::replay) fn forget(&mut self, call: &[u8]) {
        self.invites.remove(call);
    }

    /// BYEs of ours that were answered since the last look, how long after.
    pub(in crate::replay) fn take_disconnected(&mut self) -> Vec<Duration> {
        std::mem::take(&mut self.disconnected)
    }

    /// Half of the shortest time in which anything was answered: at least as long as the way of a packet.
    pub(in crate::replay) fn way(&self) -> Duration {
        self.shortest.unwrap_or_default() / 2
    }

    /// Requests said again.
    pub(in crate::replay) fn repeated(&self) -> u64 {
        self.repeated
    }

    /// BYEs of ours without an answer so far.
    pub(in crate::replay) fn unanswered_byes(&self) -> usize {
        self.byes.len()
    }
}

/// What names a message: its Call-ID, the number of its `CSeq`, and whether that names BYE.
fn named(spans: &mut Spans, bytes: &[u8]) -> Option<(Vec<u8>, u32, bool)> {
    let scanned = spans.scan(bytes);
    let value = |name| scanned.fields().find(|f| f.name == name).map(|f| f.value);
    let call = value(HeaderName::CallId)?.to_vec();
    let cseq = value(HeaderName::CSeq)?;
    let digits = cseq.iter().take_while(|b| b.is_ascii_digit());
    let number = digits.fold(0_u32, |n, b| n.wrapping_mul(10).wrapping_add(u32::from(b - b'0')));
    Some((call, number, cseq.ends_with(b"BYE")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(first: &str, cseq: &str) -> Vec<u8> {
        format!("{first}\r\nVia: SIP/2.0/UDP h\r\nCall-ID: a@b\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n")
            .into_bytes()
    }

    fn ms(n: u64) -> Instant {
        Instant::from_millis(1_000 + n)
    }

    #[test]
    fn the_first_copy_and_the_first_response_but_100_count() {
        let mut tap = Tap::default();
        let invite = message("INVITE sip:x@h SIP/2.0", "1 INVITE");
        tap.sent(ms(0), &invite);
        tap.sent(ms(500), &invite);
        tap.came(ms(510), &message("SIP/2.0 100 Trying", "1 INVITE"));
        assert_eq!(tap.first_at(b"a@b"), None);
        tap.came(ms(600), &message("SIP/2.0 180 Ringing", "1 INVITE"));
        tap.came(ms(900), &message("SIP/2.0 200 OK", "1 INVITE"));
        assert_eq!(tap.first_at(b"a@b"), Some(ms(600)));
        assert_eq!((tap.repeated(), tap.way()), (1, Duration::from_millis(255)));
    }

    #[test]
    fn a_bye_is_timed_to_its_own_answer_alone() {
        let mut tap = Tap::default();
        tap.sent(ms(0), &message("INVITE sip:x@h SIP/2.0", "1 INVITE"));
        tap.sent(ms(1_000), &message("BYE sip:x@h SIP/2.0", "2 BYE"));
        tap.came(ms(1_010), &message("SIP/2.0 200 OK", "1 INVITE"));
        assert!(tap.take_disconnected().is_empty());
        tap.came(ms(1_040), &message("SIP/2.0 200 OK", "2 BYE"));
        tap.came(ms(1_050), &message("SIP/2.0 200 OK", "2 BYE"));
        assert_eq!(tap.take_disconnected(), [Duration::from_millis(40)]);
        assert_eq!(tap.unanswered_byes(), 0);
    }

    #[test]
    fn what_others_say_and_garbage_mean_nothing() {
        let mut tap = Tap::default();
        for bytes in [&b"\r\n\r\n"[..], b"SIP/2.0 200", b"SIP/2.0 ", b"BYE ", b"INVITE x SIP/2.0\r\n\r\n"] {
            tap.came(ms(0), bytes);
            tap.sent(ms(0), bytes);
        }
        assert_eq!((tap.repeated(), tap.take_disconnected().len()), (0, 0));
    }
}
