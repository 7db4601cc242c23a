//! Local RTP ports. `io` binds pairs ahead of need and offers them; a leg takes one at once, without waiting for a
//! socket. No port, no call: the caller is told 503 rather than left without sound.
use crate::base::Bounded;

/// Ports that `io` may offer ahead.
const READY: usize = 4_096;

/// Bound port pairs that no leg uses.
#[derive(Debug)]
pub(super) struct Ports {
    ready: Bounded<u16>,
}

impl Default for Ports {
    fn default() -> Self {
        Self { ready: Bounded::new(READY) }
    }
}

impl Ports {
    /// A pair is bound and free. More than we keep are not refused by `io` either: it stops offering at its own bound.
    pub(super) fn offer(&mut self, port: u16) {
        self.ready.push(port).ok();
    }
    /// A pair for a new leg.
    pub(super) fn take(&mut self) -> Option<u16> {
        self.ready.pop()
    }
    /// How many are ready.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }
}
