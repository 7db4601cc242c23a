//! DOORS AND WINDOWS: the only room with tokio.
