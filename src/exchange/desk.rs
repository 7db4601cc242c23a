//! An agent's keys in a call: sequences such as `*1`, some of them followed by a code and `#`; all others are for the third
//! party's menu, when there is one.
//!
//! A key that can only be the third party's is passed on at once; one that may begin a sequence of ours (`*`) as soon as
//! the next key, or the time-out, shows that it does not. Pressed twice it is passed on once: `**1` is the third party's
//! `*1`. A code (`*2 01 #`) is ours to its end.
//! Invariant: each key is either part of a sequence that ops configured, or passed on once, or means nothing.
use crate::base::Key;
use crate::exchange::menu::AgentKeys;

/// Longest code that an agent may enter, in digits.
const CODE_MAX: usize = 16;

/// What an agent wants in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DeskWish {
    /// Hold the caller with music, or take him back.
    Hold,
    /// Call the third party behind this code in private.
    Invite(String),
    /// Join all three.
    Join,
    /// Drop the third party.
    Drop,
    /// Leave; caller and third party go on.
    Leave,
    /// Pass the caller to the queue behind this code.
    PassOn(String),
    /// The caller only listens in the conference, or is heard again.
    ListenOnly,
    /// A sequence that means nothing.
    Unknown,
}

/// What a key did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pressed {
    /// Keys that are not ours, in the order in which they were pressed.
    pub(super) passed: Vec<Key>,
    /// A sequence is complete.
    pub(super) wish: Option<DeskWish>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CodeFor {
    Party,
    Queue,
}

/// What an agent has typed so far.
#[derive(Debug, Default)]
pub(super) struct Desk {
    typed: Vec<Key>,
    code: Option<(CodeFor, String)>,
}

impl Desk {
    /// Forgets what was half typed.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether a sequence is half typed.
    pub(super) fn is_half(&self) -> bool {
        self.code.is_some() || !self.typed.is_empty()
    }

    /// The rest of a sequence never came: what can be passed on.
    pub(super) fn stale(&mut self) -> Vec<Key> {
        std::mem::take(self).typed
    }

    /// One key. `passing`: there is a third party that takes those that are not ours.
    pub(super) fn press(&mut self, key: Key, passing: bool, keys: &AgentKeys) -> Pressed {
        let mut pressed = Pressed::default();
        let Some((purpose, digits)) = &mut self.code else {
            self.sequence(key, passing, keys, &mut pressed);
            return pressed;
        };
        if key.digit().is_some() && digits.len() < CODE_MAX {
            digits.push(key.as_char());
            return pressed;
        }
        let (purpose, digits) = (*purpose, std::mem::take(digits));
        self.forget();
        if key == Key::HASH {
            pressed.wish = Some(match purpose {
                CodeFor::Party => DeskWish::Invite(digits),
                CodeFor::Queue => DeskWish::PassOn(digits),
            });
            return pressed;
        }
        self.sequence(key, false, keys, &mut pressed);
        if !self.is_half() && pressed.wish.is_none() {
            pressed.wish = Some(DeskWish::Unknown);
        }
        pressed
    }

    fn sequence(&mut self, key: Key, passing: bool, keys: &AgentKeys, pressed: &mut Pressed) {
        let begins = |typed: &[Key]| sequences(keys).iter().any(|s| s.starts_with(typed));
        if passing && self.typed == [key] && !begins(&[key, key]) {
            self.typed.clear();
            pressed.passed.push(key);
            return;
        }
        self.typed.push(key);
        if self.complete(keys, pressed) || begins(&self.typed) {
            return;
        }
        let typed = std::mem::take(&mut self.typed);
        let (first, rest) = typed.split_first().map_or((key, &[][..]), |(first, rest)| (*first, rest));
        if passing {
            pressed.passed.push(first);
            for key in rest {
                self.sequence(*key, passing, keys, pressed);
            }
        } else if !rest.is_empty() {
            self.sequence(key, passing, keys, pressed);
            if !self.is_half() && pressed.wish.is_none() {
                pressed.wish = Some(DeskWish::Unknown);
            }
        }
    }

    /// Whether a sequence is complete; a code follows some.
    fn complete(&mut self, keys: &AgentKeys, pressed: &mut Pressed) -> bool {
        let typed = &self.typed;
        let wish = if *typed == keys.hold {
            DeskWish::Hold
        } else if *typed == keys.join {
            DeskWish::Join
        } else if *typed == keys.drop {
            DeskWish::Drop
        } else if *typed == keys.leave {
            DeskWish::Leave
        } else if *typed == keys.listen_only {
            DeskWish::ListenOnly
        } else if *typed == keys.invite {
            return self.begin_code(CodeFor::Party);
        } else if *typed == keys.pass_on {
            return self.begin_code(CodeFor::Queue);
        } else {
            return false;
        };
        self.forget();
        pressed.wish = Some(wish);
        true
    }

    fn begin_code(&mut self, purpose: CodeFor) -> bool {
        self.typed.clear();
        self.code = Some((purpose, String::new()));
        true
    }
}

fn sequences(keys: &AgentKeys) -> [&[Key]; 7] {
    let AgentKeys { hold, invite, join, drop, leave, pass_on, listen_only } = keys;
    [hold, invite, join, drop, leave, pass_on, listen_only]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<Key> {
        text.chars().filter_map(Key::from_char).collect()
    }

    fn agent_keys() -> AgentKeys {
        AgentKeys {
            hold: keys("*1"),
            invite: keys("*2"),
            join: keys("*3"),
            drop: keys("*4"),
            leave: keys("*5"),
            pass_on: keys("*6"),
            listen_only: keys("*7"),
        }
    }

    fn typed(text: &str) -> Vec<DeskWish> {
        let (mut desk, all) = (Desk::default(), agent_keys());
        keys(text).into_iter().filter_map(|k| desk.press(k, false, &all).wish).collect()
    }

    /// What the third party gets of these keys, what we take, and what it gets when no more come.
    fn passed(text: &str) -> (String, Vec<DeskWish>, String) {
        let (mut desk, all) = (Desk::default(), agent_keys());
        let (mut passed, mut wishes) = (String::new(), Vec::new());
        let chars = |keys: Vec<Key>| keys.into_iter().map(Key::as_char).collect::<String>();
        for key in keys(text) {
            let pressed = desk.press(key, true, &all);
            passed.push_str(&chars(pressed.passed));
            wishes.extend(pressed.wish);
        }
        (passed, wishes, chars(desk.stale()))
    }

    #[test]
    fn keys_that_are_not_ours_are_the_third_partys() {
        assert_eq!(passed("12#0"), ("12#0".into(), vec![], String::new()));
        assert_eq!(passed("1*4"), ("1".into(), vec![DeskWish::Drop], String::new()));
        assert_eq!(passed("*9"), ("*9".into(), vec![], String::new()));
        assert_eq!(passed("*#"), ("*#".into(), vec![], String::new()));
        assert_eq!(passed("5*"), ("5".into(), vec![], "*".into()));
    }

    #[test]
    fn a_star_pressed_twice_is_the_third_partys_and_no_beginning() {
        assert_eq!(passed("**"), ("*".into(), vec![], String::new()));
        assert_eq!(passed("**1"), ("*1".into(), vec![], String::new()));
        assert_eq!(passed("***1"), ("*".into(), vec![DeskWish::Hold], String::new()));
    }

    #[test]
    fn a_code_is_ours_to_its_end() {
        assert_eq!(passed("*201#7"), ("7".into(), vec![DeskWish::Invite("01".into())], String::new()));
        assert_eq!(passed("*20"), (String::new(), vec![], String::new()));
    }

    #[test]
    fn a_sequence_within_keys_that_are_not_ours_is_found() {
        let all = AgentKeys { hold: keys("*12"), ..agent_keys() };
        let mut desk = Desk::default();
        let pressed: Vec<_> = keys("*1*3").into_iter().map(|k| desk.press(k, true, &all)).collect();
        assert_eq!(pressed[2].passed, keys("*1"));
        assert_eq!(pressed[3].wish, Some(DeskWish::Join));
    }

    #[test]
    fn sequences_are_found_one_after_the_other() {
        assert_eq!(typed("*1*1"), [DeskWish::Hold, DeskWish::Hold]);
        assert_eq!(typed("*201#*3"), [DeskWish::Invite("01".into()), DeskWish::Join]);
        assert_eq!(typed("*612#"), [DeskWish::PassOn("12".into())]);
    }

    #[test]
    fn keys_outside_a_sequence_mean_nothing() {
        assert_eq!(typed("123#0"), []);
    }

    #[test]
    fn a_wrong_second_key_is_told_and_a_star_begins_anew() {
        assert_eq!(typed("*9"), [DeskWish::Unknown]);
        assert_eq!(typed("**1"), [DeskWish::Hold]);
    }

    #[test]
    fn a_star_in_a_code_gives_it_up_for_another_sequence() {
        assert_eq!(typed("*20*1"), [DeskWish::Hold]);
        assert_eq!(typed("*2A"), [DeskWish::Unknown]);
    }

    #[test]
    fn what_was_half_typed_is_forgotten() {
        let (mut desk, all) = (Desk::default(), agent_keys());
        assert_eq!(desk.press(Key::STAR, false, &all), Pressed::default());
        assert!(desk.is_half());
        desk.forget();
        assert_eq!(desk.press(keys("1")[0], false, &all), Pressed::default());
        assert!(!desk.is_half());
    }

    #[test]
    fn a_code_has_an_end() {
        assert_eq!(typed(&format!("*2{}", "1".repeat(40))), [DeskWish::Unknown]);
    }
}
