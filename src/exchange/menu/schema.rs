//! The files of a folder of menus as JSON Schema (draft 7), for editors: names, kinds, bounds and words about each key.
//!
//! Invariant: every table has the keys that the reader knows, no more and no fewer; a test asks the reader.
use serde_json::{Value, json};

use super::drawing::{LANGUAGES, file, flag, language, named, number, table, text, texts, time};
use super::resolve::RESERVED;

/// The schema of each file: its stem, or `menu` for all files that are menus.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("menu", menu()),
        ("numbers", numbers()),
        ("queues", queues()),
        ("agents", agents()),
        ("directory", directory()),
        ("calendar", calendar()),
        ("schedule", schedule()),
    ]
}

/// What Taplo, the TOML tool of editors, needs to find them: a `.taplo.toml` where `menus` is the way to the menus.
pub fn taplo(menus: &str) -> String {
    let mut rules = String::from("# Which schema holds for which file. Written by `hotline schema`.\n");
    let quoted: Vec<String> = RESERVED.iter().map(|stem| format!("\"{menus}{stem}.toml\"")).collect();
    for (name, _) in schemas() {
        let (include, exclude) = match name {
            "menu" => (format!("{menus}*.toml"), format!("exclude = [{}]\n", quoted.join(", "))),
            stem => (format!("{menus}{stem}.toml"), String::new()),
        };
        let schema = format!("[rule.schema]\npath = \"{menus}schema/{name}.json\"\nenabled = true\n");
        for part in ["\n[[rule]]\ninclude = [\"", &include, "\"]\n", &exclude, &schema] {
            rules.push_str(part);
        }
    }
    rules
}

fn one_of(about: &str, words: &[&str]) -> Value {
    json!({ "type": "string", "description": about, "enum": words })
}

fn way(about: &str) -> Value {
    text(&format!(
        "{about}: a menu's name, \"queue NAME\", \"human\", \"repeat\", or \"hang up\" after an announcement"
    ))
}

fn hours() -> [(&'static str, Value); 2] {
    [
        ("hours", text("Opening hours, a table [hours.NAME] of calendar.toml")),
        ("closed", way("Where callers go outside the opening hours")),
    ]
}

/// Keys of a telephone, each leading somewhere.
fn keys(about: &str, each: &Value) -> Value {
    json!({
        "type": "object", "description": about, "propertyNames": { "pattern": "^[0-9*#]$" },
        "additionalProperties": each,
    })
}

fn menu() -> Value {
    let twice = |about: &str| {
        json!({ "description": about, "anyOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "minItems": 1, "maxItems": 2, "items": texts("A prompt, or a list of prompts") },
        ] })
    };
    let digits = json!({ "description": "How many digits: a number, or the fewest and the most", "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": 32 },
        { "type": "array", "minItems": 2, "maxItems": 2, "items": { "type": "integer", "minimum": 1, "maximum": 32 } },
    ] });
    let entry = table(
        "The caller enters digits",
        &["name", "digits", "then"],
        &[
            ("name", text("What the digits are called in the record and on the agent's screen")),
            ("digits", digits),
            ("then", way("Where next")),
            ("confirm", flag("Read back: 1 if right, 2 to enter again")),
            ("secret", flag("The digits are hidden: no log, record, screen or recording holds them")),
            ("gap", time("The longest pause between two digits, 1s to 30s; 4s if left out")),
        ],
    );
    let mut menu = table(
        "A menu: a choice, an entry of digits, or an announcement",
        &["say"],
        &[
            ("say", texts("What is said: a prompt of audio/manifest.toml, or a list")),
            ("silence", twice("What is said after the first and the second silence")),
            ("wrong", twice("What is said after the first and the second wrong key")),
            ("wait", time("How long the caller may think after all is said, 1s to 60s; 5s if left out")),
            ("language", language("From here on this language")),
            (
                "keys",
                keys(
                    "A choice: where each key leads. 0 always leads to a human",
                    &way("Where this key leads"),
                ),
            ),
            ("entry", entry),
            ("then", way("An announcement: where it goes on by itself")),
        ],
    );
    add(&mut menu, &hours());
    if let Some(object) = menu.as_object_mut() {
        let one = |key: &str| json!({ "required": [key] });
        object.insert("oneOf".into(), json!([one("keys"), one("entry"), one("then")]));
    }
    file("A menu of hotline", menu)
}

fn add(table: &mut Value, keys: &[(&str, Value)]) {
    if let Some(properties) = table.get_mut("properties").and_then(Value::as_object_mut) {
        properties.extend(keys.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
    }
}

fn numbers() -> Value {
    let mut entrance = table(
        "What callers of this number meet",
        &["menu"],
        &[
            ("menu", text("The first menu")),
            ("language", language("Spoken until the caller chooses another")),
            ("greeting", texts("Said before the first menu")),
            ("priority", number("Its callers' class in every queue, 0 is most urgent", 0, 9)),
        ],
    );
    add(&mut entrance, &hours());
    file("numbers.toml of hotline: who dials what", named("Each table is a number", &entrance))
}

fn queues() -> Value {
    let mut queue = table(
        "Where callers wait",
        &["name"],
        &[
            ("name", text("The prompt that names the queue to callers")),
            ("music", text("The prompt that plays while they wait")),
            (
                "code",
                json!({ "type": "string", "pattern": "^[0-9]{1,8}$", "description": "By which agents pass callers here" }),
            ),
            ("skills", texts("What an agent must be able to do, all of them")),
            ("priority", number("Its callers' class, 0 is most urgent", 0, 9)),
            (
                "strategy",
                one_of(
                    "Whom to ring first",
                    &["longest-idle", "fewest-calls", "most-skilled", "least-versatile", "by-name"],
                ),
            ),
            ("ring_for", time("How long an agent's phone rings")),
            ("wrap_up", time("Work after a conversation, before the next caller")),
            ("ageing", time("Each time a caller has waited this long he counts as one class more urgent")),
            ("wait_max", time("The longest wait; then overflow")),
            ("size_max", number("Most callers who may wait; then overflow", 1, 100_000)),
            ("nobody", one_of("While nobody who could answer is signed in", &["wait", "overflow"])),
            ("overflow", way("Where those go who cannot wait here")),
            ("tell_every", time("Time between two words on the wait")),
            ("expected_talk", time("How long a conversation lasts, until it was measured")),
            ("same_agent_wait", time("How long a caller who was cut off waits for his agent alone")),
            ("service_target", time("Answered within this time counts as well served")),
            ("name_agent", flag("Caller and agent hear who serves before they hear each other")),
            ("keys", keys("Live while he waits", &text("The menu that this key leads to"))),
        ],
    );
    add(&mut queue, &hours());
    let mut all = named("Each table is a queue", &queue);
    if let Some(object) = all.as_object_mut() {
        object.insert(
            "properties".into(),
            json!({
                "human": text("The queue behind key 0"),
                "name_agent": flag("Whether queues that do not say otherwise name the agent to the caller"),
            }),
        );
        object.insert("required".into(), json!(["human"]));
    }
    file("queues.toml of hotline: where callers wait", all)
}

fn agents() -> Value {
    let dialled = |about: &str| json!({ "type": "string", "pattern": "^[A-Za-z0-9*#+._-]{1,32}$", "description": about });
    let pressed =
        |about: &str| json!({ "type": "string", "pattern": "^[*#][0-9*#]{1,3}$", "description": about });
    let agent = table(
        "Who answers; the table's name is what his phone registers with",
        &["alias"],
        &[
            ("alias", text("What callers are told and records show: a working name")),
            (
                "skills",
                named("What he can do, each from 1 (can) to 10 (best)", &number("From 1 to 10", 1, 10)),
            ),
            (
                "languages",
                json!({ "description": "What he speaks", "anyOf": [
                { "type": "string", "enum": LANGUAGES },
                { "type": "array", "items": { "type": "string", "enum": LANGUAGES } },
            ] }),
            ),
            ("unanswered_max", number("Offers in a row that may ring out before he is paused", 1, 20)),
            ("hours", text("When he is at work, a table [hours.NAME] of calendar.toml")),
        ],
    );
    let codes = table(
        "What agents dial",
        &[],
        &[
            ("sign_in", dialled("Begin to work")),
            ("sign_out", dialled("Stop working")),
            ("ready", dialled("Take calls again")),
            ("pause", named("Reason -> code", &dialled("The code of this pause"))),
        ],
    );
    let keys = table(
        "What agents press during a call",
        &[],
        &[
            ("hold", pressed("Hold the caller with music, or take him back")),
            ("invite", pressed("Call a third party in private; its code and # follow")),
            ("join", pressed("Join all three")),
            ("drop", pressed("Drop the third party")),
            ("leave", pressed("Leave; caller and third party go on")),
            ("pass_on", pressed("Pass the caller to another queue; its code and # follow")),
            ("listen_only", pressed("In a conference the caller only listens, or is heard again")),
        ],
    );
    let all = table(
        "Who answers, what they dial and press",
        &[],
        &[("agent", named("Each table is an agent", &agent)), ("codes", codes), ("keys", keys)],
    );
    file("agents.toml of hotline: who answers", all)
}

fn directory() -> Value {
    let party = table(
        "A third party whom agents may call",
        &["code", "name", "number"],
        &[
            (
                "code",
                json!({ "type": "string", "pattern": "^[0-9]{1,8}$", "description": "The digits that an agent enters" }),
            ),
            ("name", text("Who it is")),
            (
                "number",
                json!({ "type": "string", "pattern": "^[A-Za-z0-9*#+._-]{1,32}$", "description": "What is dialled on the trunk" }),
            ),
            ("trunk", text("A trunk of hotline.toml")),
            ("trunks", texts("Several trunks, tried in this order")),
            ("ring_for", time("How long its phone rings")),
            (
                "notes",
                json!({ "type": "string", "description": "For the agent: what they may decide, when they are there" }),
            ),
        ],
    );
    file("directory.toml of hotline: whom agents may call", named("Each table is a third party", &party))
}

fn calendar() -> Value {
    let span = "^([0-9]{2}:[0-9]{2} *- *[0-9]{2}:[0-9]{2}|closed)$";
    let spans = json!({ "description": "09:00-18:00, a list of such, or closed", "anyOf": [
        { "type": "string", "pattern": span },
        { "type": "array", "items": { "type": "string", "pattern": span } },
    ] });
    let date = "^[0-9]{4}-[0-9]{2}-[0-9]{2}( *\\.\\. *[0-9]{4}-[0-9]{2}-[0-9]{2})?$";
    let dates = |about: &str, each: &Value| {
        json!({
            "type": "object", "description": about, "propertyNames": { "pattern": date },
            "additionalProperties": each,
        })
    };
    let day = "(mon|tue|wed|thu|fri|sat|sun)";
    let hours = json!({
        "type": "object", "description": "Opening hours", "required": ["holiday"], "additionalProperties": false,
        "properties": {
            "holiday": spans, "timezone": text("Whose clock, if not the calendar's"),
            "dates": dates("Dates with hours of their own", &spans),
        },
        "patternProperties": { format!("^{day}(-{day})?$"): spans },
    });
    let all = table(
        "Hours and holidays",
        &[],
        &[
            ("timezone", text("A name of the IANA tables: Asia/Shanghai")),
            ("holidays", dates("A date or a range, with a name", &text("The holiday's name"))),
            (
                "workdays",
                dates("Weekends that are worked in exchange", &text("The holiday they are worked for")),
            ),
            ("hours", named("Opening hours by name", &hours)),
        ],
    );
    file("calendar.toml of hotline: hours and holidays", all)
}

fn schedule() -> Value {
    let moment = |about: &str| {
        json!({ "type": "string", "description": about,
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?$" })
    };
    let change = table(
        "What is otherwise from one moment to another",
        &["from", "to"],
        &[
            ("from", moment("The first moment, on the calendar's wall: 2026-03-07T18:00")),
            ("to", moment("The first moment at which all is as before")),
            ("numbers", texts("The numbers that it is about")),
            ("queues", texts("The queues that it is about")),
            ("greeting", texts("Said in place of the numbers' own greeting")),
            ("menu", text("The numbers' first menu")),
            ("closed", way("The queues are closed; callers go there")),
            ("banner", text("A prompt that is said after the greeting, and after the name of the queues")),
        ],
    );
    file(
        "schedule.toml of hotline: changes with a beginning and an end",
        named("Each table is a change", &change),
    )
}
