//! What nobody reaches who has not proved who he is: an agent's registration, his name, feature codes, third parties.
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use hotline::replay::{Phone, PhoneEvent, PhoneSettings, Voice};

use crate::house::{House, SOON, runtime};

/// The status with which a call is refused.
async fn refused(house: &House, from: &str, password: Option<&str>, number: &str) -> u16 {
    let mut settings = PhoneSettings::new(from, house.sip);
    settings.password = password.map(str::to_owned);
    let mut phone = Phone::start(settings).await.unwrap();
    phone.dial(number).await.unwrap();
    let end =
        phone.wait("an end", SOON, |e| matches!(e, PhoneEvent::Refused(_) | PhoneEvent::Up)).await.unwrap();
    match end {
        PhoneEvent::Refused(status) => status.code(),
        other => panic!("{from} reached {number}: {other:?}"),
    }
}

#[test]
fn a_wrong_password_registers_nobody() {
    let house = House::open("");
    runtime().block_on(async {
        for (user, password) in [("8001", "guess"), ("8999", "guess")] {
            let mut settings = PhoneSettings::new(user, house.sip);
            settings.password = Some(password.to_owned());
            let mut phone = Phone::start(settings).await.unwrap();
            phone.register(Duration::from_mins(1)).await.unwrap();
            let end =
                phone.wait("a verdict", SOON, |e| matches!(e, PhoneEvent::Registered(..))).await.unwrap();
            // Known and unknown users hear the same.
            let PhoneEvent::Registered(false, Some(status)) = end else { panic!("{user}: {end:?}") };
            assert!([401, 403].contains(&status.code()), "{user}: {status:?}");
        }
        // The right one does, so it was the password.
        house.agent("8001", Voice::Silence).await;
    });
}

#[test]
fn a_stranger_reaches_the_hotlines_numbers_and_nothing_else() {
    let house = House::open("");
    runtime().block_on(async {
        let _agent = house.agent("8002", Voice::Silence).await;
        // An agent, a feature code, a third party by number, code and name, a queue, a menu.
        for number in ["8002", "*81", "*82", "*841", "7001", "1", "lighthouse-store", "account", "main"] {
            let status = refused(&house, "13800138000", None, number).await;
            assert!([403, 404].contains(&status), "{number}: {status}");
        }
        house.caller("13800138000", "95188", Voice::Silence).await;
    });
}

#[test]
fn whoever_says_he_is_an_agent_must_prove_it() {
    let house = House::open("");
    runtime().block_on(async {
        for number in ["95188", "*81", "8001", "7001"] {
            assert_eq!(refused(&house, "8002", None, number).await, 401, "{number}");
            let status = refused(&house, "8002", Some("guess"), number).await;
            assert!([401, 403].contains(&status), "{number}: {status}");
        }
        // Even a proved agent dials neither colleagues nor third parties.
        let password = house.password("8002");
        for number in ["8001", "7001", "1"] {
            assert_eq!(refused(&house, "8002", Some(&password), number).await, 404, "{number}");
        }
    });
}

/// Requests of a stranger, each to be refused: what it says first, and its more fields.
fn intrusions(merchant: SocketAddr, sip: SocketAddr) -> Vec<(String, String)> {
    let asserted = "P-Asserted-Identity: <sip:8001@hotline>\r\nP-Preferred-Identity: <sip:8001@hotline>\r\nRemote-Party-ID: \
                    <sip:8001@hotline>;screen=yes\r\n";
    let mut all: Vec<(String, String)> = Vec::new();
    // An open relay, an agent, a third party, a number outside: by the Request-URI, a Route, a spoofed identity.
    for uri in [
        format!("sip:7001@{merchant}"),
        "sip:7001@hotline".into(),
        "sip:8002@hotline".into(),
        "sip:00491234567@hotline".into(),
        format!("sip:0900555@{sip};user=phone"),
        "tel:+1900555".into(),
        "sip:*81@hotline".into(),
        "sip:8002@hotline;transport=udp;maddr=127.0.0.1".into(),
    ] {
        all.push((format!("INVITE {uri}"), String::new()));
        all.push((format!("INVITE {uri}"), asserted.into()));
        all.push((format!("INVITE {uri}"), format!("Route: <sip:{merchant};lr>\r\n")));
        all.push((
            format!("INVITE {uri}"),
            "Replaces: a;to-tag=b;from-tag=c\r\nRequire: replaces\r\n".into(),
        ));
    }
    for (method, fields) in [
        ("REFER", format!("Refer-To: <sip:7001@{merchant}>\r\n")),
        ("REFER", "Refer-To: <sip:8002@hotline>\r\n".into()),
        ("MESSAGE", "Content-Type: text/plain\r\n".into()),
        ("SUBSCRIBE", "Event: dialog\r\nExpires: 600\r\n".into()),
        ("SUBSCRIBE", "Event: presence\r\nExpires: 600\r\n".into()),
        ("PUBLISH", "Event: presence\r\nExpires: 600\r\n".into()),
        ("NOTIFY", "Event: refer\r\nSubscription-State: active\r\n".into()),
        ("INFO", "Content-Type: application/dtmf-relay\r\n".into()),
        ("UPDATE", String::new()),
        ("BYE", String::new()),
        ("CANCEL", String::new()),
    ] {
        all.push((format!("{method} sip:8002@hotline"), fields.clone()));
        all.push((format!("{method} sip:8002@hotline"), format!("{asserted}{fields}")));
        all.push((format!("{method} sip:7001@{merchant}"), fields));
    }
    all
}

#[test]
fn no_request_of_a_stranger_reaches_an_agent_or_a_line_outside() {
    let merchant = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = merchant.local_addr().unwrap();
    let house = House::open(&format!("[trunks.merchants]\naddress = \"{at}\"\n"));
    let mut agent = runtime().block_on(house.agent("8002", Voice::Silence));
    let stranger = UdpSocket::bind("127.0.2.20:0").unwrap();
    stranger.set_read_timeout(Some(SOON)).unwrap();
    let me = stranger.local_addr().unwrap();
    let all = intrusions(at, house.sip);
    for (n, (first, fields)) in all.iter().enumerate() {
        let method = first.split(' ').next().unwrap();
        let request = format!(
            "{first} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bKin{n};rport\r\nMax-Forwards: 70\r\nFrom: <sip:x@{me}>;tag=t{n}\r\n\
             To: <sip:8002@hotline>\r\nCall-ID: in{n}\r\nCSeq: 1 {method}\r\nContact: <sip:x@{me}>\r\n{fields}Content-Length: 0\r\n\r\n"
        );
        stranger.send_to(request.as_bytes(), house.sip).unwrap();
        let status = final_status(&stranger, &format!("Call-ID: in{n}\r\n"));
        assert!((400..700).contains(&status), "{first} {fields:?}: {status}");
    }
    assert!(all.len() > 60);
    runtime().block_on(async {
        let rung =
            agent.wait("nothing", Duration::from_millis(300), |e| matches!(e, PhoneEvent::Rings(_))).await;
        assert!(rung.is_err(), "the agent's phone rang");
    });
    merchant.set_nonblocking(true).unwrap();
    assert!(merchant.recv(&mut [0; 2_000]).is_err(), "something went out over the trunk");
}

/// The final status of the answer with this Call-ID.
fn final_status(socket: &UdpSocket, call_id: &str) -> u16 {
    let mut buffer = vec![0; 65_535];
    loop {
        let length = socket.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let status = text.get(8..11).and_then(|s| s.parse().ok()).unwrap_or(0);
        if text.contains(call_id) && status >= 200 {
            return status;
        }
    }
}
