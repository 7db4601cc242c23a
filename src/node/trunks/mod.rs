//! Trunks: found by name (RFC 3263), watched by OPTIONS, registered with, chosen among. Still no socket: look-ups, OPTIONS
//! and REGISTER go through the user agent.
//!
//! Invariant: every trunk has a look-up under way or a moment at which the next one begins; everything asked of the user
//! agent is in `lookups`, `questions` or `registrations` until its end is told.
mod life;
mod line;
mod load;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

pub(super) use self::life::is_sign_of_life;
use self::line::Line;
pub(super) use self::line::told;
pub(super) use self::load::Way;
pub use self::view::{TargetView, TrunkFigures, TrunkView};
use super::settings::Trunk;
use crate::base::{Deadline, Instant, Rng, TrunkId};
use crate::sip::{
    Destination, Identity, ListenerTransport, Located, LookupId, Registration, RegistrationId, RequestId,
    Status, Target, UserAgent,
};

/// A trunk in doubt is asked at least this often.
const IN_DOUBT: Duration = Duration::from_secs(5);
/// An OPTIONS without an answer for this long is a failure.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// The longest time between two look-ups of a name.
const LOOK_LONGEST: Duration = Duration::from_hours(1);
/// How long the server waits at its end for registrars to answer.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);
/// The longest time for which a target keeps calls off by Retry-After: a slip of a digit there is not a lost day here.
const REST_LONGEST: Duration = Duration::from_mins(10);
/// Ways tried for one call at most.
const CANDIDATES: usize = 8;

/// Why a trunk wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Its name is to be looked up.
    Look,
    /// OPTIONS are to be sent.
    Ask,
    /// Those sent had their time.
    Answers,
}

/// One way to try a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) trunk: TrunkId,
    pub(super) target: Target,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Trunks {
    lines: BTreeMap<TrunkId, Line>,
    by_time: BTreeSet<(Instant, TrunkId, Due)>,
    by_name: BTreeMap<(TrunkId, Due), Instant>,
    lookups: BTreeMap<LookupId, TrunkId>,
    questions: BTreeMap<RequestId, (TrunkId, Target)>,
    registrations: BTreeMap<RegistrationId, TrunkId>,
    /// Names that certificates must have, on their way to whoever connects.
    tls_names: VecDeque<(SocketAddr, String)>,
    /// The server ends: until when registrars may answer.
    leaving: Option<Instant>,
    rng: Rng,
}

impl Trunks {
    /// Nothing is begun.
    pub(super) fn new(settings: &BTreeMap<TrunkId, Trunk>, rng: &Rng) -> Self {
        let lines = settings.iter().map(|(id, trunk)| (id.clone(), Line::new(id.clone(), trunk.clone())));
        Self {
            lines: lines.collect(),
            by_time: BTreeSet::new(),
            by_name: BTreeMap::new(),
            lookups: BTreeMap::new(),
            questions: BTreeMap::new(),
            registrations: BTreeMap::new(),
            tls_names: VecDeque::new(),
            leaving: None,
            rng: rng.fork("trunks"),
        }
    }

    /// Looks all of them up.
    pub(super) fn begin(&mut self, now: Instant, sip: &mut UserAgent) {
        let all: Vec<TrunkId> = self.lines.keys().cloned().collect();
        for id in all {
            self.look_up(now, sip, &id);
        }
    }

    /// The moment of [`Trunks::next_deadline`] has come.
    pub(super) fn handle_timeout(&mut self, now: Instant, sip: &mut UserAgent) {
        while let Some((at, id, due)) = self.by_time.first().cloned()
            && at <= now
        {
            self.clear(&id, due);
            match due {
                Due::Look => self.look_up(now, sip, &id),
                Due::Ask => self.ask(now, sip, &id),
                Due::Answers => self.answers_due(now, &id),
            }
        }
        if self.leaving.is_some_and(|until| until <= now) {
            self.registrations.clear();
        }
    }

    /// When it wants to be woken, and why.
    pub(super) fn next_deadline(&self) -> Option<Deadline> {
        let leave = self.leaving.filter(|_| !self.registrations.is_empty());
        let leave = leave.map(|at| Deadline::new(at, "registrars do not answer the end"));
        let due = self.by_time.first().map(|(at, _, due)| {
            let why = match due {
                Due::Look => "trunk look-up",
                Due::Ask => "trunk OPTIONS",
                Due::Answers => "trunk OPTIONS unanswered",
            };
            Deadline::new(*at, why)
        });
        crate::base::earliest(due, leave)
    }

    /// A look-up is over. `false`: it was none of a trunk.
    pub(super) fn handle_located(
        &mut self,
        now: Instant,
        sip: &mut UserAgent,
        (lookup, found): (LookupId, &Located),
    ) -> bool {
        let Some(id) = self.lookups.remove(&lookup) else { return false };
        let Some(line) = self.lines.get_mut(&id) else { return true };
        line.lookup = None;
        let fresh = line.order.is_empty();
        line.found(now, found);
        // RFC 5922 section 7.3: the certificate is for the domain that was asked for, not for what it led to.
        if !line.settings.address.is_numeric() {
            let tls = line.order.iter().filter(|t| t.transport == ListenerTransport::Tls);
            let name = &line.settings.address.host;
            self.tls_names.extend(tls.map(|t| (t.address, name.clone())));
        }
        if fresh && line.settings.health.is_some() && !line.order.is_empty() {
            self.ask(now, sip, &id);
        }
        self.register(now, sip, &id);
        if !self.lines.get(&id).is_some_and(|l| l.settings.address.is_numeric()) {
            self.set(&id, Due::Look, found.until.min(now + LOOK_LONGEST));
        }
        true
    }

    /// The next name that the certificate at an address must have.
    pub(super) fn poll_tls_name(&mut self) -> Option<(SocketAddr, String)> {
        self.tls_names.pop_front()
    }

    /// An OPTIONS of ours is over.
    pub(super) fn handle_options(&mut self, now: Instant, request: RequestId, status: Option<Status>) {
        let Some((id, target)) = self.questions.remove(&request) else { return };
        let Some(line) = self.lines.get_mut(&id) else { return };
        let down_after = line.down_after();
        let Some(life) = line.targets.get_mut(&target) else { return };
        let turn = life.answered(request, status, down_after);
        if !status.is_some_and(is_sign_of_life) {
            line.figures.unanswered += 1;
        }
        line.tell(target, turn);
        self.hasten(now, &id);
    }

    /// A registration changed, or an attempt failed.
    pub(super) fn handle_registration(
        &mut self,
        sip: &mut UserAgent,
        (registration, registered): (RegistrationId, bool),
        status: Option<Status>,
    ) {
        let Some(id) = self.registrations.get(&registration).cloned() else { return };
        if self.leaving.is_some() && !registered {
            self.registrations.remove(&registration);
            tracing::info!(trunk = %id, "registration withdrawn");
            return;
        }
        let Some(line) = self.lines.get_mut(&id) else { return };
        let before = line.registered.holds;
        line.registered.holds = registered;
        line.registered.status = status;
        let code = status.map(Status::code);
        match (before, registered) {
            (false, true) => tracing::info!(trunk = %id, "registered"),
            (true, false) => {
                line.figures.unregistered += 1;
                tracing::error!(trunk = %id, status = code, "the registration is lost");
            }
            (false, false) => tracing::error!(trunk = %id, status = code, "not registered"),
            (true, true) if code != Some(200) => {
                tracing::warn!(trunk = %id, status = code, "a refresh of the registration failed; it still holds");
            }
            (true, true) => {}
        }
        if !status.is_some_and(is_sign_of_life) {
            Self::register_elsewhere(sip, line, registration);
        }
    }

    /// The trunk whose address this is.
    pub(super) fn owner_of(&self, now: Instant, source: SocketAddr) -> Option<&TrunkId> {
        self.lines.values().find(|line| line.owns(now, source)).map(|line| &line.id)
    }

    /// The ways to try for a call over these trunks, best first: those in order, then those that were silent a moment
    /// ago; those that are down, or not registered, only where there is no other; those that asked for rest, never.
    pub(super) fn candidates(&self, now: Instant, sip: &mut UserAgent, trunks: &[TrunkId]) -> Vec<Candidate> {
        let (mut good, mut doubted, mut down) = (Vec::new(), Vec::new(), Vec::new());
        for line in trunks.iter().filter_map(|id| self.lines.get(id)) {
            let mut targets = sip.known_targets(now, &line.settings.address);
            if targets.is_empty() {
                targets.clone_from(&line.order);
            }
            for target in targets {
                let life = line.targets.get(&target);
                let candidate = Candidate { trunk: line.id.clone(), target };
                if life.is_some_and(|l| l.is_off(now)) {
                    continue;
                }
                if !line.is_usable() || life.is_some_and(life::Life::is_down) {
                    down.push(candidate);
                } else if life.is_some_and(|l| l.is_doubted(now)) {
                    doubted.push(candidate);
                } else {
                    good.push(candidate);
                }
            }
        }
        good.extend(doubted);
        let mut all = if good.is_empty() { down } else { good };
        all.truncate(CANDIDATES);
        all
    }

    /// A target wants no call for so long.
    pub(super) fn put_off(&mut self, now: Instant, candidate: &Candidate, wait: Duration) {
        let Some(line) = self.lines.get_mut(&candidate.trunk) else { return };
        let Some(life) = line.targets.get_mut(&candidate.target) else { return };
        line.figures.put_off += 1;
        let wait = wait.min(REST_LONGEST);
        let (trunk, target) = (&candidate.trunk, candidate.target.address);
        tracing::warn!(%trunk, %target, ?wait, "a trunk's target wants no calls for a while");
        life.put_off(now + wait);
    }

    /// Whether a target wants no call now.
    pub(super) fn is_off(&self, now: Instant, candidate: &Candidate) -> bool {
        let line = self.lines.get(&candidate.trunk);
        line.and_then(|l| l.targets.get(&candidate.target)).is_some_and(|life| life.is_off(now))
    }

    /// Whether one of these trunks has a target that wants no call now.
    pub(super) fn are_off(&self, now: Instant, trunks: &[TrunkId]) -> bool {
        let lines = trunks.iter().filter_map(|id| self.lines.get(id));
        lines.flat_map(|line| line.targets.values()).any(|life| life.is_off(now))
    }

    /// The settings of a trunk.
    pub(super) fn settings(&self, id: &TrunkId) -> Option<&Trunk> {
        self.lines.get(id).map(|line| &line.settings)
    }

    /// The route that its registrar wants calls to take.
    pub(super) fn route<'a>(&self, sip: &'a UserAgent, id: &TrunkId) -> &'a [String] {
        let registration = self.lines.get(id).and_then(|line| line.registered.id);
        registration.map(|r| sip.service_route(r)).unwrap_or_default()
    }

    /// Takes a call, if the trunk has room for it; counted where not.
    pub(super) fn admit(&mut self, now: Instant, id: &TrunkId, way: Way) -> bool {
        let Some(line) = self.lines.get_mut(id) else { return false };
        let admitted = line.load.admit(now, way, &line.settings.limits);
        match (admitted, way) {
            (true, Way::Out) => line.figures.tried += 1,
            (true, Way::In) => {}
            (false, Way::Out) => line.figures.limited_out += 1,
            (false, Way::In) => line.figures.limited_in += 1,
        }
        admitted
    }

    /// A call over it is over.
    pub(super) fn release(&mut self, id: &TrunkId, way: Way) {
        if let Some(line) = self.lines.get_mut(id) {
            line.load.release(way);
        }
    }

    /// A call was tried elsewhere after this one.
    pub(super) fn failed_over(&mut self, id: &TrunkId) {
        if let Some(line) = self.lines.get_mut(id) {
            line.figures.failed_over += 1;
        }
    }

    /// What a call showed of a target: that it lives, or that it is silent.
    pub(super) fn note_call(&mut self, now: Instant, candidate: &Candidate, lives: bool) {
        let Some(line) = self.lines.get_mut(&candidate.trunk) else { return };
        let watched = line.settings.health.map(|h| h.down_after);
        let Some(life) = line.targets.get_mut(&candidate.target) else { return };
        let turn = if lives { life.lives() } else { life.call_failed(now, watched) };
        line.tell(candidate.target, turn);
        if !lives {
            self.hasten(now, &candidate.trunk.clone());
        }
    }

    /// The server ends: registrations are taken back.
    pub(super) fn leave(&mut self, now: Instant, sip: &mut UserAgent) {
        if self.leaving.is_none() {
            self.leaving = Some(now + LEAVE_WITHIN);
            for registration in self.registrations.keys() {
                sip.unregister(now, *registration);
            }
        }
    }

    /// Whether nothing is waited for at the server's end.
    pub(super) fn is_gone(&self, now: Instant) -> bool {
        self.registrations.is_empty() || self.leaving.is_some_and(|until| until <= now)
    }

    /// Each trunk at this moment.
    pub(super) fn view(&self, now: Instant) -> Vec<TrunkView> {
        self.lines.values().map(|line| line.view(now)).collect()
    }

    fn look_up(&mut self, now: Instant, sip: &mut UserAgent, id: &TrunkId) {
        let Some(line) = self.lines.get_mut(id).filter(|line| line.lookup.is_none()) else { return };
        let lookup = sip.locate(now, line.settings.address.clone());
        line.lookup = Some(lookup);
        self.lookups.insert(lookup, id.clone());
    }

    /// Asks every target whether it lives.
    fn ask(&mut self, now: Instant, sip: &mut UserAgent, id: &TrunkId) {
        let Some(line) = self.lines.get_mut(id) else { return };
        let Some(health) = line.settings.health else { return };
        let uri = format!("sip:{}", line.settings.host);
        for target in line.order.clone() {
            // Who asked for rest is asked nothing meanwhile.
            if line.targets.get(&target).is_some_and(|life| life.is_off(now)) {
                continue;
            }
            let Some(to) = sip.destination(target, &line.settings.listeners) else { continue };
            let request = sip.options(now, &uri, to);
            self.questions.insert(request, (id.clone(), target));
            if let Some(life) = line.targets.get_mut(&target) {
                let turn = life.ask(request, health.down_after);
                line.tell(target, turn);
            }
        }
        // A tenth of chance, so that many servers do not ask at one time.
        let every = health.every.mul_f64(0.9 + self.rng.unit() / 10.0);
        self.set(id, Due::Answers, now + ANSWER_WITHIN.min(health.every));
        self.set(id, Due::Ask, now + every);
        self.hasten(now, id);
    }

    fn answers_due(&mut self, now: Instant, id: &TrunkId) {
        let Some(line) = self.lines.get_mut(id) else { return };
        let down_after = line.down_after();
        for target in line.order.clone() {
            if let Some(life) = line.targets.get_mut(&target) {
                let turn = life.unanswered(down_after);
                line.tell(target, turn);
            }
        }
        self.hasten(now, id);
    }

    /// A trunk in doubt is asked sooner.
    fn hasten(&mut self, now: Instant, id: &TrunkId) {
        let doubt = self.lines.get(id).is_some_and(|l| l.targets.values().any(|life| life.failures() > 0));
        let soon = now + IN_DOUBT;
        let due = self.by_name.get(&(id.clone(), Due::Ask)).copied();
        if doubt && due.is_some_and(|due| due > soon) {
            self.set(id, Due::Ask, soon);
        }
    }

    /// Registers where the trunk is; once begun, only the place is brought up to date.
    fn register(&mut self, now: Instant, sip: &mut UserAgent, id: &TrunkId) {
        let Some(line) = self.lines.get_mut(id) else { return };
        let (Some(wanted), Some(first)) = (line.settings.registration.clone(), line.order.first().copied())
        else {
            return;
        };
        if line.registered.at.is_some_and(|at| line.targets.contains_key(&at)) || self.leaving.is_some() {
            return;
        }
        let Some(to) = sip.destination(first, &line.settings.listeners) else { return };
        line.registered.at = Some(first);
        if let Some(registration) = line.registered.id {
            return sip.redirect_registration(registration, to);
        }
        let registration = sip.register(
            now,
            Registration {
                registrar_uri: format!("sip:{}", line.settings.host),
                to,
                identity: Identity { user: wanted.user, ..Identity::default() },
                contact_user: wanted.number,
                credentials: line.settings.credentials.clone(),
                expires: wanted.expires,
            },
        );
        line.registered.id = Some(registration);
        self.registrations.insert(registration, id.clone());
    }

    /// The registrar is silent there: the next attempt goes to the next of its targets.
    fn register_elsewhere(sip: &mut UserAgent, line: &mut Line, registration: RegistrationId) {
        let at = line.order.iter().position(|t| Some(*t) == line.registered.at);
        let next = line.order.iter().cycle().nth(at.map_or(0, |n| n + 1)).copied();
        let Some(next) = next.filter(|_| line.order.len() > 1) else { return };
        let to: Option<Destination> = sip.destination(next, &line.settings.listeners);
        if let Some(to) = to {
            line.registered.at = Some(next);
            sip.redirect_registration(registration, to);
        }
    }

    fn set(&mut self, id: &TrunkId, due: Due, at: Instant) {
        self.clear(id, due);
        self.by_name.insert((id.clone(), due), at);
        self.by_time.insert((at, id.clone(), due));
    }

    fn clear(&mut self, id: &TrunkId, due: Due) {
        if let Some(at) = self.by_name.remove(&(id.clone(), due)) {
            self.by_time.remove(&(at, id.clone(), due));
        }
    }
}
