//! What is being played to one leg: prompts, one after the other with a gap, once or for ever.
//!
//! Invariant: reading never stalls: a missing prompt was left out when the playing was made, a playing of nothing ends
//! at once, and the place is kept in samples, so that it holds across a change of codec.
use std::sync::Arc;

use crate::base::{Key, Language, PlayId, PromptId};
use crate::media::Codec;
use crate::media::prompt::{Prompt, PromptLibrary};

/// Most prompts in one playing. A whole announcement with numbers has about twenty.
pub(super) const PROMPTS_AT_ONCE: usize = 128;

/// A place in a list of prompts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    part: usize,
    /// Samples into the part; past its end lies the gap.
    offset: usize,
}

/// What is asked for: the same order twice is the same music.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Programme {
    pub(super) language: Language,
    pub(super) prompts: Vec<PromptId>,
}

/// What happens at the end, and at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) barge_in: bool,
    pub(super) repeat: bool,
}

/// Music that was left, to be taken up again.
#[derive(Clone, Debug)]
pub(super) struct Bookmark {
    programme: Programme,
    place: Place,
}

/// One playing.
#[derive(Debug)]
pub(super) struct Playing {
    pub(super) id: PlayId,
    manner: Manner,
    programme: Programme,
    parts: Vec<Arc<Prompt>>,
    gap: usize,
    place: Place,
    /// Prompts that the library did not have, or that were too many.
    pub(super) missing: usize,
    /// A key's tones were in what was read last.
    sounded: Option<Key>,
}

impl Playing {
    /// Looks the prompts up, first on the board, which all legs share, then in the leg's own library. Music goes on at the
    /// bookmark, if that is of the same programme.
    pub(super) fn new(
        id: PlayId,
        manner: Manner,
        mut programme: Programme,
        (board, library): (&PromptLibrary, &PromptLibrary),
        bookmark: Option<&Bookmark>,
    ) -> Self {
        let asked = programme.prompts.len();
        programme.prompts.truncate(PROMPTS_AT_ONCE);
        let wanted = programme.prompts.iter();
        let found = |id| board.get(programme.language, id).or_else(|| library.get(programme.language, id));
        let parts: Vec<_> = wanted.filter_map(found).map(Arc::clone).collect();
        let missing = asked - parts.len();
        let resumed = bookmark.filter(|b| manner.repeat && b.programme == programme);
        let place = resumed.map(|b| b.place).unwrap_or_default();
        Self { id, manner, programme, parts, gap: library.gap_samples(), place, missing, sounded: None }
    }
    /// Whether a key stops it.
    pub(super) fn barge_in(&self) -> bool {
        self.manner.barge_in
    }
    /// The key whose tones were in what was read since the last call: it may come back as an echo.
    pub(super) fn take_sounded(&mut self) -> Option<Key> {
        self.sounded.take()
    }
    /// Where to go on, if it is music.
    pub(super) fn into_bookmark(self) -> Option<Bookmark> {
        self.manner.repeat.then_some(Bookmark { programme: self.programme, place: self.place })
    }
    /// Fills `out` with what comes next, silence after the end. `false` when there was nothing left to play.
    pub(super) fn read(&mut self, codec: Codec, out: &mut [u8]) -> bool {
        let mut filled = 0;
        while let Some(room) = out.get_mut(filled..).filter(|r| !r.is_empty()) {
            let n = self.read_part(codec, room);
            if n == 0 {
                room.fill(codec.silence());
                break;
            }
            filled += n;
        }
        filled > 0 || self.manner.repeat
    }
    /// Fills the beginning of `room` from one prompt or one gap; 0 at the end of all.
    fn read_part(&mut self, codec: Codec, room: &mut [u8]) -> usize {
        if self.place.part >= self.parts.len() && self.manner.repeat {
            self.place = Place::default();
        }
        let Some(part) = self.parts.get(self.place.part) else { return 0 };
        let is_last = self.place.part + 1 == self.parts.len();
        let end = part.samples() + if is_last { 0 } else { self.gap };
        let sound = part.payload(codec).get(self.place.offset..).unwrap_or_default();
        let n = if sound.is_empty() {
            let n = end.saturating_sub(self.place.offset).min(room.len());
            room.iter_mut().take(n).for_each(|b| *b = codec.silence());
            n
        } else {
            let n = sound.len().min(room.len());
            room.iter_mut().zip(sound).for_each(|(to, from)| *to = *from);
            self.sounded = part.key_within(self.place.offset..self.place.offset + n).or(self.sounded);
            n
        };
        self.place.offset += n;
        if self.place.offset >= end {
            self.place = Place { part: self.place.part + 1, offset: 0 };
        }
        // A bookmark behind the end of a prompt that became shorter: nothing was read, the next part is.
        if n == 0 { self.read_part(codec, room) } else { n }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Prompts `a` (1 frame) and `b` (2 frames) with a gap of one frame.
    fn library() -> PromptLibrary {
        let mut library = PromptLibrary::new(Duration::from_millis(20));
        library.add_samples(Language::English, "a".into(), &[1_000; 160]);
        library.add_samples(Language::English, "b".into(), &[-1_000; 320]);
        library
    }

    fn play(prompts: &[&str], repeat: bool, bookmark: Option<&Bookmark>) -> Playing {
        let prompts = prompts.iter().map(|p| PromptId::new(*p)).collect();
        let programme = Programme { language: Language::English, prompts };
        Playing::new(
            PlayId(1),
            Manner { barge_in: false, repeat },
            programme,
            (&PromptLibrary::default(), &library()),
            bookmark,
        )
    }

    /// One letter a frame: `a`, `b`, `.` silence, `!` mixed.
    fn heard(playing: &mut Playing, frames: usize) -> String {
        let letter = |frame: &[u8; 160]| {
            let mut samples = [0; 160];
            Codec::Pcma.decode(frame, &mut samples);
            match (samples.iter().min(), samples.iter().max()) {
                (Some(900..), _) => 'a',
                (_, Some(..=-900)) => 'b',
                (Some(-8..), Some(..=8)) => '.',
                _ => '!',
            }
        };
        let mut frame = [0; 160];
        (0..frames).map_while(|_| playing.read(Codec::Pcma, &mut frame).then(|| letter(&frame))).collect()
    }

    #[test]
    fn prompts_are_joined_by_the_gap_and_then_it_ends() {
        assert_eq!(heard(&mut play(&["a", "b", "a"], false, None), 99), "a.bb.a");
    }

    #[test]
    fn a_missing_prompt_is_counted_and_left_out_and_all_missing_is_an_end() {
        let mut playing = play(&["x", "a", "y", "b"], false, None);
        assert_eq!(playing.missing, 2);
        assert_eq!(heard(&mut playing, 99), "a.bb");
        assert_eq!(heard(&mut play(&["x"], false, None), 99), "");
        assert_eq!(heard(&mut play(&[], false, None), 99), "");
    }

    #[test]
    fn music_begins_again_at_once_and_music_that_is_missing_is_silence() {
        assert_eq!(heard(&mut play(&["a", "b"], true, None), 10), "a.bba.bba.");
        assert_eq!(heard(&mut play(&["x"], true, None), 3), "...");
    }

    #[test]
    fn the_same_music_goes_on_and_another_begins_at_its_beginning() {
        let mut music = play(&["a", "b"], true, None);
        assert_eq!(heard(&mut music, 3), "a.b");
        let bookmark = music.into_bookmark().unwrap();
        assert_eq!(heard(&mut play(&["a", "b"], true, Some(&bookmark)), 3), "ba.");
        assert_eq!(heard(&mut play(&["b", "a"], true, Some(&bookmark)), 2), "bb");
        assert_eq!(heard(&mut play(&["a", "b"], false, Some(&bookmark)), 2), "a.");
        assert!(play(&["a"], false, None).into_bookmark().is_none());
    }

    #[test]
    fn a_packet_longer_than_what_is_left_is_filled_up_with_silence() {
        let mut playing = play(&["b"], false, None);
        let mut packet = [0; 480];
        assert!(playing.read(Codec::Pcmu, &mut packet));
        assert!(packet[..320].iter().all(|b| *b != 0xFF) && packet[320..].iter().all(|b| *b == 0xFF));
        assert!(!playing.read(Codec::Pcmu, &mut packet));
    }

    #[test]
    fn a_place_behind_the_end_of_a_shortened_prompt_goes_on_with_the_next() {
        let mut music = play(&["a", "b"], true, None);
        music.place = Place { part: 0, offset: 5_000 };
        assert_eq!(heard(&mut music, 2), "bb");
        music.place = Place { part: 7, offset: 5_000 };
        assert_eq!(heard(&mut music, 1), "a");
    }
}
