//! Transfers through the whole node, message by message: REFER blind and attended, Replaces, redirections, and what trunks
//! say of callers. Who hears whom afterwards is read from the commands to the sound.
use std::time::Duration;

use hotline::node::Permit;

use crate::support::switchboard_world::{AGENT, CALLER, Line, MERCHANT, OTHER, World};

/// The final words of a REFER: what was told by NOTIFY, in order.
fn told(w: &World) -> Vec<&str> {
    w.notified.iter().map(String::as_str).collect()
}

#[test]
fn a_blind_transfer_to_a_third_party_leaves_caller_and_third_party_alone() {
    for target in ["sip:7001@192.0.2.1", "sip:1@192.0.2.1", "tel:7001", "sip:7001@192.0.2.9"] {
        let mut w = World::talking();
        assert_eq!(w.refer(AGENT, target), 202, "{target}");
        assert_eq!(told(&w), ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"], "{target}");
        w.assert_two_way(CALLER, MERCHANT);
        assert!(w.hears(AGENT).is_empty() && w.is_over(AGENT), "{target}");
    }
}

#[test]
fn a_blind_transfer_to_another_agent_and_to_a_queue() {
    for target in ["sip:8001@192.0.2.1", "sip:3@192.0.2.1", "sip:account@192.0.2.1"] {
        let mut w = World::talking();
        w.sign_in(OTHER);
        assert_eq!(w.refer(AGENT, target), 202, "{target}");
        w.wait(Duration::from_secs(5));
        assert_eq!(told(&w).last(), Some(&"SIP/2.0 200 OK"), "{target}");
        w.assert_two_way(CALLER, OTHER);
        assert!(w.is_over(AGENT), "{target}");
    }
}

#[test]
fn a_blind_transfer_to_a_number_of_the_hotline_leads_to_its_menu() {
    let mut w = World::talking();
    assert_eq!(w.refer(AGENT, "sip:95188@192.0.2.1"), 202);
    assert_eq!(told(&w).last(), Some(&"SIP/2.0 200 OK"));
    assert!(w.is_over(AGENT) && !w.is_over(CALLER) && w.hears(CALLER).is_empty());
    assert_eq!(w.status_of_calls(), ["menu"]);
}

#[test]
fn a_transfer_that_fails_is_told_and_the_call_goes_on_as_before() {
    let mut w = World::talking();
    w.answers.insert("7001".into(), "486 Busy Here".into());
    assert_eq!(w.refer(AGENT, "sip:7001@192.0.2.1"), 202);
    assert_eq!(told(&w), ["SIP/2.0 100 Trying", "SIP/2.0 486 Busy Here"]);
    w.wait(Duration::from_secs(3));
    w.assert_two_way(CALLER, AGENT);
}

#[test]
fn a_third_party_transfers_its_own_leg() {
    let mut w = World::talking();
    w.press(AGENT, "*21#");
    w.press(AGENT, "*3");
    w.assert_two_way(CALLER, MERCHANT);
    assert_eq!(w.refer(MERCHANT, "sip:7002@192.0.2.9"), 202);
    assert_eq!(told(&w).last(), Some(&"SIP/2.0 200 OK"));
    assert!(w.invites_to(MERCHANT).iter().any(|i| i.starts_with("INVITE sip:7002@192.0.2.9")));
    w.assert_two_way(CALLER, MERCHANT);
    w.assert_two_way(CALLER, AGENT);
}

#[test]
fn a_transfer_leads_to_nobody_whom_nobody_wrote_down() {
    let mut w = World::talking();
    let before = w.media.len();
    for target in [
        "sip:0900555@192.0.2.1",
        "sip:7001@evil.example",
        "sip:95188@evil.example",
        "tel:+1900555",
        "sip:*81@192.0.2.1",
        "sip:192.0.2.66",
        "sip:8001@192.0.2.9",
        "https:pay.example",
        "sip:7001@192.0.2.1;method=BYE",
    ] {
        assert_eq!(w.refer(AGENT, target), 403, "{target}");
    }
    assert_eq!(w.refer(CALLER, "sip:7001@192.0.2.1"), 403, "the caller chooses nobody");
    assert_eq!(w.refer_raw(AGENT, ""), 400);
    assert!(w.notified.is_empty());
    assert_eq!(w.media.len(), before, "{:?}", &w.media[before..]);
    w.assert_two_way(CALLER, AGENT);
    assert_eq!(w.figures().referrals_refused, 10);
}

#[test]
fn a_permit_list_opens_its_numbers_and_an_hour_has_its_share() {
    let open = || World::talking_with(|t| t.permit = Permit { prefixes: vec!["0085".into()], per_hour: 1 });
    let mut w = open();
    assert_eq!(w.refer(AGENT, "sip:0049301234@192.0.2.1"), 403);
    assert_eq!(w.refer(AGENT, "sip:008521234@192.0.2.1"), 202);
    w.assert_two_way(CALLER, MERCHANT);
    assert!(w.invites_to(MERCHANT)[0].starts_with("INVITE sip:008521234@192.0.2.9"));

    let mut w = open();
    w.answers.insert("008521234".into(), "486 Busy Here".into());
    assert_eq!(w.refer(AGENT, "tel:008521234"), 202);
    w.wait(Duration::from_secs(3));
    assert_eq!(w.refer(AGENT, "tel:008521235"), 403, "one an hour");
    assert_eq!(w.figures().permits_used_up, 1);
    w.wait(Duration::from_hours(1));
}

#[test]
fn an_attended_transfer_joins_the_caller_and_whom_the_agent_consulted() {
    for first_asks in [true, false] {
        let mut w = World::talking();
        w.sign_in(OTHER);
        // The agent's phone holds the caller and calls the hotline on its second line; another agent answers.
        w.dial(AGENT, "95188");
        w.press(AGENT, "0");
        w.wait(Duration::from_secs(3));
        w.assert_two_way(AGENT, OTHER);
        let lines = w.lines(AGENT);
        let (with_caller, consultation) = (lines[lines.len() - 2].clone(), lines[lines.len() - 1].clone());
        let (asks, named) =
            if first_asks { (with_caller, consultation) } else { (consultation, with_caller) };
        let refer_to = format!(
            "<sip:8001@192.0.2.1?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>",
            named.call_id, named.their_tag, named.our_tag
        );
        assert_eq!(w.refer_in(AGENT, &asks, &format!("Refer-To: {refer_to}")), 202);
        w.wait(Duration::from_secs(3));
        assert_eq!(told(&w).last(), Some(&"SIP/2.0 200 OK"), "first asks: {first_asks}");
        w.assert_two_way(CALLER, OTHER);
        assert!(w.hears(AGENT).is_empty(), "{:?}", w.hears(AGENT));
        assert_eq!(w.live_calls_of(AGENT), 0);
    }
}

#[test]
fn a_stranger_replaces_nobody_and_learns_nothing() {
    let mut w = World::talking();
    let line = w.lines(AGENT).pop().unwrap();
    let right = format!("{};to-tag={};from-tag={}", line.call_id, line.their_tag, line.our_tag);
    let before = w.media.len();
    for replaces in [right.as_str(), "nothing;to-tag=a;from-tag=b"] {
        assert_eq!(w.replacing(CALLER, None, replaces), 403, "{replaces}");
    }
    assert_eq!(w.media.len(), before);
    assert_eq!(w.figures().replaces_refused, 2);
    w.assert_two_way(CALLER, AGENT);
}

#[test]
fn another_agents_phone_takes_over_a_leg_and_only_the_right_one() {
    let mut w = World::talking();
    w.sign_in(OTHER);
    let line = w.lines(AGENT).pop().unwrap();
    let named = |to: &str, from: &str| format!("{};to-tag={to};from-tag={from}", line.call_id);
    let right = named(&line.their_tag, &line.our_tag);
    let other = Some("8001");
    assert_eq!(w.replacing(OTHER, other, &named("x", &line.our_tag)), 481);
    assert_eq!(w.replacing(OTHER, other, &named(&line.their_tag, "x")), 481);
    assert_eq!(w.replacing(OTHER, other, &format!("{right};early-only")), 486);
    let callers = w.lines(CALLER).pop().unwrap();
    let of_caller = format!("{};to-tag={};from-tag={}", callers.call_id, callers.their_tag, callers.our_tag);
    assert_eq!(w.replacing(OTHER, other, &of_caller), 403, "a caller's place is the caller's");
    w.assert_two_way(CALLER, AGENT);
    assert_eq!(w.replacing(OTHER, other, &right), 200);
    w.assert_two_way(CALLER, OTHER);
    assert!(w.is_over(AGENT) && w.hears(AGENT).is_empty());
    assert_eq!(w.replacing(AGENT, Some("8002"), &right), 603, "it is over");
}

#[test]
fn a_third_party_moves_its_leg_to_another_phone_of_its_own_only_where_its_trunk_is_trusted() {
    for trusted in [true, false] {
        let mut w = World::talking_with(|t| t.trusted = trusted);
        w.press(AGENT, "*21#");
        w.press(AGENT, "*3");
        let named =
            |line: &Line| format!("{};to-tag={};from-tag={}", line.call_id, line.their_tag, line.our_tag);
        let own = named(&w.lines(MERCHANT).pop().unwrap());
        for other in [CALLER, AGENT] {
            let foreign = named(&w.lines(other).pop().unwrap());
            assert_eq!(w.replacing(MERCHANT, None, &foreign), 403, "trusted: {trusted}");
        }
        assert_eq!(w.replacing(CALLER, None, &own), 403, "a stranger, who names it right");
        w.assert_two_way(CALLER, MERCHANT);
        let calls = w.live_calls_of(MERCHANT);
        assert_eq!(w.replacing(MERCHANT, None, &own), if trusted { 200 } else { 403 });
        let over = w.lines(MERCHANT);
        assert_eq!(
            (over.len() > 1, w.live_calls_of(MERCHANT)),
            (trusted, calls),
            "one leg of it, old or new"
        );
        w.assert_two_way(CALLER, MERCHANT);
        w.assert_two_way(CALLER, AGENT);
        w.assert_two_way(MERCHANT, AGENT);
    }
}

#[test]
fn what_a_referrer_wants_said_is_said_if_he_is_believed_and_only_where_it_may_be() {
    let refer_to = |uri: &str| format!("Refer-To: <{uri}?User-to-User=4f72646572%3Bencoding%3Dhex>");
    // An agent's word, to a third party over a trunk.
    for trusted in [true, false] {
        let mut w = World::talking_with(|t| t.trusted = trusted);
        assert_eq!(w.refer_raw(AGENT, &refer_to("sip:7001@192.0.2.1")), 202);
        let invite = w.invites_to(MERCHANT).pop().unwrap();
        assert_eq!(invite.contains("\r\nUser-to-User: 4f72646572;encoding=hex\r\n"), trusted, "{invite}");
    }
    // A third party's word, to another behind the same trunk: only a trusted one's. It takes the caller's place.
    let mut w = World::talking_with(|t| t.trusted = false);
    w.press(AGENT, "*21#");
    w.press(AGENT, "*3");
    w.mark();
    assert_eq!(w.refer_raw(MERCHANT, &refer_to("sip:7002@192.0.2.9")), 202);
    let invite = w.invites_to(MERCHANT).pop().unwrap();
    assert!(!invite.contains("4f72646572"), "{invite}");
    let mut w = World::new(|t| t.trusted = true);
    w.sign_in(AGENT);
    w.dial_with(MERCHANT, "95188", vec![("User-to-User".into(), "00".into())]);
    w.press(MERCHANT, "0");
    assert_eq!(w.refer_raw(AGENT, &refer_to("sip:7001@192.0.2.1")), 202);
    let invite = w.invites_to(MERCHANT).pop().unwrap();
    assert_eq!(invite.matches("\r\nUser-to-User: ").count(), 1, "{invite}");
    assert!(invite.contains("\r\nUser-to-User: 4f72646572;encoding=hex\r\n"), "{invite}");
}

#[test]
fn an_agents_keys_by_info_pass_to_the_third_party_and_to_nobody_else() {
    let mut w = World::talking();
    w.press(AGENT, "4");
    assert_eq!(w.keys_sent(), [], "there is nobody to whom they could pass");
    w.press(AGENT, "*21#");
    w.press(AGENT, "52#");
    assert_eq!(w.keys_sent(), [(MERCHANT, '5'), (MERCHANT, '2'), (MERCHANT, '#')], "in private");
    w.press(AGENT, "*3");
    w.press(AGENT, "9");
    assert_eq!(w.keys_sent()[3..], [(MERCHANT, '9')], "among three, and commands are not passed on");
}

#[test]
fn a_redirecting_agents_phone_leads_to_his_other_phone_and_to_nobody_else() {
    let open =
        |t: &mut hotline::node::Trunk| t.permit = Permit { prefixes: vec!["0085".into()], per_hour: 9 };
    let mut w = World::new(open);
    w.register(OTHER, "8002");
    w.sign_in(AGENT);
    let moved = "302 Moved Temporarily\nContact: <sip:00851@192.0.2.9>;q=0.9, <sip:00852@192.0.2.1>;q=0.8, \
                 <sip:8002@192.0.2.66:5060>;q=0.7, <sip:8001@192.0.2.4:5060>;q=0.6, <sip:8002@192.0.2.4:5060>;q=0.1";
    w.answers.insert("8002@192.0.2.3".into(), moved.into());
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    w.assert_two_way(CALLER, OTHER);
    // Neither the permit list nor an agent's registration is his phone's to use.
    assert!(w.invites_to(MERCHANT).is_empty());
    let figures = w.figures();
    assert_eq!((figures.redirects_followed, figures.redirects_refused), (1, 4));
    // Where there is no other phone, it is a refusal like any other: the caller waits on.
    let mut w = World::new(open);
    w.sign_in(AGENT);
    w.answers.insert("8002".into(), "302 Moved Temporarily\nContact: <sip:00851@192.0.2.9>".into());
    w.dial(CALLER, "95188");
    w.press(CALLER, "0");
    assert_eq!(w.status_of_calls(), ["waiting"]);
    let rung = u64::try_from(w.invites_to(AGENT).len()).unwrap();
    assert!(w.invites_to(MERCHANT).is_empty() && rung > 0, "{rung}");
    assert_eq!(w.figures().redirects_refused, rung);
}

#[test]
fn requests_with_a_wrong_name_of_a_dialog_move_no_sound() {
    let mut w = World::talking();
    let before = (w.media.len(), w.figures());
    for who in [CALLER, AGENT] {
        let right = w.lines(who).pop().unwrap();
        let wrong = [
            Line { our_tag: "x".into(), ..right.clone() },
            Line { their_tag: "x".into(), ..right.clone() },
            Line { call_id: "x".into(), ..right.clone() },
            Line { our_tag: right.their_tag.clone(), their_tag: right.our_tag.clone(), ..right.clone() },
        ];
        for line in wrong {
            for (method, fields) in [
                ("BYE", ""),
                ("INVITE", "Content-Type: application/sdp"),
                ("UPDATE", ""),
                ("INFO", "Content-Type: application/dtmf"),
                ("REFER", "Refer-To: <sip:7001@192.0.2.1>"),
                ("PRACK", "RAck: 1 1 INVITE"),
                ("NOTIFY", "Event: refer\r\nSubscription-State: active"),
                ("SUBSCRIBE", "Event: refer"),
                ("CANCEL", ""),
            ] {
                assert_eq!(w.within(who, &line, method, fields), 481, "{method} {line:?}");
            }
            assert_eq!(w.within(who, &line, "ACK", ""), 0);
        }
    }
    assert_eq!((w.media.len(), w.figures().referrals_refused), (before.0, before.1.referrals_refused));
    w.assert_two_way(CALLER, AGENT);
}

#[test]
fn a_redirection_is_followed_within_the_trunk_and_nowhere_else() {
    let mut w = World::talking();
    let moved = "302 Moved Temporarily\nContact: <sip:thief@192.0.2.66>, <sip:7009@192.0.2.9>;q=0.4, \
                 <sip:7008@192.0.2.9>;q=0.9, <sip:7001@192.0.2.9>";
    w.answers.insert("7001".into(), moved.into());
    w.answers.insert("7008".into(), "486 Busy Here".into());
    assert_eq!(w.refer(AGENT, "sip:7001@192.0.2.1"), 202);
    let called: Vec<String> = w.invites_to(MERCHANT).iter().map(|i| i[11..15].to_owned()).collect();
    assert_eq!(called, ["7001", "7008", "7009"], "the best first, itself not again, the thief never");
    w.assert_two_way(CALLER, MERCHANT);
    let figures = w.figures();
    assert_eq!((figures.redirects_followed, figures.redirects_refused), (2, 2));
}

#[test]
fn redirections_in_a_circle_and_without_end_come_to_one() {
    let mut w = World::talking();
    for n in 1..20 {
        let next =
            format!("302 Moved Temporarily\nContact: <sip:{}@192.0.2.9>, <sip:7001@192.0.2.9>", 7001 + n);
        w.answers.insert(format!("{}", 7000 + n), next);
    }
    assert_eq!(w.refer(AGENT, "sip:7001@192.0.2.1"), 202);
    assert_eq!(w.invites_to(MERCHANT).len(), 6, "the first and five more");
    assert_eq!(told(&w).last(), Some(&"SIP/2.0 480 Temporarily Unavailable"));
    w.assert_two_way(CALLER, AGENT);
    // 305 and 380 send nobody anywhere; a 6xx is the last word.
    for (answer, outcome) in [
        ("305 Use Proxy\nContact: <sip:192.0.2.9>", "SIP/2.0 480 Temporarily Unavailable"),
        ("380 Alternative Service\nContact: <sip:7002@192.0.2.9>", "SIP/2.0 480 Temporarily Unavailable"),
        ("302 Moved\nContact: <sip:7010@192.0.2.9>, <sip:7011@192.0.2.9>", "SIP/2.0 603 Decline"),
    ] {
        w.answers.insert("7001".into(), answer.into());
        w.answers.insert("7010".into(), "603 Decline".into());
        w.notified.clear();
        w.mark();
        assert_eq!(w.refer(AGENT, "sip:7001@192.0.2.1"), 202, "{answer}");
        assert_eq!(told(&w).last(), Some(&outcome), "{answer}");
        assert!(!w.invites_to(MERCHANT).iter().any(|i| i.contains("sip:7011@") || i.contains("sip:7002@")));
    }
}

#[test]
fn what_a_trusted_trunk_says_of_a_caller_is_shown_and_passed_on_and_nobody_else_is_believed() {
    let said = [
        ("P-Asserted-Identity", "\"Mei\" <sip:+862112345@carrier.example>, <tel:+862112345>"),
        ("User-to-User", "56a390f3d2b7310023a2;encoding=hex"),
    ];
    for (trusted, private) in [(true, false), (true, true), (false, false)] {
        let mut w = World::new(|t| t.trusted = trusted);
        w.sign_in(AGENT);
        let mut headers: Vec<(String, String)> = said.map(|(n, v)| (n.into(), v.into())).into();
        if private {
            headers.push(("Privacy".into(), "id".into()));
        }
        w.dial_with(MERCHANT, "95188", headers);
        w.press(MERCHANT, "0");
        let to_agent = w.invites_to(AGENT).pop().unwrap();
        assert_eq!(
            to_agent.contains("X-Hotline-Asserted: +862112345\r\n"),
            trusted && !private,
            "{to_agent}"
        );
        assert_eq!(to_agent.contains("X-Hotline-User-To-User: 56a390f3"), trusted);
        assert!(!to_agent.contains("\r\nP-Asserted-Identity:") && !to_agent.contains("\r\nUser-to-User:"));
        // To a third party over the same trunk.
        w.press(AGENT, "*21#");
        let to_party = w.invites_to(MERCHANT).pop().unwrap();
        let passed = to_party.contains("\r\nP-Asserted-Identity: \"Mei\" <sip:+862112345@hotline>\r\n");
        assert_eq!(passed, trusted, "{to_party}");
        assert_eq!(to_party.contains("\r\nPrivacy: id\r\n"), private);
        assert_eq!(to_party.contains("\r\nUser-to-User: 56a390f3"), trusted);
    }
    // A stranger is never believed, whatever trunks are.
    let mut w = World::new(|t| t.trusted = true);
    w.sign_in(AGENT);
    w.dial_with(CALLER, "95188", said.map(|(n, v)| (n.into(), v.into())).into());
    w.press(CALLER, "0");
    let to_agent = w.invites_to(AGENT).pop().unwrap();
    assert!(!to_agent.contains("X-Hotline-Asserted") && !to_agent.contains("X-Hotline-User"), "{to_agent}");
}

/// The name of the dialog of a phone that rings: what a Replaces says of it. The world's phones ring with one tag.
fn ringing_dialog(w: &World, who: usize) -> String {
    let invite = w.invites_to(who).pop().unwrap();
    let field = |name: &str| invite.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim().to_owned();
    let tag = field("From:").split(";tag=").nth(1).unwrap().to_owned();
    format!("{};to-tag={tag};from-tag=byhand", field("Call-ID:"))
}

#[test]
fn a_call_that_rings_at_an_agents_phone_is_picked_up_by_a_colleagues_and_by_nobody_else() {
    for early_only in ["", ";early-only"] {
        let mut w = World::new(|_| ());
        w.sign_in(AGENT);
        w.answers.insert("8002".into(), "180 Ringing".into());
        w.dial(CALLER, "95188");
        w.press(CALLER, "0");
        w.sign_in(OTHER);
        assert_eq!(w.status_of_calls(), ["ringing"]);
        let named = ringing_dialog(&w, AGENT);
        let other = Some("8001");
        assert_eq!(w.replacing(CALLER, None, &named), 403, "a stranger, who names it right");
        assert_eq!(w.replacing(OTHER, other, &named.replace("byhand", "x")), 481);
        assert_eq!(w.replacing(OTHER, other, &named.replace("to-tag=", "to-tag=x")), 481);
        assert_eq!(w.status_of_calls(), ["ringing"]);
        w.mark();
        assert_eq!(w.replacing(OTHER, other, &format!("{named}{early_only}")), 200);
        w.assert_two_way(CALLER, OTHER);
        assert!(w.hears(AGENT).is_empty());
        let cancelled = w.requests_to(AGENT, "CANCEL");
        assert_eq!(cancelled, 1, "the phone that rang rings no more");
    }
}

#[test]
fn a_call_that_the_other_end_began_is_replaced_only_once_it_is_answered() {
    // The hotline answers each call at once, so that no early dialog of a caller's can be named: his standing one can,
    // by his own trunk alone, and not by who wants early ones only.
    let mut w = World::talking();
    w.sign_in(OTHER);
    let callers = w.lines(CALLER).pop().unwrap();
    let named = format!("{};to-tag={};from-tag={}", callers.call_id, callers.their_tag, callers.our_tag);
    assert_eq!(w.replacing(OTHER, Some("8001"), &format!("{named};early-only")), 486);
    w.assert_two_way(CALLER, AGENT);
}
