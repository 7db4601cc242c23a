//! How many calls find their sockets: each leg has one for RTP and mostly one for RTCP, the system's usual soft limit of
//! 1,024 open files is used up by a few hundred calls, and the RTP range has an end too. Invariant: the limit of files is
//! only ever raised, never above what the system allows; what is kept for the house is never given to calls.
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A leg's sockets: RTP, and RTCP where it was not agreed to share RTP's.
const OF_ONE_LEG: u64 = 2;
/// The reserve: ports bound ahead and at rest, listeners, the store, pages and commands.
const OF_THE_HOUSE: u64 = 512;
/// The limit that is believed where the system does not tell.
const UNKNOWN: u64 = 1_024;

/// What there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Calls at once. Beyond: 503 with Retry-After.
    pub calls: usize,
    /// The limit of open files.
    pub files: u64,
    /// RTP ports.
    pub ports: u64,
    /// Connections of phones and trunks at once. Beyond: closed at once.
    pub connections: usize,
}

/// What needs files beside calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    /// RTP ports, one for each leg.
    pub ports: u64,
    /// Connections of phones and trunks over TCP and TLS.
    pub connections: u64,
    /// Agents: each may have a leg of his own and one of a third party.
    pub agents: u64,
}

impl Capacity {
    /// What `files` and `needs` leave for calls, at most `wanted`.
    fn of(files: u64, needs: Needs, wanted: usize) -> Self {
        let free = files.saturating_sub(OF_THE_HOUSE);
        // Where there are few, connections leave most of them to calls.
        let connections = needs.connections.min(free / 4);
        let by_files = free.saturating_sub(connections) / OF_ONE_LEG;
        let legs = by_files.min(needs.ports);
        // Callers may fill what agents will not need; with many agents and little room, half.
        let calls = legs - needs.agents.saturating_mul(2).min(legs / 2);
        let calls = usize::try_from(calls).unwrap_or(usize::MAX).min(wanted);
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        Self { calls, files, ports: needs.ports, connections }
    }
}

/// Raises the limit of open files as far as the system lets us; what there is room for then. Says so when that is less
/// than `wanted` calls.
pub(super) fn make_room(needs: Needs, wanted: usize) -> Capacity {
    let room = Capacity::of(raise_limit(), needs, wanted);
    let Capacity { calls, files, ports, connections } = room;
    let agents = needs.agents.saturating_mul(2);
    let legs = u64::try_from(calls).unwrap_or(u64::MAX).saturating_add(agents).min(ports);
    widen(OF_THE_HOUSE + OF_ONE_LEG * legs + u64::try_from(connections).unwrap_or(u64::MAX), files);
    if calls < wanted {
        tracing::warn!(
            files,
            ports,
            calls,
            wanted,
            "room for fewer calls than [limits] calls: raise the limit of open files (ulimit -Hn, LimitNOFILE=) or widen [rtp]"
        );
    }
    room
}

/// Makes the process's table of open files as large as calls may need while nothing runs: each time that it doubles,
/// whoever opens a file waits until all cores have seen the new one, which the thread of sound must never do.
fn widen(wanted: u64, files: u64) {
    let last = wanted.min(files).saturating_sub(1);
    let Ok(last) = i32::try_from(last) else { return };
    match rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), last) {
        // Closed at once; the table stays as large.
        Ok(duplicate) => drop(duplicate),
        Err(e) => tracing::debug!(error = %e, last, "the table of open files grows as calls come"),
    }
}

fn raise_limit() -> u64 {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(e) => {
            tracing::warn!(error = %e, "the limit of open files cannot be read");
            return UNKNOWN;
        }
    };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(e) => {
            tracing::warn!(error = %e, soft, hard, "the limit of open files cannot be raised");
            soft
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDS: Needs = Needs { ports: 8_192, connections: 2_000, agents: 100 };

    #[test]
    fn the_limit_rises_to_what_the_system_allows() {
        make_room(NEEDS, 1);
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
    }

    #[test]
    fn the_table_of_files_has_room_for_all_calls_before_the_first() {
        let room = make_room(NEEDS, 3_000);
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("FDSize:")?.trim().parse::<u64>().ok());
        let legs = 3_000 + 2 * NEEDS.agents;
        let wanted = OF_THE_HOUSE + OF_ONE_LEG * legs + NEEDS.connections;
        assert!(size.unwrap() >= wanted.min(room.files), "{size:?} of {wanted}");
    }

    #[test]
    fn calls_have_what_files_ports_and_agents_leave() {
        let calls = |files, needs, wanted| Capacity::of(files, needs, wanted).calls;
        assert_eq!(calls(1_024, Needs { connections: 0, ..NEEDS }, 10_000), 128, "files");
        assert_eq!(calls(512, NEEDS, 10_000), 0, "nothing of the reserve");
        let few = Capacity::of(1_024, NEEDS, 10_000);
        assert_eq!((few.connections, few.calls), (128, 96), "connections leave most to calls");
        assert_eq!(Capacity::of(1_000_000, NEEDS, 10_000).connections, 2_000);
        assert_eq!(calls(1_000_000, NEEDS, 10_000), 7_992, "ports");
        assert_eq!(calls(1_000_000, Needs { agents: 5_000, ..NEEDS }, 10_000), 4_096, "agents, at most half");
        assert_eq!(calls(1_000_000, NEEDS, 3_000), 3_000, "what was wanted");
    }
}
