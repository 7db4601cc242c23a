//! `MenuRun`: one caller in the menus, from his entrance to a queue or the end of the call.
//!
//! ```text
//!            key 0, * in an entry, third mistake, the same key again         +---------------+
//!   Choice  ---------------------------------------------------------------> | queue: human  |
//!   Entry   ---- a key, digits entered ----> next menu, or queue              +---------------+
//!   Announcement ---- heard, or a key ----> next menu, queue, or hang up
//! ```
//!
//! **Type-ahead.** A key is acted on at once and interrupts whatever is said: nothing must be heard. A key pressed during
//! an announcement skips it and counts in the menu after it, but for two: where that asks for secret digits the key was
//! not meant for it, and a goodbye is not skipped by a key that was pressed before it. During a goodbye 0 leads to a
//! human, and any other key to the end.
//!
//! **Secret digits** never reach this machine: it hears of their number alone. Digits are hidden already during the
//! announcements before a secret entry. A secret entry ends with `#` or a pause, never by being full: what a caller
//! types too much would otherwise count as keys, in clear, in the next menu.
//!
//! Invariant: every run ends in exactly one exit (`ToQueue` or `HangUp`), after at most `limits::MENU_STEPS` menus and
//! three mistakes in each; after it, nothing is said and no deadline is set.
mod mark;
mod moves;

pub(super) use mark::{Does, Mark, Stands};

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::set::{Menu, MenuSet, Target};
use crate::base::{Deadline, EntryId, Instant, Key, Language, MenuId, Now, PromptId, QueueId};
use crate::exchange::Cause;
use crate::exchange::say::Phrase;

/// What the machine wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MenuEffect {
    /// Say this, in place of what is playing. Its end is reported by `handle_prompt_ended`.
    Play {
        /// What. A key stops it.
        say: Vec<Phrase>,
    },
    /// Stop what is playing.
    StopPlaying,
    /// Speak this language from now on. Comes before the first `Play`.
    Language(Language),
    /// `true`: digits go to the vault from now on, under a fresh token, also when they went there before. `false`:
    /// they come as keys again.
    SecretEntry(bool),
    /// He is in this menu now.
    Entered(MenuId),
    /// He pressed a key that is not a digit of an entry.
    KeyTaken {
        /// Where.
        menu: MenuId,
        /// Which.
        key: Key,
    },
    /// He entered digits, and confirmed them if he was asked.
    EntryMade {
        /// What they are called.
        entry: EntryId,
        /// What he entered.
        made: Made,
    },
    /// Exit: he joins a queue.
    ToQueue {
        /// Which.
        queue: QueueId,
        /// With this priority class, 0 (most urgent) to 9.
        priority: u8,
        /// He asked for a human, or made too many mistakes, rather than chose this queue.
        human: bool,
    },
    /// Exit: the end of the call, which was announced, and heard or skipped.
    HangUp {
        /// Why.
        cause: Cause,
    },
}

/// What was entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// These digits.
    Digits(String),
    /// So many secret digits; their value is under the token of the last `SecretEntry(true)`.
    Secret {
        /// How many.
        length: u8,
    },
}

/// What stays with a caller from one run to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The language spoken.
    pub language: Language,
    /// The priority class of the number he dialled, if it has one.
    pub priority: Option<u8>,
    /// The queue he waits in, if he pressed a key there: for him, "a human" is this line.
    pub line: Option<QueueId>,
}

/// What the menu he is in waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// One key.
    Choosing,
    /// Digits.
    Entering,
    /// Whether the digits are right.
    Confirming,
    /// The end of what is said.
    Announcing,
    /// Nothing: he left.
    Gone,
}

/// What he is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ear {
    /// Listens; a key may interrupt.
    Listening,
    /// Thinks: all is said.
    Thinking,
    /// Types digits.
    Typing,
}

/// Where digits go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hidden {
    /// They come as keys.
    No,
    /// To the vault.
    Yes,
    /// To the vault, where digits are that belong to no entry, or to the last: the next one needs a fresh token.
    Stale,
}

/// Why a menu is said again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    /// No key came.
    Silence,
    /// A key without meaning, too few or too many digits.
    Wrong,
    /// He wants to enter the digits again.
    Again,
}

/// The digits entered so far.
#[derive(Clone, Debug, Default)]
struct Typed {
    digits: String,
    secret: u8,
    /// The entry was full at this moment: a `#` shortly after belongs to it.
    full: Option<Instant>,
}

/// One caller in the menus.
#[derive(Clone, Debug)]
pub struct MenuRun {
    set: Arc<MenuSet>,
    menu: Arc<Menu>,
    visit: Visit,
    stage: Stage,
    ear: Ear,
    /// What is being said; at the door, what is said before the first menu.
    saying: Vec<Phrase>,
    mistakes: u8,
    steps: u16,
    typed: Typed,
    /// The last key he pressed in a choice, and where.
    pressed: Option<(MenuId, Key)>,
    hidden: Hidden,
    deadline: Option<Deadline>,
    effects: VecDeque<MenuEffect>,
    dropped: u64,
}

impl MenuRun {
    /// A caller who dialled `number`; `None` when the set has no such number.
    pub fn start(set: &Arc<MenuSet>, number: &str, now: Now) -> Option<Self> {
        Self::start_with(set, number, None, now)
    }

    /// The same with a banner that is said after the greeting.
    pub fn start_with(set: &Arc<MenuSet>, number: &str, banner: Option<&PromptId>, now: Now) -> Option<Self> {
        let entrance = set.entrance(number)?;
        let visit = Visit { language: entrance.language, priority: entrance.priority, line: None };
        let target = match &entrance.open {
            Some(open) if !set.is_open(&open.hours, now.utc) => open.closed.clone(),
            _ => Target::Menu(entrance.menu.clone()),
        };
        let mut run = Self::at_the_door(set, target, visit);
        run.effects.push_back(MenuEffect::Language(entrance.language));
        run.saying.clone_from(&entrance.greeting);
        run.saying.extend(banner.cloned().map(Phrase::Prompt));
        run.go_on(now);
        Some(run)
    }

    /// A caller who comes from elsewhere: from a queue, by a live key (then `visit.line` is that queue) or because it
    /// overflowed.
    pub fn resume(set: &Arc<MenuSet>, target: &Target, visit: Visit, now: Now) -> Self {
        let mut run = Self::at_the_door(set, target.clone(), visit);
        run.go_on(now);
        run
    }

    /// The door is like an announcement that was heard.
    fn at_the_door(set: &Arc<MenuSet>, target: Target, visit: Visit) -> Self {
        Self {
            menu: Arc::new(Menu::door(set.human.clone(), target)),
            set: Arc::clone(set),
            visit,
            stage: Stage::Announcing,
            ear: Ear::Thinking,
            saying: Vec::new(),
            mistakes: 0,
            steps: 0,
            typed: Typed::default(),
            pressed: None,
            hidden: Hidden::No,
            deadline: None,
            effects: VecDeque::new(),
            dropped: 0,
        }
    }

    /// A key was pressed. Digits of a secret entry never come here; one that does is dropped.
    pub fn handle_key(&mut self, now: Now, key: Key) {
        let full = self.typed.full.take();
        let spare = key == Key::HASH && full.is_some_and(|at| now.mono.since(at) <= SPARE_HASH);
        let secret = self.hidden != Hidden::No && key.digit().is_some();
        if spare || secret || self.stage == Stage::Gone {
            self.ignore_key(now);
        } else {
            self.press(now, key);
        }
    }

    /// A digit of a secret entry went to the vault; `length` are there now.
    pub fn handle_secret_digit(&mut self, now: Now, length: u8) {
        if self.hidden == Hidden::No || self.stage == Stage::Gone {
            self.dropped += 1;
            return;
        }
        // Digits are hidden in announcements only that lead to a secret entry.
        for _ in 0..=self.set.menus.len() {
            match self.stage {
                Stage::Announcing if self.hidden != Hidden::No => self.go_on(now),
                Stage::Announcing | Stage::Choosing | Stage::Entering | Stage::Confirming | Stage::Gone => {
                    break;
                }
            }
        }
        if self.stage == Stage::Entering && self.hidden != Hidden::No {
            self.typed.secret = length;
            self.type_on(now);
        } else {
            self.dropped += 1;
            if self.hidden != Hidden::No {
                self.hidden = Hidden::Stale;
            }
        }
    }

    /// The last `Play` came to its end by itself.
    pub fn handle_prompt_ended(&mut self, now: Now) {
        if self.ear != Ear::Listening {
            return;
        }
        match self.stage {
            Stage::Announcing => {
                self.ear = Ear::Thinking;
                self.go_on(now);
            }
            Stage::Choosing | Stage::Entering | Stage::Confirming => {
                self.ear = Ear::Thinking;
                self.hide_afresh();
                self.deadline = Some(Deadline::new(now.mono + self.menu.wait, "menu silence"));
            }
            Stage::Gone => {}
        }
    }

    /// The moment of `next_deadline` has come.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.deadline.is_none_or(|d| now.mono < d.at) {
            return;
        }
        self.deadline = None;
        match (self.ear, self.stage) {
            (_, Stage::Gone) => {}
            (Ear::Listening, _) => self.handle_prompt_ended(now),
            (Ear::Thinking | Ear::Typing, Stage::Announcing) => self.go_on(now),
            (Ear::Thinking, Stage::Choosing | Stage::Entering | Stage::Confirming) => {
                self.mistake(now, Mistake::Silence);
            }
            (Ear::Typing, Stage::Entering) => self.finish_entry(now),
            (Ear::Typing, Stage::Choosing | Stage::Confirming) => self.mistake(now, Mistake::Silence),
        }
    }

    /// He has been in the menus for longer than anybody may be: a human takes him.
    pub fn give_up(&mut self, now: Now) {
        if self.stage != Stage::Gone {
            self.ask_human(now);
        }
    }

    /// When it wants to be woken.
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// One thing to do; call until `None` after each input.
    pub fn poll_effect(&mut self) -> Option<MenuEffect> {
        self.effects.pop_front()
    }

    /// The menu he is in, or was in last.
    pub fn menu(&self) -> &MenuId {
        &self.menu.id
    }

    /// What stays with him.
    pub fn visit(&self) -> &Visit {
        &self.visit
    }

    /// Whether he left.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Gone
    }

    /// Keys that had no effect: after the exit, before a goodbye or a secret entry.
    pub fn dropped_keys(&self) -> u64 {
        self.dropped
    }

    /// One line for logs and console.
    pub fn describe(&self) -> String {
        format!(
            "menu {} ({:?}, {:?}), {} mistakes, step {}",
            self.menu.id, self.stage, self.ear, self.mistakes, self.steps
        )
    }
}

/// A `#` this long after a full entry belongs to it.
const SPARE_HASH: Duration = Duration::from_secs(3);
