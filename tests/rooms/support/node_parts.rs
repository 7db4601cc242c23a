//! What every world of a whole node is made of: addresses, accounts, the shipped menus, settings, and what phones ask for.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{Key, Now, Rng, TrunkId};
use hotline::exchange::ExchangeSettings;
use hotline::exchange::menu::{MenuSet, PromptTexts};
use hotline::media::Codec;
use hotline::node::{GuardSettings, Node, NodeSettings, Trunk};
use hotline::sip::{
    Account, Credentials, Destination, Identity, InviteId, Listener, ListenerId, ListenerTransport,
    OutgoingInvite, Registration, UserAgent, UserAgentSettings,
};

pub(crate) const UDP: ListenerId = ListenerId(0);
/// The last number of the node's address.
pub(crate) const NODE: u8 = 1;
/// Of every agent.
const PASSWORD: &str = "a long password";

pub(crate) fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 5060))
}

/// By UDP to the node.
pub(crate) fn to_node() -> Destination {
    Destination::Datagram { listener: UDP, to: address(NODE) }
}

pub(crate) fn listener(id: u8, transport: ListenerTransport, at: SocketAddr) -> Listener {
    Listener { id: ListenerId(id), transport, local: at, advertised: at }
}

/// A user agent with one UDP listener.
pub(crate) fn udp_at(at: SocketAddr, realm: &str) -> UserAgentSettings {
    UserAgentSettings::new(vec![listener(UDP.0, ListenerTransport::Udp, at)], realm)
}

pub(crate) fn password(user: &str) -> Credentials {
    Credentials { user: user.into(), password: PASSWORD.into(), realm: None }
}

fn identity(user: &str) -> Identity {
    Identity { user: user.into(), ..Identity::default() }
}

pub(crate) fn registration(user: &str, to: Destination) -> Registration {
    Registration {
        registrar_uri: format!("sip:{}", address(NODE)),
        to,
        identity: identity(user),
        contact_user: None,
        credentials: Some(password(user)),
        expires: Duration::from_hours(1),
    }
}

/// A call of `user`, who proves who he is when he is asked.
pub(crate) fn invite(user: &str, number: &str, offer: Option<Vec<u8>>) -> OutgoingInvite {
    OutgoingInvite {
        request_uri: format!("sip:{number}@{}", address(NODE)),
        to: to_node(),
        route: Vec::new(),
        from: identity(user),
        extra_headers: Vec::new(),
        offer,
        credentials: Some(password(user)),
    }
}

pub(crate) fn press(ua: &mut UserAgent, now: Now, invite: InviteId, key: char) {
    ua.press(now.mono, invite, Key::from_char(key).unwrap(), 100);
}

/// The menus of the repository; `change` changes their files first.
pub(crate) fn shipped_menus(change: impl FnOnce(&mut BTreeMap<String, String>)) -> Arc<MenuSet> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let (texts, _) = PromptTexts::read("manifest.toml", &read("audio/manifest.toml"));
    let mut files: BTreeMap<String, String> = std::fs::read_dir("menus")
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|e| e == "toml"))
        .map(|name| (name.clone(), read(&format!("menus/{name}"))))
        .collect();
    change(&mut files);
    Arc::new(MenuSet::load(&files, &texts.known()).unwrap().0)
}

/// A node's settings with accounts of `agents`; its sound is at its listeners' addresses.
pub(crate) fn settings(
    mut sip: UserAgentSettings,
    agents: &[&str],
    trunks: BTreeMap<TrunkId, Trunk>,
) -> NodeSettings {
    for user in agents {
        sip.accounts.insert((*user).into(), Account::from_password(user, "hotline", PASSWORD));
    }
    NodeSettings {
        exchange: ExchangeSettings { check_every: 1, ..ExchangeSettings::default() },
        media_addresses: sip.listeners.iter().map(|l| (l.id, l.local.ip())).collect(),
        sip,
        srtp: BTreeMap::new(),
        codecs: vec![Codec::Pcma],
        trunks,
        own_addresses: Arc::default(),
        domains: vec![],
        signal_hold: false,
        ask_phones: Duration::ZERO,
        guard: GuardSettings::default(),
        retry_after_s: 5,
    }
}

/// A node that has ports, and the moment of its start.
pub(crate) fn node(settings: NodeSettings, menus: Arc<MenuSet>) -> (Now, Node) {
    let now = Now::default().after(Duration::from_secs(1));
    let mut node = Node::new(settings, menus, now, &Rng::from_number(1));
    (0..60).for_each(|n| node.offer_port(20_000 + 2 * n));
    (now, node)
}
