//! The caller's side of a queue: music, tellings of the wait, live keys, overflow, and the phone that rings for him.
//!
//! Invariant: a call in `Waiting` or `Ringing` has exactly one ticket in the Acd, in every other stage none.
use super::call::end;
use super::case::{Case, is_cut_off};
use super::in_menu::{follow, no_way_left};
use super::leg::Role;
use super::menu::Target;
use super::parties::Summons;
use super::promise::Promises;
use super::recall::LostPlace;
use super::stage::{Event, Stage, ignore};
use super::step::Step;
use super::talk::{Talk, Talking};
use super::timers::Timer;
use super::{AcdInput, Cause, Command, Fact, Joining, Offer, OverflowCause, Peer, Phrase, RingTarget, Told};
use crate::base::{AgentId, AssignmentId, Instant, Key, MenuId, QueueId, TicketId};
use std::time::Duration;

/// How often a caller may be sent on by queues' rules at one moment: more is a circle.
const HOPS_MAX: u8 = 4;
/// `node` gives up ringing by itself; this much later we no longer believe in it.
pub(super) const RING_GRACE: Duration = Duration::from_secs(5);

/// A place in a queue.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) ticket: TicketId,
    pub(super) queue: QueueId,
    pub(super) priority: u8,
    /// When he joined this line.
    entered: Instant,
    /// What he was told here.
    promises: Promises,
}

/// A caller who waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) place: Place,
}

/// A caller who waits while an agent's phone rings for him.
#[derive(Debug)]
pub(super) struct Ringing {
    pub(super) place: Place,
    pub(super) assignment: AssignmentId,
    pub(super) agent: AgentId,
}

/// Joins a queue. The clock starts with the first queue and never again.
pub(super) fn enter(queue: QueueId, priority: u8, case: &mut Case, step: &mut Step<'_>) -> Stage {
    if case.way.clock.is_none() {
        case.recall(step);
    }
    let since: Instant = *case.way.clock.get_or_insert(step.now.mono);
    let ticket = step.numbers.ticket();
    case.way.queue = Some(queue.clone());
    case.way.told = None;
    case.visit.line = None;
    case.limit(Timer::WaitLimit, step.settings.wait_max, step);
    step.note(Fact::Queued { call: case.id, ticket, queue: queue.clone(), priority });
    if let Some(queue) = case.menus.queues.get(&queue) {
        let said = [Some(&queue.name), queue.notice.as_ref()];
        let said: Vec<Phrase> = said.into_iter().flatten().cloned().map(Phrase::Prompt).collect();
        case.tell_after(&said, step);
    }
    case.say_banner(&queue, step);
    step.acd(AcdInput::Enter(Joining {
        ticket,
        call: case.id,
        queue: queue.clone(),
        priority,
        since,
        language: case.language(),
        skills: Vec::new(),
        prefer: case.way.prefer.clone(),
        kept: std::mem::take(&mut case.way.kept),
    }));
    if case.can_return(step) && !case.way.assured {
        step.command(Command::AwaitRecord { call: case.id, ticket });
    }
    Stage::Waiting(Waiting {
        place: Place { ticket, queue, priority, entered: step.at(), promises: Promises::default() },
    })
}

/// Hands an offer back: nobody waits for it here.
pub(super) fn turn_down(offer: &Offer, step: &mut Step<'_>) {
    step.registry.assignments.remove(&offer.assignment);
    step.acd(AcdInput::CallerGone { assignment: offer.assignment });
}

impl Place {
    fn note_left(&self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        case.timers.stop(Timer::WaitLimit);
        case.way.lost_place =
            is_cut_off(cause).then(|| LostPlace { queue: self.queue.clone(), priority: self.priority });
        let waited = case.waited(step.at());
        step.note(Fact::LeftQueue { call: case.id, ticket: self.ticket, cause, waited });
        self.promises_over(Some(cause), case, step);
    }

    /// His wait here is over: he was served, or left for this cause.
    fn promises_over(&self, cause: Option<Cause>, case: &Case, step: &mut Step<'_>) {
        let (call, ticket) = (case.id, self.ticket);
        for promised in self.promises.over(&self.queue, (step.at(), cause), &case.menus.zone) {
            step.note(Fact::PromiseOver { call, ticket, promised });
        }
    }

    fn tell(&mut self, told: Told, case: &mut Case, step: &mut Step<'_>) {
        let waited = case.waited(step.at());
        case.say_banner(&self.queue, step);
        case.tell_after(&super::told(&told), step);
        case.way.told = Some(told.clone());
        self.promises.told(step.now, self.entered, &told);
        step.note(Fact::WaitTold { call: case.id, ticket: self.ticket, told, waited });
    }

    /// The queue's rules send him on: where, its `overflow` says.
    fn overflow(&self, why: OverflowCause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        case.timers.stop(Timer::WaitLimit);
        let waited = case.waited(step.at());
        step.note(Fact::Overflowed { call: case.id, ticket: self.ticket, why, waited });
        self.promises_over(Some(Cause::QueueOverflow), case, step);
        // 0 leads to a human, also of those who came before the queue behind it was called otherwise.
        let lost = why == OverflowCause::NoSuchQueue && self.queue == case.menus.human;
        if let Some(human) = step.registry.human.clone().filter(|human| lost && *human != self.queue) {
            return enter(human, self.priority, case, step);
        }
        let hops = &mut case.way.hops;
        *hops = if hops.0 == step.at() { (hops.0, hops.1 + 1) } else { (step.at(), 1) };
        let target = case.menus.queues.get(&self.queue).map(|queue| queue.overflow.clone());
        match target {
            Some(target) if case.way.hops.1 <= HOPS_MAX => follow(&target, case, step),
            Some(_) | None => no_way_left(case, step),
        }
    }

    /// The menu behind a live key.
    fn live_key(&self, key: Key, case: &Case, step: &mut Step<'_>) -> Option<MenuId> {
        let menu = case.menus.queues.get(&self.queue).and_then(|queue| queue.keys.get(&key)).cloned()?;
        // Other keys are not noted: who types a card number to the music did not mean to leave it here.
        step.note(Fact::KeyPressed { call: case.id, menu: None, key });
        Some(menu)
    }

    /// He goes to a menu; a human is then this line for him.
    fn into_menu(self, menu: MenuId, case: &mut Case, step: &mut Step<'_>) -> Stage {
        case.visit.line = Some(self.queue);
        case.parties.hush(Role::Caller, step);
        follow(&Target::Menu(menu), case, step)
    }
}

impl Waiting {
    pub(super) fn on(mut self, event: Event, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match event {
            Event::CallerKey(key) => {
                if let Some(menu) = self.place.live_key(key, case, step) {
                    self.leave(Cause::Completed, case, step);
                    return self.place.into_menu(menu, case, step);
                }
            }
            Event::CallerHeard => {}
            Event::Transfer(asked) => asked.transfer.refuse(Cause::Declined, step),
            Event::Offer(offer) => return self.ring(*offer, case, step),
            Event::Tell(ticket, told) if ticket == self.place.ticket => self.place.tell(told, case, step),
            Event::Overflow(ticket, why) if ticket == self.place.ticket => {
                return self.place.overflow(why, case, step);
            }
            Event::Timer(Timer::WaitLimit) => {
                self.leave(Cause::LimitReached, case, step);
                return end(Cause::LimitReached, case, step);
            }
            Event::CallerSecret(..)
            | Event::AgentAnswered
            | Event::PickedUp(_)
            | Event::AgentKey(_)
            | Event::AgentGone(_)
            | Event::PartyAnswered
            | Event::PartyRings
            | Event::PartyGone(_)
            | Event::Successor(_)
            | Event::Revoked(..)
            | Event::Tell(..)
            | Event::Overflow(..)
            | Event::Timer(_) => ignore(&event, "waiting", step),
        }
        Stage::Waiting(self)
    }

    fn ring(self, offer: Offer, case: &mut Case, step: &mut Step<'_>) -> Stage {
        if offer.ticket != self.place.ticket {
            turn_down(&offer, step);
            return Stage::Waiting(self);
        }
        let Offer { assignment, agent, queue, ring_for, why, .. } = offer;
        step.note(Fact::Offered { call: case.id, assignment, agent: agent.clone(), queue, why });
        let card = case.card(step.at());
        let (target, peer) = (RingTarget::Agent(agent.clone()), Peer::Agent(agent.clone()));
        case.parties.ring(Role::Agent, Summons { target, peer, card, ring_for, transfer: None }, step);
        case.limit(Timer::RingLimit, ring_for + RING_GRACE, step);
        Stage::Ringing(Ringing { place: self.place, assignment, agent })
    }

    pub(super) fn leave(&self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        self.place.note_left(cause, case, step);
        step.acd(AcdInput::Leave { ticket: self.place.ticket, cause });
    }
}

impl Ringing {
    pub(super) fn on(mut self, event: Event, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match event {
            Event::CallerKey(key) => {
                if let Some(menu) = self.place.live_key(key, case, step) {
                    self.leave(Cause::Completed, case, step);
                    return self.place.into_menu(menu, case, step);
                }
            }
            Event::CallerHeard => {}
            Event::Transfer(asked) => asked.transfer.refuse(Cause::Declined, step),
            Event::AgentAnswered => return self.connect(case, step),
            Event::PickedUp(agent) => return self.picked_up(agent, case, step),
            Event::AgentGone(cause) => return self.not_taken(cause, case, step),
            Event::Timer(Timer::RingLimit) => return self.not_taken(Cause::NoAnswer, case, step),
            Event::Revoked(assignment, cause) if assignment == self.assignment => {
                self.drop_offer(cause, case, step);
                return Stage::Waiting(Waiting { place: self.place });
            }
            Event::Tell(ticket, told) if ticket == self.place.ticket => self.place.tell(told, case, step),
            Event::Overflow(ticket, why) if ticket == self.place.ticket => {
                self.drop_offer(Cause::Withdrawn, case, step);
                return self.place.overflow(why, case, step);
            }
            Event::Timer(Timer::WaitLimit) => {
                self.leave(Cause::LimitReached, case, step);
                return end(Cause::LimitReached, case, step);
            }
            Event::Offer(offer) => turn_down(&offer, step),
            Event::CallerSecret(..)
            | Event::AgentKey(_)
            | Event::PartyAnswered
            | Event::PartyRings
            | Event::PartyGone(_)
            | Event::Successor(_)
            | Event::Revoked(..)
            | Event::Tell(..)
            | Event::Overflow(..)
            | Event::Timer(_) => ignore(&event, "ringing", step),
        }
        Stage::Ringing(self)
    }

    /// The agent answered.
    fn connect(self, case: &mut Case, step: &mut Step<'_>) -> Stage {
        let accepted = AcdInput::Accepted { assignment: self.assignment };
        let talk = self.talk(accepted, case, step);
        Stage::Talking(Talking::introducing(talk, case, step))
    }

    /// This agent's phone answered, be it his second or a colleague's: whoever was rung stays free, and is not counted as
    /// one who did not answer.
    fn picked_up(mut self, by: AgentId, case: &mut Case, step: &mut Step<'_>) -> Stage {
        if by == self.agent {
            return self.connect(case, step);
        }
        let (assignment, ticket) = (self.assignment, self.place.ticket);
        self.offer_over(Cause::Withdrawn, case, step);
        step.engage(by.clone());
        self.agent = by;
        let mut talk = self.talk(AcdInput::PickedUp { assignment, ticket }, case, step);
        talk.taken_over = true;
        Stage::Talking(Talking::introducing(talk, case, step))
    }

    /// The caller, in that very step, hears the agent and nothing else, or who it is and then him. `word`: what the Acd is
    /// told of it.
    fn talk(self, word: AcdInput, case: &mut Case, step: &mut Step<'_>) -> Talk {
        let Self { mut place, assignment, agent } = self;
        case.parties.hush(Role::Caller, step);
        case.timers.stop(Timer::RingLimit);
        case.timers.stop(Timer::WaitLimit);
        case.limit(Timer::TalkLimit, step.settings.talk_max, step);
        step.acd(word);
        let waited = case.waited(step.at());
        step.note(Fact::Connected { call: case.id, assignment, agent: agent.clone(), waited });
        place.promises_over(None, case, step);
        // Should the Acd take the answer back, he waits here again: these are over all the same.
        place.promises = Promises::default();
        case.way.agent = Some(agent.clone());
        case.way.prefer = None;
        Talk::new(place, assignment, agent, step.at())
    }

    /// The agent's phone refused, could not be reached, or rang out: the caller waits on.
    fn not_taken(self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        self.drop_offer(cause, case, step);
        let assignment = self.assignment;
        step.acd(match cause {
            Cause::NoAnswer => AcdInput::NoAnswer { assignment },
            other => AcdInput::Refused { assignment, cause: other },
        });
        Stage::Waiting(Waiting { place: self.place })
    }

    /// Stops the ringing, if it still rings.
    fn drop_offer(&self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        case.parties.hang_up(Role::Agent, cause, step);
        self.offer_over(cause, case, step);
    }

    fn offer_over(&self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        case.timers.stop(Timer::RingLimit);
        step.registry.assignments.remove(&self.assignment);
        let (assignment, agent) = (self.assignment, self.agent.clone());
        step.note(Fact::OfferEnded { call: case.id, assignment, agent, cause });
    }

    pub(super) fn leave(&self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        self.drop_offer(Cause::Withdrawn, case, step);
        self.place.note_left(cause, case, step);
        step.acd(AcdInput::CallerGone { assignment: self.assignment });
    }
}
