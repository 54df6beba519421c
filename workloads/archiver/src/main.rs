//! Wires the process.

use std::process::ExitCode;

use vedette_contract::arguments::ArchiverArguments;

fn main() -> ExitCode {
    vedette_service::main_with::<ArchiverArguments, _, _, _>("archiver", vedette_archiver::run)
}
