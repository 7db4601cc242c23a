//! SIP's sockets: UDP, TCP and TLS listeners, and connections. Bytes in become [`NetEvent`]s for the control loop,
//! bytes out are handed over without waiting. TLS has a thread of its own: a flood of handshakes costs no call its
//! time. Invariant: no peer, however slow, makes the control loop wait; what finds no room is dropped and counted.
mod accept;
mod line;
mod sockets;
mod stamped;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::base::{UtcTime, limits};
use crate::io::service_class::CS3;
use crate::io::tls::{Tls, TlsThread};
use crate::sip::{ConnId, Destination, ListenerId};
use accept::{Acceptor, House};

pub(in crate::io) use accept::{Share, Shares};
use line::Line;
use stamped::Received;

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
        /// When the kernel took it, on the civil clock.
        taken: Option<UtcTime>,
    },
    /// The network says that nobody is where a datagram of ours went (ICMP).
    Unreachable {
        /// From which listener.
        listener: ListenerId,
        /// Where it went.
        to: SocketAddr,
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
        /// Held until they are handled: the connection is read no further without one.
        place: Option<OwnedSemaphorePermit>,
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
    /// Datagrams of which the network said that nobody is there.
    pub unreachable: AtomicU64,
    /// Sends that the kernel refused, or that found a full connection.
    pub send_failures: AtomicU64,
    /// Connections refused because of the limit.
    pub connections_refused: AtomicU64,
    /// Connections refused because their address had its share already.
    pub connections_of_one_refused: AtomicU64,
    /// Connections whose peer answered nothing any more, not even the kernel's questions.
    pub connections_vanished: AtomicU64,
    /// TLS handshakes that failed, or did not end in time, in both directions.
    pub handshake_failures: AtomicU64,
}

/// How many connections, and how long they may keep us waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// At once, accepted and made.
    pub total: usize,
    /// Of these, accepted from one address. An address that is our own is excepted: there our own robots and proxies
    /// live.
    pub of_one: usize,
    /// A TLS handshake, and a connection that we make, must be done within this time: below timer B, so that a
    /// transaction hears of it.
    pub handshake: Duration,
    /// The first message of a connection, and the rest of any that has begun, must be here within this time.
    pub request: Duration,
    /// A peer that answers nothing for this long, not even the kernel's own questions, is gone.
    pub vanished: Duration,
    /// A connection on which nothing came for this long is closed: phones send keep-alives more often.
    pub idle: Duration,
    /// The class of what SIP sends, 0-63 (RFC 2474).
    pub service_class: u8,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            total: 2_000,
            of_one: 64,
            handshake: Duration::from_secs(10),
            request: Duration::from_secs(30),
            vanished: Duration::from_secs(10),
            idle: Duration::from_mins(10),
            service_class: CS3,
        }
    }
}

/// Messages that may wait for a slow connection; then it is closed.
const WAITING_WRITES: usize = 64;

/// All sockets of SIP.
#[derive(Debug)]
pub struct Net {
    udp: BTreeMap<ListenerId, Arc<UdpSocket>>,
    streams: BTreeMap<ListenerId, Kind>,
    tls: Option<TlsThread>,
    /// The name that the certificate at an address must have, where it is not the address.
    names: BTreeMap<SocketAddr, String>,
    lines: BTreeMap<ConnId, Writer>,
    by_remote: BTreeMap<(ListenerId, SocketAddr), ConnId>,
    house: House,
    accepted: mpsc::UnboundedReceiver<Accepted>,
}

/// What a stream listener is, also for connections made in its name.
#[derive(Clone, Copy, Debug)]
struct Kind {
    local: IpAddr,
    tls: bool,
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
    pub fn new(events: mpsc::Sender<NetEvent>, limits: ConnectionLimits) -> Self {
        let (accepted_to, accepted) = mpsc::unbounded_channel();
        let house = House {
            events,
            numbers: Arc::new(AtomicU64::new(1)),
            room: Arc::new(Semaphore::new(limits.total)),
            shares: Shares::default(),
            figures: Arc::default(),
            limits: Arc::new(limits),
            accepted: accepted_to,
        };
        Self {
            udp: BTreeMap::new(),
            streams: BTreeMap::new(),
            tls: None,
            names: BTreeMap::new(),
            lines: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            house,
            accepted,
        }
    }

    /// The counters, shared with the metrics page.
    pub fn figures(&self) -> Arc<NetFigures> {
        Arc::clone(&self.house.figures)
    }

    /// From now on TLS is spoken, on a thread of its own.
    pub fn set_tls(&mut self, tls: Tls) -> io::Result<()> {
        self.tls = Some(TlsThread::start(tls)?);
        Ok(())
    }

    /// Binds a TLS listener; port 0 takes a free one. Returns the address. Without `set_tls` before: an error.
    pub fn listen_tls(&mut self, id: ListenerId, at: SocketAddr) -> io::Result<SocketAddr> {
        let Some(thread) = &self.tls else { return Err(io::ErrorKind::NotConnected.into()) };
        let listener = sockets::listener(at)?;
        let local = listener.local_addr()?;
        let acceptor = Acceptor { id, house: self.house.clone(), tls: Some(thread.tls().clone()) };
        thread.spawn(acceptor.run(listener));
        self.connect_by_tls(id, local.ip());
        Ok(local)
    }

    /// Connections in the name of `id` are TLS, made from `local`; nobody is let in.
    pub fn connect_by_tls(&mut self, id: ListenerId, local: IpAddr) {
        self.streams.insert(id, Kind { local, tls: true });
    }

    /// The certificate at `to` must be one for `name` (RFC 5922 7.3); without a word it must be one for the address.
    pub fn expect_name(&mut self, to: SocketAddr, name: impl Into<String>) {
        self.names.insert(to, name.into());
    }

    /// Binds UDP and TCP to the same address; port 0 takes a free port for both. Returns the address.
    pub fn listen(&mut self, udp: ListenerId, tcp: ListenerId, at: SocketAddr) -> io::Result<SocketAddr> {
        let mut tries = 0;
        loop {
            let datagrams = sockets::udp(at, self.house.limits.service_class)?;
            let local = datagrams.local_addr()?;
            match sockets::listener(local) {
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
        stamped::ask(&socket);
        let socket = Arc::new(socket);
        self.udp.insert(id, Arc::clone(&socket));
        let (events, figures) = (self.house.events.clone(), self.figures());
        tokio::spawn(async move {
            let mut buffer = vec![0; limits::SIP_DATAGRAM_BYTES];
            loop {
                let event = match stamped::receive(&socket, &mut buffer).await {
                    Ok(Received::Datagram { length, from, taken }) => {
                        figures.datagrams_in.fetch_add(1, Ordering::Relaxed);
                        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
                        NetEvent::Datagram { listener: id, from, bytes, taken }
                    }
                    Ok(Received::Unreachable { to }) => {
                        figures.unreachable.fetch_add(1, Ordering::Relaxed);
                        NetEvent::Unreachable { listener: id, to }
                    }
                    Err(e) => {
                        tracing::debug!(error = %e, "UDP receive");
                        continue;
                    }
                };
                if events.send(event).await.is_err() {
                    return;
                }
            }
        });
    }

    fn serve_tcp(&mut self, id: ListenerId, listener: std::net::TcpListener, local: SocketAddr) {
        self.streams.insert(id, Kind { local: local.ip(), tls: false });
        tokio::spawn(Acceptor { id, house: self.house.clone(), tls: None }.run(listener));
    }

    /// Call before handing an event to the node: learns connections that were accepted or lost.
    pub fn note(&mut self, event: &NetEvent) {
        while let Ok(a) = self.accepted.try_recv() {
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
                let sent = self.udp.get(&listener).is_some_and(|s| stamped::send(s, &bytes, to).is_ok());
                let counter =
                    if sent { &self.house.figures.datagrams_out } else { &self.house.figures.send_failures };
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
            self.house.figures.send_failures.fetch_add(1, Ordering::Relaxed);
            self.forget(conn);
        }
    }

    fn connect(&mut self, listener: ListenerId, to: SocketAddr, first: Vec<u8>) {
        let conn = self.house.number(listener);
        let failed = NetEvent::ConnectFailed { conn, listener, to };
        let kind = self.streams.get(&listener).copied();
        let thread = self.tls.as_ref().filter(|_| kind.is_some_and(|k| k.tls));
        // A TLS listener without TLS is never served in the clear.
        let secured = thread.is_some() || !kind.is_some_and(|k| k.tls);
        let Some(place) = Some(()).filter(|()| secured).and_then(|()| self.house.place()) else {
            // Beside a full queue of events this news is lost too: then timer B tells the transaction.
            self.house.events.try_send(failed).ok();
            return;
        };
        let (bytes, writes) = mpsc::channel(WAITING_WRITES);
        if bytes.try_send(first).is_err() {
            return;
        }
        let house = self.house.clone();
        let line = Line { conn, listener, remote: to, house: house.clone(), places: (place, None) };
        let dialled = dial(kind.map(|k| k.local), to, house.clone());
        match thread {
            None => {
                tokio::spawn(async move {
                    match dialled.await {
                        Ok(stream) => line.run(stream, writes).await,
                        // The control loop is gone when nobody hears this.
                        Err(_) => drop(house.events.send(failed).await),
                    }
                });
            }
            Some(thread) => {
                let name = self.names.get(&to).cloned().unwrap_or_else(|| to.ip().to_string());
                let tls = thread.tls().clone();
                thread.spawn(async move {
                    let shaken = async { tls.connect(dialled.await?, &name, house.limits.handshake).await };
                    match shaken.await {
                        Ok(stream) => line.run(stream, writes).await,
                        Err(e) => {
                            house.figures.handshake_failures.fetch_add(1, Ordering::Relaxed);
                            tracing::warn!(%to, name, error = %e, "no TLS connection");
                            house.events.send(failed).await.ok();
                        }
                    }
                });
            }
        }
        self.add(conn, Writer { listener, remote: to, bytes });
    }
}

/// A connection that stands within the time that there is for it.
async fn dial(from: Option<IpAddr>, to: SocketAddr, house: House) -> io::Result<tokio::net::TcpStream> {
    let stream = tokio::time::timeout(house.limits.handshake, sockets::dial(from, to)).await??;
    sockets::prepare(&stream, &house.limits);
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_that_finds_no_room_is_reported_as_failed() {
        let (to, mut events) = mpsc::channel(4);
        let mut net = Net::new(to, ConnectionLimits { total: 0, ..ConnectionLimits::default() });
        let to = "127.0.0.1:9".parse().unwrap();
        net.send(&Destination::Connect { listener: ListenerId(1), to }, b"x".to_vec());
        assert!(matches!(events.try_recv(), Ok(NetEvent::ConnectFailed { to: at, .. }) if at == to));
    }

    #[tokio::test]
    async fn what_is_to_go_by_tls_never_goes_in_the_clear() {
        let (to, mut events) = mpsc::channel(4);
        let mut net = Net::new(to, ConnectionLimits::default());
        let ear = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        ear.set_nonblocking(true).unwrap();
        let to = ear.local_addr().unwrap();
        net.connect_by_tls(ListenerId(2), to.ip());
        net.send(&Destination::Connect { listener: ListenerId(2), to }, b"x".to_vec());
        assert!(matches!(events.try_recv(), Ok(NetEvent::ConnectFailed { .. })));
        assert!(ear.accept().is_err());
    }
}
