//! An INVITE's life on both sides and the dialog it makes: RFC 3261 sections 9, 13, 14, 15.
//!
//! ```text
//! incoming: Proceeding --answer--> Answered --ACK--> Confirmed --BYE--> Over
//! outgoing: Calling --1xx--> Ringing --2xx, ACK--> Confirmed --BYE--> Over
//! ```
//!
//! [`step`] is the table; `perform` below does what it says. An invite is `Over` for its owner the moment `Ended` is
//! reported; it stays here until its last transaction is finished, so that late copies are answered.
//!
//! Invariant: every way into `Over`, `Leaving`, `CancelHeld` or `Cancelling` reports `Ended`, and none out of them does.
mod acknowledge;
mod client;
mod early;
mod invites;
mod keys;
mod probe;
mod refer;
mod reliable;
mod reoffer;
mod server;
mod session;
mod table;
mod update;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use client::address_of_identity;
pub(crate) use invites::Invites;
pub(crate) use refer::refused_outside;
use reoffer::Reoffer;
pub(crate) use server::{Arrived, capabilities, not_allowed};
pub(crate) use session::too_brief;
use table::{Effect, Happening, State, step};

use self::acknowledge::{AnswerSent, SentAck};
use self::early::Fork;
use self::refer::Referrals;
use self::reliable::Reliable;
use self::session::Session;
use super::auth::DigestClient;
use super::dialog::Dialog;
use super::event::{EndReason, InviteId, SipEvent};
use super::message::{Method, Request, Response, Status};
use super::name::HeaderName;
use super::refer::redirected;
use super::station::{
    Owner, Role, Station, challenges, contact_for, is_challenge, is_secured, method_of, with_credentials,
};
use super::transaction::TransactionId;
use super::transport::{Destination, Source};
use crate::base::Instant;

/// How it began.
#[derive(Clone, Debug)]
enum Opening {
    Incoming { tx: TransactionId, request: Arc<Request>, source: Source },
    Outgoing { tx: TransactionId, request: Arc<Request>, to: Destination },
}

/// One INVITE and its dialog.
#[derive(Clone, Debug)]
pub(crate) struct Invite {
    id: InviteId,
    state: State,
    opening: Opening,
    /// Our tag: From of an outgoing, To of an incoming INVITE.
    local_tag: String,
    dialog: Option<Dialog>,
    /// Our 200 that waits for its ACK.
    unacked: Option<AnswerSent>,
    /// ACKs that we sent, to be sent again for copies of the 2xx.
    acks: Vec<SentAck>,
    /// The one to the latest re-INVITE.
    last_reack: Option<SentAck>,
    reoffer: Reoffer,
    referrals: Referrals,
    digest: Option<DigestClient>,
    /// Our BYE, to be sent once more with credentials.
    bye: Option<Request>,
    /// An INVITE of ours, cancelled or overtaken by BYE, that has no final response yet.
    forsaken: Option<TransactionId>,
    /// Transactions that may still report.
    open: usize,
    /// Our reliable provisionals, once there was one.
    reliable: Option<Box<Reliable>>,
    /// Early dialogs of an INVITE of ours.
    forks: Vec<Fork>,
    /// The tags of phones that rang for our INVITE, the first few.
    rung: Vec<String>,
    session: Option<Session>,
    /// The interval that a 422 of the peer asked for, in seconds; 0: none did.
    least_s: u32,
    /// How often a 422 raised it.
    raised: u8,
    /// Our latest SDP, kept while there is a session: a re-INVITE that refreshes it says the same.
    said: Vec<u8>,
    /// Whether the peer takes UPDATE, as far as it said so after its INVITE.
    takes_update: Option<bool>,
}

/// What comes with a happening: the effects take out of it what they need.
#[derive(Clone, Debug)]
struct Cargo<'a> {
    now: Instant,
    status: Status,
    retry_after_s: Option<u32>,
    sdp: Option<Vec<u8>>,
    response: Option<&'a Response>,
    why: EndReason,
}

impl Cargo<'_> {
    const fn new(now: Instant) -> Self {
        Self {
            now,
            status: Status::OK,
            retry_after_s: None,
            sdp: None,
            response: None,
            why: EndReason::EndedByUs,
        }
    }
}

impl Invite {
    /// With its opening transaction, and nothing else yet.
    fn new(id: InviteId, state: State, opening: Opening, local_tag: String) -> Self {
        Self {
            id,
            state,
            opening,
            local_tag,
            dialog: None,
            unacked: None,
            acks: Vec::new(),
            last_reack: None,
            reoffer: Reoffer::default(),
            referrals: Referrals::default(),
            digest: None,
            bye: None,
            forsaken: None,
            open: 1,
            reliable: None,
            forks: Vec::new(),
            rung: Vec::new(),
            session: None,
            least_s: 0,
            raised: 0,
            said: Vec::new(),
            takes_update: None,
        }
    }
    /// State in a word, for logs.
    pub(crate) const fn describe(&self) -> &'static str {
        self.state.as_str()
    }
    /// Its owner has not heard of its end.
    const fn is_live(&self) -> bool {
        self.state.is_live()
    }
    /// Nothing is left to do and nobody will report any more.
    const fn is_done(&self) -> bool {
        matches!(self.state, State::Over)
            && self.open == 0
            && self.unacked.is_none()
            && self.referrals.is_idle()
    }

    fn happen(&mut self, station: &mut Station, what: Happening, mut cargo: Cargo<'_>) {
        let (next, effects) = step(self.state, what);
        if self.state == State::Proceeding && next != State::Proceeding {
            self.stop_providing(station);
        }
        if self.state.is_live() && !next.is_live() {
            self.end_session(station);
            self.leave_reoffer(station, cargo.now);
        }
        self.state = next;
        for effect in effects {
            self.perform(station, *effect, &mut cargo);
        }
        if self.state == State::Over {
            self.release_opening(station);
        }
    }

    /// An incoming INVITE that is over needs nothing more of its transaction, which absorbs copies by itself for half a
    /// minute; an outgoing one must still acknowledge copies of the 2xx.
    fn release_opening(&mut self, station: &mut Station) {
        if let Opening::Incoming { tx, .. } = &self.opening
            && station.disown(*tx).is_some()
        {
            self.open = self.open.saturating_sub(1);
        }
    }

    fn perform(&mut self, station: &mut Station, effect: Effect, cargo: &mut Cargo<'_>) {
        let now = cargo.now;
        match effect {
            Effect::SendProvisional => self.send_provisional(station, cargo),
            Effect::SendAnswer => self.send_answer(station, cargo),
            Effect::SendRefusal => self.send_refusal(station, cargo),
            Effect::StopAnswering => self.stop_answering(station),
            Effect::SendAck => self.ack_response(station, cargo),
            Effect::SendCancel => self.send_cancel(station, now),
            Effect::SendBye => self.send_bye(station, now),
            Effect::ResumeReoffer => self.resume_reoffer(station, now),
            Effect::ReportAcknowledged => {
                station.report(SipEvent::Acknowledged { invite: self.id, sdp: cargo.sdp.take() });
            }
            Effect::ReportProgress => station.report(SipEvent::Progress {
                invite: self.id,
                status: cargo.status,
                sdp: cargo.sdp.take(),
            }),
            Effect::ReportAnswered => {
                station.report(SipEvent::Answered { invite: self.id, sdp: cargo.sdp.take() });
            }
            Effect::ReportFailed => {
                let contacts = cargo.response.map(redirected).unwrap_or_default();
                let seconds = cargo.response.and_then(|r| r.headers.number(HeaderName::RetryAfter));
                let retry_after = seconds.map(|s| Duration::from_secs(s.into()));
                let (invite, status) = (self.id, cargo.status);
                station.report(SipEvent::Failed { invite, status, contacts, retry_after });
            }
            Effect::ReportEnded => station.report_ended(self.id, cargo.why),
        }
    }

    /// `end`: whatever the state.
    pub(crate) fn leave(&mut self, station: &mut Station, now: Instant) {
        let cargo = Cargo { status: Status::TEMPORARILY_UNAVAILABLE, ..Cargo::new(now) };
        self.happen(station, Happening::Leave, cargo);
    }

    /// The peer does not know the dialog any more, or does not answer: RFC 3261 section 12.2.1.2.
    fn lose_peer(&mut self, station: &mut Station, now: Instant) {
        let cargo = Cargo { why: EndReason::RequestTimeout, ..Cargo::new(now) };
        self.happen(station, Happening::PeerLost, cargo);
    }

    // Requests of ours within the dialog.

    fn start(
        &mut self,
        station: &mut Station,
        now: Instant,
        request: Request,
        role: Role,
    ) -> Option<(TransactionId, Request)> {
        let dialog = self.dialog.as_ref()?;
        let to = station.toward(dialog);
        Some(self.start_toward(station, now, (to, role), request))
    }

    fn start_toward(
        &mut self,
        station: &mut Station,
        now: Instant,
        (to, role): (Destination, Role),
        request: Request,
    ) -> (TransactionId, Request) {
        self.open += 1;
        station.start(now, request, to, Owner::Invite(self.id, role))
    }

    fn send_bye(&mut self, station: &mut Station, now: Instant) {
        if let Some(bye) = self.dialog.as_mut().map(|d| d.request(Method::Bye)) {
            self.bye = self.start(station, now, bye, Role::Bye).map(|(_, sent)| sent);
        }
    }

    /// Answers the challenge to a request within the dialog; `None`: nothing more to say.
    fn answer_challenge(
        &mut self,
        station: &mut Station,
        request: &Request,
        response: &Response,
    ) -> Option<Request> {
        let digest = self.digest.as_mut().filter(|_| is_challenge(response.status))?;
        if !digest.challenged(&challenges(response)) {
            return None;
        }
        let answer = digest.answer(method_of(request), &request.uri.to_string(), &mut station.rng)?;
        let again = with_credentials(request, response.status, answer);
        if let (Some(dialog), Some(cseq)) = (self.dialog.as_mut(), again.cseq()) {
            dialog.used(cseq.number);
        }
        Some(again)
    }

    // What transactions report.

    /// A response to a transaction of ours.
    pub(crate) fn handle_response(
        &mut self,
        station: &mut Station,
        now: Instant,
        (tx, role): (TransactionId, Role),
        response: &Response,
    ) {
        if response.status.is_final() {
            self.settle_forsaken(station, tx);
        }
        match role {
            // An INVITE that was sent once more with credentials has nothing more to say.
            Role::InviteClient if !self.is_opening(tx) => {}
            Role::InviteClient => self.handle_invite_response(station, now, response),
            Role::ReofferClient => self.handle_reoffer_response(station, now, response),
            Role::Bye => self.handle_bye_response(station, now, response),
            Role::Prack => self.handle_prack_response(station, now, tx, response),
            Role::Key => {
                if is_dialog_lost(response.status) {
                    self.lose_peer(station, now);
                }
            }
            Role::Notify => self.handle_notify_response(station, now, tx, response),
            Role::Probe => self.handle_probe_response(station, now, response.status),
            Role::InviteServer | Role::ReofferServer | Role::Background => {}
        }
    }

    fn handle_bye_response(&mut self, station: &mut Station, now: Instant, response: &Response) {
        let Some(bye) = self.bye.take_if(|_| response.status.is_final()) else { return };
        if let Some(again) = self.answer_challenge(station, &bye, response) {
            self.bye = self.start(station, now, again, Role::Bye).map(|(_, sent)| sent);
        }
    }

    /// A transaction ended without an answer.
    pub(crate) fn handle_silence(
        &mut self,
        station: &mut Station,
        now: Instant,
        (tx, role): (TransactionId, Role),
        status: Status,
    ) {
        self.settle_forsaken(station, tx);
        match role {
            Role::InviteClient if !self.is_opening(tx) => {}
            Role::InviteClient => {
                let unheard = status == Status::REQUEST_TIMEOUT;
                let why = if unheard { EndReason::RequestTimeout } else { EndReason::TransportLost };
                self.happen(station, Happening::Failure, Cargo { status, why, ..Cargo::new(now) });
            }
            Role::InviteServer => {
                let cargo = Cargo { why: EndReason::TransportLost, ..Cargo::new(now) };
                self.happen(station, Happening::TransportLost, cargo);
            }
            Role::ReofferClient => self.miss_answer(station, now, tx),
            Role::Key => self.lose_peer(station, now),
            Role::Probe => station.report(SipEvent::Probed { invite: self.id, answered: false }),
            Role::ReofferServer => self.forget_reoffer_of_peer(station, now),
            Role::Notify => self.handle_notify_silence(station, tx),
            Role::Bye | Role::Prack | Role::Background => {}
        }
    }

    /// A BYE within the dialog, section 15.1.2: the caller answers it with 200.
    fn handle_bye(&mut self, station: &mut Station, now: Instant) {
        let cargo =
            Cargo { status: Status::REQUEST_TERMINATED, why: EndReason::ByeReceived, ..Cargo::new(now) };
        self.happen(station, Happening::Bye, cargo);
    }
}

/// Whether the peer says that there is no such dialog (any more), section 12.2.1.2.
fn is_dialog_lost(status: Status) -> bool {
    status == Status::NO_SUCH_TRANSACTION || status == Status::REQUEST_TIMEOUT
}

/// The SDP in a request or its absence; otherwise what to answer: 415 with what we accept.
pub(crate) fn offer_in(station: &Station, request: &Request) -> Result<Option<Vec<u8>>, Box<Response>> {
    if request.body.is_empty() {
        return Ok(None);
    }
    let is_sdp = request.headers.content_type().is_some_and(|t| t.is("application", "sdp"));
    let encoded =
        request.headers.list(HeaderName::ContentEncoding).any(|e| !e.eq_ignore_ascii_case("identity"));
    if is_sdp && !encoded {
        return Ok(Some(request.body.clone()));
    }
    let optional = request
        .headers
        .get(HeaderName::ContentDisposition)
        .is_some_and(|d| d.to_ascii_lowercase().contains("handling=optional"));
    if optional {
        return Ok(None);
    }
    let mut response = station.response(request, Status::UNSUPPORTED_MEDIA_TYPE);
    response.headers.set(HeaderName::Accept, "application/sdp");
    if encoded {
        response.headers.set(HeaderName::AcceptEncoding, "identity");
    }
    Err(Box::new(response))
}

/// The SDP in a response.
fn sdp_in(response: &Response) -> Option<Vec<u8>> {
    let is_sdp = response.headers.content_type().is_some_and(|t| t.is("application", "sdp"));
    (is_sdp && !response.body.is_empty()).then(|| response.body.clone())
}

impl Invite {
    fn call_id(&self) -> &str {
        self.opening_request().call_id()
    }
    fn is_opening(&self, tx: TransactionId) -> bool {
        match &self.opening {
            Opening::Incoming { tx: ours, .. } | Opening::Outgoing { tx: ours, .. } => *ours == tx,
        }
    }
    fn opening_request(&self) -> &Arc<Request> {
        match &self.opening {
            Opening::Incoming { request, .. } | Opening::Outgoing { request, .. } => request,
        }
    }
    /// Our Contact within the dialog.
    fn contact(&self, station: &Station) -> String {
        match &self.opening {
            Opening::Incoming { request, source, .. } => {
                let to = source.response_to(None);
                let contact = station.contact(&to, &request.uri.user().unwrap_or_default());
                contact_for(is_secured(request), contact)
            }
            Opening::Outgoing { request, .. } => {
                request.headers.get(HeaderName::Contact).unwrap_or_default().to_owned()
            }
        }
    }
}
