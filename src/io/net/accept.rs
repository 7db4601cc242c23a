//! Who comes in: accepts connections up to the limits, all and of one address, and shakes hands where the listener is
//! TLS. Invariant: what is not let in costs no task, and a handshake that does not end is ended.
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::line::{Line, Places};
use super::{Accepted, ConnectionLimits, NetEvent, NetFigures, WAITING_WRITES, Writer, sockets};
use crate::io::tls::Tls;
use crate::sip::{ConnId, ListenerId};

/// Rest after a failed accept: out of files, mostly; the system gets a moment.
const REST: Duration = Duration::from_millis(100);

/// What every listener and every outgoing connection shares.
#[derive(Clone, Debug)]
pub(super) struct House {
    pub(super) events: mpsc::Sender<NetEvent>,
    pub(super) numbers: Arc<AtomicU64>,
    pub(super) room: Arc<Semaphore>,
    pub(super) shares: Shares,
    pub(super) figures: Arc<NetFigures>,
    pub(super) limits: Arc<ConnectionLimits>,
    pub(super) accepted: mpsc::UnboundedSender<Accepted>,
}

impl House {
    pub(super) fn number(&self, listener: ListenerId) -> ConnId {
        ConnId::of(listener, self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// A place among all, or a refusal that is counted.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.room).try_acquire_owned().ok();
        if place.is_none() {
            self.figures.connections_refused.fetch_add(1, Ordering::Relaxed);
        }
        place
    }
}

/// One listener of streams.
pub(super) struct Acceptor {
    pub(super) id: ListenerId,
    pub(super) house: House,
    pub(super) tls: Option<Tls>,
}

impl Acceptor {
    pub(super) async fn run(self, listener: std::net::TcpListener) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(e) => {
                tracing::error!(error = %e, "a SIP listener cannot be watched");
                return;
            }
        };
        loop {
            let (stream, remote) = match listener.accept().await {
                Ok(pair) => pair,
                Err(e) => {
                    tracing::warn!(error = %e, "TCP accept");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            let own = stream.local_addr().is_ok_and(|local| local.ip() == remote.ip());
            let most = if own { usize::MAX } else { self.house.limits.of_one };
            let Some(share) = self.house.shares.take(remote.ip(), most) else {
                self.house.figures.connections_of_one_refused.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let Some(permit) = self.house.place() else { continue };
            sockets::prepare(&stream, &self.house.limits);
            self.let_in(stream, remote, (permit, Some(share)));
        }
    }

    fn let_in(&self, stream: TcpStream, remote: SocketAddr, places: Places) {
        let (id, house) = (self.id, self.house.clone());
        match self.tls.clone() {
            None => drop(tokio::spawn(begin(house, id, remote, places, stream))),
            Some(tls) => drop(tokio::spawn(async move {
                match tls.accept(stream, house.limits.handshake).await {
                    Ok(stream) => begin(house, id, remote, places, stream).await,
                    Err(e) => {
                        house.figures.handshake_failures.fetch_add(1, Ordering::Relaxed);
                        tracing::debug!(%remote, error = %e, "a TLS handshake failed");
                    }
                }
            })),
        }
    }
}

/// An accepted connection becomes a line.
async fn begin<S>(house: House, listener: ListenerId, remote: SocketAddr, places: Places, stream: S)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send,
{
    let conn = house.number(listener);
    let (bytes, writes) = mpsc::channel(WAITING_WRITES);
    let writer = Writer { listener, remote, bytes };
    // Bounded by the places: one accepted connection, one message.
    if house.accepted.send(Accepted { conn, writer }).is_err() {
        return;
    }
    Line { conn, listener, remote, house, places }.run(stream, writes).await;
}

/// How many accepted connections each address has.
#[derive(Clone, Debug, Default)]
pub(in crate::io) struct Shares(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

impl Shares {
    /// A place for one more from `ip`, which may have `most`; `None`: it has its share.
    pub(in crate::io) fn take(&self, ip: IpAddr, most: usize) -> Option<Share> {
        let ip = ip.to_canonical();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = all.get(&ip).copied().unwrap_or(0);
        if taken >= most {
            return None;
        }
        all.insert(ip, taken + 1);
        Some(Share { ip, of: self.clone() })
    }
}

/// One connection's place; dropping it gives it back.
#[derive(Debug)]
pub(in crate::io) struct Share {
    ip: IpAddr,
    of: Shares,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut all = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = all.get(&self.ip).map_or(0, |n| n.saturating_sub(1));
        if left == 0 {
            all.remove(&self.ip);
        } else {
            all.insert(self.ip, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_its_share_of_connections_and_leaves_nothing_behind() {
        const MOST: usize = 64;
        let shares = Shares::default();
        let far: IpAddr = [192, 0, 2, 7].into();
        let mut held: Vec<Share> = (0..MOST).filter_map(|_| shares.take(far, MOST)).collect();
        assert_eq!(held.len(), MOST);
        assert!(shares.take(far, MOST).is_none());
        let other = shares.take([192, 0, 2, 8].into(), MOST);
        assert!(other.is_some());
        held.pop();
        held.extend(shares.take(far, MOST));
        assert_eq!(held.len(), MOST, "a place given back is free again");
        drop((held, other));
        assert!(shares.0.lock().unwrap().is_empty(), "nothing is kept of those who left");
    }
}
