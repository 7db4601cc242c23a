//! A caller in the menus: drives `MenuRun` and does what it wants.
//!
//! Invariant: the leg's digits go to the vault exactly while `token` is set.
use super::call::end;
use super::case::Case;
use super::leg::Role;
use super::menu::{Made, MenuEffect, MenuRun, Target};
use super::stage::{Event, Stage, ignore};
use super::step::Step;
use super::timers::Timer;
use super::waiting::{enter, turn_down};
use super::words;
use super::{Cause, Command, Fact};
use crate::base::{EntryId, QueueId, SecretToken};

/// A caller in the menus.
#[derive(Debug)]
pub(super) struct InMenu {
    run: Box<MenuRun>,
    token: Option<SecretToken>,
}

/// Begins a run that was made for this call.
pub(super) fn begin(run: MenuRun, case: &mut Case, step: &mut Step<'_>) -> Stage {
    case.limit(Timer::MenuLimit, step.settings.menu_max, step);
    InMenu { run: Box::new(run), token: None }.perform(case, step)
}

/// Goes where `target` leads at this hour: into a menu, a queue, or to the end of the call.
pub(super) fn follow(target: &Target, case: &mut Case, step: &mut Step<'_>) -> Stage {
    let run = MenuRun::resume(&case.menus, target, case.visit.clone(), step.now);
    begin(run, case, step)
}

/// Says last words to the caller, then ends the call for `cause`.
pub(super) fn say_farewell(
    phrase: &super::Phrase,
    cause: Cause,
    case: &mut Case,
    step: &mut Step<'_>,
) -> Stage {
    let last = case.words(std::slice::from_ref(phrase));
    if last.prompts.is_empty() {
        return end(cause, case, step);
    }
    case.timers.stop(Timer::TalkLimit);
    case.limit(Timer::FarewellLimit, step.settings.farewell_max, step);
    case.parties.say(Role::Caller, case.visit.language, last, step);
    Stage::Farewell(cause)
}

impl InMenu {
    pub(super) fn on(mut self, event: Event, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match event {
            Event::CallerKey(key) => self.run.handle_key(step.now, key),
            Event::CallerSecret(token, length) if self.token == Some(token) => {
                self.run.handle_secret_digit(step.now, length);
            }
            Event::CallerHeard => self.run.handle_prompt_ended(step.now),
            Event::Timer(Timer::MenuStep) => self.run.handle_timeout(step.now),
            Event::Timer(Timer::MenuLimit) => self.run.give_up(step.now),
            Event::Offer(offer) => turn_down(&offer, step),
            Event::Transfer(asked) => asked.transfer.refuse(Cause::Declined, step),
            // A digit that crossed the end of its entry.
            Event::CallerSecret(..)
            | Event::AgentAnswered
            | Event::PickedUp(_)
            | Event::AgentKey(_)
            | Event::AgentGone(_)
            | Event::PartyAnswered
            | Event::PartyRings
            | Event::PartyGone(_)
            | Event::Successor(_)
            | Event::Revoked(..)
            | Event::Tell(..)
            | Event::Overflow(..)
            | Event::Timer(_) => ignore(&event, "menu", step),
        }
        self.perform(case, step)
    }

    /// Does everything the run wants, until it wants nothing more or the caller leaves the menus.
    fn perform(mut self, case: &mut Case, step: &mut Step<'_>) -> Stage {
        while let Some(effect) = self.run.poll_effect() {
            match effect {
                MenuEffect::Play { say } => self.play(&say, case, step),
                MenuEffect::StopPlaying => case.parties.hush(Role::Caller, step),
                MenuEffect::Language(language) => {
                    case.visit.language = language;
                    step.note(Fact::LanguageChosen { call: case.id, language });
                }
                MenuEffect::SecretEntry(on) => self.secret_entry(on, case, step),
                MenuEffect::Entered(menu) => step.note(Fact::MenuEntered { call: case.id, menu }),
                MenuEffect::KeyTaken { menu, key } => {
                    step.note(Fact::KeyPressed { call: case.id, menu: Some(menu), key });
                }
                MenuEffect::EntryMade { entry, made } => entry_made(entry, made, case, step),
                MenuEffect::ToQueue { queue, priority, human: _ } => {
                    return self.join(queue, priority, case, step);
                }
                MenuEffect::HangUp { cause } => {
                    self.secret_entry(false, case, step);
                    return end(cause, case, step);
                }
            }
        }
        match self.run.next_deadline() {
            Some(deadline) => case.timers.start(Timer::MenuStep, deadline.at),
            None => case.timers.stop(Timer::MenuStep),
        }
        Stage::Menu(self)
    }

    fn play(&mut self, say: &[super::Phrase], case: &mut Case, step: &mut Step<'_>) {
        let words = case.words(say);
        if words.prompts.is_empty() {
            case.parties.hush(Role::Caller, step);
            self.run.handle_prompt_ended(step.now);
        } else {
            case.parties.say(Role::Caller, case.visit.language, words, step);
        }
    }

    fn secret_entry(&mut self, on: bool, case: &Case, step: &mut Step<'_>) {
        let token = on.then(|| step.numbers.token());
        let Some(leg) = case.parties.live(Role::Caller).map(|leg| leg.id) else { return };
        if token.is_some() || self.token.is_some() {
            step.command(Command::SecretEntry { leg, token });
        }
        self.token = token;
    }

    fn join(mut self, queue: QueueId, priority: u8, case: &mut Case, step: &mut Step<'_>) -> Stage {
        self.secret_entry(false, case, step);
        case.visit = self.run.visit().clone();
        case.timers.stop(Timer::MenuStep);
        case.timers.stop(Timer::MenuLimit);
        enter(queue, priority, case, step)
    }

    /// Whether his digits go to the vault now.
    pub(super) const fn takes_secret(&self) -> bool {
        self.token.is_some()
    }

    /// The menu he is in.
    pub(super) fn menu(&self) -> &crate::base::MenuId {
        self.run.menu()
    }
}

fn entry_made(entry: EntryId, made: Made, case: &mut Case, step: &mut Step<'_>) {
    match made {
        Made::Digits(digits) => {
            case.keep_entry(entry.clone(), digits.clone());
            step.note(Fact::DigitsEntered { call: case.id, entry, digits });
        }
        Made::Secret { length } => {
            case.keep_entry(entry.clone(), "*".repeat(usize::from(length)));
            step.note(Fact::SecretEntered { call: case.id, entry, length });
        }
    }
}

/// Says that no way is left, then ends the call.
pub(super) fn no_way_left(case: &mut Case, step: &mut Step<'_>) -> Stage {
    say_farewell(&words::no_way_left(), Cause::QueueOverflow, case, step)
}
