//! The house rules, held by a machine: layers, doors, sizes, words, headers.
//!
//! Every file is read as text; nothing is compiled. A violation is printed as `file:line: message`, all at once. Each
//! rule is a function over a string, and has a test that shows it fire.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

#[path = "tidy/fires.rs"]
mod fires;

/// Who may import whom, besides itself. The rooms stand in the order of the arrows.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("exchange", &["base"]),
    ("sip", &["base"]),
    ("sdp", &["base"]),
    ("rtp", &["base"]),
    ("media", &["base", "rtp"]),
    ("node", &["base", "exchange", "sip", "sdp", "rtp", "media"]),
    ("backtest", &["base", "exchange"]),
    ("sim", &["base", "exchange", "sip", "sdp", "rtp", "media", "node"]),
    ("io", &["base", "exchange", "sip", "sdp", "rtp", "media", "node"]),
    ("replay", &["base", "exchange", "sip", "sdp", "rtp", "media", "node", "sim", "io"]),
    ("cli", &["base", "exchange", "sip", "sdp", "rtp", "media", "node", "backtest", "sim", "io", "replay"]),
    ("main", &["base", "exchange", "sip", "sdp", "rtp", "media", "node", "sim", "io", "replay", "cli"]),
];

/// Rooms that decide: no clock, socket, thread, environment or file.
const PURE: &[&str] = &["base", "exchange", "sip", "sdp", "rtp", "media", "node", "backtest", "sim"];

/// What of the standard library touches the world.
const WORLD: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::os",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// One door per outside crate: the files, or folders ending in `/`, that may name it.
const DOORS: &[(&str, &[&str])] = &[
    ("rsip", &["src/sip/message.rs", "src/sip/message/", "src/sip/header.rs", "src/sip/header/"]),
    ("sdp_types", &["src/sdp/session.rs"]),
    ("rtp_rs", &["src/rtp/packet.rs"]),
    ("rtcp_types", &["src/rtp/rtcp.rs"]),
    ("symphonia", &["src/media/decode.rs"]),
    ("rubato", &["src/media/resample.rs"]),
    ("audio_codec", &["src/media/codec/"]),
    ("ariadne", &["src/exchange/menu/diagnostic.rs"]),
    ("jiff", &["src/exchange/menu/hours.rs"]),
    ("toml", &["src/exchange/menu/raw.rs", "src/io/config.rs"]),
    ("md5", &["src/sip/auth.rs", "src/sip/auth/"]),
    ("sqlx", &["src/io/store/"]),
    ("axum", &["src/io/http/"]),
    ("hickory_resolver", &["src/io/resolver.rs"]),
    ("prometheus_client", &["src/io/"]),
    ("rust_embed", &["src/io/"]),
    ("tokio", &["src/io/", "src/replay/", "src/cli/", "src/main.rs"]),
    ("mimalloc", &["src/main.rs"]),
    ("mio", &["src/io/", "src/replay/", "src/cli/", "src/main.rs"]),
    ("socket2", &["src/io/", "src/replay/", "src/cli/", "src/main.rs"]),
    ("rustix", &["src/io/descriptors.rs", "src/io/priority.rs", "src/io/speaker.rs"]),
    ("nix", &["src/io/", "src/replay/", "src/cli/", "src/main.rs"]),
    ("clap", &["src/cli/", "src/main.rs"]),
    ("tokio_rustls", &["src/io/tls/"]),
    ("base64", &["src/sdp/crypto.rs"]),
    ("rtc_srtp", &["src/rtp/srtp/"]),
];

/// Words that say nothing about what a type is. `docs/glossary.md`.
const EMPTY_WORDS: &[&str] =
    &["Channel", "Manager", "Handler", "Context", "Controller", "Helper", "Util", "Utils", "Info", "Data"];

/// `Session` is said only where an RFC says it: RTP session, session timer, SDP session.
const RFC_SESSIONS: &[&str] =
    &["RtpSession", "SdpSession", "SessionDescription", "SessionTimer", "SessionExpires", "SessionRefresher"];

/// The files that are about a session of an RFC, and may call it so: the session of RFC 4028, its settings, the
/// cryptographic session of RFC 3711.
const SESSION_FILES: &[&str] = &["src/sip/invite/session.rs", "src/sip/settings.rs", "src/rtp/srtp/"];

/// Most lines of a source file, its tests not counted.
const LINES_MAX: usize = 600;

/// Where a developer's machine would show. Written in halves, because this file is read too.
const MACHINE_PATHS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/tmp", "/wt"),
    concat!("/work", "/main"),
    concat!("/work", "/shared"),
];

/// Promises to do it later.
const LATER: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// One broken rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    file: String,
    line: usize,
    message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

// --- reading Rust as words -------------------------------------------------------------------------------------------

/// A word or a mark of the code, with its line (from 1). `::` is one token.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    line: usize,
    text: String,
}

/// The length in characters of a string or character literal that begins at `chars[0]`, if one does.
fn literal_length(chars: &[char]) -> Option<usize> {
    let prefix = chars.iter().take_while(|c| matches!(c, 'b' | 'r' | 'c')).count().min(2);
    let hashes = chars[prefix..].iter().take_while(|c| **c == '#').count();
    let raw = chars[..prefix].contains(&'r');
    if chars.get(prefix + hashes) == Some(&'"') && (raw || hashes == 0) {
        let mut i = prefix + hashes + 1;
        while i < chars.len() {
            if chars[i] == '\\' && !raw {
                i += 2;
            } else if chars[i] == '"' && chars[i + 1..].iter().take_while(|c| **c == '#').count() >= hashes {
                return Some(i + 1 + hashes);
            } else {
                i += 1;
            }
        }
        return Some(chars.len());
    }
    if chars.starts_with(&['b', '\'']) {
        return literal_length(&chars[1..]).map(|n| n + 1);
    }
    if chars.first() != Some(&'\'') {
        return None;
    }
    match (chars.get(1), chars.get(2)) {
        (Some('\\'), _) => chars[3.min(chars.len())..].iter().position(|c| *c == '\'').map(|n| n + 4),
        (Some(_), Some('\'')) => Some(3),
        _ => None, // a lifetime
    }
}

/// The length of a comment that begins at `chars[0]`, if one does.
fn comment_length(chars: &[char]) -> Option<usize> {
    match chars {
        ['/', '/', ..] => Some(chars.iter().take_while(|c| **c != '\n').count()),
        ['/', '*', ..] => {
            let (mut depth, mut i) = (0usize, 0);
            while i < chars.len() {
                match &chars[i..] {
                    ['/', '*', ..] => (depth, i) = (depth + 1, i + 2),
                    ['*', '/', ..] => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 {
                    break;
                }
            }
            Some(i)
        }
        _ => None,
    }
}

/// The words and marks of a source text; comments and literals are left out.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut out, mut i, mut line) = (Vec::new(), 0, 1);
    let word = |c: &char| c.is_alphanumeric() || *c == '_';
    while i < chars.len() {
        let rest = &chars[i..];
        let (length, keep) = if let Some(n) = comment_length(rest).or_else(|| literal_length(rest)) {
            (n, false)
        } else if word(&rest[0]) {
            (rest.iter().take_while(|c| word(c)).count(), true)
        } else if rest.starts_with(&[':', ':']) {
            (2, true)
        } else {
            (1, !rest[0].is_whitespace())
        };
        if keep {
            out.push(Token { line, text: rest[..length].iter().collect() });
        }
        line += rest[..length].iter().filter(|c| **c == '\n').count();
        i += length;
    }
    out
}

/// Every path of the code, with `{...}` of a `use` spread out: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(tokens: &[Token]) -> Vec<(usize, Vec<String>)> {
    let (mut out, mut i) = (Vec::new(), 0);
    while i < tokens.len() {
        if is_word(&tokens[i]) {
            i = path(tokens, i, &[], &mut out);
        } else {
            i += 1;
        }
    }
    out
}

fn is_word(token: &Token) -> bool {
    token.text.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '*')
}

/// Reads one path that begins at `i` below `prefix`; hands back where it ends.
fn path(tokens: &[Token], mut i: usize, prefix: &[String], out: &mut Vec<(usize, Vec<String>)>) -> usize {
    let mut segments = prefix.to_vec();
    let line = tokens[i].line;
    loop {
        segments.push(tokens[i].text.clone());
        i += 1;
        if tokens.get(i).is_none_or(|t| t.text != "::") {
            break;
        }
        match tokens.get(i + 1) {
            Some(t) if t.text == "{" => return branches(tokens, i + 2, &segments, out),
            Some(t) if is_word(t) => i += 1,
            _ => break, // a turbofish
        }
    }
    out.push((line, segments));
    i
}

/// Reads the inside of `{...}`; hands back where it ends.
fn branches(tokens: &[Token], mut i: usize, prefix: &[String], out: &mut Vec<(usize, Vec<String>)>) -> usize {
    while i < tokens.len() && tokens[i].text != "}" {
        i = if is_word(&tokens[i]) { path(tokens, i, prefix, out) } else { i + 1 };
    }
    i + 1
}

/// Whether the file is nothing but tests.
fn is_test_file(file: &str) -> bool {
    !file.starts_with("src/") || file.ends_with("/tests.rs") || file.contains("/tests/")
}

/// The line on which the tests beside the code begin, or one past the end.
fn tests_begin(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .windows(2)
        .position(|w| w[0] == "#[cfg(test)]" && w[1].starts_with("mod tests"))
        .map_or(lines.len() + 1, |n| n + 1)
}

/// The room a file of `src` belongs to; `None` for `lib.rs`.
fn room(file: &str) -> Option<&str> {
    let inside = file.strip_prefix("src/")?;
    let first = inside.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib").then_some(name)
}

// --- the rules -------------------------------------------------------------------------------------------------------

/// What a rule sees of one Rust file.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
    tokens: Vec<Token>,
    paths: Vec<(usize, Vec<String>)>,
}

impl<'a> Source<'a> {
    fn new(file: &'a str, text: &'a str) -> Self {
        let tokens = tokens(text);
        let paths = paths(&tokens);
        Self { file, text, tokens, paths }
    }
    fn broken(&self, line: usize, message: impl Into<String>) -> Violation {
        Violation { file: self.file.into(), line, message: message.into() }
    }
}

/// The `pub mod`s of each room's `mod.rs`: what other rooms may reach into, one level.
type PublicModules = BTreeMap<String, BTreeSet<String>>;

/// Arrows point down, and other rooms are entered by their front door.
fn layers(source: &Source<'_>, public: &PublicModules) -> Vec<Violation> {
    let Some(here) = room(source.file) else { return Vec::new() };
    let Some((_, below)) = LAYERS.iter().find(|(name, _)| *name == here) else {
        return vec![
            source.broken(1, format!("{here} is not a room; the table of rooms is in tests/tidy.rs")),
        ];
    };
    let top = source.file == format!("src/{here}/mod.rs");
    let mut out = Vec::new();
    for (line, path) in &source.paths {
        let root = path[0].as_str();
        if !(root == "crate" || root == "hotline" || (root == "super" && top)) {
            continue;
        }
        let Some(there) = path.get(1).filter(|r| LAYERS.iter().any(|(name, _)| name == r)) else { continue };
        if there == here {
            continue;
        }
        if !below.contains(&there.as_str()) {
            out.push(source.broken(*line, format!("{here} must not import {there}")));
            continue;
        }
        let deep = path[2..path.len().max(3) - 1].iter().take_while(|s| s.starts_with(char::is_lowercase));
        let deep: Vec<&String> = deep.collect();
        let open = public.get(there);
        if deep.len() > 1 || deep.first().is_some_and(|m| !open.is_some_and(|open| open.contains(*m))) {
            let path = path.join("::");
            out.push(source.broken(
                *line,
                format!("{path} reaches past the front door of {there}: re-export it in its mod.rs"),
            ));
        }
    }
    out
}

/// A path that climbs twice is a path from the room: `crate::room::X`.
fn no_double_super(source: &Source<'_>) -> Vec<Violation> {
    let climbs = source.paths.iter().filter(|(_, p)| p.iter().filter(|s| *s == "super").count() > 1);
    climbs.map(|(line, _)| source.broken(*line, "a path climbs twice: write crate::room::X")).collect()
}

/// One door per outside crate.
fn doors(source: &Source<'_>) -> Vec<Violation> {
    let mut out = Vec::new();
    if !source.file.starts_with("src/") {
        return out;
    }
    for (i, token) in source.tokens.iter().enumerate() {
        let Some((name, doors)) = DOORS.iter().find(|(name, _)| *name == token.text) else { continue };
        let before = i.checked_sub(1).and_then(|i| source.tokens.get(i)).map_or("", |t| t.text.as_str());
        let after = source.tokens.get(i + 1).map_or("", |t| t.text.as_str());
        let inside = |door: &&str| is_within(source.file, door);
        let second = i.checked_sub(2).and_then(|i| source.tokens.get(i)).map_or("", |t| t.text.as_str());
        let root = before != "." && (before != "::" || !is_name(second));
        if root && (after == "::" || before == "use") && !doors.iter().any(inside) {
            out.push(source.broken(token.line, format!("{name} may be named only in {}", doors.join(", "))));
        }
    }
    out
}

/// Whether `file` is this file, or lies in this folder, which ends in `/`.
fn is_within(file: &str, place: &str) -> bool {
    file == place || (place.ends_with('/') && file.starts_with(place))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_') && text != "use"
}

/// Rooms that decide do not touch the world.
fn purity(source: &Source<'_>) -> Vec<Violation> {
    let Some(here) = room(source.file).filter(|r| PURE.contains(r)) else { return Vec::new() };
    if is_test_file(source.file) {
        return Vec::new();
    }
    let end = tests_begin(source.text);
    let mut out = Vec::new();
    for (line, path) in source.paths.iter().filter(|(line, _)| *line < end) {
        let path = path.join("::");
        let under =
            |w: &&&str| path == **w || path.strip_prefix(**w).is_some_and(|rest| rest.starts_with("::"));
        if let Some(world) = WORLD.iter().find(under) {
            out.push(source.broken(
                *line,
                format!("{here} is pure and must not touch the world: {world} belongs in io"),
            ));
        }
    }
    out
}

/// A file that does not fit in a head is split by procedure.
fn length(source: &Source<'_>) -> Vec<Violation> {
    let lines = tests_begin(source.text) - 1;
    if is_test_file(source.file) || lines <= LINES_MAX {
        return Vec::new();
    }
    vec![
        source.broken(
            LINES_MAX + 1,
            format!("{lines} lines of code, at most {LINES_MAX}: split it by procedure"),
        ),
    ]
}

/// Each file says what it is.
fn header(source: &Source<'_>) -> Vec<Violation> {
    let first = source.text.lines().next().unwrap_or_default();
    if first.strip_prefix("//!").is_some_and(|words| words.trim().len() > 10) {
        return Vec::new();
    }
    vec![source.broken(1, "a file opens with `//!`: what it is, its RFC, its invariant")]
}

/// The words of a `CamelCase` name.
fn words(name: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for c in name.chars() {
        match out.last_mut() {
            Some(word) if !c.is_uppercase() => word.push(c),
            _ => out.push(c.into()),
        }
    }
    out
}

/// Type names use the glossary's words.
fn type_names(source: &Source<'_>) -> Vec<Violation> {
    let of_rfc = SESSION_FILES.iter().any(|file| is_within(source.file, file));
    let mut out = Vec::new();
    for pair in source.tokens.windows(2) {
        let [keyword, name] = pair else { continue };
        let declares = matches!(keyword.text.as_str(), "struct" | "enum" | "trait" | "type" | "union");
        if !declares || !name.text.starts_with(char::is_uppercase) {
            continue;
        }
        for word in words(&name.text) {
            if EMPTY_WORDS.contains(&word.as_str()) {
                out.push(source.broken(
                    name.line,
                    format!("{}: `{word}` says nothing; see docs/glossary.md", name.text),
                ));
            }
            if word == "Session" && !of_rfc && !RFC_SESSIONS.contains(&name.text.as_str()) {
                let message = format!("{}: `Session` is said only where an RFC says it", name.text);
                out.push(source.broken(name.line, message));
            }
        }
    }
    out
}

/// A test runs or does not exist.
fn no_ignored_tests(source: &Source<'_>) -> Vec<Violation> {
    let mut out = Vec::new();
    for three in source.tokens.windows(3) {
        let [a, b, c] = three else { continue };
        if a.text == "#" && b.text == "[" && c.text == "ignore" {
            out.push(source.broken(c.line, "a test that does not run proves nothing: mend it or delete it"));
        }
    }
    out
}

/// Nothing is put off in a comment, and no path of a developer's machine is left behind. For every text of the tree.
fn plain_text(file: &str, text: &str) -> Vec<Violation> {
    let mut out = Vec::new();
    for (line, words) in (1..).zip(text.lines()) {
        let mut broken = |message: String| out.push(Violation { file: file.into(), line, message });
        for later in words.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| LATER.contains(w)) {
            broken(format!("{later}: do it, or write it down as open in docs/rfc.md"));
        }
        for path in MACHINE_PATHS.iter().filter(|p| words.contains(**p)) {
            broken(format!("{path} is a path of one machine"));
        }
    }
    out
}

/// All rules about Rust files.
fn rust(file: &str, text: &str, public: &PublicModules) -> Vec<Violation> {
    let source = Source::new(file, text);
    let mut out = layers(&source, public);
    for rule in [no_double_super, doors, purity, length, header, type_names, no_ignored_tests] {
        out.extend(rule(&source));
    }
    out
}

/// The `pub mod`s of one `mod.rs`.
fn public_modules(text: &str) -> BTreeSet<String> {
    let tokens = tokens(text);
    let open = tokens.windows(3).filter(|w| w[0].text == "pub" && w[1].text == "mod");
    open.map(|w| w[2].text.clone()).collect()
}

// --- the tree --------------------------------------------------------------------------------------------------------

/// Every file of the repository that is text, as paths from the root; built and hidden things are left out.
fn files(root: &Path) -> Vec<PathBuf> {
    let text = [
        "rs", "toml", "md", "sh", "xml", "html", "js", "css", "sql", "ladder", "call", "snap", "txt", "json",
    ];
    let (mut out, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository").map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() {
                if name != "target" && name != ".git" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|e| text.iter().any(|t| e == *t)) || name == "run" {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = |path: &Path| path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
    let mut public = PublicModules::new();
    for (room, _) in LAYERS {
        if let Ok(text) = std::fs::read_to_string(root.join(format!("src/{room}/mod.rs"))) {
            public.insert((*room).into(), public_modules(&text));
        }
    }
    let mut broken = Vec::new();
    for path in files(root) {
        let (file, text) = (name(&path), std::fs::read_to_string(&path).expect("a text file"));
        broken.extend(plain_text(&file, &text));
        if path.extension().is_some_and(|e| e == "rs") {
            broken.extend(rust(&file, &text, &public));
        }
    }
    broken.sort();
    let list: Vec<String> = broken.iter().map(Violation::to_string).collect();
    assert!(list.is_empty(), "{} rules broken:\n{}", list.len(), list.join("\n"));
}

/// The tests that a table of `docs/reliability.md` names, each with its line.
fn named_tests(table: &str) -> Vec<(usize, String)> {
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| what ");
    let last = |line: &str| line.trim_end_matches(['|', ' ']).rsplit('|').next().map(str::to_owned);
    let rows = table.lines().zip(1..).filter(|(line, _)| is_row(line));
    let cells = rows.filter_map(|(line, n)| Some((n, last(line)?)));
    let names = cells.flat_map(|(n, cell)| {
        let quoted: Vec<String> = cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        quoted.into_iter().map(move |name| (n, name))
    });
    names.filter(|(_, name)| !name.contains(['/', '.'])).collect()
}

#[test]
fn every_test_that_the_table_of_reliability_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = files(root).into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    let code: String = sources.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let table = std::fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let named = named_tests(&table);
    assert!(named.len() > 100, "only {} tests are named", named.len());
    let missing: Vec<_> = named.iter().filter(|(_, name)| !code.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "docs/reliability.md names tests that do not exist: {missing:?}");
}
