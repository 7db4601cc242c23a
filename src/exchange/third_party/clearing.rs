//! The caller hung up while agent and third party talked: where the settings allow it, they may finish, for a while.
//!
//! Invariant: the visit counts as over when he hung up; nobody new comes in.
use super::Guest;
use crate::base::Key;
use crate::exchange::call::end;
use crate::exchange::case::Case;
use crate::exchange::desk::DeskWish;
use crate::exchange::leg::Role;
use crate::exchange::parties::{Part, Scene};
use crate::exchange::stage::{Event, Stage, ignore};
use crate::exchange::step::Step;
use crate::exchange::talk::{OnWithParty, Talk, partner};
use crate::exchange::timers::Timer;
use crate::exchange::waiting::turn_down;
use crate::exchange::{Cause, Fact, words};

/// Agent and third party without the caller.
#[derive(Debug)]
pub(in crate::exchange) struct Clearing {
    pub(in crate::exchange) talk: Talk,
    pub(in crate::exchange) guest: Guest,
    cause: Cause,
}

impl Clearing {
    pub(in crate::exchange) fn begin(
        (talk, mut guest): (Talk, Guest),
        cause: Cause,
        case: &mut Case,
        step: &mut Step<'_>,
    ) -> Stage {
        guest.drop_successor(Cause::PartnerLeft, case, step);
        case.left = Some((step.at(), cause));
        case.limit(Timer::ClearingLimit, step.settings.clearing_max, step);
        step.note(Fact::ClearingUp { call: case.id, cause });
        Stage::Clearing(Self { talk, guest, cause })
    }

    pub(in crate::exchange) fn scene() -> Scene {
        Scene {
            agent: Part::hearing(&[Role::Party]),
            party: Part::hearing(&[Role::Agent]),
            ..Scene::default()
        }
    }

    pub(in crate::exchange) fn on(mut self, event: Event, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match event {
            Event::PartyGone(cause) => {
                self.guest.over(cause, case, step);
                self.talk.over(Cause::PartnerLeft, OnWithParty::No, case, step);
                return end(self.cause, case, step);
            }
            Event::AgentGone(cause) => return self.done(cause, case, step),
            Event::Timer(Timer::ClearingLimit | Timer::TalkLimit) => {
                return self.done(Cause::LimitReached, case, step);
            }
            Event::AgentKey(key) => return self.key(key, case, step),
            Event::Timer(Timer::DeskKeys) => self.talk.stale_keys(true, case, step),
            Event::Transfer(asked) => asked.transfer.refuse(Cause::PartnerLeft, step),
            Event::Offer(offer) => turn_down(&offer, step),
            // The Acd gives him up; so do we.
            Event::Revoked(assignment, cause) if assignment == self.talk.assignment => {
                return self.done(cause, case, step);
            }
            Event::CallerKey(_)
            | Event::CallerHeard
            | Event::CallerSecret(..)
            | Event::AgentAnswered
            | Event::PickedUp(_)
            | Event::PartyAnswered
            | Event::PartyRings
            | Event::Successor(_)
            | Event::Revoked(..)
            | Event::Tell(..)
            | Event::Overflow(..)
            | Event::Timer(_) => ignore(&event, "clearing", step),
        }
        Stage::Clearing(self)
    }

    fn key(mut self, key: Key, case: &mut Case, step: &mut Step<'_>) -> Stage {
        let passing = case.takes_keys();
        match self.talk.press(key, passing, case, step) {
            Some(DeskWish::Drop | DeskWish::Leave) => return self.done(Cause::Completed, case, step),
            Some(
                DeskWish::Hold
                | DeskWish::Invite(_)
                | DeskWish::Join
                | DeskWish::PassOn(_)
                | DeskWish::ListenOnly
                | DeskWish::Unknown,
            ) => case.tell_agent(words::not_possible(), step),
            None => {}
        }
        Stage::Clearing(self)
    }

    fn done(self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        let over = self.cause;
        self.leave(cause, case, step);
        end(over, case, step)
    }

    pub(in crate::exchange) fn leave(mut self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        self.guest.over(partner(cause), case, step);
        self.talk.over(partner(cause), OnWithParty::No, case, step);
    }
}
