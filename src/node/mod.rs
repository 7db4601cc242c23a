//! HALL: joins exchange, SIP and media of one server; still no IO.
//!
//! [`Node`] has the four verbs for the whole server: datagrams, streams, sound's events and time go in; bytes to
//! send, media commands, journal entries and facts come out. `legs.rs` is the only table that knows which exchange
//! leg is which SIP dialog and which sound.
mod admission;
mod guard;
mod keys;
mod legs;
mod machine;
mod on_command;
mod on_event;
mod output;
mod permit;
mod phones;
mod ports;
mod redirect;
mod refer;
mod routing;
mod settings;
mod signs;
mod sound;
mod status;
mod traces;
mod trunks;
mod view;
mod vouching;

pub use guard::{Ban, GuardSettings};
pub use machine::Node;
pub use output::NodeOutput;
pub use permit::Permit;
pub use settings::{NodeSettings, Trunk, TrunkHealth, TrunkLimits, TrunkRegistration};
pub use sound::LegSound;
pub use trunks::{TargetView, TrunkFigures, TrunkView};
pub use view::{NodeFigures, NodeView};
