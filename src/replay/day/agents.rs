//! What agents do: register, sign in when their shift begins, pick up or not, talk, write, rest, and go home.
//!
//! Invariant: an agent does one thing at a time: a call, or one word to the server; what he still has to tell waits.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::leg::{Leg, Part, Seat};
use super::town::{Errand, Town, Wish};
use crate::base::{Instant, Now};
use crate::node::LegSound;
use crate::replay::engine::UDP;
use crate::sim::Agent;
use crate::sip::{
    Credentials, Destination, EndReason, Identity, Incoming, Registration, RegistrationId, Status,
};

/// Whoever pressed his last key so long ago stands in line: what was said to him before is over.
const IN_LINE: Duration = Duration::from_secs(5);
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
    /// His phone is gone.
    gone: bool,
}

/// Who of the server's agents plays whose part, by the place among the scenario's: those at work first, one of each group in
/// turn.
fn stand_ins(
    agents: &[Agent],
    passwords: &BTreeMap<String, String>,
    from: Duration,
) -> BTreeMap<usize, String> {
    let named: BTreeSet<&str> = agents.iter().map(|agent| agent.id.as_str()).collect();
    let spare = passwords.keys().filter(|name| !named.contains(name.as_str()));
    let mut of_group: BTreeMap<usize, usize> = BTreeMap::new();
    let mut parts: Vec<(bool, usize, usize, usize)> = Vec::new();
    for (number, agent) in agents.iter().enumerate().filter(|(_, agent)| !passwords.contains_key(&agent.id)) {
        let turn = of_group.entry(agent.group).or_default();
        let away = !agent.shifts.iter().any(|shift| shift.holds(from));
        parts.push((away, *turn, agent.group, number));
        *turn += 1;
    }
    parts.sort_unstable();
    parts.into_iter().zip(spare).map(|((.., number), name)| (number, name.clone())).collect()
}

impl Town {
    /// Agents whose passwords are known register. Whom the server does not know has an agent of its own play his part, as
    /// far as there are any whom the scenario does not name.
    pub(super) fn hire(&mut self) {
        let now = self.engine.now();
        let agents = Agent::all(&self.settings.scenario, self.settings.seed);
        let stand_ins = stand_ins(&agents, &self.settings.passwords, self.settings.from);
        for (number, mut agent) in agents.into_iter().enumerate() {
            if let Some(name) = stand_ins.get(&number) {
                agent.id.clone_from(name);
                self.gauges.counts.stand_ins += 1;
            }
            let Some(password) = self.settings.passwords.get(&agent.id).cloned() else {
                self.gauges.counts.agents_without_password += 1;
                continue;
            };
            let id = self.register(now.mono, &agent.id, &password);
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
                gone: false,
            });
            self.engine.transmit(now.mono);
        }
    }

    fn register(&mut self, now: Instant, user: &str, password: &str) -> RegistrationId {
        let (user, password) = (user.to_owned(), password.to_owned());
        let wanted = Registration {
            registrar_uri: format!("sip:{}", self.settings.host),
            to: Destination::Datagram { listener: UDP, to: self.settings.target.into() },
            identity: Identity { user: user.clone(), ..Identity::default() },
            contact_user: None,
            credentials: Some(Credentials { user, password, realm: None }),
            expires: Duration::from_hours(1),
        };
        self.engine.sip.register(now, wanted)
    }

    /// The registrar's word.
    pub(super) fn registered(&mut self, now: Now, id: RegistrationId, taken: bool) {
        let Some((number, asked)) = self.of_registration.remove(&id) else { return };
        self.gauges.registration.record(now.mono.since(asked));
        self.gauges.counts.agents_registered += u64::from(taken);
        let from = self.settings.from;
        let Some(desk) = self.desks.get_mut(number) else { return };
        if std::mem::replace(&mut desk.is_told, true) {
            return;
        }
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
        if let Some(desk) = self.desks.get_mut(number).filter(|desk| !desk.gone) {
            desk.errands.push_back((at, errand));
        }
        self.run_errand(now, number);
    }

    /// The phones of the first so many agents of a group are gone: they say nothing more and hear nothing.
    pub(super) fn vanish(&mut self, now: Instant, group: &str, count: usize) -> usize {
        let mut vanished = 0;
        for number in self.of_group(group, count) {
            let Some(desk) = self.desks.get_mut(number) else { continue };
            desk.gone = true;
            desk.errands.clear();
            desk.free_since = None;
            vanished += 1;
            let (user, busy) = (desk.agent.id.clone(), desk.busy);
            self.engine.gate.silence(&user);
            // The call is over for the phone; nobody hears that it says so.
            if let Some(seat) = busy {
                self.hang_up(now, seat);
            }
        }
        vanished
    }

    /// They are switched on again: they register, and whoever should be at work signs in.
    pub(super) fn come_back(&mut self, now: Now, group: &str, count: usize) {
        for number in self.of_group(group, count) {
            let at = self.scenario_time(now.mono);
            let Some(desk) = self.desks.get_mut(number).filter(|desk| desk.gone) else { continue };
            desk.gone = false;
            let (user, password) = (desk.agent.id.clone(), desk.password.clone());
            let works = desk.agent.shifts.iter().any(|s| s.from <= at && at < s.to);
            self.engine.gate.hear_again(&user);
            let id = self.register(now.mono, &user, &password);
            self.engine.transmit(now.mono);
            self.of_registration.insert(id, (number, now.mono));
            if let Some(desk) = self.desks.get_mut(number) {
                desk.registration = Some(id);
            }
            if works {
                self.errand(now, now.mono, number, Errand::SignIn);
            }
        }
    }

    /// The first so many agents of a group, as far as they work here.
    fn of_group(&self, group: &str, count: usize) -> Vec<usize> {
        let group = self.settings.scenario.agents.iter().position(|g| g.name == group);
        let desks = self.desks.iter().enumerate().filter(|(_, desk)| Some(desk.agent.group) == group);
        desks.map(|(number, _)| number).take(count).collect()
    }

    /// How long an agent will write after his talk.
    pub(super) fn will_write(&mut self, agent: usize, writes: Duration) {
        if let Some(desk) = self.desks.get_mut(agent) {
            desk.writes = writes;
        }
    }

    /// An agent's group, by its place in the scenario.
    pub(super) fn group_of(&self, agent: usize) -> Option<usize> {
        self.desks.get(agent).map(|desk| desk.agent.group)
    }

    /// Tells the server the next thing, if the agent has his hands free.
    fn run_errand(&mut self, now: Now, number: usize) {
        let Some(desk) = self.desks.get_mut(number).filter(|d| d.busy.is_none() && !d.gone) else { return };
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
            return self.party_rings(now, incoming);
        };
        // Whoever has said that he is ready may be rung before that call is over: then he ends it.
        let tells = |leg: &&Leg| matches!(leg.part, Part::Service { works: true, .. });
        let said = desk.busy.and_then(|seat| self.places.get(seat)).filter(tells);
        let said = said.and_then(|leg| Some((desk.busy?, leg.answered?.0)));
        if desk.busy.is_some() && said.is_none() {
            self.engine.sip.reject(now.mono, incoming.invite, Status::BUSY_HERE, None);
            return;
        }
        let mut free_since = desk.free_since.take();
        if let Some((seat, since)) = said {
            (desk.busy, desk.is_in, free_since) = (None, true, Some(since));
            self.hang_up(now.mono, seat);
        }
        let Some((seat, sound)) = self.sound_for(now.mono, incoming) else { return };
        let caller = self.of_phone.get(&incoming.from.user).copied();
        let waits = caller.and_then(|c| self.places.get(c)).and_then(|leg| leg.waits_since);
        // Only where somebody stood in line already when the agent came free had the server nothing else to wait for.
        if let (Some(free), Some(waits)) = (free_since, waits)
            && waits + IN_LINE <= free
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

    /// A place for a call that comes in, and its sound; without one it is refused.
    pub(super) fn sound_for(&mut self, now: Instant, incoming: &Incoming) -> Option<(Seat, LegSound)> {
        let Some((seat, mut sound)) = self.sound(now) else {
            self.engine.sip.reject(now, incoming.invite, Status::TEMPORARILY_UNAVAILABLE, None);
            return None;
        };
        if incoming.offer.as_ref().is_some_and(|offer| sound.answer(offer).is_err()) {
            self.places.give_back(now, seat);
            self.engine.sip.reject(now, incoming.invite, Status::NOT_ACCEPTABLE_HERE, None);
            return None;
        }
        Some((seat, sound))
    }

    /// An agent picks up, or a third party.
    pub(super) fn pick_up(&mut self, now: Now, at: Instant, seat: Seat) {
        let Some(leg) = self.places.get_mut(seat).filter(|leg| leg.answered.is_none()) else { return };
        let sdp = if leg.sound.has_answer() { leg.sound.take_answer() } else { leg.sound.offer() };
        let (invite, is_party) = (leg.invite, matches!(leg.part, Part::Party { .. }));
        self.gauges.acted(now.mono.since(at));
        self.engine.sip.answer(now.mono, invite, sdp);
        self.up(now, seat);
        self.engine.transmit(now.mono);
        if is_party {
            self.party_talks(now, at, seat);
        } else {
            self.gauges.counts.conversations += 1;
            self.talk_begins(now, at, seat);
        }
    }

    /// A call at an agent's phone is over.
    pub(super) fn agent_left(&mut self, now: Now, leg: &Leg, why: EndReason) {
        let (Part::Agent { agent, .. } | Part::Service { agent, .. }) = leg.part else { return };
        let Some(desk) = self.desks.get_mut(agent) else { return };
        let was_busy = desk.busy.take_if(|seat| seat.serial == leg.serial).is_some();
        // A phone that is gone tells nobody anything.
        let (gone, writes) = (desk.gone, desk.writes);
        match leg.part {
            Part::Service { works, .. } => {
                desk.is_in = true;
                if was_busy {
                    desk.free_since = works.then_some(now.mono);
                }
            }
            Part::Agent { .. } if leg.answered.is_some() => {
                if !gone {
                    self.wish(now.mono + writes, Wish::Say(agent, Errand::Ready));
                }
                if gone || why != EndReason::EndedByUs {
                    self.left_behind(now.mono, leg.talk.as_ref().and_then(|talk| talk.caller), gone);
                }
            }
            Part::Agent { .. } => {
                self.gauges.counts.offers_missed += 1;
                self.wish(now.mono + BACK_AFTER, Wish::Say(agent, Errand::Ready));
            }
            Part::Caller { .. } | Part::Party { .. } => {}
        }
        self.run_errand(now, agent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Scenario;

    const SCENARIO: &str = r#"
title  = "Two groups"
begins = "2026-11-10T10:00+08:00"
lasts  = "2h"
[arrivals]
per_half_hour = [1]
[callers.anybody]
share    = 1
number   = "95188"
patience = "1m"
[agents.early]
count  = 3
shifts = ["10:00-11:00"]
[agents.late]
count  = 2
shifts = ["11:00-12:00"]
[agents.known]
ids = ["8001"]
"#;

    #[test]
    fn agents_whom_the_server_does_not_know_are_played_by_its_own_those_at_work_first() {
        let files = [("two.toml".to_owned(), SCENARIO.to_owned())].into();
        let scenario = std::sync::Arc::new(Scenario::read(&files, "two.toml", &[]).unwrap().0);
        let agents = Agent::all(&scenario, 1);
        let ids: Vec<&str> = agents.iter().map(|agent| agent.id.as_str()).collect();
        assert_eq!(ids, ["early-1", "early-2", "early-3", "8001", "late-1", "late-2"]);
        let of = |names: &[&str], from_m| {
            let passwords = names.iter().map(|name| ((*name).to_owned(), String::new())).collect();
            let parts = stand_ins(&agents, &passwords, Duration::from_mins(from_m));
            parts.into_iter().map(|(n, name)| format!("{name} as {}", ids[n])).collect::<Vec<_>>()
        };
        assert_eq!(of(&["8001"], 30), Vec::<String>::new(), "who is known plays himself");
        assert_eq!(of(&["8001", "8002", "8003"], 30), ["8002 as early-1", "8003 as early-2"]);
        let one_of_each_group_first = ["8002 as 8001", "8003 as late-1", "8004 as late-2"];
        assert_eq!(of(&["8002", "8003", "8004"], 90), one_of_each_group_first);
    }
}
