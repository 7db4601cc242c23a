//! A few datagrams of one socket with one system call: mostly one is there, and that there is no second one is learnt
//! without asking again.
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

use mio::net::UdpSocket;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrLike as _, SockaddrStorage, recvmmsg};

/// Most datagrams of one batch. A batch that is not full has emptied its socket.
pub(super) const PACKETS: usize = 4;
/// The largest datagram read; longer ones are cut, and then malformed.
const BYTES: usize = 2_048;

/// The last datagrams read.
pub(super) struct Batch {
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Box<[[u8; BYTES]; PACKETS]>,
    read: [(Option<SocketAddr>, usize); PACKETS],
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(PACKETS, None),
            buffers: Box::new([[0; BYTES]; PACKETS]),
            read: [(None, 0); PACKETS],
        }
    }

    /// Reads what is there, at most a batch; how many.
    pub(super) fn read(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let mut slices = self.buffers.each_mut().map(|b| [IoSliceMut::new(b)]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let got = recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None)
            .map_err(|e: Errno| io::Error::from(e))?;
        let mut count = 0;
        for (message, place) in got.zip(&mut self.read) {
            *place = (message.address.as_ref().and_then(address_of), message.bytes);
            count += 1;
        }
        Ok(count)
    }

    /// One of them: who sent it, and its bytes.
    pub(super) fn get(&self, n: usize) -> Option<(SocketAddr, &[u8])> {
        let (from, length) = self.read.get(n)?;
        Some(((*from)?, self.buffers.get(n)?.get(..*length)?))
    }
}

/// How everybody else names the address that a socket of both families reports.
fn address_of(storage: &SockaddrStorage) -> Option<SocketAddr> {
    debug_assert!(storage.len() > 0);
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::from((v4.ip(), v4.port())));
    }
    let v6 = storage.as_sockaddr_in6()?;
    Some(SocketAddr::new(v6.ip().to_canonical(), v6.port()))
}
