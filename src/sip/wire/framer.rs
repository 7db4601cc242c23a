//! Messages out of a stream (RFC 3261 18.3, RFC 5626 4.4.1): the bytes of each, however the network cut them, and the
//! CRLF keep-alives between them. Invariants: every cut of the same bytes gives the same frames; no byte is searched
//! twice; memory is bounded by the limits and what was pushed since the last poll.
use crate::base::limits::{SIP_BODY_BYTES, SIP_HEADER_BYTES};
use crate::sip::lex::is_token;
use crate::sip::wire::read::declared_length;
use crate::sip::wire::scan::Spans;
use crate::sip::wire::start::Start;

/// What a stream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one message, for [`crate::sip::Wire::read`]; without its body where [`Frame::Close`] follows.
    Message(Vec<u8>),
    /// The far end asked whether we live: send [`PONG`].
    Ping,
    /// Where the next message begins cannot be known: send what is to be sent, then close. Nothing follows.
    Close(CloseCause),
}

/// The answer to [`Frame::Ping`].
pub const PONG: &[u8] = b"\r\n";

/// Why a stream cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseCause {
    /// A line that begins no SIP message stood where one had to begin.
    NotSip,
    /// A header part without end.
    HeaderTooLong,
    /// A body larger than is read.
    BodyTooLong,
    /// A length that is none.
    BadLength,
}

/// One stream's bytes on their way to messages.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Where the message that is being read begins.
    at: usize,
    /// How far behind `at` no end of the header part was found.
    searched: usize,
    /// Whether the start line has been seen to be one.
    is_started: bool,
    /// Header part and body together, once known.
    whole: Option<usize>,
    /// Whether one CRLF of a keep-alive has come.
    half_ping: bool,
    /// Comes after the message that was handed out last.
    end: Option<CloseCause>,
    is_closed: bool,
}

impl Framer {
    /// A stream that has said nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes that came in; poll until nothing comes before pushing more. After a close they are dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.is_closed {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Whether part of a message waits for the rest: a stream that stays so for long is worth closing.
    pub fn is_amid_message(&self) -> bool {
        !self.is_closed && self.at < self.buffer.len()
    }

    /// The next frame.
    pub fn poll(&mut self) -> Option<Frame> {
        if self.is_closed {
            return None;
        }
        if let Some(cause) = self.end.take() {
            return Some(self.close(cause));
        }
        if let Some(ping) = self.skip_empty_lines() {
            return Some(ping);
        }
        if self.whole.is_none() {
            match self.read_head() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(cause) => return Some(self.close(cause)),
            }
        }
        self.take_whole()
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or(&[])
    }

    fn close(&mut self, cause: CloseCause) -> Frame {
        *self = Self { is_closed: true, ..Self::default() };
        Frame::Close(cause)
    }

    /// Empty lines between messages: two CRLFs are a ping, one is nothing.
    fn skip_empty_lines(&mut self) -> Option<Frame> {
        if self.is_started || self.whole.is_some() {
            return None;
        }
        loop {
            match self.rest() {
                [b'\r', b'\n', ..] => {
                    self.at += 2;
                    self.half_ping = !self.half_ping;
                    if !self.half_ping {
                        return Some(Frame::Ping);
                    }
                }
                [b'\n', ..] => self.at += 1,
                [] => {
                    self.buffer.clear();
                    self.at = 0;
                    return None;
                }
                _ => return None,
            }
        }
    }

    /// Looks for the end of the header part and learns the length of the whole. `false`: more bytes are needed.
    fn read_head(&mut self) -> Result<bool, CloseCause> {
        if !self.is_started {
            if self.rest() == b"\r" {
                return Ok(false);
            }
            // TLS and the like on a plain port: no token begins so.
            if self.rest().first().is_some_and(|first| !is_token(&[*first])) {
                return Err(CloseCause::NotSip);
            }
            let rest = self.rest().get(self.searched..).unwrap_or(&[]);
            let Some(end) = memchr::memchr(b'\n', rest).map(|end| self.searched + end) else {
                self.searched = self.rest().len();
                let is_too_long = self.searched > SIP_HEADER_BYTES;
                return if is_too_long { Err(CloseCause::HeaderTooLong) } else { Ok(false) };
            };
            let line = self.rest().get(..end).unwrap_or(&[]);
            if Start::read(line.strip_suffix(b"\r").unwrap_or(line)) == Start::Broken {
                return Err(CloseCause::NotSip);
            }
            (self.is_started, self.half_ping, self.searched) = (true, false, end);
        }
        let head = match head_end(self.rest(), self.searched) {
            Ok(head) if head <= SIP_HEADER_BYTES => head,
            Err(searched) if self.rest().len() <= SIP_HEADER_BYTES => {
                self.searched = searched;
                return Ok(false);
            }
            Ok(_) | Err(_) => return Err(CloseCause::HeaderTooLong),
        };
        let length = declared_length(&Spans::new().scan(self.rest().get(..head).unwrap_or(&[])));
        let body = match length {
            Ok(Some(length)) if length > SIP_BODY_BYTES => Err(CloseCause::BodyTooLong),
            Ok(length) => Ok(length.unwrap_or(0)),
            Err(_) => Err(CloseCause::BadLength),
        };
        self.end = body.err();
        self.whole = Some(head + body.unwrap_or(0));
        Ok(true)
    }

    fn take_whole(&mut self) -> Option<Frame> {
        let message = self.rest().get(..self.whole?)?.to_vec();
        self.at += message.len();
        (self.whole, self.is_started, self.searched) = (None, false, 0);
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        } else if self.at > SIP_HEADER_BYTES {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        Some(Frame::Message(message))
    }
}

/// How many bytes there are up to the end of the first empty line, looking from the line end at or behind `from`; or
/// from where to look when more has come.
fn head_end(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let mut at = from;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr(b'\n', rest)) {
        let line_end = at + found;
        match bytes.get(line_end + 1..).unwrap_or(&[]) {
            [b'\n', ..] => return Ok(line_end + 2),
            [b'\r', b'\n', ..] => return Ok(line_end + 3),
            [] | [b'\r'] => return Err(line_end),
            _ => at = line_end + 1,
        }
    }
    Err(bytes.len())
}
