//! The town's loop: read SIP, read sound, speak what is due, do what people want now. One thread.
//!
//! Invariant: what is due is done in the order of its time, and how late it is done is measured where it is done.
#![expect(clippy::cast_precision_loss, reason = "figures for people: no count comes near 2^52")]
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddrV4;
use std::time::Duration;

use super::agents::Desk;
use super::faults::Faults;
use super::gauges::{Gauges, Progress};
use super::leg::Seat;
use super::places::{Places, REST};
use super::report::{DayReport, Outcomes};
use super::sound::Voices;
use super::{DayError, DaySettings};
use crate::base::{Instant, Key, Now, Rng};
use crate::replay::engine::watch::{self, Usage};
use crate::replay::engine::{AT_ONCE, Engine, Sockets, Tap};
use crate::sim::{Caller, Callers};
use crate::sip::{InviteId, RegistrationId};

/// How long the last calls' ends may take.
const FALL: Duration = Duration::from_secs(12);
/// How long agents may take to register and sign in before the first call.
const RISE: Duration = Duration::from_mins(1);
/// Shared sockets are enough for so many phones.
const SHARED: usize = 6_000;
/// Things of the plan done in one step: sound must not wait for them.
const DONE_AT_ONCE: usize = 200;

/// Something that somebody wants at a moment.
#[derive(Debug)]
pub(super) enum Wish {
    /// The next caller comes.
    Arrive(Box<Caller>),
    /// A caller tries again.
    Redial(Box<Caller>, usize),
    /// A caller's next key.
    Key(Seat),
    /// A caller has waited long enough, or the hold is over.
    Enough(Seat),
    /// The conversation at an agent's phone turns, unless it has turned otherwise.
    Turn(Seat, u32, Turn),
    /// An agent's key in a talk, after the first.
    Press(Seat, Key),
    /// A third party puts the others on hold, or takes them back.
    Hold(Seat, bool),
    /// A caller finds himself alone, unless his conversation has gone on.
    Alone(Seat, u32),
    /// An agent or a third party picks up.
    PickUp(Seat),
    /// A call that the server does not end.
    Dismiss(Seat),
    /// A fault begins, or ends.
    Fault(usize, bool),
    /// An agent tells the server something.
    Say(usize, Errand),
}

/// How a conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Somebody else comes in, or the phone passes the caller on.
    Middle,
    /// The agent joins all three.
    Join,
    /// The last key of that is pressed.
    AllThree,
    /// The third party's phone has another one take its place.
    PassOn,
    /// He lets the third party go.
    LetGo,
    /// Whoever ends it hangs up.
    End,
}

/// What an agent tells the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    SignIn,
    SignOut,
    Ready,
    Pause(String),
}

/// How far the day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Agents register and sign in; until then at the latest.
    Morning(Instant),
    /// Calls come.
    Day,
    /// Nobody comes any more; who is inside is served.
    Evening,
    /// Everybody hung up; the last answers are awaited until then.
    Night(Instant),
}

/// Everything of a day being played.
pub(super) struct Town {
    pub(super) settings: DaySettings,
    pub(super) engine: Engine,
    pub(super) rng: Rng,
    pub(super) places: Places,
    pub(super) of_invite: BTreeMap<InviteId, Seat>,
    /// Callers' calls, by the number they call from.
    pub(super) of_phone: BTreeMap<String, Seat>,
    pub(super) desks: Vec<Desk>,
    pub(super) of_agent: BTreeMap<String, usize>,
    pub(super) of_registration: BTreeMap<RegistrationId, (usize, Instant)>,
    pub(super) callers: Callers,
    /// Agents who pressed for a third party that has not rung yet, by its number.
    pub(super) asked: BTreeMap<String, VecDeque<Seat>>,
    /// Callers whom a phone passes on to a third party, by its number.
    pub(super) passed: BTreeMap<String, VecDeque<Seat>>,
    pub(super) faults: Faults,
    pub(super) loss: Rng,
    pub(super) wishes: BTreeMap<(Instant, u64), Wish>,
    pub(super) next_wish: u64,
    pub(super) gauges: Gauges,
    pub(super) phase: Phase,
    /// When the scenario's moment `from` was.
    pub(super) began: Instant,
    pub(super) arrived: u64,
    pub(super) rounds: u64,
    pub(super) calling: u64,
    pub(super) standing_max: u64,
    pub(super) bounded_by: Option<String>,
    pub(super) voices: Voices,
    usage: (Usage, Usage),
    ended: Instant,
}

impl Town {
    pub(super) fn open(settings: DaySettings) -> Result<Self, DayError> {
        let rng = Rng::from_number(settings.seed).fork("town");
        let at = SocketAddrV4::new(settings.at, settings.port);
        let sockets = if settings.shared_sockets { Sockets::Shared(SHARED) } else { Sockets::Own };
        let mut engine = Engine::open(at, "replay", sockets, &rng)?;
        engine.tap = Some(Tap::default());
        engine.prepare(expected(&settings));
        let now = engine.clock.mono();
        let gauges = Gauges::new(settings.late_after)?;
        let mut town = Self {
            callers: Callers::new(&settings.scenario, settings.seed),
            voices: Voices::new(&settings.say),
            usage: (settings.pid.map(watch::usage).unwrap_or_default(), watch::usage(std::process::id())),
            settings,
            engine,
            rng: rng.fork("phones"),
            places: Places::default(),
            of_invite: BTreeMap::new(),
            of_phone: BTreeMap::new(),
            desks: Vec::new(),
            of_agent: BTreeMap::new(),
            of_registration: BTreeMap::new(),
            asked: BTreeMap::new(),
            passed: BTreeMap::new(),
            faults: Faults::default(),
            loss: rng.fork("loss"),
            wishes: BTreeMap::new(),
            next_wish: 0,
            gauges,
            phase: Phase::Morning(now + RISE),
            began: now,
            arrived: 0,
            rounds: 0,
            calling: 0,
            standing_max: 0,
            bounded_by: None,
            ended: now,
        };
        town.hire();
        Ok(town)
    }

    pub(super) fn run(mut self, mut watch: impl FnMut(&Progress)) -> Result<DayReport, DayError> {
        let mut told = 0;
        loop {
            self.tend()?;
            self.hear(None)?;
            self.tend()?;
            let now = self.engine.now();
            self.speak(now)?;
            self.engine.sip.handle_timeout(now.mono);
            self.settle(now);
            self.tend()?;
            self.count(now.mono);
            if now.mono.as_millis() / 500 != told {
                told = now.mono.as_millis() / 500;
                watch(&self.progress(now.mono));
            }
            if matches!(self.phase, Phase::Night(by) if self.is_quiet() || by <= now.mono) {
                self.ended = now.mono;
                return Ok(self.report());
            }
            self.engine.wait()?;
        }
    }

    /// Every call is over, and every BYE was answered.
    fn is_quiet(&self) -> bool {
        self.of_invite.is_empty() && self.engine.tap.as_ref().is_none_or(|tap| tap.unanswered_byes() == 0)
    }

    fn progress(&self, now: Instant) -> Progress {
        let what = match self.phase {
            Phase::Morning(_) => "signing in",
            Phase::Day => "calling",
            Phase::Evening => "serving",
            Phase::Night(_) => "hanging up",
        };
        let at = if matches!(self.phase, Phase::Morning(_)) { Duration::ZERO } else { now.since(self.began) };
        self.gauges.progress(what, at, self.calling)
    }

    fn read_sip(&mut self) -> Result<(), DayError> {
        for _ in 0..AT_ONCE {
            if !self.engine.take_sip()? {
                return Ok(());
            }
            let now = self.engine.now();
            self.settle(now);
        }
        Ok(())
    }

    /// What SIP has brought, and what people want now. Done between the slots of sound too: who makes up for a pause of the
    /// machine speaks for long.
    pub(super) fn tend(&mut self) -> Result<(), DayError> {
        self.read_sip()?;
        let now = self.engine.now();
        self.live(now);
        self.settle(now);
        Ok(())
    }

    /// What people want now.
    fn live(&mut self, now: Now) {
        for _ in 0..DONE_AT_ONCE {
            let Some(entry) = self.wishes.first_entry().filter(|e| e.key().0 <= now.mono) else { break };
            let ((at, _), wish) = entry.remove_entry();
            self.grant(now, at, wish);
        }
        match self.phase {
            Phase::Morning(by) if by <= now.mono || self.is_staffed() => self.open_doors(now.mono),
            Phase::Day | Phase::Evening if self.settings.until_failure && self.gauges.has_failures() => {
                self.close(now.mono, Some("a failure".to_owned()));
            }
            Phase::Day | Phase::Evening if now.mono.since(self.began) >= self.settings.max_time => {
                let bound = format!("--max-time {} s", self.settings.max_time.as_secs());
                self.close(now.mono, Some(bound));
            }
            Phase::Evening if self.calling == 0 && self.nobody_comes() => self.close(now.mono, None),
            Phase::Morning(_) | Phase::Day | Phase::Evening | Phase::Night(_) => {}
        }
    }

    fn nobody_comes(&self) -> bool {
        !self.wishes.values().any(|w| matches!(w, Wish::Arrive(_) | Wish::Redial(..)))
    }

    fn grant(&mut self, now: Now, at: Instant, wish: Wish) {
        let late = now.mono.since(at);
        match wish {
            Wish::Arrive(caller) => self.next_caller(now, at, caller),
            Wish::Redial(caller, tries) => self.call(now, at, caller, tries),
            Wish::Key(seat) => self.key(now, at, seat),
            Wish::Enough(seat) => self.enough(now, at, seat),
            Wish::Turn(seat, number, turn) => self.turns(now, at, (seat, number, turn)),
            Wish::Press(seat, key) => {
                if self.places.get(seat).is_some() {
                    self.gauges.acted(late);
                    self.press(now, seat, key);
                }
            }
            Wish::Hold(seat, held) => self.hold(now, seat, held),
            Wish::Alone(seat, turn) => self.alone(at, seat, turn),
            Wish::Fault(n, begins) => self.fault(now, at, n, begins),
            Wish::PickUp(seat) => self.pick_up(now, at, seat),
            Wish::Dismiss(seat) => {
                if self.places.get(seat).is_some() {
                    self.hang_up(now.mono, seat);
                }
            }
            Wish::Say(agent, errand) => self.errand(now, at, agent, errand),
        }
    }

    /// The first caller may come.
    fn open_doors(&mut self, now: Instant) {
        self.began = now;
        self.phase = Phase::Day;
        self.plan_shifts();
        self.plan_faults();
        self.plan_next_caller();
    }

    /// Everybody hangs up; agents sign out of nothing: the server sees them go.
    fn close(&mut self, now: Instant, bound: Option<String>) {
        let bounds: Vec<String> = self.bounded_by.take().into_iter().chain(bound).collect();
        self.bounded_by = (!bounds.is_empty()).then(|| bounds.join(", "));
        self.gauges.counts.cut_short += self.calling;
        self.phase = Phase::Night(now + FALL);
        self.wishes.clear();
        let all: Vec<Seat> = self.of_invite.values().copied().collect();
        for seat in all {
            self.hang_up(now, seat);
        }
        for desk in &mut self.desks {
            if let Some(id) = desk.registration.take() {
                self.engine.sip.unregister(now, id);
            }
        }
    }

    /// At a moment, something.
    pub(super) fn wish(&mut self, at: Instant, wish: Wish) {
        self.next_wish += 1;
        self.wishes.insert((at, self.next_wish), wish);
    }

    fn count(&mut self, now: Instant) {
        if let Some(tap) = &mut self.engine.tap {
            for delay in tap.take_disconnected() {
                self.gauges.ratios.disconnected(delay);
            }
        }
        self.standing_max = self.standing_max.max(self.calling);
        if matches!(self.phase, Phase::Day | Phase::Evening) {
            self.gauges.tick(now.since(self.began).as_secs(), self.calling);
        }
    }

    /// The moment of the scenario.
    pub(super) fn scenario_time(&self, at: Instant) -> Duration {
        self.settings.from + at.since(self.began)
    }

    /// One-way delay of the network as far as SIP shows it.
    pub(super) fn way(&self) -> Duration {
        self.engine.tap.as_ref().map(Tap::way).unwrap_or_default()
    }

    fn report(mut self) -> DayReport {
        let seconds = self.ended.since(self.began).as_secs_f64();
        let still: Vec<_> = self.places.iter().filter_map(|leg| leg.ear.stream.clone()).collect();
        let way = self.way();
        for stream in still {
            self.gauges.sound.add(&stream, way);
        }
        let (server, tool) = (self.settings.pid.map(watch::usage), watch::usage(std::process::id()));
        let share =
            |now: Usage, then: Usage| now.cpu_ns.saturating_sub(then.cpu_ns) as f64 / 1e9 / seconds.max(1e-3);
        let dropped = self.engine.dropped();
        let tap = self.engine.tap.take().unwrap_or_default();
        let g = &self.gauges;
        let mut punctuality = g.lateness.judge(dropped, g.sound.packets());
        if g.counts.without_socket > 0 {
            punctuality.late = true;
            punctuality.why.push(format!("{} calls found no socket here", g.counts.without_socket));
        }
        DayReport {
            scenario: self.settings.scenario.name.clone(),
            title: self.settings.scenario.title.clone(),
            target: format!("{}", self.settings.target),
            seed: self.settings.seed,
            seconds,
            rate: self.settings.rate.unwrap_or(0.0),
            bounded_by: self.bounded_by.clone(),
            standing_max: self.standing_max,
            outcomes: Outcomes::of(&g.counts),
            post_dial: g.post_dial.quantiles(),
            answer: g.answer.quantiles(),
            answer_to_sound: g.first_sound.quantiles(),
            key_to_prompt: g.key_to_prompt.quantiles(),
            free_to_ringing: g.free_to_ringing.quantiles(),
            answer_to_two_way: g.two_way.quantiles(),
            third_party_private: g.private.quantiles(),
            successor_heard: g.successor.quantiles(),
            join_to_three_way: g.three_way.quantiles(),
            faults: self.faults.played.clone(),
            sip_lost_on_purpose: self.engine.gate.lost,
            sip_of_the_vanished: self.engine.gate.unheard,
            registration: g.registration.quantiles(),
            rfc6076: g.ratios.told(tap.unanswered_byes() as u64),
            sound: g.sound.told(),
            sip_repeated: tap.repeated(),
            byes_unanswered: tap.unanswered_byes() as u64,
            unsent: self.engine.unsent(),
            dropped_here: dropped,
            punctuality,
            tool_cpu: share(tool, self.usage.1),
            server_cpu: server.map(|now| share(now, self.usage.0)),
            timeline: g.seconds.clone(),
        }
    }
}

/// How many phones will be there at once, where it can be told: callers at a rate, each for a time, and a rest after it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of phones, not negative, bounded by the number of calls"
)]
fn expected(settings: &DaySettings) -> usize {
    let (Some(rate), Some(hold)) = (settings.rate, settings.hold) else { return 0 };
    let phones = rate * (hold + REST + Duration::from_secs(1)).as_secs_f64();
    (phones.min(f64::from(u16::MAX)) as usize).min(settings.max_calls)
}
