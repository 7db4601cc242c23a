//! The load tool: many phones in one thread, with sound both ways, real SIP and real RTP, and ears that measure what
//! arrives by the kernel's time stamps. It is to the server what a town is to its exchange.
//!
//! Invariant: what it reports was measured at the phones, or read from the kernel; nothing is the server's own word.
mod bare;
mod calls;
mod drive;
mod ear;
mod phone;
mod plan;
mod report;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

pub use report::{LoadReport, Percentiles};

/// What the phones play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Callers who stay and hear prompts or music, and speak.
    Callers,
    /// Callers and agents who talk.
    Bridges,
    /// Callers, agents and merchants in conferences.
    Conferences,
    /// New calls at a rate: each hears a second of a prompt, then hangs up.
    Calls,
}

impl Scenario {
    /// From its name on the command line.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "callers" => Self::Callers,
            "bridges" => Self::Bridges,
            "conferences" => Self::Conferences,
            "calls" => Self::Calls,
            _ => return None,
        })
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Callers => "callers",
            Self::Bridges => "bridges",
            Self::Conferences => "conferences",
            Self::Calls => "calls",
        }
    }
}

/// What is asked of the tool.
#[derive(Clone, Debug)]
pub struct LoadSettings {
    /// Where the hotline is.
    pub server: SocketAddrV4,
    /// The address of the phones.
    pub at: Ipv4Addr,
    /// The SIP port of the phones: that of the trunk for conferences; 0: any.
    pub port: u16,
    /// What is played.
    pub scenario: Scenario,
    /// The number that callers dial.
    pub number: String,
    /// Calls at once; for [`Scenario::Calls`] the calls in all.
    pub size: usize,
    /// New calls each second.
    pub rate: f64,
    /// How long everything stands and is measured.
    pub hold: Duration,
    /// Agents' names and passwords: as many as calls.
    pub agents: Vec<(String, String)>,
    /// What an agent dials to sign in.
    pub sign_in: String,
    /// What an agent presses to call the merchant.
    pub invite_keys: String,
    /// What he presses to join all three.
    pub join_keys: String,
    /// The server's process, for its CPU time and memory.
    pub pid: Option<u32>,
    /// The first and last RTP port of the server, whose drops are counted.
    pub server_ports: (u16, u16),
    /// The first so many calls say a burst each second, by which the way from mouth to ear is timed.
    pub timed: usize,
    /// The seed of tags and numbers.
    pub seed: u64,
}

/// Why the load could not be played.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A socket failed.
    #[error("the phones' sockets: {0}")]
    Socket(#[from] io::Error),
    /// A measure could not be made.
    #[error("a histogram: {0}")]
    Measure(#[from] hdrhistogram::CreationError),
    /// There are fewer agents than calls.
    #[error("{calls} calls need as many agents, and there are {agents}")]
    Agents {
        /// Calls wanted.
        calls: usize,
        /// Agents there.
        agents: usize,
    },
}

/// How far the load is, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What happens now.
    pub what: &'static str,
    /// So many are done.
    pub done: usize,
    /// Of so many.
    pub of: usize,
}

/// Plays the load from its first call to its last, and reports.
///
/// # Errors
/// When a socket fails or there are too few agents. Calls that fail are in the report.
pub fn play(settings: LoadSettings, watch: impl FnMut(Progress)) -> Result<LoadReport, LoadError> {
    let wanted = match settings.scenario {
        Scenario::Callers | Scenario::Calls => 0,
        Scenario::Bridges | Scenario::Conferences => settings.size,
    };
    if settings.agents.len() < wanted {
        return Err(LoadError::Agents { calls: wanted, agents: settings.agents.len() });
    }
    drive::Drive::open(settings)?.run(watch)
}
