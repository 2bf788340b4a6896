//! What a run found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::failover::Outcome;
use crate::run::{Measured, Run};
use crate::served::Served;

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
    server: Option<Served>,
    generator_cpu_microseconds_per_operation: f64,
    /// `None` but for a failover.
    #[serde(skip_serializing_if = "Option::is_none")]
    failover: Option<Outcome>,
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
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
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
            server: Served::new(measured, operations, load(&tally.logged_in)),
            generator_cpu_microseconds_per_operation: per(
                measured.generator_cpu.as_secs_f64() * 1e6,
                operations as f64,
            ),
            failover: None,
            errors: tally.errors(),
        }
    }

    pub(crate) fn with_outcome(self, outcome: Outcome) -> Self {
        Self { failover: Some(outcome), ..self }
    }

    /// Whether everything arrived as it should and every client stayed.
    pub(crate) fn is_clean(&self) -> bool {
        let Check { lost, doubled, out_of_order, corrupted, refused, unacknowledged, .. } = self.check;
        let faults = [lost, doubled, out_of_order, corrupted, refused, unacknowledged, self.failed_logins];
        faults.iter().all(|count| *count == 0)
            && self.errors.is_empty()
            && self.failover.as_ref().is_none_or(Outcome::is_clean)
    }
}

impl Latency {
    /// Of microseconds; `None` of none.
    pub(crate) fn new(histogram: &Histogram<u64>) -> Option<Self> {
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

/// `amount` for each of `count`; 0 when there is none.
pub(crate) fn per(amount: f64, count: f64) -> f64 {
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
            server.write(out, operation)?;
        }
        writeln!(
            out,
            "  generator cpu    {:.1} us per {operation}",
            self.generator_cpu_microseconds_per_operation
        )?;
        if let Some(failover) = &self.failover {
            write!(out, "{failover}")?;
        }
        for (error, count) in &self.errors {
            writeln!(out, "  error            {count} x {error}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
