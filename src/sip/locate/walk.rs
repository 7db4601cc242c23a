//! Where a request for a host may go, RFC 3263 section 4, as far as the cache knows: the transport (4.1), the port and
//! the addresses (4.2), all of them in the order in which they are to be tried (4.3).
//!
//! Invariant: a walk asks nothing and changes nothing; what it would still have to know is in `needs`.
use std::net::{IpAddr, SocketAddr};

use super::cache::Cache;
use super::draw::draw;
use super::record::{DnsQuestion, DnsRecords, Naptr, RecordKind, Srv, host_name};
use super::{HostWanted, Target, Transport, Ways};
use crate::base::{Instant, Rng};

/// NAPTR records looked at; a domain has one for each transport.
const NAPTRS: usize = 8;
/// SRV records looked at of one name.
const SRVS: usize = 16;
/// Addresses taken of one name.
const ADDRESSES: usize = 8;
/// Targets handed out: nobody tries more for one request.
pub(super) const TARGETS: usize = 16;

/// How far the cache leads.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// In the order in which they are to be tried.
    pub(super) targets: Vec<Target>,
    /// Questions without an answer, or with one that is too old.
    pub(super) needs: Vec<DnsQuestion>,
    /// One of them has no answer at all, so that `targets` may not be the best.
    pub(super) blocked: bool,
    /// An answer used is old, and nobody wanted to renew it.
    pub(super) failed: bool,
    /// When the first of the answers used ends.
    pub(super) until: Option<Instant>,
}

/// What a walk looks at.
pub(super) struct Walk<'a> {
    pub(super) now: Instant,
    pub(super) cache: &'a Cache,
    pub(super) ways: &'a Ways,
    pub(super) rng: &'a mut Rng,
    pub(super) walked: Walked,
}

/// What is known of a question.
enum Found<'a> {
    /// Nobody was asked yet.
    Open,
    /// There is nothing.
    Nothing,
    /// Records.
    Records(&'a DnsRecords),
}

impl<'a> Walk<'a> {
    /// From the host to its targets.
    pub(super) fn run(mut self, wanted: &HostWanted) -> Walked {
        let secure = wanted.secure;
        let fallback = if secure { Transport::Tls } else { Transport::Udp };
        if let Some(ip) = numeric(&wanted.host) {
            let transport = wanted.transport.unwrap_or(fallback);
            let port = wanted.port.unwrap_or(transport.default_port());
            self.add(transport, SocketAddr::new(ip, port));
            return self.walked;
        }
        let Some(host) = host_name(&wanted.host) else { return self.walked };
        match (wanted.port, wanted.transport) {
            (Some(port), transport) => self.addresses(&host, transport.unwrap_or(fallback), port),
            (None, Some(transport)) => {
                if !self.service(&service_name(transport, secure, &host), transport) {
                    self.addresses(&host, transport, transport.default_port());
                }
            }
            (None, None) => {
                if !self.by_naptr(&host, secure) && !self.by_srv(&host, secure) {
                    self.addresses(&host, fallback, fallback.default_port());
                }
            }
        }
        self.walked
    }

    /// Section 4.1: what the domain's NAPTR records offer. `false`: nothing that we speak.
    fn by_naptr(&mut self, host: &str, secure: bool) -> bool {
        let records = match self.ask(host, RecordKind::Naptr) {
            Found::Open => return true,
            Found::Records(DnsRecords::Naptr(records)) => records,
            Found::Records(DnsRecords::Srv(_) | DnsRecords::Addresses(_)) | Found::Nothing => return false,
        };
        let mut usable: Vec<(&Naptr, Transport)> = records
            .iter()
            .filter(|r| r.flags.eq_ignore_ascii_case("s"))
            .filter_map(|r| Some((r, offered(&r.service, secure)?)))
            .filter(|(_, transport)| self.ways.speaks(*transport))
            .collect();
        usable.sort_by_key(|(r, _)| (r.order, r.preference));
        // Once one fits, those of another order are not looked at.
        let order = usable.first().map(|(r, _)| r.order);
        usable.retain(|(r, _)| Some(r.order) == order);
        usable.truncate(NAPTRS);
        let mut any = false;
        for (record, transport) in usable {
            any |= host_name(&record.replacement).is_some_and(|name| self.service(&name, transport));
        }
        any
    }

    /// Section 4.1: without NAPTR, the transports whose SRV records exist.
    fn by_srv(&mut self, host: &str, secure: bool) -> bool {
        let all: &[Transport] = if secure { &[Transport::Tls] } else { &[Transport::Udp, Transport::Tcp] };
        let mut any = false;
        for transport in all {
            if self.ways.speaks(*transport) {
                any |= self.service(&service_name(*transport, secure, host), *transport);
            }
        }
        any
    }

    /// The hosts of a service. `false`: there are no such records; `true` also for a service that is decidedly absent,
    /// and for one that we do not know of yet.
    fn service(&mut self, name: &str, transport: Transport) -> bool {
        let records: &[Srv] = match self.ask(name, RecordKind::Srv) {
            Found::Open => return true,
            Found::Records(DnsRecords::Srv(records)) => records.get(..SRVS).unwrap_or(records),
            Found::Records(DnsRecords::Naptr(_) | DnsRecords::Addresses(_)) | Found::Nothing => return false,
        };
        for record in draw(records, self.rng) {
            // A target "." says that the service is decidedly not there: nothing follows, and nothing else is tried.
            if let Some(host) = host_name(&record.target) {
                self.addresses(&host, transport, record.port);
            } else if let Some(ip) = numeric(&record.target) {
                self.add(transport, SocketAddr::new(ip, record.port));
            }
        }
        !records.is_empty()
    }

    /// Section 4.2: the addresses of a host, of the families that we speak.
    fn addresses(&mut self, host: &str, transport: Transport, port: u16) {
        // RFC 6724 and 7984: where both ends have both, version 6 comes first.
        for (kind, v4) in [(RecordKind::Aaaa, false), (RecordKind::A, true)] {
            if !self.ways.reaches(transport, v4) {
                continue;
            }
            if let Found::Records(DnsRecords::Addresses(all)) = self.ask(host, kind) {
                for ip in all.iter().filter(|ip| ip.is_ipv4() == v4).take(ADDRESSES) {
                    self.add(transport, SocketAddr::new(*ip, port));
                }
            }
        }
    }

    fn add(&mut self, transport: Transport, address: SocketAddr) {
        let target = Target { transport, address };
        let good = !address.ip().is_unspecified() && address.port() != 0 && !address.ip().is_multicast();
        let reached = self.ways.reaches(transport, address.is_ipv4());
        let targets = &mut self.walked.targets;
        if good && reached && targets.len() < TARGETS && !targets.contains(&target) {
            targets.push(target);
        }
    }

    fn ask(&mut self, name: &str, kind: RecordKind) -> Found<'a> {
        let question = DnsQuestion { name: name.to_owned(), kind };
        let Some(known) = self.cache.get(self.now, &question) else {
            self.walked.blocked = true;
            self.walked.needs.push(question);
            return Found::Open;
        };
        self.walked.failed |= known.failed;
        if known.stale {
            self.walked.needs.push(question);
        }
        self.walked.until = Some(self.walked.until.map_or(known.until, |u| u.min(known.until)));
        known.records.map_or(Found::Nothing, Found::Records)
    }
}

/// An address written as a host, with or without the brackets of a URI.
fn numeric(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// The name of the SRV records of a transport, RFC 3263 section 4.2.
fn service_name(transport: Transport, secure: bool, host: &str) -> String {
    let service = if secure || transport == Transport::Tls { "_sips" } else { "_sip" };
    let protocol = match transport {
        Transport::Udp => "_udp",
        Transport::Tcp | Transport::Tls => "_tcp",
    };
    format!("{service}.{protocol}.{host}")
}

/// The transport behind a NAPTR service; `None`: not SIP, or not secure enough for a `sips:` URI.
fn offered(service: &str, secure: bool) -> Option<Transport> {
    let is = |name: &str| service.eq_ignore_ascii_case(name);
    match (is("SIPS+D2T"), is("SIP+D2U"), is("SIP+D2T")) {
        (true, _, _) => Some(Transport::Tls),
        (_, true, _) if !secure => Some(Transport::Udp),
        (_, _, true) if !secure => Some(Transport::Tcp),
        (false, _, _) => None,
    }
}
