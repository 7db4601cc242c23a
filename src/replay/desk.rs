//! The inside of a phone: its SIP, its call, its answers. [`Phone`](super::Phone) is the handle that gives it orders.
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::ear::Ear;
use super::line::Line;
use super::phone::{PhoneEvent, PhoneSettings};
use super::voice::Voice;
use crate::base::{Key, Now, Rng};
use crate::io::{Clock, Net, NetEvent};
use crate::media::FRAME;
use crate::node::LegSound;
use crate::sip::{
    Credentials, Destination, Identity, Incoming, InviteId, ListenerId, OutgoingInvite, Registration,
    SipEvent, Status, UserAgent,
};

pub(super) const UDP: ListenerId = ListenerId(0);
pub(super) const TCP: ListenerId = ListenerId(1);
pub(super) const TLS: ListenerId = ListenerId(2);

/// What a phone is told to do.
#[derive(Debug)]
pub(super) enum Order {
    Register(Duration),
    Unregister,
    Dial(String),
    Answer,
    Refuse(Status),
    HangUp,
    Press(Vec<Key>),
    Say(Voice),
    Hold(bool),
    Refer(String),
    Vanish,
}

#[derive(Debug)]
pub(super) struct Call {
    invite: InviteId,
    line: Line,
    sound: LegSound,
    up: bool,
    /// Its offer, until we answer.
    rings: bool,
}

/// The phone's inside.
pub(super) struct Desk {
    pub(super) settings: PhoneSettings,
    pub(super) address: SocketAddr,
    pub(super) sip: UserAgent,
    pub(super) net: Net,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) ear: Ear,
    pub(super) events: mpsc::Sender<PhoneEvent>,
    pub(super) call: Option<Call>,
    pub(super) registration: Option<crate::sip::RegistrationId>,
    pub(super) answer_at: Option<tokio::time::Instant>,
}

impl Desk {
    pub(super) async fn run(
        mut self,
        mut net_events: mpsc::Receiver<NetEvent>,
        mut orders: mpsc::Receiver<Order>,
    ) {
        const NEVER: Duration = Duration::from_hours(1);
        let mut ticks = interval(FRAME);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut buffer = [0; 2_048];
        loop {
            let now = self.clock.now();
            let wait = self.sip.next_deadline().map_or(NEVER, |d| d.at.since(now.mono));
            let answer_at = self.answer_at.unwrap_or_else(|| tokio::time::Instant::now() + NEVER);
            let socket = self.call.as_ref().map(|c| std::sync::Arc::clone(&c.line.socket));
            tokio::select! {
                event = net_events.recv() => match event {
                    Some(event) => self.on_net(event),
                    None => return,
                },
                order = orders.recv() => match order {
                    Some(Order::Vanish) | None => return,
                    Some(order) => self.on_order(order).await,
                },
                got = receive(socket.as_deref(), &mut buffer) => {
                    if let (Ok((n, from)), Some(call)) = (got, &mut self.call) {
                        call.line.take(self.clock.now(), from, buffer.get(..n).unwrap_or_default());
                    }
                },
                _ = ticks.tick(), if self.call.is_some() => {
                    if let Some(call) = &mut self.call {
                        call.line.tick(self.clock.now());
                    }
                },
                () = tokio::time::sleep_until(answer_at), if self.answer_at.is_some() => self.answer(),
                () = tokio::time::sleep(wait) => self.sip.handle_timeout(self.clock.now().mono),
            }
            self.settle().await;
        }
    }

    fn on_net(&mut self, event: NetEvent) {
        let now = self.clock.now().mono;
        self.net.note(&event);
        match event {
            NetEvent::Datagram { listener, from, bytes, .. } => {
                self.sip.handle_datagram(now, listener, from, &bytes);
            }
            NetEvent::Unreachable { listener, to } => self.sip.unreachable(now, listener, to),
            NetEvent::Opened { conn, listener, remote } => {
                self.sip.stream_opened(now, conn, listener, remote);
            }
            NetEvent::Bytes { conn, bytes, .. } => self.sip.handle_stream(now, conn, &bytes),
            NetEvent::ConnectFailed { listener, to, .. } => self.sip.connect_failed(now, listener, to),
            NetEvent::Closed { conn } => self.sip.stream_closed(now, conn),
        }
    }

    fn server(&self) -> Destination {
        let to = self.settings.server;
        if self.settings.tls.is_some() {
            Destination::Connect { listener: TLS, to }
        } else if self.settings.tcp {
            Destination::Connect { listener: TCP, to }
        } else {
            Destination::Datagram { listener: UDP, to }
        }
    }

    fn scheme(&self) -> &'static str {
        if self.settings.tls.as_ref().is_some_and(|tls| tls.sips) { "sips" } else { "sip" }
    }

    fn identity(&self) -> Identity {
        Identity {
            user: self.settings.user.clone(),
            host: String::new(),
            display: self.settings.display.clone(),
        }
    }

    fn credentials(&self) -> Option<Credentials> {
        let user = self.settings.user.clone();
        self.settings.password.clone().map(|password| Credentials { user, password, realm: None })
    }

    async fn on_order(&mut self, order: Order) {
        let now = self.clock.now();
        match order {
            Order::Register(expires) => {
                let registration = Registration {
                    registrar_uri: format!("{}:{}", self.scheme(), self.settings.server),
                    to: self.server(),
                    identity: self.identity(),
                    contact_user: None,
                    credentials: self.credentials(),
                    expires,
                };
                self.registration = Some(self.sip.register(now.mono, registration));
            }
            Order::Unregister => {
                if let Some(id) = self.registration.take() {
                    self.sip.unregister(now.mono, id);
                }
            }
            Order::Dial(number) => self.dial(now, &number).await,
            Order::Answer => self.answer(),
            Order::Refuse(status) => {
                if let Some(call) = &self.call {
                    self.sip.reject(now.mono, call.invite, status, None);
                }
            }
            Order::HangUp => {
                if let Some(call) = &self.call {
                    self.sip.end(now.mono, call.invite);
                }
            }
            Order::Refer(to) => {
                if let Some(call) = &self.call {
                    self.sip.refer(now.mono, call.invite, &to);
                }
            }
            Order::Press(keys) => {
                if let Some(call) = &mut self.call {
                    for key in keys {
                        call.line.press(key);
                    }
                }
            }
            Order::Say(voice) => {
                if let Some(call) = &mut self.call {
                    call.line.say(&voice);
                }
                self.settings.voice = voice;
            }
            Order::Hold(held) => {
                if let Some(call) = &mut self.call {
                    call.sound.hold(held);
                    let offer = call.sound.offer();
                    self.sip.reoffer(now.mono, call.invite, offer);
                }
            }
            Order::Vanish => {}
        }
    }

    async fn line(&mut self, now: Now) -> Option<(Line, LegSound)> {
        let number = self.rng.next_u64();
        let rng = self.rng.fork(&number.to_string());
        let line = Line::open(self.settings.at, now, rng, &self.settings.voice, self.ear.clone()).await;
        match line {
            Ok(line) => {
                let mut sound =
                    LegSound::new(self.address.ip(), line.port, &self.settings.codecs, number >> 2);
                if !self.settings.events {
                    sound = sound.without_events();
                }
                if let Some(tls) = &self.settings.tls {
                    sound.secure(tls.srtp, &mut self.rng);
                }
                Some((line, sound))
            }
            Err(e) => {
                tracing::warn!(error = %e, "the phone has no socket for sound");
                None
            }
        }
    }

    async fn dial(&mut self, now: Now, number: &str) {
        if self.call.is_some() {
            return;
        }
        let Some((line, mut sound)) = self.line(now).await else { return };
        let offer = sound.offer();
        let invite = self.sip.invite(
            now.mono,
            OutgoingInvite {
                request_uri: format!("{}:{number}@{}", self.scheme(), self.settings.server),
                to: self.server(),
                route: Vec::new(),
                from: self.identity(),
                extra_headers: Vec::new(),
                offer: Some(offer),
                credentials: self.credentials(),
            },
        );
        self.call = Some(Call { invite, line, sound, up: false, rings: false });
    }

    fn answer(&mut self) {
        self.answer_at = None;
        let now = self.clock.now();
        let Some(call) = self.call.as_mut().filter(|c| c.rings) else { return };
        call.rings = false;
        call.up = true;
        let sdp = call.sound.take_answer();
        self.sip.answer(now.mono, call.invite, sdp);
        if let Some(remote) = call.sound.remote() {
            call.line.agree(now, remote);
        }
    }

    async fn settle(&mut self) {
        while let Some(event) = self.sip.poll_event() {
            self.on_sip(event).await;
        }
        while let Some(transmit) = self.sip.poll_transmit() {
            self.net.send(&transmit.to, transmit.bytes);
        }
    }

    /// Whoever dropped the phone's handle hears no more.
    fn tell(&self, event: PhoneEvent) {
        self.events.try_send(event).ok();
    }

    #[expect(clippy::too_many_lines, reason = "a table of events, a few lines each")]
    async fn on_sip(&mut self, event: SipEvent) {
        let now = self.clock.now();
        match event {
            SipEvent::Incoming(incoming) => self.on_incoming(now, *incoming).await,
            SipEvent::RegistrationChanged { registered, status, .. } => {
                self.tell(PhoneEvent::Registered(registered, status));
            }
            SipEvent::Acknowledged { invite, sdp } => {
                if let Some(sdp) = sdp {
                    self.agree(now, invite, &sdp);
                } else if let Some(call) = self.call.as_mut().filter(|c| c.invite == invite)
                    && call.sound.acknowledge()
                    && let Some(remote) = call.sound.remote()
                {
                    call.line.agree(now, remote);
                }
                if self.is_ours(invite) {
                    self.tell(PhoneEvent::Up);
                }
            }
            SipEvent::Progress { invite, status, sdp } if self.is_ours(invite) => {
                if let Some(sdp) = sdp
                    && let Some(call) = &mut self.call
                    && call.sound.accept_early(&sdp).is_ok()
                    && let Some(remote) = call.sound.remote()
                {
                    call.line.agree(now, remote);
                }
                self.tell(PhoneEvent::Ringing(status));
            }
            SipEvent::Answered { invite, sdp } => {
                // Without SDP, what an early answer said holds.
                if sdp.is_some() || !self.has_sound() {
                    self.agree(now, invite, sdp.as_deref().unwrap_or_default());
                }
                if let Some(call) = &mut self.call {
                    call.up = true;
                }
                self.tell(PhoneEvent::Up);
            }
            SipEvent::Failed { invite, status, .. } if self.is_ours(invite) => {
                self.tell(PhoneEvent::Refused(status));
            }
            SipEvent::EarlyAnswer { invite, sdp } => self.agree(now, invite, &sdp),
            SipEvent::OfferWanted { invite } => {
                if let Some(call) = self.call.as_mut().filter(|c| c.invite == invite) {
                    let offer = call.sound.offer();
                    self.sip.reoffer(now.mono, invite, offer);
                }
            }
            SipEvent::Reoffer { invite, offer } => self.on_reoffer(now, invite, offer),
            SipEvent::ReofferAnswered { invite, sdp } => {
                self.agree(now, invite, sdp.as_deref().unwrap_or_default());
                self.tell(PhoneEvent::Changed(true));
            }
            SipEvent::ReofferRefused { .. } => self.tell(PhoneEvent::Changed(false)),
            SipEvent::Ended { invite, why } if self.is_ours(invite) => {
                self.call = None;
                self.answer_at = None;
                self.tell(PhoneEvent::Over(why));
            }
            SipEvent::Referred { invite, .. } => {
                self.sip.refuse_referral(now.mono, invite, Status::DECLINE);
            }
            // It always offers, and what it said last it says again without change.
            SipEvent::EarlyOffer { .. }
            | SipEvent::Refreshed { .. }
            | SipEvent::Progress { .. }
            | SipEvent::Failed { .. }
            | SipEvent::Ended { .. }
            | SipEvent::Key { .. }
            | SipEvent::OptionsAnswered { .. }
            | SipEvent::Located { .. }
            | SipEvent::Registered { .. }
            | SipEvent::Unregistered { .. }
            | SipEvent::DigestRefused { .. }
            | SipEvent::Probed { .. }
            | SipEvent::Renewed { .. }
            | SipEvent::FlowLost { .. } => {}
        }
    }

    fn has_sound(&self) -> bool {
        self.call.as_ref().is_some_and(|c| c.sound.remote().is_some())
    }

    fn is_ours(&self, invite: InviteId) -> bool {
        self.call.as_ref().is_some_and(|c| c.invite == invite)
    }

    async fn on_incoming(&mut self, now: Now, incoming: Incoming) {
        if self.call.is_some() {
            self.sip.reject(now.mono, incoming.invite, Status::BUSY_HERE, None);
            return;
        }
        let Some((line, mut sound)) = self.line(now).await else {
            self.sip.reject(now.mono, incoming.invite, Status::TEMPORARILY_UNAVAILABLE, None);
            return;
        };
        if let Some(offer) = &incoming.offer
            && sound.answer(offer).is_err()
        {
            self.sip.reject(now.mono, incoming.invite, Status::NOT_ACCEPTABLE_HERE, None);
            return;
        }
        self.sip.ring(now.mono, incoming.invite);
        self.call = Some(Call { invite: incoming.invite, line, sound, up: false, rings: true });
        self.answer_at = self.settings.answer_after.map(|d| tokio::time::Instant::now() + d);
        self.tell(PhoneEvent::Rings(incoming.from));
    }

    fn on_reoffer(&mut self, now: Now, invite: InviteId, offer: Option<Vec<u8>>) {
        let Some(call) = self.call.as_mut().filter(|c| c.invite == invite) else { return };
        let answer = match offer {
            None => call.sound.offer(),
            Some(offer) if call.sound.answer(&offer).is_ok() => call.sound.take_answer(),
            Some(_) => {
                self.sip.refuse_reoffer(now.mono, invite, Status::NOT_ACCEPTABLE_HERE);
                return;
            }
        };
        self.sip.answer_reoffer(now.mono, invite, answer);
        if let Some(remote) = call.sound.remote() {
            call.line.agree(now, remote);
        }
        let held = call.sound.held_by_peer();
        self.tell(PhoneEvent::Held(held));
    }

    fn agree(&mut self, now: Now, invite: InviteId, sdp: &[u8]) {
        let Some(call) = self.call.as_mut().filter(|c| c.invite == invite) else { return };
        match call.sound.accept(sdp) {
            Ok(()) => {
                if let Some(remote) = call.sound.remote() {
                    call.line.agree(now, remote);
                }
            }
            Err(e) => {
                tracing::warn!(error = %e, "the phone cannot use the answer");
                self.sip.end(now.mono, invite);
            }
        }
    }
}

/// The next datagram of the call's sound; for ever when there is no call.
async fn receive(
    socket: Option<&tokio::net::UdpSocket>,
    buffer: &mut [u8],
) -> std::io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => std::future::pending().await,
    }
}
