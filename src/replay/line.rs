//! One call's sound at the phone: socket, RTP session, mouth and ear.
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;

use super::ear::Ear;
use super::voice::{Mouth, Voice};
use crate::base::{Key, Now, Rng};
use crate::media::{Decoder, Encoder, FRAME, FRAME_SAMPLES, RemoteMedia, SAMPLE_RATE};
use crate::rtp::{EventSender, Incoming, PACKET_BYTES, RtpSession};

/// How long a key is held.
const HELD: Duration = Duration::from_millis(100);
/// Silence between two keys: a menu tells `55` from `5` by it.
const BETWEEN_KEYS: Duration = Duration::from_millis(60);

/// One call's sound.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) socket: Arc<UdpSocket>,
    pub(super) port: u16,
    rtp: RtpSession,
    remote: Option<RemoteMedia>,
    mouth: Mouth,
    encoder: Encoder,
    decoder: Decoder,
    ear: Ear,
    keys: VecDeque<Key>,
    pressing: Option<(u32, EventSender)>,
    rest: u32,
}

impl Line {
    /// A socket on `at` and an RTP session that sends nothing yet.
    pub(super) async fn open(at: IpAddr, now: Now, rng: Rng, voice: &Voice, ear: Ear) -> io::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::new(at, 0)).await?;
        let port = socket.local_addr()?.port();
        ear.begin();
        Ok(Self {
            socket: Arc::new(socket),
            port,
            rtp: RtpSession::new(now, SAMPLE_RATE, rng),
            remote: None,
            mouth: Mouth::new(voice),
            encoder: Encoder::default(),
            decoder: Decoder::default(),
            ear,
            keys: VecDeque::new(),
            pressing: None,
            rest: 0,
        })
    }

    /// What was agreed.
    pub(super) fn agree(&mut self, now: Now, remote: RemoteMedia) {
        self.rtp.set_remote(now.mono, remote.for_rtp());
        self.rtp.set_keys(remote.srtp);
        self.remote = Some(remote);
    }

    pub(super) fn say(&mut self, voice: &Voice) {
        self.mouth = Mouth::new(voice);
    }

    /// Presses a key after those already waiting.
    pub(super) fn press(&mut self, key: Key) {
        self.keys.push_back(key);
    }

    /// A datagram came on the socket.
    pub(super) fn take(&mut self, now: Now, from: SocketAddr, datagram: &[u8]) {
        let Some(sound_in) = self.remote.as_ref().map(|r| r.sound_in) else { return };
        let mut room = [0; 2_048];
        match self.rtp.handle_datagram(now.mono, from, datagram, &mut room) {
            Incoming::Sound { header, payload, .. } => {
                let Some(codec) = sound_in.codec(header.payload_type) else { return };
                let mut samples = [0; crate::media::PACKET_SAMPLES_MAX];
                let n = self.decoder.decode(codec, payload, &mut samples);
                self.ear.hear(from, header, samples.get(..n).unwrap_or_default());
            }
            Incoming::Event { key: Some(key), .. } => self.ear.key(key),
            Incoming::Event { key: None, .. }
            | Incoming::Silence { .. }
            | Incoming::Report
            | Incoming::Dropped(_) => {}
        }
    }

    /// Speaks 20 ms, or goes on pressing a key.
    pub(super) fn tick(&mut self, now: Now) {
        let Some(remote) = self.remote.as_ref().filter(|r| r.send) else { return };
        let codec = remote.codec;
        let mut buffer = [0; PACKET_BYTES];
        let frame = self.mouth.frame();
        let out = if self.press_on(now) {
            let Some((timestamp, sender)) = &mut self.pressing else { return };
            if let Some(packet) = sender.next_packet() {
                self.rtp.send_event(*timestamp, packet, &mut buffer)
            } else {
                self.pressing = None;
                self.rest = u32::try_from(BETWEEN_KEYS.as_millis() / FRAME.as_millis()).unwrap_or(0);
                None
            }
        } else {
            self.rest = self.rest.saturating_sub(1);
            let mut payload = [0; FRAME_SAMPLES];
            let n = self.encoder.encode(codec, &frame, &mut payload);
            let payload = payload.get(..n).unwrap_or_default();
            self.rtp.send_frame(now.mono, 160, payload, &mut buffer)
        };
        if let Some(out) = out
            && let Err(e) = self.socket.try_send_to(buffer.get(..out.length).unwrap_or_default(), out.to)
        {
            tracing::debug!(error = %e, "a phone's packet was not sent");
        }
    }

    /// Whether a key is being pressed now; begins the next one when its time has come.
    fn press_on(&mut self, now: Now) -> bool {
        if self.pressing.is_none()
            && self.rest == 0
            && let Some(key) = self.keys.pop_front()
        {
            let sender = EventSender::new(key, HELD, FRAME, self.rtp.event_clock_hz());
            let timestamp = self.rtp.begin_event(now.mono, sender.samples_at(SAMPLE_RATE));
            self.pressing = Some((timestamp, sender));
        }
        self.pressing.is_some()
    }
}
