//! A banner of free words: spoken by espeak-ng or by whatever command ops name, heard by who rings and who waits, in whatever
//! menus they are; kept over a restart, gone when it is off. And a banner of a prompt, whatever the menus become.
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hotline::io::{Right, SecretPlace, Settings, TokenPlace, TokenSettings};
use hotline::replay::{Phone, Voice};
use serde_json::{Value, json};

use crate::binary::Home;
use crate::house::{House, MUSIC_HZ, PROMPT_HZ, SOON, runtime, scratch, wav};
use crate::web::{Reply, post, send, until};

const TOKEN: &str = "stapled-paper-clip";
/// What a speaker of these tests says all words with.
const VOICE_HZ: f64 = 900.0;

/// A house with this command to speak, and a desk that may do all.
fn house(speak: &str) -> House {
    House::open_set("", |s| set(s, speak))
}

fn set(s: &mut Settings, speak: &str) {
    let place = scratch().join("token");
    fs::write(&place, TOKEN).unwrap();
    s.http.tokens = vec![TokenSettings {
        name: "desk".to_owned(),
        place: TokenPlace::Secret(SecretPlace::File(place)),
        may: [Right::Read, Right::Banner, Right::Menus].into(),
    }];
    s.look_every = Duration::from_millis(100);
    speak.clone_into(&mut s.speak);
}

/// Speaks any words as so many seconds of [`VOICE_HZ`].
fn tone_speaker(seconds: usize) -> String {
    let file = scratch().join("voice.wav");
    fs::write(&file, wav(VOICE_HZ, seconds * 8_000)).unwrap();
    format!("cp {} \"$FILE\" # \"$TEXT\"", file.display())
}

fn ask(house: &House, method: &str, path: &str) -> Reply {
    let (host, token) = (format!("Host: {}", house.http), format!("Authorization: Bearer {TOKEN}"));
    send(house.http, method, path, &[&host, &token])
}

fn put_on(house: &House, wish: &Value) -> Reply {
    let (host, token) = (format!("Host: {}", house.http), format!("Authorization: Bearer {TOKEN}"));
    let headers = [host.as_str(), &token, "Content-Type: application/json"];
    post(house.http, "/api/v1/banner", &headers, &wish.to_string())
}

/// What is kept of banners.
fn kept(house: &House) -> Vec<PathBuf> {
    let entries = fs::read_dir(house.folder.join("store/banner"));
    entries.into_iter().flatten().map(|e| e.unwrap().path()).collect()
}

/// The audit about banners, the oldest first, once it has so many rows.
fn audit(house: &House, rows: usize) -> Vec<String> {
    runtime().block_on(until("the audit", || {
        let all = ask(house, "GET", "/api/v1/audit").json();
        let row = |r: &Value| {
            let text = |name: &str| r[name].as_str().unwrap().to_owned();
            format!("{}: {}", text("what"), text("outcome"))
        };
        let about = |line: &String| line.starts_with("banner");
        let lines: Vec<String> = all.as_array().unwrap().iter().rev().map(row).filter(about).collect();
        (lines.len() >= rows).then_some(lines)
    }))
}

/// How long this was heard in all, of what came to an ear since it was rinsed.
fn heard_for(phone: &Phone, hz: f64) -> Duration {
    let frames = phone.ear.all();
    let loud = |frame: &&[i16]| hotline::media::amplitude(frame, hz) > 1_000.0;
    Duration::from_millis(20) * u32::try_from(frames.chunks_exact(160).filter(loud).count()).unwrap()
}

/// Waits until an ear has heard this for so long.
async fn hears_for(phone: &Phone, hz: f64, wanted: Duration) -> Duration {
    let end = tokio::time::Instant::now() + SOON;
    loop {
        let heard = heard_for(phone, hz);
        if heard >= wanted || tokio::time::Instant::now() > end {
            return heard;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A caller who waits in a queue, to music.
async fn waits(house: &House, from: &str) -> Phone {
    let caller = house.caller(from, "95188", Voice::Silence).await;
    caller.press("0").await.unwrap();
    crate::house::hears(from, &caller, &[MUSIC_HZ], &[PROMPT_HZ]).await;
    caller
}

#[test]
fn words_are_spoken_and_heard_by_who_waits_and_who_rings_and_are_gone_when_it_is_off() {
    let house = house(&tone_speaker(2));
    runtime().block_on(async {
        let waiting = waits(&house, "13800138000").await;
        waiting.ear.rinse();
        let began = Instant::now();
        let on = put_on(&house, &json!({ "text": { "en": "Payments are down." }, "for": "2h" }));
        let took = began.elapsed();
        assert_eq!(on.status, 200, "{on:?}");
        assert_eq!(on.json()["prompt"], "spoken");
        println!("asked, spoken, levelled, kept and put on after {took:?}");
        // The words are English, the caller speaks Mandarin: better the other language than nothing.
        let heard = hears_for(&waiting, VOICE_HZ, Duration::from_millis(1_900)).await;
        assert!((1_900..=2_100).contains(&heard.as_millis()), "{heard:?}");
        let rings = house.caller("13900139000", "95188", Voice::Silence).await;
        assert!(hears_for(&rings, VOICE_HZ, Duration::from_millis(1_900)).await.as_millis() >= 1_900);
        assert_eq!(kept(&house).len(), 1, "its sound, and no draft: {:?}", kept(&house));
        assert_eq!(ask(&house, "DELETE", "/api/v1/banner").status, 204);
        assert!(kept(&house).is_empty(), "{:?}", kept(&house));
        let later = house.caller("13700137000", "95188", Voice::Silence).await;
        crate::house::hears("who rings later", &later, &[PROMPT_HZ], &[VOICE_HZ]).await;
    });
    assert_eq!(audit(&house, 2), ["banner on: done", "banner off: done"]);
}

#[test]
fn espeak_speaks_both_languages_and_a_caller_hears_as_much_as_was_spoken() {
    let house = house(hotline::io::speaker::ESPEAK);
    runtime().block_on(async {
        let waiting = waits(&house, "13800138000").await;
        waiting.ear.rinse();
        let began = Instant::now();
        let text =
            json!({ "zh": "支付系统出现故障,我们正在修复。", "en": "Payments are down. We are fixing it." });
        let on = put_on(&house, &json!({ "text": text, "for": "2h" }));
        assert_eq!(on.status, 200, "{on:?}; `cargo xtask test` installs espeak-ng");
        println!("asked, spoken in two languages and put on after {:?}", began.elapsed());
        assert_eq!(kept(&house).len(), 2, "{:?}", kept(&house));
        let zh = house.folder.join("store/banner").join(on.json()["sounds"]["zh"].as_str().unwrap());
        let sound = hotline::media::decode_audio(&fs::read(zh).unwrap(), Duration::from_mins(1)).unwrap();
        let lasts = sound.duration();
        assert!((1_500..15_000).contains(&lasts.as_millis()), "{lasts:?}");
        // The music stops for as long as somebody speaks, and what is heard meanwhile is neither silence nor a tone.
        let speech = |frame: &[i16]| {
            let loud = frame.iter().map(|s| i64::from(*s).pow(2)).sum::<i64>() / 160 > 400_000;
            loud && frame.windows(2).filter(|w| (w[0] < 0) != (w[1] < 0)).count() < 50
        };
        let spoken = |phone: &Phone| phone.ear.all().chunks_exact(160).filter(|f| speech(f)).count();
        tokio::time::sleep(lasts + Duration::from_secs(2)).await;
        let heard = Duration::from_millis(20) * u32::try_from(spoken(&waiting)).unwrap();
        println!("{heard:?} of loud speech in {lasts:?} that were spoken");
        assert!(heard > lasts / 4 && heard <= lasts, "{heard:?} of {lasts:?}");
        crate::house::hears("who waits", &waiting, &[MUSIC_HZ], &[PROMPT_HZ]).await;
    });
}

#[test]
fn a_voice_that_cannot_speak_changes_nothing_and_says_why() {
    let quiet = scratch().join("quiet.wav");
    fs::write(&quiet, wav(0.0, 16_000)).unwrap();
    let wrong = [
        ("no-such-voice \"$FILE\" \"$TEXT\"".to_owned(), "not found"),
        ("exit 7".to_owned(), "failed (exit status: 7)"),
        ("true".to_owned(), "wrote no file"),
        ("echo rubbish > \"$FILE\"".to_owned(), "cannot be played"),
        (format!("cp {} \"$FILE\"", quiet.display()), "it is silent"),
        ("printf x > \"$FILE\"; exec sleep 1000".to_owned(), "took longer than 15 s"),
    ];
    for (speak, why) in wrong {
        let house = house(&speak);
        assert_eq!(put_on(&house, &json!({ "prompt": "banner-busy", "for": "2h" })).status, 200);
        let before = kept(&house);
        let refused = put_on(&house, &json!({ "text": { "en": "Payments are down." }, "for": "2h" }));
        assert_eq!(refused.status, 500, "{speak}: {refused:?}");
        let said = refused.json()["error"].as_str().unwrap().to_owned();
        assert!(said.contains(why) && said.contains("nothing is put on"), "{speak}: {said}");
        let on = ask(&house, "GET", "/api/v1/banner").json();
        assert_eq!(on["prompt"], "banner-busy", "the one before stays on");
        assert_eq!(kept(&house), before, "nothing is left of it");
        let audit = audit(&house, 2);
        assert_eq!(audit.len(), 2, "{audit:?}");
        assert!(audit[1].starts_with("banner on: refused: ") && audit[1].contains(why), "{audit:?}");
    }
}

#[test]
fn what_was_refused_or_could_not_be_read_is_in_the_audit_once() {
    let house = house("true");
    for (wish, status) in [
        (json!({ "text": { "en": "x".repeat(201) }, "for": "2h" }), 422),
        (json!({ "text": { "en": "..." }, "for": "2h" }), 422),
        (json!({ "prompt": "banner-busy" }), 422),
        (json!({ "promt": "banner-busy" }), 400),
    ] {
        let reply = put_on(&house, &wish);
        assert_eq!(reply.status, status, "{reply:?}");
    }
    let rows = audit(&house, 4);
    assert!(rows.len() == 4 && rows.iter().all(|r| r.starts_with("banner on: refused: ")), "{rows:#?}");
}

#[test]
fn while_one_is_being_spoken_a_prompt_goes_on_at_once_and_the_last_order_wins() {
    let house = house(&format!("sleep 2; {}", tone_speaker(2)));
    std::thread::scope(|scope| {
        let slow =
            scope.spawn(|| put_on(&house, &json!({ "text": { "en": "Payments are down." }, "for": "2h" })));
        std::thread::sleep(Duration::from_millis(500));
        let began = Instant::now();
        assert_eq!(put_on(&house, &json!({ "prompt": "banner-busy", "for": "2h" })).status, 200);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        let slow = slow.join().unwrap();
        assert!(slow.status == 422 && slow.body.contains("came after this one"), "{slow:?}");
    });
    assert_eq!(ask(&house, "GET", "/api/v1/banner").json()["prompt"], "banner-busy");
}

#[test]
fn a_banner_is_heard_by_all_after_a_reload_whatever_their_menus_have() {
    let house = house("true");
    let audio = house.folder.join("audio");
    // The prompt's own sound; all others are tones of another height.
    for language in ["zh", "en"] {
        fs::write(audio.join(language).join("banner-busy.wav"), wav(VOICE_HZ, 16_000)).unwrap();
    }
    let installed = |number: u64| {
        runtime().block_on(until("the set", || {
            let told = ask(&house, "GET", "/api/v1/status").json()["menus_told"].clone();
            (told["number"] == number).then_some(())
        }));
    };
    installed(2);
    assert_eq!(put_on(&house, &json!({ "prompt": "banner-busy", "for": "2h" })).status, 200);
    runtime().block_on(async {
        // He is in the menus of the second set, and does not wait yet.
        let inside = house.caller("13800138000", "95188", Voice::Silence).await;
        assert!(hears_for(&inside, VOICE_HZ, Duration::from_millis(1_900)).await.as_millis() >= 1_900);
        let waiting = waits(&house, "13600136000").await;
        // The third set has neither the prompt nor its sound.
        let manifest = fs::read_to_string(audio.join("manifest.toml")).unwrap();
        let (before, rest) = manifest.split_once("[prompt.banner-busy]").unwrap();
        let after = rest.split_once("\n[").map_or(String::new(), |(_, after)| format!("[{after}"));
        fs::write(audio.join("manifest.toml"), format!("{before}{after}")).unwrap();
        for language in ["zh", "en"] {
            fs::remove_file(audio.join(language).join("banner-busy.wav")).unwrap();
        }
        let third = async || ask(&house, "GET", "/api/v1/status").json()["menus_told"]["number"] == 3;
        let end = tokio::time::Instant::now() + 3 * SOON;
        while !third().await {
            assert!(
                tokio::time::Instant::now() < end,
                "{}",
                ask(&house, "GET", "/api/v1/status").json()["menus_told"]
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let outside = house.caller("13900139000", "95188", Voice::Silence).await;
        let heard = hears_for(&outside, VOICE_HZ, Duration::from_millis(1_900)).await;
        assert!(heard.as_millis() >= 1_900, "the sound it went on with, in a set that has none: {heard:?}");
        // Another prompt of the third set is heard by who waits since the second, and one that only now has this sound.
        for language in ["zh", "en"] {
            fs::write(audio.join(language).join("banner-fault.wav"), wav(VOICE_HZ + 300.0, 16_000)).unwrap();
        }
        let fourth = async || ask(&house, "GET", "/api/v1/status").json()["menus_told"]["number"] == 4;
        while !fourth().await {
            assert!(tokio::time::Instant::now() < end + SOON);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        waiting.ear.rinse();
        assert_eq!(put_on(&house, &json!({ "prompt": "banner-fault", "for": "2h" })).status, 200);
        let heard = hears_for(&waiting, VOICE_HZ + 300.0, Duration::from_millis(1_900)).await;
        assert!(heard.as_millis() >= 1_900, "today's words in yesterday's menus: {heard:?}");
        let gone = put_on(&house, &json!({ "prompt": "banner-busy", "for": "2h" }));
        assert!(gone.status == 422 && gone.body.contains("is no banner"), "{gone:?}");
    });
}

#[test]
fn it_survives_a_restart_with_its_sound_and_its_end_takes_the_sound_away() {
    let mut house = house(&tone_speaker(2));
    let on = put_on(&house, &json!({ "text": { "zh": "支付系统出现故障" }, "for": "25s" }));
    assert_eq!(on.status, 200, "{on:?}");
    house.restart();
    runtime().block_on(async {
        let rings = house.caller("13900139000", "95188", Voice::Silence).await;
        let heard = hears_for(&rings, VOICE_HZ, Duration::from_millis(1_900)).await;
        assert!((1_900..=2_100).contains(&heard.as_millis()), "{heard:?}");
    });
    assert_eq!(kept(&house).len(), 1);
    let end = Instant::now() + Duration::from_secs(25) + SOON;
    while !kept(&house).is_empty() {
        assert!(Instant::now() < end, "its end has come, and its sound is still there");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(house.server.is_some());
}

#[test]
fn one_whose_sound_was_lost_is_an_alarm() {
    let mut house = house(&tone_speaker(2));
    assert_eq!(put_on(&house, &json!({ "text": { "zh": "支付系统出现故障" }, "for": "2h" })).status, 200);
    house.close();
    for path in kept(&house) {
        fs::write(path, b"half").unwrap();
    }
    house.restart();
    let alarms = crate::web::get(house.http, "/api/v1/status").json()["alarms"].clone();
    assert!(alarms.as_array().unwrap().iter().any(|a| a == "banner_mute"), "{alarms}");
}

#[test]
fn by_command_words_are_spoken_in_the_language_of_their_letters() {
    let home = Home::new();
    let text = fs::read_to_string(home.folder.join("hotline.toml")).unwrap();
    let speak = format!("echo \"$LANGUAGE $TEXT\" >> said; {}", tone_speaker(2));
    fs::write(home.folder.join("hotline.toml"), format!("{text}[voice]\nspeak = '{speak}'\n")).unwrap();
    let (_server, _) = home.serve();
    let said = home.says(&["banner", "on", "--text", "支付系统出现故障", "--for", "2h"]);
    assert!(
        said.contains("spoken for all callers, until") && said.contains("zh  支付系统出现故障"),
        "{said}"
    );
    let said = home.says(&["banner", "on", "--text-en", "It's $HOME", "--text-zh", "故障", "--for", "2h"]);
    assert!(said.contains("en  It's $HOME"), "{said}");
    let spoken = fs::read_to_string(home.folder.join("said")).unwrap();
    let mut lines: Vec<&str> = spoken.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(lines, ["zh 支付系统出现故障", "en It's $HOME", "zh 故障"]);
    let both = home.run(&["banner", "on", "--text", "a", "--text-en", "b", "--for", "2h"]);
    assert_eq!(both.status.code(), Some(2));
    let long = home.run(&["banner", "on", "--text", &"a".repeat(201), "--for", "2h"]);
    assert_eq!(long.status.code(), Some(1));
    assert!(home.says(&["banner", "off"]).contains("no banner is on"));
}
