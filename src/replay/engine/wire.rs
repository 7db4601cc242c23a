//! The phones' sockets: one for SIP, those for sound of many phones each or of one. Sound is read and sent in batches, so
//! that the phones leave the machine to the server; what comes in carries the kernel's time of arrival.
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd as _;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, sendmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

/// Packets read or sent with one system call.
const BATCH: usize = 64;
/// Longest packet read: a frame of 60 ms.
const LONGEST: usize = 512;
/// The kernel's buffer of one socket, in bytes: half a second of its phones' sound.
pub(in crate::replay) const BUFFER: usize = 8 * 1024 * 1024;
/// That of a socket of one phone: over a second of its sound.
pub(super) const OWN_BUFFER: usize = 64 * 1024;
/// Packets read with one system call where a phone has a socket of its own.
const OWN_BATCH: usize = 6;

/// A UDP socket with a large buffer.
pub(super) fn udp(at: SocketAddrV4, buffer: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(buffer)?;
    socket.set_send_buffer_size(buffer)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::V4(at).into())?;
    Ok(socket.into())
}

/// One packet that came in.
#[derive(Clone, Copy)]
pub(in crate::replay) struct Heard<'a> {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// When the kernel took it, in nanoseconds since 1970.
    pub at_ns: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A socket for the sound of many phones, told apart by whom they hear.
pub(in crate::replay) struct Wire {
    socket: UdpSocket,
    /// RTCP's neighbour: read by nobody, there so that no ICMP is sent.
    _rtcp: UdpSocket,
    port: u16,
    headers: MultiHeaders<SockaddrIn>,
    out: MultiHeaders<SockaddrIn>,
    buffers: Vec<[u8; LONGEST]>,
    waiting: Vec<(SocketAddrV4, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
    /// Packets that the kernel did not take.
    pub(in crate::replay) unsent: u64,
}

impl Wire {
    /// An even port and the odd one after it.
    pub(in crate::replay) fn open(at: Ipv4Addr, buffer: usize) -> io::Result<Self> {
        let mut tries = 0;
        let (socket, rtcp, port) = loop {
            let socket = udp(SocketAddrV4::new(at, 0), buffer)?;
            let port = socket.local_addr()?.port();
            match port.checked_add(1).map(|next| udp(SocketAddrV4::new(at, next), OWN_BUFFER)) {
                Some(Ok(rtcp)) if port % 2 == 0 => break (socket, rtcp, port),
                _ if tries < 100 => tries += 1,
                _ => return Err(io::Error::other("no pair of free ports")),
            }
        };
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        let batch = if buffer == BUFFER { BATCH } else { OWN_BATCH };
        Ok(Self {
            socket,
            _rtcp: rtcp,
            port,
            headers: MultiHeaders::preallocate(batch, Some(cmsg_space!(TimeSpec))),
            out: MultiHeaders::preallocate(batch, None),
            buffers: vec![[0; LONGEST]; batch],
            waiting: Vec::with_capacity(batch),
            spare: Vec::new(),
            unsent: 0,
        })
    }

    /// Its RTP port.
    pub(in crate::replay) const fn port(&self) -> u16 {
        self.port
    }

    /// Hands every packet that is there to `take`.
    pub(in crate::replay) fn read(&mut self, mut take: impl FnMut(Heard<'_>)) -> io::Result<()> {
        loop {
            match self.receive(&mut take) {
                Ok(n) if n < self.buffers.len() => return Ok(()),
                Err(Errno::EAGAIN) => return Ok(()),
                Ok(_) | Err(Errno::EINTR | Errno::ECONNREFUSED) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// One batch: how many there were.
    fn receive(&mut self, take: &mut impl FnMut(Heard<'_>)) -> Result<usize, Errno> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers.iter_mut().map(|b| [IoSliceMut::new(b)]).collect();
        let fd = self.socket.as_raw_fd();
        let got = recvmmsg(fd, &mut self.headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
        let stamp = |c: ControlMessageOwned| match c {
            ControlMessageOwned::ScmTimestampns(t) => Some(nanoseconds(t)),
            _ => None,
        };
        let mut count = 0;
        for message in got {
            count += 1;
            let at_ns = message.cmsgs().ok().and_then(|mut c| c.find_map(stamp)).unwrap_or(0);
            let bytes = message.iovs().next().unwrap_or_default();
            if let Some(from) = message.address {
                take(Heard { from: SocketAddrV4::new(from.ip(), from.port()), at_ns, bytes });
            }
        }
        Ok(count)
    }

    /// Sends with the next batch; a full batch goes at once.
    pub(in crate::replay) fn send(&mut self, to: SocketAddrV4, head: &[u8], payload: &[u8]) {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(head);
        bytes.extend_from_slice(payload);
        self.waiting.push((to, bytes));
        if self.waiting.len() == self.buffers.len() {
            self.flush();
        }
    }

    /// Sends at once.
    pub(in crate::replay) fn send_now(&mut self, to: SocketAddrV4, head: &[u8], payload: &[u8]) {
        let parts = [IoSlice::new(head), IoSlice::new(payload)];
        let to = SockaddrIn::from(to);
        let sent = sendmsg(self.socket.as_raw_fd(), &parts, &[], MsgFlags::MSG_DONTWAIT, Some(&to));
        self.unsent += u64::from(sent.is_err());
    }

    /// Sends what waits.
    pub(in crate::replay) fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let slices: Vec<[IoSlice<'_>; 1]> = self.waiting.iter().map(|(_, b)| [IoSlice::new(b)]).collect();
        let addresses: Vec<Option<SockaddrIn>> =
            self.waiting.iter().map(|(to, _)| Some(SockaddrIn::from(*to))).collect();
        let fd = self.socket.as_raw_fd();
        let sent = sendmmsg(fd, &mut self.out, &slices, &addresses, [], MsgFlags::MSG_DONTWAIT);
        let sent = sent.map_or(0, Iterator::count);
        self.unsent += (self.waiting.len().saturating_sub(sent)) as u64;
        self.spare.extend(self.waiting.drain(..).map(|(_, bytes)| bytes));
    }
}

/// A time of the kernel's, in nanoseconds since 1970.
pub(in crate::replay) fn nanoseconds(time: TimeSpec) -> u64 {
    let part = |n: i64| u64::try_from(n).unwrap_or(0);
    part(time.tv_sec()) * 1_000_000_000 + part(time.tv_nsec())
}
