//! What processes use, from Linux's /proc, and the limit on open files.

use std::collections::HashMap;
use std::time::Duration;
use std::{fs, io};

/// What a process and all its descendants use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// User and system time since the start, of descendants that ended as well.
    pub(crate) cpu: Duration,
    /// Resident bytes. What several processes share is counted in equal parts, so that PostgreSQL's, which share
    /// their buffers, are not counted over and over.
    pub(crate) resident_bytes: u64,
    /// How many processes were found.
    pub(crate) processes: usize,
}

/// One of the processes asked for, with its descendants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// As the system calls it; empty once it is gone.
    pub(crate) name: String,
    pub(crate) usage: Usage,
}

/// One line of /proc/PID/stat.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    parent: u32,
    ticks: u64,
}

impl Usage {
    /// What all of these use.
    pub(crate) fn total(processes: &[Process]) -> Self {
        processes.iter().fold(Self::default(), |sum, Process { usage, .. }| Self {
            cpu: sum.cpu + usage.cpu,
            resident_bytes: sum.resident_bytes + usage.resident_bytes,
            processes: sum.processes + usage.processes,
        })
    }
}

/// The usage of each of `roots`, with its descendants but for those of another root. A process that is gone counts
/// nothing.
pub(crate) fn usage(roots: &[u32]) -> io::Result<Vec<Process>> {
    let mut stats = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process may end between the listing and the reading.
        let Ok(line) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        if let Some(stat) = parse_stat(&line) {
            stats.insert(pid, stat);
        }
    }
    let per_second = ticks_per_second();
    let of_root = |root: &u32| {
        let mut usage = Usage::default();
        let mut ticks: u64 = 0;
        for (pid, stat) in stats.iter().filter(|(pid, _)| root_of(**pid, roots, &stats) == Some(*root)) {
            ticks += stat.ticks;
            usage.processes += 1;
            usage.resident_bytes += resident_bytes(*pid);
        }
        usage.cpu = Duration::from_micros(ticks.saturating_mul(1_000_000) / per_second);
        let name = stats.get(root).map(|stat| stat.name.clone()).unwrap_or_default();
        Process { pid: *root, name, usage }
    };
    Ok(roots.iter().map(of_root).collect())
}

/// What this process has used.
pub(crate) fn own_cpu() -> Duration {
    let line = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = parse_stat(&line).map_or(0, |stat| stat.ticks);
    Duration::from_micros(ticks.saturating_mul(1_000_000) / ticks_per_second())
}

/// The nearest root that the process descends from; one descends from itself.
fn root_of(pid: u32, roots: &[u32], stats: &HashMap<u32, Stat>) -> Option<u32> {
    let mut at = pid;
    // Deeper than any real tree of processes; a listing taken while it changes may even have a cycle.
    for _ in 0..64 {
        if roots.contains(&at) {
            return Some(at);
        }
        at = stats.get(&at)?.parent;
    }
    None
}

/// proc(5): `pid (comm) state ppid ...`; comm may hold blanks and brackets, so fields count from the last `)`.
fn parse_stat(line: &str) -> Option<Stat> {
    let end = line.rfind(')')?;
    let name = line.get(line.find('(')? + 1..end)?.to_owned();
    let fields: Vec<&str> = line.get(end + 1..)?.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = [14, 15, 16, 17].iter().try_fold(0_u64, |sum, number| Some(sum + field(*number)?))?;
    Some(Stat { name, parent: u32::try_from(field(4)?).ok()?, ticks })
}

/// smaps_rollup counts exactly; the counters in `status` may lag by some pages for each thread.
fn resident_bytes(pid: u32) -> u64 {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    field("smaps_rollup", "Pss:").or_else(|| field("status", "VmRSS:")).unwrap_or(0) * 1024
}

#[allow(unsafe_code, reason = "sysconf has no safe wrapper in libc; it only reads a constant")]
fn ticks_per_second() -> u64 {
    // SAFETY: sysconf takes a number and touches no memory of ours.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).ok().filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// Raises the soft limit on open files to the hard one, and returns it.
#[allow(unsafe_code, reason = "setrlimit has no safe wrapper in libc, and a client is a file descriptor")]
pub(crate) fn raise_open_files_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a pointer to a live rlimit of ours, and keep none.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return Err(io::Error::last_os_error());
        }
        limit.rlim_cur = limit.rlim_max;
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(limit.rlim_cur)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_stat_line() {
        let line = "12 (a ) b) S 7 1 1 0 -1 4 9 9 9 9 100 20 3 4 20 0 1 0 5 6 7";
        assert_eq!(parse_stat(line), Some(Stat { name: "a ) b".to_owned(), parent: 7, ticks: 127 }));
        for line in ["", "12 (a", "12 (a) S 7 1", "12 (a) S x 1 1 0 -1 4 9 9 9 9 100 20 3 4"] {
            assert_eq!(parse_stat(line), None, "{line}");
        }
    }

    #[test]
    fn descendants_are_found_in_any_tree() {
        let stat = |parent| Stat { name: String::new(), parent, ticks: 0 };
        let stats =
            HashMap::from([(10, stat(1)), (11, stat(10)), (12, stat(11)), (20, stat(1)), (30, stat(30))]);
        let found = |pid| root_of(pid, &[10, 12], &stats);
        assert_eq!([10, 11, 12, 20, 30, 99].map(found), [Some(10), Some(10), Some(12), None, None, None]);
    }

    #[test]
    fn this_process_is_measured() {
        let own = std::process::id();
        let processes = usage(&[own, u32::MAX]).unwrap();
        let total = Usage::total(&processes);
        assert!(total.processes >= 1 && total.resident_bytes > 0, "{processes:?}");
        assert_eq!(processes.iter().map(|process| process.pid).collect::<Vec<_>>(), [own, u32::MAX]);
        assert_eq!(processes[1].usage, Usage::default());
    }
}
