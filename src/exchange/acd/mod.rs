//! The automatic call distributor: all queues and agents, and who gets whom. A machine of its own.
mod message;
mod plan;

pub use message::{AcdInput, AcdOutput, AgentState, AgentWish, Joining, Offer, OfferWhy, OverflowCause};
pub use plan::{AcdPlan, AgentPlan, NobodyRule, QueuePlan, Strategy};
