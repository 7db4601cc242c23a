//! Whoever guesses passwords is shut out, and whoever lets calls hang half open may not hold many.
//!
//! Invariant: an address is judged by what came from it alone; nobody else's calls are touched. What is remembered is
//! bounded; addresses that are exempt (loopback, trunks) are never shut out.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Instant, Now, UtcTime};
use crate::sip::InviteId;

/// Addresses of which failures are remembered; the oldest makes room.
const REMEMBERED: usize = 10_000;
/// Bans at once; the one that ends first makes room.
const BANS: usize = 10_000;

/// The rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// Wrong passwords from one address within `window` that shut it out.
    pub failures: usize,
    /// See `failures`.
    pub window: Duration,
    /// How long an address is shut out.
    pub ban: Duration,
    /// Calls of one address that we answered and that it has not acknowledged: more are refused with 503.
    pub half_open: usize,
    /// Addresses that are never shut out, beside the trunks'.
    pub exempt: Vec<IpAddr>,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            failures: 20,
            window: Duration::from_mins(1),
            ban: Duration::from_mins(10),
            half_open: 500,
            exempt: vec![[127, 0, 0, 1].into(), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)],
        }
    }
}

/// An address that is shut out: as it survives a restart, and as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Whose.
    pub address: IpAddr,
    /// Until when, microseconds of civil time.
    pub until_us: i64,
}

/// Who is watched and who is shut out.
#[derive(Debug)]
pub(super) struct Guard {
    settings: GuardSettings,
    failed: BTreeMap<IpAddr, VecDeque<Instant>>,
    order: VecDeque<IpAddr>,
    bans: BTreeMap<IpAddr, (Instant, UtcTime)>,
    half_open: BTreeMap<IpAddr, BTreeSet<InviteId>>,
    of_invite: BTreeMap<InviteId, IpAddr>,
}

impl Guard {
    /// Calls of strangers that are answered and not acknowledged.
    pub(super) fn half_open(&self) -> usize {
        self.of_invite.len()
    }
    pub(super) fn new(settings: GuardSettings) -> Self {
        Self {
            settings,
            failed: BTreeMap::new(),
            order: VecDeque::new(),
            bans: BTreeMap::new(),
            half_open: BTreeMap::new(),
            of_invite: BTreeMap::new(),
        }
    }

    /// Bans of the run before that still hold.
    pub(super) fn restore(&mut self, now: Now, bans: Vec<Ban>) {
        for ban in bans.into_iter().take(BANS) {
            let left = ban.until_us.saturating_sub(now.utc.as_micros());
            // A clock that was set back makes nobody wait longer than a ban lasts.
            let left = Duration::from_micros(u64::try_from(left).unwrap_or(0)).min(self.settings.ban);
            if !left.is_zero() {
                self.bans.insert(ban.address, (now.mono + left, now.utc + left));
            }
        }
    }

    /// Whether nothing of this address is listened to.
    pub(super) fn bars(&mut self, now: Now, from: IpAddr) -> bool {
        let from = from.to_canonical();
        match self.bans.get(&from) {
            Some((until, _)) if *until <= now.mono => {
                self.bans.remove(&from);
                false
            }
            barred => barred.is_some(),
        }
    }

    /// A password was wrong. `true`: its address is shut out from now on.
    pub(super) fn wrong_password(&mut self, now: Now, from: IpAddr) -> bool {
        let from = from.to_canonical();
        if self.settings.exempt.contains(&from) {
            return false;
        }
        if !self.failed.contains_key(&from) {
            self.order.push_back(from);
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.failed.remove(&oldest);
            }
        }
        let failed = self.failed.entry(from).or_default();
        let (most, window) = (self.settings.failures, self.settings.window);
        failed.push_back(now.mono);
        while failed.front().is_some_and(|at| now.mono.since(*at) > window) || failed.len() > most {
            failed.pop_front();
        }
        if failed.len() < most {
            return false;
        }
        self.failed.remove(&from);
        self.order.retain(|a| *a != from);
        if self.bans.len() >= BANS
            && let Some(first) = self.bans.iter().min_by_key(|(_, (until, _))| *until).map(|(a, _)| *a)
        {
            self.bans.remove(&first);
        }
        let ban = self.settings.ban;
        self.bans.insert(from, (now.mono + ban, now.utc + ban));
        true
    }

    /// Whether an address may begin another call before it acknowledges those that were answered.
    pub(super) fn admits(&self, from: IpAddr) -> bool {
        let from = from.to_canonical();
        let open = self.half_open.get(&from).map_or(0, BTreeSet::len);
        open < self.settings.half_open || self.settings.exempt.contains(&from)
    }

    /// A call that is not acknowledged yet.
    pub(super) fn begins(&mut self, invite: InviteId, from: IpAddr) {
        let from = from.to_canonical();
        self.half_open.entry(from).or_default().insert(invite);
        self.of_invite.insert(invite, from);
    }

    /// It was acknowledged, or is over.
    pub(super) fn is_settled(&mut self, invite: InviteId) {
        let Some(from) = self.of_invite.remove(&invite) else { return };
        if let Some(open) = self.half_open.get_mut(&from) {
            open.remove(&invite);
            if open.is_empty() {
                self.half_open.remove(&from);
            }
        }
    }

    /// Who is shut out now.
    pub(super) fn bans(&self, now: Now) -> Vec<Ban> {
        let held = self.bans.iter().filter(|(_, (until, _))| *until > now.mono);
        held.map(|(address, (_, until))| Ban { address: *address, until_us: until.as_micros() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        let seconds_i = i64::try_from(seconds).unwrap();
        Now { mono: Instant::from_secs(seconds), utc: UtcTime::from_secs(1_000_000 + seconds_i) }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn twenty_wrong_passwords_in_a_minute_shut_an_address_out_and_no_other() {
        let mut guard = Guard::new(GuardSettings::default());
        for n in 0..19 {
            assert!(!guard.wrong_password(at(n), ip("192.0.2.1")));
        }
        assert!(!guard.bars(at(19), ip("192.0.2.1")));
        assert!(guard.wrong_password(at(19), ip("192.0.2.1")));
        assert!(guard.bars(at(20), ip("192.0.2.1")) && guard.bars(at(20), ip("::ffff:192.0.2.1")));
        assert!(!guard.bars(at(20), ip("192.0.2.2")));
        assert!(!guard.bars(at(19 + 601), ip("192.0.2.1")), "released");
    }

    #[test]
    fn slow_mistakes_and_loopback_shut_nobody_out() {
        let mut guard = Guard::new(GuardSettings::default());
        assert!((0..200).all(|n| !guard.wrong_password(at(n * 4), ip("192.0.2.1"))));
        assert!((0..200).all(|_| !guard.wrong_password(at(1_000), ip("127.0.0.1"))));
    }

    #[test]
    fn bans_go_on_after_a_restart_for_what_is_left_of_them() {
        let mut guard = Guard::new(GuardSettings::default());
        for _ in 0..20 {
            guard.wrong_password(at(0), ip("192.0.2.1"));
        }
        let kept = guard.bans(at(1));
        let mut again = Guard::new(GuardSettings::default());
        again.restore(Now { mono: Instant::from_secs(5), ..at(100) }, kept);
        assert!(again.bars(Now { mono: Instant::from_secs(504), ..at(0) }, ip("192.0.2.1")));
        assert!(!again.bars(Now { mono: Instant::from_secs(506), ..at(0) }, ip("192.0.2.1")));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut guard = Guard::new(GuardSettings { failures: 1, ..GuardSettings::default() });
        let mut watcher = Guard::new(GuardSettings::default());
        for n in 0..30_000_u32 {
            let address = IpAddr::from((0x0A00_0000 + n).to_be_bytes());
            guard.wrong_password(at(u64::from(n)), address);
            watcher.wrong_password(at(0), address);
        }
        assert!(guard.bans.len() <= BANS && guard.failed.is_empty() && guard.order.is_empty());
        assert!(watcher.failed.len() <= REMEMBERED && watcher.order.len() <= REMEMBERED);
    }
}
