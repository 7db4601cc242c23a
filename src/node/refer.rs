//! Transfers at SIP's side: whom a Refer-To names, what the far end that asked is told (RFC 3515), and an INVITE that wants
//! to take a leg's place (RFC 3891 section 3).
//!
//! Invariant: a Refer-To leads to somebody whom ops wrote down (a number of the hotline, a party of the directory, a
//! queue, an agent), to a leg of ours, or to a number that the trunk's permit list names; to nothing else, whatever the
//! URI says. No host of a URI from outside is ever called.
use std::collections::BTreeMap;

use super::machine::Node;
use super::permit::Admission;
use super::status;
use crate::base::{AgentId, LegId, QueueId, TransferId, TrunkId};
use crate::exchange::{Input, Peer, TransferStep, TransferTarget};
use crate::sip::{AddrSpec, Incoming, InviteId, NamedDialog, ReferTarget, Referral, Replaces, Status};

/// Transfers that are not decided yet.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// Whose far end asked, and what its REFER said.
    pub(super) open: BTreeMap<TransferId, (InviteId, Box<Referral>)>,
    last: u64,
}

impl Transfers {
    fn begin(&mut self, invite: InviteId, referral: Box<Referral>) -> TransferId {
        self.last += 1;
        let id = TransferId(self.last);
        self.open.insert(id, (invite, referral));
        id
    }

    /// What the REFER said that a leg is rung for.
    pub(super) fn referral(&self, id: TransferId) -> Option<&Referral> {
        self.open.get(&id).map(|(_, referral)| &**referral)
    }
}

impl Node {
    /// The far end of a leg asks that somebody else take its place.
    pub(super) fn on_referred(&mut self, invite: InviteId, referral: Box<Referral>) {
        let now = self.now().mono;
        let leg = self.legs.of_invite(invite).map(|(leg, _)| leg);
        let asked = match leg {
            Some(leg) => self.target_of(&referral).map(|to| (leg, to)),
            None => Err(Status::NO_SUCH_TRANSACTION),
        };
        match asked {
            Ok((leg, to)) => {
                let mut referral = referral;
                if !self.is_believed(leg) {
                    referral.user_to_user.clear();
                }
                let transfer = self.transfers.begin(invite, referral);
                self.input(Input::TransferAsked { leg, transfer, to });
            }
            Err(status) => {
                tracing::info!(?leg, target = ?referral.target, %status, "a REFER was refused");
                self.figures.referrals_refused += 1;
                self.sip.refuse_referral(now, invite, status);
            }
        }
    }

    /// Whether what the far end of a leg says of others is handed on: a proved agent's, a trusted trunk's.
    fn is_believed(&self, leg: LegId) -> bool {
        let trunk = self.legs.get(leg).and_then(|l| l.trunk.as_ref());
        trunk.is_none_or(|(id, _)| self.settings.trunks.get(id).is_some_and(|t| t.trusted))
    }

    /// What became of a transfer.
    pub(super) fn on_transfer(&mut self, transfer: TransferId, step: TransferStep) {
        let now = self.now().mono;
        let Some((invite, _)) = self.transfers.open.get(&transfer) else { return };
        let invite = *invite;
        let over = match step {
            TransferStep::Accepted => {
                self.figures.referrals_taken += 1;
                self.sip.accept_referral(now, invite);
                false
            }
            TransferStep::Refused(cause) => {
                self.figures.referrals_refused += 1;
                self.sip.refuse_referral(now, invite, status::refusal(cause));
                true
            }
            TransferStep::Ringing => {
                self.sip.tell_referral(now, invite, Status::RINGING);
                false
            }
            TransferStep::Succeeded => {
                self.sip.tell_referral(now, invite, Status::OK);
                true
            }
            TransferStep::Failed(cause) => {
                self.sip.tell_referral(now, invite, status::outcome(cause));
                true
            }
        };
        if over {
            self.transfers.open.remove(&transfer);
        }
    }

    fn target_of(&mut self, referral: &Referral) -> Result<TransferTarget, Status> {
        if !referral.by_invite {
            return Err(Status::FORBIDDEN);
        }
        if let Some(replaces) = &referral.replaces
            && let Some(leg) = self.own_leg(replaces)?
        {
            return Ok(TransferTarget::Leg(leg));
        }
        self.somebody(&referral.target).ok_or(Status::FORBIDDEN)
    }

    /// The leg that a Replaces within a Refer-To names; `None`: no dialog of ours, so that whoever is called must know it.
    fn own_leg(&mut self, replaces: &Replaces) -> Result<Option<LegId>, Status> {
        match self.sip.named_dialog(replaces) {
            NamedDialog::Missing => Ok(None),
            NamedDialog::Over => Err(Status::DECLINE),
            NamedDialog::NotOursToReplace => Err(Status::NO_SUCH_TRANSACTION),
            NamedDialog::Early(invite) | NamedDialog::Confirmed(invite) => {
                let leg = self.legs.of_invite(invite).map(|(leg, _)| leg);
                leg.map(Some).ok_or(Status::NO_SUCH_TRANSACTION)
            }
        }
    }

    /// Whom a URI names among those we know.
    fn somebody(&mut self, target: &ReferTarget) -> Option<TransferTarget> {
        let (here, trunk) = match target.scheme.as_str() {
            "tel" => (true, None),
            "sip" | "sips" => (self.is_our_host(&target.host), self.trunk_of_host(&target.host)),
            _ => return None,
        };
        if target.user.is_empty() || (!here && trunk.is_none()) {
            return None;
        }
        let known = if here { self.known_here(&target.user) } else { None };
        known
            .or_else(|| self.party_by_number(&target.user, trunk.as_ref().filter(|_| !here)))
            .or_else(|| self.outside(&target.user, trunk.as_ref().filter(|_| !here)))
    }

    fn known_here(&self, user: &str) -> Option<TransferTarget> {
        let menus = &self.menus;
        let agent = AgentId::new(user);
        if menus.numbers.contains_key(user) {
            return Some(TransferTarget::Number(user.to_owned()));
        }
        if let Some((party, _)) = menus.party(user) {
            return Some(TransferTarget::Party(party.clone()));
        }
        let queue = QueueId::new(user);
        if let Some(queue) =
            menus.queues.get_key_value(&queue).map(|(id, _)| id).or(menus.queue_of_code(user))
        {
            return Some(TransferTarget::Queue(queue.clone()));
        }
        menus.acd.agents.contains_key(&agent).then_some(TransferTarget::Agent(agent))
    }

    /// A party of the directory by its number; where the URI names a trunk's host, over that trunk alone.
    fn party_by_number(&self, user: &str, trunk: Option<&TrunkId>) -> Option<TransferTarget> {
        let bare = |number: &str| number.trim_start_matches('+').to_owned();
        let is_it = |number: &str, over: &TrunkId| {
            bare(number) == bare(user) && trunk.is_none_or(|wanted| wanted == over)
        };
        let mut directory = self.menus.directory.iter();
        directory
            .find(|(_, p)| p.trunks.iter().any(|t| is_it(&p.number, t)))
            .map(|(id, _)| TransferTarget::Party(id.clone()))
    }

    /// A number outside that a trunk's permit list names, while its hour is not used up.
    fn outside(&mut self, number: &str, only: Option<&TrunkId>) -> Option<TransferTarget> {
        let now = self.now().mono;
        let trunks = &self.settings.trunks;
        let mut fits =
            trunks.iter().filter(|(id, t)| only.is_none_or(|o| o == *id) && t.permit.names(number));
        let (trunk, entry) = fits.next()?;
        match self.permits.admit(now, trunk, &entry.permit) {
            Admission::Granted => {
                Some(TransferTarget::Outside { number: number.to_owned(), trunk: trunk.clone() })
            }
            Admission::HourFull => {
                tracing::warn!(%trunk, "the hour's transfers to numbers outside are used up");
                self.figures.permits_used_up += 1;
                None
            }
        }
    }

    /// The trunk whose host a URI names.
    fn trunk_of_host(&self, host: &str) -> Option<TrunkId> {
        let is_it = |written: &str| {
            let name = AddrSpec::parse(&format!("sip:{written}")).and_then(|uri| uri.host());
            name.is_some_and(|name| name.eq_ignore_ascii_case(host))
        };
        self.settings.trunks.iter().find(|(_, t)| is_it(&t.host)).map(|(id, _)| id.clone())
    }

    /// Whether a URI with this host is ours: an address that we listen on or are known by, the realm, or a domain of the
    /// settings.
    fn is_our_host(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let sip = &self.settings.sip;
        let named = |name: &String| name.eq_ignore_ascii_case(host);
        named(&sip.realm)
            || self.settings.domains.iter().any(named)
            || bare.parse().is_ok_and(|ip: std::net::IpAddr| {
                sip.listeners.iter().any(|l| l.local.ip() == ip || l.advertised.ip() == ip)
            })
    }

    // INVITE with Replaces.

    /// The leg whose place an INVITE may take; otherwise how it is refused (RFC 3891 section 3). Whoever is not known
    /// learns nothing of our dialogs.
    pub(super) fn leg_to_replace(
        &mut self,
        incoming: &Incoming,
        peer: &Peer,
    ) -> Result<Option<LegId>, Status> {
        let Some(replaces) = &incoming.replaces else { return Ok(None) };
        let found = self.named_leg(replaces, peer);
        if let Err(status) = found {
            tracing::info!(?peer, source = %incoming.source.remote, %status, "an INVITE with Replaces was refused");
            self.figures.replaces_refused += 1;
        }
        found.map(Some)
    }

    fn named_leg(&mut self, replaces: &Replaces, peer: &Peer) -> Result<LegId, Status> {
        let known = match peer {
            Peer::Stranger => false,
            Peer::Agent(_) => true,
            Peer::Trunk(trunk) => self.settings.trunks.get(trunk).is_some_and(|t| t.trusted),
        };
        if !known {
            return Err(Status::FORBIDDEN);
        }
        let invite = match self.sip.named_dialog(replaces) {
            NamedDialog::Missing | NamedDialog::NotOursToReplace => return Err(Status::NO_SUCH_TRANSACTION),
            NamedDialog::Over => return Err(Status::DECLINE),
            NamedDialog::Confirmed(_) if replaces.early_only => return Err(Status::BUSY_HERE),
            NamedDialog::Confirmed(invite) | NamedDialog::Early(invite) => invite,
        };
        let leg = self.legs.of_invite(invite).map(|(leg, _)| leg);
        leg.ok_or(Status::NO_SUCH_TRANSACTION)
    }
}
