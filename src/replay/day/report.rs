//! What a day of calls came to: for programs as JSON, for people as text.
use std::fmt;

use serde::Serialize;

use super::faults::FaultPlayed;
use super::gauges::{Counts, Second};
use crate::replay::measure::{Punctuality, Quantiles, Rfc6076, Sound};

/// What became of callers' calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outcomes {
    /// Callers who came.
    pub callers: u64,
    /// Calls they made, redials too.
    pub calls: u64,
    /// Of these, redials.
    pub redials: u64,
    /// Answered by the server.
    pub answered: u64,
    /// Refused by it, or not answered at all.
    pub refused: u64,
    /// Taken back by the caller before the answer.
    pub given_up: u64,
    /// Talked to an agent to the end.
    pub served: u64,
    /// Hung up by the caller, who had waited long enough.
    pub abandoned: u64,
    /// Ended by the server without an agent: an announcement, a menu's end.
    pub ended_by_server: u64,
    /// Ended by a fault: no ACK, no answer to a request, an unusable answer.
    pub broken: u64,
    /// Answered, and not a packet was heard.
    pub silent: u64,
    /// Still stood when the day's bound was reached.
    pub cut_short: u64,
    /// Keys pressed.
    pub keys: u64,
    /// Of these, by INFO, for the server takes no telephone-events.
    pub keys_by_info: u64,
    /// Of these, followed by another key or by nothing within five seconds: digits, and prompts nobody could tell apart.
    pub keys_without_prompt: u64,
    /// Agents of the scenario who worked.
    pub agents: u64,
    /// Those who did not, for nobody told their passwords.
    pub agents_without_password: u64,
    /// Those who worked under the name of an agent whom the server knows, for it does not know theirs.
    pub stand_ins: u64,
    /// Those whom the registrar took.
    pub agents_registered: u64,
    /// Callers offered to agents.
    pub offers: u64,
    /// Of these, not picked up.
    pub offers_missed: u64,
    /// Conversations of a caller with an agent.
    pub conversations: u64,
    /// Third parties for whom agents pressed.
    pub parties_asked: u64,
    /// Third parties that agents would have asked, and nobody told how the server is told.
    pub parties_without_code: u64,
    /// Calls of the server to third parties.
    pub party_calls: u64,
    /// Of these, answered.
    pub party_talks: u64,
    /// Of these, in which all three talked.
    pub three_ways: u64,
    /// How often a third party put the others on hold.
    pub holds: u64,
    /// Third parties whose phone asked that another one take its place.
    pub party_transfers: u64,
    /// Of these, followed by it.
    pub successions: u64,
    /// Callers whom an agent's phone passed on by itself.
    pub transfers: u64,
    /// Callers whose agent was gone before the end of the talk, and who waited again.
    pub left_alone: u64,
    /// Packets of callers' sound that the scenario lost on their way to the server.
    pub lost_out: u64,
    /// And on their way back.
    pub lost_in: u64,
    /// Packets that came to a phone without a call.
    pub strays: u64,
    /// Calls that could not be made, for this machine had no socket for them.
    pub without_socket: u64,
}

impl Outcomes {
    pub(super) fn of(c: &Counts) -> Self {
        Self {
            callers: c.callers,
            calls: c.begun,
            redials: c.redials,
            answered: c.answered,
            refused: c.refused,
            given_up: c.given_up,
            served: c.served,
            abandoned: c.abandoned,
            ended_by_server: c.ended_by_server,
            broken: c.broken,
            silent: c.silent,
            cut_short: c.cut_short,
            keys: c.keys,
            keys_by_info: c.keys_by_info,
            keys_without_prompt: c.keys_without_prompt,
            agents: c.agents,
            agents_without_password: c.agents_without_password,
            stand_ins: c.stand_ins,
            agents_registered: c.agents_registered,
            offers: c.offers,
            offers_missed: c.offers_missed,
            conversations: c.conversations,
            parties_asked: c.parties_asked,
            parties_without_code: c.parties_without_code,
            party_calls: c.party_calls,
            party_talks: c.party_talks,
            three_ways: c.three_ways,
            holds: c.holds,
            party_transfers: c.party_transfers,
            successions: c.successions,
            transfers: c.transfers,
            left_alone: c.left_alone,
            lost_out: c.lost_out,
            lost_in: c.lost_in,
            strays: c.strays,
            without_socket: c.without_socket,
        }
    }
}

/// What a day of calls came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DayReport {
    /// The scenario's name and title.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Whom it was played against.
    pub target: String,
    /// Under which draws.
    pub seed: u64,
    /// How long it took, in seconds, from the first call wanted to the last one over.
    pub seconds: f64,
    /// New calls each second that were asked for; 0: the scenario's arrivals.
    pub rate: f64,
    /// The bound that ended it before the scenario did, if one did.
    pub bounded_by: Option<String>,
    /// Most calls of callers at once.
    pub standing_max: u64,
    /// What became of the calls.
    pub outcomes: Outcomes,
    /// From the wish to call to the first response but 100.
    pub post_dial: Quantiles,
    /// From the wish to call to the answer.
    pub answer: Quantiles,
    /// From the answer to the first sound at the caller, while he speaks.
    pub answer_to_sound: Quantiles,
    /// From the first packet of a key to the first frame of the prompt that follows.
    pub key_to_prompt: Quantiles,
    /// From the moment at which an agent was free to the ringing of his phone, with callers waiting.
    pub free_to_ringing: Quantiles,
    /// From an agent's answer to both hearing each other.
    pub answer_to_two_way: Quantiles,
    /// From a third party's answer to it and the agent hearing each other.
    pub third_party_private: Quantiles,
    /// From the last key by which an agent joins all three to caller and third party hearing each other.
    pub join_to_three_way: Quantiles,
    /// From the answer of one who takes a third party's place to caller and agent hearing it, and it the caller: each ear.
    pub successor_heard: Quantiles,
    /// What of the scenario went wrong, and what could not be played.
    pub faults: Vec<FaultPlayed>,
    /// Datagrams of SIP that the scenario lost.
    pub sip_lost_on_purpose: u64,
    /// Datagrams of SIP of phones that were gone, or for them.
    pub sip_of_the_vanished: u64,
    /// From REGISTER to the registrar's word.
    pub registration: Quantiles,
    /// The measures of RFC 6076.
    pub rfc6076: Rfc6076,
    /// What the ears received.
    pub sound: Sound,
    /// Requests said again, for nobody answered.
    pub sip_repeated: u64,
    /// BYEs of ours that nobody answered.
    pub byes_unanswered: u64,
    /// Packets of ours that the kernel did not take.
    pub unsent: u64,
    /// Datagrams the kernel dropped before the phones read them.
    pub dropped_here: u64,
    /// How well the phones kept their own time.
    pub punctuality: Punctuality,
    /// The phones' own CPU time as a share of one core.
    pub tool_cpu: f64,
    /// The server's, if its process was named.
    pub server_cpu: Option<f64>,
    /// Second by second.
    pub timeline: Vec<Second>,
}

impl DayReport {
    /// What failed, for people; empty when nothing did.
    pub fn failures(&self) -> Vec<String> {
        let o = &self.outcomes;
        let of = [
            (o.refused, "calls refused or not answered"),
            (o.broken, "calls broken"),
            (o.silent, "calls answered and silent"),
            (o.without_socket, "calls without a socket here"),
            (self.byes_unanswered, "BYEs without an answer"),
        ];
        let mut said: Vec<String> =
            of.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let statuses = self.rfc6076.statuses.iter().filter(|(status, _)| !matches!(status, 200 | 487));
        said.extend(statuses.map(|(status, n)| format!("{n} x {status}")));
        said
    }
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2} %"))
}

fn score(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"))
}

impl fmt::Display for DayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let o = &self.outcomes;
        writeln!(f, "{} against {}, seed {}: {:.1} s", self.title, self.target, self.seed, self.seconds)?;
        if let Some(bound) = &self.bounded_by {
            writeln!(f, "  ended early      {bound}")?;
        }
        writeln!(
            f,
            "  calls            {} ({} callers, {} redials), {} answered, {} refused, {} given up, {} broken; most at once {}",
            o.calls, o.callers, o.redials, o.answered, o.refused, o.given_up, o.broken, self.standing_max
        )?;
        writeln!(
            f,
            "  callers          {} served, {} hung up waiting, {} ended by the server, {} heard nothing, {} cut short",
            o.served, o.abandoned, o.ended_by_server, o.silent, o.cut_short
        )?;
        writeln!(
            f,
            "  agents           {} ({} registered, {} played by the server's own), {} without password, {} offers, {} missed, {} conversations",
            o.agents,
            o.agents_registered,
            o.stand_ins,
            o.agents_without_password,
            o.offers,
            o.offers_missed,
            o.conversations
        )?;
        self.say_others(f)?;
        writeln!(f, "  post-dial delay  {}", self.post_dial)?;
        writeln!(f, "  answer           {}", self.answer)?;
        writeln!(f, "  answer to sound  {}", self.answer_to_sound)?;
        writeln!(f, "  key to prompt    {}", self.key_to_prompt)?;
        writeln!(f, "  free to ringing  {}", self.free_to_ringing)?;
        writeln!(f, "  both hear        {}", self.answer_to_two_way)?;
        if o.party_calls > 0 {
            writeln!(f, "  in private       {}", self.third_party_private)?;
            writeln!(f, "  all three        {}", self.join_to_three_way)?;
        }
        if o.successions > 0 {
            writeln!(f, "  successor heard  {}", self.successor_heard)?;
        }
        let r = &self.rfc6076;
        writeln!(
            f,
            "  RFC 6076         SER {}, SEER {}, ISA {}, SCR {}",
            percent(r.ser_percent),
            percent(r.seer_percent),
            percent(r.isa_percent),
            percent(r.scr_percent)
        )?;
        writeln!(f, "    SRD            {}", r.srd)?;
        writeln!(f, "    SDD            {}", r.sdd)?;
        writeln!(f, "    SDT            {}", r.sdt)?;
        for (status, count) in &r.statuses {
            writeln!(f, "    status {status}     {count}")?;
        }
        self.say_sound(f)
    }
}

impl DayReport {
    /// Third parties, transfers and what went wrong, where there was any of it.
    fn say_others(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let o = &self.outcomes;
        if o.parties_asked + o.party_calls + o.parties_without_code > 0 {
            writeln!(
                f,
                "  third parties    {} asked for, {} not (no keys told), {} rung, {} answered, {} times all three talked, {} times on hold",
                o.parties_asked, o.parties_without_code, o.party_calls, o.party_talks, o.three_ways, o.holds
            )?;
        }
        if o.party_transfers > 0 {
            writeln!(
                f,
                "  successors       {} third parties had another one take their place, {} were followed",
                o.party_transfers, o.successions
            )?;
        }
        if o.transfers + o.left_alone > 0 {
            writeln!(
                f,
                "  turns            {} passed on by a phone, {} left alone",
                o.transfers, o.left_alone
            )?;
        }
        for fault in &self.faults {
            writeln!(
                f,
                "  fault            {} from {} to {} s: {}",
                fault.kind, fault.from_s, fault.to_s, fault.what
            )?;
        }
        if o.lost_out + o.lost_in + self.sip_lost_on_purpose + self.sip_of_the_vanished > 0 {
            writeln!(
                f,
                "  lost on purpose  {} packets of sound there, {} back, {} of SIP; {} of SIP unheard",
                o.lost_out, o.lost_in, self.sip_lost_on_purpose, self.sip_of_the_vanished
            )?;
        }
        Ok(())
    }

    /// The second half: what was heard, and what the phones say of themselves.
    fn say_sound(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.sound;
        writeln!(
            f,
            "  sound            {} packets in {} ears, {} lost ({}), {} too late ({}), {} gaps (longest {:.0} ms), {} doubled",
            s.packets,
            s.streams,
            s.lost,
            percent(s.lost_percent),
            s.late,
            percent(s.late_percent),
            s.gaps,
            s.longest_gap_ms,
            s.doubled
        )?;
        writeln!(f, "    jitter         {}", s.jitter)?;
        writeln!(
            f,
            "    MOS            median {}, 1 of 100 below {}, worst {}",
            score(s.mos_median),
            score(s.mos_p1),
            score(s.mos_worst)
        )?;
        writeln!(
            f,
            "  these phones     {:.0} % of a core; late {}",
            100.0 * self.tool_cpu,
            self.punctuality.actions
        )?;
        if let Some(cpu) = self.server_cpu {
            writeln!(f, "  the server       {:.0} % of a core", 100.0 * cpu)?;
        }
        if self.punctuality.late {
            writeln!(f, "  THE PHONES THEMSELVES WERE LATE; do not blame the server for what is above:")?;
            for why in &self.punctuality.why {
                writeln!(f, "    {why}")?;
            }
        }
        Ok(())
    }
}
