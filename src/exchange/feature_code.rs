//! Who may come in by which number: strangers and trunks by the hotline's numbers alone, agents by feature codes too.
//!
//! Invariant: nobody but a proved agent reaches a feature code, and no dialled number reaches an agent or an outbound
//! number at all.
use std::sync::Arc;

use super::menu::{FeatureCode, MenuRun, MenuSet, Visit};
use super::{AgentWish, Arrival, Banner, Cause, Peer};
use crate::base::{AgentId, Language, Now};

/// Where an arrival leads.
pub(super) enum Door {
    /// Into the menus.
    Menus(MenuRun),
    /// An agent wants something.
    Wish(AgentId, AgentWish),
    /// Nowhere.
    Shut(Cause),
}

/// Where this arrival leads at this moment.
pub(super) fn door((menus, banner): (&Arc<MenuSet>, Option<&Banner>), arrival: &Arrival, now: Now) -> Door {
    match (&arrival.peer, menus.codes.get(&arrival.dialled)) {
        (Peer::Agent(agent), Some(code)) if menus.acd.agents.contains_key(agent) => {
            Door::Wish(agent.clone(), wish(code))
        }
        (Peer::Agent(_) | Peer::Stranger | Peer::Trunk(_), _) => {
            let number = &arrival.dialled;
            let banner = banner.filter(|b| b.greets(number)).map(Banner::said);
            MenuRun::start_with(menus, number, banner.as_ref(), now)
                .map_or(Door::Shut(Cause::NotFound), Door::Menus)
        }
    }
}

fn wish(code: &FeatureCode) -> AgentWish {
    match code {
        FeatureCode::SignIn => AgentWish::SignIn,
        FeatureCode::SignOut => AgentWish::SignOut,
        FeatureCode::Ready => AgentWish::Ready,
        FeatureCode::Pause(reason) => AgentWish::Pause(reason.clone()),
    }
}

/// Whether a wish makes sense: who is not at work can be neither ready nor paused.
pub(super) fn makes_sense(wish: &AgentWish, at_work: bool) -> bool {
    match wish {
        AgentWish::SignIn | AgentWish::SignOut => true,
        AgentWish::Ready | AgentWish::Pause(_) => at_work,
    }
}

/// How we speak to an agent: his first language.
pub(super) fn visit_of(menus: &MenuSet, agent: &AgentId) -> Visit {
    let language: Option<Language> =
        menus.acd.agents.get(agent).and_then(|plan| plan.languages.first().copied());
    Visit { language: language.unwrap_or_default(), priority: None, line: None }
}
