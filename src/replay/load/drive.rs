//! The tool's loop: read SIP, read sound, speak what is due, go on in the plan. One thread, a step each millisecond.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people: no count comes near 2^52"
)]
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::bare::BareSender;
use super::ear::{Ear, Ears, TONES};
use super::phone::{Mouth, Phone, Role};
use super::report::{LoadReport, Percentiles};
use super::watch::{self, Usage};
use super::wire::{Wire, udp};
use super::{LoadError, LoadSettings, Progress, Scenario};
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
/// After the last call stands, before it is measured.
const SETTLE: Duration = Duration::from_secs(3);
/// How long the calls' ends may take.
const FALL: Duration = Duration::from_secs(15);
/// How long calls may take to stand, beside the time in which they are begun.
const RISE: Duration = Duration::from_secs(40);
/// Packets that a caller of [`Scenario::Calls`] wants to hear: a second.
pub(super) const WANTED_PACKETS: u64 = 50;

/// How far the plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Register,
    Rise,
    Settle(Instant),
    Hold(Instant),
    Fall(Instant),
}

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
    began: Instant,
    spoken_ms: u64,
    bare: Bare,
    idle: Usage,
    held: Option<Held>,
    measured: Option<Measured>,
    heard: Vec<(String, usize)>,
}

struct Bare {
    wire: Wire,
    sender: BareSender,
    ears: Ears,
    ear: Ear,
    from: SocketAddrV4,
}

#[derive(Clone, Copy)]
struct Held {
    at: Instant,
    server: Usage,
    tool: Usage,
    drops: (u64, u64),
    dialled: usize,
}

#[derive(Clone, Copy)]
struct Measured {
    seconds: f64,
    server: Usage,
    before: Usage,
    tool_cpu: f64,
    drops: (u64, u64),
    standing: usize,
    listening: usize,
    dialled: usize,
    right: usize,
    wrong: usize,
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

    /// What follows from what stands and from the time.
    fn plan(&mut self, now: Now) {
        self.press_keys(now.mono);
        match self.phase {
            Phase::Register => {
                self.sign_in_next(now);
                if self.counts.signed_in >= self.settings.agents.len() {
                    self.began = now.mono;
                    self.phase = Phase::Rise;
                }
            }
            Phase::Rise => self.rise(now),
            Phase::Settle(until) if until <= now.mono => self.begin_hold(now.mono),
            Phase::Hold(until) if until <= now.mono => self.begin_fall(now.mono),
            Phase::Settle(_) | Phase::Hold(_) | Phase::Fall(_) => {}
        }
    }

    fn rise(&mut self, now: Now) {
        let passed = now.mono.since(self.began).as_secs_f64();
        let due = (passed * self.settings.rate) as usize;
        let mut at_once = 0;
        while self.counts.dialled < due.min(self.settings.size) && at_once < 64 {
            self.dial(now);
            at_once += 1;
        }
        let late =
            self.began + Duration::from_secs_f64(self.settings.size as f64 / self.settings.rate) + RISE;
        if self.settings.scenario == Scenario::Calls {
            // All of it is measured, but the beginning.
            let beginning = (self.settings.size as f64 / self.settings.rate / 4.0).min(1.0);
            if self.held.is_none() && passed > beginning {
                self.begin_hold(now.mono);
                self.phase = Phase::Rise;
            }
            if self.counts.dialled == self.settings.size || late <= now.mono {
                self.begin_fall(now.mono);
            }
        } else if (self.counts.dialled == self.settings.size && self.all_stand()) || late <= now.mono {
            self.phase = Phase::Settle(now.mono + SETTLE);
        }
    }

    fn all_stand(&self) -> bool {
        let legs = match self.settings.scenario {
            Scenario::Callers | Scenario::Calls => 1,
            Scenario::Bridges => 2,
            Scenario::Conferences => 3,
        };
        let keys_done = self.phones.iter().flatten().all(|p| p.key_at.is_none());
        let up = self.phones.iter().flatten().filter(|p| p.up).count();
        keys_done && up + self.counts.refused + self.counts.failed >= legs * self.settings.size
    }

    fn usages(&self) -> (Usage, Usage) {
        (self.settings.pid.map(watch::usage).unwrap_or_default(), watch::usage(std::process::id()))
    }

    fn drops(&self) -> (u64, u64) {
        let (first, last) = self.settings.server_ports;
        let at = *self.settings.server.ip();
        (watch::drops(self.settings.at, |_| true), watch::drops(at, |p| (first..=last).contains(&p)))
    }

    fn begin_hold(&mut self, now: Instant) {
        let (server, tool) = self.usages();
        self.held = Some(Held { at: now, server, tool, drops: self.drops(), dialled: self.counts.dialled });
        self.ears.counting = true;
        for phone in self.phones.iter_mut().flatten() {
            phone.ear.begin();
        }
        self.phase = Phase::Hold(now + self.settings.hold);
    }

    fn begin_fall(&mut self, now: Instant) {
        self.ears.counting = false;
        if let Some(held) = self.held {
            let (server, tool) = self.usages();
            let drops = self.drops();
            let seconds = now.since(held.at).as_secs_f64();
            let (right, wrong) = self.judge();
            self.heard = self.what_was_heard();
            let caller = |p: &&Phone| p.role == Role::Caller && p.up;
            self.measured = Some(Measured {
                seconds,
                server,
                before: held.server,
                tool_cpu: tool.cpu_ns.saturating_sub(held.tool.cpu_ns) as f64 / 1e9 / seconds,
                drops: (drops.0.saturating_sub(held.drops.0), drops.1.saturating_sub(held.drops.1)),
                standing: self.phones.iter().flatten().filter(caller).count(),
                listening: self.phones.iter().flatten().filter(|p| p.up).count(),
                dialled: self.counts.dialled - held.dialled,
                right,
                wrong,
            });
        }
        self.phase = Phase::Fall(now + FALL);
        if self.settings.scenario != Scenario::Calls {
            self.hang_up_all(now);
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Fall(by) if self.of_invite.is_empty() || by <= now)
    }

    fn report(self) -> LoadReport {
        let Some(m) = self.measured else { return LoadReport::default() };
        let server_cpu = (m.server.cpu_ns.saturating_sub(m.before.cpu_ns)) as f64 / 1e9;
        let calls = self.settings.scenario == Scenario::Calls;
        let stood = if calls { self.counts.good } else { m.standing };
        let unsent = self.wires.iter().map(|w| w.unsent).sum();
        drop(self.bare.sender);
        LoadReport {
            scenario: self.settings.scenario.as_str().to_owned(),
            wanted: self.settings.size,
            good: stood,
            refused: self.counts.refused,
            failed: self.counts.failed,
            statuses: self.counts.statuses.into_iter().collect(),
            seconds: m.seconds,
            rate: m.dialled as f64 / m.seconds,
            answer: Percentiles::of(&self.answer_us),
            spacing: Percentiles::of(&self.ears.spacing_us),
            bare_spacing: Percentiles::of(&self.bare.ears.spacing_us),
            delay: Percentiles::of(&self.ears.delay_us),
            packets: self.ears.packets,
            packets_due: if calls {
                m.dialled as u64 * WANTED_PACKETS
            } else {
                (m.listening as f64 * m.seconds * 50.0) as u64
            },
            lost: self.ears.lost,
            dropped_at_tool: m.drops.0,
            dropped_at_server: m.drops.1,
            unsent,
            ears_right: m.right,
            ears_wrong: m.wrong,
            heard: self.heard,
            server_cpu: server_cpu / m.seconds,
            server_cpu_us_a_call: if m.dialled > 0 { server_cpu * 1e6 / m.dialled as f64 } else { 0.0 },
            server_user_us_a_call: if m.dialled > 0 {
                m.server.user_us.saturating_sub(m.before.user_us) as f64 / m.dialled as f64
            } else {
                0.0
            },
            server_files: (self.idle.files, m.server.files),
            server_kb_a_call: if calls || m.standing == 0 {
                0.0
            } else {
                m.server.rss.saturating_sub(self.idle.rss) as f64 / 1_024.0 / m.standing as f64
            },
            tool_cpu: m.tool_cpu,
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
