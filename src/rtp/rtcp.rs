//! RTCP, RFC 3550 section 6: sender and receiver reports, SDES CNAME, BYE, and when to send them. The only file that
//! names `rtcp_types`.
//!
//! Invariant: what is sent is always a compound packet that begins with a report and carries the CNAME (section 6.1).
use std::time::Duration;

use rtcp_types::prelude::*;
use rtcp_types::{Bye, Compound, ReceiverReport, Sdes, SdesChunk, SdesItem, SenderReport};

use crate::base::{Instant, Now, Rng};
use crate::rtp::packet::Malformed;

/// Room for the longest compound packet we make, in bytes.
pub const RTCP_BYTES: usize = 256 + crate::rtp::SRTP_OVERHEAD;
/// Seconds from 1900 to 1970: NTP time counts from 1900.
const NTP_UNIX_S: u64 = 2_208_988_800;
/// The shortest mean time between reports, RFC 3550 section 6.2.
const MIN_INTERVAL: Duration = Duration::from_secs(5);
/// The same before the first report.
const MIN_INITIAL_INTERVAL: Duration = Duration::from_millis(2_500);
/// RTCP's share of a G.711 call's 80 kbit/s, 5 %, in octets a second.
const RTCP_OCTETS_PER_S: u64 = 500;

/// Turns the monotonic clock into NTP time, RFC 3550 section 4, fixed at the session's begin so that it never jumps.
#[derive(Clone, Copy, Debug)]
pub struct NtpClock {
    begun: Now,
}

impl NtpClock {
    /// A clock that agrees with civil time `at` this moment.
    pub fn new(at: Now) -> Self {
        Self { begun: at }
    }

    /// The 64-bit NTP time of `now`: seconds above, fraction below.
    pub fn ntp(&self, now: Instant) -> u64 {
        let passed = u64::try_from(now.since(self.begun.mono).as_micros()).unwrap_or(u64::MAX);
        let us = self.begun.utc.as_micros().max(0).cast_unsigned().saturating_add(passed);
        let seconds = (us / 1_000_000).wrapping_add(NTP_UNIX_S);
        let fraction = ((us % 1_000_000) << 32) / 1_000_000;
        (seconds << 32) | fraction
    }

    /// The middle 32 bits, in 1/65536 s: what reports measure round trips with.
    pub fn middle(&self, now: Instant) -> u32 {
        middle(self.ntp(now))
    }
}

fn middle(ntp: u64) -> u32 {
    ((ntp >> 16) & u64::from(u32::MAX)) as u32
}

/// What one side says of the other's packets, RFC 3550 section 6.4.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// Whose packets.
    pub ssrc: u32,
    /// Share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the beginning; negative when more came than should have.
    pub lost: i32,
    /// Highest sequence number with its cycles.
    pub highest: u32,
    /// Interarrival jitter, in samples.
    pub jitter: u32,
    /// Middle of the NTP time of the last sender report, or 0.
    pub last_sender_report: u32,
    /// Since that report came, in 1/65536 s, or 0.
    pub delay: u32,
}

impl ReportBlock {
    /// The round trip, given the middle of the NTP time at which this block came (section 6.4.1, figure 2). `None`
    /// when the peer had no report of ours yet, or answers nonsense.
    pub fn round_trip(&self, arrived: u32) -> Option<Duration> {
        if self.last_sender_report == 0 {
            return None;
        }
        let units = arrived.wrapping_sub(self.last_sender_report).wrapping_sub(self.delay);
        if units.cast_signed() < 0 {
            return (units.cast_signed() > -655).then_some(Duration::ZERO);
        }
        let us = u64::from(units).saturating_mul(1_000_000) >> 16;
        (us < 60_000_000).then_some(Duration::from_micros(us))
    }
}

/// What a sender says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderFigures {
    /// NTP time of the report.
    pub ntp: u64,
    /// The same moment in samples of the stream.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Octets of payload sent.
    pub octets: u32,
}

/// What we want to say.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Our synchronisation source.
    pub ssrc: u32,
    /// Our canonical name.
    pub cname: &'a str,
    /// Present when we sent since the last report but one: makes it a sender report.
    pub sender: Option<SenderFigures>,
    /// What we say of the peer.
    pub block: Option<ReportBlock>,
    /// We leave (section 6.6).
    pub bye: bool,
}

impl Report<'_> {
    /// Writes the compound packet and returns its length; `None` when it does not fit.
    pub fn write(&self, buffer: &mut [u8]) -> Option<usize> {
        let block = self.block.map(write_block);
        let chunk = SdesChunk::builder(self.ssrc).add_item(SdesItem::builder(SdesItem::CNAME, self.cname));
        let mut compound = Compound::builder();
        compound = match (self.sender, block) {
            (Some(sender), block) => {
                let report = SenderReport::builder(self.ssrc)
                    .ntp_timestamp(sender.ntp)
                    .rtp_timestamp(sender.timestamp)
                    .packet_count(sender.packets)
                    .octet_count(sender.octets);
                match block {
                    Some(block) => compound.add_packet(report.add_report_block(block)),
                    None => compound.add_packet(report),
                }
            }
            (None, Some(block)) => {
                compound.add_packet(ReceiverReport::builder(self.ssrc).add_report_block(block))
            }
            (None, None) => compound.add_packet(ReceiverReport::builder(self.ssrc)),
        };
        compound = compound.add_packet(Sdes::builder().add_chunk(chunk));
        if self.bye {
            compound = compound.add_packet(Bye::builder().add_source(self.ssrc));
        }
        compound.write_into(buffer).ok()
    }
}

fn write_block(block: ReportBlock) -> rtcp_types::ReportBlockBuilder {
    let lost = block.lost.clamp(-0x80_0000, 0x7F_FFFF).cast_unsigned() & 0xFF_FFFF;
    rtcp_types::ReportBlock::builder(block.ssrc)
        .fraction_lost(block.fraction_lost)
        .cumulative_lost(lost)
        .extended_sequence_number(block.highest)
        .interarrival_jitter(block.jitter)
        .last_sender_report_timestamp(block.last_sender_report)
        .delay_since_last_sender_report_timestamp(block.delay)
}

/// What a compound packet says to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Who reports.
    pub ssrc: u32,
    /// What it says of itself, with the middle of its NTP time.
    pub sender: Option<SenderFigures>,
    /// What it says of our packets.
    pub block: Option<ReportBlock>,
    /// It leaves.
    pub bye: bool,
}

impl Heard {
    /// Reads a compound packet; `ours` is our synchronisation source.
    pub fn read(datagram: &[u8], ours: u32) -> Result<Self, Malformed> {
        let mut heard = Self::default();
        let mut rest = datagram;
        let mut first = true;
        while !rest.is_empty() {
            let (packet, after) = split(rest)?;
            heard.take(packet, ours, first)?;
            (rest, first) = (after, false);
        }
        if first { Err(Malformed) } else { Ok(heard) }
    }

    /// One packet of the compound. Kinds that we do not act on are skipped unread.
    fn take(&mut self, packet: &[u8], ours: u32, first: bool) -> Result<(), Malformed> {
        match packet.get(1) {
            Some(200) => {
                let report = SenderReport::parse(packet).map_err(|_| Malformed)?;
                self.ssrc = report.ssrc();
                self.sender = Some(SenderFigures {
                    ntp: report.ntp_timestamp(),
                    timestamp: report.rtp_timestamp(),
                    packets: report.packet_count(),
                    octets: report.octet_count(),
                });
                self.block = report.report_blocks().find(|b| b.ssrc() == ours).map(|b| read_block(&b));
            }
            Some(201) => {
                let report = ReceiverReport::parse(packet).map_err(|_| Malformed)?;
                if first {
                    self.ssrc = report.ssrc();
                }
                let block = report.report_blocks().find(|b| b.ssrc() == ours).map(|b| read_block(&b));
                self.block = block.or(self.block);
            }
            Some(203) => {
                self.bye = Bye::parse(packet).map_err(|_| Malformed)?.ssrcs().any(|s| s == self.ssrc);
            }
            _ if first => return Err(Malformed),
            _ => {}
        }
        Ok(())
    }
}

fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let [first, _, high, low, ..] = *bytes else { return Err(Malformed) };
    let words = usize::from(u16::from_be_bytes([high, low]));
    if first >> 6 != 2 {
        return Err(Malformed);
    }
    bytes.split_at_checked(words.saturating_add(1).saturating_mul(4)).ok_or(Malformed)
}

fn read_block(block: &rtcp_types::ReportBlock<'_>) -> ReportBlock {
    ReportBlock {
        ssrc: block.ssrc(),
        fraction_lost: block.fraction_lost(),
        lost: (block.cumulative_lost() << 8).cast_signed() >> 8,
        highest: block.extended_sequence_number(),
        jitter: block.interarrival_jitter(),
        last_sender_report: block.last_sender_report_timestamp(),
        delay: block.delay_since_last_sender_report_timestamp(),
    }
}

/// The middle of a sender report's NTP time, to be echoed as `last_sender_report`.
pub(crate) fn echo_of(sender: SenderFigures) -> u32 {
    middle(sender.ntp)
}

/// When to report, RFC 3550 sections 6.2, 6.3.1 and 6.3.3, appendix A.7.
#[derive(Clone, Debug)]
pub struct ReportTimer {
    last: Instant,
    due: Instant,
    average_octets: u64,
    initial: bool,
}

impl ReportTimer {
    /// Starts: the first report comes after half the interval.
    pub fn start(now: Instant, rng: &mut Rng) -> Self {
        let mut timer = Self { last: now, due: now, average_octets: 128, initial: true };
        timer.due = instant_after(now, timer.interval(1, rng));
        timer
    }

    /// When the next report, or the reconsideration of it, is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// A compound packet was received or sent: its octets, with UDP and IP, enter the mean.
    pub fn note_octets(&mut self, octets: usize) {
        let octets = (octets as u64).saturating_add(28);
        self.average_octets = self.average_octets.saturating_mul(15).saturating_add(octets) / 16;
    }

    /// Whether to send at `now`, among `members`. Asked once per `due`; sets the next one.
    pub fn fires(&mut self, now: Instant, members: u64, rng: &mut Rng) -> bool {
        if now < self.due {
            return false;
        }
        let reconsidered = instant_after(self.last, self.interval(members, rng));
        if reconsidered > now {
            self.due = reconsidered;
            return false;
        }
        self.initial = false;
        self.last = now;
        self.due = instant_after(now, self.interval(members, rng));
        true
    }

    /// A randomised interval: half to one and a half of the mean, divided by e - 3/2 against the bias of
    /// reconsideration.
    fn interval(&self, members: u64, rng: &mut Rng) -> Duration {
        let minimum = if self.initial { MIN_INITIAL_INTERVAL } else { MIN_INTERVAL };
        let us = members.saturating_mul(self.average_octets).saturating_mul(1_000_000) / RTCP_OCTETS_PER_S;
        let mean = minimum.max(Duration::from_micros(us));
        mean.mul_f64((rng.unit() + 0.5) / 1.218_28)
    }
}

/// `Instant + Duration` saturates; the lint on arithmetic cannot know.
#[expect(clippy::arithmetic_side_effects, reason = "base::Instant saturates")]
pub(crate) fn instant_after(at: Instant, d: Duration) -> Instant {
    at + d
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::UtcTime;
    use proptest::prelude::any;
    use proptest::proptest;

    fn block() -> ReportBlock {
        ReportBlock {
            ssrc: 7,
            fraction_lost: 3,
            lost: -2,
            highest: 0x1_0002,
            jitter: 40,
            last_sender_report: 0x1234_5678,
            delay: 0x0001_8000,
        }
    }

    fn report(bye: bool) -> Report<'static> {
        let sender = SenderFigures { ntp: 0x1111_2222_3333_4444, timestamp: 5, packets: 6, octets: 960 };
        Report { ssrc: 9, cname: "k3j2@hotline", sender: Some(sender), block: Some(block()), bye }
    }

    #[test]
    fn what_was_written_is_heard() {
        let mut buffer = [0; RTCP_BYTES];
        let n = report(true).write(&mut buffer).unwrap();
        let heard = Heard::read(&buffer[..n], 7).unwrap();
        assert_eq!(heard.block, Some(block()));
        assert_eq!(heard.sender, report(true).sender);
        assert_eq!((heard.ssrc, heard.bye), (9, true));
        assert_eq!(echo_of(heard.sender.unwrap()), 0x2222_3333);
        let n = Report { sender: None, ..report(false) }.write(&mut buffer).unwrap();
        let heard = Heard::read(&buffer[..n], 8).unwrap();
        assert_eq!(heard, Heard { ssrc: 9, ..Heard::default() }, "a block about another source is not ours");
    }

    #[test]
    fn a_round_trip_is_arrival_less_report_less_delay() {
        let b = ReportBlock { last_sender_report: 0xFFFF_0000, delay: 0x8000, ..block() };
        assert_eq!(b.round_trip(0x0000_0000), Some(Duration::from_millis(500)));
        assert_eq!(b.round_trip(0xFFFF_7000), None, "earlier than possible");
        assert_eq!(ReportBlock { last_sender_report: 0, ..b }.round_trip(9), None);
    }

    #[test]
    fn ntp_time_counts_from_1900_and_never_jumps() {
        let begun = Now { mono: Instant::from_secs(10), utc: UtcTime::from_secs(1_000) };
        let clock = NtpClock::new(begun);
        assert_eq!(clock.ntp(Instant::from_secs(10)), (NTP_UNIX_S + 1_000) << 32);
        assert_eq!(clock.middle(Instant::from_millis(10_500)) & 0xFFFF, 0x8000);
    }

    #[test]
    fn reports_come_every_five_seconds_in_the_mean_and_never_in_step() {
        let mut rng = Rng::from_number(3);
        let mut timer = ReportTimer::start(Instant::ZERO, &mut rng);
        let mut sent = Vec::new();
        while sent.len() < 400 {
            let now = timer.due();
            if timer.fires(now, 2, &mut rng) {
                timer.note_octets(100);
                sent.push(now);
            }
        }
        let gaps: Vec<_> = sent.windows(2).map(|w| w[1].since(w[0]).as_millis()).collect();
        let mean = gaps.iter().sum::<u128>() / gaps.len() as u128;
        assert!((4_500..5_500).contains(&mean), "{mean}");
        assert!(gaps.iter().all(|g| (2_000..6_200).contains(g)), "{gaps:?}");
        assert!(sent[0].as_millis() < 3_100);
    }

    #[test]
    fn half_a_packet_and_a_lone_sdes_are_refused() {
        let mut buffer = [0; RTCP_BYTES];
        let n = report(false).write(&mut buffer).unwrap();
        assert_eq!(Heard::read(&buffer[..n - 4], 7), Err(Malformed));
        assert_eq!(Heard::read(&[], 7), Err(Malformed));
        assert_eq!(Heard::read(&[0x80, 202, 0, 0], 7), Err(Malformed));
    }

    proptest! {
        #[test]
        fn no_datagram_can_hurt(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 198u8..208) {
            if let [first, second, ..] = &mut bytes[..] {
                *first = 0x80 | (*first & 0x3F);
                *second = kind;
            }
            let is_heard = |bytes: &[u8]| Heard::read(bytes, 7).is_ok();
            proptest::prop_assert!(bytes.len() >= 8 || !is_heard(&bytes));
            if let [_, _, high, low, ..] = &mut bytes[..] {
                (*high, *low) = (0, *low % 50);
            }
            proptest::prop_assert!(bytes.len() >= 8 || !is_heard(&bytes));
        }
    }
}
