//! The media thread: sockets, the plane, its ticks. It waits for packets, commands and the plane's next deadline, and
//! for nothing else: without legs it does not wake. Control and sound speak only in commands and events.
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token, Waker};
use tokio::sync::mpsc as to_control;

use super::clock::Clock;
use super::media_ports::{BindTo, Pair, PortPool};
use crate::base::{LegId, Rng};
use crate::media::{MediaCommand, MediaEvent, MediaPlane, PromptLibrary};

/// Commands that may wait for the media thread: a whole burst of calls' worth.
const COMMANDS: usize = 65_536;
/// Events that may wait for the control loop in the channel, and again as many beside it.
const EVENTS: usize = 65_536;
/// The largest RTP packet read; longer ones are cut, and then malformed.
const PACKET: usize = 2_048;
const WAKE: Token = Token(usize::MAX);

/// What sound says to control.
#[derive(Debug)]
pub(super) enum FromMedia {
    /// Something happened on a leg.
    Event(MediaEvent),
    /// A port pair is bound and free.
    PortReady(u16),
}

/// The media thread, seen from control. Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct MediaWorker {
    commands: Option<SyncSender<MediaCommand>>,
    waker: Arc<Waker>,
    woken: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Where and with what the thread works.
#[derive(Debug)]
pub(super) struct MediaSettings {
    /// Where its sockets are bound.
    pub bind: BindTo,
    /// The first and the last RTP port.
    pub ports: (u16, u16),
    /// What can be played.
    pub prompts: Arc<PromptLibrary>,
}

/// A command found no room: counted by whoever sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoom;

impl MediaWorker {
    /// Starts the thread; what it says comes by the receiver.
    pub(super) fn start(
        settings: MediaSettings,
        clock: Clock,
        rng: &Rng,
    ) -> io::Result<(Self, to_control::Receiver<FromMedia>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let woken = Arc::new(AtomicBool::new(false));
        let (commands, orders) = sync_channel(COMMANDS);
        let (events, heard) = to_control::channel(EVENTS);
        let (first, last) = settings.ports;
        let mut port_rng = rng.fork("ports");
        let worker = Worker {
            poll,
            orders,
            events,
            late: VecDeque::new(),
            lost_events: 0,
            woken: Arc::clone(&woken),
            plane: MediaPlane::new(settings.prompts, rng.fork("media")),
            pool: PortPool::new(settings.bind, first, last, &mut port_rng),
            slots: Vec::new(),
            free_slots: Vec::new(),
            by_leg: BTreeMap::new(),
            clock,
            send_failures: 0,
        };
        let thread = std::thread::Builder::new().name("media".to_owned()).spawn(move || worker.run())?;
        Ok((Self { commands: Some(commands), waker, woken, thread: Some(thread) }, heard))
    }

    /// Hands over a command without waiting.
    pub(super) fn send(&self, command: MediaCommand) -> Result<(), NoRoom> {
        let sent = self.commands.as_ref().is_some_and(|c| c.try_send(command).is_ok());
        // One wake-up is enough until the thread has looked.
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Err(e) = self.waker.wake()
        {
            tracing::error!(error = %e, "the media thread cannot be woken");
        }
        if sent { Ok(()) } else { Err(NoRoom) }
    }
}

impl Drop for MediaWorker {
    fn drop(&mut self) {
        self.commands = None;
        let told = self.waker.wake().is_ok();
        if let Some(thread) = self.thread.take().filter(|_| told)
            && thread.join().is_err()
        {
            tracing::error!("the media thread had panicked");
        }
    }
}

struct Slot {
    leg: LegId,
    pair: Pair,
}

struct Worker {
    poll: Poll,
    orders: Receiver<MediaCommand>,
    events: to_control::Sender<FromMedia>,
    /// Events that found the channel full: handed over first of all next time.
    late: VecDeque<FromMedia>,
    lost_events: u64,
    woken: Arc<AtomicBool>,
    plane: MediaPlane,
    pool: PortPool,
    slots: Vec<Option<Slot>>,
    free_slots: Vec<usize>,
    by_leg: BTreeMap<LegId, usize>,
    clock: Clock,
    send_failures: u64,
}

impl Worker {
    fn run(mut self) {
        let mut events = Events::with_capacity(1_024);
        self.fill_ports();
        loop {
            let wait = self.wait();
            if let Err(e) = self.poll.poll(&mut events, wait) {
                if e.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                tracing::error!(error = %e, "the media thread cannot wait for packets and ends");
                return;
            }
            if !self.take_orders() {
                return;
            }
            for event in &events {
                if event.token() != WAKE {
                    self.read(event.token());
                }
            }
            let now = self.clock.now().mono;
            if self.plane.next_deadline().is_some_and(|d| d.at <= now) {
                self.plane.handle_timeout(now);
            }
            self.flush();
            self.fill_ports();
        }
    }

    fn wait(&self) -> Option<Duration> {
        if !self.late.is_empty() {
            return Some(Duration::from_millis(1));
        }
        let plane = self.plane.next_deadline().map(|d| d.at);
        let pool = self.pool.next_deadline();
        let at = plane.into_iter().chain(pool).min()?;
        Some(at.since(self.clock.now().mono))
    }

    /// Whether control is still there.
    fn take_orders(&mut self) -> bool {
        self.woken.store(false, Ordering::Release);
        loop {
            match self.orders.try_recv() {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn obey(&mut self, command: MediaCommand) {
        if let MediaCommand::Open { leg, port } = command {
            self.open(leg, port);
        }
        self.plane.handle(self.clock.now(), command);
        self.flush();
    }

    fn open(&mut self, leg: LegId, port: u16) {
        let Some(mut pair) = self.pool.take(port) else {
            tracing::error!(%leg, port, "a leg was given a port that is not bound");
            return;
        };
        let at = self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let registry = self.poll.registry();
        let both = registry
            .register(&mut pair.rtp, Token(2 * at), Interest::READABLE)
            .and_then(|()| registry.register(&mut pair.rtcp, Token(2 * at + 1), Interest::READABLE));
        if let Err(e) = both {
            tracing::error!(%leg, error = %e, "a leg's sockets cannot be watched");
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some(Slot { leg, pair });
            self.by_leg.insert(leg, at);
        }
    }

    fn close(&mut self, leg: LegId) {
        let Some(at) = self.by_leg.remove(&leg) else { return };
        let Some(mut slot) = self.slots.get_mut(at).and_then(Option::take) else { return };
        self.free_slots.push(at);
        let registry = self.poll.registry();
        let (a, b) = (registry.deregister(&mut slot.pair.rtp), registry.deregister(&mut slot.pair.rtcp));
        if let Err(e) = a.and(b) {
            tracing::debug!(%leg, error = %e, "a leg's sockets were not watched");
        }
        self.pool.give_back(self.clock.now().mono, &slot.pair);
    }

    /// Reads a socket until it is empty: readiness is told once.
    fn read(&mut self, token: Token) {
        let (at, rtcp) = (token.0 / 2, token.0 % 2 == 1);
        let mut buffer = [0; PACKET];
        loop {
            let Some(Some(slot)) = self.slots.get(at) else { return };
            let leg = slot.leg;
            let socket = if rtcp { &slot.pair.rtcp } else { &slot.pair.rtp };
            match socket.recv_from(&mut buffer) {
                Ok((n, from)) => {
                    let from = self.pool.bind().from_socket(from);
                    let datagram = buffer.get(..n).unwrap_or_default();
                    let now = self.clock.now().mono;
                    if rtcp {
                        self.plane.handle_rtcp(now, leg, from, datagram);
                    } else {
                        self.plane.handle_rtp(now, leg, from, datagram);
                    }
                    self.send_packets();
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                // ICMP's answer to an earlier packet of ours; the next read may find a packet.
                Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(e) => {
                    tracing::debug!(%leg, error = %e, "a leg's socket");
                    return;
                }
            }
        }
    }

    fn flush(&mut self) {
        self.send_packets();
        while let Some(late) = self.late.pop_front() {
            if let Err(e) = self.events.try_send(late) {
                if let to_control::error::TrySendError::Full(late) = e {
                    self.late.push_front(late);
                }
                break;
            }
        }
        while let Some(event) = self.plane.poll_event() {
            if let MediaEvent::Closed { leg, .. } = &event {
                self.close(*leg);
            }
            self.tell(FromMedia::Event(event));
        }
    }

    fn send_packets(&mut self) {
        let bind = self.pool.bind();
        while let Some(packet) = self.plane.poll_transmit() {
            let slot = self.by_leg.get(&packet.leg).and_then(|at| self.slots.get(*at));
            let Some(Some(slot)) = slot else { continue };
            let socket = if packet.rtcp { &slot.pair.rtcp } else { &slot.pair.rtp };
            if socket.send_to(packet.bytes, bind.to_socket(packet.to)).is_err() {
                self.send_failures += 1;
            }
        }
    }

    fn fill_ports(&mut self) {
        let now = self.clock.now().mono;
        let mut ready = Vec::new();
        self.pool.fill(now, |port| ready.push(port));
        for port in ready {
            self.tell(FromMedia::PortReady(port));
        }
    }

    fn tell(&mut self, what: FromMedia) {
        let kept = if self.late.is_empty() { self.events.try_send(what) } else { Err(full(what)) };
        if let Err(to_control::error::TrySendError::Full(what)) = kept {
            if self.late.len() < EVENTS {
                self.late.push_back(what);
            } else {
                self.lost_events += 1;
                tracing::error!(lost = self.lost_events, "control does not hear; an event of sound is lost");
            }
        }
    }
}

const fn full(what: FromMedia) -> to_control::error::TrySendError<FromMedia> {
    to_control::error::TrySendError::Full(what)
}
