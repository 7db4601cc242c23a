//! The published rules: each makes a number of seconds of the state. `docs/estimating.md` says where each comes from.
use super::moment::Plain;

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Asterisk's average; later `|average + 30 s - elapsed|`, as it is spoken.
    Asterisk,
    /// 0.9 old, 0.1 new.
    Average,
    /// The wait of the last to enter service.
    Les,
    /// The elapsed wait of the head of the line.
    Hol,
    /// Everybody in line times the mean talk, over the staff.
    Ql,
    /// The same with hang-ups, those truly ahead.
    Qlr,
    /// Genesys Stat Server's: AHT times calls, over agents.
    GenesysStat,
    /// Genesys Cloud's as its users describe it: position times AHT over agents, less the share that hangs up.
    GenesysCloud,
}

/// All rules, with the names they are reported by.
pub(super) const RULES: [(Rule, &str); 8] = [
    (Rule::Asterisk, "asterisk"),
    (Rule::Average, "average"),
    (Rule::Les, "les"),
    (Rule::Hol, "hol"),
    (Rule::Ql, "ql"),
    (Rule::Qlr, "qlr_ahead"),
    (Rule::GenesysStat, "genesys_stat_server"),
    (Rule::GenesysCloud, "genesys_cloud"),
];

impl Rule {
    /// The remaining wait, in seconds.
    pub(super) fn estimate_s(self, p: &Plain) -> f64 {
        let (staff, entry) = (p.staff.max(1.0), p.elapsed_s <= 0.0);
        let after = |total: f64| (total - p.elapsed_s).max(0.0);
        match self {
            Self::Asterisk if entry => p.quarter_s,
            Self::Asterisk => (p.quarter_s + 30.0 - p.elapsed_s).abs(),
            Self::Average => after(p.tenth_s),
            Self::Les => after(p.last_s),
            Self::Hol => after(p.head_s),
            Self::Ql => ql_s(p),
            Self::Qlr => qlr_s(p),
            Self::GenesysStat => p.talk_s * p.waiting / staff,
            Self::GenesysCloud => (p.waiting + 1.0) * p.week.0 / staff * (1.0 - p.week.1),
        }
    }
}

/// Everybody in line and himself, times the mean talk, over the staff.
pub(super) fn ql_s(p: &Plain) -> f64 {
    (p.waiting + 1.0) * p.talk_s / p.staff.max(1.0)
}

/// The sum of `1 / (s mu + j theta)` for `j` from 0 to the number truly ahead.
pub(super) fn qlr_s(p: &Plain) -> f64 {
    let rate = p.staff.max(1.0) / p.talk_s.max(1.0);
    let (mut sum, mut j) = (0.0, 0.0);
    while j <= p.ahead {
        sum += 1.0 / (rate + j * p.theta);
        j += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_the_published_one() {
        let p = Plain {
            waiting: 5.0,
            ahead: 3.0,
            head_s: 70.0,
            last_s: 80.0,
            quarter_s: 100.0,
            tenth_s: 90.0,
            staff: 4.0,
            talk_s: 200.0,
            theta: 0.01,
            week: (180.0, 0.25),
            ..Plain::default()
        };
        let at = |rule: Rule, elapsed_s| rule.estimate_s(&Plain { elapsed_s, ..p });
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        close(at(Rule::Asterisk, 0.0), 100.0);
        close(at(Rule::Asterisk, 190.0), 60.0);
        close(at(Rule::Average, 60.0), 30.0);
        close(at(Rule::Les, 0.0), 80.0);
        close(at(Rule::Hol, 0.0), 70.0);
        close(at(Rule::Ql, 0.0), 300.0);
        close(at(Rule::Qlr, 0.0), 1.0 / 0.02 + 1.0 / 0.03 + 1.0 / 0.04 + 1.0 / 0.05);
        close(at(Rule::GenesysStat, 0.0), 250.0);
        close(at(Rule::GenesysCloud, 0.0), 6.0 * 180.0 / 4.0 * 0.75);
    }
}
