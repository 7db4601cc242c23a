//! A [`Sight`] of the live Acd.
use std::time::Duration;

use super::formula::Outlook;
use super::outlook::float;
use super::sight::Sight;
use crate::exchange::acd::Acd;
use crate::exchange::acd::agent::Duty;
use crate::exchange::acd::machine::Desk;
use crate::exchange::acd::order::CLASS_LAST;
use crate::exchange::acd::roster::Profile;
use crate::exchange::acd::waiting::{Line, Place, Ticket};

/// Agents looked at one by one; those beyond are taken to be like them.
const LOOKED_AT: usize = 48;
/// Lines of a queue looked at one by one.
const LINES: usize = 64;

/// What those who can serve a line do now.
#[derive(Clone, Copy, Debug, Default)]
struct Team {
    busy: f64,
    long: f64,
    fresh: f64,
    ending: (f64, f64),
}

impl Acd {
    /// What this caller sees, under this outlook. `None` while a phone rings for him.
    pub(in crate::exchange::acd) fn sight(&self, ticket: &Ticket, o: &Outlook) -> Option<Sight> {
        let (Place::InLine(id) | Place::Held(id, _)) = *ticket.place() else { return None };
        let line = self.room.line(id)?;
        let desk = self.desks.get(line.queue())?;
        let (now, rank) = (self.now.mono, ticket.rank());
        let lines = || self.room.lines_of(line.queue()).take(LINES);
        let sum = |f: &dyn Fn(&Line) -> usize| float(lines().map(|(_, l)| f(l)).sum());
        let elapsed = |l: &Line| l.oldest().map_or(0.0, |since| now.since(since).as_secs_f64());
        let kind = lines().position(|(other, _)| other == id).unwrap_or(3);
        let second = lines().nth(1).map_or(0, |(_, l)| l.ahead(rank));
        let team = self.team(line, desk);
        let ahead = sum(&|l| l.ahead(rank));
        let entry = now == ticket.entered();
        let others = (sum(&|l| l.waiting().len() + l.held().len()) - 1.0).max(ahead);
        let (last_same_s, five_same_s) = line.recent.waits_s();
        let rate = f64::from(o.agents) / o.handle_s.max(1.0);
        Some(Sight {
            day_s: self.day_s(),
            waiting: if entry { others } else { ahead },
            ahead,
            ahead_urgent: sum(&|l| l.before_class(rank.class)),
            ahead_same: float(line.ahead(rank)),
            ahead_second: float(second),
            rivals: o.ahead,
            waiting_urgent: sum(&|l| l.before_class(CLASS_LAST / 2)),
            longest_s: lines().map(|(_, l)| elapsed(l)).fold(0.0, f64::max),
            longest_same_s: elapsed(line),
            last_s: desk.recent.last_s,
            last_same_s,
            since_same_s: line.recent.since_s(now),
            five_same_s,
            fading_s: desk.recent.fading_s,
            served_5m: desk.recent.served.within(now, Duration::from_mins(5)),
            served_15m: desk.recent.served.within(now, Duration::from_mins(15)),
            joined_5m: desk.recent.joined.within(now, Duration::from_mins(5)),
            joined_15m: desk.recent.joined.within(now, Duration::from_mins(15)),
            left_15m: desk.recent.left.within(now, Duration::from_mins(15)),
            served_same_30m: line.recent.served.within(now, Duration::from_mins(30)),
            busy: team.busy,
            agents: f64::from(o.agents),
            able: f64::from(o.agents),
            cut_off: f64::from(self.cut_off(line.profiles())),
            able_share: f64::from(o.agents),
            rate,
            rate_now: team.busy / o.handle_s.max(1.0),
            long_talks: team.long,
            fresh_talks: team.fresh,
            ending_1m: team.ending.0,
            ending_3m: team.ending.1,
            handle_s: o.handle_s,
            theta: o.theta,
            urgent: 1.0 - f64::from(rank.class) / f64::from(CLASS_LAST),
            kind: u8::try_from(kind.min(3)).unwrap_or(3),
        })
    }

    /// The time of the day, in seconds of UTC.
    #[expect(clippy::cast_precision_loss, reason = "less than a day in seconds")]
    pub(in crate::exchange::acd) fn day_s(&self) -> f64 {
        self.now.utc.as_secs().rem_euclid(86_400) as f64
    }

    /// The agents of a line's profiles who are at work; of large teams the first are looked at.
    fn team(&self, line: &Line, desk: &Desk) -> Team {
        let profiles = || line.profiles().iter().filter_map(|id| self.roster.profile(*id));
        let agents: u32 = profiles().map(Profile::at_work).sum();
        let members = profiles().flat_map(Profile::members).filter_map(|id| self.roster.get(id));
        let (mut team, mut looked) = (Team::default(), 0.0);
        for member in members.filter(|m| m.agent().at_work()).take(LOOKED_AT) {
            looked += 1.0;
            let Duty::Talking(a) = member.agent().duty() else {
                team.busy += f64::from(u8::from(!member.agent().offerable()));
                continue;
            };
            let since = self.offers.get(*a).and_then(|a| a.answered).unwrap_or(self.now.mono);
            let elapsed = self.now.mono.since(since).as_secs_f64();
            team.busy += 1.0;
            team.long += f64::from(u8::from(elapsed > 300.0));
            team.fresh += f64::from(u8::from(elapsed < 60.0));
            team.ending.0 += desk.recent.ending(elapsed, 60.0);
            team.ending.1 += desk.recent.ending(elapsed, 180.0);
        }
        let all = f64::from(agents) / f64::max(looked, 1.0);
        Team {
            busy: team.busy * all,
            long: team.long * all,
            fresh: team.fresh * all,
            ending: (team.ending.0 * all, team.ending.1 * all),
        }
    }
}
