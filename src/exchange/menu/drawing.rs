//! The parts of a JSON Schema (draft 7) that files of ours are drawn with.
use serde_json::{Map, Value, json};

/// The codes of all languages.
pub(crate) const LANGUAGES: [&str; 2] = ["zh", "en"];

/// A whole file: with its title.
pub(crate) fn file(title: &str, mut body: Value) -> Value {
    if let Some(object) = body.as_object_mut() {
        object.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
        object.insert("title".into(), json!(title));
    }
    body
}

/// A table with these keys and no others.
pub(crate) fn table(about: &str, needed: &[&str], keys: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    json!({
        "type": "object", "description": about, "properties": properties, "required": needed,
        "additionalProperties": false,
    })
}

/// A table whose keys are ops' own names.
pub(crate) fn named(about: &str, each: &Value) -> Value {
    json!({ "type": "object", "description": about, "additionalProperties": each })
}

/// A text that is not empty.
pub(crate) fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about, "minLength": 1 })
}

/// A text, or a list of them.
pub(crate) fn texts(about: &str) -> Value {
    json!({ "description": about, "anyOf": [
        { "type": "string", "minLength": 1 },
        { "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } },
    ] })
}

/// A number within bounds.
pub(crate) fn number(about: &str, least: i64, most: i64) -> Value {
    json!({ "type": "integer", "description": about, "minimum": least, "maximum": most })
}

/// `true` or `false`.
pub(crate) fn flag(about: &str) -> Value {
    json!({ "type": "boolean", "description": about, "default": false })
}

/// A length of time.
pub(crate) fn time(about: &str) -> Value {
    json!({
        "type": "string", "description": format!("{about}. A length of time: 20s, 5m, 1h30m"),
        "pattern": "^([0-9]+ *h *)?([0-9]+ *(m|min) *)?([0-9]+ *s)?$", "minLength": 2,
    })
}

/// A language by its code.
pub(crate) fn language(about: &str) -> Value {
    json!({ "type": "string", "description": about, "enum": LANGUAGES })
}
