//! `[callers]`, `[agents]` and `[parties]` of a scenario: kinds of people.
use std::collections::BTreeMap;
use std::time::Duration;

use super::read::Reader;
use super::{
    AgentGroup, Break, CallerClass, Consulting, Holding, MeantKind, PartyModel, Pressed, Redial, Spread,
    Stretch,
};
use crate::base::{Key, Language, PartyId, SkillId};
use crate::exchange::menu::{Field, Fields, Word, inner, number, words};

const THINK: Spread = Spread::LogNormal { mean: Duration::from_secs(4), spread: 60 };
const PATIENCE: Spread = Spread::Exponential(Duration::from_mins(10));
const PICK_UP: Spread = Spread::LogNormal { mean: Duration::from_secs(4), spread: 50 };
const TALK: Spread = Spread::LogNormal { mean: Duration::from_mins(4), spread: 80 };
const WRAP_UP: Spread = Spread::Exponential(Duration::from_secs(15));
const REDIAL_AFTER: Spread = Spread::Exponential(Duration::from_mins(5));
const PRIVATE: Spread = Spread::Exponential(Duration::from_secs(30));
const TOGETHER: Spread = Spread::Exponential(Duration::from_mins(1));
const HOLDS: Spread = Spread::Exponential(Duration::from_secs(20));
/// Most agents of one group.
const GROUP_MAX: i64 = 20_000;

impl Reader<'_> {
    pub(super) fn callers(&mut self, top: &mut Fields<'_>) -> Vec<CallerClass> {
        let Some(table) = self.kinds(top, "callers") else { return Vec::new() };
        let mut classes: Vec<CallerClass> =
            table.rest().filter_map(|(name, field)| self.class(name, field)).collect();
        if table.rest().next().is_none() {
            self.findings
                .error("HL0104", &table.place, "nobody calls: [callers] needs a class")
                .help("write [callers.NAME] with number and keys");
        }
        classes.sort_by(|a, b| a.name.cmp(&b.name));
        classes
    }

    fn kinds<'t>(&mut self, top: &mut Fields<'t>, name: &'static str) -> Option<Fields<'t>> {
        if !top.has(name) {
            top.missing(name);
        }
        top.table(&mut self.findings, name)
    }

    fn class(&mut self, name: &str, field: &Field) -> Option<CallerClass> {
        let mut t = inner(&mut self.findings, format!("the callers {name}"), field)?;
        let share = t.number(&mut self.findings, "share", &(0..=1_000_000)).unwrap_or(1);
        let dialled = t.needed(&mut self.findings, "number").map(|w| {
            self.meant(MeantKind::Number, w.text, w.place);
            w.text.to_owned()
        });
        let language = t.word(&mut self.findings, "language").and_then(|w| self.language(w));
        let keys = t.get("keys").map(|f| words(&mut self.findings, &f.node)).unwrap_or_default();
        let keys = keys.into_iter().filter_map(|w| self.pressed(w)).collect();
        let think = self.spread(&mut t, "think", THINK);
        let mistakes = self.percent(&mut t, "mistakes", 0);
        let patience = self.spread(&mut t, "patience", PATIENCE);
        let talk = self.spread_if_any(&mut t, "talk");
        let redial = self.redial(&mut t);
        t.finish(&mut self.findings);
        Some(CallerClass {
            name: name.to_owned(),
            share: u32::try_from(share).unwrap_or(1),
            number: dialled?,
            language: language.unwrap_or_default(),
            keys,
            think,
            mistakes,
            patience,
            redial,
            talk,
        })
    }

    /// `"1"`, `"123456#"`, `"dddddd#"`: `d` is any digit.
    fn pressed(&mut self, word: Word<'_>) -> Option<Pressed> {
        let key = |c: char| if c == 'd' { Some(None) } else { Key::from_char(c).map(Some) };
        let keys: Option<Vec<_>> = word.text.chars().map(key).collect();
        if keys.as_ref().is_none_or(|k| k.is_empty() || k.len() > 40) {
            let message = format!("`{}` are not keys", word.text);
            self.findings
                .error("HL0105", word.place, message)
                .help("keys are 0-9, * and #; d stands for any digit; a step has up to 40");
            return None;
        }
        keys.map(Pressed)
    }

    fn redial(&mut self, t: &mut Fields<'_>) -> Redial {
        let never = Redial { chance: 0, after: REDIAL_AFTER, most: 0 };
        let Some(mut t) = t.table(&mut self.findings, "redial") else { return never };
        let chance = self.percent(&mut t, "chance", 50);
        let after = self.spread(&mut t, "after", REDIAL_AFTER);
        let most = t.number(&mut self.findings, "most", &(0..=20)).unwrap_or(3);
        t.finish(&mut self.findings);
        Redial { chance, after, most: u8::try_from(most).unwrap_or(3) }
    }

    pub(super) fn agents(&mut self, top: &mut Fields<'_>) -> Vec<AgentGroup> {
        let Some(table) = self.kinds(top, "agents") else { return Vec::new() };
        let mut groups: Vec<AgentGroup> = table.rest().filter_map(|(name, f)| self.group(name, f)).collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        groups
    }

    fn group(&mut self, name: &str, field: &Field) -> Option<AgentGroup> {
        let mut t = inner(&mut self.findings, format!("the agents {name}"), field)?;
        let ids = self.ids(name, &mut t);
        let skills = t.table(&mut self.findings, "skills").map(|s| self.skills(&s));
        let languages = t.get("languages").map(|f| words(&mut self.findings, &f.node));
        let languages: Vec<Language> = languages.map_or_else(
            || Language::ALL.to_vec(),
            |w| w.into_iter().filter_map(|w| self.language(w)).collect(),
        );
        let shifts = t.get("shifts").map(|f| words(&mut self.findings, &f.node));
        let mut shifts: Vec<Stretch> = match shifts {
            Some(words) => words.into_iter().flat_map(|w| self.stretches(w)).collect(),
            None => vec![Stretch { from: Duration::ZERO, to: self.lasts }],
        };
        shifts.sort_unstable();
        let breaks = self.breaks(&mut t);
        let pick_up = self.spread(&mut t, "pick_up", PICK_UP);
        let misses = self.percent(&mut t, "misses", 0);
        let talk = self.spread(&mut t, "talk", TALK);
        let wrap_up = self.spread(&mut t, "wrap_up", WRAP_UP);
        let consults = self.consults(&mut t);
        t.finish(&mut self.findings);
        let name = name.to_owned();
        Some(AgentGroup {
            name,
            ids,
            skills,
            languages,
            shifts,
            breaks,
            pick_up,
            misses,
            talk,
            wrap_up,
            consults,
        })
    }

    /// `ids` are agents of the menus; `count` makes new ones: the group's name and a number.
    fn ids(&mut self, group: &str, t: &mut Fields<'_>) -> Vec<String> {
        let ids = t.get("ids").map(|f| words(&mut self.findings, &f.node));
        let count = t.number(&mut self.findings, "count", &(0..=GROUP_MAX));
        match (ids, t.has("count")) {
            (Some(_), true) => {
                let message = format!("the agents {group} have `ids` and `count`");
                self.findings.error("HL0105", &t.place, message).help("take one away");
                Vec::new()
            }
            (Some(ids), false) => {
                let known = !t.has("skills");
                let mut own = Vec::new();
                for w in ids {
                    if known {
                        self.meant(MeantKind::Agent, w.text, w.place);
                    }
                    own.push(w.text.to_owned());
                }
                own
            }
            (None, true) => (1..=count.unwrap_or(0)).map(|n| format!("{group}-{n}")).collect(),
            (None, false) => {
                t.missing("count");
                Vec::new()
            }
        }
    }

    fn skills(&mut self, table: &Fields<'_>) -> BTreeMap<SkillId, u8> {
        let level = |me: &mut Self, field: &Field| {
            number(&mut me.findings, &field.node, &(1..=10)).and_then(|n| u8::try_from(n).ok())
        };
        table.rest().filter_map(|(name, f)| Some((SkillId::from(name), level(self, f)?))).collect()
    }

    fn breaks(&mut self, t: &mut Fields<'_>) -> Vec<Break> {
        let mut breaks = Vec::new();
        for mut b in self.tables(t, "breaks", "a break") {
            let within = b.needed(&mut self.findings, "within");
            let within = within.map(|w| self.stretches(w)).unwrap_or_default();
            let lasts = b.duration(&mut self.findings, "lasts", &(60..=4 * 3_600), 1_800);
            let reason = b.word(&mut self.findings, "reason").map_or("break", |w| w.text).to_owned();
            b.finish(&mut self.findings);
            breaks.push(Break { within, lasts, reason });
        }
        breaks
    }

    fn consults(&mut self, t: &mut Fields<'_>) -> Option<Consulting> {
        let mut t = t.table(&mut self.findings, "consults")?;
        let chance = self.percent(&mut t, "chance", 5);
        let party = t.needed(&mut self.findings, "party");
        let party = party.map(|w| PartyId::from(self.refers("third party", w).as_str()));
        t.finish(&mut self.findings);
        Some(Consulting { chance, party: party? })
    }

    pub(super) fn parties(&mut self, top: &mut Fields<'_>) -> BTreeMap<PartyId, PartyModel> {
        let Some(table) = top.table(&mut self.findings, "parties") else { return BTreeMap::new() };
        let mut parties = BTreeMap::new();
        for (name, field) in table.rest() {
            let Some(mut t) = inner(&mut self.findings, format!("the third party {name}"), field) else {
                continue;
            };
            let pick_up = self.spread(&mut t, "pick_up", PICK_UP);
            let misses = self.percent(&mut t, "misses", 0);
            let private = self.spread(&mut t, "private", PRIVATE);
            let together = self.spread(&mut t, "together", TOGETHER);
            let holds = self.holding(&mut t);
            t.finish(&mut self.findings);
            self.meant(MeantKind::Party, name, &field.key);
            parties.insert(PartyId::from(name), PartyModel { pick_up, misses, private, together, holds });
        }
        parties
    }

    fn holding(&mut self, t: &mut Fields<'_>) -> Option<Holding> {
        let mut t = t.table(&mut self.findings, "holds")?;
        let chance = self.percent(&mut t, "chance", 100);
        let lasts = self.spread(&mut t, "lasts", HOLDS);
        t.finish(&mut self.findings);
        Some(Holding { chance, lasts })
    }
}
