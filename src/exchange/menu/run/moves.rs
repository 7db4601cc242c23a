//! What the machine of `run` does: takes a key, enters a menu, says it again, leaves.
//!
//! Invariant: `leave` is the only way to an exit, and `play` the only way to say something.
use std::sync::Arc;
use std::time::Duration;

use super::{Ear, Hidden, Made, MenuEffect, MenuRun, Mistake, Stage};
use crate::base::{Deadline, Key, Now, PromptId, QueueId, limits};
use crate::exchange::Cause;
use crate::exchange::menu::set::{CONFIRM_KEYS, Entry, Menu, Step, Target, YOU_ENTERED};
use crate::exchange::menu::walk::{self, Landing};
use crate::exchange::say::Phrase;

impl MenuRun {
    /// A key: asks for a human, skips announcements, counts in the menu that takes keys.
    pub(super) fn press(&mut self, now: Now, key: Key) {
        for _ in 0..=self.set.menus.len() {
            match self.stage {
                Stage::Announcing if !self.skips(key) => {
                    self.note_key(key);
                    return self.ask_human(now);
                }
                Stage::Announcing => {
                    self.go_on(now);
                    if self.hidden != Hidden::No || self.is_goodbye() {
                        break;
                    }
                }
                Stage::Choosing | Stage::Entering | Stage::Confirming => return self.take(now, key),
                Stage::Gone => break,
            }
        }
        self.dropped += 1;
    }

    /// Whether this key skips an announcement, rather than asks for a human.
    fn skips(&self, key: Key) -> bool {
        let asks = if self.hidden == Hidden::No { key.digit() == Some(0) } else { key == Key::STAR };
        !asks
    }

    /// Whether the end of what is said is the end of the call.
    fn is_goodbye(&self) -> bool {
        self.stage == Stage::Announcing && self.menu.step == Step::Announcement(Target::HangUp)
    }

    /// A key without effect. It may have stopped what was playing, so that is said anew.
    pub(super) fn ignore_key(&mut self, now: Now) {
        self.dropped += 1;
        if self.ear == Ear::Listening && self.stage != Stage::Gone {
            let say = std::mem::take(&mut self.saying);
            self.play(now, say);
        }
    }

    fn note_key(&mut self, key: Key) {
        self.effects.push_back(MenuEffect::KeyTaken { menu: self.menu.id.clone(), key });
    }

    fn take(&mut self, now: Now, key: Key) {
        let menu = Arc::clone(&self.menu);
        match (self.stage, &menu.step) {
            (Stage::Choosing, Step::Choice(keys)) => self.choose(now, key, keys.get(&key)),
            (Stage::Entering, Step::Entry(entry)) => self.enter_key(now, key, entry),
            (Stage::Confirming, Step::Entry(entry)) => self.confirm(now, key, entry),
            (Stage::Announcing | Stage::Gone, _)
            | (Stage::Choosing, Step::Entry(_) | Step::Announcement(_))
            | (Stage::Entering | Stage::Confirming, Step::Choice(_) | Step::Announcement(_)) => {
                self.dropped += 1;
            }
        }
    }

    fn choose(&mut self, now: Now, key: Key, target: Option<&Target>) {
        let pressed = Some((self.menu.id.clone(), key));
        let again = self.pressed == pressed;
        self.pressed = pressed;
        self.note_key(key);
        match target {
            _ if again || key.digit() == Some(0) => self.ask_human(now),
            Some(target) => self.go(now, target),
            None => self.mistake(now, Mistake::Wrong),
        }
    }

    fn enter_key(&mut self, now: Now, key: Key, entry: &Entry) {
        match (key, key.digit()) {
            (_, Some(_)) if !entry.secret => {
                self.typed.digits.push(key.as_char());
                self.type_on(now);
                if self.typed.digits.len() >= usize::from(entry.max) {
                    self.typed.full = Some(now.mono);
                    self.finish_entry(now);
                }
            }
            (Key::HASH, _) => self.finish_entry(now),
            (Key::STAR, _) => {
                self.note_key(key);
                self.ask_human(now);
            }
            _ => self.ignore_key(now),
        }
    }

    fn confirm(&mut self, now: Now, key: Key, entry: &Entry) {
        self.note_key(key);
        match key.as_char() {
            '1' => self.entry_is_made(now, entry),
            '2' => {
                self.stage = Stage::Entering;
                self.mistake(now, Mistake::Again);
            }
            '0' | '*' => self.ask_human(now),
            _ => self.mistake(now, Mistake::Wrong),
        }
    }

    /// A digit came: silence begins anew.
    pub(super) fn type_on(&mut self, now: Now) {
        if self.ear == Ear::Listening {
            self.effects.push_back(MenuEffect::StopPlaying);
        }
        self.ear = Ear::Typing;
        let gap = match &self.menu.step {
            Step::Entry(entry) => entry.gap,
            Step::Choice(_) | Step::Announcement(_) => self.menu.wait,
        };
        self.deadline = Some(Deadline::new(now.mono + gap, "menu inter-digit"));
    }

    /// No more digits will come.
    pub(super) fn finish_entry(&mut self, now: Now) {
        let menu = Arc::clone(&self.menu);
        let Step::Entry(entry) = &menu.step else { return };
        let length = if entry.secret { usize::from(self.typed.secret) } else { self.typed.digits.len() };
        if length < usize::from(entry.min) || length > usize::from(entry.max) {
            self.mistake(now, Mistake::Wrong);
        } else if entry.confirm {
            self.stage = Stage::Confirming;
            let say = self.read_back();
            self.play(now, say);
        } else {
            self.entry_is_made(now, entry);
        }
    }

    fn read_back(&self) -> Vec<Phrase> {
        let prompt = |id| Phrase::Prompt(PromptId::from(id));
        vec![prompt(YOU_ENTERED), Phrase::Digits(self.typed.digits.clone()), prompt(CONFIRM_KEYS)]
    }

    fn entry_is_made(&mut self, now: Now, entry: &Entry) {
        let made = if entry.secret {
            self.hidden = Hidden::Stale;
            Made::Secret { length: self.typed.secret }
        } else {
            Made::Digits(std::mem::take(&mut self.typed.digits))
        };
        self.pressed = None;
        self.effects.push_back(MenuEffect::EntryMade { entry: entry.name.clone(), made });
        self.go(now, &entry.then);
    }

    pub(super) fn mistake(&mut self, now: Now, mistake: Mistake) {
        self.mistakes += 1;
        if self.mistakes >= limits::MENU_MISTAKES {
            return self.ask_human(now);
        }
        let nth = usize::from(self.mistakes > 1);
        let menu = Arc::clone(&self.menu);
        let again = match mistake {
            Mistake::Silence => menu.silence.get(nth),
            Mistake::Wrong => menu.wrong.get(nth),
            Mistake::Again => None,
        };
        let say = match self.stage {
            Stage::Confirming => self.read_back(),
            Stage::Choosing | Stage::Entering | Stage::Announcing | Stage::Gone => {
                self.typed.digits.clear();
                self.forget_secret();
                again.unwrap_or(&menu.say).clone()
            }
        };
        self.play(now, say);
    }

    /// The secret digits entered so far count no longer.
    fn forget_secret(&mut self) {
        self.typed.secret = 0;
        if self.hidden != Hidden::No {
            self.hidden = Hidden::Stale;
            self.hide_afresh();
        }
    }

    /// A fresh token, if the present one holds digits that do not belong to what comes.
    pub(super) fn hide_afresh(&mut self) {
        if self.hidden == Hidden::Stale {
            self.hidden = Hidden::Yes;
            self.effects.push_back(MenuEffect::SecretEntry(true));
        }
    }

    fn play(&mut self, now: Now, say: Vec<Phrase>) {
        self.ear = Ear::Listening;
        self.saying.clone_from(&say);
        self.effects.push_back(MenuEffect::Play { say });
        let guard = Duration::from_secs(limits::MENU_PLAYING_S);
        self.deadline = Some(Deadline::new(now.mono + guard, "menu playing"));
    }

    /// What was announced is over.
    pub(super) fn go_on(&mut self, now: Now) {
        let menu = Arc::clone(&self.menu);
        if let Step::Announcement(then) = &menu.step {
            self.go(now, then);
        }
    }

    fn go(&mut self, now: Now, target: &Target) {
        let human = self.visit.line.as_ref().unwrap_or(&self.menu.human);
        match walk::land(&self.set, target, human, now.utc) {
            Landing::Menu(_) if self.steps >= limits::MENU_STEPS => self.ask_human(now),
            Landing::Menu(menu) => self.enter(now, &menu),
            Landing::Queue(queue) => {
                self.leave_to(queue, *target == Target::Human && self.visit.line.is_none());
            }
            Landing::HangUp => self.leave(MenuEffect::HangUp { cause: Cause::Completed }),
        }
    }

    fn enter(&mut self, now: Now, menu: &Arc<Menu>) {
        let mut say = if self.steps == 0 { std::mem::take(&mut self.saying) } else { Vec::new() };
        say.extend(menu.say.iter().cloned());
        self.steps += 1;
        self.mistakes = 0;
        self.typed.digits.clear();
        self.typed.secret = 0;
        self.menu = Arc::clone(menu);
        self.effects.push_back(MenuEffect::Entered(menu.id.clone()));
        if let Some(language) = menu.language.filter(|l| *l != self.visit.language) {
            self.visit.language = language;
            self.effects.push_back(MenuEffect::Language(language));
        }
        self.hide(walk::leads_to_secret(&self.set, menu, now.utc));
        self.stage = match menu.step {
            Step::Choice(_) => Stage::Choosing,
            Step::Entry(_) => Stage::Entering,
            Step::Announcement(_) => Stage::Announcing,
        };
        self.play(now, say);
    }

    fn hide(&mut self, secret: bool) {
        match (self.hidden, secret) {
            (Hidden::No, true) => {
                self.hidden = Hidden::Stale;
                self.hide_afresh();
            }
            (Hidden::Stale, true) => self.hide_afresh(),
            (Hidden::Yes | Hidden::Stale, false) => {
                self.hidden = Hidden::No;
                self.effects.push_back(MenuEffect::SecretEntry(false));
            }
            (Hidden::No, false) | (Hidden::Yes, true) => {}
        }
    }

    pub(super) fn ask_human(&mut self, now: Now) {
        let human = self.visit.line.as_ref().unwrap_or(&self.menu.human);
        let queue = walk::human_queue(&self.set, human, now.utc);
        self.leave_to(queue, true);
    }

    fn leave_to(&mut self, queue: QueueId, human: bool) {
        let own = self.set.queues.get(&queue).map_or(9, |q| q.priority);
        let priority = self.visit.priority.map_or(own, |p| p.min(own));
        self.leave(MenuEffect::ToQueue { queue, priority, human });
    }

    fn leave(&mut self, exit: MenuEffect) {
        self.hide(false);
        if self.ear == Ear::Listening {
            self.effects.push_back(MenuEffect::StopPlaying);
        }
        self.stage = Stage::Gone;
        self.ear = Ear::Thinking;
        self.deadline = None;
        self.effects.push_back(exit);
    }
}
