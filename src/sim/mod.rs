//! MODEL HOUSE: the shipping machines in simulated time. A [`Scenario`] says what the world does: who calls when, who
//! works when, what goes wrong.
//!
//! Invariant: everything here follows from a scenario and a seed; two runs on two machines are alike to the last bit.
mod scenario;

pub use scenario::{
    Agent, AgentDraws, AgentGroup, Arrivals, Break, Caller, CallerClass, Callers, Change, Consulting, Fault,
    FaultKind, LoggedCall, OfferDraw, PartyModel, Peak, Press, Pressed, QueueChange, Redial, Scenario,
    Spread, Stretch, ThirdParty, TransferWish,
};
