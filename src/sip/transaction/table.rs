//! The transactions that live, and the one ordered index of their timers. No rule of SIP here.
//! Invariant: a timer is in the index exactly while its transaction lists it as armed.
use std::collections::BTreeSet;
use std::time::Duration;

use crate::base::{ById, Deadline, Instant, Lookup};
use crate::sip::message::Request;
use crate::sip::timers::Timer;
use crate::sip::transaction::TransactionId;
use crate::sip::transaction::key::{ClientKey, ServerKey};
use crate::sip::transaction::step::{Action, ClientInput, ServerInput};
use crate::sip::transaction::{client, client_invite, server, server_invite};
use crate::sip::transport::Destination;

/// Which of the four machines, and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    InviteClient(client_invite::State),
    Client(client::State),
    InviteServer(server_invite::State),
    Server(server::State),
}

/// What happens to either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Client(ClientInput),
    Server(ServerInput),
}

impl Machine {
    /// Takes one row of the table; says what is to be done.
    pub(crate) fn step(&mut self, input: Input) -> &'static [Action] {
        match (self, input) {
            (Self::InviteClient(state), Input::Client(input)) => {
                let step = client_invite::next(*state, input);
                *state = step.next;
                step.actions
            }
            (Self::Client(state), Input::Client(input)) => {
                let step = client::next(*state, input);
                *state = step.next;
                step.actions
            }
            (Self::InviteServer(state), Input::Server(input)) => {
                let step = server_invite::next(*state, input);
                *state = step.next;
                step.actions
            }
            (Self::Server(state), Input::Server(input)) => {
                let step = server::next(*state, input);
                *state = step.next;
                step.actions
            }
            (Self::InviteClient(_) | Self::Client(_), Input::Server(_))
            | (Self::InviteServer(_) | Self::Server(_), Input::Client(_)) => &[],
        }
    }

    pub(crate) fn is_terminated(self) -> bool {
        self == Self::InviteClient(client_invite::State::Terminated)
            || self == Self::Client(client::State::Terminated)
            || self == Self::InviteServer(server_invite::State::Terminated)
            || self == Self::Server(server::State::Terminated)
    }

    pub(crate) const fn expired(self, timer: Timer) -> Input {
        match self {
            Self::InviteClient(_) | Self::Client(_) => Input::Client(ClientInput::Expired(timer)),
            Self::InviteServer(_) | Self::Server(_) => Input::Server(ServerInput::Expired(timer)),
        }
    }

    pub(crate) const fn transport_error(self) -> Input {
        match self {
            Self::InviteClient(_) | Self::Client(_) => Input::Client(ClientInput::TransportError),
            Self::InviteServer(_) | Self::Server(_) => Input::Server(ServerInput::TransportError),
        }
    }
}

/// Under which name the transaction is found.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    Client(ClientKey),
    Server(ServerKey),
}

/// A timer that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Armed {
    pub(crate) timer: Timer,
    pub(crate) at: Instant,
    /// How long it was set for.
    pub(crate) ran: Duration,
}

/// A request as it goes where its stream cannot be had.
#[derive(Debug)]
pub(crate) struct Fallback {
    /// With a Via of that transport.
    pub(crate) request: Request,
    pub(crate) to: Destination,
}

/// One transaction.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) key: Key,
    pub(crate) machine: Machine,
    pub(crate) to: Destination,
    /// Where responses go when the connection they belong on is gone (18.2.2).
    pub(crate) after_loss: Option<Destination>,
    /// The message that was sent last, for retransmissions.
    pub(crate) bytes: Vec<u8>,
    /// The INVITE of a client transaction: its ACK is made from it.
    pub(crate) invite: Option<Box<Request>>,
    /// For a large request of ours over a stream.
    pub(crate) fallback: Option<Box<Fallback>>,
    /// The To tag of our latest response.
    pub(crate) to_tag: Option<String>,
    pub(crate) merge_key: Option<String>,
    /// Octets that may still be said, unasked, to whoever sent an INVITE over UDP: forged ones are no amplifier. `None`:
    /// no such bound.
    pub(crate) allowance: Option<usize>,
    /// Nobody outside knows of it: a CANCEL, or a request that was refused here.
    pub(crate) is_internal: bool,
    /// A BYE's, at the side that answers it.
    pub(crate) ends_call: bool,
    pub(crate) armed: Vec<Armed>,
}

impl Transaction {
    /// A request of ours without any response yet.
    pub(crate) fn is_unheard(&self) -> bool {
        self.machine == Machine::InviteClient(client_invite::State::Calling)
            || self.machine == Machine::Client(client::State::Trying)
    }
}

/// All transactions.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Each in a place of its own: with a hundred thousand of them, moving them to a larger table would hold up control.
    transactions: ById<TransactionId, Box<Transaction>>,
    clients: Lookup<ClientKey, TransactionId>,
    servers: Lookup<ServerKey, TransactionId>,
    merging: Lookup<String, TransactionId>,
    timers: BTreeSet<(Instant, TransactionId, Timer)>,
    /// By the way they depend on: a connection, or the address of a request of ours. Answers by datagram depend on none.
    by_way: BTreeSet<(Destination, TransactionId)>,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.transactions.len()
    }

    pub(crate) fn client(&self, key: &ClientKey) -> Option<TransactionId> {
        self.clients.get(key).copied()
    }

    pub(crate) fn server(&self, key: &ServerKey) -> Option<TransactionId> {
        self.servers.get(key).copied()
    }

    pub(crate) fn merging(&self, key: &str) -> Option<TransactionId> {
        self.merging.get(key).copied()
    }

    pub(crate) fn get(&self, id: TransactionId) -> Option<&Transaction> {
        self.transactions.get(&id).map(Box::as_ref)
    }

    /// Adds a new transaction under all its names.
    pub(crate) fn add(&mut self, id: TransactionId, transaction: Box<Transaction>) {
        match &transaction.key {
            Key::Client(key) => drop(self.clients.insert(key.clone(), id)),
            Key::Server(key) => drop(self.servers.insert(key.clone(), id)),
        }
        if let Some(key) = &transaction.merge_key {
            self.merging.insert(key.clone(), id);
        }
        self.put_back(id, transaction);
    }

    /// Takes a transaction out to work on it; all names and timers stay.
    pub(crate) fn take(&mut self, id: TransactionId) -> Option<Box<Transaction>> {
        self.transactions.remove(&id)
    }

    /// The end of what [`Table::take`] began.
    pub(crate) fn put_back(&mut self, id: TransactionId, transaction: Box<Transaction>) {
        if transaction.to.is_reliable() || matches!(transaction.key, Key::Client(_)) {
            self.by_way.insert((transaction.to, id));
        }
        self.transactions.insert(id, transaction);
    }

    /// Forgets every name and timer of a transaction that was taken out.
    pub(crate) fn forget(&mut self, id: TransactionId, transaction: &Transaction) {
        match &transaction.key {
            Key::Client(key) => drop(self.clients.remove(key)),
            Key::Server(key) => drop(self.servers.remove(key)),
        }
        self.stop_merging(transaction);
        self.by_way.remove(&(transaction.to, id));
        for armed in &transaction.armed {
            self.timers.remove(&(armed.at, id, armed.timer));
        }
    }

    /// From now on, the same request over another path is not a merged one.
    pub(crate) fn stop_merging(&mut self, transaction: &Transaction) {
        if let Some(key) = &transaction.merge_key {
            self.merging.remove(key);
        }
    }

    /// Sends what follows to `to`.
    pub(crate) fn redirect(&mut self, id: TransactionId, transaction: &mut Transaction, to: Destination) {
        self.by_way.remove(&(transaction.to, id));
        transaction.to = to;
    }

    pub(crate) fn arm(&mut self, id: TransactionId, transaction: &mut Transaction, armed: Armed) {
        self.disarm(id, transaction, armed.timer);
        self.timers.insert((armed.at, id, armed.timer));
        transaction.armed.push(armed);
    }

    /// Stops a timer; says how it was set.
    pub(crate) fn disarm(
        &mut self,
        id: TransactionId,
        transaction: &mut Transaction,
        timer: Timer,
    ) -> Option<Armed> {
        let at = transaction.armed.iter().position(|armed| armed.timer == timer)?;
        let armed = transaction.armed.swap_remove(at);
        self.timers.remove(&(armed.at, id, timer));
        Some(armed)
    }

    /// The next timer that is due at `now`. It stays in the index until it is disarmed.
    pub(crate) fn due(&self, now: Instant) -> Option<(TransactionId, Timer)> {
        self.timers.first().filter(|(at, _, _)| *at <= now).map(|(_, id, timer)| (*id, *timer))
    }

    pub(crate) fn next_deadline(&self) -> Option<Deadline> {
        self.timers.first().map(|(at, _, timer)| Deadline::new(*at, timer.why()))
    }

    /// The transactions that depend on the connection or address `to`.
    pub(crate) fn on_way(&self, to: Destination) -> Vec<TransactionId> {
        let all = (to, TransactionId::FIRST)..=(to, TransactionId::LAST);
        self.by_way.range(all).map(|(_, id)| *id).collect()
    }
}
