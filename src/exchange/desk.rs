//! An agent's keys in a call: sequences such as `*1`, some of them followed by a code and `#`.
//!
//! Invariant: a key is either part of a sequence that ops configured, or means nothing; it never reaches another party
//! and is never acted on for another.
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
    /// A sequence that means nothing.
    Unknown,
}

/// What a key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pressed {
    /// Nothing: not the beginning of a sequence.
    Nothing,
    /// A sequence is half typed.
    Half,
    /// A sequence is complete.
    Wish(DeskWish),
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

    /// One key.
    pub(super) fn press(&mut self, key: Key, keys: &AgentKeys) -> Pressed {
        let Some((purpose, digits)) = &mut self.code else { return self.sequence(key, keys) };
        if key.digit().is_some() && digits.len() < CODE_MAX {
            digits.push(key.as_char());
            return Pressed::Half;
        }
        let (purpose, digits) = (*purpose, std::mem::take(digits));
        self.forget();
        if key != Key::HASH {
            return match self.sequence(key, keys) {
                Pressed::Nothing => Pressed::Wish(DeskWish::Unknown),
                pressed @ (Pressed::Half | Pressed::Wish(_)) => pressed,
            };
        }
        Pressed::Wish(match purpose {
            CodeFor::Party => DeskWish::Invite(digits),
            CodeFor::Queue => DeskWish::PassOn(digits),
        })
    }

    fn sequence(&mut self, key: Key, keys: &AgentKeys) -> Pressed {
        let begun = !self.typed.is_empty();
        self.typed.push(key);
        if let Some(pressed) = self.complete(keys) {
            return pressed;
        }
        if sequences(keys).iter().any(|s| s.starts_with(&self.typed)) {
            return Pressed::Half;
        }
        self.forget();
        if !begun {
            return Pressed::Nothing;
        }
        match self.sequence(key, keys) {
            Pressed::Nothing => Pressed::Wish(DeskWish::Unknown),
            pressed @ (Pressed::Half | Pressed::Wish(_)) => pressed,
        }
    }

    fn complete(&mut self, keys: &AgentKeys) -> Option<Pressed> {
        let typed = &self.typed;
        let wish = if *typed == keys.hold {
            DeskWish::Hold
        } else if *typed == keys.join {
            DeskWish::Join
        } else if *typed == keys.drop {
            DeskWish::Drop
        } else if *typed == keys.leave {
            DeskWish::Leave
        } else if *typed == keys.invite {
            return Some(self.begin_code(CodeFor::Party));
        } else if *typed == keys.pass_on {
            return Some(self.begin_code(CodeFor::Queue));
        } else {
            return None;
        };
        self.forget();
        Some(Pressed::Wish(wish))
    }

    fn begin_code(&mut self, purpose: CodeFor) -> Pressed {
        self.typed.clear();
        self.code = Some((purpose, String::new()));
        Pressed::Half
    }
}

fn sequences(keys: &AgentKeys) -> [&[Key]; 6] {
    [&keys.hold, &keys.invite, &keys.join, &keys.drop, &keys.leave, &keys.pass_on]
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
        }
    }

    fn typed(text: &str) -> Vec<DeskWish> {
        let (mut desk, all) = (Desk::default(), agent_keys());
        let pressed = keys(text).into_iter().map(|k| desk.press(k, &all));
        pressed.filter_map(|p| if let Pressed::Wish(w) = p { Some(w) } else { None }).collect()
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
        assert_eq!(desk.press(Key::STAR, &all), Pressed::Half);
        desk.forget();
        assert_eq!(desk.press(keys("1")[0], &all), Pressed::Nothing);
    }

    #[test]
    fn a_code_has_an_end() {
        assert_eq!(typed(&format!("*2{}", "1".repeat(40))), [DeskWish::Unknown]);
    }
}
