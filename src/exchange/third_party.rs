//! A third party of the directory in a call: rung and briefed in private while the caller has music, joined, dropped, or
//! left alone with the caller.
//!
//! Who drops in which phase, and who goes on (the rest of a row keeps sound both ways):
//!
//! | phase | caller drops | agent hangs up | agent is lost | third party drops |
//! |---|---|---|---|---|
//! | it rings | all end | caller: goodbye | caller waits again | agent and caller, as before |
//! | private talk | all end | caller and third party | caller waits again | agent and caller, as before |
//! | conference | all end | caller and third party | caller and third party | agent and caller |
//! | agent left | all end | | | caller: goodbye |
//!
//! The visit is the caller's: when he leaves, agent and third party are hung up, never left alone with each other.
use super::call::end;
use super::case::{Case, is_lost};
use super::desk::DeskWish;
use super::in_menu::say_farewell;
use super::leg::Role;
use super::parties::{Part, Scene};
use super::stage::{Event, Stage, ignore};
use super::step::Step;
use super::talk::{OnWithParty, Talk, Talking, partner};
use super::timers::Timer;
use super::waiting::{RING_GRACE, turn_down};
use super::words;
use super::{Cause, Fact, RingTarget};
use crate::base::{Instant, PartyId, PromptId};

/// The third party's part in a call.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) party: PartyId,
    pub(super) answered: Option<Instant>,
}

impl Guest {
    /// Its part is over: its leg is ended if it is not.
    fn over(&self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        case.timers.stop(Timer::PartyLimit);
        case.parties.hang_up(Role::Party, cause, step);
        let talked = self.answered.map_or(std::time::Duration::ZERO, |since| step.at().since(since));
        step.note(Fact::PartyLeft { call: case.id, party: self.party.clone(), cause, talked });
    }
}

/// Rings the third party behind a code; the caller has music meanwhile.
pub(super) fn invite(talk: Talk, code: &str, case: &mut Case, step: &mut Step<'_>) -> Stage {
    let found = case.menus.party(code).map(|(id, party)| (id.clone(), party.ring_for));
    let Some((party, ring_for)) = found else {
        case.tell_agent(words::not_possible(), step);
        return Stage::Talking(Talking::new(talk));
    };
    let card = case.card(step.at());
    let leg = case.parties.ring(RingTarget::Party(party.clone()), card, ring_for, step);
    case.limit(Timer::PartyLimit, ring_for + RING_GRACE, step);
    step.note(Fact::PartyInvited { call: case.id, party: party.clone(), leg });
    Stage::Consulting(Consulting { talk, guest: Guest { party, answered: None } })
}

/// The agent rings a third party, or talks to it in private.
#[derive(Debug)]
pub(super) struct Consulting {
    pub(super) talk: Talk,
    pub(super) guest: Guest,
}

impl Consulting {
    pub(super) fn scene(&self, case: &Case) -> Scene {
        let caller = Part { on_hold: self.talk.held, ..Part::listening_to(case.music()) };
        let silent = !case.parties.live(Role::Party).is_some_and(super::leg::Leg::has_sound);
        let ringback = silent.then(|| PromptId::from(words::RINGBACK));
        let agent = Part { music: ringback, ..Part::hearing(&[Role::Party]) };
        Scene { caller, agent, party: Part::hearing(&[Role::Agent]) }
    }

    pub(super) fn on(mut self, event: Event, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match event {
            Event::PartyAnswered => {
                case.timers.stop(Timer::PartyLimit);
                self.guest.answered = Some(step.at());
                step.note(Fact::PartyAnswered { call: case.id, party: self.guest.party.clone() });
            }
            Event::PartyGone(cause) => return self.back(cause, case, step),
            Event::Timer(Timer::PartyLimit) => return self.back(Cause::NoAnswer, case, step),
            Event::AgentKey(key) => {
                if let Some(wish) = self.talk.press(key, case, step) {
                    return self.wish(&wish, case, step);
                }
            }
            Event::AgentGone(cause) => return self.agent_gone(cause, case, step),
            Event::Timer(Timer::TalkLimit) => {
                self.leave(Cause::LimitReached, case, step);
                return end(Cause::LimitReached, case, step);
            }
            Event::Timer(Timer::DeskKeys) => self.talk.forget_keys(),
            Event::Revoked(assignment, cause) if assignment == self.talk.assignment => {
                self.guest.over(Cause::PartnerLeft, case, step);
                return self.talk.taken_back(cause, case, step);
            }
            Event::Offer(offer) => turn_down(&offer, step),
            Event::CallerKey(_) | Event::CallerHeard => {}
            Event::CallerSecret(..)
            | Event::AgentAnswered
            | Event::Revoked(..)
            | Event::Tell(..)
            | Event::Overflow(..)
            | Event::Timer(_) => ignore(&event, "consulting", step),
        }
        Stage::Consulting(self)
    }

    fn wish(self, wish: &DeskWish, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match (wish, self.guest.answered) {
            (DeskWish::Join, Some(_)) => return self.join(case, step),
            (DeskWish::Leave, Some(_)) => return self.leave_them(Cause::Completed, case, step),
            (DeskWish::Drop, _) => {
                self.guest.over(Cause::Completed, case, step);
                return Stage::Talking(Talking::new(self.talk));
            }
            (DeskWish::Join | DeskWish::Leave, None)
            | (DeskWish::Hold | DeskWish::Invite(_) | DeskWish::PassOn(_) | DeskWish::Unknown, _) => {
                case.tell_agent(words::not_possible(), step);
            }
        }
        Stage::Consulting(self)
    }

    /// The third party is gone: agent and caller are as they were before it, and the agent is told why.
    fn back(self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        self.guest.over(cause, case, step);
        case.tell_agent(words::party_gone(cause, self.guest.answered.is_some()), step);
        Stage::Talking(Talking::new(self.talk))
    }

    fn join(mut self, case: &mut Case, step: &mut Step<'_>) -> Stage {
        self.talk.hold(false, case, step);
        case.parties.hush(Role::Agent, step);
        step.note(Fact::ConferenceStarted { call: case.id, party: self.guest.party.clone() });
        Stage::Conference(Conference { talk: self.talk, guest: self.guest, since: step.at() })
    }

    fn leave_them(mut self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        self.talk.hold(false, case, step);
        self.talk.over(cause, OnWithParty::Yes, case, step);
        Stage::PartyOnly(PartyOnly { guest: self.guest })
    }

    fn agent_gone(self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        if self.guest.answered.is_some() && !is_lost(cause) {
            return self.leave_them(cause, case, step);
        }
        self.guest.over(Cause::PartnerLeft, case, step);
        self.talk.over(cause, OnWithParty::No, case, step);
        if is_lost(cause) {
            return self.talk.wait_again(case, step);
        }
        say_farewell(&words::goodbye(), Cause::Completed, case, step)
    }

    pub(super) fn leave(&self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        self.guest.over(partner(cause), case, step);
        self.talk.over(partner(cause), OnWithParty::No, case, step);
    }
}

/// All three talk.
#[derive(Debug)]
pub(super) struct Conference {
    pub(super) talk: Talk,
    pub(super) guest: Guest,
    since: Instant,
}

impl Conference {
    pub(super) fn on(mut self, event: Event, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match event {
            Event::PartyGone(cause) => return self.party_off(cause, case, step),
            Event::AgentKey(key) => {
                if let Some(wish) = self.talk.press(key, case, step) {
                    return self.wish(&wish, case, step);
                }
            }
            Event::AgentGone(cause) => return self.agent_off(cause, case, step),
            Event::Timer(Timer::TalkLimit) => {
                self.leave(Cause::LimitReached, case, step);
                return end(Cause::LimitReached, case, step);
            }
            Event::Timer(Timer::DeskKeys) => self.talk.forget_keys(),
            Event::Revoked(assignment, cause) if assignment == self.talk.assignment => {
                self.note_ended(case, step);
                self.guest.over(Cause::PartnerLeft, case, step);
                return self.talk.taken_back(cause, case, step);
            }
            Event::Offer(offer) => turn_down(&offer, step),
            Event::CallerKey(_) | Event::CallerHeard => {}
            Event::CallerSecret(..)
            | Event::AgentAnswered
            | Event::PartyAnswered
            | Event::Revoked(..)
            | Event::Tell(..)
            | Event::Overflow(..)
            | Event::Timer(_) => ignore(&event, "conference", step),
        }
        Stage::Conference(self)
    }

    fn wish(self, wish: &DeskWish, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match wish {
            DeskWish::Drop => self.party_off(Cause::Completed, case, step),
            DeskWish::Leave => self.agent_off(Cause::Completed, case, step),
            // Back to private talk: the caller has music again.
            DeskWish::Hold => {
                self.note_ended(case, step);
                Stage::Consulting(Consulting { talk: self.talk, guest: self.guest })
            }
            DeskWish::Join | DeskWish::Invite(_) | DeskWish::PassOn(_) | DeskWish::Unknown => {
                case.tell_agent(words::not_possible(), step);
                Stage::Conference(self)
            }
        }
    }

    fn note_ended(&self, case: &Case, step: &mut Step<'_>) {
        let lasted = step.at().since(self.since);
        step.note(Fact::ConferenceEnded { call: case.id, party: self.guest.party.clone(), lasted });
    }

    fn party_off(self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        self.note_ended(case, step);
        self.guest.over(cause, case, step);
        Stage::Talking(Talking::new(self.talk))
    }

    fn agent_off(self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        self.note_ended(case, step);
        self.talk.over(cause, OnWithParty::Yes, case, step);
        Stage::PartyOnly(PartyOnly { guest: self.guest })
    }

    pub(super) fn leave(&self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        self.note_ended(case, step);
        self.guest.over(partner(cause), case, step);
        self.talk.over(partner(cause), OnWithParty::No, case, step);
    }
}

/// The agent left; caller and third party talk.
#[derive(Debug)]
pub(super) struct PartyOnly {
    pub(super) guest: Guest,
}

impl PartyOnly {
    pub(super) fn on(self, event: Event, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match event {
            Event::PartyGone(cause) => {
                self.guest.over(cause, case, step);
                return say_farewell(&words::goodbye(), Cause::Completed, case, step);
            }
            Event::Timer(Timer::TalkLimit) => {
                self.leave(Cause::LimitReached, case, step);
                return end(Cause::LimitReached, case, step);
            }
            Event::Offer(offer) => turn_down(&offer, step),
            Event::CallerKey(_) | Event::CallerHeard => {}
            Event::CallerSecret(..)
            | Event::AgentAnswered
            | Event::AgentKey(_)
            | Event::AgentGone(_)
            | Event::PartyAnswered
            | Event::Revoked(..)
            | Event::Tell(..)
            | Event::Overflow(..)
            | Event::Timer(_) => ignore(&event, "party only", step),
        }
        Stage::PartyOnly(self)
    }

    pub(super) fn leave(&self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        self.guest.over(partner(cause), case, step);
    }
}
