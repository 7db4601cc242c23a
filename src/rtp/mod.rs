//! RTP and RTCP (RFC 3550), telephone-event (RFC 4733), without sockets.
//!
//! The door is [`RtpSession`]: one party's packets in both directions.
//!
//! ```text
//! datagram -> packet -> source (is it his?) -> inbound: sequence, stats, telephone_event -> Incoming
//! frame, relayed packet, key -> out_stream -> packet -> datagram
//! rtcp, reporting: what both sides say of it
//! ```
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
#![expect(clippy::cast_possible_truncation, reason = "RTP counts modulo 2^16 and 2^32")]
mod formats;
mod inbound;
mod out_stream;
mod packet;
mod reporting;
mod rtcp;
mod sequence;
mod session;
mod source;
mod srtp;
mod stats;
mod telephone_event;

pub use formats::{EventType, PayloadTypes, SrtpKey, SrtpKeys, SrtpSuite};
pub use inbound::{DropCause, Drops, Incoming};
pub use out_stream::OutStream;
pub use packet::{Header, Malformed, PACKET_BYTES, Packet, is_rtcp};
pub use rtcp::{Heard, NtpClock, RTCP_BYTES, Report, ReportBlock, ReportTimer, SenderFigures};
pub use sequence::{Sequence, Verdict};
pub use session::{Outgoing, Relayed, Remote, RtpFigures, RtpSession};
pub use source::{SourceLock, SourceRules};
pub use srtp::SRTP_OVERHEAD;
pub use stats::{Jitter, LossMeter};
pub use telephone_event::{EventPacket, EventPayload, EventReceiver, EventSender};
