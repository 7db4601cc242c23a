//! Session timers, RFC 4028: a dialog that nobody refreshes in time is over, so that neither side holds a call whose
//! other end is gone.
//!
//! Each 2xx to an INVITE, re-INVITE or UPDATE says how long the session lasts and who refreshes it. Whoever does, does
//! it at half the time; the other one says BYE a little before the end (section 10).
//!
//! Invariant: the timers of a session are set exactly while `session` is; a peer that neither asked for one nor says
//! that it knows them costs nothing.
use std::time::Duration;

use super::Invite;
use super::reoffer::Wish;
use super::table::Happening;
use crate::base::Instant;
use crate::sip::event::EndReason;
use crate::sip::header::Headers;
use crate::sip::message::{Request, Response, Status};
use crate::sip::name::HeaderName;
use crate::sip::settings::SessionSettings;
use crate::sip::station::{InviteTimer, Station};

/// No interval is shorter, section 4; what Min-SE means where it is not said.
const LEAST_S: u32 = 90;
/// How often one dialog's interval is raised by a 422.
const RAISED_MAX: u8 = 5;
/// How long before the end whoever does not refresh says BYE, at most, section 10.
const BEFORE_THE_END: Duration = Duration::from_secs(32);

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session {
    interval_s: u32,
    we_refresh: bool,
}

/// Who refreshes, seen from a request: its sender or its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refresher {
    Uac,
    Uas,
}

/// A Session-Expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    interval_s: u32,
    refresher: Option<Refresher>,
}

fn said(headers: &Headers) -> Option<Said> {
    let value = headers.get(HeaderName::SessionExpires)?;
    let refresher = value.split(';').skip(1).find_map(|param| {
        let (name, value) = param.split_once('=')?;
        let side = value.trim();
        let side = if side.eq_ignore_ascii_case("uac") {
            Refresher::Uac
        } else if side.eq_ignore_ascii_case("uas") {
            Refresher::Uas
        } else {
            return None;
        };
        name.trim().eq_ignore_ascii_case("refresher").then_some(side)
    });
    Some(Said { interval_s: headers.number(HeaderName::SessionExpires)?, refresher })
}

/// Whoever requires timers says that it supports them, too.
fn knows_timers(request: &Request) -> bool {
    request.headers.lists(HeaderName::Supported, "timer")
}

fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(LEAST_S)
}

/// What a 2xx of ours to `request` agrees on, section 9.
fn agree(request: &Request, current: Option<Session>, settings: SessionSettings) -> Option<Session> {
    let wanted = said(&request.headers).filter(|said| said.interval_s >= LEAST_S);
    let known = knows_timers(request);
    if wanted.is_none() && current.is_none() && !known {
        return None;
    }
    let ours = whole_seconds(settings.interval);
    let least = request.headers.number(HeaderName::MinSe).unwrap_or(0).max(LEAST_S);
    let wish = wanted.map(|said| said.interval_s).or(current.map(|session| session.interval_s));
    let we_refresh = match wanted.and_then(|said| said.refresher) {
        Some(Refresher::Uac) => !known,
        Some(Refresher::Uas) => true,
        // Ours to choose: who did it goes on; else we, for then a peer that forgets loses nothing.
        None => !known || current.is_none_or(|session| session.we_refresh),
    };
    Some(Session { interval_s: wish.unwrap_or(ours).min(ours).max(least), we_refresh })
}

/// The 422 to a request whose interval is shorter than ours may be, section 6. A peer without timers is spared: a proxy
/// wrote the interval, and the peer would not understand.
pub(crate) fn too_brief(station: &Station, request: &Request) -> Option<Response> {
    let said = said(&request.headers)?;
    let least = whole_seconds(station.session.least);
    if said.interval_s >= least || !knows_timers(request) {
        return None;
    }
    let mut response = station.response(request, Status::SESSION_INTERVAL_TOO_SMALL);
    response.headers.push(HeaderName::MinSe, least.to_string());
    Some(response)
}

/// Asks for a session in a first INVITE, sections 7.1 and 7.4: who refreshes is for the peer to say.
pub(super) fn ask(headers: &mut Headers, settings: SessionSettings) {
    headers.push(HeaderName::SessionExpires, whole_seconds(settings.interval).to_string());
    let least = whole_seconds(settings.least);
    if least > LEAST_S {
        headers.push(HeaderName::MinSe, least.to_string());
    }
}

impl Invite {
    /// The same for a request within the dialog: the roles stay.
    pub(super) fn ask_to_go_on(&self, station: &Station, headers: &mut Headers) {
        let Some(session) = self.session else { return ask(headers, station.session) };
        let side = if session.we_refresh { "uac" } else { "uas" };
        headers.push(HeaderName::SessionExpires, format!("{};refresher={side}", session.interval_s));
        let least = self.least_s.max(whole_seconds(station.session.least));
        if least > LEAST_S {
            headers.push(HeaderName::MinSe, least.to_string());
        }
    }

    /// The same request with the interval that a 422 wants, section 7.3: each proxy on the way may want a longer one
    /// than the one before it. `None`: nothing more to say.
    pub(super) fn with_longer_interval(&mut self, request: &Request, response: &Response) -> Option<Request> {
        if response.status != Status::SESSION_INTERVAL_TOO_SMALL || self.raised >= RAISED_MAX {
            return None;
        }
        let least = response.headers.number(HeaderName::MinSe)?.max(LEAST_S);
        if least <= self.least_s {
            return None;
        }
        (self.least_s, self.raised) = (least, self.raised.saturating_add(1));
        let mut again = request.clone();
        let asked = said(&request.headers);
        let interval = asked.map_or(least, |said| said.interval_s.max(least));
        let refresher = match asked.and_then(|said| said.refresher) {
            Some(Refresher::Uac) => ";refresher=uac",
            Some(Refresher::Uas) => ";refresher=uas",
            None => "",
        };
        again.headers.set(HeaderName::SessionExpires, format!("{interval}{refresher}"));
        again.headers.set(HeaderName::MinSe, least.to_string());
        let mut cseq = request.cseq()?;
        cseq.number = cseq.number.saturating_add(1);
        again.headers.set(HeaderName::CSeq, cseq.to_string());
        if let Some(dialog) = self.dialog.as_mut() {
            dialog.used(cseq.number);
        }
        Some(again)
    }

    /// Writes what is agreed into a 2xx of ours, and begins it.
    pub(super) fn agree_on_session(
        &mut self,
        station: &mut Station,
        now: Instant,
        request: &Request,
        response: &mut Response,
    ) {
        let session = agree(request, self.session, station.session);
        if let Some(Session { interval_s, we_refresh }) = session {
            let side = if we_refresh { "uas" } else { "uac" };
            response.headers.push(HeaderName::SessionExpires, format!("{interval_s};refresher={side}"));
            if knows_timers(request) {
                response.headers.push(HeaderName::Require, "timer");
            }
        }
        self.begin_session(station, now, session);
    }

    /// Takes what a 2xx of the peer agrees on, section 7.2: without Session-Expires there is no session any more.
    pub(super) fn take_session(&mut self, station: &mut Station, now: Instant, response: &Response) {
        let session = said(&response.headers).filter(|said| said.interval_s >= LEAST_S).map(|said| Session {
            interval_s: said.interval_s,
            we_refresh: said.refresher != Some(Refresher::Uas),
        });
        self.begin_session(station, now, session);
    }

    fn begin_session(&mut self, station: &mut Station, now: Instant, session: Option<Session>) {
        let Some(Session { interval_s, we_refresh }) = session else { return self.end_session(station) };
        self.session = session;
        let whole = Duration::from_secs(interval_s.into());
        let (refresh, over) = (self.timer(InviteTimer::Refresh), self.timer(InviteTimer::SessionOver));
        if we_refresh {
            station.timers.set(refresh, now + whole / 2);
            station.timers.set(over, now + whole);
        } else {
            station.timers.clear(&refresh);
            station.timers.set(over, now + whole.saturating_sub(BEFORE_THE_END.min(whole / 3)));
        }
    }

    /// No session is kept any more.
    pub(super) fn end_session(&mut self, station: &mut Station) {
        if self.session.take().is_some() {
            station.timers.clear(&self.timer(InviteTimer::Refresh));
            station.timers.clear(&self.timer(InviteTimer::SessionOver));
        }
    }

    /// Half of the interval is over, and it is ours to refresh.
    pub(super) fn refresh_session(&mut self, station: &mut Station, now: Instant) {
        station.counts.sessions_refreshed += 1;
        self.want(station, now, Wish::Refresh);
    }

    /// A refresh was refused, but not the dialog: the session may still be saved, section 7.3.
    pub(super) fn refresh_later(&mut self, station: &mut Station, now: Instant) {
        if let Some(session) = self.session.filter(|session| session.we_refresh) {
            // A seventh: the last try is not at the end itself.
            let wait = Duration::from_secs(session.interval_s.into()) / 7;
            station.timers.set(self.timer(InviteTimer::Refresh), now + wait);
        }
    }

    /// Nobody refreshed, section 10.
    pub(super) fn expire_session(&mut self, station: &mut Station, now: Instant) {
        station.counts.sessions_expired += 1;
        let cargo = super::Cargo { why: EndReason::SessionExpired, ..super::Cargo::new(now) };
        self.happen(station, Happening::PeerLost, cargo);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Method;
    use crate::sip::uri::AddrSpec;

    fn request(fields: &[(HeaderName, &str)]) -> Request {
        let mut request = Request::new(Method::Invite, AddrSpec::sip(None, "h", None));
        for (name, value) in fields {
            request.headers.push(*name, *value);
        }
        request
    }

    /// RFC 4028, table 2: supported by the caller, asked refresher; then who refreshes by our answer.
    #[test]
    #[expect(clippy::type_complexity, reason = "a table of a test")]
    fn the_answer_names_the_refresher_of_table_2() {
        let timer = (HeaderName::Supported, "100rel, timer");
        let asks = |refresher: &'static str| (HeaderName::SessionExpires, refresher);
        let rows: [(&[(HeaderName, &str)], Option<(u32, bool)>); 7] = [
            (&[], None),
            (&[timer], Some((1_800, true))),
            (&[asks("600")], Some((600, true))),
            (&[timer, asks("600")], Some((600, true))),
            (&[timer, asks("600;refresher=uac")], Some((600, false))),
            (&[timer, asks("600; refresher = UAS")], Some((600, true))),
            (&[asks("600;refresher=uac")], Some((600, true))),
        ];
        for (fields, wanted) in rows {
            let agreed = agree(&request(fields), None, SessionSettings::default());
            assert_eq!(agreed.map(|s| (s.interval_s, s.we_refresh)), wanted, "{fields:?}");
        }
    }

    #[test]
    fn the_interval_is_the_shorter_one_but_never_below_what_the_peer_bears() {
        let agreed = |session: &str, least: &str| {
            let fields = [
                (HeaderName::Supported, "timer"),
                (HeaderName::SessionExpires, session),
                (HeaderName::MinSe, least),
            ];
            agree(&request(&fields), None, SessionSettings::default()).map(|s| s.interval_s)
        };
        assert_eq!(agreed("7200", "90"), Some(1_800));
        assert_eq!(agreed("7200", "3600"), Some(3_600));
        assert_eq!(agreed("100", "90"), Some(100));
    }

    #[test]
    fn roles_stay_where_a_request_within_the_dialog_does_not_say() {
        let current = Some(Session { interval_s: 300, we_refresh: false });
        let fields = [(HeaderName::Supported, "timer")];
        assert_eq!(agree(&request(&fields), current, SessionSettings::default()), current);
        let taken_over = agree(&request(&[]), current, SessionSettings::default());
        assert_eq!(taken_over, Some(Session { interval_s: 300, we_refresh: true }));
    }
}
