//! The record in SQLite: a projection of the facts, written in batches off the call path. Invariant: what is written
//! and the number of the last fact go into one transaction, so nothing is written twice and nothing is missed.
mod audit;
mod bulk;
mod fold;
mod phones;
mod promises;
mod query;
mod schema;
mod writer;

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::sqlite::SqliteSynchronous;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};

use crate::base::CallId;
pub use audit::AuditRow;
pub(super) use phones::PhoneWriter;
pub use promises::{PromiseFilter, PromiseReport};
pub use query::{CallFilter, CallRow, CallStory};
pub use writer::Writer;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused; the message says what.
    #[error("the store {path}: {source}")]
    Sqlite {
        /// The file.
        path: String,
        /// SQLite's own error.
        source: sqlx::Error,
    },
    /// The file was written by a newer hotline.
    #[error("the store {path} has schema {found}, this hotline knows up to {known}; use a newer one")]
    TooNew {
        /// The file.
        path: String,
        /// Its number.
        found: i64,
        /// Ours.
        known: usize,
    },
    /// A value could not be written as JSON.
    #[error("a record could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl StoreError {
    /// Whether the store refuses what it was given, and will again, rather than being busy, full or away.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Sqlite { source: sqlx::Error::Database(e), .. } => {
                !matches!(e.kind(), sqlx::error::ErrorKind::Other)
            }
            Self::Sqlite { .. } => false,
            Self::TooNew { .. } | Self::Json(_) => true,
        }
    }
}

/// How long SQLite waits for a lock of another program before it says so; the writer then tries again.
const BUSY: std::time::Duration = std::time::Duration::from_millis(500);

/// An open store: one connection that writes, a few that read.
#[derive(Debug, Clone)]
pub struct Store {
    path: String,
    options: SqliteConnectOptions,
    readers: SqlitePool,
}

/// Where numbering goes on after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// The last journal number projected.
    pub last_seq: u64,
    /// The highest call number ever stored.
    pub last_call: u64,
    /// The highest assignment number ever stored.
    pub last_assignment: u64,
    /// Calls that a stop of the server cut off, closed now.
    pub closed: u64,
}

impl Store {
    /// Opens or makes the store at `path` and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let name = path.display().to_string();
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let fail = |source| StoreError::Sqlite { path: name.clone(), source };
        let mut writer = options.connect().await.map_err(fail)?;
        migrate(&mut writer, &name).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(2)
            .connect_with(options.clone().read_only(true))
            .await
            .map_err(fail)?;
        Ok(Self { path: name, options, readers })
    }

    /// Opens a store that is there, to read it alone: nothing is made, and its schema stays as it is.
    pub async fn look(path: &Path) -> Result<Self, StoreError> {
        let name = path.display().to_string();
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .read_only(true)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let readers = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await;
        let readers = readers.map_err(|source| StoreError::Sqlite { path: name.clone(), source })?;
        Ok(Self { path: name, options, readers })
    }

    /// Closes calls that a stop cut off (cause `server_restart`), but for those that the journal will close, and says
    /// where numbering goes on.
    pub async fn resume(&self, but: &BTreeSet<CallId>) -> Result<Resume, StoreError> {
        let mut conn = self.writer_connection().await?;
        let closed = sqlx::query(
            "UPDATE calls SET cause = 'server_restart', ended_us = max(started_us, coalesce(
                 (SELECT max(at_us) FROM facts WHERE facts.call = calls.id), started_us))
             WHERE ended_us IS NULL AND id NOT IN (SELECT value FROM json_each(?))",
        )
        .bind(serde_json::to_string(but)?)
        .execute(&mut conn)
        .await
        .map_err(|e| self.error(e))?
        .rows_affected();
        let row = sqlx::query(
            "SELECT (SELECT last_seq FROM cursor), (SELECT coalesce(max(id), 0) FROM calls),
                    (SELECT coalesce(max(assignment), 0) FROM offers)",
        )
        .fetch_one(&mut conn)
        .await
        .map_err(|e| self.error(e))?;
        let number = |i: usize| row.try_get::<i64, _>(i).map_or(0, |n| u64::try_from(n).unwrap_or(0));
        Ok(Resume { last_seq: number(0), last_call: number(1), last_assignment: number(2), closed })
    }

    async fn writer_connection(&self) -> Result<SqliteConnection, StoreError> {
        self.options.connect().await.map_err(|e| self.error(e))
    }

    fn error(&self, source: sqlx::Error) -> StoreError {
        StoreError::Sqlite { path: self.path.clone(), source }
    }
}

async fn migrate(conn: &mut SqliteConnection, path: &str) -> Result<(), StoreError> {
    let fail = |source| StoreError::Sqlite { path: path.to_owned(), source };
    let row = sqlx::query("PRAGMA user_version").fetch_one(&mut *conn).await.map_err(fail)?;
    let found: i64 = row.try_get(0).map_err(fail)?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    if done > schema::STEPS.len() {
        return Err(StoreError::TooNew { path: path.to_owned(), found, known: schema::STEPS.len() });
    }
    for step in schema::STEPS.iter().skip(done) {
        let mut tx = conn.begin().await.map_err(fail)?;
        tx.execute(sqlx::raw_sql(*step)).await.map_err(fail)?;
        tx.commit().await.map_err(fail)?;
    }
    Ok(())
}
