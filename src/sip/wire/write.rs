//! Messages to bytes (RFC 3261 7), into a buffer that the caller reuses. Bodies are copied as they are.
//! Invariant: no value can end its line: CR and LF inside one become spaces; `Content-Length` is always the body's.
use std::io::Write as _;

use crate::sip::header::Headers;
use crate::sip::message::{Message, Request, Response, method_text};
use crate::sip::name::HeaderName;

/// Room for the header part of most messages, in bytes: taken at once.
const HEAD: usize = 640;

/// Appends `request` to `out`.
pub fn write_request(request: &Request, out: &mut Vec<u8>) {
    out.reserve(HEAD + request.body.len());
    put(out, method_text(request.method));
    out.push(b' ');
    put(out, &request.uri.to_string());
    out.extend_from_slice(b" SIP/2.0\r\n");
    finish(&request.headers, &request.body, out);
}

/// Appends `response` to `out`.
pub fn write_response(response: &Response, out: &mut Vec<u8>) {
    out.reserve(HEAD + response.body.len());
    out.extend_from_slice(b"SIP/2.0 ");
    put_number(out, usize::from(response.status.code()));
    out.push(b' ');
    put(out, &response.reason);
    out.extend_from_slice(b"\r\n");
    finish(&response.headers, &response.body, out);
}

/// Appends `message` to `out`.
pub fn write_message(message: &Message, out: &mut Vec<u8>) {
    match message {
        Message::Request(request) => write_request(request, out),
        Message::Response(response) => write_response(response, out),
    }
}

fn finish(headers: &Headers, body: &[u8], out: &mut Vec<u8>) {
    for (name, spelling, value) in headers.iter() {
        if name != HeaderName::ContentLength && !spelling.is_empty() {
            put_field(out, spelling, value);
        }
    }
    put(out, HeaderName::ContentLength.as_str());
    out.extend_from_slice(b": ");
    put_number(out, body.len());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body);
}

/// Appends one header field.
pub(crate) fn put_field(out: &mut Vec<u8>, name: &str, value: &str) {
    put(out, name);
    out.extend_from_slice(b": ");
    put(out, value);
    out.extend_from_slice(b"\r\n");
}

fn put(out: &mut Vec<u8>, text: &str) {
    if memchr::memchr2(b'\r', b'\n', text.as_bytes()).is_none() {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend(text.bytes().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { b }));
    }
}

fn put_number(out: &mut Vec<u8>, number: usize) {
    // Writing into a Vec cannot fail.
    write!(out, "{number}").unwrap_or_default();
}
