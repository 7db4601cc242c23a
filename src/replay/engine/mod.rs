//! What thousands of phones share: one thread, one SIP socket, sockets for sound read and sent in batches, a slot of each
//! 20 ms in which each phone speaks. `hotline load` and `hotline replay` are plans over it.
//!
//! Invariant: it decides nothing; a plan says who calls and what is said, and is handed whatever comes in, with the
//! kernel's time of its arrival.
mod gate;
mod tap;
pub(super) mod watch;
mod wire;

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsFd as _;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::time::TimeSpec;

use crate::base::{Instant, Now, Rng};
use crate::io::Clock;
use crate::replay::phone::fresh_seed;
use crate::rtp::{Packet, is_rtcp};
use crate::sip::{
    Destination, Listener, ListenerId, ListenerTransport, SipEvent, UserAgent, UserAgentSettings,
};
pub(super) use gate::Gate;
pub(super) use tap::Tap;
pub(super) use wire::{BUFFER, Heard, Wire, nanoseconds};

/// The one SIP listener.
pub(super) const UDP: ListenerId = ListenerId(0);
/// Phones that share a socket, where they do.
const OF_ONE_WIRE: usize = 250;
/// Slots of a frame: each phone speaks in its own.
pub(super) const SLOTS: usize = 20;
/// SIP messages read in one go: sound must not wait for a burst of signalling.
pub(super) const AT_ONCE: usize = 64;
/// A socket of one phone is read once in so many milliseconds, one of many phones once in so many: the kernel says when each
/// packet came, so nothing is measured late, and what came since is read in one go.
const READ_OWN_MS: u64 = 50;
const READ_SHARED_MS: u64 = 8;
/// Turns of reading made up for in one go: what waits in the kernel waits well, and what people want does not.
const TURNS_AT_ONCE: u64 = 3;
/// A step, in nanoseconds: sound is read and spoken at most once in it.
const STEP_NS: u64 = 1_000_000;

/// Whose socket a packet comes in on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sockets {
    /// A few sockets for up to so many phones, told apart by the port at which the server sends: a server that gives
    /// each call a port of its own is cheaper to call so.
    Shared(usize),
    /// One for each phone: right for every server.
    Own,
}

/// Slots that are due: the first of them, in milliseconds, and how many; with those that were passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) skipped: u64,
}

impl Due {
    /// How many of the slots that were passed over were those of the phone in this place.
    pub(super) fn skipped_of(&self, place: usize) -> u32 {
        let slot = (place % SLOTS) as u64;
        let before = |ms: u64| (ms + SLOTS as u64 - 1 - slot) / SLOTS as u64;
        let slots = before(self.first) - before(self.first.saturating_sub(self.skipped));
        u32::try_from(slots).unwrap_or(u32::MAX)
    }
}

/// The machine room of the phones.
pub(super) struct Engine {
    pub(super) sip: UserAgent,
    pub(super) clock: Clock,
    pub(super) local: SocketAddrV4,
    /// What SIP said on the wire, where a plan wants to know.
    pub(super) tap: Option<Tap>,
    /// What is stopped on the way, where faults are played.
    pub(super) gate: Gate,
    socket: UdpSocket,
    sockets: Sockets,
    wires: Vec<Wire>,
    /// Which phone hears what the server sends from a port, by port, where sockets are shared.
    of_port: Vec<u32>,
    spoken_ms: u64,
    read_ms: u64,
}

impl Engine {
    pub(super) fn open(at: SocketAddrV4, name: &str, sockets: Sockets, rng: &Rng) -> io::Result<Self> {
        raise_limit();
        let socket = wire::udp(at, BUFFER)?;
        let SocketAddr::V4(local) = socket.local_addr()? else {
            return Err(io::Error::other("not an address of IPv4"));
        };
        let address = SocketAddr::V4(local);
        let listener =
            Listener { id: UDP, transport: ListenerTransport::Udp, local: address, advertised: address };
        let mut ua = UserAgentSettings::new(vec![listener], name);
        ua.limits.invites = 200_000;
        format!("hotline-{name}").clone_into(&mut ua.server_name);
        let clock = Clock::start();
        let mut engine = Self {
            // Not from the seed of what is played: who plays it once more must not look like one who repeats himself.
            sip: UserAgent::new(ua, &Rng::from_number(fresh_seed())),
            local,
            tap: None,
            gate: Gate::new(rng.fork("gate")),
            socket,
            sockets,
            wires: Vec::new(),
            of_port: Vec::new(),
            spoken_ms: clock.mono().as_millis(),
            read_ms: clock.mono().as_millis(),
            clock,
        };
        if let Sockets::Shared(phones) = sockets {
            engine.of_port = vec![u32::MAX; 65_536];
            for _ in 0..=phones / OF_ONE_WIRE {
                engine.open_wire(BUFFER)?;
            }
        }
        Ok(engine)
    }

    fn open_wire(&mut self, buffer: usize) -> io::Result<()> {
        self.wires.push(Wire::open(*self.local.ip(), buffer)?);
        Ok(())
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    fn wire_of(&self, place: usize) -> usize {
        match self.sockets {
            Sockets::Shared(_) => place % self.wires.len().max(1),
            Sockets::Own => place,
        }
    }

    /// The port at which the phone in this place is heard.
    pub(super) fn seat(&mut self, place: usize) -> io::Result<u16> {
        while self.sockets == Sockets::Own && self.wires.len() <= place {
            self.open_wire(wire::OWN_BUFFER)?;
        }
        Ok(self.wires.get(self.wire_of(place)).map_or(0, Wire::port))
    }

    /// Opens the sockets of so many phones before they are needed: it takes time that later belongs to sound. Where the
    /// machine has no more, those that need one find out.
    pub(super) fn prepare(&mut self, phones: usize) {
        while self.sockets == Sockets::Own && self.wires.len() < phones {
            if self.open_wire(wire::OWN_BUFFER).is_err() {
                return;
            }
        }
    }

    /// Where the phone in this place is sent sound from.
    pub(super) fn agree(&mut self, place: usize, remote: SocketAddrV4) {
        if let (Some(of), Ok(place)) =
            (self.of_port.get_mut(usize::from(remote.port())), u32::try_from(place))
        {
            *of = place;
        }
    }

    /// The phone in this place is heard no more.
    pub(super) fn leave(&mut self, place: usize, remote: Option<SocketAddrV4>) {
        if let Some(of) = remote.and_then(|r| self.of_port.get_mut(usize::from(r.port())))
            && usize::try_from(*of).is_ok_and(|p| p == place)
        {
            *of = u32::MAX;
        }
    }

    /// The next thing that SIP has to tell.
    pub(super) fn poll_event(&mut self) -> Option<SipEvent> {
        self.sip.poll_event()
    }

    /// Sends what SIP wants sent.
    pub(super) fn transmit(&mut self, now: Instant) {
        while let Some(transmit) = self.sip.poll_transmit() {
            if let Destination::Datagram { to, .. } = transmit.to {
                if !self.gate.passes(&transmit.bytes, true) {
                    continue;
                }
                if let Some(tap) = &mut self.tap {
                    tap.sent(now, &transmit.bytes);
                }
                // SIP sends again what is lost.
                self.socket.send_to(&transmit.bytes, to).ok();
            }
        }
    }

    /// Takes one message of SIP, if there is one; what follows from it is to be done before the next.
    pub(super) fn take_sip(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 8_192];
        loop {
            match self.socket.recv_from(&mut buffer) {
                Ok((n, from)) => {
                    let now = self.clock.now().mono;
                    let bytes = buffer.get(..n).unwrap_or_default();
                    if !self.gate.passes(bytes, false) {
                        return Ok(true);
                    }
                    if let Some(tap) = &mut self.tap {
                        tap.came(now, bytes);
                    }
                    self.sip.handle_datagram(now, UDP, from, bytes);
                    return Ok(true);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e)
                    if matches!(e.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted) => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Hands over the packets of sound at the sockets whose turn it is: for whom, when it came, what it is.
    pub(super) fn read_sound(
        &mut self,
        mut take: impl FnMut(usize, Heard<'_>, &Packet<'_>),
    ) -> io::Result<()> {
        let every = if self.sockets == Sockets::Own { READ_OWN_MS } else { READ_SHARED_MS };
        let now = self.clock.mono().as_millis();
        let first = self.read_ms.max(now.saturating_sub(every));
        let last = now.min(first + TURNS_AT_ONCE);
        for ms in first + 1..=last {
            let mut number = usize::try_from(ms % every).unwrap_or(0);
            while number < self.wires.len() {
                self.read_wire(number, &mut take)?;
                number += usize::try_from(every).unwrap_or(1);
            }
        }
        self.read_ms = last.max(self.read_ms);
        Ok(())
    }

    /// The same for the phone in this place, before it leaves: what came to it is not lost.
    pub(super) fn read_sound_of(
        &mut self,
        place: usize,
        mut take: impl FnMut(usize, Heard<'_>, &Packet<'_>),
    ) -> io::Result<()> {
        self.read_wire(self.wire_of(place), &mut take)
    }

    fn read_wire(
        &mut self,
        number: usize,
        take: &mut impl FnMut(usize, Heard<'_>, &Packet<'_>),
    ) -> io::Result<()> {
        let (of_port, sockets) = (&self.of_port, self.sockets);
        let Some(wire) = self.wires.get_mut(number) else { return Ok(()) };
        wire.read(|heard| {
            if is_rtcp(heard.bytes) {
                return;
            }
            let place = match sockets {
                Sockets::Own => Some(number),
                Sockets::Shared(_) => {
                    let of = of_port.get(usize::from(heard.from.port())).copied().unwrap_or(u32::MAX);
                    usize::try_from(of).ok().filter(|_| of != u32::MAX)
                }
            };
            if let (Some(place), Ok(packet)) = (place, Packet::read(heard.bytes)) {
                take(place, heard, &packet);
            }
        })
    }

    /// The slots whose time has come. After a pause of the machine each phone speaks at most one frame late, not all
    /// that it missed.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        let ms = now.as_millis();
        let first = self.spoken_ms.max(ms.saturating_sub(SLOTS as u64));
        let due = Due { first: first + 1, count: ms.saturating_sub(first), skipped: first - self.spoken_ms };
        self.spoken_ms = ms.max(self.spoken_ms);
        due
    }

    /// Sends a packet of sound for the phone in this place, with the next batch or at once.
    pub(super) fn say(&mut self, place: usize, to: SocketAddrV4, head: &[u8], payload: &[u8]) {
        let wire = self.wire_of(place);
        let own = self.sockets == Sockets::Own;
        if let Some(wire) = self.wires.get_mut(wire) {
            if own {
                wire.send_now(to, head, payload);
            } else {
                wire.send(to, head, payload);
            }
        }
    }

    /// Sends what the phone in this place still has in a batch.
    pub(super) fn flush_of(&mut self, place: usize) {
        let wire = self.wire_of(place);
        if let Some(wire) = self.wires.get_mut(wire) {
            wire.flush();
        }
    }

    /// Sends every batch.
    pub(super) fn flush(&mut self) {
        if self.sockets != Sockets::Own {
            self.wires.iter_mut().for_each(Wire::flush);
        }
    }

    /// Datagrams that the kernel dropped at the phones' own sockets: others may have theirs at the same address.
    pub(super) fn dropped(&self) -> u64 {
        let mut ports: BTreeSet<u16> = self.wires.iter().map(Wire::port).collect();
        ports.insert(self.local.port());
        watch::drops(*self.local.ip(), |port| ports.contains(&port))
    }

    /// Packets that the kernel did not take.
    pub(super) fn unsent(&self) -> u64 {
        self.wires.iter().map(|w| w.unsent).sum()
    }

    /// Waits for SIP, or for the next step, to the microsecond. Sound wakes nobody: it is read at each step, its time is
    /// the kernel's. A tool that is woken by each packet would take of the server's machine what real callers do not.
    pub(super) fn wait(&self) -> io::Result<()> {
        let left = Duration::from_nanos(STEP_NS - self.clock.mono().as_nanos() % STEP_NS);
        let mut sip = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut sip, Some(TimeSpec::from_duration(left)), None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

/// As many open files as the machine grants: a phone of its own sockets has two. Where it grants fewer, calls without a
/// socket are counted.
fn raise_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phone_misses_its_own_slots_of_a_pause() {
        for first in 100..140 {
            for skipped in 0..65 {
                let due = Due { first, count: 20, skipped };
                for place in 0..45 {
                    let of = (first - skipped..first).filter(|ms| ms % 20 == place % 20).count();
                    assert_eq!(due.skipped_of(usize::try_from(place).unwrap()), u32::try_from(of).unwrap());
                }
            }
        }
    }
}
