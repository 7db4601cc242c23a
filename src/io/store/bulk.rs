//! Many rows in one statement: a statement is a hop to SQLite's thread and back, which costs more than a row.
use std::sync::Arc;

use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteTransaction};
use sqlx::{AssertSqlSafe, query::Query};

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'v> {
    Null,
    Int(i64),
    Text(&'v str),
    Owned(String),
}

impl From<i64> for Value<'_> {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Owned(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Rows in one statement, the most first: few sizes, so that each is prepared once.
const SIZES: [usize; 3] = [64, 8, 1];

/// A statement of `before VALUES (?, ..), (?, ..) after`, for any number of rows.
#[derive(Debug)]
pub(super) struct Bulk {
    columns: usize,
    sql: [Arc<str>; SIZES.len()],
}

impl Bulk {
    /// `before` and `after` are ours: no text from outside is ever in them.
    pub(super) fn new(before: &str, columns: usize, after: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        let sql =
            |rows: usize| format!("{before} VALUES {} {after}", vec![row.as_str(); rows].join(",")).into();
        Self { columns, sql: SIZES.map(sql) }
    }

    /// Runs it for these rows; how many rows of tables it changed.
    pub(super) async fn run<const N: usize>(
        &self,
        tx: &mut SqliteTransaction<'_>,
        rows: &[[Value<'_>; N]],
    ) -> Result<u64, sqlx::Error> {
        debug_assert_eq!(self.columns, N, "a row has another shape than its statement");
        let (mut rest, mut changed) = (rows, 0);
        for (size, sql) in SIZES.into_iter().zip(&self.sql) {
            while let Some((some, after)) = rest.split_at_checked(size) {
                let mut query = sqlx::query(AssertSqlSafe(Arc::clone(sql)));
                for value in some.iter().flatten() {
                    query = bind(query, value);
                }
                changed += query.execute(&mut **tx).await?.rows_affected();
                rest = after;
            }
        }
        Ok(changed)
    }
}

type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

fn bind<'q>(query: Bound<'q>, value: &Value<'_>) -> Bound<'q> {
    match value {
        Value::Null => query.bind(None::<i64>),
        Value::Int(n) => query.bind(*n),
        Value::Text(text) => query.bind((*text).to_owned()),
        Value::Owned(text) => query.bind(text.clone()),
    }
}
