//! What nobody reaches who has not proved who he is: an agent's registration, his name, feature codes, third parties.
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
