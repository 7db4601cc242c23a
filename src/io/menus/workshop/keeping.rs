//! What the store has of the sets: each that held, and which one holds. What it could not take is tried again.
use std::sync::atomic::Ordering;

use super::Workshop;
use crate::io::menus::figures::RefusedTold;
use crate::io::menus::keeper::{Current, Row};
use crate::io::menus::orders::By;
use crate::io::menus::source::Source;

impl Workshop {
    pub(super) fn keep_first(&mut self) {
        let held = self.keep_holding();
        let number =
            held.inspect_err(|error| tracing::error!(%error, "the menus that hold cannot be kept")).ok();
        let (apart, at_us) = (self.bench.apart, self.clock.now().utc.as_micros());
        let (refused, unkept) = (self.bench.refused.take(), self.unkept.is_some());
        self.bench.number = number;
        self.bench.figures.tell(|told| {
            told.number = number;
            told.apart = apart;
            told.unkept = number.is_none() || unkept;
            told.refused = refused.map(|why| RefusedTold { at_us, who: "start".to_owned(), why });
        });
        self.bench.figures.held.store(1, Ordering::Relaxed);
    }

    /// The set that the start began with is kept as any other; its number.
    fn keep_holding(&mut self) -> std::io::Result<u64> {
        let revision = self.bench.set.revision.clone();
        let current = self.bench.keeper.current().cloned();
        let known = self.bench.number.or_else(|| {
            let rows = self.bench.keeper.rows();
            // A kill between a set and the note that it holds leaves the set alone.
            let row = match &current {
                Some(current) => rows.iter().find(|row| row.number == current.number),
                None => rows.last(),
            }?;
            (row.revision == revision).then_some(row.number)
        });
        let apart_from = self.bench.files_revision.clone().filter(|_| self.bench.apart);
        let number = if let Some(number) = known {
            number
        } else {
            let by = self.by("start");
            let source = self.bench.source.clone();
            self.keep(&by, &source, Vec::new())?
        };
        let now = Current { number, apart_from };
        if current.as_ref() != Some(&now) && !(self.bench.apart && self.bench.files_revision.is_none()) {
            self.unkept = self.bench.keeper.hold(now.clone()).is_err().then_some(now);
        }
        Ok(number)
    }

    pub(super) fn keep(&mut self, by: &By, source: &Source, changed: Vec<String>) -> std::io::Result<u64> {
        let row = Row {
            number: 0,
            revision: source.revision(),
            at_us: self.clock.now().utc.as_micros(),
            who: by.who.clone(),
            from: by.from.clone(),
            changed,
        };
        self.bench.keeper.keep(row, source)
    }

    /// Notes which set holds, for people and for the next start.
    pub(super) fn holds(&mut self, number: u64, apart_from: Option<String>) -> std::io::Result<()> {
        let (apart, now) = (apart_from.is_some(), Current { number, apart_from });
        let kept = self.bench.keeper.hold(now.clone());
        if let Err(error) = &kept {
            tracing::error!(number, %error, "a restart would not know which menus hold");
        }
        self.unkept = kept.is_err().then_some(now);
        (self.bench.number, self.bench.apart) = (Some(number), apart);
        self.bench.figures.tell(|told| {
            told.number = Some(number);
            told.apart = apart;
            told.unkept = kept.is_err();
            told.refused = None;
        });
        kept
    }

    /// The disk could not take which set holds: perhaps it can now.
    pub(super) fn keep_again(&mut self) {
        let number = match (self.bench.number, self.unkept.take()) {
            (Some(_), None) => return,
            (None, _) => self.keep_holding(),
            (Some(number), Some(now)) => {
                let kept = self.bench.keeper.hold(now.clone());
                self.unkept = kept.is_err().then_some(now);
                kept.map(|()| number)
            }
        };
        let Ok(number) = number else { return };
        let unkept = self.unkept.is_some();
        if !unkept {
            tracing::info!(number, "a restart would know which menus hold");
        }
        self.bench.number = Some(number);
        self.bench.figures.tell(|told| {
            told.number = Some(number);
            told.unkept = unkept;
        });
    }
}
