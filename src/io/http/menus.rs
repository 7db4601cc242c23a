//! Menus over HTTP: check a set, install it, take one back, see what is kept. Success is answered when it is on disk.
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Office;
use super::gate::{Caller, refusal};
use crate::io::ask::AskError;
use crate::io::menus::{Files, INSTALL, Job, Outcome, ROLL_BACK};

/// The largest set that may be sent, in bytes.
pub(super) const SET_BYTES: usize = 8 << 20;

/// What `POST /api/v1/menus/rollback` may say.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RollBack {
    /// A number or a revision; without it the set before.
    to: Option<String>,
}

/// `POST /api/v1/menus/validate`: what `hotline check --json` would say of these files.
pub(super) async fn validate(
    State(office): State<Office>,
    files: Result<Json<Files>, JsonRejection>,
) -> Response {
    match files {
        Ok(Json(files)) => order(&office, Job::Validate(files)).await,
        Err(e) => refusal(status_of(&e), e.body_text()),
    }
}

/// `POST /api/v1/menus`: these files hold, or none of them.
pub(super) async fn install(
    State(office): State<Office>,
    caller: Caller,
    files: Result<Json<Files>, JsonRejection>,
) -> Response {
    match files {
        Ok(Json(files)) => order(&office, Job::Install(Some(files), caller.by())).await,
        Err(e) => not_read(&office, (&caller, INSTALL), &e).await,
    }
}

/// `POST /api/v1/menus/reload`: the files of the folder hold, now.
pub(super) async fn reload(State(office): State<Office>, caller: Caller) -> Response {
    order(&office, Job::Install(None, caller.by())).await
}

/// `POST /api/v1/menus/rollback`: a set that was kept holds again.
pub(super) async fn roll_back(
    State(office): State<Office>,
    caller: Caller,
    asked: Result<Option<Json<RollBack>>, JsonRejection>,
) -> Response {
    match asked {
        Ok(asked) => order(&office, Job::RollBack(asked.unwrap_or_default().0.to, caller.by())).await,
        Err(e) => not_read(&office, (&caller, ROLL_BACK), &e).await,
    }
}

/// `GET /api/v1/menus/revisions`: what is kept, the newest first.
pub(super) async fn revisions(State(office): State<Office>) -> Response {
    order(&office, Job::Revisions).await
}

fn status_of(e: &JsonRejection) -> StatusCode {
    match e.status() {
        kept @ (StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNSUPPORTED_MEDIA_TYPE) => kept,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// A change that could not even be read. Nothing that was sent is repeated in full: only where it is no JSON, or not what
/// is wanted.
pub(super) async fn not_read(
    office: &Office,
    (caller, what): (&Caller, &str),
    e: &JsonRejection,
) -> Response {
    let why = e.body_text();
    office.note(caller.deed(what, format!("refused: {why}"))).await;
    refusal(status_of(e), why)
}

async fn order(office: &Office, job: Job) -> Response {
    office.menus.order(job).await.map_or_else(busy, answer)
}

fn busy(e: AskError) -> Response {
    let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, e);
    if e == AskError::Busy {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}

fn answer(outcome: Outcome) -> Response {
    match outcome {
        Outcome::Good(warnings) => Json(warnings).into_response(),
        Outcome::Mistakes(diagnostics) => {
            let error = "the set has mistakes; nothing was installed";
            let body = serde_json::json!({ "error": error, "diagnostics": diagnostics });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
        Outcome::Installed { number, revision, changed, warnings } => {
            let body = serde_json::json!({
                "number": number, "revision": revision, "changed": changed, "warnings": warnings,
            });
            Json(body).into_response()
        }
        Outcome::Unchanged { revision } => {
            Json(serde_json::json!({ "unchanged": true, "revision": revision })).into_response()
        }
        Outcome::Revisions(rows) => Json(rows).into_response(),
        Outcome::Conflict(why) => refusal(StatusCode::CONFLICT, why),
        Outcome::NotFound(why) => refusal(StatusCode::NOT_FOUND, why),
        Outcome::Bad(why) => refusal(StatusCode::BAD_REQUEST, why),
        Outcome::NotYet(why) => {
            let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, why);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
            response
        }
        Outcome::Failed(why) => refusal(StatusCode::INTERNAL_SERVER_ERROR, why),
        Outcome::Unconfirmed(what) => {
            let why =
                format!("{what}, but the disk did not confirm it: a restart may not know; see hotline_alarm");
            refusal(StatusCode::SERVICE_UNAVAILABLE, why)
        }
    }
}
