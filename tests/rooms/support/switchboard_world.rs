//! The whole node among phones without sockets: a caller, two agents, a third party behind a trunk. Phones answer by
//! themselves; what they would not say (REFER, odd answers) is written by hand in their names.
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{Instant, LegId, Now, Rng, TrunkId};
use hotline::exchange::Fact;
use hotline::exchange::acd::QueueSnapshot;
use hotline::exchange::menu::MenuSet;
use hotline::media::{Codec, LegFigures, MediaCommand, MediaEvent};
use hotline::node::{LegSound, Node, NodeFigures, NodeOutput, NodeSettings, Trunk};
use hotline::sip::{
    Destination, HostWanted, InviteId, ListenerTransport, OutgoingInvite, SipEvent, UserAgent,
    UserAgentSettings,
};

use super::node_parts::{self, NODE, UDP, address, shipped_menus, to_node, udp_at};

/// Phones, by their place.
pub(crate) const CALLER: usize = 0;
pub(crate) const AGENT: usize = 1;
pub(crate) const OTHER: usize = 2;
pub(crate) const MERCHANT: usize = 3;
/// The last numbers of their addresses, and whose they are.
const PLACES: [(u8, &str); 4] = [(2, "13800138000"), (3, "8002"), (4, "8001"), (9, "7001")];

struct Phone {
    at: SocketAddr,
    ua: UserAgent,
    sounds: BTreeMap<InviteId, LegSound>,
    /// Calls that were over.
    over: usize,
    /// The newest call.
    newest: Option<InviteId>,
    port: u16,
}

/// A call of a phone with the node, as the phone sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) call_id: String,
    /// The phone's tag.
    pub(crate) our_tag: String,
    /// The node's tag.
    pub(crate) their_tag: String,
}

pub(crate) struct World {
    pub(crate) now: Now,
    pub(crate) node: Node,
    phones: Vec<Phone>,
    pub(crate) media: Vec<MediaCommand>,
    /// Every message to and from the node: the phone's address, whether the node sent it, its text.
    pub(crate) wire: Vec<(SocketAddr, bool, String)>,
    /// How an INVITE to a user, or to `user@address`, is answered instead: the status line's rest, then fields.
    pub(crate) answers: BTreeMap<String, String>,
    /// The bodies of the NOTIFYs that phones got.
    pub(crate) notified: Vec<String>,
    /// What became true, and when.
    pub(crate) facts: Vec<(Instant, Fact)>,
    /// Phones that are not there any more: nothing comes from them, and what goes to them is lost.
    pub(crate) gone: BTreeSet<usize>,
    /// Phones that do not answer OPTIONS.
    pub(crate) deaf: BTreeSet<usize>,
    /// The network says so of each datagram that is lost (ICMP).
    pub(crate) network_tells: bool,
    /// Phones that send no sound, and since when.
    pub(crate) hushed: BTreeMap<usize, Instant>,
    /// How long a silence of each leg may be, from when on, and whether it was told.
    watches: BTreeMap<LegId, (Duration, Instant, bool)>,
    unreachable: Vec<SocketAddr>,
    /// The ports of open legs.
    ports: BTreeMap<LegId, u16>,
    /// Legs whose sound is to say that it is over.
    closing: Vec<LegId>,
    /// Messages in phones' names on their way to the node.
    by_hand: Vec<(SocketAddr, String)>,
    number: u32,
    /// Where `invites_to` begins.
    mark: usize,
}

fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)));
    found.map_or("", |(_, value)| value.trim())
}

fn tag(value: &str) -> String {
    value.split(";tag=").nth(1).unwrap_or("").split(';').next().unwrap().to_owned()
}

/// A response to a request by hand.
fn respond(request: &str, status: &str) -> String {
    let (line, more) =
        status.split_once('\n').map_or((status, String::new()), |(l, m)| (l, format!("{m}\r\n")));
    let to = field(request, "To");
    let to = if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag=byhand") };
    format!(
        "SIP/2.0 {line}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n{more}Content-Length: 0\r\n\r\n",
        field(request, "Via"),
        field(request, "From"),
        field(request, "Call-ID"),
        field(request, "CSeq"),
    )
}

impl Phone {
    fn new(last: u8) -> Self {
        let at = address(last);
        let ua = UserAgent::new(udp_at(at, "hotline"), &Rng::from_number(last.into()));
        Self { at, ua, sounds: BTreeMap::new(), over: 0, newest: None, port: 30_000 }
    }

    fn sound(&mut self) -> LegSound {
        self.port += 2;
        LegSound::new(self.at.ip(), self.port, &[Codec::Pcma], u64::from(self.port))
    }

    /// What a phone does by itself: answers calls and changes, takes the answers to its own.
    fn settle(&mut self, now: Now) {
        while let Some(event) = self.ua.poll_event() {
            match event {
                SipEvent::Incoming(incoming) => {
                    let mut sound = self.sound();
                    sound.answer(incoming.offer.as_ref().unwrap()).unwrap();
                    self.ua.answer(now.mono, incoming.invite, sound.take_answer());
                    self.newest = Some(incoming.invite);
                    self.sounds.insert(incoming.invite, sound);
                }
                SipEvent::Answered { invite, sdp: Some(sdp) }
                | SipEvent::ReofferAnswered { invite, sdp: Some(sdp) } => {
                    self.sounds.get_mut(&invite).unwrap().accept(&sdp).unwrap();
                }
                SipEvent::Reoffer { invite, offer: Some(offer) } => {
                    let sound = self.sounds.get_mut(&invite).unwrap();
                    sound.answer(&offer).unwrap();
                    let body = sound.take_answer();
                    self.ua.answer_reoffer(now.mono, invite, body);
                }
                SipEvent::Ended { invite, .. } => {
                    self.sounds.remove(&invite);
                    self.over += 1;
                }
                _ => {}
            }
        }
    }
}

impl World {
    /// Nobody is signed in; `set` changes the merchants' trunk.
    pub(crate) fn new(set: impl FnOnce(&mut Trunk)) -> Self {
        Self::tuned(set, |_| ())
    }

    /// The same with other settings.
    pub(crate) fn tuned(set: impl FnOnce(&mut Trunk), tune: impl FnOnce(&mut NodeSettings)) -> Self {
        let merchants = HostWanted {
            host: address(9).ip().to_string(),
            port: Some(address(9).port()),
            transport: Some(ListenerTransport::Udp),
            secure: false,
        };
        let mut trunk = Trunk::new(merchants, "192.0.2.9".into());
        set(&mut trunk);
        let trunks = BTreeMap::from([(TrunkId::from("merchants"), trunk)]);
        let sip = UserAgentSettings { trace: true, ..udp_at(address(NODE), "hotline") };
        let mut settings = node_parts::settings(sip, &["8001", "8002"], trunks);
        tune(&mut settings);
        let (now, node) = node_parts::node(settings, shipped_menus(|_| ()));
        Self {
            now,
            node,
            phones: PLACES.iter().map(|(last, _)| Phone::new(*last)).collect(),
            media: vec![],
            wire: vec![],
            answers: BTreeMap::new(),
            notified: vec![],
            facts: vec![],
            gone: BTreeSet::new(),
            deaf: BTreeSet::new(),
            network_tells: false,
            hushed: BTreeMap::new(),
            watches: BTreeMap::new(),
            unreachable: vec![],
            ports: BTreeMap::new(),
            closing: vec![],
            by_hand: vec![],
            number: 500,
            mark: 0,
        }
    }

    /// The shipped menus.
    pub(crate) fn menus() -> Arc<MenuSet> {
        shipped_menus(|_| ())
    }

    /// Caller and agent talk.
    pub(crate) fn talking() -> Self {
        Self::talking_with(|_| ())
    }

    pub(crate) fn talking_with(set: impl FnOnce(&mut Trunk)) -> Self {
        let mut w = Self::new(set);
        w.sign_in(AGENT);
        w.dial(CALLER, "95188");
        w.press(CALLER, "0");
        w.assert_two_way(CALLER, AGENT);
        w
    }

    /// Carries everything to and fro until nobody has anything to say.
    pub(crate) fn carry(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.node.poll_output() {
                quiet = false;
                match output {
                    NodeOutput::Transmit(transmit) | NodeOutput::TransmitAfter { transmit, .. } => {
                        let Destination::Datagram { to, .. } = transmit.to else {
                            panic!("{:?}", transmit.to)
                        };
                        self.tell_phone(to, &String::from_utf8(transmit.bytes).unwrap());
                    }
                    NodeOutput::Media(command) => {
                        match &command {
                            MediaCommand::Open { leg, port } => drop(self.ports.insert(*leg, *port)),
                            MediaCommand::Close { leg } => self.closing.push(*leg),
                            _ => {}
                        }
                        if let MediaCommand::Watch { leg, silence: Some(limit) } = command {
                            self.watches.insert(leg, (limit, self.now.mono, false));
                        }
                        self.media.push(command);
                    }
                    NodeOutput::Entry(entry) => {
                        let at = entry.now.mono;
                        self.facts.extend(entry.facts.into_iter().map(|fact| (at, fact)));
                    }
                    _ => {}
                }
            }
            for leg in std::mem::take(&mut self.closing) {
                quiet = false;
                let port = self.ports.remove(&leg).unwrap();
                let closed = MediaEvent::Closed { leg, port, figures: LegFigures::default() };
                self.node.handle_media(self.now, &closed);
                self.node.offer_port(port);
            }
            for at in std::mem::take(&mut self.unreachable) {
                quiet = false;
                self.node.unreachable(self.now, UDP, at);
            }
            for (from, text) in std::mem::take(&mut self.by_hand) {
                quiet = false;
                self.tell_node(from, &text);
            }
            for n in 0..self.phones.len() {
                self.phones[n].settle(self.now);
                while let Some(transmit) = self.phones[n].ua.poll_transmit() {
                    if self.gone.contains(&n) {
                        continue;
                    }
                    quiet = false;
                    let text = String::from_utf8(transmit.bytes).unwrap();
                    self.tell_node(self.phones[n].at, &text);
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn tell_node(&mut self, from: SocketAddr, text: &str) {
        self.wire.push((from, false, text.to_owned()));
        self.node.handle_datagram(self.now, UDP, from, text.as_bytes());
    }

    fn tell_phone(&mut self, to: SocketAddr, text: &str) {
        self.wire.push((to, true, text.to_owned()));
        if let Some(place) = self.phones.iter().position(|p| p.at == to)
            && (self.gone.contains(&place) || self.deaf.contains(&place) && text.starts_with("OPTIONS "))
        {
            if self.network_tells {
                self.unreachable.push(to);
            }
            return;
        }
        let user = text.strip_prefix("INVITE sip:").and_then(|rest| rest.split('@').next());
        let odd = user.filter(|_| !field(text, "To").contains(";tag=")).and_then(|user| {
            self.answers.get(&format!("{user}@{}", to.ip())).or_else(|| self.answers.get(user))
        });
        if text.starts_with("NOTIFY ") {
            self.notified.push(text.split("\r\n\r\n").nth(1).unwrap().trim().to_owned());
            self.by_hand.push((to, respond(text, "200 OK")));
        } else if let Some(odd) = odd {
            self.by_hand.push((to, respond(text, odd)));
        } else if let Some(phone) = self.phones.iter_mut().find(|p| p.at == to) {
            phone.ua.handle_datagram(self.now.mono, UDP, address(NODE), text.as_bytes());
        } else {
            panic!("sent to nobody at {to}: {text}");
        }
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now.after(time);
        self.carry();
        while self.now.mono < end.mono {
            let next = self.node.next_deadline().map_or(end.mono, |d| d.at);
            let next = self.next_silence().map_or(next, |(at, _)| at.min(next));
            let step = next.since(self.now.mono).clamp(Duration::from_millis(100), Duration::from_secs(5));
            self.now = self.now.after(step.min(end.mono.since(self.now.mono)));
            if let Some((_, leg)) = self.next_silence().filter(|(at, _)| *at <= self.now.mono) {
                self.watches.entry(leg).and_modify(|(.., told)| *told = true);
                self.node.handle_media(self.now, &MediaEvent::SoundLost { leg });
            }
            self.node.handle_timeout(self.now);
            for phone in &mut self.phones {
                phone.ua.handle_timeout(self.now.mono);
            }
            self.carry();
        }
    }

    pub(crate) fn dial(&mut self, who: usize, number: &str) {
        self.dial_with(who, number, Vec::new());
    }

    pub(crate) fn dial_with(&mut self, who: usize, number: &str, extra_headers: Vec<(String, String)>) {
        let user = PLACES[who].1;
        let phone = &mut self.phones[who];
        let mut sound = phone.sound();
        let wanted =
            OutgoingInvite { extra_headers, ..node_parts::invite(user, number, Some(sound.offer())) };
        let invite = phone.ua.invite(self.now.mono, wanted);
        phone.sounds.insert(invite, sound);
        phone.newest = Some(invite);
        self.carry();
    }

    /// Forgets what was seen so far; no call may be going on.
    pub(crate) fn forget(&mut self) {
        self.wire.clear();
        self.media.clear();
        self.facts.clear();
        self.watches.clear();
    }

    /// A phone that is silent sends a report (RTCP).
    pub(crate) fn report(&mut self, who: usize) {
        let at = self.phones[who].at;
        let legs: Vec<LegId> =
            self.ears().into_iter().filter(|(_, (ip, _))| *ip == Some(at.ip())).map(|(leg, _)| leg).collect();
        for leg in legs.into_iter().filter(|leg| self.watches.get(leg).is_some_and(|(.., told)| *told)) {
            self.node.handle_media(self.now, &MediaEvent::Reported { leg });
        }
        self.carry();
    }

    /// Hangs up the newest call.
    pub(crate) fn hang_up(&mut self, who: usize) {
        let phone = &mut self.phones[who];
        phone.ua.end(self.now.mono, phone.newest.unwrap());
        self.carry();
    }

    /// Presses keys in the newest call.
    pub(crate) fn press(&mut self, who: usize, keys: &str) {
        for key in keys.chars() {
            let phone = &mut self.phones[who];
            node_parts::press(&mut phone.ua, self.now, phone.newest.unwrap(), key);
            self.carry();
        }
    }

    /// A phone registers as `user`, who may have others.
    pub(crate) fn register(&mut self, who: usize, user: &str) {
        self.phones[who].ua.register(self.now.mono, node_parts::registration(user, to_node()));
        self.carry();
    }

    /// The keys that the node sends, each with the phone that gets it, among sound or by INFO.
    pub(crate) fn keys_sent(&self) -> Vec<(usize, char)> {
        let among_sound = self.media.iter().filter_map(|command| match command {
            MediaCommand::SendKey { leg, key } => Some((self.whose(*leg).unwrap(), key.as_char())),
            _ => None,
        });
        let by_info =
            self.wire[self.mark..].iter().filter(|(_, by_node, text)| *by_node && text.starts_with("INFO "));
        let by_info = by_info.map(|(to, _, text)| {
            let signal = text.split("Signal=").nth(1).unwrap().chars().next().unwrap();
            (self.phones.iter().position(|p| p.at == *to).unwrap(), signal)
        });
        among_sound.chain(by_info).collect()
    }

    /// Registers an agent's phone and signs him in.
    pub(crate) fn sign_in(&mut self, who: usize) {
        let user = PLACES[who].1;
        self.register(who, user);
        self.dial(who, "*81");
        let phone = &mut self.phones[who];
        phone.ua.end(self.now.mono, phone.newest.unwrap());
        self.carry();
        self.phones[who].over = 0;
    }

    /// The calls of a phone with the node, the newest last; those that are over too.
    pub(crate) fn lines(&self, who: usize) -> Vec<Line> {
        let at = self.phones[who].at;
        let mut lines: Vec<Line> = Vec::new();
        for (_, by_node, text) in self.wire.iter().filter(|(peer, _, _)| *peer == at) {
            if !text.starts_with("SIP/2.0 200") || !field(text, "CSeq").ends_with("INVITE") {
                continue;
            }
            let (from, to) = (tag(field(text, "From")), tag(field(text, "To")));
            let (our_tag, their_tag) = if *by_node { (from, to) } else { (to, from) };
            let line = Line { call_id: field(text, "Call-ID").to_owned(), our_tag, their_tag };
            lines.retain(|l| l.call_id != line.call_id);
            lines.push(line);
        }
        lines
    }

    /// A REFER in the newest call of a phone: the status of its answer.
    pub(crate) fn refer(&mut self, who: usize, target: &str) -> u16 {
        self.refer_raw(who, &format!("Refer-To: <{target}>"))
    }

    pub(crate) fn refer_raw(&mut self, who: usize, fields: &str) -> u16 {
        let line = self.lines(who).pop().unwrap();
        self.refer_in(who, &line, fields)
    }

    pub(crate) fn refer_in(&mut self, who: usize, line: &Line, fields: &str) -> u16 {
        self.within(who, line, "REFER", fields)
    }

    /// A request by hand in a call of a phone: the status of its answer, 0 for none.
    pub(crate) fn within(&mut self, who: usize, line: &Line, method: &str, fields: &str) -> u16 {
        self.number += 1;
        let (number, at, user) = (self.number, self.phones[who].at, PLACES[who].1);
        let fields = if fields.is_empty() { String::new() } else { format!("{fields}\r\n") };
        let text = format!(
            "{method} sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\nFrom: \
             <sip:{user}@{at}>;tag={1}\r\nTo: <sip:{0}>;tag={2}\r\nCall-ID: {3}\r\nCSeq: {number} {method}\r\nContact: \
             <sip:{user}@{at}>\r\n{fields}Content-Length: 0\r\n\r\n",
            address(NODE),
            line.our_tag,
            line.their_tag,
            line.call_id
        );
        self.by_hand.push((at, text));
        self.carry();
        self.answer_to(who, &format!("{number} {method}"))
    }

    /// An INVITE with Replaces; with credentials if `user` says whose. The status of its final answer.
    pub(crate) fn replacing(&mut self, who: usize, user: Option<&str>, replaces: &str) -> u16 {
        let headers =
            vec![("Replaces".to_owned(), replaces.to_owned()), ("Require".to_owned(), "replaces".to_owned())];
        assert!(user.is_none_or(|user| user == PLACES[who].1));
        self.dial_with(who, "95188", headers);
        self.answer_to(who, "INVITE")
    }

    /// From now on `invites_to` shows what comes.
    pub(crate) fn mark(&mut self) {
        self.mark = self.wire.len();
    }

    /// The status of the node's last final answer to a phone's requests whose `CSeq` ends so.
    fn answer_to(&self, who: usize, cseq: &str) -> u16 {
        let at = self.phones[who].at;
        let mut answers = self.wire.iter().rev().filter(|(peer, by_node, text)| {
            *by_node && *peer == at && text.starts_with("SIP/2.0 ") && field(text, "CSeq").ends_with(cseq)
        });
        answers.find_map(|(_, _, text)| text[8..11].parse().ok().filter(|s| *s >= 200)).unwrap_or(0)
    }

    /// How many requests of this method the node sent to a phone.
    pub(crate) fn requests_to(&self, who: usize, method: &str) -> usize {
        let at = self.phones[who].at;
        let start = format!("{method} ");
        let sent = self.wire[self.mark..].iter();
        sent.filter(|(peer, by_node, text)| *by_node && *peer == at && text.starts_with(&start)).count()
    }

    /// First INVITEs that the node sent to a phone.
    pub(crate) fn invites_to(&self, who: usize) -> Vec<String> {
        let at = self.phones[who].at;
        let to_it = self.wire[self.mark..].iter().filter(|(peer, by_node, _)| *by_node && *peer == at);
        to_it
            .filter(|(_, _, text)| text.starts_with("INVITE ") && !field(text, "To").contains(";tag="))
            .map(|(_, _, text)| text.clone())
            .collect()
    }

    // Who hears whom, as the sound was told.

    /// The addresses of a phone's legs that are open, each with what it hears.
    fn ears(&self) -> BTreeMap<LegId, (Option<IpAddr>, Vec<LegId>)> {
        let mut ears: BTreeMap<LegId, (Option<IpAddr>, Vec<LegId>)> = BTreeMap::new();
        for command in &self.media {
            match command {
                MediaCommand::Open { leg, .. } => drop(ears.insert(*leg, (None, vec![]))),
                MediaCommand::Remote { leg, remote } => {
                    ears.entry(*leg).or_default().0 = Some(remote.rtp.ip());
                }
                MediaCommand::Hear { leg, sources } => ears.entry(*leg).or_default().1.clone_from(sources),
                MediaCommand::Close { leg } => drop(ears.remove(leg)),
                _ => {}
            }
        }
        ears
    }

    /// The phone at the far end of an open leg.
    fn whose(&self, leg: LegId) -> Option<usize> {
        let ip = self.ears().get(&leg)?.0?;
        self.phones.iter().position(|p| p.at.ip() == ip)
    }

    /// Whom a phone hears, by their places.
    pub(crate) fn hears(&self, who: usize) -> Vec<usize> {
        let ears = self.ears();
        let place = |leg: &LegId| self.whose(*leg);
        let own = ears.iter().filter(|(leg, _)| place(leg) == Some(who));
        let mut heard: Vec<usize> =
            own.flat_map(|(_, (_, sources))| sources.iter().filter_map(place)).collect();
        heard.sort_unstable();
        heard.dedup();
        heard
    }

    pub(crate) fn assert_two_way(&self, one: usize, other: usize) {
        let (a, b) = (self.hears(one), self.hears(other));
        assert!(a.contains(&other) && b.contains(&one), "{one} hears {a:?}, {other} hears {b:?}");
    }

    /// Whether all calls of a phone are over.
    pub(crate) fn is_over(&self, who: usize) -> bool {
        self.live_calls_of(who) == 0
    }

    pub(crate) fn live_calls_of(&self, who: usize) -> usize {
        self.phones[who].sounds.len()
    }

    pub(crate) fn figures(&self) -> NodeFigures {
        self.node.view(self.now).figures
    }

    /// A phone holds its newest call, or takes it back: `direction` is what it offers.
    pub(crate) fn reoffer(&mut self, who: usize, direction: &str) {
        let phone = &mut self.phones[who];
        let invite = phone.newest.unwrap();
        let sound = phone.sounds.get_mut(&invite).unwrap();
        sound.hold(direction == "sendonly");
        let offer = String::from_utf8(sound.offer()).unwrap();
        let offer = offer.replace("a=sendrecv", &format!("a={direction}"));
        phone.ua.reoffer(self.now.mono, invite, offer.into_bytes());
        self.carry();
    }

    /// Whether sound is agreed to come from a leg.
    fn is_expected(&self, leg: LegId) -> bool {
        let mut remotes = self.media.iter().rev().filter_map(|command| match command {
            MediaCommand::Remote { leg: l, remote } if *l == leg => Some(remote.receive),
            _ => None,
        });
        remotes.next().unwrap_or(true)
    }

    /// The next silence that will be noticed, and whose.
    fn next_silence(&self) -> Option<(Instant, LegId)> {
        let ears = self.ears();
        let due = |(leg, (limit, from, told)): (&LegId, &(Duration, Instant, bool))| {
            let ip = ears.get(leg)?.0?;
            let place = self.phones.iter().position(|p| p.at.ip() == ip)?;
            let since = self.hushed.get(&place)?;
            (!told && self.is_expected(*leg)).then_some(((*since).max(*from) + *limit, *leg))
        };
        self.watches.iter().filter_map(due).min()
    }

    /// A phone falls off the network: no answer, no sound.
    pub(crate) fn vanish(&mut self, who: usize) -> Instant {
        self.gone.insert(who);
        self.hush(who);
        self.now.mono
    }

    /// A phone sends no sound from now on.
    pub(crate) fn hush(&mut self, who: usize) {
        self.hushed.insert(who, self.now.mono);
    }

    /// It sends sound again.
    pub(crate) fn unhush(&mut self, who: usize) {
        self.hushed.remove(&who);
        let told: Vec<LegId> = self.watches.iter().filter(|(_, (.., told))| *told).map(|(l, _)| *l).collect();
        for leg in told {
            self.watches.entry(leg).and_modify(|(.., told)| *told = false);
            self.node.handle_media(self.now, &MediaEvent::SoundBack { leg });
        }
        self.carry();
    }

    /// When something first became true after `from`.
    pub(crate) fn fact_at(&self, from: Instant, wanted: impl Fn(&Fact) -> bool) -> Option<Instant> {
        self.facts.iter().find(|(at, fact)| *at >= from && wanted(fact)).map(|(at, _)| *at)
    }

    pub(crate) fn queue(&self, name: &str) -> QueueSnapshot {
        let queues = self.node.view(self.now).board.acd.queues;
        queues.into_iter().find(|q| q.queue.as_str() == name).unwrap()
    }

    /// The stages of all calls.
    pub(crate) fn status_of_calls(&self) -> Vec<String> {
        self.node.view(self.now).board.calls.iter().map(|c| c.stage.clone()).collect()
    }
}
