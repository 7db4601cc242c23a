//! Least squares from sums: a symmetric matrix kept as its lower triangle, and Cholesky's way to solve it.
//!
//! Invariant: only + - * / and square roots in a fixed order, so the figures are the same on every machine.
use serde::{Deserialize, Serialize};

/// The sums of weighted least squares: `sum of w x x'` and `sum of w x y`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sums {
    width: usize,
    /// Row by row, each up to the diagonal.
    matrix: Vec<f64>,
    right: Vec<f64>,
}

super::flat!(Sums { width, matrix, right });

impl Sums {
    /// Whether it is of rows of this width.
    pub(super) fn is_of(&self, width: usize) -> bool {
        self.width == width && self.matrix.len() == width * (width + 1) / 2 && self.right.len() == width
    }
    /// Nothing summed yet, for rows of this width.
    pub(super) fn new(width: usize) -> Self {
        Self { width, matrix: vec![0.0; width * (width + 1) / 2], right: vec![0.0; width] }
    }
    /// One more row with its weight.
    pub(super) fn add(&mut self, x: &[f64], y: f64, weight: f64) {
        let mut at = 0;
        for (i, xi) in x.iter().enumerate() {
            let scaled = weight * xi;
            if let Some(right) = self.right.get_mut(i) {
                *right += scaled * y;
            }
            for (sum, xj) in self.matrix.iter_mut().skip(at).zip(&x[..=i]) {
                *sum += scaled * xj;
            }
            at += i + 1;
        }
    }
    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.matrix.fill(0.0);
        self.right.fill(0.0);
    }
    /// One entry of the matrix, `j <= i`.
    pub(super) fn entry(&self, i: usize, j: usize) -> f64 {
        self.matrix[i * (i + 1) / 2 + j]
    }
    /// One entry of the right side.
    pub(super) fn right(&self, i: usize) -> f64 {
        self.right[i]
    }
    /// Replaces an entry of the matrix.
    pub(super) fn set(&mut self, i: usize, j: usize, value: f64) {
        self.matrix[i * (i + 1) / 2 + j] = value;
    }
    /// Replaces an entry of the right side.
    pub(super) fn set_right(&mut self, i: usize, value: f64) {
        self.right[i] = value;
    }
    /// The coefficients that minimise the squares with these penalties on the diagonal.
    pub(super) fn solve(&self, penalty: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut root = self.matrix.clone();
        let row = |i: usize| i * (i + 1) / 2;
        for i in 0..self.width {
            for j in 0..=i {
                let (left, right) = (&root[row(i)..row(i) + j], &root[row(j)..row(j) + j]);
                let done: f64 = left.iter().zip(right).map(|(a, b)| a * b).sum();
                let rest = root[row(i) + j] - done + if i == j { penalty(i) } else { 0.0 };
                root[row(i) + j] = if i == j { libm::sqrt(rest.max(1e-12)) } else { rest / root[row(j) + j] };
            }
        }
        let mut x = self.right.clone();
        for i in 0..self.width {
            let done: f64 = root[row(i)..row(i) + i].iter().zip(&x).map(|(a, b)| a * b).sum();
            x[i] = (x[i] - done) / root[row(i) + i];
        }
        for i in (0..self.width).rev() {
            let done: f64 = (i + 1..self.width).map(|k| root[row(k) + i] * x[k]).sum();
            x[i] = (x[i] - done) / root[row(i) + i];
        }
        x
    }
}

/// The sum of products.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_points_is_found() {
        let mut sums = Sums::new(2);
        for x in 0..10 {
            sums.add(&[1.0, f64::from(x)], 3.0 - 0.5 * f64::from(x), 1.0);
        }
        let found = sums.solve(|_| 0.0);
        assert!((found[0] - 3.0).abs() < 1e-9 && (found[1] + 0.5).abs() < 1e-9, "{found:?}");
        assert!((dot(&found, &[1.0, 4.0]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_penalty_draws_coefficients_to_zero() {
        let mut sums = Sums::new(1);
        sums.add(&[2.0], 4.0, 1.0);
        assert!((sums.solve(|_| 4.0)[0] - 1.0).abs() < 1e-12);
        sums.clear();
        assert!(sums.solve(|_| 1.0)[0].abs() < 1e-12);
    }
}
