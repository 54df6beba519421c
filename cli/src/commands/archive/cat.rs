//! `vedette archive cat`: the records of an archive as they were archived, a line each.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;

use clap::Args;
use futures::{StreamExt, stream};
use jiff::civil::Date;
use vedette_archive::{Line, Part, Source, archived_days, fetch, list_day};
use vedette_contract::Name;
use vedette_contract::archive::Stream;
use vedette_streams::bucket::Bucket;

use super::ArchiveError;
use crate::commands::moment::day;
use crate::commands::pipeline::PipelineOptions;
use crate::output::{Progress, escaped_json, print_while_read, warn};

/// So many objects are in memory at once.
const CONCURRENCY: usize = 3;

/// Writes the records of an archive to standard output, a line of JSON each, byte by byte as they were archived: by day, site and
/// partition, and of a partition in their order. Objects that are damaged are named on standard error and left out; then the exit
/// code is 1.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette archive cat --data-dir ./data -n demo --day 2026-11-21
  vedette archive cat --bucket http://seaweedfs:8333 -n demo --pipeline kdd --stream alerts --site west")]
pub struct CatOptions {
    /// Whose archive.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// The stream: enriched_data, alerts or incidents
    #[arg(long, value_name = "STREAM", default_value_t = Stream::EnrichedData)]
    pub stream: Stream,
    /// Only records of this site; may be repeated
    #[arg(long = "site", value_name = "NAME")]
    pub sites: Vec<Name>,
    /// Only objects of this day, that of the arrival of their first record
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub day: Option<Date>,
}

/// Writes them.
pub(super) async fn cat(options: &CatOptions) -> Result<(), ArchiveError> {
    let chosen = options.pipeline.choose().await?;
    let (bucket, keys) = (chosen.bucket(), &chosen.keys);
    let (mut objects, mut left_out, mut told) = (0_usize, 0_usize, Progress::beside_output());
    for day in super::days(archived_days(bucket, keys, options.stream).await?, options.day) {
        let sources = list_day(bucket, keys, options.stream, day, &options.sites).await?;
        let get = async |source: Source| {
            let key = source.object.to_string();
            // Of its own, so that it goes on while others are written.
            let checked = tokio::spawn(checked(bucket.clone(), source)).await.map_err(ArchiveError::Worker)?;
            checked.map(|checked| (key, checked))
        };
        let mut all = stream::iter(sources).map(get).buffered(CONCURRENCY);
        while let Some(one) = all.next().await {
            objects += 1;
            told.tell(|| format!("{objects} archive objects, now of {day}"));
            let (key, checked) = one?;
            let Some(checked) = checked else {
                left_out += 1;
                warn(&format!("{key} was deleted while it was to be read"));
                continue;
            };
            let written =
                tokio::task::spawn_blocking(move || write(&checked)).await.map_err(ArchiveError::Worker)??;
            left_out += written.left_out;
            if written.readers.is_break() {
                return Ok(());
            }
        }
    }
    match (objects, left_out) {
        (0, _) => Ok(chosen.check_sites(&options.sites).await?),
        (_, 0) => Ok(()),
        (_, objects) => Err(ArchiveError::LeftOut { objects }),
    }
}

/// A part of an object, and what is wrong with it.
type Checked = (Part, Option<io::Error>);

/// Gets an object and looks whether it is what was written; nothing where it is gone.
async fn checked(bucket: Bucket, source: Source) -> Result<Option<Vec<Checked>>, ArchiveError> {
    let Some(fetched) = fetch(&bucket, source).await? else { return Ok(None) };
    let check = |part: Part| {
        let fault = part.check().err();
        (part, fault)
    };
    let checking = tokio::task::spawn_blocking(move || fetched.parts.into_iter().map(check).collect::<Vec<Checked>>());
    Ok(Some(checking.await.map_err(ArchiveError::Worker)?))
}

/// What came of one object.
struct Written {
    left_out: usize,
    /// Whether anybody still reads.
    readers: ControlFlow<()>,
}

fn write(checked: &[Checked]) -> Result<Written, ArchiveError> {
    let is_seen = io::stdout().is_terminal();
    let mut written = Written { left_out: 0, readers: ControlFlow::Continue(()) };
    for (part, fault) in checked {
        if let Some(fault) = fault {
            written.left_out += 1;
            warn(&format!("{} is damaged and left out: {fault}", part.key));
            continue;
        }
        written.readers = print_while_read(|out| if is_seen { write_shown(part, out) } else { part.write_lines(out) })?;
        if written.readers.is_break() {
            break;
        }
    }
    Ok(written)
}

/// For a terminal, whose cursor nothing of a record moves.
fn write_shown(part: &Part, out: &mut impl Write) -> io::Result<()> {
    let mut result = Ok(());
    part.for_each_line(|line| {
        let shown = match line {
            Line::Whole(record) => String::from_utf8_lossy(record),
            Line::TooLong => "…".into(),
        };
        result = writeln!(out, "{}", escaped_json(&shown));
        if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    result
}
