//! The workshop: the thread on which sets of menus are read, checked, kept and handed to control. It looks at the files
//! every second, takes orders from the API and the commands, and runs after everybody else.
//!
//! Invariant: control is handed a finished set or nothing; a set that holds is on disk before whoever wanted it is told.
mod installing;
mod keeping;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::boot::Bench;
use super::figures::RefusedTold;
use super::in_force::{InForce, Notice};
use super::keeper::Current;
use super::orders::{By, INSTALL, Job, MenuDesk, Orders, Outcome, ROLL_BACK, RowTold};
use super::sounds::SoundFiles;
use super::stamps::Stamps;
use crate::base::{Rng, TrunkId};
use crate::exchange::menu::MenuSet;
use crate::io::Settings;
use crate::io::ask::Asker;
use crate::io::clock::Clock;
use crate::io::priority;
use crate::media::PromptLibrary;

/// So much of a name that does not exist is told back.
const NAMED: usize = 40;
/// Files that changed at so many looks in a row are told of.
const RESTLESS: u32 = 30;

/// A set that calls may keep: dropped here, not by control.
#[derive(Debug)]
struct Held {
    set: Arc<MenuSet>,
    library: Arc<PromptLibrary>,
    sounds: SoundFiles,
    /// Who has it beside calls.
    others: usize,
}

/// What is told of the set that holds.
fn in_force(bench: &Bench) -> InForce {
    let (set, library) = (Arc::clone(&bench.set), Arc::clone(&bench.library));
    InForce::new(set, library, (&bench.source, bench.keeper.sounds()))
}

/// See the module.
#[derive(Debug)]
pub(in crate::io) struct Workshop {
    bench: Bench,
    asker: Asker,
    jobs: Orders,
    clock: Clock,
    settings: Settings,
    trunks: Vec<TrunkId>,
    rng: Rng,
    held: Vec<Held>,
    notice: Notice,
    seen: Stamps,
    /// Looks in a row at which the files were others than at the one before.
    restless: u32,
    /// What the disk could not take of which set holds.
    unkept: Option<Current>,
    first: bool,
}

/// Watches for SIGHUP. Until somebody does, it ends the process.
pub(in crate::io) fn hangups() -> Option<Signal> {
    signal(SignalKind::hangup())
        .inspect_err(
            |e| tracing::warn!(error = %e, "SIGHUP cannot be watched; menus are looked at all the same"),
        )
        .ok()
}

impl Workshop {
    /// It works with what the start read; `settings` say where the files and the store are.
    pub(in crate::io) fn new(
        bench: Bench,
        asker: Asker,
        clock: Clock,
        (settings, rng): (Settings, Rng),
    ) -> (Self, MenuDesk, Notice) {
        let (desk, jobs) = MenuDesk::open(asker.clone());
        let notice = Notice::new(in_force(&bench));
        let trunks = settings.trunks.keys().cloned().collect();
        let seen = bench.taken.clone();
        let shop = Self {
            bench,
            asker,
            jobs,
            clock,
            settings,
            trunks,
            rng,
            held: Vec::new(),
            notice: notice.clone(),
            seen,
            restless: 0,
            unkept: None,
            first: true,
        };
        (shop, desk, notice)
    }

    /// Works until nobody can order anything any more.
    pub(in crate::io) async fn run(mut self, mut hangup: Option<Signal>) {
        priority::give_way();
        let every = self.settings.look_every;
        let mut looks = tokio::time::interval(if every.is_zero() { Duration::from_hours(1) } else { every });
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.keep_first();
        loop {
            let hung_up = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                job = self.jobs.recv() => {
                    let Some((job, back)) = job else { return };
                    let outcome = self.work(job).await;
                    // Whoever wanted it may be gone by now.
                    back.send(outcome).ok();
                }
                _ = looks.tick() => if every.is_zero() { self.keep_again() } else { self.look().await },
                _ = hung_up => self.hung_up().await,
            }
            self.let_go();
        }
    }

    async fn work(&mut self, job: Job) -> Outcome {
        match job {
            Job::Validate(files) => match self.sent(files) {
                Ok(source) => match source.check(&mut self.bench.sounds, Some(&self.trunks)) {
                    Ok(good) => Outcome::Good(good.warnings),
                    Err(found) => Outcome::Mistakes(found),
                },
                Err(outcome) => outcome,
            },
            Job::Install(files, by) => {
                let outcome = match files.map(|files| self.sent(files)) {
                    None => self.take_files(self.stamps(), &by, true).await,
                    Some(Ok(source)) => {
                        let apart_from = self.apart_from(&source.revision());
                        self.install(source, &by, apart_from).await
                    }
                    Some(Err(outcome)) => outcome,
                };
                self.note(&by, INSTALL, &outcome).await;
                outcome
            }
            Job::RollBack(to, by) => {
                let outcome = self.roll_back(to.as_deref(), &by).await;
                self.note(&by, ROLL_BACK, &outcome).await;
                outcome
            }
            Job::Revisions => self.revisions(),
        }
    }

    /// One row in the audit for each order, whatever became of it; what was done is noted by control in the same turn.
    async fn note(&self, by: &By, what: &str, outcome: &Outcome) {
        if let Some((about, outcome)) = outcome.noted() {
            // What became of it is told, whether the disk has the note or not.
            self.asker.note(by.deed(what, about, outcome)).await.ok();
        }
    }

    /// Looks at the files; what changed is taken when it was the same twice, so that nothing half-saved is.
    async fn look(&mut self) {
        let stamps = self.stamps();
        if stamps == self.bench.taken {
            (self.seen, self.restless) = (stamps, 0);
        } else if stamps == self.seen {
            let by = self.by("files");
            match self.take_files(stamps, &by, false).await {
                // Nobody asked for it, and nothing became of it.
                Outcome::Unchanged { .. } | Outcome::NotYet(_) => {}
                outcome => self.note(&by, INSTALL, &outcome).await,
            }
        } else {
            self.seen = stamps;
            self.restless += 1;
            if self.restless == RESTLESS {
                let why = "the files change all the time; they are taken when they rest".to_owned();
                let by = self.by("files");
                self.refuse(&by, vec![why.clone()]);
                self.note(&by, INSTALL, &Outcome::NotYet(why)).await;
            }
        }
        self.keep_again();
    }

    /// Somebody sent SIGHUP: the files hold, now, if they are others than before. An order like any other.
    async fn hung_up(&mut self) {
        let by = self.by("SIGHUP");
        let stamps = self.stamps();
        let outcome = if stamps == self.bench.taken {
            Outcome::Unchanged { revision: self.bench.set.revision.clone() }
        } else {
            self.take_files(stamps, &by, false).await
        };
        self.note(&by, INSTALL, &outcome).await;
    }

    /// Nobody's order: what the server finds in the folder of the files.
    fn by(&self, who: &str) -> By {
        By { who: who.to_owned(), from: self.bench.places.0.to_string() }
    }

    /// Nothing changed, and everybody is told why.
    fn refuse(&self, by: &By, why: Vec<String>) {
        const LINES: usize = 20;
        self.bench.figures.refused.fetch_add(1, Ordering::Relaxed);
        for line in why.iter().take(LINES) {
            tracing::error!(
                who = by.who,
                from = by.from,
                why = line,
                "menus are not installed; those before hold"
            );
        }
        let at_us = self.clock.now().utc.as_micros();
        let (who, why) = (by.who.clone(), why.into_iter().take(LINES).collect());
        self.bench.figures.tell(|told| told.refused = Some(RefusedTold { at_us, who, why }));
    }

    fn revisions(&self) -> Outcome {
        let rows = self.bench.keeper.rows().iter().rev();
        let told = rows.map(|row| {
            let holds = Some(row.number) == self.bench.number;
            RowTold { row: row.clone(), holds, apart: holds && self.bench.apart }
        });
        Outcome::Revisions(told.collect())
    }

    /// Sets that no call keeps any more go here, so that control never takes them apart.
    fn let_go(&mut self) {
        let before = self.held.len();
        self.held.retain(|held| {
            let calls = Arc::strong_count(&held.set) > 1 + held.others;
            let legs = Arc::strong_count(&held.library) > 1;
            calls || legs
        });
        self.bench.figures.held.store(1 + self.held.len() as u64, Ordering::Relaxed);
        if before != self.held.len() {
            self.forget(&SoundFiles::new());
        }
    }

    /// Forgets every sound that no set has, but these: refused files leave nothing behind.
    fn forget(&mut self, but: &SoundFiles) {
        let mut files: Vec<&SoundFiles> = self.held.iter().map(|held| &held.sounds).collect();
        files.extend([&self.bench.source.sounds, but]);
        self.bench.sounds.keep_only(&files);
    }
}
