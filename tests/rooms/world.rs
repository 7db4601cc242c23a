//! A world around a switchboard: phones that do what a test says, in simulated time. After every input the invariants
//! are checked; every command and fact is written down in words.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{
    AgentId, CallId, Instant, Key, LegId, Now, PlayId, PromptId, SecretToken, TicketId, TransferId, UtcTime,
};
use hotline::exchange::menu::MenuSet;
use hotline::exchange::{
    Arrival, CallCard, Cause, Command, Entry, ExchangeSettings, Fact, Input, NumberedFact, Ops, Peer,
    RingTarget, Switchboard, TransferStep, TransferTarget, Vouched, acd::AgentWish,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PhoneState {
    Calling,
    Ringing,
    Up,
    /// Hung up by us; the end is still to be reported.
    Ending,
    Over,
}

/// One leg, as the far end knows it.
#[derive(Debug)]
pub(crate) struct Phone {
    pub name: String,
    pub state: PhoneState,
    pub rings_until: Option<Instant>,
    /// Number, whether a key stops it, whether it repeats.
    pub playing: Option<(PlayId, bool, bool)>,
    /// The first prompt of it.
    pub prompt: String,
    pub hears: Vec<LegId>,
    pub secret: Option<(SecretToken, u8)>,
}

impl Phone {
    fn new(name: &str, state: PhoneState) -> Self {
        Self {
            name: name.into(),
            state,
            rings_until: None,
            playing: None,
            prompt: String::new(),
            hears: Vec::new(),
            secret: None,
        }
    }
}

fn arrival(dialled: &str, caller: &str, peer: Peer) -> Arrival {
    Arrival {
        dialled: dialled.into(),
        caller: caller.into(),
        caller_name: String::new(),
        vouched: Vouched::default(),
        peer,
    }
}

pub(crate) struct World {
    pub board: Switchboard,
    pub now: Now,
    pub phones: BTreeMap<LegId, Phone>,
    pub log: Vec<String>,
    pub facts: Vec<NumberedFact>,
    pub entries: Vec<Entry>,
    pub commands: Vec<Command>,
    /// Places in line whose keeping nobody has confirmed yet: the disk here is as slow as the test wants.
    pub awaited: Vec<(CallId, TicketId)>,
    /// Ends of legs that we hung up are reported only when the test says so.
    pub slow_ends: bool,
    /// The way to where a test begins is checked elsewhere: only what follows is.
    pub unchecked: bool,
    /// What was told of each request for a transfer.
    pub transfers: BTreeMap<TransferId, Vec<TransferStep>>,
    next_leg: u64,
}

impl World {
    pub(crate) fn new(menus: Arc<MenuSet>, settings: ExchangeSettings) -> Self {
        Self {
            board: Switchboard::new(settings, menus),
            now: Now { mono: Instant::from_secs(1_000), utc: UtcTime::from_secs(1_767_225_600) },
            phones: BTreeMap::new(),
            log: Vec::new(),
            facts: Vec::new(),
            entries: Vec::new(),
            commands: Vec::new(),
            awaited: Vec::new(),
            slow_ends: false,
            unchecked: false,
            transfers: BTreeMap::new(),
            next_leg: 0,
        }
    }

    /// Legs that arrive have numbers above this.
    pub(crate) fn legs_above(&mut self, number: u64) {
        self.next_leg = number & !1;
    }

    /// Takes what the switchboard made by itself.
    pub(crate) fn catch_up(&mut self) {
        self.settle();
    }

    /// The newest leg of a name that is not over.
    pub(crate) fn leg(&self, name: &str) -> LegId {
        let open = |p: &Phone| p.name == name && !matches!(p.state, PhoneState::Over);
        let newest = self.phones.iter().rev().filter(|(_, p)| open(p));
        let best = newest.min_by_key(|(_, p)| p.state == PhoneState::Ending);
        *best.unwrap_or_else(|| panic!("no leg of {name}\n{}", self.transcript())).0
    }

    pub(crate) fn transcript(&self) -> String {
        self.log.join("\n")
    }

    fn name(&self, leg: LegId) -> String {
        self.phones.get(&leg).map_or_else(|| leg.to_string(), |p| p.name.clone())
    }

    pub(crate) fn dial(&mut self, name: &str, number: &str, caller: &str, peer: Peer) -> LegId {
        let leg = self.calling(name);
        let arrival = arrival(number, caller, peer);
        self.feed(Input::LegArrived { leg, arrival });
        leg
    }

    /// Somebody rings to take a leg's place.
    pub(crate) fn ring_in_place(&mut self, old: LegId, name: &str, peer: Peer) -> LegId {
        let new = self.calling(name);
        let arrival = arrival("95188", "", peer);
        self.feed(Input::LegReplaced { old, new, arrival });
        new
    }

    /// A leg that a phone begins.
    fn calling(&mut self, name: &str) -> LegId {
        self.next_leg += 2;
        let leg = LegId(self.next_leg);
        self.phones.insert(leg, Phone::new(name, PhoneState::Calling));
        leg
    }

    /// A phone asks that somebody else take its place.
    pub(crate) fn ask(&mut self, leg: LegId, to: TransferTarget) -> TransferId {
        let transfer = TransferId(self.transfers.len() as u64 + 1);
        self.transfers.insert(transfer, Vec::new());
        self.feed(Input::TransferAsked { leg, transfer, to });
        transfer
    }

    /// Each request has one answer, and one outcome at most if it was accepted; `over`: exactly one.
    pub(crate) fn check_transfers(&self, over: bool) {
        use TransferStep::{Accepted, Failed, Refused, Ringing, Succeeded};
        for (transfer, told) in &self.transfers {
            let well = match told.as_slice() {
                [Refused(_)]
                | [Accepted, Succeeded | Failed(_)]
                | [Accepted, Ringing, Succeeded | Failed(_)] => true,
                [Accepted] | [Accepted, Ringing] => !over,
                _ => false,
            };
            assert!(well, "{transfer} was told {told:?}\n{}", self.transcript());
        }
    }

    pub(crate) fn sign_in(&mut self, agent: &str) {
        let agent = AgentId::from(agent);
        self.feed(Input::AgentReachable { agent: agent.clone(), reachable: true });
        self.feed(Input::Ops(Ops::Agent { agent, wish: AgentWish::SignIn }));
    }

    pub(crate) fn answer(&mut self, leg: LegId) {
        self.feed(Input::LegAnswered { leg });
    }

    pub(crate) fn end(&mut self, leg: LegId, cause: Cause) {
        if let Some(phone) = self.phones.get_mut(&leg) {
            phone.state = PhoneState::Over;
        }
        self.feed(Input::LegEnded { leg, cause });
    }

    pub(crate) fn press(&mut self, leg: LegId, key: Key) {
        let Some(phone) = self.phones.get_mut(&leg) else { return };
        let input = match &mut phone.secret {
            Some((token, length)) if key.digit().is_some() => {
                *length += 1;
                Input::SecretDigit { leg, token: *token, length: *length }
            }
            _ => {
                let stopped = phone.playing.take_if(|(_, barge_in, _)| *barge_in);
                Input::Key { leg, key, play: stopped.map(|(play, _, _)| play) }
            }
        };
        self.feed(input);
    }

    /// What is said to the leg comes to its end.
    pub(crate) fn hear(&mut self, leg: LegId) -> bool {
        let Some(phone) = self.phones.get_mut(&leg) else { return false };
        let Some((play, _, _)) = phone.playing.take_if(|(_, _, repeat)| !*repeat) else { return false };
        self.feed(Input::PromptEnded { leg, play });
        true
    }

    pub(crate) fn feed(&mut self, input: Input) {
        self.board.handle(self.now, input);
        self.settle();
    }

    pub(crate) fn install(&mut self, menus: Arc<MenuSet>) {
        self.board.install(self.now, menus);
        self.settle();
    }

    /// Lets time pass: deadlines fire and phones stop ringing in their order.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some(at) = self.next_event().filter(|at| *at <= end) {
            self.pass_to(at);
            let given_up = self.phones.iter().find(|(_, p)| {
                p.state == PhoneState::Ringing && p.rings_until.is_some_and(|until| until <= at)
            });
            if let Some(leg) = given_up.map(|(leg, _)| *leg) {
                self.end(leg, Cause::NoAnswer);
            } else {
                self.board.handle_timeout(self.now);
                self.settle();
            }
        }
        self.pass_to(end);
    }

    fn next_event(&self) -> Option<Instant> {
        let ringing = self.phones.values().filter(|p| p.state == PhoneState::Ringing);
        let rings = ringing.filter_map(|p| p.rings_until).min();
        let board = self.board.next_deadline().map(|d| d.at);
        [rings, board].into_iter().flatten().min()
    }

    fn pass_to(&mut self, at: Instant) {
        self.now = self.now.after(at.since(self.now.mono));
    }

    /// The disk has everything.
    pub(crate) fn disk_has_all(&mut self) {
        for (call, ticket) in std::mem::take(&mut self.awaited) {
            self.feed(Input::Recorded { call, ticket });
        }
    }

    /// Reports the ends of all legs that were hung up.
    pub(crate) fn report_ends(&mut self) {
        while let Some(leg) =
            self.phones.iter().find(|(_, p)| p.state == PhoneState::Ending).map(|(leg, _)| *leg)
        {
            self.end(leg, Cause::Completed);
        }
    }

    fn settle(&mut self) {
        let known = self.facts.len();
        while let Some(entry) = self.board.poll_entry() {
            self.facts.extend(entry.clone().into_facts());
            self.entries.push(entry);
        }
        while let Some(command) = self.board.poll() {
            if let Command::AwaitRecord { call, ticket } = command {
                self.awaited.push((call, ticket));
                self.commands.push(command);
                continue;
            }
            let words = self.obey(&command);
            self.log.push(format!("    {words}"));
            self.commands.push(command);
        }
        for fact in &self.facts[known..] {
            self.log.push(format!("    * {}", fact_in_words(&fact.fact)));
        }
        if !self.unchecked {
            self.check();
        }
        if !self.slow_ends {
            self.report_ends();
        }
    }

    fn check(&self) {
        let broken = self.board.check(self.now);
        assert!(broken.is_empty(), "{broken:#?}\n{}", self.transcript());
        assert_eq!(self.board.exchange().broken(), 0, "a call was ended\n{}", self.transcript());
        self.check_ears();
        self.check_transfers(false);
    }

    /// Nobody ever hears a leg of another call.
    fn check_ears(&self) {
        let view = self.board.view(self.now);
        for call in &view.calls {
            let own: Vec<LegId> = call.legs.iter().map(|l| l.leg).collect();
            for leg in call.legs.iter().filter(|l| l.state == "up") {
                let hears = &self.phones[&leg.leg].hears;
                assert!(hears.iter().all(|s| own.contains(s)), "a stranger is heard\n{}", self.transcript());
                assert_eq!(*hears, leg.hears, "the ear differs\n{}", self.transcript());
            }
        }
    }

    fn phone(&mut self, leg: LegId) -> &mut Phone {
        assert!(self.phones.contains_key(&leg), "no {leg}\n{}", self.transcript());
        self.phones.get_mut(&leg).unwrap()
    }

    fn ring(&mut self, leg: LegId, target: &RingTarget, card: &CallCard, ring_for: Duration) -> String {
        let name = match target {
            RingTarget::Agent(agent) => agent.to_string(),
            RingTarget::Party(party) => party.to_string(),
            RingTarget::Outside { number, .. } => number.clone(),
        };
        let phone =
            Phone { rings_until: Some(self.now.mono + ring_for), ..Phone::new(&name, PhoneState::Ringing) };
        self.phones.insert(leg, phone);
        let queue = card.queue.as_ref().map_or("-", |q| q.as_str());
        let entries: Vec<_> = card.entries.iter().map(|(name, text)| format!(", {name} {text}")).collect();
        let by = card.passed_on_by.as_ref().map(|by| format!(", passed on by {by}")).unwrap_or_default();
        format!(
            "ring {name} for {ring_for:?}: {} {}, queue {queue}, waited {} s{}{by}",
            card.caller,
            card.language,
            card.waited_s,
            entries.concat()
        )
    }

    fn obey(&mut self, command: &Command) -> String {
        match command {
            Command::Answer { leg } => {
                self.phone(*leg).state = PhoneState::Up;
                format!("answer {}", self.name(*leg))
            }
            Command::Reject { leg, cause } => {
                self.phone(*leg).state = PhoneState::Ending;
                format!("reject {}: {}", self.name(*leg), cause.as_str())
            }
            Command::Ring { leg, target, card, ring_for, .. } => self.ring(*leg, target, card, *ring_for),
            Command::Hangup { leg, cause } => {
                let phone = self.phone(*leg);
                assert!(
                    matches!(phone.state, PhoneState::Up | PhoneState::Ringing),
                    "hang-up of {leg}, which is {:?}",
                    phone.state
                );
                phone.state = PhoneState::Ending;
                format!("hang up {}: {}", self.name(*leg), cause.as_str())
            }
            Command::Play { leg, play, language, prompts, barge_in, repeat } => {
                let phone = self.phone(*leg);
                phone.playing = Some((*play, *barge_in, *repeat));
                prompts.first().map_or("", |p| p.as_str()).clone_into(&mut phone.prompt);
                let prompts: Vec<_> = prompts.iter().map(PromptId::as_str).collect();
                let verb = if *repeat { "music for" } else { "say to" };
                assert!(
                    *barge_in != *repeat,
                    "every prompt can be interrupted, and no music: {}",
                    prompts.join(" ")
                );
                let mark = if *barge_in { " (a key stops it)" } else { "" };
                format!("{verb} {}: {language} {}{mark}", self.name(*leg), prompts.join(" "))
            }
            Command::Stop { leg } => {
                self.phone(*leg).playing = None;
                format!("stop {}", self.name(*leg))
            }
            Command::Hear { leg, sources } => {
                self.phone(*leg).hears.clone_from(sources);
                let names: Vec<_> = sources.iter().map(|s| self.name(*s)).collect();
                let whom = if names.is_empty() { "nobody".into() } else { names.join(" and ") };
                format!("{} hears {whom}", self.name(*leg))
            }
            Command::SignalHold { leg, held } => {
                format!("{} {}", if *held { "hold" } else { "resume" }, self.name(*leg))
            }
            Command::Transfer { leg, transfer, step } => {
                self.transfers.entry(*transfer).or_default().push(*step);
                format!("transfer by {}: {step:?}", self.name(*leg))
            }
            Command::SendKey { leg, key } => format!("key {} to {}", key.as_char(), self.name(*leg)),
            Command::LegMoved { leg, call } => format!("{} is of {call} now", self.name(*leg)),
            Command::SecretEntry { leg, token } => {
                self.phone(*leg).secret = token.map(|t| (t, 0));
                format!("digits of {} {}", self.name(*leg), token.map_or("are keys", |_| "go to the vault"))
            }
            Command::RunAhead { batch } => format!("run ahead {batch}"),
            Command::Acd(_) | Command::Note(_) | Command::AwaitRecord { .. } => {
                panic!("{command:?} left the switchboard")
            }
        }
    }
}

/// A fact, short enough for a transcript.
pub(crate) fn fact_in_words(fact: &Fact) -> String {
    let text = match fact {
        Fact::CallStarted { arrival, .. } | Fact::CallRefused { arrival, .. } => {
            let kind = if matches!(fact, Fact::CallStarted { .. }) { "CallStarted" } else { "CallRefused" };
            let Arrival { dialled, caller, peer, .. } = arrival;
            format!("{kind} {{ {caller} dialled {dialled}, {peer:?} }}")
        }
        Fact::Offered { agent, queue, why, .. } => {
            format!(
                "Offered {{ agent: {agent}, queue: {queue}, {}, waited: {:?} }}",
                why.strategy, why.waited
            )
        }
        other => format!("{other:?}"),
    };
    let mut short = text;
    for noise in ["call: CallId(", "AgentId(", "QueueId(", "PromptId(", "PartyId(", "MenuId(", "EntryId("] {
        while let Some(at) = short.find(noise) {
            let close = short[at..].find(')').map_or(short.len(), |n| at + n);
            let inner = short[at + noise.len()..close].trim_matches('"').to_owned();
            let label = if noise.starts_with("call") { "call " } else { "" };
            short.replace_range(at..=close, &format!("{label}{inner}"));
        }
    }
    short
}
