//! Who hears whom: each leg speaks its own tone, and the levels at each ear name whom it hears.
use hotline::base::LegId;
use hotline::media::{Codec, MediaCommand};

use crate::media_studio::{Studio, agreement};

#[test]
fn nobody_hears_anybody_until_told() {
    assert_eq!(Studio::with_legs(4).heard(), "a:- b:- c:- d:-");
}

#[test]
fn two_in_a_bridge_hear_each_other_and_strangers_hear_nothing() {
    let mut studio = Studio::with_legs(4);
    studio.join(&[1, 2]);
    assert_eq!(studio.heard(), "a:b b:a c:- d:-");
    studio.join(&[3, 4]);
    assert_eq!(studio.heard(), "a:b b:a c:d d:c");
}

#[test]
fn three_in_a_conference_hear_the_two_others_and_two_again_when_one_leaves() {
    let mut studio = Studio::with_legs(4);
    studio.join(&[1, 2, 3]);
    assert_eq!(studio.heard(), "a:bc b:ac c:ab d:-");
    studio.join(&[1, 2, 3, 4]);
    assert_eq!(studio.heard(), "a:bcd b:acd c:abd d:abc");
    studio.hear(3, &[]);
    studio.join(&[1, 2]);
    assert_eq!(studio.heard(), "a:b b:a c:- d:abc");
}

#[test]
fn on_hold_the_caller_hears_music_and_the_agent_the_third_party_in_private() {
    let mut studio = Studio::with_legs(3);
    studio.join(&[1, 2]);
    studio.heard();
    studio.play(1, &["music"], "r");
    studio.hear(1, &[]);
    studio.join(&[2, 3]);
    assert_eq!(studio.heard(), "a:m b:c c:b");
    studio.tell(MediaCommand::Stop { leg: LegId(1) });
    studio.join(&[1, 2, 3]);
    assert_eq!(studio.heard(), "a:bc b:ac c:ab");
    studio.join(&[1, 3]);
    studio.hear(2, &[]);
    assert_eq!(studio.heard(), "a:c b:- c:a", "the agent left");
}

#[test]
fn what_is_played_is_heard_in_place_of_everybody_and_then_they_are_heard_again() {
    let mut studio = Studio::with_legs(3);
    studio.join(&[1, 2, 3]);
    studio.play(1, &["music"], "r");
    assert_eq!(studio.heard(), "a:m b:ac c:ab");
    studio.tell(MediaCommand::Stop { leg: LegId(1) });
    assert_eq!(studio.heard(), "a:bc b:ac c:ab");
}

#[test]
fn a_listener_hears_all_and_is_heard_by_nobody() {
    let mut studio = Studio::with_legs(3);
    studio.join(&[1, 2]);
    studio.hear(3, &[1, 2]);
    assert_eq!(studio.heard(), "a:b b:a c:ab");
}

#[test]
fn a_coach_is_heard_by_the_agent_alone() {
    let mut studio = Studio::with_legs(3);
    studio.hear(1, &[2]);
    studio.hear(2, &[1, 3]);
    studio.hear(3, &[1, 2]);
    assert_eq!(studio.heard(), "a:b b:ac c:ab");
}

#[test]
fn a_closed_leg_disappears_from_every_ear() {
    let mut studio = Studio::with_legs(3);
    studio.join(&[1, 2, 3]);
    studio.heard();
    studio.tell(MediaCommand::Close { leg: LegId(2) });
    studio.phones.get_mut(&2).unwrap().got.clear();
    assert_eq!(studio.heard(), "a:c b:- c:a");
    let described = studio.plane.describe(LegId(1)).unwrap();
    assert!(described.ends_with("hears Relay(LegId(3))"), "of three two are left, a bridge: {described}");
    studio.tell(MediaCommand::Close { leg: LegId(3) });
    studio.phones.get_mut(&3).unwrap().got.clear();
    assert_eq!(studio.heard(), "a:- b:- c:-");
    assert!(studio.phones[&2].got.is_empty() && studio.phones[&3].got.is_empty());
}

#[test]
fn a_source_may_open_after_it_was_named_and_the_ear_itself_is_never_heard() {
    let mut studio = Studio::with_legs(1);
    studio.hear(1, &[1, 2, 1]);
    assert_eq!(studio.heard(), "a:-");
    studio.open(2, Codec::Pcmu, 20, 20);
    assert_eq!(studio.heard(), "a:b b:-");
    studio.hear(1, &[1]);
    assert_eq!(studio.heard(), "a:- b:-");
}

#[test]
fn a_leg_that_may_only_receive_is_not_heard_and_one_that_may_only_send_hears_nothing() {
    let mut studio = Studio::with_legs(3);
    studio.join(&[1, 2, 3]);
    studio.agree(1, |r| r.receive = false);
    studio.agree(2, |r| r.send = false);
    let before = studio.phones[&2].got.len();
    assert_eq!(studio.heard(), "a:bc b:- c:b");
    assert_eq!(studio.phones[&2].got.len(), before, "nothing is sent at all");
    studio.join(&[1, 2]);
    studio.agree(2, |_| {});
    assert_eq!(studio.heard(), "a:b b:- c:b", "a bridge to one that is not to be heard");
}

#[test]
fn one_that_hears_nothing_is_sent_silence_and_a_relay_has_the_gaps_of_its_source() {
    let mut studio = Studio::with_legs(2);
    assert_eq!(studio.heard(), "a:- b:-");
    let frames = studio.phones[&1].got.len();
    assert!((24..=26).contains(&frames), "{frames} in 500 ms");
    studio.join(&[1, 2]);
    studio.run(100);
    studio.phones.get_mut(&2).unwrap().speaks = false;
    studio.run(100);
    let before = studio.phones[&1].got.len();
    studio.run(1_000);
    assert_eq!(studio.phones[&1].got.len(), before);
}

#[test]
fn a_bridge_before_the_far_end_says_anything_is_silence_and_then_its_first_packet() {
    let mut studio = Studio::with_legs(2);
    studio.phones.get_mut(&2).unwrap().speaks = false;
    studio.join(&[1, 2]);
    assert_eq!(studio.heard(), "a:- b:a");
    assert!(studio.phones[&1].got.len() >= 24);
    studio.phones.get_mut(&2).unwrap().speaks = true;
    assert_eq!(studio.heard(), "a:b b:a");
}

#[test]
fn a_codec_changed_in_mid_call_goes_on_in_the_new_one() {
    let mut studio = Studio::with_legs(2);
    studio.join(&[1, 2]);
    studio.heard();
    studio.agree(1, |r| *r = agreement(1, Codec::Pcma, 20));
    studio.phones.get_mut(&1).unwrap().got.clear();
    assert_eq!(studio.heard(), "a:b b:a");
    assert!(studio.phones[&1].got.iter().all(|g| g.header.payload_type == 8));
}

#[test]
fn more_sources_than_an_ear_may_hear_are_refused_and_counted() {
    let mut studio = Studio::with_legs(1);
    studio.hear(1, &(2..20).collect::<Vec<_>>());
    assert_eq!(studio.plane.figures().refused, 1);
}
