//! `DeepDay`: a scenario down to the bytes. The real Node with its SIP and the real media plane, real phones with SIP and RTP
//! of their own, and between them a network that delays, loses, doubles and overtakes. For hundreds of calls.
//!
//! Invariant: nothing but the network and the people is modelled; what goes between two addresses is bytes.
mod people;
mod phone;
mod report;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use phone::{Phone, UDP};

use super::network::Network;
use super::schedule::Schedule;
use super::{Agent, Callers, Plan, Weather, pcap_head};
use crate::base::{AgentId, CallId, Instant, Language, LegId, Lookup, Now, PromptId, Rng, TicketId};
use crate::exchange::acd::RanAhead;
use crate::exchange::{ExchangeSettings, NumberedFact};
use crate::media::{Codec, FRAME_SAMPLES, LegFigures, MediaPlane, PromptLibrary, Tone};
use crate::node::{GuardSettings, Node, NodeOutput, NodeSettings};
use crate::sip::{Account, Listener, ListenerTransport, Transmit, UserAgentSettings};
use people::{CallerLine, Deed};
pub use report::DeepReport;

/// The hotline's address.
const HOTLINE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SIP_PORT: u16 = 5060;
/// Its RTP ports.
const PORTS: (u16, u16) = (16_384, 32_766);
/// What the disk takes.
const DISK: Duration = Duration::from_millis(5);
/// A frame of sound.
const FRAME: Duration = crate::media::FRAME;
/// After the last caller came, the rest are served for at most so long.
const AFTERWARDS: Duration = Duration::from_hours(1);
/// A phone is put away so long after its call: its answers may have to be sent again.
const PUT_AWAY: Duration = Duration::from_secs(40);
const PASSWORD: &str = "as good as any here";

/// Who is behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Caller(u64),
    Agent(usize),
}

/// What will happen.
#[derive(Debug)]
enum Event {
    /// A datagram arrives.
    Comes { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    /// A phone's user agent wants to be woken.
    Wakes(Ipv4Addr),
    /// A phone speaks the next 20 ms.
    Speaks(Ipv4Addr),
    /// The disk has everything up to here.
    Stored(Stored),
    /// A phone is put away.
    PutAway(Ipv4Addr),
    /// A batch of futures was run.
    RanAhead(Box<RanAhead>),
    /// Somebody does something.
    Does(Deed),
}

#[derive(Debug)]
enum Stored {
    Place(CallId, TicketId),
    Message(Transmit),
}

/// Who is handed the bytes of a capture.
pub type Capture<'a> = &'a mut dyn FnMut(&[u8]);

/// A deep run.
pub struct DeepDay<'a> {
    plan: Plan,
    weather: Weather,
    node: Node,
    plane: MediaPlane,
    now: Now,
    schedule: Schedule<Event>,
    network: Network,
    rng: Rng,
    phones: BTreeMap<Ipv4Addr, (Phone, Owner)>,
    /// Phones that were spoken to and have not been heard.
    touched: BTreeSet<Ipv4Addr>,
    speaking: BTreeSet<Ipv4Addr>,
    ports: Lookup<u16, LegId>,
    leg_ports: Lookup<LegId, u16>,
    coming: Callers,
    calls_max: u64,
    next: Option<super::Caller>,
    callers: Lookup<u64, CallerLine>,
    by_phone: Lookup<String, u64>,
    calls: Lookup<CallId, u64>,
    agents: Vec<Agent>,
    agent_turns: Vec<u32>,
    agent_index: Lookup<AgentId, usize>,
    frame: [u8; FRAME_SAMPLES],
    report: DeepReport,
    hash: super::FactHash,
    pcap: Option<Capture<'a>>,
    record: Vec<u8>,
}

impl fmt::Debug for DeepDay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeepDay").field("node", &self.node).finish_non_exhaustive()
    }
}

fn hotline(port: u16) -> SocketAddr {
    SocketAddr::from((HOTLINE, port))
}

/// 20 ms of 440 Hz in G.711 A-law: the same for all, since nobody listens to the words.
fn frame_of_sound() -> [u8; FRAME_SAMPLES] {
    let mut samples = [0; FRAME_SAMPLES];
    Tone::new(440.0, 8_000.0).fill(&mut samples);
    let mut frame = [0; FRAME_SAMPLES];
    Codec::Pcma.encode(&samples, &mut frame);
    frame
}

fn settings(plan: &Plan) -> NodeSettings {
    let at = hotline(SIP_PORT);
    let listener = Listener { id: UDP, transport: ListenerTransport::Udp, local: at, advertised: at };
    let mut sip = UserAgentSettings::new(vec![listener], "hotline");
    let ids = plan.scenario.agents.iter().flat_map(|g| &g.ids);
    sip.accounts = ids.map(|id| (id.clone(), Account::from_password(id, "hotline", PASSWORD))).collect();
    NodeSettings {
        exchange: ExchangeSettings { check_every: 1, ..ExchangeSettings::default() },
        media_addresses: BTreeMap::from([(UDP, at.ip())]),
        sip,
        srtp: BTreeMap::new(),
        codecs: vec![Codec::Pcma],
        // Nobody brings in a third party here.
        trunks: BTreeMap::new(),
        own_addresses: Arc::from([at]),
        domains: Vec::new(),
        signal_hold: false,
        guard: GuardSettings::default(),
        retry_after_s: 5,
        ask_phones: Duration::ZERO,
    }
}

/// Prompts as long as the real ones, without their sound: for whoever has no files.
pub fn silent_prompts(plan: &Plan) -> PromptLibrary {
    let mut library = PromptLibrary::new(crate::media::GAP);
    for (language, id) in plan.lengths.ids() {
        let length = plan.lengths.of(language, std::slice::from_ref(id)).saturating_sub(crate::media::GAP);
        let samples = vec![0; usize::try_from(length.as_millis() * 8).unwrap_or(0)];
        library.add_samples(language, id.clone(), &samples);
    }
    let music = vec![0; 80_000];
    for language in Language::ALL {
        for id in plan.menus.queues.values().map(|q| q.music.clone()).collect::<BTreeSet<PromptId>>() {
            library.add_samples(language, id, &music);
        }
    }
    library
}

impl<'a> DeepDay<'a> {
    /// A run of at most `calls_max` callers. `pcap` is handed the bytes of a capture at the hotline, if it is wanted.
    pub fn new(
        plan: Plan,
        (seed, calls_max): (u64, u64),
        weather: Weather,
        prompts: Arc<PromptLibrary>,
        pcap: Option<Capture<'a>>,
    ) -> Self {
        let rng = Rng::from_number(seed).fork("deep");
        let now = Now { mono: Instant::ZERO, utc: plan.scenario.begins };
        let agents = Agent::all(&plan.scenario, seed);
        let mut agent_index = Lookup::new();
        for (n, agent) in agents.iter().enumerate() {
            agent_index.insert(AgentId::from(agent.id.as_str()), n);
        }
        let mut node = Node::new(settings(&plan), Arc::clone(&plan.menus), now, &rng.fork("node"));
        for port in (PORTS.0..=PORTS.1).step_by(2) {
            node.offer_port(port);
        }
        let mut day = Self {
            weather,
            node,
            plane: MediaPlane::new(prompts, rng.fork("plane")),
            now,
            schedule: Schedule::default(),
            network: Network::new(rng.fork("network")),
            phones: BTreeMap::new(),
            touched: BTreeSet::new(),
            speaking: BTreeSet::new(),
            ports: Lookup::new(),
            leg_ports: Lookup::new(),
            coming: Callers::new(&plan.scenario, seed),
            calls_max,
            next: None,
            callers: Lookup::new(),
            by_phone: Lookup::new(),
            calls: Lookup::new(),
            agent_turns: vec![0; agents.len()],
            agents,
            agent_index,
            frame: frame_of_sound(),
            report: DeepReport::default(),
            hash: super::FactHash::default(),
            pcap,
            record: Vec::new(),
            rng,
            plan,
        };
        if let Some(write) = &mut day.pcap {
            write(&pcap_head());
        }
        day.people_come();
        day.settle(&mut |_| {});
        day
    }

    /// Runs it to its end. `told` hears how many calls were made; `fact` of every fact.
    pub fn run(
        mut self,
        mut told: impl FnMut(u64, Duration),
        mut fact: impl FnMut(&NumberedFact),
    ) -> DeepReport {
        let mut shown = 0;
        while self.step(&mut fact) {
            if self.report.calls != shown {
                shown = self.report.calls;
                told(shown, self.now.mono.since(Instant::ZERO));
            }
        }
        self.finish()
    }

    fn step(&mut self, fact: &mut impl FnMut(&NumberedFact)) -> bool {
        let own = self.schedule.next_at();
        let node = self.node.next_deadline().map(|d| d.at);
        let plane = self.plane.next_deadline().map(|d| d.at);
        let Some(at) = [own, node, plane].into_iter().flatten().min() else { return false };
        let end = Instant::ZERO + self.plan.scenario.lasts;
        if (self.next.is_none() && self.is_quiet()) || at > end + AFTERWARDS {
            return false;
        }
        let at = at.max(self.now.mono);
        self.now = self.now.after(at.since(self.now.mono));
        if plane.is_some_and(|p| p <= at) {
            self.plane.handle_timeout(at);
        }
        if node.is_some_and(|n| n <= at) {
            self.node.handle_timeout(self.now);
        }
        if own.is_some_and(|o| o <= at)
            && let Some((_, event)) = self.schedule.take()
        {
            self.happens(event);
        }
        self.settle(fact);
        true
    }

    fn plan_in(&mut self, wait: Duration, event: Event) {
        self.schedule.plan(self.now.mono + wait, event);
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Comes { from, to, bytes } => self.comes(from, to, &bytes),
            Event::Wakes(ip) => {
                if let Some((phone, _)) =
                    self.phones.get_mut(&ip).filter(|(p, _)| p.wake <= Some(self.now.mono))
                {
                    phone.wake = None;
                    phone.ua.handle_timeout(self.now.mono);
                    self.touched.insert(ip);
                }
            }
            Event::Speaks(ip) => self.speaks(ip),
            Event::Stored(Stored::Place(call, ticket)) => self.node.handle_recorded(self.now, call, ticket),
            Event::Stored(Stored::Message(transmit)) => self.send_sip(&transmit),
            Event::RanAhead(ran) => self.node.handle_ran_ahead(self.now, *ran),
            Event::PutAway(ip) => {
                if self.phones.get(&ip).is_some_and(|(p, _)| !p.talks()) {
                    self.phones.remove(&ip);
                }
            }
            Event::Does(deed) => self.does(deed),
        }
    }

    /// Everything that follows from the last event.
    fn settle(&mut self, heard: &mut impl FnMut(&NumberedFact)) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.node.poll_output() {
                quiet = false;
                self.obey(output, heard);
            }
            quiet &= !self.plane_speaks();
            while let Some(ip) = self.touched.pop_first() {
                quiet = false;
                self.phone_speaks(ip);
            }
            if quiet {
                return;
            }
        }
    }

    fn obey(&mut self, output: NodeOutput, heard: &mut impl FnMut(&NumberedFact)) {
        match output {
            NodeOutput::Transmit(transmit) => self.send_sip(&transmit),
            NodeOutput::TransmitAfter { transmit, .. } => {
                self.plan_in(DISK, Event::Stored(Stored::Message(transmit)));
            }
            NodeOutput::AwaitRecord { call, ticket, .. } => {
                self.plan_in(DISK, Event::Stored(Stored::Place(call, ticket)));
            }
            NodeOutput::Media(command) => {
                if let crate::media::MediaCommand::Open { leg, port } = &command {
                    self.ports.insert(*port, *leg);
                    self.leg_ports.insert(*leg, *port);
                }
                self.plane.handle(self.now, command);
            }
            NodeOutput::Entry(entry) => {
                for fact in entry.into_facts() {
                    self.hash.add(&fact);
                    heard(&fact);
                    self.became_true(&fact.fact);
                }
            }
            NodeOutput::RunAhead(futures) => {
                let ran = futures.run();
                self.plan_in(ran.modelled_delay(), Event::RanAhead(Box::new(ran)));
            }
            NodeOutput::LegSound { figures, .. } => self.sound_over(&figures),
            // There is no name server, no vault, no store and no tape here.
            NodeOutput::Ask(_)
            | NodeOutput::TlsName { .. }
            | NodeOutput::Issued(_)
            | NodeOutput::SecretDigit { .. }
            | NodeOutput::SecretOver { .. }
            | NodeOutput::Phones { .. }
            | NodeOutput::Bans(_) => {}
        }
    }

    fn sound_over(&mut self, figures: &LegFigures) {
        self.report.received += figures.received;
        self.report.lost += figures.lost;
        self.report.concealed_ms += figures.concealed_ms;
    }

    fn finish(mut self) -> DeepReport {
        let view = self.node.view(self.now);
        let exchange = view.board;
        self.report.network = self.network.figures();
        self.report.broken = exchange.broken;
        self.report.left =
            u64::try_from(exchange.calls.len() + view.legs + self.plane.legs()).unwrap_or(u64::MAX);
        self.report.hash = self.hash.finish();
        self.report
    }
}
