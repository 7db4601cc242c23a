//! The small grammar that all header values share (RFC 3261 25.1): tokens, quoted strings, lists.
//! Invariant: every function is linear in its input and cuts only at ASCII characters.
use std::fmt;

/// A byte that may stand in a `token`.
pub(crate) const fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Whether `s` is a `token`: not empty, token characters only.
pub(crate) fn is_token(s: &[u8]) -> bool {
    !s.is_empty() && s.iter().all(|b| is_token_byte(*b))
}

/// Linear white space, unfolded.
pub(crate) const fn is_lws(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// Without linear white space at both ends.
pub(crate) fn trim(s: &str) -> &str {
    s.trim_matches(is_lws)
}

/// The parts of `s` between `separator`s that stand outside quoted strings and angle brackets; at least one.
pub(crate) fn split(s: &str, separator: u8) -> Split<'_> {
    Split { rest: Some(s), separator }
}

/// See [`split`].
pub(crate) struct Split<'a> {
    rest: Option<&'a str>,
    separator: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;
    fn next(&mut self) -> Option<&'a str> {
        let s = self.rest?;
        let (head, rest) = find_outside(s, self.separator)
            .and_then(|at| s.split_at_checked(at))
            .map_or((s, None), |(head, tail)| (head, tail.get(1..)));
        self.rest = rest;
        Some(trim(head))
    }
}

/// Where `wanted` first stands outside quoted strings and angle brackets.
pub(crate) fn find_outside(s: &str, wanted: u8) -> Option<usize> {
    let (mut quoted, mut escaped, mut angle) = (false, false, false);
    for (at, b) in s.bytes().enumerate() {
        match (quoted, b) {
            _ if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => quoted = false,
            (false, _) if b == wanted && !angle => return Some(at),
            (false, b'"') => quoted = true,
            (false, b'<') => angle = true,
            (false, b'>') => angle = false,
            (true | false, _) => {}
        }
    }
    None
}

/// The text of the quoted string that `s` begins with, its escapes undone, and what follows its closing quote.
pub(crate) fn quoted_string(s: &str) -> Option<(String, &str)> {
    let inner = s.strip_prefix('"')?;
    let (mut text, mut escaped) = (String::new(), false);
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => {
                text.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((text, inner.get(at + 1..)?)),
            _ => text.push(c),
        }
    }
    None
}

/// The text of `s`: what is between the quotes if it is a quoted string, itself otherwise.
pub(crate) fn unquoted(s: &str) -> String {
    match quoted_string(s) {
        Some((text, "")) => text,
        Some(_) | None => s.to_owned(),
    }
}

/// Writes `text` as a quoted string. Line ends cannot be quoted and become spaces.
pub(crate) fn write_quoted(f: &mut impl fmt::Write, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                f.write_char('\\')?;
                f.write_char(c)?;
            }
            '\r' | '\n' => f.write_char(' ')?,
            _ => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// A decimal number of any length, lifted to `u32::MAX` where it is larger (RFC 3261 has no upper bound for most).
pub(crate) fn saturating_number(s: &str) -> Option<u32> {
    let all_digits = !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| s.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_outside_quotes_and_brackets_only() {
        let parts: Vec<_> = split(r#" "a,\",b" <sip:x,y@z> , c"#, b',').collect();
        assert_eq!(parts, [r#""a,\",b" <sip:x,y@z>"#, "c"]);
        assert_eq!(split("", b',').collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn quoted_strings_lose_and_gain_their_escapes() {
        assert_eq!(quoted_string(r#""J \"R\" \\" rest"#), Some((r#"J "R" \"#.to_owned(), " rest")));
        assert_eq!(quoted_string(r#""open"#), None);
        let mut out = String::new();
        write_quoted(&mut out, "a\"b\\c\r\nInjected: x").unwrap();
        assert_eq!(out, r#""a\"b\\c  Injected: x""#);
    }

    #[test]
    fn huge_numbers_are_lifted_to_the_largest() {
        assert_eq!(saturating_number("3600"), Some(3600));
        assert_eq!(saturating_number("99999999999999999999"), Some(u32::MAX));
        assert_eq!(saturating_number("-1"), None);
        assert_eq!(saturating_number(""), None);
    }
}
