//! The thread on which handshakes are made and TLS connections live, and which looks at the certificate's files: every
//! few seconds, and at once on SIGHUP. Invariant: neither the files nor a flood of handshakes makes a call wait.
use std::future::Future;
use std::io;
use std::sync::atomic::Ordering;

use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use super::{Look, Tls};
use crate::io::clock::Clock;

/// The thread, seen from outside. Dropping it ends the thread, and every TLS connection with it.
#[derive(Debug)]
pub(in crate::io) struct TlsThread {
    tls: Tls,
    handle: Handle,
    _stop: oneshot::Sender<()>,
}

impl TlsThread {
    /// Starts it.
    pub(in crate::io) fn start(tls: Tls) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let watched = tls.clone();
        std::thread::Builder::new().name("tls".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = watch(watched) => {}
                    // Told, or whoever could tell is gone.
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { tls, handle, _stop: stop })
    }

    /// Runs something there.
    pub(in crate::io) fn spawn(&self, what: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(what));
    }

    /// What it speaks.
    pub(in crate::io) const fn tls(&self) -> &Tls {
        &self.tls
    }
}

/// Looks at the files for ever.
async fn watch(tls: Tls) {
    let clock = Clock::start();
    let mut ticks = interval(tls.check_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hangup = signal(SignalKind::hangup())
        .inspect_err(
            |e| tracing::warn!(error = %e, "SIGHUP cannot be watched; files are looked at all the same"),
        )
        .ok();
    loop {
        let told = tokio::select! {
            _ = ticks.tick() => false,
            Some(()) = async { hangup.as_mut()?.recv().await } => true,
        };
        match tls.look(clock.now().utc, told) {
            Ok(Look::Same) if told => tracing::info!("the certificate's files hold what we have"),
            Ok(Look::Same) => {}
            Ok(Look::New) => {
                tls.figures.reloads.fetch_add(1, Ordering::Relaxed);
                tracing::info!("a new certificate is shown from now on; connections that stand go on");
            }
            Err(e) => {
                tls.figures.reloads_failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!(error = %e, "the new certificate cannot be used; the old one is kept");
            }
        }
    }
}
