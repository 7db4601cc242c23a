//! Secrets: agents' passwords, made at first start and kept in one file beside the store (mode 0600); trunks'
//! passwords and the HTTP token from files or the environment, never from `hotline.toml`. Invariant: a [`Secret`]
//! cannot be printed by accident, and a well-known one is refused.
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use crate::base::{AgentId, Rng};
use crate::io::whole::write_whole;

/// A secret text. `{:?}` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// From its text.
    pub const fn new(text: String) -> Self {
        Self(text)
    }
    /// The text, for whoever must use it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read or written.
    #[error("the secrets file {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not JSON of the form `{"8001": "password"}`.
    #[error("the secrets file {path} is not of the form {{\"AGENT\": \"PASSWORD\"}}: {source}")]
    Form {
        /// Which.
        path: String,
        /// Where it went wrong.
        source: serde_json::Error,
    },
    /// Anybody would guess it.
    #[error(
        "the secret of {whose} is a well-known one or too short; choose 12 characters or more that nobody guesses"
    )]
    WellKnown {
        /// Whose.
        whose: String,
    },
}

/// Tried first by every scanner on the net.
const WELL_KNOWN: [&str; 14] = [
    "password",
    "passw0rd",
    "secret",
    "changeme",
    "change-me",
    "default",
    "hotline",
    "asterisk",
    "freeswitch",
    "admin",
    "letmein",
    "qwertyuiop",
    "123456789012",
    "000000000000",
];
/// Shorter ones fall to a patient guesser.
const SHORTEST: usize = 12;
/// Letters and digits of a password made here: over 82 bits.
const MADE: usize = 16;

/// Whether nobody guesses `secret` of the user `whose`.
pub(super) fn refuse_well_known(whose: &str, secret: &Secret) -> Result<(), SecretError> {
    let text = secret.expose().trim().to_ascii_lowercase();
    let first = text.chars().next();
    let same = text.chars().all(|c| Some(c) == first);
    if text.len() < SHORTEST
        || same
        || text == whose.to_ascii_lowercase()
        || WELL_KNOWN.contains(&text.as_str())
    {
        return Err(SecretError::WellKnown { whose: whose.to_owned() });
    }
    Ok(())
}

/// Agents' passwords, and which of them were made just now.
#[derive(Debug)]
pub struct AgentSecrets {
    /// By agent: those of the plan only.
    pub of: BTreeMap<AgentId, Secret>,
    /// Made just now: to be shown once.
    pub fresh: Vec<AgentId>,
}

/// Reads the agents' passwords from `path` and makes those that are missing.
pub(super) fn agents(path: &Path, agents: &[AgentId], rng: &mut Rng) -> Result<AgentSecrets, SecretError> {
    let mut all = read(path)?;
    let mut fresh = Vec::new();
    for agent in agents {
        all.entry(agent.as_str().to_owned()).or_insert_with(|| {
            fresh.push(agent.clone());
            rng.token(MADE)
        });
    }
    if !fresh.is_empty() {
        write(path, &all)?;
    }
    let mut of = BTreeMap::new();
    for agent in agents {
        let secret = Secret::new(all.get(agent.as_str()).cloned().unwrap_or_default());
        refuse_well_known(agent.as_str(), &secret)?;
        of.insert(agent.clone(), secret);
    }
    Ok(AgentSecrets { of, fresh })
}

/// The password of one agent, if one was made.
pub fn agent(path: &Path, agent: &AgentId) -> Result<Option<Secret>, SecretError> {
    Ok(read(path)?.remove(agent.as_str()).map(Secret::new))
}

fn read(path: &Path) -> Result<BTreeMap<String, String>, SecretError> {
    let name = || path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map_err(|source| SecretError::Form { path: name(), source }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(source) => Err(SecretError::File { path: name(), source }),
    }
}

/// Written beside and moved over, so that a crash leaves the old file or the new one.
fn write(path: &Path, all: &BTreeMap<String, String>) -> Result<(), SecretError> {
    let fail = |source| SecretError::File { path: path.display().to_string(), source };
    let text = serde_json::to_string_pretty(all).map_err(|e| fail(io::Error::other(e)))?;
    write_whole(path, text.as_bytes()).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_secrets_are_refused_and_made_ones_are_not() {
        for bad in ["secret", "password", "8001", "", "aaaaaaaaaaaaaaaa", "short", "123456789012"] {
            assert!(refuse_well_known("8001", &Secret::new(bad.into())).is_err(), "{bad}");
        }
        let made = Rng::from_number(1).token(MADE);
        assert!(refuse_well_known("8001", &Secret::new(made)).is_ok());
        assert_eq!(format!("{:?}", Secret::new("x".into())), "Secret(..)");
    }

    #[test]
    fn passwords_are_made_once_and_kept() {
        let folder = std::env::temp_dir().join(format!("hotline-secrets-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("secrets.json");
        let ids = [AgentId::from("8001"), AgentId::from("8002")];
        let first = agents(&path, &ids, &mut Rng::from_number(1)).unwrap();
        assert_eq!(first.fresh, ids);
        let second = agents(&path, &ids, &mut Rng::from_number(2)).unwrap();
        assert!(second.fresh.is_empty());
        assert_eq!(first.of, second.of);
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
