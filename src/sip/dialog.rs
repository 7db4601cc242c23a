//! A dialog: the relation of two user agents, RFC 3261 section 12: identifier, route set, sequence numbers, target.
//!
//! Invariant: a request that is refused here (wrong tag, number out of order) leaves the dialog as it was.
//!
//! Where requests go: the first route, or the peer's Contact, as section 12.2.1.1 says, where that is an address or a
//! name that leads to one (`locate`). Where the name leads nowhere yet, or it is what a peer behind a NAT calls itself,
//! they go where its own messages came from.
use std::net::{IpAddr, SocketAddr};

use super::locate::HostWanted;
use super::message::{Method, Request, Response};
use super::name::HeaderName;
use super::transport::Destination;
use super::uri::AddrSpec;
use super::value::{CSeq, NameAddr};

/// The place of a request in the peer's sequence, section 12.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Higher than all before: to be handled.
    InOrder,
    /// Not higher than one before: 500.
    OutOfOrder,
}

/// How a peer was reached, and by which address it may know itself.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// What works.
    pub(crate) known: Destination,
    /// The address behind `known`, as the network shows it.
    pub(crate) address: Option<SocketAddr>,
    /// The host under which the peer appears in its own messages: the Via of its request, the URI that we called.
    pub(crate) own_host: Option<String>,
}

/// One dialog.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    call_id: String,
    /// Our From, tag included.
    local: String,
    /// Our To, tag included as far as there is one.
    remote: String,
    remote_tag: Option<String>,
    local_number: u32,
    remote_number: Option<u32>,
    remote_target: AddrSpec,
    route_set: Vec<NameAddr>,
    path: Path,
}

impl Dialog {
    /// The callee's side, section 12.1.1. `None` without a readable From or Contact.
    pub(crate) fn of_request(request: &Request, local_tag: &str, path: Path) -> Option<Self> {
        let from = request.from()?;
        let to = request.to()?.with_tag(local_tag);
        let remote_tag = from.tag().map(str::to_owned);
        Some(Self {
            call_id: request.call_id().to_owned(),
            local: to.to_string(),
            remote: from.to_string(),
            remote_tag,
            local_number: 0,
            remote_number: request.cseq().map(|c| c.number),
            // Peers of RFC 2543 may name none.
            remote_target: request.headers.contact().map_or_else(|| from.uri.clone(), |contact| contact.uri),
            route_set: request.headers.record_routes(),
            path,
        })
    }

    /// The caller's side, section 12.1.2. `None` without a readable To. A 2xx must name a Contact; where it does not,
    /// the URI that was called is the target, so that its ACK and its BYE can go out.
    pub(crate) fn of_response(request: &Request, response: &Response, path: Path) -> Option<Self> {
        let from = request.from()?;
        let to = response.to()?;
        let remote_tag = to.tag().map(str::to_owned);
        let mut route_set = response.headers.record_routes();
        route_set.reverse();
        Some(Self {
            call_id: request.call_id().to_owned(),
            local: from.to_string(),
            remote: to.to_string(),
            remote_tag,
            local_number: request.cseq().map_or(0, |c| c.number),
            remote_number: None,
            remote_target: response
                .headers
                .contact()
                .map_or_else(|| request.uri.clone(), |contact| contact.uri),
            route_set,
            path,
        })
    }

    /// The early dialog of the same fork, which this one follows: its numbers hold on, section 13.2.2.4.
    pub(crate) fn go_on_from(&mut self, early: &Self) {
        self.local_number = self.local_number.max(early.local_number);
        self.remote_number = early.remote_number;
    }

    /// The peer's tag.
    pub(crate) fn remote_tag(&self) -> Option<&str> {
        self.remote_tag.as_deref()
    }
    /// Whether `tag`, the From tag of a request, is the peer's.
    pub(crate) fn is_with(&self, tag: Option<&str>) -> bool {
        self.remote_tag.as_deref() == tag
    }

    /// Whether a request from this address can be the peer's: its messages come from there or go there, by its Contact
    /// or a route. Where one of those is a name, nobody can tell.
    pub(crate) fn may_come_from(&self, source: IpAddr) -> bool {
        let reached = match self.path.known {
            Destination::Datagram { to, .. } | Destination::Connect { to, .. } => Some(to.ip()),
            Destination::Stream { .. } => None,
        };
        let seen = self.path.address.map(|a| a.ip());
        let hosts = self.route_set.iter().map(|route| &route.uri).chain([&self.remote_target]);
        reached == Some(source)
            || seen == Some(source)
            || hosts.into_iter().any(|uri| uri.host_ip().is_none_or(|ip| ip == source))
    }

    /// Takes a request's number into the sequence, section 12.2.2.
    pub(crate) fn receive(&mut self, number: u32) -> Order {
        if self.remote_number.is_some_and(|last| number <= last) {
            return Order::OutOfOrder;
        }
        self.remote_number = Some(number);
        Order::InOrder
    }

    /// A re-INVITE or UPDATE, or its 2xx, moves the peer's target, sections 12.2.1.2 and 12.2.2.
    pub(crate) fn refresh_target(&mut self, contact: Option<NameAddr>) {
        if let Some(contact) = contact {
            self.remote_target = contact.uri;
        }
    }

    /// The messages of this peer come from elsewhere now.
    pub(crate) fn refresh_path(&mut self, path: Path) {
        self.path = path;
    }

    /// A new request within the dialog, section 12.2.1.1, without Via and Contact.
    pub(crate) fn request(&mut self, method: Method) -> Request {
        self.local_number = self.local_number.saturating_add(1);
        self.numbered(method, self.local_number)
    }

    /// The ACK to a 2xx of the INVITE with this number, section 13.2.2.4.
    pub(crate) fn ack(&self, number: u32) -> Request {
        self.numbered(Method::Ack, number)
    }

    /// A request of ours, sent before outside of this object, used this number.
    pub(crate) fn used(&mut self, number: u32) {
        self.local_number = self.local_number.max(number);
    }

    fn numbered(&self, method: Method, number: u32) -> Request {
        let (uri, routes) = self.request_uri_and_routes();
        let mut request = Request::new(method, uri);
        for route in routes {
            request.headers.push(HeaderName::Route, route.to_string());
        }
        request
            .with(HeaderName::MaxForwards, "70")
            .with(HeaderName::From, self.local.clone())
            .with(HeaderName::To, self.remote.clone())
            .with(HeaderName::CallId, self.call_id.clone())
            .with(HeaderName::CSeq, CSeq { number, method }.to_string())
    }

    /// Loose routing keeps the target as request URI; a strict router wants to be the request URI itself, with the
    /// target at the end of the routes.
    fn request_uri_and_routes(&self) -> (AddrSpec, Vec<NameAddr>) {
        match self.route_set.split_first() {
            Some((first, rest)) if first.uri.param("lr").is_none() => {
                let target = NameAddr::new(self.remote_target.clone());
                let routes = rest.iter().cloned().chain([target]).collect();
                (first.uri.clone(), routes)
            }
            Some(_) => (self.remote_target.clone(), self.route_set.clone()),
            None => (self.remote_target.clone(), Vec::new()),
        }
    }

    fn next_hop(&self) -> &AddrSpec {
        self.route_set.first().map_or(&self.remote_target, |route| &route.uri)
    }
    /// Where the next request goes.
    pub(crate) fn destination(&self) -> Destination {
        self.path.toward(self.next_hop())
    }
    /// The name of the next hop, if it has to be looked up: not where a connection is the way, nor where the peer calls
    /// itself by that name, for then its messages show the way.
    pub(crate) fn name_of_next_hop(&self) -> Option<HostWanted> {
        let uri = self.next_hop();
        let is_own = || self.path.own_host.is_some() && self.path.own_host == uri.host();
        match self.path.known {
            Destination::Stream { .. } => None,
            Destination::Datagram { .. } | Destination::Connect { .. }
                if uri.host_ip().is_some() || is_own() =>
            {
                None
            }
            Destination::Datagram { .. } | Destination::Connect { .. } => HostWanted::of_uri(uri),
        }
    }
    /// The address to connect to when the connection of `destination` is gone.
    pub(crate) fn reconnect_to(&self) -> Option<SocketAddr> {
        address_of(self.next_hop()).or(self.path.address)
    }
}

impl Path {
    /// To the next hop `uri`, as far as it can be reached by what it says.
    fn toward(&self, uri: &AddrSpec) -> Destination {
        let Some(ip) = uri.host_ip().filter(|ip| !ip.is_unspecified()) else { return self.known };
        let hidden = self.own_host.as_deref().is_some_and(|own| uri.host().as_deref() == Some(own))
            && self.address.is_none_or(|seen| seen.ip() != ip);
        let to = SocketAddr::new(ip, uri.port_or_default());
        match self.known {
            Destination::Datagram { listener, .. } if !hidden => Destination::Datagram { listener, to },
            Destination::Connect { listener, .. } if !hidden => Destination::Connect { listener, to },
            // A connection is a flow that works, whatever the peer calls itself.
            Destination::Datagram { .. } | Destination::Connect { .. } | Destination::Stream { .. } => {
                self.known
            }
        }
    }
}

/// The address that a URI names, where it names one.
pub(crate) fn address_of(uri: &AddrSpec) -> Option<SocketAddr> {
    let ip = uri.host_ip().filter(|ip| !ip.is_unspecified())?;
    Some(SocketAddr::new(ip, uri.port_or_default()))
}
