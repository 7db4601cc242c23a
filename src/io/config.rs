//! `hotline.toml`: listeners, sound, HTTP, store, limits, trunks. Read in the same manner as menus: every mistake at
//! once, each with file, line and key; a setting that is not there has a default that works on loopback. No secret
//! stands in the file: `password_file` and `password_env` name where it is.
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::config_tls::{self, TlsListen};
use super::config_trunks::{self, TrunkSettings};
use super::net::ConnectionLimits;
use super::service_class::EF;
use super::tls::TlsSettings;
use crate::base::TrunkId;
use crate::exchange::ExchangeSettings;
use crate::exchange::menu::{Diagnostic, Fields, Findings, Place, Word, parse, words};
use crate::media::{Codec, InbandKeys, SoundRules};
use crate::node::GuardSettings;
use crate::sip::{DigestAlgorithm, SessionSettings};

/// What `hotline.toml` says, resolved.
#[derive(Debug, Clone)]
pub struct Settings {
    /// SIP addresses; UDP and TCP on each.
    pub listen: Vec<SocketAddr>,
    /// SIP addresses with TLS.
    pub tls_listen: Vec<TlsListen>,
    /// What TLS needs.
    pub tls: Option<TlsSettings>,
    /// Limits of SIP's connections.
    pub connections: ConnectionLimits,
    /// The address told to peers instead of the listener's own, by family.
    pub advertise: Vec<IpAddr>,
    /// Names by which phones and trunks know us, beside the realm and the addresses.
    pub domains: Vec<String>,
    /// A held caller's phone is told by re-INVITE (`sendonly`). Some phones then stop playing what they are sent.
    pub signal_hold: bool,
    /// Session timers of calls.
    pub session: SessionSettings,
    /// The digest realm.
    pub realm: String,
    /// Digest algorithms, offered in this order.
    pub digest: Vec<DigestAlgorithm>,
    /// The first and the last RTP port.
    pub rtp_ports: (u16, u16),
    /// Codecs, best first.
    pub codecs: Vec<Codec>,
    /// The class of service of sound and its reports, 0-63 (RFC 2474).
    pub rtp_class: u8,
    /// The rest of what ops chose about sound.
    pub sound: SoundRules,
    /// Where HTTP listens.
    pub http: SocketAddr,
    /// How long an HTTP request may take to come in, and a connection may rest.
    pub http_patience: Duration,
    /// Where the HTTP token is, if one is wanted.
    pub http_token: Option<SecretPlace>,
    /// The folder of the store, the secrets and the command socket.
    pub store: PathBuf,
    /// The folder of menus; `None`: those built in.
    pub menus: Option<PathBuf>,
    /// The folder of sound; `None`: what is built in.
    pub audio: Option<PathBuf>,
    /// Who is shut out, and when.
    pub guard: GuardSettings,
    /// Limits of calls.
    pub exchange: ExchangeSettings,
    /// Ways to third parties.
    pub trunks: BTreeMap<TrunkId, TrunkSettings>,
    /// Name servers; none: the system's.
    pub dns: Vec<SocketAddr>,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// In this file, alone on its first line.
    File(PathBuf),
    /// In this variable of the environment.
    Environment(String),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 5060))],
            tls_listen: Vec::new(),
            tls: None,
            connections: ConnectionLimits::default(),
            advertise: Vec::new(),
            domains: Vec::new(),
            signal_hold: false,
            session: SessionSettings::default(),
            realm: "hotline".to_owned(),
            digest: vec![DigestAlgorithm::Md5],
            rtp_ports: (16_384, 32_767),
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            rtp_class: EF,
            sound: SoundRules::default(),
            http: SocketAddr::from(([127, 0, 0, 1], 8080)),
            http_patience: Duration::from_secs(20),
            http_token: None,
            store: PathBuf::from("var"),
            menus: None,
            audio: None,
            guard: GuardSettings::default(),
            exchange: ExchangeSettings { calls_max: 3_000, ..ExchangeSettings::default() },
            dns: Vec::new(),
            // Where `hotline robots` runs its merchant.
            trunks: BTreeMap::from([(
                TrunkId::from("merchants"),
                TrunkSettings::at(SocketAddr::from(([127, 0, 0, 1], 5070))),
            )]),
        }
    }
}

impl Settings {
    /// Reads `text` of the file `name`. Any error: nothing is taken.
    pub fn read(name: &str, text: &str) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let files = BTreeMap::from([(name.to_owned(), text.to_owned())]);
        let mut findings = Findings::new(&files);
        let file: Arc<str> = name.into();
        let table = parse(&file, text, &mut findings);
        let mut settings = Self::default();
        let mut top = Fields::new("the settings", Place::file(name), &table);
        settings.sip(&mut top, &mut findings);
        settings.rtp(&mut top, &mut findings);
        settings.http(&mut top, &mut findings);
        if let Some(mut t) = top.table(&mut findings, "store") {
            folder(&mut t, &mut findings, "dir", |p| settings.store = p);
            t.finish(&mut findings);
        }
        if let Some(mut t) = top.table(&mut findings, "files") {
            folder(&mut t, &mut findings, "menus", |p| settings.menus = Some(p));
            folder(&mut t, &mut findings, "audio", |p| settings.audio = Some(p));
            t.finish(&mut findings);
        }
        settings.guard(&mut top, &mut findings);
        settings.limits(&mut top, &mut findings);
        settings.third_party(&mut top, &mut findings);
        settings.trunks(&mut top, &mut findings);
        settings.dns = config_trunks::dns(&mut top, &mut findings);
        top.finish(&mut findings);
        let found = findings.finish();
        if found.iter().any(Diagnostic::is_error) { Err(found) } else { Ok((settings, found)) }
    }

    fn sip(&mut self, top: &mut Fields<'_>, findings: &mut Findings<'_>) {
        let Some(mut t) = top.table(findings, "sip") else { return };
        if let Some(listen) = list(&mut t, findings, "listen", address) {
            self.listen = listen;
        }
        if let Some(advertise) = list(&mut t, findings, "advertise", ip) {
            self.advertise = advertise;
        }
        if let Some(domains) = list(&mut t, findings, "domains", domain) {
            self.domains = domains;
        }
        self.signal_hold = t.flag(findings, "signal_hold");
        self.session(&mut t, findings);
        if let Some(w) = t.word(findings, "realm") {
            w.text.clone_into(&mut self.realm);
        }
        if let Some(digest) = list(&mut t, findings, "digest", algorithm) {
            self.digest = digest;
        }
        (self.tls_listen, self.tls) = config_tls::tls(&mut t, findings);
        config_tls::connections(&mut t, findings, &mut self.connections);
        if let Some(class) = service_class(&mut t, findings) {
            self.connections.service_class = class;
        }
        t.finish(findings);
    }

    /// RFC 4028: nobody may ask for less than 90 s.
    fn session(&mut self, t: &mut Fields<'_>, findings: &mut Findings<'_>) {
        let seconds = 90..=86_400;
        if let Some(interval) = t.duration_if_any(findings, "session", &seconds) {
            self.session.interval = interval;
        }
        if let Some(least) = t.duration_if_any(findings, "session_min", &seconds) {
            self.session.least = least;
        }
        let SessionSettings { interval, least } = self.session;
        if least > interval {
            let (least, interval) = (least.as_secs(), interval.as_secs());
            let message = format!("`session_min` is {least} s, longer than a `session` of {interval} s");
            findings.error("HL0105", &t.place, message);
        }
    }

    fn rtp(&mut self, top: &mut Fields<'_>, findings: &mut Findings<'_>) {
        let Some(mut t) = top.table(findings, "rtp") else { return };
        let first = t.number(findings, "first_port", &(1_024..=65_534));
        let last = t.number(findings, "last_port", &(1_024..=65_535));
        let port = |n: Option<i64>, default: u16| n.and_then(|n| u16::try_from(n).ok()).unwrap_or(default);
        self.rtp_ports = (port(first, self.rtp_ports.0), port(last, self.rtp_ports.1));
        if self.rtp_ports.1 <= self.rtp_ports.0 {
            let message = format!("no RTP port between {} and {}", self.rtp_ports.0, self.rtp_ports.1);
            findings.error("HL0105", &t.place, message);
        }
        if let Some(codecs) = list(&mut t, findings, "codecs", codec) {
            self.codecs = codecs;
        }
        if let Some(class) = service_class(&mut t, findings) {
            self.rtp_class = class;
        }
        if let Some(ms) = t.number(findings, "rebind_after_ms", &(100..=60_000)) {
            self.sound.sources.rebind_after = Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX));
        }
        self.sound.sources.any_host = t.flag(findings, "any_source_host");
        self.sound(&mut t, findings);
        t.finish(findings);
    }

    /// How sound is received.
    fn sound(&mut self, t: &mut Fields<'_>, findings: &mut Findings<'_>) {
        if let Some(way) = t.word(findings, "inband_keys").and_then(|w| inband_keys(findings, w)) {
            self.sound.inband_keys = way;
        }
        let ms = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).map(Duration::from_millis);
        let least = ms(t.number(findings, "jitter_min_ms", &(20..=350)));
        let most = ms(t.number(findings, "jitter_max_ms", &(20..=350)));
        self.sound.depth_min = least.unwrap_or(self.sound.depth_min);
        self.sound.depth_max = most.unwrap_or(self.sound.depth_max);
        if self.sound.depth_max < self.sound.depth_min {
            let message = "`jitter_max_ms` is less than `jitter_min_ms`".to_owned();
            findings.error("HL0105", &t.place, message);
        }
    }

    fn http(&mut self, top: &mut Fields<'_>, findings: &mut Findings<'_>) {
        let Some(mut t) = top.table(findings, "http") else { return };
        let listen = t.word(findings, "listen");
        if let Some(at) = listen.and_then(|w| address(findings, w)) {
            self.http = at;
        }
        self.http_token = secret(&mut t, findings, "token_file", "token_env");
        if let Some(patience) = t.duration_if_any(findings, "patience", &(1..=600)) {
            self.http_patience = patience;
        }
        if !self.http.ip().is_loopback() && self.http_token.is_none() {
            let message = "HTTP stays on loopback until it has a token".to_owned();
            let place = listen.map_or(&t.place, |w| w.place);
            findings.error("HL0104", place, message).help(
                "write token_file = \"PATH\" or token_env = \"NAME\" beside `listen`; a token has 12 characters or more",
            );
        }
        t.finish(findings);
    }

    fn guard(&mut self, top: &mut Fields<'_>, findings: &mut Findings<'_>) {
        let Some(mut t) = top.table(findings, "guard") else { return };
        let guard = &mut self.guard;
        for (name, place) in [("wrong_passwords", &mut guard.failures), ("half_open", &mut guard.half_open)] {
            if let Some(n) = t.number(findings, name, &(1..=100_000)) {
                *place = usize::try_from(n).unwrap_or(usize::MAX);
            }
        }
        for (name, place) in [("within", &mut guard.window), ("shut_out", &mut guard.ban)] {
            if let Some(d) = t.duration_if_any(findings, name, &(1..=2_592_000)) {
                *place = d;
            }
        }
        if let Some(exempt) = list(&mut t, findings, "exempt", ip) {
            guard.exempt = exempt;
        }
        t.finish(findings);
    }

    fn limits(&mut self, top: &mut Fields<'_>, findings: &mut Findings<'_>) {
        let Some(mut t) = top.table(findings, "limits") else { return };
        if let Some(n) = t.number(findings, "calls", &(1..=100_000)) {
            self.exchange.calls_max = usize::try_from(n).unwrap_or(usize::MAX);
        }
        let day = 1..=86_400;
        let e = &mut self.exchange;
        let limits: [(&'static str, &mut Duration); 6] = [
            ("menu", &mut e.menu_max),
            ("wait", &mut e.wait_max),
            ("talk", &mut e.talk_max),
            ("call", &mut e.call_max),
            ("silence", &mut e.silence),
            ("same_agent_within", &mut e.recall_within),
        ];
        for (name, limit) in limits {
            if let Some(d) = t.duration_if_any(findings, name, &day) {
                *limit = d;
            }
        }
        t.finish(findings);
    }

    fn third_party(&mut self, top: &mut Fields<'_>, findings: &mut Findings<'_>) {
        let Some(mut t) = top.table(findings, "third_party") else { return };
        if let Some(w) = t.word(findings, "callers_keys") {
            self.exchange.caller_keys_to_party = callers_keys(findings, w);
        }
        if let Some(d) = t.duration_if_any(findings, "clearing", &(1..=600)) {
            self.exchange.clearing_max = d;
        }
        t.finish(findings);
    }

    fn trunks(&mut self, top: &mut Fields<'_>, findings: &mut Findings<'_>) {
        let Some(all) = top.table(findings, "trunks") else { return };
        self.trunks =
            all.rest().filter_map(|(name, field)| config_trunks::trunk(findings, name, field)).collect();
    }
}

/// A variable of the environment: secrets alone come from there.
#[expect(clippy::disallowed_methods, reason = "this is the one file that reads the environment")]
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// One or several of `name`; none at all is a mistake.
pub(super) fn list<T>(
    t: &mut Fields<'_>,
    findings: &mut Findings<'_>,
    name: &'static str,
    read: fn(&mut Findings<'_>, Word<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let field = t.get(name)?;
    let words = words(findings, &field.node);
    if words.is_empty() {
        findings
            .error("HL0105", &field.node.place, format!("`{name}` names nothing"))
            .help("leave it out for the default");
    }
    Some(words.into_iter().filter_map(|w| read(findings, w)).collect())
}

pub(super) fn address(findings: &mut Findings<'_>, w: Word<'_>) -> Option<SocketAddr> {
    let read = w.text.parse().ok();
    if read.is_none() {
        let message = format!("`{}` is not an address with a port", w.text);
        findings.error("HL0105", w.place, message).help("write \"0.0.0.0:5060\" or \"[::]:5060\"");
    }
    read
}

fn ip(findings: &mut Findings<'_>, w: Word<'_>) -> Option<IpAddr> {
    let read = w.text.parse::<IpAddr>().ok().filter(|ip| !ip.is_unspecified());
    if read.is_none() {
        let message = format!("`{}` is not an address that a phone could send to", w.text);
        findings.error("HL0105", w.place, message).help("write the public address, without a port");
    }
    read
}

fn domain(findings: &mut Findings<'_>, w: Word<'_>) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if w.text.is_empty() || !w.text.chars().all(fits) {
        let message = format!("`{}` is not a name of a domain", w.text);
        findings.error("HL0105", w.place, message).help("write \"hotline.example\", without `sip:` and port");
        return None;
    }
    Some(w.text.to_ascii_lowercase())
}

/// The beginning of numbers that a transfer may lead to.
fn algorithm(findings: &mut Findings<'_>, w: Word<'_>) -> Option<DigestAlgorithm> {
    match w.text {
        "MD5" => Some(DigestAlgorithm::Md5),
        "SHA-256" => Some(DigestAlgorithm::Sha256),
        other => {
            let message = format!("`{other}` is not a digest algorithm");
            findings.error("HL0105", w.place, message).help("it may be \"SHA-256\" or \"MD5\"");
            None
        }
    }
}

/// `dscp`, as a code point.
fn service_class(t: &mut Fields<'_>, findings: &mut Findings<'_>) -> Option<u8> {
    t.number(findings, "dscp", &(0..=63)).and_then(|n| u8::try_from(n).ok())
}

fn codec(findings: &mut Findings<'_>, w: Word<'_>) -> Option<Codec> {
    match w.text {
        "PCMA" => Some(Codec::Pcma),
        "PCMU" => Some(Codec::Pcmu),
        "G722" => Some(Codec::G722),
        other => {
            let message = format!("`{other}` is not a codec of this hotline");
            findings.error("HL0105", w.place, message).help("it may be \"PCMA\", \"PCMU\" or \"G722\"");
            None
        }
    }
}

fn inband_keys(findings: &mut Findings<'_>, w: Word<'_>) -> Option<InbandKeys> {
    match w.text {
        "auto" => Some(InbandKeys::Auto),
        "off" => Some(InbandKeys::Off),
        "on" => Some(InbandKeys::On),
        other => {
            let message = format!("`{other}` is no way to listen for keys");
            findings.error("HL0105", w.place, message).help("it may be \"auto\", \"off\" or \"on\"");
            None
        }
    }
}

fn callers_keys(findings: &mut Findings<'_>, w: Word<'_>) -> bool {
    match w.text {
        "pass" => true,
        "keep" => false,
        other => {
            let message = format!("`{other}` is nothing to do with keys");
            findings.error("HL0105", w.place, message).help("it may be \"pass\" or \"keep\"");
            true
        }
    }
}

pub(super) fn secret(
    t: &mut Fields<'_>,
    findings: &mut Findings<'_>,
    file: &'static str,
    env: &'static str,
) -> Option<SecretPlace> {
    let in_file = t.word(findings, file);
    let in_env = t.word(findings, env);
    match (in_file, in_env) {
        (Some(_), Some(w)) => {
            findings.error("HL0105", w.place, format!("write `{file}` or `{env}`, not both"));
            None
        }
        (Some(w), None) => Some(SecretPlace::File(PathBuf::from(w.text))),
        (None, Some(w)) => Some(SecretPlace::Environment(w.text.to_owned())),
        (None, None) => None,
    }
}

fn folder(t: &mut Fields<'_>, findings: &mut Findings<'_>, name: &'static str, mut set: impl FnMut(PathBuf)) {
    if let Some(w) = t.word(findings, name) {
        set(Path::new(w.text).to_path_buf());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_loopback_defaults() {
        let (s, found) = Settings::read("hotline.toml", "").unwrap();
        assert!(found.is_empty());
        assert!(s.listen.iter().all(|a| a.ip().is_loopback()) && s.http.ip().is_loopback());
        assert_eq!(s.digest, [DigestAlgorithm::Md5]);
    }

    #[test]
    fn what_a_third_party_gets_and_how_long_it_may_stay() {
        let read = |text: &str| Settings::read("hotline.toml", text);
        let (default, _) = read("").unwrap();
        assert!(default.exchange.caller_keys_to_party && default.exchange.clearing_max.is_zero());
        let (set, _) = read("[third_party]\ncallers_keys = \"keep\"\nclearing = \"30s\"\n").unwrap();
        assert!(!set.exchange.caller_keys_to_party);
        assert_eq!(set.exchange.clearing_max, Duration::from_secs(30));
        let found = read("[third_party]\ncallers_keys = \"eat\"\nclearing = \"1h\"\n").unwrap_err();
        let lines: Vec<String> = found.iter().map(Diagnostic::line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        hotline.toml:2:16: error HL0105: `eat` is nothing to do with keys
        hotline.toml:3:12: error HL0105: `clearing` must be from 1s to 10m
        ");
    }

    #[test]
    fn one_line_opens_the_line_to_the_network() {
        let text = "[sip]\nlisten = [\"0.0.0.0:5060\", \"[::]:5060\"]\nadvertise = \"203.0.113.5\"\n\
                    digest = [\"SHA-256\", \"MD5\"]\n";
        let (s, _) = Settings::read("hotline.toml", text).unwrap();
        assert_eq!(s.listen.len(), 2);
        assert_eq!(s.advertise, ["203.0.113.5".parse::<IpAddr>().unwrap()]);
        assert_eq!(s.digest, [DigestAlgorithm::Sha256, DigestAlgorithm::Md5]);
        assert!(s.http.ip().is_loopback());
    }

    #[test]
    fn how_sound_is_received_is_said_in_rtp() {
        let text = "[rtp]\ninband_keys = \"off\"\njitter_min_ms = 40\njitter_max_ms = 120\n";
        let (s, _) = Settings::read("hotline.toml", text).unwrap();
        let ms = Duration::from_millis;
        let (depth_min, depth_max) = (ms(40), ms(120));
        let rules =
            SoundRules { inband_keys: InbandKeys::Off, depth_min, depth_max, ..SoundRules::default() };
        assert_eq!(s.sound, rules);
        let text = "[rtp]\ninband_keys = \"perhaps\"\njitter_min_ms = 100\njitter_max_ms = 60\n";
        let found = Settings::read("hotline.toml", text).unwrap_err();
        let lines: Vec<String> = found.iter().map(Diagnostic::line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        hotline.toml:1:2: error HL0105: `jitter_max_ms` is less than `jitter_min_ms`
        hotline.toml:2:15: error HL0105: `perhaps` is no way to listen for keys
        ");
    }

    #[test]
    fn codecs_classes_and_sources_are_said_in_rtp_and_have_defaults_that_work() {
        let (s, _) = Settings::read("hotline.toml", "").unwrap();
        assert_eq!((s.codecs.as_slice(), s.rtp_class), (&[Codec::Pcma, Codec::Pcmu][..], 46));
        assert_eq!(s.connections.service_class, 24);
        assert_eq!((s.sound.sources.rebind_after, s.sound.sources.any_host), (Duration::from_secs(1), false));
        let text = "[sip]\ndscp = 40\n[rtp]\ncodecs = [\"G722\", \"PCMU\"]\ndscp = 34\nrebind_after_ms = 500\n\
                    any_source_host = true\n";
        let (s, _) = Settings::read("hotline.toml", text).unwrap();
        assert_eq!((s.codecs.as_slice(), s.rtp_class), (&[Codec::G722, Codec::Pcmu][..], 34));
        assert_eq!(s.connections.service_class, 40);
        assert_eq!(
            (s.sound.sources.rebind_after, s.sound.sources.any_host),
            (Duration::from_millis(500), true)
        );
        let text = "[sip]\ndscp = 64\n[rtp]\ncodecs = [\"G729\"]\nrebind_after_ms = 5\n";
        let found = Settings::read("hotline.toml", text).unwrap_err();
        let lines: Vec<String> = found.iter().map(Diagnostic::line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        hotline.toml:2:8: error HL0105: 64 is not allowed here: from 0 to 63
        hotline.toml:4:11: error HL0105: `G729` is not a codec of this hotline
        hotline.toml:5:19: error HL0105: 5 is not allowed here: from 100 to 60000
        ");
    }

    #[test]
    fn sessions_last_as_long_as_is_written_and_never_less_than_the_least() {
        let (s, _) =
            Settings::read("hotline.toml", "[sip]\nsession = \"10m\"\nsession_min = \"2m\"\n").unwrap();
        assert_eq!((s.session.interval, s.session.least), (Duration::from_mins(10), Duration::from_mins(2)));
        for text in [
            "[sip]\nsession = \"60s\"\n",
            "[sip]\nsession_min = \"89s\"\n",
            "[sip]\nsession = \"2m\"\nsession_min = \"3m\"\n",
        ] {
            assert_eq!(Settings::read("hotline.toml", text).unwrap_err().len(), 1, "{text}");
        }
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_its_line() {
        let text = "[sip]\nlisten = \"everywhere\"\ndigst = \"MD5\"\n[http]\nlisten = \"0.0.0.0:80\"\n\
                    [trunks.m]\nuser = \"u\"\n[rtp]\nfirst_port = 30000\nlast_port = 20000\ncodecs = []\n";
        let found = Settings::read("hotline.toml", text).unwrap_err();
        let lines: Vec<String> = found.iter().map(Diagnostic::line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        hotline.toml:2:10: error HL0105: `everywhere` is not an address with a port
        hotline.toml:3:1: error HL0102: [sip] of the settings has no `digst`
        hotline.toml:5:10: error HL0104: HTTP stays on loopback until it has a token
        hotline.toml:6:9: error HL0104: the trunk m needs `address`
        hotline.toml:6:9: error HL0104: the trunk m needs both a user and a password, or neither
        hotline.toml:8:2: error HL0105: no RTP port between 30000 and 20000
        hotline.toml:11:10: error HL0105: `codecs` names nothing
        ");
    }
}
