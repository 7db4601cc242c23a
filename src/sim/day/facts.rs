//! What became true, and what people do upon it.
use std::time::Duration;

use super::{Day, Event};
use crate::base::{CallId, Instant};
use crate::exchange::{Fact, NumberedFact};

/// A caller who was left with a third party goes on talking for so long.
const ALONE: Duration = Duration::from_mins(2);

impl Day {
    pub(super) fn became_true(&mut self, fact: &NumberedFact) {
        let at = self.now.since(Instant::ZERO);
        self.tally.fact(&fact.fact, at);
        match &fact.fact {
            Fact::CallStarted { call, leg, .. } => {
                if let Some(super::Whose::Caller(caller)) = self.legs.get(leg).map(|l| l.whose) {
                    self.begins(*call, caller);
                }
            }
            Fact::Connected { call, .. } => self.of_call(*call, Self::talks),
            Fact::AgentLeft { call, on_with_party, .. } => {
                if *on_with_party {
                    self.of_call(*call, Self::left_with_party);
                } else {
                    self.of_call(*call, Self::waits_again);
                }
            }
            Fact::PartyInvited { call, leg, .. } => self.of_call(*call, |day, caller| {
                // The talk's end is no longer where it was planned.
                if let Some(state) = day.callers.get_mut(&caller) {
                    state.turn += 1;
                    state.party = Some(*leg);
                }
            }),
            Fact::PartyAnswered { call, .. } => self.of_call(*call, Self::party_answered),
            Fact::ConferenceStarted { call, .. } => self.of_call(*call, Self::together),
            Fact::PartyLeft { call, .. } => self.of_call(*call, Self::party_left),
            Fact::AgentChanged { agent, state } => self.agent_changed(agent, state),
            Fact::CallRefused { .. }
            | Fact::CallAnswered { .. }
            | Fact::MenuEntered { .. }
            | Fact::KeyPressed { .. }
            | Fact::LanguageChosen { .. }
            | Fact::DigitsEntered { .. }
            | Fact::SecretEntered { .. }
            | Fact::Heard { .. }
            | Fact::Queued { .. }
            | Fact::PlaceKept { .. }
            | Fact::PlaceRestored { .. }
            | Fact::WaitTold { .. }
            | Fact::PromiseOver { .. }
            | Fact::LeftQueue { .. }
            | Fact::Overflowed { .. }
            | Fact::Offered { .. }
            | Fact::OfferEnded { .. }
            | Fact::Held { .. }
            | Fact::PeerHeld { .. }
            | Fact::LegRouted { .. }
            | Fact::TransferAsked { .. }
            | Fact::TransferOver { .. }
            | Fact::LegReplaced { .. }
            | Fact::AgentReplaced { .. }
            | Fact::ListenOnly { .. }
            | Fact::ClearingUp { .. }
            | Fact::ConferenceEnded { .. }
            | Fact::PassedOn { .. }
            | Fact::CallEnded { .. }
            | Fact::MenusInstalled { .. }
            | Fact::Done(_)
            | Fact::BannerOn { .. }
            | Fact::BannerOff { .. }
            | Fact::Ignored { .. } => {}
        }
    }

    fn begins(&mut self, call: CallId, caller: u64) {
        self.calls.insert(call, caller);
        if let Some(state) = self.callers.get_mut(&caller) {
            state.call = Some(call);
        }
    }

    /// Caller and third party go on without the agent, for a while.
    fn left_with_party(&mut self, caller: u64) {
        let Some(state) = self.callers.get_mut(&caller) else { return };
        state.turn += 1;
        let turn = state.turn;
        self.after(ALONE, Event::GivesUp(caller, turn));
    }

    /// A third party is there: the first to talk to the agent alone, one that follows it to all at once.
    fn party_answered(&mut self, caller: u64) {
        if self.is_passing(caller) {
            return self.is_followed(caller);
        }
        let wait = self.callers.get(&caller).and_then(|s| s.third).map(|t| t.private);
        self.agent_presses(caller, wait, false);
    }

    /// Who is followed by another one, or who was to follow, leaves somebody there.
    fn party_left(&mut self, caller: u64) {
        if !self.is_passing(caller) {
            self.second_half(caller);
        }
    }

    fn of_call(&mut self, call: CallId, then: impl FnOnce(&mut Self, u64)) {
        if let Some(caller) = self.calls.get(&call).copied() {
            then(self, caller);
        }
    }

    /// The agent joins all three after a while, or drops the third party.
    pub(super) fn agent_presses(&mut self, caller: u64, wait: Option<Duration>, drop: bool) {
        let leg = self.callers.get(&caller).and_then(|s| s.agent).map(|(_, leg)| leg);
        let keys = &self.plan.menus.keys;
        let keys = if drop { keys.drop.clone() } else { keys.join.clone() };
        if let (Some(leg), Some(wait)) = (leg, wait) {
            self.after(wait, Event::Keys(leg, keys));
        }
    }
}
