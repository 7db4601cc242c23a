//! The tool's loop: read SIP, read sound, speak what is due, go on in the plan. One thread, a step each millisecond.
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};

use super::bare::BareSender;
use super::ear::{Ear, Ears, TONES};
use super::phone::{Mouth, Phone};
use super::plan::{Held, Measured, Phase};
use super::report::LoadReport;
use super::{LoadError, LoadSettings, Progress};
use crate::base::{Instant, Now, Rng};
use crate::media::{Codec, FRAME_SAMPLES, Tone};
use crate::replay::engine::watch::{self, Usage};
use crate::replay::engine::{AT_ONCE, BUFFER, Engine, SLOTS, Sockets, Wire};
use crate::rtp::{Header, Packet};
use crate::sip::InviteId;

/// Packets that a caller of [`Scenario::Calls`](super::Scenario::Calls) wants to hear: a second.
pub(super) const WANTED_PACKETS: u64 = 50;

/// What was counted of calls.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) dialled: usize,
    pub(super) refused: usize,
    pub(super) failed: usize,
    pub(super) good: usize,
    pub(super) statuses: BTreeMap<u16, usize>,
    pub(super) signed_in: usize,
    pub(super) sign_ins: usize,
    pub(super) merchants: usize,
}

/// Everything of a load being played.
pub(super) struct Drive {
    pub(super) settings: LoadSettings,
    pub(super) engine: Engine,
    pub(super) rng: Rng,
    pub(super) phones: Vec<Option<Phone>>,
    pub(super) free: Vec<usize>,
    pub(super) of_invite: BTreeMap<InviteId, usize>,
    /// The agent's phone of each call.
    pub(super) agent_of: BTreeMap<usize, usize>,
    pub(super) ears: Ears,
    pub(super) answer_us: hdrhistogram::Histogram<u64>,
    /// How long after its moment a call was begun.
    pub(super) late_us: hdrhistogram::Histogram<u64>,
    pub(super) counts: Counts,
    pub(super) phase: Phase,
    tones: [[u8; FRAME_SAMPLES]; 3],
    quiet: [u8; FRAME_SAMPLES],
    pub(super) began: Instant,
    pub(super) bare: Bare,
    pub(super) idle: Usage,
    pub(super) held: Option<Held>,
    pub(super) measured: Option<Measured>,
    pub(super) heard: Vec<(String, usize)>,
}

/// The paced sender beside which ours are measured.
pub(super) struct Bare {
    wire: Wire,
    pub(super) sender: BareSender,
    pub(super) ears: Ears,
    ear: Ear,
    from: SocketAddrV4,
}

impl Drive {
    pub(super) fn open(settings: LoadSettings) -> Result<Self, LoadError> {
        let rng = Rng::from_number(settings.seed);
        let at = SocketAddrV4::new(settings.at, settings.port);
        let engine = Engine::open(at, "load", Sockets::Shared(3 * settings.size.min(6_000)), &rng)?;
        let began = engine.clock.mono();
        let idle = settings.pid.map(watch::usage).unwrap_or_default();
        let phase = if settings.agents.is_empty() { Phase::Rise } else { Phase::Register };
        let bare_wire = Wire::open(settings.at, BUFFER)?;
        let to = SocketAddrV4::new(settings.at, bare_wire.port());
        let (sender, from) = BareSender::start(SocketAddrV4::new(settings.at, 0), to)?;
        Ok(Self {
            engine,
            rng: rng.fork("phones"),
            phones: Vec::new(),
            free: Vec::new(),
            of_invite: BTreeMap::new(),
            agent_of: BTreeMap::new(),
            ears: Ears::new()?,
            answer_us: hdrhistogram::Histogram::new_with_max(60_000_000, 3)?,
            late_us: hdrhistogram::Histogram::new_with_max(60_000_000, 3)?,
            counts: Counts::default(),
            phase,
            tones: TONES.map(frame_of),
            quiet: [0xD5; FRAME_SAMPLES],
            began,
            bare: Bare { wire: bare_wire, sender, ears: Ears::new()?, ear: Ear::default(), from },
            idle,
            held: None,
            measured: None,
            heard: Vec::new(),
            settings,
        })
    }

    pub(super) fn run(mut self, mut watch: impl FnMut(Progress)) -> Result<LoadReport, LoadError> {
        let mut told = 0;
        if self.phase == Phase::Register {
            self.register_all();
        }
        loop {
            self.read_sip()?;
            self.read_sound()?;
            let now = self.engine.now();
            self.speak(now.mono);
            self.engine.sip.handle_timeout(now.mono);
            self.plan(now);
            self.settle(now);
            if now.mono.as_millis() / 500 != told {
                told = now.mono.as_millis() / 500;
                watch(self.progress());
            }
            if self.is_over(now.mono) {
                return Ok(self.report());
            }
            self.engine.wait()?;
        }
    }

    fn progress(&self) -> Progress {
        let size = self.settings.size;
        match self.phase {
            Phase::Register => {
                Progress { what: "signing in", done: self.counts.signed_in, of: self.settings.agents.len() }
            }
            Phase::Rise => Progress { what: "calling", done: self.counts.dialled, of: size },
            Phase::Settle(_) => Progress { what: "settling", done: size, of: size },
            Phase::Hold(_) => Progress { what: "measuring", done: size, of: size },
            Phase::Fall(_) => Progress { what: "hanging up", done: self.of_invite.len(), of: size },
        }
    }

    fn read_sip(&mut self) -> io::Result<()> {
        for _ in 0..AT_ONCE {
            if !self.engine.take_sip()? {
                return Ok(());
            }
            let now = self.engine.now();
            self.settle(now);
        }
        Ok(())
    }

    fn read_sound(&mut self) -> io::Result<()> {
        let (phones, ears) = (&mut self.phones, &mut self.ears);
        self.engine.read_sound(|place, heard, packet| {
            if let Some(Some(phone)) = phones.get_mut(place) {
                phone.ear.hear(ears, heard.at_ns, packet);
            }
        })?;
        let Bare { wire, ears, ear, from, .. } = &mut self.bare;
        ears.counting = self.ears.counting;
        wire.read(|heard| {
            if let Ok(packet) = Packet::read(heard.bytes)
                && heard.from == *from
            {
                ear.hear(ears, heard.at_ns, &packet);
            }
        })
    }

    /// Every phone whose slot has come says its next frame.
    fn speak(&mut self, now: Instant) {
        let due = self.engine.due(now);
        for ms in due.first..due.first + due.count {
            let mut at = usize::try_from(ms % SLOTS as u64).unwrap_or(0);
            while at < self.phones.len() {
                self.say(at);
                at += SLOTS;
            }
        }
        self.engine.flush();
    }

    fn say(&mut self, at: usize) {
        let Some(Some(phone)) = self.phones.get_mut(at) else { return };
        let Some(to) = phone.to.filter(|_| phone.up && phone.mouth != Mouth::Shut) else { return };
        phone.sequence = phone.sequence.wrapping_add(1);
        let tone = self.tones.get(phone.role.tone()).unwrap_or(&self.quiet);
        let burst = phone.mouth == Mouth::Burst && phone.sequence % 50 == 0;
        let payload = if phone.mouth == Mouth::Tone || burst { tone } else { &self.quiet };
        let header = Header {
            payload_type: 8,
            marker: false,
            sequence: phone.sequence,
            timestamp: u32::from(phone.sequence).wrapping_mul(160),
            ssrc: phone.ssrc,
        };
        let mut head = [0; 12];
        let call = phone.call;
        if header.write(&[], &mut head).is_some() {
            self.engine.say(at, to, &head, payload);
            if burst {
                self.engine.flush_of(at);
            }
        }
        if burst {
            let said = u64::try_from(self.engine.now().utc.as_micros()).unwrap_or(0) * 1_000;
            let partner = self.agent_of.get(&call).copied();
            if let Some(Some(agent)) = partner.and_then(|p| self.phones.get_mut(p)) {
                agent.ear.expect_burst(said);
            }
        }
    }

    /// Everything that SIP wants done.
    pub(super) fn settle(&mut self, now: Now) {
        while let Some(event) = self.engine.poll_event() {
            self.on_sip(now, event);
        }
        self.engine.transmit(now.mono);
    }

    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::V4(self.settings.server)
    }
}

/// A frame of a tone in A-law.
fn frame_of(hz: f64) -> [u8; FRAME_SAMPLES] {
    let (mut samples, mut payload) = ([0; FRAME_SAMPLES], [0; FRAME_SAMPLES]);
    Tone::new(hz, 8_000.0).fill(&mut samples);
    Codec::Pcma.encode(&samples, &mut payload);
    payload
}
