//! `cargo xtask listen`: every prompt through G.711 at 8 kHz, understood by a recogniser (`xtask/voice/listen.py`); what it got
//! wrong, by prompt, worst first.
//!
//! Invariant: a fragment is heard as callers hear it, within the phrase that the grammar of numbers makes; nobody, man or
//! machine, is asked to understand a syllable alone.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::lock::{Lock, Recording};
use super::pipe::piped;
use super::{MUSIC, Place, TOOLS, folder, neural, text_of};
use crate::run::{Result, command, output};
use crate::tools::provide;

/// Listens to all, or to those whose `LANGUAGE/NAME` begins with one of the words.
pub fn listen(words: &[String]) -> Result {
    provide(TOOLS)?;
    let lock = Lock::read(&text_of("manifest.lock.toml")?)?;
    let python = neural::python()?;
    let ear = neural::ear()?.to_string_lossy().into_owned();
    let sounds = neural::folder().join("heard");
    std::fs::create_dir_all(&sounds).map_err(|e| format!("target/voice/heard: {e}"))?;
    let mut list = String::new();
    for ((language, id), _) in lock.0.iter().filter(|((folder, _), _)| folder != MUSIC) {
        let name = format!("{language}/{id}");
        if !(words.is_empty() || words.iter().any(|w| name.starts_with(w.as_str()))) {
            continue;
        }
        let parts = phrase(&lock, language, id);
        let path = sounds.join(format!("{language}-{id}.raw"));
        std::fs::write(&path, telephone(&parts)?).map_err(|e| format!("{}: {e}", path.display()))?;
        let text: Vec<&str> = parts.iter().map(|r| r.text.as_str()).collect();
        let _ = writeln!(list, "{name}\t{language}\t{}\t{}", path.display(), text.join(" "));
    }
    let heard = piped(command(&python, &["xtask/voice/listen.py", &ear]), list.as_bytes())?;
    let report = report(&String::from_utf8_lossy(&heard))?;
    std::fs::write(neural::folder().join("heard.md"), &report).map_err(|e| format!("heard.md: {e}"))?;
    print!("{report}");
    Ok(())
}

/// The recordings among which a fragment is heard.
fn phrase<'l>(lock: &'l Lock, language: &str, id: &str) -> Vec<&'l Recording> {
    let next = |n: &str, step: u32| n.parse::<u32>().map_or(0, |n| (n + step) % 10);
    let ids: Vec<String> = match id.split_once('-') {
        Some(("n", n)) if n.parse::<u32>().is_ok() => {
            vec!["position-before".into(), id.into(), "position-after".into()]
        }
        Some(("d", n)) if n.parse::<u32>().is_ok() => {
            let digits = [0, 3, 6].map(|step| format!("d-{}", next(n, step)));
            [vec!["you-entered".to_owned()], digits.to_vec()].concat()
        }
        _ => match carrier(language, id) {
            [] => vec![id.into()],
            carrier => carrier.iter().map(|id| (*id).to_owned()).collect(),
        },
    };
    let place = |id: String| -> Place { (language.to_owned(), id) };
    ids.into_iter().filter_map(|id| lock.0.get(&place(id))).collect()
}

/// A phrase with this fragment in it; none: it is a sentence itself.
fn carrier(language: &str, id: &str) -> &'static [&'static str] {
    match (language, id) {
        (_, "position-before" | "position-after") => &["position-before", "n-5", "position-after"],
        (_, "ahead-before" | "ahead-after") => &["ahead-before", "n-5", "ahead-after"],
        (_, "wait-is" | "less-than" | "half-a-minute") => &["wait-is", "less-than", "half-a-minute"],
        (_, "half-an-hour") => &["wait-is", "about", "half-an-hour"],
        ("zh", "about" | "to" | "minutes") => &["wait-is", "about", "n-3", "to", "n-5", "minutes"],
        ("zh", "two-of" | "hours") => &["wait-is", "about", "two-of", "hours"],
        ("en", "between" | "and" | "minutes") => &["wait-is", "between", "n-3", "and", "n-5", "minutes"],
        ("en", "about" | "hours") => &["wait-is", "about", "n-2", "hours"],
        ("en", "minute") => &["wait-is", "less-than", "n-1", "minute"],
        ("en", "hour") => &["wait-is", "about", "n-1", "hour"],
        (_, "and-a-half-minutes") => &["wait-is", "about", "n-1", "and-a-half-minutes"],
        (_, "and-a-half-hours") => &["wait-is", "about", "n-1", "and-a-half-hours"],
        ("zh", "hundred") => &["ahead-before", "n-1", "hundred", "n-0", "n-5", "ahead-after"],
        ("zh", "thousand") => &["ahead-before", "two-of", "thousand", "n-3", "hundred", "ahead-after"],
        ("zh", "ten-thousand") => &["ahead-before", "n-3", "ten-thousand", "ahead-after"],
        ("zh", "hundred-million") => &["ahead-before", "n-3", "hundred-million", "ahead-after"],
        ("en", "hundred") => &["ahead-before", "n-1", "hundred", "and", "n-5", "ahead-after"],
        ("en", "thousand") => &["ahead-before", "n-2", "thousand", "n-3", "hundred", "ahead-after"],
        ("en", "million") => &["ahead-before", "n-3", "million", "ahead-after"],
        ("en", "billion") => &["ahead-before", "n-3", "billion", "ahead-after"],
        (_, "you-entered") => &["you-entered", "d-2", "d-5", "d-8"],
        _ => &[],
    }
}

/// What a caller hears: 8 kHz through A-law, raw 16 bits.
fn telephone(parts: &[&Recording]) -> Result<Vec<u8>> {
    let files: Vec<String> =
        parts.iter().map(|r| folder().join(&r.file).to_string_lossy().into_owned()).collect();
    let mut words: Vec<&str> = files.iter().map(String::as_str).collect();
    words.splice(0..0, ["-D", "-V1"]);
    words.extend(["-r", "8000", "-c", "1", "-e", "a-law", "-t", "al", "-"]);
    let wire = output(command("sox", &words))?;
    let back = [
        "-D", "-V1", "-t", "al", "-r", "8000", "-c", "1", "-", "-t", "raw", "-e", "signed", "-b", "16", "-L",
        "-",
    ];
    piped(command("sox", &back), &wire)
}

/// One prompt's errors and length, in characters and in sounds.
struct Row<'r> {
    name: &'r str,
    characters: (u32, u32),
    sounds: (u32, u32),
    heard: &'r str,
}

/// By language the rates, then the prompts with errors, the worst first.
fn report(heard: &str) -> Result<String> {
    let rows: Option<Vec<Row>> = heard.lines().map(row).collect();
    let rows = rows.ok_or("the recogniser's answer is not understood")?;
    let mut sums: BTreeMap<&str, [u32; 6]> = BTreeMap::new();
    for row in &rows {
        let sum = sums.entry(row.name.split('/').next().unwrap_or_default()).or_default();
        let right = u32::from(row.sounds.0 == 0);
        let add = [1, right, row.characters.0, row.characters.1, row.sounds.0, row.sounds.1];
        sum.iter_mut().zip(add).for_each(|(sum, add)| *sum += add);
    }
    let mut out = String::from(
        "| language | prompts | all right | characters wrong | sounds wrong |\n|---|---|---|---|---|\n",
    );
    for (language, [prompts, right, wrong, characters, missed, sounds]) in sums {
        let _ = writeln!(
            out,
            "| {language} | {prompts} | {right} | {:.1} % | {:.1} % |",
            percent(wrong, characters),
            percent(missed, sounds)
        );
    }
    let mut bad: Vec<&Row> = rows.iter().filter(|r| r.sounds.0 > 0 || r.characters.0 > 0).collect();
    bad.sort_by(|a, b| percent(b.sounds.0, b.sounds.1).total_cmp(&percent(a.sounds.0, a.sounds.1)));
    out.push_str("\n| prompt | characters wrong | sounds wrong | heard |\n|---|---|---|---|\n");
    for row in bad {
        let (wrong, missed) =
            (percent(row.characters.0, row.characters.1), percent(row.sounds.0, row.sounds.1));
        let _ = writeln!(out, "| {} | {wrong:.0} % | {missed:.0} % | {} |", row.name, row.heard);
    }
    Ok(out)
}

fn row(line: &str) -> Option<Row<'_>> {
    let mut fields = line.split('\t');
    let name = fields.next()?;
    let mut number = || fields.next()?.parse().ok();
    let (characters, sounds) = ((number()?, number()?), (number()?, number()?));
    Some(Row { name, characters, sounds, heard: fields.next()? })
}

fn percent(part: u32, whole: u32) -> f64 {
    100.0 * f64::from(part) / f64::from(whole.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_understood_comes_first_and_what_is_right_is_only_counted() {
        let heard = "zh/a\t0\t10\t0\t10\t您好\nzh/b\t1\t4\t0\t4\t您号\nzh/c\t2\t4\t2\t4\t再见\nen/d\t3\t9\t1\t2\tstar\n";
        let report = report(heard).unwrap();
        assert!(report.contains("| zh | 3 | 2 | 16.7 % | 11.1 % |"), "{report}");
        assert!(report.contains("| en | 1 | 0 | 33.3 % | 50.0 % |"), "{report}");
        assert!(!report.contains("zh/a"), "{report}");
        assert!(report.find("zh/c") < report.find("zh/b"), "{report}");
        assert!(super::report("zh/a\tnothing").is_err());
    }

    #[test]
    fn a_number_is_heard_as_a_place_in_the_line() {
        let recording = |id: &str| Recording {
            text: id.into(),
            spoken: id.into(),
            file: String::new(),
            voice: String::new(),
            ms: 0,
            licence: String::new(),
        };
        let ids = ["position-before", "position-after", "n-7", "you-entered", "d-9", "d-2", "d-5", "welcome"];
        let lock = Lock(ids.map(|id| (("zh".to_owned(), id.to_owned()), recording(id))).into());
        let said =
            |id: &str| phrase(&lock, "zh", id).iter().map(|r| r.text.as_str()).collect::<Vec<_>>().join(" ");
        assert_eq!(said("n-7"), "position-before n-7 position-after");
        assert_eq!(said("d-9"), "you-entered d-9 d-2 d-5");
        assert_eq!(said("welcome"), "welcome");
    }
}
