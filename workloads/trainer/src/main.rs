//! Wires the process.

use std::process::ExitCode;

use vedette_contract::arguments::TrainerArguments;

fn main() -> ExitCode {
    vedette_service::main_with::<TrainerArguments, _, _, _>("trainer", vedette_trainer::run)
}
