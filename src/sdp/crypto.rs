//! Keys of SRTP in session descriptions, RFC 4568: the attribute `crypto`, which suites we speak, and what offer and
//! answer agree of them. Offered beside plain RTP (RFC 8643) or instead of it.
//!
//! Invariant: no key is shown by `Debug`; a line that asks for anything that we do not do (a key identifier, unencrypted
//! or unauthenticated packets, a rate of derivation) is as if it were not there.
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::sdp::negotiate::Refusal;
use crate::sdp::session::Media;

/// RTP that is not protected.
pub(crate) const PLAIN: &str = "RTP/AVP";
/// RTP that is, RFC 3711.
const SECURE: &str = "RTP/SAVP";

/// Whether a media line is one of protected RTP, with feedback (RFC 5124) or without.
pub(crate) fn is_secure(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case(SECURE) || protocol.eq_ignore_ascii_case("RTP/SAVPF")
}

/// What a listener does about SRTP. Only where signalling is TLS: the keys stand in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SrtpPolicy {
    /// Nothing: `RTP/SAVP` is refused.
    Off,
    /// Offered, and taken where the peer can; plain RTP where it cannot.
    #[default]
    Offer,
    /// No call without it.
    Require,
}

/// A protection, RFC 4568 section 6.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CryptoSuite {
    /// `AES_CM_128_HMAC_SHA1_80`.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1_32,
}

impl CryptoSuite {
    /// Those that we speak, best first.
    pub const ALL: [Self; 2] = [Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    const fn as_str(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }
}

/// A master key and its salt, 30 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey(pub [u8; 30]);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(not shown)")
    }
}

/// What we bring to an agreement on SRTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnCrypto {
    /// Nothing is agreed without it.
    pub is_required: bool,
    /// Our keys, one for each of [`CryptoSuite::ALL`].
    pub keys: [MasterKey; CryptoSuite::ALL.len()],
}

/// The keys agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgreedCrypto {
    /// The protection, the same both ways.
    pub suite: CryptoSuite,
    /// Protects what we send.
    pub ours: MasterKey,
    /// Protects what the peer sends.
    pub theirs: MasterKey,
}

/// The value of one `a=crypto`. Shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct CryptoText(pub(crate) String);

impl From<&str> for CryptoText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for CryptoText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CryptoText(not shown)")
    }
}

/// One `a=crypto` that we can use.
struct CryptoLine {
    tag: u32,
    suite: CryptoSuite,
    key: MasterKey,
}

impl CryptoLine {
    fn read(text: &CryptoText) -> Option<Self> {
        let mut parts = text.0.split_ascii_whitespace();
        let tag = parts.next()?.parse().ok()?;
        let name = parts.next()?;
        let suite = CryptoSuite::ALL.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(name))?;
        let key = parts.next()?;
        // Only a hint for the size of the replay window changes nothing that is on the wire.
        parts.all(|p| p.starts_with("WSH=")).then_some(())?;
        let inline = key.get(..7).filter(|m| m.eq_ignore_ascii_case("inline:")).and_then(|_| key.get(7..))?;
        let mut fields = inline.split('|');
        let bytes = STANDARD.decode(fields.next()?).ok()?;
        // A lifetime may follow: ours is a call. A key identifier (`1:4`) would stand in every packet, a second key
        // (`;`) needs one.
        fields.all(|f| !f.contains([':', ';'])).then_some(())?;
        Some(Self { tag, suite, key: MasterKey(bytes.try_into().ok()?) })
    }

    fn text(&self) -> CryptoText {
        CryptoText(format!("{} {} inline:{}", self.tag, self.suite.as_str(), STANDARD.encode(self.key.0)))
    }

    fn all_of(media: &Media) -> impl Iterator<Item = Self> {
        media.crypto.iter().filter_map(Self::read)
    }
}

impl OwnCrypto {
    fn key(&self, suite: CryptoSuite) -> MasterKey {
        let [first, second] = self.keys;
        match suite {
            CryptoSuite::AesCm128HmacSha1_80 => first,
            CryptoSuite::AesCm128HmacSha1_32 => second,
        }
    }

    fn lines(&self) -> Vec<CryptoText> {
        let numbered = CryptoSuite::ALL.into_iter().zip(1..);
        numbered.map(|(suite, tag)| CryptoLine { tag, suite, key: self.key(suite) }.text()).collect()
    }
}

/// The protocol and the keys of a line that we offer. A line that was protected stays so.
pub(crate) fn offered(own: Option<&OwnCrypto>, before: Option<&Media>) -> (&'static str, Vec<CryptoText>) {
    let Some(own) = own else { return (PLAIN, Vec::new()) };
    let was_secure = before.is_some_and(|m| is_secure(&m.protocol));
    (if own.is_required || was_secure { SECURE } else { PLAIN }, own.lines())
}

/// What our answer to an offered line says of keys, and what that agrees; `None`: plain RTP.
pub(crate) fn answered(
    own: Option<&OwnCrypto>,
    theirs: &Media,
) -> Result<Option<(CryptoText, AgreedCrypto)>, Refusal> {
    let is_secure = is_secure(&theirs.protocol);
    // The offerer's order is its preference; the first that we speak is taken, section 5.1.2.
    let found = own.and_then(|own| CryptoLine::all_of(theirs).next().map(|line| (own, line)));
    match found {
        Some((own, line)) => {
            let ours = own.key(line.suite);
            let text = CryptoLine { key: ours, ..line }.text();
            Ok(Some((text, AgreedCrypto { suite: line.suite, ours, theirs: line.key })))
        }
        None if is_secure || own.is_some_and(|own| own.is_required) => Err(Refusal::NoSecurity),
        None => Ok(None),
    }
}

/// What a peer's answer to our line agrees: one of our lines, with its key in place of ours (section 5.1.3).
pub(crate) fn accepted(ours: &Media, theirs: &Media) -> Result<Option<AgreedCrypto>, Refusal> {
    let fits = |a: &CryptoLine, b: &CryptoLine| a.tag == b.tag && a.suite == b.suite;
    let pair = CryptoLine::all_of(theirs)
        .find_map(|their| CryptoLine::all_of(ours).find(|our| fits(our, &their)).map(|our| (our, their)));
    match pair {
        Some((our, their)) => Ok(Some(AgreedCrypto { suite: our.suite, ours: our.key, theirs: their.key })),
        None if is_secure(&ours.protocol) || is_secure(&theirs.protocol) => Err(Refusal::NoSecurity),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    fn read(text: &str) -> Option<CryptoLine> {
        CryptoLine::read(&CryptoText(text.to_owned()))
    }

    #[test]
    fn the_attribute_is_read_as_rfc_4568_writes_it() {
        let line = read(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20 WSH=128")).unwrap();
        assert_eq!((line.tag, line.suite), (1, CryptoSuite::AesCm128HmacSha1_80));
        assert_eq!(line.key.0[..4], *b"YS__");
        assert_eq!(line.text().0, format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"));
    }

    #[test]
    fn what_we_do_not_do_is_as_if_it_were_not_there() {
        for line in [
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=1"),
            format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{}", &KEY[4..]),
            format!("x AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            "1 AES_CM_128_HMAC_SHA1_80 inline:\u{e9}\u{e9}\u{e9}".to_owned(),
            "1 AES_CM_128_HMAC_SHA1_80 in".to_owned(),
            "1".to_owned(),
            String::new(),
        ] {
            assert!(read(&line).is_none(), "{line}");
        }
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let own = OwnCrypto { is_required: true, keys: [MasterKey([7; 30]); 2] };
        let shown = format!("{own:?} {:?}", own.lines());
        assert!(!shown.contains("7, 7") && !shown.contains("inline"), "{shown}");
    }
}
