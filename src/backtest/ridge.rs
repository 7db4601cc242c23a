//! The strong baseline: linear ridge regression on 16 features of the state at joining, standardised on the training days,
//! penalty 10 on all but the intercept, floored at 0.
use super::moment::Plain;
use super::rules::{ql_s, qlr_s};
use super::walk::count;

const FEATURES: usize = 16;
const PENALTY: f64 = 10.0;

type Row = [f64; FEATURES];

/// A fitted regression.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ridge {
    mean: f64,
    centre: Row,
    deviation: Row,
    slopes: Row,
}

fn row(p: &Plain) -> Row {
    let angle = p.day_s / 86_400.0 * std::f64::consts::TAU;
    [
        p.waiting,
        p.ahead,
        p.head_s,
        p.last_s,
        p.tenth_s,
        p.busy,
        p.staff,
        p.talk_s,
        qlr_s(p),
        ql_s(p),
        p.urgent,
        libm::sin(angle),
        libm::cos(angle),
        libm::sqrt(p.waiting + 1.0),
        p.services.0,
        p.services.1,
    ]
}

impl Ridge {
    /// Fits states at joining to the waits that followed.
    pub(super) fn fit(states: &[(Plain, f64)]) -> Self {
        let n = count(states.len()).max(1.0);
        let rows: Vec<(Row, f64)> = states.iter().map(|(p, wait)| (row(p), *wait)).collect();
        let mean = rows.iter().map(|(_, y)| y).sum::<f64>() / n;
        let centre: Row = std::array::from_fn(|j| rows.iter().map(|(x, _)| x[j]).sum::<f64>() / n);
        let square = |j: usize, x: &Row| (x[j] - centre[j]) * (x[j] - centre[j]);
        let spread = |j: usize| libm::sqrt(rows.iter().map(|(x, _)| square(j, x)).sum::<f64>() / n);
        let deviation: Row = std::array::from_fn(|j| Some(spread(j)).filter(|s| *s > 1e-9).unwrap_or(1.0));
        let (mut matrix, mut right) = ([[0.0; FEATURES]; FEATURES], [0.0; FEATURES]);
        for (x, y) in &rows {
            let z: Row = std::array::from_fn(|j| (x[j] - centre[j]) / deviation[j]);
            for i in 0..FEATURES {
                right[i] += z[i] * (y - mean);
                for j in 0..FEATURES {
                    matrix[i][j] += z[i] * z[j];
                }
            }
        }
        for (i, row) in matrix.iter_mut().enumerate() {
            row[i] += PENALTY;
        }
        Self { mean, centre, deviation, slopes: solve(matrix, right) }
    }

    /// The wait, in seconds.
    pub(super) fn estimate_s(&self, p: &Plain) -> f64 {
        let x = row(p);
        let part = |j: usize| self.slopes[j] * (x[j] - self.centre[j]) / self.deviation[j];
        (self.mean + (0..FEATURES).map(part).sum::<f64>()).max(0.0)
    }
}

/// Gauss's elimination with the largest pivot.
fn solve(mut a: [[f64; FEATURES]; FEATURES], mut b: Row) -> Row {
    for i in 0..FEATURES {
        let pivot = (i..FEATURES).max_by(|p, q| a[*p][i].abs().total_cmp(&a[*q][i].abs())).unwrap_or(i);
        a.swap(i, pivot);
        b.swap(i, pivot);
        for k in i + 1..FEATURES {
            let (factor, pivot) = (a[k][i] / a[i][i], a[i]);
            for (x, above) in a[k].iter_mut().zip(pivot).skip(i) {
                *x -= factor * above;
            }
            b[k] -= factor * b[i];
        }
    }
    for i in (0..FEATURES).rev() {
        let rest: f64 = (i + 1..FEATURES).map(|j| a[i][j] * b[j]).sum();
        b[i] = (b[i] - rest) / a[i][i];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linear_is_found() {
        let state = |n: f64, busy: f64| Plain {
            waiting: n,
            ahead: n,
            busy,
            staff: 5.0,
            talk_s: 100.0,
            ..Plain::default()
        };
        let states: Vec<(Plain, f64)> = (0..2000)
            .map(|i| (f64::from(i % 12), f64::from(i % 5)))
            .map(|(n, b)| (state(n, b), 30.0 * n + 10.0 * b))
            .collect();
        let ridge = Ridge::fit(&states);
        assert!((ridge.estimate_s(&state(7.0, 2.0)) - 230.0).abs() < 8.0);
        assert!(ridge.estimate_s(&Plain::default()) >= 0.0);
    }
}
