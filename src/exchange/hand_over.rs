//! An agent's phone asks that somebody else take its place (REFER): the caller goes there with all that is known of him.
//!
//! | to | what happens | the phone is told |
//! |---|---|---|
//! | a queue | as by the agent's keys: the caller waits there by his old clock | done, as soon as he waits |
//! | an agent | the same, and that agent is preferred as after a cut | done; refused if he is not at work or lacks the skills |
//! | a number of ours | its menus | done |
//! | a third party, a number outside | it is rung; caller and agent talk on until it answers | ringing, done or failed |
//! | a leg of ours | the two calls are joined, see `joining.rs` | done |
//!
//! The agent is free (wrap-up) in the moment in which it is done. Invariant: until then he has his caller.
use super::acd::{AcdPlan, QueuePlan};
use super::case::Case;
use super::in_menu::follow;
use super::menu::Target;
use super::stage::{Asked, Stage};
use super::step::Step;
use super::talk::{OnWithParty, Talk, Talking};
use super::third_party::Transferring;
use super::timers::Timer;
use super::transfer::Outsider;
use super::{Cause, TransferTarget};
use crate::base::{AgentId, Language, QueueId};

/// What is done for the agent of a conversation.
pub(super) fn hand_over(talking: Talking, asked: Asked, case: &mut Case, step: &mut Step<'_>) -> Stage {
    let Asked { to, transfer, .. } = asked;
    let talk = &talking.talk;
    let way = match &to {
        TransferTarget::Queue(queue) => known_queue(queue, case).map(Way::Queue),
        TransferTarget::Agent(agent) => queue_for(agent, talk, case, step).map(Way::Queue),
        TransferTarget::Number(number) => menu_of(number, case).map(Way::Menus),
        TransferTarget::Party(_) | TransferTarget::Outside { .. } => {
            Outsider::of(&to, case).map(Way::Outside)
        }
        TransferTarget::Leg(_) => Err(Cause::Declined),
    };
    let way = match way {
        Ok(way) => way,
        Err(cause) => {
            transfer.refuse(cause, step);
            return Stage::Talking(talking);
        }
    };
    transfer.accept(to.clone(), step);
    match way {
        Way::Outside(outsider) => Transferring::begin(talking.talk, outsider, transfer, case, step),
        Way::Queue(queue) => {
            transfer.succeeded(step);
            if let TransferTarget::Agent(agent) = to {
                case.way.prefer = Some(agent);
            }
            talking.pass_to(queue, case, step)
        }
        Way::Menus(target) => {
            transfer.succeeded(step);
            talking.talk.over(Cause::Completed, OnWithParty::No, case, step);
            case.timers.stop(Timer::TalkLimit);
            case.way.passed_on_by = Some(talking.talk.agent);
            follow(&target, case, step)
        }
    }
}

enum Way {
    Queue(QueueId),
    Menus(Target),
    Outside(Outsider),
}

/// The queue of this name.
///
/// # Errors
/// There is none.
pub(super) fn known_queue(queue: &QueueId, case: &Case) -> Result<QueueId, Cause> {
    case.menus.queues.contains_key(queue).then(|| queue.clone()).ok_or(Cause::NotFound)
}

/// Where callers of this number of ours begin.
///
/// # Errors
/// It is none of ours.
pub(super) fn menu_of(number: &str, case: &Case) -> Result<Target, Cause> {
    case.menus.entrance(number).map(|entrance| Target::Menu(entrance.menu.clone())).ok_or(Cause::NotFound)
}

/// A queue in which this agent may be given the caller: the one of the conversation, if he has its skills.
fn queue_for(agent: &AgentId, talk: &Talk, case: &Case, step: &Step<'_>) -> Result<QueueId, Cause> {
    let plan = &case.menus.acd;
    if !plan.agents.contains_key(agent) {
        return Err(Cause::NotFound);
    }
    if *agent == talk.agent {
        return Err(Cause::Declined);
    }
    if !step.registry.at_work.contains(agent) {
        return Err(Cause::Unreachable);
    }
    let first = plan.queues.get_key_value(&talk.place.queue);
    let able = |queue: &QueuePlan| can_serve(plan, agent, queue, case.language());
    let mut all = first.into_iter().chain(&plan.queues);
    all.find(|(_, queue)| able(queue)).map(|(id, _)| id.clone()).ok_or(Cause::Declined)
}

fn can_serve(plan: &AcdPlan, agent: &AgentId, queue: &QueuePlan, language: Language) -> bool {
    plan.agents.get(agent).is_some_and(|agent| {
        agent.languages.contains(&language) && queue.skills.iter().all(|s| agent.skills.contains_key(s))
    })
}
