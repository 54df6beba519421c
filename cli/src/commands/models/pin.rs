//! `vedette models pin`: what keeps a pipeline at one version. A pin stands in the pipeline's manifest and not in the bucket, so
//! this looks whether the version can be used, and says what to apply.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Value, json};
use thiserror::Error;
use vedette_contract::{ModelVersion, Name};
use vedette_registry::versions::{Damage, Held, look_at};

use super::ModelsError;
use super::catalogue::Catalogue;
use super::training::{TrainingOptions, WhichVersion};
use crate::output::{OutputFormat, OutputOptions, print};

/// Says what pins a pipeline to a version, having looked whether the bucket has all of it; it changes nothing. A pin stands in
/// the pipeline's manifest: on a terminal the whole command that puts it there is shown, else the patch alone.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette models pin current --data-dir ./data -n demo
  vedette models pin 20261123T084210Z-0a1b2c3d --data-dir ./data -n demo --pipeline kdd -o json")]
pub struct PinOptions {
    /// The version, `current` or `previous`
    #[arg(value_name = "VERSION")]
    pub version: WhichVersion,
    /// Whose models.
    #[command(flatten)]
    pub training: TrainingOptions,
    /// Name of the pipeline; the one that the version was learned from where omitted
    #[arg(long, value_name = "NAME")]
    pub pipeline: Option<Name>,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Why no pipeline should be pinned to it.
#[derive(Debug, Error)]
pub enum Unpinnable {
    /// Detectors would wait for it.
    #[error("version {version} is not whole: the bucket has no {key} (yet)")]
    Missing { version: ModelVersion, key: String },
    /// No detector would load it.
    #[error("version {version} is damaged")]
    Damaged {
        version: ModelVersion,
        #[source]
        source: Damage,
    },
}

/// Looks at the version and prints what to apply.
pub(super) async fn pin(options: &PinOptions) -> Result<(), ModelsError> {
    let chosen = options.training.choose().await?;
    let catalogue = Catalogue::read(&chosen).await?;
    let (version, metadata) = catalogue.find(&chosen, &options.version)?;
    match look_at(chosen.bucket(), &chosen.keys, &version, None).await? {
        Held::Complete => {}
        Held::Missing(key) => return Err(Unpinnable::Missing { version, key }.into()),
        Held::Damaged(source) => return Err(Unpinnable::Damaged { version, source }.into()),
    }
    let pipeline = options.pipeline.as_ref().unwrap_or(&metadata.pipeline);
    let patch = patch(&chosen.training, &version);
    let format = options.output.format();
    Ok(print(|out| write(out, (&chosen.namespace, pipeline), &patch, format))?)
}

fn patch(training: &Name, version: &ModelVersion) -> Value {
    json!({ "spec": { "model": { "training": training, "versionPolicy": "Pinned", "version": version } } })
}

fn write(
    out: &mut impl Write,
    (namespace, pipeline): (&Name, &Name),
    patch: &Value,
    format: OutputFormat,
) -> io::Result<()> {
    match format.document() {
        Some(document) => document.write(out, patch),
        None if format.is_for_people() => {
            writeln!(out, "kubectl patch anomalypipeline {pipeline} -n {namespace} --type merge --patch '{patch}'")
        }
        None => writeln!(out, "{patch}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_is_one_that_a_pipeline_takes() {
        let version: ModelVersion = "20261123T084210Z-0a1b2c3d".parse().unwrap();
        let patch = patch(&"kdd".parse().unwrap(), &version);
        let model: vedette_crds::ModelSelection = serde_json::from_value(patch["spec"]["model"].clone()).unwrap();
        assert_eq!((model.training.as_deref(), model.version.as_deref()), (Some("kdd"), Some(version.as_str())));
        assert_eq!(model.version_policy, vedette_crds::VersionPolicy::Pinned);
        let mut shown = Vec::new();
        write(&mut shown, (&"demo".parse().unwrap(), &"kdd".parse().unwrap()), &patch, OutputFormat::Table).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        assert!(
            shown.starts_with("kubectl patch anomalypipeline kdd -n demo --type merge --patch '{\"spec\":"),
            "{shown}"
        );
    }
}
