//! A scenario's file as JSON Schema (draft 7), for editors: names, kinds, bounds and words about each key.
//!
//! Invariant: every table has the keys that the reader knows, no more and no fewer; a test asks the reader.
use serde_json::{Value, json};

use crate::exchange::menu::drawing;
use drawing::{file, language, named, number, table, text, texts, time};

/// The schema of `scenarios/*.toml`.
pub fn scenario_schema() -> Value {
    let all = table(
        "A day: who calls, who answers, what goes wrong",
        &["title", "begins", "arrivals", "callers", "agents"],
        &[
            ("title", text("One line for people")),
            ("begins", begins()),
            ("lasts", time("Callers come for so long; a day if left out")),
            ("arrivals", arrivals()),
            ("callers", named("Classes of callers", &callers())),
            ("agents", named("Groups of agents", &agents())),
            ("parties", named("How third parties of the directory behave", &party())),
            ("queues", named("Rules of queues in place of the menus' own", &queue())),
            ("faults", json!({ "type": "array", "description": "What goes wrong", "items": fault() })),
        ],
    );
    file("A scenario of hotline", all)
}

/// What Taplo, the TOML tool of editors, needs to find it: a rule where `scenarios` is the way to the scenarios.
pub fn scenario_taplo(scenarios: &str) -> String {
    format!(
        "[[rule]]\ninclude = [\"{scenarios}*.toml\"]\n[rule.schema]\npath = \"{scenarios}schema/scenario.json\"\n\
         enabled = true\n"
    )
}

fn begins() -> Value {
    json!({
        "type": "string", "description": "The first moment, with how far its clocks are ahead of UTC: 2026-11-11T00:00+08:00",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$",
    })
}

const SPAN: &str = "^ *[0-9]{2}:[0-9]{2} *- *[0-9]{2}:[0-9]{2} *$";

fn span(about: &str) -> Value {
    json!({ "type": "string", "description": format!("{about}: 09:00-18:00"), "pattern": SPAN })
}

fn percent(about: &str) -> Value {
    number(&format!("{about}, in percent"), 0, 100)
}

/// A spread of times.
fn spread(about: &str) -> Value {
    let parts = table(
        "A mean (and a spread), or from and to",
        &[],
        &[
            ("mean", time("The mean")),
            ("spread", number("In percent of the mean", 1, 1_000)),
            ("from", time("The shortest")),
            ("to", time("The longest")),
        ],
    );
    json!({ "description": about, "anyOf": [time("Always the same"), parts] })
}

fn arrivals() -> Value {
    let peak = table(
        "More callers for a while",
        &["times"],
        &[("when", span("When")), ("times", number("So many times as many", 0, 1_000))],
    );
    let log = table(
        "Callers of a recorded call log",
        &["file"],
        &[
            ("file", text("A CSV, from the scenario's folder")),
            ("from", time("The second of the log that is the beginning")),
            ("classes", named("Its services -> classes of callers", &text("A class of callers"))),
        ],
    );
    let rates = json!({
        "type": "array", "description": "Expected callers by half hour", "minItems": 1,
        "items": { "type": "integer", "minimum": 0, "maximum": 1_000_000 },
    });
    table(
        "Who comes when",
        &[],
        &[
            ("per_half_hour", rates),
            ("total", number("So many callers in all", 1, 100_000_000)),
            ("peaks", json!({ "type": "array", "description": "Peaks", "items": peak })),
            ("log", log),
        ],
    )
}

fn callers() -> Value {
    let keys = "^[0-9A-Dd*#]{1,40}$";
    let keys = json!({ "description": "What they press, step by step; d is any digit", "anyOf": [
        { "type": "string", "pattern": keys },
        { "type": "array", "items": { "type": "string", "pattern": keys } },
    ] });
    let redial = table(
        "Who gives up calls again",
        &[],
        &[
            ("chance", percent("How many")),
            ("after", spread("After how long")),
            ("most", number("How often at most", 0, 20)),
        ],
    );
    table(
        "A class of callers",
        &["number"],
        &[
            ("share", number("Its weight among the classes", 0, 1_000_000)),
            ("number", text("What they dial")),
            ("language", language("What they speak")),
            ("keys", keys),
            ("think", spread("Before each step")),
            ("mistakes", percent("Steps with a wrong key first")),
            ("patience", spread("From the last key until they hang up unserved")),
            ("redial", redial),
            ("talk", spread("How long they talk; left out: the agents' group decides")),
        ],
    )
}

fn agents() -> Value {
    let shifts = json!({ "description": "When they are at work: 09:00-18:00, or a list of such", "anyOf": [
        { "type": "string", "pattern": SPAN },
        { "type": "array", "items": { "type": "string", "pattern": SPAN } },
    ] });
    let codes = json!({ "type": "string", "enum": ["zh", "en"] });
    let languages = json!({ "description": "What they speak", "anyOf": [
        codes.clone(), { "type": "array", "items": codes },
    ] });
    let pause = table(
        "A break within a time, at a moment of each one's own",
        &["within"],
        &[
            ("within", span("When")),
            ("lasts", time("How long, 1m to 4h")),
            ("reason", text("What the record calls it")),
        ],
    );
    let consults = table(
        "They ask a third party",
        &["party"],
        &[("chance", percent("Of talks")), ("party", text("A table [parties.NAME]"))],
    );
    table(
        "A group of agents",
        &[],
        &[
            ("ids", texts("Agents of the menus")),
            ("count", number("New ones, NAME-1 and so on", 0, 20_000)),
            ("skills", named("What they can do, from 1 (can) to 10 (best)", &number("From 1 to 10", 1, 10))),
            ("languages", languages),
            ("shifts", shifts),
            ("breaks", json!({ "type": "array", "description": "Breaks", "items": pause })),
            ("pick_up", spread("How long their phones ring")),
            ("misses", percent("Offers that ring out")),
            ("talk", spread("How long they talk")),
            ("wrap_up", spread("Work after a conversation, never longer than the queue's own")),
            ("consults", consults),
        ],
    )
}

fn party() -> Value {
    let holds = table(
        "It puts the others on hold once",
        &[],
        &[("chance", percent("How often")), ("lasts", spread("How long"))],
    );
    table(
        "A third party",
        &[],
        &[
            ("pick_up", spread("How long its phone rings")),
            ("misses", percent("Calls that ring out")),
            ("private", spread("How long agent and third party talk in private")),
            ("together", spread("How long all three talk")),
            ("holds", holds),
        ],
    )
}

fn queue() -> Value {
    table(
        "What this day changes of a queue",
        &[],
        &[
            ("wait_max", time("The longest wait")),
            ("size_max", number("Most callers who may wait", 1, 1_000_000)),
            ("ring_for", time("How long an agent's phone rings")),
            ("wrap_up", time("Work after a conversation")),
            ("ageing", time("Each time a caller has waited this long he counts as one class more urgent")),
            ("tell_every", time("Time between two words on the wait")),
            ("expected_talk", time("How long a conversation lasts, until it was measured")),
            ("service_target", time("Answered within this time counts as well served")),
            ("priority", number("Its callers' class, 0 is most urgent", 0, 9)),
        ],
    )
}

/// Each kind with its own keys.
fn fault() -> Value {
    let kind = |kind: &str, about: &str, needed: &[&str], keys: &[(&str, Value)]| {
        let mut all = vec![
            ("when", span("When; left out: always")),
            ("kind", json!({ "type": "string", "description": about, "enum": [kind] })),
        ];
        all.extend(keys.iter().cloned());
        table(about, &[&["kind"], needed].concat(), &all)
    };
    let to = text("\"queue NAME\", or a table [parties.NAME]");
    let who = json!({ "type": "string", "description": "Whose phones", "enum": ["agent", "third-party"] });
    json!({ "anyOf": [
        kind("loss", "Packets are lost", &[], &[("percent", percent("How many"))]),
        kind(
            "agents-vanish",
            "Phones are gone in mid-sentence, and come back",
            &["group"],
            &[("group", text("A table [agents.NAME]")), ("count", number("How many agents", 1, 100_000))],
        ),
        kind("slow-look-up", "Disk and trunks answer so much later", &[], &[("delay", time("How much"))]),
        kind(
            "transfers-itself",
            "Phones transfer callers away by REFER",
            &["to"],
            &[("percent", percent("Of conversations")), ("who", who), ("to", to)],
        ),
    ] })
}
