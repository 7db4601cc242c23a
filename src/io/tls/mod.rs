//! TLS for signalling (RFC 3261 26.2, RFC 5922): the only door of `tokio_rustls`. TLS 1.2 and 1.3 by ring, no
//! renegotiation, no session that outlives its certificate check.
//!
//! Invariants: a peer that we connect to is verified, by a configured authority or by its pinned certificate, or the
//! connection fails; a certificate that cannot be used never takes the place of one that can.
mod certificate;
mod peer;
mod thread;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, ServerConfig, SignatureScheme, version};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::base::UtcTime;
use certificate::{Files, Loaded};
use peer::PeerCheck;

pub use peer::Pin;
pub(in crate::io) use thread::TlsThread;

/// What TLS is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// Our chain and its key, PEM; needed to be let in to, not to go out.
    pub own: Option<OwnCertificate>,
    /// Authorities whose certificates are believed of peers that we connect to, PEM.
    pub authority: Option<PathBuf>,
    /// Certificates that are believed as they are.
    pub pins: Vec<Pin>,
    /// How often the files are looked at.
    pub check_every: Duration,
}

/// Where our certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCertificate {
    /// The chain, ours first.
    pub chain: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Why TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file has nothing of what is wanted, or it is damaged.
    #[error("{path} holds no {what}: {why}")]
    Form {
        /// Which.
        path: String,
        /// What was looked for.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The key is another certificate's.
    #[error("the key {key} does not belong to the certificate {chain}")]
    Mismatch {
        /// The certificate.
        chain: String,
        /// The key.
        key: String,
    },
    /// Its time is over.
    #[error("the certificate {chain} expired {days} day(s) ago")]
    Expired {
        /// The certificate.
        chain: String,
        /// Since when.
        days: i64,
    },
    /// Its time has not begun.
    #[error("the certificate {chain} is valid in {days} day(s) only")]
    NotYet {
        /// The certificate.
        chain: String,
        /// From when.
        days: i64,
    },
    /// TLS itself says no.
    #[error("TLS: {0}")]
    Library(String),
}

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct TlsFigures {
    /// Certificates taken in place of an earlier one.
    pub reloads: AtomicU64,
    /// New files that could not be used.
    pub reloads_failed: AtomicU64,
    /// When our certificate ends, in seconds since 1970; 0: there is none.
    pub ends_s: AtomicI64,
}

/// Our certificate, as it is now: handshakes under way and connections that stand keep theirs.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }
    fn has_certs(&self) -> bool {
        true
    }
}

impl Shown {
    fn now(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Our certificate and where it comes from.
#[derive(Debug)]
struct Own {
    files: Files,
    shown: Arc<Shown>,
}

/// TLS in both directions, as far as it was configured.
#[derive(Clone)]
pub struct Tls {
    own: Option<Arc<Own>>,
    accept: Option<TlsAcceptor>,
    connect: Option<TlsConnector>,
    check_every: Duration,
    figures: Arc<TlsFigures>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("own", &self.own).finish_non_exhaustive()
    }
}

/// What a new look at the files brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The same certificate.
    Same,
    /// A new one, from now on shown to whoever connects.
    New,
}

fn library(e: impl std::fmt::Display) -> TlsError {
    TlsError::Library(e.to_string())
}

impl Tls {
    /// Reads all files. `now` decides whether the certificate is of use.
    pub fn open(settings: &TlsSettings, now: UtcTime) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let figures = Arc::new(TlsFigures::default());
        let own = match &settings.own {
            None => None,
            Some(own) => {
                let (files, loaded) = Files::open(own, now, &provider)?;
                figures.ends_s.store(loaded.ends_s, Ordering::Relaxed);
                Some(Arc::new(Own { files, shown: Arc::new(Shown(RwLock::new(loaded.key))) }))
            }
        };
        let accept = match &own {
            Some(own) => Some(acceptor(&provider, Arc::clone(&own.shown))?),
            None => None,
        };
        let check = PeerCheck::open(settings, &provider)?;
        let connect = match check {
            Some(check) => Some(connector(&provider, check, own.as_ref().map(|o| Arc::clone(&o.shown)))?),
            None => None,
        };
        Ok(Self { own, accept, connect, check_every: settings.check_every, figures })
    }

    /// The counters.
    pub(super) const fn figures(&self) -> &Arc<TlsFigures> {
        &self.figures
    }

    /// Shakes hands with somebody who came.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
        within: Duration,
    ) -> io::Result<server::TlsStream<TcpStream>> {
        let Some(acceptor) = &self.accept else { return Err(io::ErrorKind::NotConnected.into()) };
        tokio::time::timeout(within, acceptor.accept(stream)).await?
    }

    /// Shakes hands with somebody we came to, who must be `name`.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        name: &str,
        within: Duration,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let Some(connector) = &self.connect else {
            return Err(io::Error::other("neither tls_authority nor tls_pins says whom to believe"));
        };
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        tokio::time::timeout(within, connector.connect(name, stream)).await?
    }

    /// Looks at the files, in any case or only when they changed since the last look. An error keeps what we have.
    pub(super) fn look(&self, now: UtcTime, in_any_case: bool) -> Result<Look, TlsError> {
        let Some(own) = &self.own else { return Ok(Look::Same) };
        if !own.files.changed() && !in_any_case {
            return Ok(Look::Same);
        }
        let Loaded { key, ends_s } = own.files.load(now, &ring::default_provider())?;
        let mut shown = own.shown.0.write().unwrap_or_else(PoisonError::into_inner);
        if shown.cert == key.cert {
            return Ok(Look::Same);
        }
        *shown = key;
        self.figures.ends_s.store(ends_s, Ordering::Relaxed);
        Ok(Look::New)
    }
}

fn acceptor(provider: &Arc<CryptoProvider>, shown: Arc<Shown>) -> Result<TlsAcceptor, TlsError> {
    let config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(library)?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn connector(
    provider: &Arc<CryptoProvider>,
    check: PeerCheck,
    shown: Option<Arc<Shown>>,
) -> Result<TlsConnector, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(library)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(check));
    // A carrier that asks who we are is shown the certificate that callers are shown.
    let config = match shown {
        Some(shown) => builder.with_client_cert_resolver(shown),
        None => builder.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests;
