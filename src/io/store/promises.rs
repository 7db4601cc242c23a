//! What people ask of promises: what became of them, by queue and half-hour of the line's clock.
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError};
use crate::exchange::PromiseFigures;

/// Which promises, by when they were made: moments by the line's clock, in seconds since its 1970. Without both: those of
/// the last day on which anything was promised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseFilter {
    /// From then on.
    pub from_s: Option<i64>,
    /// Before then.
    pub to_s: Option<i64>,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseReport {
    /// The first and the last day on which any of them was made, `2026-11-11`, by the line's clock; `None`: there is none.
    pub days: Option<(String, String)>,
    /// By queue and half-hour.
    pub figures: Vec<PromiseFigures>,
}

const HALF_HOUR_US: i64 = 1_800_000_000;

impl Store {
    /// What became of promises.
    pub async fn promises(&self, filter: &PromiseFilter) -> Result<PromiseReport, StoreError> {
        let (from, to) = match (filter.from_s, filter.to_s) {
            (None, None) => self.last_day().await?,
            (from, to) => (from.unwrap_or(i64::MIN / 1_000_000), to.unwrap_or(i64::MAX / 1_000_000)),
        };
        let (from, to) = (from.saturating_mul(1_000_000), to.saturating_mul(1_000_000));
        let days = sqlx::query(
            "SELECT date(min(wall_us) / 1000000, 'unixepoch') AS first, date(max(wall_us) / 1000000, 'unixepoch') AS last
             FROM promises WHERE wall_us >= ? AND wall_us < ?",
        )
        .bind(from)
        .bind(to)
        .try_map(|r: SqliteRow| {
            let (first, last): (Option<String>, Option<String>) = (r.try_get("first")?, r.try_get("last")?);
            Ok(first.zip(last))
        })
        .fetch_one(&self.readers)
        .await
        .map_err(|e| self.error(e))?;
        let figures = sqlx::query(
            "SELECT queue, (wall_us / ?3) % 48 AS half_hour, sum(outcome = 'kept') AS kept, sum(outcome = 'late') AS late,
                    sum(outcome = 'broken') AS broken, sum(outcome = 'kept' AND waited_ms < 1000 * low_s) AS sooner
             FROM promises WHERE wall_us >= ?1 AND wall_us < ?2 GROUP BY 1, 2 ORDER BY 1, 2",
        )
        .bind(from)
        .bind(to)
        .bind(HALF_HOUR_US)
        .try_map(|r| figures(&r))
        .fetch_all(&self.readers)
        .await
        .map_err(|e| self.error(e))?;
        Ok(PromiseReport { days, figures })
    }

    /// The last day on which anything was promised.
    async fn last_day(&self) -> Result<(i64, i64), StoreError> {
        let row = sqlx::query("SELECT coalesce(max(wall_us), 0) FROM promises")
            .fetch_one(&self.readers)
            .await
            .map_err(|e| self.error(e))?;
        let last: i64 = row.try_get(0).map_err(|e| self.error(e))?;
        let day = (last / 1_000_000).div_euclid(86_400);
        Ok((day * 86_400, (day + 1) * 86_400))
    }
}

fn figures(r: &SqliteRow) -> Result<PromiseFigures, sqlx::Error> {
    let number = |column: &str| r.try_get::<i64, _>(column).map(|n| u64::try_from(n).unwrap_or(0));
    let queue: String = r.try_get("queue")?;
    let half_hour = u8::try_from(number("half_hour")?).unwrap_or(0);
    let empty = PromiseFigures::new(queue.as_str().into(), half_hour);
    let (kept, sooner) = (number("kept")?, number("sooner")?);
    Ok(PromiseFigures { kept, sooner, late: number("late")?, broken: number("broken")?, ..empty })
}
