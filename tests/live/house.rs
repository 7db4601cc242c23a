//! A hotline for one test: the shipped menus on free loopback ports, prompts replaced by short tones, so that what is
//! heard can be measured and nobody waits for a sentence to end.
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hotline::base::CallId;
use hotline::io::{CallFilter, Server, Settings, Store};
use hotline::media::Tone;
use hotline::replay::{Phone, PhoneEvent, PhoneSettings, Voice};

/// What every prompt sounds like here, in Hz.
pub(crate) const PROMPT_HZ: f64 = 2_100.0;
/// What hold music sounds like here, in Hz.
pub(crate) const MUSIC_HZ: f64 = 1_700.0;
/// Waits for what should happen at once, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Where a house listens, as the settings file says it.
const LOOPBACK: &str = "\"127.0.0.1:0\"";

/// A running hotline and its folder, which goes with it.
pub(crate) struct House {
    pub(crate) server: Option<Server>,
    pub(crate) folder: PathBuf,
    pub(crate) sip: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl House {
    /// With `more` added to the settings file.
    pub(crate) fn open(more: &str) -> Self {
        Self::open_with(more, |_| {})
    }

    /// Listening elsewhere: `listen` as in the settings file.
    pub(crate) fn open_on(listen: &str, more: &str) -> Self {
        Self::build(listen, more, |_| {}, |_| {})
    }

    /// With settings that the file cannot say twice.
    pub(crate) fn open_set(more: &str, set: impl FnOnce(&mut Settings)) -> Self {
        Self::build(LOOPBACK, more, |_| {}, set)
    }

    /// With changed copies of the shipped menus: `edit` gets the folder.
    pub(crate) fn open_with(more: &str, edit: impl FnOnce(&Path)) -> Self {
        Self::build(LOOPBACK, more, edit, |_| {})
    }

    /// Both.
    pub(crate) fn open_edited(more: &str, edit: impl FnOnce(&Path), set: impl FnOnce(&mut Settings)) -> Self {
        Self::build(LOOPBACK, more, edit, set)
    }

    fn build(listen: &str, more: &str, edit: impl FnOnce(&Path), set: impl FnOnce(&mut Settings)) -> Self {
        let folder = scratch();
        make_audio(&folder.join("audio"));
        copy_menus(&folder.join("menus"));
        edit(&folder.join("menus"));
        let mut settings = settings_on(&folder, listen, more);
        set(&mut settings);
        let server = Server::start(settings).unwrap_or_else(|e| panic!("{e}"));
        let (sip, http) = (server.addresses.sip[0], server.addresses.http);
        Self { server: Some(server), folder, sip, http }
    }

    /// An agent's phone, registered and signed in.
    pub(crate) async fn agent(&self, name: &str, voice: Voice) -> Phone {
        let mut settings = PhoneSettings::new(name, self.sip);
        settings.password = Some(self.password(name));
        settings.voice = voice;
        self.agent_with(settings).await
    }

    /// The same with settings of its own.
    pub(crate) async fn agent_with(&self, settings: PhoneSettings) -> Phone {
        let mut phone = Phone::start(settings).await.unwrap();
        phone.register(Duration::from_mins(5)).await.unwrap();
        phone.wait("registration", SOON, |e| matches!(e, PhoneEvent::Registered(true, _))).await.unwrap();
        phone.dial("*81").await.unwrap();
        phone.wait("the end of the sign-in", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        phone
    }

    /// A caller's phone, whose call to `number` is up.
    pub(crate) async fn caller(&self, from: &str, number: &str, voice: Voice) -> Phone {
        let mut settings = PhoneSettings::new(from, self.sip);
        settings.voice = voice;
        let mut phone = Phone::start(settings).await.unwrap();
        phone.dial(number).await.unwrap();
        phone.wait("the answer", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        phone
    }

    /// An agent's password.
    pub(crate) fn password(&self, name: &str) -> String {
        self.server.as_ref().unwrap().secrets.of[&name.into()].expose().to_owned()
    }

    /// The story of the newest call but `skip` in the record, once the server has ended and everything is written.
    pub(crate) fn story(&mut self, skip: usize) -> serde_json::Value {
        self.close();
        let path = self.folder.join("store").join("hotline.db");
        runtime().block_on(async {
            let store = Store::open(&path).await.unwrap();
            let rows = store.calls(&CallFilter { limit: 100, ..CallFilter::default() }).await.unwrap();
            let id = u64::try_from(rows[skip].id).unwrap();
            serde_json::to_value(store.call(CallId(id)).await.unwrap().unwrap()).unwrap()
        })
    }

    /// `GET /api/v1/status`.
    pub(crate) async fn status(&self) -> serde_json::Value {
        let body = self.get("/api/v1/status").await;
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"))
    }

    /// What a path of HTTP answers, without its headers.
    pub(crate) async fn get(&self, path: &str) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(self.http).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.http);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        tokio::time::timeout(SOON, stream.read_to_string(&mut text)).await.unwrap().unwrap();
        text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned()
    }

    /// Ends the server and starts another one on the same store, on other ports.
    pub(crate) fn restart(&mut self) {
        self.close();
        let server = Server::start(settings(&self.folder, "")).unwrap_or_else(|e| panic!("{e}"));
        (self.sip, self.http) = (server.addresses.sip[0], server.addresses.http);
        self.server = Some(server);
    }

    /// Ends the server and waits until everything is written.
    pub(crate) fn close(&mut self) {
        if let Some(server) = self.server.take() {
            // Once: no new calls. Twice: whoever is still there is hung up on.
            server.drain();
            server.drain();
            server.join();
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // Nothing more is asked of it: what is still going on is cut off.
        if let Some(server) = self.server.take() {
            server.drain();
            server.drain();
            server.join();
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// A folder of its own.
pub(crate) fn scratch() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("hotline-live-{}-{n}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Loopback, free ports, everything within `folder`; the merchants' trunk is to be named in `more`.
pub(crate) fn settings(folder: &Path, more: &str) -> Settings {
    settings_on(folder, LOOPBACK, more)
}

fn settings_on(folder: &Path, listen: &str, more: &str) -> Settings {
    let trunk = if more.contains("[trunks") { "" } else { "[trunks.merchants]\naddress = \"127.0.0.1:9\"\n" };
    // `more` may go on with the keys of [sip], then open tables of its own.
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"{0}/store\"\n[files]\nmenus = \"{0}/menus\"\naudio = \"{0}/audio\"\n\
         [sip]\nlisten = {listen}\nsignal_hold = true\n{more}\n{trunk}",
        folder.display()
    );
    Settings::read("hotline.toml", &text).unwrap_or_else(|found| panic!("{found:#?}")).0
}

fn copy_menus(to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir("menus").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// Every prompt of the shipped manifest as 200 ms of [`PROMPT_HZ`]; every music as 2 s of [`MUSIC_HZ`].
pub(crate) fn make_audio(to: &Path) {
    let prompt = wav(PROMPT_HZ, 1_600);
    let music = wav(MUSIC_HZ, 16_000);
    for folder in ["zh", "en", "music"] {
        std::fs::create_dir_all(to.join(folder)).unwrap();
        for entry in std::fs::read_dir(Path::new("audio").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = to.join(folder).join(path.file_stem().unwrap()).with_extension("wav");
            std::fs::write(name, if folder == "music" { &music } else { &prompt }).unwrap();
        }
    }
    std::fs::copy("audio/manifest.toml", to.join("manifest.toml")).unwrap();
}

/// A mono 16-bit WAV file at 8 kHz.
pub(crate) fn wav(hz: f64, samples: usize) -> Vec<u8> {
    let mut sound = vec![0_i16; samples];
    Tone::new(hz, 8_000.0).fill(&mut sound);
    let data = u32::try_from(2 * samples).unwrap();
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + data).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(8_000_u32.to_le_bytes());
    file.extend(16_000_u32.to_le_bytes());
    file.extend(2_u16.to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(data.to_le_bytes());
    file.extend(sound.iter().flat_map(|s| s.to_le_bytes()));
    file
}

/// A runtime of its own for a test's phones.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Asserts what an ear hears within `SOON`: all of `wanted` and none of `unwanted`, over the last 200 ms of sound that
/// came after this call.
pub(crate) async fn hears(who: &str, phone: &Phone, wanted: &[f64], unwanted: &[f64]) {
    const WINDOW: Duration = Duration::from_millis(200);
    const LOUD: f64 = 2_000.0;
    const FAINT: f64 = 400.0;
    phone.ear.rinse();
    let good = |ear: &hotline::replay::Ear| {
        let wanted = ear.levels(wanted, WINDOW)?.into_iter().all(|l| l > LOUD);
        let unwanted = ear.levels(unwanted, WINDOW)?.into_iter().all(|l| l < FAINT);
        (wanted && unwanted).then_some(())
    };
    if phone.ear.until(SOON, good).await.is_none() {
        let all: Vec<f64> = wanted.iter().chain(unwanted).copied().collect();
        let levels = phone.ear.levels(&all, WINDOW);
        panic!(
            "{who} should hear {wanted:?} and not {unwanted:?}; levels of {all:?}: {levels:?}, {:?}",
            phone.ear.figures()
        );
    }
}
