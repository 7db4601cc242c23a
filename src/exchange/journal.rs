//! The journal: every input of the Exchange and the Acd, numbered, in an append-only run of bytes. Pure: `io` keeps
//! the bytes.
//!
//! One entry, all numbers little-endian:
//!
//! ```text
//! | length u32 | version u8 | seq u64 | crc u32 | payload: JSON, `length` bytes |
//! ```
//!
//! A payload is an opening (the sum of everything before), an entry, or a mark (the server lived). The CRC-32 (IEEE)
//! covers length, version, seq and payload. Invariant: what [`decode`] yields was written here, entries in ascending
//! order without a gap; a torn or corrupt entry ends the reading and is reported, never skipped.
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{AcdInput, Fact, Input, Ledger};
use crate::base::{Now, Seq};

/// The layout written now.
pub const JOURNAL_VERSION: u8 = 2;
/// Bytes before the payload.
const HEAD: usize = 17;
/// The longest payload believed, in bytes. An entry has fewer than 4,000, an opening some hundred for each call.
const PAYLOAD_MAX: usize = 1 << 28;

/// One input of one of the two machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number: one sequence for the whole server, without gaps.
    pub seq: Seq,
    /// When it was handled.
    pub now: Now,
    /// What it was.
    pub what: Happening,
    /// What became true by it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
}

/// A fact and where it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberedFact {
    /// The input that made it.
    pub seq: Seq,
    /// Its place among the facts of that input, from 0.
    pub index: u32,
    /// When.
    pub at: Now,
    /// The fact.
    pub fact: Fact,
}

impl Entry {
    /// Its facts, numbered; nothing of it is left.
    pub fn into_facts(self) -> impl Iterator<Item = NumberedFact> {
        let (seq, at) = (self.seq, self.now);
        (0..).zip(self.facts).map(move |(index, fact)| NumberedFact { seq, index, at, fact })
    }
}

/// What was put into one of the two machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// A set of menus and the plan in it were installed.
    Installed {
        /// The set's revision; the set itself is kept by its revision elsewhere.
        revision: String,
    },
    /// The process began anew where a [`Ledger`] stands; what was cut off is in the facts, at the last moment known.
    Restarted,
    /// Something from outside, to the Exchange.
    Input(Input),
    /// The Exchange's deadline came.
    ExchangeTimeout,
    /// The Acd's deadline came.
    AcdTimeout,
    /// The Exchange told the Acd. Follows from what came before: a replay makes it again.
    ToAcd(AcdInput),
    /// The Acd told the Exchange. Follows from what came before: a replay makes it again.
    FromAcd(super::acd::AcdOutput),
}

impl Happening {
    /// Whether it follows from earlier entries, so that a replay must not feed it.
    pub const fn is_derived(&self) -> bool {
        match self {
            Self::ToAcd(_) | Self::FromAcd(_) => true,
            Self::Installed { .. }
            | Self::Restarted
            | Self::Input(_)
            | Self::ExchangeTimeout
            | Self::AcdTimeout => false,
        }
    }
}

/// One record of the journal's bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "nearly all are entries, and each is passed on at once")]
pub enum Record {
    /// The sum of everything before: the first record of a run of bytes. Entries that follow it may be older ones, which
    /// were not on disk when it was made: they count for the record alone.
    Opening(Box<Ledger>),
    /// An input and what became true by it.
    Entry(Entry),
    /// Nothing happened, but the server lived.
    Mark(Now),
}

/// The same as it is written.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Written<'a> {
    Opening(&'a Ledger),
    Entry(&'a Entry),
    Mark(Now),
}

/// Why the reading of a journal stopped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JournalError {
    /// The last entry was not written to its end, as after a crash: cut the bytes at `at` and go on.
    #[error("the entry at byte {at} is torn: {have} of {want} bytes are there")]
    Torn {
        /// Where it begins.
        at: usize,
        /// Bytes there.
        have: usize,
        /// Bytes wanted.
        want: usize,
    },
    /// The bytes are not what was written: everything from `at` on is lost.
    #[error("the entry at byte {at} is corrupt: {why}")]
    Corrupt {
        /// Where it begins.
        at: usize,
        /// What does not fit.
        why: String,
    },
    /// Written by a version that this program does not know.
    #[error("the entry at byte {at} has version {version}, this program reads {JOURNAL_VERSION}")]
    Version {
        /// Where it begins.
        at: usize,
        /// The version found.
        version: u8,
    },
    /// An entry could not be written as JSON.
    #[error("the entry could not be encoded: {0}")]
    Encode(String),
}

/// Appends `entry` to `bytes`.
///
/// # Errors
/// [`JournalError::Encode`] when it cannot be written as JSON or is too long; `bytes` is unchanged.
pub fn encode(entry: &Entry, bytes: &mut Vec<u8>) -> Result<(), JournalError> {
    write(entry.seq, &Written::Entry(entry), bytes)
}

/// Appends an opening.
///
/// # Errors
/// As [`encode`].
pub fn encode_opening(ledger: &Ledger, bytes: &mut Vec<u8>) -> Result<(), JournalError> {
    write(ledger.seq(), &Written::Opening(ledger), bytes)
}

/// Appends a mark: at `now`, after the entry `seq`, the server lived.
///
/// # Errors
/// As [`encode`].
pub fn encode_mark(seq: Seq, now: Now, bytes: &mut Vec<u8>) -> Result<(), JournalError> {
    write(seq, &Written::Mark(now), bytes)
}

fn write(seq: Seq, record: &Written<'_>, bytes: &mut Vec<u8>) -> Result<(), JournalError> {
    let begin = bytes.len();
    bytes.resize(begin + HEAD, 0);
    let written = serde_json::to_writer(&mut *bytes, record).map_err(|e| JournalError::Encode(e.to_string()));
    let length = bytes.len() - begin - HEAD;
    let fits = u32::try_from(length).ok().filter(|_| length <= PAYLOAD_MAX);
    let result = written.and_then(|()| {
        fits.ok_or_else(|| JournalError::Encode(format!("{length} bytes are more than {PAYLOAD_MAX}")))
    });
    match result {
        Ok(length) => {
            let (length, seq) = (length.to_le_bytes(), seq.0.to_le_bytes());
            let payload = bytes.get(begin + HEAD..).unwrap_or_default();
            let crc = checksum(length, JOURNAL_VERSION, seq, payload).to_le_bytes();
            let head = length.into_iter().chain([JOURNAL_VERSION]).chain(seq).chain(crc);
            bytes.iter_mut().skip(begin).zip(head).for_each(|(to, byte)| *to = byte);
            Ok(())
        }
        Err(e) => {
            bytes.truncate(begin);
            Err(e)
        }
    }
}

/// The CRC-32 (IEEE) of bytes.
pub(in crate::exchange) fn checksum_of(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

fn checksum(length: [u8; 4], version: u8, seq: [u8; 8], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length);
    crc.update(&[version]);
    crc.update(&seq);
    crc.update(payload);
    crc.finalize()
}

/// Reads records one after the other; after an error it yields nothing more.
pub fn decode(bytes: &[u8]) -> Decoder<'_> {
    Decoder { bytes, at: 0, last: None, done: false }
}

/// See [`decode`].
#[derive(Debug)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    last: Option<Seq>,
    done: bool,
}

impl Decoder<'_> {
    /// How many bytes hold whole, sound entries so far.
    pub const fn sound_bytes(&self) -> usize {
        self.at
    }

    fn corrupt(&self, why: impl Into<String>) -> JournalError {
        JournalError::Corrupt { at: self.at, why: why.into() }
    }

    fn read(&mut self) -> Result<Record, JournalError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let torn = |want| JournalError::Torn { at: self.at, have: rest.len(), want };
        let head: &[u8; HEAD] = rest.first_chunk().ok_or_else(|| torn(HEAD))?;
        let [l0, l1, l2, l3, version, s0, s1, s2, s3, s4, s5, s6, s7, c0, c1, c2, c3] = *head;
        let (length, seq) = ([l0, l1, l2, l3], [s0, s1, s2, s3, s4, s5, s6, s7]);
        let size = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if size > PAYLOAD_MAX {
            return Err(self.corrupt(format!("a length of {size} bytes")));
        }
        let payload = rest.get(HEAD..HEAD + size).ok_or_else(|| torn(HEAD + size))?;
        if checksum(length, version, seq, payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Err(self.corrupt("the checksum differs"));
        }
        if version != JOURNAL_VERSION {
            return Err(JournalError::Version { at: self.at, version });
        }
        let record: Record = serde_json::from_slice(payload).map_err(|e| self.corrupt(e.to_string()))?;
        let seq = Seq(u64::from_le_bytes(seq));
        if let Record::Entry(entry) = &record {
            if entry.seq != seq || self.last.is_some_and(|last| seq != last.next()) {
                return Err(self.corrupt(format!("{seq} does not follow {:?}", self.last)));
            }
            self.last = Some(seq);
        }
        self.at += HEAD + size;
        Ok(record)
    }
}

impl Iterator for Decoder<'_> {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done || self.at == self.bytes.len() {
            return None;
        }
        let read = self.read();
        self.done = read.is_err();
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Instant, Key, LegId, UtcTime};

    fn entry(seq: u64) -> Entry {
        Entry {
            seq: Seq(seq),
            now: Now { mono: Instant::from_millis(seq), utc: UtcTime::from_secs(1) },
            what: Happening::Input(Input::Key { leg: LegId(2), key: Key::STAR, play: None }),
            facts: vec![Fact::CallAnswered { call: crate::base::CallId(seq) }],
        }
    }

    fn written(n: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for seq in 1..=n {
            encode(&entry(seq), &mut bytes).unwrap();
        }
        bytes
    }

    #[test]
    fn what_was_written_is_read_again() {
        let bytes = written(3);
        let read: Vec<_> = decode(&bytes).collect();
        assert_eq!(read, (1..=3).map(|n| Ok(Record::Entry(entry(n)))).collect::<Vec<_>>());
    }

    #[test]
    fn an_opening_and_marks_stand_between_entries_without_a_number_of_their_own() {
        let mut ledger = Ledger::default();
        ledger.apply(&entry(7));
        let mut bytes = Vec::new();
        encode_opening(&ledger, &mut bytes).unwrap();
        encode(&entry(6), &mut bytes).unwrap();
        encode_mark(Seq(6), entry(6).now, &mut bytes).unwrap();
        encode(&entry(7), &mut bytes).unwrap();
        let read: Vec<_> = decode(&bytes).map(Result::unwrap).collect();
        assert_eq!(read[0], Record::Opening(Box::new(ledger)));
        assert_eq!(read[1..], [Record::Entry(entry(6)), Record::Mark(entry(6).now), Record::Entry(entry(7))]);
    }

    #[test]
    fn a_tail_torn_at_any_byte_is_told_from_its_start_and_loses_no_whole_entry() {
        let whole = written(2);
        let first = written(1).len();
        for cut in first + 1..whole.len() {
            let mut reading = decode(&whole[..cut]);
            assert_eq!(reading.next(), Some(Ok(Record::Entry(entry(1)))));
            assert!(matches!(reading.next(), Some(Err(JournalError::Torn { at, .. })) if at == first));
            assert_eq!(reading.next(), None);
            assert_eq!(reading.sound_bytes(), first);
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let whole = written(1);
        for byte in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[byte] ^= 1 << bit;
                assert!(decode(&bytes).next().unwrap().is_err(), "byte {byte} bit {bit}");
            }
        }
    }

    #[test]
    fn a_gap_in_the_numbers_is_corrupt() {
        let mut bytes = Vec::new();
        encode(&entry(1), &mut bytes).unwrap();
        encode(&entry(3), &mut bytes).unwrap();
        let read: Vec<_> = decode(&bytes).collect();
        assert!(matches!(read[1], Err(JournalError::Corrupt { .. })));
    }
}
