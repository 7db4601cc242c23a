//! The whole node between two phones, without a socket: late offers, holds from both sides at once, and a key that
//! follows in the same packet into a secret entry.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use hotline::base::{CallId, Key, Now, Rng, Seq, TicketId};
use hotline::exchange::Fact;
use hotline::media::{Codec, MediaCommand};
use hotline::node::{LegSound, Node, NodeOutput, NodeSettings};
use hotline::sip::{Destination, InviteId, SipEvent, Transmit, UserAgent};

use crate::support::node_parts::{self, NODE, UDP, address, shipped_menus, to_node, udp_at};

struct Phone {
    at: SocketAddr,
    ua: UserAgent,
    sound: LegSound,
    invite: Option<InviteId>,
    events: Vec<SipEvent>,
}

impl Phone {
    fn new(last: u8) -> Self {
        let at = address(last);
        let ua = UserAgent::new(udp_at(at, "hotline"), &Rng::from_number(last.into()));
        let sound = LegSound::new(at.ip(), 30_000, &[Codec::Pcma], last.into());
        Self { at, ua, sound, invite: None, events: Vec::new() }
    }

    /// What a phone does by itself: answers changes, takes the answers to its own.
    fn settle(&mut self, now: Now) {
        while let Some(event) = self.ua.poll_event() {
            match &event {
                SipEvent::Incoming(incoming) => {
                    self.invite = Some(incoming.invite);
                    self.sound.answer(incoming.offer.as_ref().unwrap()).unwrap();
                    let body = self.sound.take_answer();
                    self.ua.answer(now.mono, incoming.invite, body);
                }
                SipEvent::Answered { invite, sdp: Some(sdp) } if self.late(sdp) => {
                    let body = self.sound.take_answer();
                    self.ua.ack_with(now.mono, *invite, body);
                }
                SipEvent::Answered { sdp: Some(sdp), .. }
                | SipEvent::ReofferAnswered { sdp: Some(sdp), .. } => {
                    self.sound.accept(sdp).unwrap();
                }
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

    /// Whether this is the offer to our INVITE without one; then it is answered.
    fn late(&mut self, sdp: &[u8]) -> bool {
        self.sound.remote().is_none() && self.invite.is_some() && self.sound.answer(sdp).is_ok()
    }

    fn is_over(&self) -> bool {
        self.events
            .iter()
            .any(|e| matches!(e, SipEvent::Ended { invite, .. } if Some(*invite) == self.invite))
    }
}

struct World {
    now: Now,
    node: Node,
    phones: Vec<Phone>,
    facts: Vec<Fact>,
    media: Vec<MediaCommand>,
    journal: String,
    secrets: Vec<Key>,
    /// What waits for the disk, and for which entry.
    waiting: Vec<(Seq, Transmit)>,
    /// Places that are to be kept.
    promises: Vec<(Seq, CallId, TicketId)>,
    /// Entries by which calls ended.
    ended: Vec<Seq>,
}

impl World {
    fn new() -> Self {
        let settings = node_parts::settings(udp_at(address(NODE), "hotline"), &["8002"], BTreeMap::new());
        let settings = NodeSettings { signal_hold: true, ..settings };
        let (now, node) = node_parts::node(settings, shipped_menus(|_| ()));
        let phones = vec![Phone::new(2), Phone::new(3)];
        Self {
            now,
            node,
            phones,
            facts: vec![],
            media: vec![],
            journal: String::new(),
            secrets: vec![],
            waiting: vec![],
            promises: vec![],
            ended: vec![],
        }
    }

    /// Carries everything to and fro until nobody has anything to say.
    fn carry(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.node.poll_output() {
                quiet = false;
                match output {
                    NodeOutput::TransmitAfter { seq, transmit } => {
                        // The disk is slow here: it has nothing until the test says so.
                        self.waiting.push((seq, transmit));
                    }
                    NodeOutput::AwaitRecord { seq, call, ticket } => self.promises.push((seq, call, ticket)),
                    NodeOutput::Transmit(transmit) => {
                        let Destination::Datagram { to, .. } = transmit.to else {
                            panic!("{:?}", transmit.to)
                        };
                        let phone = self.phones.iter_mut().find(|p| p.at == to).unwrap();
                        phone.ua.handle_datagram(self.now.mono, UDP, address(1), &transmit.bytes);
                    }
                    NodeOutput::Media(command) => self.media.push(command),
                    NodeOutput::Entry(entry) => {
                        self.journal += &serde_json::to_string(&entry).unwrap();
                        self.ended.extend(entry.facts.iter().filter_map(|f| match f {
                            Fact::CallEnded { .. } => Some(entry.seq),
                            _ => None,
                        }));
                        self.facts.extend(entry.facts);
                    }
                    NodeOutput::SecretDigit { key, .. } => self.secrets.push(key),
                    _ => {}
                }
            }
            for phone in &mut self.phones {
                phone.settle(self.now);
                while let Some(transmit) = phone.ua.poll_transmit() {
                    quiet = false;
                    self.node.handle_datagram(self.now, UDP, phone.at, &transmit.bytes);
                }
            }
            if quiet {
                return;
            }
        }
    }

    /// The disk has everything: what waited for it goes out.
    fn disk_has_all(&mut self) {
        for (_, transmit) in std::mem::take(&mut self.waiting) {
            let Destination::Datagram { to, .. } = transmit.to else { panic!("{:?}", transmit.to) };
            let phone = self.phones.iter_mut().find(|p| p.at == to).unwrap();
            phone.ua.handle_datagram(self.now.mono, UDP, address(1), &transmit.bytes);
        }
        for (_, call, ticket) in std::mem::take(&mut self.promises) {
            self.node.handle_recorded(self.now, call, ticket);
        }
        self.carry();
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

    fn dial(&mut self, who: usize, number: &str, offer: bool) {
        let phone = &mut self.phones[who];
        phone.sound = LegSound::new(phone.at.ip(), 30_000, &[Codec::Pcma], 7);
        let user = if who == 1 { "8002" } else { "13800138000" };
        let offer = offer.then(|| phone.sound.offer());
        let wanted = node_parts::invite(user, number, offer);
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

    /// Caller and agent 8002 talk.
    fn talking() -> Self {
        let mut w = Self::new();
        w.phones[1].ua.register(w.now.mono, node_parts::registration("8002", to_node()));
        w.carry();
        w.dial(1, "*81", true);
        let sign_in = w.phones[1].invite.unwrap();
        w.phones[1].ua.end(w.now.mono, sign_in);
        w.carry();
        w.disk_has_all();
        w.phones[1].sound = LegSound::new(address(3).ip(), 30_000, &[Codec::Pcma], 9);
        w.phones[1].events.clear();
        w.dial(0, "95188", true);
        w.press(0, "0");
        assert!(w.facts.iter().any(|f| matches!(f, Fact::Connected { .. })), "{:?}", w.facts);
        w
    }

    fn held(&self) -> usize {
        self.facts.iter().filter(|f| matches!(f, Fact::PeerHeld { held: true, .. })).count()
    }
}

#[test]
fn an_invite_without_an_offer_is_offered_and_the_ack_brings_the_answer() {
    let mut w = World::new();
    w.dial(0, "95188", false);
    assert!(!w.phones[0].is_over(), "{:?}", w.phones[0].events);
    let told = w
        .media
        .iter()
        .any(|m| matches!(m, MediaCommand::Remote { remote, .. } if remote.rtp.port() == 30_000));
    assert!(told, "{:?}", w.media);
    w.wait(Duration::from_secs(40));
    assert!(!w.phones[0].is_over(), "the call lives on after 64*T1");
}

fn said(w: &World, prompt: &str) -> bool {
    w.media.iter().any(|m| match m {
        MediaCommand::Play { prompts, .. } => prompts.iter().any(|p| p.as_str() == prompt),
        _ => false,
    })
}

#[test]
fn with_a_slow_disk_the_answer_to_a_bye_and_the_promise_of_a_place_wait_and_nothing_else() {
    let mut w = World::new();
    // Answered, in a menu, in a queue: none of it waits.
    w.dial(0, "95188", true);
    w.press(0, "0");
    assert!(w.waiting.is_empty(), "{:?}", w.waiting);
    assert!(said(&w, "queue-general"), "{:?}", w.media);
    assert_eq!(w.promises.len(), 1);
    w.wait(Duration::from_secs(3));
    assert!(!said(&w, "if-we-lose-you"), "promised without the disk");
    w.disk_has_all();
    assert!(said(&w, "if-we-lose-you") || w.facts.iter().any(|f| matches!(f, Fact::PlaceKept { .. })));
    let (now, invite) = (w.now, w.phones[0].invite.unwrap());
    w.phones[0].ua.end(now.mono, invite);
    w.carry();
    let (seq, answer) = w.waiting.first().cloned().unwrap();
    let text = String::from_utf8(answer.bytes.clone()).unwrap();
    assert!(text.starts_with("SIP/2.0 200 ") && text.contains("BYE\r\n"), "{text}");
    assert!(w.ended[0] <= seq, "the end is {:?}, the answer waits for {seq}", w.ended);
    // The phone repeats its BYE: the same answer, which waits too, and the call ends once.
    w.wait(Duration::from_secs(2));
    assert!(w.waiting.len() > 1 && w.waiting.iter().all(|(_, t)| *t == answer), "{:?}", w.waiting);
    assert_eq!(w.ended.len(), 1);
    w.disk_has_all();
    w.wait(Duration::from_secs(40));
    assert!(w.waiting.is_empty(), "the phone heard the answer, and still repeats itself");
}

#[test]
fn holds_from_both_sides_at_once_end_in_a_call_that_stands() {
    for seed in 0..8 {
        let mut w = World::talking();
        // The agent's hold makes us offer to the caller in the moment in which the caller's phone offers to us.
        w.press(1, "*");
        let (now, caller) = (w.now, &mut w.phones[0]);
        caller.sound.hold(true);
        let offer = caller.sound.offer();
        caller.ua.reoffer(now.mono, caller.invite.unwrap(), offer);
        let agent = &mut w.phones[1];
        node_parts::press(&mut agent.ua, now, agent.invite.unwrap(), '1');
        // Both are on their way before either arrives.
        let from_caller = w.phones[0].ua.poll_transmit().unwrap();
        let from_agent = w.phones[1].ua.poll_transmit().unwrap();
        let mut both = [(address(2), from_caller.bytes), (address(3), from_agent.bytes)];
        if seed % 2 == 1 {
            both.reverse();
        }
        for (from, bytes) in both {
            w.node.handle_datagram(w.now, UDP, from, &bytes);
        }
        w.carry();
        w.wait(Duration::from_secs(10 + seed));
        assert!(!w.phones[0].is_over() && !w.phones[1].is_over(), "{:?}", w.phones[0].events);
        assert_eq!(w.held(), 1, "{:?}", w.facts);
        // Both take it back; sound flows both ways again.
        w.press(1, "*1");
        let (now, caller) = (w.now, &mut w.phones[0]);
        caller.sound.hold(false);
        let offer = caller.sound.offer();
        caller.ua.reoffer(now.mono, caller.invite.unwrap(), offer);
        w.carry();
        w.wait(Duration::from_secs(10));
        let remote = w.phones[0].sound.remote().unwrap();
        assert!(remote.send && remote.receive, "{remote:?}");
        assert!(!w.phones[0].is_over() && !w.phones[1].is_over());
    }
}

#[test]
fn a_digit_on_the_heels_of_the_key_into_a_secret_entry_is_a_secret() {
    let mut w = World::new();
    w.dial(0, "95188", true);
    // Account, then identity: the PIN entry of the shipped menus; the digits come before anything else happens.
    w.press(0, "1");
    for key in "2739".chars() {
        let (now, phone) = (w.now, &mut w.phones[0]);
        node_parts::press(&mut phone.ua, now, phone.invite.unwrap(), key);
    }
    w.carry();
    w.wait(Duration::from_secs(5));
    let typed: String = w.secrets.iter().map(|k| k.as_char()).collect();
    assert_eq!(typed, "739", "{:?}", w.facts);
    for digit in ["\"7\"", "\"3\"", "\"9\""] {
        assert!(!w.journal.contains(&format!("\"key\":{digit}")), "{digit} is in the journal");
    }
    assert!(!w.facts.iter().any(|f| matches!(f, Fact::KeyPressed { key, .. } if key.as_char() == '7')));
}
