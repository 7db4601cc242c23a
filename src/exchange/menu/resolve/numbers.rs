//! `numbers.toml`: who dials what, and enters where; `directory.toml`: whom agents may call.
use std::collections::BTreeMap;

use super::{By, Directory, Door, Resolver};
use crate::base::{Language, PartyId, TrunkId};
use crate::exchange::menu::fields::{self, Fields};
use crate::exchange::menu::raw::Field;
use crate::exchange::menu::set::{Entrance, Party, Target};

/// How long a third party's phone rings, in seconds.
const RING_S: u64 = 30;

impl Resolver<'_> {
    pub(super) fn numbers(&mut self, file: &Fields<'_>) -> BTreeMap<String, Entrance> {
        if file.rest().next().is_none() {
            self.findings
                .error("HL0104", &file.place, "numbers.toml names no number: nobody can call")
                .help("write a table for each: [95188] and below it menu = \"main\"");
        }
        file.rest()
            .filter_map(|(number, field)| Some((number.to_owned(), self.entrance(number, field)?)))
            .collect()
    }

    fn entrance(&mut self, number: &str, field: &Field) -> Option<Entrance> {
        let door = Door::Number(number.to_owned());
        self.places.insert(door.clone(), field.key.clone());
        let mut fields = fields::inner(&mut self.findings, format!("the number {number}"), field)?;
        if self.dialled(number, &field.key) {
            self.claim("number", number, "dialled by callers", &field.key);
        }
        let menu = fields.needed(&mut self.findings, "menu");
        let menu = menu.and_then(|word| {
            let menu = self.menu_name(word)?;
            self.way(&door, &Target::Menu(menu.clone()), By::Itself, word.place);
            Some(menu)
        });
        let language = fields.word(&mut self.findings, "language");
        let language = language.map_or(Some(Language::default()), |word| self.language(word));
        let greeting = fields.get("greeting").map(|f| self.phrases(&f.node, &door)).unwrap_or_default();
        let priority = fields.number(&mut self.findings, "priority", &(0..=9));
        let priority = priority.and_then(|p| u8::try_from(p).ok());
        let open = self.opening(&mut fields, &door, None);
        fields.finish(&mut self.findings);
        Some(Entrance { menu: menu?, language: language?, greeting, priority, open })
    }

    pub(super) fn directory(&mut self, file: &Fields<'_>) -> Directory {
        file.rest().filter_map(|(id, field)| Some((PartyId::from(id), self.party(id, field)?))).collect()
    }

    fn party(&mut self, id: &str, field: &Field) -> Option<Party> {
        let mut fields = fields::inner(&mut self.findings, format!("the party {id}"), field)?;
        let code =
            fields.needed(&mut self.findings, "code").and_then(|word| self.code(word, "directory code", id));
        let name = fields.needed(&mut self.findings, "name").map(|word| self.short(word, 60));
        let number = fields.needed(&mut self.findings, "number");
        let number = number.filter(|w| self.dialled(w.text, w.place)).map(|w| w.text.to_owned());
        let trunks = self.trunks_of(&mut fields);
        let ring_for = fields.duration(&mut self.findings, "ring_for", &(5..=180), RING_S);
        let notes = fields.word(&mut self.findings, "notes");
        let notes = notes.map(|word| self.short(word, 500)).unwrap_or_default();
        fields.finish(&mut self.findings);
        Some(Party { code: code?, name: name?, number: number?, trunks: trunks?, ring_for, notes })
    }

    /// `trunk = "a"`, or several in the order in which they are tried: `trunks = ["a", "b"]`.
    fn trunks_of(&mut self, fields: &mut Fields<'_>) -> Option<Vec<TrunkId>> {
        let Some(several) = fields.get("trunks") else {
            let one = fields.needed(&mut self.findings, "trunk")?;
            return Some(vec![TrunkId::from(self.short(one, 40).as_str())]);
        };
        if let Some(one) = fields.get("trunk") {
            self.findings.error("HL0105", &one.key, "write `trunk` or `trunks`, not both");
        }
        let mut trunks: Vec<TrunkId> = Vec::new();
        for word in fields::words(&mut self.findings, &several.node) {
            let trunk = TrunkId::from(self.short(word, 40).as_str());
            if trunks.contains(&trunk) {
                self.findings.error("HL0105", word.place, format!("the trunk `{trunk}` is named twice"));
            } else {
                trunks.push(trunk);
            }
        }
        if trunks.is_empty() {
            self.findings.error("HL0105", &several.node.place, "`trunks` names no trunk");
            return None;
        }
        Some(trunks)
    }

    /// Digits that an agent enters during a call, followed by `#`.
    pub(super) fn code(&mut self, word: fields::Word<'_>, kind: &'static str, of: &str) -> Option<String> {
        let good = (1..=8).contains(&word.text.len()) && word.text.bytes().all(|b| b.is_ascii_digit());
        if !good {
            self.findings
                .error("HL0105", word.place, format!("`{}` cannot be entered during a call", word.text))
                .help("a code is 1 to 8 digits in quotes: code = \"21\"");
            return None;
        }
        self.claim(kind, word.text, &format!("that of {of}"), word.place);
        Some(word.text.to_owned())
    }
}
