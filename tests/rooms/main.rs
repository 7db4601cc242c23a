//! Behaviours of the pure rooms, in simulated time: also compiled and run without the `server` feature.
mod call_chaos;
mod call_scripts;
mod call_stages;
mod sdp_odd_bodies;
mod sdp_offer_answer;
mod small_hotline;
mod world;
