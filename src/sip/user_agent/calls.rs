//! Calls: an INVITE from outside becomes an `Incoming`, and what `node` wants of one goes to it.
//!
//! Invariant: a wish for an invite that is over, or in a state where it makes no sense, does nothing.
use super::UserAgent;
use crate::base::{Instant, Key};
use crate::sip::auth::{Claim, Proof};
use crate::sip::event::{
    ForkId, Incoming, InviteId, OutgoingInvite, RequestId, SipEvent, identity_of, outside_text,
};
use crate::sip::invite::{Arrived, Invite, offer_in, too_brief};
use crate::sip::message::{Method, Request, Response, Status};
use crate::sip::name::HeaderName;
use crate::sip::refer::{Replaces, vouched};
use crate::sip::station::{Owner, Station, method_of};
use crate::sip::transport::{Destination, Source};
use crate::sip::uri::AddrSpec;
use crate::sip::value::{CSeq, NameAddr};

/// What a refused INVITE is told to wait when we hold too many, in seconds.
const RETRY_AFTER_S: &str = "5";
impl UserAgent {
    /// An INVITE outside a dialog, section 13.3.
    pub(super) fn handle_invite(&mut self, now: Instant, arrived: Arrived) {
        let (request, source) = (&arrived.request, arrived.source);
        let offer = match self.offer_or_refusal(request) {
            Ok(offer) => offer,
            Err(response) => return self.station.respond_tagged(now, arrived.tx, *response),
        };
        let Ok(replaces) = Replaces::of_invite(&request.headers) else {
            return self.station.refuse(now, arrived.tx, request, Status::BAD_REQUEST);
        };
        let authenticated = match self.prove(now, request, &source) {
            Proof::Proved(user) => Some(user),
            Proof::Missing => None,
            Proof::Stale => return self.ask_for_digest(now, &arrived, true),
            Proof::Refused => return self.ask_for_digest(now, &arrived, false),
        };
        let from = identity_of(request.from().as_ref());
        let mut incoming = Incoming {
            invite: InviteId(0),
            request_user: outside_text(&request.uri.user().unwrap_or_default()),
            claims_account: self.settings.accounts.contains_key(&from.user),
            from,
            source,
            authenticated,
            offer,
            wants_reliable: request.headers.lists(HeaderName::Require, "100rel"),
            sip_call_id: request.call_id().to_owned(),
            replaces,
            vouched: vouched(&request.headers),
        };
        if let Some(id) = self.invites.take_in(&mut self.station, now, arrived) {
            incoming.invite = id;
            self.station.report(SipEvent::Incoming(Box::new(incoming)));
        }
    }

    /// What an INVITE offers, if we may take it at all.
    fn offer_or_refusal(&mut self, request: &Request) -> Result<Option<Vec<u8>>, Box<Response>> {
        if self.invites.live() >= self.settings.limits.invites {
            self.station.counts.invites_refused += 1;
            let mut response = self.station.response(request, Status::SERVICE_UNAVAILABLE);
            response.headers.push(HeaderName::RetryAfter, RETRY_AFTER_S);
            return Err(Box::new(response));
        }
        if let Some(response) = too_brief(&self.station, request) {
            return Err(Box::new(response));
        }
        offer_in(&self.station, request)
    }

    /// Looks at the credentials of a request.
    pub(super) fn prove(&mut self, now: Instant, request: &Request, source: &Source) -> Proof {
        let values: Vec<_> = request.headers.all(HeaderName::Authorization).collect();
        if values.is_empty() {
            return Proof::Missing;
        }
        let uri = request.uri.to_string();
        let claim = Claim { method: method_of(request), uri: &uri, values: &values };
        let proof = self.digest.verify(now, &self.settings.accounts, claim);
        if proof == Proof::Refused {
            self.station.report(SipEvent::DigestRefused { from: source.remote, conn: source.conn });
        }
        proof
    }

    /// 401 to a request that nobody else has heard of.
    pub(super) fn ask_for_digest(&mut self, now: Instant, arrived: &Arrived, stale: bool) {
        let mut response = self.station.response(&arrived.request, Status::UNAUTHORIZED);
        for challenge in self.digest.challenge(now, stale) {
            response.headers.push(HeaderName::WwwAuthenticate, challenge);
        }
        self.station.respond_tagged(now, arrived.tx, response);
    }

    pub(super) fn with(
        &mut self,
        now: Instant,
        id: InviteId,
        act: impl FnOnce(&mut Invite, &mut Station, Instant),
    ) {
        let now = self.lift(now);
        self.invites.with(&mut self.station, id, |invite, station| act(invite, station, now));
        self.settle(now);
    }

    // Incoming.

    /// 401 with digest: the retry comes as a new `Incoming` with `authenticated`; this one is `Ended`.
    pub fn challenge(&mut self, now: Instant, invite: InviteId) {
        let now = self.lift(now);
        let challenges = self.digest.challenge(now, false);
        self.with(now, invite, |invite, station, now| invite.challenge(station, now, challenges));
    }
    /// 180, reliably where the peer requires it.
    pub fn ring(&mut self, now: Instant, invite: InviteId) {
        self.with(now, invite, |invite, station, now| invite.provide(station, now, Status::RINGING, None));
    }
    /// 183 with early media, reliably where the peer can: with our answer, or with our offer when the INVITE had none,
    /// whose answer comes in `EarlyAnswer`.
    pub fn progress(&mut self, now: Instant, invite: InviteId, sdp: Vec<u8>) {
        self.with(now, invite, |invite, station, now| {
            invite.provide(station, now, Status::SESSION_PROGRESS, Some(sdp));
        });
    }
    /// 200 with our answer, or our offer when the INVITE had none. Sent again until `Acknowledged`. Where a reliable
    /// provisional said it already, `sdp` is left out, and the 200 waits for its PRACK.
    pub fn answer(&mut self, now: Instant, invite: InviteId, sdp: Vec<u8>) {
        self.with(now, invite, |invite, station, now| invite.answer(station, now, sdp));
    }
    /// A final refusal, 300-699, with Retry-After in seconds if that helps the peer. `Ended` follows.
    pub fn reject(&mut self, now: Instant, invite: InviteId, status: Status, retry_after_s: Option<u32>) {
        let status = if status.code() < 300 { Status::SERVER_ERROR } else { status };
        self.with(now, invite, |invite, station, now| invite.refuse(station, now, status, retry_after_s));
    }

    // Outgoing.

    /// Sends an INVITE. Ends in `Answered` or `Failed`, unless `end` comes first; and in `Ended`.
    pub fn invite(&mut self, now: Instant, wanted: OutgoingInvite) -> InviteId {
        let now = self.lift(now);
        if self.invites.live() >= self.settings.limits.invites {
            self.station.counts.invites_refused += 1;
            return self.invites.fail_at_once(&mut self.station, Status::SERVICE_UNAVAILABLE);
        }
        let id = self.invites.send(&mut self.station, now, wanted);
        self.settle(now);
        id
    }
    /// The ACK with our answer, after an `Answered` to an INVITE without offer.
    pub fn ack_with(&mut self, now: Instant, invite: InviteId, sdp: Vec<u8>) {
        self.with(now, invite, |invite, station, now| invite.ack_with(station, now, sdp));
    }

    /// Answers an `EarlyOffer`.
    pub fn answer_early(&mut self, now: Instant, invite: InviteId, fork: ForkId, sdp: Vec<u8>) {
        self.with(now, invite, |invite, station, now| invite.answer_early(station, now, fork, sdp));
    }

    // Both.

    /// Ends it in whatever state: refusal (480), CANCEL or BYE. `Ended` is reported at once; what the RFC still wants
    /// sent (a held CANCEL, ACK and BYE for a 200 that crosses it) is sent without further events.
    pub fn end(&mut self, now: Instant, invite: InviteId) {
        self.with(now, invite, Invite::leave);
    }
    /// Offers anew by UPDATE where the peer takes it, else by re-INVITE: `ReofferAnswered` or `ReofferRefused` follows. While another one is in progress, in
    /// either direction, it waits; the last offer wins. A glare (491) is repeated inside.
    pub fn reoffer(&mut self, now: Instant, invite: InviteId, sdp: Vec<u8>) {
        self.with(now, invite, |invite, station, now| invite.reoffer(station, now, sdp));
    }
    /// Answers a `Reoffer`; with our offer when it had none.
    pub fn answer_reoffer(&mut self, now: Instant, invite: InviteId, sdp: Vec<u8>) {
        self.with(now, invite, |invite, station, now| invite.answer_reoffer(station, now, sdp));
    }
    /// Refuses a `Reoffer`, e.g. with 488: what was agreed before still holds.
    pub fn refuse_reoffer(&mut self, now: Instant, invite: InviteId, status: Status) {
        let status = if status.code() < 300 { Status::NOT_ACCEPTABLE_HERE } else { status };
        self.with(now, invite, |invite, station, now| invite.refuse_reoffer(station, now, status));
    }
    /// Presses a key at the peer's, by INFO with `application/dtmf-relay`.
    pub fn press(&mut self, now: Instant, invite: InviteId, key: Key, duration_ms: u32) {
        self.with(now, invite, |invite, station, now| invite.press(station, now, key, duration_ms));
    }
    /// Asks whether the far end still knows the dialog, by OPTIONS within it: `Probed` follows, or the end. `false`: there
    /// is no dialog to ask within.
    pub fn probe(&mut self, now: Instant, invite: InviteId) -> bool {
        let now = self.lift(now);
        let asked =
            self.invites.with(&mut self.station, invite, |invite, station| invite.probe(station, now));
        self.settle(now);
        asked.unwrap_or(false)
    }
    /// The Call-ID header's text of an invite, for traces; `None`: it is not held any more.
    pub fn sip_call_id(&self, invite: InviteId) -> Option<&str> {
        self.invites.sip_call_id(invite)
    }
    /// The state of an invite in a word, for logs; `None`: it is not held any more.
    pub fn describe(&self, invite: InviteId) -> Option<&'static str> {
        self.invites.describe(invite)
    }

    /// Asks what is at `uri`: `OptionsAnswered` follows.
    pub fn options(&mut self, now: Instant, uri: &str, to: Destination) -> RequestId {
        let now = self.lift(now);
        let id = self.next_request();
        let Some(uri) = AddrSpec::parse(uri) else {
            self.station.report(SipEvent::OptionsAnswered { request: id, status: None });
            return id;
        };
        let contact = self.station.contact(&to, "");
        let from = NameAddr::parse(&contact).map(|c| c.with_tag(&self.station.tag()).to_string());
        let request = Request::new(Method::Options, uri.clone())
            .with(HeaderName::MaxForwards, "70")
            .with(HeaderName::From, from.unwrap_or_default())
            .with(HeaderName::To, NameAddr::new(uri).to_string())
            .with(HeaderName::CallId, self.station.call_id())
            .with(HeaderName::CSeq, CSeq { number: 1, method: Method::Options }.to_string())
            .with(HeaderName::Contact, contact)
            .with(HeaderName::Accept, "application/sdp");
        self.station.start(now, request, to, Owner::Options(id));
        self.settle(now);
        id
    }
}
