//! SDP text and its typed view, RFC 8866. The only file that names `sdp_types`.
//!
//! Invariant: whatever a real peer sends is read; what cannot be used is typed as such ([`Address::Name`],
//! [`Address::Missing`]), not refused. A body is refused only when its media lines make no sense, or for its size.
use std::net::IpAddr;

use crate::base::limits::{SDP_BYTES, SDP_FORMATS, SDP_MEDIA};
use crate::sdp::crypto::CryptoText;

/// Why a body is no session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// More bytes or media lines than we read.
    #[error("the body is longer than we read")]
    TooLong,
    /// Not version 0 of the protocol, or a media line that makes no sense.
    #[error("the body is not SDP")]
    Malformed,
}

/// Which way sound flows, seen from whoever says it (RFC 3264 section 5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways: also what silence on the matter means.
    #[default]
    SendRecv,
    /// The speaker sends only.
    SendOnly,
    /// The speaker receives only.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// From its two halves.
    pub const fn from_halves(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }
    /// The speaker sends.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }
    /// The speaker receives.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
    /// The attribute's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
    fn from_name(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|d| d.as_str() == name)
    }
}

/// Where a party expects media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address; `0.0.0.0` and `::` are the old form of hold.
    Ip(IpAddr),
    /// A host name: we look none up for media.
    Name(String),
    /// No `c=` line applies.
    Missing,
}

/// One format of a media line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The RTP payload type.
    pub payload_type: u8,
    /// The encoding's name in upper case; empty when neither an `rtpmap` nor RFC 3551 names it.
    pub encoding: String,
    /// Timestamp clock, in Hz; 0 when unknown.
    pub clock_hz: u32,
    /// Audio channels.
    pub channels: u8,
    /// The `fmtp` parameters.
    pub parameters: Option<String>,
}

/// One media description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `image`, …, in lower case.
    pub kind: String,
    /// The port; 0 refuses or ends the media.
    pub port: u16,
    /// The transport protocol as written, e.g. `RTP/AVP`.
    pub protocol: String,
    /// The formats as written.
    pub format_text: String,
    /// The formats that are RTP payload types, in order of preference.
    pub formats: Vec<Format>,
    /// The address of the media, or else of the session.
    pub address: Address,
    /// The direction of the media, or else of the session.
    pub direction: Direction,
    /// The packet length that the speaker wants to receive, in milliseconds.
    pub ptime_ms: Option<u32>,
    /// The longest packet that the speaker can receive, in milliseconds.
    pub maxptime_ms: Option<u32>,
    /// The port of `a=rtcp` (RFC 3605), if given.
    pub rtcp_port: Option<u16>,
    /// RTCP over the RTP port is offered or agreed (`a=rtcp-mux`, RFC 5761).
    pub rtcp_mux: bool,
    /// The values of `a=crypto`, as text.
    pub crypto: Vec<CryptoText>,
}

/// A session description as far as calls need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// `o=`: the session's number, as text.
    pub session_id: String,
    /// `o=`: the version, which grows by one with each change.
    pub version: u64,
    /// `o=`: the host that made it, as text.
    pub origin: String,
    /// The media, in order.
    pub media: Vec<Media>,
}

impl Description {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Result<Self, SdpError> {
        if body.len() > SDP_BYTES {
            return Err(SdpError::TooLong);
        }
        let clean = clean(&String::from_utf8_lossy(body))?;
        let session = sdp_types::Session::parse(clean.as_bytes()).map_err(|_| SdpError::Malformed)?;
        if session.medias.len() > SDP_MEDIA {
            return Err(SdpError::TooLong);
        }
        let address = session.connection.as_ref().map_or(Address::Missing, read_address);
        let direction = read_direction(&session.attributes);
        let media = session.medias.iter().map(|m| read_media(m, &address, direction)).collect();
        Ok(Self {
            session_id: session.origin.sess_id,
            version: session.origin.sess_version,
            origin: session.origin.unicast_address,
            media,
        })
    }

    /// As text, with CRLF line ends.
    pub fn text(&self) -> String {
        let session = sdp_types::Session {
            origin: self.origin_line(),
            session_name: "-".into(),
            session_description: None,
            uri: None,
            emails: Vec::new(),
            phones: Vec::new(),
            connection: self.host().map(sdp_types::Connection::from_ip_addr),
            bandwidths: Vec::new(),
            times: vec![sdp_types::Time::new(0, 0)],
            time_zones: Vec::new(),
            key: None,
            attributes: Vec::new(),
            medias: self.media.iter().map(|m| write_media(m, self.host())).collect(),
        };
        let mut text = Vec::with_capacity(512);
        // Writing to memory does not fail; were it to, an empty body would be refused by the far side.
        match session.write(&mut text) {
            Ok(()) => String::from_utf8(text).unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// The session's own address, which is also written as the `c=` line that holds for every media.
    fn host(&self) -> Option<IpAddr> {
        self.origin.parse().ok()
    }

    fn origin_line(&self) -> sdp_types::Origin {
        let is_v6 = self.host().is_some_and(|ip| ip.is_ipv6());
        let kind = if is_v6 { sdp_types::AddrType::Ip6 } else { sdp_types::AddrType::Ip4 };
        let net = sdp_types::NetType::In;
        sdp_types::Origin::new(&self.session_id, self.version, net, kind, &self.origin)
    }
}

/// Keeps the lines that are read here, each in the shape that the parser wants: what phones do to SDP is undone in
/// this one place (bare line feeds, spaces at the ends, capital letters, a missing or doubled line, odd numbers).
fn clean(body: &str) -> Result<String, SdpError> {
    let mut text = String::from("v=0\r\n");
    let (mut has_version, mut media) = (false, 0usize);
    let mut seen_in_session = (false, false);
    for line in body.split(['\n', '\r']).map(|l| l.trim_matches([' ', '\t', '\0'])) {
        let Some((kind, value)) = line.split_once('=') else { continue };
        let kind = kind.trim().to_ascii_lowercase();
        // First of all: spaces that only a control character hides are spaces at an end too.
        let value: String = value.chars().filter(|c| *c == '\t' || !c.is_control()).collect();
        let value = value.trim().to_owned();
        let in_session = media == 0;
        let line = match kind.as_str() {
            "v" => {
                has_version = true;
                if value == "0" { None } else { return Err(SdpError::Malformed) }
            }
            "o" if in_session && !seen_in_session.0 => {
                seen_in_session.0 = true;
                clean_origin(&value)
            }
            "c" if !in_session || !seen_in_session.1 => {
                seen_in_session.1 |= in_session;
                clean_fields(&value, 3)
            }
            "m" => {
                media += 1;
                Some(clean_media(&value))
            }
            "a" if !value.is_empty() => Some(value),
            _ => None,
        };
        if let Some(value) = line {
            text.extend([kind.as_str(), "=", &value, "\r\n"]);
        }
    }
    if has_version || media > 0 { Ok(text) } else { Err(SdpError::Malformed) }
}

fn clean_fields(value: &str, wanted: usize) -> Option<String> {
    let fields: Vec<&str> = value.split_ascii_whitespace().take(wanted).collect();
    (fields.len() == wanted).then(|| fields.join(" "))
}

fn clean_origin(value: &str) -> Option<String> {
    let fields: Vec<&str> = value.split_ascii_whitespace().collect();
    let [user, id, version, net, kind, host, ..] = *fields.as_slice() else { return None };
    let is_number = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
    let version = version.parse::<u64>().unwrap_or(if is_number { u64::MAX } else { 0 });
    Some(format!("{user} {id} {version} {net} {kind} {host}"))
}

fn clean_media(value: &str) -> String {
    let fields: Vec<&str> = value.split_ascii_whitespace().collect();
    let formats = if fields.len() == 3 { " 0" } else { "" };
    format!("{}{formats}", fields.join(" "))
}

fn read_address(connection: &sdp_types::Connection) -> Address {
    let text = connection.connection_address.as_str();
    let host = text.split('/').next().unwrap_or(text).trim_matches(['[', ']']);
    match host.parse::<IpAddr>() {
        Ok(ip) => Address::Ip(ip.to_canonical()),
        Err(_) => Address::Name(host.to_owned()),
    }
}

/// An attribute's name in lower case and its value without surrounding spaces.
fn named(attribute: &sdp_types::Attribute) -> (String, &str) {
    let name = attribute.attribute.trim().to_ascii_lowercase();
    (name, attribute.value.as_deref().unwrap_or("").trim())
}

fn values<'a>(attributes: &'a [sdp_types::Attribute], wanted: &str) -> impl Iterator<Item = &'a str> {
    attributes.iter().filter(move |a| a.attribute.trim().eq_ignore_ascii_case(wanted)).map(|a| named(a).1)
}

fn read_direction(attributes: &[sdp_types::Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|a| Direction::from_name(&named(a).0))
}

fn read_media(media: &sdp_types::Media, address: &Address, direction: Option<Direction>) -> Media {
    let attributes = media.attributes.as_slice();
    let milliseconds = |name| values(attributes, name).find_map(leading_number);
    let formats = media.fmt.split_ascii_whitespace().take(SDP_FORMATS);
    Media {
        kind: media.media.to_ascii_lowercase(),
        port: media.port,
        protocol: media.proto.clone(),
        format_text: media.fmt.clone(),
        formats: formats.filter_map(|f| read_format(f, attributes)).collect(),
        address: media.connections.first().map_or_else(|| address.clone(), read_address),
        direction: read_direction(attributes).or(direction).unwrap_or_default(),
        ptime_ms: milliseconds("ptime"),
        maxptime_ms: milliseconds("maxptime"),
        rtcp_port: values(attributes, "rtcp").find_map(leading_number).and_then(|p| u16::try_from(p).ok()),
        rtcp_mux: values(attributes, "rtcp-mux").next().is_some(),
        crypto: values(attributes, "crypto").map(|v| CryptoText(v.to_owned())).collect(),
    }
}

fn leading_number(value: &str) -> Option<u32> {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    value.get(..digits)?.parse().ok()
}

fn read_format(text: &str, attributes: &[sdp_types::Attribute]) -> Option<Format> {
    let payload_type = text.parse().ok().filter(|p| *p < 128)?;
    let about = |name| {
        values(attributes, name).find_map(move |value| {
            let (number, rest) = value.split_once(|c: char| c.is_ascii_whitespace())?;
            (number.parse() == Ok(payload_type)).then(|| rest.trim())
        })
    };
    let (encoding, clock_hz, channels) = match about("rtpmap") {
        Some(map) => read_map(map),
        None => static_map(payload_type),
    };
    let parameters = about("fmtp").map(str::to_owned);
    Some(Format { payload_type, encoding, clock_hz, channels, parameters })
}

fn read_map(map: &str) -> (String, u32, u8) {
    let mut parts = map.split('/').map(str::trim);
    let encoding = parts.next().unwrap_or("").to_ascii_uppercase();
    let clock_hz = parts.next().and_then(leading_number).unwrap_or(0);
    let channels = parts.next().and_then(leading_number).and_then(|n| u8::try_from(n).ok()).unwrap_or(1);
    (encoding, clock_hz, channels)
}

/// The payload types that RFC 3551 table 4 names, as far as we have a codec.
fn static_map(payload_type: u8) -> (String, u32, u8) {
    match payload_type {
        0 => ("PCMU".into(), 8_000, 1),
        8 => ("PCMA".into(), 8_000, 1),
        9 => ("G722".into(), 8_000, 1),
        13 => ("CN".into(), 8_000, 1),
        _ => (String::new(), 0, 1),
    }
}

fn write_media(media: &Media, host: Option<IpAddr>) -> sdp_types::Media {
    let mut attributes = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        attributes.push(sdp_types::Attribute { attribute: name.into(), value });
    };
    if media.port != 0 {
        for f in &media.formats {
            add(
                "rtpmap",
                Some(format!("{} {}/{}", f.payload_type, written_encoding(&f.encoding), f.clock_hz)),
            );
            if let Some(parameters) = &f.parameters {
                add("fmtp", Some(format!("{} {parameters}", f.payload_type)));
            }
        }
        media.ptime_ms.into_iter().for_each(|ms| add("ptime", Some(ms.to_string())));
        media.maxptime_ms.into_iter().for_each(|ms| add("maxptime", Some(ms.to_string())));
        media.rtcp_port.into_iter().for_each(|port| add("rtcp", Some(port.to_string())));
        if media.rtcp_mux {
            add("rtcp-mux", None);
        }
        media.crypto.iter().for_each(|c| add("crypto", Some(c.0.clone())));
        add(media.direction.as_str(), None);
    }
    let connections = match &media.address {
        Address::Ip(ip) if Some(*ip) != host => vec![sdp_types::Connection::from_ip_addr(*ip)],
        Address::Ip(_) | Address::Name(_) | Address::Missing => Vec::new(),
    };
    sdp_types::Media {
        media: media.kind.clone(),
        port: media.port,
        num_ports: None,
        proto: media.protocol.clone(),
        fmt: media.format_text.clone(),
        media_title: None,
        connections,
        bandwidths: Vec::new(),
        key: None,
        attributes,
    }
}

/// `telephone-event` is written small everywhere; peers that compare bytes exist.
fn written_encoding(encoding: &str) -> &str {
    if encoding == "TELEPHONE-EVENT" { "telephone-event" } else { encoding }
}
