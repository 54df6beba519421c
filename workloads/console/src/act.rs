//! What people do on the page, as objects in the bucket of this site: silences that they add and end, verdicts that they give. What is
//! a silence or a verdict is decided where the command line has it decided, too.

use jiff::Timestamp;
use thiserror::Error;
use vedette_contract::silence::{SilenceId, SilenceKey};
use vedette_contract::verdict::{Verdict, VerdictFields};
use vedette_contract::{Name, WrittenError};
use vedette_filters::WantedSilence;
use vedette_registry::RegistryError;
use vedette_registry::silences::{self, Ended, KeptSilence};
use vedette_registry::verdicts::{self, KeptVerdict};
use vedette_streams::bucket::Bucket;

use crate::owner::PipelineName;

/// Where people's objects go: each has one writing site.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    bucket: Bucket,
    site: Name,
}

/// Why nothing was done.
#[derive(Debug, Error)]
pub(crate) enum ActError {
    /// It would be no silence or no verdict.
    #[error(transparent)]
    Written(#[from] WrittenError),
    /// The bucket does not take it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Desk {
    pub(crate) fn new(bucket: Bucket, site: Name) -> Self {
        Self { bucket, site }
    }

    /// Now, by the bucket's clock: those of all who write and look are one.
    pub(crate) fn now(&self) -> Timestamp {
        self.bucket.now()
    }

    /// Adds a silence, from now or a time on.
    pub(crate) async fn add_silence(
        &self,
        pipeline: &PipelineName,
        wanted: WantedSilence,
    ) -> Result<KeptSilence, ActError> {
        let now = self.now();
        let silence = wanted.checked(now)?;
        let key = self.key(SilenceId::new(now, chance()));
        silences::add(&self.bucket, &pipeline.keys(), &key, &silence).await?;
        Ok(KeptSilence { key, silence })
    }

    /// Ends a silence of this site now.
    pub(crate) async fn end_silence(&self, pipeline: &PipelineName, key: &SilenceKey) -> Result<Ended, ActError> {
        Ok(silences::end(&self.bucket, &pipeline.keys(), key, self.now()).await?)
    }

    /// Where a silence of this site stands.
    pub(crate) fn key(&self, id: SilenceId) -> SilenceKey {
        SilenceKey { site: self.site.clone(), id }
    }

    /// Gives a verdict now.
    pub(crate) async fn give_verdict(
        &self,
        pipeline: &PipelineName,
        fields: VerdictFields,
    ) -> Result<KeptVerdict, ActError> {
        let verdict = Verdict::try_from(VerdictFields { at: Some(self.now()), ..fields })?;
        Ok(verdicts::add(&self.bucket, &pipeline.keys(), (&self.site, chance()), verdict).await?)
    }
}

/// Tells things from each other that are done within one second.
fn chance() -> u32 {
    uuid::Uuid::new_v4().as_fields().0
}
