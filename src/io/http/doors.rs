//! The doors of HTTP: so many connections at once, and none that only stands there. Invariant: whoever opens
//! connections and says nothing, or nothing to the end, costs a bounded number of sockets for a bounded time.
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Connections at once: pages, scrapers and scripts of one operations room. The next one waits in the kernel.
const CONNECTIONS: usize = 256;
/// A connection that neither brings nor takes a byte for this long is closed. The page asks every second.
const IDLE: Duration = Duration::from_secs(20);

/// A listener that lets in a bounded number.
#[derive(Debug)]
pub(super) struct Doors {
    listener: TcpListener,
    room: Arc<Semaphore>,
}

impl Doors {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, room: Arc::new(Semaphore::new(CONNECTIONS)) }
    }
}

impl Listener for Doors {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // Never closed, so a permit comes; without one nobody would be let in at all.
        let permit = Arc::clone(&self.room).acquire_owned().await.ok();
        let (stream, from) = Listener::accept(&mut self.listener).await;
        (Visit { stream, patience: Box::pin(tokio::time::sleep(IDLE)), _permit: permit }, from)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Visit {
    stream: TcpStream,
    patience: Pin<Box<Sleep>>,
    /// Held as long as the connection lives.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Visit {
    /// Bytes moved: its time begins again. None did: whether its time is over.
    fn watch<T>(&mut self, cx: &mut Context<'_>, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            self.patience.as_mut().reset(Instant::now() + IDLE);
            return moved;
        }
        self.patience.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.watch(cx, moved)
    }
}

impl AsyncWrite for Visit {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, moved)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
