//! A scenario's people over real SIP and RTP: the same callers that `hotline simulate` meets, dialling, pressing, waiting
//! and hanging up by the same draws, and its agents, who register, answer and talk. Whoever speaks plain SIP (RFC 3261)
//! over UDP can be called.
//!
//! The loop is open: a caller comes when the scenario says, whether or not the server has answered those before. Every
//! time is counted from the moment that the scenario wanted, and where the phones themselves are late, the report says it.
//!
//! Invariant: what a person does hangs on his draws and on what he hears, never on how fast anybody else was served.
mod agents;
mod callers;
mod capacity;
mod chart;
mod ear;
mod faults;
mod gauges;
mod leg;
mod page;
mod places;
mod report;
mod sip;
mod sound;
mod talks;
mod town;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use crate::base::PartyId;
use crate::media::FRAME_SAMPLES;
use crate::replay::measure::LATE;
use crate::sim::Scenario;

pub use capacity::{TrialSettings, find_capacity};
pub use faults::FaultPlayed;
pub use gauges::{Progress, Second};
pub use page::page;
pub use report::{DayReport, Outcomes};

/// What an agent dials, or presses in a talk, so that the server knows whether he works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskCodes {
    /// Signs him in.
    pub sign_in: String,
    /// Signs him out.
    pub sign_out: String,
    /// Ready again, after a pause or after a call.
    pub ready: String,
    /// A pause, by its reason in the scenario.
    pub pauses: BTreeMap<String, String>,
    /// In a talk: all three talk, once the third party has answered in private.
    pub join: String,
    /// In a talk: the third party is let go.
    pub drop: String,
}

/// How a third party of the scenario is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyLine {
    /// What an agent presses in a talk so that the server rings it.
    pub invite: String,
    /// The number under which the server rings it, at the phones' address.
    pub number: String,
}

impl Default for DeskCodes {
    fn default() -> Self {
        let pauses = [("lunch", "*841"), ("break", "*842"), ("training", "*843")];
        Self {
            sign_in: "*81".to_owned(),
            sign_out: "*82".to_owned(),
            ready: "*83".to_owned(),
            pauses: pauses.map(|(reason, code)| (reason.to_owned(), code.to_owned())).into(),
            join: "*3".to_owned(),
            drop: "*4".to_owned(),
        }
    }
}

/// What people's voices are.
#[derive(Clone, Debug, Default)]
pub enum Say {
    /// A tone each, of callers and of agents: who hears whom can be told.
    #[default]
    Tones,
    /// Silence, sent.
    Silence,
    /// A recording at 8 kHz, each from another place of it.
    Speech(Arc<[i16]>),
}

/// What is played against whom, and how far.
#[derive(Clone, Debug)]
pub struct DaySettings {
    /// Where the server is.
    pub target: SocketAddrV4,
    /// What it is called in URIs.
    pub host: String,
    /// Whom to call there; `None`: the numbers of the scenario.
    pub user: Option<String>,
    /// The phones' address.
    pub at: Ipv4Addr,
    /// The phones' SIP port; 0: any.
    pub port: u16,
    /// Who lives there.
    pub scenario: Arc<Scenario>,
    /// Under which draws.
    pub seed: u64,
    /// The moment of the scenario at which it begins.
    pub from: Duration,
    /// So many callers each second, evenly, in place of the scenario's arrivals.
    pub rate: Option<f64>,
    /// A caller hangs up so long after his last key, in place of his patience.
    pub hold: Option<Duration>,
    /// Calls at most.
    pub max_calls: usize,
    /// Nobody calls later than this after the beginning, and then everybody hangs up.
    pub max_time: Duration,
    /// The first call that is refused or breaks ends it, as RFC 7502 ends a trial.
    pub until_failure: bool,
    /// Passwords of agents. Those whose password is not here do not work.
    pub passwords: BTreeMap<String, String>,
    /// What agents dial.
    pub codes: DeskCodes,
    /// Third parties that agents bring in. One that is not here is not rung.
    pub parties: BTreeMap<PartyId, PartyLine>,
    /// What is said.
    pub say: Say,
    /// Phones share sockets: cheaper, and right only for a server that sends each call from a port of its own.
    pub shared_sockets: bool,
    /// Calls, keys and hang-ups that come later than this after their time are late.
    pub late_after: Duration,
    /// The server's process, for its CPU time.
    pub pid: Option<u32>,
}

impl DaySettings {
    /// The scenario as it is, against a server, with bounds: ten minutes, 10,000 calls.
    pub fn new(target: SocketAddrV4, scenario: Arc<Scenario>) -> Self {
        Self {
            target,
            host: target.to_string(),
            user: None,
            at: Ipv4Addr::new(127, 0, 0, 2),
            port: 0,
            scenario,
            seed: 1,
            from: Duration::ZERO,
            rate: None,
            hold: None,
            max_calls: 10_000,
            max_time: Duration::from_mins(10),
            until_failure: false,
            passwords: BTreeMap::new(),
            codes: DeskCodes::default(),
            parties: BTreeMap::new(),
            say: Say::Tones,
            shared_sockets: false,
            late_after: LATE,
            pid: None,
        }
    }
}

/// Why a day could not be played.
#[derive(Debug, thiserror::Error)]
pub enum DayError {
    /// A socket failed.
    #[error("the phones' sockets: {0}")]
    Socket(#[from] io::Error),
    /// A measure could not be made.
    #[error("a histogram: {0}")]
    Measure(#[from] hdrhistogram::CreationError),
}

/// Plays the scenario to its end or its bounds, and reports. `watch` is told twice a second; time it takes is time the
/// phones do not have.
///
/// # Errors
/// When a socket fails. Calls that fail are in the report.
pub fn play(settings: DaySettings, watch: impl FnMut(&Progress)) -> Result<DayReport, DayError> {
    town::Town::open(settings)?.run(watch)
}

/// One frame of G.711.
type Payload = [u8; FRAME_SAMPLES];
