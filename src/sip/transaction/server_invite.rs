//! The INVITE server transaction as a table (RFC 3261 17.2.1 with RFC 6026 8.5). Copies of a 2xx are sent by the user,
//! who alone sees its ACK (13.3.1.4); copies of other final responses are sent here.
#![expect(clippy::match_same_arms, reason = "a table: rows stand by state, not by what they lead to")]
use crate::sip::timers::Timer::{G, H, I, L};
use crate::sip::transaction::step::Action::{
    Deliver, Failed, Repeat, Resend, Respond, Start, Stop, TimedOut,
};
use crate::sip::transaction::step::{ServerInput as In, Step, stay, to};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Proceeding,
    Accepted,
    Completed,
    Confirmed,
    Terminated,
}

pub(crate) fn next(state: State, input: In) -> Step<State> {
    use State::{Accepted, Completed, Confirmed, Proceeding, Terminated};
    match (state, input) {
        (Proceeding, In::Retransmission) => to(Proceeding, &[Resend]),
        (Proceeding, In::Provisional) => to(Proceeding, &[Respond]),
        (Proceeding, In::Success) => to(Accepted, &[Respond, Start(L)]),
        (Proceeding, In::Failure) => to(Completed, &[Respond, Start(G), Start(H)]),
        (Proceeding, In::TransportError) => to(Proceeding, &[Failed]),
        (Proceeding, In::Ack | In::Expired(_)) => stay(Proceeding),

        (Accepted, In::Success) => to(Accepted, &[Respond]),
        (Accepted, In::Ack) => to(Accepted, &[Deliver]),
        (Accepted, In::Expired(L)) => stay(Terminated),
        (Accepted, In::TransportError) => to(Accepted, &[Failed]),
        (Accepted, In::Retransmission | In::Provisional | In::Failure | In::Expired(_)) => stay(Accepted),

        (Completed, In::Retransmission) => to(Completed, &[Resend]),
        (Completed, In::Expired(G)) => to(Completed, &[Resend, Repeat(G)]),
        (Completed, In::Ack) => to(Confirmed, &[Stop(G), Stop(H), Start(I)]),
        (Completed, In::Expired(H)) => to(Terminated, &[TimedOut]),
        (Completed, In::TransportError) => to(Terminated, &[Failed]),
        (Completed, In::Provisional | In::Success | In::Failure | In::Expired(_)) => stay(Completed),

        (Confirmed, In::Expired(I)) => stay(Terminated),
        (
            Confirmed,
            In::Retransmission
            | In::Ack
            | In::Provisional
            | In::Success
            | In::Failure
            | In::Expired(_)
            | In::TransportError,
        ) => stay(Confirmed),

        (Terminated, _) => stay(Terminated),
    }
}
