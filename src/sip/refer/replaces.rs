//! Replaces (RFC 3891 section 6.1): the name of a dialog whose place somebody wants to take.
//!
//! Invariant: a value without exactly one `to-tag` and one `from-tag` is none.
use std::fmt;

use crate::sip::event::InviteId;
use crate::sip::header::Headers;
use crate::sip::lex;
use crate::sip::name::HeaderName;

/// A dialog by its name, as whoever sends the header sees it: `to_tag` is the tag of the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Its Call-ID.
    pub call_id: String,
    /// The tag of whoever the header is sent to.
    pub to_tag: String,
    /// The tag of the other end.
    pub from_tag: String,
    /// Only if the dialog is not answered yet.
    pub early_only: bool,
}

/// What a [`Replaces`] names among our dialogs, RFC 3891 section 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedDialog {
    /// None of ours: 481.
    Missing,
    /// One that is over already: 603.
    Over,
    /// One that the peer began and we have not answered: 481.
    NotOursToReplace,
    /// One that we began, whose phone rings.
    Early(InviteId),
    /// One that stands.
    Confirmed(InviteId),
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let early = if self.early_only { ";early-only" } else { "" };
        write!(f, "{};to-tag={};from-tag={}{early}", self.call_id, self.to_tag, self.from_tag)
    }
}

impl Replaces {
    /// Reads a header value.
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = lex::split(value, b';');
        let call_id = parts.next().filter(|id| !id.is_empty() && !id.contains([',', '<', '>', '"']))?;
        let (mut to_tag, mut from_tag, mut early_only) = (None, None, false);
        for part in parts {
            let (name, value) = part.split_once('=').map_or((part, ""), |(n, v)| (n, v));
            let (name, value) = (lex::trim(name), lex::trim(value));
            let tag = match name.to_ascii_lowercase().as_str() {
                "to-tag" => &mut to_tag,
                "from-tag" => &mut from_tag,
                "early-only" => {
                    early_only = true;
                    continue;
                }
                other if lex::is_token(other.as_bytes()) => continue,
                _ => return None,
            };
            if !lex::is_token(value.as_bytes()) || tag.replace(value.to_owned()).is_some() {
                return None;
            }
        }
        Some(Self { call_id: call_id.to_owned(), to_tag: to_tag?, from_tag: from_tag?, early_only })
    }

    /// The one in an INVITE; an error for one that cannot be read, for several, and for one beside a Join (section 3).
    pub(crate) fn of_invite(headers: &Headers) -> Result<Option<Self>, ()> {
        let mut values = headers.all(HeaderName::Replaces);
        match (values.next(), values.next(), headers.get(HeaderName::Join)) {
            (None, ..) => Ok(None),
            (Some(value), None, None) => Self::parse(value).map(Some).ok_or(()),
            (Some(_), ..) => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let replaces = Replaces::parse("98732@sip.example.com\t;from-tag=r33th4x0r ;to-tag=ff87ff").unwrap();
        assert_eq!(replaces.call_id, "98732@sip.example.com");
        assert_eq!((replaces.to_tag.as_str(), replaces.from_tag.as_str()), ("ff87ff", "r33th4x0r"));
        assert!(!replaces.early_only);
        let early = Replaces::parse("12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only;x=y").unwrap();
        assert!(early.early_only);
    }

    #[test]
    fn a_name_that_names_no_one_dialog_is_none() {
        for text in [
            "",
            "abc",
            "abc;to-tag=1",
            "abc;from-tag=1",
            "abc;to-tag=1;to-tag=2;from-tag=3",
            "abc;to-tag=;from-tag=3",
            "a,b;to-tag=1;from-tag=2",
            ";to-tag=1;from-tag=2",
        ] {
            assert_eq!(Replaces::parse(text), None, "{text}");
        }
        let mut headers = Headers::new();
        headers.push(HeaderName::Replaces, "a;to-tag=1;from-tag=2");
        assert!(Replaces::of_invite(&headers).is_ok_and(|r| r.is_some()));
        headers.push(HeaderName::Join, "a;to-tag=1;from-tag=2");
        assert!(Replaces::of_invite(&headers).is_err());
    }
}
