//! TEST BENCH: phones that place and take real calls over real SIP and RTP. `hotline robots`, `hotline load`, `hotline
//! replay` and the tests are made of them: each phone has its own voice, and its ear is measured.
mod capacity;
pub mod day;
mod desk;
mod ear;
mod engine;
mod line;
pub mod load;
pub mod measure;
mod mirror;
mod phone;
pub mod robots;
mod target;
mod voice;

pub use capacity::{Capacity, Lasted, LimitedBy, Next, Phase, Search, SearchSettings, Trial, Verdict};
pub use ear::Ear;
pub use mirror::Mirror;
pub use phone::{Phone, PhoneError, PhoneEvent, PhoneSettings, PhoneTls};
pub use target::{Target, TargetError};
pub use voice::Voice;
