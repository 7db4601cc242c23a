//! Where a SIP server is found, RFC 3263: NAPTR, SRV and address records become targets to be tried in order. Without
//! sockets: [`Locator`] says what must be asked (`poll_question`), is told the replies, and hands out targets.
//!
//! Invariant: whoever knows anything is never made to wait for a name server: an answer that has ended still serves
//! while a new one is fetched; and every question ends, answered or not, within [`QUESTION_WITHIN`].
mod cache;
mod draw;
mod record;
mod walk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use self::cache::{Cache, TTL_MIN};
pub use self::record::{DnsQuestion, DnsRecords, DnsReply, Naptr, RecordKind, Srv};
use self::walk::{Walk, Walked};
use super::settings::{Listener, ListenerTransport as Transport};
use super::transport::Destination;
use super::uri::AddrSpec;
use crate::base::{Deadline, Instant, Rng};

/// Answers held at most: more names than any hotline's peers have.
const CACHE: usize = 4_096;
/// Questions asked at most at one time; beyond, one counts as failed.
const QUESTIONS: usize = 256;
/// Of them, those for names that peers wrote into their messages.
const QUESTIONS_OF_PEERS: usize = 128;
/// Look-ups that may wait at one time; beyond, one finds nothing.
const LOOKUPS: usize = 1_024;
/// A look-up that is not over within this time ends with what is known.
const LOOKUP_WITHIN: Duration = Duration::from_secs(40);
/// A question that was not answered within this time has failed.
pub const QUESTION_WITHIN: Duration = Duration::from_secs(10);

/// A place to send a request to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// How.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
}

/// A host and what is said about how to reach it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostWanted {
    /// A name or an address, an IPv6 address with or without brackets.
    pub host: String,
    /// The port, if one is said: then neither NAPTR nor SRV is asked.
    pub port: Option<u16>,
    /// The transport, if one is said: then no NAPTR is asked.
    pub transport: Option<Transport>,
    /// From a `sips:` URI: nothing but TLS.
    pub secure: bool,
}

impl HostWanted {
    /// What a URI says; `None` where it names no host. `maddr` is not obeyed: it would let a stranger choose whom we
    /// write to.
    pub fn of_uri(uri: &AddrSpec) -> Option<Self> {
        let secure = uri.scheme() == "sips";
        let said = uri.param("transport").and_then(Transport::from_name);
        // `sips` over `transport=tcp` is TLS, RFC 3261 section 26.2.2.
        let transport = if secure { said.map(|_| Transport::Tls) } else { said };
        Some(Self { host: uri.host()?, port: uri.port(), transport, secure })
    }
    /// Whether it is a name that can be asked for.
    pub fn is_name(&self) -> bool {
        record::host_name(&self.host).is_some()
    }
    /// Whether it is an address, so that nobody has to be asked.
    pub fn is_numeric(&self) -> bool {
        self.host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok()
    }
}

impl fmt::Display for HostWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = self.host.contains(':') && !self.host.starts_with('[');
        if bare {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// The transports and families that we speak.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ways(BTreeSet<(Transport, bool)>);

impl Ways {
    /// Those of our listeners.
    pub(crate) fn of(listeners: &[Listener]) -> Self {
        Self(listeners.iter().map(|l| (l.transport, l.local.is_ipv4())).collect())
    }
    fn reaches(&self, transport: Transport, v4: bool) -> bool {
        self.0.contains(&(transport, v4))
    }
    fn speaks(&self, transport: Transport) -> bool {
        self.reaches(transport, true) || self.reaches(transport, false)
    }
}

/// A look-up that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(u64);

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// In the order in which they are to be tried; none: the name leads nowhere.
    pub targets: Vec<Target>,
    /// When to look again.
    pub until: Instant,
    /// What was found is old: no name server answers any more.
    pub failed: bool,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocateCounts {
    /// Questions asked.
    pub asked: u64,
    /// Questions that nobody answered in time, or that a name server would not answer.
    pub failed: u64,
    /// Look-ups that found nothing.
    pub nothing: u64,
    /// Look-ups and questions refused because too many waited.
    pub refused: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Locator {
    ways: Ways,
    cache: Cache,
    /// Questions under way, and when they count as failed.
    asked: BTreeMap<DnsQuestion, Instant>,
    by_end: BTreeSet<(Instant, DnsQuestion)>,
    questions: VecDeque<DnsQuestion>,
    waiting: BTreeMap<LookupId, (Instant, HostWanted)>,
    waiting_for: BTreeMap<DnsQuestion, BTreeSet<LookupId>>,
    found: VecDeque<(LookupId, Located)>,
    rng: Rng,
    last: u64,
    counts: LocateCounts,
}

impl Locator {
    /// For these listeners; `rng` draws among SRV records.
    pub fn new(listeners: &[Listener], rng: &Rng) -> Self {
        Self {
            ways: Ways::of(listeners),
            cache: Cache::new(CACHE),
            asked: BTreeMap::new(),
            by_end: BTreeSet::new(),
            questions: VecDeque::new(),
            waiting: BTreeMap::new(),
            waiting_for: BTreeMap::new(),
            found: VecDeque::new(),
            rng: rng.fork("locator"),
            last: 0,
            counts: LocateCounts::default(),
        }
    }

    /// Begins a look-up: `poll_found` follows, at once where everything is known.
    pub fn locate(&mut self, now: Instant, wanted: HostWanted) -> LookupId {
        self.last += 1;
        let id = LookupId(self.last);
        self.go_on(now, id, (now, wanted));
        id
    }

    /// The targets as far as they are known at this moment, drawn anew; what is missing or has ended is asked for in the
    /// background, with less room than for `locate`: this serves names that peers write.
    pub fn known(&mut self, now: Instant, wanted: &HostWanted) -> Vec<Target> {
        let walked = self.walk(now, wanted);
        for question in walked.needs {
            self.ask(now, question, QUESTIONS_OF_PEERS);
        }
        walked.targets
    }

    /// A reply to a question.
    pub fn handle_reply(&mut self, now: Instant, question: &DnsQuestion, reply: DnsReply) {
        let Some(end) = self.asked.remove(question) else { return };
        self.by_end.remove(&(end, question.clone()));
        if reply == DnsReply::Failed {
            self.counts.failed += 1;
        }
        self.cache.put(now, question, reply);
        for id in self.waiting_for.remove(question).unwrap_or_default() {
            if let Some(wanted) = self.waiting.remove(&id) {
                self.go_on(now, id, wanted);
            }
        }
    }

    /// The moment of [`Locator::next_deadline`] has come: questions without an answer have failed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((end, question)) = self.by_end.first().cloned()
            && end <= now
        {
            self.handle_reply(now, &question, DnsReply::Failed);
        }
    }

    /// When it wants to be woken, and why.
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.by_end.first().map(|(at, _)| Deadline::new(*at, "name server does not answer"))
    }

    /// The next question to be asked.
    pub fn poll_question(&mut self) -> Option<DnsQuestion> {
        self.questions.pop_front()
    }

    /// The next look-up that ended.
    pub fn poll_found(&mut self) -> Option<(LookupId, Located)> {
        self.found.pop_front()
    }

    /// What was counted.
    pub const fn counts(&self) -> LocateCounts {
        self.counts
    }

    /// Answers held and look-ups that wait: for tests that nothing leaks.
    pub fn held(&self) -> (usize, usize) {
        (self.cache.len(), self.waiting.len() + self.waiting_for.len() + self.asked.len())
    }

    fn walk(&mut self, now: Instant, wanted: &HostWanted) -> Walked {
        let (cache, ways) = (&self.cache, &self.ways);
        Walk { now, cache, ways, rng: &mut self.rng, walked: Walked::default() }.run(wanted)
    }

    /// As far as the cache leads: to the end, or to questions whose answers it waits for.
    fn go_on(&mut self, now: Instant, id: LookupId, (since, wanted): (Instant, HostWanted)) {
        let walked = self.walk(now, &wanted);
        let room = self.waiting.len() < LOOKUPS && now.since(since) < LOOKUP_WITHIN;
        if walked.blocked && !room {
            self.counts.refused += 1;
        }
        let mut waits = false;
        for question in walked.needs {
            let asked = self.ask(now, question.clone(), QUESTIONS);
            if walked.blocked && room && asked {
                waits = true;
                self.waiting_for.entry(question).or_default().insert(id);
            }
        }
        if waits {
            self.waiting.insert(id, (since, wanted));
            return;
        }
        if walked.targets.is_empty() {
            self.counts.nothing += 1;
        }
        let until = walked.until.unwrap_or(now + Duration::from_hours(1)).max(now + TTL_MIN);
        self.found.push_back((id, Located { targets: walked.targets, until, failed: walked.failed }));
    }

    /// Asks, unless it is being asked already. `false`: there is no room; it counts as failed.
    fn ask(&mut self, now: Instant, question: DnsQuestion, room: usize) -> bool {
        if self.asked.contains_key(&question) {
            return true;
        }
        if self.asked.len() >= room {
            self.counts.refused += 1;
            return false;
        }
        self.counts.asked += 1;
        let end = now + QUESTION_WITHIN;
        self.asked.insert(question.clone(), end);
        self.by_end.insert((end, question.clone()));
        self.questions.push_back(question);
        true
    }
}

/// Where a request to `target` goes: from the first listener of its transport and family, or from `listener` where that
/// is one.
pub(crate) fn destination(
    listeners: &[Listener],
    target: Target,
    listener: impl Fn(&Listener) -> bool,
) -> Option<Destination> {
    let to = target.address;
    let fits = |l: &&Listener| l.transport == target.transport && l.local.is_ipv4() == to.is_ipv4();
    let mut fitting = listeners.iter().filter(fits);
    let chosen = fitting.clone().find(|l| listener(l)).or_else(|| fitting.next())?.id;
    Some(if target.transport.is_stream() {
        Destination::Connect { listener: chosen, to }
    } else {
        Destination::Datagram { listener: chosen, to }
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
