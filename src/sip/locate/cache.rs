//! Answers of the domain name system for as long as they hold, and for a day longer in case that nobody answers anew
//! (RFC 8767): a dead name server must not cost a call. "Nothing" is kept too (RFC 2308).
//!
//! Invariant: never more than `bound` answers are held; the one that ends first makes room.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::record::{DnsQuestion, DnsRecords, DnsReply};
use crate::base::Instant;

/// The shortest life of an answer, whatever it says: nobody makes us ask more often.
pub(super) const TTL_MIN: Duration = Duration::from_secs(5);
/// The longest life of an answer, whatever it says.
const TTL_MAX: Duration = Duration::from_hours(24);
/// How long "there is nothing" holds when the zone does not say.
const NOTHING: Duration = Duration::from_secs(30);
/// The longest that "there is nothing" holds, whatever the zone says.
const NOTHING_MAX: Duration = Duration::from_mins(5);
/// How long after a failure nobody is asked again: longer than the three steps of a look-up take when each fails.
const FAILED: Duration = Duration::from_secs(35);
/// How long an answer that nobody renews is better than none.
const STALE: Duration = Duration::from_hours(24);

/// What is known of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known<'a> {
    /// The records; `None`: there is nothing, or nobody says.
    pub(super) records: Option<&'a DnsRecords>,
    /// When to ask again.
    pub(super) until: Instant,
    /// That moment has come.
    pub(super) stale: bool,
    /// Its time is over, and nobody wanted to renew it when asked last.
    pub(super) failed: bool,
}

#[derive(Clone, Debug)]
struct Kept {
    records: Option<DnsRecords>,
    until: Instant,
    forget: Instant,
    failed: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    kept: BTreeMap<DnsQuestion, Kept>,
    by_end: BTreeSet<(Instant, DnsQuestion)>,
    bound: usize,
}

impl Cache {
    pub(super) const fn new(bound: usize) -> Self {
        Self { kept: BTreeMap::new(), by_end: BTreeSet::new(), bound }
    }

    /// How many answers are held.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// What is known; `None`: nobody asked, or it is too long ago.
    pub(super) fn get(&self, now: Instant, question: &DnsQuestion) -> Option<Known<'_>> {
        let kept = self.kept.get(question).filter(|k| k.forget > now)?;
        let stale = kept.until <= now;
        Some(Known { records: kept.records.as_ref(), until: kept.until, stale, failed: kept.failed })
    }

    /// An answer came.
    pub(super) fn put(&mut self, now: Instant, question: &DnsQuestion, reply: DnsReply) {
        let before = self.take(question);
        let kept = match reply {
            DnsReply::Records { records, ttl } => {
                let until = now + ttl.clamp(TTL_MIN, TTL_MAX);
                Kept { records: Some(records), until, forget: until + STALE, failed: false }
            }
            DnsReply::Nothing { ttl } => {
                let until = now + ttl.unwrap_or(NOTHING).clamp(TTL_MIN, NOTHING_MAX);
                Kept { records: None, until, forget: until, failed: false }
            }
            // What we knew is better than nothing; what we never knew is not asked for at once again.
            DnsReply::Failed => match before.filter(|k| k.records.is_some() && k.forget > now) {
                Some(kept) => Kept { until: now + FAILED, failed: true, ..kept },
                None => Kept { records: None, until: now + FAILED, forget: now + FAILED, failed: false },
            },
        };
        if self.kept.len() >= self.bound
            && let Some((_, oldest)) = self.by_end.pop_first()
        {
            self.kept.remove(&oldest);
        }
        self.by_end.insert((kept.forget, question.clone()));
        self.kept.insert(question.clone(), kept);
    }

    fn take(&mut self, question: &DnsQuestion) -> Option<Kept> {
        let kept = self.kept.remove(question)?;
        self.by_end.remove(&(kept.forget, question.clone()));
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::locate::record::RecordKind;

    fn a(name: &str) -> DnsQuestion {
        DnsQuestion { name: name.to_owned(), kind: RecordKind::A }
    }

    fn found(ttl_s: u64) -> DnsReply {
        let records = DnsRecords::Addresses(vec!["192.0.2.1".parse().unwrap()]);
        DnsReply::Records { records, ttl: Duration::from_secs(ttl_s) }
    }

    fn at(s: u64) -> Instant {
        Instant::from_secs(s)
    }

    #[test]
    fn an_answer_holds_for_its_time_within_bounds() {
        let mut cache = Cache::new(8);
        for (ttl, stale_at) in [(0, 6), (60, 61), (10_000_000, 86_401)] {
            cache.put(at(1), &a("x"), found(ttl));
            assert!(!cache.get(at(stale_at - 1), &a("x")).unwrap().stale, "{ttl}");
            assert!(cache.get(at(stale_at), &a("x")).unwrap().stale, "{ttl}");
        }
    }

    #[test]
    fn nothing_is_kept_for_a_while_and_never_for_long() {
        let mut cache = Cache::new(8);
        for (ttl, gone_at) in [(None, 31), (Some(1), 6), (Some(86_400), 301)] {
            cache.put(at(1), &a("x"), DnsReply::Nothing { ttl: ttl.map(Duration::from_secs) });
            let known = cache.get(at(gone_at - 1), &a("x")).unwrap();
            assert!(known.records.is_none() && !known.stale, "{ttl:?}");
            assert_eq!(cache.get(at(gone_at), &a("x")), None, "{ttl:?}");
        }
    }

    #[test]
    fn what_was_known_outlives_a_dead_name_server_for_a_day() {
        let mut cache = Cache::new(8);
        cache.put(at(1), &a("x"), found(60));
        cache.put(at(61), &a("x"), DnsReply::Failed);
        let known = cache.get(at(62), &a("x")).unwrap();
        assert!(known.records.is_some() && known.failed && !known.stale, "nobody is asked again at once");
        assert!(cache.get(at(96), &a("x")).unwrap().stale);
        assert!(cache.get(at(86_000), &a("x")).unwrap().records.is_some());
        assert_eq!(cache.get(at(86_462), &a("x")), None);
    }

    #[test]
    fn the_one_that_ends_first_makes_room() {
        let mut cache = Cache::new(100);
        for n in 0..1_000_u64 {
            cache.put(at(1), &a(&format!("n{n}")), found(60 + n));
        }
        assert_eq!((cache.len(), cache.by_end.len()), (100, 100));
        assert!(cache.get(at(2), &a("n0")).is_none() && cache.get(at(2), &a("n999")).is_some());
    }
}
