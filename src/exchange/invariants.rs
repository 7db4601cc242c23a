//! What must hold after every input. Checked in full by tests and simulation, and live for the touched call at every
//! so manieth input: a broken one ends that call and no other.
use super::call::Call;
use super::leg::{Leg, Role};
use super::machine::Exchange;
use super::parties::Parties;
use super::stage::Stage;
use super::step::Registry;
use crate::base::{AgentId, AssignmentId, TicketId};

/// Which sides a stage has: live legs of just these sides, answered where `true`.
fn sides(stage: &Stage) -> Vec<(Role, bool)> {
    let (caller, agent) = ((Role::Caller, true), (Role::Agent, true));
    let mut sides = match stage {
        Stage::Menu(_) | Stage::Waiting(_) | Stage::Farewell(_) | Stage::PartyOnly(_) => vec![caller],
        Stage::Ringing(_) => vec![caller, (Role::Agent, false)],
        Stage::Talking(_) | Stage::Consulting(_) | Stage::Conference(_) | Stage::Transferring(_) => {
            vec![caller, agent]
        }
        Stage::Clearing(_) => vec![agent],
        Stage::Ended(_) => Vec::new(),
    };
    if let Some(guest) = stage.guest() {
        if !guest.is_gone() {
            sides.push((Role::Party, guest.answered.is_some()));
        }
        if guest.has_successor() {
            sides.push((Role::Successor, false));
        }
    }
    sides
}

/// The agent of a stage, ringing or talking, with his assignment's number.
pub(super) fn agent(stage: &Stage) -> Option<(AssignmentId, &AgentId)> {
    match stage {
        Stage::Ringing(ringing) => Some((ringing.assignment, &ringing.agent)),
        Stage::Menu(_)
        | Stage::Waiting(_)
        | Stage::Talking(_)
        | Stage::Consulting(_)
        | Stage::Conference(_)
        | Stage::PartyOnly(_)
        | Stage::Transferring(_)
        | Stage::Clearing(_)
        | Stage::Farewell(_)
        | Stage::Ended(_) => stage.talk().map(|talk| (talk.assignment, &talk.agent)),
    }
}

/// The assignment that a stage holds, if it holds one: an agent who took another's place has none.
pub(super) fn assignment(stage: &Stage) -> Option<(AssignmentId, &AgentId)> {
    agent(stage).filter(|_| !stage.talk().is_some_and(|talk| talk.taken_over))
}

/// The ticket that a stage holds, if it holds one.
pub(super) fn ticket(stage: &Stage) -> Option<TicketId> {
    match stage {
        Stage::Waiting(waiting) => Some(waiting.place.ticket),
        Stage::Ringing(ringing) => Some(ringing.place.ticket),
        Stage::Menu(_)
        | Stage::Talking(_)
        | Stage::Consulting(_)
        | Stage::Conference(_)
        | Stage::PartyOnly(_)
        | Stage::Transferring(_)
        | Stage::Clearing(_)
        | Stage::Farewell(_)
        | Stage::Ended(_) => None,
    }
}

/// One call.
///
/// # Errors
/// What does not hold.
pub(super) fn check_call(call: &Call, registry: &Registry) -> Result<(), String> {
    let parties = &call.case.parties;
    legs(call, registry)?;
    ears(parties)?;
    if let Some((id, _)) = assignment(call.stage())
        && registry.assignments.get(&id) != Some(&call.id())
    {
        return Err(format!("{id} is not registered for {}", call.id()));
    }
    if call.case.timers.earliest().is_none() && !call.is_done() {
        return Err(format!("{} has no deadline", call.id()));
    }
    Ok(())
}

/// Every live leg has its side in the stage, every side its leg, and the registry knows them all.
fn legs(call: &Call, registry: &Registry) -> Result<(), String> {
    let (parties, stage) = (&call.case.parties, call.stage());
    let wanted = sides(stage);
    for role in Role::ALL {
        let live = parties.all().filter(|leg| leg.role == role && leg.is_live()).count();
        let want = wanted.iter().filter(|(r, _)| *r == role).count();
        if live != want {
            return Err(format!("{live} live {} legs in {}", role.as_str(), stage.name()));
        }
    }
    for (role, up) in wanted {
        let leg = parties.live(role);
        if leg.is_some_and(|leg| leg.is_up() != up) {
            return Err(format!("the {} leg is {:?} in {}", role.as_str(), leg, stage.name()));
        }
    }
    match parties.all().find(|leg| registry.legs.get(&leg.id) != Some(&call.id())) {
        Some(leg) => Err(format!("{} is not registered for {}", leg.id, call.id())),
        None => Ok(()),
    }
}

/// Nobody hears a leg of another call, or himself; two who are both heard and not held or alone with music hear each
/// other.
fn ears(parties: &Parties) -> Result<(), String> {
    for leg in parties.all() {
        for source in &leg.ear.sources {
            let Some(other) = parties.get(*source) else {
                return Err(format!("{} hears {source}, which is not of its call", leg.id));
            };
            if other.id == leg.id || !other.has_sound() {
                return Err(format!("{} hears {source}, which is {}", leg.id, other.state_name()));
            }
            if other.holds_us {
                return Err(format!("{} hears {source}, whose phone holds us", leg.id));
            }
            let one_way =
                !other.is_up() || leg.holds_us || leg.ear.only_listens || alone(other) || alone(leg);
            if !one_way && !other.ear.sources.contains(&leg.id) {
                return Err(format!("{} hears {source}, but not the other way", leg.id));
            }
        }
    }
    Ok(())
}

/// On hold, or with music in place of people because the other's phone holds us.
fn alone(leg: &Leg) -> bool {
    leg.ear.on_hold || leg.ear.sources.is_empty() && leg.ear.playing.is_some()
}

/// All calls, and the tables that find them.
pub(super) fn check(exchange: &Exchange) -> Vec<String> {
    let registry = exchange.registry();
    let mut broken: Vec<String> =
        exchange.calls().filter_map(|call| check_call(call, registry).err()).collect();
    let legs: usize = exchange.calls().map(|call| call.case.parties.all().count()).sum();
    if registry.legs.len() != legs {
        broken.push(format!("{} legs are registered, calls have {legs}", registry.legs.len()));
    }
    let assignments = exchange.calls().filter(|call| assignment(call.stage()).is_some()).count();
    if registry.assignments.len() != assignments {
        broken.push(format!("{} assignments are registered, {assignments} held", registry.assignments.len()));
    }
    if exchange.deadlines_len() != exchange.calls_len() {
        broken.push(format!("{} deadlines for {} calls", exchange.deadlines_len(), exchange.calls_len()));
    }
    let own = exchange.calls().filter(|call| !matches!(call.stage(), Stage::Ended(_)));
    let own = own.filter(|call| call.case.own_agent().is_some()).count();
    let taken = exchange.calls().filter(|call| call.stage().talk().is_some_and(|t| t.taken_over)).count();
    let engaged: u32 = registry.engaged.values().sum();
    if usize::try_from(engaged) != Ok(own + taken) {
        broken.push(format!("{engaged} engaged agents for {own} calls of agents"));
    }
    broken
}
