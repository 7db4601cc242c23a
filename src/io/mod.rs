//! DOORS AND WINDOWS: the only room with tokio. Sockets, files, clock, store, HTTP. Nothing here decides.
//!
//! Threads: *control* runs the node on SIP's sockets; *media* runs the plane on RTP's; *office* runs the store, HTTP
//! and the command socket; *futures* runs ahead what callers will be told. They speak by bounded queues, and a call never
//! waits for the office or the future.
mod ask;
mod banner;
mod bans;
mod clock;
mod config;
mod config_http;
mod config_sound;
mod config_tls;
mod config_trunks;
mod config_voice;
mod config_words;
mod control;
mod descriptors;
pub mod embedded;
mod futures_worker;
mod held;
mod http;
mod journal;
mod learned;
mod media_ports;
mod media_worker;
pub mod menu_files;
pub mod menus;
mod metrics;
mod net;
mod office;
mod opening;
mod priority;
mod recovery;
mod resolver;
mod secrets;
mod server;
mod service_class;
pub mod socket;
pub mod speaker;
mod store;
mod tape;
mod telemetry;
mod tls;
mod vault;
mod whole;

pub use clock::Clock;
pub use config::Settings;
pub use config_http::{HttpSettings, Right, TokenPlace, TokenSettings};
pub use config_tls::TlsListen;
pub use config_trunks::TrunkSettings;
pub use config_words::SecretPlace;
pub use descriptors::Capacity;
pub use net::{ConnectionLimits, Net, NetEvent};
pub use secrets::{AgentSecrets, Secret, SecretError, agent as agent_secret};
pub use server::{Addresses, Server, StartError, Stopper};
pub use store::{
    AuditRow, CallFilter, CallRow, CallStory, PromiseFilter, PromiseReport, Resume, Store, StoreError, Writer,
};
pub use tape::{TapeSettings, tape_files};
pub use telemetry::log_to_stderr;
pub use tls::{OwnCertificate, Pin, Tls, TlsError, TlsSettings};
