//! The server transaction of every other request as a table (RFC 3261 17.2.2, RFC 4320 4).
//! Invariant: it ends, even if our own side never answers.
#![expect(clippy::match_same_arms, reason = "a table: rows stand by state, not by what they lead to")]
use crate::sip::timers::Timer::{Abandoned, J};
use crate::sip::transaction::step::Action::{Failed, Resend, Respond, Start, Stop};
use crate::sip::transaction::step::{Action, ServerInput as In, Step, stay, to};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

/// Done when the transaction begins.
pub(crate) const BEGIN: &[Action] = &[Start(Abandoned)];

pub(crate) fn next(state: State, input: In) -> Step<State> {
    use State::{Completed, Proceeding, Terminated, Trying};
    match (state, input) {
        (Trying | Proceeding, In::Provisional) => to(Proceeding, &[Respond]),
        (Trying | Proceeding, In::Success | In::Failure) => {
            to(Completed, &[Stop(Abandoned), Respond, Start(J)])
        }
        (Trying | Proceeding, In::Expired(Abandoned)) => stay(Terminated),
        (Trying, In::Retransmission | In::Ack | In::Expired(_) | In::TransportError) => stay(Trying),
        (Proceeding, In::Retransmission) => to(Proceeding, &[Resend]),
        (Proceeding, In::TransportError) => to(Terminated, &[Failed]),
        (Proceeding, In::Ack | In::Expired(_)) => stay(Proceeding),

        (Completed, In::Retransmission) => to(Completed, &[Resend]),
        (Completed, In::Expired(J)) => stay(Terminated),
        (Completed, In::TransportError) => to(Terminated, &[Failed]),
        (Completed, In::Ack | In::Provisional | In::Success | In::Failure | In::Expired(_)) => {
            stay(Completed)
        }

        (Terminated, _) => stay(Terminated),
    }
}
