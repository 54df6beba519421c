//! Whose something is: a pipeline at a site.

use serde::{Deserialize, Serialize};
use vedette_contract::Name;
use vedette_contract::archive::Origin;
use vedette_contract::incident::Incident;
use vedette_contract::keys::PipelineKeys;

/// A pipeline, wherever it runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PipelineName {
    pub(crate) namespace: Name,
    pub(crate) pipeline: Name,
}

impl PipelineName {
    /// That of an incident.
    pub(crate) fn of(incident: &Incident) -> Self {
        Self { namespace: incident.namespace.clone(), pipeline: incident.pipeline.clone() }
    }

    /// Its part of the bucket.
    pub(crate) fn keys(&self) -> PipelineKeys {
        PipelineKeys::new(&self.namespace, &self.pipeline)
    }

    /// It at a site.
    pub(crate) fn at(&self, site: &Name) -> Owner {
        Owner { namespace: self.namespace.clone(), pipeline: self.pipeline.clone(), site: site.clone() }
    }
}

/// A pipeline at a site.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Owner {
    pub(crate) namespace: Name,
    pub(crate) pipeline: Name,
    pub(crate) site: Name,
}

impl Owner {
    /// The pipeline, wherever it runs.
    pub(crate) fn pipeline_name(&self) -> PipelineName {
        PipelineName { namespace: self.namespace.clone(), pipeline: self.pipeline.clone() }
    }

    pub(crate) fn of(origin: &Origin) -> Self {
        let Origin { namespace, pipeline, stream: _, site, topic: _, partition: _ } = origin.clone();
        Self { namespace, pipeline, site }
    }
}
