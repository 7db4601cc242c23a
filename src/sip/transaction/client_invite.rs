//! The INVITE client transaction as a table (RFC 3261 17.1.1 with RFC 6026 8.4).
//! Invariant: every final response other than 2xx is acknowledged here, every 2xx reaches the user.
#![expect(clippy::match_same_arms, reason = "a table: rows stand by state, not by what they lead to")]
use crate::sip::timers::Timer::{A, B, D, M};
use crate::sip::transaction::step::Action::{Ack, Deliver, Failed, Repeat, Resend, Start, Stop, TimedOut};
use crate::sip::transaction::step::{Action, ClientInput as In, Step, stay, to};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Calling,
    Proceeding,
    Accepted,
    Completed,
    Terminated,
}

/// Done when the transaction begins, after the INVITE was sent.
pub(crate) const BEGIN: &[Action] = &[Start(A), Start(B)];

pub(crate) fn next(state: State, input: In) -> Step<State> {
    use State::{Accepted, Calling, Completed, Proceeding, Terminated};
    match (state, input) {
        (Calling, In::Expired(A)) => to(Calling, &[Resend, Repeat(A)]),
        (Calling, In::Expired(B)) => to(Terminated, &[TimedOut]),
        (Calling | Proceeding, In::Provisional) => to(Proceeding, &[Stop(A), Stop(B), Deliver]),
        (Calling | Proceeding, In::Success) => to(Accepted, &[Stop(A), Stop(B), Deliver, Start(M)]),
        (Calling | Proceeding, In::Failure) => to(Completed, &[Stop(A), Stop(B), Ack, Deliver, Start(D)]),
        // While it rings nothing is sent and no timer runs, so a lost connection is the only end there may be.
        (Calling | Proceeding, In::TransportError) => to(Terminated, &[Failed]),
        (Calling | Proceeding, In::Expired(_)) => stay(state),

        // Copies of the 2xx, and the 2xx of other branches of a fork.
        (Accepted, In::Success) => to(Accepted, &[Deliver]),
        (Accepted, In::Expired(M)) => stay(Terminated),
        (Accepted, In::Provisional | In::Failure | In::Expired(_) | In::TransportError) => stay(Accepted),

        (Completed, In::Failure) => to(Completed, &[Ack]),
        (Completed, In::Expired(D)) => stay(Terminated),
        (Completed, In::TransportError) => to(Terminated, &[Failed]),
        (Completed, In::Provisional | In::Success | In::Expired(_)) => stay(Completed),

        (Terminated, _) => stay(Terminated),
    }
}
