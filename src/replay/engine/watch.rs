//! The server's process, seen from outside: CPU time, memory, open files, what the kernel dropped at its ports.
use std::fs;
use std::net::Ipv4Addr;

/// What a process has used so far, and what it holds.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::replay) struct Usage {
    /// User and system time of all its threads, in nanoseconds.
    pub(in crate::replay) cpu_ns: u64,
    /// User time alone, in microseconds, as far as the kernel splits it.
    pub(in crate::replay) user_us: u64,
    /// Resident memory, in bytes.
    pub(in crate::replay) rss: u64,
    /// Open files.
    pub(in crate::replay) files: u64,
}

/// Reads a process's figures; zeros for what cannot be read.
pub(in crate::replay) fn usage(pid: u32) -> Usage {
    let text = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let cpu_ns = tasks.into_iter().flatten().flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    let stat = text("stat");
    // The fields after the name in brackets, which may hold anything; the user time is the 14th of the line.
    let user = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(11)?.parse::<u64>().ok());
    let pages = text("statm").split(' ').nth(1).and_then(|n| n.parse::<u64>().ok());
    Usage {
        cpu_ns: cpu_ns.sum(),
        user_us: user.unwrap_or(0) * 10_000,
        rss: pages.unwrap_or(0) * 4_096,
        files: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |d| d.count() as u64),
    }
}

/// Datagrams that the kernel dropped so far at UDP sockets bound to `at` whose port `wanted` holds for.
pub(in crate::replay) fn drops(at: Ipv4Addr, wanted: impl Fn(u16) -> bool) -> u64 {
    let table = fs::read_to_string("/proc/net/udp").unwrap_or_default();
    let ours = u32::from_le_bytes(at.octets());
    let of_line = |line: &str| -> Option<u64> {
        let mut fields = line.split_whitespace();
        let (address, port) = fields.nth(1)?.split_once(':')?;
        let address = u32::from_str_radix(address, 16).ok()?;
        let port = u16::from_str_radix(port, 16).ok()?;
        ((address == ours || address == 0) && wanted(port)).then_some(())?;
        line.split_whitespace().last()?.parse().ok()
    };
    table.lines().skip(1).filter_map(of_line).sum()
}
