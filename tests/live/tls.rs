//! SIP over TLS and sound over SRTP, with baresip, openssl and phones of our own; certificates that change under calls.
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hotline::replay::{Phone, PhoneEvent, PhoneSettings, PhoneTls, Voice};
use hotline::sdp::SrtpPolicy;

use crate::baresip_peer::Baresip;
use crate::cast::{AGENT_HZ, CALLER_HZ, answer, no_wrap_up, only, over, rings};
use crate::certificates::Certificates;
use crate::house::{House, MUSIC_HZ, PROMPT_HZ, SOON, hears, runtime};

fn house(srtp: &str, more: &str) -> (Certificates, House, SocketAddr) {
    let certificates = Certificates::new();
    let house = House::open_with(&format!("{}{more}", certificates.settings(srtp)), no_wrap_up);
    let at = house.server.as_ref().unwrap().addresses.tls[0];
    (certificates, house, at)
}

/// A phone over TLS.
fn phone(
    user: &str,
    at: SocketAddr,
    certificates: &Certificates,
    (hz, srtp): (f64, SrtpPolicy),
) -> PhoneSettings {
    let mut settings = PhoneSettings::new(user, at);
    settings.voice = Voice::Tone(hz);
    settings.tls = Some(PhoneTls { authority: certificates.authority_file(), sips: true, srtp });
    settings
}

async fn calls(settings: PhoneSettings) -> Phone {
    let mut phone = Phone::start(settings).await.unwrap();
    phone.dial("95188").await.unwrap();
    phone.wait("the answer", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
    phone
}

#[test]
fn sips_and_srtp_from_end_to_end_and_beside_plain_phones() {
    let (certificates, house, at) = house("require", "");
    runtime().block_on(async {
        let mut settings = phone("8001", at, &certificates, (AGENT_HZ, SrtpPolicy::Require));
        settings.password = Some(house.password("8001"));
        let mut agent = house.agent_with(settings).await;
        let secret = phone("13800138000", at, &certificates, (CALLER_HZ, SrtpPolicy::Require));
        let mut callers = [
            calls(secret).await,
            // Not over TLS, so in the clear, to the same agent.
            house.caller("13900139000", "95188", Voice::Tone(CALLER_HZ)).await,
        ];
        for caller in &mut callers {
            hears("the caller", caller, &[PROMPT_HZ], &[AGENT_HZ, MUSIC_HZ]).await;
            caller.press("13").await.unwrap();
            rings(&mut agent).await;
            answer(&mut agent).await;
            tokio::join!(only("the caller", caller, &[AGENT_HZ]), only("the agent", &agent, &[CALLER_HZ]));
            // Offered anew by the house, answered under the same keys.
            agent.press("*1").await.unwrap();
            only("the held caller", caller, &[MUSIC_HZ]).await;
            agent.press("*1").await.unwrap();
            tokio::join!(only("the caller", caller, &[AGENT_HZ]), only("the agent", &agent, &[CALLER_HZ]));
            caller.hang_up().await.unwrap();
            over(&mut agent).await;
        }
        // Without keys nobody gets in where they are required.
        let mut plain =
            Phone::start(phone("137", at, &certificates, (CALLER_HZ, SrtpPolicy::Off))).await.unwrap();
        plain.dial("95188").await.unwrap();
        let refused = plain.wait("a refusal", SOON, |e| matches!(e, PhoneEvent::Refused(_))).await.unwrap();
        assert!(matches!(refused, PhoneEvent::Refused(s) if s.code() == 488), "{refused:?}");
    });
}

#[test]
fn a_phone_that_does_not_believe_the_certificate_sends_nothing() {
    let (_certificates, house, at) = house("offer", "");
    let others = Certificates::new();
    runtime().block_on(async {
        let mut stranger =
            Phone::start(phone("138", at, &others, (CALLER_HZ, SrtpPolicy::Offer))).await.unwrap();
        stranger.dial("95188").await.unwrap();
        stranger.wait("a refusal", SOON, |e| matches!(e, PhoneEvent::Refused(_))).await.unwrap();
        assert_eq!(house.status().await["figures"]["arrived"], 0);
    });
}

/// It hears the menu, presses keys, talks to an agent whose phone is plain, hangs up.
fn baresip_calls(mediaenc: &'static str) {
    let (certificates, mut house, at) = house("offer", "");
    runtime().block_on(async {
        let mut agent = house.agent("8001", Voice::Tone(AGENT_HZ)).await;
        let secured = (at, certificates.authority_file(), mediaenc);
        let mut baresip = Baresip::start_secured("13800138000", None, secured, CALLER_HZ).await;
        baresip.visit(&mut agent).await;
    });
    assert_eq!(house.story(0)["call"]["keys"], "13");
}

#[test]
fn baresip_calls_over_tls() {
    baresip_calls("");
}

#[test]
fn baresip_calls_over_tls_and_srtp() {
    baresip_calls("srtp-mand");
}

#[test]
fn baresip_works_as_an_agent_over_tls_and_srtp() {
    let (certificates, house, at) = house("require", "");
    runtime().block_on(async {
        let password = house.password("8001");
        let secured = (at, certificates.authority_file(), "srtp-mand");
        let mut baresip = Baresip::start_secured("8001", Some(&password), secured, AGENT_HZ).await;
        baresip.sign_in().await;
        let mut caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
        caller.press("13").await.unwrap();
        baresip.wait("CALL_ESTABLISHED").await;
        only("the caller", &caller, &[AGENT_HZ]).await;
        baresip.hears(&[CALLER_HZ], &[MUSIC_HZ, PROMPT_HZ, AGENT_HZ]).await;
        caller.hang_up().await.unwrap();
        over(&mut caller).await;
        baresip.wait("CALL_CLOSED").await;
    });
}

fn openssl(at: SocketAddr, certificates: &Certificates, more: &[&str]) -> Child {
    Command::new("timeout")
        .args(["10", "openssl", "s_client", "-connect", &at.to_string(), "-CAfile"])
        .arg(certificates.authority_file())
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What `openssl s_client` prints, with `more` arguments and nothing typed in.
fn s_client(at: SocketAddr, certificates: &Certificates, more: &[&str]) -> String {
    let output = openssl(at, certificates, more).wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Whether a server follows `openssl s_client` into a second handshake within a connection: the client then sees its
/// certificate again. One that does not may refuse, or say nothing until the client gives up.
fn negotiates_anew(at: SocketAddr, certificates: &Certificates) -> (bool, String) {
    let mut child = openssl(at, certificates, &["-tls1_2"]);
    // Open until the end: its own end would end the connection first.
    let mut commands = child.stdin.take().unwrap();
    let (mut said, mut asked) = (String::new(), false);
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        said.push_str(&line);
        said.push('\n');
        if line.contains("RENEGOTIATING") {
            asked = true;
            // It begins with the next byte that it has to send.
            commands.write_all(b"x\n").unwrap();
        }
        // The certificate is looked at in each handshake.
        if line.starts_with("depth=0") && asked {
            child.kill().unwrap();
            child.wait().unwrap();
            return (true, said);
        }
        if line.starts_with("verify return") && !asked {
            commands.write_all(b"R\n").unwrap();
        }
    }
    child.wait().unwrap();
    assert!(asked, "nothing was asked: {said}");
    (false, said)
}

#[test]
fn old_versions_are_refused() {
    let (certificates, _house, at) = house("offer", "");
    for old in ["-tls1", "-tls1_1"] {
        let said = s_client(at, &certificates, &[old, "-cipher", "ALL:@SECLEVEL=0"]);
        assert!(
            said.contains("SSL alert number") && said.contains("no peer certificate available"),
            "{old}: {said}"
        );
    }
    let speaks = |new: &str| {
        let said = s_client(at, &certificates, &[new]);
        assert!(said.contains("Cipher is ") && !said.contains("Cipher is (NONE)"), "{new}: {said}");
    };
    speaks("-tls1_2");
    speaks("-tls1_3");
}

#[test]
fn whoever_wants_to_negotiate_anew_is_not_followed_and_the_door_stays_open() {
    let (certificates, _house, at) = house("offer", "");
    let (followed, said) = negotiates_anew(at, &certificates);
    assert!(!followed, "{said}");
    let said = s_client(at, &certificates, &["-tls1_2"]);
    assert!(said.contains("Cipher is ECDHE"), "{said}");
    // A server that does follow, so that the question is known to be one.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let file = |name: &str| certificates.folder.join(name);
    let mut willing = Command::new("timeout")
        .args(["20", "openssl", "s_server", "-quiet", "-tls1_2", "-client_renegotiation", "-accept"])
        .arg(free.to_string())
        .args([
            OsStr::new("-cert"),
            file("chain.pem").as_os_str(),
            OsStr::new("-key"),
            file("key.pem").as_os_str(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + SOON;
    while TcpStream::connect(free).is_err() {
        assert!(Instant::now() < end, "openssl s_server does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (followed, said) = negotiates_anew(free, &certificates);
    willing.kill().unwrap();
    willing.wait().unwrap();
    assert!(followed, "{said}");
}

/// The serial number of the certificate that is shown now.
fn serial(at: SocketAddr, certificates: &Certificates) -> String {
    let said = s_client(at, certificates, &["-showcerts"]);
    let pem = said.split_once("-----BEGIN").and_then(|(_, rest)| rest.split_once("-----END"));
    pem.unwrap_or_else(|| panic!("{said}")).0.to_owned()
}

#[test]
fn certificates_change_under_a_call_that_goes_on_and_a_bad_one_changes_nothing() {
    let (certificates, house, at) = house("offer", "");
    runtime().block_on(async {
        let mut caller = calls(phone("138", at, &certificates, (CALLER_HZ, SrtpPolicy::Offer))).await;
        hears("the caller", &caller, &[PROMPT_HZ], &[]).await;
        let first = serial(at, &certificates);
        // A bad file: the old certificate is shown, and the metrics say so.
        certificates.spoil();
        told(&house, "hotline_tls_reloads_total{what=\"refused\"}", |n| n >= 1.0).await;
        assert_eq!(serial(at, &certificates), first);
        // A good one, found by looking.
        certificates.renew();
        let second = changes(at, &certificates, &first);
        // And one that is told of by SIGHUP.
        certificates.renew();
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGHUP).unwrap();
        changes(at, &certificates, &second);
        let days = scrape(&house, "hotline_tls_certificate_days").await;
        assert!(days > 365.0, "{days}");
        // The call's own connection still carries its signalling.
        hears("the caller", &caller, &[PROMPT_HZ], &[]).await;
        caller.hold(true).await.unwrap();
        caller.wait("the answer to a hold", SOON, |e| *e == PhoneEvent::Changed(true)).await.unwrap();
        caller.hang_up().await.unwrap();
        over(&mut caller).await;
        // New connections are believed too.
        let again = calls(phone("139", at, &certificates, (CALLER_HZ, SrtpPolicy::Offer))).await;
        hears("the next caller", &again, &[PROMPT_HZ], &[]).await;
    });
}

/// Waits until another certificate than `before` is shown.
fn changes(at: SocketAddr, certificates: &Certificates, before: &str) -> String {
    let end = Instant::now() + SOON;
    loop {
        let shown = serial(at, certificates);
        if shown != before {
            return shown;
        }
        assert!(Instant::now() < end, "the old certificate is still shown");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A figure of `/metrics`.
pub(crate) async fn scrape(house: &House, name: &str) -> f64 {
    let text = house.get("/metrics").await;
    let line = text.lines().find_map(|l| l.strip_prefix(name));
    line.and_then(|l| l.trim().parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// Waits until a figure is as wanted.
pub(crate) async fn told(house: &House, name: &str, good: impl Fn(f64) -> bool) {
    let end = Instant::now() + SOON;
    loop {
        let value = scrape(house, name).await;
        if good(value) {
            return;
        }
        assert!(Instant::now() < end, "{name} is {value}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
