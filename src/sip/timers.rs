//! The timers of SIP transactions as a value (RFC 3261 17, table 4; RFC 6026 7.1). Pure numbers, no clock.
//! Invariant: over a reliable transport A, D, E, G, I, J and K are zero; the waits for an answer (B, F, H) never are.
use std::time::Duration;

/// The base values, a setting of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerSettings {
    /// Estimated round trip: 500 ms.
    pub t1: Duration,
    /// Longest interval between retransmissions: 4 s.
    pub t2: Duration,
    /// How long a message lives in the network: 5 s.
    pub t4: Duration,
}

impl Default for TimerSettings {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

/// A timer of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Send the INVITE again.
    A,
    /// Nobody answered the INVITE.
    B,
    /// Wait for more final responses to the INVITE.
    D,
    /// Send the request again.
    E,
    /// Nobody answered the request.
    F,
    /// Send the final response to the INVITE again.
    G,
    /// Nobody acknowledged the final response.
    H,
    /// Wait for more ACKs.
    I,
    /// Wait for more copies of the request.
    J,
    /// Wait for more copies of the response.
    K,
    /// Wait for more copies of an INVITE that was accepted (RFC 6026).
    L,
    /// Wait for more 2xx of an INVITE that was accepted (RFC 6026).
    M,
    /// Our own side did not answer a request in time; an answer would come too late (RFC 4320 4.2).
    Abandoned,
}

impl Timer {
    /// The name that is seen when one asks what a server waits for.
    pub const fn why(self) -> &'static str {
        match self {
            Self::A => "sip timer A: INVITE again",
            Self::B => "sip timer B: INVITE unanswered",
            Self::D => "sip timer D: late final responses",
            Self::E => "sip timer E: request again",
            Self::F => "sip timer F: request unanswered",
            Self::G => "sip timer G: final response again",
            Self::H => "sip timer H: no ACK",
            Self::I => "sip timer I: late ACKs",
            Self::J => "sip timer J: late requests",
            Self::K => "sip timer K: late responses",
            Self::L => "sip timer L: late INVITEs",
            Self::M => "sip timer M: late 2xx",
            Self::Abandoned => "sip request never answered by us",
        }
    }
}

impl TimerSettings {
    /// 64 x T1: how long the far side has for an answer.
    pub fn timeout(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// How long `timer` runs when it starts.
    pub fn first(&self, timer: Timer, reliable: bool) -> Duration {
        let unless_reliable = |d: Duration| if reliable { Duration::ZERO } else { d };
        match timer {
            Timer::A | Timer::E | Timer::G => unless_reliable(self.t1),
            Timer::B | Timer::F | Timer::H | Timer::L | Timer::M | Timer::Abandoned => self.timeout(),
            Timer::D => unless_reliable(self.timeout().max(Duration::from_secs(32))),
            Timer::I | Timer::K => unless_reliable(self.t4),
            Timer::J => unless_reliable(self.timeout()),
        }
    }

    /// How long a repeating timer runs after it ran for `last`: A doubles without end, E and G up to T2.
    pub fn next(&self, timer: Timer, last: Duration) -> Duration {
        let doubled = last.saturating_mul(2);
        match timer {
            Timer::A => doubled,
            Timer::E | Timer::G => doubled.min(self.t2),
            Timer::B
            | Timer::D
            | Timer::F
            | Timer::H
            | Timer::I
            | Timer::J
            | Timer::K
            | Timer::L
            | Timer::M
            | Timer::Abandoned => last,
        }
    }
}
