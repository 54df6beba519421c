//! Wires the process.

use std::process::ExitCode;

use vedette_contract::arguments::GeneratorArguments;

fn main() -> ExitCode {
    vedette_service::main_with::<GeneratorArguments, _, _, _>("generator", vedette_generator::run)
}
