//! SRTP and SRTCP, RFC 3711, with `AES_CM_128_HMAC_SHA1_80` and `_32`: the only door of `rtc_srtp`, of which AES and
//! HMAC are used; packets are protected and opened here, in place.
//!
//! Invariants: nothing of a packet is believed, and no memory is given to its source, before its tag was found right;
//! no packet is taken twice, however many sources there were since; who has not the key makes nobody forgotten; no key
//! stream is used twice; no allocation per packet.
use std::fmt;

use rtc_srtp::crypto::providers::RingCrypto;
use rtc_srtp::crypto::{
    BlockCipherAlgorithm, HmacAlgorithm, Mac, RTCCrypto, StreamCipher, StreamCipherAlgorithm,
    constant_time_eq,
};

use crate::rtp::formats::{SrtpKey, SrtpKeys, SrtpSuite};
use crate::rtp::packet::is_rtcp;

/// The tag of SRTCP, in bytes: the same in both suites (RFC 4568 section 6.2).
const RTCP_TAG: usize = 10;
/// `E` and the index of SRTCP, in bytes.
const RTCP_INDEX: usize = 4;
/// RTCP's header and its first SSRC, which stay readable.
const RTCP_HEADER: usize = 8;
/// The bit that says that SRTCP is encrypted.
const ENCRYPTED: u32 = 1 << 31;
/// Sources of one peer whose last packets are told apart, each proved by its tags: those heard last.
const SOURCES: usize = 64;
/// Those before them, of each of which the newest packet is remembered: more in one call is no phone.
const FORMER_SOURCES: usize = 4_096;
/// How far behind the newest a packet may come.
const WINDOW: u64 = 128;

/// By how much protection makes a packet longer, in bytes.
pub const SRTP_OVERHEAD: usize = RTCP_INDEX + RTCP_TAG;

/// Why a packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SrtpFault {
    /// No tag of the peer's: from a stranger, damaged, or too short to have one.
    Unauthentic,
    /// Taken already, or too old to know.
    Replayed,
}

/// One leg's protection, both ways.
pub(crate) struct Srtp {
    keys: SrtpKeys,
    out: Direction,
    inbound: Direction,
    /// The key before the last change: the peer may go on with it until it has our answer. Gone with the first packet
    /// under the new one.
    former: Option<Direction>,
}

impl fmt::Debug for Srtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Srtp").field("suite", &self.keys.suite).finish_non_exhaustive()
    }
}

impl Srtp {
    /// `None`: the library refuses the keys, which are of the right length.
    pub(crate) fn new(keys: SrtpKeys) -> Option<Self> {
        Some(Self {
            keys,
            out: Direction::new(keys.suite, &keys.ours)?,
            inbound: Direction::new(keys.suite, &keys.theirs)?,
            former: None,
        })
    }

    /// What was agreed anew. A direction whose key stays goes on counting: a key stream is never used twice.
    pub(crate) fn rekey(&mut self, keys: SrtpKeys) -> Option<()> {
        let same_suite = keys.suite == self.keys.suite;
        if !same_suite || keys.ours != self.keys.ours {
            self.out = Direction::new(keys.suite, &keys.ours)?;
        }
        if !same_suite || keys.theirs != self.keys.theirs {
            let new = Direction::new(keys.suite, &keys.theirs)?;
            self.former = Some(std::mem::replace(&mut self.inbound, new));
        }
        self.keys = keys;
        Some(())
    }

    /// Protects the packet in the first `length` bytes of `buffer`; hands back its new length. `None`: no room, or its
    /// number was used already.
    pub(crate) fn protect(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        if buffer.get(..length).is_some_and(is_rtcp) {
            self.out.protect_rtcp(buffer, length)
        } else {
            self.out.protect_rtp(buffer, length)
        }
    }

    /// Opens a packet in place; hands back the length of what it protected.
    pub(crate) fn open(&mut self, packet: &mut [u8]) -> Result<usize, SrtpFault> {
        let opened = self.inbound.open(packet);
        match (&opened, &mut self.former) {
            (Ok(_), _) => self.former = None,
            (Err(SrtpFault::Unauthentic), Some(former)) => return former.open(packet),
            (Err(_), _) => {}
        }
        opened
    }
}

/// One key, one way.
struct Direction {
    rtp: Stream,
    rtcp: Stream,
    tag: usize,
}

impl Direction {
    fn new(suite: SrtpSuite, master: &SrtpKey) -> Option<Self> {
        let tag = match suite {
            SrtpSuite::AesCm128HmacSha1_80 => 10,
            SrtpSuite::AesCm128HmacSha1_32 => 4,
        };
        Some(Self { rtp: Stream::new(master, 0)?, rtcp: Stream::new(master, 3)?, tag })
    }

    fn protect_rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let whole = length.checked_add(self.tag)?;
        let (packet, rest) = buffer.get_mut(..whole)?.split_at_mut_checked(length)?;
        let (header, ssrc, number) = rtp_header(packet)?;
        let index = self.rtp.number_of(ssrc, number)?;
        self.rtp.take(ssrc, index).ok()?;
        self.rtp.apply(ssrc, index, packet.get_mut(header..)?)?;
        let tag = self.rtp.sign(&[packet, &roc(index)])?;
        rest.copy_from_slice(tag.get(..self.tag)?);
        Some(whole)
    }

    fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let whole = length.checked_add(SRTP_OVERHEAD)?;
        let (signed, tag) = buffer.get_mut(..whole)?.split_at_mut_checked(length.checked_add(RTCP_INDEX)?)?;
        let (packet, index_at) = signed.split_at_mut_checked(length)?;
        let ssrc = word(packet, 4)?;
        let index = self.rtcp.newest(ssrc).map_or(0, |last| last.wrapping_add(1));
        let index_word = u32::try_from(index).ok().filter(|i| *i < ENCRYPTED)?;
        self.rtcp.take(ssrc, index).ok()?;
        self.rtcp.apply(ssrc, index, packet.get_mut(RTCP_HEADER..)?)?;
        index_at.copy_from_slice(&(index_word | ENCRYPTED).to_be_bytes());
        let sum = self.rtcp.sign(&[signed])?;
        tag.copy_from_slice(sum.get(..RTCP_TAG)?);
        Some(whole)
    }

    fn open(&mut self, packet: &mut [u8]) -> Result<usize, SrtpFault> {
        if is_rtcp(packet) { self.open_rtcp(packet) } else { self.open_rtp(packet) }
    }

    fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpFault> {
        const NOT_HIS: SrtpFault = SrtpFault::Unauthentic;
        let length = packet.len().checked_sub(self.tag).ok_or(NOT_HIS)?;
        let (packet, tag) = packet.split_at_mut_checked(length).ok_or(NOT_HIS)?;
        let (header, ssrc, number) = rtp_header(packet).ok_or(NOT_HIS)?;
        let is_new = self.rtp.newest(ssrc).is_none();
        let first = self.rtp.number_of(ssrc, number).ok_or(SrtpFault::Replayed)?;
        // The first packet that we see may come just behind a wrap of its numbers.
        let second = (is_new && number < 1 << 15).then_some(first | 1 << 16);
        let index = [Some(first), second].into_iter().flatten().find(|index| {
            let sum = self.rtp.sign(&[packet, &roc(*index)]);
            sum.is_some_and(|sum| sum.get(..self.tag).is_some_and(|sum| constant_time_eq(sum, tag)))
        });
        let index = index.ok_or(NOT_HIS)?;
        self.rtp.take(ssrc, index)?;
        let payload = packet.get_mut(header..).ok_or(NOT_HIS)?;
        self.rtp.apply(ssrc, index, payload).ok_or(NOT_HIS)?;
        Ok(length)
    }

    fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpFault> {
        const NOT_HIS: SrtpFault = SrtpFault::Unauthentic;
        let signed = packet.len().checked_sub(RTCP_TAG).ok_or(NOT_HIS)?;
        let length = signed.checked_sub(RTCP_INDEX).filter(|n| *n >= RTCP_HEADER).ok_or(NOT_HIS)?;
        let (signed, tag) = packet.split_at_mut_checked(signed).ok_or(NOT_HIS)?;
        let index = word(signed, length).ok_or(NOT_HIS)?;
        let sum = self.rtcp.sign(&[signed]).ok_or(NOT_HIS)?;
        let is_his = sum.get(..RTCP_TAG).is_some_and(|sum| constant_time_eq(sum, tag));
        // Unencrypted reports were not agreed.
        if !is_his || index & ENCRYPTED == 0 {
            return Err(NOT_HIS);
        }
        let (ssrc, index) = (word(signed, 4).ok_or(NOT_HIS)?, u64::from(index & !ENCRYPTED));
        self.rtcp.take(ssrc, index)?;
        let payload = signed.get_mut(RTCP_HEADER..length).ok_or(NOT_HIS)?;
        self.rtcp.apply(ssrc, index, payload).ok_or(NOT_HIS)?;
        Ok(length)
    }
}

/// The session keys of RTP or of RTCP, and which packets had theirs.
struct Stream {
    cipher: Box<dyn StreamCipher>,
    mac: Box<dyn Mac>,
    salt: [u8; 14],
    /// The sources heard last, the latest first.
    seen: Vec<(u32, Window)>,
    /// Those before them by number, with their newest index.
    former: Vec<(u32, u64)>,
}

impl Stream {
    /// Derives them from the master key (section 4.3.1); `label` is the first of three.
    fn new(master: &SrtpKey, label: u8) -> Option<Self> {
        let (key, auth, salt) =
            (derive::<16>(master, label)?, derive::<20>(master, label.checked_add(1)?)?, label);
        Some(Self {
            cipher: RingCrypto.new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, &key).ok()?,
            mac: RingCrypto.new_hmac(HmacAlgorithm::Sha1, &auth).ok()?,
            salt: derive::<14>(master, salt.checked_add(2)?)?,
            seen: Vec::new(),
            former: Vec::new(),
        })
    }

    fn window(&self, ssrc: u32) -> Option<&Window> {
        self.seen.iter().find(|(s, _)| *s == ssrc).map(|(_, w)| w)
    }

    /// The highest index of a source.
    fn newest(&self, ssrc: u32) -> Option<u64> {
        self.window(ssrc).map(|w| w.newest).or_else(|| self.former_newest(ssrc))
    }

    fn former_newest(&self, ssrc: u32) -> Option<u64> {
        let at = self.former.binary_search_by_key(&ssrc, |(s, _)| *s).ok()?;
        self.former.get(at).map(|(_, newest)| *newest)
    }

    /// The index of a packet: the one nearest to the newest of its source (section 3.3.1). `None`: before the first.
    fn number_of(&self, ssrc: u32, number: u16) -> Option<u64> {
        const HALF: u64 = 1 << 15;
        let number = u64::from(number);
        let Some(newest) = self.newest(ssrc) else { return Some(number) };
        let (round, last) = (newest >> 16, newest & 0xFFFF);
        let round = if last < HALF && number > last.saturating_add(HALF) {
            round.checked_sub(1)?
        } else if last >= HALF && last.saturating_sub(HALF) > number {
            round.checked_add(1).filter(|r| u32::try_from(*r).is_ok())?
        } else {
            round
        };
        Some(round << 16 | number)
    }

    /// Marks an index as used. An error: it was, or it is too old to know, or there are too many sources.
    fn take(&mut self, ssrc: u32, index: u64) -> Result<(), SrtpFault> {
        if let Some(at) = self.seen.iter().position(|(s, _)| *s == ssrc) {
            if let Some((_, window)) = self.seen.get_mut(at) {
                window.take(index)?;
            }
            if let Some(later) = self.seen.get_mut(..=at) {
                later.rotate_right(1);
            }
            return Ok(());
        }
        let window = match self.former.binary_search_by_key(&ssrc, |(s, _)| *s) {
            Ok(at) => {
                // What it sent before cannot be told from copies of that.
                let newest = self.former.get(at).map_or(u64::MAX, |(_, newest)| *newest);
                let mut window = Window { newest, before: u128::MAX };
                window.take(index)?;
                self.former.remove(at);
                window
            }
            Err(_) if self.former.len() >= FORMER_SOURCES => return Err(SrtpFault::Replayed),
            Err(_) => Window { newest: index, before: 1 },
        };
        self.retire();
        self.seen.insert(0, (ssrc, window));
        Ok(())
    }

    /// Makes room for a source: that of whom nothing was heard for longest is remembered in short.
    fn retire(&mut self) {
        if self.seen.len() < SOURCES {
            return;
        }
        if let Some((ssrc, window)) = self.seen.pop()
            && let Err(at) = self.former.binary_search_by_key(&ssrc, |(s, _)| *s)
        {
            self.former.insert(at, (ssrc, window.newest));
        }
    }

    /// Encrypts or decrypts, which is the same (section 4.1.1).
    fn apply(&mut self, ssrc: u32, index: u64, bytes: &mut [u8]) -> Option<()> {
        let mut counter = [0; 16];
        let plain = (u128::from(ssrc) << 64) | (u128::from(index) << 16);
        let salt = self.salt.iter().fold(0u128, |n, b| n << 8 | u128::from(*b)) << 16;
        counter.copy_from_slice(&(plain ^ salt).to_be_bytes());
        self.cipher.apply_keystream(&counter, bytes).ok()
    }

    fn sign(&mut self, parts: &[&[u8]]) -> Option<[u8; 20]> {
        let mut sum = [0; 20];
        self.mac.sign(parts, &mut sum).ok().map(|()| sum)
    }
}

/// Which of a source's last packets were taken (section 3.3.2).
#[derive(Clone, Copy, Debug)]
struct Window {
    newest: u64,
    /// Bit n: the packet n before the newest was taken.
    before: u128,
}

impl Window {
    fn take(&mut self, index: u64) -> Result<(), SrtpFault> {
        if let Some(ahead) = index.checked_sub(self.newest).filter(|n| *n > 0) {
            let shifted = u32::try_from(ahead).ok().and_then(|n| self.before.checked_shl(n)).unwrap_or(0);
            (self.newest, self.before) = (index, shifted | 1);
            return Ok(());
        }
        let behind = self.newest.saturating_sub(index);
        let bit = u32::try_from(behind).ok().filter(|_| behind < WINDOW).and_then(|n| 1u128.checked_shl(n));
        match bit.filter(|bit| self.before & bit == 0) {
            Some(bit) => {
                self.before |= bit;
                Ok(())
            }
            None => Err(SrtpFault::Replayed),
        }
    }
}

/// A session key of `N` bytes: AES in counter mode over the master key, with the label in the salt (section 4.3.3).
fn derive<const N: usize>(master: &SrtpKey, label: u8) -> Option<[u8; N]> {
    let (key, salt) = master.0.split_at_checked(16)?;
    let salt = salt.iter().fold(0u128, |n, b| n << 8 | u128::from(*b)) << 16;
    let start = salt ^ (u128::from(label) << 64);
    let mut out = [0; N];
    for (part, n) in out.chunks_mut(16).zip(0u128..) {
        let mut block = (start ^ n).to_be_bytes();
        RingCrypto.block_encrypt(BlockCipherAlgorithm::Aes128, key, &mut block).ok()?;
        part.copy_from_slice(block.get(..part.len())?);
    }
    Some(out)
}

/// How long the header is, its source, its number.
fn rtp_header(packet: &[u8]) -> Option<(usize, u32, u16)> {
    let first = *packet.first()?;
    let number = u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]);
    let sources = usize::from(first & 0x0F).checked_mul(4)?;
    let mut length = sources.checked_add(12)?;
    if first & 0x10 != 0 {
        let words = word(packet, length)? & 0xFFFF;
        length = length.checked_add(4)?.checked_add(usize::try_from(words).ok()?.checked_mul(4)?)?;
    }
    (first >> 6 == 2 && length <= packet.len()).then_some((length, word(packet, 8)?, number))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    four.try_into().ok().map(u32::from_be_bytes)
}

/// The count of wraps, which the tag covers but no packet carries.
fn roc(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

#[cfg(test)]
mod tests;
