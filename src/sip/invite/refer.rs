//! REFER within a dialog, and the NOTIFYs that tell how it went: RFC 3515 section 2.4, RFC 4488, RFC 6665.
//!
//! ```text
//! Idle --REFER--> Asked --202--> Told (NOTIFY 100 ... NOTIFY final) --> Idle
//!                 Asked --403 and the like--> Idle
//! ```
//!
//! The subscription is a usage of the dialog of its own (RFC 5057): it outlives the call's BYE until the last NOTIFY is
//! answered, and its own loss (481, no answer) ends nothing but itself.
//!
//! Invariant: at most one REFER of a dialog is under way; another one meanwhile is 491.
use super::server::Arrived;
use super::table::State;
use super::{Invite, Station};
use crate::base::Instant;
use crate::sip::event::SipEvent;
use crate::sip::message::{Method, Request, Response, Status};
use crate::sip::name::HeaderName;
use crate::sip::refer::{LIFETIME, NamedDialog, Referral, Replaces, Subscription, is_refer_event};
use crate::sip::station::{ALLOW, InviteTimer, Role, SUPPORTED};
use crate::sip::transaction::TransactionId;

/// The one under way.
#[derive(Clone, Debug, Default)]
enum Progress {
    #[default]
    Idle,
    /// It waits for our word.
    Asked { tx: TransactionId, request: Box<Request>, silent: bool },
    /// We took it and tell how it goes.
    Told(Box<Subscription>),
}

/// The REFERs of one dialog.
#[derive(Clone, Debug, Default)]
pub(super) struct Referrals {
    progress: Progress,
    /// One was taken before: from now on NOTIFYs name theirs.
    taken_before: bool,
}

impl Referrals {
    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.progress, Progress::Idle)
    }
}

impl Invite {
    /// A REFER within the dialog.
    pub(super) fn handle_refer(&mut self, station: &mut Station, now: Instant, arrived: &Arrived) {
        let Arrived { tx, request, .. } = arrived;
        let refusal = match (self.state, self.referrals.is_idle()) {
            (State::Answered | State::Confirmed, true) => None,
            (State::Answered | State::Confirmed, false) => Some(Status::REQUEST_PENDING),
            (State::Proceeding | State::AckWanted, _) => Some(Status::FORBIDDEN),
            (
                State::Leaving
                | State::Calling
                | State::Ringing
                | State::CancelHeld
                | State::Cancelling
                | State::Over,
                _,
            ) => Some(Status::NO_SUCH_TRANSACTION),
        };
        if let Some(status) = refusal {
            return station.refuse(now, *tx, request, status);
        }
        let Ok(referral) = Referral::of(request) else {
            return station.refuse(now, *tx, request, Status::BAD_REQUEST);
        };
        let silent = !referral.wants_news;
        self.referrals.progress = Progress::Asked { tx: *tx, request: Box::new(request.clone()), silent };
        station.timers.set(self.timer(InviteTimer::Referral), now + LIFETIME);
        station.report(SipEvent::Referred { invite: self.id, referral: Box::new(referral) });
    }

    /// Asks the peer that somebody else take our place. We want no news of it (RFC 4488): the peer's BYE tells.
    pub(crate) fn refer(&mut self, station: &mut Station, now: Instant, to: &str) {
        if self.state != State::Confirmed {
            return;
        }
        let contact = self.contact(station);
        let Some(dialog) = self.dialog.as_mut() else { return };
        let refer = dialog
            .request(Method::Refer)
            .with(HeaderName::Contact, contact)
            .with(HeaderName::ReferTo, format!("<{to}>"))
            .with(HeaderName::ReferSub, "false");
        self.start(station, now, refer, Role::Key);
    }

    /// We take it: 202, and the first NOTIFY.
    pub(crate) fn accept_referral(&mut self, station: &mut Station, now: Instant) {
        let Progress::Asked { tx, request, silent } = &self.referrals.progress else { return };
        let (tx, silent, id) = (*tx, *silent, request.cseq().map_or(0, |c| c.number));
        let mut response = station.response(request, Status::ACCEPTED);
        response.headers.push(HeaderName::Contact, self.contact(station));
        response.headers.push(HeaderName::Allow, ALLOW);
        response.headers.push(HeaderName::Supported, SUPPORTED);
        if silent {
            response.headers.push(HeaderName::ReferSub, "false");
        }
        station.respond_tagged(now, tx, response);
        let named = std::mem::replace(&mut self.referrals.taken_before, true);
        let subscription = Subscription::new(id, named, silent, now);
        station.timers.set(self.timer(InviteTimer::Referral), subscription.ends());
        self.referrals.progress = Progress::Told(Box::new(subscription));
        self.tell_news(station, now);
    }

    /// We do not.
    pub(crate) fn refuse_referral(&mut self, station: &mut Station, now: Instant, status: Status) {
        let Progress::Asked { tx, request, .. } = std::mem::take(&mut self.referrals.progress) else {
            return;
        };
        station.timers.clear(&self.timer(InviteTimer::Referral));
        station.refuse(now, tx, &request, status);
    }

    /// How it stands now; a final status ends it.
    pub(crate) fn tell_referral(&mut self, station: &mut Station, now: Instant, status: Status) {
        if let Progress::Told(subscription) = &mut self.referrals.progress {
            subscription.tell(status);
            self.tell_news(station, now);
        }
    }

    /// Time is up.
    pub(super) fn end_unfinished_referral(&mut self, station: &mut Station, now: Instant) {
        match &mut self.referrals.progress {
            Progress::Idle => {}
            Progress::Asked { .. } => self.refuse_referral(station, now, Status::SERVER_ERROR),
            Progress::Told(subscription) => {
                subscription.time_out();
                self.tell_news(station, now);
            }
        }
    }

    /// Sends the NOTIFY that is due, if its turn has come; forgets the subscription when nothing is left to say.
    fn tell_news(&mut self, station: &mut Station, now: Instant) {
        let Progress::Told(subscription) = &mut self.referrals.progress else { return };
        if subscription.is_done() {
            return self.drop_referral(station);
        }
        if !subscription.take_news() {
            return;
        }
        let (event, state, body) = (subscription.event(), subscription.state(now), subscription.sipfrag());
        let contact = self.contact(station);
        let Some(dialog) = self.dialog.as_mut() else { return self.drop_referral(station) };
        let notify = dialog
            .request(Method::Notify)
            .with(HeaderName::Contact, contact)
            .with(HeaderName::Event, event)
            .with(HeaderName::SubscriptionState, state)
            .with_body("message/sipfrag;version=2.0", body);
        self.start_notify(station, now, notify);
    }

    fn start_notify(&mut self, station: &mut Station, now: Instant, notify: Request) {
        let started = self.start(station, now, notify, Role::Notify);
        if let (Some((tx, sent)), Progress::Told(subscription)) = (started, &mut self.referrals.progress) {
            subscription.sent(tx, sent);
        }
    }

    /// A response to a NOTIFY of ours.
    pub(super) fn handle_notify_response(
        &mut self,
        station: &mut Station,
        now: Instant,
        tx: TransactionId,
        response: &Response,
    ) {
        let Progress::Told(subscription) = &mut self.referrals.progress else { return };
        if response.status.is_provisional() {
            return;
        }
        let Some(notify) = subscription.take_sent(tx) else { return };
        if response.status.is_success() {
            return self.tell_news(station, now);
        }
        if let Some(again) = self.answer_challenge(station, &notify, response) {
            return self.start_notify(station, now, again);
        }
        self.lose_subscriber(station);
    }

    /// No answer came to a NOTIFY of ours.
    pub(super) fn handle_notify_silence(&mut self, station: &mut Station, tx: TransactionId) {
        if let Progress::Told(subscription) = &mut self.referrals.progress
            && subscription.take_sent(tx).is_some()
        {
            self.lose_subscriber(station);
        }
    }

    /// The peer does not take our NOTIFY, or is silent: only the subscription is over (RFC 5057 section 5.1).
    fn lose_subscriber(&mut self, station: &mut Station) {
        station.counts.referral_news_lost += 1;
        self.drop_referral(station);
    }

    fn drop_referral(&mut self, station: &mut Station) {
        station.timers.clear(&self.timer(InviteTimer::Referral));
        self.referrals.progress = Progress::Idle;
    }

    /// A SUBSCRIBE within the dialog: to be told again, or no more (RFC 3515 section 2.4.4).
    pub(super) fn handle_subscribe(&mut self, station: &mut Station, now: Instant, arrived: &Arrived) {
        let Arrived { tx, request, .. } = arrived;
        let ours = match &mut self.referrals.progress {
            Progress::Told(subscription) if subscription.is_named_by(&request.headers) => subscription,
            Progress::Told(_) | Progress::Idle | Progress::Asked { .. } => {
                let response = if is_refer_event(&request.headers) {
                    station.response(request, Status::NO_SUCH_TRANSACTION)
                } else {
                    bad_event(station, request)
                };
                return station.respond_tagged(now, *tx, response);
            }
        };
        let remaining = ours.remaining_s(now);
        let wanted = request.headers.number(HeaderName::Expires).map_or(remaining, u64::from).min(remaining);
        if wanted == 0 {
            ours.time_out();
        } else {
            ours.again();
        }
        let mut response = station.response(request, Status::OK);
        response.headers.push(HeaderName::Expires, wanted.to_string());
        response.headers.push(HeaderName::Contact, self.contact(station));
        station.respond_tagged(now, *tx, response);
        self.tell_news(station, now);
    }
}

impl super::Invites {
    /// What `replaces` names among them.
    pub(crate) fn named(&self, replaces: &Replaces) -> NamedDialog {
        let Some(invite) =
            self.of_dialog(&replaces.call_id, &replaces.to_tag).and_then(|id| self.by_id.get(&id))
        else {
            return NamedDialog::Missing;
        };
        if !invite.is_with(Some(&replaces.from_tag)) && !invite.has_rung(&replaces.from_tag) {
            return NamedDialog::Missing;
        }
        match invite.state {
            State::Answered | State::Confirmed | State::AckWanted => NamedDialog::Confirmed(invite.id),
            State::Calling | State::Ringing => NamedDialog::Early(invite.id),
            State::Proceeding => NamedDialog::NotOursToReplace,
            State::Leaving | State::CancelHeld | State::Cancelling | State::Over => NamedDialog::Over,
        }
    }
}

/// 489 with what we know, RFC 6665 section 4.2.1.1.
fn bad_event(station: &Station, request: &Request) -> Response {
    let mut response = station.response(request, Status::BAD_EVENT);
    response.headers.push(HeaderName::AllowEvents, "refer");
    response
}

/// REFER and SUBSCRIBE outside a dialog: nobody calls by our line (403), and there is nothing to subscribe to.
pub(crate) fn refused_outside(station: &Station, request: &Request) -> Response {
    if request.method == Method::Subscribe && !is_refer_event(&request.headers) {
        return bad_event(station, request);
    }
    station.response(request, Status::FORBIDDEN)
}
