//! A phone without telephone-events: its keys are tones, and only the hotline takes them.
use std::time::Duration;

use hotline::base::Key;
use hotline::media::{Codec, amplitude, key_frequencies};
use hotline::replay::{Phone, PhoneEvent, PhoneSettings, Voice};

use crate::cast::{AGENT_HZ, CALLER_HZ, answer, no_wrap_up, only, rings};
use crate::house::{House, MUSIC_HZ, SOON, runtime};

const PIN: &str = "728395";

/// The longest time that both tones of any of these keys were heard together, in milliseconds.
fn tones_ms(sound: &[i16], keys: &str) -> usize {
    let longest = |key: char| {
        let (row, column) = key_frequencies(Key::from_char(key).unwrap());
        let both = |w: &[i16]| amplitude(w, row).min(amplitude(w, column)) > 800.0;
        let mut runs = (0, 0);
        for window in sound.windows(80).step_by(8) {
            runs.1 = if both(window) { runs.1 + 1 } else { 0 };
            runs.0 = runs.0.max(runs.1);
        }
        runs.0
    };
    keys.chars().map(longest).max().unwrap_or(0)
}

#[test]
fn a_phone_that_sends_tones_walks_the_menu_and_nobody_hears_its_secret_digits() {
    let mut house = House::open_with("", no_wrap_up);
    runtime().block_on(async {
        let mut agent = house.agent("8001", Voice::Tone(AGENT_HZ)).await;
        let mut settings = PhoneSettings::new("13800138000", house.sip);
        (settings.voice, settings.events, settings.codecs) =
            (Voice::Tone(CALLER_HZ), false, vec![Codec::Pcmu]);
        let mut caller = Phone::start(settings).await.unwrap();
        caller.dial("95188").await.unwrap();
        caller.wait("the answer", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        caller.press("12").await.unwrap();
        // Each menu is reached before its digits come: a person would not type ahead of a question either.
        tokio::time::sleep(Duration::from_millis(800)).await;
        caller.press(PIN).await.unwrap();
        rings(&mut agent).await;
        only("the waiting caller", &caller, &[MUSIC_HZ]).await;
        answer(&mut agent).await;
        only("the agent", &agent, &[CALLER_HZ]).await;
        assert_eq!(tones_ms(&agent.ear.all(), PIN), 0, "a secret digit is heard");
        // In talk a relay has sent the beginning of a tone before it is known for a key, and nothing after it.
        agent.ear.rinse();
        caller.press("7").await.unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
        let leak = tones_ms(&agent.ear.all(), "7");
        assert!(leak <= 45, "{leak} ms of a key's tone");
        only("the agent again", &agent, &[CALLER_HZ]).await;
        caller.hang_up().await.unwrap();
        agent.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
    });
    let story = house.story(0);
    assert_eq!(story["call"]["keys"].as_str().map(|k| &k[..2]), Some("12"), "{story}");
    assert_eq!(story["call"]["agent"], "8001");
    assert!(!story.to_string().contains(PIN));
}
