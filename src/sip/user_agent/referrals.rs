//! What `node` says to a REFER, and which of our dialogs a Replaces names.
use super::UserAgent;
use crate::base::Instant;
use crate::sip::event::InviteId;
use crate::sip::invite::Invite;
use crate::sip::message::Status;
use crate::sip::refer::{NamedDialog, Replaces};

impl UserAgent {
    /// Asks the far end that `to`, a URI, take our place. Without news of it: the far end's BYE tells.
    pub fn refer(&mut self, now: Instant, invite: InviteId, to: &str) {
        self.with(now, invite, |invite, station, now| invite.refer(station, now, to));
    }
    /// Takes what `Referred` asked for: 202 and the first NOTIFY.
    pub fn accept_referral(&mut self, now: Instant, invite: InviteId) {
        self.with(now, invite, Invite::accept_referral);
    }
    /// Refuses it, e.g. with 403.
    pub fn refuse_referral(&mut self, now: Instant, invite: InviteId, status: Status) {
        let status = if status.code() < 300 { Status::FORBIDDEN } else { status };
        self.with(now, invite, |invite, station, now| invite.refuse_referral(station, now, status));
    }
    /// Tells how it goes; a final status is the last word. After the call's own end too, as far as the peer listens.
    pub fn tell_referral(&mut self, now: Instant, invite: InviteId, status: Status) {
        self.with(now, invite, |invite, station, now| invite.tell_referral(station, now, status));
    }
    /// Which dialog an INVITE with this Replaces, or a REFER to it, means (RFC 3891 section 3).
    pub fn named_dialog(&self, replaces: &Replaces) -> NamedDialog {
        self.invites.named(replaces)
    }
}
