//! Opening the line: IPv6, all addresses at once, and what peers are told.
use hotline::io::{Server, Settings};
use hotline::replay::{Phone, PhoneEvent, PhoneSettings, Voice};

use crate::house::{House, PROMPT_HZ, SOON, hears, runtime, scratch, settings};

/// Calls the menu over this address and hears it.
async fn hears_the_menu(at: std::net::SocketAddr) {
    let mut settings = PhoneSettings::new("13800138000", at);
    settings.voice = Voice::Tone(400.0);
    let mut phone = Phone::start(settings).await.unwrap();
    phone.dial("95188").await.unwrap();
    phone.wait("the answer", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
    hears("the caller", &phone, &[PROMPT_HZ], &[]).await;
    phone.hang_up().await.unwrap();
    phone.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
}

#[test]
fn a_call_over_ipv6_and_one_over_ipv4_on_the_same_line() {
    let house = House::open_on(r#"["[::1]:0", "127.0.0.1:0"]"#, "");
    let addresses = house.server.as_ref().unwrap().addresses.sip.clone();
    assert!(addresses[0].is_ipv6() && addresses[1].is_ipv4());
    runtime().block_on(async {
        for at in addresses {
            hears_the_menu(at).await;
        }
    });
}

#[test]
fn all_addresses_of_both_families_share_one_port() {
    // Free on both families a moment ago.
    let port = std::net::TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port();
    let house = House::open_on(
        &format!(r#"["0.0.0.0:{port}", "[::]:{port}"]"#),
        "advertise = [\"127.0.0.1\", \"::1\"]",
    );
    assert_eq!(house.server.as_ref().unwrap().addresses.sip.len(), 2);
    runtime().block_on(async {
        hears_the_menu(([127, 0, 0, 1], port).into()).await;
        hears_the_menu((std::net::Ipv6Addr::LOCALHOST, port).into()).await;
    });
}

#[test]
fn one_line_opens_all_addresses_and_peers_are_told_the_advertised_one() {
    let house = House::open_on(r#""0.0.0.0:0""#, "advertise = \"127.0.0.1\"");
    let port = house.sip.port();
    assert!(house.sip.ip().is_unspecified() && house.http.ip().is_loopback());
    runtime().block_on(hears_the_menu(([127, 0, 0, 1], port).into()));
}

#[test]
fn what_is_dangerous_is_refused_before_anything_opens() {
    let folder = scratch();
    let short = folder.join("token");
    std::fs::write(&short, "secret\n").unwrap();
    let text = format!(
        "[http]\nlisten = \"0.0.0.0:0\"\ntoken_file = \"{}\"\n[store]\ndir = \"{}/store\"\n",
        short.display(),
        folder.display()
    );
    let (open, _) = Settings::read("hotline.toml", &text).unwrap();
    let refused = Server::start(open).unwrap_err().to_string();
    assert!(refused.contains("well-known one or too short"), "{refused}");
    let without = settings(&folder, "[trunks.other]\naddress = \"127.0.0.1:9\"");
    let without = Settings { menus: None, audio: None, ..without };
    let refused = Server::start(without).unwrap_err().to_string();
    assert!(refused.contains("trunk `merchants`"), "{refused}");
    std::fs::remove_dir_all(&folder).ok();
}
