//! The automatic call distributor: all queues and agents, and who gets whom. A machine of its own.
mod agent;
mod ahead;
mod announce;
mod attendance;
mod dispatch;
mod enter;
mod estimate;
mod install;
mod invariants;
mod lessons;
mod machine;
mod measured;
mod measures;
mod message;
mod offers;
mod order;
mod passed;
mod plan;
mod roster;
mod service;
mod snapshot;
mod staff;
mod strategy;
#[cfg(test)]
mod tests;
mod timers;
mod waiting;

pub use ahead::Futures;
pub(crate) use attendance::Attendances;
pub use estimate::{
    Basis, Entry, Estimate, Estimator, Forecast, Learned, Sight, spread_by_steps, under_promise, words,
};
pub use lessons::{Lessons, LessonsError};
pub use machine::Acd;
pub(crate) use measures::Measures;
pub use message::{
    AcdInput, AcdOutput, AgentState, AgentWish, Joining, LineAhead, Offer, OfferWhy, OverflowCause, RanAhead,
};
pub use plan::{AcdPlan, AgentPlan, NobodyRule, QueuePlan, Shifts, Strategy};
pub use service::{ServiceFigures, Spread};
pub use snapshot::{AcdCounters, AcdSnapshot, AgentSnapshot, AgentTimes, QueueSnapshot, TicketSnapshot};
