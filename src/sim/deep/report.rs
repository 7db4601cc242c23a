//! What a deep run was like, for people and for programs.
use std::fmt;

use serde::Serialize;

use crate::sim::NetworkFigures;

/// What a deep run was like.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DeepReport {
    /// Calls made.
    pub calls: u64,
    /// Of those: talked to an agent.
    pub talks: u64,
    /// Of the talks: both sides heard each other.
    pub two_way: u64,
    /// Keys pressed by RFC 4733.
    pub keys_pressed: u64,
    /// Of those that were no secret digits: noted once each.
    pub keys_noted: u64,
    /// What the network did to callers' datagrams.
    pub network: NetworkFigures,
    /// SIP messages, both ways.
    pub sip: u64,
    /// RTP and RTCP packets, both ways.
    pub rtp: u64,
    /// Sound received by us, over all legs.
    pub received: u64,
    /// Sound that never came.
    pub lost: u64,
    /// Sound made up in its place, in milliseconds.
    pub concealed_ms: u64,
    /// Datagrams to nobody.
    pub astray: u64,
    /// Broken invariants: must be 0.
    pub broken: u64,
    /// Legs, calls or ports that were left at the end: must be 0.
    pub left: u64,
    /// The hash over all facts.
    pub hash: String,
}

impl fmt::Display for DeepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, talks, two_way, network, .. } = self;
        writeln!(f, "{calls} calls, {talks} talks, {two_way} of them with sound both ways")?;
        writeln!(
            f,
            "network: {} datagrams, {} lost, {} doubled, {} overtaken",
            network.sent, network.lost, network.doubled, network.overtaken
        )?;
        writeln!(f, "at the hotline: {} SIP messages, {} packets of sound", self.sip, self.rtp)?;
        writeln!(
            f,
            "sound received: {} packets, {} lost on the way, {} ms made up",
            self.received, self.lost, self.concealed_ms
        )?;
        writeln!(f, "keys: {} pressed, {} noted", self.keys_pressed, self.keys_noted)?;
        write!(f, "left at the end: {}; broken invariants: {}; hash {}", self.left, self.broken, self.hash)
    }
}
