//! SIP messages as the call layer sees them (RFC 3261 7): `rsip`'s vocabulary, filled by our own parser.
//! Bodies are bytes. `Content-Length` is never in the list of headers: the writer counts the body.
//! Invariant: a message that came in has readable Via, From, To, Call-ID and `CSeq`; the wire layer saw to it.
use std::fmt;

pub(crate) use rsip::common::uri::auth::Auth;
pub(crate) use rsip::common::uri::param::OtherParamValue;
pub(crate) use rsip::{Domain, Host, HostWithPort, Param, Port, Scheme, Transport};
pub use rsip::{Method, Uri};

use crate::sip::header::Headers;
use crate::sip::name::HeaderName;
use crate::sip::uri::AddrSpec;
use crate::sip::value::{CSeq, NameAddr, Via, tag_of};
use crate::sip::wire::write_request;

/// Every method that has a name here, in the spelling of the RFCs. Case matters (RFC 3261 7.1).
const METHODS: [(Method, &str); 14] = [
    (Method::Invite, "INVITE"),
    (Method::Ack, "ACK"),
    (Method::Bye, "BYE"),
    (Method::Cancel, "CANCEL"),
    (Method::Register, "REGISTER"),
    (Method::Options, "OPTIONS"),
    (Method::Info, "INFO"),
    (Method::Message, "MESSAGE"),
    (Method::Notify, "NOTIFY"),
    (Method::PRack, "PRACK"),
    (Method::Publish, "PUBLISH"),
    (Method::Refer, "REFER"),
    (Method::Subscribe, "SUBSCRIBE"),
    (Method::Update, "UPDATE"),
];

/// The method written as `text`, if it has a name here.
pub fn method_named(text: &[u8]) -> Option<Method> {
    METHODS.iter().find(|(_, name)| name.as_bytes() == text).map(|(method, _)| *method)
}

/// The spelling of `method`.
pub fn method_text(method: Method) -> &'static str {
    METHODS.iter().find(|(m, _)| *m == method).map_or("", |(_, name)| name)
}

/// A status code (RFC 3261 21), 100 to 699.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident $code:literal $reason:literal;)+) => {
        impl Status {
            $(#[doc = concat!(stringify!($code), " ", $reason)] pub const $name: Self = Self($code);)+

            /// The reason phrase of the RFCs; the class's name for a code not listed.
            pub const fn reason(self) -> &'static str {
                match self.0 {
                    $($code => $reason,)+
                    100..200 => "Progress",
                    200..300 => "OK",
                    300..400 => "Redirection",
                    400..500 => "Request Failure",
                    500..600 => "Server Failure",
                    _ => "Global Failure",
                }
            }
        }
    };
}

statuses! {
    TRYING 100 "Trying";
    RINGING 180 "Ringing";
    FORWARDED 181 "Call Is Being Forwarded";
    QUEUED 182 "Queued";
    SESSION_PROGRESS 183 "Session Progress";
    OK 200 "OK";
    ACCEPTED 202 "Accepted";
    MULTIPLE_CHOICES 300 "Multiple Choices";
    MOVED_PERMANENTLY 301 "Moved Permanently";
    MOVED_TEMPORARILY 302 "Moved Temporarily";
    USE_PROXY 305 "Use Proxy";
    BAD_REQUEST 400 "Bad Request";
    UNAUTHORIZED 401 "Unauthorized";
    FORBIDDEN 403 "Forbidden";
    NOT_FOUND 404 "Not Found";
    METHOD_NOT_ALLOWED 405 "Method Not Allowed";
    NOT_ACCEPTABLE 406 "Not Acceptable";
    PROXY_AUTHENTICATION_REQUIRED 407 "Proxy Authentication Required";
    REQUEST_TIMEOUT 408 "Request Timeout";
    GONE 410 "Gone";
    UNSUPPORTED_MEDIA_TYPE 415 "Unsupported Media Type";
    UNSUPPORTED_URI_SCHEME 416 "Unsupported URI Scheme";
    BAD_EXTENSION 420 "Bad Extension";
    EXTENSION_REQUIRED 421 "Extension Required";
    SESSION_INTERVAL_TOO_SMALL 422 "Session Interval Too Small";
    INTERVAL_TOO_BRIEF 423 "Interval Too Brief";
    BAD_INFO_PACKAGE 469 "Bad Info Package";
    TEMPORARILY_UNAVAILABLE 480 "Temporarily Unavailable";
    NO_SUCH_TRANSACTION 481 "Call/Transaction Does Not Exist";
    LOOP_DETECTED 482 "Loop Detected";
    TOO_MANY_HOPS 483 "Too Many Hops";
    ADDRESS_INCOMPLETE 484 "Address Incomplete";
    BUSY_HERE 486 "Busy Here";
    REQUEST_TERMINATED 487 "Request Terminated";
    NOT_ACCEPTABLE_HERE 488 "Not Acceptable Here";
    BAD_EVENT 489 "Bad Event";
    REQUEST_PENDING 491 "Request Pending";
    SERVER_ERROR 500 "Server Internal Error";
    NOT_IMPLEMENTED 501 "Not Implemented";
    BAD_GATEWAY 502 "Bad Gateway";
    SERVICE_UNAVAILABLE 503 "Service Unavailable";
    SERVER_TIMEOUT 504 "Server Time-out";
    VERSION_NOT_SUPPORTED 505 "Version Not Supported";
    MESSAGE_TOO_LARGE 513 "Message Too Large";
    BUSY_EVERYWHERE 600 "Busy Everywhere";
    DECLINE 603 "Decline";
    DOES_NOT_EXIST_ANYWHERE 604 "Does Not Exist Anywhere";
    NOT_ACCEPTABLE_ANYWHERE 606 "Not Acceptable";
    UNWANTED 607 "Unwanted";
}

impl Status {
    /// The status with this code; none outside 100 to 699.
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            100..700 => Some(Self(code)),
            _ => None,
        }
    }
    /// The number.
    pub const fn code(self) -> u16 {
        self.0
    }
    /// 1xx.
    pub const fn is_provisional(self) -> bool {
        self.0 < 200
    }
    /// 2xx to 6xx.
    pub const fn is_final(self) -> bool {
        self.0 >= 200
    }
    /// 2xx.
    pub const fn is_success(self) -> bool {
        matches!(self.0, 200..300)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.reason())
    }
}

/// A request (RFC 3261 7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// The Request-URI.
    pub uri: AddrSpec,
    /// The header fields in their order.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// A response (RFC 3261 7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: Status,
    /// The reason phrase, as it came or as the RFC writes it.
    pub reason: String,
    /// The header fields in their order.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// Either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Request {
    /// A request without header fields and body.
    pub fn new(method: Method, uri: AddrSpec) -> Self {
        Self { method, uri, headers: Headers::new(), body: Vec::new() }
    }

    /// The ACK to a final response other than 2xx (RFC 3261 17.1.1.3): same Request-URI, top Via, From, Call-ID, Route
    /// and `CSeq` number as the INVITE; To from the response.
    #[must_use]
    pub fn ack_to_failure(&self, response: &Response) -> Self {
        let mut ack = self.sibling(Method::Ack);
        if let Some(to) = response.headers.get(HeaderName::To) {
            ack.headers.set(HeaderName::To, to);
        }
        ack
    }

    /// How long it was on the wire, at least: its fields and its body.
    pub(crate) fn octets(&self) -> usize {
        let fields: usize = self.headers.iter().map(|(_, name, value)| name.len() + value.len() + 4).sum();
        fields + self.body.len()
    }

    /// Whether it is longer than `most` bytes on the wire.
    pub(crate) fn is_longer_than(&self, most: usize) -> bool {
        // Start line and Content-Length: enough for any that is not itself a reason to look closely.
        const REST: usize = 300;
        let fields: usize = self.headers.iter().map(|(_, name, value)| name.len() + value.len() + 4).sum();
        let about = fields + self.body.len() + REST;
        if about <= most {
            return false;
        }
        let mut bytes = Vec::with_capacity(about);
        write_request(self, &mut bytes);
        bytes.len() > most
    }

    /// The CANCEL of this request (RFC 3261 9.1): the same Request-URI, top Via, From, To, Call-ID, Route and `CSeq`
    /// number.
    #[must_use]
    pub fn cancel(&self) -> Self {
        self.sibling(Method::Cancel)
    }

    fn sibling(&self, method: Method) -> Self {
        let mut twin = Self::new(method, self.uri.clone());
        if let Some(via) = self.headers.via() {
            twin.headers.push(HeaderName::Via, via.to_string());
        }
        twin.headers.push(HeaderName::MaxForwards, "70");
        for (name, _, value) in self.headers.iter() {
            if matches!(name, HeaderName::From | HeaderName::To | HeaderName::CallId | HeaderName::Route) {
                twin.headers.push(name, value);
            }
        }
        if let Some(cseq) = self.headers.cseq() {
            twin.headers.push(HeaderName::CSeq, CSeq { number: cseq.number, method }.to_string());
        }
        twin
    }
}

impl Response {
    /// The response to `request` (RFC 3261 8.2.6.2): its Via fields, From, To, Call-ID and `CSeq`; Timestamp too in a
    /// 100. The To tag is the caller's to add: [`Response::set_to_tag`].
    pub fn to_request(request: &Request, status: Status) -> Self {
        let mut headers = Headers::new();
        for (name, _, value) in request.headers.iter() {
            let copied = matches!(
                name,
                HeaderName::Via | HeaderName::From | HeaderName::To | HeaderName::CallId | HeaderName::CSeq
            ) || (name == HeaderName::Timestamp && status == Status::TRYING);
            if copied {
                headers.push(name, value);
            }
        }
        Self { status, reason: status.reason().to_owned(), headers, body: Vec::new() }
    }

    /// Puts `tag` into To unless To has one already.
    pub fn set_to_tag(&mut self, tag: &str) {
        if let Some(to) = self.headers.get(HeaderName::To)
            && NameAddr::can_read(to)
            && tag_of(to).is_none()
        {
            let tagged = format!("{to};tag={tag}");
            self.headers.set(HeaderName::To, tagged);
        }
    }
}

/// The accessors that requests and responses share; typed views of the rest are on [`Headers`].
macro_rules! common {
    ($($t:ty),+) => {$(
        impl $t {
            /// The same message with one more header field.
            #[must_use]
            pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
                self.headers.push(name, value);
                self
            }
            /// The same message with a body of the type `content_type`.
            #[must_use]
            pub fn with_body(mut self, content_type: &str, body: Vec<u8>) -> Self {
                self.headers.set(HeaderName::ContentType, content_type);
                self.body = body;
                self
            }
            /// The Call-ID; empty if there is none.
            pub fn call_id(&self) -> &str {
                self.headers.call_id().unwrap_or("")
            }
            /// The `CSeq`.
            pub fn cseq(&self) -> Option<CSeq> {
                self.headers.cseq()
            }
            /// The topmost Via, to keep.
            pub fn top_via(&self) -> Option<Via> {
                self.headers.via().cloned()
            }
            /// From.
            pub fn from(&self) -> Option<NameAddr> {
                self.headers.from()
            }
            /// To.
            pub fn to(&self) -> Option<NameAddr> {
                self.headers.to()
            }
            /// The tag of From.
            pub fn from_tag(&self) -> Option<String> {
                self.headers.get(HeaderName::From).and_then(tag_of).map(str::to_owned)
            }
            /// The tag of To.
            pub fn to_tag(&self) -> Option<String> {
                self.headers.get(HeaderName::To).and_then(tag_of).map(str::to_owned)
            }
        }
    )+};
}
common!(Request, Response);
