//! HTTP: the status page, the API, health and metrics. What changes something needs a token that may. What callers put in their names is data here and
//! is never made into markup: the page sets text, not HTML, and its policy forbids any other script.
mod api;
mod banner;
mod doors;
mod gate;
mod menus;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;

use doors::Doors;
pub(super) use gate::{Gate, Token};
use gate::{Remote, identify, need};

use super::ask::Asker;
use super::banner::BannerDesk;
use super::config_http::Right;
use super::menus::MenuDesk;
use super::metrics::Metrics;
use super::store::Store;

/// What every request may use.
#[derive(Debug, Clone)]
pub(super) struct Office {
    /// The way to the control loop.
    pub asker: Asker,
    /// The record.
    pub store: Store,
    /// The way to the menus' workshop.
    pub menus: MenuDesk,
    /// Where the emergency banner is ordered.
    pub banners: BannerDesk,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Who may come in.
    pub gate: Arc<Gate>,
    /// How long a question may take to come in, and a connection may rest.
    pub patience: Duration,
}

/// Serves HTTP on `listener` until the task is dropped.
pub(super) async fn serve(listener: std::net::TcpListener, office: Office) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let doors = Doors::new(listener, office.patience);
    axum::serve(doors, router(office).into_make_service_with_connect_info::<Remote>()).await
}

fn router(office: Office) -> Router {
    let only = |right| middleware::from_fn_with_state((office.clone(), right), need);
    let read = Router::new()
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/calls", get(api::calls))
        .route("/api/v1/calls/{call}", get(api::call))
        .route("/api/v1/calls/{call}/ladder", get(api::ladder))
        .route("/api/v1/audit", get(api::audit))
        .route("/api/v1/promises", get(api::promises))
        .route("/api/v1/menus/revisions", get(menus::revisions))
        .route("/metrics", get(api::metrics))
        .route("/api/v1/banner", get(banner::shown))
        .layer(only(Right::Read));
    let menus = Router::new()
        .route("/api/v1/menus", post(menus::install))
        .route("/api/v1/menus/validate", post(menus::validate))
        .route("/api/v1/menus/reload", post(menus::reload))
        .route("/api/v1/menus/rollback", post(menus::roll_back))
        .layer(DefaultBodyLimit::max(menus::SET_BYTES))
        .layer(only(Right::Menus));
    let banner = Router::new()
        .route("/api/v1/banner", post(banner::on).delete(banner::off))
        .layer(only(Right::Banner));
    let guarded =
        read.merge(menus).merge(banner).layer(middleware::from_fn_with_state(office.clone(), identify));
    Router::new()
        .route("/", get(|| async { asset("text/html; charset=utf-8", include_str!("page.html")) }))
        .route("/page.css", get(|| async { asset("text/css; charset=utf-8", include_str!("page.css")) }))
        .route("/page.js", get(|| async { asset("text/javascript; charset=utf-8", include_str!("page.js")) }))
        .route("/healthz", get(api::healthz))
        .merge(guarded)
        .fallback(api::nothing_here)
        .method_not_allowed_fallback(api::other_method)
        .layer(middleware::from_fn_with_state(office.clone(), gate::check_host))
        .layer(middleware::map_response(headers))
        .with_state(office)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

async fn headers(mut response: Response) -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                          img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let fixed: [(HeaderName, &'static str); 4] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, axum::http::HeaderValue::from_static(value));
    }
    response
}
