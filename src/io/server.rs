//! Puts one server together from its settings: menus, sounds, secrets, store, sockets, threads. Everything that can
//! be wrong is found before the first call is taken.
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::clock::Clock;
use super::config::Settings;
use super::config_http::{HttpSettings, Right, TokenPlace};
use super::config_words::SecretPlace;
use super::descriptors::{self, Capacity, Needs};
use super::http::Token;
use super::menu_files::MenuFilesError;
use super::menus::{self, Bench, Boot};
use super::opening::open;
use super::priority;
use super::secrets::{self, AgentSecrets, Secret, SecretError};
use super::store::StoreError;
use super::tls::TlsError;
use crate::base::{AgentId, Rng, TrunkId};
use crate::exchange::menu::MenuSet;
use crate::media::PromptLibrary;
use crate::sip::Credentials;

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Files of menus have mistakes; the text is for the operator.
    #[error("the menus ({place}) have mistakes; nothing is started\n{text}")]
    Menus {
        /// Where they are.
        place: String,
        /// Each mistake with its line.
        text: String,
    },
    /// Files cannot be read.
    #[error(transparent)]
    Files(#[from] MenuFilesError),
    /// A secret is missing or bad.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another hotline runs on the same store.
    #[error(
        "another hotline runs on the store {store}; end it first, or give this one its own with `[store]` and `dir = \"FOLDER\"`"
    )]
    StoreInUse {
        /// The folder.
        store: String,
    },
    /// A certificate, its key or an authority cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address cannot be bound.
    #[error("cannot listen on {at}: {source}")]
    Listen {
        /// Where.
        at: String,
        /// Why.
        source: io::Error,
    },
    /// Something of the system's failed.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Settings that contradict each other.
    #[error("{0}")]
    Settings(String),
}

/// Where the server can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// SIP over UDP and TCP, as it is bound.
    pub sip: Vec<SocketAddr>,
    /// The same as phones are told it.
    pub advertised: Vec<SocketAddr>,
    /// SIP over TLS, as phones are told it.
    pub tls: Vec<SocketAddr>,
    /// HTTP.
    pub http: SocketAddr,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// Where it can be reached.
    pub addresses: Addresses,
    /// What it plays and does.
    pub menus: Arc<MenuSet>,
    /// Agents' passwords, and which were made just now.
    pub secrets: AgentSecrets,
    /// Warnings about files, for the operator.
    pub warnings: String,
    /// How many calls there is room for, and what sets the limit.
    pub capacity: Capacity,
    stop: mpsc::Sender<()>,
    control: Option<JoinHandle<()>>,
    office: Option<JoinHandle<()>>,
    workshop: Option<JoinHandle<()>>,
}

/// Tells a running server to stop.
#[derive(Debug, Clone)]
pub struct Stopper(mpsc::Sender<()>);

impl Stopper {
    /// As [`Server::drain`].
    pub fn drain(&self) {
        // Two words wait at most: the second ends the calls, more say nothing new.
        self.0.try_send(()).ok();
    }
}

/// The file of the audio manifest.
pub(super) const MANIFEST: &str = "manifest.toml";

/// Everything read and checked, before any socket.
pub(super) struct Ready {
    pub settings: Settings,
    pub menus: Arc<MenuSet>,
    /// The texts of the menus and, as [`MANIFEST`], of the audio manifest; empty unless inputs are recorded.
    pub sources: BTreeMap<String, String>,
    pub warnings: String,
    pub prompts: Arc<PromptLibrary>,
    pub bench: Bench,
    pub secrets: AgentSecrets,
    pub trunks: BTreeMap<TrunkId, Option<Credentials>>,
    pub tokens: Vec<Token>,
    pub rng: Rng,
    pub clock: Clock,
}

impl Server {
    /// Reads everything, opens everything, and takes calls.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let mut ready = read_all(settings)?;
        let capacity = make_room(&mut ready);
        let (menus, warnings) = (Arc::clone(&ready.menus), ready.warnings.clone());
        let secrets = AgentSecrets { of: ready.secrets.of.clone(), fresh: ready.secrets.fresh.clone() };
        let (stop, stopped) = mpsc::channel(2);
        let (office_to, office_from) = oneshot::channel();
        let (shop_to, shop_from) = oneshot::channel();
        let (control_to, control_from) = std::sync::mpsc::channel();
        let control = spawn("control", move |runtime| {
            runtime.block_on(async move {
                match Box::pin(open(ready, stopped)).await {
                    Ok((control, office, shop, addresses)) => {
                        // Whoever started us waits for all; when it is gone there is nobody to serve.
                        let sent = office_to.send(office).is_ok() && shop_to.send(shop).is_ok();
                        if !sent || control_to.send(Ok(addresses)).is_err() {
                            return;
                        }
                        // After the store's threads have begun: they stay behind.
                        priority::hurry_a_little();
                        Box::pin(control.run()).await;
                    }
                    Err(e) => drop(control_to.send(Err(e))),
                }
            });
        })?;
        let office = spawn("office", move |runtime| {
            runtime.block_on(async move {
                if let Ok(office) = office_from.await {
                    office.run().await;
                }
            });
        })?;
        let (watched_to, watched) = std::sync::mpsc::channel();
        let workshop = spawn("menus", move |runtime| {
            runtime.block_on(async move {
                // Before anybody is told that we are ready, and sends one.
                let hangups = menus::hangups();
                watched_to.send(()).ok();
                if let Ok(shop) = shop_from.await {
                    Box::pin(shop.run(hangups)).await;
                }
            });
        })?;
        let gone = || StartError::Settings("the control thread ended before it began".to_owned());
        let addresses = control_from.recv().map_err(|_| gone())??;
        watched.recv().map_err(|_| gone())?;
        Ok(Self {
            addresses,
            menus,
            secrets,
            warnings,
            capacity,
            stop,
            control: Some(control),
            office: Some(office),
            workshop: Some(workshop),
        })
    }

    /// Takes no new calls; ends when those inside are over. Told again: ends them.
    pub fn drain(&self) {
        self.stopper().drain();
    }

    /// A way to tell it from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.stop.clone())
    }

    /// Waits until the server has ended and everything is written.
    pub fn join(mut self) {
        for thread in [self.control.take(), self.office.take(), self.workshop.take()].into_iter().flatten() {
            if thread.join().is_err() {
                tracing::error!("a thread of the server panicked");
            }
        }
    }
}

/// Lets in no more calls than find their sockets.
fn make_room(ready: &mut Ready) -> Capacity {
    let settings = &mut ready.settings;
    let (first, last) = settings.rtp_ports;
    let needs = Needs {
        ports: u64::from(last.saturating_sub(first)).div_ceil(2),
        connections: settings.connections.total as u64,
        agents: ready.menus.acd.agents.len() as u64,
    };
    let capacity = descriptors::make_room(needs, settings.exchange.calls_max);
    settings.exchange.calls_max = capacity.calls;
    settings.connections.total = capacity.connections;
    capacity
}

fn spawn(
    name: &'static str,
    run: impl FnOnce(tokio::runtime::Runtime) + Send + 'static,
) -> Result<JoinHandle<()>, StartError> {
    let fail = |source| StartError::System { what: "a thread cannot be started", source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail)?;
    std::thread::Builder::new().name(name.to_owned()).spawn(move || run(runtime)).map_err(fail)
}

fn read_all(settings: Settings) -> Result<Ready, StartError> {
    Clock::leave_out_stops()
        .map_err(|source| StartError::System { what: "the heartbeat cannot be started", source })?;
    let clock = Clock::start();
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| StartError::System {
        what: "the system gives no random numbers",
        source: io::Error::other(e.to_string()),
    })?;
    let rng = Rng::from_seed(seed);
    let Boot { set: menus, library: prompts, warnings, texts: mut sources, bench } = menus::boot(&settings)?;
    if settings.tape.is_none() {
        sources.clear();
    }
    make_folder(&settings.store)?;
    let agents: Vec<AgentId> = menus.acd.agents.keys().cloned().collect();
    let secrets = secrets::agents(&settings.store.join("secrets.json"), &agents, &mut rng.fork("passwords"))?;
    let mut trunks = BTreeMap::new();
    for (id, trunk) in &settings.trunks {
        let credentials = match (&trunk.user, &trunk.password) {
            (Some(user), Some(place)) => {
                let password = read_secret(&format!("trunk {id}"), place)?;
                Some(Credentials { user: user.clone(), password: password.expose().to_owned(), realm: None })
            }
            (Some(_) | None, _) => None,
        };
        trunks.insert(id.clone(), credentials);
    }
    let tokens = read_tokens(&settings.http)?;
    Ok(Ready { settings, menus, sources, warnings, prompts, bench, secrets, trunks, tokens, rng, clock })
}

fn make_folder(store: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(store)
        .map_err(|source| StartError::System { what: "the store's folder cannot be made", source })
}

/// Who may do what over HTTP.
fn read_tokens(http: &HttpSettings) -> Result<Vec<Token>, StartError> {
    let mut tokens = Vec::new();
    if let Some(place) = &http.token {
        let text = read_secret("HTTP", place)?;
        tokens.push(Token::new("token", text.expose(), [Right::Read].into()));
    }
    for token in &http.tokens {
        let may = token.may.clone();
        tokens.push(match &token.place {
            TokenPlace::Secret(place) => {
                let whose = format!("the token {}", token.name);
                Token::new(&token.name, read_secret(&whose, place)?.expose(), may)
            }
            TokenPlace::Hash(digest) => Token::of_digest(&token.name, *digest, may),
        });
    }
    Ok(tokens)
}

fn read_secret(whose: &str, place: &SecretPlace) -> Result<Secret, StartError> {
    let text = match place {
        SecretPlace::File(path) => std::fs::read_to_string(path)
            .map_err(|source| SecretError::File { path: path.display().to_string(), source })?
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
        SecretPlace::Environment(name) => super::config::environment(name)
            .ok_or_else(|| StartError::Settings(format!("{whose}: the variable {name} is not set")))?,
    };
    let secret = Secret::new(text);
    secrets::refuse_well_known(whose, &secret)?;
    Ok(secret)
}
