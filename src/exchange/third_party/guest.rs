//! `Guest`: the third party's part in a call, and the life of its own that its phone leads: it may ask that somebody else
//! take its place (REFER), as one hotline passes on to a shop, and stay or hang up while that one rings.
//!
//! Invariant: at most two legs are the third party's, the one that is there and the one that is rung to follow it; who
//! is rung is noted as invited, and each invited one is noted as left, once.
use std::time::Duration;

use crate::base::{Instant, PartyId, PromptId};
use crate::exchange::case::Case;
use crate::exchange::leg::{Leg, Role};
use crate::exchange::parties::Summons;
use crate::exchange::stage::{Asked, OfSuccessor};
use crate::exchange::step::Step;
use crate::exchange::timers::Timer;
use crate::exchange::transfer::{Outsider, Transfer};
use crate::exchange::waiting::RING_GRACE;
use crate::exchange::words::RINGBACK;
use crate::exchange::{Cause, Fact};

/// The third party's part in a call.
#[derive(Debug)]
pub(in crate::exchange) struct Guest {
    pub(in crate::exchange) party: PartyId,
    pub(in crate::exchange) answered: Option<Instant>,
    /// It hung up when it had asked for a successor, who still rings.
    gone: bool,
    successor: Option<Successor>,
    /// The request of the agent's phone by which it is rung itself, until its outcome is told.
    asked: Option<Transfer>,
}

#[derive(Debug)]
struct Successor {
    party: PartyId,
    transfer: Transfer,
}

/// Who is left of the third party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum Left {
    /// Somebody, or somebody rings.
    Somebody,
    /// Nobody: why, and whether anybody had answered that was there until now.
    Nobody(Cause, bool),
}

impl Guest {
    /// Rings it; the caller of this decides who hears what meanwhile.
    pub(in crate::exchange) fn ring(
        outsider: Outsider,
        asked: Option<Transfer>,
        case: &mut Case,
        step: &mut Step<'_>,
    ) -> Self {
        let party = outsider.party.clone();
        summon(Role::Party, outsider, asked.as_ref(), case, step);
        Self { party, answered: None, gone: false, successor: None, asked }
    }

    /// Answered, and not gone.
    pub(in crate::exchange) const fn is_here(&self) -> bool {
        self.answered.is_some() && !self.gone
    }

    /// It asked for a successor and hung up.
    pub(in crate::exchange) const fn is_gone(&self) -> bool {
        self.gone
    }

    /// A successor rings.
    pub(in crate::exchange) const fn has_successor(&self) -> bool {
        self.successor.is_some()
    }

    /// Who of the third party's is heard, now or soon.
    pub(in crate::exchange) const fn voice(&self) -> &'static [Role] {
        if self.gone { &[Role::Successor] } else { &[Role::Party] }
    }

    /// The ringing tone, for who waits for it alone and would hear nothing.
    pub(in crate::exchange) fn ringback(&self, case: &Case) -> Option<PromptId> {
        let role = if self.gone { Role::Successor } else { Role::Party };
        let silent = !case.parties.live(role).is_some_and(Leg::has_sound);
        silent.then(|| PromptId::from(RINGBACK))
    }

    /// Its phone rings.
    pub(in crate::exchange) fn rings(&mut self, step: &mut Step<'_>) {
        if let Some(asked) = &mut self.asked {
            asked.rings(step);
        }
    }

    /// It answered.
    pub(in crate::exchange) fn answers(&mut self, case: &mut Case, step: &mut Step<'_>) {
        case.timers.stop(Timer::PartyLimit);
        if let Some(asked) = self.asked.take() {
            asked.succeeded(step);
        }
        self.answered = Some(step.at());
        step.note(Fact::PartyAnswered { call: case.id, party: self.party.clone() });
    }

    /// Its leg ended, not by us. When nobody is left, [`Self::over`] follows.
    pub(in crate::exchange) fn leaves(&mut self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Left {
        let was_here = self.answered.is_some();
        if self.successor.is_some() {
            self.note_left(cause, case, step);
            self.gone = true;
            return Left::Somebody;
        }
        Left::Nobody(cause, was_here)
    }

    /// Who rang has rung for longer than he may.
    pub(in crate::exchange) fn rung_out(&mut self, case: &mut Case, step: &mut Step<'_>) -> Left {
        if self.successor.is_some() {
            return self.of_successor(OfSuccessor::Gone(Cause::NoAnswer), case, step);
        }
        match self.answered {
            Some(_) => Left::Somebody,
            None => Left::Nobody(Cause::NoAnswer, false),
        }
    }

    /// It asks that somebody else take its place.
    pub(in crate::exchange) fn asks(&mut self, asked: Asked, case: &mut Case, step: &mut Step<'_>) {
        let Asked { transfer, to, by } = asked;
        if by != Role::Party {
            return transfer.refuse(Cause::Declined, step);
        }
        if self.successor.is_some() {
            return transfer.refuse(Cause::Busy, step);
        }
        match Outsider::of(&to, case) {
            Err(cause) => transfer.refuse(cause, step),
            Ok(outsider) => {
                transfer.accept(to, step);
                let party = outsider.party.clone();
                summon(Role::Successor, outsider, Some(&transfer), case, step);
                self.successor = Some(Successor { party, transfer });
            }
        }
    }

    /// Something of the one who is rung to follow it.
    pub(in crate::exchange) fn of_successor(
        &mut self,
        event: OfSuccessor,
        case: &mut Case,
        step: &mut Step<'_>,
    ) -> Left {
        match event {
            OfSuccessor::Rings => {
                if let Some(successor) = &mut self.successor {
                    successor.transfer.rings(step);
                }
                Left::Somebody
            }
            OfSuccessor::Answered => {
                self.hand_on(case, step);
                Left::Somebody
            }
            OfSuccessor::Gone(cause) => {
                self.drop_successor(cause, case, step);
                if self.gone { Left::Nobody(cause, false) } else { Left::Somebody }
            }
        }
    }

    /// The successor has its place from now on.
    fn hand_on(&mut self, case: &mut Case, step: &mut Step<'_>) {
        let Some(Successor { party, transfer }) = self.successor.take() else { return };
        case.timers.stop(Timer::PartyLimit);
        transfer.succeeded(step);
        if !self.gone {
            case.parties.hang_up(Role::Party, Cause::Completed, step);
            self.note_left(Cause::Completed, case, step);
        }
        case.parties.promote();
        step.note(Fact::PartyAnswered { call: case.id, party: party.clone() });
        *self = Self { party, answered: Some(step.at()), gone: false, successor: None, asked: None };
    }

    /// Nobody follows it: he is hung up if he is not.
    pub(in crate::exchange) fn drop_successor(&mut self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        let Some(Successor { party, transfer }) = self.successor.take() else { return };
        case.timers.stop(Timer::PartyLimit);
        transfer.failed(cause, step);
        case.parties.hang_up(Role::Successor, cause, step);
        step.note(Fact::PartyLeft { call: case.id, party, cause, talked: Duration::ZERO });
    }

    /// Its part is over, and that of whoever was to follow it: their legs are ended if they are not.
    pub(in crate::exchange) fn over(&mut self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        self.drop_successor(cause, case, step);
        case.timers.stop(Timer::PartyLimit);
        if let Some(asked) = self.asked.take() {
            asked.failed(cause, step);
        }
        if !self.gone {
            case.parties.hang_up(Role::Party, cause, step);
            self.note_left(cause, case, step);
        }
    }

    fn note_left(&self, cause: Cause, case: &Case, step: &mut Step<'_>) {
        let talked = self.answered.map_or(Duration::ZERO, |since| step.at().since(since));
        step.note(Fact::PartyLeft { call: case.id, party: self.party.clone(), cause, talked });
    }
}

/// Rings somebody for the third party's place.
fn summon(role: Role, outsider: Outsider, transfer: Option<&Transfer>, case: &mut Case, step: &mut Step<'_>) {
    let Outsider { party, target, peer, ring_for } = outsider;
    let card = case.card(step.at());
    let transfer = transfer.map(Transfer::id);
    let leg = case.parties.ring(role, Summons { target, peer, card, ring_for, transfer }, step);
    case.limit(Timer::PartyLimit, ring_for + RING_GRACE, step);
    step.note(Fact::PartyInvited { call: case.id, party, leg });
}
