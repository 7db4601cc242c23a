//! Header values with a structure (RFC 3261 20, 25.1): Via, name-addr with parameters, `CSeq` and media types.
//! Read by us, strictly enough to refuse what RFC 4475 calls broken, and written again with the same meaning.
use std::fmt;

use crate::sip::lex;
use crate::sip::message::{Method, method_named, method_text};
use crate::sip::plain::is_plain_address;
use crate::sip::uri::{AddrSpec, host_text, parse_host_port};

/// `;name=value` parameters, in their order. Names are compared without case; values are kept as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// Reads what follows the first semicolon. One stray semicolon at the end is let through.
    fn parse(text: &str) -> Option<Self> {
        let mut list = Vec::new();
        let mut parts = lex::split(text, b';').peekable();
        while let Some(part) = parts.next() {
            if part.is_empty() && parts.peek().is_none() {
                break;
            }
            list.push(Self::parse_one(part)?);
        }
        Some(Self(list))
    }

    fn parse_one(part: &str) -> Option<(String, Option<String>)> {
        let (name, value) = part.split_once('=').map_or((part, None), |(n, v)| (n, Some(lex::trim(v))));
        let name = lex::trim(name);
        let value_is_fine = match value {
            Some(v) if v.starts_with('"') => lex::quoted_string(v).is_some_and(|(_, rest)| rest.is_empty()),
            Some(v) => !v.contains(|c| lex::is_lws(c) || matches!(c, '"' | ',' | '<' | '>')),
            None => true,
        };
        (lex::is_token(name.as_bytes()) && value_is_fine).then(|| (name.to_owned(), value.map(str::to_owned)))
    }

    /// The value of `name` as written; empty for a parameter without value; `None` if it is not there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_deref().unwrap_or(""))
    }
    /// The value of `name` without its quotes.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(lex::unquoted)
    }
    /// Whether `name` is there, with or without value.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
    /// Sets `name` to `value`, in its old place or at the end.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match self.0.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
    /// Takes `name` away.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }
    /// Names and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_deref()))
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
    }
}

/// The beginning of a branch that was made by the rules of RFC 3261 (8.1.1.7).
pub const BRANCH_COOKIE: &str = "z9hG4bK";

/// One Via value (RFC 3261 20.42).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// `UDP`, `TCP`, ... as written.
    pub transport: String,
    /// The host of `sent-by`, IPv6 in brackets.
    pub host: String,
    /// The port of `sent-by`, where one is written.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport` and the others.
    pub params: Params,
}

impl Via {
    /// A Via of our own: `branch` is to be fresh for each transaction and begin with [`BRANCH_COOKIE`]; `rport` is asked
    /// for (RFC 3581).
    pub fn new(transport: &str, host: &str, port: Option<u16>, branch: &str) -> Self {
        let mut params = Params::default();
        params.set("branch", Some(branch));
        params.set("rport", None);
        Self { transport: transport.to_owned(), host: host.to_owned(), port, params }
    }

    /// Reads one value: `SIP/2.0/UDP host:port;params`, with white space wherever the grammar lets it stand.
    pub fn parse(text: &str) -> Option<Self> {
        let (protocol, rest) = text.split_once('/')?;
        let (version, rest) = rest.split_once('/')?;
        let is_sip = lex::trim(protocol).eq_ignore_ascii_case("SIP") && lex::trim(version) == "2.0";
        let (transport, rest) = lex::trim(rest).split_once(lex::is_lws)?;
        let (sent_by, params) = rest.split_once(';').map_or((rest, ""), |(s, p)| (s, p));
        let (host, port) = parse_host_port(lex::trim(sent_by))?;
        (is_sip && lex::is_token(transport.as_bytes())).then_some(())?;
        Some(Self {
            transport: transport.to_owned(),
            host: host_text(&host),
            port,
            params: Params::parse(params)?,
        })
    }

    /// The transaction's name; `None` if there is none, or an empty one.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// The branch, if it was made by the rules of RFC 3261 and names anything behind the cookie.
    pub fn cookie_branch(&self) -> Option<&str> {
        let has_cookie = |b: &&str| {
            b.len() > BRANCH_COOKIE.len()
                && b.get(..BRANCH_COOKIE.len()).is_some_and(|c| c.eq_ignore_ascii_case(BRANCH_COOKIE))
        };
        self.branch().filter(has_cookie)
    }

    /// `host:port` in lower case, the port as it is written: part of a transaction's identity (17.2.3).
    pub fn sent_by(&self) -> String {
        let host = self.host.to_ascii_lowercase();
        self.port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)
    }
}

/// `"display" <uri>;params`: From, To, Contact, Route, Record-Route, Refer-To and their like (RFC 3261 20.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// The name for people, without quotes.
    pub display: Option<String>,
    /// The address.
    pub uri: AddrSpec,
    /// Parameters of the header field, not of the URI.
    pub params: Params,
}

impl NameAddr {
    /// An address without display name and parameters.
    pub fn new(uri: AddrSpec) -> Self {
        Self { display: None, uri, params: Params::default() }
    }

    /// The same with the tag `tag`.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag));
        self
    }

    /// Reads one value. Without brackets, parameters belong to the header and `?` and `,` may not stand in the URI
    /// (RFC 3261 20). A display name without quotes may hold any letter, but none of `",;<>`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = lex::trim(text);
        if text.starts_with('"') {
            let (display, rest) = lex::quoted_string(text)?;
            return Self::parse_bracketed(Some(display), rest.trim_start_matches(lex::is_lws));
        }
        match text.find('<') {
            Some(at) => {
                let (display, rest) = text.split_at_checked(at)?;
                let display = lex::trim(display);
                if display.contains(['"', ',', ';', '>']) {
                    return None;
                }
                Self::parse_bracketed((!display.is_empty()).then(|| display.to_owned()), rest)
            }
            None => Self::parse_bare(text),
        }
    }

    fn parse_bracketed(display: Option<String>, text: &str) -> Option<Self> {
        let (uri, rest) = text.strip_prefix('<')?.split_once('>')?;
        let uri = AddrSpec::parse(uri)?;
        let rest = lex::trim(rest);
        let params = match rest.strip_prefix(';') {
            Some(params) => Params::parse(params)?,
            None if rest.is_empty() => Params::default(),
            None => return None,
        };
        Some(Self { display, uri, params })
    }

    fn parse_bare(text: &str) -> Option<Self> {
        let (uri, params) = text.split_once(';').map_or((text, ""), |(u, p)| (u, p));
        let uri = lex::trim(uri);
        if uri.contains(['?', ',']) {
            return None;
        }
        Some(Self { display: None, uri: AddrSpec::parse(uri)?, params: Params::parse(params)? })
    }

    /// Whether [`Self::parse`] can read `text`; quickly for what nearly all peers write.
    pub(crate) fn can_read(text: &str) -> bool {
        is_plain_address(text) || Self::parse(text).is_some()
    }

    /// The tag; `None` if there is none, or an empty one.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            lex::write_quoted(f, display)?;
            f.write_str(" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// The tag of a From or To that can be read, without reading all of it.
pub(crate) fn tag_of(text: &str) -> Option<&str> {
    let params = match lex::find_outside(text, b'<') {
        Some(at) => text.get(at..)?.split_once('>')?.1,
        None => text,
    };
    let mut named = lex::split(params, b';').skip(1).map(|p| p.split_once('=').unwrap_or((p, "")));
    let (_, tag) = named.find(|(name, _)| lex::trim(name).eq_ignore_ascii_case("tag"))?;
    Some(lex::trim(tag)).filter(|tag| !tag.is_empty())
}

/// The Contact fields of one message (RFC 3261 10.2.2, 20.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// `*`: all bindings.
    Star,
    /// Addresses, in their order; empty if there is no Contact.
    List(Vec<NameAddr>),
}

/// `CSeq` (RFC 3261 20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// The number, below 2^32 (RFC 4475 3.1.2.4).
    pub number: u32,
    /// The method, which is the request's.
    pub method: Method,
}

impl CSeq {
    /// Reads it; `None` for a number too large, or a method without a name here.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, method) = Self::parts(text)?;
        Some(Self { number, method: method_named(method.as_bytes())? })
    }

    /// Number and method's text.
    pub(crate) fn parts(text: &str) -> Option<(u32, &str)> {
        let (number, method) = lex::trim(text).split_once(lex::is_lws)?;
        let all_digits = number.bytes().all(|b| b.is_ascii_digit());
        Some((number.parse().ok().filter(|_| all_digits)?, lex::trim(method)))
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, method_text(self.method))
    }
}

/// `type/subtype;params` of Content-Type and Accept (RFC 3261 20.15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `application`, in lower case.
    pub kind: String,
    /// `sdp`, in lower case.
    pub subtype: String,
    /// The parameters.
    pub params: Params,
}

impl MediaType {
    /// Reads one value.
    pub fn parse(text: &str) -> Option<Self> {
        let (essence, params) = text.split_once(';').map_or((text, ""), |(e, p)| (e, p));
        let (kind, subtype) = essence.split_once('/')?;
        let (kind, subtype) = (lex::trim(kind), lex::trim(subtype));
        (lex::is_token(kind.as_bytes()) && lex::is_token(subtype.as_bytes())).then_some(())?;
        let params = Params::parse(params)?;
        Some(Self { kind: kind.to_ascii_lowercase(), subtype: subtype.to_ascii_lowercase(), params })
    }

    /// Whether it is `kind/subtype`, given in lower case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind == kind && self.subtype == subtype
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_name_cannot_forge_the_address() {
        let from = NameAddr::parse(r#""Doe, J; <x>" <sip:j@example.com>;tag=1"#).unwrap();
        assert_eq!(from.display.as_deref(), Some("Doe, J; <x>"));
        assert_eq!(from.uri.to_string(), "sip:j@example.com");
        assert_eq!(from.tag(), Some("1"));
    }

    #[test]
    fn without_brackets_parameters_belong_to_the_header() {
        let bare = NameAddr::parse("sip:a@b;unknownparam").unwrap();
        assert!(bare.params.contains("unknownparam"));
        assert_eq!(bare.uri.param("unknownparam"), None);
        let bracketed = NameAddr::parse("<sip:a@b;unknownparam>").unwrap();
        assert_eq!(bracketed.uri.param("unknownparam"), Some(""));
        assert_eq!(NameAddr::parse("sip:a@b?Route=%3Csip:c%3E"), None);
    }

    #[test]
    fn broken_name_addrs_are_refused() {
        for text in [
            r#""Mr. J. User <sip:j@example.com>"#,
            "Bell, Alexander <sip:a@example.com>",
            "<sip:a@b>;;;;",
            "< sip:a@b >",
            "<sip:a@b> junk",
            "<sip:a@b",
            "",
        ] {
            assert_eq!(NameAddr::parse(text), None, "{text}");
        }
        assert!(NameAddr::parse("<sip:a@b>;").is_some(), "one stray semicolon is harmless");
    }

    #[test]
    fn via_is_read_with_white_space_anywhere() {
        let via =
            Via::parse("SIP  / 2.0  / TCP     spindle.example.com   ;  branch  =   z9hG4bK9ikj8").unwrap();
        assert_eq!((via.transport.as_str(), via.host.as_str()), ("TCP", "spindle.example.com"));
        assert_eq!(via.cookie_branch(), Some("z9hG4bK9ikj8"));
        let v6 =
            Via::parse("SIP/2.0/UDP [2001:db8::9:1]:6050;received=[2001:db8::9:255];branch=z9hG4bK").unwrap();
        assert_eq!(v6.sent_by(), "[2001:db8::9:1]:6050");
        assert_eq!((v6.branch(), v6.cookie_branch()), (Some("z9hG4bK"), None));
        assert!(Via::parse("SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255").is_some());
        assert_eq!(Via::parse("SIP/2.0/UDP 192.0.2.15;;,;,,"), None);
        assert_eq!(Via::parse("SIP/7.0/UDP 192.0.2.15"), None);
    }

    #[test]
    fn cseq_numbers_have_an_end() {
        assert_eq!(CSeq::parse("0009   INVITE"), Some(CSeq { number: 9, method: Method::Invite }));
        assert_eq!(CSeq::parse("36893488147419103232 REGISTER"), None);
        assert_eq!(CSeq::parse("-1 REGISTER"), None);
        assert_eq!(CSeq::parse("1 invite"), None);
    }
}
