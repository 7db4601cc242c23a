//! Our certificate's files: read, checked, looked at again. PEM (RFC 7468); of X.509 (RFC 5280) only the validity is
//! read here, the rest is rustls's. Invariant: what [`Files::load`] hands back can be used for a handshake now.
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys};

use super::{OwnCertificate, TlsError};
use crate::base::UtcTime;

const DAY_S: i64 = 86_400;

/// A certificate that can be used.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The chain and its key.
    pub(super) key: Arc<CertifiedKey>,
    /// When it ends, in seconds since 1970.
    pub(super) ends_s: i64,
}

/// The two files, and when they were last written.
#[derive(Debug)]
pub(super) struct Files {
    own: OwnCertificate,
    seen: Mutex<[Option<SystemTime>; 2]>,
}

impl Files {
    /// The files and what is in them.
    pub(super) fn open(
        own: &OwnCertificate,
        now: UtcTime,
        provider: &CryptoProvider,
    ) -> Result<(Self, Loaded), TlsError> {
        let files = Self { own: own.clone(), seen: Mutex::default() };
        files.changed();
        let loaded = files.load(now, provider)?;
        Ok((files, loaded))
    }

    /// Whether either file was written since this was last asked.
    pub(super) fn changed(&self) -> bool {
        let written = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
        let now = [written(&self.own.chain), written(&self.own.key)];
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *seen, now) != now
    }

    /// Reads and checks both.
    pub(super) fn load(&self, now: UtcTime, provider: &CryptoProvider) -> Result<Loaded, TlsError> {
        let (chain, key) = (show(&self.own.chain), show(&self.own.key));
        let certificates = read_certificates(&self.own.chain)?;
        let private = PrivateKeyDer::from_pem_file(&self.own.key)
            .map_err(|e| pem_error(&self.own.key, "private key", e))?;
        let ends_s = valid_now(&certificates, &chain, now)?;
        let certified = CertifiedKey::from_der(certificates, private, provider).map_err(|e| match e {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::Mismatch { chain: chain.clone(), key: key.clone() }
            }
            other => TlsError::Form { path: key.clone(), what: "usable private key", why: other.to_string() },
        })?;
        Ok(Loaded { key: Arc::new(certified), ends_s })
    }
}

/// All certificates of a file, at least one.
pub(super) fn read_certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |e| pem_error(path, "certificate", e);
    let all =
        CertificateDer::pem_file_iter(path).map_err(fail)?.collect::<Result<Vec<_>, _>>().map_err(fail)?;
    if all.is_empty() { Err(fail(pem::Error::NoItemsFound)) } else { Ok(all) }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}

fn pem_error(path: &Path, what: &'static str, e: pem::Error) -> TlsError {
    match e {
        pem::Error::Io(source) => TlsError::File { path: show(path), source },
        other => TlsError::Form { path: show(path), what, why: other.to_string() },
    }
}

/// When the first certificate ends; an error outside its time.
fn valid_now(chain: &[CertificateDer<'_>], path: &str, now: UtcTime) -> Result<i64, TlsError> {
    let unread = || TlsError::Form {
        path: path.to_owned(),
        what: "certificate",
        why: "its validity cannot be read".to_owned(),
    };
    let (begins, ends) = chain.first().and_then(|c| validity(c)).ok_or_else(unread)?;
    let now = now.as_secs();
    let days = |s: i64| s / DAY_S + i64::from(s % DAY_S > 0);
    if now > ends {
        return Err(TlsError::Expired { chain: path.to_owned(), days: days(now - ends) });
    }
    if now < begins {
        return Err(TlsError::NotYet { chain: path.to_owned(), days: days(begins - now) });
    }
    Ok(ends)
}

/// `notBefore` and `notAfter` of a certificate (RFC 5280 4.1.2.5), in seconds since 1970.
pub(super) fn validity(certificate: &[u8]) -> Option<(i64, i64)> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let inside = |tag, bytes| element(bytes).filter(|(t, _, _)| *t == tag).map(|(_, content, _)| content);
    let behind = |bytes| element(bytes).map(|(_, _, rest)| rest);
    let mut fields = inside(SEQUENCE, inside(SEQUENCE, certificate)?)?;
    if element(fields)?.0 == VERSION {
        fields = behind(fields)?;
    }
    // Serial number, signature, issuer.
    for _ in 0..3 {
        fields = behind(fields)?;
    }
    let (tag, begins, rest) = element(inside(SEQUENCE, fields)?)?;
    let begins = seconds(tag, begins)?;
    let (tag, ends, _) = element(rest)?;
    Some((begins, seconds(tag, ends)?))
}

/// The first DER element: its tag, its content, what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |n, d| n << 8 | usize::from(*d)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// `UTCTime` (`YYMMDDhhmmssZ`, 1950-2049) or `GeneralizedTime` (`YYYYMMDDhhmmssZ`).
fn seconds(tag: u8, text: &[u8]) -> Option<i64> {
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        0x17 => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: i64 = year.parse().ok()?;
            (if year < 50 { 2_000 + year } else { 1_900 + year }, rest)
        }
        0x18 => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let part = |n: usize| rest.get(2 * n..2 * n + 2).and_then(|d| d.parse::<i64>().ok());
    let (month, day) = (part(0).filter(|m| (1..=12).contains(m))?, part(1)?);
    let clock = part(2)? * 3_600 + part(3)? * 60 + part(4)?;
    (rest.len() == 10).then_some(days_since_1970(year, month, day) * DAY_S + clock)
}

/// Of the Gregorian calendar, with the year beginning in March so that the odd day is its last.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_both_forms_are_read() {
        assert_eq!(seconds(0x17, b"700101000000Z"), Some(0));
        assert_eq!(seconds(0x17, b"240229235959Z"), Some(1_709_251_199));
        assert_eq!(seconds(0x18, b"20500101000000Z"), Some(2_524_608_000));
        for bad in [&b"240229235959"[..], b"24022923595Z", b"241329235959Z", b"Z", b"\xff"] {
            assert_eq!(seconds(0x17, bad), None);
        }
    }

    #[test]
    fn a_certificate_cut_anywhere_is_refused_and_harms_nobody() {
        let made = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        let der = made.cert.der();
        let (begins, ends) = validity(der).unwrap();
        assert!(begins < ends);
        for cut in 0..120 {
            assert_eq!(validity(&der[..cut]), None);
        }
    }
}
