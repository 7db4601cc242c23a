//! Each rule of the house fires, shown on strings.
use super::*;

/// What the rules say of one file, as printed.
fn said(file: &str, text: &str) -> Vec<String> {
    let mut public = PublicModules::new();
    public.insert("exchange".into(), public_modules("pub mod acd;\nmod call;"));
    public.insert("base".into(), public_modules("pub mod limits;"));
    let text = format!("//! What this is, in a line.\n{text}");
    rust(file, &text, &public).iter().map(|v| format!("{}: {}", v.line, v.message)).collect()
}

#[test]
fn an_arrow_that_points_up_is_named() {
    assert_eq!(said("src/exchange/call.rs", "use crate::io::Store;"), ["2: exchange must not import io"]);
    assert_eq!(said("src/sip/mod.rs", "use super::exchange::Input;"), ["2: sip must not import exchange"]);
    assert_eq!(said("src/sip/a.rs", "use crate::{\n base::Rng,\n node::{Node, X}};").len(), 2);
    assert_eq!(said("src/io/a.rs", "fn f() { crate::sim::run() }"), ["2: io must not import sim"]);
    assert!(said("src/io/a.rs", "use crate::{base::Rng, node::Node};").is_empty());
    assert!(said("src/exchange/a.rs", "// crate::io\nconst A: &str = \"crate::io::X\";").is_empty());
    assert_eq!(
        said("src/attic/a.rs", "")[0],
        "1: attic is not a room; the table of rooms is in tests/tidy.rs"
    );
}

#[test]
fn other_rooms_are_entered_by_the_front_door() {
    let past =
        "2: crate::exchange::call::Call reaches past the front door of exchange: re-export it in its mod.rs";
    assert_eq!(said("src/node/a.rs", "use crate::exchange::call::Call;"), [past]);
    assert_eq!(said("src/node/a.rs", "use crate::exchange::acd::order::Order;").len(), 1);
    assert!(said("src/node/a.rs", "use crate::exchange::acd::Acd;").is_empty());
    assert!(
        said("src/node/a.rs", "fn f() { crate::exchange::Input::LegArrived; crate::base::limits::A }")
            .is_empty()
    );
    assert!(said("src/exchange/a.rs", "use crate::exchange::call::stage::Stage;").is_empty());
}

#[test]
fn a_path_that_climbs_twice_is_named() {
    let text = format!("use {0}::{0}::X;", "super");
    assert_eq!(said("src/sip/a/b.rs", &text), ["2: a path climbs twice: write crate::room::X"]);
    assert!(said("src/sip/a/b.rs", "use super::X;").is_empty());
}

#[test]
fn an_outside_crate_has_one_door() {
    assert_eq!(
        said("src/rtp/stats.rs", "use rtp_rs::Seq;"),
        ["2: rtp_rs may be named only in src/rtp/packet.rs"]
    );
    assert_eq!(said("src/sip/a.rs", "#[tokio::test]\nfn f() {}").len(), 1);
    assert_eq!(said("src/node/a.rs", "use ::axum::Router;").len(), 1);
    assert!(said("src/rtp/packet.rs", "use rtp_rs::Seq;").is_empty());
    assert!(said("src/media/codec/g711.rs", "use audio_codec::Decoder;").is_empty());
    assert!(
        said("src/exchange/a.rs", "fn f(toml: u8) { self.toml::<u8>(toml); crate::exchange::toml::x() }")
            .is_empty()
    );
}

#[test]
fn a_pure_room_does_not_touch_the_world() {
    let message = "2: exchange is pure and must not touch the world: std::fs belongs in io";
    assert_eq!(said("src/exchange/a.rs", "use std::fs;"), [message]);
    assert_eq!(said("src/sip/a.rs", "use std::{net::{SocketAddr, UdpSocket}, thread::spawn};").len(), 2);
    assert!(said("src/io/a.rs", "use std::fs;").is_empty());
    assert!(
        said("src/sip/a.rs", "use std::net::SocketAddr;\n#[cfg(test)]\nmod tests { use std::fs; }")
            .is_empty()
    );
}

#[test]
fn a_long_file_is_named_and_its_tests_are_not_counted() {
    let long = "\n".repeat(LINES_MAX + 9);
    assert_eq!(said("src/sip/a.rs", &long), ["601: 610 lines of code, at most 600: split it by procedure"]);
    assert!(said("src/sip/a.rs", &format!("#[cfg(test)]\nmod tests {{{long}}}")).is_empty());
    assert!(said("src/sip/a/tests.rs", &long).is_empty());
}

#[test]
fn a_file_without_a_header_is_named() {
    let bare = rust("src/sip/a.rs", "use std::fmt;\n", &PublicModules::new());
    assert_eq!(
        bare[0].to_string(),
        "src/sip/a.rs:1: a file opens with `//!`: what it is, its RFC, its invariant"
    );
    assert_eq!(rust("tests/a.rs", "//! x", &PublicModules::new()).len(), 1);
}

#[test]
fn an_empty_word_in_a_type_name_is_named() {
    assert_eq!(
        said("src/sip/a.rs", "struct CallManager;"),
        ["2: CallManager: `Manager` says nothing; see docs/glossary.md"]
    );
    assert_eq!(
        said("src/sip/a.rs", "enum SipSession {}\ntrait EventHandler {}\ntype RtpChannel = u8;").len(),
        3
    );
    assert!(said("src/sip/a.rs", "struct RtpSession; struct Metadata; enum A { Info, Data }").is_empty());
    assert!(said("src/sip/invite/session.rs", "struct Session;").is_empty());
    assert_eq!(said("src/sip/invite/mod.rs", "struct Session;").len(), 1);
}

#[test]
fn an_ignored_test_is_named() {
    assert_eq!(said("tests/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}").len(), 1);
}

#[test]
fn a_promise_and_a_machine_path_are_named() {
    let promise = format!("fine\n// {}: later", LATER[0]);
    assert_eq!(plain_text("a.md", &promise)[0].line, 2);
    assert_eq!(plain_text("a.md", &format!("see {}x", MACHINE_PATHS[0])).len(), 1);
    assert!(plain_text("a.md", "a method of doing it").is_empty());
}

#[test]
fn literals_comments_and_lifetimes_are_not_code() {
    let text = "let a = r#\"x \" y\"#; /* b /* c */ d */ let e: &'f u8 = b'\\''; 'g' \"h \\\" i\" // j";
    let words: Vec<String> = tokens(text).into_iter().map(|t| t.text).filter(|t| is_name(t)).collect();
    assert_eq!(words, ["let", "a", "let", "e", "f", "u8"]);
}

#[test]
fn the_names_of_tests_are_taken_from_the_last_cell_of_each_row() {
    let table =
        "text `no_test`\n| what | tests |\n|---|---|\n| a `b` | `one_is`, `two_are` (of `tests/x.rs`) |\n";
    assert_eq!(named_tests(table), [(4, "one_is".to_owned()), (4, "two_are".to_owned())]);
}
