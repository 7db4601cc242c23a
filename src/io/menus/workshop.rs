//! The workshop: the thread on which sets of menus are read, checked, kept and handed to control. It looks at the files
//! every second, takes orders from the API and the commands, and runs after everybody else.
//!
//! Invariant: control is handed a finished set or nothing; a set that holds is on disk before whoever wanted it is told.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::boot::{Bench, in_words, load};
use super::figures::RefusedTold;
use super::in_force::{InForce, Notice};
use super::keeper::{Current, Row, changes};
use super::orders::{By, Files, Job, MenuDesk, Orders, Outcome, RowTold};
use super::sounds::SoundFiles;
use super::source::{Good, Source};
use super::stamps::{self, Stamps};
use crate::base::{AgentId, Rng, TrunkId};
use crate::exchange::TapeMenus;
use crate::exchange::menu::{Diagnostic, MenuSet};
use crate::io::Settings;
use crate::io::ask::{Asker, Installing};
use crate::io::clock::Clock;
use crate::io::menu_files;
use crate::io::priority;
use crate::io::secrets;
use crate::media::PromptLibrary;
use crate::sip::Account;

/// So much of a name that does not exist is told back.
const NAMED: usize = 40;
/// Files that changed at so many looks in a row are told of.
const RESTLESS: u32 = 30;

/// What the audit calls it when a set is to hold that was not kept before.
const INSTALL: &str = "menus install";
/// And one that was.
const ROLL_BACK: &str = "menus roll back";

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
        let (desk, jobs) = MenuDesk::open();
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

    /// The set that the start began with is kept as any other; its number.
    fn keep_holding(&mut self) -> std::io::Result<u64> {
        let revision = self.bench.set.revision.clone();
        let current = self.bench.keeper.current().cloned();
        let known = self.bench.number.or_else(|| {
            let number = current.as_ref()?.number;
            let row = self.bench.keeper.rows().iter().find(|row| row.number == number)?;
            (row.revision == revision).then_some(number)
        });
        let apart_from = self.bench.files_revision.clone().filter(|_| self.bench.apart);
        let number = if let Some(number) = known {
            number
        } else {
            let by = By { who: "start".to_owned(), from: self.bench.places.0.to_string() };
            let source = self.bench.source.clone();
            self.keep(&by, &source, Vec::new())?
        };
        let now = Current { number, apart_from };
        if current.as_ref() != Some(&now) && !(self.bench.apart && self.bench.files_revision.is_none()) {
            self.unkept = self.bench.keeper.hold(now.clone()).is_err().then_some(now);
        }
        Ok(number)
    }

    fn keep_first(&mut self) {
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

    fn keep(&mut self, by: &By, source: &Source, changed: Vec<String>) -> std::io::Result<u64> {
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

    fn stamps(&self) -> Stamps {
        stamps::look(&self.bench.places.0, &self.bench.places.1)
    }

    /// What the files are, if not this.
    fn apart_from(&self, revision: &str) -> Option<String> {
        let files = self.bench.files_revision.clone().unwrap_or_default();
        (files != revision).then_some(files)
    }

    /// A set that was sent: what is not sent with it is as it is.
    fn sent(&self, files: Files) -> Result<Source, Outcome> {
        if let Some(base) = files.base.filter(|base| *base != self.bench.set.revision) {
            let holds = &self.bench.set.revision;
            let base: String = base.chars().take(NAMED).collect();
            return Err(Outcome::Conflict(format!("it was made from {base:?}, but {holds} holds by now")));
        }
        if let Some(name) = files.menus.keys().find(|name| !menu_files::is_ours(name)) {
            return Err(Outcome::Bad(format!("{name:?} cannot be the name of a menu's file")));
        }
        if files.menus.len() > menu_files::FILES_MAX {
            return Err(Outcome::Bad(format!("a set has at most {} files", menu_files::FILES_MAX)));
        }
        let source = self.bench.source.clone();
        let manifest = files.manifest.unwrap_or_else(|| source.manifest.clone());
        Ok(Source { menus: files.menus, manifest, ..source })
    }

    /// Looks at the files; what changed is taken when it was the same twice, so that nothing half-saved is.
    async fn look(&mut self) {
        let stamps = self.stamps();
        if stamps == self.bench.taken {
            (self.seen, self.restless) = (stamps, 0);
        } else if stamps == self.seen {
            let by = self.files();
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
                let by = self.files();
                self.refuse(&by, vec![why.clone()]);
                self.note(&by, INSTALL, &Outcome::NotYet(why)).await;
            }
        }
        self.keep_again();
    }

    /// Somebody sent SIGHUP: the files hold, now, if they are others than before. An order like any other.
    async fn hung_up(&mut self) {
        let by = By { who: "SIGHUP".to_owned(), from: self.bench.places.0.to_string() };
        let stamps = self.stamps();
        let outcome = if stamps == self.bench.taken {
            Outcome::Unchanged { revision: self.bench.set.revision.clone() }
        } else {
            self.take_files(stamps, &by, false).await
        };
        self.note(&by, INSTALL, &outcome).await;
    }

    fn files(&self) -> By {
        By { who: "files".to_owned(), from: self.bench.places.0.to_string() }
    }

    async fn take_files(&mut self, stamps: Stamps, by: &By, wanted: bool) -> Outcome {
        let Bench { places, sounds, .. } = &mut self.bench;
        let read = Source::read(&places.0, &places.1, sounds);
        let after = stamps::look(&places.0, &places.1);
        if after != stamps {
            self.seen = after;
            return Outcome::NotYet("the files are being written; try again".to_owned());
        }
        (self.bench.taken, self.restless) = (stamps, 0);
        let source = match read {
            Ok(source) => source,
            Err(error) => {
                self.bench.files_revision = None;
                let why = in_words(&error);
                self.refuse(by, vec![why.clone()]);
                return Outcome::Failed(why);
            }
        };
        let revision = source.revision();
        let same = self.bench.files_revision.replace(revision.clone()).is_some_and(|old| old == revision);
        if same && !wanted {
            self.bench.figures.unchanged.fetch_add(1, Ordering::Relaxed);
            if revision == self.bench.set.revision {
                self.bench.figures.tell(|told| told.refused = None);
            }
            return Outcome::Unchanged { revision };
        }
        let sounds = source.sounds.clone();
        let outcome = self.install(source, by, None).await;
        self.forget(&sounds);
        outcome
    }

    /// Checks a set and makes it hold.
    async fn install(&mut self, source: Source, by: &By, apart_from: Option<String>) -> Outcome {
        let revision = source.revision();
        if revision == self.bench.set.revision
            && let Some(number) = self.bench.number
        {
            self.bench.figures.unchanged.fetch_add(1, Ordering::Relaxed);
            self.holds(number, apart_from).ok();
            return Outcome::Unchanged { revision };
        }
        let good = match source.check(&mut self.bench.sounds, Some(&self.trunks)) {
            Ok(good) => good,
            Err(found) => {
                let errors = found.iter().filter(|d| d.is_error());
                self.refuse(by, errors.map(Diagnostic::line).collect());
                return Outcome::Mistakes(found);
            }
        };
        let changed = changes(&self.bench.source, &source);
        let number = match self.keep(by, &source, changed.clone()) {
            Ok(number) => number,
            Err(error) => {
                let why = format!("the set cannot be kept in the store, so it is not installed: {error}");
                self.refuse(by, vec![why.clone()]);
                return Outcome::Failed(why);
            }
        };
        let outcome = self.hand_over(source, good, (number, apart_from), (by, INSTALL)).await;
        match outcome {
            Ok((warnings, true)) => Outcome::Installed { number, revision, changed, warnings },
            Ok((_, false)) => Outcome::Unconfirmed(format!("set {number} ({revision}) holds")),
            Err(why) => {
                self.bench.keeper.discard(number);
                self.refuse(by, vec![why.clone()]);
                Outcome::Failed(why)
            }
        }
    }

    /// Gives control a set. `true`: it is on disk that it holds.
    async fn hand_over(
        &mut self,
        source: Source,
        good: Good,
        (number, apart_from): (u64, Option<String>),
        (by, what): (&By, &str),
    ) -> Result<(Vec<Diagnostic>, bool), String> {
        let Good { mut set, warnings } = good;
        let (library, errors) = self.bench.sounds.library(&source.sounds, &source.place);
        for error in errors {
            tracing::error!(error, "a prompt cannot be played");
        }
        let shared = set.share_with(&self.bench.set);
        let figures = &self.bench.figures;
        let add = |to: &AtomicU64, n: usize| to.fetch_add(n as u64, Ordering::Relaxed);
        add(&figures.menus_shared, shared);
        add(&figures.menus_new, set.menus.len() - shared);
        let (set, library) = (Arc::new(set), Arc::new(library));
        let about = format!("{number} {}", set.revision);
        let tape = self.settings.tape.is_some().then(|| TapeMenus {
            revision: set.revision.clone(),
            menus: source.menus.clone(),
            manifest: source.manifest.clone(),
        });
        let installing = Installing {
            set: Arc::clone(&set),
            library: Arc::clone(&library),
            accounts: self.accounts(&set)?,
            tape,
            deed: by.deed(what, about, "done".to_owned()),
        };
        let recorded = self.asker.install(installing).await.map_err(|e| e.to_string())?;
        let Some(recorded) = recorded else { return Err("sound is too busy; try again".to_owned()) };
        tracing::info!(
            number,
            revision = set.revision,
            who = by.who,
            from = by.from,
            what,
            "menus installed"
        );
        let old = Held {
            set: std::mem::replace(&mut self.bench.set, set),
            library: std::mem::replace(&mut self.bench.library, library),
            sounds: std::mem::replace(&mut self.bench.source, source).sounds,
            // The server shows what it began with.
            others: usize::from(std::mem::take(&mut self.first)),
        };
        self.notice.write(in_force(&self.bench));
        self.held.push(old);
        self.let_go();
        let kept = self.holds(number, apart_from);
        Ok((warnings, recorded && kept.is_ok()))
    }

    /// Notes which set holds, for people and for the next start.
    fn holds(&mut self, number: u64, apart_from: Option<String>) -> std::io::Result<()> {
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
    fn keep_again(&mut self) {
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

    /// Accounts of the set's agents, if they are others than before: passwords are made for those who are new.
    fn accounts(&mut self, set: &MenuSet) -> Result<Option<BTreeMap<String, Account>>, String> {
        if set.acd.agents.keys().eq(self.bench.set.acd.agents.keys()) {
            return Ok(None);
        }
        let agents: Vec<AgentId> = set.acd.agents.keys().cloned().collect();
        let path = self.settings.store.join("secrets.json");
        let secrets = secrets::agents(&path, &agents, &mut self.rng).map_err(|e| e.to_string())?;
        for agent in &secrets.fresh {
            tracing::info!(%agent, file = %path.display(), "a password was made for a new agent");
        }
        let realm = &self.settings.realm;
        let account = |(agent, secret): (&AgentId, &secrets::Secret)| {
            let account = Account::from_password(agent.as_str(), realm, secret.expose());
            (agent.as_str().to_owned(), account)
        };
        Ok(Some(secrets.of.iter().map(account).collect()))
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

    /// A kept set holds again. It was checked when it came; what could keep it from holding now is in nobody's interest.
    async fn roll_back(&mut self, to: Option<&str>, by: &By) -> Outcome {
        let keeper = &self.bench.keeper;
        let found = match to {
            Some(what) => {
                let name: String = what.chars().take(NAMED).collect();
                keeper.find(what).ok_or_else(|| Outcome::NotFound(format!("no set {name:?} is kept")))
            }
            None => {
                keeper.before().ok_or_else(|| Outcome::Conflict("no set before this one is kept".to_owned()))
            }
        };
        let row = match found {
            Ok(row) => row.clone(),
            Err(outcome) => return outcome,
        };
        if Some(row.number) == self.bench.number {
            return Outcome::Unchanged { revision: row.revision };
        }
        let Bench { keeper, sounds, .. } = &mut self.bench;
        let source = match load(keeper, row.number, sounds) {
            Ok(source) if source.revision() == row.revision => source,
            Ok(_) => return Outcome::Failed(format!("set {} is not on disk as it was kept", row.number)),
            Err(error) => return Outcome::Failed(format!("set {} cannot be read: {error}", row.number)),
        };
        let good = match source.glance() {
            Ok(good) => Good { set: MenuSet { revision: row.revision.clone(), ..good.set }, ..good },
            Err(found) => return Outcome::Mistakes(found),
        };
        let changed = changes(&self.bench.source, &source);
        let apart_from = self.apart_from(&row.revision);
        let outcome = self.hand_over(source, good, (row.number, apart_from), (by, ROLL_BACK)).await;
        let (number, revision) = (row.number, row.revision);
        match outcome {
            Ok((warnings, recorded)) => {
                self.bench.figures.rolled_back.fetch_add(1, Ordering::Relaxed);
                if recorded {
                    Outcome::Installed { number, revision, changed, warnings }
                } else {
                    Outcome::Unconfirmed(format!("set {number} ({revision}) holds"))
                }
            }
            Err(why) => Outcome::Failed(why),
        }
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
