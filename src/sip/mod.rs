//! WORKSHOP: SIP (RFC 3261) without sockets. From below: bytes (`wire`), messages (`message`, `header`, `value`, `uri`),
//! transactions (17), dialogs (12), the user agent.
#![warn(clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "a test may panic"))]

mod auth;
mod dialog;
mod event;
mod header;
mod invite;
mod ladder;
mod lex;
mod locate;
mod message;
mod name;
mod plain;
mod refer;
mod registrar;
mod registration;
mod schedule;
mod settings;
mod station;
mod timers;
mod trace;
mod transaction;
mod transport;
mod uri;
mod user_agent;
mod value;
mod wire;

pub use auth::{Account, Credentials, DigestAlgorithm};
pub use event::{
    Binding, EndReason, ForkId, Identity, Incoming, InviteId, OutgoingInvite, Registration, RegistrationId,
    RequestId, SipEvent, StoredBinding, Trace, UserAgentCounts, Vouched,
};
pub use header::Headers;
pub use ladder::Ladder;
pub use locate::{
    DnsQuestion, DnsRecords, DnsReply, HostWanted, LocateCounts, Located, Locator, LookupId, Naptr,
    QUESTION_WITHIN, RecordKind, Srv, Target,
};
pub use message::{Message, Method, Request, Response, Status, Uri, method_named, method_text};
pub use name::HeaderName;
pub use refer::{NamedDialog, ReferTarget, Referral, Replaces};
pub use settings::{Listener, ListenerTransport, SessionSettings, UserAgentLimits, UserAgentSettings};
pub use timers::{Timer, TimerSettings};
pub(crate) use trace::trace_key;
pub use transaction::{
    TransactionCounters, TransactionEvent, TransactionId, TransactionSettings, Transactions,
};
pub use transport::{ConnId, DEFAULT_PORT, Destination, ListenerId, Source, Transmit};
pub use uri::{AddrSpec, SipUri};
pub use user_agent::{Held, UserAgent};
pub use value::{BRANCH_COOKIE, CSeq, Contacts, MediaType, NameAddr, Params, Via};
pub use wire::{
    CloseCause, DropCause, Frame, Framer, PONG, RawField, ScanFault, Scanned, Spans, Verdict, Wire,
    WireCounters, write_message, write_request, write_response,
};
