//! REFER (RFC 3515, 4488, 5589) and Replaces (RFC 3891): what a peer asks of us beside its own call, read and written.
//! Who may ask for what is not decided here.
//!
//! Invariant: nothing here follows a URI: a target is words from outside until `node` finds it among those it knows.
mod redirect;
mod referral;
mod replaces;
mod subscription;
mod vouched;

pub(crate) use redirect::redirected;
pub use referral::{ReferTarget, Referral};
pub use replaces::{NamedDialog, Replaces};
pub(crate) use subscription::{LIFETIME, Subscription, is_refer_event};
pub(crate) use vouched::vouched;
