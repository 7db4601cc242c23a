//! Futures as callers hear them, against every closed formula, on days with several skills, agents who have more than one,
//! priorities, a peak, agents who go home and agents who drop out: asked for and brought back as messages, told in words.
//! `cargo bench --bench futures` has the figures of many such days; here is one of each kind, so that it takes seconds.
use crate::support::skilled_day::{Day, Figures, House, Ways};

#[test]
fn running_ahead_beats_every_closed_formula_and_the_words_hold() {
    let mut figures = Figures::default();
    for house in [House::Shop, House::Bank] {
        let mut day = Day::new(house, 1, Ways { hours: 4, ..Ways::default() });
        day.run();
        assert!(day.batches.0 > 50 && day.batches.1 < 1_000_000, "{:?}", day.batches);
        figures.add(&day);
    }
    println!("{figures}");
    assert!(figures.n > 500.0, "{figures}");
    for rule in figures.rules().filter(|rule| *rule != "hotline") {
        assert!(figures.rmse("hotline") < figures.rmse(rule), "{rule}: {figures}");
    }
    assert!((0.65..=0.9).contains(&figures.held()) && figures.later() < 0.1, "{figures}");
}
