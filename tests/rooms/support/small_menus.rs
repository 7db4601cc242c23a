//! The smallest good set of menus: what tests of mistakes spoil.
use std::collections::BTreeMap;

/// File names and texts.
pub(crate) fn good() -> BTreeMap<String, String> {
    let files = [
        ("main.toml", "say = \"main\"\n[keys]\n1 = \"account\"\n"),
        ("account.toml", "say = \"account\"\n[keys]\n\"*\" = \"main\"\n"),
        ("all-busy.toml", "say = \"all-busy\"\nthen = \"hang up\"\n"),
        ("numbers.toml", "[95188]\nmenu = \"main\"\n"),
        (
            "queues.toml",
            "human = \"general\"\n[general]\nname = \"queue-general\"\noverflow = \"all-busy\"\n",
        ),
        ("agents.toml", "[agent.8001]\nalias = \"Lele\"\nlanguages = [\"zh\", \"en\"]\n"),
    ];
    files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}
