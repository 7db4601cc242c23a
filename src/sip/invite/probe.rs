//! Asks whether the far end still knows the dialog: OPTIONS within it, RFC 3261 section 11.2, which changes nothing.
//!
//! Invariant: a question that was sent is answered by one `Probed`, or by the end of the invite.
use super::table::State;
use super::{Invite, is_dialog_lost};
use crate::base::Instant;
use crate::sip::event::SipEvent;
use crate::sip::message::{Method, Status};
use crate::sip::name::HeaderName;
use crate::sip::station::{Role, Station};

impl Invite {
    /// Asks; `false`: there is no dialog to ask within, or its own timers run.
    pub(crate) fn probe(&mut self, station: &mut Station, now: Instant) -> bool {
        if self.state != State::Confirmed {
            return false;
        }
        let Some(question) = self.dialog.as_mut().map(|d| d.request(Method::Options)) else { return false };
        let question = question.with(HeaderName::Accept, "application/sdp");
        self.start(station, now, question, Role::Probe).is_some()
    }

    /// Whatever else it says: it is there.
    pub(super) fn handle_probe_response(&mut self, station: &mut Station, now: Instant, status: Status) {
        if is_dialog_lost(status) {
            self.lose_peer(station, now);
        } else if status.is_final() {
            station.report(SipEvent::Probed { invite: self.id, answered: true });
        }
    }
}
