//! Where SIP bytes come from and go to (RFC 3261 18), without sockets: names of listeners and connections, and the
//! rule for where a response goes. Invariant: a response never goes to an address that the request did not come from,
//! unless a stream it came on is gone.
use std::net::SocketAddr;

use crate::sip::value::Via;

/// The port of SIP over UDP and TCP where none is written.
pub const DEFAULT_PORT: u16 = 5060;
/// The port of SIP over TLS where none is written.
pub(crate) const DEFAULT_TLS_PORT: u16 = 5061;

/// One of our listening addresses with its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u8);

/// One connection of a stream transport; never used twice within a process. It tells its listener even when it is over,
/// so that what went by TLS never goes on in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

impl ConnId {
    const NUMBER_BITS: u32 = 56;

    /// The connection with this number, which belongs to `listener`.
    pub const fn of(listener: ListenerId, number: u64) -> Self {
        Self((listener.0 as u64) << Self::NUMBER_BITS | number & ((1 << Self::NUMBER_BITS) - 1))
    }
    /// Whose it is.
    pub const fn listener(self) -> ListenerId {
        ListenerId((self.0 >> Self::NUMBER_BITS) as u8)
    }
}

/// Where a message came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The listener that read it.
    pub listener: ListenerId,
    /// Who sent it, as the network says.
    pub remote: SocketAddr,
    /// The address it was sent to, as our socket says.
    pub local: SocketAddr,
    /// The connection, on a stream transport; none is a datagram.
    pub conn: Option<ConnId>,
}

/// Where a message is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// One datagram from the listener's socket.
    Datagram {
        /// From which socket.
        listener: ListenerId,
        /// To whom.
        to: SocketAddr,
    },
    /// On a connection that is open.
    Stream {
        /// Which.
        conn: ConnId,
    },
    /// On a connection to `to`, opened now or open already.
    Connect {
        /// The listener whose address the connection is bound to.
        listener: ListenerId,
        /// To whom.
        to: SocketAddr,
    },
}

impl Destination {
    /// The listener in whose name it goes.
    pub const fn listener(&self) -> ListenerId {
        match self {
            Self::Datagram { listener, .. } | Self::Connect { listener, .. } => *listener,
            Self::Stream { conn } => conn.listener(),
        }
    }
    /// Whether the transport itself repairs losses (RFC 3261 17): then the retransmission timers are off.
    pub const fn is_reliable(&self) -> bool {
        match self {
            Self::Datagram { .. } => false,
            Self::Stream { .. } | Self::Connect { .. } => true,
        }
    }
}

impl Source {
    /// Where the response to a request with this top `via` goes first (RFC 3261 18.2.2, RFC 3581 4): back on its
    /// connection, or to the address it came from, at the port it came from when `rport` asks so and the port of
    /// `sent-by` otherwise. `maddr` is not obeyed: it would let a stranger choose whom we write to.
    pub fn response_to(&self, via: Option<&Via>) -> Destination {
        match self.conn {
            Some(conn) => Destination::Stream { conn },
            None => Destination::Datagram { listener: self.listener, to: self.response_address(via) },
        }
    }

    /// Where it goes once the connection of the request is gone: a new one to `sent-by`'s port at the same address.
    pub fn response_after_loss(&self, via: Option<&Via>) -> Destination {
        match self.conn {
            Some(_) => {
                let is_tls = via.is_some_and(|v| v.transport.eq_ignore_ascii_case("TLS"));
                let default = if is_tls { DEFAULT_TLS_PORT } else { DEFAULT_PORT };
                let port = via.and_then(|v| v.port).unwrap_or(default);
                Destination::Connect { listener: self.listener, to: SocketAddr::new(self.remote.ip(), port) }
            }
            None => self.response_to(via),
        }
    }

    fn response_address(&self, via: Option<&Via>) -> SocketAddr {
        match via {
            Some(via) if !via.params.contains("rport") => {
                SocketAddr::new(self.remote.ip(), via.port.unwrap_or(DEFAULT_PORT))
            }
            Some(_) | None => self.remote,
        }
    }
}

/// Bytes to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: Destination,
    /// One whole message.
    pub bytes: Vec<u8>,
    /// It says that a call is over (the answer to a BYE): whoever sends it may first make sure that this is on disk.
    pub ends_call: bool,
}

impl Transmit {
    /// To be sent at once.
    pub const fn new(to: Destination, bytes: Vec<u8>) -> Self {
        Self { to, bytes, ends_call: false }
    }
}
