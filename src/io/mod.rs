//! DOORS AND WINDOWS: the only room with tokio.
pub mod menu_files;
