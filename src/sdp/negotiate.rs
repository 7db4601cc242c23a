//! Offer and answer, RFC 3264, as pure functions.
//!
//! Invariant: an answer has the offer's media lines in the offer's order, and of them at most one audio line is taken;
//! a later offer of ours keeps the count of lines and the `o=` session number, and raises the version by one when
//! anything changed (section 8).
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::sdp::session::{Address, Description, Direction, Format, Media, SdpError};

/// The payload type under which we offer telephone-events.
const EVENT_PAYLOAD_TYPE: u8 = 101;
/// The events that we take: the keys, and flash, which peers expect to see here and which we ignore.
const EVENTS: &str = "0-16";
/// The ports below are no place for media.
const LOWEST_PORT: u16 = 1_024;

/// The codecs that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodecName {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl CodecName {
    const fn encoding(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }
    const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }
    fn names(self, format: &Format) -> bool {
        format.encoding == self.encoding() && format.clock_hz == 8_000 && format.channels == 1
    }
}

/// What we can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// In our order of preference. In an answer ours goes first, so that two legs of a call meet in one codec and
    /// are relayed.
    pub codecs: Vec<CodecName>,
    /// Whether keys may come by RFC 4733.
    pub telephone_event: bool,
    /// The packet length that we like, to be used where the peer names none.
    pub ptime: Duration,
}

/// Our side of one dialog's SDP. The caller keeps it and stores in `before` what it sent last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// Where we expect RTP, as the peer must see it.
    pub rtp: SocketAddr,
    /// The port on which we expect RTCP.
    pub rtcp_port: u16,
    /// The number of `o=`, the same for the whole dialog.
    pub session_id: u64,
    /// The description that we sent last in this dialog, offer or answer.
    pub before: Option<Description>,
}

/// An offer of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdpOffer(pub Description);

/// An answer of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdpAnswer(pub Description);

impl SdpOffer {
    /// The body.
    pub fn text(&self) -> String {
        self.0.text()
    }
}

impl SdpAnswer {
    /// The body.
    pub fn text(&self) -> String {
        self.0.text()
    }
}

/// What offer and answer agreed, as media needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Where to send RTP; unspecified while the peer holds us in the old form.
    pub remote_rtp: SocketAddr,
    /// Where to send RTCP.
    pub remote_rtcp: SocketAddr,
    /// The codec.
    pub codec: CodecName,
    /// The payload type under which the peer sends it.
    pub payload_in: u8,
    /// The payload type under which we send it.
    pub payload_out: u8,
    /// The payload type of the peer's telephone-events.
    pub event_in: Option<u8>,
    /// The payload type of ours.
    pub event_out: Option<u8>,
    /// How much sound a packet of ours carries, 10-60 ms in steps of 10.
    pub ptime: Duration,
    /// We may send sound.
    pub we_send: bool,
    /// We may expect sound.
    pub we_receive: bool,
    /// The peer put us on hold: by direction, or by the address `0.0.0.0`.
    pub peer_holds_us: bool,
}

/// Why there is no agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The body cannot be read: 400.
    #[error("the session description cannot be read")]
    Unreadable(#[from] SdpError),
    /// No audio line over plain RTP that is open: 488.
    #[error("no open audio line over RTP/AVP")]
    NoAudio,
    /// No codec in common: 488.
    #[error("no codec in common")]
    NoCommonCodec,
    /// Media to a multicast, broadcast or otherwise hostile address or port: 488.
    #[error("media would go to a hostile address")]
    HostileAddress,
    /// A host name, no address at all, or one of the other IP family: 488.
    #[error("media has no address that we can reach")]
    UnusableAddress,
    /// An answer that does not fit our offer.
    #[error("the answer does not fit the offer")]
    NotAnAnswer,
}

/// Our offer: the first of a dialog, or a later one (re-INVITE), which keeps its media lines and payload types.
pub fn offer(local: &Local, capabilities: &Capabilities, direction: Direction) -> SdpOffer {
    let before = local.before.as_ref().and_then(audio_of);
    let number = |wanted: &dyn Fn(&Format) -> bool, otherwise: u8| {
        before.and_then(|m| m.formats.iter().find(|f| wanted(f))).map_or(otherwise, |f| f.payload_type)
    };
    let codec = |c: &CodecName| codec_format(*c, number(&|f| c.names(f), c.payload_type()));
    let mut formats: Vec<Format> = capabilities.codecs.iter().map(codec).collect();
    if capabilities.telephone_event {
        formats.push(event_format(number(&is_event, EVENT_PAYLOAD_TYPE)));
    }
    let audio = audio_line(local, capabilities, formats, direction);
    let media = match &local.before {
        None => vec![audio],
        Some(before) => with_audio_at(before, position_of_audio(before), audio),
    };
    SdpOffer(described(local, media))
}

/// Our answer to a peer's offer, with `wish` as the direction that we would like.
pub fn answer(
    offer: &[u8],
    capabilities: &Capabilities,
    local: &Local,
    wish: Direction,
) -> Result<(SdpAnswer, Agreed), Refusal> {
    let offer = Description::read(offer)?;
    let (position, chosen) = choose(&offer, capabilities, local)?;
    let theirs = &chosen.media;
    let holds = is_hold_address(&theirs.address);
    let we_send = wish.sends() && theirs.direction.receives() && !holds;
    let we_receive = wish.receives() && theirs.direction.sends();
    let mut formats = vec![codec_format(chosen.codec, chosen.payload_type)];
    let event = event_of(theirs).filter(|_| capabilities.telephone_event);
    formats.extend(event.map(event_format));
    let line = audio_line(local, capabilities, formats, Direction::from_halves(we_send, we_receive));
    let line = Media { protocol: theirs.protocol.clone(), ..line };
    let agreed = Agreed {
        remote_rtp: chosen.rtp,
        remote_rtcp: rtcp_of(theirs, chosen.rtp),
        codec: chosen.codec,
        payload_in: chosen.payload_type,
        payload_out: chosen.payload_type,
        event_in: event,
        event_out: event,
        ptime: packet_time(theirs, capabilities.ptime),
        we_send,
        we_receive,
        peer_holds_us: holds || !theirs.direction.receives(),
    };
    Ok((SdpAnswer(described(local, with_audio_at(&offer, position, line))), agreed))
}

/// What a peer's answer to our offer comes to.
pub fn accept_answer(offer: &SdpOffer, answer: &[u8], ptime: Duration) -> Result<Agreed, Refusal> {
    let answer = Description::read(answer)?;
    let position = position_of_audio(&offer.0);
    let ours = offer.0.media.get(position).ok_or(Refusal::NotAnAnswer)?;
    let theirs = answer.media.get(position).filter(|m| m.kind == "audio").ok_or(Refusal::NotAnAnswer)?;
    if theirs.port == 0 {
        return Err(Refusal::NoAudio);
    }
    let family = match &ours.address {
        Address::Ip(ip) => *ip,
        Address::Name(_) | Address::Missing => return Err(Refusal::NotAnAnswer),
    };
    let rtp = usable_address(theirs, family)?;
    let (codec, payload_in, payload_out) = common_codec(ours, theirs).ok_or(Refusal::NoCommonCodec)?;
    let events = event_of(ours).zip(event_of(theirs));
    let peer_receives = theirs.direction.receives() && !is_hold_address(&theirs.address);
    Ok(Agreed {
        remote_rtp: rtp,
        remote_rtcp: rtcp_of(theirs, rtp),
        codec,
        payload_in,
        payload_out,
        event_in: events.map(|(ours, _)| ours),
        event_out: events.map(|(_, theirs)| theirs),
        ptime: packet_time(theirs, ptime),
        we_send: ours.direction.sends() && peer_receives,
        we_receive: ours.direction.receives() && theirs.direction.sends(),
        peer_holds_us: ours.direction.sends() && !peer_receives,
    })
}

/// The audio line of an offer that we take.
struct Chosen {
    media: Media,
    codec: CodecName,
    payload_type: u8,
    rtp: SocketAddr,
}

/// The first audio line that can be taken; else why the first audio line cannot.
fn choose(
    offer: &Description,
    capabilities: &Capabilities,
    local: &Local,
) -> Result<(usize, Chosen), Refusal> {
    let mut refusal = None;
    for (position, media) in offer.media.iter().enumerate() {
        if media.kind != "audio" || media.port == 0 || !media.protocol.eq_ignore_ascii_case("RTP/AVP") {
            continue;
        }
        match take(media, capabilities, local) {
            Ok(chosen) => return Ok((position, chosen)),
            Err(why) => refusal = refusal.or(Some(why)),
        }
    }
    Err(refusal.unwrap_or(Refusal::NoAudio))
}

fn take(media: &Media, capabilities: &Capabilities, local: &Local) -> Result<Chosen, Refusal> {
    let rtp = usable_address(media, local.rtp.ip())?;
    let named =
        |codec: &CodecName| media.formats.iter().find(|f| codec.names(f)).map(|f| (*codec, f.payload_type));
    let (codec, payload_type) = capabilities.codecs.iter().find_map(named).ok_or(Refusal::NoCommonCodec)?;
    Ok(Chosen { media: media.clone(), codec, payload_type, rtp })
}

/// The peer's first codec that we offered, with our number and its number.
fn common_codec(ours: &Media, theirs: &Media) -> Option<(CodecName, u8, u8)> {
    theirs.formats.iter().find_map(|f| {
        let codec = [CodecName::Pcmu, CodecName::Pcma].into_iter().find(|c| c.names(f))?;
        let offered = ours.formats.iter().find(|o| codec.names(o))?;
        Some((codec, offered.payload_type, f.payload_type))
    })
}

fn usable_address(media: &Media, local: IpAddr) -> Result<SocketAddr, Refusal> {
    let Address::Ip(ip) = media.address else { return Err(Refusal::UnusableAddress) };
    let broadcast =
        matches!(ip, IpAddr::V4(v4) if v4.is_broadcast() || (v4.octets()[0] == 0 && !v4.is_unspecified()));
    if ip.is_multicast() || broadcast || media.port < LOWEST_PORT {
        return Err(Refusal::HostileAddress);
    }
    if ip.is_ipv4() != local.to_canonical().is_ipv4() && !ip.is_unspecified() {
        return Err(Refusal::UnusableAddress);
    }
    Ok(SocketAddr::new(ip, media.port))
}

fn is_hold_address(address: &Address) -> bool {
    matches!(address, Address::Ip(ip) if ip.is_unspecified())
}

/// The port of `a=rtcp`, else the next one up; always at the host of the media, so that nobody can point our reports
/// at another.
fn rtcp_of(media: &Media, rtp: SocketAddr) -> SocketAddr {
    let next = rtp.port().checked_add(1).unwrap_or(rtp.port());
    SocketAddr::new(rtp.ip(), media.rtcp_port.filter(|p| *p >= LOWEST_PORT).unwrap_or(next))
}

fn packet_time(theirs: &Media, ours: Duration) -> Duration {
    let ours_ms = u32::try_from(ours.as_millis()).unwrap_or(20);
    let wanted = theirs.ptime_ms.filter(|ms| *ms > 0).unwrap_or(ours_ms);
    let most = theirs.maxptime_ms.filter(|ms| *ms > 0).unwrap_or(60);
    let ms = wanted.min(most).clamp(10, 60) / 10 * 10;
    Duration::from_millis(u64::from(ms))
}

fn is_event(format: &Format) -> bool {
    format.encoding == "TELEPHONE-EVENT" && format.clock_hz == 8_000
}

fn event_of(media: &Media) -> Option<u8> {
    media.formats.iter().find(|f| is_event(f)).map(|f| f.payload_type)
}

fn codec_format(codec: CodecName, payload_type: u8) -> Format {
    let encoding = codec.encoding().to_owned();
    Format { payload_type, encoding, clock_hz: 8_000, channels: 1, parameters: None }
}

fn event_format(payload_type: u8) -> Format {
    let encoding = "TELEPHONE-EVENT".to_owned();
    Format { payload_type, encoding, clock_hz: 8_000, channels: 1, parameters: Some(EVENTS.into()) }
}

fn audio_line(
    local: &Local,
    capabilities: &Capabilities,
    formats: Vec<Format>,
    direction: Direction,
) -> Media {
    let numbers: Vec<String> = formats.iter().map(|f| f.payload_type.to_string()).collect();
    Media {
        kind: "audio".into(),
        port: local.rtp.port(),
        protocol: "RTP/AVP".into(),
        format_text: numbers.join(" "),
        formats,
        address: Address::Ip(local.rtp.ip()),
        direction,
        ptime_ms: u32::try_from(capabilities.ptime.as_millis()).ok(),
        maxptime_ms: Some(60),
        rtcp_port: Some(local.rtcp_port).filter(|p| Some(*p) != local.rtp.port().checked_add(1)),
        crypto: Vec::new(),
    }
}

fn audio_of(description: &Description) -> Option<&Media> {
    description.media.iter().find(|m| m.kind == "audio" && m.port != 0)
}

fn position_of_audio(description: &Description) -> usize {
    description.media.iter().position(|m| m.kind == "audio" && m.port != 0).unwrap_or(0)
}

/// The lines of `others` with `audio` in its place and all the rest refused.
fn with_audio_at(others: &Description, position: usize, audio: Media) -> Vec<Media> {
    let mut media: Vec<Media> = others.media.iter().map(refused).collect();
    match media.get_mut(position) {
        Some(line) => *line = audio,
        None => media.push(audio),
    }
    media
}

/// The same line with port 0: refused (RFC 3264 section 6).
fn refused(media: &Media) -> Media {
    Media { port: 0, formats: Vec::new(), address: Address::Missing, crypto: Vec::new(), ..media.clone() }
}

fn described(local: &Local, media: Vec<Media>) -> Description {
    let version = match &local.before {
        None => 1,
        Some(before) if before.media == media => before.version,
        Some(before) => before.version.wrapping_add(1),
    };
    let (session_id, origin) = (local.session_id.to_string(), local.rtp.ip().to_string());
    Description { session_id, version, origin, media }
}
