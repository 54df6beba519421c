//! Wires the process.

use std::process::ExitCode;

use vedette_contract::arguments::DetectorArguments;

fn main() -> ExitCode {
    vedette_service::main_with::<DetectorArguments, _, _, _>("detector", vedette_detector::run)
}
