//! The Unix socket beside the store: commands about a running server (`hotline calls`, `hotline ladder`). One JSON
//! line in, one JSON line back. Only the user who runs the server may open it (mode 0600).
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::ask::Asker;
use super::banner::{BannerDesk, NotDone};
use super::config_voice::SPOKEN_WITHIN;
use super::menus::{By, Files, Job, MenuDesk};
use super::metrics::Metrics;
use super::store::{CallFilter, CallRow, CallStory, PromiseFilter, PromiseReport, Store};
use crate::base::CallId;
use crate::exchange::menu::Zone;
use crate::exchange::{Banner, BannerWish};
use crate::node::NodeView;

/// A question takes no more than this many bytes.
const LINE: u64 = 16 << 20;
/// Commands at once; the next one waits.
const COMMANDS: usize = 32;
/// A set of menus is checked before it is installed.
const CHECKED_WITHIN: Duration = Duration::from_mins(2);
/// And no more than this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// The socket's file in the store's folder.
pub fn path_in(store: &Path) -> PathBuf {
    store.join("hotline.sock")
}

/// What a command asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// All that is going on.
    Status,
    /// The last calls.
    Calls {
        /// From this number only.
        caller: Option<String>,
        /// At most this many.
        limit: u32,
    },
    /// One call's story.
    Call(CallId),
    /// What became of promises.
    Promises(PromiseFilter),
    /// One call's SIP.
    Ladder(CallId),
    /// End one call.
    End(CallId),
    /// The emergency banner.
    Banner,
    /// Put it on.
    BannerOn(BannerWish),
    /// Take it off.
    BannerOff,
    /// Who changed what.
    Audit {
        /// At most this many.
        limit: u32,
    },
    /// Install a set of menus.
    Install {
        /// The set; `None`: that of the folders of the settings.
        files: Option<Files>,
    },
    /// Take a kept set of menus back.
    RollBack {
        /// Its number or revision; `None`: the one before.
        to: Option<String>,
    },
    /// Which sets of menus are kept.
    Revisions,
    /// Which set of menus holds, and which was not taken.
    Menus,
}

impl Question {
    /// How long its answer may take.
    const fn patience(&self) -> Duration {
        match self {
            // Its words may have to be spoken.
            Self::BannerOn(_) => PATIENCE.saturating_add(SPOKEN_WITHIN),
            Self::Install { .. } | Self::RollBack { .. } | Self::Revisions => CHECKED_WITHIN,
            Self::Status
            | Self::Calls { .. }
            | Self::Call(_)
            | Self::Ladder(_)
            | Self::End(_)
            | Self::Audit { .. }
            | Self::Banner
            | Self::BannerOff
            | Self::Promises(_)
            | Self::Menus => PATIENCE,
        }
    }
}

/// What the server answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<View = serde_json::Value, Rows = serde_json::Value, Story = serde_json::Value> {
    /// To `Status`.
    Status(View),
    /// To `Calls`.
    Calls(Rows),
    /// To `Call`.
    Call(Story),
    /// To `Promises`.
    Promises(PromiseReport),
    /// To `Ladder`.
    Ladder(String),
    /// To `End`.
    Ended,
    /// To `Audit` and those about the banner.
    Json(serde_json::Value),
    /// Nothing of that name.
    NotFound(String),
    /// The question made no sense, or could not be answered now.
    Refused(String),
}

type Full = Answer<Box<NodeView>, Vec<CallRow>, Box<CallStory>>;

/// Who answers questions.
#[derive(Debug, Clone)]
pub(super) struct Desks {
    /// Control.
    pub asker: Asker,
    /// The record.
    pub store: Store,
    /// The menus' workshop.
    pub menus: MenuDesk,
    /// Where the emergency banner is ordered.
    pub banners: BannerDesk,
    /// The counters.
    pub metrics: Arc<Metrics>,
}

/// The open socket; its file goes with it.
#[derive(Debug)]
pub(super) struct CommandSocket {
    path: PathBuf,
    listener: std::os::unix::net::UnixListener,
}

impl Drop for CommandSocket {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_file(&self.path) {
            tracing::debug!(error = %e, "the command socket was gone already");
        }
    }
}

/// Opens the socket in the store's folder, which is locked by us: a socket found there was left by a crash. A server
/// without it takes calls all the same.
pub(super) fn open(store: &Path) -> Option<CommandSocket> {
    let path = path_in(store);
    match bind(&path) {
        Ok(listener) => Some(CommandSocket { path, listener }),
        Err(e) => {
            tracing::error!(path = %path.display(), error = %e, "no commands: `hotline calls` will not work");
            None
        }
    }
}

fn bind(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl CommandSocket {
    /// Answers questions until the task is dropped.
    pub(super) async fn serve(self, desks: Desks) {
        match self.listener.try_clone().and_then(UnixListener::from_std) {
            Ok(listener) => answer_all(&listener, &desks).await,
            Err(e) => tracing::error!(error = %e, "no commands: `hotline calls` will not work"),
        }
    }
}

async fn answer_all(listener: &UnixListener, desks: &Desks) {
    let room = Arc::new(Semaphore::new(COMMANDS));
    loop {
        // Never closed, so a permit comes.
        let permit = Arc::clone(&room).acquire_owned().await.ok();
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                tracing::warn!(error = %e, "a command cannot be let in; trying again");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let desks = desks.clone();
        tokio::spawn(async move {
            let _permit = permit;
            match tokio::time::timeout(CHECKED_WITHIN, answer_one(stream, &desks)).await {
                Ok(Ok(())) => {}
                Ok(Err(e)) => tracing::debug!(error = %e, "a command went away"),
                Err(_) => tracing::debug!("a command took too long"),
            }
        });
    }
}

async fn answer_one(stream: UnixStream, desks: &Desks) -> io::Result<()> {
    let who = account(&stream);
    let (reads, mut writes) = stream.into_split();
    let mut line = String::new();
    tokio::time::timeout(PATIENCE, BufReader::new(reads.take(LINE)).read_line(&mut line)).await??;
    let answer = match serde_json::from_str::<Question>(&line) {
        Ok(question) => answer(question, &who, desks).await,
        Err(e) => Full::Refused(format!("not a question: {e}")),
    };
    let mut text = serde_json::to_string(&answer).map_err(io::Error::other)?;
    text.push('\n');
    writes.write_all(text.as_bytes()).await
}

/// The account of whoever is at the other end: the kernel says so, not he.
fn account(stream: &UnixStream) -> String {
    let Ok(uid) = stream.peer_cred().map(|peer| peer.uid()) else { return "unknown".to_owned() };
    let known = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    known.map_or_else(|| format!("uid {uid}"), |user| user.name)
}

async fn answer(question: Question, who: &str, desks: &Desks) -> Full {
    let Desks { asker, store, .. } = desks;
    let refused = |e: &dyn std::fmt::Display| Full::Refused(e.to_string());
    match question {
        Question::Status => asker.view().await.map_or_else(|e| refused(&e), Full::Status),
        Question::Calls { caller, limit } => {
            let filter = CallFilter { caller, limit, ..CallFilter::default() };
            store.calls(&filter).await.map_or_else(|e| refused(&e), Full::Calls)
        }
        Question::Promises(filter) => {
            store.promises(&filter).await.map_or_else(|e| refused(&e), Full::Promises)
        }
        Question::Call(call) => match store.call(call).await {
            Ok(Some(story)) => Full::Call(Box::new(story)),
            Ok(None) => Full::NotFound(format!("no call {} in the record", call.0)),
            Err(e) => refused(&e),
        },
        Question::Ladder(call) => match asker.ladder(call).await {
            Ok(Some(text)) => Full::Ladder(text),
            Ok(None) => {
                Full::NotFound(format!("no SIP of call {} is kept; the last calls alone have theirs", call.0))
            }
            Err(e) => refused(&e),
        },
        Question::End(call) => match asker.end_call(call).await {
            Ok(true) => {
                // The call is over, whether the disk has the note of it or not.
                let deed = here(who).deed("end call", call.0.to_string(), "done".to_owned());
                asker.note(deed).await.ok();
                Full::Ended
            }
            Ok(false) => Full::NotFound(format!("no call {} is going on", call.0)),
            Err(e) => refused(&e),
        },
        Question::Banner => match asker.view().await {
            Ok(view) => Full::Json(shown(view.board.banner.as_ref(), &view.zone)),
            Err(e) => refused(&e),
        },
        Question::BannerOn(wish) => banner(desks, desks.banners.on(wish, here(who)).await.map(Some)).await,
        Question::BannerOff => banner(desks, desks.banners.off(here(who)).await.map(|()| None)).await,
        Question::Audit { limit } => match store.audit(None, limit).await {
            Ok(rows) => serde_json::to_value(rows).map_or_else(|e| refused(&e), Full::Json),
            Err(e) => refused(&e),
        },
        Question::Install { files } => order(desks, Job::Install(files, here(who))).await,
        Question::RollBack { to } => order(desks, Job::RollBack(to, here(who))).await,
        Question::Revisions => order(desks, Job::Revisions).await,
        Question::Menus => {
            serde_json::to_value(desks.metrics.menus.told()).map_or_else(|e| refused(&e), Full::Json)
        }
    }
}

fn here(who: &str) -> By {
    By { who: who.to_owned(), from: "here".to_owned() }
}

async fn order(desks: &Desks, job: Job) -> Full {
    match desks.menus.order(job).await.map(serde_json::to_value) {
        Ok(Ok(outcome)) => Full::Json(outcome),
        Ok(Err(e)) => Full::Refused(e.to_string()),
        Err(e) => Full::Refused(e.to_string()),
    }
}

/// What became of an order about the banner.
async fn banner(desks: &Desks, done: Result<Option<Banner>, NotDone>) -> Full {
    match (done, desks.asker.view().await) {
        (Ok(banner), Ok(view)) => Full::Json(shown(banner.as_ref(), &view.zone)),
        (Err(why), _) => Full::Refused(why.to_string()),
        (Ok(_), Err(e)) => Full::Refused(format!("it was done, but {e}")),
    }
}

/// The banner with the moment of its end on the wall of the calendar's zone, for people.
fn shown(banner: Option<&Banner>, zone: &str) -> serde_json::Value {
    let zone = Zone::named(zone).unwrap_or_else(Zone::utc);
    let until = banner.map(|banner| format!("{} ({})", zone.show(banner.until), zone.name()));
    serde_json::json!({ "banner": banner, "until": until })
}

/// Asks the server that runs on the store in `folder`.
pub async fn ask(folder: &Path, question: &Question) -> io::Result<Answer> {
    let late =
        || io::Error::new(io::ErrorKind::TimedOut, "hotline does not answer; is it stopped or overloaded?");
    tokio::time::timeout(question.patience(), ask_patiently(folder, question)).await.map_err(|_| late())?
}

async fn ask_patiently(folder: &Path, question: &Question) -> io::Result<Answer> {
    let path = path_in(folder);
    let stream = UnixStream::connect(&path).await.map_err(|e| {
        io::Error::new(e.kind(), format!("no hotline answers at {}: {e}; is it running?", path.display()))
    })?;
    let (mut reads, mut writes) = stream.into_split();
    let mut line = serde_json::to_string(question).map_err(io::Error::other)?;
    line.push('\n');
    writes.write_all(line.as_bytes()).await?;
    let mut text = String::new();
    reads.read_to_string(&mut text).await?;
    serde_json::from_str(&text).map_err(io::Error::other)
}
