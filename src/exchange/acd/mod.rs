//! The automatic call distributor: all queues and agents, and who gets whom. A machine of its own.
mod estimate;
mod machine;
mod message;
mod plan;
mod service;
mod snapshot;

pub use estimate::{Basis, Estimate};
pub use machine::Acd;
pub use message::{AcdInput, AcdOutput, AgentState, AgentWish, Joining, Offer, OfferWhy, OverflowCause};
pub use plan::{AcdPlan, AgentPlan, NobodyRule, QueuePlan, Strategy};
pub use service::{ServiceFigures, Spread};
pub use snapshot::{AcdCounters, AcdSnapshot, AgentSnapshot, AgentTimes, QueueSnapshot, TicketSnapshot};
