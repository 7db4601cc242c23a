//! The asking of name servers: questions of the node in, replies out, by a thread of its own, so that neither a slow name
//! server nor a hostile answer takes time from calls. What is asked, cached and believed is decided in `sip`.
//!
//! Invariant: every question taken gets one reply; one that finds no room is handed back.
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use tokio::sync::{Semaphore, mpsc};

use crate::sip::{DnsQuestion, DnsRecords, DnsReply, Naptr, RecordKind, Srv};

/// Questions that may wait for the thread.
const WAITING: usize = 512;
/// Questions under way at one time.
const AT_ONCE: usize = 64;
/// How long one try of one server may take.
const TRY: Duration = Duration::from_secs(2);
/// Tries of each server.
const TRIES: usize = 2;

/// Where questions go. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct NameServers {
    questions: mpsc::Sender<DnsQuestion>,
}

/// What comes back.
pub(super) type Replies = mpsc::Receiver<(DnsQuestion, DnsReply)>;

impl NameServers {
    /// Starts the thread. Without `servers` those of the system are asked; when there are none, every question fails,
    /// which the log says once.
    pub(super) fn start(servers: &[SocketAddr]) -> io::Result<(Self, Replies)> {
        let (questions, asked) = mpsc::channel(WAITING);
        let (reply, replies) = mpsc::channel(WAITING);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let servers = servers.to_vec();
        std::thread::Builder::new()
            .name("names".to_owned())
            .spawn(move || runtime.block_on(serve(&servers, asked, reply)))?;
        Ok((Self { questions }, replies))
    }

    /// Asks; the reply comes by the other end. A question without room comes back.
    pub(super) fn ask(&self, question: DnsQuestion) -> Result<(), DnsQuestion> {
        self.questions.try_send(question).map_err(|e| match e {
            mpsc::error::TrySendError::Full(question) | mpsc::error::TrySendError::Closed(question) => {
                question
            }
        })
    }
}

async fn serve(
    servers: &[SocketAddr],
    mut asked: mpsc::Receiver<DnsQuestion>,
    reply: mpsc::Sender<(DnsQuestion, DnsReply)>,
) {
    let resolver = match resolver(servers) {
        Ok(resolver) => Some(Arc::new(resolver)),
        Err(error) => {
            tracing::error!(%error, "no name server: names of trunks lead nowhere");
            None
        }
    };
    let room = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(question) = asked.recv().await {
        let (resolver, reply) = (resolver.clone(), reply.clone());
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        tokio::spawn(async move {
            let answer = match &resolver {
                Some(resolver) => ask(resolver, &question).await,
                None => DnsReply::Failed,
            };
            tracing::debug!(name = question.name, kind = ?question.kind, ?answer, "name server");
            // Whoever asked may be gone.
            reply.send((question, answer)).await.ok();
            drop(permit);
        });
    }
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let provider = TokioRuntimeProvider::default();
    let mut builder = if servers.is_empty() {
        Resolver::builder(provider)?
    } else {
        let servers = servers.iter().map(|at| {
            let on = |mut connection: ConnectionConfig| {
                connection.port = at.port();
                connection
            };
            NameServerConfig::new(
                at.ip(),
                true,
                vec![on(ConnectionConfig::udp()), on(ConnectionConfig::tcp())],
            )
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        Resolver::builder_with_config(config, provider)
    };
    let options: &mut ResolverOpts = builder.options_mut();
    options.timeout = TRY;
    options.attempts = TRIES;
    // `sip` has the one cache, with its own bounds.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Always;
    builder.build()
}

async fn ask(resolver: &TokioResolver, question: &DnsQuestion) -> DnsReply {
    let kind = match question.kind {
        RecordKind::Naptr => RecordType::NAPTR,
        RecordKind::Srv => RecordType::SRV,
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
    };
    // The final dot: no search list of the machine is appended.
    let Ok(name) = Name::from_str_relaxed(format!("{}.", question.name)) else {
        return DnsReply::Nothing { ttl: None };
    };
    match resolver.lookup(name, kind).await {
        Ok(lookup) => read(question.kind, lookup.answers()),
        Err(NetError::Dns(DnsError::NoRecordsFound(nothing)))
            if matches!(nothing.response_code, ResponseCode::NoError | ResponseCode::NXDomain) =>
        {
            DnsReply::Nothing { ttl: nothing.negative_ttl.map(|s| Duration::from_secs(u64::from(s))) }
        }
        Err(error) => {
            tracing::debug!(name = question.name, ?kind, %error, "a name server failed");
            DnsReply::Failed
        }
    }
}

/// The records of one kind, and how long all of them hold.
fn read(kind: RecordKind, answers: &[Record]) -> DnsReply {
    let ttl = answers.iter().map(|r| r.ttl).min().unwrap_or(0);
    let data = || answers.iter().map(|r| &r.data);
    let records = match kind {
        RecordKind::Naptr => DnsRecords::Naptr(data().filter_map(naptr).collect()),
        RecordKind::Srv => DnsRecords::Srv(data().filter_map(srv).collect()),
        RecordKind::A | RecordKind::Aaaa => {
            DnsRecords::Addresses(data().filter_map(RData::ip_addr).collect())
        }
    };
    let none = match &records {
        DnsRecords::Naptr(all) => all.is_empty(),
        DnsRecords::Srv(all) => all.is_empty(),
        DnsRecords::Addresses(all) => all.is_empty(),
    };
    let ttl = Duration::from_secs(u64::from(ttl));
    if none { DnsReply::Nothing { ttl: None } } else { DnsReply::Records { records, ttl } }
}

fn naptr(data: &RData) -> Option<Naptr> {
    let RData::NAPTR(r) = data else { return None };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(Naptr {
        order: r.order,
        preference: r.preference,
        flags: text(&r.flags),
        service: text(&r.services),
        replacement: plain(&r.replacement),
    })
}

fn srv(data: &RData) -> Option<Srv> {
    let RData::SRV(r) = data else { return None };
    Some(Srv { priority: r.priority, weight: r.weight, port: r.port, target: plain(&r.target) })
}

/// Without the final dot; the root is empty.
fn plain(name: &Name) -> String {
    let text = name.to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

/// A name server as written: an address, with a port where it is not 53.
pub(super) fn name_server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53)))
}
