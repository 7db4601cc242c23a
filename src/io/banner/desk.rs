//! Where a banner is ordered: by a command, over HTTP.
//!
//! Invariants: whoever asked last is obeyed; each order leaves one row in the audit, done or refused, whether the one who
//! gave it waits for the answer or not.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, Semaphore, oneshot};

use super::{AT_HAND, Hung, board_of, level};
use crate::base::{Language, PromptId};
use crate::exchange::{Banner, BannerWish, Deed};
use crate::io::Settings;
use crate::io::ask::{AskError, Asker, Posting};
use crate::io::clock::Clock;
use crate::io::menus::{By, InForce, Notice, digest_of, hex};
use crate::io::metrics::Metrics;
use crate::io::priority;
use crate::io::speaker::Speaker;
use crate::media::{Codec, Prompt, PromptLibrary, decode_audio};

use super::shelf::Shelf;

/// The longest that a banner may last when it is spoken.
const LASTS: Duration = Duration::from_mins(1);
/// Banners that are being spoken at once.
const SPEAKING: usize = 2;
/// Prompts of a language that are listened to for how loud they are.
const COMPARED: usize = 32;
/// Between two tries to ask a busy server.
const PAUSE: Duration = Duration::from_secs(1);

/// Why an order was not carried out.
#[derive(Debug)]
pub(in crate::io) enum NotDone {
    /// It is no banner that can be put on.
    Refused(String),
    /// The voice, the disk or sound could not do it: nothing changed.
    Failed(String),
    /// Nobody had time for it.
    Busy(AskError),
    /// It was done, but the disk did not confirm the record of it.
    Unconfirmed,
}

impl std::fmt::Display for NotDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(why) | Self::Failed(why) => f.write_str(why),
            Self::Busy(e) => e.fmt(f),
            Self::Unconfirmed => {
                f.write_str("it was done, but the disk did not confirm the record of it; see hotline_alarm")
            }
        }
    }
}

/// A banner with its sounds, decoded and as files by their digests.
struct Made {
    banner: Banner,
    hung: Hung,
    files: BTreeMap<String, Vec<u8>>,
}

/// What was carried out so far.
#[derive(Debug, Default)]
struct Turn {
    /// The number of the last order.
    last: u64,
    /// The digests of the sounds of the banner that is on.
    on: BTreeSet<String>,
    /// The newest last.
    hung: VecDeque<Hung>,
}

#[derive(Debug)]
struct Inner {
    asker: Asker,
    notice: Notice,
    shelf: Shelf,
    speaker: Speaker,
    codecs: Vec<Codec>,
    clock: Clock,
    metrics: Arc<Metrics>,
    speaking: Semaphore,
    orders: AtomicU64,
    turn: Mutex<Turn>,
}

/// See the module.
#[derive(Debug, Clone)]
pub(in crate::io) struct BannerDesk(Arc<Inner>);

impl BannerDesk {
    /// Goes on with the banner that was on at the start.
    pub(in crate::io) fn new(
        settings: &Settings,
        (asker, notice): (Asker, Notice),
        (clock, metrics): (Clock, Arc<Metrics>),
        on: Option<(&Banner, Option<Hung>)>,
    ) -> Self {
        let mut turn = Turn::default();
        if let Some((banner, hung)) = on {
            turn.on = banner.sounds.values().cloned().collect();
            turn.hung.extend(hung);
        }
        Self(Arc::new(Inner {
            asker,
            notice,
            shelf: Shelf::of(&settings.store),
            speaker: settings.speaker(),
            codecs: settings.codecs.clone(),
            clock,
            metrics,
            speaking: Semaphore::new(SPEAKING),
            orders: AtomicU64::new(0),
            turn: Mutex::new(turn),
        }))
    }

    /// Puts a banner on, in place of another.
    pub(in crate::io) async fn on(&self, wish: BannerWish, by: By) -> Result<Banner, NotDone> {
        let desk = self.clone();
        // Whoever asked may go away meanwhile: what was begun is done and noted all the same.
        let done = tokio::spawn(async move {
            let deed = by.deed("banner on", wish.about(), "done".to_owned());
            let done = desk.put_on(&wish, deed.clone()).await;
            let figures = &desk.0.metrics.banner;
            match &done {
                Ok(_) | Err(NotDone::Unconfirmed) => figures.on.fetch_add(1, Ordering::Relaxed),
                Err(_) => figures.refused.fetch_add(1, Ordering::Relaxed),
            };
            desk.noted(done, deed).await
        });
        done.await.unwrap_or(Err(NotDone::Busy(AskError::Gone)))
    }

    /// Takes it off. None on is no mistake.
    pub(in crate::io) async fn off(&self, by: By) -> Result<(), NotDone> {
        let desk = self.clone();
        let done = tokio::spawn(async move {
            let deed = by.deed("banner off", String::new(), "done".to_owned());
            let done = desk.take_off(deed.clone()).await;
            desk.noted(done, deed).await
        });
        done.await.unwrap_or(Err(NotDone::Busy(AskError::Gone)))
    }

    /// What was not done is noted here; what was, by control in the same turn.
    async fn noted<T>(&self, done: Result<T, NotDone>, deed: Deed) -> Result<T, NotDone> {
        match &done {
            Ok(_) | Err(NotDone::Unconfirmed) => {}
            Err(why) => {
                // That it was refused is answered, whether the disk has it or not.
                self.0.asker.note(Deed { outcome: format!("refused: {why}"), ..deed }).await.ok();
            }
        }
        done
    }

    /// Removes the sounds of banners that came to their end by themselves, as long as anybody tells of them.
    pub(in crate::io) async fn tidy(self, over: Arc<Notify>) {
        loop {
            over.notified().await;
            while let Err(error) = self.tidy_once().await {
                match error {
                    AskError::Busy => tokio::time::sleep(PAUSE).await,
                    AskError::Gone => return,
                }
            }
        }
    }

    async fn tidy_once(&self) -> Result<(), AskError> {
        let mut turn = self.0.turn.lock().await;
        if self.0.asker.posted().await?.is_none() {
            self.forget(&mut turn).await;
        }
        Ok(())
    }

    async fn put_on(&self, wish: &BannerWish, deed: Deed) -> Result<Banner, NotDone> {
        let order = self.0.orders.fetch_add(1, Ordering::Relaxed) + 1;
        let holds = self.0.notice.read();
        let now = self.0.clock.now().utc;
        let banner = wish.banner(&holds.set, &holds.texts, now).map_err(NotDone::Refused)?;
        let made = if banner.is_spoken() {
            self.spoken(banner, &holds).await?
        } else {
            self.prepared(banner, holds).await?
        };
        self.hang(order, made, deed).await
    }

    async fn take_off(&self, deed: Deed) -> Result<(), NotDone> {
        let order = self.0.orders.fetch_add(1, Ordering::Relaxed) + 1;
        let mut turn = self.0.turn.lock().await;
        let recorded = self.0.asker.banner(None, deed).await.map_err(NotDone::Busy)?;
        turn.last = turn.last.max(order);
        // Until the disk has it a restart would find the banner on, and want its sounds.
        if recorded != Some(true) {
            return Err(NotDone::Unconfirmed);
        }
        self.forget(&mut turn).await;
        Ok(())
    }

    /// No banner is on.
    async fn forget(&self, turn: &mut Turn) {
        turn.on.clear();
        self.0.metrics.banner.mute.store(false, Ordering::Relaxed);
        self.prune(turn).await;
    }

    async fn prune(&self, turn: &Turn) {
        let (desk, wanted) = (Arc::clone(&self.0), turn.on.clone());
        // It ends when the server does.
        tokio::task::spawn_blocking(move || desk.shelf.keep_only(&wanted)).await.ok();
    }

    /// The sounds of a prompt of the set that holds: decoded already.
    async fn prepared(&self, mut banner: Banner, holds: Arc<InForce>) -> Result<Made, NotDone> {
        let gone = |_| NotDone::Busy(AskError::Gone);
        let read = tokio::task::spawn_blocking(move || {
            let (mut sounds, mut files) = (BTreeMap::new(), BTreeMap::new());
            for language in Language::ALL {
                let decoded = holds.library.get(language, &banner.prompt);
                let file = holds.file(language, &banner.prompt);
                let (Some(prompt), Some((digest, bytes))) = (decoded, file) else { continue };
                sounds.insert(language, Arc::clone(prompt));
                banner.sounds.insert(language, hex(&digest));
                match bytes {
                    Ok(bytes) => drop(files.insert(hex(&digest), bytes.into_owned())),
                    Err(error) => tracing::warn!(%error, %language, "a banner's sound is not kept"),
                }
            }
            if sounds.is_empty() {
                return Err(NotDone::Failed(format!("`{}` has no sound that can be played", banner.prompt)));
            }
            let hung = Hung { said: banner.said(), sounds };
            Ok(Made { banner, hung, files })
        });
        read.await.map_err(gone)?
    }

    /// Has the words spoken, both languages at once.
    async fn spoken(&self, mut banner: Banner, holds: &Arc<InForce>) -> Result<Made, NotDone> {
        let full = |_| NotDone::Failed(format!("{SPEAKING} banners are being spoken already"));
        let _permit = self.0.speaking.try_acquire().map_err(full)?;
        let mut voices = Vec::new();
        for (language, words) in banner.text.clone() {
            let (desk, holds) = (Arc::clone(&self.0), Arc::clone(holds));
            let (back, spoken) = oneshot::channel();
            let voice = move || {
                priority::give_way();
                // Whoever asked waits for it; nobody else does.
                back.send(desk.speak(language, &words, &holds)).ok();
            };
            let started = std::thread::Builder::new().name("voice".to_owned()).spawn(voice);
            started.map_err(|e| NotDone::Failed(format!("nothing can be spoken now: {e}")))?;
            voices.push((language, spoken));
        }
        let (mut sounds, mut files) = (BTreeMap::new(), BTreeMap::new());
        for (language, spoken) in voices {
            let spoken = spoken.await.unwrap_or_else(|_| Err("its thread ended".to_owned()));
            let (prompt, bytes) = spoken.map_err(|why| {
                NotDone::Failed(format!("the text in {language} cannot be spoken: {why}; nothing is put on"))
            })?;
            let digest = hex(&digest_of(&bytes));
            banner.sounds.insert(language, digest.clone());
            sounds.insert(language, prompt);
            files.insert(digest, bytes);
        }
        self.0.metrics.banner.spoken.fetch_add(1, Ordering::Relaxed);
        let hung = Hung { said: banner.said(), sounds };
        Ok(Made { banner, hung, files })
    }

    /// Keeps the sounds, then has the banner put on.
    async fn hang(&self, order: u64, made: Made, deed: Deed) -> Result<Banner, NotDone> {
        let Made { banner, hung, files } = made;
        let mut turn = self.0.turn.lock().await;
        if order < turn.last {
            let why = "another order about the banner came after this one, and is obeyed";
            return Err(NotDone::Refused(why.to_owned()));
        }
        self.keep(files, banner.is_spoken(), &turn).await?;
        turn.hung.push_back(hung);
        let board = board_of(&turn.hung, &self.0.codecs);
        let posting = Posting { banner: banner.clone(), board };
        let posted = match self.0.asker.banner(Some(posting), deed).await {
            Ok(Some(recorded)) => Ok(recorded),
            Ok(None) => Err(NotDone::Failed("sound is too busy; try again".to_owned())),
            Err(e) => Err(NotDone::Busy(e)),
        };
        let recorded = match posted {
            Ok(recorded) => recorded,
            Err(why) => {
                turn.hung.pop_back();
                self.prune(&turn).await;
                return Err(why);
            }
        };
        turn.last = order;
        while turn.hung.len() > AT_HAND {
            turn.hung.pop_front();
        }
        self.0.metrics.banner.mute.store(false, Ordering::Relaxed);
        let wanted: BTreeSet<String> = banner.sounds.values().cloned().collect();
        if !recorded {
            // A restart may find this one on, or the one before.
            turn.on.extend(wanted);
            return Err(NotDone::Unconfirmed);
        }
        turn.on = wanted;
        self.prune(&turn).await;
        Ok(banner)
    }

    /// A prompt is in the set too, and an emergency waits for no disk; words that were spoken are nowhere else.
    async fn keep(&self, files: BTreeMap<String, Vec<u8>>, only: bool, turn: &Turn) -> Result<(), NotDone> {
        let desk = Arc::clone(&self.0);
        let kept = tokio::task::spawn_blocking(move || desk.shelf.keep(&files)).await;
        let error = match kept {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => return Err(NotDone::Busy(AskError::Gone)),
        };
        if only {
            self.prune(turn).await;
            return Err(NotDone::Failed(format!(
                "what was spoken cannot be kept beside the store: {error}; nothing is put on. A prompt of the menus \
                 (banner-...) needs no room"
            )));
        }
        tracing::error!(
            error,
            "a banner's sound is not kept: after a restart it sounds as its prompt does then"
        );
        Ok(())
    }
}

impl Inner {
    /// One language: spoken, judged, as loud as the others, decoded.
    fn speak(
        &self,
        language: Language,
        words: &str,
        holds: &InForce,
    ) -> Result<(Arc<Prompt>, Vec<u8>), String> {
        let draft = self.shelf.draft(language).map_err(|e| e.to_string())?;
        let spoken = self.speaker.speak(language, words, &draft);
        let bytes = spoken.and_then(|()| fs::read(&draft).map_err(|e| e.to_string()));
        // What is left over is removed with the next start.
        fs::remove_file(&draft).ok();
        let sound =
            decode_audio(&bytes?, LASTS).map_err(|e| format!("what was spoken cannot be played: {e}"))?;
        let made = level::made(&sound, words, usual_level(language, holds));
        let made = made.map_err(|why| format!("what was spoken is no good: {why}"))?;
        let bytes = level::wav(&made);
        let decoder = PromptLibrary::new(crate::media::GAP).also_in(&self.codecs);
        let prompt = decoder.read(&bytes).map_err(|e| format!("what was spoken cannot be played: {e}"))?;
        Ok((Arc::new(prompt), bytes))
    }
}

/// How loud the prompts of this language are.
fn usual_level(language: Language, holds: &InForce) -> f32 {
    let has_words = |id: &PromptId| holds.texts.0.get(id).is_some_and(|words| words.contains_key(&language));
    let all: Vec<&Prompt> = holds
        .library
        .iter()
        .filter(|(l, id, _)| *l == language && has_words(id))
        .map(|(_, _, prompt)| &**prompt)
        .collect();
    let step = all.len().div_ceil(COMPARED).max(1);
    level::level_of(all.into_iter().step_by(step))
}
