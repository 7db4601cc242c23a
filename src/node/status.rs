//! Our causes and SIP's status codes, both ways (RFC 3261 section 21). The exchange knows no status, SIP no cause.
use crate::exchange::Cause;
use crate::sip::{EndReason, Status};

/// The status that refuses an INVITE for this cause.
pub(super) const fn refusal(cause: Cause) -> Status {
    match cause {
        Cause::NotFound => Status::NOT_FOUND,
        Cause::Forbidden => Status::FORBIDDEN,
        Cause::NoCommonCodec => Status::NOT_ACCEPTABLE_HERE,
        Cause::Overload | Cause::ShuttingDown => Status::SERVICE_UNAVAILABLE,
        Cause::Busy => Status::BUSY_HERE,
        Cause::Declined => Status::DECLINE,
        Cause::NoAnswer
        | Cause::Unreachable
        | Cause::Closed
        | Cause::QueueOverflow
        | Cause::LimitReached
        | Cause::Withdrawn
        | Cause::PartnerLeft
        | Cause::OpsEnded => Status::TEMPORARILY_UNAVAILABLE,
        Cause::ProtocolError => Status::BAD_REQUEST,
        Cause::HungUp
        | Cause::Completed
        | Cause::GaveUp
        | Cause::ServerRestart
        | Cause::SoundLost
        | Cause::PeerLost
        | Cause::InternalError => Status::SERVER_ERROR,
    }
}

/// The status that tells whoever asked for a transfer why it did not succeed.
pub(super) const fn outcome(cause: Cause) -> Status {
    match cause {
        Cause::HungUp
        | Cause::Completed
        | Cause::GaveUp
        | Cause::Withdrawn
        | Cause::PartnerLeft
        | Cause::OpsEnded
        | Cause::SoundLost => Status::REQUEST_TERMINATED,
        Cause::PeerLost => Status::REQUEST_TIMEOUT,
        Cause::NotFound
        | Cause::Forbidden
        | Cause::NoCommonCodec
        | Cause::Overload
        | Cause::ShuttingDown
        | Cause::Busy
        | Cause::Declined
        | Cause::NoAnswer
        | Cause::Unreachable
        | Cause::Closed
        | Cause::QueueOverflow
        | Cause::LimitReached
        | Cause::ProtocolError
        | Cause::ServerRestart
        | Cause::InternalError => refusal(cause),
    }
}

/// What a final refusal of our INVITE means.
pub(super) const fn failed(status: Status) -> Cause {
    match status.code() {
        403 | 401 | 407 => Cause::Forbidden,
        404 | 410 | 484 | 604 => Cause::NotFound,
        408 => Cause::PeerLost,
        480 => Cause::Unreachable,
        486 | 600 => Cause::Busy,
        487 => Cause::Withdrawn,
        415 | 488 | 606 => Cause::NoCommonCodec,
        503 => Cause::Overload,
        603 | 400..=499 => Cause::Declined,
        _ => Cause::Unreachable,
    }
}

/// Whether another way may lead to the callee: what a server on the way says of itself, not what the callee says. 408
/// after he rang is his.
pub(super) const fn is_fault_of_the_way(status: Status, rang: bool) -> bool {
    match status.code() {
        408 => !rang,
        500..=599 => true,
        _ => false,
    }
}

/// What the end of an INVITE usage means for a leg that we did not end ourselves.
pub(super) const fn ended(why: EndReason) -> Cause {
    match why {
        EndReason::ByeReceived => Cause::HungUp,
        EndReason::Cancelled => Cause::GaveUp,
        EndReason::Rejected | EndReason::EndedByUs => Cause::Completed,
        EndReason::Challenged => Cause::Forbidden,
        EndReason::Refused => Cause::Declined,
        EndReason::AckTimeout
        | EndReason::PrackTimeout
        | EndReason::RequestTimeout
        | EndReason::SessionExpired
        | EndReason::TransportLost => Cause::PeerLost,
        EndReason::ProtocolError => Cause::ProtocolError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_phone_and_a_vanished_one_are_told_apart() {
        let failed = |code| failed(Status::new(code).unwrap());
        assert_eq!(failed(486), Cause::Busy);
        assert_eq!(failed(603), Cause::Declined);
        assert_eq!(failed(408), Cause::PeerLost);
        assert_eq!(failed(480), Cause::Unreachable);
        assert_eq!(refusal(Cause::Overload).code(), 503);
    }
}
