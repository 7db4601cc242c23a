//! A phone's ear: the last seconds of what it heard, to be measured. What is heard is asserted by frequency, never by
//! anybody's word.
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::base::Key;
use crate::media::{SAMPLE_RATE, amplitude};

/// Samples kept: ten seconds.
const KEPT: usize = 10 * SAMPLE_RATE as usize;

#[derive(Debug, Default)]
struct Heard {
    samples: VecDeque<i16>,
    total: u64,
    packets: u64,
    lost: u64,
    doubled: u64,
    sources: Vec<u32>,
    last: Option<(u16, u32)>,
    /// Packets whose timestamp did not go on from the last one's as their numbers did.
    breaks: u64,
    /// The keys that were pressed at it, by RFC 4733.
    keys: String,
    /// Where the last packet came from.
    from: Option<SocketAddr>,
}

/// What one phone hears.
#[derive(Debug, Clone, Default)]
pub struct Ear {
    heard: Arc<Mutex<Heard>>,
    changed: Arc<Notify>,
}

/// What an ear counted in the newest call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarFigures {
    /// RTP packets heard.
    pub packets: u64,
    /// Sequence numbers that never came.
    pub lost: u64,
    /// Sequence numbers that came again or late.
    pub doubled: u64,
    /// Synchronisation sources, in the order in which they were first heard.
    pub sources: Vec<u32>,
    /// Packets whose timestamp went back.
    pub breaks: u64,
}

impl Ear {
    /// A call begins: nothing was heard in it yet.
    pub(super) fn begin(&self) {
        *self.lock() = Heard::default();
    }

    /// A packet came.
    pub(super) fn hear(&self, from: SocketAddr, header: crate::rtp::Header, samples: &[i16]) {
        {
            let mut h = self.lock();
            h.from = Some(from);
            h.packets += 1;
            if !h.sources.contains(&header.ssrc) && h.sources.len() < 16 {
                h.sources.push(header.ssrc);
            }
            if let Some((sequence, timestamp)) = h.last {
                match header.sequence.wrapping_sub(sequence) {
                    1 => {}
                    0 | 0x8000.. => h.doubled += 1,
                    more => h.lost += u64::from(more - 1),
                }
                if header.timestamp.wrapping_sub(timestamp) >= 1 << 31 {
                    h.breaks += 1;
                }
            }
            h.last = Some((header.sequence, header.timestamp));
            h.total += samples.len() as u64;
            h.samples.extend(samples);
            let over = h.samples.len().saturating_sub(KEPT);
            h.samples.drain(..over);
        }
        self.changed.notify_waiters();
    }

    /// A key was pressed at it.
    pub(super) fn key(&self, key: Key) {
        let mut h = self.lock();
        if h.keys.len() < 256 {
            h.keys.push(key.as_char());
        }
    }

    /// The keys that were pressed at it in the newest call, one after the other.
    pub fn keys(&self) -> String {
        self.lock().keys.clone()
    }

    /// The far end rests: silence in place of what it does not send.
    pub(super) fn rest(&self, samples: usize) {
        {
            let mut h = self.lock();
            h.total += samples as u64;
            h.samples.extend(std::iter::repeat_n(0, samples));
            let over = h.samples.len().saturating_sub(KEPT);
            h.samples.drain(..over);
        }
        self.changed.notify_waiters();
    }

    /// What was counted.
    pub fn figures(&self) -> EarFigures {
        let h = self.lock();
        EarFigures {
            packets: h.packets,
            lost: h.lost,
            doubled: h.doubled,
            sources: h.sources.clone(),
            breaks: h.breaks,
        }
    }

    /// Where the sound of the newest call comes from.
    pub fn heard_from(&self) -> Option<SocketAddr> {
        self.lock().from
    }

    /// Everything heard since the last [`Ear::rinse`], of the last ten seconds.
    pub fn all(&self) -> Vec<i16> {
        self.lock().samples.iter().copied().collect()
    }

    /// Forgets what was heard so far: what is measured next came after this.
    pub fn rinse(&self) {
        self.lock().samples.clear();
    }

    /// The last `window` of sound, if that much was heard since the last [`Ear::rinse`].
    pub fn last(&self, window: Duration) -> Option<Vec<i16>> {
        let n = usize::try_from(crate::media::samples_in(window)).ok()?;
        let h = self.lock();
        let from = h.samples.len().checked_sub(n)?;
        Some(h.samples.range(from..).copied().collect())
    }

    /// The amplitude of each frequency in the last `window`, in sample units (full scale 32,767).
    pub fn levels(&self, frequencies: &[f64], window: Duration) -> Option<Vec<f64>> {
        let samples = self.last(window)?;
        Some(frequencies.iter().map(|f| amplitude(&samples, *f)).collect())
    }

    /// The root of the mean square of the last `window`, in sample units.
    pub fn loudness(&self, window: Duration) -> Option<f64> {
        let samples = self.last(window)?;
        let sum: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
        let n = u32::try_from(samples.len()).ok().filter(|n| *n > 0)?;
        Some((sum / f64::from(n)).sqrt())
    }

    /// Waits until `good` holds, looking again after each packet; `None` after `within`.
    pub async fn until<T>(&self, within: Duration, mut good: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                // Registered before looking, so that a packet in between is not missed.
                changed.as_mut().enable();
                if let Some(found) = good(self) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(within, wait).await.ok()
    }

    /// A thread that panicked left whole packets behind.
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
