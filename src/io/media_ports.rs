//! UDP ports for RTP (even), bound ahead of use, and for RTCP (the next one up, RFC 3550 section 11), bound when it was
//! agreed that reports do not share RTP's port (RFC 5761).
//!
//! Invariant: a port is in one place at a time: free, ready (bound), in use, or in quarantine. A port that was used
//! stays bound for two seconds, so that what its last call's peer still sends reaches nobody else's call; a port to
//! which somebody still sends then is closed, not used again at once.
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};

use super::service_class::{EF, mark};
use crate::base::{Instant, Rng};

/// Ports kept bound and unused: a burst of calls finds them.
const AHEAD: usize = 128;
/// How long a used port rests.
const QUARANTINE: Duration = Duration::from_secs(2);
/// How long a port that another program holds is left alone.
const BUSY_AGAIN: Duration = Duration::from_mins(1);
/// Ports bound in one go, each some 20 us: the sound of others waits no longer for it.
const BOUND_AT_ONCE: usize = 32;
/// Busy ports passed over in one refill: it costs at most this many system calls, and goes on at the next.
const BUSY_AT_ONCE: usize = 64;
/// How soon binding is tried again when it failed for another reason (no descriptors left).
const RETRY: Duration = Duration::from_secs(1);
/// Receive buffer of a socket, in bytes: three seconds of G.711 as the kernel accounts for it, far more than the
/// media thread is ever late.
const RECEIVE_BYTES: usize = 128 * 1024;
/// Datagrams thrown away before a call, more than the buffer holds: whoever floods a port cannot hold the media thread.
const DRAINED: usize = 4_096;
/// Packets that may still come on a port after its call: a quarter of a second of sound.
const LAST_PACKETS: usize = 12;

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
}

/// A bound port for RTP.
#[derive(Debug)]
pub(super) struct BoundPort {
    pub(super) port: u16,
    pub(super) rtp: UdpSocket,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PortFigures {
    /// Pairs that another program held when we wanted them.
    pub(super) busy: u64,
    /// Pairs that could not be bound for another reason.
    pub(super) failed: u64,
}

/// The pool.
#[derive(Debug)]
pub(super) struct PortPool {
    bind: BindTo,
    service_class: u8,
    rng: Rng,
    free: Vec<u16>,
    ready: BTreeMap<u16, BoundPort>,
    resting: VecDeque<(Instant, BoundPort)>,
    busy: VecDeque<(Instant, u16)>,
    retry_at: Option<Instant>,
    figures: PortFigures,
}

impl PortPool {
    /// The even ports from `first` on whose odd neighbour is at most `last`; nothing is bound yet.
    pub(super) fn new(bind: BindTo, first: u16, last: u16, rng: Rng) -> Self {
        let free = (first..last).filter(|p| p % 2 == 0 && *p > 0).collect();
        Self {
            bind,
            service_class: EF,
            rng,
            free,
            ready: BTreeMap::new(),
            resting: VecDeque::new(),
            busy: VecDeque::new(),
            retry_at: None,
            figures: PortFigures::default(),
        }
    }

    /// The same with another class of service (0-63) on all that leaves by it.
    pub(super) const fn of_class(mut self, service_class: u8) -> Self {
        self.service_class = service_class;
        self
    }

    /// Binds pairs in random order until enough are ready; returns those bound now.
    pub(super) fn refill(&mut self, now: Instant) -> Vec<u16> {
        let mut bound = self.release(now);
        self.retry_at = None;
        let (mut busy, mut made) = (0, 0);
        while self.ready.len() < AHEAD && busy < BUSY_AT_ONCE && made < BOUND_AT_ONCE {
            let Some(port) = self.draw() else { break };
            match bind(self.bind, port, self.service_class) {
                Ok(rtp) => {
                    self.ready.insert(port, BoundPort { port, rtp });
                    bound.push(port);
                    made += 1;
                    self.retry_at = (made == BOUND_AT_ONCE).then_some(now);
                }
                Err(why) if why.kind() == io::ErrorKind::AddrInUse => {
                    busy += 1;
                    self.figures.busy += 1;
                    self.busy.push_back((now + BUSY_AGAIN, port));
                    self.retry_at = (busy == BUSY_AT_ONCE).then(|| now + RETRY);
                }
                Err(why) => {
                    tracing::warn!(port, %why, "cannot bind a media port");
                    self.figures.failed += 1;
                    self.free.push(port);
                    self.retry_at = Some(now + RETRY);
                    break;
                }
            }
        }
        bound
    }

    /// Takes a ready port into use, emptied of what strangers sent to it meanwhile.
    pub(super) fn take(&mut self, port: u16) -> Option<BoundPort> {
        let bound = self.ready.remove(&port)?;
        drain(&bound.rtp);
        Some(bound)
    }

    /// The socket for the reports of a port in use; `None`, counted: it cannot be bound, and there are no reports.
    pub(super) fn bind_rtcp(&mut self, port: u16) -> Option<UdpSocket> {
        match bind(self.bind, port.saturating_add(1), self.service_class) {
            Ok(rtcp) => Some(rtcp),
            Err(why) => {
                tracing::warn!(port, %why, "no socket for RTCP: this leg goes without reports");
                self.figures.failed += 1;
                None
            }
        }
    }

    /// A port that was in use rests now.
    pub(super) fn rest(&mut self, now: Instant, bound: BoundPort) {
        self.resting.push_back((now + QUARANTINE, bound));
    }

    /// When a refill would find more than now, or close what nobody wants; `None` when all that are wanted are ready and
    /// no other is bound.
    pub(super) fn next_refill(&self) -> Option<Instant> {
        let rested = self.resting.front().map(|(at, _)| *at);
        if self.ready.len() >= AHEAD {
            return rested;
        }
        let busy = self.busy.front().map(|(at, _)| *at);
        [self.retry_at, rested, busy].into_iter().flatten().min()
    }

    /// Where the pool's sockets are bound.
    pub(super) const fn bind(&self) -> BindTo {
        self.bind
    }

    /// What was counted.
    pub(super) fn figures(&self) -> PortFigures {
        self.figures
    }

    /// What has rested long enough is ready again where it is wanted and nobody sends to it; else it is closed and free.
    fn release(&mut self, now: Instant) -> Vec<u16> {
        let mut again = Vec::new();
        while let Some((_, bound)) = self.resting.pop_front_if(|(at, _)| *at <= now) {
            let port = bound.port;
            if self.ready.len() < AHEAD && Self::was_quiet(&bound) {
                self.ready.insert(port, bound);
                again.push(port);
            } else {
                self.free.push(port);
            }
        }
        while let Some((_, port)) = self.busy.pop_front_if(|(at, _)| *at <= now) {
            self.free.push(port);
        }
        again
    }

    /// Whether nobody has sent to a resting port since its call ended, but for the last packets that were on their way.
    fn was_quiet(bound: &BoundPort) -> bool {
        drain(&bound.rtp) <= LAST_PACKETS
    }

    fn draw(&mut self) -> Option<u16> {
        if self.free.is_empty() {
            return None;
        }
        let place = usize::try_from(self.rng.below(self.free.len() as u64)).ok()?;
        Some(self.free.swap_remove(place))
    }
}

fn bind(to: BindTo, port: u16, service_class: u8) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(to.ip(), port);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECEIVE_BYTES)?;
    if address.is_ipv6() {
        socket.set_only_v6(to != BindTo::Both)?;
    }
    mark(&socket, address.is_ipv6(), service_class);
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// Throws away what waits in a socket; how much it was.
fn drain(socket: &UdpSocket) -> usize {
    let mut nothing = [0; 1];
    (0..DRAINED).take_while(|_| socket.recv_from(&mut nothing).is_ok()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const LOOPBACK: BindTo = BindTo::One(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn ports(first: u16, last: u16) -> PortPool {
        PortPool::new(LOOPBACK, first, last, Rng::from_number(1))
    }

    #[test]
    fn the_narrowest_place_that_covers_all_listeners() {
        let here = LOOPBACK.ip();
        let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
        assert_eq!(BindTo::covering(&[here, here]), LOOPBACK);
        assert_eq!(BindTo::covering(&[here, v6]), BindTo::Both);
        assert_eq!(BindTo::covering(&[here, [192, 0, 2, 1].into()]), BindTo::One([0, 0, 0, 0].into()));
    }

    #[test]
    fn ports_are_even_and_those_of_reports_odd_within_the_range_and_in_no_order() {
        let mut pool = ports(45_001, 45_099);
        let mut bound = pool.refill(Instant::ZERO);
        assert_eq!(
            (bound.len(), pool.next_refill()),
            (BOUND_AT_ONCE, Some(Instant::ZERO)),
            "a share at a time"
        );
        bound.extend(pool.refill(Instant::ZERO));
        assert_eq!(bound.len(), 49);
        assert!(bound.iter().all(|p| p % 2 == 0 && (45_002..=45_098).contains(p)));
        assert!(!bound.is_sorted());
        let taken = pool.take(bound[0]).unwrap();
        let rtcp = pool.bind_rtcp(taken.port).unwrap();
        assert_eq!(rtcp.local_addr().unwrap().port(), taken.rtp.local_addr().unwrap().port() + 1);
        assert!(pool.take(bound[0]).is_none(), "taken once");
        assert_eq!(pool.next_refill(), None, "nothing rests");
    }

    #[test]
    fn a_used_port_rests_two_seconds() {
        let mut pool = ports(45_100, 45_103);
        let both: BTreeSet<u16> = pool.refill(Instant::ZERO).into_iter().collect();
        assert_eq!(both, [45_100, 45_102].into());
        let pair = pool.take(45_100).unwrap();
        pool.rest(Instant::from_secs(1), pair);
        assert!(std::net::UdpSocket::bind("127.0.0.1:45100").is_err(), "held while it rests");
        assert_eq!(pool.refill(Instant::from_millis(2_999)), [] as [u16; 0]);
        assert_eq!(pool.next_refill(), Some(Instant::from_secs(3)));
        assert_eq!(pool.refill(Instant::from_secs(3)), [45_100]);
    }

    #[test]
    fn what_a_crowd_used_is_closed_again_once_it_has_rested() {
        let mut pool = ports(45_200, 45_999);
        let mut used = Vec::new();
        while used.len() < 2 * AHEAD {
            let bound = pool.refill(Instant::ZERO);
            used.extend(bound.into_iter().filter_map(|port| pool.take(port)));
        }
        while pool.ready.len() < AHEAD {
            pool.refill(Instant::ZERO);
        }
        for bound in used {
            pool.rest(Instant::ZERO, bound);
        }
        let rested = Instant::ZERO + QUARANTINE;
        assert_eq!(pool.next_refill(), Some(rested), "nobody calls, and still they are looked after");
        pool.refill(rested);
        assert_eq!((pool.ready.len(), pool.resting.len(), pool.next_refill()), (AHEAD, 0, None));
    }

    #[test]
    fn a_port_to_which_somebody_still_sends_is_closed_before_it_is_used_again() {
        let mut pool = ports(45_150, 45_151);
        assert_eq!(pool.refill(Instant::ZERO), [45_150]);
        let taken = pool.take(45_150).unwrap();
        pool.rest(Instant::ZERO, taken);
        let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..2 * LAST_PACKETS {
            stranger.send_to(b"late", "127.0.0.1:45150").unwrap();
        }
        assert_eq!(pool.refill(Instant::from_secs(2)), [45_150], "bound anew");
        let fresh = pool.take(45_150).unwrap();
        let empty = fresh.rtp.recv_from(&mut [0; 10]).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_port_that_another_program_holds_is_passed_over_and_counted() {
        let other = std::net::UdpSocket::bind("127.0.0.1:45110").unwrap();
        let mut pool = ports(45_110, 45_113);
        assert_eq!(pool.refill(Instant::ZERO), [45_112]);
        assert_eq!(pool.figures(), PortFigures { busy: 1, failed: 0 });
        drop(other);
        assert_eq!(pool.next_refill(), Some(Instant::ZERO + BUSY_AGAIN));
        assert_eq!(pool.refill(Instant::ZERO + BUSY_AGAIN), [45_110]);
    }

    #[test]
    fn what_strangers_sent_before_the_call_is_gone() {
        let mut pool = ports(45_120, 45_121);
        let port = pool.refill(Instant::ZERO)[0];
        let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..10 {
            stranger.send_to(b"old", ("127.0.0.1", port)).unwrap();
        }
        let pair = pool.take(port).unwrap();
        let empty = pair.rtp.recv_from(&mut [0; 10]).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn ip6_has_pairs_too_and_so_have_both_families_on_one_socket() {
        for (bind, first) in [(BindTo::One("::1".parse().unwrap()), 45_130), (BindTo::Both, 45_140)] {
            let mut pool = PortPool::new(bind, first, first + 1, Rng::from_number(1));
            assert_eq!(pool.refill(Instant::ZERO).len(), 1);
        }
    }
}
