//! What behaviour tests share.
pub(crate) mod sip_world;
