//! File descriptors: a call's sound has two sockets for each of its legs, and the system's usual soft limit of 1,024 is
//! used up by a few hundred calls. Invariant: the limit is only ever raised, and never above what the system allows.
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A caller and an agent, each with a socket for RTP and one for RTCP.
const OF_ONE_CALL: u64 = 4;
/// Ports bound ahead and at rest, listeners, the store, pages and commands.
const OF_THE_HOUSE: u64 = 512;

/// How many calls with an agent have their sockets when `limit` descriptors may be open and phones hold `connections`
/// over TCP.
const fn capacity(limit: u64, connections: u64) -> u64 {
    limit.saturating_sub(OF_THE_HOUSE).saturating_sub(connections) / OF_ONE_CALL
}

/// Raises the limit as far as the system lets us, and says so when `calls` at once may not find their sockets.
pub(super) fn raise_limit(calls: usize, connections: usize) {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(e) => {
            tracing::warn!(error = %e, "the limit of open files cannot be read");
            return;
        }
    };
    let limit = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(e) => {
            tracing::warn!(error = %e, soft, hard, "the limit of open files cannot be raised");
            soft
        }
    };
    let room = capacity(limit, connections as u64);
    if room < calls as u64 {
        tracing::warn!(
            limit,
            calls = room,
            wanted = calls,
            "the limit of open files has room for fewer calls than [limits] calls; raise it (ulimit -Hn, LimitNOFILE=)"
        );
    } else {
        tracing::debug!(limit, calls = room, "open files");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_rises_to_what_the_system_allows() {
        raise_limit(1, 0);
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
    }

    #[test]
    fn capacity_is_what_is_left_for_calls() {
        assert_eq!(capacity(1_024, 0), 128);
        assert_eq!(capacity(16_384, 2_000), 3_468);
        assert_eq!(capacity(1_024, 2_000), 0);
    }
}
