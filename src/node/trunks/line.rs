//! One trunk: where it is at present, who of its targets lives, whether it knows us, what it carries.
//!
//! Invariant: a target is looked after exactly while its trunk's address leads to it.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::life::{Life, Turn};
use super::load::Load;
use super::view::{TargetView, TrunkFigures, TrunkView};
use crate::base::{Instant, TrunkId};
use crate::node::settings::Trunk;
use crate::sip::{Located, LookupId, RegistrationId, Status, Target};

/// How long what came from an address that the name no longer leads to is still the trunk's: calls under way end.
const FORMER_FOR: Duration = Duration::from_mins(30);
/// Former addresses remembered.
const FORMER: usize = 32;

/// What our registration with a trunk is.
#[derive(Clone, Debug, Default)]
pub(super) struct Registered {
    pub(super) id: Option<RegistrationId>,
    pub(super) holds: bool,
    pub(super) status: Option<Status>,
    /// The target that it is sent to.
    pub(super) at: Option<Target>,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) id: TrunkId,
    pub(super) settings: Trunk,
    pub(super) targets: BTreeMap<Target, Life>,
    /// The targets as they were found last, in that order.
    pub(super) order: Vec<Target>,
    former: Vec<(SocketAddr, Instant)>,
    pub(super) lookup: Option<LookupId>,
    /// The last look-up led nowhere, or to what was found long ago.
    pub(super) lost_name: bool,
    pub(super) registered: Registered,
    pub(super) load: Load,
    pub(super) figures: TrunkFigures,
}

impl Line {
    pub(super) fn new(id: TrunkId, settings: Trunk) -> Self {
        Self {
            id,
            settings,
            targets: BTreeMap::new(),
            order: Vec::new(),
            former: Vec::new(),
            lookup: None,
            lost_name: false,
            registered: Registered::default(),
            load: Load::default(),
            figures: TrunkFigures::default(),
        }
    }

    /// Its address leads here now. None at all: what was known still serves, and somebody should look at it.
    pub(super) fn found(&mut self, now: Instant, located: &Located) {
        let found = &located.targets;
        let lost = found.is_empty() || located.failed;
        if lost != self.lost_name {
            self.lost_name = lost;
            if lost {
                tracing::error!(trunk = %self.id, host = self.settings.address.host, "the name of a trunk cannot be looked up");
            } else {
                tracing::info!(trunk = %self.id, host = self.settings.address.host, "the name of a trunk can be looked up again");
            }
        }
        if found.is_empty() {
            return;
        }
        self.order.clone_from(found);
        let gone: Vec<Target> = self.targets.keys().filter(|t| !found.contains(t)).copied().collect();
        self.former.retain(|(_, until)| *until > now);
        for target in gone {
            self.targets.remove(&target);
            self.former.truncate(FORMER - 1);
            self.former.insert(0, (target.address, now + FORMER_FOR));
        }
        for target in found {
            self.targets.entry(*target).or_default();
        }
    }

    /// Whether a request from `source` is this trunk's. Loopback is shared by everybody on the machine, so there the
    /// port must be right too.
    pub(super) fn owns(&self, now: Instant, source: SocketAddr) -> bool {
        let is = |at: SocketAddr| source == at || (!source.ip().is_loopback() && source.ip() == at.ip());
        self.targets.keys().any(|t| is(t.address))
            || self.former.iter().any(|(at, until)| *until > now && is(*at))
    }

    /// Whether calls may be tried over it before all is lost: known to its registrar, where it has one.
    pub(super) const fn is_usable(&self) -> bool {
        self.settings.registration.is_none() || self.registered.holds
    }

    pub(super) fn down_after(&self) -> u32 {
        self.settings.health.map_or(u32::MAX, |h| h.down_after)
    }

    /// A target fell or came back: for the log.
    pub(super) fn tell(&mut self, target: Target, turn: Turn) {
        let trunk = &self.id;
        match turn {
            Turn::None => {}
            Turn::Down => {
                self.figures.fell += 1;
                tracing::error!(%trunk, target = %target.address, "a trunk's target does not answer: not tried until it does");
            }
            Turn::Up => tracing::info!(%trunk, target = %target.address, "a trunk's target answers again"),
        }
    }

    /// What somebody should look at; `None`: all is well.
    fn alarm(&self) -> Option<&'static str> {
        let all_down = !self.targets.is_empty() && self.targets.values().all(Life::is_down);
        if self.order.is_empty() && self.lost_name {
            Some("its name leads nowhere")
        } else if !self.is_usable() && self.registered.status.is_some_and(Status::is_final) {
            Some("its registrar refuses us")
        } else if !self.is_usable() {
            Some("not registered")
        } else if all_down {
            Some("does not answer")
        } else if self.lost_name {
            Some("its name cannot be looked up; what was found last is used")
        } else {
            None
        }
    }

    pub(super) fn view(&self, now: Instant) -> TrunkView {
        let target = |t: &Target| TargetView {
            at: told(*t),
            down: self.targets.get(t).is_some_and(Life::is_down),
            doubted: self.targets.get(t).is_some_and(|l| l.is_doubted(now)),
            off: self.targets.get(t).is_some_and(|l| l.is_off(now)),
            failures: self.targets.get(t).map_or(0, Life::failures),
        };
        TrunkView {
            trunk: self.id.clone(),
            address: self.settings.address.to_string(),
            alarm: self.alarm(),
            registered: self.settings.registration.is_some().then_some(self.registered.holds),
            register_status: self.registered.status.map(Status::code),
            targets: self.order.iter().map(target).collect(),
            calls_in: self.load.calls_in,
            calls_out: self.load.calls_out,
            figures: self.figures,
        }
    }
}

/// A target for people: `udp 192.0.2.1:5060`.
pub(in crate::node) fn told(target: Target) -> String {
    format!("{} {}", target.transport.name(), target.address)
}
