//! A datagram with the time at which the kernel took it: how long it waited for us is the lag of the whole machine, the
//! kernel's queue included.
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::base::UtcTime;

/// What was read.
pub(super) struct Stamped {
    pub(super) length: usize,
    pub(super) from: SocketAddr,
    /// When the kernel took it, on the civil clock; `None`: it does not say.
    pub(super) taken: Option<UtcTime>,
}

/// Asks the kernel to stamp what comes.
pub(super) fn ask(socket: &UdpSocket) {
    if let Err(e) = setsockopt(socket, sockopt::ReceiveTimestampns, &true) {
        tracing::warn!(error = %e, "the kernel stamps no datagrams: overload is noticed by sound alone");
    }
}

/// Waits for a datagram.
pub(super) async fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Stamped> {
    socket.async_io(Interest::READABLE, || receive_now(socket, buffer)).await
}

fn receive_now(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Stamped> {
    let mut space = cmsg_space!(TimeSpec);
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let got = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
    let stamp = |c: ControlMessageOwned| match c {
        ControlMessageOwned::ScmTimestampns(at) => Some(UtcTime::from_micros(
            at.tv_sec().saturating_mul(1_000_000).saturating_add(at.tv_nsec() / 1_000),
        )),
        _ => None,
    };
    let taken = got.cmsgs().ok().and_then(|mut all| all.find_map(stamp));
    let from = got.address.as_ref().and_then(address_of).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Stamped { length: got.bytes, from, taken })
}

fn address_of(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::from((v4.ip(), v4.port())));
    }
    let v6 = storage.as_sockaddr_in6()?;
    Some(SocketAddr::from((v6.ip(), v6.port())))
}
