//! Keys by INFO: `application/dtmf-relay` (`Signal=5`, `Duration=160`) and `application/dtmf` (the key alone), RFC 6086's
//! legacy use. Invariant: what cannot be read as one key is 415 or 400 and reports nothing.
use super::Invite;
use super::server::Arrived;
use super::table::State;
use crate::base::{Instant, Key};
use crate::sip::event::SipEvent;
use crate::sip::message::{Method, Request, Status};
use crate::sip::name::HeaderName;
use crate::sip::station::{Role, Station};

/// A key and how long it was held in milliseconds, 0 if that is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Press {
    key: Key,
    duration_ms: u32,
}

/// The key named by `text`: its character, or the event code that some phones write for `*` and `#`.
fn key_of(text: &str) -> Option<Key> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Key::from_char(c),
        _ => text.parse().ok().filter(|code| (10..16).contains(code)).and_then(Key::from_event),
    }
}

/// `Signal=` and `Duration=` in any order and case, with or without spaces.
fn relay_press(body: &str) -> Option<Press> {
    let field = |name: &str| {
        body.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(n, _)| n.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let key = key_of(field("signal")?)?;
    let duration_ms = field("duration").and_then(|d| d.parse().ok()).unwrap_or(0);
    Some(Press { key, duration_ms })
}

/// What an INFO presses, if it says anything at all; otherwise how it is answered.
fn press_in(request: &Request) -> Result<Option<Press>, Status> {
    if request.body.is_empty() {
        // Whether the call is there is all that it asks: RFC 2976 section 2.2.
        return Ok(None);
    }
    let kind = request.headers.content_type();
    let body = std::str::from_utf8(&request.body).map_err(|_| Status::BAD_REQUEST)?;
    let press = match kind {
        Some(kind) if kind.is("application", "dtmf-relay") => relay_press(body),
        Some(kind) if kind.is("application", "dtmf") => {
            key_of(body.trim()).map(|key| Press { key, duration_ms: 0 }).or_else(|| relay_press(body))
        }
        Some(_) | None => return Err(Status::UNSUPPORTED_MEDIA_TYPE),
    };
    press.map(Some).ok_or(Status::BAD_REQUEST)
}

impl Invite {
    /// An INFO within the dialog.
    pub(super) fn handle_key(&mut self, station: &mut Station, now: Instant, arrived: &Arrived) {
        let Arrived { tx, request, .. } = arrived;
        let live = match self.state {
            State::Proceeding | State::Answered | State::Confirmed => true,
            State::Leaving
            | State::Calling
            | State::Ringing
            | State::CancelHeld
            | State::Cancelling
            | State::AckWanted
            | State::Over => false,
        };
        if !live {
            return station.refuse(now, *tx, request, Status::NO_SUCH_TRANSACTION);
        }
        match press_in(request) {
            Ok(press) => {
                station.refuse(now, *tx, request, Status::OK);
                if let Some(Press { key, duration_ms }) = press {
                    station.report(SipEvent::Key { invite: self.id, key, duration_ms });
                }
            }
            Err(status) => {
                let mut response = station.response(request, status);
                if status == Status::UNSUPPORTED_MEDIA_TYPE {
                    response.headers.push(HeaderName::Accept, "application/dtmf-relay, application/dtmf");
                }
                station.respond_tagged(now, *tx, response);
            }
        }
    }

    /// Presses a key at the peer's, by `application/dtmf-relay`.
    pub(crate) fn press(&mut self, station: &mut Station, now: Instant, key: Key, duration_ms: u32) {
        if self.state != State::Confirmed {
            return;
        }
        let Some(info) = self.dialog.as_mut().map(|d| d.request(Method::Info)) else { return };
        let body = format!("Signal={key}\r\nDuration={duration_ms}\r\n");
        self.start(station, now, info.with_body("application/dtmf-relay", body.into_bytes()), Role::Key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::uri::AddrSpec;

    fn info(kind: &str, body: &str) -> Result<Option<(char, u32)>, Status> {
        let uri = AddrSpec::sip(None, "h", None);
        let request = Request::new(Method::Info, uri).with_body(kind, body.as_bytes().to_vec());
        press_in(&request).map(|press| press.map(|p| (p.key.as_char(), p.duration_ms)))
    }

    #[test]
    fn keys_are_read_as_phones_write_them() {
        assert_eq!(info("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"), Ok(Some(('5', 160))));
        assert_eq!(info("application/dtmf-relay", "Signal= *\nDuration= 250"), Ok(Some(('*', 250))));
        assert_eq!(info("application/dtmf-relay", "duration=1\r\nsignal=#"), Ok(Some(('#', 1))));
        assert_eq!(info("Application/DTMF-Relay;x=y", "Signal=11\r\n"), Ok(Some(('#', 0))));
        assert_eq!(info("application/dtmf", "7\r\n"), Ok(Some(('7', 0))));
        assert_eq!(info("application/dtmf", "Signal=7\r\nDuration=90"), Ok(Some(('7', 90))));
    }

    #[test]
    fn what_is_no_key_reports_none() {
        assert_eq!(info("application/dtmf-relay", "Signal=55\r\n"), Err(Status::BAD_REQUEST));
        assert_eq!(info("application/dtmf-relay", "Duration=160"), Err(Status::BAD_REQUEST));
        assert_eq!(info("application/dtmf-relay", ""), Ok(None), "nothing is said");
        assert_eq!(info("application/dtmf", "55"), Err(Status::BAD_REQUEST));
        assert_eq!(info("text/plain", "5"), Err(Status::UNSUPPORTED_MEDIA_TYPE));
    }
}
