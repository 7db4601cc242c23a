//! The emergency banner as it is put on from outside: its words found or spoken, its sounds kept, and handed to control and
//! sound as one finished thing.
//!
//! Invariant: what is not whole is not put on. Control waits for no disk and no voice; nobody who puts a prepared banner on
//! waits for a set that is being checked, or for another banner that is being spoken.
mod desk;
mod level;
mod shelf;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

pub(super) use desk::{BannerDesk, NotDone};
pub(super) use shelf::restore;

use crate::base::{Language, PromptId};
use crate::media::{Codec, GAP, Prompt, PromptLibrary};

/// Banners whose sounds stay at hand: words of one that is off may still stand behind what a caller is being told.
const AT_HAND: usize = 4;

/// What was counted of banners.
#[derive(Debug, Default)]
pub(super) struct BannerFigures {
    /// Put on.
    pub on: AtomicU64,
    /// Of these, spoken.
    pub spoken: AtomicU64,
    /// Not put on.
    pub refused: AtomicU64,
    /// The one that is on cannot be heard: its sounds were lost over a restart.
    pub mute: AtomicBool,
}

/// A banner's sounds, ready to be played.
#[derive(Debug, Clone)]
pub(super) struct Hung {
    said: PromptId,
    sounds: BTreeMap<Language, Arc<Prompt>>,
}

impl Hung {
    /// Who has no sound in his language hears the other's: words that he may not understand say more than none.
    fn share_with(&self, board: &mut PromptLibrary) {
        for language in Language::ALL {
            if let Some(prompt) = self.sounds.get(&language).or_else(|| self.sounds.values().next()) {
                board.share(language, self.said.clone(), Arc::clone(prompt));
            }
        }
    }
}

/// A library of these.
pub(super) fn board_of<'h>(hung: impl IntoIterator<Item = &'h Hung>, codecs: &[Codec]) -> Arc<PromptLibrary> {
    let mut board = PromptLibrary::new(GAP).also_in(codecs);
    hung.into_iter().for_each(|hung| hung.share_with(&mut board));
    Arc::new(board)
}
