//! A datagram with the time at which the kernel took it: how long it waited for us is the lag of the whole machine, the
//! kernel's queue included. And what the network says of datagrams that found nobody (ICMP, RFC 1122 section 4.1.3.3).
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

use nix::cmsg_space;
use nix::libc::{self, sock_extended_err, sockaddr_in6};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::base::UtcTime;

/// What was read.
pub(super) enum Received {
    /// A datagram.
    Datagram {
        length: usize,
        from: SocketAddr,
        /// When the kernel took it, on the civil clock; `None`: it does not say.
        taken: Option<UtcTime>,
    },
    /// Nobody is where a datagram of ours went.
    Unreachable { to: SocketAddr },
}

/// Asks the kernel to stamp what comes, and to say where our datagrams found nobody.
pub(super) fn ask(socket: &UdpSocket) {
    if let Err(e) = setsockopt(socket, sockopt::ReceiveTimestampns, &true) {
        tracing::warn!(error = %e, "the kernel stamps no datagrams: overload is noticed by sound alone");
    }
    let is_v4 = socket.local_addr().is_ok_and(|at| at.is_ipv4());
    let told = if is_v4 {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)
    } else {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)
    };
    if let Err(e) = told {
        tracing::debug!(error = %e, "the kernel does not say which datagrams found nobody");
    }
}

/// Waits for a datagram, or for news of one that found nobody.
pub(super) async fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Received> {
    loop {
        let ready = socket.ready(Interest::READABLE | Interest::ERROR).await?;
        if ready.is_error() {
            match socket.try_io(Interest::ERROR, || complaint_now(socket)) {
                Ok(Some(to)) => return Ok(Received::Unreachable { to }),
                Ok(None) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        match socket.try_io(Interest::READABLE, || receive_now(socket, buffer)) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock || is_complaint(&e) => {}
            done => return done,
        }
    }
}

/// Sends one datagram now. A complaint about an earlier one is no failure of this one.
pub(super) fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
    match socket.try_send_to(bytes, to) {
        Err(e) if is_complaint(&e) => socket.try_send_to(bytes, to),
        done => done,
    }
}

/// What a socket says once after an ICMP message, whatever it is asked: the news itself is in its queue of errors.
fn is_complaint(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    matches!(e.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable)
        || e.raw_os_error() == Some(libc::EPROTO)
}

fn receive_now(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Received> {
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
    Ok(Received::Datagram { length: got.bytes, from, taken })
}

/// The next of the socket's queue of errors: where a datagram went that found nobody; `None`: something else.
fn complaint_now(socket: &UdpSocket) -> io::Result<Option<SocketAddr>> {
    // The datagram itself comes back, too; its beginning is enough.
    let mut beginning = [0; 64];
    let mut space = cmsg_space!(TimeSpec, sock_extended_err, sockaddr_in6);
    let mut slices = [IoSliceMut::new(&mut beginning)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_ERRQUEUE;
    let got = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
    let nobody = |c: ControlMessageOwned| match c {
        ControlMessageOwned::Ipv4RecvErr(e, _) | ControlMessageOwned::Ipv6RecvErr(e, _) => says_nobody(&e),
        _ => false,
    };
    let found = got.cmsgs().is_ok_and(|mut all| all.any(nobody));
    Ok(got.address.as_ref().and_then(address_of).filter(|_| found))
}

/// Whether it is an ICMP message of an unreachable port, protocol, host or network; not of a packet that is too large.
fn says_nobody(error: &sock_extended_err) -> bool {
    let by_network = matches!(error.ee_origin, libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6);
    let errno = i32::try_from(error.ee_errno).unwrap_or_default();
    let gone =
        matches!(errno, libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::ENOPROTOOPT);
    by_network && gone
}

fn address_of(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::from((v4.ip(), v4.port())));
    }
    let v6 = storage.as_sockaddr_in6()?;
    Some(SocketAddr::from((v6.ip(), v6.port())))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(at: &str) {
        let ours = UdpSocket::bind(at).await.unwrap();
        ask(&ours);
        let nobody = UdpSocket::bind(at).await.unwrap().local_addr().unwrap();
        let somebody = UdpSocket::bind(at).await.unwrap();
        ours.writable().await.unwrap();
        send(&ours, b"x", nobody).unwrap();
        let mut buffer = [0; 16];
        let Received::Unreachable { to } = receive(&ours, &mut buffer).await.unwrap() else {
            panic!("no news")
        };
        assert_eq!(to, nobody);
        // What came of one datagram costs no other.
        send(&ours, b"x", nobody).unwrap();
        send(&ours, b"y", somebody.local_addr().unwrap()).unwrap();
        assert_eq!(somebody.recv(&mut buffer).await.unwrap(), 1);
        somebody.send_to(b"zz", ours.local_addr().unwrap()).await.unwrap();
        let mut complaints = 0;
        loop {
            match receive(&ours, &mut buffer).await.unwrap() {
                Received::Datagram { length, .. } => {
                    assert_eq!(length, 2);
                    break;
                }
                Received::Unreachable { to } => {
                    assert_eq!(to, nobody);
                    complaints += 1;
                }
            }
        }
        assert!(complaints <= 1);
    }

    #[tokio::test]
    async fn a_datagram_that_found_nobody_is_told_by_its_address_and_costs_no_other() {
        told("127.0.0.1:0").await;
        told("[::1]:0").await;
    }
}
