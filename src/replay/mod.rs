//! TEST BENCH: phones that place and take real calls over real SIP and RTP. `hotline robots` and the tests are made
//! of them: each phone has its own voice, and its ear is measured.
mod desk;
mod ear;
mod line;
pub mod load;
mod phone;
pub mod robots;
mod voice;

pub use ear::Ear;
pub use phone::{Phone, PhoneError, PhoneEvent, PhoneSettings, PhoneTls};
pub use voice::Voice;
