//! `Call`: one caller's visit. Translates what happened to a leg into what it means for the visit, and ends it.
//!
//! Invariant: a call ends once; from then on it holds ending legs only, and is done when the last of them is gone.
use std::sync::Arc;

use super::case::{Case, Way};
use super::feature_code::makes_sense;
use super::in_menu;
use super::leg::{LegState, Role};
use super::menu::{self, MenuRun, MenuSet};
use super::parties::{Parties, Spoken};
use super::recall::{LostPlace, Recall};
use super::stage::{Asked, Event, OfSuccessor, Stage};
use super::step::Step;
use super::timers::Timer;
use super::transfer::Transfer;
use super::waiting::enter;
use super::words;
use super::{AcdInput, AgentWish, Arrival, Cause, Command, Fact, Peer, TransferTarget};
use crate::base::{AgentId, CallId, Key, LegId, PlayId, PromptId, SecretToken, TicketId, TrunkId};

/// One caller's visit.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) case: Case,
    stage: Stage,
}

/// The visit is over: every leg is ended. What the stage held must have been given back before.
pub(super) fn end(cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
    case.close(cause, step);
    if let Some(agent) = case.own_agent().cloned() {
        step.disengage(agent);
    }
    Stage::Ended(cause)
}

/// What a call begins with.
pub(super) struct Beginning {
    pub(super) leg: LegId,
    pub(super) arrival: Arrival,
    pub(super) menus: Arc<MenuSet>,
    pub(super) visit: menu::Visit,
}

impl Call {
    /// Takes a caller in, with nothing to hear yet.
    fn answer(beginning: Beginning, step: &mut Step<'_>) -> Self {
        let Beginning { leg, arrival, menus, visit } = beginning;
        let id = step.numbers.call();
        let revision = menus.revision.clone();
        step.note(Fact::CallStarted { call: id, leg, arrival: arrival.clone(), menus: revision });
        let parties = Parties::new(id, leg, arrival.peer.clone(), step);
        let mut case = Case {
            id,
            arrival,
            menus,
            visit,
            started: step.now.mono,
            parties,
            timers: super::timers::Timers::default(),
            way: Way::default(),
            left: None,
        };
        case.limit(Timer::CallLimit, step.settings.call_max, step);
        step.command(Command::Answer { leg });
        step.note(Fact::CallAnswered { call: id });
        if let Some(agent) = case.own_agent().cloned() {
            step.engage(agent);
        }
        Self { case, stage: Stage::Farewell(Cause::Completed) }
    }

    /// A caller at the door of the menus.
    pub(super) fn into_menus(beginning: Beginning, run: MenuRun, step: &mut Step<'_>) -> Self {
        let mut call = Self::answer(beginning, step);
        // Who is in a menu heard what is said before it; who came straight to a queue hears it there.
        let greeted = step.banner.filter(|posted| posted.banner.greets(&call.case.arrival.dialled));
        call.case.way.banner = greeted.filter(|_| !run.is_over()).map(|posted| posted.number);
        call.stage = in_menu::begin(run, &mut call.case, step);
        call
    }

    /// A caller who was cut off while he waited: he has his old place, without asking for it again, and is told so.
    pub(super) fn into_old_place(
        beginning: Beginning,
        (recall, place): (Recall, LostPlace),
        step: &mut Step<'_>,
    ) -> Self {
        let language = recall.language;
        let mut call = Self::answer(beginning, step);
        let case = &mut call.case;
        case.visit.language = language;
        case.returns(recall);
        case.way.kept = true;
        step.note(Fact::LanguageChosen { call: case.id, language });
        let (queue, waited) = (place.queue.clone(), case.waited(step.at()));
        step.note(Fact::PlaceRestored { call: case.id, queue, waited });
        case.tell(&[words::place_restored()], step);
        call.stage = enter(place.queue, place.priority, case, step);
        call
    }

    /// An agent who dialled a feature code: it is done, if that is possible, and he is told; then the call ends.
    pub(super) fn of_feature_code(
        beginning: Beginning,
        agent: AgentId,
        wish: AgentWish,
        step: &mut Step<'_>,
    ) -> Self {
        let mut call = Self::answer(beginning, step);
        let at_work = step.registry.at_work.contains(&agent);
        let answer = if makes_sense(&wish, at_work) {
            let confirmation = words::confirmed(&wish);
            step.acd(AcdInput::Agent { agent, wish });
            confirmation
        } else {
            words::not_possible()
        };
        call.stage = in_menu::say_farewell(&answer, Cause::Completed, &mut call.case, step);
        call
    }

    pub(super) const fn id(&self) -> CallId {
        self.case.id
    }

    pub(super) const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The stage, for whoever puts another in its place at once.
    pub(super) fn take_stage(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Ended(Cause::InternalError))
    }

    pub(super) fn set_stage(&mut self, stage: Stage) {
        self.stage = stage;
    }

    /// Over, and every leg gone.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Ended(_)) && self.case.parties.is_empty()
    }

    /// Moves on by one event.
    pub(super) fn on(&mut self, event: Event, step: &mut Step<'_>) {
        self.stage = self.take_stage().on(event, &mut self.case, step);
    }

    /// Ends the visit, whatever stage it is in. A visit that is over stays as it is.
    pub(super) fn over(&mut self, cause: Cause, step: &mut Step<'_>) {
        let stage = std::mem::replace(&mut self.stage, Stage::Ended(cause));
        if let Stage::Ended(cause) = stage {
            self.stage = Stage::Ended(cause);
            return;
        }
        stage.leave(cause, &mut self.case, step);
        self.stage = end(cause, &mut self.case, step);
    }

    /// Brings ears and holds up to date with the stage.
    pub(super) fn settle(&mut self, step: &mut Step<'_>) {
        let music = self.case.music();
        let scene = self.stage.scene(&self.case).with_music_for_held(&self.case.parties, music.as_ref());
        let language = self.case.language();
        self.case.parties.show(&scene, language, step);
    }

    /// A banner went on: who waits and is not rung for hears it. The others hear it when they come to a queue, or with
    /// the next word on their wait.
    pub(super) fn hear_banner(&mut self, step: &mut Step<'_>) {
        if let Stage::Waiting(waiting) = &self.stage {
            self.case.say_banner(&waiting.place.queue, step);
        }
    }

    /// The earliest timer is due.
    pub(super) fn on_timer(&mut self, timer: Timer, step: &mut Step<'_>) {
        match timer {
            Timer::CallLimit => self.over(Cause::LimitReached, step),
            Timer::Linger => self.forget_legs(step),
            Timer::MenuStep
            | Timer::MenuLimit
            | Timer::WaitLimit
            | Timer::RingLimit
            | Timer::PartyLimit
            | Timer::DeskKeys
            | Timer::Introduction
            | Timer::TalkLimit
            | Timer::ClearingLimit
            | Timer::FarewellLimit => self.on(Event::Timer(timer), step),
        }
    }

    /// `node` never told of these legs' ends: they are taken as gone.
    fn forget_legs(&mut self, step: &mut Step<'_>) {
        let legs: Vec<LegId> = self.case.parties.all().map(|leg| leg.id).collect();
        for leg in legs {
            step.ignore(format!("the end of {leg} was never reported"));
            self.case.parties.remove(leg, step);
        }
    }

    pub(super) fn leg_ringing(&mut self, leg: LegId, early_sound: bool, step: &mut Step<'_>) {
        let Some(leg) = self.case.parties.get_mut(leg) else { return };
        match &mut leg.state {
            LegState::Ringing { early_sound: now } => *now = *now || early_sound,
            LegState::Ending => return,
            LegState::Up => return step.ignore("ringing of an answered leg"),
        }
        match leg.role {
            Role::Caller | Role::Agent => {}
            Role::Party => self.on(Event::PartyRings, step),
            Role::Successor => self.on(Event::Successor(OfSuccessor::Rings), step),
        }
    }

    pub(super) fn leg_answered(&mut self, leg: LegId, step: &mut Step<'_>) {
        let Some(leg) = self.case.parties.get_mut(leg) else { return };
        match leg.state {
            LegState::Ringing { .. } => leg.state = LegState::Up,
            // It crossed our hang-up, which `node` carries out.
            LegState::Ending => return,
            LegState::Up => return step.ignore("answer of an answered leg"),
        }
        match leg.role {
            Role::Caller => {}
            Role::Agent => self.on(Event::AgentAnswered, step),
            Role::Party => self.on(Event::PartyAnswered, step),
            Role::Successor => self.on(Event::Successor(OfSuccessor::Answered), step),
        }
    }

    pub(super) fn leg_routed(
        &self,
        leg: LegId,
        (trunk, to): (TrunkId, String),
        after: Option<Cause>,
        step: &mut Step<'_>,
    ) {
        step.note(Fact::LegRouted { call: self.case.id, leg, trunk, to, after });
    }

    pub(super) fn leg_held(&mut self, leg: LegId, held: bool, step: &mut Step<'_>) {
        let Some(leg) = self.case.parties.get_mut(leg) else { return };
        if leg.is_up() && leg.holds_us != held {
            leg.holds_us = held;
            let leg = leg.id;
            step.note(Fact::PeerHeld { call: self.case.id, leg, held });
        }
    }

    pub(super) fn leg_ended(&mut self, leg: LegId, cause: Cause, step: &mut Step<'_>) {
        let Some((role, live)) = self.case.parties.get(leg).map(|leg| (leg.role, leg.is_live())) else {
            return;
        };
        self.case.parties.remove(leg, step);
        if live {
            self.gone(role, cause, step);
        }
    }

    /// No sound: the leg is ended by us and counts as lost.
    pub(super) fn sound_lost(&mut self, leg: LegId, step: &mut Step<'_>) {
        let Some(role) = self.case.parties.get(leg).filter(|leg| leg.is_up()).map(|leg| leg.role) else {
            return;
        };
        if role != Role::Caller {
            self.case.parties.hang_up(role, Cause::SoundLost, step);
        }
        self.gone(role, Cause::SoundLost, step);
    }

    /// The far end of a leg asks that somebody else take its place. A caller may not: who calls us has no one to be called
    /// for him at our cost.
    pub(super) fn transfer_asked(
        &mut self,
        leg: LegId,
        (transfer, to): (Transfer, TransferTarget),
        step: &mut Step<'_>,
    ) {
        match self.case.parties.get(leg).filter(|leg| leg.is_up()).map(|leg| leg.role) {
            Some(Role::Caller) => transfer.refuse(Cause::Forbidden, step),
            Some(by @ (Role::Agent | Role::Party)) => {
                self.on(Event::Transfer(Box::new(Asked { by, transfer, to })), step);
            }
            Some(Role::Successor) | None => transfer.refuse(Cause::Declined, step),
        }
    }

    /// Whether somebody may take this leg's place, answered or ringing: who is proved to be the same, and an agent for
    /// another. Not while secret digits are entered: nobody goes on with half of another's.
    pub(super) fn may_be_replaced(&self, leg: LegId, by: &Peer) -> bool {
        let is_secret = matches!(&self.stage, Stage::Menu(menu) if menu.takes_secret());
        let leg = self.case.parties.get(leg).filter(|leg| leg.is_live() && !is_secret);
        leg.is_some_and(|leg| match (leg.role, by) {
            (_, Peer::Stranger) => false,
            (Role::Agent, Peer::Agent(agent)) => self.case.menus.acd.agents.contains_key(agent),
            (Role::Caller | Role::Agent | Role::Party | Role::Successor, by) => leg.peer == *by,
        })
    }

    /// Another leg takes this one's place; it may. Whoever takes that of a phone that rings has answered.
    pub(super) fn leg_replaced(&mut self, old: LegId, new: LegId, by: &Peer, step: &mut Step<'_>) {
        let language = self.case.language();
        let rang = self.case.parties.get(old).filter(|leg| !leg.is_up()).map(|leg| leg.role);
        self.case.parties.replace(old, (new, by.clone()), language, step);
        step.note(Fact::LegReplaced { call: self.case.id, old, new });
        if let Some(role) = rang {
            return self.picked_up(role, by, step);
        }
        if let (Peer::Agent(agent), Some(talk)) = (by, self.stage.talk_mut())
            && self.case.parties.get(new).is_some_and(|leg| leg.role == Role::Agent)
        {
            talk.taken_over_by(agent.clone(), &mut self.case, step);
        }
    }

    /// Another phone answered in the place of one that rang.
    fn picked_up(&mut self, role: Role, by: &Peer, step: &mut Step<'_>) {
        match (role, by) {
            (Role::Agent, Peer::Agent(agent)) => self.on(Event::PickedUp(agent.clone()), step),
            (Role::Agent, Peer::Trunk(_) | Peer::Stranger) => self.on(Event::AgentAnswered, step),
            (Role::Party, _) => self.on(Event::PartyAnswered, step),
            (Role::Successor, _) => self.on(Event::Successor(OfSuccessor::Answered), step),
            (Role::Caller, _) => {}
        }
    }

    fn gone(&mut self, role: Role, cause: Cause, step: &mut Step<'_>) {
        match role {
            Role::Caller => self.caller_gone(cause, step),
            Role::Agent => self.on(Event::AgentGone(cause), step),
            Role::Party => self.on(Event::PartyGone(cause), step),
            Role::Successor => self.on(Event::Successor(OfSuccessor::Gone(cause)), step),
        }
    }

    /// The visit is his; agent and third party may finish what they were saying where the settings allow it.
    fn caller_gone(&mut self, cause: Cause, step: &mut Step<'_>) {
        match self.take_stage().clear_up(cause, &mut self.case, step) {
            Ok(stage) => self.stage = stage,
            Err(stage) => {
                self.stage = stage;
                self.over(cause, step);
            }
        }
    }

    pub(super) fn key(&mut self, leg: LegId, key: Key, play: Option<PlayId>, step: &mut Step<'_>) {
        let Some(role) = self.case.parties.get(leg).filter(|leg| leg.is_up()).map(|leg| leg.role) else {
            return;
        };
        if let Some(play) = play {
            match self.case.parties.playing_interrupted(leg, play) {
                Spoken::All(heard) | Spoken::More(heard) => self.heard(role, heard, step),
                Spoken::Nothing => {}
            }
        }
        match role {
            Role::Caller => self.on(Event::CallerKey(key), step),
            Role::Agent => self.on(Event::AgentKey(key), step),
            // A third party's keys mean nothing to us.
            Role::Party | Role::Successor => {}
        }
    }

    pub(super) fn secret_digit(&mut self, leg: LegId, token: SecretToken, length: u8, step: &mut Step<'_>) {
        let role = self.case.parties.get(leg).filter(|leg| leg.is_up()).map(|leg| leg.role);
        if role == Some(Role::Caller) {
            self.on(Event::CallerSecret(token, length), step);
        }
    }

    pub(super) fn prompt_ended(&mut self, leg: LegId, play: PlayId, step: &mut Step<'_>) {
        let Some(role) = self.case.parties.get(leg).filter(|leg| leg.is_up()).map(|leg| leg.role) else {
            return;
        };
        let language = self.case.language();
        match self.case.parties.playing_ended(leg, play, language, step) {
            Spoken::Nothing => {}
            Spoken::More(heard) => self.heard(role, heard, step),
            Spoken::All(heard) => {
                self.heard(role, heard, step);
                if role == Role::Caller {
                    self.on(Event::CallerHeard, step);
                }
            }
        }
    }

    /// His place in line survives whatever comes: he is told so, once a visit, while he waits.
    pub(super) fn place_kept(&mut self, ticket: TicketId, step: &mut Step<'_>) {
        let Stage::Waiting(waiting) = &self.stage else { return };
        if waiting.place.ticket == ticket && !std::mem::replace(&mut self.case.way.assured, true) {
            self.case.tell_after(&[words::place_kept()], step);
            step.note(Fact::PlaceKept { call: self.case.id, ticket });
        }
    }

    fn heard(&self, role: Role, prompts: Vec<PromptId>, step: &mut Step<'_>) {
        if role == Role::Caller {
            step.note(Fact::Heard { call: self.case.id, prompts });
        }
    }
}
