//! The command line of `vedette local`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use vedette_contract::Name;
use vedette_contract::arguments::{BUCKET_REGION, DatasetArguments};
use vedette_contract::keys::KeyPrefix;

use crate::place::{BUCKET_NAME, endpoint};

/// Runs a pipeline and its trainings on this machine, without Kubernetes: the very Deployments and Jobs that a cluster
/// gets, run as processes, on an embedded Kafka broker and an embedded S3 bucket.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette local -f manifests/demo.yaml                         until Ctrl-C
  vedette local -f manifests/demo.yaml --for 2m --json         two minutes, then a JSON summary
  vedette local -f manifests/demo.yaml --dataset flows.csv.gz  generate from a file instead of the simulator
  vedette local -f manifests/demo.yaml --dataset flows.csv --label-field Label --normal-label BENIGN
  vedette local -f manifests/demo.yaml --data-dir ./data       keep the bucket; a second run adds to it
  vedette local -f pipeline.yaml --broker kafka:9092           use a real Kafka broker")]
pub struct LocalOptions {
    /// Manifests of one AnomalyPipeline and its ModelTrainings; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    pub filenames: Vec<PathBuf>,

    /// Stop after this long, such as 90s or 2m; 2m where standard output is no terminal, else until Ctrl-C
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub duration: Option<Duration>,

    /// Keep the bucket in this directory; a temporary one where omitted
    #[arg(long, value_name = "DIR", conflicts_with = "bucket_endpoint")]
    pub data_dir: Option<PathBuf>,

    /// Use this Kafka instead of the embedded one
    #[arg(long, value_name = "HOST:PORT,…")]
    pub broker: Option<String>,

    /// Use the S3 bucket at this endpoint instead of the embedded one; credentials come from AWS_ACCESS_KEY_ID,
    /// AWS_SECRET_ACCESS_KEY and, for a temporary key, AWS_SESSION_TOKEN
    #[arg(long = "bucket", value_name = "URL", value_parser = endpoint)]
    pub bucket_endpoint: Option<String>,

    /// Name of the bucket
    #[arg(long, value_name = "NAME", default_value = BUCKET_NAME)]
    pub bucket_name: String,

    /// What stands before all keys of the bucket, as in the site file
    #[arg(long, value_name = "PREFIX", requires = "bucket_endpoint")]
    pub bucket_prefix: Option<KeyPrefix>,

    /// Region of the bucket
    #[arg(long, value_name = "REGION", default_value = BUCKET_REGION)]
    pub bucket_region: String,

    /// Put this file into the bucket and generate from it: CSV or lines of JSON, plain, gzip or zstd
    #[arg(long, value_name = "FILE")]
    pub dataset: Option<PathBuf>,

    /// Column of the data set that says which rows are anomalies; that of the manifests where omitted
    #[arg(long, value_name = "COLUMN", requires = "dataset", requires = "normal_labels")]
    pub label_field: Option<String>,

    /// Value of that column that means "not an anomaly"; may be repeated
    #[arg(long = "normal-label", value_name = "VALUE", requires = "label_field")]
    pub normal_labels: Vec<String>,

    /// The data set has no label, whatever the manifests say
    #[arg(long, requires = "dataset", conflicts_with = "label_field")]
    pub unlabelled: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: DatasetArguments,

    /// End with one JSON object on standard output; everything else goes to standard error
    #[arg(long)]
    pub json: bool,

    /// Name of the site that this machine plays
    #[arg(long, value_name = "NAME", default_value = "local")]
    pub site: Name,

    /// Where the embedded Kafka listens; port 0 is any free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    pub kafka_listen: SocketAddr,

    /// Where the embedded bucket listens; port 0 is any free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    pub bucket_listen: SocketAddr,

    /// Where the console's page is; port 0 is any free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    pub console_listen: SocketAddr,

    /// Run no console
    #[arg(long)]
    pub no_console: bool,

    /// Where the workload binaries lie; beside this program where omitted
    #[arg(long, value_name = "DIR")]
    pub bin_dir: Option<PathBuf>,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration =
        text.parse().map_err(|_| format!("{text:?} is not a duration: write 90s, 2m or 1h30m"))?;
    Duration::try_from(duration)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| format!("{text:?} must be longer than nothing"))
}

#[cfg(test)]
impl LocalOptions {
    /// Those of a whole command line.
    pub(super) fn parsed<Word>(line: impl IntoIterator<Item = Word>) -> Result<Self, clap::Error>
    where
        Word: Into<std::ffi::OsString> + Clone,
    {
        #[derive(clap::Parser)]
        struct Command {
            #[command(flatten)]
            options: LocalOptions,
        }
        <Command as clap::Parser>::try_parse_from(line).map(|command| command.options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_people_write_them() {
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        for wrong in ["", "soon", "-1s", "0s", "5"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
