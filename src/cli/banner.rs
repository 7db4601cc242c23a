//! `hotline banner`: shows, puts on and takes off what callers are told while something is wrong.
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hotline::base::Language;
use hotline::exchange::BannerWish;
use hotline::io::socket::{Answer, Question};
use serde_json::Value;

use super::ask::{Running, fail};
use super::terminal::printable;

/// The emergency banner of the running server; without `on` or `off`, the one that is on.
#[derive(Debug, Args)]
pub(crate) struct Banner {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    running: Running,
    /// As JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Put it on, in place of another: whoever rings or waits hears it within a second, each once.
    On(On),
    /// Take it off.
    Off,
}

#[derive(Debug, Args)]
struct On {
    /// The prompt that is said: one whose name begins with `banner-`. Without it, the words.
    #[arg(long)]
    prompt: Option<String>,
    /// The words, in the language of their letters: spoken, unless a prompt says just these. Callers of the other language
    /// hear them too.
    #[arg(long, conflicts_with_all = ["text_zh", "text_en"])]
    text: Option<String>,
    /// The words in Mandarin; beside --prompt, for the status page.
    #[arg(long)]
    text_zh: Option<String>,
    /// The words in English.
    #[arg(long)]
    text_en: Option<String>,
    /// For callers of these numbers. Without numbers and queues, for all.
    #[arg(long, value_delimiter = ',')]
    numbers: Vec<String>,
    /// For those who wait in these queues.
    #[arg(long, value_delimiter = ',')]
    queues: Vec<String>,
    /// Off at this moment, on the wall of the calendar's time zone: 2026-03-07T18:00.
    #[arg(long, required_unless_present = "lasts", conflicts_with = "lasts")]
    until: Option<String>,
    /// Off after this time: 2h, 90m.
    #[arg(long = "for")]
    lasts: Option<String>,
}

impl On {
    fn wish(&self) -> BannerWish {
        let texts = [(Language::Mandarin, &self.text_zh), (Language::English, &self.text_en)];
        let text: BTreeMap<Language, String> =
            texts.into_iter().filter_map(|(l, text)| Some((l, text.clone()?))).collect();
        let mut wish = BannerWish {
            prompt: self.prompt.clone(),
            text,
            numbers: self.numbers.iter().cloned().collect(),
            queues: self.queues.iter().cloned().collect::<BTreeSet<_>>(),
            until: self.until.clone(),
            lasts: self.lasts.clone(),
        };
        if let Some(text) = &self.text {
            wish.say(text);
        }
        wish
    }
}

impl Banner {
    /// Exit status 1: refused, or no server answers.
    pub(crate) fn run(self) -> ExitCode {
        let question = match &self.what {
            None => Question::Banner,
            Some(What::On(on)) => Question::BannerOn(on.wish()),
            Some(What::Off) => Question::BannerOff,
        };
        match self.running.ask(&question) {
            Ok(Answer::Json(banner)) => {
                let said = if self.json { format!("{banner:#}") } else { told(&banner) };
                writeln!(std::io::stdout(), "{said}").ok();
                ExitCode::SUCCESS
            }
            Ok(Answer::NotFound(why) | Answer::Refused(why)) | Err(why) => fail(&why),
            Ok(_) => fail("the server answered something else"),
        }
    }
}

/// For people.
fn told(answer: &Value) -> String {
    let Some(banner) = answer.get("banner").filter(|banner| !banner.is_null()) else {
        return "no banner is on".to_owned();
    };
    let text = |value: &Value| printable(value.as_str().unwrap_or_default());
    let list = |key: &str| {
        let all = banner.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        all.iter().map(text).collect::<Vec<_>>().join(", ")
    };
    let (numbers, queues) = (list("numbers"), list("queues"));
    let whom = match (numbers.as_str(), queues.as_str()) {
        ("", "") => "all callers".to_owned(),
        (numbers, "") => format!("callers of {numbers}"),
        ("", queues) => format!("callers in {queues}"),
        (numbers, queues) => format!("callers of {numbers}, and callers in {queues}"),
    };
    let mut lines = vec![format!(
        "{} for {whom}, until {}",
        text(banner.get("prompt").unwrap_or(&Value::Null)),
        text(answer.get("until").unwrap_or(&Value::Null))
    )];
    for (language, words) in banner.get("text").and_then(Value::as_object).into_iter().flatten() {
        lines.push(format!("  {}  {}", printable(language), text(words)));
    }
    lines.join("\n")
}
