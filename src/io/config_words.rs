//! Words that several tables of `hotline.toml` have: one of a few, an address, a domain, a class of service, a folder, the
//! place of a secret.
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::exchange::menu::{Fields, Findings, Word, words};

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// In this file, alone on its first line.
    File(PathBuf),
    /// In this variable of the environment.
    Environment(String),
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

/// One of a few words; `what` ends the sentence "`x` is ...".
pub(super) fn one_of<T: Copy>(
    findings: &mut Findings<'_>,
    w: Word<'_>,
    what: &str,
    known: &[(&str, T)],
) -> Option<T> {
    let found = known.iter().find(|(word, _)| *word == w.text);
    if found.is_none() {
        let quoted: Vec<String> = known.iter().map(|(word, _)| format!("{word:?}")).collect();
        let known = quoted.split_last().map_or_else(String::new, |(last, others)| {
            if others.is_empty() { last.clone() } else { format!("{} or {last}", others.join(", ")) }
        });
        findings
            .error("HL0105", w.place, format!("`{}` is {what}", w.text))
            .help(format!("it may be {known}"));
    }
    found.map(|(_, meaning)| *meaning)
}

/// An address with its port.
pub(super) fn address(findings: &mut Findings<'_>, w: Word<'_>) -> Option<SocketAddr> {
    let read = w.text.parse().ok();
    if read.is_none() {
        let message = format!("`{}` is not an address with a port", w.text);
        findings.error("HL0105", w.place, message).help("write \"0.0.0.0:5060\" or \"[::]:5060\"");
    }
    read
}

/// An address that a phone could send to.
pub(super) fn ip(findings: &mut Findings<'_>, w: Word<'_>) -> Option<IpAddr> {
    let read = w.text.parse::<IpAddr>().ok().filter(|ip| !ip.is_unspecified());
    if read.is_none() {
        let message = format!("`{}` is not an address that a phone could send to", w.text);
        findings.error("HL0105", w.place, message).help("write the public address, without a port");
    }
    read
}

/// A name of a domain, in small letters.
pub(super) fn domain(findings: &mut Findings<'_>, w: Word<'_>) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if w.text.is_empty() || !w.text.chars().all(fits) {
        let message = format!("`{}` is not a name of a domain", w.text);
        findings.error("HL0105", w.place, message).help("write \"hotline.example\", without `sip:` and port");
        return None;
    }
    Some(w.text.to_ascii_lowercase())
}

/// `dscp`, as a code point.
pub(super) fn service_class(t: &mut Fields<'_>, findings: &mut Findings<'_>) -> Option<u8> {
    t.number(findings, "dscp", &(0..=63)).and_then(|n| u8::try_from(n).ok())
}

/// A secret is in a file or in the environment, not in both.
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

/// A folder, if one is named.
pub(super) fn folder(t: &mut Fields<'_>, findings: &mut Findings<'_>, name: &'static str) -> Option<PathBuf> {
    t.word(findings, name).map(|w| PathBuf::from(w.text))
}
