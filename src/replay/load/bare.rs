//! A bare sender on a clock of 20 ms, and the tool's own spacing measured by it: what machine and kernel do to a packet
//! that no server touched. The server's spacing is read beside it.
use std::io;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

use super::ear::FRAME_NS;
use crate::replay::engine::nanoseconds;
use crate::rtp::Header;

/// The sender's thread; ends when dropped.
#[derive(Debug)]
pub(super) struct BareSender {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl BareSender {
    /// Sends a packet of 172 bytes to `to` each 20 ms.
    pub(super) fn start(from: SocketAddrV4, to: SocketAddrV4) -> io::Result<(Self, SocketAddrV4)> {
        let socket = UdpSocket::bind(from)?;
        let SocketAddr::V4(local) = socket.local_addr()? else {
            return Err(io::Error::other("not an address of IPv4"));
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("bare".to_owned()).spawn(move || {
            // An error ends the sender; its figures then show that nothing was measured.
            run(&socket, to, &stopped).ok();
        })?;
        Ok((Self { stop, thread: Some(thread) }, local))
    }
}

fn run(socket: &UdpSocket, to: SocketAddrV4, stop: &AtomicBool) -> io::Result<()> {
    let mut next = nanoseconds(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
    let mut sequence = 0_u16;
    while !stop.load(Ordering::Relaxed) {
        let header = Header {
            payload_type: 8,
            marker: false,
            sequence,
            timestamp: u32::from(sequence).wrapping_mul(160),
            ssrc: 1,
        };
        let mut packet = [0; 172];
        if let Some(length) = header.write(&[0xD5; 160], &mut packet) {
            socket.send_to(packet.get(..length).unwrap_or_default(), to)?;
        }
        sequence = sequence.wrapping_add(1);
        next += FRAME_NS;
        let parts = |ns: u64| (i64::try_from(ns / 1_000_000_000), i64::try_from(ns % 1_000_000_000));
        if let (Ok(seconds), Ok(rest)) = parts(next) {
            clock_nanosleep(
                ClockId::CLOCK_MONOTONIC,
                ClockNanosleepFlags::TIMER_ABSTIME,
                &TimeSpec::new(seconds, rest),
            )
            .map_err(io::Error::from)?;
        }
    }
    Ok(())
}

impl Drop for BareSender {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It only sends; how it ended says nothing.
            thread.join().ok();
        }
    }
}
