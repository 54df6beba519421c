//! Logs on standard error: readable on a terminal, JSON lines elsewhere. `RUST_LOG` chooses what is logged.

use std::io::{self, IsTerminal};

use tracing::{Subscriber, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use vedette_contract::arguments::LOG_LEVEL_ENV;

const DEFAULT_LEVEL: &str = "info";
/// Clients whose INFO tells nobody anything; `RUST_LOG` can name them to hear more.
const QUIET: &str = "librdkafka=warn,rdkafka=warn,aws_smithy_runtime=warn,aws_smithy_runtime_api=warn,\
    aws_smithy_http_client=warn,aws_sdk_s3=warn,hyper=warn,hyper_util=warn,rustls=warn,s3s=warn,s3s_fs=warn";

/// Sets up the logs of this process. Where there is a subscriber already, as in tests, that one stays.
pub fn initialize_telemetry() {
    let wanted = std::env::var(LOG_LEVEL_ENV).unwrap_or_default();
    let (filter, refusal) = match filter(&wanted) {
        Ok(filter) => (filter, None),
        Err(refusal) => (filter("").unwrap_or_default(), Some(refusal)),
    };
    let lines = if io::stderr().is_terminal() {
        layer().with_writer(io::stderr).with_target(false).boxed()
    } else {
        json_lines(io::stderr)
    };
    let installed = registry().with(lines.with_filter(filter)).try_init();
    if let (Ok(()), Some(refusal)) = (installed, refusal) {
        warn!(RUST_LOG = wanted, error = %refusal, "RUST_LOG is not usable; logging at INFO");
    }
}

/// One flat JSON object an event, as `LastWords` of the contract reads it.
pub(crate) fn json_lines<S, W>(writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = layer().with_writer(writer).json().flatten_event(true);
    lines.with_current_span(false).with_span_list(false).boxed()
}

/// What `RUST_LOG` says, after the defaults: a later directive replaces an earlier one for the same target. Levels by target
/// are all there is to choose: no regular expressions over spans' fields, which would be a tenth of a small binary.
fn filter(wanted: &str) -> Result<Targets, ParseError> {
    let wanted = if wanted.trim().is_empty() { DEFAULT_LEVEL } else { wanted };
    format!("{QUIET},{wanted}").parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directives(wanted: &str) -> Vec<String> {
        filter(wanted).unwrap().to_string().split(',').map(str::to_owned).collect()
    }

    #[test]
    fn clients_are_quiet_unless_named() {
        for wanted in ["", "debug"] {
            assert!(directives(wanted).contains(&"librdkafka=warn".to_owned()), "{wanted}");
        }
        assert!(directives("").contains(&"info".to_owned()));
        let named = directives("info,librdkafka=debug");
        assert!(named.contains(&"librdkafka=debug".to_owned()));
        assert!(!named.contains(&"librdkafka=warn".to_owned()));
    }

    #[test]
    fn a_wrong_filter_is_refused() {
        assert!(filter("vedette=loud").is_err());
    }
}
