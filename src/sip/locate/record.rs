//! What is asked of the domain name system and what it answers, RFC 1035, 2782, 3403: plain words, no wire format.
//!
//! Invariant: a name here is in lower case, without the final dot, and short enough to be asked for.
use std::net::IpAddr;
use std::time::Duration;

/// Longest name, RFC 1035 section 2.3.4, without the final dot.
const NAME_MAX: usize = 253;
/// Longest label.
const LABEL_MAX: usize = 63;

/// The kinds of records that RFC 3263 looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// Which transports a domain offers (RFC 3403).
    Naptr,
    /// Which hosts offer a service (RFC 2782).
    Srv,
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsQuestion {
    /// The name, without the final dot.
    pub name: String,
    /// What of it.
    pub kind: RecordKind,
}

/// One NAPTR record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower ones first; once one fits, others are not looked at.
    pub order: u16,
    /// Lower ones first among equal orders.
    pub preference: u16,
    /// `s`: the replacement names SRV records.
    pub flags: String,
    /// E.g. `SIP+D2U`.
    pub service: String,
    /// The name to go on with.
    pub replacement: String,
}

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones first.
    pub priority: u16,
    /// The share among equal priorities.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; empty: the service is not there, decidedly.
    pub target: String,
}

/// Records of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsRecords {
    /// Of [`RecordKind::Naptr`].
    Naptr(Vec<Naptr>),
    /// Of [`RecordKind::Srv`].
    Srv(Vec<Srv>),
    /// Of [`RecordKind::A`] or [`RecordKind::Aaaa`].
    Addresses(Vec<IpAddr>),
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsReply {
    /// There are records.
    Records {
        /// Them.
        records: DnsRecords,
        /// How long they hold.
        ttl: Duration,
    },
    /// There is no such name, or no such record of it.
    Nothing {
        /// How long that holds, as far as the zone says (RFC 2308).
        ttl: Option<Duration>,
    },
    /// No name server answered, or none wanted to.
    Failed,
}

/// A host's name as it is asked for; `None` for what is no name: an address, text that no name server would know.
pub(crate) fn host_name(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let good = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let fits = !text.is_empty() && text.len() <= NAME_MAX && text.split('.').all(good);
    // A last label of digits alone is the end of an address (RFC 1123 section 2.1).
    let last = text.rsplit('.').next().unwrap_or_default();
    (fits && !last.bytes().all(|b| b.is_ascii_digit())).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_name_is_asked_for() {
        assert_eq!(host_name("SIP.Example.COM.").as_deref(), Some("sip.example.com"));
        assert_eq!(host_name("_sip._udp.example.com").as_deref(), Some("_sip._udp.example.com"));
        let long = "a".repeat(64);
        for bad in
            ["", ".", "a..b", "192.0.2.1", "2001:db8::1", "a b", "a\r\nb", "x/y", "é.example", long.as_str()]
        {
            assert_eq!(host_name(bad), None, "{bad}");
        }
        assert_eq!(host_name(&"a.".repeat(200)), None);
    }
}
