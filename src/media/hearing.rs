//! Who hears what: one pure function of a leg's desired state.
//!
//! Invariant: playing is heard in place of everybody; a relay exists only where a packet may be passed on as it is.
//! A leg that hears nothing (nothing is played, nobody is to be heard, or those are silent) is sent frames of silence
//! while it is agreed that we send, so that NATs stay open, symmetric RTP can lock and far ends do not hang up. In a
//! relay the gaps are the source's: when it stops sending, nothing is sent.
use crate::base::LegId;
use crate::media::Codec;

/// A codec and the number of samples in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) codec: Codec,
    pub(super) samples: usize,
}

/// What a leg hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hearing {
    /// Nothing is sent: nothing was agreed yet, or not that we send.
    #[default]
    Nothing,
    /// Keys, as named events: nothing else is sent meanwhile.
    Keys,
    /// Prompts. Their place moves on even while nothing may be sent.
    Play,
    /// One source's packets as they come.
    Relay(LegId),
    /// The sum of the sources, made on the tick: also of one (transcoding, another packet size) and of none (silence).
    Mix,
}

impl Hearing {
    /// Whether frames are made on the leg's own tick.
    pub(super) fn ticks(self) -> bool {
        match self {
            Self::Keys | Self::Play | Self::Mix => true,
            Self::Nothing | Self::Relay(_) => false,
        }
    }
}

/// All that decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Desire<'a> {
    /// What the far end takes; `None` before anything was agreed.
    pub(super) takes: Option<Format>,
    /// We may send.
    pub(super) send: bool,
    /// Keys are pressed at its far end.
    pub(super) pressing: bool,
    /// Something is played.
    pub(super) playing: bool,
    /// Whom it is to hear, without itself.
    pub(super) sources: &'a [LegId],
    /// What the only source is sending; `None` when there is no only one, or it sends nothing that may be heard.
    pub(super) only_gives: Option<Format>,
}

/// What a leg hears.
pub(super) fn hearing(desire: Desire<'_>) -> Hearing {
    let Some(takes) = desire.takes else { return Hearing::Nothing };
    match desire {
        Desire { pressing: true, send: true, .. } => Hearing::Keys,
        Desire { playing: true, .. } => Hearing::Play,
        Desire { send: false, .. } => Hearing::Nothing,
        Desire { sources: [only], only_gives: Some(gives), .. } if gives == takes => Hearing::Relay(*only),
        Desire { .. } => Hearing::Mix,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_hearing() {
        let mu = Format { codec: Codec::Pcmu, samples: 160 };
        let (a, long) = (Format { codec: Codec::Pcma, ..mu }, Format { samples: 240, ..mu });
        let (one, two) = (&[LegId(1)][..], &[LegId(1), LegId(2)][..]);
        let table = [
            // takes, send, playing, sources, the only one gives, heard
            (None, true, true, one, Some(mu), Hearing::Nothing),
            (Some(mu), true, true, one, Some(mu), Hearing::Play),
            (Some(mu), false, true, one, Some(mu), Hearing::Play),
            (Some(mu), false, false, one, Some(mu), Hearing::Nothing),
            (Some(mu), true, false, one, Some(mu), Hearing::Relay(LegId(1))),
            (Some(mu), true, false, one, Some(a), Hearing::Mix),
            (Some(mu), true, false, one, Some(long), Hearing::Mix),
            (Some(mu), true, false, one, None, Hearing::Mix),
            (Some(mu), true, false, two, Some(mu), Hearing::Mix),
            (Some(mu), true, false, &[], None, Hearing::Mix),
        ];
        for (takes, send, playing, sources, only_gives, heard) in table {
            let desire = Desire { takes, send, pressing: false, playing, sources, only_gives };
            assert_eq!(hearing(desire), heard, "{desire:?}");
            // Keys come before everything that is sent, and wait while nothing may be.
            let keys = if takes.is_some() && send { Hearing::Keys } else { heard };
            assert_eq!(hearing(Desire { pressing: true, ..desire }), keys, "{desire:?}");
        }
    }
}
