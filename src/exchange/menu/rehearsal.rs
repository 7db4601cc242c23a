//! `Rehearsal`: a caller without a telephone. The machine that serves callers ([`MenuRun`]) is driven by acts; what the
//! exchange does around it (lines, live keys, overflow) is done here in its simplest form, with a clock that moves as
//! long as things last.
//!
//! Invariant: what a caller may do here he may do on the telephone, and the menus answer by the same machine.
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::manifest::PromptTexts;
use super::run::{Made, Mark, MenuEffect, MenuRun, Visit};
use super::set::{MenuSet, Target};
use crate::base::{EntryId, Instant, Key, Language, MenuId, Now, PromptId, QueueId, UtcTime};
use crate::exchange::Cause;
use crate::exchange::say::{Phrase, say};

/// How long each prompt lasts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptLengths {
    /// As recorded.
    pub lengths: BTreeMap<(Language, PromptId), Duration>,
    /// The silence between two that are joined.
    pub gap: Duration,
}

/// Mandarin syllables and English letters spoken in a second.
const SYLLABLES: f64 = 4.5;
const LETTERS: f64 = 15.0;

impl PromptLengths {
    /// Estimated from the words, for prompts that nobody has spoken yet.
    pub fn estimated(texts: &PromptTexts) -> Self {
        let mut lengths = BTreeMap::new();
        for (id, words) in &texts.0 {
            for (language, text) in words {
                let rate = match language {
                    Language::Mandarin => SYLLABLES,
                    Language::English => LETTERS,
                };
                let seconds = f64::from(u32::try_from(text.chars().count()).unwrap_or(u32::MAX)) / rate;
                lengths.insert((*language, id.clone()), Duration::from_secs_f64(seconds.max(0.3)));
            }
            if words.is_empty() {
                lengths.extend(Language::ALL.map(|l| ((l, id.clone()), Duration::from_secs(1))));
            }
        }
        Self { lengths, gap: Duration::ZERO }
    }

    /// How long these phrases last; a prompt that is not there lasts no time.
    pub fn of(&self, language: Language, phrases: &[Phrase]) -> Duration {
        let prompts = say(language, phrases);
        let known = prompts.iter().filter_map(|id| self.lengths.get(&(language, id.clone())));
        let (mut total, mut count) = (Duration::ZERO, 0u32);
        for length in known {
            total += *length;
            count += 1;
        }
        total + self.gap * count.saturating_sub(1)
    }
}

/// What the caller does, or what happens to him.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// He presses a key.
    Key(Key),
    /// He listens to the end of what is said.
    Listen,
    /// He does nothing until something happens: listens to the end, and then is silent for as long as he may.
    Wait,
    /// The line sends him away: too many callers, too long a wait, nobody there.
    Full,
}

impl Act {
    /// From its letter: a key, `.` listen, `~` do nothing, `!` the line sends him away.
    pub fn from_char(c: char) -> Option<Self> {
        match c {
            '.' => Some(Self::Listen),
            '~' => Some(Self::Wait),
            '!' => Some(Self::Full),
            c => Key::from_char(c).filter(|key| key.event() < 12).map(Self::Key),
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Listen => f.write_str("."),
            Self::Wait => f.write_str("~"),
            Self::Full => f.write_str("!"),
        }
    }
}

/// What then happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scene {
    /// He hears this.
    Says {
        /// What.
        say: Vec<Phrase>,
        /// In which language.
        language: Language,
        /// How long it lasts.
        lasts: Duration,
    },
    /// He is in this menu.
    Menu(MenuId),
    /// His digits are hidden from now on, or shown.
    Hidden(bool),
    /// He entered digits; hidden ones are stars.
    Entered(EntryId, String),
    /// He waits in this line.
    Line {
        /// Which.
        queue: QueueId,
        /// He asked for a human, or made too many mistakes.
        human: bool,
    },
    /// Nothing happened: the key means nothing to who waits, or the call is over.
    Nothing,
    /// The call is over.
    Ended(Cause),
}

/// Where the caller is.
#[derive(Clone, Debug)]
enum Place {
    Menus(Box<MenuRun>),
    Line(QueueId, Visit),
    Out,
}

/// One caller who only exists here.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    set: Arc<MenuSet>,
    lengths: Arc<PromptLengths>,
    now: Now,
    place: Place,
    /// Hidden digits since they were hidden last.
    vault: Option<u8>,
    /// What is being said ends then, and lasts so long.
    playing: Option<(Instant, Duration)>,
    language: Language,
    scenes: Vec<Scene>,
}

impl Rehearsal {
    /// Dials `number` at `at`; `None` when callers cannot dial it.
    pub fn dial(set: &Arc<MenuSet>, lengths: &Arc<PromptLengths>, number: &str, at: UtcTime) -> Option<Self> {
        Self::dial_with(set, lengths, (number, None), at)
    }

    /// The same while a banner is on.
    pub fn dial_with(
        set: &Arc<MenuSet>,
        lengths: &Arc<PromptLengths>,
        (number, banner): (&str, Option<&PromptId>),
        at: UtcTime,
    ) -> Option<Self> {
        let now = Now { mono: Instant::ZERO, utc: at };
        let set = set.at(at);
        let run = MenuRun::start_with(&set, number, banner, now)?;
        let mut caller = Self {
            set,
            lengths: Arc::clone(lengths),
            now,
            language: run.visit().language,
            place: Place::Menus(Box::new(run)),
            vault: None,
            playing: None,
            scenes: Vec::new(),
        };
        caller.follow();
        Some(caller)
    }

    /// Does it.
    pub fn act(&mut self, act: Act) {
        match act {
            Act::Key(key) => self.press(key),
            Act::Listen => self.listen(),
            Act::Wait => {
                self.listen();
                self.be_silent();
            }
            Act::Full => self.send_away(),
        }
        self.follow();
    }

    /// What happened since the last time.
    pub fn take_scenes(&mut self) -> Vec<Scene> {
        std::mem::take(&mut self.scenes)
    }

    /// The time, which moves as long as things last.
    pub fn now(&self) -> Now {
        self.now
    }

    /// Whether the call is over.
    pub fn is_over(&self) -> bool {
        matches!(self.place, Place::Out)
    }

    /// The line he waits in.
    pub fn line(&self) -> Option<&QueueId> {
        match &self.place {
            Place::Line(queue, _) => Some(queue),
            Place::Menus(_) | Place::Out => None,
        }
    }

    /// The menu he is in.
    pub fn menu(&self) -> Option<&MenuId> {
        match &self.place {
            Place::Menus(run) => Some(run.menu()),
            Place::Line(..) | Place::Out => None,
        }
    }

    /// The language that is spoken to him.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The calendar stands still while the clock moves: for who walks all ways at one hour.
    pub(super) fn hold_hour(&mut self, at: UtcTime) {
        self.now.utc = at;
    }

    /// How long what is being said lasts.
    pub(super) fn says(&self) -> Option<Duration> {
        self.playing.map(|(_, lasts)| lasts)
    }

    /// What decides the ways on, while he is in the menus, with the hidden digits.
    pub(super) fn mark(&self) -> Option<(Mark, Option<u8>)> {
        match &self.place {
            Place::Menus(run) => Some((run.mark(self.now), self.vault)),
            Place::Line(..) | Place::Out => None,
        }
    }

    fn press(&mut self, key: Key) {
        let now = self.now;
        match (&mut self.place, &mut self.vault, key.digit()) {
            (Place::Menus(run), Some(length), Some(_)) => {
                *length = length.saturating_add(1);
                run.handle_secret_digit(now, *length);
            }
            (Place::Menus(run), _, _) => run.handle_key(now, key),
            (Place::Line(queue, visit), _, _) => {
                let menu = self.set.queues.get(queue).and_then(|q| q.keys.get(&key));
                let Some(menu) = menu.cloned() else { return self.scenes.push(Scene::Nothing) };
                let visit = Visit { line: Some(queue.clone()), ..visit.clone() };
                self.resume(&Target::Menu(menu), visit);
            }
            (Place::Out, _, _) => self.scenes.push(Scene::Nothing),
        }
    }

    fn resume(&mut self, target: &Target, visit: Visit) {
        let run = MenuRun::resume(&self.set, target, visit, self.now);
        self.place = Place::Menus(Box::new(run));
    }

    fn listen(&mut self) {
        let Some((end, _)) = self.playing.take() else { return };
        self.now = self.now.after(end.since(self.now.mono));
        if let Place::Menus(run) = &mut self.place {
            run.handle_prompt_ended(self.now);
            self.follow();
        }
    }

    fn be_silent(&mut self) {
        if self.playing.is_some() {
            return;
        }
        let Place::Menus(run) = &mut self.place else { return self.scenes.push(Scene::Nothing) };
        if let Some(deadline) = run.next_deadline() {
            self.now = self.now.after(deadline.at.since(self.now.mono));
            run.handle_timeout(self.now);
        }
    }

    fn send_away(&mut self) {
        let Place::Line(queue, visit) = &self.place else { return self.scenes.push(Scene::Nothing) };
        let Some(target) = self.set.queues.get(queue).map(|q| q.overflow.clone()) else { return };
        let visit = visit.clone();
        self.resume(&target, visit);
    }

    /// Does what the menus want.
    fn follow(&mut self) {
        while let Place::Menus(run) = &mut self.place {
            let Some(effect) = run.poll_effect() else { return };
            match effect {
                MenuEffect::Play { say } => self.say(say),
                MenuEffect::StopPlaying => self.playing = None,
                MenuEffect::Language(language) => self.language = language,
                MenuEffect::SecretEntry(on) => {
                    if self.vault.is_some() != on {
                        self.scenes.push(Scene::Hidden(on));
                    }
                    self.vault = on.then_some(0);
                }
                MenuEffect::Entered(menu) => self.scenes.push(Scene::Menu(menu)),
                MenuEffect::KeyTaken { .. } => {}
                MenuEffect::EntryMade { entry, made } => {
                    let shown = match made {
                        Made::Digits(digits) => digits,
                        Made::Secret { length } => "*".repeat(usize::from(length)),
                    };
                    self.scenes.push(Scene::Entered(entry, shown));
                }
                MenuEffect::ToQueue { queue, human, .. } => self.joins(queue, human),
                MenuEffect::HangUp { cause } => {
                    self.playing = None;
                    self.place = Place::Out;
                    self.scenes.push(Scene::Ended(cause));
                }
            }
        }
    }

    fn say(&mut self, say: Vec<Phrase>) {
        let lasts = self.lengths.of(self.language, &say);
        self.playing = Some((self.now.mono + lasts, lasts));
        self.scenes.push(Scene::Says { say, language: self.language, lasts });
    }

    fn joins(&mut self, queue: QueueId, human: bool) {
        let Place::Menus(run) = &self.place else { return };
        let visit = Visit { line: None, ..run.visit().clone() };
        self.vault = None;
        self.playing = None;
        let said = self.set.queues.get(&queue).map(|q| [Some(&q.name), q.notice.as_ref()]);
        let said = said.into_iter().flatten().flatten().cloned().map(Phrase::Prompt).collect::<Vec<_>>();
        self.place = Place::Line(queue.clone(), visit);
        self.scenes.push(Scene::Line { queue, human });
        if !said.is_empty() {
            self.say(said);
        }
    }
}
