//! Who is let in while the machine is behind. An INVITE that begins a call is turned away before anything is made for it:
//! no transaction, no dialog, no trace, one 503 with Retry-After (RFC 3261 8.2.7, a stateless answer; 21.5.4). So a crowd
//! of callers costs little more than reading what they say, and the callers inside have the machine.
//!
//! Invariant: only what begins a call is turned away, and the ACK to that answer: nothing within a dialog or of a transaction that stands, nobody who
//! takes another leg's place or says who he is.
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::UserAgent;
use crate::base::Rng;
use crate::sip::event::identity_of;
use crate::sip::message::{Method, Request};
use crate::sip::name::HeaderName;
use crate::sip::transport::Source;

/// How the To tags of such answers begin: their ACKs end before they are read. No tag of ours has this otherwise.
pub(super) const MARK: &str = "away-";

/// Requests that are remembered as turned away: some seconds of a crowd, a quarter of a MiB once there was one.
const LATELY: usize = 32_768;

/// The door.
#[derive(Debug)]
pub(super) struct Door {
    /// So many more are let in; `None`: all.
    room: Option<u32>,
    retry_after_s: u32,
    salt: u64,
    /// Who was turned away lately, by the hash of what he said: he is not let in when he merely repeats it, for the first
    /// answer may be on its way.
    lately: Box<[u64]>,
}

impl Door {
    /// Open.
    pub(super) fn new(rng: &Rng) -> Self {
        let mut rng = rng.fork("door");
        Self { room: None, retry_after_s: 0, salt: rng.next_u64(), lately: Box::default() }
    }
    /// Whether a request that begins a call is turned away; its hash if so.
    fn turns_away(&mut self, request: &Request) -> Option<u64> {
        if self.lately.is_empty() {
            self.lately = vec![0; LATELY].into_boxed_slice();
        }
        let hash = self.hash(request);
        let at = usize::try_from(hash % LATELY as u64).unwrap_or_default();
        let known = self.lately.get_mut(at)?;
        if *known != hash
            && let Some(room) = self.room.as_mut().filter(|room| **room > 0)
        {
            *room -= 1;
            return None;
        }
        *known = hash;
        Some(hash)
    }
    fn hash(&self, request: &Request) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.salt.hash(&mut hasher);
        request.call_id().hash(&mut hasher);
        request.from_tag().hash(&mut hasher);
        request.headers.get(HeaderName::CSeq).hash(&mut hasher);
        hasher.finish()
    }
}

impl UserAgent {
    /// From now on so many more who call anew are let in, `None`: all; the others are told to try again in so many seconds.
    pub const fn let_in(&mut self, room: Option<u32>, retry_after_s: u32) {
        self.door.room = room;
        self.door.retry_after_s = retry_after_s;
    }

    /// Whether a request ends here: a caller who is turned away.
    pub(super) fn turns_away(&mut self, source: &Source, request: &Request) -> bool {
        if self.door.room.is_none() || !self.begins_call(request) {
            return false;
        }
        let Some(hash) = self.door.turns_away(request) else { return false };
        self.station.counts.turned_away += 1;
        // The same request gets the same tag.
        let (tag, wait) = (format!("{MARK}{hash:016x}"), self.door.retry_after_s);
        self.station.transactions.turn_away(source, request, (&tag, wait));
        true
    }

    fn begins_call(&self, request: &Request) -> bool {
        let has = |name| request.headers.get(name).is_some();
        request.method == Method::Invite
            && request.to_tag().is_none()
            && !has(HeaderName::Authorization)
            && !has(HeaderName::Replaces)
            && !self.settings.accounts.contains_key(&identity_of(request.from().as_ref()).user)
            && !self.station.transactions.knows(request)
    }
}
