//! Every input in every stage: what it leads to and what it commands, as one table. No pair may break an invariant.
use std::fmt::Write as _;
use std::time::Duration;

use hotline::base::{
    AgentId, AssignmentId, CallId, Instant, LegId, Now, PlayId, SecretToken, TicketId, UtcTime,
};
use hotline::exchange::acd::{AcdInput, AcdOutput, Offer, OfferWhy, OverflowCause};
use hotline::exchange::{
    Arrival, Cause, Command, Exchange, ExchangeSettings, Input, Ops, Peer, RingTarget, Told, Vouched,
};

use crate::small_hotline::{keys, menus};

const CALLER: LegId = LegId(2);

/// One exchange with one call, and what it said so far.
struct Bench {
    exchange: Exchange,
    now: Now,
    call: CallId,
    ticket: TicketId,
    agent: Option<LegId>,
    party: Option<LegId>,
    play: PlayId,
}

impl Bench {
    fn new() -> Self {
        let settings = ExchangeSettings { check_every: 1, ..ExchangeSettings::default() };
        let now = Now { mono: Instant::from_secs(100), utc: UtcTime::from_secs(1_767_225_600) };
        let mut bench = Self {
            exchange: Exchange::new(settings, menus()),
            now,
            call: CallId(1),
            ticket: TicketId(0),
            agent: None,
            party: None,
            play: PlayId(0),
        };
        let arrival = Arrival {
            dialled: "95188".into(),
            caller: "139".into(),
            caller_name: String::new(),
            peer: Peer::Stranger,
            vouched: Vouched::default(),
        };
        bench.feed(Input::LegArrived { leg: CALLER, arrival });
        bench
    }

    fn feed(&mut self, input: Input) -> Vec<Command> {
        self.exchange.handle(self.now, input);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Command> {
        // That a place is to be kept is told with the others: tests/rooms/lost_places.rs.
        let kept = |c: &Command| matches!(c, Command::AwaitRecord { .. });
        let commands: Vec<_> = std::iter::from_fn(|| self.exchange.poll()).filter(|c| !kept(c)).collect();
        for command in &commands {
            match command {
                Command::Acd(AcdInput::Enter(joining)) => self.ticket = joining.ticket,
                Command::Ring { leg, target: RingTarget::Agent(_), .. } => self.agent = Some(*leg),
                Command::Ring { leg, target: RingTarget::Party(_), .. } => self.party = Some(*leg),
                Command::Play { leg: CALLER, play, repeat: false, .. } => self.play = *play,
                _ => {}
            }
        }
        assert_eq!(self.exchange.check(), Vec::<String>::new());
        assert_eq!(self.exchange.broken(), 0);
        commands
    }

    fn press(&mut self, leg: LegId, text: &str) -> Vec<Command> {
        keys(text).into_iter().flat_map(|key| self.feed(Input::Key { leg, key, play: None })).collect()
    }

    fn offer(&self, assignment: u64) -> Input {
        let why = OfferWhy {
            strategy: "longest_idle".into(),
            candidates: Vec::new(),
            passed_over: Vec::new(),
            waited: Duration::ZERO,
            told: None,
        };
        Input::Acd(AcdOutput::Offer(Offer {
            assignment: AssignmentId(assignment),
            ticket: self.ticket,
            call: self.call,
            queue: "general".into(),
            agent: AgentId::from("8001"),
            ring_for: Duration::from_secs(20),
            why,
        }))
    }

    fn stage(&self) -> String {
        self.exchange.calls_view(self.now).first().map_or_else(|| "gone".into(), |call| call.stage.clone())
    }
}

const STAGES: [&str; 11] = [
    "menu",
    "waiting",
    "ringing",
    "talking",
    "held",
    "party rings",
    "consulting",
    "conference",
    "party_only",
    "farewell",
    "ended",
];

/// A call in this stage. Each is reached from an earlier one.
fn in_stage(stage: &str) -> Bench {
    let from = |earlier: &str| in_stage(earlier);
    match stage {
        "menu" => Bench::new(),
        "waiting" => {
            let mut bench = from("menu");
            bench.press(CALLER, "0");
            bench
        }
        "ringing" => {
            let mut bench = from("waiting");
            bench.feed(bench.offer(1));
            bench
        }
        "talking" => {
            let mut bench = from("ringing");
            bench.feed(Input::LegAnswered { leg: bench.agent.unwrap() });
            bench
        }
        "held" => by_agent_keys("talking", "*1"),
        "party rings" => by_agent_keys("talking", "*201#"),
        "consulting" => {
            let mut bench = from("party rings");
            bench.feed(Input::LegAnswered { leg: bench.party.unwrap() });
            bench
        }
        "conference" => by_agent_keys("consulting", "*3"),
        "party_only" => by_agent_keys("conference", "*5"),
        "farewell" => {
            let mut bench = from("talking");
            bench.feed(Input::LegEnded { leg: bench.agent.unwrap(), cause: Cause::HungUp });
            bench
        }
        "ended" => {
            let mut bench = from("conference");
            bench.feed(Input::LegEnded { leg: CALLER, cause: Cause::HungUp });
            bench
        }
        other => panic!("no such stage: {other}"),
    }
}

fn by_agent_keys(earlier: &str, text: &str) -> Bench {
    let mut bench = in_stage(earlier);
    bench.press(bench.agent.unwrap(), text);
    bench
}

/// Who an input is about, so that each leg's inputs are tried for each leg.
const LEGS: [&str; 3] = ["caller", "agent", "party"];
const LEG_INPUTS: [&str; 10] = [
    "rings",
    "rings aloud",
    "answers",
    "holds",
    "hangs up",
    "is lost",
    "falls silent",
    "presses 9",
    "secret digit",
    "stale prompt end",
];
const AGENT_KEYS: [&str; 9] = ["*1", "*201#", "*299#", "*3", "*4", "*5", "*612#", "*699#", "*9"];
const OTHERS: [&str; 13] = [
    "caller heard all",
    "offer",
    "offer again",
    "revoke",
    "stale revoke",
    "tell",
    "stale tell",
    "overflow",
    "stale overflow",
    "ops end the call",
    "next deadline",
    "six hours",
    "arrival of the same leg",
];

fn leg_input(leg: LegId, what: &str) -> Input {
    match what {
        "rings" => Input::LegRinging { leg, early_sound: false },
        "rings aloud" => Input::LegRinging { leg, early_sound: true },
        "answers" => Input::LegAnswered { leg },
        "holds" => Input::LegHeld { leg, held: true },
        "hangs up" => Input::LegEnded { leg, cause: Cause::HungUp },
        "is lost" => Input::LegEnded { leg, cause: Cause::PeerLost },
        "falls silent" => Input::SoundLost { leg },
        "presses 9" => Input::Key { leg, key: keys("9")[0], play: None },
        "secret digit" => Input::SecretDigit { leg, token: SecretToken(77), length: 1 },
        "stale prompt end" => Input::PromptEnded { leg, play: PlayId(9_999) },
        other => panic!("no such input: {other}"),
    }
}

fn other(bench: &mut Bench, what: &str) -> Vec<Command> {
    let (call, ticket) = (bench.call, bench.ticket);
    let arrival = || Arrival {
        dialled: "95188".into(),
        caller: String::new(),
        caller_name: String::new(),
        peer: Peer::Stranger,
        vouched: Vouched::default(),
    };
    let acd = match what {
        "caller heard all" => return bench.feed(Input::PromptEnded { leg: CALLER, play: bench.play }),
        "offer" => return bench.feed(bench.offer(2)),
        "offer again" => return bench.feed(bench.offer(1)),
        "ops end the call" => return bench.feed(Input::Ops(Ops::EndCall(call))),
        "arrival of the same leg" => {
            return bench.feed(Input::LegArrived { leg: CALLER, arrival: arrival() });
        }
        "next deadline" => return timeouts(bench, None),
        "six hours" => return timeouts(bench, Some(Duration::from_hours(6))),
        "revoke" => AcdOutput::Revoke { assignment: AssignmentId(1), cause: Cause::Withdrawn },
        "stale revoke" => AcdOutput::Revoke { assignment: AssignmentId(99), cause: Cause::Withdrawn },
        "tell" => AcdOutput::Tell { ticket, call, told: Told::Next },
        "stale tell" => AcdOutput::Tell { ticket: TicketId(99), call, told: Told::Next },
        "overflow" => AcdOutput::Overflow { ticket, call, why: OverflowCause::WaitLimit },
        "stale overflow" => AcdOutput::Overflow { ticket: TicketId(99), call, why: OverflowCause::Full },
        other => panic!("no such input: {other}"),
    };
    bench.feed(Input::Acd(acd))
}

/// The next timer, or all that fire within a time.
fn timeouts(bench: &mut Bench, within: Option<Duration>) -> Vec<Command> {
    let mut commands = Vec::new();
    let end = within.map(|time| bench.now.mono + time);
    while let Some(deadline) = bench.exchange.next_deadline().filter(|d| end.is_none_or(|end| d.at <= end)) {
        bench.now = bench.now.after(deadline.at.since(bench.now.mono));
        bench.exchange.handle_timeout(bench.now);
        commands.extend(bench.drain());
        if within.is_none() {
            break;
        }
    }
    commands
}

fn in_words(commands: &[Command]) -> String {
    let word = |command: &Command| match command {
        Command::Note(fact) => fact.kind().to_owned(),
        Command::Acd(input) => {
            let name = format!("{input:?}");
            format!("Acd:{}", name.split([' ', '(']).next().unwrap_or_default())
        }
        command => {
            let name = format!("{command:?}");
            format!("{}!", name.split(' ').next().unwrap_or_default())
        }
    };
    let mut words: Vec<String> = commands.iter().map(word).collect();
    if words.len() > 24 {
        let more = words.split_off(24).len();
        words.push(format!("and {more} more"));
    }
    words.join(" ")
}

fn row(table: &mut String, bench: &Bench, what: &str, commands: &[Command]) {
    writeln!(table, "  {what:<24} -> {:<11} {}", bench.stage(), in_words(commands)).unwrap();
}

#[test]
fn every_input_has_an_outcome_in_every_stage() {
    let mut table = String::new();
    for stage in STAGES {
        writeln!(table, "{stage}").unwrap();
        for (who, what) in LEGS.iter().flat_map(|who| LEG_INPUTS.iter().map(move |what| (who, what))) {
            let mut bench = in_stage(stage);
            let leg = match *who {
                "caller" => Some(CALLER),
                "agent" => bench.agent,
                _ => bench.party,
            };
            let Some(leg) = leg else { continue };
            let commands = bench.feed(leg_input(leg, what));
            row(&mut table, &bench, &format!("{who} {what}"), &commands);
        }
        for text in AGENT_KEYS {
            let mut bench = in_stage(stage);
            let Some(agent) = bench.agent else { continue };
            let commands = bench.press(agent, text);
            row(&mut table, &bench, &format!("agent presses {text}"), &commands);
        }
        for what in OTHERS {
            let mut bench = in_stage(stage);
            let commands = other(&mut bench, what);
            row(&mut table, &bench, what, &commands);
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rooms"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("call_stages", table));
}

#[test]
fn among_ten_thousand_calls_an_input_touches_one_and_a_timeout_those_that_are_due() {
    let mut bench = Bench::new();
    for n in 2..=10_000u64 {
        bench.now = bench.now.after(Duration::from_millis(1));
        let arrival = Arrival {
            dialled: "95188".into(),
            caller: n.to_string(),
            caller_name: String::new(),
            peer: Peer::Stranger,
            vouched: Vouched::default(),
        };
        bench.exchange.handle(bench.now, Input::LegArrived { leg: LegId(2 * n), arrival });
        while bench.exchange.poll().is_some() {}
    }
    let leg = LegId(2 * 5_000);
    bench.exchange.handle(bench.now, Input::Key { leg, key: keys("1")[0], play: None });
    while let Some(command) = bench.exchange.poll() {
        match command {
            Command::Note(fact) => assert_eq!(fact.call(), Some(CallId(5_000))),
            Command::Play { leg: to, .. } => assert_eq!(to, leg),
            other => panic!("{other:?}"),
        }
    }
    let due = bench.exchange.next_deadline().unwrap();
    bench.now = bench.now.after(due.at.since(bench.now.mono));
    bench.exchange.handle_timeout(bench.now);
    let touched: std::collections::BTreeSet<_> = std::iter::from_fn(|| bench.exchange.poll())
        .filter_map(|c| if let Command::Note(fact) = c { fact.call() } else { None })
        .collect();
    assert!(touched.len() <= 1, "{touched:?}");
    assert_eq!(bench.exchange.check(), Vec::<String>::new());
    // One more than the limit: refused, and nothing of it stays.
    let arrival = Arrival {
        dialled: "95188".into(),
        caller: String::new(),
        caller_name: String::new(),
        peer: Peer::Stranger,
        vouched: Vouched::default(),
    };
    let refused = bench.feed(Input::LegArrived { leg: LegId(30_000), arrival });
    assert!(matches!(refused[0], Command::Reject { cause: Cause::Overload, .. }));
}
