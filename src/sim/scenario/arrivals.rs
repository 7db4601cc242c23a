//! `[arrivals]` of a scenario: rates by half hour, peaks, a recorded log.
use std::collections::BTreeMap;

use super::read::Reader;
use super::{Arrivals, CallerClass, LoggedCall, Peak, log};
use crate::exchange::menu::{Field, Fields, Place, Value, number, word, wrong_kind};

/// Most callers of one half hour, peaks not counted.
const PER_HALF_HOUR: i64 = 1_000_000;

impl Reader<'_> {
    pub(super) fn arrivals(&mut self, top: &mut Fields<'_>, classes: &[CallerClass]) -> Arrivals {
        if !top.has("arrivals") {
            top.missing("arrivals");
        }
        let Some(mut t) = top.table(&mut self.findings, "arrivals") else { return Arrivals::default() };
        let per_half_hour = t.get("per_half_hour").map(|f| self.rates(f)).unwrap_or_default();
        let total = t.number(&mut self.findings, "total", &(1..=100_000_000));
        let peaks = self.peaks(&mut t);
        let log = t.table(&mut self.findings, "log").map(|t| self.log(t, classes)).unwrap_or_default();
        if !t.has("per_half_hour") && !t.has("log") {
            t.missing("per_half_hour");
        }
        t.finish(&mut self.findings);
        Arrivals { per_half_hour, total: total.and_then(|n| u32::try_from(n).ok()), peaks, log }
    }

    fn rates(&mut self, field: &Field) -> Vec<u32> {
        let Value::List(items) = &field.node.value else {
            wrong_kind(&mut self.findings, &field.node, "a list of numbers");
            return Vec::new();
        };
        if items.is_empty() {
            self.findings.error("HL0104", &field.key, "`per_half_hour` needs at least one number");
        }
        let mut rate = |item| number(&mut self.findings, item, &(0..=PER_HALF_HOUR));
        items.iter().filter_map(|item| rate(item).and_then(|n| u32::try_from(n).ok())).collect()
    }

    fn peaks(&mut self, t: &mut Fields<'_>) -> Vec<Peak> {
        let mut peaks = Vec::new();
        for mut p in self.tables(t, "peaks", "a peak") {
            let when = self.when(&mut p);
            let times = p.number(&mut self.findings, "times", &(0..=1_000)).unwrap_or(1);
            if !p.has("times") {
                p.missing("times");
            }
            p.finish(&mut self.findings);
            let times = u32::try_from(times).unwrap_or(1);
            peaks.extend(when.into_iter().map(|stretch| Peak { stretch, times }));
        }
        peaks
    }

    fn log(&mut self, mut t: Fields<'_>, classes: &[CallerClass]) -> Vec<LoggedCall> {
        let file = t.needed(&mut self.findings, "file");
        let from_s = t.duration(&mut self.findings, "from", &(0..=366 * 86_400), 0).as_secs();
        let names = t.table(&mut self.findings, "classes").map(|c| self.class_names(&c)).unwrap_or_default();
        t.finish(&mut self.findings);
        let Some(file) = file else { return Vec::new() };
        let Some(text) = self.files.get(file.text) else {
            let message = format!("the call log `{}` cannot be read", file.text);
            self.findings.error("HL0802", file.place, message).help("the path is from the scenario's folder");
            return Vec::new();
        };
        let class = |service: &str| {
            let name = names.get(service).or_else(|| names.get("other"))?;
            classes.iter().position(|c| c.name == *name)
        };
        let (calls, wrong) = log::read(text, class, (from_s, self.lasts));
        for mistake in wrong {
            let place = Place { file: file.text.into(), span: mistake.span };
            self.findings.error("HL0802", &place, mistake.message);
        }
        calls
    }

    /// Service of the log -> class of callers.
    fn class_names(&mut self, table: &Fields<'_>) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for (service, field) in table.rest() {
            if let Some(word) = word(&mut self.findings, &field.node) {
                names.insert(service.to_owned(), self.refers("class of callers", word));
            }
        }
        names
    }
}
