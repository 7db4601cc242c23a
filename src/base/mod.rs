//! CELLAR: words that everyone uses. Time as a value, identifiers, chance from a seed, bounds.
mod bounded;
mod ids;
mod key;
mod language;
pub mod limits;
mod map;
pub mod picture;
mod rng;
mod time;

pub use bounded::{Bounded, Full};
pub use ids::{
    AgentId, AssignmentId, BatchId, CallId, EntryId, LegId, MenuId, PartyId, PlayId, PromptId, QueueId,
    SecretToken, Seq, SkillId, TicketId, TransferId, TrunkId,
};
pub use key::Key;
pub use language::{Language, is_chinese};
pub use map::{ById, IdHasher, Lookup};
pub use rng::Rng;
pub use time::{Deadline, Instant, Now, UtcTime, earliest};
