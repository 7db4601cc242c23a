//! Who may come in. On loopback without a token the `Host` header must name loopback, so that a page of another site
//! cannot read the API through a name that it points at 127.0.0.1. With a token every API request carries it.
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// A bearer token. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// From its text.
    pub(crate) const fn new(text: String) -> Self {
        Self(text)
    }

    /// Compares in a time that does not depend on where the first difference is.
    fn matches(&self, given: &str) -> bool {
        let (a, b) = (self.0.as_bytes(), given.as_bytes());
        let differing = a.iter().zip(b).fold(0_u8, |d, (x, y)| d | (x ^ y));
        a.len() == b.len() && differing == 0
    }
}

/// The rules of the door.
#[derive(Debug)]
pub(crate) struct Gate {
    local: SocketAddr,
    token: Option<Token>,
}

impl Gate {
    /// For a listener at `local`; `None` when it is open to the network without a token, which is refused.
    pub(crate) fn new(local: SocketAddr, token: Option<Token>) -> Option<Self> {
        (local.ip().is_loopback() || token.is_some()).then_some(Self { local, token })
    }
}

/// The host part of a `Host` header, without its port.
fn host_of(header: &str) -> &str {
    match header.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(""),
        None => header.split(':').next().unwrap_or(""),
    }
}

pub(super) async fn check_host(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    if gate.local.ip().is_loopback() && gate.token.is_none() {
        let host = request.headers().get(HOST).and_then(|h| h.to_str().ok()).map_or("", host_of);
        let local =
            host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !local {
            return refusal(StatusCode::MISDIRECTED_REQUEST, "this server answers for loopback only");
        }
    }
    next.run(request).await
}

pub(super) async fn check_token(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    if let Some(token) = &gate.token {
        let given = request.headers().get(AUTHORIZATION).and_then(|h| h.to_str().ok());
        if !given.and_then(|h| h.strip_prefix("Bearer ")).is_some_and(|t| token.matches(t)) {
            let mut response = refusal(StatusCode::UNAUTHORIZED, "send `Authorization: Bearer TOKEN`");
            response.headers_mut().insert(WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
            return response;
        }
    }
    next.run(request).await
}

/// An error as the API gives it: `{"error": "..."}`.
pub(super) fn refusal(status: StatusCode, why: impl std::fmt::Display) -> Response {
    (status, Json(serde_json::json!({ "error": why.to_string() }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_door_needs_a_token() {
        let open: SocketAddr = "0.0.0.0:8080".parse().unwrap();
        assert!(Gate::new(open, None).is_none());
        assert!(Gate::new(open, Some(Token::new("long".into()))).is_some());
        assert!(Gate::new("127.0.0.1:8080".parse().unwrap(), None).is_some());
    }

    #[test]
    fn host_without_port() {
        assert_eq!(host_of("localhost:8080"), "localhost");
        assert_eq!(host_of("[::1]:8080"), "::1");
        assert_eq!(host_of("evil.example"), "evil.example");
    }

    #[test]
    fn a_token_matches_itself_only() {
        let t = Token::new("abc".into());
        assert!(t.matches("abc"));
        assert!(!t.matches("abd") && !t.matches("ab") && !t.matches("abcd"));
        assert_eq!(format!("{t:?}"), "Token(..)");
    }
}
