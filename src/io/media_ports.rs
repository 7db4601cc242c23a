//! Pairs of RTP and RTCP sockets, bound ahead of need, so that a call never waits for a port. A port that another
//! program holds is passed over and counted; one that was used rests before it is used again, so that the last packets
//! of one call are not the first of another.
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};

use crate::base::{Instant, Rng};

/// Pairs kept bound and unused.
const AHEAD: usize = 128;
/// How long a port rests: longer than packets live on the way.
const REST: Duration = Duration::from_secs(2);

/// An even RTP port with the odd RTCP port above it.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) port: u16,
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
}

/// Where sockets are bound: one address, or both families at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BindTo {
    /// This address.
    One(IpAddr),
    /// All addresses of both families, on one socket.
    Both,
}

impl BindTo {
    /// The narrowest place that covers all listeners.
    pub(super) fn covering(listeners: &[IpAddr]) -> Self {
        match listeners {
            [] => Self::One([127, 0, 0, 1].into()),
            [one] => Self::One(*one),
            [first, rest @ ..] if rest.iter().all(|ip| ip == first) => Self::One(*first),
            all if all.iter().all(IpAddr::is_ipv4) => Self::One([0, 0, 0, 0].into()),
            _ => Self::Both,
        }
    }

    const fn ip(self) -> IpAddr {
        match self {
            Self::One(ip) => ip,
            Self::Both => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }

    /// How our socket names a peer's address.
    pub(super) fn to_socket(self, to: SocketAddr) -> SocketAddr {
        match (self, to.ip()) {
            (Self::Both, IpAddr::V4(v4)) => SocketAddr::new(v4.to_ipv6_mapped().into(), to.port()),
            _ => to,
        }
    }

    /// How everybody else names the address that our socket reports.
    pub(super) fn from_socket(self, from: SocketAddr) -> SocketAddr {
        SocketAddr::new(from.ip().to_canonical(), from.port())
    }
}

/// The ports of one worker.
#[derive(Debug)]
pub(super) struct PortPool {
    bind: BindTo,
    free: VecDeque<u16>,
    resting: VecDeque<(Instant, u16)>,
    ready: VecDeque<Pair>,
    pub(super) busy_elsewhere: u64,
}

impl PortPool {
    /// The even ports from `first` to `last`, in random order.
    pub(super) fn new(bind: BindTo, first: u16, last: u16, rng: &mut Rng) -> Self {
        let mut ports: Vec<u16> = (first..last).filter(|p| p % 2 == 0).collect();
        for i in (1..ports.len()).rev() {
            let j = usize::try_from(rng.below(i as u64 + 1)).unwrap_or(0);
            ports.swap(i, j);
        }
        Self { bind, free: ports.into(), resting: VecDeque::new(), ready: VecDeque::new(), busy_elsewhere: 0 }
    }

    /// Binds pairs until enough are ready; tells of each.
    pub(super) fn fill(&mut self, now: Instant, mut tell: impl FnMut(u16)) {
        while self.resting.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, port)) = self.resting.pop_front() {
                self.free.push_back(port);
            }
        }
        let mut tries = self.free.len().min(4 * AHEAD);
        while self.ready.len() < AHEAD && tries > 0 {
            tries -= 1;
            let Some(port) = self.free.pop_front() else { return };
            match self.pair(port) {
                Ok(pair) => {
                    self.ready.push_back(pair);
                    tell(port);
                }
                Err(e) => {
                    tracing::debug!(port, error = %e, "an RTP port is held by another program");
                    self.busy_elsewhere += 1;
                    self.resting.push_back((now + REST, port));
                }
            }
        }
    }

    /// The pair of a port that was told of.
    pub(super) fn take(&mut self, port: u16) -> Option<Pair> {
        let at = self.ready.iter().position(|p| p.port == port)?;
        self.ready.remove(at)
    }

    /// A pair that is no longer used: its sockets are closed, its port rests.
    pub(super) fn give_back(&mut self, now: Instant, pair: &Pair) {
        self.resting.push_back((now + REST, pair.port));
    }

    /// When the next resting port is wanted, if we are short of ready ones.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        if self.ready.len() >= AHEAD || !self.free.is_empty() {
            return None;
        }
        self.resting.front().map(|(until, _)| *until)
    }

    pub(super) const fn bind(&self) -> BindTo {
        self.bind
    }

    fn pair(&self, port: u16) -> io::Result<Pair> {
        let rtp = self.socket(port)?;
        let rtcp = self.socket(port + 1)?;
        Ok(Pair { port, rtp, rtcp })
    }

    fn socket(&self, port: u16) -> io::Result<UdpSocket> {
        let at = SocketAddr::new(self.bind.ip(), port);
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        if at.is_ipv6() {
            socket.set_only_v6(self.bind != BindTo::Both)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&at.into())?;
        Ok(UdpSocket::from_std(socket.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn the_narrowest_place_that_covers_all_listeners() {
        let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
        assert_eq!(BindTo::covering(&[LOOPBACK, LOOPBACK]), BindTo::One(LOOPBACK));
        assert_eq!(BindTo::covering(&[LOOPBACK, v6]), BindTo::Both);
        assert_eq!(BindTo::covering(&[LOOPBACK, [192, 0, 2, 1].into()]), BindTo::One([0, 0, 0, 0].into()));
    }

    #[test]
    fn a_used_port_rests_and_a_busy_one_is_passed_over() {
        let mut rng = Rng::from_number(3);
        let mut pool = PortPool::new(BindTo::One(LOOPBACK), 45_000, 45_008, &mut rng);
        let mut told = Vec::new();
        pool.fill(Instant::ZERO, |p| told.push(p));
        // Whatever else runs on this machine may hold some of the four pairs.
        assert_eq!(told.len() as u64 + pool.busy_elsewhere, 4);
        let Some(port) = told.first().copied() else { return };
        let pair = pool.take(port).unwrap();
        assert!(pool.take(port).is_none());
        pool.give_back(Instant::ZERO, &pair);
        drop(pair);
        let mut again = Vec::new();
        pool.fill(Instant::ZERO + REST / 2, |p| again.push(p));
        assert!(!again.contains(&port));
        pool.fill(Instant::ZERO + REST, |p| again.push(p));
        assert!(again.contains(&port));
    }
}
