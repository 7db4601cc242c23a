//! One connection's life, plain or TLS: bytes in become events, bytes out are written in their order.
//!
//! Invariant: what was read and not yet handled is bounded for each connection, so that one that talks without end
//! costs a known amount of memory and is slowed by TCP itself.
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::NetEvent;
use super::accept::{House, Share};
use crate::sip::{ConnId, ListenerId};

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;
/// Chunks of one connection that may wait for the control loop.
const CHUNKS_WAITING: usize = 8;
/// A write must make way within this time.
const WRITE: Duration = Duration::from_secs(10);

/// Places held: among all connections, and among those of its address.
pub(super) type Places = (OwnedSemaphorePermit, Option<Share>);

/// One connection.
pub(super) struct Line {
    pub(super) conn: ConnId,
    pub(super) listener: ListenerId,
    pub(super) remote: SocketAddr,
    pub(super) house: House,
    pub(super) places: Places,
}

impl Line {
    pub(super) async fn run<S>(self, stream: S, writes: mpsc::Receiver<Vec<u8>>)
    where
        S: AsyncRead + AsyncWrite + Send,
    {
        let Self { conn, listener, remote, house, places } = self;
        let events = house.events.clone();
        if events.send(NetEvent::Opened { conn, listener, remote }).await.is_err() {
            return;
        }
        let end = carry(conn, &house, stream, writes).await;
        if let Err(e) = end {
            if e.kind() == io::ErrorKind::TimedOut {
                house.figures.connections_vanished.fetch_add(1, Ordering::Relaxed);
            }
            tracing::debug!(%remote, error = %e, "a connection ended");
        }
        drop(places);
        // The control loop is gone when nobody hears this.
        events.send(NetEvent::Closed { conn }).await.ok();
    }
}

/// Until either side ends it, or nothing came for too long.
async fn carry<S>(
    conn: ConnId,
    house: &House,
    stream: S,
    mut writes: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send,
{
    let (mut reads, mut sink) = tokio::io::split(stream);
    let room = Arc::new(Semaphore::new(CHUNKS_WAITING));
    let mut buffer = vec![0; CHUNK];
    let idle = house.limits.idle;
    let patience = tokio::time::sleep(idle);
    tokio::pin!(patience);
    loop {
        tokio::select! {
            place = next_bytes(&room, &mut reads, &mut buffer) => {
                let (n, place) = place?;
                if n == 0 {
                    break;
                }
                patience.as_mut().reset(tokio::time::Instant::now() + idle);
                let bytes = buffer.get(..n).unwrap_or_default().to_vec();
                if house.events.send(NetEvent::Bytes { conn, bytes, place }).await.is_err() {
                    break;
                }
            }
            write = writes.recv() => match write {
                Some(bytes) => tokio::time::timeout(WRITE, put(&mut sink, &bytes)).await.map_err(io::Error::from)??,
                None => break,
            },
            () = &mut patience => break,
        }
    }
    // A TLS peer is told (close_notify); whoever does not take it is not waited for.
    tokio::time::timeout(Duration::from_secs(1), sink.shutdown()).await.ok();
    Ok(())
}

async fn put(sink: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    sink.write_all(bytes).await?;
    sink.flush().await
}

/// Reads as soon as there is room for what is read.
async fn next_bytes(
    room: &Arc<Semaphore>,
    reads: &mut (impl AsyncRead + Unpin),
    buffer: &mut [u8],
) -> io::Result<(usize, Option<OwnedSemaphorePermit>)> {
    // Never closed: there is always a place, sooner or later.
    let place = Arc::clone(room).acquire_owned().await.ok();
    Ok((reads.read(buffer).await?, place))
}
