//! `vedette-operator`: wires settings, clients and the run.

use std::process::ExitCode;

use vedette_operator::settings::OperatorArguments;
use vedette_operator::{OperatorError, ask, connect};

fn main() -> ExitCode {
    vedette_service::main_with("operator", async |arguments: OperatorArguments, shutdown| {
        if let Some(address) = &arguments.ask {
            return Ok(ask::until_ready(address, ask::PATIENCE).await?);
        }
        let (settings, credentials) = arguments.load()?;
        let client = connect::kubernetes().await?;
        let bucket = connect::bucket(&settings.site.bucket, credentials);
        vedette_operator::run(settings, client, bucket, shutdown).await?;
        Ok::<(), OperatorError>(())
    })
}
