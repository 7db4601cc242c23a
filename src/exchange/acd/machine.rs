//! `Acd`: the automatic call distributor as one machine. It routes inputs to its parts.
use std::collections::VecDeque;
use std::sync::Arc;

use super::{AcdCounters, AcdInput, AcdOutput, AcdPlan, AcdSnapshot};
use crate::base::{Deadline, Now};

/// All queues and agents, and who gets whom.
#[derive(Debug)]
pub struct Acd {
    plan: Arc<AcdPlan>,
    now: Now,
    counters: AcdCounters,
    outputs: VecDeque<AcdOutput>,
}

impl Acd {
    /// A distributor for these queues and agents; everybody is signed out.
    pub fn new(plan: Arc<AcdPlan>) -> Self {
        Self { plan, now: Now::default(), counters: AcdCounters::default(), outputs: VecDeque::new() }
    }
    /// Takes a new plan; running state is kept by name.
    pub fn install(&mut self, now: Now, plan: Arc<AcdPlan>) {
        self.now = now;
        self.plan = plan;
    }
    /// Something happened.
    pub fn handle(&mut self, now: Now, _input: AcdInput) {
        self.now = now;
        self.counters.inputs += 1;
    }
    /// The moment it asked for has come.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
    }
    /// One thing to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<AcdOutput> {
        self.outputs.pop_front()
    }
    /// When it wants to be woken.
    pub fn next_deadline(&self) -> Option<Deadline> {
        None
    }
    /// Everything at one moment, for the status page.
    pub fn snapshot(&self, now: Now) -> AcdSnapshot {
        AcdSnapshot { at: now.mono, queues: Vec::new(), agents: Vec::new(), counters: self.counters }
    }
}
