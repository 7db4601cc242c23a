//! A hundred callers at twenty a second through menu and queue to thirty agents: none lost, nobody rung twice at once.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use hotline::base::CallId;
use hotline::io::{CallFilter, CallStory, Store};
use hotline::replay::PhoneSettings;

use super::run::{Orders, Sipp, UNASKED, free_port, sign_in};
use crate::house::{House, SOON, runtime};

const CALLS: u32 = 100;
const A_SECOND: u32 = 20;
const AGENTS: usize = 30;

#[test]
fn a_hundred_calls_at_twenty_a_second_reach_an_agent_each() {
    let mut house = House::open_with(UNASKED, staff);
    let mut took = Vec::new();
    let status = runtime().block_on(async {
        let port = free_port();
        let names: Vec<String> = (0..AGENTS).map(name).collect();
        let begin = Instant::now();
        sign_in(&house, &names, port, false).await;
        took.push(begin.elapsed());
        let agents = Sipp::answering(&house, Orders::new("agent_talks").port(port).calls(CALLS, 10)).await;
        let begin = Instant::now();
        Sipp::run(&house, Orders::new("caller_to_account").calls(CALLS, A_SECOND)).await;
        took.push(begin.elapsed());
        agents.finish().await;
        house.status().await
    });
    assert_eq!(status["legs"], 0, "legs that did not end: {status}");
    assert_eq!(status["board"]["broken"], 0, "{status}");
    house.close();
    let stories = stories(&house);
    assert_eq!(stories.len(), CALLS as usize);
    for story in &stories {
        let call = &story.call;
        assert!(call.agent.is_some() && call.talk_ms >= 900, "{call:?}");
        assert_eq!((call.keys.as_str(), call.queue.as_deref()), ("13", Some("account")), "{call:?}");
        assert_eq!(call.cause.as_deref(), Some("completed"), "{call:?}");
        assert_eq!(story.facts.iter().filter(|f| f.kind == "connected").count(), 1);
    }
    assert_nobody_rings_twice_at_once(&stories);
    let longest = stories.iter().filter_map(|s| s.call.waited_ms).max();
    println!("sign-in of {AGENTS} and {CALLS} calls took {took:?}; the longest wait was {longest:?} ms");
}

#[test]
fn callers_who_hang_up_at_any_moment_leave_nothing_behind() {
    const HASTY: u32 = 60;
    let mut house = House::open_with(UNASKED, staff);
    let status = runtime().block_on(async {
        let mut agents = Vec::new();
        for n in 0..8 {
            let mut settings = PhoneSettings::new(&name(n), house.sip);
            settings.password = Some(house.password(&name(n)));
            settings.answer_after = Some(Duration::from_millis(200));
            agents.push(house.agent_with(settings).await);
        }
        Sipp::run(&house, Orders::new("hasty").calls(HASTY, A_SECOND)).await;
        // The last agent's BYE may still be on its way.
        let end = Instant::now() + SOON;
        loop {
            let status = house.status().await;
            if status["legs"] == 0 || Instant::now() > end {
                break status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(status["legs"], 0, "legs that did not end: {status}");
    assert_eq!(status["board"]["broken"], 0, "{status}");
    assert_eq!(status["board"]["calls"].as_array().map(Vec::len), Some(0), "{status}");
    house.close();
    let stories = stories(&house);
    assert_eq!(stories.len(), HASTY as usize);
    for story in &stories {
        assert_eq!(story.call.cause.as_deref(), Some("hung_up"), "{:?}", story.call);
    }
    assert_nobody_rings_twice_at_once(&stories);
    let outcomes = stories.iter().flat_map(|s| &s.offers).filter_map(|o| o.outcome.as_deref());
    let withdrawn = outcomes.filter(|o| *o != "connected").count();
    println!("{HASTY} hasty callers; {withdrawn} offers did not come to a talk");
}

fn name(n: usize) -> String {
    format!("8{:03}", n + 100)
}

/// Thirty agents who can do all that the shipped queues want, and hardly any work after a talk.
fn staff(menus: &Path) {
    let path = menus.join("agents.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut text = text.split("[agent.").next().unwrap().to_owned();
    for n in 0..AGENTS {
        let skills = ["account", "security", "loans", "hardship", "merchant", "disputes", "complaints"];
        let skills = skills.map(|s| format!("{s} = 5")).join(", ");
        writeln!(
            text,
            "[agent.{}]\nalias = \"Agent {n}\"\nskills = {{ {skills} }}\nlanguages = [\"zh\", \"en\"]",
            name(n)
        )
        .unwrap();
    }
    std::fs::write(&path, text).unwrap();
    let path = menus.join("queues.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let brief = text.replace("[account]\n", "[account]\nwrap_up = \"1s\"\n");
    let brief = brief.replace("[general]\n", "[general]\nwrap_up = \"1s\"\n");
    assert_ne!(brief, text);
    std::fs::write(&path, brief).unwrap();
}

fn stories(house: &House) -> Vec<CallStory> {
    let path = house.folder.join("store").join("hotline.db");
    runtime().block_on(async {
        let store = Store::open(&path).await.unwrap();
        let rows = store.calls(&CallFilter { limit: 1_000, ..CallFilter::default() }).await.unwrap();
        let mut stories = Vec::new();
        // The agents' sign-ins are calls too.
        for row in rows.into_iter().filter(|row| row.dialled == "95188") {
            let id = CallId(u64::try_from(row.id).unwrap());
            stories.push(store.call(id).await.unwrap().unwrap());
        }
        stories
    })
}

/// From an offer to its end, or to the end of the talk that came of it, an agent is nobody else's.
fn assert_nobody_rings_twice_at_once(stories: &[CallStory]) {
    let mut busy: BTreeMap<&str, Vec<(i64, i64, i64)>> = BTreeMap::new();
    for story in stories {
        let ends = story.offers.iter().map(|o| o.ended_us.unwrap_or(i64::MAX));
        let next = story.offers.iter().skip(1).map(|o| o.at_us);
        assert!(ends.zip(next).all(|(end, next)| end <= next), "two agents at once: {:?}", story.offers);
        for offer in &story.offers {
            let left = story.facts.iter().find(|f| f.kind == "agent_left").map(|f| f.at_us);
            let end = if offer.outcome.as_deref() == Some("connected") { left } else { offer.ended_us };
            let end = end.unwrap_or_else(|| panic!("an offer without an end: {offer:?}"));
            busy.entry(&offer.agent).or_default().push((offer.at_us, end, story.call.id));
        }
    }
    assert!(busy.len() <= AGENTS);
    for (agent, mut times) in busy {
        times.sort_unstable();
        for pair in times.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{agent} had two at once: {pair:?}");
        }
    }
}
