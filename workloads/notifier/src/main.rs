//! Wires the process.

use std::process::ExitCode;

use vedette_contract::arguments::NotifierArguments;

fn main() -> ExitCode {
    vedette_service::main_with::<NotifierArguments, _, _, _>("notifier", vedette_notifier::run)
}
