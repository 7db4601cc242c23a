//! `/api/v1/banner`: the emergency banner. Whoever may, puts it on and takes it off; the audit says who did.
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Office;
use super::gate::{Caller, refusal};
use super::menus::not_read;
use crate::exchange::BannerWish;
use crate::io::banner::NotDone;

/// `GET`: the banner that is on, or `null`.
pub(super) async fn shown(State(office): State<Office>) -> Response {
    match office.asker.posted().await {
        Ok(banner) => Json(banner).into_response(),
        Err(e) => refusal(StatusCode::SERVICE_UNAVAILABLE, e),
    }
}

/// `POST`: puts one on, in place of another. Words that no prompt has are spoken first.
pub(super) async fn on(
    State(office): State<Office>,
    caller: Caller,
    wish: Result<Json<BannerWish>, JsonRejection>,
) -> Response {
    let wish = match wish {
        Ok(Json(wish)) => wish,
        Err(e) => return not_read(&office, (&caller, "banner on"), &e).await,
    };
    match office.banners.on(wish, caller.by()).await {
        Ok(banner) => Json(banner).into_response(),
        Err(why) => not_done(&why),
    }
}

/// `DELETE`: takes it off. None on is no mistake.
pub(super) async fn off(State(office): State<Office>, caller: Caller) -> Response {
    match office.banners.off(caller.by()).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(why) => not_done(&why),
    }
}

fn not_done(why: &NotDone) -> Response {
    let status = match why {
        NotDone::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        NotDone::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        NotDone::Busy(_) | NotDone::Unconfirmed => StatusCode::SERVICE_UNAVAILABLE,
    };
    refusal(status, why)
}
