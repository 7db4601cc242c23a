//! The plan of a load: sign in, call, let it settle, measure, hang up; and what was measured, as a report.
//!
//! Invariant: between the two readings of the kernel's counters nothing of the plan changes, but for
//! [`Scenario::Calls`], whose calls come and go while they are measured.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people: no count comes near 2^52"
)]
use std::time::Duration;

use super::Scenario;
use super::drive::{Drive, WANTED_PACKETS};
use super::phone::{Phone, Role};
use super::report::{LoadReport, Percentiles};
use crate::base::{Instant, Now};
use crate::replay::engine::watch::{self, Usage};

/// After the last call stands, before it is measured.
const SETTLE: Duration = Duration::from_secs(3);
/// How long the calls' ends may take.
const FALL: Duration = Duration::from_secs(15);
/// How long calls may take to stand, beside the time in which they are begun.
const RISE: Duration = Duration::from_secs(40);

/// How far the plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Register,
    Rise,
    Settle(Instant),
    Hold(Instant),
    Fall(Instant),
}

/// What the kernel said as the measurement began.
#[derive(Clone, Copy)]
pub(super) struct Held {
    at: Instant,
    server: Usage,
    tool: Usage,
    drops: (u64, u64),
    dialled: usize,
}

/// What was measured.
#[derive(Clone, Copy)]
pub(super) struct Measured {
    seconds: f64,
    server: Usage,
    before: Usage,
    tool_cpu: f64,
    drops: (u64, u64),
    standing: usize,
    listening: usize,
    dialled: usize,
    right: usize,
    wrong: usize,
}

impl Drive {
    /// What follows from what stands and from the time.
    pub(super) fn plan(&mut self, now: Now) {
        self.press_keys(now.mono);
        match self.phase {
            Phase::Register => {
                self.sign_in_next(now);
                if self.counts.signed_in >= self.settings.agents.len() {
                    self.began = now.mono;
                    self.phase = Phase::Rise;
                }
            }
            Phase::Rise => self.rise(now),
            Phase::Settle(until) if until <= now.mono => self.begin_hold(now.mono),
            Phase::Hold(until) if until <= now.mono => self.begin_fall(now.mono),
            Phase::Settle(_) | Phase::Hold(_) | Phase::Fall(_) => {}
        }
    }

    fn rise(&mut self, now: Now) {
        let passed = now.mono.since(self.began).as_secs_f64();
        let due = (passed * self.settings.rate) as usize;
        let mut at_once = 0;
        while self.counts.dialled < due.min(self.settings.size) && at_once < 64 {
            let meant = (self.counts.dialled + 1) as f64 / self.settings.rate;
            self.late_us.saturating_record(((passed - meant).max(0.0) * 1e6) as u64);
            self.dial(now);
            at_once += 1;
        }
        let late =
            self.began + Duration::from_secs_f64(self.settings.size as f64 / self.settings.rate) + RISE;
        if self.settings.scenario == Scenario::Calls {
            // All of it is measured, but the beginning.
            let beginning = (self.settings.size as f64 / self.settings.rate / 4.0).min(1.0);
            if self.held.is_none() && passed > beginning {
                self.begin_hold(now.mono);
                self.phase = Phase::Rise;
            }
            if self.counts.dialled == self.settings.size || late <= now.mono {
                self.begin_fall(now.mono);
            }
        } else if (self.counts.dialled == self.settings.size && self.all_stand()) || late <= now.mono {
            self.phase = Phase::Settle(now.mono + SETTLE);
        }
    }

    fn all_stand(&self) -> bool {
        let legs = match self.settings.scenario {
            Scenario::Callers | Scenario::Calls => 1,
            Scenario::Bridges => 2,
            Scenario::Conferences => 3,
        };
        let keys_done = self.phones.iter().flatten().all(|p| p.key_at.is_none());
        let up = self.phones.iter().flatten().filter(|p| p.up).count();
        keys_done && up + self.counts.refused + self.counts.failed >= legs * self.settings.size
    }

    fn usages(&self) -> (Usage, Usage) {
        (self.settings.pid.map(watch::usage).unwrap_or_default(), watch::usage(std::process::id()))
    }

    fn drops(&self) -> (u64, u64) {
        let (first, last) = self.settings.server_ports;
        let at = *self.settings.server.ip();
        (self.engine.dropped(), watch::drops(at, |p| (first..=last).contains(&p)))
    }

    fn begin_hold(&mut self, now: Instant) {
        let (server, tool) = self.usages();
        self.held = Some(Held { at: now, server, tool, drops: self.drops(), dialled: self.counts.dialled });
        self.ears.counting = true;
        for phone in self.phones.iter_mut().flatten() {
            phone.ear.begin();
        }
        self.phase = Phase::Hold(now + self.settings.hold);
    }

    fn begin_fall(&mut self, now: Instant) {
        self.ears.counting = false;
        if let Some(held) = self.held {
            let (server, tool) = self.usages();
            let drops = self.drops();
            let seconds = now.since(held.at).as_secs_f64();
            let (right, wrong) = self.judge();
            self.heard = self.what_was_heard();
            let caller = |p: &&Phone| p.role == Role::Caller && p.up;
            self.measured = Some(Measured {
                seconds,
                server,
                before: held.server,
                tool_cpu: tool.cpu_ns.saturating_sub(held.tool.cpu_ns) as f64 / 1e9 / seconds,
                drops: (drops.0.saturating_sub(held.drops.0), drops.1.saturating_sub(held.drops.1)),
                standing: self.phones.iter().flatten().filter(caller).count(),
                listening: self.phones.iter().flatten().filter(|p| p.up).count(),
                dialled: self.counts.dialled - held.dialled,
                right,
                wrong,
            });
        }
        self.phase = Phase::Fall(now + FALL);
        if self.settings.scenario != Scenario::Calls {
            self.hang_up_all(now);
        }
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Fall(by) if self.of_invite.is_empty() || by <= now)
    }

    pub(super) fn report(self) -> LoadReport {
        let Some(m) = self.measured else { return LoadReport::default() };
        let server_cpu = (m.server.cpu_ns.saturating_sub(m.before.cpu_ns)) as f64 / 1e9;
        let calls = self.settings.scenario == Scenario::Calls;
        let stood = if calls { self.counts.good } else { m.standing };
        let unsent = self.engine.unsent();
        drop(self.bare.sender);
        LoadReport {
            scenario: self.settings.scenario.as_str().to_owned(),
            wanted: self.settings.size,
            good: stood,
            refused: self.counts.refused,
            failed: self.counts.failed,
            statuses: self.counts.statuses.into_iter().collect(),
            seconds: m.seconds,
            rate: m.dialled as f64 / m.seconds,
            late: Percentiles::of(&self.late_us),
            answer: Percentiles::of(&self.answer_us),
            spacing: Percentiles::of(&self.ears.spacing_us),
            bare_spacing: Percentiles::of(&self.bare.ears.spacing_us),
            delay: Percentiles::of(&self.ears.delay_us),
            packets: self.ears.packets,
            packets_due: if calls {
                m.dialled as u64 * WANTED_PACKETS
            } else {
                (m.listening as f64 * m.seconds * 50.0) as u64
            },
            lost: self.ears.lost,
            dropped_at_tool: m.drops.0,
            dropped_at_server: m.drops.1,
            unsent,
            ears_right: m.right,
            ears_wrong: m.wrong,
            heard: self.heard,
            server_cpu: server_cpu / m.seconds,
            server_cpu_us_a_call: if m.dialled > 0 { server_cpu * 1e6 / m.dialled as f64 } else { 0.0 },
            server_user_us_a_call: if m.dialled > 0 {
                m.server.user_us.saturating_sub(m.before.user_us) as f64 / m.dialled as f64
            } else {
                0.0
            },
            server_files: (self.idle.files, m.server.files),
            server_kb_a_call: if calls || m.standing == 0 {
                0.0
            } else {
                m.server.rss.saturating_sub(self.idle.rss) as f64 / 1_024.0 / m.standing as f64
            },
            tool_cpu: m.tool_cpu,
        }
    }
}
