//! From the text of a scenario to a [`Scenario`]: every mistake collected, with file, line and key, as those of menus are.
//!
//! Invariant: reading stops at no mistake; a scenario comes out only when there is no error, and then it has no hole.
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::clock::{self, Stretch};
use super::{
    Change, FarEnd, Fault, FaultKind, Meant, MeantKind, QueueChange, Scenario, Spread, TransferWish, change,
};
use crate::base::{Language, PartyId, QueueId, UtcTime};
use crate::exchange::menu::{
    Diagnostic, Fields, Findings, Node, Place, Value, Word, inner, parse, wrong_kind,
};

/// Longest time that a scenario lasts, and that a length within it may have.
const LASTS_S: RangeInclusive<u64> = 1..=14 * 86_400;
/// Longest of people's times.
const PEOPLE_S: RangeInclusive<u64> = 0..=12 * 3_600;

/// Reads a scenario.
pub(super) struct Reader<'a> {
    pub(super) findings: Findings<'a>,
    /// Texts of the scenario and of the logs that it names.
    pub(super) files: &'a BTreeMap<String, String>,
    /// Minutes since midnight at the beginning, on the wall.
    pub(super) begins_min: u64,
    pub(super) lasts: Duration,
    /// Names that are spoken of: what, name, where.
    pub(super) wanted: Vec<(&'static str, String, Place)>,
    pub(super) meant: Vec<Meant>,
}

impl Scenario {
    /// Reads the scenario `name` of `files`: file -> text; the logs that it names are there too. `changes` take the
    /// place of what it says. `Ok` holds warnings beside it; `Err` every mistake and warning.
    pub fn read(
        files: &BTreeMap<String, String>,
        name: &str,
        changes: &[Change],
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut texts = files.clone();
        texts.extend(changes.iter().map(|c| (c.file(), c.text().to_owned())));
        let mut findings = Findings::new(&texts);
        let file: Arc<str> = Arc::from(name);
        let mut table = parse(&file, files.get(name).map_or("", String::as_str), &mut findings);
        for c in changes {
            change::apply(&mut table, c, &mut findings);
        }
        let mut reader = Reader {
            findings,
            files,
            begins_min: 0,
            lasts: Duration::ZERO,
            wanted: Vec::new(),
            meant: Vec::new(),
        };
        let stem = name.rsplit('/').next().unwrap_or(name);
        let stem = stem.strip_suffix(".toml").unwrap_or(stem);
        let scenario = reader.scenario(stem, Fields::new("the scenario", Place::file(file), &table));
        let clean = !reader.findings.has_errors();
        let found = reader.findings.finish();
        if clean { Ok((scenario, found)) } else { Err(found) }
    }

    /// Names of the call logs that the scenario's text asks for, to be put beside it.
    pub fn logs_of(name: &str, text: &str) -> Vec<String> {
        let files = BTreeMap::new();
        let table = parse(&Arc::from(name), text, &mut Findings::new(&files));
        let inside = |node: &Node, key: &str| match &node.value {
            Value::Table(t) => t.get(key).map(|f| f.node.clone()),
            _ => None,
        };
        let file =
            table.get("arrivals").and_then(|a| inside(&a.node, "log")).and_then(|l| inside(&l, "file"));
        match file.map(|f| f.value) {
            Some(Value::Text(text)) => vec![text],
            _ => Vec::new(),
        }
    }
}

impl Reader<'_> {
    fn scenario(&mut self, stem: &str, mut top: Fields<'_>) -> Scenario {
        let title = top.needed(&mut self.findings, "title").map_or(String::new(), |w| w.text.to_owned());
        let (begins, offset_s) = self.begins(&mut top);
        self.begins_min = u64::try_from((begins.as_secs() + offset_s).rem_euclid(86_400) / 60).unwrap_or(0);
        self.lasts = top.duration(&mut self.findings, "lasts", &LASTS_S, 86_400);
        let callers = self.callers(&mut top);
        let arrivals = self.arrivals(&mut top, &callers);
        let agents = self.agents(&mut top);
        let parties = self.parties(&mut top);
        let queues = self.queues(&mut top);
        let faults = self.faults(&mut top);
        top.finish(&mut self.findings);
        for (what, name, place) in std::mem::take(&mut self.wanted) {
            let there = match what {
                "group of agents" => agents.iter().any(|a| a.name == name),
                "third party" => parties.contains_key(&PartyId::from(name.as_str())),
                _ => callers.iter().any(|c| c.name == name),
            };
            if !there {
                self.findings.error("HL0801", &place, format!("the scenario has no {what} `{name}`"));
            }
        }
        let name = stem.to_owned();
        let (lasts, meant) = (self.lasts, std::mem::take(&mut self.meant));
        Scenario {
            name,
            title,
            begins,
            offset_s,
            lasts,
            arrivals,
            callers,
            agents,
            parties,
            queues,
            faults,
            meant,
        }
    }

    fn begins(&mut self, top: &mut Fields<'_>) -> (UtcTime, i64) {
        let Some(word) = top.needed(&mut self.findings, "begins") else { return (UtcTime::default(), 0) };
        clock::moment(word.text).unwrap_or_else(|| {
            let message = format!("`{}` is not a moment", word.text);
            let help =
                "write it as 2026-11-11T00:00+08:00: date, time, and how far its clocks are ahead of UTC";
            self.findings.error("HL0803", word.place, message).help(help);
            (UtcTime::default(), 0)
        })
    }

    /// Every stretch in which clocks show `09:00-18:00`.
    pub(super) fn stretches(&mut self, word: Word<'_>) -> Vec<Stretch> {
        let Some(span) = clock::span(word.text) else {
            let message = format!("`{}` is not from one time to another", word.text);
            self.findings.error("HL0803", word.place, message).help("write it as 09:00-18:00");
            return Vec::new();
        };
        let found = clock::stretches(span, self.begins_min, self.lasts);
        if found.is_empty() {
            let message = format!("`{}` never comes in this scenario", word.text);
            self.findings.warning("HL0803", word.place, message);
        }
        found
    }

    /// `within` or `at` and `lasts`: when something holds. The whole scenario when left out.
    pub(super) fn when(&mut self, t: &mut Fields<'_>) -> Vec<Stretch> {
        match t.word(&mut self.findings, "when") {
            Some(word) => self.stretches(word),
            None => vec![Stretch { from: Duration::ZERO, to: self.lasts }],
        }
    }

    /// A share in percent.
    pub(super) fn percent(&mut self, t: &mut Fields<'_>, name: &'static str, default: u8) -> u8 {
        let n = t.number(&mut self.findings, name, &(0..=100));
        n.and_then(|n| u8::try_from(n).ok()).unwrap_or(default)
    }

    /// A distribution of times: `"4m"`, or `{ mean = "4m", spread = 80 }`, or `{ from = "1s", to = "3s" }`.
    pub(super) fn spread(&mut self, t: &mut Fields<'_>, name: &'static str, default: Spread) -> Spread {
        self.spread_if_any(t, name).unwrap_or(default)
    }

    pub(super) fn spread_if_any(&mut self, t: &mut Fields<'_>, name: &'static str) -> Option<Spread> {
        let field = t.get(name)?;
        if matches!(field.node.value, Value::Text(_)) {
            return t.duration_if_any(&mut self.findings, name, &PEOPLE_S).map(Spread::Fixed);
        }
        let Value::Table(_) = field.node.value else {
            wrong_kind(
                &mut self.findings,
                &field.node,
                "a length of time as \"20s\", or a table with its mean",
            );
            return None;
        };
        let mut inside = inner(&mut self.findings, format!("`{name}` of {}", t.what), field)?;
        let mean = inside.duration_if_any(&mut self.findings, "mean", &PEOPLE_S);
        let from = inside.duration_if_any(&mut self.findings, "from", &PEOPLE_S);
        let to = inside.duration_if_any(&mut self.findings, "to", &PEOPLE_S);
        let spread = inside.number(&mut self.findings, "spread", &(1..=1_000));
        let named = (inside.has("mean"), inside.has("from"), inside.has("to"), inside.has("spread"));
        inside.finish(&mut self.findings);
        match (named, mean, from, to) {
            ((true, false, false, false), Some(mean), ..) => Some(Spread::Exponential(mean)),
            ((true, false, false, true), Some(mean), ..) => {
                Some(Spread::LogNormal { mean, spread: u32::try_from(spread?).unwrap_or(1) })
            }
            ((false, true, true, false), _, Some(from), Some(to)) if from <= to => {
                Some(Spread::Uniform(from, to))
            }
            ((true, false, false, _), None, ..) | ((false, true, true, false), ..)
                if from.is_none() || to.is_none() =>
            {
                None
            }
            _ => {
                let help = "write mean (and spread, in percent of it), or from and to";
                self.findings
                    .error("HL0805", &field.key, format!("`{name}` of {} is no spread of times", t.what))
                    .help(help);
                None
            }
        }
    }

    /// A name that something else of the scenario must have.
    pub(super) fn refers(&mut self, what: &'static str, word: Word<'_>) -> String {
        self.wanted.push((what, word.text.to_owned(), word.place.clone()));
        word.text.to_owned()
    }

    /// Something that the menus must have.
    pub(super) fn meant(&mut self, what: MeantKind, name: &str, place: &Place) {
        self.meant.push(Meant { what, name: name.to_owned(), place: place.clone() });
    }

    pub(super) fn language(&mut self, word: Word<'_>) -> Option<Language> {
        let found = Language::from_code(word.text);
        if found.is_none() {
            let message = format!("`{}` is not a language that hotline speaks", word.text);
            self.findings.error("HL0105", word.place, message).help("write \"zh\" or \"en\"");
        }
        found
    }

    fn queues(&mut self, top: &mut Fields<'_>) -> BTreeMap<QueueId, QueueChange> {
        let Some(table) = top.table(&mut self.findings, "queues") else { return BTreeMap::new() };
        let mut queues = BTreeMap::new();
        for (name, field) in table.rest() {
            let Some(mut t) = inner(&mut self.findings, format!("the queue {name}"), field) else { continue };
            let mut time = |key| t.duration_if_any(&mut self.findings, key, &PEOPLE_S);
            let (wait_max, ring_for) = (time("wait_max"), time("ring_for"));
            let (wrap_up, ageing, tell_every) = (time("wrap_up"), time("ageing"), time("tell_every"));
            let (expected_talk, service_target) = (time("expected_talk"), time("service_target"));
            let size_max = t.number(&mut self.findings, "size_max", &(1..=1_000_000));
            let priority = t.number(&mut self.findings, "priority", &(0..=9));
            t.finish(&mut self.findings);
            let change = QueueChange {
                wait_max,
                size_max: size_max.and_then(|n| usize::try_from(n).ok()),
                ring_for,
                wrap_up,
                ageing,
                tell_every,
                expected_talk,
                service_target,
                priority: priority.and_then(|n| u8::try_from(n).ok()),
            };
            self.meant(MeantKind::Queue, name, &field.key);
            queues.insert(QueueId::from(name), change);
        }
        queues
    }

    fn faults(&mut self, top: &mut Fields<'_>) -> Vec<Fault> {
        let mut faults = Vec::new();
        for mut t in self.tables(top, "faults", "a fault") {
            let when = self.when(&mut t);
            let kind = t.needed(&mut self.findings, "kind");
            let kind = kind.and_then(|word| self.fault(word, &mut t));
            t.finish(&mut self.findings);
            if let Some(kind) = kind {
                faults.extend(when.into_iter().map(|stretch| Fault { stretch, kind: kind.clone() }));
            }
        }
        faults
    }

    fn fault(&mut self, kind: Word<'_>, t: &mut Fields<'_>) -> Option<FaultKind> {
        match kind.text {
            "loss" => Some(FaultKind::Loss { percent: self.percent(t, "percent", 5) }),
            "agents-vanish" => {
                let group = t.needed(&mut self.findings, "group")?;
                let group = self.refers("group of agents", group);
                let count = t.number(&mut self.findings, "count", &(1..=100_000)).unwrap_or(1);
                Some(FaultKind::AgentsVanish { group, count: usize::try_from(count).unwrap_or(1) })
            }
            "slow-look-up" => {
                let delay = t.duration(&mut self.findings, "delay", &(1..=300), 5);
                Some(FaultKind::SlowLookUp { delay })
            }
            "transfers-itself" => {
                let percent = self.percent(t, "percent", 5);
                let who = match t.word(&mut self.findings, "who") {
                    None => FarEnd::Agent,
                    Some(word) => self.far_end(word)?,
                };
                let to = t.needed(&mut self.findings, "to")?;
                let to = match to.text.strip_prefix("queue ") {
                    Some(queue) => {
                        if who == FarEnd::Party {
                            let message = "a third party cannot have a queue take its place";
                            self.findings
                                .error("HL0105", to.place, message.to_owned())
                                .help("name another third party");
                        }
                        self.meant(MeantKind::Queue, queue.trim(), to.place);
                        TransferWish::Queue(QueueId::from(queue.trim()))
                    }
                    None => TransferWish::Party(PartyId::from(self.refers("third party", to).as_str())),
                };
                Some(FaultKind::TransfersItself { who, percent, to })
            }
            other => {
                let message = format!("`{other}` is nothing that goes wrong here");
                let help = "it may be: loss, agents-vanish, slow-look-up, transfers-itself";
                self.findings.error("HL0105", kind.place, message).help(help);
                None
            }
        }
    }

    fn far_end(&mut self, word: Word<'_>) -> Option<FarEnd> {
        match word.text {
            "agent" => Some(FarEnd::Agent),
            "third-party" => Some(FarEnd::Party),
            other => {
                let message = format!("`{other}` is no far end that transfers");
                self.findings.error("HL0105", word.place, message).help("it may be: agent, third-party");
                None
            }
        }
    }

    /// A list of tables: `[[faults]]`.
    pub(super) fn tables<'t>(
        &mut self,
        t: &mut Fields<'t>,
        name: &'static str,
        what: &'static str,
    ) -> Vec<Fields<'t>> {
        let Some(field) = t.get(name) else { return Vec::new() };
        let Value::List(items) = &field.node.value else {
            wrong_kind(&mut self.findings, &field.node, "a list of tables");
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items {
            match &item.value {
                Value::Table(table) => out.push(Fields::new(what, item.place.clone(), table)),
                _ => wrong_kind(&mut self.findings, item, "a table"),
            }
        }
        out
    }
}
