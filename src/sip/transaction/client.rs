//! The client transaction of every other request as a table (RFC 3261 17.1.2).
//! Invariant: the user sees one final response, a time-out or a failure, never two of them.
#![expect(clippy::match_same_arms, reason = "a table: rows stand by state, not by what they lead to")]
use crate::sip::timers::Timer::{E, F, K};
use crate::sip::transaction::step::Action::{
    Deliver, Failed, Repeat, RepeatSlowly, Resend, Start, Stop, TimedOut,
};
use crate::sip::transaction::step::{Action, ClientInput as In, Step, stay, to};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

/// Done when the transaction begins, after the request was sent.
pub(crate) const BEGIN: &[Action] = &[Start(E), Start(F)];

pub(crate) fn next(state: State, input: In) -> Step<State> {
    use State::{Completed, Proceeding, Terminated, Trying};
    match (state, input) {
        (Trying, In::Expired(E)) => to(Trying, &[Resend, Repeat(E)]),
        (Proceeding, In::Expired(E)) => to(Proceeding, &[Resend, RepeatSlowly(E)]),
        (Trying | Proceeding, In::Expired(F)) => to(Terminated, &[TimedOut]),
        (Trying | Proceeding, In::TransportError) => to(Terminated, &[Failed]),
        (Trying | Proceeding, In::Provisional) => to(Proceeding, &[Deliver]),
        (Trying | Proceeding, In::Success | In::Failure) => {
            to(Completed, &[Stop(E), Stop(F), Deliver, Start(K)])
        }
        (Trying | Proceeding, In::Expired(_)) => stay(state),

        (Completed, In::Expired(K)) => stay(Terminated),
        (Completed, In::Provisional | In::Success | In::Failure | In::Expired(_) | In::TransportError) => {
            stay(Completed)
        }

        (Terminated, _) => stay(Terminated),
    }
}
