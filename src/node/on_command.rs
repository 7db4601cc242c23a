//! The exchange's commands become SIP and media requests.
use std::time::Duration;

use super::legs::{NodeLeg, Progress, Reoffer};
use super::machine::Node;
use super::output::NodeOutput;
use super::redirect::{Calling, Whom};
use super::sound::LegSound;
use super::status;
use crate::base::{AgentId, CallId, Key, LegId, SecretToken, TransferId, TrunkId};
use crate::exchange::{CallCard, Cause, Command, Fact, Input, RingTarget};
use crate::media::MediaCommand;
use crate::sip::{Credentials, Destination, Identity, ListenerId, OutgoingInvite};

/// How long a key is said to be pressed in an INFO, in milliseconds.
const KEY_INFO_MS: u32 = 100;

/// Where and how a leg is rung.
pub(super) struct Way {
    pub(super) uri: String,
    pub(super) to: Destination,
    pub(super) listener: ListenerId,
    pub(super) from: Identity,
    pub(super) credentials: Option<Credentials>,
    /// Route headers.
    pub(super) route: Vec<String>,
    /// More header fields.
    pub(super) headers: Vec<(String, String)>,
}

impl Way {
    /// The INVITE by this way.
    pub(super) fn invite(self, offer: Vec<u8>) -> OutgoingInvite {
        OutgoingInvite {
            request_uri: self.uri,
            to: self.to,
            route: self.route,
            from: self.from,
            extra_headers: self.headers,
            offer: Some(offer),
            credentials: self.credentials,
        }
    }
}

/// A leg to be rung.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) leg: LegId,
    pub(super) call: CallId,
    pub(super) ring_for: Duration,
    /// The transfer that wants it.
    pub(super) transfer: Option<TransferId>,
    pub(super) card: CallCard,
}

impl Node {
    pub(super) fn on_command(&mut self, command: Command) {
        match command {
            Command::Answer { leg } => self.answer(leg),
            Command::Reject { leg, cause } => self.reject(leg, cause),
            Command::Ring { leg, call, target, card, ring_for, transfer } => {
                let call = Called { leg, call, ring_for, transfer, card: *card };
                match &target {
                    RingTarget::Agent(agent) => self.ring_agent(agent, &call),
                    RingTarget::Party(party) => self.ring_party(party, call),
                    RingTarget::Outside { number, trunk } => {
                        self.ring_over((std::slice::from_ref(trunk), number), call);
                    }
                }
            }
            Command::Hangup { leg, cause } => self.end_leg(leg, cause),
            Command::Play { leg, play, language, prompts, barge_in, repeat } => {
                self.media(MediaCommand::Play { leg, play, language, prompts, barge_in, repeat });
            }
            Command::Stop { leg } => self.media(MediaCommand::Stop { leg }),
            Command::Hear { leg, sources } => self.media(MediaCommand::Hear { leg, sources }),
            Command::SignalHold { leg, held } => {
                if let Some(l) = self.legs.get_mut(leg).filter(|_| self.settings.signal_hold) {
                    l.sound.hold(held);
                    self.reoffer(leg);
                }
            }
            Command::SendKey { leg, key } => self.send_key(leg, key),
            Command::LegMoved { leg, call } => {
                if let Some(sip_call_id) = self.legs.belongs(leg, call) {
                    self.traces.belongs(&sip_call_id, call);
                }
            }
            Command::Transfer { transfer, step, .. } => self.on_transfer(transfer, step),
            Command::SecretEntry { leg, token } => self.secret_entry(leg, token),
            Command::AwaitRecord { call, ticket } => {
                self.outputs.push_back(NodeOutput::AwaitRecord { seq: self.board.seq(), call, ticket });
            }
            Command::RunAhead { batch } => {
                let futures = self.board.futures(batch).map(Box::new);
                self.outputs.extend(futures.map(NodeOutput::RunAhead));
            }
            // The switchboard keeps these to itself.
            Command::Acd(_) | Command::Note(_) => {}
        }
    }

    fn media(&mut self, command: MediaCommand) {
        self.outputs.push_back(NodeOutput::Media(command));
    }

    fn answer(&mut self, leg: LegId) {
        let now = self.now().mono;
        let Some(node_leg) = self.legs.get_mut(leg) else { return };
        if node_leg.progress != Progress::Arrived || node_leg.ending.is_some() {
            return;
        }
        node_leg.progress = Progress::Up;
        let sdp = if node_leg.agreed_early {
            Vec::new()
        } else {
            node_leg.late_offer = !node_leg.sound.has_answer();
            node_leg.sound.take_answer()
        };
        self.sip.answer(now, node_leg.invite, sdp);
        self.tell_remote(leg);
        self.watch(leg);
    }

    fn reject(&mut self, leg: LegId, cause: Cause) {
        let now = self.now().mono;
        let retry =
            matches!(cause, Cause::Overload | Cause::ShuttingDown).then_some(self.settings.retry_after_s);
        let Some(node_leg) = self.legs.get_mut(leg) else { return };
        node_leg.ending.get_or_insert(cause);
        self.sip.reject(now, node_leg.invite, status::refusal(cause), retry);
    }

    /// Ends a leg in whatever state; SIP reports the end.
    pub(super) fn end_leg(&mut self, leg: LegId, cause: Cause) {
        let now = self.now().mono;
        self.legs.stop_ring_timer(leg);
        let Some(node_leg) = self.legs.get_mut(leg) else { return };
        node_leg.ending.get_or_insert(cause);
        self.sip.end(now, node_leg.invite);
    }

    /// A phone has rung for the whole time it may.
    pub(super) fn ring_out(&mut self, leg: LegId) {
        self.end_leg(leg, Cause::NoAnswer);
    }

    fn ring_agent(&mut self, agent: &AgentId, called: &Called) {
        match self.way_to_agent(agent, &called.card) {
            Ok(mut way) => {
                way.headers = self.headers_for(called, None);
                self.ring(called, way, Whom::Agent(agent.clone()));
            }
            Err(cause) => self.later.push_back(Input::LegEnded { leg: called.leg, cause }),
        }
    }

    /// What the far end is told beside the request itself. `trunk`: over which; `None`: an agent's phone.
    pub(super) fn headers_for(&self, called: &Called, trunk: Option<&TrunkId>) -> Vec<(String, String)> {
        let mut headers = card_headers(&called.card, called.call);
        headers.extend(self.vouched_headers(called, trunk));
        headers.extend(self.transfer_headers(called.transfer, trunk));
        headers
    }

    fn way_to_agent(&self, agent: &AgentId, card: &CallCard) -> Result<Way, Cause> {
        let binding = self.sip.contact(agent.as_str()).ok_or(Cause::Unreachable)?;
        let listener = binding.to.listener();
        let caller = if card.caller.is_empty() { "anonymous" } else { &card.caller };
        let from = Identity {
            user: caller.to_owned(),
            host: String::new(),
            display: if card.caller_name.is_empty() { caller.to_owned() } else { card.caller_name.clone() },
        };
        Ok(Way {
            uri: binding.uri,
            to: binding.to,
            listener,
            from,
            credentials: None,
            route: Vec::new(),
            headers: Vec::new(),
        })
    }

    /// Rings by this way; the leg's port for sound. `None`: there was none, and its end is on its way.
    pub(super) fn ring(&mut self, called: &Called, way: Way, whom: Whom) -> Option<u16> {
        let Called { leg, call, ring_for, .. } = *called;
        let now = self.now().mono;
        let Some(port) = self.ports.take() else {
            self.figures.no_port += 1;
            self.later.push_back(Input::LegEnded { leg, cause: Cause::Overload });
            return None;
        };
        let mut sound = self.sound_toward(&way, port, call);
        let flow = self.sip.address_of(&way.to).filter(|_| way.to.is_reliable());
        let flow = flow.map(|address| (way.to.listener(), address));
        let wanted = way.invite(sound.offer());
        let invite = self.sip.invite(now, wanted.clone());
        self.media(MediaCommand::Open { leg, port });
        let sip_call_id = self.sip.sip_call_id(invite).unwrap_or_default().to_owned();
        self.traces.belongs(&sip_call_id, call);
        let mut node_leg = NodeLeg::new(invite, sip_call_id, Progress::Ringing, sound);
        node_leg.call = Some(call);
        node_leg.flow = flow;
        if let Whom::Agent(agent) = &whom {
            node_leg.agent = Some(agent.clone());
            self.phones.rings(now, agent, true);
        }
        node_leg.calling = Some(Box::new(Calling::new(whom, wanted)));
        self.legs.insert(leg, node_leg);
        self.legs.start_ring_timer(leg, now + ring_for);
        Some(port)
    }

    /// The sound of a leg of ours, its caller's codec first.
    pub(super) fn sound_toward(&mut self, way: &Way, port: u16, call: CallId) -> LegSound {
        let mut sound = self.sound_for(way.listener, port);
        if let Some(far_end) = self.sip.address_of(&way.to) {
            sound.signalled_from(far_end.ip());
        }
        if let Some(codec) = self.legs.caller_of(call).and_then(|l| l.sound.codec()) {
            sound.prefer(codec);
        }
        sound
    }

    /// Tells the far end what changed, by re-INVITE; when one is under way already, after it.
    pub(super) fn reoffer(&mut self, leg: LegId) {
        let now = self.now().mono;
        let Some(node_leg) = self.legs.get_mut(leg) else { return };
        if node_leg.progress != Progress::Up || node_leg.ending.is_some() {
            return;
        }
        if node_leg.reoffer != Reoffer::No {
            node_leg.reoffer = Reoffer::Again;
            return;
        }
        node_leg.reoffer = Reoffer::UnderWay;
        let offer = node_leg.sound.offer();
        self.sip.reoffer(now, node_leg.invite, offer);
    }

    /// A key to the far end: among its sound where telephone-events were agreed, else by INFO.
    fn send_key(&mut self, leg: LegId, key: Key) {
        let now = self.now().mono;
        let Some(node_leg) = self.legs.get(leg).filter(|l| l.ending.is_none()) else { return };
        let events = node_leg.sound.remote().is_some_and(|r| r.event_out.is_some() && r.send);
        if events {
            self.media(MediaCommand::SendKey { leg, key });
        } else if node_leg.progress == Progress::Up {
            self.sip.press(now, node_leg.invite, key, KEY_INFO_MS);
        }
    }

    fn secret_entry(&mut self, leg: LegId, token: Option<SecretToken>) {
        let Some(node_leg) = self.legs.get_mut(leg) else { return };
        // Nobody asks for the digits of an entry that is over: they are forgotten with it.
        if let Some((over, _)) = std::mem::replace(&mut node_leg.secret, token.map(|t| (t, 0))) {
            self.outputs.push_back(NodeOutput::SecretOver { token: over });
        }
    }

    /// Learns which call a leg belongs to; the fact itself comes numbered from the switchboard.
    pub(super) fn note(&mut self, fact: &Fact) {
        if let Fact::CallStarted { call, leg, .. } = fact
            && let Some(node_leg) = self.legs.get_mut(*leg)
        {
            node_leg.call = Some(*call);
            self.traces.belongs(&node_leg.sip_call_id, *call);
            self.legs.is_caller(*leg, *call);
        }
    }
}

/// What the agent's phone may show before "hello". Line breaks are removed by the writer.
fn card_headers(card: &CallCard, call: CallId) -> Vec<(String, String)> {
    let mut subject = Vec::new();
    if let Some(queue) = &card.queue {
        subject.push(queue.to_string());
    }
    subject.push(format!("waited {} s", card.waited_s));
    subject.push(card.language.to_string());
    subject.extend(card.entries.iter().map(|(name, digits)| format!("{name} {digits}")));
    if let Some(agent) = &card.passed_on_by {
        subject.push(format!("passed on by {agent}"));
    }
    vec![("Subject".to_owned(), subject.join("; ")), ("X-Hotline-Call".to_owned(), call.0.to_string())]
}
