//! What each code means, with an example: parts of `docs/codes.md`, which people read there too.
//!
//! Invariant: every code of [`super::CODES`] has a part, under the same title.
const BOOK: &str = include_str!("../../../docs/codes.md");

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Its name: `HL0102`.
    pub code: &'static str,
    /// In one line.
    pub title: &'static str,
    /// Why it is a mistake, and examples, as Markdown.
    pub text: &'static str,
}

/// Every code, in the order of the book.
pub fn explained() -> impl Iterator<Item = Explained> {
    BOOK.split("\n## ").skip(1).filter_map(|part| {
        let (head, text) = part.split_once('\n')?;
        let (code, title) = head.split_once(' ')?;
        Some(Explained { code, title, text: text.trim() })
    })
}

/// What a code means; its letters may be small, or left out.
pub fn explain(code: &str) -> Option<Explained> {
    let digits = code.trim().trim_start_matches(['h', 'H', 'l', 'L']);
    explained().find(|each| each.code.strip_prefix("HL") == Some(digits))
}
