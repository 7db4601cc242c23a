//! The plainest HTTP client, so that a test says every byte of its request.
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::house::SOON;

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// A request with these header lines, `Host` among them.
pub(crate) fn send(to: SocketAddr, method: &str, path: &str, headers: &[&str]) -> Reply {
    say(to, (method, path), headers, "")
}

/// A POST with these header lines and this body.
pub(crate) fn post(to: SocketAddr, path: &str, headers: &[&str], body: &str) -> Reply {
    let length = format!("Content-Length: {}", body.len());
    say(to, ("POST", path), &[&[length.as_str()], headers].concat(), body)
}

fn say(to: SocketAddr, (method, path): (&str, &str), headers: &[&str], body: &str) -> Reply {
    let mut stream = TcpStream::connect(to).unwrap();
    // A set of menus is checked before it is answered.
    let patience = if body.is_empty() { SOON } else { 9 * SOON };
    stream.set_read_timeout(Some(patience)).unwrap();
    let headers: String = headers.iter().map(|h| [h, "\r\n"].concat()).collect();
    let head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // Whoever sends too much is answered before all of it is read.
    stream.write_all(body.as_bytes()).ok();
    let mut bytes = Vec::new();
    let all = stream.read_to_end(&mut bytes);
    assert!(all.is_ok() || !body.is_empty(), "{all:?}");
    reply(&bytes)
}

fn reply(bytes: &[u8]) -> Reply {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("not HTTP: {text}"));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

/// A plain GET.
pub(crate) fn get(to: SocketAddr, path: &str) -> Reply {
    send(to, "GET", path, &[&format!("Host: {to}")])
}

/// Asks again until `wanted` holds; what it gave.
pub(crate) async fn until<T>(what: &str, mut wanted: impl FnMut() -> Option<T>) -> T {
    let end = tokio::time::Instant::now() + SOON;
    loop {
        if let Some(found) = wanted() {
            return found;
        }
        assert!(tokio::time::Instant::now() < end, "waited {SOON:?} for {what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
