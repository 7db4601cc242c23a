//! GROUND FLOOR: the telephone exchange; what a call may do. No SIP, no sockets.
//!
//! Two machines of one shape: `Exchange` (calls: menus, legs, who hears whom) and [`acd`] (queues and agents, who
//! gets whom). They talk only in serialisable values; `Switchboard` drives both and numbers every input.
pub mod acd;
mod arrival;
mod cause;
mod command;
mod fact;
mod input;
pub mod menu;
mod say;

pub use arrival::{Arrival, CallCard, Peer, RingTarget};
pub use cause::Cause;
pub use command::Command;
pub use fact::{Fact, RiseCause, Told};
pub use input::{Input, Ops};
pub use say::Phrase;
