//! `calendar.toml`: the time zone, holidays, swapped working days, and opening hours by name.
use std::collections::BTreeMap;

use super::{AllHours, Resolver};
use crate::exchange::menu::diagnostic::Place;
use crate::exchange::menu::fields::{self, Fields};
use crate::exchange::menu::hours::{Day, Hours, Span, Zone};
use crate::exchange::menu::raw::{Field, Node};

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// The longest range of dates that one line may name, in days.
const DAYS: usize = 366;

impl Resolver<'_> {
    pub(super) fn calendar(&mut self, mut file: Fields<'_>) -> AllHours {
        let holidays = self.dates(&mut file, "holidays");
        let workdays = self.dates(&mut file, "workdays");
        for (day, (_, place)) in &workdays {
            if let Some((name, _)) = holidays.get(day) {
                self.findings
                    .error("HL0604", place, format!("{day} is a holiday ({name}) and a working day"))
                    .help("take it out of one of the two");
            }
        }
        let names = |dates: BTreeMap<Day, (String, Place)>| -> BTreeMap<Day, String> {
            dates.into_iter().map(|(day, (name, _))| (day, name)).collect()
        };
        let (holidays, workdays) = (names(holidays), names(workdays));
        let zone = self.zone(&mut file);
        self.zone.clone_from(&zone);
        let mut all = AllHours::new();
        if let Some(table) = file.table(&mut self.findings, "hours") {
            for (name, field) in table.rest() {
                let Some(mut fields) = fields::inner(&mut self.findings, format!("the hours {name}"), field)
                else {
                    continue;
                };
                self.hours_places.insert(name.to_owned(), field.key.clone());
                let own = if fields.has("timezone") { self.zone(&mut fields) } else { zone.clone() };
                let read = self.hours(fields);
                let Some(zone) = own else {
                    if zone.is_none() && !file.has("timezone") {
                        file.missing("timezone");
                    }
                    continue;
                };
                let hours = Hours {
                    zone,
                    holidays: holidays.clone(),
                    workdays: workdays.clone(),
                    week: read.week,
                    holiday: read.holiday,
                    dates: read.dates,
                };
                all.insert(name.to_owned(), hours);
            }
        }
        file.finish(&mut self.findings);
        all
    }

    fn zone(&mut self, fields: &mut Fields<'_>) -> Option<Zone> {
        let word = fields.word(&mut self.findings, "timezone")?;
        let zone = Zone::named(word.text);
        if zone.is_none() {
            self.findings
                .error("HL0601", word.place, format!("there is no time zone `{}`", word.text))
                .help("use a name of the IANA tables, e.g. Asia/Shanghai or Europe/London");
        }
        zone
    }

    fn hours(&mut self, mut fields: Fields<'_>) -> Read {
        let mut read = Read { week: Default::default(), holiday: Vec::new(), dates: BTreeMap::new() };
        let mut given: [Option<&str>; 7] = [None; 7];
        if !fields.has("holiday") {
            self.findings
                .error("HL0104", &fields.place, format!("{} need `holiday`", fields.what))
                .help("say what holds on holidays: holiday = \"closed\", or hours");
        }
        if let Some(field) = fields.get("holiday") {
            read.holiday = self.spans(&field.node);
        }
        if let Some(dates) = fields.table(&mut self.findings, "dates") {
            for (text, field) in dates.rest() {
                let spans = self.spans(&field.node);
                for day in self.days(text, &field.key) {
                    read.dates.insert(day, spans.clone());
                }
            }
        }
        let _ = fields.has("timezone");
        for (name, field) in fields.rest() {
            let Some(days) = weekdays(name) else {
                self.findings
                    .error("HL0102", &field.key, format!("`{name}` is no day of the week"))
                    .help("mon, tue, wed, thu, fri, sat, sun, or a range: mon-fri");
                continue;
            };
            let spans = self.spans(&field.node);
            for day in days {
                let (Some(slot), Some(before)) = (read.week.get_mut(day), given.get_mut(day)) else {
                    continue;
                };
                if let Some(first) = before {
                    let weekday = WEEKDAYS.get(day).copied().unwrap_or("");
                    let message = format!("{weekday} has hours already, by `{first}`");
                    self.findings.error("HL0602", &field.key, message);
                }
                *before = Some(name);
                slot.clone_from(&spans);
            }
        }
        read
    }

    /// `"closed"`, `"09:00-18:00"`, or a list of such.
    fn spans(&mut self, node: &Node) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for word in fields::words(&mut self.findings, node) {
            if word.text == "closed" {
                continue;
            }
            let Some(span) = Span::parse(word.text) else {
                self.findings
                    .error("HL0602", word.place, format!("`{}` is not a time of opening", word.text))
                    .help("write 09:00-18:00, 22:00-06:00 (past midnight), 00:00-24:00 (all day), or closed");
                continue;
            };
            if spans.iter().any(|s| s.from < span.to && span.from < s.to) {
                self.findings.error("HL0602", word.place, format!("`{}` overlaps another", word.text));
            }
            spans.push(span);
        }
        spans
    }

    /// `[holidays]` or `[workdays]`: a date or a range of dates, with a name.
    fn dates(&mut self, file: &mut Fields<'_>, name: &'static str) -> BTreeMap<Day, (String, Place)> {
        let mut dates = BTreeMap::new();
        let Some(table) = file.table(&mut self.findings, name) else { return dates };
        for (text, field) in table.rest() {
            let named = self.date_name(field);
            for day in self.days(text, &field.key) {
                if let Some((first, _)) = dates.insert(day, (named.clone(), field.key.clone())) {
                    let message = format!("{day} is listed already, as {first}");
                    self.findings.error("HL0603", &field.key, message);
                }
            }
        }
        dates
    }

    fn date_name(&mut self, field: &Field) -> String {
        fields::word(&mut self.findings, &field.node).map(|word| self.short(word, 60)).unwrap_or_default()
    }

    /// `2026-02-17`, or `2026-02-15..2026-02-23`.
    fn days(&mut self, text: &str, place: &Place) -> Vec<Day> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let (first, last) = (Day::parse(first.trim()), Day::parse(last.trim()));
        let days: Vec<Day> = match (first, last) {
            (Some(first), Some(last)) => {
                std::iter::successors(Some(first), |d| Some(d.next()).filter(|next| next > d))
                    .take_while(|d| *d <= last)
                    .take(DAYS + 1)
                    .collect()
            }
            _ => Vec::new(),
        };
        if days.len() > DAYS {
            self.findings.error("HL0603", place, format!("`{text}` is more than a year"));
        }
        if days.is_empty() {
            self.findings
                .error("HL0603", place, format!("`{text}` is not a date"))
                .help("write 2026-02-17, or \"2026-02-15..2026-02-23\"");
        }
        days
    }
}

/// What a table of hours says.
struct Read {
    week: [Vec<Span>; 7],
    holiday: Vec<Span>,
    dates: BTreeMap<Day, Vec<Span>>,
}

/// `mon`, or `mon-fri`; 0 is Monday.
fn weekdays(name: &str) -> Option<std::ops::RangeInclusive<usize>> {
    let of = |text: &str| WEEKDAYS.iter().position(|d| *d == text);
    let (first, last) = name.split_once('-').unwrap_or((name, name));
    let (first, last) = (of(first)?, of(last)?);
    (first <= last).then_some(first..=last)
}
