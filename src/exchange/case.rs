//! `Case`: what a call carries from stage to stage: who called, in which language, what he entered, since when he waits,
//! who is attached.
//!
//! Invariant: the clock is set when the caller first joins a queue and never again.
use std::sync::Arc;
use std::time::Duration;

use super::Phrase;
use super::leg::{Role, Words};
use super::menu::{self, MenuSet};
use super::parties::Parties;
use super::recall::{LostPlace, Recall, number};
use super::step::Step;
use super::timers::{Timer, Timers};
use super::{Arrival, CallCard, Cause, Command, Fact, Peer, Told};
use crate::base::{AgentId, CallId, EntryId, Instant, Key, Language, PromptId, QueueId};

/// Everything about a call but its stage.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) id: CallId,
    pub(super) arrival: Arrival,
    pub(super) menus: Arc<MenuSet>,
    /// What the menus know of him: language, priority, line.
    pub(super) visit: menu::Visit,
    pub(super) started: Instant,
    pub(super) parties: Parties,
    pub(super) timers: Timers,
    pub(super) way: Way,
    /// When he hung up and why, while agent and third party go on without him.
    pub(super) left: Option<(Instant, Cause)>,
}

/// What a caller brings to queues and agents.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// When he first joined a queue, in this visit or in the one that was cut off.
    pub(super) clock: Option<Instant>,
    /// The queue he joined last.
    pub(super) queue: Option<QueueId>,
    /// What he entered; secrets as their lengths.
    pub(super) entries: Vec<(EntryId, String)>,
    /// Who passed him on.
    pub(super) passed_on_by: Option<AgentId>,
    /// The agent who talked to him before he was cut off.
    pub(super) prefer: Option<AgentId>,
    /// Who talked to him last.
    pub(super) agent: Option<AgentId>,
    /// He is on his way back to a place that was kept for him.
    pub(super) kept: bool,
    /// Where he was waiting when he was cut off.
    pub(super) lost_place: Option<LostPlace>,
    /// He was told that his place is kept.
    pub(super) assured: bool,
    /// The banner that he heard last.
    pub(super) banner: Option<u64>,
    /// What he was last told of his wait.
    pub(super) told: Option<Told>,
    /// How often a queue's rules sent him on at one moment.
    pub(super) hops: (Instant, u8),
}

/// Most entries kept for the agent.
const ENTRIES_MAX: usize = 32;

impl Case {
    /// Whether he called before and was cut off: then his clock and his agent come back.
    pub(super) fn recall(&mut self, step: &mut Step<'_>) {
        let within = step.settings.recall_within;
        if let Some(recall) = step.recalls.take(step.at(), &self.arrival, within) {
            self.returns(recall);
        }
    }

    /// He was cut off and is back, with his clock and his agent.
    pub(super) fn returns(&mut self, recall: Recall) {
        self.way.clock = Some(recall.since);
        self.way.prefer = recall.agent;
    }

    /// Remembers him if he was cut off in a queue or a conversation.
    pub(super) fn remember(&self, cause: Cause, step: &mut Step<'_>) {
        let Some(since) = self.way.clock.filter(|_| is_cut_off(cause)) else { return };
        let recall = Recall {
            agent: self.way.agent.clone(),
            since,
            dialled: self.arrival.dialled.clone(),
            language: self.language(),
            place: self.way.lost_place.clone(),
        };
        step.recalls.remember(step.now.mono, &self.arrival, recall, step.settings.recalls_max);
    }

    /// Whether he is known by his number when he rings again.
    pub(super) fn can_return(&self, step: &Step<'_>) -> bool {
        let settings = step.settings;
        !number(&self.arrival).is_empty() && settings.recalls_max > 0 && !settings.recall_within.is_zero()
    }

    /// Time since he first joined a queue.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        self.way.clock.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// What an agent or a third party is shown.
    pub(super) fn card(&self, now: Instant) -> CallCard {
        CallCard {
            caller: self.arrival.caller.clone(),
            caller_name: self.arrival.caller_name.clone(),
            dialled: self.arrival.dialled.clone(),
            language: self.visit.language,
            queue: self.way.queue.clone(),
            waited_s: self.waited(now).as_secs(),
            entries: self.way.entries.clone(),
            passed_on_by: self.way.passed_on_by.clone(),
            vouched: self.arrival.vouched.clone(),
        }
    }

    /// Keeps what he entered; a second entry of one name replaces the first.
    pub(super) fn keep_entry(&mut self, entry: EntryId, text: String) {
        self.way.entries.retain(|(name, _)| *name != entry);
        if self.way.entries.len() < ENTRIES_MAX {
            self.way.entries.push((entry, text));
        }
    }

    /// The agent who calls us himself, if it is one.
    pub(super) fn own_agent(&self) -> Option<&AgentId> {
        match &self.arrival.peer {
            Peer::Agent(agent) => Some(agent),
            Peer::Stranger | Peer::Trunk(_) => None,
        }
    }

    /// Whether he dialled what only agents dial: nobody serves him, he is told and that is all.
    pub(super) fn is_feature_code(&self) -> bool {
        self.own_agent().is_some() && self.menus.codes.contains_key(&self.arrival.dialled)
    }

    pub(super) const fn language(&self) -> Language {
        self.visit.language
    }

    /// The music of the queue he joined last.
    pub(super) fn music(&self) -> Option<PromptId> {
        let queue = self.way.queue.as_ref().unwrap_or(&self.menus.human);
        // A queue of a later set has the music of the one behind 0.
        let queue = self.menus.queues.get(queue).or_else(|| self.menus.queues.get(&self.menus.human));
        queue.map(|queue| queue.music.clone())
    }

    /// Prompts for phrases in the caller's language.
    pub(super) fn words(&self, phrases: &[Phrase]) -> Words {
        Words { prompts: super::say(self.visit.language, phrases) }
    }

    /// Says something to the caller at once; a key stops it.
    pub(super) fn tell(&mut self, phrases: &[Phrase], step: &mut Step<'_>) {
        let words = self.words(phrases);
        self.parties.say(Role::Caller, self.visit.language, words, step);
    }

    /// Says something to the caller after what is being said to him; a key stops it.
    pub(super) fn tell_after(&mut self, phrases: &[Phrase], step: &mut Step<'_>) {
        let words = self.words(phrases);
        self.parties.say_after(Role::Caller, self.visit.language, words, step);
    }

    /// The banner that this caller has not heard yet, in this queue: he counts as having heard it from now on.
    fn banner_in(&mut self, queue: &QueueId, step: &Step<'_>) -> Option<Phrase> {
        let posted = step.banner.filter(|posted| self.way.banner != Some(posted.number))?;
        let said = posted.banner.is_said_in(queue, &self.arrival.dialled);
        said.then(|| {
            self.way.banner = Some(posted.number);
            Phrase::Prompt(posted.banner.said())
        })
    }

    /// Says the banner, if he has not heard it: after what is being said to him, and a key stops it.
    pub(super) fn say_banner(&mut self, queue: &QueueId, step: &mut Step<'_>) {
        let Some(banner) = self.banner_in(queue, step) else { return };
        let words = self.words(&[banner]);
        self.parties.say_after(Role::Caller, self.visit.language, words, step);
    }

    /// Says something to the agent at once, in his own first language.
    pub(super) fn tell_agent(&mut self, phrase: Phrase, step: &mut Step<'_>) {
        let agent = self.way.agent.as_ref().and_then(|agent| self.menus.acd.agents.get(agent));
        let language = agent.and_then(|plan| plan.languages.first().copied()).unwrap_or(self.visit.language);
        let words = Words { prompts: super::say(language, &[phrase]) };
        self.parties.say(Role::Agent, language, words, step);
    }

    /// Whether there is a third party that takes keys: one that holds us does not hear them.
    pub(super) fn takes_keys(&self) -> bool {
        self.parties.live(Role::Party).is_some_and(|leg| leg.has_sound() && !leg.holds_us)
    }

    /// Presses keys at the third party's.
    pub(super) fn send_keys(&self, keys: &[Key], step: &mut Step<'_>) {
        let Some(leg) = self.parties.live(Role::Party).map(|leg| leg.id) else { return };
        for key in keys {
            step.command(Command::SendKey { leg, key: *key });
        }
    }

    /// Lets a limit run from now.
    pub(super) fn limit(&mut self, timer: Timer, after: Duration, step: &Step<'_>) {
        self.timers.start(timer, step.at() + after);
    }

    /// The visit is over: every leg is ended, and only their ends are waited for.
    pub(super) fn close(&mut self, cause: Cause, step: &mut Step<'_>) {
        self.remember(cause, step);
        let (at, cause) = self.left.unwrap_or((step.at(), cause));
        self.timers.stop_all();
        for role in Role::ALL {
            let why = if role == Role::Caller { cause } else { Cause::PartnerLeft };
            self.parties.hang_up(role, why, step);
        }
        let lasted = at.since(self.started);
        step.note(Fact::CallEnded { call: self.id, cause, lasted });
        self.limit(Timer::Linger, LINGER, step);
    }
}

/// How long the ends of hung-up legs are waited for. Longer than any SIP transaction (64 x T1 = 32 s, RFC 3261 17.1.2).
const LINGER: Duration = Duration::from_secs(90);

/// Whether a caller whose visit ended for this cause was cut off rather than left.
pub(super) const fn is_cut_off(cause: Cause) -> bool {
    match cause {
        Cause::SoundLost
        | Cause::PeerLost
        | Cause::ProtocolError
        | Cause::InternalError
        | Cause::ShuttingDown
        | Cause::ServerRestart => true,
        Cause::HungUp
        | Cause::Completed
        | Cause::GaveUp
        | Cause::Busy
        | Cause::Declined
        | Cause::NoAnswer
        | Cause::NotFound
        | Cause::Unreachable
        | Cause::Forbidden
        | Cause::NoCommonCodec
        | Cause::Overload
        | Cause::Closed
        | Cause::QueueOverflow
        | Cause::LimitReached
        | Cause::PartnerLeft
        | Cause::Withdrawn
        | Cause::OpsEnded => false,
    }
}

/// Whether an agent whose leg ended for this cause was lost rather than hung up: then the caller waits again.
pub(super) const fn is_lost(cause: Cause) -> bool {
    is_cut_off(cause)
}
