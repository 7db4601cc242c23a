//! A REFER's wish, read out of its header fields: Refer-To (RFC 3515 section 2.1), an embedded Replaces (RFC 3891 section
//! 6.1), Referred-By (RFC 3892), Refer-Sub (RFC 4488).
//!
//! Invariant: exactly one Refer-To that can be read; text from outside is cut and without control characters.
use super::Replaces;
use super::vouched::printable_user_to_user;
use crate::sip::event::{Identity, identity_of, outside_text};
use crate::sip::header::Headers;
use crate::sip::message::{Method, Request, method_text};
use crate::sip::name::HeaderName;
use crate::sip::uri::{AddrSpec, unescaped};
use crate::sip::value::NameAddr;

/// Whom a URI names, in a Refer-To or in the Contact of a 3xx: words from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferTarget {
    /// `sip`, `sips`, `tel` or another, in lower case.
    pub scheme: String,
    /// User part, unescaped; or the number of a `tel:` URI without separators.
    pub user: String,
    /// Host part, in lower case; empty for a `tel:` URI.
    pub host: String,
    /// The port, if one is written.
    pub port: Option<u16>,
}

/// What a REFER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    /// Whom the peer wants called.
    pub target: ReferTarget,
    /// By which method it wants that; only INVITE makes a call.
    pub by_invite: bool,
    /// The dialog whose place should be taken there: an attended transfer.
    pub replaces: Option<Replaces>,
    /// What it wants said to whoever is called (RFC 7433, among the headers of the URI); empty: nothing.
    pub user_to_user: String,
    /// Who wants it by his own word.
    pub referred_by: Option<Identity>,
    /// It wants to hear how it went (RFC 4488: unless `Refer-Sub: false`).
    pub wants_news: bool,
}

impl ReferTarget {
    /// The words of a URI as text; `None` when it is malformed.
    pub fn parse(uri: &str) -> Option<Self> {
        AddrSpec::parse(uri).map(|uri| Self::of(&uri))
    }
    /// The words of a URI.
    pub fn of(uri: &AddrSpec) -> Self {
        Self {
            scheme: uri.scheme(),
            user: outside_text(&uri.user().unwrap_or_default()),
            host: outside_text(&uri.host().unwrap_or_default()).to_ascii_lowercase(),
            port: uri.port(),
        }
    }
}

/// The only value of a field; `None` for none, an error for several.
fn only(headers: &Headers, name: HeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.list(name);
    let first = values.next();
    if values.next().is_some() { Err(()) } else { Ok(first) }
}

impl Referral {
    /// Reads a REFER; an error is a 400.
    pub(crate) fn of(request: &Request) -> Result<Self, ()> {
        let headers = &request.headers;
        let to = only(headers, HeaderName::ReferTo)?.and_then(NameAddr::parse).ok_or(())?;
        let by = only(headers, HeaderName::ReferredBy)?;
        let by = by.map(|by| NameAddr::parse(by).ok_or(())).transpose()?;
        let method = to.uri.param("method");
        Ok(Self {
            by_invite: method.is_none_or(|m| m == method_text(Method::Invite)),
            replaces: embedded_replaces(&to.uri)?,
            user_to_user: embedded(&to.uri, HeaderName::UserToUser)?
                .and_then(|value| printable_user_to_user(&value).map(str::to_owned))
                .unwrap_or_default(),
            referred_by: by.map(|by| identity_of(Some(&by))),
            wants_news: !refuses_news(headers),
            target: ReferTarget::of(&to.uri),
        })
    }
}

/// `Refer-Sub: false`, with parameters or without.
fn refuses_news(headers: &Headers) -> bool {
    let value = headers.get(HeaderName::ReferSub).and_then(|v| v.split(';').next());
    value.is_some_and(|v| v.trim().eq_ignore_ascii_case("false"))
}

/// The one field of this name among the headers of a URI, unescaped; an error for several.
fn embedded(uri: &AddrSpec, name: HeaderName) -> Result<Option<String>, ()> {
    let Some(sip) = uri.as_sip() else { return Ok(None) };
    let fields = sip.headers.split('&').filter_map(|field| field.split_once('='));
    let mut found = fields.filter(|(n, _)| unescaped(n).eq_ignore_ascii_case(name.as_str()));
    let first = found.next().map(|(_, value)| unescaped(value));
    if found.next().is_some() { Err(()) } else { Ok(first) }
}

/// The Replaces among the headers of a URI.
fn embedded_replaces(uri: &AddrSpec) -> Result<Option<Replaces>, ()> {
    embedded(uri, HeaderName::Replaces)?.map(|value| Replaces::parse(&value).ok_or(())).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refer(fields: &[(HeaderName, &str)]) -> Result<Referral, ()> {
        let mut request = Request::new(Method::Refer, AddrSpec::sip(None, "h", None));
        for (name, value) in fields {
            request.headers.push(*name, *value);
        }
        Referral::of(&request)
    }

    fn to(text: &str) -> Result<Referral, ()> {
        refer(&[(HeaderName::ReferTo, text)])
    }

    #[test]
    fn the_forms_of_a_target_are_read() {
        let plain = to("<sip:%2B4930@Example.COM:5070;user=phone>").unwrap();
        assert_eq!((plain.target.user.as_str(), plain.target.host.as_str()), ("+4930", "example.com"));
        assert_eq!((plain.target.port, plain.wants_news, plain.by_invite), (Some(5070), true, true));
        let bare = to("sip:42@h").unwrap();
        assert_eq!((bare.target.user.as_str(), bare.replaces), ("42", None));
        let tel = to("\"A\" <tel:+49-30-12.34>").unwrap();
        assert_eq!((tel.target.scheme.as_str(), tel.target.user.as_str()), ("tel", "+49301234"));
        assert!(!to("<sip:a@h;method=SUBSCRIBE>").unwrap().by_invite);
    }

    #[test]
    fn an_embedded_replaces_is_unescaped() {
        let asked =
            to("<sip:a@h?Subject=x&replaces=12%40h%3Bto-tag%3D7%3Bfrom-tag%3D6%3Bearly-only>").unwrap();
        let replaces = asked.replaces.unwrap();
        assert_eq!((replaces.call_id.as_str(), replaces.to_tag.as_str()), ("12@h", "7"));
        assert!(replaces.early_only);
        assert!(to("<sip:a@h?Replaces=12%40h>").is_err(), "without tags");
    }

    #[test]
    fn an_embedded_user_to_user_is_one_printable_line() {
        let said = |uri: &str| to(uri).map(|asked| asked.user_to_user);
        let hex = "<sip:a@h?User-to-User=56a390%3Bencoding%3Dhex&Subject=x>";
        assert_eq!(said(hex).as_deref(), Ok("56a390;encoding=hex"));
        assert_eq!(said("<sip:a@h?user-to-user=a%0d%0aRoute%3A%20x>").as_deref(), Ok(""), "a second line");
        assert_eq!(said(&format!("<sip:a@h?User-to-User={}>", "a".repeat(400))).as_deref(), Ok(""));
        assert_eq!(said("<sip:a@h>").as_deref(), Ok(""));
        assert!(said("<sip:a@h?User-to-User=1&User-to-User=2>").is_err());
    }

    #[test]
    fn one_target_and_no_more() {
        assert!(refer(&[]).is_err());
        assert!(to("<sip:a@h>, <sip:b@h>").is_err());
        assert!(refer(&[(HeaderName::ReferTo, "<sip:a@h>"), (HeaderName::ReferTo, "<sip:b@h>")]).is_err());
        assert!(to("<sip:>").is_err());
        assert!(to("not a uri").is_err());
        let by =
            refer(&[(HeaderName::ReferTo, "sip:a@h"), (HeaderName::ReferredBy, "\"X\" <sip:me@h>;cid=1")]);
        assert_eq!(by.unwrap().referred_by.unwrap().user, "me");
    }

    #[test]
    fn news_may_be_refused() {
        let quiet = |value| refer(&[(HeaderName::ReferTo, "sip:a@h"), (HeaderName::ReferSub, value)]);
        assert!(!quiet("false").unwrap().wants_news);
        assert!(!quiet("False ;x=y").unwrap().wants_news);
        assert!(quiet("true").unwrap().wants_news);
    }
}
