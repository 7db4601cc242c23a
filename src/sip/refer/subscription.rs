//! The subscription that a REFER begins (RFC 3515 section 2.4.4, RFC 6665): what is to be told of it, and when it ends.
//! One NOTIFY is on its way at a time; what changes meanwhile is told by the next, the latest news alone. The last waits
//! for none.
//!
//! ```text
//! Trying --progress--> Trying        Trying --final, or time--> Told last --answer--> (gone)
//! ```
//! Invariant: `Subscription-State: terminated` is said exactly once, in the last NOTIFY.
use std::time::Duration;

use crate::base::Instant;
use crate::sip::header::Headers;
use crate::sip::lex;
use crate::sip::message::{Request, Status};
use crate::sip::name::HeaderName;
use crate::sip::transaction::TransactionId;

/// The package's name.
const PACKAGE: &str = "refer";
/// How long what a REFER asks for may take: longer than any ringing.
pub(crate) const LIFETIME: Duration = Duration::from_mins(3);

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    /// The `CSeq` number of its REFER.
    id: u32,
    /// The id is told: for every REFER of a dialog but the first.
    named: bool,
    /// The peer wants no news (RFC 4488).
    pub(crate) silent: bool,
    /// When it ends by itself.
    ends: Instant,
    /// How it stands.
    status: Status,
    /// Nothing more will come.
    over: Option<&'static str>,
    /// What stands was not told yet.
    news: bool,
    /// The NOTIFY that waits for its answer, to be sent once more with credentials.
    sent: Option<(TransactionId, Request)>,
}

impl Subscription {
    pub(crate) fn new(id: u32, named: bool, silent: bool, now: Instant) -> Self {
        Self {
            id,
            named,
            silent,
            ends: now + LIFETIME,
            status: Status::TRYING,
            over: None,
            news: true,
            sent: None,
        }
    }

    /// When it ends by itself.
    pub(crate) const fn ends(&self) -> Instant {
        self.ends
    }
    /// How long it still holds, in whole seconds.
    pub(crate) fn remaining_s(&self, now: Instant) -> u64 {
        self.ends.since(now).as_secs()
    }

    /// How it stands now; a final status ends it.
    pub(crate) fn tell(&mut self, status: Status) {
        if self.over.is_none() {
            self.status = status;
            self.news = true;
            if status.is_final() {
                self.over = Some("noresource");
            }
        }
    }
    /// It ends without an outcome: time is up, or the peer does not want it any more.
    pub(crate) fn time_out(&mut self) {
        if self.over.is_none() {
            self.over = Some("timeout");
            self.news = true;
        }
    }
    /// Say again how it stands.
    pub(crate) const fn again(&mut self) {
        self.news = true;
    }

    /// Nothing more is to be said or heard.
    pub(crate) const fn is_done(&self) -> bool {
        self.over.is_some() && (self.silent || (!self.news && self.sent.is_none()))
    }
    /// A NOTIFY is due and none is on its way, or it is the last, which waits for none (a BYE may be behind it): it is
    /// taken as told.
    pub(crate) fn take_news(&mut self) -> bool {
        let turn = self.sent.is_none() || self.over.is_some();
        turn && !self.silent && std::mem::take(&mut self.news)
    }
    pub(crate) fn sent(&mut self, tx: TransactionId, notify: Request) {
        self.sent = Some((tx, notify));
    }
    /// The NOTIFY that waits for its answer, if it is this one.
    pub(crate) fn take_sent(&mut self, answered: TransactionId) -> Option<Request> {
        self.sent.take_if(|(tx, _)| *tx == answered).map(|(_, notify)| notify)
    }

    /// The value of Event.
    pub(crate) fn event(&self) -> String {
        if self.named { format!("{PACKAGE};id={}", self.id) } else { PACKAGE.to_owned() }
    }
    /// The value of Subscription-State.
    pub(crate) fn state(&self, now: Instant) -> String {
        match self.over {
            Some(reason) => format!("terminated;reason={reason}"),
            None => format!("active;expires={}", self.remaining_s(now)),
        }
    }
    /// The body: the status line of what was asked for.
    pub(crate) fn sipfrag(&self) -> Vec<u8> {
        format!("SIP/2.0 {}\r\n", self.status).into_bytes()
    }

    /// Whether a SUBSCRIBE with this Event is for it.
    pub(crate) fn is_named_by(&self, headers: &Headers) -> bool {
        let mut parts = lex::split(headers.get(HeaderName::Event).unwrap_or_default(), b';');
        let package = parts.next().unwrap_or_default();
        let id = parts.find_map(|p| p.strip_prefix("id=")).map(|id| id.parse().ok());
        package.eq_ignore_ascii_case(PACKAGE) && id.map_or(!self.named, |id| id == Some(self.id))
    }
}

/// Whether a SUBSCRIBE is for this package at all.
pub(crate) fn is_refer_event(headers: &Headers) -> bool {
    let event = headers.get(HeaderName::Event).unwrap_or_default();
    lex::split(event, b';').next().is_some_and(|package| package.eq_ignore_ascii_case(PACKAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_news_is_told_and_the_end_once() {
        let now = Instant::from_millis(5_000);
        let mut one = Subscription::new(7, false, false, now);
        assert!(one.take_news() && !one.take_news());
        assert_eq!(one.state(now), "active;expires=180");
        assert_eq!(one.event(), "refer");
        one.tell(Status::RINGING);
        one.tell(Status::OK);
        one.tell(Status::BUSY_HERE);
        assert!(!one.is_done() && one.take_news());
        assert_eq!(one.sipfrag(), b"SIP/2.0 200 OK\r\n");
        assert_eq!(one.state(now), "terminated;reason=noresource");
        assert!(one.is_done());
    }

    #[test]
    fn a_silent_one_ends_without_a_word() {
        let mut one = Subscription::new(7, true, true, Instant::ZERO);
        assert!(!one.take_news() && !one.is_done());
        one.tell(Status::OK);
        assert!(one.is_done());
    }

    #[test]
    fn a_subscribe_finds_its_own_by_the_id() {
        let event = |text: &str| {
            let mut headers = Headers::new();
            headers.push(HeaderName::Event, text);
            headers
        };
        let first = Subscription::new(7, false, false, Instant::ZERO);
        let second = Subscription::new(9, true, false, Instant::ZERO);
        assert!(first.is_named_by(&event("refer")) && first.is_named_by(&event("refer;id=7")));
        assert!(second.is_named_by(&event("refer;id=9")) && !second.is_named_by(&event("refer")));
        assert!(!first.is_named_by(&event("presence")) && is_refer_event(&event("Refer;id=1")));
    }
}
