//! Projects numbered facts into the tables, a batch a transaction. A fact at or before the cursor is skipped, so the
//! same batch may be handed over again after a failure.
use std::time::Duration;

use sqlx::sqlite::{SqliteConnection, SqliteTransaction};
use sqlx::{Connection as _, Row as _};

use super::{Store, StoreError};
use crate::base::{CallId, UtcTime};
use crate::exchange::{Fact, NumberedFact, Peer, Told};

/// The one connection that writes.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    conn: SqliteConnection,
    cursor: (u64, u32),
}

type Tx<'t> = SqliteTransaction<'t>;
type Done = Result<(), sqlx::Error>;

impl Writer {
    /// Opens the writing connection and reads the cursor.
    pub async fn open(store: &Store) -> Result<Self, StoreError> {
        let mut conn = store.writer_connection().await?;
        let row = sqlx::query("SELECT last_seq, last_index FROM cursor")
            .fetch_one(&mut conn)
            .await
            .map_err(|e| store.error(e))?;
        let number =
            |i: usize| row.try_get::<i64, _>(i).ok().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let cursor = (number(0), u32::try_from(number(1)).unwrap_or(0));
        Ok(Self { store: store.clone(), conn, cursor })
    }

    /// Writes a batch, all or nothing. After an error nothing of it is stored and it may be handed over again.
    pub async fn write(&mut self, batch: &[NumberedFact]) -> Result<(), StoreError> {
        let from = self.cursor;
        let fresh: Vec<&NumberedFact> = batch.iter().filter(|f| (f.seq.0, f.index) > from).collect();
        if let Some(last) = fresh.last() {
            let bodies =
                fresh.iter().map(|f| serde_json::to_string(&f.fact)).collect::<Result<Vec<_>, _>>()?;
            let mut tx = self.conn.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.store.error(e))?;
            for (fact, body) in fresh.iter().zip(&bodies) {
                project(&mut tx, fact, body).await.map_err(|e| self.store.error(e))?;
            }
            sqlx::query("UPDATE cursor SET last_seq = ?, last_index = ?")
                .bind(signed(last.seq.0))
                .bind(i64::from(last.index))
                .execute(&mut *tx)
                .await
                .map_err(|e| self.store.error(e))?;
            tx.commit().await.map_err(|e| self.store.error(e))?;
            self.cursor = (last.seq.0, last.index);
        }
        Ok(())
    }
}

async fn project(tx: &mut Tx<'_>, numbered: &NumberedFact, body: &str) -> Done {
    let at = numbered.at.utc.as_micros();
    sqlx::query("INSERT INTO facts (seq, idx, at_us, call, kind, body) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(signed(numbered.seq.0))
        .bind(i64::from(numbered.index))
        .bind(at)
        .bind(numbered.fact.call().map(id))
        .bind(numbered.fact.kind())
        .bind(body)
        .execute(&mut **tx)
        .await?;
    match derive(tx, &numbered.fact, numbered.at.utc).await {
        // A row that contradicts another (SQLite undoes that statement alone): the fact itself is stored, and trying
        // again would stop the record for ever.
        Err(sqlx::Error::Database(e)) if e.kind() != sqlx::error::ErrorKind::Other => {
            tracing::error!(seq = numbered.seq.0, error = %e, fact = numbered.fact.kind(), "a fact fits no row");
            Ok(())
        }
        done => done,
    }
}

/// What each fact changes in the rows that people read.
#[expect(clippy::too_many_lines, reason = "one table from fact to row, read as a table")]
async fn derive(tx: &mut Tx<'_>, fact: &Fact, at: UtcTime) -> Done {
    let at = at.as_micros();
    match fact {
        Fact::CallStarted { call, arrival, menus, .. } => {
            let peer = match &arrival.peer {
                Peer::Stranger => "stranger".to_owned(),
                Peer::Agent(agent) => format!("agent {agent}"),
                Peer::Trunk(trunk) => format!("trunk {trunk}"),
            };
            sqlx::query(
                "INSERT INTO calls (id, started_us, dialled, caller, caller_name, peer, menus) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(id(*call))
            .bind(at)
            .bind(&arrival.dialled)
            .bind(&arrival.caller)
            .bind(&arrival.caller_name)
            .bind(peer)
            .bind(menus)
            .execute(&mut **tx)
            .await?;
        }
        Fact::CallAnswered { call } => {
            run(tx, "UPDATE calls SET answered_us = ? WHERE id = ?", at, *call).await?;
        }
        Fact::LanguageChosen { call, language } => {
            text(tx, "UPDATE calls SET language = ? WHERE id = ?", language.code(), *call).await?;
        }
        Fact::KeyPressed { call, key, .. } => {
            text(
                tx,
                "UPDATE calls SET keys = keys || ? WHERE id = ? AND length(keys) < 512",
                &key.to_string(),
                *call,
            )
            .await?;
        }
        Fact::DigitsEntered { call, entry, digits } => {
            let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
            entered(tx, *call, entry.as_str(), Some(digits), length).await?;
        }
        Fact::SecretEntered { call, entry, length } => {
            entered(tx, *call, entry.as_str(), None, i64::from(*length)).await?;
        }
        Fact::Queued { call, queue, priority, .. } => {
            text(tx, "UPDATE calls SET queue = ? WHERE id = ?", queue.as_str(), *call).await?;
            run(tx, "UPDATE calls SET priority = ? WHERE id = ?", i64::from(*priority), *call).await?;
        }
        Fact::WaitTold { call, ticket, told, waited } => {
            let (kind, low, high, rose) = told_columns(told);
            sqlx::query(
                "INSERT INTO tellings (call, at_us, ticket, kind, low_s, high_s, rose, waited_ms)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(id(*call))
            .bind(at)
            .bind(signed(ticket.0))
            .bind(kind)
            .bind(low)
            .bind(high)
            .bind(rose)
            .bind(millis(*waited))
            .execute(&mut **tx)
            .await?;
        }
        Fact::Offered { call, assignment, agent, queue, why } => {
            sqlx::query(
                "INSERT INTO offers (assignment, call, agent, queue, at_us, why) VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(signed(assignment.0))
            .bind(id(*call))
            .bind(agent.as_str())
            .bind(queue.as_str())
            .bind(at)
            .bind(serde_json::to_string(why).unwrap_or_default())
            .execute(&mut **tx)
            .await?;
        }
        Fact::OfferEnded { assignment, cause, .. } => {
            offer_over(tx, assignment.0, at, cause.as_str()).await?;
        }
        Fact::Connected { call, assignment, agent, waited } => {
            offer_over(tx, assignment.0, at, "connected").await?;
            text(tx, "UPDATE calls SET agent = ? WHERE id = ?", agent.as_str(), *call).await?;
            run(
                tx,
                "UPDATE calls SET waited_ms = coalesce(waited_ms, ?) WHERE id = ?",
                millis(*waited),
                *call,
            )
            .await?;
            run(
                tx,
                "UPDATE tellings SET true_ms = ? WHERE call = ? AND true_ms IS NULL",
                millis(*waited),
                *call,
            )
            .await?;
        }
        Fact::AgentReplaced { call, agent, .. } => {
            text(tx, "UPDATE calls SET agent = ? WHERE id = ?", agent.as_str(), *call).await?;
        }
        Fact::AgentLeft { call, talked, .. } => {
            run(tx, "UPDATE calls SET talk_ms = talk_ms + ? WHERE id = ?", millis(*talked), *call).await?;
        }
        Fact::PartyInvited { call, party, .. } => {
            text(tx, "UPDATE calls SET party = ? WHERE id = ?", party.as_str(), *call).await?;
        }
        Fact::ConferenceEnded { call, lasted, .. } => {
            run(
                tx,
                "UPDATE calls SET conference_ms = conference_ms + ? WHERE id = ?",
                millis(*lasted),
                *call,
            )
            .await?;
        }
        Fact::CallEnded { call, cause, .. } => {
            text(tx, "UPDATE calls SET cause = ? WHERE id = ?", cause.as_str(), *call).await?;
            run(tx, "UPDATE calls SET ended_us = ? WHERE id = ?", at, *call).await?;
        }
        Fact::MenuEntered { .. }
        | Fact::Heard { .. }
        | Fact::LeftQueue { .. }
        | Fact::PlaceKept { .. }
        | Fact::PlaceRestored { .. }
        | Fact::Overflowed { .. }
        | Fact::Held { .. }
        | Fact::PeerHeld { .. }
        | Fact::PartyAnswered { .. }
        | Fact::PartyLeft { .. }
        | Fact::ConferenceStarted { .. }
        | Fact::PassedOn { .. }
        | Fact::TransferAsked { .. }
        | Fact::TransferOver { .. }
        | Fact::LegReplaced { .. }
        | Fact::ListenOnly { .. }
        | Fact::ClearingUp { .. }
        | Fact::AgentChanged { .. }
        | Fact::MenusInstalled { .. }
        | Fact::CallRefused { .. }
        | Fact::Ignored { .. } => {}
    }
    Ok(())
}

async fn run(tx: &mut Tx<'_>, sql: &'static str, value: i64, call: CallId) -> Done {
    sqlx::query(sql).bind(value).bind(id(call)).execute(&mut **tx).await.map(|_| ())
}

async fn text(tx: &mut Tx<'_>, sql: &'static str, value: &str, call: CallId) -> Done {
    sqlx::query(sql).bind(value).bind(id(call)).execute(&mut **tx).await.map(|_| ())
}

async fn entered(tx: &mut Tx<'_>, call: CallId, entry: &str, digits: Option<&str>, length: i64) -> Done {
    sqlx::query("INSERT INTO entries (call, entry, digits, length) VALUES (?, ?, ?, ?)")
        .bind(id(call))
        .bind(entry)
        .bind(digits)
        .bind(length)
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

async fn offer_over(tx: &mut Tx<'_>, assignment: u64, at: i64, outcome: &str) -> Done {
    sqlx::query("UPDATE offers SET ended_us = ?, outcome = ? WHERE assignment = ? AND outcome IS NULL")
        .bind(at)
        .bind(outcome)
        .bind(signed(assignment))
        .execute(&mut **tx)
        .await
        .map(|_| ())
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

fn id(call: CallId) -> i64 {
    signed(call.0)
}

/// SQLite's integers are signed; our numbers never reach 2^63.
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}
