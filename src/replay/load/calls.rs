//! What the phones of the load do in their calls: register, sign in, dial, answer, press, hang up.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::Scenario;
use super::drive::{Drive, WANTED_PACKETS};
use super::ear::Ear;
use super::phone::{Mouth, Phone, Role};
use super::plan::Phase;
use crate::base::{Instant, Now};
use crate::media::Codec;
use crate::node::LegSound;
use crate::replay::engine::UDP;
use crate::sip::{
    Credentials, Destination, Identity, Incoming, InviteId, OutgoingInvite, Registration, SipEvent, Status,
};

/// Between two keys of one phone.
const BETWEEN_KEYS: Duration = Duration::from_millis(120);
/// How long a key is held, in milliseconds.
const HELD_MS: u32 = 80;
/// After an agent's call stands, before he calls the merchant.
const PAUSE: Duration = Duration::from_millis(500);
/// After the merchant was called, before he is joined.
const BEFORE_JOIN: Duration = Duration::from_secs(2);
/// Sign-in calls at once.
const SIGN_INS: usize = 50;
/// A caller's numbers begin with this.
const CALLER: &str = "139";

impl Drive {
    fn destination(&self) -> Destination {
        Destination::Datagram { listener: UDP, to: self.address() }
    }

    pub(super) fn register_all(&mut self) {
        let now = self.engine.now();
        let (to, server) = (self.destination(), self.address());
        for (user, password) in self.settings.agents.clone() {
            let credentials = Credentials { user: user.clone(), password, realm: None };
            self.engine.sip.register(
                now.mono,
                Registration {
                    registrar_uri: format!("sip:{server}"),
                    to,
                    identity: Identity { user, ..Identity::default() },
                    contact_user: None,
                    credentials: Some(credentials),
                    expires: Duration::from_hours(1),
                },
            );
            self.settle(now);
        }
    }

    /// Agents sign in a few at a time.
    pub(super) fn sign_in_next(&mut self, now: Now) {
        while self.counts.sign_ins < self.settings.agents.len()
            && self.counts.sign_ins < self.counts.signed_in + SIGN_INS
        {
            let Some((user, password)) = self.settings.agents.get(self.counts.sign_ins).cloned() else {
                return;
            };
            self.counts.sign_ins += 1;
            let credentials = Credentials { user: user.clone(), password, realm: None };
            let code = self.settings.sign_in.clone();
            self.ring(now, (Role::SignIn, usize::MAX), (&user, &code), Some(credentials));
        }
    }

    pub(super) fn dial(&mut self, now: Now) {
        let call = self.counts.dialled;
        self.counts.dialled += 1;
        let number = self.settings.number.clone();
        self.ring(now, (Role::Caller, call), (&format!("{CALLER}{call:08}"), &number), None);
    }

    fn ring(
        &mut self,
        now: Now,
        part: (Role, usize),
        (user, number): (&str, &str),
        credentials: Option<Credentials>,
    ) {
        let at = self.place();
        let mut sound = self.sound(at);
        let offer = sound.offer();
        let from = Identity { user: user.to_owned(), ..Identity::default() };
        let invite = self.engine.sip.invite(
            now.mono,
            OutgoingInvite {
                request_uri: format!("sip:{number}@{}", self.settings.server),
                to: self.destination(),
                route: Vec::new(),
                from,
                extra_headers: Vec::new(),
                offer: Some(offer),
                credentials,
            },
        );
        self.seat(at, now.mono, part, (invite, sound));
        self.settle(now);
    }

    fn place(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.phones.push(None);
            self.phones.len() - 1
        })
    }

    fn sound(&mut self, at: usize) -> LegSound {
        // Shared sockets are open already: this cannot fail.
        let port = self.engine.seat(at).unwrap_or(0);
        LegSound::new(self.settings.at.into(), port, &[Codec::Pcma], self.rng.next_u64() >> 2)
    }

    fn seat(
        &mut self,
        at: usize,
        now: Instant,
        (role, call): (Role, usize),
        (invite, sound): (InviteId, LegSound),
    ) {
        let timed = call < self.settings.timed;
        let mouth = match (self.settings.scenario, role) {
            (Scenario::Calls, _) | (_, Role::SignIn) => Mouth::Shut,
            (Scenario::Callers, Role::Caller) => Mouth::Tone,
            (_, Role::Caller) if timed => Mouth::Burst,
            (_, Role::Agent | Role::Merchant) if timed => Mouth::Quiet,
            (_, Role::Caller | Role::Agent | Role::Merchant) => Mouth::Tone,
        };
        let phone = Phone {
            role,
            call,
            invite,
            sound,
            mouth,
            to: None,
            up: false,
            dialled_at: now,
            ear: Ear::new(timed && role == Role::Agent),
            sequence: 0,
            ssrc: self.rng.next_u32(),
            keys: Vec::new(),
            key_at: None,
            after_pause: 0,
        };
        if let Some(place) = self.phones.get_mut(at) {
            *place = Some(phone);
        }
        self.of_invite.insert(invite, at);
        if role == Role::Agent {
            self.agent_of.insert(call, at);
        }
    }

    pub(super) fn on_sip(&mut self, now: Now, event: SipEvent) {
        match event {
            SipEvent::Incoming(incoming) => self.on_incoming(now, &incoming),
            SipEvent::Answered { invite, sdp } => {
                let Some(at) = self.of_invite.get(&invite).copied() else { return };
                let Some(Some(phone)) = self.phones.get_mut(at) else { return };
                if sdp.is_none_or(|sdp| phone.sound.accept(&sdp).is_err()) {
                    self.engine.sip.end(now.mono, invite);
                    return;
                }
                if phone.role == Role::Caller {
                    let us = now.mono.since(phone.dialled_at).as_micros();
                    self.answer_us.saturating_record(u64::try_from(us).unwrap_or(u64::MAX));
                }
                self.up(at, now.mono);
            }
            SipEvent::Failed { invite, status, .. } => {
                let role = self.phone_of(invite).map(|p| p.role);
                if role == Some(Role::Caller) {
                    self.counts.refused += 1;
                    *self.counts.statuses.entry(status.code()).or_default() += 1;
                    if let Some(phone) = self.phone_of(invite) {
                        phone.role = Role::SignIn;
                    }
                }
            }
            SipEvent::Reoffer { invite, offer } => {
                let Some(phone) = self.phone_of(invite) else { return };
                if offer.is_some_and(|offer| phone.sound.answer(&offer).is_err()) {
                    return;
                }
                let sdp = phone.sound.take_answer();
                self.engine.sip.answer_reoffer(now.mono, invite, sdp);
            }
            SipEvent::Ended { invite, .. } => self.on_ended(invite),
            _ => {}
        }
    }

    fn phone_of(&mut self, invite: InviteId) -> Option<&mut Phone> {
        let at = *self.of_invite.get(&invite)?;
        self.phones.get_mut(at)?.as_mut()
    }

    fn on_incoming(&mut self, now: Now, incoming: &Incoming) {
        let is_agent = self.settings.agents.iter().any(|(user, _)| *user == incoming.request_user);
        let role = if is_agent { Role::Agent } else { Role::Merchant };
        let digits = incoming.from.user.strip_prefix(CALLER).unwrap_or_default();
        // A merchant is not told whose call it is: they are rung in the order in which the calls came.
        let call = if is_agent { digits.parse().unwrap_or(usize::MAX) } else { self.counts.merchants };
        self.counts.merchants += usize::from(!is_agent);
        let at = self.place();
        let mut sound = self.sound(at);
        let offer = incoming.offer.as_deref().unwrap_or_default();
        if sound.answer(offer).is_err() {
            self.free.push(at);
            self.engine.sip.reject(now.mono, incoming.invite, Status::NOT_ACCEPTABLE_HERE, None);
            return;
        }
        let sdp = sound.take_answer();
        self.seat(at, now.mono, (role, call), (incoming.invite, sound));
        self.engine.sip.answer(now.mono, incoming.invite, sdp);
        self.up(at, now.mono);
        if self.settings.scenario == Scenario::Conferences && role == Role::Agent {
            let (invite, join) = (self.settings.invite_keys.clone(), self.settings.join_keys.clone());
            if let Some(Some(agent)) = self.phones.get_mut(at) {
                agent.press(&join, &invite, now.mono + PAUSE);
            }
        }
    }

    /// A call stands: its sound goes where it was agreed.
    fn up(&mut self, at: usize, now: Instant) {
        let Some(Some(phone)) = self.phones.get_mut(at) else { return };
        phone.up = true;
        phone.dialled_at = now;
        if let Some(SocketAddr::V4(to)) = phone.sound.remote().map(|r| r.rtp) {
            phone.to = Some(to);
            self.engine.agree(at, to);
        }
    }

    fn on_ended(&mut self, invite: InviteId) {
        let Some(at) = self.of_invite.remove(&invite) else { return };
        let Some(phone) = self.phones.get_mut(at).and_then(Option::take) else { return };
        self.free.push(at);
        self.engine.leave(at, phone.to);
        match (phone.role, self.settings.scenario) {
            (Role::SignIn, _) => {
                if phone.call == usize::MAX {
                    self.counts.signed_in += 1;
                }
            }
            (Role::Caller, Scenario::Calls) => {
                if phone.ear.packets >= WANTED_PACKETS {
                    self.counts.good += 1;
                } else {
                    self.counts.failed += 1;
                }
            }
            (Role::Caller, _) => {
                if !matches!(self.phase, Phase::Fall(_)) {
                    self.counts.failed += 1;
                }
            }
            (Role::Agent, _) => {
                if self.agent_of.get(&phone.call) == Some(&at) {
                    self.agent_of.remove(&phone.call);
                }
            }
            (Role::Merchant, _) => {}
        }
    }

    /// Keys whose time has come; and callers who have heard enough.
    pub(super) fn press_keys(&mut self, now: Instant) {
        let brief = self.settings.scenario == Scenario::Calls;
        if !brief && self.settings.scenario != Scenario::Conferences {
            return;
        }
        let mut over = Vec::new();
        for phone in self.phones.iter_mut().flatten() {
            if brief {
                // A second of the prompt, or three of waiting for it.
                let waited = now.since(phone.dialled_at) > Duration::from_secs(3);
                if phone.up && (phone.ear.packets >= WANTED_PACKETS || waited) {
                    phone.up = false;
                    over.push(phone.invite);
                }
            } else if phone.key_at.is_some_and(|at| at <= now) {
                if let Some(key) = phone.keys.pop() {
                    self.engine.sip.press(now, phone.invite, key, HELD_MS);
                }
                let pause = if phone.keys.len() == phone.after_pause { BEFORE_JOIN } else { BETWEEN_KEYS };
                phone.key_at = (!phone.keys.is_empty()).then(|| now + pause);
            }
        }
        for invite in over {
            self.engine.sip.end(now, invite);
        }
    }

    pub(super) fn hang_up_all(&mut self, now: Instant) {
        let all: Vec<InviteId> = self.phones.iter().flatten().map(|p| p.invite).collect();
        for invite in all {
            self.engine.sip.end(now, invite);
        }
    }

    /// Who heard which tones.
    pub(super) fn what_was_heard(&self) -> Vec<(String, usize)> {
        let mut all = BTreeMap::new();
        for phone in self.phones.iter().flatten().filter(|p| p.up && p.call >= self.settings.timed) {
            let whom = [Role::Caller, Role::Agent, Role::Merchant]
                .into_iter()
                .filter(|r| phone.ear.tones & (1 << r.tone()) != 0)
                .map(Role::as_str);
            let whom: Vec<&str> = whom.collect();
            let whom = if whom.is_empty() { "nobody".to_owned() } else { whom.join(" ") };
            *all.entry(format!("{} hears {whom}", phone.role.as_str())).or_insert(0) += 1;
        }
        all.into_iter().collect()
    }

    /// Ears that heard exactly whom they should; and those that did not. Timed calls are told by their bursts.
    pub(super) fn judge(&self) -> (usize, usize) {
        let (mut right, mut wrong) = (0, 0);
        for phone in self.phones.iter().flatten().filter(|p| p.up && p.call >= self.settings.timed) {
            let ok = match (self.settings.scenario, phone.role) {
                (Scenario::Calls, _) | (_, Role::SignIn) => continue,
                (Scenario::Callers, _) => phone.ear.loud > 0,
                (Scenario::Bridges, role) => {
                    phone.ear.tones == if role == Role::Caller { 0b010 } else { 0b001 }
                }
                (Scenario::Conferences, role) => phone.ear.tones == 0b111 & !(1 << role.tone()),
            };
            if ok {
                right += 1;
            } else {
                wrong += 1;
            }
        }
        (right, wrong)
    }
}
