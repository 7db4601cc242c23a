//! The media thread: sockets, the plane, its ticks. It waits for packets, commands and the plane's next deadline, and
//! for nothing else: without legs it does not wake. Control and sound speak only in commands and events.
mod batch;
mod bell;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use tokio::sync::mpsc as to_control;

use super::clock::Clock;
use super::media_ports::{BindTo, BoundPort, PortPool};
use crate::base::{ById, LegId, Rng};
use crate::media::{MediaCommand, MediaEvent, MediaPlane, PromptLibrary, SoundRules};
use batch::Batch;
use bell::Bell;

/// Commands that may wait for the media thread: a whole burst of calls' worth.
const COMMANDS: usize = 65_536;
/// Events that may wait for the control loop in the channel, and again as many beside it.
const EVENTS: usize = 65_536;
/// Batches of packets read from one socket before the others have their turn: a flood on one port starves nobody.
const BATCHES_AT_ONCE: usize = 16;
/// Commands obeyed before sound has its turn: a burst of calls does not make the others late.
const ORDERS_AT_ONCE: usize = 64;
/// Rounds of the plane served in one go before arrivals and commands have their turn.
const ROUNDS_AT_ONCE: usize = 16;
/// Sockets read before it is looked whether a packet is due: a tenth of a millisecond.
const SOCKETS_AT_ONCE: usize = 32;
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
    commands: Option<SyncSender<Order>>,
    waker: Arc<Waker>,
    bell: Arc<Bell>,
    clock: Clock,
    counters: Arc<MediaCounters>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread counts; read from anywhere.
#[derive(Debug, Default)]
pub(super) struct MediaCounters {
    /// Packets read from RTP and RTCP sockets.
    pub received: AtomicU64,
    /// Packets sent.
    pub sent: AtomicU64,
    /// Packets that the kernel did not take, or whose leg has no socket.
    pub send_failures: AtomicU64,
    /// Reads that failed for another reason than an empty socket.
    pub receive_failures: AtomicU64,
    /// Port pairs that another program held.
    pub ports_busy: AtomicU64,
    /// Port pairs that could not be bound for another reason.
    pub ports_failed: AtomicU64,
    /// Legs that were opened on a port that is not bound.
    pub unknown_ports: AtomicU64,
    /// Events that had to wait beside the way to control because it was full.
    pub events_late: AtomicU64,
    /// Events that were lost because control was away for too long.
    pub events_lost: AtomicU64,
    /// The longest that a deadline was served late, in microseconds.
    pub late_max_us: AtomicU64,
    /// The same since control last asked, which sets it back to 0.
    pub late_us: AtomicU64,
    /// Packets and commands for a leg that is not open.
    pub unknown_legs: AtomicU64,
    /// Packets that came to a leg from somebody else than its party.
    pub strangers: AtomicU64,
    /// Prompts that are not in the library.
    pub missing_prompts: AtomicU64,
    /// Packets that found no room in the plane's outbox.
    pub outbox_full: AtomicU64,
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
    /// The class of service of sound and reports, 0-63.
    pub service_class: u8,
    /// What ops chose about sound.
    pub rules: SoundRules,
}

/// What control says to sound, in order.
enum Order {
    Command(MediaCommand),
    Prompts(Arc<PromptLibrary>),
    Board(Arc<PromptLibrary>),
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
        let bell = Arc::new(Bell::default());
        let (commands, orders) = sync_channel(COMMANDS);
        let (events, heard) = to_control::channel(EVENTS);
        let (first, last) = settings.ports;
        let counters = Arc::new(MediaCounters::default());
        let worker = Worker {
            poll,
            orders,
            events: EventsOut { way: events, late: VecDeque::new() },
            bell: Arc::clone(&bell),
            plane: MediaPlane::new(settings.prompts, rng.fork("media")).with_rules(settings.rules),
            pool: PortPool::new(settings.bind, first, last, rng.fork("ports"))
                .of_class(settings.service_class),
            slots: Vec::new(),
            free_slots: Vec::new(),
            by_leg: ById::new(),
            again: Vec::new(),
            orders_left: false,
            counters: Arc::clone(&counters),
            clock,
        };
        let thread = std::thread::Builder::new().name("media".to_owned()).spawn(move || worker.run())?;
        Ok((Self { commands: Some(commands), waker, bell, clock, counters, thread: Some(thread) }, heard))
    }

    /// What the thread counts.
    pub(super) const fn counters(&self) -> &Arc<MediaCounters> {
        &self.counters
    }

    /// Hands over a command without waiting.
    pub(super) fn send(&self, command: MediaCommand) -> Result<(), NoRoom> {
        self.order(Order::Command(command))
    }

    /// Legs that are opened from now on hear these prompts. Nothing waits for it, and nothing is decoded.
    pub(super) fn install(&self, prompts: Arc<PromptLibrary>) -> Result<(), NoRoom> {
        self.order(Order::Prompts(prompts))
    }

    /// Every leg can be played these too, those that are open as well. Nothing waits for it, and nothing is decoded.
    pub(super) fn post(&self, board: Arc<PromptLibrary>) -> Result<(), NoRoom> {
        self.order(Order::Board(board))
    }

    fn order(&self, order: Order) -> Result<(), NoRoom> {
        let sent = self.commands.as_ref().is_some_and(|c| c.try_send(order).is_ok());
        if self.bell.ring(self.clock.mono())
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
    bound: BoundPort,
    /// Reports have a socket of their own unless it was agreed that they share RTP's.
    rtcp: Option<UdpSocket>,
}

struct Worker {
    poll: Poll,
    orders: Receiver<Order>,
    events: EventsOut,
    bell: Arc<Bell>,
    plane: MediaPlane,
    pool: PortPool,
    slots: Vec<Option<Slot>>,
    free_slots: Vec<usize>,
    by_leg: ById<LegId, usize>,
    /// Sockets that were left with more to read.
    again: Vec<Token>,
    /// Whether commands were left for the next turn.
    orders_left: bool,
    counters: Arc<MediaCounters>,
    clock: Clock,
}

impl Worker {
    fn run(mut self) {
        super::priority::hurry();
        let mut events = Events::with_capacity(1_024);
        let mut batch = Batch::new();
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
            let again = std::mem::take(&mut self.again);
            let readable = events.iter().map(mio::event::Event::token).filter(|token| *token != WAKE);
            for (n, token) in again.into_iter().chain(readable).enumerate() {
                self.read(token, &mut batch);
                // What is due does not wait until a whole burst is read.
                if n % SOCKETS_AT_ONCE == SOCKETS_AT_ONCE - 1 {
                    self.serve_deadline();
                }
            }
            self.serve_deadline();
            self.flush();
            self.fill_ports();
            self.publish();
        }
    }

    /// Serves what is due, some thousands of packets at most.
    fn serve_deadline(&mut self) {
        for _ in 0..ROUNDS_AT_ONCE {
            let now = self.clock.mono();
            let Some(due) = self.plane.next_deadline().filter(|d| d.at <= now) else { return };
            let late_us = u64::try_from(now.since(due.at).as_micros()).unwrap_or(u64::MAX);
            self.counters.late_max_us.fetch_max(late_us, Ordering::Relaxed);
            self.counters.late_us.fetch_max(late_us, Ordering::Relaxed);
            self.plane.handle_timeout(now);
            self.send_packets();
        }
    }

    fn publish(&self) {
        let store = |counter: &AtomicU64, value: u64| counter.store(value, Ordering::Relaxed);
        let (ports, plane) = (self.pool.figures(), self.plane.figures());
        store(&self.counters.ports_busy, ports.busy);
        store(&self.counters.ports_failed, ports.failed);
        store(&self.counters.unknown_legs, plane.unknown_leg);
        store(&self.counters.strangers, plane.strangers);
        store(&self.counters.missing_prompts, plane.missing_prompts);
        store(&self.counters.outbox_full, plane.outbox_full);
    }

    /// How long it may sleep; `None`: until it is woken.
    fn wait(&self) -> Option<Duration> {
        if self.orders_left || !self.again.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.clock.mono();
        let late = (!self.events.late.is_empty()).then(|| now + Duration::from_millis(1));
        let plane = self.plane.next_deadline().map(|d| d.at);
        let at = plane.into_iter().chain(self.pool.next_refill()).chain(late).min();
        if self.bell.may_sleep(at) { at.map(|at| at.since(now)) } else { Some(Duration::ZERO) }
    }

    /// Whether control is still there.
    fn take_orders(&mut self) -> bool {
        self.bell.answer();
        self.orders_left = true;
        for _ in 0..ORDERS_AT_ONCE {
            match self.orders.try_recv() {
                Ok(Order::Command(command)) => self.obey(command),
                Ok(Order::Prompts(prompts)) => self.plane.set_prompts(prompts),
                Ok(Order::Board(board)) => self.plane.set_board(board),
                Err(TryRecvError::Empty) => {
                    self.orders_left = false;
                    return true;
                }
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    fn obey(&mut self, command: MediaCommand) {
        match &command {
            MediaCommand::Open { leg, port } => self.open(*leg, *port),
            MediaCommand::Remote { leg, remote } => self.have_rtcp(*leg, !remote.rtcp_mux),
            _ => {}
        }
        self.plane.handle(self.clock.now(), command);
        self.flush();
    }

    fn open(&mut self, leg: LegId, port: u16) {
        let Some(mut bound) = self.pool.take(port) else {
            tracing::error!(%leg, port, "a leg was given a port that is not bound");
            self.counters.unknown_ports.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let at = self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        if let Err(e) = self.poll.registry().register(&mut bound.rtp, Token(2 * at), Interest::READABLE) {
            tracing::error!(%leg, error = %e, "a leg's socket cannot be watched");
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some(Slot { leg, bound, rtcp: None });
            self.by_leg.insert(leg, at);
        }
    }

    /// Binds or closes the socket of a leg's reports.
    fn have_rtcp(&mut self, leg: LegId, wanted: bool) {
        let Some(at) = self.by_leg.get(&leg).copied() else { return };
        let Some(Some(slot)) = self.slots.get_mut(at) else { return };
        let registry = self.poll.registry();
        match (wanted, slot.rtcp.take()) {
            (true, None) => {
                let Some(mut rtcp) = self.pool.bind_rtcp(slot.bound.port) else { return };
                if let Err(e) = registry.register(&mut rtcp, Token(2 * at + 1), Interest::READABLE) {
                    tracing::error!(%leg, error = %e, "the socket of a leg's reports cannot be watched");
                }
                slot.rtcp = Some(rtcp);
            }
            (false, Some(mut rtcp)) => unwatch(registry, &mut rtcp),
            (_, as_it_was) => slot.rtcp = as_it_was,
        }
    }

    fn close(&mut self, leg: LegId) {
        let Some(at) = self.by_leg.remove(&leg) else { return };
        let Some(mut slot) = self.slots.get_mut(at).and_then(Option::take) else { return };
        self.free_slots.push(at);
        let registry = self.poll.registry();
        unwatch(registry, &mut slot.bound.rtp);
        if let Some(mut rtcp) = slot.rtcp {
            unwatch(registry, &mut rtcp);
        }
        self.pool.rest(self.clock.mono(), slot.bound);
    }

    /// Reads a socket until it is empty (readiness is told once), or until it had its share.
    fn read(&mut self, token: Token, batch: &mut Batch) {
        let (at, rtcp) = (token.0 / 2, token.0 % 2 == 1);
        for _ in 0..BATCHES_AT_ONCE {
            let Some(Some(slot)) = self.slots.get(at) else { return };
            let leg = slot.leg;
            let socket = if rtcp { slot.rtcp.as_ref() } else { Some(&slot.bound.rtp) };
            let Some(socket) = socket else { return };
            match batch.read(socket) {
                Ok(packets) => {
                    self.counters.received.fetch_add(packets as u64, Ordering::Relaxed);
                    let now = self.clock.mono();
                    for n in 0..packets {
                        let Some((from, datagram)) = batch.get(n) else { continue };
                        if rtcp {
                            self.plane.handle_rtcp(now, leg, from, datagram);
                        } else {
                            self.plane.handle_rtp(now, leg, from, datagram);
                        }
                    }
                    self.send_packets();
                    if packets < batch::PACKETS {
                        return;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                // Of no socket's making: ICMP's answer to an earlier packet of ours, or a signal. There may be more.
                Err(e)
                    if matches!(e.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted) => {}
                Err(e) => {
                    tracing::debug!(%leg, error = %e, "a leg's socket");
                    self.counters.receive_failures.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            }
        }
        self.again.push(token);
    }

    fn flush(&mut self) {
        self.send_packets();
        self.events.flush();
        while let Some(event) = self.plane.poll_event() {
            if let MediaEvent::Closed { leg, .. } = &event {
                self.close(*leg);
            }
            self.events.tell(FromMedia::Event(event), &self.counters);
        }
    }

    fn send_packets(&mut self) {
        let bind = self.pool.bind();
        while let Some(packet) = self.plane.poll_transmit() {
            let slot = self.by_leg.get(&packet.leg).and_then(|at| self.slots.get(*at));
            let sent = slot.and_then(Option::as_ref).is_some_and(|slot| {
                let socket = if packet.rtcp { slot.rtcp.as_ref() } else { Some(&slot.bound.rtp) };
                socket.is_some_and(|s| s.send_to(packet.bytes, bind.to_socket(packet.to)).is_ok())
            });
            let counter = if sent { &self.counters.sent } else { &self.counters.send_failures };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn fill_ports(&mut self) {
        for port in self.pool.refill(self.clock.mono()) {
            self.events.tell(FromMedia::PortReady(port), &self.counters);
        }
    }
}

/// A socket that is closed next is watched no more.
fn unwatch(registry: &Registry, socket: &mut UdpSocket) {
    if let Err(e) = registry.deregister(socket) {
        tracing::debug!(error = %e, "a socket was not watched");
    }
}

/// What is said to control, in order. Nothing is lost while control is late, within a bound.
#[derive(Debug)]
struct EventsOut {
    way: to_control::Sender<FromMedia>,
    /// What found the way full: handed over first of all next time.
    late: VecDeque<FromMedia>,
}

impl EventsOut {
    fn tell(&mut self, what: FromMedia, counters: &MediaCounters) {
        self.flush();
        if self.late.len() == EVENTS {
            counters.events_lost.fetch_add(1, Ordering::Relaxed);
            tracing::error!("control does not hear; an event of sound is lost");
            return;
        }
        self.late.push_back(what);
        self.flush();
        if !self.late.is_empty() {
            counters.events_late.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&mut self) {
        while !self.late.is_empty() {
            match self.way.try_reserve() {
                Ok(room) => {
                    if let Some(what) = self.late.pop_front() {
                        room.send(what);
                    }
                }
                Err(to_control::error::TrySendError::Full(())) => return,
                // Control has ended: nobody is to hear of anything.
                Err(to_control::error::TrySendError::Closed(())) => self.late.clear(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
