//! The header fields of a message: `rsip`'s list, and typed views of the fields that we act on (RFC 3261 20), read by
//! our own parser. Invariant: a view never fails loudly; a field that is not there or cannot be read is `None`, and
//! whoever must answer 400 does so in the wire layer.

use std::mem;
use std::sync::OnceLock;

use rsip::headers::{UntypedHeader as _, untyped};
use rsip::{Header, Headers as List};

use crate::sip::lex;
use crate::sip::name::HeaderName;
use crate::sip::value::{CSeq, Contacts, MediaType, NameAddr, Via};

/// Names that `rsip` has a variant for go there, all others into `Header::Other`.
macro_rules! known_to_rsip {
    ($($name:ident),+) => {
        fn to_header(name: HeaderName, spelling: &str, value: String) -> Header {
            match name {
                $(HeaderName::$name => Header::$name(untyped::$name::new(value)),)+
                HeaderName::Other => Header::Other(spelling.to_owned(), value),
                ours => Header::Other(ours.as_str().to_owned(), value),
            }
        }

        fn parts(header: &Header) -> (HeaderName, &str, &str) {
            match header {
                $(Header::$name(h) => (HeaderName::$name, HeaderName::$name.as_str(), h.value()),)+
                Header::Other(name, value) => (HeaderName::lookup(name.as_bytes()), name, value),
            }
        }
    };
}
known_to_rsip!(
    Accept,
    AcceptEncoding,
    AcceptLanguage,
    AlertInfo,
    Allow,
    AuthenticationInfo,
    Authorization,
    CSeq,
    CallId,
    CallInfo,
    Contact,
    ContentDisposition,
    ContentEncoding,
    ContentLanguage,
    ContentLength,
    ContentType,
    Date,
    ErrorInfo,
    Event,
    Expires,
    From,
    InReplyTo,
    MaxForwards,
    MimeVersion,
    MinExpires,
    Organization,
    Priority,
    ProxyAuthenticate,
    ProxyAuthorization,
    ProxyRequire,
    RecordRoute,
    ReplyTo,
    Require,
    RetryAfter,
    Route,
    Server,
    Subject,
    SubscriptionState,
    Supported,
    Timestamp,
    To,
    Unsupported,
    UserAgent,
    Via,
    Warning,
    WwwAuthenticate
);

/// Header fields in their order.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    list: List,
    /// The topmost Via, once somebody wanted it: it is asked for several times for each message.
    via: OnceLock<Option<Box<Via>>>,
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Headers {}

impl Headers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every field: its name, the name's spelling, its value.
    pub fn iter(&self) -> impl Iterator<Item = (HeaderName, &str, &str)> {
        self.list.iter().map(parts)
    }

    /// Adds a field at the end.
    pub fn push(&mut self, name: HeaderName, value: impl Into<String>) {
        self.forget_via(name);
        self.list.push(to_header(name, "", value.into()));
    }

    /// Adds a field by the spelling of its name.
    pub fn push_named(&mut self, spelling: &str, value: impl Into<String>) {
        let name = HeaderName::lookup(spelling.as_bytes());
        self.forget_via(name);
        self.list.push(to_header(name, spelling, value.into()));
    }

    /// Adds a field before all others: where a Via belongs.
    pub fn push_front(&mut self, name: HeaderName, value: impl Into<String>) {
        self.forget_via(name);
        let mut list = Vec::from(mem::take(&mut self.list));
        list.insert(0, to_header(name, "", value.into()));
        self.list = List::from(list);
    }

    /// One field of that name with `value`, where the first stood or at the end; the others of that name go.
    pub fn set(&mut self, name: HeaderName, value: impl Into<String>) {
        self.forget_via(name);
        let mut new = Some(to_header(name, "", value.into()));
        let mut list = Vec::from(mem::take(&mut self.list));
        list.retain_mut(|header| {
            if parts(header).0 != name {
                return true;
            }
            new.take().is_some_and(|value| {
                *header = value;
                true
            })
        });
        list.extend(new);
        self.list = List::from(list);
    }

    /// Takes all fields of that name away.
    pub fn remove(&mut self, name: HeaderName) {
        self.forget_via(name);
        self.list.retain(|header| parts(header).0 != name);
    }

    /// The value of the first field of that name.
    pub fn get(&self, name: HeaderName) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all fields of that name, one for each field.
    pub fn all(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.iter().filter(move |(n, _, _)| *n == name).map(|(_, _, value)| value)
    }

    /// The value of the first field spelt so, in any case.
    pub fn get_named(&self, spelling: &str) -> Option<&str> {
        self.iter().find(|(_, s, _)| s.eq_ignore_ascii_case(spelling)).map(|(_, _, value)| value)
    }

    /// The members of a comma-separated list, over all fields of that name.
    pub fn list(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.all(name).flat_map(|value| lex::split(value, b',')).filter(|member| !member.is_empty())
    }

    /// Whether a comma-separated list of tokens has `token`, in any case.
    pub fn lists(&self, name: HeaderName, token: &str) -> bool {
        self.list(name).any(|member| member.eq_ignore_ascii_case(token))
    }

    /// The topmost Via.
    pub fn via(&self) -> Option<&Via> {
        let read = || {
            let value = self.get(HeaderName::Via)?;
            lex::split(value, b',').next().and_then(Via::parse).map(Box::new)
        };
        self.via.get_or_init(read).as_deref()
    }

    /// Puts `via` in the place of the topmost one.
    pub fn replace_top_via(&mut self, via: Via) {
        for header in self.list.iter_mut() {
            let (name, _, value) = parts(header);
            if name == HeaderName::Via {
                let rest = lex::find_outside(value, b',').and_then(|at| value.get(at..)).unwrap_or("");
                *header = to_header(name, "", format!("{via}{rest}"));
                self.via = OnceLock::from(Some(Box::new(via)));
                return;
            }
        }
    }

    fn forget_via(&mut self, name: HeaderName) {
        if name == HeaderName::Via {
            self.via.take();
        }
    }

    /// How many Via values there are.
    pub fn via_count(&self) -> usize {
        self.list(HeaderName::Via).count()
    }

    /// From.
    pub fn from(&self) -> Option<NameAddr> {
        self.get(HeaderName::From).and_then(NameAddr::parse)
    }

    /// To.
    pub fn to(&self) -> Option<NameAddr> {
        self.get(HeaderName::To).and_then(NameAddr::parse)
    }

    /// Contact; `None` if one of them cannot be read or `*` is not alone.
    pub fn contacts(&self) -> Option<Contacts> {
        let mut members = self.list(HeaderName::Contact).peekable();
        if members.peek() == Some(&"*") {
            return members.nth(1).is_none().then_some(Contacts::Star);
        }
        members.map(NameAddr::parse).collect::<Option<Vec<_>>>().map(Contacts::List)
    }

    /// The first Contact address.
    pub fn contact(&self) -> Option<NameAddr> {
        self.list(HeaderName::Contact).next().and_then(NameAddr::parse)
    }

    /// Addresses of Route, in order; those that cannot be read are left out.
    pub fn routes(&self) -> Vec<NameAddr> {
        self.list(HeaderName::Route).filter_map(NameAddr::parse).collect()
    }

    /// Addresses of Record-Route, in order; those that cannot be read are left out.
    pub fn record_routes(&self) -> Vec<NameAddr> {
        self.list(HeaderName::RecordRoute).filter_map(NameAddr::parse).collect()
    }

    /// Call-ID.
    pub fn call_id(&self) -> Option<&str> {
        self.get(HeaderName::CallId)
    }

    /// `CSeq`.
    pub fn cseq(&self) -> Option<CSeq> {
        self.get(HeaderName::CSeq).and_then(CSeq::parse)
    }

    /// A number: Max-Forwards, Expires, Min-Expires, Retry-After (without its comment and parameters), lifted to
    /// `u32::MAX` where it is larger.
    pub fn number(&self, name: HeaderName) -> Option<u32> {
        let digits = self.get(name)?.split([';', '(']).next()?;
        lex::saturating_number(lex::trim(digits))
    }

    /// Content-Type.
    pub fn content_type(&self) -> Option<MediaType> {
        self.get(HeaderName::ContentType).and_then(MediaType::parse)
    }

    /// Whether `kind/subtype` may stand in an answer (RFC 3261 20.1): true if there is no Accept.
    pub fn accepts(&self, kind: &str, subtype: &str) -> bool {
        let mut ranges = self.list(HeaderName::Accept).filter_map(MediaType::parse).peekable();
        let unsaid = self.get(HeaderName::Accept).is_none();
        let fits = |have: &str, want: &str| have == "*" || have == want;
        unsaid || ranges.any(|range| fits(&range.kind, kind) && fits(&range.subtype, subtype))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_keeps_the_place_and_leaves_one() {
        let mut headers = Headers::new();
        headers.push(HeaderName::To, "<sip:a@b>");
        headers.push(HeaderName::From, "<sip:c@d>");
        headers.push(HeaderName::To, "<sip:e@f>");
        headers.set(HeaderName::To, "<sip:g@h>");
        headers.set(HeaderName::Expires, "60");
        let all: Vec<_> = headers.iter().map(|(_, name, value)| format!("{name}: {value}")).collect();
        assert_eq!(all, ["To: <sip:g@h>", "From: <sip:c@d>", "Expires: 60"]);
    }

    #[test]
    fn the_top_via_is_replaced_alone() {
        let mut headers = Headers::new();
        headers.push(HeaderName::Via, "SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2");
        let mut via = headers.via().cloned().unwrap();
        via.params.set("received", Some("192.0.2.1"));
        headers.replace_top_via(via);
        assert_eq!(
            headers.get(HeaderName::Via),
            Some("SIP/2.0/UDP a;branch=1;received=192.0.2.1, SIP/2.0/UDP b;branch=2")
        );
        assert_eq!(headers.via_count(), 2);
    }

    #[test]
    fn two_contacts_in_one_field_are_two() {
        let mut headers = Headers::new();
        headers.push(HeaderName::Contact, r#""A, B" <sip:a@b;x=1,2>;q=0.5, sip:c@d"#);
        let Some(Contacts::List(list)) = headers.contacts() else { panic!("a list") };
        assert_eq!(list.len(), 2);
        headers.set(HeaderName::Contact, "*");
        assert_eq!(headers.contacts(), Some(Contacts::Star));
        headers.push(HeaderName::Contact, "sip:c@d");
        assert_eq!(headers.contacts(), None);
    }

    #[test]
    fn names_of_ours_beyond_rsip_are_found_long_and_compact() {
        let mut headers = Headers::new();
        headers.push_named("r", "<sip:a@b>");
        headers.push_named("X-Mine", "1");
        assert_eq!(headers.get(HeaderName::ReferTo), Some("<sip:a@b>"));
        assert_eq!(headers.get_named("refer-to"), Some("<sip:a@b>"));
        assert_eq!(headers.get_named("x-mine"), Some("1"));
    }
}
