//! The RTCP half of a session: what is reported, when, and what the party reports, RFC 3550 section 6.
//!
//! Invariant: reports go to the address signalled for them until one of the party's own comes from elsewhere at the
//! same host (symmetric, RFC 4961).
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Instant, Now, Rng};
use crate::rtp::inbound::Inbound;
use crate::rtp::out_stream::OutStream;
use crate::rtp::packet::Malformed;
use crate::rtp::rtcp::{Heard, NtpClock, Report, ReportBlock, ReportTimer, SenderFigures, echo_of};
use crate::rtp::session::Outgoing;

/// The party's last sender report: its time to echo, and when it came.
#[derive(Clone, Copy, Debug)]
struct PeerReport {
    echo: u32,
    at: Instant,
}

/// The state of reporting.
#[derive(Debug)]
pub(crate) struct Reporting {
    ntp: NtpClock,
    rng: Rng,
    cname: String,
    signalled: Option<SocketAddr>,
    learned: Option<SocketAddr>,
    timer: Option<ReportTimer>,
    peer_report: Option<PeerReport>,
    peer_left: bool,
    peer_lost: u64,
    round_trip: Option<Duration>,
    sent_before: u64,
}

impl Reporting {
    pub(crate) fn new(now: Now, mut rng: Rng) -> Self {
        let cname = rng.token(16);
        Self {
            ntp: NtpClock::new(now),
            rng,
            cname,
            signalled: None,
            learned: None,
            timer: None,
            peer_report: None,
            peer_left: false,
            peer_lost: 0,
            round_trip: None,
            sent_before: 0,
        }
    }

    pub(crate) fn signal(&mut self, now: Instant, to: SocketAddr) {
        if self.signalled.replace(to) != Some(to) {
            self.learned = None;
        }
        if self.timer.is_none() {
            self.timer = Some(ReportTimer::start(now, &mut self.rng));
        }
    }

    pub(crate) fn handle(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        ours: u32,
    ) -> Result<(), Malformed> {
        let heard = Heard::read(datagram, ours)?;
        self.learned = Some(from);
        self.peer_left |= heard.bye;
        if let Some(timer) = &mut self.timer {
            timer.note_octets(datagram.len());
        }
        if let Some(sender) = heard.sender {
            self.peer_report = Some(PeerReport { echo: echo_of(sender), at: now });
        }
        if let Some(block) = heard.block {
            self.peer_lost = u64::try_from(block.lost).unwrap_or(0);
            self.round_trip = block.round_trip(self.ntp.middle(now)).or(self.round_trip);
        }
        Ok(())
    }

    pub(crate) fn poll(
        &mut self,
        now: Instant,
        inbound: &mut Inbound,
        out: &OutStream,
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        let members = if inbound.ssrc().is_some() { 2 } else { 1 };
        if !self.timer.as_mut()?.fires(now, members, &mut self.rng) {
            return None;
        }
        let sent = self.write(now, inbound, out, (false, buffer))?;
        self.timer.as_mut()?.note_octets(sent.length);
        Some(sent)
    }

    pub(crate) fn close(
        &mut self,
        now: Instant,
        inbound: &mut Inbound,
        out: &OutStream,
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        self.timer.take()?;
        self.write(now, inbound, out, (true, buffer))
    }

    fn write(
        &mut self,
        now: Instant,
        inbound: &mut Inbound,
        out: &OutStream,
        (bye, buffer): (bool, &mut [u8]),
    ) -> Option<Outgoing> {
        let to = self.learned.or(self.signalled)?;
        if to.ip().is_unspecified() || to.port() == 0 {
            return None;
        }
        let sender = self.sender_info(now, out);
        let block = inbound.report().map(|block| self.with_echo(now, block));
        let report = Report { ssrc: out.ssrc(), cname: &self.cname, sender, block, bye };
        Some(Outgoing { to, length: report.write(buffer)? })
    }

    fn sender_info(&mut self, now: Instant, out: &OutStream) -> Option<SenderFigures> {
        let (packets, octets) = out.sent();
        let sent_since = std::mem::replace(&mut self.sent_before, packets) != packets;
        sent_since.then(|| SenderFigures {
            ntp: self.ntp.ntp(now),
            timestamp: out.timestamp_at(now),
            packets: (packets & u64::from(u32::MAX)) as u32,
            octets: (octets & u64::from(u32::MAX)) as u32,
        })
    }

    fn with_echo(&self, now: Instant, block: ReportBlock) -> ReportBlock {
        let Some(peer) = self.peer_report else { return block };
        let delay = now.since(peer.at).as_micros().saturating_mul(65_536) / 1_000_000;
        let delay = u32::try_from(delay).unwrap_or(u32::MAX);
        ReportBlock { last_sender_report: peer.echo, delay, ..block }
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.timer.as_ref().map(ReportTimer::due)
    }

    pub(crate) fn peer_left(&self) -> bool {
        self.peer_left
    }

    pub(crate) fn peer_lost(&self) -> u64 {
        self.peer_lost
    }

    pub(crate) fn round_trip_ms(&self) -> Option<f64> {
        self.round_trip.map(|d| d.as_secs_f64() * 1_000.0)
    }
}
