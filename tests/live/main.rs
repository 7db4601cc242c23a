//! Behaviours over real sockets, with real peers (sipp, baresip): an absent peer is a failure.
mod check_command;
