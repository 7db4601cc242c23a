//! The part of `[sip]` that is about TLS and about connections.
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::config_words::{address, list, one_of};
use super::net::ConnectionLimits;
use super::tls::{OwnCertificate, Pin, TlsSettings};
use crate::exchange::menu::{Fields, Findings, Word};
use crate::sdp::SrtpPolicy;

/// Certificates' files are looked at this often, where nothing else is said.
const CHECK_EVERY: Duration = Duration::from_secs(10);

/// A TLS listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsListen {
    /// Where.
    pub at: SocketAddr,
    /// What it does about SRTP.
    pub srtp: SrtpPolicy,
}

/// Reads where TLS listens, and what it needs for that.
pub(super) fn tls(t: &mut Fields<'_>, findings: &mut Findings<'_>) -> (Vec<TlsListen>, Option<TlsSettings>) {
    let at = t.get("tls_listen").map(|field| field.node.place.clone());
    let listen = list(t, findings, "tls_listen", address).unwrap_or_default();
    let policies = list(t, findings, "srtp", policy).unwrap_or_default();
    let path = |w: Option<Word<'_>>| w.map(|w| PathBuf::from(w.text));
    let chain = path(t.word(findings, "tls_certificate"));
    let key = path(t.word(findings, "tls_key"));
    let authority = path(t.word(findings, "tls_authority"));
    let pins = list(t, findings, "tls_pins", pin).unwrap_or_default();
    let hour = 1..=3_600;
    let check_every = t.duration_if_any(findings, "tls_check", &hour).unwrap_or(CHECK_EVERY);
    let place = at.unwrap_or_else(|| t.place.clone());
    let none = chain.is_none() && key.is_none();
    let own = match (chain, key) {
        (Some(chain), Some(key)) => Some(OwnCertificate { chain, key }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            let message = "`tls_certificate` and `tls_key` go together".to_owned();
            findings.error("HL0104", &place, message);
            None
        }
    };
    if none && !listen.is_empty() {
        findings
            .error("HL0104", &place, "TLS needs a certificate".to_owned())
            .help("write tls_certificate = \"CHAIN.pem\" and tls_key = \"KEY.pem\" beside `tls_listen`");
    }
    if listen.is_empty() && (own.is_some() || authority.is_some() || !pins.is_empty()) {
        findings
            .error("HL0104", &place, "TLS has no listener".to_owned())
            .help("write tls_listen = [\"0.0.0.0:5061\"]; trunks over TLS use it too");
    }
    if policies.len() > 1 && policies.len() != listen.len() {
        findings.error(
            "HL0105",
            &place,
            "`srtp` says one word for all of `tls_listen`, or one for each".to_owned(),
        );
    }
    let each =
        policies.iter().copied().chain(std::iter::repeat(policies.last().copied().unwrap_or_default()));
    let listen: Vec<TlsListen> =
        listen.into_iter().zip(each).map(|(at, srtp)| TlsListen { at, srtp }).collect();
    let tls = (!listen.is_empty()).then_some(TlsSettings { own, authority, pins, check_every });
    (listen, tls)
}

/// Reads how many connections there may be, and how long they may keep us waiting.
pub(super) fn connections(t: &mut Fields<'_>, findings: &mut Findings<'_>, limits: &mut ConnectionLimits) {
    let many = 1..=100_000;
    let counts: [(&'static str, &mut usize); 2] =
        [("connections", &mut limits.total), ("connections_of_one", &mut limits.of_one)];
    for (name, count) in counts {
        if let Some(n) = t.number(findings, name, &many).and_then(|n| usize::try_from(n).ok()) {
            *count = n;
        }
    }
    let waits: [(&'static str, &mut Duration); 4] = [
        ("handshake_within", &mut limits.handshake),
        ("request_within", &mut limits.request),
        ("vanished_after", &mut limits.vanished),
        ("idle_connections", &mut limits.idle),
    ];
    for (name, wait) in waits {
        if let Some(d) = t.duration_if_any(findings, name, &(1..=86_400)) {
            *wait = d;
        }
    }
}

fn policy(findings: &mut Findings<'_>, w: Word<'_>) -> Option<SrtpPolicy> {
    let known = [("off", SrtpPolicy::Off), ("offer", SrtpPolicy::Offer), ("require", SrtpPolicy::Require)];
    one_of(findings, w, "no way to treat SRTP", &known)
}

fn pin(findings: &mut Findings<'_>, w: Word<'_>) -> Option<Pin> {
    let read = w.text.parse().ok();
    if read.is_none() {
        let message = format!("`{}` is not the SHA-256 of a certificate", w.text);
        findings
            .error("HL0105", w.place, message)
            .help("openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE.pem prints it");
    }
    read
}

#[cfg(test)]
mod tests {
    use super::SrtpPolicy;
    use crate::exchange::menu::Diagnostic;
    use crate::io::Settings;

    #[test]
    fn tls_and_the_limits_of_connections_are_read() {
        let text = format!(
            "[sip]\ntls_listen = \"0.0.0.0:5061\"\ntls_certificate = \"c.pem\"\ntls_key = \"k.pem\"\n\
             tls_pins = \"sha256:{}\"\ntls_check = \"1s\"\nsrtp = \"require\"\nconnections = 500\nrequest_within = \"5s\"\n",
            "0A:".repeat(32).trim_end_matches(':')
        );
        let (s, found) = Settings::read("hotline.toml", &text).unwrap();
        assert!(found.is_empty());
        let tls = s.tls.unwrap();
        assert_eq!((s.tls_listen.len(), tls.pins.len(), tls.check_every.as_secs()), (1, 1, 1));
        assert_eq!((s.connections.total, s.connections.request.as_secs()), (500, 5));
        assert_eq!(s.connections.of_one, 64);
        assert_eq!(s.tls_listen[0].srtp, SrtpPolicy::Require);
    }

    #[test]
    fn half_a_setting_of_tls_is_a_mistake_with_its_line() {
        let lines = |text: &str| -> Vec<String> {
            Settings::read("hotline.toml", text).unwrap_err().iter().map(Diagnostic::line).collect()
        };
        let found = lines("[sip]\ntls_listen = \"0.0.0.0:5061\"\ntls_key = \"k.pem\"\ntls_pins = \"aa\"\n");
        insta::assert_snapshot!(found.join("\n"), @r"
        hotline.toml:2:14: error HL0104: `tls_certificate` and `tls_key` go together
        hotline.toml:4:12: error HL0105: `aa` is not the SHA-256 of a certificate
        ");
        let found = lines("[sip]\ntls_certificate = \"c.pem\"\ntls_key = \"k.pem\"\nconnections = 0\n");
        insta::assert_snapshot!(found.join("\n"), @r"
        hotline.toml:1:2: error HL0104: TLS has no listener
        hotline.toml:4:15: error HL0105: 0 is not allowed here: from 1 to 100000
        ");
    }
}
