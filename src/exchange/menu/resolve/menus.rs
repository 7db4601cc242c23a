//! The menu files: what is said, which key goes where, what happens after silence or a wrong key.
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{By, Door, Menus, RESERVED, Resolver, Trees};
use crate::base::{EntryId, Key, MenuId, PromptId, QueueId};
use crate::exchange::menu::diagnostic::Place;
use crate::exchange::menu::fields::{self, Fields};
use crate::exchange::menu::raw::{Node, Table, Value};
use crate::exchange::menu::set::{Entry, Menu, Step, Target, WRONG_KEY};
use crate::exchange::say::Phrase;

/// How long a caller may think, in seconds.
const WAIT_S: u64 = 5;
/// The longest pause between two digits, in seconds.
const GAP_S: u64 = 4;
/// Most digits of an entry. Longer numbers nobody types without a mistake.
const DIGITS: i64 = 32;

impl Resolver<'_> {
    pub(super) fn menus(&mut self, trees: &Trees) -> Menus {
        let menus = trees.iter().filter(|(stem, _)| !RESERVED.contains(&stem.as_str()));
        menus
            .filter_map(|(stem, (file, table))| {
                let id = MenuId::from(stem.as_str());
                let first = table.values().map(|f| &f.key).min_by_key(|place| place.span.start);
                let place = first.cloned().unwrap_or_else(|| Place::file(Arc::clone(file)));
                self.places.insert(Door::Menu(id.clone()), place.clone());
                self.menu(&id, place, table).map(|menu| (id, Arc::new(menu)))
            })
            .collect()
    }

    fn menu(&mut self, id: &MenuId, place: Place, table: &Table) -> Option<Menu> {
        let door = Door::Menu(id.clone());
        let mut fields = Fields::new(format!("the menu {id}"), place, table);
        let language = fields.word(&mut self.findings, "language");
        let language = language.and_then(|word| self.language(word));
        let open = self.opening(&mut fields, &door, Some(id));
        if !fields.has("say") {
            fields.missing("say");
        }
        let say = fields.get("say").map(|f| self.phrases(&f.node, &door)).unwrap_or_default();
        let silence = fields.get("silence").and_then(|f| self.twice(&f.node, &door));
        let silence = silence.unwrap_or_else(|| [say.clone(), say.clone()]);
        let wrong = fields.get("wrong").and_then(|f| self.twice(&f.node, &door));
        let wrong = wrong.unwrap_or_else(|| silence.clone().map(after_wrong_key));
        let wait = fields.duration(&mut self.findings, "wait", &(1..=60), WAIT_S);
        let step = self.step(&mut fields, id);
        fields.finish(&mut self.findings);
        let (step, human) = step?;
        let id = id.clone();
        Some(Menu { id, language, open, say, silence, wrong, wait, human, step })
    }

    /// What is said after the first and after the second mistake: a prompt, or a list of one or two, each a prompt or
    /// a list of prompts.
    fn twice(&mut self, node: &Node, door: &Door) -> Option<[Vec<Phrase>; 2]> {
        let mut each: Vec<Vec<Phrase>> = match &node.value {
            Value::List(items) => items.iter().map(|item| self.phrases(item, door)).collect(),
            _ => vec![self.phrases(node, door)],
        };
        if each.len() > 2 || each.is_empty() {
            self.findings
                .error("HL0105", &node.place, "this may be said once or twice")
                .help("the third mistake leads to a human");
        }
        let first = if each.is_empty() { return None } else { each.remove(0) };
        let second = each.into_iter().next().unwrap_or_else(|| first.clone());
        Some([first, second])
    }

    /// Exactly one of `[keys]`, `[entry]`, `then`.
    fn step(&mut self, fields: &mut Fields<'_>, id: &MenuId) -> Option<(Step, QueueId)> {
        let there = ["keys", "entry", "then"].map(|name| fields.get(name));
        let first = there.iter().flatten().next();
        let place = first.map_or(&fields.place, |f| &f.key).clone();
        match there {
            [Some(_), None, None] => {
                let keys = fields.table(&mut self.findings, "keys")?;
                Some(self.choice(&keys, id))
            }
            [None, Some(_), None] => {
                let entry = fields.table(&mut self.findings, "entry")?;
                self.entry(entry, id)
            }
            [None, None, Some(_)] => {
                let word = fields.word(&mut self.findings, "then")?;
                let then = self.target(word, Some(id))?;
                self.way(&Door::Menu(id.clone()), &then, By::Itself, word.place);
                let human = self.human_of(&then);
                Some((Step::Announcement(then), human))
            }
            _ => {
                let message = if first.is_some() { "has more than one of" } else { "has none of" };
                self.findings
                    .error("HL0304", &place, format!("the menu {id} {message} [keys], [entry] and `then`"))
                    .help(
                        "[keys] lets the caller choose, [entry] asks for digits, `then` goes on by itself; \
                         a menu is one of these",
                    );
                None
            }
        }
    }

    /// Whom a caller on the way to `target` gets if he asks for a human.
    fn human_of(&self, target: &Target) -> QueueId {
        match target {
            Target::Queue(queue) => queue.clone(),
            Target::Menu(_) | Target::Human | Target::HangUp => self.human.clone(),
        }
    }

    fn choice(&mut self, keys: &Fields<'_>, id: &MenuId) -> (Step, QueueId) {
        let door = Door::Menu(id.clone());
        let mut choices = BTreeMap::new();
        let mut human = self.human.clone();
        for (name, field) in keys.rest() {
            let key = self.key(name, &field.key);
            let word = fields::word(&mut self.findings, &field.node);
            let (Some(key), Some(word)) = (key, word) else { continue };
            let Some(target) = self.target(word, Some(id)) else { continue };
            match (key.digit(), target) {
                (_, Target::HangUp) => self.unannounced(word),
                (Some(0), Target::Queue(queue)) => {
                    self.way(&door, &Target::Queue(queue.clone()), By::Key, word.place);
                    human = queue;
                }
                (Some(0), Target::Human) => {}
                (Some(0), Target::Menu(_)) => {
                    self.findings
                        .error("HL0305", word.place, "key 0 leads to a human, and nowhere else")
                        .help("0 may be left out (then it leads to the queue `human`), or be \"queue NAME\"");
                }
                (_, target) => {
                    self.way(&door, &target, By::Key, word.place);
                    choices.insert(key, target);
                }
            }
        }
        if choices.is_empty() && keys.rest().next().is_none() {
            self.findings
                .error("HL0304", &keys.place, format!("the menu {id} offers no key"))
                .help("write the keys: 1 = \"MENU\"; or use `then` instead of [keys]");
        }
        (Step::Choice(choices), human)
    }

    /// A key of the keypad.
    pub(super) fn key(&mut self, name: &str, place: &Place) -> Option<Key> {
        let mut characters = name.chars();
        let key = characters.next().and_then(Key::from_char).filter(|k| k.event() < 12);
        let key = key.filter(|_| characters.next().is_none());
        if key.is_none() {
            self.findings
                .error("HL0309", place, format!("`{name}` is not a key of a telephone"))
                .help("keys are 0 to 9, \"*\" and \"#\"");
        }
        key
    }

    fn entry(&mut self, mut fields: Fields<'_>, id: &MenuId) -> Option<(Step, QueueId)> {
        let name =
            fields.needed(&mut self.findings, "name").map(|w| EntryId::from(self.short(w, 40).as_str()));
        let digits = fields.get("digits").map(|f| self.digits(&f.node));
        if digits.is_none() {
            fields.missing("digits");
        }
        let gap = fields.duration(&mut self.findings, "gap", &(1..=30), GAP_S);
        let confirm = fields.flag(&mut self.findings, "confirm");
        let secret = fields.flag(&mut self.findings, "secret");
        let then = fields.needed(&mut self.findings, "then");
        let then = then.and_then(|word| Some((word, self.target(word, Some(id))?)));
        if confirm && secret {
            let place = fields.get("confirm").map_or(&fields.place, |f| &f.key).clone();
            self.findings
                .error("HL0308", &place, "a secret entry cannot be read back")
                .help("take `confirm` or `secret` away");
        }
        fields.finish(&mut self.findings);
        let (word, then) = then?;
        if then == Target::HangUp {
            self.unannounced(word);
            return None;
        }
        self.way(&Door::Menu(id.clone()), &then, By::Key, word.place);
        let human = self.human_of(&then);
        let (min, max) = digits??;
        Some((Step::Entry(Entry { name: name?, min, max, gap, confirm, secret, then }), human))
    }

    /// `digits = 6`, or `digits = [8, 20]`.
    fn digits(&mut self, node: &Node) -> Option<(u8, u8)> {
        let count = |me: &mut Self, node: &Node| -> Option<u8> {
            fields::number(&mut me.findings, node, &(1..=DIGITS)).and_then(|n| u8::try_from(n).ok())
        };
        let (min, max) = if let Value::List(items) = &node.value {
            let [min, max] = items.as_slice() else {
                self.findings
                    .error("HL0308", &node.place, "`digits` is a number, or two: the fewest and the most")
                    .help("digits = 6, or digits = [8, 20]");
                return None;
            };
            (count(self, min)?, count(self, max)?)
        } else {
            count(self, node).map(|n| (n, n))?
        };
        if min > max {
            self.findings
                .error(
                    "HL0308",
                    &node.place,
                    format!("at least {min} and at most {max} digits: no entry fits"),
                )
                .help(format!("digits = [{max}, {min}]"));
            return None;
        }
        Some((min, max))
    }
}

/// "That key has no meaning here", and then what is said after silence.
fn after_wrong_key(silence: Vec<Phrase>) -> Vec<Phrase> {
    let mut say = vec![Phrase::Prompt(PromptId::from(WRONG_KEY))];
    say.extend(silence);
    say
}
