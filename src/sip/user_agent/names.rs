//! Names of hosts, RFC 3263: what `node` wants located, and the questions and replies of name servers on their way.
//!
//! Invariant: each look-up ends in `Located`, once.
use super::UserAgent;
use crate::base::Instant;
use crate::sip::event::{InviteId, SipEvent};
use crate::sip::locate::{DnsQuestion, DnsReply, HostWanted, LocateCounts, LookupId, Target};
use crate::sip::transport::{Destination, ListenerId};

impl UserAgent {
    /// Finds where requests for a host go: `Located` follows, at once where everything is known.
    pub fn locate(&mut self, now: Instant, wanted: HostWanted) -> LookupId {
        let now = self.lift(now);
        let id = self.station.locator.locate(now, wanted);
        self.report_located();
        id
    }
    /// The same as far as it is known at this moment, with the chances of the SRV weights drawn anew.
    pub fn known_targets(&mut self, now: Instant, wanted: &HostWanted) -> Vec<Target> {
        let now = self.lift(now);
        self.station.locator.known(now, wanted)
    }
    /// The next question for a name server.
    pub fn poll_question(&mut self) -> Option<DnsQuestion> {
        self.station.locator.poll_question()
    }
    /// What became of a question.
    pub fn handle_dns(&mut self, now: Instant, question: &DnsQuestion, reply: DnsReply) {
        let now = self.lift(now);
        self.station.locator.handle_reply(now, question, reply);
        self.report_located();
    }
    /// How a request gets to a target: from one of these listeners, or from the first that fits. `None`: none does.
    pub fn destination(&self, target: Target, prefer: &[ListenerId]) -> Option<Destination> {
        self.station.destination(target, |l| prefer.contains(&l.id))
    }
    /// Whether nothing at all, not even 100, came to an INVITE of ours yet.
    pub fn is_unheard(&self, invite: InviteId) -> bool {
        self.invites.is_unheard(invite)
    }
    /// What was counted of names.
    pub const fn locate_counts(&self) -> LocateCounts {
        self.station.locator.counts()
    }

    pub(super) fn locate_timeout(&mut self, now: Instant) {
        self.station.locator.handle_timeout(now);
        self.report_located();
    }

    fn report_located(&mut self) {
        while let Some((lookup, found)) = self.station.locator.poll_found() {
            self.station.report(SipEvent::Located { lookup, found });
        }
    }
}
