//! Whether the far end of a leg is still there. Sound that comes in is the best sign; where none comes, the dialog is
//! asked (OPTIONS within it): an agent's phone soon, any other after a while, or once the connection of its signalling is
//! gone. Whoever gives no sign either way has vanished, and the leg ends as lost.
//!
//! | sound | signalling | what is done |
//! |---|---|---|
//! | comes | connection lost | nothing: a phone behind a NAT connects anew |
//! | none for a while | not asked | asked |
//! | none | answers, or reports come (RTCP) | asked again and again: who is muted is there |
//! | none | never answered a question | the end, once the silence has lasted as long as any may |
//! | none | answers that there is no such call | the end (`sip`) |
//! | none | no answer, or no way to it | the end, unless the phone was heard meanwhile outside the call |
//!
//! A leg on hold owes no sound: no silence is too long there, and it is asked, whoever it is. Invariant: a leg is ended here
//! only while its sound is missing.
use std::net::SocketAddr;
use std::time::Duration;

use super::legs::Progress;
use super::machine::Node;
use super::output::NodeOutput;
use super::phones::{ANSWER_WITHIN, Turn};
use crate::base::{AgentId, Instant, LegId};
use crate::exchange::{Cause, Input};
use crate::media::MediaCommand;
use crate::sip::{InviteId, ListenerId};

/// An agent's phone that sends no sound for this long is asked.
const AGENT_QUIET: Duration = Duration::from_secs(5);
/// The same once its connection is gone.
const AGENT_CUT_OFF: Duration = Duration::from_secs(2);
/// Anybody else who sends no sound for this long is asked ...
const OTHERS_QUIET: Duration = Duration::from_secs(20);
/// ... and for this long once his connection is gone ...
const OTHERS_CUT_OFF: Duration = Duration::from_secs(10);
/// ... and has this long for an answer.
const OTHERS_ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Who answers and stays quiet is asked again after this long; on hold, who is no agent after the longest silence.
const AGAIN: Duration = Duration::from_secs(10);

/// The signs of one leg.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signs {
    /// Since when no sound comes, if that was noticed.
    quiet: Option<Instant>,
    /// The connection of its signalling is gone.
    cut_off: bool,
    /// A question is under way.
    asked: bool,
    /// The silence that sound was told to complain of.
    watched: Duration,
    /// The last answer to a question.
    answered: Option<Instant>,
    /// The last report during a silence.
    reported: Option<Instant>,
    hold: Hold,
}

/// Whether sound is owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Hold {
    /// It is.
    #[default]
    No,
    /// The far end holds us and may send music, or nothing.
    Free,
    /// None can come: that was agreed.
    Mute,
}

impl Signs {
    /// Whether an answer or a report came lately.
    fn heard_of(&self, now: Instant) -> bool {
        let lately =
            |at: Option<Instant>| at.is_some_and(|at| now.since(at) <= OTHERS_QUIET + OTHERS_ANSWER_WITHIN);
        lately(self.answered) || lately(self.reported)
    }
}

impl Node {
    /// From now on silence is a sign of death.
    pub(super) fn watch(&mut self, leg: LegId) {
        let silence = self.quiet_after(leg);
        if let Some(node_leg) = self.legs.get_mut(leg) {
            node_leg.signs.watched = silence;
        }
        self.outputs.push_back(NodeOutput::Media(MediaCommand::Watch { leg, silence: Some(silence) }));
        self.look_at_hold(leg);
    }

    /// Hold may have been agreed, or its end: what was watched until now is over.
    pub(super) fn look_at_hold(&mut self, leg: LegId) {
        let now = self.now().mono;
        let first = self.ask_held_after(leg, AGENT_QUIET);
        let Some(node_leg) = self.legs.get_mut(leg).filter(|l| l.progress == Progress::Up) else { return };
        let hold = match node_leg.sound.remote() {
            Some(remote) if !remote.receive => Hold::Mute,
            _ if node_leg.sound.held_by_peer() => Hold::Free,
            _ => Hold::No,
        };
        if std::mem::replace(&mut node_leg.signs.hold, hold) == hold {
            return;
        }
        node_leg.signs.asked = false;
        node_leg.signs.quiet = (hold == Hold::Mute).then_some(now);
        self.legs.stop_silence(leg);
        match hold {
            Hold::Mute => self.legs.start_probe(leg, now + first),
            Hold::No | Hold::Free => {
                self.legs.stop_probe(leg);
                self.watch(leg);
            }
        }
    }

    /// On hold an agent's phone is asked after `agents`, any other after the longest silence.
    fn ask_held_after(&self, leg: LegId, agents: Duration) -> Duration {
        let is_agents = self.legs.get(leg).is_some_and(|l| l.agent.is_some());
        if is_agents { agents } else { self.settings.exchange.silence.max(agents) }
    }

    /// Whether those who are quiet are asked without another reason.
    const fn asks(&self) -> bool {
        !self.settings.ask_phones.is_zero()
    }

    /// Who answered and is quiet on is asked again after this long.
    fn ask_again_after(&self, leg: LegId) -> Duration {
        match self.legs.get(leg) {
            Some(node_leg) if node_leg.signs.hold != Hold::No => self.ask_held_after(leg, AGAIN),
            Some(node_leg) if node_leg.agent.is_none() => OTHERS_QUIET,
            Some(_) | None => AGAIN,
        }
    }

    /// Silence that is noticed.
    fn quiet_after(&self, leg: LegId) -> Duration {
        let most = self.settings.exchange.silence;
        let Some(node_leg) = self.legs.get(leg) else { return most };
        let agents = node_leg.agent.is_some();
        most.min(match (node_leg.signs.cut_off, agents) {
            (true, true) => AGENT_CUT_OFF,
            (true, false) => OTHERS_CUT_OFF,
            (false, true) if self.asks() => AGENT_QUIET,
            (false, false) if self.asks() => OTHERS_QUIET,
            (false, _) => most,
        })
    }

    /// No sound came for as long as is watched.
    pub(super) fn on_quiet(&mut self, leg: LegId) {
        let (now, most) = (self.now().mono, self.settings.exchange.silence);
        let Some(node_leg) = self.legs.get_mut(leg) else { return };
        let after = node_leg.signs.watched;
        let left = most.saturating_sub(after);
        let since = *node_leg.signs.quiet.get_or_insert(now - after);
        if node_leg.signs.hold != Hold::No {
            return self.probe(leg);
        }
        if left.is_zero() {
            return self.silent_too_long(leg);
        }
        self.legs.start_silence(leg, since + most);
        self.probe(leg);
    }

    /// Sound comes again.
    pub(super) fn on_sound_back(&mut self, leg: LegId) {
        let now = self.now().mono;
        self.legs.stop_silence(leg);
        self.legs.stop_probe(leg);
        let wanted = self.quiet_after(leg);
        let Some(node_leg) = self.legs.get_mut(leg) else { return };
        (node_leg.signs.quiet, node_leg.signs.asked) = (None, false);
        if node_leg.signs.hold == Hold::Mute {
            // It is its signalling that was heard.
            node_leg.signs.quiet = Some(now);
            self.legs.start_probe(leg, now + AGAIN);
        }
        let Some(node_leg) = self.legs.get_mut(leg) else { return };
        // What gave reason to doubt may be over: silence is given its usual time again.
        if node_leg.signs.watched != wanted {
            self.watch(leg);
        }
    }

    /// Nobody is silent for so long, unless he was heard of otherwise: he is asked on, and lost once he does not answer.
    pub(super) fn silent_too_long(&mut self, leg: LegId) {
        let now = self.now().mono;
        let Some(node_leg) = self.legs.get(leg) else { return };
        if node_leg.signs.heard_of(now) {
            return self.legs.start_silence(leg, now + AGAIN);
        }
        if let Some(agent) = self.legs.get(leg).and_then(|l| l.agent.clone()) {
            self.phones.doubt(now, &agent);
        }
        self.input(Input::SoundLost { leg });
    }

    /// Asks the far end of a quiet leg, if there is reason to.
    fn probe(&mut self, leg: LegId) {
        let now = self.now().mono;
        let Some(node_leg) = self.legs.get(leg) else { return };
        let signs = node_leg.signs;
        let known_to_answer = node_leg.agent.as_ref().is_some_and(|agent| self.phones.answers(agent));
        let owed = self.asks() && (signs.hold != Hold::No || node_leg.agent.is_none());
        let wanted = signs.quiet.is_some() && !signs.asked && (signs.cut_off || known_to_answer || owed);
        if !wanted || node_leg.progress != Progress::Up || node_leg.ending.is_some() {
            return;
        }
        let patience = if node_leg.agent.is_some() { ANSWER_WITHIN } else { OTHERS_ANSWER_WITHIN };
        let asked = self.sip.probe(now, node_leg.invite);
        self.legs.start_probe(leg, now + if asked { patience } else { AGAIN });
        if let Some(node_leg) = self.legs.get_mut(leg) {
            node_leg.signs.asked = asked;
        }
        self.figures.legs_asked += u64::from(asked);
    }

    /// The time for an answer is over, or it is time to ask again.
    pub(super) fn probe_due(&mut self, leg: LegId) {
        match self.legs.get(leg).map(|l| l.signs.asked) {
            Some(true) => self.no_sign(leg),
            Some(false) => self.probe(leg),
            None => {}
        }
    }

    pub(super) fn on_probed(&mut self, invite: InviteId, answered: bool) {
        let now = self.now().mono;
        let Some((leg, node_leg)) = self.legs.of_invite(invite) else { return };
        if !std::mem::take(&mut node_leg.signs.asked) || node_leg.signs.quiet.is_none() {
            return;
        }
        if answered {
            (node_leg.signs.cut_off, node_leg.signs.answered) = (false, Some(now));
            let again = self.ask_again_after(leg);
            self.legs.start_probe(leg, now + again);
        } else {
            self.no_sign(leg);
        }
    }

    /// A report came during a silence.
    pub(super) fn on_reported(&mut self, leg: LegId) {
        let now = self.now().mono;
        if let Some(node_leg) = self.legs.get_mut(leg) {
            node_leg.signs.reported = Some(now);
        }
    }

    /// Neither sound nor an answer.
    fn no_sign(&mut self, leg: LegId) {
        let now = self.now().mono;
        self.legs.stop_probe(leg);
        let Some(node_leg) = self.legs.get_mut(leg) else { return };
        node_leg.signs.asked = false;
        let Some(quiet) = node_leg.signs.quiet.filter(|_| node_leg.ending.is_none()) else { return };
        let Signs { answered, reported, cut_off, .. } = node_leg.signs;
        let patience = if node_leg.agent.is_some() { ANSWER_WITHIN } else { OTHERS_ANSWER_WITHIN };
        let reports = reported.is_some_and(|at| now.since(at) < patience);
        let last_sign = answered.map_or(quiet, |answered| answered.max(quiet));
        let known = answered.is_some() || node_leg.agent.as_ref().is_some_and(|a| self.phones.answers(a));
        if reports || (!cut_off && !known) {
            // It is there; or it never answered a question: that it does not now says nothing.
            let again = self.ask_again_after(leg);
            return self.legs.start_probe(leg, now + again);
        }
        if let Some(agent) = node_leg.agent.clone() {
            // A phone behind a NAT is heard where it registers, and cannot be reached where its call was.
            if self.phones.heard_after(&agent, last_sign) {
                self.phones.doubt(now, &agent);
                return self.legs.start_probe(leg, now + AGAIN);
            }
            let turn = self.phones.is_gone(now, &agent);
            self.on_phone(turn);
        }
        self.figures.legs_vanished += 1;
        self.end_leg(leg, Cause::PeerLost);
    }

    /// A connection is gone, and with it the way to those who are in calls over it.
    pub(super) fn flow_lost(&mut self, flow: (ListenerId, SocketAddr)) {
        for leg in self.legs.on_flow(flow) {
            let Some(node_leg) = self.legs.get_mut(leg).filter(|l| l.progress == Progress::Up) else {
                continue;
            };
            node_leg.signs.cut_off = true;
            let expected = node_leg.sound.remote().is_some_and(|r| r.receive);
            if !expected {
                // Held, it sends nothing: that is no sign.
                let now = self.now().mono;
                if let Some(node_leg) = self.legs.get_mut(leg) {
                    node_leg.signs.quiet.get_or_insert(now);
                }
            }
            match self.legs.get(leg).and_then(|l| l.signs.quiet) {
                Some(_) => self.probe(leg),
                None => self.watch(leg),
            }
        }
    }

    /// Something came by the signalling of a leg.
    pub(super) fn signalling_heard(&mut self, leg: LegId) {
        let was = self.legs.get_mut(leg).is_some_and(|l| std::mem::take(&mut l.signs.cut_off));
        if was {
            self.on_sound_back(leg);
        }
    }

    /// The leg of an agent's phone rings, or no longer.
    pub(super) fn phone_rings(&mut self, agent: &AgentId, rings: bool) {
        let now = self.now().mono;
        self.phones.rings(now, agent, rings);
    }

    /// Asks the phones whose time it is.
    pub(super) fn ask_phones(&mut self) {
        let now = self.now().mono;
        while let Some(turn) = self.phones.pop_due(now, &mut self.sip) {
            self.on_phone(turn);
        }
    }

    /// What became of a phone.
    pub(super) fn on_phone(&mut self, turn: Turn) {
        match turn {
            Turn::None => {}
            Turn::Silent(agent) => {
                self.figures.phones_silent += 1;
                tracing::info!(%agent, "a phone does not answer: its agent is not rung");
                self.input(Input::AgentReachable { agent, reachable: false });
            }
            Turn::Back(agent) => {
                self.figures.phones_back += 1;
                if self.sip.contact(agent.as_str()).is_some() {
                    self.input(Input::AgentReachable { agent, reachable: true });
                }
            }
        }
    }
}
