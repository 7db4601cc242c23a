//! The agent rings a third party, or talks to it in private, while the caller has music.
use super::{Conference, Guest, Left, PartyOnly};
use crate::base::Key;
use crate::exchange::call::end;
use crate::exchange::case::{Case, is_lost};
use crate::exchange::desk::DeskWish;
use crate::exchange::in_menu::say_farewell;
use crate::exchange::leg::Role;
use crate::exchange::parties::{Part, Scene};
use crate::exchange::stage::{Event, Stage, ignore};
use crate::exchange::step::Step;
use crate::exchange::talk::{OnWithParty, Talk, Talking, partner};
use crate::exchange::timers::Timer;
use crate::exchange::transfer::Outsider;
use crate::exchange::waiting::turn_down;
use crate::exchange::{Cause, words};

/// Rings the third party behind a code; the caller has music meanwhile.
pub(in crate::exchange) fn invite(talk: Talk, code: &str, case: &mut Case, step: &mut Step<'_>) -> Stage {
    let found = case.menus.party(code).map(|(id, _)| id.clone());
    let Some(outsider) = found.and_then(|id| Outsider::party(&id, case)) else {
        case.tell_agent(words::not_possible(), step);
        return Stage::Talking(Talking::new(talk));
    };
    let guest = Guest::ring(outsider, None, case, step);
    Stage::Consulting(Consulting { talk, guest })
}

/// The agent rings a third party, or talks to it in private.
#[derive(Debug)]
pub(in crate::exchange) struct Consulting {
    pub(in crate::exchange) talk: Talk,
    pub(in crate::exchange) guest: Guest,
}

impl Consulting {
    pub(in crate::exchange) fn scene(&self, case: &Case) -> Scene {
        let caller = Part { on_hold: self.talk.held, ..Part::listening_to(case.music()) };
        let agent = Part { music: self.guest.ringback(case), ..Part::hearing(self.guest.voice()) };
        Scene { caller, agent, party: Part::hearing(&[Role::Agent]), ..Scene::default() }
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
            Event::Transfer(asked) => self.guest.asks(*asked, case, step),
            Event::AgentKey(key) => return self.key(key, case, step),
            Event::AgentGone(cause) => return self.agent_gone(cause, case, step),
            Event::Timer(Timer::TalkLimit) => {
                self.leave(Cause::LimitReached, case, step);
                return end(Cause::LimitReached, case, step);
            }
            Event::Timer(Timer::DeskKeys) => self.talk.stale_keys(true, case, step),
            Event::Revoked(assignment, cause) if assignment == self.talk.assignment => {
                self.guest.over(Cause::PartnerLeft, case, step);
                return self.talk.taken_back(cause, case, step);
            }
            Event::Offer(offer) => turn_down(&offer, step),
            Event::CallerKey(_) | Event::CallerHeard => {}
            Event::CallerSecret(..)
            | Event::AgentAnswered
            | Event::PickedUp(_)
            | Event::Revoked(..)
            | Event::Tell(..)
            | Event::Overflow(..)
            | Event::Timer(_) => ignore(&event, "consulting", step),
        }
        Stage::Consulting(self)
    }

    fn key(mut self, key: Key, case: &mut Case, step: &mut Step<'_>) -> Stage {
        let passing = case.takes_keys();
        match self.talk.press(key, passing, case, step) {
            Some(wish) => self.wish(&wish, case, step),
            None => Stage::Consulting(self),
        }
    }

    fn wish(mut self, wish: &DeskWish, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match wish {
            DeskWish::Join if self.guest.is_here() => return self.join(case, step),
            DeskWish::Leave if self.guest.is_here() => return self.leave_them(Cause::Completed, case, step),
            DeskWish::Drop => {
                self.guest.over(Cause::Completed, case, step);
                return Stage::Talking(Talking::new(self.talk));
            }
            DeskWish::Join
            | DeskWish::Leave
            | DeskWish::Hold
            | DeskWish::Invite(_)
            | DeskWish::PassOn(_)
            | DeskWish::ListenOnly
            | DeskWish::Unknown => case.tell_agent(words::not_possible(), step),
        }
        Stage::Consulting(self)
    }

    /// When nobody is left of the third party, agent and caller are as they were before it, and the agent is told why.
    fn with(self, left: Left, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match left {
            Left::Somebody => Stage::Consulting(self),
            Left::Nobody(cause, was_here) => {
                let mut guest = self.guest;
                guest.over(cause, case, step);
                case.tell_agent(words::party_gone(cause, was_here), step);
                Stage::Talking(Talking::new(self.talk))
            }
        }
    }

    fn join(mut self, case: &mut Case, step: &mut Step<'_>) -> Stage {
        self.talk.hold(false, case, step);
        case.parties.hush(Role::Agent, step);
        Stage::Conference(Conference::begin(self.talk, self.guest, case, step))
    }

    fn leave_them(mut self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        self.talk.hold(false, case, step);
        self.talk.over(cause, OnWithParty::Yes, case, step);
        Stage::PartyOnly(PartyOnly::new(self.talk, self.guest))
    }

    fn agent_gone(mut self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        if self.guest.is_here() && !is_lost(cause) {
            return self.leave_them(cause, case, step);
        }
        self.guest.over(Cause::PartnerLeft, case, step);
        self.talk.over(cause, OnWithParty::No, case, step);
        if is_lost(cause) {
            return self.talk.wait_again(case, step);
        }
        say_farewell(&words::goodbye(), Cause::Completed, case, step)
    }

    pub(in crate::exchange) fn leave(mut self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        self.guest.over(partner(cause), case, step);
        self.talk.over(partner(cause), OnWithParty::No, case, step);
    }
}
