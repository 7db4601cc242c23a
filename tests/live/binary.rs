//! The real program, `hotline`, in a folder of its own: started, asked, killed.
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use hotline::replay::{Phone, PhoneEvent, PhoneSettings, Voice};

use crate::house::{SOON, scratch};

/// A folder with a `hotline.toml` and everything that comes of it.
pub(crate) struct Home {
    pub(crate) folder: PathBuf,
    pub(crate) sip: SocketAddr,
    pub(crate) http: SocketAddr,
    /// Where the merchants' trunk leads.
    pub(crate) merchant: SocketAddr,
}

/// A running server; killed when dropped.
pub(crate) struct Running(Child);

impl Home {
    /// Ports are free and stay the same over restarts.
    pub(crate) fn new() -> Self {
        let folder = scratch();
        let home = Self { folder, sip: free_port(), http: free_port(), merchant: free_port() };
        std::fs::write(
            home.folder.join("hotline.toml"),
            format!(
                "[sip]\nlisten = \"{}\"\n[http]\nlisten = \"{}\"\n[trunks.merchants]\naddress = \"{}\"\n",
                home.sip, home.http, home.merchant
            ),
        )
        .unwrap();
        home
    }

    /// A command of the program, in the folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotline"));
        command.current_dir(&self.folder).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a command that works prints.
    pub(crate) fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts the server and waits until it is ready; what it printed.
    pub(crate) fn serve(&self) -> (Running, String) {
        self.serve_by(self.command(&[]))
    }

    /// The same by a command that starts it in another way.
    pub(crate) fn serve_by(&self, mut command: Command) -> (Running, String) {
        let printed = self.folder.join("printed");
        command.stdout(std::fs::File::create(&printed).unwrap());
        command.stderr(std::fs::File::create(self.folder.join("errors")).unwrap());
        let mut running = Running(command.spawn().unwrap());
        // A debug build reads all its prompts before it is ready: on a busy machine that takes its time.
        let end = Instant::now() + 3 * SOON;
        loop {
            let text = std::fs::read_to_string(&printed).unwrap();
            if text.contains("\nCtrl-C ") {
                return (running, text);
            }
            let ended = running.0.try_wait().unwrap();
            let errors = std::fs::read_to_string(self.folder.join("errors")).unwrap();
            assert!(ended.is_none() && Instant::now() < end, "not ready: {ended:?} {text} {errors}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The settings of an agent's phone.
    pub(crate) fn phone_of(&self, agent: &str, voice: Voice) -> PhoneSettings {
        let secrets = std::fs::read_to_string(self.folder.join("var/secrets.json")).unwrap();
        let secrets: serde_json::Value = serde_json::from_str(&secrets).unwrap();
        let mut settings = PhoneSettings::new(agent, self.sip);
        settings.password = Some(secrets[agent].as_str().unwrap().to_owned());
        settings.voice = voice;
        settings
    }

    /// A caller whose call to the hotline is up.
    pub(crate) async fn caller(&self, from: &str) -> Phone {
        let mut phone = Phone::start(PhoneSettings::new(from, self.sip)).await.unwrap();
        phone.dial("95188").await.unwrap();
        phone.wait("the answer", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        phone
    }

    /// What the server said of errors so far.
    pub(crate) fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.join("errors")).unwrap_or_default()
    }

    /// The record's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("var/hotline.db")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What a killed server noted is not in the folder.
        if let Ok(notes) = std::fs::read_link(self.folder.join("var/journal/notes")) {
            std::fs::remove_dir_all(notes).ok();
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

impl Running {
    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Pulls the plug.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A loopback port that is free for UDP and TCP just now.
pub(crate) fn free_port() -> SocketAddr {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

/// Writes to the record as nobody should.
pub(crate) async fn sql(database: &Path, text: &'static str) {
    use sqlx::{ConnectOptions as _, Executor as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    options.connect().await.unwrap().execute(sqlx::raw_sql(text)).await.unwrap();
}

/// A connection to the record, as another program has one.
pub(crate) async fn connection(database: &Path) -> sqlx::SqliteConnection {
    use sqlx::ConnectOptions as _;
    sqlx::sqlite::SqliteConnectOptions::new().filename(database).connect().await.unwrap()
}
