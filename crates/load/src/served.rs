//! What the server's processes spent on a run.

use std::fmt;

use serde::Serialize;

use crate::process::{Process, Usage};
use crate::report::per;
use crate::run::Measured;

/// The server's processes, from /proc: all of them together, and each.
#[derive(Debug, Serialize)]
pub(crate) struct Served {
    processes: usize,
    cpu_seconds: f64,
    cpu_microseconds_per_operation: f64,
    resident_bytes_before_logins: u64,
    resident_bytes_at_start: u64,
    resident_bytes_at_end: u64,
    /// Growth from before the logins to the end, for each client logged in.
    pub(crate) resident_bytes_per_session: f64,
    /// From before the logins to the start: what logging all clients in cost.
    cpu_seconds_before_start: f64,
    each: Vec<Share>,
}

/// The part of one of the processes that were asked for, its descendants included.
#[derive(Debug, Serialize)]
struct Share {
    pid: u32,
    name: String,
    cpu_seconds: f64,
    /// Of all operations, whichever process they passed.
    cpu_microseconds_per_operation: f64,
    resident_bytes_at_end: u64,
}

impl Served {
    /// `None` where no process was found at the end.
    pub(crate) fn new(measured: &Measured, operations: u64, sessions: u64) -> Option<Self> {
        let Measured { before, start, end, .. } = measured;
        let cpu_seconds = cpu_between(start, end);
        let [memory_before, memory_at_start] =
            [before, start].map(|processes| Usage::total(processes).resident_bytes);
        let Usage { processes, resident_bytes, .. } = Usage::total(end);
        let growth = resident_bytes as f64 - memory_before as f64;
        let share = |process: &Process| {
            let cpu_seconds = cpu_between(start, std::slice::from_ref(process));
            Share {
                pid: process.pid,
                name: process.name.clone(),
                cpu_seconds,
                cpu_microseconds_per_operation: per(cpu_seconds * 1e6, operations as f64),
                resident_bytes_at_end: process.usage.resident_bytes,
            }
        };
        (processes > 0).then(|| Self {
            processes,
            cpu_seconds,
            cpu_microseconds_per_operation: per(cpu_seconds * 1e6, operations as f64),
            resident_bytes_before_logins: memory_before,
            resident_bytes_at_start: memory_at_start,
            resident_bytes_at_end: resident_bytes,
            resident_bytes_per_session: per(growth, sessions as f64),
            cpu_seconds_before_start: cpu_between(before, start),
            each: end.iter().map(share).collect(),
        })
    }

    /// For people; `operation` names what was done.
    pub(crate) fn write(&self, out: &mut fmt::Formatter<'_>, operation: &str) -> fmt::Result {
        writeln!(
            out,
            "  server cpu       {:.2} s in {} process(es): {:.1} us per {operation} ({:.2} s for the logins before)",
            self.cpu_seconds,
            self.processes,
            self.cpu_microseconds_per_operation,
            self.cpu_seconds_before_start
        )?;
        write!(
            out,
            "  server memory    {:.1} MiB before the logins, {:.1} at the start, {:.1} at the end",
            mebibytes(self.resident_bytes_before_logins),
            mebibytes(self.resident_bytes_at_start),
            mebibytes(self.resident_bytes_at_end),
        )?;
        if operation == "session" {
            write!(out, ": {:.1} kB per session", self.resident_bytes_per_session / 1e3)?;
        }
        writeln!(out)?;
        for Share { pid, name, cpu_seconds, cpu_microseconds_per_operation, resident_bytes_at_end } in
            self.each.iter().filter(|_| self.each.len() > 1)
        {
            writeln!(
                out,
                "    {:<14} {cpu_seconds:.2} s: {cpu_microseconds_per_operation:.1} us per {operation}, {:.1} MiB \
                 (process {pid})",
                if name.is_empty() { "(gone)" } else { name },
                mebibytes(*resident_bytes_at_end),
            )?;
        }
        Ok(())
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// In seconds. A process that is gone by then spent nothing that is known.
fn cpu_between(then: &[Process], now: &[Process]) -> f64 {
    let spent = |process: &Process| {
        let before = then.iter().find(|before| before.pid == process.pid);
        process
            .usage
            .cpu
            .saturating_sub(before.map(|before| before.usage.cpu).unwrap_or_default())
            .as_secs_f64()
    };
    now.iter().map(spent).sum()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn process(pid: u32, cpu_milliseconds: u64, resident_bytes: u64) -> Process {
        let usage = Usage { cpu: Duration::from_millis(cpu_milliseconds), resident_bytes, processes: 1 };
        Process { pid, name: "server".to_owned(), usage }
    }

    fn gone(pid: u32) -> Process {
        Process { pid, name: String::new(), usage: Usage::default() }
    }

    /// Two members; the measured part ends with these processes.
    fn measured(end: Vec<Process>) -> Measured {
        Measured {
            duration: Duration::from_secs(2),
            before: vec![process(1, 800, 6_000_000), process(2, 200, 4_000_000)],
            start: vec![process(1, 1_000, 12_000_000), process(2, 500, 8_000_000)],
            end,
            generator_cpu: Duration::from_millis(500),
        }
    }

    #[test]
    fn shares_are_counted() {
        let both = || vec![process(1, 2_500, 20_000_000), process(2, 1_000, 10_000_000)];
        let served = Served::new(&measured(both()), 1_000, 100).unwrap();
        assert_eq!(served.cpu_seconds, 2.0);
        assert_eq!(served.cpu_microseconds_per_operation, 2_000.0);
        assert_eq!(served.resident_bytes_per_session, 200_000.0);
        assert_eq!(served.cpu_seconds_before_start, 0.5);
        let each: Vec<_> = served.each.iter().map(|share| share.cpu_microseconds_per_operation).collect();
        assert_eq!(each, [1_500.0, 500.0]);
        let served = Served::new(&measured(both()), 0, 0).unwrap();
        assert_eq!((served.cpu_microseconds_per_operation, served.resident_bytes_per_session), (0.0, 0.0));
    }

    #[test]
    fn who_is_gone_takes_nothing_back() {
        let served =
            Served::new(&measured(vec![gone(1), process(2, 1_000, 10_000_000)]), 1_000, 100).unwrap();
        assert_eq!((served.cpu_seconds, served.processes), (0.5, 1));
        assert!(Served::new(&measured(vec![gone(1), gone(2)]), 1_000, 100).is_none());
    }
}
