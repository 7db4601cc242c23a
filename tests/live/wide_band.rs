//! Wide-band sound: G.722 between phones that have it, and to those that have not.
use hotline::media::Codec;
use hotline::replay::{Phone, PhoneEvent, PhoneSettings, Voice};

use crate::baresip_peer::Baresip;
use crate::cast::{AGENT_HZ, CALLER_HZ, answer, no_wrap_up, only, over, rings};
use crate::house::{House, MUSIC_HZ, PROMPT_HZ, SOON, hears, runtime};

fn phone_of(user: &str, house: &House, codec: Codec, hz: f64) -> PhoneSettings {
    let mut settings = PhoneSettings::new(user, house.sip);
    (settings.codecs, settings.voice) = (vec![codec], Voice::Tone(hz));
    settings
}

async fn agent_with(house: &House, codec: Codec) -> Phone {
    let mut settings = phone_of("8001", house, codec, AGENT_HZ);
    settings.password = Some(house.password("8001"));
    house.agent_with(settings).await
}

/// A caller hears the menu, presses a key, hears music, talks to an agent, each in his own codec.
fn talk(caller_has: Codec, agent_has: Codec) {
    let house = House::open_with("[rtp]\ncodecs = [\"G722\", \"PCMA\", \"PCMU\"]", no_wrap_up);
    runtime().block_on(async {
        let mut agent = agent_with(&house, agent_has).await;
        let mut caller = Phone::start(phone_of("13800138000", &house, caller_has, CALLER_HZ)).await.unwrap();
        caller.dial("95188").await.unwrap();
        caller.wait("the answer", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        hears("the caller", &caller, &[PROMPT_HZ], &[MUSIC_HZ, AGENT_HZ, CALLER_HZ]).await;
        caller.press("13").await.unwrap();
        rings(&mut agent).await;
        only("the waiting caller", &caller, &[MUSIC_HZ]).await;
        answer(&mut agent).await;
        only("the agent", &agent, &[CALLER_HZ]).await;
        only("the caller", &caller, &[AGENT_HZ]).await;
        agent.press("*1").await.unwrap();
        only("the held caller", &caller, &[MUSIC_HZ]).await;
        agent.press("*1").await.unwrap();
        only("the caller", &caller, &[AGENT_HZ]).await;
        caller.hang_up().await.unwrap();
        over(&mut agent).await;
    });
}

#[test]
fn both_speak_wide_band() {
    talk(Codec::G722, Codec::G722);
}

#[test]
fn a_wide_band_caller_talks_to_a_narrow_band_agent() {
    talk(Codec::G722, Codec::Pcma);
}

#[test]
fn a_narrow_band_caller_talks_to_a_wide_band_agent() {
    talk(Codec::Pcmu, Codec::G722);
}

/// Another maker's G.722, both ways, to a phone that has none.
#[test]
fn baresip_in_wide_band_hears_the_menu_and_talks_to_a_narrow_band_agent() {
    let house = House::open_with("[rtp]\ncodecs = [\"G722\", \"PCMA\"]", no_wrap_up);
    runtime().block_on(async {
        let mut agent = agent_with(&house, Codec::Pcma).await;
        let who = ("13800138000", None);
        let mut baresip = Baresip::start_in("G722/16000/1", &house, who, ("udp", CALLER_HZ)).await;
        baresip.visit(&mut agent).await;
    });
}
