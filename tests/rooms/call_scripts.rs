//! Callers' stories: each `call_scripts/NAME.call` is told line by line to a small hotline, and the transcript of what it
//! commanded and noted is compared with `call_scripts/NAME.snap`.
//!
//! A line is `WHO VERB ...`; WHO is a caller's name, an agent's, or a third party's. `#` begins a comment.
//!
//! ```text
//! 8001 signs in               an agent's phone is registered, and he is ready
//! caller dials 95188 as 139   a stranger calls; `8001 dials *81`: an agent does
//! caller hears                what is said to him comes to its end
//! caller presses 12#          keys, one after the other
//! wait 40s                    time passes; timers fire in order
//! 8001 answers | is busy | refuses | cannot be reached | hangs up | is lost | falls silent
//! merchant rings | rings aloud | answers | holds | resumes
//! ops end the call | drain
//! ends are slow | ends are reported      hung-up legs report their end at once, or when told to
//! ```
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use hotline::base::{AgentId, TrunkId};
use hotline::exchange::{Cause, ExchangeSettings, Input, Ops, Peer};

use crate::small_hotline::{keys, menus};
use crate::world::World;

#[test]
fn every_story_goes_as_written_down() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/rooms/call_scripts");
    let mut stories: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "call"))
        .collect();
    stories.sort();
    assert!(stories.len() >= 25, "only {} stories", stories.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for story in stories {
            let name = story.file_stem().unwrap().to_string_lossy().into_owned();
            let told = tell(&fs::read_to_string(&story).unwrap());
            insta::assert_snapshot!(name, told);
        }
    });
}

/// Tells a story and returns its transcript.
fn tell(text: &str) -> String {
    let settings = ExchangeSettings { check_every: 1, ..ExchangeSettings::default() };
    let mut world = World::new(menus(), settings);
    let begin = world.now.mono;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let at = world.now.mono.since(begin);
        world.log.push(format!("{:>5.1}s {line}", at.as_secs_f64()));
        obey(&mut world, line);
    }
    let left = world.board.view(world.now).calls.len();
    world.log.push(format!("calls left: {left}, ignored: {}", world.board.exchange().ignored()));
    world.transcript()
}

fn obey(world: &mut World, line: &str) {
    let (who, what) = line.split_once(' ').unwrap_or((line, ""));
    match (who, what) {
        ("wait", time) => world.wait(duration(time)),
        ("ends", "are slow") => world.slow_ends = true,
        ("ends", "are reported") => {
            world.slow_ends = false;
            world.report_ends();
        }
        ("ops", "drain") => world.feed(Input::Ops(Ops::Drain)),
        ("ops", "end the call") => {
            let call = world.board.view(world.now).calls[0].call;
            world.feed(Input::Ops(Ops::EndCall(call)));
        }
        (who, "signs in") => world.sign_in(who),
        (who, what) => act(world, who, what),
    }
}

fn act(world: &mut World, who: &str, what: &str) {
    if let Some(rest) = what.strip_prefix("dials ") {
        let (number, caller) = rest.split_once(" as ").unwrap_or((rest, "13900000001"));
        world.dial(who, number, caller, peer(who));
        return;
    }
    let leg = world.leg(who);
    if let Some(pressed) = what.strip_prefix("presses ") {
        for key in keys(pressed) {
            world.press(leg, key);
        }
        return;
    }
    match what {
        "hears" => assert!(world.hear(leg), "nothing is said to {who}\n{}", world.transcript()),
        "answers" => {
            world.phones.get_mut(&leg).unwrap().state = crate::world::PhoneState::Up;
            world.answer(leg);
        }
        // The answer was sent before our hang-up came: nothing but its end follows.
        "answers too late" => world.answer(leg),
        "rings" => world.feed(Input::LegRinging { leg, early_sound: false }),
        "rings aloud" => world.feed(Input::LegRinging { leg, early_sound: true }),
        "holds" => world.feed(Input::LegHeld { leg, held: true }),
        "resumes" => world.feed(Input::LegHeld { leg, held: false }),
        "falls silent" => world.feed(Input::SoundLost { leg }),
        ending => world.end(leg, cause(ending)),
    }
}

fn cause(ending: &str) -> Cause {
    match ending {
        "hangs up" | "ends" => Cause::HungUp,
        "is lost" => Cause::PeerLost,
        "is busy" => Cause::Busy,
        "refuses" => Cause::Declined,
        "cannot be reached" => Cause::Unreachable,
        other => panic!("no such thing to do: {other:?}"),
    }
}

fn peer(who: &str) -> Peer {
    if who.starts_with("trunk") {
        Peer::Trunk(TrunkId::from(who))
    } else if who.starts_with('8') {
        Peer::Agent(AgentId::from(who))
    } else {
        Peer::Stranger
    }
}

fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u64 = number.parse().unwrap();
    match unit {
        "s" => Duration::from_secs(number),
        "m" => Duration::from_mins(number),
        "h" => Duration::from_hours(number),
        other => panic!("no such unit: {other}"),
    }
}
