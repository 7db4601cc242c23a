//! Digest access authentication for SIP: RFC 7616 and RFC 8760, both sides; RFC 3261 section 22.
//!
//! Invariant: a digest answer is accepted at most once. A nonce is `time . unique . MAC`, so that an unknown one costs
//! nothing to refuse; nonces that proved somebody are kept with the counts they were used with, in a bounded table
//! ordered by time, and whatever is older than what the table forgot is stale. Known and unknown users get the same
//! challenge, the same answer and the same work.
//!
//! Passwords are kept as H(user:realm:password) alone. The only file that names the hash crates in this room.
use std::collections::BTreeMap;
use std::fmt;

use md5::Md5;
use sha2::{Digest as _, Sha256};

mod client;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use client::DigestClient;
pub(crate) use server::{Claim, DigestServer, Proof};

/// A digest algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestAlgorithm {
    /// MD5: for peers that know nothing better.
    Md5,
    /// SHA-256, RFC 8760.
    Sha256,
}

impl DigestAlgorithm {
    /// All of them, the better one first.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Md5];

    /// As written in the header: `MD5`, `SHA-256`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }
    /// From the header's text, in any case.
    pub fn from_text(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.as_str().eq_ignore_ascii_case(name))
    }
    /// The hash of the parts joined by colons, in lower-case hex.
    fn hash(self, parts: &[&str]) -> String {
        match self {
            Self::Md5 => {
                let mut hash = Md5::new();
                feed(parts, |bytes| hash.update(bytes));
                hex(&hash.finalize())
            }
            Self::Sha256 => {
                let mut hash = Sha256::new();
                feed(parts, |bytes| hash.update(bytes));
                hex(&hash.finalize())
            }
        }
    }
}

fn feed(parts: &[&str], mut update: impl FnMut(&[u8])) {
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            update(b":");
        }
        update(part.as_bytes());
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| DIGITS.get(usize::from(n)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// Compares without stopping at the first difference, so that time tells nothing of where it is.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0u8, |sum, (x, y)| sum | (x ^ y));
    a.len() == b.len() && std::hint::black_box(differing) == 0
}

/// Who may prove who he is: H(user:realm:password) for each algorithm, never the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    ha1: BTreeMap<DigestAlgorithm, String>,
}

impl Account {
    /// From a password, for every algorithm.
    pub fn from_password(user: &str, realm: &str, password: &str) -> Self {
        Self { ha1: DigestAlgorithm::ALL.map(|a| (a, a.hash(&[user, realm, password]))).into() }
    }
    /// From stored H(user:realm:password) in hex, for the algorithms that are known.
    pub fn from_ha1(ha1: impl IntoIterator<Item = (DigestAlgorithm, String)>) -> Self {
        Self { ha1: ha1.into_iter().map(|(a, text)| (a, text.to_ascii_lowercase())).collect() }
    }
    /// H(user:realm:password) in lower-case hex.
    pub fn ha1(&self, algorithm: DigestAlgorithm) -> Option<&str> {
        self.ha1.get(&algorithm).map(String::as_str)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("algorithms", &self.ha1.keys()).finish_non_exhaustive()
    }
}

/// How we prove who we are to somebody else's server.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
    /// Answer challenges of this realm alone; `None`: of any.
    pub realm: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The parameters of a `Digest` header value, names in lower case, quotes resolved. `None`: another scheme, or not
/// well-formed.
fn parameters(value: &str) -> Option<BTreeMap<String, String>> {
    let (scheme, mut rest) = value.trim().split_once([' ', '\t'])?;
    if !scheme.eq_ignore_ascii_case("digest") {
        return None;
    }
    let mut found = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n', ',']);
        if rest.is_empty() {
            return Some(found);
        }
        let (name, after) = rest.split_once('=')?;
        let (text, after) = value_text(after.trim_start())?;
        if found.insert(name.trim().to_ascii_lowercase(), text).is_some() {
            return None;
        }
        rest = after.trim_start();
        if !(rest.is_empty() || rest.starts_with(',')) {
            return None;
        }
    }
}

/// One token or quoted string, and what follows it.
fn value_text(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t', '\r', '\n']).unwrap_or(text.len());
        return text.split_at_checked(end).map(|(token, rest)| (token.to_owned(), rest));
    };
    let mut out = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return quoted.get(at + 1..).map(|rest| (out, rest)),
            '\\' => out.push(chars.next()?.1),
            _ => out.push(c),
        }
    }
    None
}

/// `text` as a quoted string.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}
