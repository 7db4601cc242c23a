//! From bytes to spans (RFC 3261 7.3): where the start line, each header field and the body are. Nothing is copied and
//! nothing is allocated: the scan borrows the bytes, and its places stand in an array of fixed size that the caller
//! keeps. Invariant: time is linear in the length, whatever the bytes are; every line is looked at, even behind a fault,
//! so that a broken request can still be answered.
use crate::base::limits::SIP_HEADER_FIELDS;
use crate::sip::lex::is_token;
use crate::sip::name::HeaderName;

/// A piece of the message.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    from: u32,
    to: u32,
}

impl Span {
    fn new(from: usize, to: usize) -> Self {
        let lift = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { from: lift(from), to: lift(to) }
    }

    fn of(self, bytes: &[u8]) -> &[u8] {
        let place = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        bytes.get(place(self.from)..place(self.to)).unwrap_or(&[])
    }
}

/// Where one header field is.
#[derive(Clone, Copy, Debug)]
struct FieldSpan {
    name: HeaderName,
    spelling: Span,
    value: Span,
    is_folded: bool,
}

/// Room for the places of one message's header fields; reused from message to message.
#[derive(Clone, Debug)]
pub struct Spans {
    fields: [FieldSpan; SIP_HEADER_FIELDS],
    count: usize,
}

impl Default for Spans {
    fn default() -> Self {
        let none = FieldSpan {
            name: HeaderName::Other,
            spelling: Span::default(),
            value: Span::default(),
            is_folded: false,
        };
        Self { fields: [none; SIP_HEADER_FIELDS], count: 0 }
    }
}

/// What is wrong with the header part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanFault {
    /// No empty line ends the header fields.
    NoEnd,
    /// A line that is no header field.
    BadField,
    /// More fields than are read.
    TooManyFields,
}

/// A scanned message: borrows the bytes and the places.
#[derive(Clone, Copy, Debug)]
pub struct Scanned<'a> {
    bytes: &'a [u8],
    start: Span,
    fields: &'a [FieldSpan],
    head: usize,
    /// The first thing that is wrong, if anything is.
    pub fault: Option<ScanFault>,
    /// The work: how many lines were looked at.
    pub lines: usize,
}

/// One header field, as it stands in the message.
#[derive(Clone, Copy, Debug)]
pub struct RawField<'a> {
    /// Its name, compact forms expanded.
    pub name: HeaderName,
    /// Its name as written.
    pub spelling: &'a [u8],
    /// Its value without white space at both ends; folds stand in it.
    pub value: &'a [u8],
    /// Whether the value goes over several lines.
    pub is_folded: bool,
}

impl<'a> Scanned<'a> {
    /// The first line, without its end.
    pub fn start_line(&self) -> &'a [u8] {
        self.start.of(self.bytes)
    }
    /// The header fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = RawField<'a>> + use<'a> {
        let bytes = self.bytes;
        self.fields.iter().map(move |field| RawField {
            name: field.name,
            spelling: field.spelling.of(bytes),
            // Only a fold can have left white space at an end: before its first line, or after an empty one.
            value: field.value.of(bytes).trim_ascii(),
            is_folded: field.is_folded,
        })
    }
    /// How many bytes stand before the body.
    pub const fn head_bytes(&self) -> usize {
        self.head
    }
    /// Everything behind the empty line.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.head..).unwrap_or(&[])
    }
}

impl Spans {
    /// Room for one message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds all places in `bytes`. Empty lines before the first are skipped (RFC 3261 7.5).
    pub fn scan<'a>(&'a mut self, bytes: &'a [u8]) -> Scanned<'a> {
        self.count = 0;
        let mut fault = None;
        let mut lines = Lines { bytes, at: empty_lines(bytes), has_bare_cr: false, looked: 1 };
        let start = lines.next_line().unwrap_or_else(|| {
            fault = Some(ScanFault::NoEnd);
            Span::new(lines.at, bytes.len())
        });
        loop {
            lines.looked += 1;
            let Some(line) = lines.next_line() else {
                fault = fault.or(Some(ScanFault::NoEnd));
                break;
            };
            if line.from == line.to {
                break;
            }
            if let Err(wrong) = self.add_line(bytes, line) {
                fault = fault.or(Some(wrong));
            }
        }
        if lines.has_bare_cr {
            fault = fault.or(Some(ScanFault::BadField));
        }
        let fields = self.fields.get(..self.count).unwrap_or(&[]);
        Scanned { bytes, start, fields, head: lines.at, fault, lines: lines.looked }
    }

    fn add_line(&mut self, bytes: &[u8], line: Span) -> Result<(), ScanFault> {
        let text = line.of(bytes);
        if matches!(text.first(), Some(b' ' | b'\t')) {
            return self.fold(bytes, line);
        }
        let colon = text.iter().position(|b| *b == b':').ok_or(ScanFault::BadField)?;
        let name = text.get(..colon).unwrap_or(&[]).trim_ascii_end();
        if !is_token(name) {
            return Err(ScanFault::BadField);
        }
        let from = usize::try_from(line.from).unwrap_or(usize::MAX);
        let value = text.get(colon + 1..).unwrap_or(&[]);
        let value_from = from + text.len() - value.trim_ascii_start().len();
        let value_to = (from + text.trim_ascii_end().len()).max(value_from);
        let slot = self.fields.get_mut(self.count).ok_or(ScanFault::TooManyFields)?;
        *slot = FieldSpan {
            name: HeaderName::lookup(name),
            spelling: Span::new(from, from + name.len()),
            value: Span::new(value_from, value_to),
            is_folded: false,
        };
        self.count += 1;
        Ok(())
    }

    /// A line that goes on with the field before it.
    fn fold(&mut self, bytes: &[u8], line: Span) -> Result<(), ScanFault> {
        let last = self.count.checked_sub(1).and_then(|last| self.fields.get_mut(last));
        let last = last.ok_or(ScanFault::BadField)?;
        let from = usize::try_from(line.from).unwrap_or(usize::MAX);
        last.value.to = Span::new(0, from + line.of(bytes).trim_ascii_end().len()).to;
        last.is_folded = true;
        Ok(())
    }
}

/// Lines that end in CRLF, or in LF alone.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    /// A CR stood somewhere else than at the end of a line.
    has_bare_cr: bool,
    looked: usize,
}

impl Lines<'_> {
    /// The next line without its end; `None` if no end comes.
    fn next_line(&mut self) -> Option<Span> {
        let rest = self.bytes.get(self.at..)?;
        let mut found = memchr::memchr2(b'\r', b'\n', rest)?;
        let mut bare = false;
        let (len, end) = loop {
            match (rest.get(found), rest.get(found + 1)) {
                (Some(b'\n'), _) => break (found, found + 1),
                (Some(b'\r'), Some(b'\n')) => break (found, found + 2),
                _ => {
                    bare = true;
                    let behind = rest.get(found + 1..)?;
                    found += 1 + memchr::memchr2(b'\r', b'\n', behind)?;
                }
            }
        };
        self.has_bare_cr |= bare;
        let line = Span::new(self.at, self.at + len);
        self.at += end;
        Some(line)
    }
}

/// How many bytes of empty lines `bytes` begins with.
pub(crate) fn empty_lines(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some(behind) = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")) {
        rest = behind;
    }
    bytes.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> (Vec<(HeaderName, String)>, Option<ScanFault>) {
        let mut spans = Spans::new();
        let scanned = spans.scan(bytes);
        let text = |f: RawField<'_>| (f.name, String::from_utf8_lossy(f.value).into_owned());
        (scanned.fields().map(text).collect(), scanned.fault)
    }

    #[test]
    fn folds_compact_names_and_spaces_before_the_colon_are_seen() {
        let (all, fault) =
            fields(b"X y SIP/2.0\r\nTO :\r\n <sip:a@b>\r\nv: 1\r\n  , 2  \r\ns :\r\nl:0\r\n\r\nbody");
        assert_eq!(fault, None);
        assert_eq!(
            all,
            [
                (HeaderName::To, "<sip:a@b>".to_owned()),
                (HeaderName::Via, "1\r\n  , 2".to_owned()),
                (HeaderName::Subject, String::new()),
                (HeaderName::ContentLength, "0".to_owned()),
            ]
        );
    }

    #[test]
    fn faults_do_not_hide_the_other_fields() {
        let (all, fault) = fields(b"X y SIP/2.0\r\njunk\r\nv: 1\r\n");
        assert_eq!((all.len(), fault), (1, Some(ScanFault::BadField)));
        let (_, fault) = fields(b"X y SIP/2.0\r\nv: 1\r\n");
        assert_eq!(fault, Some(ScanFault::NoEnd));
        let (_, fault) = fields(b"X y SIP/2.0\r\nv: 1\rt: 2\r\n\r\n");
        assert_eq!(fault, Some(ScanFault::BadField));
        let many = format!("X y SIP/2.0\r\n{}v: 1\r\n\r\n", "a: 1\r\n".repeat(SIP_HEADER_FIELDS));
        let (all, fault) = fields(many.as_bytes());
        assert_eq!((all.len(), fault), (SIP_HEADER_FIELDS, Some(ScanFault::TooManyFields)));
    }
}
