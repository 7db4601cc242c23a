//! Trunks through the whole node, without a socket: which way a call takes when ways fail, what speaks for the callee,
//! limits, the watch by OPTIONS, registrations, and names that peers write.
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use hotline::base::{Instant, Now, Rng, TrunkId};
use hotline::exchange::{Cause, Fact, Ops};
use hotline::media::{Codec, MediaCommand};
use hotline::node::{
    LegSound, Node, NodeOutput, Trunk, TrunkHealth, TrunkLimits, TrunkRegistration, TrunkView,
};
use hotline::sip::{
    Account, ConnId, Credentials, Destination, DnsQuestion, DnsRecords, DnsReply, HostWanted, InviteId,
    ListenerId, ListenerTransport, OutgoingInvite, RecordKind, Registration, SipEvent, Srv, Status,
    UserAgent, UserAgentSettings,
};

use crate::support::node_parts::{self, UDP, address, listener, shipped_menus, to_node, udp_at};

/// TCP of the second address.
const TCP2: ListenerId = ListenerId(3);
const CALLER: usize = 0;
const AGENT: usize = 1;
const A: usize = 2;
const B: usize = 3;

fn at(last: u8) -> HostWanted {
    let udp = Some(ListenerTransport::Udp);
    HostWanted { host: format!("192.0.2.{last}"), port: Some(5060), transport: udp, secure: false }
}

/// How a carrier takes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Answers,
    Refuses(u16),
    /// It refuses with 503 and wants nothing for so many seconds.
    Rests(u32),
    RingsThenRefuses(u16),
    RingsOn,
    /// Nothing reaches it, or nothing comes back.
    Deaf,
}

struct Phone {
    at: SocketAddr,
    ua: UserAgent,
    sound: LegSound,
    manner: Manner,
    invite: Option<InviteId>,
    events: Vec<SipEvent>,
    offers: Vec<String>,
    /// Requests it got, by method.
    heard: Vec<String>,
}

impl Phone {
    fn new(last: u8, manner: Manner) -> Self {
        let at = address(last);
        let mut settings = udp_at(at, "carrier");
        settings.accounts.insert("house".into(), Account::from_password("house", "carrier", "a long word"));
        let ua = UserAgent::new(settings, &Rng::from_number(last.into()));
        let sound = LegSound::new(at.ip(), 30_000, &[Codec::Pcma], last.into());
        let (events, offers, heard) = (vec![], vec![], vec![]);
        Self { at, ua, sound, manner, invite: None, events, offers, heard }
    }

    fn take(&mut self, now: Now, from: SocketAddr, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if !text.starts_with("SIP/2.0") {
            self.heard.push(text.split(' ').next().unwrap().to_owned());
        }
        if self.manner != Manner::Deaf {
            self.ua.handle_datagram(now.mono, UDP, from, bytes);
        }
    }

    fn settle(&mut self, now: Now) {
        while let Some(event) = self.ua.poll_event() {
            match &event {
                SipEvent::Incoming(incoming) => {
                    let offer = incoming.offer.clone().unwrap();
                    self.offers.push(String::from_utf8(offer.clone()).unwrap());
                    self.invite = Some(incoming.invite);
                    let status = |code| Status::new(code).unwrap();
                    match self.manner {
                        Manner::Answers => {
                            self.sound.answer(&offer).unwrap();
                            self.ua.answer(now.mono, incoming.invite, self.sound.take_answer());
                        }
                        Manner::Refuses(code) => {
                            self.ua.reject(now.mono, incoming.invite, status(code), None);
                        }
                        Manner::Rests(seconds) => {
                            self.ua.reject(now.mono, incoming.invite, status(503), Some(seconds));
                        }
                        Manner::RingsThenRefuses(code) => {
                            self.ua.ring(now.mono, incoming.invite);
                            self.ua.reject(now.mono, incoming.invite, status(code), None);
                        }
                        Manner::RingsOn => self.ua.ring(now.mono, incoming.invite),
                        Manner::Deaf => {}
                    }
                }
                SipEvent::Answered { sdp: Some(sdp), .. } => self.sound.accept(sdp).unwrap(),
                SipEvent::Reoffer { invite, offer: Some(offer) } => {
                    self.sound.answer(offer).unwrap();
                    let body = self.sound.take_answer();
                    self.ua.answer_reoffer(now.mono, *invite, body);
                }
                _ => {}
            }
            self.events.push(event);
        }
    }

    fn refused_with(&self) -> Option<u16> {
        self.events.iter().find_map(|e| match e {
            SipEvent::Failed { status, .. } => Some(status.code()),
            _ => None,
        })
    }
}

struct World {
    now: Now,
    node: Node,
    phones: Vec<Phone>,
    facts: Vec<Fact>,
    media: Vec<MediaCommand>,
    /// What the node sends to nobody of these.
    lost: Vec<(SocketAddr, String)>,
    streams: BTreeMap<ConnId, usize>,
    questions: VecDeque<DnsQuestion>,
}

/// The merchants are reached over both trunks.
fn over_both(files: &mut BTreeMap<String, String>) {
    let directory = files.get_mut("directory.toml").unwrap();
    *directory = directory.replace("trunk  = \"merchants\"", "trunks = [\"a\", \"b\"]");
}

/// The trunks `a` and `b`, at 4 and 5.
fn two(set: impl Fn(&str, Trunk) -> Trunk) -> BTreeMap<TrunkId, Trunk> {
    let trunk =
        |name: &str, last| (TrunkId::from(name), set(name, Trunk::new(at(last), format!("192.0.2.{last}"))));
    BTreeMap::from([trunk("a", 4), trunk("b", 5)])
}

impl World {
    fn new(trunks: BTreeMap<TrunkId, Trunk>, manners: [Manner; 2]) -> Self {
        let (first, second) = (address(1), SocketAddr::from(([198, 51, 100, 1], 5060)));
        let listeners = vec![
            listener(0, ListenerTransport::Udp, first),
            listener(1, ListenerTransport::Tcp, first),
            listener(2, ListenerTransport::Udp, second),
            listener(3, ListenerTransport::Tcp, second),
        ];
        let settings = node_parts::settings(UserAgentSettings::new(listeners, "hotline"), &["8002"], trunks);
        let (now, node) = node_parts::node(settings, shipped_menus(over_both));
        let phones = vec![
            Phone::new(2, Manner::Answers),
            Phone::new(3, Manner::Answers),
            Phone::new(4, manners[0]),
            Phone::new(5, manners[1]),
        ];
        let (streams, questions) = (BTreeMap::new(), VecDeque::new());
        let mut w =
            Self { now, node, phones, facts: vec![], media: vec![], lost: vec![], streams, questions };
        w.carry();
        w
    }

    /// Carries everything to and fro until nobody has anything to say.
    fn carry(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.node.poll_output() {
                quiet = false;
                match output {
                    NodeOutput::Transmit(transmit) | NodeOutput::TransmitAfter { transmit, .. } => {
                        match transmit.to {
                            Destination::Datagram { to, .. } => self.deliver(to, &transmit.bytes),
                            Destination::Stream { conn } => {
                                let phone = &mut self.phones[self.streams[&conn]];
                                phone.ua.handle_stream(self.now.mono, conn, &transmit.bytes);
                            }
                            Destination::Connect { .. } => panic!("{:?}", transmit.to),
                        }
                    }
                    NodeOutput::Entry(entry) => self.facts.extend(entry.facts),
                    NodeOutput::Media(command) => self.media.push(command),
                    NodeOutput::Ask(question) => self.questions.push_back(question),
                    _ => {}
                }
            }
            for n in 0..self.phones.len() {
                let now = self.now;
                let phone = &mut self.phones[n];
                phone.settle(now);
                while let Some(transmit) = phone.ua.poll_transmit() {
                    quiet = false;
                    match transmit.to {
                        Destination::Stream { conn } => self.node.handle_stream(now, conn, &transmit.bytes),
                        _ => self.node.handle_datagram(now, UDP, phone.at, &transmit.bytes),
                    }
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn deliver(&mut self, to: SocketAddr, bytes: &[u8]) {
        match self.phones.iter_mut().find(|p| p.at == to) {
            Some(phone) => phone.take(self.now, address(1), bytes),
            None => self.lost.push((to, String::from_utf8_lossy(bytes).into_owned())),
        }
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now.after(time);
        while self.now.mono < end.mono {
            self.now = self.now.after(Duration::from_millis(100));
            self.node.handle_timeout(self.now);
            for phone in &mut self.phones {
                phone.ua.handle_timeout(self.now.mono);
            }
            self.carry();
        }
    }

    fn dial(&mut self, who: usize, number: &str) {
        let phone = &mut self.phones[who];
        phone.sound = LegSound::new(phone.at.ip(), 30_000, &[Codec::Pcma], 7);
        let user = if who == AGENT { "8002" } else { "13800138000" };
        let wanted = node_parts::invite(user, number, Some(phone.sound.offer()));
        phone.invite = Some(phone.ua.invite(self.now.mono, wanted));
        self.carry();
    }

    fn press(&mut self, who: usize, keys: &str) {
        for key in keys.chars() {
            let phone = &mut self.phones[who];
            node_parts::press(&mut phone.ua, self.now, phone.invite.unwrap(), key);
            self.carry();
        }
    }

    /// The agent registers by this way and signs in.
    fn sign_in(&mut self, to: Destination) {
        self.phones[AGENT].ua.register(self.now.mono, node_parts::registration("8002", to));
        self.carry();
        self.dial(AGENT, "*81");
        let sign_in = self.phones[AGENT].invite.unwrap();
        self.phones[AGENT].ua.end(self.now.mono, sign_in);
        self.carry();
        self.phones[AGENT].sound = LegSound::new(address(3).ip(), 30_000, &[Codec::Pcma], 9);
        self.phones[AGENT].events.clear();
    }

    /// Caller and agent talk.
    fn talking(trunks: BTreeMap<TrunkId, Trunk>, manners: [Manner; 2]) -> Self {
        let mut w = Self::new(trunks, manners);
        w.sign_in(to_node());
        w.dial(CALLER, "95188");
        w.press(CALLER, "0");
        assert!(w.facts.iter().any(|f| matches!(f, Fact::Connected { .. })), "{:?}", w.facts);
        w
    }

    /// Over which trunks the third party was tried, and why the one before failed.
    fn tried(&self) -> Vec<(String, Option<Cause>)> {
        let routed = self.facts.iter().filter_map(|f| match f {
            Fact::LegRouted { trunk, after, .. } => Some((trunk.to_string(), *after)),
            _ => None,
        });
        routed.collect()
    }

    fn party_left(&self) -> Option<Cause> {
        self.facts.iter().find_map(|f| match f {
            Fact::PartyLeft { cause, .. } => Some(*cause),
            _ => None,
        })
    }

    fn party_answered(&self) -> bool {
        self.facts.iter().any(|f| matches!(f, Fact::PartyAnswered { .. }))
    }

    fn trunk(&self, name: &str) -> TrunkView {
        self.node.view(self.now).trunks.into_iter().find(|t| t.trunk.as_str() == name).unwrap()
    }
}

fn plain(_: &str, trunk: Trunk) -> Trunk {
    trunk
}

#[test]
fn what_a_server_on_the_way_says_leads_to_the_next_way_and_what_the_callee_says_does_not() {
    let over_b = |cause| vec![("a".to_owned(), None), ("b".to_owned(), Some(cause))];
    let only_a = vec![("a".to_owned(), None)];
    for (manner, tried, left) in [
        (Manner::Refuses(500), over_b(Cause::Unreachable), None),
        (Manner::Refuses(503), over_b(Cause::Overload), None),
        (Manner::Refuses(408), over_b(Cause::PeerLost), None),
        (Manner::RingsThenRefuses(503), over_b(Cause::Overload), None),
        (Manner::RingsThenRefuses(408), only_a.clone(), Some(Cause::PeerLost)),
        (Manner::Refuses(404), only_a.clone(), Some(Cause::NotFound)),
        (Manner::Refuses(486), only_a.clone(), Some(Cause::Busy)),
        (Manner::Refuses(603), only_a.clone(), Some(Cause::Declined)),
        (Manner::Answers, only_a, None),
    ] {
        let mut w = World::talking(two(plain), [manner, Manner::Answers]);
        w.press(AGENT, "*21#");
        assert_eq!((w.tried(), w.party_left()), (tried, left), "{manner:?}");
        assert_eq!(w.party_answered(), left.is_none(), "{manner:?}");
    }
}

#[test]
fn a_silent_trunk_costs_its_patience_and_not_the_partys_ring_time() {
    let mut w = World::talking(two(plain), [Manner::Deaf, Manner::RingsOn]);
    w.press(AGENT, "*21#");
    let begun = w.now.mono;
    w.wait(Duration::from_millis(3_900));
    assert_eq!(w.tried().len(), 1);
    w.wait(Duration::from_millis(200));
    assert_eq!(w.tried()[1], ("b".to_owned(), Some(Cause::PeerLost)));
    // The party may ring for 30 s in all, whatever was tried before.
    while w.party_left().is_none() {
        w.wait(Duration::from_millis(500));
    }
    let rung = w.now.mono.since(begun);
    assert_eq!(w.party_left(), Some(Cause::NoAnswer));
    assert!((29..=31).contains(&rung.as_secs()), "{rung:?}");
    // For half a minute the silent one is tried after the other.
    w.wait(Duration::from_secs(5));
    w.facts.clear();
    w.press(AGENT, "*21#");
    assert_eq!(w.tried()[0].0, "a", "half a minute later it has its chance again");
    w.wait(Duration::from_secs(5));
    w.press(AGENT, "*4");
    w.facts.clear();
    w.press(AGENT, "*21#");
    assert_eq!(w.tried()[0].0, "b", "{:?}", w.facts);
    // Nothing of the silent INVITE is left behind.
    w.press(AGENT, "*4");
    w.wait(Duration::from_secs(100));
    assert_eq!((w.trunk("a").calls_out, w.trunk("b").calls_out), (0, 0));
}

#[test]
fn a_target_that_wants_rest_gets_nothing_until_then_and_not_for_longer_than_ten_minutes() {
    for (asked, rest) in [(60, 60), (1_000_000, 600)] {
        let mut w = World::talking(two(watched), [Manner::Rests(asked), Manner::RingsOn]);
        let tries = |w: &mut World| {
            w.facts.clear();
            w.press(AGENT, "*21#");
            let tried: Vec<String> = w.tried().into_iter().map(|(trunk, _)| trunk).collect();
            w.press(AGENT, "*4");
            tried.join(" ")
        };
        assert_eq!(tries(&mut w), "a b");
        assert!(w.trunk("a").targets[0].off && w.trunk("a").figures.put_off == 1, "{:?}", w.trunk("a"));
        w.phones[A].heard.clear();
        w.phones[A].manner = Manner::RingsOn;
        w.wait(Duration::from_secs(rest - 2));
        assert_eq!(tries(&mut w), "b", "not a second chance before the time");
        assert_eq!(w.phones[A].heard, Vec::<String>::new(), "neither calls nor OPTIONS");
        w.wait(Duration::from_secs(2));
        assert_eq!(tries(&mut w), "a", "and no longer");
    }
    // Where there is nobody else, the call fails at once, and nobody is asked.
    let mut w = World::talking(two(plain), [Manner::Rests(60), Manner::Rests(60)]);
    w.press(AGENT, "*21#");
    assert_eq!(w.party_left(), Some(Cause::Overload));
    for phone in [A, B] {
        w.phones[phone].heard.clear();
    }
    w.wait(Duration::from_secs(5));
    w.facts.clear();
    w.press(AGENT, "*21#");
    assert_eq!((w.tried().len(), w.party_left()), (0, Some(Cause::Overload)));
    assert!(w.phones[A].heard.is_empty() && w.phones[B].heard.is_empty());
}

#[test]
fn when_every_way_fails_the_agent_hears_it_once_and_the_caller_is_back() {
    let mut w = World::talking(two(plain), [Manner::Refuses(503), Manner::Refuses(500)]);
    w.press(AGENT, "*21#");
    assert_eq!(w.tried().len(), 2);
    let left = w.facts.iter().filter(|f| matches!(f, Fact::PartyLeft { .. })).count();
    assert_eq!((left, w.party_left()), (1, Some(Cause::Unreachable)));
    assert_eq!((w.trunk("a").calls_out, w.trunk("b").calls_out), (0, 0));
    assert_eq!(w.trunk("a").figures.failed_over, 1);
}

#[test]
fn a_trunk_at_its_limit_is_passed_over_and_all_at_theirs_are_overload() {
    let none = |_: &str, mut trunk: Trunk| {
        trunk.limits = TrunkLimits { starts_per_second: Some(1), ..TrunkLimits::default() };
        trunk
    };
    let mut w = World::talking(two(none), [Manner::RingsOn, Manner::RingsOn]);
    for expected in [Some("a"), Some("b"), None] {
        w.facts.clear();
        w.press(AGENT, "*21#");
        assert_eq!(w.tried().first().map(|(t, _)| t.as_str()), expected);
        if expected.is_none() {
            assert_eq!(w.party_left(), Some(Cause::Overload));
        } else {
            w.press(AGENT, "*4");
        }
    }
    assert_eq!((w.trunk("a").figures.limited_out, w.trunk("b").figures.limited_out), (2, 1));
}

#[test]
fn callers_beyond_a_trunks_limit_are_refused_with_503_and_the_others_stay() {
    let mut trunks = two(|_, mut trunk| {
        trunk.limits = TrunkLimits { calls_in: Some(1), ..TrunkLimits::default() };
        trunk
    });
    trunks.remove(&TrunkId::from("b"));
    trunks.insert(TrunkId::from("b"), Trunk::new(at(5), "192.0.2.5".into()));
    let mut w = World::new(trunks, [Manner::Answers, Manner::Answers]);
    w.dial(A, "95188");
    assert_eq!((w.phones[A].refused_with(), w.trunk("a").calls_in), (None, 1));
    let first = w.phones[A].invite.unwrap();
    w.dial(A, "95188");
    assert_eq!(w.phones[A].refused_with(), Some(503));
    // Another trunk is not concerned.
    w.dial(B, "95188");
    assert_eq!(w.phones[B].refused_with(), None);
    assert_eq!((w.trunk("a").figures.limited_in, w.trunk("a").calls_in, w.trunk("b").calls_in), (1, 1, 1));
    w.phones[A].ua.end(w.now.mono, first);
    w.carry();
    assert_eq!(w.trunk("a").calls_in, 0);
}

fn watched(_: &str, mut trunk: Trunk) -> Trunk {
    trunk.health = Some(TrunkHealth { every: Duration::from_secs(10), down_after: 3 });
    trunk
}

#[test]
fn a_trunk_that_is_down_is_not_tried_until_it_answers() {
    let mut w = World::talking(two(watched), [Manner::Deaf, Manner::Answers]);
    w.wait(Duration::from_secs(6));
    assert!(!w.trunk("a").targets[0].down, "one failure or two are not enough");
    w.wait(Duration::from_secs(14));
    let a = w.trunk("a");
    assert!(a.targets[0].down && a.alarm == Some("does not answer"), "{a:?}");
    assert!(w.trunk("b").alarm.is_none());
    w.press(AGENT, "*21#");
    assert_eq!(w.tried(), [("b".to_owned(), None)], "at once");
    w.press(AGENT, "*4");
    w.phones[A].manner = Manner::Answers;
    w.wait(Duration::from_secs(6));
    assert!(!w.trunk("a").targets[0].down, "one answer brings it back");
    w.facts.clear();
    w.press(AGENT, "*21#");
    assert_eq!(w.tried()[0].0, "a");
}

#[test]
fn when_all_are_down_they_are_tried_all_the_same() {
    let mut w = World::talking(two(watched), [Manner::Deaf, Manner::Deaf]);
    w.wait(Duration::from_secs(30));
    assert!(w.trunk("a").targets[0].down && w.trunk("b").targets[0].down);
    w.phones[B].manner = Manner::Answers;
    w.press(AGENT, "*21#");
    w.wait(Duration::from_millis(4_500));
    assert!(w.party_answered(), "{:?}", w.tried());
    assert!(!w.trunk("b").targets[0].down, "a call that gets through is a sign of life");
}

fn registered(name: &str, mut trunk: Trunk) -> Trunk {
    if name == "a" {
        trunk.registration = Some(TrunkRegistration {
            user: "house".into(),
            number: Some("95188".into()),
            expires: Duration::from_secs(100),
        });
        trunk.credentials =
            Some(Credentials { user: "house".into(), password: "a long word".into(), realm: None });
    }
    trunk
}

#[test]
fn a_registration_holds_while_a_refresh_fails_is_lost_at_its_end_and_comes_back() {
    let mut w = World::talking(two(registered), [Manner::Answers, Manner::Answers]);
    assert_eq!((w.trunk("a").registered, w.trunk("b").registered), (Some(true), None));
    assert_eq!(w.phones[A].ua.contact("house").unwrap().uri, "sip:95188@192.0.2.1:5060");
    w.wait(Duration::from_secs(75));
    // From now on silence: the refresh at 80 s fails, but what was granted holds until 100 s.
    w.phones[A].manner = Manner::Deaf;
    w.wait(Duration::from_secs(20));
    assert_eq!(w.trunk("a").registered, Some(true));
    w.wait(Duration::from_mins(1));
    let a = w.trunk("a");
    assert!(a.registered == Some(false) && a.alarm == Some("not registered"), "{a:?}");
    assert_eq!(a.figures.unregistered, 1);
    // A trunk that does not know us is not tried first.
    w.press(AGENT, "*21#");
    assert_eq!(w.tried()[0].0, "b");
    w.phones[A].manner = Manner::Answers;
    w.wait(Duration::from_mins(5));
    assert_eq!((w.trunk("a").registered, w.trunk("a").alarm), (Some(true), None));
}

#[test]
fn silence_of_a_registrar_is_met_with_ever_longer_waits() {
    let mut w = World::new(two(registered), [Manner::Deaf, Manner::Answers]);
    w.wait(Duration::from_hours(2));
    // A REGISTER is sent eleven times over UDP before it counts as unanswered; then 5 s, 10 s, ... 5 min, each with chance.
    let tries = w.phones[A].heard.iter().filter(|m| *m == "REGISTER").count() / 11;
    assert!((20..40).contains(&tries), "{tries} tries in two hours");
}

#[test]
fn the_end_of_the_server_takes_registrations_back_and_does_not_wait_for_ever() {
    for deaf in [false, true] {
        let mut w = World::new(two(registered), [Manner::Answers, Manner::Answers]);
        if deaf {
            w.phones[A].manner = Manner::Deaf;
        }
        w.node.handle_ops(w.now, Ops::Drain);
        assert!(!w.node.is_idle(), "the registrar is to be told");
        w.carry();
        if deaf {
            w.wait(Duration::from_millis(2_100));
        } else {
            assert!(w.phones[A].ua.contact("house").is_none());
        }
        assert!(w.node.is_idle());
        let deadline = w.node.next_deadline().map_or(Instant::from_secs(1_000), |d| d.at);
        assert!(deadline > w.now.mono, "nothing that is over wakes the server again and again");
    }
}

#[test]
fn an_agent_on_a_stream_of_the_second_address_is_told_that_address() {
    let mut w = World::new(two(plain), [Manner::Answers, Manner::Answers]);
    let conn = ConnId::of(TCP2, 7);
    let agent = &mut w.phones[AGENT];
    let local = listener(3, ListenerTransport::Tcp, address(3));
    agent.ua = UserAgent::new(UserAgentSettings::new(vec![local], "phone"), &Rng::from_number(33));
    agent.ua.stream_opened(w.now.mono, conn, TCP2, SocketAddr::from(([198, 51, 100, 1], 5060)));
    w.node.stream_opened(w.now, conn, TCP2, SocketAddr::from(([192, 0, 2, 3], 40_000)));
    w.streams.insert(conn, AGENT);
    let to = Destination::Stream { conn };
    let agent = &mut w.phones[AGENT];
    let there = "sip:198.51.100.1";
    let registration = Registration { registrar_uri: there.into(), ..node_parts::registration("8002", to) };
    agent.ua.register(w.now.mono, registration);
    w.carry();
    let agent = &mut w.phones[AGENT];
    let offer = Some(agent.sound.offer());
    let wanted = OutgoingInvite {
        request_uri: "sip:*81@198.51.100.1".into(),
        to,
        ..node_parts::invite("8002", "*81", offer)
    };
    let sign_in = agent.ua.invite(w.now.mono, wanted);
    w.carry();
    w.phones[AGENT].ua.end(w.now.mono, sign_in);
    w.carry();
    w.phones[AGENT].sound = LegSound::new(address(3).ip(), 30_000, &[Codec::Pcma], 9);
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    let offer = w.phones[AGENT].offers.first().expect("the agent is rung");
    assert!(offer.contains("c=IN IP4 198.51.100.1"), "{offer}");
}

#[test]
fn a_trunk_by_name_is_tried_where_its_records_lead_and_what_comes_from_there_is_its() {
    let mut trunks = two(plain);
    let carrier = HostWanted {
        host: "carrier.example".into(),
        port: None,
        transport: Some(ListenerTransport::Udp),
        secure: false,
    };
    trunks.insert(TrunkId::from("a"), Trunk::new(carrier, "carrier.example".into()));
    let mut w = World::talking(trunks, [Manner::Refuses(503), Manner::Answers]);
    assert_eq!(w.trunk("a").targets.len(), 0);
    let srv = |priority, host: &str| Srv { priority, weight: 0, port: 5060, target: host.into() };
    while let Some(question) = w.questions.pop_front() {
        let records = match (question.kind, question.name.as_str()) {
            (RecordKind::Srv, "_sip._udp.carrier.example") => {
                DnsRecords::Srv(vec![srv(2, "two.example"), srv(1, "one.example")])
            }
            (RecordKind::A, "one.example") => DnsRecords::Addresses(vec![address(4).ip()]),
            (RecordKind::A, "two.example") => DnsRecords::Addresses(vec![address(9).ip()]),
            other => panic!("{other:?}"),
        };
        w.node.handle_dns(w.now, &question, DnsReply::Records { records, ttl: Duration::from_mins(5) });
        w.carry();
    }
    w.press(AGENT, "*21#");
    w.wait(Duration::from_secs(5));
    let told: Vec<(String, String)> = w
        .facts
        .iter()
        .filter_map(|f| match f {
            Fact::LegRouted { trunk, to, .. } => Some((trunk.to_string(), to.clone())),
            _ => None,
        })
        .collect();
    let way = |trunk: &str, to: &str| (trunk.to_owned(), to.to_owned());
    assert_eq!(
        told,
        [way("a", "udp 192.0.2.4:5060"), way("a", "udp 192.0.2.9:5060"), way("b", "udp 192.0.2.5:5060")]
    );
    let asked = w.lost.iter().find(|(to, _)| *to == address(9)).expect("the second server was asked");
    assert!(asked.1.starts_with("INVITE sip:7001@carrier.example SIP/2.0\r\n"), "{}", asked.1);
    // A call from one of its servers is the trunk's.
    w.dial(A, "95188");
    assert_eq!(w.trunk("a").calls_in, 1);
}

#[test]
fn a_contact_that_is_a_name_is_reached_where_it_leads_and_until_then_where_its_messages_came_from() {
    let mut w = World::new(two(plain), [Manner::Answers, Manner::Answers]);
    let invite = |call: &str| {
        format!(
            "INVITE sip:95188@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK{call};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:x@example.org>;tag={call}\r\nTo: <sip:95188@192.0.2.1>\r\n\
             Call-ID: {call}\r\nCSeq: 1 INVITE\r\nContact: <sip:x@phone.example.org:5070>\r\n\
             Content-Type: application/sdp\r\n"
        )
    };
    let from = SocketAddr::from(([203, 0, 113, 9], 5060));
    for (call, reply) in [("known", true), ("unknown", false)] {
        let body = String::from_utf8(LegSound::new(from.ip(), 40_000, &[Codec::Pcma], 3).offer()).unwrap();
        let text = format!("{}Content-Length: {}\r\n\r\n{body}", invite(call), body.len());
        w.node.handle_datagram(w.now, UDP, from, text.as_bytes());
        w.carry();
        let answer = w.lost.iter().rev().find(|(_, m)| m.starts_with("SIP/2.0 200")).unwrap().1.clone();
        assert!(w.questions.is_empty(), "nobody is asked for a stranger who has not acknowledged");
        let to = answer.lines().find(|l| l.starts_with("To:")).unwrap();
        let contact = answer.lines().find(|l| l.starts_with("Contact:")).unwrap();
        let uri = contact.split(['<', '>']).nth(1).unwrap();
        let ack = format!(
            "ACK {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bKa{call};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:x@example.org>;tag={call}\r\n{to}\r\nCall-ID: {call}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
        );
        w.node.handle_datagram(w.now, UDP, from, ack.as_bytes());
        w.carry();
        let leads_to = SocketAddr::from(([203, 0, 113, 77], 5070));
        if let Some(question) = w.questions.pop_front() {
            assert_eq!((question.name.as_str(), question.kind), ("phone.example.org", RecordKind::A));
            let records = DnsRecords::Addresses(vec![leads_to.ip()]);
            let found = DnsReply::Records { records, ttl: Duration::from_mins(1) };
            w.node.handle_dns(w.now, &question, if reply { found } else { DnsReply::Failed });
        }
        let call_id = w.node.view(w.now).board.calls.last().unwrap().call;
        w.lost.clear();
        w.node.handle_ops(w.now, Ops::EndCall(call_id));
        w.carry();
        let (to, _) = w.lost.iter().find(|(_, m)| m.starts_with("BYE ")).expect("a BYE");
        assert_eq!(*to, if reply { leads_to } else { from }, "{call}");
        // What was known is forgotten before the next.
        w.now = w.now.after(Duration::from_hours(26));
        w.wait(Duration::from_secs(1));
        w.questions.clear();
    }
}
