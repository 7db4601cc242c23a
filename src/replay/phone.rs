//! A softphone: registers, calls, answers, presses keys, holds, hangs up. One call at a time; a second one is busy.
//! It is made of the same SIP core and RTP session as the server, on sockets of its own.
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::desk::{Desk, Order, TCP, TLS, UDP};
use super::ear::Ear;
use super::voice::Voice;
use crate::base::{Key, Rng};
use crate::io::{Clock, ConnectionLimits, Net, Tls, TlsError, TlsSettings};
use crate::media::Codec;
use crate::sdp::SrtpPolicy;
use crate::sip::{EndReason, Identity, Listener, ListenerTransport, Status, UserAgent, UserAgentSettings};

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
    /// Over TLS: `server` is a TLS listener.
    pub tls: Option<PhoneTls>,
    /// The address of its own sockets.
    pub at: IpAddr,
    /// Its SIP port; 0: any.
    pub port: u16,
    /// What it says.
    pub voice: Voice,
    /// Its codecs, best first.
    pub codecs: Vec<Codec>,
    /// Agrees to telephone-events (RFC 4733); else keys are pressed by their tones.
    pub events: bool,
    /// Answers by itself after this long; `None`: rings until told.
    pub answer_after: Option<Duration>,
    /// The seed of its tags and numbers.
    pub seed: u64,
}

/// A phone's TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneTls {
    /// Whose certificates it believes, PEM.
    pub authority: PathBuf,
    /// Calls `sips:` instead of `sip:`.
    pub sips: bool,
    /// What it does about SRTP.
    pub srtp: SrtpPolicy,
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
            tls: None,
            at: if server.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)
            },
            port: 0,
            voice: Voice::Silence,
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            events: true,
            answer_after: None,
            seed: fresh_seed(),
        }
    }
}

/// Another one for each phone: two with the same Call-IDs would look like one that repeats itself.
pub(super) fn fresh_seed() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; 8];
    // Without chance from the system phones still differ within the process.
    getrandom::fill(&mut bytes).ok();
    u64::from_le_bytes(bytes).wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed))
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
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
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
    #[expect(
        clippy::unused_async,
        reason = "shows that it runs within a runtime, as every other step of a phone"
    )]
    pub async fn start(settings: PhoneSettings) -> Result<Self, PhoneError> {
        let (net_in, net_events) = mpsc::channel(WAITING);
        let mut net = Net::new(net_in, ConnectionLimits::default());
        let address = net.listen(UDP, TCP, SocketAddr::new(settings.at, settings.port))?;
        let (orders, orders_in) = mpsc::channel(WAITING);
        let (events_out, events) = mpsc::channel(WAITING);
        let ear = Ear::default();
        let clock = Clock::start();
        let rng = Rng::from_number(settings.seed).fork(&settings.user);
        if let Some(tls) = &settings.tls {
            let told = TlsSettings {
                own: None,
                authority: Some(tls.authority.clone()),
                pins: Vec::new(),
                check_every: Duration::from_hours(1),
            };
            net.set_tls(Tls::open(&told, clock.now().utc)?)?;
            net.connect_by_tls(TLS, address.ip());
        }
        let transports =
            [(UDP, ListenerTransport::Udp), (TCP, ListenerTransport::Tcp), (TLS, ListenerTransport::Tls)];
        let listeners =
            transports.map(|(id, transport)| Listener { id, transport, local: address, advertised: address });
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
    /// Presses keys, one after the other: by RFC 4733, or by their tones where that was not agreed.
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
    /// Asks that whoever is behind this URI take its place (REFER).
    pub async fn refer(&self, to: &str) -> Result<(), PhoneError> {
        self.order(Order::Refer(to.to_owned())).await
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
