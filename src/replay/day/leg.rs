//! One call at one phone: whose part it plays, how far it is, what it says next.
use std::net::SocketAddrV4;
use std::time::Duration;

use super::ear::Ear;
use crate::base::{Instant, Key, PartyId};
use crate::media::{Codec, FRAME};
use crate::node::LegSound;
use crate::rtp::{EventSender, Header};
use crate::sim::{Caller, ThirdParty};
use crate::sip::InviteId;

/// How long a key is held.
const HELD: Duration = Duration::from_millis(100);
/// Samples of a frame.
const STEP: u32 = 160;

/// A call that stands or comes to stand, by its place; the number tells it from those that had the place before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seat {
    pub(super) place: usize,
    pub(super) serial: u64,
}

/// Whose part a phone plays.
#[derive(Debug)]
pub(super) enum Part {
    /// Calls the hotline, for the n-th time.
    Caller { caller: Box<Caller>, tries: usize, pressed: usize },
    /// Is rung with a caller: whom, if he is one of ours.
    Agent { agent: usize, caller: Option<Seat> },
    /// An agent's call that tells the server what he does.
    Service { agent: usize, works: bool },
    /// A third party, rung by the server: by which agent's wish, and for which caller. `follows`: another one asked that it
    /// take its place.
    Party { agent: Option<Seat>, caller: Option<Seat>, follows: bool },
}

/// An agent's conversation with a caller, as he means to have it.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) caller: Option<Seat>,
    /// Who of the two hangs up.
    pub(super) ender: Seat,
    /// What is left of it after the middle.
    pub(super) rest: Duration,
    /// Who is brought in, in the middle.
    pub(super) third: Option<(PartyId, ThirdParty)>,
    /// The third party that is there.
    pub(super) party: Option<Seat>,
    /// The number of the one that is to take its place, from its asking until that one is there.
    pub(super) next: Option<String>,
}

/// Whose first hearing of each other is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between {
    /// A caller and an agent.
    Two,
    /// An agent and a third party, alone.
    Private,
    /// A caller and a third party, once all three talk.
    Three,
    /// Whoever is there, and who took a third party's place.
    Next,
}

/// Who is listened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partner {
    pub(super) seat: Seat,
    /// Since when, by the clock of arrivals: the answer, or the key that joins all three.
    pub(super) since: Instant,
    pub(super) between: Between,
}

/// One call at one phone.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) serial: u64,
    pub(super) part: Part,
    pub(super) invite: InviteId,
    pub(super) sip_call_id: Vec<u8>,
    pub(super) sound: LegSound,
    pub(super) ear: Ear,
    /// When the plan wanted it begun.
    pub(super) intended: Instant,
    /// When it was answered, by the clock of the plan and by that of arrivals.
    pub(super) answered: Option<(Instant, Instant)>,
    /// The final response was counted.
    pub(super) is_counted: bool,
    /// When the caller had done all he could but wait.
    pub(super) waits_since: Option<Instant>,
    /// Of a caller: with whom he talks. `None` again when he is left alone.
    pub(super) talks_to: Option<Seat>,
    /// Of an agent: the talk he is in.
    pub(super) talk: Option<Talk>,
    /// Grows with every turn of a conversation: what was planned before does not happen.
    pub(super) turn: u32,
    /// Who is listened for.
    pub(super) partner: Option<Partner>,
    /// When the partner was first heard.
    pub(super) partner_heard: Option<Instant>,
    pub(super) mouth: Mouth,
}

/// What a phone says, packet after packet.
#[derive(Debug)]
pub(super) struct Mouth {
    pub(super) to: Option<SocketAddrV4>,
    pub(super) codec: Codec,
    payload_type: u8,
    event: Option<(u8, u32)>,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    marker: bool,
    pressing: Option<(u32, EventSender)>,
}

/// What is said in this slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A frame of sound under this header.
    Sound(Header),
    /// A packet of a key; the first one of it?
    Key(Header, [u8; 4], bool),
}

impl Mouth {
    pub(super) fn new(ssrc: u32) -> Self {
        Self {
            to: None,
            codec: Codec::Pcma,
            payload_type: 8,
            event: None,
            sequence: (ssrc >> 17) as u16,
            timestamp: ssrc.rotate_left(9),
            ssrc,
            marker: true,
            pressing: None,
        }
    }

    /// What was agreed: where to, as what, and as what keys are sent, if at all.
    pub(super) fn agree(&mut self, to: Option<SocketAddrV4>, codec: (Codec, u8), event: Option<(u8, u32)>) {
        self.to = to;
        (self.codec, self.payload_type) = codec;
        self.event = event;
    }

    /// Whether keys can be sent in the sound.
    pub(super) fn takes_keys(&self) -> bool {
        self.event.is_some()
    }

    /// Presses a key from the next slot on; one that is still pressed is cut short.
    pub(super) fn press(&mut self, key: Key) {
        if let Some((_, clock_hz)) = self.event {
            self.pressing = Some((self.timestamp, EventSender::new(key, HELD, FRAME, clock_hz)));
        }
    }

    /// So many slots passed without a word: what comes next is as much later, and nothing is missing before it.
    pub(super) fn pass_over(&mut self, slots: u32) {
        self.timestamp = self.timestamp.wrapping_add(STEP.wrapping_mul(slots));
    }

    /// The next packet. The clock of the sound goes on whatever is said.
    pub(super) fn next_packet(&mut self) -> Said {
        let began = self.timestamp;
        self.timestamp = self.timestamp.wrapping_add(STEP);
        if let (Some((timestamp, sender)), Some((payload_type, _))) = (&mut self.pressing, self.event) {
            let first = sender.clone().next_packet().is_some_and(|p| p.marker);
            if first {
                *timestamp = began;
            }
            if let Some(packet) = sender.next_packet() {
                let timestamp = timestamp.wrapping_add(packet.timestamp_offset);
                let payload = packet.payload.bytes();
                self.marker = true;
                return Said::Key(
                    self.header(payload_type, packet.marker, timestamp),
                    payload,
                    packet.marker,
                );
            }
            self.pressing = None;
        }
        let marker = std::mem::take(&mut self.marker);
        Said::Sound(self.header(self.payload_type, marker, began))
    }

    fn header(&mut self, payload_type: u8, marker: bool, timestamp: u32) -> Header {
        self.sequence = self.sequence.wrapping_add(1);
        Header { payload_type, marker, sequence: self.sequence, timestamp, ssrc: self.ssrc }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::{EventPayload, EventReceiver};

    fn mouth() -> Mouth {
        let mut mouth = Mouth::new(0x8001_2345);
        mouth.agree(None, (Codec::Pcma, 8), Some((101, 8_000)));
        mouth
    }

    #[test]
    fn keys_are_events_between_sound_and_the_clock_goes_on_under_them() {
        let mut mouth = mouth();
        let mut receiver = EventReceiver::default();
        let (mut keys, mut sound) = (String::new(), Vec::new());
        for n in 0..40 {
            if n == 3 || n == 20 {
                mouth.press(Key::from_char(if n == 3 { '5' } else { '#' }).unwrap());
            }
            match mouth.next_packet() {
                Said::Sound(header) => sound.push((n, header)),
                Said::Key(header, payload, first) => {
                    let read = EventPayload::read(&payload).unwrap();
                    let key = receiver.packet(header.ssrc, header.timestamp, read);
                    assert_eq!(key.is_some(), first);
                    keys.extend(key.map(Key::as_char));
                }
            }
        }
        assert_eq!(keys, "5#");
        let began = sound[0].1.timestamp;
        assert!(sound.iter().all(|(n, h)| h.timestamp.wrapping_sub(began) == 160 * n));
        let marked: Vec<u32> = sound.iter().filter(|(_, h)| h.marker).map(|(n, _)| *n).collect();
        assert_eq!(marked, [0, 10, 27], "the first packet, and the first after each key");
    }

    #[test]
    fn a_pause_of_the_machine_is_a_pause_of_the_clock_and_no_loss() {
        let mut mouth = mouth();
        let Said::Sound(before) = mouth.next_packet() else { panic!("no sound") };
        mouth.pass_over(7);
        let Said::Sound(after) = mouth.next_packet() else { panic!("no sound") };
        assert_eq!(after.sequence.wrapping_sub(before.sequence), 1);
        assert_eq!(after.timestamp.wrapping_sub(before.timestamp), 8 * 160);
    }

    #[test]
    fn sequence_numbers_have_no_hole() {
        let mut mouth = mouth();
        mouth.press(Key::HASH);
        let mut last = None;
        for _ in 0..70_000 {
            let (Said::Sound(header) | Said::Key(header, ..)) = mouth.next_packet();
            if let Some(last) = last {
                assert_eq!(header.sequence.wrapping_sub(last), 1);
            }
            last = Some(header.sequence);
        }
    }
}
