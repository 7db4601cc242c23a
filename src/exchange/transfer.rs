//! What the far end of a leg may ask for beside hanging up: that its place be taken by somebody else (RFC 3515, REFER), and
//! what it is told of that (RFC 3515 section 2.4.5, NOTIFY with a `sipfrag`).
//!
//! Invariant: each request is answered by exactly one `Accepted` or `Refused`, each `Accepted` by exactly one `Succeeded`
//! or `Failed`, and nothing is told after those. The leg that asked may be gone by then: its phone hung up when it had
//! the 202, as most do.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::case::Case;
use super::step::Step;
use super::{Cause, Command, Fact, Peer, RingTarget};
use crate::base::{AgentId, CallId, LegId, PartyId, QueueId, TransferId, TrunkId};

/// To whom. `node` has resolved what the Refer-To said, and refuses by itself what names nobody of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferTarget {
    /// An agent, by the number of his phone.
    Agent(AgentId),
    /// A queue, by its code.
    Queue(QueueId),
    /// A third party of the directory, by its code or its number.
    Party(PartyId),
    /// A number of the hotline itself: what its menus do.
    Number(String),
    /// A number outside that may be called: `node` checked the permit list, this trunk leads there.
    Outside {
        /// What is dialled.
        number: String,
        /// Over which trunk.
        trunk: TrunkId,
    },
    /// Whoever this leg of ours talks to: the Refer-To had a Replaces (RFC 3891) that names the leg's dialog, as an
    /// attended transfer by an agent's phone does.
    Leg(LegId),
}

/// What the far end that asked for a transfer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferStep {
    /// The request is taken: 202, then NOTIFY with 100 Trying.
    Accepted,
    /// It is not: `node` maps the cause to a status of the REFER.
    Refused(Cause),
    /// The new target rings: NOTIFY with 180.
    Ringing,
    /// It answered, or the queue took the caller: NOTIFY with 200, the subscription ends.
    Succeeded,
    /// It did not: NOTIFY with the cause's status, the subscription ends.
    Failed(Cause),
}

/// A request that is to be answered, or whose outcome is to be told.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    call: CallId,
    leg: LegId,
    id: TransferId,
    told_ringing: bool,
}

impl Transfer {
    pub(super) const fn new(call: CallId, leg: LegId, id: TransferId) -> Self {
        Self { call, leg, id, told_ringing: false }
    }

    pub(super) const fn id(&self) -> TransferId {
        self.id
    }

    /// Refused: nothing changes.
    pub(super) fn refuse(self, cause: Cause, step: &mut Step<'_>) {
        self.tell(TransferStep::Refused(cause), step);
    }

    /// Taken.
    pub(super) fn accept(&self, to: TransferTarget, step: &mut Step<'_>) {
        self.tell(TransferStep::Accepted, step);
        step.note(Fact::TransferAsked { call: self.call, leg: self.leg, to });
    }

    /// The new target rings.
    pub(super) fn rings(&mut self, step: &mut Step<'_>) {
        if !std::mem::replace(&mut self.told_ringing, true) {
            self.tell(TransferStep::Ringing, step);
        }
    }

    /// The new target is there.
    pub(super) fn succeeded(self, step: &mut Step<'_>) {
        self.tell(TransferStep::Succeeded, step);
        step.note(Fact::TransferOver { call: self.call, leg: self.leg, failed: None });
    }

    /// It will not be.
    pub(super) fn failed(self, cause: Cause, step: &mut Step<'_>) {
        self.tell(TransferStep::Failed(cause), step);
        step.note(Fact::TransferOver { call: self.call, leg: self.leg, failed: Some(cause) });
    }

    fn tell(&self, told: TransferStep, step: &mut Step<'_>) {
        step.command(Command::Transfer { leg: self.leg, transfer: self.id, step: told });
    }
}

/// A third party to be rung: of the directory, or outside.
#[derive(Debug)]
pub(super) struct Outsider {
    /// What it is called in the record: an outside number is its own name.
    pub(super) party: PartyId,
    pub(super) target: RingTarget,
    pub(super) peer: Peer,
    pub(super) ring_for: Duration,
}

/// How long a number outside is rung that is in no directory.
const OUTSIDE_RINGS: Duration = Duration::from_mins(1);

impl Outsider {
    /// A party of the directory.
    pub(super) fn party(id: &PartyId, case: &Case) -> Option<Self> {
        let party = case.menus.directory.get(id)?;
        Some(Self {
            party: id.clone(),
            target: RingTarget::Party(id.clone()),
            peer: Peer::Trunk(party.trunks.first()?.clone()),
            ring_for: party.ring_for,
        })
    }

    /// A number outside.
    pub(super) fn outside(number: String, trunk: TrunkId) -> Self {
        Self {
            party: PartyId::new(number.as_str()),
            peer: Peer::Trunk(trunk.clone()),
            target: RingTarget::Outside { number, trunk },
            ring_for: OUTSIDE_RINGS,
        }
    }

    /// Who is behind the target of a transfer, where that is a third party.
    ///
    /// # Errors
    /// Why nobody is.
    pub(super) fn of(to: &TransferTarget, case: &Case) -> Result<Self, Cause> {
        match to {
            TransferTarget::Party(id) => Self::party(id, case).ok_or(Cause::NotFound),
            TransferTarget::Outside { number, trunk } => Ok(Self::outside(number.clone(), trunk.clone())),
            TransferTarget::Agent(_)
            | TransferTarget::Queue(_)
            | TransferTarget::Number(_)
            | TransferTarget::Leg(_) => Err(Cause::Declined),
        }
    }
}
