//! `schedule.toml`: changes with a beginning and an end.
use std::collections::BTreeSet;

use super::{By, Door, Resolver};
use crate::base::{MenuId, PromptId, QueueId, UtcTime};
use crate::exchange::menu::diagnostic::Place;
use crate::exchange::menu::fields::{self, Fields, Word};
use crate::exchange::menu::raw::Field;
use crate::exchange::menu::schedule::Change;
use crate::exchange::menu::set::Target;
use crate::exchange::say::Phrase;

/// The longest that a change may last, in microseconds: what holds for longer is no change.
const LONGEST_US: i64 = 366 * 24 * 3_600 * 1_000_000;

impl Resolver<'_> {
    pub(super) fn schedule(&mut self, file: &Fields<'_>, numbers: &BTreeSet<String>) -> Vec<Change> {
        if self.zone.is_none() && file.rest().next().is_some() {
            self.findings
                .error("HL0104", &file.place, "schedule.toml needs a time zone")
                .help("name whose clock the times are of in calendar.toml: timezone = \"Asia/Shanghai\"");
            return Vec::new();
        }
        let mut all: Vec<(Change, Place)> = Vec::new();
        for (name, field) in file.rest() {
            self.change_places.insert(name.to_owned(), field.key.clone());
            let Some(change) = self.change(name, field, numbers) else { continue };
            for (other, _) in &all {
                if let Some(what) = both(other, &change) {
                    let message = format!("{what} is changed at the same time by {}", other.name);
                    self.findings
                        .error("HL0608", &field.key, message)
                        .help("let one end before the other begins, or make one change of the two");
                }
            }
            all.push((change, field.key.clone()));
        }
        all.into_iter().map(|(change, _)| change).collect()
    }

    fn change(&mut self, name: &str, field: &Field, known: &BTreeSet<String>) -> Option<Change> {
        let mut fields = fields::inner(&mut self.findings, format!("the change {name}"), field)?;
        if !super::is_name(name) {
            self.findings
                .error("HL0105", &field.key, format!("`{name}` cannot be a change's name"))
                .help("a name has small letters, digits and -, at most 40, and is not human or repeat");
        }
        let times = self.times(&mut fields);
        let numbers = self.numbers_of(&mut fields, known);
        let queues = self.queues_of(&mut fields);
        let greeting = fields.get("greeting").map(|f| {
            let doors = numbers.iter().map(|n| Door::Number(n.clone()));
            self.said_by_all(f, &doors.collect::<Vec<_>>())
        });
        let menu = self.first_menu(&mut fields, &numbers);
        let closed = self.shut(&mut fields, &queues);
        let banner = self.banner_of(&mut fields, (&numbers, &queues), known);
        self.about(&mut fields, &numbers, &queues);
        fields.finish(&mut self.findings);
        let (from, to) = times?;
        let name = name.to_owned();
        Some(Change { name, from, to, numbers, queues, greeting, menu, closed, banner })
    }

    /// `from` and `to`, on the wall of the calendar's time zone.
    fn times(&mut self, fields: &mut Fields<'_>) -> Option<(UtcTime, UtcTime)> {
        let (from, to) = (fields.needed(&mut self.findings, "from"), fields.needed(&mut self.findings, "to"));
        let (from_at, to_at) = (self.moment(from), self.moment(to));
        let (from, to, place) = (from_at?, to_at?, to?.place);
        let length = to.as_micros().saturating_sub(from.as_micros());
        let wrong = match length {
            ..0 => "this change ends before it begins",
            0 => "this change ends when it begins: it never holds",
            1..=LONGEST_US => return Some((from, to)),
            _ => "this change lasts for more than a year",
        };
        self.findings
            .error("HL0607", place, wrong)
            .help("`to` is the first moment after `from` at which all is as before");
        None
    }

    fn moment(&mut self, word: Option<Word<'_>>) -> Option<UtcTime> {
        let word = word?;
        // A day alone would be its midnight, which few mean who write an end.
        let at = self.zone.as_ref().filter(|_| word.text.contains(':'));
        let at = at.and_then(|zone| zone.parse(word.text));
        if at.is_none() {
            self.findings
                .error("HL0606", word.place, format!("`{}` is not a moment", word.text))
                .help("write day and time as the clock on the wall shows them: \"2026-03-07T18:00\"");
        }
        at
    }

    fn numbers_of(&mut self, fields: &mut Fields<'_>, known: &BTreeSet<String>) -> BTreeSet<String> {
        let words = fields.get("numbers").map(|f| fields::words(&mut self.findings, &f.node));
        let mut numbers = BTreeSet::new();
        for word in words.unwrap_or_default() {
            if known.contains(word.text) {
                numbers.insert(word.text.to_owned());
                continue;
            }
            let message = format!("callers cannot dial {}", word.text);
            let found = self.findings.error("HL0204", word.place, message);
            match fields::nearest(word.text, known.iter().map(String::as_str)) {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found.help("a number is a table of numbers.toml: [NUMBER]"),
            }
        }
        numbers
    }

    fn queues_of(&mut self, fields: &mut Fields<'_>) -> BTreeSet<QueueId> {
        let words = fields.get("queues").map(|f| fields::words(&mut self.findings, &f.node));
        words.unwrap_or_default().into_iter().filter_map(|word| self.queue_name(word)).collect()
    }

    /// What is said at several doors: each must be able to say it in its languages.
    fn said_by_all(&mut self, field: &Field, doors: &[Door]) -> Vec<Phrase> {
        // Without a door it is read all the same, for its mistakes.
        let nobody = Door::Number(String::new());
        let mut phrases = self.phrases(&field.node, doors.first().unwrap_or(&nobody));
        for door in doors.iter().skip(1) {
            phrases = self.phrases(&field.node, door);
        }
        phrases
    }

    fn first_menu(&mut self, fields: &mut Fields<'_>, numbers: &BTreeSet<String>) -> Option<MenuId> {
        let word = fields.word(&mut self.findings, "menu")?;
        let menu = self.menu_name(word)?;
        for number in numbers {
            let to = Target::Menu(menu.clone());
            self.way(&Door::Number(number.clone()), &to, By::Itself, word.place);
        }
        Some(menu)
    }

    fn shut(&mut self, fields: &mut Fields<'_>, queues: &BTreeSet<QueueId>) -> Option<Target> {
        let word = fields.word(&mut self.findings, "closed")?;
        if queues.contains(self.human()) {
            let message = format!("the queue {} is behind key 0 and never closes", self.human());
            self.findings
                .error("HL0503", word.place, message)
                .help("take it out of `queues`; with `banner` callers are told what they wait for");
        }
        let target = self.target(word, None)?;
        if target == Target::HangUp {
            self.unannounced(word);
            return None;
        }
        for queue in queues {
            self.way(&Door::Queue(queue.clone()), &target, By::Closed, word.place);
        }
        Some(target)
    }

    fn banner_of(
        &mut self,
        fields: &mut Fields<'_>,
        (numbers, queues): (&BTreeSet<String>, &BTreeSet<QueueId>),
        known: &BTreeSet<String>,
    ) -> Option<PromptId> {
        let word = fields.word(&mut self.findings, "banner")?;
        let all = numbers.is_empty() && queues.is_empty();
        let numbers = if all { known } else { numbers };
        let doors = numbers.iter().map(|n| Door::Number(n.clone()));
        let doors = doors.chain(queues.iter().map(|q| Door::Queue(q.clone())));
        doors.map(|door| self.prompt(word, &door)).last()
    }

    /// A change that says nothing, or says it of nothing.
    fn about(&mut self, fields: &mut Fields<'_>, numbers: &BTreeSet<String>, queues: &BTreeSet<QueueId>) {
        let there = |fields: &mut Fields<'_>, name| fields.get(name).map(|f| f.key.clone());
        let of_numbers = there(fields, "greeting").or_else(|| there(fields, "menu"));
        let of_queues = there(fields, "closed");
        let named = (there(fields, "numbers").is_some(), there(fields, "queues").is_some());
        let mut wrong = |place: &Place, what: &str, help: &str| {
            self.findings.error("HL0609", place, what).help(help);
        };
        if of_numbers.is_none() && of_queues.is_none() && there(fields, "banner").is_none() {
            let help = "say what: greeting, menu, closed or banner";
            wrong(&fields.place, "this change changes nothing", help);
        }
        if let Some(place) = of_numbers.filter(|_| numbers.is_empty() && !named.0) {
            wrong(&place, "a greeting or a menu of which number?", "name them: numbers = [\"95188\"]");
        }
        if let Some(place) = of_queues.filter(|_| queues.is_empty() && !named.1) {
            wrong(&place, "which queue is closed?", "name them: queues = [\"loans\"]");
        }
    }
}

/// What two changes would change at one moment.
fn both(a: &Change, b: &Change) -> Option<String> {
    if a.to <= b.from || b.to <= a.from {
        return None;
    }
    let everywhere = |c: &Change| c.banner.is_some() && c.numbers.is_empty() && c.queues.is_empty();
    let says = a.banner.is_some() && b.banner.is_some();
    if says && (everywhere(a) && everywhere(b) || everywhere(a) != everywhere(b) && reaches_numbers(a, b)) {
        return Some("the banner".to_owned());
    }
    let number = a.numbers.intersection(&b.numbers).next();
    let queue = a.queues.intersection(&b.queues).next();
    match (number, queue) {
        (Some(number), _) if a.greeting.is_some() && b.greeting.is_some() => {
            Some(format!("the greeting of {number}"))
        }
        (Some(number), _) if a.menu.is_some() && b.menu.is_some() => {
            Some(format!("the first menu of {number}"))
        }
        (Some(number), _) if says => Some(format!("the banner of {number}")),
        (_, Some(queue)) if a.closed.is_some() && b.closed.is_some() => Some(format!("the queue {queue}")),
        (_, Some(queue)) if says => Some(format!("the banner of the queue {queue}")),
        _ => None,
    }
}

/// One of the two is a banner of all numbers, the other one of some.
fn reaches_numbers(a: &Change, b: &Change) -> bool {
    !a.numbers.is_empty() || !b.numbers.is_empty()
}
