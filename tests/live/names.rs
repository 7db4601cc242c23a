//! Names that callers choose (Call-ID, From, To, numbers, User-Agent, methods, passwords' users) are text and nothing else: they
//! make no file, and leave no control character in the log, whatever it tells.
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use crate::binary::Home;
use crate::house::SOON;
use crate::web::get;

/// What would do harm in a path, a terminal, a page, a query, a format string, a shell, a table.
const HOSTILE: [&str; 15] = [
    "../../../../tmp/hotline-was-here",
    "/tmp/hotline-was-here",
    "..%2f..%2ftmp%2fhotline-was-here",
    "x\u{1b}[2J\u{1b}]0;owned\u{7}",
    "x\u{9b}31m\u{85}y",
    "\u{202e}gnp.exe\u{2066}",
    "<script>document.title='owned'</script>",
    "\"><img src=x onerror=alert(1)>",
    "' OR 1=1; DROP TABLE calls;--",
    "%s%s%s%n%x",
    "{}{0}{:?}${jndi:ldap://x}",
    "$(touch /tmp/hotline-was-here)",
    "`touch /tmp/hotline-was-here`; rm -rf .",
    "=cmd|' /C calc'!A0,\"a\"\"b\"",
    "CON.wav\tNUL|a*?:<>",
];

/// The places of a request where a name stands.
const PLACES: [&str; 5] = ["Call-ID", "From", "User-Agent", "number", "method"];

fn request(
    server: std::net::SocketAddr,
    me: std::net::SocketAddr,
    (n, name): (usize, &str),
    place: &str,
) -> String {
    let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
    let is = |wanted: &str, plain: String| if place == wanted { name.to_owned() } else { plain };
    let user: String = if place == "number" {
        name.bytes()
            .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02x}") })
            .collect()
    } else {
        "95188".into()
    };
    let display = if place == "From" { quoted } else { "x".into() };
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n";
    let method = is("method", "INVITE".into());
    format!(
        "{method} sip:{user}@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bKn{n}{};rport\r\nMax-Forwards: 70\r\n\
         From: \"{display}\" <sip:{}@{me}>;tag=t{n}\r\nTo: <sip:95188@{server}>\r\nCall-ID: {}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:x@{me}>\r\nUser-Agent: {}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        place.len(),
        if place == "From" { "%1b%5B31m%00%0A007" } else { "13800138000" },
        is("Call-ID", format!("names{n}{place}")),
        is("User-Agent", "x".into()),
        sdp.len(),
    )
}

fn files_below(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, found);
        }
        found.insert(path);
    }
}

#[test]
fn seventy_five_hostile_calls_make_no_file_and_no_escape_in_the_log() {
    let home = Home::new();
    let (server, _) = home.serve_by(home.command(&["serve", "--log", "trace"]));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let me = socket.local_addr().unwrap();
    let mut answered = 0;
    for place in PLACES {
        for (n, name) in HOSTILE.iter().enumerate() {
            socket.send_to(request(home.sip, me, (n, name), place).as_bytes(), home.sip).unwrap();
            // What is no SIP at all is not answered.
            socket.set_read_timeout(Some(std::time::Duration::from_millis(150))).unwrap();
            answered += usize::from(socket.recv(&mut [0; 4_096]).is_ok());
        }
    }
    assert!(answered > 40, "only {answered} were answered");
    let status = get(home.http, "/api/v1/status").json();
    assert!(!status["board"]["calls"].as_array().unwrap().is_empty(), "no call came in");
    server.kill();
    let log = std::fs::read(home.folder.join("errors")).unwrap();
    assert!(log.len() > 1_000, "nothing was told");
    let log = String::from_utf8(log).expect("the log is UTF-8");
    let odd: Vec<&str> = log.lines().filter(|line| line.chars().any(is_harmful)).collect();
    assert!(odd.is_empty(), "{:?}", &odd[..odd.len().min(3)]);
    // Its lines are its own: none begins as a caller wishes.
    let mut files = BTreeSet::new();
    files_below(&home.folder, &mut files);
    let named: Vec<&PathBuf> =
        files.iter().filter(|f| f.to_string_lossy().contains("was-here") || f.ends_with("CON.wav")).collect();
    assert!(named.is_empty(), "{named:?}");
    assert!(!Path::new("/tmp/hotline-was-here").exists());
}

/// Controls of a terminal, and those that turn the direction of text.
fn is_harmful(c: char) -> bool {
    c.is_control() && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
