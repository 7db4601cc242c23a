//! What behaviour tests share.
pub(crate) mod agenda;
pub(crate) mod node_parts;
pub(crate) mod queue_model;
pub(crate) mod sip_peer;
pub(crate) mod sip_world;
pub(crate) mod skilled_day;
pub(crate) mod small_menus;
pub(crate) mod switchboard_world;
pub(crate) mod waiting_day;
