//! What came in and went out, for `hotline ladder`: bounded, masked.
//!
//! Invariant: bodies of INFO (they are keys, and keys may be secret), the keys of SRTP in session descriptions and the
//! values of Authorization and Proxy-Authorization never leave here; each of their bytes is an `x`. What is a line, and where the header ends, is
//! seen here as the scan of the wire sees it.
use std::collections::VecDeque;
use std::net::SocketAddr;

use super::event::Trace;
use super::name::HeaderName;
use super::wire::empty_lines;
use crate::base::Instant;

/// Of each message so much is kept: more than any that a phone sends has before its body.
const MESSAGE_BYTES: usize = 4 * 1024;
/// And so much of its Call-ID.
const CALL_ID_BYTES: usize = 256;

/// The part of a Call-ID by which traces are kept.
pub(crate) fn trace_key(call_id: &str) -> &str {
    call_id.get(..call_id.floor_char_boundary(CALL_ID_BYTES)).unwrap_or(call_id)
}

/// The messages that wait to be fetched.
#[derive(Debug)]
pub(crate) struct TraceLog {
    waiting: VecDeque<Trace>,
    bound: usize,
    dropped: u64,
}

impl TraceLog {
    /// For at most `bound` messages; 0: none is taken.
    pub(crate) const fn new(bound: usize) -> Self {
        Self { waiting: VecDeque::new(), bound, dropped: 0 }
    }
    /// Messages that found no room.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }
    /// Takes a message.
    pub(crate) fn take(&mut self, at: Instant, sent: bool, peer: Option<SocketAddr>, bytes: &[u8]) {
        let Some(peer) = peer.filter(|_| self.bound > 0) else { return };
        if self.waiting.len() >= self.bound {
            self.dropped += 1;
            return;
        }
        let mut bytes = bytes.to_vec();
        let sip_call_id = trace_key(&mask(&mut bytes)).to_owned();
        bytes.truncate(MESSAGE_BYTES);
        bytes.shrink_to_fit();
        self.waiting.push_back(Trace { at, sent, peer, sip_call_id, bytes });
    }
    /// The oldest.
    pub(crate) fn poll(&mut self) -> Option<Trace> {
        self.waiting.pop_front()
    }
}

/// Masks what is secret in a message; hands back its Call-ID.
fn mask(message: &mut [u8]) -> String {
    let begin = empty_lines(message);
    let message = message.get_mut(begin..).unwrap_or_default();
    let is_info = message.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"INFO "));
    let (mut call_id, mut secret, mut first) = (String::new(), false, true);
    let mut rest = message;
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at_mut(end);
        rest = after;
        // White space alone does not end the header: it goes on with the line before.
        if matches!(&*line, b"\r\n" | b"\n") && !first {
            break;
        }
        // A line that begins with white space goes on with the one before.
        if !line.first().is_some_and(|b| matches!(b, b' ' | b'\t')) && !first {
            let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
            let name = HeaderName::lookup(line.get(..colon).unwrap_or_default().trim_ascii());
            secret = matches!(name, HeaderName::Authorization | HeaderName::ProxyAuthorization);
            if name == HeaderName::CallId {
                let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
                call_id = String::from_utf8_lossy(value).into_owned();
            }
            if secret {
                cover(line.get_mut(colon + 1..).unwrap_or_default());
            }
        } else if secret {
            cover(line);
        }
        first = false;
    }
    // What follows the header is the body. Anything after a request that only looks like INFO is covered too.
    if is_info {
        cover(rest);
    }
    cover_keys(rest);
    call_id
}

/// Covers the keys of SRTP in a body (RFC 4568 section 9.1, RFC 4566 section 5.12): the rest of every line behind
/// `inline:`, and what a line with `k=` says. A line is ended by CR too, as `sdp` reads it.
fn cover_keys(body: &mut [u8]) {
    const INLINE: &[u8] = b"inline:";
    for line in body.split_mut(|b| matches!(b, b'\r' | b'\n')) {
        let inline = line.windows(INLINE.len()).position(|w| w.eq_ignore_ascii_case(INLINE));
        let start = line.trim_ascii_start();
        let is_key = matches!(start, [b'k' | b'K', b'=', ..]).then(|| line.len() - start.len() + 2);
        if let Some(secret) = is_key.or(inline.map(|at| at + INLINE.len())) {
            cover(line.get_mut(secret..).unwrap_or_default());
        }
    }
}

fn cover(bytes: &mut [u8]) {
    for byte in bytes {
        if !byte.is_ascii_whitespace() {
            *byte = b'x';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> (String, String) {
        let mut bytes = text.replace('\n', "\r\n").into_bytes();
        let call_id = mask(&mut bytes);
        (call_id, String::from_utf8(bytes).unwrap().replace("\r\n", "\n"))
    }

    #[test]
    fn keys_and_credentials_are_covered_folded_or_not() {
        let (call_id, text) = masked(
            "INFO sip:a SIP/2.0\ni: c1\nProxy-Authorization : Digest\n  response=\"1\"\nTo: <sip:a>\n\nSignal=5\n",
        );
        assert_eq!(call_id, "c1");
        assert_eq!(
            text,
            "INFO sip:a SIP/2.0\ni: c1\nProxy-Authorization :xxxxxx\n  xxxxxxxxxxxx\nTo: <sip:a>\n\nxxxxxxxx\n"
                .replace(":xxxxxx\n", ": xxxxxx\n")
        );
    }

    #[test]
    fn empty_lines_before_a_message_and_blank_ones_within_hide_nothing() {
        let (_, text) = masked("\nINFO sip:a SIP/2.0\nCall-ID: c1\n\nSignal=5\n");
        assert_eq!(text, "\nINFO sip:a SIP/2.0\nCall-ID: c1\n\nxxxxxxxx\n");
        let (call_id, text) = masked("\n\nREGISTER sip:a SIP/2.0\nAuthorization: Digest\nCall-ID: c1\n\n");
        assert_eq!(call_id, "c1");
        assert_eq!(text, "\n\nREGISTER sip:a SIP/2.0\nAuthorization: xxxxxx\nCall-ID: c1\n\n");
        let (_, text) = masked("REGISTER sip:a SIP/2.0\nTo: <sip:a>\n \nAuthorization: Digest\n\n");
        assert!(text.contains("Authorization: xxxxxx\n"), "{text}");
    }

    #[test]
    fn a_long_message_is_cut_after_it_is_masked() {
        let mut log = TraceLog::new(1);
        let message =
            format!("INFO sip:a SIP/2.0\r\nCall-ID: {}\r\n\r\n{}", "\u{e9}".repeat(300), "5".repeat(9_000));
        log.take(Instant::ZERO, false, "192.0.2.1:5060".parse().ok(), message.as_bytes());
        let kept = log.poll().unwrap();
        assert_eq!((kept.bytes.len(), kept.sip_call_id.len()), (MESSAGE_BYTES, CALL_ID_BYTES));
        assert!(kept.bytes.ends_with(b"xxx"));
    }

    #[test]
    fn keys_of_srtp_are_covered_and_the_rest_of_the_description_is_not() {
        let (_, text) = masked(
            "INVITE sip:a SIP/2.0\nCall-ID: c\n\nv=0\nk=clear:secret\n\
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20\n\
             A=Crypto: 2 X InLine:abc;inline:def\na=sendrecv\n",
        );
        assert_eq!(
            text,
            format!(
                "INVITE sip:a SIP/2.0\nCall-ID: c\n\nv=0\nk=xxxxxxxxxxxx\n\
                 a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{}\nA=Crypto: 2 X InLine:{}\na=sendrecv\n",
                "x".repeat(45),
                "x".repeat(14),
            )
        );
    }

    #[test]
    fn other_bodies_stay_readable() {
        let (call_id, text) = masked("INVITE sip:a SIP/2.0\nCall-ID: c2\n\nv=0\n");
        assert_eq!((call_id.as_str(), text.ends_with("\n\nv=0\n")), ("c2", true));
    }

    #[test]
    fn a_full_log_counts_what_it_drops() {
        let mut log = TraceLog::new(1);
        let peer = "192.0.2.1:5060".parse().ok();
        log.take(Instant::ZERO, true, peer, b"OPTIONS sip:a SIP/2.0\r\n\r\n");
        log.take(Instant::ZERO, true, peer, b"OPTIONS sip:b SIP/2.0\r\n\r\n");
        assert_eq!((log.dropped(), log.poll().is_some(), log.poll().is_none()), (1, true, true));
    }
}
