//! How log lines are written: for people with a mark before the text, or as JSON.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::{LookupSpan, SpanRef};
use tracing_subscriber::{EnvFilter, Layer, Registry, filter};

use super::{BAD, CAREFUL, GOOD};
use crate::clock::{Clock, Rfc3339, SystemClock};
use crate::config::Log;

/// What writes log lines, as `log` says, to `writer`.
pub fn subscriber<W>(log: &Log, writer: W) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let lines = if log.json {
        layer.json().flatten_event(true).with_span_list(false).with_timer(ClockTime).boxed()
    } else {
        layer.event_format(Human).boxed()
    };
    let wanted = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    Registry::default().with(lines.with_filter(filter::filter_fn(carries_no_secrets))).with(wanted)
}

/// Whatever the filter asks for: MongoDB's commands hold users, and the traces of what speaks HTTP hold tokens.
fn carries_no_secrets(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let is_ours = target == "doorward" || target.starts_with("doorward::");
    is_ours || (*metadata.level() != Level::TRACE && !target.starts_with("mongodb::command"))
}

struct ClockTime;

impl FormatTime for ClockTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.write_str(Rfc3339::of(SystemClock.now()).as_str())
    }
}

/// `2026-11-24T10:00:00.000Z INFO ✅ text name=value {the request}`
struct Human;

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (mut mark, level) = (Mark(""), event.metadata().level().as_str());
        event.record(&mut mark);
        let time = Rfc3339::of(SystemClock.now());
        for part in [time.as_str(), " ", level, " ", mark.0] {
            writer.write_str(part)?;
        }
        let mut line = Line { writer: writer.by_ref(), fields: String::new() };
        event.record(&mut line);
        let fields = line.fields;
        writer.write_str(&fields)?;
        context.parent_span().map_or(Ok(()), |span| write_spans::<S, N>(&span, &mut writer))?;
        writer.write_char('\n')
    }
}

/// What the event happened in, from the outermost on.
fn write_spans<S, N>(span: &SpanRef<'_, S>, writer: &mut Writer<'_>) -> fmt::Result
where
    S: for<'s> LookupSpan<'s>,
    N: 'static,
{
    if let Some(parent) = span.parent() {
        write_spans::<S, N>(&parent, writer)?;
    }
    match span.extensions().get::<FormattedFields<N>>() {
        Some(fields) if !fields.is_empty() => {
            [" {", &fields.fields, "}"].into_iter().try_for_each(|part| writer.write_str(part))
        }
        _ => Ok(()),
    }
}

/// What a line begins with, by its kind.
struct Mark(&'static str);

impl Visit for Mark {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == KIND {
            self.0 = mark(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// The field that says which mark a line has.
const KIND: &str = "kind";

/// The text of a line, and its fields, which follow it.
struct Line<'w> {
    writer: Writer<'w>,
    fields: String,
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != KIND {
            self.record_debug(field, &format_args!("{value}"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // What is written to is a String, which can't fail.
        let _ = match field.name() {
            "message" => write!(OneLine(&mut self.writer), "{value:?}"),
            name => {
                let _ = write!(self.fields, " {name}=");
                write!(OneLine(&mut self.fields), "{value:?}")
            }
        };
    }
}

fn mark(kind: &str) -> &'static str {
    match kind {
        GOOD => "✅ ",
        CAREFUL => "⚠️ ",
        BAD => "❌ ",
        _ => "",
    }
}

/// Text from outside stays on its line: what would begin another, or steer a terminal, is escaped.
struct OneLine<'w, W>(&'w mut W);

impl<W: Write> Write for OneLine<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Nearly all of it is plain, which is seen many bytes at a time.
        if text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~')) {
            return self.0.write_str(text);
        }
        let mut rest = text;
        while let Some((at, control)) = rest.char_indices().find(|(_, c)| c.is_control()) {
            let (before, after) = rest.split_at(at);
            self.0.write_str(before)?;
            write!(self.0, "{}", control.escape_default())?;
            rest = after.get(control.len_utf8()..).unwrap_or_default();
        }
        self.0.write_str(rest)
    }
}
