//! Has words spoken by a command that ops name: `hotline prompts --speak`, and a banner of free words.
//!
//! Invariant: whatever the command does, it is over when its time is, with all that it started and did not let go; what it
//! says of its mistake is told, and no secret of the server is in its environment.
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};

use crate::base::Language;

/// Speaks without being asked to be told how: Debian's `espeak-ng`.
pub const ESPEAK: &str = r#"espeak-ng -v "$VOICE" -w "$FILE" -- "$TEXT""#;

/// What it writes may be no longer: five minutes of 48 kHz stereo.
const BYTES: u64 = 64 << 20;
/// So often it is looked how much it has written.
const LOOK: Duration = Duration::from_millis(50);
/// So much is told of what it said.
const TOLD: u64 = 200;

/// A command that speaks.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// What `sh` runs: `$TEXT` into the WAV file `$FILE`, in `$LANGUAGE` (zh, en); `$VOICE` is espeak-ng's name of it.
    pub command: String,
    /// How long it may take.
    pub within: Duration,
    /// Variables of the environment that are not its business.
    pub hidden: Vec<String>,
}

impl Speaker {
    /// Has it spoken into `file`, and waits for it.
    ///
    /// # Errors
    /// Why not, for people. The file may then be there, and be anything.
    pub fn speak(&self, language: Language, words: &str, file: &Path) -> Result<(), String> {
        let said = file.with_extension("said");
        let spoken = self.run(language, words, (file, &said)).map_err(|why| {
            let heard = first_words(&said);
            let heard = if heard.is_empty() { heard } else { format!(": {heard}") };
            format!("`{}` {why}{heard}", self.command)
        });
        fs::remove_file(said).ok();
        spoken
    }

    fn run(&self, language: Language, words: &str, (file, said): (&Path, &Path)) -> Result<(), String> {
        let failed = |e: io::Error| format!("cannot be run: {e}");
        let voice = match language {
            Language::Mandarin => "cmn-latn-pinyin",
            Language::English => "en-us",
        };
        let mut command = Command::new("sh");
        command.args(["-c", &self.command]).env("TEXT", words).env("FILE", file);
        command.env("LANGUAGE", language.code()).env("VOICE", voice);
        for name in &self.hidden {
            command.env_remove(name);
        }
        let errors = File::create(said).map_err(failed)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).process_group(0);
        let mut child = command.spawn().map_err(failed)?;
        let ended = self.watch(&mut child, &[file, said]);
        if ended.is_err() {
            kill(&mut child);
        }
        let status = ended?;
        if !status.success() {
            return Err(format!("failed ({status})"));
        }
        if file.is_file() { Ok(()) } else { Err("wrote no file".to_owned()) }
    }

    /// Waits for its end, but not for ever, and not while it fills the disk.
    fn watch(&self, child: &mut Child, files: &[&Path]) -> Result<ExitStatus, String> {
        let unknown = |e: io::Error| format!("is not known to be over: {e}");
        let end = pidfd_open(rustix::process::Pid::from_child(child), PidfdFlags::empty());
        let end = end.map_err(|e| unknown(e.into()))?;
        let mut waited = Duration::ZERO;
        while !is_over(&end).map_err(unknown)? {
            waited += LOOK;
            if waited >= self.within {
                return Err(format!("took longer than {} s", self.within.as_secs_f32()));
            }
            let length = |path: &&Path| fs::metadata(path).map_or(0, |meta| meta.len());
            if files.iter().map(length).sum::<u64>() > BYTES {
                return Err("wrote without end".to_owned());
            }
        }
        child.wait().map_err(unknown)
    }
}

/// Waits a moment for the end of a process; whether it came.
fn is_over(end: &OwnedFd) -> io::Result<bool> {
    let moment = PollTimeout::try_from(LOOK).unwrap_or(PollTimeout::ZERO);
    match poll(&mut [PollFd::new(end.as_fd(), PollFlags::POLLIN)], moment) {
        Ok(ready) => Ok(ready > 0),
        Err(nix::errno::Errno::EINTR) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Ends it and its children.
fn kill(child: &mut Child) {
    // It may have ended just now.
    killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL).ok();
    child.kill().ok();
    child.wait().ok();
}

/// The beginning of what it complained of, in one line.
fn first_words(said: &Path) -> String {
    let mut text = Vec::new();
    // What it said is of help only where it can be read.
    File::open(said).and_then(|file| file.take(TOLD).read_to_end(&mut text)).ok();
    String::from_utf8_lossy(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("hotline-speaker-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn speak(folder: &Folder, command: &str, within_ms: u64) -> Result<String, String> {
        let within = Duration::from_millis(within_ms);
        let speaker =
            Speaker { command: command.to_owned(), within, hidden: vec!["PATH_TO_A_SECRET".into()] };
        let file = folder.0.join("a.wav");
        let spoken = speaker.speak(Language::Mandarin, "系统 'x' $(id) `id` \"y\"", &file);
        assert!(!file.with_extension("said").exists(), "nothing else is left");
        spoken.map(|()| fs::read_to_string(file).unwrap())
    }

    #[test]
    fn words_come_as_they_are_and_are_never_a_command() {
        let folder = Folder::new("words");
        let made = speak(&folder, r#"echo "$LANGUAGE $VOICE $TEXT" > "$FILE""#, 20_000).unwrap();
        assert_eq!(made, "zh cmn-latn-pinyin 系统 'x' $(id) `id` \"y\"\n");
    }

    #[test]
    fn whatever_goes_wrong_is_told_with_what_the_command_said() {
        let folder = Folder::new("wrong");
        for (command, told) in [
            ("no-such-speaker-at-all", "no-such-speaker-at-all: not found"),
            ("echo there is no voice >&2; exit 3", "failed (exit status: 3): there is no voice"),
            ("true", "wrote no file"),
            ("kill -9 $$", "signal: 9"),
        ] {
            let why = speak(&folder, command, 20_000).unwrap_err();
            assert!(why.contains(told) && why.contains(command), "{why}");
        }
    }

    #[test]
    fn who_never_ends_is_ended_with_his_children_and_who_writes_for_ever_too() {
        let folder = Folder::new("hangs");
        let child = folder.0.join("child");
        let command = format!("sleep 1000 & echo $! > {}; wait", child.display());
        let why = speak(&folder, &command, 2_000).unwrap_err();
        assert!(why.contains("took longer than 2 s"), "{why}");
        let state = format!("/proc/{}/stat", fs::read_to_string(&child).unwrap().trim());
        // Killed, and perhaps not buried yet.
        let lives = || fs::read_to_string(&state).is_ok_and(|stat| !stat.contains(") Z "));
        let ended = (0..1_000_000).any(|_| {
            std::thread::yield_now();
            !lives()
        });
        assert!(ended, "a child of the command goes on");
        let why = speak(&folder, "cat /dev/zero > \"$FILE\"", 60_000).unwrap_err();
        assert!(why.contains("wrote without end"), "{why}");
    }

    #[test]
    fn its_environment_has_no_secret() {
        let folder = Folder::new("secret");
        let speaker = Speaker {
            command: "env > \"$FILE\"".to_owned(),
            within: Duration::from_secs(20),
            hidden: vec!["HOME".to_owned()],
        };
        let file = folder.0.join("a.wav");
        speaker.speak(Language::English, "hello", &file).unwrap();
        let text = fs::read_to_string(file).unwrap();
        let has = |name: &str| text.lines().any(|line| line.starts_with(name));
        assert!(has("LANGUAGE=en") && has("PATH=") && !has("HOME="));
    }
}
