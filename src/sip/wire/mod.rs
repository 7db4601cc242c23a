//! Bytes to messages and back (RFC 3261 7, 18). What is not worth a transaction is answered here, without memory: wrong
//! versions 505, unknown methods 501, known ones that are not supported 405, bad framing and missing fields 400, too
//! large 513. A response and an ACK are never answered, and a first line that is not SIP is dropped.
mod framer;
mod read;
mod refusal;
mod scan;
mod start;
mod write;

use std::collections::BTreeMap;

use crate::sip::message::{Message, Method, Request, Response};
use crate::sip::name::HeaderName;
use crate::sip::transport::{Source, Transmit};
use crate::sip::value::tag_of;
use read::Fault;
use start::Start;

pub use framer::{CloseCause, Frame, Framer, PONG};
pub use read::DropCause;
pub(crate) use scan::empty_lines;
pub use scan::{RawField, ScanFault, Scanned, Spans};
pub(crate) use write::put_field;
pub use write::{write_message, write_request, write_response};

/// What became of the bytes of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A request of a supported method. `received` and `rport` are in its top Via.
    Request(Request),
    /// A response.
    Response(Response),
    /// A request that went no further; this is its answer.
    Answer(Transmit),
    /// Nothing to be done.
    Dropped(DropCause),
}

/// How many messages had which verdict since the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireCounters {
    /// Requests let through.
    pub requests: u64,
    /// Responses let through.
    pub responses: u64,
    /// Requests answered here, by status code.
    pub answered: BTreeMap<u16, u64>,
    /// Messages dropped, by cause.
    pub dropped: BTreeMap<DropCause, u64>,
    /// The work: lines looked at.
    pub lines: u64,
    /// The work: members of lists of addresses looked at, in long header parts.
    pub members: u64,
}

/// The reader of messages: the supported methods, and the counters.
#[derive(Clone, Debug)]
pub struct Wire {
    supported: Vec<Method>,
    spans: Box<Spans>,
    counters: WireCounters,
}

impl Wire {
    /// A reader that lets requests of these methods through, and ACK.
    pub fn new(supported: Vec<Method>) -> Self {
        Self { supported, spans: Box::default(), counters: WireCounters::default() }
    }

    /// The value of Allow: the supported methods.
    pub fn allow(&self) -> String {
        refusal::allow(&self.supported)
    }

    /// Reads one datagram, or one frame of a stream.
    pub fn read(&mut self, source: &Source, bytes: &[u8]) -> Verdict {
        let verdict = self.judge(source, bytes);
        match &verdict {
            Verdict::Request(_) => self.counters.requests += 1,
            Verdict::Response(_) => self.counters.responses += 1,
            Verdict::Dropped(cause) => *self.counters.dropped.entry(*cause).or_default() += 1,
            Verdict::Answer(_) => {}
        }
        verdict
    }

    /// Whether these bytes are an ACK whose To tag begins so: found without reading what else it says.
    pub(crate) fn is_ack_to(&mut self, bytes: &[u8], tag: &str) -> bool {
        if !bytes.starts_with(b"ACK ") || memchr::memmem::find(bytes, tag.as_bytes()).is_none() {
            return false;
        }
        let scanned = self.spans.scan(bytes);
        let mut to = scanned.fields().filter(|field| field.name == HeaderName::To);
        let (Some(value), None) = (to.next().map(|field| field.value), to.next()) else { return false };
        let found = std::str::from_utf8(value).ok().and_then(tag_of).is_some_and(|is| is.starts_with(tag));
        if found {
            self.counters.lines += scanned.lines as u64;
            self.counters.requests += 1;
        }
        found
    }

    /// What was counted.
    pub const fn counters(&self) -> &WireCounters {
        &self.counters
    }

    fn judge(&mut self, source: &Source, bytes: &[u8]) -> Verdict {
        if bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
            return Verdict::Dropped(DropCause::KeepAlive);
        }
        let scanned = self.spans.scan(bytes);
        self.counters.lines += scanned.lines as u64;
        self.counters.members += read::members(&scanned) as u64;
        let (status, reason) = match read::read(&scanned, &self.supported) {
            Ok(Message::Request(request)) => return Verdict::Request(stamped(request, source)),
            Ok(Message::Response(response)) => return Verdict::Response(response),
            Err(Fault::Drop(cause)) => return Verdict::Dropped(cause),
            Err(Fault::Refuse(status, reason)) => (status, reason),
        };
        if matches!(Start::read(scanned.start_line()), Start::Request { method: b"ACK", .. }) {
            return Verdict::Dropped(DropCause::BrokenAck);
        }
        match refusal::answer(&scanned, source, (status, reason), &self.supported) {
            Some(transmit) => {
                *self.counters.answered.entry(status.code()).or_default() += 1;
                Verdict::Answer(transmit)
            }
            None => Verdict::Dropped(DropCause::NoVia),
        }
    }
}

fn stamped(mut request: Request, source: &Source) -> Request {
    if let Some(via) = request.top_via() {
        request.headers.replace_top_via(refusal::stamped(via, source));
    }
    request
}
