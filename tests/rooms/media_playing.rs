//! Prompts and keys: barge-in at the first packet of a key, the end of a prompt, music that goes on where it was left.
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{Language, LegId, PromptId};
use hotline::media::{Codec, MediaCommand, PromptLibrary};

use crate::media_studio::{Studio, tone_samples};

#[test]
fn a_prompt_ends_by_itself_after_its_length_and_says_so_once() {
    let mut studio = Studio::with_legs(1);
    studio.run(100);
    studio.told(1);
    let began = studio.ms;
    let play = studio.play(1, &["prompt", "prompt"], "b");
    studio.run(2_000);
    let (ended, _) = studio.events[0];
    assert_eq!(studio.told(1), [format!("ended {play}")]);
    assert!((1_080..=1_105).contains(&(ended - began)), "{} ms for 500 + 80 + 500", ended - began);
    assert_eq!(studio.phones[&1].heard_since(began + 1_200), "-");
}

#[test]
fn a_key_stops_an_interruptible_prompt_at_once_and_names_it() {
    let mut studio = Studio::with_legs(1);
    studio.run(100);
    studio.told(1);
    let play = studio.play(1, &["prompt"], "b");
    studio.run(200);
    assert_eq!(studio.phones[&1].heard_since(studio.ms - 150), "p");
    studio.press(1, '5');
    let pressed = studio.ms;
    studio.run(1_000);
    assert_eq!(studio.told(1), [format!("key 5 stops {play}")], "and no end is told");
    // The first packet of the key comes within 20 ms; nothing of the prompt is sent after it.
    assert_eq!(studio.phones[&1].heard_since(pressed + 21), "-");
}

#[test]
fn a_key_does_not_stop_what_it_may_not_stop() {
    let mut studio = Studio::with_legs(1);
    studio.run(100);
    studio.told(1);
    let play = studio.play(1, &["prompt"], "");
    studio.run(100);
    studio.press(1, '#');
    studio.run(200);
    assert_eq!(studio.phones[&1].heard_since(studio.ms - 150), "p");
    studio.run(1_000);
    assert_eq!(studio.told(1), ["key #".to_owned(), format!("ended {play}")]);
}

#[test]
fn each_press_is_one_key_and_nobody_else_hears_it() {
    for conference in [false, true] {
        let mut studio = Studio::with_legs(3);
        studio.join(if conference { &[1, 2, 3] } else { &[1, 2] });
        studio.run(300);
        studio.told(1);
        studio.phones.values_mut().for_each(|p| p.got.clear());
        let began = studio.ms;
        for key in "12*".chars() {
            studio.press(1, key);
            studio.run(400);
        }
        assert_eq!(studio.told(1), ["key 1", "key 2", "key *"]);
        let phone = &studio.phones[&2];
        assert!(phone.got.iter().all(|g| g.header.payload_type == 0), "no event is passed on");
        let mut meter = hotline::media::ToneMeter::new(&[697.0, 1_209.0, 1_336.0], 160);
        for block in phone.sound_since(began).chunks_exact(160) {
            meter.feed(block);
            assert_eq!(meter.heard(1_500.0).count(), 0, "conference: {conference}");
        }
        assert_eq!(studio.heard().split(' ').nth(1), Some(if conference { "b:ac" } else { "b:a" }));
        assert!(studio.plane.leg_figures(LegId(1)).unwrap().withheld > 10);
    }
}

#[test]
fn in_a_relay_a_key_leaves_no_gap_in_the_numbers() {
    let mut studio = Studio::with_legs(2);
    studio.join(&[1, 2]);
    studio.run(300);
    studio.phones.get_mut(&2).unwrap().got.clear();
    studio.press(1, '7');
    studio.run(600);
    let got = &studio.phones[&2].got;
    assert!(got.windows(2).all(|p| p[1].header.sequence == p[0].header.sequence.wrapping_add(1)));
    assert!(got.iter().all(|g| g.payload.len() == 160));
}

#[test]
fn the_same_music_goes_on_where_it_was_left_also_after_an_announcement() {
    let mut prompts = PromptLibrary::default();
    let (first, second) = (tone_samples('a', 1_000), tone_samples('b', 1_000));
    prompts.add_samples(Language::English, "music".into(), &[first, second].concat());
    prompts.add_samples(Language::English, "prompt".into(), &tone_samples('p', 300));
    let mut studio = Studio::new(1);
    studio.plane.set_prompts(Arc::new(prompts));
    studio.open(1, Codec::Pcma, 20, 20);
    studio.play(1, &["music"], "r");
    studio.run(980);
    assert_eq!(studio.phones[&1].heard_since(studio.ms - 300), "a");
    studio.play(1, &["prompt"], "");
    studio.run(330);
    studio.play(1, &["music"], "r");
    studio.run(300);
    assert_eq!(studio.phones[&1].heard_since(studio.ms - 150), "b", "after the first second");
    studio.tell(MediaCommand::Stop { leg: LegId(1) });
    studio.run(5_000);
    studio.play(1, &["music"], "r");
    studio.run(500);
    assert_eq!(studio.phones[&1].heard_since(studio.ms - 300), "b", "a pause is not played over");
    studio.run(700);
    assert_eq!(studio.phones[&1].heard_since(studio.ms - 300), "a", "and it begins again at its end");
    assert_eq!(studio.told(1).iter().filter(|t| t.starts_with("ended")).count(), 1);
}

#[test]
fn a_missing_prompt_is_counted_and_never_stalls() {
    let mut studio = Studio::with_legs(1);
    studio.run(100);
    studio.told(1);
    let (play, began) = (studio.play(1, &["nowhere", "nobody"], "b"), studio.ms);
    studio.run(25);
    assert!(studio.events.iter().all(|(ms, _)| ms - began <= 20));
    assert_eq!(studio.told(1), [format!("ended {play}")]);
    studio.play(1, &["nowhere"], "r");
    studio.run(500);
    assert_eq!(studio.told(1), [] as [String; 0], "music that is missing is silence");
    assert_eq!(studio.plane.figures().missing_prompts, 3);
}

#[test]
fn while_nothing_may_be_sent_a_prompt_still_ends_and_before_an_agreement_it_waits() {
    let mut studio = Studio::with_legs(1);
    studio.agree(1, |r| r.send = false);
    studio.run(100);
    studio.told(1);
    let sent = studio.phones[&1].got.len();
    let play = studio.play(1, &["prompt"], "");
    studio.run(600);
    assert_eq!(studio.told(1), [format!("ended {play}")]);
    assert_eq!(studio.phones[&1].got.len(), sent);

    let mut studio = Studio::new(1);
    studio.tell(MediaCommand::Open { leg: LegId(1), port: 20_000 });
    let play = studio.play(1, &["prompt"], "");
    studio.run(2_000);
    assert!(studio.events.is_empty() && studio.plane.next_deadline().is_none());
    studio.open(1, Codec::Pcmu, 20, 20);
    studio.run(250);
    assert_eq!(studio.phones[&1].heard_since(studio.ms - 200), "p");
    studio.run(500);
    assert!(studio.told(1).contains(&format!("ended {play}")));
}

#[test]
fn a_new_playing_replaces_the_old_one_of_which_no_end_is_told() {
    let mut studio = Studio::with_legs(1);
    studio.run(100);
    studio.told(1);
    studio.play(1, &["prompt"], "");
    studio.run(100);
    let second = studio.play(1, &["prompt"], "");
    studio.run(1_000);
    assert_eq!(studio.told(1), [format!("ended {second}")]);
}

#[test]
fn prompts_of_every_file_format_are_heard_in_every_codec() {
    let files: [&[u8]; 5] = [
        include_bytes!("../data/audio/mu_law_8k.wav"),
        include_bytes!("../data/audio/pcm_16k.wav"),
        include_bytes!("../data/audio/stereo_22k.flac"),
        include_bytes!("../data/audio/vorbis_44k.ogg"),
        include_bytes!("../data/audio/mp3_32k.mp3"),
    ];
    for file in files {
        for codec in Codec::ALL {
            let mut prompts = PromptLibrary::default().also_in(&[Codec::G722]);
            let length = prompts.add(Language::English, PromptId::new("prompt"), file).unwrap();
            assert!(length >= Duration::from_millis(480));
            let mut studio = Studio::new(3);
            studio.plane.set_prompts(Arc::new(prompts));
            studio.open(1, codec, 20, 20);
            studio.run(100);
            studio.play(1, &["prompt"], "");
            studio.run(450);
            // The files hold half a second of 700 Hz at half of full scale; MP3 adds a little noise.
            let sound = studio.phones[&1].sound_since(studio.ms - 300);
            let level = |frequency| hotline::media::amplitude(&sound, frequency);
            assert!((15_000.0..17_000.0).contains(&level(700.0)), "{}", level(700.0));
            assert!([400.0, 1_000.0, 1_300.0, 2_100.0].iter().all(|f| level(*f) < 250.0));
        }
    }
}
