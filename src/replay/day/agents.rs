//! What agents do: register, sign in when their shift begins, pick up or not, talk, write, rest, and go home.
//!
//! Invariant: an agent does one thing at a time: a call, or one word to the server; what he still has to tell waits.
use std::collections::VecDeque;
use std::time::Duration;

use super::leg::{Leg, Part, Partner, Seat};
use super::town::{Errand, Town, Wish, arrival_clock};
use crate::base::{Instant, Now};
use crate::replay::engine::UDP;
use crate::sim::{Agent, AgentGroup};
use crate::sip::{Credentials, Destination, Identity, Incoming, Registration, RegistrationId, Status};

/// A service call that the server has not ended by then is ended.
const SERVICE: Duration = Duration::from_secs(8);
/// Who did not pick up is ready again after so long: the server may have made a pause of it.
const BACK_AFTER: Duration = Duration::from_mins(2);

/// An agent at work.
#[derive(Debug)]
pub(super) struct Desk {
    agent: Agent,
    password: String,
    pub(super) registration: Option<RegistrationId>,
    /// The registrar has said yes or no.
    is_told: bool,
    /// He told the server that he is there, where his shift had begun before the day.
    is_in: bool,
    errands: VecDeque<(Instant, Errand)>,
    busy: Option<Seat>,
    /// Since when he could take a call, if he can.
    free_since: Option<Instant>,
    /// How long he writes after the conversation he is in.
    writes: Duration,
}

impl Town {
    /// Agents whose passwords are known register.
    pub(super) fn hire(&mut self) {
        let now = self.engine.now();
        for agent in Agent::all(&self.settings.scenario, self.settings.seed) {
            let Some(password) = self.settings.passwords.get(&agent.id).cloned() else {
                self.gauges.counts.agents_without_password += 1;
                continue;
            };
            let credentials = Credentials { user: agent.id.clone(), password: password.clone(), realm: None };
            let id = self.engine.sip.register(
                now.mono,
                Registration {
                    registrar_uri: format!("sip:{}", self.settings.host),
                    to: Destination::Datagram { listener: UDP, to: self.settings.target.into() },
                    identity: Identity { user: agent.id.clone(), ..Identity::default() },
                    contact_user: None,
                    credentials: Some(credentials),
                    expires: Duration::from_hours(1),
                },
            );
            self.gauges.counts.agents += 1;
            self.of_registration.insert(id, (self.desks.len(), now.mono));
            self.of_agent.insert(agent.id.clone(), self.desks.len());
            self.desks.push(Desk {
                agent,
                password,
                registration: Some(id),
                is_told: false,
                is_in: false,
                errands: VecDeque::new(),
                busy: None,
                free_since: None,
                writes: Duration::ZERO,
            });
            self.engine.transmit(now.mono);
        }
    }

    /// The registrar's word.
    pub(super) fn registered(&mut self, now: Now, id: RegistrationId, taken: bool) {
        let Some((number, asked)) = self.of_registration.remove(&id) else { return };
        self.gauges.registration.record(now.mono.since(asked));
        self.gauges.counts.agents_registered += u64::from(taken);
        let from = self.settings.from;
        let Some(desk) = self.desks.get_mut(number) else { return };
        desk.is_told = true;
        let at_work = desk.agent.shifts.iter().any(|s| s.from <= from && from < s.to);
        if at_work && taken {
            self.errand(now, now.mono, number, Errand::SignIn);
        } else {
            desk.is_in = true;
        }
    }

    /// Everybody whose shift has begun is there.
    pub(super) fn is_staffed(&self) -> bool {
        self.desks.iter().all(|desk| desk.is_told && desk.is_in)
    }

    /// What agents will do this day.
    pub(super) fn plan_shifts(&mut self) {
        let (from, began, lasts) = (self.settings.from, self.began, self.settings.scenario.lasts);
        let mut plans = Vec::new();
        for (number, desk) in self.desks.iter().enumerate() {
            let mut plan = |at: Duration, errand| {
                if at > from {
                    plans.push((began + at.saturating_sub(from), number, errand));
                }
            };
            for shift in &desk.agent.shifts {
                plan(shift.from, Errand::SignIn);
                // Who is inside when the scenario ends is served to the end.
                if shift.to < lasts {
                    plan(shift.to, Errand::SignOut);
                }
            }
            let works = |at| desk.agent.shifts.iter().any(|s| s.holds(at));
            for (stretch, reason) in desk.agent.breaks.iter().filter(|(s, _)| works(s.from) && works(s.to)) {
                plan(stretch.from, Errand::Pause(reason.clone()));
                plan(stretch.to, Errand::Ready);
            }
        }
        for (at, number, errand) in plans {
            self.wish(at, Wish::Say(number, errand));
        }
    }

    /// An agent has something to tell.
    pub(super) fn errand(&mut self, now: Now, at: Instant, number: usize, errand: Errand) {
        if let Some(desk) = self.desks.get_mut(number) {
            desk.errands.push_back((at, errand));
        }
        self.run_errand(now, number);
    }

    /// Tells the server the next thing, if the agent has his hands free.
    fn run_errand(&mut self, now: Now, number: usize) {
        let Some(desk) = self.desks.get_mut(number).filter(|desk| desk.busy.is_none()) else { return };
        let Some((at, errand)) = desk.errands.pop_front() else { return };
        let codes = &self.settings.codes;
        let code = match &errand {
            Errand::SignIn => Some(codes.sign_in.clone()),
            Errand::SignOut => Some(codes.sign_out.clone()),
            Errand::Ready => Some(codes.ready.clone()),
            Errand::Pause(reason) => codes.pauses.get(reason).cloned(),
        };
        let Some(code) = code.filter(|code| !code.is_empty()) else { return };
        desk.free_since = None;
        let credentials =
            Credentials { user: desk.agent.id.clone(), password: desk.password.clone(), realm: None };
        let user = desk.agent.id.clone();
        let works = matches!(errand, Errand::SignIn | Errand::Ready);
        let part = Part::Service { agent: number, works };
        let seat = self.dial((now, at), part, (&user, &code), Some(credentials));
        if let Some(seat) = seat {
            if let Some(desk) = self.desks.get_mut(number) {
                desk.busy = Some(seat);
            }
            self.wish(now.mono + SERVICE, Wish::Dismiss(seat));
        }
    }

    /// Somebody rings one of us.
    pub(super) fn on_incoming(&mut self, now: Now, incoming: &Incoming) {
        let number = self.of_agent.get(&incoming.request_user).copied();
        let Some((number, desk)) = number.and_then(|n| Some((n, self.desks.get_mut(n)?))) else {
            self.engine.sip.reject(now.mono, incoming.invite, Status::NOT_FOUND, None);
            return;
        };
        if desk.busy.is_some() {
            self.engine.sip.reject(now.mono, incoming.invite, Status::BUSY_HERE, None);
            return;
        }
        let free_since = desk.free_since.take();
        let Some((seat, mut sound)) = self.sound(now.mono) else {
            self.engine.sip.reject(now.mono, incoming.invite, Status::TEMPORARILY_UNAVAILABLE, None);
            return;
        };
        if incoming.offer.as_ref().is_some_and(|offer| sound.answer(offer).is_err()) {
            self.places.give_back(now.mono, seat);
            self.engine.sip.reject(now.mono, incoming.invite, Status::NOT_ACCEPTABLE_HERE, None);
            return;
        }
        let caller = self.of_phone.get(&incoming.from.user).copied();
        let waits = caller.and_then(|c| self.places.get(c)).and_then(|leg| leg.waits_since);
        // Only where somebody was waiting already when the agent came free did the server have nothing else to wait for.
        if let (Some(free), Some(waits)) = (free_since, waits)
            && waits <= free
        {
            self.gauges.free_to_ringing.record(now.mono.since(free));
        }
        self.gauges.counts.offers += 1;
        self.seat(seat, now.mono, Part::Agent { agent: number, caller }, (incoming.invite, sound));
        self.engine.sip.ring(now.mono, incoming.invite);
        let scenario = std::sync::Arc::clone(&self.settings.scenario);
        let Some(desk) = self.desks.get_mut(number) else { return };
        desk.busy = Some(seat);
        let draw = scenario.agents.get(desk.agent.group).map(|group| desk.agent.draws.offer(group));
        if let Some(after) = draw.and_then(|d| d.picks_up) {
            self.wish(now.mono + after, Wish::PickUp(seat));
        }
    }

    /// An agent picks up.
    pub(super) fn pick_up(&mut self, now: Now, at: Instant, seat: Seat) {
        let Some(leg) = self.places.get_mut(seat).filter(|leg| leg.answered.is_none()) else { return };
        let Part::Agent { agent, caller } = leg.part else { return };
        let sdp = if leg.sound.has_answer() { leg.sound.take_answer() } else { leg.sound.offer() };
        self.gauges.acted(now.mono.since(at));
        self.engine.sip.answer(now.mono, leg.invite, sdp);
        self.up(now, seat);
        self.engine.transmit(now.mono);
        self.gauges.counts.conversations += 1;
        let scenario = std::sync::Arc::clone(&self.settings.scenario);
        let Some(desk) = self.desks.get_mut(agent) else { return };
        let Some(group) = scenario.agents.get(desk.agent.group) else { return };
        let known = caller.and_then(|c| Some((c, self.places.caller(c)?)));
        let (talks, writes, ender) = known.map_or_else(
            || (group.talk.mean(), mean_wrap_up(group), seat),
            |(c, caller)| {
                (caller.talks(group), caller.wrap_up(group), if caller.ends_talk { c } else { seat })
            },
        );
        desk.writes = writes;
        let known = known.map(|(c, _)| c);
        self.wish(at + talks, Wish::Part(ender));
        if let Some(caller) = known {
            self.introduce(now, caller, seat);
        }
    }

    /// Caller and agent listen for each other.
    fn introduce(&mut self, now: Now, caller: Seat, agent: Seat) {
        let since = arrival_clock(now);
        for (seat, other, tone) in [(caller, agent, 1), (agent, caller, 0)] {
            if let Some(leg) = self.places.get_mut(seat) {
                leg.partner = Some(Partner { seat: other, since });
                leg.partner_heard = None;
                leg.ear.listen(tone);
            }
        }
    }

    /// A call at an agent's phone is over.
    pub(super) fn agent_left(&mut self, now: Now, leg: &Leg) {
        let (Part::Agent { agent, .. } | Part::Service { agent, .. }) = leg.part else { return };
        let Some(desk) = self.desks.get_mut(agent) else { return };
        if desk.busy.is_some_and(|seat| seat.serial == leg.serial) {
            desk.busy = None;
        }
        match leg.part {
            Part::Service { works, .. } => {
                desk.is_in = true;
                desk.free_since = works.then_some(now.mono);
            }
            Part::Agent { .. } if leg.answered.is_some() => {
                let at = now.mono + desk.writes;
                self.wish(at, Wish::Say(agent, Errand::Ready));
            }
            Part::Agent { .. } => {
                self.gauges.counts.offers_missed += 1;
                self.wish(now.mono + BACK_AFTER, Wish::Say(agent, Errand::Ready));
            }
            Part::Caller { .. } => {}
        }
        self.run_errand(now, agent);
    }
}

fn mean_wrap_up(group: &AgentGroup) -> Duration {
    group.wrap_up.mean()
}
