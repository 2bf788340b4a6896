//! Figures in the text format of Prometheus, version 0.0.4.

use std::fmt::{self, Write as _};

/// The media type of what [`text`] gives.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What may become of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from 0 at the start.
    Counter,
    /// It comes and goes.
    Gauge,
}

/// One figure, or one for each value of a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its whole name, with its unit last: letters, digits and `_`. A counter's ends with `_total`.
    pub name: &'static str,
    /// What it is, in one line.
    pub help: &'static str,
    /// What may become of it.
    pub kind: Kind,
    /// The figures; those with a label have its name and value, and never one that names a user (who can read metrics
    /// is not to know who is here).
    pub samples: Vec<(Option<(&'static str, String)>, f64)>,
}

impl Metric {
    /// A single figure that comes and goes.
    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, kind: Kind::Gauge, samples: vec![(None, value)] }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, help, kind, samples } = self;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        writeln!(f, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
        for (label, value) in samples {
            match label {
                None => writeln!(f, "{name} {value}")?,
                Some((label, text)) => writeln!(f, "{name}{{{label}=\"{}\"}} {value}", escaped(text))?,
            }
        }
        Ok(())
    }
}

/// The whole exposition.
pub(crate) fn text(metrics: &[Metric]) -> String {
    metrics.iter().fold(String::with_capacity(2_048), |mut text, metric| {
        // A text takes whatever is written.
        let _ = write!(text, "{metric}");
        text
    })
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written() {
        let label = |text: &str| Some(("why", text.to_owned()));
        let metrics = [
            Metric::gauge("a_seconds", "Since then", 61.25),
            Metric::gauge("a_bytes", "What it takes", 9_007_199_254_740_992.0),
            Metric {
                name: "a_total",
                help: "What was refused",
                kind: Kind::Counter,
                samples: vec![(label("key"), 3.0), (label("a\"b\\c\nd"), 0.0)],
            },
            Metric { name: "b_total", help: "Of nothing", kind: Kind::Counter, samples: Vec::new() },
        ];
        let expected = "# HELP a_seconds Since then\n# TYPE a_seconds gauge\na_seconds 61.25\n\
                        # HELP a_bytes What it takes\n# TYPE a_bytes gauge\na_bytes 9007199254740992\n\
                        # HELP a_total What was refused\n# TYPE a_total counter\n\
                        a_total{why=\"key\"} 3\na_total{why=\"a\\\"b\\\\c\\nd\"} 0\n\
                        # HELP b_total Of nothing\n# TYPE b_total counter\n";
        assert_eq!(text(&metrics), expected);
    }
}
