//! A phone of the deep mode: a real user agent and a real RTP session at an address of its own. One call at a time.
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::base::{Instant, Key, Now, Rng};
use crate::media::{Codec, FRAME, FRAME_SAMPLES, SAMPLE_RATE};
use crate::node::LegSound;
use crate::rtp::{EventSender, Incoming, PACKET_BYTES, RtpSession};
use crate::sip::{
    Credentials, Destination, EndReason, Identity, Incoming as IncomingCall, InviteId, Listener, ListenerId,
    ListenerTransport, OutgoingInvite, Registration, SipEvent, Status, UserAgent, UserAgentSettings,
};

pub(super) const UDP: ListenerId = ListenerId(0);
/// Where a phone's sound is.
pub(super) const RTP_PORT: u16 = 30_000;
/// How long a key is held, and the silence after it, in frames.
const HELD: Duration = Duration::from_millis(100);
const REST: u32 = 3;

/// What a phone tells its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Rings,
    Up,
    Over(EndReason),
}

/// A phone.
pub(super) struct Phone {
    pub(super) at: SocketAddr,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) ua: UserAgent,
    hotline: SocketAddr,
    rng: Rng,
    call: Option<Call>,
    pub(super) told: VecDeque<Told>,
    /// Frames of sound heard in this call.
    pub(super) heard: u64,
    /// When its next wake-up is planned.
    pub(super) wake: Option<Instant>,
}

#[derive(Debug)]
struct Call {
    invite: InviteId,
    sound: LegSound,
    rtp: RtpSession,
    talks: bool,
    keys: VecDeque<Key>,
    pressing: Option<(u32, EventSender)>,
    rest: u32,
}

impl Phone {
    pub(super) fn new(
        ip: Ipv4Addr,
        user: &str,
        password: Option<&str>,
        hotline: SocketAddr,
        rng: &Rng,
    ) -> Self {
        let at = SocketAddr::new(IpAddr::V4(ip), 5060);
        let listener = Listener { id: UDP, transport: ListenerTransport::Udp, local: at, advertised: at };
        let rng = rng.fork(&at.to_string());
        let ua = UserAgent::new(UserAgentSettings::new(vec![listener], "phone"), &rng.fork("sip"));
        let (user, password) = (user.to_owned(), password.map(str::to_owned));
        Self { at, user, password, ua, hotline, rng, call: None, told: VecDeque::new(), heard: 0, wake: None }
    }

    fn to(&self) -> Destination {
        Destination::Datagram { listener: UDP, to: self.hotline }
    }

    fn identity(&self) -> Identity {
        Identity { user: self.user.clone(), ..Identity::default() }
    }

    fn credentials(&self) -> Option<Credentials> {
        let user = self.user.clone();
        self.password.clone().map(|password| Credentials { user, password, realm: None })
    }

    pub(super) fn register(&mut self, now: Now) {
        let registration = Registration {
            registrar_uri: format!("sip:{}", self.hotline),
            to: self.to(),
            identity: self.identity(),
            contact_user: None,
            credentials: self.credentials(),
            expires: Duration::from_hours(1),
        };
        self.ua.register(now.mono, registration);
    }

    pub(super) fn dial(&mut self, now: Now, number: &str) {
        let mut sound = self.sound();
        let offer = sound.offer();
        // The number's plus is as it is in a SIP URI.
        let invite = OutgoingInvite {
            request_uri: format!("sip:{number}@{}", self.hotline),
            to: self.to(),
            route: Vec::new(),
            from: self.identity(),
            extra_headers: Vec::new(),
            offer: Some(offer),
            credentials: self.credentials(),
        };
        let invite = self.ua.invite(now.mono, invite);
        self.begin(now, invite, sound);
    }

    fn sound(&mut self) -> LegSound {
        LegSound::new(self.at.ip(), RTP_PORT, &[Codec::Pcma], self.rng.next_u64() >> 2)
    }

    fn begin(&mut self, now: Now, invite: InviteId, sound: LegSound) {
        let number = self.rng.next_u64();
        let rtp = RtpSession::new(now, SAMPLE_RATE, self.rng.fork_number(number));
        self.heard = 0;
        self.call =
            Some(Call { invite, sound, rtp, talks: false, keys: VecDeque::new(), pressing: None, rest: 0 });
    }

    pub(super) fn press(&mut self, key: Key) {
        if let Some(call) = &mut self.call {
            call.keys.push_back(key);
        }
    }

    pub(super) fn answer(&mut self, now: Now) {
        let Some(call) = &mut self.call else { return };
        if !call.sound.has_answer() {
            return;
        }
        let sdp = call.sound.take_answer();
        self.ua.answer(now.mono, call.invite, sdp);
        call.agree(now);
    }

    pub(super) fn hang_up(&mut self, now: Now) {
        if let Some(call) = &self.call {
            self.ua.end(now.mono, call.invite);
        }
    }

    /// Whether it has sound to make.
    pub(super) fn talks(&self) -> bool {
        self.call.as_ref().is_some_and(|c| c.talks)
    }

    /// Everything that its user agent has to say.
    pub(super) fn settle(&mut self, now: Now) {
        while let Some(event) = self.ua.poll_event() {
            self.on_sip(now, event);
        }
    }

    fn ours(&mut self, invite: InviteId) -> Option<&mut Call> {
        self.call.as_mut().filter(|c| c.invite == invite)
    }

    fn on_sip(&mut self, now: Now, event: SipEvent) {
        match event {
            SipEvent::Incoming(incoming) => self.on_incoming(now, &incoming),
            SipEvent::Answered { invite, sdp } => {
                self.agree(now, invite, sdp);
                self.told.push_back(Told::Up);
            }
            SipEvent::ReofferAnswered { invite, sdp } => self.agree(now, invite, sdp),
            SipEvent::Acknowledged { invite, sdp } => {
                if sdp.is_some() {
                    self.agree(now, invite, sdp);
                } else if let Some(call) = self.ours(invite)
                    && call.sound.acknowledge()
                {
                    call.agree(now);
                }
                self.told.push_back(Told::Up);
            }
            SipEvent::Reoffer { invite, offer } => {
                let Some(call) = self.ours(invite) else { return };
                let answer = match offer {
                    None => call.sound.offer(),
                    Some(offer) if call.sound.answer(&offer).is_ok() => call.sound.take_answer(),
                    Some(_) => return self.ua.refuse_reoffer(now.mono, invite, Status::NOT_ACCEPTABLE_HERE),
                };
                call.agree(now);
                self.ua.answer_reoffer(now.mono, invite, answer);
            }
            SipEvent::OfferWanted { invite } => {
                if let Some(offer) = self.ours(invite).map(|c| c.sound.offer()) {
                    self.ua.reoffer(now.mono, invite, offer);
                }
            }
            SipEvent::Ended { invite, why } if self.ours(invite).is_some() => {
                self.call = None;
                self.told.push_back(Told::Over(why));
            }
            SipEvent::Referred { invite, .. } => self.ua.refuse_referral(now.mono, invite, Status::DECLINE),
            // It has no early sound and asks for nothing but registrations and calls.
            _ => {}
        }
    }

    fn on_incoming(&mut self, now: Now, incoming: &IncomingCall) {
        if self.call.is_some() {
            return self.ua.reject(now.mono, incoming.invite, Status::BUSY_HERE, None);
        }
        let mut sound = self.sound();
        let fits = incoming.offer.as_ref().is_some_and(|offer| sound.answer(offer).is_ok());
        if !fits {
            return self.ua.reject(now.mono, incoming.invite, Status::NOT_ACCEPTABLE_HERE, None);
        }
        self.ua.ring(now.mono, incoming.invite);
        self.begin(now, incoming.invite, sound);
        self.told.push_back(Told::Rings);
    }

    fn agree(&mut self, now: Now, invite: InviteId, sdp: Option<Vec<u8>>) {
        let Some(call) = self.ours(invite) else { return };
        match sdp.map(|sdp| call.sound.accept(&sdp)) {
            None | Some(Ok(())) => call.agree(now),
            Some(Err(_)) => self.ua.end(now.mono, invite),
        }
    }

    /// A datagram of sound came.
    pub(super) fn hear(&mut self, now: Now, from: SocketAddr, datagram: &[u8]) {
        let Some(call) = &mut self.call else { return };
        let mut room = [0; 2_048];
        if let Incoming::Sound { .. } = call.rtp.handle_datagram(now.mono, from, datagram, &mut room) {
            self.heard += 1;
        }
    }

    /// Speaks 20 ms, or goes on pressing a key: the packet and where it goes.
    pub(super) fn tick(
        &mut self,
        now: Now,
        payload: &[u8; FRAME_SAMPLES],
        packet: &mut [u8; PACKET_BYTES],
    ) -> Option<(usize, SocketAddr)> {
        let call = self.call.as_mut().filter(|c| c.talks)?;
        if call.pressing.is_none()
            && call.rest == 0
            && let Some(key) = call.keys.pop_front()
        {
            let sender = EventSender::new(key, HELD, FRAME, call.rtp.event_clock_hz());
            let timestamp = call.rtp.begin_event(now.mono, sender.samples_at(SAMPLE_RATE));
            call.pressing = Some((timestamp, sender));
        }
        call.rest = call.rest.saturating_sub(1);
        if let Some((timestamp, sender)) = &mut call.pressing {
            if let Some(event) = sender.next_packet() {
                return call.rtp.send_event(*timestamp, event, packet).map(|o| (o.length, o.to));
            }
            call.pressing = None;
            call.rest = REST;
        }
        let samples = u32::try_from(FRAME_SAMPLES).unwrap_or(160);
        call.rtp.send_frame(now.mono, samples, payload, packet).map(|o| (o.length, o.to))
    }
}

impl Call {
    fn agree(&mut self, now: Now) {
        if let Some(remote) = self.sound.remote() {
            self.rtp.set_remote(now.mono, remote.for_rtp());
            self.talks = remote.send;
        }
    }
}
