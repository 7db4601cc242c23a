//! `hotline try`: a phone in the terminal. No server, no sound: what callers would hear, as text in both languages, with a
//! clock that runs as fast as one presses keys.
#![expect(clippy::print_stderr, reason = "a command's output")]
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hotline::base::PromptId;
use hotline::exchange::menu::{Act, Rehearsal, Stage, clock, lines};

use super::menus::{MenuFolder, stage};
use super::terminal::printable;

const KEYPAD: &str = "\
   1  2  3     . listen to the end
   4  5  6     ~ do nothing until something happens (also: an empty line)
   7  8  9     ! the line sends you away: full, too long, nobody there
   *  0  #     q hang up";

/// A phone in the terminal.
#[derive(Debug, Args)]
pub(crate) struct Try {
    #[command(flatten)]
    menus: MenuFolder,
    /// The number to dial; by default the first of numbers.toml.
    #[arg(long)]
    number: Option<String>,
    /// When, on the wall of the calendar's time zone: 2026-02-17T03:00. By default now.
    #[arg(long)]
    at: Option<String>,
    /// The emergency banner that is on: a prompt.
    #[arg(long)]
    banner: Option<String>,
    /// Press these and hang up: keys, `.` listen, `~` do nothing, `!` the line is full.
    #[arg(long, allow_hyphen_values = true)]
    keys: Option<String>,
    /// Play scripts and hold them to what they expect. May be given several times.
    #[arg(long)]
    script: Vec<PathBuf>,
}

/// Prints a line; a closed pipe is no mistake of ours.
macro_rules! say {
    ($($text:tt)*) => {
        writeln!(std::io::stdout(), $($text)*).ok()
    };
}

impl Try {
    /// Exit status 0: as expected. 1: a script's expectation does not hold. 2: menus, number, time or keys cannot be read.
    pub(crate) fn run(self) -> ExitCode {
        match stage(&self.menus, self.at.as_deref()).and_then(|stage| self.play(&stage)) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(why) => {
                eprintln!("hotline try: {why}");
                ExitCode::from(2)
            }
        }
    }

    fn play(&self, stage: &Stage) -> Result<bool, String> {
        if !self.script.is_empty() {
            return self.scripts(stage);
        }
        let number = match &self.number {
            Some(number) => number.clone(),
            None => stage.set.numbers.keys().next().cloned().unwrap_or_default(),
        };
        let banner = self.banner.as_deref().map(PromptId::from);
        if let Some(banner) = banner.as_ref().filter(|banner| !stage.set.banners.contains(*banner)) {
            let known: Vec<&str> = stage.set.banners.iter().map(PromptId::as_str).collect();
            return Err(format!("`{banner}` is no banner; there are {}", known.join(", ")));
        }
        let dialled = (number.as_str(), banner.as_ref());
        let caller = Rehearsal::dial_with(&stage.set, &stage.lengths, dialled, stage.at);
        let Some(mut caller) = caller else {
            let known: Vec<&str> = stage.set.numbers.keys().map(String::as_str).collect();
            return Err(format!("callers cannot dial {number}; they can dial {}", known.join(", ")));
        };
        say!("{}  dials {number}", stage.set.zone.show(stage.at));
        tell(stage, &mut caller);
        match &self.keys {
            Some(keys) => press(stage, &mut caller, keys)?,
            None => by_hand(stage, &mut caller),
        }
        Ok(true)
    }

    fn scripts(&self, stage: &Stage) -> Result<bool, String> {
        let mut good = true;
        for path in &self.script {
            let shown = path.display();
            let text = std::fs::read_to_string(path).map_err(|e| format!("{shown}: {e}"))?;
            let played = stage.play(&text);
            for fault in &played.faults {
                eprintln!("{shown}:{}: {}", fault.line, fault.message);
            }
            if played.faults.is_empty() {
                say!("{shown}: all of {} expectations hold", played.expectations);
            } else {
                say!("{}", played.story);
                good = false;
            }
        }
        Ok(good)
    }
}

fn tell(stage: &Stage, caller: &mut Rehearsal) {
    let clock = clock(caller.now());
    for line in caller.take_scenes().iter().flat_map(|scene| lines(scene, &stage.texts)) {
        say!("{clock}  {}", printable(&line));
    }
}

fn press(stage: &Stage, caller: &mut Rehearsal, keys: &str) -> Result<(), String> {
    for c in keys.chars().filter(|c| !c.is_whitespace()) {
        let act = Act::from_char(c).ok_or_else(|| format!("`{c}` is no key"))?;
        say!("      {c}");
        caller.act(act);
        tell(stage, caller);
    }
    Ok(())
}

fn by_hand(stage: &Stage, caller: &mut Rehearsal) {
    say!("{KEYPAD}");
    let prompt = std::io::stdin().is_terminal();
    let mut lines = std::io::stdin().lock().lines();
    while !caller.is_over() {
        if prompt {
            write!(std::io::stdout(), "> ").and_then(|()| std::io::stdout().flush()).ok();
        }
        let Some(Ok(line)) = lines.next() else { return };
        let keys = match line.trim() {
            "q" => return,
            "" => "~",
            keys => keys,
        };
        if let Err(why) = press(stage, caller, keys) {
            say!("{why}");
        }
    }
}
