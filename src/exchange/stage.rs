//! `Stage`: where a call is, a graph; and `Event`: what moves it.
//!
//! ```text
//!            +-----------------------+   keys     offer     answer
//!   Menu <---+--> Waiting <----------+-------- Ringing --------> Talking <----> Consulting <----> Conference
//!     |            ^    ^ refused, revoked, no answer               |  |            |                 |
//!     |            |    +-------------- passed on, agent lost ------+--|------------+                 |
//!     v            v                                                   |            v                 v
//!   Farewell ----> Ended <---------------------------------------------+        PartyOnly <-----------+
//!
//!   Talking <----> Transferring ----> PartyOnly        the agent's phone asked to be replaced (REFER)
//!   Consulting, Conference ----> Clearing ----> Ended  the caller hung up, and agent and third party may finish
//! ```
//!
//! What happens alike in every stage (the caller's end, an operator's, the longest visit) never comes here: `call.rs`
//! ends the call. Every other (event, stage) pair is written out in the stage's own file.
use super::call::end;
use super::in_menu::{InMenu, follow};
use super::leg::Role;
use super::menu::Target;
use super::parties::{Part, Scene};
use super::step::Step;
use super::talk::{Talk, Talking};
use super::third_party::{Clearing, Conference, Consulting, Guest, PartyOnly, Transferring};
use super::timers::Timer;
use super::transfer::Transfer;
use super::waiting::{Ringing, Waiting, turn_down};
use super::{Cause, Offer, OverflowCause, Told, TransferTarget};
use crate::base::{AgentId, AssignmentId, Key, SecretToken, TicketId};
use crate::exchange::case::Case;

/// Where a call is.
#[derive(Debug)]
pub(super) enum Stage {
    /// The caller is in the menus.
    Menu(InMenu),
    /// He waits, with music.
    Waiting(Waiting),
    /// He waits, and an agent's phone rings for him.
    Ringing(Ringing),
    /// He talks to an agent, or is held by him.
    Talking(Talking),
    /// The agent talks to a third party in private, or rings it; the caller has music.
    Consulting(Consulting),
    /// All three talk.
    Conference(Conference),
    /// The agent left; caller and third party talk, or it is rung for him.
    PartyOnly(PartyOnly),
    /// The agent's phone asked that a third party take its place: that is rung, caller and agent talk on.
    Transferring(Transferring),
    /// The caller hung up; agent and third party finish what they were saying.
    Clearing(Clearing),
    /// The caller hears last words; then the call ends for this cause.
    Farewell(Cause),
    /// Over: only the ends of legs are waited for.
    Ended(Cause),
}

/// What moves a call from stage to stage.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// The caller pressed a key.
    CallerKey(Key),
    /// The caller pressed a secret digit.
    CallerSecret(SecretToken, u8),
    /// What was said to the caller is over, all of it.
    CallerHeard,
    /// The agent's phone answered.
    AgentAnswered,
    /// This agent answered by his own phone, in the place of the one that rings.
    PickedUp(AgentId),
    /// The agent pressed a key.
    AgentKey(Key),
    /// The agent's leg ended, not by us.
    AgentGone(Cause),
    /// The third party answered.
    PartyAnswered,
    /// The third party's phone rings.
    PartyRings,
    /// The third party's leg ended, not by us.
    PartyGone(Cause),
    /// Something of the one who is rung to take the third party's place.
    Successor(OfSuccessor),
    /// A phone asks that somebody else take its place.
    Transfer(Box<Asked>),
    /// The Acd gives the caller to an agent.
    Offer(Box<Offer>),
    /// The Acd takes an offer back.
    Revoked(AssignmentId, Cause),
    /// The Acd wants this said.
    Tell(TicketId, Told),
    /// The queue's rules send the caller on.
    Overflow(TicketId, OverflowCause),
    /// A limit was reached.
    Timer(Timer),
}

/// What happens to the one who is rung to take the third party's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfSuccessor {
    /// Its phone rings.
    Rings,
    /// It answered.
    Answered,
    /// It cannot be had.
    Gone(Cause),
}

/// A phone's wish to be replaced. It is answered, whatever becomes of it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) by: Role,
    pub(super) transfer: Transfer,
    pub(super) to: TransferTarget,
}

impl Event {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::CallerKey(_) => "caller key",
            Self::CallerSecret(..) => "caller secret digit",
            Self::CallerHeard => "caller heard",
            Self::AgentAnswered => "agent answered",
            Self::PickedUp(_) => "picked up",
            Self::AgentKey(_) => "agent key",
            Self::AgentGone(_) => "agent gone",
            Self::PartyAnswered => "party answered",
            Self::PartyRings => "party rings",
            Self::PartyGone(_) => "party gone",
            Self::Successor(_) => "successor",
            Self::Transfer(_) => "transfer",
            Self::Offer(_) => "offer",
            Self::Revoked(..) => "revoke",
            Self::Tell(..) => "tell",
            Self::Overflow(..) => "overflow",
            Self::Timer(_) => "timer",
        }
    }
}

impl Stage {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Menu(_) => "menu",
            Self::Waiting(_) => "waiting",
            Self::Ringing(_) => "ringing",
            Self::Talking(talking) => talking.name(),
            Self::Consulting(_) => "consulting",
            Self::Conference(_) => "conference",
            Self::PartyOnly(_) => "party_only",
            Self::Transferring(_) => "transferring",
            Self::Clearing(_) => "clearing",
            Self::Farewell(_) => "farewell",
            Self::Ended(_) => "ended",
        }
    }

    /// The next stage.
    pub(super) fn on(self, event: Event, case: &mut Case, step: &mut Step<'_>) -> Self {
        match self {
            Self::Menu(stage) => stage.on(event, case, step),
            Self::Waiting(stage) => stage.on(event, case, step),
            Self::Ringing(stage) => stage.on(event, case, step),
            Self::Talking(stage) => stage.on(event, case, step),
            Self::Consulting(stage) => stage.on(event, case, step),
            Self::Conference(stage) => stage.on(event, case, step),
            Self::PartyOnly(stage) => stage.on(event, case, step),
            Self::Transferring(stage) => stage.on(event, case, step),
            Self::Clearing(stage) => stage.on(event, case, step),
            Self::Farewell(cause) => farewell(cause, event, case, step),
            Self::Ended(cause) => ended(cause, event, step),
        }
    }

    /// Gives back what the stage holds, because the call ends for `cause`: the Acd is told, facts are noted. Legs are
    /// hung up by the caller of this.
    pub(super) fn leave(self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        match self {
            Self::Menu(_) | Self::Farewell(_) | Self::Ended(_) => {}
            Self::Waiting(stage) => stage.leave(cause, case, step),
            Self::Ringing(stage) => stage.leave(cause, case, step),
            Self::Talking(stage) => stage.leave(cause, case, step),
            Self::Consulting(stage) => stage.leave(cause, case, step),
            Self::Conference(stage) => stage.leave(cause, case, step),
            Self::PartyOnly(stage) => stage.leave(cause, case, step),
            Self::Transferring(stage) => stage.leave(cause, case, step),
            Self::Clearing(stage) => stage.leave(cause, case, step),
        }
    }

    /// Who should hear whom.
    pub(super) fn scene(&self, case: &Case) -> Scene {
        match self {
            Self::Menu(_) | Self::Farewell(_) | Self::Ended(_) => Scene::default(),
            Self::Waiting(_) | Self::Ringing(_) => {
                Scene { caller: Part::listening_to(case.music()), ..Scene::default() }
            }
            Self::Talking(stage) => stage.scene(case),
            Self::Consulting(stage) => stage.scene(case),
            Self::Conference(stage) => stage.scene(case),
            Self::PartyOnly(stage) => stage.scene(case),
            Self::Transferring(stage) => stage.scene(case),
            Self::Clearing(_) => Clearing::scene(),
        }
    }

    /// The agent's part in it, if there is one.
    pub(super) fn talk(&self) -> Option<&Talk> {
        self.parts().0
    }

    /// The third party's part in it, if there is one.
    pub(super) fn guest(&self) -> Option<&Guest> {
        self.parts().1
    }

    fn parts(&self) -> (Option<&Talk>, Option<&Guest>) {
        match self {
            Self::Talking(stage) => (Some(&stage.talk), None),
            Self::Consulting(stage) => (Some(&stage.talk), Some(&stage.guest)),
            Self::Conference(stage) => (Some(&stage.talk), Some(&stage.guest)),
            Self::Transferring(stage) => (Some(&stage.talk), Some(&stage.guest)),
            Self::Clearing(stage) => (Some(&stage.talk), Some(&stage.guest)),
            Self::PartyOnly(stage) => (None, Some(&stage.guest)),
            Self::Menu(_) | Self::Waiting(_) | Self::Ringing(_) | Self::Farewell(_) | Self::Ended(_) => {
                (None, None)
            }
        }
    }

    /// The agent's part, to be changed.
    pub(super) fn talk_mut(&mut self) -> Option<&mut Talk> {
        match self {
            Self::Talking(stage) => Some(&mut stage.talk),
            Self::Consulting(stage) => Some(&mut stage.talk),
            Self::Conference(stage) => Some(&mut stage.talk),
            Self::Transferring(stage) => Some(&mut stage.talk),
            Self::Clearing(stage) => Some(&mut stage.talk),
            Self::Menu(_)
            | Self::Waiting(_)
            | Self::Ringing(_)
            | Self::PartyOnly(_)
            | Self::Farewell(_)
            | Self::Ended(_) => None,
        }
    }

    /// The caller hung up: where agent and third party may go on, they do.
    ///
    /// # Errors
    /// The stage as it was, where the call ends with him.
    #[expect(clippy::result_large_err, reason = "a stage is handed on whole, whichever way")]
    pub(super) fn clear_up(self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Result<Self, Self> {
        if step.settings.clearing_max.is_zero() || cause != Cause::HungUp {
            return Err(self);
        }
        match self {
            Self::Consulting(stage) if stage.guest.is_here() => {
                Ok(Clearing::begin((stage.talk, stage.guest), cause, case, step))
            }
            Self::Conference(stage) if stage.guest.is_here() => {
                stage.note_ended(case, step);
                Ok(Clearing::begin((stage.talk, stage.guest), cause, case, step))
            }
            Self::Menu(_)
            | Self::Waiting(_)
            | Self::Ringing(_)
            | Self::Talking(_)
            | Self::Consulting(_)
            | Self::Conference(_)
            | Self::PartyOnly(_)
            | Self::Transferring(_)
            | Self::Clearing(_)
            | Self::Farewell(_)
            | Self::Ended(_) => Err(self),
        }
    }
}

/// Counts an event that makes no sense in a stage.
pub(super) fn ignore(event: &Event, stage: &str, step: &mut Step<'_>) {
    step.ignore(format!("{} in {stage}", event.name()));
}

fn farewell(cause: Cause, event: Event, case: &mut Case, step: &mut Step<'_>) -> Stage {
    match event {
        Event::CallerHeard | Event::Timer(Timer::FarewellLimit) => end(cause, case, step),
        Event::Offer(offer) => {
            turn_down(&offer, step);
            Stage::Farewell(cause)
        }
        Event::Transfer(asked) => {
            asked.transfer.refuse(Cause::Declined, step);
            Stage::Farewell(cause)
        }
        Event::CallerKey(key) => {
            case.timers.stop(Timer::FarewellLimit);
            if key.digit() == Some(0) && !case.is_feature_code() {
                // His conversation is over: what he asks now is asked anew, by his old clock.
                follow(&Target::Human, case, step)
            } else {
                end(cause, case, step)
            }
        }
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
        | Event::Timer(_) => {
            ignore(&event, "farewell", step);
            Stage::Farewell(cause)
        }
    }
}

fn ended(cause: Cause, event: Event, step: &mut Step<'_>) -> Stage {
    match event {
        Event::Offer(offer) => turn_down(&offer, step),
        Event::Transfer(asked) => asked.transfer.refuse(Cause::Declined, step),
        Event::CallerKey(_)
        | Event::CallerSecret(..)
        | Event::CallerHeard
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
        | Event::Timer(_) => ignore(&event, "ended", step),
    }
    Stage::Ended(cause)
}
