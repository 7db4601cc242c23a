//! What the node hands over, one thing at a time, in the order in which it must be done.
use std::net::SocketAddr;

use super::guard::Ban;
use crate::base::{CallId, Key, LegId, SecretToken, Seq, TicketId};
use crate::exchange::acd::Futures;
use crate::exchange::{Command, Entry};
use crate::media::{LegFigures, MediaCommand};
use crate::sip::{DnsQuestion, StoredBinding, Transmit};

/// One thing to do for the world.
#[derive(Debug)]
pub enum NodeOutput {
    /// Send these bytes.
    Transmit(Transmit),
    /// Ask a name server; `Node::handle_dns` wants the reply.
    Ask(DnsQuestion),
    /// A TLS connection to this address is to somebody with a certificate for this name.
    TlsName {
        /// The address.
        to: SocketAddr,
        /// The name.
        name: String,
    },
    /// Tell the media plane.
    Media(MediaCommand),
    /// An input was numbered: append it to the journal, and what became true by it to the record.
    Entry(Entry),
    /// The exchange asked for this: for the tape, if one is recorded; it is being done.
    Issued(Box<Command>),
    /// Send these bytes once the journal is on disk up to this number. They must not wait for ever: the far end
    /// repeats its request, and takes any answer.
    TransmitAfter {
        /// The last input that they depend on.
        seq: Seq,
        /// What to send.
        transmit: Transmit,
    },
    /// Call [`crate::node::Node::handle_recorded`] once the journal is on disk up to this number; never, if that fails.
    AwaitRecord {
        /// The number.
        seq: Seq,
        /// The call.
        call: CallId,
        /// The place in line.
        ticket: TicketId,
    },
    /// Run these futures on a thread that nobody waits for; [`crate::node::Node::handle_ran_ahead`] wants what comes of it.
    RunAhead(Box<Futures>),
    /// A secret digit: to the vault, and nowhere else.
    SecretDigit {
        /// The entry it belongs to.
        token: SecretToken,
        /// The digit.
        key: Key,
    },
    /// An entry's digits are no longer wanted: its leg is gone.
    SecretOver {
        /// The entry.
        token: SecretToken,
    },
    /// Where an agent's phone is registered now, for after a restart.
    Phones {
        /// The agent's name.
        agent: String,
        /// Every contact he has; none: he is registered nowhere.
        bindings: Vec<StoredBinding>,
    },
    /// Who is shut out from now on, all of them: for after a restart.
    Bans(Vec<Ban>),
    /// A leg's sound is over; its figures for the log.
    LegSound {
        /// The leg.
        leg: LegId,
        /// Its call, if it had one.
        call: Option<CallId>,
        /// What was counted.
        figures: LegFigures,
    },
}
