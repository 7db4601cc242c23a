//! What SIP may pass, for faults that are played: some datagrams are lost, some phones say nothing and hear nothing.
//!
//! Invariant: while nothing is to be stopped, nothing is looked at.
use std::collections::BTreeSet;

use crate::base::Rng;
use crate::sip::{HeaderName, Spans};

/// Stands between the phones' SIP and the wire.
#[derive(Debug)]
pub(in crate::replay) struct Gate {
    rng: Rng,
    percent: u8,
    silent: BTreeSet<Vec<u8>>,
    spans: Box<Spans>,
    /// Datagrams lost by chance.
    pub(in crate::replay) lost: u64,
    /// Datagrams of phones that were gone, or for them.
    pub(in crate::replay) unheard: u64,
}

impl Gate {
    pub(super) fn new(rng: Rng) -> Self {
        Self { rng, percent: 0, silent: BTreeSet::new(), spans: Box::default(), lost: 0, unheard: 0 }
    }

    /// So many in a hundred are lost from now on.
    pub(in crate::replay) fn lose(&mut self, percent: u8) {
        self.percent = percent;
    }

    /// This user's phone is gone.
    pub(in crate::replay) fn silence(&mut self, user: &str) {
        self.silent.insert(user.as_bytes().to_vec());
    }

    /// It is back.
    pub(in crate::replay) fn hear_again(&mut self, user: &str) {
        self.silent.remove(user.as_bytes());
    }

    /// Whether a datagram passes. `ours`: it goes out.
    pub(super) fn passes(&mut self, bytes: &[u8], ours: bool) -> bool {
        if !self.silent.is_empty() && self.is_of_the_silent(bytes, ours) {
            self.unheard += 1;
            return false;
        }
        if self.percent > 0 && self.rng.below(100) < u64::from(self.percent) {
            self.lost += 1;
            return false;
        }
        true
    }

    /// Our phone is in From where it asks, in To where it is asked; a request's URI names it too.
    fn is_of_the_silent(&mut self, bytes: &[u8], ours: bool) -> bool {
        let response = bytes.starts_with(b"SIP/2.0 ");
        let name = if response == ours { HeaderName::To } else { HeaderName::From };
        let scanned = self.spans.scan(bytes);
        let field = scanned.fields().find(|f| f.name == name).and_then(|f| user(f.value));
        let line = if response || ours { None } else { bytes.split(|b| *b == b'\r').next().and_then(user) };
        [field, line].into_iter().flatten().any(|user| self.silent.contains(user))
    }
}

/// The user of the first URI in a text.
fn user(text: &[u8]) -> Option<&[u8]> {
    let at = text.windows(4).position(|w| w == b"sip:")? + 4;
    let rest = text.get(at..)?;
    rest.get(..rest.iter().position(|b| *b == b'@')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(first: &str, from: &str, to: &str) -> Vec<u8> {
        format!(
            "{first}\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:{from}@h>;tag=1\r\nTo: \"T\" <sip:{to}@h>\r\nCall-ID: a@b\r\n\
             CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }

    fn gate() -> Gate {
        Gate::new(Rng::from_number(1))
    }

    #[test]
    fn a_phone_that_is_gone_says_and_hears_nothing_and_others_do() {
        let mut gate = gate();
        gate.silence("8001");
        let ours = [message("BYE sip:x@s SIP/2.0", "8001", "139"), message("SIP/2.0 200 OK", "139", "8001")];
        let theirs = [
            message("INVITE sip:8001@p SIP/2.0", "139", "somebody"),
            message("BYE sip:p SIP/2.0", "139", "8001"),
            message("SIP/2.0 200 OK", "8001", "139"),
        ];
        assert!(ours.iter().all(|m| !gate.passes(m, true)) && theirs.iter().all(|m| !gate.passes(m, false)));
        assert!(gate.passes(&message("INVITE sip:8002@p SIP/2.0", "8001", "8002"), false), "from a namesake");
        assert!(gate.passes(b"garbage", true));
        assert_eq!(gate.unheard, 5);
        gate.hear_again("8001");
        assert!(gate.passes(&ours[0], true));
    }

    #[test]
    fn about_as_many_are_lost_as_the_scenario_says_and_the_same_ones_each_time() {
        let run = || {
            let mut gate = gate();
            gate.lose(20);
            (0..1_000).map(|_| gate.passes(b"x", true)).collect::<Vec<_>>()
        };
        let passed = run();
        let lost = passed.iter().filter(|p| !**p).count();
        assert!((150..250).contains(&lost), "{lost}");
        assert_eq!(run(), passed);
    }
}
