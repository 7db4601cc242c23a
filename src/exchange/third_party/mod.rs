//! A third party in a call: rung and briefed in private while the caller has music, joined, dropped, left alone with
//! the caller; and the life of its own that its phone leads meanwhile. What happens in which phase, and who hears whom
//! after it, is one table: [`table`].
//!
//! The visit is the caller's: when he leaves, agent and third party are hung up, unless the settings let them finish.
mod clearing;
mod conference;
mod consulting;
mod guest;
mod party_only;
pub mod table;
mod transferring;

pub(super) use clearing::Clearing;
pub(super) use conference::Conference;
pub(super) use consulting::{Consulting, invite};
pub(super) use guest::{Guest, Left};
pub(super) use party_only::PartyOnly;
pub(super) use transferring::Transferring;
