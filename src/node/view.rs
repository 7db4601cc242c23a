//! Everything at one moment, for the status page, the API, metrics and commands.
use std::collections::BTreeMap;

use serde::Serialize;

use super::guard::Ban;
use super::machine::Node;
use super::trunks::TrunkView;
use crate::exchange::View;
use crate::sip::UserAgentCounts;

/// The whole node at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct NodeView {
    /// When the server started, microseconds of civil time.
    pub started_us: i64,
    /// This moment, microseconds of civil time.
    pub now_us: i64,
    /// The revision of the menus that new callers get.
    pub menus: String,
    /// The time zone of their hours, by its IANA name.
    pub zone: String,
    /// Legs that SIP knows.
    pub legs: usize,
    /// RTP ports ready for new legs.
    pub ports_ready: usize,
    /// Ways to the outside.
    pub trunks: Vec<TrunkView>,
    /// What was counted of names: questions asked, failed, look-ups that found nothing, refused for want of room.
    pub names: [u64; 4],
    /// Agents' phones that answer when they are asked whether they are there.
    pub phones_answering: usize,
    /// Agents' phones that do not any more.
    pub phones_silent: usize,
    /// Calls, queues, agents.
    pub board: View,
    /// Addresses that are shut out.
    pub shut_out: Vec<Ban>,
    /// How many things of each kind are in memory: what grows without calls is a leak.
    pub held: BTreeMap<&'static str, usize>,
    /// What was counted.
    pub figures: NodeFigures,
    /// What SIP counted.
    pub sip: UserAgentCounts,
}

impl Node {
    /// How many things of each kind are held. Once all calls are over and their transactions had their time, only what
    /// phones and trunks need is left.
    pub fn held(&self) -> BTreeMap<&'static str, usize> {
        let sip = self.sip.held();
        let own = [
            ("legs", self.legs.len()),
            ("leg_timers", self.legs.timers()),
            ("legs_closing", self.ended_calls.len()),
            ("inputs_later", self.later.len()),
            ("transfers", self.transfers.open.len()),
            ("half_open", self.guard.half_open()),
            ("phone_questions", self.phones.questions()),
            ("invites", sip.invites),
            ("transactions", sip.transactions),
            ("transaction_owners", sip.owners),
            ("sip_timers", sip.timers),
            ("connections", sip.connections),
        ];
        let board = self.board.exchange().held().into_iter().chain(self.board.acd().held());
        own.into_iter().chain(board).collect()
    }
}

/// What the node counted since the start.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct NodeFigures {
    /// INVITEs that arrived, challenges' retries counted once.
    pub arrived: u64,
    /// INVITEs refused because no port was ready.
    pub no_port: u64,
    /// INVITEs refused because the machine was behind.
    pub too_busy: u64,
    /// INVITEs refused because their address left too many calls unacknowledged.
    pub half_open: u64,
    /// Addresses shut out for guessing passwords.
    pub shut_out: u64,
    /// Datagrams and connections of addresses that are shut out: not looked at.
    pub barred: u64,
    /// So many calls may be inside now; `None`, but under overload: as many as come.
    pub calls_let_in: Option<u32>,
    /// Offers and answers without a codec in common, or with an address we do not send to.
    pub sdp_refused: u64,
    /// Keys that came as tones in the sound.
    pub keys_inband: u64,
    /// Keys that came twice, by RFC 4733, by INFO or in the sound, and were counted once.
    pub keys_twice: u64,
    /// Keys beyond what fingers can press in a second.
    pub keys_flooded: u64,
    /// Events about legs that were gone already.
    pub stray_events: u64,
    /// Re-INVITEs of ours that were refused.
    pub reoffers_refused: u64,
    /// REFERs taken.
    pub referrals_taken: u64,
    /// REFERs refused: to somebody whom nobody wrote down, or when it could not be.
    pub referrals_refused: u64,
    /// Transfers to numbers outside refused because the hour's number of them was used up.
    pub permits_used_up: u64,
    /// INVITEs with Replaces refused: from strangers, or naming no dialog of ours.
    pub replaces_refused: u64,
    /// Targets of 3xx responses that were rung.
    pub redirects_followed: u64,
    /// Targets of 3xx responses that were not: elsewhere, twice, or too many.
    pub redirects_refused: u64,
    /// Agents' phones that fell silent.
    pub phones_silent: u64,
    /// Those that were heard again.
    pub phones_back: u64,
    /// Legs without sound whose far end was asked.
    pub legs_asked: u64,
    /// Legs ended because their far end gave neither sound nor an answer.
    pub legs_vanished: u64,
    /// Calls over trunks that were tried another way.
    pub failed_over: u64,
}
