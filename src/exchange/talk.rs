//! Caller and agent talk, or the agent holds the caller; and the agent's part in every stage that comes of it.
//!
//! Invariant: one `Talk` is one assignment that the Acd was told is accepted; it ends in exactly one `TalkEnded`, unless
//! the Acd itself took it back.
use super::call::end;
use super::case::{Case, is_lost};
use super::desk::{Desk, DeskWish};
use super::hand_over::hand_over;
use super::in_menu::{follow, say_farewell};
use super::leg::Role;
use super::menu::Target;
use super::parties::{Part, Scene};
use super::stage::{Event, Stage, ignore};
use super::step::Step;
use super::third_party::invite;
use super::timers::Timer;
use super::waiting::{Place, Waiting, enter, turn_down};
use super::words;
use super::{AcdInput, Cause, Fact, Phrase};
use crate::base::{AgentId, AssignmentId, Instant, Key, QueueId};
use std::time::Duration;

/// An agent's part in a call.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) place: Place,
    pub(super) assignment: AssignmentId,
    pub(super) agent: AgentId,
    pub(super) since: Instant,
    /// He put the caller on hold.
    pub(super) held: bool,
    /// He took another agent's place by his phone: the Acd counts him as engaged, and knows of no assignment.
    pub(super) taken_over: bool,
    desk: Desk,
}

impl Talk {
    pub(super) fn new(place: Place, assignment: AssignmentId, agent: AgentId, since: Instant) -> Self {
        Self { place, assignment, agent, since, held: false, taken_over: false, desk: Desk::default() }
    }

    /// One of the agent's keys; a wish when a sequence is complete. `passing`: those that are not ours go to the third
    /// party.
    pub(super) fn press(
        &mut self,
        key: Key,
        passing: bool,
        case: &mut Case,
        step: &mut Step<'_>,
    ) -> Option<DeskWish> {
        case.timers.stop(Timer::DeskKeys);
        let pressed = self.desk.press(key, passing, &case.menus.keys);
        case.send_keys(&pressed.passed, step);
        if self.desk.is_half() {
            case.limit(Timer::DeskKeys, step.settings.desk_key_gap, step);
        }
        pressed.wish
    }

    /// The rest of a sequence never came: it was meant for the third party, if there is one that takes keys.
    pub(super) fn stale_keys(&mut self, passing: bool, case: &Case, step: &mut Step<'_>) {
        let keys = self.desk.stale();
        if passing {
            case.send_keys(&keys, step);
        }
    }

    /// Another agent's phone took the place of his.
    pub(super) fn taken_over_by(&mut self, agent: AgentId, case: &mut Case, step: &mut Step<'_>) {
        if agent == self.agent {
            return;
        }
        let talked = self.note_left(Cause::Completed, OnWithParty::No, case, step);
        self.give_back(talked, step);
        step.engage(agent.clone());
        step.note(Fact::AgentReplaced { call: case.id, assignment: self.assignment, agent: agent.clone() });
        case.way.agent = Some(agent.clone());
        self.desk.forget();
        (self.agent, self.since, self.taken_over) = (agent, step.at(), true);
    }

    /// Holds the caller, or takes him back.
    pub(super) fn hold(&mut self, held: bool, case: &Case, step: &mut Step<'_>) {
        if self.held != held {
            self.held = held;
            step.note(Fact::Held { call: case.id, held });
        }
    }

    /// The agent's part is over: his leg is ended if it is not, and the Acd is told.
    pub(super) fn over(&self, cause: Cause, with_party: OnWithParty, case: &mut Case, step: &mut Step<'_>) {
        case.timers.stop(Timer::DeskKeys);
        case.parties.hang_up(Role::Agent, cause, step);
        let talked = self.note_left(cause, with_party, case, step);
        self.give_back(talked, step);
    }

    /// The Acd is told that he is done here.
    fn give_back(&self, talked: Duration, step: &mut Step<'_>) {
        if self.taken_over {
            return step.disengage(self.agent.clone());
        }
        step.registry.assignments.remove(&self.assignment);
        step.acd(AcdInput::TalkEnded { assignment: self.assignment, talked });
    }

    pub(super) fn note_left(
        &self,
        cause: Cause,
        with_party: OnWithParty,
        case: &Case,
        step: &mut Step<'_>,
    ) -> Duration {
        let talked = step.at().since(self.since);
        step.note(Fact::AgentLeft {
            call: case.id,
            assignment: self.assignment,
            agent: self.agent.clone(),
            cause,
            talked,
            on_with_party: with_party == OnWithParty::Yes,
        });
        talked
    }

    /// The agent was lost: the caller waits again at his old place, with an apology.
    pub(super) fn wait_again(self, case: &mut Case, step: &mut Step<'_>) -> Stage {
        case.timers.stop(Timer::TalkLimit);
        case.tell(&[words::agent_lost()], step);
        let Place { queue, priority, .. } = self.place;
        // He was in line before all who wait now: a full queue does not turn him away.
        case.way.kept = true;
        enter(queue, priority, case, step)
    }

    /// The Acd took the offer back while the answer was on its way: the place in line is still his.
    pub(super) fn taken_back(self, cause: Cause, case: &mut Case, step: &mut Step<'_>) -> Stage {
        case.timers.stop(Timer::DeskKeys);
        case.parties.hang_up(Role::Agent, cause, step);
        step.registry.assignments.remove(&self.assignment);
        self.note_left(cause, OnWithParty::No, case, step);
        case.timers.stop(Timer::TalkLimit);
        case.limit(Timer::WaitLimit, step.settings.wait_max, step);
        Stage::Waiting(Waiting { place: self.place })
    }
}

/// Longest that the two are kept from each other, should the end of what they hear never be told.
const INTRODUCTION_MAX: Duration = Duration::from_secs(10);

/// Whether caller and third party go on when the agent leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnWithParty {
    /// They do.
    Yes,
    /// There is none, or it is hung up.
    No,
}

/// Caller and agent talk, or the caller is held.
#[derive(Debug)]
pub(super) struct Talking {
    pub(super) talk: Talk,
    /// Both hear who serves, and not yet each other: neither can say a word that the other misses.
    introduces: bool,
}

impl Talking {
    pub(super) const fn new(talk: Talk) -> Self {
        Self { talk, introduces: false }
    }

    /// Begins with who serves, said to both in the caller's language: the agent so knows when he is heard, and how to
    /// greet. Where that is not wanted, or cannot be said, they talk at once.
    pub(super) fn introducing(talk: Talk, case: &mut Case, step: &mut Step<'_>) -> Self {
        let wanted = case.menus.queues.get(&talk.place.queue).is_some_and(|queue| queue.names_agent);
        let named = case.menus.names.contains(&talk.agent);
        let words = case.words(&[Phrase::Serves { number: talk.agent.to_string(), named }]);
        let introduces = wanted && !words.prompts.is_empty();
        if introduces {
            let language = case.language();
            for role in [Role::Caller, Role::Agent] {
                case.parties.say(role, language, words.clone(), step);
            }
            case.limit(Timer::Introduction, INTRODUCTION_MAX, step);
        }
        Self { talk, introduces }
    }

    /// From now on they hear each other.
    fn open(&mut self, case: &mut Case, step: &mut Step<'_>) {
        if std::mem::take(&mut self.introduces) {
            case.timers.stop(Timer::Introduction);
            for role in [Role::Caller, Role::Agent] {
                case.parties.hush(role, step);
            }
        }
    }

    /// Whether this ends the introduction: it was heard, somebody pressed a key, or the conversation goes elsewhere.
    const fn opens(event: &Event) -> bool {
        match event {
            Event::CallerHeard
            | Event::CallerKey(_)
            | Event::AgentKey(_)
            | Event::AgentGone(_)
            | Event::Transfer(_)
            | Event::Revoked(..)
            | Event::Timer(Timer::Introduction) => true,
            Event::CallerSecret(..)
            | Event::AgentAnswered
            | Event::PickedUp(_)
            | Event::PartyAnswered
            | Event::PartyRings
            | Event::PartyGone(_)
            | Event::Successor(_)
            | Event::Offer(_)
            | Event::Tell(..)
            | Event::Overflow(..)
            | Event::Timer(_) => false,
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        if self.talk.held { "held" } else { "talking" }
    }

    pub(super) fn scene(&self, case: &Case) -> Scene {
        if self.introduces {
            return Scene::default();
        }
        if self.talk.held {
            let caller = Part { on_hold: true, ..Part::listening_to(case.music()) };
            return Scene { caller, ..Scene::default() };
        }
        Scene {
            caller: Part::hearing(&[Role::Agent]),
            agent: Part::hearing(&[Role::Caller]),
            ..Scene::default()
        }
    }

    pub(super) fn on(mut self, event: Event, case: &mut Case, step: &mut Step<'_>) -> Stage {
        if Self::opens(&event) {
            self.open(case, step);
        }
        match event {
            Event::AgentKey(key) => {
                if let Some(wish) = self.talk.press(key, false, case, step) {
                    return self.wish(wish, case, step);
                }
            }
            Event::AgentGone(cause) => {
                self.talk.over(cause, OnWithParty::No, case, step);
                if is_lost(cause) {
                    return self.talk.wait_again(case, step);
                }
                return say_farewell(&words::goodbye(), Cause::Completed, case, step);
            }
            Event::Revoked(assignment, cause) if assignment == self.talk.assignment => {
                return self.talk.taken_back(cause, case, step);
            }
            Event::Timer(Timer::TalkLimit) => {
                self.talk.over(Cause::LimitReached, OnWithParty::No, case, step);
                return end(Cause::LimitReached, case, step);
            }
            Event::Timer(Timer::DeskKeys) => self.talk.stale_keys(false, case, step),
            Event::Transfer(asked) => return hand_over(self, *asked, case, step),
            Event::Offer(offer) => turn_down(&offer, step),
            // A caller's keys belong to nobody here.
            Event::CallerKey(_) | Event::CallerHeard | Event::Timer(Timer::Introduction) => {}
            Event::CallerSecret(..)
            | Event::AgentAnswered
            | Event::PickedUp(_)
            | Event::PartyAnswered
            | Event::PartyRings
            | Event::PartyGone(_)
            | Event::Successor(_)
            | Event::Revoked(..)
            | Event::Tell(..)
            | Event::Overflow(..)
            | Event::Timer(_) => ignore(&event, "talking", step),
        }
        Stage::Talking(self)
    }

    fn wish(mut self, wish: DeskWish, case: &mut Case, step: &mut Step<'_>) -> Stage {
        match wish {
            DeskWish::Hold => {
                let held = !self.talk.held;
                self.talk.hold(held, case, step);
            }
            DeskWish::Invite(code) => return invite(self.talk, &code, case, step),
            DeskWish::PassOn(code) => return self.pass_on(&code, case, step),
            DeskWish::Join | DeskWish::Drop | DeskWish::Leave | DeskWish::ListenOnly | DeskWish::Unknown => {
                case.tell_agent(words::not_possible(), step);
            }
        }
        Stage::Talking(self)
    }

    /// The caller goes to another queue with his clock and all that is known of him.
    fn pass_on(self, code: &str, case: &mut Case, step: &mut Step<'_>) -> Stage {
        let Some(to) = case.menus.queue_of_code(code).cloned() else {
            case.tell_agent(words::not_possible(), step);
            return Stage::Talking(self);
        };
        self.pass_to(to, case, step)
    }

    /// The caller goes to this queue, the agent is free.
    pub(super) fn pass_to(self, to: QueueId, case: &mut Case, step: &mut Step<'_>) -> Stage {
        let agent = self.talk.agent.clone();
        step.note(Fact::PassedOn { call: case.id, agent: agent.clone(), to: to.clone() });
        self.talk.over(Cause::Completed, OnWithParty::No, case, step);
        case.timers.stop(Timer::TalkLimit);
        case.way.passed_on_by = Some(agent);
        follow(&Target::Queue(to), case, step)
    }

    pub(super) fn leave(&self, cause: Cause, case: &mut Case, step: &mut Step<'_>) {
        self.talk.over(partner(cause), OnWithParty::No, case, step);
    }
}

/// Why an agent or a third party is let go when the call ends for `cause`.
pub(super) const fn partner(cause: Cause) -> Cause {
    match cause {
        Cause::LimitReached
        | Cause::OpsEnded
        | Cause::ShuttingDown
        | Cause::ServerRestart
        | Cause::InternalError => cause,
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
        | Cause::SoundLost
        | Cause::PeerLost
        | Cause::PartnerLeft
        | Cause::Withdrawn
        | Cause::ProtocolError => Cause::PartnerLeft,
    }
}
