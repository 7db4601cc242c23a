//! From spans to a message, or to the reason why there is none (RFC 3261 7, 8.2, 18.3, 20; RFC 4475). The order of the
//! checks decides which fault is named: version, header part, length, mandatory fields, method, the fields' grammar,
//! Request-URI. Invariant: what passes here is readable everywhere above.
use crate::base::limits::{SIP_ADDRESSES, SIP_BODY_BYTES, SIP_HEADER_BYTES};
use crate::sip::header::Headers;
use crate::sip::lex;
use crate::sip::message::{Message, Method, Request, Response, Status, method_named};
use crate::sip::name::HeaderName;
use crate::sip::uri::AddrSpec;
use crate::sip::value::{CSeq, NameAddr, Via};
use crate::sip::wire::scan::{RawField, ScanFault, Scanned};
use crate::sip::wire::start::Start;

/// Why a message goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A request that is answered: the status, and what the reason phrase says.
    Refuse(Status, &'static str),
    /// A response that is not what it says, or not for us.
    Drop(DropCause),
}

/// Why a message was dropped without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropCause {
    /// Nothing but empty lines or NULs: some phone keeps its path through a NAT open.
    KeepAlive,
    /// The first line is not SIP.
    BrokenStart,
    /// A malformed response.
    BrokenResponse,
    /// A response with more than one Via: it went astray (RFC 3261 8.1.3.3).
    StrayResponse,
    /// A malformed ACK; nobody answers an ACK.
    BrokenAck,
    /// A malformed request without a Via: nobody could match the answer.
    NoVia,
}

const fn bad(reason: &'static str) -> Fault {
    Fault::Refuse(Status::BAD_REQUEST, reason)
}

/// The length that the message declares, `None` if it declares none.
///
/// # Errors
/// Two that differ, or one that is no number.
pub(crate) fn declared_length(scanned: &Scanned<'_>) -> Result<Option<usize>, &'static str> {
    let mut found = None;
    for field in scanned.fields().filter(|field| field.name == HeaderName::ContentLength) {
        let text = std::str::from_utf8(field.value).unwrap_or("");
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number {
            return Err("Bad Content-Length");
        }
        // One too long for a number is too long for anything else too.
        let length = text.parse().unwrap_or(usize::MAX);
        if found.is_some_and(|other| other != length) {
            return Err("Conflicting Content-Length");
        }
        found = Some(length);
    }
    Ok(found)
}

/// The message, if it is one that `supported` lets through.
pub(crate) fn read(scanned: &Scanned<'_>, supported: &[Method]) -> Result<Message, Fault> {
    match Start::read(scanned.start_line()) {
        Start::Broken => Err(Fault::Drop(DropCause::BrokenStart)),
        Start::Response { code, reason } => read_response(scanned, code, reason)
            .map(Message::Response)
            .map_err(|cause| Fault::Drop(cause.unwrap_or(DropCause::BrokenResponse))),
        Start::Request { is_version_2: false, .. } => {
            Err(Fault::Refuse(Status::VERSION_NOT_SUPPORTED, Status::VERSION_NOT_SUPPORTED.reason()))
        }
        Start::Request { method, uri, is_well_spaced, .. } => {
            let uri = if is_well_spaced { uri } else { b"" };
            read_request(scanned, (method, uri), supported).map(Message::Request)
        }
    }
}

fn read_request(
    scanned: &Scanned<'_>,
    (method_name, uri): (&[u8], &[u8]),
    supported: &[Method],
) -> Result<Request, Fault> {
    let body = body(scanned)?;
    check_mandatory(scanned).map_err(bad)?;
    if members(scanned) > SIP_ADDRESSES {
        return Err(bad("Too Many Addresses"));
    }
    let method = method_named(method_name)
        .ok_or(Fault::Refuse(Status::NOT_IMPLEMENTED, Status::NOT_IMPLEMENTED.reason()))?;
    if method != Method::Ack && !supported.contains(&method) {
        return Err(Fault::Refuse(Status::METHOD_NOT_ALLOWED, Status::METHOD_NOT_ALLOWED.reason()));
    }
    let headers = headers(scanned);
    check_grammar(&headers).map_err(bad)?;
    if headers.cseq().map(|cseq| cseq.method) != Some(method) {
        return Err(bad("CSeq Method Differs"));
    }
    if uri.is_empty() {
        return Err(bad("Bad Request-Line"));
    }
    let uri = AddrSpec::parse(&text(uri, false)).ok_or(bad("Bad Request-URI"))?;
    if uri.as_sip().is_some_and(|sip| !sip.headers.is_empty()) {
        return Err(bad("Headers In Request-URI"));
    }
    Ok(Request { method, uri, headers, body: body.to_vec() })
}

/// The error names a cause if it is another than "malformed".
fn read_response(scanned: &Scanned<'_>, code: u16, reason: &[u8]) -> Result<Response, Option<DropCause>> {
    let body = body(scanned).map_err(|_| None)?;
    check_mandatory(scanned).map_err(|_| None)?;
    if members(scanned) > SIP_ADDRESSES {
        return Err(None);
    }
    let headers = headers(scanned);
    check_grammar(&headers).map_err(|_| None)?;
    if headers.via_count() != 1 {
        return Err(Some(DropCause::StrayResponse));
    }
    let status = Status::new(code).ok_or(None)?;
    Ok(Response { status, reason: text(reason, false), headers, body: body.to_vec() })
}

/// The header part is whole, within its bounds, and the body is there (RFC 3261 18.3, 20.14).
fn body<'a>(scanned: &Scanned<'a>) -> Result<&'a [u8], Fault> {
    match scanned.fault {
        None => {}
        Some(ScanFault::NoEnd) => return Err(bad("No Empty Line After Header Fields")),
        Some(ScanFault::BadField) => return Err(bad("Bad Header Field")),
        Some(ScanFault::TooManyFields) => return Err(bad("Too Many Header Fields")),
    }
    let too_large = Fault::Refuse(Status::MESSAGE_TOO_LARGE, Status::MESSAGE_TOO_LARGE.reason());
    let rest = scanned.rest();
    let length = declared_length(scanned).map_err(bad)?.unwrap_or(rest.len());
    if scanned.head_bytes() > SIP_HEADER_BYTES || length > SIP_BODY_BYTES {
        return Err(too_large);
    }
    rest.get(..length).ok_or(bad("Content-Length Beyond The End"))
}

/// Those that every message has (RFC 3261 8.1.1), each once, Via at least once. Max-Forwards is not asked for: peers of
/// RFC 2543 have none.
fn check_mandatory(scanned: &Scanned<'_>) -> Result<(), &'static str> {
    const ONCE: [(HeaderName, &str, &str); 4] = [
        (HeaderName::From, "Missing From", "Several From"),
        (HeaderName::To, "Missing To", "Several To"),
        (HeaderName::CallId, "Missing Call-ID", "Several Call-ID"),
        (HeaderName::CSeq, "Missing CSeq", "Several CSeq"),
    ];
    if !scanned.fields().any(|field| field.name == HeaderName::Via) {
        return Err("Missing Via");
    }
    for (name, missing, several) in ONCE {
        match scanned.fields().filter(|field| field.name == name).count() {
            0 => return Err(missing),
            1 => {}
            _ => return Err(several),
        }
    }
    Ok(())
}

/// How many addresses are looked at in the fields that list them: counted before any is read, and no further than to
/// one too many. A short header part has none too many.
pub(crate) fn members(scanned: &Scanned<'_>) -> usize {
    const LISTS: [HeaderName; 4] =
        [HeaderName::Via, HeaderName::Route, HeaderName::RecordRoute, HeaderName::Contact];
    if scanned.head_bytes() <= 8 * SIP_ADDRESSES {
        return 0;
    }
    let lists = scanned.fields().filter(|field| LISTS.contains(&field.name));
    let commas = lists.flat_map(|field| std::iter::once(0).chain(memchr::memchr_iter(b',', field.value)));
    commas.take(LISTS.len() * SIP_ADDRESSES + 1).count()
}

/// The fields that everyone above relies on can be read.
fn check_grammar(headers: &Headers) -> Result<(), &'static str> {
    let mut others = headers.all(HeaderName::Via).flat_map(|value| lex::split(value, b',')).skip(1);
    if headers.via().is_none() || !others.all(|via| Via::parse(via).is_some()) {
        return Err("Bad Via");
    }
    if !headers.get(HeaderName::From).is_some_and(NameAddr::can_read) {
        return Err("Bad From");
    }
    if !headers.get(HeaderName::To).is_some_and(NameAddr::can_read) {
        return Err("Bad To");
    }
    if headers.call_id().is_none_or(str::is_empty) {
        return Err("Bad Call-ID");
    }
    if headers.get(HeaderName::CSeq).and_then(CSeq::parts).is_none() {
        return Err("Bad CSeq");
    }
    if !headers.list(HeaderName::Contact).all(NameAddr::can_read) && headers.contacts().is_none() {
        return Err("Bad Contact");
    }
    for (name, wrong) in [(HeaderName::Route, "Bad Route"), (HeaderName::RecordRoute, "Bad Record-Route")] {
        if !headers.list(name).all(NameAddr::can_read) {
            return Err(wrong);
        }
    }
    let hops = headers.get(HeaderName::MaxForwards);
    if hops.is_some() && headers.number(HeaderName::MaxForwards).is_none() {
        return Err("Bad Max-Forwards");
    }
    Ok(())
}

fn headers(scanned: &Scanned<'_>) -> Headers {
    let mut headers = Headers::new();
    for field in scanned.fields() {
        if field.name == HeaderName::Other {
            headers.push_named(&text(field.spelling, false), field_text(field));
        } else if field.name != HeaderName::ContentLength {
            headers.push(field.name, field_text(field));
        }
    }
    headers
}

/// The value as text, its folds undone.
pub(crate) fn field_text(field: RawField<'_>) -> String {
    text(field.value, field.is_folded)
}

/// Bytes as text: UTF-8, or Latin-1 where they are not UTF-8, so that one odd byte loses nothing.
fn text(bytes: &[u8], is_folded: bool) -> String {
    let unfolded;
    let bytes = if is_folded {
        unfolded = unfold(bytes);
        unfolded.as_slice()
    } else {
        bytes
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

/// Each fold, with the white space round it, becomes one space (RFC 3261 7.3.1).
fn unfold(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split(|b| *b == b'\n') {
        let line = line.trim_ascii();
        if !out.is_empty() && !line.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(line);
    }
    out
}
