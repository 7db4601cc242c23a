//! Behaviours of the pure rooms, in simulated time: also compiled and run without the `server` feature.
