//! Early dialogs of an INVITE of ours (RFC 3261 section 12.1.2): one for each phone behind a fork that rings reliably or
//! takes UPDATE, for who does neither has no use for one; and the PRACKs within them (RFC 3262 section 4).
//!
//! Invariant: of each fork, every reliable provisional is taken once and in order; a copy, or one after a gap, is
//! neither acknowledged nor reported.
use super::{Invite, sdp_in};
use crate::base::Instant;
use crate::sip::dialog::{Dialog, Path};
use crate::sip::event::{ForkId, SipEvent};
use crate::sip::message::{Method, Request, Response, Status, method_text};
use crate::sip::name::HeaderName;
use crate::sip::station::{Role, Station};
use crate::sip::transaction::TransactionId;

/// More forks than this are not listened to before they answer.
const FORKS_KEPT: usize = 8;

/// One phone behind a fork.
#[derive(Clone, Debug)]
pub(super) struct Fork {
    id: ForkId,
    pub(super) dialog: Dialog,
    /// The `RSeq` taken last; `None`: nothing was reliable yet.
    number: Option<u32>,
    /// Its offer in this response waits for our answer in the PRACK.
    owes_answer: bool,
    /// Both sides know offer and answer.
    pub(super) agreed: bool,
    /// Its answer, for a 2xx that does not repeat it; none after a later UPDATE.
    pub(super) answer: Option<Vec<u8>>,
    /// It takes UPDATE.
    pub(super) takes_update: bool,
    /// The PRACK under way, to be sent once more with credentials.
    prack: Option<(TransactionId, Request)>,
}

impl Fork {
    /// An offer of its waits for us, or one of ours for it.
    pub(super) const fn is_undecided(&self) -> bool {
        self.owes_answer || !self.agreed
    }
    /// An UPDATE of ours may go, and overtakes no PRACK.
    pub(super) const fn is_free(&self) -> bool {
        !self.is_undecided() && self.takes_update && self.prack.is_none()
    }
}

/// The `RSeq` of a reliable provisional.
fn reliable_number(response: &Response) -> Option<u32> {
    let is_reliable =
        response.status > Status::TRYING && response.headers.lists(HeaderName::Require, "100rel");
    if is_reliable { response.headers.number(HeaderName::RSeq) } else { None }
}

impl Invite {
    /// The dialog with the peer of this tag: the one that stands, or an early one.
    pub(crate) fn dialog_with(&mut self, tag: Option<&str>) -> Option<&mut Dialog> {
        if self.is_with(tag) {
            return self.dialog.as_mut();
        }
        self.fork_with(tag).map(|fork| &mut fork.dialog)
    }

    pub(super) fn fork_with(&mut self, tag: Option<&str>) -> Option<&mut Fork> {
        self.forks.iter_mut().find(|fork| fork.dialog.is_with(tag))
    }

    /// Whether a phone with this tag rang for our INVITE: its early dialog may be named (RFC 3891 section 3).
    pub(super) fn has_rung(&self, tag: &str) -> bool {
        self.rung.iter().any(|rung| rung == tag)
    }

    /// A provisional response names its early dialog by its tag, though most say too little to send requests within it.
    fn note_rung(&mut self, response: &Response) {
        let tag = response.to_tag().filter(|tag| response.status > Status::TRYING && !self.has_rung(tag));
        if let Some(tag) = tag.filter(|_| self.rung.len() < FORKS_KEPT) {
            self.rung.push(tag);
        }
    }

    /// The early dialog of a phone that answered.
    pub(super) fn take_fork(&mut self, tag: Option<&str>) -> Option<Fork> {
        let at = self.forks.iter().position(|fork| fork.dialog.is_with(tag))?;
        Some(self.forks.remove(at))
    }

    /// Where an INVITE of ours went, for the dialogs that its responses make.
    pub(super) fn path_out(&self, station: &Station) -> Option<Path> {
        let to = self.sent_to()?;
        let own_host = self.opening_request().uri.host();
        Some(Path { known: to, address: station.peer(&to), own_host })
    }

    /// A provisional response: acknowledged if it wants to be. `None`: it says nothing new.
    #[expect(clippy::option_option, reason = "nothing new is not the same as news without SDP")]
    pub(super) fn take_provisional(
        &mut self,
        station: &mut Station,
        now: Instant,
        response: &Response,
    ) -> Option<Option<Vec<u8>>> {
        let sdp = sdp_in(response);
        self.note_rung(response);
        let Some(number) = reliable_number(response) else {
            if response.headers.lists(HeaderName::Allow, "UPDATE") {
                self.fork_of(station, None, response);
            }
            return Some(sdp);
        };
        let at = self.fork_of(station, Some(number), response)?;
        let has_offer = !self.opening_request().body.is_empty();
        let fork = self.forks.get_mut(at)?;
        fork.dialog.refresh_target(response.headers.contact());
        if response.headers.get(HeaderName::Allow).is_some() {
            fork.takes_update = response.headers.lists(HeaderName::Allow, "UPDATE");
        }
        match sdp {
            Some(offer) if !has_offer && !fork.agreed => {
                if self.state.is_live() {
                    fork.owes_answer = true;
                    station.report(SipEvent::EarlyOffer { invite: self.id, fork: fork.id, offer });
                }
                Some(None)
            }
            Some(answer) if !fork.agreed => {
                fork.agreed = true;
                fork.answer = Some(answer.clone());
                self.send_prack(station, now, at, None);
                Some(Some(answer))
            }
            Some(_) | None => {
                self.send_prack(station, now, at, None);
                Some(None)
            }
        }
    }

    /// The place of the fork that sent this, its number taken. `None`: a copy, a gap, or one fork too many.
    fn fork_of(&mut self, station: &mut Station, number: Option<u32>, response: &Response) -> Option<usize> {
        let tag = response.to_tag()?;
        if let Some(at) = self.forks.iter().position(|fork| fork.dialog.is_with(Some(&tag))) {
            let fork = self.forks.get_mut(at)?;
            let is_next = match (fork.number, number) {
                (Some(last), Some(number)) => last.checked_add(1) == Some(number) && !fork.owes_answer,
                (None, Some(_)) | (_, None) => true,
            };
            fork.number = number.filter(|_| is_next).or(fork.number);
            return is_next.then_some(at);
        }
        if self.forks.len() >= FORKS_KEPT {
            station.counts.strays += 1;
            return None;
        }
        let dialog = Dialog::of_response(self.opening_request(), response, self.path_out(station)?)?;
        let id = self.forks.last().map_or(ForkId(0), |last| ForkId(last.id.0 + 1));
        let fork = Fork {
            id,
            dialog,
            number,
            owes_answer: false,
            agreed: false,
            answer: None,
            takes_update: false,
            prack: None,
        };
        self.forks.push(fork);
        Some(self.forks.len() - 1)
    }

    /// PRACK to the latest reliable provisional of a fork, section 4.
    fn send_prack(&mut self, station: &mut Station, now: Instant, at: usize, sdp: Option<Vec<u8>>) {
        let invite = self.opening_request().cseq().map_or(0, |cseq| cseq.number);
        let Some(fork) = self.forks.get_mut(at) else { return };
        let number = fork.number.unwrap_or(0);
        let rack = format!("{number} {invite} {}", method_text(Method::Invite));
        let mut prack = fork.dialog.request(Method::PRack).with(HeaderName::RAck, rack);
        if let Some(sdp) = sdp {
            prack = prack.with_body("application/sdp", sdp);
        }
        self.start_prack(station, now, at, prack);
    }

    fn start_prack(&mut self, station: &mut Station, now: Instant, at: usize, prack: Request) {
        let Some(fork) = self.forks.get(at) else { return };
        let to = station.toward(&fork.dialog);
        let sent = self.start_toward(station, now, (to, Role::Prack), prack);
        if let Some(fork) = self.forks.get_mut(at) {
            fork.prack = Some(sent);
        }
    }

    /// `answer_early`: our answer to the offer of a fork, in the PRACK.
    pub(crate) fn answer_early(&mut self, station: &mut Station, now: Instant, fork: ForkId, sdp: Vec<u8>) {
        let Some(at) = self.forks.iter().position(|early| early.id == fork && early.owes_answer) else {
            return;
        };
        let Some(early) = self.forks.get_mut(at) else { return };
        (early.owes_answer, early.agreed) = (false, true);
        self.remember(&sdp);
        self.send_prack(station, now, at, Some(sdp));
    }

    /// The answer to a PRACK matters only where it asks for credentials.
    pub(super) fn handle_prack_response(
        &mut self,
        station: &mut Station,
        now: Instant,
        tx: TransactionId,
        response: &Response,
    ) {
        if response.status.is_provisional() {
            return;
        }
        let is_that = |fork: &Fork| matches!(&fork.prack, Some((sent, _)) if *sent == tx);
        let Some(at) = self.forks.iter().position(is_that) else { return };
        let Some((_, prack)) = self.forks.get_mut(at).and_then(|fork| fork.prack.take()) else { return };
        let Some(again) = self.answer_challenge(station, &prack, response) else {
            return self.resume_reoffer(station, now);
        };
        if let (Some(fork), Some(cseq)) = (self.forks.get_mut(at), again.cseq()) {
            fork.dialog.used(cseq.number);
        }
        self.start_prack(station, now, at, again);
    }
}
