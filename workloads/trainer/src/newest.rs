//! Reads the newest records of every site that a model is for, a bounded number of each, and has the model tried on them. They are
//! read after the model was learned, so the newest of them are known to no one.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

use vedette_archive::{Fetched, Line, Source, fetch, list_newest};
use vedette_contract::archive::{Origin, Stream};
use vedette_contract::arguments::TrainerArguments;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::{Name, fields};
use vedette_records::{FieldNames, RecordReader, Scalar};
use vedette_registry::sites;
use vedette_service::error_chain;
use vedette_streams::bucket::Bucket;

use crate::error::TrainerError;
use crate::gate::{Contest, SiteCheck};
use crate::silenced::{Silenced, SilencedReader};

/// So many of a site's newest records are scored, shared by its partitions.
const RECORDS: usize = 5_000;
/// Of a partition so many objects are read at most, in which there may be fewer.
const OBJECTS: usize = 16;
/// A site that archived nothing in so many days before the newest record of all is silent, and holds nobody up.
const DAYS: u8 = 7;

/// Tries the models on every site.
pub(crate) async fn try_on_sites(
    bucket: &Bucket,
    arguments: &TrainerArguments,
    contest: Contest,
    silenced: &Arc<Silenced>,
) -> Result<Vec<SiteCheck>, TrainerError> {
    let keys = PipelineKeys::new(&arguments.owner.namespace, &arguments.owner.pipeline);
    let mut by_site: BTreeMap<Name, Vec<Source>> = BTreeMap::new();
    for source in list_newest(bucket, &keys, Stream::EnrichedData, DAYS).await? {
        by_site.entry(source.object.origin.site.clone()).or_default().push(source);
    }
    if !arguments.data_sites.is_empty() {
        let followers = followers(bucket, &keys, &arguments.training).await;
        by_site.retain(|site, _| arguments.data_sites.contains(site) || followers.contains(site));
    }
    let (contest, mut checks) = (Arc::new(contest), Vec::new());
    for (site, sources) in by_site {
        let lines = read(bucket, sources, silenced).await?;
        let contest = Arc::clone(&contest);
        checks.push(tokio::task::spawn_blocking(move || contest.on(site, &lines)).await?);
    }
    Ok(checks)
}

/// Sites that use the models of the training although it does not learn from them. What one says that cannot be read ends no
/// training.
async fn followers(bucket: &Bucket, keys: &PipelineKeys, training: &Name) -> Vec<Name> {
    match sites::load_all(bucket, keys).await {
        Ok(told) => {
            let follows = told.into_iter().filter(|status| status.training.as_ref() == Some(training));
            follows.map(|status| status.site).collect()
        }
        Err(error) => {
            tracing::warn!(error = error_chain(&error), "which sites follow the training cannot be read");
            Vec::new()
        }
    }
}

/// The newest lines of a site, but for those that a silence leaves out, and those of simulated records.
async fn read(bucket: &Bucket, sources: Vec<Source>, silenced: &Arc<Silenced>) -> Result<Vec<Vec<u8>>, TrainerError> {
    let mut by_origin: BTreeMap<Origin, Vec<Source>> = BTreeMap::new();
    for source in sources {
        by_origin.entry(source.object.origin.clone()).or_default().push(source);
    }
    let share = RECORDS.div_ceil(by_origin.len().max(1));
    let mut lines = Vec::new();
    for mut sources in by_origin.into_values() {
        sources.sort_by_key(|source| std::cmp::Reverse((source.object.day, source.object.start)));
        let wanted = lines.len() + share;
        for source in sources.into_iter().take(OBJECTS) {
            let Some(fetched) = fetch(bucket, source).await? else { continue };
            let most = wanted - lines.len();
            let silenced = SilencedReader::new(silenced, &fetched.source.object.origin.site);
            lines.extend(tokio::task::spawn_blocking(move || last_lines(&fetched, most, silenced)).await?);
            if lines.len() >= wanted {
                break;
            }
        }
    }
    Ok(lines)
}

/// The last lines of an object that count, at most so many. What is damaged was told when the archive was read.
fn last_lines(fetched: &Fetched, most: usize, mut silenced: SilencedReader) -> VecDeque<Vec<u8>> {
    let mut last: VecDeque<Vec<u8>> = VecDeque::new();
    let mut names = FieldNames::default();
    let field = names.want(fields::SIMULATED);
    let mut reader = RecordReader::new(names);
    let mut is_simulated =
        |line: &[u8]| reader.read(line).is_ok_and(|record| record.get(field).is_some_and(Scalar::is_true));
    for part in fetched.parts.iter().filter(|part| !part.is_damaged()) {
        let _whole = part.for_each_line(|line| {
            if let Line::Whole(line) = line
                && !silenced.holds(line)
                && !is_simulated(line)
            {
                let mut kept = if last.len() < most { Vec::new() } else { last.pop_front().unwrap_or_default() };
                kept.clear();
                kept.extend_from_slice(line);
                last.push_back(kept);
            }
            ControlFlow::Continue(())
        });
    }
    last
}
