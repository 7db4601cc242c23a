//! Behaviours over real sockets, with real peers: each test starts its own server on free loopback ports.
mod house;
mod network;
mod record;
mod sipp;
