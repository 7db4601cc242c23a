//! People from a scenario and a seed: caller number `i` arrives at `t`, presses these keys, waits so long, talks so long.
//!
//! Invariant: a person's draws depend on the seed and on who he is alone, never on what happened to others: two plans,
//! or a simulated and a running hotline, meet the same people.
use std::sync::Arc;
use std::time::Duration;

use super::clock::HALF_HOUR_S;
use super::{AgentGroup, Arrivals, PartyModel, Scenario, Stretch};
use crate::base::{Key, Rng};

/// Between two keys of one step.
const KEY_GAP: Duration = Duration::from_millis(400);
/// Agents sign in within this time after their shift's beginning.
const SETTLES_S: f64 = 60.0;

/// A key pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Press {
    /// How long after the answer, or after the key before.
    pub after: Duration,
    /// Which.
    pub key: Key,
}

/// A caller: everything he will do, whatever happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// His number, from 0, in the order of arrival.
    pub number: u64,
    /// When he first rings, since the scenario's beginning.
    pub arrives: Duration,
    /// His class, by its place in [`Scenario::callers`].
    pub class: usize,
    /// His telephone number: his own for ever.
    pub phone: String,
    /// What he presses.
    pub presses: Vec<Press>,
    /// How long after his last key (or the answer, if he presses none) he hangs up, unless he talks to somebody by then.
    pub patience: Duration,
    /// Having hung up unserved, or having been refused, he rings again after so long; one for each time.
    pub redials: Vec<Duration>,
    /// The quantile of his talk, within (0, 1).
    pub talk_u: f64,
    /// His talk, if he himself and not his agent's group decides it.
    pub talk: Option<Duration>,
    /// The quantile of the work after his talk.
    pub wrap_up_u: f64,
    /// Who hangs up after the talk: he, or the agent.
    pub ends_talk: bool,
    /// Chance of what may happen during his talk, within [0, 1): of a third party, of a transfer.
    pub luck: [f64; 2],
    /// Quantiles of a third party's times with him: pick-up, private, together; and whether it misses him.
    pub third: [f64; 4],
    /// Whether it puts the others on hold, and the quantile of how long.
    pub holds: [f64; 2],
}

impl Caller {
    /// How long he talks to an agent of this group.
    pub fn talks(&self, group: &AgentGroup) -> Duration {
        self.talk.unwrap_or_else(|| group.talk.at(self.talk_u))
    }
    /// How long that agent writes afterwards.
    pub fn wrap_up(&self, group: &AgentGroup) -> Duration {
        group.wrap_up.at(self.wrap_up_u)
    }
    /// Whether, and how, a third party comes in.
    pub fn third_party(&self, group: &AgentGroup, scenario: &Scenario) -> Option<ThirdParty> {
        let wish = group.consults.as_ref().filter(|c| self.luck[0] * 100.0 < f64::from(c.chance))?;
        let model: &PartyModel = scenario.parties.get(&wish.party)?;
        let [pick_up, private, together, miss] = self.third;
        Some(ThirdParty {
            picks_up: (miss * 100.0 >= f64::from(model.misses)).then(|| model.pick_up.at(pick_up)),
            private: model.private.at(private),
            together: model.together.at(together),
            holds: model.holds.as_ref().and_then(|holding| {
                let [luck, lasts] = self.holds;
                (luck * 100.0 < f64::from(holding.chance)).then(|| holding.lasts.at(lasts))
            }),
        })
    }
    /// Whether the agent's phone transfers him by itself at this percentage.
    pub fn is_transferred(&self, percent: u8) -> bool {
        self.luck[1] * 100.0 < f64::from(percent)
    }
}

/// What a third party does in one conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThirdParty {
    /// After so long; `None`: never.
    pub picks_up: Option<Duration>,
    /// It talks to the agent alone.
    pub private: Duration,
    /// All three talk.
    pub together: Duration,
    /// In the middle of that it puts the others on hold for so long.
    pub holds: Option<Duration>,
}

/// Callers in the order of arrival.
#[derive(Clone, Debug)]
pub struct Callers {
    scenario: Arc<Scenario>,
    root: Rng,
    arrivals: Rng,
    /// Callers per half hour by which the list is scaled.
    scale: f64,
    at_s: f64,
    next: u64,
    log_next: usize,
    /// The next of the list, which the log's next may come before.
    drawn: Option<Duration>,
    shares: u64,
}

impl Callers {
    /// All callers of a scenario under a seed.
    pub fn new(scenario: &Arc<Scenario>, seed: u64) -> Self {
        let root = Rng::from_number(seed).fork(&scenario.name);
        let mut callers = Self {
            arrivals: root.fork("arrivals"),
            scale: scale(&scenario.arrivals, scenario.half_hours()),
            shares: scenario.callers.iter().map(|c| u64::from(c.share)).sum(),
            scenario: Arc::clone(scenario),
            root,
            at_s: 0.0,
            next: 0,
            log_next: 0,
            drawn: None,
        };
        callers.drawn = callers.draw();
        callers
    }

    /// How many are expected in all.
    pub fn expected(scenario: &Scenario) -> u64 {
        let scale = scale(&scenario.arrivals, scenario.half_hours());
        let mut sum = 0.0;
        let mut at = Duration::ZERO;
        while at < scenario.lasts {
            let (per_s, until) = rate(scenario, scale, at);
            sum += per_s * until.saturating_sub(at).as_secs_f64();
            at = until;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, far below 2^53"
        )]
        let listed = sum as u64;
        listed + scenario.arrivals.log.len() as u64
    }

    /// The next moment of a process whose rate changes with time: one unit of an exponential is used up.
    fn draw(&mut self) -> Option<Duration> {
        let mut left = -libm::log(1.0 - self.arrivals.unit());
        loop {
            let at = Duration::from_nanos(nanos(self.at_s));
            if at >= self.scenario.lasts {
                return None;
            }
            let (per_s, until) = rate(&self.scenario, self.scale, at);
            let room = until.as_secs_f64() - self.at_s;
            if per_s > 0.0 && left / per_s < room {
                self.at_s += left / per_s;
                // Whole milliseconds, for the same reason as in `Spread`.
                return Some(Duration::from_millis(nanos(self.at_s) / 1_000_000));
            }
            left -= (per_s * room).min(left);
            self.at_s = until.as_secs_f64();
        }
    }

    fn class(&self, rng: &mut Rng) -> usize {
        let mut at = rng.below(self.shares);
        for (n, class) in self.scenario.callers.iter().enumerate() {
            if at < u64::from(class.share) {
                return n;
            }
            at -= u64::from(class.share);
        }
        0
    }

    fn make(&mut self, arrives: Duration, logged: Option<usize>) -> Option<Caller> {
        let number = self.next;
        self.next += 1;
        let mut rng = self.root.fork_number(number);
        let drawn = self.class(&mut rng);
        let logged = logged.and_then(|n| self.scenario.arrivals.log.get(n));
        let at = logged.map_or(drawn, |l| l.class);
        let class = self.scenario.callers.get(at)?;
        let phone = format!("139{:08}", rng.below(100_000_000));
        let mut presses = Vec::new();
        for step in &class.keys {
            let think = class.think.at(rng.unit());
            let wrong = rng.below(100) < u64::from(class.mistakes);
            let slip = [Key::HASH, digit(&mut rng)];
            let mut after = think;
            if wrong {
                let key = slip.get(usize::from(rng.below(2) == 1)).copied().unwrap_or(Key::HASH);
                presses.push(Press { after, key });
                after = class.think.at(rng.unit());
            }
            for key in &step.0 {
                presses.push(Press { after, key: key.unwrap_or_else(|| digit(&mut rng)) });
                after = KEY_GAP;
            }
        }
        let patience = class.patience.at(rng.unit());
        let redials = (0..class.redial.most)
            .map(|_| (rng.below(100) < u64::from(class.redial.chance), class.redial.after.at(rng.unit())))
            .take_while(|(again, _)| *again)
            .map(|(_, after)| after)
            .collect();
        let talk_u = rng.unit();
        Some(Caller {
            number,
            arrives,
            class: at,
            phone,
            presses,
            patience: logged.and_then(|l| l.gave_up).unwrap_or(patience),
            redials,
            talk_u,
            talk: logged.and_then(|l| l.talked).or_else(|| class.talk.map(|t| t.at(talk_u))),
            wrap_up_u: rng.unit(),
            ends_talk: rng.below(2) == 0,
            luck: [rng.unit(), rng.unit()],
            third: [rng.unit(), rng.unit(), rng.unit(), rng.unit()],
            holds: [rng.unit(), rng.unit()],
        })
    }
}

fn digit(rng: &mut Rng) -> Key {
    u8::try_from(rng.below(10)).ok().and_then(Key::from_event).unwrap_or(Key::HASH)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, bounded by the scenario"
)]
fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

/// By how much the list is multiplied.
fn scale(arrivals: &Arrivals, half_hours: usize) -> f64 {
    let sum: u64 = arrivals.per_half_hour.iter().cycle().take(half_hours).map(|n| u64::from(*n)).sum();
    #[expect(clippy::cast_precision_loss, reason = "numbers of callers are far below 2^52")]
    arrivals.total.map_or(1.0, |total| f64::from(total) / (sum.max(1) as f64))
}

/// Callers per second at a moment, and until when that holds.
fn rate(scenario: &Scenario, scale: f64, at: Duration) -> (f64, Duration) {
    let list = &scenario.arrivals.per_half_hour;
    let half_hour = at.as_secs() / HALF_HOUR_S;
    let n = usize::try_from(half_hour).unwrap_or(0).checked_rem(list.len()).and_then(|n| list.get(n));
    let mut per_s = n.map_or(0.0, |n| f64::from(*n)) * scale / 1_800.0;
    let mut until = Duration::from_secs((half_hour + 1) * HALF_HOUR_S).min(scenario.lasts);
    for peak in &scenario.arrivals.peaks {
        if peak.stretch.holds(at) {
            per_s *= f64::from(peak.times);
            until = until.min(peak.stretch.to);
        } else if peak.stretch.from > at {
            until = until.min(peak.stretch.from);
        }
    }
    (per_s, until)
}

impl Iterator for Callers {
    type Item = Caller;
    fn next(&mut self) -> Option<Caller> {
        let logged = self.scenario.arrivals.log.get(self.log_next).map(|l| l.arrives);
        match (self.drawn, logged) {
            (None, None) => None,
            (Some(at), logged) if logged.is_none_or(|l| at <= l) => {
                self.drawn = self.draw();
                self.make(at, None)
            }
            (_, logged) => {
                let n = self.log_next;
                self.log_next += 1;
                self.make(logged?, Some(n))
            }
        }
    }
}

/// An agent: when he works and rests.
#[derive(Clone, Debug)]
pub struct Agent {
    /// His name.
    pub id: String,
    /// His group, by its place in [`Scenario::agents`].
    pub group: usize,
    /// From when to when he is signed in.
    pub shifts: Vec<Stretch>,
    /// His pauses, with the reason.
    pub breaks: Vec<(Stretch, String)>,
    /// What he does with each offer.
    pub draws: AgentDraws,
}

/// What an agent does with one offer after the other.
#[derive(Clone, Debug)]
pub struct AgentDraws(Rng);

/// What an agent does with an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferDraw {
    /// He picks up after so long; `None`: not at all.
    pub picks_up: Option<Duration>,
}

impl AgentDraws {
    /// The next offer.
    pub fn offer(&mut self, group: &AgentGroup) -> OfferDraw {
        let (after, misses) = (group.pick_up.at(self.0.unit()), self.0.below(100) < u64::from(group.misses));
        OfferDraw { picks_up: (!misses).then_some(after) }
    }
}

impl Agent {
    /// All agents of a scenario under a seed, group after group.
    pub fn all(scenario: &Scenario, seed: u64) -> Vec<Self> {
        let root = Rng::from_number(seed).fork(&scenario.name);
        let groups = scenario.agents.iter().enumerate();
        groups
            .flat_map(|(n, group)| group.ids.iter().map(move |id| (n, group, id)))
            .map(|(n, group, id)| Self::one((n, group), id, root.fork("agents").fork(id)))
            .collect()
    }

    fn one((group, g): (usize, &AgentGroup), id: &str, mut rng: Rng) -> Self {
        let settles = Duration::from_millis(nanos(rng.unit() * SETTLES_S) / 1_000_000);
        let shift = |s: &Stretch| Stretch { from: (s.from + settles).min(s.to), to: s.to };
        let mut breaks = Vec::new();
        for b in &g.breaks {
            let u = rng.unit();
            for within in &b.within {
                let room = (within.to.saturating_sub(within.from)).saturating_sub(b.lasts);
                let from = within.from + Duration::from_millis(nanos(room.as_secs_f64() * u) / 1_000_000);
                breaks.push((Stretch { from, to: from + b.lasts }, b.reason.clone()));
            }
        }
        breaks.sort();
        let shifts = g.shifts.iter().map(shift).collect();
        Self { id: id.to_owned(), group, shifts, breaks, draws: AgentDraws(rng.fork("offers")) }
    }
}
