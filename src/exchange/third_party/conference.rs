//! All three talk; or the caller only listens.
//!
//! Who only listens hears both others and is heard by neither. That holds while the third party is there to be talked to:
//! when it puts us on hold, or has hung up and its successor still rings, agent and caller hear each other.
use super::{Consulting, Guest, Left, PartyOnly};
use crate::base::{Instant, Key};
use crate::exchange::call::end;
use crate::exchange::case::Case;
use crate::exchange::desk::DeskWish;
use crate::exchange::leg::Role;
use crate::exchange::parties::{Part, Scene};
use crate::exchange::stage::{Event, Stage, ignore};
use crate::exchange::step::Step;
use crate::exchange::talk::{OnWithParty, Talk, Talking, partner};
use crate::exchange::timers::Timer;
use crate::exchange::waiting::turn_down;
use crate::exchange::{Cause, Fact, words};

/// All three talk.
#[derive(Debug)]
pub(in crate::exchange) struct Conference {
    pub(in crate::exchange) talk: Talk,
    pub(in crate::exchange) guest: Guest,
    since: Instant,
    /// The agent wants the caller to be heard by neither.
    listen_only: bool,
}

impl Conference {
    pub(in crate::exchange) fn begin(talk: Talk, guest: Guest, case: &Case, step: &mut Step<'_>) -> Self {
        step.note(Fact::ConferenceStarted { call: case.id, party: guest.party.clone() });
        Self { talk, guest, since: step.at(), listen_only: false }
    }

    pub(in crate::exchange) fn scene(&self, case: &Case) -> Scene {
        let caller = Part::hearing(&[Role::Agent, Role::Party]);
        if self.listen_only && !case.parties.are_away(&[Role::Party]) && self.guest.is_here() {
            return Scene {
                caller: Part { only_listens: true, ..caller },
                agent: Part::hearing(&[Role::Party]),
                party: Part::hearing(&[Role::Agent]),
                ..Scene::default()
            };
        }
        Scene {
            caller,
            agent: Part::hearing(&[Role::Caller, Role::Party]),
            party: Part::hearing(&[Role::Caller, Role::Agent]),
            ..Scene::default()
        }
    }

    pub(in crate::exchange) fn on(mut self, event: Event, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match event {
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
            Event::AgentGone(cause) => return self.agent_off(cause, case, step),
            Event::Timer(Timer::TalkLimit) => {
                self.leave(Cause::LimitReached, case, step);
                return end(Cause::LimitReached, case, step);
            }
            Event::Timer(Timer::DeskKeys) => self.talk.stale_keys(true, case, step),
            Event::Revoked(assignment, cause) if assignment == self.talk.assignment => {
                self.note_ended(case, step);
                self.guest.over(Cause::PartnerLeft, case, step);
                return self.talk.taken_back(cause, case, step);
            }
            Event::Offer(offer) => turn_down(&offer, step),
            Event::CallerKey(_) | Event::CallerHeard => {}
            Event::CallerSecret(..)
            | Event::AgentAnswered
            | Event::PickedUp(_)
            | Event::PartyAnswered
            | Event::PartyRings
            | Event::Revoked(..)
            | Event::Tell(..)
            | Event::Overflow(..)
            | Event::Timer(_) => ignore(&event, "conference", step),
        }
        Stage::Conference(self)
    }

    fn key(mut self, key: Key, case: &mut Case, step: &mut Step<'_>) -> Stage {
        let passing = case.takes_keys();
        match self.talk.press(key, passing, case, step) {
            Some(wish) => self.wish(&wish, case, step),
            None => Stage::Conference(self),
        }
    }

    fn wish(mut self, wish: &DeskWish, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match wish {
            DeskWish::Drop => return self.party_off(Cause::Completed, case, step),
            DeskWish::Leave => return self.agent_off(Cause::Completed, case, step),
            // Back to private talk: the caller has music again.
            DeskWish::Hold => {
                self.note_ended(case, step);
                return Stage::Consulting(Consulting { talk: self.talk, guest: self.guest });
            }
            DeskWish::ListenOnly => self.toggle_listen_only(case, step),
            DeskWish::Join | DeskWish::Invite(_) | DeskWish::PassOn(_) | DeskWish::Unknown => {
                case.tell_agent(words::not_possible(), step);
            }
        }
        Stage::Conference(self)
    }

    /// Agent and caller are told by a short tone: down for "only listens", up for "is heard again".
    fn toggle_listen_only(&mut self, case: &mut Case, step: &mut Step<'_>) {
        self.listen_only = !self.listen_only;
        let on = self.listen_only;
        step.note(Fact::ListenOnly { call: case.id, on });
        case.tell_agent(words::listen_only(on), step);
        case.tell(&[words::listen_only(on)], step);
    }

    /// When nobody is left of the third party, agent and caller talk as before it.
    fn with(self, left: Left, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match left {
            Left::Somebody => Stage::Conference(self),
            Left::Nobody(cause, was_here) => {
                if !was_here {
                    // He heard that it left; that its successor cannot be had, he would not.
                    case.tell_agent(words::party_gone(cause, false), step);
                }
                self.party_off(cause, case, step)
            }
        }
    }

    pub(in crate::exchange) fn note_ended(&self, case: &Case, step: &mut Step<'_>) {
        let lasted = step.at().since(self.since);
        step.note(Fact::ConferenceEnded { call: case.id, party: self.guest.party.clone(), lasted });
    }

    fn party_off(mut self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        self.note_ended(case, step);
        self.guest.over(cause, case, step);
        Stage::Talking(Talking::new(self.talk))
    }

    fn agent_off(self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        self.note_ended(case, step);
        self.talk.over(cause, OnWithParty::Yes, case, step);
        Stage::PartyOnly(PartyOnly::new(self.talk, self.guest))
    }

    pub(in crate::exchange) fn leave(mut self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        self.note_ended(case, step);
        self.guest.over(partner(cause), case, step);
        self.talk.over(partner(cause), OnWithParty::No, case, step);
    }
}
