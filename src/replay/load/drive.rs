//! The tool's loop: read SIP, read sound, speak what is due, go on in the plan. One thread, a step each millisecond.
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::bare::BareSender;
use super::ear::{Ear, Ears, TONES};
use super::phone::{Mouth, Phone};
use super::plan::{Held, Measured, Phase};
use super::report::LoadReport;
use super::watch::{self, Usage};
use super::wire::{Wire, udp};
use super::{LoadError, LoadSettings, Progress};
use crate::base::{Instant, Now, Rng};
use crate::io::Clock;
use crate::media::{Codec, FRAME_SAMPLES, Tone};
use crate::rtp::{Header, Packet, is_rtcp};
use crate::sip::{
    Destination, InviteId, Listener, ListenerId, ListenerTransport, UserAgent, UserAgentSettings,
};

/// The tool's one SIP listener.
pub(super) const UDP: ListenerId = ListenerId(0);
/// Phones that share a socket.
const OF_ONE_WIRE: usize = 250;
/// Slots of a frame: each phone speaks in its own.
const SLOTS: usize = 20;
/// Packets that a caller of [`Scenario::Calls`] wants to hear: a second.
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
    pub(super) sip: UserAgent,
    socket: UdpSocket,
    pub(super) wires: Vec<Wire>,
    poll: Poll,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) phones: Vec<Option<Phone>>,
    pub(super) free: Vec<usize>,
    pub(super) of_invite: BTreeMap<InviteId, usize>,
    /// Which phone hears what the server sends from a port, by port.
    pub(super) of_port: Vec<u32>,
    /// The agent's phone of each call.
    pub(super) agent_of: BTreeMap<usize, usize>,
    pub(super) ears: Ears,
    pub(super) answer_us: hdrhistogram::Histogram<u64>,
    pub(super) counts: Counts,
    pub(super) phase: Phase,
    tones: [[u8; FRAME_SAMPLES]; 3],
    quiet: [u8; FRAME_SAMPLES],
    pub(super) began: Instant,
    spoken_ms: u64,
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
        let socket = udp(SocketAddrV4::new(settings.at, settings.port))?;
        let address = socket.local_addr()?;
        let poll = Poll::new()?;
        let watch = |fd: i32, token: usize| {
            poll.registry().register(&mut SourceFd(&fd), Token(token), Interest::READABLE)
        };
        watch(std::os::fd::AsRawFd::as_raw_fd(&socket), usize::MAX)?;
        let mut wires = Vec::new();
        for n in 0..=(3 * settings.size.min(6_000)) / OF_ONE_WIRE {
            let wire = Wire::open(settings.at)?;
            watch(wire.fd(), n)?;
            wires.push(wire);
        }
        let rng = Rng::from_number(settings.seed);
        let listener =
            Listener { id: UDP, transport: ListenerTransport::Udp, local: address, advertised: address };
        let mut ua = UserAgentSettings::new(vec![listener], "load");
        ua.limits.invites = 200_000;
        "hotline-load".clone_into(&mut ua.server_name);
        let clock = Clock::start();
        let began = clock.mono();
        let idle = settings.pid.map(watch::usage).unwrap_or_default();
        let phase = if settings.agents.is_empty() { Phase::Rise } else { Phase::Register };
        let bare_wire = Wire::open(settings.at)?;
        watch(bare_wire.fd(), wires.len())?;
        let to = SocketAddrV4::new(settings.at, bare_wire.port());
        let (sender, from) = BareSender::start(SocketAddrV4::new(settings.at, 0), to)?;
        Ok(Self {
            sip: UserAgent::new(ua, &rng.fork("sip")),
            socket,
            wires,
            poll,
            clock,
            rng: rng.fork("phones"),
            phones: Vec::new(),
            free: Vec::new(),
            of_invite: BTreeMap::new(),
            of_port: vec![u32::MAX; 65_536],
            agent_of: BTreeMap::new(),
            ears: Ears::new()?,
            answer_us: hdrhistogram::Histogram::new_with_max(60_000_000, 3)?,
            counts: Counts::default(),
            phase,
            tones: TONES.map(frame_of),
            quiet: [0xD5; FRAME_SAMPLES],
            began,
            spoken_ms: began.as_millis(),
            bare: Bare { wire: bare_wire, sender, ears: Ears::new()?, ear: Ear::default(), from },
            idle,
            held: None,
            measured: None,
            heard: Vec::new(),
            settings,
        })
    }

    pub(super) fn run(mut self, mut watch: impl FnMut(Progress)) -> Result<LoadReport, LoadError> {
        let mut events = Events::with_capacity(256);
        let mut told = 0;
        if self.phase == Phase::Register {
            self.register_all();
        }
        loop {
            self.read_sip()?;
            self.read_sound()?;
            let now = self.clock.now();
            self.speak(now);
            self.sip.handle_timeout(now.mono);
            self.plan(now);
            self.settle(now);
            if now.mono.as_millis() / 500 != told {
                told = now.mono.as_millis() / 500;
                watch(self.progress());
            }
            if self.is_over(now.mono) {
                return Ok(self.report());
            }
            if let Err(e) = self.poll.poll(&mut events, Some(Duration::from_millis(1)))
                && e.kind() != io::ErrorKind::Interrupted
            {
                return Err(e.into());
            }
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
        let mut buffer = [0; 4_096];
        // A share at a time: sound must not wait for a burst of signalling.
        for _ in 0..64 {
            match self.socket.recv_from(&mut buffer) {
                Ok((n, from)) => {
                    let bytes = buffer.get(..n).unwrap_or_default();
                    let now = self.clock.now();
                    self.sip.handle_datagram(now.mono, UDP, from, bytes);
                    self.settle(now);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn read_sound(&mut self) -> io::Result<()> {
        let (of_port, phones, ears) = (&self.of_port, &mut self.phones, &mut self.ears);
        for wire in &mut self.wires {
            wire.read(|heard| {
                if is_rtcp(heard.bytes) {
                    return;
                }
                let at = of_port.get(usize::from(heard.from.port())).copied().unwrap_or(u32::MAX);
                let phone =
                    usize::try_from(at).ok().and_then(|at| phones.get_mut(at)).and_then(Option::as_mut);
                if let (Some(phone), Ok(packet)) = (phone, Packet::read(heard.bytes)) {
                    phone.ear.hear(ears, heard.at_ns, &packet);
                }
            })?;
        }
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
    fn speak(&mut self, now: Now) {
        let ms = now.mono.as_millis();
        // After a pause of the machine each phone says at most one frame late, not all that it missed.
        self.spoken_ms = self.spoken_ms.max(ms.saturating_sub(SLOTS as u64));
        while self.spoken_ms < ms {
            self.spoken_ms += 1;
            let slot = usize::try_from(self.spoken_ms).unwrap_or(0) % SLOTS;
            let mut at = slot;
            while at < self.phones.len() {
                self.say(at);
                at += SLOTS;
            }
        }
        for wire in &mut self.wires {
            wire.flush();
        }
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
        let (call, wire) = (phone.call, phone.wire);
        if header.write(&[], &mut head).is_some()
            && let Some(wire) = self.wires.get_mut(wire)
        {
            wire.send(to, &head, payload);
            if burst {
                wire.flush();
            }
        }
        if burst {
            let said = u64::try_from(self.clock.now().utc.as_micros()).unwrap_or(0) * 1_000;
            let partner = self.agent_of.get(&call).copied();
            if let Some(Some(agent)) = partner.and_then(|p| self.phones.get_mut(p)) {
                agent.ear.expect_burst(said);
            }
        }
    }

    /// Everything that SIP wants done.
    pub(super) fn settle(&mut self, now: Now) {
        while let Some(event) = self.sip.poll_event() {
            self.on_sip(now, event);
        }
        while let Some(transmit) = self.sip.poll_transmit() {
            if let Destination::Datagram { to, .. } = transmit.to {
                // SIP sends again what is lost.
                self.socket.send_to(&transmit.bytes, to).ok();
            }
        }
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
