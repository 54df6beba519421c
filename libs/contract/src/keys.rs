//! Where everything lies in the bucket. Only this crate spells a key; those of the archive are in `archive`.

mod prefix;

use crate::archive::Stream;
use crate::progress::ProgressKey;
use crate::silence::SilenceKey;
use crate::verdict::VerdictKey;
use crate::{ModelVersion, Name};

pub use prefix::{KeyPrefix, KeyPrefixError};

/// Stands beside the pipelines of a namespace, so no pipeline may have this name.
const MODELS: &str = "models";

/// The part of the bucket that belongs to one namespace: `<namespace>/…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamespaceKeys {
    namespace: Name,
}

impl NamespaceKeys {
    /// Keys of this namespace.
    pub fn new(namespace: &Name) -> Self {
        Self { namespace: namespace.clone() }
    }

    /// Prefix of everything of this namespace, with the final slash.
    pub fn prefix(&self) -> String {
        format!("{}/", self.namespace)
    }

    /// A table of lookups that somebody put there: `<namespace>/<key>`.
    pub fn table(&self, key: &str) -> String {
        format!("{}/{key}", self.namespace)
    }

    /// Prefix of all trainings of this namespace, with the final slash.
    pub fn models(&self) -> String {
        format!("{}/{MODELS}/", self.namespace)
    }

    /// The training whose directory, right below [`Self::models`], this is.
    pub fn training_of(&self, directory: &str) -> Option<Name> {
        directory.strip_prefix(&self.models())?.strip_suffix('/')?.parse().ok()
    }

    /// The namespace whose directory, at the top of the bucket, this is.
    pub fn namespace_of(directory: &str) -> Option<Name> {
        directory.strip_suffix('/')?.parse().ok()
    }

    /// The name of the pipeline whose directory, right below the prefix, this is.
    pub fn pipeline_name_of(&self, directory: &str) -> Option<Name> {
        let name = directory.strip_prefix(&self.prefix())?.strip_suffix('/').filter(|name| *name != MODELS)?;
        name.parse().ok()
    }

    /// The pipeline whose directory, right below the prefix, this is, if it is one of a pipeline.
    pub fn pipeline_of(&self, directory: &str) -> Option<PipelineKeys> {
        Some(PipelineKeys::new(&self.namespace, &self.pipeline_name_of(directory)?))
    }
}

/// The part of the bucket that belongs to one pipeline: `<namespace>/<pipeline>/…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PipelineKeys {
    prefix: String,
}

impl PipelineKeys {
    /// Keys of this pipeline.
    pub fn new(namespace: &Name, pipeline: &Name) -> Self {
        Self { prefix: format!("{namespace}/{pipeline}") }
    }

    /// Prefix of everything of this pipeline, with the final slash.
    pub fn prefix(&self) -> String {
        format!("{}/", self.prefix)
    }

    /// Prefix of all archive objects of a stream: `…/<stream>/`.
    pub fn stream(&self, stream: Stream) -> String {
        format!("{}/{}/", self.prefix, stream.as_str())
    }

    /// Prefix of all progress objects: `…/progress/`.
    pub fn progress_prefix(&self) -> String {
        format!("{}/progress/", self.prefix)
    }

    /// A [`crate::progress::Progress`]: `…/progress/<site>/<topic>-<partition>.json`.
    pub fn progress(&self, key: &ProgressKey) -> String {
        format!("{}{key}", self.progress_prefix())
    }

    /// The partition whose progress a key below this prefix is, if it is one.
    pub fn progress_of(&self, key: &str) -> Option<ProgressKey> {
        key.strip_prefix(&self.progress_prefix())?.parse().ok()
    }

    /// Prefix of all site objects: `…/sites/`.
    pub fn sites_prefix(&self) -> String {
        format!("{}/sites/", self.prefix)
    }

    /// A [`crate::progress::SiteStatus`]: `…/sites/<site>.json`.
    pub fn site(&self, site: &Name) -> String {
        format!("{}/sites/{site}.json", self.prefix)
    }

    /// Prefix of the health objects of all sites: `…/health/`.
    pub fn all_health_prefix(&self) -> String {
        format!("{}/health/", self.prefix)
    }

    /// Prefix of the health objects of a site: `…/health/<site>/`.
    pub fn health_prefix(&self, site: &Name) -> String {
        format!("{}/health/{site}/", self.prefix)
    }

    /// A [`crate::health::Health`]: `…/health/<site>/<pod>.json`.
    pub fn health(&self, site: &Name, pod: &str) -> String {
        format!("{}{pod}.json", self.health_prefix(site))
    }

    /// The site that tells something in the object of this key: its status, its progress or its health.
    pub fn site_of(&self, key: &str) -> Option<Name> {
        let below = |prefix: String| key.strip_prefix(&prefix);
        let file = below(self.sites_prefix()).and_then(|file| file.strip_suffix(".json"));
        let directory = below(self.progress_prefix()).or_else(|| below(self.all_health_prefix()));
        file.or_else(|| Some(directory?.split_once('/')?.0))?.parse().ok()
    }

    /// Whether this directory, right below [`Self::prefix`], is one that a pipeline has.
    pub fn is_own(&self, directory: &str) -> bool {
        Stream::ALL.iter().any(|stream| self.stream(*stream) == directory)
            || [
                self.progress_prefix(),
                self.sites_prefix(),
                self.all_health_prefix(),
                self.silences_prefix(),
                self.verdicts_prefix(),
            ]
            .iter()
            .any(|own| own == directory)
    }

    /// Prefix of the silences of all sites: `…/silences/`.
    pub fn silences_prefix(&self) -> String {
        format!("{}/silences/", self.prefix)
    }

    /// Prefix of the silences that a site writes: `…/silences/<site>/`.
    pub fn silences_prefix_of(&self, site: &Name) -> String {
        format!("{}{site}/", self.silences_prefix())
    }

    /// A [`crate::silence::Silence`]: `…/silences/<site>/<id>.json`.
    pub fn silence(&self, key: &SilenceKey) -> String {
        let SilenceKey { site, id } = key;
        format!("{}{id}.json", self.silences_prefix_of(site))
    }

    /// The silence whose key this is, if it is one.
    pub fn silence_of(&self, key: &str) -> Option<SilenceKey> {
        let (site, file) = key.strip_prefix(&self.silences_prefix())?.split_once('/')?;
        Some(SilenceKey { site: site.parse().ok()?, id: file.strip_suffix(".json")?.parse().ok()? })
    }

    /// Prefix of the verdicts of all sites: `…/labels/`.
    pub fn verdicts_prefix(&self) -> String {
        format!("{}/labels/", self.prefix)
    }

    /// A [`crate::verdict::Verdict`]: `…/labels/<site>/<yyyy-mm>/<id>.json`, by the month that its id tells.
    pub fn verdict(&self, key: &VerdictKey) -> String {
        let VerdictKey { site, id } = key;
        format!("{}{site}/{}/{id}.json", self.verdicts_prefix(), id.month())
    }

    /// The verdict whose key this is, if it is one.
    pub fn verdict_of(&self, key: &str) -> Option<VerdictKey> {
        let (site, below) = key.strip_prefix(&self.verdicts_prefix())?.split_once('/')?;
        let (month, file) = below.split_once('/')?;
        let key = VerdictKey { site: site.parse().ok()?, id: file.strip_suffix(".json")?.parse().ok()? };
        (key.id.month() == month).then_some(key)
    }

    /// A data set that somebody put there: `…/datasets/<file name>`.
    pub fn dataset(&self, file_name: &str) -> String {
        format!("{}/datasets/{file_name}", self.prefix)
    }
}

/// The part of the bucket that belongs to one training: `<namespace>/models/<training>/…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelKeys {
    prefix: String,
}

impl ModelKeys {
    /// Keys of this training.
    pub fn new(namespace: &Name, training: &Name) -> Self {
        Self { prefix: format!("{namespace}/{MODELS}/{training}") }
    }

    /// Prefix of everything of this training, with the final slash.
    pub fn prefix(&self) -> String {
        format!("{}/", self.prefix)
    }

    /// The [`crate::model::CurrentPointer`].
    pub fn current(&self) -> String {
        format!("{}/current.json", self.prefix)
    }

    /// A file of a version, such as [`crate::model::MANIFEST_FILE`].
    pub fn file(&self, version: &ModelVersion, file: &str) -> String {
        format!("{}/{version}/{file}", self.prefix)
    }

    /// The [`crate::model::TrainingResult`] of one Job.
    pub fn result(&self, job: &str) -> String {
        format!("{}/results/{job}.json", self.prefix)
    }

    /// Prefix of all results of Jobs: `…/results/`.
    pub fn results_prefix(&self) -> String {
        format!("{}/results/", self.prefix)
    }

    /// The version that a key below this prefix belongs to, if it belongs to one.
    pub fn version_of(&self, key: &str) -> Option<ModelVersion> {
        key.strip_prefix(&self.prefix)?.strip_prefix('/')?.split('/').next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_never_meet() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let keys = PipelineKeys::new(&name("team-a"), &name("flows"));
        assert_eq!(keys.stream(Stream::EnrichedData), "team-a/flows/enriched_data/");
        let progress = ProgressKey { site: name("east"), topic: "enriched_data".parse().unwrap(), partition: 3 };
        assert_eq!(keys.progress(&progress), "team-a/flows/progress/east/enriched_data-3.json");
        assert_eq!(keys.progress_of(&keys.progress(&progress)), Some(progress));
        assert_eq!(keys.progress_of("team-b/flows/progress/east/enriched_data-3.json"), None);
        assert_eq!(keys.health(&name("east"), "d-1"), "team-a/flows/health/east/d-1.json");
        assert_eq!(keys.site_of(&keys.health(&name("east"), "d-1")), Some(name("east")));
        assert_eq!(keys.site_of(&keys.site(&name("west"))), Some(name("west")));
        assert_eq!(keys.site_of("team-a/flows/alerts/east/a-0.json"), None);
        assert!(keys.is_own(&keys.sites_prefix()) && !keys.is_own("team-a/flows/"));
        let silence = SilenceKey { site: name("east"), id: "20261123T084210Z-1a2b3c4d".parse().unwrap() };
        let key = "team-a/flows/silences/east/20261123T084210Z-1a2b3c4d.json";
        assert_eq!((keys.silence(&silence).as_str(), keys.silence_of(key)), (key, Some(silence)));
        for stranger in ["20261123T084210Z-1a2b3c4d.json", "east/x.json", "east/a/20261123T084210Z-1a2b3c4d.json"] {
            assert_eq!(keys.silence_of(&format!("team-a/flows/silences/{stranger}")), None, "{stranger}");
        }
        let verdict = VerdictKey { site: name("east"), id: "20261123T084210Z-1a2b3c4d".parse().unwrap() };
        let key = "team-a/flows/labels/east/2026-11/20261123T084210Z-1a2b3c4d.json";
        assert_eq!((keys.verdict(&verdict).as_str(), keys.verdict_of(key)), (key, Some(verdict)));
        assert!(keys.is_own(&keys.verdicts_prefix()));
        for stranger in [
            "east/20261123T084210Z-1a2b3c4d.json",
            "east/2026-12/20261123T084210Z-1a2b3c4d.json",
            "east/2026-11/20261123T084210Z-1a2b3c4d",
            "east/2026-11/x/20261123T084210Z-1a2b3c4d.json",
            "East/2026-11/20261123T084210Z-1a2b3c4d.json",
        ] {
            assert_eq!(keys.verdict_of(&format!("team-a/flows/labels/{stranger}")), None, "{stranger}");
        }
        let models = ModelKeys::new(&name("team-a"), &name("flows"));
        let version: ModelVersion = "20261123T084210Z-1a2b3c4d".parse().unwrap();
        let key = models.file(&version, "manifest.json");
        assert_eq!(key, "team-a/models/flows/20261123T084210Z-1a2b3c4d/manifest.json");
        assert_eq!(models.version_of(&key), Some(version));
        assert_eq!(models.version_of(&models.current()), None);
    }

    #[test]
    fn models_stand_beside_the_pipelines_of_their_namespace() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let keys = NamespaceKeys::new(&name("team-a"));
        let flows = PipelineKeys::new(&name("team-a"), &name("flows"));
        assert_eq!(keys.pipeline_of(&flows.prefix()), Some(flows));
        for directory in ["team-a/models/", "team-b/flows/", "team-a/flows", "team-a/Flows/", "team-a/flows/sites/"] {
            assert_eq!(keys.pipeline_of(directory), None, "{directory}");
        }
        assert_eq!(keys.pipeline_name_of("team-a/flows/"), Some(name("flows")));
        assert_eq!(keys.training_of("team-a/models/daily/"), Some(name("daily")));
        for directory in ["team-b/models/daily/", "team-a/models/daily", "team-a/models/", "team-a/flows/"] {
            assert_eq!(keys.training_of(directory), None, "{directory}");
        }
        assert_eq!(NamespaceKeys::namespace_of("team-a/"), Some(name("team-a")));
        assert!(
            ["team-a", "a/b/", "Team/", "/"].iter().all(|directory| NamespaceKeys::namespace_of(directory).is_none())
        );
        assert!(ModelKeys::new(&name("team-a"), &name("flows")).prefix().starts_with(&keys.prefix()));
    }
}
