//! `ExchangeSettings`: the limits that every call is held to. Each of them ends every leg of the call it is reached in.
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Limits of calls. Part of the journal's head: a replay needs the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeSettings {
    /// Numbers of inputs, calls, tickets and legs of ours begin above this. A live server passes something larger than any
    /// number it ever used (for instance from its start time), so that none is used twice, not even after a restart.
    pub first_number: u64,
    /// Most callers' visits at one time; the next is refused with [`crate::exchange::Cause::Overload`].
    pub calls_max: usize,
    /// Longest stay in menus without a queue or an agent in between.
    pub menu_max: Duration,
    /// Longest wait in queues, from the caller's clock. Above the queues' own limits: the last resort.
    pub wait_max: Duration,
    /// Longest conversation, from the moment caller and agent hear each other.
    pub talk_max: Duration,
    /// Longest visit in all.
    pub call_max: Duration,
    /// Longest last words (a closing prompt) before the legs are hung up.
    pub farewell_max: Duration,
    /// A leg that sends no sound for this long is lost. Held by `node` on each answered leg, reported as
    /// [`crate::exchange::Input::SoundLost`].
    pub silence: Duration,
    /// A half-typed sequence of an agent's keys is forgotten after this long without a key.
    pub desk_key_gap: Duration,
    /// The caller's keys reach the third party while the two are alone: its menu asks him.
    pub caller_keys_to_party: bool,
    /// How long agent and third party may go on after the caller has hung up. Zero: the call ends with him.
    pub clearing_max: Duration,
    /// A caller who was cut off and calls again within this time gets the same agent and his old clock.
    pub recall_within: Duration,
    /// Most callers remembered as cut off.
    pub recalls_max: usize,
    /// After every so many inputs the touched call's invariants are checked: 1 is always, 0 never.
    pub check_every: u32,
}

impl Default for ExchangeSettings {
    fn default() -> Self {
        Self {
            first_number: 0,
            calls_max: 10_000,
            menu_max: Duration::from_mins(15),
            wait_max: Duration::from_hours(2),
            talk_max: Duration::from_hours(2),
            call_max: Duration::from_hours(4),
            farewell_max: Duration::from_mins(1),
            silence: Duration::from_mins(1),
            desk_key_gap: Duration::from_secs(5),
            caller_keys_to_party: true,
            clearing_max: Duration::ZERO,
            recall_within: Duration::from_mins(10),
            recalls_max: 10_000,
            check_every: 64,
        }
    }
}
