//! Who may come in, and what he may do. On loopback without a token the `Host` header must name loopback, so that a page
//! of another site cannot read the API through a name that it points at 127.0.0.1. With tokens every API request carries
//! one; what changes something needs one that may, always. Invariant: of a token only its SHA-256 is kept, and comparing
//! takes the same time whatever is sent.
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use sha2::{Digest as _, Sha256};

use super::Office;
use super::doors::Doors;
use crate::exchange::Deed;
use crate::io::config_http::Right;
use crate::io::menus::By;

/// A token: whose it is, what it may do. Its text is not kept, and nothing of it is printed.
#[derive(Clone)]
pub(crate) struct Token {
    name: Arc<str>,
    digest: [u8; 32],
    may: BTreeSet<Right>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({}, ..)", self.name)
    }
}

impl Token {
    /// From its text.
    pub(crate) fn new(name: &str, text: &str, may: BTreeSet<Right>) -> Self {
        Self::of_digest(name, digest(text), may)
    }

    /// From the SHA-256 of its text.
    pub(crate) fn of_digest(name: &str, digest: [u8; 32], may: BTreeSet<Right>) -> Self {
        Self { name: name.into(), digest, may }
    }

    /// Compares in a time that does not depend on where the first difference is.
    fn matches(&self, given: &[u8; 32]) -> bool {
        self.digest.iter().zip(given).fold(0_u8, |d, (x, y)| d | (x ^ y)) == 0
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The rules of the door.
#[derive(Debug)]
pub(crate) struct Gate {
    local: SocketAddr,
    tokens: Vec<Token>,
}

impl Gate {
    /// For a listener at `local`; `None` when it is open to the network without a token, which is refused.
    pub(crate) fn new(local: SocketAddr, tokens: Vec<Token>) -> Option<Self> {
        (local.ip().is_loopback() || !tokens.is_empty()).then_some(Self { local, tokens })
    }

    /// Whose token this is. All are looked at, whichever it is.
    fn owner(&self, given: &str) -> Option<&Token> {
        let given = digest(given);
        self.tokens.iter().fold(None, |found, token| if token.matches(&given) { Some(token) } else { found })
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote(SocketAddr);

impl Connected<IncomingStream<'_, Doors>> for Remote {
    fn connect_info(stream: IncomingStream<'_, Doors>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The name of his token; `loopback` without one.
    pub(super) name: Arc<str>,
    /// Where he comes from.
    pub(super) from: Option<IpAddr>,
    may: BTreeSet<Right>,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    /// [`identify`] has put him there; before it there is nobody, who may do nothing.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let nobody = || Self { name: "nobody".into(), from: None, may: BTreeSet::new() };
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(nobody))
    }
}

impl Caller {
    /// Who he is, for whoever does it.
    pub(super) fn by(&self) -> By {
        let from = self.from.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
        By { who: self.name.to_string(), from }
    }

    /// What he did or wanted, for the audit.
    pub(super) fn deed(&self, what: &str, outcome: impl Into<String>) -> Deed {
        self.by().deed(what, String::new(), outcome.into())
    }
}

impl Office {
    /// Notes what was not done: that is answered, whether the disk has the note or not.
    pub(super) async fn note(&self, deed: Deed) {
        self.asker.note(deed).await.ok();
    }
}

/// The host part of a `Host` header, without its port.
fn host_of(header: &str) -> &str {
    match header.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(""),
        None => header.split(':').next().unwrap_or(""),
    }
}

pub(super) async fn check_host(State(office): State<Office>, request: Request, next: Next) -> Response {
    let gate = &office.gate;
    if gate.local.ip().is_loopback() && gate.tokens.is_empty() {
        let host = request.headers().get(HOST).and_then(|h| h.to_str().ok()).map_or("", host_of);
        let local =
            host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !local {
            return refusal(StatusCode::MISDIRECTED_REQUEST, "this server answers for loopback only");
        }
    }
    next.run(request).await
}

/// Finds out who asks, before anybody is asked what he may do.
pub(super) async fn identify(State(office): State<Office>, mut request: Request, next: Next) -> Response {
    let from = request.extensions().get::<ConnectInfo<Remote>>().map(|c| c.0.0.ip());
    let caller = if office.gate.tokens.is_empty() {
        Caller { name: "loopback".into(), from, may: BTreeSet::from([Right::Read]) }
    } else {
        let given = request.headers().get(AUTHORIZATION).and_then(|h| h.to_str().ok());
        let owner = given.and_then(|h| h.strip_prefix("Bearer ")).and_then(|t| office.gate.owner(t));
        let Some(token) = owner else {
            office.metrics.http_unauthorized.fetch_add(1, Ordering::Relaxed);
            let mut response = refusal(StatusCode::UNAUTHORIZED, "send `Authorization: Bearer TOKEN`");
            response.headers_mut().insert(WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
            return response;
        };
        Caller { name: Arc::clone(&token.name), from, may: token.may.clone() }
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Lets in whoever may do this.
pub(super) async fn need(
    State((office, right)): State<(Office, Right)>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Response {
    if caller.may.contains(&right) {
        return next.run(request).await;
    }
    office.metrics.http_forbidden.fetch_add(1, Ordering::Relaxed);
    let wanted = format!("{} {}", request.method(), request.uri().path());
    // That he was not let is answered whether the disk has it or not.
    if right != Right::Read {
        office.note(caller.deed(&wanted, "forbidden")).await;
    }
    let word = right.as_str();
    let why = if office.gate.tokens.is_empty() {
        format!(
            "this needs a token with may = [\"{word}\"]: [[http.tokens]] in hotline.toml; or use the commands of `hotline` on this machine"
        )
    } else {
        format!("the token of {} has no may = [\"{word}\"]", caller.name)
    };
    refusal(StatusCode::FORBIDDEN, why)
}

/// An error as the API gives it: `{"error": "..."}`.
pub(super) fn refusal(status: StatusCode, why: impl std::fmt::Display) -> Response {
    (status, Json(serde_json::json!({ "error": why.to_string() }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> BTreeSet<Right> {
        BTreeSet::from([Right::Read])
    }

    #[test]
    fn an_open_door_needs_a_token() {
        let open: SocketAddr = "0.0.0.0:8080".parse().unwrap();
        assert!(Gate::new(open, Vec::new()).is_none());
        assert!(Gate::new(open, vec![Token::new("a", "long", all())]).is_some());
        assert!(Gate::new("127.0.0.1:8080".parse().unwrap(), Vec::new()).is_some());
    }

    #[test]
    fn host_without_port() {
        assert_eq!(host_of("localhost:8080"), "localhost");
        assert_eq!(host_of("[::1]:8080"), "::1");
        assert_eq!(host_of("evil.example"), "evil.example");
    }

    #[test]
    fn a_token_is_its_owner_s_and_nobody_else_s_and_is_never_printed() {
        let tokens = vec![Token::new("a", "abc", all()), Token::of_digest("b", digest("xyz"), all())];
        let gate = Gate::new("127.0.0.1:1".parse().unwrap(), tokens).unwrap();
        let owner = |text| gate.owner(text).map(|t| t.name.to_string());
        assert_eq!((owner("abc"), owner("xyz")), (Some("a".to_owned()), Some("b".to_owned())));
        for wrong in ["abd", "ab", "abcd", ""] {
            assert_eq!(owner(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{:?}", gate.tokens[0]), "Token(a, ..)");
    }
}
