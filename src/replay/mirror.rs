//! A server that is nothing but far ends: it answers every call at once and speaks until the caller hangs up. What the
//! phones can bear is measured against it, for it does no more than they do themselves.
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use super::engine::{AT_ONCE, Engine, SLOTS, Sockets};
use crate::base::{Now, Rng};
use crate::media::{Codec, FRAME_SAMPLES};
use crate::node::LegSound;
use crate::rtp::Header;
use crate::sip::{Incoming, InviteId, SipEvent, Status};

/// The codecs it answers with.
const CODECS: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];

/// A running mirror; ends when dropped.
#[derive(Debug)]
pub struct Mirror {
    /// Where it answers.
    pub address: SocketAddrV4,
    stop: Arc<AtomicBool>,
    standing_max: Arc<AtomicU64>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

struct Call {
    to: SocketAddrV4,
    payload_type: u8,
    sequence: u16,
    ssrc: u32,
}

struct Glass {
    engine: Engine,
    rng: Rng,
    sounds: BTreeMap<InviteId, (usize, LegSound)>,
    calls: Vec<Option<Call>>,
    free: Vec<usize>,
}

impl Mirror {
    /// Answers at this address; port 0: any.
    ///
    /// # Errors
    /// When there is no socket or no thread.
    pub fn start(at: SocketAddrV4) -> io::Result<Self> {
        let (stop, standing_max) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, most) = (Arc::clone(&stop), Arc::clone(&standing_max));
        let (tell, told) = mpsc::channel();
        // Its sockets are made on the thread that uses them.
        let thread = std::thread::Builder::new().name("mirror".to_owned()).spawn(move || {
            let mut glass = Glass::open(at)?;
            // Whoever asked may be gone.
            tell.send(glass.engine.local).ok();
            while !stopped.load(Ordering::Relaxed) {
                glass.step()?;
                most.fetch_max(glass.sounds.len() as u64, Ordering::Relaxed);
            }
            Ok(())
        })?;
        let address = told.recv().map_err(|_| io::Error::other("the mirror found no socket"))?;
        Ok(Self { address, stop, standing_max, thread: Some(thread) })
    }

    /// Most calls at once so far.
    pub fn standing_max(&self) -> u64 {
        self.standing_max.load(Ordering::Relaxed)
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Whatever ended it, the calls against it have told.
            thread.join().ok();
        }
    }
}

impl Glass {
    fn open(at: SocketAddrV4) -> io::Result<Self> {
        let rng = Rng::from_number(1);
        let engine = Engine::open(at, "mirror", Sockets::Own, &rng)?;
        Ok(Self { engine, rng, sounds: BTreeMap::new(), calls: Vec::new(), free: Vec::new() })
    }

    fn step(&mut self) -> io::Result<()> {
        for _ in 0..AT_ONCE {
            if !self.engine.take_sip()? {
                break;
            }
            let now = self.engine.now();
            self.settle(now);
        }
        self.engine.read_sound(|_, _, _| {})?;
        let now = self.engine.now();
        self.speak(now);
        self.engine.sip.handle_timeout(now.mono);
        self.settle(now);
        self.engine.wait()
    }

    fn settle(&mut self, now: Now) {
        while let Some(event) = self.engine.poll_event() {
            match event {
                SipEvent::Incoming(incoming) => self.answer(now, &incoming),
                SipEvent::Ended { invite, .. } => {
                    if let Some((place, _)) = self.sounds.remove(&invite) {
                        if let Some(call) = self.calls.get_mut(place) {
                            *call = None;
                        }
                        self.free.push(place);
                    }
                }
                _ => {}
            }
        }
        self.engine.transmit(now.mono);
    }

    fn answer(&mut self, now: Now, incoming: &Incoming) {
        let place = self.free.pop().unwrap_or(self.calls.len());
        let Ok(port) = self.engine.seat(place) else {
            self.engine.sip.reject(now.mono, incoming.invite, Status::SERVICE_UNAVAILABLE, None);
            return;
        };
        let number = self.rng.next_u64() >> 2;
        let mut sound = LegSound::new((*self.engine.local.ip()).into(), port, &CODECS, number);
        let offer = incoming.offer.as_deref().unwrap_or_default();
        if place == self.calls.len() {
            self.calls.push(None);
        }
        let answered = sound.answer(offer).is_ok();
        let sdp = if answered { sound.take_answer() } else { Vec::new() };
        let Some((SocketAddr::V4(to), payload_type)) =
            sound.remote().filter(|_| answered).map(|r| (r.rtp, r.payload_type))
        else {
            self.free.push(place);
            self.engine.sip.reject(now.mono, incoming.invite, Status::NOT_ACCEPTABLE_HERE, None);
            return;
        };
        self.engine.sip.answer(now.mono, incoming.invite, sdp);
        if let Some(call) = self.calls.get_mut(place) {
            *call = Some(Call { to, payload_type, sequence: 0, ssrc: self.rng.next_u32() });
        }
        self.sounds.insert(incoming.invite, (place, sound));
    }

    /// Each call in its slot: silence with a ripple, as long as it stands.
    fn speak(&mut self, now: Now) {
        let due = self.engine.due(now.mono);
        for ms in due.first..due.first + due.count {
            let mut place = usize::try_from(ms % SLOTS as u64).unwrap_or(0);
            while place < self.calls.len() {
                if let Some(Some(call)) = self.calls.get_mut(place) {
                    call.sequence = call.sequence.wrapping_add(1);
                    let header = Header {
                        payload_type: call.payload_type,
                        marker: call.sequence == 1,
                        sequence: call.sequence,
                        timestamp: u32::from(call.sequence).wrapping_mul(160),
                        ssrc: call.ssrc,
                    };
                    let (mut head, to) = ([0; 12], call.to);
                    if header.write(&[], &mut head).is_some() {
                        self.engine.say(place, to, &head, &[0x2A; FRAME_SAMPLES]);
                    }
                }
                place += SLOTS;
            }
        }
    }
}
