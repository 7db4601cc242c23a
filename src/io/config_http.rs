//! `[http]`: where the page and the API are, and who may do what with them. `token_file` is one token that may read;
//! `[[http.tokens]]` are named ones, each with what it may.
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::config_words::{SecretPlace, address, list, one_of, secret};
use crate::exchange::menu::{Fields, Findings, Value, Word, wrong_kind};

/// What a token may do. Nothing includes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// See all that is going on, the record and the audit.
    Read,
    /// Check, install and roll back menus.
    Menus,
    /// Put the emergency banner on and take it off.
    Banner,
}

impl Right {
    /// Its word in the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Menus => "menus",
            Self::Banner => "banner",
        }
    }
}

/// Where a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// Its text is a secret.
    Secret(SecretPlace),
    /// Only its SHA-256 is known here.
    Hash([u8; 32]),
}

/// One of `[[http.tokens]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// Whose it is: what the audit calls him.
    pub name: String,
    /// The token.
    pub place: TokenPlace,
    /// What it may do.
    pub may: BTreeSet<Right>,
}

/// What `[http]` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where HTTP listens.
    pub listen: SocketAddr,
    /// How long a request may take to come in, and a connection may rest.
    pub patience: Duration,
    /// The token that may read, if there is one.
    pub token: Option<SecretPlace>,
    /// Named tokens.
    pub tokens: Vec<TokenSettings>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            patience: Duration::from_secs(20),
            token: None,
            tokens: Vec::new(),
        }
    }
}

/// Reads `[http]`.
pub(super) fn http(top: &mut Fields<'_>, findings: &mut Findings<'_>) -> HttpSettings {
    let mut http = HttpSettings::default();
    let Some(mut t) = top.table(findings, "http") else { return http };
    let listen = t.word(findings, "listen");
    if let Some(at) = listen.and_then(|w| address(findings, w)) {
        http.listen = at;
    }
    http.token = secret(&mut t, findings, "token_file", "token_env");
    http.tokens = tokens(&mut t, findings);
    if let Some(patience) = t.duration_if_any(findings, "patience", &(1..=600)) {
        http.patience = patience;
    }
    if !http.listen.ip().is_loopback() && http.token.is_none() && !t.has("tokens") {
        let message = "HTTP stays on loopback until it has a token".to_owned();
        let place = listen.map_or(&t.place, |w| w.place);
        findings.error("HL0104", place, message).help(
            "write token_file = \"PATH\" or token_env = \"NAME\" beside `listen`; a token has 12 characters or more",
        );
    }
    t.finish(findings);
    http
}

fn tokens(t: &mut Fields<'_>, findings: &mut Findings<'_>) -> Vec<TokenSettings> {
    let Some(field) = t.get("tokens") else { return Vec::new() };
    let Value::List(items) = &field.node.value else {
        wrong_kind(findings, &field.node, "tables, each under [[http.tokens]]");
        return Vec::new();
    };
    let mut found: Vec<TokenSettings> = Vec::new();
    for item in items {
        let Value::Table(table) = &item.value else {
            wrong_kind(findings, item, "a table under [[http.tokens]]");
            continue;
        };
        let mut t = Fields::new("a token", item.place.clone(), table);
        if let Some(token) = token(&mut t, findings, &found) {
            found.push(token);
        }
        t.finish(findings);
    }
    found
}

fn token(t: &mut Fields<'_>, findings: &mut Findings<'_>, before: &[TokenSettings]) -> Option<TokenSettings> {
    let name = t.needed(findings, "name").and_then(|w| name(findings, w, before));
    let by_secret = secret(t, findings, "token_file", "token_env");
    let by_hash = t.word(findings, "token_hash");
    let place = match (by_secret, by_hash) {
        (Some(_), Some(w)) => {
            findings.error("HL0105", w.place, "write one of `token_file`, `token_env` and `token_hash`");
            None
        }
        (Some(secret), None) => Some(TokenPlace::Secret(secret)),
        (None, Some(w)) => hash(findings, w).map(TokenPlace::Hash),
        (None, None) => {
            let message = "a token needs `token_file`, `token_env` or `token_hash`";
            findings.error("HL0104", &t.place, message);
            None
        }
    };
    if !t.has("may") {
        t.missing("may");
    }
    let may = list(t, findings, "may", right);
    Some(TokenSettings { name: name?, place: place?, may: may?.into_iter().collect() })
}

/// Who it is, in the audit: a word, and nobody else's.
fn name(findings: &mut Findings<'_>, w: Word<'_>, before: &[TokenSettings]) -> Option<String> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if w.text.is_empty() || w.text.chars().count() > 40 || !w.text.chars().all(fits) {
        let message = format!("`{}` cannot be a token's name", w.text);
        findings.error("HL0105", w.place, message).help("letters, digits and - _ . @, at most 40");
        return None;
    }
    if OWN_NAMES.contains(&w.text) || before.iter().any(|t| t.name == w.text) {
        findings.error("HL0505", w.place, format!("there is a token `{}` already", w.text));
        return None;
    }
    Some(w.text.to_owned())
}

fn right(findings: &mut Findings<'_>, w: Word<'_>) -> Option<Right> {
    let known = [Right::Read, Right::Menus, Right::Banner].map(|r| (r.as_str(), r));
    one_of(findings, w, "nothing that a token may do", &known)
}

/// Who is meant where no token of the list was shown: the single token, a reader on loopback, and nobody.
const OWN_NAMES: [&str; 3] = ["token", "loopback", "nobody"];

/// `sha256:` and 64 hexadecimal digits.
fn hash(findings: &mut Findings<'_>, w: Word<'_>) -> Option<[u8; 32]> {
    let read = w.text.strip_prefix("sha256:").and_then(unhex);
    if read.is_none() {
        findings
            .error("HL0105", w.place, "this is not the SHA-256 of a token")
            .help("write \"sha256:...\" with what `printf %s TOKEN | sha256sum` prints");
    }
    read
}

/// The 32 bytes of 64 hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::menu::Diagnostic;
    use crate::io::Settings;

    #[test]
    fn tokens_have_names_and_rights_and_what_is_wrong_with_them_is_said() {
        let hash = "0".repeat(64);
        let text = format!(
            "[http]\nlisten = \"0.0.0.0:80\"\n[[http.tokens]]\nname = \"lele\"\ntoken_hash = \"sha256:{hash}\"\n\
             may = [\"read\", \"menus\"]\n[[http.tokens]]\nname = \"desk\"\ntoken_env = \"DESK\"\nmay = \"banner\"\n"
        );
        let (s, _) = Settings::read("hotline.toml", &text).unwrap();
        assert_eq!(s.http.tokens.len(), 2);
        assert_eq!(s.http.tokens[0].place, TokenPlace::Hash([0; 32]));
        assert_eq!(s.http.tokens[0].may, [Right::Read, Right::Menus].into());
        assert_eq!((s.http.tokens[1].name.as_str(), s.http.tokens[1].may.len()), ("desk", 1));

        let text = "[http]\ntokens = 3\n[sip]\n";
        assert_eq!(Settings::read("hotline.toml", text).unwrap_err().len(), 1);
        let text = "[[http.tokens]]\nname = \"a\"\ntoken_hash = \"md5:1\"\nmay = [\"all\"]\n\
                    [[http.tokens]]\nname = \"a b\"\ntoken = \"in the open\"\n";
        let found = Settings::read("hotline.toml", text).unwrap_err();
        let lines: Vec<String> = found.iter().map(Diagnostic::line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        hotline.toml:3:14: error HL0105: this is not the SHA-256 of a token
        hotline.toml:4:8: error HL0105: `all` is nothing that a token may do
        hotline.toml:5:1: error HL0104: a token needs `may`
        hotline.toml:5:1: error HL0104: a token needs `token_file`, `token_env` or `token_hash`
        hotline.toml:6:8: error HL0105: `a b` cannot be a token's name
        hotline.toml:7:1: error HL0102: a token has no `token`
        ");
    }
}
