//! The client's side of digest: one peer's challenge and its answers, RFC 7616 section 3.4, RFC 3261 section 22.
//!
//! Invariant: a challenge is answered once for each nonce and request, and never more than thrice in a row.
use std::collections::BTreeMap;

use super::{Credentials, DigestAlgorithm, parameters, quoted};
use crate::base::Rng;

/// The client's side: one peer's challenge and how often it was answered.
#[derive(Clone, Debug)]
pub(crate) struct DigestClient {
    credentials: Credentials,
    challenge: Option<Challenge>,
    /// Challenges answered for the request at hand, so that a server cannot keep us busy.
    rounds: u8,
}

#[derive(Clone, Debug)]
pub(super) struct Challenge {
    pub(super) algorithm: DigestAlgorithm,
    pub(super) realm: String,
    pub(super) nonce: String,
    pub(super) opaque: Option<String>,
    /// `qop=auth` was offered; without, RFC 2069's form.
    pub(super) counted: bool,
    pub(super) count: u32,
}

/// More than `stale=true` twice in a row is no server that wants to let us in.
const ROUNDS_MAX: u8 = 3;

impl DigestClient {
    /// For these credentials.
    pub(crate) const fn new(credentials: Credentials) -> Self {
        Self { credentials, challenge: None, rounds: 0 }
    }
    /// A request was accepted: the next one may be challenged anew.
    pub(crate) const fn accepted(&mut self) {
        self.rounds = 0;
    }
    /// A request was refused for good: the next one begins without what was learnt.
    pub(crate) fn forget(&mut self) {
        (self.challenge, self.rounds) = (None, 0);
    }
    /// Takes the challenges of a 401 or 407; `false`: there is nothing new to say, give up.
    pub(crate) fn challenged(&mut self, values: &[&str]) -> bool {
        let ours = self.credentials.realm.as_deref();
        let found = values.iter().filter_map(|v| parameters(v)).find_map(|p| {
            let challenge = Challenge::read(&p)?;
            let stale = p.get("stale").is_some_and(|s| s.eq_ignore_ascii_case("true"));
            ours.is_none_or(|realm| realm == challenge.realm).then_some((challenge, stale))
        });
        let Some((challenge, stale)) = found else { return false };
        let same_nonce = self.challenge.as_ref().is_some_and(|c| c.nonce == challenge.nonce);
        if self.rounds >= ROUNDS_MAX || (self.rounds > 0 && (!stale || same_nonce)) {
            return false;
        }
        self.rounds += 1;
        self.challenge = Some(challenge);
        true
    }
    /// The Authorization value for a request, if we were challenged ever.
    pub(crate) fn answer(&mut self, method: &str, uri: &str, rng: &mut Rng) -> Option<String> {
        let cnonce = rng.token(16);
        let challenge = self.challenge.as_mut()?;
        challenge.count = challenge.count.saturating_add(1);
        Some(challenge.answer(&self.credentials, method, uri, &cnonce))
    }
}

impl Challenge {
    fn read(p: &BTreeMap<String, String>) -> Option<Self> {
        let algorithm =
            p.get("algorithm").map_or(Some(DigestAlgorithm::Md5), |a| DigestAlgorithm::from_text(a))?;
        let counted = match p.get("qop") {
            None => false,
            Some(offered) => {
                offered.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")).then_some(true)?
            }
        };
        Some(Self {
            algorithm,
            realm: p.get("realm")?.clone(),
            nonce: p.get("nonce")?.clone(),
            opaque: p.get("opaque").cloned(),
            counted,
            count: 0,
        })
    }

    pub(super) fn answer(&self, who: &Credentials, method: &str, uri: &str, cnonce: &str) -> String {
        let a = self.algorithm;
        let ha1 = a.hash(&[&who.user, &self.realm, &who.password]);
        let ha2 = a.hash(&[method, uri]);
        let count = format!("{:08x}", self.count);
        let response = if self.counted {
            a.hash(&[&ha1, &self.nonce, &count, cnonce, "auth", &ha2])
        } else {
            a.hash(&[&ha1, &self.nonce, &ha2])
        };
        let counted = if self.counted {
            format!(", cnonce={}, qop=auth, nc={count}", quoted(cnonce))
        } else {
            String::new()
        };
        let opaque = self.opaque.as_ref().map_or_else(String::new, |o| format!(", opaque={}", quoted(o)));
        format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\", algorithm={}{counted}{opaque}",
            quoted(&who.user),
            quoted(&self.realm),
            quoted(&self.nonce),
            quoted(uri),
            a.as_str()
        )
    }
}
