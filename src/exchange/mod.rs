//! GROUND FLOOR: the telephone exchange; what a call may do. No SIP, no sockets.
//!
//! Two machines of one shape: `Exchange` (calls: menus, legs, who hears whom) and [`acd`] (queues and agents, who
//! gets whom). They talk only in serialisable values; `Switchboard` drives both and numbers every input.
pub mod acd;
mod arrival;
mod banner;
mod call;
mod case;
mod cause;
mod command;
mod desk;
mod fact;
mod feature_code;
mod hand_over;
mod in_menu;
mod input;
mod invariants;
mod joining;
mod journal;
mod ledger;
mod leg;
mod machine;
pub mod menu;
mod parties;
mod promise;
mod recall;
mod say;
mod settings;
mod stage;
mod step;
mod switchboard;
mod talk;
mod tape;
mod third_party;
mod timers;
mod transfer;
mod view;
mod waiting;
mod words;

use acd::{AcdInput, AcdOutput, AgentState, AgentWish, Joining, Offer, OverflowCause};

pub use arrival::{Arrival, CallCard, Peer, RingTarget, Vouched};
pub use banner::{Banner, BannerWish};
pub use cause::Cause;
pub use command::Command;
pub use fact::{Fact, RiseCause, Told};
pub use input::{Deed, Input, Ops};
pub use journal::{
    Decoder, Entry, Happening, JOURNAL_VERSION, JournalError, NumberedFact, Record, decode, encode,
    encode_mark, encode_opening,
};
pub use ledger::Ledger;
pub use machine::Exchange;
pub use promise::{PromiseFigures, PromiseOutcome, PromiseTally, Promised, promise_lines};
pub use say::{AGENT_NAME, Phrase, fragments, say, told, transcript};
pub use settings::ExchangeSettings;
pub use switchboard::Switchboard;
pub use tape::{TAPE_VERSION, TapeLine, TapeMenus, TapeOpening};
pub use third_party::table as third_party_table;
pub use transfer::{TransferStep, TransferTarget};
pub use view::{CallView, LegView, LostPlaceView, View};
pub use words::EXCHANGE_PROMPTS;
