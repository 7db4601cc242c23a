//! A leg as the exchange sees it: whose it is, how far it came, what its ear was last told.
//!
//! Invariant: the ear always says what `node` was last told of this leg, so that a command is sent only for a change.
use std::collections::VecDeque;

use super::Peer;
use crate::base::{LegId, PlayId, PromptId};

/// Which side of the call a leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// The caller.
    Caller,
    /// The agent.
    Agent,
    /// The third party.
    Party,
    /// Who is rung to take the third party's place, because it asked for that.
    Successor,
}

impl Role {
    /// All, in the order in which commands are given.
    pub(super) const ALL: [Self; 4] = [Self::Caller, Self::Agent, Self::Party, Self::Successor];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Agent => "agent",
            Self::Party => "party",
            Self::Successor => "successor",
        }
    }
}

/// How far a leg came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LegState {
    /// We ring it.
    Ringing {
        /// It sends sound of its own already.
        early_sound: bool,
    },
    /// Answered.
    Up,
    /// We ended it; its end was not reported yet.
    Ending,
}

/// One party attached to us.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) id: LegId,
    pub(super) role: Role,
    pub(super) state: LegState,
    /// Who is behind it, as far as was proved: who may take its place.
    pub(super) peer: Peer,
    /// Its own phone put us on hold.
    pub(super) holds_us: bool,
    pub(super) ear: Ear,
}

impl Leg {
    pub(super) fn new(id: LegId, role: Role, state: LegState, peer: Peer) -> Self {
        Self { id, role, state, peer, holds_us: false, ear: Ear::default() }
    }

    pub(super) fn is_live(&self) -> bool {
        self.state != LegState::Ending
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == LegState::Up
    }

    /// Whether others may hear it.
    pub(super) fn has_sound(&self) -> bool {
        matches!(self.state, LegState::Up | LegState::Ringing { early_sound: true })
    }

    pub(super) const fn state_name(&self) -> &'static str {
        match self.state {
            LegState::Ringing { early_sound: false } => "ringing",
            LegState::Ringing { early_sound: true } => "early_sound",
            LegState::Up => "up",
            LegState::Ending => "ending",
        }
    }
}

/// What one leg hears.
#[derive(Debug, Default)]
pub(super) struct Ear {
    /// The legs it hears.
    pub(super) sources: Vec<LegId>,
    /// What is played to it in their place.
    pub(super) playing: Option<Playing>,
    /// What is to be said after that.
    pub(super) next: VecDeque<Words>,
    /// It was told that it is on hold.
    pub(super) on_hold: bool,
    /// It hears others who are not to hear it.
    pub(super) only_listens: bool,
}

/// Prompts to say once. A key stops them, whoever hears them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) prompts: Vec<PromptId>,
}

/// What is played to a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Playing {
    /// Prompts, once.
    Words(PlayId, Words),
    /// Music, again and again.
    Music(PlayId, PromptId),
}
