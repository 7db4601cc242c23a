//! The server's side of digest: challenges and their verification, RFC 7616 sections 3.3 and 3.4.
//!
//! Invariant: no answer is accepted twice, whatever was forgotten meanwhile.
use std::collections::BTreeMap;
use std::time::Duration;

use super::{Account, DigestAlgorithm, parameters, quoted, same};
use crate::base::{Instant, Rng};

/// The counts of one nonce that were used: the highest, and which of the 64 before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CountsUsed {
    pub(super) highest: u32,
    pub(super) before: u64,
}

impl CountsUsed {
    /// Marks `count` as used; `false`: it was, or is too old to tell.
    pub(super) fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            let moved = count - self.highest;
            let shifted = self.before.checked_shl(moved).unwrap_or(0);
            self.before = shifted | 1u64.checked_shl(moved - 1).unwrap_or(0);
            self.highest = count;
            return true;
        }
        let back = self.highest - count;
        let Some(bit) = back.checked_sub(1).and_then(|n| 1u64.checked_shl(n)) else { return false };
        let fresh = self.before & bit == 0;
        self.before |= bit;
        fresh
    }
}

/// What came of looking at a request's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// It carries none for our realm.
    Missing,
    /// Right, but the nonce is too old or its count was used: challenge with `stale=true`.
    Stale,
    /// Wrong.
    Refused,
    /// This user it is.
    Proved(String),
}

/// What a request puts forward.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    /// The method, in capitals.
    pub(crate) method: &'a str,
    /// The request URI as written.
    pub(crate) uri: &'a str,
    /// The values of its Authorization headers.
    pub(crate) values: &'a [&'a str],
}

/// The server's side: challenges and their verification.
#[derive(Clone, Debug)]
pub(crate) struct DigestServer {
    realm: String,
    algorithms: Vec<DigestAlgorithm>,
    lifetime: Duration,
    bound: usize,
    secret: String,
    rng: Rng,
    /// Nonces that proved somebody, by time and unique number.
    used: BTreeMap<(u64, u64), CountsUsed>,
    /// Nonces issued at this millisecond or before are stale, whatever their count.
    floor_ms: u64,
    displaced: u64,
    refused: u64,
}

impl DigestServer {
    /// With a secret of its own from `rng`.
    pub(crate) fn new(
        realm: String,
        algorithms: Vec<DigestAlgorithm>,
        lifetime: Duration,
        bound: usize,
        mut rng: Rng,
    ) -> Self {
        let secret = rng.token(50);
        Self {
            realm,
            algorithms,
            lifetime,
            bound,
            secret,
            rng,
            used: BTreeMap::new(),
            floor_ms: 0,
            displaced: 0,
            refused: 0,
        }
    }
    /// Nonces forgotten before their time.
    pub(crate) const fn displaced(&self) -> u64 {
        self.displaced
    }
    /// Digest answers that were wrong.
    pub(crate) const fn refused(&self) -> u64 {
        self.refused
    }
    /// Nonces remembered.
    pub(crate) fn remembered(&self) -> usize {
        self.used.len()
    }

    /// The WWW-Authenticate values of a 401: one for each algorithm, in the order of the settings (RFC 8760
    /// section 2.4).
    pub(crate) fn challenge(&mut self, now: Instant, stale: bool) -> Vec<String> {
        let nonce = self.nonce(now);
        let realm = quoted(&self.realm);
        let stale = if stale { ", stale=true" } else { "" };
        self.algorithms
            .iter()
            .map(|a| {
                format!(
                    "Digest realm={realm}, nonce=\"{nonce}\", algorithm={}, qop=\"auth\"{stale}",
                    a.as_str()
                )
            })
            .collect()
    }

    fn nonce(&mut self, now: Instant) -> String {
        let head = format!("{:x}.{:x}", now.as_millis(), self.rng.next_u64());
        let mac = self.mac(&head);
        format!("{head}.{mac}")
    }
    fn mac(&self, head: &str) -> String {
        // The secret on both sides, so that a hash cannot be extended.
        let mut mac = DigestAlgorithm::Sha256.hash(&[&self.secret, head, &self.secret]);
        mac.truncate(32);
        mac
    }
    /// Time and unique number of a nonce that we made.
    fn ours(&self, nonce: &str) -> Option<(u64, u64)> {
        let (head, mac) = nonce.rsplit_once('.')?;
        let (time, unique) = head.split_once('.')?;
        let key = (u64::from_str_radix(time, 16).ok()?, u64::from_str_radix(unique, 16).ok()?);
        same(self.mac(head).as_bytes(), mac.as_bytes()).then_some(key)
    }

    /// Looks at a request's credentials.
    pub(crate) fn verify(
        &mut self,
        now: Instant,
        accounts: &BTreeMap<String, Account>,
        claim: Claim<'_>,
    ) -> Proof {
        let given = claim.values.iter().filter_map(|v| parameters(v));
        let Some(given) = given.into_iter().find(|p| p.get("realm") == Some(&self.realm)) else {
            return Proof::Missing;
        };
        let proof = self.judge(now, accounts, &claim, &given);
        if proof == Proof::Refused {
            self.refused += 1;
        }
        proof
    }

    fn judge(
        &mut self,
        now: Instant,
        accounts: &BTreeMap<String, Account>,
        claim: &Claim<'_>,
        given: &BTreeMap<String, String>,
    ) -> Proof {
        let field = |name: &str| given.get(name).map_or("", String::as_str);
        let algorithm =
            given.get("algorithm").map_or(Some(DigestAlgorithm::Md5), |a| DigestAlgorithm::from_text(a));
        let Some(algorithm) = algorithm.filter(|a| self.algorithms.contains(a)) else {
            return Proof::Refused;
        };
        let key = self.ours(field("nonce"));
        // The same hashes for a user we do not know: only the last comparison differs.
        let user = field("username");
        let decoy = algorithm.hash(&[user, &self.realm, &self.secret]);
        let account = accounts.get(user).and_then(|a| a.ha1(algorithm));
        let ha1 = account.unwrap_or(&decoy);
        let ha2 = algorithm.hash(&[claim.method, field("uri")]);
        let expected =
            algorithm.hash(&[ha1, field("nonce"), field("nc"), field("cnonce"), field("qop"), &ha2]);
        let right = same(expected.as_bytes(), field("response").to_ascii_lowercase().as_bytes());
        let count = (field("nc").len() == 8).then(|| u32::from_str_radix(field("nc"), 16).ok()).flatten();
        let formed = field("qop").eq_ignore_ascii_case("auth") && uri_covers(field("uri"), claim.uri);
        match (right && formed && account.is_some(), key, count) {
            (true, Some(key), Some(count)) if count > 0 => {
                if self.take(now, key, count) {
                    Proof::Proved(user.to_owned())
                } else {
                    Proof::Stale
                }
            }
            // Right for a nonce that is not ours: made before a restart.
            (true, None, Some(_)) => Proof::Stale,
            _ => Proof::Refused,
        }
    }

    /// Marks a count of a nonce as used.
    fn take(&mut self, now: Instant, key: (u64, u64), count: u32) -> bool {
        let lifetime_ms = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        let oldest = now.as_millis().saturating_sub(lifetime_ms);
        while self.used.first_key_value().is_some_and(|((at, _), _)| *at < oldest) {
            self.used.pop_first();
        }
        // `floor_ms` 0 means that nothing was forgotten yet.
        if key.0 < oldest || (self.floor_ms > 0 && key.0 <= self.floor_ms) {
            return false;
        }
        if let Some(counts) = self.used.get_mut(&key) {
            return counts.take(count);
        }
        self.used.insert(key, CountsUsed { highest: count, before: 0 });
        if self.used.len() > self.bound
            && let Some(((at, _), _)) = self.used.pop_first()
        {
            self.floor_ms = self.floor_ms.max(at).max(1);
            self.displaced += 1;
        }
        true
    }
}

/// Whether the `uri` that was hashed stands for the request URI: the same text, or the same host and port with the
/// same user or none (`SIPp` hashes the address alone).
pub(super) fn uri_covers(hashed: &str, request: &str) -> bool {
    if hashed == request {
        return true;
    }
    let parts = |uri: &str| {
        let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
        let rest = rest.split([';', '?']).next().unwrap_or(rest);
        let (user, host) = rest.rsplit_once('@').unwrap_or(("", rest));
        let host = host.strip_suffix(":5060").unwrap_or(host);
        (user.to_owned(), host.to_ascii_lowercase())
    };
    let ((hashed_user, hashed_host), (user, host)) = (parts(hashed), parts(request));
    hashed_host == host && (hashed_user.is_empty() || hashed_user == user)
}
