//! What people ask of the record: the last calls, and one call's whole story.
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::fold::signed;
use super::{Store, StoreError};
use crate::base::{CallId, UtcTime};
use crate::exchange::Fact;

/// Which calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Only calls with a number below this (paging towards the past).
    pub before: Option<u64>,
    /// Only calls from this number.
    pub caller: Option<String>,
    /// Only calls of this queue.
    pub queue: Option<String>,
    /// At most this many; at most 1,000.
    pub limit: u32,
}

/// One call's row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the columns of the table `calls`, explained in schema.rs")]
pub struct CallRow {
    pub id: i64,
    pub started_us: i64,
    pub answered_us: Option<i64>,
    pub ended_us: Option<i64>,
    pub dialled: String,
    pub caller: String,
    pub caller_name: String,
    pub peer: String,
    pub menus: String,
    pub language: Option<String>,
    pub keys: String,
    pub queue: Option<String>,
    pub priority: Option<i64>,
    pub agent: Option<String>,
    pub waited_ms: Option<i64>,
    pub told_low_s: Option<i64>,
    pub told_high_s: Option<i64>,
    pub talk_ms: i64,
    pub conference_ms: i64,
    pub party: Option<String>,
    pub cause: Option<String>,
}

/// A wait that was told, and what came true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TellingRow {
    pub at_us: i64,
    pub kind: String,
    pub low_s: Option<i64>,
    pub high_s: Option<i64>,
    pub rose: Option<String>,
    pub waited_ms: i64,
    pub true_ms: Option<i64>,
}

/// An offer to an agent, with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfferRow {
    pub assignment: i64,
    pub agent: String,
    pub queue: String,
    pub at_us: i64,
    pub ended_us: Option<i64>,
    pub outcome: Option<String>,
    pub why: serde_json::Value,
}

/// One fact of a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoryLine {
    pub seq: i64,
    pub at_us: i64,
    pub kind: String,
    pub body: serde_json::Value,
}

/// All that is stored of one call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallStory {
    /// Its row.
    pub call: CallRow,
    /// Waits told.
    pub tellings: Vec<TellingRow>,
    /// Offers made.
    pub offers: Vec<OfferRow>,
    /// Digits entered: name, digits (none when secret), length.
    pub entries: Vec<(String, Option<String>, i64)>,
    /// Everything, in order.
    pub facts: Vec<StoryLine>,
}

const COLUMNS: &str = "SELECT c.*,
    (SELECT low_s FROM tellings t WHERE t.call = c.id AND kind = 'wait' ORDER BY at_us LIMIT 1) AS told_low_s,
    (SELECT high_s FROM tellings t WHERE t.call = c.id AND kind = 'wait' ORDER BY at_us LIMIT 1) AS told_high_s
    FROM calls c
    WHERE (?1 IS NULL OR c.id < ?1) AND (?2 IS NULL OR c.caller = ?2) AND (?3 IS NULL OR c.queue = ?3)
      AND (?5 IS NULL OR c.id = ?5)
    ORDER BY c.id DESC LIMIT ?4";

impl Store {
    /// The last calls, newest first.
    pub async fn calls(&self, filter: &CallFilter) -> Result<Vec<CallRow>, StoreError> {
        self.call_rows(filter, None).await
    }

    /// One call's whole story; `None` when there is no such call.
    pub async fn call(&self, call: CallId) -> Result<Option<CallStory>, StoreError> {
        let one = CallFilter { limit: 1, ..CallFilter::default() };
        let Some(row) = self.call_rows(&one, Some(call)).await?.pop() else { return Ok(None) };
        let tellings = self
            .rows(
                "SELECT at_us, kind, low_s, high_s, rose, waited_ms, true_ms FROM tellings WHERE call = ? ORDER BY at_us",
                call,
                telling,
            )
            .await?;
        let offers = self
            .rows(
                "SELECT assignment, agent, queue, at_us, ended_us, outcome, why FROM offers WHERE call = ? ORDER BY assignment",
                call,
                offer,
            )
            .await?;
        let entries = self
            .rows("SELECT entry, digits, length FROM entries WHERE call = ?", call, |r| {
                Ok((r.try_get("entry")?, r.try_get("digits")?, r.try_get("length")?))
            })
            .await?;
        let facts = self
            .rows(
                "SELECT seq, at_us, kind, body FROM facts WHERE call = ? ORDER BY seq, idx",
                call,
                story_line,
            )
            .await?;
        Ok(Some(CallStory { call: row, tellings, offers, entries, facts }))
    }

    /// All facts of the calls that began from `from` up to and without `to`, call by call in their order. Facts that this
    /// version cannot read are left out.
    pub async fn facts_of_calls_begun(&self, from: UtcTime, to: UtcTime) -> Result<Vec<Fact>, StoreError> {
        let rows = sqlx::query(
            "SELECT f.body FROM calls c JOIN facts f ON f.call = c.id
             WHERE c.started_us >= ? AND c.started_us < ? ORDER BY f.call, f.seq, f.idx",
        )
        .bind(from.as_micros())
        .bind(to.as_micros())
        .try_map(|r: SqliteRow| r.try_get::<String, _>("body"))
        .fetch_all(&self.readers)
        .await
        .map_err(|e| self.error(e))?;
        Ok(rows.iter().filter_map(|body| serde_json::from_str(body).ok()).collect())
    }

    async fn call_rows(&self, filter: &CallFilter, one: Option<CallId>) -> Result<Vec<CallRow>, StoreError> {
        sqlx::query(COLUMNS)
            .bind(filter.before.map(signed))
            .bind(filter.caller.as_deref())
            .bind(filter.queue.as_deref())
            .bind(i64::from(filter.limit.clamp(1, 1_000)))
            .bind(one.map(|c| signed(c.0)))
            .try_map(|r| call_row(&r))
            .fetch_all(&self.readers)
            .await
            .map_err(|e| self.error(e))
    }

    async fn rows<T: Send + Unpin>(
        &self,
        sql: &'static str,
        call: CallId,
        read: fn(&SqliteRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        sqlx::query(sql)
            .bind(signed(call.0))
            .try_map(move |r| read(&r))
            .fetch_all(&self.readers)
            .await
            .map_err(|e| self.error(e))
    }
}

fn call_row(r: &SqliteRow) -> Result<CallRow, sqlx::Error> {
    Ok(CallRow {
        id: r.try_get("id")?,
        started_us: r.try_get("started_us")?,
        answered_us: r.try_get("answered_us")?,
        ended_us: r.try_get("ended_us")?,
        dialled: r.try_get("dialled")?,
        caller: r.try_get("caller")?,
        caller_name: r.try_get("caller_name")?,
        peer: r.try_get("peer")?,
        menus: r.try_get("menus")?,
        language: r.try_get("language")?,
        keys: r.try_get("keys")?,
        queue: r.try_get("queue")?,
        priority: r.try_get("priority")?,
        agent: r.try_get("agent")?,
        waited_ms: r.try_get("waited_ms")?,
        told_low_s: r.try_get("told_low_s")?,
        told_high_s: r.try_get("told_high_s")?,
        talk_ms: r.try_get("talk_ms")?,
        conference_ms: r.try_get("conference_ms")?,
        party: r.try_get("party")?,
        cause: r.try_get("cause")?,
    })
}

fn telling(r: &SqliteRow) -> Result<TellingRow, sqlx::Error> {
    Ok(TellingRow {
        at_us: r.try_get("at_us")?,
        kind: r.try_get("kind")?,
        low_s: r.try_get("low_s")?,
        high_s: r.try_get("high_s")?,
        rose: r.try_get("rose")?,
        waited_ms: r.try_get("waited_ms")?,
        true_ms: r.try_get("true_ms")?,
    })
}

fn offer(r: &SqliteRow) -> Result<OfferRow, sqlx::Error> {
    Ok(OfferRow {
        assignment: r.try_get("assignment")?,
        agent: r.try_get("agent")?,
        queue: r.try_get("queue")?,
        at_us: r.try_get("at_us")?,
        ended_us: r.try_get("ended_us")?,
        outcome: r.try_get("outcome")?,
        why: serde_json::from_str(r.try_get("why")?).unwrap_or_default(),
    })
}

fn story_line(r: &SqliteRow) -> Result<StoryLine, sqlx::Error> {
    Ok(StoryLine {
        seq: r.try_get("seq")?,
        at_us: r.try_get("at_us")?,
        kind: r.try_get("kind")?,
        body: serde_json::from_str(r.try_get("body")?).unwrap_or_default(),
    })
}
