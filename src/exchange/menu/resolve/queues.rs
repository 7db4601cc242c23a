//! `queues.toml`: waiting rooms. Half of each goes to the Acd (who gets whom), half is what callers meet.
use std::collections::BTreeMap;
use std::time::Duration;

use super::{By, Door, Queues, Resolver};
use crate::base::{Key, MenuId, PromptId, QueueId, SkillId};
use crate::exchange::acd::{NobodyRule, QueuePlan, Strategy};
use crate::exchange::menu::fields::{self, Fields, Word};
use crate::exchange::menu::set::{Queue, Target};

/// The strategies by name.
const STRATEGIES: [(&str, Strategy); 5] = [
    ("longest-idle", Strategy::LongestIdle),
    ("fewest-calls", Strategy::FewestCalls),
    ("most-skilled", Strategy::MostSkilled),
    ("least-versatile", Strategy::LeastVersatile),
    ("by-name", Strategy::ByName),
];
const NOBODY: [(&str, NobodyRule); 2] = [("wait", NobodyRule::Wait), ("overflow", NobodyRule::Overflow)];
/// The priority class of a queue that names none.
const PRIORITY: u8 = 5;
/// Most callers in a queue that names no number.
const SIZE_MAX: usize = 500;

impl Resolver<'_> {
    pub(super) fn queues(&mut self, mut file: Fields<'_>) -> Queues {
        if !file.has("human") {
            self.findings
                .error("HL0104", &file.place, "queues.toml needs `human`")
                .help("name the queue behind key 0 in the first line: human = \"general\"");
        }
        let human = file.word(&mut self.findings, "human");
        if let Some(human) = human.and_then(|word| self.queue_name(word)) {
            self.human = human;
        }
        self.names_agent = file.flag(&mut self.findings, "name_agent");
        let mut queues = BTreeMap::new();
        let mut plans = BTreeMap::new();
        for (name, field) in file.rest() {
            let id = QueueId::from(name);
            if !super::is_name(name) {
                self.findings
                    .error("HL0105", &field.key, format!("`{name}` cannot be a queue's name"))
                    .help("a name has small letters, digits and -, at most 40, and is not human or repeat");
            }
            self.places.insert(Door::Queue(id.clone()), field.key.clone());
            let Some(mut fields) = fields::inner(&mut self.findings, format!("the queue {name}"), field)
            else {
                continue;
            };
            let plan = self.plan(&mut fields);
            let queue = self.queue(&mut fields, &id);
            fields.finish(&mut self.findings);
            plans.insert(id.clone(), plan);
            if let Some(queue) = queue {
                queues.insert(id, queue);
            }
        }
        (queues, plans)
    }

    /// What callers meet.
    fn queue(&mut self, fields: &mut Fields<'_>, id: &QueueId) -> Option<Queue> {
        let door = Door::Queue(id.clone());
        let name = fields.needed(&mut self.findings, "name").map(|word| self.prompt(word, &door));
        let music = fields.word(&mut self.findings, "music");
        let music = music.map_or_else(|| PromptId::from("music"), |word| self.prompt(word, &door));
        let priority = fields.number(&mut self.findings, "priority", &(0..=9));
        let priority = priority.and_then(|p| u8::try_from(p).ok()).unwrap_or(PRIORITY);
        let overflow = self.overflow(fields, id, &door);
        let code = fields.word(&mut self.findings, "code");
        let code = code.and_then(|word| self.code(word, "queue code", &format!("the queue {id}")));
        let open = self.opening(fields, &door, None);
        let keys = fields.table(&mut self.findings, "keys");
        let keys = keys.map(|keys| self.live_keys(&keys, &door)).unwrap_or_default();
        let names_agent = fields.has("name_agent");
        let names_agent =
            if names_agent { fields.flag(&mut self.findings, "name_agent") } else { self.names_agent };
        let (name, overflow) = (name?, overflow?);
        Some(Queue { name, notice: None, music, priority, overflow, keys, code, open, names_agent })
    }

    /// Where those go who cannot wait; the human queue by default, which itself must name one.
    fn overflow(&mut self, fields: &mut Fields<'_>, id: &QueueId, door: &Door) -> Option<Target> {
        let Some(word) = fields.word(&mut self.findings, "overflow") else {
            if *id == self.human {
                self.findings
                    .error("HL0104", &fields.place, format!("the queue {id} needs `overflow`"))
                    .help(
                        "it is behind key 0, so name a menu that says sorry and ends: overflow = \"all-busy\"",
                    );
                return None;
            }
            let place = fields.place.clone();
            let human = Target::Queue(self.human.clone());
            self.way(door, &human, By::Itself, &place);
            return Some(human);
        };
        match self.target(word, None)? {
            Target::HangUp => {
                self.unannounced(word);
                None
            }
            target => {
                let target = if target == Target::Human { Target::Queue(self.human.clone()) } else { target };
                self.way(door, &target, By::Itself, word.place);
                Some(target)
            }
        }
    }

    fn live_keys(&mut self, keys: &Fields<'_>, door: &Door) -> BTreeMap<Key, MenuId> {
        let mut live = BTreeMap::new();
        for (name, field) in keys.rest() {
            let key = self.key(name, &field.key);
            let word = fields::word(&mut self.findings, &field.node);
            let (Some(key), Some(word)) = (key, word) else { continue };
            let Some(menu) = self.menu_name(word) else { continue };
            self.way(door, &Target::Menu(menu.clone()), By::Key, word.place);
            live.insert(key, menu);
        }
        live
    }

    /// What the Acd works by.
    fn plan(&mut self, fields: &mut Fields<'_>) -> QueuePlan {
        let skills = fields.get("skills").map(|f| fields::words(&mut self.findings, &f.node));
        let skills = skills.unwrap_or_default().into_iter().map(|w| SkillId::from(w.text)).collect();
        let strategy = fields.word(&mut self.findings, "strategy");
        let nobody = fields.word(&mut self.findings, "nobody");
        let size = fields.number(&mut self.findings, "size_max", &(1..=100_000));
        let mut time = |name, range, default| fields.duration(&mut self.findings, name, &range, default);
        let plan = QueuePlan {
            skills,
            strategy: Strategy::default(),
            ring_for: time("ring_for", 5..=120, 20),
            wrap_up: time("wrap_up", 0..=1_800, 10),
            ageing: time("ageing", 10..=3_600, 120),
            wait_max: None,
            size_max: size.and_then(|n| usize::try_from(n).ok()).unwrap_or(SIZE_MAX),
            nobody: NobodyRule::default(),
            tell_every: time("tell_every", 15..=600, 60),
            expected_talk: time("expected_talk", 10..=7_200, 240),
            same_agent_wait: time("same_agent_wait", 0..=600, 30),
            service_target: time("service_target", 1..=3_600, 30),
        };
        let wait_max: Option<Duration> =
            fields.duration_if_any(&mut self.findings, "wait_max", &(5..=86_400));
        QueuePlan {
            strategy: strategy.map_or(Strategy::default(), |w| self.one_of(w, &STRATEGIES)),
            nobody: nobody.map_or(NobodyRule::default(), |w| self.one_of(w, &NOBODY)),
            wait_max,
            ..plan
        }
    }

    /// One of a few words.
    fn one_of<T: Copy + Default>(&mut self, word: Word<'_>, known: &[(&str, T)]) -> T {
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == word.text) {
            return *value;
        }
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let found = self.findings.error("HL0105", word.place, format!("`{}` means nothing here", word.text));
        match fields::nearest(word.text, names.iter().copied()) {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None => found.help(format!("one of: {}", names.join(", "))),
        }
        T::default()
    }
}
