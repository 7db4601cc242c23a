//! What people see of trunks: the status page, `/metrics`, `hotline trunks`.
use serde::Serialize;

use crate::base::TrunkId;

/// One trunk at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct TrunkView {
    /// Which.
    pub trunk: TrunkId,
    /// Its address as written.
    pub address: String,
    /// What somebody should look at.
    pub alarm: Option<&'static str>,
    /// Whether its registrar knows us; `None`: we do not register with it.
    pub registered: Option<bool>,
    /// What the registrar said last, when it told us something else than before.
    pub register_status: Option<u16>,
    /// Where it is, in the order of the last look-up.
    pub targets: Vec<TargetView>,
    /// Calls from it.
    pub calls_in: usize,
    /// Calls to it, those that ring included.
    pub calls_out: usize,
    /// What was counted.
    pub figures: TrunkFigures,
}

/// One target of a trunk.
#[derive(Debug, Clone, Serialize)]
pub struct TargetView {
    /// Transport and address.
    pub at: String,
    /// It does not answer, and is not tried until it does.
    pub down: bool,
    /// A call found it silent a moment ago: the others are tried before it.
    pub doubted: bool,
    /// It wants no calls for a while (503 with Retry-After), and gets none.
    pub off: bool,
    /// Failures in a row.
    pub failures: u32,
}

/// What was counted of one trunk since the start.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct TrunkFigures {
    /// INVITEs sent over it.
    pub tried: u64,
    /// Of them, those after which another target or trunk was tried.
    pub failed_over: u64,
    /// Calls to it that found its limit reached.
    pub limited_out: u64,
    /// Calls from it that were refused at its limit.
    pub limited_in: u64,
    /// OPTIONS that were not answered, or with 408 or 503.
    pub unanswered: u64,
    /// Times that a target asked for rest: 503 with Retry-After.
    pub put_off: u64,
    /// Times that a target fell.
    pub fell: u64,
    /// Times that the registration was lost.
    pub unregistered: u64,
}
