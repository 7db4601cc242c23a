//! `Plan`: a scenario and the menus that it meets. The menus are the shipping ones; the scenario brings agents to them.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Scenario;
use super::scenario::{AgentGroup, MeantKind, Stretch};
use crate::base::{AgentId, Language, PartyId, PromptId, QueueId};
use crate::exchange::acd::{AgentPlan, Shifts};
use crate::exchange::menu::{Diagnostic, Fields, Findings, MenuSet, Place, inner, parse};

/// How long each prompt is when it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptLengths(BTreeMap<Language, BTreeMap<PromptId, Duration>>);

/// A prompt of which nobody knows how long it is.
const UNKNOWN: Duration = Duration::from_secs(2);
/// Shifts that end with the scenario end so much later.
const AFTER_THE_END: Duration = Duration::from_hours(24);
/// Between two prompts.
const GAP: Duration = crate::media::GAP;

impl PromptLengths {
    /// Reads `manifest.lock.toml`, as `cargo xtask audio` writes it: `[en]`, `main = { ms = 12670, ... }`.
    pub fn read(text: &str) -> Self {
        let files = BTreeMap::new();
        let mut findings = Findings::new(&files);
        let name: Arc<str> = Arc::from("manifest.lock.toml");
        let table = parse(&name, text, &mut findings);
        let mut top = Fields::new("the lengths", Place::file(name), &table);
        let mut all = BTreeMap::new();
        for (language, key) in [(Language::Mandarin, "zh"), (Language::English, "en")] {
            let Some(prompts) = top.table(&mut findings, key) else { continue };
            let mut lengths = BTreeMap::new();
            for (id, field) in prompts.rest() {
                let mut prompt = inner(&mut findings, "a prompt", field);
                let ms = prompt.as_mut().and_then(|p| p.number(&mut findings, "ms", &(0..=3_600_000)));
                let ms = ms.and_then(|ms| u64::try_from(ms).ok());
                lengths.insert(PromptId::from(id), ms.map_or(UNKNOWN, Duration::from_millis));
            }
            all.insert(language, lengths);
        }
        Self(all)
    }

    /// All prompts of which it is known.
    pub(super) fn ids(&self) -> impl Iterator<Item = (Language, &PromptId)> {
        self.0.iter().flat_map(|(language, all)| all.keys().map(|id| (*language, id)))
    }

    /// How long it takes to say all of these.
    pub fn of(&self, language: Language, prompts: &[PromptId]) -> Duration {
        let of_language = self.0.get(&language);
        let one = |id: &PromptId| of_language.and_then(|l| l.get(id)).copied().unwrap_or(UNKNOWN);
        prompts.iter().map(|id| one(id) + GAP).sum()
    }
}

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Who calls and who answers.
    pub scenario: Arc<Scenario>,
    /// The menus, with the scenario's agents and rules of queues.
    pub menus: Arc<MenuSet>,
    /// How long what they say takes.
    pub lengths: Arc<PromptLengths>,
}

impl Plan {
    /// Brings the scenario's people to the menus. `files`: the scenario's text, for the places of mistakes.
    pub fn new(
        scenario: Arc<Scenario>,
        menus: &MenuSet,
        lengths: Arc<PromptLengths>,
        files: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut findings = Findings::new(files);
        for m in &scenario.meant {
            let (there, what) = match m.what {
                MeantKind::Number => (menus.entrance(&m.name).is_some(), "number"),
                MeantKind::Queue => (menus.queues.contains_key(&QueueId::from(m.name.as_str())), "queue"),
                MeantKind::Party => {
                    (menus.directory.contains_key(&PartyId::from(m.name.as_str())), "third party")
                }
                MeantKind::Agent => (menus.acd.agents.contains_key(&AgentId::from(m.name.as_str())), "agent"),
            };
            if !there {
                findings.error("HL0806", &m.place, format!("the menus have no {what} `{}`", m.name));
            }
        }
        let found = findings.finish();
        if !found.is_empty() {
            return Err(found);
        }
        let menus = Arc::new(staffed(menus, &scenario));
        Ok(Self { scenario, menus, lengths })
    }
}

/// Shifts as the server knows them. Who is inside when the scenario ends is served to the end.
fn shifts(scenario: &Scenario, group: &AgentGroup) -> Shifts {
    let at = |since: Duration| scenario.begins + since;
    let ends = |s: &Stretch| if s.to < scenario.lasts { s.to } else { s.to + AFTER_THE_END };
    Shifts::Stretches(group.shifts.iter().map(|s| (at(s.from), at(ends(s)))).collect())
}

fn staffed(menus: &MenuSet, scenario: &Scenario) -> MenuSet {
    let mut set = menus.clone();
    for group in &scenario.agents {
        for id in &group.ids {
            let agent =
                Arc::make_mut(&mut set.acd).agents.entry(AgentId::from(id.as_str())).or_insert_with(|| {
                    AgentPlan {
                        alias: group.name.clone(),
                        skills: BTreeMap::new(),
                        languages: Vec::new(),
                        unanswered_max: 3,
                        ..AgentPlan::default()
                    }
                });
            agent.shifts = shifts(scenario, group);
            if let Some(skills) = &group.skills {
                agent.skills.clone_from(skills);
                agent.languages.clone_from(&group.languages);
            }
        }
    }
    for (name, change) in &scenario.queues {
        if let Some(queue) = Arc::make_mut(&mut set.acd).queues.get_mut(name) {
            let set = |to: &mut Duration, from: Option<Duration>| *to = from.unwrap_or(*to);
            set(&mut queue.ring_for, change.ring_for);
            set(&mut queue.wrap_up, change.wrap_up);
            set(&mut queue.ageing, change.ageing);
            set(&mut queue.tell_every, change.tell_every);
            set(&mut queue.expected_talk, change.expected_talk);
            set(&mut queue.service_target, change.service_target);
            queue.wait_max = change.wait_max.or(queue.wait_max);
            queue.size_max = change.size_max.unwrap_or(queue.size_max);
        }
        if let (Some(queue), Some(priority)) = (set.queues.get_mut(name), change.priority) {
            queue.priority = priority;
        }
    }
    set
}
