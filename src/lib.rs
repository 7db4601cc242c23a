//! **hotline**: an IVR and call-routing engine for a customer-service hotline that never closes.
//!
//! The one idea: *everything that decides is pure; everything that touches the world is thin.* The rules of calls,
//! menus, queues and the SIP, SDP and RTP machines are values that receive what happened and what time it is, and
//! hand back what to do. Sockets, disks, clocks and databases live in one folder, [`io`].
//!
//! | layer | room | what it is |
//! |---|---|---|
//! | street door | `main`, `cli` | one binary; a subcommand a file |
//! | doors and windows | [`io`] | sockets, files, store, HTTP: the only room with tokio |
//! | test bench | [`replay`] | phones that place and take real calls |
//! | model house | [`sim`] | the same machines in simulated time: scenarios, days in seconds |
//! | judge's desk | [`backtest`] | estimates of the wait judged on call logs |
//! | hall | [`node`] | where exchange, SIP and media of one server meet |
//! | ground floor | [`exchange`] | what a call may do: menus, queues, agents |
//! | workshop | [`sip`], [`sdp`] | SIP and SDP without sockets |
//! | studio | [`media`], [`rtp`] | sound |
//! | cellar | [`base`] | words that everyone uses |
//!
//! Arrows point down only; `tests/tidy.rs` holds the table. Begin at [`exchange::Input`] and [`exchange::Command`]:
//! the whole product in two enums.
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

pub mod backtest;
pub mod base;
pub mod exchange;
#[cfg(feature = "server")]
pub mod io;
pub mod media;
pub mod node;
#[cfg(feature = "server")]
pub mod replay;
pub mod rtp;
pub mod sdp;
pub mod sim;
pub mod sip;
