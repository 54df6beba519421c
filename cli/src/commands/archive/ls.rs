//! `vedette archive ls`: the objects of an archive, and what their writers say of them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use futures::{StreamExt, stream};
use jiff::civil::Date;
use serde::Serialize;
use vedette_archive::{FoundMetadata, Source, archived_days, list_day};
use vedette_contract::archive::{Origin, Stream};
use vedette_contract::progress::{Progress, ProgressKey};
use vedette_contract::{Name, TopicName};
use vedette_registry::progress;
use vedette_streams::bucket::{Bucket, BucketError};

use super::ArchiveError;
use crate::commands::moment::day;
use crate::commands::pipeline::PipelineOptions;
use crate::output::{Align, OutputFormat, OutputOptions, Progress as Told, Table, print};

/// So many objects are asked for at once what their writers say of them.
const CONCURRENCY: usize = 32;

/// Lists the objects of an archive by day, site and stream: records, stored bytes, and the offsets of the first record and after the
/// last. An object is open until it is large or old enough; its records can be read all the same.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette archive ls --data-dir ./data -n demo --day 2026-11-21
  vedette archive ls --bucket http://seaweedfs:8333 -n demo --pipeline kdd --stream alerts --site east -o json")]
pub struct LsOptions {
    /// Whose archive.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// Only this stream: enriched_data, alerts or incidents
    #[arg(long, value_name = "STREAM")]
    pub stream: Option<Stream>,
    /// Only objects of this site; may be repeated
    #[arg(long = "site", value_name = "NAME")]
    pub sites: Vec<Name>,
    /// Only objects of this day, that of the arrival of their first record
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub day: Option<Date>,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Row {
    day: Date,
    site: Name,
    stream: Stream,
    topic: TopicName,
    partition: i32,
    /// Offset of its first record.
    from: i64,
    /// Offset after its last record; none where nobody says so.
    to: Option<i64>,
    records: Option<u64>,
    bytes: u64,
    is_open: bool,
    key: String,
}

/// How far the archive of each partition has come.
type Reached = BTreeMap<ProgressKey, Progress>;

/// Prints them.
pub(super) async fn ls(options: &LsOptions) -> Result<(), ArchiveError> {
    let chosen = options.pipeline.choose().await?;
    let (bucket, keys) = (chosen.bucket(), &chosen.keys);
    let mut sources = Vec::new();
    for stream in options.stream.map_or(Stream::ALL.to_vec(), |stream| vec![stream]) {
        for day in super::days(archived_days(bucket, keys, stream).await?, options.day) {
            sources.extend(list_day(bucket, keys, stream, day, &options.sites).await?);
        }
    }
    if sources.is_empty() {
        chosen.check_sites(&options.sites).await?;
    }
    sources.sort_by_cached_key(|source| {
        let Origin { stream, site, topic, partition, .. } = source.object.origin.clone();
        (source.object.day, site, stream, topic, partition, source.object.start)
    });
    let reached: Reached = progress::load_all(bucket, keys).await?.into_iter().collect();
    let (all, mut rows, mut told) = (sources.len(), Vec::with_capacity(sources.len()), Told::new());
    let mut read = stream::iter(sources).map(|source| row(bucket, source, &reached)).buffered(CONCURRENCY);
    while let Some(row) = read.next().await {
        rows.push(row?);
        told.tell(|| format!("{} of {all} archive objects", rows.len()));
    }
    drop((read, told));
    let format = options.output.format();
    Ok(print(|out| write(out, &rows, format))?)
}

async fn row(bucket: &Bucket, source: Source, reached: &Reached) -> Result<Row, BucketError> {
    let (key, is_open) = (source.object.to_string(), source.is_open());
    let Origin { stream, site, topic, partition, .. } = source.object.origin.clone();
    let (to, records) = if is_open {
        let progress = reached.get(&ProgressKey { site: site.clone(), topic: topic.clone(), partition });
        tail(source.object.start, progress.filter(|progress| progress.stream == stream))
    } else {
        let head = bucket.head(&key).await?;
        let said = head.map(|head| FoundMetadata::of(&head.metadata));
        said.map_or((None, None), |said| (said.end, said.records))
    };
    let Source { object, stored: _, bytes } = source;
    Ok(Row { day: object.day, site, stream, topic, partition, from: object.start, to, records, bytes, is_open, key })
}

/// Of the open object of a partition that starts there, the offset after its last record and its records.
fn tail(start: i64, progress: Option<&Progress>) -> (Option<i64>, Option<u64>) {
    let progress = progress.filter(|progress| progress.end > start);
    let records = progress.and_then(|progress| progress.records.checked_sub(progress.closed_records));
    (progress.map(|progress| progress.end), records)
}

fn write(out: &mut impl Write, rows: &[Row], format: OutputFormat) -> io::Result<()> {
    if let Some(document) = format.document() {
        return document.write(out, &rows);
    }
    let mut table = Table::new([
        ("DAY", Align::Left),
        ("SITE", Align::Left),
        ("STREAM", Align::Left),
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("FROM", Align::Right),
        ("TO", Align::Right),
        ("RECORDS", Align::Right),
        ("BYTES", Align::Right),
        ("STATE", Align::Left),
    ])
    .with_further([("KEY", Align::Left)]);
    for row in rows {
        table.row([
            row.day.to_string(),
            row.site.to_string(),
            row.stream.to_string(),
            row.topic.to_string(),
            row.partition.to_string(),
            row.from.to_string(),
            row.to.map_or_else(|| "-".to_owned(), |to| to.to_string()),
            row.records.map_or_else(|| "-".to_owned(), |records| records.to_string()),
            row.bytes.to_string(),
            if row.is_open { "open" } else { "closed" }.to_owned(),
            row.key.clone(),
        ]);
    }
    table.write(out, format)
}
