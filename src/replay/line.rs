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
use crate::media::{Chord, Decoder, Encoder, FRAME, FRAME_SAMPLES, RemoteMedia, SAMPLE_RATE};
use crate::rtp::{EventSender, Incoming, PACKET_BYTES, RtpSession};

/// How long a key is held.
const HELD: Duration = Duration::from_millis(100);
/// Silence between two keys: a menu tells `55` from `5` by it.
const BETWEEN_KEYS: Duration = Duration::from_millis(60);

/// Peak amplitude of each of a key's two tones: -9 dBm0.
const TONE: f64 = 8_000.0;

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
    pressing: Option<Pressed>,
    rest: u32,
    /// The far end told us that it is silent, RFC 3389: it sends nothing meanwhile.
    far_rests: bool,
}

/// A key that is pressed: as the far end takes it.
#[derive(Debug)]
enum Pressed {
    /// By RFC 4733, from this timestamp on.
    Event(u32, EventSender),
    /// By its tones, for so many frames.
    Tones(Chord, u32),
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
            far_rests: false,
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
                self.far_rests = false;
                self.ear.hear(from, header, samples.get(..n).unwrap_or_default());
            }
            Incoming::Silence { header, .. } => {
                self.far_rests = true;
                self.ear.hear(from, header, &[]);
            }
            Incoming::Event { key: Some(key), .. } => self.ear.key(key),
            Incoming::Event { key: None, .. } | Incoming::Report | Incoming::Dropped(_) => {}
        }
    }

    /// Speaks 20 ms, or goes on pressing a key.
    pub(super) fn tick(&mut self, now: Now) {
        if self.far_rests {
            self.ear.rest(FRAME_SAMPLES);
        }
        let Some(remote) = self.remote.as_ref().filter(|r| r.send) else { return };
        let codec = remote.codec;
        let mut buffer = [0; PACKET_BYTES];
        let mut frame = self.mouth.frame();
        let takes_events = remote.event_out.is_some();
        self.press_on(now, takes_events);
        let event = match &mut self.pressing {
            None => {
                self.rest = self.rest.saturating_sub(1);
                None
            }
            Some(Pressed::Event(timestamp, sender)) => Some((*timestamp, sender.next_packet())),
            Some(Pressed::Tones(_, 0)) => {
                self.release();
                frame = [0; FRAME_SAMPLES];
                None
            }
            Some(Pressed::Tones(chord, left)) => {
                chord.fill(&mut frame);
                *left -= 1;
                None
            }
        };
        let out = if let Some((timestamp, packet)) = event {
            if let Some(packet) = packet {
                self.rtp.send_event(timestamp, packet, &mut buffer)
            } else {
                self.release();
                None
            }
        } else {
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

    fn release(&mut self) {
        self.pressing = None;
        self.rest = frames(BETWEEN_KEYS);
    }

    /// Begins the next key when its time has come: by its tones where the far end takes no events.
    fn press_on(&mut self, now: Now, takes_events: bool) {
        if self.pressing.is_some() || self.rest > 0 {
            return;
        }
        let Some(key) = self.keys.pop_front() else { return };
        self.pressing = Some(if takes_events {
            let sender = EventSender::new(key, HELD, FRAME, self.rtp.event_clock_hz());
            let timestamp = self.rtp.begin_event(now.mono, sender.samples_at(SAMPLE_RATE));
            Pressed::Event(timestamp, sender)
        } else {
            Pressed::Tones(Chord::of_key(key, TONE), frames(HELD))
        });
    }
}

/// How many frames last this long.
fn frames(d: Duration) -> u32 {
    u32::try_from(d.as_millis() / FRAME.as_millis()).unwrap_or(0)
}
