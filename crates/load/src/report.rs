//! What a run found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::run::{Measured, Run};

/// The result of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    scenario: &'static str,
    domain: String,
    /// TLS version and cipher suite of the first login.
    tls: Option<String>,
    stream_management: bool,
    logged_in: u64,
    failed_logins: u64,
    /// Of the measured part, in seconds.
    seconds: f64,
    /// What one operation is.
    operation: &'static str,
    operations: u64,
    operations_per_second: f64,
    check: Check,
    /// `None` where nothing was timed.
    latency_milliseconds: Option<Latency>,
    /// `None` without --server-pid.
    server: Option<Server>,
    generator_cpu_microseconds_per_operation: f64,
    /// What went wrong on connections, with how often.
    errors: BTreeMap<String, u64>,
}

/// What the checker found.
#[derive(Debug, Serialize)]
struct Check {
    sent: u64,
    received: u64,
    lost: u64,
    doubled: u64,
    out_of_order: u64,
    /// Arrived with another content, at another client, or without having been sent.
    corrupted: u64,
    /// Came back as an error.
    refused: u64,
    /// Never acknowledged, with stream management.
    unacknowledged: u64,
}

/// Percentiles, in milliseconds.
#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

/// The server's processes, from /proc.
#[derive(Debug, Serialize)]
struct Server {
    processes: usize,
    cpu_seconds: f64,
    cpu_microseconds_per_operation: f64,
    resident_bytes_before_logins: u64,
    resident_bytes_at_start: u64,
    resident_bytes_at_end: u64,
    /// Growth from before the logins to the end, for each client logged in.
    resident_bytes_per_session: f64,
    /// From before the logins to the start: what logging all clients in cost.
    cpu_seconds_before_start: f64,
}

impl Report {
    /// `operation` says what one of the received (for logins: succeeded, for idle: logged in) is.
    pub(crate) fn new(run: &Run, measured: &Measured, operation: &'static str) -> Self {
        let tally = &run.tally;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let operations = if operation == "session" { load(&tally.logged_in) } else { load(&tally.received) };
        let seconds = measured.duration.as_secs_f64();
        Self {
            scenario: run.name,
            domain: run.target.domain.clone(),
            tls: tally.tls.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            stream_management: run.target.stream_management.is_some(),
            logged_in: load(&tally.logged_in),
            failed_logins: load(&tally.failed_logins),
            seconds,
            operation,
            operations,
            operations_per_second: per(operations as f64, seconds),
            check: Check {
                sent: load(&tally.sent),
                received: load(&tally.received),
                lost: load(&tally.lost),
                doubled: load(&tally.doubled),
                out_of_order: load(&tally.out_of_order),
                corrupted: load(&tally.corrupted),
                refused: load(&tally.refused),
                unacknowledged: load(&tally.unacknowledged),
            },
            latency_milliseconds: Latency::new(&tally.latencies()),
            server: Server::new(measured, operations, load(&tally.logged_in)),
            generator_cpu_microseconds_per_operation: per(
                measured.generator_cpu.as_secs_f64() * 1e6,
                operations as f64,
            ),
            errors: tally.errors(),
        }
    }

    /// Whether everything arrived as it should and every client stayed.
    pub(crate) fn is_clean(&self) -> bool {
        let Check { lost, doubled, out_of_order, corrupted, refused, unacknowledged, .. } = self.check;
        let faults = [lost, doubled, out_of_order, corrupted, refused, unacknowledged, self.failed_logins];
        faults.iter().all(|count| *count == 0) && self.errors.is_empty()
    }
}

impl Latency {
    fn new(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        (!histogram.is_empty()).then(|| Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1e3,
        })
    }
}

impl Server {
    fn new(measured: &Measured, operations: u64, sessions: u64) -> Option<Self> {
        let Measured { before, start, end, .. } = measured;
        let cpu_seconds = end.cpu.saturating_sub(start.cpu).as_secs_f64();
        let growth = end.resident_bytes as f64 - before.resident_bytes as f64;
        (end.processes > 0).then(|| Self {
            processes: end.processes,
            cpu_seconds,
            cpu_microseconds_per_operation: per(cpu_seconds * 1e6, operations as f64),
            resident_bytes_before_logins: before.resident_bytes,
            resident_bytes_at_start: start.resident_bytes,
            resident_bytes_at_end: end.resident_bytes,
            resident_bytes_per_session: per(growth, sessions as f64),
            cpu_seconds_before_start: start.cpu.saturating_sub(before.cpu).as_secs_f64(),
        })
    }
}

/// `amount` for each of `count`; 0 when there is none.
fn per(amount: f64, count: f64) -> f64 {
    if count > 0.0 { amount / count } else { 0.0 }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = self.tls.as_deref().unwrap_or("no TLS");
        let management = if self.stream_management { ", stream management" } else { "" };
        writeln!(out, "{} on {} ({tls}{management})", self.scenario, self.domain)?;
        writeln!(out, "  clients          {} logged in, {} failed", self.logged_in, self.failed_logins)?;
        let Self { operations, operation, seconds, operations_per_second, .. } = self;
        writeln!(
            out,
            "  done             {operations} x {operation} in {seconds:.1} s: {operations_per_second:.0}/s"
        )?;
        if let Some(Latency { p50, p90, p99, p999, max }) = self.latency_milliseconds {
            writeln!(
                out,
                "  latency, ms      p50 {p50:.2}  p90 {p90:.2}  p99 {p99:.2}  p99.9 {p999:.2}  max {max:.2}"
            )?;
        }
        let Check { sent, received, lost, doubled, out_of_order, corrupted, refused, unacknowledged } =
            self.check;
        writeln!(out, "  sent, received   {sent}, {received}")?;
        writeln!(
            out,
            "  wrong            lost {lost}  doubled {doubled}  out of order {out_of_order}  corrupted {corrupted}  \
             refused {refused}  unacknowledged {unacknowledged}"
        )?;
        if let Some(server) = &self.server {
            let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            writeln!(
                out,
                "  server cpu       {:.2} s in {} process(es): {:.1} us per {operation} ({:.2} s for the logins before)",
                server.cpu_seconds,
                server.processes,
                server.cpu_microseconds_per_operation,
                server.cpu_seconds_before_start
            )?;
            write!(
                out,
                "  server memory    {:.1} MiB before the logins, {:.1} at the start, {:.1} at the end",
                mebibytes(server.resident_bytes_before_logins),
                mebibytes(server.resident_bytes_at_start),
                mebibytes(server.resident_bytes_at_end),
            )?;
            if *operation == "session" {
                write!(out, ": {:.1} kB per session", server.resident_bytes_per_session / 1e3)?;
            }
            writeln!(out)?;
        }
        writeln!(
            out,
            "  generator cpu    {:.1} us per {operation}",
            self.generator_cpu_microseconds_per_operation
        )?;
        for (error, count) in &self.errors {
            writeln!(out, "  error            {count} x {error}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::process::Usage;

    fn usage(cpu_milliseconds: u64, resident_bytes: u64) -> Usage {
        Usage { cpu: Duration::from_millis(cpu_milliseconds), resident_bytes, processes: 2 }
    }

    fn measured(processes: usize) -> Measured {
        Measured {
            duration: Duration::from_secs(2),
            before: usage(1_000, 10_000_000),
            start: usage(1_500, 20_000_000),
            end: Usage { processes, ..usage(3_500, 30_000_000) },
            generator_cpu: Duration::from_millis(500),
        }
    }

    #[test]
    fn shares_are_counted() {
        let server = Server::new(&measured(2), 1_000, 100).unwrap();
        assert_eq!(server.cpu_seconds, 2.0);
        assert_eq!(server.cpu_microseconds_per_operation, 2_000.0);
        assert_eq!(server.resident_bytes_per_session, 200_000.0);
        assert_eq!(server.cpu_seconds_before_start, 0.5);
        assert!(Server::new(&measured(0), 1_000, 100).is_none());
        let server = Server::new(&measured(2), 0, 0).unwrap();
        assert_eq!((server.cpu_microseconds_per_operation, server.resident_bytes_per_session), (0.0, 0.0));
    }

    #[test]
    fn percentiles_are_milliseconds() {
        let mut histogram = Histogram::new(3).unwrap();
        assert!(Latency::new(&histogram).is_none());
        (1..=1000).for_each(|n| histogram.record(n * 1_000).unwrap());
        let latency = Latency::new(&histogram).unwrap();
        for (value, expected) in [(latency.p50, 500.0), (latency.p99, 990.0), (latency.max, 1_000.0)] {
            assert!((value - expected).abs() / expected < 0.002, "{value} is not {expected}");
        }
    }
}
