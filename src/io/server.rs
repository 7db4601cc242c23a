//! Puts one server together from its settings: menus, sounds, secrets, store, sockets, threads. Everything that can
//! be wrong is found before the first call is taken.
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::ask::asking;
use super::clock::Clock;
use super::config::{SecretPlace, Settings};
use super::control::{Control, FACTS_WAITING};
use super::embedded::{self, Place};
use super::http::{self, Gate, Office, Token};
use super::journal::Journal;
use super::media_ports::BindTo;
use super::media_worker::{FromMedia, MediaSettings, MediaWorker};
use super::menu_files::MenuFilesError;
use super::metrics::Metrics;
use super::net::Net;
use super::office::write_facts;
use super::secrets::{self, AgentSecrets, Secret, SecretError};
use super::socket;
use super::store::{Store, StoreError, Writer};
use super::vault::Vault;
use crate::base::{AgentId, Rng, TrunkId};
use crate::exchange::menu::{Diagnostic, MenuSet, PromptTexts, render};
use crate::media::PromptLibrary;
use crate::node::{Node, NodeSettings, Trunk};
use crate::sip::{Account, Credentials, Listener, ListenerId, ListenerTransport, UserAgentSettings};

/// Events of the network that may wait for the control loop; beyond, the kernel's buffers fill.
const NET_EVENTS: usize = 8_192;
/// How long binding the first RTP port may take.
const FIRST_PORT_WITHIN: Duration = Duration::from_secs(5);
/// How long calls inside may go on after SIGTERM.
const DRAIN_FOR: Duration = Duration::from_mins(10);

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
    /// SIP over UDP and TCP.
    pub sip: Vec<SocketAddr>,
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
    stop: mpsc::Sender<()>,
    control: Option<JoinHandle<()>>,
    office: Option<JoinHandle<()>>,
}

/// Everything read and checked, before any socket.
struct Ready {
    settings: Settings,
    menus: Arc<MenuSet>,
    warnings: String,
    prompts: Arc<PromptLibrary>,
    secrets: AgentSecrets,
    trunks: BTreeMap<TrunkId, Option<Credentials>>,
    token: Option<Token>,
    rng: Rng,
    clock: Clock,
}

impl Server {
    /// Reads everything, opens everything, and takes calls.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let ready = read_all(settings)?;
        let (menus, warnings) = (Arc::clone(&ready.menus), ready.warnings.clone());
        let secrets = AgentSecrets { of: ready.secrets.of.clone(), fresh: ready.secrets.fresh.clone() };
        let (stop, stopped) = mpsc::channel(1);
        let (office_to, office_from) = oneshot::channel();
        let (control_to, control_from) = std::sync::mpsc::channel();
        let control = spawn("control", move |runtime| {
            runtime.block_on(async move {
                match open(ready, stopped).await {
                    Ok((control, office, addresses)) => {
                        // Whoever started us waits for both; when it is gone there is nobody to serve.
                        if office_to.send(office).is_err() || control_to.send(Ok(addresses)).is_err() {
                            return;
                        }
                        control.run().await;
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
        let gone = || StartError::Settings("the control thread ended before it began".to_owned());
        let addresses = control_from.recv().map_err(|_| gone())??;
        Ok(Self { addresses, menus, secrets, warnings, stop, control: Some(control), office: Some(office) })
    }

    /// Takes no new calls; ends when those inside are over.
    pub fn drain(&self) {
        // Told already: then it drains.
        self.stop.try_send(()).ok();
    }

    /// Waits until the server has ended and everything is written.
    pub fn join(mut self) {
        for thread in [self.control.take(), self.office.take()].into_iter().flatten() {
            if thread.join().is_err() {
                tracing::error!("a thread of the server panicked");
            }
        }
    }
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
    let clock = Clock::start();
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| StartError::System {
        what: "the system gives no random numbers",
        source: io::Error::other(e.to_string()),
    })?;
    let rng = Rng::from_seed(seed);
    let (menus, warnings) = read_menus(&settings)?;
    for (id, party) in &menus.directory {
        if !settings.trunks.contains_key(&party.trunk) {
            let (trunk, known) = (&party.trunk, settings.trunks.keys().map(TrunkId::as_str));
            let known: Vec<&str> = known.collect();
            return Err(StartError::Settings(format!(
                "directory.toml: {id} is called over the trunk `{trunk}`, which hotline.toml does not have (it has: {})",
                known.join(", ")
            )));
        }
    }
    let (prompts, errors) = embedded::sounds(&Place::of(settings.audio.as_deref()));
    for error in errors {
        tracing::error!(%error, "a prompt cannot be played");
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
    let token = match &settings.http_token {
        Some(place) => Some(Token::new(read_secret("HTTP", place)?.expose().to_owned())),
        None => None,
    };
    Ok(Ready { settings, menus, warnings, prompts: Arc::new(prompts), secrets, trunks, token, rng, clock })
}

fn read_menus(settings: &Settings) -> Result<(Arc<MenuSet>, String), StartError> {
    let place = Place::of(settings.menus.as_deref());
    let manifest = embedded::manifest(&Place::of(settings.audio.as_deref()))?;
    let mut files = embedded::menus(&place)?;
    let (texts, mut found) = PromptTexts::read("manifest.toml", &manifest);
    let loaded = MenuSet::load(&files, &texts.known());
    files.insert("manifest.toml".to_owned(), manifest);
    match loaded {
        Ok((set, warnings)) if !found.iter().any(Diagnostic::is_error) => {
            found.extend(warnings);
            Ok((Arc::new(set), render(&found, &files, false)))
        }
        Ok((_, more)) | Err(more) => {
            found.extend(more);
            Err(StartError::Menus { place: place.to_string(), text: render(&found, &files, false) })
        }
    }
}

fn make_folder(store: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(store)
        .map_err(|source| StartError::System { what: "the store's folder cannot be made", source })
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

/// Everything of the office thread.
struct OfficeWork {
    writer: Writer,
    facts: mpsc::Receiver<crate::exchange::NumberedFact>,
    http: std::net::TcpListener,
    office: Office,
    socket: std::path::PathBuf,
}

impl OfficeWork {
    async fn run(self) {
        let Self { writer, facts, http, office, socket } = self;
        let listener = match TcpListener::from_std(http) {
            Ok(listener) => listener,
            Err(e) => {
                tracing::error!(error = %e, "no HTTP");
                return;
            }
        };
        let (asker, store, metrics) =
            (office.asker.clone(), office.store.clone(), Arc::clone(&office.metrics));
        let commands = tokio::spawn(socket::serve(socket.clone(), asker, store));
        let pages = tokio::spawn(http::serve(listener, office));
        write_facts(writer, facts, metrics).await;
        // The control loop is gone and all facts are written.
        commands.abort();
        pages.abort();
        if let Err(e) = std::fs::remove_file(&socket) {
            tracing::debug!(error = %e, "the command socket was gone already");
        }
    }
}

async fn open(
    ready: Ready,
    stop: mpsc::Receiver<()>,
) -> Result<(Control, OfficeWork, Addresses), StartError> {
    let Ready { settings, menus, prompts, secrets, trunks, token, rng, clock, .. } = ready;
    let (net_to, net_events) = mpsc::channel(NET_EVENTS);
    let mut net = Net::new(net_to);
    let (listeners, media_addresses, sip) = listen(&mut net, &settings).await?;
    let http = std::net::TcpListener::bind(settings.http)
        .and_then(|l| l.set_nonblocking(true).map(|()| l))
        .map_err(|source| StartError::Listen { at: format!("{} (HTTP)", settings.http), source })?;
    let http_at =
        http.local_addr().map_err(|source| StartError::System { what: "HTTP has no address", source })?;
    let gate = Gate::new(http_at, token)
        .ok_or_else(|| StartError::Settings("HTTP stays on loopback until it has a token".to_owned()))?;
    let path = settings.store.join("hotline.db");
    let store = Store::open(&path).await?;
    let resume = store.resume().await?;
    if resume.closed > 0 {
        tracing::warn!(calls = resume.closed, "calls cut off by the last stop are closed in the record");
    }
    let writer = Writer::open(&store).await?;

    let sip_settings = sip_settings(&settings, &listeners, &secrets);
    let mut exchange = settings.exchange.clone();
    exchange.first_number = resume.last_seq.max(resume.last_call).max(resume.last_assignment);
    let node_settings = NodeSettings {
        exchange,
        sip: sip_settings,
        media_addresses,
        codecs: settings.codecs.clone(),
        trunks: trunks_of(&settings, &listeners, &trunks),
        retry_after_s: 5,
    };
    let journal = Arc::new(Journal::default());
    let bind = BindTo::covering(&settings.listen.iter().map(SocketAddr::ip).collect::<Vec<_>>());
    let media = MediaSettings { bind, ports: settings.rtp_ports, prompts };
    let (media, mut media_events) = MediaWorker::start(media, clock, &rng)
        .map_err(|source| StartError::System { what: "the media thread cannot be started", source })?;
    let first_port = first_port(&mut media_events).await?;
    let metrics = Arc::new(Metrics::new(net.figures(), Arc::clone(media.counters()), Arc::clone(&journal)));
    let mut node = Node::new(node_settings, menus, clock.now(), &rng);
    node.offer_port(first_port);
    let (asker, asks) = asking();
    let (facts, facts_from) = mpsc::channel(FACTS_WAITING);
    let control = Control {
        node,
        net,
        net_events,
        media,
        media_events,
        asks,
        facts,
        journal,
        vault: Vault::default(),
        clock,
        metrics: Arc::clone(&metrics),
        stop,
        drain_for: DRAIN_FOR,
    };
    let office = Office { asker, store, metrics, gate: Arc::new(gate) };
    let socket = socket::path_in(&settings.store);
    Ok((
        control,
        OfficeWork { writer, facts: facts_from, http, office, socket },
        Addresses { sip, http: http_at },
    ))
}

/// The first port for sound: before it the first caller would be told 503, and without any nobody can be served.
async fn first_port(media_events: &mut mpsc::Receiver<FromMedia>) -> Result<u16, StartError> {
    let none = || {
        StartError::Settings(
            "no RTP port can be bound; another program holds those from [rtp] first_port to last_port"
                .to_owned(),
        )
    };
    let heard = tokio::time::timeout(FIRST_PORT_WITHIN, media_events.recv()).await;
    match heard.map_err(|_| none())? {
        Some(FromMedia::PortReady(port)) => Ok(port),
        Some(FromMedia::Event(_)) | None => Err(none()),
    }
}

fn sip_settings(settings: &Settings, listeners: &[Listener], secrets: &AgentSecrets) -> UserAgentSettings {
    let account = |agent: &AgentId, secret: &Secret| {
        Account::from_password(agent.as_str(), &settings.realm, secret.expose())
    };
    let mut sip = UserAgentSettings::new(listeners.to_vec(), settings.realm.clone());
    sip.server_name = format!("hotline/{}", env!("CARGO_PKG_VERSION"));
    sip.digest.clone_from(&settings.digest);
    sip.trace = true;
    sip.accounts =
        secrets.of.iter().map(|(agent, s)| (agent.as_str().to_owned(), account(agent, s))).collect();
    sip
}

type Opened = (Vec<Listener>, BTreeMap<ListenerId, IpAddr>, Vec<SocketAddr>);

/// Binds UDP and TCP on every SIP address.
async fn listen(net: &mut Net, settings: &Settings) -> Result<Opened, StartError> {
    let (mut listeners, mut addresses, mut bound) = (Vec::new(), BTreeMap::new(), Vec::new());
    for (at, n) in settings.listen.iter().zip((0_u8..=254).step_by(2)) {
        let (udp, tcp) = (ListenerId(n), ListenerId(n + 1));
        let local = net
            .listen(udp, tcp, *at)
            .await
            .map_err(|source| StartError::Listen { at: format!("{at} (SIP)"), source })?;
        let ip = told_address(local.ip(), settings)?;
        let advertised = SocketAddr::new(ip, local.port());
        for (id, transport) in [(udp, ListenerTransport::Udp), (tcp, ListenerTransport::Tcp)] {
            listeners.push(Listener { id, transport, local, advertised });
            addresses.insert(id, ip);
        }
        bound.push(local);
    }
    Ok((listeners, addresses, bound))
}

/// The address peers are told: what `advertise` says, the listener's own, or, when that is "all", the one that the
/// system would send from.
fn told_address(local: IpAddr, settings: &Settings) -> Result<IpAddr, StartError> {
    if let Some(ip) = settings.advertise.iter().find(|a| a.is_ipv4() == local.is_ipv4()) {
        return Ok(*ip);
    }
    if !local.is_unspecified() {
        return Ok(local);
    }
    // Connecting a UDP socket sends nothing; it only asks the routing table.
    let (any, far) =
        if local.is_ipv4() { ("0.0.0.0:0", "192.0.2.1:9") } else { ("[::]:0", "[2001:db8::1]:9") };
    let found = UdpSocket::bind(any).and_then(|s| s.connect(far).and_then(|()| s.local_addr()));
    found.map(|a| a.ip()).map_err(|_| {
        StartError::Settings(format!(
            "listening on {local} needs `advertise = \"ADDRESS\"`: no route tells it"
        ))
    })
}

fn trunks_of(
    settings: &Settings,
    listeners: &[Listener],
    credentials: &BTreeMap<TrunkId, Option<Credentials>>,
) -> BTreeMap<TrunkId, Trunk> {
    let mut trunks = BTreeMap::new();
    for (id, trunk) in &settings.trunks {
        let wanted = if trunk.tcp { ListenerTransport::Tcp } else { ListenerTransport::Udp };
        let fits = |l: &&Listener| l.transport == wanted && l.local.is_ipv4() == trunk.address.is_ipv4();
        let Some(listener) = listeners.iter().find(fits) else {
            tracing::error!(trunk = %id, address = %trunk.address, "no listener of its family: the trunk is not used");
            continue;
        };
        trunks.insert(
            id.clone(),
            Trunk {
                address: trunk.address,
                listener: listener.id,
                stream: trunk.tcp,
                host: trunk.host.clone().unwrap_or_else(|| trunk.address.to_string()),
                credentials: credentials.get(id).cloned().flatten(),
            },
        );
    }
    trunks
}
