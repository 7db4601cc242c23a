//! What the exchange asks for, done as phones, sound and disk would do it.
use std::time::Duration;

use super::{DISK, Day, Event, Leg, Whose};
use crate::base::{CallId, LegId};
use crate::exchange::{Cause, Command, NumberedFact, RingTarget, TransferStep};

impl Day {
    /// Takes everything that the switchboard said.
    pub(super) fn settle(&mut self, heard: &mut impl FnMut(&NumberedFact)) {
        while let Some(entry) = self.board.poll_entry() {
            if entry.facts.is_empty() {
                continue;
            }
            for fact in entry.into_facts() {
                self.hash.add(&fact);
                heard(&fact);
                self.became_true(&fact);
            }
        }
        while let Some(command) = self.board.poll() {
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Answer { leg } => {
                let whose = self.legs.get_mut(&leg).map(|l| {
                    l.up = true;
                    l.whose
                });
                if let Some(Whose::Caller(caller)) = whose {
                    self.taken_in(caller);
                }
            }
            Command::Reject { leg, cause } => self.after(Duration::ZERO, Event::Ends(leg, cause)),
            Command::Hangup { leg, .. } => self.after(Duration::ZERO, Event::Ends(leg, Cause::Completed)),
            Command::Ring { leg, call, target, ring_for, .. } => self.ring(leg, call, &target, ring_for),
            Command::Play { leg, play, language, prompts, barge_in, repeat } => {
                let length = self.plan.lengths.of(language, &prompts);
                if let Some(l) = self.legs.get_mut(&leg) {
                    l.playing = Some((play, barge_in));
                    if !repeat {
                        self.after(length, Event::PromptEnds(leg, play));
                    }
                }
            }
            Command::Stop { leg } => {
                if let Some(l) = self.legs.get_mut(&leg) {
                    l.playing = None;
                }
            }
            Command::SecretEntry { leg, token } => {
                if let Some(l) = self.legs.get_mut(&leg) {
                    l.secret = token.map(|t| (t, 0));
                }
            }
            Command::AwaitRecord { call, ticket } => self.after(DISK + self.slow, Event::Recorded(call, ticket)),
            // A thread of its own takes its time; what it sees is the state of now.
            Command::RunAhead { batch } => {
                if let Some(futures) = self.board.futures(batch) {
                    let ran = futures.run();
                    self.after(ran.modelled_delay(), Event::RanAhead(Box::new(ran)));
                }
            }
            // Its phone has what it asked for, and hangs up, as most do.
            Command::Transfer { leg, step: TransferStep::Succeeded, .. } => {
                self.after(Duration::from_millis(100), Event::Ends(leg, Cause::HungUp));
            }
            Command::Transfer { leg, step: TransferStep::Refused(_) | TransferStep::Failed(_), .. } => {
                let call = self.legs.get(&leg).and_then(|l| match l.whose {
                    Whose::Party(call) => self.calls.get(&call).copied(),
                    Whose::Caller(_) | Whose::Agent(_) => None,
                });
                if let Some(caller) = call.filter(|caller| self.is_passing(*caller)) {
                    self.is_followed(caller);
                }
            }
            Command::Transfer { .. }
            | Command::Hear { .. }
            | Command::SignalHold { .. }
            | Command::SendKey { .. }
            | Command::LegMoved { .. }
            // These two never leave the switchboard.
            | Command::Acd(_)
            | Command::Note(_) => {}
        }
    }

    fn ring(&mut self, leg: LegId, call: CallId, target: &RingTarget, ring_for: Duration) {
        let (whose, picks_up, look_up) = match target {
            RingTarget::Agent(id) => {
                let Some(n) = self.agent_index.get(id).copied() else {
                    return self.unknown(leg, call);
                };
                if let Some(state) = self.calls.get(&call).and_then(|c| self.callers.get_mut(c)) {
                    state.agent = Some((n, leg));
                }
                let draw = self.offered(n, leg);
                (Whose::Agent(n), draw.and_then(|d| d.picks_up), Duration::ZERO)
            }
            RingTarget::Party(_) | RingTarget::Outside { .. } => {
                let state = self.calls.get(&call).and_then(|c| self.callers.get(c));
                let after = match state.and_then(|s| s.third) {
                    Some(third) => third.picks_up,
                    None => Some(Duration::from_secs(5)),
                };
                (Whose::Party(call), after, self.slow)
            }
        };
        self.legs.insert(leg, Leg { whose, playing: None, secret: None, up: false });
        let gone = matches!(whose, Whose::Agent(n) if self.agents.get(n).is_some_and(|a| a.gone));
        if !gone {
            self.after(look_up, Event::Rings(leg));
        }
        match picks_up.map(|after| after + look_up).filter(|after| *after < ring_for) {
            Some(after) => self.after(after, Event::Answers(leg)),
            None => self.after(ring_for, Event::RingsOut(leg)),
        }
    }

    /// An agent of the menus who is not of the scenario: he has no phone.
    fn unknown(&mut self, leg: LegId, call: CallId) {
        self.legs.insert(leg, Leg { whose: Whose::Party(call), playing: None, secret: None, up: false });
        self.after(Duration::ZERO, Event::Ends(leg, Cause::Unreachable));
    }
}
