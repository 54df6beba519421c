//! Wires the process.

fn main() -> std::process::ExitCode {
    vedette_service::main_with("topics", vedette_topics::run)
}
