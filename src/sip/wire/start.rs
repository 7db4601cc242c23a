//! The start line (RFC 3261 7.1, 7.2, 25.1). Invariant: whatever is no start line of any version of SIP is `Broken`, and
//! nobody answers it.

/// What the first line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start<'a> {
    Request {
        method: &'a [u8],
        uri: &'a [u8],
        /// Whether the version is 2.0.
        is_version_2: bool,
        /// Whether exactly one space stands between the parts and nothing behind them.
        is_well_spaced: bool,
    },
    Response {
        /// 0: what stands in its place is no status code.
        code: u16,
        reason: &'a [u8],
    },
    Broken,
}

impl<'a> Start<'a> {
    pub(crate) fn read(line: &'a [u8]) -> Self {
        let read = if starts_with_sip(line) { Self::read_response(line) } else { Self::read_request(line) };
        read.unwrap_or(Self::Broken)
    }

    fn read_request(line: &'a [u8]) -> Option<Self> {
        let (method, rest) = split_at_space(line)?;
        let trimmed = rest.trim_ascii_end();
        let space = trimmed.iter().rposition(|b| *b == b' ')?;
        let (uri, version) = (trimmed.get(..space)?, trimmed.get(space + 1..)?);
        if !crate::sip::lex::is_token(method) || !is_sip_version(version) {
            return None;
        }
        let is_well_spaced =
            trimmed.len() == rest.len() && !uri.is_empty() && !uri.iter().any(u8::is_ascii_whitespace);
        let is_version_2 = version.eq_ignore_ascii_case(b"SIP/2.0");
        Some(Self::Request { method, uri, is_version_2, is_well_spaced })
    }

    fn read_response(line: &'a [u8]) -> Option<Self> {
        let (version, rest) = split_at_space(line)?;
        let (code, reason) = split_at_space(rest).unwrap_or((rest, b""));
        let code: u16 = match code {
            [b'1'..=b'6', b'0'..=b'9', b'0'..=b'9'] => std::str::from_utf8(code).ok()?.parse().ok()?,
            _ => 0,
        };
        version.eq_ignore_ascii_case(b"SIP/2.0").then_some(Self::Response { code, reason })
    }
}

/// A line like this is a response's, whatever else is in it.
pub(crate) fn starts_with_sip(line: &[u8]) -> bool {
    line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"))
}

fn split_at_space(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = line.iter().position(|b| *b == b' ')?;
    Some((line.get(..space)?, line.get(space + 1..)?))
}

/// `SIP/` and two numbers with a point between them.
fn is_sip_version(text: &[u8]) -> bool {
    let is_number = |s: &[u8]| !s.is_empty() && s.iter().all(u8::is_ascii_digit);
    let numbers = if starts_with_sip(text) { text.get(4..).unwrap_or(b"") } else { b"" };
    let point = numbers.iter().position(|b| *b == b'.').unwrap_or(0);
    is_number(numbers.get(..point).unwrap_or(b"")) && is_number(numbers.get(point + 1..).unwrap_or(b""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_sip_are_start_lines() {
        for line in ["GET / HTTP/1.1", "", "INVITE", "INVITE sip:a@b", "SIP/2.0", "a\0b c SIP/2.0"] {
            assert_eq!(Start::read(line.as_bytes()), Start::Broken, "{line}");
        }
        assert!(matches!(Start::read(b"SIP/2.0 100 "), Start::Response { code: 100, reason: b"" }));
        assert!(matches!(Start::read(b"SIP/2.0 4294967301 no"), Start::Response { code: 0, reason: b"no" }));
        assert!(matches!(Start::read(b"SIP/2.0 486"), Start::Response { code: 486, reason: b"" }));
        for (line, version_2, well_spaced) in [
            ("OPTIONS sip:a@b SIP/2.0", true, true),
            ("OPTIONS sip:a@b SIP/7.0", false, true),
            ("OPTIONS sip:a@b SIP/2.0  ", true, false),
            ("OPTIONS  sip:a@b SIP/2.0", true, false),
            ("OPTIONS sip:a@b; lr SIP/2.0", true, false),
        ] {
            let Start::Request { is_version_2, is_well_spaced, .. } = Start::read(line.as_bytes()) else {
                panic!("{line} is a request line")
            };
            assert_eq!((is_version_2, is_well_spaced), (version_2, well_spaced), "{line}");
        }
    }
}
