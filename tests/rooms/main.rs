//! Behaviours of the pure rooms, in simulated time: also compiled and run without the `server` feature.

mod call_chaos;
mod call_scripts;
mod call_stages;
mod media_formats;
mod media_hearing;
mod media_loss;
mod media_playing;
mod media_robust;
mod media_studio;
mod media_switches;
mod queue_model;
mod rtp_keys;
mod rtp_out_stream;
mod rtp_session;
mod sdp_odd_bodies;
mod sdp_offer_answer;
mod sip_chaos;
mod sip_flows;
mod sip_torture;
mod sip_transactions;
mod sip_wire;
mod small_hotline;
mod support;
mod wait_told;
mod world;
