//! The studio under test: a `MediaPlane` with simulated phones, in simulated time. Each phone speaks its own tone, so that
//! what an ear hears names who was heard.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{Instant, Key, Language, LegId, Now, PlayId, PromptId, Rng, UtcTime};
use hotline::media::{
    Chord, Codec, Decoder, Encoder, FRAME, MediaCommand, MediaEvent, MediaPlane, PromptLibrary, RemoteMedia,
    Tone, ToneMeter,
};
use hotline::rtp::{
    EventPacket, EventSender, EventType, Header, PACKET_BYTES, Packet, PayloadTypes, is_rtcp,
};

/// The letters of what may be heard and their tones: legs 1-4 are `a`-`d`, `m` is music, `p` the prompt `prompt`.
pub(crate) const TONES: [(char, f64); 6] =
    [('a', 400.0), ('b', 700.0), ('c', 1_000.0), ('d', 1_300.0), ('m', 1_700.0), ('p', 2_100.0)];
const LOUD: f64 = 5_000.0;
const EVENT_TYPE: u8 = 101;

/// A packet that a phone got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) ms: u64,
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

/// A key that is being pressed.
struct Pressed {
    sender: EventSender,
    timestamp: u32,
    in_band: Chord,
}

/// One phone.
pub(crate) struct Phone {
    /// The codec that it hears in.
    pub(crate) codec: Codec,
    /// The one it speaks in.
    pub(crate) speaks_in: Codec,
    encoder: Encoder,
    /// Milliseconds of sound in each packet it sends.
    pub(crate) sends_ms: u64,
    pub(crate) speaks: bool,
    pub(crate) tone: Tone,
    pub(crate) header: Header,
    /// Drops a packet of the phone with this chance in 100.
    pub(crate) loss_percent: u64,
    /// Each packet is under way for up to this long: one may overtake another.
    pub(crate) jitter_ms: u64,
    under_way: Vec<(u64, Vec<u8>)>,
    /// Sings this in place of its tone, for so many packets.
    pub(crate) sings: Option<(Chord, u32)>,
    /// Sends back what it got, in place of its tone.
    pub(crate) echoes: bool,
    pub(crate) got: Vec<Got>,
    pub(crate) reports: usize,
    address: SocketAddr,
    next_ms: u64,
    pressed: Option<Pressed>,
}

/// The studio.
pub(crate) struct Studio {
    pub(crate) plane: MediaPlane,
    pub(crate) ms: u64,
    pub(crate) phones: BTreeMap<u64, Phone>,
    pub(crate) events: Vec<(u64, MediaEvent)>,
    rng: Rng,
    plays: u64,
}

pub(crate) fn tone_samples(letter: char, ms: usize) -> Vec<i16> {
    let mut samples = vec![0; ms * 8];
    Tone::new(TONES.iter().find(|t| t.0 == letter).unwrap().1, LOUD).fill(&mut samples);
    samples
}

pub(crate) fn agreement(leg: u64, codec: Codec, ptime_ms: u64) -> RemoteMedia {
    RemoteMedia {
        events_in: PayloadTypes::NONE.with(EVENT_TYPE),
        event_out: Some(EventType { payload_type: EVENT_TYPE, clock_hz: 8_000 }),
        ptime: Duration::from_millis(ptime_ms),
        ..RemoteMedia::plain(address(leg), codec, payload_type(codec))
    }
}

pub(crate) fn address(leg: u64) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, u8::try_from(leg % 250).unwrap()], 4_000))
}

pub(crate) fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
    }
}

impl Studio {
    /// With `music` (2 s) and `prompt` (500 ms) in English.
    pub(crate) fn new(seed: u64) -> Self {
        let mut prompts = PromptLibrary::new(Duration::from_millis(80)).also_in(&Codec::ALL);
        prompts.add_samples(Language::English, "music".into(), &tone_samples('m', 2_000));
        prompts.add_samples(Language::English, "prompt".into(), &tone_samples('p', 500));
        let plane = MediaPlane::new(Arc::new(prompts), Rng::from_number(seed));
        let rng = Rng::from_number(seed).fork("phones");
        Self { plane, ms: 1_000, phones: BTreeMap::new(), events: Vec::new(), rng, plays: 0 }
    }
    /// With the legs `1..=n` open: PCMU, 20 ms, all speaking.
    pub(crate) fn with_legs(n: u64) -> Self {
        let mut studio = Self::new(n);
        (1..=n).for_each(|leg| studio.open(leg, Codec::Pcmu, 20, 20));
        studio
    }
    /// Opens a leg that sends packets of `sends_ms` and takes packets of `takes_ms`.
    pub(crate) fn open(&mut self, leg: u64, codec: Codec, sends_ms: u64, takes_ms: u64) {
        self.tell(MediaCommand::Open { leg: LegId(leg), port: 20_000 + 2 * u16::try_from(leg).unwrap() });
        self.tell(MediaCommand::Remote {
            leg: LegId(leg),
            remote: Box::new(agreement(leg, codec, takes_ms)),
        });
        let frequency = TONES.get(usize::try_from(leg).unwrap() - 1).map_or(3_000.0, |t| t.1);
        let header = Header {
            payload_type: payload_type(codec),
            marker: false,
            sequence: (self.rng.next_u32() & 0xFFFF) as u16,
            timestamp: self.rng.next_u32(),
            ssrc: self.rng.next_u32(),
        };
        let phone = Phone {
            codec,
            speaks_in: codec,
            encoder: Encoder::default(),
            sends_ms,
            speaks: true,
            tone: Tone::new(frequency, LOUD),
            header,
            loss_percent: 0,
            jitter_ms: 0,
            under_way: Vec::new(),
            sings: None,
            echoes: false,
            got: Vec::new(),
            reports: 0,
            address: address(leg),
            // Phones do not send in step with each other or with us.
            next_ms: self.ms + self.rng.below(20),
            pressed: None,
        };
        self.phones.insert(leg, phone);
    }
    pub(crate) fn now(&self) -> Now {
        Now { mono: Instant::from_millis(self.ms), utc: UtcTime::from_secs(1_800_000_000) }
    }
    pub(crate) fn tell(&mut self, command: MediaCommand) {
        self.plane.handle(self.now(), command);
        self.drain();
    }
    pub(crate) fn hear(&mut self, leg: u64, sources: &[u64]) {
        let sources = sources.iter().map(|s| LegId(*s)).collect();
        self.tell(MediaCommand::Hear { leg: LegId(leg), sources });
    }
    /// Two or more legs that hear each other.
    pub(crate) fn join(&mut self, legs: &[u64]) {
        for ear in legs {
            let others: Vec<u64> = legs.iter().copied().filter(|l| l != ear).collect();
            self.hear(*ear, &others);
        }
    }
    /// Plays and hands back the playing's number. Manner: `b`arge-in, `r`epeat.
    pub(crate) fn play(&mut self, leg: u64, prompts: &[&str], manner: &str) -> PlayId {
        self.plays += 1;
        let play = PlayId(self.plays);
        self.tell(MediaCommand::Play {
            leg: LegId(leg),
            play,
            language: Language::English,
            prompts: prompts.iter().map(|p| PromptId::new(*p)).collect(),
            barge_in: manner.contains('b'),
            repeat: manner.contains('r'),
        });
        play
    }
    pub(crate) fn agree(&mut self, leg: u64, change: impl FnOnce(&mut RemoteMedia)) {
        let mut remote = agreement(leg, self.phones[&leg].codec, 20);
        change(&mut remote);
        let phone = self.phones.get_mut(&leg).unwrap();
        (phone.codec, phone.speaks_in) = (remote.codec, remote.codec);
        phone.header.payload_type = remote.payload_type;
        self.tell(MediaCommand::Remote { leg: LegId(leg), remote: Box::new(remote) });
    }
    /// Presses a key for 100 ms: events by RFC 4733, and the key's tones in the sound as well.
    pub(crate) fn press(&mut self, leg: u64, key: char) {
        let key = Key::from_char(key).unwrap();
        let phone = self.phones.get_mut(&leg).unwrap();
        phone.pressed = Some(Pressed {
            sender: EventSender::new(key, Duration::from_millis(100), FRAME, 8_000),
            timestamp: phone.header.timestamp,
            in_band: Chord::of_key(key, LOUD),
        });
    }
    /// Presses a key for 100 ms by its tones alone.
    pub(crate) fn sing(&mut self, leg: u64, key: char) {
        let chord = Chord::of_key(Key::from_char(key).unwrap(), LOUD);
        self.phones.get_mut(&leg).unwrap().sings = Some((chord, 5));
    }
    pub(crate) fn datagram(&mut self, leg: u64, from: SocketAddr, bytes: &[u8]) {
        self.plane.handle_rtp(self.now().mono, LegId(leg), from, bytes);
        self.drain();
    }
    /// Lets time pass, a millisecond at a time.
    pub(crate) fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.ms += 1;
            let due: Vec<u64> =
                self.phones.iter().filter(|(_, p)| p.next_ms <= self.ms).map(|(l, _)| *l).collect();
            for leg in due {
                for datagram in self.speak(leg) {
                    let jitter = self.phones[&leg].jitter_ms;
                    let comes = self.ms + self.rng.below(jitter + 1);
                    self.phones.get_mut(&leg).unwrap().under_way.push((comes, datagram));
                }
            }
            self.arrive();
            while self.plane.next_deadline().is_some_and(|d| d.at <= self.now().mono) {
                self.plane.handle_timeout(self.now().mono);
                self.drain();
            }
        }
    }
    /// Packets that were under way come.
    fn arrive(&mut self) {
        let legs: Vec<u64> = self.phones.keys().copied().collect();
        for leg in legs {
            let under_way = &mut self.phones.get_mut(&leg).unwrap().under_way;
            let (come, wait) = std::mem::take(under_way).into_iter().partition(|(at, _)| *at <= self.ms);
            *under_way = wait;
            let come: Vec<(u64, Vec<u8>)> = come;
            for (_, datagram) in come {
                self.datagram(leg, address(leg), &datagram);
            }
        }
    }
    /// The packets that a phone sends now.
    fn speak(&mut self, leg: u64) -> Vec<Vec<u8>> {
        let phone = self.phones.get_mut(&leg).unwrap();
        phone.next_ms += phone.sends_ms;
        let samples = usize::try_from(phone.sends_ms * 8).unwrap();
        let mut sound = vec![0; samples];
        phone.tone.fill(&mut sound);
        if phone.echoes {
            let last = phone.got.last().map(|g| g.payload.clone()).unwrap_or_default();
            phone.codec.decode(&last, &mut sound);
        }
        if let Some((mut chord, left)) = phone.sings.take() {
            chord.fill(&mut sound);
            phone.sings = (left > 1).then_some((chord, left - 1));
        }
        if !phone.speaks {
            // A phone that is silent numbers no packets; its clock goes on.
            phone.header.timestamp = phone.header.timestamp.wrapping_add(u32::try_from(samples).unwrap());
            return Vec::new();
        }
        let mut packets = Vec::new();
        if let Some(mut pressed) = phone.pressed.take() {
            pressed.in_band.fill(&mut sound);
            if let Some(packet) = pressed.sender.next_packet() {
                packets.push(phone.event(pressed.timestamp, packet));
                phone.pressed = Some(pressed);
            }
        }
        let mut payload = vec![0; samples];
        phone.encoder.encode(phone.speaks_in, &sound, &mut payload);
        packets.push(phone.packet(&payload));
        phone.header.timestamp = phone.header.timestamp.wrapping_add(u32::try_from(samples).unwrap());
        let loss = phone.loss_percent;
        packets.retain(|_| self.rng.below(100) >= loss);
        packets
    }
    fn drain(&mut self) {
        while let Some(transmit) = self.plane.poll_transmit() {
            let Some(phone) = self.phones.get_mut(&transmit.leg.0) else { continue };
            if transmit.rtcp {
                assert!(is_rtcp(transmit.bytes));
                phone.reports += 1;
                continue;
            }
            assert_eq!(transmit.to, phone.address);
            let packet = Packet::read(transmit.bytes).expect("we send RTP");
            phone.got.push(Got { ms: self.ms, header: packet.header, payload: packet.payload.to_vec() });
        }
        while let Some(event) = self.plane.poll_event() {
            self.events.push((self.ms, event));
        }
    }
    /// Lets 500 ms pass and says whom each phone heard in the last 300 of them: `a:b b:a c:m d:-`.
    pub(crate) fn heard(&mut self) -> String {
        self.run(500);
        let heard = |(leg, phone): (&u64, &Phone)| {
            let name = TONES[usize::try_from(*leg).unwrap() - 1].0;
            format!("{name}:{}", phone.heard_since(self.ms - 300))
        };
        self.phones.iter().map(heard).collect::<Vec<_>>().join(" ")
    }
    /// The events of one leg so far, forgotten then: `started`, `key 5 (play 1)`, `ended 1`, `lost`, `closed`.
    pub(crate) fn told(&mut self, leg: u64) -> Vec<String> {
        let words = |event: &MediaEvent| match event {
            MediaEvent::Key { leg: l, key, play: None, .. } => (*l, format!("key {key}")),
            MediaEvent::Key { leg: l, key, play: Some(p), .. } => (*l, format!("key {key} stops {p}")),
            MediaEvent::PromptEnded { leg: l, play } => (*l, format!("ended {play}")),
            MediaEvent::SoundLost { leg: l } => (*l, "lost".to_owned()),
            MediaEvent::SoundStarted { leg: l } => (*l, "started".to_owned()),
            MediaEvent::SoundBack { leg: l } => (*l, "back".to_owned()),
            MediaEvent::Reported { leg: l } => (*l, "reported".to_owned()),
            MediaEvent::Closed { leg: l, .. } => (*l, "closed".to_owned()),
        };
        let told = self.events.iter().map(|(_, e)| words(e)).filter(|(l, _)| l.0 == leg).map(|(_, w)| w);
        let told = told.collect();
        self.events.retain(|(_, e)| words(e).0.0 != leg);
        told
    }
}

impl Phone {
    /// When it sends its next packet.
    pub(crate) fn next_packet_ms(&self) -> u64 {
        self.next_ms
    }
    fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        self.header.sequence = self.header.sequence.wrapping_add(1);
        write_packet(self.header, payload)
    }
    fn event(&mut self, timestamp: u32, packet: EventPacket) -> Vec<u8> {
        self.header.sequence = self.header.sequence.wrapping_add(1);
        let header = Header { timestamp, payload_type: EVENT_TYPE, marker: packet.marker, ..self.header };
        write_packet(header, &packet.payload.bytes())
    }
    /// What came since `ms`, laid out by its timestamps, silence where nothing came.
    pub(crate) fn sound_since(&self, ms: u64) -> Vec<i16> {
        let got: Vec<&Got> = self.got.iter().filter(|g| g.ms >= ms).collect();
        let Some(first) = got.first().map(|g| g.header.timestamp) else { return Vec::new() };
        let mut sound = Vec::new();
        // G.722 is only right when heard from its beginning.
        let mut decoder = Decoder::default();
        let before = self.got.iter().filter(|g| g.ms < ms && self.codec == Codec::G722);
        for packet in before {
            decoder.decode(self.codec, &packet.payload, &mut [0; 480]);
        }
        for packet in got {
            let at = packet.header.timestamp.wrapping_sub(first) as usize;
            assert!(at < 8_000_000, "a timestamp went back: {packet:?}");
            sound.resize(sound.len().max(at + packet.payload.len()), 0);
            decoder.decode(self.codec, &packet.payload, &mut sound[at..]);
        }
        sound
    }
    /// The letters of who was heard; `-` for silence, `?` for what nobody says.
    pub(crate) fn heard_since(&self, ms: u64) -> String {
        let sound = self.sound_since(ms);
        let mut meter = ToneMeter::new(&TONES.map(|t| t.1), sound.len().max(400));
        meter.feed(&sound);
        meter.feed(&vec![0; 400_usize.saturating_sub(sound.len())]);
        let heard: String =
            TONES.iter().enumerate().filter(|(n, _)| meter.level(*n) > 2_000.0).map(|(_, t)| t.0).collect();
        for (n, (letter, _)) in TONES.iter().enumerate() {
            let level = meter.level(n);
            assert!(!(100.0..2_000.0).contains(&level), "{letter} is heard faintly: {level}");
        }
        let silent = meter.loudness() < 100.0;
        if !heard.is_empty() {
            heard
        } else if silent {
            "-".to_owned()
        } else {
            "?".to_owned()
        }
    }
}

fn write_packet(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [0; PACKET_BYTES];
    let n = header.write(payload, &mut bytes).unwrap();
    bytes[..n].to_vec()
}
