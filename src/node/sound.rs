//! One leg's offer and answer: what we said last, what was agreed, what we would like (RFC 3264). The rules are
//! `sdp`'s; this keeps the state between them.
//!
//! Invariant: at most one offer of ours waits for an answer; a refused offer leaves what was agreed as it was.
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::base::Rng;
use crate::media::{Codec, FRAME, RemoteMedia};
use crate::rtp::{EventType, SrtpKey, SrtpKeys, SrtpSuite};
use crate::sdp::{
    Agreed, AgreedCrypto, Capabilities, CodecName, CryptoSuite, Direction, Local, MasterKey, OwnCrypto,
    Refusal, SdpAnswer, SdpOffer, SrtpPolicy, accept_answer, answer, offer,
};

/// One leg's offer and answer.
#[derive(Debug)]
pub struct LegSound {
    local: Local,
    capabilities: Capabilities,
    /// We hold the far end: `sendonly`.
    holding: bool,
    /// Our answer to the offer that the far end sent, until it is taken.
    answer: Option<SdpAnswer>,
    /// Our offer, until it is answered.
    offered: Option<SdpOffer>,
    agreed: Option<Agreed>,
    /// The host that the far end's signalling comes from.
    host: Option<IpAddr>,
    /// The far end has answered what we sent there.
    acknowledged: bool,
}

impl LegSound {
    /// Sound expected at `address` on `port` (RTCP on the next one up). `session_id` is the number of `o=`.
    pub fn new(address: IpAddr, port: u16, codecs: &[Codec], session_id: u64) -> Self {
        let codecs = codecs.iter().map(|c| name_of(*c)).collect();
        Self {
            local: Local {
                rtp: SocketAddr::new(address, port),
                rtcp_port: port.saturating_add(1),
                session_id,
                before: None,
                peer: None,
                not_for_sound: Arc::default(),
            },
            capabilities: Capabilities {
                codecs,
                telephone_event: true,
                comfort_noise: true,
                rtcp_mux: true,
                crypto: None,
                ptime: FRAME,
            },
            holding: false,
            answer: None,
            offered: None,
            agreed: None,
            host: None,
            acknowledged: false,
        }
    }

    /// The same, but sound is never sent to these addresses: our own that are not for sound.
    #[must_use]
    pub fn keep_from(mut self, addresses: Arc<[SocketAddr]>) -> Self {
        self.local.not_for_sound = addresses;
        self
    }

    /// The far end's signalling comes from this host.
    pub fn signalled_from(&mut self, host: IpAddr) {
        self.host = Some(host);
        self.local.peer = Some(host);
    }

    /// The far end acknowledged what we sent, so that it is really there; `true` the first time.
    pub fn acknowledge(&mut self) -> bool {
        !std::mem::replace(&mut self.acknowledged, true)
    }

    /// SRTP is offered and taken, or nothing goes without it, with keys of ours from `rng`. Only where signalling is TLS.
    pub fn secure(&mut self, policy: SrtpPolicy, rng: &mut Rng) {
        self.capabilities.crypto = match policy {
            SrtpPolicy::Off => None,
            SrtpPolicy::Offer | SrtpPolicy::Require => Some(OwnCrypto {
                is_required: policy == SrtpPolicy::Require,
                keys: [(); CryptoSuite::ALL.len()].map(|()| fresh_key(rng)),
            }),
        };
    }

    /// Whether sound is protected.
    pub fn is_secure(&self) -> bool {
        self.agreed.as_ref().is_some_and(|a| a.crypto.is_some())
    }

    /// The same without telephone-events: as a phone that presses keys by their tones.
    #[must_use]
    pub fn without_events(mut self) -> Self {
        self.capabilities.telephone_event = false;
        self
    }

    /// The codec that another leg speaks goes first, so that two legs meet in one and are relayed.
    pub fn prefer(&mut self, codec: Codec) {
        let name = name_of(codec);
        self.capabilities.codecs.sort_by_key(|c| *c != name);
    }

    /// The codec agreed.
    pub fn codec(&self) -> Option<Codec> {
        self.agreed.as_ref().map(|a| codec_of(a.codec))
    }

    /// From now on we hold the far end, or no longer: said with the next offer or answer.
    pub fn hold(&mut self, held: bool) {
        self.holding = held;
    }

    /// The far end's offer: agreed at once, and our answer is ready to be taken. An error leaves everything as it was.
    pub fn answer(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let (ours, agreed) = answer(body, &self.capabilities, &self.local, self.wish())?;
        self.local.before = Some(ours.0.clone());
        self.answer = Some(ours);
        self.agreed = Some(agreed);
        Ok(())
    }

    /// Whether an answer of ours is ready: the far end made an offer.
    pub fn has_answer(&self) -> bool {
        self.answer.is_some()
    }

    /// The body of our answer; an offer of ours when the far end made none (its answer comes with the ACK).
    pub fn take_answer(&mut self) -> Vec<u8> {
        match self.answer.take() {
            Some(answer) => answer.text().into_bytes(),
            None => self.offer(),
        }
    }

    /// The body of an offer of ours.
    pub fn offer(&mut self) -> Vec<u8> {
        let ours = offer(&self.local, &self.capabilities, self.wish());
        self.local.before = Some(ours.0.clone());
        let body = ours.text().into_bytes();
        self.offered = Some(ours);
        body
    }

    /// The far end's final answer to our offer.
    pub fn accept(&mut self, body: &[u8]) -> Result<(), Refusal> {
        self.accept_early(body)?;
        self.offered = None;
        Ok(())
    }

    /// A provisional answer: the final one may differ.
    pub fn accept_early(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let Some(ours) = &self.offered else {
            // Some phones repeat in the 200 the SDP of their 183: it was accepted already.
            return if self.agreed.is_some() { Ok(()) } else { Err(Refusal::NotAnAnswer) };
        };
        self.agreed = Some(accept_answer(ours, body, &self.local, self.capabilities.ptime)?);
        self.acknowledged = true;
        Ok(())
    }

    /// The far end's answer to what we said last and now said again: to refresh the session, not to change anything.
    pub fn accept_again(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let said = self.local.before.clone().map(SdpOffer).ok_or(Refusal::NotAnAnswer)?;
        self.agreed = Some(accept_answer(&said, body, &self.local, self.capabilities.ptime)?);
        Ok(())
    }

    /// Our offer was refused: nothing changed.
    pub fn forget_offer(&mut self) {
        self.offered = None;
    }

    /// Whether the far end holds us.
    pub fn held_by_peer(&self) -> bool {
        self.agreed.as_ref().is_some_and(|a| a.peer_holds_us)
    }

    /// What was agreed, as media wants it.
    pub fn remote(&self) -> Option<RemoteMedia> {
        self.agreed.as_ref().map(|a| RemoteMedia {
            rtp: a.remote_rtp,
            rtcp: a.remote_rtcp,
            host: self.host,
            acknowledged: self.acknowledged,
            rtcp_mux: a.rtcp_mux,
            codec: codec_of(a.codec),
            payload_type: a.payload_out,
            sound_in: a.sound_in.iter().map(|(number, codec)| (*number, codec_of(*codec))).collect(),
            events_in: a.events_in.iter().map(|e| e.payload_type).collect(),
            event_out: a.event_out.map(|e| EventType { payload_type: e.payload_type, clock_hz: e.clock_hz }),
            comfort_noise_in: a.comfort_noise_in,
            comfort_noise_out: a.comfort_noise_out,
            srtp: a.crypto.map(srtp_keys),
            ptime: a.ptime,
            send: a.we_send,
            receive: a.we_receive,
        })
    }

    const fn wish(&self) -> Direction {
        if self.holding { Direction::SendOnly } else { Direction::SendRecv }
    }
}

const fn codec_of(name: CodecName) -> Codec {
    match name {
        CodecName::Pcmu => Codec::Pcmu,
        CodecName::Pcma => Codec::Pcma,
        CodecName::G722 => Codec::G722,
    }
}

const fn name_of(codec: Codec) -> CodecName {
    match codec {
        Codec::Pcmu => CodecName::Pcmu,
        Codec::Pcma => CodecName::Pcma,
        Codec::G722 => CodecName::G722,
    }
}

fn fresh_key(rng: &mut Rng) -> MasterKey {
    let mut key = [0; 30];
    for part in key.chunks_mut(8) {
        for (byte, random) in part.iter_mut().zip(rng.next_u64().to_le_bytes()) {
            *byte = random;
        }
    }
    MasterKey(key)
}

const fn srtp_keys(agreed: AgreedCrypto) -> SrtpKeys {
    let suite = match agreed.suite {
        CryptoSuite::AesCm128HmacSha1_80 => SrtpSuite::AesCm128HmacSha1_80,
        CryptoSuite::AesCm128HmacSha1_32 => SrtpSuite::AesCm128HmacSha1_32,
    };
    SrtpKeys { suite, ours: SrtpKey(agreed.ours.0), theirs: SrtpKey(agreed.theirs.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(port: u16) -> LegSound {
        LegSound::new([127, 0, 0, 1].into(), port, &[Codec::Pcma, Codec::Pcmu], 7)
    }

    #[test]
    fn two_legs_agree_and_a_hold_is_told_and_taken_back() {
        let (mut a, mut b) = (leg(20_000), leg(20_002));
        let offer = a.offer();
        b.answer(&offer).unwrap();
        a.accept(&b.take_answer()).unwrap();
        assert_eq!(a.remote().unwrap().rtp.port(), 20_002);
        assert_eq!(b.remote().unwrap().rtp.port(), 20_000);
        assert!(a.remote().unwrap().send && a.remote().unwrap().receive);

        a.hold(true);
        let offer = a.offer();
        b.answer(&offer).unwrap();
        a.accept(&b.take_answer()).unwrap();
        // `a` goes on sending music and expects nothing; `b` is not asked to be silent about it.
        assert!(a.remote().unwrap().send && !a.remote().unwrap().receive);
        assert!(b.remote().unwrap().receive && !b.remote().unwrap().send);

        a.hold(false);
        let offer = a.offer();
        b.answer(&offer).unwrap();
        a.accept(&b.take_answer()).unwrap();
        assert!(a.remote().unwrap().receive && b.remote().unwrap().send);
    }

    #[test]
    fn a_refused_offer_leaves_what_was_agreed() {
        let (mut a, mut b) = (leg(20_000), leg(20_002));
        let offer = a.offer();
        b.answer(&offer).unwrap();
        a.accept(&b.take_answer()).unwrap();
        let before = b.remote();
        assert!(b.answer(b"v=0\r\nnonsense").is_err());
        assert_eq!(b.remote(), before);
        a.hold(true);
        a.offer();
        a.forget_offer();
        assert!(a.remote().unwrap().receive);
    }
}
