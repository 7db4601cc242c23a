//! Addresses as nearly all peers write them, recognised without building anything: `"Name" <sip:user@host:port;p=v>;q=w`.
//! Invariant: what is plain can be read by [`NameAddr::parse`](crate::sip::value::NameAddr::parse) too; what is not plain
//! may still be fine and is for that one to judge.
use std::net::Ipv4Addr;

/// Whether `text` is an address of the plain form.
pub(crate) fn is_plain_address(text: &str) -> bool {
    after_address(text.as_bytes()).is_some_and(|rest| params(rest) == Some(b""))
}

/// What follows the closing bracket.
fn after_address(text: &[u8]) -> Option<&[u8]> {
    let rest = after_display(text)?.strip_prefix(b"<sip:")?;
    let (user, rest) =
        span(rest, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+' | b'*'));
    let rest = rest.strip_prefix(b"@").filter(|_| !user.is_empty())?;
    let (host, rest) = span(rest, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    is_plain_host(host).then_some(())?;
    params(port(rest)?)?.strip_prefix(b">")
}

fn after_display(text: &[u8]) -> Option<&[u8]> {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let (_, rest) = span(quoted, |b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\');
        let rest = rest.strip_prefix(b"\"")?;
        return Some(rest.strip_prefix(b" ").unwrap_or(rest));
    }
    Some(span(text, |b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'.')).1)
}

/// An IPv4 address, or labels of which the last begins with a letter.
fn is_plain_host(host: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(host) else { return false };
    if host.last().is_some_and(u8::is_ascii_digit) && text.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let is_label = |label: &[u8]| {
        let ends = [label.first(), label.last()];
        ends.iter().all(|b| b.is_some_and(u8::is_ascii_alphanumeric))
    };
    let last = host.rsplit(|b| *b == b'.').next().and_then(|label| label.first());
    host.split(|b| *b == b'.').all(is_label) && last.is_some_and(u8::is_ascii_alphabetic)
}

fn port(rest: &[u8]) -> Option<&[u8]> {
    let Some(digits) = rest.strip_prefix(b":") else { return Some(rest) };
    let (digits, rest) = span(digits, |b| b.is_ascii_digit());
    // Four digits are always a port; what is longer is looked at closely by the full reader.
    ((1..=4).contains(&digits.len()) && digits.first() != Some(&b'0')).then_some(rest)
}

/// What follows the parameters; `None`: one of them is not plain.
fn params(mut rest: &[u8]) -> Option<&[u8]> {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    while let Some(param) = rest.strip_prefix(b";") {
        let (name, after) = span(param, is_part);
        let (value, after) = match after.strip_prefix(b"=") {
            Some(value) => span(value, is_part),
            None => (name, after),
        };
        if name.is_empty() || value.is_empty() {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

/// The first bytes that `fits` holds for, and the rest.
fn span(text: &[u8], fits: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| !fits(*b)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sip::value::{NameAddr, tag_of};

    #[test]
    fn what_phones_write_is_plain() {
        for text in [
            "<sip:alice@example.com>;tag=5d7b9a31",
            "\"Alice Example\" <sip:alice@192.0.2.17:5060;transport=UDP>;tag=a-1.b",
            "Alice <sip:+8657195188@hotline.example.com;user=phone>",
            "<sip:13900000001@127.0.0.1>",
        ] {
            assert!(is_plain_address(text), "{text}");
            assert!(NameAddr::parse(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_needs_a_closer_look_is_not() {
        for text in [
            "",
            "sip:a@b",
            "<tel:+86>",
            "<sip:a@b",
            "<sip:a@[::1]>",
            "<sip:a@1.2.3.400>",
            "<sip:a@b:99999>",
            "<sip:a@b>;",
            "<sip:a@b>;x=",
            "\"a\\\"b\" <sip:a@b>",
            "<sip:a%20b@c>",
            "<sip:a@b> ;tag=1",
            "<sip:a@b?h=1>",
        ] {
            assert!(!is_plain_address(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_plain_can_be_read(
            text in r#"("[a-z <>]{0,4}" ?|[a-zA-Z .-]{0,4})?<sip:[a-z0-9+._*-]{0,4}@?[a-z0-9.-]{0,9}(:[0-9]{0,6})?(;[a-z]{0,3}=?[a-z0-9.]{0,3}){0,3}>(;(tag|[a-z]{0,2})=?[a-z0-9.]{0,3}){0,3}"#
        ) {
            let read = NameAddr::parse(&text);
            prop_assert!(!is_plain_address(&text) || read.is_some(), "{}", text);
            if let Some(read) = read {
                prop_assert_eq!(tag_of(&text), read.tag(), "{}", text);
            }
        }

        #[test]
        fn a_tag_is_found_where_the_reader_finds_it(
            text in r#"("[a-z;=\\"]{0,5}" )?(<sip:a@b(;tag=[a-z])?>|sip:a@b)( ?; ?(tag|Tag|x)( ?= ?([a-z0-9]{0,3}|"[a-z;]{0,3}"))?){0,3}"#
        ) {
            if let Some(read) = NameAddr::parse(&text) {
                prop_assert_eq!(tag_of(&text), read.tag(), "{}", text);
            }
        }
    }
}
