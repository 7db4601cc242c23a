//! Keys in the sound: heard where no telephone-event comes, once, by nobody else, and never as an echo.
use std::sync::Arc;

use hotline::base::{Language, LegId};
use hotline::media::{Chord, InbandKeys, MediaPlane, PromptLibrary, SoundRules, amplitude};
use hotline::rtp::PayloadTypes;

use crate::media_studio::Studio;

/// Legs whose phones agreed to no telephone-event.
fn studio(legs: u64) -> Studio {
    let mut studio = Studio::with_legs(legs);
    (1..=legs).for_each(|leg| studio.agree(leg, |r| r.events_in = PayloadTypes::NONE));
    studio.run(200);
    (1..=legs).for_each(|leg| drop(studio.told(leg)));
    studio
}

/// The longest time that both tones of the key `5` were heard together by a leg, in milliseconds.
fn leak_ms(studio: &Studio, leg: u64, since: u64) -> usize {
    let sound = studio.phones[&leg].sound_since(since);
    let both = |w: &[i16]| amplitude(w, 770.0).min(amplitude(w, 1_336.0)) > 800.0;
    let mut longest = 0;
    let mut run = 0;
    for window in sound.windows(80).step_by(8) {
        run = if both(window) { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[test]
fn a_key_in_the_sound_stops_the_prompt_once() {
    let mut studio = studio(1);
    let play = studio.play(1, &["music"], "b");
    studio.run(100);
    studio.sing(1, '5');
    studio.run(400);
    assert_eq!(studio.told(1), [format!("key 5 stops {play}")]);
    for key in "12#".chars() {
        studio.sing(1, key);
        studio.run(200);
    }
    assert_eq!(studio.told(1), ["key 1", "key 2", "key #"]);
}

#[test]
fn where_telephone_events_come_the_sound_is_not_listened_to_and_where_none_ever_came_it_is() {
    let mut studio = Studio::with_legs(1);
    studio.run(100);
    studio.told(1);
    studio.sing(1, '4');
    studio.run(300);
    assert_eq!(studio.told(1), ["key 4"], "agreed, but it never sent one");
    studio.press(1, '7');
    studio.run(400);
    assert_eq!(studio.told(1), ["key 7"], "both ways at once are one key");
    studio.sing(1, '4');
    studio.run(300);
    assert_eq!(studio.told(1), [] as [String; 0]);
}

#[test]
fn the_setting_turns_it_off_and_keeps_it_on() {
    for (inband_keys, heard) in [(InbandKeys::Off, vec![]), (InbandKeys::On, vec!["key 4"])] {
        let mut studio = Studio::new(1);
        let plane = MediaPlane::new(Arc::clone(studio.plane.prompts()), hotline::base::Rng::from_number(1));
        studio.plane = plane.with_rules(SoundRules { inband_keys, ..SoundRules::default() });
        studio.open(1, hotline::media::Codec::Pcmu, 20, 20);
        studio.press(1, '7');
        studio.run(500);
        studio.told(1);
        studio.sing(1, '4');
        studio.run(300);
        assert_eq!(studio.told(1), heard, "{inband_keys:?}");
    }
}

#[test]
fn in_a_mix_the_others_hear_next_to_nothing_of_a_key() {
    let mut studio = studio(3);
    studio.join(&[1, 2, 3]);
    studio.run(1_000);
    for phone in [1, 2, 3] {
        studio.phones.get_mut(&phone).unwrap().tone = hotline::media::Tone::new(400.0, 0.0);
    }
    studio.run(200);
    let since = studio.ms;
    for _ in 0..10 {
        studio.sing(1, '5');
        studio.run(237);
    }
    assert_eq!(studio.told(1), vec!["key 5"; 10]);
    for ear in [2, 3] {
        let leak = leak_ms(&studio, ear, since);
        assert!(leak < 23, "{leak} ms: no receiver may take less than 23 ms for a key");
        assert!(studio.told(ear).is_empty());
    }
}

#[test]
fn in_a_relay_at_most_two_packets_of_a_key_pass() {
    let mut studio = studio(2);
    studio.join(&[1, 2]);
    studio.phones.get_mut(&1).unwrap().tone = hotline::media::Tone::new(400.0, 0.0);
    studio.run(200);
    let described = studio.plane.describe(LegId(2)).unwrap();
    assert!(described.ends_with("hears Relay(LegId(1))"), "{described}");
    let since = studio.ms;
    for _ in 0..5 {
        studio.sing(1, '5');
        studio.run(243);
    }
    assert_eq!(studio.told(1), vec!["key 5"; 5]);
    let leak = leak_ms(&studio, 2, since);
    assert!(leak <= 40, "{leak} ms");
    let got: Vec<u16> = studio.phones[&2].got.iter().map(|g| g.header.sequence).collect();
    assert!(got.windows(2).all(|w| w[1] == w[0].wrapping_add(1)), "what is withheld leaves no gap");
}

#[test]
fn a_prompt_with_the_tones_of_keys_that_comes_back_as_an_echo_is_no_key() {
    let mut studio = Studio::new(1);
    let mut prompts = PromptLibrary::default();
    let mut sound = vec![0; 24_000];
    for (n, key) in "159".chars().enumerate() {
        let at = 4_000 + 4_000 * n;
        Chord::of_key(hotline::base::Key::from_char(key).unwrap(), 5_000.0).fill(&mut sound[at..at + 2_400]);
    }
    prompts.add_samples(Language::English, "keys".into(), &sound);
    studio.plane.set_prompts(Arc::new(prompts));
    studio.open(1, hotline::media::Codec::Pcmu, 20, 20);
    studio.agree(1, |r| r.events_in = PayloadTypes::NONE);
    studio.phones.get_mut(&1).unwrap().echoes = true;
    let play = studio.play(1, &["keys"], "b");
    studio.run(3_200);
    assert_eq!(studio.told(1), ["started".to_owned(), format!("ended {play}")]);
    assert_eq!(studio.plane.leg_figures(LegId(1)).unwrap().key_echoes, 3);
    studio.run(1_000);
    studio.sing(1, '5');
    studio.run(300);
    assert_eq!(studio.told(1), ["key 5"], "a second later it is a key");
}

#[test]
fn a_key_that_one_presses_and_another_sends_back_is_the_first_ones_alone() {
    let mut studio = studio(3);
    studio.join(&[1, 2, 3]);
    studio.phones.get_mut(&2).unwrap().echoes = true;
    studio.run(500);
    studio.sing(1, '8');
    studio.run(800);
    assert_eq!(studio.told(1), ["key 8"]);
    assert_eq!(studio.told(2), [] as [String; 0]);
}
