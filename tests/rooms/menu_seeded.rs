//! Seeded defects: the shipped folder with one mistake in each copy. Each kind names the code that must be found, and
//! none is missed; copies that are only written differently, or changed as ops may change them, are found clean.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use hotline::base::{Language, PromptId};
use hotline::exchange::menu::{
    Bounds, CODES, Heard, MenuSet, PromptLengths, PromptTexts, Recording, Recordings, judge_recordings,
    judge_words, prove,
};

use crate::menu_run::{shipped_files, texts};

type Files = BTreeMap<String, String>;

/// Everything that `hotline check` looks at.
#[derive(Clone)]
struct Folder {
    files: Files,
    manifest: String,
    lock: String,
    recordings: Recordings,
}

fn audio(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("audio").join(name)).unwrap()
}

/// A recording that nobody can complain of.
fn good(lasts: Duration) -> Recording {
    let pause = (Duration::ZERO, Duration::from_millis(300));
    Recording::Sound(Heard { lasts, silent: false, level_db: -20.0, clipped: false, pause })
}

fn shipped() -> Folder {
    let texts = texts();
    let lengths = PromptLengths::estimated(&texts);
    let recordings = lengths.lengths.into_iter().map(|(slot, lasts)| (slot, good(lasts))).collect();
    Folder {
        files: shipped_files(),
        manifest: audio("manifest.toml"),
        lock: audio("manifest.lock.toml"),
        recordings,
    }
}

impl Folder {
    /// Code and file of all that is found.
    fn found(&self) -> BTreeSet<(&'static str, String)> {
        let (texts, mut all) = PromptTexts::read("manifest.toml", &self.manifest);
        all.extend(judge_recordings("manifest.toml", &self.manifest, &self.lock, &self.recordings));
        match MenuSet::read(&self.files, &texts.known()) {
            Err(found) => all.extend(found),
            Ok(reading) => {
                all.extend(reading.warnings.clone());
                all.extend(judge_words(&reading, &self.files, &texts));
                let mut lengths = PromptLengths::estimated(&texts);
                for (slot, recording) in &self.recordings {
                    if let Recording::Sound(heard) = recording {
                        lengths.lengths.insert(slot.clone(), heard.lasts);
                    }
                }
                all.extend(prove(&reading, &self.files, &lengths, Bounds::default()).diagnostics);
            }
        }
        all.into_iter().map(|d| (d.code, format!("{}:{}: {}", d.file, d.line, d.message))).collect()
    }

    fn with(&self, file: &str, change: impl FnOnce(&str) -> String) -> Self {
        let mut changed = self.clone();
        let text = changed.files.remove(file).unwrap_or_default();
        let now = change(&text);
        assert_ne!(text, now, "{file} is not changed");
        changed.files.insert(file.to_owned(), now);
        changed
    }

    fn and(self, file: &str, text: &str) -> Self {
        self.with(file, |_| text.to_owned())
    }

    fn record(&self, id: &str, change: impl Fn(&mut Heard)) -> Self {
        let mut changed = self.clone();
        for ((_, prompt), recording) in &mut changed.recordings {
            if let (true, Recording::Sound(heard)) = (prompt.as_str() == id, recording) {
                change(heard);
            }
        }
        changed
    }
}

/// Copies with one mistake each, and the code that each must show.
#[derive(Default)]
struct Seeds(Vec<(&'static str, &'static str, Folder)>);

impl Seeds {
    fn add(&mut self, kind: &'static str, code: &'static str, folder: Folder) {
        self.0.push((kind, code, folder));
    }

    /// Each line of each file that `wrong` makes something else of, one copy each.
    fn lines(
        &mut self,
        kind: &'static str,
        code: &'static str,
        base: &Folder,
        wrong: impl Fn(&str, &str) -> Option<String>,
    ) {
        for (name, text) in &base.files {
            let lines: Vec<&str> = text.lines().collect();
            for (n, line) in lines.iter().enumerate() {
                let Some(bad) = wrong(name, line) else { continue };
                let mut changed: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
                changed[n] = bad;
                self.add(kind, code, base.with(name, |_| changed.join("\n") + "\n"));
            }
        }
    }
}

const RESERVED: [&str; 6] =
    ["numbers.toml", "queues.toml", "agents.toml", "directory.toml", "calendar.toml", "schedule.toml"];

fn is_menu(file: &str) -> bool {
    !RESERVED.contains(&file)
}

fn key_of(line: &str) -> &str {
    line.split('=').next().unwrap_or("").trim()
}

fn is_choice(line: &str) -> bool {
    matches!(key_of(line), "1" | "2" | "3" | "4" | "8" | "9" | "\"*\"")
}

/// Mistakes of spelling, at every line where one can be made.
fn misspelt(seeds: &mut Seeds, base: &Folder) {
    seeds.lines("a menu misspelt", "HL0201", base, |file, line| {
        let plain =
            is_choice(line) && !line.contains("queue") && !line.contains("human") && !line.contains("repeat");
        (is_menu(file) && plain).then(|| line.replacen(" = \"", " = \"x", 1))
    });
    seeds.lines("a queue misspelt", "HL0202", base, |file, line| {
        (is_menu(file) && line.contains("\"queue ")).then(|| line.replacen("queue ", "queue x", 1))
    });
    seeds.lines("a prompt misspelt", "HL0401", base, |file, line| {
        let says = ["say", "silence", "wrong"].contains(&key_of(line));
        (is_menu(file) && says).then(|| line.replacen('"', "\"x", 1))
    });
    seeds.lines("a key misspelt", "HL0102", base, |file, line| {
        (is_menu(file) && key_of(line) == "silence").then(|| line.replacen("silence", "silense", 1))
    });
    seeds.lines("a quote lost", "HL0101", base, |file, line| {
        (is_menu(file) && key_of(line) == "say" && line.ends_with('"'))
            .then(|| line[..line.len() - 1].to_owned())
    });
    seeds.lines("hours misspelt", "HL0203", base, |_, line| {
        (key_of(line) == "hours" && line.contains('"')).then(|| line.replacen('"', "\"x", 1))
    });
    seeds.lines("a setting of a queue misspelt", "HL0102", base, |file, line| {
        (file == "queues.toml" && key_of(line) == "priority").then(|| line.replacen("priority", "prority", 1))
    });
}

/// A line too many, too few, or with another value.
fn lines(seeds: &mut Seeds, base: &Folder) {
    seeds.lines("nothing to say", "HL0104", base, |file, line| {
        (is_menu(file) && key_of(line) == "say").then(String::new)
    });
    seeds.lines("a key twice", "HL0101", base, |file, line| {
        (is_menu(file) && key_of(line) == "1").then(|| format!("{line}\n{line}"))
    });
    seeds.lines("a key that no telephone has", "HL0309", base, |file, line| {
        (is_menu(file) && key_of(line) == "1").then(|| line.replacen('1', "11", 1))
    });
    seeds.lines("a time without quotes", "HL0103", base, |_, line| {
        (key_of(line) == "wait").then(|| "wait = 8".to_owned())
    });
    seeds.lines("a wait beyond reason", "HL0105", base, |_, line| {
        (key_of(line) == "wait").then(|| "wait = \"8m\"".to_owned())
    });
    seeds.lines("0 leads to a menu", "HL0305", base, |file, line| {
        (is_menu(file) && key_of(line) == "0").then(|| "0 = \"main\"".to_owned())
    });
    seeds.lines("a key hangs up", "HL0306", base, |file, line| {
        (is_menu(file) && key_of(line) == "2").then(|| "2 = \"hang up\"".to_owned())
    });
    seeds.lines("an entry hangs up", "HL0306", base, |file, line| {
        let entry = ["order.toml", "identity.toml", "merchant.toml"].contains(&file);
        (entry && key_of(line) == "then").then(|| "then = \"hang up\"".to_owned())
    });
    seeds.lines("hours without what holds outside them", "HL0307", base, |_, line| {
        (key_of(line) == "closed").then(String::new)
    });
    seeds.lines("two things in one menu", "HL0304", base, |file, line| {
        (is_menu(file) && line == "[keys]").then(|| "then = \"main\"\n[keys]".to_owned())
    });
    seeds.lines("an entry that nothing fits", "HL0308", base, |_, line| {
        line.contains("[8, 20]").then(|| line.replacen("[8, 20]", "[20, 8]", 1))
    });
    seeds.lines("a skill that nobody has", "HL0501", base, |file, line| {
        (file == "queues.toml" && key_of(line) == "skills").then(|| line.replacen("[\"", "[\"x", 1))
    });
    seeds.lines("a code twice", "HL0505", base, |file, line| {
        let other = key_of(line) == "code" && !line.contains("\"1\"");
        (["queues.toml", "directory.toml"].contains(&file) && other).then(|| "code = \"1\"".to_owned())
    });
    seeds.lines("an alias that fits nowhere", "HL0701", base, |_, line| {
        (key_of(line) == "alias").then(|| format!("alias = \"{}\"", "x".repeat(61)))
    });
    seeds.lines("a number without a menu", "HL0104", base, |file, line| {
        (file == "numbers.toml" && key_of(line) == "menu").then(String::new)
    });
}

/// Mistakes of the calendar.
fn calendar(seeds: &mut Seeds, base: &Folder) {
    seeds.lines("hours that are none", "HL0602", base, |file, line| {
        let hours = file == "calendar.toml" && line.contains(":00-");
        hours.then(|| line.replacen(":00-", "-", 1))
    });
    seeds.lines("a date that is none", "HL0603", base, |file, line| {
        let date = file == "calendar.toml" && line.starts_with("2026-") || line.starts_with("\"2026-");
        date.then(|| line.replacen("2026-0", "2026-3", 1).replacen("2026-1", "2026-3", 1))
    });
    let both = |text: &str| text.replacen("2026-01-04 =", "2026-01-01 =", 1);
    seeds.add("a holiday that is worked", "HL0604", base.with("calendar.toml", both));
    let zone = |text: &str| text.replacen("Asia/Shanghai", "Asia/Beijing", 1);
    seeds.add("a time zone that is none", "HL0601", base.with("calendar.toml", zone));
    let unused = |text: &str| format!("{text}\n[hours.nobody]\nmon = \"closed\"\nholiday = \"closed\"\n");
    seeds.add("hours for nothing", "HL0605", base.with("calendar.toml", unused));
}

/// A schedule as ops write it.
const SCHEDULE: &str = r#"
[festival]
from     = "2026-02-15T00:00"
to       = "2026-02-24T00:00"
numbers  = ["95188", "hotline"]
greeting = "welcome-merchant"
menu     = "overseas"

[loans-move]
from   = "2026-03-07 18:00"
to     = "2026-03-09 08:00"
queues = ["loans", "hardship"]
closed = "night"

[slow-payments]
from   = "2026-03-08T12:00"
to     = "2026-03-08T15:00"
banner = "all-busy"

[slow-disputes]
from   = "2026-03-09T12:00"
to     = "2026-03-09T15:00"
queues = ["disputes"]
banner = "all-busy"
"#;

/// Mistakes of the schedule.
fn schedule(seeds: &mut Seeds, base: &Folder) {
    let base = base.clone().and("schedule.toml", SCHEDULE);
    let mut lines = |kind, code, from: &'static str, to: &'static str| {
        seeds.lines(kind, code, &base, |file, line| {
            (file == "schedule.toml" && line.contains(from)).then(|| line.replacen(from, to, 1))
        });
    };
    lines("a moment that is none", "HL0606", "T12:00", "T25:00");
    lines("a moment without its hour", "HL0606", " 18:00", "");
    lines("a change without an end", "HL0104", "to  ", "# to");
    lines("a change that ends before it begins", "HL0607", "2026-02-24", "2026-02-14");
    lines("a change that never holds", "HL0607", "T15:00", "T12:00");
    lines("a change for ever", "HL0607", "2026-02-24", "2028-02-24");
    lines("a change that changes nothing", "HL0609", "banner = ", "# ");
    lines("a greeting of nobody", "HL0609", "numbers ", "# ");
    lines("no queue that is closed", "HL0609", "queues = [\"loans", "# ");
    lines("a number misspelt", "HL0204", "\"95188\"", "\"95198\"");
    lines("a queue misspelt", "HL0202", "\"loans\"", "\"laons\"");
    lines("a menu misspelt", "HL0201", "\"night\"", "\"nihgt\"");
    lines("a prompt misspelt", "HL0401", "\"all-busy\"", "\"all-bsy\"");
    lines("a key misspelt", "HL0102", "closed ", "close ");
    lines("the last queue closes", "HL0503", "\"hardship\"", "\"general\"");
    lines("a closed queue hangs up", "HL0306", "\"night\"", "\"hang up\"");
    let more = [
        "from = \"2026-02-23T23:00\"\nto = \"2026-02-24T01:00\"\nnumbers = \"95188\"\ngreeting = \"welcome\"",
        "from = \"2026-02-20T00:00\"\nto = \"2026-02-21T00:00\"\nnumbers = \"hotline\"\nmenu = \"main\"",
        "from = \"2026-03-07T00:00\"\nto = \"2026-03-08T00:00\"\nqueues = \"loans\"\nclosed = \"main\"",
        "from = \"2026-03-08T14:59\"\nto = \"2026-03-08T16:00\"\nbanner = \"welcome\"",
        "from = \"2026-03-08T14:59\"\nto = \"2026-03-08T16:00\"\nnumbers = \"95188\"\nbanner = \"welcome\"",
        "from = \"2026-03-09T14:59\"\nto = \"2026-03-09T16:00\"\nqueues = \"disputes\"\nbanner = \"welcome\"",
    ];
    for change in more {
        let folder = base.with("schedule.toml", |text| format!("{text}\n[more]\n{change}\n"));
        seeds.add("two changes at once", "HL0608", folder);
    }
    let gone = |text: &str| text.replacen("timezone = \"Asia/Shanghai\"\n", "", 1);
    seeds.add("a schedule without a clock", "HL0104", base.with("calendar.toml", gone));
}

/// Mistakes that no single line shows.
fn whole(seeds: &mut Seeds, base: &Folder) {
    for file in ["numbers.toml", "queues.toml", "agents.toml"] {
        let mut folder = base.clone();
        folder.files.remove(file);
        seeds.add("a file that is missing", "HL0107", folder);
    }
    for name in ["Main.toml", "my menu.toml", "主菜单.toml", "human.toml"] {
        seeds.add("a file's name", "HL0106", base.clone().and(name, "say = \"main\"\nthen = \"main\"\n"));
    }
    for name in ["lost", "old-main"] {
        let text = "say = \"main\"\nthen = \"main\"\n";
        seeds.add("a menu that is forgotten", "HL0301", base.clone().and(&format!("{name}.toml"), text));
    }
    let queue = |text: &str| format!("{text}\n[forgotten]\nname = \"queue-general\"\n");
    seeds.add("a queue that is forgotten", "HL0303", base.with("queues.toml", queue));
    for file in ["english.toml", "mandarin.toml"] {
        let to = |text: &str| {
            text.replacen("then     = \"main\"", &format!("then = \"{}\"", &file[..file.len() - 5]), 1)
        };
        seeds.add("an announcement that leads to itself", "HL0302", base.with(file, to));
    }
    let closes =
        |text: &str| text.replacen("[general]", "[general]\nhours = \"office\"\nclosed = \"all-busy\"", 1);
    seeds.add("the last queue closes", "HL0503", base.with("queues.toml", closes));
    for to in ["main", "loans", "queue account"] {
        let round = |text: &str| text.replacen("overflow = \"all-busy\"", &format!("overflow = \"{to}\""), 1);
        seeds.add("the last queue leads on", "HL0504", base.with("queues.toml", round));
    }
    for (from, to) in [("\"*3\"", "\"*2\""), ("\"*3\"", "\"*21\""), ("\"*6\"", "\"*1\"")] {
        let keys = |text: &str| text.replacen(from, to, 1);
        seeds.add("keys of agents that begin alike", "HL0506", base.with("agents.toml", keys));
    }
    let silent = |text: &str| {
        text.replace("languages = [\"zh\", \"en\"]", "languages = [\"zh\"]")
            .replace("[\"en\", \"zh\"]", "[\"zh\"]")
    };
    seeds.add("nobody speaks English", "HL0502", base.with("agents.toml", silent));
    let secret = |text: &str| text.replacen("secret = true", "secret = true\nconfirm = true", 1);
    seeds.add("a secret read aloud", "HL0308", base.with("identity.toml", secret));
    let shift =
        |text: &str| text.replacen("alias     = \"Qingqing", "hours = \"office\"\nalias = \"Qingqing", 1);
    seeds.add("an hour with nobody", "HL0507", base.with("agents.toml", shift));
    let letters = |text: &str| text.replacen("[agent.8005]", "[agent.nana]", 1);
    seeds.add("an agent who cannot be named", "HL0508", base.with("agents.toml", letters));
}

/// Words and recordings.
fn sounds(seeds: &mut Seeds, base: &Folder) {
    for id in ["main", "account", "loans", "urgent", "queue-general", "wrong-key", "all-busy"] {
        let mut folder = base.clone();
        let begin = folder.manifest.find(&format!("[prompt.{id}]\n")).unwrap();
        let line = begin + folder.manifest[begin..].find("\nen = ").unwrap() + 1;
        folder.manifest.insert(line, '#');
        seeds.add("a language that is missing", "HL0402", folder);
        let mut folder = base.clone();
        folder.recordings.remove(&(Language::English, PromptId::from(id)));
        seeds.add("no recording", "HL0403", folder);
        let mut folder = base.clone();
        let broken = Recording::Broken("the end is missing".to_owned());
        folder.recordings.insert((Language::Mandarin, PromptId::from(id)), broken);
        seeds.add("a damaged recording", "HL0404", folder);
        seeds.add("a silent recording", "HL0405", base.record(id, |heard| heard.silent = true));
        seeds.add("a whisper", "HL0406", base.record(id, |heard| heard.level_db = -41.0));
        seeds.add("a clipped recording", "HL0407", base.record(id, |heard| heard.clipped = true));
        let pause = (Duration::from_secs(1), Duration::from_millis(2_100));
        seeds.add("a long pause", "HL0408", base.record(id, |heard| heard.pause = pause));
        let mut folder = base.clone();
        let line = begin + folder.manifest[begin..].find("zh = \"").unwrap() + 6;
        folder.manifest.insert(line, '新');
        seeds.add("words that were not spoken again", "HL0409", folder);
    }
}

/// What only a walk shows. On few copies: each is walked whole.
fn walked(seeds: &mut Seeds, base: &Folder) {
    seeds.add(
        "words that offer nothing",
        "HL0410",
        base.with("complaint.toml", |t| t.replacen("2 = ", "3 = ", 1)),
    );
    seeds.add(
        "a key that nobody hears of",
        "HL0411",
        base.with("dispute.toml", |t| {
            t.replacen("1 = \"order\"", "1 = \"order\"\n7 = \"queue disputes\"", 1)
        }),
    );
    let full = |text: &str| text.replacen("[complaints]", "[complaints]\noverflow = \"complaint\"", 1);
    seeds.add("a circle of full lines", "HL0905", base.with("queues.toml", full));
    let minute = Duration::from_secs(50);
    seeds.add(
        "a menu that takes for ever",
        "HL0907",
        base.record("dispute-short", |heard| heard.lasts = 3 * minute),
    );
    let never = |text: &str| text.replacen("1 = \"human\"", "1 = \"loans\"", 1);
    let night = base
        .with("night.toml", never)
        .with("numbers.toml", |text| text.to_owned() + "\n[1]\nmenu = \"loans\"\n");
    let night = night.with("main.toml", |text| text.replacen("2 = \"loans\"", "2 = \"queue loans\"", 1));
    seeds.add("a key for a closed door", "HL0908", night);
    seeds.add(
        "a menu without a sound",
        "HL0910",
        base.record("dispute", |heard| heard.lasts = Duration::ZERO),
    );
}

#[test]
fn no_seeded_defect_is_missed() {
    let base = shipped();
    let mut seeds = Seeds::default();
    misspelt(&mut seeds, &base);
    lines(&mut seeds, &base);
    calendar(&mut seeds, &base);
    schedule(&mut seeds, &base);
    whole(&mut seeds, &base);
    sounds(&mut seeds, &base);
    walked(&mut seeds, &base);
    let kinds: BTreeSet<&str> = seeds.0.iter().map(|(kind, ..)| *kind).collect();
    assert!(kinds.len() >= 55 && seeds.0.len() >= 280, "{} kinds, {} copies", kinds.len(), seeds.0.len());
    let mut missed = Vec::new();
    for (kind, code, folder) in &seeds.0 {
        // A recording's fault needs no walk: only what the walk is for is walked.
        let found =
            if code.starts_with("HL040") && *code > "HL0402" { folder.heard() } else { folder.found() };
        if !found.iter().any(|(c, _)| c == code) {
            missed.push(format!("{kind} ({code}): found {found:?}"));
        }
    }
    assert!(missed.is_empty(), "{} of {} missed:\n{}", missed.len(), seeds.0.len(), missed.join("\n"));
}

impl Folder {
    fn heard(&self) -> BTreeSet<(&'static str, String)> {
        let found = judge_recordings("manifest.toml", &self.manifest, &self.lock, &self.recordings);
        found.into_iter().map(|d| (d.code, d.message)).collect()
    }
}

#[test]
fn every_code_that_files_can_show_is_seeded() {
    let base = shipped();
    let mut seeds = Seeds::default();
    for seed in [misspelt, lines, calendar, schedule, whole, sounds, walked] {
        seed(&mut seeds, &base);
    }
    let seeded: BTreeSet<&str> = seeds.0.iter().map(|(_, code, _)| *code).collect();
    // Faults of the machine itself, and of scenarios, have their own tests.
    let other = |code: &str| {
        code.starts_with("HL08")
            || ["HL0901", "HL0902", "HL0903", "HL0904", "HL0909", "HL0911"].contains(&code)
    };
    let unseeded: Vec<&str> =
        CODES.iter().map(|(code, _)| *code).filter(|code| !seeded.contains(code) && !other(code)).collect();
    assert_eq!(unseeded, Vec::<&str>::new());
}

/// The shipped folder, written or changed as ops may: nothing is wrong with any.
#[expect(clippy::too_many_lines, reason = "one list of what ops may do")]
fn variations(base: &Folder) -> Vec<(String, Folder)> {
    let mut all = vec![("as shipped".to_owned(), base.clone())];
    let each = |name: &str, change: &dyn Fn(&str) -> String| {
        let mut folder = base.clone();
        for text in folder.files.values_mut() {
            *text = change(text);
        }
        (name.to_owned(), folder)
    };
    all.push(each("lines of Windows", &|t| t.replace('\n', "\r\n")));
    all.push(each("comments", &|t| format!("# 注释\n{}", t.replace(" = ", " =  ") + "# end\n")));
    all.push(each("keys in quotes", &|t| {
        let quote = |l: &str| {
            if is_choice(l) && !l.starts_with('"') {
                format!("\"{}\"{}", &l[..1], &l[1..])
            } else {
                l.to_owned()
            }
        };
        t.lines().map(quote).collect::<Vec<_>>().join("\n") + "\n"
    }));
    all.push(each("blank lines", &|t| t.replace('\n', "\n\n")));
    let mut one = |name: &str, file: &str, from: &str, to: &str| {
        all.push((name.to_owned(), base.with(file, |text| text.replacen(from, to, 1))));
    };
    one("a shorter wait", "order.toml", "\"8s\"", "\"3s\"");
    one("a longer wait", "merchant.toml", "\"8s\"", "\"20s\"");
    one("another priority", "queues.toml", "priority = 4", "priority = 3");
    one("another strategy", "queues.toml", "\"least-versatile\"", "\"by-name\"");
    one("a smaller queue", "queues.toml", "size_max = 200", "size_max = 20");
    one("another overflow", "queues.toml", "[account]", "[account]\noverflow = \"queue general\"");
    one("a human by name", "loans.toml", "0 = \"queue loans\"", "0 = \"human\"");
    one("0 left out", "dispute.toml", "0 = \"queue disputes\"\n", "");
    one("nothing said after silence", "loans.toml", "silence = \"loans-short\"\n", "");
    one("digits in a range", "merchant.toml", "digits = 6", "digits = [6, 6]");
    one("no reading back", "order.toml", "confirm = true\n", "");
    one("longer opening hours", "calendar.toml", "08:00-22:00", "06:00-23:30");
    one("hours past midnight", "calendar.toml", "08:00-22:00", "08:00-02:00");
    one("one more holiday", "calendar.toml", "[workdays]", "2026-12-25 = \"A day\"\n\n[workdays]");
    one("a number in English", "numbers.toml", "language = \"zh\"", "language = \"en\"");
    one("a priority for a number", "numbers.toml", "language = \"zh\"", "language = \"zh\"\npriority = 2");
    one(
        "a number with hours",
        "numbers.toml",
        "[hotline]",
        "[hotline]\nhours = \"office\"\nclosed = \"night\"",
    );
    one("another alias", "agents.toml", "Lele, accounts", "Xiaomei, 账户");
    one("one more agent", "agents.toml", "[agent.8001]", "[agent.9001]\nalias = \"Moli\"\n\n[agent.8001]");
    one("a shift", "agents.toml", "alias     = \"Lele", "hours = \"office\"\nalias     = \"Lele");
    one("another pause", "agents.toml", "break ", "tea = \"*849\"\nbreak ");
    one(
        "a live key",
        "queues.toml",
        "keys   = { 1 = \"waiting-order\" }",
        "keys   = { 2 = \"waiting-order\" }",
    );
    one("a schedule", "calendar.toml", "[workdays]", "[workdays]\n");
    if let Some((_, folder)) = all.last_mut() {
        folder.files.insert("schedule.toml".to_owned(), SCHEDULE.to_owned());
    }
    let mut nobody = base.clone();
    nobody.files.remove("directory.toml");
    all.push(("no directory".to_owned(), nobody));
    let news = base.clone().and("news.toml", "say = \"main\"\nthen = \"main\"\n");
    all.push((
        "a menu more".to_owned(),
        news.with("numbers.toml", |t| format!("{t}\n[95100]\nmenu = \"news\"\n")),
    ));
    all.push(("a slow voice".to_owned(), base.record("main", |heard| heard.lasts *= 2)));
    all.push(("a quiet voice".to_owned(), base.record("main", |heard| heard.level_db = -30.0)));
    let pause = (Duration::from_secs(1), Duration::from_millis(1_900));
    all.push(("a thoughtful voice".to_owned(), base.record("main", |heard| heard.pause = pause)));
    all
}

#[test]
fn nothing_is_found_in_good_files() {
    let base = shipped();
    let all = variations(&base);
    let texts = texts();
    let reading = MenuSet::read(&base.files, &texts.known()).unwrap();
    let proof = prove(&reading, &base.files, &PromptLengths::estimated(&texts), Bounds::default());
    assert!(proof.hours == 3 && (1_000..100_000).contains(&proof.states), "{}", proof.told());
    assert!(all.len() >= 30, "{}", all.len());
    for (name, folder) in all {
        let found = folder.found();
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}
