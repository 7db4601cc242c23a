//! Whom the phones call: `sip:host[:port]`, `sip:user@host`, or plain `host[:port]`. Whoever is not on this machine is
//! called only when the one who asks says that it is his own.
//!
//! Invariant: a target that is not loopback and was not claimed is never sent a packet, not even a look-up of names.
use std::net::{IpAddr, SocketAddr, SocketAddrV4, ToSocketAddrs as _};

use crate::sip::{AddrSpec, DEFAULT_PORT};

/// A server to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name or address, as it was said.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user to call, if the target names one; else the scenario's numbers are dialled.
    pub user: Option<String>,
}

/// Why a target cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It is no `sip:` URI and no host.
    #[error("`{0}` is no target: say sip:host or sip:host:port")]
    Unreadable(String),
    /// TLS is not spoken by the phones.
    #[error("`{0}` wants TLS; the phones speak SIP over UDP")]
    Secure(String),
    /// It is somebody else's machine, for all we know.
    #[error(
        "{0} is not this machine. Thousands of calls are an attack on whoever did not ask for them: if the server is \
         yours to test, say --i-own-this-target"
    )]
    Strange(String),
    /// Its name leads nowhere.
    #[error("{host}: {source}")]
    Unknown {
        /// The name.
        host: String,
        /// What the resolver said.
        source: std::io::Error,
    },
    /// It has no address of IPv4.
    #[error("{0} has no address of IPv4, and the phones have no other")]
    NoIpv4(String),
}

impl Target {
    /// Reads what was said on the command line.
    ///
    /// # Errors
    /// When it is no target, or one of TLS.
    pub fn read(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        if text.len() >= 5 && text.is_char_boundary(5) && text[..5].eq_ignore_ascii_case("sips:") {
            return Err(TargetError::Secure(text.to_owned()));
        }
        let has_scheme =
            text.len() >= 4 && text.is_char_boundary(4) && text[..4].eq_ignore_ascii_case("sip:");
        let uri = if has_scheme { text.to_owned() } else { format!("sip:{text}") };
        let unreadable = || TargetError::Unreadable(text.to_owned());
        let uri = AddrSpec::parse(&uri).ok_or_else(unreadable)?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(unreadable)?;
        Ok(Self {
            host,
            port: uri.port().unwrap_or(DEFAULT_PORT),
            user: uri.user().filter(|u| !u.is_empty()),
        })
    }

    /// Whether it is this machine, as far as its name alone says.
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Its address. `owned`: the one who asks says that it is his.
    ///
    /// # Errors
    /// When it is not this machine and not claimed, or its name leads nowhere.
    pub fn address(&self, owned: bool) -> Result<SocketAddrV4, TargetError> {
        if !owned && !self.is_loopback() {
            return Err(TargetError::Strange(self.host.clone()));
        }
        let of = |source| TargetError::Unknown { host: self.host.clone(), source };
        let found = (self.host.as_str(), self.port).to_socket_addrs().map_err(of)?;
        let first = found.into_iter().find_map(|a| match a {
            SocketAddr::V4(v4) => Some(v4),
            SocketAddr::V6(_) => None,
        });
        let address = first.ok_or_else(|| TargetError::NoIpv4(self.host.clone()))?;
        // `localhost` is what the machine's own files say it is.
        if !owned && !address.ip().is_loopback() {
            return Err(TargetError::Strange(format!("{} ({})", self.host, address.ip())));
        }
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_with_and_without_its_scheme_port_and_user() {
        for (text, host, port, user) in [
            ("sip:127.0.0.1", "127.0.0.1", 5_060, None),
            ("sip:127.0.0.1:15060", "127.0.0.1", 15_060, None),
            ("127.0.0.1:5080", "127.0.0.1", 5_080, None),
            ("SIP:service@localhost", "localhost", 5_060, Some("service")),
            ("hotline.example", "hotline.example", 5_060, None),
        ] {
            let target = Target::read(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(
                (target.host.as_str(), target.port, target.user.as_deref()),
                (host, port, user),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for text in ["", "sip:", "sip:@", "sip:a b", "tel:95188"] {
            assert!(matches!(Target::read(text), Err(TargetError::Unreadable(_))), "{text}");
        }
        assert!(matches!(Target::read("sips:127.0.0.1"), Err(TargetError::Secure(_))));
    }

    #[test]
    fn a_stranger_is_refused_before_his_name_is_looked_up() {
        for text in ["sip:192.0.2.1", "sip:hotline.example", "sip:127.0.0.1.example.com", "sip:0.0.0.0"] {
            let refused = Target::read(text).unwrap().address(false);
            assert!(matches!(refused, Err(TargetError::Strange(_))), "{text}: {refused:?}");
        }
        assert_eq!(
            Target::read("sip:192.0.2.1").unwrap().address(true).unwrap(),
            "192.0.2.1:5060".parse().unwrap()
        );
    }

    #[test]
    fn loopback_is_called_without_a_word() {
        for text in ["sip:127.0.0.1", "sip:127.9.9.9:5061", "sip:localhost"] {
            assert!(Target::read(text).unwrap().address(false).unwrap().ip().is_loopback(), "{text}");
        }
    }
}
