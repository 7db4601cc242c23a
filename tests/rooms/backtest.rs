//! Estimates judged on call logs: a small one made here, and a real one when `HOTLINE_CALL_LOG` names it.
use std::fmt::Write as _;

use hotline::backtest::{CallLog, Options, Verdict, judge, page};
use hotline::base::Rng;

/// Days of a small centre: more agents in the morning than later, callers who hang up, two kinds of need.
fn made_up(days: u32, seed: u64) -> String {
    let mut rng = Rng::from_number(seed);
    let mut exponential = move |mean: f64| -mean * libm::log(1.0 - rng.unit());
    let mut text = String::from(
        "call_id,priority,service,queue_joined_s,queue_left_s,outcome,service_started_s,service_ended_s,agent\n",
    );
    let mut id = 0;
    for day in 0..days {
        let (open, close) = (f64::from(day) * 86_400.0 + 32_400.0, f64::from(day) * 86_400.0 + 61_200.0);
        let mut free = [open; 6];
        let mut at = open;
        while at < close {
            at += exponential(38.0);
            id += 1;
            let late = at > open + 14_400.0;
            let team = if late { &mut free[..5] } else { &mut free[..] };
            let (agent, soonest) =
                team.iter().copied().enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).expect("somebody works");
            let (wait, patience, talk) = ((soonest - at).max(0.0), exponential(400.0), exponential(190.0));
            let service = if id % 4 == 0 { "NW" } else { "PS" };
            let line = if wait > patience {
                format!("{id},0,{service},{at:.0},{:.0},HANG,,,", at + patience)
            } else {
                team[agent] = at + wait + talk;
                let (begins, ends) = (at + wait, at + wait + talk);
                let joined = if wait > 0.5 { format!("{at:.0},{begins:.0}") } else { ",".to_owned() };
                format!("{id},0,{service},{joined},AGENT,{begins:.0},{ends:.0},A{agent}")
            };
            writeln!(text, "{line}").expect("a string takes all");
        }
    }
    text
}

fn verdict(text: &str, from: &[u32]) -> Verdict {
    let log = CallLog::read(text, &["IN".to_owned()]).expect("a log");
    judge(&log, &Options { from_days: from.to_vec() })
}

#[test]
fn ours_beats_the_averages_and_its_words_hold_as_often_as_they_claim() {
    let verdict = verdict(&made_up(6, 1), &[3]);
    let score = |name: &str| verdict.estimators[name].overall;
    let (ours, les) = (score("hotline"), score("les"));
    println!("ours {ours:?}\nles {les:?}\nridge {:?}", score("ridge"));
    assert!(ours.n > 500, "{}", ours.n);
    assert!(ours.rmse_s < 0.75 * les.rmse_s, "{} {}", ours.rmse_s, les.rmse_s);
    assert!(ours.rmse_s < score("asterisk").rmse_s && ours.pinball_s < 1.05 * score("ridge").pinball_s);
    assert!((0.72..=0.88).contains(&ours.coverage_80), "{}", ours.coverage_80);
    assert!(ours.upward_share <= 0.02, "{}", ours.upward_share);
    assert!(les.upward_share > 0.1, "a rule that speaks anew each time tells many a later end");
}

#[test]
fn the_same_log_gives_the_same_verdict_with_all_figures_named() {
    let text = made_up(3, 2);
    let (one, two) = (verdict(&text, &[2]), verdict(&text, &[2]));
    assert_eq!(one, two);
    let json = serde_json::to_value(&one).expect("plain values");
    let figures = [
        "n",
        "rmse_s",
        "mae_s",
        "bias_s",
        "rrmse",
        "pinball_s",
        "coverage_80",
        "width_s",
        "over_twice_30",
        "upward_share",
    ];
    for name in ["hotline", "asterisk", "average", "les", "hol", "ql", "qlr_ahead", "genesys_cloud", "ridge"]
    {
        let estimator = &json["estimators"][name];
        for figure in figures {
            assert!(estimator[figure].is_number(), "{name} {figure}");
            assert!(estimator["censoring_weighted"][figure].is_number(), "{name} {figure}");
        }
        let halves = estimator["by_half_hour"].as_object().expect("half-hours");
        assert!(halves.len() > 10 && halves.values().all(|h| h["coverage_80"].is_number()), "{name}");
    }
    let page = page(&one, "made <up>");
    assert!(page.contains("<svg") && page.contains("made &lt;up&gt;") && !page.contains("http"));
}

#[test]
fn nobody_is_predicted_from_what_came_later() {
    let text = made_up(3, 3);
    let until: Vec<&str> = text.lines().take_while(|l| !joined_after(l, 2.5 * 86_400.0)).collect();
    let cut = until.join("\n");
    let (whole, cut) = (verdict(&text, &[2]), verdict(&cut, &[2]));
    let (whole, cut) = (&whole.estimators["hotline"].by_half_hour, &cut.estimators["hotline"].by_half_hour);
    let before: Vec<_> = cut.keys().filter(|half| half.as_str() < "11:00").collect();
    assert!(!before.is_empty());
    for half in before {
        assert_eq!(whole[half], cut[half], "{half}");
    }
}

fn joined_after(line: &str, at: f64) -> bool {
    line.split(',').nth(3).and_then(|s| s.parse::<f64>().ok()).is_some_and(|joined| joined > at)
}

/// `cargo xtask backtest FILE`: the acceptance, for splits after day 8, 10 and 12, pooled.
#[test]
fn the_acceptance_holds_on_the_log_that_is_named() {
    let Ok(file) = std::env::var("HOTLINE_CALL_LOG") else {
        println!("HOTLINE_CALL_LOG names no log: skipped");
        return;
    };
    let verdict = verdict(&std::fs::read_to_string(&file).expect("the log can be read"), &[8, 10, 12]);
    for (name, figures) in &verdict.estimators {
        let s = &figures.overall;
        println!(
            "{name:20} n {:6} rmse {:6.2} mae {:6.2} bias {:+6.2} rrmse {:.3} pinball {:6.3} holds {:.3} width {:4.0} twice {:.3} later {:.3}",
            s.n,
            s.rmse_s,
            s.mae_s,
            s.bias_s,
            s.rrmse,
            s.pinball_s,
            s.coverage_80,
            s.width_s,
            s.over_twice_30,
            s.upward_share
        );
    }
    let score = |name: &str| verdict.estimators[name].overall;
    let (ours, ridge, les) = (score("hotline"), score("ridge"), score("les"));
    assert!(ours.rmse_s <= ridge.rmse_s, "RMSE {} above ridge's {}", ours.rmse_s, ridge.rmse_s);
    assert!(ours.rmse_s <= 0.75 * les.rmse_s, "RMSE {} not 25 % under LES's {}", ours.rmse_s, les.rmse_s);
    assert!(
        ours.pinball_s <= 0.95 * ridge.pinball_s,
        "pinball {} not 5 % under {}",
        ours.pinball_s,
        ridge.pinball_s
    );
    assert!(ours.bias_s.abs() <= 5.0, "bias {}", ours.bias_s);
    assert!((0.77..=0.83).contains(&ours.coverage_80), "holds {}", ours.coverage_80);
    for (half, score) in verdict.estimators["hotline"].by_half_hour.iter().filter(|(_, s)| s.n >= 200) {
        println!("{half} {:4} holds {:.3}", score.n, score.coverage_80);
        assert!((0.70..=0.90).contains(&score.coverage_80), "{half}: {}", score.coverage_80);
    }
    assert!(ours.upward_share <= 0.02, "later {}", ours.upward_share);
}
