//! The control loop: wait for a datagram, a stream, sound's events, a question or the next deadline; tell the node;
//! do what it says. Nothing here decides. Invariant: nothing here waits for the disk, a peer or whoever asks.
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use super::ask::{Ask, Installing, Posting};
use super::clock::Clock;
use super::futures_worker::FuturesWorker;
use super::held::{Due, Held, WaitingRoom};
use super::journal::Journal;
use super::learned::Learning;
use super::media_worker::{FromMedia, MediaWorker};
use super::metrics::Metrics;
use super::net::{Net, NetEvent};
use super::office::Phones;
use super::resolver::{NameServers, Replies};
use super::tape::Tape;
use super::vault::Vault;
use crate::base::{Instant, Seq, UtcTime};
use crate::exchange::acd::RanAhead;
use crate::exchange::{Deed, Entry, Fact, Ops};
use crate::node::{Ban, Node, NodeOutput};
use crate::sip::DnsReply;

/// Facts on their way to the store: more than a minute of Double Eleven. Beyond, the newest is lost, counted.
pub(super) const FACTS_WAITING: usize = 262_144;
/// Registrations on their way to the store: beyond, one is not kept over a restart, counted.
pub(super) const PHONES_WAITING: usize = 4_096;
/// Events handled before the loop looks at its deadlines again.
const BATCH: usize = 64;

/// How long the last answers have on the wire before the sockets close.
const LINGER: Duration = Duration::from_millis(300);
/// How long phones have to answer our BYE when their calls are ended by us.
const LEAVE_AFTER: Duration = Duration::from_secs(2);

/// How far the end of the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    No,
    /// No new calls; those inside may go on until then.
    Draining {
        by: Instant,
    },
    /// Nothing is left but the last messages.
    Leaving {
        at: Instant,
    },
    Over,
}

/// All that the loop holds.
pub(super) struct Control {
    /// Who decides.
    pub node: Node,
    /// SIP's sockets.
    pub net: Net,
    /// What they say.
    pub net_events: mpsc::Receiver<NetEvent>,
    /// Sound.
    pub media: MediaWorker,
    /// What it says.
    pub media_events: mpsc::Receiver<FromMedia>,
    /// Who asks name servers.
    pub names: NameServers,
    /// What they reply.
    pub name_replies: Replies,
    /// Who runs futures.
    pub futures: FuturesWorker,
    /// What came of them.
    pub ran_ahead: mpsc::Receiver<RanAhead>,
    /// Questions.
    pub asks: mpsc::Receiver<Ask>,
    /// To the store.
    pub phones: mpsc::Sender<Phones>,
    /// To the store.
    pub bans: mpsc::Sender<Vec<Ban>>,
    /// The numbered inputs.
    pub journal: Journal,
    /// The same and every command, to be run again elsewhere, if that is wanted.
    pub tape: Option<Tape>,
    /// Keeps what queues learn.
    pub learning: Learning,
    /// What waits until they are on disk.
    pub held: WaitingRoom,
    /// Secret digits.
    pub vault: Vault,
    /// Time.
    pub clock: Clock,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Told when a banner came to its end by itself.
    pub banner_over: Arc<Notify>,
    /// Told once: drain and end.
    pub stop: mpsc::Receiver<()>,
    /// How long calls inside may go on after that.
    pub drain_for: Duration,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    /// Runs until it is told to stop and the last call is over.
    pub(super) async fn run(mut self) {
        self.until_over().await;
        self.learning.last(self.node.lessons());
    }

    async fn until_over(&mut self) {
        self.perform();
        let mut ending = Ending::No;
        loop {
            ending = self.end_step(ending);
            let wait = match ending {
                Ending::No => self.until_deadline(),
                Ending::Draining { by: at } | Ending::Leaving { at } => {
                    self.until_deadline().min(at.since(self.clock.now().mono))
                }
                Ending::Over => return,
            };
            tokio::select! {
                biased;
                event = self.net_events.recv() => {
                    let Some(event) = event else { return };
                    self.on_net_events(event);
                }
                event = self.media_events.recv() => {
                    let Some(event) = event else {
                        tracing::error!("the media thread is gone; the server ends");
                        return;
                    };
                    self.on_media_events(event);
                }
                () = self.journal.moved() => {}
                Some((question, reply)) = self.name_replies.recv() => {
                    self.node.handle_dns(self.clock.now(), &question, reply);
                }
                Some(ran) = self.ran_ahead.recv() => self.node.handle_ran_ahead(self.clock.now(), ran),
                Some(ask) = self.asks.recv() => self.on_ask(ask),
                Some(()) = self.stop.recv() => ending = self.told_to_stop(ending),
                () = tokio::time::sleep(wait) => {
                    let now = self.clock.now();
                    self.node.handle_timeout(now);
                }
            }
            self.perform();
            self.take_turns();
        }
    }

    /// Whatever the network brings, sound's events and the node's deadlines have their turn too.
    fn take_turns(&mut self) {
        if let Ok(event) = self.media_events.try_recv() {
            self.on_media_events(event);
            self.perform();
        }
        if self.until_deadline().is_zero() {
            self.node.handle_timeout(self.clock.now());
            self.perform();
        }
        let now = self.clock.now().mono;
        if self.learning.due() <= now {
            self.learning.learned(now, self.node.lessons());
        }
        let late = self.media.counters().late_us.swap(0, Ordering::Relaxed);
        self.node.late(self.clock.now(), Duration::from_micros(late));
    }

    /// Told once: no new calls, those inside go on for a while. Told twice: the end.
    fn told_to_stop(&mut self, ending: Ending) -> Ending {
        let now = self.clock.now();
        match ending {
            Ending::No => {
                self.node.handle_ops(now, Ops::Drain);
                self.learning.soon(now.mono);
                Ending::Draining { by: now.mono + self.drain_for }
            }
            Ending::Draining { .. } => self.end_calls(),
            Ending::Leaving { .. } | Ending::Over => ending,
        }
    }

    /// Ends every call properly; what is said goodbye with needs a moment on the wire.
    fn end_calls(&mut self) -> Ending {
        let now = self.clock.now();
        for call in self.node.view(now).board.calls {
            self.node.handle_ops(now, Ops::EndCall(call.call));
        }
        self.perform();
        Ending::Leaving { at: now.mono + LEAVE_AFTER }
    }

    fn end_step(&mut self, ending: Ending) -> Ending {
        let now = self.clock.now().mono;
        match ending {
            Ending::Draining { .. } if self.node.is_idle() => Ending::Leaving { at: now + LINGER },
            Ending::Draining { by } if by <= now => self.end_calls(),
            // What waits for the disk goes first; it never waits long.
            Ending::Leaving { at } if at <= now && self.held.len() == 0 => Ending::Over,
            other => other,
        }
    }

    /// How long until the node wants to be woken; a long time when it does not.
    fn until_deadline(&self) -> Duration {
        const NEVER: Duration = Duration::from_hours(1);
        let at =
            [self.node.next_deadline().map(|d| d.at), self.held.next_deadline(), Some(self.learning.due())];
        let at = at.into_iter().flatten().min();
        at.map_or(NEVER, |at| at.since(self.clock.now().mono))
    }

    /// One event and those that came with it: under load the loop does not go round for each.
    fn on_net_events(&mut self, first: NetEvent) {
        let mut next = Some(first);
        for _ in 0..BATCH {
            let Some(event) = next else { break };
            self.on_net_event(event);
            self.perform();
            next = self.net_events.try_recv().ok();
        }
        if let Some(event) = next {
            self.on_net_event(event);
        }
    }

    fn on_net_event(&mut self, event: NetEvent) {
        let now = self.clock.now();
        self.net.note(&event);
        match event {
            NetEvent::Datagram { listener, from, bytes, taken } => {
                self.node.late(now, taken.map_or(Duration::ZERO, |taken| waited(taken, now.utc)));
                self.node.handle_datagram(now, listener, from, &bytes);
            }
            NetEvent::Unreachable { listener, to } => self.node.unreachable(now, listener, to),
            NetEvent::Opened { conn, listener, remote } => {
                self.node.stream_opened(now, conn, listener, remote);
            }
            NetEvent::Bytes { conn, bytes, place } => {
                self.node.handle_stream(now, conn, &bytes);
                drop(place);
            }
            NetEvent::ConnectFailed { listener, to, .. } => self.node.connect_failed(now, listener, to),
            NetEvent::Closed { conn } => self.node.stream_closed(now, conn),
        }
    }

    fn on_media_events(&mut self, first: FromMedia) {
        let mut next = Some(first);
        for _ in 0..BATCH {
            match next {
                Some(FromMedia::Event(event)) => self.node.handle_media(self.clock.now(), &event),
                Some(FromMedia::PortReady(port)) => self.node.offer_port(port),
                None => break,
            }
            self.perform();
            next = self.media_events.try_recv().ok();
        }
        match next {
            Some(FromMedia::Event(event)) => self.node.handle_media(self.clock.now(), &event),
            Some(FromMedia::PortReady(port)) => self.node.offer_port(port),
            None => {}
        }
    }

    fn on_ask(&mut self, ask: Ask) {
        let now = self.clock.now();
        // Whoever asked may be gone by now: then nobody hears the answer.
        match ask {
            Ask::Ping(back) => {
                back.send(()).ok();
            }
            Ask::View(back) => drop(back.send(Box::new(self.node.view(now)))),
            Ask::Ladder(call, back) => drop(back.send(self.node.ladder(call))),
            Ask::EndCall(call, back) => {
                let known = self.node.knows(call);
                if known {
                    self.node.handle_ops(now, Ops::EndCall(call));
                }
                self.hold(self.node.seq(), Held::Answer(back, known));
            }
            Ask::Install(installing, back) => self.install(*installing, back),
            Ask::Banner(posting, deed, back) => self.banner(posting, *deed, back),
            Ask::Posted(back) => drop(back.send(self.node.banner(now).cloned())),
            Ask::Note(deed, back) => {
                self.node.handle_ops(now, Ops::Note(*deed));
                self.hold(self.node.seq(), Held::Recorded(back));
            }
        }
    }

    /// A new set of menus, between two inputs. Sound knows it before the first call that takes it.
    fn install(&mut self, new: Installing, back: oneshot::Sender<Option<bool>>) {
        let now = self.clock.now();
        let Installing { set, library, accounts, tape, deed } = new;
        if self.media.install(library).is_err() {
            back.send(None).ok();
            return;
        }
        if let (Some(tape), Some(menus)) = (&mut self.tape, tape) {
            tape.menus(menus);
        }
        if let Some(accounts) = accounts {
            self.node.set_accounts(now, accounts);
        }
        self.node.install_menus(now, set);
        self.node.handle_ops(now, Ops::Note(deed));
        self.metrics.menus.took(self.clock.mono().since(now.mono));
        self.hold(self.node.seq(), Held::Installed(back));
    }

    /// A banner goes on or off. Sound knows it before the first caller who is to hear it.
    fn banner(&mut self, posting: Option<Box<Posting>>, deed: Deed, back: oneshot::Sender<Option<bool>>) {
        let now = self.clock.now();
        match posting.map(|posting| *posting) {
            Some(Posting { banner, board }) => {
                if self.media.post(board).is_err() {
                    back.send(None).ok();
                    return;
                }
                self.node.handle_ops(now, Ops::Banner(Some(Box::new(banner))));
            }
            None if self.node.banner(now).is_some() => self.node.handle_ops(now, Ops::Banner(None)),
            None => {}
        }
        self.node.handle_ops(now, Ops::Note(deed));
        self.hold(self.node.seq(), Held::Installed(back));
    }

    /// Lets something wait for the disk.
    fn hold(&mut self, seq: Seq, what: Held) {
        if let Some(what) = self.held.hold(self.clock.mono(), seq, what) {
            self.release(Due { what, recorded: false });
        }
    }

    /// What waited may happen now.
    fn release(&mut self, due: Due) {
        let Due { what, recorded } = due;
        if !recorded {
            self.metrics.held_overdue.fetch_add(1, Ordering::Relaxed);
        }
        match what {
            Held::Message(transmit) => {
                self.journal.hand_over();
                self.net.send(&transmit.to, transmit.bytes);
            }
            // Whoever asked may be gone by now: then nobody hears the answer.
            Held::Answer(back, answer) => drop(back.send(answer)),
            Held::Recorded(back) => drop(back.send(recorded)),
            Held::Installed(back) => drop(back.send(Some(recorded))),
            // What the disk does not have is not promised.
            Held::Place(call, ticket) if recorded => {
                self.node.handle_recorded(self.clock.now(), call, ticket);
            }
            Held::Place(..) => {}
        }
    }

    /// Does everything that the node wants done, and what the disk was waited for.
    fn perform(&mut self) {
        loop {
            self.perform_node();
            self.journal.hand_over();
            let Some(due) = self.held.take(self.clock.mono(), self.journal.durable()) else { break };
            self.release(due);
        }
        self.metrics.held.store(self.held.len() as u64, Ordering::Relaxed);
        // After the outputs: the last answer goes out before its connection closes.
        while let Some(conn) = self.node.poll_close() {
            self.net.close(conn);
        }
    }

    /// A numbered input with its facts: for the log, the tape and the journal.
    fn entry(&mut self, entry: Entry) {
        entry.facts.iter().for_each(|fact| tell(entry.seq, fact));
        if entry.facts.iter().any(|f| matches!(f, Fact::BannerOff { expired: true })) {
            self.banner_over.notify_one();
        }
        if let Some(tape) = &mut self.tape {
            tape.entry(&entry);
        }
        self.journal.append(entry);
    }

    fn perform_node(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                NodeOutput::Transmit(transmit) => {
                    self.journal.hand_over();
                    self.net.send(&transmit.to, transmit.bytes);
                }
                NodeOutput::Ask(question) => {
                    if let Err(question) = self.names.ask(question) {
                        self.node.handle_dns(self.clock.now(), &question, DnsReply::Failed);
                    }
                }
                NodeOutput::TlsName { to, name } => self.net.expect_name(to, name),
                NodeOutput::Media(command) => {
                    if self.media.send(command).is_err() {
                        self.metrics.media_dropped.fetch_add(1, Ordering::Relaxed);
                    }
                }
                NodeOutput::TransmitAfter { seq, transmit } => self.hold(seq, Held::Message(transmit)),
                NodeOutput::AwaitRecord { seq, call, ticket } => self.hold(seq, Held::Place(call, ticket)),
                NodeOutput::Entry(entry) => self.entry(entry),
                NodeOutput::Issued(command) => {
                    if let Some(tape) = &mut self.tape {
                        tape.command(*command);
                    }
                }
                NodeOutput::RunAhead(futures) => self.futures.run(futures),
                NodeOutput::SecretDigit { token, key } => {
                    self.vault.digit(token, key);
                    self.metrics.secrets_dropped.store(self.vault.dropped(), Ordering::Relaxed);
                }
                NodeOutput::SecretOver { token } => self.vault.forget(token),
                NodeOutput::Phones { agent, bindings } => {
                    let phones = Phones { at: self.clock.now().utc, agent, bindings };
                    if self.phones.try_send(phones).is_err() {
                        self.metrics.phones_dropped.fetch_add(1, Ordering::Relaxed);
                    }
                }
                NodeOutput::Bans(bans) => {
                    // Full: a list that holds these too follows the next ban.
                    if self.bans.try_send(bans).is_err() {
                        tracing::warn!("a ban is not kept over a restart");
                    }
                }
                NodeOutput::LegSound { leg, call, figures } => {
                    self.metrics.legs.add(&figures);
                    tracing::debug!(
                        %leg,
                        call = call.map(tracing::field::display),
                        sent = figures.sent,
                        received = figures.received,
                        lost = figures.lost,
                        dropped = figures.dropped,
                        jitter_ms = figures.jitter_ms,
                        late = figures.late,
                        concealed_ms = figures.concealed_ms,
                        stretched_ms = figures.stretched_ms,
                        cut_ms = figures.cut_ms,
                        round_trip_ms = figures.round_trip_ms,
                        "sound over"
                    );
                }
            }
        }
    }
}

/// How long a datagram waited for us. The civil clock may have jumped meanwhile: then nothing is known.
fn waited(taken: UtcTime, now: UtcTime) -> Duration {
    const BELIEVED: Duration = Duration::from_secs(10);
    let us = u64::try_from(now.as_micros().saturating_sub(taken.as_micros())).unwrap_or(0);
    Some(Duration::from_micros(us)).filter(|waited| *waited <= BELIEVED).unwrap_or_default()
}

/// One line for each call that ended; the rest for whoever asks for it.
fn tell(seq: Seq, fact: &Fact) {
    let seq = seq.0;
    match fact {
        Fact::CallEnded { call, cause, lasted } => {
            tracing::info!(%call, seq, cause = cause.as_str(), lasted_s = lasted.as_secs_f32(), "call over");
        }
        Fact::Done(Deed { who, from, what, about, outcome }) => {
            tracing::info!(seq, who, from, what, about, outcome, "audit");
        }
        other => {
            tracing::debug!(
                call = other.call().map(tracing::field::display),
                seq,
                fact = other.kind(),
                "fact"
            );
        }
    }
}
