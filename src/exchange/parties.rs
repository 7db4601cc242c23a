//! The parties of one call, and who hears whom among them.
//!
//! A stage does not move sound about: it says, as a [`Scene`], who should hear whom and what music; [`Parties::show`]
//! compares with what `node` was last told and commands the difference. So no way through the stages can leave an ear
//! behind. Invariant: an ear hears legs of its own call alone.
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::leg::{Ear, Leg, LegState, Playing, Role, Words};
use super::step::Step;
use super::{CallCard, Cause, Command, Peer, RingTarget};
use crate::base::{CallId, Language, LegId, PlayId, PromptId, TransferId};

/// Most sayings that wait behind the one being said to a leg; the oldest goes.
const SAYINGS_WAITING: usize = 4;

/// What one side should hear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// The sides it hears.
    pub(super) hears: &'static [Role],
    /// The music played to it, in place of them.
    pub(super) music: Option<PromptId>,
    /// Its phone is told that it is on hold.
    pub(super) on_hold: bool,
    /// Those whom it hears do not hear it.
    pub(super) only_listens: bool,
}

impl Part {
    pub(super) const fn hearing(hears: &'static [Role]) -> Self {
        Self { hears, music: None, on_hold: false, only_listens: false }
    }

    pub(super) const fn listening_to(music: Option<PromptId>) -> Self {
        Self { hears: &[], music, on_hold: false, only_listens: false }
    }
}

/// Who should hear what: one part a side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scene {
    pub(super) caller: Part,
    pub(super) agent: Part,
    pub(super) party: Part,
    /// Who is to take the third party's place: rings, and so hears nobody.
    pub(super) successor: Part,
}

impl Scene {
    /// Who hears nobody because their phones hold us has music. They are heard by nobody themselves: a phone that holds
    /// may go on sending, music of its own.
    pub(super) fn with_music_for_held(mut self, parties: &Parties, music: Option<&PromptId>) -> Self {
        for part in [&mut self.caller, &mut self.agent, &mut self.party, &mut self.successor] {
            if parties.are_away(part.hears) {
                part.music = music.cloned();
            }
        }
        self
    }

    pub(super) const fn part(&self, role: Role) -> &Part {
        match role {
            Role::Caller => &self.caller,
            Role::Agent => &self.agent,
            Role::Party => &self.party,
            Role::Successor => &self.successor,
        }
    }
}

/// What ended when a key was pressed or a playing came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// Not what is being said: stale, or music.
    Nothing,
    /// These words were heard; more follow.
    More(Vec<PromptId>),
    /// These words were heard, and they were the last.
    All(Vec<PromptId>),
}

/// Somebody to be rung.
pub(super) struct Summons {
    pub(super) target: RingTarget,
    pub(super) peer: Peer,
    pub(super) card: CallCard,
    pub(super) ring_for: Duration,
    /// The transfer that it follows.
    pub(super) transfer: Option<TransferId>,
}

/// The legs of one call.
#[derive(Debug)]
pub(super) struct Parties {
    call: CallId,
    legs: BTreeMap<LegId, Leg>,
}

impl Parties {
    pub(super) fn new(call: CallId, caller: LegId, peer: Peer, step: &mut Step<'_>) -> Self {
        step.registry.legs.insert(caller, call);
        let leg = Leg::new(caller, Role::Caller, LegState::Up, peer);
        Self { call, legs: BTreeMap::from([(caller, leg)]) }
    }

    /// All legs, the ending ones included.
    pub(super) fn all(&self) -> impl Iterator<Item = &Leg> {
        self.legs.values()
    }

    pub(super) fn get(&self, leg: LegId) -> Option<&Leg> {
        self.legs.get(&leg)
    }

    pub(super) fn get_mut(&mut self, leg: LegId) -> Option<&mut Leg> {
        self.legs.get_mut(&leg)
    }

    /// The live leg of a side, if there is one.
    pub(super) fn live(&self, role: Role) -> Option<&Leg> {
        self.legs.values().find(|leg| leg.role == role && leg.is_live())
    }

    /// Whether of these sides all who are there hold us by their own phones.
    pub(super) fn are_away(&self, sides: &[Role]) -> bool {
        let mut there = sides.iter().filter_map(|role| self.live(*role)).peekable();
        there.peek().is_some() && there.all(|leg| leg.holds_us)
    }

    fn live_mut(&mut self, role: Role) -> Option<&mut Leg> {
        self.legs.values_mut().find(|leg| leg.role == role && leg.is_live())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    /// Rings somebody on a new leg.
    pub(super) fn ring(&mut self, role: Role, summons: Summons, step: &mut Step<'_>) -> LegId {
        let Summons { target, peer, card, ring_for, transfer } = summons;
        let leg = step.numbers.leg();
        self.legs.insert(leg, Leg::new(leg, role, LegState::Ringing { early_sound: false }, peer));
        step.registry.legs.insert(leg, self.call);
        step.command(Command::Ring {
            leg,
            call: self.call,
            target,
            card: Box::new(card),
            ring_for,
            transfer,
        });
        leg
    }

    /// Another leg takes this one's place: it hears what the old one would, words that are being said from their
    /// beginning.
    pub(super) fn replace(
        &mut self,
        old: LegId,
        (new, peer): (LegId, Peer),
        language: Language,
        step: &mut Step<'_>,
    ) {
        let Some(leg) = self.legs.get_mut(&old) else { return };
        leg.state = LegState::Ending;
        let ear = std::mem::take(&mut leg.ear);
        let mut heir = Leg::new(new, leg.role, LegState::Up, peer);
        step.registry.legs.insert(new, self.call);
        step.command(Command::LegMoved { leg: new, call: self.call });
        step.command(Command::Answer { leg: new });
        step.command(Command::Hangup { leg: old, cause: Cause::Completed });
        if let Some(Playing::Words(_, words)) = ear.playing {
            begin(&mut heir, language, words, step);
        }
        heir.ear.next = ear.next;
        self.legs.insert(new, heir);
    }

    /// Who was rung to take the third party's place has it now.
    pub(super) fn promote(&mut self) {
        if let Some(leg) = self.live_mut(Role::Successor) {
            leg.role = Role::Party;
        }
    }

    /// Gives an answered leg to another call.
    pub(super) fn give(&mut self, role: Role) -> Option<Leg> {
        let leg = self.live(role).filter(|leg| leg.is_up()).map(|leg| leg.id)?;
        self.legs.remove(&leg)
    }

    /// Takes a leg over from another call.
    pub(super) fn take(&mut self, leg: Leg, step: &mut Step<'_>) {
        step.registry.legs.insert(leg.id, self.call);
        step.command(Command::LegMoved { leg: leg.id, call: self.call });
        self.legs.insert(leg.id, leg);
    }

    /// Ends the live leg of a side, if there is one.
    pub(super) fn hang_up(&mut self, role: Role, cause: Cause, step: &mut Step<'_>) {
        if let Some(leg) = self.live_mut(role) {
            leg.state = LegState::Ending;
            leg.ear = Ear::default();
            step.command(Command::Hangup { leg: leg.id, cause });
        }
    }

    /// A leg's end was reported: it is no more.
    pub(super) fn remove(&mut self, leg: LegId, step: &mut Step<'_>) {
        self.legs.remove(&leg);
        step.registry.legs.remove(&leg);
    }

    /// Says words to a side at once, in place of whatever is said or waits to be said.
    pub(super) fn say(&mut self, role: Role, language: Language, words: Words, step: &mut Step<'_>) {
        let Some(leg) = self.live_mut(role).filter(|leg| leg.is_up()) else { return };
        leg.ear.next.clear();
        begin(leg, language, words, step);
    }

    /// Says words to a side after what is being said.
    pub(super) fn say_after(&mut self, role: Role, language: Language, words: Words, step: &mut Step<'_>) {
        let Some(leg) = self.live_mut(role).filter(|leg| leg.is_up()) else { return };
        if !matches!(leg.ear.playing, Some(Playing::Words(..))) {
            return begin(leg, language, words, step);
        }
        if leg.ear.next.len() >= SAYINGS_WAITING {
            leg.ear.next.pop_front();
        }
        leg.ear.next.push_back(words);
    }

    /// Words to a side are of no more use. What it hears then is for [`Parties::show`] to say.
    pub(super) fn hush(&mut self, role: Role, step: &mut Step<'_>) {
        let Some(leg) = self.live_mut(role) else { return };
        leg.ear.next = VecDeque::new();
        if matches!(leg.ear.playing, Some(Playing::Words(..))) {
            leg.ear.playing = None;
            step.command(Command::Stop { leg: leg.id });
        }
    }

    /// A playing came to its end by itself.
    pub(super) fn playing_ended(
        &mut self,
        leg: LegId,
        play: PlayId,
        language: Language,
        step: &mut Step<'_>,
    ) -> Spoken {
        let Some(leg) = self.legs.get_mut(&leg) else { return Spoken::Nothing };
        let Some(heard) = words_of(&mut leg.ear, play) else { return Spoken::Nothing };
        match leg.ear.next.pop_front() {
            Some(words) => {
                begin(leg, language, words, step);
                Spoken::More(heard)
            }
            None => Spoken::All(heard),
        }
    }

    /// A key stopped a playing.
    pub(super) fn playing_interrupted(&mut self, leg: LegId, play: PlayId) -> Spoken {
        let Some(leg) = self.legs.get_mut(&leg) else { return Spoken::Nothing };
        let Some(heard) = words_of(&mut leg.ear, play) else { return Spoken::Nothing };
        leg.ear.next.clear();
        Spoken::All(heard)
    }

    /// Makes `node` do what the scene wants and was not told yet.
    pub(super) fn show(&mut self, scene: &Scene, language: Language, step: &mut Step<'_>) {
        for role in Role::ALL {
            let part = scene.part(role);
            let mut sources: Vec<LegId> = part
                .hears
                .iter()
                .filter_map(|r| self.live(*r))
                .filter(|l| l.has_sound() && !l.holds_us)
                .map(|l| l.id)
                .collect();
            sources.sort_unstable();
            let Some(leg) = self.live_mut(role).filter(|leg| leg.is_up()) else { continue };
            leg.ear.only_listens = part.only_listens;
            music(leg, part.music.as_ref(), language, step);
            if leg.ear.sources != sources {
                leg.ear.sources.clone_from(&sources);
                step.command(Command::Hear { leg: leg.id, sources });
            }
            if leg.ear.on_hold != part.on_hold {
                leg.ear.on_hold = part.on_hold;
                step.command(Command::SignalHold { leg: leg.id, held: part.on_hold });
            }
        }
    }
}

fn begin(leg: &mut Leg, language: Language, words: Words, step: &mut Step<'_>) {
    let play = step.numbers.play();
    step.command(Command::Play {
        leg: leg.id,
        play,
        language,
        prompts: words.prompts.clone(),
        barge_in: true,
        repeat: false,
    });
    leg.ear.playing = Some(Playing::Words(play, words));
}

/// Takes the words that this playing says out of the ear.
fn words_of(ear: &mut Ear, ended: PlayId) -> Option<Vec<PromptId>> {
    match ear.playing.take() {
        Some(Playing::Words(play, words)) if play == ended => Some(words.prompts),
        other => {
            ear.playing = other;
            None
        }
    }
}

/// Music, or none, unless words are being said: then it is changed when they end.
fn music(leg: &mut Leg, wanted: Option<&PromptId>, language: Language, step: &mut Step<'_>) {
    match (&leg.ear.playing, wanted) {
        (Some(Playing::Words(..)), _) | (None, None) => {}
        (Some(Playing::Music(_, now)), Some(wanted)) if now == wanted => {}
        (Some(Playing::Music(..)), None) => {
            leg.ear.playing = None;
            step.command(Command::Stop { leg: leg.id });
        }
        (Some(Playing::Music(..)) | None, Some(wanted)) => {
            let play = step.numbers.play();
            leg.ear.playing = Some(Playing::Music(play, wanted.clone()));
            step.command(Command::Play {
                leg: leg.id,
                play,
                language,
                prompts: vec![wanted.clone()],
                barge_in: false,
                repeat: true,
            });
        }
    }
}
