//! Addresses: SIP and SIPS URIs (RFC 3261 19.1), and every other scheme kept as it came (`tel:`, RFC 3966).
//! Invariant: what is read is written again with the same meaning; user names are kept escaped and shown decoded.
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::sip::lex;
use crate::sip::message::{
    Auth, Domain, Host, HostWithPort, OtherParamValue, Param, Port, Scheme, Transport, Uri,
};
use crate::sip::message::{method_named, method_text};
use crate::sip::transport::{DEFAULT_PORT, DEFAULT_TLS_PORT};

/// An `addr-spec`: what stands between angle brackets, or in the request line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddrSpec {
    /// `sip:` or `sips:`.
    Sip(SipUri),
    /// Any other scheme.
    Other {
        /// Before the colon, as written.
        scheme: String,
        /// After the colon, as written.
        rest: String,
    },
}

/// A SIP or SIPS URI. `rsip` cannot hold the headers behind `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipUri {
    /// All but the headers. `auth.user` is kept escaped.
    pub uri: Uri,
    /// What follows `?`, as written; empty if there is none.
    pub headers: String,
}

impl AddrSpec {
    /// Reads an `addr-spec`; `None` when it is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if !is_scheme || rest.is_empty() || rest.contains(is_never_in_uri) {
            return None;
        }
        if scheme.eq_ignore_ascii_case("sip") {
            SipUri::parse(Scheme::Sip, rest).map(Self::Sip)
        } else if scheme.eq_ignore_ascii_case("sips") {
            SipUri::parse(Scheme::Sips, rest).map(Self::Sip)
        } else {
            Some(Self::Other { scheme: scheme.to_owned(), rest: rest.to_owned() })
        }
    }

    /// `sip:user@host:port`; `user` is given plain and escaped here. `host` is a name or an address, with or without
    /// the brackets of IPv6.
    pub fn sip(user: Option<&str>, host: &str, port: Option<u16>) -> Self {
        let auth = user.map(|user| Auth { user: escaped_user(user), password: None });
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let host = bare.parse().map_or_else(|_| Host::Domain(Domain::from(host)), Host::IpAddr);
        let host_with_port = HostWithPort { host, port: port.map(Port::from) };
        let uri =
            Uri { scheme: Some(Scheme::Sip), auth, host_with_port, params: Vec::new(), headers: Vec::new() };
        Self::Sip(SipUri { uri, headers: String::new() })
    }

    /// The SIP URI, if it is one.
    pub const fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Self::Sip(sip) => Some(sip),
            Self::Other { .. } => None,
        }
    }

    /// The scheme in lower case.
    pub fn scheme(&self) -> String {
        match self {
            Self::Sip(sip) if sip.is_sips() => "sips".to_owned(),
            Self::Sip(_) => "sip".to_owned(),
            Self::Other { scheme, .. } => scheme.to_ascii_lowercase(),
        }
    }

    /// The user's name with its escapes undone; for `tel:` the number without visual separators and parameters.
    pub fn user(&self) -> Option<String> {
        match self {
            Self::Sip(sip) => sip.uri.auth.as_ref().map(|auth| unescaped(&auth.user)),
            Self::Other { scheme, rest } if scheme.eq_ignore_ascii_case("tel") => {
                let number = rest.split(';').next().unwrap_or("");
                Some(number.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect())
            }
            Self::Other { .. } => None,
        }
    }

    /// The host as text, IPv6 in brackets.
    pub fn host(&self) -> Option<String> {
        self.as_sip().map(|sip| host_text(&sip.uri.host_with_port.host))
    }

    /// The host's address, where the host is an address.
    pub fn host_ip(&self) -> Option<IpAddr> {
        match self.as_sip().map(|sip| &sip.uri.host_with_port.host) {
            Some(Host::IpAddr(ip)) => Some(*ip),
            Some(Host::Domain(_)) | None => None,
        }
    }

    /// The port, where one is written.
    pub fn port(&self) -> Option<u16> {
        self.as_sip().and_then(|sip| sip.uri.host_with_port.port.as_ref().map(|port| *port.value()))
    }

    /// Whether it asks for TLS: `sips`, or `transport=tls`.
    pub fn is_tls(&self) -> bool {
        self.as_sip().is_some_and(SipUri::is_sips)
            || self.param("transport").is_some_and(|t| t.eq_ignore_ascii_case("tls"))
    }
    /// The port that is written, or the default one of its transport, section 19.1.2.
    pub fn port_or_default(&self) -> u16 {
        self.port().unwrap_or(if self.is_tls() { DEFAULT_TLS_PORT } else { DEFAULT_PORT })
    }

    /// The value of the URI parameter `name`; empty for a parameter without value.
    pub fn param(&self, name: &str) -> Option<&str> {
        let params = self.as_sip().map_or(&[][..], |sip| &sip.uri.params);
        params
            .iter()
            .map(param_parts)
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.unwrap_or(""))
    }

    /// The same with the parameter `name` set to `value`, the second only if it is a SIP URI.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Self {
        if let Self::Sip(sip) = &mut self {
            sip.uri.params.retain(|p| !param_parts(p).0.eq_ignore_ascii_case(name));
            sip.uri.params.push(uri_param(name, value));
        }
        self
    }

    /// Whether both mean the same (RFC 3261 19.1.4); other schemes are compared as text.
    pub fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sip(a), Self::Sip(b)) => a.is_same_as(b),
            (Self::Other { scheme: s, rest: r }, Self::Other { scheme: t, rest: q }) => {
                s.eq_ignore_ascii_case(t) && r == q
            }
            (Self::Sip(_), Self::Other { .. }) | (Self::Other { .. }, Self::Sip(_)) => false,
        }
    }
}

impl SipUri {
    fn parse(scheme: Scheme, rest: &str) -> Option<Self> {
        let (auth, rest) = match rest.split_once('@') {
            Some((info, rest)) => (Some(parse_userinfo(info)?), rest),
            None => (None, rest),
        };
        let (rest, headers) = rest.split_once('?').unwrap_or((rest, ""));
        if rest.contains('@') || headers.contains('@') {
            return None;
        }
        let (host_port, params) = rest.split_once(';').map_or((rest, None), |(h, p)| (h, Some(p)));
        let (host, port) = parse_host_port(host_port)?;
        let host_with_port = HostWithPort { host, port: port.map(Port::from) };
        let params = parse_uri_params(params)?;
        let uri = Uri { scheme: Some(scheme), auth, host_with_port, params, headers: Vec::new() };
        Some(Self { uri, headers: headers.to_owned() })
    }

    /// Whether the scheme is `sips`.
    pub fn is_sips(&self) -> bool {
        self.uri.scheme == Some(Scheme::Sips)
    }

    fn is_same_as(&self, other: &Self) -> bool {
        let host = |s: &Self| host_text(&s.uri.host_with_port.host).to_ascii_lowercase();
        let auth = |s: &Self| {
            s.uri
                .auth
                .as_ref()
                .map(|a| (unescaped_bytes(&a.user), a.password.as_deref().map(unescaped_bytes)))
        };
        self.is_sips() == other.is_sips()
            && auth(self) == auth(other)
            && host(self) == host(other)
            && self.uri.host_with_port.port == other.uri.host_with_port.port
            && unescaped_bytes(&self.headers) == unescaped_bytes(&other.headers)
            && self.params_agree_with(other)
            && other.params_agree_with(self)
    }

    /// Parameters in both must agree; of those in one only, these few make the URIs differ (19.1.4).
    fn params_agree_with(&self, other: &Self) -> bool {
        const MUST_BE_IN_BOTH: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
        self.uri.params.iter().map(param_parts).all(|(name, value)| {
            let twin = other.uri.params.iter().map(param_parts).find(|(n, _)| n.eq_ignore_ascii_case(name));
            match twin {
                Some((_, other_value)) => value.unwrap_or("").eq_ignore_ascii_case(other_value.unwrap_or("")),
                None => !MUST_BE_IN_BOTH.iter().any(|must| must.eq_ignore_ascii_case(name)),
            }
        })
    }
}

/// Characters that stand in no part of any URI. Others that a URI should escape are let through: phones send them.
fn is_never_in_uri(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"')
}

fn parse_userinfo(info: &str) -> Option<Auth> {
    let (user, password) = info.split_once(':').map_or((info, None), |(u, p)| (u, Some(p.to_owned())));
    (!user.is_empty()).then(|| Auth { user: user.to_owned(), password })
}

/// `host [":" port]`, the host a name, an IPv4 address or `[IPv6]`. An address in brackets that is not quite IPv6
/// (RFC 5118 4.10) is kept as a name.
pub(crate) fn parse_host_port(text: &str) -> Option<(Host, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        parse_bracketed_host(rest)?
    } else {
        let (name, port) = text.split_once(':').map_or((text, None), |(n, p)| (n, Some(p)));
        (parse_host_name(lex::trim(name))?, port)
    };
    match port {
        None => Some((host, None)),
        Some(port) => Some((host, Some(parse_port(lex::trim(port))?))),
    }
}

/// What follows `[`, and the port's text behind the colon.
fn parse_bracketed_host(text: &str) -> Option<(Host, Option<&str>)> {
    let (inner, after) = text.split_once(']')?;
    let host = match inner.parse::<Ipv6Addr>() {
        Ok(ip) => Host::IpAddr(IpAddr::V6(ip)),
        Err(_) if is_nearly_ipv6(inner) => Host::Domain(Domain::from(format!("[{inner}]"))),
        Err(_) => return None,
    };
    let after = lex::trim(after);
    Some((host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) }))
}

fn is_nearly_ipv6(s: &str) -> bool {
    s.contains(':') && s.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'))
}

fn parse_host_name(name: &str) -> Option<Host> {
    let is_name = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    is_name.then(|| {
        name.parse().map_or_else(|_| Host::Domain(Domain::from(name)), |ip| Host::IpAddr(IpAddr::V4(ip)))
    })
}

fn parse_port(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn parse_uri_params(text: Option<&str>) -> Option<Vec<Param>> {
    let Some(text) = text else { return Some(Vec::new()) };
    let mut params = Vec::new();
    let mut parts = text.split(';').peekable();
    while let Some(part) = parts.next() {
        let (name, value) = part.split_once('=').map_or((part, None), |(n, v)| (n, Some(v)));
        match (name.is_empty(), parts.peek()) {
            (false, _) => params.push(uri_param(name, value)),
            // One stray semicolon at the end is common and harmless.
            (true, None) if value.is_none() => {}
            (true, _) => return None,
        }
    }
    Some(params)
}

/// A parameter in `rsip`'s words; what it has no word for goes into `Other`.
fn uri_param(name: &str, value: Option<&str>) -> Param {
    let other = || Param::Other(name.into(), value.map(Into::into));
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    match value {
        Some(v) if is("transport") => transport_named(v).map_or_else(other, Param::Transport),
        Some(v) if is("method") => method_named(v.as_bytes()).map_or_else(other, Param::Method),
        Some(v) if is("user") => Param::User(v.into()),
        Some(v) if is("ttl") => Param::Ttl(v.into()),
        Some(v) if is("maddr") => Param::Maddr(v.into()),
        None if is("lr") => Param::Lr,
        Some(_) | None => other(),
    }
}

const TRANSPORTS: [(Transport, &str); 7] = [
    (Transport::Udp, "udp"),
    (Transport::Tcp, "tcp"),
    (Transport::Tls, "tls"),
    (Transport::Sctp, "sctp"),
    (Transport::TlsSctp, "tls-sctp"),
    (Transport::Ws, "ws"),
    (Transport::Wss, "wss"),
];

fn transport_named(text: &str) -> Option<Transport> {
    TRANSPORTS.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(t, _)| *t)
}

/// Name and value of a URI parameter as text.
fn param_parts(param: &Param) -> (&str, Option<&str>) {
    match param {
        Param::Transport(t) => {
            ("transport", TRANSPORTS.iter().find(|(known, _)| known == t).map(|(_, name)| *name))
        }
        Param::User(v) => ("user", Some(v.value())),
        Param::Method(m) => ("method", Some(method_text(*m))),
        Param::Ttl(v) => ("ttl", Some(v.value())),
        Param::Maddr(v) => ("maddr", Some(v.value())),
        Param::Lr => ("lr", None),
        Param::Branch(v) => ("branch", Some(v.value())),
        Param::Received(v) => ("received", Some(v.value())),
        Param::Tag(v) => ("tag", Some(v.value())),
        Param::Expires(v) => ("expires", Some(v.value())),
        Param::Q(v) => ("q", Some(v.value())),
        Param::Other(name, value) => (name.value(), value.as_ref().map(OtherParamValue::value)),
    }
}

/// A host as it is written in a URI or a Via.
pub(crate) fn host_text(host: &Host) -> String {
    match host {
        Host::Domain(name) => name.value().to_string(),
        Host::IpAddr(IpAddr::V4(ip)) => ip.to_string(),
        Host::IpAddr(IpAddr::V6(ip)) => format!("[{ip}]"),
    }
}

/// `%HH` undone; a `%` that begins no escape stays (RFC 4475 3.1.1.5). Bytes that are not UTF-8 are shown as `U+FFFD`.
pub(crate) fn unescaped(text: &str) -> String {
    String::from_utf8_lossy(&unescaped_bytes(text)).into_owned()
}

fn unescaped_bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        let mut ahead = bytes.clone();
        let escape = if b == b'%' { hex_pair(ahead.next(), ahead.next()) } else { None };
        match escape {
            Some(value) => {
                out.push(value);
                bytes = ahead;
            }
            None => out.push(b),
        }
    }
    out
}

fn hex_pair(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// `user` with everything escaped that may not stand in a user name (RFC 3261 25.1).
pub(crate) fn escaped_user(user: &str) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(user.len());
    for b in user.bytes() {
        let plain = b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&b);
        if plain {
            out.push(char::from(b));
        } else if write!(out, "%{b:02X}").is_err() {
            return out;
        }
    }
    out
}

impl fmt::Display for AddrSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(sip) => sip.fmt(f),
            Self::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_sips() { "sips:" } else { "sip:" })?;
        if let Some(auth) = &self.uri.auth {
            f.write_str(&auth.user)?;
            if let Some(password) = &auth.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        f.write_str(&host_text(&self.uri.host_with_port.host))?;
        if let Some(port) = &self.uri.host_with_port.port {
            write!(f, ":{}", port.value())?;
        }
        for (name, value) in self.uri.params.iter().map(param_parts) {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        if self.headers.is_empty() { Ok(()) } else { write!(f, "?{}", self.headers) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> AddrSpec {
        AddrSpec::parse(text).unwrap_or_else(|| panic!("{text} is a URI"))
    }

    #[test]
    fn unusual_uris_are_kept_as_they_are() {
        for text in [
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
            "sip:sips%3Auser%40example.com@example.net",
            "sip:user;par=u%40example.net@example.com",
            "sip:%23123;phone-context=x.com@h1;user=phone",
            "sip:user@[2001:db8::10]:5070;transport=tcp;lr",
            "sip:user@[2001:db8:::192.0.2.1]",
            "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
            "tel:+886-2-1234;phone-context=example.com",
            "soap.beep://192.0.2.103:3002",
            "nobodyKnowsThisScheme:totallyopaquecontent",
        ] {
            assert_eq!(read(text).to_string(), text);
        }
    }

    #[test]
    fn parts_are_found() {
        let uri = read("sip:%23123;phone-context=x.com@h1:5062;user=phone;lr");
        assert_eq!(uri.user().as_deref(), Some("#123;phone-context=x.com"));
        assert_eq!((uri.host().as_deref(), uri.port()), (Some("h1"), Some(5062)));
        assert_eq!((uri.param("USER"), uri.param("lr"), uri.param("ttl")), (Some("phone"), Some(""), None));
        assert_eq!(read("tel:+886-2-1234;x=y").user().as_deref(), Some("+88621234"));
        assert_eq!(read("sip:null-%00-null@h").user().as_deref(), Some("null-\0-null"));
    }

    #[test]
    fn broken_uris_are_refused() {
        for text in [
            "sip:2001:db8::10",
            "sip:user@host:70000",
            "sip:user@",
            "sip:",
            "user@host",
            "sip:a b@host",
            "sip:a@[2001:db8::1",
            "sip:a@b@c",
            "sip:a@b;;x",
            "1sip:x",
        ] {
            assert_eq!(AddrSpec::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sameness_follows_the_examples_of_rfc_3261_19_1_4() {
        let same = [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        ];
        let different = [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:%00@h", "sip:%00%00@h"),
        ];
        for (a, b) in same {
            assert!(read(a).is_same_as(&read(b)) && read(b).is_same_as(&read(a)), "{a} {b}");
        }
        for (a, b) in different {
            assert!(!read(a).is_same_as(&read(b)) && !read(b).is_same_as(&read(a)), "{a} {b}");
        }
    }

    #[test]
    fn a_plain_user_is_escaped_where_it_must_be() {
        let uri = AddrSpec::sip(Some("a b@c"), "2001:db8::1", Some(5060));
        assert_eq!(uri.to_string(), "sip:a%20b%40c@[2001:db8::1]:5060");
        assert_eq!(uri.user().as_deref(), Some("a b@c"));
    }
}
