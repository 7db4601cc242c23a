//! All invites of a user agent, by number and by dialog. Invariant: one that is over leaves nothing behind but what its
//! transactions still need.
use super::Invite;
use super::table::State;
use crate::base::{ById, Lookup};
use crate::sip::event::InviteId;
use crate::sip::station::Station;

/// All invites, by number and by dialog.
#[derive(Debug, Default)]
pub(crate) struct Invites {
    /// Each in a place of its own: a larger table moves places, not invites.
    pub(super) by_id: ById<InviteId, Box<Invite>>,
    by_dialog: Lookup<String, InviteId>,
    /// How many of them are live.
    live: usize,
    last: u64,
}

fn dialog_key(call_id: &str, local_tag: &str) -> String {
    format!("{call_id}\n{local_tag}")
}

impl Invites {
    /// How many are held, answered or not, finished ones that linger too.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
    /// How many are held that are not over.
    pub(crate) const fn live(&self) -> usize {
        self.live
    }
    pub(super) fn new_id(&mut self) -> InviteId {
        self.last += 1;
        InviteId(self.last)
    }
    pub(super) fn insert(&mut self, call_id: &str, invite: Invite) {
        self.live += 1;
        self.by_dialog.insert(dialog_key(call_id, &invite.local_tag), invite.id);
        self.by_id.insert(invite.id, Box::new(invite));
    }
    /// Hands an invite to `act`, and forgets it if it is done. `None`: there is none of that number.
    pub(crate) fn with<T>(
        &mut self,
        station: &mut Station,
        id: InviteId,
        act: impl FnOnce(&mut Invite, &mut Station) -> T,
    ) -> Option<T> {
        station.counts.touched += 1;
        let invite = self.by_id.get_mut(&id)?;
        let was_live = invite.is_live();
        let result = act(invite, station);
        if was_live && !invite.is_live() {
            self.live = self.live.saturating_sub(1);
        }
        if invite.is_done() {
            let key = dialog_key(invite.call_id(), &invite.local_tag);
            self.by_id.remove(&id);
            self.by_dialog.remove(&key);
        }
        Some(result)
    }
    /// The invite whose dialog a request with these values belongs to.
    pub(crate) fn of_dialog(&self, call_id: &str, local_tag: &str) -> Option<InviteId> {
        self.by_dialog.get(&dialog_key(call_id, local_tag)).copied()
    }
    /// A transaction of an invite is finished.
    pub(crate) fn finished(&mut self, station: &mut Station, id: InviteId) {
        self.with(station, id, |invite, _| invite.open = invite.open.saturating_sub(1));
    }
    /// The Call-ID header's text; `None` if it is not held.
    pub(crate) fn sip_call_id(&self, id: InviteId) -> Option<&str> {
        self.by_id.get(&id).map(|invite| invite.call_id())
    }
    /// Whether nothing came to an outgoing INVITE yet.
    pub(crate) fn is_unheard(&self, id: InviteId) -> bool {
        self.by_id.get(&id).is_some_and(|invite| invite.state == State::Calling)
    }
    /// State of an invite in a word; `None` if it is not held.
    pub(crate) fn describe(&self, id: InviteId) -> Option<&'static str> {
        self.by_id.get(&id).map(|invite| invite.describe())
    }
}
