//! `hotline` and `hotline serve`: reads the settings, starts the server, says how to use it, waits for the end.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hotline::exchange::menu::{FeatureCode, render};
use hotline::io::{Server, Settings, TapeSettings, log_to_stderr};

/// Where the settings are, and how to log.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The settings; without the file the loopback defaults hold.
    #[arg(long, default_value = "hotline.toml")]
    config: PathBuf,
    /// What is logged: a tracing filter.
    #[arg(long, default_value = "warn,hotline=info")]
    log: String,
    /// Log as JSON, a line an event.
    #[arg(long)]
    log_json: bool,
    /// Record all inputs into this folder, for `hotline simulate --inputs`: a bug report is a file. Callers' numbers and
    /// digits are in it, secret digits are not.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            config: "hotline.toml".into(),
            log: "warn,hotline=warn".to_owned(),
            log_json: false,
            record: None,
        }
    }
}

/// The settings of a file, or its mistakes for the operator.
pub(crate) fn settings(path: &std::path::Path) -> Result<Settings, String> {
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound && name == "hotline.toml" => String::new(),
        Err(e) => return Err(format!("cannot read {name}: {e}")),
    };
    let files = [(name.clone(), text.clone())].into();
    match Settings::read(&name, &text) {
        Ok((settings, warnings)) => {
            eprint!("{}", render(&warnings, &files, false));
            Ok(settings)
        }
        Err(mistakes) => Err(format!("{}nothing is started", render(&mistakes, &files, false))),
    }
}

impl Serve {
    pub(crate) fn run(self) -> ExitCode {
        if !log_to_stderr(&self.log, self.log_json) {
            eprintln!("hotline: `{}` is not a log filter; logging at info", self.log);
        }
        let mut settings = match settings(&self.config) {
            Ok(settings) => settings,
            Err(text) => {
                eprintln!("{text}");
                return ExitCode::from(2);
            }
        };
        if let Some(folder) = self.record {
            settings.tape = Some(TapeSettings::into_folder(folder));
        }
        let store = settings.store.clone();
        match Server::start(settings) {
            Ok(server) => {
                eprint!("{}", server.warnings);
                greet(&server, &store);
                wait_for_the_end(server)
            }
            Err(e) => {
                eprintln!("hotline: {e}");
                ExitCode::from(1)
            }
        }
    }
}

/// What a person needs to know to make the first call.
fn greet(server: &Server, store: &std::path::Path) {
    let a = &server.addresses;
    println!("hotline {} is ready.", env!("CARGO_PKG_VERSION"));
    for sip in &a.advertised {
        println!("  SIP (UDP and TCP)  {sip}");
    }
    for sip in &a.tls {
        println!("  SIP (TLS)          {sip}");
    }
    println!("  Status page        http://{}/", a.http);
    let room = server.capacity;
    println!(
        "  Room for           {} calls at once ({} open files, {} RTP ports)",
        room.calls, room.files, room.ports
    );
    let first = a.advertised.first().map(ToString::to_string).unwrap_or_default();
    println!("\nDial with any SIP phone (no account needed), e.g. baresip, Linphone, Zoiper:");
    for (number, entrance) in &server.menus.numbers {
        println!("  sip:{number}@{first}   -> menu {} ({})", entrance.menu, entrance.language);
    }
    println!("\nAgents register at {first}; passwords are in {}:", store.join("secrets.json").display());
    for (agent, plan) in &server.menus.acd.agents {
        let fresh = server.secrets.fresh.contains(agent);
        let password = server
            .secrets
            .of
            .get(agent)
            .filter(|_| fresh)
            .map_or("(made at an earlier start)", |s| s.expose());
        println!("  {agent:<6} {:<34} {password}", plan.alias);
    }
    let codes: Vec<String> =
        server.menus.codes.iter().map(|(code, what)| format!("{code} {}", in_words(what))).collect();
    println!("  An agent dials: {}", codes.join(", "));
    println!(
        "\nNo second phone? Run `hotline robots` beside this: an agent and a merchant who answer by themselves."
    );
    println!("Ctrl-C ends when the calls inside are over; a second one ends them.");
}

fn in_words(code: &FeatureCode) -> String {
    match code {
        FeatureCode::SignIn => "sign in".to_owned(),
        FeatureCode::SignOut => "sign out".to_owned(),
        FeatureCode::Ready => "ready".to_owned(),
        FeatureCode::Pause(reason) => format!("pause ({reason})"),
    }
}

/// Until a signal, or until the server ends by itself, which is a failure: whoever watches the process starts it anew.
fn wait_for_the_end(server: Server) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("hotline: {e}");
            return ExitCode::from(1);
        }
    };
    let stop = server.stopper();
    let (ended, mut end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        server.join();
        // Nobody waits any more when the last signal came first.
        ended.send(()).ok();
    });
    runtime.block_on(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            eprintln!("hotline: signals cannot be watched");
            return ExitCode::from(1);
        };
        let says = [
            "takes no new calls; ends when those inside are over. A second signal ends them",
            "ends the calls inside. A third signal ends at once",
        ];
        let mut told = false;
        for say in says {
            tokio::select! {
                _ = &mut end => return if told { ExitCode::SUCCESS } else { ended_by_itself() },
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            eprintln!("hotline: {say}");
            told = true;
            stop.drain();
        }
        tokio::select! {
            _ = &mut end => ExitCode::SUCCESS,
            _ = terminate.recv() => ExitCode::from(130),
            _ = interrupt.recv() => ExitCode::from(130),
        }
    })
}

fn ended_by_itself() -> ExitCode {
    eprintln!("hotline: the server ended by itself; see the log");
    ExitCode::from(1)
}
