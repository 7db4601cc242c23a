//! The schemas for editors and the reader of the files say the same: the reader is asked for every key it knows, and
//! what one refuses the other refuses.
#![expect(
    clippy::unwrap_in_result,
    clippy::match_same_arms,
    reason = "a schema that is none ends the test; a table of keywords"
)]
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hotline::base::PromptId;
use hotline::exchange::menu::{KnownPrompts, MenuSet, schemas, taplo};
use hotline::sim::{Scenario, scenario_schema, scenario_taplo};
use serde_json::{Value, json};

use crate::menu_run::{shipped_files, texts};

fn schema(name: &str) -> Value {
    schemas().into_iter().find(|(n, _)| *n == name).unwrap().1
}

fn schema_of(file: &str) -> Value {
    let stem = file.strip_suffix(".toml").unwrap();
    let reserved = schemas().into_iter().find(|(n, _)| *n == stem && stem != "menu");
    reserved.map_or_else(|| schema("menu"), |(_, schema)| schema)
}

/// What of draft 7 our schemas use.
fn refused(schema: &Value, value: &Value) -> Option<String> {
    let keywords = schema.as_object().unwrap();
    for (keyword, rule) in keywords {
        let bad = match keyword.as_str() {
            "$schema" | "title" | "description" | "default" => None,
            "type" => (!has_type(rule.as_str().unwrap(), value)).then(|| format!("{value} is no {rule}")),
            "enum" => {
                (!rule.as_array().unwrap().contains(value)).then(|| format!("{value} is none of {rule}"))
            }
            "minLength" => value
                .as_str()
                .filter(|s| (s.chars().count() as u64) < rule.as_u64().unwrap())
                .map(|s| format!("{s:?} is short")),
            "minimum" => {
                value.as_i64().filter(|n| *n < rule.as_i64().unwrap()).map(|n| format!("{n} is small"))
            }
            "maximum" => {
                value.as_i64().filter(|n| *n > rule.as_i64().unwrap()).map(|n| format!("{n} is large"))
            }
            "minItems" => {
                value.as_array().filter(|a| (a.len() as u64) < rule.as_u64().unwrap()).map(|_| "few".into())
            }
            "maxItems" => {
                value.as_array().filter(|a| a.len() as u64 > rule.as_u64().unwrap()).map(|_| "many".into())
            }
            "items" => value.as_array().into_iter().flatten().find_map(|item| refused(rule, item)),
            "anyOf" => rule
                .as_array()
                .unwrap()
                .iter()
                .all(|s| refused(s, value).is_some())
                .then(|| format!("{value} fits nothing")),
            "oneOf" => {
                let fit = rule.as_array().unwrap().iter().filter(|s| refused(s, value).is_none()).count();
                (fit != 1).then(|| format!("{fit} of {rule}"))
            }
            "required" => {
                let there =
                    |key: &&Value| value.as_object().is_none_or(|o| o.contains_key(key.as_str().unwrap()));
                rule.as_array().unwrap().iter().find(|key| !there(key)).map(|key| format!("{key} is missing"))
            }
            "pattern" => value
                .as_str()
                .filter(|s| !matches(rule.as_str().unwrap(), s))
                .map(|s| format!("{s:?} is not {rule}")),
            "properties" | "additionalProperties" | "patternProperties" | "propertyNames" => None,
            other => panic!("the test does not know {other}"),
        };
        if bad.is_some() {
            return bad;
        }
    }
    let names = keywords.get("propertyNames");
    value.as_object().into_iter().flatten().find_map(|(key, inner)| {
        let bad_name = names.and_then(|rule| refused(rule, &json!(key)));
        bad_name.or_else(|| of_key(keywords, key, inner))
    })
}

fn of_key(keywords: &serde_json::Map<String, Value>, key: &str, value: &Value) -> Option<String> {
    if let Some(rule) = keywords.get("properties").and_then(|p| p.get(key)) {
        return refused(rule, value).map(|bad| format!("{key}: {bad}"));
    }
    let patterns = keywords.get("patternProperties").and_then(Value::as_object);
    if let Some((_, rule)) = patterns.into_iter().flatten().find(|(pattern, _)| matches(pattern, key)) {
        return refused(rule, value).map(|bad| format!("{key}: {bad}"));
    }
    match keywords.get("additionalProperties") {
        None | Some(Value::Bool(true)) => None,
        Some(Value::Bool(false)) => Some(format!("no {key} here")),
        Some(rule) => refused(rule, value).map(|bad| format!("{key}: {bad}")),
    }
}

fn has_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("no type {other}"),
    }
}

/// Patterns are regular expressions; proptest's own generator knows them, so the few used here are matched by hand:
/// sets, groups, alternatives, `?`, `*`, `+`, `{n,m}`, anchored at both ends.
fn matches(pattern: &str, text: &str) -> bool {
    let inner: Vec<char> = pattern.strip_prefix('^').unwrap().strip_suffix('$').unwrap().chars().collect();
    let text: Vec<char> = text.chars().collect();
    ends(&inner, &text, BTreeSet::from([0])).contains(&text.len())
}

/// Where a match that begins at one of `starts` may end.
fn ends(pattern: &[char], text: &[char], starts: BTreeSet<usize>) -> BTreeSet<usize> {
    let mut depth = 0;
    for (n, c) in pattern.iter().enumerate() {
        depth += i32::from(*c == '(' || *c == '[') - i32::from(*c == ')' || *c == ']');
        if *c == '|' && depth == 0 {
            let mut both = ends(&pattern[..n], text, starts.clone());
            both.extend(ends(&pattern[n + 1..], text, starts));
            return both;
        }
    }
    let Some(first) = pattern.first() else { return starts };
    let closing = |open: char, close: char| {
        let mut depth = 0;
        pattern.iter().position(|c| {
            depth += i32::from(*c == open) - i32::from(*c == close);
            depth == 0
        })
    };
    let length = match first {
        '(' => closing('(', ')').unwrap() + 1,
        '[' => closing('[', ']').unwrap() + 1,
        '\\' => 2,
        _ => 1,
    };
    let (atom, rest) = pattern.split_at(length);
    let (least, most, after) = match rest.first() {
        Some('?') => (0, 1, 1),
        Some('*') => (0, 40, 1),
        Some('+') => (1, 40, 1),
        Some('{') => {
            let end = rest.iter().position(|c| *c == '}').unwrap();
            let range: String = rest[1..end].iter().collect();
            let (low, high) = range.split_once(',').unwrap_or((&range, &range));
            (low.parse().unwrap(), high.parse().unwrap(), end + 1)
        }
        _ => (1, 1, 0),
    };
    let once = |from: BTreeSet<usize>| -> BTreeSet<usize> {
        match atom[0] {
            '(' => ends(&atom[1..atom.len() - 1], text, from),
            _ => from
                .into_iter()
                .filter(|at| text.get(*at).is_some_and(|c| fits(atom, *c)))
                .map(|at| at + 1)
                .collect(),
        }
    };
    let (mut reached, mut now) = (BTreeSet::new(), starts);
    for count in 0..=most {
        if count >= least {
            reached.extend(now.iter().copied());
        }
        now = once(now);
    }
    ends(&rest[after..], text, reached)
}

fn fits(atom: &[char], c: char) -> bool {
    match atom {
        ['\\', literal] => *literal == c,
        ['[', set @ .., ']'] => {
            let range = |w: &[char]| w[1] == '-' && (w[0]..=w[2]).contains(&c);
            set.windows(3).any(range) || set.contains(&c) && (c != '-' || set.last() == Some(&'-'))
        }
        [literal] => *literal == c,
        _ => false,
    }
}

fn json_of(text: &str) -> Value {
    let table: toml::Table = text.parse().unwrap();
    serde_json::to_value(table).unwrap()
}

#[test]
fn patterns_are_matched_as_they_are_meant() {
    assert!(matches("^[0-9*#]$", "*") && !matches("^[0-9*#]$", "12") && !matches("^[0-9*#]$", "a"));
    let time = "^([0-9]+ *h *)?([0-9]+ *(m|min) *)?([0-9]+ *s)?$";
    assert!(["20s", "5m", "1h30m", "90 min", "2 h"].iter().all(|t| matches(time, t)));
    assert!(["20", "s", "5x", "1s1m"].iter().all(|t| !matches(time, t)));
}

#[test]
fn shipped_files_fit_their_schemas() {
    for (file, text) in shipped_files() {
        assert_eq!(refused(&schema_of(&file), &json_of(&text)), None, "{file}");
    }
}

/// The codes and helps that the reader finds in a set with this file.
fn judge(file: &str, text: &str) -> Vec<(&'static str, String, String)> {
    let mut files = shipped_files();
    files.insert(file.to_owned(), text.to_owned());
    let mut known: KnownPrompts = texts().known();
    known.insert(PromptId::from("x"), hotline::base::Language::ALL.into());
    let found = match MenuSet::load(&files, &known) {
        Ok((_, found)) | Err(found) => found,
    };
    let of = found.into_iter().filter(|d| d.file == file);
    of.map(|d| (d.code, d.message, d.help.unwrap_or_default())).collect()
}

/// Each kind of table: the file, the text before its keys, and the part of the schema that is for it.
fn tables() -> Vec<(&'static str, &'static str, Value)> {
    let inner = |name: &str, way: &str| schema(name).pointer(way).cloned().unwrap();
    vec![
        ("main.toml", "", schema("menu")),
        ("order.toml", "say = \"x\"\n[entry]\n", inner("menu", "/properties/entry")),
        ("numbers.toml", "[1]\n", inner("numbers", "/additionalProperties")),
        ("queues.toml", "human = \"general\"\n[general]\n", inner("queues", "/additionalProperties")),
        ("agents.toml", "", schema("agents")),
        ("agents.toml", "[agent.1]\n", inner("agents", "/properties/agent/additionalProperties")),
        ("agents.toml", "[codes]\n", inner("agents", "/properties/codes")),
        ("agents.toml", "[keys]\n", inner("agents", "/properties/keys")),
        ("directory.toml", "[a]\n", inner("directory", "/additionalProperties")),
        ("calendar.toml", "", schema("calendar")),
        ("schedule.toml", "[a]\n", inner("schedule", "/additionalProperties")),
    ]
}

#[test]
fn every_table_has_the_keys_that_the_reader_knows() {
    for (file, before, schema) in tables() {
        let found = judge(file, &format!("{before}zzzzzzzzzzzz = 1\n"));
        let unknown = found.iter().find(|(code, message, _)| *code == "HL0102" && message.contains("zzzz"));
        let help = &unknown.unwrap_or_else(|| panic!("{file} {before}: {found:?}")).2;
        let known: BTreeSet<&str> = help.strip_prefix("it may have: ").unwrap().split(", ").collect();
        let properties = schema["properties"].as_object().unwrap();
        let drawn: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(drawn, known, "{file} {before}");
    }
}

#[test]
fn what_has_the_wrong_kind_is_refused_by_both() {
    let wrong: BTreeMap<&str, &str> =
        [("a fraction", "1.5"), ("a date", "2026-01-01"), ("nothing", "[[]]")].into();
    for (file, before, schema) in tables() {
        for key in schema["properties"].as_object().unwrap().keys() {
            for (kind, value) in &wrong {
                let text = format!("{before}{key} = {value}\n");
                let found = judge(file, &text);
                let refuses =
                    found.iter().any(|(code, ..)| ["HL0103", "HL0105", "HL0308", "HL0102"].contains(code));
                assert!(refuses, "{file} takes {kind} for {key}: {found:?}");
                let rule = &schema["properties"][key.as_str()];
                let json = if *value == "[[]]" { json!([[]]) } else { json!(1.5) };
                assert!(refused(rule, &json).is_some(), "the schema takes {kind} for {key}");
            }
        }
    }
}

#[test]
fn bounds_are_the_readers_own() {
    let cases = [
        (
            "queues.toml",
            "human = \"general\"\n[general]\nname = \"x\"\noverflow = \"all-busy\"\n",
            "priority",
            ["-1", "0", "9", "10"],
        ),
        (
            "queues.toml",
            "human = \"general\"\n[general]\nname = \"x\"\noverflow = \"all-busy\"\n",
            "size_max",
            ["0", "1", "100000", "100001"],
        ),
        ("numbers.toml", "[1]\nmenu = \"main\"\n", "priority", ["-1", "0", "9", "10"]),
        ("agents.toml", "[agent.1]\nalias = \"x\"\n", "unanswered_max", ["0", "1", "20", "21"]),
        (
            "order.toml",
            "say = \"x\"\n[entry]\nname = \"x\"\nthen = \"human\"\n",
            "digits",
            ["0", "1", "32", "33"],
        ),
    ];
    for (file, before, key, values) in cases {
        for (value, good) in values.into_iter().zip([false, true, true, false]) {
            let text = format!("{before}{key} = {value}\n");
            let takes = !judge(file, &text).iter().any(|(code, ..)| *code == "HL0105");
            let fits = refused(&schema_of(file), &json_of(&text)).is_none();
            assert_eq!((takes, fits), (good, good), "{file}: {key} = {value}");
        }
    }
}

#[test]
fn the_schemas_that_lie_beside_the_menus_are_these() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
    for (name, schema) in schemas() {
        let path = format!("menus/schema/{name}.json");
        assert_eq!(read(&path), format!("{schema:#}\n"), "{path}: run `hotline schema menus`");
    }
    let path = "scenarios/schema/scenario.json";
    assert_eq!(
        read(path),
        format!("{:#}\n", scenario_schema()),
        "{path}: run `hotline schema --scenarios scenarios`"
    );
    let all = taplo("menus/") + "\n" + &scenario_taplo("scenarios/");
    assert_eq!(read(".taplo.toml"), all, "the repository's own is for its root");
}

/// A scenario that is right, but for what a test puts into it.
const SCENARIO: &str = "title = \"x\"\nbegins = \"2026-11-11T00:00+08:00\"\n";

/// Each kind of table of a scenario: the text before its keys, and its part of the schema.
fn scenario_tables() -> Vec<(&'static str, String)> {
    let people = "/additionalProperties";
    let rows: Vec<(&'static str, String)> = vec![
        ("", String::new()),
        ("[arrivals]\n", "/properties/arrivals".into()),
        ("[[arrivals.peaks]]\n", "/properties/arrivals/properties/peaks/items".into()),
        ("[arrivals.log]\n", "/properties/arrivals/properties/log".into()),
        ("[callers.a]\n", format!("/properties/callers{people}")),
        ("[callers.a.redial]\n", format!("/properties/callers{people}/properties/redial")),
        ("[callers.a.think]\n", format!("/properties/callers{people}/properties/think/anyOf/1")),
        ("[agents.a]\n", format!("/properties/agents{people}")),
        ("[[agents.a.breaks]]\n", format!("/properties/agents{people}/properties/breaks/items")),
        ("[agents.a.consults]\n", format!("/properties/agents{people}/properties/consults")),
        ("[parties.a]\n", format!("/properties/parties{people}")),
        ("[parties.a.holds]\n", format!("/properties/parties{people}/properties/holds")),
        ("[queues.a]\n", format!("/properties/queues{people}")),
        ("[[faults]]\nkind = \"loss\"\n", "/properties/faults/items/anyOf/0".into()),
        ("[[faults]]\nkind = \"agents-vanish\"\ngroup = \"a\"\n", "/properties/faults/items/anyOf/1".into()),
        ("[[faults]]\nkind = \"slow-look-up\"\n", "/properties/faults/items/anyOf/2".into()),
        (
            "[[faults]]\nkind = \"transfers-itself\"\nto = \"queue a\"\n",
            "/properties/faults/items/anyOf/3".into(),
        ),
    ];
    rows
}

fn judge_scenario(text: &str) -> Vec<(&'static str, String, String)> {
    let files = BTreeMap::from([("x.toml".to_owned(), text.to_owned())]);
    let found = match Scenario::read(&files, "x.toml", &[]) {
        Ok((_, found)) | Err(found) => found,
    };
    found.into_iter().map(|d| (d.code, d.message, d.help.unwrap_or_default())).collect()
}

#[test]
fn shipped_scenarios_fit_their_schema() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut count = 0;
    for path in files.filter(|path| path.extension().is_some_and(|e| e == "toml")) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(refused(&scenario_schema(), &json_of(&text)), None, "{}", path.display());
        count += 1;
    }
    assert!(count >= 5, "{count}");
}

#[test]
fn every_table_of_a_scenario_has_the_keys_that_the_reader_knows() {
    for (before, way) in scenario_tables() {
        let found = judge_scenario(&format!(
            "{}{before}zzzzzzzzzzzz = 1\n",
            if before.is_empty() { "" } else { SCENARIO }
        ));
        let unknown = found.iter().find(|(code, message, _)| *code == "HL0102" && message.contains("zzzz"));
        let help = &unknown.unwrap_or_else(|| panic!("{before}: {found:?}")).2;
        let known: BTreeSet<&str> = help.strip_prefix("it may have: ").unwrap().split(", ").collect();
        let schema = scenario_schema();
        let table = schema.pointer(&way).unwrap_or_else(|| panic!("{way}"));
        let drawn: BTreeSet<&str> =
            table["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(drawn, known, "{before}");
        assert_eq!(table["additionalProperties"], json!(false), "{before}");
    }
}

#[test]
fn what_has_the_wrong_kind_in_a_scenario_is_refused_by_both() {
    for (before, way) in scenario_tables() {
        let schema = scenario_schema();
        let table = schema.pointer(&way).unwrap();
        for (key, rule) in table["properties"].as_object().unwrap() {
            if before.contains(&format!("{key} =")) {
                continue;
            }
            let text = format!("{}{before}{key} = 1.5\n", if before.is_empty() { "" } else { SCENARIO });
            let refuses = judge_scenario(&text).iter().any(|(code, ..)| ["HL0103", "HL0105"].contains(code));
            assert!(refuses, "the reader takes a fraction for {key} of {before}");
            assert!(
                refused(rule, &json!(1.5)).is_some(),
                "the schema takes a fraction for {key} of {before}"
            );
        }
    }
}
