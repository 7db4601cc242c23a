//! The API's answers. Errors are `{"error": "..."}` with the right status.
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Office;
use super::gate::refusal;
use crate::base::CallId;
use crate::exchange::menu::Day;
use crate::io::ask::AskError;
use crate::io::menus::MenusTold;
use crate::io::store::{CallFilter, PromiseFilter, StoreError};
use crate::node::NodeView;

/// `GET /healthz`: 200 when the control loop answers.
pub(super) async fn healthz(State(office): State<Office>) -> Response {
    match office.asker.ping().await {
        Ok(()) => "ok\n".into_response(),
        Err(e) => busy(e),
    }
}

/// `GET /metrics`: Prometheus text.
pub(super) async fn metrics(State(office): State<Office>) -> Response {
    const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let view = match office.asker.view().await {
        Ok(view) => view,
        Err(e) => return busy(e),
    };
    ([(CONTENT_TYPE, KIND)], office.metrics.text(&view)).into_response()
}

/// What `GET /api/v1/status` answers.
#[derive(Serialize)]
struct Status {
    /// What is wrong with disk and store; empty when all is well.
    alarms: Vec<&'static str>,
    /// Which set of menus holds, and which was not taken.
    menus_told: MenusTold,
    #[serde(flatten)]
    view: Box<NodeView>,
}

/// `GET /api/v1/status`: all that is going on.
pub(super) async fn status(State(office): State<Office>) -> Response {
    let (alarms, menus_told) = (office.metrics.alarms(), office.metrics.menus.told());
    let told = |view| Json(Status { alarms, menus_told, view }).into_response();
    office.asker.view().await.map_or_else(busy, told)
}

/// The question part of `GET /api/v1/calls`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CallsQuery {
    before: Option<u64>,
    caller: Option<String>,
    queue: Option<String>,
    limit: Option<u32>,
}

/// `GET /api/v1/calls`: the last calls, newest first.
pub(super) async fn calls(
    State(office): State<Office>,
    query: Result<Query<CallsQuery>, QueryRejection>,
) -> Response {
    let q = match query {
        Ok(Query(q)) => q,
        Err(e) => return refusal(StatusCode::BAD_REQUEST, e.body_text()),
    };
    let filter =
        CallFilter { before: q.before, caller: q.caller, queue: q.queue, limit: q.limit.unwrap_or(50) };
    office.store.calls(&filter).await.map_or_else(|e| broken(&e), |rows| Json(rows).into_response())
}

/// The question part of `GET /api/v1/audit`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AuditQuery {
    before: Option<i64>,
    limit: Option<u32>,
}

/// `GET /api/v1/audit`: who changed what, newest first.
pub(super) async fn audit(
    State(office): State<Office>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Response {
    let q = match query {
        Ok(Query(q)) => q,
        Err(e) => return refusal(StatusCode::BAD_REQUEST, e.body_text()),
    };
    let rows = office.store.audit(q.before, q.limit.unwrap_or(50)).await;
    rows.map_or_else(|e| broken(&e), |rows| Json(rows).into_response())
}

/// The question part of `GET /api/v1/promises`: days by the line's clock, the last one included.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PromisesQuery {
    from: Option<String>,
    to: Option<String>,
}

/// `GET /api/v1/promises`: what became of the waits that were promised, by queue and half-hour; of today without a question.
pub(super) async fn promises(
    State(office): State<Office>,
    query: Result<Query<PromisesQuery>, QueryRejection>,
) -> Response {
    let q = match query {
        Ok(Query(q)) => q,
        Err(e) => return refusal(StatusCode::BAD_REQUEST, e.body_text()),
    };
    let day = |text: Option<String>| {
        text.map(|t| Day::parse(&t).ok_or_else(|| format!("`{t}` is no day; write 2026-03-02"))).transpose()
    };
    let (from, to) = match day(q.from).and_then(|from| Ok((from, day(q.to)?))) {
        Ok((None, None)) => match office.asker.view().await {
            Ok(view) => (Day::parse(&view.board.day), Day::parse(&view.board.day)),
            Err(e) => return busy(e),
        },
        Ok(days) => days,
        Err(why) => return refusal(StatusCode::BAD_REQUEST, why),
    };
    let filter = PromiseFilter { from_s: from.map(Day::wall_s), to_s: to.map(|day| day.next().wall_s()) };
    office.store.promises(&filter).await.map_or_else(|e| broken(&e), |report| Json(report).into_response())
}

/// `GET /api/v1/calls/{call}`: one call's story.
pub(super) async fn call(State(office): State<Office>, call: Result<Path<u64>, PathRejection>) -> Response {
    let call = match call {
        Ok(Path(call)) => call,
        Err(e) => return no_number(&e),
    };
    match office.store.call(CallId(call)).await {
        Ok(Some(story)) => Json(story).into_response(),
        Ok(None) => refusal(StatusCode::NOT_FOUND, format_args!("no call {call} in the record")),
        Err(e) => broken(&e),
    }
}

/// `GET /api/v1/calls/{call}/ladder`: the SIP of a call, drawn.
pub(super) async fn ladder(State(office): State<Office>, call: Result<Path<u64>, PathRejection>) -> Response {
    let call = match call {
        Ok(Path(call)) => call,
        Err(e) => return no_number(&e),
    };
    match office.asker.ladder(CallId(call)).await {
        Ok(Some(text)) => text.into_response(),
        Ok(None) => refusal(StatusCode::NOT_FOUND, format_args!("no SIP of call {call} is kept")),
        Err(e) => busy(e),
    }
}

/// Any other path.
pub(super) async fn nothing_here(uri: Uri) -> Response {
    refusal(StatusCode::NOT_FOUND, format_args!("nothing is at {}", uri.path()))
}

/// Any other method.
pub(super) async fn other_method(method: Method, uri: Uri) -> Response {
    refusal(StatusCode::METHOD_NOT_ALLOWED, format_args!("{method} does nothing at {}", uri.path()))
}

fn no_number(e: &PathRejection) -> Response {
    refusal(StatusCode::BAD_REQUEST, format_args!("a call has a number: {}", e.body_text()))
}

fn busy(e: AskError) -> Response {
    refusal(StatusCode::SERVICE_UNAVAILABLE, e)
}

fn broken(e: &StoreError) -> Response {
    tracing::error!(error = %e, "the store could not answer");
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "the store could not answer; see the log")
}
