//! `/api/v1/banner`: the emergency banner. Whoever may, puts it on and takes it off; the audit says who did.
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Office;
use super::gate::{Caller, refusal};
use crate::exchange::BannerWish;
use crate::io::ask::AskError;

/// `GET`: the banner that is on, or `null`.
pub(super) async fn shown(State(office): State<Office>) -> Response {
    match office.asker.view().await {
        Ok(view) => Json(view.board.banner).into_response(),
        Err(e) => busy(e),
    }
}

/// `POST`: puts one on, in place of another.
pub(super) async fn on(
    State(office): State<Office>,
    caller: Caller,
    wish: Result<Json<BannerWish>, JsonRejection>,
) -> Response {
    let wish = match wish {
        Ok(Json(wish)) => wish,
        Err(e) => return refusal(StatusCode::BAD_REQUEST, e.body_text()),
    };
    let about = wish.about();
    match office.asker.banner(Some(wish)).await {
        Ok(Ok(banner)) => match office.audit(caller.deed("banner on", about, "done")).await {
            Ok(()) => Json(banner).into_response(),
            Err(response) => response,
        },
        Ok(Err(why)) => {
            // That it was refused is answered whether the disk has it or not.
            office.audit(caller.deed("banner on", about, &why)).await.ok();
            refusal(StatusCode::UNPROCESSABLE_ENTITY, why)
        }
        Err(e) => busy(e),
    }
}

/// `DELETE`: takes it off. None on is no mistake.
pub(super) async fn off(State(office): State<Office>, caller: Caller) -> Response {
    match office.asker.banner(None).await {
        Ok(_) => match office.audit(caller.deed("banner off", "", "done")).await {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(response) => response,
        },
        Err(e) => busy(e),
    }
}

fn busy(e: AskError) -> Response {
    refusal(StatusCode::SERVICE_UNAVAILABLE, e)
}
