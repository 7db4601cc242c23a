//! What people and programs ask of a running server, and how they reach the control loop: a bounded channel, each
//! question with its own way back. Nobody who asks can make a call wait: a full channel is answered "busy".
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::base::CallId;
use crate::exchange::menu::MenuSet;
use crate::exchange::{Banner, Deed, TapeMenus};
use crate::media::PromptLibrary;
use crate::node::NodeView;
use crate::sip::Account;

/// Questions that may wait for the control loop.
const WAITING: usize = 64;

/// A question to the control loop.
#[derive(Debug)]
pub(super) enum Ask {
    /// Are you there?
    Ping(oneshot::Sender<()>),
    /// All that is going on.
    View(oneshot::Sender<Box<NodeView>>),
    /// The SIP of a call as a ladder; `None` when nothing of it is kept.
    Ladder(CallId, oneshot::Sender<Option<String>>),
    /// End a call; whether there is such a call.
    EndCall(CallId, oneshot::Sender<bool>),
    /// Install a set of menus; whether that is on disk. `None`: sound has no room for it, and nothing was done.
    Install(Box<Installing>, oneshot::Sender<Option<bool>>),
    /// Put a banner on, or take it off, and note who did; whether that is on disk. `None`: sound has no room for it, and
    /// nothing was done.
    Banner(Option<Box<Posting>>, Box<Deed>, oneshot::Sender<Option<bool>>),
    /// The banner that is on.
    Posted(oneshot::Sender<Option<Banner>>),
    /// Note who changed something; whether the note is on disk.
    Note(Box<Deed>, oneshot::Sender<bool>),
}

/// A set of menus, finished: control has nothing to make of it.
#[derive(Debug)]
pub(super) struct Installing {
    /// The set.
    pub set: Arc<MenuSet>,
    /// Its sounds.
    pub library: Arc<PromptLibrary>,
    /// Who may register, if that changes.
    pub accounts: Option<BTreeMap<String, Account>>,
    /// For the tape of inputs, if there is one.
    pub tape: Option<TapeMenus>,
    /// For the record.
    pub deed: Deed,
}

/// A banner, finished.
#[derive(Debug)]
pub(super) struct Posting {
    /// The banner.
    pub banner: Banner,
    /// What every leg can be played from now on: its sounds, and those of the last ones.
    pub board: Arc<PromptLibrary>,
}

/// Why a question found no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize)]
pub(super) enum AskError {
    /// Too many questions wait already; ask again.
    #[error("the server is busy; ask again")]
    Busy,
    /// The server is going down.
    #[error("the server is going down")]
    Gone,
}

/// The way to the control loop, to be cloned.
#[derive(Debug, Clone)]
pub(super) struct Asker(mpsc::Sender<Ask>);

/// The way and its end in the control loop.
pub(super) fn asking() -> (Asker, mpsc::Receiver<Ask>) {
    let (to, from) = mpsc::channel(WAITING);
    (Asker(to), from)
}

impl Asker {
    /// All that is going on.
    pub(super) async fn view(&self) -> Result<Box<NodeView>, AskError> {
        self.ask(Ask::View).await
    }
    /// The SIP of a call as a ladder.
    pub(super) async fn ladder(&self, call: CallId) -> Result<Option<String>, AskError> {
        self.ask(|back| Ask::Ladder(call, back)).await
    }
    /// Whether the control loop answers.
    pub(super) async fn ping(&self) -> Result<(), AskError> {
        self.ask(Ask::Ping).await
    }
    /// End a call.
    pub(super) async fn end_call(&self, call: CallId) -> Result<bool, AskError> {
        self.ask(|back| Ask::EndCall(call, back)).await
    }

    /// Has a set of menus installed between two inputs; whether that is on disk. `None`: sound has no room for it.
    pub(super) async fn install(&self, installing: Installing) -> Result<Option<bool>, AskError> {
        self.ask(|back| Ask::Install(Box::new(installing), back)).await
    }

    /// Puts a banner on, or takes it off, and notes who did; whether that is on disk. `None`: sound has no room for it.
    pub(super) async fn banner(&self, on: Option<Posting>, deed: Deed) -> Result<Option<bool>, AskError> {
        self.ask(|back| Ask::Banner(on.map(Box::new), Box::new(deed.cut()), back)).await
    }
    /// The banner that is on.
    pub(super) async fn posted(&self) -> Result<Option<Banner>, AskError> {
        self.ask(Ask::Posted).await
    }

    /// Notes who changed something, or tried to; whether that is on disk. A server that is busy is asked again: what was
    /// refused because it was is to be noted too.
    pub(super) async fn note(&self, deed: Deed) -> Result<bool, AskError> {
        const TRIES: u32 = 5;
        const PAUSE: Duration = Duration::from_millis(200);
        let deed = deed.cut();
        for _ in 1..TRIES {
            match self.ask(|back| Ask::Note(Box::new(deed.clone()), back)).await {
                Err(AskError::Busy) => tokio::time::sleep(PAUSE).await,
                noted => return noted,
            }
        }
        self.ask(|back| Ask::Note(Box::new(deed), back)).await
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, AskError> {
        let (back, answer) = oneshot::channel();
        self.0.try_send(question(back)).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => AskError::Busy,
            mpsc::error::TrySendError::Closed(_) => AskError::Gone,
        })?;
        answer.await.map_err(|_| AskError::Gone)
    }
}
