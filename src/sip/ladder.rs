//! Draws any sequence of SIP messages as a ladder: participants are columns, time runs down, each message is an arrow
//! with its method or status, its `CSeq` and whether it carries SDP. For `hotline ladder`, tests and bug reports.
//!
//! ```text
//!              alice                      hotline
//!      0.000     │────── INVITE 1 (SDP) ─────▶│
//!      0.010     │◀──── 100 Trying INVITE 1 ──│
//! ```
//!
//! Invariant: every message gives one line; a message that cannot be read gives one with `?`.
use std::net::SocketAddr;

use super::event::Trace;
use super::name::HeaderName;
use crate::base::Instant;

/// Width of the column of times.
const TIMES: usize = 12;
/// Shaft on each side of a label, at least.
const SHAFT: usize = 4;

#[derive(Clone, Debug)]
struct Rung {
    at: Instant,
    from: usize,
    to: usize,
    label: String,
    lost: bool,
}

/// A ladder in the making.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    participants: Vec<String>,
    rungs: Vec<Rung>,
}

impl Ladder {
    /// With these columns from left to right; others are added as they appear.
    pub fn new(participants: &[&str]) -> Self {
        Self { participants: participants.iter().map(|p| (*p).to_owned()).collect(), rungs: Vec::new() }
    }

    /// Of what one user agent sent and received; `us` names its column, `name` those of its peers.
    pub fn of_traces(us: &str, traces: &[Trace], name: impl Fn(SocketAddr) -> String) -> Self {
        let mut ladder = Self::default();
        for trace in traces {
            let peer = name(trace.peer);
            let (from, to) = if trace.sent { (us, peer.as_str()) } else { (peer.as_str(), us) };
            ladder.message(trace.at, from, to, &trace.bytes);
        }
        ladder
    }

    /// Adds a message.
    pub fn message(&mut self, at: Instant, from: &str, to: &str, bytes: &[u8]) {
        let (from, to) = (self.column(from), self.column(to));
        self.rungs.push(Rung { at, from, to, label: label(bytes), lost: false });
    }

    /// Adds a message that never arrives: its arrow ends in a cross.
    pub fn lost(&mut self, at: Instant, from: &str, to: &str, bytes: &[u8]) {
        self.message(at, from, to, bytes);
        if let Some(rung) = self.rungs.last_mut() {
            rung.lost = true;
        }
    }

    fn column(&mut self, name: &str) -> usize {
        self.participants.iter().position(|p| p == name).unwrap_or_else(|| {
            self.participants.push(name.to_owned());
            self.participants.len() - 1
        })
    }

    /// The drawing; times are seconds since the first message.
    pub fn draw(&self) -> String {
        let longest = self.rungs.iter().map(|r| width(&r.label)).max().unwrap_or(0);
        let names = self.participants.iter().map(|p| width(p)).max().unwrap_or(0);
        let gap = (longest + 2 * SHAFT).max(names + 2);
        let begin = self.rungs.first().map_or(Instant::ZERO, |r| r.at);
        let mut out = self.head(gap);
        for rung in &self.rungs {
            let ms = rung.at.since(begin).as_millis();
            let time = format!("{:>6}.{:03}  ", ms / 1_000, ms % 1_000);
            out.push_str(&time);
            out.push_str(&rung.draw(self.participants.len(), gap));
            out.push('\n');
        }
        out
    }

    /// Names, centred over their columns.
    fn head(&self, gap: usize) -> String {
        let mut line = String::new();
        for (i, name) in self.participants.iter().enumerate() {
            let at = (TIMES + i * (gap + 1)).saturating_sub(width(name) / 2);
            line.push_str(&" ".repeat(at.saturating_sub(width(&line))));
            line.push_str(name);
        }
        line.push('\n');
        line
    }
}

impl Rung {
    fn draw(&self, columns: usize, gap: usize) -> String {
        let (left, right) = (self.from.min(self.to), self.from.max(self.to));
        let mut line = String::from("│");
        let mut column = 0;
        while column + 1 < columns {
            if column == left && right > left {
                let inside = (right - left) * (gap + 1) - 1;
                line.push_str(&self.arrow(inside));
                column = right;
            } else {
                line.push_str(&" ".repeat(gap));
                column += 1;
            }
            line.push('│');
        }
        if left == right {
            line.push_str(" ↺ ");
            line.push_str(&self.label);
        }
        line
    }

    fn arrow(&self, inside: usize) -> String {
        let room = inside.saturating_sub(width(&self.label) + 3);
        let (before, after) = ("─".repeat(room / 2), "─".repeat(room - room / 2));
        match (self.from < self.to, self.lost) {
            (true, false) => format!("{before} {} {after}▶", self.label),
            (true, true) => format!("{before} {} {after}✗", self.label),
            (false, false) => format!("◀{before} {} {after}", self.label),
            (false, true) => format!("✗{before} {} {after}", self.label),
        }
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Method or status, `CSeq`, SDP.
fn label(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or("").split(' ');
    let (mut cseq, mut sdp) = ("", false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let name = HeaderName::lookup(name.trim().as_bytes());
        if name == HeaderName::CSeq {
            cseq = value.trim();
        } else if name == HeaderName::ContentType {
            sdp = value.trim().to_ascii_lowercase().starts_with("application/sdp");
        }
    }
    let (number, method) = cseq.split_once(' ').unwrap_or(("", ""));
    let what = match (first.next(), first.next()) {
        (Some("SIP/2.0"), Some(status)) => {
            let reason = first.collect::<Vec<_>>().join(" ");
            format!("{status} {reason} {method} {number}")
        }
        (Some(method), Some(_)) => format!("{method} {number}"),
        _ => "?".to_owned(),
    };
    let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
    if sdp && !body.is_empty() { format!("{what} (SDP)") } else { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_parties_a_loss_and_garbage_are_drawn() {
        let mut ladder = Ladder::new(&["alice", "hotline"]);
        let at = Instant::from_millis;
        let invite = b"INVITE sip:1 SIP/2.0\r\nCSeq: 1 INVITE\r\nc: application/sdp\r\n\r\nv=0\r\n";
        ladder.message(at(1_000), "alice", "hotline", invite);
        ladder.lost(at(1_005), "hotline", "alice", b"SIP/2.0 180 Ringing\r\nCSeq: 1 INVITE\r\n\r\n");
        ladder.message(at(1_010), "hotline", "bob", b"BYE sip:b SIP/2.0\r\nCSeq: 7 BYE\r\n\r\n");
        ladder.message(at(13_500), "bob", "alice", b"\x00\xff");
        insta::assert_snapshot!(ladder.draw(), @r"
              alice                       hotline                        bob
         0.000  │───── INVITE 1 (SDP) ──────▶│                            │
         0.005  │✗── 180 Ringing INVITE 1 ───│                            │
         0.010  │                            │────────── BYE 7 ──────────▶│
        12.500  │◀────────────────────────── ? ───────────────────────────│
        ");
    }
}
