//! The log lines of controller-runtime: one JSON object or one console line each, on standard error.
//!
//! Keys are those of upstream's controllers (`level`, `ts`, `msg`, `error`, and what the span of a
//! reconciliation says: `controller`, `controllerKind`, `namespace`, `name`, `reconcileID`), so
//! that queries and dashboards built on them go on working.

use std::fmt::{self, Write as _};

use clap::ValueEnum;
use serde_json::{Map, Value, json};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer, fmt::MakeWriter, layer::Context, layer::SubscriberExt as _, registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verbosity {
    /// Everything.
    Trace,
    /// What a developer wants to know.
    Debug,
    /// What an operator wants to know.
    Info,
    /// What went wrong.
    Error,
}

/// What a log line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Encoding {
    /// One JSON object a line.
    Json,
    /// Tab-separated, for people.
    Console,
}

/// Sends log lines of our own crates at `verbosity` and of others at `error` to standard error.
pub(crate) fn install(verbosity: Verbosity, encoding: Encoding) {
    let layer = Lines { verbosity, encoding, writer: std::io::stderr };
    // A second installation in one process (tests) keeps the first, which is as good.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

/// Formats events; the fields of a span are kept, as JSON, with the span.
struct Lines<W> {
    verbosity: Verbosity,
    encoding: Encoding,
    writer: W,
}

impl<W> Lines<W> {
    fn admits(&self, metadata: &Metadata<'_>) -> bool {
        let most = match self.verbosity {
            Verbosity::Trace => Level::TRACE,
            Verbosity::Debug => Level::DEBUG,
            Verbosity::Info => Level::INFO,
            Verbosity::Error => Level::ERROR,
        };
        if is_ours(metadata.target()) {
            return *metadata.level() <= most || *metadata.level() == Level::WARN;
        }
        // What the API client fails at is told by whoever asked.
        *metadata.level() == Level::ERROR && !metadata.target().starts_with("kube_client")
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.is_span() || self.admits(metadata)
    }

    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in
            context.event_scope(event).into_iter().flatten().collect::<Vec<_>>().iter().rev()
        {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.0.extend(of_span.0.clone());
            }
        }
        event.record(&mut fields);
        let line = match self.encoding {
            Encoding::Json => json_line(event.metadata(), fields.0),
            Encoding::Console => console_line(event.metadata(), fields.0),
        };
        // Nobody is left to tell when standard error is gone.
        let _ = std::io::Write::write_all(&mut self.writer.make_writer(), line.as_bytes());
    }
}

fn is_ours(target: &str) -> bool {
    const CRATES: [&str; 9] = [
        "automation",
        "cloud",
        "controller",
        "controlplane",
        "git",
        "reflector",
        "registry",
        "sluice",
        "world",
    ];
    CRATES.contains(&target.split("::").next().unwrap_or_default())
}

fn json_line(metadata: &Metadata<'_>, mut fields: Map<String, Value>) -> String {
    let mut line = Map::new();
    line.insert("level".into(), json!(level(metadata)));
    line.insert("ts".into(), json!(now()));
    line.insert("msg".into(), fields.remove("message").unwrap_or_default());
    if let Some(object) = object(&fields) {
        line.insert(object.0, object.1);
    }
    line.extend(fields);
    format!("{}\n", Value::Object(line))
}

fn console_line(metadata: &Metadata<'_>, mut fields: Map<String, Value>) -> String {
    let message = fields.remove("message").unwrap_or_default();
    let mut line = format!("{}\t{}\t{}", now(), level(metadata).to_uppercase(), text(&message));
    if !fields.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(line, "\t{}", Value::Object(fields));
    }
    line.push('\n');
    line
}

/// controller-runtime also names the object under its kind: `"ImagePolicy":{"name":…}`.
fn object(fields: &Map<String, Value>) -> Option<(String, Value)> {
    let kind = fields.get("controllerKind")?.as_str()?;
    let object = json!({"name": fields.get("name")?, "namespace": fields.get("namespace")?});
    Some((kind.to_owned(), object))
}

fn level(metadata: &Metadata<'_>) -> &'static str {
    match *metadata.level() {
        Level::ERROR | Level::WARN => "error",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The fields of a span or an event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), json!(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), json!(value));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(verbosity: Verbosity, work: impl FnOnce()) -> Vec<Value> {
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = Lines { verbosity, encoding: Encoding::Json, writer: move || writer.clone() };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let bytes = sink.0.lock().unwrap();
        bytes
            .split(|b| *b == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn the_keys_of_controller_runtime() {
        let lines = logged(Verbosity::Info, || {
            let span = tracing::info_span!(
                "turn",
                controller = "imagepolicy",
                controllerKind = "ImagePolicy",
                namespace = "apps",
                name = "app",
                reconcileID = "1"
            );
            span.in_scope(|| tracing::error!(error = "boom", "Reconciler error"));
        });
        let line = &lines[0];
        assert_eq!(line["level"], "error");
        assert_eq!(line["msg"], "Reconciler error");
        assert_eq!(line["error"], "boom");
        assert_eq!(line["controller"], "imagepolicy");
        assert_eq!(line["ImagePolicy"], json!({"name": "app", "namespace": "apps"}));
    }

    #[test]
    fn less_is_logged_at_error() {
        let lines = logged(Verbosity::Error, || {
            tracing::info!("quiet");
            tracing::error!("loud");
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["msg"], "loud");
    }
}
