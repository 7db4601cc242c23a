//! SDP (RFC 8866) and offer/answer (RFC 3264), without IO.
//!
//! [`Description`] is the text's typed view; [`offer`], [`answer`] and [`accept_answer`] are RFC 3264.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]
mod crypto;
mod formats;
mod negotiate;
mod place;
mod session;

pub use crypto::{AgreedCrypto, CryptoSuite, CryptoText, MasterKey, OwnCrypto, SrtpPolicy};
pub use formats::{CodecName, EventFormat};
pub use negotiate::{
    Agreed, Capabilities, Local, Refusal, SdpAnswer, SdpOffer, accept_answer, answer, offer,
};
pub use session::{Address, Description, Direction, Format, Media, SdpError};
