//! Registered phones, kept over a restart: their agents can be rung before they register again. Invariant: a row
//! says what the registrar's last answer to its agent said.
use std::net::SocketAddr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection as _, Row as _};

use super::{Store, StoreError};
use crate::base::UtcTime;
use crate::sip::{Destination, ListenerId, StoredBinding};

impl Store {
    /// The registrations that still hold.
    pub(crate) async fn phones(&self, now: UtcTime) -> Result<Vec<StoredBinding>, StoreError> {
        let rows = sqlx::query(
            "SELECT agent, uri, stream, listener, address, expires_us - ? AS left_us, sip_call_id, cseq
             FROM bindings WHERE left_us > 0 ORDER BY expires_us",
        )
        .bind(now.as_micros())
        .try_map(|row| stored(&row))
        .fetch_all(&self.readers)
        .await
        .map_err(|e| self.error(e))?;
        Ok(rows.into_iter().flatten().collect())
    }
}

/// A connection of its own: a phone that registers never waits for calls to be written.
#[derive(Debug)]
pub(crate) struct PhoneWriter {
    store: Store,
    conn: SqliteConnection,
}

impl PhoneWriter {
    /// Opens the connection.
    pub(crate) async fn open(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { store: store.clone(), conn: store.writer_connection().await? })
    }

    /// These and no others are where `agent` is reached.
    pub(crate) async fn write(
        &mut self,
        now: UtcTime,
        agent: &str,
        bindings: &[StoredBinding],
    ) -> Result<(), StoreError> {
        self.try_write(now, agent, bindings).await.map_err(|e| self.store.error(e))
    }

    async fn try_write(
        &mut self,
        now: UtcTime,
        agent: &str,
        bindings: &[StoredBinding],
    ) -> Result<(), sqlx::Error> {
        let mut tx = self.conn.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM bindings WHERE agent = ?").bind(agent).execute(&mut *tx).await?;
        for binding in bindings {
            let Some((stream, listener, to)) = place(binding.to) else { continue };
            let left_us = i64::try_from(binding.remaining.as_micros()).unwrap_or(i64::MAX);
            sqlx::query("INSERT OR REPLACE INTO bindings VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
                .bind(agent)
                .bind(&binding.uri)
                .bind(stream)
                .bind(i64::from(listener.0))
                .bind(to.to_string())
                .bind(now.as_micros().saturating_add(left_us))
                .bind(&binding.sip_call_id)
                .bind(i64::from(binding.cseq))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await
    }
}

/// Over a stream, from which listener, to whom; `None` for a connection that has no address to connect to.
const fn place(to: Destination) -> Option<(bool, ListenerId, SocketAddr)> {
    match to {
        Destination::Datagram { listener, to } => Some((false, listener, to)),
        Destination::Connect { listener, to } => Some((true, listener, to)),
        Destination::Stream { .. } => None,
    }
}

/// A row that this program did not write is passed over.
fn stored(r: &SqliteRow) -> Result<Option<StoredBinding>, sqlx::Error> {
    let listener = u8::try_from(r.try_get::<i64, _>("listener")?).map(ListenerId);
    let address = r.try_get::<&str, _>("address")?.parse::<SocketAddr>();
    let (Ok(listener), Ok(to)) = (listener, address) else { return Ok(None) };
    let left_us = u64::try_from(r.try_get::<i64, _>("left_us")?).unwrap_or(0);
    let stream: bool = r.try_get("stream")?;
    Ok(Some(StoredBinding {
        user: r.try_get("agent")?,
        uri: r.try_get("uri")?,
        to: if stream {
            Destination::Connect { listener, to }
        } else {
            Destination::Datagram { listener, to }
        },
        remaining: Duration::from_micros(left_us),
        sip_call_id: r.try_get("sip_call_id")?,
        cseq: u32::try_from(r.try_get::<i64, _>("cseq")?).unwrap_or(0),
    }))
}
