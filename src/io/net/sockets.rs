//! How SIP's sockets are made: of one family alone, with buffers of a known size, and with a kernel that notices a peer
//! who vanished without a word (RFC 1122 4.2.3.6, RFC 5482). Invariant: a stream whose peer answers nothing for
//! [`ConnectionLimits::vanished`] ends with an error.
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use super::ConnectionLimits;
use crate::io::service_class::mark;

/// Connections that the kernel completes before we accept them.
const BACKLOG: i32 = 1_024;
/// What the kernel keeps of a stream that we have not read yet: bounds what a talkative stranger costs.
const STREAM_BUFFER: usize = 128 * 1024;
/// Questions of the kernel that a silent peer may leave unanswered.
const QUESTIONS: u32 = 2;

/// A UDP socket of a class of service, with a receive buffer for bursts: the kernel drops what finds no room, and a dropped INVITE is a
/// caller who waits half a second.
pub(super) fn udp(at: SocketAddr, service_class: u8) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    if let Err(e) = socket.set_recv_buffer_size(4 * 1024 * 1024) {
        tracing::warn!(error = %e, "the SIP socket keeps the system's receive buffer");
    }
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    mark(&socket, at.is_ipv6(), service_class);
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    UdpSocket::from_std(socket.into())
}

/// A TCP listener of one family alone, so that `0.0.0.0` and `[::]` stand side by side on one port.
pub(super) fn listener(at: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // What is accepted here inherits it.
    if let Err(e) = socket.set_recv_buffer_size(STREAM_BUFFER) {
        tracing::debug!(error = %e, "streams keep the system's receive buffer");
    }
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A connection to `to` from our own address, as far as that is of its family.
pub(super) async fn dial(from: Option<IpAddr>, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(ip) = from.filter(|ip| ip.is_ipv4() == to.is_ipv4()) {
        socket.bind(SocketAddr::new(ip, 0))?;
    }
    socket.connect(to).await
}

/// Small messages go out at once; a peer that answers nothing any more is noticed within `limits.vanished`.
pub(super) fn prepare(stream: &TcpStream, limits: &ConnectionLimits) {
    let second = Duration::from_secs(1);
    let keepalive = TcpKeepalive::new()
        .with_time((limits.vanished / 2).max(second))
        .with_interval((limits.vanished / 4).max(second))
        .with_retries(QUESTIONS);
    let socket = SockRef::from(stream);
    mark(stream, stream.local_addr().is_ok_and(|a| a.is_ipv6()), limits.service_class);
    let set = stream
        .set_nodelay(true)
        .and_then(|()| socket.set_tcp_keepalive(&keepalive))
        .and_then(|()| socket.set_tcp_user_timeout(Some(limits.vanished.max(second))));
    if let Err(e) = set {
        tracing::debug!(error = %e, "a connection keeps the system's own options");
    }
}
