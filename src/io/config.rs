//! `hotline.toml`: listeners, sound, HTTP, store, limits, trunks. Read in the same manner as menus: every mistake at
//! once, each with file, line and key; a setting that is not there has a default that works on loopback. No secret
//! stands in the file: `password_file` and `password_env` name where it is.
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::config_http::{self, HttpSettings};
use super::config_tls::{self, TlsListen};
use super::config_trunks::{self, TrunkSettings};
use super::config_voice;
use super::config_words::{address, domain, folder, ip, list, one_of, service_class};
use super::net::ConnectionLimits;
use super::service_class::EF;
use super::speaker::ESPEAK;
use super::tape::TapeSettings;
use super::tls::TlsSettings;
use crate::base::TrunkId;
use crate::exchange::ExchangeSettings;
use crate::exchange::menu::{Diagnostic, Fields, Findings, Place, Word, parse};
use crate::media::{Codec, SoundRules};
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
    /// Between two questions to an agent's phone whether it is there; zero: none is asked.
    pub ask_phones: Duration,
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
    /// The page and the API.
    pub http: HttpSettings,
    /// The folder of the store, the secrets and the command socket.
    pub store: PathBuf,
    /// A folder in memory (tmpfs), where the journal is noted before the disk has it; `None`: nothing is noted.
    pub notes: Option<PathBuf>,
    /// What queues learn of waits is kept this often.
    pub learned_every: Duration,
    /// The folder of menus; `None`: those built in.
    pub menus: Option<PathBuf>,
    /// The folder of sound; `None`: what is built in.
    pub audio: Option<PathBuf>,
    /// How often those folders are looked at for changes; zero: never.
    pub look_every: Duration,
    /// Who is shut out, and when.
    pub guard: GuardSettings,
    /// Limits of calls.
    pub exchange: ExchangeSettings,
    /// Ways to third parties.
    pub trunks: BTreeMap<TrunkId, TrunkSettings>,
    /// Name servers; none: the system's.
    pub dns: Vec<SocketAddr>,
    /// The command that speaks what has no recording.
    pub speak: String,
    /// Where inputs are recorded, if they are.
    pub tape: Option<TapeSettings>,
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
            ask_phones: Duration::from_secs(10),
            session: SessionSettings::default(),
            realm: "hotline".to_owned(),
            digest: vec![DigestAlgorithm::Md5],
            rtp_ports: (16_384, 32_767),
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            rtp_class: EF,
            sound: SoundRules::default(),
            http: HttpSettings::default(),
            store: PathBuf::from("var"),
            notes: Some(PathBuf::from("/dev/shm")),
            learned_every: Duration::from_mins(5),
            menus: None,
            audio: None,
            look_every: Duration::from_secs(1),
            guard: GuardSettings::default(),
            exchange: ExchangeSettings { calls_max: 3_000, ..ExchangeSettings::default() },
            dns: Vec::new(),
            speak: ESPEAK.to_owned(),
            tape: None,
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
        settings.http = config_http::http(&mut top, &mut findings);
        if let Some(mut t) = top.table(&mut findings, "store") {
            settings.store = folder(&mut t, &mut findings, "dir").unwrap_or(settings.store);
            if let Some(notes) = folder(&mut t, &mut findings, "notes") {
                settings.notes = Some(notes).filter(|notes| *notes != Path::new("none"));
            }
            let every = t.duration_if_any(&mut findings, "learned_every", &(1..=86_400));
            settings.learned_every = every.unwrap_or(settings.learned_every);
            t.finish(&mut findings);
        }
        if let Some(mut t) = top.table(&mut findings, "files") {
            settings.menus = folder(&mut t, &mut findings, "menus");
            settings.audio = folder(&mut t, &mut findings, "audio");
            if let Some(every) = t.duration_if_any(&mut findings, "look", &(0..=3_600)) {
                settings.look_every = every;
            }
            t.finish(&mut findings);
        }
        settings.guard(&mut top, &mut findings);
        settings.limits(&mut top, &mut findings);
        settings.third_party(&mut top, &mut findings);
        settings.trunks(&mut top, &mut findings);
        settings.dns = config_trunks::dns(&mut top, &mut findings);
        settings.speak = config_voice::voice(&mut top, &mut findings);
        settings.tape = tape(&mut top, &mut findings);
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
        if let Some(every) = t.duration_if_any(findings, "ask_phones", &(0..=3_600)) {
            self.ask_phones = every;
        }
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
        let keys = [("pass", true), ("keep", false)];
        let word = t.word(findings, "callers_keys");
        if let Some(pass) = word.and_then(|w| one_of(findings, w, "nothing to do with keys", &keys)) {
            self.exchange.caller_keys_to_party = pass;
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

fn algorithm(findings: &mut Findings<'_>, w: Word<'_>) -> Option<DigestAlgorithm> {
    let known = [("SHA-256", DigestAlgorithm::Sha256), ("MD5", DigestAlgorithm::Md5)];
    one_of(findings, w, "not a digest algorithm", &known)
}

/// `[record]`: whether inputs are recorded, and how much of them.
fn tape(top: &mut Fields<'_>, findings: &mut Findings<'_>) -> Option<TapeSettings> {
    let mut t = top.table(findings, "record")?;
    let mut to = folder(&mut t, findings, "inputs").map(TapeSettings::into_folder);
    let mut mb = |name| t.number(findings, name, &(1..=1_000_000)).and_then(|n| u64::try_from(n).ok());
    let (file, total) = (mb("file_mb"), mb("total_mb"));
    if let Some(to) = &mut to {
        to.total_max = total.map_or(to.total_max, |mb| mb << 20);
        to.file_max = file.map_or(to.file_max, |mb| mb << 20).min(to.total_max);
    }
    t.finish(findings);
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_recorded_where_and_as_long_as_it_says() {
        let (s, _) = Settings::read("hotline.toml", "").unwrap();
        assert_eq!(s.tape, None);
        let text = "[record]\ninputs = \"tapes\"\ntotal_mb = 10\n";
        let tape = Settings::read("hotline.toml", text).unwrap().0.tape.unwrap();
        assert_eq!((tape.file_max, tape.total_max), (10 << 20, 10 << 20));
        let found = Settings::read("hotline.toml", "[record]\ninputs = 3\nfile_mb = 0\n").unwrap_err();
        let lines: Vec<String> = found.iter().map(Diagnostic::line).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
    }

    #[test]
    fn notes_are_in_memory_or_elsewhere_or_nowhere() {
        let notes = |text: &str| Settings::read("hotline.toml", text).unwrap().0.notes;
        assert_eq!(notes(""), Some("/dev/shm".into()));
        assert_eq!(notes("[store]\nnotes = \"/run/hotline\"\n"), Some("/run/hotline".into()));
        assert_eq!(notes("[store]\nnotes = \"none\"\n"), None);
    }

    #[test]
    fn phones_are_asked_as_often_as_is_said_or_never() {
        let read = |text: &str| Settings::read("hotline.toml", text);
        assert_eq!(Settings::default().ask_phones, Duration::from_secs(10));
        for (word, every) in [("30s", 30), ("0s", 0)] {
            let text = format!("[sip]\nask_phones = \"{word}\"\n");
            assert_eq!(read(&text).unwrap().0.ask_phones, Duration::from_secs(every));
        }
        assert!(read("[sip]\nask_phones = \"2h\"\n").is_err());
    }

    #[test]
    fn an_empty_file_is_the_loopback_defaults() {
        let (s, found) = Settings::read("hotline.toml", "").unwrap();
        assert!(found.is_empty());
        assert!(s.listen.iter().all(|a| a.ip().is_loopback()) && s.http.listen.ip().is_loopback());
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
        assert!(s.http.listen.ip().is_loopback());
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
