//! What waiting callers are told, judged over simulated days: the range holds as often as it claims, the upper end never
//! moves later without a cause that is said, and nobody starves.
use std::time::Duration;

use hotline::base::Instant;
use hotline::exchange::Told;

use crate::support::waiting_day::{Day, Visit, World, queue};

/// Eight agents for a little more work than they can do: a line all day, shortened by hang-ups.
fn busy_day() -> Day {
    Day {
        agents: 8,
        hours: 12,
        calls_per_hour: 160.0,
        talk_s: 180.0,
        patience_s: 420.0,
        patient: 0.2,
        urgent: 0.0,
        leave_at_half: 0,
        queue: queue(),
    }
}

fn run(day: Day, seed: u64) -> World {
    let mut world = World::new(day, seed);
    world.run();
    world
}

/// The upper ends told to a caller as times of day; a rise must say why. How many rises were said.
fn rises(visit: &Visit) -> usize {
    let mut by: Option<Instant> = None;
    let mut rises = 0;
    for (at, told) in &visit.told {
        let Told::Wait { low, high, rose } = told else { continue };
        assert!(low < high, "{told:?}");
        let end = *at + *high;
        match rose {
            Some(_) => rises += 1,
            None => {
                assert!(by.is_none_or(|by| end <= by), "{:?}: later without a cause", visit.joining.ticket);
            }
        }
        assert!(rose.is_none() || by.is_some_and(|by| end > by), "a rise that is none: {:?}", visit.told);
        by = Some(end);
    }
    rises
}

/// Of those scored, the share whose true wait was in the range.
fn covered<'v>(
    visits: impl Iterator<Item = &'v Visit>,
    range: impl Fn(&Visit) -> Option<(Duration, Duration)>,
) -> (f64, usize) {
    let mut scored = (0u32, 0u32);
    for visit in visits.filter(|v| v.patient) {
        let (Some(answered), Some((low, high))) = (visit.answered, range(visit)) else { continue };
        let waited = answered.since(visit.joining.since);
        scored.0 += u32::from(low <= waited && waited <= high);
        scored.1 += 1;
    }
    (f64::from(scored.0) / f64::from(scored.1.max(1)), usize::try_from(scored.1).unwrap())
}

fn first_range(visit: &Visit) -> Option<(Duration, Duration)> {
    match visit.told.first()?.1 {
        Told::Wait { low, high, .. } => Some((low, high)),
        Told::Unknown | Told::NobodyYet | Told::Next => None,
    }
}

#[test]
fn the_range_told_at_entry_holds_about_as_often_as_it_claims() {
    let worlds: Vec<World> = (1..=6).map(|seed| run(busy_day(), seed)).collect();
    let visits = || worlds.iter().flat_map(|w| w.visits.values());
    let (words, n) = covered(visits(), first_range);
    let (exact, _) = covered(visits(), |v| v.estimate);
    println!("{n} callers scored: words cover {words:.3}, the estimate itself {exact:.3} (claims 0.8)");
    assert!(n > 1000, "{n}");
    assert!((0.65..=0.95).contains(&words), "{words}");
    assert!((0.70..=0.90).contains(&exact), "{exact}");
}

#[test]
fn on_a_steady_day_the_told_end_hardly_ever_rises() {
    let world = run(busy_day(), 7);
    let told = world.visits.values().filter(|v| !v.told.is_empty()).count();
    let rose = world.visits.values().filter(|v| rises(v) > 0).count();
    println!("{rose} of {told} callers were told a rise");
    assert!(rose * 50 <= told, "{rose} of {told}: more than 2 %");
}

#[test]
fn when_agents_go_home_and_urgent_callers_come_a_rise_says_why() {
    let day = Day { leave_at_half: 4, urgent: 0.3, calls_per_hour: 140.0, ..busy_day() };
    let world = run(day, 8);
    let rose: usize = world.visits.values().map(rises).sum();
    let tellings: usize = world.visits.values().map(|v| v.told.len()).sum();
    println!("{rose} rises in {tellings} tellings");
    assert!(rose > 0 && rose * 10 <= tellings, "{rose} of {tellings}");
    assert_eq!(
        u64::try_from(rose).unwrap(),
        world.acd.snapshot(hotline::base::Now::default()).counters.rises
    );
}

#[test]
fn callers_hear_better_news_as_their_wait_falls() {
    let world = run(busy_day(), 9);
    let several = world.visits.values().filter(|v| v.patient && v.told.len() >= 2);
    let last = |v: &&Visit| match (&v.told.first().unwrap().1, &v.told.last().unwrap().1) {
        (Told::Wait { high: first, .. }, Told::Wait { high: last, .. }) => last < first,
        (_, Told::Next) => true,
        _ => false,
    };
    let (all, better) = (several.clone().count(), several.filter(last).count());
    println!("{better} of {all} callers told more than once heard a shorter wait");
    assert!(all > 50 && better * 10 >= all * 9, "{better} of {all}");
}

/// The bound of `order.rs`: a caller of priority `p` is overtaken only before his clock reaches `p * ageing`, so only by
/// callers who came within that time after him.
#[test]
fn overtakes_stay_within_the_proven_bound() {
    let day = Day { urgent: 0.7, patient: 0.5, ..busy_day() };
    let (ageing, world) = (day.queue.ageing, run(day, 10));
    let mut most = 0;
    for visit in world.visits.values() {
        let Some(served) = visit.offered else { continue };
        let fair = visit.joining.since + ageing * u32::from(visit.joining.priority);
        let overtakers = world.offers.iter().filter(|(at, offer)| {
            let other = &world.visits[&offer.ticket].joining;
            *at >= visit.joining.since && *at < served && other.since > visit.joining.since
        });
        let mut n = 0;
        for (at, offer) in overtakers {
            assert!(*at < fair, "{:?} overtook {:?} too late", offer.ticket, visit.joining.ticket);
            n += 1;
        }
        let urgent = |v: &&Visit| v.joining.priority < visit.joining.priority;
        let came = world.visits.values().filter(urgent);
        let bound = came.filter(|v| v.joining.since > visit.joining.since && v.joining.since < fair).count();
        assert!(n <= bound, "{n} overtakes, at most {bound} allowed");
        most = most.max(n);
    }
    println!("most overtakes: {most}");
    assert!(most > 0, "the day must have overtakes to judge");
}
