//! A batch of facts becomes the rows that people read: what several facts say of one call is one row, one statement.
//!
//! Invariant: a batch cut anywhere and written in parts gives the same rows as the whole.
use std::collections::BTreeMap;
use std::time::Duration;

use super::bulk::Value;
use crate::base::{CallId, TicketId};
use crate::exchange::{Cause, Fact, NumberedFact, Peer, Promised, Told};

/// Keys kept in a call's row.
pub(super) const KEYS_MAX: usize = 512;

/// What a batch says of one call. `None`: nothing.
#[derive(Debug, Default)]
pub(super) struct CallChange<'f> {
    /// The call's first fact; only then the row is new.
    pub(super) start: Option<Start<'f>>,
    answered: Option<i64>,
    ended: Option<i64>,
    language: Option<&'static str>,
    keys: String,
    queue: Option<&'f str>,
    priority: Option<i64>,
    agent: Option<&'f str>,
    waited: Option<i64>,
    talk: i64,
    conference: i64,
    party: Option<&'f str>,
    cause: Option<&'static str>,
}

#[derive(Debug)]
pub(super) struct Start<'f> {
    at: i64,
    dialled: &'f str,
    caller: &'f str,
    caller_name: &'f str,
    peer: String,
    menus: &'f str,
}

#[derive(Debug)]
struct Telling<'f> {
    call: i64,
    at: i64,
    ticket: i64,
    told: &'f Told,
    waited: i64,
    true_wait: Option<i64>,
}

#[derive(Debug, Default)]
struct Offer<'f> {
    new: Option<(i64, &'f str, &'f str, i64, String)>,
    end: Option<(i64, &'static str)>,
}

/// All rows of a batch.
#[derive(Debug, Default)]
pub(super) struct Fold<'f> {
    calls: BTreeMap<i64, CallChange<'f>>,
    tellings: Vec<Telling<'f>>,
    /// Calls whose earlier tellings came true after so long.
    true_waits: BTreeMap<i64, i64>,
    offers: BTreeMap<i64, Offer<'f>>,
    entries: Vec<[Value<'f>; 4]>,
    deeds: Vec<[Value<'f>; 8]>,
    promises: Vec<[Value<'f>; 12]>,
    /// Facts that contradict an earlier one of the batch.
    pub(super) contradictions: u64,
}

impl<'f> Fold<'f> {
    /// Takes one fact, in order.
    pub(super) fn take(&mut self, numbered: &'f NumberedFact) {
        let at = numbered.at.utc.as_micros();
        match &numbered.fact {
            Fact::CallStarted { call, arrival, menus, .. } => {
                let start = Start {
                    at,
                    dialled: &arrival.dialled,
                    caller: &arrival.caller,
                    caller_name: &arrival.caller_name,
                    peer: peer(&arrival.peer),
                    menus,
                };
                let change = self.call(*call);
                if change.start.is_none() {
                    change.start = Some(start);
                } else {
                    self.contradictions += 1;
                }
            }
            Fact::CallAnswered { call } => self.call(*call).answered = Some(at),
            Fact::LanguageChosen { call, language } => self.call(*call).language = Some(language.code()),
            Fact::KeyPressed { call, key, .. } => {
                let keys = &mut self.call(*call).keys;
                if keys.len() < KEYS_MAX {
                    keys.push(key.as_char());
                }
            }
            Fact::Queued { call, queue, priority, .. } => {
                let change = self.call(*call);
                change.queue = Some(queue.as_str());
                change.priority = Some(i64::from(*priority));
            }
            Fact::AgentLeft { call, talked, .. } => self.call(*call).talk += millis(*talked),
            Fact::AgentReplaced { call, agent, .. } => self.call(*call).agent = Some(agent.as_str()),
            Fact::PartyInvited { call, party, .. } => self.call(*call).party = Some(party.as_str()),
            Fact::ConferenceEnded { call, lasted, .. } => self.call(*call).conference += millis(*lasted),
            Fact::CallEnded { call, cause, .. } => {
                let change = self.call(*call);
                change.cause = Some(cause.as_str());
                change.ended = Some(at);
            }
            Fact::Done(deed) => self.deeds.push([
                signed(numbered.seq.0).into(),
                i64::from(numbered.index).into(),
                at.into(),
                deed.who.as_str().into(),
                deed.from.as_str().into(),
                deed.what.as_str().into(),
                deed.about.as_str().into(),
                deed.outcome.as_str().into(),
            ]),
            other => self.take_more(at, other),
        }
    }

    /// What has rows of its own beside the call's.
    fn take_more(&mut self, at: i64, fact: &'f Fact) {
        match fact {
            Fact::DigitsEntered { call, entry, digits } => {
                let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
                self.entries.push([
                    id(*call).into(),
                    entry.as_str().into(),
                    digits.as_str().into(),
                    length.into(),
                ]);
            }
            Fact::SecretEntered { call, entry, length } => {
                let length = i64::from(*length);
                self.entries.push([id(*call).into(), entry.as_str().into(), Value::Null, length.into()]);
            }
            Fact::WaitTold { call, ticket, told, waited } => self.tellings.push(Telling {
                call: id(*call),
                at,
                ticket: signed(ticket.0),
                told,
                waited: millis(*waited),
                true_wait: None,
            }),
            Fact::PromiseOver { call, ticket, promised } => {
                self.promises.push(promise_row((*call, *ticket), promised));
            }
            Fact::Offered { call, assignment, agent, queue, why } => {
                let why = serde_json::to_string(why).unwrap_or_default();
                let new = (id(*call), agent.as_str(), queue.as_str(), at, why);
                let offer = self.offers.entry(signed(assignment.0)).or_default();
                if offer.new.is_none() {
                    offer.new = Some(new);
                } else {
                    self.contradictions += 1;
                }
            }
            Fact::OfferEnded { assignment, cause, .. } => self.offer_over(assignment.0, at, cause.as_str()),
            Fact::Connected { call, assignment, agent, waited } => {
                self.offer_over(assignment.0, at, "connected");
                let waited = millis(*waited);
                let change = self.call(*call);
                change.agent = Some(agent.as_str());
                change.waited.get_or_insert(waited);
                // The first conversation ends the wait that was told; a second one ends another.
                self.true_waits.entry(id(*call)).or_insert(waited);
                for telling in self.tellings.iter_mut().filter(|t| t.call == id(*call)) {
                    telling.true_wait.get_or_insert(waited);
                }
            }
            // Told in the facts alone.
            _ => {}
        }
    }

    fn call(&mut self, call: CallId) -> &mut CallChange<'f> {
        self.calls.entry(id(call)).or_default()
    }

    fn offer_over(&mut self, assignment: u64, at: i64, outcome: &'static str) {
        self.offers.entry(signed(assignment)).or_default().end.get_or_insert((at, outcome));
    }

    /// Rows of calls that began in this batch.
    pub(super) fn new_calls(&self) -> Vec<[Value<'_>; 19]> {
        let new = self.calls.iter().filter_map(|(id, c)| Some((id, c, c.start.as_ref()?)));
        new.map(|(id, c, s)| {
            let start = [
                (*id).into(),
                s.at.into(),
                s.dialled.into(),
                s.caller.into(),
                s.caller_name.into(),
                s.peer.as_str().into(),
                s.menus.into(),
            ];
            row(start, c.columns())
        })
        .collect()
    }

    /// What changed of calls that were there before.
    pub(super) fn changed_calls(&self) -> Vec<[Value<'_>; 13]> {
        let changed = self.calls.iter().filter(|(_, c)| c.start.is_none());
        changed.map(|(id, c)| row([(*id).into()], c.columns())).collect()
    }

    /// Calls whose tellings of earlier batches came true.
    pub(super) fn true_waits(&self) -> Vec<[Value<'_>; 2]> {
        self.true_waits.iter().map(|(call, waited)| [(*call).into(), (*waited).into()]).collect()
    }

    /// New tellings.
    pub(super) fn tellings(&self) -> Vec<[Value<'_>; 9]> {
        let row = |t: &Telling<'_>| {
            let (kind, low, high, rose) = told_columns(t.told);
            let (low, high, rose) = (low.into(), high.into(), rose.into());
            [
                t.call.into(),
                t.at.into(),
                t.ticket.into(),
                kind.into(),
                low,
                high,
                rose,
                t.waited.into(),
                t.true_wait.into(),
            ]
        };
        self.tellings.iter().map(row).collect()
    }

    /// New offers, with their ends where they are known.
    pub(super) fn new_offers(&self) -> Vec<[Value<'_>; 8]> {
        let new = self.offers.iter().filter_map(|(id, o)| Some((id, o.new.as_ref()?, o.end)));
        new.map(|(id, (call, agent, queue, at, why), end)| {
            let (ended, outcome) = end.unzip();
            [
                (*id).into(),
                (*call).into(),
                (*agent).into(),
                (*queue).into(),
                (*at).into(),
                ended.into(),
                outcome.into(),
                why.as_str().into(),
            ]
        })
        .collect()
    }

    /// Ends of earlier offers.
    pub(super) fn ended_offers(&self) -> Vec<[Value<'_>; 3]> {
        let ended = self.offers.iter().filter(|(_, o)| o.new.is_none());
        ended
            .filter_map(|(id, o)| o.end.map(|(at, outcome)| [(*id).into(), at.into(), outcome.into()]))
            .collect()
    }

    /// Rows of the audit.
    pub(super) fn deeds(&self) -> &[[Value<'f>; 8]] {
        &self.deeds
    }

    /// Promises that are over.
    pub(super) fn promises(&self) -> &[[Value<'f>; 12]] {
        &self.promises
    }

    /// Digits entered.
    pub(super) fn entries(&self) -> &[[Value<'f>; 4]] {
        &self.entries
    }
}

impl CallChange<'_> {
    fn columns(&self) -> [Value<'_>; 12] {
        [
            self.answered.into(),
            self.ended.into(),
            self.language.into(),
            self.keys.as_str().into(),
            self.queue.into(),
            self.priority.into(),
            self.agent.into(),
            self.waited.into(),
            self.talk.into(),
            self.conference.into(),
            self.party.into(),
            self.cause.into(),
        ]
    }
}

/// A row of `first` and then `rest`, which are as many as it has columns.
fn row<'v, const FIRST: usize, const REST: usize, const ALL: usize>(
    first: [Value<'v>; FIRST],
    rest: [Value<'v>; REST],
) -> [Value<'v>; ALL] {
    const { assert!(FIRST + REST == ALL, "a column is missing") };
    let mut columns = first.into_iter().chain(rest);
    std::array::from_fn(|_| columns.next().unwrap_or(Value::Null))
}

fn promise_row(whose: (CallId, TicketId), p: &Promised) -> [Value<'_>; 12] {
    let told = p.told.as_micros();
    [
        id(whose.0).into(),
        signed(whose.1.0).into(),
        "wait".into(),
        p.queue.as_str().into(),
        told.into(),
        told.saturating_add(i64::from(p.ahead_s) * 1_000_000).into(),
        (millis(p.low) / 1_000).into(),
        (millis(p.high) / 1_000).into(),
        i64::from(p.at_entry).into(),
        p.outcome.as_str().into(),
        p.cause.map(Cause::as_str).into(),
        millis(p.waited).into(),
    ]
}

fn peer(peer: &Peer) -> String {
    match peer {
        Peer::Stranger => "stranger".to_owned(),
        Peer::Agent(agent) => format!("agent {agent}"),
        Peer::Trunk(trunk) => format!("trunk {trunk}"),
    }
}

fn told_columns(told: &Told) -> (&'static str, Option<i64>, Option<i64>, Option<String>) {
    match told {
        Told::Wait { low, high, rose } => {
            let rose =
                rose.and_then(|r| serde_json::to_value(r).ok()).and_then(|v| v.as_str().map(str::to_owned));
            ("wait", Some(millis(*low) / 1_000), Some(millis(*high) / 1_000), rose)
        }
        Told::Unknown => ("unknown", None, None, None),
        Told::NobodyYet => ("nobody_yet", None, None, None),
        Told::Next => ("next", None, None, None),
    }
}

pub(super) fn id(call: CallId) -> i64 {
    signed(call.0)
}

/// SQLite's integers are signed; our numbers never reach 2^63.
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}
