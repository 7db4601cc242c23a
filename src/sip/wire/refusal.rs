//! Answers of the wire layer, composed from the spans of a request that never became one (RFC 3261 8.2.6, 8.2.7).
//! Invariant: the same request gets the same answer, byte for byte, so that nothing has to be remembered.
use crate::sip::lex;
use crate::sip::message::{Method, Status, method_text};
use crate::sip::name::HeaderName;
use crate::sip::transport::{Source, Transmit};
use crate::sip::value::{NameAddr, Via};
use crate::sip::wire::put_field;
use crate::sip::wire::read::field_text;
use crate::sip::wire::scan::{RawField, Scanned};

/// The response, or `None` where it could not be matched for want of a Via.
pub(crate) fn answer(
    scanned: &Scanned<'_>,
    source: &Source,
    (status, reason): (Status, &str),
    supported: &[Method],
) -> Option<Transmit> {
    let mut vias = fields(scanned, HeaderName::Via);
    let first = field_text(vias.next()?);
    let (top, below) = lex::find_outside(&first, b',')
        .and_then(|at| first.split_at_checked(at))
        .unwrap_or((first.as_str(), ""));
    let via = Via::parse(top).map(|via| stamped(via, source));

    let mut bytes = format!("SIP/2.0 {} {reason}\r\n", status.code()).into_bytes();
    let top = via.as_ref().map_or_else(|| first.clone(), |via| format!("{via}{below}"));
    put_field(&mut bytes, HeaderName::Via.as_str(), &top);
    for via in vias {
        put_field(&mut bytes, HeaderName::Via.as_str(), &field_text(via));
    }
    for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
        if let Some(field) = fields(scanned, name).next() {
            let value = field_text(field);
            let value = if name == HeaderName::To { tagged(value, scanned) } else { value };
            put_field(&mut bytes, name.as_str(), &value);
        }
    }
    if status == Status::METHOD_NOT_ALLOWED || status == Status::NOT_IMPLEMENTED {
        put_field(&mut bytes, HeaderName::Allow.as_str(), &allow(supported));
    }
    put_field(&mut bytes, HeaderName::ContentLength.as_str(), "0");
    bytes.extend_from_slice(b"\r\n");
    Some(Transmit::new(source.response_to(via.as_ref()), bytes))
}

/// The value of Allow.
pub(crate) fn allow(supported: &[Method]) -> String {
    supported.iter().map(|method| method_text(*method)).collect::<Vec<_>>().join(", ")
}

/// The top Via with what the transport knows (RFC 3261 18.2.1, RFC 3581 4): `received` where `sent-by` is not the
/// address it came from, and where `rport` was asked for, both.
pub(crate) fn stamped(mut via: Via, source: &Source) -> Via {
    let bare = via.host.trim_start_matches('[').trim_end_matches(']');
    let is_honest = bare.parse().is_ok_and(|ip: std::net::IpAddr| ip == source.remote.ip());
    let asks_for_port = via.params.contains("rport");
    if asks_for_port {
        via.params.set("rport", Some(&source.remote.port().to_string()));
    }
    if asks_for_port || !is_honest {
        via.params.set("received", Some(&source.remote.ip().to_string()));
    } else {
        // A sender cannot speak for us: what it wrote here itself is not what we saw.
        via.params.remove("received");
    }
    via
}

fn fields<'a>(scanned: &Scanned<'a>, name: HeaderName) -> impl Iterator<Item = RawField<'a>> + use<'a> {
    scanned.fields().filter(move |field| field.name == name)
}

/// A To that can be read and has no tag gets one, which depends on the request alone.
fn tagged(to: String, scanned: &Scanned<'_>) -> String {
    if NameAddr::parse(&to).is_none_or(|to| to.tag().is_some()) {
        return to;
    }
    let names = [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::CSeq];
    let bytes = scanned.fields().filter(|field| names.contains(&field.name)).flat_map(|field| field.value);
    // FNV-1a: no secret, only the same for a copy of the request.
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| {
        (hash ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{to};tag={hash:016x}")
}
