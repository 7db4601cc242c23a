//! The table of an INVITE's life: state and happening give the next state and what to do. RFC 3261 sections 9, 13, 15.
//!
//! Invariant: see the room's `mod.rs`: `ReportEnded` stands on exactly the edges from a live state to one that is not.

/// Where an invite stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Incoming, no final response sent.
    Proceeding,
    /// Incoming, 200 sent, ACK awaited.
    Answered,
    /// Incoming, 200 sent; the BYE that we want to send must wait for the ACK (section 15).
    Leaving,
    /// Outgoing, nothing heard.
    Calling,
    /// Outgoing, a provisional response heard.
    Ringing,
    /// Outgoing, to be cancelled as soon as anything is heard (section 9.1).
    CancelHeld,
    /// Outgoing, CANCEL sent, final response awaited.
    Cancelling,
    /// Outgoing without offer: 2xx heard, its answer goes into the ACK that `ack_with` sends.
    AckWanted,
    /// The dialog stands.
    Confirmed,
    /// Only transactions are left.
    Over,
}

impl State {
    /// Its owner has not heard of its end.
    pub(super) const fn is_live(self) -> bool {
        match self {
            Self::Proceeding
            | Self::Answered
            | Self::Calling
            | Self::Ringing
            | Self::AckWanted
            | Self::Confirmed => true,
            Self::Leaving | Self::CancelHeld | Self::Cancelling | Self::Over => false,
        }
    }
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Proceeding => "proceeding",
            Self::Answered => "answered",
            Self::Leaving => "leaving",
            Self::Calling => "calling",
            Self::Ringing => "ringing",
            Self::CancelHeld => "cancel held",
            Self::Cancelling => "cancelling",
            Self::AckWanted => "ack wanted",
            Self::Confirmed => "confirmed",
            Self::Over => "over",
        }
    }
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// We want a 180 or 183 sent.
    Provide,
    /// We want it answered.
    Answer,
    /// We want it refused.
    Refuse,
    /// We want out, whatever the state.
    Leave,
    /// `ack_with`: the answer to the offer in the 2xx.
    AckGiven,
    /// The peer cancelled.
    Cancel,
    /// The ACK to our 200 came.
    Ack,
    /// It did not.
    AckMissing,
    /// The peer said BYE.
    Bye,
    /// 100: the INVITE arrived.
    Trying,
    /// 101-199.
    Provisional,
    /// A 2xx; the offer was in our INVITE.
    Accepted,
    /// A 2xx with an offer; our INVITE had none.
    AcceptedWithOffer,
    /// 300-699, or no answer.
    Failure,
    /// No final response after CANCEL.
    CancelUnanswered,
    /// A request within the dialog had no answer, or 408 or 481.
    PeerLost,
    /// The transaction's transport failed.
    TransportLost,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    SendProvisional,
    SendAnswer,
    SendRefusal,
    StopAnswering,
    SendAck,
    SendCancel,
    SendBye,
    /// Send a re-INVITE that had to wait.
    ResumeReoffer,
    ReportAcknowledged,
    ReportProgress,
    ReportAnswered,
    ReportFailed,
    ReportEnded,
}

/// The next state, and what to do on the way.
pub(super) type Step = (State, &'static [Effect]);

/// The table. Each row below leaves out nothing: what changes nothing stands in the last pattern.
pub(super) const fn step(state: State, what: Happening) -> Step {
    match state {
        State::Proceeding => proceeding(what),
        State::Answered => answered(what),
        State::Leaving => leaving(what),
        State::Calling => calling(what),
        State::Ringing => ringing(what),
        State::CancelHeld => cancel_held(what),
        State::Cancelling => cancelling(what),
        State::AckWanted => ack_wanted(what),
        State::Confirmed => confirmed(what),
        State::Over => (State::Over, &[]),
    }
}

const fn proceeding(what: Happening) -> Step {
    use Effect as E;
    use Happening as H;
    match what {
        H::Provide => (State::Proceeding, &[E::SendProvisional]),
        H::Answer => (State::Answered, &[E::SendAnswer]),
        H::Refuse | H::Leave | H::Cancel | H::Bye => (State::Over, &[E::SendRefusal, E::ReportEnded]),
        H::TransportLost => (State::Over, &[E::ReportEnded]),
        H::AckGiven
        | H::Ack
        | H::AckMissing
        | H::Trying
        | H::Provisional
        | H::Accepted
        | H::AcceptedWithOffer
        | H::Failure
        | H::CancelUnanswered
        | H::PeerLost => (State::Proceeding, &[]),
    }
}

const fn answered(what: Happening) -> Step {
    use Effect as E;
    use Happening as H;
    match what {
        H::Ack => (State::Confirmed, &[E::StopAnswering, E::ReportAcknowledged, E::ResumeReoffer]),
        H::AckMissing | H::PeerLost => (State::Over, &[E::StopAnswering, E::SendBye, E::ReportEnded]),
        H::Leave => (State::Leaving, &[E::ReportEnded]),
        H::Bye => (State::Over, &[E::StopAnswering, E::ReportEnded]),
        H::Provide
        | H::Answer
        | H::Refuse
        | H::AckGiven
        | H::Cancel
        | H::Trying
        | H::Provisional
        | H::Accepted
        | H::AcceptedWithOffer
        | H::Failure
        | H::CancelUnanswered
        | H::TransportLost => (State::Answered, &[]),
    }
}

const fn leaving(what: Happening) -> Step {
    use Effect as E;
    use Happening as H;
    match what {
        H::Ack | H::AckMissing | H::PeerLost => (State::Over, &[E::StopAnswering, E::SendBye]),
        H::Bye => (State::Over, &[E::StopAnswering]),
        H::Provide
        | H::Answer
        | H::Refuse
        | H::Leave
        | H::AckGiven
        | H::Cancel
        | H::Trying
        | H::Provisional
        | H::Accepted
        | H::AcceptedWithOffer
        | H::Failure
        | H::CancelUnanswered
        | H::TransportLost => (State::Leaving, &[]),
    }
}

const fn calling(what: Happening) -> Step {
    use Effect as E;
    use Happening as H;
    match what {
        H::Trying => (State::Ringing, &[]),
        H::Provisional => (State::Ringing, &[E::ReportProgress]),
        H::Accepted => (State::Confirmed, &[E::SendAck, E::ReportAnswered, E::ResumeReoffer]),
        H::AcceptedWithOffer => (State::AckWanted, &[E::ReportAnswered]),
        H::Failure => (State::Over, &[E::ReportFailed, E::ReportEnded]),
        H::Leave => (State::CancelHeld, &[E::ReportEnded]),
        H::Provide
        | H::Answer
        | H::Refuse
        | H::AckGiven
        | H::Cancel
        | H::Ack
        | H::AckMissing
        | H::Bye
        | H::CancelUnanswered
        | H::PeerLost
        | H::TransportLost => (State::Calling, &[]),
    }
}

const fn ringing(what: Happening) -> Step {
    use Effect as E;
    use Happening as H;
    match what {
        H::Provisional => (State::Ringing, &[E::ReportProgress]),
        H::Accepted => (State::Confirmed, &[E::SendAck, E::ReportAnswered, E::ResumeReoffer]),
        H::AcceptedWithOffer => (State::AckWanted, &[E::ReportAnswered]),
        H::Failure => (State::Over, &[E::ReportFailed, E::ReportEnded]),
        H::Leave => (State::Cancelling, &[E::SendCancel, E::ReportEnded]),
        H::Provide
        | H::Answer
        | H::Refuse
        | H::AckGiven
        | H::Cancel
        | H::Ack
        | H::AckMissing
        | H::Bye
        | H::Trying
        | H::CancelUnanswered
        | H::PeerLost
        | H::TransportLost => (State::Ringing, &[]),
    }
}

const fn cancel_held(what: Happening) -> Step {
    use Effect as E;
    use Happening as H;
    match what {
        H::Trying | H::Provisional => (State::Cancelling, &[E::SendCancel]),
        H::Accepted | H::AcceptedWithOffer => (State::Over, &[E::SendAck, E::SendBye]),
        H::Failure => (State::Over, &[]),
        H::Provide
        | H::Answer
        | H::Refuse
        | H::Leave
        | H::AckGiven
        | H::Cancel
        | H::Ack
        | H::AckMissing
        | H::Bye
        | H::CancelUnanswered
        | H::PeerLost
        | H::TransportLost => (State::CancelHeld, &[]),
    }
}

const fn cancelling(what: Happening) -> Step {
    use Effect as E;
    use Happening as H;
    match what {
        H::Accepted | H::AcceptedWithOffer => (State::Over, &[E::SendAck, E::SendBye]),
        H::Failure | H::CancelUnanswered => (State::Over, &[]),
        H::Provide
        | H::Answer
        | H::Refuse
        | H::Leave
        | H::AckGiven
        | H::Cancel
        | H::Ack
        | H::AckMissing
        | H::Bye
        | H::Trying
        | H::Provisional
        | H::PeerLost
        | H::TransportLost => (State::Cancelling, &[]),
    }
}

const fn ack_wanted(what: Happening) -> Step {
    use Effect as E;
    use Happening as H;
    match what {
        H::AckGiven => (State::Confirmed, &[E::SendAck, E::ResumeReoffer]),
        H::Leave | H::PeerLost => (State::Over, &[E::SendAck, E::SendBye, E::ReportEnded]),
        H::Bye => (State::Over, &[E::SendAck, E::ReportEnded]),
        H::Provide
        | H::Answer
        | H::Refuse
        | H::Cancel
        | H::Ack
        | H::AckMissing
        | H::Trying
        | H::Provisional
        | H::Accepted
        | H::AcceptedWithOffer
        | H::Failure
        | H::CancelUnanswered
        | H::TransportLost => (State::AckWanted, &[]),
    }
}

const fn confirmed(what: Happening) -> Step {
    use Effect as E;
    use Happening as H;
    match what {
        // An ACK here belongs to a re-INVITE.
        H::Ack => (State::Confirmed, &[E::StopAnswering, E::ReportAcknowledged, E::ResumeReoffer]),
        H::Leave | H::PeerLost | H::AckMissing => {
            (State::Over, &[E::StopAnswering, E::SendBye, E::ReportEnded])
        }
        H::Bye => (State::Over, &[E::StopAnswering, E::ReportEnded]),
        H::Provide
        | H::Answer
        | H::Refuse
        | H::AckGiven
        | H::Cancel
        | H::Trying
        | H::Provisional
        | H::Accepted
        | H::AcceptedWithOffer
        | H::Failure
        | H::CancelUnanswered
        | H::TransportLost => (State::Confirmed, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 10] = [
        State::Proceeding,
        State::Answered,
        State::Leaving,
        State::Calling,
        State::Ringing,
        State::CancelHeld,
        State::Cancelling,
        State::AckWanted,
        State::Confirmed,
        State::Over,
    ];
    const HAPPENINGS: [Happening; 17] = [
        Happening::Provide,
        Happening::Answer,
        Happening::Refuse,
        Happening::Leave,
        Happening::AckGiven,
        Happening::Cancel,
        Happening::Ack,
        Happening::AckMissing,
        Happening::Bye,
        Happening::Trying,
        Happening::Provisional,
        Happening::Accepted,
        Happening::AcceptedWithOffer,
        Happening::Failure,
        Happening::CancelUnanswered,
        Happening::PeerLost,
        Happening::TransportLost,
    ];

    #[test]
    fn the_end_is_reported_on_exactly_the_edges_out_of_life() {
        for state in STATES {
            for what in HAPPENINGS {
                let (next, effects) = step(state, what);
                let ends = effects.iter().filter(|e| **e == Effect::ReportEnded).count();
                let dies = usize::from(state.is_live() && !next.is_live());
                assert_eq!(ends, dies, "{state:?} {what:?} -> {next:?}");
                assert!(state.is_live() || !next.is_live(), "{state:?} {what:?} rises from the dead");
                let last = effects.last();
                assert!(
                    ends == 0 || last == Some(&Effect::ReportEnded),
                    "{state:?} {what:?}: the end is not last"
                );
            }
        }
    }
}
