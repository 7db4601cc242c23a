//! SIP's sockets: UDP and TCP listeners, TCP connections. Bytes in become [`NetEvent`]s for the control loop, bytes
//! out are handed over without waiting. Invariant: no peer, however slow, makes the control loop wait; what finds no
//! room is dropped and counted.
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::base::limits;
use crate::sip::{ConnId, Destination, ListenerId};

/// What the network says.
#[derive(Debug)]
pub enum NetEvent {
    /// A datagram came.
    Datagram {
        /// On which listener.
        listener: ListenerId,
        /// From where.
        from: SocketAddr,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A connection is up, whoever made it.
    Opened {
        /// Its number.
        conn: ConnId,
        /// The listener it belongs to.
        listener: ListenerId,
        /// The far end.
        remote: SocketAddr,
    },
    /// Bytes came on a connection.
    Bytes {
        /// The connection.
        conn: ConnId,
        /// Some bytes of the stream.
        bytes: Vec<u8>,
    },
    /// A connection that was wanted cannot be made.
    ConnectFailed {
        /// Its number.
        conn: ConnId,
        /// From where.
        listener: ListenerId,
        /// To whom.
        to: SocketAddr,
    },
    /// A connection is over.
    Closed {
        /// The connection.
        conn: ConnId,
    },
}

/// What was counted of SIP's sockets.
#[derive(Debug, Default)]
pub struct NetFigures {
    /// Datagrams read.
    pub datagrams_in: AtomicU64,
    /// Datagrams sent.
    pub datagrams_out: AtomicU64,
    /// Sends that the kernel refused, or that found a full connection.
    pub send_failures: AtomicU64,
    /// Connections refused because of the limit.
    pub connections_refused: AtomicU64,
    /// Connections refused because their address had its share already.
    pub connections_of_one_refused: AtomicU64,
}

/// Most TCP connections at once, accepted and made.
pub(super) const CONNECTIONS: usize = 2_000;
/// Most of them accepted from one address; loopback is excepted: there our own robots and proxies live.
const CONNECTIONS_OF_ONE: usize = 64;
/// Connections that the kernel completes before we accept them.
const BACKLOG: i32 = 1_024;
/// Messages that may wait for a slow connection; then it is closed.
const WAITING_WRITES: usize = 64;
/// A connection on which nothing came for this long is closed: phones send keep-alives more often.
const IDLE: Duration = Duration::from_mins(10);
/// A connection must bring its first bytes within this time.
const FIRST_BYTES: Duration = Duration::from_secs(30);
/// A connection we make must stand within this time: below timer B, so that the transaction hears of it.
const CONNECT: Duration = Duration::from_secs(10);
/// A write must make way within this time.
const WRITE: Duration = Duration::from_secs(10);

/// All sockets of SIP.
#[derive(Debug)]
pub struct Net {
    udp: BTreeMap<ListenerId, Arc<UdpSocket>>,
    tcp: BTreeMap<ListenerId, SocketAddr>,
    lines: BTreeMap<ConnId, Writer>,
    by_remote: BTreeMap<(ListenerId, SocketAddr), ConnId>,
    events: mpsc::Sender<NetEvent>,
    numbers: Arc<AtomicU64>,
    room: Arc<Semaphore>,
    shares: Shares,
    figures: Arc<NetFigures>,
    accepted: (mpsc::UnboundedSender<Accepted>, mpsc::UnboundedReceiver<Accepted>),
}

#[derive(Debug)]
struct Writer {
    listener: ListenerId,
    remote: SocketAddr,
    bytes: mpsc::Sender<Vec<u8>>,
}

#[derive(Debug)]
struct Accepted {
    conn: ConnId,
    writer: Writer,
}

impl Net {
    /// No socket yet; events go to `events`.
    pub fn new(events: mpsc::Sender<NetEvent>) -> Self {
        Self {
            udp: BTreeMap::new(),
            tcp: BTreeMap::new(),
            lines: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            events,
            numbers: Arc::new(AtomicU64::new(1)),
            room: Arc::new(Semaphore::new(CONNECTIONS)),
            shares: Shares::default(),
            figures: Arc::default(),
            accepted: mpsc::unbounded_channel(),
        }
    }

    /// The counters, shared with the metrics page.
    pub fn figures(&self) -> Arc<NetFigures> {
        Arc::clone(&self.figures)
    }

    /// Binds UDP and TCP to the same address; port 0 takes a free port for both. Returns the address.
    pub fn listen(&mut self, udp: ListenerId, tcp: ListenerId, at: SocketAddr) -> io::Result<SocketAddr> {
        let mut tries = 0;
        loop {
            let datagrams = udp_socket(at)?;
            let local = datagrams.local_addr()?;
            match tcp_listener(local) {
                Ok(listener) => {
                    self.serve_udp(udp, datagrams);
                    self.serve_tcp(tcp, listener, local);
                    return Ok(local);
                }
                // With port 0 the free UDP port may be taken on TCP: try another.
                Err(e) if at.port() == 0 && tries < 16 => {
                    tracing::debug!(%local, error = %e, "port free on UDP but not on TCP");
                    tries += 1;
                }
                Err(e) => return Err(e),
            }
        }
    }

    fn serve_udp(&mut self, id: ListenerId, socket: UdpSocket) {
        let socket = Arc::new(socket);
        self.udp.insert(id, Arc::clone(&socket));
        let (events, figures) = (self.events.clone(), Arc::clone(&self.figures));
        tokio::spawn(async move {
            let mut buffer = vec![0; limits::SIP_DATAGRAM_BYTES];
            loop {
                match socket.recv_from(&mut buffer).await {
                    Ok((n, from)) => {
                        figures.datagrams_in.fetch_add(1, Ordering::Relaxed);
                        let bytes = buffer.get(..n).unwrap_or_default().to_vec();
                        if events.send(NetEvent::Datagram { listener: id, from, bytes }).await.is_err() {
                            return;
                        }
                    }
                    // An ICMP "port unreachable" for an earlier send shows up here; it concerns no datagram of ours.
                    Err(e) => tracing::debug!(error = %e, "UDP receive"),
                }
            }
        });
    }

    fn serve_tcp(&mut self, id: ListenerId, listener: TcpListener, local: SocketAddr) {
        self.tcp.insert(id, local);
        let accept = Acceptor {
            id,
            events: self.events.clone(),
            numbers: Arc::clone(&self.numbers),
            room: Arc::clone(&self.room),
            shares: self.shares.clone(),
            figures: Arc::clone(&self.figures),
            accepted: self.accepted.0.clone(),
        };
        tokio::spawn(accept.run(listener));
    }

    /// Call before handing an event to the node: learns connections that were accepted or lost.
    pub fn note(&mut self, event: &NetEvent) {
        while let Ok(a) = self.accepted.1.try_recv() {
            self.add(a.conn, a.writer);
        }
        if let NetEvent::Closed { conn } | NetEvent::ConnectFailed { conn, .. } = event {
            self.forget(*conn);
        }
    }

    /// Closes a connection.
    pub fn close(&mut self, conn: ConnId) {
        self.forget(conn);
    }

    fn add(&mut self, conn: ConnId, line: Writer) {
        self.by_remote.insert((line.listener, line.remote), conn);
        self.lines.insert(conn, line);
    }

    /// Dropping a line's writer closes its connection.
    fn forget(&mut self, conn: ConnId) {
        if let Some(line) = self.lines.remove(&conn) {
            let at = (line.listener, line.remote);
            if self.by_remote.get(&at) == Some(&conn) {
                self.by_remote.remove(&at);
            }
        }
    }

    /// Sends without waiting; connects first where that is needed.
    pub fn send(&mut self, to: &Destination, bytes: Vec<u8>) {
        match *to {
            Destination::Datagram { listener, to } => {
                let sent = self.udp.get(&listener).is_some_and(|s| s.try_send_to(&bytes, to).is_ok());
                let counter = if sent { &self.figures.datagrams_out } else { &self.figures.send_failures };
                counter.fetch_add(1, Ordering::Relaxed);
            }
            Destination::Stream { conn } => self.write(conn, bytes),
            Destination::Connect { listener, to } => match self.by_remote.get(&(listener, to)).copied() {
                Some(conn) => self.write(conn, bytes),
                None => self.connect(listener, to, bytes),
            },
        }
    }

    fn write(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let taken = self.lines.get(&conn).is_some_and(|l| l.bytes.try_send(bytes).is_ok());
        if !taken {
            // A peer that does not read is gone for us.
            self.figures.send_failures.fetch_add(1, Ordering::Relaxed);
            self.forget(conn);
        }
    }

    fn connect(&mut self, listener: ListenerId, to: SocketAddr, first: Vec<u8>) {
        let conn = ConnId(self.numbers.fetch_add(1, Ordering::Relaxed));
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            self.figures.connections_refused.fetch_add(1, Ordering::Relaxed);
            // Beside a full queue of events this news is lost too: then timer B tells the transaction.
            self.events.try_send(NetEvent::ConnectFailed { conn, listener, to }).ok();
            return;
        };
        let (bytes, writes) = mpsc::channel(WAITING_WRITES);
        if bytes.try_send(first).is_err() {
            return;
        }
        self.add(conn, Writer { listener, remote: to, bytes });
        let from = self.tcp.get(&listener).map(SocketAddr::ip);
        let events = self.events.clone();
        tokio::spawn(async move {
            match tokio::time::timeout(CONNECT, dial(from, to)).await {
                Ok(Ok(stream)) => {
                    let line =
                        Line { conn, listener, remote: to, events, places: (permit, None), ours: true };
                    line.run(stream, writes).await;
                }
                Ok(Err(_)) | Err(_) => {
                    // The control loop is gone when nobody hears this.
                    events.send(NetEvent::ConnectFailed { conn, listener, to }).await.ok();
                }
            }
        });
    }
}

async fn dial(from: Option<IpAddr>, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(ip) = from.filter(|ip| ip.is_ipv4() == to.is_ipv4()) {
        socket.bind(SocketAddr::new(ip, 0))?;
    }
    socket.connect(to).await
}

/// A UDP socket with a receive buffer for bursts: the kernel drops what finds no room, and a dropped INVITE is a
/// caller who waits half a second.
fn udp_socket(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    if let Err(e) = socket.set_recv_buffer_size(4 * 1024 * 1024) {
        tracing::warn!(error = %e, "the SIP socket keeps the system's receive buffer");
    }
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    UdpSocket::from_std(socket.into())
}

/// A TCP listener of one family alone, so that `0.0.0.0` and `[::]` stand side by side on one port.
fn tcp_listener(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

struct Acceptor {
    id: ListenerId,
    events: mpsc::Sender<NetEvent>,
    numbers: Arc<AtomicU64>,
    room: Arc<Semaphore>,
    shares: Shares,
    figures: Arc<NetFigures>,
    accepted: mpsc::UnboundedSender<Accepted>,
}

impl Acceptor {
    async fn run(self, listener: TcpListener) {
        loop {
            let (stream, remote) = match listener.accept().await {
                Ok(pair) => pair,
                Err(e) => {
                    // Out of files, mostly: leave the system a moment instead of spinning.
                    tracing::warn!(error = %e, "TCP accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(share) = self.shares.take(remote.ip()) else {
                self.figures.connections_of_one_refused.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
                self.figures.connections_refused.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let conn = ConnId(self.numbers.fetch_add(1, Ordering::Relaxed));
            let (bytes, writes) = mpsc::channel(WAITING_WRITES);
            let writer = Writer { listener: self.id, remote, bytes };
            // Bounded by the permits: one accepted connection, one message.
            if self.accepted.send(Accepted { conn, writer }).is_err() {
                return;
            }
            let events = self.events.clone();
            let places = (permit, Some(share));
            let line = Line { conn, listener: self.id, remote, events, places, ours: false };
            tokio::spawn(line.run(stream, writes));
        }
    }
}

/// How many accepted connections each address has.
#[derive(Clone, Debug, Default)]
struct Shares(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

impl Shares {
    /// A place for one more from `ip`; `None`: it has its share.
    fn take(&self, ip: IpAddr) -> Option<Share> {
        let ip = ip.to_canonical();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = all.entry(ip).or_default();
        if *taken >= CONNECTIONS_OF_ONE && !ip.is_loopback() {
            return None;
        }
        *taken += 1;
        Some(Share { ip, of: self.clone() })
    }
}

/// One connection's place; dropping it gives it back.
#[derive(Debug)]
struct Share {
    ip: IpAddr,
    of: Shares,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut all = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = all.get(&self.ip).map_or(0, |n| n.saturating_sub(1));
        if left == 0 {
            all.remove(&self.ip);
        } else {
            all.insert(self.ip, left);
        }
    }
}

/// One connection's life.
struct Line {
    conn: ConnId,
    listener: ListenerId,
    remote: SocketAddr,
    events: mpsc::Sender<NetEvent>,
    /// Among all connections, and among those of its address.
    places: (OwnedSemaphorePermit, Option<Share>),
    ours: bool,
}

impl Line {
    async fn run(self, stream: TcpStream, mut writes: mpsc::Receiver<Vec<u8>>) {
        let Self { conn, listener, remote, events, places, ours } = self;
        if let Err(e) = stream.set_nodelay(true) {
            tracing::debug!(%remote, error = %e, "no TCP_NODELAY");
        }
        if events.send(NetEvent::Opened { conn, listener, remote }).await.is_err() {
            return;
        }
        let (mut reads, mut sink) = stream.into_split();
        let mut buffer = vec![0; 16 * 1024];
        let mut patience = if ours { IDLE } else { FIRST_BYTES };
        loop {
            tokio::select! {
                read = tokio::time::timeout(patience, reads.read(&mut buffer)) => match read {
                    Ok(Ok(n)) if n > 0 => {
                        patience = IDLE;
                        let bytes = buffer.get(..n).unwrap_or_default().to_vec();
                        if events.send(NetEvent::Bytes { conn, bytes }).await.is_err() {
                            return;
                        }
                    }
                    Ok(Ok(_) | Err(_)) | Err(_) => break,
                },
                write = writes.recv() => match write {
                    Some(bytes) => match tokio::time::timeout(WRITE, sink.write_all(&bytes)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) | Err(_) => break,
                    },
                    None => break,
                },
            }
        }
        drop(places);
        // The control loop is gone when nobody hears this.
        events.send(NetEvent::Closed { conn }).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_its_share_of_connections_and_loopback_any_number() {
        let shares = Shares::default();
        let far: IpAddr = [192, 0, 2, 7].into();
        let mut held: Vec<Share> = (0..CONNECTIONS_OF_ONE).filter_map(|_| shares.take(far)).collect();
        assert_eq!(held.len(), CONNECTIONS_OF_ONE);
        assert!(shares.take(far).is_none());
        let other = shares.take([192, 0, 2, 8].into());
        assert!(other.is_some());
        held.pop();
        held.extend(shares.take(far));
        assert_eq!(held.len(), CONNECTIONS_OF_ONE, "a place given back is free again");
        let near: Vec<_> = (0..200).map(|_| shares.take([127, 0, 0, 1].into())).collect();
        assert!(near.iter().all(Option::is_some));
        drop((held, other, near));
        assert!(shares.0.lock().unwrap().is_empty(), "nothing is kept of those who left");
    }

    #[tokio::test]
    async fn a_connection_that_finds_no_room_is_reported_as_failed() {
        let (to, mut events) = mpsc::channel(4);
        let mut net = Net::new(to);
        net.room = Arc::new(Semaphore::new(0));
        let to = "127.0.0.1:9".parse().unwrap();
        net.send(&Destination::Connect { listener: ListenerId(1), to }, b"x".to_vec());
        assert!(matches!(events.try_recv(), Ok(NetEvent::ConnectFailed { to: at, .. }) if at == to));
    }
}
