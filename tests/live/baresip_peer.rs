//! The real baresip as a process: its files are written, it is told what to do over its control socket, and what it
//! hears is measured in the file that it records.
use std::fs::File;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hotline::media::amplitude;
use hotline::replay::Phone;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::cast::{AGENT_HZ, CALLER_HZ, answer, only, over, rings};
use crate::house::{House, MUSIC_HZ, PROMPT_HZ, SOON, scratch, wav};

/// Seconds of sound that it has to say: longer than any test.
const SPEECH: usize = 60;
/// What is loud, and what is faint, in sample units.
const LOUD: f64 = 2_000.0;
const FAINT: f64 = 400.0;

/// A running baresip; ended with the value.
pub(crate) struct Baresip {
    _process: Process,
    folder: PathBuf,
    control: TcpStream,
    unread: Vec<u8>,
    seen: Vec<String>,
    /// As it is dialled.
    server: String,
}

/// How it reaches the house.
struct Way<'a> {
    server: SocketAddr,
    transport: &'a str,
    codec: &'a str,
    /// More for its account.
    account: String,
    /// More for its configuration.
    config: String,
}

impl Baresip {
    /// A baresip that is `user` of this house over `transport` (`udp` or `tcp`), and says `hz`.
    pub(crate) async fn start(
        house: &House,
        user: &str,
        password: Option<&str>,
        transport: &str,
        hz: f64,
    ) -> Self {
        Self::start_in("PCMA/8000/1", house, (user, password), (transport, hz)).await
    }

    /// The same with another codec, as baresip names it.
    pub(crate) async fn start_in(
        codec: &str,
        house: &House,
        (user, password): (&str, Option<&str>),
        (transport, hz): (&str, f64),
    ) -> Self {
        let (account, config) = (String::new(), String::new());
        let way = Way { server: house.sip, transport, codec, account, config };
        Self::launch(user, password, way, hz).await
    }

    /// The same over TLS: where, whose certificates it believes, and its `mediaenc`, if any.
    pub(crate) async fn start_secured(
        user: &str,
        password: Option<&str>,
        (server, authority, mediaenc): (SocketAddr, PathBuf, &str),
        hz: f64,
    ) -> Self {
        let account = if mediaenc.is_empty() { String::new() } else { format!(";mediaenc={mediaenc}") };
        let config = format!("sip_cafile {}\nmodule srtp.so\n", authority.display());
        let way = Way { server, transport: "tls", codec: "PCMA/8000/1", account, config };
        Self::launch(user, password, way, hz).await
    }

    async fn launch(user: &str, password: Option<&str>, way: Way<'_>, hz: f64) -> Self {
        let Way { server, transport, codec, account: more, config: modules } = way;
        let folder = scratch();
        let (sip, control) = (free_port(), free_port());
        let account = match password {
            Some(password) => format!("auth_user={user};auth_pass={password};regint=60"),
            None => "regint=0".to_owned(),
        };
        let account = format!(
            "<sip:{user}@{server};transport={transport}>;{account};answermode=auto;audio_codecs={codec}{more}\n"
        );
        std::fs::write(folder.join("in.wav"), wav(hz, SPEECH * 8_000)).unwrap();
        let config = config(&folder.display().to_string(), sip, control);
        std::fs::write(folder.join("config"), format!("{config}{modules}")).unwrap();
        std::fs::write(folder.join("accounts"), account).unwrap();
        std::fs::write(folder.join("contacts"), "").unwrap();
        let log = File::create(folder.join("log")).unwrap();
        let child = Command::new("baresip")
            .args(["-4", "-s", "-f"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| {
                panic!("baresip cannot be started ({e}): install it with `apt-get install baresip-core`")
            });
        // From here on it is killed, whatever happens.
        let mut process = Process { child, folder: folder.clone() };
        let control = connect(control, &mut process).await;
        let (unread, seen) = (Vec::new(), Vec::new());
        let suffix = if transport == "tls" { ";transport=tls" } else { "" };
        Self { _process: process, folder, control, unread, seen, server: format!("{server}{suffix}") }
    }

    /// Calls a number of the house.
    pub(crate) async fn dial(&mut self, number: &str) {
        // The transport is that of its account.
        let uri = format!("sip:{number}@{}", self.server);
        self.tell("dial", &uri).await;
    }

    /// Presses keys, by RFC 4733.
    pub(crate) async fn press(&mut self, keys: &str) {
        self.tell("sndcode", keys).await;
    }

    /// An agent signs in by the feature code, once his phone is registered.
    pub(crate) async fn sign_in(&mut self) {
        self.registered().await;
        self.dial("*81").await;
        self.wait("CALL_ESTABLISHED").await;
        self.wait("CALL_CLOSED").await;
    }

    /// A caller hears the menu, presses keys, waits with music, talks to this agent, hangs up.
    pub(crate) async fn visit(&mut self, agent: &mut Phone) {
        self.dial("95188").await;
        self.wait("CALL_ESTABLISHED").await;
        self.hears(&[PROMPT_HZ], &[MUSIC_HZ, AGENT_HZ, CALLER_HZ]).await;
        self.press("13").await;
        rings(agent).await;
        self.hears(&[MUSIC_HZ], &[PROMPT_HZ, AGENT_HZ, CALLER_HZ]).await;
        answer(agent).await;
        self.hears(&[AGENT_HZ], &[MUSIC_HZ, PROMPT_HZ, CALLER_HZ]).await;
        only("the agent", agent, &[CALLER_HZ]).await;
        self.hang_up().await;
        over(agent).await;
    }

    /// Refers the other end to somebody else.
    pub(crate) async fn transfer(&mut self, uri: &str) {
        self.tell("transfer", uri).await;
    }

    /// Ends the call.
    pub(crate) async fn hang_up(&mut self) {
        self.tell("hangup", "").await;
    }

    async fn tell(&mut self, command: &str, params: &str) {
        let text = serde_json::json!({ "command": command, "params": params }).to_string();
        self.control.write_all(format!("{}:{text},", text.len()).as_bytes()).await.unwrap();
    }

    /// Waits for one of its events, such as `CALL_ESTABLISHED`.
    pub(crate) async fn wait(&mut self, event: &str) {
        let end = Instant::now() + SOON;
        loop {
            while let Some(text) = netstring(&mut self.unread) {
                let json: serde_json::Value = serde_json::from_str(&text).unwrap();
                self.seen.push(text);
                if json["type"] == event {
                    return;
                }
            }
            let mut bytes = [0; 4_096];
            match timeout(end.saturating_duration_since(Instant::now()), self.control.read(&mut bytes)).await
            {
                Ok(Ok(n)) if n > 0 => self.unread.extend(&bytes[..n]),
                Ok(end) => panic!("baresip ended ({end:?}) before {event}; {}", self.story()),
                Err(late) => panic!("baresip: no {event} within {SOON:?} ({late}); {}", self.story()),
            }
        }
    }

    /// Waits until the registrar took it.
    pub(crate) async fn registered(&self) {
        let end = Instant::now() + SOON;
        while !self.log().contains("[1 binding]") {
            assert!(Instant::now() < end, "baresip is not registered within {SOON:?}; {}", self.story());
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asserts that it comes to hear `wanted` and none of `unwanted`, over the last 200 ms of what it
    /// decoded after this call.
    pub(crate) async fn hears(&self, wanted: &[f64], unwanted: &[f64]) {
        let end = Instant::now() + SOON;
        let before = self.recording().len();
        loop {
            let heard = self.heard_after(before);
            let level = |hz: &f64| amplitude(&heard, *hz * 8_000.0 / self.rate());
            let good = !heard.is_empty()
                && wanted.iter().map(level).all(|l| l > LOUD)
                && unwanted.iter().map(level).all(|l| l < FAINT);
            if good {
                return;
            }
            let levels: Vec<f64> = wanted.iter().chain(unwanted).map(level).collect();
            assert!(
                Instant::now() < end,
                "baresip should hear {wanted:?} and not {unwanted:?}; levels: {levels:?}; {}",
                self.story()
            );
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The last 200 ms of its newest recording; empty while there is less after its first `before` bytes.
    fn heard_after(&self, before: usize) -> Vec<i16> {
        const HEADER: usize = 44;
        const WINDOW: usize = 2 * 1_600;
        let bytes = self.recording();
        // A new call has a new recording, shorter than the last one.
        let before = if bytes.len() < before { HEADER } else { before.max(HEADER) };
        let whole = bytes.len() - bytes.len() % 2;
        if whole < before + WINDOW {
            return Vec::new();
        }
        bytes[whole - WINDOW..whole].chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]])).collect()
    }

    /// Samples a second of its newest recording: those of the codec.
    fn rate(&self) -> f64 {
        let bytes = self.recording();
        bytes.get(24..28).map_or(8_000.0, |b| f64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])))
    }

    /// What it decoded in its newest call, as a WAV file that is still being written.
    fn recording(&self) -> Vec<u8> {
        let files = std::fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let newest = files.filter(|path| path.to_string_lossy().ends_with("-dec.wav")).max();
        newest.and_then(|path| std::fs::read(path).ok()).unwrap_or_default()
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }

    /// What it said and logged, for a failure.
    fn story(&self) -> String {
        let files: Vec<_> = std::fs::read_dir(&self.folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), entry.metadata().map(|m| m.len())))
            .collect();
        format!("events: {:#?}\nlog:\n{}\nfiles: {files:?}", self.seen, self.log())
    }
}

/// Killed, and waited for, when it goes; its folder with it.
struct Process {
    child: Child,
    folder: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// Its control socket, once it is open.
async fn connect(port: u16, process: &mut Process) -> TcpStream {
    let end = Instant::now() + SOON;
    loop {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
            return stream;
        }
        let log = || std::fs::read_to_string(process.folder.join("log")).unwrap_or_default();
        let ended = process.child.try_wait().unwrap();
        assert!(ended.is_none(), "baresip ended ({ended:?}) before it began; log:\n{}", log());
        assert!(Instant::now() < end, "baresip opened no control socket within {SOON:?}; log:\n{}", log());
        sleep(Duration::from_millis(50)).await;
    }
}

/// The next whole netstring (`LENGTH:TEXT,`), taken out of what was read.
fn netstring(unread: &mut Vec<u8>) -> Option<String> {
    let colon = unread.iter().position(|b| *b == b':')?;
    let length: usize = std::str::from_utf8(&unread[..colon]).unwrap().parse().unwrap();
    let end = colon + 1 + length;
    if unread.len() <= end {
        return None;
    }
    let text = String::from_utf8(unread[colon + 1..end].to_vec()).unwrap();
    unread.drain(..=end);
    Some(text)
}

/// A port that is free for UDP and TCP, and the one above it as well: baresip opens TLS there.
fn free_port() -> u16 {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = udp.local_addr().unwrap().port();
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if port < u16::MAX && free(port) && free(port + 1) {
            return port;
        }
    }
    panic!("no two free ports side by side");
}

/// It has no player (Debian's `aufile` is a source alone): what it decodes is recorded by `sndfile`.
fn config(folder: &str, sip: u16, control: u16) -> String {
    format!(
        "poll_method epoll\nsip_listen 127.0.0.1:{sip}\nnet_interface 127.0.0.1\ncall_local_timeout 120\n\
         call_max_calls 4\naudio_source aufile,{folder}/in.wav\naudio_player none,none\naudio_alert none,none\n\
         ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\n\
         ausrc_format s16\nauplay_format s16\nauenc_format s16\naudec_format s16\n\
         rtcp_mux no\njitter_buffer_delay 1-5\nmodule_path /usr/lib/baresip/modules\n\
         module g711.so\nmodule g722.so\nmodule aufile.so\nmodule sndfile.so\n\
         module_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{control}\n\
         snd_path {folder}\nstatmode_default off\nringback_disabled yes\nmenu_bell no\n"
    )
}
