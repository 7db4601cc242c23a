//! The `[trunks.NAME]` and `[dns]` tables: where third parties are reached, how we register there, how their life is
//! watched, how much goes over them.
use std::net::SocketAddr;
use std::time::Duration;

use super::config_words::{SecretPlace, address, list, secret};
use super::resolver::name_server;
use crate::base::TrunkId;
use crate::exchange::menu::{Field, Fields, Findings, Word, inner};
use crate::node::{Permit, TrunkHealth, TrunkLimits, TrunkRegistration};
use crate::sip::{HostWanted, ListenerTransport};

/// How long a registration should hold, where nothing else is said.
const EXPIRES: Duration = Duration::from_mins(10);
/// How long a trunk may be silent before the next is tried, where nothing else is said.
const PATIENCE: Duration = Duration::from_secs(4);
/// Failures that make a target one that is down, where nothing else is said.
const DOWN_AFTER: u32 = 3;

/// A trunk as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkSettings {
    /// The far end: an address, a host with a port, or a domain.
    pub address: HostWanted,
    /// The `[sip] listen` or `tls_listen` address that it is reached from; `None`: the one that the route to it takes.
    pub listener: Option<SocketAddr>,
    /// The host part of request URIs; the address when not said.
    pub host: Option<String>,
    /// The user name for digest.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<SecretPlace>,
    /// We register with it.
    pub registration: Option<TrunkRegistration>,
    /// It is watched.
    pub health: Option<TrunkHealth>,
    /// How much goes over it.
    pub limits: TrunkLimits,
    /// How long it may be silent before the next is tried.
    pub patience: Duration,
    /// What it says of callers is believed, and told to it.
    pub trusted: bool,
    /// Numbers outside the directory to which transfers may lead over it.
    pub permit: Permit,
}

impl TrunkSettings {
    /// To an address over UDP, and nothing more.
    pub fn at(address: SocketAddr) -> Self {
        let address = HostWanted {
            host: address.ip().to_string(),
            port: Some(address.port()),
            transport: Some(ListenerTransport::Udp),
            secure: false,
        };
        Self {
            address,
            listener: None,
            host: None,
            user: None,
            password: None,
            registration: None,
            health: None,
            limits: TrunkLimits::default(),
            patience: PATIENCE,
            trusted: false,
            permit: Permit::default(),
        }
    }

    /// Its address where it is one, not a name.
    pub fn numeric(&self) -> Option<SocketAddr> {
        let ip = self.address.host.parse().ok()?;
        let default = self.address.transport.map_or(5060, ListenerTransport::default_port);
        Some(SocketAddr::new(ip, self.address.port.unwrap_or(default)))
    }
}

/// One table of `[trunks]`.
pub(super) fn trunk(
    findings: &mut Findings<'_>,
    name: &str,
    field: &Field,
) -> Option<(TrunkId, TrunkSettings)> {
    let mut t = inner(findings, format!("the trunk {name}"), field)?;
    let address = t.needed(findings, "address").and_then(|w| host(findings, w));
    let transport = t.word(findings, "transport").and_then(|w| transport(findings, w));
    let listener = t.word(findings, "listener").and_then(|w| self::address(findings, w));
    let host = t.word(findings, "host").map(|w| w.text.to_owned());
    let user = t.word(findings, "user").map(|w| w.text.to_owned());
    let password = secret(&mut t, findings, "password_file", "password_env");
    if user.is_some() != password.is_some() {
        let message = format!("the trunk {name} needs both a user and a password, or neither");
        findings.error("HL0104", &t.place, message);
    }
    let registration = registration(&mut t, findings, name, user.as_deref());
    let health = health(&mut t, findings);
    let limits = limits(&mut t, findings);
    let patience = t.duration_if_any(findings, "patience", &(1..=30)).unwrap_or(PATIENCE);
    let (trusted, permit) = (t.flag(findings, "trusted"), permit(&mut t, findings));
    t.finish(findings);
    let mut address = address?;
    address.transport = transport;
    address.secure = transport == Some(ListenerTransport::Tls);
    let settings = TrunkSettings {
        address,
        listener,
        host,
        user,
        password,
        registration,
        health,
        limits,
        patience,
        trusted,
        permit,
    };
    Some((TrunkId::new(name), settings))
}

/// `[dns]`.
pub(super) fn dns(top: &mut Fields<'_>, findings: &mut Findings<'_>) -> Vec<SocketAddr> {
    let Some(mut t) = top.table(findings, "dns") else { return Vec::new() };
    let servers = list(&mut t, findings, "servers", server).unwrap_or_default();
    t.finish(findings);
    servers
}

fn registration(
    t: &mut Fields<'_>,
    findings: &mut Findings<'_>,
    name: &str,
    user: Option<&str>,
) -> Option<TrunkRegistration> {
    let wanted = t.flag(findings, "register");
    let expires = t.duration_if_any(findings, "expires", &(5..=86_400));
    let number = t.word(findings, "number").map(|w| w.text.to_owned());
    if !wanted {
        if expires.is_some() || number.is_some() {
            let message =
                format!("the trunk {name} has words about a registration, but no `register = true`");
            findings.error("HL0104", &t.place, message);
        }
        return None;
    }
    let Some(user) = user else {
        let message = format!("the trunk {name} cannot register without a user and a password");
        findings.error("HL0104", &t.place, message);
        return None;
    };
    Some(TrunkRegistration { user: user.to_owned(), number, expires: expires.unwrap_or(EXPIRES) })
}

fn health(t: &mut Fields<'_>, findings: &mut Findings<'_>) -> Option<TrunkHealth> {
    let every = t.duration_if_any(findings, "health", &(1..=3_600));
    let down_after = t.number(findings, "down_after", &(1..=100)).and_then(|n| u32::try_from(n).ok());
    Some(TrunkHealth { every: every?, down_after: down_after.unwrap_or(DOWN_AFTER) })
}

fn limits(t: &mut Fields<'_>, findings: &mut Findings<'_>) -> TrunkLimits {
    let mut number = |name| t.number(findings, name, &(1..=100_000));
    let calls_in = number("calls_in").and_then(|n| usize::try_from(n).ok());
    let calls_out = number("calls_out").and_then(|n| usize::try_from(n).ok());
    let starts_per_second = number("calls_per_second").and_then(|n| u32::try_from(n).ok());
    TrunkLimits { calls_in, calls_out, starts_per_second }
}

/// Where transfers may lead over a trunk beside the directory.
fn permit(t: &mut Fields<'_>, findings: &mut Findings<'_>) -> Permit {
    let mut permit = Permit::default();
    if let Some(prefixes) = list(t, findings, "permit", prefix) {
        permit.prefixes = prefixes;
    }
    if let Some(n) = t.number(findings, "permit_per_hour", &(0..=100_000)) {
        permit.per_hour = u32::try_from(n).unwrap_or(u32::MAX);
    }
    permit
}

fn prefix(findings: &mut Findings<'_>, w: Word<'_>) -> Option<String> {
    let digits = w.text.strip_prefix('+').unwrap_or(w.text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        let message = format!("`{}` is not the beginning of a number", w.text);
        findings
            .error("HL0105", w.place, message)
            .help("write \"0085\" or \"+4930\": every number that begins so");
        return None;
    }
    Some(w.text.to_owned())
}

/// `192.0.2.1:5060`, `[2001:db8::1]:5060`, `sip.carrier.example:5060` or `carrier.example`.
fn host(findings: &mut Findings<'_>, w: Word<'_>) -> Option<HostWanted> {
    let wanted =
        |host: &str, port| HostWanted { host: host.to_owned(), port, transport: None, secure: false };
    if let Ok(address) = w.text.parse::<SocketAddr>() {
        return Some(wanted(&address.ip().to_string(), Some(address.port())));
    }
    let (name, port) = match w.text.rsplit_once(':') {
        Some((name, port)) => (name, port.parse::<u16>().ok().filter(|p| *p > 0).map(Some)),
        None => (w.text, Some(None)),
    };
    let found = port.map(|port| wanted(name, port)).filter(HostWanted::is_name);
    if found.is_none() {
        findings
            .error("HL0105", w.place, format!("`{}` is neither an address with a port nor a name", w.text))
            .help("write \"192.0.2.1:5060\", \"sip.carrier.example:5060\", or \"carrier.example\" to have NAPTR and SRV records asked for");
    }
    found
}

fn transport(findings: &mut Findings<'_>, w: Word<'_>) -> Option<ListenerTransport> {
    let found = ListenerTransport::from_name(w.text);
    if found.is_none() {
        findings
            .error("HL0105", w.place, format!("`{}` is not a transport", w.text))
            .help("it may be \"udp\", \"tcp\" or \"tls\"");
    }
    found
}

fn server(findings: &mut Findings<'_>, w: Word<'_>) -> Option<SocketAddr> {
    let found = name_server(w.text);
    if found.is_none() {
        findings
            .error("HL0105", w.place, format!("`{}` is not the address of a name server", w.text))
            .help("write \"192.0.2.53\", or \"192.0.2.53:5353\" where the port is not 53");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::menu::Diagnostic;
    use crate::io::config::Settings;

    #[test]
    fn a_trunk_by_name_registered_watched_and_limited() {
        let text = "[dns]\nservers = [\"192.0.2.53\", \"[2001:db8::53]:5353\"]\n\
                    [trunks.a]\naddress = \"carrier.example\"\nuser = \"u\"\npassword_env = \"P\"\nregister = true\n\
                    number = \"95188\"\nexpires = \"2m\"\nhealth = \"20s\"\ncalls_in = 30\ncalls_per_second = 5\n\
                    [trunks.b]\naddress = \"sip.other.example:5062\"\ntransport = \"tcp\"\nlistener = \"192.0.2.9:5060\"\n\
                    [trunks.c]\naddress = \"[2001:db8::1]:5060\"\n";
        let (s, found) = Settings::read("hotline.toml", text).unwrap();
        assert!(found.is_empty());
        assert_eq!(s.dns, ["192.0.2.53:53".parse().unwrap(), "[2001:db8::53]:5353".parse().unwrap()]);
        let a = &s.trunks[&TrunkId::from("a")];
        let registration = a.registration.as_ref().unwrap();
        assert_eq!((a.address.host.as_str(), a.address.port), ("carrier.example", None));
        assert_eq!(
            (registration.number.as_deref(), registration.expires),
            (Some("95188"), Duration::from_mins(2))
        );
        assert_eq!(a.health, Some(TrunkHealth { every: Duration::from_secs(20), down_after: 3 }));
        assert_eq!(a.limits, TrunkLimits { calls_in: Some(30), calls_out: None, starts_per_second: Some(5) });
        let b = &s.trunks[&TrunkId::from("b")];
        assert_eq!((b.address.port, b.address.transport), (Some(5062), Some(ListenerTransport::Tcp)));
        assert!(b.listener.is_some() && b.numeric().is_none());
        let c = s.trunks[&TrunkId::from("c")].numeric();
        assert_eq!(c, Some("[2001:db8::1]:5060".parse().unwrap()));
    }

    #[test]
    fn a_trunk_is_trusted_and_permits_numbers_only_where_it_says_so() {
        let text = "[sip]\ndomains = [\"Hotline.example\"]\n\
                    [trunks.a]\naddress = \"192.0.2.1:5060\"\n\
                    [trunks.b]\naddress = \"192.0.2.2:5060\"\ntrusted = true\npermit = [\"0085\", \"+49\"]\n\
                    permit_per_hour = 3\n";
        let (s, _) = Settings::read("hotline.toml", text).unwrap();
        let trunk = |name: &str| s.trunks[&TrunkId::from(name)].clone();
        assert_eq!((trunk("a").trusted, trunk("a").permit), (false, Permit::default()));
        assert!(Permit::default().prefixes.is_empty());
        let permit = Permit { prefixes: vec!["0085".into(), "+49".into()], per_hour: 3 };
        assert_eq!((trunk("b").trusted, trunk("b").permit), (true, permit));
        assert_eq!(s.domains, ["hotline.example"]);
    }

    #[test]
    fn a_permit_that_is_no_number_is_said_with_its_line() {
        let text = "[sip]\ndomains = \"sip:me@here\"\n\
                    [trunks.a]\naddress = \"192.0.2.1:5060\"\npermit = [\"\", \"00*\"]\npermit_per_hour = -1\n";
        let found = Settings::read("hotline.toml", text).unwrap_err();
        let lines: Vec<String> = found.iter().map(Diagnostic::line).collect();
        assert_eq!(lines.len(), 4, "{lines:#?}");
        assert!(
            lines[0].contains("2:11") && lines[0].contains("`sip:me@here` is not a name of a domain"),
            "{lines:#?}"
        );
        assert!(lines[2].contains("`00*` is not the beginning of a number"), "{lines:#?}");
    }

    #[test]
    fn what_makes_no_sense_is_said_with_its_line() {
        let text = "[dns]\nservers = [\"dns.example\"]\n\
                    [trunks.a]\naddress = \"carrier.example:99999\"\nregister = true\n\
                    [trunks.b]\naddress = \"a b\"\nexpires = \"5m\"\ntransport = \"sctp\"\nhealth = \"0s\"\n";
        let found = Settings::read("hotline.toml", text).unwrap_err();
        let lines: Vec<String> = found.iter().map(Diagnostic::line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        hotline.toml:2:12: error HL0105: `dns.example` is not the address of a name server
        hotline.toml:3:9: error HL0104: the trunk a cannot register without a user and a password
        hotline.toml:4:11: error HL0105: `carrier.example:99999` is neither an address with a port nor a name
        hotline.toml:6:9: error HL0104: the trunk b has words about a registration, but no `register = true`
        hotline.toml:7:11: error HL0105: `a b` is neither an address with a port nor a name
        hotline.toml:9:13: error HL0105: `sctp` is not a transport
        hotline.toml:10:10: error HL0105: `health` must be from 1s to 1h
        ");
    }
}
