//! `agents.toml`: who answers, with which skills; what agents dial and press.
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Agents, Resolver, Skills};
use crate::base::{AgentId, Key, Language, SkillId};
use crate::exchange::acd::{AgentPlan, Shifts};
use crate::exchange::menu::Hours;
use crate::exchange::menu::diagnostic::Place;
use crate::exchange::menu::fields::{self, Fields};
use crate::exchange::menu::raw::{Field, Table};
use crate::exchange::menu::set::{AgentKeys, FeatureCode};

/// Offers in a row that may ring out.
const UNANSWERED: i64 = 2;

impl Resolver<'_> {
    pub(super) fn agents(&mut self, mut file: Fields<'_>) -> Agents {
        let empty = Table::new();
        let nothing = |what: &str| Fields::new(what, file.place.clone(), &empty);
        let (no_codes, no_keys) = (nothing("[codes]"), nothing("[keys]"));
        let codes = file.table(&mut self.findings, "codes").unwrap_or(no_codes);
        let codes = self.feature_codes(codes);
        let keys = file.table(&mut self.findings, "keys").unwrap_or(no_keys);
        let keys = self.agent_keys(keys);
        let mut agents = BTreeMap::new();
        if let Some(table) = file.table(&mut self.findings, "agent") {
            for (id, field) in table.rest() {
                if let Some(agent) = self.agent(id, field) {
                    agents.insert(AgentId::from(id), agent);
                }
            }
        }
        file.finish(&mut self.findings);
        (agents, codes, keys)
    }

    /// When each agent works, for the Acd.
    pub(super) fn plan_shifts(
        &self,
        agents: &mut BTreeMap<AgentId, AgentPlan>,
        hours: &BTreeMap<String, Hours>,
    ) {
        let known: BTreeMap<&String, Arc<Hours>> =
            hours.iter().map(|(name, hours)| (name, Arc::new(hours.clone()))).collect();
        for (id, name) in &self.shifts {
            if let (Some(agent), Some(hours)) = (agents.get_mut(id), known.get(name)) {
                agent.shifts = Shifts::Hours(Arc::clone(hours));
            }
        }
    }

    fn agent(&mut self, id: &str, field: &Field) -> Option<AgentPlan> {
        let mut fields = fields::inner(&mut self.findings, format!("the agent {id}"), field)?;
        if self.dialled(id, &field.key) {
            self.claim("number", id, &format!("the agent {id}"), &field.key);
        }
        let alias = fields.needed(&mut self.findings, "alias").map(|word| self.short(word, 60));
        let skills = fields.table(&mut self.findings, "skills");
        let skills = skills.map(|table| self.skills(&table)).unwrap_or_default();
        let languages = fields.get("languages").map(|f| fields::words(&mut self.findings, &f.node));
        let languages: Vec<Language> = match languages {
            None => vec![Language::default()],
            Some(words) => words.into_iter().filter_map(|word| self.language(word)).collect(),
        };
        let unanswered = fields.number(&mut self.findings, "unanswered_max", &(1..=20)).unwrap_or(UNANSWERED);
        if let Some(hours) = fields.word(&mut self.findings, "hours").and_then(|word| self.hours_name(word)) {
            self.shifts.insert(AgentId::from(id), hours);
        }
        fields.finish(&mut self.findings);
        let unanswered_max = u8::try_from(unanswered).unwrap_or(u8::MAX);
        Some(AgentPlan { alias: alias?, skills, languages, unanswered_max, ..AgentPlan::default() })
    }

    fn skills(&mut self, table: &Fields<'_>) -> Skills {
        let mut skills = Skills::new();
        for (name, field) in table.rest() {
            let level = fields::number(&mut self.findings, &field.node, &(1..=10));
            if let Some(level) = level.and_then(|n| u8::try_from(n).ok()) {
                skills.insert(SkillId::from(name), level);
            }
        }
        skills
    }

    fn feature_codes(&mut self, mut fields: Fields<'_>) -> BTreeMap<String, FeatureCode> {
        let mut codes = BTreeMap::new();
        let plain = [
            ("sign_in", "*81", FeatureCode::SignIn),
            ("sign_out", "*82", FeatureCode::SignOut),
            ("ready", "*83", FeatureCode::Ready),
        ];
        for (name, default, code) in plain {
            let word = fields.word(&mut self.findings, name);
            let place = word.map_or(&fields.place, |w| w.place).clone();
            self.feature_code(&mut codes, (word.map_or(default, |w| w.text), &place), code);
        }
        if let Some(pauses) = fields.table(&mut self.findings, "pause") {
            for (reason, field) in pauses.rest() {
                if reason == "no_answer" {
                    self.findings
                        .error("HL0105", &field.key, "the reason `no_answer` is the engine's own")
                        .help("choose another word");
                }
                if let Some(word) = fields::word(&mut self.findings, &field.node) {
                    let code = FeatureCode::Pause(reason.to_owned());
                    self.feature_code(&mut codes, (word.text, word.place), code);
                }
            }
        }
        fields.finish(&mut self.findings);
        codes
    }

    fn feature_code(
        &mut self,
        codes: &mut BTreeMap<String, FeatureCode>,
        (text, place): (&str, &Place),
        code: FeatureCode,
    ) {
        if self.dialled(text, place) {
            self.claim("number", text, "a code that agents dial", place);
            codes.insert(text.to_owned(), code);
        }
    }

    fn agent_keys(&mut self, mut fields: Fields<'_>) -> AgentKeys {
        let mut seen: Vec<(Vec<Key>, &'static str)> = Vec::new();
        let mut keys = |me: &mut Self, name: &'static str, default: &str| {
            let word = fields.word(&mut me.findings, name);
            let place = word.map_or(&fields.place, |w| w.place).clone();
            let keys = me.sequence(word.map_or(default, |w| w.text), &place);
            if let Some((_, other)) = seen.iter().find(|(k, _)| k.starts_with(&keys) || keys.starts_with(k)) {
                me.findings
                    .error("HL0506", &place, format!("the keys of `{name}` and of `{other}` begin alike"))
                    .help("no sequence may be the beginning of another: the first would hide the second");
            }
            seen.push((keys.clone(), name));
            keys
        };
        let keys = AgentKeys {
            hold: keys(self, "hold", "*1"),
            invite: keys(self, "invite", "*2"),
            join: keys(self, "join", "*3"),
            drop: keys(self, "drop", "*4"),
            leave: keys(self, "leave", "*5"),
            pass_on: keys(self, "pass_on", "*6"),
            listen_only: keys(self, "listen_only", "*7"),
        };
        fields.finish(&mut self.findings);
        keys
    }

    /// Keys pressed one after the other; the first is `*` or `#`, so that plain digits stay the agent's own.
    fn sequence(&mut self, text: &str, place: &Place) -> Vec<Key> {
        let keys: Vec<Key> = text.chars().filter_map(Key::from_char).filter(|k| k.event() < 12).collect();
        let whole = keys.len() == text.chars().count() && (2..=4).contains(&keys.len());
        if !whole || keys.first().is_some_and(|k| k.digit().is_some()) {
            self.findings
                .error("HL0309", place, format!("`{text}` is not a key sequence for a call"))
                .help("two to four keys, the first * or #: hold = \"*1\"");
        }
        keys
    }
}
