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

use crate::io::net::{Share, Shares};

/// Connections at once: pages, scrapers and scripts of one operations room. The next one waits in the kernel.
const CONNECTIONS: usize = 256;
/// Most of them from one address; an address of our own is excepted.
const CONNECTIONS_OF_ONE: usize = 64;
/// An answer that makes less way than this within the patience is not being read.
const PROGRESS: usize = 16 * 1024;

/// A listener that lets in a bounded number.
#[derive(Debug)]
pub(super) struct Doors {
    listener: TcpListener,
    room: Arc<Semaphore>,
    shares: Shares,
    patience: Duration,
}

impl Doors {
    /// A connection that rests, or that takes longer than `patience` for a question or for a piece of its answer, is
    /// closed. The page asks every second.
    pub(super) fn new(listener: TcpListener, patience: Duration) -> Self {
        Self { listener, room: Arc::new(Semaphore::new(CONNECTIONS)), shares: Shares::default(), patience }
    }
}

impl Listener for Doors {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            // Never closed, so a permit comes; without one nobody would be let in at all.
            let permit = Arc::clone(&self.room).acquire_owned().await.ok();
            let (stream, from) = Listener::accept(&mut self.listener).await;
            let own = stream.local_addr().is_ok_and(|local| local.ip() == from.ip());
            let most = if own { usize::MAX } else { CONNECTIONS_OF_ONE };
            let Some(share) = self.shares.take(from.ip(), most) else { continue };
            let end = Box::pin(tokio::time::sleep(self.patience));
            let visit =
                Visit { stream, end, patience: self.patience, turn: Turn::Asks, _places: (permit, share) };
            return (visit, from);
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The visitor asks, or rests. However many bytes a question comes in, its time does not begin again.
    Asks,
    /// We answer; so many bytes of it went out since its time began.
    Answered(usize),
}

/// One connection.
#[derive(Debug)]
pub(super) struct Visit {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    patience: Duration,
    turn: Turn,
    /// Held as long as the connection lives.
    _places: (Option<OwnedSemaphorePermit>, Share),
}

impl Visit {
    fn begin(&mut self, turn: Turn) {
        self.turn = turn;
        self.end.as_mut().reset(Instant::now() + self.patience);
    }

    /// Bytes came in: a new question, or more of the same.
    fn asked(&mut self) {
        if self.turn != Turn::Asks {
            self.begin(Turn::Asks);
        }
    }

    /// Bytes went out: the answer begins, or it makes way.
    fn answered(&mut self, n: usize) {
        match self.turn {
            Turn::Asks => self.begin(Turn::Answered(0)),
            Turn::Answered(before) if before + n >= PROGRESS => self.begin(Turn::Answered(0)),
            Turn::Answered(before) => self.turn = Turn::Answered(before + n),
        }
    }

    /// Whether its time is over.
    fn late<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.end.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(read) => {
                self.asked();
                // A question that trickles in is ready all the time: its end is looked at all the same.
                match self.late(cx) {
                    Poll::Ready(late) => Poll::Ready(late),
                    Poll::Pending => Poll::Ready(read),
                }
            }
            Poll::Pending => self.late(cx),
        }
    }
}

impl AsyncWrite for Visit {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Ready(written) => {
                self.answered(written.as_ref().map_or(0, |n| *n));
                Poll::Ready(written)
            }
            Poll::Pending => self.late(cx),
        }
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
