//! The tables of lookups in a local run: files beside the manifests, which stand for the keys of ConfigMaps and, with the embedded
//! bucket, for objects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vedette_contract::lookup::TablePlace;
use vedette_core::validate::{ConfigMapKey, ValidatedPipeline};
use vedette_streams::bucket::{Body, Bucket};

use super::error::LocalError;
use super::options::LocalOptions;
use super::servers::Servers;
use crate::output::Console;

/// `ConfigMap`s of a run: name to key to value.
pub(super) type ConfigMaps = BTreeMap<String, BTreeMap<String, String>>;

/// Reads the tables that are in ConfigMaps, each from the file of its key's name.
///
/// # Errors
/// When a file is not there, or is no text.
pub(super) fn config_maps(options: &LocalOptions, pipeline: &ValidatedPipeline) -> Result<ConfigMaps, LocalError> {
    let mut maps = ConfigMaps::new();
    let keys = pipeline.detector.lookups.iter().filter_map(|lookup| Some((lookup, lookup.config_map.as_ref()?)));
    for (lookup, ConfigMapKey { name, key }) in keys {
        let missing = || LocalError::LookupFile { lookup: lookup.lookup.name.to_string(), key: key.clone() };
        let path = beside_manifests(options, key).ok_or_else(missing)?;
        let text = std::fs::read_to_string(&path).map_err(|source| LocalError::File { path, source })?;
        maps.entry(name.clone()).or_default().insert(key.clone(), text);
    }
    Ok(maps)
}

/// Puts the tables that are in the bucket into the embedded one, each from the file of its key's last part, where there is one.
///
/// # Errors
/// When the bucket refuses one.
pub(super) async fn upload(
    options: &LocalOptions,
    pipeline: &ValidatedPipeline,
    servers: &Servers,
    console: &Console,
) -> Result<(), LocalError> {
    if servers.embedded_bucket.is_none() {
        return Ok(());
    }
    for lookup in &pipeline.detector.lookups {
        let TablePlace::Object(key) = &lookup.lookup.place else { continue };
        let name = key.rsplit('/').next().unwrap_or_default();
        match beside_manifests(options, name) {
            Some(path) => put(&servers.bucket, key, path, console).await?,
            None => console.say(&format!("no file {name} beside the manifests: the bucket has to have {key}")),
        }
    }
    Ok(())
}

async fn put(bucket: &Bucket, key: &str, path: PathBuf, console: &Console) -> Result<(), LocalError> {
    bucket.delete(key).await?;
    console.say(&format!("table {} is in the bucket as {key}", path.display()));
    bucket.create(key, Body::File(path), &BTreeMap::new()).await?;
    Ok(())
}

fn beside_manifests(options: &LocalOptions, name: &str) -> Option<PathBuf> {
    let directories = options.filenames.iter().map(|manifest| manifest.parent().unwrap_or(Path::new("")));
    directories.map(|directory| directory.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::setup;

    const PIPELINE: &str = "
apiVersion: vedette.io/v1alpha1
kind: AnomalyPipeline
metadata: { name: flows }
spec:
  detector:
    lookups:
      - { name: services, field: port, table: { configMap: { name: tables, key: services.csv } }, keyColumn: port, columns: [name] }
";

    #[test]
    fn a_table_of_a_config_map_is_the_file_beside_the_manifest() {
        let directory = tempfile::tempdir().unwrap();
        let manifest = directory.path().join("flows.yaml");
        std::fs::write(&manifest, PIPELINE).unwrap();
        let options = LocalOptions::parsed(["local", "-f", &manifest.display().to_string()]).unwrap();
        let pipeline = setup::plan(&options, &"default".parse().unwrap()).unwrap().pipeline;
        let error = config_maps(&options, &pipeline).unwrap_err().to_string();
        assert!(error.contains("services.csv") && error.contains("beside"), "{error}");
        std::fs::write(directory.path().join("services.csv"), "port,name\n80,http\n").unwrap();
        let maps = config_maps(&options, &pipeline).unwrap();
        assert_eq!(maps["tables"]["services.csv"], "port,name\n80,http\n");
    }
}
