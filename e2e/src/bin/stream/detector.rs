//! The detector, exactly once and with the default model and reasons, beside a bare pipe.

use std::process::Command;

use vedette_e2e::RunError;
use vedette_e2e::figure::Limit;
use vedette_e2e::local::binary;

use crate::bare;
use crate::bed::{self, INPUT, LearnedModel};
use crate::input::fill_input;
use crate::measure::{Measured, Promised, compare, measure};

pub(crate) fn beside_a_bare_pipe() -> Result<(), RunError> {
    let model = LearnedModel::learn()?;
    let records = fill_input()?;
    compare(
        "detector beside bare librdkafka",
        Promised { throughput: Some(Limit::AtLeast(0.6)), cpu: Some(Limit::AtMost(2.)) },
        |round| detector(&format!("detector-{round}"), &model, records),
        |round| bare_pipe(&format!("bare-{round}"), records),
    )
}

fn bare_pipe(name: &str, records: i64) -> Result<Measured, RunError> {
    let output = format!("{name}-output");
    bed::create_topic(&output)?;
    let mut command = Command::new(binary("stream"));
    command.args([bare::PIPE, name, INPUT, &output]);
    measure(command, name, records)
}

/// How a detector does on the records of the input.
pub(crate) fn detector(name: &str, model: &LearnedModel, records: i64) -> Result<Measured, RunError> {
    measure(command(name, INPUT, bed::service(name), model)?, name, records)
}

/// A detector of the name, and the topics that it writes.
pub(crate) fn command(
    name: &str,
    input: &str,
    service: Vec<String>,
    model: &LearnedModel,
) -> Result<Command, RunError> {
    let outputs = [enriched(name), alerts(name), format!("{name}-dead")];
    outputs.iter().try_for_each(|output| bed::create_topic(output))?;
    let [enriched, alerts, dead] = &outputs;
    let mut command = Command::new(binary("vedette-detector"));
    command.args(service).args([
        "--namespace=e2e",
        "--pipeline=fast",
        "--site=local",
        "--processing-guarantee=ExactlyOnce",
        "--calculated-field=total_bytes=src_bytes + dst_bytes",
        "--alert-budget-per-million=5000",
        "--reasons=3",
    ]);
    command.args(["--group", name, "--sensor-messages-topic", input]);
    command.args(["--enriched-data-topic", enriched, "--alerts-topic", alerts, "--dead-letters-topic", dead]);
    command.args(["--model-training", LearnedModel::TRAINING, "--model-version", model.version.as_str()]);
    command.arg("--model-directory").arg(model.directory()?);
    Ok(command)
}

/// The topic of its enriched records.
pub(crate) fn enriched(name: &str) -> String {
    format!("{name}-enriched")
}

/// The topic of its alerts.
pub(crate) fn alerts(name: &str) -> String {
    format!("{name}-alerts")
}
