//! The agent left; caller and third party talk, or the third party (its successor) still rings for him.
//!
//! Whoever the caller was promised and does not get, he is not left with that: he is told, and waits again by his old clock.
use super::{Guest, Left};
use crate::exchange::call::end;
use crate::exchange::case::Case;
use crate::exchange::hand_over::{known_queue, menu_of};
use crate::exchange::in_menu::{follow, say_farewell};
use crate::exchange::leg::Role;
use crate::exchange::menu::Target;
use crate::exchange::parties::{Part, Scene};
use crate::exchange::stage::{Asked, Event, Stage, ignore};
use crate::exchange::step::Step;
use crate::exchange::talk::{Talk, partner};
use crate::exchange::timers::Timer;
use crate::exchange::waiting::{Place, enter, turn_down};
use crate::exchange::{Cause, TransferTarget, words};

/// The agent left; caller and third party talk.
#[derive(Debug)]
pub(in crate::exchange) struct PartyOnly {
    pub(in crate::exchange) guest: Guest,
    /// Where the caller waited before.
    place: Place,
}

impl PartyOnly {
    /// What is left when the agent is gone.
    pub(in crate::exchange) fn new(talk: Talk, guest: Guest) -> Self {
        Self { guest, place: talk.place }
    }

    pub(in crate::exchange) fn scene(&self, case: &Case) -> Scene {
        let caller = Part { music: self.guest.ringback(case), ..Part::hearing(self.guest.voice()) };
        Scene { caller, party: Part::hearing(&[Role::Caller]), ..Scene::default() }
    }

    pub(in crate::exchange) fn on(mut self, event: Event, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match event {
            Event::PartyRings => self.guest.rings(step),
            Event::PartyAnswered => self.guest.answers(case, step),
            Event::PartyGone(cause) => {
                let left = self.guest.leaves(cause, case, step);
                return self.with(left, case, step);
            }
            Event::Successor(event) => {
                let left = self.guest.of_successor(event, case, step);
                return self.with(left, case, step);
            }
            Event::Timer(Timer::PartyLimit) => {
                let left = self.guest.rung_out(case, step);
                return self.with(left, case, step);
            }
            Event::Transfer(asked) => return self.asked(*asked, case, step),
            Event::Timer(Timer::TalkLimit) => {
                self.leave(Cause::LimitReached, case, step);
                return end(Cause::LimitReached, case, step);
            }
            Event::Offer(offer) => turn_down(&offer, step),
            Event::CallerKey(key) => {
                if step.settings.caller_keys_to_party && case.takes_keys() {
                    case.send_keys(&[key], step);
                }
            }
            Event::CallerHeard => {}
            Event::CallerSecret(..)
            | Event::AgentAnswered
            | Event::PickedUp(_)
            | Event::AgentKey(_)
            | Event::AgentGone(_)
            | Event::Revoked(..)
            | Event::Tell(..)
            | Event::Overflow(..)
            | Event::Timer(_) => ignore(&event, "party only", step),
        }
        Stage::PartyOnly(self)
    }

    /// The third party may send the caller back to us: to a queue, or to a number of ours.
    fn asked(mut self, asked: Asked, case: &mut Case, step: &mut Step<'_>) -> Stage {
        let target = match &asked.to {
            TransferTarget::Queue(queue) => known_queue(queue, case).map(Target::Queue),
            TransferTarget::Number(number) => menu_of(number, case),
            TransferTarget::Agent(_)
            | TransferTarget::Party(_)
            | TransferTarget::Outside { .. }
            | TransferTarget::Leg(_) => {
                self.guest.asks(asked, case, step);
                return Stage::PartyOnly(self);
            }
        };
        match target {
            Ok(_) if self.guest.has_successor() => asked.transfer.refuse(Cause::Busy, step),
            Ok(target) => {
                asked.transfer.accept(asked.to, step);
                asked.transfer.succeeded(step);
                self.guest.over(Cause::Completed, case, step);
                case.timers.stop(Timer::TalkLimit);
                return follow(&target, case, step);
            }
            Err(cause) => asked.transfer.refuse(cause, step),
        }
        Stage::PartyOnly(self)
    }

    fn with(mut self, left: Left, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match left {
            Left::Somebody => Stage::PartyOnly(self),
            Left::Nobody(cause, true) => {
                self.guest.over(cause, case, step);
                say_farewell(&words::goodbye(), Cause::Completed, case, step)
            }
            Left::Nobody(cause, false) => {
                self.guest.over(cause, case, step);
                case.timers.stop(Timer::TalkLimit);
                case.tell(&[words::party_gone(cause, false)], step);
                enter(self.place.queue, self.place.priority, case, step)
            }
        }
    }

    pub(in crate::exchange) fn leave(mut self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        self.guest.over(partner(cause), case, step);
    }
}
