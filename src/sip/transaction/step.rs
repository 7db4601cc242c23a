//! What the four tables of RFC 3261 17 speak about: what can happen to a transaction, and what it then does.
use crate::sip::timers::Timer;

/// What can happen to a client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientInput {
    /// 1xx came.
    Provisional,
    /// 2xx came.
    Success,
    /// 300 to 699 came.
    Failure,
    /// A timer fired.
    Expired(Timer),
    /// The transport cannot carry the request.
    TransportError,
}

/// What can happen to a server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerInput {
    /// The same request came again.
    Retransmission,
    /// Its ACK came.
    Ack,
    /// Our side answers 1xx.
    Provisional,
    /// Our side answers 2xx.
    Success,
    /// Our side answers 300 to 699.
    Failure,
    /// A timer fired.
    Expired(Timer),
    /// The transport cannot carry the response.
    TransportError,
}

/// What a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send what was sent last again.
    Resend,
    /// Send the response at hand, and keep it for retransmissions.
    Respond,
    /// Send an ACK for the response at hand (17.1.1.3).
    Ack,
    /// Give what came to the user of the transaction.
    Deliver,
    /// Start a timer for the first time.
    Start(Timer),
    /// Start a retransmission timer again, for longer.
    Repeat(Timer),
    /// Start a retransmission timer again, for T2.
    RepeatSlowly(Timer),
    /// Stop a timer.
    Stop(Timer),
    /// Tell the user that nobody answered.
    TimedOut,
    /// Tell the user that the transport failed.
    Failed,
}

/// One row of a table: the next state and what is done on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step<S> {
    pub(crate) next: S,
    pub(crate) actions: &'static [Action],
}

/// A row that does `actions` and leads to `next`.
pub(crate) const fn to<S>(next: S, actions: &'static [Action]) -> Step<S> {
    Step { next, actions }
}

/// A row that does nothing.
pub(crate) const fn stay<S>(state: S) -> Step<S> {
    Step { next: state, actions: &[] }
}
