//! Behaviours over real sockets, with real peers: each test starts its own server on free loopback ports.
mod binary;
mod check_command;
mod commands;
mod house;
mod http;
mod network;
mod page;
mod record;
mod sipp;
mod store_contract;
mod web;
