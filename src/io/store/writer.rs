//! Projects numbered facts into the tables, a batch a transaction. A fact at or before the cursor is skipped, so the
//! same batch may be handed over again after a failure.
use sqlx::sqlite::{SqliteConnection, SqliteTransaction};
use sqlx::{Connection as _, Row as _};

use super::bulk::{Bulk, Value};
use super::fold::{Fold, KEYS_MAX, id, signed};
use super::{Store, StoreError};
use crate::exchange::NumberedFact;

/// The one connection that writes.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    conn: SqliteConnection,
    cursor: (u64, u32),
    /// The last writing failed, and with a full disk nobody knows what became of its transaction.
    in_doubt: bool,
    statements: Statements,
}

async fn connect(store: &Store) -> Result<(SqliteConnection, (u64, u32)), StoreError> {
    let mut conn = store.writer_connection().await?;
    let row = sqlx::query("SELECT last_seq, last_index FROM cursor")
        .fetch_one(&mut conn)
        .await
        .map_err(|e| store.error(e))?;
    let number = |i: usize| row.try_get::<i64, _>(i).ok().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let cursor = (number(0), u32::try_from(number(1)).unwrap_or(0));
    Ok((conn, cursor))
}

impl Writer {
    /// Opens the writing connection and reads the cursor.
    pub async fn open(store: &Store) -> Result<Self, StoreError> {
        let (conn, cursor) = connect(store).await?;
        Ok(Self { store: store.clone(), conn, cursor, in_doubt: false, statements: Statements::default() })
    }

    /// The last fact that is stored: its input and its place among that input's facts.
    pub const fn cursor(&self) -> (u64, u32) {
        self.cursor
    }

    /// Writes a batch, all or nothing; on disk when it returns. After an error nothing of it is stored and it may be
    /// handed over again.
    pub async fn write(&mut self, batch: &[NumberedFact]) -> Result<(), StoreError> {
        if self.in_doubt {
            // A new connection has no half-open transaction, and the cursor says what was stored after all.
            (self.conn, self.cursor) = connect(&self.store).await?;
            self.in_doubt = false;
        }
        let from = self.cursor;
        let fresh: Vec<&NumberedFact> = batch.iter().filter(|f| (f.seq.0, f.index) > from).collect();
        let Some(last) = fresh.last() else { return Ok(()) };
        let facts = fresh.iter().map(|f| fact_row(f)).collect::<Result<Vec<_>, _>>()?;
        let mut fold = Fold::default();
        for fact in &fresh {
            fold.take(fact);
        }
        let at = (last.seq.0, last.index);
        let done = self.statements.write(&mut self.conn, (&facts, &fold), at).await;
        done.map_err(|e| {
            self.in_doubt = true;
            self.store.error(e)
        })?;
        self.cursor = at;
        Ok(())
    }
}

type FactRow<'f> = [Value<'f>; 6];

fn fact_row(numbered: &NumberedFact) -> Result<FactRow<'_>, serde_json::Error> {
    let body = serde_json::to_string(&numbered.fact)?;
    Ok([
        numbered.fact.call().map_or(0, id).into(),
        signed(numbered.seq.0).into(),
        i64::from(numbered.index).into(),
        numbered.at.utc.as_micros().into(),
        numbered.fact.kind().into(),
        body.into(),
    ])
}

/// The columns of a call that change, in the order of [`Fold::changed_calls`], and how: `o` is the row, `n` what is new.
fn changes(n: &str, o: &str) -> String {
    let last = ["answered_us", "ended_us", "language", "queue", "priority", "agent", "party", "cause"];
    let first = ["waited_ms"];
    let sums = ["talk_ms", "conference_ms"];
    let mut set: Vec<String> = last.iter().map(|c| format!("{c} = coalesce({n}.{c}, {o}.{c})")).collect();
    set.extend(first.iter().map(|c| format!("{c} = coalesce({o}.{c}, {n}.{c})")));
    set.extend(sums.iter().map(|c| format!("{c} = {o}.{c} + {n}.{c}")));
    set.push(format!("keys = substr({o}.keys || {n}.keys, 1, {KEYS_MAX})"));
    set.join(", ")
}

const CHANGING: &str = "answered_us, ended_us, language, keys, queue, priority, agent, waited_ms, talk_ms, \
                        conference_ms, party, cause";

/// All that is ever written, prepared once.
#[derive(Debug)]
struct Statements {
    facts: Bulk,
    new_calls: Bulk,
    changed_calls: Bulk,
    true_waits: Bulk,
    tellings: Bulk,
    new_offers: Bulk,
    ended_offers: Bulk,
    entries: Bulk,
    deeds: Bulk,
    promises: Bulk,
}

impl Default for Statements {
    fn default() -> Self {
        let new = format!(
            "INSERT INTO calls (id, started_us, dialled, caller, caller_name, peer, menus, {CHANGING})"
        );
        // A call that is there already keeps how it began.
        let there = format!("ON CONFLICT (id) DO UPDATE SET {}", changes("excluded", "calls"));
        let changed = format!(") UPDATE calls SET {} FROM v WHERE calls.id = v.id", changes("v", "calls"));
        Self {
            facts: Bulk::new("INSERT INTO facts (call, seq, idx, at_us, kind, body)", 6, ""),
            new_calls: Bulk::new(&new, 19, &there),
            changed_calls: Bulk::new(&format!("WITH v (id, {CHANGING}) AS ("), 13, &changed),
            true_waits: Bulk::new(
                "WITH v (call, waited) AS (",
                2,
                ") UPDATE tellings SET true_ms = v.waited FROM v WHERE tellings.call = v.call AND true_ms IS NULL",
            ),
            tellings: Bulk::new(
                "INSERT INTO tellings (call, at_us, ticket, kind, low_s, high_s, rose, waited_ms, true_ms)",
                9,
                "",
            ),
            new_offers: Bulk::new(
                "INSERT INTO offers (assignment, call, agent, queue, at_us, ended_us, outcome, why)",
                8,
                "ON CONFLICT (assignment) DO NOTHING",
            ),
            ended_offers: Bulk::new(
                "WITH v (assignment, at_us, outcome) AS (",
                3,
                ") UPDATE offers SET ended_us = v.at_us, outcome = v.outcome FROM v
                  WHERE offers.assignment = v.assignment AND offers.outcome IS NULL",
            ),
            entries: Bulk::new("INSERT INTO entries (call, entry, digits, length)", 4, ""),
            deeds: Bulk::new("INSERT INTO audit (seq, idx, at_us, who, origin, what, about, outcome)", 8, ""),
            promises: Bulk::new(
                "INSERT INTO promises (call, ticket, kind, queue, told_us, wall_us, low_s, high_s, at_entry, outcome, cause,
                 waited_ms)",
                12,
                "",
            ),
        }
    }
}

impl Statements {
    async fn write(
        &self,
        conn: &mut SqliteConnection,
        (facts, fold): (&[FactRow<'_>], &Fold<'_>),
        (seq, index): (u64, u32),
    ) -> Result<(), sqlx::Error> {
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
        self.facts.run(&mut tx, facts).await?;
        self.rows(&mut tx, fold).await?;
        sqlx::query("UPDATE cursor SET last_seq = ?, last_index = ?")
            .bind(signed(seq))
            .bind(i64::from(index))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        if fold.contradictions > 0 {
            tracing::error!(seq, facts = fold.contradictions, "facts fit no row");
        }
        Ok(())
    }

    async fn rows(&self, tx: &mut SqliteTransaction<'_>, fold: &Fold<'_>) -> Result<(), sqlx::Error> {
        self.new_calls.run(tx, &fold.new_calls()).await?;
        self.changed_calls.run(tx, &fold.changed_calls()).await?;
        // Earlier tellings first: those of this batch know already what came true.
        self.true_waits.run(tx, &fold.true_waits()).await?;
        self.tellings.run(tx, &fold.tellings()).await?;
        self.new_offers.run(tx, &fold.new_offers()).await?;
        self.ended_offers.run(tx, &fold.ended_offers()).await?;
        self.entries.run(tx, fold.entries()).await?;
        self.deeds.run(tx, fold.deeds()).await?;
        self.promises.run(tx, fold.promises()).await?;
        Ok(())
    }
}
