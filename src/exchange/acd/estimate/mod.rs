//! How long a caller will still wait: a predictive distribution from the live state.
//!
//! The structural formula ([`formula`]) speaks from the first call on; what the queue then learns of its own waits
//! ([`Learned`]) draws it to the truth. `docs/estimating.md` has the formulas and what they are worth on a real log.
mod algebra;
mod calibration;
mod estimator;
mod flat;
mod formula;
mod learned;
mod outlook;
mod quantiles;
mod recent;
mod residuals;
mod seen;
mod sight;

pub(in crate::exchange::acd) use calibration::{edge_above, lower_end};
pub use calibration::{under_promise, words};
pub(in crate::exchange::acd) use estimator::Ground;
pub use estimator::{Entry, Estimator};
pub(in crate::exchange::acd) use flat::{Flat, flat};
pub use formula::{Basis, Estimate, spread_by_steps};
pub(crate) use formula::{Outlook, formula};
pub use learned::{Forecast, Learned};
pub(in crate::exchange::acd) use outlook::float;
pub(in crate::exchange::acd) use recent::{LineRecent, Recent};
pub use sight::Sight;
