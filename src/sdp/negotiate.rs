//! Offer and answer, RFC 3264, as pure functions.
//!
//! Invariant: an answer has the offer's media lines in the offer's order, and of them at most one audio line is taken;
//! a later offer of ours keeps the count of lines and the `o=` session number, and raises the version by one when
//! anything changed (section 8).
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::sdp::crypto::{self, AgreedCrypto, CryptoText, OwnCrypto, PLAIN};
use crate::sdp::formats::{CodecName, EventFormat, noise_format, noise_of, offered};
use crate::sdp::place::{is_hold_address, rtcp_of, usable_address};
use crate::sdp::session::{Address, Description, Direction, Format, Media, SdpError};

/// What we can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// In our order of preference. In an answer ours goes first, so that two legs of a call meet in one codec and
    /// are relayed.
    pub codecs: Vec<CodecName>,
    /// Whether keys may come by RFC 4733.
    pub telephone_event: bool,
    /// Whether silence may be described by comfort noise, RFC 3389.
    pub comfort_noise: bool,
    /// Whether RTCP may go over the RTP port, RFC 5761.
    pub rtcp_mux: bool,
    /// Keys of SRTP, where signalling may carry them.
    pub crypto: Option<OwnCrypto>,
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
    /// The host that the peer's signalling comes from, where it is known. A peer that names its media by a host name is
    /// sent media there: we look no names up for media.
    pub peer: Option<IpAddr>,
    /// Addresses of ours that are not for sound: a peer that names one is refused.
    pub not_for_sound: Arc<[SocketAddr]>,
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
#[expect(clippy::struct_excessive_bools, reason = "each is agreed by itself")]
pub struct Agreed {
    /// Where to send RTP; unspecified while the peer holds us in the old form.
    pub remote_rtp: SocketAddr,
    /// Where to send RTCP.
    pub remote_rtcp: SocketAddr,
    /// RTCP goes over the RTP port, both ways (RFC 5761).
    pub rtcp_mux: bool,
    /// The codec that we send.
    pub codec: CodecName,
    /// The payload type under which we send it.
    pub payload_out: u8,
    /// What the peer may send, and change among: payload types and their codecs.
    pub sound_in: Vec<(u8, CodecName)>,
    /// The telephone-events that the peer may send.
    pub events_in: Vec<EventFormat>,
    /// The ones that we may send.
    pub event_out: Option<EventFormat>,
    /// The payload type of comfort noise that the peer may send.
    pub comfort_noise_in: Option<u8>,
    /// The one that we may send.
    pub comfort_noise_out: Option<u8>,
    /// The keys of SRTP; `None` is plain RTP.
    pub crypto: Option<AgreedCrypto>,
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
    /// No audio line over RTP that is open: 488.
    #[error("no open audio line over RTP/AVP or RTP/SAVP")]
    NoAudio,
    /// SRTP that we cannot speak here, or plain RTP where nothing goes without SRTP: 488.
    #[error("no agreement on SRTP")]
    NoSecurity,
    /// No codec in common: 488.
    #[error("no codec in common")]
    NoCommonCodec,
    /// Media to a multicast, broadcast or otherwise hostile address or port: 488.
    #[error("media would go to a hostile address")]
    HostileAddress,
    /// No address at all, one of the other IP family, or a host name of a peer of whom no address is known: 488.
    #[error("media has no address that we can reach")]
    UnusableAddress,
    /// An answer that does not fit our offer.
    #[error("the answer does not fit the offer")]
    NotAnAnswer,
}

/// Our offer: the first of a dialog, or a later one (re-INVITE), which keeps its media lines and payload types.
pub fn offer(local: &Local, capabilities: &Capabilities, direction: Direction) -> SdpOffer {
    let before = local.before.as_ref().and_then(audio_of);
    let formats =
        offered(&capabilities.codecs, capabilities.telephone_event, capabilities.comfort_noise, before);
    let (protocol, keys) = crypto::offered(capabilities.crypto.as_ref(), before);
    let audio = audio_line(local, capabilities, formats, direction);
    let audio = Media { protocol: protocol.to_owned(), crypto: keys, ..audio };
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
    let mut formats = vec![chosen.codec.format(chosen.payload_type)];
    let noise = noise_of(theirs).filter(|_| capabilities.comfort_noise);
    formats.extend(noise.map(noise_format));
    let events = if capabilities.telephone_event { EventFormat::all_of(theirs) } else { Vec::new() };
    let event_out = EventFormat::beside(&events, chosen.codec);
    formats.extend(event_out.map(EventFormat::format));
    let line = audio_line(local, capabilities, formats, Direction::from_halves(we_send, we_receive));
    let rtcp_mux = line.rtcp_mux && can_mux(theirs);
    let (text, keys) = chosen.keys.clone().unzip();
    let crypto = text.into_iter().collect();
    let line = Media { protocol: theirs.protocol.clone(), rtcp_mux, crypto, ..line };
    let agreed = Agreed {
        remote_rtp: chosen.rtp,
        remote_rtcp: if rtcp_mux { chosen.rtp } else { rtcp_of(theirs, chosen.rtp, local) },
        rtcp_mux,
        codec: chosen.codec,
        payload_out: chosen.payload_type,
        sound_in: vec![(chosen.payload_type, chosen.codec)],
        events_in: events,
        event_out,
        comfort_noise_in: noise,
        comfort_noise_out: noise,
        crypto: keys,
        ptime: packet_time(theirs, capabilities.ptime),
        we_send,
        we_receive,
        peer_holds_us: holds || !theirs.direction.receives(),
    };
    Ok((SdpAnswer(described(local, with_audio_at(&offer, position, line))), agreed))
}

/// What a peer's answer to our offer comes to.
pub fn accept_answer(
    offer: &SdpOffer,
    answer: &[u8],
    local: &Local,
    ptime: Duration,
) -> Result<Agreed, Refusal> {
    let answer = Description::read(answer)?;
    let position = position_of_audio(&offer.0);
    let ours = offer.0.media.get(position).ok_or(Refusal::NotAnAnswer)?;
    let theirs = answer.media.get(position).filter(|m| m.kind == "audio").ok_or(Refusal::NotAnAnswer)?;
    if theirs.port == 0 {
        return Err(Refusal::NoAudio);
    }
    let rtp = usable_address(theirs, local)?;
    let common = common_codecs(ours, theirs);
    let (codec, payload_out) = *common.first().ok_or(Refusal::NoCommonCodec)?;
    let their_events = if ours_has_events(ours) { EventFormat::all_of(theirs) } else { Vec::new() };
    let event_out = EventFormat::beside(&their_events, codec);
    let noise = noise_of(ours).zip(noise_of(theirs));
    let rtcp_mux = ours.rtcp_mux && can_mux(theirs);
    let keys = crypto::accepted(ours, theirs)?;
    let peer_receives = theirs.direction.receives() && !is_hold_address(&theirs.address);
    Ok(Agreed {
        remote_rtp: rtp,
        remote_rtcp: if rtcp_mux { rtp } else { rtcp_of(theirs, rtp, local) },
        rtcp_mux,
        codec,
        payload_out,
        sound_in: sound_in(ours, &common),
        events_in: events_in(ours, &their_events),
        event_out,
        comfort_noise_in: noise.map(|(ours, _)| ours),
        comfort_noise_out: noise.map(|(_, theirs)| theirs),
        crypto: keys,
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
    keys: Option<(CryptoText, AgreedCrypto)>,
}

/// The first audio line that can be taken; else why the first audio line cannot.
fn choose(
    offer: &Description,
    capabilities: &Capabilities,
    local: &Local,
) -> Result<(usize, Chosen), Refusal> {
    let mut refusal = None;
    for (position, media) in offer.media.iter().enumerate() {
        if media.kind != "audio" || media.port == 0 || !is_rtp(&media.protocol) {
            continue;
        }
        match take(media, capabilities, local) {
            Ok(chosen) => return Ok((position, chosen)),
            Err(why) => refusal = refusal.or(Some(why)),
        }
    }
    Err(refusal.unwrap_or(Refusal::NoAudio))
}

/// Feedback (RFC 4585) is offered, never required: we give none.
fn is_rtp(protocol: &str) -> bool {
    let is_plain = [PLAIN, "RTP/AVPF"].iter().any(|known| protocol.eq_ignore_ascii_case(known));
    is_plain || crypto::is_secure(protocol)
}

fn take(media: &Media, capabilities: &Capabilities, local: &Local) -> Result<Chosen, Refusal> {
    let rtp = usable_address(media, local)?;
    let named =
        |codec: &CodecName| media.formats.iter().find(|f| codec.names(f)).map(|f| (*codec, f.payload_type));
    let (codec, payload_type) = capabilities.codecs.iter().find_map(named).ok_or(Refusal::NoCommonCodec)?;
    let keys = crypto::answered(capabilities.crypto.as_ref(), media)?;
    Ok(Chosen { media: media.clone(), codec, payload_type, rtp, keys })
}

/// The peer's codecs that we offered, in its order, under its numbers.
fn common_codecs(ours: &Media, theirs: &Media) -> Vec<(CodecName, u8)> {
    let codec = |f: &Format| CodecName::of(f).map(|c| (c, f.payload_type));
    theirs.formats.iter().filter_map(codec).filter(|(c, _)| ours.formats.iter().any(|o| c.names(o))).collect()
}

/// The peer sends under our numbers; some send under their own, which does no harm where that number is free.
fn sound_in(ours: &Media, common: &[(CodecName, u8)]) -> Vec<(u8, CodecName)> {
    let agreed = |c: &CodecName| common.iter().any(|(known, _)| known == c);
    let under_ours =
        ours.formats.iter().filter_map(|f| Some((f.payload_type, CodecName::of(f).filter(agreed)?)));
    let under_theirs = common.iter().filter(|(_, p)| is_free(ours, *p)).map(|(c, p)| (*p, *c));
    under_ours.chain(under_theirs).collect()
}

fn events_in(ours: &Media, theirs: &[EventFormat]) -> Vec<EventFormat> {
    let under_ours = EventFormat::all_of(ours).into_iter().filter(|_| !theirs.is_empty());
    let under_theirs = theirs.iter().copied().filter(|e| is_free(ours, e.payload_type));
    under_ours.chain(under_theirs).collect()
}

fn ours_has_events(ours: &Media) -> bool {
    !EventFormat::all_of(ours).is_empty()
}

fn is_free(ours: &Media, payload_type: u8) -> bool {
    ours.formats.iter().all(|f| f.payload_type != payload_type)
}

/// Whether RTP and RTCP can be told apart on one port: with payload types 64-95 they cannot (RFC 5761 section 4).
fn can_mux(theirs: &Media) -> bool {
    theirs.rtcp_mux && theirs.formats.iter().all(|f| !(64..=95).contains(&f.payload_type))
}

fn packet_time(theirs: &Media, ours: Duration) -> Duration {
    let ours_ms = u32::try_from(ours.as_millis()).unwrap_or(20);
    let wanted = theirs.ptime_ms.filter(|ms| *ms > 0).unwrap_or(ours_ms);
    let most = theirs.maxptime_ms.filter(|ms| *ms > 0).unwrap_or(60);
    let ms = wanted.min(most).clamp(10, 60) / 10 * 10;
    Duration::from_millis(u64::from(ms))
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
        protocol: PLAIN.into(),
        format_text: numbers.join(" "),
        formats,
        address: Address::Ip(local.rtp.ip()),
        direction,
        ptime_ms: u32::try_from(capabilities.ptime.as_millis()).ok(),
        maxptime_ms: Some(60),
        rtcp_port: Some(local.rtcp_port).filter(|p| Some(*p) != local.rtp.port().checked_add(1)),
        rtcp_mux: capabilities.rtcp_mux,
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
    Media {
        port: 0,
        formats: Vec::new(),
        address: Address::Missing,
        rtcp_mux: false,
        crypto: Vec::new(),
        ..media.clone()
    }
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
