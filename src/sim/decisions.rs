//! What was decided about each caller, without times and numbers: what a simulated and a running hotline must agree on.
use std::collections::BTreeMap;

use crate::base::CallId;
use crate::exchange::{Cause, Fact};

/// The decisions about all callers, gathered from facts in their order.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    calls: BTreeMap<CallId, (String, usize)>,
    callers: BTreeMap<String, Vec<Vec<String>>>,
}

impl Decisions {
    /// One more fact.
    pub fn add(&mut self, fact: &Fact) {
        match fact {
            Fact::CallStarted { call, arrival, .. } => {
                let visits = self.callers.entry(arrival.caller.clone()).or_default();
                visits.push(vec![format!("dialled {}", arrival.dialled)]);
                self.calls.insert(*call, (arrival.caller.clone(), visits.len() - 1));
            }
            Fact::CallRefused { arrival, cause, .. } => {
                let words =
                    vec![format!("dialled {}", arrival.dialled), format!("refused: {}", cause.as_str())];
                self.callers.entry(arrival.caller.clone()).or_default().push(words);
            }
            other => {
                let place = other.call().and_then(|call| self.calls.get(&call));
                let visit = place.and_then(|(caller, n)| self.callers.get_mut(caller)?.get_mut(*n));
                if let (Some(visit), Some(words)) = (visit, words(other)) {
                    visit.push(words);
                }
            }
        }
    }

    /// By caller's number: what was decided in each of his calls.
    pub const fn of_callers(&self) -> &BTreeMap<String, Vec<Vec<String>>> {
        &self.callers
    }
}

/// What a fact decided. Not: which agent, and what was told of the wait; both follow from seconds that differ.
fn words(fact: &Fact) -> Option<String> {
    Some(match fact {
        Fact::MenuEntered { menu, .. } => format!("menu {menu}"),
        Fact::KeyPressed { menu, key, .. } => match menu {
            Some(menu) => format!("pressed {key} in {menu}"),
            None => format!("pressed {key} while waiting"),
        },
        Fact::LanguageChosen { language, .. } => format!("language {language}"),
        Fact::DigitsEntered { entry, digits, .. } => format!("entered {entry} {digits}"),
        Fact::SecretEntered { entry, length, .. } => format!("entered {entry}, {length} secret digits"),
        Fact::Queued { queue, priority, .. } => format!("queue {queue} in class {priority}"),
        Fact::Overflowed { why, .. } => format!("sent on: {why:?}"),
        Fact::Connected { .. } => "talks to an agent".to_owned(),
        Fact::PartyAnswered { party, .. } => format!("{party} answers"),
        Fact::ConferenceStarted { party, .. } => format!("all three with {party}"),
        Fact::PeerHeld { held: true, .. } => "a far end holds".to_owned(),
        Fact::PeerHeld { held: false, .. } => "a far end holds no more".to_owned(),
        Fact::AgentLeft { cause: Cause::SoundLost | Cause::PeerLost, .. } => "the agent is lost".to_owned(),
        Fact::TransferAsked { to, .. } => format!("transferred to {to:?}"),
        Fact::CallEnded { .. } => "over".to_owned(),
        _ => return None,
    })
}
