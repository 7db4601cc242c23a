//! Who changed what, as people ask for it. The rows follow from the facts, as everything here does.
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError};

/// Most rows in one answer.
const ROWS_MAX: u32 = 1_000;

/// One row of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the columns of the table `audit`, explained in schema.rs")]
pub struct AuditRow {
    pub seq: i64,
    pub at_us: i64,
    pub who: String,
    pub from: String,
    pub what: String,
    pub about: String,
    pub outcome: String,
}

impl Store {
    /// The last `limit` deeds, newest first; only those before the journal number `before`, if one is given.
    pub async fn audit(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        sqlx::query("SELECT * FROM audit WHERE ?1 IS NULL OR seq < ?1 ORDER BY seq DESC, idx DESC LIMIT ?2")
            .bind(before)
            .bind(i64::from(limit.clamp(1, ROWS_MAX)))
            .try_map(|r: SqliteRow| {
                Ok(AuditRow {
                    seq: r.try_get("seq")?,
                    at_us: r.try_get("at_us")?,
                    who: r.try_get("who")?,
                    from: r.try_get("origin")?,
                    what: r.try_get("what")?,
                    about: r.try_get("about")?,
                    outcome: r.try_get("outcome")?,
                })
            })
            .fetch_all(&self.readers)
            .await
            .map_err(|e| self.error(e))
    }
}
