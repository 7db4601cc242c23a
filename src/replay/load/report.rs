//! What a load measured, as values, as text for people and as JSON for programs.
#![expect(clippy::cast_precision_loss, reason = "figures for people: no count comes near 2^52")]
use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

/// A distribution's ends, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// How many were measured.
    pub count: u64,
    /// The median.
    pub p50_us: u64,
    /// 99 of 100 are at most this.
    pub p99_us: u64,
    /// The largest.
    pub max_us: u64,
}

impl Percentiles {
    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p99_us: histogram.value_at_quantile(0.99),
            max_us: histogram.max(),
        }
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |us: u64| us as f64 / 1e3;
        write!(
            f,
            "p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms ({} measured)",
            ms(self.p50_us),
            ms(self.p99_us),
            ms(self.max_us),
            self.count
        )
    }
}

/// What a load measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LoadReport {
    /// What was played.
    pub scenario: String,
    /// Calls that were wanted.
    pub wanted: usize,
    /// Calls that stood as wanted, or ran as wanted to their end.
    pub good: usize,
    /// Calls that were refused.
    pub refused: usize,
    /// Calls that ended before they should, or never came to stand.
    pub failed: usize,
    /// The statuses of the refused ones, each once with its count.
    pub statuses: Vec<(u16, usize)>,
    /// How long it was measured, in seconds.
    pub seconds: f64,
    /// New calls each second, as they were begun.
    pub rate: f64,
    /// How long after its moment a call was begun: where this is more than some milliseconds, the tool's own bursts are part
    /// of what the server met.
    pub late: Percentiles,
    /// From INVITE to 200.
    pub answer: Percentiles,
    /// How far the distance of two packets is from 20 ms.
    pub spacing: Percentiles,
    /// The same of the bare sender in the same run.
    pub bare_spacing: Percentiles,
    /// Mouth to ear, less the packet's own 20 ms.
    pub delay: Percentiles,
    /// Packets heard.
    pub packets: u64,
    /// Packets that the phones should have heard in that time.
    pub packets_due: u64,
    /// Numbers that never came to an ear.
    pub lost: u64,
    /// Of these, datagrams that the kernel dropped before the tool could read them.
    pub dropped_at_tool: u64,
    /// Datagrams that the kernel dropped at the server's RTP ports.
    pub dropped_at_server: u64,
    /// Packets of the phones that the kernel did not take.
    pub unsent: u64,
    /// Ears that heard whom they should, and nobody else.
    pub ears_right: usize,
    /// Ears that did not.
    pub ears_wrong: usize,
    /// Who heard whom, with how many ears: `caller hears agent merchant`.
    pub heard: Vec<(String, usize)>,
    /// The server's CPU time as a share of one core.
    pub server_cpu: f64,
    /// The server's CPU time for each call that was begun while it was measured, in microseconds.
    pub server_cpu_us_a_call: f64,
    /// Of this the user time alone, as far as the kernel splits it.
    pub server_user_us_a_call: f64,
    /// Files that the server holds open: before the load, and under it.
    pub server_files: (u64, u64),
    /// Memory for each call that stands, in kilobytes: loaded less idle.
    pub server_kb_a_call: f64,
    /// The tool's own CPU time as a share of one core: near 1, it is the tool that is measured.
    pub tool_cpu: f64,
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} wanted, {} good, {} refused, {} failed, {:.1} new calls/s",
            self.scenario, self.wanted, self.good, self.refused, self.failed, self.rate
        )?;
        for (status, count) in &self.statuses {
            writeln!(f, "  status {status}: {count}")?;
        }
        writeln!(f, "  measured       {:.1} s", self.seconds)?;
        writeln!(f, "  begun late by  {}", self.late)?;
        writeln!(f, "  INVITE to 200  {}", self.answer)?;
        writeln!(f, "  off 20 ms      {}", self.spacing)?;
        writeln!(f, "  bare sender    {}", self.bare_spacing)?;
        writeln!(f, "  mouth to ear   {}", self.delay)?;
        writeln!(
            f,
            "  packets        {} heard of {} due, {} lost (kernel: {} at the tool, {} at the server), {} unsent",
            self.packets,
            self.packets_due,
            self.lost,
            self.dropped_at_tool,
            self.dropped_at_server,
            self.unsent
        )?;
        writeln!(f, "  ears           {} right, {} wrong", self.ears_right, self.ears_wrong)?;
        for (what, count) in &self.heard {
            writeln!(f, "                 {count} times: {what}")?;
        }
        writeln!(
            f,
            "  server         {:.1} % of a core, {:.0} us a call (user {:.0}), {:.1} kB a call, open files {} -> {}",
            100.0 * self.server_cpu,
            self.server_cpu_us_a_call,
            self.server_user_us_a_call,
            self.server_kb_a_call,
            self.server_files.0,
            self.server_files.1
        )?;
        write!(f, "  this tool      {:.1} % of a core", 100.0 * self.tool_cpu)
    }
}
