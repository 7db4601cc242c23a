//! The street door: one binary, `hotline`.
fn main() {}
