//! A new plan: running state is kept by name, and only what the plan changes is touched.
use std::sync::Arc;

use super::roster::Member;
use super::waiting::LineId;
use super::{Acd, AcdPlan, AgentState};
use crate::base::{AgentId, QueueId, TicketId};

impl Acd {
    /// See [`Acd::install`].
    pub(super) fn replace_plan(&mut self, plan: Arc<AcdPlan>) {
        let old = std::mem::replace(&mut self.plan, plan);
        let new = Arc::clone(&self.plan);
        for (id, agent) in &new.agents {
            if old.agents.get(id) != Some(agent) || self.roster.get(id).is_none_or(Member::leaving) {
                self.put_agent(id);
            }
        }
        for id in old.agents.keys().filter(|id| !new.agents.contains_key(*id)) {
            self.remove_agent(id);
        }
        self.forget_empty_profiles();
        for (id, queue) in &new.queues {
            self.desks.entry(id.clone()).or_default();
            if old.queues.get(id).is_some_and(|was| was != queue) {
                self.line_up_again(id);
            }
        }
        for id in old.queues.keys().filter(|id| !new.queues.contains_key(*id)) {
            self.line_up_again(id);
            self.desks.remove(id);
        }
    }

    fn put_agent(&mut self, id: &AgentId) {
        let plan = Arc::clone(&self.plan);
        let Some(agent) = plan.agents.get(id) else { return };
        self.release_held(id);
        let before = self.lines_of(id);
        if let Some(profile) = self.roster.put(self.now.mono, id, agent) {
            self.ahead.regroup();
            let able: Vec<LineId> = self
                .room
                .lines()
                .filter(|(_, line)| self.roster.can(id, line.need()))
                .map(|(line, _)| line)
                .collect();
            for line in able {
                self.roster.link(&[profile], line);
                if let Some(line) = self.room.line_mut(line) {
                    line.set_able(profile, true);
                }
            }
        }
        self.note_shift(id);
        self.freed.insert(id.clone());
        for line in before {
            self.empty_line_without_staff(line);
        }
    }

    fn lines_of(&self, id: &AgentId) -> Vec<LineId> {
        let profile = self.roster.get(id).and_then(|m| self.roster.profile(m.profile()));
        profile.into_iter().flat_map(|p| p.lines().iter().copied()).collect()
    }

    fn remove_agent(&mut self, id: &AgentId) {
        match self.state_of(id) {
            Some(AgentState::Talking(_)) => {
                self.release_held(id);
                self.roster.mark_leaving(id);
            }
            Some(
                AgentState::SignedOut
                | AgentState::Unreachable
                | AgentState::Ready
                | AgentState::Ringing(_)
                | AgentState::WrapUp
                | AgentState::Engaged
                | AgentState::Paused(_),
            ) => self.dismiss(id),
            None => {}
        }
    }

    fn forget_empty_profiles(&mut self) {
        for (id, profile) in self.roster.forget_empty() {
            self.ahead.regroup();
            for line in profile.lines() {
                if let Some(line) = self.room.line_mut(*line) {
                    line.set_able(id, false);
                }
            }
        }
    }

    /// A queue's rules changed, or it is gone: those who wait take their places anew, with their clocks as ever.
    fn line_up_again(&mut self, queue: &QueueId) {
        let lines: Vec<LineId> = self.room.lines_of(queue).map(|(id, _)| id).collect();
        let places = self.room.lines_of(queue).flat_map(|(_, l)| l.waiting().iter().chain(l.held().iter()));
        let mut tickets: Vec<TicketId> = places.map(|rank| rank.ticket).collect();
        tickets.sort_unstable();
        for id in &tickets {
            self.take_out_of_line(*id);
        }
        for line in lines {
            self.close_line(line);
        }
        for id in tickets {
            self.put_in_line(id);
        }
    }
}
