//! All agents, and those of one shape together: a `Profile` is every agent with the same skills, levels and languages.
//!
//! Lines of callers know the profiles that can serve them, so finding an agent looks at a profile's first and not at
//! 500 people. Invariant: a profile's counts and its ready agents are those of its members, after every step.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::agent::{Agent, AgentEvent, Phone, Then};
use super::order::Rank;
use super::waiting::{LineId, Need};
use super::{AgentPlan, AgentState};
use crate::base::{AgentId, Instant, Language, QueueId, SkillId};

/// Whose phone was lost longer ago went home without a word.
const GONE: Duration = Duration::from_hours(2);

/// A profile's number.
pub(crate) type ProfileId = u32;

/// Agents who can do the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    skills: BTreeMap<SkillId, u8>,
    languages: BTreeSet<Language>,
    members: BTreeSet<AgentId>,
    ready: Ready,
    at_work: u32,
    /// Since when phones of those at work have been lost.
    cut_off: BTreeMap<Instant, u32>,
    signed_in: u32,
    /// How many of those at work have a shift that ends then.
    leaving: BTreeMap<Instant, u32>,
    lines: BTreeSet<LineId>,
}

#[expect(clippy::struct_field_names, reason = "by what they are sorted")]
/// Those who could take a caller now, in each order that a strategy wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ready {
    /// Longest idle first.
    pub(crate) by_idle: BTreeSet<(Instant, AgentId)>,
    /// Fewest calls first.
    pub(crate) by_calls: BTreeSet<(u64, Instant, AgentId)>,
    /// In the order of names.
    pub(crate) by_name: BTreeSet<AgentId>,
}

/// How an agent is counted in his profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Idle clock and calls, when he could take a caller now.
    pub(crate) ready: Option<(Instant, u64)>,
    /// Will take callers sooner or later.
    pub(crate) at_work: bool,
    /// At work until his phone was lost, then.
    cut_off: Option<Instant>,
    /// Is signed in.
    pub(crate) signed_in: bool,
    /// When his shift ends, while he is at work, if that is known.
    pub(crate) until: Option<Instant>,
}

/// One agent with his plan and his place among the others.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    agent: Agent,
    plan: Arc<AgentPlan>,
    /// When his shift ends, while he is signed in, if that is known.
    until: Option<Instant>,
    profile: ProfileId,
    counted: Standing,
    held: BTreeSet<Rank>,
    leaving: bool,
    /// The queue of his last conversation: whose wrap-up he works on.
    pub(crate) last_queue: Option<QueueId>,
}

/// What a step changed.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// What the table asks for.
    pub(crate) then: Then,
    /// His state before, when it differs from now, and since when he was in it.
    pub(crate) from: Option<(AgentState, Instant)>,
    /// How he was counted.
    pub(crate) before: Standing,
    /// How he is counted.
    pub(crate) after: Standing,
}

impl Member {
    /// The agent.
    pub(crate) fn agent(&self) -> &Agent {
        &self.agent
    }
    /// His plan.
    pub(crate) fn plan(&self) -> &AgentPlan {
        &self.plan
    }
    /// His profile.
    pub(crate) fn profile(&self) -> ProfileId {
        self.profile
    }
    /// Callers who wait for him and nobody else.
    pub(crate) fn held(&self) -> &BTreeSet<Rank> {
        &self.held
    }
    /// When his shift ends, if that is known.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }
    /// No longer in the plan; goes when his conversation ends.
    pub(crate) fn leaving(&self) -> bool {
        self.leaving
    }
    fn standing(&self) -> Standing {
        let agent = &self.agent;
        Standing {
            ready: agent.offerable().then(|| (agent.idle_since(), agent.answered())),
            at_work: agent.at_work(),
            cut_off: agent.cut_off().then(|| agent.since()),
            signed_in: agent.signed_in(),
            until: self.until.filter(|_| agent.at_work()),
        }
    }
}

impl Profile {
    /// Skills with levels.
    pub(crate) fn skills(&self) -> &BTreeMap<SkillId, u8> {
        &self.skills
    }
    /// Who belongs to it.
    pub(crate) fn members(&self) -> &BTreeSet<AgentId> {
        &self.members
    }
    /// Who could take a caller now.
    pub(crate) fn ready(&self) -> &Ready {
        &self.ready
    }
    /// Lines it can serve.
    pub(crate) fn lines(&self) -> &BTreeSet<LineId> {
        &self.lines
    }
    /// How many will take callers sooner or later.
    pub(crate) fn at_work(&self) -> u32 {
        self.at_work
    }
    /// How many were at work until their phones were lost, and may be back.
    pub(crate) fn cut_off(&self, now: Instant) -> u32 {
        let lately = self.cut_off.iter().rev().take_while(|(at, _)| now.since(**at) < GONE);
        lately.map(|(_, n)| n).sum()
    }
    /// How many are signed in.
    pub(crate) fn signed_in(&self) -> u32 {
        self.signed_in
    }
    /// Ends of shifts of those at work, and how many they are.
    pub(crate) fn leaving(&self) -> &BTreeMap<Instant, u32> {
        &self.leaving
    }
    fn count(&mut self, id: &AgentId, from: Standing, to: Standing) {
        recount(&mut self.leaving, (from.until, to.until));
        recount(&mut self.cut_off, (from.cut_off, to.cut_off));
        if from.ready != to.ready {
            if let Some((idle, calls)) = from.ready {
                self.ready.by_idle.remove(&(idle, id.clone()));
                self.ready.by_calls.remove(&(calls, idle, id.clone()));
                self.ready.by_name.remove(id);
            }
            if let Some((idle, calls)) = to.ready {
                self.ready.by_idle.insert((idle, id.clone()));
                self.ready.by_calls.insert((calls, idle, id.clone()));
                self.ready.by_name.insert(id.clone());
            }
        }
        self.at_work = self.at_work + u32::from(to.at_work) - u32::from(from.at_work);
        self.signed_in = self.signed_in + u32::from(to.signed_in) - u32::from(from.signed_in);
    }
}

/// One who was counted at one moment is counted at another.
fn recount(counts: &mut BTreeMap<Instant, u32>, (from, to): (Option<Instant>, Option<Instant>)) {
    if from == to {
        return;
    }
    if let Some(n) = from.and_then(|at| counts.get_mut(&at)) {
        *n = n.saturating_sub(1);
    }
    if let Some(at) = from.filter(|at| counts.get(at) == Some(&0)) {
        counts.remove(&at);
    }
    if let Some(at) = to {
        *counts.entry(at).or_default() += 1;
    }
}

type Shape = (BTreeMap<SkillId, u8>, BTreeSet<Language>);

/// All agents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    members: BTreeMap<AgentId, Member>,
    profiles: BTreeMap<ProfileId, Profile>,
    by_shape: BTreeMap<Shape, ProfileId>,
    next: ProfileId,
}

impl Roster {
    /// Takes an agent in, or gives him a new plan. The number of a profile that is new, so that lines can be linked.
    pub(crate) fn put(&mut self, now: Instant, id: &AgentId, plan: &AgentPlan) -> Option<ProfileId> {
        let shape = (plan.skills.clone(), plan.languages.iter().copied().collect::<BTreeSet<_>>());
        let known = self.by_shape.get(&shape).copied();
        let profile = known.unwrap_or(self.next);
        if known.is_none() {
            self.next += 1;
            let (skills, languages) = shape.clone();
            self.profiles.insert(profile, Profile { skills, languages, ..Profile::default() });
            self.by_shape.insert(shape, profile);
        }
        let mut member = self.take(id).unwrap_or_else(|| Member {
            agent: Agent::new(now),
            plan: Arc::default(),
            until: None,
            profile,
            counted: Standing::default(),
            held: BTreeSet::new(),
            leaving: false,
            last_queue: None,
        });
        member.plan = Arc::new(plan.clone());
        member.profile = profile;
        member.leaving = false;
        member.counted = Standing::default();
        if let Some(p) = self.profiles.get_mut(&profile) {
            p.members.insert(id.clone());
        }
        self.members.insert(id.clone(), member);
        self.recount(id);
        known.is_none().then_some(profile)
    }
    /// Takes an agent out.
    pub(crate) fn take(&mut self, id: &AgentId) -> Option<Member> {
        let member = self.members.remove(id)?;
        if let Some(profile) = self.profiles.get_mut(&member.profile) {
            profile.count(id, member.counted, Standing::default());
            profile.members.remove(id);
        }
        Some(member)
    }
    /// Forgets profiles without members, and hands them back.
    pub(crate) fn forget_empty(&mut self) -> BTreeMap<ProfileId, Profile> {
        let (empty, kept) =
            std::mem::take(&mut self.profiles).into_iter().partition(|(_, p)| p.members.is_empty());
        self.profiles = kept;
        self.by_shape.retain(|_, id| self.profiles.contains_key(id));
        empty
    }
    /// An agent whose plan is gone stays until his conversation is over.
    pub(crate) fn mark_leaving(&mut self, id: &AgentId) {
        if let Some(member) = self.members.get_mut(id) {
            member.leaving = true;
        }
    }
    /// An agent of the plan goes on as he was before a restart. `false`: he is not in the plan.
    pub(crate) fn restore(&mut self, id: &AgentId, agent: Agent, last_queue: Option<QueueId>) -> bool {
        let Some(member) = self.members.get_mut(id) else { return false };
        member.agent = agent;
        member.last_queue = last_queue;
        self.recount(id);
        true
    }
    /// A step of the agent's table. `None`: no such agent, or it changes nothing.
    pub(crate) fn apply(&mut self, now: Instant, id: &AgentId, event: AgentEvent) -> Option<Change> {
        let member = self.members.get_mut(id)?;
        let (before, from) = (member.counted, (member.agent.state().clone(), member.agent.since()));
        let then = member.agent.apply(now, event)?;
        Some(self.changed(id, before, from, then))
    }
    /// His phone changed. `None`: no such agent, or as before.
    pub(crate) fn set_phone(&mut self, now: Instant, id: &AgentId, phone: Phone) -> Option<Change> {
        let member = self.members.get_mut(id).filter(|m| m.agent.phone() != phone)?;
        let (before, from) = (member.counted, (member.agent.state().clone(), member.agent.since()));
        member.agent.set_phone(now, phone);
        let allowed = phone == Phone { reachable: true, engaged: false };
        let then = if allowed { None } else { member.agent.apply(now, AgentEvent::Blocked) };
        Some(self.changed(id, before, from, then.unwrap_or(Then::Nothing)))
    }
    /// One more offer was not taken: how many in a row, and whether that is once too often.
    pub(crate) fn count_untaken(&mut self, id: &AgentId) -> bool {
        self.members.get_mut(id).is_some_and(|m| m.agent.count_untaken() >= m.plan.unanswered_max.max(1))
    }
    /// Notes when his shift ends.
    pub(crate) fn set_until(&mut self, id: &AgentId, until: Option<Instant>) {
        if let Some(member) = self.members.get_mut(id).filter(|m| m.until != until) {
            member.until = until;
            self.recount(id);
        }
    }
    /// Notes whose wrap-up he works on.
    pub(crate) fn set_last_queue(&mut self, id: &AgentId, queue: &QueueId) {
        if let Some(member) = self.members.get_mut(id) {
            member.last_queue = Some(queue.clone());
        }
    }
    fn changed(&mut self, id: &AgentId, before: Standing, from: (AgentState, Instant), then: Then) -> Change {
        let after = self.recount(id);
        let same = self.members.get(id).is_none_or(|m| *m.agent.state() == from.0);
        Change { then, from: (!same).then_some(from), before, after }
    }
    fn recount(&mut self, id: &AgentId) -> Standing {
        let Some(member) = self.members.get_mut(id) else { return Standing::default() };
        let (from, to) = (member.counted, member.standing());
        member.counted = to;
        if let Some(profile) = self.profiles.get_mut(&member.profile) {
            profile.count(id, from, to);
        }
        to
    }
    /// A caller waits for this agent alone.
    pub(crate) fn hold(&mut self, id: &AgentId, rank: Rank) {
        if let Some(member) = self.members.get_mut(id) {
            member.held.insert(rank);
        }
    }
    /// He no longer does.
    pub(crate) fn unhold(&mut self, id: &AgentId, rank: Rank) {
        if let Some(member) = self.members.get_mut(id) {
            member.held.remove(&rank);
        }
    }
    /// One agent.
    pub(crate) fn get(&self, id: &AgentId) -> Option<&Member> {
        self.members.get(id)
    }
    /// All agents, in the order of names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&AgentId, &Member)> {
        self.members.iter()
    }
    /// One profile.
    pub(crate) fn profile(&self, id: ProfileId) -> Option<&Profile> {
        self.profiles.get(&id)
    }
    /// All profiles.
    pub(crate) fn profiles(&self) -> impl Iterator<Item = (ProfileId, &Profile)> {
        self.profiles.iter().map(|(id, profile)| (*id, profile))
    }
    /// The profiles that can serve `need`, ascending.
    pub(crate) fn able(&self, need: &Need) -> Vec<ProfileId> {
        self.profiles().filter(|(_, p)| need.served_by(&p.skills, &p.languages)).map(|(id, _)| id).collect()
    }
    /// Whether this agent can serve `need`.
    pub(crate) fn can(&self, id: &AgentId, need: &Need) -> bool {
        self.members
            .get(id)
            .and_then(|m| self.profiles.get(&m.profile))
            .is_some_and(|p| need.served_by(&p.skills, &p.languages))
    }
    /// Tells profiles that they serve a line, or no longer.
    pub(crate) fn link(&mut self, profiles: &[ProfileId], line: LineId) {
        for id in profiles {
            if let Some(profile) = self.profiles.get_mut(id) {
                profile.lines.insert(line);
            }
        }
    }
    /// The line is gone.
    pub(crate) fn unlink(&mut self, profiles: &[ProfileId], line: LineId) {
        for id in profiles {
            if let Some(profile) = self.profiles.get_mut(id) {
                profile.lines.remove(&line);
            }
        }
    }
}
