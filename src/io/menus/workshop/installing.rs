//! How a set comes to hold: from the files, as it was sent, or as it was kept; checked, kept, handed to control.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Held, NAMED, Workshop, in_force};
use crate::base::AgentId;
use crate::exchange::TapeMenus;
use crate::exchange::menu::{Diagnostic, MenuSet};
use crate::io::ask::Installing;
use crate::io::menu_files;
use crate::io::menus::boot::{Bench, in_words, load};
use crate::io::menus::keeper::changes;
use crate::io::menus::orders::{By, Files, INSTALL, Outcome, ROLL_BACK};
use crate::io::menus::source::{Good, Source};
use crate::io::menus::stamps::{self, Stamps};
use crate::io::secrets;
use crate::sip::Account;

impl Workshop {
    pub(super) fn stamps(&self) -> Stamps {
        stamps::look(&self.bench.places.0, &self.bench.places.1)
    }

    /// What the files are, if not this.
    pub(super) fn apart_from(&self, revision: &str) -> Option<String> {
        let files = self.bench.files_revision.clone().unwrap_or_default();
        (files != revision).then_some(files)
    }

    /// A set that was sent: what is not sent with it is as it is.
    pub(super) fn sent(&self, files: Files) -> Result<Source, Outcome> {
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

    pub(super) async fn take_files(&mut self, stamps: Stamps, by: &By, wanted: bool) -> Outcome {
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
    pub(super) async fn install(&mut self, source: Source, by: &By, apart_from: Option<String>) -> Outcome {
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

    /// A kept set holds again. It was checked when it came; what could keep it from holding now is in nobody's interest.
    pub(super) async fn roll_back(&mut self, to: Option<&str>, by: &By) -> Outcome {
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
}
