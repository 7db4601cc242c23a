//! The real sipp against the real server: keys, CANCEL, hold and changes, early sound, what is not served, PRACK,
//! UPDATE, session timers, forks, TCP, digest,
//! and a hundred calls through menu and queue to agents.
pub(crate) mod hand;
pub(crate) mod run;

mod calls;
mod crowd;
mod digest;
mod protocol;
mod refers;
mod sessions;
