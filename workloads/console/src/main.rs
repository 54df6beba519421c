//! Wires the process.

use std::process::ExitCode;

use vedette_contract::arguments::ConsoleArguments;

fn main() -> ExitCode {
    vedette_service::main_with::<ConsoleArguments, _, _, _>("console", vedette_console::run)
}
