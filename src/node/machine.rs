//! `Node`: the four verbs for the whole server. It only routes: SIP events and media events become inputs of the
//! exchange (`on_event.rs`), the exchange's commands become SIP and media requests (`on_command.rs`).
//!
//! Invariant: one input, then everything that follows from it, then the next input.
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::admission::{Admission, Counted};
use super::guard::{Ban, Guard};
use super::legs::Legs;
use super::output::NodeOutput;
use super::permit::Permits;
use super::phones::Phones;
use super::ports::Ports;
use super::refer::Transfers;
use super::settings::NodeSettings;
use super::traces::Traces;
use super::trunks::Trunks;
use super::view::{NodeFigures, NodeView};
use crate::base::{CallId, Deadline, LegId, Now, Rng, Seq, TicketId, earliest};
use crate::exchange::acd::{Lessons, RanAhead};
use crate::exchange::menu::MenuSet;
use crate::exchange::{Banner, Input, Ledger, Ops, Switchboard};
use crate::media::MediaEvent;
use crate::sip::{
    Account, ConnId, Destination, DnsQuestion, DnsReply, Ladder, ListenerId, StoredBinding, UserAgent,
};

/// The whole server but for its doors and windows.
pub struct Node {
    pub(super) settings: NodeSettings,
    pub(super) menus: Arc<MenuSet>,
    pub(super) sip: UserAgent,
    pub(super) board: Switchboard,
    pub(super) legs: Legs,
    pub(super) trunks: Trunks,
    pub(super) ports: Ports,
    pub(super) phones: Phones,
    pub(super) traces: Traces,
    pub(super) outputs: VecDeque<NodeOutput>,
    /// Inputs that a command caused: handled after the commands before them.
    pub(super) later: VecDeque<Input>,
    pub(super) next_leg: u64,
    /// Legs whose sound still has to report its figures.
    pub(super) ended_calls: BTreeMap<LegId, CallId>,
    pub(super) figures: NodeFigures,
    pub(super) admission: Admission,
    pub(super) guard: Guard,
    /// Connections of those who were shut out.
    pub(super) closes: Vec<ConnId>,
    pub(super) transfers: Transfers,
    pub(super) permits: Permits,
    pub(super) rng: Rng,
    /// Every command is handed over too.
    taped: bool,
    started: Now,
    now: Now,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("board", &self.board.describe()).finish_non_exhaustive()
    }
}

impl Node {
    /// A node that knows its menus and takes calls as soon as ports are offered.
    pub fn new(settings: NodeSettings, menus: Arc<MenuSet>, now: Now, rng: &Rng) -> Self {
        let sip = UserAgent::new(settings.sip.clone(), &rng.fork("sip"));
        let board = Switchboard::new(settings.exchange.clone(), Arc::clone(&menus));
        let guard = Guard::new(settings.guard.clone());
        let mut node = Self {
            next_leg: settings.exchange.first_number & !1,
            trunks: Trunks::new(&settings.trunks, rng),
            phones: Phones::new(settings.ask_phones, rng),
            settings,
            menus,
            sip,
            board,
            legs: Legs::default(),
            ports: Ports::default(),
            traces: Traces::default(),
            outputs: VecDeque::new(),
            later: VecDeque::new(),
            ended_calls: BTreeMap::new(),
            figures: NodeFigures::default(),
            admission: Admission::default(),
            guard,
            closes: Vec::new(),
            transfers: Transfers::default(),
            permits: Permits::default(),
            rng: rng.fork("node"),
            taped: false,
            started: now,
            now,
        };
        node.trunks.begin(now.mono, &mut node.sip);
        node.settle();
        node
    }

    /// From now on each command is handed over too, as [`NodeOutput::Issued`].
    pub const fn hand_over_commands(&mut self) {
        self.taped = true;
    }

    /// A datagram came.
    pub fn handle_datagram(&mut self, now: Now, listener: ListenerId, from: SocketAddr, bytes: &[u8]) {
        let now = self.tick(now);
        if self.guard.bars(now, from.ip()) {
            self.figures.barred += 1;
            return;
        }
        self.sip.handle_datagram(now.mono, listener, from, bytes);
        self.settle();
    }

    /// A connection is up.
    pub fn stream_opened(&mut self, now: Now, conn: ConnId, listener: ListenerId, remote: SocketAddr) {
        let now = self.tick(now);
        if self.guard.bars(now, remote.ip()) {
            self.figures.barred += 1;
            self.closes.push(conn);
            return;
        }
        self.sip.stream_opened(now.mono, conn, listener, remote);
        self.settle();
    }

    /// Bytes came on a connection.
    pub fn handle_stream(&mut self, now: Now, conn: ConnId, bytes: &[u8]) {
        let now = self.tick(now);
        self.sip.handle_stream(now.mono, conn, bytes);
        self.settle();
    }

    /// A connection is over.
    pub fn stream_closed(&mut self, now: Now, conn: ConnId) {
        let now = self.tick(now);
        let remote = self.sip.address_of(&Destination::Stream { conn });
        self.sip.stream_closed(now.mono, conn);
        self.settle();
        if let Some(remote) = remote {
            self.flow_lost((conn.listener(), remote));
            self.settle();
        }
    }

    /// The network says that nobody is where a datagram of ours went.
    pub fn unreachable(&mut self, now: Now, listener: ListenerId, to: SocketAddr) {
        let now = self.tick(now);
        self.sip.unreachable(now.mono, listener, to);
        self.settle();
    }

    /// Something was done this much later than it should have been: a message read, a packet of sound made. Callers who
    /// arrive while that goes on are refused.
    pub fn late(&mut self, now: Now, by: Duration) {
        let counted = Counted {
            inside: self.board.exchange().calls_len(),
            let_in: self.figures.arrived,
            turned_away: self.sip.counts().turned_away,
        };
        self.admission.late(now.mono, by, counted);
        self.sip.let_in(self.admission.room(counted), self.settings.retry_after_s);
    }

    /// Sound reports something.
    pub fn handle_media(&mut self, now: Now, event: &MediaEvent) {
        self.tick(now);
        self.on_media_event(event);
        self.settle();
    }

    /// Who was shut out before a restart.
    pub fn restore_bans(&mut self, now: Now, bans: Vec<Ban>) {
        let now = self.tick(now);
        self.guard.restore(now, bans);
    }

    /// What queues have learned of their waits: cheap, and a moment of its own.
    pub fn lessons(&self) -> Lessons {
        self.board.lessons()
    }

    /// Goes on from what was learned before: at the start, before [`Node::restore`].
    pub fn relearn(&mut self, now: Now, lessons: &Lessons) {
        let now = self.tick(now);
        self.board.relearn(now, lessons);
    }

    /// Goes on after a stop at any moment, before anything else happens: see [`Switchboard::restore`].
    pub fn restore(&mut self, now: Now, ledger: &Ledger) {
        let now = self.tick(now);
        self.board.restore(now, ledger);
        self.settle();
    }

    /// Phones that were registered before a restart; whoever is not among them has none.
    pub fn import_phones(&mut self, now: Now, bindings: Vec<StoredBinding>) {
        let now = self.tick(now);
        self.sip.import_bindings(now.mono, bindings);
        self.settle();
        let agents = self.board.view(now).acd.agents;
        for agent in agents.into_iter().filter(|a| a.reachable).map(|a| a.agent) {
            if self.sip.contact(agent.as_str()).is_none() {
                self.later.push_back(Input::AgentReachable { agent, reachable: false });
            }
        }
        self.settle();
    }

    /// A local port pair is bound and free.
    pub fn offer_port(&mut self, port: u16) {
        self.ports.offer(port);
    }

    /// The journal is on disk up to the number that an [`NodeOutput::AwaitRecord`] named.
    pub fn handle_recorded(&mut self, now: Now, call: CallId, ticket: TicketId) {
        self.tick(now);
        self.later.push_back(Input::Recorded { call, ticket });
        self.settle();
    }

    /// A batch of futures was run.
    pub fn handle_ran_ahead(&mut self, now: Now, ran: RanAhead) {
        self.tick(now);
        self.later.push_back(Input::RanAhead(ran));
        self.settle();
    }

    /// The number of the last input: what an answer to whoever asked for something depends on.
    pub const fn seq(&self) -> Seq {
        self.board.seq()
    }

    /// What became of a question for a name server.
    pub fn handle_dns(&mut self, now: Now, question: &DnsQuestion, reply: DnsReply) {
        let now = self.tick(now);
        self.sip.handle_dns(now.mono, question, reply);
        self.settle();
    }

    /// The menus that new calls take.
    pub fn menus(&self) -> &MenuSet {
        &self.menus
    }

    /// The emergency banner that is on.
    pub fn banner(&self, now: Now) -> Option<&Banner> {
        self.board.exchange().banner(now)
    }

    /// An operator wants something.
    pub fn handle_ops(&mut self, now: Now, ops: Ops) {
        self.tick(now);
        self.later.push_back(Input::Ops(ops));
        self.settle();
    }

    /// Who may register as an agent from now on. Phones of those who are not among them are forgotten.
    pub fn set_accounts(&mut self, now: Now, accounts: BTreeMap<String, Account>) {
        self.tick(now);
        self.sip.set_accounts(accounts);
        self.settle();
    }

    /// New menus hold for calls that begin now; those inside keep theirs.
    pub fn install_menus(&mut self, now: Now, menus: Arc<MenuSet>) {
        let now = self.tick(now);
        self.menus = Arc::clone(&menus);
        self.board.install(now, menus);
        self.settle();
    }

    /// The moment asked for has come.
    pub fn handle_timeout(&mut self, now: Now) {
        let now = self.tick(now);
        self.sip.handle_timeout(now.mono);
        while let Some(leg) = self.legs.pop_rung_out(now.mono) {
            self.ring_out(leg);
        }
        while let Some(leg) = self.legs.pop_sign_due(now.mono) {
            self.sign_due(leg);
        }
        while let Some(leg) = self.legs.pop_silent(now.mono) {
            self.silent_too_long(leg);
        }
        while let Some(leg) = self.legs.pop_probe_due(now.mono) {
            self.probe_due(leg);
        }
        self.ask_phones();
        self.trunks.handle_timeout(now.mono, &mut self.sip);
        self.board.handle_timeout(now);
        self.settle();
    }

    /// When to wake the node, and why.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let own = earliest(self.legs.next_deadline(), self.trunks.next_deadline());
        let own = earliest(own, self.phones.next_deadline());
        earliest(earliest(self.sip.next_deadline(), self.board.next_deadline()), own)
    }

    /// The next thing to do for the world.
    pub fn poll_output(&mut self) -> Option<NodeOutput> {
        self.outputs.pop_front()
    }

    /// No leg, no call, no registrar to be told: a drained node may end.
    pub fn is_idle(&self) -> bool {
        self.legs.len() == 0 && self.trunks.is_gone(self.now.mono)
    }

    /// Whether this call is going on.
    pub fn knows(&self, call: CallId) -> bool {
        self.board.exchange().knows(call)
    }

    /// A connection that should be closed.
    pub fn poll_close(&mut self) -> Option<ConnId> {
        self.closes.pop().or_else(|| self.sip.poll_close())
    }

    /// A connection that was wanted cannot be made.
    pub fn connect_failed(&mut self, now: Now, listener: ListenerId, to: SocketAddr) {
        let now = self.tick(now);
        self.sip.connect_failed(now.mono, listener, to);
        self.settle();
    }

    /// Everything at one moment, for people.
    pub fn view(&self, now: Now) -> NodeView {
        NodeView {
            started_us: self.started.utc.as_micros(),
            now_us: now.utc.as_micros(),
            menus: self.menus.revision.clone(),
            zone: self.menus.zone.name().to_owned(),
            legs: self.legs.len(),
            ports_ready: self.ports.ready(),
            trunks: self.trunks.view(now.mono),
            names: self.names(),
            phones_answering: self.phones.answering(),
            phones_silent: self.phones.silent(),
            board: self.board.view(now),
            shut_out: self.guard.bans(now),
            held: self.held(),
            figures: NodeFigures {
                calls_let_in: self.admission.limit(),
                arrived: self.figures.arrived + self.sip.counts().turned_away,
                too_busy: self.sip.counts().turned_away,
                ..self.figures
            },
            sip: self.sip.counts(),
        }
    }

    /// The SIP of a call as a ladder; `None` when nothing of it is kept.
    pub fn ladder(&self, call: CallId) -> Option<String> {
        let messages = self.traces.of(call);
        (!messages.is_empty())
            .then(|| Ladder::of_traces("hotline", &messages, |peer| peer.to_string()).draw())
    }

    /// The moment of the input being handled.
    pub(super) const fn now(&self) -> Now {
        self.now
    }

    /// Neither clock goes back while an input is handled.
    fn tick(&mut self, now: Now) -> Now {
        if now.mono >= self.now.mono {
            self.now = now;
        }
        self.now
    }

    /// Everything that follows from the last input.
    fn settle(&mut self) {
        let mut issued = Vec::new();
        loop {
            // What the last input asked for is done before the next event of the same packet is looked at: a digit
            // that follows the key into a secret entry must find the entry begun.
            if let Some(command) = self.board.poll() {
                if self.taped {
                    issued.push(NodeOutput::Issued(Box::new(command.clone())));
                }
                self.on_command(command);
            } else if let Some(input) = self.later.pop_front() {
                self.input(input);
            } else if let Some(event) = self.sip.poll_event() {
                self.on_sip_event(event);
            } else {
                break;
            }
        }
        while let Some(entry) = self.board.poll_entry() {
            entry.facts.iter().for_each(|fact| self.note(fact));
            self.outputs.push_back(NodeOutput::Entry(entry));
        }
        // Behind the entries from which they follow: a tape that ends anywhere has no command without its cause.
        self.outputs.extend(issued);
        let seq = self.board.seq();
        if self.board.exchange().is_draining() && self.legs.len() == 0 {
            self.trunks.leave(self.now.mono, &mut self.sip);
        }
        while let Some(question) = self.sip.poll_question() {
            self.outputs.push_back(NodeOutput::Ask(question));
        }
        while let Some(transmit) = self.sip.poll_transmit() {
            self.outputs.push_back(if transmit.ends_call {
                NodeOutput::TransmitAfter { seq, transmit }
            } else {
                NodeOutput::Transmit(transmit)
            });
        }
        while let Some(trace) = self.sip.poll_trace() {
            self.traces.add(trace);
        }
        while let Some((agent, bindings)) = self.sip.poll_bindings(self.now.mono) {
            self.outputs.push_back(NodeOutput::Phones { agent, bindings });
        }
    }

    const fn names(&self) -> [u64; 4] {
        let c = self.sip.locate_counts();
        [c.asked, c.failed, c.nothing, c.refused]
    }

    /// Tells the exchange.
    pub(super) fn input(&mut self, input: Input) {
        let now = self.now;
        self.board.handle(now, input);
    }

    /// A number for a leg that arrives: an even one. The exchange gives odd ones to the legs that it rings.
    pub(super) fn new_leg(&mut self) -> LegId {
        self.next_leg += 2;
        LegId(self.next_leg)
    }
}
