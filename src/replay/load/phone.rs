//! One phone of the load: whom it plays, how far its call is, what it says next.
use std::net::SocketAddrV4;

use super::ear::Ear;
use crate::base::{Instant, Key};
use crate::node::LegSound;
use crate::sip::InviteId;

/// Whom a phone plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Calls the hotline.
    Caller,
    /// Is rung with callers.
    Agent,
    /// Is rung by agents, over the trunk.
    Merchant,
    /// An agent's call that signs him in.
    SignIn,
}

impl Role {
    /// For people.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Agent => "agent",
            Self::Merchant => "merchant",
            Self::SignIn => "sign-in",
        }
    }

    /// The place of its tone in [`super::ear::TONES`].
    pub(super) const fn tone(self) -> usize {
        match self {
            Self::Caller => 0,
            Self::Agent | Self::SignIn => 1,
            Self::Merchant => 2,
        }
    }
}

/// What a phone says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mouth {
    /// Sends nothing.
    Shut,
    /// Silence.
    Quiet,
    /// Its role's tone.
    Tone,
    /// A frame of its tone each second, heard by this phone's partner with a watch in his hand.
    Burst,
}

/// One call at one phone.
#[derive(Debug)]
pub(super) struct Phone {
    pub(super) role: Role,
    /// The number of the call, as its caller's number tells it.
    pub(super) call: usize,
    pub(super) invite: InviteId,
    pub(super) sound: LegSound,
    pub(super) mouth: Mouth,
    /// Where its sound goes, once agreed.
    pub(super) to: Option<SocketAddrV4>,
    pub(super) up: bool,
    pub(super) dialled_at: Instant,
    pub(super) ear: Ear,
    pub(super) sequence: u16,
    pub(super) ssrc: u32,
    /// Keys still to be pressed, and when the next one is.
    pub(super) keys: Vec<Key>,
    pub(super) key_at: Option<Instant>,
    /// When so many keys are left, a pause comes first.
    pub(super) after_pause: usize,
}

impl Phone {
    /// The keys of `first`, one after the other from `at` on; after a pause those of `then`.
    pub(super) fn press(&mut self, then: &str, first: &str, at: Instant) {
        let keys = |text: &str| -> Vec<Key> { text.chars().rev().filter_map(Key::from_char).collect() };
        self.keys = keys(then);
        self.after_pause = self.keys.len();
        self.keys.extend(keys(first));
        self.key_at = Some(at);
    }
}
