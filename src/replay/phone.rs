//! A softphone: registers, calls, answers, presses keys, holds, hangs up. One call at a time; a second one is busy.
//! It is made of the same SIP core and RTP session as the server, on sockets of its own.
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::ear::Ear;
use super::line::Line;
use super::voice::Voice;
use crate::base::{Key, Now, Rng};
use crate::io::{Clock, Net, NetEvent};
use crate::media::{Codec, FRAME};
use crate::node::LegSound;
use crate::sip::{
    Credentials, Destination, EndReason, Identity, Incoming, InviteId, Listener, ListenerId,
    ListenerTransport, OutgoingInvite, Registration, SipEvent, Status, UserAgent, UserAgentSettings,
};

const UDP: ListenerId = ListenerId(0);
const TCP: ListenerId = ListenerId(1);
/// Events and orders that may wait.
const WAITING: usize = 1_024;

/// What a phone is told.
#[derive(Debug, Clone)]
pub struct PhoneSettings {
    /// Its number or user name.
    pub user: String,
    /// Its display name.
    pub display: String,
    /// Its password, if it has an account.
    pub password: Option<String>,
    /// Where the hotline is.
    pub server: SocketAddr,
    /// Over TCP.
    pub tcp: bool,
    /// The address of its own sockets.
    pub at: IpAddr,
    /// Its SIP port; 0: any.
    pub port: u16,
    /// What it says.
    pub voice: Voice,
    /// Its codecs, best first.
    pub codecs: Vec<Codec>,
    /// Answers by itself after this long; `None`: rings until told.
    pub answer_after: Option<Duration>,
    /// The seed of its tags and numbers.
    pub seed: u64,
}

impl PhoneSettings {
    /// A silent phone on loopback that rings until told.
    pub fn new(user: &str, server: SocketAddr) -> Self {
        Self {
            user: user.to_owned(),
            display: String::new(),
            password: None,
            server,
            tcp: false,
            at: if server.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)
            },
            port: 0,
            voice: Voice::Silence,
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            answer_after: None,
            seed: 1,
        }
    }
}

/// What happens at a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhoneEvent {
    /// The registrar took us, or no longer does.
    Registered(bool, Option<Status>),
    /// Somebody rings: who, by his own word.
    Rings(Identity),
    /// The far end rings (180) or sends early sound (183).
    Ringing(Status),
    /// The call is up.
    Up,
    /// The far end changed what was agreed: it holds us, or no longer.
    Held(bool),
    /// A change of ours was answered.
    Changed(bool),
    /// The call was refused.
    Refused(Status),
    /// The call is over.
    Over(EndReason),
}

/// Why a phone could not start or do as told.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// No socket.
    #[error("the phone found no socket: {0}")]
    Socket(#[from] std::io::Error),
    /// It has stopped.
    #[error("the phone has stopped")]
    Stopped,
    /// What was waited for did not happen.
    #[error("{phone} waited {waited:?} for {wanted}; it saw {seen:?}")]
    Waited {
        /// Whose phone.
        phone: String,
        /// For what.
        wanted: String,
        /// How long.
        waited: Duration,
        /// What happened instead.
        seen: Vec<PhoneEvent>,
    },
}

#[derive(Debug)]
enum Order {
    Register(Duration),
    Unregister,
    Dial(String),
    Answer,
    Refuse(Status),
    HangUp,
    Press(Vec<Key>),
    Say(Voice),
    Hold(bool),
    Vanish,
}

/// A phone on the desk: give it orders, listen to its ear.
#[derive(Debug)]
pub struct Phone {
    name: String,
    orders: mpsc::Sender<Order>,
    events: mpsc::Receiver<PhoneEvent>,
    seen: Vec<PhoneEvent>,
    /// What it hears.
    pub ear: Ear,
    /// Its SIP address.
    pub address: SocketAddr,
}

impl Phone {
    /// Opens the sockets and begins. Wants to be called within a tokio runtime.
    pub async fn start(settings: PhoneSettings) -> Result<Self, PhoneError> {
        let (net_in, net_events) = mpsc::channel(WAITING);
        let mut net = Net::new(net_in);
        let address = net.listen(UDP, TCP, SocketAddr::new(settings.at, settings.port)).await?;
        let (orders, orders_in) = mpsc::channel(WAITING);
        let (events_out, events) = mpsc::channel(WAITING);
        let ear = Ear::default();
        let clock = Clock::start();
        let rng = Rng::from_number(settings.seed).fork(&settings.user);
        let listeners = [(UDP, ListenerTransport::Udp), (TCP, ListenerTransport::Tcp)]
            .map(|(id, transport)| Listener { id, transport, local: address, advertised: address });
        let mut agent_settings = UserAgentSettings::new(listeners.to_vec(), "phone");
        "hotline-phone".clone_into(&mut agent_settings.server_name);
        let name = settings.user.clone();
        let desk = Desk {
            sip: UserAgent::new(agent_settings, &rng.fork("sip")),
            settings,
            address,
            net,
            clock,
            rng,
            ear: ear.clone(),
            events: events_out,
            call: None,
            registration: None,
            answer_at: None,
        };
        tokio::spawn(desk.run(net_events, orders_in));
        Ok(Self { name, orders, events, seen: Vec::new(), ear, address })
    }

    /// Registers, and keeps registered.
    pub async fn register(&self, expires: Duration) -> Result<(), PhoneError> {
        self.order(Order::Register(expires)).await
    }
    /// Ends the registration.
    pub async fn unregister(&self) -> Result<(), PhoneError> {
        self.order(Order::Unregister).await
    }
    /// Calls a number.
    pub async fn dial(&self, number: &str) -> Result<(), PhoneError> {
        self.order(Order::Dial(number.to_owned())).await
    }
    /// Answers what rings.
    pub async fn answer(&self) -> Result<(), PhoneError> {
        self.order(Order::Answer).await
    }
    /// Refuses what rings.
    pub async fn refuse(&self, status: Status) -> Result<(), PhoneError> {
        self.order(Order::Refuse(status)).await
    }
    /// Hangs up.
    pub async fn hang_up(&self) -> Result<(), PhoneError> {
        self.order(Order::HangUp).await
    }
    /// Presses keys, one after the other, by RFC 4733.
    pub async fn press(&self, keys: &str) -> Result<(), PhoneError> {
        self.order(Order::Press(keys.chars().filter_map(Key::from_char).collect())).await
    }
    /// Speaks otherwise from now on.
    pub async fn say(&self, voice: Voice) -> Result<(), PhoneError> {
        self.order(Order::Say(voice)).await
    }
    /// Puts the far end on hold by re-INVITE (`sendonly`), or takes it back.
    pub async fn hold(&self, held: bool) -> Result<(), PhoneError> {
        self.order(Order::Hold(held)).await
    }
    /// Falls off the network: no BYE, no sound, no answer.
    pub async fn vanish(&self) -> Result<(), PhoneError> {
        self.order(Order::Vanish).await
    }

    /// Waits for an event for which `wanted` holds; others before it are kept for the message.
    pub async fn wait(
        &mut self,
        what: &str,
        within: Duration,
        mut wanted: impl FnMut(&PhoneEvent) -> bool,
    ) -> Result<PhoneEvent, PhoneError> {
        let end = tokio::time::Instant::now() + within;
        loop {
            match tokio::time::timeout_at(end, self.events.recv()).await {
                Ok(Some(event)) if wanted(&event) => {
                    self.seen.push(event.clone());
                    return Ok(event);
                }
                Ok(Some(event)) => self.seen.push(event),
                Ok(None) => return Err(PhoneError::Stopped),
                Err(_) => {
                    return Err(PhoneError::Waited {
                        phone: self.name.clone(),
                        wanted: what.to_owned(),
                        waited: within,
                        seen: self.seen.clone(),
                    });
                }
            }
        }
    }

    /// The next event, whatever it is; `None` when the phone has stopped.
    pub async fn next_event(&mut self) -> Option<PhoneEvent> {
        self.events.recv().await
    }

    async fn order(&self, order: Order) -> Result<(), PhoneError> {
        self.orders.send(order).await.map_err(|_| PhoneError::Stopped)
    }
}

#[derive(Debug)]
struct Call {
    invite: InviteId,
    line: Line,
    sound: LegSound,
    up: bool,
    /// Its offer, until we answer.
    rings: bool,
}

/// The phone's inside.
struct Desk {
    settings: PhoneSettings,
    address: SocketAddr,
    sip: UserAgent,
    net: Net,
    clock: Clock,
    rng: Rng,
    ear: Ear,
    events: mpsc::Sender<PhoneEvent>,
    call: Option<Call>,
    registration: Option<crate::sip::RegistrationId>,
    answer_at: Option<tokio::time::Instant>,
}

impl Desk {
    async fn run(mut self, mut net_events: mpsc::Receiver<NetEvent>, mut orders: mpsc::Receiver<Order>) {
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
            NetEvent::Datagram { listener, from, bytes } => {
                self.sip.handle_datagram(now, listener, from, &bytes);
            }
            NetEvent::Opened { conn, listener, remote } => {
                self.sip.stream_opened(now, conn, listener, remote);
            }
            NetEvent::Bytes { conn, bytes } => self.sip.handle_stream(now, conn, &bytes),
            NetEvent::ConnectFailed { listener, to, .. } => self.sip.connect_failed(now, listener, to),
            NetEvent::Closed { conn } => self.sip.stream_closed(now, conn),
        }
    }

    fn server(&self) -> Destination {
        let to = self.settings.server;
        if self.settings.tcp {
            Destination::Connect { listener: TCP, to }
        } else {
            Destination::Datagram { listener: UDP, to }
        }
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
                    registrar_uri: format!("sip:{}", self.settings.server),
                    to: self.server(),
                    identity: self.identity(),
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
                let sound = LegSound::new(self.address.ip(), line.port, &self.settings.codecs, number >> 2);
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
                request_uri: format!("sip:{number}@{}", self.settings.server),
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
                self.agree(now, invite, sdp.as_deref().unwrap_or_default());
                if let Some(call) = &mut self.call {
                    call.up = true;
                }
                self.tell(PhoneEvent::Up);
            }
            SipEvent::Failed { invite, status } if self.is_ours(invite) => {
                self.tell(PhoneEvent::Refused(status));
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
            SipEvent::Progress { .. }
            | SipEvent::Failed { .. }
            | SipEvent::Ended { .. }
            | SipEvent::Key { .. }
            | SipEvent::OptionsAnswered { .. }
            | SipEvent::Registered { .. }
            | SipEvent::Unregistered { .. } => {}
        }
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
