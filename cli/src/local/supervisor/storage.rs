//! A pod's directory: its volumes as directories below it, and paths in args and env that lead there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::manifest::{EnvSource, PodPlan, VolumeSource};

/// Name to keys to values, of Secrets or `ConfigMaps`.
pub(super) type Values = BTreeMap<String, BTreeMap<String, String>>;

/// A Secret or `ConfigMap`, or a key of it, that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name} {}", key.as_ref().map_or("is missing".to_owned(), |key| format!("has no key {key}")))]
pub struct MissingValue {
    /// `Secret` or `ConfigMap`.
    pub kind: &'static str,
    pub name: String,
    /// The key, where the object is there.
    pub key: Option<String>,
}

/// Where the values of pods come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The Secrets.
    pub secrets: Values,
    /// The `ConfigMaps`.
    pub config_maps: Values,
}

impl Sources {
    /// Whether everything that the pod refers to is there.
    pub(super) fn check(&self, pod: &PodPlan) -> Result<(), MissingValue> {
        self.environment(pod, "")?;
        for mount in &pod.mounts {
            self.files(&mount.source)?;
        }
        Ok(())
    }

    fn environment(&self, pod: &PodPlan, pod_name: &str) -> Result<Vec<(String, String)>, MissingValue> {
        let mut environment = Vec::new();
        for (name, source) in &pod.env {
            let value = match source {
                EnvSource::Value(value) => Some(value.clone()),
                EnvSource::PodName => Some(pod_name.to_owned()),
                EnvSource::Namespace => Some(pod.namespace.clone()),
                EnvSource::ConfigMapKey { name, key, optional } => {
                    look_up("ConfigMap", &self.config_maps, name, key, *optional)?
                }
                EnvSource::SecretKey { name, key, optional } => look_up("Secret", &self.secrets, name, key, *optional)?,
            };
            environment.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(environment)
    }

    fn files(&self, source: &VolumeSource) -> Result<Option<&BTreeMap<String, String>>, MissingValue> {
        let (kind, values, name, optional) = match source {
            VolumeSource::EmptyDir => return Ok(None),
            VolumeSource::ConfigMap { name, optional } => ("ConfigMap", &self.config_maps, name, *optional),
            VolumeSource::Secret { name, optional } => ("Secret", &self.secrets, name, *optional),
        };
        match values.get(name) {
            None if !optional => Err(MissingValue { kind, name: name.clone(), key: None }),
            found => Ok(found),
        }
    }
}

fn look_up(
    kind: &'static str,
    values: &Values,
    name: &str,
    key: &str,
    optional: bool,
) -> Result<Option<String>, MissingValue> {
    let object = values.get(name);
    match object.and_then(|object| object.get(key)) {
        Some(value) => Ok(Some(value.clone())),
        None if optional => Ok(None),
        None => {
            let key = object.is_some().then(|| key.to_owned());
            Err(MissingValue { kind, name: name.to_owned(), key })
        }
    }
}

/// The directory of one pod; its volumes live as long as the pod, over restarts of its process.
pub(super) struct PodDirectory {
    path: PathBuf,
    /// Mount path to the directory that stands for it, longest path first.
    mounts: Vec<(String, PathBuf)>,
}

impl PodDirectory {
    /// Makes the directory with its volumes.
    pub(super) fn create(path: PathBuf, pod: &PodPlan, sources: &Sources) -> io::Result<Self> {
        fs::create_dir_all(path.join("tmp"))?;
        let mut mounts = Vec::new();
        for mount in &pod.mounts {
            let directory = path.join("volumes").join(&mount.volume);
            fs::create_dir_all(&directory)?;
            for (file, content) in sources.files(&mount.source).map_err(io::Error::other)?.into_iter().flatten() {
                fs::write(directory.join(file), content)?;
            }
            mounts.push((mount.path.trim_end_matches('/').to_owned(), directory));
        }
        mounts.sort_by_key(|(mount, _)| std::cmp::Reverse(mount.len()));
        Ok(Self { path, mounts })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory for temporary files.
    pub(super) fn temporary(&self) -> PathBuf {
        self.mounts
            .iter()
            .find(|(mount, _)| mount == "/tmp")
            .map_or_else(|| self.path.join("tmp"), |(_, directory)| directory.clone())
    }

    /// The process's arguments.
    pub(super) fn args(&self, pod: &PodPlan) -> Vec<String> {
        pod.args.iter().map(|argument| self.rewrite(argument)).collect()
    }

    /// The process's environment.
    pub(super) fn environment(
        &self,
        pod: &PodPlan,
        pod_name: &str,
        sources: &Sources,
    ) -> Result<Vec<(String, String)>, MissingValue> {
        let environment = sources.environment(pod, pod_name)?;
        Ok(environment.into_iter().map(|(name, value)| (name, self.rewrite(&value))).collect())
    }

    /// Removes the directory; the pod is gone.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(self.path)
    }

    /// Replaces a mount path where it is a whole path or the start of one, at the beginning of the text or after a '='.
    fn rewrite(&self, text: &str) -> String {
        let starts = std::iter::once(0).chain(text.match_indices('=').map(|(position, _)| position + 1));
        for start in starts {
            let (before, path) = text.split_at(start);
            for (mount, directory) in &self.mounts {
                if let Some(rest) = path.strip_prefix(mount.as_str())
                    && (rest.is_empty() || rest.starts_with('/'))
                {
                    return format!("{before}{}{rest}", directory.display());
                }
            }
        }
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(mounts: &[&str]) -> PodDirectory {
        let mut mounts: Vec<_> =
            mounts.iter().map(|mount| ((*mount).to_owned(), Path::new("/run").join(&mount[1..]))).collect();
        mounts.sort_by_key(|(mount, _)| std::cmp::Reverse(mount.len()));
        PodDirectory { path: "/run".into(), mounts }
    }

    #[test]
    fn mount_paths_are_rewritten_and_other_texts_are_not() {
        let pod = directory(&["/var/lib/vedette", "/var/lib/vedette/model"]);
        for (text, expected) in [
            ("/var/lib/vedette/model", "/run/var/lib/vedette/model"),
            ("--model-directory=/var/lib/vedette/model/x", "--model-directory=/run/var/lib/vedette/model/x"),
            ("--file=a=/var/lib/vedette/model/x", "--file=a=/run/var/lib/vedette/model/x"),
            ("/var/lib/vedette/spool", "/run/var/lib/vedette/spool"),
            ("/var/lib/vedettes", "/var/lib/vedettes"),
            ("x /var/lib/vedette", "x /var/lib/vedette"),
            ("http://127.0.0.1/var/lib/vedette", "http://127.0.0.1/var/lib/vedette"),
            ("", ""),
        ] {
            assert_eq!(pod.rewrite(text), expected);
        }
        assert_eq!(directory(&["/tmp"]).temporary(), Path::new("/run/tmp"));
    }

    #[test]
    fn a_missing_secret_and_a_missing_key_are_told_apart() {
        let secrets = Values::from([("s".to_owned(), BTreeMap::from([("k".to_owned(), "v".to_owned())]))]);
        assert_eq!(look_up("Secret", &secrets, "s", "k", false).unwrap().as_deref(), Some("v"));
        let missing = |name, key| look_up("Secret", &secrets, name, key, false).unwrap_err().to_string();
        assert_eq!(missing("s", "x"), "Secret s has no key x");
        assert_eq!(missing("t", "x"), "Secret t is missing");
        assert_eq!(look_up("Secret", &secrets, "t", "x", true).unwrap(), None);
    }
}
