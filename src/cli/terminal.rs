//! Text from outside on a terminal: control characters and those that turn the direction of writing are shown, not
//! obeyed, and columns stay columns. Invariant: nothing that a caller wrote moves the cursor, colours, or forges a line.

/// As it may be printed on one line.
pub(crate) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_control() || is_invisible(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
        out
    })
}

/// The same for text of several lines.
pub(crate) fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// Marks, overrides and isolates of direction, joiners, and the byte order mark.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Columns that a terminal gives to a character: two from Hangul on, where the ideographs are; near enough for a table.
const fn columns(c: char) -> usize {
    if c >= '\u{1100}' { 2 } else { 1 }
}

/// `text` in exactly `wide` columns: cut with `…`, or filled with blanks.
pub(crate) fn fit(text: &str, wide: usize) -> String {
    let all: usize = text.chars().map(columns).sum();
    let room = if all > wide { wide.saturating_sub(1) } else { wide };
    let (mut out, mut used) = (String::new(), 0);
    for c in text.chars() {
        if used + columns(c) > room {
            break;
        }
        used += columns(c);
        out.push(c);
    }
    if all > wide {
        out.push('…');
        used += 1;
    }
    out.push_str(&" ".repeat(wide.saturating_sub(used)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_wrote_is_shown_and_not_obeyed() {
        assert_eq!(printable("\u{1b}[2J\r\n\u{202e}x王"), r"\u{1b}[2J\u{d}\u{a}\u{202e}x王");
        assert_eq!(printable_lines("a\nb\u{7}"), "a\nb\\u{7}");
    }

    #[test]
    fn columns_stay_columns() {
        assert_eq!(fit("abc", 5), "abc  ");
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("王小明", 5), "王小…");
        assert_eq!(fit("王小", 6), "王小  ");
    }
}
