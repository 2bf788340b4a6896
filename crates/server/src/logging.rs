//! The log: events of `tracing` on the standard error output, for people on a terminal, else as JSON.
//!
//! What peers wrote is in the fields of events. Both formats write each event as one line and escape control
//! characters, so that no address can forge a line or steer a terminal.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::prelude::__tracing_subscriber_field_MakeExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::config::{LogConfig, LogFormat};

/// Changes the log of a running server.
#[derive(Clone, Debug)]
pub struct LogControl {
    filter: reload::Handle<EnvFilter, Registry>,
}

/// Why the log cannot be as asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be understood.
    #[error("log filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The process has a log already.
    #[error("log: {0}")]
    Taken(#[from] tracing_subscriber::util::TryInitError),
    /// The log is gone.
    #[error("log: {0}")]
    Gone(#[from] reload::Error),
}

impl LogControl {
    /// Logs what `filter` says from now on.
    ///
    /// # Errors
    /// The filter in force stays.
    pub fn set_filter(&self, filter: &str) -> Result<(), LogError> {
        self.filter.reload(EnvFilter::builder().parse(filter)?)?;
        Ok(())
    }
}

/// Starts the log of this process.
///
/// # Errors
/// Nothing is logged then.
pub fn start(config: &LogConfig) -> Result<LogControl, LogError> {
    let (filter, handle) = reload::Layer::new(EnvFilter::builder().parse(&config.filter)?);
    let is_terminal = io::stderr().is_terminal();
    let is_pretty = match config.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let lines = if is_pretty { pretty(is_terminal, io::stderr) } else { json(io::stderr) };
    Registry::default().with(filter).with(lines).try_init()?;
    Ok(LogControl { filter: handle })
}

fn pretty<S, W>(has_colours: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let fields = debug_fn(|writer, field, value| match field.name() {
        "message" => write!(Escaping(writer), "{value:?}"),
        name => write!(Escaping(writer), "{name}={value:?}"),
    });
    let layer = tracing_subscriber::fmt::layer().with_ansi(has_colours).fmt_fields(fields.delimited(" "));
    Box::new(layer.with_writer(writer))
}

fn json<S, W>(writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().json().flatten_event(true);
    Box::new(layer.with_writer(EscapingLines(writer)))
}

/// Whether a character, shown as it is, could change how the rest of a line is shown: control characters of
/// both sets, line separators, and the marks that turn the direction of writing.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with its hidden characters as escapes, for showing on a terminal what peers wrote.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    // Writing to a String never fails.
    let _ = Escaping(&mut escaped).write_str(text);
    escaped
}

/// Writes hidden characters as JSON's escapes, `\u001b`, which people read as well.
struct Escaping<W>(W);

impl<W: fmt::Write> fmt::Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, character)) = rest.char_indices().find(|(_, character)| is_hidden(*character)) {
            let (before, from) = rest.split_at(at);
            self.0.write_str(before)?;
            write!(self.0, "\\u{:04x}", u32::from(character))?;
            rest = from.strip_prefix(character).unwrap_or_default();
        }
        self.0.write_str(rest)
    }
}

/// Escapes what JSON allows unescaped inside of its strings: no hidden character is anywhere else in it.
struct EscapingLines<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for EscapingLines<W> {
    type Writer = EscapingLine<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        EscapingLine(self.0.make_writer())
    }
}

struct EscapingLine<W>(W);

impl<W: io::Write> io::Write for EscapingLine<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The layer hands over one whole line, which ends in the one control character that belongs there.
        let text = String::from_utf8_lossy(bytes);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut line = escaped(line);
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic holds it").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const HOSTILE: &str = "a@b/\u{1b}[2J\n\u{9b}31m\u{202e}x\t\u{7f}é";

    fn logged(is_pretty: bool) -> String {
        let sink = Sink::default();
        let writer = {
            let sink = sink.clone();
            move || sink.clone()
        };
        let lines = if is_pretty { pretty(false, writer) } else { json(writer) };
        tracing::subscriber::with_default(Registry::default().with(lines), || {
            let span = tracing::info_span!("session", jid = HOSTILE);
            let _entered = span.enter();
            tracing::info!(display = %HOSTILE, text = HOSTILE, debug = ?HOSTILE, "{HOSTILE}");
        });
        let bytes = sink.0.lock().expect("no panic holds it").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn hidden_characters_of_fields_are_escaped() {
        for is_pretty in [true, false] {
            let text = logged(is_pretty);
            let line = text.strip_suffix('\n').expect("a line");
            assert!(!line.contains(is_hidden), "{line:?}");
            assert!(line.contains('é') && line.contains("session"), "{line:?}");
        }
        let line: serde_json::Value = serde_json::from_str(&logged(false)).expect("JSON");
        assert_eq!(line["text"], HOSTILE, "JSON keeps the value as it was");
        assert_eq!(line["span"]["jid"], HOSTILE);
    }

    #[test]
    fn escapes_are_readable() {
        let check = |text: &str, expected: &str| assert_eq!(escaped(text), expected);
        check("plain", "plain");
        check("\u{1b}[0m", "\\u001b[0m");
        check("a\r\nb", "a\\u000d\\u000ab");
        check("\u{202e}gpj", "\\u202egpj");
        check("", "");
    }
}
