//! `MediaPlane`: the sound of all legs of one worker. Commands, packets and time go in; packets and events come out.
//!
//! Invariant: a packet goes only to those whose desired state names its sender, decided by
//! [`hearing`](crate::media::hearing) alone; one input costs O(log n) of the legs, never O(n).
//!
//! ```text
//! packet -> RtpSession -> key ------> stops the prompt here -> MediaEvent::Key
//!                      -> sound ----> each ear: Relay -> rewritten, sent at once
//!                                               Mix   -> decoded once into the mouth's playout
//! tick ---> Play: ready payload -> sent       Mix: sum of the playouts, encoded -> sent
//! ```
//!
//! A source that is not open, was closed, or is not to be heard (its agreement is not to receive) is silence, not an
//! error.
mod packets;
mod ticks;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::limits::HEARD_AT_ONCE;
use crate::base::{Bounded, ById, Deadline, Instant, Key, LegId, Now, PlayId, Rng};
use crate::media::frame::SAMPLE_RATE;
use crate::media::leg::MediaLeg;
use crate::media::outbox::{MediaTransmit, Outbox, Socket};
use crate::media::playing::{Manner, Playing, Programme};
use crate::media::prompt::PromptLibrary;
use crate::media::wakes::{Wake, WakeIndex};
use crate::media::{KeySource, LegFigures, MediaCommand, MediaEvent, RemoteMedia, SoundRules};
use crate::rtp::{DropCause, Incoming, RtpSession};

/// Most deadlines served by one `handle_timeout`; what is left stays due. Keeps the outbox small and warm.
pub(super) const WAKES_AT_ONCE: usize = 256;
/// The longest SRTP packet that is opened, in bytes.
const ROOM: usize = 2_048;
/// Most events that wait to be fetched. One input makes at most two for each of the legs that it wakes.
const EVENTS_WAITING: usize = 4_096;

/// What was counted for the whole plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaneFigures {
    /// Packets and commands for a leg that is not open.
    pub unknown_leg: u64,
    /// Prompts that were to be played and are not in the library: left out.
    pub missing_prompts: u64,
    /// Commands that could not be obeyed in full: a leg opened twice, more sources than one ear may hear.
    pub refused: u64,
    /// Packets that found no room because the outbox was not fetched.
    pub outbox_full: u64,
    /// Events that found no room because they were not fetched.
    pub events_full: u64,
    /// Packets that came to a leg from somebody else than its party.
    pub strangers: u64,
}

/// The sound of all legs.
#[derive(Debug)]
pub struct MediaPlane {
    prompts: Arc<PromptLibrary>,
    /// What every leg can be played beside its own library, whenever it was opened.
    board: Arc<PromptLibrary>,
    rules: SoundRules,
    rng: Rng,
    /// In boxes: the table is sparse, a leg is not small.
    legs: ById<LegId, Box<MediaLeg>>,
    /// Mouth to ears: who names it as a source, whether it is open or not.
    ears: ById<LegId, Vec<LegId>>,
    wakes: WakeIndex,
    outbox: Outbox,
    /// Where SRTP is opened; away while it is.
    room: Vec<u8>,
    events: Bounded<MediaEvent>,
    figures: PlaneFigures,
    last: Instant,
}

impl MediaPlane {
    /// Without legs.
    pub fn new(prompts: Arc<PromptLibrary>, rng: Rng) -> Self {
        Self {
            prompts,
            board: Arc::default(),
            rules: SoundRules::default(),
            rng,
            legs: ById::new(),
            ears: ById::new(),
            wakes: WakeIndex::default(),
            outbox: Outbox::default(),
            room: vec![0; ROOM],
            events: Bounded::new(EVENTS_WAITING),
            figures: PlaneFigures::default(),
            last: Instant::ZERO,
        }
    }
    /// With other rules than the defaults.
    #[must_use]
    pub fn with_rules(self, rules: SoundRules) -> Self {
        Self { rules, ..self }
    }
    /// Takes a new library for legs that are opened from now on; the others keep theirs, so that they hear what belongs
    /// to the menus that they are in.
    pub fn set_prompts(&mut self, prompts: Arc<PromptLibrary>) {
        self.prompts = prompts;
    }
    /// From now on every leg can be played these beside its own library: what must be heard whatever menus a call is in.
    pub fn set_board(&mut self, board: Arc<PromptLibrary>) {
        self.board = board;
    }
    /// The library in use.
    pub fn prompts(&self) -> &Arc<PromptLibrary> {
        &self.prompts
    }

    /// Takes a command.
    pub fn handle(&mut self, now: Now, command: MediaCommand) {
        let mono = self.lift(now.mono);
        match command {
            MediaCommand::Open { leg, port } => self.open(Now { mono, ..now }, leg, port),
            MediaCommand::Remote { leg, remote } => self.agree(mono, leg, *remote),
            MediaCommand::Play { leg, play, language, prompts, barge_in, repeat } => {
                self.play(mono, leg, play, (Manner { barge_in, repeat }, Programme { language, prompts }));
            }
            MediaCommand::Stop { leg } => {
                let Some(known) = self.known(leg) else { return };
                known.stop_playing();
                self.decide(mono, leg);
            }
            MediaCommand::Hear { leg, sources } => self.hear(mono, leg, &sources),
            MediaCommand::SendKey { leg, key } => self.press(mono, leg, key),
            MediaCommand::Watch { leg, silence } => {
                let Some(known) = self.known(leg) else { return };
                known.watch.set_limit(mono, silence);
                self.rewatch(leg);
            }
            MediaCommand::Close { leg } => self.close(mono, leg),
        }
    }

    /// Takes a datagram of a leg's RTP socket.
    pub fn handle_rtp(&mut self, now: Instant, leg: LegId, from: SocketAddr, datagram: &[u8]) {
        let now = self.lift(now);
        let mut room = std::mem::take(&mut self.room);
        self.take_rtp(now, leg, from, (datagram, &mut room));
        self.room = room;
    }

    fn take_rtp(&mut self, now: Instant, leg: LegId, from: SocketAddr, (datagram, room): (&[u8], &mut [u8])) {
        let Some(known) = self.known(leg) else { return };
        match known.rtp.handle_datagram(now, from, datagram, room) {
            Incoming::Dropped(DropCause::Stranger) => self.figures.strangers += 1,
            Incoming::Dropped(_) => {}
            Incoming::Report => self.reported(leg),
            Incoming::Sound { header, payload, first: _ } => {
                self.alive(now, leg);
                self.sound(now, leg, header, payload);
            }
            Incoming::Silence { header, payload } => {
                self.alive(now, leg);
                self.silence(now, leg, header, payload);
            }
            Incoming::Event { header, key } => {
                known.mouth.mute(now);
                known.mouth.hush(now, header.ssrc, None);
                self.alive(now, leg);
                self.withhold(leg, header);
                if let Some(key) = key {
                    if let Some(known) = self.legs.get_mut(&leg) {
                        known.listening.event(&self.rules);
                    }
                    self.key(now, leg, key, KeySource::Event);
                }
            }
        }
    }

    /// Takes a datagram of a leg's RTCP socket.
    pub fn handle_rtcp(&mut self, now: Instant, leg: LegId, from: SocketAddr, datagram: &[u8]) {
        let now = self.lift(now);
        let Some(known) = self.known(leg) else { return };
        if known.rtp.handle_rtcp(now, from, datagram) {
            self.reported(leg);
        }
    }

    /// The moment asked for has come. Serves at most 256 legs; look at [`Self::next_deadline`] again afterwards.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.lift(now);
        for _ in 0..WAKES_AT_ONCE {
            let Some((at, leg, wake)) = self.wakes.due(now) else { return };
            match wake {
                Wake::Tick => self.tick(at, leg, now),
                Wake::Rtcp => self.report(now, leg),
                Wake::Watch => self.look(now, leg),
            }
        }
    }

    /// When to be woken; `None` when no leg needs it.
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.wakes.next_deadline()
    }
    /// A packet to send. Borrowed from the plane: send or copy it before the next call.
    pub fn poll_transmit(&mut self) -> Option<MediaTransmit<'_>> {
        self.outbox.pop()
    }
    /// Something to tell control.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop()
    }
    /// How many legs are open.
    pub fn legs(&self) -> usize {
        self.legs.len()
    }
    /// What was counted on a leg so far.
    pub fn leg_figures(&self, leg: LegId) -> Option<LegFigures> {
        self.legs.get(&leg).map(|leg| leg.figures())
    }
    /// What was counted for the whole plane.
    pub fn figures(&self) -> PlaneFigures {
        PlaneFigures { outbox_full: self.outbox.dropped(), ..self.figures }
    }
    /// One line about a leg, for logs and console.
    pub fn describe(&self, leg: LegId) -> Option<String> {
        let leg = self.legs.get(&leg)?;
        let codec = leg.agreed.as_ref().map(|a| a.codec);
        let peer = leg.rtp.locked_to();
        Some(format!("{} port {} {codec:?} from {peer:?} hears {:?}", leg.id, leg.port, leg.hearing))
    }

    /// Time never goes back: an older `now` is the last one.
    fn lift(&mut self, now: Instant) -> Instant {
        self.last = self.last.max(now);
        self.last
    }
    fn tell(&mut self, event: MediaEvent) {
        self.figures.events_full += u64::from(self.events.push(event).is_err());
    }
    fn known(&mut self, leg: LegId) -> Option<&mut MediaLeg> {
        let known = self.legs.get_mut(&leg).map(|leg| &mut **leg);
        self.figures.unknown_leg += u64::from(known.is_none());
        known
    }

    fn open(&mut self, now: Now, leg: LegId, port: u16) {
        if self.legs.contains_key(&leg) {
            self.figures.refused += 1;
            return;
        }
        let rng = self.rng.fork(&leg.to_string());
        let session = RtpSession::new(now, SAMPLE_RATE, rng).with_rules(self.rules.sources);
        self.legs.insert(leg, Box::new(MediaLeg::new(leg, port, session, Arc::clone(&self.prompts))));
        self.decide_ears(now.mono, leg);
    }
    fn agree(&mut self, now: Instant, leg: LegId, remote: RemoteMedia) {
        let Some(known) = self.known(leg) else { return };
        known.agree(now, remote);
        self.rewatch(leg);
        self.schedule_report(leg);
        self.decide(now, leg);
        self.decide_ears(now, leg);
    }
    fn play(&mut self, now: Instant, leg: LegId, play: PlayId, (manner, programme): (Manner, Programme)) {
        let board = Arc::clone(&self.board);
        let Some(known) = self.known(leg) else { return };
        known.stop_playing();
        let libraries = (&*board, &*known.prompts);
        let playing = Playing::new(play, manner, programme, libraries, known.bookmark.as_ref());
        let missing = playing.missing;
        known.playing = Some(playing);
        known.rtp.switch_source();
        self.figures.missing_prompts += missing as u64;
        self.decide(now, leg);
    }
    fn hear(&mut self, now: Instant, leg: LegId, wanted: &[LegId]) {
        let Some(known) = self.known(leg) else { return };
        let mut sources: Vec<LegId> = Vec::new();
        for source in wanted.iter().filter(|s| **s != leg) {
            if !sources.contains(source) {
                sources.push(*source);
            }
        }
        let beyond = sources.len() > HEARD_AT_ONCE;
        sources.truncate(HEARD_AT_ONCE);
        let before = std::mem::replace(&mut known.sources, sources.clone());
        self.figures.refused += u64::from(beyond);
        for mouth in before {
            self.forget_ear(mouth, leg);
        }
        for mouth in sources {
            match self.ears.get_mut(&mouth) {
                Some(ears) => ears.push(leg),
                None => drop(self.ears.insert(mouth, vec![leg])),
            }
        }
        self.decide(now, leg);
    }
    /// A key at the far end: sent on the leg's own tick.
    fn press(&mut self, now: Instant, leg: LegId, key: Key) {
        let Some(known) = self.known(leg) else { return };
        let takes = known.agreed.as_ref().is_some_and(|a| a.event_out.is_some());
        if !takes || !known.pressing.get_or_insert_default().push(key) {
            self.figures.refused += 1;
        }
        self.decide(now, leg);
    }
    fn forget_ear(&mut self, mouth: LegId, ear: LegId) {
        let Some(ears) = self.ears.get_mut(&mouth) else { return };
        ears.retain(|e| *e != ear);
        if ears.is_empty() {
            self.ears.remove(&mouth);
        }
    }
    fn close(&mut self, now: Instant, leg: LegId) {
        let Some(mut closed) = self.legs.remove(&leg) else {
            self.figures.unknown_leg += 1;
            return;
        };
        let socket = Socket::for_reports(closed.rtp.rtcp_mux());
        self.outbox.put(leg, socket, |buffer| closed.rtp.close(now, buffer));
        self.wakes.clear(leg, &mut closed.wakes);
        for mouth in &closed.sources {
            self.forget_ear(*mouth, leg);
        }
        for ear in self.ears.remove(&leg).unwrap_or_default() {
            if let Some(ear) = self.legs.get_mut(&ear) {
                ear.sources.retain(|s| *s != leg);
            }
            self.decide(now, ear);
        }
        self.tell(MediaEvent::Closed { leg, port: closed.port, figures: closed.figures() });
    }

    /// Decides anew what a leg hears, and whether it ticks.
    fn decide(&mut self, now: Instant, leg: LegId) {
        let Some(ear) = self.legs.get(&leg) else { return };
        let only_gives = match ear.sources.as_slice() {
            [only] => self.legs.get(only).and_then(|leg| leg.gives()),
            _ => None,
        };
        let hearing = ear.desires(only_gives);
        let Some(ear) = self.legs.get_mut(&leg) else { return };
        if ear.hearing != hearing {
            ear.hearing = hearing;
            ear.encoder.reset();
            ear.rtp.switch_source();
        }
        let tick = match ear.wakes.at(Wake::Tick) {
            _ if !hearing.ticks() => None,
            Some(at) => Some(at),
            None => Some(ear.first_tick(now)),
        };
        self.wakes.set(leg, &mut ear.wakes, Wake::Tick, tick);
    }
    /// What a leg gives has changed: decides anew for those who hear it.
    fn decide_ears(&mut self, now: Instant, mouth: LegId) {
        for ear in self.ears.get(&mouth).cloned().unwrap_or_default() {
            self.decide(now, ear);
        }
    }
}
