//! What a [`UserAgent`](crate::sip::UserAgent) reports and what it is asked for: the words between `sip` and `node`.
//!
//! Invariant: every [`InviteId`] gets [`SipEvent::Ended`] exactly once, and it is the last event that names it.
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::auth::Credentials;
use super::locate::{Located, LookupId};
use super::message::Status;
use super::refer::{ReferTarget, Referral, Replaces};
use super::transport::{ConnId, Destination, Source};
use super::value::NameAddr;
use crate::base::{Instant, Key};

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u64);
        impl $name {
            /// The number, for logs and tests.
            pub const fn as_u64(self) -> u64 {
                self.0
            }
        }
    )*};
}

number! {
    /// An INVITE, incoming or outgoing, and the dialog it made. Never used twice.
    InviteId;
    /// An OPTIONS of ours.
    RequestId;
    /// A registration of ours with somebody else's registrar.
    RegistrationId;
    /// A phone behind a fork, among those of one INVITE of ours.
    ForkId;
}

/// Who is at the other end by his own word: text from outside, never trusted; without control characters, at most
/// 128 characters each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// User part, unescaped; or the number of a `tel:` URI.
    pub user: String,
    /// Host part, with the port if one is named.
    pub host: String,
    /// Display name, or empty.
    pub display: String,
}

/// Longest piece of text from outside that is handed on, in characters.
const TEXT_MAX: usize = 128;

/// Text from outside without control characters and without those that turn the direction of writing, cut.
pub(crate) fn outside_text(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !c.is_control() && !turns(*c)).take(TEXT_MAX).collect()
}

pub(crate) fn identity_of(from: Option<&NameAddr>) -> Identity {
    let Some(from) = from else { return Identity::default() };
    let host = from.uri.host().unwrap_or_default();
    let host = from.uri.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    Identity {
        user: outside_text(&from.uri.user().unwrap_or_default()),
        host: outside_text(&host),
        display: outside_text(from.display.as_deref().unwrap_or_default()),
    }
}

/// What only a trusted peer may tell of a caller: read from every INVITE, believed by whoever trusts its sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vouched {
    /// P-Asserted-Identity (RFC 3325): at most one `sip:` and one `tel:`.
    pub asserted: Vec<Identity>,
    /// `Privacy: id` (RFC 3325 section 9.3), or any other that hides who calls.
    pub private: bool,
    /// User-to-User (RFC 7433): at most one value, as written, printable and at most 320 characters; else empty.
    pub user_to_user: String,
}

/// A new incoming INVITE outside a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its number.
    pub invite: InviteId,
    /// User part of the request URI, unescaped; or the number of a `tel:` URI.
    pub request_user: String,
    /// Who says he calls.
    pub from: Identity,
    /// Where it came from.
    pub source: Source,
    /// The account that was proved by digest, if any.
    pub authenticated: Option<String>,
    /// The From user is one of our accounts, proved or not.
    pub claims_account: bool,
    /// The SDP offer; `None`: the peer wants ours in the answer, and its answer comes in `Acknowledged`.
    pub offer: Option<Vec<u8>>,
    /// The peer requires reliable provisional responses (RFC 3262). Without an offer of its own it then sees no ringing
    /// but by `progress` with ours, whose answer comes in `EarlyAnswer`.
    pub wants_reliable: bool,
    /// The Call-ID header's text.
    pub sip_call_id: String,
    /// The dialog whose place it wants to take (RFC 3891).
    pub replaces: Option<Replaces>,
    /// What its sender vouches for.
    pub vouched: Vouched,
}

/// An INVITE that we shall send.
#[derive(Clone, Debug)]
pub struct OutgoingInvite {
    /// Whom: a `sip:` or `tel:` URI.
    pub request_uri: String,
    /// Where the request is sent, whatever the URI says.
    pub to: Destination,
    /// Route headers, e.g. `<sip:proxy.example;lr>`; may be empty.
    pub route: Vec<String>,
    /// Who we say calls. An empty host is replaced by the address of the listener.
    pub from: Identity,
    /// More header fields, name and value, e.g. `("Subject", "...")`. Line breaks in them are removed.
    pub extra_headers: Vec<(String, String)>,
    /// The SDP offer; `None`: the peer's offer comes in `Answered`, and `ack_with` must follow.
    pub offer: Option<Vec<u8>>,
    /// What a 401 or 407 is answered with, once for each nonce.
    pub credentials: Option<Credentials>,
}

/// A registration that we shall keep up with somebody else's registrar.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The registrar's URI, e.g. `sip:hotline.example`.
    pub registrar_uri: String,
    /// Where the request is sent.
    pub to: Destination,
    /// Whom calls are for; an empty host is replaced by that of the registrar.
    pub identity: Identity,
    /// The user part of our Contact, if it is not the identity's: a registrar's calls come for it.
    pub contact_user: Option<String>,
    /// What a 401 or 407 is answered with.
    pub credentials: Option<Credentials>,
    /// How long each registration should hold; refreshed well before.
    pub expires: Duration,
}

/// Why an INVITE and its dialog are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndReason {
    /// The peer said BYE.
    ByeReceived,
    /// The peer gave up before our answer (CANCEL).
    Cancelled,
    /// We refused it: `reject`, or a BYE of ours to an unanswered one.
    Rejected,
    /// We asked for digest; the retry is a new `Incoming`.
    Challenged,
    /// `end` was called.
    EndedByUs,
    /// The peer refused our INVITE; `Failed` said how.
    Refused,
    /// No ACK came for our 200 within 64*T1; we said BYE.
    AckTimeout,
    /// A request of ours within the dialog had no answer, or 408 or 481; or our INVITE had none.
    RequestTimeout,
    /// The transport failed before the dialog stood.
    TransportLost,
    /// The peer broke the protocol.
    ProtocolError,
    /// No PRACK came for our reliable provisional response within 64*T1; we refused with 504.
    PrackTimeout,
    /// The session was not refreshed in time (RFC 4028); we said BYE.
    SessionExpired,
}

impl EndReason {
    /// The name used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ByeReceived => "bye_received",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Challenged => "challenged",
            Self::EndedByUs => "ended_by_us",
            Self::Refused => "refused",
            Self::AckTimeout => "ack_timeout",
            Self::RequestTimeout => "request_timeout",
            Self::TransportLost => "transport_lost",
            Self::ProtocolError => "protocol_error",
            Self::PrackTimeout => "prack_timeout",
            Self::SessionExpired => "session_expired",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SipEvent {
    /// Somebody rings us. Ends in `Ended`; wants `ring`, `progress`, `answer`, `reject`, `challenge` or `end`.
    Incoming(Box<Incoming>),
    /// The peer acknowledged our 200, first or to a re-INVITE. `sdp` is its answer when the offer was ours.
    Acknowledged {
        /// Whose.
        invite: InviteId,
        /// The answer to the offer in our 200.
        sdp: Option<Vec<u8>>,
    },
    /// The peer answered the offer that was in our `progress`: the 200 says nothing more about it.
    EarlyAnswer {
        /// Whose.
        invite: InviteId,
        /// Its answer.
        sdp: Vec<u8>,
    },
    /// Our INVITE had no offer, and a phone rings with its own: answer with `answer_early`. A `Progress` follows.
    EarlyOffer {
        /// Which.
        invite: InviteId,
        /// Which of the phones behind a fork.
        fork: ForkId,
        /// Its offer.
        offer: Vec<u8>,
    },
    /// Our INVITE is being worked on: 180, 181, 182, 183. With forks, each fork's comes here.
    Progress {
        /// Which.
        invite: InviteId,
        /// 101-199.
        status: Status,
        /// Early media.
        sdp: Option<Vec<u8>>,
    },
    /// Our INVITE was answered. The ACK is sent already, unless our INVITE had no offer: then `ack_with` must follow.
    Answered {
        /// Which.
        invite: InviteId,
        /// The peer's answer, from a reliable provisional if not from the 2xx; its offer when our INVITE had none.
        /// `None`: what was agreed before the answer holds.
        sdp: Option<Vec<u8>>,
    },
    /// Our INVITE was refused (300-699), timed out (408) or could not be sent (503). `Ended` follows.
    Failed {
        /// Which.
        invite: InviteId,
        /// The final status, or what RFC 3261 section 8.1.3.1 puts in its place.
        status: Status,
        /// Where the peer sends us (3xx): its Contacts, the best first (RFC 3261 section 8.1.3.4).
        contacts: Vec<ReferTarget>,
        /// How long the peer wants no other request (Retry-After, RFC 3261 section 20.33), as it said it.
        retry_after: Option<Duration>,
    },
    /// The peer asks that its place be taken by somebody else (REFER): answer at once with `accept_referral`, and tell
    /// of it with `tell_referral`; or refuse with `refuse_referral`.
    Referred {
        /// Whose far end.
        invite: InviteId,
        /// By whom.
        referral: Box<Referral>,
    },
    /// The peer offers anew, by re-INVITE, UPDATE (before the answer too) or in a PRACK: answer with `answer_reoffer` or
    /// `refuse_reoffer`.
    Reoffer {
        /// Which.
        invite: InviteId,
        /// Its offer; `None`: it wants ours, and its answer comes in `Acknowledged`.
        offer: Option<Vec<u8>>,
    },
    /// The session must be refreshed by an offer, and only its owner knows one: `reoffer` is awaited.
    OfferWanted {
        /// Which.
        invite: InviteId,
    },
    /// The session was refreshed by a re-INVITE of ours with what we said last; the peer's answer mostly is what it said
    /// last, too.
    Refreshed {
        /// Which.
        invite: InviteId,
        /// The peer's answer.
        sdp: Vec<u8>,
    },
    /// Our re-INVITE or UPDATE was answered; the ACK is sent.
    ReofferAnswered {
        /// Which.
        invite: InviteId,
        /// The peer's answer.
        sdp: Option<Vec<u8>>,
    },
    /// Our re-INVITE or UPDATE was refused; what was agreed before still holds.
    ReofferRefused {
        /// Which.
        invite: InviteId,
        /// The final status.
        status: Status,
    },
    /// A key by INFO (`application/dtmf-relay` or `application/dtmf`).
    Key {
        /// Whose.
        invite: InviteId,
        /// Which.
        key: Key,
        /// How long it was held, in milliseconds, as far as the peer said; 0: it did not.
        duration_ms: u32,
    },
    /// It is over. Exactly once for every invite, and nothing after it names the invite.
    Ended {
        /// Which.
        invite: InviteId,
        /// Why.
        why: EndReason,
    },
    /// An OPTIONS of ours within a dialog was answered, or can have no answer. A peer that says that there is no such
    /// dialog is `Ended`.
    Probed {
        /// Which.
        invite: InviteId,
        /// Whether anything came.
        answered: bool,
    },
    /// An OPTIONS of ours was answered, or not.
    OptionsAnswered {
        /// Which.
        request: RequestId,
        /// The final status; `None`: no answer came.
        status: Option<Status>,
    },
    /// A look-up is over.
    Located {
        /// Which.
        lookup: LookupId,
        /// Where requests for that host go.
        found: Located,
    },
    /// A password was wrong, or somebody tried one that is nobody's.
    DigestRefused {
        /// Where it came from.
        from: SocketAddr,
        /// The connection, on a stream.
        conn: Option<ConnId>,
    },
    /// A user can be reached now, or under another contact than before.
    Registered {
        /// The account's name.
        user: String,
        /// The freshest contact, a URI.
        contact: String,
    },
    /// A user registered again, and is reached as before.
    Renewed {
        /// The account's name.
        user: String,
    },
    /// A connection that a user registered over is gone; his bindings are not.
    FlowLost {
        /// The account's name.
        user: String,
    },
    /// A user's last binding is gone: removed or expired.
    Unregistered {
        /// The account's name.
        user: String,
    },
    /// A registration of ours changed its state, or an attempt failed.
    RegistrationChanged {
        /// Which.
        id: RegistrationId,
        /// Whether the registrar knows us now: also while what it granted last still holds.
        registered: bool,
        /// The final status; `None`: no answer came.
        status: Option<Status>,
    },
}

/// A registered contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The contact URI: the request URI of an INVITE to it.
    pub uri: String,
    /// Where requests for it are sent: the flow it registered over.
    pub to: Destination,
    /// When it ends unless refreshed.
    pub expires: Instant,
}

/// A binding as it survives a restart: the time left instead of a deadline, no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBinding {
    /// The account's name.
    pub user: String,
    /// The contact URI.
    pub uri: String,
    /// Where requests for it are sent: a connection became the address to connect to.
    pub to: Destination,
    /// How long it still holds.
    pub remaining: Duration,
    /// Call-ID of the registration.
    pub sip_call_id: String,
    /// `CSeq` of the registration.
    pub cseq: u32,
}

/// A message that came in or went out. Bodies of INFO and the values of Authorization headers are masked.
#[derive(Clone, PartialEq, Eq)]
pub struct Trace {
    /// When.
    pub at: Instant,
    /// Out, or in.
    pub sent: bool,
    /// The other end.
    pub peer: SocketAddr,
    /// The Call-ID header's text; empty when it had none.
    pub sip_call_id: String,
    /// The message, masked.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("at", &self.at)
            .field("sent", &self.sent)
            .field("peer", &self.peer)
            .field("bytes", &String::from_utf8_lossy(&self.bytes))
            .finish_non_exhaustive()
    }
}

/// What was counted since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct UserAgentCounts {
    /// INVITEs refused because `limits.invites` are held.
    pub invites_refused: u64,
    /// Registrations refused because `limits.bound_users` have bindings.
    pub users_refused: u64,
    /// Bindings that made room for a newer one of the same user.
    pub bindings_displaced: u64,
    /// Callers turned away at the door because the machine was behind (503).
    pub turned_away: u64,
    /// Nonces forgotten before their time.
    pub nonces_displaced: u64,
    /// Digest answers that were wrong.
    pub digests_refused: u64,
    /// Connections closed because `limits.connections` are open.
    pub connections_refused: u64,
    /// Connections closed because no whole message came in time.
    pub connections_slow: u64,
    /// Connections closed because what came was no SIP, or more than is read.
    pub connections_garbled: u64,
    /// Messages not traced because `poll_trace` was not drained.
    pub traces_dropped: u64,
    /// Requests within a dialog that we do not hold (481).
    pub dialogs_missed: u64,
    /// Requests with the tags of a dialog from an address that is not its peer's, unproved (401; an ACK is dropped).
    pub dialogs_foreign: u64,
    /// REFERs whose NOTIFYs were not taken: the subscription ended, the call did not.
    pub referral_news_lost: u64,
    /// Forks of our INVITE beyond the first answer, ended by BYE.
    pub forks_ended: u64,
    /// Reliable provisional responses of ours that nobody acknowledged.
    pub pracks_missing: u64,
    /// Sessions that were ours to refresh, each time.
    pub sessions_refreshed: u64,
    /// Calls ended because their session was not refreshed.
    pub sessions_expired: u64,
    /// Requests too large for a datagram, sent over a connection.
    pub large_requests: u64,
    /// Those that went as datagrams after all, for there was no connection.
    pub large_as_datagrams: u64,
    /// Responses and ACKs that fit nothing.
    pub strays: u64,
    /// Invites, registrations and requests looked at: the work done, for tests.
    pub touched: u64,
}
