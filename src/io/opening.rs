//! Opens the doors: store, listeners, HTTP, media thread, node. What is opened here belongs to the control thread and
//! the office thread from then on. Invariant: the store is locked before anything else is touched, so a second server
//! on it changes nothing.
use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::ask::asking;
use super::banner::{self, BannerDesk, Hung};
use super::bans;
use super::config::Settings;
use super::config_tls::TlsListen;
use super::config_trunks::TrunkSettings;
use super::control::{Control, FACTS_WAITING, PHONES_WAITING};
use super::futures_worker::FuturesWorker;
use super::held::WaitingRoom;
use super::http::{Gate, Office, Token};
use super::journal::{self, Around, Figures, Journal, Notes};
use super::learned::{self, LearnedFigures, Learning};
use super::media_ports::BindTo;
use super::media_worker::{FromMedia, MediaSettings, MediaWorker};
use super::menus::{MenuFigures, Workshop};
use super::metrics::Metrics;
use super::net::Net;
use super::office::OfficeWork;
use super::recovery::{Recovered, recover};
use super::resolver::NameServers;
use super::secrets::{AgentSecrets, Secret};
use super::server::{Addresses, MANIFEST, Ready, StartError};
use super::socket;
use super::store::PhoneWriter;
use super::tape::{Tape, TapeFigures};
use super::tls::{Tls, TlsFigures};
use super::vault::Vault;
use crate::base::{AgentId, Now, TrunkId};
use crate::exchange::acd::Lessons;
use crate::exchange::{ExchangeSettings, Ledger, TAPE_VERSION, TapeOpening};
use crate::media::Codec;
use crate::node::{Node, NodeSettings, Trunk};
use crate::sdp::SrtpPolicy;
use crate::sip::{
    Account, Credentials, Destination, Listener, ListenerId, ListenerTransport, StoredBinding,
    UserAgentSettings,
};

/// Events of the network that may wait for the control loop; beyond, the kernel's buffers fill.
const NET_EVENTS: usize = 8_192;
/// How long binding the first RTP port may take.
const FIRST_PORT_WITHIN: Duration = Duration::from_secs(5);
/// How long calls inside may go on after SIGTERM.
const DRAIN_FOR: Duration = Duration::from_mins(10);

/// Sound goes in and out where signalling does.
fn media_settings(ready: &Ready) -> MediaSettings {
    let settings = &ready.settings;
    let all = settings.listen.iter().copied().chain(settings.tls_listen.iter().map(|t| t.at));
    MediaSettings {
        bind: BindTo::covering(&all.map(|at| at.ip()).collect::<Vec<_>>()),
        ports: settings.rtp_ports,
        prompts: Arc::clone(&ready.prompts),
        service_class: settings.rtp_class,
        rules: settings.sound,
    }
}

/// Opens everything that `ready` asks for.
#[expect(
    clippy::too_many_lines,
    reason = "one list of all that is opened, in the order in which one needs another"
)]
pub(super) async fn open(
    ready: Ready,
    stop: mpsc::Receiver<()>,
) -> Result<(Control, OfficeWork, Workshop, Addresses), StartError> {
    let settings = &ready.settings;
    let lock = lock_store(&settings.store)?;
    let (net_to, net_events) = mpsc::channel(NET_EVENTS);
    let mut net = Net::new(net_to, settings.connections.clone());
    let tls = settings.tls.as_ref().map(|tls| Tls::open(tls, ready.clock.now().utc)).transpose()?;
    let tls_figures = tls.as_ref().map(|tls| Arc::clone(tls.figures()));
    let doors = listen(&mut net, settings, tls)?;
    let (http, http_at, gate) = listen_http(settings, ready.tokens.clone())?;
    let recovered = recover(&settings.store, ready.clock).await?;
    let Recovered { store, writer, disk, ledger, segments, backlog, last_number, clock } = recovered;
    let phone_writer = PhoneWriter::open(&store).await?;
    let node_settings = node_settings(&ready, (&doors, http_at), last_number);
    let exchange = node_settings.exchange.clone();
    let (media, mut media_events) = MediaWorker::start(media_settings(&ready), clock, &ready.rng)
        .map_err(|source| StartError::System { what: "the media thread cannot be started", source })?;
    let mut node = Node::new(node_settings, Arc::clone(&ready.menus), clock.now(), &ready.rng);
    node.restore_bans(clock.now(), bans::read(&settings.store));
    let tape_figures = Arc::new(TapeFigures::default());
    let restored_at = clock.now();
    let at = (exchange, restored_at);
    let learned_figures = Arc::new(LearnedFigures::default());
    let lessons = learned::read(&settings.store, &learned_figures);
    let tape = start_tape(&ready, &mut node, at, ((&ledger, &lessons), &tape_figures))?;
    let on = ledger.banner().filter(|banner| restored_at.utc < banner.until).cloned();
    let hung = banner::restore(&settings.store, on.as_ref(), (&ready.prompts, &settings.codecs));
    let is_mute = on.as_ref().is_some_and(|banner| !banner.sounds.is_empty()) && hung.is_none();
    hang_up(&media, hung.as_ref(), &settings.codecs)?;
    node.relearn(restored_at, &lessons);
    node.restore(restored_at, &ledger);
    let kept = store.phones(clock.now().utc).await?;
    node.import_phones(clock.now(), kept.into_iter().filter(|b| fits(b, &doors.listeners)).collect());
    node.offer_port(first_port(&mut media_events).await?);
    let journal_figures = Arc::new(Figures::default());
    let menu_figures = Arc::clone(&ready.bench.figures);
    let figures = (Arc::clone(&journal_figures), tape_figures, Arc::clone(&learned_figures));
    let metrics = metrics_of(&net, tls_figures, &media, (figures, menu_figures));
    metrics.banner.mute.store(is_mute, Ordering::Relaxed);
    let (names, name_replies) = NameServers::start(&settings.dns)
        .map_err(|source| StartError::System { what: "the thread for names cannot be started", source })?;
    let (futures, ran_ahead) = FuturesWorker::start(Arc::clone(&metrics.futures))
        .map_err(|source| StartError::System { what: "the thread of futures cannot be started", source })?;
    let (asker, asks) = asking();
    let (facts_to, facts) = mpsc::channel(FACTS_WAITING);
    metrics.facts_waiting.fetch_add(backlog.len() as u64, Ordering::Relaxed);
    let around = Around { clock, facts: facts_to, metrics: Arc::clone(&metrics) };
    let notes = start_notes(settings);
    let journal = Journal::start((disk, notes), (ledger, segments), journal_figures, around)
        .map_err(|source| StartError::System { what: "the journal's threads cannot be started", source })?;
    let from = (clock.mono(), settings.learned_every);
    let learning = Learning::start(&settings.store, from, learned_figures).map_err(|source| {
        StartError::System { what: "the thread for what is learned cannot be started", source }
    })?;
    let (phones_to, phones) = mpsc::channel(PHONES_WAITING);
    let commands = socket::open(&settings.store);
    let (patience, gate) = (settings.http.patience, Arc::new(gate));
    let rng = ready.rng.fork("passwords of later agents");
    let (shop, menus, notice) =
        Workshop::new(ready.bench, asker.clone(), clock, (ready.settings.clone(), rng));
    let ways = (asker.clone(), notice);
    let on = on.as_ref().map(|banner| (banner, hung));
    let banners = BannerDesk::new(settings, ways, (clock, Arc::clone(&metrics)), on);
    let banner_over = Arc::new(Notify::new());
    let tidying = (banners.clone(), Arc::clone(&banner_over));
    let office = Office { asker, store, menus, banners, metrics: Arc::clone(&metrics), gate, patience };
    let (bans_to, bans) = mpsc::channel(bans::WAITING);
    let bans = (ready.settings.store.clone(), bans);
    let work = OfficeWork {
        writer,
        backlog,
        facts,
        phone_writer,
        phones,
        bans,
        http,
        office,
        tidying,
        commands,
        lock,
    };
    let control = Control {
        node,
        net,
        net_events,
        media,
        media_events,
        names,
        name_replies,
        futures,
        ran_ahead,
        asks,
        phones: phones_to,
        bans: bans_to,
        journal,
        tape,
        learning,
        held: WaitingRoom::default(),
        vault: Vault::default(),
        clock,
        metrics,
        banner_over,
        stop,
        drain_for: DRAIN_FOR,
    };
    let addresses =
        Addresses { sip: doors.bound, advertised: doors.advertised, tls: doors.tls, http: http_at };
    Ok((control, work, shop, addresses))
}

/// Callers hear the banner that the run before left on.
fn hang_up(media: &MediaWorker, hung: Option<&Hung>, codecs: &[Codec]) -> Result<(), StartError> {
    let Some(hung) = hung else { return Ok(()) };
    let full = |_| StartError::Settings("the media thread takes no orders".to_owned());
    media.post(banner::board_of([hung], codecs)).map_err(full)
}

/// Where entries are noted before the disk has them, if there is such a place.
fn start_notes(settings: &Settings) -> Option<Notes> {
    let memory = settings.notes.as_deref()?;
    let notes = Notes::open(memory, &journal::folder_in(&settings.store));
    notes
        .inspect_err(|error| {
            let memory = memory.display();
            tracing::warn!(%error, %memory, "nothing is noted: a kill -9 takes what happened in the 20 ms before it");
        })
        .ok()
}

/// The tape that inputs are recorded on, if they are.
fn start_tape(
    ready: &Ready,
    node: &mut Node,
    (exchange, restored_at): (ExchangeSettings, Now),
    (before, figures): ((&Ledger, &Lessons), &Arc<TapeFigures>),
) -> Result<Option<Tape>, StartError> {
    let Some(to) = &ready.settings.tape else { return Ok(None) };
    node.hand_over_commands();
    let opening = tape_opening(ready, exchange, restored_at, before);
    let tape = Tape::start(to, opening, restored_at.utc, Arc::clone(figures));
    tape.map(Some).map_err(|source| StartError::System { what: "inputs cannot be recorded", source })
}

/// What is counted of the journal, of tapes and of what is learned.
type DiskFigures = (Arc<Figures>, Arc<TapeFigures>, Arc<LearnedFigures>);

/// The metrics of all threads.
fn metrics_of(
    net: &Net,
    tls: Option<Arc<TlsFigures>>,
    media: &MediaWorker,
    (disk, menus): (DiskFigures, Arc<MenuFigures>),
) -> Arc<Metrics> {
    Arc::new(Metrics::new((net.figures(), tls), Arc::clone(media.counters()), disk, menus))
}

/// All that the switchboard hangs on but its inputs.
fn tape_opening(
    ready: &Ready,
    settings: ExchangeSettings,
    restored_at: Now,
    (ledger, lessons): (&Ledger, &Lessons),
) -> TapeOpening {
    let mut menus = ready.sources.clone();
    let revision = Some(ready.menus.revision.clone());
    let manifest = menus.remove(MANIFEST).unwrap_or_default();
    TapeOpening {
        version: TAPE_VERSION,
        program: format!("hotline {}", env!("CARGO_PKG_VERSION")),
        settings,
        revision,
        menus,
        manifest,
        restored_at,
        ledger: ledger.clone(),
        lessons: super::menus::hex(&lessons.encode()),
    }
}

fn listen_http(
    settings: &Settings,
    tokens: Vec<Token>,
) -> Result<(std::net::TcpListener, SocketAddr, Gate), StartError> {
    let http = std::net::TcpListener::bind(settings.http.listen)
        .and_then(|l| l.set_nonblocking(true).map(|()| l))
        .map_err(|source| StartError::Listen { at: format!("{} (HTTP)", settings.http.listen), source })?;
    let at =
        http.local_addr().map_err(|source| StartError::System { what: "HTTP has no address", source })?;
    let gate = Gate::new(at, tokens)
        .ok_or_else(|| StartError::Settings("HTTP stays on loopback until it has a token".to_owned()))?;
    Ok((http, at, gate))
}

fn node_settings(ready: &Ready, (doors, http): (&Doors, SocketAddr), last_number: u64) -> NodeSettings {
    let settings = &ready.settings;
    let mut exchange = settings.exchange.clone();
    exchange.first_number = last_number;
    NodeSettings {
        exchange,
        sip: sip_settings(settings, &doors.listeners, &ready.secrets),
        media_addresses: doors.media_addresses.clone(),
        srtp: doors.srtp.clone(),
        codecs: settings.codecs.clone(),
        own_addresses: doors.bound.iter().chain(&doors.tls).copied().chain([http]).collect(),
        trunks: trunks_of(settings, &doors.listeners, &ready.trunks),
        domains: settings.domains.clone(),
        signal_hold: settings.signal_hold,
        ask_phones: settings.ask_phones,
        guard: settings.guard.clone(),
        retry_after_s: 5,
    }
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
    sip.session = settings.session;
    sip.limits.request = settings.connections.request;
    sip.limits.connections = settings.connections.total;
    sip.accounts =
        secrets.of.iter().map(|(agent, s)| (agent.as_str().to_owned(), account(agent, s))).collect();
    sip
}

/// Takes the store for this process; the system gives it back however the process ends.
fn lock_store(store: &Path) -> Result<std::fs::File, StartError> {
    let fail = |source| StartError::System { what: "the store cannot be locked", source };
    let path = store.join("hotline.lock");
    let lock = std::fs::File::options().create(true).truncate(false).write(true).open(path).map_err(fail)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StartError::StoreInUse { store: store.display().to_string() }),
        Err(TryLockError::Error(source)) => Err(fail(source)),
    }
}

/// Whether a phone that was registered before can still be reached from one of our listeners.
fn fits(binding: &StoredBinding, listeners: &[Listener]) -> bool {
    let (id, stream, to) = match binding.to {
        Destination::Datagram { listener, to } => (listener, false, to),
        Destination::Connect { listener, to } => (listener, true, to),
        Destination::Stream { .. } => return false,
    };
    let reaches = |l: &Listener| l.transport.is_stream() == stream && l.local.is_ipv4() == to.is_ipv4();
    listeners.iter().any(|l| l.id == id && reaches(l))
}

/// SIP's listeners.
struct Doors {
    listeners: Vec<Listener>,
    /// The address told in SDP, by listener.
    media_addresses: BTreeMap<ListenerId, IpAddr>,
    bound: Vec<SocketAddr>,
    /// As phones are told them, in the same order.
    advertised: Vec<SocketAddr>,
    /// Those of TLS, as phones are told them.
    tls: Vec<SocketAddr>,
    /// What those do about SRTP.
    srtp: BTreeMap<ListenerId, SrtpPolicy>,
}

/// Binds UDP and TCP on every SIP address.
fn listen(net: &mut Net, settings: &Settings, tls: Option<Tls>) -> Result<Doors, StartError> {
    let mut doors = Doors {
        listeners: Vec::new(),
        media_addresses: BTreeMap::new(),
        bound: Vec::new(),
        advertised: Vec::new(),
        tls: Vec::new(),
        srtp: BTreeMap::new(),
    };
    for (at, n) in settings.listen.iter().zip((0_u8..=254).step_by(2)) {
        let (udp, tcp) = (ListenerId(n), ListenerId(n + 1));
        let local = net
            .listen(udp, tcp, *at)
            .map_err(|source| StartError::Listen { at: format!("{at} (SIP)"), source })?;
        let ip = told_address(local.ip(), settings)?;
        let advertised = SocketAddr::new(ip, local.port());
        for (id, transport) in [(udp, ListenerTransport::Udp), (tcp, ListenerTransport::Tcp)] {
            doors.listeners.push(Listener { id, transport, local, advertised });
            doors.media_addresses.insert(id, ip);
        }
        doors.bound.push(local);
        doors.advertised.push(advertised);
    }
    if let Some(tls) = tls {
        net.set_tls(tls)
            .map_err(|source| StartError::System { what: "the TLS thread cannot be started", source })?;
    }
    // Behind the numbers of the plain ones.
    let free = u8::try_from(doors.listeners.len()).unwrap_or(u8::MAX)..=u8::MAX;
    for (TlsListen { at, srtp }, n) in settings.tls_listen.iter().zip(free) {
        let id = ListenerId(n);
        let local = net
            .listen_tls(id, *at)
            .map_err(|source| StartError::Listen { at: format!("{at} (SIP over TLS)"), source })?;
        let ip = told_address(local.ip(), settings)?;
        let advertised = SocketAddr::new(ip, local.port());
        doors.listeners.push(Listener { id, transport: ListenerTransport::Tls, local, advertised });
        doors.media_addresses.insert(id, ip);
        doors.srtp.insert(id, *srtp);
        doors.tls.push(advertised);
    }
    Ok(doors)
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
    let far: SocketAddr = if local.is_ipv4() {
        ([192, 0, 2, 1], 9).into()
    } else {
        (Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1), 9).into()
    };
    source_toward(far).ok_or_else(|| {
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
        let address = trunk.address.clone();
        let reaches = |l: &&Listener| {
            address.transport.is_none_or(|t| t == l.transport)
                && trunk.numeric().is_none_or(|at| at.is_ipv4() == l.local.is_ipv4())
        };
        if !listeners.iter().any(|l| reaches(&l)) {
            tracing::error!(trunk = %id, %address, "no listener of its transport and family: the trunk cannot be reached");
        }
        trunks.insert(
            id.clone(),
            Trunk {
                host: trunk.host.clone().unwrap_or_else(|| address.to_string()),
                address,
                listeners: listeners_toward(trunk, listeners),
                credentials: credentials.get(id).cloned().flatten(),
                trusted: trunk.trusted,
                permit: trunk.permit.clone(),
                registration: trunk.registration.clone(),
                health: trunk.health,
                limits: trunk.limits,
                patience: trunk.patience,
            },
        );
    }
    trunks
}

/// The listeners that a trunk is reached from: the one that is named, or those at the address from which the system's
/// route to it begins.
fn listeners_toward(trunk: &TrunkSettings, listeners: &[Listener]) -> Vec<ListenerId> {
    let from = match (trunk.listener, trunk.numeric()) {
        (Some(named), _) => Some((named.ip(), Some(named.port()).filter(|p| *p != 0))),
        (None, Some(far)) => source_toward(far).map(|ip| (ip, None)),
        (None, None) => None,
    };
    let Some((ip, port)) = from else { return Vec::new() };
    let at = |l: &&Listener| l.local.ip() == ip && port.is_none_or(|p| l.local.port() == p);
    let found: Vec<ListenerId> = listeners.iter().filter(at).map(|l| l.id).collect();
    if found.is_empty() && trunk.listener.is_some() {
        tracing::error!(%ip, "a trunk's `listener` is none of `[sip] listen` or `tls_listen`");
    }
    found
}

/// The address that the system would send from. Connecting a UDP socket sends nothing; it only asks the routing table.
fn source_toward(far: SocketAddr) -> Option<IpAddr> {
    let any = if far.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let found = UdpSocket::bind(any).and_then(|s| s.connect(far).and_then(|()| s.local_addr()));
    found.ok().map(|a| a.ip())
}
