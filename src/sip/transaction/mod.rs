//! Transactions (RFC 3261 17, RFC 6026): matching, retransmission, time-outs, over datagrams and streams. The four
//! machines are tables in their own files; here they are fed, and what they say is done.
//!
//! Invariants: a request is handed up once, however often it comes; every transaction ends; a response and an ACK are
//! never answered.
mod act;
mod arrive;
mod client;
mod client_invite;
mod key;
mod server;
mod server_invite;
mod step;
mod table;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Deadline, Instant, Rng, limits};
use crate::sip::message::{Method, Request, Response, Status};
use crate::sip::timers::TimerSettings;
use crate::sip::transport::{ConnId, Destination, ListenerId, Source, Transmit};
use crate::sip::wire::write_request;
use key::{ClientKey, ServerKey};
use step::{ClientInput, ServerInput};
pub(crate) use table::Fallback;
use table::{Input, Key, Machine, Table, Transaction};

/// The name of a transaction; never used twice within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(u64);

impl TransactionId {
    const FIRST: Self = Self(0);
    const LAST: Self = Self(u64::MAX);
}

/// What a transaction tells its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionEvent {
    /// A new request; answer it with [`Transactions::respond`]. Never an ACK or a CANCEL.
    Request {
        /// Its transaction.
        tx: TransactionId,
        /// The request.
        request: Request,
        /// Where it came in.
        source: Source,
    },
    /// An ACK to a 2xx of ours, or one that belongs to nothing here.
    Ack {
        /// The ACK.
        request: Request,
        /// Where it came in.
        source: Source,
    },
    /// A CANCEL came for this INVITE, which has no final response yet. The CANCEL is answered; the INVITE is to be
    /// answered with 487.
    Cancelled {
        /// The INVITE's transaction.
        tx: TransactionId,
    },
    /// A response to a request of ours.
    Response {
        /// The request's transaction.
        tx: TransactionId,
        /// The response; to an INVITE, a 2xx may come several times and the ACK is the user's.
        response: Response,
    },
    /// Nobody answered our request, or nobody acknowledged our final response.
    TimedOut {
        /// The transaction.
        tx: TransactionId,
    },
    /// The connection broke or could not be opened.
    TransportFailed {
        /// The transaction.
        tx: TransactionId,
    },
    /// The transaction is forgotten: the last that is heard of it.
    Finished {
        /// The transaction.
        tx: TransactionId,
    },
}

/// How the transactions behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionSettings {
    /// T1, T2, T4.
    pub timers: TimerSettings,
    /// Beyond so many, a new request is answered 503.
    pub most: usize,
    /// What the 503 says in Retry-After, in seconds.
    pub retry_after: u32,
    /// Octets that we say by ourselves for each octet of an INVITE over UDP, repeated refusals included: a forged one is
    /// no amplifier. `None`: as RFC 3261 has it, until timer H.
    pub amplified: Option<usize>,
}

impl Default for TransactionSettings {
    fn default() -> Self {
        Self {
            timers: TimerSettings::default(),
            most: limits::SIP_TRANSACTIONS,
            retry_after: 5,
            amplified: None,
        }
    }
}

/// What was absorbed, repeated or refused, since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionCounters {
    /// Requests that came again.
    pub repeated_requests: u64,
    /// Messages that we sent again.
    pub retransmissions: u64,
    /// Responses that belong to nothing here; dropped.
    pub stray_responses: u64,
    /// Responses of our own side to a transaction that was gone; dropped.
    pub late_responses: u64,
    /// Requests that came over several paths; answered 482.
    pub merged: u64,
    /// CANCELs without their INVITE; answered 481.
    pub stray_cancels: u64,
    /// Refusals not sent again because the INVITE was too short for more answers: it may be forged.
    pub withheld: u64,
    /// Requests refused with 503, since there were too many.
    pub refused: u64,
    /// Requests of ours that nobody answered, final responses that nobody acknowledged.
    pub timed_out: u64,
    /// Transactions whose transport failed.
    pub transport_failed: u64,
    /// Large requests of ours that found no connection and went as datagrams (RFC 3261 18.1.1).
    pub fell_back: u64,
}

/// What is at hand while a transaction takes a step.
enum Load {
    Nothing,
    Response(Box<Response>),
    Ack(Box<(Request, Source)>),
    /// How long the timer was set for that fired.
    Ran(Duration),
}

/// All transactions of one user agent.
#[derive(Debug)]
pub struct Transactions {
    settings: TransactionSettings,
    rng: Rng,
    now: Instant,
    last_id: u64,
    table: Table,
    counters: TransactionCounters,
    transmits: VecDeque<Transmit>,
    events: VecDeque<TransactionEvent>,
}

impl Transactions {
    /// None yet. `rng` gives the To tags of what is answered here.
    pub fn new(settings: TransactionSettings, rng: Rng) -> Self {
        Self {
            settings,
            rng,
            now: Instant::ZERO,
            last_id: 0,
            table: Table::default(),
            counters: TransactionCounters::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// A request came in. It has passed the wire layer, which also wrote `received` and `rport` into its top Via.
    pub fn handle_request(&mut self, now: Instant, source: Source, request: Request) {
        self.lift(now);
        let method = request.method;
        if method == Method::Ack {
            return self.handle_ack(source, request);
        }
        let key = ServerKey::of(&request, method);
        if let Some(id) = self.table.server(&key) {
            self.counters.repeated_requests += 1;
            return self.feed(id, Input::Server(ServerInput::Retransmission), Load::Nothing);
        }
        if self.table.len() >= self.settings.most {
            return self.refuse(&source, &request);
        }
        if method == Method::Cancel {
            return self.handle_cancel(&source, &request, key);
        }
        if self.is_merged(&request) {
            self.counters.merged += 1;
            return self.answer_here(&source, &request, key, (Status::LOOP_DETECTED, None));
        }
        let id = self.open_server(&source, &request, key, false);
        if method == Method::Invite {
            self.respond(now, id, Response::to_request(&request, Status::TRYING));
        }
        self.events.push_back(TransactionEvent::Request { tx: id, request, source });
    }

    /// A response came in. One that belongs to nothing is counted and dropped.
    pub fn handle_response(&mut self, now: Instant, _source: Source, response: Response) {
        self.lift(now);
        let id = ClientKey::of_response(&response).and_then(|key| self.table.client(&key));
        let Some(id) = id else {
            self.counters.stray_responses += 1;
            return;
        };
        let input = match response.status {
            s if s.is_provisional() => ClientInput::Provisional,
            s if s.is_success() => ClientInput::Success,
            _ => ClientInput::Failure,
        };
        self.feed(id, Input::Client(input), Load::Response(Box::new(response)));
    }

    /// Sends `request` and waits for its responses. Its top Via, with a fresh branch, is the caller's; a CANCEL has its
    /// INVITE's. Without a branch the request fails at once. An ACK is no transaction: [`Transactions::send`].
    pub fn start_client(&mut self, now: Instant, request: Request, to: Destination) -> TransactionId {
        self.begin_client(now, request, to, None)
    }

    /// The same for a large request over a stream; where no connection can be had it goes as the datagram `instead`, with
    /// the same branch.
    pub(crate) fn start_large(
        &mut self,
        now: Instant,
        request: Request,
        to: Destination,
        instead: Fallback,
    ) -> TransactionId {
        self.begin_client(now, request, to, Some(Box::new(instead)))
    }

    /// The CANCEL of an INVITE of ours, sent the way that it went (RFC 3261 9.1). `None`: it is over.
    pub(crate) fn cancel(&mut self, now: Instant, invite: TransactionId) -> Option<TransactionId> {
        let tx = self.table.get(invite)?;
        let (cancel, to) = (tx.invite.as_ref()?.cancel(), tx.to);
        Some(self.start_client(now, cancel, to))
    }

    fn begin_client(
        &mut self,
        now: Instant,
        request: Request,
        to: Destination,
        fallback: Option<Box<Fallback>>,
    ) -> TransactionId {
        self.lift(now);
        let id = self.next_id();
        let Some(key) = ClientKey::of_request(&request) else {
            self.counters.transport_failed += 1;
            self.events.push_back(TransactionEvent::TransportFailed { tx: id });
            self.events.push_back(TransactionEvent::Finished { tx: id });
            return id;
        };
        let (machine, begin) = if request.method == Method::Invite {
            (Machine::InviteClient(client_invite::State::Calling), client_invite::BEGIN)
        } else {
            (Machine::Client(client::State::Trying), client::BEGIN)
        };
        let mut bytes = Vec::new();
        write_request(&request, &mut bytes);
        self.transmits.push_back(Transmit::new(to, bytes.clone()));
        let invite = (request.method == Method::Invite).then(|| Box::new(request));
        let mut tx = Transaction {
            key: Key::Client(key),
            machine,
            to,
            after_loss: None,
            bytes,
            invite,
            fallback,
            to_tag: None,
            merge_key: None,
            allowance: None,
            is_internal: false,
            ends_call: false,
            armed: Vec::new(),
        };
        for action in begin {
            self.act(id, &mut tx, *action, &mut Load::Nothing);
        }
        self.table.add(id, Box::new(tx));
        id
    }

    /// Sends a request outside of any transaction: the ACK to a 2xx (RFC 3261 13.2.2.4).
    pub fn send(&mut self, request: &Request, to: Destination) {
        let mut bytes = Vec::new();
        write_request(request, &mut bytes);
        self.transmits.push_back(Transmit::new(to, bytes));
    }

    /// Answers the request of the server transaction `tx`. Copies of a 2xx to an INVITE are the caller's to repeat.
    pub fn respond(&mut self, now: Instant, tx: TransactionId, response: Response) {
        self.lift(now);
        if self.table.get(tx).is_none() {
            self.counters.late_responses += 1;
            return;
        }
        let input = match response.status {
            s if s.is_provisional() => ServerInput::Provisional,
            s if s.is_success() => ServerInput::Success,
            _ => ServerInput::Failure,
        };
        self.feed(tx, Input::Server(input), Load::Response(Box::new(response)));
    }

    /// Forgets an INVITE of ours that was cancelled and got no final response in time (RFC 3261 9.1).
    pub fn abandon(&mut self, now: Instant, tx: TransactionId) {
        self.lift(now);
        if let Some(forgotten) = self.table.take(tx) {
            self.table.forget(tx, &forgotten);
            self.events.push_back(TransactionEvent::Finished { tx });
        }
    }

    /// Fires every timer that is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.lift(now);
        while let Some((id, timer)) = self.table.due(self.now) {
            let Some(mut tx) = self.table.take(id) else { return };
            let armed = self.table.disarm(id, &mut tx, timer);
            let input = tx.machine.expired(timer);
            self.table.put_back(id, tx);
            self.feed(id, input, armed.map_or(Load::Nothing, |armed| Load::Ran(armed.ran)));
        }
    }

    /// A connection is gone. Requests of ours on it fail; responses of ours go over a new one (RFC 3261 18.2.2).
    pub fn connection_lost(&mut self, now: Instant, listener: ListenerId, conn: ConnId, remote: SocketAddr) {
        self.transport_failed(now, Destination::Stream { conn });
        self.transport_failed(now, Destination::Connect { listener, to: remote });
    }

    /// The stream `to` is gone or could not be opened.
    pub fn transport_failed(&mut self, now: Instant, to: Destination) {
        self.lift(now);
        for id in self.table.on_way(to) {
            let Some(mut tx) = self.table.take(id) else { continue };
            if tx.is_unheard()
                && let Some(instead) = tx.fallback.take()
            {
                self.fall_back(id, tx, *instead);
                continue;
            }
            let elsewhere = tx.after_loss.take();
            if let Some(elsewhere) = elsewhere {
                self.table.redirect(id, &mut tx, elsewhere);
            }
            let input = tx.machine.transport_error();
            self.table.put_back(id, tx);
            if elsewhere.is_none() {
                self.feed(id, input, Load::Nothing);
            }
        }
    }

    /// The network says that nobody is at the address of a datagram of ours: requests that nothing came to have failed.
    /// A request that was answered, or an answer of ours, does not care.
    pub fn unreachable(&mut self, now: Instant, to: Destination) {
        self.lift(now);
        for id in self.table.on_way(to) {
            let unheard = self.table.get(id).filter(|tx| tx.is_unheard());
            if let Some(input) = unheard.map(|tx| tx.machine.transport_error()) {
                self.feed(id, input, Load::Nothing);
            }
        }
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next thing to know.
    pub fn poll_event(&mut self) -> Option<TransactionEvent> {
        self.events.pop_front()
    }

    /// When [`Transactions::handle_timeout`] is wanted.
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.table.next_deadline()
    }

    /// How many transactions live.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether none lives.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was counted.
    pub const fn counters(&self) -> &TransactionCounters {
        &self.counters
    }
}

impl Transactions {
    fn lift(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    fn next_id(&mut self) -> TransactionId {
        self.last_id += 1;
        TransactionId(self.last_id)
    }
}
