//! What is wanted of the workshop, and what became of it. Orders wait in a bounded line; whoever finds it full comes again.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::keeper::Row;
use crate::exchange::Deed;
use crate::exchange::menu::Diagnostic;
use crate::io::ask::{AskError, Asker};

/// Orders that may wait: beyond, whoever comes is told to come again.
const WAITING: usize = 8;

/// What the audit calls it when a set is to hold that was not kept before.
pub(in crate::io) const INSTALL: &str = "menus install";
/// And one that was.
pub(in crate::io) const ROLL_BACK: &str = "menus roll back";

/// Orders with the way back of each.
pub(super) type Orders = mpsc::Receiver<(Job, oneshot::Sender<Outcome>)>;

/// Who wants something.
#[derive(Debug, Clone)]
pub(in crate::io) struct By {
    /// His name.
    pub who: String,
    /// Where he is.
    pub from: String,
}

impl By {
    /// What he did, for the audit.
    pub(in crate::io) fn deed(&self, what: &str, about: String, outcome: String) -> Deed {
        Deed { who: self.who.clone(), from: self.from.clone(), what: what.to_owned(), about, outcome }
    }
}

/// A set that is sent, not found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// All files of the menus: name -> text.
    pub menus: BTreeMap<String, String>,
    /// The audio manifest; without it that of the set that holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// The revision that this set was made from: if another one holds, it is not installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// What is wanted.
#[derive(Debug)]
pub(in crate::io) enum Job {
    /// Check a set, and change nothing.
    Validate(Files),
    /// Install a set; `None`: that of the files, now.
    Install(Option<Files>, By),
    /// Take a kept set back; `None`: the one before.
    RollBack(Option<String>, By),
    /// What is kept.
    Revisions,
}

impl Job {
    /// Who wants what changed; `None`: it changes nothing.
    fn change(&self) -> Option<(&By, &'static str)> {
        match self {
            Self::Install(_, by) => Some((by, INSTALL)),
            Self::RollBack(_, by) => Some((by, ROLL_BACK)),
            Self::Validate(_) | Self::Revisions => None,
        }
    }
}

/// What became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::io) enum Outcome {
    /// It may be installed; warnings.
    Good(Vec<Diagnostic>),
    /// It has mistakes, and was not installed.
    Mistakes(Vec<Diagnostic>),
    /// It holds.
    Installed {
        /// Its number.
        number: u64,
        /// Its revision.
        revision: String,
        /// What it changed.
        changed: Vec<String>,
        /// What is doubtful.
        warnings: Vec<Diagnostic>,
    },
    /// It held already.
    Unchanged {
        /// Its revision.
        revision: String,
    },
    /// Another one holds than the one it was made from, or there is nothing to go back to.
    Conflict(String),
    /// Nothing of that name is kept.
    NotFound(String),
    /// It cannot be a set.
    Bad(String),
    /// The files are being written just now: nothing changed, and it may be tried again.
    NotYet(String),
    /// The disk or the server could not do it: nothing changed.
    Failed(String),
    /// It holds, but the disk did not confirm that it will after a crash.
    Unconfirmed(String),
    /// What is kept, the newest first.
    Revisions(Vec<RowTold>),
}

impl Outcome {
    /// What the audit has of it: about what, and what became of it. `None`: control notes what it does itself, and
    /// nothing is noted of what changes nothing.
    pub(super) fn noted(&self) -> Option<(String, String)> {
        let refused = |why: &str| Some((String::new(), format!("refused: {why}")));
        match self {
            Self::Good(_) | Self::Revisions(_) | Self::Installed { .. } | Self::Unconfirmed(_) => None,
            Self::Unchanged { revision } => Some((revision.clone(), "it held already".to_owned())),
            Self::Mistakes(found) => {
                let errors: Vec<String> =
                    found.iter().filter(|d| d.is_error()).map(Diagnostic::line).collect();
                refused(&in_short(&errors))
            }
            Self::Conflict(why)
            | Self::NotFound(why)
            | Self::Bad(why)
            | Self::NotYet(why)
            | Self::Failed(why) => refused(why),
        }
    }
}

/// The first of several mistakes, and how many there are.
fn in_short(why: &[String]) -> String {
    let first = why.first().map_or("", String::as_str);
    if why.len() > 1 { format!("{} mistakes, the first: {first}", why.len()) } else { first.to_owned() }
}

/// A kept set, as it is shown.
#[derive(Debug, Serialize)]
pub(in crate::io) struct RowTold {
    /// The set.
    #[serde(flatten)]
    pub(super) row: Row,
    /// It holds.
    pub(super) holds: bool,
    /// It holds apart from the files.
    pub(super) apart: bool,
}

/// The way to the workshop.
#[derive(Debug, Clone)]
pub(in crate::io) struct MenuDesk {
    to: mpsc::Sender<(Job, oneshot::Sender<Outcome>)>,
    asker: Asker,
}

impl MenuDesk {
    /// The way, and its end in the workshop.
    pub(super) fn open(asker: Asker) -> (Self, Orders) {
        let (to, orders) = mpsc::channel(WAITING);
        (Self { to, asker }, orders)
    }

    /// Has something done. The workshop notes what became of a change; here is noted what it had no room for.
    pub(in crate::io) async fn order(&self, job: Job) -> Result<Outcome, AskError> {
        let refused = job.change().map(|(by, what)| by.deed(what, String::new(), String::new()));
        let outcome = self.hand_in(job).await;
        if let (Err(e), Some(deed)) = (&outcome, refused) {
            // That it was refused is answered, whether the disk has the note or not.
            self.asker.note(Deed { outcome: format!("refused: {e}"), ..deed }).await.ok();
        }
        outcome
    }

    async fn hand_in(&self, job: Job) -> Result<Outcome, AskError> {
        let (back, outcome) = oneshot::channel();
        self.to.try_send((job, back)).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => AskError::Busy,
            mpsc::error::TrySendError::Closed(_) => AskError::Gone,
        })?;
        outcome.await.map_err(|_| AskError::Gone)
    }
}
