//! The agent's phone asked that a third party take its place (REFER): that one is rung, and caller and agent talk on until it
//! answers. Where the agent's phone holds us meanwhile, as most do, the caller hears the ringing.
//!
//! Most phones hang up when their request is taken: then the caller rings on alone, [`super::PartyOnly`].
use super::{Guest, PartyOnly};
use crate::base::Key;
use crate::exchange::call::end;
use crate::exchange::case::Case;
use crate::exchange::desk::DeskWish;
use crate::exchange::leg::Role;
use crate::exchange::parties::{Part, Scene};
use crate::exchange::stage::{Event, Stage, ignore};
use crate::exchange::step::Step;
use crate::exchange::talk::{OnWithParty, Talk, Talking, partner};
use crate::exchange::timers::Timer;
use crate::exchange::transfer::{Outsider, Transfer};
use crate::exchange::waiting::turn_down;
use crate::exchange::{Cause, words};

/// A third party rings to take the agent's place.
#[derive(Debug)]
pub(in crate::exchange) struct Transferring {
    pub(in crate::exchange) talk: Talk,
    pub(in crate::exchange) guest: Guest,
}

impl Transferring {
    pub(in crate::exchange) fn begin(
        mut talk: Talk,
        outsider: Outsider,
        transfer: Transfer,
        case: &mut Case,
        step: &mut Step<'_>,
    ) -> Stage {
        talk.hold(false, case, step);
        let guest = Guest::ring(outsider, Some(transfer), case, step);
        Stage::Transferring(Self { talk, guest })
    }

    pub(in crate::exchange) fn scene(&self, case: &Case) -> Scene {
        let agent = Part::hearing(&[Role::Caller]);
        let caller = if case.parties.are_away(&[Role::Agent]) {
            Part { music: self.guest.ringback(case), ..Part::hearing(&[Role::Party]) }
        } else {
            Part::hearing(&[Role::Agent])
        };
        Scene { caller, agent, ..Scene::default() }
    }

    pub(in crate::exchange) fn on(mut self, event: Event, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match event {
            Event::PartyRings => self.guest.rings(step),
            Event::PartyAnswered => {
                self.guest.answers(case, step);
                return self.agent_off(Cause::Completed, case, step);
            }
            Event::PartyGone(cause) => return self.back(cause, case, step),
            Event::Timer(Timer::PartyLimit) => return self.back(Cause::NoAnswer, case, step),
            Event::Transfer(asked) => asked.transfer.refuse(Cause::Busy, step),
            Event::AgentKey(key) => return self.key(key, case, step),
            Event::AgentGone(cause) => return self.agent_off(cause, case, step),
            Event::Timer(Timer::TalkLimit) => {
                self.leave(Cause::LimitReached, case, step);
                return end(Cause::LimitReached, case, step);
            }
            Event::Timer(Timer::DeskKeys) => self.talk.stale_keys(false, case, step),
            Event::Revoked(assignment, cause) if assignment == self.talk.assignment => {
                self.guest.over(Cause::PartnerLeft, case, step);
                return self.talk.taken_back(cause, case, step);
            }
            Event::Offer(offer) => turn_down(&offer, step),
            Event::CallerKey(_) | Event::CallerHeard => {}
            Event::CallerSecret(..)
            | Event::AgentAnswered
            | Event::PickedUp(_)
            | Event::Successor(_)
            | Event::Revoked(..)
            | Event::Tell(..)
            | Event::Overflow(..)
            | Event::Timer(_) => ignore(&event, "transferring", step),
        }
        Stage::Transferring(self)
    }

    fn key(mut self, key: Key, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match self.talk.press(key, false, case, step) {
            Some(DeskWish::Drop) => return self.back(Cause::Withdrawn, case, step),
            Some(
                DeskWish::Hold
                | DeskWish::Invite(_)
                | DeskWish::Join
                | DeskWish::Leave
                | DeskWish::PassOn(_)
                | DeskWish::ListenOnly
                | DeskWish::Unknown,
            ) => case.tell_agent(words::not_possible(), step),
            None => {}
        }
        Stage::Transferring(self)
    }

    /// It cannot be had, or is no longer wanted: agent and caller are as they were.
    fn back(mut self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        self.guest.over(cause, case, step);
        if cause != Cause::Withdrawn {
            case.tell_agent(words::party_gone(cause, false), step);
        }
        Stage::Talking(Talking::new(self.talk))
    }

    /// The agent is out, however that came: the third party is the caller's now, or rings on for him.
    fn agent_off(self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        self.talk.over(cause, OnWithParty::Yes, case, step);
        Stage::PartyOnly(PartyOnly::new(self.talk, self.guest))
    }

    pub(in crate::exchange) fn leave(mut self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        self.guest.over(partner(cause), case, step);
        self.talk.over(partner(cause), OnWithParty::No, case, step);
    }
}
