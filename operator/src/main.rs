//! `vedette-operator`: wires settings, clients and the run.

use std::process::ExitCode;

use vedette_operator::settings::OperatorArguments;
use vedette_operator::{OperatorError, connect};

fn main() -> ExitCode {
    vedette_service::main_with("operator", async |arguments: OperatorArguments, shutdown| {
        let (settings, credentials) = arguments.load()?;
        let client = connect::kubernetes().await?;
        let bucket = connect::bucket(&settings.site.bucket, credentials);
        vedette_operator::run(settings, client, bucket, shutdown).await?;
        Ok::<(), OperatorError>(())
    })
}
