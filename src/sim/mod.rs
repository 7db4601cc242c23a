//! MODEL HOUSE: the shipping machines in simulated time. A [`Scenario`] says what the world does: who calls when, who
//! works when, what goes wrong.
//!
//! Invariant: everything here follows from a scenario and a seed; two runs on two machines are alike to the last bit.
mod again;
mod chart;
mod compare;
mod day;
mod decisions;
mod deep;
mod figures;
mod hash;
mod network;
mod pcap;
mod plan;
mod report;
mod scenario;
mod schedule;
mod tally;

pub use again::{Difference, Playing, TapeError, play_tape};
pub use compare::{ComparedFigure, Comparison, Interval};
pub use day::{Day, Progress};
pub use decisions::Decisions;
pub use deep::{Capture, DeepDay, DeepReport, silent_prompts};
pub use figures::{DayReport, HalfHour, KeyCount, MachineFigures, QueueDay, ToldPoint, ToldTrue, Waits};
pub use hash::FactHash;
pub use network::{NetworkFigures, Weather};
pub use pcap::{pcap_datagram, pcap_head};
pub use plan::{Plan, PromptLengths};
pub use report::page;
pub use scenario::{
    Agent, AgentDraws, AgentGroup, Arrivals, Break, Caller, CallerClass, Callers, Change, Consulting, FarEnd,
    Fault, FaultKind, LoggedCall, OfferDraw, PartyModel, Peak, Press, Pressed, QueueChange, Redial, Scenario,
    Spread, Stretch, ThirdParty, TransferWish, scenario_schema, scenario_taplo,
};
