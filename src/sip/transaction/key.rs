//! Which message belongs to which transaction (RFC 3261 17.1.3, 17.2.3, 8.2.2.2).
//! Parts of a key are joined by line feeds, which stand in no header value.
use crate::sip::message::{Method, Request, Response, method_text};
use crate::sip::name::HeaderName;
use crate::sip::value::tag_of;

/// The name of a client transaction: branch and method of `CSeq`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientKey(String);

impl ClientKey {
    /// Of a request that we send; `None` without a branch.
    pub(crate) fn of_request(request: &Request) -> Option<Self> {
        let via = request.headers.via()?;
        Some(Self::new(via.branch()?, request.method))
    }

    /// Of a response that came in.
    pub(crate) fn of_response(response: &Response) -> Option<Self> {
        let via = response.headers.via()?;
        Some(Self::new(via.branch()?, response.cseq()?.method))
    }

    fn new(branch: &str, method: Method) -> Self {
        Self([branch, "\n", method_text(method)].concat())
    }
}

/// The name of a server transaction. An ACK and a CANCEL are looked up under the INVITE's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ServerKey(String);

impl ServerKey {
    /// Of the transaction of `method` that `request` belongs to.
    pub(crate) fn of(request: &Request, method: Method) -> Self {
        let via = request.headers.via();
        let method_name = method_text(method);
        if let Some(via) = via
            && let Some(branch) = via.cookie_branch()
        {
            return Self([branch, "\n", &via.sent_by(), "\n", method_name].concat());
        }
        Self::by_the_old_rule(request, method)
    }

    /// RFC 2543's peers choose no unique branch: the request itself is the name. The To tag counts only where it
    /// cannot differ between a request and what belongs to it.
    fn by_the_old_rule(request: &Request, method: Method) -> Self {
        let via = request.headers.via().map_or_else(String::new, ToString::to_string);
        let from = request.from_tag().unwrap_or_default();
        let to = if method == Method::Invite { String::new() } else { request.to_tag().unwrap_or_default() };
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let (uri, call_id, name) = (&request.uri, request.call_id(), method_text(method));
        Self(format!("\n{uri}\n{from}\n{to}\n{call_id}\n{number}\n{via}\n{name}"))
    }
}

/// What the copies of one request that came over several paths have in common (8.2.2.2); `None` inside a dialog, where
/// there are no such copies, and for peers that set no From tag.
pub(crate) fn merge_key(request: &Request) -> Option<String> {
    let tag = |name| request.headers.get(name).and_then(tag_of);
    if tag(HeaderName::To).is_some() {
        return None;
    }
    let (from, cseq) = (tag(HeaderName::From)?, request.headers.get(HeaderName::CSeq)?);
    Some([from, "\n", request.call_id(), "\n", cseq].concat())
}
