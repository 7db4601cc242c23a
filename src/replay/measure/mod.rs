//! What is measured of calls at the phones: times, sound, the ratios of SIP, and how late the phones themselves were.
//!
//! Invariant: every time is counted from the moment at which the plan wanted it begun, never from the moment at which
//! the phones got round to it: a server that makes the phones wait cannot hide behind the calls that were then not made.
mod emodel;
mod lateness;
mod quantiles;
mod ratios;
mod reception;

pub use emodel::{CodecImpairment, mos_of, r_factor};
pub use lateness::{LATE, Lateness, Punctuality};
pub use quantiles::{Meter, Quantiles};
pub use ratios::{Attempt, Rfc6076, SipRatios};
pub use reception::{Reception, Sound, Stream};
