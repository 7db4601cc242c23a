//! Sets of menus while calls run: read, checked, kept, installed, taken back. A thread of its own does all of it (the
//! workshop); control gets a finished set as one input, and sound a finished library.
//!
//! Invariant: a set that has a mistake, cannot be read or cannot be kept changes nothing and is told.
mod boot;
mod figures;
mod in_force;
mod keeper;
mod orders;
mod sounds;
mod source;
mod stamps;
mod workshop;

pub(super) use boot::{Bench, Boot, boot};
pub(super) use figures::{MenuFigures, MenusTold};
pub(super) use in_force::{InForce, Notice};
pub use orders::Files;
pub(super) use orders::{By, INSTALL, Job, MenuDesk, Outcome, ROLL_BACK};
pub(super) use sounds::{digest_of, hex};
pub use sounds::{lengths, listen};
pub use source::revision;
pub(super) use workshop::{Workshop, hangups};
